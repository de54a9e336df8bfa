//! What `tests/fuzz.rs` and libFuzzer share; the driver and real payloads are the codecs'.

#[path = "../../../codecs/tests/support/mod.rs"]
pub mod codecs;
pub mod fuzz_properties;
