//! The SPI's side of the provider: lines and calls by their handles, requests by their numbers.
//!
//! In: [`Tspi`] requests, from any thread. Out: commands to the lines' tasks, completions.
//! Every request returns at once. Each that was taken stands in the table until it is completed, so it is completed
//! once: by the line's task, or by the end of its call or its line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use offhook_spi::{
    AddressTypes, ApiVersion, CallFeatures, CallInfo, CallOrigin, CallParams, CallReason, Completion,
    DeviceId, DigitMode, DisconnectMode, ExtensionId, ExtensionVersion, HdCall, HdLine, HdMspLine, HtCall,
    HtLine, HtMspLine, LineDevCaps, LineError, MediaTypes, Opaque, Party, RequestId, TspEvents, Tspi,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::{ConfigError, ModemConfig, PortConfig, Profile};
use crate::driver::{self, Asker, Command, Opened, set_id};
use crate::{extension, number, port, raw};

/// Modems, each a line device. Clones are the same provider.
#[derive(Clone)]
pub struct ModemProvider {
    inner: Arc<Inner>,
}

/// What the provider and its lines' tasks share.
pub(crate) struct Inner {
    config: ModemConfig,
    runtime: Handle,
    epoch: Instant,
    events: OnceLock<Arc<dyn TspEvents>>,
    state: Mutex<State>,
    /// Whose turn it is with each port: a line that closes still hangs up when the next one opens.
    turns: Vec<Arc<tokio::sync::Mutex<()>>>,
    active: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    last_handle: u64,
    last_call_id: u32,
    lines: HashMap<HdLine, Line>,
    calls: HashMap<HdCall, Call>,
    requests: HashMap<RequestId, Outstanding>,
    /// What the modems call themselves, by device.
    names: HashMap<usize, String>,
}

struct Line {
    device: usize,
    commands: mpsc::UnboundedSender<Command>,
    /// The call that the modem has; a call that is idle is not one.
    call: Option<HdCall>,
    /// The version of the extension that was selected.
    extension: ExtensionVersion,
}

struct Call {
    line: HdLine,
    info: CallInfo,
}

/// A request that is not complete.
struct Outstanding {
    line: HdLine,
    call: Option<HdCall>,
    /// It makes the call: if it fails there is none.
    makes: bool,
}

impl ModemProvider {
    /// A provider whose lines run on `runtime`. No port is touched before its line is opened.
    pub fn new(config: ModemConfig, runtime: Handle) -> Result<Self, ConfigError> {
        config.check()?;
        let turns = config.ports.iter().map(|_| Arc::default()).collect();
        let inner = Inner {
            config,
            runtime,
            epoch: Instant::now(),
            events: OnceLock::new(),
            state: Mutex::default(),
            turns,
            active: watch::channel(0).0,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sends an AT command to the modem of an open line, and answers the lines that come before OK. Questions and a few
    /// settings pass, as docs/modem.md lists them; everything else is refused with [`LineError::InvalParam`]: to dial,
    /// answer, hang up and to change how the modem talks is the line's own.
    pub async fn command(&self, device: u32, command: &str) -> Result<Vec<String>, LineError> {
        raw::check(command)?;
        let device = self.inner.device(device)?;
        let (sender, answer) = oneshot::channel();
        {
            let state = self.inner.lock();
            let line = state.lines.values().find(|line| line.device == device);
            let commands = &line.ok_or(LineError::InvalLineHandle)?.commands;
            let command = Command::Raw(command.to_owned(), Asker::Here(sender));
            commands.send(command).map_err(|_| LineError::NoDriver)?;
        }
        answer.await.map_err(|_| LineError::NoDriver)?
    }

    /// Waits until every line's task has ended: after [`Tspi::provider_shutdown`] this is when the last modem has hung
    /// up and its port is closed.
    pub async fn drained(&self) {
        // The sender lives in self, so waiting cannot fail.
        let _ = self.inner.active.subscribe().wait_for(|active| *active == 0).await;
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; should it all the same, the maps are still whole.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Time since the provider began: what machines are told.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// When a machine's deadline is on tokio's clock.
    pub(crate) fn deadline(&self, at: Duration) -> tokio::time::Instant {
        let far = Duration::from_secs(365 * 24 * 3600);
        tokio::time::Instant::from_std(self.epoch + at.min(self.now() + far))
    }

    pub(crate) fn events(&self) -> Option<&Arc<dyn TspEvents>> {
        self.events.get()
    }

    /// Where to report about a call, while the broker knows it.
    pub(crate) fn may_name(&self, call: HdCall) -> Option<&Arc<dyn TspEvents>> {
        self.events.get().filter(|_| self.lock().calls.contains_key(&call))
    }

    /// Completes a request, unless that was done before.
    pub(crate) fn complete(&self, request: RequestId, result: Result<(), LineError>) {
        self.answer(request, result.map(|()| Completion::Done));
    }

    /// The same, with an answer.
    pub(crate) fn answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        {
            let mut state = self.lock();
            let Some(outstanding) = state.requests.remove(&request) else { return };
            if let Some(call) = outstanding.call.filter(|_| outstanding.makes && result.is_err()) {
                state.forget(call);
            }
        }
        if let Some(events) = self.events.get() {
            events.async_answer(request, result);
        }
    }

    /// A call that has arrived on a line that has none.
    pub(crate) fn arrived(&self, line: HdLine, info: CallInfo) -> Option<HdCall> {
        let mut state = self.lock();
        if state.lines.get(&line)?.call.is_some() {
            return None;
        }
        Some(state.enter(line, info))
    }

    /// A call that nobody wanted.
    pub(crate) fn forget(&self, call: HdCall) {
        self.lock().forget(call);
    }

    /// A call has become idle: its information stays until it is closed.
    pub(crate) fn over(&self, line: HdLine, call: HdCall) {
        if let Some(line) = self.lock().lines.get_mut(&line) {
            line.call.take_if(|of| *of == call);
        }
    }

    pub(crate) fn edit(&self, call: HdCall, edit: impl FnOnce(&mut CallInfo)) {
        if let Some(call) = self.lock().calls.get_mut(&call) {
            edit(&mut call.info);
        }
    }

    /// What the modem of a line calls itself.
    pub(crate) fn named(&self, line: HdLine, name: Option<&str>) {
        let Some(name) = name else { return };
        let mut state = self.lock();
        let Some(device) = state.lines.get(&line).map(|line| line.device) else { return };
        if state.names.get(&device).is_none_or(|known| known != name) {
            state.names.insert(device, name.to_owned());
        }
    }

    /// A line's task has ended.
    pub(crate) fn left(&self, line: HdLine) {
        self.close_line(line);
        self.active.send_modify(|active| *active = active.saturating_sub(1));
    }

    fn device(&self, device: u32) -> Result<usize, LineError> {
        let index = usize::try_from(device).map_err(|_| LineError::BadDeviceId)?;
        if index < self.config.ports.len() { Ok(index) } else { Err(LineError::BadDeviceId) }
    }

    fn port(&self, device: u32) -> Result<&PortConfig, LineError> {
        let index = self.device(device)?;
        self.config.ports.get(index).ok_or(LineError::BadDeviceId)
    }

    /// Hands a request about a call to its line's task.
    fn ask(
        &self,
        request: RequestId,
        call: HdCall,
        command: impl FnOnce(RequestId, HdCall) -> Command,
    ) -> Result<(), LineError> {
        let mut state = self.lock();
        let line = state.calls.get(&call).ok_or(LineError::InvalCallHandle)?.line;
        let commands = state.lines.get(&line).ok_or(LineError::InvalCallHandle)?.commands.clone();
        state.requests.insert(request, Outstanding { line, call: Some(call), makes: false });
        if commands.send(command(request, call)).is_err() {
            state.requests.remove(&request);
            return Err(LineError::NoDriver);
        }
        Ok(())
    }

    /// Takes a line out of the table with its calls; what they wait for fails.
    fn close_line(&self, line: HdLine) -> Option<Line> {
        let (entry, failed) = {
            let mut state = self.lock();
            let entry = state.lines.remove(&line);
            let calls: Vec<_> =
                state.calls.iter().filter(|(_, call)| call.line == line).map(|(hd, _)| *hd).collect();
            for call in calls {
                state.forget(call);
            }
            (entry, state.outstanding(|outstanding| outstanding.line == line))
        };
        self.fail(failed, "the line was closed");
        entry
    }

    fn fail(&self, requests: Vec<RequestId>, why: &str) {
        let Some(events) = self.events.get() else { return };
        for request in requests {
            events.async_completion(request, Err(LineError::failed(why)));
        }
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    /// Enters a call; it has a call id of its own, since no modem tells of one that two ends share.
    fn enter(&mut self, line: HdLine, mut info: CallInfo) -> HdCall {
        self.last_call_id = self.last_call_id.checked_add(1).unwrap_or(1);
        info.call_id = self.last_call_id;
        let call = HdCall(self.next());
        self.calls.insert(call, Call { line, info });
        if let Some(line) = self.lines.get_mut(&line) {
            line.call = Some(call);
        }
        call
    }

    fn forget(&mut self, call: HdCall) -> Option<HdLine> {
        let line = self.calls.remove(&call)?.line;
        if let Some(line) = self.lines.get_mut(&line) {
            line.call.take_if(|of| *of == call);
        }
        Some(line)
    }

    /// Takes a call out of the table; answers what is left to complete.
    fn close(&mut self, call: HdCall) -> Vec<RequestId> {
        self.forget(call);
        self.outstanding(|outstanding| outstanding.call == Some(call))
    }

    fn outstanding(&mut self, of: impl Fn(&Outstanding) -> bool) -> Vec<RequestId> {
        self.requests.extract_if(|_, outstanding| of(outstanding)).map(|(request, _)| request).collect()
    }
}

/// What each kind of modem has beside placing, answering and dropping calls. In data mode nobody listens for digits.
fn features(profile: Profile) -> CallFeatures {
    let common = CallFeatures::ACCEPT.union(CallFeatures::GENERATE_DIGITS);
    match profile {
        Profile::Voice | Profile::Gsm => common.union(CallFeatures::MONITOR_DIGITS),
        Profile::Data => common,
    }
}

impl Tspi for ModemProvider {
    fn line_negotiate_version(
        &self,
        device: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        self.inner.device(device)?;
        ApiVersion::negotiate(lowest, highest, ApiVersion::V3_0, ApiVersion::V3_1)
            .ok_or(LineError::IncompatibleApiVersion)
    }

    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        self.inner.events.set(events).map_err(|_| LineError::failed("the provider was initialised before"))
    }

    fn provider_shutdown(&self) {
        let lines: Vec<_> = self.inner.lock().lines.keys().copied().collect();
        for line in lines {
            drop(self.inner.close_line(line));
        }
    }

    fn line_devices(&self) -> u32 {
        u32::try_from(self.inner.config.ports.len()).unwrap_or(u32::MAX)
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        let port = self.inner.port(device)?;
        let index = self.inner.device(device)?;
        let name = self.inner.lock().names.get(&index).map(|name| format!(" ({name})")).unwrap_or_default();
        Ok(LineDevCaps {
            device: DeviceId(device),
            provider: "offhook modem".to_owned(),
            line_name: format!("{}{name}", port.line_name()),
            media: MediaTypes::AUDIO,
            address_types: AddressTypes { phone_number: true, ..AddressTypes::default() },
            has_msp: false,
            max_active_calls: 1,
            features: features(port.profile),
            ..LineDevCaps::default()
        })
    }

    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        self.line_negotiate_version(device, version, version)?;
        let config = self.inner.port(device)?.clone();
        let device = self.inner.device(device)?;
        let (sender, commands) = mpsc::unbounded_channel();
        let turn = Arc::clone(self.inner.turns.get(device).ok_or(LineError::BadDeviceId)?);
        let hd = {
            let mut state = self.inner.lock();
            if state.lines.values().any(|open| open.device == device) {
                return Err(LineError::ResourceUnavail(format!("{} is open already", config.line_name())));
            }
            let hd = HdLine(state.next());
            state
                .lines
                .insert(hd, Line { device, commands: sender, call: None, extension: ExtensionVersion(0) });
            hd
        };
        // A port that cannot be had is told to whoever opens the line, unless it is still ours.
        let is_free = turn.try_lock().is_ok();
        let opened = is_free.then(|| {
            let _runtime = self.inner.runtime.enter();
            port::open(&config)
        });
        let port = opened.transpose().map_err(|why| {
            self.inner.lock().lines.remove(&hd);
            LineError::OperationFailed(why)
        })?;
        self.inner.active.send_modify(|active| *active += 1);
        let opened = Opened { line: (hd, line), config, port, turn, commands };
        self.inner.runtime.spawn(driver::run(Arc::clone(&self.inner), opened));
        Ok(hd)
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        // The task ends with the sender of its commands.
        self.inner.close_line(line).map(drop).ok_or(LineError::InvalLineHandle)
    }

    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError> {
        if !MediaTypes::AUDIO.contains(media) {
            return Err(LineError::InvalMediaMode);
        }
        let state = self.inner.lock();
        let line = state.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        line.commands.send(Command::Listen(!media.is_empty())).map_err(|_| LineError::NoDriver)
    }

    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        if params.media.is_empty() || !MediaTypes::AUDIO.contains(params.media) {
            return Err(LineError::InvalMediaMode);
        }
        if params.partial || params.user_user.is_some() || params.conference.is_some() {
            // Dialling in parts, user-user information and conferences have no AT command.
            return Err(LineError::OperationUnavail);
        }
        let mut state = self.inner.lock();
        let entry = state.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        let port = self.inner.config.ports.get(entry.device).ok_or(LineError::BadDeviceId)?;
        let number = number::digits(port, params)?;
        if entry.call.is_some() {
            return Err(LineError::ResourceUnavail("the modem has a call".to_owned()));
        }
        let commands = entry.commands.clone();
        let mut info = CallInfo {
            called: Party { address: params.destination.clone(), name: None },
            ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, params.media)
        };
        set_id(&mut info, "port", &port.port);
        let hd = state.enter(line, info);
        state.requests.insert(request, Outstanding { line, call: Some(hd), makes: true });
        let block_id = params.block_id;
        if commands.send(Command::MakeCall { request, call: hd, ht: call, number, block_id }).is_err() {
            state.requests.remove(&request);
            state.forget(hd);
            return Err(LineError::NoDriver);
        }
        Ok(hd)
    }

    fn line_accept(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.ask(request, call, Command::Accept)
    }

    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.ask(request, call, Command::Answer)
    }

    /// The far end is not told why: modems have no word for it.
    fn line_drop(&self, request: RequestId, call: HdCall, _mode: DisconnectMode) -> Result<(), LineError> {
        self.inner.ask(request, call, Command::Drop)
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        let failed = {
            let mut state = self.inner.lock();
            let line = state.calls.get(&call).ok_or(LineError::InvalCallHandle)?.line;
            if let Some(line) = state.lines.get(&line) {
                // A task that has ended has hung up.
                let _ = line.commands.send(Command::Close(call));
            }
            state.close(call)
        };
        self.inner.fail(failed, "the call was closed");
        Ok(())
    }

    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError> {
        self.inner.lock().calls.get(&call).map(|call| call.info.clone()).ok_or(LineError::InvalCallHandle)
    }

    fn line_generate_digits(
        &self,
        request: RequestId,
        call: HdCall,
        mode: DigitMode,
        digits: &str,
    ) -> Result<(), LineError> {
        let legal = |c: char| c.is_ascii_digit() || "*#!ABCD".contains(c);
        if digits.is_empty() || digits.len() > 128 || !digits.chars().all(legal) {
            return Err(LineError::InvalParam(format!("{digits:?}: 1 to 128 of 0-9 * # A-D !")));
        }
        if !matches!(mode, DigitMode::Dtmf | DigitMode::InBand) {
            return Err(LineError::InvalParam("a modem sends digits as tones".to_owned()));
        }
        let digits = digits.to_owned();
        self.inner.ask(request, call, |request, call| Command::Digits(request, call, digits))
    }

    fn line_extension(&self, device: u32) -> Result<ExtensionId, LineError> {
        self.inner.device(device).map(|_| extension::ID)
    }

    fn line_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        self.inner.device(device)?;
        ExtensionVersion::negotiate(lowest, highest, extension::VERSION, extension::VERSION)
            .ok_or(LineError::IncompatibleExtVersion)
    }

    fn line_select_ext_version(&self, line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        if version != extension::VERSION && version != ExtensionVersion(0) {
            return Err(LineError::IncompatibleExtVersion);
        }
        let mut state = self.inner.lock();
        state.lines.get_mut(&line).ok_or(LineError::InvalLineHandle)?.extension = version;
        Ok(())
    }

    /// An AT command to the modem (see `extension.rs`); it may be about no call.
    fn line_dev_specific(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        let mut state = self.inner.lock();
        let entry = state.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        if entry.extension == ExtensionVersion(0) {
            return Err(LineError::IncompatibleExtVersion);
        }
        if call.is_some_and(|call| !state.calls.contains_key(&call)) {
            return Err(LineError::InvalCallHandle);
        }
        let command = extension::command(data)?;
        raw::check(&command)?;
        let commands = entry.commands.clone();
        state.requests.insert(request, Outstanding { line, call, makes: false });
        if commands.send(Command::Raw(command, Asker::Request(request))).is_err() {
            state.requests.remove(&request);
            return Err(LineError::NoDriver);
        }
        Ok(())
    }

    fn line_create_msp_instance(
        &self,
        _line: HdLine,
        _address: u32,
        _msp: HtMspLine,
    ) -> Result<HdMspLine, LineError> {
        Err(LineError::OperationUnavail)
    }

    fn line_close_msp_instance(&self, _msp: HdMspLine) -> Result<(), LineError> {
        Err(LineError::OperationUnavail)
    }

    fn line_receive_msp_data(
        &self,
        _line: HdLine,
        _call: Option<HdCall>,
        _msp: HdMspLine,
        _data: Opaque,
    ) -> Result<(), LineError> {
        Err(LineError::OperationUnavail)
    }
}
