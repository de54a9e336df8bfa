//! The processors under an allocator that traps: whatever control and the network do, nothing is allocated or freed.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, LinkConfig, Party, link};
use offhook_engine::{
    ClipFeeder, Control, EngineConfig, Gain, Peer, Recorder, RxCommand, RxFormat, RxProcessor, Sink,
    TxCommand, TxFormat, TxProcessor, echo, split,
};
use offhook_rtp::PayloadTypes;
use support::{MS, Setup, World, at, speech};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";

/// Runs blocks under the trap; control works between them, outside of it.
fn run_trapped(world: &mut World, blocks: usize, mut control: impl FnMut(&mut World, usize)) {
    for block in 0..blocks {
        assert_no_alloc(|| world.driver.step());
        control(world, block);
    }
}

fn world(there: LinkConfig, clip: Vec<i16>) -> World {
    let mut world = World::new();
    let (a_tx, b_rx, _) = link(&world.clock, there);
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    world.add(Setup::new(clip, BERT, 1), (a_tx, a_rx), Party::default());
    world.add(Setup::new(speech(2, 7), ANNA, 2), (b_tx, b_rx), Party { phase_ns: MS, ..Party::default() });
    world
}

#[test]
fn a_call_with_loss_jitter_and_duplicates_allocates_nothing() {
    let there = LinkConfig {
        delay_ns: 20 * MS,
        jitter_ns: 60 * MS,
        loss: 0.1,
        duplicates: 0.1,
        ..LinkConfig::perfect(at(ANNA))
    };
    let mut world = world(there, speech(8, 1));
    run_trapped(&mut world, 2_000, |world, _| world.ends.iter_mut().for_each(support::Endpoint::pump));
    let rx = world.ends[1].control.meters().rx();
    assert!(rx.playout.samples_concealed > 0 && rx.receiver.duplicates > 0, "{rx:?}");
}

#[test]
fn a_control_side_that_stands_still_costs_sound_and_nothing_else() {
    let mut world = world(LinkConfig::perfect(at(ANNA)), speech(8, 2));
    // The clip's ring runs empty, the recorder's runs full.
    run_trapped(&mut world, 1_000, |_, _| {});
    assert!(world.ends[0].feeder.meters().underrun_samples > 0);
    assert!(world.ends[1].recorder.meters().overflow_samples > 0);
    world.ends.iter_mut().for_each(support::Endpoint::pump);
    run_trapped(&mut world, 100, |world, _| world.ends.iter_mut().for_each(support::Endpoint::pump));
    world.ends.iter_mut().for_each(support::Endpoint::pump);
    let end = &world.ends[1];
    assert_eq!(end.heard.len() as u64, end.recorder.meters().samples, "time is kept");
}

#[test]
fn rubbish_from_the_network_allocates_nothing() {
    let mut world = World::new();
    let (a_tx, b_rx, hand) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    world.add(Setup::new(speech(4, 3), BERT, 1), (a_tx, a_rx), Party::default());
    world.add(Setup::new(speech(2, 7), ANNA, 2), (b_tx, b_rx), Party::default());
    let mut seed = 1u32;
    let mut bytes = [0u8; 400];
    run_trapped(&mut world, 800, |_, block| {
        for n in 0..3 {
            for byte in &mut bytes {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (seed >> 24) as u8;
            }
            // Half of it has RTP's version, some of it the right payload type.
            bytes[0] = if block % 2 == 0 { 0x80 | bytes[0] & 0x3F } else { bytes[0] };
            bytes[1] &= if n == 0 { 0x80 } else { 0xFF };
            hand.inject(
                at(if n == 1 { "203.0.113.1:1" } else { ANNA }),
                &bytes[..(seed >> 16) as usize % 400],
            );
        }
    });
    let rx = world.ends[1].control.meters().rx();
    assert!(rx.strangers >= 790, "{}", rx.strangers);
    assert!(rx.receiver.malformed > 0 && rx.receiver.foreign_source > 0, "{rx:?}");
}

/// Two halves with everything small, so that everything is soon full.
fn small() -> (Control, TxProcessor, RxProcessor) {
    split(EngineConfig { commands: 2, commands_per_block: 2, max_nodes: 3, ..EngineConfig::new(8_000) })
}

fn block(tx: &mut TxProcessor, rx: &mut RxProcessor) {
    assert_no_alloc(|| {
        let mut speaker = [0; 160];
        rx.process(0, &mut speaker);
        tx.process(0, &speaker);
    });
}

#[test]
fn every_command_is_carried_out_and_what_it_retires_comes_back() {
    let clock = Clock::new(0);
    let (mut control, mut tx, mut rx) = split(EngineConfig::new(8_000));
    let mut retired = 0;
    for round in 0..6u16 {
        let kind = CodecKind::ALL[usize::from(round) % 2];
        let payload_type = kind.payload_type().unwrap();
        let (out, back, _) = link(&clock, LinkConfig { capacity: 4, ..LinkConfig::perfect(at(ANNA)) });
        control.tx(TxCommand::SetTransport(Box::new(out))).unwrap();
        control.tx(TxCommand::SetRemote(at(BERT))).unwrap();
        control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(kind, payload_type, 20).unwrap()))).unwrap();
        control.tx(TxCommand::SetMicrophone(Gain::from_db(-6.0))).unwrap();
        control.tx(TxCommand::Restart(offhook_engine::SenderIdentity::default())).unwrap();
        control.tx(TxCommand::Start).unwrap();
        let clip = ClipFeeder::new(Box::new(|_: &mut [i16]| 0), 10).1;
        let source = control.add_source(Box::new(clip), Gain::UNITY).ok().unwrap();
        control.tx(TxCommand::SetSourceGain(source, Gain::MUTE)).unwrap();
        control.rx(RxCommand::SetTransport(Box::new(back))).unwrap();
        control.rx(RxCommand::SetPeer(Peer::Any)).unwrap();
        control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(kind, payload_type).unwrap()))).unwrap();
        control.rx(RxCommand::SetDecoder(kind.decoder().unwrap(), PayloadTypes::ANY)).unwrap();
        control.rx(RxCommand::SetOwnSsrc(9)).unwrap();
        control.rx(RxCommand::ExpectSourceChange).unwrap();
        control.rx(RxCommand::SetSpeaker(Gain::UNITY)).unwrap();
        control.rx(RxCommand::Start).unwrap();
        let sink = control.add_sink(Box::new(Recorder::new(10).1)).ok().unwrap();
        for _ in 0..4 {
            block(&mut tx, &mut rx);
        }
        control.remove_source(source).unwrap();
        control.remove_sink(sink).unwrap();
        control.tx(TxCommand::Stop).unwrap();
        control.rx(RxCommand::Stop).unwrap();
        if round == 5 {
            control.tx(TxCommand::ClearTransport).unwrap();
            control.rx(RxCommand::ClearTransport).unwrap();
        }
        for _ in 0..2 {
            block(&mut tx, &mut rx);
        }
        assert!(control.is_settled());
        retired += control.collect();
    }
    // The last round's source, sink and transports; what came before was collected by the commands after it.
    assert!(retired >= 4, "{retired}");
}

#[test]
fn a_full_command_ring_gives_the_command_back() {
    let (mut control, mut tx, mut rx) = small();
    control.tx(TxCommand::Start).unwrap();
    control.tx(TxCommand::Stop).unwrap();
    let full = control.tx(TxCommand::SetRemote(at(BERT))).unwrap_err();
    assert!(matches!(full.value, TxCommand::SetRemote(to) if to == at(BERT)), "{full}");
    control.rx(RxCommand::Start).unwrap();
    control.rx(RxCommand::Stop).unwrap();
    let (sink, source) = echo(80);
    let sink: Box<dyn Sink> = match control.add_sink(Box::new(sink)) {
        Err(offhook_engine::NodeError::RingFull(sink)) => sink,
        _ => panic!("there was room"),
    };
    assert!(matches!(
        control.add_source(Box::new(source), Gain::UNITY),
        Err(offhook_engine::NodeError::RingFull(_))
    ));
    block(&mut tx, &mut rx);
    assert!(control.is_settled());
    assert!(control.add_sink(sink).is_ok());
}

#[test]
fn more_nodes_than_there_is_room_for_are_given_back_at_once() {
    let (mut control, mut tx, mut rx) = small();
    let sinks: Vec<_> = (0..3)
        .map(|_| {
            let id = control.add_sink(Box::new(echo(80).0)).ok().unwrap();
            block(&mut tx, &mut rx);
            id
        })
        .collect();
    let refused = control.add_sink(Box::new(echo(80).0));
    assert!(matches!(refused, Err(offhook_engine::NodeError::TooMany { max: 3, .. })));
    control.remove_sink(sinks[1]).unwrap();
    // The removal is on its way before the addition: there is room when it arrives.
    control.add_sink(Box::new(echo(80).0)).ok().unwrap();
    block(&mut tx, &mut rx);
    assert_eq!(control.collect(), 1);
    control.remove_sink(sinks[1]).unwrap();
    block(&mut tx, &mut rx);
    assert_eq!(control.collect(), 0, "an unknown name is no error");
}
