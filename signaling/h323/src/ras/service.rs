//! Service control (SCI, SCR), proprietary messages (NSM), messages that nobody understands (XRS).
//! In: those of the gatekeeper, ours. Out: answers, events.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{
    NonStandardMessage, NonStandardParameter, RasMessage, ServiceControlDescriptor, ServiceControlIndication,
    ServiceControlResponse, ServiceControlResponseResult, ServiceControlSession, ServiceControlSessionReason,
    UnknownMessageResponse,
};
use offhook_wire::per;

use super::event::{RasEvent, ServiceReason, ServiceSession};
use super::information::call_key;
use super::message::text;
use super::transaction::Purpose;
use super::{Ras, RasCall};

/// Sessions of one message that are looked at.
const MAX_SESSIONS: usize = 16;

/// Between two XRS: who is not understood must not make us talk.
const XRS_INTERVAL: Duration = Duration::from_secs(1);

/// Octets of a message that XRS sends back.
const XRS_OCTETS: usize = 512;

impl Ras {
    /// Sessions that came with any message.
    pub(super) fn on_services(&mut self, call: Option<RasCall>, list: Option<&Vec<ServiceControlSession>>) {
        let sessions: Vec<_> = list.into_iter().flatten().take(MAX_SESSIONS).map(session).collect();
        // GNU Gatekeeper sends an empty call credit with every RCF and ACF: nothing to do with it.
        let says = |session: &ServiceSession| {
            session.url.is_some() || session.amount.is_some() || session.duration_limit.is_some()
        };
        if sessions.iter().any(says) {
            self.tell(RasEvent::ServiceControl(call, sessions));
        }
    }

    /// SCI of the gatekeeper.
    pub(super) fn on_service_indication(
        &mut self,
        now: Duration,
        source: SocketAddr,
        sci: &ServiceControlIndication,
    ) {
        let call = sci.call_specific.as_ref().map(|s| call_key(s.call_identifier.guid, s.answered_call));
        let closes = sci.service_control.iter().all(|s| s.reason == ServiceControlSessionReason::Close);
        let mut scr = ServiceControlResponse::new(sci.request_seq_num);
        scr.result = Some(match call {
            Some(call) if self.call(call).is_none() => ServiceControlResponseResult::NotAvailable,
            _ if closes => ServiceControlResponseResult::Stopped,
            _ => ServiceControlResponseResult::Started,
        });
        self.transmit(now, source, &RasMessage::ServiceControlResponse(Box::new(scr)));
        // A repetition, because our answer was lost.
        let again = self.last_service == Some((source, sci.request_seq_num));
        self.last_service = Some((source, sci.request_seq_num));
        if !again && call.is_none_or(|call| self.call(call).is_some()) {
            let sessions = sci.service_control.iter().take(MAX_SESSIONS).map(session).collect();
            self.tell(RasEvent::ServiceControl(call, sessions));
        }
    }

    /// Sends service control to the gatekeeper (SCI): `sessions` with URLs of at most 512 characters. The answer is
    /// [`RasEvent::Delivered`]; `None` when not registered or nothing fits.
    pub fn indicate_service(&mut self, now: Duration, sessions: &[ServiceSession]) -> Option<u32> {
        let address = self.gatekeeper.address?;
        let wire = sessions.iter().take(MAX_SESSIONS).map(|session| {
            let reason = match session.reason {
                ServiceReason::Open => ServiceControlSessionReason::Open,
                ServiceReason::Refresh => ServiceControlSessionReason::Refresh,
                ServiceReason::Close => ServiceControlSessionReason::Close,
            };
            let mut wire = ServiceControlSession::new(session.id, reason);
            wire.contents = session.url.clone().map(ServiceControlDescriptor::Url);
            wire
        });
        let mut sci = ServiceControlIndication::new(1, wire.collect());
        sci.endpoint_identifier = Some(self.endpoint_identifier()?);
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        let message = RasMessage::ServiceControlIndication(Box::new(sci));
        self.request(now, address, Purpose::Deliver(id), self.config.timers.sci, message).then_some(id)
    }

    /// Sends a proprietary message to the gatekeeper (NSM): nonStandardData in aligned PER, as
    /// [`RasEvent::NonStandard`] has it. Nobody confirms it. False when not registered, or that is no nonStandardData.
    pub fn send_non_standard(&mut self, now: Duration, data: &Bytes) -> bool {
        let (Some(address), Some(_)) = (self.gatekeeper.address, &self.registered) else {
            return false;
        };
        let Ok(data) = per::decode::<NonStandardParameter>(data) else {
            return false;
        };
        let message = NonStandardMessage::new(1, data.into_value());
        self.notify(now, address, RasMessage::NonStandardMessage(Box::new(message)));
        true
    }

    pub(super) fn on_non_standard(&mut self, source: SocketAddr, message: &NonStandardMessage) {
        if let Ok(octets) = per::encode(&message.non_standard_data) {
            self.tell(RasEvent::NonStandard(source, octets.into()));
        }
    }

    /// Answers what our gatekeeper sent and we do not understand.
    pub(super) fn send_not_understood(
        &mut self,
        now: Duration,
        source: SocketAddr,
        number: Option<u16>,
        octets: &[u8],
    ) {
        if self.gatekeeper.address != Some(source) || self.xrs_at.is_some_and(|at| now < at + XRS_INTERVAL) {
            return;
        }
        self.xrs_at = Some(now);
        // requestSeqNum cannot be told from the octets of a message that is not understood.
        let mut xrs = UnknownMessageResponse::new(number.unwrap_or(1).max(1));
        let part = octets.get(..XRS_OCTETS).unwrap_or(octets);
        xrs.message_not_understood = Some(Bytes::copy_from_slice(part));
        self.transmit(now, source, &RasMessage::UnknownMessageResponse(Box::new(xrs)));
    }

    /// XRS: our request was not understood. It will not be if it is repeated.
    pub(super) fn on_not_understood(&mut self, now: Duration, purpose: Purpose) {
        self.counters.not_understood = self.counters.not_understood.saturating_add(1);
        match purpose {
            Purpose::Deliver(id) => self.tell(RasEvent::Delivered(id, false)),
            Purpose::Locate(_) | Purpose::Report | Purpose::Leave | Purpose::Add => {}
            Purpose::Probe | Purpose::GoHome => self.on_home_silent(now),
            Purpose::Admit(call) => self.on_admission_unanswered(now, call),
            Purpose::Bandwidth(call) => self.on_bandwidth_unanswered(now, call),
            Purpose::Disengage(call) => self.on_disengaged(now, call),
            Purpose::Unregister => self.on_unregistered(now),
            Purpose::KeepAlive => self.register(now),
            Purpose::Discover | Purpose::Register => self.try_next(now),
        }
        if let Purpose::Locate(id) = purpose {
            self.on_location_unanswered(now, id);
        }
    }
}

fn session(wire: &ServiceControlSession) -> ServiceSession {
    let credit = match &wire.contents {
        Some(ServiceControlDescriptor::CallCreditServiceControl(credit)) => Some(credit),
        _ => None,
    };
    ServiceSession {
        id: wire.session_id,
        reason: match wire.reason {
            ServiceControlSessionReason::Open => ServiceReason::Open,
            ServiceControlSessionReason::Close => ServiceReason::Close,
            _ => ServiceReason::Refresh,
        },
        url: match &wire.contents {
            Some(ServiceControlDescriptor::Url(url)) => Some(url.clone()),
            _ => None,
        },
        amount: credit.and_then(|credit| credit.amount_string.as_ref().map(text)),
        duration_limit: credit
            .and_then(|credit| credit.call_duration_limit)
            .map(|seconds| Duration::from_secs(seconds.into())),
    }
}
