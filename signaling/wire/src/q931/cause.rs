//! Cause values (Q.850 table 1, which Q.931 4.5.12 refers to): a code that keeps what it does not
//! know. Not here: location and diagnostics around the value (`elements`); what a machine makes of
//! one, and H.225.0 table 5 (cause ⇄ ReleaseCompleteReason), which need the call.

use std::fmt;

/// The seven bits of a cause value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(pub u8);

macro_rules! causes {
    ($($name:ident = $code:literal $text:literal;)*) => {
        impl Cause {
            $(
                #[doc = concat!("Cause ", stringify!($code), ": ", $text, ".")]
                pub const $name: Self = Self($code);
            )*

            /// The name in Q.850; `None` for a value that it does not list.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    Self(_) => None,
                }
            }
        }
    };
}

causes! {
    UNALLOCATED_NUMBER = 1 "unallocated (unassigned) number";
    NO_ROUTE_TO_TRANSIT_NETWORK = 2 "no route to specified transit network";
    NO_ROUTE_TO_DESTINATION = 3 "no route to destination";
    SEND_SPECIAL_INFORMATION_TONE = 4 "send special information tone";
    MISDIALLED_TRUNK_PREFIX = 5 "misdialled trunk prefix";
    CHANNEL_UNACCEPTABLE = 6 "channel unacceptable";
    CALL_AWARDED = 7 "call awarded and being delivered in an established channel";
    PREEMPTION = 8 "preemption";
    PREEMPTION_CIRCUIT_RESERVED = 9 "preemption: circuit reserved for reuse";
    QOR_PORTED_NUMBER = 14 "QoR: ported number";
    NORMAL_CALL_CLEARING = 16 "normal call clearing";
    USER_BUSY = 17 "user busy";
    NO_USER_RESPONDING = 18 "no user responding";
    NO_ANSWER_FROM_USER = 19 "no answer from user (user alerted)";
    SUBSCRIBER_ABSENT = 20 "subscriber absent";
    CALL_REJECTED = 21 "call rejected";
    NUMBER_CHANGED = 22 "number changed";
    REDIRECTION_TO_NEW_DESTINATION = 23 "redirection to new destination";
    CALL_REJECTED_BY_FEATURE = 24 "call rejected due to feature at the destination";
    EXCHANGE_ROUTING_ERROR = 25 "exchange routing error";
    NON_SELECTED_USER_CLEARING = 26 "non-selected user clearing";
    DESTINATION_OUT_OF_ORDER = 27 "destination out of order";
    INVALID_NUMBER_FORMAT = 28 "invalid number format (address incomplete)";
    FACILITY_REJECTED = 29 "facility rejected";
    RESPONSE_TO_STATUS_ENQUIRY = 30 "response to STATUS ENQUIRY";
    NORMAL_UNSPECIFIED = 31 "normal, unspecified";
    NO_CIRCUIT_AVAILABLE = 34 "no circuit/channel available";
    NETWORK_OUT_OF_ORDER = 38 "network out of order";
    FRAME_MODE_CONNECTION_OUT_OF_SERVICE = 39 "permanent frame mode connection out of service";
    FRAME_MODE_CONNECTION_OPERATIONAL = 40 "permanent frame mode connection operational";
    TEMPORARY_FAILURE = 41 "temporary failure";
    SWITCHING_EQUIPMENT_CONGESTION = 42 "switching equipment congestion";
    ACCESS_INFORMATION_DISCARDED = 43 "access information discarded";
    REQUESTED_CIRCUIT_NOT_AVAILABLE = 44 "requested circuit/channel not available";
    PRECEDENCE_CALL_BLOCKED = 46 "precedence call blocked";
    RESOURCE_UNAVAILABLE = 47 "resource unavailable, unspecified";
    QUALITY_OF_SERVICE_NOT_AVAILABLE = 49 "quality of service not available";
    REQUESTED_FACILITY_NOT_SUBSCRIBED = 50 "requested facility not subscribed";
    OUTGOING_CALLS_BARRED_WITHIN_CUG = 53 "outgoing calls barred within CUG";
    INCOMING_CALLS_BARRED_WITHIN_CUG = 55 "incoming calls barred within CUG";
    BEARER_CAPABILITY_NOT_AUTHORIZED = 57 "bearer capability not authorized";
    BEARER_CAPABILITY_NOT_AVAILABLE = 58 "bearer capability not presently available";
    INCONSISTENT_ACCESS_INFORMATION = 62 "inconsistency in designated outgoing access information and subscriber class";
    SERVICE_NOT_AVAILABLE = 63 "service or option not available, unspecified";
    BEARER_CAPABILITY_NOT_IMPLEMENTED = 65 "bearer capability not implemented";
    CHANNEL_TYPE_NOT_IMPLEMENTED = 66 "channel type not implemented";
    REQUESTED_FACILITY_NOT_IMPLEMENTED = 69 "requested facility not implemented";
    ONLY_RESTRICTED_DIGITAL_AVAILABLE = 70 "only restricted digital information bearer capability is available";
    SERVICE_NOT_IMPLEMENTED = 79 "service or option not implemented, unspecified";
    INVALID_CALL_REFERENCE = 81 "invalid call reference value";
    CHANNEL_DOES_NOT_EXIST = 82 "identified channel does not exist";
    NO_SUCH_SUSPENDED_CALL_IDENTITY = 83 "a suspended call exists, but this call identity does not";
    CALL_IDENTITY_IN_USE = 84 "call identity in use";
    NO_CALL_SUSPENDED = 85 "no call suspended";
    CALL_IDENTITY_CLEARED = 86 "call having the requested call identity has been cleared";
    USER_NOT_MEMBER_OF_CUG = 87 "user not member of CUG";
    INCOMPATIBLE_DESTINATION = 88 "incompatible destination";
    NON_EXISTENT_CUG = 90 "non-existent CUG";
    INVALID_TRANSIT_NETWORK_SELECTION = 91 "invalid transit network selection";
    INVALID_MESSAGE = 95 "invalid message, unspecified";
    MANDATORY_ELEMENT_MISSING = 96 "mandatory information element is missing";
    MESSAGE_TYPE_NOT_IMPLEMENTED = 97 "message type non-existent or not implemented";
    MESSAGE_NOT_COMPATIBLE_WITH_STATE = 98 "message not compatible with call state or message type non-existent or not implemented";
    ELEMENT_NOT_IMPLEMENTED = 99 "information element/parameter non-existent or not implemented";
    INVALID_ELEMENT_CONTENTS = 100 "invalid information element contents";
    INCOMPATIBLE_CALL_STATE = 101 "message not compatible with call state";
    RECOVERY_ON_TIMER_EXPIRY = 102 "recovery on timer expiry";
    PARAMETER_NOT_IMPLEMENTED = 103 "parameter non-existent or not implemented, passed on";
    MESSAGE_WITH_UNRECOGNIZED_PARAMETER = 110 "message with unrecognized parameter, discarded";
    PROTOCOL_ERROR = 111 "protocol error, unspecified";
    INTERWORKING = 127 "interworking, unspecified";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "cause {} ({name})", self.0),
            None => write!(f, "cause {}", self.0),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
