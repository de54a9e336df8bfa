//! Transport addresses and aliases: names, numbers and their plans.

use bytes::Bytes;

use super::call::{PresentationIndicator, ScreeningIndicator};
use super::common::NonStandardParameter;
use crate::per::notation::{choice, sequence};
use crate::per::{Bmp, BmpString, DialledDigit, Ia5, IsupDigit, Octets, Tbcd};

choice! {
    /// Where to send: an IPv4, IPv6, IPX, NetBIOS or NSAP address with its port.
    TransportAddress {
        0 IpAddress "ipAddress": TransportAddressIpAddress,
        1 IpSourceRoute "ipSourceRoute": Box<TransportAddressIpSourceRoute>,
        2 IpxAddress "ipxAddress": TransportAddressIpxAddress,
        3 Ip6Address "ip6Address": TransportAddressIp6Address,
        4 NetBios "netBios": [u8; 16],
        5 Nsap "nsap": Bytes as Octets<1, 20>,
        6 NonStandardAddress "nonStandardAddress": Box<NonStandardParameter>,
        ...
    }
}

sequence! {
    /// An IPv4 address and a port.
    TransportAddressIpAddress {
        ip "ip": [u8; 4],
        port "port": u16,
    }
}

sequence! {
    /// An IPv4 address with the route to it.
    TransportAddressIpSourceRoute {
        ip "ip": [u8; 4],
        port "port": u16,
        route "route": Vec<[u8; 4]>,
        routing "routing": TransportAddressIpSourceRouteRouting,
        ...
    }
}

choice! {
    /// `routing` of [`TransportAddressIpSourceRoute`].
    TransportAddressIpSourceRouteRouting {
        0 Strict "strict",
        1 Loose "loose",
        ...
    }
}

sequence! {
    /// An IPX address.
    TransportAddressIpxAddress {
        node "node": [u8; 6],
        netnum "netnum": [u8; 4],
        port "port": [u8; 2],
    }
}

sequence! {
    /// An IPv6 address and a port.
    TransportAddressIp6Address {
        ip "ip": [u8; 16],
        port "port": u16,
        ...
    }
}

choice! {
    /// A name or number of an endpoint.
    AliasAddress {
        0 DialledDigits "dialledDigits": String as DialledDigit<1, 128>,
        1 H323Id "h323-ID": BmpString as Bmp<1, 256>,
        ...
        0 UrlId "url-ID": String as Ia5<1, 512>,
        1 TransportID "transportID": TransportAddress,
        2 EmailId "email-ID": String as Ia5<1, 512>,
        3 PartyNumber "partyNumber": PartyNumber,
        4 MobileUIM "mobileUIM": MobileUIM,
        5 IsupNumber "isupNumber": IsupNumber,
    }
}

choice! {
    /// A set of addresses: by wildcard or by range.
    AddressPattern {
        0 Wildcard "wildcard": AliasAddress,
        1 Range "range": Box<AddressPatternRange>,
        ...
    }
}

sequence! {
    /// `range` of [`AddressPattern`].
    AddressPatternRange {
        start_of_range "startOfRange": PartyNumber,
        end_of_range "endOfRange": PartyNumber,
    }
}

choice! {
    /// A telephone number with its numbering plan.
    PartyNumber {
        0 E164Number "e164Number": Box<PublicPartyNumber>,
        1 DataPartyNumber "dataPartyNumber": String as NumberDigits,
        2 TelexPartyNumber "telexPartyNumber": String as NumberDigits,
        3 PrivateNumber "privateNumber": Box<PrivatePartyNumber>,
        4 NationalStandardPartyNumber "nationalStandardPartyNumber": String as NumberDigits,
        ...
    }
}

sequence! {
    /// A number of the public numbering plan (E.164).
    PublicPartyNumber {
        public_type_of_number "publicTypeOfNumber": PublicTypeOfNumber,
        public_number_digits "publicNumberDigits": String as NumberDigits,
    }
}

sequence! {
    /// A number of a private numbering plan.
    PrivatePartyNumber {
        private_type_of_number "privateTypeOfNumber": PrivateTypeOfNumber,
        private_number_digits "privateNumberDigits": String as NumberDigits,
    }
}

/// Digits of a party number.
pub(crate) type NumberDigits = DialledDigit<1, 128>;

sequence! {
    /// A name to display, with its language.
    DisplayName {
        language "language"?: String as Ia5,
        name "name": BmpString as Bmp<1, 80>,
    }
}

choice! {
    /// How much of a public number is given.
    PublicTypeOfNumber {
        0 Unknown "unknown",
        1 InternationalNumber "internationalNumber",
        2 NationalNumber "nationalNumber",
        3 NetworkSpecificNumber "networkSpecificNumber",
        4 SubscriberNumber "subscriberNumber",
        5 AbbreviatedNumber "abbreviatedNumber",
        ...
    }
}

choice! {
    /// How much of a private number is given.
    PrivateTypeOfNumber {
        0 Unknown "unknown",
        1 Level2RegionalNumber "level2RegionalNumber",
        2 Level1RegionalNumber "level1RegionalNumber",
        3 PISNSpecificNumber "pISNSpecificNumber",
        4 LocalNumber "localNumber",
        5 AbbreviatedNumber "abbreviatedNumber",
        ...
    }
}

choice! {
    /// Identity of a mobile subscriber.
    MobileUIM {
        0 Ansi41Uim "ansi-41-uim": Box<Ansi41Uim>,
        1 GsmUim "gsm-uim": Box<GsmUim>,
        ...
    }
}

sequence! {
    /// Identity of an ANSI-41 mobile subscriber.
    Ansi41Uim {
        imsi "imsi"?: String as Tbcd<3, 16>,
        min "min"?: String as Tbcd<3, 16>,
        mdn "mdn"?: String as Tbcd<3, 16>,
        msisdn "msisdn"?: String as Tbcd<3, 16>,
        esn "esn"?: String as Tbcd<16, 16>,
        mscid "mscid"?: String as Tbcd<3, 16>,
        system_id "system-id": Ansi41UimSystemId,
        system_my_type_code "systemMyTypeCode"?: [u8; 1],
        system_access_type "systemAccessType"?: [u8; 1],
        qualification_information_code "qualificationInformationCode"?: [u8; 1],
        sesn "sesn"?: String as Tbcd<16, 16>,
        soc "soc"?: String as Tbcd<3, 16>,
        ...
    }
}

choice! {
    /// `system-id` of [`Ansi41Uim`].
    Ansi41UimSystemId {
        0 Sid "sid": String as Tbcd<1, 4>,
        1 Mid "mid": String as Tbcd<1, 4>,
        ...
    }
}

sequence! {
    /// Identity of a GSM mobile subscriber.
    #[derive(Default)]
    GsmUim {
        imsi "imsi"?: String as Tbcd<3, 16>,
        tmsi "tmsi"?: Bytes as Octets<1, 4>,
        msisdn "msisdn"?: String as Tbcd<3, 16>,
        imei "imei"?: String as Tbcd<15, 16>,
        hplmn "hplmn"?: String as Tbcd<1, 4>,
        vplmn "vplmn"?: String as Tbcd<1, 4>,
        ...
    }
}

choice! {
    /// A number in the terms of ISUP.
    IsupNumber {
        0 E164Number "e164Number": Box<IsupPublicPartyNumber>,
        1 DataPartyNumber "dataPartyNumber": String as IsupDigits,
        2 TelexPartyNumber "telexPartyNumber": String as IsupDigits,
        3 PrivateNumber "privateNumber": Box<IsupPrivatePartyNumber>,
        4 NationalStandardPartyNumber "nationalStandardPartyNumber": String as IsupDigits,
        ...
    }
}

sequence! {
    /// A public number in the terms of ISUP.
    IsupPublicPartyNumber {
        nature_of_address "natureOfAddress": NatureOfAddress,
        address "address": String as IsupDigits,
        ...
    }
}

sequence! {
    /// A private number in the terms of ISUP.
    IsupPrivatePartyNumber {
        private_type_of_number "privateTypeOfNumber": PrivateTypeOfNumber,
        address "address": String as IsupDigits,
        ...
    }
}

choice! {
    /// How much of an ISUP number is given.
    NatureOfAddress {
        0 Unknown "unknown",
        1 SubscriberNumber "subscriberNumber",
        2 NationalNumber "nationalNumber",
        3 InternationalNumber "internationalNumber",
        4 NetworkSpecificNumber "networkSpecificNumber",
        5 RoutingNumberNationalFormat "routingNumberNationalFormat",
        6 RoutingNumberNetworkSpecificFormat "routingNumberNetworkSpecificFormat",
        7 RoutingNumberWithCalledDirectoryNumber "routingNumberWithCalledDirectoryNumber",
        ...
    }
}

/// Digits of an ISUP number.
pub(crate) type IsupDigits = IsupDigit<1, 128>;

sequence! {
    /// An alias with its presentation and screening.
    ExtendedAliasAddress {
        address "address": AliasAddress,
        presentation_indicator "presentationIndicator"?: PresentationIndicator,
        screening_indicator "screeningIndicator"?: ScreeningIndicator,
        ...
    }
}
