//! What the remote TSP knows: its names and the far broker's, side by side.
//!
//! In and out: plain tables under one lock. Not here: any call of the far broker or of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use offhook_spi::{
    ApiVersion, AppReply, CallInfo, ExtensionVersion, HCall, HLine, HPhone, HdCall, HdLine, HdMspLine,
    HdPhone, HtCall, HtLine, HtMspLine, HtPhone, HubTracking, LineDevCaps, LineDevState, LineError, Link,
    MediaTypes, PhoneCaps, RequestId, TspEvents,
};
use tokio::sync::oneshot;

use super::next_request;
use crate::client::BrokerClock;

#[derive(Default)]
pub(super) struct State {
    pub(super) events: Option<Arc<dyn TspEvents>>,
    /// The session, while there is one.
    pub(super) link: Option<Arc<dyn Link>>,
    pub(super) clock: Option<BrokerClock>,
    /// Why there is no connection, while there is none.
    pub(super) lost: Option<String>,
    pub(super) devices: Vec<Device>,
    pub(super) phone_devices: Vec<PhoneCaps>,
    pub(super) lines: BTreeMap<HdLine, Line>,
    pub(super) msps: BTreeMap<HdMspLine, Msp>,
    pub(super) calls: BTreeMap<HdCall, Call>,
    pub(super) phones: BTreeMap<HdPhone, Phone>,
    /// The far broker's names.
    pub(super) far_lines: BTreeMap<HLine, Opening>,
    pub(super) far_calls: BTreeMap<HCall, HdCall>,
    pub(super) far_phones: BTreeMap<HPhone, HdPhone>,
    pub(super) pending: BTreeMap<RequestId, Pending>,
    last_request: u32,
    last_handle: u64,
    /// Call ids of far providers, each of which counts for itself, as one provider's here.
    call_ids: BTreeMap<(String, u32), u32>,
    last_call_id: u32,
}

/// Far call ids that are remembered; beyond it, those that no call has any more are forgotten.
const MOST_CALL_IDS: usize = 1_024;

/// A far line device. It keeps its number here; after a new session it is found again by its name.
pub(super) struct Device {
    /// As the far broker tells them.
    pub(super) caps: LineDevCaps,
    pub(super) version: ApiVersion,
}

/// What an opening of a far line is for.
#[derive(Clone, Copy)]
pub(super) enum Opening {
    /// To place calls, or to take them.
    Line(HdLine),
    /// For an MSP instance.
    Msp(HdMspLine),
}

pub(super) struct Line {
    pub(super) ht: HtLine,
    pub(super) device: usize,
    /// To place calls.
    pub(super) base: Option<HLine>,
    /// To take them.
    pub(super) listening: Option<HLine>,
    /// The media that are listened for.
    pub(super) media: MediaTypes,
    /// Openings listened on before, that calls came through which last.
    pub(super) retired: Vec<HLine>,
    pub(super) extension: ExtensionVersion,
    pub(super) tracking: HubTracking,
    /// What the far provider said last.
    pub(super) service: Option<LineDevState>,
}

pub(super) struct Msp {
    pub(super) ht: HtMspLine,
    pub(super) line: HdLine,
    pub(super) opening: Option<HLine>,
}

pub(super) struct Call {
    pub(super) line: HdLine,
    /// Ours; none while a call that arrived is being announced.
    pub(super) ht: Option<HtCall>,
    /// The far broker's; none before it has said so, and after the session ended.
    pub(super) far: Option<HCall>,
    /// The opening that it came through.
    pub(super) through: Option<HLine>,
    pub(super) info: CallInfo,
    /// The broker here has closed it before the far one named it.
    pub(super) abandoned: bool,
    /// Idle was reported, or will never be.
    pub(super) over: bool,
}

pub(super) struct Phone {
    pub(super) ht: HtPhone,
    pub(super) far: HPhone,
}

/// Who waits for a reply of the far broker.
pub(super) enum Pending {
    Nobody,
    /// A request of the broker here, about a call if about one.
    Request(RequestId, Option<HdCall>),
    /// One that makes a call.
    Call(RequestId, HdCall),
    /// One that makes a conference and a call to consult by.
    Conference(RequestId, HdCall, HdCall),
    /// What is known of a call, to have it at hand.
    Info(HdCall),
    Caller(std::sync::mpsc::SyncSender<Result<AppReply, LineError>>),
    Task(oneshot::Sender<Result<AppReply, LineError>>),
}

impl State {
    pub(super) fn why(&self) -> &str {
        self.lost.as_deref().unwrap_or("the session is over")
    }

    pub(super) fn handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    pub(super) fn pend(&mut self, pending: Pending) -> RequestId {
        let mut id = next_request(&mut self.last_request);
        while self.pending.contains_key(&id) {
            id = next_request(&mut self.last_request);
        }
        self.pending.insert(id, pending);
        id
    }

    /// The far name of a call that can be asked about.
    pub(super) fn far_call(&self, call: HdCall) -> Result<HCall, LineError> {
        self.calls.get(&call).and_then(|call| call.far).ok_or(LineError::InvalCallHandle)
    }

    /// The far opening of a line, to place calls on.
    pub(super) fn far_line(&self, line: HdLine) -> Result<HLine, LineError> {
        let line = self.lines.get(&line).ok_or(LineError::InvalLineHandle)?;
        line.base.ok_or_else(|| LineError::ResourceUnavail(self.why().to_owned()))
    }

    /// What the far broker knows of a call, as this provider has it: the broker here counts owners for itself, and calls
    /// of two far providers are not in one hub because both count from 1.
    pub(super) fn taken_in(&mut self, line: HdLine, mut info: CallInfo) -> CallInfo {
        (info.owners, info.monitors) = (0, 0);
        info.application.clear();
        let device = self.lines.get(&line).and_then(|line| self.devices.get(line.device));
        let provider = device.map(|device| device.caps.provider.clone()).unwrap_or_default();
        info.call_id = self.own_call_id(&provider, info.call_id);
        info.related_call_id = self.own_call_id(&provider, info.related_call_id);
        info
    }

    /// Notes what is known of a call. Answers it, and whether the call is of another id now.
    pub(super) fn note_info(&mut self, hd: HdCall, info: CallInfo) -> Option<(CallInfo, bool)> {
        let line = self.calls.get(&hd)?.line;
        let info = self.taken_in(line, info);
        let entry = self.calls.get_mut(&hd)?;
        let is_other = entry.info.call_id != info.call_id;
        entry.info = info.clone();
        Some((info, is_other))
    }

    fn own_call_id(&mut self, provider: &str, far: u32) -> u32 {
        if far == 0 {
            return 0;
        }
        let key = (provider.to_owned(), far);
        if let Some(id) = self.call_ids.get(&key) {
            return *id;
        }
        if self.call_ids.len() >= MOST_CALL_IDS {
            let infos = self.calls.values().map(|call| &call.info);
            let used: BTreeSet<_> = infos.flat_map(|info| [info.call_id, info.related_call_id]).collect();
            self.call_ids.retain(|_, id| used.contains(id));
        }
        loop {
            self.last_call_id = self.last_call_id.wrapping_add(1).max(1);
            if !self.call_ids.values().any(|id| *id == self.last_call_id) {
                self.call_ids.insert(key, self.last_call_id);
                return self.last_call_id;
            }
        }
    }

    /// Enters a call that is not named yet.
    pub(super) fn enter(&mut self, line: HdLine, ht: Option<HtCall>, info: CallInfo) -> HdCall {
        let hd = HdCall(self.handle());
        let (far, through) = (None, None);
        self.calls.insert(hd, Call { line, ht, far, through, info, abandoned: false, over: false });
        hd
    }

    /// Forgets a call. Answers its far name, and an opening that was kept for it only.
    pub(super) fn forget(&mut self, hd: HdCall) -> Option<(Option<HCall>, Option<HLine>)> {
        let call = self.calls.remove(&hd)?;
        if let Some(far) = call.far {
            self.far_calls.remove(&far);
        }
        let through =
            call.through.filter(|through| !self.calls.values().any(|other| other.through == Some(*through)));
        let retired = through.filter(|through| {
            self.lines.get_mut(&call.line).is_some_and(|line| {
                let before = line.retired.len();
                line.retired.retain(|kept| kept != through);
                line.retired.len() != before
            })
        });
        if let Some(retired) = retired {
            self.far_lines.remove(&retired);
        }
        Some((call.far, retired))
    }

    /// Where events about a far call go.
    pub(super) fn known(&self, far: HCall) -> Option<(Arc<dyn TspEvents>, HtLine, HdCall, HtCall)> {
        let hd = *self.far_calls.get(&far)?;
        let call = self.calls.get(&hd)?;
        let line = self.lines.get(&call.line)?;
        Some((self.events.clone()?, line.ht, hd, call.ht?))
    }
}
