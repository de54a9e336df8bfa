//! Anything at any time: every command, node, tap and packet, in any order, on tiny rings, by a driver whose blocks and
//! clock are nonsense. Nothing panics, allocates or frees in real time, and nothing is lost on its way to be dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::{
    BusConfig, BusPort, Control, EngineConfig, Gain, PacketRx, PacketTx, PcmConfig, Peer, Received,
    RxCommand, RxFormat, RxProcessor, SendOutcome, SenderIdentity, Sink, SinkId, Source, SourceId, TxCommand,
    TxEvents, TxFormat, TxProcessor, bus, packet_injector, packet_tap, pcm_sink, pcm_source, split,
};
use offhook_rtp::{PayloadTypes, RtpHeader};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Counts what lives.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A network that says anything, and takes what it likes.
struct Noise {
    dice: Dice,
    sequence: u16,
    timestamp: u32,
    now_ns: u64,
    _alive: Alive,
}

impl PacketRx for Noise {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let dice = &mut self.dice;
        if dice.below(3) == 0 {
            return None;
        }
        self.sequence = match dice.below(20) {
            0 => dice.roll() as u16,
            1 => self.sequence.wrapping_sub(dice.below(4) as u16),
            _ => self.sequence.wrapping_add(1),
        };
        self.timestamp = match dice.below(20) {
            0 => dice.roll() as u32,
            _ => self.timestamp.wrapping_add(160),
        };
        self.now_ns = match dice.below(50) {
            0 => dice.roll(),
            _ => self.now_ns.wrapping_add(20_000_000),
        };
        let header = RtpHeader {
            marker: dice.below(9) == 0,
            payload_type: dice.one_of(&[0, 0, 0, 8, 101, 13]),
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: dice.one_of(&[5, 5, 5, 5, 5, 5, 6, 1]),
        };
        let octets = dice.one_of(&[160, 160, 160, 4, 0, 1, 80, 240, 960, 1_400]);
        let len = (RtpHeader::LEN + octets).min(buffer.len());
        buffer[..RtpHeader::LEN].copy_from_slice(&header.to_bytes());
        buffer[RtpHeader::LEN..len].fill(dice.roll() as u8);
        if dice.below(8) == 0 {
            let at = dice.below(len as u64) as usize;
            buffer[at] = dice.roll() as u8;
        }
        let len = match dice.below(30) {
            0 => dice.below(len as u64) as usize,
            1 => usize::MAX,
            _ => len,
        };
        let source =
            SocketAddr::from(([192, 0, 2, dice.one_of(&[1, 1, 1, 1, 2])], dice.one_of(&[9, 9, 9, 10])));
        Some(Received { len, source, arrival_ns: self.now_ns })
    }
}

impl PacketTx for Noise {
    fn send(&mut self, packet: &[u8]) -> SendOutcome {
        assert!(packet.len() >= RtpHeader::LEN);
        use SendOutcome::{Failed, Refused, Sent, WouldBlock};
        self.dice.one_of(&[Sent, Sent, Sent, WouldBlock, Refused, Failed])
    }

    fn set_remote(&mut self, _remote: SocketAddr) {}
}

/// A source of any sound that claims anything of its length; a sink.
struct Node(Dice, #[expect(dead_code, reason = "counts")] Alive);

impl Source for Node {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        out.fill(self.0.roll() as i16);
        self.0.one_of(&[out.len(), out.len(), 0, out.len() / 2, usize::MAX])
    }
}

impl Sink for Node {
    fn write(&mut self, _played_ns: u64, _block: &[i16]) {}
}

struct Scene {
    dice: Dice,
    alive: Arc<AtomicUsize>,
    sources: Vec<SourceId>,
    sinks: Vec<SinkId>,
}

impl Scene {
    fn noise(&mut self) -> Box<Noise> {
        let (dice, alive) = (Dice(self.dice.roll() | 1), Alive::new(&self.alive));
        Box::new(Noise { dice, sequence: 0, timestamp: 0, now_ns: 1 << 40, _alive: alive })
    }

    fn node(&mut self) -> Box<Node> {
        Box::new(Node(Dice(self.dice.roll() | 1), Alive::new(&self.alive)))
    }

    fn gain(&mut self) -> Gain {
        Gain::from_factor(self.dice.one_of(&[0.0, 1.0, 0.3, 32.0, f32::NAN, -1.0]))
    }

    fn tx_command(&mut self) -> TxCommand {
        let kind = self.dice.one_of(&[CodecKind::Pcmu, CodecKind::Pcma]);
        let gain = self.gain();
        let source = self.sources.last().copied();
        match self.dice.below(17) {
            0 | 1 => TxCommand::SetTransport(self.noise()),
            2 => TxCommand::ClearTransport,
            3 => TxCommand::SetRemote(([192, 0, 2, 1], 7).into()),
            4 => TxCommand::SetFormat(Box::new(
                TxFormat::new(kind, 0, self.dice.one_of(&[0, 1, 20, 30, 5_000])).unwrap(),
            )),
            5 => TxCommand::Restart(SenderIdentity { ssrc: 1, ..SenderIdentity::default() }),
            6 => {
                let (tone, pause) =
                    (self.dice.one_of(&[0, 40, u32::MAX]), self.dice.one_of(&[0, 40, u32::MAX]));
                TxCommand::PlayEvents(Box::new(TxEvents::dial(101, "12#", tone, pause, 8_000).unwrap()))
            }
            7 => TxCommand::CancelEvents,
            8 => TxCommand::SetMicrophone(gain),
            9 => source.map_or(TxCommand::Start, |source| TxCommand::SetSourceGain(source, gain)),
            10 => TxCommand::SetMicrophoneTap(self.node()),
            11 => TxCommand::ClearMicrophoneTap,
            12 => TxCommand::SetPacketTap(packet_tap(2).1),
            13 => {
                let (mut own, injector) = packet_injector(3);
                let _ = own.send(
                    &RtpHeader { timestamp: self.dice.roll() as u32, ..RtpHeader::default() }.to_bytes(),
                );
                TxCommand::SetPacketInjector(injector)
            }
            14 => TxCommand::ClearPacketInjector,
            15 => TxCommand::Stop,
            _ => TxCommand::Start,
        }
    }

    fn rx_command(&mut self) -> RxCommand {
        let gain = self.gain();
        let sink = self.sinks.last().copied();
        let at: SocketAddr = ([192, 0, 2, 1], 9).into();
        match self.dice.below(18) {
            0 | 1 => RxCommand::SetTransport(self.noise()),
            2 => RxCommand::ClearTransport,
            3 | 4 => {
                let peers = [Peer::Nobody, Peer::Any, Peer::Address(at.ip()), Peer::Expected(at)];
                RxCommand::SetPeer(self.dice.one_of(&peers))
            }
            5 | 6 => RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap())),
            7 => {
                RxCommand::SetDecoder(CodecKind::Pcma.decoder().unwrap(), PayloadTypes::NONE.with(8).with(0))
            }
            8 => RxCommand::SetOwnSsrc(self.dice.one_of(&[1, 5])),
            9 => RxCommand::SetEventPayloadType(self.dice.one_of(&[None, Some(101), Some(200), Some(0)])),
            10 => RxCommand::ExpectSourceChange,
            11 => RxCommand::SetSpeaker(gain),
            12 => sink.map_or(RxCommand::Start, |sink| RxCommand::SetSinkGain(sink, gain)),
            13 => RxCommand::SetSpeakerTap(self.node()),
            14 => RxCommand::SetPacketTap(packet_tap(2).1),
            15 => RxCommand::ClearPacketTap,
            16 => RxCommand::Stop,
            _ => RxCommand::Start,
        }
    }

    fn nodes(&mut self, control: &mut Control, ports: &mut Vec<BusPort>) {
        let gain = self.gain();
        match self.dice.below(6) {
            0 => {
                let port = ports.pop();
                let source: Box<dyn Source> = match (self.dice.below(3), port) {
                    (0, Some(port)) => port.source,
                    (1, _) => pcm_source(PcmConfig::new(8_000)).unwrap().1,
                    _ => self.node(),
                };
                self.sources.extend(control.add_source(source, gain));
            }
            1 => {
                let port = ports.pop();
                let sink: Box<dyn Sink> = match (self.dice.below(3), port) {
                    (0, Some(port)) => port.sink,
                    (1, _) => pcm_sink(PcmConfig { sample_rate: 48_000, ..PcmConfig::new(8_000) }).unwrap().1,
                    _ => self.node(),
                };
                self.sinks.extend(control.add_sink(sink));
            }
            2 | 3 if !self.sources.is_empty() => {
                let at = self.dice.below(self.sources.len() as u64) as usize;
                if control.remove_source(self.sources[at]).is_ok() {
                    self.sources.swap_remove(at);
                }
            }
            4 | 5 if !self.sinks.is_empty() => {
                let at = self.dice.below(self.sinks.len() as u64) as usize;
                if control.remove_sink(self.sinks[at]).is_ok() {
                    self.sinks.swap_remove(at);
                }
            }
            _ => {}
        }
    }
}

fn drive(dice: &mut Dice, tx: &mut TxProcessor, rx: &mut RxProcessor, block: &mut [i16]) {
    let mut now_ns = || dice.roll() >> dice.below(64);
    let (one, other) = (now_ns(), now_ns());
    let len = dice.one_of(&[80, 80, 80, 160, 0, 1, 7, 333]).min(block.len());
    let way = dice.below(4);
    assert_no_alloc(|| match way {
        0 => {
            rx.process(one, &mut block[..len]);
            tx.process(other, &block[..len]);
        }
        1 => {
            tx.process_without_input(one, len);
            rx.process_without_output(other, len);
        }
        2 => rx.process(one, &mut block[..len]),
        _ => {
            tx.process(one, &block[..len]);
            tx.skip(len);
        }
    });
}

#[test]
fn any_orders_at_any_time_neither_panic_nor_allocate_nor_lose_an_object() {
    for seed in 1..=SEEDS {
        let alive = Arc::new(AtomicUsize::new(0));
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut scene = Scene { dice, alive: Arc::clone(&alive), sources: Vec::new(), sinks: Vec::new() };
        let small = scene.dice.below(2) == 0;
        let config = match small {
            true => EngineConfig {
                max_block: 33,
                max_packet_ms: 25,
                max_datagram: 200,
                commands: 3,
                max_nodes: 2,
                commands_per_block: 2,
                ..EngineConfig::new(8_000)
            },
            false => EngineConfig::new(8_000),
        };
        let (mut control, mut tx, mut rx) = split(config);
        let (mut conference, mut mixer) =
            bus(BusConfig { max_participants: 3, commands: 2, ..BusConfig::new(16_000) });
        let (mut ports, mut ids) = (Vec::new(), Vec::new());
        let mut block = vec![0; 400];
        for _ in 0..600 {
            match scene.dice.below(12) {
                0..=2 => drop(control.tx(scene.tx_command())),
                3..=5 => drop(control.rx(scene.rx_command())),
                6 | 7 => scene.nodes(&mut control, &mut ports),
                8 => {
                    if let Ok(port) =
                        conference.join(scene.dice.one_of(&[8_000, 16_000, 48_000]), scene.gain())
                    {
                        ids.push(port.id);
                        ports.push(port);
                    }
                }
                9 if !ids.is_empty() => {
                    let at = scene.dice.below(ids.len() as u64) as usize;
                    if conference.leave(ids[at]).is_ok() {
                        ids.swap_remove(at);
                    }
                }
                10 => {
                    let samples = scene.dice.one_of(&[160, 160, 0, 1_000]);
                    assert_no_alloc(|| mixer.process(samples));
                }
                _ => {}
            }
            while control.next_event().is_some() {}
            drive(&mut scene.dice, &mut tx, &mut rx, &mut block);
        }
        drop((control, tx, rx, conference, mixer, ports));
        assert_eq!(alive.load(Ordering::Relaxed), 0, "seed {seed}");
    }
}

/// Runs; each is some hundred orders.
const SEEDS: u64 = 150;
