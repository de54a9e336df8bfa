//! Sound cards by program, for tests: a cpal host whose cards are exact, break when told to, and come and go.
//!
//! ```text
//! World ─ plug, unplug, xrun, freeze ─▶ cards ─ host ─▶ offhook-device
//!   └─ advance (virtual time, thousands of times real time) or run (a thread in real time) ─▶ callbacks
//! ```
//!
//! In: what a test says. Out: callbacks at the times a card of that rate and drift would make them, what was played.
//! Not here: any sound card; nothing but tests may depend on this crate.

mod card;
mod host;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cpal::{Error, ErrorKind};

use card::{Card, Open};
pub use card::{CardSpec, Way};

/// The cards that there are, and the time.
#[derive(Clone)]
pub struct World(Arc<Mutex<Inner>>);

pub(crate) struct Inner {
    now_ns: u64,
    cards: Vec<Card>,
    default: [Option<String>; 2],
    opened: u64,
    next_stream: u64,
}

impl World {
    /// A world without cards at `now_ns` of the monotonic clock.
    pub fn at(now_ns: u64) -> World {
        let inner = Inner { now_ns, cards: Vec::new(), default: [None, None], opened: 0, next_stream: 0 };
        World(Arc::new(Mutex::new(inner)))
    }

    /// The host that shows these cards.
    pub fn host(&self) -> cpal::Host {
        cpal::platform::CustomHost::from_host(host::Host(self.clone())).into()
    }

    /// The time of this world, ns.
    pub fn now_ns(&self) -> u64 {
        self.lock().now_ns
    }

    /// Plugs a card in; it becomes the default of its directions if there was none.
    pub fn plug(&self, spec: CardSpec) {
        let mut inner = self.lock();
        inner.cards.retain(|card| card.spec.name != spec.name);
        for way in [Way::Capture, Way::Playback] {
            if spec.has(way) && inner.default_of(way).is_none() {
                inner.default[way as usize] = Some(spec.name.clone());
            }
        }
        inner.cards.push(Card::new(spec));
    }

    /// Pulls a card out: its streams end with an error.
    pub fn unplug(&self, name: &str) {
        let mut inner = self.lock();
        let Some(index) = inner.cards.iter().position(|card| card.spec.name == name) else { return };
        let card = inner.cards.remove(index);
        drop(inner);
        for mut open in card.streams {
            (open.error)(Error::new(ErrorKind::DeviceNotAvailable));
        }
    }

    /// Makes a card the default of a direction.
    pub fn set_default(&self, way: Way, name: &str) {
        self.lock().default[way as usize] = Some(name.to_owned());
    }

    /// From now on a card calls no more, without a word; or again.
    pub fn freeze(&self, name: &str, is_frozen: bool) {
        let now = self.now_ns();
        self.with_card(name, |card| {
            card.is_frozen = is_frozen;
            card.streams.iter_mut().for_each(|open| open.anchor(now));
        });
    }

    /// A card loses `frames` frames: its next callback comes that much later. The host does not say so.
    pub fn xrun(&self, name: &str, way: Way, frames: u64) {
        self.with_card(name, |card| {
            card.streams.iter_mut().filter(|open| open.way == way).for_each(|open| open.lose(frames));
        });
    }

    /// A card that breaks whenever it runs with periods shorter than this, in frames.
    pub fn set_least_period(&self, name: &str, frames: u32) {
        self.with_card(name, |card| card.least_period = frames);
    }

    /// Changes a card's clock by so many millionths from now on.
    pub fn set_drift(&self, name: &str, ppm: f64) {
        let now = self.now_ns();
        self.with_card(name, |card| {
            card.spec.drift_ppm = ppm;
            card.streams.iter_mut().for_each(|open| open.anchor(now));
        });
    }

    /// Streams that are open on a card.
    pub fn streams(&self, name: &str) -> usize {
        let mut count = 0;
        self.with_card(name, |card| count = card.streams.len());
        count
    }

    /// Streams that were ever opened.
    pub fn opened(&self) -> u64 {
        self.lock().opened
    }

    /// What a card has played so far, first channel, −1 to 1; it is forgotten.
    pub fn heard(&self, name: &str) -> Vec<f32> {
        let mut heard = Vec::new();
        self.with_card(name, |card| heard = std::mem::take(&mut card.heard));
        heard
    }

    /// Lets `ns` pass: every callback that is due is made, in order of time, on this thread.
    pub fn advance(&self, ns: u64) {
        let until = self.now_ns() + ns;
        self.advance_to(until);
    }

    fn advance_to(&self, until_ns: u64) {
        while let Some((name, mut open)) = self.take_due(until_ns) {
            let mut mouth = None;
            self.with_card(&name, |card| mouth = Some(std::mem::replace(&mut card.mouth, Box::new(|_| 0.0))));
            let heard = open.call(self.now_ns(), mouth.as_mut());
            let mut inner = self.lock();
            // A card that was unplugged meanwhile takes its streams with it.
            let Some(card) = inner.cards.iter_mut().find(|card| card.spec.name == name) else {
                drop(inner);
                (open.error)(Error::new(ErrorKind::DeviceNotAvailable));
                continue;
            };
            if let Some(mouth) = mouth {
                card.mouth = mouth;
            }
            card.heard.extend(heard);
            if !open.is_closed() {
                open.schedule(&card.spec, card.least_period);
                card.streams.push(open);
            }
        }
        self.lock().now_ns = until_ns;
    }

    /// Takes the stream that is due first out of its card, so that no lock is held while it is called.
    fn take_due(&self, until_ns: u64) -> Option<(String, Open)> {
        let mut inner = self.lock();
        let mut first: Option<(u64, usize, usize)> = None;
        for (at, card) in inner.cards.iter_mut().enumerate() {
            card.streams.retain(|open| !open.is_closed());
            if card.is_frozen {
                continue;
            }
            for (nth, open) in card.streams.iter().enumerate() {
                if let Some(due) = open.due_ns()
                    && due <= until_ns
                    && first.is_none_or(|(earliest, ..)| due < earliest)
                {
                    first = Some((due, at, nth));
                }
            }
        }
        let (due, at, nth) = first?;
        inner.now_ns = inner.now_ns.max(due);
        let card = inner.cards.get_mut(at)?;
        Some((card.spec.name.clone(), card.streams.swap_remove(nth)))
    }

    /// Runs in real time on a thread of its own until the answer is dropped. The world must have begun at
    /// [`monotonic_ns`].
    pub fn run(&self) -> Running {
        let (world, is_over) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Acquire) {
                world.advance_to(monotonic_ns());
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Running { is_over, thread: Some(thread) }
    }

    fn with_card(&self, name: &str, work: impl FnOnce(&mut Card)) {
        if let Some(card) = self.lock().cards.iter_mut().find(|card| card.spec.name == name) {
            work(card);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(crate) fn default_of(&self, way: Way) -> Option<String> {
        let named = self.default[way as usize].as_ref();
        let is_there = |card: &&Card| Some(&card.spec.name) == named;
        let there = self.cards.iter().find(is_there);
        there.or_else(|| self.cards.iter().find(|c| c.spec.has(way))).map(|card| card.spec.name.clone())
    }
}

/// A world that runs; it stops when this is dropped.
pub struct Running {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A callback that panicked has failed its test already.
            let _ = thread.join();
        }
    }
}

/// CLOCK_MONOTONIC, ns.
pub fn monotonic_ns() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
