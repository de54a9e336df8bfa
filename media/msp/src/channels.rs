//! What the TSP's buffers do to a call: ports, channels, their end.
//! In: the pair's messages. Out: the answer to Prepare, commands to the engine, the streams' channels.
//! Not here: when a stream runs (`stream.rs`), the message's octets (`offhook-pair`).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use offhook_codecs::CodecKind;
use offhook_engine::{Peer, RxCommand, TxCommand};
use offhook_pair::{Channel, ChannelId, Flow, Session, ToTsp};
use offhook_rtp::PayloadTypes;
use offhook_spi::mspi::Direction;
use offhook_spi::{MspCallEvent, MspEventCause};

use crate::Latch;
use crate::call::CallState;
use crate::digits;
use crate::media::PeerTakes;
use crate::rtcp::Rtcp;
use crate::stream::{Stream, usable};
use crate::transport::Transport;

/// H.245 sessionID of audio.
const AUDIO: u8 = 1;

impl CallState {
    /// Binds ports, once, and answers. Asked again it answers the same.
    pub(crate) fn prepare(&mut self, peer: IpAddr) {
        self.was_prepared = true;
        self.peer = Some(peer);
        if self.transport.is_none()
            && let Err(why) = self.open(peer)
        {
            tracing::warn!(call = self.id.0, why, "no media for a call");
            for direction in [Direction::Capture, Direction::Render] {
                self.stream_failed_because(direction, &why, MspEventCause::ConnectFail);
            }
            return self.reporter.tell_tsp(&ToTsp::Failed { why });
        }
        let Some(transport) = &self.transport else { return };
        let codecs = self.media.offers(self.may_pass_packets());
        let session = Session {
            session: AUDIO,
            rtp: transport.rtp,
            rtcp: transport.rtcp,
            redundancy: self.media.redundancy(&codecs),
            codecs,
            telephone_event: digits::offered(self.media.config.telephone_event),
            comfort_noise: true,
            silence_suppression: self.media.config.silence_suppression,
        };
        self.reporter.tell_tsp(&ToTsp::Prepared { sessions: vec![session] });
    }

    fn open(&mut self, peer: IpAddr) -> Result<(), String> {
        let session = self.rtcp.take().unwrap_or_else(|| Rtcp::new(self.ssrc, &self.media.config));
        let (transport, tx, rx) = Transport::open(&self.media, peer, session)?;
        self.tell_tx(TxCommand::SetTransport(Box::new(tx)))?;
        self.tell_rx(RxCommand::SetTransport(Box::new(rx)))?;
        tracing::debug!(call = self.id.0, rtp = %transport.rtp, "media prepared");
        (self.capture.local, self.render.local) = (Some(transport.rtp), Some(transport.rtp));
        self.transport = Some(transport);
        Ok(())
    }

    /// Opens channels, or changes them.
    pub(crate) fn start(&mut self, channels: &[Channel]) {
        if self.transport.is_none() {
            tracing::debug!(call = self.id.0, "late channels are ignored");
            return;
        }
        for channel in channels {
            if channel.id.session != AUDIO {
                tracing::warn!(
                    call = self.id.0,
                    session = channel.id.session,
                    "a session that was never offered"
                );
                continue;
            }
            let (direction, opened) = match channel.id.flow {
                Flow::Transmit => (Direction::Capture, self.open_transmit(channel)),
                Flow::Receive => (Direction::Render, self.open_receive(channel)),
            };
            if let Err(why) = opened {
                self.stream_failed(direction, &why);
            }
        }
        if let Err(why) = self.agree_on_peer() {
            self.stream_failed(Direction::Render, &why);
        }
        self.refresh(Direction::Capture, MspEventCause::RemoteRequest);
        self.refresh(Direction::Render, MspEventCause::RemoteRequest);
    }

    /// Closes channels.
    pub(crate) fn stop(&mut self, channels: &[ChannelId]) {
        for id in channels.iter().filter(|id| id.session == AUDIO) {
            let direction = match id.flow {
                Flow::Transmit => Direction::Capture,
                Flow::Receive => Direction::Render,
            };
            self.towards(direction).channel = None;
            self.refresh(direction, MspEventCause::RemoteRequest);
        }
    }

    /// Closes everything and gives the ports back, BYE last.
    pub(crate) fn stop_all(&mut self) {
        self.cancel_digits("the call is over");
        for direction in [Direction::Capture, Direction::Render] {
            self.towards(direction).channel = None;
            self.refresh(direction, MspEventCause::RemoteRequest);
        }
        let Some(transport) = self.transport.take() else { return };
        // Sound went one way only: the far end did not open, or did not take, the other.
        let used = [Direction::Capture, Direction::Render].map(|way| self.towards(way).codec.is_some());
        if let [true, false] | [false, true] = used {
            let unused = if matches!(used, [true, _]) { self.render.info.id } else { self.capture.info.id };
            self.reporter.stream(unused, MspCallEvent::StreamNotUsed, MspEventCause::RemoteRequest);
        }
        let left = self.tell_tx(TxCommand::ClearTransport);
        if let Err(why) = left.and_then(|()| self.tell_rx(RxCommand::ClearTransport)) {
            tracing::warn!(call = self.id.0, why, "ports are freed late");
        }
        self.closing.push((transport, Instant::now()));
    }

    fn open_transmit(&mut self, channel: &Channel) -> Result<(), String> {
        let Channel { codec, payload_type, .. } = *channel;
        let kind = self.media.codec(codec)?;
        check_payload_type(payload_type)?;
        if let Some(redundancy) = channel.redundancy {
            check_payload_type(redundancy.payload_type)?;
        }
        self.check_passes(&self.capture, kind)?;
        let packet_ms = match channel.packet_ms {
            0 => self.media.config.packet_ms,
            agreed => agreed,
        };
        let is_same = self.capture.channel.is_some_and(|open| {
            let format = |channel: &Channel| {
                let Channel {
                    codec, payload_type, packet_ms, max_bit_rate, comfort_noise, redundancy, ..
                } = *channel;
                (codec, payload_type, packet_ms, max_bit_rate, comfort_noise, redundancy)
            };
            format(&open) == format(channel)
        });
        if !is_same {
            let Channel { max_bit_rate, comfort_noise, redundancy, .. } = *channel;
            let peer = PeerTakes { max_bit_rate, comfort_noise, redundancy };
            let format = self.media.tx_format(kind, payload_type, packet_ms, peer)?;
            self.tell_tx(TxCommand::SetFormat(Box::new(format)))?;
        }
        match channel.remote_rtp.and_then(usable) {
            Some(remote) => {
                self.tell_tx(TxCommand::SetRemote(remote))?;
                self.capture.remote = Some(remote);
            }
            None => tracing::debug!(call = self.id.0, "a channel without an address sends nothing"),
        }
        self.capture.codec = Some(kind);
        self.capture.channel = Some(*channel);
        Ok(())
    }

    fn open_receive(&mut self, channel: &Channel) -> Result<(), String> {
        let Channel { codec, payload_type, .. } = *channel;
        let kind = self.media.codec(codec)?;
        check_payload_type(payload_type)?;
        self.check_passes(&self.render, kind)?;
        let is_same =
            self.render.channel.is_some_and(|open| (open.codec, open.payload_type) == (codec, payload_type));
        if !is_same {
            let types = PayloadTypes::NONE.with(payload_type);
            let rates = (kind.sample_rate(), kind.clock_rate());
            if self.playout_rates == Some(rates) {
                let decoder = self.media.decoder(kind)?;
                self.tell_rx(RxCommand::ExpectDecoder(decoder, types))?;
            } else {
                let format = self.media.rx_format(kind, types)?;
                self.tell_rx(RxCommand::ExpectFormat(Box::new(format)))?;
                self.playout_rates = Some(rates);
            }
        }
        let events = channel.telephone_event.map(|event| event.payload_type);
        if let Some(payload_type) = events {
            check_payload_type(payload_type)?;
        }
        if self.render.channel.is_none_or(|open| open.telephone_event != channel.telephone_event) {
            self.tell_rx(RxCommand::SetEventPayloadType(events))?;
        }
        let redundancy = channel.redundancy.map(|copies| copies.payload_type);
        if let Some(payload_type) = redundancy {
            check_payload_type(payload_type)?;
        }
        if self.render.channel.is_none_or(|open| open.redundancy != channel.redundancy) {
            self.tell_rx(RxCommand::SetRedundancyPayloadType(redundancy))?;
        }
        self.begin_to_listen()?;
        self.render.codec = Some(kind);
        self.render.channel = Some(*channel);
        Ok(())
    }

    /// Whether packets of codecs that do not run here have somewhere to come from and to go to, as far as is known.
    fn may_pass_packets(&self) -> bool {
        let may = |stream: &Stream| stream.selected.is_empty() || stream.carries_packets();
        may(&self.capture) && may(&self.render)
    }

    /// Refuses a codec that does not run here on a stream whose terminals deal in sound.
    fn check_passes(&self, stream: &Stream, kind: CodecKind) -> Result<(), String> {
        if kind.is_runnable() || stream.selected.is_empty() || stream.carries_packets() {
            return Ok(());
        }
        Err(needs_packets(stream.info.direction, kind))
    }

    /// The same of the codec that is open, after the terminals have changed.
    pub(crate) fn check_codec(&self, direction: Direction) -> Result<(), String> {
        let stream = match direction {
            Direction::Capture => &self.capture,
            Direction::Render => &self.render,
        };
        match stream.channel.and(stream.codec) {
            Some(kind) => self.check_passes(stream, kind),
            None => Ok(()),
        }
    }

    /// Whom RTP and RTCP may come from, and where RTCP goes, by all that is known now.
    fn agree_on_peer(&mut self) -> Result<(), String> {
        let rtp = |channel: Option<Channel>| channel.and_then(|c| c.remote_rtp).and_then(usable);
        let rtcp = |channel: Option<Channel>| channel.and_then(|c| c.remote_rtcp).and_then(usable);
        let (to, from) = (rtp(self.capture.channel), rtp(self.render.channel));
        let control = rtcp(self.render.channel);
        let host = from.or(to).map(|address| address.ip()).or(self.peer);
        self.render.remote = from.or(to).or(self.render.remote);

        let mut has_moved = false;
        for (before, now) in self.told.iter_mut().zip([to, from, control]) {
            has_moved |= before.is_some() && now.is_some() && *before != now;
            *before = now.or(*before);
        }
        // Most peers send from where they receive, and RTP from the port below RTCP's.
        let below = |rtcp: SocketAddr| {
            rtcp.port().checked_sub(1).and_then(|port| usable(SocketAddr::new(rtcp.ip(), port)))
        };
        let source = from
            .or(to)
            .or(control.or(rtcp(self.capture.channel)).and_then(below))
            .filter(|source| host.is_some_and(|host| host.to_canonical() == source.ip().to_canonical()));
        let mut expected = match (source, host) {
            (Some(source), _) => Peer::Expected(source),
            (None, Some(host)) => Peer::Address(host),
            (None, None) => Peer::Nobody,
        };
        if self.media.config.latch == Latch::Any && expected != Peer::Nobody {
            expected = Peer::Any;
        }
        if has_moved {
            // By its own word: its next source need not wait for the old one to fall silent.
            self.tell_rx(RxCommand::ExpectSourceChange)?;
            if expected == self.expected
                && expected != Peer::Any
                && let Some(host) = host
            {
                // It does not speak from where it was expected any more.
                expected = Peer::Address(host);
            }
        }
        if expected != self.expected {
            self.tell_rx(RxCommand::SetPeer(expected))?;
            self.expected = expected;
        }
        let beside = |rtp: SocketAddr| rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port));
        let remote = rtcp(self.capture.channel)
            .or(rtcp(self.render.channel))
            .or(to.and_then(beside))
            .or(from.and_then(beside));
        let (codec, packet_ms) = (self.render.codec, self.capture.channel.map(|channel| channel.packet_ms));
        if let Some(transport) = &mut self.transport {
            transport.speak_to(remote, host);
            transport.quality.codec = codec;
            if let Some(agreed @ 1..) = packet_ms {
                transport.quality.packet_ms = agreed;
            }
        }
        // What was told may differ from where the peer was found.
        self.followed = None;
        Ok(())
    }
}

/// Why a codec that does not run here cannot be used.
pub(crate) fn needs_packets(direction: Direction, kind: CodecKind) -> String {
    let terminal = match direction {
        Direction::Capture => "injector",
        Direction::Render => "tap",
    };
    format!("{kind} is passed through, not coded: the stream takes an RTP {terminal}")
}

fn check_payload_type(payload_type: u8) -> Result<(), String> {
    if payload_type < 128 { Ok(()) } else { Err(format!("payload type {payload_type} does not exist")) }
}
