//! Call capacity, circuits and carriers of gateways.

use bytes::Bytes;

use super::generic::GenericData;
use crate::per::notation::sequence;
use crate::per::{Ia5, List, Octets, UNBOUNDED};

sequence! {
    /// Whether an endpoint can report its call capacity.
    #[derive(Default)]
    CapacityReportingCapability {
        can_report_call_capacity "canReportCallCapacity": bool,
        ...
    }
}

sequence! {
    /// When an endpoint is to report its call capacity.
    #[derive(Default)]
    CapacityReportingSpecification {
        when "when": CapacityReportingSpecificationWhen,
        ...
    }
}

sequence! {
    /// `when` of [`CapacityReportingSpecification`].
    #[derive(Default)]
    CapacityReportingSpecificationWhen {
        call_start "callStart"?: (),
        call_end "callEnd"?: (),
        ...
    }
}

sequence! {
    /// How many calls an endpoint can take, at most and now.
    #[derive(Default)]
    CallCapacity {
        maximum_call_capacity "maximumCallCapacity"?: Box<CallCapacityInfo>,
        current_call_capacity "currentCallCapacity"?: Box<CallCapacityInfo>,
        ...
    }
}

sequence! {
    /// Call capacity by kind of call.
    #[derive(Default)]
    CallCapacityInfo {
        voice_gw_calls_available "voiceGwCallsAvailable"?: Vec<CallsAvailable>,
        h310_gw_calls_available "h310GwCallsAvailable"?: Vec<CallsAvailable>,
        h320_gw_calls_available "h320GwCallsAvailable"?: Vec<CallsAvailable>,
        h321_gw_calls_available "h321GwCallsAvailable"?: Vec<CallsAvailable>,
        h322_gw_calls_available "h322GwCallsAvailable"?: Vec<CallsAvailable>,
        h323_gw_calls_available "h323GwCallsAvailable"?: Vec<CallsAvailable>,
        h324_gw_calls_available "h324GwCallsAvailable"?: Vec<CallsAvailable>,
        t120_only_gw_calls_available "t120OnlyGwCallsAvailable"?: Vec<CallsAvailable>,
        t38_fax_annexb_only_gw_calls_available "t38FaxAnnexbOnlyGwCallsAvailable"?: Vec<CallsAvailable>,
        terminal_calls_available "terminalCallsAvailable"?: Vec<CallsAvailable>,
        mcu_calls_available "mcuCallsAvailable"?: Vec<CallsAvailable>,
        ...
        sip_gw_calls_available "sipGwCallsAvailable": Vec<CallsAvailable>,
    }
}

sequence! {
    /// How many more calls of a kind, or of a group, are possible.
    #[derive(Default)]
    CallsAvailable {
        calls "calls": u32,
        group "group"?: String as Ia5<1, 128>,
        ...
        carrier "carrier": CarrierInfo,
    }
}

sequence! {
    /// The circuits of a call, to and from a switched-circuit network.
    #[derive(Default)]
    CircuitInfo {
        source_circuit_id "sourceCircuitID"?: CircuitIdentifier,
        destination_circuit_id "destinationCircuitID"?: CircuitIdentifier,
        generic_data "genericData"?: Vec<GenericData>,
        ...
    }
}

sequence! {
    /// A circuit, a group of circuits, or a carrier.
    #[derive(Default)]
    CircuitIdentifier {
        cic "cic"?: CicInfo,
        group "group"?: GroupID,
        ...
        carrier "carrier": CarrierInfo,
    }
}

sequence! {
    /// Circuit identification codes of SS7.
    CicInfo {
        cic "cic": Vec<Bytes> as List<0, UNBOUNDED, Octets<2, 4>>,
        point_code "pointCode": Bytes as Octets<2, 5>,
        ...
    }
}

sequence! {
    /// A trunk group.
    GroupID {
        member "member"?: Vec<u16>,
        group "group": String as Ia5<1, 128>,
        ...
    }
}

sequence! {
    /// A carrier of calls.
    #[derive(Default)]
    CarrierInfo {
        carrier_identification_code "carrierIdentificationCode"?: Bytes as Octets<3, 4>,
        carrier_name "carrierName"?: String as Ia5<1, 128>,
        ...
    }
}
