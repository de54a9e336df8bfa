//! What a gatekeeper says about a call, and what of it goes into the call's signalling.
//! In: an [`Admission`], a shared secret. Out: a Setup that asks for whom the gatekeeper says; signed messages.
//!
//! Not here: the gatekeeper (`ras`), hashes (`h235`).

use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h225::{
    CallIdentifier, FacilityReason, FacilityUuie, H323UuPduH323MessageBody as Body, SetupUuie,
};
use offhook_wire::h225_message::{CallSignal, CallSignalEncodeError};
use offhook_wire::h235::ClearToken;
use offhook_wire::q931::{CalledPartyNumber, Element};
use tracing::debug;

use super::message::digits;
use super::release::Ending;
use super::{Call, Side};
use crate::address::aliases_to;
use crate::h235::{SecurityFailure, SignalSecurity};
use crate::product::PROTOCOL_IDENTIFIER;
use crate::{Admission, Alias, CallState, Origin, ReleaseReason};

/// What Setup takes over from ACF.
#[derive(Debug)]
pub(super) struct Admitted {
    destination: Vec<Alias>,
    extra: Vec<Alias>,
    remote_extension: Option<Alias>,
    source: Vec<Alias>,
    tokens: Vec<ClearToken>,
}

impl Call {
    /// Calling side, before the connection stands: Setup asks for whom ACF says (destinationInfo, destExtraCallInfo,
    /// remoteExtensionAddress), in the name that it gives us (modifiedSrcInfo), and carries its tokens (H.323 8.1.2,
    /// H.225.0 7.11.2). What ACF leaves empty stays as it was.
    pub fn apply_admission(&mut self, admission: &Admission) {
        if self.side == Side::Caller && self.state == CallState::Initiated {
            self.admitted = Some(Box::new(Admitted {
                destination: admission.destination.clone(),
                extra: admission.extra.clone(),
                remote_extension: admission.remote_extension.first().cloned(),
                source: admission.source.clone(),
                tokens: admission.tokens.clone(),
            }));
        }
    }

    /// Signs every message of the call and checks those of the peer (H.235.1). Before anything is sent or received. A
    /// Setup that fails releases the call (securityDenied); any other message that fails is dropped and counts as a
    /// protocol error. Not for calls that share a connection: their messages arrive without the octets that were signed.
    pub fn secure_signaling(&mut self, security: SignalSecurity) {
        self.security = Some(Box::new(security));
    }

    /// Changes a Setup as the gatekeeper wants it.
    pub(super) fn admit_setup(&self, signal: &mut CallSignal) {
        let Some(admitted) = &self.admitted else {
            return;
        };
        if let Some(Body::Setup(setup)) = signal.uuie.as_mut().map(|u| &mut u.h323_uu_pdu.h323_message_body) {
            admitted.fill(setup);
        }
        // The Called party number says the same as the aliases.
        if let Some(digits) = admitted.destination.iter().find_map(digits) {
            signal.q931.elements.retain(|element| element.id() != CalledPartyNumber::ID);
            signal.q931.insert(CalledPartyNumber::new(digits).to_element());
        }
    }

    /// The octets of a message, signed if the call is.
    pub(super) fn encode_signal(&mut self, signal: &CallSignal) -> Result<Bytes, CallSignalEncodeError> {
        let Some(security) = &mut self.security else {
            return signal.encode();
        };
        // The body `empty` has no room for a token: what it tunnels travels in a Facility that has.
        let mut signal = std::borrow::Cow::Borrowed(signal);
        if matches!(signal.body(), Some(Body::Empty))
            && let Some(uuie) = &mut signal.to_mut().uuie
        {
            let mut facility = FacilityUuie::new(PROTOCOL_IDENTIFIER, FacilityReason::TransportedInformation);
            facility.call_identifier = Some(CallIdentifier::new(self.identity.call_identifier));
            uuie.h323_uu_pdu.h323_message_body = Body::Facility(Box::new(facility));
        }
        security.encode(self.now, &signal).map(Bytes::from)
    }

    /// Whether a message may be taken; what is to be done about one that may not has been done.
    pub(super) fn is_genuine(&mut self, now: Duration, payload: &[u8], signal: &CallSignal) -> bool {
        let Some(security) = &mut self.security else {
            return true;
        };
        let Err(failure) = security.check(now, payload, signal) else {
            return true;
        };
        debug!(%failure, message = %signal.q931.message_type, "call signalling refused");
        let setup = match signal.body() {
            Some(Body::Setup(setup)) if self.state == CallState::Null && self.side == Side::Called => setup,
            _ => {
                self.on_protocol_error(now, &format!("H.235: {failure}"));
                return false;
            }
        };
        let reason = match failure {
            SecurityFailure::Missing => ReleaseReason::SecurityDenied,
            _ => ReleaseReason::SecurityError,
        };
        // Of this Setup only so much counts as its refusal needs.
        self.identity.call_reference = signal.q931.call_reference.flipped();
        self.identity.conference_id = setup.conference_id;
        self.identity.call_identifier = setup.call_identifier.as_ref().map_or([0; 16], |id| id.guid);
        self.state = CallState::Present;
        let mut ending = Ending::new(Origin::Machine, reason.cause(), format!("H.235: {failure}"));
        ending.reason = Some(reason);
        self.finish(now, ending);
        false
    }
}

impl Admitted {
    fn fill(&self, setup: &mut SetupUuie) {
        if let Some(destination) = aliases_to(&self.destination) {
            setup.destination_address = Some(destination);
        }
        if let Some(extra) = aliases_to(&self.extra) {
            setup.dest_extra_call_info = Some(extra);
        }
        if let Some(source) = aliases_to(&self.source).filter(|_| setup.source_address.is_some()) {
            setup.source_address = Some(source);
        }
        let extension = self.remote_extension.as_ref().map(std::slice::from_ref).and_then(aliases_to);
        if let Some(extension) = extension.into_iter().flatten().next() {
            setup.remote_extension_address = Some(extension);
        }
        if !self.tokens.is_empty() {
            setup.tokens.get_or_insert_default().extend(self.tokens.iter().cloned());
        }
    }
}
