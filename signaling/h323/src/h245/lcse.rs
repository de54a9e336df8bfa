//! Unidirectional logical channels (H.245 8.4, C.4: LCSE).
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
//! Not here: which codec is opened and when it changes (`select`), whether the peer's is taken (`admission`),
//! bidirectional channels (`blcse`), requests to close (`clcse`).

use std::net::SocketAddr;

use crate::capability::OpenChannel;
use crate::h245::clcse::Clcse;
use crate::h245::pdu::{self, CloseSource, OpenAck, OpenReject};
use crate::h245::select::Choice;
use crate::h245::{Notice, Scope};
use crate::{AudioCodec, ChannelPlan, CodecOffer, Event, Flow, LocalSession, Redundancy, Timer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutgoingState {
    AwaitingEstablishment,
    /// The reverse direction of a bidirectional channel of the peer, which has not confirmed it.
    AwaitingConfirmation,
    Established,
    AwaitingRelease,
}

/// A channel in which we send.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) number: u16,
    pub(super) session_id: u8,
    /// With the payload type of this channel.
    pub(super) offer: CodecOffer,
    /// Packets have copies of those before them.
    pub(super) redundancy: Option<Redundancy>,
    pub(super) packet_ms: u16,
    pub(super) state: OutgoingState,
    /// The channel of ours that goes when this one stands (another codec, without a gap).
    pub(super) replaces: Option<u16>,
    /// The peer's channel of which this is the reverse direction.
    pub(super) reverse_of: Option<u16>,
    /// It is the forward direction of a bidirectional channel of ours; this is the other.
    pub(super) both_ways: Option<BothWays>,
    /// Told, or to be told when it stands.
    pub(super) plan: Option<ChannelPlan>,
}

/// What the other direction of a bidirectional channel of ours was proposed with.
#[derive(Debug, Clone, Copy)]
pub(super) struct BothWays {
    pub(super) payload_type: u8,
    pub(super) telephone_event: Option<u8>,
}

#[derive(Debug)]
pub(super) enum IncomingState {
    /// OpenLogicalChannel came before our media side was known.
    AwaitingMedia(Box<OpenChannel>),
    Established(ChannelPlan),
}

/// A channel in which the peer sends.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) number: u16,
    pub(super) session_id: u8,
    pub(super) state: IncomingState,
    /// The channel of ours of which this is the reverse direction.
    pub(super) reverse_of: Option<u16>,
    /// The peer says that it carries sound.
    pub(super) active: bool,
}

/// All logical channels of a call.
#[derive(Debug)]
pub(crate) struct Channels {
    next: u16,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) incoming: Vec<Incoming>,
    pub(super) closing: Clcse,
    /// What the peer rejected since its last capability set.
    pub(super) rejected: Vec<(u8, AudioCodec)>,
    /// Sessions in which we lost a conflict: we send what we receive (C.4.1.3, masterSlaveConflict).
    pub(super) following: Vec<u8>,
    /// Sessions in which the peer wants nothing from us until its next capability set.
    pub(super) parked: Vec<u8>,
    /// Codecs asked for, by the peer's RequestMode or our application, by session.
    pub(super) wanted: Vec<(u8, AudioCodec)>,
    /// Sessions in which the peer takes no second channel beside the first.
    pub(super) break_first: Vec<u8>,
    /// Sessions in which the peer refuses bidirectional channels.
    pub(super) one_way: Vec<u8>,
    /// Sessions in which the peer refuses packets with copies.
    pub(super) plain: Vec<u8>,
    /// The peer's flow control: bit/s by session.
    pub(super) rates: Vec<(u8, u32)>,
    /// What insufficientBandwidth left of a session, in bit/s, until the peer's next capability set.
    pub(super) ceilings: Vec<(u8, u32)>,
    /// Bit/s of all channels together, both ways.
    pub(super) bandwidth: Option<u32>,
}

impl Channels {
    pub(crate) fn new(first: u16) -> Self {
        Self {
            next: first.max(1),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            closing: Clcse::default(),
            rejected: Vec::new(),
            following: Vec::new(),
            parked: Vec::new(),
            wanted: Vec::new(),
            break_first: Vec::new(),
            one_way: Vec::new(),
            plain: Vec::new(),
            rates: Vec::new(),
            ceilings: Vec::new(),
            bandwidth: None,
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
    pub(crate) fn adopt(&mut self, scope: &mut Scope<'_>, plan: ChannelPlan, mut offer: CodecOffer) {
        match plan.flow {
            Flow::Transmit => {
                offer.payload_type = plan.payload_type;
                self.outgoing.push(Outgoing {
                    number: plan.channel,
                    session_id: plan.session_id,
                    offer,
                    redundancy: plan.redundancy,
                    packet_ms: plan.packet_ms,
                    state: OutgoingState::Established,
                    replaces: None,
                    reverse_of: None,
                    both_ways: None,
                    plan: Some(plan),
                });
            }
            Flow::Receive => self.incoming.push(Incoming {
                number: plan.channel,
                session_id: plan.session_id,
                state: IncomingState::Established(plan),
                reverse_of: None,
                active: true,
            }),
        }
        scope.notify(Notice::Opened(plan));
    }

    /// The peer told its capabilities anew: what it refused before may be welcome now.
    pub(crate) fn forget_refusals(&mut self) {
        self.rejected.clear();
        self.following.clear();
        self.parked.clear();
        self.break_first.clear();
        self.one_way.clear();
        self.plain.clear();
        self.ceilings.clear();
    }

    /// Some channel is open in one direction or the other.
    pub(crate) fn any_open(&self) -> bool {
        self.outgoing.iter().any(|channel| channel.state == OutgoingState::Established)
            || self.incoming.iter().any(|channel| matches!(channel.state, IncomingState::Established(_)))
    }

    /// The channel in which we send in some session, the first in the order of numbers taken.
    pub(crate) fn transmitting(&self) -> Option<&ChannelPlan> {
        let open = self.outgoing.iter().find(|channel| channel.state == OutgoingState::Established);
        open.and_then(|channel| channel.plan.as_ref())
    }

    /// OpenLogicalChannel of this number is unanswered.
    pub(crate) fn is_opening(&self, number: u16) -> bool {
        let opening = |c: &Outgoing| c.state == OutgoingState::AwaitingEstablishment;
        self.outgoing.iter().any(|channel| channel.number == number && opening(channel))
    }

    /// Our channel in a session.
    pub(crate) fn transmit_number(&self, session_id: u8) -> Option<u16> {
        let open = |c: &&Outgoing| c.session_id == session_id && c.state == OutgoingState::Established;
        self.outgoing.iter().rev().find(open).map(|channel| channel.number)
    }

    /// ESTABLISH.request.
    pub(super) fn open(
        &mut self,
        scope: &mut Scope<'_>,
        session: &LocalSession,
        Choice { offer, packet_ms, redundancy }: Choice,
        replaces: Option<u16>,
    ) {
        let number = self.take_number();
        // Which way copies would go in a channel of both ways nobody could tell.
        let both = redundancy.is_none() && self.opens_both_ways(scope, session.session_id, replaces);
        scope.send(match both {
            true => pdu::olc_bidirectional(number, session, &offer, packet_ms),
            false => pdu::olc(number, session, &offer, packet_ms, redundancy),
        });
        scope.start(Timer::T103(number));
        self.outgoing.push(Outgoing {
            number,
            session_id: session.session_id,
            offer,
            redundancy,
            packet_ms,
            state: OutgoingState::AwaitingEstablishment,
            replaces,
            reverse_of: None,
            both_ways: both.then_some(BothWays {
                payload_type: offer.payload_type,
                telephone_event: session.telephone_event,
            }),
            plan: None,
        });
    }

    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, ack: &OpenAck, telephone_event: Option<u8>) {
        let opening =
            |c: &Outgoing| c.number == ack.number && c.state == OutgoingState::AwaitingEstablishment;
        let Some(at) = self.outgoing.iter().position(opening) else {
            return;
        };
        scope.timers.stop(Timer::T103(ack.number));
        // Without an address there is nowhere to send: the acknowledgement must carry it in H.323
        // (H.245 B.3.2); one without is as good as a reject.
        let Some(remote_rtp) = ack.media.filter(is_usable) else {
            self.after_reject(ack.number);
            self.release_at(scope, at);
            return;
        };
        if !self.takes_reverse(scope, at, ack) {
            return;
        }
        let Some(channel) = self.outgoing.get_mut(at) else {
            return;
        };
        // The channel's number is that of packets with copies, if it has some.
        match (&mut channel.redundancy, ack.payload_type) {
            (Some(redundancy), Some(told)) => redundancy.payload_type = told,
            (None, Some(told)) => channel.offer.payload_type = told,
            (_, None) => {}
        }
        let (payload_type, redundancy) = (channel.offer.payload_type, channel.redundancy);
        channel.state = OutgoingState::Established;
        let plan = ChannelPlan {
            session_id: channel.session_id,
            flow: Flow::Transmit,
            channel: channel.number,
            codec: channel.offer.codec,
            payload_type,
            packet_ms: channel.packet_ms,
            remote_rtp: Some(remote_rtp),
            remote_rtcp: control_address(Some(remote_rtp), ack.media_control),
            // Two payloads under one number cannot be told apart.
            telephone_event: telephone_event.filter(|events| {
                *events != payload_type && redundancy.is_none_or(|copies| *events != copies.payload_type)
            }),
            redundancy,
            early: scope.early,
        };
        channel.plan = Some(plan);
        let (session_id, replaced) = (channel.session_id, channel.replaces.take());
        scope.notify(Notice::Opened(plan));
        self.open_reverse(scope, at, ack);
        if let Some(replaced) = replaced {
            // The application heard that another has taken its place: it goes without a word.
            self.release_silently(scope, replaced);
        }
        if ack.stopped {
            self.limit(scope, session_id, Some(0));
        }
    }

    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>, number: u16, cause: OpenReject) {
        let ours = |c: &Outgoing| c.number == number && c.reverse_of.is_none();
        let Some(channel) = self.outgoing.iter().find(|c| ours(c)) else {
            return;
        };
        match channel.state {
            OutgoingState::AwaitingRelease => {
                self.take_outgoing(scope, number);
                return;
            }
            OutgoingState::Established => notify_closed(scope, channel.session_id, Flow::Transmit, number),
            OutgoingState::AwaitingEstablishment | OutgoingState::AwaitingConfirmation => {}
        }
        let (session_id, codec, replaces) = (channel.session_id, channel.offer.codec, channel.replaces);
        let unusual = channel.both_ways.is_some() || channel.redundancy.is_some();
        if unusual && channel.state == OutgoingState::AwaitingEstablishment {
            // Whatever it is that the peer does not take, it may be this: the usual channel is tried before it is believed.
            self.after_reject(number);
            self.take_outgoing(scope, number);
            return;
        }
        match cause {
            // The peer decides, and it wants what it sends (C.4.1.3).
            OpenReject::MasterSlaveConflict => {
                add(&mut self.following, session_id);
                self.after_reject(number);
            }
            // Nothing that is as large will do better.
            OpenReject::InsufficientBandwidth => {
                self.ceilings.retain(|(id, _)| *id != session_id);
                self.ceilings.push((session_id, codec.bit_rate().saturating_sub(1)));
                self.after_reject(number);
            }
            // No codec will do in this session, or not now; the peer's next capability set may change that.
            OpenReject::InvalidSessionId
            | OpenReject::SecurityDenied
            | OpenReject::WaitForCommunicationMode
                if replaces.is_none() =>
            {
                self.refused(session_id, codec);
                if !self.parked.contains(&session_id) {
                    self.parked.push(session_id);
                    scope.notify(Notice::Rejected { session_id });
                }
            }
            _ => self.after_reject(number),
        }
        self.take_outgoing(scope, number);
    }

    /// T103: nobody answers OpenLogicalChannel or CloseLogicalChannel.
    pub(crate) fn on_t103(&mut self, scope: &mut Scope<'_>, number: u16) {
        let awaiting = |c: &&Outgoing| c.number == number && c.state == OutgoingState::AwaitingEstablishment;
        if self.outgoing.iter().any(|c| awaiting(&c)) {
            // C.4.2: the channel is released on our side whatever the peer thinks of it.
            scope.send(pdu::clc(number, CloseSource::Lcse));
            self.after_reject(number);
        }
        self.take_outgoing(scope, number);
    }

    pub(crate) fn on_close_ack(&mut self, scope: &mut Scope<'_>, number: u16) {
        if self.outgoing.iter().any(|c| c.number == number && c.reverse_of.is_some()) {
            // Not ours to close by CloseLogicalChannel, nor the peer's to acknowledge.
            return;
        }
        if let Some(channel) = self.take_outgoing(scope, number)
            && channel.state != OutgoingState::AwaitingRelease
        {
            // C.4.1.3 error B: the peer has closed what we had not asked it to.
            if channel.state == OutgoingState::Established {
                notify_closed(scope, channel.session_id, Flow::Transmit, number);
            }
            self.refused(channel.session_id, channel.offer.codec);
        }
    }

    /// RELEASE.request for all our channels: the peer takes nothing any more (H.323 8.4.6).
    pub(crate) fn close_outgoing(&mut self, scope: &mut Scope<'_>) {
        for at in 0..self.outgoing.len() {
            self.release_at(scope, at);
        }
    }

    /// RELEASE.request for one of our channels, unless it is on its way out.
    pub(super) fn release_at(&mut self, scope: &mut Scope<'_>, at: usize) {
        let Some(channel) = self.outgoing.get_mut(at) else {
            return;
        };
        if channel.state == OutgoingState::AwaitingRelease {
            return;
        }
        if channel.state == OutgoingState::Established {
            notify_closed(scope, channel.session_id, Flow::Transmit, channel.number);
        }
        channel.state = OutgoingState::AwaitingRelease;
        let (number, bidirectional) = (channel.number, channel.both_ways.is_some());
        match channel.reverse_of {
            // C.5: only who opened a bidirectional channel can close it; we can ask.
            Some(forward) => self.closing.request(scope, forward, false),
            None => {
                scope.send(pdu::clc(number, CloseSource::User));
                scope.start(Timer::T103(number));
            }
        }
        if bidirectional {
            self.drop_reverse_of_ours(scope, number);
        }
    }

    fn release_silently(&mut self, scope: &mut Scope<'_>, number: u16) {
        let standing = |c: &Outgoing| c.number == number && c.state == OutgoingState::Established;
        if let Some(channel) = self.outgoing.iter_mut().find(|c| standing(c)) {
            channel.state = OutgoingState::AwaitingRelease;
            scope.send(pdu::clc(number, CloseSource::User));
            scope.start(Timer::T103(number));
            self.drop_reverse_of_ours(scope, number);
        }
    }

    /// The call is over: every channel with it, without PDUs.
    pub(crate) fn clear(&mut self, scope: &mut Scope<'_>) {
        let mut told: Vec<u8> = Vec::new();
        for channel in std::mem::take(&mut self.outgoing) {
            scope.timers.stop(Timer::T103(channel.number));
            if channel.state == OutgoingState::Established && !told.contains(&channel.session_id) {
                told.push(channel.session_id);
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
        self.closing.clear(scope);
    }

    /// CloseLogicalChannel is acknowledged in every state (C.4.1.4).
    pub(crate) fn on_close(&mut self, scope: &mut Scope<'_>, number: u16) {
        scope.send(pdu::clc_ack(number));
        self.closing.closed(scope, number);
        self.drop_incoming(scope, number);
    }

    /// The peer's channel carries sound or does not.
    pub(crate) fn on_active(&mut self, scope: &mut Scope<'_>, number: u16, active: bool) {
        let Some(channel) = self.incoming.iter_mut().find(|channel| channel.number == number) else {
            return;
        };
        if channel.active != active {
            channel.active = active;
            let session_id = channel.session_id;
            scope.tell(Event::ChannelActive { session_id, channel: number, active });
        }
    }

    /// The codec that the peer sends in a session.
    pub(super) fn receiving(&self, session_id: u8) -> Option<AudioCodec> {
        self.current(session_id).map(|plan| plan.codec)
    }

    /// The channel that counts in a session: the one the peer opened last.
    pub(crate) fn current(&self, session_id: u8) -> Option<ChannelPlan> {
        self.incoming.iter().rev().find_map(|channel| match channel.state {
            IncomingState::Established(plan) if plan.session_id == session_id => Some(plan),
            _ => None,
        })
    }

    /// An open of ours came to nothing. A replacement may do better in the place of the old channel than beside it.
    pub(super) fn after_reject(&mut self, number: u16) {
        let Some(channel) = self.outgoing.iter().find(|channel| channel.number == number) else {
            return;
        };
        let (session_id, codec, replaces) = (channel.session_id, channel.offer.codec, channel.replaces);
        if channel.redundancy.is_some() {
            add(&mut self.plain, session_id);
        } else if channel.both_ways.is_some() && !self.one_way.contains(&session_id) {
            self.one_way.push(session_id);
        } else if replaces.is_some() && !self.break_first.contains(&session_id) {
            self.break_first.push(session_id);
        } else {
            self.refused(session_id, codec);
        }
    }

    fn refused(&mut self, session_id: u8, codec: AudioCodec) {
        if !self.rejected.contains(&(session_id, codec)) {
            self.rejected.push((session_id, codec));
        }
        self.wanted.retain(|wanted| *wanted != (session_id, codec));
    }

    pub(super) fn take_outgoing(&mut self, scope: &mut Scope<'_>, number: u16) -> Option<Outgoing> {
        let at = self.outgoing.iter().position(|channel| channel.number == number)?;
        scope.timers.stop(Timer::T103(number));
        let taken = self.outgoing.remove(at);
        self.drop_reverse_of_ours(scope, number);
        Some(taken)
    }

    /// A channel of the peer is gone, with its reverse direction if it had one. If it was the one that counted, the
    /// one before it counts again.
    pub(super) fn drop_incoming(&mut self, scope: &mut Scope<'_>, number: u16) {
        self.drop_reverse(scope, number);
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

/// A set of sessions.
pub(super) fn add(sessions: &mut Vec<u8>, session_id: u8) {
    if !sessions.contains(&session_id) {
        sessions.push(session_id);
    }
}

pub(super) fn notify_closed(scope: &mut Scope<'_>, session_id: u8, flow: Flow, channel: u16) {
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
