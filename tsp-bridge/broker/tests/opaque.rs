//! Opaque buffers: who gets which, when one fails, and that nobody touches them.

mod support;

use offhook_broker::scripted::{ScriptedConfig, Step};
use offhook_spi::{
    ApiVersion, AppReply, AppRequest, DisconnectMode, HCall, HLine, HtMspLine, LineCallState as S, LineError,
    MediaTypes, Opaque, Privilege,
};
use proptest::prelude::*;
use support::{CONNECTED, Client, house, immediate, opaque, stepped};

fn send(client: &Client, line: HLine, call: Option<HCall>, data: Opaque) -> Result<AppReply, LineError> {
    client.ask(AppRequest::MspData { line, call, data })
}

fn speaks_first() -> Result<AppReply, LineError> {
    Err(LineError::failed("the TSP speaks first"))
}

#[test]
fn the_tsp_speaks_first_on_a_call() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    let hd = switch.ring(0, "alice").unwrap();
    let call = client.new_calls()[0].0;
    assert_eq!(send(&client, line, Some(call), opaque(b"early")), speaks_first());
    assert!(switch.received().is_empty(), "failed, not queued");
    switch.send(0, Some(hd), None, opaque(b"prepare")).unwrap();
    assert_eq!(client.buffers(), [(Some(call), opaque(b"prepare"))]);
    assert_eq!(send(&client, line, Some(call), opaque(b"prepared")), Ok(AppReply::Done));
    let received = switch.received();
    assert_eq!(received.len(), 1, "the early one never came");
    assert_eq!((received[0].call, &received[0].data), (Some(hd), &opaque(b"prepared")));
}

#[test]
fn an_address_level_buffer_needs_no_first_word() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    assert_eq!(send(&client, line, None, opaque(b"hello")), Ok(AppReply::Done));
    assert_eq!(switch.received()[0].call, None);
    switch.send(0, None, None, opaque(b"you too")).unwrap();
    assert_eq!(client.buffers(), [(None, opaque(b"you too"))]);
}

#[test]
fn a_buffer_for_a_placed_call_reaches_the_msp_after_the_reply_only() {
    let (broker, switch) = stepped();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    switch.script_dial("bob", [Step::Send(opaque(b"too early")), Step::Complete, Step::Send(opaque(b"now"))]);
    client.dial(line, "bob");
    switch.run();
    assert_eq!(client.buffers().into_iter().map(|(_, data)| data).collect::<Vec<_>>(), [opaque(b"now")]);
    assert!(switch.log().iter().any(|line| line == "send_msp_data failed: no such call"));
}

#[test]
fn buffers_pass_after_the_end_until_deallocation() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    let hd = switch.ring(0, "alice").unwrap();
    let call = client.new_calls()[0].0;
    switch.then(hd, [Step::State(CONNECTED), Step::Send(opaque(b"start"))]);
    switch.hang_up(hd, DisconnectMode::Normal);
    switch.then(hd, [Step::Send(opaque(b"stop")), Step::State(S::Idle), Step::Send(opaque(b"late"))]);
    assert_eq!(client.buffers().len(), 3);
    assert_eq!(send(&client, line, Some(call), opaque(b"late too")), Ok(AppReply::Done));
    client.ask(AppRequest::Deallocate { call }).unwrap();
    assert_eq!(send(&client, line, Some(call), opaque(b"x")), Err(LineError::InvalCallHandle));
    assert_eq!(switch.send(0, Some(hd), None, opaque(b"x")), Err(LineError::InvalCallHandle));
}

/// Two applications with an MSP each on one line, and a third without: the delivery matrix.
#[test]
fn one_msp_or_all_call_level_or_address_level() {
    let (broker, switch) = immediate();
    let owner = Client::new(&broker, "owner");
    let monitor = Client::new(&broker, "monitor");
    let bare = Client::new(&broker, "bare");
    owner.open_with_msp(Privilege::Owner);
    let one = switch.msp_instances(0)[0];
    monitor.open_with_msp(Privilege::Monitor);
    let two = switch.msp_instances(0).into_iter().find(|msp| *msp != one).unwrap();
    bare.open(Privilege::Monitor, MediaTypes::AUDIO);
    let hd = switch.ring(0, "alice").unwrap();
    let second = Client::new(&broker, "second owner");
    second.open_with_msp(Privilege::Owner);
    let three = switch.msp_instances(0).into_iter().find(|msp| *msp != one && *msp != two).unwrap();

    let deliver = |call, msp: Option<HtMspLine>| {
        let counts = || [&owner, &monitor, &bare, &second].map(|client| client.buffers().len());
        let before = counts();
        let result = switch.send(0, call, msp, opaque(b"x"));
        let after = counts();
        (result, std::array::from_fn::<_, 4, _>(|i| after[i] - before[i]))
    };
    assert_eq!(deliver(None, None), (Ok(()), [1, 1, 0, 1]));
    assert_eq!(deliver(None, Some(one)), (Ok(()), [1, 0, 0, 0]));
    assert_eq!(deliver(None, Some(two)), (Ok(()), [0, 1, 0, 0]));
    assert_eq!(deliver(None, Some(three)), (Ok(()), [0, 0, 0, 1]));
    assert_eq!(deliver(Some(hd), None), (Ok(()), [1, 1, 0, 0]));
    assert_eq!(deliver(Some(hd), Some(one)), (Ok(()), [1, 0, 0, 0]));
    assert_eq!(deliver(Some(hd), Some(two)), (Ok(()), [0, 1, 0, 0]));
    let nobody = LineError::failed("no MSP instance to deliver to");
    assert_eq!(deliver(Some(hd), Some(three)), (Err(nobody), [0; 4]), "it does not hold the call");
    let unknown = LineError::InvalParam("no such MSP instance on this line".to_owned());
    assert_eq!(deliver(Some(hd), Some(HtMspLine(4711))), (Err(unknown.clone()), [0; 4]));
    assert_eq!(deliver(None, Some(HtMspLine(4711))), (Err(unknown), [0; 4]));
}

#[test]
fn a_monitors_msp_may_listen_and_not_answer() {
    let (broker, switch) = immediate();
    let owner = Client::new(&broker, "owner");
    owner.open_with_msp(Privilege::Owner);
    let monitor = Client::new(&broker, "monitor");
    let line = monitor.open_with_msp(Privilege::Monitor);
    let hd = switch.ring(0, "alice").unwrap();
    switch.send(0, Some(hd), None, opaque(b"prepare")).unwrap();
    let call = monitor.new_calls()[0].0;
    assert_eq!(send(&monitor, line, Some(call), opaque(b"me!")), Err(LineError::NotOwner));
    assert!(switch.received().is_empty());
}

#[test]
fn nobody_to_deliver_to_is_an_error() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let line = client.open(Privilege::Owner, MediaTypes::AUDIO);
    let hd = switch.ring(0, "alice").unwrap();
    let nobody = Err(LineError::failed("no MSP instance to deliver to"));
    assert_eq!(switch.send(0, Some(hd), None, opaque(b"x")), nobody);
    assert_eq!(switch.send(0, None, None, opaque(b"x")), nobody);
    assert_eq!(send(&client, line, None, opaque(b"x")), Err(LineError::OperationUnavail));
}

#[test]
fn an_opening_has_one_msp_instance_and_none_where_there_are_none() {
    let (broker, switch) = immediate();
    let client = Client::new(&broker, "app");
    let line = client.open_with_msp(Privilege::Owner);
    let again = client.ask(AppRequest::CreateMspInstance { line });
    assert!(matches!(again, Err(LineError::OperationFailed(_))));
    client.ask(AppRequest::CloseLine { line }).unwrap();
    assert!(switch.log().contains(&"line_close_msp_instance".to_owned()));
    assert_eq!(broker.census().msp_instances, 0);
    let old = (ApiVersion(0x0002_0001), ApiVersion(0x0002_0002));
    for config in [
        ScriptedConfig { has_msp: false, ..ScriptedConfig::default() },
        ScriptedConfig { versions: old, ..ScriptedConfig::default() },
    ] {
        let (broker, _switch) = house(config);
        let client = Client::new(&broker, "app");
        let line = client.open(Privilege::Owner, MediaTypes::AUDIO);
        assert_eq!(client.ask(AppRequest::CreateMspInstance { line }), Err(LineError::OperationUnavail));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Random octets, both ways, interleaved over two calls: unchanged, none lost, in order within each call.
    #[test]
    fn buffers_arrive_unchanged_and_in_order(
        script in prop::collection::vec(
            (any::<bool>(), any::<bool>(), prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                prop::collection::vec(any::<u8>(), Opaque::MAX - 2..=Opaque::MAX),
            ]),
            1..24,
        )
    ) {
        let (broker, switch) = immediate();
        let client = Client::new(&broker, "app");
        let line = client.open_with_msp(Privilege::Owner);
        let hds = [switch.ring(0, "a").unwrap(), switch.ring(0, "b").unwrap()];
        let calls = [client.new_calls()[0].0, client.new_calls()[1].0];
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for n in 0..2 {
            switch.send(0, Some(hds[n]), None, opaque(b"")).unwrap();
            down.push((Some(calls[n]), opaque(b"")));
        }
        for (to_msp, second, bytes) in script {
            let n = usize::from(second);
            if to_msp {
                switch.send(0, Some(hds[n]), None, opaque(&bytes)).unwrap();
                down.push((Some(calls[n]), opaque(&bytes)));
            } else {
                send(&client, line, Some(calls[n]), opaque(&bytes)).unwrap();
                up.push((Some(hds[n]), opaque(&bytes)));
            }
        }
        prop_assert_eq!(client.buffers(), down);
        let received: Vec<_> = switch.received().into_iter().map(|r| (r.call, r.data)).collect();
        prop_assert_eq!(received, up);
    }
}
