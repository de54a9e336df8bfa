//! A stream's second card and every further one: it does not clock the half, so its clock and the half's drift apart,
//! and a bridge with an asynchronous resampler stands between them.
//! In: a card. Out: a source or a sink of the half, and the card's stream that feeds or empties it.
//! Not here: the bridge (`offhook-device`), the card that clocks (`clocks.rs`).
//! RT (`fill`, `write`, the callbacks): no allocation, lock, syscall, log or panic.

use std::sync::Arc;

use offhook_device::{Inlet, Outlet, Sound, SoundStream, bridge};
use offhook_engine::{Sink, Source, monotonic_ns};
use offhook_spi::MspError;

use super::CardTerminal;
use crate::clocks::Wanted;

struct CardSource(Outlet);

impl Source for CardSource {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        self.0.read(captured_ns, out);
        out.len()
    }
}

struct CardSink(Inlet);

impl Sink for CardSink {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        self.0.write(played_ns, block);
    }
}

/// A microphone beside the one that clocks.
pub(crate) fn microphone(
    sound: &Sound,
    card: &CardTerminal,
    wanted: &Wanted<'_>,
) -> Result<(Box<dyn Source>, SoundStream), MspError> {
    let (mut inlet, outlet) = bridge(wanted.request.sample_rate, monotonic_ns()).map_err(refused)?;
    let probe = Arc::clone(&card.probe);
    let stream = sound.capture(wanted.selector, wanted.request, move |captured_ns, block| {
        probe.note(captured_ns, block.len());
        inlet.write(captured_ns, block);
    });
    let stream = stream.map_err(refused)?;
    wanted.check(&stream).map_err(refused)?;
    stream.set_gain(1.0);
    Ok((Box::new(CardSource(outlet)), stream))
}

/// A speaker beside the one that clocks.
pub(crate) fn speaker(
    sound: &Sound,
    card: &CardTerminal,
    wanted: &Wanted<'_>,
) -> Result<(Box<dyn Sink>, SoundStream), MspError> {
    let (inlet, mut outlet) = bridge(wanted.request.sample_rate, monotonic_ns()).map_err(refused)?;
    let probe = Arc::clone(&card.probe);
    let stream = sound.playback(wanted.selector, wanted.request, move |now_ns, block| {
        outlet.read(now_ns, block);
        probe.note(now_ns, block.len());
    });
    let stream = stream.map_err(refused)?;
    wanted.check(&stream).map_err(refused)?;
    stream.set_gain(1.0);
    Ok((Box::new(CardSink(inlet)), stream))
}

fn refused(why: impl ToString) -> MspError {
    MspError::Resource(why.to_string())
}
