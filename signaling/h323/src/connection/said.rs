//! What a call signalling message says that matters to its connection.
//! In: a message. Out: [`Said`]; whether octets release a call.
//! Not here: what follows from it (`mod`).

use offhook_wire::h225::{CallIdentifier, H323UuPduH323MessageBody as Body, ReleaseCompleteReason};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::MessageType;
use offhook_wire::tpkt;

/// What a message says that matters to its connection.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// All zero where the message has none.
    pub(super) call_identifier: [u8; 16],
    pub(super) multiple_calls: Option<bool>,
    pub(super) maintain: Option<bool>,
    /// ReleaseComplete with newConnectionNeeded: the peer takes no more calls here.
    pub(super) new_connection: bool,
}

impl From<&CallSignal> for Said {
    fn from(signal: &CallSignal) -> Self {
        macro_rules! said {
            ($uuie:expr) => {
                Self {
                    call_identifier: $uuie.call_identifier.as_ref().map_or([0; 16], |id| id.guid),
                    ..Self::default()
                }
            };
            ($uuie:expr, announces) => {
                Self {
                    multiple_calls: $uuie.multiple_calls,
                    maintain: $uuie.maintain_connection,
                    ..said!($uuie)
                }
            };
        }
        let Some(body) = signal.body() else {
            return Self::default();
        };
        match body {
            Body::Setup(uuie) => said!(uuie, announces),
            Body::CallProceeding(uuie) => said!(uuie, announces),
            Body::Alerting(uuie) => said!(uuie, announces),
            Body::Connect(uuie) => said!(uuie, announces),
            Body::Facility(uuie) => said!(uuie, announces),
            Body::Progress(uuie) => Self {
                multiple_calls: uuie.multiple_calls,
                maintain: uuie.maintain_connection,
                ..Self::of(&uuie.call_identifier)
            },
            Body::ReleaseComplete(uuie) => Self {
                new_connection: matches!(uuie.reason, Some(ReleaseCompleteReason::NewConnectionNeeded)),
                ..said!(uuie)
            },
            Body::Information(uuie) => said!(uuie),
            Body::Notify(uuie) => Self::of(&uuie.call_identifier),
            Body::SetupAcknowledge(uuie) => Self::of(&uuie.call_identifier),
            Body::Status(uuie) => Self::of(&uuie.call_identifier),
            Body::StatusInquiry(uuie) => Self::of(&uuie.call_identifier),
            _ => Self::default(),
        }
    }
}

impl Said {
    fn of(id: &CallIdentifier) -> Self {
        Self { call_identifier: id.guid, ..Self::default() }
    }

    pub(super) fn is_of(&self, call_identifier: &[u8; 16]) -> bool {
        self.call_identifier != [0; 16] && self.call_identifier == *call_identifier
    }
}

/// Whether one of these TPKTs is a ReleaseComplete.
pub(super) fn carries_release(mut octets: &[u8]) -> bool {
    while let [_, _, high, low, rest @ ..] = octets {
        let length = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(tpkt::HEADER_LENGTH);
        let (payload, next) = rest.split_at(length.min(rest.len()));
        // Protocol discriminator, length of the call reference, the call reference, message type.
        let kind = payload.get(1).and_then(|length| payload.get(2 + usize::from(length & 0x0f)));
        if kind == Some(&MessageType::RELEASE_COMPLETE.0) {
            return true;
        }
        octets = next;
    }
    false
}
