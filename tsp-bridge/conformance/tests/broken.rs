//! The suite can fail: a provider that keeps every rule is wrapped so that it breaks one, and that rule is found.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use offhook_conformance::{Exchange, Rule, run};
use offhook_scripted::{Drive, ScriptedConfig};
use offhook_spi::{
    ApiVersion, CallFeatures, CallInfo, CallInfoChange, CallOrigin, CallParams, Completion, CompletionMode,
    ConferenceCalls, DigitMode, DisconnectMode, ExtensionId, ExtensionVersion, Forward, HdCall, HdLine,
    HdMspLine, HdPhone, HtCall, HtLine, HtMspLine, HtPhone, HubTracking, LineCallState as S, LineDevCaps,
    LineDevState, LineError, MediaTypes, Opaque, ParkMode, PhoneCaps, PhoneEvent, PhoneSetting, PhoneStatus,
    RequestId, Timestamp, TransferMode, TspEvents, Tspi,
};

/// What is wrong with a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    LowestVersion,
    AnyVersion,
    NoMediaInCaps,
    NamesHoldAndHasNone,
    HasHoldUnnamed,
    OpensTwice,
    LineStaysOpen,
    TakesGarbage,
    Panics,
    CompletesTwice,
    NeverCompletes,
    CompletesRefused,
    NamesCallEarly,
    CompletesAfterProceeding,
    SkipsConnected,
    SilentToNowhere,
    InfoBeforeState,
    FirstAccepted,
    AnnouncesTheRefused,
    Sulks,
    IgnoresDetection,
    AcceptsAnything,
    AnswersAnything,
    AnswerDoesNotConnect,
    DropsOfferedNot,
    NoIdle,
    IdleByItself,
    Backwards,
    TimesGoBack,
    InfoAfterIdle,
    OriginWrong,
    NoCallId,
    SucceedsAfterClose,
    NamesClosed,
    ReportsUnderLock,
    MspWithoutCaps,
    TakesUnknownBuffers,
    NeverSpeaks,
    NeverStops,
    MovesNothing,
    TakesWrongDigits,
    DialsNothing,
    HoldsNothing,
    SwapsNothing,
    ConsultWithoutHold,
    TransferKeepsCalls,
    ConferenceOfNone,
    BlindKeepsCall,
    RemovesNobody,
    ParksNowhere,
    PickupFails,
    ForwardsNothing,
    CompletionUnnamed,
    AnyExtVersion,
    SpeaksUnselected,
    PhoneStaysOpen,
    PhoneTellsNothing,
    PhoneSpeaksUnselected,
    TalksAfterShutdown,
}

struct Broken {
    inner: Arc<dyn Tspi>,
    events: Arc<BrokenEvents>,
    fault: Fault,
    phone: AtomicU64,
    last_call: AtomicU64,
}

/// The provider's reports, with the fault in them.
struct BrokenEvents {
    fault: Fault,
    out: OnceLock<Arc<dyn TspEvents>>,
    /// Held while reports are made, by the fault that does so.
    lock: Mutex<()>,
    held: Mutex<Vec<(RequestId, Result<Completion, LineError>)>>,
    calls: Mutex<Vec<(HtLine, HtCall)>>,
    first: AtomicBool,
    /// A call was turned away.
    over: AtomicBool,
    stamp: AtomicU32,
}

impl BrokenEvents {
    fn out(&self) -> &dyn TspEvents {
        &**self.out.get().expect("started")
    }

    /// Completes what was held back.
    fn release(&self) {
        for (request, result) in std::mem::take(&mut *self.held.lock().unwrap()) {
            self.out().async_answer(request, result);
        }
    }

    fn call(&self, line: HtLine, call: HtCall) {
        self.calls.lock().unwrap().push((line, call));
    }

    fn latest(&self) -> Option<(HtLine, HtCall)> {
        self.calls.lock().unwrap().last().copied()
    }
}

impl TspEvents for BrokenEvents {
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        match self.fault {
            Fault::NeverCompletes if self.first.swap(false, Ordering::Relaxed) => return,
            Fault::CompletesAfterProceeding | Fault::NamesCallEarly
                if self.first.swap(false, Ordering::Relaxed) =>
            {
                return self.held.lock().unwrap().push((request, result));
            }
            Fault::CompletionUnnamed if matches!(result, Ok(Completion::CompletionId(_))) => {
                return self.out().async_answer(request, Ok(Completion::Done));
            }
            Fault::ParksNowhere if matches!(result, Ok(Completion::Address(_))) => {
                return self.out().async_answer(request, Ok(Completion::Address("nowhere".to_owned())));
            }
            Fault::SucceedsAfterClose if result.is_err() => {
                return self.out().async_answer(request, Ok(Completion::Done));
            }
            _ => {}
        }
        if self.fault == Fault::CompletesTwice {
            self.out().async_answer(request, result.clone());
        }
        self.out().async_answer(request, result);
    }

    fn new_call(&self, line: HtLine, call: HdCall) -> Option<HtCall> {
        if self.fault == Fault::Sulks && self.over.load(Ordering::Relaxed) {
            return None;
        }
        let ht = self.out().new_call(line, call);
        if ht.is_none() {
            self.over.store(true, Ordering::Relaxed);
        }
        match (ht, self.fault) {
            (Some(ht), Fault::InfoBeforeState) => self.out().call_info(line, ht, CallInfoChange::Other),
            (None, Fault::AnnouncesTheRefused) => {
                self.out().call_state(line, HtCall(0), S::Offering, Timestamp(1));
            }
            _ => {}
        }
        ht
    }

    fn call_state(&self, line: HtLine, call: HtCall, state: S, at: Timestamp) {
        self.call(line, call);
        let guard = (self.fault == Fault::ReportsUnderLock).then(|| self.lock.lock().unwrap());
        let connected = matches!(state, S::Connected(_));
        match (self.fault, state) {
            (Fault::SkipsConnected | Fault::AnswerDoesNotConnect, S::Connected(_)) => return,
            (Fault::SilentToNowhere, S::Disconnected(DisconnectMode::BadAddress)) => return,
            (Fault::NoIdle, S::Idle) => return,
            (Fault::FirstAccepted, S::Offering) => {
                return self.out().call_state(line, call, S::Accepted, at);
            }
            (Fault::HoldsNothing, S::OnHold) => return,
            (Fault::ConsultWithoutHold, S::OnHoldPendingTransfer) => return,
            (Fault::ConferenceOfNone, S::Conferenced) => return,
            (Fault::IdleByItself, S::Disconnected(_)) => {
                self.out().call_state(line, call, state, at);
                return self.out().call_state(line, call, S::Idle, at);
            }
            (Fault::TimesGoBack, _) => {
                let stamp = 1_000_000 - self.stamp.fetch_add(1, Ordering::Relaxed);
                return self.out().call_state(line, call, state, Timestamp(stamp.into()));
            }
            (Fault::CompletesAfterProceeding, S::Ringback) | (Fault::NamesCallEarly, S::Dialing) => {
                self.out().call_state(line, call, state, at);
                return self.release();
            }
            _ => {}
        }
        self.out().call_state(line, call, state, at);
        match self.fault {
            Fault::Backwards if connected => self.out().call_state(line, call, S::Ringback, at),
            Fault::InfoAfterIdle if state == S::Idle => {
                self.out().call_info(line, call, CallInfoChange::Other);
            }
            _ => {}
        }
        drop(guard);
    }

    fn call_info(&self, line: HtLine, call: HtCall, change: CallInfoChange) {
        self.out().call_info(line, call, change);
    }

    fn digit(&self, line: HtLine, call: HtCall, digit: char, mode: DigitMode, duration: Option<Duration>) {
        self.out().digit(line, call, digit, mode, duration);
    }

    fn send_msp_data(
        &self,
        line: HtLine,
        call: Option<HtCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        match self.fault {
            Fault::NeverSpeaks => Ok(()),
            Fault::NeverStops if data.as_bytes() == b"stop" => Ok(()),
            Fault::MovesNothing if msp == Some(HtMspLine(7)) => Ok(()),
            _ => self.out().send_msp_data(line, call, msp, data),
        }
    }

    fn line_dev_specific(&self, line: HtLine, call: Option<HtCall>, data: Opaque) {
        self.out().line_dev_specific(line, call, data);
    }

    fn phone_event(&self, phone: HtPhone, event: PhoneEvent) {
        if self.fault != Fault::PhoneTellsNothing {
            self.out().phone_event(phone, event);
        }
    }

    fn phone_closed(&self, phone: HtPhone, why: LineError) {
        self.out().phone_closed(phone, why);
    }

    fn line_dev_state(&self, line: HtLine, state: LineDevState) {
        self.out().line_dev_state(line, state);
    }

    fn line_closed(&self, line: HtLine, why: LineError) {
        self.out().line_closed(line, why);
    }
}

impl Broken {
    fn new(inner: Arc<dyn Tspi>, fault: Fault) -> Arc<Self> {
        let events = Arc::new(BrokenEvents {
            fault,
            out: OnceLock::new(),
            lock: Mutex::default(),
            held: Mutex::default(),
            calls: Mutex::default(),
            first: AtomicBool::new(true),
            over: AtomicBool::new(false),
            stamp: AtomicU32::new(0),
        });
        let (phone, last_call) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { inner, events, fault, phone, last_call })
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Completes a request that nothing was done for.
    fn pretend(&self, request: RequestId) -> Result<(), LineError> {
        self.events.out().async_completion(request, Ok(()));
        Ok(())
    }
}

impl Tspi for Broken {
    fn line_negotiate_version(
        &self,
        device: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        let version = self.inner.line_negotiate_version(device, lowest, highest);
        match self.fault {
            Fault::LowestVersion if version.is_ok() && lowest < highest => Ok(ApiVersion::V3_0),
            Fault::AnyVersion if version == Err(LineError::IncompatibleApiVersion) => Ok(lowest),
            _ => version,
        }
    }

    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        assert!(self.events.out.set(events).is_ok());
        self.inner.provider_init(self.events.clone())
    }

    fn provider_shutdown(&self) {
        self.inner.provider_shutdown();
        if self.is(Fault::TalksAfterShutdown) {
            let (events, (line, call)) =
                (self.events.clone(), self.events.latest().expect("there was a call"));
            std::thread::spawn(move || {
                for _ in 0..100 {
                    std::thread::sleep(Duration::from_millis(5));
                    events.out().call_info(line, call, CallInfoChange::Other);
                }
            });
        }
    }

    fn line_devices(&self) -> u32 {
        self.inner.line_devices()
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        let mut caps = self.inner.line_dev_caps(device)?;
        match self.fault {
            Fault::NoMediaInCaps => caps.media = MediaTypes::NONE,
            Fault::HasHoldUnnamed => caps.features = caps.features.without(CallFeatures::HOLD),
            Fault::MspWithoutCaps => caps.has_msp = false,
            _ => {}
        }
        Ok(caps)
    }

    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        let opened = self.inner.line_open(device, line, version);
        if self.is(Fault::OpensTwice) && opened == Err(LineError::BadDeviceId) {
            return Ok(HdLine(1));
        }
        opened
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        let closed = self.inner.line_close(line);
        if self.is(Fault::LineStaysOpen) { Ok(()) } else { closed }
    }

    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError> {
        let media = if self.is(Fault::IgnoresDetection) { MediaTypes::AUDIO } else { media };
        self.inner.line_set_default_media_detection(line, media)
    }

    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        let made = self.inner.line_make_call(request, line, call, params);
        if let Ok(hd) = made {
            self.last_call.store(hd.0, Ordering::Relaxed);
        }
        made
    }

    fn line_accept(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        match self.inner.line_accept(request, call) {
            Err(LineError::InvalCallState) if self.is(Fault::AcceptsAnything) => self.pretend(request),
            answer => answer,
        }
    }

    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        match self.inner.line_answer(request, call) {
            Err(LineError::InvalCallState) if self.is(Fault::AnswersAnything) => self.pretend(request),
            Err(_) if self.is(Fault::CompletesRefused) => {
                self.events.out().async_completion(request, Err(LineError::InvalCallState));
                Err(LineError::InvalCallState)
            }
            answer => answer,
        }
    }

    fn line_drop(&self, request: RequestId, call: HdCall, mode: DisconnectMode) -> Result<(), LineError> {
        if self.is(Fault::DropsOfferedNot) && mode == DisconnectMode::Reject {
            return Err(LineError::InvalCallState);
        }
        self.inner.line_drop(request, call, mode)
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        let closed = self.inner.line_close_call(call);
        if self.is(Fault::NamesClosed)
            && let Some((line, call)) = self.events.latest()
        {
            let events = self.events.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                events.out().call_state(line, call, S::Idle, Timestamp(u64::MAX));
            });
        }
        closed
    }

    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError> {
        let guard = (self.is(Fault::ReportsUnderLock)).then(|| self.events.lock.lock().unwrap());
        drop(guard);
        let mut info = self.inner.line_call_info(call)?;
        match self.fault {
            Fault::OriginWrong => info.origin = CallOrigin::Inbound,
            Fault::NoCallId => info.call_id = 0,
            _ => {}
        }
        Ok(info)
    }

    fn line_generate_digits(
        &self,
        request: RequestId,
        call: HdCall,
        mode: DigitMode,
        digits: &str,
    ) -> Result<(), LineError> {
        match self.inner.line_generate_digits(request, call, mode, digits) {
            Err(LineError::InvalParam(_)) if self.is(Fault::TakesWrongDigits) => self.pretend(request),
            Err(LineError::InvalCallHandle) if self.is(Fault::TakesGarbage) => self.pretend(request),
            Err(LineError::InvalCallHandle) if self.is(Fault::Panics) => panic!("no such call"),
            answer => answer,
        }
    }

    fn line_dial(
        &self,
        request: RequestId,
        call: HdCall,
        digits: &str,
        complete: bool,
    ) -> Result<(), LineError> {
        if self.is(Fault::DialsNothing) && self.inner.line_call_info(call).is_ok() {
            return self.pretend(request);
        }
        self.inner.line_dial(request, call, digits, complete)
    }

    fn line_redirect(&self, request: RequestId, call: HdCall, destination: &str) -> Result<(), LineError> {
        self.inner.line_redirect(request, call, destination)
    }

    fn line_send_user_user_info(
        &self,
        request: RequestId,
        call: HdCall,
        data: &[u8],
    ) -> Result<(), LineError> {
        self.inner.line_send_user_user_info(request, call, data)
    }

    fn line_hold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        if self.is(Fault::NamesHoldAndHasNone) {
            Err(LineError::OperationUnavail)
        } else {
            self.inner.line_hold(request, call)
        }
    }

    fn line_unhold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.line_unhold(request, call)
    }

    fn line_swap_hold(&self, request: RequestId, active: HdCall, held: HdCall) -> Result<(), LineError> {
        if self.is(Fault::SwapsNothing) && active != held {
            return self.pretend(request);
        }
        self.inner.line_swap_hold(request, active, held)
    }

    fn line_setup_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        self.inner.line_setup_transfer(request, call, consult, params)
    }

    fn line_complete_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HdCall,
        mode: TransferMode,
        conference: HtCall,
    ) -> Result<Option<HdCall>, LineError> {
        if self.is(Fault::TransferKeepsCalls) && mode == TransferMode::Transfer && call != consult {
            return self.pretend(request).map(|()| None);
        }
        self.inner.line_complete_transfer(request, call, consult, mode, conference)
    }

    fn line_blind_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        destination: &str,
    ) -> Result<(), LineError> {
        if self.is(Fault::BlindKeepsCall) && self.inner.line_call_info(call).is_ok() {
            return self.pretend(request);
        }
        self.inner.line_blind_transfer(request, call, destination)
    }

    fn line_setup_conference(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        conference: HtCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<ConferenceCalls, LineError> {
        self.inner.line_setup_conference(request, line, call, conference, consult, params)
    }

    fn line_prepare_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        self.inner.line_prepare_add_to_conference(request, conference, consult, params)
    }

    fn line_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        call: HdCall,
    ) -> Result<(), LineError> {
        self.inner.line_add_to_conference(request, conference, call)
    }

    fn line_remove_from_conference(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        if self.is(Fault::RemovesNobody) && self.inner.line_call_info(call).is_ok() {
            return self.pretend(request);
        }
        self.inner.line_remove_from_conference(request, call)
    }

    fn line_park(&self, request: RequestId, call: HdCall, mode: &ParkMode) -> Result<(), LineError> {
        self.inner.line_park(request, call, mode)
    }

    fn line_unpark(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: &str,
    ) -> Result<HdCall, LineError> {
        self.inner.line_unpark(request, line, call, address)
    }

    fn line_pickup(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: Option<&str>,
        group: Option<&str>,
    ) -> Result<HdCall, LineError> {
        if self.is(Fault::PickupFails) {
            return Err(LineError::failed("no call rings there"));
        }
        self.inner.line_pickup(request, line, call, address, group)
    }

    fn line_forward(
        &self,
        request: RequestId,
        line: HdLine,
        instructions: &[Forward],
        rings: Option<u32>,
    ) -> Result<(), LineError> {
        if self.is(Fault::ForwardsNothing) && line.0 < 1_000_000 {
            return self.pretend(request);
        }
        self.inner.line_forward(request, line, instructions, rings)
    }

    fn line_complete_call(
        &self,
        request: RequestId,
        call: HdCall,
        mode: CompletionMode,
    ) -> Result<(), LineError> {
        self.inner.line_complete_call(request, call, mode)
    }

    fn line_uncomplete_call(
        &self,
        request: RequestId,
        line: HdLine,
        completion: u32,
    ) -> Result<(), LineError> {
        self.inner.line_uncomplete_call(request, line, completion)
    }

    fn line_set_call_hub_tracking(&self, line: HdLine, level: HubTracking) -> Result<(), LineError> {
        self.inner.line_set_call_hub_tracking(line, level)
    }

    fn line_extension(&self, device: u32) -> Result<ExtensionId, LineError> {
        self.inner.line_extension(device)
    }

    fn line_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        if self.is(Fault::AnyExtVersion) {
            return Ok(highest);
        }
        self.inner.line_negotiate_ext_version(device, lowest, highest)
    }

    fn line_select_ext_version(&self, line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        self.inner.line_select_ext_version(line, version)
    }

    fn line_dev_specific(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        match self.inner.line_dev_specific(request, line, call, data) {
            Err(LineError::IncompatibleExtVersion) if self.is(Fault::SpeaksUnselected) => {
                self.pretend(request)
            }
            answer => answer,
        }
    }

    fn line_move_media(&self, call: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        self.inner.line_move_media(call, msp)
    }

    fn phone_devices(&self) -> u32 {
        self.inner.phone_devices()
    }

    fn phone_dev_caps(&self, device: u32) -> Result<PhoneCaps, LineError> {
        self.inner.phone_dev_caps(device)
    }

    fn phone_open(&self, device: u32, phone: HtPhone) -> Result<HdPhone, LineError> {
        let opened = self.inner.phone_open(device, phone)?;
        self.phone.store(opened.0, Ordering::Relaxed);
        Ok(opened)
    }

    fn phone_close(&self, phone: HdPhone) -> Result<(), LineError> {
        let known = phone.0 == self.phone.load(Ordering::Relaxed);
        if self.is(Fault::PhoneStaysOpen) && known { Ok(()) } else { self.inner.phone_close(phone) }
    }

    fn phone_status(&self, phone: HdPhone) -> Result<PhoneStatus, LineError> {
        self.inner.phone_status(phone)
    }

    fn phone_set(&self, request: RequestId, phone: HdPhone, setting: &PhoneSetting) -> Result<(), LineError> {
        self.inner.phone_set(request, phone, setting)
    }

    fn phone_dev_specific(&self, request: RequestId, phone: HdPhone, data: &Opaque) -> Result<(), LineError> {
        match self.inner.phone_dev_specific(request, phone, data) {
            Err(LineError::IncompatibleExtVersion) if self.is(Fault::PhoneSpeaksUnselected) => {
                self.pretend(request)
            }
            answer => answer,
        }
    }

    fn phone_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), LineError> {
        self.inner.phone_negotiate_ext_version(device, lowest, highest)
    }

    fn phone_select_ext_version(&self, phone: HdPhone, version: ExtensionVersion) -> Result<(), LineError> {
        self.inner.phone_select_ext_version(phone, version)
    }

    fn line_create_msp_instance(
        &self,
        line: HdLine,
        address: u32,
        msp: HtMspLine,
    ) -> Result<HdMspLine, LineError> {
        self.inner.line_create_msp_instance(line, address, msp)
    }

    fn line_close_msp_instance(&self, msp: HdMspLine) -> Result<(), LineError> {
        self.inner.line_close_msp_instance(msp)
    }

    fn line_receive_msp_data(
        &self,
        line: HdLine,
        call: Option<HdCall>,
        msp: HdMspLine,
        data: Opaque,
    ) -> Result<(), LineError> {
        let taken = self.inner.line_receive_msp_data(line, call, msp, data);
        if self.is(Fault::TakesUnknownBuffers) { Ok(()) } else { taken }
    }
}

/// Each fault, with the rule that it breaks.
const FAULTS: &[(Fault, Rule)] = &[
    (Fault::LowestVersion, Rule::VersionCommon),
    (Fault::AnyVersion, Rule::VersionNone),
    (Fault::NoMediaInCaps, Rule::Caps),
    (Fault::NamesHoldAndHasNone, Rule::CapsBits),
    (Fault::HasHoldUnnamed, Rule::CapsBits),
    (Fault::OpensTwice, Rule::LineOpen),
    (Fault::LineStaysOpen, Rule::LineClose),
    (Fault::TakesGarbage, Rule::Handles),
    (Fault::Panics, Rule::Handles),
    (Fault::CompletesTwice, Rule::CompletionOnce),
    (Fault::NeverCompletes, Rule::CompletionOnce),
    (Fault::CompletesRefused, Rule::CompletionOnce),
    (Fault::NamesCallEarly, Rule::ValidFirst),
    (Fault::CompletesAfterProceeding, Rule::MakeCompletes),
    (Fault::SkipsConnected, Rule::MakeStates),
    (Fault::SilentToNowhere, Rule::MakeWrong),
    (Fault::InfoBeforeState, Rule::NewCallOrder),
    (Fault::FirstAccepted, Rule::Offering),
    (Fault::AnnouncesTheRefused, Rule::ValidFirst),
    (Fault::Sulks, Rule::NewCallRefused),
    (Fault::IgnoresDetection, Rule::Unwanted),
    (Fault::AcceptsAnything, Rule::Accept),
    (Fault::AnswersAnything, Rule::AnswerState),
    (Fault::AnswerDoesNotConnect, Rule::AnswerConnects),
    (Fault::DropsOfferedNot, Rule::DropStates),
    (Fault::NoIdle, Rule::DropIdle),
    (Fault::IdleByItself, Rule::FarEnd),
    (Fault::Backwards, Rule::States),
    (Fault::TimesGoBack, Rule::Times),
    (Fault::InfoAfterIdle, Rule::InfoAfterIdle),
    (Fault::OriginWrong, Rule::Info),
    (Fault::NoCallId, Rule::CallId),
    (Fault::SucceedsAfterClose, Rule::CloseOutstanding),
    (Fault::NamesClosed, Rule::CloseSilent),
    (Fault::ReportsUnderLock, Rule::Reentry),
    (Fault::MspWithoutCaps, Rule::MspIdentity),
    (Fault::TakesUnknownBuffers, Rule::OpaqueUnknown),
    (Fault::NeverSpeaks, Rule::OpaqueStart),
    (Fault::NeverStops, Rule::OpaqueStop),
    (Fault::MovesNothing, Rule::MoveMedia),
    (Fault::TakesWrongDigits, Rule::Digits),
    (Fault::DialsNothing, Rule::Dial),
    (Fault::HoldsNothing, Rule::Hold),
    (Fault::SwapsNothing, Rule::Swap),
    (Fault::ConsultWithoutHold, Rule::Consult),
    (Fault::TransferKeepsCalls, Rule::Transfer),
    (Fault::ConferenceOfNone, Rule::TransferConference),
    (Fault::BlindKeepsCall, Rule::Blind),
    (Fault::RemovesNobody, Rule::Conference),
    (Fault::ParksNowhere, Rule::Park),
    (Fault::PickupFails, Rule::Pickup),
    (Fault::ForwardsNothing, Rule::Forward),
    (Fault::CompletionUnnamed, Rule::CompleteCall),
    (Fault::AnyExtVersion, Rule::ExtVersion),
    (Fault::SpeaksUnselected, Rule::ExtSelected),
    (Fault::PhoneStaysOpen, Rule::Phone),
    (Fault::PhoneTellsNothing, Rule::PhoneSet),
    (Fault::PhoneSpeaksUnselected, Rule::PhoneExt),
    (Fault::TalksAfterShutdown, Rule::Shutdown),
];

/// A harness with less patience: what a broken provider does not say, it never says.
struct Impatient(Exchange);

impl offhook_conformance::Harness for Impatient {
    fn destination(&mut self) -> Option<String> {
        self.0.destination()
    }
    fn second_destination(&mut self) -> Option<String> {
        self.0.second_destination()
    }
    fn nowhere(&mut self) -> Option<String> {
        self.0.nowhere()
    }
    fn busy(&mut self) -> Option<String> {
        self.0.busy()
    }
    fn rings_elsewhere(&mut self) -> Option<String> {
        self.0.rings_elsewhere()
    }
    fn calls_in(&mut self) -> bool {
        self.0.calls_in()
    }
    fn far_end_answers(&mut self) -> bool {
        self.0.far_end_answers()
    }
    fn far_end_hangs_up(&mut self) -> bool {
        self.0.far_end_hangs_up()
    }
    fn all_released(&mut self) -> Option<bool> {
        self.0.all_released()
    }
    fn move_on(&mut self) {
        self.0.move_on();
    }
    fn patience(&self) -> Duration {
        Duration::from_millis(150)
    }
    fn stillness(&self) -> Duration {
        Duration::from_millis(80)
    }
}

#[test]
fn every_rule_is_found_when_it_is_broken() {
    let mut missed = Vec::new();
    std::thread::scope(|scope| {
        let tried: Vec<_> = FAULTS
            .iter()
            .map(|(fault, rule)| {
                scope.spawn(move || {
                    // Step by step, so that requests are outstanding when their call is closed.
                    let config = ScriptedConfig { drive: Drive::Stepped, ..ScriptedConfig::switch(3) };
                    let (inner, harness) = Exchange::new(config);
                    let report = run(Broken::new(inner, *fault), &mut Impatient(harness));
                    let found = report.failed().any(|broken| broken == rule.id());
                    (!found).then(|| format!("{fault:?} does not break {}: {report}", rule.id()))
                })
            })
            .collect();
        missed.extend(tried.into_iter().filter_map(|thread| thread.join().unwrap()));
    });
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_table_has_a_fault_for_every_rule() {
    let covered = |rule: &&Rule| FAULTS.iter().any(|(_, known)| known == *rule);
    let without: Vec<_> = Rule::ALL.iter().filter(|rule| !covered(rule)).collect();
    assert!(without.is_empty(), "{without:?}");
}
