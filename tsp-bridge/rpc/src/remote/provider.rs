//! The verbs of TSPI, each as a request to the far broker.
//!
//! In: requests of the broker here. Out: requests to the far one, with our names exchanged for its.

use std::sync::Arc;

use offhook_spi::{
    ApiVersion, AppReply, AppRequest, CallInfo, CallOrigin, CallParams, CallReason, CompletionMode,
    ConferenceCalls, DigitMode, DisconnectMode, ExtensionId, ExtensionVersion, Forward, HdCall, HdLine,
    HdMspLine, HdPhone, HtCall, HtLine, HtMspLine, HtPhone, HubTracking, LineDevCaps, LineError, MediaTypes,
    Opaque, ParkMode, PhoneCaps, PhoneSetting, PhoneStatus, Privilege, Q931Verb, RequestId, TransferMode,
    TspEvents, Tspi,
};

use super::tables::{Line, Msp, Opening, Pending, Phone};
use super::{Inner, RemoteProvider, unexpected};

/// The lowest version that the far line may have.
const LOWEST: ApiVersion = ApiVersion(0x0002_0000);

impl Inner {
    /// A request about a call, that the far broker completes.
    fn act(
        &self,
        request: RequestId,
        call: HdCall,
        what: impl FnOnce(offhook_spi::HCall) -> AppRequest,
    ) -> Result<(), LineError> {
        let far = self.lock().far_call(call)?;
        self.submit(what(far), Pending::Request(request, Some(call)))
    }

    /// A request that makes a call. Nothing is begun while the connection is lost: nobody could hear of it in time.
    fn make(
        &self,
        request: RequestId,
        line: HdLine,
        ht: HtCall,
        params: Option<&CallParams>,
        what: AppRequest,
    ) -> Result<HdCall, LineError> {
        let hd = {
            let mut state = self.lock();
            if let Some(why) = &state.lost {
                return Err(self.unreachable(why));
            }
            state.enter(line, Some(ht), outbound(params))
        };
        self.submit(what, Pending::Call(request, hd)).inspect_err(|_| {
            self.lock().calls.remove(&hd);
        })?;
        Ok(hd)
    }

    /// The line of a call.
    fn line_of(&self, call: HdCall) -> Result<HdLine, LineError> {
        self.lock().calls.get(&call).map(|call| call.line).ok_or(LineError::InvalCallHandle)
    }

    /// A far opening.
    fn open(
        &self,
        device: u32,
        privilege: Privilege,
        media: MediaTypes,
    ) -> Result<offhook_spi::HLine, LineError> {
        let device = {
            let state = self.lock();
            state.devices.get(device as usize).ok_or(LineError::BadDeviceId)?.caps.device
        };
        match self.ask(AppRequest::OpenLine { device, privilege, media })? {
            AppReply::Line(line) => Ok(line),
            other => Err(unexpected(other)),
        }
    }

    fn far_phone(&self, phone: HdPhone) -> Result<offhook_spi::HPhone, LineError> {
        self.lock().phones.get(&phone).map(|phone| phone.far).ok_or(LineError::InvalPhoneHandle)
    }

    fn far_device(&self, device: u32) -> Result<offhook_spi::DeviceId, LineError> {
        let state = self.lock();
        Ok(state.devices.get(device as usize).ok_or(LineError::BadDeviceId)?.caps.device)
    }

    fn extension(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), LineError> {
        let device = self.far_device(device)?;
        match self.ask(AppRequest::NegotiateExtVersion { device, lowest, highest })? {
            AppReply::Extension { id, version } => Ok((id, version)),
            other => Err(unexpected(other)),
        }
    }

    /// Gives up what a call still holds there.
    pub(super) fn close_call(&self, call: HdCall) -> Result<(), LineError> {
        let (failed, forgotten) = {
            let mut state = self.lock();
            let entry = state.calls.get_mut(&call).ok_or(LineError::InvalCallHandle)?;
            entry.abandoned = true;
            let events = state.events.clone();
            let failed: Vec<_> = state
                .pending
                .iter_mut()
                .filter_map(|(_, pending)| match pending {
                    Pending::Request(request, Some(of)) if *of == call => {
                        let request = *request;
                        *pending = Pending::Nobody;
                        Some(request)
                    }
                    _ => None,
                })
                .collect();
            // One that the far broker has not named is given up with its reply.
            let named = state.calls.get(&call).is_some_and(|call| call.far.is_some() || call.over);
            let forgotten = if named { state.forget(call) } else { None };
            (events.map(|events| (events, failed)), forgotten)
        };
        if let Some((events, failed)) = failed {
            for request in failed {
                events.async_completion(request, Err(LineError::failed("the call was closed")));
            }
        }
        if let Some((far, retired)) = forgotten {
            if let Some(call) = far {
                self.tell(AppRequest::Deallocate { call });
            }
            if let Some(line) = retired {
                self.tell(AppRequest::CloseLine { line });
            }
        }
        Ok(())
    }
}

/// What is known of a call that is being placed.
fn outbound(params: Option<&CallParams>) -> CallInfo {
    let media = params.map_or(MediaTypes::NONE, |params| params.media);
    let mut info = CallInfo::new(CallOrigin::Outbound, CallReason::Direct, media);
    if let Some(params) = params {
        info.called.address.clone_from(&params.destination);
    }
    info
}

impl Tspi for RemoteProvider {
    fn line_negotiate_version(
        &self,
        device: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        let own = self.inner.lock().devices.get(device as usize).ok_or(LineError::BadDeviceId)?.version;
        ApiVersion::negotiate(lowest, highest, LOWEST, own).ok_or(LineError::IncompatibleApiVersion)
    }

    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        self.inner.lock().events = Some(events);
        Ok(())
    }

    fn provider_shutdown(&self) {
        self.inner.stop.send_replace(true);
    }

    fn line_devices(&self) -> u32 {
        u32::try_from(self.inner.lock().devices.len()).unwrap_or(u32::MAX)
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        let state = self.inner.lock();
        let caps = state.devices.get(device as usize).ok_or(LineError::BadDeviceId)?.caps.clone();
        Ok(LineDevCaps { machine: Some(self.inner.name.clone()), ..caps })
    }

    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        self.line_negotiate_version(device, version, version)?;
        let media = self.line_dev_caps(device)?.media;
        let base = self.inner.open(device, Privilege::None, media)?;
        let mut state = self.inner.lock();
        let hd = HdLine(state.handle());
        state.far_lines.insert(base, Opening::Line(hd));
        state.lines.insert(
            hd,
            Line {
                ht: line,
                device: device as usize,
                base: Some(base),
                listening: None,
                media: MediaTypes::NONE,
                retired: Vec::new(),
                extension: ExtensionVersion::default(),
                tracking: HubTracking::default(),
                service: None,
            },
        );
        Ok(hd)
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        let openings = {
            let mut state = self.inner.lock();
            let gone = state.lines.remove(&line).ok_or(LineError::InvalLineHandle)?;
            let mut openings: Vec<_> =
                gone.base.into_iter().chain(gone.listening).chain(gone.retired).collect();
            let msps: Vec<_> = state.msps.extract_if(.., |_, msp| msp.line == line).collect();
            openings.extend(msps.into_iter().filter_map(|(_, msp)| msp.opening));
            state.far_lines.retain(|far, _| !openings.contains(far));
            let calls: Vec<_> = state.calls.extract_if(.., |_, call| call.line == line).collect();
            for (_, call) in &calls {
                if let Some(far) = call.far {
                    state.far_calls.remove(&far);
                }
            }
            openings
        };
        for line in openings {
            self.inner.tell(AppRequest::CloseLine { line });
        }
        Ok(())
    }

    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError> {
        let device = {
            let state = self.inner.lock();
            let entry = state.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
            if entry.media == media {
                return Ok(());
            }
            entry.device
        };
        let newer = if media.is_empty() {
            None
        } else {
            Some(self.inner.open(u32::try_from(device).unwrap_or(u32::MAX), Privilege::Owner, media)?)
        };
        let close = {
            let mut state = self.inner.lock();
            let used = |state: &super::tables::State, opening| {
                state.calls.values().any(|call| call.through == Some(opening))
            };
            let older = state.lines.get(&line).and_then(|entry| entry.listening);
            let keep = older.filter(|older| used(&state, *older));
            let Some(entry) = state.lines.get_mut(&line) else {
                // Closed meanwhile.
                drop(state);
                if let Some(line) = newer {
                    self.inner.tell(AppRequest::CloseLine { line });
                }
                return Err(LineError::InvalLineHandle);
            };
            (entry.listening, entry.media) = (newer, media);
            // Closing it would drop the calls that came through it.
            entry.retired.extend(keep);
            if let Some(newer) = newer {
                state.far_lines.insert(newer, Opening::Line(line));
            }
            let close = older.filter(|older| keep != Some(*older));
            if let Some(close) = close {
                state.far_lines.remove(&close);
            }
            close
        };
        if let Some(line) = close {
            self.inner.tell(AppRequest::CloseLine { line });
        }
        Ok(())
    }

    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        let far = self.inner.lock().far_line(line)?;
        let what = AppRequest::MakeCall { line: far, params: params.clone() };
        self.inner.make(request, line, call, Some(params), what)
    }

    fn line_accept(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::Accept { call })
    }

    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::Answer { call })
    }

    fn line_drop(&self, request: RequestId, call: HdCall, mode: DisconnectMode) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::Drop { call, mode })
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        self.inner.close_call(call)
    }

    /// Asked of the far broker; what was told last while that cannot be.
    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError> {
        let (far, known) = {
            let state = self.inner.lock();
            let entry = state.calls.get(&call).ok_or(LineError::InvalCallHandle)?;
            (entry.far, entry.info.clone())
        };
        let Some(far) = far else { return Ok(known) };
        match self.inner.ask(AppRequest::CallInfo { call: far }) {
            Ok(AppReply::CallInfo(info)) => {
                let mut state = self.inner.lock();
                Ok(state.note_info(call, *info).map_or(known, |(info, _)| info))
            }
            _ => Ok(known),
        }
    }

    fn line_generate_digits(
        &self,
        request: RequestId,
        call: HdCall,
        mode: DigitMode,
        digits: &str,
    ) -> Result<(), LineError> {
        let digits = digits.to_owned();
        self.inner.act(request, call, |call| AppRequest::GenerateDigits { call, mode, digits })
    }

    fn line_dial(
        &self,
        request: RequestId,
        call: HdCall,
        digits: &str,
        complete: bool,
    ) -> Result<(), LineError> {
        let digits = digits.to_owned();
        self.inner.act(request, call, |call| AppRequest::Dial { call, digits, complete })
    }

    fn line_redirect(&self, request: RequestId, call: HdCall, destination: &str) -> Result<(), LineError> {
        let destination = destination.to_owned();
        self.inner.act(request, call, |call| AppRequest::Redirect { call, destination })
    }

    fn line_send_user_user_info(
        &self,
        request: RequestId,
        call: HdCall,
        data: &[u8],
    ) -> Result<(), LineError> {
        let data = data.to_owned();
        self.inner.act(request, call, |call| AppRequest::SendUserUserInfo { call, data })
    }

    fn line_q931(&self, request: RequestId, call: HdCall, what: Q931Verb) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::Q931 { call, what })
    }

    fn line_hold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::Hold { call })
    }

    fn line_unhold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::Unhold { call })
    }

    fn line_swap_hold(&self, request: RequestId, active: HdCall, held: HdCall) -> Result<(), LineError> {
        let held = self.inner.lock().far_call(held)?;
        self.inner.act(request, active, |active| AppRequest::SwapHold { active, held })
    }

    fn line_setup_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let (line, far) = (self.inner.line_of(call)?, self.inner.lock().far_call(call)?);
        let what = AppRequest::SetupTransfer { call: far, params: params.cloned() };
        self.inner.make(request, line, consult, params, what)
    }

    fn line_complete_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HdCall,
        mode: TransferMode,
        conference: HtCall,
    ) -> Result<Option<HdCall>, LineError> {
        let other = self.inner.lock().far_call(consult)?;
        let what = |call| AppRequest::CompleteTransfer { call, consult: other, mode };
        match mode {
            TransferMode::Transfer => self.inner.act(request, call, what).map(|()| None),
            TransferMode::Conference => {
                let (line, far) = (self.inner.line_of(call)?, self.inner.lock().far_call(call)?);
                self.inner.make(request, line, conference, None, what(far)).map(Some)
            }
        }
    }

    fn line_blind_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        destination: &str,
    ) -> Result<(), LineError> {
        let destination = destination.to_owned();
        self.inner.act(request, call, |call| AppRequest::BlindTransfer { call, destination })
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
        let (what, calls) = {
            let mut state = self.inner.lock();
            if let Some(why) = &state.lost {
                return Err(self.inner.unreachable(why));
            }
            let far = state.far_line(line)?;
            let call = call.map(|call| state.far_call(call)).transpose()?;
            let what = AppRequest::SetupConference { line: far, call, params: params.cloned() };
            let conference = state.enter(line, Some(conference), outbound(params));
            let consult = state.enter(line, Some(consult), outbound(params));
            (what, ConferenceCalls { conference, consult })
        };
        let pending = Pending::Conference(request, calls.conference, calls.consult);
        self.inner.submit(what, pending).inspect_err(|_| {
            let mut state = self.inner.lock();
            state.calls.remove(&calls.conference);
            state.calls.remove(&calls.consult);
        })?;
        Ok(calls)
    }

    fn line_prepare_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let (line, far) = (self.inner.line_of(conference)?, self.inner.lock().far_call(conference)?);
        let what = AppRequest::PrepareAddToConference { conference: far, params: params.cloned() };
        self.inner.make(request, line, consult, params, what)
    }

    fn line_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        call: HdCall,
    ) -> Result<(), LineError> {
        let conference = self.inner.lock().far_call(conference)?;
        self.inner.act(request, call, |call| AppRequest::AddToConference { conference, call })
    }

    fn line_remove_from_conference(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::RemoveFromConference { call })
    }

    fn line_park(&self, request: RequestId, call: HdCall, mode: &ParkMode) -> Result<(), LineError> {
        let mode = mode.clone();
        self.inner.act(request, call, |call| AppRequest::Park { call, mode })
    }

    fn line_unpark(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: &str,
    ) -> Result<HdCall, LineError> {
        let far = self.inner.lock().far_line(line)?;
        let what = AppRequest::Unpark { line: far, address: address.to_owned() };
        self.inner.make(request, line, call, None, what)
    }

    fn line_pickup(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: Option<&str>,
        group: Option<&str>,
    ) -> Result<HdCall, LineError> {
        let far = self.inner.lock().far_line(line)?;
        let (address, group) = (address.map(str::to_owned), group.map(str::to_owned));
        self.inner.make(request, line, call, None, AppRequest::Pickup { line: far, address, group })
    }

    fn line_forward(
        &self,
        request: RequestId,
        line: HdLine,
        instructions: &[Forward],
        no_answer_rings: Option<u32>,
    ) -> Result<(), LineError> {
        let far = self.inner.lock().far_line(line)?;
        let what = AppRequest::Forward { line: far, instructions: instructions.to_vec(), no_answer_rings };
        self.inner.submit(what, Pending::Request(request, None))
    }

    fn line_complete_call(
        &self,
        request: RequestId,
        call: HdCall,
        mode: CompletionMode,
    ) -> Result<(), LineError> {
        self.inner.act(request, call, |call| AppRequest::CompleteCall { call, mode })
    }

    fn line_uncomplete_call(
        &self,
        request: RequestId,
        line: HdLine,
        completion: u32,
    ) -> Result<(), LineError> {
        let line = self.inner.lock().far_line(line)?;
        self.inner.submit(AppRequest::UncompleteCall { line, completion }, Pending::Request(request, None))
    }

    fn line_set_call_hub_tracking(&self, line: HdLine, level: HubTracking) -> Result<(), LineError> {
        let device = {
            let mut state = self.inner.lock();
            let entry = state.lines.get_mut(&line).ok_or(LineError::InvalLineHandle)?;
            entry.tracking = level;
            let device = entry.device;
            state.devices.get(device).ok_or(LineError::BadDeviceId)?.caps.device
        };
        self.inner.tell(AppRequest::SetCallHubTracking { device, level });
        Ok(())
    }

    fn line_extension(&self, device: u32) -> Result<ExtensionId, LineError> {
        self.inner.extension(device, ExtensionVersion(1), ExtensionVersion(u32::MAX)).map(|(id, _)| id)
    }

    fn line_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        self.inner.extension(device, lowest, highest).map(|(_, version)| version)
    }

    fn line_select_ext_version(&self, line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        let far = self.inner.lock().far_line(line)?;
        self.inner.ask(AppRequest::SelectExtVersion { line: far, version })?;
        if let Some(line) = self.inner.lock().lines.get_mut(&line) {
            line.extension = version;
        }
        Ok(())
    }

    fn line_dev_specific(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        let what = {
            let state = self.inner.lock();
            let far = call.map(|call| state.far_call(call)).transpose()?;
            AppRequest::DevSpecific { line: state.far_line(line)?, call: far, data: data.clone() }
        };
        self.inner.submit(what, Pending::Request(request, call))
    }

    fn line_move_media(&self, call: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        let what = {
            let state = self.inner.lock();
            let line = state.msps.get(&msp).and_then(|msp| msp.opening).ok_or(LineError::InvalLineHandle)?;
            AppRequest::MoveMedia { call: state.far_call(call)?, line }
        };
        if self.inner.is_own_thread() {
            // An owner has gone by an event: that media cannot be moved is then not told.
            return self.inner.submit(what, Pending::Nobody);
        }
        self.inner.ask(what).map(drop)
    }

    fn phone_devices(&self) -> u32 {
        u32::try_from(self.inner.lock().phone_devices.len()).unwrap_or(u32::MAX)
    }

    fn phone_dev_caps(&self, device: u32) -> Result<PhoneCaps, LineError> {
        self.inner.lock().phone_devices.get(device as usize).cloned().ok_or(LineError::BadDeviceId)
    }

    fn phone_open(&self, device: u32, phone: HtPhone) -> Result<HdPhone, LineError> {
        let far = self.phone_dev_caps(device)?.phone;
        match self.inner.ask(AppRequest::OpenPhone { phone: far, privilege: Privilege::Owner })? {
            AppReply::Phone(far) => {
                let mut state = self.inner.lock();
                let hd = HdPhone(state.handle());
                state.phones.insert(hd, Phone { ht: phone, far });
                state.far_phones.insert(far, hd);
                Ok(hd)
            }
            other => Err(unexpected(other)),
        }
    }

    fn phone_close(&self, phone: HdPhone) -> Result<(), LineError> {
        let far = {
            let mut state = self.inner.lock();
            let far = state.phones.remove(&phone).ok_or(LineError::InvalPhoneHandle)?.far;
            state.far_phones.remove(&far);
            far
        };
        self.inner.tell(AppRequest::ClosePhone { phone: far });
        Ok(())
    }

    fn phone_status(&self, phone: HdPhone) -> Result<PhoneStatus, LineError> {
        let far = self.inner.far_phone(phone)?;
        match self.inner.ask(AppRequest::PhoneStatus { phone: far })? {
            AppReply::PhoneStatus(status) => Ok(*status),
            other => Err(unexpected(other)),
        }
    }

    fn phone_set(&self, request: RequestId, phone: HdPhone, setting: &PhoneSetting) -> Result<(), LineError> {
        let phone = self.inner.far_phone(phone)?;
        let what = AppRequest::SetPhone { phone, setting: setting.clone() };
        self.inner.submit(what, Pending::Request(request, None))
    }

    fn phone_dev_specific(&self, request: RequestId, phone: HdPhone, data: &Opaque) -> Result<(), LineError> {
        let phone = self.inner.far_phone(phone)?;
        let what = AppRequest::PhoneDevSpecific { phone, data: data.clone() };
        self.inner.submit(what, Pending::Request(request, None))
    }

    fn phone_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), LineError> {
        let phone = self.phone_dev_caps(device)?.phone;
        match self.inner.ask(AppRequest::NegotiatePhoneExtVersion { phone, lowest, highest })? {
            AppReply::Extension { id, version } => Ok((id, version)),
            other => Err(unexpected(other)),
        }
    }

    fn phone_select_ext_version(&self, phone: HdPhone, version: ExtensionVersion) -> Result<(), LineError> {
        let phone = self.inner.far_phone(phone)?;
        self.inner.ask(AppRequest::SelectPhoneExtVersion { phone, version }).map(drop)
    }

    fn line_create_msp_instance(
        &self,
        line: HdLine,
        address: u32,
        msp: HtMspLine,
    ) -> Result<HdMspLine, LineError> {
        let (device, media) = {
            let state = self.inner.lock();
            let device = state.lines.get(&line).ok_or(LineError::InvalLineHandle)?.device;
            (device, state.devices.get(device).ok_or(LineError::BadDeviceId)?.caps.media)
        };
        if address != 0 {
            return Err(LineError::InvalParam("a line has one address, number 0".to_owned()));
        }
        let opening = self.inner.open(u32::try_from(device).unwrap_or(u32::MAX), Privilege::None, media)?;
        if let Err(error) = self.inner.ask(AppRequest::CreateMspInstance { line: opening }) {
            self.inner.tell(AppRequest::CloseLine { line: opening });
            return Err(error);
        }
        let mut state = self.inner.lock();
        let hd = HdMspLine(state.handle());
        state.msps.insert(hd, Msp { ht: msp, line, opening: Some(opening) });
        state.far_lines.insert(opening, Opening::Msp(hd));
        Ok(hd)
    }

    fn line_close_msp_instance(&self, msp: HdMspLine) -> Result<(), LineError> {
        let opening = {
            let mut state = self.inner.lock();
            let opening = state.msps.remove(&msp).ok_or(LineError::InvalLineHandle)?.opening;
            if let Some(opening) = opening {
                state.far_lines.remove(&opening);
            }
            opening
        };
        if let Some(line) = opening {
            self.inner.tell(AppRequest::CloseLine { line });
        }
        Ok(())
    }

    /// Handed on; that the far TSP refuses a buffer is not told here.
    fn line_receive_msp_data(
        &self,
        line: HdLine,
        call: Option<HdCall>,
        msp: HdMspLine,
        data: Opaque,
    ) -> Result<(), LineError> {
        let what = {
            let state = self.inner.lock();
            let instance = state.msps.get(&msp).filter(|msp| msp.line == line);
            let opening = instance.and_then(|msp| msp.opening).ok_or(LineError::InvalLineHandle)?;
            let on_line = |call: &HdCall| state.calls.get(call).is_some_and(|call| call.line == line);
            if call.as_ref().is_some_and(|call| !on_line(call)) {
                return Err(LineError::InvalCallHandle);
            }
            let call = call.map(|call| state.far_call(call)).transpose()?;
            AppRequest::MspData { line: opening, call, data }
        };
        self.inner.submit(what, Pending::Nobody)
    }
}
