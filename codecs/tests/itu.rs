//! The test vectors of the ITU-T Software Tool Library (G.191), where `OFFHOOK_ITU_VECTORS` names its `src` directory.
//! They are not ours to ship. docs/codecs.md tells what came of it.

mod common;

use std::path::{Path, PathBuf};

use common::from_octets;
use offhook_codecs::g726::{self, G726Packing, G726Rate};
use offhook_codecs::{CodecKind, CodecSettings, Decoder, Encoder, G722Mode, g711};

fn vectors(tool: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("OFFHOOK_ITU_VECTORS");
    if directory.is_none() {
        eprintln!(
            "SKIPPED: OFFHOOK_ITU_VECTORS names no ITU-T Software Tool Library, so this test proves nothing here"
        );
    }
    Some(PathBuf::from(directory?).join(tool).join("test_data"))
}

fn words(directory: &Path, file: &str) -> Vec<i16> {
    from_octets(&std::fs::read(directory.join(file)).unwrap())
}

fn octets(directory: &Path, file: &str) -> Vec<u8> {
    words(directory, file).into_iter().map(|word| word as u8).collect()
}

#[test]
fn g711_of_the_itu() {
    let Some(directory) = vectors("g711") else { return };
    let said = words(&directory, "sweep.src");
    for (law, encoded, decoded) in [("a", "sweep-r.a", "sweep-r.a-a"), ("u", "sweep-r.u", "sweep-r.u-u")] {
        let encode = if law == "a" { g711::a_encode } else { g711::mu_encode };
        let table = if law == "a" { g711::A_DECODE } else { g711::MU_DECODE };
        let heard: Vec<i16> = said.iter().map(|sample| table[usize::from(encode(*sample))]).collect();
        assert!(heard == words(&directory, decoded), "{law}");
        let codes: Vec<u8> = said.iter().map(|sample| encode(*sample)).collect();
        assert!(codes == octets(&directory, encoded), "{law}");
    }
}

#[test]
fn g722_of_the_itu_in_all_three_modes() {
    let Some(directory) = vectors("g722") else { return };
    let said = words(&directory, "inpsp.bin");
    let wanted = octets(&directory, "codspw.cod");
    let mut found = vec![0; wanted.len()];
    CodecKind::G722.encoder().unwrap().encode(&said, &mut found).unwrap();
    assert!(found == wanted);
    for (g722_mode, file) in
        [(G722Mode::Kbit64, "outsp1.bin"), (G722Mode::Kbit56, "outsp2.bin"), (G722Mode::Kbit48, "outsp3.bin")]
    {
        let settings = CodecSettings { g722_mode, ..CodecSettings::default() };
        let mut heard = vec![0; said.len()];
        CodecKind::G722.decoder_with(&settings).unwrap().decode(&wanted, &mut heard).unwrap();
        assert!(heard == words(&directory, file), "{g722_mode:?}");
    }
}

/// The encoder on normal and overloading A-law and µ-law, and the decoder's state behind it. What the decoder makes goes
/// back to G.711 without the tandem's synchronization, which this crate has not: it moves a code by one.
#[test]
fn g726_of_the_itu_at_all_rates() {
    let Some(directory) = vectors("g726") else { return };
    for (rate, bits) in
        [(G726Rate::Kbit16, 2), (G726Rate::Kbit24, 3), (G726Rate::Kbit32, 4), (G726Rate::Kbit40, 5)]
    {
        for (law, table) in [("a", g711::A_DECODE), ("m", g711::MU_DECODE)] {
            for (input, kind) in [("nrm", "rn"), ("ovr", "rv")] {
                let pcm: Vec<i16> = octets(&directory, &format!("{input}.{law}"))
                    .into_iter()
                    .map(|code| table[usize::from(code)])
                    .collect();
                let file = format!("{kind}{}f{law}.i", bits * 8);
                let wanted = octets(&directory, &file);
                let mut packed = vec![0; pcm.len() * bits / 8];
                g726::Codec::new(rate, G726Packing::Aal2).encode(&pcm, &mut packed).unwrap();
                let word = |n: usize| {
                    (n * bits..(n + 1) * bits)
                        .fold(0, |word, bit| word << 1 | (packed[bit / 8] >> (7 - bit % 8) & 1))
                };
                let found: Vec<u8> = (0..pcm.len()).map(word).collect();
                let first = found.iter().zip(&wanted).position(|(a, b)| a != b);
                assert_eq!(first, None, "{file}");
                let mut heard = vec![0; pcm.len()];
                g726::Codec::new(rate, G726Packing::Aal2).decode(&packed, &mut heard).unwrap();
                let far = octets(&directory, &format!("{kind}{}f{law}.o", bits * 8));
                let encode = if law == "a" { g711::a_encode } else { g711::mu_encode };
                let off = heard.iter().zip(far).filter(|(heard, far)| {
                    let (near, far) = (table[usize::from(encode(**heard))], table[usize::from(*far)]);
                    let step = (i32::from(far).abs() + 132) / 16 + 16;
                    (i32::from(near) - i32::from(far)).abs() > step
                });
                assert_eq!(off.count(), 0, "{file}");
            }
        }
    }
}
