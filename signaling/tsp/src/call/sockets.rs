//! A running call's sockets: call signalling, and H.245 with its listener and its attempt to connect.
//!
//! In: what the machine wants done, what arrives. Out: the same, each for the other. Of crossing H.245 connections the one
//! that we make stays, if it is made (H.323 8.2).
//! Not here: when (`running.rs`).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{Action, Channel, Closed};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep_until, timeout};

use super::running::Running;
use crate::connection::{Connection, Progress};
use crate::trunk::{Delivery, Seat};

/// How long a connection that we close may take to hand over what is queued.
const FINISH: Duration = Duration::from_secs(2);

/// An attempt to connect, under way.
pub(super) struct Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>);

/// The call signalling connection: the call's own, or a seat on one of several calls.
pub(super) enum Signaling {
    Own(Connection),
    Shared(Seat),
}

/// What came over it.
pub(super) enum Signalled {
    Own(Progress),
    Shared(Delivery),
}

impl Signaling {
    /// Our end and the peer's.
    pub(super) fn ends(&self) -> (SocketAddr, SocketAddr) {
        match self {
            Self::Own(connection) => (connection.local, connection.remote),
            Self::Shared(seat) => (seat.local, seat.remote),
        }
    }

    /// The connection was there before this call.
    pub(super) fn is_reused(&self) -> bool {
        matches!(self, Self::Shared(seat) if seat.reused)
    }
}

impl Running {
    pub(super) fn heard_signaling(&mut self, signalled: Signalled) {
        let now = self.now();
        match signalled {
            Signalled::Own(progress) => self.progress(Channel::Signaling, progress),
            Signalled::Shared(Delivery::Message(message)) => self.machine.handle_message(now, *message),
            Signalled::Shared(Delivery::Garbled(error)) => self.machine.handle_garbled(now, &error),
            Signalled::Shared(Delivery::Closed(why)) => self.lost(Channel::Signaling, why),
        }
    }

    /// A connection in place of the one that was lost, or that is about to be found lost.
    pub(super) fn resume(&mut self, signaling: Signaling) {
        if self.signaling.is_some() {
            self.lost(Channel::Signaling, Closed::Failed);
        }
        self.reopening = None;
        self.signaling_ends = signaling.ends();
        self.signaling = Some(signaling);
        let now = self.now();
        self.machine.handle_connected(now, Channel::Signaling);
    }

    pub(super) fn reopened(&mut self, connected: io::Result<TcpStream>) {
        self.reopening = None;
        match connected.and_then(Connection::new) {
            Ok(connection) => {
                self.context.inner.tap_opened(connection.local, connection.remote);
                self.context.inner.gate.counts.resumed.add(1);
                self.resume(Signaling::Own(connection));
            }
            Err(error) => {
                tracing::info!(call = self.context.hd.0, %error, "the signalling connection is not back yet");
                self.lost(Channel::Signaling, Closed::Unreachable);
            }
        }
    }

    pub(super) fn progress(&mut self, channel: Channel, progress: Progress) {
        let now = self.now();
        match progress {
            Progress::Read(octets) => {
                if let Some(c) = self.connection(channel) {
                    let (local, remote) = (c.local, c.remote);
                    self.context.inner.tap_octets(remote, local, &octets);
                }
                if let (Channel::Signaling, Some(asked)) = (channel, &self.context.asked) {
                    asked.signal(false, &octets);
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
            Channel::Signaling => match self.signaling.take() {
                Some(Signaling::Own(connection)) => Some(connection),
                // A shared one is reported by its trunk.
                Some(Signaling::Shared(_)) | None => None,
            },
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
            Channel::Signaling => match &mut self.signaling {
                Some(Signaling::Own(connection)) => Some(connection),
                Some(Signaling::Shared(_)) | None => None,
            },
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

    pub(super) fn send(&mut self, channel: Channel, octets: &Bytes) {
        if let (Channel::Signaling, Some(Signaling::Shared(seat))) = (channel, &self.signaling) {
            return seat.send(octets.clone());
        }
        let Some(c) = self.connection(channel) else { return };
        let (local, remote) = (c.local, c.remote);
        let queued = c.queue(octets);
        self.context.inner.tap_octets(local, remote, octets);
        if let (Channel::Signaling, Some(asked)) = (channel, &self.context.asked) {
            asked.signal(true, octets);
        }
        if let Err(error) = queued {
            tracing::info!(%error, ?channel, "cannot send");
            self.lost(channel, Closed::Failed);
        }
    }

    /// Sends what is queued, H.245's endSession before ReleaseComplete (H.323 8.5). False: a connection is lost, and the
    /// machine has something to say about it.
    pub(super) fn flush(&mut self) -> bool {
        for channel in [Channel::H245, Channel::Signaling] {
            if let Some(Err(error)) = self.connection(channel).map(Connection::flush) {
                tracing::info!(%error, ?channel, "cannot send");
                self.lost(channel, Closed::Failed);
                return false;
            }
        }
        true
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::ListenH245 => self.listen_h245(),
            Action::StopListeningH245 => self.h245_listener = None,
            Action::ConnectH245(address) => self.h245_connecting = Some(self.connecting(address)),
            Action::CloseH245 => {
                self.h245_listener = None;
                self.h245_connecting = None;
                self.h245_reserve = None;
                let connection = self.h245.take();
                self.close(connection);
            }
            Action::ReopenSignaling(address) => self.reopening = Some(self.connecting(address)),
            Action::CloseSignaling => {
                self.reopening = None;
                self.close_signaling();
            }
        }
    }

    fn connecting(&self, address: SocketAddr) -> Connecting {
        let patience = self.context.inner.config.call.timers.signaling_connect;
        Connecting(Box::pin(async move {
            timeout(patience, TcpStream::connect(address))
                .await
                .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        }))
    }

    pub(super) fn close_signaling(&mut self) {
        // A seat is left by dropping it.
        if let Some(Signaling::Own(connection)) = self.signaling.take() {
            self.close(Some(connection));
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
        if let Some(mut connection) = connection {
            // What cannot be sent now is tried again while it closes.
            let _ = connection.flush();
            self.context.inner.tap_closed(connection.local, connection.remote);
            self.closing.spawn(connection.finish(FINISH));
        }
    }
}

fn same_host(a: IpAddr, b: IpAddr) -> bool {
    a == b || (a.is_loopback() && b.is_loopback())
}

// Each waits for ever where there is nothing to wait for, and may be dropped at any await.

pub(super) async fn hear(signaling: &mut Option<Signaling>) -> Signalled {
    match signaling {
        Some(Signaling::Own(connection)) => Signalled::Own(connection.drive().await),
        Some(Signaling::Shared(seat)) => Signalled::Shared(seat.next().await),
        None => std::future::pending().await,
    }
}

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

pub(crate) async fn expire(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
