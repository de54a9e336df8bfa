//! Codecs that H.245 tells by an identifier: what real endpoints call them, and what we call those that nobody named.
//! In: nothing. Out: [`DescribedCodec`]s for [`AudioCodec::Described`](crate::AudioCodec::Described).
//!
//! Standard identifiers are those of H.245's annexes as Wireshark, OPAL and H323Plus know them. The parameters of Annexes
//! N, O and S are as those stacks read them: frames in a packet and, where one identifier stands for several
//! rates, maxBitRate. nonStandard ones are H323Plus's. Opus and the AAL2 packing of G.726 have no identifier that anybody
//! assigned; theirs are UUIDs of ours, described in `docs/opus-h323.md`.
//! Not here: what of these an endpoint offers (its media side says so), their octets (`capability`).

use offhook_wire::per::Oid;

use crate::media::{DescribedCodec, Description, GenericId, NonStandardId, Parameter};

/// capabilityIdentifier of Opus: UUID d39354b5-4c6d-4aec-82a6-bbfe858b2298.
pub const OPUS_UUID: [u8; 16] =
    [0xd3, 0x93, 0x54, 0xb5, 0x4c, 0x6d, 0x4a, 0xec, 0x82, 0xa6, 0xbb, 0xfe, 0x85, 0x8b, 0x22, 0x98];
/// capabilityIdentifier of G.726 in the packing of I.366.2: UUID 87a07fb9-0586-4703-a697-5001dfaf087e.
pub const AAL2_G726_UUID: [u8; 16] =
    [0x87, 0xa0, 0x7f, 0xb9, 0x05, 0x86, 0x47, 0x03, 0xa6, 0x97, 0x50, 0x01, 0xdf, 0xaf, 0x08, 0x7e];

/// Parameter 2 of Opus: the highest rate at which it is of use, in kHz.
const OPUS_PLAYBACK_KHZ: u16 = 48;
/// Parameter 3 of Opus: 1 stereo, 2 in-band FEC, 4 discontinuous transmission are taken.
const OPUS_TAKES: u8 = 1 | 2 | 4;

/// Opus (RFC 7587). A frame is 2.5 ms.
pub static OPUS: DescribedCodec = DescribedCodec {
    name: "Opus",
    description: Description::Generic {
        identifier: GenericId::Uuid(OPUS_UUID),
        is_of_bit_rate: false,
        frames: Some(1),
        collapsing: &[
            (2, Parameter::UnsignedMin(OPUS_PLAYBACK_KHZ)),
            (3, Parameter::BooleanArray(OPUS_TAKES)),
        ],
        non_collapsing: &[],
    },
    frame_half_ms: 5,
    bit_rate: 64_000,
    max_bit_rate: 510_000,
    rfc: Some(7587),
};

/// G.726 as H323Plus names it; packed as RFC 3551 says.
const fn g726(name: &'static str, data: &'static [u8], bit_rate: u32) -> DescribedCodec {
    DescribedCodec {
        name,
        description: Description::NonStandard {
            identifier: NonStandardId::H221 { t35_country: 9, t35_extension: 0, manufacturer: 61 },
            data,
        },
        frame_half_ms: 2,
        bit_rate,
        max_bit_rate: bit_rate,
        rfc: Some(3551),
    }
}

/// G.726 at 16 kbit/s.
pub static G726_16: DescribedCodec = g726("G.726-16k", b"G.726-16k", 16_000);
/// G.726 at 24 kbit/s.
pub static G726_24: DescribedCodec = g726("G.726-24k", b"G.726-24k", 24_000);
/// G.726 at 32 kbit/s.
pub static G726_32: DescribedCodec = g726("G.726-32k", b"G.726-32k", 32_000);
/// G.726 at 40 kbit/s.
pub static G726_40: DescribedCodec = g726("G.726-40k", b"G.726-40k", 40_000);

/// A generic codec of one bit rate whose parameter `frames` counts frames.
const fn of_rate(
    name: &'static str,
    identifier: GenericId,
    frames: u8,
    frame_half_ms: u16,
    bit_rate: u32,
    rfc: u16,
) -> DescribedCodec {
    DescribedCodec {
        name,
        description: Description::Generic {
            identifier,
            is_of_bit_rate: true,
            frames: Some(frames),
            collapsing: &[],
            non_collapsing: &[],
        },
        frame_half_ms,
        bit_rate,
        max_bit_rate: bit_rate,
        rfc: Some(rfc),
    }
}

/// G.726 at 16 kbit/s in the packing of I.366.2.
pub static AAL2_G726_16: DescribedCodec =
    of_rate("AAL2-G726-16", GenericId::Uuid(AAL2_G726_UUID), 0, 2, 16_000, 3551);
/// G.726 at 24 kbit/s in the packing of I.366.2.
pub static AAL2_G726_24: DescribedCodec =
    of_rate("AAL2-G726-24", GenericId::Uuid(AAL2_G726_UUID), 0, 2, 24_000, 3551);
/// G.726 at 32 kbit/s in the packing of I.366.2.
pub static AAL2_G726_32: DescribedCodec =
    of_rate("AAL2-G726-32", GenericId::Uuid(AAL2_G726_UUID), 0, 2, 32_000, 3551);
/// G.726 at 40 kbit/s in the packing of I.366.2.
pub static AAL2_G726_40: DescribedCodec =
    of_rate("AAL2-G726-40", GenericId::Uuid(AAL2_G726_UUID), 0, 2, 40_000, 3551);

/// L16 of H.245 Annex O. Its parameters could not be had to be compared with; the rate is told by maxBitRate, and what a peer
/// says in other parameters is passed over.
const L16: GenericId = GenericId::Standard(Oid::new(&[0, 0, 8, 245, 1, 1, 7]));

/// Linear 16-bit samples, 8 kHz.
pub static L16_8: DescribedCodec = of_rate("L16, 8 kHz", L16, 0, 2, 128_000, 3551);
/// Linear 16-bit samples, 16 kHz.
pub static L16_16: DescribedCodec = of_rate("L16, 16 kHz", L16, 0, 2, 256_000, 3551);
/// Linear 16-bit samples, 44.1 kHz. A frame is 10 ms.
pub static L16_44: DescribedCodec = of_rate("L16, 44.1 kHz", L16, 0, 20, 705_600, 3551);
/// Linear 16-bit samples, 48 kHz.
pub static L16_48: DescribedCodec = of_rate("L16, 48 kHz", L16, 0, 2, 768_000, 3551);

/// G.722.1 (G.722.1 Annex A).
const G7221: GenericId = GenericId::Standard(Oid::new(&[0, 0, 7, 7221, 1, 0]));

/// G.722.1 at 24 kbit/s.
pub static G7221_24: DescribedCodec = of_rate("G.722.1, 24 kbit/s", G7221, 1, 40, 24_000, 5577);
/// G.722.1 at 32 kbit/s.
pub static G7221_32: DescribedCodec = of_rate("G.722.1, 32 kbit/s", G7221, 1, 40, 32_000, 5577);

/// iLBC (H.245 Annex S): parameter 0 counts frames, parameter 1 is the mode, 20 or 30, of which the greater of both sides'
/// stands (RFC 3952 §5). H323Plus names no mode: then it is either.
const fn ilbc(
    name: &'static str,
    mode: &'static [(u8, Parameter)],
    ms: u16,
    bit_rate: u32,
) -> DescribedCodec {
    DescribedCodec {
        name,
        description: Description::Generic {
            identifier: GenericId::Standard(Oid::new(&[0, 0, 8, 245, 1, 1, 11])),
            is_of_bit_rate: false,
            frames: Some(0),
            collapsing: mode,
            non_collapsing: &[],
        },
        frame_half_ms: ms * 2,
        bit_rate,
        max_bit_rate: bit_rate,
        rfc: Some(3952),
    }
}

/// iLBC in frames of 20 ms.
pub static ILBC_20: DescribedCodec = ilbc("iLBC, 20 ms", &[(1, Parameter::UnsignedMax(20))], 20, 15_200);
/// iLBC in frames of 30 ms.
pub static ILBC_30: DescribedCodec = ilbc("iLBC, 30 ms", &[(1, Parameter::UnsignedMax(30))], 30, 13_330);

/// Speex by Xiph.Org's identifier.
const fn speex(name: &'static str, data: &'static [u8], bit_rate: u32) -> DescribedCodec {
    DescribedCodec {
        name,
        description: Description::NonStandard {
            identifier: NonStandardId::H221 { t35_country: 181, t35_extension: 0, manufacturer: 38 },
            data,
        },
        frame_half_ms: 40,
        bit_rate,
        max_bit_rate: bit_rate,
        rfc: Some(5574),
    }
}

/// Speex narrowband, mode 3.
pub static SPEEX: DescribedCodec = speex("Speex, 8 kHz", b"speex sr=8000;mode=3;vbr=off;cng=off", 8_000);
/// Speex wideband, mode 6.
pub static SPEEX_WIDEBAND: DescribedCodec =
    speex("Speex, 16 kHz", b"speex sr=16000;mode=6;vbr=off;cng=off", 20_600);

/// Comfort noise of RFC 3389 (H.245 Annex N): not a codec of a channel of its own, but what may stand in its place while
/// there is nothing to say, under payload type 13.
pub const COMFORT_NOISE: Oid = Oid::new(&[0, 0, 8, 245, 1, 1, 6]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AudioCodec;
    use crate::capability::{data_type, describes};
    use offhook_wire::h245::{AudioCapability, CapabilityIdentifier, DataType};
    use offhook_wire::per;

    static ALL: [&DescribedCodec; 19] = [
        &OPUS,
        &G726_16,
        &G726_24,
        &G726_32,
        &G726_40,
        &AAL2_G726_16,
        &AAL2_G726_24,
        &AAL2_G726_32,
        &AAL2_G726_40,
        &L16_8,
        &L16_16,
        &L16_44,
        &L16_48,
        &G7221_24,
        &G7221_32,
        &ILBC_20,
        &ILBC_30,
        &SPEEX,
        &SPEEX_WIDEBAND,
    ];

    fn capability(codec: &'static DescribedCodec, ms: u16) -> AudioCapability {
        match data_type(AudioCodec::Described(codec), ms) {
            DataType::AudioData(audio) => audio,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_codec_is_recognised_after_the_wire_and_taken_for_no_other() {
        for told in ALL {
            let octets = per::encode(&capability(told, 60)).unwrap().into();
            let heard = per::decode::<AudioCapability>(&octets).unwrap().into_value();
            for codec in ALL {
                // Who takes frames of 20 ms can be sent those of 30: the greater mode stands. Not the other way round.
                let longer = told.name == ILBC_20.name && codec.name == ILBC_30.name;
                let same = std::ptr::eq(told, codec) || longer;
                assert_eq!(describes(&heard, codec).is_some(), same, "{} as {}", told.name, codec.name);
            }
            let counts = !matches!(told.description, Description::NonStandard { .. });
            let ms = describes(&heard, told).unwrap();
            assert_eq!(ms, if counts { 60 } else { u16::MAX }, "{}", told.name);
        }
    }

    #[test]
    fn opus_is_told_by_a_uuid_and_its_parameters_as_the_page_says() {
        let AudioCapability::GenericAudioCapability(opus) = capability(&OPUS, 120) else { panic!() };
        assert_eq!(opus.capability_identifier, CapabilityIdentifier::Uuid(OPUS_UUID));
        assert_eq!(opus.max_bit_rate, Some(5_100));
        let page = include_str!("../../../docs/opus-h323.md");
        for uuid in [OPUS_UUID, AAL2_G726_UUID] {
            let digits: String = uuid.iter().map(|octet| format!("{octet:02x}")).collect();
            let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
            assert!(page.contains(&parts.join("-")), "{digits}");
        }
        let octets: String = per::encode(&capability(&OPUS, 120))
            .unwrap()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert!(page.contains(&octets), "docs/opus-h323.md is to show the octets {octets}");
    }
}
