//! Nothing that control does in the middle of a sound is a click: no step is steeper than the sound and a ramp of 5 ms.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, LinkConfig, LinkRx, link};
use offhook_engine::{
    Control, EngineConfig, Gain, PacketRx, Peer, RxCommand, RxFormat, RxProcessor, Source, TxCommand,
    TxFormat, TxProcessor, pcm_sink, split,
};
use offhook_rtp::{PayloadTypes, RtpHeader, RtpView};
use support::{MS, at, steepest};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "192.0.2.1:5004";
const RATE: f64 = 8_000.0;
const LOUD: f64 = 12_000.0;
const HZ: f64 = 100.0;

/// What a sine of [`LOUD`] at [`HZ`] climbs in a sample, a full ramp in 40, and µ-law's coarsest steps twice.
const SLOPE: i32 = 943;
const RAMP: i32 = 300;
const QUANTA: i32 = 2 * 512;

fn sine(n: usize) -> i16 {
    (LOUD * (n as f64 * HZ / RATE * std::f64::consts::TAU).sin()) as i16
}

/// A sine that goes on wherever it was left.
struct Sine(usize);

impl Source for Sine {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        for sample in out.iter_mut() {
            *sample = sine(self.0);
            self.0 += 1;
        }
        out.len()
    }
}

/// A sending half and what comes out of it, decoded, silence where nothing was sent.
struct Mouth {
    control: Control,
    tx: TxProcessor,
    out: LinkRx,
    heard: Vec<i16>,
    now_ns: u64,
}

impl Mouth {
    fn new() -> Mouth {
        let (a_tx, out, _) = link(&Clock::new(0), LinkConfig::perfect(at(ANNA)));
        let (mut control, tx, _rx) = split(EngineConfig::new(8_000));
        control.tx(TxCommand::SetTransport(Box::new(a_tx))).unwrap();
        control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
        Mouth { control, tx, out, heard: Vec::new(), now_ns: 0 }
    }

    /// Blocks of 7 ms, so that packets end anywhere in them.
    fn run(&mut self, blocks: usize) {
        for _ in 0..blocks {
            assert_no_alloc(|| self.tx.process_without_input(self.now_ns, 56));
            self.now_ns += 7 * MS;
            let (mut buffer, mut pcm) = ([0; 2_048], [0; 960]);
            while let Some(received) = self.out.receive(&mut buffer) {
                let view = RtpView::parse(&buffer[..received.len]).unwrap();
                let kind = CodecKind::from_payload_type(view.payload_type()).unwrap();
                let n = kind.decoder().unwrap().decode(view.payload(), &mut pcm).unwrap();
                // By its timestamp: what was not sent is silence, and begins and ends without a step as well.
                let at = view.timestamp() as usize;
                assert!(at >= self.heard.len(), "{at} after {}", self.heard.len());
                self.heard.resize(at, 0);
                self.heard.extend_from_slice(&pcm[..n]);
            }
            self.control.collect();
        }
    }

    fn check(&self, steps: i32, what: &str) {
        assert!(self.heard.iter().any(|x| x.unsigned_abs() > 8_000), "{what}: there was sound");
        assert!(steepest(&self.heard) <= steps, "{what}: {} > {steps}", steepest(&self.heard));
    }
}

#[test]
fn sources_come_and_go_without_a_click() {
    // One period of the sine: whatever phase it is in.
    for phase in (0..80).step_by(7) {
        let mut mouth = Mouth::new();
        mouth.control.add_source(Box::new(Sine(0)), Gain::UNITY).ok().unwrap();
        mouth.control.tx(TxCommand::Start).unwrap();
        mouth.run(20);
        for round in 0..4 {
            let more = mouth.control.add_source(Box::new(Sine(phase + 13 * round)), Gain::from_db(-3.0));
            let more = more.ok().unwrap();
            mouth.run(9);
            mouth.control.remove_source(more).unwrap();
            mouth.run(9);
            assert_eq!(mouth.control.collect() + round, round, "run() collected it");
        }
        // Both at once, each climbing, one ramping.
        mouth.check(2 * SLOPE + RAMP + QUANTA, &format!("phase {phase}"));
        let alone = mouth.heard.len() - 200;
        assert!(mouth.heard[alone..].iter().all(|x| x.unsigned_abs() < 12_600), "it has gone");
    }
}

#[test]
fn the_first_of_all_samples_is_sent_as_it_is_and_one_that_begins_loud_is_joined() {
    let mut mouth = Mouth::new();
    mouth.control.add_source(Box::new(Sine(0)), Gain::UNITY).ok().unwrap();
    mouth.control.tx(TxCommand::Start).unwrap();
    mouth.run(30);
    let want: Vec<i16> = (0..mouth.heard.len()).map(sine).collect();
    assert_eq!(mouth.heard, support::through(CodecKind::Pcmu, &want));
    let mut mouth = Mouth::new();
    mouth.control.add_source(Box::new(Sine(20)), Gain::UNITY).ok().unwrap();
    mouth.control.tx(TxCommand::Start).unwrap();
    mouth.run(30);
    assert!(mouth.heard[0].unsigned_abs() < 16);
    // After the seam it is itself.
    assert!((40..1_000).all(|n| (i32::from(mouth.heard[n]) - i32::from(sine(n + 20))).abs() < 520));
    mouth.check(SLOPE + RAMP + QUANTA, "begun in the middle");
}

#[test]
fn streams_stop_and_start_without_a_click() {
    for phase in (0..80).step_by(7) {
        let mut mouth = Mouth::new();
        mouth.control.add_source(Box::new(Sine(phase)), Gain::UNITY).ok().unwrap();
        for round in 0..3 {
            mouth.control.tx(TxCommand::Start).unwrap();
            mouth.run(11 + round);
            let sent = mouth.control.meters().tx().packets_sent;
            mouth.control.tx(TxCommand::Stop).unwrap();
            mouth.run(6);
            let meters = mouth.control.meters().tx();
            assert!(!meters.is_active && (1..=3).contains(&(meters.packets_sent - sent)), "{meters:?}");
            mouth.run(5);
            assert_eq!(mouth.control.meters().tx().packets_sent, meters.packets_sent);
        }
        mouth.heard.extend([0; 10]);
        mouth.check(SLOPE + RAMP + QUANTA, &format!("phase {phase}"));
        // A stop that is taken back before its fade is over.
        mouth.control.tx(TxCommand::Start).unwrap();
        mouth.run(5);
        mouth.control.tx(TxCommand::Stop).unwrap();
        mouth.control.tx(TxCommand::Start).unwrap();
        mouth.run(5);
        assert!(mouth.control.meters().tx().is_active);
        mouth.check(SLOPE + RAMP + QUANTA, "taken back");
        // Without a transport there is nobody to fade for.
        mouth.control.tx(TxCommand::Stop).unwrap();
        mouth.control.tx(TxCommand::ClearTransport).unwrap();
        mouth.run(1);
        assert!(!mouth.control.meters().tx().is_active);
    }
}

#[test]
fn codecs_packet_lengths_and_gains_change_in_the_middle_of_a_sound() {
    let mut mouth = Mouth::new();
    let source = mouth.control.add_source(Box::new(Sine(0)), Gain::UNITY).ok().unwrap();
    mouth.control.tx(TxCommand::Start).unwrap();
    let formats = [(CodecKind::Pcma, 20), (CodecKind::Pcma, 5), (CodecKind::Pcmu, 60), (CodecKind::Pcmu, 10)];
    for (n, (kind, ms)) in formats.into_iter().cycle().take(16).enumerate() {
        mouth.run(10 + n % 3);
        let format = TxFormat::new(kind, kind.payload_type().unwrap(), ms).unwrap();
        mouth.control.tx(TxCommand::SetFormat(Box::new(format))).unwrap();
    }
    mouth.run(10);
    mouth.check(SLOPE + QUANTA, "codecs and packet lengths");
    let length = mouth.heard.len();
    let want: Vec<i16> = (0..length).map(sine).collect();
    assert!(
        (0..length).all(|n| (i32::from(mouth.heard[n]) - i32::from(want[n])).abs() < 520),
        "no sample lost"
    );
    for gain in [Gain::MUTE, Gain::UNITY, Gain::from_db(-6.0), Gain::from_factor(2.0), Gain::UNITY] {
        mouth.control.tx(TxCommand::SetSourceGain(source, gain)).unwrap();
        mouth.run(9);
    }
    mouth.check(2 * SLOPE + 2 * RAMP + QUANTA, "gains");
}

/// A receiving half that is sent a sine, and what its speaker and a sink hear.
struct Ear {
    control: Control,
    rx: RxProcessor,
    link: offhook_engine::simulate::Link,
    clock: Clock,
    sequence: u16,
    /// The law that is sent.
    kind: CodecKind,
    speaker: Vec<i16>,
}

impl Ear {
    fn new() -> Ear {
        let clock = Clock::new(0);
        let (_tx, rx_end, link) = link(&clock, LinkConfig::perfect(at(ANNA)));
        let (mut control, _, rx) = split(EngineConfig::new(8_000));
        control.rx(RxCommand::SetTransport(Box::new(rx_end))).unwrap();
        control.rx(RxCommand::SetPeer(Peer::Address(at(ANNA).ip()))).unwrap();
        let kind = CodecKind::Pcmu;
        control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(kind, 0).unwrap()))).unwrap();
        Ear { control, rx, link, clock, sequence: 0, kind, speaker: Vec::new() }
    }

    /// Blocks of 20 ms, a packet before each.
    fn run(&mut self, blocks: usize) {
        for _ in 0..blocks {
            let first = usize::from(self.sequence) * 160;
            let header = RtpHeader {
                marker: false,
                payload_type: self.kind.payload_type().unwrap(),
                sequence_number: self.sequence,
                timestamp: first as u32,
                ssrc: 5,
            };
            let mut octets = [0; 160];
            let pcm: Vec<i16> = (first..first + 160).map(sine).collect();
            self.kind.encoder().unwrap().encode(&pcm, &mut octets).unwrap();
            self.link.inject(at(ANNA), &[header.to_bytes().as_slice(), &octets].concat());
            self.sequence += 1;
            let mut block = [0; 160];
            let now_ns = self.clock.now_ns();
            assert_no_alloc(|| self.rx.process(now_ns, &mut block));
            self.clock.advance_to(now_ns + 20 * MS);
            self.speaker.extend(block);
            self.control.collect();
        }
    }

    fn check(&self, steps: i32, what: &str) {
        assert!(self.speaker.iter().any(|x| x.unsigned_abs() > 8_000), "{what}: there was sound");
        assert!(steepest(&self.speaker) <= steps, "{what}: {} > {steps}", steepest(&self.speaker));
    }
}

#[test]
fn what_is_played_stops_starts_and_changes_its_playout_without_a_click() {
    let mut ear = Ear::new();
    for round in 0..6 {
        ear.control.rx(RxCommand::Start).unwrap();
        ear.run(20 + round);
        let before = ear.speaker.len();
        ear.control.rx(RxCommand::Stop).unwrap();
        ear.run(3);
        assert!(ear.speaker[before + 160..].iter().all(|x| *x == 0), "round {round}: silent at once");
        assert!(!ear.control.meters().rx().is_active);
    }
    ear.check(SLOPE + RAMP + QUANTA, "stops and starts");
    ear.control.rx(RxCommand::Start).unwrap();
    for _ in 0..6 {
        ear.run(17);
        let format = RxFormat::new(CodecKind::Pcmu, 0).unwrap();
        ear.control.rx(RxCommand::SetFormat(Box::new(format))).unwrap();
    }
    ear.run(20);
    ear.check(SLOPE + RAMP + QUANTA, "another playout");
}

#[test]
fn another_decoder_in_the_middle_of_a_call_is_no_click() {
    let mut ear = Ear::new();
    ear.control.rx(RxCommand::Start).unwrap();
    for round in 0..6 {
        ear.run(25 + round);
        ear.kind = if ear.kind == CodecKind::Pcmu { CodecKind::Pcma } else { CodecKind::Pcmu };
        let types = PayloadTypes::NONE.with(ear.kind.payload_type().unwrap());
        ear.control.rx(RxCommand::SetDecoder(ear.kind.decoder().unwrap(), types)).unwrap();
    }
    ear.run(25);
    let rx = ear.control.meters().rx();
    assert_eq!(rx.receiver.wrong_payload_type, 0);
    // What waited undecoded is concealed, and that joins as concealment does.
    ear.check(2 * SLOPE + RAMP + QUANTA, "decoders");
}

#[test]
fn sinks_have_gains_of_their_own_and_levels_that_control_reads() {
    let mut ear = Ear::new();
    let (mut reader, sink) = pcm_sink(offhook_engine::PcmConfig::new(8_000)).unwrap();
    let sink = ear.control.add_sink(sink).ok().unwrap();
    ear.control.rx(RxCommand::Start).unwrap();
    let mut heard = Vec::new();
    let mut run = |ear: &mut Ear, blocks: usize| {
        for _ in 0..blocks {
            ear.run(1);
            let mut out = [0; 160];
            while let Some(block) = reader.read(&mut out) {
                heard.extend_from_slice(&out[..block.samples]);
            }
        }
        heard.clone()
    };
    let whole = run(&mut ear, 40);
    assert_eq!(whole, ear.speaker, "at unity both hear the same");
    let loud = ear.control.sink_level(sink).unwrap();
    assert_eq!(loud, ear.control.meters().rx().level);
    ear.control.rx(RxCommand::SetSinkGain(sink, Gain::from_factor(0.5))).unwrap();
    ear.control.rx(RxCommand::SetSpeaker(Gain::MUTE)).unwrap();
    let halved = run(&mut ear, 40);
    let soft = ear.control.sink_level(sink).unwrap();
    assert!((loud.rms_dbfs - soft.rms_dbfs - 6.02).abs() < 0.3, "{loud:?}, {soft:?}");
    assert!(halved[9_600..].iter().all(|x| x.unsigned_abs() < 6_300));
    assert!(ear.speaker[9_600..].iter().all(|x| *x == 0));
    ear.control.rx(RxCommand::SetSinkGain(sink, Gain::MUTE)).unwrap();
    let all = run(&mut ear, 40);
    assert_eq!(ear.control.sink_level(sink).unwrap(), offhook_codecs::Level::SILENCE);
    assert!(all[15_000..].iter().all(|x| *x == 0));
    assert!(steepest(&all) <= SLOPE + RAMP + QUANTA, "{}", steepest(&all));
    ear.control.remove_sink(sink).unwrap();
    assert_eq!(ear.control.sink_level(sink), None);
}

#[test]
fn each_source_has_a_level_of_its_own() {
    let mut mouth = Mouth::new();
    mouth.control.tx(TxCommand::Start).unwrap();
    let first = mouth.control.add_source(Box::new(Sine(0)), Gain::UNITY).ok().unwrap();
    mouth.run(40);
    let alone = mouth.control.source_level(first).unwrap();
    assert_eq!(alone, mouth.control.meters().tx().level);
    let second = mouth.control.add_source(Box::new(Sine(0)), Gain::from_db(-20.0)).ok().unwrap();
    mouth.run(40);
    let [one, two] = [first, second].map(|id| mouth.control.source_level(id).unwrap().rms_dbfs);
    assert!((one - alone.rms_dbfs).abs() < 0.2 && (one - two - 20.0).abs() < 0.2, "{one} {two}");
    mouth.control.tx(TxCommand::SetSourceGain(second, Gain::MUTE)).unwrap();
    mouth.run(40);
    assert_eq!(mouth.control.source_level(second).unwrap(), offhook_codecs::Level::SILENCE);
    mouth.control.remove_source(second).unwrap();
    assert_eq!(mouth.control.source_level(second), None);
}

/// More sources than there is room for while others fade: the fade is cut short, and nothing is lost or kept.
#[test]
fn fading_sources_keep_nobody_out() {
    struct Counted(#[expect(dead_code, reason = "it is counted")] std::sync::Arc<()>, Sine);
    impl Source for Counted {
        fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
            self.1.fill(captured_ns, out)
        }
    }
    let alive = std::sync::Arc::new(());
    let config = EngineConfig { max_nodes: 2, commands_per_block: 64, ..EngineConfig::new(8_000) };
    let (mut control, mut tx, _rx) = split(config);
    control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    control.tx(TxCommand::Start).unwrap();
    for _ in 0..10 {
        let source = Counted(std::sync::Arc::clone(&alive), Sine(20));
        let id = control.add_source(Box::new(source), Gain::UNITY).ok().unwrap();
        control.remove_source(id).unwrap();
    }
    let last = control.add_source(Box::new(Counted(std::sync::Arc::clone(&alive), Sine(20))), Gain::UNITY);
    assert!(last.is_ok());
    // A millisecond: nothing has faded yet.
    assert_no_alloc(|| tx.process_without_input(0, 8));
    control.collect();
    assert!(control.is_settled());
    assert_eq!(std::sync::Arc::strong_count(&alive), 1 + 4, "the new one, and three that fade");
    assert_no_alloc(|| tx.process_without_input(0, 160));
    control.collect();
    assert_eq!(std::sync::Arc::strong_count(&alive), 1 + 1);
}
