//! The MSP's half of one call: its engine, its transport, two streams.
//! In: buffers of the TSP, the application's requests, turns of the service thread. Out: commands, events, statistics.
//! Made → prepared (ports) → channels open and close → over (StopAll; may be prepared anew) → shut down.
//!
//! One lock guards it; it is never held while a signal is raised or the end of a command is waited for.
//! Not here: what buffers mean (`channels.rs`), what selections do (`selection.rs`).

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use offhook_engine::{Control, LogRecord, Peer, RxCommand, TxCommand};
use offhook_pair::ToMsp;
use offhook_spi::mspi::{Direction, StreamInfo, StreamStatistics};
use offhook_spi::{MspCallEvent, MspCallId, MspError, MspEventCause, StreamId};

use crate::clocks::Clocks;
use crate::digits::Digits;
use crate::listener::Listener;
use crate::media::Media;
use crate::outbox::Reporter;
use crate::random;
use crate::rtcp::{Consequence, Rtcp, RtcpTotals};
use crate::service::Served;
use crate::silence::MediaWatch;
use crate::statistics;
use crate::stream::{Phase, Selected, Stream};
use crate::transport::Transport;
use crate::{Latch, lock};

/// How long the engine may take to carry commands out before nobody waits any more: many blocks of any clock.
const PATIENCE: Duration = Duration::from_millis(400);

/// A call.
pub(crate) struct Call {
    pub(crate) id: MspCallId,
    streams: [StreamInfo; 2],
    reporter: Reporter,
    state: Mutex<CallState>,
}

/// What its lock guards.
pub(crate) struct CallState {
    pub(crate) media: Arc<Media>,
    pub(crate) id: MspCallId,
    pub(crate) reporter: Reporter,
    pub(crate) control: Control,
    pub(crate) clocks: Clocks,
    pub(crate) capture: Stream,
    pub(crate) render: Stream,
    pub(crate) transport: Option<Transport>,
    /// Transports that the halves are about to leave, since when.
    pub(crate) closing: Vec<(Transport, Instant)>,
    /// Between two transports.
    pub(crate) rtcp: Option<Rtcp>,
    pub(crate) ssrc: u32,
    /// The peer by signalling, until a channel tells better.
    pub(crate) peer: Option<IpAddr>,
    /// Whom the receiving half listens to.
    pub(crate) expected: Peer,
    /// The addresses that the peer was last heard to give: the transmit channel's RTP, the receive channel's RTP and RTCP.
    pub(crate) told: [Option<SocketAddr>; 3],
    /// Where media were sent back to, because they come from there ([`Latch::Any`]).
    pub(crate) followed: Option<SocketAddr>,
    pub(crate) was_prepared: bool,
    pub(crate) watch: MediaWatch,
    pub(crate) digits: Digits,
    /// Hears digits in the sound, once the far end's channel is open.
    pub(crate) listener: Option<Listener>,
    /// The rates (samples, clock) of the receiving half's playout, once it has one: other codecs of these come as decoders.
    pub(crate) playout_rates: Option<(u32, u32)>,
    /// The receiving half was started once: what comes while it stands still is dropped.
    pub(crate) has_listened: bool,
    is_shut: bool,
}

impl Call {
    /// An engine on the ticker and two streams; nothing is bound yet.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] if the ticker takes no more.
    pub(crate) fn new(id: MspCallId, media: Arc<Media>, reporter: Reporter) -> Result<Self, MspError> {
        let identity = random::identity();
        let (control, tx, rx) = media.engine(identity);
        let clocks = Clocks::new(&media.ticker, tx, rx).map_err(|why| MspError::Resource(why.to_string()))?;
        let [capture, render] = Stream::ids(id);
        let (capture, render) =
            (Stream::new(capture, Direction::Capture), Stream::new(render, Direction::Render));
        let streams = [capture.info, render.info];
        let state = CallState {
            media,
            id,
            reporter: reporter.clone(),
            control,
            clocks,
            capture,
            render,
            transport: None,
            closing: Vec::new(),
            rtcp: None,
            ssrc: identity.ssrc,
            peer: None,
            expected: Peer::Nobody,
            told: [None; 3],
            followed: None,
            was_prepared: false,
            watch: MediaWatch::default(),
            digits: Digits::default(),
            listener: None,
            playout_rates: None,
            has_listened: false,
            is_shut: false,
        };
        Ok(Self { id, streams, reporter, state: Mutex::new(state) })
    }

    pub(crate) fn streams(&self) -> Vec<StreamInfo> {
        self.streams.to_vec()
    }

    /// A buffer of the TSP.
    ///
    /// # Errors
    ///
    /// [`MspError::NoSuchCall`] once it is shut down, [`MspError::InvalidBuffer`] for channels before the first
    /// preparation. A failure of what the buffer asks for is an event, not an error.
    pub(crate) fn receive(&self, message: &ToMsp) -> Result<(), MspError> {
        self.with(|state| {
            state.alive()?;
            match message {
                ToMsp::Prepare { peer } => state.prepare(*peer),
                ToMsp::Start(_) if !state.was_prepared => {
                    return Err(MspError::InvalidBuffer("channels before Prepare".to_owned()));
                }
                ToMsp::Start(channels) => state.start(channels),
                ToMsp::Stop(channels) => state.stop(channels),
                ToMsp::StopAll => state.stop_all(),
                ToMsp::PlayDigits { id, digits, way } => state.play_digits(*id, digits, *way),
                ToMsp::CancelDigits => state.cancel_digits("cancelled"),
            }
            Ok(())
        })
    }

    /// Undoes a stop.
    pub(crate) fn start_stream(&self, id: StreamId) -> Result<(), MspError> {
        self.with(|state| {
            let stream = state.stream(id)?;
            if stream.selected.is_empty() {
                return Err(MspError::NoTerminalSelected);
            }
            if !std::mem::replace(&mut stream.is_stopped, false) {
                return Err(MspError::NotStopped);
            }
            let direction = stream.info.direction;
            state.refresh(direction, MspEventCause::LocalRequest);
            Ok(())
        })
    }

    /// Stops until told otherwise.
    pub(crate) fn stop_stream(&self, id: StreamId) -> Result<(), MspError> {
        self.with(|state| {
            let stream = state.stream(id)?;
            stream.is_stopped = true;
            let direction = stream.info.direction;
            state.refresh(direction, MspEventCause::LocalRequest);
            Ok(())
        })
    }

    /// What a stream has done so far.
    pub(crate) fn statistics(&self, id: StreamId) -> StreamStatistics {
        let state = lock(&self.state);
        let (meters, rtcp) = (state.control.meters(), state.rtcp_totals());
        if id == state.capture.info.id {
            statistics::sent(&state.capture, &meters.tx(), rtcp)
        } else {
            statistics::received(&state.render, &meters.rx(), rtcp)
        }
    }

    /// Ends it: when this returns nothing of it runs, its ports are free and its files complete.
    pub(crate) fn shut_down(&self) {
        let selected = self.with(CallState::end);
        for Selected { terminal, .. } in selected {
            terminal.detach();
            self.streams.iter().for_each(|stream| terminal.vacate(stream.id));
        }
    }

    /// Works on the state, and raises the signal afterwards if there is news.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut CallState) -> R) -> R {
        let mut state = lock(&self.state);
        let result = work(&mut state);
        let has_news = state.reporter.take_news();
        drop(state);
        if has_news {
            self.reporter.raise();
        }
        result
    }

    /// Waits until the engine has carried everything out, for a while.
    pub(crate) fn settle(&self) {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let mut state = lock(&self.state);
            state.control.collect();
            if state.is_shut || state.control.is_settled() || Instant::now() >= give_up {
                return;
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Served for Call {
    fn turn(&self) {
        // A request that opens a sound card may hold the lock for long; other calls are waiting for this thread.
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        state.turn();
        let has_news = state.reporter.take_news();
        drop(state);
        if has_news {
            self.reporter.raise();
        }
    }
}

impl CallState {
    pub(crate) fn alive(&self) -> Result<(), MspError> {
        if self.is_shut { Err(MspError::NoSuchCall) } else { Ok(()) }
    }

    pub(crate) fn stream(&mut self, id: StreamId) -> Result<&mut Stream, MspError> {
        self.alive().map_err(|_| MspError::InvalidStream)?;
        if id == self.capture.info.id { Ok(&mut self.capture) } else { Ok(&mut self.render) }
    }

    pub(crate) fn towards(&mut self, direction: Direction) -> &mut Stream {
        match direction {
            Direction::Capture => &mut self.capture,
            Direction::Render => &mut self.render,
        }
    }

    pub(crate) fn rtcp_totals(&self) -> RtcpTotals {
        let open = self.transport.as_ref().or(self.closing.last().map(|(transport, _)| transport));
        open.map(Transport::session).or(self.rtcp.as_ref()).map(Rtcp::totals).unwrap_or_default()
    }

    pub(crate) fn tell_tx(&mut self, command: TxCommand) -> Result<(), String> {
        self.control.tx(command).map_err(|full| full.to_string())
    }

    pub(crate) fn tell_rx(&mut self, command: RxCommand) -> Result<(), String> {
        self.control.rx(command).map_err(|full| full.to_string())
    }

    /// Brings a half in line with what its stream wants.
    pub(crate) fn refresh(&mut self, direction: Direction, cause: MspEventCause) {
        let has_listened = self.has_listened;
        let stream = self.towards(direction);
        let (id, phase, is_wanted) = (stream.info.id, stream.phase, stream.is_wanted());
        let is_open = stream.channel.is_some();
        let told = match (phase, is_wanted) {
            (Phase::Idle, true) => {
                stream.phase = Phase::Starting(cause);
                self.run(direction, true)
            }
            (Phase::Starting(_), false) => {
                stream.phase = Phase::Idle;
                self.run(direction, false)
            }
            (Phase::Active, false) => {
                stream.phase = Phase::Idle;
                self.reporter.stream(id, MspCallEvent::StreamInactive, cause);
                self.run(direction, false)
            }
            // That nothing comes was told.
            (Phase::TimedOut, false) => {
                stream.phase = Phase::Idle;
                self.run(direction, false)
            }
            // Nobody listens yet: what comes until somebody does is old by then, and not to wait in the socket.
            (Phase::Idle, false) if direction == Direction::Render && is_open && !has_listened => {
                self.run(direction, true).and_then(|()| self.run(direction, false))
            }
            _ => Ok(()),
        };
        if let Err(why) = told {
            self.stream_failed(direction, &why);
        }
    }

    /// The stream cannot do what is asked of it.
    pub(crate) fn stream_failed(&mut self, direction: Direction, why: &str) {
        self.stream_failed_because(direction, why, MspEventCause::Unknown);
    }

    /// The same, with a cause that TAPI has a name for.
    pub(crate) fn stream_failed_because(&mut self, direction: Direction, why: &str, cause: MspEventCause) {
        tracing::warn!(call = self.id.0, ?direction, why, "a stream failed");
        let stream = self.towards(direction);
        let (id, phase) = (stream.info.id, std::mem::replace(&mut stream.phase, Phase::Idle));
        if phase == Phase::Active {
            self.reporter.stream(id, MspCallEvent::StreamInactive, cause);
        }
        self.reporter.stream(id, MspCallEvent::StreamFail, cause);
    }

    fn run(&mut self, direction: Direction, start: bool) -> Result<(), String> {
        match (direction, start) {
            (Direction::Capture, true) => self.tell_tx(TxCommand::Start),
            (Direction::Capture, false) => self.tell_tx(TxCommand::Stop),
            (Direction::Render, true) => {
                self.has_listened = true;
                self.tell_rx(RxCommand::Start)
            }
            (Direction::Render, false) => self.tell_rx(RxCommand::Stop),
        }
    }

    /// Puts into words what the engine's halves recorded.
    fn pass_on_log(&mut self) {
        while let Some(LogRecord { at_ns, lost_before, event }) = self.control.next_log() {
            tracing::debug!(call = self.id.0, at_ns, lost_before, ?event, "engine");
        }
    }

    fn turn(&mut self) {
        if self.is_shut {
            return;
        }
        self.control.collect();
        self.pass_on_log();
        self.watch_media();
        self.note_running();
        self.note_dead_cards();
        self.follow_peer();
        self.listen();
        self.look_after_digits();
        let meters = Arc::clone(self.control.meters());
        let transports = self.closing.iter_mut().map(|(transport, _)| transport).chain(&mut self.transport);
        let consequences: Vec<_> = transports.flat_map(|transport| transport.turn(&meters)).collect();
        for Consequence::Renamed(identity) in consequences {
            self.ssrc = identity.ssrc;
            // The other source knows nothing of them.
            self.cancel_digits("the RTP source changed");
            let told = self.tell_tx(TxCommand::Restart(identity));
            if let Err(why) = told.and_then(|()| self.tell_rx(RxCommand::SetOwnSsrc(identity.ssrc))) {
                self.stream_failed(Direction::Capture, &why);
            }
        }
        let is_settled = self.control.is_settled();
        while self.closing.first().is_some_and(|(_, since)| is_settled || since.elapsed() > PATIENCE) {
            // What was retired before the settling is dropped here, and the port with it.
            self.control.collect();
            let (transport, _) = self.closing.remove(0);
            self.rtcp = Some(transport.close(&meters).ended());
        }
    }

    /// Sends media back to where they come from, if any host may be heard: the peer is behind address translation.
    fn follow_peer(&mut self) {
        if self.media.config.latch != Latch::Any || self.transport.is_none() {
            return;
        }
        let Some(peer) = self.control.meters().rx().peer.filter(|peer| self.followed != Some(*peer)) else {
            return;
        };
        if let Err(why) = self.tell_tx(TxCommand::SetRemote(peer)) {
            // The next turn tries again.
            tracing::debug!(call = self.id.0, why, "media do not follow the peer yet");
            return;
        }
        if let Some(transport) = &mut self.transport {
            transport.follow(peer);
        }
        if self.capture.channel.is_some() {
            self.capture.remote = Some(peer);
        }
        self.followed = Some(peer);
    }

    /// Tells of halves that have started.
    fn note_running(&mut self) {
        let meters = self.control.meters();
        let running = [meters.tx().is_active, meters.rx().is_active];
        for (direction, is_running) in [Direction::Capture, Direction::Render].into_iter().zip(running) {
            let stream = self.towards(direction);
            if let (Phase::Starting(cause), true) = (stream.phase, is_running) {
                stream.phase = Phase::Active;
                let id = stream.info.id;
                self.reporter.stream(id, MspCallEvent::StreamActive, cause);
            }
        }
    }

    /// Ends everything; the terminals that were selected.
    fn end(&mut self) -> Vec<Selected> {
        self.is_shut = true;
        // Sources, sinks and the RTP port go with the halves.
        self.clocks.end();
        self.control.collect();
        let meters = Arc::clone(self.control.meters());
        for transport in self.closing.drain(..).map(|(transport, _)| transport).chain(self.transport.take()) {
            transport.close(&meters);
        }
        let mut selected = std::mem::take(&mut self.capture.selected);
        selected.append(&mut self.render.selected);
        selected
    }
}
