//! The pair's words and the call machine's words for the same media.
//!
//! In: [`ToTsp::Prepared`](offhook_pair::ToTsp) sessions; channel plans. Out: [`LocalMedia`]; pair channels.
//! Not here: when they are exchanged (`call.rs`).

use offhook_h323::{
    AudioCodec, ChannelPlan, CodecOffer, Flow, LocalMedia, LocalSession, Redundancy, catalogue,
};
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
            .flat_map(|offer| {
                to_machine(offer.codec).iter().map(|codec| CodecOffer {
                    codec: *codec,
                    payload_type: offer.payload_type,
                    packet_ms: offer.packet_ms,
                    max_packet_ms: offer.max_packet_ms,
                })
            })
            .collect(),
        telephone_event: s.telephone_event.map(|event| event.payload_type),
        comfort_noise: s.comfort_noise,
        silence_suppression: s.silence_suppression,
        redundancy: s
            .redundancy
            .map(|pair::Redundancy { payload_type, copies }| Redundancy { payload_type, copies }),
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
        comfort_noise: false,
        max_bit_rate: None,
        redundancy: plan
            .redundancy
            .map(|Redundancy { payload_type, copies }| pair::Redundancy { payload_type, copies }),
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

/// The pair's codecs and the machine's, one of the former for each row, in the order of `offhook_h323_ext::CODECS`. G.729 is four of the latter: with Annex A or
/// without, with the silence of Annex B or without, it is the same packets.
const CODECS: &[(pair::Codec, &[AudioCodec])] = &[
    (pair::Codec::Pcmu, &[AudioCodec::Pcmu]),
    (pair::Codec::Pcma, &[AudioCodec::Pcma]),
    (pair::Codec::G722, &[AudioCodec::G722]),
    (pair::Codec::Gsm, &[AudioCodec::Gsm]),
    (pair::Codec::G726_16, &[AudioCodec::Described(&catalogue::G726_16)]),
    (pair::Codec::G726_24, &[AudioCodec::Described(&catalogue::G726_24)]),
    (pair::Codec::G726_32, &[AudioCodec::Described(&catalogue::G726_32)]),
    (pair::Codec::G726_40, &[AudioCodec::Described(&catalogue::G726_40)]),
    (pair::Codec::Aal2G726_16, &[AudioCodec::Described(&catalogue::AAL2_G726_16)]),
    (pair::Codec::Aal2G726_24, &[AudioCodec::Described(&catalogue::AAL2_G726_24)]),
    (pair::Codec::Aal2G726_32, &[AudioCodec::Described(&catalogue::AAL2_G726_32)]),
    (pair::Codec::Aal2G726_40, &[AudioCodec::Described(&catalogue::AAL2_G726_40)]),
    (pair::Codec::L16_8, &[AudioCodec::Described(&catalogue::L16_8)]),
    (pair::Codec::L16_16, &[AudioCodec::Described(&catalogue::L16_16)]),
    (pair::Codec::L16_44, &[AudioCodec::Described(&catalogue::L16_44)]),
    (pair::Codec::L16_48, &[AudioCodec::Described(&catalogue::L16_48)]),
    (pair::Codec::Opus, &[AudioCodec::Described(&catalogue::OPUS)]),
    (pair::Codec::G729, &[AudioCodec::G729AB, AudioCodec::G729A, AudioCodec::G729B, AudioCodec::G729]),
    (pair::Codec::G7231, &[AudioCodec::G7231]),
    (pair::Codec::Ilbc20, &[AudioCodec::Described(&catalogue::ILBC_20)]),
    (pair::Codec::Ilbc30, &[AudioCodec::Described(&catalogue::ILBC_30)]),
    (pair::Codec::G7221_24, &[AudioCodec::Described(&catalogue::G7221_24)]),
    (pair::Codec::G7221_32, &[AudioCodec::Described(&catalogue::G7221_32)]),
    (pair::Codec::Speex, &[AudioCodec::Described(&catalogue::SPEEX)]),
    (pair::Codec::SpeexWideband, &[AudioCodec::Described(&catalogue::SPEEX_WIDEBAND)]),
];

fn to_machine(codec: pair::Codec) -> &'static [AudioCodec] {
    CODECS.iter().find(|(known, _)| *known == codec).map_or(&[], |(_, codecs)| codecs)
}

/// The machine's name for a codec of the pair; the first of several.
pub(crate) fn machine_codec(codec: pair::Codec) -> Option<AudioCodec> {
    to_machine(codec).first().copied()
}

/// A codec's name in the provider's extension.
pub(crate) fn name(codec: AudioCodec) -> Option<&'static str> {
    let at = CODECS.iter().position(|(_, codecs)| codecs.contains(&codec))?;
    offhook_h323_ext::CODECS.get(at).copied()
}

fn to_pair(codec: AudioCodec) -> Option<pair::Codec> {
    CODECS.iter().find(|(_, codecs)| codecs.contains(&codec)).map(|(known, _)| *known)
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
            comfort_noise: true,
            silence_suppression: false,
            redundancy: None,
        }];
        let media = local_media(&sessions);
        let codecs: Vec<_> = media.sessions[0].codecs.iter().map(|c| (c.codec, c.payload_type)).collect();
        assert_eq!(codecs, [(AudioCodec::Pcma, 8), (AudioCodec::Pcmu, 0)]);
        assert_eq!(media.sessions[0].telephone_event, Some(101));
        assert!(media.sessions[0].comfort_noise);
    }

    #[test]
    fn every_codec_of_the_machine_is_one_of_the_pair() {
        for (at, (codec, names)) in CODECS.iter().enumerate() {
            assert!(CODECS[..at].iter().all(|(other, _)| other != codec), "{codec:?}");
            for name in *names {
                assert_eq!(to_pair(*name), Some(*codec));
            }
            assert_eq!(to_machine(*codec), *names);
        }
        assert_eq!(to_pair(AudioCodec::G728), None);
    }

    #[test]
    fn every_codec_has_its_name_in_the_extension() {
        assert_eq!(CODECS.len(), offhook_h323_ext::CODECS.len(), "the two lists stand in one order");
        for (codec, names) in CODECS {
            // As the pair calls it, but for punctuation.
            let plain = |name: &str| name.to_lowercase().replace(['-', '.', '_'], "");
            assert_eq!(
                names.first().and_then(|first| name(*first)).map(plain),
                Some(plain(&format!("{codec:?}")))
            );
        }
    }

    #[test]
    fn a_session_without_a_codec_is_no_session() {
        let empty = pair::Session {
            session: 1,
            rtp: ([127, 0, 0, 1], 5_004).into(),
            rtcp: ([127, 0, 0, 1], 5_005).into(),
            codecs: Vec::new(),
            telephone_event: None,
            comfort_noise: false,
            silence_suppression: false,
            redundancy: None,
        };
        assert_eq!(local_media(&[empty]), LocalMedia::default());
    }
}
