//! The media service provider: addresses, calls, streams and terminals.
//!
//! ```text
//! application ─ verbs ─▶ Address ─▶ Call ─▶ streams ─ commands ─▶ engine ⇄ sockets
//! TSP ═ opaque buffers ═▶   │         │ └─ clocks: headless ticker or sound card, for each half
//!     ◀═════════════════ outbox       └─ transport: ports, RTCP, tap
//!                           └─▶ terminals: files, tones, echo, cards, conferences, the application's samples and packets
//! threads: service (RTCP, taps, events, cards that fail) · disk (files) · ticker's · cards' own
//! ```
//!
//! In: [`offhook_spi::Mspi`] calls, the pair's buffers. Out: RTP and RTCP on the wire, files, events.
//! Not here: call control (`tsp`), who carries the buffers (`tapi`, `broker`), the sample path (`offhook-engine`).
//!
//! # When a stream is active
//!
//! `STREAM_ACTIVE` is told once the engine's half has really started: the channel is open, at least one terminal is
//! selected, the last verb was not stop, and the half has carried the command out, at most a tick and a service turn
//! (20 ms) later. A silent peer does not keep a render stream from being active, until it has been silent for
//! `MspConfig::media_timeout_ms`: then the stream is inactive by `MediaTimeout`, and active again by `MediaRecovered` with
//! the next packet. `STREAM_INACTIVE` is told at once when one of the conditions goes. Causes: `LocalRequest` for the
//! application's verbs and selections, `RemoteRequest` for what the TSP's buffers bring about. When the call ends, a
//! stream that never had a channel though the other had one is told to be not used. A call whose ports cannot be had tells
//! both streams to have failed by `ConnectFail`. Shutting a call down ends its events as well.

mod address;
mod call;
mod cards;
mod channels;
mod clocks;
mod config;
mod digits;
mod listener;
mod media;
mod outbox;
mod provider;
mod quality;
mod random;
mod rtcp;
mod selection;
mod service;
mod silence;
mod statistics;
mod stream;
mod tap;
mod terminal;
mod transport;

pub use config::{Latch, MspConfig, StartError};
pub use offhook_rtp::SdesKind;
pub use provider::Msp;
pub use tap::{PacketDirection, PacketTap};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Control's own locks: a panic under one leaves nothing half done that the next holder could not live with.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
