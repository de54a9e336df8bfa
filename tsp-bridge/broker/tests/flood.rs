//! More calls than anybody can take: NEWCALL's back-pressure, and that no application ever sees a call without its state.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use offhook_broker::Census;
use offhook_spi::{
    AppEvent, AppRequest, CallInfoChange, DigitMode, HCall, HdCall, LineCallState as S, MediaTypes,
    Privilege, Timestamp,
};
use support::puppet::Puppet;
use support::{Client, immediate, opaque};

/// Every call's first word is its announcement and the next one about it is Offering. Answers how many there were.
fn announced(client: &Client) -> usize {
    let mut calls: BTreeMap<HCall, bool> = BTreeMap::new();
    for event in client.events() {
        match event {
            AppEvent::NewCall { call, .. } => assert_eq!(calls.insert(call, false), None, "announced twice"),
            AppEvent::CallState { call, state, .. } => {
                let begun = calls.get_mut(&call).expect("a state before its call");
                assert!(*begun || state == S::Offering, "{state:?} before Offering");
                *begun = true;
            }
            AppEvent::CallInfo { call, .. }
            | AppEvent::Digit { call, .. }
            | AppEvent::MspData { call: Some(call), .. }
            | AppEvent::CallPrivilege { call, .. } => {
                assert_eq!(calls.get(&call), Some(&true), "a call without its Offering");
            }
            _ => {}
        }
    }
    assert!(calls.values().all(|begun| *begun), "a call without its Offering");
    calls.len()
}

#[test]
fn of_ten_thousand_calls_none_is_without_its_offering() {
    let (broker, switch) = immediate();
    let [owner, monitor] = ["owner", "monitor"].map(|name| Client::new(&broker, name));
    owner.open_with_msp(Privilege::Owner);
    monitor.open(Privilege::Monitor, MediaTypes::AUDIO);
    let mut held = std::collections::VecDeque::new();
    let mut seen = 0;
    for n in 0..10_000 {
        assert!(switch.ring(0, &n.to_string()).is_some());
        if n % 100 == 99 {
            // A hundred at a time are looked at and given up; the ones before are not in the way.
            let before = (owner.new_calls().len(), announced(&owner), announced(&monitor));
            assert_eq!(before, (100, 100, 100));
            seen += before.0;
            for client in [&owner, &monitor] {
                held.extend(client.new_calls().into_iter().map(|(call, _)| (client, call)));
            }
            while let Some((client, call)) = held.pop_front() {
                client.ask(AppRequest::Deallocate { call }).unwrap();
            }
            owner.clear();
            monitor.clear();
        }
    }
    assert_eq!((seen, broker.census().calls, broker.diagnostics().calls_refused), (10_000, 0, 0));
}

#[test]
fn a_provider_that_announces_and_says_no_more_is_stopped() {
    let (broker, puppet) = Puppet::house();
    let client = Client::new(&broker, "app");
    client.open(Privilege::Owner, MediaTypes::AUDIO);
    let line = puppet.line(0);
    let mut next = 1_000_000;
    let mut announce = || {
        next += 1;
        puppet.events().new_call(line, HdCall(next))
    };
    let taken: Vec<_> = (0..10_000).filter_map(|_| announce()).collect();
    assert_eq!(taken.len(), 1024);
    assert_eq!(broker.diagnostics().calls_refused, 10_000 - 1024);
    assert_eq!(client.events().len(), 1, "the reply to the opening");
    for ht in &taken[..10] {
        puppet.state(0, *ht, S::Offering);
    }
    assert_eq!((0..20).filter_map(|_| announce()).count(), 10, "ten have begun: room for ten more");
    assert_eq!(announced(&client), 10);
}

/// Four threads announce as fast as they can, with everything else that a provider may say; applications come, go and
/// give up what they see meanwhile.
#[test]
fn no_call_is_without_its_offering_whatever_happens_at_once() {
    let (broker, puppet) = Puppet::house();
    let [owner, monitor] = ["owner", "monitor"].map(|name| Client::new(&broker, name));
    owner.open_with_msp(Privilege::Owner);
    monitor.open_with_msp(Privilege::Monitor);
    let (line, events) = (puppet.line(0), puppet.events());
    let next = AtomicU64::new(1_000_000);
    let taken = AtomicU64::new(0);
    let left = AtomicU64::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..2_500 {
                    let hd = HdCall(next.fetch_add(1, Ordering::Relaxed));
                    let Some(ht) = events.new_call(line, hd) else { continue };
                    taken.fetch_add(1, Ordering::Relaxed);
                    // Too early, and dropped.
                    events.call_info(line, ht, CallInfoChange::CallerId);
                    events.digit(line, ht, '1', DigitMode::Dtmf, None);
                    assert!(events.send_msp_data(line, Some(ht), None, opaque(b"x")).is_err());
                    events.call_state(line, ht, S::Offering, Timestamp(n));
                    events.call_info(line, ht, CallInfoChange::CallerId);
                    let _ = events.send_msp_data(line, Some(ht), None, opaque(b"x"));
                    events.call_state(line, ht, S::Idle, Timestamp(n));
                }
                left.fetch_sub(1, Ordering::Relaxed);
            });
        }
        // Keeps the tables small, as an application does that is done with its calls.
        for client in [&owner, &monitor] {
            let left = &left;
            scope.spawn(move || {
                let mut done = 0;
                loop {
                    let over = left.load(Ordering::Relaxed) == 0;
                    let calls = client.new_calls();
                    for (call, _) in &calls[done..] {
                        client.submit(AppRequest::Deallocate { call: *call }).unwrap();
                    }
                    done = calls.len();
                    if over && client.new_calls().len() == done {
                        return;
                    }
                }
            });
        }
        // Others come, are shown calls in the middle of everything, and die.
        scope.spawn(|| {
            let mut n = 0;
            while left.load(Ordering::Relaxed) > 0 {
                n += 1;
                let guest = Client::new(&broker, &format!("guest {n}"));
                let privilege = [Privilege::Owner, Privilege::Monitor][n % 2];
                guest.open(privilege, MediaTypes::AUDIO);
                let call = owner.new_calls().last().map(|(call, _)| *call);
                if let Some(call) = call {
                    let to = offhook_spi::HandoffTarget::Application(format!("guest {n}"));
                    owner.submit(AppRequest::Handoff { call, to }).unwrap();
                }
                announced_so_far(&guest);
            }
        });
    });
    let taken = taken.load(Ordering::Relaxed) as usize;
    assert!(taken > 0);
    // Every one that was taken was shown to the owner and to the monitor, with its state.
    assert_eq!((announced(&owner), announced(&monitor)), (taken, taken));
    assert_eq!(broker.diagnostics().calls_refused as usize, 10_000 - taken);
    drop((owner, monitor));
    assert_eq!(broker.census(), Census::default());
}

/// The same while events are still coming: the last call may have been announced and its state be on the way.
fn announced_so_far(client: &Client) {
    let mut begun: BTreeMap<HCall, bool> = BTreeMap::new();
    for event in client.events() {
        match event {
            AppEvent::NewCall { call, .. } => drop(begun.insert(call, false)),
            AppEvent::CallState { call, .. } => drop(begun.insert(call, true)),
            AppEvent::CallInfo { call, .. } | AppEvent::MspData { call: Some(call), .. } => {
                assert_eq!(begun.get(&call), Some(&true), "a call without its state");
            }
            _ => {}
        }
    }
}
