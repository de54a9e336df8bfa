//! The sending half: microphone and sources are mixed, cut into packets, encoded and sent within one call.
//! In: blocks of captured samples with their capture time; commands. Out: datagrams, meters, retired objects.
//!
//! ```text
//! microphone ─ gain ─┐
//! source ───── gain ─┼─▶ sum, saturate ─▶ pending ─ a packet's worth ─▶ encoder ─▶ RTP ─▶ PacketTx
//! source ───── gain ─┘
//! ```
//!
//! Not here: who captures (the driver), where packets go (`PacketTx`), RTCP (control).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::sync::Arc;

use offhook_codecs::LevelMeter;
use offhook_rtp::{RtpHeader, RtpSender, SenderConfig};

use crate::command::{CommandReceiver, SourceId, TxCommand, TxFormat, TxOrder};
use crate::config::{EngineConfig, SenderIdentity, ms_to_samples, samples_to_ns};
use crate::meters::{Meters, TxMeters};
use crate::rt::gain::{Gain, Ramp, saturate};
use crate::rt::node::Source;
use crate::rt::packet::{PacketTx, SendOutcome};
use crate::trash::{Trash, TrashBin};

/// The sending half of an engine. Belongs to the capture callback, or to a ticker.
///
/// Dropping it frees memory and closes its transport: not to be done in a callback.
pub struct TxProcessor {
    orders: CommandReceiver<TxOrder>,
    trash: TrashBin,
    shared: Arc<Meters>,
    meters: TxMeters,
    level: LevelMeter,
    level_samples: usize,
    config: EngineConfig,

    microphone: Ramp,
    sources: Vec<Slot>,
    transport: Option<Box<dyn PacketTx>>,
    format: Option<Box<TxFormat>>,
    sender: RtpSender,
    /// Samples that passed unsent since the last packet: the next one has the marker bit.
    is_resuming: bool,

    sum: Box<[i32]>,
    scratch: Box<[i16]>,
    pending: Box<[i16]>,
    pending_len: usize,
    /// Capture time of the first pending sample.
    pending_ns: u64,
    packet: Box<[u8]>,
}

struct Slot {
    id: SourceId,
    source: Box<dyn Source>,
    gain: Ramp,
}

impl TxProcessor {
    pub(crate) fn new(
        config: EngineConfig,
        orders: CommandReceiver<TxOrder>,
        trash: TrashBin,
        shared: Arc<Meters>,
    ) -> TxProcessor {
        let pending = ms_to_samples(config.max_packet_ms, config.sample_rate).max(1);
        TxProcessor {
            orders,
            trash,
            shared,
            meters: TxMeters::default(),
            level: LevelMeter::new(),
            level_samples: 0,
            config,
            microphone: Ramp::new(Gain::UNITY),
            sources: Vec::with_capacity(config.max_nodes),
            transport: None,
            format: None,
            sender: RtpSender::new(sender_config(config.sender, 0, config.sample_rate)),
            is_resuming: false,
            sum: vec![0; config.max_block].into(),
            scratch: vec![0; config.max_block].into(),
            pending: vec![0; pending].into(),
            pending_len: 0,
            pending_ns: 0,
            packet: vec![0; config.max_datagram].into(),
        }
    }

    /// Sends one captured block of any length, the first sample of which was captured at `captured_ns`.
    ///
    /// Packets that the block completes leave before this returns. While the half is stopped, or has no format, the
    /// block only moves the RTP timestamp on.
    pub fn process(&mut self, captured_ns: u64, microphone: &[i16]) {
        self.obey();
        let rate = self.config.sample_rate;
        for (n, block) in microphone.chunks(self.config.max_block).enumerate() {
            let at_ns = captured_ns.saturating_add(samples_to_ns(n * self.config.max_block, rate));
            self.block(at_ns, Some(block), block.len());
        }
        self.publish();
    }

    /// Like [`Self::process`] with `samples` samples of a driver that has no microphone: only the sources are heard.
    pub fn process_without_input(&mut self, captured_ns: u64, samples: usize) {
        self.obey();
        let rate = self.config.sample_rate;
        let mut done = 0;
        while done < samples {
            let len = (samples - done).min(self.config.max_block);
            self.block(captured_ns.saturating_add(samples_to_ns(done, rate)), None, len);
            done += len;
        }
        self.publish();
    }

    /// Leaves out `samples` samples that a driver could not deliver after a stall: the RTP timestamp moves on, so that
    /// the peer's playout sees a gap and not a delay. Sources do not move; samples that wait for a packet are dropped.
    pub fn skip(&mut self, samples: usize) {
        self.meters.samples_skipped += samples as u64;
        self.pass_unsent(samples);
        self.publish();
    }

    /// The rate that blocks must have, Hz.
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
    fn carry_out(&mut self, order: TxOrder) -> Option<Trash> {
        match order {
            TxOrder::AddSource(id, source, gain) => {
                if self.sources.len() == self.sources.capacity() {
                    return Some(Trash::Source(source));
                }
                self.sources.push(Slot { id, source, gain: Ramp::new(gain) });
                None
            }
            TxOrder::RemoveSource(id) => {
                let index = self.sources.iter().position(|slot| slot.id == id)?;
                Some(Trash::Source(self.sources.swap_remove(index).source))
            }
            TxOrder::Command(command) => self.carry_out_command(command),
        }
    }

    fn carry_out_command(&mut self, command: TxCommand) -> Option<Trash> {
        match command {
            TxCommand::SetTransport(transport) => self.transport.replace(transport).map(Trash::PacketTx),
            TxCommand::ClearTransport => self.transport.take().map(Trash::PacketTx),
            TxCommand::SetRemote(remote) => {
                if let Some(transport) = &mut self.transport {
                    transport.set_remote(remote);
                }
                None
            }
            TxCommand::SetFormat(format) => {
                self.sender.set_format(format.payload_type, format.encoder.kind().clock_rate());
                self.format.replace(format).map(Trash::TxFormat)
            }
            TxCommand::Restart(identity) => {
                let payload_type = self.format.as_ref().map_or(0, |format| format.payload_type);
                let clock_rate = self.sender.stats().clock_rate;
                self.sender.restart(sender_config(identity, payload_type, clock_rate));
                None
            }
            TxCommand::SetMicrophone(gain) => {
                self.microphone.set(gain, self.config.sample_rate);
                None
            }
            TxCommand::SetSourceGain(id, gain) => {
                if let Some(slot) = self.sources.iter_mut().find(|slot| slot.id == id) {
                    slot.gain.set(gain, self.config.sample_rate);
                }
                None
            }
            TxCommand::Start => {
                self.meters.is_active = true;
                None
            }
            TxCommand::Stop => {
                self.meters.is_active = false;
                self.pass_unsent(0);
                None
            }
        }
    }

    /// One block of at most `max_block` samples.
    fn block(&mut self, captured_ns: u64, microphone: Option<&[i16]>, len: usize) {
        if !self.meters.is_active || self.format.is_none() {
            self.pass_unsent(len);
            return;
        }
        self.mix(captured_ns, microphone, len);
        self.meters.samples += len as u64;
        self.measure(len);

        let mut from = 0;
        while from < len {
            if self.pending_len == 0 {
                self.pending_ns = captured_ns.saturating_add(samples_to_ns(from, self.config.sample_rate));
            }
            let packet = self.packet_samples();
            // A shorter packet was agreed while samples waited for a longer one: send what is complete.
            if self.pending_len >= packet {
                self.send(packet);
                continue;
            }
            let take = (packet - self.pending_len).min(len - from);
            let room = self.pending.get_mut(self.pending_len..self.pending_len + take);
            if let (Some(room), Some(mixed)) = (room, self.scratch.get(from..from + take)) {
                room.copy_from_slice(mixed);
            }
            self.pending_len += take;
            from += take;
            if self.pending_len >= packet {
                self.send(packet);
            }
        }
    }

    /// Mixes `len` samples into the scratch block. One sound at unity gain is copied and no more.
    fn mix(&mut self, captured_ns: u64, microphone: Option<&[i16]>, len: usize) {
        let Some(out) = self.scratch.get_mut(..len) else { return };
        if let (Some(input), []) = (microphone, self.sources.as_slice()) {
            out.copy_from_slice(input);
            self.microphone.apply(out);
            return;
        }
        if let (None, [only]) = (microphone, self.sources.as_mut_slice()) {
            let filled = only.source.fill(captured_ns, out).min(len);
            if let Some(rest) = out.get_mut(filled..) {
                rest.fill(0);
            }
            only.gain.apply(out);
            return;
        }
        let Some(sum) = self.sum.get_mut(..len) else { return };
        sum.fill(0);
        if let Some(input) = microphone {
            self.microphone.add(input, sum);
        }
        for slot in &mut self.sources {
            let filled = slot.source.fill(captured_ns, out).min(len);
            slot.gain.add(out.get(..filled).unwrap_or_default(), sum);
        }
        for (out, sum) in out.iter_mut().zip(sum) {
            *out = saturate(*sum);
        }
    }

    fn measure(&mut self, len: usize) {
        self.level.push(self.scratch.get(..len).unwrap_or_default());
        self.level_samples += len;
        if self.level_samples >= ms_to_samples(self.config.meter_ms, self.config.sample_rate) {
            self.meters.level = self.level.take();
            self.level_samples = 0;
        }
    }

    /// Samples in a packet, within what the buffers hold.
    fn packet_samples(&self) -> usize {
        let agreed = self.format.as_ref().map_or(1, |format| format.packet_samples);
        agreed.clamp(1, self.pending.len().max(1))
    }

    /// Sends the first `samples` pending samples as one packet.
    fn send(&mut self, samples: usize) {
        let Some(format) = &mut self.format else { return };
        let kind = format.encoder.kind();
        let ticks = kind.samples_to_ticks(samples);
        let pcm = self.pending.get(..samples).unwrap_or_default();
        let body = self.packet.get_mut(RtpHeader::LEN..).unwrap_or_default();
        let encoded = format.encoder.encode(pcm, body);
        match encoded {
            Ok(0) => {
                // The encoder keeps silent (discontinuous transmission).
                self.sender.skip(ticks);
                self.is_resuming = true;
            }
            Ok(octets) => {
                let marker = std::mem::take(&mut self.is_resuming) && self.meters.first_packet_ns.is_some();
                let packet =
                    self.sender.packetize_in_place(octets, ticks, marker, self.pending_ns, &mut self.packet);
                match packet.ok().and_then(|len| self.packet.get(..len)) {
                    Some(packet) => {
                        let outcome = match &mut self.transport {
                            Some(transport) => transport.send(packet),
                            None => SendOutcome::Failed,
                        };
                        let end_ns =
                            self.pending_ns.saturating_add(samples_to_ns(samples, self.config.sample_rate));
                        self.count(outcome, octets, end_ns);
                    }
                    None => self.meters.encode_failed += 1,
                }
            }
            Err(_) => {
                self.meters.encode_failed += 1;
                self.sender.skip(ticks);
            }
        }
        self.pending.copy_within(samples..self.pending_len, 0);
        self.pending_len -= samples;
        self.pending_ns = self.pending_ns.saturating_add(samples_to_ns(samples, self.config.sample_rate));
    }

    fn count(&mut self, outcome: SendOutcome, octets: usize, sent_ns: u64) {
        match outcome {
            SendOutcome::Sent => {
                self.meters.packets_sent += 1;
                self.meters.octets_sent += octets as u64;
                self.meters.first_packet_ns.get_or_insert(sent_ns);
            }
            SendOutcome::WouldBlock => self.meters.would_block += 1,
            SendOutcome::Refused => self.meters.refused += 1,
            SendOutcome::Failed => self.meters.failed += 1,
        }
    }

    /// Time goes by without packets: what is pending is dropped, the timestamp moves on by it and by `samples`.
    fn pass_unsent(&mut self, samples: usize) {
        let samples = samples + std::mem::take(&mut self.pending_len);
        if let Some(format) = &self.format
            && self.meters.first_packet_ns.is_some()
            && samples > 0
        {
            self.sender.skip(format.encoder.kind().samples_to_ticks(samples));
            self.is_resuming = true;
        }
    }

    fn publish(&mut self) {
        self.meters.blocks += 1;
        self.meters.commands = self.orders.taken;
        self.meters.sender = self.sender.stats();
        self.shared.publish_tx(&self.meters);
    }
}

impl std::fmt::Debug for TxProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TxProcessor").field("meters", &self.meters).finish_non_exhaustive()
    }
}

fn sender_config(identity: SenderIdentity, payload_type: u8, clock_rate: u32) -> SenderConfig {
    SenderConfig {
        ssrc: identity.ssrc,
        first_sequence_number: identity.first_sequence_number,
        first_timestamp: identity.first_timestamp,
        payload_type,
        clock_rate,
    }
}
