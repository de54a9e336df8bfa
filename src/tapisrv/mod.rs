//! A broker as a process of its own: providers by configuration, applications on a socket, other machines by TLS.
//!
//! In: a [`TapisrvConfig`] and the [`Providers`] that it may name. Out: a running [`Tapisrv`].
//! Not here: the command line (`offhook tapisrv`), what providers do.
//!
//! A provider of another crate is one more kind; nothing of the bridge is touched:
//!
//! ```
//! # use std::sync::Arc;
//! # use offhook::tapisrv::{Providers, ProviderError, Started};
//! # fn my_provider(_: u32) -> Arc<dyn offhook::tapisrv::Tspi> { unimplemented!() }
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     lines: u32,
//! }
//!
//! let mut providers = Providers::usual();
//! providers.register("mine", |given| {
//!     let settings: Settings = given.read()?;
//!     Ok(Box::pin(async move { Ok(Started::from(my_provider(settings.lines))) }))
//! });
//! # Ok::<(), ProviderError>(())
//! ```

mod config;
mod h323;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offhook_broker::Broker;
use offhook_rpc::{Listening, Server, ServerConfig, TlsIdentity};
use serde::de::DeserializeOwned;

pub use config::{ConfigError, ProviderEntry, TapisrvConfig};
pub use kinds::start_h323 as h323;
pub use offhook_rpc::{Bounds, ClientStatus, ServerEvent, TlsFiles, check_address, default_socket};
pub use offhook_spi::{LineDevCaps, LineError, Tspi};

/// Between attempts to start a provider that cannot be had yet.
const AGAIN: Duration = Duration::from_secs(5);

/// How long clients and providers may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a provider is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Its settings are wrong: somebody has to change them.
    #[error("{0}")]
    Settings(String),
    /// It cannot be had now; it is tried again.
    #[error("{0}")]
    Unavailable(String),
}

/// The end of a provider's last word.
pub type Drained = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A provider that runs.
pub struct Started {
    /// The provider.
    pub tsp: Arc<dyn Tspi>,
    /// What to wait for after its shutdown, until its last word is on the wire.
    pub drained: Option<Drained>,
}

impl From<Arc<dyn Tspi>> for Started {
    fn from(tsp: Arc<dyn Tspi>) -> Self {
        Self { tsp, drained: None }
    }
}

/// Starts a provider; nothing happens before it is polled.
pub type Start = Pin<Box<dyn Future<Output = Result<Started, ProviderError>> + Send>>;

type Constructor = dyn Fn(&Settings) -> Result<Start, ProviderError> + Send + Sync;

/// What a provider is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that it goes by in the configuration.
    pub name: String,
    /// Where relative paths begin.
    pub directory: PathBuf,
    /// Who this machine is to others, if configured.
    pub tls: Option<TlsFiles>,
    values: toml::Table,
}

impl Settings {
    /// The entry's values but for `kind` and `name`. Types that deny unknown fields make typing errors seen.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        toml::Value::Table(self.values.clone())
            .try_into()
            .map_err(|why: toml::de::Error| ProviderError::Settings(why.message().to_owned()))
    }

    /// A path of the configuration.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}

/// The kinds of provider that a configuration may name.
#[derive(Clone, Default)]
pub struct Providers {
    kinds: BTreeMap<String, Arc<Constructor>>,
}

impl Providers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of this house: `h323`, `modem`, `scripted`, `remote`.
    pub fn usual() -> Self {
        let mut providers = Self::new();
        kinds::register(&mut providers);
        providers
    }

    /// Adds a kind, or replaces it. `constructor` reads the settings, so that they can be checked without starting
    /// anything, and answers what starts the provider.
    pub fn register(
        &mut self,
        kind: &str,
        constructor: impl Fn(&Settings) -> Result<Start, ProviderError> + Send + Sync + 'static,
    ) {
        self.kinds.insert(kind.to_owned(), Arc::new(constructor));
    }

    fn prepare(&self, entry: &ProviderEntry, config: &TapisrvConfig) -> Result<Start, TapisrvError> {
        let failed = |why: String| TapisrvError::Provider(entry.name.clone(), why);
        let Some(constructor) = self.kinds.get(&entry.kind) else {
            let known: Vec<_> = self.kinds.keys().map(String::as_str).collect();
            return Err(failed(format!("no kind {:?} of provider: {}", entry.kind, known.join(", "))));
        };
        let settings = Settings {
            name: entry.name.clone(),
            directory: config.directory.clone(),
            tls: config.tls.clone(),
            values: entry.settings.clone(),
        };
        constructor(&settings).map_err(|why| failed(why.to_string()))
    }
}

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum TapisrvError {
    /// A provider's settings, or its start.
    #[error("provider {0:?}: {1}")]
    Provider(String, String),
    /// Two have one name.
    #[error("two providers are called {0:?}")]
    Twice(String),
    /// Nothing listens.
    #[error(transparent)]
    Listen(#[from] offhook_rpc::ListenError),
    /// A certificate or a key.
    #[error("{0}")]
    Tls(String),
    /// The system.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// Looks whether everything that a configuration says can be understood, and its files read; starts nothing.
pub fn check(config: &TapisrvConfig, providers: &Providers) -> Result<(), TapisrvError> {
    distinct(config)?;
    for entry in &config.providers {
        drop(providers.prepare(entry, config)?);
    }
    if let Some(tls) = &config.tls {
        TlsIdentity::read(tls).map_err(TapisrvError::Tls)?;
    }
    if config.remote_listen.is_some() && config.tls.is_none() {
        return Err(TapisrvError::Tls("other machines need certificates: [tls] is missing".to_owned()));
    }
    Ok(())
}

/// Whether every provider has a name of its own, those of the command line included.
fn distinct(config: &TapisrvConfig) -> Result<(), TapisrvError> {
    let mut names = BTreeSet::new();
    match config.providers.iter().find(|entry| !names.insert(&entry.name)) {
        Some(twice) => Err(TapisrvError::Twice(twice.name.clone())),
        None => Ok(()),
    }
}

/// What somebody has to be told after one more attempt in vain: that settings are wrong, once. `said` is what the last
/// attempt failed of.
fn news(name: &str, said: &mut Option<ProviderError>, why: ProviderError) -> Option<String> {
    let told = said.as_ref() == Some(&why);
    let wrong = match &why {
        ProviderError::Settings(wrong) if !told => Some(wrong.clone()),
        _ => None,
    };
    if !told {
        tracing::info!(name, %why, "not yet");
    }
    *said = Some(why);
    wrong
}

/// What happens at a broker, for whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A provider runs; its lines.
    Provider(String, Vec<LineDevCaps>),
    /// One cannot be had now; why.
    Unavailable(String, String),
    /// A client came or went.
    Client(ServerEvent),
}

type Watcher = Arc<dyn Fn(Happening) + Send + Sync>;

/// A broker that serves.
pub struct Tapisrv {
    broker: Broker,
    server: Server,
    listening: Vec<Listening>,
    remote: Option<SocketAddr>,
    socket: PathBuf,
    drains: Arc<Mutex<Vec<Drained>>>,
    waiting: tokio::task::JoinSet<()>,
}

impl Tapisrv {
    /// Starts the providers, then listens; on the current tokio runtime, which has to have several threads. A provider
    /// that cannot be had yet (another machine that is not there) is tried again, and its lines come when it does.
    /// `watcher` is told what happens; it must not block.
    pub async fn start(
        config: TapisrvConfig,
        providers: &Providers,
        watcher: impl Fn(Happening) + Send + Sync + 'static,
    ) -> Result<Self, TapisrvError> {
        distinct(&config)?;
        let watcher: Watcher = Arc::new(watcher);
        let broker = Broker::new();
        let drains = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for entry in &config.providers {
            let started = providers.prepare(entry, &config)?.await;
            let entered = started.and_then(|started| enter(&broker, &entry.name, started, &drains, &watcher));
            match entered {
                Ok(()) => {}
                Err(ProviderError::Settings(why)) => {
                    broker.shutdown();
                    return Err(TapisrvError::Provider(entry.name.clone(), why));
                }
                Err(ProviderError::Unavailable(why)) => {
                    watcher(Happening::Unavailable(entry.name.clone(), why));
                    let (entry, config, providers) = (entry.clone(), config.clone(), providers.clone());
                    let (broker, drains, watcher) = (broker.clone(), drains.clone(), watcher.clone());
                    waiting.spawn(async move {
                        let mut said = None;
                        loop {
                            tokio::time::sleep(AGAIN).await;
                            let entered = match providers.prepare(&entry, &config) {
                                Ok(start) => start.await.and_then(|started| {
                                    enter(&broker, &entry.name, started, &drains, &watcher)
                                }),
                                Err(why) => Err(ProviderError::Settings(why.to_string())),
                            };
                            let Err(why) = entered else { return };
                            if let Some(wrong) = news(&entry.name, &mut said, why) {
                                tracing::error!(name = entry.name, why = wrong, "cannot be had as it is set");
                                watcher(Happening::Unavailable(entry.name.clone(), wrong));
                            }
                        }
                    });
                }
            }
        }
        let joining = broker.clone();
        let told = watcher.clone();
        let server = Server::new(
            config.server.clone(),
            move |name, sink| joining.connect(name, sink),
            move |event| told(Happening::Client(event)),
        )?;
        let socket = config.socket.clone().unwrap_or_else(default_socket);
        let mut listening = vec![server.listen_unix(&socket)?];
        let mut remote = None;
        if let Some(address) = config.remote_listen {
            let files = config.tls.as_ref().ok_or_else(|| {
                TapisrvError::Tls("other machines need certificates: [tls] is missing".to_owned())
            })?;
            let identity = TlsIdentity::read(files).map_err(TapisrvError::Tls)?;
            let there = server.listen_tls(address, &identity).await?;
            remote = there.tcp();
            listening.push(there);
        }
        Ok(Self { broker, server, listening, remote, socket, drains, waiting })
    }

    /// The socket that applications connect to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where other machines connect; port 0 has become a real one.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Who has a session.
    pub fn clients(&self) -> Vec<ClientStatus> {
        self.server.clients()
    }

    /// The broker itself: to add providers by hand, or to count what it holds.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Ends everything in good order: calls are dropped, clients told, the socket removed, providers let say their last
    /// word.
    pub async fn shutdown(mut self) {
        self.waiting.abort_all();
        // Lines are told to be gone, and then their clients that the broker is.
        self.broker.shutdown();
        self.server.shutdown(FAREWELL).await;
        for listening in self.listening {
            listening.close(FAREWELL).await;
        }
        let drains = std::mem::take(&mut *self.drains.lock().unwrap_or_else(PoisonError::into_inner));
        for drained in drains {
            if tokio::time::timeout(FAREWELL, drained).await.is_err() {
                tracing::warn!("a provider did not end in time");
            }
        }
    }
}

/// Gives a provider that runs to the broker.
fn enter(
    broker: &Broker,
    name: &str,
    started: Started,
    drains: &Mutex<Vec<Drained>>,
    watcher: &Watcher,
) -> Result<(), ProviderError> {
    let Started { tsp, drained } = started;
    let devices = broker.add_provider(tsp.clone()).map_err(|why| ProviderError::Settings(why.to_string()))?;
    drains.lock().unwrap_or_else(PoisonError::into_inner).extend(drained);
    let lines = (0..tsp.line_devices()).zip(devices).filter_map(|(number, device)| {
        let caps = tsp.line_dev_caps(number).ok()?;
        Some(LineDevCaps { device, ..caps })
    });
    watcher(Happening::Provider(name.to_owned(), lines.collect()));
    Ok(())
}

/// The limits that a configuration leaves as they are.
pub(crate) fn usual_limits() -> ServerConfig {
    ServerConfig::default()
}

#[cfg(test)]
mod tests {
    use super::{ProviderError, news};

    #[test]
    fn settings_that_turn_out_wrong_on_a_later_attempt_are_said_once() {
        let wrong = || ProviderError::Settings("another contract".to_owned());
        let away = || ProviderError::Unavailable("no route".to_owned());
        let mut said = None;
        assert_eq!(news("far", &mut said, away()), None);
        assert_eq!(news("far", &mut said, wrong()), Some("another contract".to_owned()));
        for _ in 0..3 {
            assert_eq!(news("far", &mut said, wrong()), None);
        }
        assert_eq!(news("far", &mut said, away()), None);
        assert_eq!(news("far", &mut said, wrong()), Some("another contract".to_owned()), "it had changed");
    }
}
