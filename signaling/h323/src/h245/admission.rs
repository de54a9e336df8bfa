//! Whether a channel of the peer is taken (H.245 8.4.2, B.3).
//! In: OpenLogicalChannel, our media. Out: OpenLogicalChannelAck or Reject with the cause, channels opened.
//!
//! A channel that announces longer packets than our capability names is taken: H.245 8.4 leaves a channel beyond the
//! capabilities to the receiver, real peers announce their most and send less, and playout follows what arrives. The plan tells
//! what was announced.
//! ```text
//!   securityDenied                      encryptionSync, h235Media, h235Control, encryptionData
//!   dataTypeALCombinationNotSupported   parameters of H.222.0, H.223 or V.76
//!   multicastChannelNotAllowed          mediaChannel is a multicast address
//!   separateStackEstablishmentFailed    separateStack
//!   qoSControlNotSupported              transportCapability with guaranteedQOS or ATM
//!   invalidDependentChannel             depends on a channel that is not open
//!   replacementForRejected              replaces a channel that is not open
//!   unknownDataType                     an alternative of a later version
//!   dataTypeNotSupported                what we do not decode; nullData
//!   dataTypeNotAvailable                audio while the media side pauses
//!   invalidSessionID                    a session that we do not have
//!   masterSlaveConflict                 we are master and want one codec both ways, or send already (`blcse`)
//!   insufficientBandwidth               beyond `Call::set_bandwidth`
//!   unsuitableReverseParameters         `blcse`
//!   unspecified                         more than `Limits::channels`
//! ```
//! waitForCommunicationMode is never said: it is an MC's, which has to choose the mode of its conference first, and this
//! endpoint has none.
//!
//! Not here: the machines (`lcse`, `blcse`).

use crate::capability::{DataType, OpenChannel};
use crate::h245::Notice;
use crate::h245::Scope;
use crate::h245::lcse::{Channels, Incoming, IncomingState, OutgoingState, control_address, is_usable};
use crate::h245::msdse::Status;
use crate::h245::pdu::{self, OpenReject};
use crate::{ChannelPlan, CodecOffer, Flow, LocalMedia, LocalSession, Redundancy};

/// A channel that can be taken.
pub(super) struct Admitted<'m> {
    pub(super) session: &'m LocalSession,
    pub(super) offer: CodecOffer,
    pub(super) packet_ms: u16,
}

impl Channels {
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
            scope.counters.channels_full = scope.counters.channels_full.saturating_add(1);
            reject(scope, open.number, OpenReject::Unspecified);
            return;
        }
        match media {
            Some(media) => self.admit(scope, &open, media, status),
            None => self.incoming.push(Incoming {
                number: open.number,
                session_id: open.forward.session_id,
                state: IncomingState::AwaitingMedia(Box::new(open)),
                reverse_of: None,
                active: true,
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
        let taken = match self.examine(scope, open, media, status) {
            Ok(taken) => taken,
            Err(cause) => return reject(scope, open.number, cause),
        };
        match &open.reverse {
            None => scope.send(pdu::olc_ack(open.number, taken.session)),
            Some(reverse) => {
                if let Err(cause) = self.admit_reverse(scope, open, reverse, taken.session, status) {
                    return reject(scope, open.number, cause);
                }
            }
        }
        let payload_type = open.forward.payload_type.unwrap_or(taken.offer.payload_type);
        let redundancy = open.forward.redundancy;
        let media = open.forward.media.filter(is_usable);
        let plan = ChannelPlan {
            session_id: taken.session.session_id,
            flow: Flow::Receive,
            channel: open.number,
            codec: taken.offer.codec,
            payload_type,
            packet_ms: taken.packet_ms,
            remote_rtp: media,
            remote_rtcp: control_address(media, open.forward.media_control),
            // Two payloads under one number cannot be told apart.
            telephone_event: taken.session.telephone_event.filter(|events| {
                *events != payload_type && redundancy.is_none_or(|copies| *events != copies.payload_type)
            }),
            redundancy,
            early: scope.early,
        };
        self.incoming.push(Incoming {
            number: open.number,
            session_id: taken.session.session_id,
            state: IncomingState::Established(plan),
            reverse_of: None,
            active: true,
        });
        scope.notify(Notice::Opened(plan));
        if let Some(replaced) = open.extras.replaces {
            // replacementFor: the old channel goes when the new one stands (H.245 8.4.1), without our asking.
            self.drop_incoming(scope, replaced);
        }
    }

    fn examine<'m>(
        &self,
        scope: &Scope<'_>,
        open: &OpenChannel,
        media: &'m LocalMedia,
        status: Option<Status>,
    ) -> Result<Admitted<'m>, OpenReject> {
        let data = &open.forward.data;
        self.examine_extras(open)?;
        match data.primary() {
            DataType::Audio { .. } | DataType::Described(_) => {}
            DataType::Null | DataType::Unsupported | DataType::Redundant { .. } => {
                return Err(OpenReject::DataTypeNotSupported);
            }
            DataType::Encrypted => return Err(OpenReject::SecurityDenied),
            DataType::Unknown => return Err(OpenReject::UnknownDataType),
        }
        if media.sessions.is_empty() {
            return Err(OpenReject::DataTypeNotAvailable);
        }
        let offer_in = |session: &LocalSession| {
            let is_taken = open.forward.redundancy.is_none() || session.redundancy.is_some();
            data.primary().offer_in(session).filter(|_| is_taken)
        };
        let has = |session: &&LocalSession| offer_in(session).is_some();
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
        let (offer, packet_ms) = offer_in(session).ok_or(OpenReject::DataTypeNotSupported)?;
        let differs = self.outgoing.iter().any(|channel| {
            channel.session_id == session.session_id
                && channel.state != OutgoingState::AwaitingRelease
                && channel.offer.codec != offer.codec
        });
        if scope.config.symmetric_codecs && differs && status == Some(Status::Master) {
            return Err(OpenReject::MasterSlaveConflict);
        }
        if !self.affords(Redundancy::bit_rate(open.forward.redundancy, offer.codec), None) {
            return Err(OpenReject::InsufficientBandwidth);
        }
        Ok(Admitted { session, offer, packet_ms })
    }

    /// What a channel asks for beside its data.
    fn examine_extras(&self, open: &OpenChannel) -> Result<(), OpenReject> {
        let extras = &open.extras;
        let known = |number: u16| self.incoming.iter().any(|channel| channel.number == number);
        if extras.other_multiplex {
            return Err(OpenReject::DataTypeAlCombinationNotSupported);
        }
        if extras.multicast {
            return Err(OpenReject::MulticastChannelNotAllowed);
        }
        if extras.separate_stack {
            return Err(OpenReject::SeparateStackEstablishmentFailed);
        }
        if extras.reserves {
            return Err(OpenReject::QosControlNotSupported);
        }
        if extras.encryption {
            return Err(OpenReject::SecurityDenied);
        }
        if extras.depends_on.is_some_and(|number| !known(number)) {
            return Err(OpenReject::InvalidDependentChannel);
        }
        if extras.replaces.is_some_and(|number| !known(number)) {
            return Err(OpenReject::ReplacementForRejected);
        }
        Ok(())
    }
}

fn reject(scope: &mut Scope<'_>, number: u16, cause: OpenReject) {
    scope.counters.channels_rejected = scope.counters.channels_rejected.saturating_add(1);
    scope.send(pdu::olc_reject(number, cause));
}
