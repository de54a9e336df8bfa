//! The receiver's verdicts: probation, sources, restarts, counters; the sender's numbering.

use offhook_rtp::{
    Accepted, Continuity, PacketizeError, PayloadTypes, Receipt, ReceiverConfig, ReceiverStats, Reject,
    RtpHeader, RtpReceiver, RtpSender, SenderConfig,
};
use proptest::prelude::*;

const MS: u64 = 1_000_000;

fn packet(ssrc: u32, sequence_number: u16, payload_type: u8) -> Vec<u8> {
    let timestamp = u32::from(sequence_number) * 160;
    let header = RtpHeader { marker: false, payload_type, sequence_number, timestamp, ssrc };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend([0xFF; 160]);
    bytes
}

fn accepted(receipt: Receipt<'_>) -> Accepted<'_> {
    match receipt {
        Receipt::Accept(accepted) => accepted,
        other => panic!("{other:?}"),
    }
}

fn latched(ssrc: u32) -> RtpReceiver {
    let payload_types = PayloadTypes::NONE.with(0).with(101);
    let mut receiver =
        RtpReceiver::new(ReceiverConfig { payload_types, own_ssrc: Some(7), ..ReceiverConfig::default() });
    for number in 1..=3 {
        receiver.receive(u64::from(number) * 20 * MS, &packet(ssrc, number, 0));
    }
    receiver
}

#[test]
fn the_first_packet_comes_back_on_probation_and_fits_before_the_next() {
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    let (first, second) = (packet(1, 65_535, 0), packet(1, 0, 0));
    let Receipt::Probation(held) = receiver.receive(0, &first) else { panic!("not on probation") };
    assert_eq!(receiver.stats().ssrc, None);
    let next = accepted(receiver.receive(20 * MS, &second));
    assert_eq!(next.continuity, Continuity::NewSource);
    assert_eq!(held.extended_sequence + 1, next.extended_sequence);
    assert_eq!(held.view.payload().len(), 160);
    let third = packet(1, 1, 0);
    assert_eq!(accepted(receiver.receive(40 * MS, &third)).continuity, Continuity::Continuous);
    let stats = receiver.stats();
    assert_eq!((stats.ssrc, stats.received, stats.lost(), stats.first_packet_ns), (Some(1), 3, 0, 0));
    assert_eq!((stats.accepted, stats.probation, stats.last_packet_ns), (2, 1, 40 * MS));
    assert_eq!((stats.confirmed, stats.octets), (1, 3 * 160), "the first counts as well");
}

#[test]
fn another_source_is_refused_while_the_latched_one_is_heard() {
    let mut receiver = latched(1);
    for number in 500..520 {
        let stranger = packet(2, number, 0);
        assert_eq!(receiver.receive(70 * MS, &stranger), Receipt::Reject(Reject::ForeignSource(2)));
    }
    let known = packet(1, 4, 0);
    accepted(receiver.receive(80 * MS, &known));
    assert_eq!((receiver.stats().foreign_source, receiver.stats().sources), (20, 1));
}

#[test]
fn another_source_takes_over_after_the_latched_one_fell_silent() {
    let mut receiver = latched(1);
    let (first, second) = (packet(2, 900, 0), packet(2, 901, 0));
    assert!(matches!(receiver.receive(300 * MS, &first), Receipt::Probation(_)));
    let taken = accepted(receiver.receive(320 * MS, &second));
    assert_eq!(taken.continuity, Continuity::NewSource);
    let stats = receiver.stats();
    assert_eq!((stats.ssrc, stats.epoch, stats.sources, stats.received), (Some(2), 2, 2, 2));
}

#[test]
fn an_announced_change_needs_no_silence_but_the_old_source_plays_until_then() {
    let mut receiver = latched(1);
    receiver.expect_source_change();
    let (a, b, c) = (packet(2, 900, 0), packet(1, 4, 0), packet(2, 901, 0));
    assert!(matches!(receiver.receive(70 * MS, &a), Receipt::Probation(_)));
    assert_eq!(accepted(receiver.receive(80 * MS, &b)).continuity, Continuity::Continuous);
    assert_eq!(accepted(receiver.receive(90 * MS, &c)).continuity, Continuity::NewSource);
    let late = packet(1, 5, 0);
    assert_eq!(receiver.receive(100 * MS, &late), Receipt::Reject(Reject::ForeignSource(1)));
}

#[test]
fn the_same_ssrc_from_another_address_is_another_source_and_needs_no_silence_of_the_first() {
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    let (here, there) = ("10.0.0.1:5004".parse().unwrap(), "10.0.0.1:9".parse().unwrap());
    let packets = [1, 2, 3, 4].map(|number| packet(1, number, 0));
    receiver.receive_from(here, 0, &packets[0]);
    accepted(receiver.receive_from(here, 20 * MS, &packets[1]));
    assert!(matches!(receiver.receive_from(there, 30 * MS, &packets[2]), Receipt::Probation(_)));
    assert_eq!(
        accepted(receiver.receive_from(here, 40 * MS, &packets[2])).continuity,
        Continuity::Continuous
    );
    let taken = accepted(receiver.receive_from(there, 50 * MS, &packets[3]));
    assert_eq!(taken.continuity, Continuity::NewSource);
    assert_eq!((receiver.stats().sources, receiver.stats().received), (2, 2));
    let other = packet(2, 1, 0);
    assert_eq!(
        receiver.receive_from(there, 60 * MS, &other),
        Receipt::Reject(Reject::ForeignSource(2)),
        "the same address waits as ever"
    );
}

#[test]
fn a_flood_of_identifiers_does_not_keep_the_true_source_from_latching() {
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    for tick in 0..3_u32 {
        let true_one = packet(1, tick as u16, 0);
        if let Receipt::Accept(one) = receiver.receive(u64::from(tick) * 20 * MS, &true_one) {
            assert_eq!(one.view.ssrc(), 1);
        }
        for other in 0..3 {
            let stray = packet(1000 + tick * 10 + other, 77, 0);
            receiver.receive(u64::from(tick) * 20 * MS + MS, &stray);
        }
    }
    assert_eq!(receiver.stats().ssrc, Some(1));
}

#[test]
fn a_restarted_numbering_is_told_and_its_first_packet_is_held() {
    let mut receiver = latched(1);
    let (first, second) = (packet(1, 50_000, 0), packet(1, 50_001, 0));
    let Receipt::Probation(held) = receiver.receive(100 * MS, &first) else { panic!("not held") };
    let next = accepted(receiver.receive(120 * MS, &second));
    assert_eq!(next.continuity, Continuity::Restarted);
    assert_eq!(held.extended_sequence + 1, next.extended_sequence);
    assert_eq!(held.extended_timestamp + 160, next.extended_timestamp);
    let stats = receiver.stats();
    assert_eq!((stats.restarts, stats.epoch, stats.sources, stats.lost()), (1, 2, 1, 0));
}

#[test]
fn a_payload_type_not_agreed_is_refused_but_is_no_loss() {
    let mut receiver = latched(1);
    let (noise, event) = (packet(1, 4, 13), packet(1, 5, 101));
    assert_eq!(receiver.receive(80 * MS, &noise), Receipt::Reject(Reject::PayloadType(13)));
    accepted(receiver.receive(100 * MS, &event));
    let stats = receiver.stats();
    assert_eq!((stats.wrong_payload_type, stats.received, stats.lost(), stats.gaps), (1, 5, 0, 0));
}

#[test]
fn a_restart_that_falls_on_a_refused_packet_is_told_by_the_next_accepted_one() {
    let mut receiver = latched(1);
    let (first, noise, next) = (packet(1, 50_000, 0), packet(1, 50_001, 13), packet(1, 50_002, 0));
    assert!(matches!(receiver.receive(80 * MS, &first), Receipt::Probation(_)));
    assert_eq!(receiver.receive(100 * MS, &noise), Receipt::Reject(Reject::PayloadType(13)));
    assert_eq!(accepted(receiver.receive(120 * MS, &next)).continuity, Continuity::Restarted);
    assert_eq!(receiver.stats().restarts, 1);
}

#[test]
fn a_source_of_unknown_payload_type_is_never_latched() {
    let mut receiver = RtpReceiver::new(ReceiverConfig {
        payload_types: PayloadTypes::NONE.with(0),
        ..ReceiverConfig::default()
    });
    for number in 0..10 {
        let bytes = packet(1, number, 8);
        assert_eq!(receiver.receive(0, &bytes), Receipt::Reject(Reject::PayloadType(8)));
    }
    assert_eq!((receiver.stats().ssrc, receiver.stats().wrong_payload_type), (None, 10));
}

#[test]
fn our_own_source_is_refused_and_counted() {
    let mut receiver = latched(1);
    let own = packet(7, 4, 0);
    assert_eq!(receiver.receive(80 * MS, &own), Receipt::Reject(Reject::OwnSource));
    assert_eq!(receiver.stats().own_source, 1);
}

#[test]
fn duplicates_and_late_packets_are_told_apart() {
    let mut receiver = latched(1);
    let (fifth, fourth) = (packet(1, 5, 0), packet(1, 4, 0));
    accepted(receiver.receive(100 * MS, &fifth));
    assert_eq!(receiver.stats().lost(), 1);
    assert!(accepted(receiver.receive(101 * MS, &fourth)).is_late);
    assert_eq!(receiver.receive(102 * MS, &fourth), Receipt::Reject(Reject::Duplicate));
    let stats = receiver.stats();
    assert_eq!((stats.out_of_order, stats.duplicates, stats.gaps, stats.lost()), (1, 1, 1, -1));
}

#[test]
fn extended_timestamps_follow_the_wrap_both_ways() {
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    let at = |number: u16, timestamp: u32| {
        let header = RtpHeader { sequence_number: number, timestamp, ssrc: 1, ..RtpHeader::default() };
        header.to_bytes()
    };
    let mut seen = Vec::new();
    for (number, timestamp) in [(1, u32::MAX - 159), (2, 0), (4, 320), (3, 160)] {
        let bytes = at(number, timestamp);
        match receiver.receive(u64::from(number) * 20 * MS, &bytes) {
            Receipt::Accept(packet) | Receipt::Probation(packet) => seen.push(packet.extended_timestamp),
            Receipt::Reject(reason) => panic!("{reason:?}"),
        }
    }
    assert_eq!(seen, [2 * (1 << 32) - 160, 2 * (1 << 32), 2 * (1 << 32) + 320, 2 * (1 << 32) + 160]);
    assert_eq!(receiver.stats().jitter, 0);
}

#[test]
fn jitter_ignores_repeated_timestamps_and_clock_steps() {
    let mut jitter = offhook_rtp::InterarrivalJitter::new(8000);
    for tick in 0..100_u32 {
        jitter.update(u64::from(tick) * 20 * MS, tick * 160);
        // A telephone-event's updates repeat the timestamp.
        jitter.update(u64::from(tick) * 20 * MS + 9 * MS, tick * 160);
    }
    assert_eq!(jitter.value(), 0);
    // The host slept for an hour; the peer's clock jumped.
    jitter.update(3_600_000 * MS, 101 * 160);
    jitter.update(3_600_020 * MS, 102 * 160);
    jitter.update(3_600_040 * MS, 1_000_000_000);
    assert_eq!(jitter.value(), 0);
}

#[test]
fn jitter_of_less_than_a_tick_of_the_clock_is_measured() {
    let mut jitter = offhook_rtp::InterarrivalJitter::new(8000);
    // Every other packet is 50 µs late; a tick is 125 µs.
    for tick in 0..500_u32 {
        let late_ns = u64::from(tick % 2) * 50_000;
        jitter.update(u64::from(tick) * 20 * MS + late_ns, tick * 160);
    }
    assert!(jitter.nanoseconds().abs_diff(50_000) < 100, "{}", jitter.nanoseconds());
}

#[test]
fn jitter_is_that_of_the_appendix_across_both_clocks_wraps() {
    // 10 ms early and late in turn, with arrival clock and timestamp about to wrap.
    let mut jitter = offhook_rtp::InterarrivalJitter::new(8000);
    let mut reference = 0_f64;
    for tick in 0..200_u64 {
        let swing = if tick % 2 == 0 { 0 } else { 10 * MS };
        let arrival_ns = (u64::MAX - 1_000 * MS).wrapping_add(tick * 20 * MS + swing);
        jitter.update(arrival_ns, (u32::MAX - 8000).wrapping_add(tick as u32 * 160));
        if tick > 0 {
            reference += (80.0 - reference) / 16.0;
        }
    }
    assert!((f64::from(jitter.value()) - reference).abs() <= 1.0, "{} for {reference}", jitter.value());
}

#[test]
fn a_sender_numbers_stamps_and_counts_what_it_sends() {
    let mut sender = RtpSender::new(SenderConfig {
        ssrc: 0x0102_0304,
        first_sequence_number: u16::MAX,
        first_timestamp: u32::MAX - 79,
        payload_type: 8,
        clock_rate: 8000,
    });
    let mut out = [0; 64];
    assert_eq!(sender.packetize(&[1; 40], 80, true, 1000, &mut out), Ok(52));
    assert_eq!(out[..12], [0x80, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xB0, 1, 2, 3, 4]);
    assert_eq!(out[12..52], [1; 40]);
    assert_eq!(
        sender.packetize(&[1; 53], 80, true, 1000, &mut out),
        Err(PacketizeError::BufferTooShort { need: 65, have: 64 })
    );
    sender.skip(160);
    out[12..14].copy_from_slice(&[9, 9]);
    assert_eq!(sender.packetize_in_place(2, 80, false, 2000, &mut out), Ok(14));
    assert_eq!(out[..14], [0x80, 8, 0, 0, 0, 0, 0, 160, 1, 2, 3, 4, 9, 9]);
    let stats = sender.stats();
    assert_eq!(
        (stats.packets, stats.octets, stats.last_timestamp, stats.last_capture_ns),
        (2, 42, 160, 2000)
    );
    assert_eq!(
        (sender.next_sequence_number(), sender.next_timestamp(), sender.ssrc()),
        (1, 240, 0x0102_0304)
    );
    // A sender report's timestamp goes on from the last capture, and back before it.
    assert_eq!(stats.timestamp_at(2000 + 1_000_000_000), 8160);
    assert_eq!(stats.timestamp_at(0), 159);
}

proptest! {
    #[test]
    fn no_run_of_datagrams_panics_and_counters_add_up(
        datagrams in proptest::collection::vec(
            (any::<u64>(), 0_u32..4, any::<u16>(), 0_u8..4, any::<u32>(), 0_usize..20), 0..200),
    ) {
        let mut receiver = RtpReceiver::new(ReceiverConfig {
            payload_types: PayloadTypes::NONE.with(0).with(1), own_ssrc: Some(3), ..ReceiverConfig::default()
        });
        for (arrival_ns, ssrc, number, payload_type, timestamp, len) in &datagrams {
            let header = RtpHeader {
                marker: false, payload_type: *payload_type, sequence_number: *number % 300, timestamp: *timestamp,
                ssrc: *ssrc,
            };
            let mut bytes = header.to_bytes().to_vec();
            bytes.resize(*len, 0);
            let _ = receiver.receive(*arrival_ns, &bytes);
        }
        let stats = receiver.stats();
        prop_assert!(stats.accepted + stats.probation + stats.runts + stats.malformed + stats.own_source
            + stats.foreign_source + stats.duplicates + stats.wrong_payload_type >= datagrams.len() as u64);
        prop_assert!(stats.received <= datagrams.len() as u64);
    }
}

#[test]
fn packets_that_are_not_timed_leave_jitter_and_packet_length_alone() {
    let types = PayloadTypes::NONE.with(0).with(101);
    let config = ReceiverConfig { payload_types: types, ..ReceiverConfig::default() };
    let mut receivers = [PayloadTypes::NONE, PayloadTypes::NONE.with(101)].map(|untimed| {
        let mut receiver = RtpReceiver::new(config);
        receiver.set_untimed(untimed);
        receiver
    });
    for n in 0..100_u16 {
        // Every fourth packet repeats an event's end, ten packets old.
        let is_event = n % 4 == 3;
        let mut bytes = packet(7, n, if is_event { 101 } else { 0 });
        let timestamp = if is_event { u32::from(n).saturating_sub(10) } else { u32::from(n) } * 160;
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        for receiver in &mut receivers {
            receiver.receive(u64::from(n) * 20_000_000, &bytes);
        }
    }
    let [timed, untimed] = receivers.map(|receiver| receiver.stats());
    assert!(timed.jitter > 100, "{}", timed.jitter);
    assert_eq!((untimed.jitter, untimed.packet_ticks, untimed.accepted), (0, 160, timed.accepted));
}

#[test]
fn losses_and_discards_reach_the_runs_of_the_source_and_a_restart_begins_them_anew() {
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    let mut at_ns = 0;
    let mut receive = |receiver: &mut RtpReceiver, n: u16, is_late: bool| {
        at_ns += 20_000_000;
        let bytes = packet(7, n, 0);
        if let Receipt::Accept(accepted) = receiver.receive(at_ns, &bytes)
            && is_late
        {
            receiver.discard(accepted.extended_sequence);
        }
    };
    for n in 0..200 {
        if n != 50 && n != 52 {
            receive(&mut receiver, n, n == 55);
        }
    }
    let runs = receiver.stats().runs;
    assert_eq!((runs.packets, runs.lost, runs.discarded), (168, 2, 1), "the newest 32 are not settled");
    assert_eq!((runs.bursts, runs.burst_packets, runs.burst_bad), (1, 6, 3));
    for n in 20_000..20_040 {
        receive(&mut receiver, n, false);
    }
    assert_eq!(receiver.stats().restarts, 1);
    let runs = receiver.stats().runs;
    assert_eq!((runs.packets, runs.lost, runs.gap_packets), (8, 0, 8), "both packets of the beginning count");
}

#[test]
fn what_copies_made_good_is_no_loss_of_the_calls_quality_and_still_one_of_the_networks() {
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    for n in (0..200u16).filter(|n| ![50, 52, 90].contains(n)) {
        let bytes = packet(7, n, 0);
        if let Receipt::Accept(accepted) = receiver.receive(u64::from(n) * 20_000_000, &bytes)
            && (n == 51 || n == 53)
        {
            receiver.recover(accepted.extended_sequence - 1);
        }
    }
    // Of what is long settled, and of what never was, nothing changes.
    let settled = receiver.stats().runs;
    receiver.recover(3);
    receiver.recover(u64::MAX);
    let stats = receiver.stats();
    assert_eq!(stats.runs, settled);
    assert_eq!((stats.runs.lost, stats.lost()), (1, 3));
}

#[test]
fn a_source_that_counts_by_another_clock_has_its_jitter_told_in_that_clock() {
    let send = |receiver: &mut RtpReceiver, numbers: std::ops::Range<u16>| {
        for number in numbers {
            // G.722 in 20 ms, counted at 16 kHz instead of 8.
            let timestamp = u32::from(number) * 320;
            let header =
                RtpHeader { marker: false, payload_type: 9, sequence_number: number, timestamp, ssrc: 5 };
            let mut bytes = header.to_bytes().to_vec();
            bytes.extend([0x55; 160]);
            receiver.receive(u64::from(number) * 20 * MS, &bytes);
        }
    };
    let mut receiver = RtpReceiver::new(ReceiverConfig::default());
    send(&mut receiver, 0..50);
    assert!(receiver.stats().jitter_ns > 15 * MS, "what is not known looks like jitter");
    receiver.set_clock_rate(16_000);
    assert_eq!(receiver.stats().jitter_ns, 0);
    send(&mut receiver, 50..100);
    let stats = receiver.stats();
    assert_eq!((stats.jitter, stats.jitter_ns, stats.clock_rate, stats.packet_ticks), (0, 0, 16_000, 320));
    // The same again changes nothing.
    receiver.set_clock_rate(16_000);
    assert_eq!(receiver.stats(), stats);
}

#[test]
fn counts_that_cannot_be_are_subtracted_all_the_same() {
    for (highest_sequence, received) in
        [(u64::MAX, 0), (u64::MAX, u64::MAX), (0, u64::MAX), (1 << 63, 1 << 63)]
    {
        let stats = ReceiverStats { ssrc: Some(1), highest_sequence, received, ..ReceiverStats::default() };
        assert!(stats.expected() > 0, "{stats:?}");
        let _ = stats.lost();
    }
}
