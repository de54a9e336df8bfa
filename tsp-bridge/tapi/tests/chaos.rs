//! Applications that do anything in any order, on threads: every operation ends, and nothing is left.

mod support;

use std::sync::Arc;
use std::time::Duration;

use offhook_broker::Broker;
use offhook_broker::scripted::{Drive, Scripted, ScriptedConfig, Step, Verb};
use offhook_spi::{DisconnectMode, LineCallState as S, LineError, MediaTypes, Privilege};
use offhook_tapi::{Call, CallState, Direction, DisconnectCode, Event, EventFilter, Tapi, TerminalClass};
use support::{CONNECTED, FakeMsp, Trace, opaque};

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

async fn act(call: Call, what: usize) {
    // Whatever it says: it must say something.
    match what {
        0 | 1 => drop(call.connect().await),
        2 => drop(call.accept().await),
        3 => drop(call.answer().await),
        4 => drop(call.disconnect(DisconnectCode::Busy).await),
        5 => drop(call.info().await),
        6 => drop(call.generate_digits("1").await),
        7 => call.release().await,
        _ => drop(call.streams().map(|streams| streams.iter().all(|s| s.statistics().is_ok()))),
    }
}

async fn application(broker: Broker, switch: Arc<Scripted>, seed: u64) {
    let mut rng = Rng(seed);
    let msp = FakeMsp::new(Trace::default());
    let tapi = Tapi::connect(|sink| broker.connect("app", sink), Some(msp.clone())).unwrap();
    let mut events = tapi.events(EventFilter::ALL);
    let address = tapi.addresses().await.unwrap().remove(0);
    let mut calls: Vec<Call> = Vec::new();
    let mut busy = Vec::new();
    for _ in 0..120 {
        match rng.below(12) {
            0 => {
                let privilege = [Privilege::None, Privilege::Monitor, Privilege::Owner][rng.below(3)];
                drop(address.open(privilege, MediaTypes::AUDIO).await);
            }
            1 if rng.below(4) == 0 => drop(address.close().await),
            2 | 3 => {
                let destination = ["bob", "busy", "nowhere"][rng.below(3)];
                calls.extend(address.create_call(destination, MediaTypes::AUDIO));
            }
            4 if !calls.is_empty() => drop(calls.swap_remove(rng.below(calls.len()))),
            5 if !calls.is_empty() => {
                let class = TerminalClass::Null;
                if let (Ok(terminal), Ok(streams)) = (
                    address.create_terminal(class, Direction::Render),
                    calls[rng.below(calls.len())].streams(),
                ) {
                    drop(streams[0].select_terminal(&terminal));
                }
            }
            _ if !calls.is_empty() => {
                let call = calls[rng.below(calls.len())].clone();
                busy.push(tokio::spawn(act(call, rng.below(9))));
            }
            _ => {
                switch.ring(0, "alice");
            }
        }
        while let Some(event) = events.try_next() {
            match event {
                Event::CallNotification { call, .. } => calls.push(call),
                Event::CallState { state, .. } => assert_ne!(state, CallState::Idle),
                _ => {}
            }
        }
        if rng.below(8) == 0 {
            tokio::task::yield_now().await;
        }
    }
    if rng.below(2) == 0 {
        for call in &calls {
            call.release().await;
        }
    }
    tapi.close().await;
    for task in busy {
        tokio::time::timeout(Duration::from_secs(20), task).await.expect("every operation ends").unwrap();
    }
    drop(calls);
    // What was still in the queue, and then the end.
    while events.next().await.is_some() {}
    for address in msp.addresses.lock().unwrap().iter() {
        let state = address.state.lock().unwrap();
        assert!(state.calls.is_empty(), "seed {seed}: MSP calls are left");
        assert!(state.terminals.is_empty(), "seed {seed}: terminals are left");
    }
}

async fn network(switch: Arc<Scripted>, seed: u64) {
    let mut rng = Rng(seed);
    for _ in 0..300 {
        let calls = switch.calls();
        if !calls.is_empty() {
            let call = calls[rng.below(calls.len())];
            match rng.below(6) {
                0 | 1 => switch.far_end_answers(call),
                2 => switch.hang_up(call, DisconnectMode::Normal),
                3 => switch.then(call, [Step::State(S::Idle)]),
                4 => switch.then(call, [Step::Send(opaque("PREPARE")), Step::Digit('1')]),
                _ if rng.below(40) == 0 => switch.close_line(0, LineError::failed("unplugged")),
                _ => drop(switch.send(0, None, None, opaque("hello"))),
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_applications_do_every_operation_ends_and_nothing_is_left() {
    for seed in 0..60 {
        let config = ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() };
        let switch = Scripted::new(config);
        let failed = LineError::failed("no route");
        switch.script_dial("nowhere", [Step::Fail(failed)]);
        let busy = S::Disconnected(DisconnectMode::Busy);
        switch.script_dial("busy", [Step::Complete, Step::State(S::Dialing), Step::State(busy)]);
        switch.script(Verb::Answer, [Step::Complete, Step::State(CONNECTED), Step::Send(opaque("START"))]);
        let broker = Broker::new();
        broker.add_provider(switch.clone()).unwrap();
        let apps: Vec<_> = (0..3)
            .map(|n| tokio::spawn(application(broker.clone(), switch.clone(), seed * 100 + n)))
            .collect();
        let net = tokio::spawn(network(switch.clone(), seed));
        for app in apps {
            app.await.unwrap();
        }
        net.await.unwrap();
        assert_eq!(broker.census(), offhook_broker::Census::default(), "seed {seed}");
    }
}
