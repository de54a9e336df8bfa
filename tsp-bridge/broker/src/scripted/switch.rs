//! The switch as the broker drives it.
//!
//! In: TSPI requests. Out: a line in the log each, and what the script of the request puts on the agenda.

use std::sync::Arc;

use offhook_spi::{
    AddressTypes, ApiVersion, CallInfo, CallOrigin, CallParams, CallReason, DeviceId, DigitMode,
    DisconnectMode, HdCall, HdLine, HdMspLine, HtCall, HtLine, HtMspLine, LineCallState, LineDevCaps,
    LineError, MediaTypes, Opaque, Party, RequestId, TspEvents, Tspi,
};

use super::{FakeCall, FakeLine, FakeMsp, Move, Received, Scripted, Step, Verb};

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
            ..LineDevCaps::default()
        })
    }

    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        self.known_device(device)?;
        self.note(&format!("line_open {device} version {}.{}", version.0 >> 16, version.0 & 0xFFFF));
        let mut state = self.lock();
        if state.lines.values().any(|line| line.device == device) {
            return Err(LineError::failed("open already"));
        }
        let hd = HdLine(state.handle());
        state.lines.insert(hd, FakeLine { device, ht: line, detection: MediaTypes::NONE });
        Ok(hd)
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        self.note("line_close");
        let mut state = self.lock();
        state.calls.retain(|_, call| call.line != line);
        state.msps.retain(|_, msp| msp.line != line);
        state.lines.remove(&line).map(drop).ok_or(LineError::InvalLineHandle)
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
            let info = CallInfo {
                caller: Party { address: String::new(), name: params.display.clone() },
                called: Party { address: params.destination.clone(), name: None },
                ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, params.media)
            };
            let hd = HdCall(state.handle());
            state.calls.insert(hd, FakeCall { line, ht: Some(call), info, state: None });
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
        self.request(Verb::Accept, request, call)
    }

    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.note("line_answer");
        self.request(Verb::Answer, request, call)
    }

    fn line_drop(&self, request: RequestId, call: HdCall, mode: DisconnectMode) -> Result<(), LineError> {
        self.note(&format!("line_drop {mode:?}"));
        if self.lock().calls.get(&call).is_some_and(|call| call.state == Some(LineCallState::Idle)) {
            return Err(LineError::InvalCallState);
        }
        self.request(Verb::Drop, request, call)
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        self.note("line_close_call");
        let known = {
            let mut state = self.lock();
            // Outstanding requests end in failure, reports of the call are not made any more.
            for next in &mut state.agenda {
                if let Move::Complete(of, _, result) = next
                    && *of == call
                {
                    *result = Err(LineError::failed("the call was closed"));
                }
            }
            state.agenda.retain(|next| !matches!(next, Move::Step(of, _) if *of == call));
            state.calls.remove(&call)
        };
        known.map(drop).ok_or(LineError::InvalCallHandle)
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
        self.request(Verb::GenerateDigits, request, call)
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

impl Scripted {
    fn known_device(&self, device: u32) -> Result<(), LineError> {
        if device < self.config.devices { Ok(()) } else { Err(LineError::BadDeviceId) }
    }

    fn request(&self, verb: Verb, request: RequestId, call: HdCall) -> Result<(), LineError> {
        {
            let mut state = self.lock();
            if let Some(error) = state.refusals.get(&verb) {
                return Err(error.clone());
            }
            if !state.calls.contains_key(&call) {
                return Err(LineError::InvalCallHandle);
            }
            let steps = state.scripts.get(&verb).cloned().unwrap_or_default();
            state.agenda.extend(moves(call, request, steps));
        }
        self.moved();
        Ok(())
    }
}

/// A script as agenda items; it completes its request once, first if it does not say when.
fn moves(call: HdCall, request: RequestId, steps: Vec<Step>) -> Vec<Move> {
    let mut completed = false;
    let mut moves = Vec::new();
    let says_when = steps.iter().any(|step| matches!(step, Step::Complete | Step::Fail(_)));
    if !says_when {
        moves.push(Move::Complete(call, request, Ok(())));
    }
    for step in steps {
        let result = match step {
            Step::Complete => Ok(()),
            Step::Fail(error) => Err(error),
            other => {
                moves.push(Move::Step(call, other));
                continue;
            }
        };
        if !std::mem::replace(&mut completed, true) {
            moves.push(Move::Complete(call, request, result));
        }
    }
    moves
}

fn names(media: MediaTypes) -> &'static str {
    match (media.contains(MediaTypes::AUDIO), media.contains(MediaTypes::VIDEO)) {
        (true, true) => "audio, video",
        (true, false) => "audio",
        (false, true) => "video",
        (false, false) => "none",
    }
}
