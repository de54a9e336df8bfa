//! A fake switch: a provider whose every move is written down beforehand or made by hand.
//!
//! For tests of brokers and applications, and for application writers without a telephone network.
//! In: scripts, [`Scripted::ring`], [`Scripted::hang_up`] and the like. Out: TSPI events; a log of what it was asked.
//! Everything it is going to report stands in one agenda, first in, first out. [`Drive::Stepped`]: nothing happens
//! until [`Scripted::step`] or [`Scripted::run`]; [`Drive::Immediate`]: the agenda runs by itself, also from inside
//! the broker's requests, so completions come before requests return. One thread at a time works on it.
//! It reads no clock: its time stamps count its own reports, a millisecond each.
//! Not here: media. It passes opaque buffers on and never reads them.
//!
//! ```
//! use std::sync::Arc;
//! use offhook_broker::{Broker, scripted::{Drive, Scripted, ScriptedConfig}};
//!
//! let switch = Scripted::new(ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() });
//! let broker = Broker::new();
//! broker.add_provider(switch.clone())?;
//! // An application connects, opens the line, and then:
//! assert_eq!(switch.ring(0, "5551234"), None, "nobody listens yet");
//! # Ok::<(), offhook_spi::LineError>(())
//! ```

mod switch;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_spi::{
    ApiVersion, CallInfo, CallInfoChange, CallOrigin, CallReason, ConnectedMode, DigitMode, DisconnectMode,
    HdCall, HdLine, HdMspLine, HtCall, HtLine, HtMspLine, LineCallState, LineDevState, LineError, MediaTypes,
    Opaque, Party, RequestId, Timestamp, TspEvents,
};

/// What the switch is like.
#[derive(Clone, Debug)]
pub struct ScriptedConfig {
    /// The provider's name.
    pub name: String,
    /// How many line devices.
    pub devices: u32,
    /// Media of every line.
    pub media: MediaTypes,
    /// Whether its lines have an MSP.
    pub has_msp: bool,
    /// Versions that it speaks, lowest and highest.
    pub versions: (ApiVersion, ApiVersion),
    /// Calls that a line carries at once; 0 for any number.
    pub max_active_calls: u32,
    /// Who moves the agenda.
    pub drive: Drive,
}

impl Default for ScriptedConfig {
    fn default() -> Self {
        Self {
            name: "scripted".to_owned(),
            devices: 1,
            media: MediaTypes::AUDIO,
            has_msp: true,
            versions: (ApiVersion::V3_0, ApiVersion::V3_1),
            max_active_calls: 0,
            drive: Drive::Stepped,
        }
    }
}

/// Who moves the agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// [`Scripted::step`] and [`Scripted::run`].
    Stepped,
    /// It moves by itself, from inside whatever put something on it.
    Immediate,
}

/// One move of the switch on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Completes the request with success. A script without `Complete` or `Fail` begins with it.
    Complete,
    /// Completes the request with an error.
    Fail(LineError),
    /// Reports a state.
    State(LineCallState),
    /// Sends an opaque buffer to every MSP of the call.
    Send(Opaque),
    /// Reports a digit.
    Digit(char),
    /// Reports changed information.
    Info(CallInfoChange),
}

/// A request that a script answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// `line_make_call` to a destination without a script of its own.
    MakeCall,
    /// `line_accept`.
    Accept,
    /// `line_answer`.
    Answer,
    /// `line_drop`.
    Drop,
    /// `line_generate_digits`.
    GenerateDigits,
    /// `line_set_default_media_detection` with media: it has no script, but can be refused.
    Listen,
}

/// The fake switch.
pub struct Scripted {
    config: ScriptedConfig,
    state: Mutex<Switch>,
    observer: Mutex<Option<Arc<dyn Observer>>>,
}

/// Who looks on.
trait Observer: Send + Sync {
    fn see(&self, line: &str);
}

impl<F: Fn(&str) + Send + Sync> Observer for F {
    fn see(&self, line: &str) {
        self(line);
    }
}

#[derive(Default)]
struct Switch {
    events: Option<Arc<dyn TspEvents>>,
    last_handle: u64,
    reports: u64,
    lines: BTreeMap<HdLine, FakeLine>,
    calls: BTreeMap<HdCall, FakeCall>,
    msps: BTreeMap<HdMspLine, FakeMsp>,
    agenda: VecDeque<Move>,
    moving: bool,
    dials: BTreeMap<String, Vec<Step>>,
    scripts: BTreeMap<Verb, Vec<Step>>,
    refusals: BTreeMap<Verb, LineError>,
    received: Vec<Received>,
    log: Vec<String>,
}

struct FakeLine {
    device: u32,
    ht: HtLine,
    detection: MediaTypes,
}

struct FakeCall {
    line: HdLine,
    ht: Option<HtCall>,
    info: CallInfo,
    state: Option<LineCallState>,
}

struct FakeMsp {
    line: HdLine,
    ht: HtMspLine,
}

/// An item of the agenda.
enum Move {
    Complete(HdCall, RequestId, Result<(), LineError>),
    Step(HdCall, Step),
}

/// A buffer that an MSP sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Call-level if given.
    pub call: Option<HdCall>,
    /// Which MSP instance.
    pub msp: HdMspLine,
    /// The buffer.
    pub data: Opaque,
}

impl Scripted {
    /// A switch. Its scripts are those of a friendly network: a call placed goes as far as Ringback and waits for
    /// [`far_end_answers`](Self::far_end_answers); everything else succeeds.
    pub fn new(config: ScriptedConfig) -> Arc<Self> {
        use LineCallState as S;
        let up = S::Connected(ConnectedMode::Active);
        let scripts = BTreeMap::from([
            (
                Verb::MakeCall,
                vec![
                    Step::Complete,
                    Step::State(S::Dialing),
                    Step::State(S::Proceeding),
                    Step::State(S::Ringback),
                ],
            ),
            (Verb::Accept, vec![Step::Complete, Step::State(S::Accepted)]),
            (Verb::Answer, vec![Step::Complete, Step::State(up)]),
            (Verb::Drop, vec![Step::Complete, Step::State(S::Idle)]),
            (Verb::GenerateDigits, vec![Step::Complete]),
        ]);
        let state = Mutex::new(Switch { scripts, ..Switch::default() });
        Arc::new(Self { config, state, observer: Mutex::default() })
    }

    /// What happens upon a request. Replaces the friendly script.
    pub fn script(&self, verb: Verb, steps: impl Into<Vec<Step>>) {
        self.lock().scripts.insert(verb, steps.into());
    }

    /// What happens when `destination` is dialled.
    pub fn script_dial(&self, destination: &str, steps: impl Into<Vec<Step>>) {
        self.lock().dials.insert(destination.to_owned(), steps.into());
    }

    /// Refuses a request from now on: it returns the error and is not completed. `None` takes that back.
    pub fn refuse(&self, verb: Verb, error: Option<LineError>) {
        let mut state = self.lock();
        match error {
            Some(error) => state.refusals.insert(verb, error),
            None => state.refusals.remove(&verb),
        };
    }

    /// A call arrives from `caller`, carrying audio. None if the broker does not want it.
    pub fn ring(&self, device: u32, caller: &str) -> Option<HdCall> {
        self.ring_with(device, caller, MediaTypes::AUDIO)
    }

    /// A call arrives that carries `media`. None if nobody asked for such calls, or the broker refuses it.
    pub fn ring_with(&self, device: u32, caller: &str, media: MediaTypes) -> Option<HdCall> {
        let (events, ht_line, hd) = {
            let mut state = self.lock();
            let events = state.events.clone()?;
            let (hd_line, line) = state.lines.iter().find(|(_, line)| line.device == device)?;
            if line.detection.intersection(media).is_empty() {
                return None;
            }
            let (hd_line, ht_line) = (*hd_line, line.ht);
            let info = CallInfo {
                caller: Party { address: caller.to_owned(), name: None },
                ..CallInfo::new(CallOrigin::Inbound, CallReason::Direct, media)
            };
            let hd = HdCall(state.handle());
            state.calls.insert(hd, FakeCall { line: hd_line, ht: None, info, state: None });
            (events, ht_line, hd)
        };
        let ht = events.new_call(ht_line, hd);
        {
            let mut state = self.lock();
            if ht.is_none() {
                state.calls.remove(&hd);
            }
            state.calls.get_mut(&hd)?.ht = ht;
            state.agenda.push_back(Move::Step(hd, Step::State(LineCallState::Offering)));
        }
        self.moved();
        Some(hd)
    }

    /// Puts steps on the agenda for a call.
    pub fn then(&self, call: HdCall, steps: impl IntoIterator<Item = Step>) {
        self.lock().agenda.extend(steps.into_iter().map(|step| Move::Step(call, step)));
        self.moved();
    }

    /// The far end of a call placed here answers.
    pub fn far_end_answers(&self, call: HdCall) {
        self.then(call, [Step::State(LineCallState::Connected(ConnectedMode::Active))]);
    }

    /// The far end ends the call.
    pub fn hang_up(&self, call: HdCall, why: DisconnectMode) {
        self.then(call, [Step::State(LineCallState::Disconnected(why))]);
    }

    /// Sends a buffer at once, past the agenda. Call-level with a call, to all MSPs without `msp`.
    pub fn send(
        &self,
        device: u32,
        call: Option<HdCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        let events = self.events().ok_or(LineError::NoDriver)?;
        let line = self.line(device).ok_or(LineError::InvalLineHandle)?;
        let call = match call {
            Some(call) => Some(self.handle_of(call).ok_or(LineError::InvalCallHandle)?),
            None => None,
        };
        events.send_msp_data(line, call, msp, data)
    }

    /// Closes a line, as a provider whose device was pulled.
    pub fn close_line(&self, device: u32, why: LineError) {
        let Some((events, line)) = self.events().zip(self.line(device)) else { return };
        {
            let mut state = self.lock();
            let gone: Vec<_> = state.lines.extract_if(.., |_, l| l.ht == line).map(|(hd, _)| hd).collect();
            state.calls.retain(|_, call| !gone.contains(&call.line));
            state.msps.retain(|_, msp| !gone.contains(&msp.line));
        }
        events.line_closed(line, why);
    }

    /// Says of an open line that it is in service, or not; nothing if it is not open.
    pub fn service(&self, device: u32, state: LineDevState) {
        if let Some((line, events)) = self.line(device).zip(self.events()) {
            events.line_dev_state(line, state);
        }
    }

    /// Does the next thing on the agenda; false if there is none.
    pub fn step(&self) -> bool {
        let next = {
            let mut state = self.lock();
            if state.moving {
                return false;
            }
            let next = state.agenda.pop_front();
            state.moving = next.is_some();
            next
        };
        let Some(next) = next else { return false };
        self.perform(next);
        self.lock().moving = false;
        true
    }

    /// Does everything on the agenda, and what that puts there.
    pub fn run(&self) {
        // A step put there between the last look and the end of moving is seen by whoever put it there.
        while self.step() {}
    }

    /// The calls that it knows, in order of appearance.
    pub fn calls(&self) -> Vec<HdCall> {
        self.lock().calls.keys().copied().collect()
    }

    /// What MSPs sent so far.
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.clone()
    }

    /// What it was asked so far, a line each.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Shows every line of the log as it is written. Called without a lock of the switch.
    pub fn observe(&self, observer: impl Fn(&str) + Send + Sync + 'static) {
        *self.observer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(observer));
    }

    /// The MSP instances behind a line, as the broker names them.
    pub fn msp_instances(&self, device: u32) -> Vec<HtMspLine> {
        let state = self.lock();
        let on = |msp: &&FakeMsp| state.lines.get(&msp.line).is_some_and(|line| line.device == device);
        state.msps.values().filter(on).map(|msp| msp.ht).collect()
    }

    /// Where it reports to: for tests that break the rules.
    pub fn events(&self) -> Option<Arc<dyn TspEvents>> {
        self.lock().events.clone()
    }

    /// The broker's name of a line.
    pub fn line(&self, device: u32) -> Option<HtLine> {
        self.lock().lines.values().find(|line| line.device == device).map(|line| line.ht)
    }

    /// The broker's name of a call.
    pub fn handle_of(&self, call: HdCall) -> Option<HtCall> {
        self.lock().calls.get(&call)?.ht
    }

    fn lock(&self) -> MutexGuard<'_, Switch> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) {
        if self.config.drive == Drive::Immediate {
            self.run();
        }
    }

    fn perform(&self, next: Move) {
        let Some(events) = self.events() else { return };
        match next {
            Move::Complete(_, request, result) => events.async_completion(request, result),
            Move::Step(hd, step) => {
                let found = {
                    let mut state = self.lock();
                    state.reports += 1;
                    let at = Timestamp(state.reports * 1_000_000);
                    let Switch { calls, lines, .. } = &mut *state;
                    calls.get_mut(&hd).and_then(|call| {
                        if let Step::State(next) = step {
                            call.state = Some(next);
                        }
                        Some((lines.get(&call.line)?.ht, call.ht?, at))
                    })
                };
                // A call that was closed meanwhile is not spoken of again.
                let Some((line, call, at)) = found else { return };
                match step {
                    Step::State(state) => events.call_state(line, call, state, at),
                    Step::Digit(digit) => events.digit(line, call, digit, DigitMode::Dtmf, None),
                    Step::Info(change) => events.call_info(line, call, change),
                    Step::Send(data) => {
                        if let Err(error) = events.send_msp_data(line, Some(call), None, data) {
                            self.note(&format!("send_msp_data failed: {error}"));
                        }
                    }
                    Step::Complete | Step::Fail(_) => {}
                }
            }
        }
    }

    fn note(&self, line: &str) {
        self.lock().log.push(line.to_owned());
        let observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(observer) = observer {
            observer.see(line);
        }
    }
}

impl Switch {
    fn handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }
}
