//! One direction of a virtual network.
//! In: datagrams at the clock's time. Out: the same, later, fewer or twice.
//! Not here: who drives the clock (`driver.rs`).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_rtp::Rng;

use super::Clock;
use crate::rt::packet::{PacketRx, PacketTx, Received, SendOutcome};

/// Octets of the longest datagram.
const MAX_DATAGRAM: usize = 2_048;

/// How a link treats datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkConfig {
    /// Where the datagrams seem to come from.
    pub source: SocketAddr,
    /// Delay of every datagram, nanoseconds.
    pub delay_ns: u64,
    /// Delay in addition, evenly between 0 and this, nanoseconds. Datagrams may overtake each other.
    pub jitter_ns: u64,
    /// The part that is lost, 0 to 1.
    pub loss: f64,
    /// The part that arrives twice, 0 to 1.
    pub duplicates: f64,
    /// Datagrams under way at most; a sender that exceeds it would block.
    pub capacity: usize,
    /// What chance starts from.
    pub seed: u64,
}

impl LinkConfig {
    /// A link that delivers everything at once.
    pub const fn perfect(source: SocketAddr) -> LinkConfig {
        LinkConfig { source, delay_ns: 0, jitter_ns: 0, loss: 0.0, duplicates: 0.0, capacity: 256, seed: 1 }
    }

    /// The same with a constant delay in milliseconds.
    #[must_use]
    pub const fn delayed_ms(self, ms: u64) -> LinkConfig {
        LinkConfig { delay_ns: ms * 1_000_000, ..self }
    }
}

/// What a link has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Datagrams sent into it.
    pub sent: u64,
    /// … of them lost.
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Datagrams refused because it was full.
    pub would_block: u64,
    /// Datagrams handed out.
    pub delivered: u64,
}

/// The sending end.
#[derive(Debug)]
pub struct LinkTx(Link);

/// The receiving end.
#[derive(Debug)]
pub struct LinkRx(Link);

/// A hand on the link itself.
#[derive(Debug, Clone)]
pub struct Link {
    clock: Clock,
    pipe: Arc<Mutex<Pipe>>,
}

/// A link, its two ends and a hand on it.
pub fn link(clock: &Clock, config: LinkConfig) -> (LinkTx, LinkRx, Link) {
    let pipe = Pipe {
        config,
        rng: Rng::new(config.seed),
        slots: (0..config.capacity).map(|_| Slot::EMPTY).collect(),
        order: 0,
        counts: LinkCounts::default(),
    };
    let hand = Link { clock: clock.clone(), pipe: Arc::new(Mutex::new(pipe)) };
    (LinkTx(hand.clone()), LinkRx(hand.clone()), hand)
}

impl Link {
    /// Other conditions for what is sent from now on. The capacity stays.
    pub fn set(&self, config: LinkConfig) {
        self.lock().config = config;
    }

    /// Puts in a datagram as from `source`, to arrive now.
    pub fn inject(&self, source: SocketAddr, bytes: &[u8]) {
        let now_ns = self.clock.now_ns();
        self.lock().put(now_ns, source, bytes);
    }

    /// What it has done.
    pub fn counts(&self) -> LinkCounts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PacketTx for LinkTx {
    fn send(&mut self, packet: &[u8]) -> SendOutcome {
        let now_ns = self.0.clock.now_ns();
        self.0.lock().send(now_ns, packet)
    }

    fn set_remote(&mut self, _remote: SocketAddr) {}
}

impl PacketRx for LinkRx {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        let now_ns = self.0.clock.now_ns();
        self.0.lock().receive(now_ns, buffer)
    }
}

#[derive(Debug)]
struct Pipe {
    config: LinkConfig,
    rng: Rng,
    slots: Box<[Slot]>,
    order: u64,
    counts: LinkCounts,
}

#[derive(Debug, Clone)]
struct Slot {
    /// `None`: the slot is free.
    due: Option<(u64, u64)>,
    source: Option<SocketAddr>,
    len: usize,
    bytes: [u8; MAX_DATAGRAM],
}

impl Slot {
    const EMPTY: Slot = Slot { due: None, source: None, len: 0, bytes: [0; MAX_DATAGRAM] };
}

impl Pipe {
    fn send(&mut self, now_ns: u64, packet: &[u8]) -> SendOutcome {
        if packet.len() > MAX_DATAGRAM {
            return SendOutcome::Failed;
        }
        if self.slots.iter().all(|slot| slot.due.is_some()) {
            self.counts.would_block += 1;
            return SendOutcome::WouldBlock;
        }
        self.counts.sent += 1;
        if self.rng.next_unit() < self.config.loss {
            self.counts.lost += 1;
            return SendOutcome::Sent;
        }
        let copies = if self.rng.next_unit() < self.config.duplicates { 2 } else { 1 };
        for copy in 0..copies {
            let jitter = (self.rng.next_unit() * self.config.jitter_ns as f64) as u64;
            let due_ns = now_ns.saturating_add(self.config.delay_ns).saturating_add(jitter);
            let is_put = self.put(due_ns, self.config.source, packet);
            self.counts.duplicated += u64::from(copy > 0 && is_put);
        }
        SendOutcome::Sent
    }

    fn put(&mut self, due_ns: u64, source: SocketAddr, bytes: &[u8]) -> bool {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.due.is_none()) else { return false };
        let Some(room) = slot.bytes.get_mut(..bytes.len()) else { return false };
        room.copy_from_slice(bytes);
        slot.len = bytes.len();
        slot.source = Some(source);
        slot.due = Some((due_ns, self.order));
        self.order += 1;
        true
    }

    fn receive(&mut self, now_ns: u64, buffer: &mut [u8]) -> Option<Received> {
        let first = self.slots.iter_mut().filter(|slot| slot.due.is_some()).min_by_key(|slot| slot.due)?;
        let (due_ns, _) = first.due.filter(|(due_ns, _)| *due_ns <= now_ns)?;
        first.due = None;
        let source = first.source.take()?;
        let kept = first.len.min(buffer.len());
        if let (Some(room), Some(bytes)) = (buffer.get_mut(..kept), first.bytes.get(..kept)) {
            room.copy_from_slice(bytes);
        }
        self.counts.delivered += 1;
        Some(Received { len: first.len, source, arrival_ns: due_ns })
    }
}
