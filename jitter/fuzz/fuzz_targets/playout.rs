//! libFuzzer's way to the property `playout`.

#![no_main]

use assert_no_alloc::AllocDisabler;

#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, reason = "the stable driver uses the rest")]
mod support;

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    support::fuzz_properties::playout(octets);
});
