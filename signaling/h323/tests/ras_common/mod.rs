//! Endpoints and gatekeepers on a virtual clock, and between them a seeded network that loses, repeats, delays and
//! reorders datagrams. In: a scenario. Out: what each of them saw, and every datagram.
#![allow(dead_code, clippy::expect_used, clippy::unwrap_used)]

pub(crate) mod bench;
#[path = "../common/random.rs"]
mod random;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    Admission, AdmissionRejection, AdmissionRequest, Alias, Discovery, Gatekeeper, GatekeeperConfig,
    GatekeeperEvent, GatekeeperParams, MULTICAST_GROUP, Question, Ras, RasAction, RasCall, RasConfig,
    RasEvent, RasParams, RasState,
};
use offhook_wire::h225::RasMessage;
use offhook_wire::per;
pub(crate) use random::Random;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// 2026-11-20 07:00:00 UTC.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_795_158_000);

pub(crate) fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(25)
}

/// 10.0.0.`host`:1719, where gatekeepers live.
pub(crate) fn keeper_at(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 1719).into()
}

/// 10.0.1.`host`:2001, where endpoints live.
pub(crate) fn client_at(host: u8) -> SocketAddr {
    ([10, 0, 1, host], 2001).into()
}

pub(crate) fn signal_at(host: u8) -> SocketAddr {
    ([10, 0, 1, host], 1720).into()
}

pub(crate) fn config(keeper: SocketAddr, alias: &str) -> RasConfig {
    RasConfig::new(Discovery::Address(keeper), vec![Alias::from_text(alias)])
}

enum Machine {
    Client(Box<Ras>),
    Keeper(Box<Gatekeeper>),
}

/// How datagrams fare, in percent and milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss: u64,
    pub(crate) repeated: u64,
    pub(crate) delay: u64,
}

pub(crate) const FAIR: Weather = Weather { loss: 0, repeated: 0, delay: 20 };
pub(crate) const ROUGH: Weather = Weather { loss: 20, repeated: 20, delay: 400 };

#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) at: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Bytes,
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    machines: BTreeMap<SocketAddr, Machine>,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    flying: BTreeMap<u64, Datagram>,
    next: u64,
    /// Everything that was sent, lost or not.
    pub(crate) sent: Vec<Datagram>,
    pub(crate) events: Vec<(Duration, SocketAddr, RasEvent)>,
    pub(crate) keeper_events: Vec<(Duration, SocketAddr, GatekeeperEvent)>,
    /// What the DNS knows; what is not here has no answer.
    pub(crate) names: BTreeMap<String, Vec<SocketAddr>>,
    pub(crate) asked: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            now: SECOND * 1000,
            random: Random(seed),
            weather,
            machines: BTreeMap::new(),
            queue: BinaryHeap::new(),
            flying: BTreeMap::new(),
            next: 0,
            sent: Vec::new(),
            events: Vec::new(),
            keeper_events: Vec::new(),
            names: BTreeMap::new(),
            asked: Vec::new(),
        }
    }

    pub(crate) fn keeper(&mut self, host: u8, config: GatekeeperConfig) -> SocketAddr {
        let address = keeper_at(host);
        let params = GatekeeperParams {
            ras_address: address,
            signal_address: Some(([10, 0, 0, host], 1721).into()),
            unix_epoch: EPOCH,
            seed: self.random.next(),
        };
        self.machines.insert(address, Machine::Keeper(Box::new(Gatekeeper::new(config, params))));
        address
    }

    pub(crate) fn client(&mut self, host: u8, config: RasConfig) -> SocketAddr {
        let address = client_at(host);
        let params = RasParams {
            ras_address: address,
            signal_addresses: vec![signal_at(host)],
            unix_epoch: EPOCH,
            seed: self.random.next(),
        };
        self.machines.insert(address, Machine::Client(Box::new(Ras::new(config, params))));
        address
    }

    /// Takes a machine off the network, with all that it knows.
    pub(crate) fn crash(&mut self, address: SocketAddr) {
        self.machines.remove(&address);
    }

    /// Lets the application of an endpoint do something.
    pub(crate) fn with<T>(&mut self, client: SocketAddr, act: impl FnOnce(&mut Ras, Duration) -> T) -> T {
        let now = self.now;
        let Some(Machine::Client(ras)) = self.machines.get_mut(&client) else { panic!("no client") };
        let result = act(ras, now);
        self.drain(client);
        result
    }

    pub(crate) fn operate<T>(
        &mut self,
        keeper: SocketAddr,
        act: impl FnOnce(&mut Gatekeeper, Duration) -> T,
    ) -> T {
        let now = self.now;
        let Some(Machine::Keeper(gatekeeper)) = self.machines.get_mut(&keeper) else {
            panic!("no gatekeeper")
        };
        let result = act(gatekeeper, now);
        self.drain(keeper);
        result
    }

    pub(crate) fn ras(&self, client: SocketAddr) -> &Ras {
        match self.machines.get(&client) {
            Some(Machine::Client(ras)) => ras,
            _ => panic!("no client"),
        }
    }

    pub(crate) fn gatekeeper(&self, keeper: SocketAddr) -> &Gatekeeper {
        match self.machines.get(&keeper) {
            Some(Machine::Keeper(gatekeeper)) => gatekeeper,
            _ => panic!("no gatekeeper"),
        }
    }

    /// Puts a datagram on the network that nobody has sent.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        self.fly(Duration::from_millis(1), Datagram { at: self.now, from, to, bytes });
    }

    pub(crate) fn inject_message(&mut self, from: SocketAddr, to: SocketAddr, message: RasMessage) {
        let octets = per::encode(&message).unwrap();
        self.inject(from, to, octets.into());
    }

    fn fly(&mut self, after: Duration, datagram: Datagram) {
        self.queue.push(Reverse((self.now + after, self.next)));
        self.flying.insert(self.next, datagram);
        self.next += 1;
    }

    /// Runs for `span` of virtual time.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.run_until(end, |_| false);
        self.now = end;
    }

    /// Runs until something holds, at most for `span`; says how long it took.
    pub(crate) fn until(&mut self, span: Duration, holds: impl Fn(&Self) -> bool) -> Option<Duration> {
        let start = self.now;
        let end = start + span;
        if self.run_until(end, &holds) {
            return Some(self.now - start);
        }
        self.now = end;
        None
    }

    fn run_until(&mut self, end: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let mut turns = 0u64;
        loop {
            if holds(self) {
                return true;
            }
            turns += 1;
            assert!(turns < 2_000_000, "the machines do not come to rest");
            let arrival = self.queue.peek().map(|Reverse((time, _))| *time);
            let timer = self.machines.values().filter_map(|machine| match machine {
                Machine::Client(ras) => ras.poll_timeout(),
                Machine::Keeper(gatekeeper) => gatekeeper.poll_timeout(),
            });
            let next = [arrival, timer.min()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                return false;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let Reverse((_, id)) = self.queue.pop().unwrap();
                let datagram = self.flying.remove(&id).unwrap();
                self.arrive(&datagram);
                continue;
            }
            let addresses: Vec<_> = self.machines.keys().copied().collect();
            for address in addresses {
                let now = self.now;
                match self.machines.get_mut(&address) {
                    Some(Machine::Client(ras)) if ras.poll_timeout().is_some_and(|at| at <= now) => {
                        ras.handle_timeout(now);
                        let again = ras.poll_timeout();
                        assert!(again.is_none_or(|at| at > now), "a timer that does not move");
                    }
                    Some(Machine::Keeper(keeper)) if keeper.poll_timeout().is_some_and(|at| at <= now) => {
                        keeper.handle_timeout(now);
                        let again = keeper.poll_timeout();
                        assert!(again.is_none_or(|at| at > now), "a timer that does not move");
                    }
                    _ => continue,
                }
                self.drain(address);
            }
        }
    }

    fn arrive(&mut self, datagram: &Datagram) {
        let now = self.now;
        let targets: Vec<SocketAddr> = if datagram.to == MULTICAST_GROUP {
            let keepers = self.machines.iter().filter(|(_, m)| matches!(m, Machine::Keeper(_)));
            keepers.map(|(address, _)| *address).collect()
        } else {
            vec![datagram.to]
        };
        for to in targets {
            match self.machines.get_mut(&to) {
                Some(Machine::Client(ras)) => ras.handle_datagram(now, datagram.from, &datagram.bytes),
                Some(Machine::Keeper(keeper)) => keeper.handle_datagram(now, datagram.from, &datagram.bytes),
                None => continue,
            }
            self.drain(to);
        }
    }

    fn drain(&mut self, address: SocketAddr) {
        let mut out = Vec::new();
        let mut questions = Vec::new();
        match self.machines.get_mut(&address) {
            Some(Machine::Client(ras)) => {
                out.extend(std::iter::from_fn(|| ras.poll_transmit()));
                while let Some(RasAction::Resolve { id, question }) = ras.poll_action() {
                    questions.push((id, question));
                }
                while let Some(event) = ras.poll_event() {
                    self.events.push((self.now, address, event));
                }
            }
            Some(Machine::Keeper(keeper)) => {
                out.extend(std::iter::from_fn(|| keeper.poll_transmit()));
                while let Some(event) = keeper.poll_event() {
                    self.keeper_events.push((self.now, address, event));
                }
            }
            None => return,
        }
        for transmit in out {
            assert!(!transmit.bytes.is_empty());
            let datagram =
                Datagram { at: self.now, from: address, to: transmit.destination, bytes: transmit.bytes };
            self.sent.push(datagram.clone());
            let copies = if self.random.below(100) < self.weather.repeated { 2 } else { 1 };
            for _ in 0..copies {
                if self.random.below(100) >= self.weather.loss {
                    let delay = Duration::from_micros(1 + self.random.below(self.weather.delay * 1000));
                    self.fly(delay, datagram.clone());
                }
            }
        }
        for (id, question) in questions {
            let name = match question {
                Question::Host { name, .. } | Question::Service { name } => name,
            };
            self.asked.push(name.clone());
            if let Some(answer) = self.names.get(&name).cloned() {
                let now = self.now;
                if let Some(Machine::Client(ras)) = self.machines.get_mut(&address) {
                    ras.resolved(now, id, &answer);
                }
                self.drain(address);
            }
        }
    }

    pub(crate) fn is_registered(&self, client: SocketAddr) -> bool {
        self.ras(client).state() == RasState::Registered
    }

    pub(crate) fn start(&mut self, client: SocketAddr) {
        self.with(client, |ras, now| ras.start(now));
    }

    /// Starts and waits for the registration.
    pub(crate) fn register(&mut self, client: SocketAddr) {
        self.start(client);
        let why = |world: &Self| world.ras(client).why_not(world.now);
        assert!(
            self.until(SECOND * 120, |world| world.is_registered(client)).is_some(),
            "{:?} {:?}",
            why(self),
            self.of(client)
        );
    }

    /// The events of one endpoint.
    pub(crate) fn of(&self, client: SocketAddr) -> Vec<&RasEvent> {
        self.events.iter().filter(|(_, address, _)| *address == client).map(|(_, _, event)| event).collect()
    }

    pub(crate) fn count(&self, client: SocketAddr, wanted: impl Fn(&RasEvent) -> bool) -> usize {
        self.of(client).into_iter().filter(|event| wanted(event)).count()
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Datagram, RasMessage)> {
        self.sent.iter().map(|datagram| {
            (datagram, per::decode::<RasMessage>(&datagram.bytes).expect("what we send").into_value())
        })
    }

    /// How often messages of a kind have left an address.
    pub(crate) fn count_sent(&self, from: SocketAddr, wanted: impl Fn(&RasMessage) -> bool) -> usize {
        self.messages().filter(|(datagram, message)| datagram.from == from && wanted(message)).count()
    }

    pub(crate) fn admitted(&self, call: RasCall) -> Option<&Admission> {
        self.events.iter().find_map(|(_, _, event)| match event {
            RasEvent::Admitted(key, admission) if *key == call => Some(&**admission),
            _ => None,
        })
    }

    pub(crate) fn not_admitted(&self, call: RasCall) -> Option<&AdmissionRejection> {
        self.events.iter().find_map(|(_, _, event)| match event {
            RasEvent::NotAdmitted(key, rejection) if *key == call => Some(&**rejection),
            _ => None,
        })
    }

    /// Asks for a call and waits for the answer.
    pub(crate) fn admit(&mut self, client: SocketAddr, request: AdmissionRequest) {
        let call = request.call;
        self.with(client, |ras, now| ras.admit(now, request));
        let answered = |world: &Self| world.admitted(call).is_some() || world.not_admitted(call).is_some();
        assert!(self.until(SECOND * 90, answered).is_some(), "no answer for the call: {:?}", self.of(client));
    }
}

pub(crate) fn call(number: u8, answer: bool) -> RasCall {
    RasCall { call_identifier: [number; 16], answer }
}

pub(crate) fn outgoing(number: u8, to: &str) -> AdmissionRequest {
    AdmissionRequest {
        call: call(number, false),
        conference_id: [number ^ 0x80; 16],
        call_reference: u16::from(number) + 100,
        destination: vec![Alias::from_text(to)],
        destination_address: None,
        extra: Vec::new(),
        source: Vec::new(),
        source_address: None,
        bandwidth: offhook_h323::G711_BANDWIDTH,
        model: None,
    }
}

pub(crate) fn incoming(number: u8, from: &str, here: SocketAddr) -> AdmissionRequest {
    AdmissionRequest {
        call: call(number, true),
        source: vec![Alias::from_text(from)],
        destination_address: Some(here),
        ..outgoing(number, "me")
    }
}
