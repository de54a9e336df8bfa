//! Shortens the sound that waits by one pitch period: overlap and add at the best lag.
//! In: the future. Out: the future, `lag` samples shorter.
//!
//! ```text
//!  before  a a a a│b b b b│c c …        after  a⤬b a⤬b│c c …
//! ```
//!
//! RT: no allocation, lock, syscall, log or panic.

use crate::ops::cross_fade;
use crate::sound::Sound;

/// Removes `lag` samples, fading over `overlap` from the sound here to that `lag` later. Returns what was removed:
/// `lag`, or 0 if not enough sound waits.
pub(crate) fn accelerate(sound: &mut Sound, lag: usize, overlap: usize) -> usize {
    if lag == 0 || sound.future_len() < lag + overlap {
        return 0;
    }
    let future = sound.future_mut();
    for at in 0..overlap {
        let (Some(&here), Some(&later)) = (future.get(at), future.get(at + lag)) else { return 0 };
        if let Some(sample) = future.get_mut(at + lag) {
            *sample = cross_fade(here, later, at + 1, overlap + 1);
        }
    }
    sound.remove(0, lag);
    lag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_periodic_sound_only_becomes_shorter() {
        let mut sound = Sound::new(10, 400);
        let wave = |n: usize| ((n % 50) as i16 - 25) * 100;
        sound.space(300).iter_mut().enumerate().for_each(|(n, sample)| *sample = wave(n));
        sound.commit(300);
        assert_eq!(accelerate(&mut sound, 50, 80), 50);
        assert_eq!(sound.future_len(), 250);
        assert!(sound.future().iter().enumerate().all(|(n, sample)| *sample == wave(n)));
    }

    #[test]
    fn too_little_sound_stays_as_it_is() {
        let mut sound = Sound::new(10, 400);
        sound.space(100).fill(7);
        sound.commit(100);
        assert_eq!(accelerate(&mut sound, 50, 80), 0);
        assert_eq!(sound.future(), [7; 100]);
    }
}
