//! Two calls, a virtual clock and a seeded network between them: TCP as it is, ordered, but cut, joined and
//! delayed at will. In: a scenario. Out: what each side saw.
#![allow(dead_code, clippy::expect_used, clippy::unwrap_used)]

pub(crate) mod mangle;
pub(crate) mod pair;
mod random;
pub(crate) mod script;
pub(crate) mod signals;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use mangle::{Mangle, Mangler};
use offhook_h323::{
    Action, Alias, AudioCodec, Call, CallState, Channel, ChannelPlan, Closed, CodecOffer, ConferenceGoal,
    Config, Event, Flow, IncomingParams, LocalMedia, LocalSession, OutgoingParams, Release, ReleaseInfo,
};
pub(crate) use random::Random;

pub(crate) const CALLER: usize = 0;
pub(crate) const CALLED: usize = 1;

pub(crate) fn offer(codec: AudioCodec) -> CodecOffer {
    let payload_type = codec.static_payload_type().unwrap_or(96);
    CodecOffer { codec, payload_type, packet_ms: 20, max_packet_ms: 60 }
}

pub(crate) fn media(side: usize, codecs: &[AudioCodec]) -> LocalMedia {
    let ip = [10, 0, 0, side as u8 + 1];
    LocalMedia {
        sessions: vec![LocalSession {
            session_id: 1,
            rtp: (ip, 5000 + 100 * side as u16).into(),
            rtcp: (ip, 5001 + 100 * side as u16).into(),
            codecs: codecs.iter().map(|codec| offer(*codec)).collect(),
            telephone_event: Some(101),
            comfort_noise: false,
            silence_suppression: false,
            redundancy: None,
        }],
    }
}

pub(crate) fn signal_address(side: usize) -> SocketAddr {
    ([10, 0, 0, side as u8 + 1], if side == CALLED { 1720 } else { 30000 }).into()
}

pub(crate) fn outgoing_params(seed: u64, media: LocalMedia) -> OutgoingParams {
    OutgoingParams {
        call_identifier: [7; 16],
        conference_id: [9; 16],
        call_reference: 77,
        seed,
        goal: ConferenceGoal::Create,
        destination: Some(Alias::from_text("bob")),
        overlap: false,
        withhold_identity: false,
        redirecting: None,
        forwards: 0,
        user_user: None,
        local_signal_address: Some(signal_address(CALLER)),
        remote_signal_address: signal_address(CALLED),
        media,
    }
}

pub(crate) fn incoming_params(seed: u64) -> IncomingParams {
    IncomingParams {
        seed,
        local_signal_address: Some(signal_address(CALLED)),
        remote_signal_address: signal_address(CALLER),
    }
}

/// What the application of one side does.
#[derive(Clone)]
pub(crate) struct Policy {
    /// After Setup, in any order: media known, Alerting, Connect.
    pub media: Option<Duration>,
    pub accept: Option<Duration>,
    pub answer: Option<Duration>,
    pub local: LocalMedia,
}

pub(crate) struct Endpoint {
    pub call: Call,
    pub events: Vec<Event>,
    pub open: BTreeMap<(u8, bool), ChannelPlan>,
    pub policy: Policy,
    /// Whether hold and retrieve could be, in their order.
    pub asked: Vec<bool>,
    listening: Option<SocketAddr>,
    up: [bool; 2],
}

impl Endpoint {
    pub(crate) fn released(&self) -> Option<&ReleaseInfo> {
        self.events.iter().find_map(|event| match event {
            Event::Released(info) => Some(&**info),
            _ => None,
        })
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }

    pub(crate) fn digits(&self) -> String {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Digit { digit, .. } => Some(*digit),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn plan(&self, flow: Flow) -> Option<&ChannelPlan> {
        self.open.get(&(1, flow == Flow::Transmit))
    }
}

#[derive(Debug)]
enum Item {
    Bytes(Channel, Vec<u8>),
    Connected(Channel),
    Closed(Channel, Closed),
    Listening(Option<SocketAddr>),
    Media,
    Accept,
    Answer,
    Release(Release),
    Digits(String),
    SetMedia(LocalMedia),
    Hold,
    Retrieve,
}

pub(crate) struct World {
    pub now: Duration,
    pub random: Random,
    pub ends: [Endpoint; 2],
    /// The longest delay of the network, in ms.
    pub delay: u64,
    /// Connections that may be made.
    pub can_listen: bool,
    /// A lost signalling connection can be made again.
    pub can_reopen: bool,
    /// How often that was tried.
    pub reopened: u32,
    pub octets: [u64; 2],
    /// The connection that breaks, and at which of its messages, which is lost.
    pub cut: Option<(Channel, u64)>,
    /// What happens to H.245 messages in h245Control.
    pub mangle: Mangle,
    manglers: [Mangler; 2],
    /// Messages sent so far, by connection.
    pub messages: [u64; 2],
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    items: BTreeMap<u64, (usize, Item)>,
    next: u64,
    last: BTreeMap<(usize, usize), Duration>,
}

fn index(channel: Channel) -> usize {
    match channel {
        Channel::Signaling => 0,
        Channel::H245 => 1,
    }
}

impl World {
    pub(crate) fn new(seed: u64, caller: Config, called: Config, policies: [Policy; 2]) -> Self {
        let mut random = Random(seed);
        let [first, second] = policies;
        let now = Duration::from_secs(1000);
        let calls = [
            Call::outgoing(caller, outgoing_params(random.next(), first.local.clone()), now),
            Call::incoming(called, incoming_params(random.next()), now),
        ];
        let mut policies = [first, second].into_iter();
        let ends = calls.map(|call| Endpoint {
            call,
            events: Vec::new(),
            open: BTreeMap::new(),
            policy: policies.next().unwrap(),
            asked: Vec::new(),
            listening: None,
            up: [false; 2],
        });
        let mut world = Self {
            now,
            random,
            ends,
            delay: 30,
            can_listen: true,
            can_reopen: true,
            reopened: 0,
            octets: [0; 2],
            cut: None,
            mangle: Mangle::None,
            manglers: Default::default(),
            messages: [0; 2],
            queue: BinaryHeap::new(),
            items: BTreeMap::new(),
            next: 0,
            last: BTreeMap::new(),
        };
        for end in &mut world.ends {
            end.up[0] = true;
        }
        world.at(Duration::from_millis(1), CALLER, Item::Connected(Channel::Signaling));
        world
    }

    fn at(&mut self, after: Duration, end: usize, item: Item) {
        let time = self.now + after;
        self.queue.push(Reverse((time, self.next)));
        self.items.insert(self.next, (end, item));
        self.next += 1;
    }

    /// In the order of the connection.
    fn ordered(&mut self, end: usize, channel: Channel, item: Item) {
        let delay = self.random.ms(self.delay);
        let earliest = self.last.get(&(end, index(channel))).copied().unwrap_or_default();
        let time = (self.now + delay).max(earliest);
        self.last.insert((end, index(channel)), time);
        self.at(time - self.now, end, item);
    }

    pub(crate) fn release(&mut self, after: Duration, end: usize, release: Release) {
        self.at(after, end, Item::Release(release));
    }

    pub(crate) fn digits(&mut self, after: Duration, end: usize, digits: &str) {
        self.at(after, end, Item::Digits(digits.to_owned()));
    }

    pub(crate) fn set_media(&mut self, after: Duration, end: usize, media: LocalMedia) {
        self.at(after, end, Item::SetMedia(media));
    }

    pub(crate) fn hold(&mut self, after: Duration, end: usize) {
        self.at(after, end, Item::Hold);
    }

    pub(crate) fn retrieve(&mut self, after: Duration, end: usize) {
        self.at(after, end, Item::Retrieve);
    }

    pub(crate) fn break_connection(&mut self, after: Duration, channel: Channel, why: Closed) {
        for end in [CALLER, CALLED] {
            self.at(after, end, Item::Closed(channel, why));
        }
    }

    /// Runs for `span` of virtual time, or until nothing is left to happen.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let item = self.queue.peek().map(|Reverse((time, _))| *time);
            let timer = self.ends.iter().filter_map(|e| e.call.poll_timeout()).min();
            let next = [item, timer].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if item.is_some_and(|item| item <= self.now) {
                let Reverse((_, id)) = self.queue.pop().unwrap();
                let (end, item) = self.items.remove(&id).unwrap();
                self.happen(end, item);
            } else {
                for end in [CALLER, CALLED] {
                    if self.ends[end].call.poll_timeout().is_some_and(|at| at <= self.now) {
                        self.ends[end].call.handle_timeout(self.now);
                        self.drain(end);
                    }
                }
            }
        }
        self.now = end;
    }

    fn happen(&mut self, end: usize, item: Item) {
        let now = self.now;
        let up = |channel: Channel, ends: &[Endpoint; 2]| ends[end].up[index(channel)];
        match item {
            Item::Bytes(channel, bytes) if up(channel, &self.ends) => {
                self.ends[end].call.handle_bytes(now, channel, &bytes);
            }
            Item::Bytes(..) => {}
            // The caller has given up the attempt to make it again.
            Item::Connected(Channel::Signaling) if self.ends[CALLER].call.is_finished() => {}
            Item::Connected(channel) => {
                self.ends[end].up[index(channel)] = true;
                self.ends[end].call.handle_connected(now, channel);
            }
            Item::Closed(channel, why) => {
                self.ends[end].up[index(channel)] = false;
                self.ends[end].call.handle_closed(now, channel, why);
            }
            Item::Listening(Some(address)) => self.ends[end].call.h245_listening(now, address),
            Item::Listening(None) => self.ends[end].call.h245_listen_failed(now),
            Item::Media => {
                let media = self.ends[end].policy.local.clone();
                self.ends[end].call.set_media(now, media);
            }
            Item::Accept => self.ends[end].call.accept(now),
            Item::Answer => self.ends[end].call.answer(now),
            Item::Release(release) => self.ends[end].call.release(now, release),
            Item::Digits(digits) => {
                self.ends[end].call.send_digits(now, &digits);
            }
            Item::SetMedia(media) => self.ends[end].call.set_media(now, media),
            Item::Hold => self.ends[end].asked.push(self.ends[end].call.hold(now)),
            Item::Retrieve => self.ends[end].asked.push(self.ends[end].call.retrieve(now)),
        }
        self.drain(end);
    }

    /// Everything that a call wants done.
    fn drain(&mut self, end: usize) {
        let other = 1 - end;
        let mut streams: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        while let Some(transmit) = self.ends[end].call.poll_transmit() {
            assert!(!transmit.bytes.is_empty());
            self.octets[end] += transmit.bytes.len() as u64;
            if self.is_lost(transmit.channel) {
                continue;
            }
            let bytes = if transmit.channel == Channel::Signaling {
                self.manglers[end].pass(self.mangle, &transmit.bytes, &mut self.random)
            } else {
                transmit.bytes
            };
            streams.entry(index(transmit.channel)).or_default().extend_from_slice(&bytes);
        }
        for (channel, stream) in streams {
            let channel = if channel == 0 { Channel::Signaling } else { Channel::H245 };
            assert!(self.ends[end].up[index(channel)], "octets for a connection that is not there");
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let whole = self.random.below(3) == 0;
                let cut = if whole { rest.len() } else { 1 + self.random.below(rest.len() as u64) as usize };
                let (head, tail) = rest.split_at(cut);
                self.ordered(other, channel, Item::Bytes(channel, head.to_vec()));
                rest = tail;
            }
        }
        while let Some(event) = self.ends[end].call.poll_event() {
            self.note(end, event);
        }
        while let Some(action) = self.ends[end].call.poll_action() {
            self.act(end, action);
        }
    }

    /// Counts a message; with the one at which the connection breaks, and after it, nothing arrives.
    fn is_lost(&mut self, channel: Channel) -> bool {
        let count = &mut self.messages[index(channel)];
        *count += 1;
        let count = *count;
        let Some((broken, at)) = self.cut.filter(|(broken, at)| *broken == channel && *at <= count) else {
            return false;
        };
        if at == count {
            for end in [CALLER, CALLED] {
                let late = self.random.ms(5);
                self.at(late, end, Item::Closed(broken, Closed::Failed));
            }
        }
        true
    }

    fn note(&mut self, end: usize, event: Event) {
        assert!(self.ends[end].released().is_none(), "an event after Released: {event:?}");
        match &event {
            Event::Setup(_) => {
                let policy = self.ends[end].policy.clone();
                for (after, item) in [
                    (policy.media, Item::Media),
                    (policy.accept, Item::Accept),
                    (policy.answer, Item::Answer),
                ] {
                    if let Some(after) = after {
                        self.at(after, end, item);
                    }
                }
            }
            Event::ChannelOpened(plan) => {
                self.ends[end].open.insert((plan.session_id, plan.flow == Flow::Transmit), *plan);
            }
            Event::ChannelClosed { session_id, flow, .. } => {
                let known = self.ends[end].open.remove(&(*session_id, *flow == Flow::Transmit));
                assert!(known.is_some(), "a channel closed that was not open: {event:?}");
            }
            _ => {}
        }
        self.ends[end].events.push(event);
    }

    fn act(&mut self, end: usize, action: Action) {
        let other = 1 - end;
        match action {
            Action::ListenH245 => {
                let delay = self.random.ms(3);
                let port = 40000 + self.random.below(1000) as u16;
                let address = SocketAddr::from(([10, 0, 0, end as u8 + 1], port));
                let listening = self.can_listen.then_some(address);
                self.ends[end].listening = listening;
                self.at(delay, end, Item::Listening(listening));
            }
            Action::StopListeningH245 => self.ends[end].listening = None,
            Action::ConnectH245(address) => {
                if self.ends[other].listening == Some(address) {
                    self.ends[other].listening = None;
                    self.ends[end].listening = None;
                    for end in [end, other] {
                        self.last.remove(&(end, 1));
                    }
                    // Nothing can overtake the connection itself.
                    self.ordered(end, Channel::H245, Item::Connected(Channel::H245));
                    self.ordered(other, Channel::H245, Item::Connected(Channel::H245));
                    let late = self.last[&(end, 1)].max(self.last[&(other, 1)]);
                    self.last.insert((end, 1), late);
                    self.last.insert((other, 1), late);
                } else {
                    self.ordered(end, Channel::H245, Item::Closed(Channel::H245, Closed::Refused));
                }
            }
            Action::CloseH245 => self.close(end, Channel::H245),
            Action::CloseSignaling => self.close(end, Channel::Signaling),
            Action::ReopenSignaling(_) => {
                assert_eq!(end, CALLER, "who made the connection makes it again");
                self.reopened += 1;
                // Nothing of the old connection is under way any more.
                let late = Duration::from_millis(2 * self.delay + 10);
                if !self.can_reopen {
                    return self.at(late, end, Item::Closed(Channel::Signaling, Closed::Refused));
                }
                self.cut = None;
                for end in [CALLER, CALLED] {
                    self.at(late, end, Item::Connected(Channel::Signaling));
                }
            }
        }
    }

    fn close(&mut self, end: usize, channel: Channel) {
        let other = 1 - end;
        self.ends[end].listening = None;
        if std::mem::replace(&mut self.ends[end].up[index(channel)], false) {
            self.ordered(other, channel, Item::Closed(channel, Closed::ByPeer));
        }
    }

    /// Both sides are connected and agree on the channels both ways.
    pub(crate) fn assert_connected(&self, context: &str) {
        for end in [CALLER, CALLED] {
            let this = &self.ends[end];
            let that = &self.ends[1 - end];
            assert_eq!(this.call.state(), CallState::Active, "{context}: {end}: {:?}", this.events);
            assert_eq!(this.call.protocol_errors(), 0, "{context}");
            let tx = this.plan(Flow::Transmit);
            let rx = that.plan(Flow::Receive);
            let (Some(tx), Some(rx)) = (tx, rx) else {
                panic!("{context}: channel missing from {end}: {:?} / {:?}", this.events, that.events);
            };
            let local = &that.policy.local.sessions[0];
            assert_eq!(tx.remote_rtp, Some(local.rtp), "{context}");
            assert_eq!(tx.remote_rtcp, Some(local.rtcp), "{context}");
            assert_eq!(rx.remote_rtcp, Some(this.policy.local.sessions[0].rtcp), "{context}");
            assert_eq!((tx.codec, tx.payload_type), (rx.codec, rx.payload_type), "{context}");
            assert_eq!(tx.channel, rx.channel, "{context}");
            assert!(tx.packet_ms <= rx.packet_ms, "{context}");
        }
    }

    /// Everything is over on both sides, with nothing left behind.
    pub(crate) fn assert_over(&self, context: &str) {
        for (end, this) in self.ends.iter().enumerate() {
            assert_eq!(
                this.count(|e| matches!(e, Event::Released(_))),
                1,
                "{context}: {end}: {:?}",
                this.events
            );
            assert!(this.call.is_finished(), "{context}: {end} not finished: {:?}", this.call);
            assert_eq!(this.call.poll_timeout(), None, "{context}: {end} has timers left");
            assert!(this.open.is_empty(), "{context}: {end} has channels left");
        }
    }
}

/// Both sides with G.711, answering after a while.
pub(crate) fn policies(random: &mut Random) -> [Policy; 2] {
    let wait = |random: &mut Random| Some(random.ms(400));
    let accept = if random.below(3) == 0 { None } else { wait(random) };
    [
        Policy {
            media: None,
            accept: None,
            answer: None,
            local: media(CALLER, &[AudioCodec::Pcma, AudioCodec::Pcmu]),
        },
        Policy {
            media: wait(random),
            accept,
            answer: wait(random),
            local: media(CALLED, &[AudioCodec::Pcmu, AudioCodec::Pcma]),
        },
    ]
}
