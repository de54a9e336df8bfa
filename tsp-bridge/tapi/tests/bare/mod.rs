//! A provider that does nothing of itself: every call, state and identity is the test's. And clients of the broker that
//! keep what they are told, without the crate under test between.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use offhook_broker::Broker;
use offhook_spi::{
    ApiVersion, AppEvent, AppReply, AppRequest, AppSink, CallInfo, CallInfoChange, CallOrigin, CallParams,
    CallReason, DeviceId, DigitMode, DisconnectMode, HCall, HHub, HLine, HdCall, HdLine, HdMspLine, HtCall,
    HtLine, HtMspLine, HubRecord, HubSnapshot, HubTracking, LineCallState, LineDevCaps, LineError, Link,
    MediaTypes, Opaque, Privilege, RequestId, Timestamp, TspEvents, Tspi,
};

/// The provider.
pub(crate) struct Bare {
    name: String,
    devices: u32,
    tracking: HubTracking,
    state: Mutex<Switch>,
}

#[derive(Default)]
struct Switch {
    events: Option<Arc<dyn TspEvents>>,
    last: u64,
    lines: BTreeMap<HdLine, (u32, HtLine)>,
    calls: BTreeMap<HdCall, BareCall>,
    /// What a call that is placed next is known by.
    next: u32,
    /// What it was told to track, by device.
    told: BTreeMap<u32, HubTracking>,
    refuses: bool,
    drops: usize,
}

#[derive(Clone)]
pub(crate) struct BareCall {
    pub(crate) device: u32,
    pub(crate) ht: HtCall,
    pub(crate) info: CallInfo,
    pub(crate) state: Option<LineCallState>,
}

impl Bare {
    pub(crate) fn new(name: &str, devices: u32, tracking: HubTracking) -> Arc<Self> {
        let (name, state) = (name.to_owned(), Mutex::default());
        Arc::new(Self { name, devices, tracking, state })
    }

    /// A call of `caller` arrives, in `state`. None if nobody wants it.
    pub(crate) fn arrive(
        &self,
        device: u32,
        caller: &str,
        call_id: u32,
        state: LineCallState,
    ) -> Option<HdCall> {
        let (events, line, hd) = {
            let mut switch = self.state.lock().unwrap();
            let (_, line) = *switch.lines.values().find(|(of, _)| *of == device)?;
            switch.last += 1;
            (switch.events.clone()?, line, HdCall(switch.last))
        };
        let mut info = CallInfo::new(CallOrigin::Inbound, CallReason::Direct, MediaTypes::AUDIO);
        info.call_id = call_id;
        caller.clone_into(&mut info.caller.address);
        // The broker asks what is known of it before it announces it.
        let call = BareCall { device, ht: HtCall(0), info, state: Some(state) };
        self.state.lock().unwrap().calls.insert(hd, call);
        let Some(ht) = events.new_call(line, hd) else {
            self.state.lock().unwrap().calls.remove(&hd);
            return None;
        };
        if let Some(call) = self.state.lock().unwrap().calls.get_mut(&hd) {
            call.ht = ht;
        }
        events.call_state(line, ht, state, self.now());
        self.call(hd).map(|_| hd)
    }

    /// Reports a state.
    pub(crate) fn report(&self, hd: HdCall, state: LineCallState) {
        let Some((events, line, call)) = self.named(hd) else { return };
        if let Some(call) = self.state.lock().unwrap().calls.get_mut(&hd) {
            call.state = Some(state);
        }
        events.call_state(line, call.ht, state, self.now());
    }

    /// Changes what is known of a call, and reports that.
    pub(crate) fn inform(&self, hd: HdCall, change: CallInfoChange, edit: impl FnOnce(&mut CallInfo)) {
        if let Some(call) = self.state.lock().unwrap().calls.get_mut(&hd) {
            edit(&mut call.info);
        }
        if let Some((events, line, call)) = self.named(hd) {
            events.call_info(line, call.ht, change);
        }
    }

    /// Calls that are placed from now on are known by this identity; 0: not known yet.
    pub(crate) fn identify_next(&self, call_id: u32) {
        self.state.lock().unwrap().next = call_id;
    }

    /// The device is pulled.
    pub(crate) fn pull(&self, device: u32) {
        let (events, line) = {
            let mut switch = self.state.lock().unwrap();
            let gone: Vec<_> = switch.lines.extract_if(.., |_, (of, _)| *of == device).collect();
            let Some((_, (_, line))) = gone.into_iter().next() else { return };
            switch.calls.retain(|_, call| call.device != device);
            switch.told.remove(&device);
            (switch.events.clone(), line)
        };
        if let Some(events) = events {
            events.line_closed(line, LineError::failed("pulled"));
        }
    }

    /// From now on it refuses to track more than nothing, or does not any more.
    pub(crate) fn refuse_tracking(&self, refuses: bool) {
        self.state.lock().unwrap().refuses = refuses;
    }

    pub(crate) fn calls(&self) -> Vec<(HdCall, BareCall)> {
        self.state.lock().unwrap().calls.iter().map(|(hd, call)| (*hd, call.clone())).collect()
    }

    pub(crate) fn call(&self, hd: HdCall) -> Option<BareCall> {
        self.state.lock().unwrap().calls.get(&hd).cloned()
    }

    /// What it was told to track on a device whose line is open.
    pub(crate) fn told(&self, device: u32) -> Option<HubTracking> {
        let switch = self.state.lock().unwrap();
        let open = switch.lines.values().any(|(of, _)| *of == device);
        open.then(|| switch.told.get(&device).copied().unwrap_or_default())
    }

    /// How many calls it was asked to drop.
    pub(crate) fn drops(&self) -> usize {
        self.state.lock().unwrap().drops
    }

    fn now(&self) -> Timestamp {
        let mut switch = self.state.lock().unwrap();
        switch.last += 1;
        Timestamp(switch.last)
    }

    fn named(&self, hd: HdCall) -> Option<(Arc<dyn TspEvents>, HtLine, BareCall)> {
        let switch = self.state.lock().unwrap();
        let call = switch.calls.get(&hd)?.clone();
        let (_, line) = switch.lines.values().find(|(of, _)| *of == call.device)?;
        Some((switch.events.clone()?, *line, call))
    }

    fn complete(&self, request: RequestId) -> Result<(), LineError> {
        let events = self.state.lock().unwrap().events.clone().ok_or(LineError::NoDriver)?;
        events.async_completion(request, Ok(()));
        Ok(())
    }
}

impl Tspi for Bare {
    fn line_negotiate_version(
        &self,
        _device: u32,
        _lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        Ok(highest)
    }

    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        self.state.lock().unwrap().events = Some(events);
        Ok(())
    }

    fn provider_shutdown(&self) {
        let events = self.state.lock().unwrap().events.take();
        drop(events);
    }

    fn line_devices(&self) -> u32 {
        self.devices
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        Ok(LineDevCaps {
            device: DeviceId(device),
            provider: self.name.clone(),
            line_name: format!("{} {device}", self.name),
            media: MediaTypes::AUDIO,
            hub_tracking: self.tracking,
            ..LineDevCaps::default()
        })
    }

    fn line_open(&self, device: u32, line: HtLine, _version: ApiVersion) -> Result<HdLine, LineError> {
        let mut switch = self.state.lock().unwrap();
        switch.last += 1;
        let hd = HdLine(switch.last);
        switch.lines.insert(hd, (device, line));
        Ok(hd)
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        let mut switch = self.state.lock().unwrap();
        let (device, _) = switch.lines.remove(&line).ok_or(LineError::InvalLineHandle)?;
        switch.calls.retain(|_, call| call.device != device);
        switch.told.remove(&device);
        Ok(())
    }

    fn line_set_default_media_detection(&self, _line: HdLine, _media: MediaTypes) -> Result<(), LineError> {
        Ok(())
    }

    fn line_set_call_hub_tracking(&self, line: HdLine, level: HubTracking) -> Result<(), LineError> {
        let mut switch = self.state.lock().unwrap();
        let (device, _) = *switch.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        if switch.refuses && level != HubTracking::None {
            return Err(LineError::failed("does not track"));
        }
        switch.told.insert(device, level);
        Ok(())
    }

    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        ht: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        let hd = {
            let mut switch = self.state.lock().unwrap();
            let (device, _) = *switch.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
            switch.last += 1;
            let hd = HdCall(switch.last);
            let mut info = CallInfo::new(CallOrigin::Outbound, CallReason::Direct, params.media);
            info.call_id = switch.next;
            info.caller.address.clone_from(&params.destination);
            switch.calls.insert(hd, BareCall { device, ht, info, state: None });
            hd
        };
        self.complete(request)?;
        Ok(hd)
    }

    fn line_accept(&self, request: RequestId, _call: HdCall) -> Result<(), LineError> {
        self.complete(request)
    }

    fn line_answer(&self, request: RequestId, _call: HdCall) -> Result<(), LineError> {
        self.complete(request)
    }

    fn line_drop(&self, request: RequestId, call: HdCall, _mode: DisconnectMode) -> Result<(), LineError> {
        self.state.lock().unwrap().drops += 1;
        self.complete(request)?;
        self.report(call, LineCallState::Idle);
        Ok(())
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        let known = self.state.lock().unwrap().calls.remove(&call);
        known.map(drop).ok_or(LineError::InvalCallHandle)
    }

    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError> {
        self.call(call).map(|call| call.info).ok_or(LineError::InvalCallHandle)
    }

    fn line_generate_digits(
        &self,
        request: RequestId,
        _call: HdCall,
        _mode: DigitMode,
        _digits: &str,
    ) -> Result<(), LineError> {
        self.complete(request)
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

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<AppEvent>>,
    came: Condvar,
}

impl AppSink for Recorder {
    fn deliver(&self, event: AppEvent) {
        self.events.lock().unwrap().push(event);
        self.came.notify_all();
    }
}

/// A client that keeps what it is told.
pub(crate) struct Client {
    link: Arc<dyn Link>,
    recorder: Arc<Recorder>,
    next: AtomicU32,
}

impl Client {
    pub(crate) fn new(broker: &Broker, name: &str) -> Self {
        let recorder = Arc::new(Recorder::default());
        let link = broker.connect(name, recorder.clone());
        Self { link, recorder, next: AtomicU32::new(1) }
    }

    /// Asks and waits for the reply, which another thread may be delivering. It is not among the events then.
    pub(crate) fn ask(&self, what: AppRequest) -> Result<AppReply, LineError> {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        self.link.submit(id, what.clone()).map_err(|_| LineError::NoDriver)?;
        let ours = |event: &AppEvent| matches!(event, AppEvent::Reply { request, .. } if *request == id);
        let mut events = self.recorder.events.lock().unwrap();
        loop {
            if let Some(at) = events.iter().position(ours)
                && let AppEvent::Reply { result, .. } = events.remove(at)
            {
                return result;
            }
            let waited = self.recorder.came.wait_timeout(events, Duration::from_secs(60)).unwrap();
            assert!(!waited.1.timed_out(), "no reply to {what:?}");
            events = waited.0;
        }
    }

    pub(crate) fn done(&self, what: AppRequest) {
        assert_eq!(self.ask(what), Ok(AppReply::Done));
    }

    pub(crate) fn open(&self, device: u32, privilege: Privilege) -> HLine {
        let what = AppRequest::OpenLine { device: DeviceId(device), privilege, media: MediaTypes::AUDIO };
        match self.ask(what) {
            Ok(AppReply::Line(line)) => line,
            other => panic!("no line: {other:?}"),
        }
    }

    pub(crate) fn track(&self, device: u32, level: HubTracking) {
        self.done(AppRequest::SetCallHubTracking { device: DeviceId(device), level });
    }

    pub(crate) fn place(&self, line: HLine, destination: &str) -> Option<HCall> {
        let destination = destination.to_owned();
        let params = CallParams { destination, media: MediaTypes::AUDIO, ..CallParams::default() };
        match self.ask(AppRequest::MakeCall { line, params }) {
            Ok(AppReply::Call(call)) => Some(call),
            _ => None,
        }
    }

    pub(crate) fn hubs(&self) -> Vec<HubSnapshot> {
        match self.ask(AppRequest::Hubs) {
            Ok(AppReply::Hubs(hubs)) => hubs,
            other => panic!("no hubs: {other:?}"),
        }
    }

    pub(crate) fn hub_of(&self, call: HCall) -> Result<HubSnapshot, LineError> {
        match self.ask(AppRequest::CallHub { call }) {
            Ok(AppReply::Hub(hub)) => Ok(*hub),
            Ok(other) => panic!("not a hub: {other:?}"),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn clear(&self, hub: HHub) -> Result<AppReply, LineError> {
        self.ask(AppRequest::ClearHub { hub })
    }

    /// What came since the last time, replies that were waited for left out.
    pub(crate) fn news(&self) -> Vec<AppEvent> {
        std::mem::take(&mut self.recorder.events.lock().unwrap())
    }

    /// The calls that were announced, of what came since the last time.
    pub(crate) fn announced(&self) -> Vec<HCall> {
        let pick = |event: &AppEvent| match event {
            AppEvent::NewCall { call, .. } => Some(*call),
            _ => None,
        };
        self.recorder.events.lock().unwrap().iter().filter_map(pick).collect()
    }

    /// The hub records of what came since the last time.
    pub(crate) fn records(&self) -> Vec<HubRecord> {
        let pick = |event: AppEvent| match event {
            AppEvent::Hub(record) => Some(record),
            _ => None,
        };
        self.news().into_iter().filter_map(pick).collect()
    }
}
