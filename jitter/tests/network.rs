//! Networks that are not perfect: drift, loss, bursts, reordering, duplicates, jumps; and traces as snapshots.

mod common;

use common::{Arrival, MS, RATE, Random, packets, playout, run, speech};
use offhook_codecs::CodecKind;
use offhook_jitter::{Insert, PacketKind, PlayoutConfig, PlayoutPacket, ResetReason};

const PACKET: usize = 160;

fn config() -> PlayoutConfig {
    PlayoutConfig::for_codec(CodecKind::Pcmu)
}

#[test]
fn drifting_clocks_are_absorbed_by_stretching_alone() {
    let source = speech(RATE * 300);
    for ppm in [-200.0, 200.0] {
        for jitter_us in [0, 2_000] {
            let mut random = Random(11);
            let arrivals = packets(&source, PACKET, (0, 0), |_| {
                Some(20 * MS + (random.unit() * f64::from(jitter_us) * 1e3) as u64)
            });
            let heard = run(&mut playout(config()), &arrivals, 290_000 * MS, ppm, |_| 80);
            let stats = heard.stats;
            println!(
                "{ppm:+} ppm, jitter {jitter_us} µs: concealed {} accelerated {} expanded {} delay at most {} µs",
                stats.samples_concealed,
                stats.samples_accelerated,
                stats.samples_expanded,
                stats.max_delay_us
            );
            assert_eq!(stats.samples_concealed, 0);
            assert_eq!(stats.packets_late + stats.packets_discarded, 0);
            // 290 s of 200 ppm are 58 ms.
            let stretched = stats.samples_expanded as i64 - stats.samples_accelerated as i64;
            let drifted = (ppm * 1e-6 * 290.0 * RATE as f64) as i64;
            assert!((stretched - drifted).abs() < 160, "{stretched} of {drifted} samples");
            assert!(stats.max_delay_us <= 50_000);
        }
    }
}

#[test]
fn a_lost_packet_is_concealed_for_its_length_and_nothing_shifts() {
    let source = speech(RATE * 10);
    let lost = |n: usize| n % 37 == 20;
    let arrivals = packets(&source, PACKET, (0, 0), |n| (!lost(n)).then_some(20 * MS));
    let heard = run(&mut playout(config()), &arrivals, 9_500 * MS, 0.0, |_| 80);
    let events = (0..470).filter(|n| lost(*n)).count() as u64;
    assert!(heard.stats.concealment_events.abs_diff(events) <= 1);
    assert_eq!(heard.stats.samples_concealed, heard.stats.concealment_events * PACKET as u64);
    assert_eq!(heard.stats.samples_expanded + heard.stats.samples_accelerated, 0);
    // Away from the losses, the source at one delay.
    let delay = (0..RATE).find(|delay| heard.samples[*delay..delay + 3_000] == source[..3_000]).unwrap();
    let same = source.iter().zip(&heard.samples[delay..]).filter(|(a, b)| a == b).count();
    assert!(same > (heard.samples.len() - delay) * 94 / 100);
}

#[test]
fn a_packet_that_comes_late_is_played_late_and_the_delay_returns() {
    let source = speech(RATE * 20);
    // One stall of 150 ms after 5 s; what was held comes at once.
    let arrivals = packets(&source, PACKET, (0, 0), |n| {
        let sent = (n as u64 + 1) * 20 * MS;
        let freed = 5_150 * MS;
        Some(20 * MS + if (5_000 * MS..freed).contains(&sent) { freed - sent } else { 0 })
    });
    let heard = run(&mut playout(config()), &arrivals, 19_000 * MS, 0.0, |_| 80);
    assert_eq!(heard.stats.packets_late + heard.stats.packets_discarded, 0);
    let made_up = heard.stats.samples_concealed
        + heard.pulls[50..].iter().map(|pulled| u64::from(pulled.silence)).sum::<u64>();
    assert!((1_000..=1_400).contains(&made_up), "{made_up}");
    let shortened = heard.stats.samples_accelerated + heard.stats.samples_left_out;
    assert!(shortened >= 800, "{:?}", heard.stats);
    assert!(heard.stats.delay_us <= 40_000, "{:?}", heard.stats);
}

#[test]
fn reordered_and_duplicated_packets_are_sorted_out() {
    let source = speech(RATE * 20);
    let mut random = Random(3);
    let mut arrivals =
        packets(&source, PACKET, (65_000, 0), |n| Some(if n % 9 == 4 { 45 * MS } else { 20 * MS }));
    let copies: Vec<Arrival> = arrivals.iter().filter(|_| random.unit() < 0.2).cloned().collect();
    let count = copies.len() as u64;
    arrivals.extend(copies.into_iter().map(|mut copy| {
        copy.arrival_ns += (random.unit() * 60e6) as u64;
        copy
    }));
    arrivals.sort_by_key(|arrival| arrival.arrival_ns);
    let heard = run(&mut playout(config()), &arrivals, 20_200 * MS, 0.0, |_| 80);
    assert!(heard.stats.packets_duplicate.abs_diff(count) <= 2, "{:?} {count}", heard.stats);
    // The first of them teach; then none is late.
    assert!(heard.stats.packets_late <= 2 && heard.stats.concealment_events <= 4, "{:?}", heard.stats);
}

#[test]
fn a_jump_of_the_stream_starts_anew_and_sounds_again() {
    let source = speech(RATE * 4);
    for (name, (sequence, timestamp)) in
        [("sequence", (30_000, 1_600_000)), ("timestamp", (100, 900_000_000)), ("both", (40_000, 7))]
    {
        let mut arrivals = packets(&source[..RATE], PACKET, (50, 800_000), |_| Some(20 * MS));
        let mut after = packets(&source[RATE..], PACKET, (sequence, timestamp), |_| Some(1_020 * MS));
        arrivals.append(&mut after);
        let heard = run(&mut playout(config()), &arrivals, 3_900 * MS, 0.0, |_| 80);
        assert_eq!(heard.stats.resets, 1, "{name}");
        let delay = (RATE..2 * RATE)
            .find(|at| heard.samples[*at..at + RATE] == source[RATE + 1_000..2 * RATE + 1_000])
            .unwrap_or_else(|| panic!("{name}: the new stream is not heard"));
        assert!(delay < RATE + 1_000 + 800, "{name}");
    }
}

#[test]
fn a_jump_is_told_and_a_single_stray_packet_is_not_one() {
    let mut playout = playout(config());
    let mut insert = |sequence, timestamp, ms: u64| {
        playout.insert(PlayoutPacket {
            sequence,
            timestamp,
            kind: PacketKind::Sound,
            marker: false,
            payload: &[0xFF; 160],
            arrival_ns: ms * MS,
        })
    };
    assert_eq!(insert(10, 1_000, 0), Insert::Queued);
    assert_eq!(insert(10, 1_000, 1), Insert::Duplicate);
    assert_eq!(insert(40_000, 5, 10), Insert::Late);
    assert_eq!(insert(11, 1_160, 20), Insert::Queued);
    assert_eq!(insert(50_000, 77, 30), Insert::Late);
    assert_eq!(insert(50_001, 237, 50), Insert::Reset(ResetReason::Sequence));
    assert_eq!(insert(50_002, 397, 70), Insert::Queued);
    assert_eq!(insert(50_003, 1 << 30, 90), Insert::Reset(ResetReason::Timestamp));
}

#[test]
fn a_pause_of_the_sender_is_silence_and_the_next_words_are_whole() {
    let source = speech(RATE * 12);
    // Silence suppression: nothing from 2 to 5 s; the timestamps go on.
    let arrivals = packets(&source, PACKET, (0, 0), |n| (!(100..250).contains(&n)).then_some(20 * MS));
    let mut arrivals = arrivals;
    for (n, arrival) in arrivals.iter_mut().enumerate() {
        arrival.sequence = n as u16;
    }
    let heard = run(&mut playout(config()), &arrivals, 11_900 * MS, 0.0, |_| 80);
    let made_up = heard.stats.samples_concealed + heard.stats.samples_silence;
    assert!((24_000..24_000 + 1_200).contains(&(made_up as i64)), "{made_up}");
    assert!(heard.stats.samples_concealed <= 2_480, "300 ms: {:?}", heard.stats);
    assert_eq!(heard.stats.packets_late, 0);
    let (from, to) = (RATE * 5 + 100, RATE * 11);
    let there = (0..2_000).find(|delay| heard.samples[from + delay..to + delay] == source[from..to]);
    assert!(there.is_some(), "after the pause the source is heard at one delay");
}

#[test]
fn what_would_exceed_the_greatest_delay_is_dropped_and_the_sound_goes_on() {
    let source = speech(RATE * 10);
    let arrivals = packets(&source, PACKET, (0, 0), |n| {
        let sent = (n as u64 + 1) * 20 * MS;
        let freed = 3_600 * MS;
        Some(20 * MS + if (3_000 * MS..freed).contains(&sent) { freed - sent } else { 0 })
    });
    let heard =
        run(&mut playout(PlayoutConfig { max_delay_ms: 80, ..config() }), &arrivals, 9_000 * MS, 0.0, |_| 80);
    assert!((15..=30).contains(&heard.stats.packets_discarded), "{:?}", heard.stats);
    assert!(heard.stats.delay_us < 60_000 && heard.stats.resets == 0, "{:?}", heard.stats);
    // The delay may still move in the pauses: a fifth of a second at one delay.
    let is_heard = |from: usize| {
        let to = from + RATE / 5;
        (0..1_000).any(|delay| heard.samples[from + delay..to + delay] == source[from..to])
    };
    assert!((RATE * 6..RATE * 8).step_by(RATE / 5).filter(|from| is_heard(*from)).count() >= 7);
}

#[test]
fn a_full_store_lets_go_of_the_oldest() {
    let mut playout = playout(PlayoutConfig { max_packets: 8, ..config() });
    let source = speech(RATE);
    for (n, arrival) in packets(&source, PACKET, (0, 0), |_| Some(0)).iter().take(20).enumerate() {
        let fate = playout.insert(PlayoutPacket {
            sequence: arrival.sequence,
            timestamp: arrival.timestamp,
            kind: PacketKind::Sound,
            marker: false,
            payload: &arrival.payload,
            arrival_ns: arrival.arrival_ns,
        });
        assert_eq!(fate, if n < 8 { Insert::Queued } else { Insert::Overflow }, "packet {n}");
    }
    assert_eq!(playout.stats().packets_discarded, 12);
    let mut block = [0; 1_280];
    let pulled = playout.pull(450 * MS, &mut block);
    assert_eq!((pulled.decoded, pulled.timestamp), (1_280, Some(12 * 160)));
    assert_eq!(block, source[12 * PACKET..20 * PACKET]);
}

#[test]
fn a_store_without_room_for_more_octets_lets_go_of_the_oldest() {
    // Eight packets of 160 octets.
    let mut playout = playout(PlayoutConfig { max_payload: 160, max_octets: 1_280, ..config() });
    let source = speech(RATE);
    let sent = packets(&source, PACKET, (0, 0), |_| Some(0));
    let mut insert = |n: usize| {
        playout.insert(PlayoutPacket {
            sequence: sent[n].sequence,
            timestamp: sent[n].timestamp,
            kind: PacketKind::Sound,
            marker: false,
            payload: &sent[n].payload,
            arrival_ns: sent[n].arrival_ns,
        })
    };
    for n in (0..12).filter(|n| *n != 5) {
        assert_eq!(insert(n), if n < 9 { Insert::Queued } else { Insert::Overflow }, "packet {n}");
    }
    // 3, 4 and 6 to 11 wait: the fifth is in time, and costs the third.
    assert_eq!(insert(5), Insert::Overflow);
    assert_eq!(playout.stats().packets_discarded, 4);
    let mut block = [0; 1_280];
    let pulled = playout.pull(450 * MS, &mut block);
    assert_eq!((pulled.decoded, pulled.timestamp), (1_280, Some(4 * 160)));
    assert_eq!(block, source[4 * PACKET..12 * PACKET]);
}

#[test]
fn another_decoder_takes_over_and_the_old_one_comes_back() {
    let mut playout = playout(config());
    let old = playout.set_decoder(CodecKind::Pcma.decoder().unwrap()).ok().unwrap();
    assert_eq!(old.kind(), CodecKind::Pcmu);
    assert_eq!(playout.codec(), CodecKind::Pcma);
}
