//! Sound cards: cpal's streams as two clocks that ask the engine for blocks.
//!
//! ```text
//! card ─ capture callback ─ mono, i16 ─ resample to the call's rate ─▶ FnMut(captured_ns, &[i16])
//! card ◀─ playback callback ─ all channels ─ resample from the call's rate ─ FnMut(now_ns, &mut [i16])
//! ```
//!
//! In: a device's name or "default", the call's sample rate, a closure for each direction. Out: [`SoundStream`]s whose
//! callbacks run those closures on the card's own threads.
//! Not here: what the closures do (the engine's processors), files and tones (`msp`), which call gets the card (`msp`).

mod error;
mod reaper;
mod rt;
mod sound;
mod status;
mod stream;

pub use error::DeviceError;
pub use sound::{DeviceInfo, Selector, Sound};
pub use status::{StreamStatus, StreamStatusSnapshot};
pub use stream::{SoundStream, StreamRequest};
