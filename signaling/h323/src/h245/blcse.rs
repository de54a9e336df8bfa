//! Bidirectional logical channels (H.245 8.5, C.5: B-LCSE), both ways.
//! In: channels to open, Ack, Reject; OpenLogicalChannel with reverse parameters, Confirm; T103. Out: the same PDUs, channels
//! opened and closed.
//!
//! ```text
//!   outgoing   Released - OLC > AwaitingEstablishment - Ack, ours: Confirm > Established - CLC > Released
//!                                 | Reject, T103, Ack of one direction
//!                                 v in one direction (lcse)
//!   incoming   Released - OLC, ours: Ack or Reject > AwaitingConfirmation - Confirm > Established - CLC > Released
//!                                                       | T103, CLC
//!                                                       v Released
//! ```
//! Of a channel of the peer the forward direction is a receive channel like any other (`lcse`), open with the Ack. The
//! reverse direction is a transmit channel with a number of ours; it opens with the Confirm and closes with the forward
//! one. When we want it closed we can only ask (`clcse`).
//!
//! A channel of ours is opened so only if `Config::bidirectional_channels` says it, for audio in H.323 goes by pairs of
//! unidirectional ones (H.323 6.2.8). Its forward direction is a transmit channel, its reverse a receive channel with a
//! number of the peer; both open with the Ack and close with our CloseLogicalChannel.
//!
//! Not here: whether the forward direction is taken (`admission`).

use crate::capability::{OpenChannel, Proposal, packet_ms};
use crate::h245::Notice;
use crate::h245::Scope;
use crate::h245::lcse::{
    Channels, Incoming, IncomingState, Outgoing, OutgoingState, control_address, is_usable, notify_closed,
};
use crate::h245::msdse::Status;
use crate::h245::pdu::{self, OpenAck, OpenReject, ReverseAck};
use crate::{ChannelPlan, Flow, LocalSession, Timer};

impl Channels {
    /// Whether a channel that we are about to open is to carry both directions.
    pub(super) fn opens_both_ways(&self, scope: &Scope<'_>, session_id: u8, replaces: Option<u16>) -> bool {
        let wanted = scope.config.bidirectional_channels && !self.one_way.contains(&session_id);
        // What is received already is the peer's to change, unless it came with the channel that this one replaces.
        let others = self.incoming.iter().any(|channel| {
            channel.session_id == session_id
                && (channel.reverse_of.is_none() || channel.reverse_of != replaces)
        });
        wanted && !others && self.incoming.len() < scope.config.limits.channels
    }

    /// Whether the Ack of our channel says what its kind needs; if not, the channel is on its way out.
    pub(super) fn takes_reverse(&mut self, scope: &mut Scope<'_>, at: usize, ack: &OpenAck) -> bool {
        let Some(channel) = self.outgoing.get(at).filter(|channel| channel.both_ways.is_some()) else {
            return true;
        };
        let number = channel.number;
        let room = self.incoming.len() < scope.config.limits.channels;
        let known =
            |reverse: ReverseAck| self.incoming.iter().any(|channel| channel.number == reverse.number);
        if room && ack.reverse.is_some_and(|reverse| !known(reverse)) {
            return true;
        }
        // A peer that knows one direction only may acknowledge that one.
        self.after_reject(number);
        self.release_at(scope, at);
        false
    }

    /// Our channel at `at` stands: confirmed, it carries the other direction as well.
    pub(super) fn open_reverse(&mut self, scope: &mut Scope<'_>, at: usize, ack: &OpenAck) {
        let Some(channel) = self.outgoing.get(at) else {
            return;
        };
        let (Some(both), Some(reverse), Some(sent)) = (channel.both_ways, ack.reverse, channel.plan) else {
            return;
        };
        let payload_type = reverse.payload_type.unwrap_or(both.payload_type);
        let plan = ChannelPlan {
            flow: Flow::Receive,
            channel: reverse.number,
            payload_type,
            packet_ms: channel.offer.packet_ms,
            remote_rtp: None,
            remote_rtcp: control_address(None, reverse.media_control),
            telephone_event: both.telephone_event.filter(|events| *events != payload_type),
            ..sent
        };
        let number = channel.number;
        scope.send(pdu::olc_confirm(number));
        self.incoming.push(Incoming {
            number: reverse.number,
            session_id: plan.session_id,
            state: IncomingState::Established(plan),
            reverse_of: Some(number),
            active: true,
        });
        scope.notify(Notice::Opened(plan));
    }

    /// Our channel is gone, and its reverse direction with it.
    pub(super) fn drop_reverse_of_ours(&mut self, scope: &mut Scope<'_>, forward: u16) {
        let reverse = self.incoming.iter().find(|channel| channel.reverse_of == Some(forward));
        if let Some(number) = reverse.map(|channel| channel.number) {
            self.drop_incoming(scope, number);
        }
    }

    /// The reverse direction of a channel whose forward direction is taken: acknowledged, or the cause why not.
    pub(super) fn admit_reverse(
        &mut self,
        scope: &mut Scope<'_>,
        open: &OpenChannel,
        reverse: &Proposal,
        session: &LocalSession,
        status: Option<Status>,
    ) -> Result<(), OpenReject> {
        let id = session.session_id;
        let Some((mut offer, most)) = reverse.data.offer_in(session) else {
            return Err(OpenReject::UnsuitableReverseParameters);
        };
        // Without an address there is nowhere to send.
        let Some(remote_rtp) = reverse.media.filter(is_usable) else {
            return Err(OpenReject::UnsuitableReverseParameters);
        };
        if self.outgoing.len() >= scope.config.limits.channels {
            return Err(OpenReject::Unspecified);
        }
        let ours = |c: &Outgoing| c.session_id == id && c.state != OutgoingState::AwaitingRelease;
        if self.outgoing.iter().any(ours) {
            // Both want to say what we send in this session: the master decides (H.245 8.4.1).
            if status != Some(Status::Slave) {
                return Err(OpenReject::MasterSlaveConflict);
            }
            for at in 0..self.outgoing.len() {
                if self.outgoing.get(at).is_some_and(ours) {
                    self.release_at(scope, at);
                }
            }
        }
        let number = self.take_number();
        offer.payload_type = reverse.payload_type.unwrap_or(offer.payload_type);
        let packet_ms = packet_ms(&offer, most);
        self.outgoing.push(Outgoing {
            number,
            session_id: id,
            offer,
            redundancy: None,
            packet_ms,
            state: OutgoingState::AwaitingConfirmation,
            replaces: None,
            reverse_of: Some(open.number),
            both_ways: None,
            plan: Some(ChannelPlan {
                session_id: id,
                flow: Flow::Transmit,
                channel: number,
                codec: offer.codec,
                payload_type: offer.payload_type,
                packet_ms,
                remote_rtp: Some(remote_rtp),
                remote_rtcp: control_address(Some(remote_rtp), reverse.media_control),
                telephone_event: None,
                redundancy: None,
                early: scope.early,
            }),
        });
        scope.send(pdu::olc_ack_bidirectional(open.number, number, session, &offer));
        scope.start(Timer::T103Confirm(open.number));
        Ok(())
    }

    /// OpenLogicalChannelConfirm: we may send.
    pub(crate) fn on_confirm(&mut self, scope: &mut Scope<'_>, number: u16, telephone_event: Option<u8>) {
        let awaiting = |c: &&mut Outgoing| {
            c.reverse_of == Some(number) && c.state == OutgoingState::AwaitingConfirmation
        };
        let Some(channel) = self.outgoing.iter_mut().find(awaiting) else {
            return;
        };
        scope.timers.stop(Timer::T103Confirm(number));
        channel.state = OutgoingState::Established;
        if let Some(plan) = &mut channel.plan {
            plan.telephone_event = telephone_event.filter(|events| *events != plan.payload_type);
            scope.notify(Notice::Opened(*plan));
        }
    }

    /// T103 of the incoming side: the channel was never confirmed (C.5.3.4); it is released, both directions.
    pub(crate) fn on_t103_confirm(&mut self, scope: &mut Scope<'_>, number: u16) {
        self.drop_incoming(scope, number);
    }

    /// The forward direction is gone, and this with it.
    pub(super) fn drop_reverse(&mut self, scope: &mut Scope<'_>, forward: u16) {
        let reverse = |c: &Outgoing| c.reverse_of == Some(forward);
        let Some(at) = self.outgoing.iter().position(reverse) else {
            return;
        };
        scope.timers.stop(Timer::T103Confirm(forward));
        let channel = self.outgoing.remove(at);
        if channel.state == OutgoingState::Established {
            notify_closed(scope, channel.session_id, Flow::Transmit, channel.number);
        }
    }
}
