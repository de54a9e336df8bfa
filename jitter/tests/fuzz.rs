//! The playout's fuzz target on stable: bounded in `cargo test`, as long as wanted by `make fuzz`.
//! Not here: the property (`support/fuzz_properties.rs`); libFuzzer (`fuzz/`).

#[allow(dead_code, unreachable_pub, reason = "libFuzzer's target and the decoders' use the rest")]
mod support;

use assert_no_alloc::AllocDisabler;

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

#[test]
fn any_script_of_packets_and_pulls_is_played_within_bounds() {
    support::codecs::fuzz_driver::run("playout", support::fuzz_properties::playout, 2_000);
}
