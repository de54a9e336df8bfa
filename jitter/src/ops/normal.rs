//! Decodes one packet behind the sound that waits.
//! In: a payload. Out: samples of the future.
//! RT: no allocation, lock, syscall, log or panic.

use offhook_codecs::Decoder;

use crate::sound::Sound;

/// Decodes `payload`, which holds `samples`; returns how many became sound.
pub(crate) fn normal(sound: &mut Sound, decoder: &mut dyn Decoder, payload: &[u8], samples: usize) -> usize {
    let decoded = decoder.decode(payload, sound.space(samples)).unwrap_or(0).min(samples);
    sound.commit(decoded);
    decoded
}
