//! Two speakers with one SSRC, and packets that come back (RFC 3550 §8.2): engines and RTCP sessions on a virtual clock,
//! joined as the media service provider joins them.

use std::net::SocketAddr;

use offhook_engine::simulate::{LinkConfig, Party, link};
use offhook_engine::{RxCommand, SenderIdentity, TxCommand};
use offhook_rtp::{NtpTime, RtcpEvent, RtcpPacket, RtcpSession, SessionConfig, parse_compound};
use support::{Endpoint, MS, Setup, World, at, speech};

mod support;

const ANNA: &str = "10.0.0.1:5004";
const BERT: &str = "10.0.0.2:5004";
/// What both chose.
const SAME: u32 = 7;

/// The control side of one end.
struct Side {
    session: RtcpSession,
    address: SocketAddr,
    /// The next SSRC to be chosen.
    fresh: u32,
    events: Vec<RtcpEvent>,
    sent: Vec<RtcpPacket>,
}

impl Side {
    fn new(cname: &str, address: &str, fresh: u32, now_ns: u64) -> Side {
        let session = RtcpSession::new(SessionConfig::new(SAME, cname, u64::from(fresh)), now_ns);
        let rtp = at(address);
        Side {
            session,
            address: SocketAddr::new(rtp.ip(), rtp.port() + 1),
            fresh,
            events: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// What is due, and what follows from what was learnt.
    fn turn(&mut self, now_ns: u64, end: &mut Endpoint) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let (sender, receiver) = (end.control.meters().tx().sender, end.control.meters().rx().receiver);
        while let Some(bytes) = self.session.poll_transmit(now_ns, ntp(now_ns), &sender, &receiver) {
            self.sent.extend(parse_compound(&bytes).unwrap());
            out.push(bytes);
        }
        while let Some(event) = self.session.poll_event() {
            if matches!(event, RtcpEvent::SsrcCollision { .. }) {
                while self.session.is_taken(self.fresh) {
                    self.fresh += 1;
                }
                let identity = SenderIdentity { ssrc: self.fresh, ..SenderIdentity::default() };
                self.session.change_ssrc(now_ns, self.fresh);
                end.control.tx(TxCommand::Restart(identity)).unwrap();
                end.control.rx(RxCommand::SetOwnSsrc(self.fresh)).unwrap();
            }
            self.events.push(event);
        }
        out
    }

    fn count(&self, is_it: impl Fn(&RtcpEvent) -> bool) -> usize {
        self.events.iter().filter(|event| is_it(event)).count()
    }

    fn byes(&self) -> Vec<u32> {
        let byes = self.sent.iter().filter_map(|packet| match packet {
            RtcpPacket::Bye { ssrcs, .. } => Some(ssrcs.clone()),
            _ => None,
        });
        byes.flatten().collect()
    }
}

fn ntp(now_ns: u64) -> NtpTime {
    NtpTime::from_unix(1_700_000_000, 0).plus_ns(now_ns)
}

fn is_collision(event: &RtcpEvent) -> bool {
    matches!(event, RtcpEvent::SsrcCollision { .. })
}

fn is_loop(event: &RtcpEvent) -> bool {
    matches!(event, RtcpEvent::Loop { .. })
}

/// Runs engines and sessions; `route[n]` tells who gets the compounds of side n, 20 ms later.
fn run(world: &mut World, sides: &mut [Side], route: &[usize], ms: u64) {
    let ends = &mut world.ends;
    let mut flight: Vec<(u64, SocketAddr, usize, Vec<u8>)> = Vec::new();
    world.driver.run_for(ms * MS, &mut |now_ns| {
        while let Some(due) = flight.iter().position(|(at_ns, ..)| *at_ns <= now_ns) {
            let (_, source, to, bytes) = flight.remove(due);
            sides[to].session.handle_rtcp_from(source, now_ns, ntp(now_ns), &bytes);
        }
        for (n, end) in ends.iter_mut().enumerate() {
            end.pump();
            let source = sides[n].address;
            for bytes in sides[n].turn(now_ns, end) {
                flight.push((now_ns + 20 * MS, source, route[n], bytes));
            }
        }
    });
}

#[test]
fn two_speakers_with_one_ssrc_part_with_a_bye_each_and_hear_each_other_from_then_on() {
    let mut world = World::new();
    let delayed = |from| LinkConfig::perfect(at(from)).delayed_ms(20);
    let (to_bert, at_bert, _) = link(&world.clock, delayed(ANNA));
    let (to_anna, at_anna, _) = link(&world.clock, delayed(BERT));
    world.add(Setup::new(speech(9, 1), BERT, SAME), (to_bert, at_anna), Party::default());
    world.add(Setup::new(speech(9, 2), ANNA, SAME), (to_anna, at_bert), Party::default());
    let now_ns = world.clock.now_ns();
    // Both would choose the same again.
    let mut sides = [Side::new("anna", ANNA, 100, now_ns), Side::new("bert", BERT, 200, now_ns)];
    run(&mut world, &mut sides, &[1, 0], 8_000);
    for (n, side) in sides.iter().enumerate() {
        assert_eq!((side.count(is_collision), side.count(is_loop)), (1, 0), "{:?}", side.events);
        assert_eq!(side.byes(), [SAME]);
        let (tx, rx) = (world.ends[n].control.meters().tx(), world.ends[n].control.meters().rx());
        assert_eq!(tx.sender.ssrc, [100, 200][n]);
        assert_eq!(rx.receiver.ssrc, Some([200, 100][n]));
        assert!(rx.receiver.accepted > 350, "{}", rx.receiver.accepted);
        assert!(rx.level.rms_dbfs > -60.0, "it is heard");
        assert_eq!(tx.packets_sent, 400, "sound never stopped");
        // Reports go on under the new name.
        let reports = side.sent.iter().filter(
            |packet| matches!(packet, RtcpPacket::SenderReport { ssrc, .. } if *ssrc == tx.sender.ssrc),
        );
        assert!(reports.count() >= 1, "{:?}", side.sent);
    }
}

#[test]
fn packets_that_come_back_change_the_ssrc_once_and_are_ignored_from_then_on() {
    let mut world = World::new();
    // Whatever Anna says comes back as from Bert.
    let (out, back, _) = link(&world.clock, LinkConfig::perfect(at(BERT)).delayed_ms(20));
    world.add(Setup::new(speech(9, 1), BERT, SAME), (out, back), Party::default());
    let now_ns = world.clock.now_ns();
    let mut sides = [Side::new("anna", ANNA, 100, now_ns)];
    run(&mut world, &mut sides, &[0], 20_000);
    let side = &sides[0];
    assert_eq!(side.count(is_collision), 1, "the first time nothing tells a loop from a collision");
    // RTP from one address, RTCP by our own name from another.
    assert_eq!(side.count(is_loop), 2, "{:?}", side.events);
    assert_eq!(side.byes(), [SAME]);
    let (tx, rx) = (world.ends[0].control.meters().tx(), world.ends[0].control.meters().rx());
    assert_eq!((tx.sender.ssrc, tx.packets_sent), (100, 1_000), "we go on: to whom it is meant hears it");
    // At most what was under way under the old SSRC.
    assert!(rx.receiver.accepted <= 4 && rx.receiver.own_source > 980, "{:?}", rx.receiver);
    assert_eq!(side.session.members(), 1, "we are not our own peer");
}

#[test]
fn a_block_reads_no_more_datagrams_than_it_may_and_the_rest_in_the_next() {
    let mut world = World::new();
    let (_out, back, hand) =
        link(&world.clock, LinkConfig { capacity: 100, ..LinkConfig::perfect(at(BERT)) });
    let (unused, _, _) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
    world.add(Setup::new(Vec::new(), BERT, 1), (unused, back), Party::default());
    for sequence in 0..50_u8 {
        let mut packet = vec![0x80, 0, 0, sequence, 0, 0, sequence, 0, 0, 0, 0, 9];
        packet.extend([0xFF; 160]);
        hand.inject(at(BERT), &packet);
    }
    let mut read = Vec::new();
    for _ in 0..5 {
        world.run_ms(10);
        read.push(world.ends[0].control.meters().rx().datagrams);
    }
    // `EngineConfig::packets_per_block` is 16.
    assert_eq!(read, [16, 32, 48, 50, 50]);
}
