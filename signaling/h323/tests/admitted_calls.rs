//! What a gatekeeper says about a call, in the call's own signalling: whom Setup asks for, what it carries, how it is signed.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{CALLED, CALLER, incoming_params, media, outgoing_params, signal_address};
use offhook_h323::{
    Admission, Alias, AudioCodec, Call, CallModel, CallState, Channel, Config, Event, Password,
    ReleaseReason, SignalSecurity, UnsignedSignals,
};
use offhook_wire::h225::{AliasAddress, H323UuPduH323MessageBody as Body};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h235::ClearToken;
use offhook_wire::per::Oid;
use offhook_wire::q931::{CalledPartyNumber, Element};
use offhook_wire::tpkt::TpktDecoder;

const NOW: Duration = Duration::from_secs(100);

fn caller(config: Config) -> Call {
    Call::outgoing(config, outgoing_params(1, media(CALLER, &[AudioCodec::Pcma])), NOW)
}

/// The messages that a call has to send.
fn signals(call: &mut Call) -> Vec<(Bytes, CallSignal)> {
    let mut decoder = TpktDecoder::new();
    while let Some(transmit) = call.poll_transmit() {
        assert_eq!(transmit.channel, Channel::Signaling);
        decoder.push(&transmit.bytes);
    }
    let mut found = Vec::new();
    while let Ok(Some(payload)) = decoder.next() {
        found.push((payload.clone(), CallSignal::decode(&payload).unwrap()));
    }
    found
}

#[test]
fn setup_asks_for_whom_the_gatekeeper_says() {
    let digits = |text: &str| vec![Alias::DialedDigits(text.to_owned())];
    let mut token = ClearToken::new(Oid::new(&[1, 2, 3]));
    token.general_id = Some("for the called side".into());
    let admission = Admission {
        model: CallModel::Direct,
        address: Some(signal_address(CALLED)),
        bandwidth: 1280,
        destination: digits("123"),
        extra: digits("45"),
        remote_extension: digits("67"),
        source: digits("89"),
        alternates: Vec::new(),
        tokens: vec![token.clone()],
        irr_interval: None,
        wants_signals: false,
        unasked: false,
    };
    let config = Config { aliases: vec![Alias::from_text("alice")], ..Config::default() };
    let mut call = caller(config);
    call.apply_admission(&admission);
    call.handle_connected(NOW, Channel::Signaling);
    let (_, setup) = signals(&mut call).remove(0);
    let Some(Body::Setup(body)) = setup.body() else { panic!("Setup") };
    let wire = |text: &str| Some(vec![AliasAddress::DialledDigits(text.to_owned())]);
    assert_eq!(body.destination_address, wire("123"));
    assert_eq!(body.dest_extra_call_info, wire("45"));
    assert_eq!(body.remote_extension_address, Some(AliasAddress::DialledDigits("67".to_owned())));
    assert_eq!(body.source_address, wire("89"));
    assert_eq!(body.tokens, Some(vec![token]));
    let numbers: Vec<_> = setup
        .q931
        .elements
        .iter()
        .filter(|element| element.id() == CalledPartyNumber::ID)
        .map(|element| CalledPartyNumber::decode(element.contents()).unwrap().digits)
        .collect();
    assert_eq!(numbers, ["123"]);

    // What the gatekeeper leaves empty stays as the caller wanted it.
    let plain = Admission {
        destination: vec![],
        extra: vec![],
        remote_extension: vec![],
        source: vec![],
        tokens: vec![],
        ..admission
    };
    let mut call = caller(Config::default());
    call.apply_admission(&plain);
    call.handle_connected(NOW, Channel::Signaling);
    let (_, setup) = signals(&mut call).remove(0);
    let Some(Body::Setup(body)) = setup.body() else { panic!("Setup") };
    assert_eq!(body.destination_address, Some(vec![AliasAddress::H323Id("bob".into())]));
    assert_eq!((&body.dest_extra_call_info, &body.tokens), (&None, &None));
}

fn secured(mut call: Call, me: &str, peer: &str, password: &str) -> Call {
    let epoch = Duration::from_secs(1_795_158_000);
    let password = Password::new(password);
    call.secure_signaling(SignalSecurity::new(password, me, Some(peer), UnsignedSignals::Strict, epoch, 3));
    call
}

fn events(call: &mut Call) -> Vec<Event> {
    std::iter::from_fn(|| call.poll_event()).collect()
}

/// Hands messages to and fro until nobody has anything to say.
fn talk(caller: &mut Call, called: &mut Call) -> usize {
    let mut messages = 0;
    for _ in 0..20 {
        let mut quiet = true;
        for turn in 0..2 {
            let (from, to) =
                if turn == 0 { (&mut *caller, &mut *called) } else { (&mut *called, &mut *caller) };
            while let Some(transmit) = from.poll_transmit() {
                quiet = false;
                messages += 1;
                to.handle_bytes(NOW, transmit.channel, &transmit.bytes);
            }
        }
        if quiet {
            break;
        }
    }
    messages
}

#[test]
fn a_call_whose_signalling_is_signed_connects_where_both_know_the_secret() {
    for (password, connects) in [("secret", true), ("Secret", false)] {
        let mut alice = secured(caller(Config::default()), "alice", "bob", "secret");
        let called = Call::incoming(Config::default(), incoming_params(2), NOW);
        let mut bob = secured(called, "bob", "alice", password);
        alice.handle_connected(NOW, Channel::Signaling);
        assert!(talk(&mut alice, &mut bob) > 0);
        if connects {
            assert!(events(&mut bob).iter().any(|event| matches!(event, Event::Setup(_))));
            bob.set_media(NOW, media(CALLED, &[AudioCodec::Pcma]));
            bob.accept(NOW);
            bob.answer(NOW);
            talk(&mut alice, &mut bob);
            assert_eq!((alice.state(), bob.state()), (CallState::Active, CallState::Active));
            assert_eq!((alice.protocol_errors(), bob.protocol_errors()), (0, 0));
            continue;
        }
        let released = events(&mut bob).into_iter().find_map(|event| match event {
            Event::Released(info) => Some(info),
            _ => None,
        });
        assert_eq!(released.expect("released").reason, Some(ReleaseReason::SecurityError));
        // The refusal is signed with the wrong secret too: alice does not believe it.
        assert_eq!(alice.protocol_errors(), 1);
        assert_ne!(alice.state(), CallState::Null);
    }
}

#[test]
fn a_call_that_wants_signed_signalling_refuses_a_setup_without() {
    let mut alice = caller(Config::default());
    let mut bob =
        secured(Call::incoming(Config::default(), incoming_params(2), NOW), "bob", "alice", "secret");
    alice.handle_connected(NOW, Channel::Signaling);
    talk(&mut alice, &mut bob);
    let released = events(&mut alice).into_iter().find_map(|event| match event {
        Event::Released(info) => Some(info),
        _ => None,
    });
    assert_eq!(released.expect("released").reason, Some(ReleaseReason::SecurityDenied));
}
