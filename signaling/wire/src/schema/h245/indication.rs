//! Indications: user input, jitter, skew, and messages that were not understood.

use bytes::Bytes;

use super::address::TransportAddress;
use super::channel::LogicalChannelNumber;
use super::message::{
    CommandMessage, GenericInformation, NonStandardIdentifier, NonStandardParameter, RequestMessage,
    ResponseMessage,
};
use super::security::Params;
use super::transport::TransportCapability;
use crate::per::notation::{choice, sequence};
use crate::per::{General, Int, Octets, Oid, Signal};

choice! {
    /// Returns a message that was not understood, decoded. Old form.
    FunctionNotUnderstood {
        0 Request "request": RequestMessage,
        1 Response "response": Box<ResponseMessage>,
        2 Command "command": Box<CommandMessage>,
    }
}

sequence! {
    /// Returns a message that is not supported, encoded.
    FunctionNotSupported {
        cause "cause": FunctionNotSupportedCause,
        returned_function "returnedFunction"?: Bytes,
        ...
    }
}

choice! {
    /// `cause` of [`FunctionNotSupported`].
    FunctionNotSupportedCause {
        0 SyntaxError "syntaxError",
        1 SemanticError "semanticError",
        2 UnknownFunction "unknownFunction",
        ...
    }
}

sequence! {
    /// Indications about a channel, mostly of video.
    MiscellaneousIndication {
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        r#type "type": MiscellaneousIndicationType,
        ...
    }
}

choice! {
    /// The indication.
    MiscellaneousIndicationType {
        0 LogicalChannelActive "logicalChannelActive",
        1 LogicalChannelInactive "logicalChannelInactive",
        2 MultipointConference "multipointConference",
        3 CancelMultipointConference "cancelMultipointConference",
        4 MultipointZeroComm "multipointZeroComm",
        5 CancelMultipointZeroComm "cancelMultipointZeroComm",
        6 MultipointSecondaryStatus "multipointSecondaryStatus",
        7 CancelMultipointSecondaryStatus "cancelMultipointSecondaryStatus",
        8 VideoIndicateReadyToActivate "videoIndicateReadyToActivate",
        9 VideoTemporalSpatialTradeOff "videoTemporalSpatialTradeOff": u8 as Int<0, 31>,
        ...
        0 VideoNotDecodedMBs "videoNotDecodedMBs": MiscellaneousIndicationTypeVideoNotDecodedMBs,
        1 TransportCapability "transportCapability": Box<TransportCapability>,
    }
}

sequence! {
    /// `videoNotDecodedMBs` of [`MiscellaneousIndicationType`].
    MiscellaneousIndicationTypeVideoNotDecodedMBs {
        first_mb "firstMB": u16 as Int<1, 8192>,
        number_of_mbs "numberOfMBs": u16 as Int<1, 8192>,
        temporal_reference "temporalReference": u8,
        ...
    }
}

sequence! {
    /// Jitter as seen at the receiver.
    JitterIndication {
        scope "scope": JitterIndicationScope,
        estimated_received_jitter_mantissa "estimatedReceivedJitterMantissa": u8 as Int<0, 3>,
        estimated_received_jitter_exponent "estimatedReceivedJitterExponent": u8 as Int<0, 7>,
        skipped_frame_count "skippedFrameCount"?: u8 as Int<0, 15>,
        additional_decoder_buffer "additionalDecoderBuffer"?: u32 as Int<0, 262_143>,
        ...
    }
}

choice! {
    /// `scope` of [`JitterIndication`].
    JitterIndicationScope {
        0 LogicalChannelNumber "logicalChannelNumber": u16 as LogicalChannelNumber,
        1 ResourceID "resourceID": u16,
        2 WholeMultiplex "wholeMultiplex",
    }
}

sequence! {
    /// Skew between two channels of H.223.
    H223SkewIndication {
        logical_channel_number1 "logicalChannelNumber1": u16 as LogicalChannelNumber,
        logical_channel_number2 "logicalChannelNumber2": u16 as LogicalChannelNumber,
        skew "skew": u16 as Int<0, 4095>,
        ...
    }
}

sequence! {
    /// Largest skew between two RTP channels.
    H2250MaximumSkewIndication {
        logical_channel_number1 "logicalChannelNumber1": u16 as LogicalChannelNumber,
        logical_channel_number2 "logicalChannelNumber2": u16 as LogicalChannelNumber,
        maximum_skew "maximumSkew": u16 as Int<0, 4095>,
        ...
    }
}

sequence! {
    /// Where the multipoint controller is.
    MCLocationIndication {
        signal_address "signalAddress": TransportAddress,
        ...
    }
}

sequence! {
    /// Manufacturer, product and version.
    VendorIdentification {
        vendor "vendor": NonStandardIdentifier,
        product_number "productNumber"?: Bytes as Octets<1, 256>,
        version_number "versionNumber"?: Bytes as Octets<1, 256>,
        ...
    }
}

sequence! {
    /// Tells of a new ATM connection.
    NewATMVCIndication {
        resource_id "resourceID": u16,
        bit_rate "bitRate": u16 as Int<1, 65_535>,
        bit_rate_locked_to_pcr_clock "bitRateLockedToPCRClock": bool,
        bit_rate_locked_to_network_clock "bitRateLockedToNetworkClock": bool,
        aal "aal": NewATMVCIndicationAal,
        multiplex "multiplex": NewATMVCIndicationMultiplex,
        ...
        reverse_parameters "reverseParameters": NewATMVCIndicationReverseParameters,
    }
}

choice! {
    /// `aal` of [`NewATMVCIndication`].
    NewATMVCIndicationAal {
        0 Aal1 "aal1": Box<NewATMVCIndicationAalAal1>,
        1 Aal5 "aal5": NewATMVCIndicationAalAal5,
        ...
    }
}

sequence! {
    /// `aal1` of [`NewATMVCIndicationAal`].
    NewATMVCIndicationAalAal1 {
        clock_recovery "clockRecovery": NewATMVCIndicationAalAal1ClockRecovery,
        error_correction "errorCorrection": NewATMVCIndicationAalAal1ErrorCorrection,
        structured_data_transfer "structuredDataTransfer": bool,
        partially_filled_cells "partiallyFilledCells": bool,
        ...
    }
}

choice! {
    /// `clockRecovery` of [`NewATMVCIndicationAalAal1`].
    NewATMVCIndicationAalAal1ClockRecovery {
        0 NullClockRecovery "nullClockRecovery",
        1 SrtsClockRecovery "srtsClockRecovery",
        2 AdaptiveClockRecovery "adaptiveClockRecovery",
        ...
    }
}

choice! {
    /// `errorCorrection` of [`NewATMVCIndicationAalAal1`].
    NewATMVCIndicationAalAal1ErrorCorrection {
        0 NullErrorCorrection "nullErrorCorrection",
        1 LongInterleaver "longInterleaver",
        2 ShortInterleaver "shortInterleaver",
        3 ErrorCorrectionOnly "errorCorrectionOnly",
        ...
    }
}

sequence! {
    /// `aal5` of [`NewATMVCIndicationAal`].
    #[derive(Default)]
    NewATMVCIndicationAalAal5 {
        forward_maximum_sdu_size "forwardMaximumSDUSize": u16,
        backward_maximum_sdu_size "backwardMaximumSDUSize": u16,
        ...
    }
}

choice! {
    /// `multiplex` of [`NewATMVCIndication`].
    NewATMVCIndicationMultiplex {
        0 NoMultiplex "noMultiplex",
        1 TransportStream "transportStream",
        2 ProgramStream "programStream",
        ...
    }
}

sequence! {
    /// `reverseParameters` of [`NewATMVCIndication`].
    NewATMVCIndicationReverseParameters {
        bit_rate "bitRate": u16 as Int<1, 65_535>,
        bit_rate_locked_to_pcr_clock "bitRateLockedToPCRClock": bool,
        bit_rate_locked_to_network_clock "bitRateLockedToNetworkClock": bool,
        multiplex "multiplex": NewATMVCIndicationReverseParametersMultiplex,
        ...
    }
}

choice! {
    /// `multiplex` of [`NewATMVCIndicationReverseParameters`].
    NewATMVCIndicationReverseParametersMultiplex {
        0 NoMultiplex "noMultiplex",
        1 TransportStream "transportStream",
        2 ProgramStream "programStream",
        ...
    }
}

choice! {
    /// User input: a text of keys, or one key with its duration (DTMF).
    UserInputIndication {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 Alphanumeric "alphanumeric": String as General,
        ...
        0 UserInputSupportIndication "userInputSupportIndication": UserInputIndicationUserInputSupportIndication,
        1 Signal "signal": Box<UserInputIndicationSignal>,
        2 SignalUpdate "signalUpdate": UserInputIndicationSignalUpdate,
        3 ExtendedAlphanumeric "extendedAlphanumeric": Box<UserInputIndicationExtendedAlphanumeric>,
        4 EncryptedAlphanumeric "encryptedAlphanumeric": Box<UserInputIndicationEncryptedAlphanumeric>,
        5 GenericInformation "genericInformation": Vec<GenericInformation>,
    }
}

choice! {
    /// `userInputSupportIndication` of [`UserInputIndication`].
    UserInputIndicationUserInputSupportIndication {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 BasicString "basicString",
        2 IA5String "iA5String",
        3 GeneralString "generalString",
        ...
        0 EncryptedBasicString "encryptedBasicString",
        1 EncryptedIA5String "encryptedIA5String",
        2 EncryptedGeneralString "encryptedGeneralString",
    }
}

sequence! {
    /// A key press, as a tone for so long.
    UserInputIndicationSignal {
        signal_type "signalType": String as Signal<1, 1>,
        duration "duration"?: u16 as Int<1, 65_535>,
        rtp "rtp"?: UserInputIndicationSignalRtp,
        ...
        rtp_payload_indication "rtpPayloadIndication": (),
        params "paramS": Params,
        encrypted_signal_type "encryptedSignalType": [u8; 1],
        algorithm_oid "algorithmOID": Oid,
    }
}

sequence! {
    /// `rtp` of [`UserInputIndicationSignal`].
    UserInputIndicationSignalRtp {
        timestamp "timestamp"?: u32,
        expiration_time "expirationTime"?: u32,
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// A new duration for the tone that sounds.
    UserInputIndicationSignalUpdate {
        duration "duration": u16 as Int<1, 65_535>,
        rtp "rtp"?: UserInputIndicationSignalUpdateRtp,
        ...
    }
}

sequence! {
    /// `rtp` of [`UserInputIndicationSignalUpdate`].
    UserInputIndicationSignalUpdateRtp {
        logical_channel_number "logicalChannelNumber": u16 as LogicalChannelNumber,
        ...
    }
}

sequence! {
    /// `extendedAlphanumeric` of [`UserInputIndication`].
    UserInputIndicationExtendedAlphanumeric {
        alphanumeric "alphanumeric": String as General,
        rtp_payload_indication "rtpPayloadIndication"?: (),
        ...
        encrypted_alphanumeric "encryptedAlphanumeric": UserInputIndicationExtendedAlphanumericEncryptedAlphanumeric,
    }
}

sequence! {
    /// `encryptedAlphanumeric` of [`UserInputIndicationExtendedAlphanumeric`].
    UserInputIndicationExtendedAlphanumericEncryptedAlphanumeric {
        algorithm_oid "algorithmOID": Oid,
        params "paramS"?: Params,
        encrypted "encrypted": Bytes,
        ...
    }
}

sequence! {
    /// `encryptedAlphanumeric` of [`UserInputIndication`].
    UserInputIndicationEncryptedAlphanumeric {
        algorithm_oid "algorithmOID": Oid,
        params "paramS"?: Params,
        encrypted "encrypted": Bytes,
        ...
    }
}

sequence! {
    /// Tells a limit of what is sent.
    FlowControlIndication {
        scope "scope": FlowControlIndicationScope,
        restriction "restriction": FlowControlIndicationRestriction,
        ...
    }
}

choice! {
    /// `scope` of [`FlowControlIndication`].
    FlowControlIndicationScope {
        0 LogicalChannelNumber "logicalChannelNumber": u16 as LogicalChannelNumber,
        1 ResourceID "resourceID": u16,
        2 WholeMultiplex "wholeMultiplex",
    }
}

choice! {
    /// `restriction` of [`FlowControlIndication`].
    FlowControlIndicationRestriction {
        0 MaximumBitRate "maximumBitRate": u32 as Int<0, 16_777_215>,
        1 NoRestriction "noRestriction",
    }
}

sequence! {
    /// Tells of a changed mobile multilink.
    MobileMultilinkReconfigurationIndication {
        sample_size "sampleSize": u8 as Int<1, 255>,
        samples_per_frame "samplesPerFrame": u8 as Int<1, 255>,
        ...
    }
}
