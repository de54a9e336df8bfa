//! Network quality and transport of media.

use super::message::NonStandardParameter;
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List};

sequence! {
    /// Parameters of a resource reservation.
    #[derive(Default)]
    RSVPParameters {
        qos_mode "qosMode"?: QOSMode,
        token_rate "tokenRate"?: u32 as Int<1, 4_294_967_295>,
        bucket_size "bucketSize"?: u32 as Int<1, 4_294_967_295>,
        peak_rate "peakRate"?: u32 as Int<1, 4_294_967_295>,
        min_policed "minPoliced"?: u32 as Int<1, 4_294_967_295>,
        max_pkt_size "maxPktSize"?: u32 as Int<1, 4_294_967_295>,
        ...
    }
}

choice! {
    /// Kind of reserved service.
    QOSMode {
        0 GuaranteedQOS "guaranteedQOS",
        1 ControlledLoad "controlledLoad",
        ...
    }
}

sequence! {
    /// Parameters of an ATM connection.
    #[derive(Default)]
    ATMParameters {
        max_ntu_size "maxNTUSize": u16,
        atm_ubr "atmUBR": bool,
        atm_rt_vbr "atmrtVBR": bool,
        atm_nrt_vbr "atmnrtVBR": bool,
        atm_abr "atmABR": bool,
        atm_cbr "atmCBR": bool,
        ...
    }
}

sequence! {
    /// A priority scheme.
    #[derive(Default)]
    ServicePriorityValue {
        non_standard_parameter "nonStandardParameter"?: NonStandardParameter,
        ...
        value "value": u8,
    }
}

sequence! {
    /// Priority of a channel.
    #[derive(Default)]
    ServicePriority {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        service_priority_signalled "servicePrioritySignalled": bool,
        service_priority_value "servicePriorityValue"?: ServicePriorityValue,
        ...
        service_class "serviceClass": u16 as Int<0, 4095>,
        service_subclass "serviceSubclass": u8,
    }
}

sequence! {
    /// Authorization of a reservation.
    #[derive(Default)]
    AuthorizationParameters {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
    }
}

choice! {
    /// Whether a quality is wanted or required.
    QOSType {
        0 Desired "desired",
        1 Required "required",
        ...
    }
}

choice! {
    /// Class of network quality (Y.1541).
    QOSClass {
        0 Class0 "class0",
        1 Class1 "class1",
        2 Class2 "class2",
        3 Class3 "class3",
        4 Class4 "class4",
        5 Class5 "class5",
        ...
    }
}

sequence! {
    /// Class and kind of a wanted quality.
    QOSDescriptor {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        qos_type "qosType": QOSType,
        qos_class "qosClass": QOSClass,
        ...
    }
}

sequence! {
    /// Transport parameters without a scheme of their own.
    #[derive(Default)]
    GenericTransportParameters {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        average_rate "averageRate"?: u32 as Int<1, 4_294_967_295>,
        burst "burst"?: u32 as Int<1, 4_294_967_295>,
        peak_rate "peakRate"?: u32 as Int<1, 4_294_967_295>,
        max_pkt_size "maxPktSize"?: u32 as Int<1, 4_294_967_295>,
        ...
    }
}

sequence! {
    /// Ways to reserve network quality.
    #[derive(Default)]
    QOSCapability {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        rsvp_parameters "rsvpParameters"?: RSVPParameters,
        atm_parameters "atmParameters"?: ATMParameters,
        ...
        local_qos "localQoS": bool,
        generic_transport_parameters "genericTransportParameters": GenericTransportParameters,
        service_priority "servicePriority": ServicePriority,
        authorization_parameter "authorizationParameter": AuthorizationParameters,
        qos_descriptor "qosDescriptor": QOSDescriptor,
        dscp_value "dscpValue": u8 as Int<0, 63>,
    }
}

choice! {
    /// How media travel.
    MediaTransportType {
        0 IpUdp "ip-UDP",
        1 IpTcp "ip-TCP",
        2 AtmAal5Unidir "atm-AAL5-UNIDIR",
        3 AtmAal5Bidir "atm-AAL5-BIDIR",
        ...
        0 AtmAal5Compressed "atm-AAL5-compressed": MediaTransportTypeAtmAal5Compressed,
    }
}

sequence! {
    /// `atm-AAL5-compressed` of [`MediaTransportType`].
    #[derive(Default)]
    MediaTransportTypeAtmAal5Compressed {
        variable_delta "variable-delta": bool,
        ...
    }
}

sequence! {
    /// Ways that media can travel.
    #[derive(Default)]
    MediaChannelCapability {
        media_transport "mediaTransport"?: MediaTransportType,
        ...
    }
}

sequence! {
    /// Network quality and transport of a capability.
    #[derive(Default)]
    TransportCapability {
        non_standard "nonStandard"?: NonStandardParameter,
        qos_capabilities "qOSCapabilities"?: Vec<QOSCapability> as List<1, 256>,
        media_channel_capabilities "mediaChannelCapabilities"?: Vec<MediaChannelCapability> as List<1, 256>,
        ...
    }
}
