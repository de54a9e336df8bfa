//! Several calls on one call signalling connection: two endpoints on a virtual clock, a seeded network between them.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use common::{CALLED, CALLER, Random, incoming_params, media, outgoing_params};
use offhook_h323::{
    Action, AudioCodec, Call, CallSlot, CallState, Cause, Channel, Closed, Config, Connection,
    ConnectionEvent, Event, OutgoingParams, PlaceError, Release, ReleaseInfo, ReleaseReason,
};

const SECOND: Duration = Duration::from_secs(1);

fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60)
}

fn shared() -> Config {
    Config { multiple_calls: true, maintain_connection: true, ..Config::default() }
}

/// A call on the connection, and what became of it.
struct Tracked {
    call: Call,
    ours: bool,
    connected: bool,
    released: Option<ReleaseInfo>,
    open: BTreeSet<(u8, bool)>,
}

/// One endpoint: its connection, its calls by slot, and by callIdentifier what is over.
struct Side {
    config: Config,
    connection: Connection,
    calls: BTreeMap<CallSlot, Tracked>,
    over: Vec<([u8; 16], Tracked)>,
    closed: bool,
    answers: bool,
}

enum Item {
    Octets(Vec<u8>),
    Closed,
    Place(u16, u8),
    Answer(CallSlot),
    Release(CallSlot),
}

/// Both endpoints, the clock and what is under way.
struct Shared {
    now: Duration,
    random: Random,
    sides: [Side; 2],
    items: BTreeMap<(Duration, u64), (usize, Item)>,
    next: u64,
    last: [Duration; 2],
    refused: Vec<PlaceError>,
    /// So many call signalling messages arrive, then the connection breaks.
    cut: Option<u64>,
}

impl Shared {
    fn new(seed: u64, configs: [Config; 2]) -> Self {
        let sides = configs.map(|config| Side {
            connection: Connection::new(&config),
            config,
            calls: BTreeMap::new(),
            over: Vec::new(),
            closed: false,
            answers: true,
        });
        let mut world = Self {
            now: SECOND,
            random: Random(seed),
            sides,
            items: BTreeMap::new(),
            next: 0,
            last: [Duration::ZERO; 2],
            refused: Vec::new(),
            cut: None,
        };
        let called = &mut world.sides[CALLED];
        let slot = called.connection.expect_setup();
        called.calls.insert(slot, incoming(&called.config, world.now));
        world
    }

    fn at(&mut self, after: Duration, side: usize, item: Item) {
        self.next += 1;
        self.items.insert((self.now + after, self.next), (side, item));
    }

    fn ordered(&mut self, to: usize, item: Item) {
        let at = (self.now + self.random.ms(30)).max(self.last[to]);
        self.last[to] = at;
        self.at(at - self.now, to, item);
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let item = self.items.keys().next().map(|(at, _)| *at);
            let timers = self.sides.iter().flat_map(|side| {
                side.calls
                    .values()
                    .map(|tracked| tracked.call.poll_timeout())
                    .chain([side.connection.poll_timeout()])
            });
            let Some(next) = timers.chain([item]).flatten().min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if item.is_some_and(|at| at <= self.now) {
                let (_, (side, item)) = self.items.pop_first().unwrap();
                self.happen(side, item);
            } else {
                for side in [CALLER, CALLED] {
                    let now = self.now;
                    self.sides[side].connection.handle_timeout(now);
                    for tracked in self.sides[side].calls.values_mut() {
                        tracked.call.handle_timeout(now);
                    }
                    self.drain(side);
                }
            }
        }
        self.now = end;
    }

    fn happen(&mut self, at: usize, item: Item) {
        let now = self.now;
        let side = &mut self.sides[at];
        match item {
            Item::Octets(_) if side.closed => {}
            Item::Octets(octets) => side.connection.handle_bytes(&octets),
            Item::Closed => {
                side.closed = true;
                side.connection.handle_closed(Closed::ByPeer);
            }
            Item::Place(reference, id) => match side.connection.place(reference, [id; 16]) {
                Ok(slot) => {
                    let params = OutgoingParams {
                        call_reference: reference,
                        call_identifier: [id; 16],
                        ..outgoing_params(id.into(), media(at, &[AudioCodec::Pcma]))
                    };
                    let mut call = Call::outgoing(side.config.clone(), params, now);
                    call.handle_connected(now, Channel::Signaling);
                    side.calls.insert(slot, tracked(call, true));
                }
                Err(why) => self.refused.push(why),
            },
            Item::Answer(slot) => {
                if let Some(tracked) = side.calls.get_mut(&slot) {
                    tracked.call.accept(now);
                    tracked.call.answer(now);
                }
            }
            Item::Release(slot) => {
                if let Some(tracked) = side.calls.get_mut(&slot) {
                    tracked.call.release(now, Release::normal());
                }
            }
        }
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        let mut sent = Vec::new();
        loop {
            let mut moved = false;
            let now = self.now;
            let side = &mut self.sides[at];
            let mut answer = Vec::new();
            for (slot, tracked) in &mut side.calls {
                while let Some(transmit) = tracked.call.poll_transmit() {
                    moved = true;
                    assert_eq!(transmit.channel, Channel::Signaling, "both sides tunnel");
                    side.connection.send(*slot, transmit.bytes);
                }
                while let Some(event) = tracked.call.poll_event() {
                    moved = true;
                    assert!(tracked.released.is_none(), "after Released: {event:?}");
                    match event {
                        Event::Setup(_) if side.answers => answer.push(*slot),
                        Event::Connected(_) => tracked.connected = true,
                        Event::ChannelOpened(plan) => {
                            tracked.open.insert((plan.session_id, plan.flow == offhook_h323::Flow::Transmit));
                        }
                        Event::ChannelClosed { session_id, flow, .. } => {
                            assert!(tracked.open.remove(&(session_id, flow == offhook_h323::Flow::Transmit)));
                        }
                        Event::Released(info) => tracked.released = Some(*info),
                        _ => {}
                    }
                }
                while let Some(action) = tracked.call.poll_action() {
                    moved = true;
                    assert_eq!(action, Action::CloseSignaling, "both sides tunnel");
                    side.connection.leave(now, *slot);
                }
            }
            let finished: Vec<_> =
                side.calls.iter().filter(|(_, t)| t.call.is_finished()).map(|(slot, _)| *slot).collect();
            for slot in finished {
                let tracked = side.calls.remove(&slot).unwrap();
                assert_eq!(tracked.call.poll_timeout(), None, "timers left");
                side.over.push((tracked.call.call_identifier(), tracked));
            }
            while let Some(octets) = side.connection.poll_transmit() {
                moved = true;
                sent.push(octets);
            }
            let mut closes = false;
            while let Some(event) = side.connection.poll_event() {
                moved = true;
                match event {
                    ConnectionEvent::NewCall(slot, message) => {
                        let mut new = incoming(&side.config, now);
                        new.call.handle_message(now, *message);
                        side.calls.insert(slot, new);
                    }
                    ConnectionEvent::Message(slot, message) => {
                        side.calls.get_mut(&slot).unwrap().call.handle_message(now, *message);
                    }
                    ConnectionEvent::Garbled(slot, error) => {
                        side.calls.get_mut(&slot).unwrap().call.handle_garbled(now, &error);
                    }
                    ConnectionEvent::Closed(slot, why) => {
                        side.calls.get_mut(&slot).unwrap().call.handle_closed(now, Channel::Signaling, why);
                    }
                    ConnectionEvent::Close => closes = true,
                    other => panic!("{other:?}"),
                }
            }
            for slot in answer {
                let local = media(at, &[AudioCodec::Pcma]);
                self.sides[at].calls.get_mut(&slot).unwrap().call.set_media(now, local);
                let after = self.random.ms(300);
                self.at(after, at, Item::Answer(slot));
            }
            for octets in std::mem::take(&mut sent) {
                self.carry(1 - at, &octets);
            }
            if closes {
                self.sides[at].closed = true;
                self.ordered(1 - at, Item::Closed);
            }
            if !moved {
                return;
            }
        }
    }

    /// Cuts and joins at will; breaks the connection where it is to break.
    fn carry(&mut self, to: usize, octets: &Bytes) {
        if let Some(left) = &mut self.cut {
            if *left == 0 {
                return;
            }
            *left -= 1;
            if *left == 0 {
                for side in [CALLER, CALLED] {
                    self.at(Duration::from_millis(40), side, Item::Closed);
                }
                return;
            }
        }
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let cut = 1 + self.random.below(rest.len() as u64) as usize;
            let (head, tail) = rest.split_at(cut);
            self.ordered(to, Item::Octets(head.to_vec()));
            rest = tail;
        }
    }

    fn slots(&self, side: usize, wanted: impl Fn(&Tracked) -> bool) -> Vec<CallSlot> {
        self.sides[side].calls.iter().filter(|(_, t)| wanted(t)).map(|(slot, _)| *slot).collect()
    }

    fn active(&self, side: usize) -> usize {
        self.slots(side, |t| t.connected && t.call.state() == CallState::Active && t.open.len() == 2).len()
    }
}

fn tracked(call: Call, ours: bool) -> Tracked {
    Tracked { call, ours, connected: false, released: None, open: BTreeSet::new() }
}

fn incoming(config: &Config, now: Duration) -> Tracked {
    tracked(Call::incoming(config.clone(), incoming_params(5), now), false)
}

#[test]
fn many_calls_both_ways_share_one_connection_and_end_one_by_one() {
    for seed in seeds() {
        let fast_start = seed % 2 == 0;
        let config = || Config { fast_start, ..shared() };
        let mut world = Shared::new(seed, [config(), config()]);
        world.at(Duration::ZERO, CALLER, Item::Place(7, 1));
        world.run(SECOND * 2);
        // Both sides place calls at once, under the same call reference values.
        for n in 0..10u8 {
            for side in [CALLER, CALLED] {
                let after = world.random.ms(200);
                let id = 10 + n * 2 + side as u8;
                world.at(after, side, Item::Place(100 + u16::from(n), id));
            }
        }
        world.run(SECOND * 5);
        assert_eq!(world.refused, [], "seed {seed}");
        for side in [CALLER, CALLED] {
            assert_eq!(world.active(side), 21, "seed {seed}: side {side}");
            assert_eq!(world.sides[side].connection.calls(), 21, "seed {seed}");
        }
        // One hangs up, the rest do not notice.
        let first = world.slots(CALLER, |t| t.call.call_identifier() == [1; 16]);
        world.at(Duration::ZERO, CALLER, Item::Release(first[0]));
        world.run(SECOND * 5);
        for side in [CALLER, CALLED] {
            assert_eq!(world.active(side), 20, "seed {seed}");
            let [(id, over)] = world.sides[side].over.as_slice() else { panic!("seed {seed}: one is over") };
            let info = over.released.as_ref().unwrap();
            assert_eq!((*id, info.cause), ([1; 16], Some(Cause::NORMAL_CALL_CLEARING)), "seed {seed}");
        }
        for side in [CALLER, CALLED] {
            for slot in world.slots(side, |_| true) {
                if world.random.below(2) == 0 || side == CALLED {
                    let after = world.random.ms(500);
                    world.at(after, side, Item::Release(slot));
                }
            }
        }
        world.run(SECOND * 10);
        for side in &world.sides {
            assert!(side.calls.is_empty() && side.connection.is_open(), "seed {seed}: maintained");
            assert_eq!(side.over.len(), 21, "seed {seed}");
            assert!(side.over.iter().all(|(_, t)| t.released.is_some() && t.open.is_empty()), "seed {seed}");
        }
        // The maintained connection carries the next call, and closes when none comes.
        world.at(Duration::ZERO, CALLED, Item::Place(7, 99));
        world.run(SECOND * 3);
        assert_eq!((world.active(CALLER), world.active(CALLED)), (1, 1), "seed {seed}");
        let last = world.slots(CALLED, |_| true);
        world.at(Duration::ZERO, CALLED, Item::Release(last[0]));
        world.run(SECOND * 90);
        assert!(world.sides.iter().all(|side| side.closed && !side.connection.is_open()), "seed {seed}");
        assert!(world.items.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_connection_that_breaks_at_any_message_ends_every_call_of_both_sides_once() {
    for at in 1..80 {
        let mut world = Shared::new(at, [shared(), shared()]);
        world.cut = Some(at);
        world.at(Duration::ZERO, CALLER, Item::Place(7, 1));
        for n in 0..4u8 {
            for side in [CALLER, CALLED] {
                world.at(
                    Duration::from_millis(900),
                    side,
                    Item::Place(20 + u16::from(n), 10 + 2 * n + side as u8),
                );
            }
        }
        world.run(SECOND * 4);
        for side in [CALLER, CALLED] {
            for slot in world.slots(side, |t| t.ours) {
                world.at(Duration::ZERO, side, Item::Release(slot));
            }
        }
        world.run(SECOND * 200);
        for side in &world.sides {
            assert!(side.calls.is_empty(), "cut at {at}: {:?}", side.connection);
            assert!(side.over.iter().all(|(_, t)| t.released.is_some() && t.open.is_empty()), "cut at {at}");
        }
    }
}

#[test]
fn a_side_that_announces_one_call_gets_one_call_and_the_connection_ends_with_it() {
    for configs in [[shared(), Config::default()], [Config::default(), shared()]] {
        let mut world = Shared::new(3, configs);
        world.at(Duration::ZERO, CALLER, Item::Place(7, 1));
        world.at(SECOND * 2, CALLER, Item::Place(8, 2));
        world.at(SECOND * 2, CALLED, Item::Place(8, 3));
        world.run(SECOND * 3);
        assert_eq!(world.refused, [PlaceError::OneCall; 2]);
        assert_eq!((world.active(CALLER), world.active(CALLED)), (1, 1));
        let only = world.slots(CALLER, |_| true);
        world.at(Duration::ZERO, CALLER, Item::Release(only[0]));
        world.run(SECOND * 5);
        assert!(world.sides.iter().all(|side| side.closed && side.over.len() == 1));
    }
}

#[test]
fn no_call_is_placed_before_the_peer_has_announced_that_it_takes_several() {
    let mut connection = Connection::new(&shared());
    assert!(connection.takes_calls());
    connection.place(1, [1; 16]).expect("the first one");
    assert!(!connection.takes_calls());
    assert_eq!(connection.place(2, [2; 16]), Err(PlaceError::OneCall));
}

#[test]
fn a_peer_that_is_full_is_not_asked_again() {
    let mut world = Shared::new(
        4,
        [
            shared(),
            Config {
                limits: offhook_h323::Limits { calls_per_connection: 1, ..Default::default() },
                ..shared()
            },
        ],
    );
    world.at(Duration::ZERO, CALLER, Item::Place(7, 1));
    world.at(SECOND * 2, CALLER, Item::Place(8, 2));
    world.at(SECOND * 3, CALLER, Item::Place(9, 3));
    world.run(SECOND * 4);
    let refused = &world.sides[CALLER].over[0].1.released.as_ref().unwrap().reason;
    assert_eq!(*refused, Some(ReleaseReason::NewConnectionNeeded));
    assert_eq!(world.refused, [PlaceError::OneCall]);
    assert_eq!(world.active(CALLER), 1);
}
