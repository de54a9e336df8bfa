//! A whole house without wire and sound: a scripted switch, a broker, an application's session, a fake MSP, and one
//! trace of what all of them saw.
//!
//! The switch moves one item of its agenda at a time, and everything that follows is over before the next: so the
//! trace has one order, whatever the threads do.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use offhook_broker::Broker;
use offhook_broker::scripted::{Scripted, ScriptedConfig};
use offhook_spi::mspi::{StreamInfo, TerminalInfo};
use offhook_spi::{
    ConnectedMode, DisconnectMode, HdCall, LineCallState, MediaTypes, MspAddress, MspCallEvent, MspCallId,
    MspError, MspEvent, MspEventCause, MspSignal, Mspi, Opaque, PrivateObject, Privilege, StreamId,
    TerminalId,
};
use offhook_tapi::{
    Address, AddressEvent, Call, Direction, Event, EventFilter, EventStream, StreamStatistics, Tapi,
    TapiError, TerminalClass, TerminalStatus,
};

pub(crate) const CONNECTED: LineCallState = LineCallState::Connected(ConnectedMode::Active);

pub(crate) fn opaque(text: &str) -> Opaque {
    Opaque::new(text.as_bytes().to_vec()).unwrap()
}

/// What happened, a line each.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|known| known == line)
    }

    /// Compares with tests/golden/`name`.txt, but for the lines that begin with `#` there; `OFFHOOK_GOLDEN=write`
    /// writes the file instead, keeping those lines.
    pub(crate) fn compare(&self, name: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let is_comment = |line: &&str| line.starts_with('#');
        if std::env::var("OFFHOOK_GOLDEN").is_ok_and(|mode| mode == "write") {
            let mut text: String =
                stored.lines().filter(is_comment).map(|line| format!("{line}\n")).collect();
            for line in self.lines() {
                writeln!(text, "{line}").unwrap();
            }
            std::fs::write(&path, text).unwrap();
            return;
        }
        let expected: Vec<_> = stored.lines().filter(|line| !is_comment(line)).collect();
        assert_eq!(self.lines(), expected, "{}: see the head of tests/golden", path.display());
    }
}

/// Holds shutdowns up while it is closed.
#[derive(Default)]
pub(crate) struct Gate {
    inner: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    closed: bool,
    begun: usize,
    ended: usize,
    panics: bool,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.inner.lock().unwrap().closed = true;
    }

    pub(crate) fn open(&self) {
        self.inner.lock().unwrap().closed = false;
        self.changed.notify_all();
    }

    /// The next shutdown panics.
    pub(crate) fn panic_once(&self) {
        self.inner.lock().unwrap().panics = true;
    }

    /// Shutdowns that have begun, and that have ended.
    pub(crate) fn passed(&self) -> (usize, usize) {
        let held = self.inner.lock().unwrap();
        (held.begun, held.ended)
    }

    fn pass(&self) {
        let mut held = self.inner.lock().unwrap();
        held.begun += 1;
        if std::mem::take(&mut held.panics) {
            drop(held);
            panic!("as the test wants it");
        }
        while held.closed {
            held = self.changed.wait(held).unwrap();
        }
        held.ended += 1;
    }
}

/// An MSP that speaks a toy pair's language: PREPARE is answered by PREPARED, START and STOP by stream events.
pub(crate) struct FakeMsp {
    pub(crate) trace: Trace,
    pub(crate) addresses: Mutex<Vec<Arc<FakeAddress>>>,
}

impl FakeMsp {
    pub(crate) fn new(trace: Trace) -> Arc<Self> {
        Arc::new(Self { trace, addresses: Mutex::default() })
    }
}

impl Mspi for FakeMsp {
    fn create_address(&self, signal: Arc<dyn MspSignal>) -> Result<Arc<dyn MspAddress>, MspError> {
        let address = Arc::new(FakeAddress {
            trace: self.trace.clone(),
            signal,
            gate: Gate::default(),
            state: Mutex::default(),
            private: Mutex::default(),
        });
        self.addresses.lock().unwrap().push(address.clone());
        Ok(address)
    }
}

pub(crate) struct FakeAddress {
    trace: Trace,
    signal: Arc<dyn MspSignal>,
    pub(crate) gate: Gate,
    pub(crate) state: Mutex<FakeState>,
    /// What it offers beyond the trait.
    pub(crate) private: Mutex<Option<PrivateObject>>,
}

#[derive(Default)]
pub(crate) struct FakeState {
    last: u64,
    pub(crate) calls: BTreeMap<MspCallId, [StreamId; 2]>,
    pub(crate) terminals: BTreeMap<TerminalId, TerminalInfo>,
    events: VecDeque<MspEvent>,
    pub(crate) received: Vec<(Option<MspCallId>, Opaque)>,
    /// Every buffer comes back as it is.
    pub(crate) echo: bool,
}

impl FakeState {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl FakeAddress {
    /// Something that the MSP reports.
    pub(crate) fn report(&self, event: MspEvent) {
        self.state.lock().unwrap().events.push_back(event);
        self.signal.events_ready();
    }

    fn stream_event(&self, call: MspCallId, stream: StreamId, event: MspCallEvent, cause: MspEventCause) {
        self.report(MspEvent::Call { call, event, cause, stream: Some(stream), terminal: None });
    }

    fn known_terminal(&self, id: TerminalId) -> Result<(), MspError> {
        let known = self.state.lock().unwrap().terminals.contains_key(&id);
        if known { Ok(()) } else { Err(MspError::InvalidTerminal("unknown".to_owned())) }
    }

    fn known_stream(&self, id: StreamId) -> Result<(), MspError> {
        let known = self.state.lock().unwrap().calls.values().any(|streams| streams.contains(&id));
        if known { Ok(()) } else { Err(MspError::InvalidStream) }
    }
}

impl MspAddress for FakeAddress {
    fn create_msp_call(&self, media: MediaTypes) -> Result<MspCallId, MspError> {
        if !MediaTypes::AUDIO.contains(media) {
            return Err(MspError::InvalidMediaType);
        }
        let mut state = self.state.lock().unwrap();
        let call = MspCallId(state.next());
        let streams = [StreamId(state.next()), StreamId(state.next())];
        state.calls.insert(call, streams);
        self.trace.note("msp  create_msp_call audio: capture and render stream");
        Ok(call)
    }

    fn shutdown_msp_call(&self, call: MspCallId) -> Result<(), MspError> {
        self.trace.note("msp  shutdown_msp_call");
        self.gate.pass();
        self.state.lock().unwrap().calls.remove(&call).map(drop).ok_or(MspError::NoSuchCall)
    }

    fn receive_tsp_data(&self, call: Option<MspCallId>, data: &Opaque) -> Result<(), MspError> {
        let level = if call.is_some() { "call" } else { "address" };
        let text = String::from_utf8_lossy(data.as_bytes()).into_owned();
        let (streams, echo) = {
            let mut state = self.state.lock().unwrap();
            state.received.push((call, data.clone()));
            let streams = match call {
                Some(call) => *state.calls.get(&call).ok_or(MspError::NoSuchCall)?,
                None => [StreamId(0); 2],
            };
            (streams, state.echo)
        };
        if echo {
            self.report(MspEvent::TspData { call, data: data.clone() });
            return Ok(());
        }
        self.trace.note(format!("msp  receive_tsp_data {level}-level {text}"));
        match (call, text.as_str()) {
            (Some(_), "PREPARE") => self.report(MspEvent::TspData { call, data: opaque("PREPARED") }),
            (Some(call), "START") => {
                for stream in streams {
                    self.stream_event(call, stream, MspCallEvent::StreamActive, MspEventCause::LocalRequest);
                }
            }
            (Some(call), "STOP") => {
                for stream in streams {
                    self.stream_event(
                        call,
                        stream,
                        MspCallEvent::StreamInactive,
                        MspEventCause::RemoteRequest,
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn next_event(&self) -> Option<MspEvent> {
        self.state.lock().unwrap().events.pop_front()
    }

    fn static_terminals(&self) -> Vec<TerminalInfo> {
        vec![TerminalInfo { id: TerminalId(1_000), name: "card".to_owned(), direction: Direction::Render }]
    }

    fn create_terminal(&self, _class: TerminalClass, direction: Direction) -> Result<TerminalInfo, MspError> {
        let mut state = self.state.lock().unwrap();
        let id = TerminalId(state.next());
        let info = TerminalInfo { id, name: "made".to_owned(), direction };
        state.terminals.insert(id, info.clone());
        Ok(info)
    }

    fn release_terminal(&self, terminal: TerminalId) -> Result<(), MspError> {
        self.trace.note("msp  release_terminal");
        self.known_terminal(terminal)?;
        self.state.lock().unwrap().terminals.remove(&terminal);
        Ok(())
    }

    fn terminal_status(&self, terminal: TerminalId) -> Result<TerminalStatus, MspError> {
        self.known_terminal(terminal)?;
        Ok(TerminalStatus { samples: 80, sample_rate: 8000, ..TerminalStatus::default() })
    }

    fn private_object(&self, _call: Option<MspCallId>) -> Option<PrivateObject> {
        self.private.lock().unwrap().clone()
    }

    fn streams(&self, call: MspCallId) -> Result<Vec<StreamInfo>, MspError> {
        let state = self.state.lock().unwrap();
        let [capture, render] = *state.calls.get(&call).ok_or(MspError::NoSuchCall)?;
        Ok(vec![
            StreamInfo { id: capture, direction: Direction::Capture },
            StreamInfo { id: render, direction: Direction::Render },
        ])
    }

    fn select_terminal(&self, stream: StreamId, _terminal: TerminalId) -> Result<(), MspError> {
        self.trace.note("msp  select_terminal");
        self.known_stream(stream)
    }

    fn unselect_terminal(&self, stream: StreamId, _terminal: TerminalId) -> Result<(), MspError> {
        self.known_stream(stream)
    }

    fn start_stream(&self, stream: StreamId) -> Result<(), MspError> {
        self.known_stream(stream)
    }

    fn stop_stream(&self, stream: StreamId) -> Result<(), MspError> {
        self.trace.note("msp  stop_stream");
        self.known_stream(stream)
    }

    fn stream_statistics(&self, stream: StreamId) -> Result<StreamStatistics, MspError> {
        self.known_stream(stream)?;
        Ok(StreamStatistics { packets: 7, ..StreamStatistics::default() })
    }
}

/// An application with its MSP.
pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) tapi: Tapi,
    pub(crate) address: Address,
    pub(crate) msp: Arc<FakeMsp>,
    pub(crate) events: EventStream,
    pub(crate) calls: Vec<Call>,
}

impl App {
    pub(crate) fn msp_address(&self) -> Arc<FakeAddress> {
        self.msp.addresses.lock().unwrap()[0].clone()
    }
}

pub(crate) struct House {
    pub(crate) trace: Trace,
    pub(crate) switch: Arc<Scripted>,
    pub(crate) broker: Broker,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(ScriptedConfig::default())
    }

    pub(crate) fn with(config: ScriptedConfig) -> Self {
        let trace = Trace::default();
        let switch = Scripted::new(config);
        let seen = trace.clone();
        switch.observe(move |line| seen.note(format!("tsp  {line}")));
        let broker = Broker::new();
        broker.add_provider(switch.clone()).unwrap();
        Self { trace, switch, broker }
    }

    /// An application that has opened the line and listens to everything.
    pub(crate) async fn app(&self, name: &'static str, privilege: Privilege) -> App {
        let msp = FakeMsp::new(self.trace.clone());
        let tapi = Tapi::connect(|sink| self.broker.connect(name, sink), Some(msp.clone())).unwrap();
        let events = tapi.events(EventFilter::ALL);
        let address = tapi.addresses().await.unwrap().remove(0);
        address.open(privilege, MediaTypes::AUDIO).await.unwrap();
        App { name, tapi, address, msp, events, calls: Vec::new() }
    }

    /// Moves the switch until it rests, with everything that follows each move.
    pub(crate) async fn advance(&self, apps: &mut [&mut App]) {
        self.settle(apps).await;
        while self.switch.step() {
            self.settle(apps).await;
        }
    }

    /// Waits until everybody has seen everything; writes their events into the trace and keeps the calls announced.
    pub(crate) async fn settle(&self, apps: &mut [&mut App]) {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            for app in apps.iter() {
                app.tapi.settled().await.unwrap();
            }
        }
        let several = apps.len() > 1;
        for app in apps.iter_mut() {
            while let Some(event) = app.events.try_next() {
                let who = if several { format!(" {}", app.name) } else { String::new() };
                self.trace.note(format!("event{who} {}", describe(&event).await));
                if let Event::CallNotification { call, .. } = event {
                    app.calls.push(call);
                }
            }
        }
    }

    /// Lets an operation run while the switch moves.
    pub(crate) async fn during<T: Send + 'static>(
        &self,
        apps: &mut [&mut App],
        what: &str,
        work: impl Future<Output = Result<T, TapiError>> + Send + 'static,
    ) -> Result<T, TapiError> {
        self.trace.note(format!("app  {what}"));
        let task = tokio::spawn(work);
        self.advance(apps).await;
        let result = task.await.unwrap();
        let outcome = result.as_ref().map_or_else(|e| format!("{e:?}"), |_| "Ok".to_owned());
        self.trace.note(format!("app  {what} is {outcome}"));
        result
    }

    pub(crate) fn last_call(&self) -> HdCall {
        *self.switch.calls().last().expect("the switch has a call")
    }

    /// A call arrives, and the TSP begins the exchange with the MSP.
    pub(crate) async fn ring(&self, apps: &mut [&mut App]) -> HdCall {
        self.trace.note("wire Setup from alice");
        let call = self.switch.ring(0, "alice").expect("somebody listens");
        self.switch.then(call, [offhook_broker::scripted::Step::Send(opaque("PREPARE"))]);
        self.advance(apps).await;
        call
    }

    pub(crate) async fn hang_up(&self, apps: &mut [&mut App], call: HdCall, why: DisconnectMode) {
        self.trace.note("wire ReleaseComplete");
        self.switch.hang_up(call, why);
        self.switch.then(call, [offhook_broker::scripted::Step::Send(opaque("STOP"))]);
        self.advance(apps).await;
    }
}

async fn describe(event: &Event) -> String {
    match event {
        Event::CallNotification { call, privilege } => {
            let streams = call.streams().map_or(0, |streams| streams.len());
            let caller = call.info().await.map(|info| info.caller.address).unwrap_or_default();
            format!("CallNotification {privilege:?} from {caller}, {streams} streams")
        }
        Event::CallState { state, cause, line_state, .. } => {
            let cause = cause.map(|cause| format!(", cause {cause:?}")).unwrap_or_default();
            format!("CallState {state:?}{cause} (line {line_state:?})")
        }
        Event::CallMedia { event, cause, stream, .. } => {
            let stream = stream.as_ref().map(|s| format!(" {:?}", s.direction())).unwrap_or_default();
            format!("CallMedia {event:?}, cause {cause:?}{stream}")
        }
        Event::CallInfoChange { change, .. } => format!("CallInfoChange {change:?}"),
        Event::Digit { digit, .. } => format!("Digit {digit}"),
        Event::Address { event: AddressEvent::Closed(why), .. } => format!("Address closed: {why}"),
        Event::Address { event, .. } => format!("Address {event:?}"),
        _ => "unknown".to_owned(),
    }
}
