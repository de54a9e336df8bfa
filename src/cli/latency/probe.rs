//! Bursts that are said at known instants and found again in what is heard.
//!
//! In: a terminal to speak into, one to hear from. Out: a delay for each probe that was found.
//! A burst is 80 ms of noise from 400 to 3,200 Hz with soft edges: what every codec passes, nothing like itself a
//! millisecond later, and nothing like the burst before it, which may still be under way.

use std::time::Duration;

use offhook::{PcmReader, PcmWriter};
use offhook_engine::measure::lag_between;

use super::LatencyArgs;

/// How long a probe lasts.
const BURST: Duration = Duration::from_millis(80);
/// From where to where it reaches, Hz.
const BAND: (f64, f64) = (400.0, 3_200.0);
/// Its loudness in the middle: root mean square. Four times that is its peak.
const LOUDNESS: f64 = 3_500.0;
/// What is heard is a probe from this correlation on.
const ALIKE: f64 = 0.6;
/// Sound before the first probe: playout finds its delay.
const SETTLE: Duration = Duration::from_millis(1_500);
/// How much is said ahead.
const BLOCK: Duration = Duration::from_millis(10);

/// Where probes go in.
pub(super) struct Mouth(PcmWriter);

/// Where they come out.
pub(super) struct Ear(PcmReader);

impl Mouth {
    pub(super) fn new(writer: PcmWriter) -> Self {
        Self(writer)
    }
}

impl Ear {
    pub(super) fn new(reader: PcmReader) -> Self {
        Self(reader)
    }
}

/// A series of probes.
pub(super) struct Probes {
    count: u32,
    interval: f64,
    longest: Duration,
    seed: u64,
}

/// What was found.
pub(super) struct Found {
    /// How many probes were said.
    pub(super) said: u32,
    /// Milliseconds of each that was heard.
    pub(super) ms: Vec<f64>,
    /// How alike they were, in the mean.
    pub(super) correlation: f64,
}

/// What is heard, with the instants of its blocks.
#[derive(Default)]
struct Heard {
    samples: Vec<i16>,
    /// Index and instant in nanoseconds of the first sample of each block.
    blocks: Vec<(usize, u64)>,
}

impl Heard {
    /// When a sample was played, in nanoseconds.
    fn at(&self, sample: f64, rate: f64) -> Option<f64> {
        let block = self.blocks.partition_point(|(first, _)| *first as f64 <= sample).checked_sub(1)?;
        let (first, at) = self.blocks.get(block)?;
        Some(*at as f64 + (sample - *first as f64) * 1e9 / rate)
    }

    /// The first sample that was played at an instant or after it.
    fn from(&self, at_ns: u64) -> usize {
        let block = self.blocks.partition_point(|(_, at)| *at < at_ns);
        self.blocks.get(block.saturating_sub(1)).map_or(self.samples.len(), |(first, _)| *first)
    }
}

impl Probes {
    pub(super) fn new(args: &LatencyArgs) -> Self {
        let LatencyArgs { probes: count, longest, seed, interval, .. } = *args;
        Self { count, interval: interval.as_secs_f64(), longest, seed }
    }

    /// Says all of them and listens until the last must have come.
    pub(super) async fn run(&self, mouth: Mouth, ear: Ear) -> Found {
        let rate = mouth.0.status().sample_rate;
        let bursts: Vec<_> = (0..self.count).map(|number| burst(rate, self.seed, number)).collect();
        let (done, finished) = tokio::sync::watch::channel(false);
        let said = async {
            let said = self.say(&mouth.0, &bursts, rate).await;
            tokio::time::sleep(self.longest + BURST).await;
            // The listener lives as long as this.
            done.send_replace(true);
            said
        };
        let (said, heard) = tokio::join!(said, listen(&ear.0, finished));
        let ear_rate = ear.0.status().sample_rate;
        let mut found = Found { said: self.count, ms: Vec::new(), correlation: 0.0 };
        for (probe, at_ns) in bursts.iter().zip(said) {
            let heard = at_ns.and_then(|at_ns| self.find(&heard, probe, rate, ear_rate, at_ns));
            if let Some((ms, correlation)) = heard {
                found.ms.push(ms);
                found.correlation += correlation;
            }
        }
        found.correlation /= found.ms.len().max(1) as f64;
        found
    }

    /// Speaks silence with probes in it; the instant at which each was captured.
    async fn say(&self, writer: &PcmWriter, bursts: &[Vec<i16>], rate: u32) -> Vec<Option<u64>> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let in_samples = |seconds: f64| (seconds * f64::from(rate)) as usize;
        let block = vec![0; in_samples(BLOCK.as_secs_f64()).max(1)];
        let begun = writer.status().written;
        let mut written = 0;
        let mut pause = in_samples(SETTLE.as_secs_f64());
        let mut instants = Vec::new();
        for probe in bursts {
            // Anything from half to one and a half of the mean: every phase of a packet is met.
            pause += in_samples(self.interval * (0.5 + random.f64()));
            while pause > 0 {
                let now = pause.min(block.len());
                let (silence, _) = block.split_at(now);
                if writer.write_all(silence).await.is_err() {
                    return instants;
                }
                (pause, written) = (pause - now, written + now as u64);
            }
            let first = begun + written;
            if writer.write_all(probe).await.is_err() {
                return instants;
            }
            written += probe.len() as u64;
            instants.push(captured(writer, first, rate, &block, &mut written).await);
        }
        instants
    }

    fn find(&self, heard: &Heard, probe: &[i16], rate: u32, ear_rate: u32, at_ns: u64) -> Option<(f64, f64)> {
        if rate != ear_rate {
            // Two ends of one configuration have one rate.
            return None;
        }
        let start = heard.from(at_ns);
        let window = probe.len() + (self.longest.as_secs_f64() * f64::from(rate)) as usize;
        let end = (start + window).min(heard.samples.len());
        let recording = heard.samples.get(start..end)?;
        let longest = i64::try_from(recording.len().saturating_sub(probe.len())).unwrap_or(0);
        let lag = lag_between(probe, recording, 0..=longest).filter(|lag| lag.correlation >= ALIKE)?;
        let came = heard.at(start as f64 + lag.samples, f64::from(rate))?;
        Some(((came - at_ns as f64) / 1e6, lag.correlation))
    }
}

/// When a sample of what was written was captured: known once it has been taken. Silence is written meanwhile.
async fn captured(
    writer: &PcmWriter,
    sample: u64,
    rate: u32,
    silence: &[i16],
    written: &mut u64,
) -> Option<u64> {
    loop {
        let status = writer.status();
        if let Some((known, at)) = status.position.filter(|(known, _)| *known >= sample) {
            let after = (known - sample) as f64 * 1e9 / f64::from(rate);
            return Some(at.0.saturating_sub(after as u64));
        }
        if status.is_released || writer.write_all(silence).await.is_err() {
            return None;
        }
        *written += silence.len() as u64;
    }
}

/// Hears everything until it is told to stop.
async fn listen(reader: &PcmReader, mut finished: tokio::sync::watch::Receiver<bool>) -> Heard {
    let mut heard = Heard::default();
    let mut block = vec![0; 4_800];
    loop {
        tokio::select! {
            part = reader.next(&mut block) => {
                let Some(part) = part else { return heard };
                heard.blocks.push((heard.samples.len(), part.at.0));
                heard.samples.extend(block.iter().take(part.samples));
            }
            changed = finished.changed() => {
                // An error says that there is nobody to tell us: that is the end, too.
                if changed.is_err() || *finished.borrow() {
                    return heard;
                }
            }
        }
    }
}

/// The burst of that number of a series.
fn burst(rate: u32, seed: u64, number: u32) -> Vec<i16> {
    let mut random =
        fastrand::Rng::with_seed(seed ^ (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let seconds = BURST.as_secs_f64();
    let (from, to) = ((BAND.0 * seconds) as u32, (BAND.1 * seconds) as u32);
    // Every harmonic of its length, at a phase of its own.
    let tones: Vec<_> = (from..=to)
        .map(|harmonic| (std::f64::consts::TAU * f64::from(harmonic), std::f64::consts::TAU * random.f64()))
        .collect();
    let scale = LOUDNESS * (2.0 / tones.len().max(1) as f64).sqrt();
    let count = (seconds * f64::from(rate)) as usize;
    (0..count)
        .map(|n| {
            let share = n as f64 / count as f64;
            let sound: f64 = tones.iter().map(|(angle, phase)| (angle * share + phase).cos()).sum();
            let edge = (std::f64::consts::PI * share).sin().sqrt();
            (scale * edge * sound).clamp(-32_000.0, 32_000.0) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes() -> Probes {
        Probes { count: 1, interval: 0.5, longest: Duration::from_secs(1), seed: 1 }
    }

    /// A probe that is heard after so many nanoseconds, in blocks of 20 ms whose first begins at `begun`.
    fn heard(rate: u32, begun: u64, said: u64, delay_ns: u64) -> Heard {
        let probe = burst(rate, 1, 0);
        let first = ((said + delay_ns - begun) as f64 * f64::from(rate) / 1e9).round() as usize;
        let mut samples = vec![0; rate as usize * 2];
        samples[first..first + probe.len()].copy_from_slice(&probe);
        let block = rate as usize / 50;
        let blocks = (0..samples.len() / block).map(|n| (n * block, begun + n as u64 * 20_000_000)).collect();
        Heard { samples, blocks }
    }

    #[test]
    fn a_probe_is_found_to_a_fraction_of_a_millisecond() {
        for rate in [8_000, 16_000, 48_000] {
            for delay_us in [0, 1_000, 61_250, 640_875] {
                let heard = heard(rate, 1_000_000_000, 1_313_000_000, delay_us * 1_000);
                let (ms, correlation) =
                    probes().find(&heard, &burst(rate, 1, 0), rate, rate, 1_313_000_000).unwrap();
                assert!((ms - delay_us as f64 / 1e3).abs() < 0.07, "{rate} Hz: {ms} ms for {delay_us} µs");
                assert!(correlation > 0.99);
            }
        }
    }

    #[test]
    fn another_burst_of_the_series_is_not_taken_for_it() {
        let heard = heard(8_000, 1_000_000_000, 1_300_000_000, 50_000_000);
        for number in 1..200 {
            let other = burst(8_000, 1, number);
            assert_eq!(probes().find(&heard, &other, 8_000, 8_000, 1_300_000_000), None, "{number}");
            assert!(other.iter().all(|sample| sample.abs() < 32_000), "{number} is too loud");
        }
    }

    #[test]
    fn what_is_no_probe_is_not_found() {
        let mut random = fastrand::Rng::with_seed(3);
        let samples: Vec<i16> = (0..16_000).map(|_| random.i16(-8_000..8_000)).collect();
        let noise = Heard { samples, blocks: vec![(0, 0)] };
        assert_eq!(probes().find(&noise, &burst(8_000, 1, 0), 8_000, 8_000, 0), None);
        assert_eq!(probes().find(&Heard::default(), &burst(8_000, 1, 0), 8_000, 8_000, 0), None);
    }
}
