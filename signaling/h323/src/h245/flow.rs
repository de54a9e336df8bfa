//! Flow control (H.245 FlowControlCommand) and the rates of logical channels (logicalChannelRate).
//! In: the peer's commands and requests, our application's limit. Out: another codec, an event, answers.
//!
//! Audio has the rate of its codec. A limit below that changes the codec to one that fits; where there is none
//! the media side is told and has to send less: silence. Rates on the wire are in units of 100 bit/s.
//!
//! logicalChannelRateRequest is about a channel of the peer (it would send at most so much: granted, we receive
//! whatever comes) or about one of ours (it would get at most so much: granted if some codec of ours fits).
//!
//! Not here: the choice of the codec (`select`).

use offhook_wire::h245::LogicalChannelRateRequest;

use crate::LocalMedia;
use crate::capability::RemoteCapabilities;
use crate::h245::lcse::{Channels, IncomingState, Outgoing, OutgoingState};
use crate::h245::pdu::FlowScope;
use crate::h245::{Scope, pdu};

impl Channels {
    /// FlowControlCommand.
    pub(crate) fn on_flow_control(&mut self, scope: &mut Scope<'_>, flow: FlowScope, limit: Option<u32>) {
        let bits = limit.map(|hundreds| hundreds.saturating_mul(100));
        match flow {
            FlowScope::Channel(number) => {
                // A number that is not ours crossed with our closing it.
                if let Some(session_id) = self.session_of(number) {
                    self.limit(scope, session_id, bits);
                }
            }
            FlowScope::Whole => {
                let mut sessions: Vec<u8> = self
                    .outgoing
                    .iter()
                    .filter(|channel| channel.state != OutgoingState::AwaitingRelease)
                    .map(|channel| channel.session_id)
                    .collect();
                sessions.sort_unstable();
                sessions.dedup();
                let share = u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
                for session_id in sessions {
                    self.limit(scope, session_id, bits.map(|bits| bits / share));
                }
            }
        }
    }

    /// logicalChannelRateRequest.
    pub(crate) fn on_rate_request(
        &mut self,
        scope: &mut Scope<'_>,
        asked: &LogicalChannelRateRequest,
        media: Option<&LocalMedia>,
        remote: &RemoteCapabilities,
    ) {
        let number = asked.logical_channel_number;
        if self.is_receiving_in(number) {
            return scope.send(pdu::rate_ack(asked));
        }
        let bits = asked.maximum_bit_rate.saturating_mul(100);
        let Some(channel) = self.outgoing.iter().find(|c| c.number == number && standing(c)) else {
            return scope.send(pdu::rate_reject(asked, None));
        };
        let session_id = channel.session_id;
        let codec = channel.offer.codec;
        let slow_enough = media.is_some_and(|media| {
            let codecs = media.sessions.iter().filter(|s| s.session_id == session_id).flat_map(|s| &s.codecs);
            codecs.into_iter().any(|o| o.codec.bit_rate() <= bits && remote.packet_ms(o).is_some())
        });
        if codec.bit_rate() > bits && !slow_enough {
            return scope.send(pdu::rate_reject(asked, Some(codec.bit_rate().div_ceil(100))));
        }
        scope.send(pdu::rate_ack(asked));
        self.limit(scope, session_id, Some(bits));
    }

    /// Our application limits what the peer sends in a session; bit/s. False when it sends nothing there.
    pub(crate) fn limit_peer(&mut self, scope: &mut Scope<'_>, session_id: u8, bits: Option<u32>) -> bool {
        let Some(plan) = self.current(session_id) else {
            return false;
        };
        scope.send(pdu::flow_control(plan.channel, bits.map(|bits| bits / 100)));
        true
    }

    /// The session of one of our channels.
    pub(crate) fn session_of(&self, number: u16) -> Option<u8> {
        self.outgoing.iter().find(|c| c.number == number && standing(c)).map(|channel| channel.session_id)
    }

    /// The peer's channel of this number is open.
    pub(crate) fn is_receiving_in(&self, number: u16) -> bool {
        let open = |state: &IncomingState| matches!(state, IncomingState::Established(_));
        self.incoming.iter().any(|channel| channel.number == number && open(&channel.state))
    }
}

fn standing(channel: &Outgoing) -> bool {
    channel.state == OutgoingState::Established
}
