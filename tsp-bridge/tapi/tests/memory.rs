//! Ten thousand calls made, talked on and released leave no memory behind, in application, broker and provider together.

mod support;

use offhook_broker::Broker;
use offhook_scripted::{Scripted, ScriptedConfig};
use offhook_tapi::{DisconnectCode, EventFilter, MediaTypes, Privilege, Tapi};
use support::{FakeMsp, Trace};

/// Octets that this process has of the machine's memory.
fn resident() -> u64 {
    let of_self = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = of_self.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[tokio::test]
async fn ten_thousand_calls_leave_nothing_behind() {
    let switch = Scripted::new(ScriptedConfig::switch(2));
    let broker = Broker::new();
    broker.add_provider(switch.clone()).unwrap();
    let trace = Trace::default();
    let tapi = Tapi::connect(|sink| broker.connect("app", sink), Some(FakeMsp::new(trace.clone()))).unwrap();
    let mut events = tapi.events(EventFilter::ALL);
    let lines = tapi.addresses().await.unwrap();
    for line in &lines {
        line.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
    }
    tapi.set_call_hub_tracking(&lines, true).await.unwrap();
    let mut after = Vec::new();
    for round in 0..5 {
        for _ in 0..2_000 {
            let call = lines[0].create_call("5550002", MediaTypes::AUDIO).unwrap();
            call.connect().await.unwrap();
            call.disconnect(DisconnectCode::Normal).await.unwrap();
            call.release().await;
            while events.try_next().is_some() {}
        }
        tapi.settled().await.unwrap();
        trace.clear();
        let census = broker.census();
        assert_eq!((census.calls, census.requests), (0, 0), "round {round}: {census:?}");
        assert!(switch.calls().is_empty());
        after.push(resident());
    }
    // The first rounds find the allocator's own size; the switch keeps a log of some lines a call. A call that stayed would
    // be some kilobytes.
    let (second, last) = (after[1], after[4]);
    let grown = last.saturating_sub(second);
    assert!(grown < 6_000 * 1_000, "{grown} octets more after 6,000 further calls: {after:?}");
}
