//! The whole telephone in one process: broker, H.323 provider and media provider.
//!
//! In: a configuration. Out: an [`Address`] to call from and to be called at.
//! Not here: a broker in a process of its own (`tapisrv`), which the same API reaches through another link (`attached`).

use std::sync::Arc;

use offhook_broker::Broker;
use offhook_msp::{Msp, MspConfig};
use offhook_tapi::{Address, LineError, Tapi, TapiError};
use offhook_tsp::{Counters, H323Config, H323Provider, RegistrationStatus};
use tokio::sync::watch;

/// What the telephone is made of.
#[derive(Clone, Default)]
pub struct EmbeddedConfig {
    /// The name that this application goes by at the broker.
    pub application: String,
    /// Call control.
    pub h323: H323Config,
    /// Media.
    pub msp: MspConfig,
}

/// Why the telephone could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The broker does not take the provider.
    #[error("the H.323 provider cannot be used: {0}")]
    Provider(LineError),
    /// The media provider has no threads or sockets.
    #[error("no media: {0}")]
    Media(String),
    /// The application's side failed.
    #[error(transparent)]
    Tapi(#[from] TapiError),
    /// The broker knows no line.
    #[error("the provider has no line")]
    NoLine,
    /// No broker there, or it does not let us in.
    #[error("{0}")]
    Broker(String),
    /// The broker has no such line; those that it has.
    #[error("no such line at the broker, which has: {0}")]
    WhichLine(String),
}

/// A telephone in this process.
pub struct Embedded {
    tapi: Tapi,
    address: Address,
    broker: Broker,
    provider: Arc<H323Provider>,
}

impl Embedded {
    /// Starts it on the current tokio runtime. Nothing listens before the address is opened for calls.
    pub async fn start(config: EmbeddedConfig) -> Result<Self, StartError> {
        let broker = Broker::new();
        let provider = Arc::new(H323Provider::new(config.h323, tokio::runtime::Handle::current()));
        broker.add_provider(provider.clone()).map_err(StartError::Provider)?;
        let msp = Msp::new(config.msp).map_err(|why| StartError::Media(why.to_string()))?;
        let tapi = Tapi::connect(|sink| broker.connect(&config.application, sink), Some(Arc::new(msp)))?;
        let address = tapi.addresses().await?.into_iter().next().ok_or(StartError::NoLine)?;
        Ok(Self { tapi, address, broker, provider })
    }

    /// The one address: the H.323 line.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The session with the broker, for events.
    pub fn tapi(&self) -> &Tapi {
        &self.tapi
    }

    /// Where calls are taken, once the address is open for them.
    pub fn listening(&self) -> Option<std::net::SocketAddr> {
        self.provider.listening()
    }

    /// Where the registration with the gatekeeper stands, and every change of it.
    pub fn registration(&self) -> watch::Receiver<RegistrationStatus> {
        self.provider.registration()
    }

    /// How often the provider's limits were met so far.
    pub fn counters(&self) -> Counters {
        self.provider.counters()
    }

    /// Releases every call on the wire, finishes recordings and returns when nothing runs any more.
    pub async fn shutdown(self) {
        self.tapi.close().await;
        self.broker.shutdown();
        self.provider.drained().await;
    }
}
