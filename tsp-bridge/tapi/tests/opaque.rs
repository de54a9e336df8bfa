//! Opaque buffers between a TSP and an MSP through broker and session: when they fail, and that nobody touches them.

mod support;

use offhook_broker::scripted::Step;
use offhook_spi::{DisconnectMode, LineCallState as S, MediaTypes, MspEvent, Opaque, Privilege};
use proptest::prelude::*;
use support::{App, House, opaque};

fn from_msp(app: &App, text: &str) {
    let address = app.msp_address();
    let call = address.state.lock().unwrap().calls.keys().next().copied();
    address.report(MspEvent::TspData { call, data: opaque(text) });
}

#[tokio::test]
async fn a_buffer_of_the_msp_fails_until_the_tsp_knows_the_call_and_has_spoken() {
    let house = House::new();
    let mut app = house.app("app", Privilege::None).await;
    house.switch.script_dial("bob", [Step::Complete, Step::State(S::Dialing)]);
    let call = app.address.create_call("bob", MediaTypes::AUDIO).unwrap();
    from_msp(&app, "before connect");
    house.settle(&mut [&mut app]).await;
    assert_eq!(app.tapi.diagnostics().msp_data_failed, 1);
    let dialling = call.clone();
    let dial = tokio::spawn(async move { dialling.dial().await });
    house.settle(&mut [&mut app]).await;
    from_msp(&app, "before the completion");
    house.settle(&mut [&mut app]).await;
    assert_eq!(app.tapi.diagnostics().msp_data_failed, 2);
    house.advance(&mut [&mut app]).await;
    dial.await.unwrap().unwrap();
    from_msp(&app, "before the TSP spoke");
    house.settle(&mut [&mut app]).await;
    assert_eq!(app.tapi.diagnostics().msp_data_failed, 3);
    house.switch.then(house.last_call(), [Step::Send(opaque("PREPARE"))]);
    house.advance(&mut [&mut app]).await;
    assert_eq!((app.tapi.diagnostics().msp_data_failed, app.tapi.diagnostics().msp_data_sent), (3, 1));
    let received: Vec<_> = house.switch.received().into_iter().map(|r| r.data).collect();
    assert_eq!(received, [opaque("PREPARED")], "none of the early ones was kept");
}

#[tokio::test]
async fn address_level_buffers_pass_both_ways_without_a_call() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    app.msp_address().report(MspEvent::TspData { call: None, data: opaque("hello") });
    house.settle(&mut [&mut app]).await;
    assert_eq!(house.switch.received()[0].call, None);
    house.switch.send(0, None, None, opaque("you too")).unwrap();
    house.settle(&mut [&mut app]).await;
    assert!(house.trace.has("msp  receive_tsp_data address-level you too"));
}

#[tokio::test]
async fn late_buffers_reach_the_msp_until_the_release() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let hd = house.ring(&mut [&mut app]).await;
    house.hang_up(&mut [&mut app], hd, DisconnectMode::Normal).await;
    house.switch.then(hd, [Step::Send(opaque("LATE")), Step::State(S::Idle), Step::Send(opaque("LATER"))]);
    house.advance(&mut [&mut app]).await;
    for late in ["LATE", "LATER"] {
        assert!(house.trace.has(&format!("msp  receive_tsp_data call-level {late}")));
    }
    from_msp(&app, "so am I");
    house.settle(&mut [&mut app]).await;
    assert_eq!(house.switch.received().last().unwrap().data, opaque("so am I"));
    app.calls.pop().unwrap().release().await;
    assert!(house.switch.send(0, Some(hd), None, opaque("x")).is_err());
    assert_eq!(app.tapi.diagnostics().tsp_data_undelivered, 0);
}

#[tokio::test]
async fn a_monitors_msp_is_left_out() {
    let house = House::new();
    let mut owner = house.app("owner", Privilege::Owner).await;
    let mut monitor = house.app("monitor", Privilege::Monitor).await;
    house.ring(&mut [&mut owner, &mut monitor]).await;
    let heard = |app: &App| app.msp_address().state.lock().unwrap().received.len();
    assert_eq!((heard(&owner), heard(&monitor)), (1, 0), "to all, but a monitor's session has no MSP call");
    assert_eq!(monitor.tapi.diagnostics().tsp_data_undelivered, 1);
    assert_eq!(house.switch.received().len(), 1, "one answer, the owner's");
    assert!(monitor.calls[0].streams().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Random octets there and back again over two calls: unchanged, in order, to the right call.
    #[test]
    fn buffers_come_back_as_they_were_sent(
        script in prop::collection::vec(
            (0..2_usize, prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                prop::collection::vec(any::<u8>(), Opaque::MAX - 1..=Opaque::MAX),
            ]),
            1..16,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let house = House::new();
            let mut app = house.app("app", Privilege::Owner).await;
            app.msp_address().state.lock().unwrap().echo = true;
            let calls: Vec<_> = (0..2).map(|_| house.switch.ring(0, "alice").unwrap()).collect();
            house.advance(&mut [&mut app]).await;
            let mut sent = Vec::new();
            for (n, bytes) in script {
                let data = Opaque::new(bytes).unwrap();
                house.switch.send(0, Some(calls[n]), None, data.clone()).unwrap();
                sent.push((Some(calls[n]), data));
            }
            house.settle(&mut [&mut app]).await;
            let came: Vec<_> = house.switch.received().into_iter().map(|r| (r.call, r.data)).collect();
            prop_assert_eq!(came, sent);
            Ok(())
        })?;
    }
}
