//! The receiving half: datagrams are read, judged and queued, and the next block of sound is pulled.
//! In: the time, an empty block, commands. Out: sound for the speaker and the sinks, meters, retired objects.
//!
//! ```text
//! PacketRx ─▶ peer? ─▶ RtpReceiver ─▶ Playout ─▶ pull ─┬─▶ sinks
//!            strangers   │                              └─ gain ─▶ speaker
//!            dropped     └ probation: see below
//! ```
//!
//! # The first packet
//!
//! RFC 3550 believes a source after two packets in sequence. The very first packet from the negotiated host is queued
//! at once all the same: to hold it would start playout a packet too late, and two packets are as easily sent as one.
//! If another source is confirmed instead, playout is emptied first. In every other case (no host was negotiated, a
//! source that follows another, a restarted numbering) the packet is held and queued just before the one that
//! confirms it. Which ports of the peer may be tried, and when, is `peer.rs`' to say.
//!
//! Not here: who plays (the driver), what playout decides (`offhook-jitter`), RTCP (control).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::net::SocketAddr;
use std::sync::Arc;

use offhook_codecs::LevelMeter;
use offhook_jitter::{Playout, PlayoutPacket, Pulled};
use offhook_rtp::{Accepted, Continuity, PayloadTypes, Receipt, ReceiverConfig, Reject, RtpReceiver};

use crate::command::{CommandReceiver, RxCommand, RxFormat, RxOrder, SinkId};
use crate::config::{EngineConfig, ms_to_samples, samples_to_ns};
use crate::meters::{Meters, RxMeters};
use crate::rt::gain::{Gain, Ramp};
use crate::rt::node::Sink;
use crate::rt::packet::{PacketRx, Received};
use crate::rt::peer::PeerFilter;
use crate::trash::{Trash, TrashBin};

/// Strangers' datagrams that are dropped in one block for each packet that may be read: dropping one costs little, and
/// a flood of them must not keep the peer's packets waiting in the socket. Those of a port that would yield to a better
/// one are counted with them, admitted or not.
const STRANGERS_A_PACKET: usize = 8;

/// The receiving half of an engine. Belongs to the playback callback, or to a ticker.
///
/// Dropping it frees memory and closes its transport: not to be done in a callback.
pub struct RxProcessor {
    orders: CommandReceiver<RxOrder>,
    trash: TrashBin,
    shared: Arc<Meters>,
    meters: RxMeters,
    level: LevelMeter,
    level_samples: usize,
    config: EngineConfig,

    speaker: Ramp,
    sinks: Vec<Slot>,
    transport: Option<Box<dyn PacketRx>>,
    format: Option<Box<RxFormat>>,
    has_started: bool,
    filter: PeerFilter,
    receiver: RtpReceiver,
    /// Whose first packet was queued before it was confirmed.
    early: Option<(SocketAddr, u32)>,
    /// The last packet of a source on probation.
    new_source: Held,
    /// The last packet that may begin a restarted numbering.
    restart: Held,

    datagram: Box<[u8]>,
    scratch: Box<[i16]>,
}

struct Slot {
    id: SinkId,
    sink: Box<dyn Sink>,
}

impl RxProcessor {
    pub(crate) fn new(
        config: EngineConfig,
        orders: CommandReceiver<RxOrder>,
        trash: TrashBin,
        shared: Arc<Meters>,
    ) -> RxProcessor {
        let receiver = ReceiverConfig {
            payload_types: PayloadTypes::NONE,
            clock_rate: config.sample_rate,
            own_ssrc: Some(config.sender.ssrc),
            ..ReceiverConfig::default()
        };
        RxProcessor {
            orders,
            trash,
            shared,
            meters: RxMeters::default(),
            level: LevelMeter::new(),
            level_samples: 0,
            config,
            speaker: Ramp::new(Gain::UNITY),
            sinks: Vec::with_capacity(config.max_nodes),
            transport: None,
            format: None,
            has_started: false,
            filter: PeerFilter::new(),
            receiver: RtpReceiver::new(receiver),
            early: None,
            new_source: Held::new(config.max_datagram),
            restart: Held::new(config.max_datagram),
            datagram: vec![0; config.max_datagram].into(),
            scratch: vec![0; config.max_block].into(),
        }
    }

    /// Reads what has arrived and fills a block of any length, the first sample of which will be heard at `now_ns`.
    ///
    /// While the half is stopped or has no format, the block is silence.
    pub fn process(&mut self, now_ns: u64, speaker: &mut [i16]) {
        self.obey();
        self.read();
        for (n, block) in speaker.chunks_mut(self.config.max_block).enumerate() {
            let at = samples_to_ns(n * self.config.max_block, self.config.sample_rate);
            self.block(now_ns.saturating_add(at), block);
        }
        self.publish();
    }

    /// Like [`Self::process`] with `samples` samples of a driver that has no speaker: only the sinks hear.
    pub fn process_without_output(&mut self, now_ns: u64, samples: usize) {
        self.obey();
        self.read();
        // Taken out so that it can be lent to a method of `self`; an empty box does not allocate.
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut done = 0;
        while done < samples && !scratch.is_empty() {
            let len = (samples - done).min(scratch.len());
            let at = samples_to_ns(done, self.config.sample_rate);
            if let Some(block) = scratch.get_mut(..len) {
                self.block(now_ns.saturating_add(at), block);
            }
            done += len;
        }
        self.scratch = scratch;
        self.publish();
    }

    /// The rate that blocks have, Hz.
    pub fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn obey(&mut self) {
        for _ in 0..self.config.commands_per_block {
            if !self.trash.has_room() {
                self.meters.trash_stalls += 1;
                return;
            }
            let Some(order) = self.orders.next() else { return };
            if let Some(object) = self.carry_out(order) {
                self.trash.retire(object);
            }
        }
    }

    /// Carries out one order; what it retires.
    fn carry_out(&mut self, order: RxOrder) -> Option<Trash> {
        match order {
            RxOrder::AddSink(id, sink) => {
                if self.sinks.len() == self.sinks.capacity() {
                    return Some(Trash::Sink(sink));
                }
                self.sinks.push(Slot { id, sink });
                None
            }
            RxOrder::RemoveSink(id) => {
                let index = self.sinks.iter().position(|slot| slot.id == id)?;
                Some(Trash::Sink(self.sinks.swap_remove(index).sink))
            }
            RxOrder::Command(command) => self.carry_out_command(command),
        }
    }

    fn carry_out_command(&mut self, command: RxCommand) -> Option<Trash> {
        match command {
            RxCommand::SetTransport(transport) => self.transport.replace(transport).map(Trash::PacketRx),
            RxCommand::ClearTransport => self.transport.take().map(Trash::PacketRx),
            RxCommand::SetPeer(peer) => {
                if self.filter.set(peer) {
                    // Another host is another source.
                    self.receiver.expect_source_change();
                    self.early = None;
                }
                None
            }
            RxCommand::SetFormat(format) => {
                self.receiver.set_format(format.payload_types, format.clock_rate);
                self.format.replace(format).map(Trash::RxFormat)
            }
            RxCommand::SetDecoder(decoder, payload_types) => self.set_decoder(decoder, payload_types),
            RxCommand::SetOwnSsrc(ssrc) => {
                self.receiver.set_own_ssrc(ssrc);
                None
            }
            RxCommand::ExpectSourceChange => {
                self.receiver.expect_source_change();
                self.filter.expect_change();
                None
            }
            RxCommand::SetSpeaker(gain) => {
                self.speaker.set(gain, self.config.sample_rate);
                None
            }
            RxCommand::Start => {
                self.meters.is_active = true;
                self.has_started = true;
                None
            }
            RxCommand::Stop => {
                self.meters.is_active = false;
                None
            }
        }
    }

    /// The retired decoder: the old one, or the new one if it does not fit.
    fn set_decoder(
        &mut self,
        decoder: Box<dyn offhook_codecs::Decoder + Send>,
        payload_types: PayloadTypes,
    ) -> Option<Trash> {
        let Some(format) = &mut self.format else { return Some(Trash::Decoder(decoder)) };
        match format.playout.set_decoder(decoder) {
            Ok(old) => {
                format.payload_types = payload_types;
                self.receiver.set_format(payload_types, format.clock_rate);
                Some(Trash::Decoder(old))
            }
            Err(unfit) => Some(Trash::Decoder(unfit)),
        }
    }

    /// Reads a bounded number of datagrams. Before the first start they wait in the socket, so that a peer that is
    /// heard before the channel is open loses nothing; while stopped later on they are dropped.
    fn read(&mut self) {
        if !self.has_started {
            return;
        }
        let mut packets = self.config.packets_per_block;
        let mut strangers = packets.saturating_mul(STRANGERS_A_PACKET);
        while packets > 0 && strangers > 0 {
            let Some(transport) = &mut self.transport else { return };
            let Some(received) = transport.receive(&mut self.datagram) else { return };
            self.meters.datagrams += 1;
            let is_admitted = self.filter.admits(received.source, received.arrival_ns);
            if is_admitted && !self.filter.is_outranked(received.source) {
                packets -= 1;
            } else {
                strangers -= 1;
            }
            if is_admitted {
                self.judge(received);
            } else {
                // Nothing that strangers send is even parsed, whatever the state of the call.
                self.meters.strangers += 1;
            }
        }
    }

    /// Judges a datagram of the peer's.
    fn judge(&mut self, received: Received) {
        let Received { len, source, arrival_ns } = received;
        let Some(format) = self.format.as_mut().filter(|_| self.meters.is_active) else {
            self.meters.while_stopped += 1;
            self.filter.hear(source, arrival_ns);
            return;
        };
        let Some(datagram) = self.datagram.get(..len) else {
            self.meters.oversized += 1;
            return;
        };
        let receipt = self.receiver.receive_from(source, arrival_ns, datagram);
        match receipt {
            Receipt::Reject(Reject::Runt | Reject::Malformed(_) | Reject::OwnSource) => {}
            Receipt::Probation(_) | Receipt::Reject(_) => self.filter.hear(source, arrival_ns),
            Receipt::Accept(_) => {}
        }
        match receipt {
            Receipt::Reject(_) => {}
            Receipt::Probation(packet) if packet.continuity == Continuity::Restarted => {
                self.restart.hold(&packet, source, arrival_ns);
            }
            Receipt::Probation(packet) => {
                self.filter.try_out(source, arrival_ns);
                if self.early.is_none() && self.filter.trusts_first() {
                    self.early = Some((source, packet.view.ssrc()));
                    if self.meters.first_packet_ns.is_some() {
                        // What is there is of a peer before this one.
                        format.playout.reset();
                    }
                    self.meters.first_packet_ns.get_or_insert(arrival_ns);
                    insert(&mut format.playout, &packet, arrival_ns);
                } else {
                    self.new_source.hold(&packet, source, arrival_ns);
                }
            }
            Receipt::Accept(packet) => {
                self.filter.latch(source, arrival_ns, packet.continuity == Continuity::NewSource);
                let held = match packet.continuity {
                    Continuity::Continuous => None,
                    Continuity::NewSource => Some(&mut self.new_source),
                    Continuity::Restarted => Some(&mut self.restart),
                };
                let mut first_ns = arrival_ns;
                if let Some(held) = held {
                    let is_early = self.early.take() == Some((source, packet.view.ssrc()));
                    if !is_early && self.meters.first_packet_ns.is_some() {
                        format.playout.reset();
                    }
                    if held.release(&packet, source, &mut format.playout) {
                        first_ns = held.arrival_ns.min(arrival_ns);
                    }
                }
                self.meters.first_packet_ns.get_or_insert(first_ns);
                insert(&mut format.playout, &packet, arrival_ns);
            }
        }
    }

    /// One block of at most `max_block` samples.
    fn block(&mut self, played_ns: u64, block: &mut [i16]) {
        let Some(format) = self.format.as_mut().filter(|_| self.meters.is_active) else {
            block.fill(0);
            return;
        };
        let Pulled { decoded, .. } = format.playout.pull(played_ns, block);
        if decoded > 0 {
            self.meters.first_sound_ns.get_or_insert(played_ns);
        }
        for slot in &mut self.sinks {
            slot.sink.write(played_ns, block);
        }
        self.level.push(block);
        self.level_samples += block.len();
        if self.level_samples >= ms_to_samples(self.config.meter_ms, self.config.sample_rate) {
            self.meters.level = self.level.take();
            self.level_samples = 0;
        }
        self.speaker.apply(block);
    }

    fn publish(&mut self) {
        self.meters.blocks += 1;
        self.meters.commands = self.orders.taken;
        self.meters.receiver = self.receiver.stats();
        self.meters.peer = self.filter.latched();
        if let Some(format) = &self.format {
            self.meters.playout = format.playout.stats();
        }
        self.shared.publish_rx(&self.meters);
    }
}

impl std::fmt::Debug for RxProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RxProcessor").field("meters", &self.meters).finish_non_exhaustive()
    }
}

fn insert(playout: &mut Playout, packet: &Accepted<'_>, arrival_ns: u64) {
    let view = &packet.view;
    // Its fate is in the playout's own counts.
    let _ = playout.insert(PlayoutPacket {
        sequence: view.sequence_number(),
        timestamp: view.timestamp(),
        marker: view.marker(),
        payload: view.payload(),
        arrival_ns,
    });
}

/// A slot for one packet on probation.
struct Held {
    source: Option<SocketAddr>,
    ssrc: u32,
    extended_sequence: u64,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    arrival_ns: u64,
    payload: Box<[u8]>,
    len: usize,
}

impl Held {
    fn new(capacity: usize) -> Held {
        Held {
            source: None,
            ssrc: 0,
            extended_sequence: 0,
            sequence: 0,
            timestamp: 0,
            marker: false,
            arrival_ns: 0,
            payload: vec![0; capacity].into(),
            len: 0,
        }
    }

    /// Keeps a copy of `packet`, in place of the one before.
    fn hold(&mut self, packet: &Accepted<'_>, source: SocketAddr, arrival_ns: u64) {
        let payload = packet.view.payload();
        let Some(room) = self.payload.get_mut(..payload.len()) else { return };
        room.copy_from_slice(payload);
        self.len = payload.len();
        self.source = Some(source);
        self.ssrc = packet.view.ssrc();
        self.extended_sequence = packet.extended_sequence;
        self.sequence = packet.view.sequence_number();
        self.timestamp = packet.view.timestamp();
        self.marker = packet.view.marker();
        self.arrival_ns = arrival_ns;
    }

    /// Queues the packet held if it comes right before `packet` from the same place; whether it did. Empties the slot.
    fn release(&mut self, packet: &Accepted<'_>, source: SocketAddr, playout: &mut Playout) -> bool {
        let is_before = self.source.take() == Some(source)
            && self.ssrc == packet.view.ssrc()
            && self.extended_sequence.wrapping_add(1) == packet.extended_sequence;
        if is_before {
            let _ = playout.insert(PlayoutPacket {
                sequence: self.sequence,
                timestamp: self.timestamp,
                marker: self.marker,
                payload: self.payload.get(..self.len).unwrap_or_default(),
                arrival_ns: self.arrival_ns,
            });
        }
        is_before
    }
}
