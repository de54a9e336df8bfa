//! libFuzzer's way to the property `tpkt`.

#![no_main]

#[path = "../../tests/support/fuzz_properties.rs"]
#[allow(dead_code, reason = "each target uses its property")]
mod fuzz_properties;
#[path = "../../tests/support/roots.rs"]
#[allow(dead_code, reason = "for the property `h450`")]
mod roots;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    fuzz_properties::tpkt(octets);
});
