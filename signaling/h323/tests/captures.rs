//! Recordings of real systems as the peer: we take one side's place and are fed what the other side said.
//!
//! Our own octets differ from those of the side whose place we take, so what the recording's answers refer
//! to is taken from it: call reference, identifiers, statusDeterminationNumber, terminalType, channel number.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use common::{CALLED, CALLER, media};
use offhook_h323::{
    Action, AudioCodec, Call, CallState, Cause, Channel, Closed, Config, DigitVia, Event, Flow,
    IncomingParams, LocalMedia, Origin, OutgoingParams, ReleaseInfo, ReleaseReason,
};
use offhook_wire::capture::{Capture, Direction, TcpConnection};
use offhook_wire::h225::H323UuPduH323MessageBody as Body;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::{MultimediaSystemControlMessage, RequestMessage};
use offhook_wire::per;
use offhook_wire::tpkt::TpktDecoder;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/data/captures")
}

fn load(name: &str) -> Capture {
    let octets = std::fs::read(directory().join(format!("{name}.pcap"))).expect("capture");
    Capture::parse(&octets).expect("pcap")
}

/// All recordings but those of a gatekeeper and of supplementary services that end elsewhere.
fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory())
        .expect("captures")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".pcap").map(str::to_owned))
        .filter(|name| !name.starts_with("gk-"))
        .collect();
    names.sort();
    assert!(names.len() > 30);
    names
}

/// The place that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Caller,
    Called,
}

impl Place {
    /// Whose octets we are fed, on the connection that the caller opened.
    fn peer(self) -> Direction {
        match self {
            Self::Caller => Direction::FromServer,
            Self::Called => Direction::FromClient,
        }
    }
}

/// Payloads of the TPKTs of one direction.
fn payloads(connection: &TcpConnection, direction: Direction) -> Vec<Bytes> {
    let mut decoder = TpktDecoder::new();
    let mut payloads = Vec::new();
    for segment in connection.segments.iter().filter(|s| s.direction == direction) {
        decoder.push(&segment.bytes);
        while let Ok(Some(payload)) = decoder.next() {
            payloads.push(payload);
        }
    }
    payloads
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::FromClient => Direction::FromServer,
        Direction::FromServer => Direction::FromClient,
    }
}

/// What one recording is about.
struct Recording {
    signaling: TcpConnection,
    h245: Option<TcpConnection>,
}

impl Recording {
    fn load(name: &str) -> Self {
        let capture = load(name);
        let connections = capture.tcp_connections();
        let signaling = connections.iter().find(|c| c.server.port() == 1720).expect("signalling").clone();
        let hosts = [signaling.client.ip(), signaling.server.ip()];
        let h245 = connections
            .iter()
            .find(|c| {
                c.server.port() != 1720 && hosts.contains(&c.client.ip()) && hosts.contains(&c.server.ip())
            })
            .cloned();
        Self { signaling, h245 }
    }

    fn setup(&self) -> CallSignal {
        let payload = payloads(&self.signaling, Direction::FromClient).into_iter().next().expect("Setup");
        CallSignal::decode(&payload).expect("Setup")
    }

    /// All H.245 messages of one side.
    fn h245_of(&self, address: SocketAddr, direction: Direction) -> Vec<MultimediaSystemControlMessage> {
        let mut octets: Vec<Bytes> = Vec::new();
        for payload in payloads(&self.signaling, direction) {
            let signal = CallSignal::decode(&payload).expect("signal");
            octets.extend(signal.h245_control().cloned());
        }
        if let Some(h245) = &self.h245 {
            let own =
                if h245.client.ip() == address.ip() { Direction::FromClient } else { Direction::FromServer };
            octets.extend(payloads(h245, own));
        }
        let messages = octets.iter().map(per::decode::<MultimediaSystemControlMessage>);
        messages.map(|message| message.expect("H.245").into_value()).collect()
    }

    /// What the replaced side called itself.
    fn config(&self, place: Place) -> Config {
        let direction = opposite(place.peer());
        let address = self.signaling.source(direction);
        let mut config = Config { display: "replayed".to_owned(), ..Config::default() };
        config.timers.round_trip_interval = None;
        let signals: Vec<CallSignal> = payloads(&self.signaling, direction)
            .iter()
            .map(|payload| CallSignal::decode(payload).expect("signal"))
            .collect();
        config.tunnelling = signals
            .iter()
            .filter_map(|signal| signal.uuie.as_ref())
            .any(|uuie| uuie.h323_uu_pdu.h245_tunnelling == Some(true));
        config.fast_start = signals.iter().any(|signal| match signal.body() {
            Some(Body::Setup(uuie)) => uuie.fast_start.is_some(),
            Some(Body::CallProceeding(uuie)) => uuie.fast_start.is_some(),
            Some(Body::Alerting(uuie)) => uuie.fast_start.is_some(),
            Some(Body::Connect(uuie)) => uuie.fast_start.is_some(),
            _ => false,
        });
        let mut first_channel = None;
        for message in self.h245_of(address, direction) {
            match message {
                MultimediaSystemControlMessage::Request(RequestMessage::MasterSlaveDetermination(msd)) => {
                    config.terminal_type = msd.terminal_type;
                    config.status_determination_number = Some(msd.status_determination_number);
                }
                MultimediaSystemControlMessage::Request(RequestMessage::OpenLogicalChannel(open)) => {
                    first_channel.get_or_insert(open.forward_logical_channel_number);
                }
                _ => {}
            }
        }
        if let Some(first) = first_channel {
            // Our fastStart proposals take numbers before the first OpenLogicalChannel does.
            let proposals = if config.fast_start && place == Place::Caller { CODECS.len() as u16 } else { 0 };
            config.first_channel = first - proposals;
        }
        config
    }
}

/// What became of our side.
struct Outcome {
    events: Vec<Event>,
    call: Call,
    /// The largest number of channels open at once, by direction.
    transmit: usize,
    receive: usize,
}

impl Outcome {
    fn released(&self) -> Option<&ReleaseInfo> {
        self.events.iter().find_map(|event| match event {
            Event::Released(info) => Some(&**info),
            _ => None,
        })
    }

    fn connected(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Connected(_)))
    }
}

struct Replay<'a> {
    recording: &'a Recording,
    place: Place,
    call: Call,
    events: Vec<Event>,
    media: LocalMedia,
    now: Duration,
    h245_up: bool,
    wants_h245: bool,
}

const CODECS: [AudioCodec; 5] =
    [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::Gsm, AudioCodec::G722, AudioCodec::G729];

fn replay(recording: &Recording, place: Place, adjust: impl FnOnce(&mut Config)) -> Outcome {
    let mut config = recording.config(place);
    adjust(&mut config);
    let signaling = &recording.signaling;
    let setup = recording.setup();
    let Some(Body::Setup(uuie)) = setup.body() else { panic!("no Setup") };
    let now = Duration::from_secs(1);
    let (call, media) = match place {
        Place::Caller => {
            let media = media(CALLER, &CODECS);
            let params = OutgoingParams {
                call_identifier: uuie.call_identifier.as_ref().map_or([0; 16], |id| id.guid),
                conference_id: uuie.conference_id,
                call_reference: setup.q931.call_reference.value(),
                destination: None,
                local_signal_address: Some(signaling.client),
                remote_signal_address: signaling.server,
                ..common::outgoing_params(1, media.clone())
            };
            (Call::outgoing(config, params, now), media)
        }
        Place::Called => {
            let params = IncomingParams {
                seed: 1,
                local_signal_address: Some(signaling.server),
                remote_signal_address: signaling.client,
            };
            (Call::incoming(config, params, now), media(CALLED, &CODECS))
        }
    };
    let mut replay =
        Replay { recording, place, call, events: Vec::new(), media, now, h245_up: false, wants_h245: false };
    replay.run();
    let mut open = Vec::new();
    let (mut transmit, mut receive) = (0, 0);
    for event in &replay.events {
        match event {
            Event::ChannelOpened(plan) => {
                open.retain(|flow| *flow != plan.flow);
                open.push(plan.flow);
            }
            Event::ChannelClosed { flow, .. } => open.retain(|other| other != flow),
            _ => {}
        }
        transmit = transmit.max(open.iter().filter(|flow| **flow == Flow::Transmit).count());
        receive = receive.max(open.iter().filter(|flow| **flow == Flow::Receive).count());
    }
    assert!(open.is_empty() || replay.call.state() == CallState::Active);
    Outcome { events: replay.events, call: replay.call, transmit, receive }
}

impl Replay<'_> {
    fn run(&mut self) {
        let signaling = &self.recording.signaling;
        if self.place == Place::Caller {
            self.call.handle_connected(self.now, Channel::Signaling);
            self.drain();
        }
        // Both connections in the order of time.
        let mut segments: Vec<(Duration, Channel, &Bytes)> = signaling
            .segments
            .iter()
            .filter(|segment| segment.direction == self.place.peer())
            .map(|segment| (segment.at, Channel::Signaling, &segment.bytes))
            .collect();
        if let Some(h245) = &self.recording.h245 {
            let peer = signaling.source(self.place.peer()).ip();
            let direction =
                if h245.client.ip() == peer { Direction::FromClient } else { Direction::FromServer };
            let theirs = h245.segments.iter().filter(|segment| segment.direction == direction);
            segments.extend(theirs.map(|segment| (segment.at, Channel::H245, &segment.bytes)));
        }
        segments.sort_by_key(|(at, ..)| *at);
        for (at, channel, bytes) in segments {
            self.now = Duration::from_secs(1) + at;
            if channel == Channel::H245 && !self.h245_up {
                assert!(self.wants_h245, "the recording has H.245 on its own connection and we want none");
                self.h245_up = true;
                self.call.handle_connected(self.now, Channel::H245);
                self.drain();
            }
            self.call.handle_bytes(self.now, channel, bytes);
            self.drain();
        }
        for channel in [Channel::H245, Channel::Signaling] {
            self.call.handle_closed(self.now, channel, Closed::ByPeer);
            self.drain();
        }
        while let Some(at) = self.call.poll_timeout() {
            self.now = at;
            self.call.handle_timeout(at);
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            // Whatever we say must be what we would understand.
            while let Some(transmit) = self.call.poll_transmit() {
                let mut decoder = TpktDecoder::new();
                decoder.push(&transmit.bytes);
                while let Some(payload) = decoder.next().expect("TPKT") {
                    match transmit.channel {
                        Channel::Signaling => drop(CallSignal::decode(&payload).expect("signal")),
                        Channel::H245 => {
                            per::decode::<MultimediaSystemControlMessage>(&payload).expect("H.245");
                        }
                    }
                }
            }
            if let Some(event) = self.call.poll_event() {
                if matches!(event, Event::Setup(_)) {
                    self.call.set_media(self.now, self.media.clone());
                    self.call.accept(self.now);
                    self.call.answer(self.now);
                }
                self.events.push(event);
                continue;
            }
            match self.call.poll_action() {
                Some(Action::ListenH245) => {
                    self.wants_h245 = true;
                    self.call.h245_listening(self.now, ([10, 0, 0, 9], 9000).into());
                }
                Some(Action::ConnectH245(address)) => {
                    self.wants_h245 = true;
                    // H323Plus names an address in Connect and, after fast connect, has the other side connect
                    // to the caller's all the same.
                    let h245 = self.recording.h245.as_ref().expect("an H.245 connection");
                    assert!(address == h245.server || h245.segments.is_empty());
                }
                Some(_) => {}
                None => return,
            }
        }
    }
}

/// A recording with its two places, and what is expected in each.
fn expect_call(name: &str, place: Place) -> Outcome {
    let recording = Recording::load(name);
    let outcome = replay(&recording, place, |config| {
        config.h245_after_fast_start =
            recording.h245.is_some() || recording.setup().h245_control().next().is_some();
    });
    assert!(outcome.connected(), "{name} {place:?}: {:?}", outcome.events);
    assert_eq!((outcome.transmit, outcome.receive), (1, 1), "{name} {place:?}: {:?}", outcome.events);
    assert_eq!(outcome.call.protocol_errors(), 0, "{name} {place:?}");
    let info = outcome.released().unwrap_or_else(|| panic!("{name} {place:?}: not released"));
    assert!(info.connected && outcome.call.is_finished(), "{name} {place:?}: {info:?}");
    assert!(matches!(info.origin, Origin::Remote | Origin::Network), "{name} {place:?}: {info:?}");
    outcome
}

const CALLS: [&str; 15] = [
    "ast-in-fast",
    "ast-in-slow-h245tcp",
    "ast-in-slow-tunnel",
    "ast-out-fast",
    "ast-out-slow-tunnel",
    "h323plus-fast-h245tcp",
    "h323plus-fast-refused",
    "h323plus-fast-tunnel",
    "h323plus-slow-h245tcp",
    "h323plus-slow-tunnel",
    "oo-in-fast",
    "oo-in-slow-h245tcp",
    "oo-oo-fast",
    "oo-out-fast-dtmf",
    "h323plus-earlymedia",
];

#[test]
fn real_callers_reach_us_and_hear_us() {
    for name in CALLS {
        expect_call(name, Place::Called);
    }
}

#[test]
fn we_reach_real_called_sides_and_hear_them() {
    for name in CALLS {
        expect_call(name, Place::Caller);
    }
}

#[test]
fn real_busy_is_busy() {
    for name in ["ast-in-busy", "h323plus-busy"] {
        let recording = Recording::load(name);
        let outcome = replay(&recording, Place::Caller, |_| {});
        let info = outcome.released().expect("released");
        assert!(!info.connected);
        assert_eq!(info.origin, Origin::Remote, "{name}");
        let busy = info.cause == Some(Cause::USER_BUSY) || info.reason == Some(ReleaseReason::InConf);
        assert!(busy, "{name}: {info:?}");
        assert_eq!(outcome.call.protocol_errors(), 0, "{name}");
    }
}

#[test]
fn whatever_was_recorded_no_side_of_it_is_an_error() {
    for name in names() {
        let recording = Recording::load(&name);
        for place in [Place::Caller, Place::Called] {
            let outcome = replay(&recording, place, |_| {});
            assert_eq!(outcome.call.protocol_errors(), 0, "{name} {place:?}");
            assert!(outcome.released().is_some(), "{name} {place:?}: {:?}", outcome.events);
            assert!(outcome.call.is_finished(), "{name} {place:?}");
            println!("{name} {place:?}: connected {} {:?}", outcome.connected(), outcome.released());
        }
    }
}

#[test]
fn digits_of_real_callers_arrive_however_they_are_sent() {
    for (name, sent, via) in [
        ("h323plus-dtmf-h245signal", "123#", DigitVia::Signal),
        ("h323plus-dtmf-h245string", "123#", DigitVia::Alphanumeric),
        ("h323plus-dtmf-q931", "123#", DigitVia::Keypad),
        ("ast-dtmf-h245alphanumeric", "1234", DigitVia::Alphanumeric),
        ("ast-dtmf-q931keypad", "1234", DigitVia::Keypad),
    ] {
        let recording = Recording::load(name);
        let outcome = replay(&recording, Place::Called, |_| {});
        let digits: String = outcome
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Digit { digit, via: how, .. } if *how == via => Some(*digit),
                _ => None,
            })
            .collect();
        assert_eq!(digits, sent, "{name}: {:?}", outcome.events);
    }
}

#[test]
fn a_real_pause_pauses_and_a_real_resumption_reopens() {
    let recording = Recording::load("h323plus-emptytcs");
    let outcome = replay(&recording, Place::Called, |_| {});
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
    assert_eq!(outcome.call.protocol_errors(), 0);
}

#[test]
fn a_real_forward_is_told_with_its_address() {
    let recording = Recording::load("h323plus-forward");
    let outcome = replay(&recording, Place::Caller, |_| {});
    let told = outcome.events.iter().find_map(|event| match event {
        Event::ForwardRequested(forward) => Some(forward.address),
        _ => None,
    });
    assert_eq!(told, Some(Some(([127, 0, 0, 3], 1720).into())), "{:?}", outcome.events);
}

#[test]
fn real_callees_that_do_not_want_us_say_so() {
    for name in ["h323plus-reject", "ast-in-congestion", "h323plus-noanswer"] {
        let recording = Recording::load(name);
        let outcome = replay(&recording, Place::Caller, |_| {});
        assert!(!outcome.connected(), "{name}");
        let info = outcome.released().expect("released");
        assert!(info.cause.is_some(), "{name}: {info:?}");
    }
}
