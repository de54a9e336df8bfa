//! Which codec we send in each session, and when that changes.
//! In: both sides' capabilities, what was rejected, asked for, limited. Out: channels opened, replaced, released.
//!
//! ```text
//!   our codecs, in the order of `codec_preference`; what was asked for (RequestMode, change_codec) first
//!     ── the peer takes it, beside the codecs of the other sessions (descriptors)
//!     ── not rejected; what the peer sends, if it decided so (masterSlaveConflict)
//!     ── within flow control and bandwidth
//!   the first that is left: opened if nothing is; in the place of one that became impossible or unwanted
//!     with copies (RFC 2198) where we send some, the peer takes them and did not refuse, and they fit the limits
//! ```
//! Another codec comes in a channel of its own, with a new number; the old one is closed when the new one
//! stands, or first, for a peer that takes no two.
//!
//! Not here: the channels' machines (`lcse`).

use crate::capability::{RemoteCapabilities, dynamic_payload_type};
use crate::h245::lcse::{Channels, IncomingState, Outgoing, OutgoingState};
use crate::h245::{Notice, Scope};
use crate::{AudioCodec, CodecOffer, Event, LocalMedia, LocalSession, Redundancy};

/// What a channel is opened with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// The codec, with the payload type of this channel.
    pub(super) offer: CodecOffer,
    pub(super) packet_ms: u16,
    pub(super) redundancy: Option<Redundancy>,
}

impl Channels {
    /// Makes what we send what it should be.
    pub(crate) fn reconcile(
        &mut self,
        scope: &mut Scope<'_>,
        media: &LocalMedia,
        remote: &RemoteCapabilities,
    ) {
        for session in &media.sessions {
            let id = session.session_id;
            let undecided = |c: &Outgoing| {
                let open = matches!(
                    c.state,
                    OutgoingState::AwaitingEstablishment | OutgoingState::AwaitingConfirmation
                );
                c.session_id == id && open
            };
            if self.parked.contains(&id) || self.outgoing.iter().any(undecided) {
                continue;
            }
            let standing = |c: &Outgoing| c.session_id == id && c.state == OutgoingState::Established;
            let Some(at) = self.outgoing.iter().position(standing) else {
                self.open_in(scope, session, media, remote);
                continue;
            };
            self.change_in(scope, at, session, media, remote);
        }
    }

    /// Nothing is sent in this session yet.
    fn open_in(
        &mut self,
        scope: &mut Scope<'_>,
        session: &LocalSession,
        media: &LocalMedia,
        remote: &RemoteCapabilities,
    ) {
        let id = session.session_id;
        if self.following.contains(&id) && self.receiving(id).is_none() {
            return;
        }
        match self.candidate(scope, session, media, remote) {
            Some(_) if self.outgoing.len() >= scope.config.limits.channels => {}
            Some(choice) => self.open(scope, session, choice, None),
            None if self.rejected.iter().any(|(session_id, _)| *session_id == id) => {
                self.parked.push(id);
                scope.notify(Notice::Rejected { session_id: id });
            }
            None => {}
        }
    }

    /// The channel at `at` is open: whether it can stay.
    fn change_in(
        &mut self,
        scope: &mut Scope<'_>,
        at: usize,
        session: &LocalSession,
        media: &LocalMedia,
        remote: &RemoteCapabilities,
    ) {
        let Some(channel) = self.outgoing.get(at).filter(|channel| channel.reverse_of.is_none()) else {
            // Of a bidirectional channel the codec is the peer's to change.
            return;
        };
        let id = session.session_id;
        let (number, codec) = (channel.number, channel.offer.codec);
        let has_copies = channel.redundancy.is_some();
        let ours = session.codecs.iter().any(|offer| offer.codec == codec);
        let impossible = !ours || remote.packet_ms(&channel.offer).is_none();
        let unwanted = self.wanted_in(id).is_some_and(|wanted| wanted != codec);
        let too_fast = self.limit_of(id).is_some_and(|limit| codec.bit_rate() > limit);
        let copies = self.copies_of(&channel.offer, session, remote);
        let recast = copies.is_some() != has_copies;
        if !impossible && !unwanted && !too_fast && !recast {
            return;
        }
        let stays = !impossible && !unwanted && !too_fast;
        let other = if stays {
            let (offer, packet_ms) = (channel.offer, channel.packet_ms);
            Some(Choice { offer, packet_ms, redundancy: copies })
        } else {
            self.candidate(scope, session, media, remote).filter(|choice| choice.offer.codec != codec)
        };
        let room = self.outgoing.len() < scope.config.limits.channels;
        match other {
            Some(choice) if room && self.break_first.contains(&id) => {
                self.release_at(scope, at);
                self.open(scope, session, choice, None);
            }
            Some(choice) if room => self.open(scope, session, choice, Some(number)),
            _ if impossible => self.release_at(scope, at),
            _ => {}
        }
    }

    /// The codec that suits best, with the payload type for it, and the length of packets.
    fn candidate(
        &self,
        scope: &Scope<'_>,
        session: &LocalSession,
        media: &LocalMedia,
        remote: &RemoteCapabilities,
    ) -> Option<Choice> {
        let id = session.session_id;
        let mut offers: Vec<&CodecOffer> = session.codecs.iter().collect();
        scope.config.codec_preference.sort(&mut offers, |offer| offer.codec, |codec| remote.rank(codec));
        let wanted = self.wanted_in(id);
        offers.sort_by_key(|offer| wanted != Some(offer.codec));
        let following = self.following.contains(&id);
        let theirs = self.receiving(id).filter(|_| following);
        let limit = self.limit_of(id);
        let others: Vec<AudioCodec> = self
            .outgoing
            .iter()
            .filter(|c| c.session_id != id && c.state != OutgoingState::AwaitingRelease)
            .filter(|c| media.sessions.iter().any(|session| session.session_id == c.session_id))
            .map(|c| c.offer.codec)
            .collect();
        offers.into_iter().find_map(|offer| {
            let codec = offer.codec;
            let packet_ms = remote.packet_ms(offer)?;
            let mut together = others.clone();
            together.push(codec);
            let fits = theirs.is_none_or(|theirs| theirs == codec)
                && !self.rejected.contains(&(id, codec))
                && limit.is_none_or(|limit| codec.bit_rate() <= limit)
                && self.affords(codec.bit_rate(), Some(id))
                && remote.together(&together);
            fits.then(|| {
                let offer = with_free_payload_type(*offer, session, remote);
                Choice { offer, packet_ms, redundancy: self.copies_of(&offer, session, remote) }
            })
        })
    }

    /// The copies that a channel of `offer` may have: ours to send, the peer's to take, within the limits.
    fn copies_of(
        &self,
        offer: &CodecOffer,
        session: &LocalSession,
        remote: &RemoteCapabilities,
    ) -> Option<Redundancy> {
        let id = session.session_id;
        let ours = session.redundancy.filter(|ours| ours.copies > 0)?;
        let bit_rate = Redundancy::bit_rate(Some(ours), offer.codec);
        let fits = remote.takes_copies(offer.codec)
            && !self.plain.contains(&id)
            && self.limit_of(id).is_none_or(|limit| bit_rate <= limit)
            && self.affords(bit_rate, Some(id));
        let events = remote.telephone_event().map(|(payload_type, _)| payload_type);
        let taken = |number: &u8| *number == offer.payload_type || Some(*number) == events;
        let payload_type = Some(ours.payload_type).filter(|number| !taken(number));
        let payload_type = payload_type.or_else(|| (96..=127).rev().find(|number| !taken(number)))?;
        fits.then_some(Redundancy { payload_type, ..ours })
    }

    /// The codec that was asked for in a session.
    fn wanted_in(&self, session_id: u8) -> Option<AudioCodec> {
        self.wanted.iter().find(|(id, _)| *id == session_id).map(|(_, codec)| *codec)
    }

    /// From now on `codec` comes first in this session.
    pub(crate) fn want(&mut self, session_id: u8, codec: AudioCodec) {
        self.wanted.retain(|(id, _)| *id != session_id);
        self.wanted.push((session_id, codec));
        self.rejected.retain(|rejected| *rejected != (session_id, codec));
        self.parked.retain(|id| *id != session_id);
    }

    /// The most bit/s that we may send in a session.
    pub(super) fn limit_of(&self, session_id: u8) -> Option<u32> {
        let limits = self.rates.iter().chain(&self.ceilings);
        limits.filter(|(id, _)| *id == session_id).map(|(_, rate)| *rate).min()
    }

    /// The peer's flow control for a session, in bit/s.
    pub(super) fn limit(&mut self, scope: &mut Scope<'_>, session_id: u8, max_bit_rate: Option<u32>) {
        let before = self.rates.iter().position(|(id, _)| *id == session_id);
        let before = before.map(|at| self.rates.swap_remove(at).1);
        self.rates.extend(max_bit_rate.map(|rate| (session_id, rate)));
        if before != max_bit_rate {
            scope.tell(Event::RateLimited { session_id, max_bit_rate });
        }
    }

    pub(crate) fn set_bandwidth(&mut self, bandwidth: Option<u32>) {
        self.bandwidth = bandwidth;
        self.parked.clear();
    }

    /// A channel of `bit_rate` fits into what is left of the bandwidth, not counting what we send in `instead_of`.
    pub(super) fn affords(&self, bit_rate: u32, instead_of: Option<u8>) -> bool {
        let Some(bandwidth) = self.bandwidth else {
            return true;
        };
        let sent = self
            .outgoing
            .iter()
            .filter(|c| c.state != OutgoingState::AwaitingRelease && Some(c.session_id) != instead_of)
            .map(|c| Redundancy::bit_rate(c.redundancy, c.offer.codec));
        let received = self.incoming.iter().filter_map(|channel| match channel.state {
            IncomingState::Established(plan) => Some(Redundancy::bit_rate(plan.redundancy, plan.codec)),
            IncomingState::AwaitingMedia(_) => None,
        });
        let used = sent.chain(received).fold(0u32, u32::saturating_add);
        used.saturating_add(bit_rate) <= bandwidth
    }
}

/// A dynamic payload type that is not the peer's for telephone-events: the channel's is ours to choose
/// (H.245 B.3.1, dynamicRTPPayloadType), its are not.
fn with_free_payload_type(
    mut offer: CodecOffer,
    session: &LocalSession,
    remote: &RemoteCapabilities,
) -> CodecOffer {
    let events = remote.telephone_event().map(|(payload_type, _)| payload_type);
    if events == Some(offer.payload_type) && dynamic_payload_type(offer.payload_type).is_some() {
        let taken = |payload_type: u8| {
            Some(payload_type) == events
                || session.codecs.iter().any(|other| other.payload_type == payload_type)
        };
        if let Some(free) = (96..=127).find(|payload_type| !taken(*payload_type)) {
            offer.payload_type = free;
        }
    }
    offer
}
