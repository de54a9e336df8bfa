//! The operations and errors of H.450.2 to .12 by their `local` codes: constants, names, and what
//! their open types hold.
//! In: a code. Out: its name; the type of its argument, result or parameter, to describe or build.
//! Not here: `global` codes, which are anybody's.

use super::*;
pub use crate::per::json::OpenType;

/// The types of one operation's argument and result, or of one error's parameter.
macro_rules! open {
    () => {
        None
    };
    ($type:ident) => {
        Some(OpenType::of::<$type>(stringify!($type)))
    };
}

/// One line an operation: name, constant, `local` code, argument, result.
macro_rules! operations {
    ($( $name:literal $constant:ident = $code:literal ($argument:ident) $( -> $result:ident )?; )*) => {
        $(
            #[doc = concat!("`local` code of the operation ", $name, ".")]
            pub const $constant: i64 = $code;
        )*

        /// The name of the operation with this `local` code.
        pub fn operation_name(code: i64) -> Option<&'static str> {
            match code {
                $( $code => Some($name), )*
                _ => None,
            }
        }

        /// The argument of the operation with this `local` code, if there is one.
        pub fn argument_type(code: i64) -> Option<OpenType> {
            match code {
                $( $code => open!($argument), )*
                _ => None,
            }
        }

        /// The result of the operation with this `local` code, if there is one that has a result.
        pub fn result_type(code: i64) -> Option<OpenType> {
            match code {
                $( $code => open!($( $result )?), )*
                _ => None,
            }
        }
    };
}

/// One line an error: name, constant, `local` code, parameter.
macro_rules! errors {
    ($( $name:literal $constant:ident = $code:literal $( ($parameter:ident) )?; )*) => {
        $(
            #[doc = concat!("`local` code of the error ", $name, ".")]
            pub const $constant: i64 = $code;
        )*

        /// The name of the error with this `local` code.
        pub fn error_name(code: i64) -> Option<&'static str> {
            match code {
                $( $code => Some($name), )*
                _ => None,
            }
        }

        /// The parameter of the error with this `local` code, if there is one that has a parameter.
        pub fn parameter_type(code: i64) -> Option<OpenType> {
            match code {
                $( $code => open!($( $parameter )?), )*
                _ => None,
            }
        }
    };
}

operations! {
    // H.450.2
    "callTransferIdentify" CALL_TRANSFER_IDENTIFY = 7 (CTDummyArg) -> CTIdentifyRes;
    "callTransferAbandon" CALL_TRANSFER_ABANDON = 8 (CTDummyArg);
    "callTransferInitiate" CALL_TRANSFER_INITIATE = 9 (CTInitiateArg) -> CTDummyRes;
    "callTransferSetup" CALL_TRANSFER_SETUP = 10 (CTSetupArg) -> CTDummyRes;
    "callTransferActive" CALL_TRANSFER_ACTIVE = 11 (CTActiveArg);
    "callTransferComplete" CALL_TRANSFER_COMPLETE = 12 (CTCompleteArg);
    "callTransferUpdate" CALL_TRANSFER_UPDATE = 13 (CTUpdateArg);
    "subaddressTransfer" SUBADDRESS_TRANSFER = 14 (SubaddressTransferArg);
    // H.450.3
    "activateDiversionQ" ACTIVATE_DIVERSION_Q = 15 (ActivateDiversionQArg) -> DiversionDummy;
    "deactivateDiversionQ" DEACTIVATE_DIVERSION_Q = 16 (DeactivateDiversionQArg) -> DiversionDummy;
    "interrogateDiversionQ" INTERROGATE_DIVERSION_Q = 17 (InterrogateDiversionQArg) -> IntResultList;
    "checkRestriction" CHECK_RESTRICTION = 18 (CheckRestrictionArg) -> DiversionDummy;
    "callRerouting" CALL_REROUTING = 19 (CallReroutingArg) -> DiversionDummy;
    "divertingLegInformation1" DIVERTING_LEG_INFORMATION1 = 20 (DivertingLegInformation1Arg);
    "divertingLegInformation2" DIVERTING_LEG_INFORMATION2 = 21 (DivertingLegInformation2Arg);
    "divertingLegInformation3" DIVERTING_LEG_INFORMATION3 = 22 (DivertingLegInformation3Arg);
    "cfnrDivertedLegFailed" CFNR_DIVERTED_LEG_FAILED = 23 (DiversionDummy);
    "divertingLegInformation4" DIVERTING_LEG_INFORMATION4 = 100 (DivertingLegInformation4Arg);
    // H.450.4
    "holdNotific" HOLD_NOTIFIC = 101 (HoldNotificArg);
    "retrieveNotific" RETRIEVE_NOTIFIC = 102 (RetrieveNotificArg);
    "remoteHold" REMOTE_HOLD = 103 (RemoteHoldArg) -> RemoteHoldRes;
    "remoteRetrieve" REMOTE_RETRIEVE = 104 (RemoteRetrieveArg) -> RemoteRetrieveRes;
    // H.450.5
    "cpRequest" CP_REQUEST = 106 (CpRequestArg) -> CpRequestRes;
    "cpSetup" CP_SETUP = 107 (CpSetupArg) -> CpSetupRes;
    "groupIndicationOn" GROUP_INDICATION_ON = 108 (GroupIndicationOnArg) -> GroupIndicationOnRes;
    "groupIndicationOff" GROUP_INDICATION_OFF = 109 (GroupIndicationOffArg) -> GroupIndicationOffRes;
    "pickrequ" PICKREQU = 110 (PickrequArg) -> PickrequRes;
    "pickup" PICKUP = 111 (PickupArg) -> PickupRes;
    "pickExe" PICK_EXE = 112 (PickExeArg) -> PickExeRes;
    "cpNotify" CP_NOTIFY = 113 (CpNotifyArg);
    "cpickupNotify" CPICKUP_NOTIFY = 114 (CpickupNotifyArg);
    // H.450.6
    "callWaiting" CALL_WAITING = 105 (CallWaitingArg);
    // H.450.7
    "mwiActivate" MWI_ACTIVATE = 80 (MWIActivateArg) -> MWIDummyRes;
    "mwiDeactivate" MWI_DEACTIVATE = 81 (MWIDeactivateArg) -> MWIDummyRes;
    "mwiInterrogate" MWI_INTERROGATE = 82 (MWIInterrogateArg) -> MWIInterrogateRes;
    // H.450.8
    "callingName" CALLING_NAME = 0 (NameArg);
    "alertingName" ALERTING_NAME = 1 (NameArg);
    "connectedName" CONNECTED_NAME = 2 (NameArg);
    "busyName" BUSY_NAME = 3 (NameArg);
    // H.450.9
    "ccnrRequest" CCNR_REQUEST = 27 (CcRequestArg) -> CcRequestRes;
    "ccCancel" CC_CANCEL = 28 (CcArg);
    "ccExecPossible" CC_EXEC_POSSIBLE = 29 (CcArg);
    "ccRingout" CC_RINGOUT = 31 (CcShortArg);
    "ccSuspend" CC_SUSPEND = 32 (CcShortArg);
    "ccResume" CC_RESUME = 33 (CcArg);
    "ccbsRequest" CCBS_REQUEST = 40 (CcRequestArg) -> CcRequestRes;
    // H.450.10
    "callOfferRequest" CALL_OFFER_REQUEST = 34 (CoReqOptArg);
    "cfbOverride" CFB_OVERRIDE = 49 (CfbOvrOptArg);
    "remoteUserAlerting" REMOTE_USER_ALERTING = 115 (RUAlertOptArg);
    // H.450.11
    "callIntrusionRequest" CALL_INTRUSION_REQUEST = 43 (CIRequestArg) -> CIRequestRes;
    "callIntrusionGetCIPL" CALL_INTRUSION_GET_CIPL = 44 (CIGetCIPLOptArg) -> CIGetCIPLRes;
    "callIntrusionIsolate" CALL_INTRUSION_ISOLATE = 45 (CIIsOptArg) -> CIIsOptRes;
    "callIntrusionForcedRelease" CALL_INTRUSION_FORCED_RELEASE = 46 (CIFrcRelArg) -> CIFrcRelOptRes;
    "callIntrusionWOBRequest" CALL_INTRUSION_WOB_REQUEST = 47 (CIWobOptArg) -> CIWobOptRes;
    "callIntrusionSilentMonitor" CALL_INTRUSION_SILENT_MONITOR = 116 (CISilentArg) -> CISilentOptRes;
    "callIntrusionNotification" CALL_INTRUSION_NOTIFICATION = 117 (CINotificationArg);
    // H.450.12
    "cmnRequest" CMN_REQUEST = 84 (CmnDummyArg) -> CmnArg;
    "cmnInform" CMN_INFORM = 85 (CmnArg);
}

errors! {
    "userNotSubscribed" USER_NOT_SUBSCRIBED = 0;
    "rejectedByNetwork" REJECTED_BY_NETWORK = 1;
    "rejectedByUser" REJECTED_BY_USER = 2;
    "notAvailable" NOT_AVAILABLE = 3;
    "insufficientInformation" INSUFFICIENT_INFORMATION = 5;
    "invalidServedUserNumber" INVALID_SERVED_USER_NUMBER = 6;
    "invalidCallState" INVALID_CALL_STATE = 7;
    "basicServiceNotProvided" BASIC_SERVICE_NOT_PROVIDED = 8;
    "notIncomingCall" NOT_INCOMING_CALL = 9;
    "supplementaryServiceInteractionNotAllowed" SUPPLEMENTARY_SERVICE_INTERACTION_NOT_ALLOWED = 10;
    "resourceUnavailable" RESOURCE_UNAVAILABLE = 11;
    "invalidDivertedNumber" INVALID_DIVERTED_NUMBER = 12;
    "specialServiceNumber" SPECIAL_SERVICE_NUMBER = 14;
    "diversionToServedUserNumber" DIVERSION_TO_SERVED_USER_NUMBER = 15;
    "numberOfDiversionsExceeded" NUMBER_OF_DIVERSIONS_EXCEEDED = 24;
    "callFailure" CALL_FAILURE = 25;
    "notActivated" NOT_ACTIVATED = 31;
    "proceduralError" PROCEDURAL_ERROR = 43;
    "temporarilyUnavailable" TEMPORARILY_UNAVAILABLE = 1000;
    "invalidReroutingNumber" INVALID_REROUTING_NUMBER = 1004;
    "unrecognizedCallIdentity" UNRECOGNIZED_CALL_IDENTITY = 1005;
    "establishmentFailure" ESTABLISHMENT_FAILURE = 1006;
    "notAuthorized" NOT_AUTHORIZED = 1007;
    "unspecified" UNSPECIFIED = 1008 (UnspecifiedErrorParameter);
    "notBusy" NOT_BUSY = 1009;
    "shortTermRejection" SHORT_TERM_REJECTION = 1010;
    "longTermRejection" LONG_TERM_REJECTION = 1011;
    "remoteUserBusyAgain" REMOTE_USER_BUSY_AGAIN = 1012;
    "failureToMatch" FAILURE_TO_MATCH = 1013;
    "invalidMsgCentreId" INVALID_MSG_CENTRE_ID = 1018;
    "callPickupIdInvalid" CALL_PICKUP_ID_INVALID = 2000;
    "callAlreadyPickedUp" CALL_ALREADY_PICKED_UP = 2001;
    "undefined" UNDEFINED = 2002 (UndefinedErrorParameter);
}
