//! A fake switch: a provider whose every move is written down beforehand or made by hand, or, with
//! [`ScriptedConfig::switch`], whose lines are extensions of one small exchange that behaves by itself.
//!
//! For tests of brokers and applications, and for application writers without a telephone network.
//! In: scripts, [`Scripted::ring`], [`Scripted::hang_up`] and the like. Out: TSPI events; a log of what it was asked.
//!
//! ```text
//! broker ── Tspi ─▶ provider.rs ─┬─ a script of the verb ───────────▶ agenda ─▶ TspEvents
//!                                └─ exchange/: what a switch does ──▶   ▲
//! people (people.rs): ring, answer, hang up, press a button ────────────┘
//! ```
//!
//! Everything it is going to report stands in one agenda, first in, first out. [`Drive::Stepped`]: nothing happens
//! until [`Scripted::step`] or [`Scripted::run`]; [`Drive::Immediate`]: the agenda runs by itself, also from inside
//! the broker's requests, so completions come before requests return. One thread at a time works on it.
//! It reads no clock: its time stamps count its own reports, a millisecond each.
//! Not here: media. It passes opaque buffers on and never reads them.
//!
//! ```
//! use std::sync::Arc;
//! use offhook_broker::Broker;
//! use offhook_scripted::{Drive, Scripted, ScriptedConfig};
//!
//! let switch = Scripted::new(ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() });
//! let broker = Broker::new();
//! broker.add_provider(switch.clone())?;
//! // An application connects, opens the line, and then:
//! assert_eq!(switch.ring(0, "5551234"), None, "nobody listens yet");
//! # Ok::<(), offhook_spi::LineError>(())
//! ```

mod config;
mod exchange;
mod people;
mod phone;
mod provider;
mod requests;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_spi::{
    CallInfoChange, ConnectedMode, DigitMode, HdCall, HdMspLine, HtCall, HtLine, HtMspLine, LineCallState,
    LineError, Opaque, Timestamp, TspEvents,
};

pub use config::{Buffers, Drive, Outside, ScriptedConfig, SwitchConfig};
use state::{Move, State};

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
    state: Mutex<State>,
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
        let state = Mutex::new(State {
            scripts,
            devices: config.devices,
            switch: config.switch.clone(),
            ..State::default()
        });
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

    /// Puts steps on the agenda for a call, whatever the exchange thinks of it.
    pub fn then(&self, call: HdCall, steps: impl IntoIterator<Item = Step>) {
        self.lock().agenda.extend(steps.into_iter().map(|step| Move::Step(call, step)));
        self.moved();
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
        let on = |msp: &&state::FakeMsp| state.lines.get(&msp.line).is_some_and(|line| line.device == device);
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

    fn lock(&self) -> MutexGuard<'_, State> {
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
            Move::Complete(_, request, result) => events.async_answer(request, result),
            Move::Announce(hd) => self.announce(&*events, hd),
            Move::Step(hd, step) => {
                let Some((line, call, at)) = self.named(hd, &step) else { return };
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
            Move::SendTo(hd, msp, data) => {
                let Some((line, call, _)) = self.named(hd, &Step::Complete) else { return };
                if let Err(error) = events.send_msp_data(line, Some(call), Some(msp), data) {
                    self.note(&format!("send_msp_data failed: {error}"));
                }
            }
            Move::DevSpecific(line, call, data) => {
                let found = {
                    let state = self.lock();
                    let call = call.map(|call| state.calls.get(&call).and_then(|call| call.ht));
                    // A call that was closed meanwhile is not spoken of again.
                    state.lines.get(&line).map(|line| line.ht).filter(|_| call != Some(None)).zip(Some(call))
                };
                if let Some((line, call)) = found {
                    events.line_dev_specific(line, call.flatten(), data);
                }
            }
            Move::Phone(event) => {
                let phone = self.lock().phone.open_as();
                if let Some(phone) = phone {
                    events.phone_event(phone, event);
                }
            }
        }
    }

    /// How the broker names a call that is reported on, and when that is; none if it was closed meanwhile: it is not
    /// spoken of again.
    fn named(&self, hd: HdCall, step: &Step) -> Option<(HtLine, HtCall, Timestamp)> {
        let mut state = self.lock();
        state.reports += 1;
        let at = Timestamp(state.reports * 1_000_000);
        let State { calls, lines, .. } = &mut *state;
        let call = calls.get_mut(&hd)?;
        if let Step::State(next) = step {
            call.told = Some(*next);
        }
        Some((lines.get(&call.line)?.ht, call.ht?, at))
    }

    fn announce(&self, events: &dyn TspEvents, hd: HdCall) {
        let line = {
            let state = self.lock();
            state.calls.get(&hd).and_then(|call| state.lines.get(&call.line)).map(|line| line.ht)
        };
        let Some(line) = line else { return };
        let ht = events.new_call(line, hd);
        let mut state = self.lock();
        match (ht, state.calls.get_mut(&hd)) {
            (Some(ht), Some(call)) => call.ht = Some(ht),
            (Some(_), None) => {}
            (None, _) => state.turned_away(hd),
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
