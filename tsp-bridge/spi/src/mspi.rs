//! MSPI: how the application's side of TAPI drives a media service provider.
//!
//! In: calls of `tapi`. Out: [`MspEvent`]s, fetched by [`MspAddress::next_event`] after [`MspSignal::events_ready`].
//! The MSP lives in the application's process; one [`MspAddress`] stands behind each line the application opened.

use std::any::Any;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::terminal::{Plug, TerminalEnd};
use crate::{MediaTypes, MspCallId, MspError, Opaque, StreamId, TerminalId, Timestamp};

/// A media service provider.
pub trait Mspi: Send + Sync {
    /// Stands one MSP instance behind a line. `signal` is raised whenever it has events to fetch.
    /// Alias `ITMSPAddress::Initialize`.
    fn create_address(&self, signal: Arc<dyn MspSignal>) -> Result<Arc<dyn MspAddress>, MspError>;
}

/// "I have events": raised by the MSP from any thread, cheap and repeatable.
pub trait MspSignal: Send + Sync {
    /// Fetch until [`MspAddress::next_event`] answers `None`.
    fn events_ready(&self);
}

/// An MSP instance behind one line. Alias `ITMSPAddress`.
pub trait MspAddress: Send + Sync {
    /// Makes the MSP's half of a call, with default streams for `media` (audio: one to capture, one to render).
    /// Alias `ITMSPAddress::CreateMSPCall`.
    fn create_msp_call(&self, media: MediaTypes) -> Result<MspCallId, MspError>;

    /// Ends it; later buffers and requests for it are errors. Alias `ITMSPAddress::ShutdownMSPCall`.
    fn shutdown_msp_call(&self, call: MspCallId) -> Result<(), MspError>;

    /// A buffer from the TSP: call-level with a call, address-level without. Tolerated at any time of a call's life,
    /// also after its end was signalled. Alias `ITMSPAddress::ReceiveTSPData`.
    fn receive_tsp_data(&self, call: Option<MspCallId>, data: &Opaque) -> Result<(), MspError>;

    /// The next event, or `None`. Alias `ITMSPAddress::GetEvent`, `TAPI_E_NOEVENT`.
    fn next_event(&self) -> Option<MspEvent>;

    /// Terminals that exist by themselves: the sound cards. Alias `ITTerminalSupport::EnumerateStaticTerminals`.
    fn static_terminals(&self) -> Vec<TerminalInfo>;

    /// Makes a terminal of the application's own. Alias `ITTerminalSupport::CreateTerminal`.
    fn create_terminal(&self, class: TerminalClass, direction: Direction) -> Result<TerminalInfo, MspError>;

    /// Drops a terminal made by [`create_terminal`](Self::create_terminal). A recording is complete on disk when
    /// this has returned `Ok`.
    fn release_terminal(&self, terminal: TerminalId) -> Result<(), MspError>;

    /// What a terminal has done so far.
    fn terminal_status(&self, terminal: TerminalId) -> Result<TerminalStatus, MspError>;

    /// The application's end of a terminal that it feeds, reads or plays on; an error for any other.
    fn terminal_end(&self, terminal: TerminalId) -> Result<TerminalEnd, MspError> {
        let _ = terminal;
        Err(MspError::InvalidTerminal("it has no end for the application".to_owned()))
    }

    /// Makes a terminal louder or quieter, selected or not. Legal at any time; a change is heard without a click.
    /// Alias `ITBasicAudioTerminal`.
    fn change_volume(&self, terminal: TerminalId, change: VolumeChange) -> Result<(), MspError> {
        let _ = (terminal, change);
        Err(MspError::InvalidTerminal("its volume cannot be changed".to_owned()))
    }

    /// What the MSP offers beyond this trait, about a call or about itself: an object that whoever knows its type
    /// downcasts. So a provider of another crate adds interfaces that nobody between it and the application knows. The
    /// aggregation of `ITMSPAddress::CreateMSPCall`'s outer unknown.
    fn private_object(&self, call: Option<MspCallId>) -> Option<PrivateObject> {
        let _ = call;
        None
    }

    /// The streams of a call.
    fn streams(&self, call: MspCallId) -> Result<Vec<StreamInfo>, MspError>;

    /// Joins a terminal to a stream; legal in any state. Streaming starts by itself once the transport is ready, at
    /// least one terminal is selected and the last explicit verb was not stop. Alias `ITStream::SelectTerminal`.
    fn select_terminal(&self, stream: StreamId, terminal: TerminalId) -> Result<(), MspError>;

    /// Undoes it. Alias `ITStream::UnselectTerminal`.
    fn unselect_terminal(&self, stream: StreamId, terminal: TerminalId) -> Result<(), MspError>;

    /// Undoes an earlier stop. Alias `ITStream::StartStream`.
    fn start_stream(&self, stream: StreamId) -> Result<(), MspError>;

    /// Stops until [`start_stream`](Self::start_stream). Alias `ITStream::StopStream`.
    fn stop_stream(&self, stream: StreamId) -> Result<(), MspError>;

    /// What the stream has done so far; readable until the call is shut down.
    fn stream_statistics(&self, stream: StreamId) -> Result<StreamStatistics, MspError>;
}

/// Something that only the MSP and an application that knows it understand.
#[derive(Clone)]
pub struct PrivateObject(Arc<dyn Any + Send + Sync>);

impl PrivateObject {
    /// Wraps it.
    pub fn new<T: Any + Send + Sync>(object: Arc<T>) -> Self {
        Self(object)
    }

    /// The object, if it is a `T`.
    pub fn downcast<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0).downcast().ok()
    }
}

impl std::fmt::Debug for PrivateObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateObject")
    }
}

/// The same object.
impl PartialEq for PrivateObject {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PrivateObject {}

/// Which way sound flows through a stream or terminal. Alias `TERMINAL_DIRECTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From a terminal to the network.
    Capture,
    /// From the network to a terminal.
    Render,
}

/// What kind of terminal to make. Alias `TERMINAL CLSID`s.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TerminalClass {
    /// Plays a WAV file (capture direction); silence after its end unless `repeat`.
    FilePlayback {
        /// The file.
        path: PathBuf,
        /// Begin again at its end.
        repeat: bool,
    },
    /// Records a WAV file (render direction).
    FileRecord {
        /// The file; replaced if it exists.
        path: PathBuf,
    },
    /// A steady tone (capture direction).
    Tone {
        /// Hz.
        frequency: f32,
        /// dBFS of its peak, at most 0.
        level: f32,
    },
    /// A clock without sound: silence in, or nowhere out.
    Null,
    /// Hears the call and says it back: select it on both streams of one call.
    Echo,
    /// The sound card that the system calls default, in the terminal's direction. It follows the system's default.
    DefaultDevice,
    /// The application's own sound: it writes samples (capture) or reads them (render), by
    /// [`MspAddress::terminal_end`]. Alias `CLSID_MediaStreamTerminal`.
    Pcm {
        /// The rate of the application's samples, Hz; `None` is the call's own.
        sample_rate: Option<u32>,
        /// Milliseconds of sound that may wait, 20 to 10000. What is beyond it is refused (capture) or dropped and
        /// counted (render).
        capacity_ms: u32,
    },
    /// A place in the conference of that name: select it on both streams of one call, and the far end hears everybody
    /// else who has a place, of any call of this provider, but not itself. On the capture stream alone it listens only,
    /// on the render stream alone it speaks only. The conference begins with its first place and ends with its last.
    /// Made with the capture direction.
    Conference {
        /// Any name of 1 to 128 octets.
        name: String,
    },
    /// Digits in band and call-progress tones, as they are ordered by [`MspAddress::terminal_end`] (capture direction).
    ToneGenerator,
    /// Hears digits and call-progress tones in the sound (render direction), told by [`MspAddress::terminal_end`].
    ToneDetector,
    /// The application's own terminal.
    Pluggable(Plug),
    /// Sees a stream's RTP packets: those believed (render) or built (capture). One a stream.
    RtpTap,
    /// Sends the application's own RTP packets in place of everything else on the stream (capture direction). One a
    /// stream.
    RtpInjector,
    /// A sound card by name or identifier. Unlike a static terminal, any number can be made of one card, for as many
    /// streams.
    Device {
        /// Its name, or what its host calls it by.
        name: String,
    },
}

/// A terminal as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TerminalInfo {
    /// Its handle.
    #[serde(skip)]
    pub id: TerminalId,
    /// A name for people.
    pub name: String,
    /// Which way it faces; an echo and a place in a conference face both and say capture.
    pub direction: Direction,
}

/// What a terminal has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TerminalStatus {
    /// When its sample 0 was played into, or recorded from, the call.
    pub first_sample_at: Option<Timestamp>,
    /// Samples so far, at `sample_rate`.
    pub samples: u64,
    /// Hz.
    pub sample_rate: u32,
    /// A playback reached the end of its file.
    pub finished: bool,
    /// The failure that ended it (disk full, device unplugged); a card that comes back is taken up again.
    pub failed: Option<String>,
    /// The sound card that it is, once it was selected.
    pub card: Option<CardStatus>,
    /// How loud it was made.
    pub volume: Volume,
    /// How loud it is, while it is selected.
    pub level: Option<SoundLevel>,
}

/// How loud a terminal was made. A terminal that faces both ways is as loud as it hears its call: muted, an echo is
/// silent, and a place in a conference is not heard by the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Decibels; 0 leaves the samples as they are.
    pub gain_db: f32,
    /// No sound, whatever the gain.
    pub mute: bool,
}

impl Volume {
    /// The gains that there are, in decibels.
    pub const GAIN_DB: RangeInclusive<f32> = -96.0..=30.0;
}

/// A change of a terminal's [`Volume`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VolumeChange {
    /// Another gain, within [`Volume::GAIN_DB`].
    GainDb(f32),
    /// Silent, or not.
    Mute(bool),
}

/// Level of the last tenth of a second, after the terminal's volume; −∞ is reported as −120.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundLevel {
    /// Root mean square, dBFS.
    pub rms_dbfs: f64,
    /// Peak, dBFS.
    pub peak_dbfs: f64,
}

/// What a sound card does in one direction, for all streams that share it. Counts are since it was first opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CardStatus {
    /// The device's name.
    pub device: String,
    /// Its own rate, Hz.
    pub sample_rate: u32,
    /// Its channels.
    pub channels: u16,
    /// Its sample type: "f32", "i16" …
    pub format: String,
    /// The period that it is asked for, in milliseconds: as configured, longer if it did not keep up.
    pub requested_period_ms: f64,
    /// The period that came of it, in milliseconds.
    pub period_ms: f64,
    /// The host's word on its buffer, in milliseconds, if it has one.
    pub buffer_ms: Option<f64>,
    /// Between the card's ear or mouth and the callback, by the device's time stamps, in milliseconds; `None` where
    /// they are not to be believed.
    pub latency_ms: Option<f64>,
    /// How much faster than nominal its clock runs, in millionths; 0 until it is known.
    pub drift_ppm: f64,
    /// Overruns (capture) or underruns (playback).
    pub xruns: u64,
    /// Milliseconds of sound lost in them.
    pub lost_ms: f64,
    /// How often it was opened: once more for every longer period.
    pub openings: u32,
    /// Streams that share it.
    pub shared_by: u32,
}

/// A stream as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StreamInfo {
    /// Its handle.
    #[serde(skip)]
    pub id: StreamId,
    /// Which way it flows.
    pub direction: Direction,
}

/// What a stream has done so far. Render streams fill the receiving half, capture streams the sending half.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamStatistics {
    /// The codec's name, once agreed.
    pub codec: Option<String>,
    /// Whether it streams now.
    pub active: bool,
    /// RTP packets sent or received (duplicates, strangers and malformed ones not counted).
    pub packets: u64,
    /// RTP payload octets sent or received.
    pub octets: u64,
    /// Packets lost by RFC 3550 A.3 (render).
    pub lost: i64,
    /// Packets that were lost and made good from what later ones hold of them: copies (RFC 2198), Opus' in-band redundancy
    /// (render).
    pub recovered: u64,
    /// Packets that came too late to be played (render).
    pub late: u64,
    /// Packets that came twice (render).
    pub duplicate: u64,
    /// Datagrams refused: strangers, malformed, wrong payload type (render); would-block (capture).
    pub dropped: u64,
    /// Interarrival jitter in milliseconds, RFC 3550 A.8 (render).
    pub jitter_ms: f64,
    /// Current playout delay in milliseconds (render).
    pub playout_delay_ms: f64,
    /// Samples played that were decoded from a packet, not concealed (render); samples sent (capture).
    pub samples: u64,
    /// Samples made up because a packet was missing (render).
    pub concealed_samples: u64,
    /// Samples of silence after sound had begun, because nothing came for long (render).
    pub muted_samples: u64,
    /// Overruns (capture) or underruns (render) of the stream's sound cards while they were selected.
    pub xruns: u64,
    /// Level of the last tenth of a second in dBFS; −∞ is reported as −120.
    pub level_dbfs: f64,
    /// When the first packet was sent or accepted.
    pub first_packet_at: Option<Timestamp>,
    /// When the first decoded sample was handed to a terminal (render), or the first sample sent (capture).
    pub first_sound_at: Option<Timestamp>,
    /// Round-trip time from RTCP in milliseconds, once known.
    pub round_trip_ms: Option<f64>,
    /// RTCP packets sent and received.
    pub rtcp_sent: u64,
    /// RTCP packets received.
    pub rtcp_received: u64,
    /// Packet loss that the far end reported of our packets, 0 to 1 (capture).
    pub remote_loss: Option<f64>,
    /// How the far end hears us, by its last extended report, if it sends any (capture).
    pub remote_metrics: Option<RemoteMetrics>,
    /// Where packets go to or come from.
    pub remote: Option<String>,
    /// The local RTP address.
    pub local: Option<String>,
}

/// VoIP metrics that the far end reported of our stream (RFC 3611 §4.7). `None`: it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RemoteMetrics {
    /// Packets that it never got, 0 to 1.
    pub loss: f64,
    /// Packets that came too late for it, 0 to 1.
    pub discarded: f64,
    /// Packets lost or discarded during bursts of them, 0 to 1.
    pub burst_density: f64,
    /// Packets lost or discarded between bursts, 0 to 1.
    pub gap_density: f64,
    /// Mean length of bursts, milliseconds.
    pub burst_ms: u16,
    /// Mean length of what is between them, milliseconds.
    pub gap_ms: u16,
    /// Round trip by its measure, milliseconds; 0 if it knows none.
    pub round_trip_ms: u16,
    /// Delay within the far end, milliseconds.
    pub end_system_delay_ms: u16,
    /// How loud we speak, dBm0.
    pub signal_level_dbm0: Option<i8>,
    /// How loud our pauses are, dBm0.
    pub noise_level_dbm0: Option<i8>,
    /// Residual echo return loss, dB.
    pub echo_return_loss_db: Option<u8>,
    /// R factor, 0 to 100.
    pub r_factor: Option<u8>,
    /// Mean opinion score of listening, 1 to 5.
    pub mos_lq: Option<f64>,
    /// Mean opinion score of conversation, 1 to 5.
    pub mos_cq: Option<f64>,
    /// Nominal delay of its jitter buffer, milliseconds.
    pub jitter_buffer_ms: u16,
    /// The greatest delay that its jitter buffer can have, milliseconds.
    pub jitter_buffer_max_ms: u16,
}

/// What an MSP reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MspEvent {
    /// A buffer for the TSP: call-level with a call, address-level without. Alias `ME_TSP_DATA`.
    TspData {
        /// The call, if it is about one.
        call: Option<MspCallId>,
        /// The buffer.
        data: Opaque,
    },
    /// Something happened to a stream or terminal of a call. Alias `ME_CALL_EVENT`.
    Call {
        /// The call.
        call: MspCallId,
        /// What happened.
        event: MspCallEvent,
        /// Why.
        cause: MspEventCause,
        /// To which stream.
        stream: Option<StreamId>,
        /// To which terminal.
        terminal: Option<TerminalId>,
    },
    /// Something of the MSP's own. Alias `ME_PRIVATE_EVENT`.
    Private {
        /// The call, if it is about one.
        call: Option<MspCallId>,
        /// What.
        event: PrivateObject,
    },
    /// A sound card came or went. Alias `ME_ADDRESS_EVENT`.
    Address {
        /// The terminal.
        terminal: TerminalInfo,
        /// Came, rather than went.
        available: bool,
    },
}

/// Alias `MSP_CALL_EVENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[allow(missing_docs, reason = "the names are TAPI's own CALL_* and say all there is")]
pub enum MspCallEvent {
    NewStream,
    StreamFail,
    TerminalFail,
    StreamNotUsed,
    StreamActive,
    StreamInactive,
}

/// Alias `MSP_CALL_EVENT_CAUSE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[allow(missing_docs, reason = "the names are TAPI's own CALL_CAUSE_* and say all there is")]
pub enum MspEventCause {
    Unknown,
    BadDevice,
    ConnectFail,
    LocalRequest,
    RemoteRequest,
    MediaTimeout,
    MediaRecovered,
    QualityOfService,
}
