//! Wishes that nobody should have: sizes, rates and spans beyond all reason are cut to their limits, and nothing panics.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, LinkConfig, link};
use offhook_engine::{
    BusConfig, ClipFeeder, EngineConfig, Gain, PcmConfig, Recorder, RxCommand, RxFormat, SenderIdentity,
    TxCommand, TxFormat, bus, echo, packet_injector, packet_tap, pcm_sink, pcm_source, split,
};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

/// Every size at `size` and every number at `number`.
fn config(size: usize, number: u32) -> EngineConfig {
    EngineConfig {
        sample_rate: number,
        sender: SenderIdentity { ssrc: number, first_sequence_number: u16::MAX, first_timestamp: number },
        max_block: size,
        max_packet_ms: number,
        max_datagram: size,
        commands: size,
        commands_per_block: size,
        packets_per_block: size,
        max_nodes: size,
        meter_ms: number,
    }
}

#[test]
fn an_engine_of_nonsensical_sizes_works_within_its_limits() {
    let sizes = [(0, 0), (1, 1), (usize::MAX, u32::MAX), (usize::MAX, 0), (0, u32::MAX)];
    for (size, number) in sizes.into_iter().chain([(0, 8_000), (usize::MAX, 8_000)]) {
        let (mut control, mut tx, mut rx) = split(config(size, number));
        control
            .tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap())))
            .ok()
            .unwrap();
        assert_no_alloc(|| tx.process(u64::MAX, &[1; 7]));
        control.tx(TxCommand::Start).ok().unwrap();
        control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap()))).ok().unwrap();
        assert_no_alloc(|| rx.process(0, &mut [1; 7]));
        control.rx(RxCommand::Start).ok().unwrap();
        for now_ns in [0, 1, u64::MAX, 5] {
            assert_no_alloc(|| {
                tx.process(now_ns, &[i16::MIN; 1_001]);
                tx.process(now_ns, &[]);
                tx.process_without_input(now_ns, 997);
                rx.process(now_ns, &mut [0; 1_001]);
                rx.process(now_ns, &mut []);
                rx.process_without_output(now_ns, 997);
            });
        }
        assert!(control.is_settled());
        // A format of another rate is refused, and said to be.
        let fits = number == 8_000;
        let (tx, rx) = (control.meters().tx(), control.meters().rx());
        assert_eq!(tx.samples, if fits { 4 * (1_001 + 997) } else { 0 });
        assert_eq!((tx.formats_refused, rx.formats_refused), if fits { (0, 0) } else { (1, 1) });
    }
}

#[test]
fn rings_of_nonsensical_sizes_hold_what_they_hold() {
    for size in [0, 1, usize::MAX] {
        for rate in [0, 8_000, u32::MAX] {
            let config = PcmConfig { sample_rate: rate, engine_rate: rate, capacity: size };
            let (mut writer, mut source) = pcm_source(config).unwrap();
            let (mut reader, mut sink) = pcm_sink(config).unwrap();
            let mut out = [0; 5];
            assert!(writer.write(&[7; 5]) >= 1);
            assert!(source.fill(0, &mut out) >= 1);
            sink.write(u64::MAX, &[7]);
            assert!(reader.read(&mut out).is_some_and(|block| block.samples == 1));
            assert_eq!(reader.skip_to_newest(0), 0);
        }
        let (mut packets, injector) = packet_injector(size);
        let (mut tapped, tap) = packet_tap(size);
        packets.send(&[0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]).unwrap();
        assert!(tapped.read().is_none());
        drop((injector, tap));
        assert!(!packets.is_attached() && !tapped.is_attached());
        drop((Recorder::new(size), ClipFeeder::new(Box::new(|_: &mut [i16]| 0), size), echo(size)));
    }
}

#[test]
fn a_bus_of_nonsensical_sizes_mixes() {
    for (size, number) in [(0, 0), (usize::MAX, u32::MAX)] {
        let config = BusConfig {
            sample_rate: number,
            max_participants: size,
            max_block: size,
            max_wait_ms: number,
            commands: size,
            commands_per_block: size,
            meter_ms: number,
        };
        let (mut control, mut processor) = bus(config);
        let rate = control.config().sample_rate;
        let mut port = control.join(rate, Gain::UNITY).unwrap();
        let mut out = [0; 9];
        port.sink.write(0, &[5; 9]);
        assert_no_alloc(|| {
            processor.process(0);
            processor.process(9);
            processor.skip(usize::MAX);
        });
        port.source.fill(0, &mut out);
        control.leave(port.id).unwrap();
        assert_no_alloc(|| processor.process(10_000));
        assert_eq!((control.collect(), control.meters().participants), (1, 0));
    }
}

#[test]
fn any_number_of_samples_may_be_left_out() {
    let clock = Clock::new(0);
    let (transport, ..) = link(&clock, LinkConfig::perfect("192.0.2.1:5004".parse().unwrap()));
    let (mut control, mut tx, _) = split(EngineConfig::new(8_000));
    control.tx(TxCommand::SetTransport(Box::new(transport))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    // A packet, and half of another that waits.
    tx.process(0, &[100; 240]);
    assert_no_alloc(|| {
        tx.skip(usize::MAX);
        tx.skip(usize::MAX);
        tx.process(0, &[100; 160]);
    });
    let meters = control.meters().tx();
    assert_eq!((meters.samples_skipped, meters.packets_sent), (u64::MAX, 2));
}

#[test]
fn a_stop_ends_though_an_injector_takes_the_place_of_the_sound_that_fades() {
    let clock = Clock::new(0);
    let (transport, ..) = link(&clock, LinkConfig::perfect("192.0.2.1:5004".parse().unwrap()));
    let (mut control, mut tx, _) = split(EngineConfig::new(8_000));
    control.tx(TxCommand::SetTransport(Box::new(transport))).unwrap();
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    tx.process(0, &[9_000; 200]);
    let (mut own, injector) = packet_injector(4);
    control.tx(TxCommand::Stop).unwrap();
    control.tx(TxCommand::SetPacketInjector(injector)).unwrap();
    own.send(&[0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]).unwrap();
    assert_no_alloc(|| tx.process(0, &[9_000; 200]));
    let meters = control.meters().tx();
    assert_eq!((meters.is_active, meters.packets_injected), (false, 0), "a stop is a stop");
    control.tx(TxCommand::Start).unwrap();
    assert_no_alloc(|| tx.process(0, &[9_000; 200]));
    assert_eq!(control.meters().tx().packets_injected, 1);
}
