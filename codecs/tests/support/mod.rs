//! What `tests/fuzz.rs` and libFuzzer share.

pub mod fuzz_driver;
pub mod fuzz_properties;
