//! H.450.5: call park and call pickup.

use super::super::h225::CallIdentifier;
use super::address::EndpointAddress;
use super::apdu::MixedExtension;
use super::{MixedExtensions, only_extensions};
use crate::per::Plain;
use crate::per::notation::{enumerated, sequence};

/// A place at the parked-to endpoint.
pub(crate) type ParkedToPosition = Plain;

sequence! {
    /// Asks the peer to be parked.
    #[derive(Default)]
    CpRequestArg {
        parking_number "parkingNumber": EndpointAddress,
        parked_number "parkedNumber": EndpointAddress,
        parked_to_number "parkedToNumber": EndpointAddress,
        parked_to_position "parkedToPosition"?: u16 as ParkedToPosition,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// The peer is parked.
    CpRequestRes {
        parked_to_number "parkedToNumber": EndpointAddress,
        parked_to_position "parkedToPosition"?: u16 as ParkedToPosition,
        park_condition "parkCondition": ParkCondition,
        extension_res "extensionRes"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Comes with the SETUP to the parked-to endpoint.
    #[derive(Default)]
    CpSetupArg {
        parking_number "parkingNumber": EndpointAddress,
        parked_number "parkedNumber": EndpointAddress,
        parked_to_number "parkedToNumber": EndpointAddress,
        parked_to_position "parkedToPosition"?: u16 as ParkedToPosition,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// The call is parked there.
    CpSetupRes {
        parked_to_number "parkedToNumber": EndpointAddress,
        parked_to_position "parkedToPosition"?: u16 as ParkedToPosition,
        park_condition "parkCondition": ParkCondition,
        extension_res "extensionRes"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Tells a member of the group of a call to pick up.
    GroupIndicationOnArg {
        call_pickup_id "callPickupId": CallIdentifier,
        group_member_user_nr "groupMemberUserNr": EndpointAddress,
        retrieve_call_type "retrieveCallType": PickupCallType,
        party_to_retrieve "partyToRetrieve": EndpointAddress,
        retrieve_address "retrieveAddress": EndpointAddress,
        park_position "parkPosition"?: u16 as ParkedToPosition,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Tells a member of the group that there is no longer a call to pick up.
    GroupIndicationOffArg {
        call_pickup_id "callPickupId": CallIdentifier,
        group_member_user_nr "groupMemberUserNr": EndpointAddress,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Asks for a call, parked or alerting.
    #[derive(Default)]
    PickrequArg {
        picking_up_number "picking-upNumber": EndpointAddress,
        call_pickup_id "callPickupId"?: CallIdentifier,
        party_to_retrieve "partyToRetrieve"?: EndpointAddress,
        retrieve_address "retrieveAddress": EndpointAddress,
        park_position "parkPosition"?: u16 as ParkedToPosition,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// The call to pick up.
    PickrequRes {
        call_pickup_id "callPickupId": CallIdentifier,
        extension_res "extensionRes"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Sends the other party of the call to the one who picks it up.
    PickupArg {
        call_pickup_id "callPickupId": CallIdentifier,
        picking_up_number "picking-upNumber": EndpointAddress,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Comes with the SETUP to the one who picks up.
    PickExeArg {
        call_pickup_id "callPickupId": CallIdentifier,
        picking_up_number "picking-upNumber": EndpointAddress,
        party_to_retrieve "partyToRetrieve": EndpointAddress,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// You are parked here.
    #[derive(Default)]
    CpNotifyArg {
        parking_number "parkingNumber"?: EndpointAddress,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// You were picked up here.
    #[derive(Default)]
    CpickupNotifyArg {
        picking_up_number "picking-upNumber"?: EndpointAddress,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

only_extensions! {
    /// The member of the group knows.
    GroupIndicationOnRes extension_res "extensionRes";
    /// The member of the group knows.
    GroupIndicationOffRes extension_res "extensionRes";
    /// The other party will call.
    PickupRes extension_res "extensionRes";
    /// The call is picked up.
    PickExeRes extension_res "extensionRes";
}

enumerated! {
    /// In which state the parked-to user is.
    ParkCondition {
        0 Unspecified "unspecified",
        1 ParkedToUserIdle "parkedToUserIdle",
        2 ParkedToUserBusy "parkedToUserBusy",
        3 ParkedToGroup "parkedToGroup",
        ...
    }
}

enumerated! {
    /// `CallType` of H.450.5: in which state the call to pick up is.
    PickupCallType {
        0 ParkedCall "parkedCall",
        1 AlertingCall "alertingCall",
        ...
    }
}
