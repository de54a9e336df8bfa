//! Seeded hostility: messages of real conversations changed, cut, repeated and thrown together.
//! Whatever comes: no panic, outputs bounded, and time ends every call.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use common::script::{Script, join};
use common::{CALLED, CALLER, Random, media};
use offhook_h323::{Action, AudioCodec, Channel, Closed, Config, Event, Origin, Release};
use offhook_wire::capture::{Capture, Direction};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::{CallReference, MessageType};
use offhook_wire::tpkt::{self, TpktDecoder};

/// Payloads of everything that was ever recorded, both directions, H.245's connections apart.
struct Corpus {
    signals: Vec<Bytes>,
    h245: Vec<Bytes>,
}

fn corpus() -> Corpus {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/data/captures");
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    names.sort();
    let mut corpus = Corpus { signals: Vec::new(), h245: Vec::new() };
    for name in names {
        let capture = Capture::parse(&std::fs::read(name).unwrap()).unwrap();
        for connection in capture.tcp_connections() {
            let signaling = matches!(connection.server.port(), 1720 | 1721);
            for direction in [Direction::FromClient, Direction::FromServer] {
                let mut decoder = TpktDecoder::new();
                for segment in connection.segments.iter().filter(|s| s.direction == direction) {
                    decoder.push(&segment.bytes);
                    while let Ok(Some(payload)) = decoder.next() {
                        let list = if signaling { &mut corpus.signals } else { &mut corpus.h245 };
                        list.push(payload);
                    }
                }
            }
        }
    }
    let tunnelled: Vec<Bytes> = corpus
        .signals
        .iter()
        .filter_map(|payload| CallSignal::decode(payload).ok())
        .flat_map(|signal| signal.h245_control().cloned().collect::<Vec<_>>())
        .collect();
    corpus.h245.extend(tunnelled);
    assert!(corpus.signals.len() > 100 && corpus.h245.len() > 100);
    corpus
}

fn spoil(random: &mut Random, octets: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        if octets.is_empty() {
            return;
        }
        let at = random.below(octets.len() as u64) as usize;
        match random.below(5) {
            0 => octets[at] ^= 1 << random.below(8),
            1 => octets[at] = random.next() as u8,
            2 => octets.truncate(at),
            3 => {
                let piece: Vec<u8> =
                    octets[at..].iter().take(1 + random.below(16) as usize).copied().collect();
                for (offset, octet) in piece.into_iter().enumerate() {
                    octets.insert(at + offset, octet);
                }
            }
            _ => {
                let end = (at + 1 + random.below(8) as usize).min(octets.len());
                octets.drain(at..end);
            }
        }
    }
}

/// A message of the corpus as if it were of this call.
fn adopt(payload: &Bytes, reference: CallReference) -> Vec<u8> {
    match CallSignal::decode(payload) {
        Ok(mut signal) => {
            signal.q931.call_reference = reference;
            signal.encode().map_or_else(|_| payload.to_vec(), |octets| octets.to_vec())
        }
        Err(_) => payload.to_vec(),
    }
}

fn obey(script: &mut Script, random: &mut Random) {
    for action in std::mem::take(&mut script.actions) {
        let now = script.now;
        match action {
            Action::ListenH245 if random.below(4) == 0 => script.call.h245_listen_failed(now),
            Action::ListenH245 => script.call.h245_listening(now, ([10, 0, 0, 1], 9000).into()),
            Action::ConnectH245(_) if random.below(4) == 0 => {
                script.call.handle_closed(now, Channel::H245, Closed::Refused);
            }
            Action::ConnectH245(_) => script.call.handle_connected(now, Channel::H245),
            _ => {}
        }
        script.drain();
    }
}

/// A call in a state to be tortured in: fresh, offered, or connected with channels open.
fn victim(random: &mut Random, corpus: &Corpus) -> (Script, CallReference) {
    let mut config = Config {
        fast_start: random.below(2) == 0,
        tunnelling: random.below(3) != 0,
        h245_in_setup: random.below(4) == 0,
        ..Config::default()
    };
    if random.below(2) == 0 {
        // Patience lets the rest of the conversation in.
        config.limits.protocol_errors = 1000;
    }
    let codecs = [AudioCodec::Pcma, AudioCodec::Pcmu];
    match random.below(5) {
        0 => (Script::caller(config, media(CALLER, &codecs)), CallReference::new(77, true)),
        1 => {
            let mut script = Script::called(config);
            let setups: Vec<&Bytes> = corpus
                .signals
                .iter()
                .filter(|payload| {
                    CallSignal::decode(payload).is_ok_and(|s| s.q931.message_type == MessageType::SETUP)
                })
                .collect();
            let mut setup =
                adopt(setups[random.below(setups.len() as u64) as usize], CallReference::new(77, false));
            if random.below(4) == 0 {
                spoil(random, &mut setup);
            }
            script.payload(&setup);
            (script, CallReference::new(77, false))
        }
        2 => (Script::called(config), CallReference::new(77, false)),
        _ => {
            let mut caller = Script::caller(config.clone(), media(CALLER, &codecs));
            obey(&mut caller, random);
            let mut called = Script::called(config);
            join(&mut caller, &mut called, |script, event| {
                if matches!(event, Event::Setup(_)) {
                    script.call.set_media(script.now, media(CALLED, &codecs));
                    script.call.answer(script.now);
                    for action in std::mem::take(&mut script.actions) {
                        if action == Action::ListenH245 {
                            script.call.h245_listening(script.now, ([10, 0, 0, 2], 9000).into());
                        }
                    }
                }
            });
            if random.below(2) == 0 {
                (caller, CallReference::new(77, true))
            } else {
                (called, CallReference::new(77, false))
            }
        }
    }
}

/// What was seen, so that the test can say that it went deep.
#[derive(Default)]
struct Depth {
    connected: usize,
    opened: usize,
    digits: usize,
    timers: usize,
}

fn torture(seed: u64, corpus: &Corpus, depth: &mut Depth) {
    let mut random = Random(seed);
    let (mut script, reference) = victim(&mut random, corpus);
    obey(&mut script, &mut random);
    for _ in 0..random.below(80) {
        let mut channel = Channel::Signaling;
        let mut octets: Vec<u8>;
        match random.below(24) {
            0..=6 => {
                let payload = &corpus.signals[random.below(corpus.signals.len() as u64) as usize];
                let ends = CallSignal::decode(payload)
                    .is_ok_and(|s| s.q931.message_type == MessageType::RELEASE_COMPLETE);
                if ends && random.below(10) != 0 {
                    continue;
                }
                octets = if random.below(8) == 0 { payload.to_vec() } else { adopt(payload, reference) };
            }
            7..=18 => {
                channel = Channel::H245;
                octets = corpus.h245[random.below(corpus.h245.len() as u64) as usize].to_vec();
                if random.below(3) == 0 {
                    spoil(&mut random, &mut octets);
                }
                if random.below(2) == 0 {
                    script.tunnel_octets(octets.into(), reference);
                    obey(&mut script, &mut random);
                    continue;
                }
            }
            19 | 20 => {
                let now = script.now;
                match random.below(8) {
                    0 => script.call.accept(now),
                    1 => script.call.answer(now),
                    2 => script.call.set_media(now, media(CALLED, &[AudioCodec::Pcmu, AudioCodec::Pcma])),
                    3 => drop(script.call.send_digits(now, "12é#!")),
                    4 => script.call.handle_connected(now, Channel::H245),
                    5 => script.call.h245_listening(now, ([10, 0, 0, 1], 9000).into()),
                    6 if random.below(4) == 0 => script.call.release(now, Release::normal()),
                    7 if random.below(4) == 0 => {
                        script.call.handle_closed(now, Channel::H245, Closed::ByPeer);
                    }
                    _ => {}
                }
                script.drain();
                obey(&mut script, &mut random);
                continue;
            }
            21 | 22 => {
                script.wait(random.ms(20_000));
                continue;
            }
            _ => octets = (0..random.below(40)).map(|_| random.next() as u8).collect(),
        }
        if random.below(4) == 0 {
            spoil(&mut random, &mut octets);
        }
        let Ok(packet) = tpkt::encode(&octets) else { continue };
        let mut packet = packet.to_vec();
        if random.below(100) == 0 {
            spoil(&mut random, &mut packet);
        }
        let cut = random.below(packet.len() as u64 + 1) as usize;
        let said = |script: &Script| script.signals.len() + script.h245.len() + script.events.len();
        let before = said(&script);
        script.octets(channel, &packet[..cut]);
        script.octets(channel, &packet[cut..]);
        let after = said(&script);
        assert!(after - before < 400, "seed {seed}: one message brings about {}", after - before);
        obey(&mut script, &mut random);
    }
    // Nothing more comes: time ends it, or the call lives on without a deadline that would.
    script.wait(Duration::from_secs(400));
    let count = |wanted: fn(&Event) -> bool| script.events.iter().filter(|event| wanted(event)).count();
    depth.connected += count(|event| matches!(event, Event::Connected(_)));
    depth.opened += count(|event| matches!(event, Event::ChannelOpened(_)));
    depth.digits += count(|event| matches!(event, Event::Digit { .. }));
    depth.timers +=
        count(|event| matches!(event, Event::Released(info) if matches!(info.origin, Origin::Timer(_))));
    let over = count(|event| matches!(event, Event::Released(_)));
    assert!(over <= 1, "seed {seed}");
    if over == 0 && !script.call.is_finished() {
        let now = script.now;
        script.call.release(now, Release::normal());
        script.drain();
        script.wait(Duration::from_secs(60));
    }
    assert!(script.call.is_finished(), "seed {seed}: {:?}", script.call);
    assert_eq!(script.call.poll_timeout(), None, "seed {seed}");
}

#[test]
fn no_order_of_messages_whole_or_spoilt_hangs_or_breaks_a_call() {
    let corpus = corpus();
    let seeds = std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(3000);
    let first = std::env::var("OFFHOOK_FIRST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut depth = Depth::default();
    for seed in first..first + seeds {
        torture(seed, &corpus, &mut depth);
    }
    let Depth { connected, opened, digits, timers } = depth;
    println!("{seeds} seeds: {connected} connected, {opened} channels, {digits} digits, {timers} timers");
    let enough = seeds as usize / 10;
    // Two in five victims start connected; these connected under torture.
    assert!(connected > enough / 3 && opened > enough && digits > enough && timers > enough);
}
