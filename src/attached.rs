//! The telephone without its signalling: an application of a broker in another process, the media provider in this one.
//!
//! In: the broker's socket. Out: an [`Address`] like an embedded telephone's.
//! Not here: providers; the broker has them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use offhook_msp::{Msp, MspConfig};
use offhook_rpc::ConnectError;
use offhook_tapi::{Address, Tapi};
use tokio::sync::watch;

use crate::StartError;

/// How long the broker may take to hear that we leave.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(1);

/// What an attached telephone is made of.
#[derive(Clone, Default)]
pub struct AttachedConfig {
    /// The name that this application goes by at the broker.
    pub application: String,
    /// The broker's socket.
    pub socket: PathBuf,
    /// Which line: its number, its name, or the machine that it is on; the first if none.
    pub line: Option<String>,
    /// Media.
    pub msp: MspConfig,
}

/// Joins a broker in another process as an application without media, which watches calls and controls them.
pub async fn join(socket: &Path, application: &str) -> Result<Tapi, StartError> {
    let broker = offhook_rpc::connect(socket, application).await?;
    Ok(Tapi::connect(|sink| broker.attach(sink), None)?)
}

/// A telephone whose calls are signalled by a broker in another process.
pub struct Attached {
    tapi: Tapi,
    address: Address,
    over: watch::Receiver<bool>,
}

impl Attached {
    /// Joins the broker, on the current tokio runtime.
    pub async fn connect(config: AttachedConfig) -> Result<Self, StartError> {
        let broker = offhook_rpc::connect(&config.socket, &config.application).await?;
        let over = broker.over();
        let msp = Msp::new(config.msp).map_err(|why| StartError::Media(why.to_string()))?;
        let tapi = Tapi::connect(|sink| broker.attach(sink), Some(Arc::new(msp)))?;
        let lines = tapi.addresses().await?;
        let wanted = config.line.as_deref();
        let found = lines.iter().enumerate().find(|(number, address)| {
            let caps = address.caps();
            wanted.is_none_or(|wanted| {
                wanted == number.to_string()
                    || wanted == caps.line_name
                    || Some(wanted) == caps.machine.as_deref()
            })
        });
        let address = match found {
            Some((_, address)) => address.clone(),
            None if lines.is_empty() => return Err(StartError::NoLine),
            None => {
                let names = lines.iter().map(|address| address.caps().line_name.clone());
                let known = names.enumerate().map(|(n, name)| format!("{n} {name:?}"));
                return Err(StartError::WhichLine(known.collect::<Vec<_>>().join(", ")));
            }
        };
        Ok(Self { tapi, address, over })
    }

    /// The line.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The session with the broker, for events.
    pub fn tapi(&self) -> &Tapi {
        &self.tapi
    }

    /// Drops and releases what this application has and leaves the broker; its other clients' calls go on.
    pub async fn shutdown(mut self) {
        self.tapi.close().await;
        drop(self.address);
        // A broker that does not answer is not waited for.
        let _ = tokio::time::timeout(FAREWELL, self.over.wait_for(|over| *over)).await;
    }
}

impl From<ConnectError> for StartError {
    fn from(why: ConnectError) -> Self {
        Self::Broker(why.to_string())
    }
}
