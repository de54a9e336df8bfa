//! The receiving half: datagrams are read, judged and queued, and the next block of sound is pulled.
//! In: the time, an empty block, commands. Out: sound for the speaker and the sinks, meters, retired objects.
//!
//! ```text
//! PacketRx ─▶ peer? ─▶ RtpReceiver (reception.rs) ─┬▶ Playout ─▶ pull ─▶ rate ─▶ seam, fade ─┬─ gain ─▶ sinks
//!            strangers                             ├▶ tap                                    └─ gain ─┬─▶ speaker
//!            dropped                               └▶ events ─▶ control                               └─▶ tap
//! ```
//!
//! What is played is joined without a step where a start or another playout cuts it, and fades within 5 ms at a stop.
//! Not here: who plays (the driver), whose packets are believed (`reception.rs`), what playout decides
//! (`offhook-jitter`), RTCP (control).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::sync::Arc;

use offhook_codecs::{Decoder, LevelMeter};
use offhook_rtp::{PayloadTypes, ReceivedEvent};

use crate::command::{CommandReceiver, RxCommand, RxFormat, RxOrder};
use crate::config::{EngineConfig, ms_to_samples, samples_to_ns};
use crate::meters::{Meters, RxMeters};
use crate::rt::gain::{Gain, Ramp};
use crate::rt::handover::Next;
use crate::rt::log::{Log, LogEvent, LogRecord};
use crate::rt::node::Sink;
use crate::rt::orders::Orders;
use crate::rt::outlet::Outlet;
use crate::rt::packet::{PacketRx, Received};
use crate::rt::packet_tap::PacketTap;
use crate::rt::reception::Reception;
use crate::rt::seam::Seam;
use crate::rt::sinks::Sinks;
use crate::sync::Producer;
use crate::trash::{Trash, TrashBin};

/// Strangers' datagrams that are dropped in one block for each packet that may be read: dropping one costs little, and
/// a flood of them must not keep the peer's packets waiting in the socket. Those of a port that would yield to a better
/// one are counted with them, admitted or not.
const STRANGERS_A_PACKET: usize = 8;

/// The receiving half of an engine. Belongs to the playback callback, or to a ticker.
///
/// Dropping it frees memory and closes its transport: not to be done in a callback.
pub struct RxProcessor {
    orders: Orders<RxOrder>,
    shared: Arc<Meters>,
    meters: RxMeters,
    level: LevelMeter,
    level_samples: usize,
    config: EngineConfig,

    speaker: Ramp,
    speaker_tap: Option<Box<dyn Sink>>,
    sinks: Sinks,
    seam: Seam,
    fade: Ramp,
    is_stopping: bool,
    transport: Option<Box<dyn PacketRx>>,
    format: Option<Box<RxFormat>>,
    /// What takes over with its first packet.
    next: Option<Next>,
    /// What was to take over and will not.
    obsolete: Option<Trash>,
    packet_tap: Option<Box<PacketTap>>,
    has_started: bool,
    reception: Reception,
    log: Log,

    datagram: Box<[u8]>,
    scratch: Box<[i16]>,
}

impl RxProcessor {
    pub(crate) fn new(
        config: EngineConfig,
        orders: CommandReceiver<RxOrder>,
        trash: TrashBin,
        shared: Arc<Meters>,
        events: Producer<ReceivedEvent>,
        log: Producer<LogRecord>,
    ) -> RxProcessor {
        RxProcessor {
            orders: Orders::new(orders, trash, config.commands_per_block),
            shared,
            meters: RxMeters::default(),
            level: LevelMeter::new(),
            level_samples: 0,
            config,
            speaker: Ramp::new(Gain::UNITY),
            speaker_tap: None,
            sinks: Sinks::new(&config),
            seam: Seam::new(config.sample_rate),
            fade: Ramp::new(Gain::UNITY),
            is_stopping: false,
            transport: None,
            format: None,
            next: None,
            obsolete: None,
            packet_tap: None,
            has_started: false,
            reception: Reception::new(&config, events),
            log: Log::new(log),
            datagram: vec![0; config.max_datagram].into(),
            scratch: vec![0; config.max_block].into(),
        }
    }

    /// Reads what has arrived and fills a block of any length, the first sample of which will be heard at `now_ns`.
    ///
    /// While the half is stopped or has no format, the block is silence.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process(&mut self, now_ns: u64, speaker: &mut [i16]) {
        self.obey(now_ns);
        self.read();
        self.reception.deliver_events(now_ns);
        for (n, block) in speaker.chunks_mut(self.config.max_block).enumerate() {
            let at = samples_to_ns(n * self.config.max_block, self.config.sample_rate);
            let at_ns = now_ns.saturating_add(at);
            self.block(at_ns, block);
            if let Some(tap) = &mut self.speaker_tap {
                tap.write(at_ns, block);
            }
        }
        self.publish(now_ns);
    }

    /// Like [`Self::process`] with `samples` samples of a driver that has no speaker: only the sinks hear.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process_without_output(&mut self, now_ns: u64, samples: usize) {
        self.obey(now_ns);
        self.read();
        self.reception.deliver_events(now_ns);
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
        self.publish(now_ns);
    }

    /// The rate that blocks have, Hz.
    pub fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn obey(&mut self, now_ns: u64) {
        self.orders.begin();
        loop {
            // An order retires one object at most; what another left over goes first.
            if self.obsolete.is_some() && self.orders.has_room() {
                let obsolete = self.obsolete.take();
                self.orders.retire(obsolete);
            }
            let Some(order) = self.orders.next() else { break };
            let retired = self.carry_out(order);
            self.orders.retire(retired);
        }
        if self.orders.begin_to_stall() {
            self.log.write(now_ns, LogEvent::RxStalls);
        }
    }

    /// Carries out one order; what it retires.
    fn carry_out(&mut self, order: RxOrder) -> Option<Trash> {
        match order {
            RxOrder::AddSink(id, sink, meter) => self.sinks.add(id, sink, meter),
            RxOrder::RemoveSink(id) => self.sinks.remove(id),
            RxOrder::Command(command) => self.carry_out_command(command),
        }
    }

    fn carry_out_command(&mut self, command: RxCommand) -> Option<Trash> {
        match command {
            RxCommand::SetTransport(transport) => self.transport.replace(transport).map(Trash::PacketRx),
            RxCommand::ClearTransport => self.transport.take().map(Trash::PacketRx),
            RxCommand::SetPeer(peer) => {
                self.reception.set_peer(peer);
                None
            }
            RxCommand::SetFormat(format) if !format.fits(self.config.sample_rate) => {
                self.meters.formats_refused += 1;
                Some(Trash::RxFormat(format))
            }
            RxCommand::SetFormat(format) => self.take_over_now(Next::Format(format)),
            RxCommand::SetDecoder(decoder, payload_types) => {
                self.take_over_now(Next::Decoder(decoder, payload_types))
            }
            RxCommand::ExpectFormat(format) if !format.fits(self.config.sample_rate) => {
                self.meters.formats_refused += 1;
                Some(Trash::RxFormat(format))
            }
            RxCommand::ExpectFormat(format) => self.expect(Next::Format(format)),
            RxCommand::ExpectDecoder(decoder, payload_types) => {
                self.expect(Next::Decoder(decoder, payload_types))
            }
            RxCommand::SetOwnSsrc(ssrc) => {
                self.reception.set_own_ssrc(ssrc);
                None
            }
            RxCommand::SetEventPayloadType(payload_type) => {
                self.reception.set_event_payload_type(payload_type);
                None
            }
            RxCommand::SetRedundancyPayloadType(payload_type) => {
                self.reception.set_redundancy_payload_type(payload_type);
                None
            }
            RxCommand::ExpectSourceChange => {
                self.reception.expect_change();
                // Another source begins with what was agreed with it.
                self.next.take().and_then(|next| self.take_over(next))
            }
            RxCommand::SetSpeaker(gain) => {
                self.speaker.set(gain, self.config.sample_rate);
                None
            }
            RxCommand::SetSinkGain(id, gain) => {
                self.sinks.set_gain(id, gain);
                None
            }
            RxCommand::SetSpeakerTap(tap) => self.speaker_tap.replace(tap).map(Trash::Tap),
            RxCommand::ClearSpeakerTap => self.speaker_tap.take().map(Trash::Tap),
            RxCommand::SetPacketTap(tap) => self.packet_tap.replace(tap).map(Trash::PacketTap),
            RxCommand::ClearPacketTap => self.packet_tap.take().map(Trash::PacketTap),
            RxCommand::Start => {
                if !self.meters.is_active {
                    self.meters.is_active = true;
                    self.seam.cut();
                }
                if std::mem::take(&mut self.is_stopping) {
                    self.fade.set(Gain::UNITY, self.config.sample_rate);
                }
                self.has_started = true;
                None
            }
            RxCommand::Stop => {
                if self.meters.is_active && self.format.is_some() && !self.seam.is_silent() {
                    self.is_stopping = true;
                    self.fade.set(Gain::MUTE, self.config.sample_rate);
                } else {
                    self.stand_still();
                }
                None
            }
        }
    }

    /// The end of a stop.
    fn stand_still(&mut self) {
        self.meters.is_active = false;
        self.is_stopping = false;
        self.fade = Ramp::new(Gain::UNITY);
        self.seam.silence();
    }

    /// Plays another format, or with another decoder, from now on, whatever was expected; what it retires.
    fn take_over_now(&mut self, next: Next) -> Option<Trash> {
        self.obsolete = self.next.take().map(Next::into_trash);
        self.take_over(next)
    }

    /// Plays it when its first packet is here; what it retires.
    fn expect(&mut self, next: Next) -> Option<Trash> {
        let next = match (next, &mut self.next) {
            (Next::Decoder(decoder, payload_types), Some(Next::Format(format))) => {
                let retired = set_decoder(format, decoder, payload_types);
                self.meters.formats_refused += u64::from(retired.is_err());
                self.agree();
                return Some(Trash::Decoder(retired.unwrap_or_else(|unfit| unfit)));
            }
            (next, _) => next,
        };
        if !next.suits(self.format.as_deref()) {
            self.meters.formats_refused += 1;
            return Some(next.into_trash());
        }
        let is_heard = self.meters.is_active && self.reception.stats().ssrc.is_some();
        let before = self.format.as_ref().filter(|_| is_heard);
        if before.is_none_or(|format| format.payload_types.intersects(next.sound())) {
            return self.take_over_now(next);
        }
        let retired = self.next.replace(next).map(Next::into_trash);
        self.agree();
        retired
    }

    /// The retired format or decoder: the old one, or the new one if it does not fit.
    fn take_over(&mut self, next: Next) -> Option<Trash> {
        let retired = match (next, &mut self.format) {
            (Next::Format(format), before) => {
                self.seam.cut();
                before.replace(format).map(Trash::RxFormat)
            }
            (Next::Decoder(decoder, payload_types), Some(format)) => {
                let retired = set_decoder(format, decoder, payload_types);
                self.meters.formats_refused += u64::from(retired.is_err());
                Some(Trash::Decoder(retired.unwrap_or_else(|unfit| unfit)))
            }
            (Next::Decoder(decoder, _), None) => Some(Trash::Decoder(decoder)),
        };
        self.agree();
        retired
    }

    /// Which payload types are taken, by what plays and what is expected to.
    fn agree(&mut self) {
        let Some(format) = &self.format else { return };
        let expected = self.next.as_ref().map_or(PayloadTypes::NONE, Next::all);
        self.reception.set_format(format.all_payload_types().union(expected), format.clock_rate);
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
            let (is_admitted, is_of_the_peer) = self.reception.admit(received.source, received.arrival_ns);
            if is_of_the_peer {
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
            self.reception.hear(source, arrival_ns);
            return;
        };
        let Some(datagram) = self.datagram.get(..len) else {
            self.meters.oversized += 1;
            return;
        };
        if let Some(next) = &self.next
            && self.reception.is_of(datagram, next.sound())
            && self.orders.has_room()
            && let Some(next) = self.next.take()
        {
            let retired = self.take_over(next);
            self.orders.retire(retired);
            return self.judge(received);
        }
        let (sound, noise) = (format.payload_types, format.comfort_noise);
        let tap = self.packet_tap.as_deref_mut();
        let outlet = Outlet { playout: &mut format.playout, sound, noise, tap };
        self.reception.judge(source, arrival_ns, datagram, outlet);
    }

    /// One block of at most `max_block` samples.
    fn block(&mut self, played_ns: u64, block: &mut [i16]) {
        let Some(format) = self.format.as_mut().filter(|_| self.meters.is_active) else {
            block.fill(0);
            return;
        };
        if pull(format, played_ns, block) > 0 {
            self.meters.first_sound_ns.get_or_insert(played_ns);
        }
        self.seam.join(block);
        self.fade.apply(block);
        self.sinks.write(played_ns, block);
        self.level.push(block);
        self.level_samples += block.len();
        if self.level_samples >= ms_to_samples(self.config.meter_ms, self.config.sample_rate) {
            self.meters.level = self.level.take();
            self.sinks.tell_levels(self.meters.level);
            self.level_samples = 0;
        }
        self.speaker.apply(block);
        if self.is_stopping && self.fade.is_mute() {
            self.stand_still();
        }
    }

    /// Records what is other than after the block before.
    fn log_changes(&mut self, now_ns: u64) {
        let (peer, source) = (self.reception.peer(), self.reception.stats().ssrc);
        if let Some(address) = peer.filter(|_| peer != self.meters.peer) {
            self.log.write(now_ns, LogEvent::Peer(address));
        }
        if let Some(ssrc) = source.filter(|_| source != self.meters.receiver.ssrc) {
            self.log.write(now_ns, LogEvent::Source(ssrc));
        }
    }

    fn publish(&mut self, now_ns: u64) {
        self.log_changes(now_ns);
        self.meters.blocks += 1;
        self.meters.commands = self.orders.taken();
        self.meters.trash_stalls = self.orders.stalls();
        self.meters.receiver = self.reception.stats();
        self.meters.peer = self.reception.peer();
        (self.meters.events, self.meters.events_lost) = self.reception.event_counts();
        self.meters.redundancy_malformed = self.reception.redundancy_malformed();
        self.meters.first_packet_ns = self.reception.first_packet_ns();
        if let Some(format) = &self.format {
            self.meters.playout = format.playout.stats();
        }
        self.shared.publish_rx(&self.meters);
    }
}

/// Another decoder and its payload types; the old one, or the new one if it does not fit.
fn set_decoder(
    format: &mut RxFormat,
    decoder: Box<dyn Decoder + Send>,
    payload_types: PayloadTypes,
) -> Result<Box<dyn Decoder + Send>, Box<dyn Decoder + Send>> {
    let old = format.playout.set_decoder(decoder)?;
    format.payload_types = payload_types;
    Ok(old)
}

/// Fills a block at the engine's rate; how many samples of it, at the codec's, came from packets.
fn pull(format: &mut RxFormat, played_ns: u64, block: &mut [i16]) -> u32 {
    let RxFormat { playout, resampler, .. } = format;
    let Some(resampler) = resampler else { return playout.pull(played_ns, block).decoded };
    let rate = resampler.input_rate();
    let (mut decoded, mut asked) = (0, 0);
    resampler.pull(block, |input| {
        let at_ns = played_ns.saturating_add(samples_to_ns(asked, rate));
        decoded += playout.pull(at_ns, input).decoded;
        asked += input.len();
    });
    decoded
}

impl std::fmt::Debug for RxProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RxProcessor").field("meters", &self.meters).finish_non_exhaustive()
    }
}
