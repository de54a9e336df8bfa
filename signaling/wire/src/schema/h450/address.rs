//! H.450.1: addresses as supplementary services give them, and their errors.

use bytes::Bytes;

use super::super::h225::{AliasAddress, NonStandardParameter, PartyNumber};
use super::MixedExtensions;
use super::apdu::{Extension, MixedExtension};
use crate::per::Octets;
use crate::per::notation::{choice, enumerated, list, sequence};

sequence! {
    /// An address of an endpoint, as supplementary services give it.
    #[derive(Default)]
    EndpointAddress {
        destination_address "destinationAddress": Vec<AliasAddress>,
        remote_extension_address "remoteExtensionAddress"?: AliasAddress,
        ...
    }
}

choice! {
    /// An address that was screened, and whether it may be shown.
    PresentedAddressScreened {
        0 PresentationAllowedAddress "presentationAllowedAddress": Box<AddressScreened>,
        1 PresentationRestricted "presentationRestricted",
        2 NumberNotAvailableDueToInterworking "numberNotAvailableDueToInterworking",
        3 PresentationRestrictedAddress "presentationRestrictedAddress": Box<AddressScreened>,
        ...
    }
}

choice! {
    /// An address, and whether it may be shown.
    PresentedAddressUnscreened {
        0 PresentationAllowedAddress "presentationAllowedAddress": Box<Address>,
        1 PresentationRestricted "presentationRestricted",
        2 NumberNotAvailableDueToInterworking "numberNotAvailableDueToInterworking",
        3 PresentationRestrictedAddress "presentationRestrictedAddress": Box<Address>,
        ...
    }
}

choice! {
    /// A number that was screened, and whether it may be shown.
    PresentedNumberScreened {
        0 PresentationAllowedAddress "presentationAllowedAddress": Box<NumberScreened>,
        1 PresentationRestricted "presentationRestricted",
        2 NumberNotAvailableDueToInterworking "numberNotAvailableDueToInterworking",
        3 PresentationRestrictedAddress "presentationRestrictedAddress": Box<NumberScreened>,
        ...
    }
}

choice! {
    /// A number, and whether it may be shown.
    PresentedNumberUnscreened {
        0 PresentationAllowedAddress "presentationAllowedAddress": Box<PartyNumber>,
        1 PresentationRestricted "presentationRestricted",
        2 NumberNotAvailableDueToInterworking "numberNotAvailableDueToInterworking",
        3 PresentationRestrictedAddress "presentationRestrictedAddress": Box<PartyNumber>,
        ...
    }
}

sequence! {
    /// A number with subaddress, and who vouches for it.
    AddressScreened {
        party_number "partyNumber": PartyNumber,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        party_subaddress "partySubaddress"?: PartySubaddress,
        ...
    }
}

sequence! {
    /// A number, and who vouches for it.
    NumberScreened {
        party_number "partyNumber": PartyNumber,
        screening_indicator "screeningIndicator": ScreeningIndicator,
        ...
    }
}

sequence! {
    /// A number with subaddress.
    Address {
        party_number "partyNumber": PartyNumber,
        party_subaddress "partySubaddress"?: PartySubaddress,
        ...
    }
}

choice! {
    /// A subaddress.
    PartySubaddress {
        0 UserSpecifiedSubaddress "userSpecifiedSubaddress": UserSpecifiedSubaddress,
        1 NsapSubaddress "nsapSubaddress": Bytes as Octets<1, 20>,
        ...
    }
}

sequence! {
    /// A subaddress in a private format.
    UserSpecifiedSubaddress {
        subaddress_information "subaddressInformation": Bytes as Octets<1, 20>,
        odd_count_indicator "oddCountIndicator"?: bool,
        ...
    }
}

enumerated! {
    /// Who vouches for a number.
    ScreeningIndicator {
        0 UserProvidedNotScreened "userProvidedNotScreened",
        1 UserProvidedVerifiedAndPassed "userProvidedVerifiedAndPassed",
        2 UserProvidedVerifiedAndFailed "userProvidedVerifiedAndFailed",
        3 NetworkProvided "networkProvided",
        ...
    }
}

choice! {
    /// The parameter of the error `unspecified` ([`UNSPECIFIED`](super::UNSPECIFIED)).
    UnspecifiedErrorParameter {
        0 Extension "extension": Box<Extension>,
        1 NonStandard "nonStandard": Box<NonStandardParameter>,
    }
}

list! {
    /// The parameter of the error `undefined` ([`UNDEFINED`](super::UNDEFINED)).
    UndefinedErrorParameter: MixedExtension as MixedExtensions
}
