//! A provider on strings: takes every request, writes it down and does nothing more, unless its tester hooks in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use offhook_broker::Broker;
use offhook_spi::{
    ApiVersion, CallFeatures, CallInfo, CallOrigin, CallParams, CallReason, CompletionMode, ConferenceCalls,
    DigitMode, DisconnectMode, ExtensionId, ExtensionVersion, Forward, HdCall, HdLine, HdMspLine, HdPhone,
    HtCall, HtLine, HtMspLine, HtPhone, LineCallState, LineDevCaps, LineError, MediaTypes, Opaque, ParkMode,
    PhoneCaps, PhoneSetting, PhoneStatus, RequestId, Timestamp, TransferMode, TspEvents, Tspi,
};

type Hook = Box<dyn FnOnce(&Puppet, RequestId) -> Result<(), LineError> + Send>;

pub(crate) struct Puppet {
    pub(crate) features: CallFeatures,
    /// Of the calls that it announces.
    media: Mutex<MediaTypes>,
    events: Mutex<Option<Arc<dyn TspEvents>>>,
    last: AtomicU64,
    hook: Mutex<Option<Hook>>,
    /// What `line_move_media` and the selection of an extension answer.
    pub(crate) refusal: Mutex<Option<LineError>>,
    requests: Mutex<Vec<RequestId>>,
    lines: Mutex<BTreeMap<u32, (HdLine, HtLine)>>,
    /// The calls made, by the broker's names.
    made: Mutex<Vec<(HtCall, HdCall)>>,
    msps: Mutex<Vec<(HtMspLine, HdMspLine)>>,
    phones: Mutex<Vec<HtPhone>>,
    log: Mutex<Vec<String>>,
    /// Buffers that MSPs sent, and from which instance.
    pub(crate) received: Mutex<Vec<(HdMspLine, Opaque)>>,
}

impl Puppet {
    pub(crate) fn with(features: CallFeatures) -> Arc<Self> {
        Arc::new(Self {
            features,
            media: Mutex::new(MediaTypes::AUDIO),
            events: Mutex::default(),
            last: AtomicU64::new(0),
            hook: Mutex::default(),
            refusal: Mutex::default(),
            requests: Mutex::default(),
            lines: Mutex::default(),
            made: Mutex::default(),
            msps: Mutex::default(),
            phones: Mutex::default(),
            log: Mutex::default(),
            received: Mutex::default(),
        })
    }

    /// A broker with a puppet that has every verb.
    pub(crate) fn house() -> (Broker, Arc<Self>) {
        let puppet = Self::with(CallFeatures::from_bits(u32::MAX));
        let broker = Broker::new();
        broker.add_provider(puppet.clone()).unwrap();
        (broker, puppet)
    }

    /// From inside the next request, before it returns; what it answers the request returns.
    pub(crate) fn next(&self, hook: impl FnOnce(&Self, RequestId) -> Result<(), LineError> + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    pub(crate) fn events(&self) -> Arc<dyn TspEvents> {
        self.events.lock().unwrap().clone().unwrap()
    }

    pub(crate) fn set_media(&self, media: MediaTypes) {
        *self.media.lock().unwrap() = media;
    }

    pub(crate) fn last_request(&self) -> RequestId {
        *self.requests.lock().unwrap().last().unwrap()
    }

    pub(crate) fn complete(&self, result: Result<(), LineError>) {
        self.events().async_completion(self.last_request(), result);
    }

    /// The broker's and its own names of the calls made, in order.
    pub(crate) fn made(&self) -> Vec<(HtCall, HdCall)> {
        self.made.lock().unwrap().clone()
    }

    pub(crate) fn line(&self, device: u32) -> HtLine {
        self.lines.lock().unwrap()[&device].1
    }

    pub(crate) fn msps(&self) -> Vec<HtMspLine> {
        self.msps.lock().unwrap().iter().map(|(ht, _)| *ht).collect()
    }

    pub(crate) fn hd_msp(&self, ht: HtMspLine) -> HdMspLine {
        self.msps.lock().unwrap().iter().find(|(known, _)| *known == ht).unwrap().1
    }

    pub(crate) fn phone(&self) -> HtPhone {
        *self.phones.lock().unwrap().last().unwrap()
    }

    /// Announces a call and gives it a state.
    pub(crate) fn announce(&self, device: u32, state: LineCallState) -> (HtCall, HdCall) {
        let hd = HdCall(self.handle());
        let ht = self.events().new_call(self.line(device), hd).unwrap();
        self.made.lock().unwrap().push((ht, hd));
        self.state(device, ht, state);
        (ht, hd)
    }

    pub(crate) fn state(&self, device: u32, call: HtCall, state: LineCallState) {
        self.events().call_state(self.line(device), call, state, Timestamp(self.handle()));
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn clear(&self) {
        self.log.lock().unwrap().clear();
    }

    fn handle(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn note(&self, what: &str) {
        self.log.lock().unwrap().push(what.to_owned());
    }

    fn ask(&self, what: &str, request: RequestId) -> Result<(), LineError> {
        self.note(what);
        self.requests.lock().unwrap().push(request);
        let hook = self.hook.lock().unwrap().take();
        hook.map_or(Ok(()), |hook| hook(self, request))
    }

    fn make(&self, what: &str, request: RequestId, call: HtCall) -> Result<HdCall, LineError> {
        let hd = HdCall(self.handle());
        self.made.lock().unwrap().push((call, hd));
        self.ask(what, request).map(|()| hd)
    }

    fn refused(&self) -> Result<(), LineError> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

pub(crate) const EXTENSION: ExtensionId = ExtensionId([7; 16]);
pub(crate) const EXT_1: ExtensionVersion = ExtensionVersion(0x0001_0000);
pub(crate) const EXT_2: ExtensionVersion = ExtensionVersion(0x0002_0000);

impl Tspi for Puppet {
    fn line_negotiate_version(
        &self,
        _device: u32,
        _lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        Ok(highest)
    }
    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        *self.events.lock().unwrap() = Some(events);
        Ok(())
    }
    fn provider_shutdown(&self) {
        self.note("shutdown");
        let events = self.events.lock().unwrap().take();
        drop(events);
    }
    fn line_devices(&self) -> u32 {
        2
    }
    fn line_dev_caps(&self, _device: u32) -> Result<LineDevCaps, LineError> {
        let (media, features) = (MediaTypes::AUDIO.union(MediaTypes::VIDEO), self.features);
        Ok(LineDevCaps { media, features, has_msp: true, ..LineDevCaps::default() })
    }
    fn line_open(&self, device: u32, line: HtLine, _version: ApiVersion) -> Result<HdLine, LineError> {
        let hd = HdLine(self.handle());
        self.lines.lock().unwrap().insert(device, (hd, line));
        Ok(hd)
    }
    fn line_close(&self, _line: HdLine) -> Result<(), LineError> {
        self.note("line_close");
        Ok(())
    }
    fn line_set_default_media_detection(&self, _line: HdLine, _media: MediaTypes) -> Result<(), LineError> {
        Ok(())
    }
    fn line_make_call(
        &self,
        r: RequestId,
        _l: HdLine,
        c: HtCall,
        _p: &CallParams,
    ) -> Result<HdCall, LineError> {
        self.make("make_call", r, c)
    }
    fn line_accept(&self, r: RequestId, _c: HdCall) -> Result<(), LineError> {
        self.ask("accept", r)
    }
    fn line_answer(&self, r: RequestId, _c: HdCall) -> Result<(), LineError> {
        self.ask("answer", r)
    }
    fn line_drop(&self, r: RequestId, c: HdCall, m: DisconnectMode) -> Result<(), LineError> {
        self.ask(&format!("drop {} {m:?}", c.0), r)
    }
    fn line_close_call(&self, c: HdCall) -> Result<(), LineError> {
        self.note(&format!("close_call {}", c.0));
        Ok(())
    }
    fn line_call_info(&self, _c: HdCall) -> Result<CallInfo, LineError> {
        Ok(CallInfo::new(CallOrigin::Inbound, CallReason::Direct, *self.media.lock().unwrap()))
    }
    fn line_generate_digits(
        &self,
        r: RequestId,
        _c: HdCall,
        _m: DigitMode,
        _d: &str,
    ) -> Result<(), LineError> {
        self.ask("generate_digits", r)
    }
    fn line_dial(&self, r: RequestId, _c: HdCall, _d: &str, _complete: bool) -> Result<(), LineError> {
        self.ask("dial", r)
    }
    fn line_redirect(&self, r: RequestId, _c: HdCall, _d: &str) -> Result<(), LineError> {
        self.ask("redirect", r)
    }
    fn line_hold(&self, r: RequestId, _c: HdCall) -> Result<(), LineError> {
        self.ask("hold", r)
    }
    fn line_unhold(&self, r: RequestId, _c: HdCall) -> Result<(), LineError> {
        self.ask("unhold", r)
    }
    fn line_swap_hold(&self, r: RequestId, a: HdCall, h: HdCall) -> Result<(), LineError> {
        self.ask(&format!("swap {} {}", a.0, h.0), r)
    }
    fn line_setup_transfer(
        &self,
        r: RequestId,
        _c: HdCall,
        consult: HtCall,
        _p: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        self.make("setup_transfer", r, consult)
    }
    fn line_complete_transfer(
        &self,
        r: RequestId,
        _c: HdCall,
        _consult: HdCall,
        mode: TransferMode,
        conference: HtCall,
    ) -> Result<Option<HdCall>, LineError> {
        match mode {
            TransferMode::Transfer => self.ask("complete_transfer", r).map(|()| None),
            TransferMode::Conference => self.make("transfer_to_conference", r, conference).map(Some),
        }
    }
    fn line_blind_transfer(&self, r: RequestId, _c: HdCall, _d: &str) -> Result<(), LineError> {
        self.ask("blind_transfer", r)
    }
    fn line_setup_conference(
        &self,
        r: RequestId,
        _l: HdLine,
        _c: Option<HdCall>,
        conference: HtCall,
        consult: HtCall,
        _p: Option<&CallParams>,
    ) -> Result<ConferenceCalls, LineError> {
        let of_conference = HdCall(self.handle());
        self.made.lock().unwrap().push((conference, of_conference));
        let consult = self.make("setup_conference", r, consult)?;
        Ok(ConferenceCalls { conference: of_conference, consult })
    }
    fn line_prepare_add_to_conference(
        &self,
        r: RequestId,
        _c: HdCall,
        consult: HtCall,
        _p: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        self.make("prepare_add", r, consult)
    }
    fn line_add_to_conference(&self, r: RequestId, c: HdCall, a: HdCall) -> Result<(), LineError> {
        self.ask(&format!("add {} {}", c.0, a.0), r)
    }
    fn line_remove_from_conference(&self, r: RequestId, _c: HdCall) -> Result<(), LineError> {
        self.ask("remove", r)
    }
    fn line_park(&self, r: RequestId, _c: HdCall, _m: &ParkMode) -> Result<(), LineError> {
        self.ask("park", r)
    }
    fn line_unpark(&self, r: RequestId, _l: HdLine, c: HtCall, _a: &str) -> Result<HdCall, LineError> {
        self.make("unpark", r, c)
    }
    fn line_pickup(
        &self,
        r: RequestId,
        _l: HdLine,
        c: HtCall,
        _a: Option<&str>,
        _g: Option<&str>,
    ) -> Result<HdCall, LineError> {
        self.make("pickup", r, c)
    }
    fn line_forward(
        &self,
        r: RequestId,
        _l: HdLine,
        _i: &[Forward],
        _n: Option<u32>,
    ) -> Result<(), LineError> {
        self.ask("forward", r)
    }
    fn line_complete_call(&self, r: RequestId, _c: HdCall, _m: CompletionMode) -> Result<(), LineError> {
        self.ask("complete_call", r)
    }
    fn line_uncomplete_call(&self, r: RequestId, _l: HdLine, _c: u32) -> Result<(), LineError> {
        self.ask("uncomplete_call", r)
    }
    fn line_extension(&self, _device: u32) -> Result<ExtensionId, LineError> {
        Ok(EXTENSION)
    }
    fn line_negotiate_ext_version(
        &self,
        _device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        let found = ExtensionVersion::negotiate(lowest, highest, EXT_1, EXT_2);
        found.ok_or(LineError::IncompatibleExtVersion)
    }
    fn line_select_ext_version(&self, _line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        self.note(&format!("select {}", version.0 >> 16));
        self.refused()
    }
    fn line_dev_specific(
        &self,
        r: RequestId,
        _l: HdLine,
        c: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        self.ask(&format!("dev_specific {:?} {:?}", c.map(|c| c.0), data.as_bytes()), r)
    }
    fn line_move_media(&self, call: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        self.note(&format!("move_media {} {}", call.0, msp.0));
        self.refused()
    }
    fn phone_devices(&self) -> u32 {
        1
    }
    fn phone_dev_caps(&self, device: u32) -> Result<PhoneCaps, LineError> {
        Ok(PhoneCaps { name: format!("phone {device}"), buttons: 3, ..PhoneCaps::default() })
    }
    fn phone_open(&self, _device: u32, phone: HtPhone) -> Result<HdPhone, LineError> {
        self.note("phone_open");
        self.phones.lock().unwrap().push(phone);
        let hook = self.hook.lock().unwrap().take();
        hook.map_or(Ok(()), |hook| hook(self, RequestId(0)))?;
        Ok(HdPhone(self.handle()))
    }
    fn phone_close(&self, _phone: HdPhone) -> Result<(), LineError> {
        self.note("phone_close");
        Ok(())
    }
    fn phone_status(&self, _phone: HdPhone) -> Result<PhoneStatus, LineError> {
        Ok(PhoneStatus { ring_mode: 4, ..PhoneStatus::default() })
    }
    fn phone_set(&self, r: RequestId, _p: HdPhone, setting: &PhoneSetting) -> Result<(), LineError> {
        self.ask(&format!("phone_set {setting:?}"), r)
    }
    fn phone_dev_specific(&self, r: RequestId, _p: HdPhone, data: &Opaque) -> Result<(), LineError> {
        self.ask(&format!("phone_dev_specific {:?}", data.as_bytes()), r)
    }
    fn phone_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), LineError> {
        Ok((EXTENSION, self.line_negotiate_ext_version(device, lowest, highest)?))
    }
    fn phone_select_ext_version(&self, _phone: HdPhone, version: ExtensionVersion) -> Result<(), LineError> {
        self.note(&format!("phone_select {}", version.0 >> 16));
        self.refused()
    }
    fn line_create_msp_instance(
        &self,
        _line: HdLine,
        _address: u32,
        msp: HtMspLine,
    ) -> Result<HdMspLine, LineError> {
        let hd = HdMspLine(self.handle());
        self.msps.lock().unwrap().push((msp, hd));
        Ok(hd)
    }
    fn line_close_msp_instance(&self, msp: HdMspLine) -> Result<(), LineError> {
        self.note(&format!("close_msp {}", msp.0));
        Ok(())
    }
    fn line_receive_msp_data(
        &self,
        _line: HdLine,
        _call: Option<HdCall>,
        msp: HdMspLine,
        data: Opaque,
    ) -> Result<(), LineError> {
        self.received.lock().unwrap().push((msp, data));
        Ok(())
    }
}
