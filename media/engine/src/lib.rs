//! The media engine: the control side builds, the real-time side runs.
//!
//! ```text
//!   control (may allocate, lock)        ┊        real time (no allocation, lock, log, panic, blocking syscall)
//!                                       ┊
//!   Control ── TxCommand ───────────────┊──▶ TxProcessor: microphone + sources ─▶ mix ─▶ encode ─▶ PacketTx
//!      │    ── RxCommand ───────────────┊──▶ RxProcessor: PacketRx ─▶ check ─▶ playout ─▶ speaker + sinks
//!      │◀── retired objects (trash) ────┊──── both
//!      │◀── meters (atomics) ───────────┊──── both
//!      │◀── log records (slots) ────────┊──── both
//!   ClipFeeder ── samples ──────────────┊──▶ ClipSource        EchoSink ─▶ EchoSource (rx to tx)
//!   Recorder ◀── samples ───────────────┊──── RecordSink       ToneSource, SilenceSource
//!   PcmWriter ── samples ───────────────┊──▶ PcmSource         TonePlayer ── digits ──▶ TonePlayerSource
//!   PcmReader ◀── blocks with times ────┊──── PcmSink: a sink, or a tap at the speaker or the microphone
//!   PacketReader ◀── packets ───────────┊──── PacketTap        PacketSender ── packets ──▶ PacketInjector
//!   BusControl ── joins, gains ─────────┊──▶ BusProcessor: everybody hears the others, through a sink and a source each
//! ```
//!
//! Nothing that control does in the middle of a sound is a click: gains are ramps of 5 ms, sources that are removed and
//! streams that stop fade as long, and whatever begins or is cut is joined to what was heard before without changing a
//! sample that needs no change.
//!
//! In: commands, datagrams, samples, and the time (nanoseconds of one monotonic clock) that the driver hands in.
//! Out: datagrams, samples, meters. A driver is whoever calls the processors: a sound card's two callbacks
//! (`offhook-device`), the headless [`Ticker`], or the virtual one in [`simulate`].
//! Not here: sockets (`offhook-net`), sound cards (`offhook-device`), calls and terminals (`offhook-msp`), RTCP
//! (`offhook_rtp::RtcpSession`, fed from [`Meters`]).
//!
//! # A half in each hand
//!
//! [`split`] gives the control handle and two processors, [`TxProcessor`] for the capture callback and [`RxProcessor`]
//! for the playback callback. A processor belongs to one thread at a time: it is `Send`, neither `Sync` nor `Clone`.
//! Everything that reaches it goes through a wait-free ring; everything that leaves it (encoders, transports,
//! sources) goes back through another, to be dropped by [`Control::collect`].
//!
//! ```compile_fail
//! fn shared<T: Sync>(_: &T) {}
//! let (_control, tx, _rx) = offhook_engine::split(offhook_engine::EngineConfig::new(8_000));
//! shared(&tx);
//! ```
//!
//! # Order of calls
//!
//! 1. [`split`]; give the processors to a driver at any time: until told, they send nothing and play silence.
//! 2. Transmit: [`TxCommand::SetTransport`], [`TxCommand::SetFormat`], sources, [`TxCommand::Start`], in any order
//!    that ends with `Start`.
//! 3. Receive: [`RxCommand::SetTransport`], [`RxCommand::SetPeer`], [`RxCommand::SetFormat`], sinks,
//!    [`RxCommand::Start`].
//! 4. From time to time (every 10–100 ms): [`Control::collect`], feed clips, drain recorders, read [`Meters`].

// `make rtsan`: whatever is reached from an entry point that is marked so may not block or allocate.
#![cfg_attr(rtsan, feature(sanitize))]

mod board;
mod command;
mod config;
pub mod control;
#[cfg(all(test, loom))]
mod loom_tests;
pub mod measure;
mod meters;
pub mod rt;
pub mod simulate;
mod sync;
mod trash;

/// Traps what the unit tests mark as real time.
#[cfg(test)]
#[global_allocator]
static TRAP: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;

pub use command::{
    CommandRing, EventStringError, FormatError, Full, RxCommand, RxFormat, SinkId, SourceId, TxCommand,
    TxEvents, TxFormat,
};
pub use config::{EngineConfig, SenderIdentity};
pub use control::bus::{
    BusConfig, BusControl, BusMeters, BusPort, JoinError, ParticipantId, ParticipantMeters, PortMeters, bus,
};
pub use control::clip::{ClipFeeder, ClipMeters, Fed, SampleReader};
pub use control::clock::monotonic_ns;
#[cfg(feature = "rtp")]
pub use control::packets::to_packet;
pub use control::packets::{
    PacketMeters, PacketReader, PacketSender, SendError, TappedPacket, packet_injector, packet_tap,
};
pub use control::pcm::{
    PcmBlock, PcmConfig, PcmReader, PcmReaderMeters, PcmWriter, PcmWriterMeters, pcm_sink, pcm_source,
};
pub use control::record::{RecordMeters, Recorder};
pub use control::ticker::{
    AddError, BusHandle, Lateness, Leg, RemoveError, Scheduling, Ticker, TickerConfig, TickerError,
    TickerHandle, TickerReport,
};
pub use control::tone::{DialError, TonePlayer, tone_player};
pub use control::{Control, NodeError, split};
pub use meters::{Meters, RxMeters, TxMeters};
pub use rt::bus::BusProcessor;
pub use rt::clip::ClipSource;
pub use rt::driven::Driven;
pub use rt::echo::{EchoSink, EchoSource, echo};
pub use rt::gain::Gain;
pub use rt::log::{LogEvent, LogRecord};
pub use rt::node::{Sink, Source};
pub use rt::packet::{PacketRx, PacketTx, Received, SendOutcome};
pub use rt::packet_tap::{PacketInjector, PacketTap};
pub use rt::passed_through::PassedThrough;
pub use rt::pcm::{PcmSink, PcmSource};
pub use rt::peer::Peer;
pub use rt::record::RecordSink;
pub use rt::resampled::{ResampledSink, ResampledSource};
pub use rt::rx::RxProcessor;
pub use rt::tone::{SilenceSource, TonePlayerSource, ToneSource};
pub use rt::tx::TxProcessor;
