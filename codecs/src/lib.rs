//! Audio codecs over slices, resampling, tones and what is heard in them, levels; no allocation after construction.
//!
//! In: 16-bit mono samples, or the payload of one RTP packet. Out: the other of the two.
//! One file a codec ([`g711`], [`g722`], [`g726`], [`gsm`], [`opus`], L16); [`kind`] describes each, and those that are
//! known only (names, rates, packet arithmetic), [`codec`] holds the [`Encoder`] and [`Decoder`] traits.
//! [`vad`] and [`comfort_noise`] spare silence; [`resample`] joins rates; [`tone`] makes call-progress tones, [`dtmf`]
//! digits, [`dtmf_detector`] and [`progress`] find them, as [`signal`]s; [`level`] measures what passes.
//! Not here: when a packet is played (`jitter`), RTP headers (`media/rtp`), what a call has agreed (`signaling`).
//!
//! RT: after construction nothing here allocates, locks, makes a syscall, logs or panics.

pub mod asynchronous;
pub mod codec;
pub mod comfort_noise;
pub mod dtmf;
pub mod dtmf_detector;
pub mod g711;
pub mod g722;
pub mod g726;
pub mod gsm;
mod history;
pub mod kind;
mod l16;
pub mod level;
pub mod opus;
mod payload;
pub mod progress;
pub mod resample;
pub mod signal;
mod spare;
pub mod tone;
pub mod vad;
mod window;

pub use asynchronous::AsyncResampler;
pub use codec::{CodecError, CodecSettings, Decoder, Encoder};
pub use comfort_noise::{NoiseAnalyser, NoiseGenerator};
pub use dtmf::{DtmfDigit, DtmfTiming};
pub use dtmf_detector::DtmfDetector;
pub use g722::G722Mode;
pub use kind::CodecKind;
pub use level::{Level, LevelMeter};
pub use opus::{OpusApplication, OpusDecoder, OpusEncoder, OpusSettings};
pub use progress::ProgressDetector;
pub use resample::{Resampled, Resampler, UnsupportedRate};
pub use signal::{ProgressTone, Signal, SignalEvent, TonePlan};
pub use tone::{Cadence, Segment, Tone, ToneGenerator};
pub use vad::{DiscontinuousTransmission, Transmission, VoiceActivity};
