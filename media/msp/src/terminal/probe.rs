//! What a node of the engine has done, for terminals that have no file to tell.
//! In: blocks as they pass. Out: when the first came, how many samples, how loud.
//! RT (`note`, `hear`, the nodes): no allocation, lock, syscall, log or panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use offhook_codecs::{Level, LevelMeter};
use offhook_engine::{Sink, Source};
use offhook_spi::Timestamp;
use offhook_spi::mspi::TerminalStatus;

/// Written by one node, read anywhere.
#[derive(Debug)]
pub(crate) struct Probe {
    first_ns: AtomicU64,
    samples: AtomicU64,
    rms: AtomicU32,
    peak: AtomicU32,
}

/// Measures what passes a card, which is no node with a meter of the engine's.
pub(crate) struct CardMeter {
    probe: Arc<Probe>,
    level: LevelMeter,
    /// Samples of a tenth of a second; those so far.
    every: usize,
    count: usize,
}

impl Probe {
    pub(crate) fn new() -> Self {
        let (rms, peak) = bits(Level::SILENCE);
        Self { first_ns: AtomicU64::new(u64::MAX), samples: AtomicU64::new(0), rms, peak }
    }

    /// A block passed.
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

    /// What a [`CardMeter`] measured last.
    pub(crate) fn level(&self) -> Level {
        let read = |word: &AtomicU32| f32::from_bits(word.load(Ordering::Relaxed));
        Level { rms_dbfs: read(&self.rms), peak_dbfs: read(&self.peak) }
    }
}

fn bits(level: Level) -> (AtomicU32, AtomicU32) {
    (AtomicU32::new(level.rms_dbfs.to_bits()), AtomicU32::new(level.peak_dbfs.to_bits()))
}

impl CardMeter {
    pub(crate) fn new(probe: Arc<Probe>, sample_rate: u32) -> Self {
        let every = (sample_rate as usize / 10).max(1);
        Self { probe, level: LevelMeter::new(), every, count: 0 }
    }

    /// A block passed.
    pub(crate) fn hear(&mut self, at_ns: u64, block: &[i16]) {
        self.probe.note(at_ns, block.len());
        self.level.push(block);
        self.count += block.len();
        if self.count >= self.every {
            self.count = 0;
            let level = self.level.take();
            self.probe.rms.store(level.rms_dbfs.to_bits(), Ordering::Relaxed);
            self.probe.peak.store(level.peak_dbfs.to_bits(), Ordering::Relaxed);
        }
    }
}

struct Probed<T: ?Sized> {
    probe: Arc<Probe>,
    node: Box<T>,
}

/// The same source, watched.
pub(crate) fn probed_source(node: Box<dyn Source>, probe: &Arc<Probe>) -> Box<dyn Source> {
    Box::new(Probed { probe: Arc::clone(probe), node })
}

/// The same sink, watched.
pub(crate) fn probed_sink(node: Box<dyn Sink>, probe: &Arc<Probe>) -> Box<dyn Sink> {
    Box::new(Probed { probe: Arc::clone(probe), node })
}

impl Source for Probed<dyn Source> {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        self.probe.note(captured_ns, out.len());
        self.node.fill(captured_ns, out)
    }
}

impl Sink for Probed<dyn Sink> {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        self.probe.note(played_ns, block.len());
        self.node.write(played_ns, block);
    }
}
