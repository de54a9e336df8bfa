//! The pair's words and the call machine's words for the same media.
//!
//! In: [`ToTsp::Prepared`](offhook_pair::ToTsp) sessions; channel plans. Out: [`LocalMedia`]; pair channels.
//! Not here: when they are exchanged (`call.rs`).

use offhook_h323::{AudioCodec, ChannelPlan, CodecOffer, Flow, LocalMedia, LocalSession};
use offhook_pair as pair;

/// What the MSP prepared, for the call machine. Codecs that the machine cannot name are left out.
pub(crate) fn local_media(sessions: &[pair::Session]) -> LocalMedia {
    let sessions = sessions.iter().map(|s| LocalSession {
        session_id: s.session,
        rtp: s.rtp,
        rtcp: s.rtcp,
        codecs: s
            .codecs
            .iter()
            .filter_map(|offer| {
                Some(CodecOffer {
                    codec: to_machine(offer.codec)?,
                    payload_type: offer.payload_type,
                    packet_ms: offer.packet_ms,
                    max_packet_ms: offer.max_packet_ms,
                })
            })
            .collect(),
        telephone_event: s.telephone_event.map(|event| event.payload_type),
    });
    LocalMedia { sessions: sessions.filter(|s| !s.codecs.is_empty()).collect() }
}

/// A channel as the MSP opens it; `None` for a codec that the pair does not know.
pub(crate) fn channel(plan: &ChannelPlan) -> Option<pair::Channel> {
    Some(pair::Channel {
        id: channel_id(plan.session_id, plan.flow),
        codec: to_pair(plan.codec)?,
        payload_type: plan.payload_type,
        packet_ms: plan.packet_ms,
        remote_rtp: plan.remote_rtp,
        remote_rtcp: plan.remote_rtcp,
        telephone_event: plan
            .telephone_event
            .map(|payload_type| pair::TelephoneEvent { payload_type, events: pair::TelephoneEvent::KEYS }),
    })
}

/// A channel's name in the pair.
pub(crate) fn channel_id(session: u8, flow: Flow) -> pair::ChannelId {
    let flow = match flow {
        Flow::Transmit => pair::Flow::Transmit,
        Flow::Receive => pair::Flow::Receive,
    };
    pair::ChannelId { session, flow }
}

fn to_machine(codec: pair::Codec) -> Option<AudioCodec> {
    match codec {
        pair::Codec::Pcmu => Some(AudioCodec::Pcmu),
        pair::Codec::Pcma => Some(AudioCodec::Pcma),
        _ => None,
    }
}

fn to_pair(codec: AudioCodec) -> Option<pair::Codec> {
    match codec {
        AudioCodec::Pcmu => Some(pair::Codec::Pcmu),
        AudioCodec::Pcma => Some(pair::Codec::Pcma),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_msp_prepared_reaches_the_machine_in_its_order_of_preference() {
        let offer =
            |codec, payload_type| pair::CodecOffer { codec, payload_type, packet_ms: 20, max_packet_ms: 60 };
        let sessions = [pair::Session {
            session: 1,
            rtp: ([127, 0, 0, 1], 5_004).into(),
            rtcp: ([127, 0, 0, 1], 5_005).into(),
            codecs: vec![offer(pair::Codec::Pcma, 8), offer(pair::Codec::Pcmu, 0)],
            telephone_event: Some(pair::TelephoneEvent { payload_type: 101, events: 0xffff }),
        }];
        let media = local_media(&sessions);
        let codecs: Vec<_> = media.sessions[0].codecs.iter().map(|c| (c.codec, c.payload_type)).collect();
        assert_eq!(codecs, [(AudioCodec::Pcma, 8), (AudioCodec::Pcmu, 0)]);
        assert_eq!(media.sessions[0].telephone_event, Some(101));
    }

    #[test]
    fn a_session_without_a_codec_is_no_session() {
        let empty = pair::Session {
            session: 1,
            rtp: ([127, 0, 0, 1], 5_004).into(),
            rtcp: ([127, 0, 0, 1], 5_005).into(),
            codecs: Vec::new(),
            telephone_event: None,
        };
        assert_eq!(local_media(&[empty]), LocalMedia::default());
    }
}
