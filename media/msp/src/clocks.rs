//! Who drives the two halves of one call's engine: the headless ticker or a sound card, each half for itself.
//! In: the halves, sound cards that come and go. Out: the halves, when the call ends.
//!
//! ```text
//! both on the ticker ⇄ one half on a card, the other on the ticker ⇄ both on cards
//! ```
//!
//! A half that a card drives lies in a cell: the callback takes it out, runs it and puts it back, by one atomic
//! exchange each; control takes it out for good in the same way. A card that has died in the middle of a call can
//! therefore never keep a half, however long its stream takes to close.
//! RT (`Driven`): no allocation, lock, syscall, log or panic.
//! Not here: which card (`terminal/device.rs`), what the halves do (`offhook-engine`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::atomic::AtomicCell;
use offhook_device::{DeviceError, Selector, Sound, SoundStream, StreamRequest, StreamStatus};
use offhook_engine::{AddError, Leg, RemoveError, RxProcessor, Ticker, TickerHandle, TxProcessor};

use crate::terminal::Probe;

/// How long a callback may hold a half before it is given up: many periods of any card.
const PATIENCE: Duration = Duration::from_millis(500);
/// A card that has not called for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(3);

/// The seats of both halves.
pub(crate) struct Clocks {
    sample_rate: u32,
    leg: Option<TickerHandle>,
    capture: Option<Card<TxProcessor>>,
    playback: Option<Card<RxProcessor>>,
    /// Halves between two seats.
    parked: Leg,
}

/// A half and the card that drives it.
struct Card<T> {
    cell: Driven<T>,
    status: Arc<StreamStatus>,
    callbacks: u64,
    heard: Instant,
    stream: SoundStream,
}

/// A half that callbacks run.
struct Driven<T>(Arc<Place<T>>);

struct Place<T> {
    half: AtomicCell<Option<Box<T>>>,
    /// Control wants it: callbacks leave it where it is.
    is_wanted: AtomicBool,
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
        let sample_rate = tx.sample_rate();
        let parked = Leg { tx: Some(tx), rx: Some(rx) };
        let mut clocks = Self { sample_rate, leg: None, capture: None, playback: None, parked };
        clocks.settle(ticker)?;
        Ok(clocks)
    }

    /// Moves the sending half to a card's capture callback. If that fails it stays where it is.
    pub(crate) fn capture_from(
        &mut self,
        ticker: &Ticker,
        sound: &Sound,
        selector: &Selector,
        probe: Arc<Probe>,
    ) -> Result<(), ClockError> {
        let request = StreamRequest::new(self.sample_rate);
        let cell = Driven::<TxProcessor>::empty();
        let status = Arc::new(StreamStatus::default());
        let driven = cell.share();
        let stream = sound.capture(selector, request, status.clone(), move |captured_ns, block| {
            driven.run(|tx| {
                probe.note(captured_ns, block.len());
                tx.process(captured_ns, block);
            });
        })?;
        self.lift()?;
        if let Some(tx) = self.parked.tx.take() {
            cell.put(tx);
        }
        self.capture = Some(Card::new(cell, status, stream));
        self.settle(ticker)
    }

    /// Moves the receiving half to a card's playback callback. If that fails it stays where it is.
    pub(crate) fn play_to(
        &mut self,
        ticker: &Ticker,
        sound: &Sound,
        selector: &Selector,
        probe: Arc<Probe>,
    ) -> Result<(), ClockError> {
        let request = StreamRequest::new(self.sample_rate);
        let cell = Driven::<RxProcessor>::empty();
        let status = Arc::new(StreamStatus::default());
        let driven = cell.share();
        let stream = sound.playback(selector, request, status.clone(), move |now_ns, block| {
            let ran = driven.run(|rx| {
                rx.process(now_ns, block);
                probe.note(now_ns, block.len());
            });
            if !ran {
                block.fill(0);
            }
        })?;
        self.lift()?;
        if let Some(rx) = self.parked.rx.take() {
            cell.put(rx);
        }
        self.playback = Some(Card::new(cell, status, stream));
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
        self.capture.as_mut()?.failure()
    }

    /// Why the playing card has died, if it has.
    pub(crate) fn playback_failure(&mut self) -> Option<String> {
        self.playback.as_mut()?.failure()
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
    fn new(cell: Driven<T>, status: Arc<StreamStatus>, stream: SoundStream) -> Self {
        Self { cell, status, callbacks: 0, heard: Instant::now(), stream }
    }

    /// The half; the stream is closed afterwards.
    fn take(self) -> Result<T, ClockError> {
        match self.cell.take() {
            Some(half) => Ok(*half),
            None => Err(ClockError::Stuck(self.stream.device_name().to_owned())),
        }
    }

    fn failure(&mut self) -> Option<String> {
        let snapshot = self.status.snapshot();
        if snapshot.callbacks != self.callbacks {
            (self.callbacks, self.heard) = (snapshot.callbacks, Instant::now());
        }
        let silent = (self.heard.elapsed() > SILENCE).then(|| "no sound for three seconds".to_owned());
        let why = snapshot.failed.or(silent)?;
        Some(format!("sound device {:?}: {why}", self.stream.device_name()))
    }
}

impl<T> Driven<T> {
    fn empty() -> Self {
        Self(Arc::new(Place { half: AtomicCell::new(None), is_wanted: AtomicBool::new(false) }))
    }

    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Runs the half if it is here; whether it was.
    fn run(&self, work: impl FnOnce(&mut T)) -> bool {
        if self.0.is_wanted.load(Ordering::Acquire) {
            return false;
        }
        let Some(mut half) = self.0.half.take() else { return false };
        work(&mut half);
        // Nobody puts another in while this one is out: the old content is `None`, and dropping it is nothing.
        self.0.half.store(Some(half));
        true
    }

    fn put(&self, half: T) {
        self.0.half.store(Some(Box::new(half)));
    }

    /// Takes it out between two callbacks.
    fn take(&self) -> Option<Box<T>> {
        let give_up = Instant::now() + PATIENCE;
        self.0.is_wanted.store(true, Ordering::Release);
        loop {
            if let Some(half) = self.0.half.take() {
                return Some(half);
            }
            if Instant::now() >= give_up {
                return None;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_of_a_half_is_lock_free() {
        assert!(AtomicCell::<Option<Box<TxProcessor>>>::is_lock_free());
    }

    #[test]
    fn a_half_is_taken_out_between_two_callbacks_and_the_next_one_finds_nothing() {
        let cell = Driven::<u64>::empty();
        let shared = cell.share();
        assert!(!shared.run(|_| ()));
        cell.put(0);
        let callbacks = std::thread::spawn(move || {
            while shared.run(|n| {
                *n += 1;
                std::thread::sleep(Duration::from_millis(1));
            }) {}
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(cell.take().is_some_and(|n| *n > 0));
        assert!(callbacks.join().is_ok());
        assert!(cell.take().is_none());
    }
}
