//! Who drives the two halves of one call's engine: the headless ticker or a sound card, each half for itself.
//! In: the halves, sound cards that come and go. Out: the halves, when the call ends.
//!
//! ```text
//! both on the ticker ⇄ one half on a card, the other on the ticker ⇄ both on cards
//! ```
//!
//! A half that a card drives lies in a cell from which control takes it back at any time ([`Driven`]): a card that has
//! died in the middle of a call can never keep a half, however long its stream takes to close. A card may drive the
//! halves of many calls.
//! Not here: which card (`terminal/device.rs`), what the halves do (`offhook-engine`), further cards of a stream, which
//! clock nothing (`terminal/bridge.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_device::{DeviceError, Selector, Sound, SoundStream, StreamRequest};
use offhook_engine::{AddError, Driven, Leg, RemoveError, RxProcessor, Ticker, TickerHandle, TxProcessor};

use crate::terminal::{CardMeter, Probe};

/// How long a callback may hold a half before it is given up: many periods of any card.
const PATIENCE: Duration = Duration::from_millis(500);
/// A card that has not called for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(3);

/// The seats of both halves.
pub(crate) struct Clocks {
    leg: Option<TickerHandle>,
    capture: Option<Card<TxProcessor>>,
    playback: Option<Card<RxProcessor>>,
    /// Halves between two seats.
    parked: Leg,
}

/// A half and the card that drives it.
struct Card<T> {
    cell: Driven<T>,
    watched: Watched,
}

/// Which card, and how.
pub(crate) struct Wanted<'a> {
    pub(crate) selector: &'a Selector,
    pub(crate) request: StreamRequest,
    /// How long it may take to run before it is believed; `None` believes it, and takes it for dead later if need be.
    pub(crate) patience: Option<Duration>,
}

impl Wanted<'_> {
    pub(crate) fn check(&self, stream: &SoundStream) -> Result<(), DeviceError> {
        self.patience.map_or(Ok(()), |patience| stream.wait_for_life(patience))
    }
}

/// A card's stream that is watched for signs of life.
pub(crate) struct Watched {
    pub(crate) stream: SoundStream,
    callbacks: u64,
    heard: Instant,
}

/// Why a half has no seat: the call has no sound in that direction any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClockError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Remove(#[from] RemoveError),
    #[error("{0}")]
    Add(String),
    #[error("sound device {0:?} does not give the call back")]
    Stuck(String),
}

impl Clocks {
    /// Seats both halves on the ticker.
    pub(crate) fn new(ticker: &Ticker, tx: TxProcessor, rx: RxProcessor) -> Result<Self, ClockError> {
        let parked = Leg { tx: Some(tx), rx: Some(rx) };
        let mut clocks = Self { leg: None, capture: None, playback: None, parked };
        clocks.settle(ticker)?;
        Ok(clocks)
    }

    /// Moves the sending half to a card's capture callback. If that fails it stays where it is.
    pub(crate) fn capture_from(
        &mut self,
        ticker: &Ticker,
        sound: &Sound,
        wanted: &Wanted<'_>,
        probe: Arc<Probe>,
    ) -> Result<(), ClockError> {
        let cell = Driven::<TxProcessor>::empty();
        let driven = cell.share();
        let mut meter = CardMeter::new(probe, wanted.request.sample_rate);
        let stream = sound.capture(wanted.selector, wanted.request, move |captured_ns, block| {
            driven.run(|tx| {
                meter.hear(captured_ns, block);
                tx.process(captured_ns, block);
            });
        })?;
        wanted.check(&stream)?;
        self.lift()?;
        if let Some(tx) = self.parked.tx.take() {
            cell.put(tx);
        }
        stream.set_gain(1.0);
        self.capture = Some(Card::new(cell, stream));
        self.settle(ticker)
    }

    /// Moves the receiving half to a card's playback callback. If that fails it stays where it is.
    pub(crate) fn play_to(
        &mut self,
        ticker: &Ticker,
        sound: &Sound,
        wanted: &Wanted<'_>,
        probe: Arc<Probe>,
    ) -> Result<(), ClockError> {
        let cell = Driven::<RxProcessor>::empty();
        let driven = cell.share();
        let mut meter = CardMeter::new(probe, wanted.request.sample_rate);
        let stream = sound.playback(wanted.selector, wanted.request, move |now_ns, block| {
            let ran = driven.run(|rx| {
                rx.process(now_ns, block);
                meter.hear(now_ns, block);
            });
            if !ran {
                block.fill(0);
            }
        })?;
        wanted.check(&stream)?;
        self.lift()?;
        if let Some(rx) = self.parked.rx.take() {
            cell.put(rx);
        }
        stream.set_gain(1.0);
        self.playback = Some(Card::new(cell, stream));
        self.settle(ticker)
    }

    /// Moves the sending half back to the ticker.
    pub(crate) fn leave_capture(&mut self, ticker: &Ticker) -> Result<(), ClockError> {
        let Some(card) = self.capture.take() else { return Ok(()) };
        self.lift()?;
        self.parked.tx = Some(card.take()?);
        self.settle(ticker)
    }

    /// Moves the receiving half back to the ticker.
    pub(crate) fn leave_playback(&mut self, ticker: &Ticker) -> Result<(), ClockError> {
        let Some(card) = self.playback.take() else { return Ok(()) };
        self.lift()?;
        self.parked.rx = Some(card.take()?);
        self.settle(ticker)
    }

    /// Why the capturing card has died, if it has.
    pub(crate) fn capture_failure(&mut self) -> Option<String> {
        self.capture.as_mut()?.watched.failure()
    }

    /// Why the playing card has died, if it has.
    pub(crate) fn playback_failure(&mut self) -> Option<String> {
        self.playback.as_mut()?.watched.failure()
    }

    /// The capturing card's stream.
    pub(crate) fn capture_card(&self) -> Option<&SoundStream> {
        self.capture.as_ref().map(|card| &card.watched.stream)
    }

    /// The playing card's stream.
    pub(crate) fn playback_card(&self) -> Option<&SoundStream> {
        self.playback.as_ref().map(|card| &card.watched.stream)
    }

    /// Takes both halves away from everything and drops them: nothing runs any more, the ports are free.
    pub(crate) fn end(&mut self) {
        if let Err(error) = self.lift() {
            tracing::warn!(%error, "a call ends late");
        }
        for result in [
            self.capture.take().map(|card| card.take().map(drop)),
            self.playback.take().map(|card| card.take().map(drop)),
        ] {
            if let Some(Err(error)) = result {
                tracing::warn!(%error, "a call ends late");
            }
        }
        self.parked = Leg::default();
    }

    fn lift(&mut self) -> Result<(), ClockError> {
        let Some(handle) = self.leg.take() else { return Ok(()) };
        let Leg { tx, rx } = handle.remove()?;
        self.parked.tx = tx.or(self.parked.tx.take());
        self.parked.rx = rx.or(self.parked.rx.take());
        Ok(())
    }

    fn settle(&mut self, ticker: &Ticker) -> Result<(), ClockError> {
        let Leg { tx, rx } = std::mem::take(&mut self.parked);
        if tx.is_none() && rx.is_none() {
            return Ok(());
        }
        match ticker.add(tx, rx) {
            Ok(handle) => {
                self.leg = Some(handle);
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                let (AddError::TooMany { leg, .. } | AddError::Stalled(leg)) = error;
                self.parked = *leg;
                Err(ClockError::Add(why))
            }
        }
    }
}

impl<T> Card<T> {
    fn new(cell: Driven<T>, stream: SoundStream) -> Self {
        Self { cell, watched: Watched::new(stream) }
    }

    /// The half; the stream is closed afterwards.
    fn take(self) -> Result<T, ClockError> {
        self.watched.stream.fade_out();
        match self.cell.take(PATIENCE) {
            Some(half) => Ok(*half),
            None => Err(ClockError::Stuck(self.watched.stream.device_name().to_owned())),
        }
    }
}

impl Watched {
    pub(crate) fn new(stream: SoundStream) -> Self {
        Self { stream, callbacks: 0, heard: Instant::now() }
    }

    /// Why it has died, if it has.
    pub(crate) fn failure(&mut self) -> Option<String> {
        let snapshot = self.stream.status();
        if snapshot.callbacks != self.callbacks {
            (self.callbacks, self.heard) = (snapshot.callbacks, Instant::now());
        }
        let silent = (self.heard.elapsed() > SILENCE).then(|| "no sound for three seconds".to_owned());
        let why = snapshot.failed.or(silent)?;
        Some(format!("sound device {:?}: {why}", self.stream.device_name()))
    }
}
