//! Whether a gateway can take calls (H.225.0 7.18; RAI, RAC).
//! In: what the application knows of its circuits. Out: RAI.

use std::time::Duration;

use offhook_wire::h225::{RasMessage, ResourcesAvailableIndicate};

use super::Ras;
use super::config::EndpointKind;
use super::endpoint::voice;
use super::transaction::Purpose;
use crate::product::PROTOCOL_IDENTIFIER;

impl Ras {
    /// Tells the gatekeeper whether we are nearly out of resources; gateways do, so that calls go elsewhere in time.
    /// [`RasEvent::Delivered`](crate::RasEvent) has the number that this returns; `None` when not registered.
    pub fn indicate_resources(&mut self, now: Duration, almost_out: bool) -> Option<u32> {
        let address = self.gatekeeper.address?;
        let prefixes = match &self.config.kind {
            EndpointKind::Terminal => &[],
            EndpointKind::Gateway { prefixes } => prefixes.as_slice(),
        };
        let rai = ResourcesAvailableIndicate::new(
            1,
            PROTOCOL_IDENTIFIER,
            self.endpoint_identifier()?,
            vec![voice(prefixes)],
            almost_out,
        );
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        let message = RasMessage::ResourcesAvailableIndicate(Box::new(rai));
        self.request(now, address, Purpose::Deliver(id), self.config.timers.rai, message).then_some(id)
    }
}
