//! Fast connect (H.323 8.1.7): channels proposed in Setup, chosen by the called side.
//! In: our media, the caller's proposals or the called side's answer. Out: fastStart elements, channels.
//!
//! ```text
//!   in Setup, each an OpenLogicalChannel, in order of the caller's preference:
//!     caller → called   forward audio, RTCP of the caller            ┐ alternatives of a session:
//!     called → caller   forward null, reverse audio, RTP and RTCP    ┘ the called side picks one each
//!   in the answer:
//!     caller → called   the same, RTP and RTCP of the called side
//!     called → caller   number of the called side's choice, RTCP of the called side
//! ```
//!
//! The forward proposals each have a number of their own, the reverse ones share one (it means
//! nothing: the called side numbers what it sends); real peers do either.
//!
//! Not here: in which message the answer travels, and what follows a refusal (the call).

use bytes::Bytes;
use offhook_wire::h245::{
    DataType as WireDataType, OpenLogicalChannel, OpenLogicalChannelForwardLogicalChannelParameters,
    OpenLogicalChannelForwardLogicalChannelParametersMultiplexParameters as ForwardParameters,
    OpenLogicalChannelReverseLogicalChannelParameters,
    OpenLogicalChannelReverseLogicalChannelParametersMultiplexParameters as ReverseParameters,
};
use offhook_wire::per;

use crate::address::to_h245;
use crate::capability::{self, OpenChannel, Proposal};
use crate::h245::lcse::{control_address, is_usable};
use crate::h245::pdu;
use crate::{AudioCodec, ChannelPlan, CodecOffer, CodecPreference, Flow, LocalMedia, LocalSession};

/// The number that reverse proposals carry.
const REVERSE_NUMBER: u16 = 1;

/// Where fast connect stands.
#[derive(Debug)]
pub(crate) enum FastConnect {
    /// Nobody proposed it.
    Unused,
    /// Caller: Setup proposes, no answer yet.
    Offered(Vec<Offered>),
    /// Called side: Setup proposed, we have not answered.
    Proposed(Vec<OpenChannel>),
    Accepted,
    /// Refused, unanswered at Connect, or unusable: H.245 opens the channels.
    Refused,
}

impl FastConnect {
    /// Still to be decided: H.245 waits for it (H.323 8.1.7.1).
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Offered(_) | Self::Proposed(_))
    }

    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }
}

/// One of our proposals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offered {
    flow: Flow,
    number: u16,
    session_id: u8,
    offer: CodecOffer,
}

/// A channel that both sides agreed.
pub(crate) struct Agreed {
    pub(crate) plan: ChannelPlan,
    pub(crate) offer: CodecOffer,
}

/// The caller's proposals: every codec of every session, both ways.
pub(crate) fn propose(
    media: &LocalMedia,
    mut take_number: impl FnMut() -> u16,
) -> (Vec<Bytes>, Vec<Offered>) {
    let mut elements = Vec::new();
    let mut offered = Vec::new();
    for session in &media.sessions {
        for offer in &session.codecs {
            let mut push = |flow, number, open: OpenLogicalChannel| {
                if let Ok(octets) = per::encode(&open) {
                    elements.push(Bytes::from(octets));
                    offered.push(Offered { flow, number, session_id: session.session_id, offer: *offer });
                }
            };
            let mut reverse = pdu::channel_parameters(session, offer);
            reverse.media_channel = Some(to_h245(session.rtp));
            // A reverse channel's silenceSuppression would speak for the sender, who is not us.
            reverse.silence_suppression = None;
            // What we want to receive, not the most that we could take: H323Plus sends packets as long as the number
            // offered here, and 60 ms in one packet are 40 ms of delay for nothing.
            let open = reverse_channel(REVERSE_NUMBER, offer.codec, offer.packet_ms, reverse);
            push(Flow::Receive, REVERSE_NUMBER, open);
            let number = take_number();
            let forward = pdu::channel_parameters(session, offer);
            push(Flow::Transmit, number, forward_channel(number, offer.codec, offer.packet_ms, forward));
        }
    }
    (elements, offered)
}

/// The channels that the called side's answer opens, the first for each session and direction. What was
/// not proposed, or cannot be read, opens none.
pub(crate) fn read_answer(
    elements: &[Bytes],
    offered: &[Offered],
    media: &LocalMedia,
    limit: usize,
) -> Vec<Agreed> {
    let mut agreed: Vec<Agreed> = Vec::new();
    for open in read(elements, limit) {
        let (flow, proposal) = match &open.reverse {
            Some(reverse) => (Flow::Receive, reverse),
            None => (Flow::Transmit, &open.forward),
        };
        let local = session(media, proposal.session_id);
        let Some((CodecOffer { codec, .. }, ms)) = local.and_then(|s| proposal.data.offer_in(s)) else {
            continue;
        };
        let ours = offered.iter().find(|offered| {
            offered.flow == flow && offered.session_id == proposal.session_id && offered.offer.codec == codec
        });
        let known = agreed
            .iter()
            .any(|agreed| agreed.plan.flow == flow && agreed.plan.session_id == proposal.session_id);
        let Some(ours) = ours.filter(|_| !known) else {
            continue;
        };
        let remote_rtp = proposal.media.filter(is_usable);
        if flow == Flow::Transmit && remote_rtp.is_none() {
            continue;
        }
        let telephone_event = match flow {
            Flow::Receive => session(media, ours.session_id).and_then(|session| session.telephone_event),
            // Said only in a TerminalCapabilitySet.
            Flow::Transmit => None,
        };
        agreed.push(Agreed {
            plan: ChannelPlan {
                session_id: ours.session_id,
                flow,
                channel: if flow == Flow::Transmit { ours.number } else { open.number },
                codec,
                payload_type: proposal.payload_type.unwrap_or(ours.offer.payload_type),
                packet_ms: match flow {
                    Flow::Transmit => capability::packet_ms(&ours.offer, ms),
                    Flow::Receive => ms,
                },
                remote_rtp: if flow == Flow::Transmit { remote_rtp } else { None },
                remote_rtcp: control_address(remote_rtp, proposal.media_control),
                telephone_event,
                redundancy: None,
                early: false,
            },
            offer: ours.offer,
        });
    }
    agreed
}

/// The caller's proposals, as far as they can be read.
pub(crate) fn read(elements: &[Bytes], limit: usize) -> Vec<OpenChannel> {
    let decoded = elements.iter().take(limit).filter_map(|octets| per::decode(octets).ok());
    decoded.map(|open: per::Message<OpenLogicalChannel>| OpenChannel::from(&*open)).collect()
}

/// The called side's choice: for each session one channel each way, by `preference`, the same codec both ways if it
/// can be. `None`: nothing suits, fast connect is refused.
///
/// Packets: we send the shorter of ours and what the proposal takes. Towards us a proposal for longer packets than we
/// announce is answered with our maximum, and taken all the same: some callers keep to their own number, and playout
/// follows what arrives.
pub(crate) fn answer(
    proposals: &[OpenChannel],
    media: &LocalMedia,
    preference: CodecPreference,
    mut take_number: impl FnMut() -> u16,
) -> Option<(Vec<Bytes>, Vec<Agreed>)> {
    let mut elements = Vec::new();
    let mut agreed = Vec::new();
    for session in &media.sessions {
        let in_session = |proposal: &&Proposal| proposal.session_id == session.session_id;
        let forward: Vec<&OpenChannel> =
            proposals.iter().filter(|open| open.reverse.is_none() && in_session(&&open.forward)).collect();
        let reverse: Vec<&Proposal> =
            proposals.iter().filter_map(|open| open.reverse.as_ref()).filter(in_session).collect();
        let mut forward = suitable(&forward, |open| &open.forward, session, preference).into_iter();
        let mut reverse = suitable(&reverse, |reverse| reverse, session, preference);
        reverse.retain(|(reverse, ..)| reverse.media.is_some_and(|rtp| is_usable(&rtp)));

        let towards_us = forward.next();
        let same =
            |offer: &CodecOffer| towards_us.as_ref().is_some_and(|(_, ours, _)| ours.codec == offer.codec);
        let at = reverse.iter().position(|(_, offer, _)| same(offer)).unwrap_or_default();
        let from_us =
            reverse.get(at).and_then(|(reverse, offer, ms)| Some((*reverse, reverse.media?, (*offer, *ms))));

        if let Some((reverse, rtp, (offer, ms))) = from_us {
            let number = take_number();
            let packet_ms = capability::packet_ms(&offer, ms);
            let mut parameters = pdu::channel_parameters(session, &offer);
            parameters.dynamic_rtp_payload_type = reverse.payload_type;
            elements.push(reverse_channel(number, offer.codec, packet_ms, parameters));
            agreed.push(Agreed {
                plan: ChannelPlan {
                    session_id: session.session_id,
                    flow: Flow::Transmit,
                    channel: number,
                    codec: offer.codec,
                    payload_type: reverse.payload_type.unwrap_or(offer.payload_type),
                    packet_ms,
                    remote_rtp: Some(rtp),
                    remote_rtcp: control_address(Some(rtp), reverse.media_control),
                    telephone_event: None,
                    redundancy: None,
                    early: false,
                },
                offer,
            });
        }
        if let Some((open, offer, ms)) = towards_us {
            let mut parameters = pdu::channel_parameters(session, &offer);
            parameters.media_channel = Some(to_h245(session.rtp));
            parameters.dynamic_rtp_payload_type = open.forward.payload_type;
            elements.push(forward_channel(open.number, offer.codec, ms.min(offer.max_packet_ms), parameters));
            agreed.push(Agreed {
                plan: ChannelPlan {
                    session_id: session.session_id,
                    flow: Flow::Receive,
                    channel: open.number,
                    codec: offer.codec,
                    payload_type: open.forward.payload_type.unwrap_or(offer.payload_type),
                    packet_ms: ms,
                    remote_rtp: None,
                    remote_rtcp: control_address(None, open.forward.media_control),
                    telephone_event: session.telephone_event,
                    redundancy: None,
                    early: false,
                },
                offer,
            });
        }
    }
    let elements: Option<Vec<Bytes>> =
        elements.iter().map(|open| per::encode(open).ok().map(Bytes::from)).collect();
    elements.filter(|elements| !elements.is_empty()).map(|elements| (elements, agreed))
}

/// The proposals for which we have a codec, the best first, each with our offer and the milliseconds of a packet that it
/// names.
fn suitable<'p, T>(
    proposals: &[&'p T],
    proposal: impl Fn(&'p T) -> &'p Proposal,
    session: &LocalSession,
    preference: CodecPreference,
) -> Vec<(&'p T, CodecOffer, u16)> {
    let offered = proposals.iter().filter_map(|item| {
        let (offer, ms) = proposal(item).data.offer_in(session)?;
        Some((*item, offer, ms))
    });
    let mut suitable: Vec<(&'p T, CodecOffer, u16)> = offered.collect();
    // Two proposals may be for one codec: the first of them stands for it.
    let theirs: Vec<AudioCodec> = suitable.iter().map(|(_, offer, _)| offer.codec).collect();
    let rank = |codec| theirs.iter().position(|theirs| *theirs == codec).unwrap_or(usize::MAX);
    let ours = |codec| session.codecs.iter().position(|offer| offer.codec == codec).unwrap_or(usize::MAX);
    suitable.sort_by_key(|(_, offer, _)| ours(offer.codec));
    preference.sort(&mut suitable, |(_, offer, _)| offer.codec, rank);
    suitable
}

fn session(media: &LocalMedia, id: u8) -> Option<&LocalSession> {
    media.sessions.iter().find(|session| session.session_id == id)
}

/// A channel in the direction of the message.
fn forward_channel(
    number: u16,
    codec: AudioCodec,
    ms: u16,
    parameters: offhook_wire::h245::H2250LogicalChannelParameters,
) -> OpenLogicalChannel {
    let forward = OpenLogicalChannelForwardLogicalChannelParameters::new(
        capability::data_type(codec, ms),
        ForwardParameters::H2250LogicalChannelParameters(parameters.into()),
    );
    OpenLogicalChannel::new(number, forward)
}

/// A channel against the direction of the message.
fn reverse_channel(
    number: u16,
    codec: AudioCodec,
    ms: u16,
    parameters: offhook_wire::h245::H2250LogicalChannelParameters,
) -> OpenLogicalChannel {
    let forward = OpenLogicalChannelForwardLogicalChannelParameters::new(
        WireDataType::NullData,
        ForwardParameters::None,
    );
    let mut reverse =
        OpenLogicalChannelReverseLogicalChannelParameters::new(capability::data_type(codec, ms));
    reverse.multiplex_parameters = Some(ReverseParameters::H2250LogicalChannelParameters(parameters.into()));
    let mut open = OpenLogicalChannel::new(number, forward);
    open.reverse_logical_channel_parameters = Some(reverse);
    open
}
