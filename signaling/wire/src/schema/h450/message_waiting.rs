//! H.450.7: message waiting indication.

use super::MixedExtensions;
use super::address::EndpointAddress;
use super::apdu::MixedExtension;
use crate::per::notation::{choice, enumerated, list, sequence};
use crate::per::{Int, List, Numeric, Plain, Visible};

/// How many messages wait.
pub(crate) type NbOfMessages = Plain;

/// A GeneralizedTime (X.680 46): `YYYYMMDDhhmm…`.
pub(crate) type MwiTimeStamp = Visible<12, 19>;

/// 0 is the highest.
pub(crate) type MwiPriority = Int<0, 9>;

sequence! {
    /// Messages wait for the served user.
    MWIActivateArg {
        served_user_nr "servedUserNr": EndpointAddress,
        basic_service "basicService": BasicService,
        msg_centre_id "msgCentreId"?: MsgCentreId,
        nb_of_messages "nbOfMessages"?: u16 as NbOfMessages,
        originating_nr "originatingNr"?: EndpointAddress,
        timestamp "timestamp"?: String as MwiTimeStamp,
        priority "priority"?: u8 as MwiPriority,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

list! {
    /// `DummyRes` of H.450.7: the result of mwiActivate and mwiDeactivate.
    MWIDummyRes: MixedExtension as MixedExtensions
}

sequence! {
    /// No messages wait any longer.
    MWIDeactivateArg {
        served_user_nr "servedUserNr": EndpointAddress,
        basic_service "basicService": BasicService,
        msg_centre_id "msgCentreId"?: MsgCentreId,
        callback_req "callbackReq"?: bool,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

sequence! {
    /// Do messages wait?
    MWIInterrogateArg {
        served_user_nr "servedUserNr": EndpointAddress,
        basic_service "basicService": BasicService,
        msg_centre_id "msgCentreId"?: MsgCentreId,
        callback_req "callbackReq"?: bool,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

list! {
    /// The messages that wait.
    MWIInterrogateRes: MWIInterrogateResElt as List<1, 64>
}

sequence! {
    /// Messages that wait for one service.
    MWIInterrogateResElt {
        basic_service "basicService": BasicService,
        msg_centre_id "msgCentreId"?: MsgCentreId,
        nb_of_messages "nbOfMessages"?: u16 as NbOfMessages,
        originating_nr "originatingNr"?: EndpointAddress,
        timestamp "timestamp"?: String as MwiTimeStamp,
        priority "priority"?: u8 as MwiPriority,
        extension_arg "extensionArg"?: Vec<MixedExtension> as MixedExtensions,
        ...
    }
}

choice! {
    /// Who keeps the messages.
    MsgCentreId {
        0 Integer "integer": u16,
        1 PartyNumber "partyNumber": Box<EndpointAddress>,
        2 NumericString "numericString": String as Numeric<1, 10>,
    }
}

enumerated! {
    /// Of which service a message is, or which call is to be completed.
    BasicService {
        0 AllServices "allServices",
        1 Speech "speech",
        2 UnrestrictedDigitalInformation "unrestrictedDigitalInformation",
        3 Audio3100Hz "audio3100Hz",
        4 Telephony "telephony",
        5 Teletex "teletex",
        6 TelefaxGroup4Class1 "telefaxGroup4Class1",
        7 VideotexSyntaxBased "videotexSyntaxBased",
        8 Videotelephony "videotelephony",
        9 TelefaxGroup2To3 "telefaxGroup2-3",
        10 ReservedNotUsed1 "reservedNotUsed1",
        11 ReservedNotUsed2 "reservedNotUsed2",
        12 ReservedNotUsed3 "reservedNotUsed3",
        13 ReservedNotUsed4 "reservedNotUsed4",
        14 ReservedNotUsed5 "reservedNotUsed5",
        15 Email "email",
        16 Video "video",
        17 FileTransfer "fileTransfer",
        18 ShortMessageService "shortMessageService",
        19 SpeechAndVideo "speechAndVideo",
        20 SpeechAndFax "speechAndFax",
        21 SpeechAndEmail "speechAndEmail",
        22 VideoAndFax "videoAndFax",
        23 VideoAndEmail "videoAndEmail",
        24 FaxAndEmail "faxAndEmail",
        25 SpeechVideoAndFax "speechVideoAndFax",
        26 SpeechVideoAndEmail "speechVideoAndEmail",
        27 SpeechFaxAndEmail "speechFaxAndEmail",
        28 VideoFaxAndEmail "videoFaxAndEmail",
        29 SpeechVideoFaxAndEmail "speechVideoFaxAndEmail",
        30 MultimediaUnknown "multimediaUnknown",
        31 ServiceUnknown "serviceUnknown",
        32 FutureReserve1 "futureReserve1",
        33 FutureReserve2 "futureReserve2",
        34 FutureReserve3 "futureReserve3",
        35 FutureReserve4 "futureReserve4",
        36 FutureReserve5 "futureReserve5",
        37 FutureReserve6 "futureReserve6",
        38 FutureReserve7 "futureReserve7",
        39 FutureReserve8 "futureReserve8",
    }
}
