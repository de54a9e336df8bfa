//! Calls by the hundred, to be measured and watched: what `benches/engine.rs` and the program `legs` share.
//! In: how many, over which network. Out: the legs, each with its engine, telling the next one something.
//! Not here: what is measured (`benches/`), signalling and RTCP (no call control runs here).

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use offhook_codecs::CodecKind;
use offhook_engine::{
    Control, EngineConfig, Gain, PacketRx, PacketTx, Peer, Received, RxCommand, RxFormat, RxProcessor,
    SendOutcome, SenderIdentity, Source, TxCommand, TxFormat, TxProcessor, split,
};
use offhook_net::{BindConfig, PortRange, UdpPacketRx, UdpPacketTx, bind};

/// Samples a second inside.
pub const RATE: u32 = 8_000;
/// Where every leg is.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// One end of a call: G.711, 20 ms a packet, both ways.
#[derive(Debug)]
pub struct Leg {
    /// Its control side.
    pub control: Control,
    /// Its sending half.
    pub tx: TxProcessor,
    /// Its receiving half.
    pub rx: RxProcessor,
}

impl Leg {
    /// A leg that speaks and listens through the given network. `number` distinguishes what it says.
    ///
    /// # Errors
    ///
    /// What the engine refuses; nothing of this configuration.
    pub fn new(
        number: u32,
        tx: Box<dyn PacketTx>,
        rx: Box<dyn PacketRx>,
        remote: SocketAddr,
    ) -> Result<Leg, Box<dyn Error>> {
        let sender = SenderIdentity { ssrc: number + 1, first_sequence_number: 1, first_timestamp: 1 };
        let (mut control, tx_half, rx_half) = split(EngineConfig { sender, ..EngineConfig::new(RATE) });
        control.tx(TxCommand::SetTransport(tx))?;
        control.tx(TxCommand::SetRemote(remote))?;
        control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20)?)))?;
        let source = control.add_source(Box::new(Murmur::new(number)), Gain::UNITY);
        source.map_err(|_| "no room for a source")?;
        control.tx(TxCommand::Start)?;
        control.rx(RxCommand::SetTransport(rx))?;
        control.rx(RxCommand::SetPeer(Peer::Expected(remote)))?;
        control.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0)?)))?;
        control.rx(RxCommand::Start)?;
        Ok(Leg { control, tx: tx_half, rx: rx_half })
    }
}

/// `count` legs in a ring over UDP on loopback: each hears the one before it and is heard by the one after; one alone
/// hears itself. `clock`: what the driver hands to the processors, if that is not the kernel's time.
///
/// # Errors
///
/// Ports or descriptors that could not be had.
pub fn udp_legs(count: usize, clock: Option<&Arc<AtomicU64>>) -> Result<Vec<Leg>, Box<dyn Error>> {
    let ends = udp_ends(count)?;
    let addresses: Vec<_> = ends.iter().map(|(tx, _)| tx.local()).collect();
    let legs = ends.into_iter().enumerate().map(|(n, (tx, rx))| {
        let after = addresses.get((n + 1) % count).ok_or("no leg")?;
        let before = addresses.get((n + count - 1) % count).ok_or("no leg")?;
        let rx: Box<dyn PacketRx> = match clock {
            Some(clock) => Box::new(Restamped { inner: rx, clock: Arc::clone(clock) }),
            None => Box::new(rx),
        };
        let mut leg = Leg::new(n as u32, Box::new(tx), rx, *after)?;
        leg.control.rx(RxCommand::SetPeer(Peer::Expected(*before)))?;
        if count == 1 {
            // It is no loop that was not wanted.
            leg.control.rx(RxCommand::SetOwnSsrc(0))?;
        }
        Ok(leg)
    });
    legs.collect()
}

/// The sockets of `count` legs.
///
/// # Errors
///
/// Ports or descriptors that could not be had.
pub fn udp_ends(count: usize) -> Result<Vec<(UdpPacketTx, UdpPacketRx)>, Box<dyn Error>> {
    let config = BindConfig { ports: PortRange::new(20_000, 59_999)?, ..BindConfig::new(LOOPBACK) };
    let ends = (0..count).map(|_| {
        let (tx, rx, _rtcp) = bind(&config)?.split(None);
        Ok((tx, rx))
    });
    ends.collect()
}

/// A network whose datagrams arrive by the driver's clock, which in a bench runs faster than the kernel's: playout would
/// otherwise be busy with a peer that seems too slow.
#[derive(Debug)]
struct Restamped {
    inner: UdpPacketRx,
    clock: Arc<AtomicU64>,
}

impl PacketRx for Restamped {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let received = self.inner.receive(buffer)?;
        Some(Received { arrival_ns: self.clock.load(Ordering::Relaxed), ..received })
    }
}

/// Something to say that is not silence and differs from leg to leg: bursts of noise in the rhythm of syllables, from one
/// table for all, so that what is measured is the engine's own memory.
#[derive(Debug)]
pub struct Murmur {
    samples: Arc<[i16]>,
    at: usize,
}

impl Murmur {
    /// `number` says where in the table it begins.
    pub fn new(number: u32) -> Murmur {
        static TABLE: OnceLock<Arc<[i16]>> = OnceLock::new();
        let samples = TABLE.get_or_init(|| {
            let (mut seed, mut low) = (1_u32, 0.0);
            let second = 0..RATE;
            second
                .map(|n| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    low += 0.3 * (f64::from((seed >> 16) as i16) - low);
                    let turns = f64::from(n) / f64::from(RATE) * 3.0;
                    (0.45 * low * (turns * std::f64::consts::TAU).sin().max(0.0)) as i16
                })
                .collect()
        });
        Murmur { samples: Arc::clone(samples), at: number.wrapping_mul(997) as usize % RATE as usize }
    }
}

impl Source for Murmur {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let said = self.samples.get(self.at..).unwrap_or_default();
            let take = rest.len().min(said.len());
            if let (Some(rest), Some(said)) = (rest.get_mut(..take), said.get(..take)) {
                rest.copy_from_slice(said);
            }
            filled += take;
            self.at = if take == said.len() { 0 } else { self.at + take };
        }
        filled
    }
}

/// A network without a network: what is sent is counted, and a peer of fixed habits sends a packet every 20 ms.
#[derive(Debug)]
pub struct Nowhere {
    sent: u64,
}

impl Nowhere {
    /// Both directions of a leg whose peer is at `peer`; `clock` is what the driver hands to the processors.
    pub fn new(peer: SocketAddr, number: u32, clock: Arc<AtomicU64>) -> (Nowhere, Metronome) {
        let mut packet = [0x5A; 172];
        packet[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0, 0, 0]);
        packet[8..12].copy_from_slice(&(0xF000_0000 | number).to_be_bytes());
        // Not the same sample for 20 ms: playout must have something to work on.
        for (n, octet) in packet[12..].iter_mut().enumerate() {
            *octet = (n as u32).wrapping_add(number).wrapping_mul(2_654_435_761).to_be_bytes()[0];
        }
        (Nowhere { sent: 0 }, Metronome { peer, clock, packet, packets: 0, begun_ns: None })
    }
}

impl PacketTx for Nowhere {
    fn send(&mut self, packet: &[u8]) -> SendOutcome {
        self.sent += u64::from(!packet.is_empty());
        SendOutcome::Sent
    }

    fn set_remote(&mut self, _remote: SocketAddr) {}
}

/// The peer of a leg that talks to nobody.
#[derive(Debug)]
pub struct Metronome {
    peer: SocketAddr,
    clock: Arc<AtomicU64>,
    packet: [u8; 172],
    packets: u32,
    begun_ns: Option<u64>,
}

impl PacketRx for Metronome {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let now_ns = self.clock.load(Ordering::Relaxed);
        let begun_ns = *self.begun_ns.get_or_insert(now_ns);
        let arrival_ns = begun_ns + u64::from(self.packets) * 20_000_000;
        if now_ns < arrival_ns {
            return None;
        }
        self.packet[2..4].copy_from_slice(&(self.packets as u16).to_be_bytes());
        self.packet[4..8].copy_from_slice(&(self.packets * 160).to_be_bytes());
        self.packets += 1;
        buffer.get_mut(..self.packet.len())?.copy_from_slice(&self.packet);
        Some(Received { len: self.packet.len(), source: self.peer, arrival_ns })
    }
}
