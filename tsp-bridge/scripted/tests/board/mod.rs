//! A switch with a broker's end that writes down what is asked and what is told, a line each.
//!
//! Calls go by extension and order: `100.2` is the second call on extension 100. A trace is compared with a text that
//! was written from TAPI's pages; `OFFHOOK_GOLDEN=write cargo test -p offhook-scripted` writes the texts anew, for
//! reading the difference.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use offhook_scripted::{Drive, Scripted, ScriptedConfig, SwitchConfig};
use offhook_spi::{
    ApiVersion, CallInfo, CallInfoChange, CallParams, Completion, DigitMode, DisconnectMode, HdCall, HdLine,
    HdMspLine, HtCall, HtLine, HtMspLine, HtPhone, LineCallState, LineDevState, LineError, MediaTypes,
    Opaque, PhoneEvent, RequestId, Timestamp, TspEvents, Tspi,
};

pub(crate) struct Board {
    pub(crate) switch: Arc<Scripted>,
    pub(crate) lines: Vec<HdLine>,
    pub(crate) msps: Vec<HdMspLine>,
    tells: Arc<Tells>,
}

#[derive(Default)]
struct Tells {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    switch: Option<Arc<Scripted>>,
    trace: Vec<String>,
    calls: Vec<Known>,
    asked: Vec<(RequestId, String)>,
    answers: Vec<(RequestId, Result<Completion, LineError>)>,
    willing: bool,
}

/// A call as the broker's end knows it.
struct Known {
    line: HtLine,
    name: String,
    hd: Option<HdCall>,
    states: Vec<LineCallState>,
}

impl Tells {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn say(&self, line: String) {
        self.lock().trace.push(line);
    }
}

impl Inner {
    fn fresh(&mut self, line: HtLine, hd: Option<HdCall>) -> HtCall {
        let count = self.calls.iter().filter(|call| call.line == line).count();
        let name = format!("{}.{}", 100 + line.0, count + 1);
        self.calls.push(Known { line, name, hd, states: Vec::new() });
        HtCall(self.calls.len() as u64)
    }

    fn known(&mut self, ht: HtCall) -> &mut Known {
        &mut self.calls[ht.0 as usize - 1]
    }

    fn name(&mut self, ht: HtCall) -> String {
        self.known(ht).name.clone()
    }
}

fn opaque_text(data: &Opaque) -> String {
    String::from_utf8_lossy(data.as_bytes()).into_owned()
}

impl TspEvents for Tells {
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        let mut inner = self.lock();
        let asked = inner.asked.iter().find(|(id, _)| *id == request).map(|(_, what)| what.clone());
        let asked = asked.expect("a completion of what was asked");
        let text = match &result {
            Ok(Completion::Done) => String::new(),
            Ok(Completion::Address(at)) => format!(": at {at}"),
            Ok(Completion::CompletionId(id)) => format!(": completion {id}"),
            Ok(Completion::DevSpecific(data)) => format!(": {}", opaque_text(data)),
            Err(error) => format!(" failed: {error}"),
        };
        inner.trace.push(format!("done {asked}{text}"));
        assert!(inner.answers.iter().all(|(id, _)| *id != request), "{asked} completes twice");
        inner.answers.push((request, result));
    }

    fn new_call(&self, line: HtLine, call: HdCall) -> Option<HtCall> {
        let mut inner = self.lock();
        if !inner.willing {
            inner.trace.push(format!("new  on {} turned away", 100 + line.0));
            return None;
        }
        let ht = inner.fresh(line, Some(call));
        let name = inner.name(ht);
        inner.trace.push(format!("new  {name}"));
        Some(ht)
    }

    fn call_state(&self, _: HtLine, call: HtCall, state: LineCallState, _: Timestamp) {
        let mut inner = self.lock();
        inner.known(call).states.push(state);
        let name = inner.name(call);
        inner.trace.push(format!("tell {name} {state:?}"));
    }

    fn call_info(&self, _: HtLine, call: HtCall, change: CallInfoChange) {
        let (name, hd, switch) = {
            let mut inner = self.lock();
            let known = inner.known(call);
            (known.name.clone(), known.hd, inner.switch.clone().unwrap())
        };
        // A call that is being made has no name of the provider's here yet: the switch is asked by its own.
        let hd = hd.or_else(|| switch.calls().into_iter().find(|hd| switch.handle_of(*hd) == Some(call)));
        let info = switch.line_call_info(hd.unwrap()).unwrap();
        self.say(format!("info {name} {}", changed(&info, change)));
    }

    fn digit(&self, _: HtLine, call: HtCall, digit: char, _: DigitMode, _: Option<Duration>) {
        let name = self.lock().name(call);
        self.say(format!("tell {name} digit {digit}"));
    }

    fn send_msp_data(
        &self,
        line: HtLine,
        call: Option<HtCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        let name = call.map_or_else(|| format!("line {}", 100 + line.0), |call| self.lock().name(call));
        let to = msp.map_or_else(String::new, |msp| format!(" to msp {}", msp.0));
        self.say(format!("msp  {name} {}{to}", opaque_text(&data)));
        Ok(())
    }

    fn line_dev_specific(&self, line: HtLine, call: Option<HtCall>, data: Opaque) {
        let name = call.map_or_else(|| format!("line {}", 100 + line.0), |call| self.lock().name(call));
        self.say(format!("ext  {name} {}", opaque_text(&data)));
    }

    fn phone_event(&self, _: HtPhone, event: PhoneEvent) {
        self.say(match event {
            PhoneEvent::DevSpecific(data) => format!("ext  phone {}", opaque_text(&data)),
            event => format!("tell phone {event:?}"),
        });
    }

    fn phone_closed(&self, _: HtPhone, why: LineError) {
        self.say(format!("tell phone closed: {why}"));
    }

    fn line_dev_state(&self, _: HtLine, state: LineDevState) {
        self.say(format!("tell line {state:?}"));
    }

    fn line_closed(&self, line: HtLine, why: LineError) {
        self.say(format!("tell line {} closed: {why}", 100 + line.0));
    }
}

fn changed(info: &CallInfo, change: CallInfoChange) -> String {
    let party = |party: &Option<offhook_spi::Party>| party.clone().unwrap_or_default().address;
    match change {
        CallInfoChange::CallId => format!("call id {}", info.call_id),
        CallInfoChange::RelatedCallId => format!("related call id {}", info.related_call_id),
        CallInfoChange::CallerId => format!("caller {}", info.caller.address),
        CallInfoChange::CalledId => format!("called {}", info.called.address),
        CallInfoChange::ConnectedId => format!("connected {}", party(&info.connected)),
        CallInfoChange::RedirectingId => format!("redirecting {}", party(&info.redirecting)),
        CallInfoChange::RedirectionId => format!("redirection {}", party(&info.redirection)),
        CallInfoChange::UserUserInfo => format!("user-user {:?}", info.user_user),
        CallInfoChange::Media => format!("media {:?}", info.media),
        CallInfoChange::Holders => "holders".to_owned(),
        CallInfoChange::Other => format!("reason {:?}", info.reason),
    }
}

impl Board {
    /// Three extensions, 100 to 102, open and listening, each with an MSP.
    pub(crate) fn new() -> Self {
        Self::with(SwitchConfig::default())
    }

    pub(crate) fn with(rules: SwitchConfig) -> Self {
        Self::of(ScriptedConfig {
            switch: Some(rules),
            drive: Drive::Immediate,
            devices: 3,
            ..Default::default()
        })
    }

    pub(crate) fn of(config: ScriptedConfig) -> Self {
        let devices = config.devices;
        let switch = Scripted::new(config);
        let tells = Arc::new(Tells::default());
        {
            let mut inner = tells.lock();
            (inner.switch, inner.willing) = (Some(switch.clone()), true);
        }
        switch.provider_init(tells.clone()).unwrap();
        let (mut lines, mut msps) = (Vec::new(), Vec::new());
        for device in 0..devices {
            let line = switch.line_open(device, HtLine(device.into()), ApiVersion::V3_1).unwrap();
            switch.line_set_default_media_detection(line, MediaTypes::AUDIO).unwrap();
            msps.push(switch.line_create_msp_instance(line, 0, HtMspLine(device.into())).unwrap());
            lines.push(line);
        }
        Self { switch, lines, msps, tells }
    }

    pub(crate) fn note(&self, what: &str) {
        self.tells.say(what.to_owned());
    }

    pub(crate) fn willing(&self, willing: bool) {
        self.tells.lock().willing = willing;
    }

    /// A name for a call that is about to be made on a line.
    pub(crate) fn fresh(&self, device: u64) -> HtCall {
        self.tells.lock().fresh(HtLine(device), None)
    }

    pub(crate) fn name(&self, ht: HtCall) -> String {
        self.tells.lock().name(ht)
    }

    pub(crate) fn called(&self, call: HdCall) -> String {
        self.switch.handle_of(call).map_or_else(|| "?".to_owned(), |ht| self.name(ht))
    }

    /// Asks something, writes it down, and says whether it was taken.
    pub(crate) fn ask<R>(
        &self,
        what: &str,
        act: impl FnOnce(&Scripted, RequestId) -> Result<R, LineError>,
    ) -> Result<R, LineError> {
        let id = {
            let mut inner = self.tells.lock();
            let id = RequestId(inner.asked.len() as u32 + 1);
            inner.asked.push((id, what.to_owned()));
            inner.trace.push(format!("ask  {what}"));
            id
        };
        let taken = act(&self.switch, id);
        if let Err(error) = &taken {
            self.tells.say(format!("     refused: {error}"));
            assert!(self.tells.lock().answers.iter().all(|(known, _)| *known != id), "refused and completed");
        }
        taken
    }

    /// The completion of what was asked last.
    pub(crate) fn answer(&self) -> Result<Completion, LineError> {
        self.tells.lock().answers.last().expect("completed").1.clone()
    }

    /// Asks about a call.
    pub(crate) fn on(
        &self,
        verb: &str,
        call: HdCall,
        act: impl FnOnce(&Scripted, RequestId, HdCall) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        let what = format!("{verb} {}", self.called(call));
        self.ask(&what, |switch, id| act(switch, id, call))
    }

    /// Dials from an extension.
    pub(crate) fn dial(&self, device: usize, number: &str) -> HdCall {
        let ht = self.fresh(device as u64);
        let what = format!("make call {} to {number}", self.name(ht));
        self.ask(&what, |switch, id| switch.line_make_call(id, self.lines[device], ht, &to(number))).unwrap()
    }

    /// The call that was announced last on an extension.
    pub(crate) fn last(&self, device: u64) -> HdCall {
        let inner = self.tells.lock();
        inner.calls.iter().rev().find(|call| call.line == HtLine(device)).and_then(|call| call.hd).unwrap()
    }

    pub(crate) fn answers(&self, call: HdCall) {
        self.on("answer", call, |switch, id, call| switch.line_answer(id, call)).unwrap();
    }

    pub(crate) fn drops(&self, call: HdCall) {
        let drop = |switch: &Scripted, id, call| switch.line_drop(id, call, DisconnectMode::Normal);
        self.on("drop", call, drop).unwrap();
    }

    /// Two extensions in a call: what both have of it.
    pub(crate) fn talk(&self, from: usize, to: usize) -> (HdCall, HdCall) {
        let placed = self.dial(from, &(100 + to).to_string());
        let offered = self.last(to as u64);
        self.answers(offered);
        (placed, offered)
    }

    pub(crate) fn info(&self, call: HdCall) -> CallInfo {
        self.switch.line_call_info(call).unwrap()
    }

    pub(crate) fn state(&self, call: HdCall) -> Option<LineCallState> {
        self.switch.state_of(call)
    }

    pub(crate) fn clear(&self) {
        self.tells.lock().trace.clear();
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.tells.lock().trace.clone()
    }

    /// Every call was told states that may follow each other, and every request taken was completed.
    pub(crate) fn check(&self) {
        let inner = self.tells.lock();
        for call in &inner.calls {
            let over = call.states.iter().position(|state| *state == LineCallState::Idle);
            assert!(over.is_none_or(|at| at + 1 == call.states.len()), "{}: {:?}", call.name, call.states);
        }
    }

    /// Compares what was said with a text beside the tests.
    pub(crate) fn compare(&self, name: &str) {
        self.check();
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let is_comment = |line: &&str| line.starts_with('#');
        if std::env::var("OFFHOOK_GOLDEN").is_ok_and(|mode| mode == "write") {
            let mut text: String =
                stored.lines().filter(is_comment).map(|line| format!("{line}\n")).collect();
            for line in self.trace() {
                writeln!(text, "{line}").unwrap();
            }
            std::fs::write(&path, text).unwrap();
            return;
        }
        let expected: Vec<_> = stored.lines().filter(|line| !is_comment(line)).collect();
        assert_eq!(self.trace(), expected, "{}", path.display());
    }
}

pub(crate) fn to(number: &str) -> CallParams {
    CallParams { destination: number.to_owned(), media: MediaTypes::AUDIO, ..CallParams::default() }
}

pub(crate) fn busy_at(busy_at: usize) -> SwitchConfig {
    SwitchConfig { busy_at, ..SwitchConfig::default() }
}

pub(crate) fn opaque(text: &str) -> Opaque {
    Opaque::new(text.as_bytes().to_vec()).unwrap()
}
