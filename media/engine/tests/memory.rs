//! How much memory a call costs: everything that one leg of the usual sizes allocates, its playout included.

use offhook_codecs::CodecKind;
use offhook_engine::{EngineConfig, RxFormat, RxProcessor, TxFormat, TxProcessor, split};

/// What one leg may cost, octets.
const MOST: u64 = 64 * 1_024;

#[test]
fn a_leg_of_g711_with_its_playout_stays_within_64_kib() {
    let make = |kind| {
        let (control, tx, rx) = split(EngineConfig::new(8_000));
        let formats =
            (Box::new(TxFormat::new(kind, 0, 20).unwrap()), Box::new(RxFormat::new(kind, 0).unwrap()));
        (control, tx, rx, formats)
    };
    // What all legs share is made with the first.
    drop(make(CodecKind::Pcmu));
    for kind in [CodecKind::Pcmu, CodecKind::Pcma] {
        let mut leg = None;
        let counted = allocation_counter::measure(|| leg = Some(make(kind)));
        // The halves themselves lie in a ticker's box.
        let halves = size_of::<TxProcessor>() + size_of::<RxProcessor>();
        let whole = counted.bytes_current.unsigned_abs() + halves as u64;
        println!("{kind:?}: {whole} octets a leg");
        assert!(whole > 8 * 1_024 && whole <= MOST, "{whole} octets");
        drop(leg);
    }
}
