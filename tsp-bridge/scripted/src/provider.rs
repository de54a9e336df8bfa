//! The switch as the broker drives it.
//!
//! In: TSPI requests. Out: a line in the log each, and what the exchange, or the script of the request, puts on the
//! agenda. A verb that the capabilities do not name is unavailable.

use std::sync::Arc;

use offhook_spi::{
    AddressTypes, ApiVersion, CallFeatures, CallInfo, CallOrigin, CallParams, CallReason, Completion,
    CompletionMode, ConferenceCalls, DeviceId, DigitMode, DisconnectMode, ExtensionId, ExtensionVersion,
    Forward, HdCall, HdLine, HdMspLine, HdPhone, HtCall, HtLine, HtMspLine, HtPhone, HubTracking,
    LineCallState, LineDevCaps, LineError, MediaTypes, Opaque, ParkMode, Party, PhoneCaps, PhoneSetting,
    PhoneStatus, RequestId, TransferMode, TspEvents, Tspi,
};

use crate::exchange::{is_live, is_up};
use crate::requests::moves;
use crate::state::{FakeCall, FakeLine, FakeMsp, Move};
use crate::{Received, Scripted, Step, Verb, phone};

impl Tspi for Scripted {
    fn line_negotiate_version(
        &self,
        device: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        self.known_device(device)?;
        let (own_lowest, own_highest) = self.config.versions;
        ApiVersion::negotiate(lowest, highest, own_lowest, own_highest)
            .ok_or(LineError::IncompatibleApiVersion)
    }

    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        self.lock().events = Some(events);
        Ok(())
    }

    fn provider_shutdown(&self) {
        self.note("provider_shutdown");
        let events = {
            let mut state = self.lock();
            state.agenda.clear();
            state.calls.clear();
            state.msps.clear();
            state.lines.clear();
            state.exchange = Default::default();
            state.phone = Default::default();
            state.events.take()
        };
        drop(events);
    }

    fn line_devices(&self) -> u32 {
        self.config.devices
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        self.known_device(device)?;
        Ok(LineDevCaps {
            device: DeviceId(device),
            provider: self.config.name.clone(),
            line_name: format!("{} line {device}", self.config.name),
            media: self.config.media,
            address_types: AddressTypes { phone_number: true, ..AddressTypes::default() },
            has_msp: self.config.has_msp,
            max_active_calls: self.config.max_active_calls,
            features: self.config.offered(),
            hub_tracking: self.hub_tracking(),
            max_conference: self.config.switch.as_ref().map_or(0, |rules| rules.max_conference),
            ..LineDevCaps::default()
        })
    }

    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        self.line_negotiate_version(device, version, version)?;
        self.note(&format!("line_open {device} version {}.{}", version.0 >> 16, version.0 & 0xFFFF));
        let mut state = self.lock();
        if state.lines.values().any(|line| line.device == device) {
            return Err(LineError::failed("open already"));
        }
        let hd = HdLine(state.handle());
        state.lines.insert(
            hd,
            FakeLine {
                device,
                ht: line,
                detection: MediaTypes::NONE,
                extension: ExtensionVersion(0),
                tracking: HubTracking::None,
            },
        );
        Ok(hd)
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        self.note("line_close");
        let known = {
            let mut state = self.lock();
            state.leave_line(line);
            let known = state.lines.remove(&line);
            if known.is_some() {
                state.settle();
            }
            known
        };
        // Whoever talked with an extension of that line hears of it.
        self.moved();
        known.map(drop).ok_or(LineError::InvalLineHandle)
    }

    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError> {
        self.note(&format!("line_set_default_media_detection {}", names(media)));
        let mut state = self.lock();
        match state.refusals.get(&Verb::Listen) {
            Some(error) if !media.is_empty() => Err(error.clone()),
            _ => {
                let line = state.lines.get_mut(&line).ok_or(LineError::InvalLineHandle)?;
                line.detection = media;
                Ok(())
            }
        }
    }

    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        self.note(&format!("line_make_call {}", params.destination));
        let hd = {
            let mut state = self.lock();
            if let Some(error) = state.refusals.get(&Verb::MakeCall) {
                return Err(error.clone());
            }
            if !state.lines.contains_key(&line) {
                return Err(LineError::InvalLineHandle);
            }
            if self.config.switch.is_some() {
                if !self.config.media.contains(params.media) {
                    return Err(LineError::InvalMediaMode);
                }
                if params.partial && !self.config.offered().contains(CallFeatures::DIAL) {
                    return Err(LineError::InvalParam("numbers are not dialled in parts here".to_owned()));
                }
                let made = state.make_call(request, line, call, params);
                drop(state);
                self.moved();
                return made;
            }
            let info = CallInfo {
                caller: Party { address: String::new(), name: params.display.clone() },
                called: Party { address: params.destination.clone(), name: None },
                ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, params.media)
            };
            let hd = HdCall(state.handle());
            state.calls.insert(hd, FakeCall::new(line, Some(call), info));
            let script = state.dials.get(&params.destination).or_else(|| state.scripts.get(&Verb::MakeCall));
            let steps = script.cloned().unwrap_or_default();
            state.agenda.extend(moves(hd, request, steps));
            hd
        };
        self.moved();
        Ok(hd)
    }

    fn line_accept(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.note("line_accept");
        self.has(CallFeatures::ACCEPT)?;
        self.request(Verb::Accept, request, call, |state| {
            state.in_state(call, |now| now == LineCallState::Offering)?;
            state.done(call, request);
            state.go(call, LineCallState::Accepted);
            Ok(())
        })
    }

    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        use LineCallState::{Accepted, Offering};
        self.note("line_answer");
        self.request(Verb::Answer, request, call, |state| {
            state.in_state(call, |now| matches!(now, Offering | Accepted))?;
            state.done(call, request);
            state.answered(call);
            state.called_back(call);
            Ok(())
        })
    }

    fn line_drop(&self, request: RequestId, call: HdCall, mode: DisconnectMode) -> Result<(), LineError> {
        self.note(&format!("line_drop {mode:?}"));
        if self.lock().calls.get(&call).is_some_and(|call| call.told == Some(LineCallState::Idle)) {
            return Err(LineError::InvalCallState);
        }
        self.request(Verb::Drop, request, call, |state| {
            let now = state.in_state(call, |now| now != LineCallState::Idle)?.leg.now;
            let offered = matches!(now, Some(LineCallState::Offering | LineCallState::Accepted));
            let far = match mode {
                // Who declines without a word rejects.
                DisconnectMode::Normal if offered => DisconnectMode::Reject,
                mode => mode,
            };
            state.done(call, request);
            state.hang(call, LineCallState::Idle, far);
            state.settle();
            Ok(())
        })
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        self.note("line_close_call");
        let closed = {
            let mut state = self.lock();
            if self.config.switch.is_some() { state.abandon(call) } else { state.forget(call) }
        };
        self.moved();
        closed
    }

    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError> {
        self.lock().calls.get(&call).map(|call| call.info.clone()).ok_or(LineError::InvalCallHandle)
    }

    fn line_generate_digits(
        &self,
        request: RequestId,
        call: HdCall,
        _mode: DigitMode,
        digits: &str,
    ) -> Result<(), LineError> {
        self.note(&format!("line_generate_digits {digits}"));
        self.has(CallFeatures::GENERATE_DIGITS)?;
        self.request(Verb::GenerateDigits, request, call, |state| {
            if digits.is_empty()
                || digits.chars().any(|c| !matches!(c, '0'..='9' | '*' | '#' | 'A'..='D' | '!'))
            {
                return Err(LineError::InvalParam(format!("{digits:?}: digits")));
            }
            state.in_state(call, |now| is_up(Some(now)))?;
            state.done(call, request);
            if let Some(far) = state.far_leg(call) {
                state.agenda.extend(digits.chars().map(|digit| Move::Step(far, Step::Digit(digit))));
            }
            Ok(())
        })
    }

    fn line_dial(
        &self,
        request: RequestId,
        call: HdCall,
        digits: &str,
        complete: bool,
    ) -> Result<(), LineError> {
        self.service_of(CallFeatures::DIAL, &format!("line_dial {digits}"), |state| {
            state.dial(request, call, digits, complete)
        })
    }

    fn line_redirect(&self, request: RequestId, call: HdCall, destination: &str) -> Result<(), LineError> {
        self.service_of(CallFeatures::REDIRECT, &format!("line_redirect {destination}"), |state| {
            state.redirect(request, call, destination)
        })
    }

    fn line_send_user_user_info(
        &self,
        request: RequestId,
        call: HdCall,
        data: &[u8],
    ) -> Result<(), LineError> {
        self.service_of(CallFeatures::SEND_USER_USER, "line_send_user_user_info", |state| {
            if !(2..=132).contains(&data.len()) {
                return Err(LineError::InvalParam("a discriminator and 1 to 131 octets".to_owned()));
            }
            state.in_state(call, |now| is_live(Some(now)))?;
            state.done(call, request);
            state.deliver_user_user(call, Some(data.to_vec()));
            Ok(())
        })
    }

    fn line_hold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.service_of(CallFeatures::HOLD, "line_hold", |state| state.hold(request, call))
    }

    fn line_unhold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.service_of(CallFeatures::UNHOLD, "line_unhold", |state| state.unhold(request, call))
    }

    fn line_swap_hold(&self, request: RequestId, active: HdCall, held: HdCall) -> Result<(), LineError> {
        self.service_of(CallFeatures::SWAP_HOLD, "line_swap_hold", |state| state.swap(request, active, held))
    }

    fn line_setup_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        self.service_of(CallFeatures::SETUP_TRANSFER, "line_setup_transfer", |state| {
            state.setup_transfer(request, call, consult, params)
        })
    }

    fn line_complete_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HdCall,
        mode: TransferMode,
        conference: HtCall,
    ) -> Result<Option<HdCall>, LineError> {
        let needed = match mode {
            TransferMode::Transfer => CallFeatures::COMPLETE_TRANSFER,
            TransferMode::Conference => CallFeatures::TRANSFER_TO_CONFERENCE,
        };
        self.service_of(needed, &format!("line_complete_transfer {mode:?}"), |state| {
            state.complete_transfer(request, call, consult, mode, conference)
        })
    }

    fn line_blind_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        destination: &str,
    ) -> Result<(), LineError> {
        let log = format!("line_blind_transfer {destination}");
        self.service_of(CallFeatures::BLIND_TRANSFER, &log, |state| {
            state.blind_transfer(request, call, destination)
        })
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
        self.service_of(CallFeatures::SETUP_CONFERENCE, "line_setup_conference", |state| {
            state.setup_conference(request, line, call, (conference, consult), params)
        })
    }

    fn line_prepare_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let needed = CallFeatures::PREPARE_ADD_TO_CONFERENCE;
        self.service_of(needed, "line_prepare_add_to_conference", |state| {
            state.prepare_add(request, conference, consult, params)
        })
    }

    fn line_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        call: HdCall,
    ) -> Result<(), LineError> {
        self.service_of(CallFeatures::ADD_TO_CONFERENCE, "line_add_to_conference", |state| {
            state.add_to_conference(request, conference, call)
        })
    }

    fn line_remove_from_conference(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.service_of(CallFeatures::REMOVE_FROM_CONFERENCE, "line_remove_from_conference", |state| {
            state.remove_from_conference(request, call)
        })
    }

    fn line_park(&self, request: RequestId, call: HdCall, mode: &ParkMode) -> Result<(), LineError> {
        let needed = match mode {
            ParkMode::Directed(_) => CallFeatures::PARK_DIRECTED,
            ParkMode::NonDirected => CallFeatures::PARK_NONDIRECTED,
        };
        self.service_of(needed, &format!("line_park {mode:?}"), |state| state.park(request, call, mode))
    }

    fn line_unpark(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: &str,
    ) -> Result<HdCall, LineError> {
        self.service_of(CallFeatures::UNPARK, &format!("line_unpark {address}"), |state| {
            state.unpark(request, line, call, address)
        })
    }

    fn line_pickup(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: Option<&str>,
        group: Option<&str>,
    ) -> Result<HdCall, LineError> {
        self.service_of(CallFeatures::PICKUP, "line_pickup", |state| {
            state.pickup(request, line, call, address, group)
        })
    }

    fn line_forward(
        &self,
        request: RequestId,
        line: HdLine,
        instructions: &[Forward],
        _no_answer_rings: Option<u32>,
    ) -> Result<(), LineError> {
        let log = format!("line_forward {} instructions", instructions.len());
        self.service_of(CallFeatures::FORWARD, &log, |state| state.forward(request, line, instructions))
    }

    fn line_complete_call(
        &self,
        request: RequestId,
        call: HdCall,
        mode: CompletionMode,
    ) -> Result<(), LineError> {
        self.service_of(CallFeatures::COMPLETE_CALL, &format!("line_complete_call {mode:?}"), |state| {
            state.complete_call(request, call, mode)
        })
    }

    fn line_uncomplete_call(
        &self,
        request: RequestId,
        line: HdLine,
        completion: u32,
    ) -> Result<(), LineError> {
        self.service_of(CallFeatures::COMPLETE_CALL, "line_uncomplete_call", |state| {
            state.uncomplete_call(request, line, completion)
        })
    }

    fn line_set_call_hub_tracking(&self, line: HdLine, level: HubTracking) -> Result<(), LineError> {
        self.note(&format!("line_set_call_hub_tracking {level:?}"));
        if level > self.hub_tracking() {
            return Err(LineError::OperationUnavail);
        }
        let mut state = self.lock();
        state.lines.get_mut(&line).ok_or(LineError::InvalLineHandle)?.tracking = level;
        Ok(())
    }

    fn line_extension(&self, device: u32) -> Result<ExtensionId, LineError> {
        self.known_device(device)?;
        Ok(self.extension()?.0)
    }

    fn line_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        self.known_device(device)?;
        let (_, own_lowest, own_highest) = self.extension()?;
        ExtensionVersion::negotiate(lowest, highest, own_lowest, own_highest)
            .ok_or(LineError::IncompatibleExtVersion)
    }

    fn line_select_ext_version(&self, line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        self.note(&format!("line_select_ext_version {:#x}", version.0));
        let mut state = self.lock();
        state.check_extension(version)?;
        state.lines.get_mut(&line).ok_or(LineError::InvalLineHandle)?.extension = version;
        Ok(())
    }

    fn line_dev_specific(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        self.note(&format!("line_dev_specific {} octets", data.len()));
        self.extension()?;
        {
            let mut state = self.lock();
            if state.known_line(line)?.extension == ExtensionVersion(0) {
                return Err(LineError::IncompatibleExtVersion);
            }
            if let Some(call) = call
                && state.call(call)?.line != line
            {
                return Err(LineError::InvalCallHandle);
            }
            state.answer(call, request, Ok(Completion::DevSpecific(data.clone())));
            state.agenda.push_back(Move::DevSpecific(line, call, data.clone()));
        }
        self.moved();
        Ok(())
    }

    fn line_move_media(&self, call: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        self.note("line_move_media");
        if !self.config.has_msp {
            return Err(LineError::OperationUnavail);
        }
        let moved = self.lock().move_media(call, msp);
        self.moved();
        moved
    }

    fn phone_devices(&self) -> u32 {
        u32::from(self.config.switch.as_ref().is_some_and(|rules| rules.phone))
    }

    fn phone_dev_caps(&self, device: u32) -> Result<PhoneCaps, LineError> {
        self.lock().has_phone(device)?;
        Ok(phone::caps(&self.config.name))
    }

    fn phone_open(&self, device: u32, phone: HtPhone) -> Result<HdPhone, LineError> {
        self.note(&format!("phone_open {device}"));
        self.lock().open_phone(device, phone)
    }

    fn phone_close(&self, phone: HdPhone) -> Result<(), LineError> {
        self.note("phone_close");
        self.lock().close_phone(phone)
    }

    fn phone_status(&self, phone: HdPhone) -> Result<PhoneStatus, LineError> {
        self.lock().phone_status(phone)
    }

    fn phone_set(&self, request: RequestId, phone: HdPhone, setting: &PhoneSetting) -> Result<(), LineError> {
        self.note(&format!("phone_set {setting:?}"));
        let set = self.lock().set_phone(request, phone, setting);
        self.moved();
        set
    }

    fn phone_dev_specific(&self, request: RequestId, phone: HdPhone, data: &Opaque) -> Result<(), LineError> {
        self.note(&format!("phone_dev_specific {} octets", data.len()));
        let done = self.lock().phone_dev_specific(request, phone, data);
        self.moved();
        done
    }

    fn phone_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), LineError> {
        self.lock().has_phone(device)?;
        let (id, own_lowest, own_highest) = self.extension()?;
        ExtensionVersion::negotiate(lowest, highest, own_lowest, own_highest)
            .map(|version| (id, version))
            .ok_or(LineError::IncompatibleExtVersion)
    }

    fn phone_select_ext_version(&self, phone: HdPhone, version: ExtensionVersion) -> Result<(), LineError> {
        self.note(&format!("phone_select_ext_version {:#x}", version.0));
        self.lock().select_phone_extension(phone, version)
    }

    fn line_create_msp_instance(
        &self,
        line: HdLine,
        address: u32,
        msp: HtMspLine,
    ) -> Result<HdMspLine, LineError> {
        self.note(&format!("line_create_msp_instance address {address}"));
        if !self.config.has_msp {
            return Err(LineError::OperationUnavail);
        }
        let mut state = self.lock();
        if !state.lines.contains_key(&line) {
            return Err(LineError::InvalLineHandle);
        }
        let hd = HdMspLine(state.handle());
        state.msps.insert(hd, FakeMsp { line, ht: msp });
        Ok(hd)
    }

    fn line_close_msp_instance(&self, msp: HdMspLine) -> Result<(), LineError> {
        self.note("line_close_msp_instance");
        let known = self.lock().msps.remove(&msp);
        known.map(drop).ok_or(LineError::InvalParam("no such MSP instance".to_owned()))
    }

    fn line_receive_msp_data(
        &self,
        line: HdLine,
        call: Option<HdCall>,
        msp: HdMspLine,
        data: Opaque,
    ) -> Result<(), LineError> {
        let level = if call.is_some() { "call" } else { "address" };
        self.note(&format!("line_receive_msp_data {level}-level, {} octets", data.len()));
        let mut state = self.lock();
        if state.msps.get(&msp).is_none_or(|msp| msp.line != line) {
            return Err(LineError::InvalParam("no such MSP instance".to_owned()));
        }
        if call.is_some_and(|call| !state.calls.contains_key(&call)) {
            return Err(LineError::InvalCallHandle);
        }
        state.received.push(Received { call, msp, data });
        Ok(())
    }
}

fn names(media: MediaTypes) -> &'static str {
    match (media.contains(MediaTypes::AUDIO), media.contains(MediaTypes::VIDEO)) {
        (true, true) => "audio, video",
        (true, false) => "audio",
        (false, true) => "video",
        (false, false) => "none",
    }
}
