//! What the fake switch knows: lines, calls, MSP instances, its agenda, and what the exchange keeps.
//!
//! In and out: plain tables, only ever touched under the switch's one lock. Not here: any report to the broker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use offhook_spi::{
    CallInfo, Completion, ExtensionVersion, HdCall, HdLine, HdMspLine, HtCall, HtLine, HtMspLine,
    HubTracking, LineCallState, LineError, MediaTypes, Opaque, PhoneEvent, RequestId, TspEvents,
};

use crate::exchange::{Exchange, Leg};
use crate::phone::FakePhone;
use crate::{Received, Step, SwitchConfig, Verb};

#[derive(Default)]
pub(crate) struct State {
    pub(crate) events: Option<Arc<dyn TspEvents>>,
    pub(crate) last_handle: u64,
    pub(crate) reports: u64,
    pub(crate) lines: BTreeMap<HdLine, FakeLine>,
    pub(crate) calls: BTreeMap<HdCall, FakeCall>,
    pub(crate) msps: BTreeMap<HdMspLine, FakeMsp>,
    pub(crate) agenda: VecDeque<Move>,
    pub(crate) moving: bool,
    pub(crate) dials: BTreeMap<String, Vec<Step>>,
    pub(crate) scripts: BTreeMap<Verb, Vec<Step>>,
    pub(crate) refusals: BTreeMap<Verb, LineError>,
    pub(crate) received: Vec<Received>,
    pub(crate) log: Vec<String>,
    pub(crate) devices: u32,
    /// What the exchange is like, if there is one.
    pub(crate) switch: Option<SwitchConfig>,
    pub(crate) exchange: Exchange,
    pub(crate) phone: FakePhone,
}

pub(crate) struct FakeLine {
    pub(crate) device: u32,
    pub(crate) ht: HtLine,
    pub(crate) detection: MediaTypes,
    /// The version of the extension that was selected; 0 is none.
    pub(crate) extension: ExtensionVersion,
    pub(crate) tracking: HubTracking,
}

pub(crate) struct FakeCall {
    pub(crate) line: HdLine,
    pub(crate) ht: Option<HtCall>,
    pub(crate) info: CallInfo,
    /// The state reported last.
    pub(crate) told: Option<LineCallState>,
    /// How the exchange sees it.
    pub(crate) leg: Leg,
}

impl FakeCall {
    pub(crate) fn new(line: HdLine, ht: Option<HtCall>, info: CallInfo) -> Self {
        Self { line, ht, info, told: None, leg: Leg::default() }
    }
}

pub(crate) struct FakeMsp {
    pub(crate) line: HdLine,
    pub(crate) ht: HtMspLine,
}

/// An item of the agenda.
pub(crate) enum Move {
    /// Completes a request; with the call that it is about, if it is about one.
    Complete(Option<HdCall>, RequestId, Result<Completion, LineError>),
    /// Tells the broker of a call that it does not know.
    Announce(HdCall),
    /// Reports on a call.
    Step(HdCall, Step),
    /// Sends a buffer to one MSP instance.
    SendTo(HdCall, HtMspLine, Opaque),
    /// A message of the extension.
    DevSpecific(HdLine, Option<HdCall>, Opaque),
    /// Something happened to the phone.
    Phone(PhoneEvent),
}

impl State {
    pub(crate) fn handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    /// Puts the completion of a request on the agenda.
    pub(crate) fn done(&mut self, call: HdCall, request: RequestId) {
        self.answer(Some(call), request, Ok(Completion::Done));
    }

    /// The same, with what it answers.
    pub(crate) fn answer(
        &mut self,
        call: Option<HdCall>,
        request: RequestId,
        result: Result<Completion, LineError>,
    ) {
        self.agenda.push_back(Move::Complete(call, request, result));
    }

    /// Forgets a call: its outstanding requests end in failure, reports of it are not made any more.
    pub(crate) fn forget(&mut self, call: HdCall) -> Result<(), LineError> {
        for next in &mut self.agenda {
            if let Move::Complete(of, _, result) = next
                && *of == Some(call)
            {
                *result = Err(LineError::failed("the call was closed"));
            }
        }
        self.agenda.retain(|next| match next {
            Move::Step(of, _) | Move::Announce(of) | Move::SendTo(of, ..) => *of != call,
            Move::DevSpecific(_, of, _) => *of != Some(call),
            Move::Complete(..) | Move::Phone(_) => true,
        });
        self.calls.remove(&call).map(drop).ok_or(LineError::InvalCallHandle)
    }

    /// The line that a device is open as.
    pub(crate) fn line_of_device(&self, device: u32) -> Option<HdLine> {
        self.lines.iter().find(|(_, line)| line.device == device).map(|(hd, _)| *hd)
    }

    pub(crate) fn call(&self, call: HdCall) -> Result<&FakeCall, LineError> {
        self.calls.get(&call).ok_or(LineError::InvalCallHandle)
    }

    pub(crate) fn known_line(&self, line: HdLine) -> Result<&FakeLine, LineError> {
        self.lines.get(&line).ok_or(LineError::InvalLineHandle)
    }
}
