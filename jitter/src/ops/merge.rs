//! Joins a packet to the concealment before it: one fades out while the other fades in.
//! In: the concealment, still running, and the future, freshly decoded. Out: the future, its start mixed.
//! RT: no allocation, lock, syscall, log or panic.

use crate::ops::{cross_fade, expand::Expand};
use crate::sound::Sound;

/// Mixes the first `count` samples of the future (or all, if fewer) with what `expand` would have gone on with.
pub(crate) fn merge(sound: &mut Sound, expand: &mut Expand, count: usize) {
    let count = count.min(sound.future_len());
    let mut made = [0; 1];
    for (at, sample) in sound.future_mut().iter_mut().take(count).enumerate() {
        expand.fill(&mut made);
        let [made] = made;
        *sample = cross_fade(made, *sample, at + 1, count + 1);
    }
}
