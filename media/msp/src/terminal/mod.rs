//! A terminal: where a stream's sound comes from or goes to.
//! In: a class and direction, or a sound card that is there. Out: [`Terminal`]s, which know on which streams they are
//! selected and what they have done.
//! Free → selected (an echo: on both streams of one call) → free … → released.
//! Not here: how a selection reaches the engine (`call.rs`); each kind has a file of its own.

mod bridge;
mod conference;
mod device;
mod echo;
mod file;
mod generator;
mod packets;
mod pcm;
mod plug;
mod probe;
mod record;
mod signals;
mod tone;

use std::sync::{Arc, Mutex};

use offhook_engine::Gain;
use offhook_spi::mspi::{Direction, TerminalClass, TerminalInfo, TerminalStatus, Volume, VolumeChange};
use offhook_spi::terminal::TerminalEnd;
use offhook_spi::{MspCallId, MspError, StreamId, TerminalId};

pub(crate) use bridge::{microphone, speaker};
pub(crate) use conference::{ConferenceTerminal, Conferences};
pub(crate) use device::CardTerminal;
pub(crate) use echo::EchoTerminal;
pub(crate) use file::Playback;
pub(crate) use generator::GeneratorTerminal;
pub(crate) use packets::{RtpInjectorTerminal, RtpTapTerminal};
pub(crate) use pcm::{PcmEar, PcmMouth};
pub(crate) use plug::PlugTerminal;
pub(crate) use probe::{CardMeter, Probe};
use probe::{probed_sink, probed_source};
pub(crate) use record::Recording;
pub(crate) use tone::ToneTerminal;

use crate::lock;
use crate::media::Media;
use crate::outbox::Reporter;
use crate::service::Worker;

/// A terminal of an address.
pub(crate) struct Terminal {
    pub(crate) info: TerminalInfo,
    pub(crate) kind: Kind,
    selection: Mutex<Selection>,
    volume: Mutex<Volume>,
}

/// What it is.
pub(crate) enum Kind {
    Playback(Arc<Playback>),
    Record(Arc<Recording>),
    Tone(ToneTerminal),
    Echo(EchoTerminal),
    Conference(ConferenceTerminal),
    Mouth(Arc<PcmMouth>),
    Ear(Arc<PcmEar>),
    Generator(Arc<GeneratorTerminal>),
    Plug(PlugTerminal),
    Detector(PlugTerminal, Arc<signals::Signals>),
    RtpTap(Arc<RtpTapTerminal>),
    RtpInjector(Arc<RtpInjectorTerminal>),
    Card(CardTerminal),
}

/// Where it is selected.
#[derive(Default)]
struct Selection {
    places: Vec<Place>,
    is_released: bool,
}

/// A stream of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) call: MspCallId,
    pub(crate) stream: StreamId,
    pub(crate) direction: Direction,
}

/// Whom a terminal on the disk's thread tells that it failed.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) reporter: Reporter,
    pub(crate) stream: StreamId,
    pub(crate) terminal: TerminalId,
}

impl Terminal {
    /// Makes a terminal of the application's own.
    ///
    /// # Errors
    ///
    /// [`MspError::InvalidTerminal`] for a direction that the class does not have, [`MspError::Resource`] for a file
    /// or card that cannot be had.
    pub(crate) fn create(
        id: TerminalId,
        class: TerminalClass,
        direction: Direction,
        media: &Media,
        disk: &Worker,
    ) -> Result<Self, MspError> {
        let rate = media.sample_rate();
        let only = |wanted: Direction, what: &str| {
            if direction == wanted {
                return Ok(());
            }
            let (has, lacks) = match wanted {
                Direction::Capture => ("capture", "render"),
                Direction::Render => ("render", "capture"),
            };
            Err(MspError::InvalidTerminal(format!("{what} faces {has}, not {lacks}")))
        };
        let (name, kind) = match class {
            TerminalClass::FilePlayback { path, repeat } => {
                only(Direction::Capture, "a file to be played")?;
                let name = format!("play {}", path.display());
                let playback = Arc::new(Playback::open(path, repeat, rate)?);
                disk.serve(&(Arc::clone(&playback) as _));
                (name, Kind::Playback(playback))
            }
            TerminalClass::FileRecord { path } => {
                only(Direction::Render, "a recording")?;
                let name = format!("record {}", path.display());
                let recording = Arc::new(Recording::create(path, rate)?);
                disk.serve(&(Arc::clone(&recording) as _));
                (name, Kind::Record(recording))
            }
            TerminalClass::Tone { frequency, level } => {
                only(Direction::Capture, "a tone")?;
                let name = format!("tone of {frequency} Hz");
                (name, Kind::Tone(ToneTerminal::sine(frequency, level, rate)?))
            }
            TerminalClass::Null => ("null".to_owned(), Kind::Tone(ToneTerminal::silence(rate))),
            TerminalClass::Echo => {
                only(Direction::Capture, "an echo (which hears as well)")?;
                ("echo".to_owned(), Kind::Echo(EchoTerminal::new(rate)))
            }
            TerminalClass::Conference { name } => {
                only(Direction::Capture, "a place in a conference (which hears as well)")?;
                let place = ConferenceTerminal::new(&media.conferences, &name, &media.ticker, rate)?;
                (format!("conference {name}"), Kind::Conference(place))
            }
            TerminalClass::Pcm { sample_rate, capacity_ms } => {
                let config = pcm::config(sample_rate, capacity_ms, rate)?;
                let kind = match direction {
                    Direction::Capture => Kind::Mouth(Arc::new(PcmMouth::new(config)?)),
                    Direction::Render => Kind::Ear(Arc::new(PcmEar::new(config))),
                };
                ("the application".to_owned(), kind)
            }
            TerminalClass::ToneGenerator => {
                only(Direction::Capture, "a tone generator")?;
                ("tone generator".to_owned(), Kind::Generator(Arc::new(GeneratorTerminal::new(rate))))
            }
            TerminalClass::ToneDetector => {
                only(Direction::Render, "a tone detector")?;
                let signals = Arc::new(signals::Signals::new(rate));
                let plug = PlugTerminal::new(Arc::clone(&signals) as _, direction, rate)?;
                ("tone detector".to_owned(), Kind::Detector(plug, signals))
            }
            TerminalClass::Pluggable(plug) => {
                (plug.0.name(), Kind::Plug(PlugTerminal::new(plug.0, direction, rate)?))
            }
            TerminalClass::RtpTap => ("RTP tap".to_owned(), Kind::RtpTap(Arc::default())),
            TerminalClass::RtpInjector => {
                only(Direction::Capture, "an RTP injector")?;
                ("RTP injector".to_owned(), Kind::RtpInjector(Arc::default()))
            }
            TerminalClass::DefaultDevice => {
                let card = CardTerminal::default_of(media.sound(), direction, rate)?;
                (card.name.clone(), Kind::Card(card))
            }
            TerminalClass::Device { name } => {
                let card = CardTerminal::named(media.sound(), name, direction, rate)?;
                (card.name.clone(), Kind::Card(card))
            }
            other => return Err(MspError::InvalidTerminal(format!("no terminal of class {other:?}"))),
        };
        Ok(Self::new(TerminalInfo { id, name, direction }, kind))
    }

    /// A terminal that is there.
    pub(crate) fn new(info: TerminalInfo, kind: Kind) -> Self {
        Self { info, kind, selection: Mutex::default(), volume: Mutex::default() }
    }

    /// Takes it for `place`.
    ///
    /// # Errors
    ///
    /// [`MspError::TerminalInUse`], or [`MspError::InvalidTerminal`] if it faces the other way or is there already.
    pub(crate) fn occupy(&self, place: Place) -> Result<(), MspError> {
        let is_double = self.faces_both_ways();
        let invalid = |why: &str| Err(MspError::InvalidTerminal(format!("{}: {why}", self.info.name)));
        let mut selection = lock(&self.selection);
        if selection.is_released {
            return invalid("released");
        }
        if self.info.direction != place.direction && !is_double {
            return invalid("faces the other way than the stream");
        }
        if selection.places.iter().any(|other| other.stream == place.stream) {
            return invalid("selected on this stream already");
        }
        if selection.places.iter().any(|other| !is_double || other.call != place.call) {
            return Err(MspError::TerminalInUse);
        }
        selection.places.push(place);
        Ok(())
    }

    /// Gives it back.
    pub(crate) fn vacate(&self, stream: StreamId) {
        lock(&self.selection).places.retain(|place| place.stream != stream);
    }

    /// From now on nobody can take it; where it still is.
    pub(crate) fn retire(&self) -> Vec<Place> {
        let mut selection = lock(&self.selection);
        selection.is_released = true;
        selection.places.clone()
    }

    /// Where it is.
    pub(crate) fn places(&self) -> Vec<Place> {
        lock(&self.selection).places.clone()
    }

    /// Whether it belongs on both streams of a call.
    pub(crate) fn faces_both_ways(&self) -> bool {
        matches!(self.kind, Kind::Echo(_) | Kind::Conference(_))
    }

    /// Its node has left the engine of the call. To be called before [`Self::vacate`].
    pub(crate) fn detach(&self) {
        match &self.kind {
            Kind::Playback(playback) => playback.detach(),
            Kind::Record(recording) => recording.detach(),
            Kind::Card(card) => {
                card.end();
            }
            Kind::Conference(place) => {
                if lock(&self.selection).places.len() <= 1 {
                    place.leave();
                }
            }
            Kind::Mouth(mouth) => mouth.detach(),
            Kind::Generator(generator) => generator.detach(),
            Kind::Plug(plug) | Kind::Detector(plug, _) => plug.detach(),
            Kind::RtpInjector(injector) => injector.detach(),
            Kind::Ear(_) | Kind::RtpTap(_) | Kind::Echo(_) | Kind::Tone(_) => {}
        }
    }

    /// The application's end of it.
    ///
    /// # Errors
    ///
    /// [`MspError::InvalidTerminal`] if its class has none.
    pub(crate) fn end(&self) -> Result<TerminalEnd, MspError> {
        Ok(match &self.kind {
            Kind::Mouth(mouth) => TerminalEnd::PcmWriter(Arc::clone(mouth) as _),
            Kind::Ear(ear) => TerminalEnd::PcmReader(Arc::clone(ear) as _),
            Kind::Generator(generator) => TerminalEnd::Tones(Arc::clone(generator) as _),
            Kind::Detector(_, signals) => TerminalEnd::Signals(Arc::clone(signals) as _),
            Kind::RtpTap(tap) => TerminalEnd::RtpReader(Arc::clone(tap) as _),
            Kind::RtpInjector(injector) => TerminalEnd::RtpWriter(Arc::clone(injector) as _),
            _ => {
                let why = format!("{}: it has no end for the application", self.info.name);
                return Err(MspError::InvalidTerminal(why));
            }
        })
    }

    /// Notes how loud it is to be.
    ///
    /// # Errors
    ///
    /// [`MspError::OutOfRange`]; [`MspError::InvalidTerminal`] for what has no sound.
    pub(crate) fn change_volume(&self, change: VolumeChange) -> Result<(), MspError> {
        if matches!(self.kind, Kind::RtpTap(_) | Kind::RtpInjector(_)) {
            let why = format!("{}: packets have no volume", self.info.name);
            return Err(MspError::InvalidTerminal(why));
        }
        let mut volume = lock(&self.volume);
        match change {
            VolumeChange::GainDb(gain_db) if !Volume::GAIN_DB.contains(&gain_db) => {
                let (least, most) = (Volume::GAIN_DB.start(), Volume::GAIN_DB.end());
                let why = format!("a gain of {gain_db} dB; {least} to {most} dB is possible");
                return Err(MspError::OutOfRange(why));
            }
            VolumeChange::GainDb(gain_db) => volume.gain_db = gain_db,
            VolumeChange::Mute(mute) => volume.mute = mute,
        }
        Ok(())
    }

    /// How loud it is to be.
    pub(crate) fn volume(&self) -> Volume {
        *lock(&self.volume)
    }

    /// The same, as the engine has it for a stream of that direction.
    pub(crate) fn gain(&self, direction: Direction) -> Gain {
        let Volume { gain_db, mute } = self.volume();
        if self.faces_both_ways() && direction == Direction::Capture {
            Gain::UNITY
        } else if mute {
            Gain::MUTE
        } else {
            Gain::from_db(gain_db)
        }
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] if a recording is not complete.
    pub(crate) fn finish(&self) -> Result<(), MspError> {
        match &self.kind {
            Kind::Record(recording) => recording.finish(),
            Kind::Mouth(mouth) => {
                mouth.release();
                Ok(())
            }
            Kind::Ear(ear) => {
                ear.release();
                Ok(())
            }
            Kind::RtpTap(tap) => {
                tap.release();
                Ok(())
            }
            Kind::Plug(plug) | Kind::Detector(plug, _) => {
                plug.release();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What it has done so far.
    pub(crate) fn status(&self) -> TerminalStatus {
        let status = match &self.kind {
            Kind::Playback(playback) => playback.status(),
            Kind::Record(recording) => recording.status(),
            Kind::Tone(tone) => tone.status(),
            Kind::Echo(echo) => echo.status(),
            Kind::Conference(place) => place.status(),
            Kind::Mouth(mouth) => mouth.terminal_status(),
            Kind::Ear(ear) => ear.terminal_status(),
            Kind::Generator(generator) => generator.status(),
            Kind::Plug(plug) | Kind::Detector(plug, _) => plug.status(),
            Kind::RtpTap(_) | Kind::RtpInjector(_) => TerminalStatus::default(),
            Kind::Card(card) => card.status(),
        };
        TerminalStatus { volume: self.volume(), ..status }
    }
}

impl Context {
    /// Tells that the terminal failed. To be called without any lock.
    pub(crate) fn terminal_failed(&mut self) {
        self.reporter.terminal_failed(self.stream, self.terminal, offhook_spi::MspEventCause::BadDevice);
        self.reporter.take_news();
        self.reporter.raise();
    }
}
