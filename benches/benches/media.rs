//! Each codec a packet, each detector, and one tick of the engine: send, receive, playout, decode.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use offhook_codecs::{
    Cadence, CodecKind, DtmfDetector, NoiseGenerator, ProgressDetector, Resampler, VoiceActivity,
};
use offhook_engine::simulate::{Clock, LinkConfig, link};
use offhook_engine::{
    Control, EngineConfig, Gain, Peer, RxCommand, RxFormat, RxProcessor, SenderIdentity, ToneSource,
    TxCommand, TxFormat, TxProcessor, split,
};

fn noise(samples: usize) -> Vec<i16> {
    (0..samples as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as i16).collect()
}

fn codecs(c: &mut Criterion) {
    for &kind in CodecKind::ALL {
        let samples = kind.sample_rate() as usize / 50;
        let samples = samples / kind.frame_samples() * kind.frame_samples();
        // Codecs that choose by what they hear are given a voice: harmonics of 150 Hz, and some noise.
        let pcm: Vec<i16> = noise(samples)
            .iter()
            .enumerate()
            .map(|(n, noise)| {
                let phase = n as f64 / f64::from(kind.sample_rate()) * 150.0 * std::f64::consts::TAU;
                (1..9).map(|k| (phase * f64::from(k)).sin() * 1_500.0).sum::<f64>() as i16 + noise / 64
            })
            .collect();
        let mut group = c.benchmark_group("codecs, 20 ms");
        group.throughput(Throughput::Elements(samples as u64));
        let (mut encoder, mut decoder) = (kind.encoder().unwrap(), kind.decoder().unwrap());
        let (mut octets, mut out) = (vec![0; kind.samples_to_octets(samples)], vec![0; samples]);
        let written = encoder.encode(&pcm, &mut octets).unwrap();
        let mut packet = octets.clone();
        packet.truncate(written);
        let name = format!("{kind:?}");
        group.bench_function(format!("{name}, encode"), |b| {
            b.iter(|| encoder.encode(black_box(&pcm), &mut octets))
        });
        group.bench_function(format!("{name}, decode"), |b| {
            b.iter(|| decoder.decode(black_box(&packet), &mut out))
        });
        group.finish();
    }
}

/// What is heard besides: digits, call progress, speech; and noise made.
fn detectors(c: &mut Criterion) {
    let mut group = c.benchmark_group("detectors, 20 ms at 8 kHz");
    let pcm = noise(160);
    let mut digits = DtmfDetector::new(8_000);
    group.bench_function("DTMF", |b| b.iter(|| digits.push(black_box(&pcm), |_| {})));
    let mut progress = ProgressDetector::new(8_000);
    group.bench_function("call progress", |b| b.iter(|| progress.push(black_box(&pcm), |_| {})));
    let mut activity = VoiceActivity::new(8_000).unwrap();
    group.bench_function("voice activity", |b| b.iter(|| activity.push(black_box(&pcm))));
    let mut generator = NoiseGenerator::new();
    generator.update(&[50, 40, 140, 120]).unwrap();
    let mut out = [0; 160];
    group.bench_function("comfort noise", |b| b.iter(|| generator.fill(black_box(&mut out))));
    group.finish();
}

fn resampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("resampling, 20 ms");
    for (from, to) in [(48_000, 8_000), (8_000, 48_000)] {
        let mut resampler = Resampler::new(from, to).unwrap();
        let input = noise(from as usize / 50);
        let mut output = vec![0; resampler.output_len(input.len()) + 1];
        group.bench_function(format!("{from} to {to}"), |b| {
            b.iter(|| resampler.process(black_box(&input), &mut output))
        });
    }
    group.finish();
}

/// Both halves of one end, talking to themselves over a perfect link.
fn leg(clock: &Clock) -> (Control, Control, TxProcessor, RxProcessor) {
    let at = SocketAddr::from(([192, 0, 2, 1], 5_004));
    let (link_tx, link_rx, _) = link(clock, LinkConfig::perfect(at));
    let sender = SenderIdentity { ssrc: 7, first_sequence_number: 1, first_timestamp: 1 };
    let (mut control, tx, _) = split(EngineConfig { sender, ..EngineConfig::new(8_000) });
    let (mut far, _, rx) = split(EngineConfig::new(8_000));
    control.tx(TxCommand::SetTransport(Box::new(link_tx))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    let tone = ToneSource::new(8_000, Cadence::RINGING);
    control.add_source(Box::new(tone), Gain::UNITY).ok().unwrap();
    control.tx(TxCommand::Start).unwrap();
    far.rx(RxCommand::SetTransport(Box::new(link_rx))).unwrap();
    far.rx(RxCommand::SetPeer(Peer::Address(at.ip()))).unwrap();
    far.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap()))).unwrap();
    far.rx(RxCommand::Start).unwrap();
    (control, far, tx, rx)
}

fn engine(c: &mut Criterion) {
    let clock = Clock::new(1_000_000_000);
    let (_near, _far, mut tx, mut rx) = leg(&clock);
    let mut speaker = [0_i16; 80];
    c.bench_function("engine, one tick of 10 ms, both halves", |b| {
        b.iter(|| {
            let now = clock.now_ns() + 10_000_000;
            clock.advance_to(now);
            tx.process(now, black_box(&[0; 80]));
            rx.process(now, black_box(&mut speaker));
        });
    });
}

criterion_group!(benches, codecs, detectors, resampling, engine);
criterion_main!(benches);
