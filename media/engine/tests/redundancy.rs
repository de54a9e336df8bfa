//! Redundant packets (RFC 2198) in calls that lose packets: what copies repair, and that a far end without them, a pause,
//! another codec or a packet of nonsense does no harm.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{LinkConfig, Party, link};
use offhook_engine::{EngineConfig, RxCommand, SenderIdentity, TxCommand, TxFormat, packet_tap};
use offhook_rtp::{RtpHeader, redundant_blocks};
use support::{Endpoint, MS, Setup, World, at, voice};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";
const RED: u8 = 110;

/// Anna speaks to Bert, who hears only her, with so many copies in a packet, or without redundancy.
fn call(kind: CodecKind, copies: Option<usize>, there: LinkConfig, seconds: usize) -> World {
    let mut world = World::new();
    let rate = kind.sample_rate();
    let (a_tx, b_rx, _) = link(&world.clock, there);
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    let setup =
        |clip, peer, ssrc| Setup { kind, config: EngineConfig::new(rate), ..Setup::new(clip, peer, ssrc) };
    world.add(setup(voice(seconds, rate, 1), BERT, 1), (a_tx, a_rx), Party::default());
    world.add(setup(Vec::new(), ANNA, 2), (b_tx, b_rx), Party { phase_ns: 3 * MS, ..Party::default() });
    if let Some(copies) = copies {
        world.ends[0].control.tx(TxCommand::SetFormat(Box::new(redundant(kind, copies)))).unwrap();
        world.ends[1].control.rx(RxCommand::SetRedundancyPayloadType(Some(RED))).unwrap();
    }
    world
}

fn redundant(kind: CodecKind, copies: usize) -> TxFormat {
    let payload_type = kind.payload_type().unwrap_or(96);
    TxFormat::new(kind, payload_type, 20).unwrap().with_redundancy(RED, copies, 1_440)
}

fn run(world: &mut World, ms: usize) {
    for _ in 0..2 * ms / 10 {
        assert_no_alloc(|| world.driver.step());
        world.ends.iter_mut().for_each(Endpoint::pump);
    }
}

#[test]
fn what_the_network_loses_the_copies_repair() {
    let lossy = LinkConfig { delay_ns: 20 * MS, loss: 0.1, seed: 9, ..LinkConfig::perfect(at(ANNA)) };
    for kind in [CodecKind::Pcmu, CodecKind::Gsm, CodecKind::Opus] {
        let concealed: Vec<u64> = [None, Some(1), Some(2)]
            .into_iter()
            .map(|copies| {
                let mut world = call(kind, copies, lossy, 20);
                run(&mut world, 20_000);
                let rx = world.ends[1].control.meters().rx();
                assert!(rx.receiver.lost() > 60, "{kind:?}: {rx:?}");
                assert_eq!((rx.redundancy_malformed, rx.playout.packets_malformed), (0, 0), "{rx:?}");
                if copies.is_some() {
                    let repaired = rx.playout.packets_recovered;
                    assert!(repaired > 50, "{kind:?}: {rx:?}");
                    // What was made good is no loss in the call's quality; what the network did is still told.
                    assert!(rx.receiver.runs.lost < 30, "{kind:?}: {:?}", rx.receiver);
                }
                let delay_ms = rx.playout.delay_us / 1_000;
                eprintln!("{kind:?}, {copies:?} copies: {} samples made up of {}, {} repaired of {} lost, {delay_ms} ms of delay in the end",
                    rx.playout.samples_concealed, rx.playout.samples_total, rx.playout.packets_recovered, rx.receiver.lost());
                rx.playout.samples_concealed
            })
            .collect();
        let [plain, one, two] = concealed[..] else { panic!() };
        // One copy leaves what was lost with its neighbour: one in ten of what was. Two leave hardly any.
        assert!(one * 3 < plain && two * 10 < plain, "{kind:?}: {concealed:?} samples concealed");
    }
}

#[test]
fn the_packets_are_those_of_rfc_2198_and_begin_anew_after_a_pause() {
    let mut world = call(CodecKind::Pcmu, Some(2), LinkConfig::perfect(at(ANNA)), 2);
    let (mut reader, tap) = packet_tap(1_000);
    world.ends[0].control.tx(TxCommand::SetPacketTap(tap)).unwrap();
    run(&mut world, 500);
    world.ends[0].control.tx(TxCommand::Stop).unwrap();
    run(&mut world, 300);
    world.ends[0].control.tx(TxCommand::Start).unwrap();
    run(&mut world, 500);
    let identity = SenderIdentity { ssrc: 77, first_sequence_number: 9, first_timestamp: 160 * 60 - 256 };
    world.ends[0].control.tx(TxCommand::Restart(identity)).unwrap();
    run(&mut world, 100);
    let (mut copies_of, mut renamed) = (Vec::new(), Vec::new());
    let mut sent: Vec<(u32, Vec<u8>)> = Vec::new();
    while let Some(packet) = reader.read() {
        let view = packet.view;
        assert_eq!(view.payload_type(), RED);
        let blocks: Vec<_> = redundant_blocks(view.timestamp(), view.payload()).unwrap().collect();
        for block in &blocks {
            assert_eq!((block.payload_type, block.payload.len()), (0, 160));
            if block.is_copy && view.ssrc() != 77 {
                assert!(sent.iter().any(|(at, was)| *at == block.timestamp && was == block.payload));
            }
        }
        if view.ssrc() == 77 {
            renamed.push(blocks.len() - 1);
            continue;
        }
        let own = blocks.last().unwrap();
        sent.push((own.timestamp, own.payload.to_vec()));
        copies_of.push((view.marker(), blocks.len() - 1));
    }
    assert_eq!(copies_of[..4], [(false, 0), (false, 1), (false, 2), (false, 2)]);
    let again = copies_of.iter().position(|(marker, _)| *marker).expect("the marker after the pause");
    assert_eq!(copies_of[again..again + 3], [(true, 0), (false, 1), (false, 2)]);
    assert_eq!(renamed[..3], [0, 1, 2], "another source has sent nothing before");
    let rx = world.ends[1].control.meters().rx();
    assert_eq!((rx.receiver.wrong_payload_type, rx.receiver.lost()), (0, 0), "{rx:?}");
}

#[test]
fn copies_come_and_go_in_the_middle_of_a_call_and_with_other_codecs() {
    let mut world = call(CodecKind::Pcmu, None, LinkConfig::perfect(at(ANNA)), 4);
    run(&mut world, 500);
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(redundant(CodecKind::Pcmu, 1)))).unwrap();
    run(&mut world, 500);
    // Bert was never told of them: nothing is played, nothing breaks.
    let refused = world.ends[1].control.meters().rx().receiver.wrong_payload_type;
    assert!((24..=26).contains(&refused), "{refused}");
    world.ends[1].control.rx(RxCommand::SetRedundancyPayloadType(Some(RED))).unwrap();
    run(&mut world, 500);
    let rx = world.ends[1].control.meters().rx();
    assert!(rx.receiver.wrong_payload_type - refused <= 1, "{rx:?}");
    let concealed = rx.playout.samples_concealed;
    let plain = TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap();
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(plain))).unwrap();
    run(&mut world, 500);
    let rx = world.ends[1].control.meters().rx();
    assert_eq!(rx.playout.samples_concealed, concealed, "the change is not heard");
    // Another codec that nobody told Bert of: its own blocks are dropped, whatever the packet's type is.
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(redundant(CodecKind::Pcma, 1)))).unwrap();
    run(&mut world, 500);
    let rx = world.ends[1].control.meters().rx();
    assert!(rx.redundancy_malformed >= 24 && rx.receiver.lost() == 0, "{rx:?}");
}

#[test]
fn packets_that_only_say_they_have_copies_are_counted_and_dropped() {
    let mut world = call(CodecKind::Pcmu, Some(1), LinkConfig::perfect(at(ANNA)), 4);
    run(&mut world, 500);
    let (mut sender, injector) = offhook_engine::packet_injector(100);
    world.ends[0].control.tx(TxCommand::SetPacketInjector(injector)).unwrap();
    let mut dice = 3u32;
    for n in 0..100u16 {
        let header = RtpHeader {
            marker: false,
            payload_type: RED,
            sequence_number: n,
            timestamp: 160 * u32::from(n),
            ssrc: 0,
        };
        let mut packet = header.to_bytes().to_vec();
        packet.extend((0..n).map(|_| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 24) as u8
        }));
        sender.send(&packet).unwrap();
        run(&mut world, 20);
    }
    let rx = world.ends[1].control.meters().rx();
    assert!(rx.redundancy_malformed > 80, "{rx:?}");
    assert_eq!(rx.playout.packets_recovered, 0, "{rx:?}");
}
