//! The multiplex table of H.223. H.323 has none, but must parse it.

use super::message::SequenceNumber;
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List};

sequence! {
    /// Sends entries of the multiplex table.
    MultiplexEntrySend {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        multiplex_entry_descriptors "multiplexEntryDescriptors": Vec<MultiplexEntryDescriptor> as List<1, 15>,
        ...
    }
}

sequence! {
    /// One entry.
    MultiplexEntryDescriptor {
        multiplex_table_entry_number "multiplexTableEntryNumber": u8 as MultiplexTableEntryNumber,
        element_list "elementList"?: Vec<MultiplexElement> as List<1, 256>,
    }
}

sequence! {
    /// An element of an entry. Nests.
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

/// Number of an entry.
pub(crate) type MultiplexTableEntryNumber = Int<1, 15>;

sequence! {
    /// Entries were accepted.
    MultiplexEntrySendAck {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        multiplex_table_entry_number "multiplexTableEntryNumber": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// Entries were refused.
    MultiplexEntrySendReject {
        sequence_number "sequenceNumber": u8 as SequenceNumber,
        rejection_descriptions "rejectionDescriptions": Vec<MultiplexEntryRejectionDescriptions> as List<1, 15>,
        ...
    }
}

sequence! {
    /// Why an entry is refused.
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
    /// Gives up after a time-out.
    MultiplexEntrySendRelease {
        multiplex_table_entry_number "multiplexTableEntryNumber": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// Asks for entries again.
    RequestMultiplexEntry {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// They will be sent.
    RequestMultiplexEntryAck {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}

sequence! {
    /// They will not be sent.
    RequestMultiplexEntryReject {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        rejection_descriptions "rejectionDescriptions": Vec<RequestMultiplexEntryRejectionDescriptions> as List<1, 15>,
        ...
    }
}

sequence! {
    /// Why not.
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
    /// Gives up after a time-out.
    RequestMultiplexEntryRelease {
        entry_numbers "entryNumbers": Vec<u8> as List<1, 15, MultiplexTableEntryNumber>,
        ...
    }
}
