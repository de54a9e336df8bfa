//! The application's own sound, taps at the card and at the packets, and packets of its own, in whole calls.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use bytes::Bytes;
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, LinkConfig, Party, link};
use offhook_engine::{
    EngineConfig, Gain, PacketRx, PcmConfig, RxCommand, RxFormat, SendError, SenderIdentity, TxCommand,
    TxFormat, packet_injector, packet_tap, pcm_sink, pcm_source, split,
};
use offhook_rtp::{RtpHeader, RtpView};
use support::{MS, Setup, World, at, speech, through};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";

fn pair(clip: Vec<i16>) -> World {
    let mut world = World::new();
    let (a_tx, b_rx, _) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    world.add(Setup::new(clip, BERT, 1), (a_tx, a_rx), Party::default());
    let late = Party { phase_ns: 3 * MS, ..Party::default() };
    world.add(Setup::new(Vec::new(), ANNA, 2), (b_tx, b_rx), late);
    world
}

#[test]
fn an_application_talks_to_an_application_sample_for_sample_and_knows_when() {
    let mut world = pair(Vec::new());
    let said = speech(3, 21);
    let (mut writer, source) = pcm_source(PcmConfig::new(8_000)).unwrap();
    let (mut reader, sink) = pcm_sink(PcmConfig::new(8_000)).unwrap();
    world.ends[0].control.add_source(source, Gain::UNITY).ok().unwrap();
    world.ends[1].control.add_sink(sink).ok().unwrap();
    let (mut written, mut heard, mut times) = (writer.write(&said), Vec::new(), Vec::new());
    let mut first = None;
    for _ in 0..720 {
        assert_no_alloc(|| world.driver.step());
        world.ends.iter_mut().for_each(support::Endpoint::pump);
        written += writer.write(&said[written..]);
        if let Some((0, captured_ns)) = writer.meters().position {
            first = Some(captured_ns);
        }
        let mut out = [0; 160];
        while let Some(block) = reader.read(&mut out) {
            times.push((heard.len() as u64, block.at_ns));
            heard.extend_from_slice(&out[..block.samples]);
        }
    }
    let wanted = through(CodecKind::Pcmu, &said);
    let place = heard.windows(20_000).position(|window| window == &wanted[..20_000]).unwrap();
    // Every block's time is its place in the sound; both ends' times are of one clock.
    assert!(times.iter().all(|(sample, at_ns)| *at_ns == times[0].1 + sample * 125_000), "no gap");
    let delay_ns = times[0].1 + place as u64 * 125_000 - first.unwrap();
    assert!((20 * MS..80 * MS).contains(&delay_ns), "{delay_ns}");
    let (out, into) = (writer.meters(), reader.meters());
    assert_eq!((out.underruns, out.written, out.taken), (1, 24_000, 24_000), "one: its end");
    assert_eq!((into.overruns, into.heard), (0, heard.len() as u64));
}

#[test]
fn both_taps_at_the_card_carry_what_the_card_captured_and_was_handed_by_one_clock() {
    let clock = Clock::new(MS);
    let (a_tx, a_rx, _) = link(&clock, LinkConfig::perfect(at(ANNA)));
    let (mut control, mut tx, mut rx) = split(EngineConfig::new(8_000));
    let format = TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap();
    control.tx(TxCommand::SetTransport(Box::new(a_tx))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
    control.rx(RxCommand::SetTransport(Box::new(a_rx))).unwrap();
    control.rx(RxCommand::SetPeer(offhook_engine::Peer::Any)).unwrap();
    // It hears itself: its own SSRC must not be what it refuses.
    control.rx(RxCommand::SetOwnSsrc(77)).unwrap();
    control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap()))).unwrap();
    control.rx(RxCommand::SetSpeaker(Gain::from_factor(0.5))).unwrap();
    let config = PcmConfig { capacity: 2_000, ..PcmConfig::new(8_000) };
    let (mut microphone, tap) = pcm_sink(config).unwrap();
    control.tx(TxCommand::SetMicrophoneTap(tap)).unwrap();
    control.tx(TxCommand::SetMicrophone(Gain::MUTE)).unwrap();
    let (mut speaker, tap) = pcm_sink(config).unwrap();
    control.rx(RxCommand::SetSpeakerTap(tap)).unwrap();
    let (mut captured, mut handed) = (Vec::new(), Vec::new());
    let (mut near, mut reference) = (Vec::new(), Vec::new());
    let said = speech(2, 4);
    for (n, block) in said.chunks(80).enumerate() {
        if n == 10 {
            control.tx(TxCommand::SetMicrophone(Gain::UNITY)).unwrap();
            control.tx(TxCommand::Start).unwrap();
            control.rx(RxCommand::Start).unwrap();
        }
        let now = clock.now_ns();
        let mut out = [1; 80];
        assert_no_alloc(|| {
            tx.process(now - MS, block);
            rx.process(now + 2 * MS, &mut out);
        });
        captured.extend_from_slice(block);
        handed.extend_from_slice(&out);
        clock.advance_to(now + 10 * MS);
        let mut piece = [0; 80];
        while let Some(block) = microphone.read(&mut piece) {
            assert_eq!(block.at_ns, near.len() as u64 * 125_000, "captured a millisecond before now");
            near.extend_from_slice(&piece[..block.samples]);
        }
        while let Some(block) = speaker.read(&mut piece) {
            assert_eq!(block.at_ns, 3 * MS + reference.len() as u64 * 125_000);
            reference.extend_from_slice(&piece[..block.samples]);
        }
    }
    // Raw at the microphone, muted and stopped or not; after the gain at the speaker, its silence as well.
    assert_eq!(near, captured);
    assert_eq!(reference, handed);
    assert!(handed.iter().any(|x| x.unsigned_abs() > 500) && handed[..800].iter().all(|x| *x == 0));
    // Nobody reads: blocks are dropped whole and counted, the callback does not care.
    for _ in 0..100 {
        assert_no_alloc(|| tx.process(0, &[0; 80]));
    }
    let meters = microphone.meters();
    assert_eq!((meters.overruns, meters.overrun_samples), (75, 6_000));
    control.tx(TxCommand::ClearMicrophoneTap).unwrap();
    control.rx(RxCommand::ClearSpeakerTap).unwrap();
    assert_no_alloc(|| tx.process(0, &[0; 80]));
    assert_no_alloc(|| rx.process(0, &mut [0; 80]));
    assert_eq!(control.collect(), 2);
    assert!(!microphone.is_attached() && !speaker.is_attached());
}

#[test]
fn taps_see_every_packet_that_is_built_and_every_one_that_is_played() {
    let mut world = pair(speech(2, 9));
    let (mut built, tap) = packet_tap(20);
    world.ends[0].control.tx(TxCommand::SetPacketTap(tap)).unwrap();
    let (mut played, tap) = packet_tap(20);
    world.ends[1].control.rx(RxCommand::SetPacketTap(tap)).unwrap();
    let (mut out, mut into) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        assert_no_alloc(|| world.driver.step());
        world.ends.iter_mut().for_each(support::Endpoint::pump);
        while let Some(packet) = built.read() {
            out.push((packet.at_ns, packet.view.as_bytes().to_vec()));
        }
        while let Some((at_ns, packet)) = played.read_packet() {
            into.push((at_ns, packet.unwrap()));
        }
    }
    assert_eq!(out.len() as u64, world.ends[0].control.meters().tx().packets_sent);
    assert!(into.len() >= 98 && into.len() <= out.len(), "{} of {}", into.len(), out.len());
    for ((captured_ns, sent), (arrived_ns, heard)) in out.iter().zip(&into) {
        let view = RtpView::parse(sent).unwrap();
        let header = &heard.header;
        assert_eq!((header.ssrc, header.payload_type, header.marker), (1, 0, view.marker()));
        assert_eq!((header.sequence_number, header.timestamp), (view.sequence_number(), view.timestamp()));
        assert_eq!(heard.payload, Bytes::copy_from_slice(view.payload()));
        // 20 ms of sound, sent when they are complete, over a link without delay.
        assert_eq!(arrived_ns - captured_ns, 20 * MS);
    }
    // A reader that stalls loses the newest.
    world.run_ms(1_000);
    let meters = built.meters();
    assert!(meters.overruns >= 20 && meters.packets == out.len() as u64 + 20, "{meters:?}");
    world.ends[0].control.tx(TxCommand::ClearPacketTap).unwrap();
    world.ends[1].control.rx(RxCommand::ClearPacketTap).unwrap();
    world.run_ms(20);
    assert!(!built.is_attached() && !played.is_attached());
}

#[test]
fn a_packet_that_arrives_on_probation_is_tapped_whole_once_it_is_played() {
    // Any host: the first packet is held until the second confirms it.
    let clock = Clock::new(0);
    let (_tx, rx_end, hand) = link(&clock, LinkConfig::perfect(at(ANNA)));
    let (mut control, _, mut rx) = split(EngineConfig::new(8_000));
    control.rx(RxCommand::SetTransport(Box::new(rx_end))).unwrap();
    control.rx(RxCommand::SetPeer(offhook_engine::Peer::Any)).unwrap();
    control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap()))).unwrap();
    let (mut reader, tap) = packet_tap(8);
    control.rx(RxCommand::SetPacketTap(tap)).unwrap();
    control.rx(RxCommand::Start).unwrap();
    let mut sent = Vec::new();
    for n in 0..3u16 {
        let header = RtpHeader {
            marker: n == 0,
            payload_type: 0,
            sequence_number: n,
            timestamp: u32::from(n) * 160,
            ssrc: 5,
        };
        sent.push([header.to_bytes().as_slice(), &[n as u8; 160]].concat());
        hand.inject(at(ANNA), &sent[usize::from(n)]);
        hand.inject(at(ANNA), b"\x80 no packet of the call's");
        assert_no_alloc(|| rx.process_without_output(clock.now_ns(), 160));
        assert_eq!(reader.meters().packets, [0, 2, 3][usize::from(n)]);
        clock.advance_to(clock.now_ns() + 20 * MS);
    }
    for (n, sent) in sent.iter().enumerate() {
        let packet = reader.read().unwrap();
        assert_eq!((packet.at_ns, packet.view.as_bytes()), (n as u64 * 20 * MS, sent.as_slice()));
    }
    assert!(reader.read().is_none());
}

#[test]
fn packets_of_the_applications_own_leave_under_the_streams_source_and_numbering() {
    let clock = Clock::new(0);
    let (a_tx, mut out, _) = link(&clock, LinkConfig::perfect(at(ANNA)));
    let sender = SenderIdentity { ssrc: 9, first_sequence_number: 65_530, first_timestamp: 1_000 };
    let (mut control, mut tx, _) = split(EngineConfig { sender, ..EngineConfig::new(8_000) });
    control.tx(TxCommand::SetTransport(Box::new(a_tx))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    let (mut own, injector) = packet_injector(4);
    let (mut tapped, tap) = packet_tap(20);
    control.tx(TxCommand::SetPacketTap(tap)).unwrap();
    let mut sent = |tx: &mut offhook_engine::TxProcessor, blocks: usize| {
        let mut packets = Vec::new();
        let mut buffer = [0; 2_048];
        for _ in 0..blocks {
            assert_no_alloc(|| tx.process(clock.now_ns(), &[0; 160]));
            clock.advance_to(clock.now_ns() + 20 * MS);
            while let Some(received) = out.receive(&mut buffer) {
                let view = RtpView::parse(&buffer[..received.len]).unwrap();
                assert_eq!(view.ssrc(), 9);
                packets.push((
                    view.sequence_number(),
                    view.timestamp(),
                    view.payload_type(),
                    view.marker(),
                    view.payload().to_vec(),
                ));
            }
        }
        packets
    };
    let silence = vec![0xFF; 160];
    assert_eq!(sent(&mut tx, 1), [(65_530, 1_000, 0, false, silence.clone())]);
    control.tx(TxCommand::SetPacketInjector(injector)).unwrap();
    assert_eq!(sent(&mut tx, 3), [], "the microphone is not heard meanwhile");
    // A packet of webrtc-rs', with everything that a header can have.
    let packet = rtp::packet::Packet {
        header: rtp::header::Header {
            version: 2,
            marker: true,
            payload_type: 101,
            sequence_number: 7,
            timestamp: 50_000,
            ssrc: 1_234,
            csrc: vec![1, 2, 3],
            extension: true,
            extension_profile: 0xBEDE,
            extensions: vec![rtp::header::Extension { id: 1, payload: Bytes::from_static(b"abcd") }],
            ..Default::default()
        },
        payload: Bytes::from_static(b"own"),
    };
    own.send_packet(&packet).unwrap();
    let next = rtp::header::Header { timestamp: 50_080, marker: false, ..packet.header.clone() };
    own.send_packet(&rtp::packet::Packet { header: next, payload: packet.payload.clone() }).unwrap();
    // Three blocks went by since sound was sent, and one packet of sound before that.
    let begins = 1_000 + 160 + 3 * 160;
    let want =
        [(65_531, begins, 101, true, b"own".to_vec()), (65_532, begins + 80, 101, false, b"own".to_vec())];
    assert_eq!(sent(&mut tx, 1), want);
    let meters = control.meters().tx();
    assert_eq!((meters.packets_injected, meters.sender.packets, meters.sender.octets), (2, 3, 166));
    // What is refused: rubbish, too much, too long.
    assert!(matches!(own.send(b"rubbish"), Err(SendError::Malformed(_))));
    let crafted: [u8; 28] = std::array::from_fn(|n| match n {
        0 => 0x90,
        12 => 0xBE,
        13 => 0xDE,
        15 => 1,
        16 => 0x1F,
        _ => 0,
    });
    assert!(own.send(&crafted).is_err(), "what makes the crate `rtp` panic does not get that far");
    assert_eq!(own.send(&[0x80; 3_000]), Err(SendError::TooLong(3_000)));
    let header = RtpHeader { timestamp: 50_160, ..RtpHeader::default() }.to_bytes();
    let results: Vec<_> = (0..6).map(|_| own.send(&header)).collect();
    assert_eq!(results.iter().filter(|result| **result == Err(SendError::Full)).count(), 2);
    assert_eq!(sent(&mut tx, 2).len(), 4);
    control.tx(TxCommand::ClearPacketInjector).unwrap();
    // Sound again, marked, as much later as time went by: two blocks since the last packet's.
    let after = begins + 160 + 2 * 160;
    assert_eq!(sent(&mut tx, 1), [(1, after, 0, true, silence)]);
    control.collect();
    assert!(!own.is_attached());
    let all: Vec<u16> = std::iter::from_fn(|| tapped.read().map(|p| p.view.sequence_number())).collect();
    assert_eq!(all, (0..8u16).map(|n| 65_530u16.wrapping_add(n)).collect::<Vec<_>>());
    // One that is longer than this engine's packets is dropped and counted.
    let (mut control, mut tx, _) = split(EngineConfig { max_datagram: 100, ..EngineConfig::new(8_000) });
    let (mut own, injector) = packet_injector(4);
    control.tx(TxCommand::SetPacketInjector(injector)).unwrap();
    control.tx(TxCommand::Start).unwrap();
    own.send(&[header.as_slice(), &[0; 200]].concat()).unwrap();
    own.send(&header).unwrap();
    assert_no_alloc(|| tx.process(0, &[0; 80]));
    let meters = control.meters().tx();
    assert_eq!((meters.inject_failed, meters.packets_injected, meters.failed), (1, 1, 1));
}
