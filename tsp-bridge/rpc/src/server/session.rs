//! One client's session: its link, its queue of events, its way from connection to connection.
//!
//! In: the frames of its connections, the broker's events. Out: requests to the broker, frames.
//!
//! ```text
//! Hello ─▶ Attached ──connection lost──▶ Detached ──resume in time──▶ Attached
//!             │ Goodbye, end of stream (Unix),      │ too late, too much waits
//!             │ not reading, breach, shutdown       │
//!             └──────────▶ Ended ◀──────────────────┘     the link is dropped: the broker gives up what the client had
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use offhook_spi::{AppEvent, AppRequest, AppSink, LineError, Link, RequestId, Timestamp};
use prost::Message;
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo, UdsConnectInfo};
use tonic::{Code, Request, Status, Streaming};

use super::arrive::Guest;
use super::{ClientStatus, Inner, ServerEvent, random};
use crate::convert::Word;
use crate::pipe::{Frames, Pipe};
use crate::proto::farewell::Why;
use crate::proto::{self as p, client_frame, server_frame};
use crate::wire::{ACKNOWLEDGE_EVERY, Events, Farewell, MAX_SERVER_FRAME, VERSION, silence};

/// Who makes a connection.
pub(crate) struct Caller {
    from: String,
    /// The certificate, in full: a session is taken up again by the one that began it.
    certificate: Option<Bytes>,
}

impl Caller {
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let extensions = request.extensions();
        if let Some(info) = extensions.get::<Guest<UdsConnectInfo>>() {
            let from = info.info.peer_cred.map_or_else(
                || "a process".to_owned(),
                |who| {
                    let pid = who.pid().map_or_else(|| "?".to_owned(), |pid| pid.to_string());
                    format!("process {pid} of user {}", who.uid())
                },
            );
            return Self { from, certificate: None };
        }
        let tls = extensions.get::<TlsConnectInfo<Guest<TcpConnectInfo>>>();
        let address = tls.and_then(|info| info.get_ref().info.remote_addr());
        let certificates = tls.and_then(TlsConnectInfo::peer_certs);
        let certificate = certificates.and_then(|all| all.first().map(|c| Bytes::copy_from_slice(c)));
        let from = address.map_or_else(|| "somewhere".to_owned(), |at: SocketAddr| at.to_string());
        Self { from, certificate }
    }
}

pub(crate) struct Session {
    number: u64,
    name: String,
    kind: p::ClientKind,
    caller: Caller,
    /// What takes the session up again; none if it ends with its connection.
    token: Option<[u8; 16]>,
    pipe: Arc<Pipe<Events>>,
    attached: AtomicBool,
    /// The newest connection's frames go to the session's task.
    connections: mpsc::UnboundedSender<Streaming<p::ClientFrame>>,
    /// Why it has to end; set once.
    ended: OnceLock<Farewell>,
    ending: Notify,
}

/// Where the broker reports to. When the broker drops it, it has done with the client.
struct Sink(Arc<Session>);

impl AppSink for Sink {
    fn deliver(&self, event: AppEvent) {
        let mut message = event.say();
        if message.encoded_len() > MAX_SERVER_FRAME - 64 {
            // Hubs or lines without end: whoever asked is told; an event that nobody asked for is lost.
            tracing::warn!(client = %self.0.name, "an event is too large for a frame");
            let Some(p::event::What::Reply(p::Reply { request, .. })) = message.what else { return };
            let error = LineError::ResourceUnavail("the reply is too large for a frame".to_owned());
            message = AppEvent::Reply { request: RequestId(request), result: Err(error) }.say();
        }
        if self.0.pipe.push(message).is_err() {
            let text = "too much waits to be read by this client: it is cut off";
            self.0.end(&Farewell::new(Why::NotReading, text), true);
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.end(&Farewell::new(Why::Shutdown, "the broker ends"), false);
    }
}

/// How one connection ended.
enum Turn {
    Lost(String),
    Replaced(Box<Streaming<p::ClientFrame>>),
    Over(String),
}

impl Session {
    /// Lets a client in.
    pub(super) fn begin(
        server: &Arc<Inner>,
        resumes: bool,
        caller: Caller,
        hello: &p::Hello,
        inbound: Streaming<p::ClientFrame>,
    ) -> Result<Frames<Events>, Farewell> {
        let no_random = |why| Farewell::new(Why::Unspecified, format!("no random numbers: {why}"));
        let token = resumes.then(random::<16>).transpose().map_err(no_random)?;
        let (connections, next) = mpsc::unbounded_channel();
        let number = {
            let mut last = server.last_session.lock().unwrap_or_else(PoisonError::into_inner);
            *last += 1;
            *last
        };
        let session = Arc::new(Self {
            number,
            name: hello.name.clone(),
            kind: hello.kind(),
            caller,
            token,
            pipe: Pipe::new(server.config.backlog),
            attached: AtomicBool::new(true),
            connections,
            ended: OnceLock::new(),
            ending: Notify::new(),
        });
        {
            let mut sessions = server.lock();
            if sessions.len() >= server.config.max_sessions {
                return Err(Farewell::new(Why::TooMany, "the broker has as many clients as it takes"));
            }
            sessions.insert(number, session.clone());
            server.served.send_modify(|n| *n += 1);
        }
        if resumes {
            session.pipe.keep();
        }
        let frames = session.pipe.attach(0);
        session.welcome(server, false);
        let sink = Arc::new(Sink(session.clone()));
        let link = (server.connector)(&session.name, sink);
        tracing::info!(name = %session.name, from = %session.caller.from, "client joins");
        server.tell(ServerEvent::Joined(session.status()));
        tokio::spawn(session.attend(server.clone(), link, inbound, next));
        Ok(frames)
    }

    fn welcome(&self, server: &Inner, resumed: bool) {
        let resumes = self.token.is_some();
        let seconds = server.config.resume.as_secs().max(1);
        let keep_alive = server.config.keep_alive.as_millis();
        self.pipe.control(server_frame::Frame::Welcome(p::Welcome {
            version: VERSION,
            broker: Bytes::copy_from_slice(&server.id),
            resumed,
            token: self.token.map_or_else(Bytes::new, |token| Bytes::copy_from_slice(&token)),
            resume_seconds: if resumes { u32::try_from(seconds).unwrap_or(u32::MAX) } else { 0 },
            keep_alive_ms: if resumes { u32::try_from(keep_alive).unwrap_or(u32::MAX) } else { 0 },
        }));
    }

    /// Whether a connection of `caller` with this token is this session's.
    pub(super) fn is_resumed_by(&self, token: &[u8], caller: &Caller) -> bool {
        let same = self.token.is_some_and(|own| bool::from(own.as_slice().ct_eq(token)));
        same && self.caller.certificate == caller.certificate
    }

    /// A new connection carries the session on, unless it has ended.
    pub(super) fn resume(
        &self,
        received: u64,
        inbound: Streaming<p::ClientFrame>,
        server: &Inner,
    ) -> Option<Frames<Events>> {
        if self.ended.get().is_some() {
            return None;
        }
        let frames = self.pipe.attach(received);
        self.welcome(server, true);
        self.connections.send(inbound).ok()?;
        Some(frames)
    }

    pub(super) fn status(&self) -> ClientStatus {
        ClientStatus {
            name: self.name.clone(),
            remote_tsp: self.kind == p::ClientKind::RemoteTsp,
            from: self.caller.from.clone(),
            connected: self.attached.load(Ordering::Relaxed),
        }
    }

    /// Has the session end; from any thread, without waiting. `at_once` drops what the client has not read.
    pub(super) fn end(&self, farewell: &Farewell, at_once: bool) {
        if self.ended.set(farewell.clone()).is_ok() {
            self.pipe.finish(Some(server_frame::Frame::Farewell(farewell.message())), at_once);
            self.ending.notify_one();
        }
    }

    /// The session's task.
    async fn attend(
        self: Arc<Self>,
        server: Arc<Inner>,
        link: Arc<dyn Link>,
        first: Streaming<p::ClientFrame>,
        mut next: mpsc::UnboundedReceiver<Streaming<p::ClientFrame>>,
    ) {
        let mut inbound = first;
        let why = loop {
            match self.listen(&server, &*link, inbound, &mut next).await {
                Turn::Replaced(newer) => inbound = *newer,
                Turn::Over(why) => break why,
                Turn::Lost(why) if self.token.is_none() => break why,
                Turn::Lost(why) => {
                    self.attached.store(false, Ordering::Relaxed);
                    tracing::info!(name = %self.name, why, "client lost; it may come back");
                    server.tell(ServerEvent::Lost(self.status()));
                    match self.wait(server.config.resume, &mut next).await {
                        Ok(newer) => inbound = newer,
                        Err(late) => break format!("{late} ({why})"),
                    }
                }
            }
            if !self.attached.swap(true, Ordering::Relaxed) {
                tracing::info!(name = %self.name, "client is back");
                server.tell(ServerEvent::Resumed(self.status()));
            }
        };
        // From here on nothing is queued; the broker, told by the loss of the link, gives up what the client had.
        if self.ended.set(Farewell::new(Why::Unspecified, why.clone())).is_ok() {
            self.pipe.finish(None, true);
        }
        server.lock().remove(&self.number);
        drop(link);
        tracing::info!(name = %self.name, why, "client leaves");
        server.tell(ServerEvent::Left(self.status(), why));
        server.served.send_modify(|n| *n = n.saturating_sub(1));
    }

    /// Waits for the next connection.
    async fn wait(
        &self,
        patience: Duration,
        next: &mut mpsc::UnboundedReceiver<Streaming<p::ClientFrame>>,
    ) -> Result<Streaming<p::ClientFrame>, String> {
        tokio::select! {
            biased;
            () = self.ending.notified() => Err(self.why()),
            Some(newer) = next.recv() => Ok(newer),
            () = tokio::time::sleep(patience) => Err(format!("not back within {} s", patience.as_secs_f64())),
        }
    }

    fn why(&self) -> String {
        self.ended.get().map_or_else(String::new, ToString::to_string)
    }

    /// Serves one connection.
    async fn listen(
        &self,
        server: &Inner,
        link: &dyn Link,
        mut inbound: Streaming<p::ClientFrame>,
        next: &mut mpsc::UnboundedReceiver<Streaming<p::ClientFrame>>,
    ) -> Turn {
        let silent = self.token.map(|_| silence(server.config.keep_alive));
        let mut heard = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.ending.notified() => return self.depart(inbound).await,
                Some(newer) = next.recv() => return Turn::Replaced(Box::new(newer)),
                _ = tick.tick() => {
                    if self.pipe.stuck() > server.config.stuck {
                        let text = format!("nothing was read for {} s", server.config.stuck.as_secs());
                        self.end(&Farewell::new(Why::NotReading, text), true);
                    } else if silent.is_some_and(|limit| heard.elapsed() > limit) {
                        return Turn::Lost(format!("silent for {} ms", heard.elapsed().as_millis()));
                    }
                }
                frame = inbound.message() => match frame {
                    Ok(Some(frame)) => {
                        heard = Instant::now();
                        match self.frame(link, frame) {
                            Ok(true) => {}
                            Ok(false) => return Turn::Over("it said good-bye".to_owned()),
                            Err(breach) => {
                                self.end(&breach, true);
                            }
                        }
                    }
                    Ok(None) => return Turn::Lost("it closed the connection".to_owned()),
                    Err(status) if status.code() == Code::OutOfRange => {
                        self.end(&Farewell::new(Why::Protocol, "a frame is too large"), true);
                    }
                    Err(status) => return Turn::Lost(said(&status)),
                },
            }
        }
    }

    /// The farewell is on its way: gives the client a moment to read it, and to close.
    async fn depart(&self, mut inbound: Streaming<p::ClientFrame>) -> Turn {
        const MOMENT: Duration = Duration::from_secs(2);
        let closing = async { while let Ok(Some(_)) = inbound.message().await {} };
        let _ = tokio::time::timeout(MOMENT, closing).await;
        Turn::Over(self.why())
    }

    /// Takes a frame. `Ok(false)`: it was the last.
    fn frame(&self, link: &dyn Link, frame: p::ClientFrame) -> Result<bool, Farewell> {
        self.pipe.acknowledged(frame.received);
        match frame.frame {
            Some(client_frame::Frame::Request(request)) => {
                match self.pipe.receive(frame.sequence) {
                    Ok(true) => {}
                    Ok(false) => return Ok(true),
                    Err(last) => {
                        let text = format!("request {} follows request {last}", frame.sequence);
                        return Err(Farewell::new(Why::Protocol, text));
                    }
                }
                self.submit(link, request)?;
                if self.token.is_some() && self.pipe.untold() >= ACKNOWLEDGE_EVERY {
                    self.pipe.control(server_frame::Frame::Acknowledge(p::Acknowledge {}));
                }
            }
            Some(client_frame::Frame::Ping(p::Ping { sent })) => {
                let at = Timestamp::now().0;
                self.pipe.control(server_frame::Frame::Pong(p::Pong { sent, at }));
            }
            Some(client_frame::Frame::Goodbye(_)) => return Ok(false),
            Some(client_frame::Frame::Hello(_)) => {
                return Err(Farewell::new(Why::Protocol, "a second Hello"));
            }
            // A frame of a newer contract says nothing to this one.
            Some(client_frame::Frame::Acknowledge(_)) | None => {}
        }
        Ok(true)
    }

    fn submit(&self, link: &dyn Link, request: p::Request) -> Result<(), Farewell> {
        let id = RequestId(request.id);
        let error = match request.what.is_some().then(|| AppRequest::read(request.what)) {
            Some(Ok(what)) => {
                return link.submit(id, what).map_err(|_| Farewell::new(Why::Shutdown, "the broker ends"));
            }
            Some(Err(why)) => LineError::OperationFailed(format!("the broker cannot read this: {why}")),
            // Of a newer contract.
            None => LineError::OperationUnavail,
        };
        tracing::info!(name = %self.name, %error, "a request cannot be read");
        let reply = AppEvent::Reply { request: id, result: Err(error) };
        let full =
            |_| Farewell::new(Why::NotReading, "too much waits to be read by this client: it is cut off");
        self.pipe.push(reply.say()).map_err(full)
    }
}

fn said(status: &Status) -> String {
    match status.message() {
        "" => status.code().to_string(),
        text => text.to_owned(),
    }
}
