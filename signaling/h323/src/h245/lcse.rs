//! Unidirectional logical channels (H.245 8.4, C.4: LCSE) and requests to close them (8.6, C.6: CLCSE).
//! In: what to open, the peer's PDUs, T103. Out: PDUs, channels opened, closed, rejected.
//!
//! ```text
//!   outgoing   Released ─ OLC ▶ AwaitingEstablishment ─ Ack ▶ Established ─ CLC ▶ AwaitingRelease ─ Ack ▶ Released
//!                                  │ Reject, T103                                      │ T103
//!                                  ▼ next codec                                        ▼ Released
//!   incoming   Released ─ OLC ▶ (AwaitingMedia: ours is not known yet) ─ Ack ▶ Established ─ CLC ▶ Released
//! ```
//!
//! The transmitting side numbers a channel, so both sides may use the same number.
//! A channel that fast connect agreed is [adopted](Channels::adopt): Established from the start.
//!
//! Not here: bidirectional channels (refused: unsuitableReverseParameters); which codecs both
//! sides have (`capability`).

use std::net::SocketAddr;

use crate::capability::{DataType, OpenChannel, RemoteCapabilities};
use crate::h245::msdse::Status;
use crate::h245::pdu::{self, CloseSource, OpenAck, OpenReject};
use crate::h245::{Notice, Scope};
use crate::{AudioCodec, ChannelPlan, CodecOffer, Flow, LocalMedia, LocalSession, Timer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutgoingState {
    AwaitingEstablishment,
    Established,
    AwaitingRelease,
}

#[derive(Debug)]
struct Outgoing {
    number: u16,
    session_id: u8,
    offer: CodecOffer,
    packet_ms: u16,
    state: OutgoingState,
}

#[derive(Debug)]
enum IncomingState {
    /// OpenLogicalChannel came before our media side was known.
    AwaitingMedia(Box<OpenChannel>),
    Established(ChannelPlan),
}

#[derive(Debug)]
struct Incoming {
    number: u16,
    session_id: u8,
    state: IncomingState,
}

/// All logical channels of a call.
#[derive(Debug)]
pub(crate) struct Channels {
    next: u16,
    outgoing: Vec<Outgoing>,
    incoming: Vec<Incoming>,
    /// What the peer rejected since its last capability set.
    rejected: Vec<(u8, AudioCodec)>,
    /// Sessions in which we lost a conflict: we send what we receive (C.4.1.3, masterSlaveConflict).
    following: Vec<u8>,
    /// Sessions in which the peer wants nothing from us until its next capability set.
    parked: Vec<u8>,
}

impl Channels {
    pub(crate) fn new(first: u16) -> Self {
        Self {
            next: first.max(1),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            rejected: Vec::new(),
            following: Vec::new(),
            parked: Vec::new(),
        }
    }

    /// A number that none of our channels has. A number is used again only after 65,535 others
    /// (H.323 8.4.6 wants new numbers after a pause).
    pub(crate) fn take_number(&mut self) -> u16 {
        loop {
            let number = self.next;
            self.next = self.next.checked_add(1).unwrap_or(1);
            if !self.outgoing.iter().any(|channel| channel.number == number) {
                return number;
            }
        }
    }

    /// A channel that fast connect agreed (H.323 8.1.7.1): open without H.245, closed with it.
    pub(crate) fn adopt(&mut self, scope: &mut Scope<'_>, plan: ChannelPlan, offer: CodecOffer) {
        match plan.flow {
            Flow::Transmit => self.outgoing.push(Outgoing {
                number: plan.channel,
                session_id: plan.session_id,
                offer,
                packet_ms: plan.packet_ms,
                state: OutgoingState::Established,
            }),
            Flow::Receive => self.incoming.push(Incoming {
                number: plan.channel,
                session_id: plan.session_id,
                state: IncomingState::Established(plan),
            }),
        }
        scope.notify(Notice::Opened(plan));
    }

    /// Opens a channel in each session in which we do not transmit yet, with our most wanted codec
    /// of those that the peer takes and has not rejected.
    pub(crate) fn open_missing(
        &mut self,
        scope: &mut Scope<'_>,
        media: &LocalMedia,
        remote: &RemoteCapabilities,
    ) {
        for session in &media.sessions {
            let id = session.session_id;
            if self.is_transmitting(id)
                || self.parked.contains(&id)
                || self.outgoing.len() >= scope.config.limits.channels
            {
                continue;
            }
            let following = self.following.contains(&id);
            let theirs = self.receiving(id);
            if following && theirs.is_none() {
                continue;
            }
            let candidate = session.codecs.iter().find_map(|offer| {
                let wanted = !following || theirs == Some(offer.codec);
                let rejected = self.rejected.contains(&(id, offer.codec));
                let packet_ms = remote.packet_ms(offer)?;
                (wanted && !rejected).then_some((*offer, packet_ms))
            });
            match candidate {
                Some((offer, packet_ms)) => self.open(scope, session, offer, packet_ms),
                None if self.rejected.iter().any(|(session_id, _)| *session_id == id) => {
                    self.parked.push(id);
                    scope.notify(Notice::Rejected { session_id: id });
                }
                None => {}
            }
        }
    }

    /// The peer told its capabilities anew: what it refused before may be welcome now.
    pub(crate) fn forget_refusals(&mut self) {
        self.rejected.clear();
        self.following.clear();
        self.parked.clear();
    }

    /// We transmit, or have asked to, in this session.
    fn is_transmitting(&self, session_id: u8) -> bool {
        self.outgoing.iter().any(|c| c.session_id == session_id && c.state != OutgoingState::AwaitingRelease)
    }

    /// Some channel is open in one direction or the other.
    pub(crate) fn any_open(&self) -> bool {
        self.outgoing.iter().any(|channel| channel.state == OutgoingState::Established)
            || self.incoming.iter().any(|channel| matches!(channel.state, IncomingState::Established(_)))
    }

    /// ESTABLISH.request.
    fn open(&mut self, scope: &mut Scope<'_>, session: &LocalSession, offer: CodecOffer, packet_ms: u16) {
        let number = self.take_number();
        scope.send(pdu::olc(number, session, &offer, packet_ms));
        scope.start(Timer::T103(number));
        self.outgoing.push(Outgoing {
            number,
            session_id: session.session_id,
            offer,
            packet_ms,
            state: OutgoingState::AwaitingEstablishment,
        });
    }

    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, ack: &OpenAck, telephone_event: Option<u8>) {
        let Some(channel) = self.outgoing.iter_mut().find(|channel| channel.number == ack.number) else {
            return;
        };
        if channel.state != OutgoingState::AwaitingEstablishment {
            return;
        }
        scope.timers.stop(Timer::T103(ack.number));
        // Without an address there is nowhere to send: the acknowledgement must carry it in H.323
        // (H.245 B.3.2); one without is as good as a reject.
        let Some(remote_rtp) = ack.media.filter(is_usable) else {
            release(scope, channel);
            let (session_id, codec) = (channel.session_id, channel.offer.codec);
            self.refused(session_id, codec);
            return;
        };
        channel.state = OutgoingState::Established;
        scope.notify(Notice::Opened(ChannelPlan {
            session_id: channel.session_id,
            flow: Flow::Transmit,
            channel: channel.number,
            codec: channel.offer.codec,
            payload_type: ack.payload_type.unwrap_or(channel.offer.payload_type),
            packet_ms: channel.packet_ms,
            remote_rtp: Some(remote_rtp),
            remote_rtcp: control_address(Some(remote_rtp), ack.media_control),
            telephone_event,
            early: scope.early,
        }));
    }

    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>, number: u16, cause: OpenReject) {
        let Some(channel) = self.take_outgoing(scope, number) else {
            return;
        };
        match channel.state {
            OutgoingState::AwaitingRelease => return,
            OutgoingState::Established => notify_closed(scope, channel.session_id, Flow::Transmit, number),
            OutgoingState::AwaitingEstablishment => {}
        }
        self.refused(channel.session_id, channel.offer.codec);
        if cause == OpenReject::MasterSlaveConflict && !self.following.contains(&channel.session_id) {
            self.following.push(channel.session_id);
        }
    }

    /// T103: nobody answers OpenLogicalChannel or CloseLogicalChannel.
    pub(crate) fn on_t103(&mut self, scope: &mut Scope<'_>, number: u16) {
        let Some(channel) = self.take_outgoing(scope, number) else {
            return;
        };
        if channel.state == OutgoingState::AwaitingEstablishment {
            // C.4.2: the channel is released on our side whatever the peer thinks of it.
            scope.send(pdu::clc(number, CloseSource::Lcse));
            self.refused(channel.session_id, channel.offer.codec);
        }
    }

    pub(crate) fn on_close_ack(&mut self, scope: &mut Scope<'_>, number: u16) {
        if let Some(channel) = self.take_outgoing(scope, number)
            && channel.state != OutgoingState::AwaitingRelease
        {
            // C.4.1.3 error B: the peer has closed what we had not asked it to.
            notify_closed(scope, channel.session_id, Flow::Transmit, number);
            self.refused(channel.session_id, channel.offer.codec);
        }
    }

    /// RequestChannelClose (C.6): the peer wants one of our channels closed.
    pub(crate) fn on_request_close(&mut self, scope: &mut Scope<'_>, number: u16, reopen: bool) {
        let open = |c: &&mut Outgoing| c.number == number && c.state != OutgoingState::AwaitingRelease;
        let Some(channel) = self.outgoing.iter_mut().find(open) else {
            scope.send(pdu::request_close_reject(number));
            return;
        };
        if !reopen {
            self.parked.push(channel.session_id);
        }
        scope.send(pdu::request_close_ack(number));
        release(scope, channel);
    }

    /// RELEASE.request for all our channels: the peer takes nothing any more (H.323 8.4.6).
    pub(crate) fn close_outgoing(&mut self, scope: &mut Scope<'_>) {
        for channel in &mut self.outgoing {
            if channel.state != OutgoingState::AwaitingRelease {
                release(scope, channel);
            }
        }
    }

    /// The call is over: every channel with it, without PDUs.
    pub(crate) fn clear(&mut self, scope: &mut Scope<'_>) {
        for channel in std::mem::take(&mut self.outgoing) {
            scope.timers.stop(Timer::T103(channel.number));
            if channel.state == OutgoingState::Established {
                notify_closed(scope, channel.session_id, Flow::Transmit, channel.number);
            }
        }
        let mut sessions: Vec<u8> = Vec::new();
        for channel in std::mem::take(&mut self.incoming).into_iter().rev() {
            if let IncomingState::Established(plan) = channel.state
                && !sessions.contains(&plan.session_id)
            {
                sessions.push(plan.session_id);
                notify_closed(scope, plan.session_id, Flow::Receive, plan.channel);
            }
        }
    }

    /// OpenLogicalChannel.
    pub(crate) fn on_open(
        &mut self,
        scope: &mut Scope<'_>,
        open: OpenChannel,
        media: Option<&LocalMedia>,
        status: Option<Status>,
    ) {
        // C.4.1.4: a second OpenLogicalChannel under a number that is in use replaces the first.
        self.drop_incoming(scope, open.number);
        if self.incoming.len() >= scope.config.limits.channels {
            scope.send(pdu::olc_reject(open.number, OpenReject::Unspecified));
            return;
        }
        match media {
            Some(media) => self.admit(scope, &open, media, status),
            None => self.incoming.push(Incoming {
                number: open.number,
                session_id: open.forward.session_id,
                state: IncomingState::AwaitingMedia(Box::new(open)),
            }),
        }
    }

    /// Our media side is known: what waited for it is answered.
    pub(crate) fn media_ready(&mut self, scope: &mut Scope<'_>, media: &LocalMedia, status: Option<Status>) {
        for channel in std::mem::take(&mut self.incoming) {
            match channel.state {
                IncomingState::AwaitingMedia(open) => self.admit(scope, &open, media, status),
                IncomingState::Established(_) => self.incoming.push(channel),
            }
        }
    }

    fn admit(
        &mut self,
        scope: &mut Scope<'_>,
        open: &OpenChannel,
        media: &LocalMedia,
        status: Option<Status>,
    ) {
        let (session, offer, packet_ms) = match self.examine(scope, open, media, status) {
            Ok(accepted) => accepted,
            Err(cause) => {
                scope.send(pdu::olc_reject(open.number, cause));
                return;
            }
        };
        scope.send(pdu::olc_ack(open.number, session));
        let plan = ChannelPlan {
            session_id: session.session_id,
            flow: Flow::Receive,
            channel: open.number,
            codec: offer.codec,
            payload_type: open.forward.payload_type.unwrap_or(offer.payload_type),
            packet_ms,
            remote_rtp: open.forward.media.filter(is_usable),
            remote_rtcp: control_address(open.forward.media.filter(is_usable), open.forward.media_control),
            telephone_event: session.telephone_event,
            early: scope.early,
        };
        self.incoming.push(Incoming {
            number: open.number,
            session_id: session.session_id,
            state: IncomingState::Established(plan),
        });
        scope.notify(Notice::Opened(plan));
    }

    fn examine<'m>(
        &self,
        scope: &Scope<'_>,
        open: &OpenChannel,
        media: &'m LocalMedia,
        status: Option<Status>,
    ) -> Result<(&'m LocalSession, CodecOffer, u16), OpenReject> {
        if open.reverse.is_some() {
            return Err(OpenReject::UnsuitableReverseParameters);
        }
        let (codec, packet_ms) = match open.forward.data {
            DataType::Audio { codec, ms } => (codec, ms),
            DataType::Null | DataType::Unsupported => return Err(OpenReject::DataTypeNotSupported),
            DataType::Unknown => return Err(OpenReject::UnknownDataType),
        };
        if media.sessions.is_empty() {
            return Err(OpenReject::DataTypeNotAvailable);
        }
        let has = |session: &&LocalSession| session.codecs.iter().any(|offer| offer.codec == codec);
        // H.245 B.3.2: sessionID 0 asks the master for a number. Ours is the session that has the codec;
        // the acknowledgement says which.
        let session = match open.forward.session_id {
            0 => media.sessions.iter().find(has).ok_or(OpenReject::DataTypeNotSupported)?,
            // After a refused fast connect ooh323 (Asterisk) goes on counting and opens its audio as session 4. A number
            // that nobody agreed on stands for the session that has the codec and hears nothing yet.
            id => {
                let known = media.sessions.iter().find(|session| session.session_id == id);
                let free =
                    |session: &&LocalSession| has(session) && self.current(session.session_id).is_none();
                known.or_else(|| media.sessions.iter().find(free)).ok_or(OpenReject::InvalidSessionId)?
            }
        };
        let offer = session.codecs.iter().find(|offer| offer.codec == codec);
        let offer = offer.ok_or(OpenReject::DataTypeNotSupported)?;
        let differs = self.outgoing.iter().any(|channel| {
            channel.session_id == session.session_id
                && channel.state != OutgoingState::AwaitingRelease
                && channel.offer.codec != codec
        });
        if scope.config.symmetric_codecs && differs && status == Some(Status::Master) {
            return Err(OpenReject::MasterSlaveConflict);
        }
        Ok((session, *offer, packet_ms))
    }

    /// CloseLogicalChannel is acknowledged in every state (C.4.1.4).
    pub(crate) fn on_close(&mut self, scope: &mut Scope<'_>, number: u16) {
        scope.send(pdu::clc_ack(number));
        self.drop_incoming(scope, number);
    }

    /// The codec that the peer sends in a session.
    fn receiving(&self, session_id: u8) -> Option<AudioCodec> {
        self.current(session_id).map(|plan| plan.codec)
    }

    /// The channel that counts in a session: the one the peer opened last.
    fn current(&self, session_id: u8) -> Option<ChannelPlan> {
        self.incoming.iter().rev().find_map(|channel| match channel.state {
            IncomingState::Established(plan) if plan.session_id == session_id => Some(plan),
            _ => None,
        })
    }

    fn refused(&mut self, session_id: u8, codec: AudioCodec) {
        if !self.rejected.contains(&(session_id, codec)) {
            self.rejected.push((session_id, codec));
        }
    }

    fn take_outgoing(&mut self, scope: &mut Scope<'_>, number: u16) -> Option<Outgoing> {
        let at = self.outgoing.iter().position(|channel| channel.number == number)?;
        scope.timers.stop(Timer::T103(number));
        Some(self.outgoing.swap_remove(at))
    }

    /// A channel of the peer is gone. If it was the one that counted, the one before it counts again.
    fn drop_incoming(&mut self, scope: &mut Scope<'_>, number: u16) {
        let Some(at) = self.incoming.iter().position(|channel| channel.number == number) else {
            return;
        };
        let IncomingState::Established(plan) = self.incoming.remove(at).state else {
            return;
        };
        let later = self.incoming.iter().skip(at).any(|channel| {
            channel.session_id == plan.session_id && matches!(channel.state, IncomingState::Established(_))
        });
        if later {
            return;
        }
        match self.current(plan.session_id) {
            Some(before) => scope.notify(Notice::Opened(before)),
            None => notify_closed(scope, plan.session_id, Flow::Receive, number),
        }
    }
}

/// RELEASE.request for one of our channels.
fn release(scope: &mut Scope<'_>, channel: &mut Outgoing) {
    if channel.state == OutgoingState::Established {
        notify_closed(scope, channel.session_id, Flow::Transmit, channel.number);
    }
    channel.state = OutgoingState::AwaitingRelease;
    scope.send(pdu::clc(channel.number, CloseSource::User));
    scope.start(Timer::T103(channel.number));
}

fn notify_closed(scope: &mut Scope<'_>, session_id: u8, flow: Flow, channel: u16) {
    scope.notify(Notice::Closed { session_id, flow, channel });
}

/// RTCP goes where the peer says, else to the port above RTP (RFC 3550 11).
pub(crate) fn control_address(rtp: Option<SocketAddr>, control: Option<SocketAddr>) -> Option<SocketAddr> {
    control.filter(is_usable).or_else(|| {
        let mut address = rtp?;
        address.set_port(address.port().checked_add(1)?);
        Some(address)
    })
}

/// An address that packets can be sent to. 0.0.0.0 and port 0 mean "nowhere yet".
pub(crate) fn is_usable(address: &SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}
