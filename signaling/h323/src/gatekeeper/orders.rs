//! What the gatekeeper asks of endpoints on its own: URQ, DRQ, BRQ, IRQ.
//! In: the operator's wishes, the end of lifetimes. Out: requests, repeated as H.225.0 says; who did not answer.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    BandwidthRequest, CallIdentifier, DisengageReason, DisengageRequest, InfoRequest, RasMessage,
    UnregRequestReason, UnregistrationRequest,
};

use super::table::{CallRow, EndpointRow};
use super::{CallEnd, Gatekeeper, GatekeeperEvent, Leaving};
use crate::address::to_h225;
use crate::h235::Method;
use crate::ras::Retry;
use crate::ras::message::{Kind, set_sequence};

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) number: u16,
    pub(super) kind: Kind,
    pub(super) to: SocketAddr,
    pub(super) endpoint: String,
    pub(super) call: Option<[u8; 16]>,
    /// User and endpointIdentifier, to sign with.
    signed_for: Option<(String, String)>,
    pub(super) message: RasMessage,
    timeout: Duration,
    left: u32,
    pub(super) deadline: Duration,
}

impl Gatekeeper {
    fn order(&mut self, now: Duration, row: &EndpointRow, call: Option<[u8; 16]>, mut message: RasMessage) {
        if self.orders.len() >= self.config.limits.requests.min(32_768) {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return;
        }
        let number = loop {
            self.number = self.number.checked_add(1).unwrap_or(1);
            if self.orders.iter().all(|order| order.number != self.number) {
                break self.number;
            }
        };
        set_sequence(&mut message, number);
        let kind = Kind::of(&message);
        let timers = &self.config.timers;
        let Retry { timeout, retries } = match kind {
            Kind::UnregistrationRequest => timers.urq,
            Kind::DisengageRequest => timers.drq,
            Kind::BandwidthRequest => timers.brq,
            _ => timers.irq,
        };
        let signed_for = row
            .user
            .clone()
            .filter(|_| row.method == Some(Method::H2351))
            .map(|user| (user, row.identifier.clone()));
        let borrowed = signed_for.as_ref().map(|(user, general)| (user.as_str(), general.as_str()));
        self.send(now, row.ras_address, message.clone(), borrowed);
        self.orders.push(Order {
            number,
            kind,
            to: row.ras_address,
            endpoint: row.identifier.clone(),
            call,
            signed_for,
            message,
            timeout,
            left: retries,
            deadline: now.saturating_add(timeout),
        });
    }

    /// Ends an endpoint's registration (URQ maintenance). False when there is no such endpoint.
    pub fn unregister(&mut self, now: Duration, endpoint: &str) -> bool {
        self.unregister_for(now, endpoint, UnregRequestReason::Maintenance, Leaving::Ordered)
    }

    pub(super) fn unregister_for(
        &mut self,
        now: Duration,
        endpoint: &str,
        reason: UnregRequestReason,
        why: Leaving,
    ) -> bool {
        let Some(row) = self.table.endpoint(endpoint).cloned() else {
            return false;
        };
        let addresses = row.signal_addresses.iter().copied().map(to_h225).collect();
        let mut urq = UnregistrationRequest::new(1, addresses);
        urq.endpoint_identifier = Some(row.identifier.as_str().into());
        urq.gatekeeper_identifier = Some(self.config.identifier.as_str().into());
        urq.reason = Some(reason);
        self.order(now, &row, None, RasMessage::UnregistrationRequest(Box::new(urq)));
        self.forget_endpoint(endpoint, why);
        true
    }

    /// Ends a call: DRQ forcedDrop to its endpoints. False when there is no such call.
    pub fn disconnect(&mut self, now: Duration, call: [u8; 16]) -> bool {
        let Some(row) = self.table.calls.remove(&call) else {
            return false;
        };
        for (endpoint, answer, reference) in legs(&row) {
            let Some(endpoint) = self.table.endpoint(&endpoint).cloned() else { continue };
            let mut drq = DisengageRequest::new(
                1,
                endpoint.identifier.as_str().into(),
                row.conference_id,
                reference,
                DisengageReason::ForcedDrop,
            );
            drq.call_identifier = Some(CallIdentifier::new(call));
            drq.gatekeeper_identifier = Some(self.config.identifier.as_str().into());
            drq.answered_call = Some(answer);
            self.order(now, &endpoint, Some(call), RasMessage::DisengageRequest(Box::new(drq)));
        }
        self.tell(GatekeeperEvent::CallEnded(Box::new(row), CallEnd::Ordered));
        true
    }

    /// Gives a call another bandwidth, in 100 bit/s: BRQ to its endpoints; [`GatekeeperEvent::Bandwidth`] when one has
    /// confirmed. False when there is no such call.
    pub fn set_bandwidth(&mut self, now: Duration, call: [u8; 16], bandwidth: u32) -> bool {
        let Some(row) = self.table.calls.get(&call).cloned() else {
            return false;
        };
        for (endpoint, answer, reference) in legs(&row) {
            let Some(endpoint) = self.table.endpoint(&endpoint).cloned() else { continue };
            let mut brq = BandwidthRequest::new(
                1,
                endpoint.identifier.as_str().into(),
                row.conference_id,
                reference,
                bandwidth,
            );
            brq.call_identifier = Some(CallIdentifier::new(call));
            brq.gatekeeper_identifier = Some(self.config.identifier.as_str().into());
            brq.answered_call = Some(answer);
            self.order(now, &endpoint, Some(call), RasMessage::BandwidthRequest(Box::new(brq)));
        }
        true
    }

    /// Asks an endpoint for its calls (IRQ), or for one; [`GatekeeperEvent::Report`] is the answer. False when there is no
    /// such endpoint.
    pub fn query(&mut self, now: Duration, endpoint: &str, call: Option<[u8; 16]>) -> bool {
        let Some(row) = self.table.endpoint(endpoint).cloned() else {
            return false;
        };
        let reference = call
            .and_then(|call| self.table.calls.get(&call))
            .and_then(|call| call.legs().find(|(leg, _)| leg.endpoint == endpoint))
            .map_or(0, |(leg, _)| leg.call_reference);
        let mut irq = InfoRequest::new(1, reference);
        irq.call_identifier = call.map(CallIdentifier::new);
        self.order(now, &row, call, RasMessage::InfoRequest(Box::new(irq)));
        true
    }

    /// Routed model: the signalling of a call is gone; endpoints say so themselves by DRQ, unless they are gone too.
    pub fn call_ended(&mut self, call: [u8; 16]) {
        if let Some(call) = self.table.calls.remove(&call) {
            self.tell(GatekeeperEvent::CallEnded(Box::new(call), CallEnd::Disengaged));
        }
    }

    pub(super) fn expire_orders(&mut self, now: Duration) {
        while let Some(at) = self.orders.iter().position(|order| order.deadline <= now) {
            let Some(order) = self.orders.get_mut(at) else { return };
            if order.left > 0 {
                order.left -= 1;
                order.deadline = now.saturating_add(order.timeout);
                let (to, message, signed_for) = (order.to, order.message.clone(), order.signed_for.clone());
                let borrowed = signed_for.as_ref().map(|(user, general)| (user.as_str(), general.as_str()));
                self.counters.repeated = self.counters.repeated.saturating_add(1);
                self.send(now, to, message, borrowed);
                continue;
            }
            let order = self.orders.remove(at);
            self.counters.unanswered = self.counters.unanswered.saturating_add(1);
            self.tell(GatekeeperEvent::Unanswered(order.endpoint, order.kind.name()));
        }
    }
}

fn legs(call: &CallRow) -> Vec<(String, bool, u16)> {
    call.legs().map(|(leg, answer)| (leg.endpoint.clone(), answer, leg.call_reference)).collect()
}
