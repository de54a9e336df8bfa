//! A perfect network and one clock: what is heard is what was sent, sample for sample.

mod common;

use common::{MS, RATE, packets, playout, run, speech};
use offhook_codecs::CodecKind;
use offhook_jitter::PlayoutConfig;

/// Delay in samples from the source to what is heard, if it is the same throughout.
fn constant_delay(source: &[i16], heard: &[i16], begins: usize) -> Option<usize> {
    (0..RATE).find(|delay| {
        heard.len() > delay + begins
            && heard[*delay..].iter().zip(source).all(|(heard, source)| heard == source)
            && heard.len() - delay > source.len() / 2
    })
}

#[test]
fn every_packet_length_and_pull_length_gives_the_source_after_a_small_constant_delay() {
    let source = speech(RATE * 20);
    for packet_ms in [10, 20, 30, 60] {
        for pull in [32, 40, 80, 120, 128, 160, 240, 320, 441] {
            for transit_us in [0, 300, 5_000, 9_999, 13_700, 50_428] {
                let packet = packet_ms * RATE / 1_000;
                let arrivals =
                    packets(&source, packet, (65_500, u32::MAX - 9_000), |_| Some(transit_us * 1_000));
                let mut playout = playout(PlayoutConfig::for_codec(CodecKind::Pcmu));
                let heard = run(&mut playout, &arrivals, 19_000 * MS, 0.0, |_| pull);
                let what =
                    format!("packets of {packet_ms} ms, pulls of {pull} samples, transit {transit_us} µs");
                let stats = heard.stats;
                assert_eq!(stats.samples_concealed, 0, "{what}");
                assert_eq!(stats.samples_expanded + stats.samples_accelerated, 0, "{what}");
                let delay = constant_delay(&source, &heard.samples, packet).expect(&what);
                // The packet, the way, and at most: a millisecond, two pulls (one to meet, one if they never meet
                // packets' borders).
                let most = packet + (transit_us as usize + 1_000) * RATE / 1_000_000 + 2 * pull + 2;
                assert!(delay <= most, "{what}: {delay} > {most} samples");
            }
        }
    }
}

#[test]
fn timestamps_of_pulls_follow_the_sound() {
    let source = speech(RATE * 4);
    let arrivals = packets(&source, 160, (1, u32::MAX - 1_000), |_| Some(20 * MS));
    let mut playout = playout(PlayoutConfig::for_codec(CodecKind::Pcmu));
    let heard = run(&mut playout, &arrivals, 3_900 * MS, 0.0, |_| 80);
    let mut expected = None;
    for pulled in &heard.pulls {
        if pulled.decoded == 0 {
            assert!(expected.is_none());
            continue;
        }
        let timestamp = pulled.timestamp.unwrap();
        assert_eq!(timestamp, expected.unwrap_or(u32::MAX - 1_000));
        expected = Some(timestamp.wrapping_add(80));
    }
    assert!(expected.is_some());
}

#[test]
fn empty_and_one_octet_payloads_are_ignored_quietly() {
    let source = speech(RATE * 4);
    let mut arrivals = packets(&source, 160, (1, 0), |_| Some(20 * MS));
    let mut odd = arrivals.clone();
    for (n, arrival) in odd.iter_mut().enumerate() {
        arrival.payload.truncate(n % 2);
        // Senders number these as they like.
        arrival.sequence = arrival.sequence.wrapping_add(n as u16 * 7);
        arrival.arrival_ns += MS;
    }
    arrivals.extend(odd);
    arrivals.sort_by_key(|arrival| arrival.arrival_ns);
    let mut playout = playout(PlayoutConfig::for_codec(CodecKind::Pcmu));
    let heard = run(&mut playout, &arrivals, 3_900 * MS, 0.0, |_| 80);
    assert!(constant_delay(&source, &heard.samples, 160).is_some());
    assert!(heard.stats.packets_malformed > 190);
    assert_eq!(heard.stats.samples_concealed + heard.stats.resets, 0);
}

#[test]
fn packets_of_changing_length_follow_each_other_without_a_seam() {
    let source = speech(RATE * 6);
    let mut arrivals = Vec::new();
    let (mut at, mut sequence) = (0, 400u16);
    while at + 480 < source.len() {
        let length = [80, 160, 240, 480][usize::from(sequence) / 20 % 4];
        let mut packet = packets(&source[at..at + length], length, (sequence, at as u32), |_| Some(0));
        at += length;
        packet[0].arrival_ns = at as u64 * 125_000 + 10 * MS;
        sequence = sequence.wrapping_add(1);
        arrivals.append(&mut packet);
    }
    // A store that already waits for the longest.
    let config = PlayoutConfig { min_delay_ms: 60, ..PlayoutConfig::for_codec(CodecKind::Pcmu) };
    let heard = run(&mut playout(config), &arrivals, 5_000 * MS, 0.0, |_| 80);
    assert_eq!(heard.stats.samples_concealed, 0);
    assert!(constant_delay(&source, &heard.samples, 480).is_some(), "{:?}", heard.stats);
}
