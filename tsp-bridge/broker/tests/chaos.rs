//! Random clients on a random network: every request has one reply, no event comes before its call, nothing is left.
//!
//! The seed of a failing run is in its message; `OFFHOOK_CHAOS_SEED` runs one, `OFFHOOK_CHAOS_ROUNDS` runs more.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use offhook_broker::scripted::{Drive, Scripted, ScriptedConfig, Step, Verb};
use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, DeviceId, DigitMode, DisconnectMode, HCall, HLine, LineCallState as S,
    LineError, MediaTypes, Privilege, RequestId, Timestamp,
};
use support::{CONNECTED, Client, house, opaque};

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())]) }
    }
}

/// A client with all that it asked.
struct Player {
    client: Client,
    asked: Vec<(RequestId, AppRequest)>,
}

impl Player {
    fn new(broker: &Broker, n: usize) -> Self {
        Self { client: Client::new(broker, &format!("client {n}")), asked: Vec::new() }
    }

    fn ask(&mut self, what: AppRequest) {
        let id = self.client.submit(what.clone()).expect("the broker is there");
        self.asked.push((id, what));
    }

    fn handles(&self) -> (Vec<HLine>, Vec<HCall>) {
        let (mut lines, mut calls) = (Vec::new(), Vec::new());
        for event in self.client.events() {
            match event {
                AppEvent::Reply { result: Ok(AppReply::Line(line)), .. } => lines.push(line),
                AppEvent::Reply { result: Ok(AppReply::Call(call)), .. } => calls.push(call),
                AppEvent::NewCall { call, .. } => calls.push(call),
                _ => {}
            }
        }
        (lines, calls)
    }

    /// Asks something, sensible or not, about handles that it has or had.
    fn play(&mut self, rng: &mut Rng) {
        let (lines, calls) = self.handles();
        let line = rng.pick(&lines).unwrap_or(HLine(1));
        let call = rng.pick(&calls).unwrap_or(HCall(1));
        let mode = rng.pick(&[DisconnectMode::Normal, DisconnectMode::Busy]).unwrap();
        let privilege = rng.pick(&[Privilege::None, Privilege::Monitor, Privilege::Owner]).unwrap();
        let what = match rng.below(16) {
            0 | 1 => AppRequest::OpenLine {
                device: DeviceId(rng.below(3) as u32),
                privilege,
                media: MediaTypes::AUDIO,
            },
            2 if rng.below(3) == 0 => AppRequest::CloseLine { line },
            3 => AppRequest::CreateMspInstance { line },
            4..=6 => {
                let destination = rng.pick(&["bob", "busy", "nowhere", "slow", "naughty"]).unwrap();
                let params = offhook_spi::CallParams {
                    destination: destination.to_owned(),
                    media: MediaTypes::AUDIO,
                    ..Default::default()
                };
                AppRequest::MakeCall { line, params }
            }
            7 => AppRequest::Accept { call },
            8 | 9 => AppRequest::Answer { call },
            10 => AppRequest::Drop { call, mode },
            11 => AppRequest::Deallocate { call },
            12 => AppRequest::CallInfo { call },
            13 => AppRequest::GenerateDigits { call, mode: DigitMode::Dtmf, digits: "12#".to_owned() },
            14 => AppRequest::MspData { line, call: Some(call), data: opaque(&[1, 2, 3]) },
            15 => AppRequest::MspData { line, call: None, data: opaque(&[]) },
            _ => AppRequest::Lines,
        };
        self.ask(what);
    }

    /// What must be true of everything that the client saw.
    fn check(&self, seed: u64) {
        let asked: BTreeMap<_, _> = self.asked.iter().map(|(id, what)| (*id, what)).collect();
        let (mut replied, mut calls, mut gone, mut idle) =
            (BTreeSet::new(), BTreeMap::<HCall, Option<S>>::new(), BTreeSet::new(), BTreeSet::new());
        for event in self.client.events() {
            let named = match &event {
                AppEvent::Reply { request, result } => {
                    assert!(asked.contains_key(request), "seed {seed}: a reply to nothing");
                    assert!(replied.insert(*request), "seed {seed}: two replies to {:?}", asked[request]);
                    match (asked[request], result) {
                        (_, Ok(AppReply::Call(call))) => assert!(calls.insert(*call, None).is_none()),
                        (AppRequest::Deallocate { call }, Ok(_)) => assert!(gone.insert(*call)),
                        _ => {}
                    }
                    None
                }
                AppEvent::NewCall { call, .. } => {
                    assert!(calls.insert(*call, None).is_none(), "seed {seed}: announced twice");
                    None
                }
                AppEvent::CallState { call, state, .. } => {
                    let now = calls.get_mut(call).unwrap_or_else(|| panic!("seed {seed}: state before call"));
                    assert!(
                        offhook_broker::legal::may_follow(*now, *state),
                        "seed {seed}: {now:?} to {state:?}"
                    );
                    *now = Some(*state);
                    if *state == S::Idle {
                        assert!(idle.insert(*call), "seed {seed}: idle twice");
                    }
                    Some(*call)
                }
                AppEvent::CallInfo { call, .. } | AppEvent::Digit { call, .. } => {
                    assert!(!idle.contains(call), "seed {seed}: {event:?} after idle");
                    Some(*call)
                }
                AppEvent::MspData { call, .. } => *call,
                AppEvent::LineClosed { .. }
                | AppEvent::LineDevState { .. }
                | AppEvent::CallPrivilege { .. }
                | AppEvent::Hub(_)
                | AppEvent::DevSpecific { .. }
                | AppEvent::Phone { .. }
                | AppEvent::PhoneClosed { .. } => None,
            };
            if let Some(call) = named {
                assert!(calls.contains_key(&call), "seed {seed}: {event:?} before its call");
                assert!(!gone.contains(&call), "seed {seed}: {event:?} after deallocation");
            }
        }
        let unanswered: Vec<_> = asked.iter().filter(|(id, _)| !replied.contains(id)).collect();
        assert!(unanswered.is_empty(), "seed {seed}: completions != requests: {unanswered:?}");
    }
}

fn network(drive: Drive) -> (Broker, std::sync::Arc<Scripted>) {
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
fn happen(switch: &Scripted, rng: &mut Rng) {
    let call = rng.pick(&switch.calls());
    match (rng.below(14), call) {
        (0..=3, _) => drop(switch.ring(rng.below(2) as u32, "alice")),
        (4, Some(call)) => switch.far_end_answers(call),
        (5, Some(call)) => switch.hang_up(call, DisconnectMode::Normal),
        (6, Some(call)) => switch.then(call, [Step::State(S::Idle)]),
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

fn round(seed: u64, drive: Drive) {
    let mut rng = Rng(seed);
    let (broker, switch) = network(drive);
    let mut players: Vec<_> = (0..4).map(|n| Player::new(&broker, n)).collect();
    for n in 0..400 {
        let who = rng.below(players.len());
        match rng.below(40) {
            0 => {
                // One dies, another comes; the dead one's requests are abandoned.
                players[who] = Player::new(&broker, n);
            }
            1..=14 => happen(&switch, &mut rng),
            15..=22 => drop(switch.step()),
            _ => players[who].play(&mut rng),
        }
    }
    for player in &mut players {
        for line in player.handles().0 {
            player.ask(AppRequest::CloseLine { line });
        }
    }
    switch.run();
    for player in &players {
        player.check(seed);
    }
    assert_eq!(broker.census(), Census { clients: 4, ..Census::default() }, "seed {seed}: something is left");
    assert_eq!(switch.calls(), [], "seed {seed}: the provider still has calls");
    drop(players);
    assert_eq!(broker.census(), Census::default());
}

fn seeds(default: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    match number("OFFHOOK_CHAOS_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("OFFHOOK_CHAOS_ROUNDS").unwrap_or(default)).collect(),
    }
}

#[test]
fn whatever_clients_and_network_do_every_request_has_one_completion() {
    for seed in seeds(150) {
        round(seed, Drive::Stepped);
        round(seed, Drive::Immediate);
    }
}

/// The same with a thread a client and one for the network, all at once.
#[test]
fn the_same_holds_with_threads() {
    for seed in seeds(24) {
        let (broker, switch) = network(Drive::Immediate);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let network = scope.spawn(|| {
                let mut rng = Rng(seed ^ 0xABCD);
                while !over.load(Ordering::Relaxed) {
                    happen(&switch, &mut rng);
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
                        for line in player.handles().0 {
                            player.ask(AppRequest::CloseLine { line });
                        }
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
                    for line in player.handles().0 {
                        player.ask(AppRequest::CloseLine { line });
                    }
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
