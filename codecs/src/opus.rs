//! Opus (RFC 6716) in RTP (RFC 7587), by libopus through the `opus` crate.
//! In: 2.5 to 120 ms of samples at 8, 16 or 48 kHz, or one packet. Out: the other. A lost packet is concealed by the
//! decoder, or recovered from the redundancy (LBRR) that the next one carries.
//! Not here: when which is done (`jitter`), `fmtp` parameters and capabilities (`signaling`).
//! RT: no allocation, lock, syscall, log or panic. libopus works on its caller's stack.

use crate::CodecKind;
use crate::codec::{CodecError, Decoder, Encoder};
use crate::payload::{self, MAX_OPUS_OCTETS, OPUS_FRAMES};
use crate::spare::Spare;

/// What an Opus encoder is to aim at (RFC 6716 §2.1.9 and libopus' `OPUS_APPLICATION_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpusApplication {
    /// Intelligible speech.
    #[default]
    Voip,
    /// Music and whatever else, unaltered.
    Audio,
    /// The least delay: 2.5 ms of look-ahead instead of 6.5. No modes of speech, hence no in-band FEC.
    LowDelay,
}

/// How an Opus encoder works. How long a packet lasts is told by each call of [`Encoder::encode`]: 2.5, 5, 10, 20, 40,
/// 60, 80, 100 or 120 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bits a second, 6,000 to 510,000; 32,000 unless told otherwise: full-band speech.
    pub bitrate: u32,
    /// 0, the cheapest, to 10; 9 unless told otherwise.
    pub complexity: u8,
    /// Whether packets repeat the one before them at a low rate (LBRR), as far as `expected_loss_percent` makes that
    /// worth its bits. On unless told otherwise.
    pub inband_fec: bool,
    /// How many of a hundred packets are expected to be lost; 5 unless told otherwise.
    pub expected_loss_percent: u8,
    /// Whether silence is not sent: the encoder then writes no octets. Off unless told otherwise.
    pub dtx: bool,
    /// Whether the size of packets varies about the bit rate; on unless told otherwise.
    pub vbr: bool,
    /// Two channels, interleaved; one unless told otherwise. [`CodecKind::encoder_with`] makes mono encoders only.
    pub stereo: bool,
    /// What it aims at: speech, unless told otherwise.
    pub application: OpusApplication,
}

impl Default for OpusSettings {
    fn default() -> OpusSettings {
        OpusSettings {
            bitrate: 32_000,
            complexity: 9,
            inband_fec: true,
            expected_loss_percent: 5,
            dtx: false,
            vbr: true,
            stereo: false,
            application: OpusApplication::Voip,
        }
    }
}

/// Encodes Opus. Its samples are interleaved where it is stereo.
#[derive(Debug)]
pub struct OpusEncoder {
    kind: CodecKind,
    channels: usize,
    dtx: bool,
    inner: opus::Encoder,
}

impl OpusEncoder {
    /// An encoder at the sample rate of `kind`.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] if `kind` is not Opus, [`CodecError::Settings`] for settings out of range,
    /// [`CodecError::Library`] if there is no memory.
    pub fn new(kind: CodecKind, settings: &OpusSettings) -> Result<OpusEncoder, CodecError> {
        if !kind.is_opus() {
            return Err(CodecError::NotRunnable { kind });
        }
        if !(6_000..=510_000).contains(&settings.bitrate) {
            return Err(CodecError::Settings("Opus has 6,000 to 510,000 bit/s"));
        }
        if settings.complexity > 10 {
            return Err(CodecError::Settings("the complexity of Opus is 0 to 10"));
        }
        if settings.expected_loss_percent > 100 {
            return Err(CodecError::Settings("no more than 100 percent of the packets can be lost"));
        }
        let application = match settings.application {
            OpusApplication::Voip => opus::Application::Voip,
            OpusApplication::Audio => opus::Application::Audio,
            OpusApplication::LowDelay => opus::Application::LowDelay,
        };
        let make = || {
            let channels = channels(settings.stereo);
            let mut inner = opus::Encoder::new(kind.sample_rate(), channels, application)?;
            inner.set_bitrate(opus::Bitrate::Bits(settings.bitrate as i32))?;
            inner.set_complexity(i32::from(settings.complexity))?;
            inner.set_inband_fec(settings.inband_fec)?;
            inner.set_packet_loss_perc(i32::from(settings.expected_loss_percent))?;
            inner.set_dtx(settings.dtx)?;
            inner.set_vbr(settings.vbr)?;
            Ok(inner)
        };
        let inner = make().map_err(library)?;
        let channels = 1 + usize::from(settings.stereo);
        Ok(OpusEncoder { kind, channels, dtx: settings.dtx, inner })
    }

    /// Tells how many of a hundred packets the peer loses (from its receiver reports): it decides how much is repeated.
    ///
    /// # Errors
    ///
    /// [`CodecError::Settings`] for more than a hundred.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError> {
        let out_of_range = CodecError::Settings("no more than 100 percent of the packets can be lost");
        self.inner.set_packet_loss_perc(i32::from(percent)).map_err(|_| out_of_range)
    }

    /// Changes the bit rate, 6,000 to 510,000 bit/s, from the next packet on.
    ///
    /// # Errors
    ///
    /// [`CodecError::Settings`] for a rate beyond.
    pub fn set_bitrate(&mut self, bitrate: u32) -> Result<(), CodecError> {
        if !(6_000..=510_000).contains(&bitrate) {
            return Err(CodecError::Settings("Opus has 6,000 to 510,000 bit/s"));
        }
        self.inner.set_bitrate(opus::Bitrate::Bits(bitrate as i32)).map_err(library)
    }
}

impl Encoder for OpusEncoder {
    fn kind(&self) -> CodecKind {
        self.kind
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        if pcm.is_empty() {
            return Ok(0);
        }
        let frame = self.kind.frame_samples() * self.channels;
        if !pcm.len().is_multiple_of(frame) || !OPUS_FRAMES.contains(&(pcm.len() / frame)) {
            return Err(CodecError::PartialFrame { samples: pcm.len(), frame });
        }
        let available = out.len();
        // Longer ones would not pass a network whole.
        let room = out.get_mut(..available.min(MAX_OPUS_OCTETS)).unwrap_or_default();
        match self.inner.encode(pcm, room) {
            // libopus: such a packet need not be sent.
            Ok(octets) if self.dtx && octets <= 2 => Ok(0),
            Ok(octets) => Ok(octets),
            Err(why) => Err(match why.code() {
                opus::ErrorCode::BufferTooSmall | opus::ErrorCode::BadArg => {
                    CodecError::OutputTooSmall { needed: MAX_OPUS_OCTETS, available }
                }
                _ => library(why),
            }),
        }
    }

    fn reset(&mut self) {
        // It fails for a null pointer alone.
        let _ = self.inner.reset_state();
    }
}

/// Decodes Opus, mono or stereo, whatever the packets are. Its samples are interleaved where it is stereo.
#[derive(Debug)]
pub struct OpusDecoder {
    kind: CodecKind,
    channels: usize,
    inner: opus::Decoder,
    /// The rest of a unit that was made up: of 10 ms in stereo at most.
    spare: Spare<960>,
}

impl OpusDecoder {
    /// A decoder at the sample rate of `kind`, to one channel or two.
    ///
    /// # Errors
    ///
    /// [`CodecError::NotRunnable`] if `kind` is not Opus, [`CodecError::Library`] if there is no memory.
    pub fn new(kind: CodecKind, stereo: bool) -> Result<OpusDecoder, CodecError> {
        if !kind.is_opus() {
            return Err(CodecError::NotRunnable { kind });
        }
        let inner = opus::Decoder::new(kind.sample_rate(), channels(stereo)).map_err(library)?;
        Ok(OpusDecoder { kind, channels: 1 + usize::from(stereo), inner, spare: Spare::new() })
    }

    /// Whether so many samples are what libopus can make up: whole units of 2.5 ms, 120 ms at most.
    fn is_whole(&self, samples: usize) -> bool {
        let unit = self.kind.frame_samples() * self.channels;
        samples.is_multiple_of(unit) && (1..=48).contains(&(samples / unit))
    }
}

impl Decoder for OpusDecoder {
    fn kind(&self) -> CodecKind {
        self.kind
    }

    fn payload_samples(&self, payload: &[u8]) -> usize {
        self.kind.payload_samples(payload) * self.channels
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        // To libopus nothing is a loss.
        if payload.is_empty() {
            return Ok(0);
        }
        let malformed = CodecError::MalformedPayload { octets: payload.len() };
        let needed = self.payload_samples(payload);
        if needed == 0 {
            return Err(malformed);
        }
        let available = out.len();
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooSmall { needed, available })?;
        self.spare.clear();
        match self.inner.decode(payload, out, false) {
            Ok(samples) => Ok(samples * self.channels),
            Err(_) => Err(malformed),
        }
    }

    /// Any length; libopus makes it up in units of 2.5 ms or 10 ms.
    fn conceal(&mut self, out: &mut [i16]) -> bool {
        // A long unit for the bulk: libopus fades by the call.
        let unit = self.kind.frame_samples() * self.channels;
        let unit = if out.len() >= 4 * unit { 4 * unit } else { unit };
        let inner = &mut self.inner;
        self.spare.fill(out, unit, |pcm| inner.decode(&[], pcm, false).is_ok())
    }

    /// As many samples as were lost: whole units of 2.5 ms, no less than a frame of `next_payload`, 120 ms at most.
    fn recover_lost(&mut self, next_payload: &[u8], out: &mut [i16]) -> bool {
        let Some(units) = payload::opus_redundancy(next_payload) else { return false };
        let least = units * self.kind.frame_samples() * self.channels;
        let can = out.len() >= least && self.is_whole(out.len());
        let done = can && self.inner.decode(next_payload, out, true).is_ok();
        if done {
            self.spare.clear();
        }
        done
    }

    fn reset(&mut self) {
        // It fails for a null pointer alone.
        let _ = self.inner.reset_state();
    }
}

/// The version of the libopus that is linked, such as `libopus 1.6.1`.
pub fn library_version() -> &'static str {
    opus::version()
}

fn channels(stereo: bool) -> opus::Channels {
    if stereo { opus::Channels::Stereo } else { opus::Channels::Mono }
}

fn library(why: opus::Error) -> CodecError {
    CodecError::Library(why.description())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vowel that glides: what in-band FEC is made for.
    fn speech(rate: u32, samples: usize) -> Vec<i16> {
        let mut phase = 0.0f64;
        (0..samples)
            .map(|n| {
                let t = n as f64 / f64::from(rate);
                phase += (120.0 + 40.0 * (t * 3.0).sin()) / f64::from(rate) * std::f64::consts::TAU;
                let loud = 0.6 + 0.4 * (t * 11.0).sin();
                let sum: f64 = (1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
                (4_000.0 * loud * sum) as i16
            })
            .collect()
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len() as f64
    }

    /// Signal to noise in dB at the delay, within `reach`, that suits best.
    fn snr(wanted: &[i16], heard: &[i16], reach: usize) -> f64 {
        (0..reach)
            .map(|delay| {
                let pairs = wanted.iter().zip(heard.get(delay..).unwrap_or_default());
                let error: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
                10.0 * (energy(wanted) * wanted.len() as f64 / error.max(1.0)).log10()
            })
            .fold(f64::MIN, f64::max)
    }

    #[test]
    fn every_packet_length_of_opus_at_every_rate_comes_back() {
        for kind in [CodecKind::Opus, CodecKind::OpusWideband, CodecKind::OpusNarrowband] {
            let settings = OpusSettings { bitrate: 64_000, ..OpusSettings::default() };
            for frames in OPUS_FRAMES {
                let mut encoder = OpusEncoder::new(kind, &settings).unwrap();
                let mut decoder = OpusDecoder::new(kind, false).unwrap();
                let length = kind.packet_samples(frames);
                let said = speech(kind.sample_rate(), length * (400 / frames));
                let mut heard = Vec::new();
                let mut packet = [0; MAX_OPUS_OCTETS];
                let mut block = vec![0; length];
                for pcm in said.chunks_exact(length) {
                    let octets = encoder.encode(pcm, &mut packet).unwrap();
                    assert_eq!(decoder.payload_samples(&packet[..octets]), length);
                    assert_eq!(decoder.decode(&packet[..octets], &mut block), Ok(length));
                    heard.extend_from_slice(&block);
                }
                // The waveform itself, once the coder has settled.
                let (from, to) = (said.len() / 2, said.len() * 3 / 4);
                let quality = snr(&said[from..to], &heard[from..], kind.sample_rate() as usize / 50);
                assert!(quality > 4.0, "{kind:?} {frames}: {quality:.1} dB");
            }
        }
    }

    #[test]
    fn in_band_redundancy_recovers_a_lost_packet_better_than_concealment() {
        let kind = CodecKind::Opus;
        let settings = OpusSettings { expected_loss_percent: 20, ..OpusSettings::default() };
        let mut encoder = OpusEncoder::new(kind, &settings).unwrap();
        let said = speech(48_000, 960 * 150);
        let packets: Vec<Vec<u8>> = said
            .chunks_exact(960)
            .map(|pcm| {
                let mut packet = [0; MAX_OPUS_OCTETS];
                let octets = encoder.encode(pcm, &mut packet).unwrap();
                packet[..octets].to_vec()
            })
            .collect();
        let play = |recover: Option<bool>| {
            let mut decoder = OpusDecoder::new(kind, false).unwrap();
            let mut heard = Vec::new();
            let (mut block, mut recovered) = ([0; 960], 0);
            for (n, packet) in packets.iter().enumerate() {
                match recover {
                    Some(recover) if n % 7 == 6 => {
                        let next = packets.get(n + 1).map_or(&[][..], |next| next);
                        if recover && decoder.recover_lost(next, &mut block) {
                            recovered += 1;
                        } else {
                            assert!(decoder.conceal(&mut block));
                        }
                    }
                    _ => assert_eq!(decoder.decode(packet, &mut block), Ok(960)),
                }
                heard.extend_from_slice(&block);
            }
            (heard, recovered)
        };
        let (whole, _) = play(None);
        let (concealed, none) = play(Some(false));
        let (repaired, recovered) = play(Some(true));
        assert!(none == 0 && recovered > 15, "{recovered} of 21");
        let (repaired, concealed) = (snr(&whole, &repaired, 1), snr(&whole, &concealed, 1));
        assert!(repaired > concealed + 3.0, "{repaired:.1} dB and {concealed:.1} dB");
    }

    #[test]
    fn no_redundancy_is_made_where_none_was_asked_for_or_there_is_none() {
        let settings = OpusSettings { inband_fec: false, ..OpusSettings::default() };
        let mut encoder = OpusEncoder::new(CodecKind::Opus, &settings).unwrap();
        let mut decoder = OpusDecoder::new(CodecKind::Opus, false).unwrap();
        let (mut packet, mut block) = ([0; MAX_OPUS_OCTETS], [77; 960]);
        for pcm in speech(48_000, 9_600).chunks_exact(960) {
            let octets = encoder.encode(pcm, &mut packet).unwrap();
            assert!(!decoder.recover_lost(&packet[..octets], &mut block));
        }
        for hostile in [&[][..], &[0x78], &[3 << 3 | 3], &[3 << 3 | 3, 0xC1, 255, 255], &[3 << 3 | 2, 255]] {
            assert!(!decoder.recover_lost(hostile, &mut block), "{hostile:?}");
        }
        assert_eq!(block, [77; 960]);
        for length in [0, 1, 100, 480, 959] {
            assert!(decoder.conceal(&mut block[..length]), "{length}");
        }
    }

    #[test]
    fn silence_is_not_sent_with_discontinuous_transmission() {
        let settings = OpusSettings { dtx: true, ..OpusSettings::default() };
        let mut encoder = OpusEncoder::new(CodecKind::OpusWideband, &settings).unwrap();
        let mut packet = [0; MAX_OPUS_OCTETS];
        let mut sent = |pcm: &[i16]| {
            pcm.chunks_exact(320).filter(|pcm| encoder.encode(pcm, &mut packet).unwrap() > 0).count()
        };
        assert_eq!(sent(&speech(16_000, 16_000)), 50);
        // Two seconds: it falls silent within 400 ms and then repeats itself every 400.
        assert!(sent(&[0; 32_000]) < 40);
        assert_eq!(sent(&speech(16_000, 16_000)), 50);
    }

    #[test]
    fn stereo_is_coded_as_stereo_and_a_mono_decoder_hears_both_channels() {
        let settings = OpusSettings { stereo: true, bitrate: 96_000, ..OpusSettings::default() };
        let settings = OpusSettings { application: OpusApplication::Audio, ..settings };
        let mut encoder = OpusEncoder::new(CodecKind::Opus, &settings).unwrap();
        let mut stereo = OpusDecoder::new(CodecKind::Opus, true).unwrap();
        let mut mono = OpusDecoder::new(CodecKind::Opus, false).unwrap();
        let left = speech(48_000, 960 * 20);
        let (mut packet, mut both, mut one) = ([0; MAX_OPUS_OCTETS], [0; 1_920], [0; 960]);
        for pcm in left.chunks_exact(960) {
            let pcm: Vec<i16> = pcm.iter().flat_map(|left| [*left, 0]).collect();
            let octets = encoder.encode(&pcm, &mut packet).unwrap();
            assert_eq!(stereo.decode(&packet[..octets], &mut both), Ok(1_920));
            assert_eq!(mono.decode(&packet[..octets], &mut one), Ok(960));
        }
        let (left, right): (Vec<i16>, Vec<i16>) = both.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
        assert!(energy(&left) > 100.0 * energy(&right));
        let half = energy(&one) / energy(&left);
        assert!((0.2..0.3).contains(&half), "{half}");
    }

    #[test]
    fn settings_out_of_range_and_lengths_that_opus_has_not_are_refused() {
        let base = OpusSettings::default();
        for settings in [
            OpusSettings { bitrate: 5_999, ..base },
            OpusSettings { bitrate: 510_001, ..base },
            OpusSettings { complexity: 11, ..base },
            OpusSettings { expected_loss_percent: 101, ..base },
        ] {
            let refused = OpusEncoder::new(CodecKind::Opus, &settings).err();
            assert!(matches!(refused, Some(CodecError::Settings(_))), "{settings:?}");
        }
        assert!(OpusEncoder::new(CodecKind::Pcmu, &base).is_err());
        let mut encoder = OpusEncoder::new(CodecKind::OpusNarrowband, &base).unwrap();
        let mut packet = [0; MAX_OPUS_OCTETS];
        for length in [1, 19, 21, 240, 980] {
            assert_eq!(
                encoder.encode(&vec![0; length], &mut packet),
                Err(CodecError::PartialFrame { samples: length, frame: 20 })
            );
        }
        let too_small = CodecError::OutputTooSmall { needed: 1_275, available: 0 };
        assert_eq!(encoder.encode(&[0; 160], &mut []), Err(too_small));
        assert!(encoder.set_expected_loss(100).is_ok() && encoder.set_expected_loss(101).is_err());
        assert!(encoder.set_bitrate(6_000).is_ok() && encoder.set_bitrate(1).is_err());
    }
}
