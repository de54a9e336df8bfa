//! H.450.1: the envelope of supplementary services, and remote operations inside it.

use bytes::Bytes;

use super::super::h225::{AliasAddress, NonStandardParameter};
use crate::per::notation::{choice, sequence};
use crate::per::{List, Oid, UNBOUNDED};

sequence! {
    /// Remote operations, for whom they are, and what to do with unknown ones.
    H4501SupplementaryService {
        network_facility_extension "networkFacilityExtension"?: NetworkFacilityExtension,
        interpretation_apdu "interpretationApdu"?: InterpretationApdu,
        service_apdu "serviceApdu": ServiceApdus,
        ...
    }
}

sequence! {
    /// Source and destination of the operations, if they are not the ends of the connection.
    NetworkFacilityExtension {
        source_entity "sourceEntity": EntityType,
        source_entity_address "sourceEntityAddress"?: AliasAddress,
        destination_entity "destinationEntity": EntityType,
        destination_entity_address "destinationEntityAddress"?: AliasAddress,
        ...
    }
}

choice! {
    /// Who takes part in a supplementary service.
    EntityType {
        0 Endpoint "endpoint",
        1 AnyEntity "anyEntity",
        ...
    }
}

choice! {
    /// What to do with an operation that is not recognized.
    InterpretationApdu {
        0 DiscardAnyUnrecognizedInvokePdu "discardAnyUnrecognizedInvokePdu",
        1 ClearCallIfAnyInvokePduNotRecognized "clearCallIfAnyInvokePduNotRecognized",
        2 RejectAnyUnrecognizedInvokePdu "rejectAnyUnrecognizedInvokePdu",
        ...
    }
}

choice! {
    /// The protocol of the operations; there is only one.
    ServiceApdus {
        0 RosApdus "rosApdus": Vec<Ros> as List<1, UNBOUNDED>,
        ...
    }
}

choice! {
    /// One remote operation, or the answer to one (X.880).
    Ros {
        0 Invoke "invoke": Box<Invoke>,
        1 ReturnResult "returnResult": Box<ReturnResult>,
        2 ReturnError "returnError": Box<ReturnError>,
        3 Reject "reject": Reject,
    }
}

sequence! {
    /// Invokes an operation.
    Invoke {
        invoke_id "invokeId": u16,
        linked_id "linkedId"?: u16,
        opcode "opcode": Code,
        argument "argument"?: Bytes,
    }
}

sequence! {
    /// An operation succeeded.
    ReturnResult {
        invoke_id "invokeId": i64,
        result "result"?: ReturnResultResult,
    }
}

sequence! {
    /// `result` of [`ReturnResult`].
    ReturnResultResult {
        opcode "opcode": Code,
        result "result": Bytes,
    }
}

sequence! {
    /// An operation failed.
    ReturnError {
        invoke_id "invokeId": i64,
        error_code "errorCode": Code,
        parameter "parameter"?: Bytes,
    }
}

sequence! {
    /// An operation, or an answer, was not understood.
    Reject {
        invoke_id "invokeId": i64,
        problem "problem": RejectProblem,
    }
}

choice! {
    /// `problem` of [`Reject`]: the numbers are those of X.880.
    RejectProblem {
        0 General "general": i64,
        1 Invoke "invoke": i64,
        2 ReturnResult "returnResult": i64,
        3 ReturnError "returnError": i64,
    }
}

choice! {
    /// The code of an operation or of an error: of the H.450 series, or anybody's.
    Code {
        0 Local "local": i64,
        1 Global "global": Oid,
    }
}

sequence! {
    /// An extension of an argument, by who defined it.
    Extension {
        extension_id "extensionId": Oid,
        extension_argument "extensionArgument": Bytes,
    }
}

choice! {
    /// Extensions of an argument, standard or proprietary.
    ArgumentExtension {
        0 ExtensionSeq "extensionSeq": Vec<Extension>,
        1 NonStandardData "nonStandardData": Box<NonStandardParameter>,
    }
}

choice! {
    /// An extension of an argument, standard or proprietary.
    MixedExtension {
        0 Extension "extension": Box<Extension>,
        1 NonStandardData "nonStandardData": Box<NonStandardParameter>,
    }
}
