//! Adaptive playout: packets in by arrival, samples out on demand.
//!
//! ```text
//!  RTP packet ─▶ insert ─▶ store ──────────▶ decoder ─▶ sound (history │ future) ─▶ pull ─▶ samples
//!                  │ arrival                    ▲          ▲
//!                  ▼                            │          │ normal · expand · merge · accelerate ·
//!               estimator ─▶ target ─▶ decision ┴──────────┘ preemptive expand · comfort noise
//! ```
//!
//! In: [`PlayoutPacket`]s with their arrival times, [`Playout::pull`]s with theirs. Out: samples, [`Pulled`],
//! [`PlayoutStats`]. Policy (`decision.rs`, fed by `estimator.rs`) names an operation; mechanism (`ops/`, one file
//! each) carries it out on the sound.
//! Not here: sockets, RTP parsing and RTCP (`media/rtp`), mixing and devices (`media/engine`), clocks: time is
//! nanoseconds of one monotonic clock, handed in.
//!
//! RT: after construction nothing here allocates, locks, makes a syscall, logs or panics.

mod config;
mod decision;
mod estimator;
mod grid;
mod ops;
mod packet;
mod pitch;
mod playout;
mod sequence;
mod sound;
mod stats;
mod store;
mod stream;
mod ticks;

pub use config::{ConfigError, PlayoutConfig};
pub use packet::{Insert, PacketKind, PlayoutPacket, Pulled, ResetReason};
pub use playout::Playout;
pub use stats::PlayoutStats;
