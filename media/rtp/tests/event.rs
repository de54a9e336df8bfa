//! telephone-event (RFC 4733): what the sender puts on the wire, what the receiver makes of a bad network.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_rtp::{
    EventBlock, EventCode, EventPacket, EventReceiver, EventReceiverConfig, EventSender, MAX_QUEUED_EVENTS,
    PlannedEvent, ReceivedEvent, Rng, RtpSender, RtpView, SenderConfig,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const MS: u64 = 1_000_000;
/// A packet time: 20 ms at 8 kHz.
const TICKS: u32 = 160;
/// What extended timestamps start from.
const EPOCH: u64 = 1 << 32;

fn event(dialled: char, duration: u32, pause: u32) -> PlannedEvent {
    PlannedEvent { code: EventCode::from_char(dialled).unwrap(), volume: 10, duration, pause }
}

fn play(events: &[PlannedEvent]) -> EventSender {
    let mut sender = EventSender::new();
    events.iter().for_each(|event| sender.push(*event).unwrap());
    sender
}

/// Packets of each packet time, from the one that begins at `timestamp` on: timestamp, marker, E, duration.
fn packets(sender: &mut EventSender, mut timestamp: u32, times: usize) -> Vec<Vec<(u32, bool, bool, u16)>> {
    (0..times)
        .map(|_| {
            sender.tick(timestamp, TICKS);
            timestamp = timestamp.wrapping_add(TICKS);
            std::iter::from_fn(|| sender.next_packet())
                .map(|packet| {
                    let block = EventBlock::from_bytes(packet.payload);
                    (packet.timestamp, packet.marker, block.end, block.duration)
                })
                .collect()
        })
        .collect()
}

#[test]
fn an_event_keeps_its_timestamp_counts_its_duration_and_ends_three_times() {
    let mut sender = play(&[event('5', 400, 0)]);
    assert!(sender.is_playing());
    assert_eq!(
        packets(&mut sender, 1000, 6),
        [
            vec![(1000, true, false, 160)],
            vec![(1000, false, false, 320)],
            vec![(1000, false, true, 400)],
            vec![(1000, false, true, 400)],
            vec![(1000, false, true, 400)],
            vec![],
        ]
    );
    assert!(!sender.is_playing());
}

#[test]
fn an_event_shorter_than_a_packet_time_is_marked_once_and_sent_three_times() {
    let mut sender = play(&[event('#', 0, 0)]);
    let sent = packets(&mut sender, 7, 4);
    assert_eq!(
        sent,
        [vec![(7, true, true, 1)], vec![(7, false, true, 1)], vec![(7, false, true, 1)], vec![]]
    );
}

#[test]
fn back_to_back_events_begin_where_the_one_before_ended_beside_its_repeats() {
    let mut sender = play(&[event('1', 240, 0), event('1', 160, 0)]);
    assert_eq!(
        packets(&mut sender, 0, 5),
        [
            vec![(0, true, false, 160)],
            vec![(0, false, true, 240), (240, true, false, 80)],
            vec![(0, false, true, 240), (240, false, true, 160)],
            vec![(0, false, true, 240), (240, false, true, 160)],
            vec![(240, false, true, 160)],
        ]
    );
}

#[test]
fn a_pause_is_kept_also_before_an_event_that_is_asked_for_later() {
    let mut sender = play(&[event('1', 160, 400)]);
    packets(&mut sender, 0, 2);
    sender.push(event('2', 160, 0)).unwrap();
    let starts: Vec<_> = packets(&mut sender, 320, 4).concat().into_iter().filter(|p| p.1).collect();
    assert_eq!(starts, [(560, true, false, 80)]);
}

#[test]
fn a_pause_that_has_passed_does_not_come_back_when_the_timestamp_wraps() {
    let mut sender = play(&[event('1', 160, 400)]);
    assert_eq!(packets(&mut sender, 0, 1).concat(), [(0, true, true, 160)]);
    // Hours of sound, until the pause's end would lie ahead.
    let mut timestamp = 160u32;
    while timestamp < 3 << 30 {
        sender.tick(timestamp, 1 << 20);
        while sender.next_packet().is_some() {}
        timestamp += 1 << 20;
    }
    sender.push(event('2', 160, u32::MAX)).unwrap();
    assert_eq!(packets(&mut sender, timestamp, 1).concat(), [(timestamp, true, true, 160)]);
    // The longest pause is a pause.
    sender.push(event('3', 160, 0)).unwrap();
    assert_eq!(packets(&mut sender, timestamp + 160, 3).concat(), [(timestamp, false, true, 160); 2]);
    assert!(sender.is_playing());
}

#[test]
fn a_long_event_goes_on_in_segments_without_a_marker_and_ends_once() {
    // 2 × 65535 and half a packet time.
    let mut sender = play(&[event('*', 2 * 0xFFFF + 80, 0)]);
    let start = u32::MAX - 1000;
    let sent = packets(&mut sender, start, 900).concat();
    let segments = [start, start.wrapping_add(0xFFFF), start.wrapping_add(2 * 0xFFFF)];
    assert_eq!(sent.iter().filter(|packet| packet.1).count(), 1);
    for (n, segment) in segments.into_iter().enumerate() {
        let of: Vec<_> = sent.iter().filter(|packet| packet.0 == segment).collect();
        assert!(of.windows(2).all(|pair| pair[0].3 <= pair[1].3), "durations count up");
        let last = if n < 2 { (segment, false, false, 0xFFFF) } else { (segment, false, true, 80) };
        assert_eq!(of.iter().filter(|packet| ***packet == last).count(), 3, "{n}");
        assert_eq!(*of.last().unwrap(), &last);
    }
    assert_eq!(sent.iter().filter(|packet| packet.2).count(), 3);
}

#[test]
fn exactly_a_full_segment_is_an_event_of_its_own() {
    let mut sender = play(&[event('0', 0xFFFF, 0)]);
    let sent = packets(&mut sender, 0, 500).concat();
    assert!(sent.iter().all(|packet| packet.0 == 0));
    assert_eq!(sent.last(), Some(&(0, false, true, 0xFFFF)));
}

#[test]
fn cancelled_events_end_with_what_they_have_lasted_and_the_rest_is_forgotten() {
    let mut sender = play(&[event('1', 16_000, 0), event('2', 800, 0)]);
    packets(&mut sender, 0, 2);
    sender.cancel();
    let rest = packets(&mut sender, 320, 5).concat();
    assert_eq!(rest, [(0, false, true, 320); 3]);
    assert!(!sender.is_playing());
}

#[test]
fn a_full_queue_gives_the_event_back() {
    let mut sender = EventSender::new();
    for _ in 0..MAX_QUEUED_EVENTS {
        sender.push(event('1', 800, 0)).unwrap();
    }
    let refused = sender.push(event('9', 800, 0)).unwrap_err();
    assert_eq!(refused.0, event('9', 800, 0));
    assert!(refused.to_string().contains("64"));
}

#[test]
fn events_share_the_numbering_of_the_audio_and_not_its_timestamps() {
    let mut rtp = RtpSender::new(SenderConfig {
        ssrc: 7,
        first_sequence_number: u16::MAX,
        first_timestamp: 100,
        payload_type: 0,
        clock_rate: 8000,
    });
    let mut out = [0; 172];
    rtp.packetize(&[0; 160], 160, false, 0, &mut out).unwrap();
    let report = rtp.stats();
    let packet = EventPacket { timestamp: 260, marker: true, payload: [5, 10, 0, 160] };
    assert!(rtp.packetize_event(101, &packet, &mut out[..15]).is_err());
    let len = rtp.packetize_event(101, &packet, &mut out).unwrap();
    let view = RtpView::parse(&out[..len]).unwrap();
    assert_eq!((view.sequence_number(), view.timestamp(), view.ssrc()), (0, 260, 7));
    assert_eq!((view.payload_type(), view.marker(), view.payload()), (101, true, &packet.payload[..]));
    assert_eq!((rtp.next_sequence_number(), rtp.next_timestamp()), (1, 260));
    let after = rtp.stats();
    assert_eq!((after.packets, after.octets), (report.packets + 1, report.octets + 4));
    assert_eq!(after.timestamp_at(MS), report.timestamp_at(MS), "a sender report's clocks keep to the audio");
}

/// A receiver and what it has delivered.
struct Ear {
    receiver: EventReceiver,
    heard: Vec<ReceivedEvent>,
}

impl Ear {
    fn new() -> Ear {
        Ear { receiver: EventReceiver::new(EventReceiverConfig::default()), heard: Vec::new() }
    }

    fn block(&mut self, at_ms: u64, start: u64, dialled: char, end: bool, duration: u16) {
        let code = EventCode::from_char(dialled).unwrap().code();
        let block = EventBlock { event: code, end, volume: 3, duration };
        self.packet(at_ms, start, false, &block.to_bytes());
    }

    fn packet(&mut self, at_ms: u64, start: u64, marker: bool, payload: &[u8]) {
        self.poll(at_ms);
        assert_no_alloc(|| self.receiver.receive(EPOCH + start, marker, at_ms * MS, payload));
    }

    fn poll(&mut self, now_ms: u64) {
        while let Some(event) = assert_no_alloc(|| self.receiver.poll(now_ms * MS)) {
            self.heard.push(event);
        }
    }

    /// What was heard by `now_ms`: digits and durations.
    fn dialled(&mut self, now_ms: u64) -> (String, Vec<u64>) {
        self.poll(now_ms);
        let digits = self.heard.iter().map(|event| event.code.to_char()).collect();
        (digits, self.heard.iter().map(|event| event.duration).collect())
    }
}

fn heard(digits: &str, durations: &[u64]) -> (String, Vec<u64>) {
    (digits.to_owned(), durations.to_vec())
}

#[test]
fn repeated_ends_are_one_event_and_it_comes_after_the_time_for_stragglers() {
    let mut ear = Ear::new();
    ear.block(0, 0, '7', false, 160);
    for at_ms in [20, 40, 60] {
        ear.block(at_ms, 0, '7', true, 320);
    }
    assert_eq!(ear.dialled(79), heard("", &[]));
    assert_eq!(ear.dialled(80), heard("7", &[320]));
    ear.block(90, 0, '7', true, 320);
    assert_eq!(ear.dialled(9_000), heard("7", &[320]));
    let event = ear.heard[0];
    assert_eq!((event.volume, event.timestamp, event.arrival_ns, event.has_ended), (3, 0, 0, true));
    let stats = ear.receiver.stats();
    assert_eq!((stats.packets, stats.repeated, stats.delivered, stats.without_end), (5, 3, 1, 0));
}

#[test]
fn one_packet_of_any_kind_is_enough() {
    for (end, due_ms) in [(true, 60), (false, 300)] {
        let mut ear = Ear::new();
        ear.block(0, 5, '3', end, 800);
        assert_eq!(ear.dialled(due_ms - 1), heard("", &[]));
        assert_eq!(ear.dialled(due_ms), heard("3", &[800]));
        assert_eq!(ear.heard[0].has_ended, end);
    }
}

#[test]
fn a_lost_end_is_made_up_by_the_next_event() {
    let mut ear = Ear::new();
    ear.block(0, 0, '1', false, 640);
    ear.block(20, 800, '2', false, 160);
    assert_eq!(ear.dialled(80), heard("1", &[640]));
    ear.block(90, 0, '1', true, 700);
    ear.block(100, 800, '2', true, 800);
    assert_eq!(ear.dialled(500), heard("12", &[640, 800]));
}

#[test]
fn durations_that_go_back_change_nothing() {
    let mut ear = Ear::new();
    for (at_ms, end, duration) in [(0, false, 800), (1, false, 160), (2, true, 320), (3, true, 9_000)] {
        ear.block(at_ms, 0, '4', end, duration);
    }
    assert_eq!(ear.dialled(100), heard("4", &[800]));
}

#[test]
fn an_overtaken_event_comes_first_and_one_too_late_not_at_all() {
    let mut ear = Ear::new();
    ear.block(0, 1_600, '2', true, 800);
    ear.block(30, 0, '1', true, 800);
    assert_eq!(ear.dialled(100), heard("12", &[800, 800]));
    ear.block(110, 800, '9', true, 100);
    assert_eq!(ear.dialled(500), heard("12", &[800, 800]));
    assert_eq!(ear.receiver.stats().stale, 1);
}

#[test]
fn the_same_digit_twice_is_two_events() {
    let mut ear = Ear::new();
    ear.block(0, 0, '8', true, 800);
    ear.block(10, 800, '8', true, 800);
    assert_eq!(ear.dialled(200), heard("88", &[800, 800]));
}

#[test]
fn segments_are_one_event_in_any_order_and_with_the_first_ones_end_lost() {
    const FULL: u64 = 0xFFFF;
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        let mut ear = Ear::new();
        for n in order {
            let (end, duration) =
                if n == 2 { (true, 80) } else { (false, if n == 0 { 0xFFF0 } else { 0xFFFF }) };
            ear.block(n, n * FULL, '6', end, duration);
        }
        assert_eq!(ear.dialled(400), heard("6", &[2 * FULL + 80]), "{order:?}");
        assert_eq!(ear.heard.len(), 1);
    }
    // One that was taken for over is not told again by its rest.
    let mut ear = Ear::new();
    ear.block(0, 0, '6', false, 0xFFFF);
    assert_eq!(ear.dialled(300), heard("6", &[FULL]));
    ear.block(310, FULL, '6', true, 80);
    assert_eq!(ear.dialled(900), heard("6", &[FULL]));
}

#[test]
fn several_events_in_one_packet_follow_each_other() {
    let mut ear = Ear::new();
    let blocks = [(1, true, 400), (2, true, 300), (3, false, 160)];
    let payload: Vec<u8> = blocks
        .iter()
        .flat_map(|(event, end, duration)| {
            EventBlock { event: *event, end: *end, volume: 9, duration: *duration }.to_bytes()
        })
        .collect();
    ear.packet(0, 0, true, &payload);
    // The third by itself, as it goes on.
    ear.block(20, 700, '3', true, 320);
    assert_eq!(ear.dialled(100), heard("123", &[400, 300, 320]));
    let begun: Vec<_> = ear.heard.iter().map(|event| event.timestamp).collect();
    assert_eq!(begun, [0, 400, 700]);
}

#[test]
fn wrong_lengths_and_other_events_are_counted_and_not_delivered() {
    let mut ear = Ear::new();
    for payload in [&[][..], &[1], &[1, 0x80, 0], &[1, 0x80, 0, 9, 9], &[1; 68]] {
        ear.packet(0, 0, false, payload);
    }
    ear.packet(0, 0, false, &[32, 0x80, 3, 0x20]);
    assert_eq!(ear.dialled(1_000), heard("", &[]));
    let stats = ear.receiver.stats();
    assert_eq!((stats.malformed, stats.unknown), (5, 1));
}

#[test]
fn a_source_that_numbers_anew_is_heard_again() {
    let mut ear = Ear::new();
    ear.block(0, 80_000, '1', true, 800);
    ear.receiver.restart();
    ear.block(10, 0, '2', true, 800);
    assert_eq!(ear.dialled(10), heard("1", &[800]), "the old one waits for nothing more");
    assert_eq!(ear.dialled(70), heard("12", &[800, 800]));
    // Also if nobody noticed: more than ten seconds behind.
    ear.block(80, 1_000_000, '3', true, 800);
    assert_eq!(ear.dialled(140), heard("123", &[800, 800, 800]));
    ear.block(150, 900, '4', true, 800);
    assert_eq!(ear.dialled(300), heard("1234", &[800, 800, 800, 800]));
}

#[test]
fn a_flood_of_events_is_bounded() {
    let mut ear = Ear::new();
    for n in 0..1_000 {
        ear.block(0, n * 10, '1', false, 1);
    }
    assert!(ear.receiver.stats().overflow >= 990);
    ear.poll(400);
    assert!(ear.heard.len() <= 8);
    ear.block(500, 80_000, '2', true, 5);
    assert!(ear.dialled(600).0.ends_with('2'));
}

/// A network that loses, delays by up to 50 ms and doubles; what of the dialled string had a packet that arrived.
fn network(
    seed: u64,
    dialled: &str,
    loss: f64,
    lengths: impl Fn(u64) -> (u32, u32),
) -> (String, String, Ear) {
    let mut rng = Rng::new(seed);
    let events: Vec<_> = dialled
        .chars()
        .map(|digit| {
            let (duration, pause) = lengths(rng.next_u64());
            event(digit, duration, pause)
        })
        .collect();
    let mut sender = EventSender::new();
    let mut waiting = events.iter();
    let mut flight: Vec<(u64, EventPacket)> = Vec::new();
    let mut started = Vec::new();
    let mut arrived = Vec::new();
    let begin = u32::MAX - 5_000;
    let mut tick = 0_u32;
    loop {
        while let Some(next) = waiting.clone().next()
            && sender.push(*next).is_ok()
        {
            waiting.next();
        }
        sender.tick(begin.wrapping_add(tick * TICKS), TICKS);
        let mut is_quiet = true;
        while let Some(packet) = assert_no_alloc(|| sender.next_packet()) {
            is_quiet = false;
            if packet.marker {
                started.push(packet.timestamp);
                arrived.push(false);
            }
            // Every event's segment belongs to the last one that started at or before it.
            let of = started.iter().rposition(|at| packet.timestamp.wrapping_sub(*at) as i32 >= 0).unwrap();
            let copies = if rng.next_unit() < 0.1 { 2 } else { 1 };
            for _ in 0..copies {
                if rng.next_unit() >= loss {
                    let delay = (rng.next_unit() * 50.0) as u64;
                    flight.push((u64::from(tick) * 20 + delay, packet));
                    arrived[of] = true;
                }
            }
        }
        tick += 1;
        if is_quiet && !sender.is_playing() {
            break;
        }
    }
    flight.sort_by_key(|(at_ms, _)| *at_ms);
    let mut ear = Ear::new();
    for (at_ms, packet) in flight {
        let start = u64::from(begin) + u64::from(packet.timestamp.wrapping_sub(begin));
        ear.packet(at_ms, start, packet.marker, &packet.payload);
    }
    ear.poll(u64::from(tick) * 20 + 1_000);
    let wanted =
        dialled.chars().zip(&arrived).filter(|(_, arrived)| **arrived).map(|(digit, _)| digit).collect();
    let got = ear.heard.iter().map(|event| event.code.to_char()).collect();
    (wanted, got, ear)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_digit_of_which_a_packet_arrives_comes_once_and_in_order(
        seed: u64, dialled in "[0-9*#A-D!]{1,30}", loss in 0.0..0.9_f64,
    ) {
        // 40 to 140 ms of tone, nothing to 100 ms between.
        let lengths = |random: u64| (320 + (random % 800) as u32, ((random >> 32) % 800) as u32);
        let (wanted, got, ear) = network(seed, &dialled, loss, lengths);
        prop_assert_eq!(wanted, got);
        prop_assert_eq!(ear.receiver.stats().stale, 0);
    }

    #[test]
    fn without_loss_every_duration_is_exact_however_packets_are_shuffled(seed: u64, dialled in "[0-9]{1,20}") {
        let (wanted, got, ear) = network(seed, &dialled, 0.0, |random| (400 + (random % 9) as u32, 0));
        prop_assert_eq!(&wanted, &dialled);
        prop_assert_eq!(got, dialled);
        prop_assert!(ear.heard.iter().all(|event| event.has_ended && (400..409).contains(&event.duration)));
    }

    #[test]
    fn events_of_many_segments_are_one_each(seed: u64) {
        let (wanted, got, ear) = network(seed, "1!", 0.3, |random| (140_000 + (random % 50_000) as u32, 800));
        prop_assert_eq!(&wanted, "1!");
        prop_assert_eq!(got, wanted);
        prop_assert!(ear.heard.iter().all(|event| event.duration >= 130_000));
    }

    #[test]
    fn no_packets_at_any_times_panic(
        steps in vec((any::<u64>(), any::<u64>(), any::<bool>(), vec(any::<u8>(), 0..20), 0_u8..8), 0..80),
    ) {
        let mut receiver = EventReceiver::new(EventReceiverConfig::default());
        let mut sender = EventSender::new();
        for (at, arrival_ns, marker, mut payload, kind) in steps {
            if let Some(event) = payload.first_mut() {
                *event %= 18;
            }
            let start = if kind < 4 { at % 400_000 } else { at };
            receiver.receive(start, marker, arrival_ns, &payload);
            match kind {
                0 => receiver.restart(),
                1 => sender.cancel(),
                2 => sender.reset(),
                _ => {
                    let code = EventCode::new((at % 17) as u8).unwrap();
                    let _ = sender.push(PlannedEvent {
                        code, volume: at as u8, duration: at as u32 >> 8, pause: (at >> 32) as u32,
                    });
                }
            }
            sender.tick(arrival_ns as u32, (at % 100_000) as u32);
            prop_assert!(std::iter::from_fn(|| sender.next_packet()).take(1_000).count() < 1_000);
            let delivered = std::iter::from_fn(|| receiver.poll(arrival_ns)).take(20).count();
            prop_assert!(delivered <= 8);
        }
    }
}
