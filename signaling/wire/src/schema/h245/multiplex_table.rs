//! TODO

use super::message::SequenceNumber;
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List};

sequence! {
    /// `MultiplexEntrySend`.
    MultiplexEntrySend {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        multiplex_entry_descriptors "multiplexEntryDescriptors": Vec<MultiplexEntryDescriptor> as List<1, 15>,
        ...
    }
}

sequence! {
    /// `MultiplexEntryDescriptor`.
    MultiplexEntryDescriptor {
        multiplex_table_entry_number "multiplexTableEntryNumber": u8 as MultiplexTableEntryNumber,
        element_list "elementList"?: Vec<MultiplexElement> as List<1, 256>,
    }
}

sequence! {
    /// `MultiplexElement`.
    MultiplexElement {
        r#type "type": MultiplexElementType,
        repeat_count "repeatCount": MultiplexElementRepeatCount,
    }
}

choice! {
    /// `type` of [`MultiplexElement`].
    MultiplexElementType {
        0 LogicalChannelNumber "logicalChannelNumber": u16,
        1 SubElementList "subElementList": Vec<MultiplexElement> as List<2, 255>,
    }
}

choice! {
    /// `repeatCount` of [`MultiplexElement`].
    MultiplexElementRepeatCount {
        0 Finite "finite": u16 as Int<1, 65_535>,
        1 UntilClosingFlag "untilClosingFlag",
    }
}

/// `MultiplexTableEntryNumber`.
pub(crate) type MultiplexTableEntryNumber = Int<1, 15>;

sequence! {
    /// `MultiplexEntrySendAck`.
    MultiplexEntrySendAck {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        multiplex_table_entry_number "multiplexTableEntryNumber": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// `MultiplexEntrySendReject`.
    MultiplexEntrySendReject {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        rejection_descriptions "rejectionDescriptions": Vec<MultiplexEntryRejectionDescriptions> as List<1, 15>,
        ...
    }
}

sequence! {
    /// `MultiplexEntryRejectionDescriptions`.
    MultiplexEntryRejectionDescriptions {
        multiplex_table_entry_number "multiplexTableEntryNumber": u8 as MultiplexTableEntryNumber,
        cause "cause": MultiplexEntryRejectionDescriptionsCause,
        ...
    }
}

choice! {
    /// `cause` of [`MultiplexEntryRejectionDescriptions`].
    MultiplexEntryRejectionDescriptionsCause {
        0 UnspecifiedCause "unspecifiedCause",
        1 DescriptorTooComplex "descriptorTooComplex",
        ...
    }
}

sequence! {
    /// `MultiplexEntrySendRelease`.
    MultiplexEntrySendRelease {
        multiplex_table_entry_number "multiplexTableEntryNumber": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// `RequestMultiplexEntry`.
    RequestMultiplexEntry {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// `RequestMultiplexEntryAck`.
    RequestMultiplexEntryAck {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// `RequestMultiplexEntryReject`.
    RequestMultiplexEntryReject {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        rejection_descriptions "rejectionDescriptions": Vec<RequestMultiplexEntryRejectionDescriptions> as List<1, 15>,
        ...
    }
}

sequence! {
    /// `RequestMultiplexEntryRejectionDescriptions`.
    RequestMultiplexEntryRejectionDescriptions {
        multiplex_table_entry_number "multiplexTableEntryNumber": u8 as MultiplexTableEntryNumber,
        cause "cause": RequestMultiplexEntryRejectionDescriptionsCause,
        ...
    }
}

choice! {
    /// `cause` of [`RequestMultiplexEntryRejectionDescriptions`].
    RequestMultiplexEntryRejectionDescriptionsCause {
        0 UnspecifiedCause "unspecifiedCause",
        ...
    }
}

sequence! {
    /// `RequestMultiplexEntryRelease`.
    RequestMultiplexEntryRelease {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}
