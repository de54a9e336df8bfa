//! The kinds of provider that this house has.
//!
//! In: their settings. Out: what starts them. `h323`'s settings are `h323.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use offhook_modem::{ModemConfig, ModemProvider};
use offhook_rpc::{ConnectError, Farewell, RemoteConfig, RemoteProvider, TlsFiles, TlsIdentity};
use offhook_scripted::{Scripted, ScriptedConfig};
use offhook_spi::Tspi;
use offhook_tsp::H323Provider;
use serde::Deserialize;

use super::h323::H323Settings;
use super::{ProviderError, Providers, Settings, Start, Started};

pub(super) fn register(providers: &mut Providers) {
    providers.register("h323", h323);
    providers.register("modem", modem);
    providers.register("scripted", scripted);
    providers.register("remote", remote);
}

fn h323(given: &Settings) -> Result<Start, ProviderError> {
    let settings: H323Settings = given.read()?;
    let config = settings.config(given).map_err(ProviderError::Settings)?;
    Ok(start_h323(config))
}

/// The H.323 provider, on the runtime that polls this.
pub fn start_h323(config: offhook_tsp::H323Config) -> Start {
    Box::pin(async move {
        let provider = Arc::new(H323Provider::new(config, tokio::runtime::Handle::current()));
        let tsp: Arc<dyn Tspi> = provider.clone();
        Ok(Started { tsp, drained: Some(Box::pin(async move { provider.drained().await })) })
    })
}

fn modem(given: &Settings) -> Result<Start, ProviderError> {
    let config: ModemConfig = given.read()?;
    config.check().map_err(|why| ProviderError::Settings(why.to_string()))?;
    Ok(Box::pin(async move {
        let provider = ModemProvider::new(config, tokio::runtime::Handle::current())
            .map_err(|why| ProviderError::Settings(why.to_string()))?;
        let provider = Arc::new(provider);
        let tsp: Arc<dyn Tspi> = provider.clone();
        Ok(Started { tsp, drained: Some(Box::pin(async move { provider.drained().await })) })
    }))
}

/// A fake switch that behaves by itself: its lines call each other by their extensions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedSettings {
    #[serde(default = "one")]
    lines: u32,
}

fn one() -> u32 {
    1
}

fn scripted(given: &Settings) -> Result<Start, ProviderError> {
    let settings: ScriptedSettings = given.read()?;
    if !(1..=1_000).contains(&settings.lines) {
        return Err(ProviderError::Settings("lines: 1 to 1000".to_owned()));
    }
    let name = given.name.clone();
    Ok(Box::pin(async move {
        let tsp: Arc<dyn Tspi> =
            Scripted::new(ScriptedConfig { name, ..ScriptedConfig::switch(settings.lines) });
        Ok(Started::from(tsp))
    }))
}

/// Another machine's broker. The entry's name is the machine's, which its certificate has to have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoteSettings {
    address: String,
    /// Instead of `[tls]`.
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
    /// What to be called there.
    application: Option<String>,
}

fn remote(given: &Settings) -> Result<Start, ProviderError> {
    let settings: RemoteSettings = given.read()?;
    offhook_rpc::check_address(&settings.address)
        .map_err(|why| ProviderError::Settings(format!("address: {why}")))?;
    let files = match (settings.certificate, settings.key, settings.ca) {
        (None, None, None) => given.tls.clone().ok_or_else(|| {
            ProviderError::Settings("another machine needs certificates: [tls] is missing".to_owned())
        })?,
        (Some(certificate), Some(key), Some(ca)) => {
            TlsFiles { certificate: given.path(&certificate), key: given.path(&key), ca: given.path(&ca) }
        }
        _ => return Err(ProviderError::Settings("certificate, key and ca belong together".to_owned())),
    };
    let identity = TlsIdentity::read(&files).map_err(ProviderError::Settings)?;
    let config = RemoteConfig {
        name: given.name.clone(),
        address: settings.address,
        identity,
        application: settings.application.unwrap_or_else(|| "remote TSP".to_owned()),
    };
    Ok(Box::pin(async move {
        match RemoteProvider::connect(config).await {
            Ok(provider) => {
                let tsp: Arc<dyn Tspi> = provider;
                Ok(Started::from(tsp))
            }
            Err(error) => Err(not_there(&error)),
        }
    }))
}

/// Why another machine's broker is not there. Only what somebody has to change there or here is the settings' fault: a
/// broker that just ends, or has no room, is there later.
fn not_there(error: &ConnectError) -> ProviderError {
    use offhook_rpc::proto::farewell::Why;
    match error {
        ConnectError::Refused(_, Farewell { why: Why::Version | Why::Protocol, .. }) => {
            ProviderError::Settings(error.to_string())
        }
        _ => ProviderError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use offhook_rpc::proto::farewell::Why;
    use offhook_rpc::{ConnectError, Farewell};

    use super::{ProviderError, not_there};

    #[test]
    fn a_broker_that_just_ends_is_tried_again_and_one_of_another_contract_is_not() {
        let refused = |why| {
            not_there(&ConnectError::Refused("far".to_owned(), Farewell { why, text: "so".to_owned() }))
        };
        for why in [Why::Shutdown, Why::TooMany, Why::UnknownSession, Why::NotReading, Why::Unspecified] {
            assert!(matches!(refused(why), ProviderError::Unavailable(_)), "{why:?}");
        }
        for why in [Why::Version, Why::Protocol] {
            assert!(matches!(refused(why), ProviderError::Settings(_)), "{why:?}");
        }
        let silent = ConnectError::Unreachable("far".to_owned(), "no route".to_owned());
        assert!(matches!(not_there(&silent), ProviderError::Unavailable(_)));
    }
}
