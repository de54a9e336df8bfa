//! Sums over what the bit-exact coders make of fixed sound. Ours agreed bit by bit with libgsm (GSM), ffmpeg (G.722) and
//! spandsp (G.726) when these were taken (docs/codecs.md); they hold where those programs are not installed.

mod common;

use common::hard;
use offhook_codecs::{CodecKind, CodecSettings, G722Mode};

fn fnv1a(octets: impl IntoIterator<Item = u8>) -> u64 {
    octets.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[test]
fn encoded_and_decoded_sound_has_its_sums() {
    // At 8 kHz no resampler takes part. G.722 hears it twice as fast.
    let mut pcm = hard(8_000);
    pcm.truncate(pcm.len() / 160 * 160);
    let mut sums = Vec::new();
    for (kind, mode) in [
        (CodecKind::G722, G722Mode::Kbit64),
        (CodecKind::G722, G722Mode::Kbit56),
        (CodecKind::G722, G722Mode::Kbit48),
        (CodecKind::Gsm, G722Mode::Kbit64),
        (CodecKind::G726_16, G722Mode::Kbit64),
        (CodecKind::G726_24, G722Mode::Kbit64),
        (CodecKind::G726_32, G722Mode::Kbit64),
        (CodecKind::G726_40, G722Mode::Kbit64),
        (CodecKind::Aal2G726_24, G722Mode::Kbit64),
        (CodecKind::Aal2G726_40, G722Mode::Kbit64),
    ] {
        let settings = CodecSettings { g722_mode: mode, ..CodecSettings::default() };
        let mut octets = vec![0; kind.samples_to_octets(pcm.len())];
        // In packets: the state goes on over them.
        let (mut encoder, mut decoder) =
            (kind.encoder_with(&settings).unwrap(), kind.decoder_with(&settings).unwrap());
        let mut at = 0;
        for pcm in pcm.chunks_exact(160) {
            at += encoder.encode(pcm, &mut octets[at..]).unwrap();
        }
        octets.truncate(at);
        let mut heard = vec![0; pcm.len()];
        assert_eq!(decoder.decode(&octets, &mut heard), Ok(pcm.len()));
        let heard = heard.iter().flat_map(|sample| sample.to_le_bytes());
        sums.push((kind, mode, fnv1a(octets.iter().copied()), fnv1a(heard)));
    }
    let wanted: &[(u64, u64)] = &[
        (0x01df_db7a_49ce_5007, 0xc65c_5f00_07aa_75a2),
        (0x01df_db7a_49ce_5007, 0x1c1b_4078_e5a0_688b),
        (0x01df_db7a_49ce_5007, 0x0c2d_bfce_996a_9398),
        (0x6093_7e81_30ff_738d, 0x3ef7_6846_619d_b7f9),
        (0xc9e8_bfc3_9f1a_26e6, 0xb3f9_f79c_a67e_1fa7),
        (0xa44f_50d3_dd43_6b96, 0xc72f_04d4_17d9_2213),
        (0x159b_316e_27e8_0c83, 0xbed9_71a6_cf4b_4a3e),
        (0xc9d9_cf2e_e401_7c2b, 0x59f7_0212_81e3_bd49),
        (0xdd35_03f7_f2bb_ec9a, 0xc72f_04d4_17d9_2213),
        (0x3c6b_adc8_129b_b14f, 0x59f7_0212_81e3_bd49),
    ];
    let found: Vec<(u64, u64)> = sums.iter().map(|sum| (sum.2, sum.3)).collect();
    assert_eq!(found, wanted, "{sums:#x?}");
}
