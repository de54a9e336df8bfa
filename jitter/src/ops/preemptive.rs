//! Lengthens the sound that waits by one pitch period, before it would run out: overlap and add at the best lag.
//! In: history and future. Out: the future, `lag` samples longer.
//!
//! ```text
//!  before  … a a a a│b b b b│c c …       after  … a a a a│b⤬a b⤬a│b b b b│c c …
//! ```
//!
//! RT: no allocation, lock, syscall, log or panic.

use crate::ops::cross_fade;
use crate::sound::Sound;

/// Inserts `lag` samples, fading over `overlap` from the sound here to that `lag` earlier, which is heard again.
/// Returns what was inserted: `lag`, or 0 if there is too little sound or room.
pub(crate) fn preemptive_expand(sound: &mut Sound, lag: usize, overlap: usize) -> usize {
    let (signal, now) = sound.both();
    if lag == 0 || now < lag || signal.len() - now < overlap || !sound.open(0, lag) {
        return 0;
    }
    // The hole of `lag` lies at the start of the future; the old future follows it. Sample `at` of the new future
    // is the old sample `at - lag` (from history on), except that it fades in from the old sample `at`.
    for at in 0..overlap.max(lag) {
        let (signal, now) = sound.both();
        let old = |at: usize| signal.get(now + lag + at).copied();
        let again = if at < lag { signal.get(now + at - lag).copied() } else { old(at - lag) };
        let (Some(again), here) = (again, old(at)) else { return 0 };
        let value = match here {
            Some(here) if at < overlap => cross_fade(here, again, at + 1, overlap + 1),
            _ => again,
        };
        if let Some(sample) = sound.future_mut().get_mut(at) {
            *sample = value;
        }
    }
    lag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_wave(period: usize, overlap: usize, lag: usize) -> (Sound, impl Fn(usize) -> i16) {
        let mut sound = Sound::new(200, 600);
        let wave = move |n: usize| ((n % period) as i16 - 25) * 60;
        sound.space(500).iter_mut().enumerate().for_each(|(n, sample)| *sample = wave(n));
        sound.commit(500);
        sound.play(&mut [0; 200]);
        assert_eq!(preemptive_expand(&mut sound, lag, overlap), lag);
        (sound, wave)
    }

    #[test]
    fn a_periodic_sound_only_becomes_longer() {
        for (lag, overlap) in [(50, 80), (100, 80), (50, 50)] {
            let (sound, wave) = with_wave(50, overlap, lag);
            assert_eq!(sound.future_len(), 300 + lag);
            assert!(sound.future().iter().enumerate().all(|(n, sample)| *sample == wave(n)));
        }
    }

    #[test]
    fn after_the_seam_the_sound_goes_on_as_it_was() {
        let (sound, wave) = with_wave(499, 80, 60);
        assert!(sound.future()[80..].iter().enumerate().all(|(n, sample)| *sample == wave(200 + 20 + n)));
    }
}
