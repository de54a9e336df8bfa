//! A terminal: where a stream's sound comes from or goes to.
//! In: a class and direction, or a sound card that is there. Out: [`Terminal`]s, which know on which streams they are
//! selected and what they have done.
//! Free → selected (an echo: on both streams of one call) → free … → released.
//! Not here: how a selection reaches the engine (`call.rs`); each kind has a file of its own.

mod bridge;
mod device;
mod echo;
mod file;
mod record;
mod tone;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use offhook_spi::mspi::{Direction, TerminalClass, TerminalInfo, TerminalStatus};
use offhook_spi::{MspCallId, MspError, StreamId, TerminalId, Timestamp};

pub(crate) use bridge::{microphone, speaker};
pub(crate) use device::CardTerminal;
pub(crate) use echo::EchoTerminal;
pub(crate) use file::Playback;
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
}

/// What it is.
pub(crate) enum Kind {
    Playback(Arc<Playback>),
    Record(Arc<Recording>),
    Tone(ToneTerminal),
    Echo(EchoTerminal),
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

/// What a node of the engine has done, for terminals that have no file to tell.
#[derive(Debug)]
pub(crate) struct Probe {
    first_ns: AtomicU64,
    samples: AtomicU64,
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
        Self { info, kind, selection: Mutex::default() }
    }

    /// Takes it for `place`.
    ///
    /// # Errors
    ///
    /// [`MspError::TerminalInUse`], or [`MspError::InvalidTerminal`] if it faces the other way or is there already.
    pub(crate) fn occupy(&self, place: Place) -> Result<(), MspError> {
        let is_echo = matches!(self.kind, Kind::Echo(_));
        let invalid = |why: &str| Err(MspError::InvalidTerminal(format!("{}: {why}", self.info.name)));
        let mut selection = lock(&self.selection);
        if selection.is_released {
            return invalid("released");
        }
        if self.info.direction != place.direction && !is_echo {
            return invalid("faces the other way than the stream");
        }
        if selection.places.iter().any(|other| other.stream == place.stream) {
            return invalid("selected on this stream already");
        }
        if selection.places.iter().any(|other| !is_echo || other.call != place.call) {
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

    /// Its node has left the engine of the call.
    pub(crate) fn detach(&self) {
        match &self.kind {
            Kind::Playback(playback) => playback.detach(),
            Kind::Record(recording) => recording.detach(),
            Kind::Card(card) => {
                card.end();
            }
            Kind::Echo(_) | Kind::Tone(_) => {}
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
            _ => Ok(()),
        }
    }

    /// What it has done so far.
    pub(crate) fn status(&self) -> TerminalStatus {
        match &self.kind {
            Kind::Playback(playback) => playback.status(),
            Kind::Record(recording) => recording.status(),
            Kind::Tone(tone) => tone.status(),
            Kind::Echo(echo) => echo.status(),
            Kind::Card(card) => card.status(),
        }
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

impl Probe {
    pub(crate) fn new() -> Self {
        Self { first_ns: AtomicU64::new(u64::MAX), samples: AtomicU64::new(0) }
    }

    /// A block passed. RT: no allocation, lock, syscall, log or panic.
    pub(crate) fn note(&self, at_ns: u64, samples: usize) {
        if samples > 0 {
            let _ = self.first_ns.compare_exchange(u64::MAX, at_ns, Ordering::Release, Ordering::Relaxed);
            self.samples.fetch_add(samples as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn status(&self, sample_rate: u32) -> TerminalStatus {
        let first_ns = self.first_ns.load(Ordering::Acquire);
        TerminalStatus {
            first_sample_at: (first_ns != u64::MAX).then_some(Timestamp(first_ns)),
            samples: self.samples.load(Ordering::Relaxed),
            sample_rate,
            ..TerminalStatus::default()
        }
    }
}
