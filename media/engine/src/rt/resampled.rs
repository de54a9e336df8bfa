//! Nodes of another rate than the engine's: a resampler before a sink, after a source.
//! In and out: blocks at the engine's rate on one side, at the node's own on the other.
//! Not here: the filter (`offhook_codecs::resample`), clocks that drift (the playout, the device).
//! RT: no allocation, lock, syscall, log or panic. (The constructors allocate and are called by control.)

use offhook_codecs::{Resampler, UnsupportedRate};

use crate::config::samples_to_ns;
use crate::rt::node::{Sink, Source};

/// Samples resampled at once.
const PIECE: usize = 480;

/// A source of another rate.
pub struct ResampledSource {
    inner: Box<dyn Source>,
    resampler: Resampler,
}

/// A sink of another rate.
pub struct ResampledSink {
    inner: Box<dyn Sink>,
    resampler: Resampler,
    block: Box<[i16]>,
}

impl ResampledSource {
    /// `inner`, which gives samples at `rate` Hz, for an engine of `engine_rate` Hz. Equal rates give `inner` itself.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for rates that [`offhook_codecs::resample::RATES`] does not list.
    pub fn wrap(
        inner: Box<dyn Source>,
        rate: u32,
        engine_rate: u32,
    ) -> Result<Box<dyn Source>, UnsupportedRate> {
        if rate == engine_rate {
            return Ok(inner);
        }
        let resampler = Resampler::new(rate, engine_rate)?;
        Ok(Box::new(ResampledSource { inner, resampler }))
    }
}

impl Source for ResampledSource {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        let (inner, rate) = (&mut self.inner, self.resampler.input_rate());
        let mut asked = 0;
        self.resampler.pull(out, |input| {
            let at_ns = captured_ns.saturating_add(samples_to_ns(asked, rate));
            let filled = inner.fill(at_ns, input);
            input.get_mut(filled..).unwrap_or_default().fill(0);
            asked += input.len();
        });
        out.len()
    }
}

impl ResampledSink {
    /// `inner`, which takes samples at `rate` Hz, for an engine of `engine_rate` Hz. Equal rates give `inner` itself.
    ///
    /// # Errors
    ///
    /// [`UnsupportedRate`] for rates that [`offhook_codecs::resample::RATES`] does not list.
    pub fn wrap(inner: Box<dyn Sink>, rate: u32, engine_rate: u32) -> Result<Box<dyn Sink>, UnsupportedRate> {
        if rate == engine_rate {
            return Ok(inner);
        }
        let resampler = Resampler::new(engine_rate, rate)?;
        let block = vec![0; resampler.output_len(PIECE) + 1].into();
        Ok(Box::new(ResampledSink { inner, resampler, block }))
    }
}

impl Sink for ResampledSink {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        let (rate, delay_ns) = (self.resampler.input_rate(), self.resampler.delay_ns());
        for (n, piece) in block.chunks(PIECE).enumerate() {
            // What comes out now was heard a filter's delay before what goes in.
            let at_ns = played_ns.saturating_add(samples_to_ns(n * PIECE, rate)).saturating_sub(delay_ns);
            let done = self.resampler.process(piece, &mut self.block);
            self.inner.write(at_ns, self.block.get(..done.produced).unwrap_or_default());
        }
    }
}
