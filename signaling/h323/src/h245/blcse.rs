//! Bidirectional logical channels (H.245 8.5, C.5: B-LCSE), those that the peer opens.
//! In: OpenLogicalChannel with reverse parameters, Confirm, T103. Out: Ack or Reject, our direction opened, closed.
//!
//! ```text
//!   Released ─ OLC / Ack ▶ AwaitingConfirmation ─ Confirm ▶ Established ─ CLC / CLCAck ▶ Released
//!                                 │ T103, CLC
//!                                 ▼ Released
//! ```
//! The forward direction is a receive channel like any other (`lcse`), open with the Ack. The reverse direction is a
//! transmit channel with a number of ours; it opens with the Confirm and closes with the forward one. When we want it
//! closed we can only ask (`clcse`).
//!
//! We open none ourselves: audio in H.323 goes by pairs of unidirectional channels (H.323 6.2.8.2).
//!
//! Not here: whether the forward direction is taken (`admission`).

use crate::capability::{OpenChannel, Proposal, packet_ms};
use crate::h245::Notice;
use crate::h245::Scope;
use crate::h245::lcse::{Channels, Outgoing, OutgoingState, control_address, is_usable, notify_closed};
use crate::h245::msdse::Status;
use crate::h245::pdu::{self, OpenReject};
use crate::{ChannelPlan, Flow, LocalSession, Timer};

impl Channels {
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
            packet_ms,
            state: OutgoingState::AwaitingConfirmation,
            replaces: None,
            reverse_of: Some(open.number),
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
