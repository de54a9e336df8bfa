//! The only way in: what control may tell a running processor.
//! In: commands with everything they need already built. Out: the same, in order, at the start of a block.
//!
//! Both rings are wait-free and bounded. A full one gives the command back ([`Full`]); a half carries out
//! `EngineConfig::commands_per_block` of them a block. Nothing is built, dropped or looked up by name over there.
//! Not here: what they do (`rt/tx.rs`, `rt/rx.rs`), the way back (`trash.rs`).
//! RT (`CommandReceiver`): no allocation, lock, syscall, log or panic.

use std::net::SocketAddr;
use std::sync::Arc;

use offhook_codecs::{
    CodecError, CodecKind, Decoder, DiscontinuousTransmission, Encoder, Resampler, UnsupportedRate,
};
use offhook_jitter::{ConfigError, Playout, PlayoutConfig};
use offhook_rtp::{EventCode, MAX_QUEUED_EVENTS, PayloadTypes, PlannedEvent, RedundancySender};

use crate::config::{SenderIdentity, ms_to_samples};
use crate::rt::gain::Gain;
use crate::rt::node::{NodeMeter, Sink, Source};
use crate::rt::packet::{PacketRx, PacketTx};
use crate::rt::packet_tap::{PacketInjector, PacketTap};
use crate::rt::passed_through::PassedThrough;
use crate::rt::peer::Peer;
use crate::sync::{Consumer, Producer, ring};

/// Reflection coefficients that describe noise: RFC 3389 §3.2 leaves their number to the sender.
const NOISE_ORDER: usize = 8;

/// A source's name within its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceId(pub(crate) u32);

/// A sink's name within its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SinkId(pub(crate) u32);

/// What the sending half can be told. Sources are added and removed through [`Control`](crate::Control), which names
/// them.
#[non_exhaustive]
pub enum TxCommand {
    /// Packets leave here from now on; the transport before is retired.
    SetTransport(Box<dyn PacketTx>),
    /// Packets leave nowhere; the transport is retired.
    ClearTransport,
    /// Packets go to this address from now on.
    SetRemote(SocketAddr),
    /// Another encoder, payload type and packet length, from the next sample on; same source, same numbering. One that
    /// was built for another rate than the engine's is refused ([`TxMeters::formats_refused`](crate::TxMeters)).
    SetFormat(Box<TxFormat>),
    /// Another RTP source, after a collision (RFC 3550 §8.2): its counts begin anew.
    Restart(SenderIdentity),
    /// Plays digits (RFC 4733) after those being played; sound keeps silent from the first to the end of the last.
    /// They share the sound's source and numbering. [`Self::Stop`], [`Self::Restart`] and another RTP clock forget them.
    PlayEvents(Box<TxEvents>),
    /// Ends the event under way with what it has lasted and forgets those that wait.
    CancelEvents,
    /// How loud the driver's own input (the microphone) is. Unity until told.
    SetMicrophone(Gain),
    /// How loud a source is. Unity until told.
    SetSourceGain(SourceId, Gain),
    /// Every block of the driver's own input goes here as well, as it was captured, with its time; also while stopped.
    /// For echo cancellation off the callback's thread, together with [`RxCommand::SetSpeakerTap`].
    SetMicrophoneTap(Box<dyn Sink>),
    /// No tap at the microphone; it is retired.
    ClearMicrophoneTap,
    /// Every packet that is built goes here as well, with the capture time of its first sample.
    SetPacketTap(Box<PacketTap>),
    /// No tap of packets; it is retired.
    ClearPacketTap,
    /// The application's own packets are sent in place of the microphone and the sources, which stand still.
    SetPacketInjector(Box<PacketInjector>),
    /// Sound again; the injector is retired.
    ClearPacketInjector,
    /// Sound flows from the next block on. The RTP timestamp has gone on meanwhile.
    Start,
    /// Sound fades within 5 ms; after the packet that holds the fade nothing is sent and sources stand still. In
    /// silence, or without a transport, this is so at once, and samples that do not fill a packet are dropped.
    Stop,
}

/// What travels to the sending half.
pub(crate) enum TxOrder {
    Command(TxCommand),
    AddSource(SourceId, Box<dyn Source>, Gain, Arc<NodeMeter>),
    RemoveSource(SourceId),
}

/// What the receiving half can be told. Sinks are added and removed through [`Control`](crate::Control), which names
/// them.
#[non_exhaustive]
pub enum RxCommand {
    /// Packets come from here from now on; the transport before is retired.
    SetTransport(Box<dyn PacketRx>),
    /// Packets come from nowhere; the transport is retired.
    ClearTransport,
    /// Whose datagrams may reach the call. Nobody's until told. The same host with another port expected keeps the
    /// port that is heard until the expected one speaks.
    SetPeer(Peer),
    /// Another playout: its decoder, rates and payload types. What waited in the one before is dropped. One that was
    /// built for another rate than the engine's is refused ([`RxMeters::formats_refused`](crate::RxMeters)).
    SetFormat(Box<RxFormat>),
    /// Another decoder of the same rates and its payload types; the playout keeps what it has learnt. One of other rates
    /// is refused: it takes a format of its own.
    SetDecoder(Box<dyn Decoder + Send>, PayloadTypes),
    /// The same as [`Self::SetFormat`], but while the peer is heard the format before plays on until a packet of the new
    /// one's payload types is here; packets of both are taken until then. At once where the two share a payload type.
    ExpectFormat(Box<RxFormat>),
    /// The same of [`Self::SetDecoder`]. If a format is expected, it is that one's decoder.
    ExpectDecoder(Box<dyn Decoder + Send>, PayloadTypes),
    /// Our own SSRC: a packet that bears it is a collision or a loop (RFC 3550 §8.2).
    SetOwnSsrc(u32),
    /// Packets of this payload type, 0 to 127, are digits (RFC 4733) and no sound; `None`, as in the beginning: none are.
    /// They come out of [`Control::next_event`](crate::Control::next_event).
    SetEventPayloadType(Option<u8>),
    /// Packets of this payload type, 0 to 127, hold copies of those before them (RFC 2198), which are played where these are
    /// lost; `None`, as in the beginning: none do. What is in them bears the format's payload types.
    SetRedundancyPayloadType(Option<u8>),
    /// Signalling announced that the peer's source may change: the next SSRC or port that passes probation within 5 s
    /// is taken without waiting for the old one to fall silent. The port of [`Peer::Expected`] counts for no more than
    /// others until [`Self::SetPeer`] tells it anew.
    ExpectSourceChange,
    /// How loud the driver's output (the speaker) is. Unity until told. Sinks do not hear it.
    SetSpeaker(Gain),
    /// How loud a sink hears the peer. Unity until told.
    SetSinkGain(SinkId, Gain),
    /// Every block that the driver's output is handed goes here as well, after the speaker's gain, with the time at
    /// which it is heard; also the silence while stopped. The reference of an echo canceller.
    SetSpeakerTap(Box<dyn Sink>),
    /// No tap at the speaker; it is retired.
    ClearSpeakerTap,
    /// Every packet that goes to playout goes here as well, whole, with its arrival time.
    SetPacketTap(Box<PacketTap>),
    /// No tap of packets; it is retired.
    ClearPacketTap,
    /// Packets are read and played from the next block on. What waited in the socket before the first start is played;
    /// what came while stopped later on is not.
    Start,
    /// Sound fades within 5 ms; then playout and sinks stand still, the speaker is silent, and packets are read and
    /// dropped.
    Stop,
}

/// What travels to the receiving half.
pub(crate) enum RxOrder {
    Command(RxCommand),
    AddSink(SinkId, Box<dyn Sink>, Arc<NodeMeter>),
    RemoveSink(SinkId),
}

/// How sound becomes packets. Built for an engine of the codec's own sample rate; [`Self::at_rate`] suits it to another.
pub struct TxFormat {
    pub(crate) encoder: Box<dyn Encoder + Send>,
    pub(crate) payload_type: u8,
    pub(crate) packet_samples: usize,
    /// From the engine's rate to the codec's, where they differ.
    pub(crate) resampler: Option<Resampler>,
    /// What is not speech is described now and then instead of sent, under this payload type.
    pub(crate) comfort_noise: Option<(DiscontinuousTransmission, u8)>,
    /// Packets have copies of those before them.
    pub(crate) redundancy: Option<Box<RedundancySender>>,
}

impl TxFormat {
    /// Encodes with `kind`, `packet_ms` milliseconds a packet, rounded down to what the codec can pack
    /// ([`CodecKind::whole_packet`]).
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] for a codec that is known only.
    pub fn new(kind: CodecKind, payload_type: u8, packet_ms: u32) -> Result<TxFormat, CodecError> {
        let samples = ms_to_samples(packet_ms, kind.sample_rate());
        Ok(TxFormat::with_encoder(kind.encoder()?, payload_type, samples))
    }

    /// Encodes with a given encoder, `packet_samples` a packet, rounded down to what the codec can pack.
    pub fn with_encoder(
        encoder: Box<dyn Encoder + Send>,
        payload_type: u8,
        packet_samples: usize,
    ) -> TxFormat {
        let packet_samples = encoder.kind().whole_packet(packet_samples);
        TxFormat {
            encoder,
            payload_type,
            packet_samples,
            resampler: None,
            comfort_noise: None,
            redundancy: None,
        }
    }

    /// Sends nothing by itself: a codec that this build cannot run, for an injector's packets. Time goes by in
    /// packets of `packet_samples`.
    pub fn passed_through(kind: CodecKind, payload_type: u8, packet_samples: usize) -> TxFormat {
        TxFormat::with_encoder(Box::new(PassedThrough::new(kind)), payload_type, packet_samples)
    }

    /// The same for an engine of `engine_rate` Hz: what is sent is resampled just before the encoder.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for rates that [`offhook_codecs::resample::RATES`] does not list.
    pub fn at_rate(mut self, engine_rate: u32) -> Result<TxFormat, UnsupportedRate> {
        let rate = self.kind().sample_rate();
        self.resampler = (rate != engine_rate).then(|| Resampler::new(engine_rate, rate)).transpose()?;
        Ok(self)
    }

    /// Sends comfort noise (RFC 3389) under `payload_type` where nobody speaks: a description when it changes and once a
    /// second, else nothing. The first packet of speech after that bears the marker (RFC 3551 §4.1). The clock of the payload
    /// type has to be the codec's: 13 is of 8 kHz.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for codecs of rates that [`offhook_codecs::resample::RATES`] does not list.
    pub fn with_comfort_noise(mut self, payload_type: u8) -> Result<TxFormat, UnsupportedRate> {
        let transmission = DiscontinuousTransmission::new(self.kind().sample_rate(), NOISE_ORDER)?;
        self.comfort_noise = Some((transmission, payload_type & 0x7f));
        Ok(self)
    }

    /// Sends under `payload_type` packets that hold up to `copies` of those before them as well (RFC 2198), as far as they do
    /// not make a payload longer than `most_octets`. The first packet after a pause has none.
    pub fn with_redundancy(mut self, payload_type: u8, copies: usize, most_octets: usize) -> TxFormat {
        self.redundancy = Some(Box::new(RedundancySender::new(payload_type, copies, most_octets)));
        self
    }

    /// Whether an engine of that rate can use it.
    pub(crate) fn fits(&self, engine_rate: u32) -> bool {
        let rate = self.resampler.as_ref().map_or(self.kind().sample_rate(), Resampler::input_rate);
        rate == engine_rate
    }

    /// Samples in a packet, at the codec's rate.
    pub fn packet_samples(&self) -> usize {
        self.packet_samples
    }

    /// What it encodes.
    pub fn kind(&self) -> CodecKind {
        self.encoder.kind()
    }
}

/// A string of events to be sent as packets of telephone-event (RFC 4733).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxEvents {
    pub(crate) payload_type: u8,
    pub(crate) events: Box<[PlannedEvent]>,
}

/// Why a string cannot be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventStringError {
    /// A character that is none of `0`–`9`, `*`, `#`, `A`–`D`, `!`.
    #[error("{0:?} is no digit that can be sent")]
    Character(char),
    /// More events than can wait.
    #[error("more than {MAX_QUEUED_EVENTS} digits at once")]
    TooLong,
    /// A payload type beyond 127.
    #[error("payload type {0} does not exist")]
    PayloadType(u8),
}

impl TxEvents {
    /// The level at which digits are sent, dB below 0 dBm0.
    const VOLUME: u8 = 10;

    /// Any events, with their lengths in units of the RTP clock.
    ///
    /// # Errors
    ///
    /// [`EventStringError`] for more than [`MAX_QUEUED_EVENTS`] or an impossible payload type.
    pub fn new(payload_type: u8, events: Vec<PlannedEvent>) -> Result<TxEvents, EventStringError> {
        if payload_type > 127 {
            return Err(EventStringError::PayloadType(payload_type));
        }
        if events.len() > MAX_QUEUED_EVENTS {
            return Err(EventStringError::TooLong);
        }
        Ok(TxEvents { payload_type, events: events.into() })
    }

    /// Dialled digits (`!` is flash), each of `tone_ms` and followed by `pause_ms` of nothing, at −10 dBm0; `clock_rate`
    /// is the RTP clock's, in hertz.
    ///
    /// # Errors
    ///
    /// [`EventStringError`].
    pub fn dial(
        payload_type: u8,
        digits: &str,
        tone_ms: u32,
        pause_ms: u32,
        clock_rate: u32,
    ) -> Result<TxEvents, EventStringError> {
        let ticks = |ms| u32::try_from(ms_to_samples(ms, clock_rate)).unwrap_or(u32::MAX);
        let event = |digit| {
            Ok(PlannedEvent {
                code: EventCode::from_char(digit).ok_or(EventStringError::Character(digit))?,
                volume: TxEvents::VOLUME,
                duration: ticks(tone_ms),
                pause: ticks(pause_ms),
            })
        };
        // One more than there may be tells that there are too many.
        let events = digits.chars().take(MAX_QUEUED_EVENTS + 1).map(event).collect::<Result<_, _>>()?;
        TxEvents::new(payload_type, events)
    }
}

/// Why a format cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The codec does not run in this build.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The playout is impossible.
    #[error(transparent)]
    Playout(#[from] ConfigError),
}

/// How packets become sound. Built for an engine of the codec's own sample rate; [`Self::at_rate`] suits it to another.
pub struct RxFormat {
    pub(crate) playout: Playout,
    pub(crate) payload_types: PayloadTypes,
    pub(crate) clock_rate: u32,
    /// From the codec's rate to the engine's, where they differ.
    pub(crate) resampler: Option<Resampler>,
    /// The payload type of comfort noise beside the codec.
    pub(crate) comfort_noise: Option<u8>,
}

impl RxFormat {
    /// Decodes `kind` from packets of `payload_type` alone, with the usual playout.
    ///
    /// # Errors
    ///
    /// [`FormatError`] if the codec does not run or the playout cannot be built.
    pub fn new(kind: CodecKind, payload_type: u8) -> Result<RxFormat, FormatError> {
        let playout = Playout::new(PlayoutConfig::for_codec(kind), kind.decoder()?)?;
        Ok(RxFormat::with_playout(playout, PayloadTypes::NONE.with(payload_type)))
    }

    /// Plays packets of `payload_types` through a given playout.
    pub fn with_playout(playout: Playout, payload_types: PayloadTypes) -> RxFormat {
        let clock_rate = playout.codec().clock_rate();
        RxFormat { playout, payload_types, clock_rate, resampler: None, comfort_noise: None }
    }

    /// Takes packets of `payload_type` for descriptions of noise (RFC 3389), to be made in the place of silence. Its clock
    /// has to be the codec's: 13 is of 8 kHz.
    pub fn with_comfort_noise(mut self, payload_type: u8) -> RxFormat {
        self.comfort_noise = Some(payload_type & 0x7f);
        self
    }

    /// Payload types of everything that is played.
    pub(crate) fn all_payload_types(&self) -> PayloadTypes {
        self.comfort_noise.map_or(self.payload_types, |noise| self.payload_types.with(noise))
    }

    /// The same for an engine of `engine_rate` Hz: what is heard is resampled just after playout.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for rates that [`offhook_codecs::resample::RATES`] does not list.
    pub fn at_rate(mut self, engine_rate: u32) -> Result<RxFormat, UnsupportedRate> {
        let rate = self.kind().sample_rate();
        self.resampler = (rate != engine_rate).then(|| Resampler::new(rate, engine_rate)).transpose()?;
        Ok(self)
    }

    /// Whether an engine of that rate can use it.
    pub(crate) fn fits(&self, engine_rate: u32) -> bool {
        let rate = self.resampler.as_ref().map_or(self.kind().sample_rate(), Resampler::output_rate);
        rate == engine_rate
    }

    /// What it decodes.
    pub fn kind(&self) -> CodecKind {
        self.playout.codec()
    }
}

/// A ring is full: here is what did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {ring} ring is full: its processor is not being driven, or is behind")]
pub struct Full<T> {
    /// What did not fit.
    pub value: T,
    /// Which ring.
    pub ring: CommandRing,
}

/// One of the rings into real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandRing {
    /// To the sending half.
    Transmit,
    /// To the receiving half.
    Receive,
    /// To a mixer bus.
    Bus,
    /// To a ticker's thread.
    Ticker,
}

impl std::fmt::Display for CommandRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CommandRing::Transmit => "transmit command",
            CommandRing::Receive => "receive command",
            CommandRing::Bus => "bus command",
            CommandRing::Ticker => "ticker command",
        })
    }
}

impl std::fmt::Debug for TxCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TxCommand::SetTransport(_) => "SetTransport",
            TxCommand::ClearTransport => "ClearTransport",
            TxCommand::SetRemote(_) => "SetRemote",
            TxCommand::SetFormat(_) => "SetFormat",
            TxCommand::Restart(_) => "Restart",
            TxCommand::PlayEvents(_) => "PlayEvents",
            TxCommand::CancelEvents => "CancelEvents",
            TxCommand::SetMicrophone(_) => "SetMicrophone",
            TxCommand::SetSourceGain(..) => "SetSourceGain",
            TxCommand::SetMicrophoneTap(_) => "SetMicrophoneTap",
            TxCommand::ClearMicrophoneTap => "ClearMicrophoneTap",
            TxCommand::SetPacketTap(_) => "SetPacketTap",
            TxCommand::ClearPacketTap => "ClearPacketTap",
            TxCommand::SetPacketInjector(_) => "SetPacketInjector",
            TxCommand::ClearPacketInjector => "ClearPacketInjector",
            TxCommand::Start => "Start",
            TxCommand::Stop => "Stop",
        })
    }
}

impl std::fmt::Debug for RxCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RxCommand::SetTransport(_) => "SetTransport",
            RxCommand::ClearTransport => "ClearTransport",
            RxCommand::SetPeer(_) => "SetPeer",
            RxCommand::SetFormat(_) => "SetFormat",
            RxCommand::SetDecoder(..) => "SetDecoder",
            RxCommand::ExpectFormat(_) => "ExpectFormat",
            RxCommand::ExpectDecoder(..) => "ExpectDecoder",
            RxCommand::SetOwnSsrc(_) => "SetOwnSsrc",
            RxCommand::SetEventPayloadType(_) => "SetEventPayloadType",
            RxCommand::SetRedundancyPayloadType(_) => "SetRedundancyPayloadType",
            RxCommand::ExpectSourceChange => "ExpectSourceChange",
            RxCommand::SetSpeaker(_) => "SetSpeaker",
            RxCommand::SetSinkGain(..) => "SetSinkGain",
            RxCommand::SetSpeakerTap(_) => "SetSpeakerTap",
            RxCommand::ClearSpeakerTap => "ClearSpeakerTap",
            RxCommand::SetPacketTap(_) => "SetPacketTap",
            RxCommand::ClearPacketTap => "ClearPacketTap",
            RxCommand::Start => "Start",
            RxCommand::Stop => "Stop",
        })
    }
}

/// The control end of a command ring.
pub(crate) struct CommandSender<T> {
    ring: Producer<T>,
    sent: u64,
    name: CommandRing,
}

/// The real-time end of a command ring.
pub(crate) struct CommandReceiver<T> {
    ring: Consumer<T>,
    /// Commands taken so far.
    pub(crate) taken: u64,
}

/// Both ends of a ring for `capacity` commands.
pub(crate) fn commands<T>(capacity: usize, name: CommandRing) -> (CommandSender<T>, CommandReceiver<T>) {
    let (producer, consumer) = ring(capacity);
    (CommandSender { ring: producer, sent: 0, name }, CommandReceiver { ring: consumer, taken: 0 })
}

impl<T> CommandSender<T> {
    pub(crate) fn send(&mut self, command: T) -> Result<(), Full<T>> {
        let pushed = self.ring.push(command);
        self.sent += u64::from(pushed.is_ok());
        pushed.map_err(|value| Full { value, ring: self.name })
    }

    /// Commands sent so far.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }
}

impl<T> CommandReceiver<T> {
    pub(crate) fn next(&mut self) -> Option<T> {
        let command = self.ring.pop();
        self.taken += u64::from(command.is_some());
        command
    }
}
