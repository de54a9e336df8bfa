//! Sound cards: cpal's streams as clocks that ask for blocks, shared by everybody who wants one.
//!
//! ```text
//! card ─ capture callback ─ mono, i16 ─┬─ fade ─ resample ─▶ FnMut(captured_ns, &[i16])
//!                                      └─ … each seat at its own rate
//! card ◀─ playback callback ─ saturate ◀─ sum ─┬─ resample ◀─ fade ◀─ FnMut(now_ns, &mut [i16])
//!                                              └─ …
//! card A's clock ─▶ Inlet ═ bridge ═▶ Outlet ─▶ card B's clock
//! ```
//!
//! In: a device's name or "default", a sample rate, a closure for each direction. Out: [`SoundStream`]s whose closures
//! run on the card's own threads: one open stream drives any number of them, and a dead one keeps none. A [`bridge()`]
//! joins two clocks that drift apart.
//! Not here: what the closures do (the engine's processors), files and tones (`msp`), which call gets the card (`msp`).

mod bridge;
mod cell;
mod clock;
mod convert;
mod error;
mod fader;
mod hub;
mod open;
mod quiet;
mod reaper;
mod rt;
mod seats;
mod sound;
mod status;
mod stream;

/// Traps what the unit tests mark as real time.
#[cfg(test)]
#[global_allocator]
static TRAP: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;

pub use bridge::{BridgeMeter, BridgeStatus, Inlet, Outlet, bridge};
pub use error::DeviceError;
pub use open::StreamRequest;
pub use sound::{DeviceInfo, Selector, Sound};
pub use status::{StreamMeter, StreamStatusSnapshot};
pub use stream::SoundStream;
