//! A running call's sockets: call signalling, and H.245 with its listener and its attempt to connect.
//!
//! In: what the machine wants done, what arrives. Out: the same, each for the other. Of crossing H.245 connections the one
//! that we make stays, if it is made (H.323 8.2).
//! Not here: when (`running.rs`).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::time::Duration;

use offhook_h323::{Action, Channel, Closed};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep_until, timeout};

use super::running::Running;
use crate::connection::{Connection, Progress};

/// How long a connection that we close may take to hand over what is queued.
const FINISH: Duration = Duration::from_secs(2);

/// An attempt to connect, under way.
pub(super) struct Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>);

impl Running {
    pub(super) fn progress(&mut self, channel: Channel, progress: Progress) {
        let now = self.now();
        match progress {
            Progress::Read(octets) => {
                if let Some(c) = self.connection(channel) {
                    let (local, remote) = (c.local, c.remote);
                    self.context.inner.tap_octets(remote, local, &octets);
                }
                self.machine.handle_bytes(now, channel, &octets);
            }
            Progress::Closed(error) => {
                let why = if error.is_some() { Closed::Failed } else { Closed::ByPeer };
                self.lost(channel, why);
            }
        }
    }

    fn lost(&mut self, channel: Channel, why: Closed) {
        let gone = match channel {
            Channel::Signaling => self.signaling.take(),
            Channel::H245 => self.h245.take(),
        };
        if let Some(c) = gone {
            self.context.inner.tap_closed(c.remote, c.local);
            self.context.inner.tap_closed(c.local, c.remote);
        }
        let now = self.now();
        self.machine.handle_closed(now, channel, why);
    }

    fn connection(&mut self, channel: Channel) -> Option<&mut Connection> {
        match channel {
            Channel::Signaling => self.signaling.as_mut(),
            Channel::H245 => self.h245.as_mut(),
        }
    }

    pub(super) fn h245_accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            // The H.245 address goes to the peer alone, so nobody else has a reason to connect. Every loopback address
            // is this machine.
            Ok((stream, from)) if same_host(from.ip(), self.signaling_ends.1.ip()) => {
                self.h245_listener = None;
                if self.h245_connecting.is_some() {
                    self.h245_reserve = Some(stream);
                } else {
                    self.h245_up(stream, true);
                }
            }
            Ok((_, from)) => tracing::warn!(%from, "a stranger connected to the H.245 port; refused"),
            Err(error) => {
                tracing::warn!(%error, "H.245 accept failed");
                self.h245_listener = None;
                if self.h245_connecting.is_none() {
                    self.lost(Channel::H245, Closed::Failed);
                }
            }
        }
    }

    pub(super) fn h245_connected(&mut self, connected: io::Result<TcpStream>) {
        self.h245_connecting = None;
        self.h245_listener = None;
        match (connected, self.h245_reserve.take()) {
            (Ok(stream), _) => self.h245_up(stream, false),
            (Err(error), Some(reserve)) => {
                tracing::debug!(%error, "the peer's H.245 connection takes the place of ours");
                self.h245_up(reserve, true);
            }
            (Err(error), None) => {
                tracing::warn!(%error, "no H.245 connection to the peer");
                let why = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Closed::Refused,
                    _ => Closed::Unreachable,
                };
                self.lost(Channel::H245, why);
            }
        }
    }

    fn h245_up(&mut self, stream: TcpStream, accepted: bool) {
        if self.h245.is_some() {
            return;
        }
        let Ok(connection) = Connection::new(stream) else {
            return self.lost(Channel::H245, Closed::Failed);
        };
        let (local, remote) = (connection.local, connection.remote);
        let (client, server) = if accepted { (remote, local) } else { (local, remote) };
        self.context.inner.tap_opened(client, server);
        self.h245 = Some(connection);
        let now = self.now();
        self.machine.handle_connected(now, Channel::H245);
    }

    pub(super) fn send(&mut self, channel: Channel, octets: &[u8]) {
        let Some(c) = self.connection(channel) else { return };
        let (local, remote) = (c.local, c.remote);
        let sent = c.send(octets);
        self.context.inner.tap_octets(local, remote, octets);
        if let Err(error) = sent {
            tracing::info!(%error, ?channel, "cannot send");
            self.lost(channel, Closed::Failed);
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::ListenH245 => self.listen_h245(),
            Action::StopListeningH245 => self.h245_listener = None,
            Action::ConnectH245(address) => {
                let patience = self.context.inner.config.call.timers.signaling_connect;
                self.h245_connecting = Some(Connecting(Box::pin(async move {
                    timeout(patience, TcpStream::connect(address))
                        .await
                        .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
                })));
            }
            Action::CloseH245 => {
                self.h245_listener = None;
                self.h245_connecting = None;
                self.h245_reserve = None;
                let connection = self.h245.take();
                self.close(connection);
            }
            Action::ReopenSignaling(_) => self.lost(Channel::Signaling, Closed::Unreachable),
            Action::CloseSignaling => {
                let connection = self.signaling.take();
                self.close(connection);
            }
        }
    }

    fn listen_h245(&mut self) {
        let now = self.now();
        let bound = StdListener::bind((self.signaling_ends.0.ip(), 0))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .and_then(TcpListener::from_std)
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        match bound {
            Ok((address, listener)) => {
                self.h245_listener = Some(listener);
                self.machine.h245_listening(now, address);
            }
            Err(error) => {
                tracing::warn!(%error, "no port for H.245");
                self.machine.h245_listen_failed(now);
            }
        }
    }

    pub(super) fn close(&mut self, connection: Option<Connection>) {
        if let Some(connection) = connection {
            self.context.inner.tap_closed(connection.local, connection.remote);
            self.closing.spawn(connection.finish(FINISH));
        }
    }
}

fn same_host(a: IpAddr, b: IpAddr) -> bool {
    a == b || (a.is_loopback() && b.is_loopback())
}

// Each waits for ever where there is nothing to wait for, and may be dropped at any await.

pub(super) async fn drive(connection: &mut Option<Connection>) -> Progress {
    match connection {
        Some(connection) => connection.drive().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn accept(listener: &Option<TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn connect(connecting: &mut Option<Connecting>) -> io::Result<TcpStream> {
    match connecting {
        Some(Connecting(attempt)) => attempt.await,
        None => std::future::pending().await,
    }
}

pub(super) async fn expire(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
