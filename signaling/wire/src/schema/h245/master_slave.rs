//! Master/slave determination.

use crate::per::Int;
use crate::per::notation::{choice, sequence};

sequence! {
    /// Offers terminal type and random number, to decide who is master.
    #[derive(Default)]
    MasterSlaveDetermination {
        terminal_type "terminalType": u8,
        status_determination_number "statusDeterminationNumber": u32 as Int<0, 16_777_215>,
        ...
    }
}

sequence! {
    /// Tells the peer what it is.
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
    /// Both drew the same number: try again.
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
    /// Gives up after a time-out.
    #[derive(Default)]
    MasterSlaveDeterminationRelease {
        ...
    }
}
