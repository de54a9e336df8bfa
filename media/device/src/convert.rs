//! Between a card's rate and a seat's: the exact resampler where it has the pair, the asynchronous one for odd rates.
//! RT: no allocation, lock, syscall, log or panic (except in `new`).

use offhook_codecs::{AsyncResampler, Resampler, UnsupportedRate};

/// One of the two.
pub(crate) struct Converter {
    from: u32,
    to: u32,
    kind: Kind,
}

enum Kind {
    Exact(Resampler),
    Any(AsyncResampler),
}

impl Converter {
    pub(crate) fn new(from: u32, to: u32) -> Result<Self, UnsupportedRate> {
        let kind = match Resampler::new(from, to) {
            Ok(exact) => Kind::Exact(exact),
            Err(_) => Kind::Any(AsyncResampler::new(from, to)?),
        };
        Ok(Self { from, to, kind })
    }

    pub(crate) fn from(&self) -> u32 {
        self.from
    }

    pub(crate) fn to(&self) -> u32 {
        self.to
    }

    pub(crate) fn delay_ns(&self) -> u64 {
        match &self.kind {
            Kind::Exact(resampler) => resampler.delay_ns(),
            Kind::Any(resampler) => resampler.delay_ns(),
        }
    }

    pub(crate) fn output_len(&self, input: usize) -> usize {
        match &self.kind {
            Kind::Exact(resampler) => resampler.output_len(input),
            Kind::Any(resampler) => resampler.output_len(input),
        }
    }

    /// Samples produced; the output must have room for them all.
    pub(crate) fn process(&mut self, input: &[i16], output: &mut [i16]) -> usize {
        match &mut self.kind {
            Kind::Exact(resampler) => resampler.process(input, output).produced,
            Kind::Any(resampler) => resampler.process(input, output).produced,
        }
    }

    pub(crate) fn pull(&mut self, output: &mut [i16], source: impl FnMut(&mut [i16])) {
        match &mut self.kind {
            Kind::Exact(resampler) => resampler.pull(output, source),
            Kind::Any(resampler) => resampler.pull(output, source),
        }
    }
}
