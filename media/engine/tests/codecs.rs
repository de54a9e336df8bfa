//! A call with every codec that this build runs: at the codec's own rate and in an engine of 48 kHz; codecs that differ
//! and change; codecs that only pass through.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::measure::lag_between;
use offhook_engine::simulate::{Link, LinkConfig, Party, link};
use offhook_engine::{EngineConfig, RxCommand, RxFormat, TxCommand, TxFormat, packet_injector, packet_tap};
use offhook_rtp::{PayloadTypes, RtpHeader};
use support::{Endpoint, MS, Setup, World, at, voice};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";

fn call(kinds: [CodecKind; 2], packet_ms: u32, rate: u32, there: LinkConfig) -> (World, Link, [Vec<i16>; 2]) {
    let mut world = World::new();
    let (a_tx, b_rx, to_bert) = link(&world.clock, there);
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    let said = [voice(4, rate, 1), voice(4, rate, 5)];
    let config = EngineConfig::new(rate);
    let setup = |n: usize, peer| Setup {
        kind: kinds[n],
        packet_ms,
        config,
        ..Setup::new(said[n].clone(), peer, n as u32 + 1)
    };
    world.add(setup(0, BERT), (a_tx, a_rx), Party::default());
    world.add(setup(1, ANNA), (b_tx, b_rx), Party { phase_ns: 3 * MS, ..Party::default() });
    if kinds[0] != kinds[1] {
        // What one sends the other has to understand.
        for n in 0..2 {
            listen(&mut world.ends[n], kinds[1 - n], rate);
        }
    }
    (world, to_bert, said)
}

/// Codecs that an engine of 48 kHz runs too: one of each rate, with a clock of its own or the same.
const RESAMPLED: [CodecKind; 5] =
    [CodecKind::Pcmu, CodecKind::OpusNarrowband, CodecKind::G722, CodecKind::L16_16, CodecKind::L16_44];

fn payload_type(kind: CodecKind) -> u8 {
    kind.payload_type().unwrap_or(96)
}

fn listen(end: &mut Endpoint, kind: CodecKind, rate: u32) {
    let format = RxFormat::new(kind, payload_type(kind)).unwrap().at_rate(rate).unwrap();
    end.control.rx(RxCommand::SetFormat(Box::new(format))).unwrap();
}

fn speak(end: &mut Endpoint, kind: CodecKind, packet_ms: u32, rate: u32) {
    let format = TxFormat::new(kind, payload_type(kind), packet_ms).unwrap().at_rate(rate).unwrap();
    end.control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
}

/// How alike what was heard is to what was said, at the delay that suits best.
fn alike(said: &[i16], heard: &[i16], rate: u32) -> f64 {
    let second = rate as usize;
    let lag = lag_between(&said[second..2 * second], heard, 0..=3 * i64::from(rate));
    lag.map_or(0.0, |lag| lag.correlation)
}

/// What a codec may do to a voice. Opus and GSM keep how it sounds rather than its waveform.
fn least(kind: CodecKind) -> f64 {
    match kind {
        CodecKind::Opus | CodecKind::OpusWideband | CodecKind::OpusNarrowband => 0.8,
        CodecKind::Gsm | CodecKind::G726_16 | CodecKind::Aal2G726_16 => 0.85,
        CodecKind::G726_24 | CodecKind::Aal2G726_24 => 0.93,
        _ => 0.97,
    }
}

#[test]
fn every_codec_carries_a_voice_at_its_own_rate_and_at_the_engines() {
    for &kind in CodecKind::ALL {
        let own = kind.sample_rate();
        for rate in [own, 48_000].into_iter().take(if RESAMPLED.contains(&kind) { 2 } else { 1 }) {
            let ms = if matches!(kind, CodecKind::L16_48 | CodecKind::L16_44) { 10 } else { 20 };
            let (mut world, _, said) = call([kind; 2], ms, rate, LinkConfig::perfect(at(ANNA)));
            world.run_ms(2_400);
            for (n, end) in world.ends.iter().enumerate() {
                let likeness = alike(&said[1 - n], &end.heard, rate);
                let (tx, rx) = (end.control.meters().tx(), end.control.meters().rx());
                assert!(likeness > least(kind), "{kind:?} at {rate} Hz: {likeness} {rx:#?}");
                assert_eq!((tx.encode_failed, tx.formats_refused, rx.formats_refused), (0, 0, 0), "{kind:?}");
                assert_eq!((rx.playout.packets_malformed, rx.receiver.lost()), (0, 0), "{kind:?}");
                // A filter may hold back a packet's end; the clock counts what RFC 3551 says it counts.
                let packets = 2_400 / u64::from(ms);
                assert!((packets - 1..=packets).contains(&tx.packets_sent), "{kind:?}: {}", tx.packets_sent);
                let ticks = tx.sender.last_timestamp.wrapping_sub(0xFFFF_FF00);
                assert_eq!(
                    u64::from(ticks),
                    (tx.packets_sent - 1) * u64::from(kind.clock_rate() * ms / 1_000)
                );
            }
        }
    }
}

#[test]
fn opus_packets_last_from_two_and_a_half_to_a_hundred_and_twenty_milliseconds() {
    for (ms, samples) in [(3, 120), (5, 240), (10, 480), (40, 1_920), (60, 2_880), (120, 5_760)] {
        let (mut world, _, said) = call([CodecKind::Opus; 2], ms, 48_000, LinkConfig::perfect(at(ANNA)));
        world.run_ms(3_000);
        let likeness = alike(&said[0], &world.ends[1].heard, 48_000);
        assert!(likeness > 0.8, "{ms} ms: {likeness}");
        let sent = world.ends[0].control.meters().tx().packets_sent;
        assert!(sent.abs_diff(3_000 * 48 / samples) <= 1, "{ms} ms: {sent}");
    }
}

#[test]
fn both_directions_have_codecs_of_their_own_and_change_them_in_the_middle() {
    let rate = 48_000;
    let kinds = [CodecKind::Opus, CodecKind::G722];
    let (mut world, _, said) = call(kinds, 20, rate, LinkConfig::perfect(at(ANNA)));
    world.run_ms(2_100);
    for n in 0..2 {
        assert!(alike(&said[1 - n], &world.ends[n].heard, rate) > 0.8, "before");
    }
    // Another clock and another rate of samples each.
    let after = [CodecKind::Pcma, CodecKind::Opus];
    for (n, kind) in after.into_iter().enumerate() {
        listen(&mut world.ends[1 - n], kind, rate);
        speak(&mut world.ends[n], kind, 10, rate);
    }
    world.run_ms(1_900);
    for n in 0..2 {
        let heard = &world.ends[n].heard;
        let said = &said[1 - n][5 * rate as usize / 2..][..rate as usize];
        let lag = lag_between(said, heard, 0..=4 * i64::from(rate)).unwrap();
        assert!(lag.correlation > 0.8, "after: {lag:?}");
        let rx = world.ends[n].control.meters().rx();
        assert_eq!(rx.receiver.sources, 1, "one source all along");
    }
}

#[test]
fn an_expected_codec_takes_over_with_its_first_packet_and_nothing_is_dropped() {
    let expect = |end: &mut Endpoint, kind: CodecKind, rate| {
        let format = RxFormat::new(kind, payload_type(kind)).unwrap().at_rate(rate).unwrap();
        end.control.rx(RxCommand::ExpectFormat(Box::new(format))).unwrap();
    };
    let rate = 16_000;
    let (mut world, _, _) = call([CodecKind::Pcma; 2], 20, rate, LinkConfig::perfect(at(ANNA)));
    let run = |world: &mut World, ms: u64| {
        for _ in 0..2 * ms / 10 {
            assert_no_alloc(|| world.driver.step());
            world.ends.iter_mut().for_each(Endpoint::pump);
        }
        world.ends[1].control.meters().rx()
    };
    run(&mut world, 500);
    // Another rate of samples; the old codec goes on for 300 ms.
    expect(&mut world.ends[1], CodecKind::G722, rate);
    let before = run(&mut world, 300);
    assert_eq!((before.receiver.wrong_payload_type, before.playout.samples_concealed), (0, 0), "{before:#?}");
    speak(&mut world.ends[0], CodecKind::G722, 20, rate);
    let after = run(&mut world, 300);
    assert_eq!((after.receiver.wrong_payload_type, after.receiver.lost()), (0, 0), "{after:#?}");
    assert!(after.playout.samples_decoded >= 14 * 320, "a playout of its own: {after:#?}");
    // One that is expected and does not come, and another in its place; then a decoder for that; then what plays already.
    expect(&mut world.ends[1], CodecKind::L16_16, rate);
    expect(&mut world.ends[1], CodecKind::Pcma, rate);
    let decoder = RxCommand::ExpectDecoder(CodecKind::Pcmu.decoder().unwrap(), PayloadTypes::NONE.with(0));
    world.ends[1].control.rx(decoder).unwrap();
    let refused = RxCommand::ExpectDecoder(CodecKind::G722.decoder().unwrap(), PayloadTypes::NONE.with(9));
    world.ends[1].control.rx(refused).unwrap();
    let waiting = run(&mut world, 200);
    assert_eq!((waiting.formats_refused, waiting.receiver.wrong_payload_type), (1, 0), "{waiting:#?}");
    speak(&mut world.ends[0], CodecKind::Pcmu, 20, rate);
    let after = run(&mut world, 200);
    assert_eq!((after.receiver.wrong_payload_type, after.receiver.lost()), (0, 0), "{after:#?}");
    expect(&mut world.ends[1], CodecKind::L16_16, rate);
    expect(&mut world.ends[1], CodecKind::Pcmu, rate);
    let last = run(&mut world, 300);
    assert!(last.playout.samples_decoded >= 13 * 160, "at once, and nothing else is waited for: {last:#?}");
    speak(&mut world.ends[0], CodecKind::L16_16, 20, rate);
    assert!(run(&mut world, 100).receiver.wrong_payload_type > 3);
    assert!(world.ends[1].control.is_settled());
}

#[test]
fn no_codec_allocates_in_a_call_that_loses_packets() {
    for &kind in CodecKind::ALL {
        let there =
            LinkConfig { delay_ns: 20 * MS, jitter_ns: 40 * MS, loss: 0.15, ..LinkConfig::perfect(at(ANNA)) };
        let ms = if matches!(kind, CodecKind::L16_48 | CodecKind::L16_44) { 10 } else { 20 };
        let (mut world, to_bert, _) =
            call([kind; 2], ms, if RESAMPLED.contains(&kind) { 48_000 } else { kind.sample_rate() }, there);
        for _ in 0..400 {
            assert_no_alloc(|| world.driver.step());
            world.ends.iter_mut().for_each(Endpoint::pump);
        }
        assert!(to_bert.counts().lost > 5, "{kind:?}");
        let rx = world.ends[1].control.meters().rx();
        assert!(rx.playout.samples_decoded > 0, "{kind:?}: {rx:?}");
    }
}

#[test]
fn a_codec_that_does_not_run_passes_through_both_ways() {
    let rate = 8_000;
    let (mut world, _, _) = call([CodecKind::Pcma; 2], 20, rate, LinkConfig::perfect(at(ANNA)));
    world.run_ms(500);
    let kind = CodecKind::G729;
    assert!(!kind.is_runnable() && TxFormat::new(kind, 18, 20).is_err() && RxFormat::new(kind, 18).is_err());
    let (mut sender, injector) = packet_injector(25);
    let (mut reader, tap) = packet_tap(250);
    let format = TxFormat::passed_through(kind, 18, 160).at_rate(rate).unwrap();
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
    world.ends[0].control.tx(TxCommand::SetPacketInjector(injector)).unwrap();
    let decoder = Box::new(offhook_engine::PassedThrough::new(kind));
    let types = offhook_rtp::PayloadTypes::NONE.with(18);
    world.ends[1].control.rx(RxCommand::SetDecoder(decoder, types)).unwrap();
    world.ends[1].control.rx(RxCommand::SetPacketTap(tap)).unwrap();
    // What is made up in place of the voice that stopped fades out; then there is silence and nothing but.
    let faded = (1..=40).find(|_| {
        world.ends[1].heard.clear();
        world.run_ms(10);
        world.ends[1].heard.iter().all(|sample| *sample == 0)
    });
    assert!(faded.is_some(), "concealment ends");
    world.ends[1].heard.clear();
    for n in 0..10u8 {
        let header = RtpHeader {
            marker: false,
            payload_type: 18,
            sequence_number: u16::from(n),
            timestamp: 160 * u32::from(n),
            ssrc: 0,
        };
        let mut packet = header.to_bytes().to_vec();
        packet.extend_from_slice(&[n; 20]);
        sender.send(&packet).unwrap();
        world.run_ms(20);
    }
    world.run_ms(200);
    let packets: Vec<Vec<u8>> =
        std::iter::from_fn(|| reader.read().map(|packet| packet.view.payload().to_vec())).collect();
    assert_eq!(packets, (0..10).map(|n| vec![n; 20]).collect::<Vec<_>>());
    let rx = world.ends[1].control.meters().rx();
    assert_eq!((rx.receiver.lost(), rx.playout.packets_malformed), (0, 0), "{rx:?}");
    assert!(world.ends[1].heard.iter().all(|sample| *sample == 0), "nothing of it is taken for sound");
}

#[test]
fn jitter_of_g722_is_told_in_the_clock_that_its_sender_counts_by() {
    for ticks in [160u32, 320] {
        let rate = 16_000;
        let (mut world, _, _) = call([CodecKind::G722; 2], 20, rate, LinkConfig::perfect(at(ANNA)));
        let (mut sender, injector) = packet_injector(25);
        world.ends[0].control.tx(TxCommand::SetPacketInjector(injector)).unwrap();
        for n in 0..100u16 {
            let header = RtpHeader {
                marker: false,
                payload_type: 9,
                sequence_number: n,
                timestamp: ticks * u32::from(n),
                ssrc: 0,
            };
            let mut packet = header.to_bytes().to_vec();
            packet.extend([0x55; 160]);
            sender.send(&packet).unwrap();
            world.run_ms(20);
        }
        let rx = world.ends[1].control.meters().rx();
        assert!(rx.jitter_ms() < 1.0, "{ticks} ticks: {rx:#?}");
        assert_eq!(rx.receiver.clock_rate, ticks * 50, "{rx:#?}");
        assert!(rx.receiver.jitter <= ticks / 20, "in a report block: {rx:#?}");
        assert_eq!(rx.playout.packets_late, 0);
    }
}

#[test]
fn pauses_are_described_now_and_then_and_speech_after_them_bears_the_marker() {
    for kind in [CodecKind::Pcmu, CodecKind::G722] {
        let rate = 8_000;
        let mut world = World::new();
        let (a_tx, b_rx, _) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
        let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
        // A voice, three seconds of faint noise, the voice again.
        let mut seed = 9u32;
        let mut said = spoken(3);
        said.extend((0..3 * rate as usize).map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 16) as i16) / 1_500
        }));
        said.extend(spoken(3));
        let setup = Setup { kind, config: EngineConfig::new(rate), ..Setup::new(said, BERT, 1) };
        world.add(setup, (a_tx, a_rx), Party::default());
        let setup = Setup { kind, config: EngineConfig::new(rate), ..Setup::new(Vec::new(), ANNA, 2) };
        world.add(setup, (b_tx, b_rx), Party { phase_ns: MS, ..Party::default() });
        let format = TxFormat::new(kind, payload_type(kind), 20).unwrap().at_rate(rate).unwrap();
        let format = format.with_comfort_noise(13).unwrap();
        let hears = RxFormat::new(kind, payload_type(kind)).unwrap().at_rate(rate).unwrap();
        let hears = Box::new(hears.with_comfort_noise(13));
        world.ends[1].control.rx(RxCommand::SetFormat(hears)).unwrap();
        let (mut reader, tap) = packet_tap(1_000);
        let control = &mut world.ends[0].control;
        control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
        control.tx(TxCommand::SetPacketTap(tap)).unwrap();
        for _ in 0..2 * 9_000 / 10 {
            assert_no_alloc(|| world.driver.step());
            world.ends.iter_mut().for_each(Endpoint::pump);
        }
        let mut packets: Vec<(u8, bool, u32, usize)> = Vec::new();
        while let Some(packet) = reader.read() {
            let view = packet.view;
            packets.push((view.payload_type(), view.marker(), view.timestamp(), view.payload().len()));
        }
        let noise = packets.iter().filter(|(number, ..)| *number == 13);
        let (octets, count) = noise.fold((0, 0), |(octets, count), (.., len)| (octets.max(*len), count + 1));
        assert!(
            (2..40).contains(&count) && (1..=13).contains(&octets),
            "{kind:?}: {count} of {octets} octets"
        );
        assert_eq!(world.ends[0].control.meters().tx().noise_packets, count);
        // Two seconds and more of the pause were not sent, and time went on.
        assert!(packets.len() < 9 * 50 - 100, "{kind:?}: {}", packets.len());
        let gaps = packets.windows(2).filter(|pair| pair[1].2.wrapping_sub(pair[0].2) > 160);
        for pair in gaps {
            assert_eq!(pair[1].1, pair[1].0 != 13, "{kind:?}: the marker says that speech begins: {pair:?}");
        }
        let last = packets.last().unwrap();
        let lasts = last.2.wrapping_sub(packets[0].2);
        assert!(lasts > 8 * 8_000, "{kind:?}: {lasts} ticks");
        // In the pause the far end hears noise like it, which has a root mean square of 12.
        let rms = |piece: &[i16]| {
            (piece.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / piece.len() as f64).sqrt()
        };
        let level = rms(&world.ends[1].heard[4 * 8_000..5 * 8_000]);
        assert!((4.0..40.0).contains(&level), "{kind:?}: {level}");
        let rx = world.ends[1].control.meters().rx();
        assert_eq!((rx.receiver.wrong_payload_type, rx.receiver.lost()), (0, 0), "{kind:?}: {rx:?}");
        assert!(rx.playout.samples_noise > 2 * 8_000, "{kind:?}: {:?}", rx.playout);
    }
}

/// The first seconds of a recorded voice, 8 kHz: the detector of speech is not to be fooled by harmonics.
fn spoken(seconds: usize) -> Vec<i16> {
    let wav = include_bytes!("../../../samples/speech/alice.wav");
    let data = wav.windows(4).position(|tag| tag == b"data").unwrap() + 8;
    let samples = wav[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    samples.take(seconds * 8_000).collect()
}
