//! Capabilities of audio codecs.

use super::capability::{NoPTAudioTelephonyEventCapability, NoPTAudioToneCapability};
use super::generic::GenericCapability;
use super::message::NonStandardParameter;
use crate::per::Int;
use crate::per::notation::{choice, sequence};

choice! {
    /// An audio codec. A number is the most frames in a packet, unless the codec says otherwise.
    AudioCapability {
        0 NonStandard "nonStandard": Box<NonStandardParameter>,
        1 G711Alaw64k "g711Alaw64k": u16 as Int<1, 256>,
        2 G711Alaw56k "g711Alaw56k": u16 as Int<1, 256>,
        3 G711Ulaw64k "g711Ulaw64k": u16 as Int<1, 256>,
        4 G711Ulaw56k "g711Ulaw56k": u16 as Int<1, 256>,
        5 G72264k "g722-64k": u16 as Int<1, 256>,
        6 G72256k "g722-56k": u16 as Int<1, 256>,
        7 G72248k "g722-48k": u16 as Int<1, 256>,
        8 G7231 "g7231": AudioCapabilityG7231,
        9 G728 "g728": u16 as Int<1, 256>,
        10 G729 "g729": u16 as Int<1, 256>,
        11 G729AnnexA "g729AnnexA": u16 as Int<1, 256>,
        12 Is11172AudioCapability "is11172AudioCapability": IS11172AudioCapability,
        13 Is13818AudioCapability "is13818AudioCapability": IS13818AudioCapability,
        ...
        0 G729wAnnexB "g729wAnnexB": u16 as Int<1, 256>,
        1 G729AnnexAwAnnexB "g729AnnexAwAnnexB": u16 as Int<1, 256>,
        2 G7231AnnexCCapability "g7231AnnexCCapability": G7231AnnexCCapability,
        3 GsmFullRate "gsmFullRate": GSMAudioCapability,
        4 GsmHalfRate "gsmHalfRate": GSMAudioCapability,
        5 GsmEnhancedFullRate "gsmEnhancedFullRate": GSMAudioCapability,
        6 GenericAudioCapability "genericAudioCapability": Box<GenericCapability>,
        7 G729Extensions "g729Extensions": G729Extensions,
        8 Vbd "vbd": Box<VBDCapability>,
        9 AudioTelephonyEvent "audioTelephonyEvent": NoPTAudioTelephonyEventCapability,
        10 AudioTone "audioTone": NoPTAudioToneCapability,
    }
}

sequence! {
    /// `g7231` of [`AudioCapability`].
    AudioCapabilityG7231 {
        max_al_sdu_audio_frames "maxAl-sduAudioFrames": u16 as Int<1, 256>,
        silence_suppression "silenceSuppression": bool,
    }
}

sequence! {
    /// Annexes of G.729.
    #[derive(Default)]
    G729Extensions {
        audio_unit "audioUnit"?: u16 as Int<1, 256>,
        annex_a "annexA": bool,
        annex_b "annexB": bool,
        annex_d "annexD": bool,
        annex_e "annexE": bool,
        annex_f "annexF": bool,
        annex_g "annexG": bool,
        annex_h "annexH": bool,
        ...
    }
}

sequence! {
    /// G.723.1 with Annex C.
    G7231AnnexCCapability {
        max_al_sdu_audio_frames "maxAl-sduAudioFrames": u16 as Int<1, 256>,
        silence_suppression "silenceSuppression": bool,
        g723_annex_c_audio_mode "g723AnnexCAudioMode"?: G7231AnnexCCapabilityG723AnnexCAudioMode,
        ...
    }
}

sequence! {
    /// `g723AnnexCAudioMode` of [`G7231AnnexCCapability`].
    G7231AnnexCCapabilityG723AnnexCAudioMode {
        high_rate_mode0 "highRateMode0": u8 as Int<27, 78>,
        high_rate_mode1 "highRateMode1": u8 as Int<27, 78>,
        low_rate_mode0 "lowRateMode0": u8 as Int<23, 66>,
        low_rate_mode1 "lowRateMode1": u8 as Int<23, 66>,
        sid_mode0 "sidMode0": u8 as Int<6, 17>,
        sid_mode1 "sidMode1": u8 as Int<6, 17>,
        ...
    }
}

sequence! {
    /// MPEG-1 audio.
    IS11172AudioCapability {
        audio_layer1 "audioLayer1": bool,
        audio_layer2 "audioLayer2": bool,
        audio_layer3 "audioLayer3": bool,
        audio_sampling32k "audioSampling32k": bool,
        audio_sampling44k1 "audioSampling44k1": bool,
        audio_sampling48k "audioSampling48k": bool,
        single_channel "singleChannel": bool,
        two_channels "twoChannels": bool,
        bit_rate "bitRate": u16 as Int<1, 448>,
        ...
    }
}

sequence! {
    /// MPEG-2 audio.
    IS13818AudioCapability {
        audio_layer1 "audioLayer1": bool,
        audio_layer2 "audioLayer2": bool,
        audio_layer3 "audioLayer3": bool,
        audio_sampling16k "audioSampling16k": bool,
        audio_sampling22k05 "audioSampling22k05": bool,
        audio_sampling24k "audioSampling24k": bool,
        audio_sampling32k "audioSampling32k": bool,
        audio_sampling44k1 "audioSampling44k1": bool,
        audio_sampling48k "audioSampling48k": bool,
        single_channel "singleChannel": bool,
        two_channels "twoChannels": bool,
        three_channels2_1 "threeChannels2-1": bool,
        three_channels3_0 "threeChannels3-0": bool,
        four_channels2_0_2_0 "fourChannels2-0-2-0": bool,
        four_channels2_2 "fourChannels2-2": bool,
        four_channels3_1 "fourChannels3-1": bool,
        five_channels3_0_2_0 "fiveChannels3-0-2-0": bool,
        five_channels3_2 "fiveChannels3-2": bool,
        low_frequency_enhancement "lowFrequencyEnhancement": bool,
        multilingual "multilingual": bool,
        bit_rate "bitRate": u16 as Int<1, 1130>,
        ...
    }
}

sequence! {
    /// GSM audio: octets in a packet, comfort noise, scrambling.
    GSMAudioCapability {
        audio_unit_size "audioUnitSize": u16 as Int<1, 256>,
        comfort_noise "comfortNoise": bool,
        scrambled "scrambled": bool,
        ...
    }
}

sequence! {
    /// Voice-band data: an audio codec that must not be meddled with.
    VBDCapability {
        r#type "type": AudioCapability,
        ...
    }
}
