//! Which port of the peer's host is heard, and when another takes its place: every rule on a virtual clock.

mod support;

use std::net::SocketAddr;

use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Link, LinkConfig, Party, link};
use offhook_engine::{Peer, RxCommand, RxMeters};
use offhook_rtp::RtpHeader;
use support::{MS, Setup, World, at, speech, through};

const ANNA: &str = "192.0.2.1:5004";
/// Another port of Anna's host.
const OTHER: &str = "192.0.2.1:40000";
/// A third one.
const THIRD: &str = "192.0.2.1:40002";
const BERT: &str = "192.0.2.2:5004";

/// µ-law of about 16 000, of 1 000 and of silence: who is heard is told by the loudness.
const LOUD: u8 = 0x8F;
const SOFT: u8 = 0xCE;
const SILENT: u8 = 0xFF;

/// A source of constant loudness at a port.
struct Voice {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    fill: u8,
}

impl Voice {
    fn new(from: &str, ssrc: u32, fill: u8) -> Voice {
        Voice { from: at(from), ssrc, sequence: 0, fill }
    }

    fn say(&mut self, link: &Link) {
        let header = RtpHeader {
            marker: false,
            payload_type: 0,
            sequence_number: self.sequence,
            timestamp: u32::from(self.sequence) * 160,
            ssrc: self.ssrc,
        };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(&[self.fill; 160]);
        link.inject(self.from, &bytes);
        self.sequence += 1;
    }
}

/// Bert alone, and the link to him.
struct Ear {
    world: World,
    link: Link,
}

impl Ear {
    fn new(peer: Peer) -> Ear {
        let mut world = World::new();
        let (_, rx, to_bert) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
        let (tx, _, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
        let bert = Setup { peer, ..Setup::new(Vec::new(), ANNA, 2) };
        world.add(bert, (tx, rx), Party::default());
        Ear { world, link: to_bert }
    }

    fn of_the_host() -> Ear {
        Ear::new(Peer::Address(at(ANNA).ip()))
    }

    fn expecting_anna() -> Ear {
        Ear::new(Peer::Expected(at(ANNA)))
    }

    /// For `ms`, each of `voices` sends a packet every 20 ms, in this order; then what was heard is taken.
    fn hear(&mut self, ms: u64, voices: &mut [&mut Voice]) -> RxMeters {
        for _ in 0..ms / 20 {
            for voice in voices.iter_mut() {
                voice.say(&self.link);
            }
            self.world.run_ms(20);
        }
        self.meters()
    }

    fn command(&mut self, command: RxCommand) {
        self.world.ends[0].control.rx(command).unwrap();
    }

    fn meters(&self) -> RxMeters {
        self.world.ends[0].control.meters().rx()
    }

    /// The loudest sample since the last call.
    fn loudest(&mut self) -> u16 {
        let loudest = self.world.ends[0].heard.iter().map(|x| x.unsigned_abs()).max();
        self.world.ends[0].heard.clear();
        loudest.unwrap_or(0)
    }
}

#[test]
fn a_caller_that_pauses_for_350_ms_keeps_the_call_from_a_stranger_on_its_host() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut stranger) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(500, &mut [&mut anna]);
    let paused = ear.hear(340, &mut [&mut stranger]);
    assert_eq!((paused.peer, paused.strangers), (Some(at(ANNA)), 17));
    let resumed = ear.hear(1_000, &mut [&mut stranger, &mut anna]);
    assert_eq!((resumed.peer, resumed.receiver.ssrc), (Some(at(ANNA)), Some(1)));
    assert_eq!((resumed.strangers, resumed.receiver.sources), (17 + 50, 1));
    assert_eq!(resumed.receiver.accepted, 25 + 50 - 1, "and the first, played while on probation");
    assert!(ear.loudest() < 2_000, "the stranger was never heard");
}

#[test]
fn a_newcomer_needs_two_seconds_of_silence_and_yields_at_once_when_the_first_port_returns() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut other) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(500, &mut [&mut anna]);
    assert_eq!(ear.hear(1_960, &mut [&mut other]).peer, Some(at(ANNA)));
    assert_eq!(ear.hear(100, &mut [&mut other]).peer, Some(at(OTHER)));
    // However long it was heard, two packets of the first port end it, and the first of them is not lost.
    ear.hear(20_000, &mut [&mut other]);
    assert!(ear.loudest() > 10_000);
    let before = ear.meters();
    let back = ear.hear(40, &mut [&mut anna, &mut other]);
    assert_eq!((back.peer, back.receiver.ssrc, back.receiver.received), (Some(at(ANNA)), Some(1), 2));
    assert_eq!(back.strangers, before.strangers + 1, "from the second packet on");
    ear.hear(200, &mut [&mut anna, &mut other]);
    ear.loudest();
    let after = ear.hear(3_000, &mut [&mut anna, &mut other]);
    assert_eq!((after.peer, after.receiver.lost()), (Some(at(ANNA)), 0));
    assert!(ear.loudest() < 2_000);
}

#[test]
fn a_newcomer_that_bears_the_peers_ssrc_yields_as_well() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut other) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 1, LOUD));
    ear.hear(500, &mut [&mut anna]);
    other.sequence = anna.sequence;
    assert_eq!(ear.hear(2_100, &mut [&mut other]).peer, Some(at(OTHER)));
    let back = ear.hear(40, &mut [&mut anna, &mut other]);
    assert_eq!((back.peer, back.receiver.sources), (Some(at(ANNA)), 3));
}

#[test]
fn another_ssrc_of_the_latched_port_is_heard_after_200_ms() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut again) = (Voice::new(ANNA, 1, SOFT), Voice::new(ANNA, 3, LOUD));
    ear.hear(500, &mut [&mut anna]);
    ear.world.run_ms(200);
    let rx = ear.hear(100, &mut [&mut again]);
    assert_eq!((rx.peer, rx.receiver.ssrc, rx.receiver.foreign_source), (Some(at(ANNA)), Some(3), 0));
    assert_eq!(rx.receiver.received, 5);
}

#[test]
fn comfort_noise_that_is_not_played_keeps_the_port_all_the_same() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut stranger) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(500, &mut [&mut anna]);
    let noise = |sequence| {
        let header =
            RtpHeader { payload_type: 13, sequence_number: sequence, ssrc: 1, ..RtpHeader::default() };
        let mut bytes = header.to_bytes().to_vec();
        bytes.push(60);
        bytes
    };
    for _ in 0..4 {
        ear.link.inject(at(ANNA), &noise(anna.sequence));
        anna.sequence += 1;
        ear.hear(1_500, &mut [&mut stranger]);
    }
    assert_eq!((ear.meters().peer, ear.meters().strangers), (Some(at(ANNA)), 300));
}

#[test]
fn packets_while_stopped_keep_the_port_as_well() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut stranger) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(500, &mut [&mut anna]);
    ear.command(RxCommand::Stop);
    ear.hear(5_000, &mut [&mut anna]);
    ear.command(RxCommand::Start);
    let rx = ear.hear(500, &mut [&mut stranger, &mut anna]);
    assert_eq!((rx.peer, rx.strangers), (Some(at(ANNA)), 25));
}

#[test]
fn a_flood_before_the_first_packet_ends_when_the_expected_port_speaks() {
    let mut ear = Ear::expecting_anna();
    let mut anna = Voice::new(ANNA, 1, SOFT);
    let mut flood = Voice::new(OTHER, 9, LOUD);
    let torrent = |ear: &mut Ear, flood: &mut Voice| (0..80).for_each(|_| flood.say(&ear.link));
    for _ in 0..50 {
        torrent(&mut ear, &mut flood);
        ear.world.run_ms(10);
    }
    assert_eq!(ear.meters().peer, Some(at(OTHER)), "nothing tells it from an unexpected port of the peer's");
    for n in 0..100 {
        torrent(&mut ear, &mut flood);
        if n % 2 == 0 {
            anna.say(&ear.link);
        }
        ear.world.run_ms(10);
        if n == 20 {
            ear.loudest();
        }
    }
    let rx = ear.meters();
    assert_eq!((rx.peer, rx.receiver.ssrc), (Some(at(ANNA)), Some(1)));
    assert_eq!((rx.receiver.received, rx.receiver.lost(), rx.playout.packets_late), (50, 0, 0));
    assert!(rx.strangers >= 97 * 80, "{rx:?}");
    assert!(ear.loudest() < 2_000);
}

#[test]
fn a_flood_of_many_sources_does_not_keep_the_expected_port_from_passing_probation() {
    let mut ear = Ear::expecting_anna();
    let mut anna = Voice::new(ANNA, 1, SOFT);
    let mut ssrc = 100;
    for _ in 0..10 {
        anna.say(&ear.link);
        for _ in 0..50 {
            ssrc += 1;
            Voice::new(OTHER, ssrc, LOUD).say(&ear.link);
        }
        ear.world.run_ms(20);
    }
    let rx = ear.meters();
    assert_eq!((rx.peer, rx.receiver.received, rx.receiver.lost()), (Some(at(ANNA)), 10, 0));
    assert_eq!(rx.strangers, 10 * 50, "none was tried after Anna's first packet");
}

#[test]
fn a_flood_after_the_first_packets_changes_nothing() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut flood) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(40, &mut [&mut anna]);
    for n in 0..200 {
        (0..80).for_each(|_| flood.say(&ear.link));
        if n % 2 == 0 {
            anna.say(&ear.link);
        }
        ear.world.run_ms(10);
    }
    let rx = ear.meters();
    assert_eq!((rx.peer, rx.strangers, rx.receiver.lost()), (Some(at(ANNA)), 16_000, 0));
    assert!(ear.loudest() < 2_000);
}

#[test]
fn a_peer_that_sends_from_an_unexpected_port_is_heard_from_its_first_packet() {
    let (mut expecting, mut open) = (Ear::expecting_anna(), Ear::of_the_host());
    let heard = [&mut expecting, &mut open].map(|ear| {
        let start = ear.world.clock.now_ns();
        let rx = ear.hear(500, &mut [&mut Voice::new(OTHER, 1, SOFT)]);
        assert_eq!((rx.peer, rx.receiver.received, rx.strangers), (Some(at(OTHER)), 25, 0));
        assert!(rx.first_packet_ns.unwrap() - start < 20 * MS);
        rx.first_sound_ns.unwrap() - start
    });
    assert_eq!(heard[0], heard[1], "an expectation costs nothing");
}

#[test]
fn the_expected_port_takes_over_whenever_it_speaks_and_leaves_only_by_silence() {
    let mut ear = Ear::expecting_anna();
    let (mut anna, mut other) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(10_000, &mut [&mut other]);
    let rx = ear.hear(40, &mut [&mut anna, &mut other]);
    assert_eq!((rx.peer, rx.receiver.received), (Some(at(ANNA)), 2));
    assert_eq!(ear.hear(1_900, &mut [&mut other]).peer, Some(at(ANNA)));
    assert_eq!(ear.hear(200, &mut [&mut other]).peer, Some(at(OTHER)));
    assert_eq!(ear.hear(40, &mut [&mut anna, &mut other]).peer, Some(at(ANNA)));
}

#[test]
fn a_port_expected_only_later_takes_over_and_the_same_host_told_again_changes_nothing() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut other) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(500, &mut [&mut other]);
    ear.command(RxCommand::SetPeer(Peer::Expected(at(ANNA))));
    let kept = ear.hear(500, &mut [&mut other]);
    assert_eq!((kept.peer, kept.receiver.sources, kept.receiver.lost()), (Some(at(OTHER)), 1, 0));
    assert_eq!(ear.hear(40, &mut [&mut other, &mut anna]).peer, Some(at(ANNA)));
}

#[test]
fn an_announced_change_is_heard_at_once_and_the_port_before_has_no_way_back() {
    let mut ear = Ear::expecting_anna();
    let (mut anna, mut moved) = (Voice::new(ANNA, 1, SOFT), Voice::new(THIRD, 3, LOUD));
    ear.hear(500, &mut [&mut anna]);
    ear.command(RxCommand::ExpectSourceChange);
    ear.command(RxCommand::SetPeer(Peer::Expected(at(THIRD))));
    let rx = ear.hear(40, &mut [&mut anna, &mut moved]);
    assert_eq!((rx.peer, rx.receiver.ssrc, rx.receiver.received), (Some(at(THIRD)), Some(3), 2));
    let before = rx.strangers;
    let rx = ear.hear(1_000, &mut [&mut anna, &mut moved]);
    assert_eq!((rx.peer, rx.strangers - before), (Some(at(THIRD)), 50));
}

#[test]
fn an_announced_change_to_a_port_that_nobody_named_is_heard_at_once() {
    let mut ear = Ear::expecting_anna();
    let (mut anna, mut moved) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 3, LOUD));
    ear.hear(500, &mut [&mut anna]);
    ear.command(RxCommand::ExpectSourceChange);
    assert_eq!(ear.hear(40, &mut [&mut anna, &mut moved]).peer, Some(at(OTHER)));
    assert_eq!(ear.hear(1_000, &mut [&mut anna, &mut moved]).peer, Some(at(OTHER)));
}

#[test]
fn an_announced_change_that_never_comes_leaves_no_door_open() {
    let mut ear = Ear::of_the_host();
    let (mut anna, mut stranger) = (Voice::new(ANNA, 1, SOFT), Voice::new(OTHER, 9, LOUD));
    ear.hear(500, &mut [&mut anna]);
    ear.command(RxCommand::ExpectSourceChange);
    // One stray packet begins the five seconds.
    stranger.say(&ear.link);
    ear.hear(5_000, &mut [&mut anna]);
    let rx = ear.hear(1_000, &mut [&mut anna, &mut stranger]);
    assert_eq!((rx.peer, rx.strangers), (Some(at(ANNA)), 50));
    assert!(ear.loudest() < 2_000);
}

#[test]
fn behind_address_translation_any_host_is_latched_and_the_same_silence_and_return_hold() {
    let mut ear = Ear::new(Peer::Any);
    let (mut anna, mut mallory) = (Voice::new(ANNA, 1, SOFT), Voice::new("203.0.113.9:5004", 9, LOUD));
    mallory.say(&ear.link);
    ear.hear(500, &mut [&mut anna]);
    assert!(ear.loudest() < 2_000, "no host is played before it passes probation");
    assert_eq!(ear.hear(1_900, &mut [&mut mallory]).peer, Some(at(ANNA)));
    assert_eq!(ear.hear(200, &mut [&mut mallory]).peer, Some(mallory.from));
    assert_eq!(ear.hear(40, &mut [&mut anna, &mut mallory]).peer, Some(at(ANNA)));
}

#[test]
fn the_sound_of_a_peer_that_was_away_for_five_seconds_is_whole_from_its_return_on() {
    let said = speech(8, 21);
    let mut world = World::new();
    let (a_tx, b_rx, to_bert) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    world.add(Setup::new(said.clone(), BERT, 1), (a_tx, a_rx), Party::default());
    world.add(Setup::new(Vec::new(), ANNA, 2), (b_tx, b_rx), Party::default());
    world.run_ms(500);
    to_bert.set(LinkConfig { loss: 1.0, ..LinkConfig::perfect(at(ANNA)) });
    let mut stranger = Voice::new(OTHER, 9, SILENT);
    for _ in 0..250 {
        stranger.say(&to_bert);
        world.run_ms(20);
    }
    to_bert.set(LinkConfig::perfect(at(ANNA)));
    world.ends[1].heard.clear();
    for _ in 0..100 {
        stranger.say(&to_bert);
        world.run_ms(20);
    }
    let wanted = through(CodecKind::Pcmu, &said);
    let heard = &world.ends[1].heard;
    // A second of it, 5.7 s into the call.
    let part = &wanted[45_600..53_600];
    assert!(heard.windows(part.len()).any(|window| window == part));
    assert_eq!(world.ends[1].control.meters().rx().peer, Some(at(ANNA)));
}
