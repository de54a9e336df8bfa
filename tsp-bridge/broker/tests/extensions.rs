//! Extensions of TAPI: negotiated, selected, the same for all of one device, and never read on the way.

mod support;

use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, Completion, DeviceId, ExtensionVersion, HCall, HLine, LineError,
    MediaTypes, Opaque, PhoneEvent, PhoneId, Privilege,
};
use support::puppet::{EXT_1, EXT_2, EXTENSION, Puppet};
use support::{CONNECTED, Client, opaque};

const NONE: ExtensionVersion = ExtensionVersion(0);

fn negotiate(
    client: &Client,
    lowest: ExtensionVersion,
    highest: ExtensionVersion,
) -> Result<ExtensionVersion, LineError> {
    match client.ask(AppRequest::NegotiateExtVersion { device: DeviceId(0), lowest, highest })? {
        AppReply::Extension { id, version } => {
            assert_eq!(id, EXTENSION);
            Ok(version)
        }
        other => panic!("{other:?}"),
    }
}

fn select(client: &Client, line: HLine, version: ExtensionVersion) -> Result<(), LineError> {
    client.ask(AppRequest::SelectExtVersion { line, version }).map(drop)
}

fn word(client: &Client, line: HLine, call: Option<HCall>, data: Opaque) -> offhook_spi::RequestId {
    client.submit(AppRequest::DevSpecific { line, call, data }).unwrap()
}

fn open(broker: &Broker, name: &str) -> (Client, HLine) {
    let client = Client::new(broker, name);
    let line = client.open(Privilege::Monitor, MediaTypes::AUDIO);
    (client, line)
}

/// The messages of lines that a client was told.
fn messages(client: &Client) -> Vec<(HLine, Option<HCall>, Opaque)> {
    let pick = |event: AppEvent| match event {
        AppEvent::DevSpecific { line, call, data } => Some((line, call, data)),
        _ => None,
    };
    client.events().into_iter().filter_map(pick).collect()
}

#[test]
fn a_version_is_negotiated_before_it_is_selected_and_selected_before_anything_is_said() {
    let (broker, puppet) = Puppet::house();
    let (client, line) = open(&broker, "app");
    let unselected = Err(LineError::IncompatibleExtVersion);
    assert_eq!(
        client.reply(word(&client, line, None, opaque(b"x"))).map(|r| r.map(drop)),
        Some(unselected.clone())
    );
    assert_eq!(select(&client, line, EXT_1), unselected);
    assert_eq!(
        negotiate(&client, ExtensionVersion(0x0003_0000), ExtensionVersion(0x0004_0000)),
        Err(LineError::IncompatibleExtVersion)
    );
    assert_eq!(negotiate(&client, EXT_1, ExtensionVersion(0x0009_0000)), Ok(EXT_2));
    assert_eq!(select(&client, line, EXT_1), unselected, "another one was negotiated");
    assert_eq!(puppet.log(), [] as [&str; 0]);
    assert_eq!(select(&client, line, EXT_2), Ok(()));
    assert_eq!(puppet.log(), ["select 2"]);
    assert_eq!(select(&client, line, NONE), Ok(()));
    assert_eq!(select(&client, line, NONE), Ok(()), "nothing to end");
    assert_eq!(puppet.log(), ["select 2", "select 0"]);
    assert_eq!(client.reply(word(&client, line, None, opaque(b"x"))).map(|r| r.map(drop)), Some(unselected));
}

#[test]
fn words_pass_unread_both_ways() {
    let (broker, puppet) = Puppet::house();
    let (client, line) = open(&broker, "app");
    let (_, hd) = puppet.announce(0, CONNECTED);
    let call = client.new_calls()[0].0;
    negotiate(&client, EXT_1, EXT_1).unwrap();
    select(&client, line, EXT_1).unwrap();
    puppet.clear();
    let id = word(&client, line, None, opaque(&[0, 255, 1]));
    let answer = |data: &[u8]| {
        puppet.events().async_answer(puppet.last_request(), Ok(Completion::DevSpecific(opaque(data))));
    };
    answer(&[9; 70]);
    assert_eq!(client.reply(id), Some(Ok(AppReply::DevSpecific(opaque(&[9; 70])))));
    let id = word(&client, line, Some(call), opaque(b""));
    puppet.complete(Ok(()));
    assert_eq!(client.reply(id), Some(Ok(AppReply::DevSpecific(opaque(b"")))), "nothing to say");
    let id = word(&client, line, Some(call), opaque(b"?"));
    puppet.complete(Err(LineError::failed("what?")));
    assert_eq!(client.reply(id), Some(Err(LineError::failed("what?"))));
    assert_eq!(
        puppet.log(),
        [
            "dev_specific None [0, 255, 1]".to_owned(),
            format!("dev_specific Some({}) []", hd.0),
            format!("dev_specific Some({}) [63]", hd.0),
        ]
    );
    let id = word(&client, line, Some(call), opaque(b"x"));
    client.ask(AppRequest::Deallocate { call }).unwrap();
    assert!(matches!(client.reply(id), Some(Err(LineError::OperationFailed(_)))), "the call has gone");
    let id = word(&client, line, Some(call), opaque(b"x"));
    assert_eq!(client.reply(id), Some(Err(LineError::InvalCallHandle)));
    let id = word(&client, line, None, opaque(b"x"));
    client.ask(AppRequest::CloseLine { line }).unwrap();
    assert!(matches!(client.reply(id), Some(Err(LineError::OperationFailed(_)))), "the line has gone");
    assert_eq!(broker.census(), Census { clients: 1, ..Census::default() });
}

#[test]
fn all_of_one_line_speak_the_same_version() {
    let (broker, puppet) = Puppet::house();
    let [(one, a), (two, b), (three, c)] = ["one", "two", "three"].map(|name| open(&broker, name));
    negotiate(&two, EXT_2, EXT_2).unwrap();
    negotiate(&one, EXT_1, EXT_1).unwrap();
    select(&one, a, EXT_1).unwrap();
    assert_eq!(select(&two, b, EXT_2), Err(LineError::IncompatibleExtVersion));
    assert_eq!(negotiate(&three, EXT_2, EXT_2), Err(LineError::IncompatibleExtVersion), "1 is selected");
    negotiate(&three, EXT_1, EXT_1).unwrap();
    select(&three, c, EXT_1).unwrap();
    assert_eq!(puppet.log(), ["select 1"], "once for all");
    negotiate(&one, EXT_1, EXT_1).unwrap();
    select(&one, a, NONE).unwrap();
    assert_eq!(puppet.log(), ["select 1"], "there is another");
    three.ask(AppRequest::CloseLine { line: c }).unwrap();
    assert_eq!(puppet.log(), ["select 1", "select 0"], "the last one is closed");
    select(&two, b, EXT_2).unwrap();
    // Alone with it, it may change it; killed, it leaves none.
    negotiate(&two, EXT_2, EXT_2).unwrap();
    let mut two = two;
    two.link = None;
    assert_eq!(puppet.log(), ["select 1", "select 0", "select 2", "select 0"]);
}

#[test]
fn a_selection_that_the_provider_refuses_is_none() {
    let (broker, puppet) = Puppet::house();
    let (client, line) = open(&broker, "app");
    negotiate(&client, EXT_1, EXT_2).unwrap();
    let busy = LineError::ResourceUnavail("busy".to_owned());
    *puppet.refusal.lock().unwrap() = Some(busy.clone());
    assert_eq!(select(&client, line, EXT_2), Err(busy));
    let id = word(&client, line, None, opaque(b"x"));
    assert_eq!(client.reply(id), Some(Err(LineError::IncompatibleExtVersion)));
    *puppet.refusal.lock().unwrap() = None;
    assert_eq!(select(&client, line, EXT_2), Ok(()));
}

#[test]
fn messages_are_for_those_who_selected_and_hold_the_call() {
    let (broker, puppet) = Puppet::house();
    let [(one, a), (two, b), (deaf, _)] = ["one", "two", "deaf"].map(|name| open(&broker, name));
    let (ht, _) = puppet.announce(0, CONNECTED);
    let line = puppet.line(0);
    for (client, line) in [(&one, a), (&two, b)] {
        negotiate(client, EXT_1, EXT_1).unwrap();
        select(client, line, EXT_1).unwrap();
    }
    let call = one.new_calls()[0].0;
    two.ask(AppRequest::Deallocate { call: two.new_calls()[0].0 }).unwrap();
    puppet.events().line_dev_specific(line, Some(ht), opaque(b"call"));
    puppet.events().line_dev_specific(line, None, opaque(b"line"));
    assert_eq!(messages(&one), [(a, Some(call), opaque(b"call")), (a, None, opaque(b"line"))]);
    assert_eq!(messages(&two), [(b, None, opaque(b"line"))]);
    assert_eq!(messages(&deaf), []);
    select(&one, a, NONE).unwrap();
    puppet.events().line_dev_specific(line, None, opaque(b"line"));
    assert_eq!((messages(&one).len(), messages(&two).len()), (2, 2));
}

#[test]
fn phones_have_extensions_too() {
    let (broker, puppet) = Puppet::house();
    let [one, two] = ["one", "two"].map(|name| Client::new(&broker, name));
    let phones = [&one, &two].map(|client| {
        let asked = AppRequest::OpenPhone { phone: PhoneId(0), privilege: Privilege::Monitor };
        let Ok(AppReply::Phone(phone)) = client.ask(asked) else { panic!("no phone") };
        phone
    });
    let negotiate = |client: &Client, version| {
        let (phone, lowest, highest) = (PhoneId(0), version, version);
        client.ask(AppRequest::NegotiatePhoneExtVersion { phone, lowest, highest })
    };
    let select =
        |client: &Client, phone, version| client.ask(AppRequest::SelectPhoneExtVersion { phone, version });
    let say = |client: &Client, phone| {
        client.submit(AppRequest::PhoneDevSpecific { phone, data: opaque(b"!") }).unwrap()
    };
    let id = say(&one, phones[0]);
    assert_eq!(one.reply(id), Some(Err(LineError::IncompatibleExtVersion)));
    negotiate(&two, EXT_2).unwrap();
    assert_eq!(negotiate(&one, EXT_1), Ok(AppReply::Extension { id: EXTENSION, version: EXT_1 }));
    select(&one, phones[0], EXT_1).unwrap();
    assert_eq!(select(&two, phones[1], EXT_2), Err(LineError::IncompatibleExtVersion));
    assert_eq!(negotiate(&two, EXT_2), Err(LineError::IncompatibleExtVersion));
    let id = say(&one, phones[0]);
    puppet.events().async_answer(puppet.last_request(), Ok(Completion::DevSpecific(opaque(b"?"))));
    assert_eq!(one.reply(id), Some(Ok(AppReply::DevSpecific(opaque(b"?")))));
    let event = PhoneEvent::DevSpecific(opaque(b"ring"));
    puppet.events().phone_event(puppet.phone(), event.clone());
    assert_eq!(one.events().last(), Some(&AppEvent::Phone { phone: phones[0], event }));
    assert!(!two.events().iter().any(|event| matches!(event, AppEvent::Phone { .. })));
    one.ask(AppRequest::ClosePhone { phone: phones[0] }).unwrap();
    select(&two, phones[1], EXT_2).unwrap();
    let log = puppet.log();
    let selected: Vec<_> = log.iter().filter(|line| line.starts_with("phone_select")).collect();
    assert_eq!(selected, ["phone_select 1", "phone_select 0", "phone_select 2"]);
}
