//! A provider of another crate in `tapisrv`, by its registration alone (A13), and one that speaks an older TSPI (A22).

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use offhook::tapisrv::{Happening, ProviderError, Providers, Started, Tapisrv, TapisrvConfig, Tspi};
use offhook::{Attached, AttachedConfig, LineError, MediaTypes, Privilege};
use offhook_spi::{
    ApiVersion, CallInfo, CallParams, DigitMode, DisconnectMode, HdCall, HdLine, HdMspLine, HtCall, HtLine,
    HtMspLine, LineDevCaps, Opaque, RequestId, TspEvents,
};

/// Somebody else's provider: as old as TSPI 2.2, without media, and it places no calls.
struct Foreign {
    lines: u32,
}

impl Tspi for Foreign {
    fn line_negotiate_version(
        &self,
        _: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        let own = ApiVersion(0x0002_0002);
        ApiVersion::negotiate(lowest, highest, own, own).ok_or(LineError::IncompatibleApiVersion)
    }

    fn provider_init(&self, _: Arc<dyn TspEvents>) -> Result<(), LineError> {
        Ok(())
    }

    fn provider_shutdown(&self) {}

    fn line_devices(&self) -> u32 {
        self.lines
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        Ok(LineDevCaps {
            provider: "foreign".to_owned(),
            line_name: format!("foreign line {device}"),
            media: MediaTypes::AUDIO,
            ..LineDevCaps::default()
        })
    }

    fn line_open(&self, device: u32, _: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        assert_eq!(version, ApiVersion(0x0002_0002), "what was negotiated");
        Ok(HdLine(device.into()))
    }

    fn line_close(&self, _: HdLine) -> Result<(), LineError> {
        Ok(())
    }

    fn line_set_default_media_detection(&self, _: HdLine, _: MediaTypes) -> Result<(), LineError> {
        Ok(())
    }

    fn line_make_call(
        &self,
        _: RequestId,
        _: HdLine,
        _: HtCall,
        _: &CallParams,
    ) -> Result<HdCall, LineError> {
        Err(LineError::OperationUnavail)
    }

    fn line_accept(&self, _: RequestId, _: HdCall) -> Result<(), LineError> {
        Err(LineError::InvalCallHandle)
    }

    fn line_answer(&self, _: RequestId, _: HdCall) -> Result<(), LineError> {
        Err(LineError::InvalCallHandle)
    }

    fn line_drop(&self, _: RequestId, _: HdCall, _: DisconnectMode) -> Result<(), LineError> {
        Err(LineError::InvalCallHandle)
    }

    fn line_close_call(&self, _: HdCall) -> Result<(), LineError> {
        Err(LineError::InvalCallHandle)
    }

    fn line_call_info(&self, _: HdCall) -> Result<CallInfo, LineError> {
        Err(LineError::InvalCallHandle)
    }

    fn line_generate_digits(&self, _: RequestId, _: HdCall, _: DigitMode, _: &str) -> Result<(), LineError> {
        Err(LineError::InvalCallHandle)
    }

    fn line_create_msp_instance(&self, _: HdLine, _: u32, _: HtMspLine) -> Result<HdMspLine, LineError> {
        Err(LineError::OperationUnavail)
    }

    fn line_close_msp_instance(&self, _: HdMspLine) -> Result<(), LineError> {
        Err(LineError::OperationUnavail)
    }

    fn line_receive_msp_data(
        &self,
        _: HdLine,
        _: Option<HdCall>,
        _: HdMspLine,
        _: Opaque,
    ) -> Result<(), LineError> {
        Err(LineError::OperationUnavail)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    lines: u32,
}

fn providers() -> Providers {
    let mut providers = Providers::usual();
    providers.register("foreign", |given| {
        let Settings { lines } = given.read()?;
        Ok(Box::pin(async move {
            let tsp: Arc<dyn Tspi> = Arc::new(Foreign { lines });
            Ok(Started::from(tsp))
        }))
    });
    providers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_another_crate_is_one_more_kind() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let text =
        "socket = 'x.sock'\n[[provider]]\nkind = 'foreign'\nlines = 2\n[[provider]]\nkind = 'scripted'\n";
    let config = TapisrvConfig::parse(text, dir.path().to_owned())?;
    let served = Tapisrv::start(config, &providers(), |_| {}).await?;
    let join = |line: Option<&str>| AttachedConfig {
        application: "app".to_owned(),
        socket: PathBuf::from(served.socket()),
        line: line.map(str::to_owned),
        ..AttachedConfig::default()
    };
    let phone = Attached::connect(join(Some("foreign line 1"))).await?;
    assert_eq!(phone.tapi().addresses().await?.len(), 3);
    let address = phone.address();
    assert_eq!(address.caps().provider, "foreign");
    assert!(!address.caps().has_msp);
    // Its TSPI is older than MSPs: calls only, no streams.
    address.open(Privilege::Owner, MediaTypes::AUDIO).await?;
    phone.shutdown().await;
    served.shutdown().await;
    assert!(!dir.path().join("x.sock").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn its_settings_are_checked_like_any_others() -> Result<(), Box<dyn Error>> {
    let parse = |text: &str| TapisrvConfig::parse(text, PathBuf::new());
    let why = |text: &str| -> Result<String, Box<dyn Error>> {
        Ok(offhook::tapisrv::check(&parse(text)?, &providers())
            .err()
            .map_or_else(String::new, |why| why.to_string()))
    };
    assert_eq!(why("[[provider]]\nkind='foreign'\nlines=2")?, "");
    assert!(
        why("[[provider]]\nkind='foreign'\nlines='two'")?.starts_with("provider \"foreign-1\": invalid type")
    );
    assert!(why("[[provider]]\nkind='foreign'")?.contains("missing field `lines`"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_had_yet_is_tried_again_and_its_lines_come_later()
-> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let text = "socket = 'x.sock'\n[[provider]]\nkind = 'late'\n[[provider]]\nkind = 'scripted'\n";
    let config = TapisrvConfig::parse(text, dir.path().to_owned())?;
    let mut providers = Providers::usual();
    let tried = Arc::new(AtomicBool::new(false));
    providers.register("late", move |_| {
        let tried = tried.clone();
        Ok(Box::pin(async move {
            if !tried.swap(true, Ordering::Relaxed) {
                return Err(ProviderError::Unavailable("not yet".to_owned()));
            }
            let tsp: Arc<dyn Tspi> = Arc::new(Foreign { lines: 1 });
            Ok(Started::from(tsp))
        }))
    });
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let served = Tapisrv::start(config, &providers, move |what| drop(tell.send(what))).await?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let what =
            tokio::time::timeout(Duration::from_secs(60), told.recv()).await?.ok_or("it told no more")?;
        seen.push(match what {
            Happening::Provider(name, lines) => format!("{name}: {}", lines[0].device.0),
            Happening::Unavailable(name, why) => format!("{name}: {why}"),
            Happening::Client(event) => format!("{event:?}"),
        });
    }
    assert_eq!(
        seen,
        ["late-1: not yet", "scripted-2: 0", "late-1: 1"],
        "numbered after those that are there"
    );
    served.shutdown().await;
    Ok(())
}
