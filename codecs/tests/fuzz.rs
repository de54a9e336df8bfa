//! The decoders' fuzz target on stable: bounded in `cargo test`, as long as wanted by `make fuzz`.
//! Not here: the property (`support/fuzz_properties.rs`); libFuzzer (`fuzz/`).

#[allow(dead_code, unreachable_pub, reason = "libFuzzer's target and the playout's use the rest")]
mod support;

use assert_no_alloc::AllocDisabler;

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

#[test]
fn any_script_of_payloads_is_decoded_or_refused_within_bounds() {
    support::fuzz_driver::run("decoders", support::fuzz_properties::decoders, 3_000);
}
