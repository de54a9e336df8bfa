//! The telephone behind `call` and `answer`: whole in this process, or attached to a broker in another.
//!
//! In: `--socket`, `--line`. Out: one [`Phone`] for both. Not here: `tapisrv`, which is such a broker.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use offhook::{Address, Attached, AttachedConfig, Embedded, EmbeddedConfig, StartError, Tapi};

/// Options about signalling, which is the broker's with `--socket`.
pub(super) const SIGNALLING: [&str; 25] = [
    "no_fast_start",
    "no_tunnel",
    "h245_in_setup",
    "fast_start_answer",
    "repeat_fast_start",
    "prefer",
    "share_connection",
    "keep_connection",
    "survive_signalling_loss",
    "repeat_setup",
    "timer",
    "name_server",
    "digits_via",
    "display",
    "alias",
    "gatekeeper",
    "gatekeeper_id",
    "user",
    "password_file",
    "ask_password",
    "strict",
    "sign_calls",
    "time_to_live",
    "bandwidth",
    "advertise",
];

/// Where the broker is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Broker")]
pub(crate) struct BrokerArgs {
    /// Use the broker that serves this socket (`offhook tapisrv`) in place of one in this process: its lines and its
    /// signalling, the sound here
    #[arg(long, value_name = "PATH", conflicts_with_all = SIGNALLING)]
    pub(crate) socket: Option<PathBuf>,
    /// Which of the broker's lines: its number, its name, or the machine that it is on
    #[arg(long, value_name = "LINE", requires = "socket")]
    pub(crate) line: Option<String>,
    /// The name that this application goes by at the broker: calls can be handed to it by that
    #[arg(long = "name", value_name = "NAME", requires = "socket")]
    pub(crate) application: Option<String>,
}

/// A telephone.
pub(super) enum Phone {
    /// Broker and providers in this process.
    Embedded(Box<Embedded>),
    /// A client of a broker in another.
    Attached(Attached),
}

impl Phone {
    pub(super) async fn start(config: EmbeddedConfig, broker: &BrokerArgs) -> Result<Self, StartError> {
        Ok(match &broker.socket {
            None => Self::Embedded(Box::new(Embedded::start(config).await?)),
            Some(socket) => {
                let EmbeddedConfig { application, msp, .. } = config;
                let application = broker.application.clone().unwrap_or(application);
                let (socket, line) = (socket.clone(), broker.line.clone());
                let attached = AttachedConfig { application, socket, line, msp };
                Self::Attached(Attached::connect(attached).await?)
            }
        })
    }

    pub(super) fn address(&self) -> &Address {
        match self {
            Self::Embedded(phone) => phone.address(),
            Self::Attached(phone) => phone.address(),
        }
    }

    pub(super) fn tapi(&self) -> &Tapi {
        match self {
            Self::Embedded(phone) => phone.tapi(),
            Self::Attached(phone) => phone.tapi(),
        }
    }

    /// Where calls are taken; another process's provider does not say.
    pub(super) fn listening(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(phone) => phone.listening(),
            Self::Attached(_) => None,
        }
    }

    pub(super) async fn shutdown(self) {
        match self {
            Self::Embedded(phone) => phone.shutdown().await,
            Self::Attached(phone) => phone.shutdown().await,
        }
    }
}
