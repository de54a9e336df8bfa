//! TODO

use crate::per::Int;
use crate::per::notation::{choice, sequence};

sequence! {
    /// `MasterSlaveDetermination`.
    #[derive(Default)]
    MasterSlaveDetermination {
        terminal_type "terminalType": u8,
        status_determination_number "statusDeterminationNumber": u32 as Int<0, 16_777_215>,
        ...
    }
}

sequence! {
    /// `MasterSlaveDeterminationAck`.
    MasterSlaveDeterminationAck {
        decision "decision": MasterSlaveDeterminationAckDecision,
        ...
    }
}

choice! {
    /// `decision` of [`MasterSlaveDeterminationAck`].
    MasterSlaveDeterminationAckDecision {
        0 Master "master",
        1 Slave "slave",
    }
}

sequence! {
    /// `MasterSlaveDeterminationReject`.
    MasterSlaveDeterminationReject {
        cause "cause": MasterSlaveDeterminationRejectCause,
        ...
    }
}

choice! {
    /// `cause` of [`MasterSlaveDeterminationReject`].
    MasterSlaveDeterminationRejectCause {
        0 IdenticalNumbers "identicalNumbers",
        ...
    }
}

sequence! {
    /// `MasterSlaveDeterminationRelease`.
    #[derive(Default)]
    MasterSlaveDeterminationRelease {
        ...
    }
}
