//! Service control sessions, call credit and usage reports.

use bytes::Bytes;

use super::call::ReleaseCompleteReason;
use super::common::{BandWidth, NonStandardParameter, TransportChannelInfo};
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, BmpString, Ia5, Int, Octets, Plain};
use crate::schema::h235;

/// Packages of H.248, in their own encoding.
pub(crate) type H248PackagesDescriptor = Plain;

/// Signals of H.248, in their own encoding.
pub(crate) type H248SignalsDescriptor = Plain;

choice! {
    /// How to reach a service control session.
    ServiceControlDescriptor {
        0 Url "url": String as Ia5<0, 512>,
        1 Signal "signal": Bytes as H248SignalsDescriptor,
        2 NonStandard "nonStandard": Box<NonStandardParameter>,
        3 CallCreditServiceControl "callCreditServiceControl": Box<CallCreditServiceControl>,
        ...
    }
}

sequence! {
    /// Opens, refreshes or closes a service control session.
    ServiceControlSession {
        session_id "sessionId": u8,
        contents "contents"?: ServiceControlDescriptor,
        reason "reason": ServiceControlSessionReason,
        ...
    }
}

choice! {
    /// `reason` of [`ServiceControlSession`].
    ServiceControlSessionReason {
        0 Open "open",
        1 Refresh "refresh",
        2 Close "close",
        ...
    }
}

sequence! {
    /// Kinds of usage information.
    #[derive(Default)]
    RasUsageInfoTypes {
        non_standard_usage_types "nonStandardUsageTypes": Vec<NonStandardParameter>,
        start_time "startTime"?: (),
        end_time "endTime"?: (),
        termination_cause "terminationCause"?: (),
        ...
    }
}

sequence! {
    /// Which usage information an endpoint is to report, and when.
    #[derive(Default)]
    RasUsageSpecification {
        when "when": RasUsageSpecificationWhen,
        call_starting_point "callStartingPoint"?: RasUsageSpecificationCallStartingPoint,
        required "required": RasUsageInfoTypes,
        ...
    }
}

sequence! {
    /// `when` of [`RasUsageSpecification`].
    #[derive(Default)]
    RasUsageSpecificationWhen {
        start "start"?: (),
        end "end"?: (),
        in_irr "inIrr"?: (),
        ...
    }
}

sequence! {
    /// `callStartingPoint` of [`RasUsageSpecification`].
    #[derive(Default)]
    RasUsageSpecificationCallStartingPoint {
        alerting "alerting"?: (),
        connect "connect"?: (),
        ...
    }
}

sequence! {
    /// Times of alerting, connect and end of a call.
    #[derive(Default)]
    RasUsageInformation {
        non_standard_usage_fields "nonStandardUsageFields": Vec<NonStandardParameter>,
        alerting_time "alertingTime"?: u32 as h235::TimeStamp,
        connect_time "connectTime"?: u32 as h235::TimeStamp,
        end_time "endTime"?: u32 as h235::TimeStamp,
        ...
    }
}

choice! {
    /// Why a call ended, for usage reports.
    CallTerminationCause {
        0 ReleaseCompleteReason "releaseCompleteReason": ReleaseCompleteReason,
        1 ReleaseCompleteCauseIE "releaseCompleteCauseIE": Bytes as Octets<2, 32>,
        ...
    }
}

sequence! {
    /// Bandwidth of one RTP stream.
    BandwidthDetails {
        sender "sender": bool,
        multicast "multicast": bool,
        bandwidth "bandwidth": u32 as BandWidth,
        rtcp_addresses "rtcpAddresses": TransportChannelInfo,
        ...
    }
}

sequence! {
    /// Whether an endpoint can tell and enforce call credit.
    #[derive(Default)]
    CallCreditCapability {
        can_display_amount_string "canDisplayAmountString"?: bool,
        can_enforce_duration_limit "canEnforceDurationLimit"?: bool,
        ...
    }
}

sequence! {
    /// What a caller's credit allows.
    #[derive(Default)]
    CallCreditServiceControl {
        amount_string "amountString"?: BmpString as Bmp<1, 512>,
        billing_mode "billingMode"?: CallCreditServiceControlBillingMode,
        call_duration_limit "callDurationLimit"?: u32 as Int<1, 4_294_967_295>,
        enforce_call_duration_limit "enforceCallDurationLimit"?: bool,
        call_starting_point "callStartingPoint"?: CallCreditServiceControlCallStartingPoint,
        ...
    }
}

choice! {
    /// `billingMode` of [`CallCreditServiceControl`].
    CallCreditServiceControlBillingMode {
        0 Credit "credit",
        1 Debit "debit",
        ...
    }
}

choice! {
    /// `callStartingPoint` of [`CallCreditServiceControl`].
    CallCreditServiceControlCallStartingPoint {
        0 Alerting "alerting",
        1 Connect "connect",
        ...
    }
}
