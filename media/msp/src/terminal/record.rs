//! Records what the call hears into a WAV file: 16 bits, mono, at the call's rate.
//! In: samples in a ring (the engine's `Recorder`), pumps of the disk's thread. Out: a file whose header is right at
//! least once a second, a status, one failure.
//! Writing → failed (disk full …: the call goes on, samples are dropped) or complete.
//! Not here: the real-time end of the ring (`offhook-engine`), who pumps (`service.rs`).

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hound::{SampleFormat, WavSpec, WavWriter};
use offhook_engine::{Recorder, Sink};
use offhook_spi::mspi::TerminalStatus;
use offhook_spi::{MspError, Timestamp};

use super::Context;
use crate::lock;
use crate::service::Served;

/// Seconds of sound that wait while the disk stalls.
const RING_SECONDS: usize = 2;
/// How often the header is brought up to date.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The length of a WAV file is 32 bits: octets of samples, with room for the header.
const MOST_OCTETS: u64 = u32::MAX as u64 - 1_024;

/// A recording.
pub(crate) struct Recording {
    path: PathBuf,
    sample_rate: u32,
    state: Mutex<State>,
}

struct State {
    file: Option<WavWriter<BufWriter<File>>>,
    recorder: Option<Recorder>,
    /// Samples of selections before this one.
    earlier: u64,
    first_sample_at: Option<Timestamp>,
    written: u64,
    flushed: Instant,
    failed: Option<String>,
    context: Option<Context>,
}

impl Recording {
    /// Creates the file, replacing an old one.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] naming the file.
    pub(crate) fn create(path: PathBuf, sample_rate: u32) -> Result<Self, MspError> {
        let spec =
            WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        // A pipe without a reader would be waited for here, and could not be given its header in the end.
        #[cfg(unix)]
        if std::fs::metadata(&path)
            .is_ok_and(|about| std::os::unix::fs::FileTypeExt::is_fifo(&about.file_type()))
        {
            return Err(MspError::Resource(format!("{}: a pipe cannot be recorded into", path.display())));
        }
        let file = File::create(&path)
            .map_err(hound::Error::from)
            .and_then(|file| WavWriter::new(BufWriter::new(file), spec))
            .map_err(|why| MspError::Resource(told(&path, &why)))?;
        let state = State {
            file: Some(file),
            recorder: None,
            earlier: 0,
            first_sample_at: None,
            written: 0,
            flushed: Instant::now(),
            failed: None,
            context: None,
        };
        Ok(Self { path, sample_rate, state: Mutex::new(state) })
    }

    /// What hears the peer; `context` is told of a failure.
    pub(crate) fn sink(&self, context: Context) -> Box<dyn Sink> {
        let (recorder, sink) = Recorder::new(self.sample_rate as usize * RING_SECONDS);
        let mut state = lock(&self.state);
        state.recorder = Some(recorder);
        state.context = Some(context);
        Box::new(sink)
    }

    /// The sink was never given to an engine.
    pub(crate) fn abandon(&self) {
        let mut state = lock(&self.state);
        (state.recorder, state.context) = (None, None);
    }

    /// The sink has left the engine: everything that it heard goes into the file, and the header with it. To be called without
    /// any lock.
    pub(crate) fn detach(&self) {
        if let Some(mut context) = self.drain(true) {
            context.terminal_failed();
        }
        let mut state = lock(&self.state);
        if let Some(recorder) = state.recorder.take() {
            let meters = recorder.meters();
            state.earlier += meters.samples;
            if meters.overflow_samples > 0 {
                let (path, lost) = (self.path.display(), meters.overflow_samples);
                tracing::warn!(%path, lost, "the disk was too slow: samples of a recording are silence");
            }
        }
        state.context = None;
    }

    /// Completes the file.
    ///
    /// # Errors
    ///
    /// [`MspError::Resource`] naming the file and the first failure.
    pub(crate) fn finish(&self) -> Result<(), MspError> {
        self.detach();
        let mut state = lock(&self.state);
        if let Some(file) = state.file.take()
            && let Err(why) = file.finalize()
        {
            state.failed.get_or_insert(told(&self.path, &why));
        }
        match &state.failed {
            Some(why) => Err(MspError::Resource(why.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn status(&self) -> TerminalStatus {
        let state = lock(&self.state);
        let now = state.recorder.as_ref().map(Recorder::meters);
        let began = now.and_then(|meters| meters.first_sample_ns).map(Timestamp);
        TerminalStatus {
            first_sample_at: state.first_sample_at.or(began),
            samples: state.earlier + now.map_or(0, |meters| meters.samples),
            sample_rate: self.sample_rate,
            finished: false,
            failed: state.failed.clone(),
            ..TerminalStatus::default()
        }
    }

    /// Takes everything out of the ring and into the file; the context that is to hear of a new failure.
    fn drain(&self, flush: bool) -> Option<Context> {
        let mut guard = lock(&self.state);
        let State { file, recorder, first_sample_at, written, flushed, failed, .. } = &mut *guard;
        if let Some(recorder) = recorder {
            recorder.drain(&mut |samples| {
                let Some(file) = file.as_mut().filter(|_| failed.is_none()) else { return };
                *written += samples.len() as u64 * 2;
                if *written > MOST_OCTETS {
                    *failed =
                        Some(format!("{}: a WAV file cannot be longer than 4 GiB", self.path.display()));
                } else if let Err(why) = samples.iter().try_for_each(|sample| file.write_sample(*sample)) {
                    *failed = Some(told(&self.path, &why));
                }
            });
            *first_sample_at = first_sample_at.or(recorder.meters().first_sample_ns.map(Timestamp));
        }
        if let Some(file) = file.as_mut().filter(|_| failed.is_none())
            && (flush || flushed.elapsed() >= FLUSH_EVERY)
        {
            *flushed = Instant::now();
            if let Err(why) = file.flush() {
                *failed = Some(told(&self.path, &why));
            }
        }
        if failed.is_some() && file.take().is_some() {
            tracing::warn!(why = failed.as_deref().unwrap_or_default(), "a recording failed");
            return guard.context.clone();
        }
        None
    }
}

impl Served for Recording {
    fn turn(&self) {
        if let Some(mut context) = self.drain(false) {
            context.terminal_failed();
        }
    }
}

fn told(path: &Path, why: &hound::Error) -> String {
    format!("{}: {why}", path.display())
}
