//! H.235 against what others computed: tokens of real endpoints from captures, fixed vectors of a Python computation, and
//! that computation itself (`oracle/h235.py`) over everything that we sign.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod ras_common;
#[path = "../../wire/tests/support/tools.rs"]
#[allow(dead_code, unreachable_pub)]
mod tools;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    Gatekeeper, GatekeeperConfig, GatekeeperEvent, GatekeeperParams, Method, Password, Security,
    SignalSecurity, UnsignedSignals,
};
use offhook_wire::capture::Capture;
use offhook_wire::h225::{self as w, CryptoH323Token, RasMessage};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::per;
use offhook_wire::q931::CallReference;
use ras_common::*;

fn capture(name: &str) -> Capture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../wire/tests/data/captures")
        .join(format!("{name}.pcap"));
    Capture::parse(&std::fs::read(path).unwrap()).unwrap()
}

/// RRQs of a capture and when they were sent, as time since 1970.
fn requests(name: &str) -> Vec<(Duration, Bytes)> {
    let capture = capture(name);
    let rrqs = capture.udp().iter().filter(|datagram| {
        per::decode::<RasMessage>(&datagram.payload)
            .is_ok_and(|message| matches!(*message, RasMessage::RegistrationRequest(_)))
    });
    rrqs.map(|datagram| (capture.start() + datagram.at, datagram.payload.clone())).collect()
}

/// Our gatekeeper in the place of the one in the captures.
fn keeper(at: Duration, password: &str) -> Gatekeeper {
    let config = GatekeeperConfig {
        users: vec![
            ("bob".to_owned(), Password::new(password)),
            ("alice".to_owned(), Password::new(password)),
        ],
        ..GatekeeperConfig::new("GnuGkAuth")
    };
    let params = GatekeeperParams {
        ras_address: ([127, 0, 0, 10], 1719).into(),
        signal_address: None,
        unix_epoch: at,
        seed: 1,
    };
    Gatekeeper::new(config, params)
}

fn outcome(keeper: &mut Gatekeeper, octets: &[u8]) -> Result<Method, String> {
    keeper.handle_datagram(Duration::ZERO, ([127, 0, 0, 10], 22_001).into(), octets);
    while let Some(event) = keeper.poll_event() {
        match event {
            GatekeeperEvent::Registered(row) => return Ok(row.method.unwrap()),
            GatekeeperEvent::Refused(_, why) => return Err(why),
            _ => {}
        }
    }
    Err("nothing".to_owned())
}

#[test]
fn real_endpoints_prove_themselves_with_the_password_that_was_recorded_and_with_no_other() {
    // H323Plus 1.28; both captures were made with the password "secret".
    for (name, method, count) in [("gk-auth-h2351", Method::H2351, 1), ("gk-auth-ok", Method::Cat, 3)] {
        let rrqs = requests(name);
        assert_eq!(rrqs.len(), count, "{name}");
        for (at, octets) in &rrqs[..count.min(2)] {
            assert_eq!(outcome(&mut keeper(*at, "secret"), octets), Ok(method), "{name}");
            let wrong = outcome(&mut keeper(*at, "secreT"), octets).unwrap_err();
            assert!(wrong.contains("securityIntegrityFailed"), "{name}: {wrong}");
            let late = outcome(&mut keeper(*at + SECOND * 400, "secret"), octets).unwrap_err();
            assert!(late.contains("securityWrongSyncTime"), "{name}: {late}");
        }
    }
    // gk-rrj-auth: bob's password was a wrong one.
    for (at, octets) in requests("gk-rrj-auth") {
        outcome(&mut keeper(at, "secret"), &octets).unwrap_err();
    }
}

#[test]
fn no_bit_of_a_message_under_h2351_can_be_changed() {
    let (at, octets) = requests("gk-auth-h2351").remove(0);
    let mut accepted = 0;
    for bit in 0..octets.len() * 8 {
        let mut changed = octets.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        accepted += u32::from(outcome(&mut keeper(at, "secret"), &changed).is_ok());
    }
    assert_eq!(accepted, 0, "of {} changed messages", octets.len() * 8);
}

#[test]
fn time_stamps_go_by_the_clock_as_it_was_set_last() {
    let (at, octets) = requests("gk-auth-h2351").remove(0);
    let behind = || keeper(at - SECOND * 3600, "secret");
    let wrong = outcome(&mut behind(), &octets).unwrap_err();
    assert!(wrong.contains("securityWrongSyncTime"), "{wrong}");
    let mut keeper = behind();
    keeper.set_unix_epoch(at);
    assert_eq!(outcome(&mut keeper, &octets), Ok(Method::H2351));
}

#[test]
fn a_message_counts_once() {
    let (at, octets) = requests("gk-auth-h2351").remove(0);
    let mut keeper = keeper(at, "secret");
    assert_eq!(outcome(&mut keeper, &octets), Ok(Method::H2351));
    // From the same address it is a repetition, and gets the answer that it had.
    let before = keeper.counters();
    keeper.handle_datagram(SECOND, ([127, 0, 0, 10], 22_001).into(), &octets);
    assert_eq!(keeper.counters().repetitions, before.repetitions + 1);
    assert!(keeper.poll_event().is_none());
    // From another one, or later, it is a replay.
    keeper.handle_datagram(SECOND, ([127, 0, 0, 66], 22_001).into(), &octets);
    let Some(GatekeeperEvent::Refused(_, why)) = keeper.poll_event() else { panic!("refused") };
    assert!(why.contains("securityReplay"), "{why}");
    keeper.handle_datagram(SECOND * 60, ([127, 0, 0, 10], 22_001).into(), &octets);
    let Some(GatekeeperEvent::Refused(_, why)) = keeper.poll_event() else { panic!("refused") };
    assert!(why.contains("securityReplay"), "{why}");
}

/// The MD5 hash of the PwdCertToken of "bob", "secret" at 2026-11-20 07:41:18 UTC, each text with a NUL behind it, and
/// without: computed by `oracle/h235.py`.
const MD5_WITH_NUL: &str = "d9036a8c8fcd2692ec1db2c818519494";
const MD5_PLAIN: &str = "10b20f4175f2ee93cf06f7997ec07723";

fn md5_request(hash: &str, alias: &str) -> Bytes {
    let octets: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&hash[2 * i..2 * i + 2], 16).unwrap()).collect();
    let address = bench::wire(([127, 0, 0, 2], 1720).into());
    let mut terminal = w::EndpointType::new(false, false);
    terminal.terminal = Some(w::TerminalInfo::new());
    let vendor = w::VendorIdentifier::new(w::H221NonStandard::new(9, 0, 61));
    let mut rrq = w::RegistrationRequest::new(
        1,
        bench::V7,
        true,
        vec![address.clone()],
        vec![address],
        terminal,
        vendor,
    );
    rrq.terminal_alias = Some(vec![w::AliasAddress::H323Id("bob".into())]);
    let hashed = offhook_wire::h235::Hashed::new(
        per::Oid::new(&[1, 2, 840, 113_549, 2, 5]),
        offhook_wire::h235::Params::new(),
        per::BitString::from_octets(octets),
    );
    let token =
        w::CryptoH323TokenCryptoEPPwdHash::new(w::AliasAddress::H323Id(alias.into()), 1_795_160_478, hashed);
    rrq.crypto_tokens = Some(vec![CryptoH323Token::CryptoEPPwdHash(Box::new(token))]);
    per::encode(&RasMessage::RegistrationRequest(Box::new(rrq))).unwrap().into()
}

#[test]
fn both_forms_of_the_md5_hash_are_taken() {
    let at = Duration::from_secs(1_795_160_480);
    assert_eq!(outcome(&mut keeper(at, "secret"), &md5_request(MD5_WITH_NUL, "bob\0")), Ok(Method::Md5));
    assert_eq!(outcome(&mut keeper(at, "secret"), &md5_request(MD5_PLAIN, "bob")), Ok(Method::Md5));
    // Alice's hash is another, even with the same password.
    outcome(&mut keeper(at, "secret"), &md5_request(MD5_PLAIN, "alice")).unwrap_err();
    outcome(&mut keeper(at, "secrets"), &md5_request(MD5_PLAIN, "bob")).unwrap_err();
}

/// Everything that both sides say under one method, with a call in it.
fn conversation(method: Method, password: &str) -> World {
    let mut world = World::new(3, FAIR);
    let users = vec![("alice".to_owned(), Password::new(password))];
    let keeper = world.keeper(1, GatekeeperConfig { users, ..GatekeeperConfig::new("gk") });
    let mut wanted = config(keeper, "alice");
    let mut security = Security::new("alice", Password::new(password));
    security.methods = vec![method];
    wanted.security = Some(security);
    let alice = world.client(1, wanted);
    world.register(alice);
    let mut request = outgoing(1, "x");
    request.destination_address = Some(signal_at(9));
    world.admit(alice, request);
    world.with(alice, |ras, now| ras.change_bandwidth(now, call(1, false), 640));
    world.run(SECOND * 50);
    assert!(world.operate(keeper, |gatekeeper, now| gatekeeper.disconnect(now, [1; 16])));
    world.run(SECOND);
    world.with(alice, |ras, now| ras.stop(now));
    world.run(SECOND);
    world
}

#[test]
fn python_computes_the_same_tokens() {
    let Some(python) = tools::python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/h235.py");
    for (method, name, least) in
        [(Method::H2351, "H.235.1", 12), (Method::Md5, "MD5", 5), (Method::Cat, "CAT", 5)]
    {
        let world = conversation(method, "sesame, öffne dich");
        let password = serde_json::json!("sesame, öffne dich");
        let lines = world.sent.iter().map(|datagram| {
            let hex: String = datagram.bytes.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("{}\n", serde_json::json!({ "password": password, "hex": hex }))
        });
        let answers = tools::pipe(Command::new(&python).arg(&script), lines.collect());
        let mut right = 0;
        for line in answers.lines() {
            for row in serde_json::from_str::<Vec<(String, bool)>>(line).unwrap() {
                assert_eq!(row, (name.to_owned(), true));
                right += 1;
            }
        }
        assert!(right >= least, "{method:?}: {right} tokens");
    }
}

#[test]
fn a_gatekeeper_that_was_signed_by_another_is_not_ours() {
    // Its orders are signed with the shared secret; a replayed or invented one is dropped.
    let mut world = conversation(Method::H2351, "secret");
    let alice = client_at(1);
    world.start(alice);
    world.until(SECOND * 5, |world| world.is_registered(alice)).unwrap();
    let mut request = outgoing(2, "x");
    request.destination_address = Some(signal_at(9));
    world.admit(alice, request);
    let drq = world
        .messages()
        .find(|(datagram, message)| {
            datagram.from == keeper_at(1) && matches!(message, RasMessage::DisengageRequest(_))
        })
        .map(|(datagram, _)| datagram.bytes.clone())
        .expect("a signed DRQ");
    world.inject(keeper_at(1), alice, drq.clone());
    world.run(SECOND);
    assert_eq!(world.ras(alice).counters().unproved, 1);
    assert_eq!(world.ras(alice).calls(), 1);
    // The same with another random: the hash is wrong.
    let mut forged = per::decode::<RasMessage>(&drq).unwrap().into_value();
    let RasMessage::DisengageRequest(body) = &mut forged else { panic!("DRQ") };
    body.call_identifier = Some(w::CallIdentifier::new([2; 16]));
    world.inject_message(keeper_at(1), alice, forged);
    world.run(SECOND);
    assert_eq!((world.ras(alice).counters().unproved, world.ras(alice).calls()), (2, 1));
}

fn signal(kind: u8) -> CallSignal {
    let mut vendor = w::EndpointType::new(false, false);
    vendor.terminal = Some(w::TerminalInfo::new());
    let body = match kind {
        0 => w::H323UuPduH323MessageBody::Alerting(w::AlertingUuie::new(bench::V7, vendor).into()),
        _ => w::H323UuPduH323MessageBody::ReleaseComplete(w::ReleaseCompleteUuie::new(bench::V7).into()),
    };
    let uuie = w::H323UserInformation::new(w::H323UuPdu::new(body));
    CallSignal::new(CallReference::new(1, true), uuie).unwrap()
}

#[test]
fn call_signalling_is_signed_from_its_first_octet_on() {
    let side = |sender: &str, peer: &str, unsigned| {
        SignalSecurity::new(Password::new("secret"), sender, Some(peer), unsigned, EPOCH, 5)
    };
    let now = SECOND;
    let mut alice = side("alice", "bob", UnsignedSignals::Strict);
    let mut bob = side("bob", "alice", UnsignedSignals::Strict);
    let mut carol = side("carol", "alice", UnsignedSignals::Strict);
    for kind in [0, 1] {
        let payload = Bytes::from(alice.encode(now, &signal(kind)).unwrap());
        let decoded = CallSignal::decode(&payload).unwrap();
        assert_eq!(bob.check(now, &payload, &decoded), Ok(()));
        assert!(bob.check(now, &payload, &decoded).is_err(), "a replay");
        assert!(carol.check(now, &payload, &decoded).is_err(), "meant for bob");
        for at in 0..payload.len() {
            let mut changed = payload.to_vec();
            changed[at] ^= 1;
            let changed = Bytes::from(changed);
            if let Ok(decoded) = CallSignal::decode(&changed) {
                assert!(bob.check(now, &changed, &decoded).is_err(), "octet {at}");
            }
        }
    }
    let plain = signal(0).encode().unwrap();
    assert!(bob.check(now, &plain, &signal(0)).is_err());
    let mut lenient = side("bob", "alice", UnsignedSignals::Lenient);
    assert_eq!(lenient.check(now, &plain, &signal(0)), Ok(()));
}

#[test]
fn nothing_that_is_printed_shows_a_password() {
    let world = conversation(Method::H2351, "hunter2-and-more");
    let text = format!("{:?} {:?}", world.ras(client_at(1)), world.gatekeeper(keeper_at(1)));
    assert!(!text.contains("hunter2"));
    let key = format!("{:?}", Security::new("alice", Password::new("hunter2")));
    assert!(key.contains("Password(..)") && !key.contains("hunter2"), "{key}");
}
