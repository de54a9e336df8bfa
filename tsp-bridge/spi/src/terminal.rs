//! The application's ends of terminals that it feeds, reads or plays on: what TAPI's media streaming terminal is for.
//!
//! In: samples, packets, orders of the application; a provider that implements the traits. Out: what was taken, what was
//! heard, how far and how full both are.
//! Nothing here waits: waiting is the caller's (`offhook-tapi` has asynchronous forms). Handles of one terminal share one
//! queue: each sample or packet is read once, whoever reads it. They may be kept over selections and after the release.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{MspError, Timestamp};

/// What the application holds of a terminal beside its number.
#[derive(Clone)]
#[non_exhaustive]
pub enum TerminalEnd {
    /// Of `TerminalClass::Pcm` that faces capture.
    PcmWriter(Arc<dyn PcmWriter>),
    /// Of `TerminalClass::Pcm` that faces render.
    PcmReader(Arc<dyn PcmReader>),
    /// Of `TerminalClass::RtpTap`.
    RtpReader(Arc<dyn RtpReader>),
    /// Of `TerminalClass::RtpInjector`.
    RtpWriter(Arc<dyn RtpWriter>),
    /// Of `TerminalClass::ToneGenerator`.
    Tones(Arc<dyn TonePlayer>),
    /// Of `TerminalClass::ToneDetector`.
    Signals(Arc<dyn SignalReader>),
}

/// A terminal that the application brings: to be selected like any other. TAPI calls such terminals pluggable.
///
/// It is called on a thread of the terminal's own every few milliseconds, while it is selected, never from the real-time
/// path; it may take its time, and what it does not take or give in time is dropped, or silence. If it panics it has
/// failed: the stream is told so and goes on without it.
pub trait PluggableTerminal: Send + Sync {
    /// A name for people.
    fn name(&self) -> String;

    /// The rate of its samples, Hz; `None` is the call's own.
    fn sample_rate(&self) -> Option<u32> {
        None
    }

    /// Capture: what the far end is to hear next, 16-bit mono samples to the front of `out`; how many.
    fn produce(&self, out: &mut [i16]) -> usize {
        let _ = out;
        0
    }

    /// Render: what the far end says, and when its first sample is played.
    fn consume(&self, samples: &[i16], at: Timestamp) {
        let _ = (samples, at);
    }

    /// It was released: it is not called any more.
    fn released(&self) {}
}

/// A [`PluggableTerminal`] as a class.
#[derive(Clone)]
pub struct Plug(
    /// The terminal itself.
    pub Arc<dyn PluggableTerminal>,
);

impl std::fmt::Debug for Plug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plug({:?})", self.0.name())
    }
}

/// The same terminal.
impl PartialEq for Plug {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Signals in a stream's sound. Alias `lineMonitorTones`.
pub trait SignalReader: Send + Sync {
    /// The next, or `None` if none waits.
    fn read(&self) -> Option<SignalHeard>;
    /// How far it is.
    fn status(&self) -> SignalReaderStatus;
}

/// A signal that is heard in band, whatever it sounds like in a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Signal {
    /// A DTMF digit: `0`–`9`, `*`, `#`, `A`–`D`.
    Digit(char),
    /// Dial tone.
    Dial,
    /// The called telephone rings.
    Ringing,
    /// The called party is busy.
    Busy,
    /// The network is.
    Congestion,
    /// Somebody else calls.
    CallWaiting,
    /// An announcement follows.
    SpecialInformation,
}

/// A signal that has begun or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalHeard {
    /// Which.
    pub signal: Signal,
    /// When it was certain, on the clock of what is played.
    pub at: Timestamp,
    /// How long it lasted; `None` says that it has begun.
    pub duration: Option<Duration>,
}

/// How far a [`SignalReader`] is, over all selections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalReaderStatus {
    /// Signals that were heard.
    pub heard: u64,
    /// Signals dropped because nobody read in time: the newest.
    pub overruns: u64,
    /// The terminal was released: nothing comes any more beside what waits.
    pub is_released: bool,
}

/// What the far end is to hear, 16-bit mono samples at the terminal's rate.
pub trait PcmWriter: Send + Sync {
    /// Takes as many samples as there is room for; how many. They wait while the terminal is not selected.
    fn write(&self, samples: &[i16]) -> usize;
    /// How far it is.
    fn status(&self) -> PcmWriterStatus;
}

/// What the far end says, 16-bit mono samples at the terminal's rate.
pub trait PcmReader: Send + Sync {
    /// The next samples of one block, or `None` if none wait. A block longer than `out` is read on next time.
    fn read(&self, out: &mut [i16]) -> Option<PcmBlock>;
    /// How far it is.
    fn status(&self) -> PcmReaderStatus;
}

/// RTP packets of a stream: those that were believed (render), those that were built (capture).
pub trait RtpReader: Send + Sync {
    /// The next packet, or `None` if none waits. Only packets that are valid by RFC 3550 §A.1 come here.
    fn read(&self) -> Option<RtpOctets>;
    /// How far it is.
    fn status(&self) -> RtpReaderStatus;
}

/// RTP packets in place of a capture stream's sound.
pub trait RtpWriter: Send + Sync {
    /// Takes a packet to be sent in the stream's next block. Payload, payload type and marker are sent as they are;
    /// source, sequence number and timestamps are the stream's own, the timestamps' distances are kept.
    fn send(&self, packet: &[u8]) -> Result<(), RtpSendError>;
    /// Octets of packets that may be sent now; 0 while the terminal is not selected.
    fn room(&self) -> usize;
}

/// A generator of digits and call-progress tones.
pub trait TonePlayer: Send + Sync {
    /// Dials DTMF digits (`0`–`9`, `*`, `#`, `A`–`D`) in band, after those being dialled.
    fn dial(&self, digits: &str) -> Result<(), MspError>;
    /// Plays a tone until something else is asked for.
    fn play(&self, tone: ProgressTone) -> Result<(), MspError>;
    /// Fades what sounds and forgets what waits.
    fn stop(&self);
    /// Whether everything is over.
    fn is_idle(&self) -> bool;
}

/// Call-progress tones: ITU-T E.180's usual ones at 425 Hz, and North America's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ProgressTone {
    /// Dial tone, 425 Hz.
    Dial,
    /// Ringback, 425 Hz, 1 s on, 4 s off.
    Ringback,
    /// Busy, 425 Hz, 0.5 s on and off.
    Busy,
    /// Congestion, 425 Hz, 0.25 s on and off.
    Congestion,
    /// Dial tone, 350 + 440 Hz.
    DialNorthAmerica,
    /// Ringback, 440 + 480 Hz, 2 s on, 4 s off.
    RingbackNorthAmerica,
    /// Busy, 480 + 620 Hz, 0.5 s on and off.
    BusyNorthAmerica,
    /// Congestion (reorder), 480 + 620 Hz, 0.25 s on and off.
    CongestionNorthAmerica,
    /// Another call waits.
    CallWaiting,
    /// Special information: three rising tones.
    SpecialInformation,
}

/// Samples that were read, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcmBlock {
    /// When the first of them is played.
    pub at: Timestamp,
    /// How many were written to the front of the buffer.
    pub samples: usize,
}

/// How far a [`PcmWriter`] is. Samples at the terminal's rate, over all selections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PcmWriterStatus {
    /// Hz.
    pub sample_rate: u32,
    /// Samples taken from the application.
    pub written: u64,
    /// Samples that found no room and were left with the application: the back-pressure.
    pub refused: u64,
    /// Samples that the stream took.
    pub taken: u64,
    /// Samples that wait.
    pub waiting: usize,
    /// Samples that may wait.
    pub capacity: usize,
    /// Times that sound was followed by silence because none waited.
    pub underruns: u64,
    /// Samples of such silence.
    pub underrun_samples: u64,
    /// A sample, as the number of samples written before it, and when it is captured, that is, leaves for the far end.
    pub position: Option<(u64, Timestamp)>,
    /// The terminal was released: nothing is taken any more.
    pub is_released: bool,
}

/// How far a [`PcmReader`] is. Samples at the terminal's rate, over all selections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PcmReaderStatus {
    /// Hz.
    pub sample_rate: u32,
    /// Samples put in.
    pub heard: u64,
    /// Samples that wait.
    pub waiting: usize,
    /// Samples that may wait.
    pub capacity: usize,
    /// Blocks dropped because nobody read in time: the newest.
    pub overruns: u64,
    /// Their samples.
    pub overrun_samples: u64,
    /// The terminal was released: nothing comes any more beside what waits.
    pub is_released: bool,
}

/// A packet of a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpOctets {
    /// When it arrived (render), or when its first sample was captured.
    pub at: Timestamp,
    /// Header and payload.
    pub octets: Vec<u8>,
}

/// How far a [`RtpReader`] is, over all selections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtpReaderStatus {
    /// Packets put in.
    pub packets: u64,
    /// Packets dropped because nobody read in time.
    pub overruns: u64,
    /// The terminal was released: nothing comes any more beside what waits.
    pub is_released: bool,
}

/// Why a packet was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpSendError {
    /// It is no packet by RFC 3550, or longer than any that is sent.
    #[error("not sent: {0}")]
    Invalid(String),
    /// As much waits as can: try again after a block.
    #[error("no room for the packet now")]
    Full,
    /// The terminal is not selected on a stream, or was released.
    #[error("the terminal is on no stream")]
    NotSelected,
}
