//! Capabilities of video codecs.

use super::generic::GenericCapability;
use super::message::NonStandardParameter;
use crate::per::notation::{choice, sequence};
use crate::per::{Int, List};

choice! {
    /// A video codec.
    VideoCapability {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 H261VideoCapability "h261VideoCapability": H261VideoCapability,
        2 H262VideoCapability "h262VideoCapability": H262VideoCapability,
        3 H263VideoCapability "h263VideoCapability": Box<H263VideoCapability>,
        4 Is11172VideoCapability "is11172VideoCapability": IS11172VideoCapability,
        ...
        0 GenericVideoCapability "genericVideoCapability": Box<GenericCapability>,
        1 ExtendedVideoCapability "extendedVideoCapability": ExtendedVideoCapability,
    }
}

sequence! {
    /// A video codec with extended parameters.
    #[derive(Default)]
    ExtendedVideoCapability {
        video_capability "videoCapability": Vec<VideoCapability>,
        video_capability_extension "videoCapabilityExtension"?: Vec<GenericCapability>,
        ...
    }
}

sequence! {
    /// H.261 video.
    H261VideoCapability {
        qcif_mpi "qcifMPI"?: u8 as Int<1, 4>,
        cif_mpi "cifMPI"?: u8 as Int<1, 4>,
        temporal_spatial_trade_off_capability "temporalSpatialTradeOffCapability": bool,
        max_bit_rate "maxBitRate": u16 as Int<1, 19_200>,
        still_image_transmission "stillImageTransmission": bool,
        ...
        video_bad_mbs_cap "videoBadMBsCap": bool,
    }
}

sequence! {
    /// H.262 video. `videoBadMBsCap` is an extension addition, whatever the module text hides.
    #[derive(Default)]
    H262VideoCapability {
        profile_and_level_sp_at_ml "profileAndLevel-SPatML": bool,
        profile_and_level_mp_at_ll "profileAndLevel-MPatLL": bool,
        profile_and_level_mp_at_ml "profileAndLevel-MPatML": bool,
        profile_and_level_mp_at_h14 "profileAndLevel-MPatH-14": bool,
        profile_and_level_mp_at_hl "profileAndLevel-MPatHL": bool,
        profile_and_level_snr_at_ll "profileAndLevel-SNRatLL": bool,
        profile_and_level_snr_at_ml "profileAndLevel-SNRatML": bool,
        profile_and_level_spatial_at_h14 "profileAndLevel-SpatialatH-14": bool,
        profile_and_level_hp_at_ml "profileAndLevel-HPatML": bool,
        profile_and_level_hp_at_h14 "profileAndLevel-HPatH-14": bool,
        profile_and_level_hp_at_hl "profileAndLevel-HPatHL": bool,
        video_bit_rate "videoBitRate"?: u32 as Int<0, 1_073_741_823>,
        vbv_buffer_size "vbvBufferSize"?: u32 as Int<0, 262_143>,
        samples_per_line "samplesPerLine"?: u16 as Int<0, 16_383>,
        lines_per_frame "linesPerFrame"?: u16 as Int<0, 16_383>,
        frames_per_second "framesPerSecond"?: u8 as Int<0, 15>,
        luminance_sample_rate "luminanceSampleRate"?: u32,
        ...
        video_bad_mbs_cap "videoBadMBsCap": bool,
    }
}

sequence! {
    /// H.263 video.
    H263VideoCapability {
        sqcif_mpi "sqcifMPI"?: u8 as Int<1, 32>,
        qcif_mpi "qcifMPI"?: u8 as Int<1, 32>,
        cif_mpi "cifMPI"?: u8 as Int<1, 32>,
        cif4_mpi "cif4MPI"?: u8 as Int<1, 32>,
        cif16_mpi "cif16MPI"?: u8 as Int<1, 32>,
        max_bit_rate "maxBitRate": u32 as Int<1, 192_400>,
        unrestricted_vector "unrestrictedVector": bool,
        arithmetic_coding "arithmeticCoding": bool,
        advanced_prediction "advancedPrediction": bool,
        pb_frames "pbFrames": bool,
        temporal_spatial_trade_off_capability "temporalSpatialTradeOffCapability": bool,
        hrd_b "hrd-B"?: u32 as Int<0, 524_287>,
        bpp_max_kb "bppMaxKb"?: u16,
        ...
        slow_sqcif_mpi "slowSqcifMPI": u16 as Int<1, 3600>,
        slow_qcif_mpi "slowQcifMPI": u16 as Int<1, 3600>,
        slow_cif_mpi "slowCifMPI": u16 as Int<1, 3600>,
        slow_cif4_mpi "slowCif4MPI": u16 as Int<1, 3600>,
        slow_cif16_mpi "slowCif16MPI": u16 as Int<1, 3600>,
        error_compensation "errorCompensation": bool,
        enhancement_layer_info "enhancementLayerInfo": EnhancementLayerInfo,
        h263_options "h263Options": H263Options,
    }
}

sequence! {
    /// Scalability layers of H.263.
    #[derive(Default)]
    EnhancementLayerInfo {
        base_bit_rate_constrained "baseBitRateConstrained": bool,
        snr_enhancement "snrEnhancement"?: Vec<EnhancementOptions> as List<1, 14>,
        spatial_enhancement "spatialEnhancement"?: Vec<EnhancementOptions> as List<1, 14>,
        b_picture_enhancement "bPictureEnhancement"?: Vec<BEnhancementParameters> as List<1, 14>,
        ...
    }
}

sequence! {
    /// An enhancement layer of B pictures.
    BEnhancementParameters {
        enhancement_options "enhancementOptions": EnhancementOptions,
        number_of_b_pictures "numberOfBPictures": u8 as Int<1, 64>,
        ...
    }
}

sequence! {
    /// Options of an enhancement layer.
    EnhancementOptions {
        sqcif_mpi "sqcifMPI"?: u8 as Int<1, 32>,
        qcif_mpi "qcifMPI"?: u8 as Int<1, 32>,
        cif_mpi "cifMPI"?: u8 as Int<1, 32>,
        cif4_mpi "cif4MPI"?: u8 as Int<1, 32>,
        cif16_mpi "cif16MPI"?: u8 as Int<1, 32>,
        max_bit_rate "maxBitRate": u32 as Int<1, 192_400>,
        unrestricted_vector "unrestrictedVector": bool,
        arithmetic_coding "arithmeticCoding": bool,
        temporal_spatial_trade_off_capability "temporalSpatialTradeOffCapability": bool,
        slow_sqcif_mpi "slowSqcifMPI"?: u16 as Int<1, 3600>,
        slow_qcif_mpi "slowQcifMPI"?: u16 as Int<1, 3600>,
        slow_cif_mpi "slowCifMPI"?: u16 as Int<1, 3600>,
        slow_cif4_mpi "slowCif4MPI"?: u16 as Int<1, 3600>,
        slow_cif16_mpi "slowCif16MPI"?: u16 as Int<1, 3600>,
        error_compensation "errorCompensation": bool,
        h263_options "h263Options"?: H263Options,
        ...
    }
}

sequence! {
    /// Optional modes of H.263.
    #[derive(Default)]
    H263Options {
        advanced_intra_coding_mode "advancedIntraCodingMode": bool,
        deblocking_filter_mode "deblockingFilterMode": bool,
        improved_pb_frames_mode "improvedPBFramesMode": bool,
        unlimited_motion_vectors "unlimitedMotionVectors": bool,
        full_picture_freeze "fullPictureFreeze": bool,
        partial_picture_freeze_and_release "partialPictureFreezeAndRelease": bool,
        resizing_part_pic_freeze_and_release "resizingPartPicFreezeAndRelease": bool,
        full_picture_snapshot "fullPictureSnapshot": bool,
        partial_picture_snapshot "partialPictureSnapshot": bool,
        video_segment_tagging "videoSegmentTagging": bool,
        progressive_refinement "progressiveRefinement": bool,
        dynamic_picture_resizing_by_four "dynamicPictureResizingByFour": bool,
        dynamic_picture_resizing_sixteenth_pel "dynamicPictureResizingSixteenthPel": bool,
        dynamic_warping_half_pel "dynamicWarpingHalfPel": bool,
        dynamic_warping_sixteenth_pel "dynamicWarpingSixteenthPel": bool,
        independent_segment_decoding "independentSegmentDecoding": bool,
        slices_in_order_non_rect "slicesInOrder-NonRect": bool,
        slices_in_order_rect "slicesInOrder-Rect": bool,
        slices_no_order_non_rect "slicesNoOrder-NonRect": bool,
        slices_no_order_rect "slicesNoOrder-Rect": bool,
        alternate_inter_vlc_mode "alternateInterVLCMode": bool,
        modified_quantization_mode "modifiedQuantizationMode": bool,
        reduced_resolution_update "reducedResolutionUpdate": bool,
        transparency_parameters "transparencyParameters"?: TransparencyParameters,
        separate_video_back_channel "separateVideoBackChannel": bool,
        ref_picture_selection "refPictureSelection"?: RefPictureSelection,
        custom_picture_clock_frequency "customPictureClockFrequency"?: Vec<CustomPictureClockFrequency> as List<1, 16>,
        custom_picture_format "customPictureFormat"?: Vec<CustomPictureFormat> as List<1, 16>,
        mode_combos "modeCombos"?: Vec<H263VideoModeCombos> as List<1, 16>,
        ...
        video_bad_mbs_cap "videoBadMBsCap": bool,
        h263_version3_options "h263Version3Options": H263Version3Options,
    }
}

sequence! {
    /// Transparency of a picture layer.
    TransparencyParameters {
        presentation_order "presentationOrder": u16 as Int<1, 256>,
        offset_x "offset-x": i32 as Int<-262_144, 262_143>,
        offset_y "offset-y": i32 as Int<-262_144, 262_143>,
        scale_x "scale-x": u8 as Int<1, 255>,
        scale_y "scale-y": u8 as Int<1, 255>,
        ...
    }
}

sequence! {
    /// Reference picture selection (H.263 Annex N).
    RefPictureSelection {
        additional_picture_memory "additionalPictureMemory"?: RefPictureSelectionAdditionalPictureMemory,
        video_mux "videoMux": bool,
        video_back_channel_send "videoBackChannelSend": RefPictureSelectionVideoBackChannelSend,
        ...
        enhanced_reference_pic_select "enhancedReferencePicSelect": RefPictureSelectionEnhancedReferencePicSelect,
    }
}

sequence! {
    /// `additionalPictureMemory` of [`RefPictureSelection`].
    #[derive(Default)]
    RefPictureSelectionAdditionalPictureMemory {
        sqcif_additional_picture_memory "sqcifAdditionalPictureMemory"?: u16 as Int<1, 256>,
        qcif_additional_picture_memory "qcifAdditionalPictureMemory"?: u16 as Int<1, 256>,
        cif_additional_picture_memory "cifAdditionalPictureMemory"?: u16 as Int<1, 256>,
        cif4_additional_picture_memory "cif4AdditionalPictureMemory"?: u16 as Int<1, 256>,
        cif16_additional_picture_memory "cif16AdditionalPictureMemory"?: u16 as Int<1, 256>,
        big_cpf_additional_picture_memory "bigCpfAdditionalPictureMemory"?: u16 as Int<1, 256>,
        ...
    }
}

choice! {
    /// `videoBackChannelSend` of [`RefPictureSelection`].
    RefPictureSelectionVideoBackChannelSend {
        0 None "none",
        1 AckMessageOnly "ackMessageOnly",
        2 NackMessageOnly "nackMessageOnly",
        3 AckOrNackMessageOnly "ackOrNackMessageOnly",
        4 AckAndNackMessage "ackAndNackMessage",
        ...
    }
}

sequence! {
    /// `enhancedReferencePicSelect` of [`RefPictureSelection`].
    #[derive(Default)]
    RefPictureSelectionEnhancedReferencePicSelect {
        sub_picture_removal_parameters "subPictureRemovalParameters"?: RefPictureSelectionEnhancedReferencePicSelectSubPictureRemovalParameters,
        ...
    }
}

sequence! {
    /// `subPictureRemovalParameters` of [`RefPictureSelectionEnhancedReferencePicSelect`].
    RefPictureSelectionEnhancedReferencePicSelectSubPictureRemovalParameters {
        mpu_horiz_mbs "mpuHorizMBs": u8 as Int<1, 128>,
        mpu_vert_mbs "mpuVertMBs": u8 as Int<1, 72>,
        mpu_total_number "mpuTotalNumber": u32 as Int<1, 65_536>,
        ...
    }
}

sequence! {
    /// A picture clock of its own.
    CustomPictureClockFrequency {
        clock_conversion_code "clockConversionCode": u16 as Int<1000, 1001>,
        clock_divisor "clockDivisor": u8 as Int<1, 127>,
        sqcif_mpi "sqcifMPI"?: u16 as Int<1, 2048>,
        qcif_mpi "qcifMPI"?: u16 as Int<1, 2048>,
        cif_mpi "cifMPI"?: u16 as Int<1, 2048>,
        cif4_mpi "cif4MPI"?: u16 as Int<1, 2048>,
        cif16_mpi "cif16MPI"?: u16 as Int<1, 2048>,
        ...
    }
}

sequence! {
    /// A picture format of its own.
    CustomPictureFormat {
        max_custom_picture_width "maxCustomPictureWidth": u16 as Int<1, 2048>,
        max_custom_picture_height "maxCustomPictureHeight": u16 as Int<1, 2048>,
        min_custom_picture_width "minCustomPictureWidth": u16 as Int<1, 2048>,
        min_custom_picture_height "minCustomPictureHeight": u16 as Int<1, 2048>,
        mpi "mPI": CustomPictureFormatMPI,
        pixel_aspect_information "pixelAspectInformation": CustomPictureFormatPixelAspectInformation,
        ...
    }
}

sequence! {
    /// `mPI` of [`CustomPictureFormat`].
    #[derive(Default)]
    CustomPictureFormatMPI {
        standard_mpi "standardMPI"?: u8 as Int<1, 31>,
        custom_pcf "customPCF"?: Vec<CustomPictureFormatMPICustomPCF> as List<1, 16>,
        ...
    }
}

sequence! {
    /// `customPCF` of [`CustomPictureFormatMPI`].
    CustomPictureFormatMPICustomPCF {
        clock_conversion_code "clockConversionCode": u16 as Int<1000, 1001>,
        clock_divisor "clockDivisor": u8 as Int<1, 127>,
        custom_mpi "customMPI": u16 as Int<1, 2048>,
        ...
    }
}

choice! {
    /// `pixelAspectInformation` of [`CustomPictureFormat`].
    CustomPictureFormatPixelAspectInformation {
        0 AnyPixelAspectRatio "anyPixelAspectRatio": bool,
        1 PixelAspectCode "pixelAspectCode": Vec<u8> as List<1, 14, Int<1, 14>>,
        2 ExtendedPAR "extendedPAR": Vec<CustomPictureFormatPixelAspectInformationExtendedPAR> as List<1, 256>,
        ...
    }
}

sequence! {
    /// `extendedPAR` of [`CustomPictureFormatPixelAspectInformation`].
    CustomPictureFormatPixelAspectInformationExtendedPAR {
        width "width": u8 as Int<1, 255>,
        height "height": u8 as Int<1, 255>,
        ...
    }
}

sequence! {
    /// Modes that are possible together.
    H263VideoModeCombos {
        h263_video_uncoupled_modes "h263VideoUncoupledModes": H263ModeComboFlags,
        h263_video_coupled_modes "h263VideoCoupledModes": Vec<H263ModeComboFlags> as List<1, 16>,
        ...
    }
}

sequence! {
    /// A set of optional modes.
    #[derive(Default)]
    H263ModeComboFlags {
        unrestricted_vector "unrestrictedVector": bool,
        arithmetic_coding "arithmeticCoding": bool,
        advanced_prediction "advancedPrediction": bool,
        pb_frames "pbFrames": bool,
        advanced_intra_coding_mode "advancedIntraCodingMode": bool,
        deblocking_filter_mode "deblockingFilterMode": bool,
        unlimited_motion_vectors "unlimitedMotionVectors": bool,
        slices_in_order_non_rect "slicesInOrder-NonRect": bool,
        slices_in_order_rect "slicesInOrder-Rect": bool,
        slices_no_order_non_rect "slicesNoOrder-NonRect": bool,
        slices_no_order_rect "slicesNoOrder-Rect": bool,
        improved_pb_frames_mode "improvedPBFramesMode": bool,
        reference_pic_select "referencePicSelect": bool,
        dynamic_picture_resizing_by_four "dynamicPictureResizingByFour": bool,
        dynamic_picture_resizing_sixteenth_pel "dynamicPictureResizingSixteenthPel": bool,
        dynamic_warping_half_pel "dynamicWarpingHalfPel": bool,
        dynamic_warping_sixteenth_pel "dynamicWarpingSixteenthPel": bool,
        reduced_resolution_update "reducedResolutionUpdate": bool,
        independent_segment_decoding "independentSegmentDecoding": bool,
        alternate_inter_vlc_mode "alternateInterVLCMode": bool,
        modified_quantization_mode "modifiedQuantizationMode": bool,
        ...
        enhanced_reference_pic_select "enhancedReferencePicSelect": bool,
        h263_version3_options "h263Version3Options": H263Version3Options,
    }
}

sequence! {
    /// Optional modes of H.263 version 3.
    #[derive(Default)]
    H263Version3Options {
        data_partitioned_slices "dataPartitionedSlices": bool,
        fixed_point_idct0 "fixedPointIDCT0": bool,
        interlaced_fields "interlacedFields": bool,
        current_picture_header_repetition "currentPictureHeaderRepetition": bool,
        previous_picture_header_repetition "previousPictureHeaderRepetition": bool,
        next_picture_header_repetition "nextPictureHeaderRepetition": bool,
        picture_number "pictureNumber": bool,
        spare_reference_pictures "spareReferencePictures": bool,
        ...
    }
}

sequence! {
    /// MPEG-1 video.
    #[derive(Default)]
    IS11172VideoCapability {
        constrained_bitstream "constrainedBitstream": bool,
        video_bit_rate "videoBitRate"?: u32 as Int<0, 1_073_741_823>,
        vbv_buffer_size "vbvBufferSize"?: u32 as Int<0, 262_143>,
        samples_per_line "samplesPerLine"?: u16 as Int<0, 16_383>,
        lines_per_frame "linesPerFrame"?: u16 as Int<0, 16_383>,
        picture_rate "pictureRate"?: u8 as Int<0, 15>,
        luminance_sample_rate "luminanceSampleRate"?: u32,
        ...
        video_bad_mbs_cap "videoBadMBsCap": bool,
    }
}
