//! The application's own sound: what it writes the peer hears, what the peer says it reads (TAPI's media streaming
//! terminal).
//! In: a rate and a room. Out: sources and sinks for the engine, ends for the application that outlive each selection.
//!
//! A source that was given to the engine cannot be had back, so each selection has a ring of its own. What the
//! application had written before a selection is heard after it; what was heard before an unselection can be read after
//! it.
//! Not here: the rings and what happens when one end stalls (`offhook_engine::pcm_source`, `pcm_sink`).

use std::sync::{Arc, Mutex};

use offhook_codecs::resample::RATES;
use offhook_engine::{PcmConfig, Sink, Source, pcm_sink, pcm_source};
use offhook_spi::mspi::TerminalStatus;
use offhook_spi::terminal::{PcmBlock, PcmReader, PcmReaderStatus, PcmWriter, PcmWriterStatus};
use offhook_spi::{MspError, Timestamp};

use super::{Probe, probed_sink, probed_source};
use crate::lock;

/// Milliseconds of sound that may be asked to wait.
const CAPACITY_MS: std::ops::RangeInclusive<u32> = 20..=10_000;

/// What the peer hears.
pub(crate) struct PcmMouth {
    config: PcmConfig,
    probe: Arc<Probe>,
    state: Mutex<Mouth>,
}

struct Mouth {
    writer: offhook_engine::PcmWriter,
    /// For the next selection.
    source: Option<Box<dyn Source>>,
    /// Of selections before this one.
    earlier: PcmWriterStatus,
}

/// What hears the peer.
pub(crate) struct PcmEar {
    config: PcmConfig,
    probe: Arc<Probe>,
    state: Mutex<Ear>,
}

#[derive(Default)]
struct Ear {
    reader: Option<offhook_engine::PcmReader>,
    /// Of the selection before this one, until it is read empty.
    leftover: Option<offhook_engine::PcmReader>,
    /// Of readers that are gone.
    earlier: PcmReaderStatus,
    is_released: bool,
}

/// Checks what an application asks for.
///
/// # Errors
///
/// [`MspError::OutOfRange`].
pub(crate) fn config(
    sample_rate: Option<u32>,
    capacity_ms: u32,
    engine_rate: u32,
) -> Result<PcmConfig, MspError> {
    let rate = sample_rate.unwrap_or(engine_rate);
    if rate != engine_rate && !RATES.contains(&rate) {
        let why = format!("sound of {rate} Hz cannot be resampled; {RATES:?} Hz can");
        return Err(MspError::OutOfRange(why));
    }
    if !CAPACITY_MS.contains(&capacity_ms) {
        let why = format!("room for {capacity_ms} ms of sound; 20 to 10000 ms is possible");
        return Err(MspError::OutOfRange(why));
    }
    let capacity = (u64::from(rate) * u64::from(capacity_ms) / 1_000) as usize;
    Ok(PcmConfig { sample_rate: rate, engine_rate, capacity })
}

impl PcmMouth {
    pub(crate) fn new(config: PcmConfig) -> Result<Self, MspError> {
        let (writer, source) = pcm_source(config).map_err(refused)?;
        let state = Mouth { writer, source: Some(source), earlier: PcmWriterStatus::default() };
        Ok(Self { config, probe: Arc::new(Probe::new()), state: Mutex::new(state) })
    }

    /// The engine's end for a selection.
    pub(crate) fn source(&self) -> Result<Box<dyn Source>, MspError> {
        let mut state = lock(&self.state);
        let source = match state.source.take() {
            Some(source) => source,
            None => self.renew(&mut state)?,
        };
        Ok(probed_source(source, &self.probe))
    }

    /// The engine's end has gone: what is written from now on waits for the next selection.
    pub(crate) fn detach(&self) {
        let mut state = lock(&self.state);
        match self.renew(&mut state) {
            Ok(source) => state.source = Some(source),
            // The same rates were possible when it was made.
            Err(error) => tracing::error!(%error, "no sound of the application's"),
        }
    }

    pub(crate) fn release(&self) {
        lock(&self.state).earlier.is_released = true;
    }

    pub(crate) fn terminal_status(&self) -> TerminalStatus {
        self.probe.status(self.config.engine_rate)
    }

    fn renew(&self, state: &mut Mouth) -> Result<Box<dyn Source>, MspError> {
        let (writer, source) = pcm_source(self.config).map_err(refused)?;
        state.earlier = state.status(self.config.sample_rate);
        state.writer = writer;
        Ok(source)
    }
}

impl Mouth {
    fn status(&self, sample_rate: u32) -> PcmWriterStatus {
        let (earlier, now) = (&self.earlier, self.writer.meters());
        let position = now.position.map(|(sample, at)| (earlier.written + sample, Timestamp(at)));
        PcmWriterStatus {
            sample_rate,
            written: earlier.written + now.written,
            refused: earlier.refused + now.refused,
            taken: earlier.taken + now.taken,
            waiting: now.occupied,
            capacity: self.writer.capacity(),
            underruns: earlier.underruns + now.underruns,
            underrun_samples: earlier.underrun_samples + now.underrun_samples,
            position: position.or(earlier.position),
            is_released: earlier.is_released,
        }
    }
}

impl PcmWriter for PcmMouth {
    fn write(&self, samples: &[i16]) -> usize {
        let mut state = lock(&self.state);
        if state.earlier.is_released { 0 } else { state.writer.write(samples) }
    }

    fn status(&self) -> PcmWriterStatus {
        lock(&self.state).status(self.config.sample_rate)
    }
}

impl PcmEar {
    pub(crate) fn new(config: PcmConfig) -> Self {
        Self { config, probe: Arc::new(Probe::new()), state: Mutex::default() }
    }

    /// The engine's end for a selection.
    pub(crate) fn sink(&self) -> Result<Box<dyn Sink>, MspError> {
        let (reader, sink) = pcm_sink(self.config).map_err(refused)?;
        let mut state = lock(&self.state);
        if let Some(old) = state.reader.replace(reader)
            && let Some(older) = state.leftover.replace(old)
        {
            state.forget(&older);
        }
        Ok(probed_sink(sink, &self.probe))
    }

    pub(crate) fn release(&self) {
        lock(&self.state).is_released = true;
    }

    pub(crate) fn terminal_status(&self) -> TerminalStatus {
        self.probe.status(self.config.engine_rate)
    }
}

impl Ear {
    /// A reader goes, with what nobody has read.
    fn forget(&mut self, reader: &offhook_engine::PcmReader) {
        let meters = reader.meters();
        self.earlier.heard += meters.heard;
        self.earlier.overruns += meters.overruns + u64::from(meters.occupied > 0);
        self.earlier.overrun_samples += meters.overrun_samples + meters.occupied as u64;
    }
}

impl PcmReader for PcmEar {
    fn read(&self, out: &mut [i16]) -> Option<PcmBlock> {
        let mut state = lock(&self.state);
        let block = match state.leftover.as_mut().and_then(|old| old.read(out)) {
            Some(block) => block,
            None => {
                if let Some(old) = state.leftover.take_if(|_| !out.is_empty()) {
                    state.forget(&old);
                }
                state.reader.as_mut()?.read(out)?
            }
        };
        Some(PcmBlock { at: Timestamp(block.at_ns), samples: block.samples })
    }

    fn status(&self) -> PcmReaderStatus {
        let state = lock(&self.state);
        let mut status = PcmReaderStatus {
            sample_rate: self.config.sample_rate,
            capacity: self.config.capacity,
            is_released: state.is_released,
            ..state.earlier
        };
        for meters in [&state.leftover, &state.reader].into_iter().flatten().map(|reader| reader.meters()) {
            status.heard += meters.heard;
            status.waiting += meters.occupied;
            status.overruns += meters.overruns;
            status.overrun_samples += meters.overrun_samples;
        }
        status
    }
}

fn refused(why: impl ToString) -> MspError {
    MspError::OutOfRange(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: u32) -> PcmConfig {
        config(None, 40, rate).unwrap()
    }

    #[test]
    fn what_was_written_before_a_selection_is_heard_after_it_and_counts_go_on_over_selections() {
        let mouth = PcmMouth::new(at(8_000)).unwrap();
        assert_eq!((mouth.write(&[7; 300]), mouth.write(&[9; 100])), (300, 20));
        let mut source = mouth.source().unwrap();
        let mut out = [0; 160];
        // It begins with a ramp.
        assert_eq!((source.fill(1_000, &mut out), out[100], out[159]), (160, 7, 7));
        drop(source);
        mouth.detach();
        assert_eq!(mouth.write(&[5; 80]), 80);
        let mut source = mouth.source().unwrap();
        source.fill(2_000, &mut out);
        assert_eq!(out[70], 5);
        let status = PcmWriter::status(&mouth);
        assert_eq!((status.written, status.refused, status.taken, status.waiting), (400, 80, 240, 0));
        assert_eq!(status.position, Some((320, Timestamp(2_000))));
        mouth.release();
        assert_eq!((mouth.write(&[1]), PcmWriter::status(&mouth).is_released), (0, true));
    }

    #[test]
    fn what_was_heard_before_an_unselection_is_read_after_it_and_before_what_came_later() {
        let ear = PcmEar::new(at(8_000));
        let mut out = [0; 500];
        assert_eq!(ear.read(&mut out), None);
        for n in 1..=3u64 {
            let mut sink = ear.sink().unwrap();
            sink.write(n * 1_000, &[n as i16; 80]);
        }
        let read: Vec<_> =
            std::iter::from_fn(|| ear.read(&mut out).map(|block| (block.at.0, block.samples))).collect();
        assert_eq!(read, [(2_000, 80), (3_000, 80)]);
        let status = PcmReader::status(&ear);
        assert_eq!((status.heard, status.waiting, status.overruns, status.overrun_samples), (240, 0, 1, 80));
    }

    #[test]
    fn rates_and_rooms_that_cannot_be_are_refused() {
        for (rate, room) in [(Some(0), 100), (Some(12_345), 100), (None, 19), (None, 10_001)] {
            assert!(matches!(config(rate, room, 8_000), Err(MspError::OutOfRange(_))), "{rate:?} {room}");
        }
        assert_eq!(config(Some(48_000), 100, 8_000).unwrap().capacity, 4_800);
    }
}
