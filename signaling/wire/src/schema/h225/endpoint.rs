//! What endpoints say about themselves: kind, vendor, the protocols of a gateway.

use bytes::Bytes;

use super::common::{DataRate, NonStandardParameter, SupportedPrefix};
use crate::per::notation::{choice, sequence};
use crate::per::{BitString, Bits, Ia5, Octets, Oid};
use crate::schema::h245;

sequence! {
    /// What an endpoint is: terminal, gateway, gatekeeper, MCU, and who built it.
    #[derive(Default)]
    EndpointType {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        vendor "vendor"?: VendorIdentifier,
        gatekeeper "gatekeeper"?: GatekeeperInfo,
        gateway "gateway"?: GatewayInfo,
        mcu "mcu"?: McuInfo,
        terminal "terminal"?: TerminalInfo,
        mc "mc": bool,
        undefined_node "undefinedNode": bool,
        ...
        set "set": BitString as Bits<32, 32>,
        supported_tunnelled_protocols "supportedTunnelledProtocols": Vec<TunnelledProtocol>,
    }
}

sequence! {
    /// The protocols of a gateway.
    #[derive(Default)]
    GatewayInfo {
        protocol "protocol"?: Vec<SupportedProtocols>,
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
    }
}

choice! {
    /// A protocol that a gateway translates.
    SupportedProtocols {
        0 NonStandardData "nonStandardData": Box<NonStandardParameter>,
        1 H310 "h310": Box<H310Caps>,
        2 H320 "h320": Box<H320Caps>,
        3 H321 "h321": Box<H321Caps>,
        4 H322 "h322": Box<H322Caps>,
        5 H323 "h323": Box<H323Caps>,
        6 H324 "h324": Box<H324Caps>,
        7 Voice "voice": Box<VoiceCaps>,
        8 T120Only "t120-only": Box<T120OnlyCaps>,
        ...
        0 NonStandardProtocol "nonStandardProtocol": Box<NonStandardProtocol>,
        1 T38FaxAnnexbOnly "t38FaxAnnexbOnly": Box<T38FaxAnnexbOnlyCaps>,
        2 Sip "sip": Box<SIPCaps>,
    }
}

sequence! {
    /// Gateway to H.310 terminals: data rates and prefixes.
    #[derive(Default)]
    H310Caps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway to H.320 terminals: data rates and prefixes.
    #[derive(Default)]
    H320Caps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway to H.321 terminals: data rates and prefixes.
    #[derive(Default)]
    H321Caps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway to H.322 terminals: data rates and prefixes.
    #[derive(Default)]
    H322Caps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway between H.323 zones: data rates and prefixes.
    #[derive(Default)]
    H323Caps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway to H.324 terminals: data rates and prefixes.
    #[derive(Default)]
    H324Caps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway to telephones: data rates and prefixes.
    #[derive(Default)]
    VoiceCaps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway for T.120 data alone.
    #[derive(Default)]
    T120OnlyCaps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        data_rates_supported "dataRatesSupported": Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
    }
}

sequence! {
    /// Gateway to a proprietary protocol.
    #[derive(Default)]
    NonStandardProtocol {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        data_rates_supported "dataRatesSupported"?: Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
        ...
    }
}

sequence! {
    /// Gateway to fax machines (T.38 Annex B).
    T38FaxAnnexbOnlyCaps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        data_rates_supported "dataRatesSupported"?: Vec<DataRate>,
        supported_prefixes "supportedPrefixes": Vec<SupportedPrefix>,
        t38_fax_protocol "t38FaxProtocol": h245::DataProtocolCapability,
        t38_fax_profile "t38FaxProfile": h245::T38FaxProfile,
        ...
    }
}

sequence! {
    /// Gateway to SIP: prefixes.
    #[derive(Default)]
    SIPCaps {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        data_rates_supported "dataRatesSupported"?: Vec<DataRate>,
        supported_prefixes "supportedPrefixes"?: Vec<SupportedPrefix>,
        ...
    }
}

sequence! {
    /// The protocols of an MCU.
    #[derive(Default)]
    McuInfo {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
        protocol "protocol": Vec<SupportedProtocols>,
    }
}

sequence! {
    /// Says that an endpoint is a terminal.
    #[derive(Default)]
    TerminalInfo {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
    }
}

sequence! {
    /// Says that an endpoint is a gatekeeper.
    #[derive(Default)]
    GatekeeperInfo {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        ...
    }
}

sequence! {
    /// Manufacturer, product and version. Peers end the texts with NUL.
    VendorIdentifier {
        vendor "vendor": H221NonStandard,
        product_id "productId"?: Bytes as Octets<1, 256>,
        version_id "versionId"?: Bytes as Octets<1, 256>,
        ...
        enterprise_number "enterpriseNumber": Oid,
    }
}

sequence! {
    /// A manufacturer by T.35 country code, as in H.221.
    #[derive(Default)]
    H221NonStandard {
        t35_country_code "t35CountryCode": u8,
        t35_extension "t35Extension": u8,
        manufacturer_code "manufacturerCode": u16,
        ...
    }
}

sequence! {
    /// A signalling protocol that can be tunnelled in H.225.0 messages.
    TunnelledProtocol {
        id "id": TunnelledProtocolId,
        sub_identifier "subIdentifier"?: String as Ia5<1, 64>,
        ...
    }
}

choice! {
    /// `id` of [`TunnelledProtocol`].
    TunnelledProtocolId {
        0 TunnelledProtocolObjectID "tunnelledProtocolObjectID": Oid,
        1 TunnelledProtocolAlternateID "tunnelledProtocolAlternateID": TunnelledProtocolAlternateIdentifier,
        ...
    }
}

sequence! {
    /// A tunnelled protocol that has no object identifier.
    TunnelledProtocolAlternateIdentifier {
        protocol_type "protocolType": String as Ia5<1, 64>,
        protocol_variant "protocolVariant"?: String as Ia5<1, 64>,
        ...
    }
}
