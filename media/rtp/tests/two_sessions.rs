//! Two endpoints on a virtual clock over a seeded network that loses, delays, reorders and duplicates: what RTP and RTCP
//! say of the network is compared with what the network did.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use offhook_rtp::{
    NtpTime, Receipt, ReceiverConfig, ReportBlock, Rng, RtcpEvent, RtcpSession, RtpReceiver, RtpSender,
    SenderConfig, SessionConfig, parse_compound,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// One direction of the network.
#[derive(Clone, Copy)]
struct Path {
    loss: f64,
    duplication: f64,
    delay_ns: u64,
    /// Uniform on top of the delay.
    spread_ns: u64,
}

/// What became of a direction's packets.
#[derive(Default)]
struct Truth {
    sent: u64,
    lost: u64,
    duplicated: u64,
    /// §A.8 in floating point over the packets as they arrived.
    jitter: f64,
    last: Option<(f64, f64)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    arrival_ns: u64,
    order: u64,
    to: usize,
    is_rtcp: bool,
    sent_ns: u64,
    bytes: Vec<u8>,
}

struct Endpoint {
    sender: RtpSender,
    receiver: RtpReceiver,
    session: RtcpSession,
    sends: bool,
    truth: Truth,
    reports: Vec<ReportBlock>,
    round_trips: Vec<u64>,
    events: Vec<RtcpEvent>,
}

struct World {
    now_ns: u64,
    next_frame_ns: u64,
    /// The wall clock of each end at monotonic zero; they differ.
    wall: [NtpTime; 2],
    ends: [Endpoint; 2],
    paths: [Path; 2],
    flight: BinaryHeap<Reverse<Datagram>>,
    rng: Rng,
    order: u64,
}

impl World {
    fn new(seed: u64, start_ns: u64, path: Path) -> Self {
        let end = |ssrc: u32| Endpoint {
            sender: RtpSender::new(SenderConfig {
                ssrc,
                // Both wrap within the run.
                first_sequence_number: 65_000,
                first_timestamp: u32::MAX - 100_000,
                payload_type: 0,
                clock_rate: 8000,
            }),
            receiver: RtpReceiver::new(ReceiverConfig { own_ssrc: Some(ssrc), ..ReceiverConfig::default() }),
            session: RtcpSession::new(
                SessionConfig::new(ssrc, format!("{ssrc}@test"), seed ^ u64::from(ssrc)),
                start_ns,
            ),
            sends: true,
            truth: Truth::default(),
            reports: Vec::new(),
            round_trips: Vec::new(),
            events: Vec::new(),
        };
        Self {
            now_ns: start_ns,
            next_frame_ns: start_ns,
            wall: [NtpTime::from_unix(1_700_000_000, 0), NtpTime::from_unix(42, 7)],
            ends: [end(0xA), end(0xB)],
            paths: [path; 2],
            flight: BinaryHeap::new(),
            rng: Rng::new(seed),
            order: 0,
        }
    }

    fn run(&mut self, for_ns: u64) {
        let end_ns = self.now_ns.saturating_add(for_ns);
        loop {
            let arrival = self.flight.peek().map_or(u64::MAX, |Reverse(datagram)| datagram.arrival_ns);
            let timeouts = self.ends.iter().map(|end| end.session.poll_timeout());
            let next_ns = timeouts.chain([arrival, self.next_frame_ns]).min().unwrap_or(u64::MAX);
            if next_ns > end_ns {
                self.now_ns = end_ns;
                return;
            }
            self.now_ns = self.now_ns.max(next_ns);
            if arrival <= self.now_ns {
                let Some(Reverse(datagram)) = self.flight.pop() else { unreachable!() };
                self.deliver(datagram);
            } else if self.next_frame_ns <= self.now_ns {
                self.frame();
                self.next_frame_ns += 20 * MS;
            }
            self.report();
        }
    }

    fn frame(&mut self) {
        for from in 0..2 {
            if self.ends[from].sends {
                let mut out = vec![0; 172];
                let sent = self.ends[from].sender.packetize(&[0xFF; 160], 160, false, self.now_ns, &mut out);
                assert_eq!(sent, Ok(172));
                self.send(from, out, false);
            }
        }
    }

    fn report(&mut self) {
        for from in 0..2 {
            let ntp = self.wall[from].plus_ns(self.now_ns);
            let end = &mut self.ends[from];
            let (sender, receiver) = (end.sender.stats(), end.receiver.stats());
            if let Some(bytes) = end.session.poll_transmit(self.now_ns, ntp, &sender, &receiver) {
                assert!(parse_compound(&bytes).is_ok());
                assert!(rtc_rtcp::packet::unmarshal(&mut bytes::Bytes::copy_from_slice(&bytes)).is_ok());
                self.send(from, bytes, true);
            }
        }
    }

    fn send(&mut self, from: usize, bytes: Vec<u8>, is_rtcp: bool) {
        let path = self.paths[from];
        let copies = if self.rng.next_unit() < path.loss {
            0
        } else if self.rng.next_unit() < path.duplication {
            2
        } else {
            1
        };
        let truth = &mut self.ends[1 - from].truth;
        if !is_rtcp {
            truth.sent += 1;
            truth.lost += u64::from(copies == 0);
            truth.duplicated += u64::from(copies == 2);
        }
        for _ in 0..copies {
            let delay_ns = path.delay_ns + (path.spread_ns as f64 * self.rng.next_unit()) as u64;
            self.order += 1;
            self.flight.push(Reverse(Datagram {
                arrival_ns: self.now_ns.saturating_add(delay_ns),
                order: self.order,
                to: 1 - from,
                is_rtcp,
                sent_ns: self.now_ns,
                bytes: bytes.clone(),
            }));
        }
    }

    fn deliver(&mut self, datagram: Datagram) {
        let ntp = self.wall[datagram.to].plus_ns(self.now_ns);
        let end = &mut self.ends[datagram.to];
        if datagram.is_rtcp {
            end.session.handle_rtcp(self.now_ns, ntp, &datagram.bytes);
            while let Some(event) = end.session.poll_event() {
                match &event {
                    RtcpEvent::ReceptionReport { block, .. } => end.reports.push(*block),
                    RtcpEvent::RoundTrip { round_trip_ns, .. } => end.round_trips.push(*round_trip_ns),
                    _ => {}
                }
                end.events.push(event);
            }
            return;
        }
        let receipt = end.receiver.receive(self.now_ns, &datagram.bytes);
        if let Receipt::Accept(_) | Receipt::Probation(_) = receipt {
            let (arrival, sent) = (self.now_ns as f64 / 125_000.0, datagram.sent_ns as f64 / 125_000.0);
            if let Some((last_arrival, last_sent)) = end.truth.last.replace((arrival, sent)) {
                let difference = (arrival - last_arrival) - (sent - last_sent);
                end.truth.jitter += (difference.abs() - end.truth.jitter) / 16.0;
            }
        }
    }
}

const CLEAN: Path = Path { loss: 0.0, duplication: 0.0, delay_ns: 20 * MS, spread_ns: 0 };

#[test]
fn a_perfect_network_shows_no_loss_no_jitter_and_its_round_trip() {
    let mut world = World::new(1, 0, CLEAN);
    world.run(60 * SECOND);
    for end in &world.ends {
        let stats = end.receiver.stats();
        assert_eq!((stats.lost(), stats.jitter, stats.out_of_order, stats.duplicates), (0, 0, 0, 0));
        assert!(end.reports.len() >= 8, "{} reports", end.reports.len());
        assert!(end.reports.iter().all(|block| block.fraction_lost == 0 && block.cumulative_lost == 0));
        assert!(!end.round_trips.is_empty());
        // The unit of DLSR is 15.3 µs.
        assert!(end.round_trips.iter().all(|rtt| rtt.abs_diff(40 * MS) < 20_000), "{:?}", end.round_trips);
        assert_eq!(end.session.stats().impossible_round_trips, 0);
    }
}

#[test]
fn loss_jitter_and_round_trip_agree_with_what_the_network_did() {
    for (seed, loss, spread_ns) in
        [(2, 0.01, 5 * MS), (3, 0.05, 15 * MS), (4, 0.20, 60 * MS), (5, 0.0, 90 * MS)]
    {
        let path = Path { loss, duplication: 0.02, delay_ns: 30 * MS, spread_ns };
        let mut world = World::new(seed, 7, path);
        world.run(600 * SECOND);
        let in_flight = [0, 1].map(|to| {
            world.flight.iter().filter(|Reverse(datagram)| datagram.to == to && !datagram.is_rtcp).count()
                as i64
        });
        for (index, end) in world.ends.iter().enumerate() {
            let (stats, truth) = (end.receiver.stats(), &end.truth);
            // Packets before the first two in sequence do not count; neither do those in flight.
            let slack = 6 + in_flight[index];
            let missing = stats.lost() + stats.duplicates as i64;
            assert!(
                (missing - truth.lost as i64).abs() <= slack,
                "seed {seed}: {missing} for {}",
                truth.lost
            );
            assert!(
                stats.duplicates.abs_diff(truth.duplicated) <= 2,
                "{} for {}",
                stats.duplicates,
                truth.duplicated
            );
            let difference = f64::from(stats.jitter) - truth.jitter;
            assert!(difference.abs() <= 2.0, "seed {seed}: jitter {} for {}", stats.jitter, truth.jitter);
            assert_eq!(stats.restarts + stats.foreign_source + stats.malformed, 0);
            assert_eq!(stats.sources, 1);

            // The other end's reports say the same of the last five seconds.
            let other = &world.ends[1 - index];
            let last = other.reports.last().unwrap();
            assert!((i64::from(last.cumulative_lost) - stats.lost()).abs() < 160);
            let fractions = other.reports.iter().map(ReportBlock::fraction_lost_ratio).sum::<f64>();
            let mean = fractions / other.reports.len() as f64;
            // Duplicates hide losses in the fraction (§6.4.1).
            assert!(
                (mean - (loss - 0.02 * (1.0 - loss)).max(0.0)).abs() < 0.02,
                "seed {seed}: mean fraction {mean}"
            );

            assert!(end.round_trips.len() > 40, "{} round trips", end.round_trips.len());
            let bounds = 60 * MS - 20_000..=60 * MS + 2 * spread_ns + 20_000;
            assert!(
                end.round_trips.iter().all(|rtt| bounds.contains(rtt)),
                "seed {seed}: {:?}",
                end.round_trips
            );
            let mean = end.round_trips.iter().sum::<u64>() / end.round_trips.len() as u64;
            assert!(mean.abs_diff(60 * MS + spread_ns) < spread_ns / 4 + 20_000, "seed {seed}: mean {mean}");
        }
    }
}

#[test]
fn a_call_of_a_day_survives_every_wrap() {
    // Sequence numbers wrap 66 times, the middle 32 bits of NTP time once, the 8 kHz timestamp at the start.
    let mut world = World::new(6, 1 << 62, Path { loss: 0.01, ..CLEAN });
    world.ends[1].sends = false;
    world.run(86_400 * SECOND);
    let (stats, truth) = (world.ends[1].receiver.stats(), &world.ends[1].truth);
    assert!(stats.expected() > 65 * 65_536);
    assert!((stats.lost() - truth.lost as i64).abs() <= 6, "{} for {}", stats.lost(), truth.lost);
    assert_eq!((stats.restarts, stats.jitter), (0, 0));
    let end = &world.ends[0];
    assert!(end.round_trips.len() > 10_000);
    assert!(end.round_trips.iter().all(|rtt| rtt.abs_diff(40 * MS) < 20_000));
    let last = end.reports.last().unwrap();
    assert_eq!(last.extended_highest_sequence >> 16, (stats.highest_sequence >> 16) as u32 & 0xFFFF);
    // One sender of two members: five seconds on average, a quarter of which the formula's spread allows.
    let mean = 86_400.0 / world.ends[1].session.stats().sent as f64;
    assert!((4.0..6.5).contains(&mean), "a report every {mean} s");
}

#[test]
fn clocks_near_the_end_of_their_range_do_not_panic() {
    let mut world = World::new(7, u64::MAX - 100 * SECOND, CLEAN);
    world.run(60 * SECOND);
    assert!(world.ends[0].round_trips.iter().all(|rtt| rtt.abs_diff(40 * MS) < 20_000));
    assert!(!world.ends[0].round_trips.is_empty());
    assert_eq!(world.ends[0].receiver.stats().lost(), 0);
    let end = &mut world.ends[0];
    let (sender, receiver) = (end.sender.stats(), end.receiver.stats());
    let _ = end.session.poll_transmit(u64::MAX, NtpTime::from_bits(u64::MAX), &sender, &receiver);
    let _ = end.session.poll_timeout();
    assert_eq!(end.session.ssrc(), 0xA);
}

#[test]
fn a_wall_clock_that_steps_does_not_disturb_the_round_trip() {
    let mut world = World::new(8, 0, CLEAN);
    for step in 1..20_u64 {
        world.run(7 * SECOND);
        // Back and forth by up to hours.
        world.wall[0] = NtpTime::from_unix(1_700_000_000 - step * 3600 * (step % 3), 0);
    }
    let end = &world.ends[0];
    assert!(end.round_trips.len() > 10);
    assert!(end.round_trips.iter().all(|rtt| rtt.abs_diff(40 * MS) < 20_000), "{:?}", end.round_trips);
}

#[test]
fn asymmetric_paths_add_up_in_the_round_trip() {
    let mut world = World::new(9, 0, CLEAN);
    world.paths[1].delay_ns = 200 * MS;
    world.run(60 * SECOND);
    for end in &world.ends {
        assert!(end.round_trips.iter().all(|rtt| rtt.abs_diff(220 * MS) < 20_000));
        assert!(!end.round_trips.is_empty());
    }
}

#[test]
fn a_bye_is_heard_and_nothing_is_sent_after_it() {
    let mut world = World::new(10, 0, CLEAN);
    world.run(12 * SECOND);
    world.ends[0].session.bye(world.now_ns, "hung up");
    world.ends[0].sends = false;
    assert_eq!(world.ends[0].session.poll_timeout(), world.now_ns);
    world.run(SECOND);
    let bye = RtcpEvent::Bye { ssrc: 0xA, reason: Some("hung up".to_owned()) };
    assert!(world.ends[1].events.contains(&bye), "{:?}", world.ends[1].events);
    assert_eq!(world.ends[1].session.members(), 1);
    assert_eq!(world.ends[0].session.poll_timeout(), u64::MAX);
    let sent = world.ends[0].session.stats().sent;
    world.run(60 * SECOND);
    assert_eq!(world.ends[0].session.stats().sent, sent);
    assert!(!world.ends[1].events.iter().any(|event| matches!(event, RtcpEvent::TimedOut { .. })));
    assert_eq!(world.ends[1].session.members(), 1);
}

#[test]
fn a_sender_that_falls_silent_turns_to_receiver_reports() {
    let mut world = World::new(11, 0, CLEAN);
    world.run(30 * SECOND);
    world.ends[0].sends = false;
    world.run(20 * SECOND);
    let reports = |world: &World| {
        world.ends[1].events.iter().filter(|event| matches!(event, RtcpEvent::SenderReport { .. })).count()
    };
    let until_then = reports(&world);
    world.run(60 * SECOND);
    assert_eq!(reports(&world), until_then);
    // And the silent peer is still a member, by its receiver reports.
    assert_eq!(world.ends[1].session.members(), 2);
}

#[test]
fn a_peer_that_vanishes_times_out_after_five_intervals() {
    let mut world = World::new(12, 0, CLEAN);
    world.run(30 * SECOND);
    world.paths[0].loss = 1.0;
    world.run(20 * SECOND);
    let timed_out = RtcpEvent::TimedOut { ssrc: 0xA };
    while let Some(event) = world.ends[1].session.poll_event() {
        assert_ne!(event, timed_out);
    }
    world.run(20 * SECOND);
    assert_eq!(world.ends[1].session.poll_event(), Some(timed_out));
    assert_eq!(world.ends[1].session.members(), 1);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs = [0; 2].map(|_| {
        let mut world =
            World::new(13, 0, Path { loss: 0.1, duplication: 0.1, delay_ns: MS, spread_ns: 50 * MS });
        world.run(100 * SECOND);
        (world.ends[0].receiver.stats(), world.ends[1].session.stats(), world.ends[0].round_trips.clone())
    });
    assert_eq!(runs[0], runs[1]);
}
