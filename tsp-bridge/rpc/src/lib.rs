//! The broker's private RPC: applications over a Unix socket; the remote TSP, which is a provider in one machine's broker
//! and a client of another's, over TCP with mTLS. One contract for both.
//!
//! ```text
//!  application ─ tapi ─ SessionLink ═══ Unix socket ═══╗
//!                                                      ╟─ Server ─ Link ─ broker ─ providers
//!  broker ─ RemoteProvider ─ SessionLink ═ TCP, mTLS ══╝
//! ```
//!
//! In: a broker's connector ([`Server::new`]), or where a broker is ([`connect`], [`RemoteProvider`]). Out: a
//! [`Link`](offhook_spi::Link) like an embedded broker's, or a [`Tspi`](offhook_spi::Tspi) like any provider.
//! The contract is `proto/offhook/tapi/v1/tapi.proto`, its values ⇄ ours [`convert`].
//! Not here: the broker, what opaque buffers mean, the `offhook tapisrv` command.
//!
//! # What is promised
//!
//! - Every request gets exactly one reply; events come in order. A client of a Unix socket that dies is gone at once.
//! - A broker never waits for a client: what is not read is queued, within bounds ([`ServerConfig::backlog`]); a client
//!   that lets more come, or takes nothing for [`ServerConfig::stuck`], is cut off and told why.
//! - Over TCP a session survives the loss of its connection for [`ServerConfig::resume`]: both ends then say again what the
//!   other has not received, by number, exactly once. A half-dead connection is noticed within three pings.

mod client;
pub mod convert;
mod pipe;
mod remote;
mod server;
mod tls;
mod wire;

/// The messages of the contract, generated; their documentation is the .proto's.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod proto {
    tonic::include_proto!("offhook.tapi.v1");
}

pub use client::{
    BrokerClock, ClientKind, ConnectError, Connection, Target, Watcher, check_address, connect,
};
pub use pipe::Bounds;
pub use remote::{RemoteConfig, RemoteProvider};
pub use server::{
    ClientStatus, Connector, ListenError, Listening, Server, ServerConfig, ServerEvent, default_socket,
};
pub use tls::{TlsFiles, TlsIdentity};
pub use wire::{Farewell, MAX_CLIENT_FRAME, MAX_NAME, MAX_SERVER_FRAME, VERSION};
