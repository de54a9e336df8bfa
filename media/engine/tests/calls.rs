//! Whole calls on a virtual clock: what is said is what is heard, when, and who is not listened to.

mod support;

use offhook_codecs::CodecKind;
use offhook_engine::measure::{lag_between, mouth_to_ear_ns};
use offhook_engine::simulate::{Link, LinkConfig, Party, link};
use offhook_engine::{
    EngineConfig, Gain, PacketRx, PacketTx, Peer, RxCommand, RxFormat, SendOutcome, SenderIdentity,
    TxCommand, TxFormat, echo, split,
};
use offhook_jitter::{Playout, PlayoutConfig};
use offhook_rtp::{PayloadTypes, RtpHeader, RtpView};
use support::{MS, Setup, World, at, speech, through};

const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";

/// Anna and Bert, with a link each way.
fn pair(
    kind: CodecKind,
    there: LinkConfig,
    back: LinkConfig,
    phase_ns: u64,
    clip: &[i16],
) -> (World, [Link; 2]) {
    let mut world = World::new();
    let (a_tx, b_rx, to_bert) = link(&world.clock, there);
    let (b_tx, a_rx, to_anna) = link(&world.clock, back);
    let anna = Setup { kind, ..Setup::new(clip.to_vec(), BERT, 1) };
    let bert = Setup { kind, ..Setup::new(speech(2, 77), ANNA, 2) };
    world.add(anna, (a_tx, a_rx), Party::default());
    world.add(bert, (b_tx, b_rx), Party { phase_ns, ..Party::default() });
    (world, [to_bert, to_anna])
}

fn perfect(clip: &[i16]) -> (World, [Link; 2]) {
    let (there, back) = (LinkConfig::perfect(at(ANNA)), LinkConfig::perfect(at(BERT)));
    pair(CodecKind::Pcmu, there, back, 0, clip)
}

/// Where `wanted` is in `heard`, if it is there sample for sample.
fn find(wanted: &[i16], heard: &[i16]) -> Option<usize> {
    heard.windows(wanted.len()).position(|window| window == wanted)
}

#[test]
fn on_a_perfect_network_every_sample_arrives_as_the_codec_left_it() {
    for kind in [CodecKind::Pcmu, CodecKind::Pcma] {
        let said = speech(4, 5);
        let (there, back) = (LinkConfig::perfect(at(ANNA)), LinkConfig::perfect(at(BERT)));
        let (mut world, _) = pair(kind, there, back, 3 * MS, &said);
        world.run_ms(4_500);
        let bert = &world.ends[1];
        let place = find(&through(kind, &said), &bert.heard);
        assert!(place.is_some(), "{kind}: {:#?}", bert.control.meters().rx());
        let tx = world.ends[0].control.meters().tx();
        let rx = bert.control.meters().rx();
        assert_eq!((tx.packets_sent, tx.would_block, tx.failed), (225, 0, 0));
        assert_eq!(tx.samples, 36_000);
        assert_eq!(rx.receiver.received, 224, "the last one comes after Bert's last block");
        assert_eq!((rx.receiver.lost(), rx.strangers, rx.playout.samples_concealed), (0, 0, 0));
        assert_eq!(rx.peer, Some(at(ANNA)));
        assert!(rx.first_packet_ns.is_some() && rx.first_packet_ns <= rx.first_sound_ns);
        assert!(world.ends[0].feeder.meters().is_over);
    }
}

#[test]
fn a_relay_of_forty_milliseconds_adds_forty_milliseconds_from_mouth_to_ear() {
    for phase_ns in [0, 2_500_000, 5_100_000, 9_900_000] {
        let delay = |relay_ms: u64| {
            let said = speech(4, 9);
            let there = LinkConfig::perfect(at(ANNA)).delayed_ms(relay_ms);
            let (mut world, _) = pair(CodecKind::Pcmu, there, LinkConfig::perfect(at(BERT)), phase_ns, &said);
            world.run_ms(5_000);
            let played = world.ends[0].feeder.meters().first_sample_ns.unwrap();
            let recorded = world.ends[1].recorder.meters().first_sample_ns.unwrap();
            let lag = lag_between(&said, &world.ends[1].heard, -8_000..=8_000).unwrap();
            assert!(lag.correlation > 0.95, "{lag:?}");
            mouth_to_ear_ns(played, recorded, lag, 8_000) as f64 / MS as f64
        };
        let (direct, relayed) = (delay(0), delay(40));
        println!("phase {phase_ns} ns: {direct} ms, relayed {relayed} ms");
        assert!(direct > 20.0 && direct < 80.0, "{direct} ms");
        assert!((relayed - direct - 40.0).abs() <= 1.0, "phase {phase_ns}: {direct} then {relayed} ms");
    }
}

#[test]
fn lost_packets_are_counted_and_concealed() {
    let there = LinkConfig { loss: 0.05, ..LinkConfig::perfect(at(ANNA)) };
    let (mut world, [to_bert, _]) =
        pair(CodecKind::Pcma, there, LinkConfig::perfect(at(BERT)), 0, &speech(10, 3));
    world.run_ms(10_000);
    let rx = world.ends[1].control.meters().rx();
    let lost = to_bert.counts().lost;
    assert!(lost > 5, "{lost}");
    // Loss before the first and after the last packet is nobody's.
    assert!((rx.receiver.lost() - lost as i64).abs() <= 2, "{lost} {:?}", rx.receiver);
    let concealed = rx.playout.samples_concealed;
    assert!(
        concealed >= (lost - 2) * 160 && concealed <= (lost + 2) * 320,
        "{lost} lost, {concealed} concealed"
    );
    assert!(rx.concealed_ratio() > 0.02 && rx.concealed_ratio() < 0.15);
    assert!(world.ends[1].heard.iter().any(|x| *x != 0));
}

#[test]
fn jitter_and_duplicates_are_measured_and_do_not_stop_the_sound() {
    let there = LinkConfig {
        delay_ns: 30 * MS,
        jitter_ns: 30 * MS,
        duplicates: 0.02,
        ..LinkConfig::perfect(at(ANNA))
    };
    let (mut world, [to_bert, _]) =
        pair(CodecKind::Pcmu, there, LinkConfig::perfect(at(BERT)), 0, &speech(10, 4));
    world.run_ms(10_000);
    let rx = world.ends[1].control.meters().rx();
    assert!(to_bert.counts().duplicated > 0);
    assert_eq!(rx.receiver.duplicates, to_bert.counts().duplicated);
    assert!(rx.jitter_ms() > 3.0 && rx.jitter_ms() < 30.0, "{}", rx.jitter_ms());
    assert!(rx.receiver.out_of_order > 0);
    assert!(rx.playout.samples_decoded > 9 * 8_000, "{:?}", rx.playout);
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32, fill: u8) -> Vec<u8> {
    let header = RtpHeader { marker: false, payload_type: 0, sequence_number: sequence, timestamp, ssrc };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(&[fill; 160]);
    bytes
}

/// A loud square wave in µ-law: whoever hears it was not protected.
const LOUD: u8 = 0x80;

#[test]
fn strangers_never_reach_playout_before_or_after_the_first_good_packet() {
    let quiet = vec![0i16; 3 * 8_000];
    let (mut world, [to_bert, _]) = perfect(&quiet);
    // Before anything: another host, in sequence, as many as probation wants and more.
    let (mallory, other_port) = (at("203.0.113.9:5004"), at("192.0.2.1:40000"));
    for n in 0..10u16 {
        to_bert.inject(mallory, &packet(99, n, u32::from(n) * 160, LOUD));
    }
    world.run_ms(1_000);
    let early = world.ends[1].control.meters().rx();
    assert_eq!((early.strangers, early.peer), (10, Some(at(ANNA))));
    // After it: another host, another port of the same host, and even the call's own SSRC from elsewhere.
    for n in 0..50u16 {
        to_bert.inject(mallory, &packet(99, n, u32::from(n) * 160, LOUD));
        to_bert.inject(other_port, &packet(98, n, u32::from(n) * 160, LOUD));
        let next = n.wrapping_add(47);
        to_bert.inject(other_port, &packet(1, next, u32::from(next) * 160, LOUD));
        to_bert.inject(mallory, b"not RTP at all");
        world.run_ms(20);
    }
    let rx = world.ends[1].control.meters().rx();
    assert_eq!(rx.strangers, 10 + 200);
    assert_eq!(rx.peer, Some(at(ANNA)));
    assert_eq!((rx.receiver.malformed, rx.receiver.foreign_source), (0, 0));
    assert!(world.ends[1].heard.iter().all(|x| x.abs() <= 8), "nothing but Anna's silence");
    assert_eq!(rx.playout.samples_concealed, 0);
}

#[test]
fn a_flood_of_strangers_does_not_keep_the_peer_waiting() {
    let said = speech(4, 5);
    let (mut world, [to_bert, _]) = perfect(&said);
    // Five times as many a block as packets of the peer would be read.
    for _ in 0..450 {
        for n in 0..80 {
            to_bert.inject(at("203.0.113.9:5004"), &packet(99, n, u32::from(n) * 160, LOUD));
        }
        world.run_ms(10);
    }
    let bert = &world.ends[1];
    let rx = bert.control.meters().rx();
    assert!(rx.strangers >= 449 * 80, "{rx:?}");
    assert_eq!((rx.playout.packets_late, rx.receiver.lost()), (0, 0));
    assert!(find(&through(CodecKind::Pcmu, &said), &bert.heard).is_some(), "{rx:#?}");
}

#[test]
fn another_source_from_the_latched_port_is_not_mixed_in_and_rubbish_is_counted_by_reason() {
    let (mut world, [to_bert, _]) = perfect(&vec![0i16; 2 * 8_000]);
    world.run_ms(500);
    for n in 0..5u16 {
        to_bert.inject(at(ANNA), &packet(55, n, u32::from(n) * 160, LOUD));
        to_bert.inject(at(ANNA), &[0]);
        to_bert.inject(at(ANNA), b"four or more octets, no RTP");
        to_bert.inject(at(ANNA), &packet(2, n, 0, LOUD));
        let mut wrong_type = packet(55, n, 0, LOUD);
        wrong_type[1] = 18;
        to_bert.inject(at(ANNA), &wrong_type);
        world.run_ms(20);
    }
    let receiver = world.ends[1].control.meters().rx().receiver;
    assert_eq!(receiver.foreign_source, 10, "wrong payload types of strangers' SSRCs are foreign first");
    assert_eq!((receiver.runts, receiver.malformed, receiver.own_source), (5, 5, 5));
    assert!(world.ends[1].heard.iter().all(|x| x.abs() <= 8));
}

#[test]
fn a_peer_that_moves_to_another_port_is_found_again_after_its_silence() {
    let said = speech(6, 6);
    let (mut world, [to_bert, _]) = perfect(&said);
    world.run_ms(1_000);
    // The old port goes silent for two seconds; the same source then speaks from another port.
    to_bert.set(LinkConfig { loss: 1.0, ..LinkConfig::perfect(at(ANNA)) });
    world.run_ms(2_000);
    let moved = at("192.0.2.1:6006");
    to_bert.set(LinkConfig::perfect(moved));
    world.run_ms(1_000);
    let rx = world.ends[1].control.meters().rx();
    assert_eq!((rx.peer, rx.strangers), (Some(moved), 0));
}

#[test]
fn another_negotiated_peer_is_heard_at_once_and_the_old_one_no_more() {
    let (mut world, [to_bert, _]) = perfect(&vec![0i16; 4 * 8_000]);
    world.run_ms(500);
    let carl = at("192.0.2.3:7000");
    world.ends[1].control.rx(RxCommand::SetPeer(Peer::Address(carl.ip()))).unwrap();
    world.run_ms(10);
    let before = world.ends[1].control.meters().rx();
    for n in 0..20u16 {
        to_bert.inject(carl, &packet(33, n, u32::from(n) * 160, 0x20));
        world.run_ms(20);
    }
    let rx = world.ends[1].control.meters().rx();
    assert_eq!((rx.peer, rx.receiver.ssrc), (Some(carl), Some(33)));
    assert_eq!(
        rx.receiver.accepted,
        before.receiver.accepted + 19,
        "and the first, played while on probation"
    );
    assert!(rx.strangers >= 20, "Anna's");
    assert!(world.ends[1].heard.iter().any(|x| x.abs() > 1_000), "Carl's");
}

#[test]
fn a_full_network_is_counted_and_never_waited_for() {
    let mut world = World::new();
    let there = LinkConfig { capacity: 3, delay_ns: 1_000 * MS, ..LinkConfig::perfect(at(ANNA)) };
    let (a_tx, _b_rx, to_bert) = link(&world.clock, there);
    let (_b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    world.add(Setup::new(speech(1, 1), BERT, 1), (a_tx, a_rx), Party::default());
    world.run_ms(1_000);
    let tx = world.ends[0].control.meters().tx();
    assert_eq!((tx.packets_sent, tx.would_block), (3, 47));
    assert_eq!(tx.sender.packets, 50, "each has its number");
    assert_eq!(to_bert.counts().would_block, 47);
}

#[test]
fn an_echo_returns_what_was_said() {
    let said = speech(3, 8);
    let (mut world, _) = perfect(&said);
    let (sink, source) = echo(160);
    let bert = &mut world.ends[1];
    bert.control.add_sink(Box::new(sink)).ok().unwrap();
    bert.control.add_source(Box::new(source), Gain::UNITY).ok().unwrap();
    // Bert's own clip is two seconds; the echo is heard alone after it.
    world.run_ms(3_500);
    let twice = through(CodecKind::Pcmu, &through(CodecKind::Pcmu, &said));
    let end = &twice[17_600..];
    assert!(find(end, &world.ends[0].heard).is_some());
}

#[test]
fn stopping_keeps_the_clock_of_the_stream_and_starting_again_marks_the_first_packet() {
    let clock = offhook_engine::simulate::Clock::new(0);
    let (a_tx, mut out, _) = link(&clock, LinkConfig::perfect(at(ANNA)));
    let (mut control, mut tx, _rx) = split(EngineConfig::new(8_000));
    control.tx(TxCommand::SetTransport(Box::new(a_tx))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    let mut buffer = [0; 2_048];
    let mut sent = |tx: &mut offhook_engine::TxProcessor, blocks: u32| {
        let mut packets = Vec::new();
        for _ in 0..blocks {
            tx.process(0, &[0; 80]);
            while let Some(received) = out.receive(&mut buffer) {
                let view = RtpView::parse(&buffer[..received.len]).unwrap();
                packets.push((view.sequence_number(), view.timestamp(), view.marker()));
            }
        }
        packets
    };
    assert_eq!(sent(&mut tx, 5), [(0, 0, false), (1, 160, false)]);
    control.tx(TxCommand::Stop).unwrap();
    assert_eq!(sent(&mut tx, 100), []);
    control.tx(TxCommand::Start).unwrap();
    // 100 blocks of silence and the half packet before them.
    let resumed = 320 + 80 + 100 * 80;
    assert_eq!(sent(&mut tx, 4), [(2, resumed, true), (3, resumed + 160, false)]);
    tx.skip(800);
    assert_eq!(sent(&mut tx, 2), [(4, resumed + 320 + 800, true)]);
}

#[test]
fn packet_lengths_and_codecs_change_mid_call_without_losing_a_sample() {
    let said = speech(4, 11);
    let (mut world, [to_bert, _]) = perfect(&said);
    world.run_ms(1_010);
    let format = TxFormat::new(CodecKind::Pcmu, 0, 10).unwrap();
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
    world.run_ms(990);
    let format = TxFormat::new(CodecKind::Pcmu, 0, 30).unwrap();
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
    world.run_ms(2_500);
    let wanted = through(CodecKind::Pcmu, &said);
    let heard = &world.ends[1].heard;
    let rx = world.ends[1].control.meters().rx();
    assert_eq!(rx.receiver.lost(), 0);
    // Another packet length may cost playout a stretch; each part is exact in itself.
    for part in [0..7_500, 20_000..31_000] {
        assert!(find(&wanted[part.clone()], heard).is_some(), "{part:?}");
    }
    // Shorter packets come sooner: once, in a pause, playout gives the time back.
    let exact = |from: &usize| find(&wanted[*from..from + 1_500], heard).is_some();
    assert!((9_000..15_000).step_by(1_500).filter(exact).count() >= 3);
    assert!(to_bert.counts().sent > 50 + 99 + 60);
    // Then another law, agreed on both sides at once.
    let bert = &mut world.ends[1];
    let types = PayloadTypes::NONE.with(8);
    bert.control.rx(RxCommand::SetDecoder(CodecKind::Pcma.decoder().unwrap(), types)).unwrap();
    let format = TxFormat::new(CodecKind::Pcma, 8, 20).unwrap();
    world.ends[0].control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
    world.run_ms(500);
    let after = world.ends[1].control.meters().rx();
    assert_eq!(after.receiver.wrong_payload_type, 0);
    assert!(after.receiver.accepted > rx.receiver.accepted + 20);
    assert!(world.ends[0].control.is_settled() && world.ends[1].control.is_settled());
}

#[test]
fn what_a_card_captures_in_odd_blocks_is_what_another_plays_in_odd_blocks() {
    let clock = offhook_engine::simulate::Clock::new(MS);
    let (a_out, b_in, _) = link(&clock, LinkConfig::perfect(at(ANNA)));
    let (mut anna, mut tx, _) = split(EngineConfig::new(8_000));
    let sender = SenderIdentity { ssrc: 2, ..SenderIdentity::default() };
    let (mut bert, _, mut rx) = split(EngineConfig { max_block: 50, sender, ..EngineConfig::new(8_000) });
    anna.tx(TxCommand::SetTransport(Box::new(a_out))).unwrap();
    anna.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcma, 8, 10).unwrap()))).unwrap();
    anna.tx(TxCommand::Start).unwrap();
    bert.rx(RxCommand::SetTransport(Box::new(b_in))).unwrap();
    bert.rx(RxCommand::SetPeer(Peer::Address(at(ANNA).ip()))).unwrap();
    // A constant delay: such blocks are jitter, which an adaptive one would answer by stretching.
    let playout =
        PlayoutConfig { min_delay_ms: 60, initial_delay_ms: 60, ..PlayoutConfig::for_codec(CodecKind::Pcma) };
    let playout = Playout::new(playout, CodecKind::Pcma.decoder().unwrap()).unwrap();
    let format = RxFormat::with_playout(playout, PayloadTypes::NONE.with(8));
    bert.rx(RxCommand::SetFormat(Box::new(format))).unwrap();
    bert.rx(RxCommand::Start).unwrap();
    let said = speech(3, 12);
    let mut heard = Vec::new();
    for (n, block) in said.chunks(171).enumerate() {
        let now = MS + (n as u64 + 1) * 171 * 125_000;
        clock.advance_to(now);
        tx.process(now - 171 * 125_000, block);
        let mut speaker = [1; 171];
        rx.process(now, &mut speaker);
        heard.extend_from_slice(&speaker);
    }
    let wanted = through(CodecKind::Pcma, &said);
    assert!(find(&wanted[..22_000], &heard).is_some(), "{:?}", bert.meters().rx());
}

#[test]
fn a_muted_microphone_sends_silence_and_two_sources_are_added() {
    let clock = offhook_engine::simulate::Clock::new(0);
    let (a_tx, mut out, _) = link(&clock, LinkConfig::perfect(at(ANNA)));
    let (mut control, mut tx, _rx) = split(EngineConfig::new(8_000));
    control.tx(TxCommand::SetTransport(Box::new(a_tx))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcma, 8, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    let mut last = |tx: &mut offhook_engine::TxProcessor| {
        let (mut buffer, mut pcm) = ([0; 2_048], [0; 160]);
        for _ in 0..4 {
            tx.process(0, &[4_000; 80]);
        }
        while let Some(received) = out.receive(&mut buffer) {
            CodecKind::Pcma.decoder().unwrap().decode(&buffer[12..received.len], &mut pcm).unwrap();
        }
        pcm[159]
    };
    assert!((last(&mut tx) - 4_000).abs() < 128);
    let constant = |value: i16| {
        let reader = Box::new(move |out: &mut [i16]| {
            out.fill(value);
            out.len()
        });
        offhook_engine::ClipFeeder::new(reader, 2_000).1
    };
    let first = control.add_source(Box::new(constant(1_000)), Gain::UNITY).ok().unwrap();
    control.add_source(Box::new(constant(2_000)), Gain::UNITY).ok().unwrap();
    assert!((last(&mut tx) - 7_000).abs() < 256);
    control.tx(TxCommand::SetMicrophone(Gain::MUTE)).unwrap();
    assert!((last(&mut tx) - 3_000).abs() < 128);
    control.remove_source(first).unwrap();
    assert!((last(&mut tx) - 2_000).abs() < 128);
    assert_eq!(control.collect(), 1);
}

#[test]
fn a_transport_without_a_remote_address_fails_and_is_counted() {
    struct Nowhere;
    impl PacketTx for Nowhere {
        fn send(&mut self, _packet: &[u8]) -> SendOutcome {
            SendOutcome::Failed
        }
        fn set_remote(&mut self, _remote: std::net::SocketAddr) {}
    }
    let (mut control, mut tx, _rx) = split(EngineConfig::new(8_000));
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    tx.process(0, &[0; 160]);
    control.tx(TxCommand::SetTransport(Box::new(Nowhere))).unwrap();
    tx.process(0, &[0; 160]);
    let meters = control.meters().tx();
    assert_eq!((meters.failed, meters.packets_sent, meters.first_packet_ns), (2, 0, None));
}
