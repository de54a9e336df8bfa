//! Says no to a connection that no call can be made of: its Setup is answered with ReleaseComplete.
//!
//! In: an accepted connection, why not. Out: ReleaseComplete, the connection closed, within a few seconds.
//! Not here: who is refused (`gate.rs`, `provider.rs`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use offhook_h323::{Call, Channel, Closed, Config, Event, IncomingParams, Release};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use crate::connection::{Connection, Progress};
use crate::provider::Inner;

/// How long a refused connection may take to say its Setup, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the refusal; without room for one more the connection is closed at once.
pub(crate) fn refuse(inner: &Arc<Inner>, stream: TcpStream, from: SocketAddr, release: Release) {
    let Some(refusing) = inner.gate.refusing(&inner.config) else { return };
    let Ok(connection) = Connection::accepted(stream, from) else { return };
    let context = Arc::clone(inner);
    inner.runtime.spawn(async move {
        let run = answer(&context, connection, release);
        if timeout(PATIENCE * 3, run).await.is_err() {
            tracing::debug!("a refused peer does not go");
        }
        drop(refusing);
    });
}

async fn answer(inner: &Inner, mut connection: Connection, release: Release) {
    let mut config = Config { call_proceeding: false, fast_start: false, ..inner.config.call.clone() };
    config.timers.setup_wait = config.timers.setup_wait.min(PATIENCE);
    let params = IncomingParams {
        // Nothing random is said before a call stands.
        seed: 0,
        local_signal_address: Some(connection.local),
        remote_signal_address: connection.remote,
    };
    let (local, remote) = (connection.local, connection.remote);
    inner.tap_opened(remote, local);
    let mut machine = Call::incoming(config, params, inner.now());
    while !machine.is_finished() {
        while let Some(event) = machine.poll_event() {
            if matches!(event, Event::Setup(_)) {
                machine.release(inner.now(), release);
            }
        }
        while machine.poll_action().is_some() {}
        while let Some(transmit) = machine.poll_transmit() {
            inner.tap_octets(local, remote, &transmit.bytes);
            if connection.send(&transmit.bytes).is_err() {
                machine.handle_closed(inner.now(), Channel::Signaling, Closed::Failed);
            }
        }
        let Some(deadline) = machine.poll_timeout() else { break };
        tokio::select! {
            progress = connection.drive() => match progress {
                Progress::Read(octets) => {
                    inner.tap_octets(remote, local, &octets);
                    machine.handle_bytes(inner.now(), Channel::Signaling, &octets);
                }
                Progress::Closed(_) => machine.handle_closed(inner.now(), Channel::Signaling, Closed::ByPeer),
            },
            () = sleep_until(inner.deadline(deadline)) => machine.handle_timeout(inner.now()),
        }
    }
    inner.gate.add(machine.limits_hit());
    inner.tap_closed(local, remote);
    connection.finish(PATIENCE).await;
}
