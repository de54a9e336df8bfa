//! Plays what a silent sender said of its silence (RFC 3389): noise of that level and spectrum.
//! In: the payload of a comfort noise packet. Out: as many samples as asked for.
//! Not here: making the noise ([`NoiseGenerator`]), when it is played (`playout/hear.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use offhook_codecs::NoiseGenerator;

/// Takes over a description. One that says nothing leaves the noise as it is.
pub(crate) fn describe(noise: &mut NoiseGenerator, payload: &[u8]) {
    // Malformed is an empty payload, or a level that RFC 3389 does not know: what sounded before is no worse.
    let _ = noise.update(payload);
}

/// Makes the next noise.
pub(crate) fn comfort_noise(noise: &mut NoiseGenerator, out: &mut [i16]) {
    noise.fill(out);
}
