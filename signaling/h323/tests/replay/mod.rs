//! A recording of a real call, and our machine in the place of one of its sides: fed what the other side sent, told to do
//! what the replaced side did. In: a capture's name, a place. Out: what became of our side.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    Action, AudioCodec, Call, CallState, Channel, Closed, Config, Event, Flow, IncomingParams, LocalMedia,
    OutgoingParams, Release, ReleaseInfo, ReleaseReason,
};
use offhook_wire::capture::{Capture, Direction, TcpConnection};
use offhook_wire::h225::{self, H323UuPduH323MessageBody as Body};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::{CommandMessage, MultimediaSystemControlMessage, RequestMessage};
use offhook_wire::per;
use offhook_wire::tpkt::TpktDecoder;

use crate::common::{self, CALLED, CALLER, media};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/data/captures")
}

fn load(name: &str) -> Capture {
    let octets = std::fs::read(directory().join(format!("{name}.pcap"))).expect("capture");
    Capture::parse(&octets).expect("pcap")
}

/// All recordings but those of a gatekeeper and of supplementary services that end elsewhere.
pub(crate) fn names() -> Vec<String> {
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
pub(crate) enum Place {
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
    payloads_at(connection, direction).into_iter().map(|(_, payload)| payload).collect()
}

/// The same with the time of the segment that completed each.
fn payloads_at(connection: &TcpConnection, direction: Direction) -> Vec<(Duration, Bytes)> {
    let mut decoder = TpktDecoder::new();
    let mut payloads = Vec::new();
    for segment in connection.segments.iter().filter(|s| s.direction == direction) {
        decoder.push(&segment.bytes);
        while let Ok(Some(payload)) = decoder.next() {
            payloads.push((segment.at, payload));
        }
    }
    payloads
}

fn ends_session(octets: &Bytes) -> bool {
    let message = per::decode::<MultimediaSystemControlMessage>(octets).expect("H.245").into_value();
    match message {
        MultimediaSystemControlMessage::Command(command) => {
            matches!(*command, CommandMessage::EndSessionCommand(_))
        }
        _ => false,
    }
}

/// What a recorded side did of its own accord.
enum Step {
    Alert,
    Answer,
    Deflect(SocketAddr),
    Release(Release),
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::FromClient => Direction::FromServer,
        Direction::FromServer => Direction::FromClient,
    }
}

/// What one recording is about.
pub(crate) struct Recording {
    pub(crate) signaling: TcpConnection,
    pub(crate) h245: Option<TcpConnection>,
}

impl Recording {
    pub(crate) fn load(name: &str) -> Self {
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

    pub(crate) fn setup(&self) -> CallSignal {
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

    /// What a side decided, and when. Asterisk begins H.245 before Connect and is answered then; we begin it with
    /// Connect, so ours goes with its first H.245.
    fn decisions(&self, of: Direction) -> Vec<(Duration, Step)> {
        let mut steps = Vec::new();
        let mut h245_since = None;
        for (at, payload) in payloads_at(&self.signaling, of) {
            let signal = CallSignal::decode(&payload).expect("signal");
            for octets in signal.h245_control() {
                h245_since.get_or_insert(at);
                steps.extend(ends_session(octets).then_some((at, Step::Release(Release::normal()))));
            }
            match signal.body() {
                Some(Body::Alerting(_)) => steps.push((at, Step::Alert)),
                Some(Body::Connect(_)) => steps.push((at.min(h245_since.unwrap_or(at)), Step::Answer)),
                Some(Body::Facility(facility)) => {
                    if let Some(h225::TransportAddress::IpAddress(to)) = &facility.alternative_address {
                        steps.push((at, Step::Deflect((to.ip, to.port).into())));
                    }
                }
                Some(Body::ReleaseComplete(_)) => {
                    // One side in all recordings gives a reason without a cause: it was sent elsewhere.
                    let sent_on = Release::with_reason(ReleaseReason::FacilityCallDeflection);
                    let release = signal.q931.cause().map_or(sent_on, Release::with_cause);
                    steps.push((at, Step::Release(release)));
                }
                _ => {}
            }
        }
        if let Some(h245) = &self.h245 {
            let address = self.signaling.source(of).ip();
            let own = if h245.client.ip() == address { Direction::FromClient } else { Direction::FromServer };
            let ends = payloads_at(h245, own).into_iter().filter(|(_, octets)| ends_session(octets));
            steps.extend(ends.map(|(at, _)| (at, Step::Release(Release::normal()))));
        }
        steps.sort_by_key(|(at, _)| *at);
        steps
    }

    /// What the replaced side decided: a release that only answers the other side's is the machine's own affair.
    fn steps(&self, place: Place) -> Vec<(Duration, Step)> {
        let theirs = self.decisions(place.peer());
        let ended = theirs.iter().find(|(_, step)| matches!(step, Step::Release(_))).map(|(at, _)| *at);
        let mut steps = self.decisions(opposite(place.peer()));
        steps
            .retain(|(at, step)| !matches!(step, Step::Release(_)) || ended.is_none_or(|ended| *at <= ended));
        steps
    }

    /// What the replaced side called itself.
    fn config(&self, place: Place, codecs: usize) -> Config {
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
            let proposals = if config.fast_start && place == Place::Caller { codecs as u16 } else { 0 };
            config.first_channel = first - proposals;
        }
        config
    }
}

/// What became of our side.
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) call: Call,
    /// The largest number of channels open at once, by direction.
    pub(crate) transmit: usize,
    pub(crate) receive: usize,
}

impl Outcome {
    pub(crate) fn released(&self) -> Option<&ReleaseInfo> {
        self.events.iter().find_map(|event| match event {
            Event::Released(info) => Some(&**info),
            _ => None,
        })
    }

    pub(crate) fn connected(&self) -> bool {
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
    deflected: bool,
}

pub(crate) const CODECS: [AudioCodec; 5] =
    [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::Gsm, AudioCodec::G722, AudioCodec::G729];

/// Our machine in one side's place, with the sound that the side had, or any.
pub(crate) fn replay(
    recording: &Recording,
    place: Place,
    codecs: &[AudioCodec],
    adjust: impl FnOnce(&mut Config),
) -> Outcome {
    let mut config = recording.config(place, codecs.len());
    adjust(&mut config);
    let signaling = &recording.signaling;
    let setup = recording.setup();
    let Some(Body::Setup(uuie)) = setup.body() else { panic!("no Setup") };
    let now = Duration::from_secs(1);
    let (call, media) = match place {
        Place::Caller => {
            let media = media(CALLER, codecs);
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
            (Call::incoming(config, params, now), media(CALLED, codecs))
        }
    };
    let mut replay = Replay {
        recording,
        place,
        call,
        events: Vec::new(),
        media,
        now,
        h245_up: false,
        wants_h245: false,
        deflected: false,
    };
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
        let mut steps = self.recording.steps(self.place).into_iter().peekable();
        for (at, channel, bytes) in segments {
            while let Some((when, step)) = steps.next_if(|(when, _)| *when < at) {
                self.take(Duration::from_secs(1) + when, step);
            }
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
        for (when, step) in steps {
            self.take(Duration::from_secs(1) + when, step);
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

    /// Does what the side in whose place we are did then.
    fn take(&mut self, at: Duration, step: Step) {
        self.now = at;
        let over = self.events.iter().any(|event| matches!(event, Event::Released(_)));
        match step {
            Step::Alert => self.call.accept(at),
            Step::Answer => self.call.answer(at),
            // What H323Plus releases at once, we leave to the caller, who does.
            Step::Deflect(to) => self.deflected = self.call.deflect(at, Some(to), &[]),
            Step::Release(release) if !over && !self.deflected => self.call.release(at, release),
            Step::Release(_) => {}
        }
        self.drain();
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
