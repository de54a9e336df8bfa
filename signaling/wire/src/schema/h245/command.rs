//! Commands: flow control, video refresh, end of session.

use bytes::Bytes;

use super::capability::{CapabilityDescriptorNumber, CapabilityTableEntryNumber};
use super::channel::LogicalChannelNumber;
use super::channel_parameters::MultiplePayloadStream;
use super::message::{GenericInformation, NonStandardParameter, SequenceNumber};
use super::security::{EncryptionSync, EncryptionUpdateDirection, EncryptionUpdateRequest};
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List};

choice! {
    /// Orders the peer to send its capabilities.
    SendTerminalCapabilitySet {
        0 SpecificRequest "specificRequest": SendTerminalCapabilitySetSpecificRequest,
        1 GenericRequest "genericRequest",
        ...
    }
}

sequence! {
    /// `specificRequest` of [`SendTerminalCapabilitySet`].
    #[derive(Default)]
    SendTerminalCapabilitySetSpecificRequest {
        multiplex_capability "multiplexCapability": bool,
        capability_table_entry_numbers "capabilityTableEntryNumbers"?: Vec<u16> as List<1, 65_535, CapabilityTableEntryNumber>,
        capability_descriptor_numbers "capabilityDescriptorNumbers"?: Vec<u8> as List<1, 256, CapabilityDescriptorNumber>,
        ...
    }
}

choice! {
    /// Controls encryption of the H.233 kind.
    EncryptionCommand {
        0 EncryptionSE "encryptionSE": Bytes,
        1 EncryptionIVRequest "encryptionIVRequest",
        2 EncryptionAlgorithmID "encryptionAlgorithmID": Box<EncryptionCommandEncryptionAlgorithmID>,
        ...
    }
}

sequence! {
    /// `encryptionAlgorithmID` of [`EncryptionCommand`].
    EncryptionCommandEncryptionAlgorithmID {
        h233_algorithm_identifier "h233AlgorithmIdentifier": u8 as SequenceNumber,
        associated_algorithm "associatedAlgorithm": NonStandardParameter,
    }
}

sequence! {
    /// Limits the bit rate of what the peer sends.
    FlowControlCommand {
        scope "scope": FlowControlCommandScope,
        restriction "restriction": FlowControlCommandRestriction,
        ...
    }
}

choice! {
    /// `scope` of [`FlowControlCommand`].
    FlowControlCommandScope {
        0 LogicalChannelNumber "logicalChannelNumber": u16 as LogicalChannelNumber,
        1 ResourceID "resourceID": u16,
        2 WholeMultiplex "wholeMultiplex",
    }
}

choice! {
    /// `restriction` of [`FlowControlCommand`].
    FlowControlCommandRestriction {
        0 MaximumBitRate "maximumBitRate": u32 as Int<0, 16_777_215>,
        1 NoRestriction "noRestriction",
    }
}

choice! {
    /// Ends the H.245 session; nothing follows.
    EndSessionCommand {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 Disconnect "disconnect",
        2 GstnOptions "gstnOptions": EndSessionCommandGstnOptions,
        ...
        0 IsdnOptions "isdnOptions": EndSessionCommandIsdnOptions,
        1 GenericInformation "genericInformation": Vec<GenericInformation>,
    }
}

choice! {
    /// `gstnOptions` of [`EndSessionCommand`].
    EndSessionCommandGstnOptions {
        0 TelephonyMode "telephonyMode",
        1 V8bis "v8bis",
        2 V34DSVD "v34DSVD",
        3 V34DuplexFAX "v34DuplexFAX",
        4 V34H324 "v34H324",
        ...
    }
}

choice! {
    /// `isdnOptions` of [`EndSessionCommand`].
    EndSessionCommandIsdnOptions {
        0 TelephonyMode "telephonyMode",
        1 V140 "v140",
        2 TerminalOnHold "terminalOnHold",
        ...
    }
}

sequence! {
    /// Commands about a channel, mostly of video: freeze, fast update, refresh.
    MiscellaneousCommand {
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        r#type "type": MiscellaneousCommandType,
        ...
        direction "direction": EncryptionUpdateDirection,
    }
}

choice! {
    /// The command.
    MiscellaneousCommandType {
        0 EqualiseDelay "equaliseDelay",
        1 ZeroDelay "zeroDelay",
        2 MultipointModeCommand "multipointModeCommand",
        3 CancelMultipointModeCommand "cancelMultipointModeCommand",
        4 VideoFreezePicture "videoFreezePicture",
        5 VideoFastUpdatePicture "videoFastUpdatePicture",
        6 VideoFastUpdateGOB "videoFastUpdateGOB": MiscellaneousCommandTypeVideoFastUpdateGOB,
        7 VideoTemporalSpatialTradeOff "videoTemporalSpatialTradeOff": u8 as Int<0, 31>,
        8 VideoSendSyncEveryGOB "videoSendSyncEveryGOB",
        9 VideoSendSyncEveryGOBCancel "videoSendSyncEveryGOBCancel",
        ...
        0 VideoFastUpdateMB "videoFastUpdateMB": MiscellaneousCommandTypeVideoFastUpdateMB,
        1 MaxH223MUXPDUsize "maxH223MUXPDUsize": u16 as Int<1, 65_535>,
        2 EncryptionUpdate "encryptionUpdate": Box<EncryptionSync>,
        3 EncryptionUpdateRequest "encryptionUpdateRequest": EncryptionUpdateRequest,
        4 SwitchReceiveMediaOff "switchReceiveMediaOff",
        5 SwitchReceiveMediaOn "switchReceiveMediaOn",
        6 ProgressiveRefinementStart "progressiveRefinementStart": MiscellaneousCommandTypeProgressiveRefinementStart,
        7 ProgressiveRefinementAbortOne "progressiveRefinementAbortOne",
        8 ProgressiveRefinementAbortContinuous "progressiveRefinementAbortContinuous",
        9 VideoBadMBs "videoBadMBs": MiscellaneousCommandTypeVideoBadMBs,
        10 LostPicture "lostPicture": Vec<PictureReference>,
        11 LostPartialPicture "lostPartialPicture": MiscellaneousCommandTypeLostPartialPicture,
        12 RecoveryReferencePicture "recoveryReferencePicture": Vec<PictureReference>,
        13 EncryptionUpdateCommand "encryptionUpdateCommand": Box<MiscellaneousCommandTypeEncryptionUpdateCommand>,
        14 EncryptionUpdateAck "encryptionUpdateAck": MiscellaneousCommandTypeEncryptionUpdateAck,
    }
}

sequence! {
    /// `videoFastUpdateGOB` of [`MiscellaneousCommandType`].
    MiscellaneousCommandTypeVideoFastUpdateGOB {
        first_gob "firstGOB": u8 as Int<0, 17>,
        number_of_gobs "numberOfGOBs": u8 as Int<1, 18>,
    }
}

sequence! {
    /// `videoFastUpdateMB` of [`MiscellaneousCommandType`].
    MiscellaneousCommandTypeVideoFastUpdateMB {
        first_gob "firstGOB"?: u8,
        first_mb "firstMB"?: u16 as Int<1, 8192>,
        number_of_mbs "numberOfMBs": u16 as Int<1, 8192>,
        ...
    }
}

sequence! {
    /// `progressiveRefinementStart` of [`MiscellaneousCommandType`].
    MiscellaneousCommandTypeProgressiveRefinementStart {
        repeat_count "repeatCount": MiscellaneousCommandTypeProgressiveRefinementStartRepeatCount,
        ...
    }
}

choice! {
    /// `repeatCount` of [`MiscellaneousCommandTypeProgressiveRefinementStart`].
    MiscellaneousCommandTypeProgressiveRefinementStartRepeatCount {
        0 DoOneProgression "doOneProgression",
        1 DoContinuousProgressions "doContinuousProgressions",
        2 DoOneIndependentProgression "doOneIndependentProgression",
        3 DoContinuousIndependentProgressions "doContinuousIndependentProgressions",
        ...
    }
}

sequence! {
    /// `videoBadMBs` of [`MiscellaneousCommandType`].
    MiscellaneousCommandTypeVideoBadMBs {
        first_mb "firstMB": u16 as Int<1, 9216>,
        number_of_mbs "numberOfMBs": u16 as Int<1, 9216>,
        temporal_reference "temporalReference": u16 as Int<0, 1023>,
        ...
    }
}

sequence! {
    /// `lostPartialPicture` of [`MiscellaneousCommandType`].
    MiscellaneousCommandTypeLostPartialPicture {
        picture_reference "pictureReference": PictureReference,
        first_mb "firstMB": u16 as Int<1, 9216>,
        number_of_mbs "numberOfMBs": u16 as Int<1, 9216>,
        ...
    }
}

sequence! {
    /// `encryptionUpdateCommand` of [`MiscellaneousCommandType`].
    MiscellaneousCommandTypeEncryptionUpdateCommand {
        encryption_sync "encryptionSync": EncryptionSync,
        multiple_payload_stream "multiplePayloadStream"?: MultiplePayloadStream,
        ...
    }
}

sequence! {
    /// `encryptionUpdateAck` of [`MiscellaneousCommandType`].
    #[derive(Default)]
    MiscellaneousCommandTypeEncryptionUpdateAck {
        synch_flag "synchFlag": u8,
        ...
    }
}

choice! {
    /// A picture, by number.
    PictureReference {
        0 PictureNumber "pictureNumber": u16 as Int<0, 1023>,
        1 LongTermPictureIndex "longTermPictureIndex": u8,
        ...
    }
}

choice! {
    /// Changes the H.223 multiplex.
    H223MultiplexReconfiguration {
        0 H223ModeChange "h223ModeChange": H223MultiplexReconfigurationH223ModeChange,
        1 H223AnnexADoubleFlag "h223AnnexADoubleFlag": H223MultiplexReconfigurationH223AnnexADoubleFlag,
        ...
    }
}

choice! {
    /// `h223ModeChange` of [`H223MultiplexReconfiguration`].
    H223MultiplexReconfigurationH223ModeChange {
        0 ToLevel0 "toLevel0",
        1 ToLevel1 "toLevel1",
        2 ToLevel2 "toLevel2",
        3 ToLevel2withOptionalHeader "toLevel2withOptionalHeader",
        ...
    }
}

choice! {
    /// `h223AnnexADoubleFlag` of [`H223MultiplexReconfiguration`].
    H223MultiplexReconfigurationH223AnnexADoubleFlag {
        0 Start "start",
        1 Stop "stop",
        ...
    }
}

sequence! {
    /// Orders a new ATM connection.
    NewATMVCCommand {
        resource_id "resourceID": u16,
        bit_rate "bitRate": u16 as Int<1, 65_535>,
        bit_rate_locked_to_pcr_clock "bitRateLockedToPCRClock": bool,
        bit_rate_locked_to_network_clock "bitRateLockedToNetworkClock": bool,
        aal "aal": NewATMVCCommandAal,
        multiplex "multiplex": NewATMVCCommandMultiplex,
        reverse_parameters "reverseParameters": NewATMVCCommandReverseParameters,
        ...
    }
}

choice! {
    /// `aal` of [`NewATMVCCommand`].
    NewATMVCCommandAal {
        0 Aal1 "aal1": Box<NewATMVCCommandAalAal1>,
        1 Aal5 "aal5": NewATMVCCommandAalAal5,
        ...
    }
}

sequence! {
    /// `aal1` of [`NewATMVCCommandAal`].
    NewATMVCCommandAalAal1 {
        clock_recovery "clockRecovery": NewATMVCCommandAalAal1ClockRecovery,
        error_correction "errorCorrection": NewATMVCCommandAalAal1ErrorCorrection,
        structured_data_transfer "structuredDataTransfer": bool,
        partially_filled_cells "partiallyFilledCells": bool,
        ...
    }
}

choice! {
    /// `clockRecovery` of [`NewATMVCCommandAalAal1`].
    NewATMVCCommandAalAal1ClockRecovery {
        0 NullClockRecovery "nullClockRecovery",
        1 SrtsClockRecovery "srtsClockRecovery",
        2 AdaptiveClockRecovery "adaptiveClockRecovery",
        ...
    }
}

choice! {
    /// `errorCorrection` of [`NewATMVCCommandAalAal1`].
    NewATMVCCommandAalAal1ErrorCorrection {
        0 NullErrorCorrection "nullErrorCorrection",
        1 LongInterleaver "longInterleaver",
        2 ShortInterleaver "shortInterleaver",
        3 ErrorCorrectionOnly "errorCorrectionOnly",
        ...
    }
}

sequence! {
    /// `aal5` of [`NewATMVCCommandAal`].
    #[derive(Default)]
    NewATMVCCommandAalAal5 {
        forward_maximum_sdu_size "forwardMaximumSDUSize": u16,
        backward_maximum_sdu_size "backwardMaximumSDUSize": u16,
        ...
    }
}

choice! {
    /// `multiplex` of [`NewATMVCCommand`].
    NewATMVCCommandMultiplex {
        0 NoMultiplex "noMultiplex",
        1 TransportStream "transportStream",
        2 ProgramStream "programStream",
        ...
    }
}

sequence! {
    /// `reverseParameters` of [`NewATMVCCommand`].
    NewATMVCCommandReverseParameters {
        bit_rate "bitRate": u16 as Int<1, 65_535>,
        bit_rate_locked_to_pcr_clock "bitRateLockedToPCRClock": bool,
        bit_rate_locked_to_network_clock "bitRateLockedToNetworkClock": bool,
        multiplex "multiplex": NewATMVCCommandReverseParametersMultiplex,
        ...
    }
}

choice! {
    /// `multiplex` of [`NewATMVCCommandReverseParameters`].
    NewATMVCCommandReverseParametersMultiplex {
        0 NoMultiplex "noMultiplex",
        1 TransportStream "transportStream",
        2 ProgramStream "programStream",
        ...
    }
}

sequence! {
    /// Changes a mobile multilink.
    MobileMultilinkReconfigurationCommand {
        sample_size "sampleSize": u8 as Int<1, 255>,
        samples_per_frame "samplesPerFrame": u8 as Int<1, 255>,
        status "status": MobileMultilinkReconfigurationCommandStatus,
        ...
    }
}

choice! {
    /// `status` of [`MobileMultilinkReconfigurationCommand`].
    MobileMultilinkReconfigurationCommandStatus {
        0 Synchronized "synchronized",
        1 Reconfiguration "reconfiguration",
        ...
    }
}
