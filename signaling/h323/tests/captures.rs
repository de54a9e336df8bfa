//! Recordings of real systems as the peer: we take one side's place and are fed what the other side said.
//!
//! Our own octets differ from those of the side whose place we take, so what the recording's answers refer
//! to is taken from it: call reference, identifiers, statusDeterminationNumber, terminalType, channel number.
//! What is expected was read from the recordings with tshark 4.0 (q931.message_type, q931.cause_value, h245.audioData,
//! the RTP streams' payload types), never from our own output.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;
mod replay;

use std::collections::BTreeSet;

use offhook_h323::{AudioCodec, CallState, Cause, DigitVia, Event, Flow, Origin, ReleaseReason, catalogue};
use replay::Place::{self, Called, Caller};
use replay::{CODECS, Outcome, Recording, names, replay};

const UP: bool = true;
const NOT: bool = false;

const NONE: Option<AudioCodec> = None;
const PCMA: Option<AudioCodec> = Some(AudioCodec::Pcma);
const PCMU: Option<AudioCodec> = Some(AudioCodec::Pcmu);
const GSM: Option<AudioCodec> = Some(AudioCodec::Gsm);
const G722: Option<AudioCodec> = Some(AudioCodec::G722);
const G726: Option<AudioCodec> = Some(AudioCodec::Described(&catalogue::G726_32));
const ILBC: Option<AudioCodec> = Some(AudioCodec::Described(&catalogue::ILBC_30));
const SPEEX: Option<AudioCodec> = Some(AudioCodec::Described(&catalogue::SPEEX));

/// A recording; whether Connect is in it; who released first (ReleaseComplete or endSession), with which cause; what the
/// caller's channel carries, what the called side's.
type Row = (&'static str, bool, Place, u8, Option<AudioCodec>, Option<AudioCodec>);

/// Every recording but the gatekeepers', those of H.450 (hold, transfer) and the forwarded call, which has a test of its
/// own.
#[rustfmt::skip]
const RECORDED: &[Row] = &[
    ("ast-dtmf-h245alphanumeric", UP, Called, 16, PCMA, PCMA),
    ("ast-dtmf-q931keypad", UP, Called, 16, PCMA, PCMA),
    ("ast-dtmf-rfc2833", UP, Caller, 16, PCMA, PCMA),
    ("ast-in-busy", NOT, Called, 17, NONE, NONE),
    ("ast-in-calledhangup", UP, Called, 16, PCMA, PCMA),
    ("ast-in-congestion", NOT, Called, 42, NONE, NONE),
    ("ast-in-fast", UP, Caller, 16, PCMA, PCMA),
    ("ast-in-gsm", UP, Caller, 16, GSM, GSM),
    ("ast-in-noanswer", NOT, Caller, 16, PCMA, PCMA),
    ("ast-in-ring-answer-hangup", UP, Caller, 16, PCMA, PCMA),
    ("ast-in-slow-h245tcp", UP, Caller, 16, PCMA, PCMA),
    ("ast-in-slow-tunnel", UP, Caller, 16, PCMU, PCMA),
    ("ast-out-fast", UP, Caller, 16, PCMA, PCMA),
    ("ast-out-slow-tunnel", UP, Called, 16, PCMA, PCMA),
    ("h323plus-alert-answer", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-busy", NOT, Called, 17, NONE, NONE),
    ("h323plus-codec-g722-64k", UP, Caller, 16, G722, G722),
    ("h323plus-codec-g726-32k", UP, Caller, 16, G726, G726),
    ("h323plus-codec-gsm-0610", UP, Caller, 16, GSM, GSM),
    ("h323plus-codec-ilbc", UP, Caller, 16, ILBC, ILBC),
    ("h323plus-codec-speexietfnarrow-8k", UP, Caller, 16, SPEEX, SPEEX),
    ("h323plus-dtmf-h245signal", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-dtmf-h245string", UP, Caller, 16, PCMU, PCMU),
    ("h323plus-dtmf-q931", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-dtmf-rfc2833", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-earlymedia", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-emptytcs", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-fast-h245tcp", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-fast-refused", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-fast-tunnel", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-manycodecs", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-noanswer", NOT, Caller, 16, NONE, NONE),
    ("h323plus-reject", NOT, Called, 21, NONE, NONE),
    ("h323plus-slow-h245tcp", UP, Caller, 16, PCMA, PCMA),
    ("h323plus-slow-tunnel", UP, Caller, 16, PCMA, PCMA),
    ("oo-in-fast", UP, Caller, 16, PCMU, PCMU),
    ("oo-in-slow-h245tcp", UP, Caller, 16, PCMU, PCMU),
    ("oo-oo-fast", UP, Caller, 16, PCMU, PCMU),
    ("oo-out-fast-dtmf", UP, Caller, 16, PCMU, PCMU),
];

/// Our machine in one place of a recording, with the codecs that the replaced side used.
fn take_place(name: &str, place: Place, own: Option<AudioCodec>, peer: Option<AudioCodec>) -> Outcome {
    let recording = Recording::load(name);
    let mut codecs: Vec<AudioCodec> = own.into_iter().chain(peer.filter(|_| peer != own)).collect();
    if codecs.is_empty() {
        codecs.extend(CODECS);
    }
    replay(&recording, place, &codecs, |config| {
        config.h245_after_fast_start =
            recording.h245.is_some() || recording.setup().h245_control().next().is_some();
    })
}

fn opened(outcome: &Outcome, wanted: Flow) -> BTreeSet<String> {
    let plans = outcome.events.iter().filter_map(|event| match event {
        Event::ChannelOpened(plan) if plan.flow == wanted => Some(format!("{:?}", plan.codec)),
        _ => None,
    });
    plans.collect()
}

#[test]
fn the_table_names_every_recording_of_a_plain_call() {
    let apart = ["h323plus-forward", "h323plus-hold", "h323plus-transfer"];
    let known: Vec<String> = RECORDED.iter().map(|row| row.0.to_owned()).collect();
    let recorded: Vec<String> = names().into_iter().filter(|name| !apart.contains(&name.as_str())).collect();
    assert_eq!(known, recorded);
}

#[test]
fn each_side_of_each_call_ends_as_it_was_recorded() {
    for &(name, connected, by, cause, caller, called) in RECORDED {
        for place in [Caller, Called] {
            let (own, peer) = if place == Caller { (caller, called) } else { (called, caller) };
            let outcome = take_place(name, place, own, peer);
            let told = || format!("{name} {place:?}: {:#?}", outcome.events);
            assert_eq!(outcome.connected(), connected, "{}", told());
            assert_eq!(outcome.call.protocol_errors(), 0, "{}", told());
            let info = outcome.released().unwrap_or_else(|| panic!("not released: {}", told()));
            let origin = if by == place { Origin::Local } else { Origin::Remote };
            assert_eq!((info.origin, info.connected), (origin, connected), "{}", told());
            assert_eq!(info.cause, Some(Cause(cause)), "{}", told());
            assert!(outcome.call.is_finished() && outcome.call.state() != CallState::Active, "{}", told());
            for (flow, codec, most) in
                [(Flow::Transmit, own, outcome.transmit), (Flow::Receive, peer, outcome.receive)]
            {
                let expected: BTreeSet<_> = codec.map(|codec| format!("{codec:?}")).into_iter().collect();
                assert_eq!(opened(&outcome, flow), expected, "{flow:?}: {}", told());
                assert_eq!(most, usize::from(codec.is_some()), "{flow:?}: {}", told());
            }
        }
    }
}

#[test]
fn whatever_was_recorded_no_side_of_it_is_an_error() {
    for name in names() {
        let recording = Recording::load(&name);
        for place in [Caller, Called] {
            let outcome = replay(&recording, place, &CODECS, |_| {});
            assert_eq!(outcome.call.protocol_errors(), 0, "{name} {place:?}");
            assert!(outcome.released().is_some(), "{name} {place:?}: {:?}", outcome.events);
            assert!(outcome.call.is_finished(), "{name} {place:?}");
        }
    }
}

/// The digits that a side sent, each once, and how.
const DIGITS: &[(&str, Place, &str, DigitVia)] = &[
    ("ast-dtmf-h245alphanumeric", Caller, "1234", DigitVia::Alphanumeric),
    ("ast-dtmf-h245alphanumeric", Called, "1234", DigitVia::Alphanumeric),
    ("ast-dtmf-q931keypad", Caller, "1234", DigitVia::Keypad),
    // What Asterisk was told to send as keypad it sends so.
    ("ast-dtmf-q931keypad", Called, "1234", DigitVia::Alphanumeric),
    ("h323plus-dtmf-h245signal", Caller, "123#", DigitVia::Signal),
    ("h323plus-dtmf-h245string", Caller, "123#", DigitVia::Alphanumeric),
    ("h323plus-dtmf-q931", Caller, "123#", DigitVia::Keypad),
    ("oo-out-fast-dtmf", Caller, "5", DigitVia::Keypad),
];

#[test]
fn digits_arrive_as_they_were_sent_and_no_side_hears_others() {
    for &(name, _, _, _, caller, called) in RECORDED {
        for place in [Caller, Called] {
            let (own, peer) = if place == Caller { (caller, called) } else { (called, caller) };
            let outcome = take_place(name, place, own, peer);
            let heard: Vec<(char, DigitVia)> = outcome
                .events
                .iter()
                .filter_map(|event| match event {
                    Event::Digit { digit, via, .. } => Some((*digit, *via)),
                    _ => None,
                })
                .collect();
            let sent = DIGITS.iter().filter(|(of, from, ..)| *of == name && *from != place);
            let expected: Vec<_> =
                sent.flat_map(|(_, _, digits, via)| digits.chars().map(move |digit| (digit, *via))).collect();
            assert_eq!(heard, expected, "{name} {place:?}");
        }
    }
}

#[test]
fn digits_in_rtp_are_negotiated_as_they_were() {
    // Both sides announce 101; the caller's RTP has payload type 101, events 1, 2, 3 and 11.
    for place in [Caller, Called] {
        let outcome = take_place("h323plus-dtmf-rfc2833", place, PCMA, PCMA);
        let events: Vec<_> = outcome
            .events
            .iter()
            .filter_map(|event| match event {
                Event::ChannelOpened(plan) => Some((plan.flow, plan.telephone_event)),
                _ => None,
            })
            .collect();
        assert_eq!(events.len(), 2, "{place:?}");
        assert!(events.iter().all(|(_, payload_type)| *payload_type == Some(101)), "{place:?}: {events:?}");
    }
}

#[test]
fn a_real_pause_pauses_and_a_real_resumption_reopens() {
    let outcome = take_place("h323plus-emptytcs", Called, PCMA, PCMA);
    let seen: Vec<&str> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ChannelOpened(plan) if plan.flow == Flow::Transmit => Some("opened"),
            Event::ChannelClosed { flow: Flow::Transmit, .. } => Some("closed"),
            Event::Paused => Some("paused"),
            Event::Resumed => Some("resumed"),
            Event::Released(_) => Some("released"),
            _ => None,
        })
        .collect();
    // Whether the recorded acknowledgement of the reopened channel names ours depends on how many
    // numbers the replaced side had used.
    assert_eq!(&seen[..4], ["opened", "closed", "paused", "resumed"], "{:?}", outcome.events);
}

#[test]
fn a_real_forward_is_told_with_its_address_and_one_of_ours_is_followed() {
    let to = Some(([127, 0, 0, 3], 1720).into());
    let outcome = take_place("h323plus-forward", Caller, PCMA, PCMA);
    let told = outcome.events.iter().find_map(|event| match event {
        Event::ForwardRequested(forward) => Some(forward.address),
        _ => None,
    });
    assert_eq!(told, Some(to), "{:?}", outcome.events);
    // In the called side's place: the real caller takes leave because it was sent elsewhere.
    let outcome = take_place("h323plus-forward", Called, PCMA, PCMA);
    assert!(!outcome.connected());
    let info = outcome.released().expect("released");
    assert_eq!(info.reason, Some(ReleaseReason::FacilityCallDeflection), "{info:?}");
}
