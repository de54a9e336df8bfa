//! Random clients on a random network: every request has one reply, no event comes before its call, nothing is left.
//!
//! The seed of a failing run is in its message; `OFFHOOK_CHAOS_SEED` runs one, `OFFHOOK_CHAOS_ROUNDS` runs more.
//! What is asked stands in `asks.rs`; who asks, and what must be true of what it saw, in `player.rs`.

mod asks;
mod player;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use offhook_broker::scripted::{Drive, Scripted, ScriptedConfig, Step, SwitchConfig, Verb};
use offhook_broker::{Broker, Census};
use offhook_spi::{DisconnectMode, LineCallState as S, LineError, RequestId, Timestamp};
use player::Player;
use support::{CONNECTED, house, opaque};

/// SplitMix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())]) }
    }
}

/// What the network is made of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Scripts, some of which break the rules.
    Scripts,
    /// An exchange that has every verb, and a phone.
    Switch,
}

fn network(kind: Kind, drive: Drive) -> (Broker, std::sync::Arc<Scripted>) {
    match kind {
        Kind::Scripts => scripts(drive),
        Kind::Switch => {
            // Three calls make an extension busy: there is something to complete.
            let switch = Some(SwitchConfig { busy_at: 3, ..SwitchConfig::default() });
            house(ScriptedConfig { drive, switch, max_active_calls: 40, ..ScriptedConfig::switch(2) })
        }
    }
}

fn scripts(drive: Drive) -> (Broker, std::sync::Arc<Scripted>) {
    let (broker, switch) =
        house(ScriptedConfig { devices: 2, drive, max_active_calls: 40, ..ScriptedConfig::default() });
    let failed = LineError::failed("no route");
    switch.script_dial("nowhere", [Step::Fail(failed)]);
    switch.script_dial(
        "busy",
        [Step::Complete, Step::State(S::Dialing), Step::State(S::Disconnected(DisconnectMode::Busy))],
    );
    switch.script_dial("slow", [Step::State(S::Dialing), Step::Complete, Step::State(S::Proceeding)]);
    switch.script_dial(
        "naughty",
        [Step::Digit('1'), Step::Complete, Step::State(CONNECTED), Step::State(S::Dialing), Step::Digit('2')],
    );
    let answer = [Step::Complete, Step::State(CONNECTED), Step::Send(opaque(b"start"))];
    switch.script(Verb::Answer, answer);
    (broker, switch)
}

/// Something happens on the network.
fn happen(kind: Kind, switch: &Scripted, rng: &mut Rng) {
    let call = rng.pick(&switch.calls());
    match (kind, rng.below(12)) {
        (Kind::Scripts, _) => {}
        (_, 0) => {
            if let Some(call) = call {
                switch.far_end_holds(call, rng.below(2) == 0);
            }
        }
        (_, 1) => drop(switch.lifts(rng.below(2) as u32)),
        (_, 2) => drop(switch.remind("700")),
        (_, 3) => switch.parked_leaves("700"),
        (_, 4) => drop(switch.press(0, rng.below(2) == 0)),
        (_, 5) if rng.below(8) == 0 => switch.unplug_phone(LineError::failed("unplugged")),
        (_, 6) => {
            if let Some(call) = call {
                switch.rings_out(call);
            }
        }
        _ => {}
    }
    match (rng.below(14), call) {
        (0..=3, _) => drop(switch.ring(rng.below(2) as u32, "alice")),
        (4, Some(call)) => switch.far_end_answers(call),
        (5, Some(call)) => switch.hang_up(call, DisconnectMode::Normal),
        (6, Some(call)) if matches!(kind, Kind::Scripts) => switch.then(call, [Step::State(S::Idle)]),
        (7, Some(call)) => drop(switch.send(rng.below(2) as u32, Some(call), None, opaque(b"x"))),
        (8, _) => drop(switch.send(rng.below(2) as u32, None, None, opaque(b"y"))),
        (9, _) if rng.below(10) == 0 => {
            switch.close_line(rng.below(2) as u32, LineError::failed("unplugged"))
        }
        (10, Some(call)) => switch.then(call, [Step::Digit('7')]),
        (11, _) => switch.refuse(Verb::Answer, (rng.below(2) == 0).then_some(LineError::OperationUnavail)),
        (12, Some(call)) => {
            // A completion of nothing, and a report on another provider's behalf.
            if let Some((events, ht)) = switch.events().zip(switch.handle_of(call)) {
                events.async_completion(RequestId(0xFFFF_0000), Ok(()));
                events.call_state(offhook_spi::HtLine(4711), ht, S::Idle, Timestamp(0));
            }
        }
        _ => {}
    }
}

fn round(seed: u64, kind: Kind, drive: Drive) -> BTreeSet<String> {
    let mut rng = Rng(seed);
    let (broker, switch) = network(kind, drive);
    let mut players: Vec<_> = (0..4).map(|n| Player::new(&broker, n)).collect();
    for n in 0..400 {
        let who = rng.below(players.len());
        match rng.below(40) {
            0 if rng.below(4) == 0 => {
                // One dies, another comes; the dead one's requests are abandoned.
                players[who] = Player::new(&broker, n % 5);
            }
            0..=11 => happen(kind, &switch, &mut rng),
            12..=19 => drop(switch.step()),
            _ => players[who].play(&mut rng),
        }
    }
    for player in &mut players {
        player.close();
    }
    switch.run();
    for player in &players {
        player.check(seed);
    }
    assert_eq!(broker.census(), Census { clients: 4, ..Census::default() }, "seed {seed}: something is left");
    assert_eq!(switch.calls(), [], "seed {seed}: the provider still has calls");
    let reached = players.iter().flat_map(Player::reached).collect();
    drop(players);
    assert_eq!(broker.census(), Census::default());
    reached
}

/// Every request that the rounds must have brought to success at least once: else they say little.
const REACHED: [&str; 46] = [
    "Lines",
    "OpenLine",
    "CloseLine",
    "CreateMspInstance",
    "MakeCall",
    "Accept",
    "Answer",
    "Drop",
    "Deallocate",
    "CallInfo",
    "GenerateDigits",
    "NegotiateApiVersion",
    "Hold",
    "Unhold",
    "SwapHold",
    "SetupTransfer",
    "CompleteTransfer",
    "BlindTransfer",
    "SetupConference",
    "PrepareAddToConference",
    "AddToConference",
    "RemoveFromConference",
    "Park",
    "Unpark",
    "Pickup",
    "Forward",
    "CompleteCall",
    "SetAppPriority",
    "SetCallPrivilege",
    "Handoff",
    "MoveMedia",
    "SetCallHubTracking",
    "Hubs",
    "CallHub",
    "ClearHub",
    "NegotiateExtVersion",
    "SelectExtVersion",
    "DevSpecific",
    "OpenPhone",
    "ClosePhone",
    "PhoneStatus",
    "SetPhone",
    "NegotiatePhoneExtVersion",
    "SelectPhoneExtVersion",
    "PhoneDevSpecific",
    "MspData",
];

fn seeds(default: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    match number("OFFHOOK_CHAOS_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("OFFHOOK_CHAOS_ROUNDS").unwrap_or(default)).collect(),
    }
}

#[test]
fn whatever_clients_and_network_do_every_request_has_one_completion() {
    let seeds = seeds(100);
    let mut reached = BTreeSet::new();
    for seed in &seeds {
        for kind in [Kind::Scripts, Kind::Switch] {
            reached.extend(round(*seed, kind, Drive::Stepped));
            reached.extend(round(*seed, kind, Drive::Immediate));
        }
    }
    if seeds.len() >= 100 {
        let missed: Vec<_> = REACHED.into_iter().filter(|name| !reached.contains(*name)).collect();
        assert!(missed.is_empty(), "no success at all: {missed:?}");
    }
}

/// The same with a thread a client and one for the network, all at once.
#[test]
fn the_same_holds_with_threads() {
    for seed in seeds(24) {
        let kind = [Kind::Scripts, Kind::Switch][(seed % 2) as usize];
        let (broker, switch) = network(kind, Drive::Immediate);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let network = scope.spawn(|| {
                let mut rng = Rng(seed ^ 0xABCD);
                while !over.load(Ordering::Relaxed) {
                    happen(kind, &switch, &mut rng);
                }
            });
            let players: Vec<_> = (0..4)
                .map(|n| {
                    let (broker, switch) = (&broker, &switch);
                    scope.spawn(move || {
                        let mut rng = Rng(seed * 31 + n);
                        let mut player = Player::new(broker, n as usize);
                        for _ in 0..200 {
                            player.play(&mut rng);
                        }
                        player.close();
                        switch.run();
                        player
                    })
                })
                .collect();
            let mut players: Vec<_> = players.into_iter().map(|thread| thread.join().unwrap()).collect();
            over.store(true, Ordering::Relaxed);
            // It may be the one that delivers for all of them.
            network.join().unwrap();
            // Lines whose opening another thread finished after the look, and completions that a thread left to the
            // one that was moving.
            for _ in 0..2 {
                switch.run();
                for player in &mut players {
                    player.close();
                }
            }
            while switch.step() {}
            for player in &players {
                player.check(seed);
            }
            drop(players);
        });
        assert_eq!(broker.census(), Census::default(), "seed {seed}");
    }
}
