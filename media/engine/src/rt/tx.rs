//! The sending half: microphone and sources are mixed, cut into packets, encoded and sent within one call.
//! In: blocks of captured samples with their capture time; commands. Out: datagrams, meters, retired objects.
//!
//! ```text
//! microphone ─┬─ gain ─▶ sum (sources.rs) ─▶ seam, fade ─▶ rate ─▶ pending ─ a packet ─▶ encoder ─┐
//!            tap                                 comfort noise, or nothing, in a pause ───────────┤
//! events (events.rs: digits, in place of sound while they last) ──────────────────────────────────┤
//! injector (the application's own packets, in place of all that) ─────────────────────────────────┴▶ PacketTx, tap
//! ```
//!
//! A start is joined to the silence before it; a stop in the middle of sound fades within 5 ms and ends with the packet
//! that holds the fade.
//! Not here: who captures (the driver), where packets go (`PacketTx`), RTCP (control).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::sync::Arc;

use offhook_codecs::{CodecError, LevelMeter, Resampler, Transmission};
use offhook_rtp::{RtpHeader, RtpSender, RtpView, SenderConfig};

use crate::command::{CommandReceiver, TxCommand, TxFormat, TxOrder};
use crate::config::{EngineConfig, SenderIdentity, ms_to_samples, samples_to_ns};
use crate::meters::{Meters, TxMeters};
use crate::rt::events::EventPlayer;
use crate::rt::gain::{Gain, Ramp};
use crate::rt::log::{Log, LogEvent, LogRecord};
use crate::rt::node::Sink;
use crate::rt::orders::Orders;
use crate::rt::packet::{PacketTx, SendOutcome};
use crate::rt::packet_tap::{PacketInjector, PacketTap};
use crate::rt::seam::Seam;
use crate::rt::sources::Sources;
use crate::sync::Producer;
use crate::trash::{Trash, TrashBin};

/// The sending half of an engine. Belongs to the capture callback, or to a ticker.
///
/// Dropping it frees memory and closes its transport: not to be done in a callback.
pub struct TxProcessor {
    orders: Orders<TxOrder>,
    shared: Arc<Meters>,
    meters: TxMeters,
    level: LevelMeter,
    level_samples: usize,
    config: EngineConfig,

    microphone: Ramp,
    microphone_tap: Option<Box<dyn Sink>>,
    sources: Sources,
    seam: Seam,
    fade: Ramp,
    is_stopping: bool,
    /// Samples that were mute at the end of a stop: what the resampler holds back is heard within them.
    muted: usize,
    transport: Option<Box<dyn PacketTx>>,
    format: Option<Box<TxFormat>>,
    sender: RtpSender,
    events: EventPlayer,
    packet_tap: Option<Box<PacketTap>>,
    injector: Option<Box<PacketInjector>>,
    log: Log,
    /// What became of the last packet.
    last_outcome: SendOutcome,
    /// Samples that went by since the last packet that was injected.
    uninjected: usize,
    /// Samples that passed unsent since the last packet: the next one has the marker bit.
    is_resuming: bool,
    /// Parts of a tick of the RTP clock that went by unsent, in samples times the clock rate.
    unsent_part: u64,

    /// A block at the engine's rate.
    scratch: Box<[i16]>,
    /// What waits for its packet, at the codec's rate.
    pending: Box<[i16]>,
    pending_len: usize,
    /// Capture time of the first pending sample.
    pending_ns: u64,
    packet: Box<[u8]>,
}

impl TxProcessor {
    pub(crate) fn new(
        config: EngineConfig,
        orders: CommandReceiver<TxOrder>,
        trash: TrashBin,
        shared: Arc<Meters>,
        log: Producer<LogRecord>,
    ) -> TxProcessor {
        let pending = ms_to_samples(config.max_packet_ms, config.sample_rate).max(1);
        TxProcessor {
            orders: Orders::new(orders, trash, config.commands_per_block),
            shared,
            meters: TxMeters::default(),
            level: LevelMeter::new(),
            level_samples: 0,
            config,
            microphone: Ramp::new(Gain::UNITY),
            microphone_tap: None,
            sources: Sources::new(&config),
            seam: Seam::new(config.sample_rate),
            fade: Ramp::new(Gain::UNITY),
            is_stopping: false,
            muted: 0,
            transport: None,
            format: None,
            sender: RtpSender::new(sender_config(config.sender, 0, config.sample_rate)),
            events: EventPlayer::new(),
            packet_tap: None,
            injector: None,
            log: Log::new(log),
            last_outcome: SendOutcome::Sent,
            uninjected: 0,
            is_resuming: false,
            unsent_part: 0,
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
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process(&mut self, captured_ns: u64, microphone: &[i16]) {
        self.obey(captured_ns);
        let rate = self.config.sample_rate;
        for (n, block) in microphone.chunks(self.config.max_block).enumerate() {
            let at_ns = captured_ns.saturating_add(samples_to_ns(n * self.config.max_block, rate));
            if let Some(tap) = &mut self.microphone_tap {
                tap.write(at_ns, block);
            }
            self.block(at_ns, Some(block), block.len());
        }
        self.publish();
    }

    /// Like [`Self::process`] with `samples` samples of a driver that has no microphone: only the sources are heard.
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn process_without_input(&mut self, captured_ns: u64, samples: usize) {
        self.obey(captured_ns);
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
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    pub fn skip(&mut self, samples: usize) {
        self.meters.samples_skipped = self.meters.samples_skipped.saturating_add(samples as u64);
        self.pass_unsent(samples);
        self.publish();
    }

    /// The rate that blocks must have, Hz.
    pub fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn obey(&mut self, now_ns: u64) {
        self.orders.begin();
        while let Some(order) = self.orders.next() {
            let retired = self.carry_out(order);
            self.orders.retire(retired);
        }
        if self.orders.begin_to_stall() {
            self.log.write(now_ns, LogEvent::TxStalls);
        }
    }

    /// Carries out one order; what it retires.
    fn carry_out(&mut self, order: TxOrder) -> Option<Trash> {
        match order {
            TxOrder::AddSource(id, source, gain, meter) => self.sources.add(id, source, gain, meter),
            TxOrder::RemoveSource(id) => self.sources.remove(id, self.meters.is_active),
            TxOrder::Command(command) => self.carry_out_command(command),
        }
    }

    fn carry_out_command(&mut self, command: TxCommand) -> Option<Trash> {
        match command {
            TxCommand::SetTransport(transport) => self.transport.replace(transport).map(Trash::PacketTx),
            TxCommand::ClearTransport => {
                if self.is_stopping {
                    // The fade has nowhere to go.
                    self.stand_still();
                }
                self.transport.take().map(Trash::PacketTx)
            }
            TxCommand::SetRemote(remote) => {
                if let Some(transport) = &mut self.transport {
                    transport.set_remote(remote);
                }
                None
            }
            TxCommand::SetFormat(format) => self.set_format(format),
            TxCommand::Restart(identity) => {
                let payload_type = self.format.as_ref().map_or(0, |format| format.payload_type);
                let clock_rate = self.sender.stats().clock_rate;
                self.sender.restart(sender_config(identity, payload_type, clock_rate));
                self.events.reset();
                // Timestamps begin anew: how far back a copy lies could not be told.
                if let Some(redundancy) = self.format.as_mut().and_then(|format| format.redundancy.as_mut()) {
                    redundancy.forget();
                }
                None
            }
            TxCommand::PlayEvents(events) => {
                self.events.play(&events);
                Some(Trash::TxEvents(events))
            }
            TxCommand::CancelEvents => {
                self.events.cancel();
                None
            }
            TxCommand::SetMicrophone(gain) => {
                self.microphone.set(gain, self.config.sample_rate);
                None
            }
            TxCommand::SetSourceGain(id, gain) => {
                self.sources.set_gain(id, gain);
                None
            }
            TxCommand::SetMicrophoneTap(tap) => self.microphone_tap.replace(tap).map(Trash::Tap),
            TxCommand::ClearMicrophoneTap => self.microphone_tap.take().map(Trash::Tap),
            TxCommand::SetPacketTap(tap) => self.packet_tap.replace(tap).map(Trash::PacketTap),
            TxCommand::ClearPacketTap => self.packet_tap.take().map(Trash::PacketTap),
            TxCommand::SetPacketInjector(injector) => {
                if self.is_stopping {
                    // Nobody mixes the fade any more.
                    self.stand_still();
                }
                self.pass_unsent(0);
                self.uninjected = 0;
                self.injector.replace(injector).map(Trash::PacketInjector)
            }
            TxCommand::ClearPacketInjector => self.leave_injection(),
            TxCommand::Start => {
                if !self.meters.is_active {
                    self.meters.is_active = true;
                    self.seam.cut();
                }
                if std::mem::take(&mut self.is_stopping) {
                    self.fade.set(Gain::UNITY, self.config.sample_rate);
                }
                None
            }
            TxCommand::Stop => {
                let is_heard = self.meters.is_active
                    && self.format.is_some()
                    && self.transport.is_some()
                    && self.injector.is_none()
                    && !(self.seam.is_silent() && self.is_pending_silent());
                if is_heard {
                    self.is_stopping = true;
                    self.fade.set(Gain::MUTE, self.config.sample_rate);
                } else {
                    self.stand_still();
                }
                None
            }
        }
    }

    /// Sends another format from now on; what it retires.
    fn set_format(&mut self, mut format: Box<TxFormat>) -> Option<Trash> {
        if !format.fits(self.config.sample_rate) {
            self.meters.formats_refused += 1;
            return Some(Trash::TxFormat(format));
        }
        let kind = format.kind();
        match &mut self.format {
            // The same samples wait for another encoder, and the same filter goes on.
            Some(before) if before.kind().sample_rate() == kind.sample_rate() => {
                std::mem::swap(&mut before.resampler, &mut format.resampler);
            }
            Some(_) => self.pass_unsent(0),
            None => {}
        }
        if kind.clock_rate() != self.sender.stats().clock_rate {
            self.events.reset();
            self.unsent_part = 0;
        }
        self.sender.set_format(format.payload_type, kind.clock_rate());
        self.format.replace(format).map(Trash::TxFormat)
    }

    /// Whether dropping what waits for its packet drops nothing but zeros.
    fn is_pending_silent(&self) -> bool {
        self.pending.iter().take(self.pending_len).all(|sample| *sample == 0)
    }

    /// The end of a stop.
    fn stand_still(&mut self) {
        self.meters.is_active = false;
        self.is_stopping = false;
        self.muted = 0;
        self.fade = Ramp::new(Gain::UNITY);
        self.seam.silence();
        self.events.reset();
        if let Some(resampler) = self.format.as_mut().and_then(|format| format.resampler.as_mut()) {
            resampler.reset();
        }
        self.pass_unsent(0);
    }

    /// One block of at most `max_block` samples.
    fn block(&mut self, captured_ns: u64, microphone: Option<&[i16]>, len: usize) {
        if !self.meters.is_active {
            return self.pass_unsent(len);
        }
        if self.injector.is_some() {
            return self.inject(captured_ns, len);
        }
        if self.format.is_none() {
            return self.pass_unsent(len);
        }
        let delay = self.resampler_delay();
        let Some(mixed) = self.scratch.get_mut(..len) else { return };
        self.sources.mix(captured_ns, microphone, &mut self.microphone, mixed);
        self.seam.join(mixed);
        self.muted = if self.is_stopping && self.fade.is_mute() { self.muted.saturating_add(len) } else { 0 };
        let has_faded = self.muted > delay;
        self.fade.apply(mixed);
        self.meters.samples += len as u64;
        self.measure(len);

        let mut from = 0;
        while from < len {
            if self.is_stopping && self.pending_len == 0 && has_faded {
                self.stand_still();
                return self.pass_unsent(len - from);
            }
            let packet = self.packet_samples();
            // A shorter packet was agreed while samples waited for a longer one: send what is complete.
            if self.pending_len >= packet {
                self.send(packet);
                continue;
            }
            from += self.take_in(captured_ns, from, len, packet);
            if self.pending_len >= packet {
                self.send(packet);
            }
        }
        // Nothing is held back without a resampler: the packet that holds the fade was the last.
        let is_over = has_faded || (self.fade.is_mute() && delay == 0);
        if self.is_stopping && self.pending_len == 0 && is_over {
            self.stand_still();
        }
    }

    /// Moves samples of the block, from the one at `from` on, to those that wait for their packet, as many as it has room
    /// for; how many.
    fn take_in(&mut self, captured_ns: u64, from: usize, len: usize, packet: usize) -> usize {
        let Some(format) = &mut self.format else { return len };
        let rate = self.config.sample_rate;
        let block = self.scratch.get(from..len).unwrap_or_default();
        let room = self.pending.get_mut(self.pending_len..packet).unwrap_or_default();
        if self.pending_len == 0 {
            let delay_ns = format.resampler.as_ref().map_or(0, Resampler::delay_ns);
            let at_ns = captured_ns.saturating_add(samples_to_ns(from, rate));
            self.pending_ns = at_ns.saturating_sub(delay_ns);
        }
        let (taken, given) = match &mut format.resampler {
            Some(resampler) => {
                let done = resampler.process(block, room);
                (done.consumed, done.produced)
            }
            None => {
                room.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
                let count = room.len().min(block.len());
                (count, count)
            }
        };
        self.pending_len += given;
        // A block that is neither taken nor becomes anything would never end; it cannot be.
        if taken + given == 0 { len } else { taken }
    }

    /// Samples, at the engine's rate, that the resampler holds back.
    fn resampler_delay(&self) -> usize {
        let resampler = self.format.as_ref().and_then(|format| format.resampler.as_ref());
        let delay_ns = resampler.map_or(0, Resampler::delay_ns);
        (delay_ns.saturating_mul(u64::from(self.config.sample_rate)) / 1_000_000_000) as usize
    }

    fn measure(&mut self, len: usize) {
        self.level.push(self.scratch.get(..len).unwrap_or_default());
        self.level_samples += len;
        if self.level_samples >= ms_to_samples(self.config.meter_ms, self.config.sample_rate) {
            self.meters.level = self.level.take();
            self.sources.tell_levels(self.meters.level);
            self.level_samples = 0;
        }
    }

    /// Samples in a packet, within what the buffers hold: whole frames.
    fn packet_samples(&self) -> usize {
        let Some(format) = &self.format else { return 1 };
        let most = self.pending.len().max(1);
        if format.packet_samples <= most {
            return format.packet_samples.max(1);
        }
        let frame = format.kind().frame_samples().max(1);
        (most / frame * frame).clamp(1, most)
    }

    /// The rate of samples that wait for their packet, Hz.
    fn codec_rate(&self) -> u32 {
        self.format.as_ref().map_or(self.config.sample_rate, |format| format.kind().sample_rate())
    }

    /// Ticks of the RTP clock in so many samples of the engine's; what is left over counts the next time.
    fn ticks(&mut self, samples: usize) -> u32 {
        let Some(format) = &self.format else { return 0 };
        let rate = u64::from(self.config.sample_rate.max(1));
        let parts = (samples as u64).saturating_mul(u64::from(format.kind().clock_rate()));
        let parts = parts.saturating_add(self.unsent_part);
        self.unsent_part = parts % rate;
        // RTP's timestamp wraps.
        (parts / rate) as u32
    }

    /// Sends the first `samples` pending samples as one packet, or the events that take their place.
    fn send(&mut self, samples: usize) {
        let Some(ticks) = self.format.as_ref().map(|format| format.encoder.kind().samples_to_ticks(samples))
        else {
            return;
        };
        if self.send_events(ticks, samples) {
            self.sender.skip(ticks);
            self.is_resuming = true;
        } else {
            self.send_sound(ticks, samples);
        }
        self.pending.copy_within(samples..self.pending_len, 0);
        self.pending_len -= samples;
        self.pending_ns = self.pending_ns.saturating_add(samples_to_ns(samples, self.codec_rate()));
    }

    /// Sends what events have to say of a packet time; whether sound keeps silent in it.
    fn send_events(&mut self, ticks: u32, samples: usize) -> bool {
        let is_silent = self.events.tick(self.sender.next_timestamp(), ticks);
        while let Some((payload_type, event)) = self.events.next() {
            match self.sender.packetize_event(payload_type, &event, &mut self.packet) {
                Ok(len) => {
                    self.meters.event_packets += 1;
                    let lasts_ns = samples_to_ns(samples, self.codec_rate());
                    let sent_ns = self.pending_ns.saturating_add(lasts_ns);
                    self.emit(len, event.payload.len(), self.pending_ns, sent_ns);
                }
                Err(_) => self.meters.encode_failed += 1,
            }
        }
        is_silent
    }

    fn send_sound(&mut self, ticks: u32, samples: usize) {
        let Some(format) = &mut self.format else { return };
        let pcm = self.pending.get(..samples).unwrap_or_default();
        let body = self.packet.get_mut(RtpHeader::LEN..).unwrap_or_default();
        if let Some((transmission, payload_type)) = &mut format.comfort_noise {
            match transmission.decide(pcm) {
                Transmission::Speech { .. } => {}
                Transmission::Describe => {
                    let described = transmission.describe(body);
                    let payload_type = *payload_type;
                    return self.send_noise(described, payload_type, ticks, samples);
                }
                Transmission::Nothing => {
                    self.sender.skip(ticks);
                    self.is_resuming = true;
                    return;
                }
            }
        }
        let encoded = format.encoder.encode(pcm, body);
        match encoded {
            Ok(0) => {
                // The encoder keeps silent (discontinuous transmission).
                self.sender.skip(ticks);
                self.is_resuming = true;
            }
            Ok(octets) => {
                let marker = std::mem::take(&mut self.is_resuming) && self.meters.first_packet_ns.is_some();
                let (octets, payload_type) = self.with_copies(octets, marker);
                let packet = self.under(payload_type, octets, ticks, marker);
                match packet {
                    Some(len) => {
                        let lasts_ns = samples_to_ns(samples, self.codec_rate());
                        self.emit(len, octets, self.pending_ns, self.pending_ns.saturating_add(lasts_ns));
                    }
                    None => self.meters.encode_failed += 1,
                }
            }
            Err(_) => {
                self.meters.encode_failed += 1;
                self.sender.skip(ticks);
            }
        }
    }

    /// Puts copies of the packets before into the payload of `octets` in the packet buffer, if they are agreed; octets and
    /// payload type of what it is then. What follows a pause has none.
    fn with_copies(&mut self, octets: usize, is_resuming: bool) -> (usize, u8) {
        let Some(format) = &mut self.format else { return (octets, 0) };
        let plain = (octets, format.payload_type);
        let Some(redundancy) = &mut format.redundancy else { return plain };
        if is_resuming {
            redundancy.forget();
        }
        let room = self.packet.get_mut(RtpHeader::LEN..).unwrap_or_default();
        let wrapped = redundancy.wrap(self.sender.next_timestamp(), format.payload_type, octets, room);
        wrapped.map_or(plain, |octets| (octets, redundancy.payload_type()))
    }

    /// Numbers and stamps the payload in the packet buffer under another payload type than sound's, or the same; the
    /// packet's length.
    fn under(&mut self, payload_type: u8, octets: usize, ticks: u32, marker: bool) -> Option<usize> {
        let clock_rate = self.sender.stats().clock_rate;
        let sound = self.format.as_ref().map_or(payload_type, |format| format.payload_type);
        self.sender.set_format(payload_type, clock_rate);
        let packet = self.sender.packetize_in_place(octets, ticks, marker, self.pending_ns, &mut self.packet);
        self.sender.set_format(sound, clock_rate);
        packet.ok()
    }

    /// Sends a description of noise that is in the packet buffer, in place of sound.
    fn send_noise(
        &mut self,
        described: Result<usize, CodecError>,
        payload_type: u8,
        ticks: u32,
        samples: usize,
    ) {
        self.is_resuming = true;
        let packet =
            described.ok().and_then(|octets| Some((self.under(payload_type, octets, ticks, false)?, octets)));
        match packet {
            Some((len, octets)) => {
                self.meters.noise_packets += 1;
                let lasts_ns = samples_to_ns(samples, self.codec_rate());
                self.emit(len, octets, self.pending_ns, self.pending_ns.saturating_add(lasts_ns));
            }
            None => {
                self.meters.encode_failed += 1;
                self.sender.skip(ticks);
            }
        }
    }

    /// Sends the application's own packets, a bounded number, in place of `len` samples of sound.
    fn inject(&mut self, captured_ns: u64, len: usize) {
        for _ in 0..self.config.packets_per_block {
            let Some(injector) = &mut self.injector else { return };
            let Some(taken) = injector.next(&mut self.packet) else { break };
            let checked = self.packet.get(..taken).and_then(|bytes| RtpView::parse(bytes).ok());
            let Some(view) = checked else {
                self.meters.inject_failed += 1;
                continue;
            };
            let (marker, timestamp, payload_type) = (view.marker(), view.timestamp(), view.payload_type());
            let (from, octets) = (view.header_len(), view.payload().len());
            let ahead =
                injector.last_timestamp.replace(timestamp).map(|before| timestamp.wrapping_sub(before));
            // The first one follows what was sent before by as much as time went by.
            let ahead = ahead.unwrap_or_else(|| self.ticks(self.uninjected));
            self.sender.skip(ahead);
            self.uninjected = 0;
            // Contributing sources and an extension, if there are any, make room for our header.
            self.packet.copy_within(from..from + octets, RtpHeader::LEN);
            let clock_rate = self.sender.stats().clock_rate;
            self.sender.set_format(payload_type, clock_rate);
            match self.sender.packetize_in_place(octets, 0, marker, captured_ns, &mut self.packet) {
                Ok(len) => {
                    self.meters.packets_injected += 1;
                    self.emit(len, octets, captured_ns, captured_ns);
                }
                Err(_) => self.meters.inject_failed += 1,
            }
        }
        self.uninjected = self.uninjected.saturating_add(len);
    }

    /// Back to sound; the retired injector.
    fn leave_injection(&mut self) -> Option<Trash> {
        let injector = self.injector.take()?;
        if let Some(format) = &self.format {
            self.sender.set_format(format.payload_type, format.encoder.kind().clock_rate());
            let uninjected = std::mem::take(&mut self.uninjected);
            let ticks = self.ticks(uninjected);
            self.sender.skip(ticks);
        }
        self.is_resuming = true;
        self.seam.silence();
        self.seam.cut();
        Some(Trash::PacketInjector(injector))
    }

    /// Hands the first `len` octets of the packet buffer out.
    fn emit(&mut self, len: usize, octets: usize, captured_ns: u64, sent_ns: u64) {
        let Some(packet) = self.packet.get(..len) else { return };
        if let Some(tap) = &mut self.packet_tap {
            tap.take(captured_ns, packet);
        }
        let outcome = match &mut self.transport {
            Some(transport) => transport.send(packet),
            None => SendOutcome::Failed,
        };
        self.count(outcome, octets, sent_ns);
    }

    fn count(&mut self, outcome: SendOutcome, octets: usize, sent_ns: u64) {
        let last = std::mem::replace(&mut self.last_outcome, outcome);
        match (last == SendOutcome::Sent, outcome == SendOutcome::Sent) {
            (true, false) => self.log.write(sent_ns, LogEvent::SendingFails(outcome)),
            (false, true) => self.log.write(sent_ns, LogEvent::SendingWorks),
            _ => {}
        }
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

    /// Time goes by without packets: what is pending is dropped, the timestamp moves on by it and by `samples` of the
    /// engine's.
    fn pass_unsent(&mut self, samples: usize) {
        let pending = std::mem::take(&mut self.pending_len);
        if let Some(format) = &self.format
            && self.meters.first_packet_ns.is_some()
            && (samples > 0 || pending > 0)
        {
            let pending = format.encoder.kind().samples_to_ticks(pending);
            let ticks = self.ticks(samples);
            self.sender.skip(pending.wrapping_add(ticks));
            self.is_resuming = true;
        }
    }

    fn publish(&mut self) {
        self.sources.retire(self.meters.is_active, &mut self.orders);
        self.meters.blocks += 1;
        self.meters.commands = self.orders.taken();
        self.meters.trash_stalls = self.orders.stalls();
        self.meters.sender = self.sender.stats();
        self.meters.is_playing_events = self.events.is_playing();
        self.meters.events_refused = self.events.refused;
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
