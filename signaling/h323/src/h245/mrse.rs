//! Mode requests (H.245 C.9: MRSE), both ways.
//! In: TRANSFER.request, the peer's PDUs, T109. Out: PDUs, the codec that we are to send, what the peer answered.
//!
//! ```text
//!   outgoing   Idle ─ RequestMode ▶ AwaitingResponse ─ Ack, Reject ▶ Idle
//!                                     │ T109 / RequestModeRelease ▶ Idle
//!   incoming   RequestMode ─ Ack: the first description all of which we can send; else Reject modeUnavailable
//! ```
//! A new request takes the place of one that is unanswered (C.11: out_SQ). The incoming side answers at once and
//! then changes codecs (`select`), so that a release finds nothing to undo.
//!
//! Not here: opening and closing (`lcse`).

use offhook_wire::h245::{ModeElement, ModeElementType, RequestMode};

use crate::capability::{self, RemoteCapabilities};
use crate::h245::lcse::Channels;
use crate::h245::{Scope, pdu};
use crate::{AudioCodec, Event, LocalMedia, LocalSession, ModeResponse, Timer};

/// The most descriptions of a request that we look at, and that we send.
const MAX_MODES: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Mrse {
    /// out_SQ of C.9.
    sequence: u8,
    awaiting: bool,
}

impl Mrse {
    /// TRANSFER.request: codecs, most wanted first. False when there are none.
    pub(crate) fn request(&mut self, scope: &mut Scope<'_>, codecs: &[AudioCodec]) -> bool {
        if codecs.is_empty() {
            return false;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.awaiting = true;
        let modes = codecs.iter().take(MAX_MODES).map(|codec| capability::audio_mode(*codec));
        scope.send(pdu::request_mode(self.sequence, modes));
        scope.start(Timer::T109);
        true
    }

    pub(crate) fn on_ack(&mut self, scope: &mut Scope<'_>, sequence: u8, most_preferred: bool) {
        let response = if most_preferred { ModeResponse::MostPreferred } else { ModeResponse::LessPreferred };
        self.on_answer(scope, sequence, response);
    }

    pub(crate) fn on_reject(&mut self, scope: &mut Scope<'_>, sequence: u8) {
        self.on_answer(scope, sequence, ModeResponse::Rejected);
    }

    /// RequestMode came back as not understood.
    pub(crate) fn on_returned(&mut self, scope: &mut Scope<'_>) {
        self.on_answer(scope, self.sequence, ModeResponse::Rejected);
    }

    pub(crate) fn on_t109(&mut self, scope: &mut Scope<'_>) {
        if self.awaiting {
            scope.send(pdu::request_mode_release());
            self.on_answer(scope, self.sequence, ModeResponse::Unanswered);
        }
    }

    fn on_answer(&mut self, scope: &mut Scope<'_>, sequence: u8, response: ModeResponse) {
        if sequence == self.sequence && std::mem::take(&mut self.awaiting) {
            scope.timers.stop(Timer::T109);
            scope.tell(Event::ModeResponse(response));
        }
    }

    /// RequestMode. True when what we send is to change.
    pub(crate) fn on_request(
        scope: &mut Scope<'_>,
        request: &RequestMode,
        channels: &mut Channels,
        media: Option<&LocalMedia>,
        remote: &RemoteCapabilities,
    ) -> bool {
        let sequence = request.sequence_number;
        let granted = media.and_then(|media| {
            let modes = request.requested_modes.iter().take(MAX_MODES).enumerate();
            let mut grants =
                modes.filter_map(|(at, elements)| Some((at, grant(elements, media, channels, remote)?)));
            grants.next()
        });
        let Some((at, codecs)) = granted else {
            scope.send(pdu::request_mode_reject(sequence));
            return false;
        };
        scope.send(pdu::request_mode_ack(sequence, at == 0));
        for (session_id, codec) in codecs {
            channels.want(session_id, codec);
        }
        true
    }
}

/// What we would send, by session: every element of the description is audio that the peer can receive, each in a
/// session of its own.
fn grant(
    elements: &[ModeElement],
    media: &LocalMedia,
    channels: &Channels,
    remote: &RemoteCapabilities,
) -> Option<Vec<(u8, AudioCodec)>> {
    let mut granted: Vec<(u8, AudioCodec)> = Vec::new();
    for element in elements {
        let ModeElementType::AudioMode(mode) = &element.r#type else {
            return None;
        };
        // A number names the channel that is to change.
        let named = match element.logical_channel_number {
            Some(number) => Some(channels.session_of(number)?),
            None => None,
        };
        let can = |session: &LocalSession| {
            let free = granted.iter().all(|(id, _)| *id != session.session_id);
            let meant = named.is_none_or(|id| id == session.session_id);
            let offer = session
                .codecs
                .iter()
                .find(|offer| capability::mode_is(mode, offer.codec) && remote.packet_ms(offer).is_some())?;
            (free && meant).then_some((session.session_id, offer.codec))
        };
        let found = media.sessions.iter().find_map(can)?;
        granted.push(found);
    }
    let codecs: Vec<AudioCodec> = granted.iter().map(|(_, codec)| *codec).collect();
    (!granted.is_empty() && remote.together(&codecs)).then_some(granted)
}
