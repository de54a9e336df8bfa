//! The hubs as hub records tell them: what a watcher shows live, and what a log shows again.
//!
//! In: [`HubRecord`]s in their order. Out: the hubs with their calls, as data and as a tree of text.
//! Whatever prefix of what a client was told is applied, the view is what the broker would have answered to Hubs at
//! that moment; replay and live are one.
//! Not here: where records come from (`hub.rs`, or a file of them).
//!
//! A log is a file of records, a line of JSON each, in their order; [`HubRecord`] says its form.

use std::collections::BTreeMap;
use std::fmt;

use offhook_spi::{
    CallInfo, ConnectedMode, HHub, HubCallId, HubEvent, HubMember, HubRecord, HubSnapshot, LineCallState,
    Party,
};

/// The hubs that a list of records leaves. Begins empty, or with what [`Tapi::hub_view`](crate::Tapi::hub_view) answers.
///
/// Its `Display` is a tree, a line a hub and a line a call in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubView {
    hubs: BTreeMap<HHub, HubSnapshot>,
}

/// A record that does not fit those before it: the log is damaged, or does not begin at its beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubViewError {
    /// Nothing has said that the hub has come to be.
    #[error("hub {} is not known here: its beginning is missing", .0.0)]
    UnknownHub(HHub),
    /// Nothing has said that the call joined the hub.
    #[error("call {} is not in hub {}: its joining is missing", .1.0, .0.0)]
    UnknownCall(HHub, HubCallId),
    /// The call is in the hub already.
    #[error("call {} joins hub {} a second time", .1.0, .0.0)]
    JoinsTwice(HHub, HubCallId),
    /// The hub ends and has calls.
    #[error("hub {} ends with calls in it", .0.0)]
    EndsEarly(HHub),
}

impl HubView {
    /// The hubs as they stand at some moment; the records after it continue them.
    pub fn of(hubs: impl IntoIterator<Item = HubSnapshot>) -> Self {
        Self { hubs: hubs.into_iter().map(|hub| (hub.hub, hub)).collect() }
    }

    /// Takes the next record in. An error leaves the view as it was.
    pub fn apply(&mut self, record: &HubRecord) -> Result<(), HubViewError> {
        let hub = record.hub;
        if let HubEvent::New { provider, call_id } = &record.event {
            // One that was known begins anew: its watcher had stopped tracking it.
            let (provider, call_id, members) = (provider.clone(), *call_id, Vec::new());
            self.hubs.insert(hub, HubSnapshot { hub, provider, call_id, members });
            return Ok(());
        }
        let members = &mut self.hubs.get_mut(&hub).ok_or(HubViewError::UnknownHub(hub))?.members;
        let find = |call: HubCallId| {
            let found = members.iter().position(|member| member.id == call);
            found.ok_or(HubViewError::UnknownCall(hub, call))
        };
        match &record.event {
            HubEvent::New { .. } => {}
            HubEvent::Join { member } => match find(member.id) {
                Ok(_) => return Err(HubViewError::JoinsTwice(hub, member.id)),
                Err(_) => members.push((**member).clone()),
            },
            HubEvent::State { call, state } => {
                let at = find(*call)?;
                members.get_mut(at).into_iter().for_each(|member| member.state = Some(*state));
            }
            HubEvent::Info { call, info } => {
                let at = find(*call)?;
                members.get_mut(at).into_iter().for_each(|member| member.info = (**info).clone());
            }
            HubEvent::Held { call, handle } => {
                let at = find(*call)?;
                members.get_mut(at).into_iter().for_each(|member| member.call = *handle);
            }
            HubEvent::Leave { call } => drop(members.remove(find(*call)?)),
            HubEvent::Idle if members.is_empty() => drop(self.hubs.remove(&hub)),
            HubEvent::Idle => return Err(HubViewError::EndsEarly(hub)),
        }
        Ok(())
    }

    /// The hubs, in the order in which they came to be.
    pub fn hubs(&self) -> impl ExactSizeIterator<Item = &HubSnapshot> {
        self.hubs.values()
    }

    /// One hub.
    pub fn hub(&self, hub: HHub) -> Option<&HubSnapshot> {
        self.hubs.get(&hub)
    }
}

impl fmt::Display for HubView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hubs.is_empty() {
            return writeln!(f, "no call hubs");
        }
        for hub in self.hubs.values() {
            writeln!(f, "hub {}: {}, call id {}", hub.hub.0, hub.provider, hub.call_id)?;
            let mut members = hub.members.iter().peekable();
            while let Some(member) = members.next() {
                let branch = if members.peek().is_some() { "├─" } else { "└─" };
                writeln!(f, "{branch} {}", Line(member))?;
            }
        }
        Ok(())
    }
}

/// A record in one line, without its time. What it says of a call is short: the call's name in hubs stands for it.
#[derive(Clone, Copy, Debug)]
pub struct HubNews<'a>(
    /// The record.
    pub &'a HubRecord,
);

impl fmt::Display for HubNews<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HubRecord { hub, event, .. } = self.0;
        write!(f, "hub {}", hub.0)?;
        match event {
            HubEvent::New { provider, call_id } => write!(f, " begins: {provider}, call id {call_id}"),
            HubEvent::Join { member } => write!(f, ": joined by {}", Line(member)),
            HubEvent::State { call, state } => write!(f, ": call {}, {}", call.0, Name(Some(*state))),
            HubEvent::Info { call, info } => write!(f, ": call {}: {}", call.0, About(info)),
            HubEvent::Held { call, handle: Some(_) } => write!(f, ": call {}, held here", call.0),
            HubEvent::Held { call, handle: None } => write!(f, ": call {}, not held here any more", call.0),
            HubEvent::Leave { call } => write!(f, ": left by call {}", call.0),
            HubEvent::Idle => f.write_str(" ends"),
        }
    }
}

/// A call in a hub, in one line.
struct Line<'a>(&'a HubMember);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(HubMember { id, device, call, state, info }) = self;
        write!(f, "call {} on line {}, {}: {}", id.0, device.0, Name(*state), About(info))?;
        if call.is_some() {
            f.write_str(", held here")?;
        }
        Ok(())
    }
}

/// What is known of a call, in a part of a line.
struct About<'a>(&'a CallInfo);

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(info) = self;
        write!(f, "{} to {}", Who(&info.caller), Who(&info.called))?;
        if let Some(connected) = &info.connected {
            write!(f, ", with {}", Who(connected))?;
        }
        if info.related_call_id != 0 {
            write!(f, ", out of call id {}", info.related_call_id)?;
        }
        if !info.application.is_empty() {
            write!(f, ", of {}", info.application)?;
        }
        Ok(())
    }
}

struct Who<'a>(&'a Party);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.name.as_deref(), self.0.address.as_str()) {
            (Some(name), "") => f.write_str(name),
            (Some(name), address) => write!(f, "{name} ({address})"),
            (None, "") => f.write_str("somebody"),
            (None, address) => f.write_str(address),
        }
    }
}

struct Name(Option<LineCallState>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use LineCallState as S;
        f.write_str(match self.0 {
            None => "new",
            Some(S::Idle) => "over",
            Some(S::Offering) => "offering",
            Some(S::Accepted) => "ringing",
            Some(S::Dialtone) => "dial tone",
            Some(S::Dialing) => "dialing",
            Some(S::Ringback) => "ringback",
            Some(S::Busy) => "busy",
            Some(S::SpecialInfo) => "special information",
            Some(S::Connected(ConnectedMode::Active)) => "connected",
            Some(S::Connected(ConnectedMode::ActiveHeld)) => "held by the far end",
            Some(S::Proceeding) => "proceeding",
            Some(S::OnHold) => "on hold",
            Some(S::Conferenced) => "in a conference",
            Some(S::OnHoldPendingConference) => "on hold for a conference",
            Some(S::OnHoldPendingTransfer) => "on hold for a transfer",
            Some(S::Disconnected(mode)) => return write!(f, "disconnected ({mode:?})"),
            Some(S::Unknown) => "in an unknown state",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{HubNews, HubView, HubViewError};
    use offhook_spi::{
        CallInfo, CallOrigin, CallReason, ConnectedMode, DeviceId, HCall, HHub, HubCallId, HubEvent,
        HubMember, HubRecord, LineCallState, MediaTypes, Timestamp,
    };

    const HUB: HHub = HHub(7);
    const CALL: HubCallId = HubCallId(9);

    fn new() -> HubEvent {
        HubEvent::New { provider: "scripted".to_owned(), call_id: 3 }
    }

    fn join(id: HubCallId) -> HubEvent {
        let mut info = CallInfo::new(CallOrigin::Inbound, CallReason::Direct, MediaTypes::AUDIO);
        "alice".clone_into(&mut info.caller.address);
        info.caller.name = Some("Alice".to_owned());
        let member = HubMember { id, device: DeviceId(2), call: Some(HCall(4)), state: None, info };
        HubEvent::Join { member: Box::new(member) }
    }

    fn told(events: &[HubEvent]) -> (HubView, Result<(), HubViewError>) {
        let mut view = HubView::default();
        for event in events {
            let before = view.clone();
            let record = HubRecord { at: Timestamp(0), hub: HUB, event: event.clone() };
            if let Err(error) = view.apply(&record) {
                assert_eq!(view, before, "an error changes nothing");
                return (view, Err(error));
            }
        }
        (view, Ok(()))
    }

    #[test]
    fn records_that_do_not_fit_are_refused_and_say_where() {
        let state = HubEvent::State { call: CALL, state: LineCallState::Offering };
        let table: [(&[HubEvent], HubViewError); 6] = [
            (&[join(CALL)], HubViewError::UnknownHub(HUB)),
            (&[HubEvent::Idle], HubViewError::UnknownHub(HUB)),
            (&[new(), state], HubViewError::UnknownCall(HUB, CALL)),
            (&[new(), HubEvent::Leave { call: CALL }], HubViewError::UnknownCall(HUB, CALL)),
            (&[new(), join(CALL), join(CALL)], HubViewError::JoinsTwice(HUB, CALL)),
            (&[new(), join(CALL), HubEvent::Idle], HubViewError::EndsEarly(HUB)),
        ];
        for (events, error) in table {
            assert_eq!(told(events).1, Err(error), "{events:?}");
        }
    }

    #[test]
    fn the_tree_has_a_line_a_hub_and_a_line_a_call() {
        let up = HubEvent::State { call: CALL, state: LineCallState::Connected(ConnectedMode::Active) };
        let given_up = HubEvent::Held { call: HubCallId(10), handle: None };
        let (view, _) = told(&[new(), join(CALL), join(HubCallId(10)), up, given_up]);
        let tree = "hub 7: scripted, call id 3\n\
                    ├─ call 9 on line 2, connected: Alice (alice) to somebody, held here\n\
                    └─ call 10 on line 2, new: Alice (alice) to somebody\n";
        assert_eq!(view.to_string(), tree);
        assert_eq!(HubView::of(view.hubs().cloned()), view);
        let (ended, _) = told(&[new(), join(CALL), HubEvent::Leave { call: CALL }, HubEvent::Idle]);
        assert_eq!(ended.to_string(), "no call hubs\n");
        let record = HubRecord { at: Timestamp(0), hub: HUB, event: HubEvent::Leave { call: CALL } };
        assert_eq!(HubNews(&record).to_string(), "hub 7: left by call 9");
    }
}
