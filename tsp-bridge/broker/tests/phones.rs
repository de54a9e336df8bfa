//! Phones: one owner and any number of monitors share one device.

mod support;

use offhook_broker::scripted::{Scripted, ScriptedConfig};
use offhook_broker::{Broker, Census};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, HPhone, LampMode, LineError, PhoneEvent, PhoneId, PhoneSetting,
    Privilege, RequestId,
};
use support::Client;
use support::puppet::Puppet;

fn open(client: &Client, privilege: Privilege) -> Result<HPhone, LineError> {
    match client.ask(AppRequest::OpenPhone { phone: PhoneId(0), privilege })? {
        AppReply::Phone(phone) => Ok(phone),
        other => panic!("{other:?}"),
    }
}

const LAMP: PhoneSetting = PhoneSetting::Lamp(1, LampMode::Flash);

fn set(client: &Client, phone: HPhone) -> offhook_spi::RequestId {
    client.submit(AppRequest::SetPhone { phone, setting: LAMP }).unwrap()
}

fn events(client: &Client) -> Vec<AppEvent> {
    let phone = |event: &AppEvent| matches!(event, AppEvent::Phone { .. } | AppEvent::PhoneClosed { .. });
    client.events().into_iter().filter(phone).collect()
}

#[test]
fn phones_are_numbered_over_all_providers() {
    let (broker, _puppet) = Puppet::house();
    broker.add_provider(Scripted::new(ScriptedConfig::default())).unwrap();
    broker.add_provider(Puppet::with(Default::default())).unwrap();
    let client = Client::new(&broker, "app");
    let Ok(AppReply::Phones(phones)) = client.ask(AppRequest::Phones) else { panic!("no phones") };
    assert_eq!(phones.iter().map(|caps| caps.phone).collect::<Vec<_>>(), [PhoneId(0), PhoneId(1)]);
    let asked = AppRequest::OpenPhone { phone: PhoneId(2), privilege: Privilege::Owner };
    assert_eq!(client.ask(asked), Err(LineError::BadDeviceId));
}

#[test]
fn one_owns_and_others_look_on() {
    let (broker, puppet) = Puppet::house();
    let [one, two, three] = ["one", "two", "three"].map(|name| Client::new(&broker, name));
    let owned = open(&one, Privilege::Owner).unwrap();
    let seen = open(&two, Privilege::Monitor).unwrap();
    assert!(matches!(open(&three, Privilege::Owner), Err(LineError::ResourceUnavail(_))));
    assert!(matches!(open(&three, Privilege::None), Err(LineError::InvalParam(_))));
    assert_eq!(puppet.log(), ["phone_open"], "once for all");
    let id = set(&two, seen);
    assert_eq!(two.reply(id), Some(Err(LineError::NotOwner)));
    let id = set(&two, owned);
    assert_eq!(two.reply(id), Some(Err(LineError::InvalPhoneHandle)));
    let id = set(&one, owned);
    assert_eq!(one.reply(id), None);
    puppet.complete(Ok(()));
    assert_eq!(one.reply(id), Some(Ok(AppReply::Done)));
    puppet.next(|_, _| Err(LineError::OperationUnavail));
    let id = set(&one, owned);
    assert_eq!(one.reply(id), Some(Err(LineError::OperationUnavail)));
    for (client, phone) in [(&one, owned), (&two, seen)] {
        let status = client.ask(AppRequest::PhoneStatus { phone });
        assert!(matches!(status, Ok(AppReply::PhoneStatus(status)) if status.ring_mode == 4));
    }
    let event = PhoneEvent::Button { button: 2, down: true };
    puppet.events().phone_event(puppet.phone(), event.clone());
    assert_eq!(events(&one), [AppEvent::Phone { phone: owned, event: event.clone() }]);
    assert_eq!(events(&two), [AppEvent::Phone { phone: seen, event }]);
    assert_eq!(events(&three), []);
    // Who closes it is not asked about it any more; who comes next owns it.
    let id = set(&one, owned);
    one.ask(AppRequest::ClosePhone { phone: owned }).unwrap();
    assert!(matches!(one.reply(id), Some(Err(LineError::OperationFailed(_)))));
    puppet.complete(Ok(()));
    assert_eq!(one.replies(id).len(), 1);
    assert_eq!(one.ask(AppRequest::ClosePhone { phone: owned }), Err(LineError::InvalPhoneHandle));
    assert!(open(&three, Privilege::Owner).is_ok());
    assert_eq!(broker.census().phones, 1);
}

#[test]
fn a_client_that_leaves_closes_its_phones() {
    let (broker, puppet) = Puppet::house();
    let [mut one, mut two] = ["one", "two"].map(|name| Client::new(&broker, name));
    let phone = open(&one, Privilege::Owner).unwrap();
    open(&two, Privilege::Monitor).unwrap();
    set(&one, phone);
    one.link = None;
    assert!(!puppet.log().contains(&"phone_close".to_owned()));
    assert_eq!(broker.census(), Census { clients: 1, phones: 1, ..Census::default() });
    assert_eq!(events(&two), []);
    assert!(open(&two, Privilege::Owner).is_ok());
    two.link = None;
    assert_eq!(puppet.log().last().map(String::as_str), Some("phone_close"));
    assert_eq!(broker.census(), Census::default());
}

#[test]
fn a_phone_that_its_provider_closes_is_void_and_can_be_opened_anew() {
    let (broker, puppet) = Puppet::house();
    let [one, two] = ["one", "two"].map(|name| Client::new(&broker, name));
    let owned = open(&one, Privilege::Owner).unwrap();
    let seen = open(&two, Privilege::Monitor).unwrap();
    let id = set(&one, owned);
    let (gone, why) = (puppet.phone(), LineError::ResourceUnavail("unplugged".to_owned()));
    puppet.events().phone_closed(gone, why.clone());
    assert!(matches!(one.reply(id), Some(Err(LineError::OperationFailed(_)))));
    assert_eq!(events(&one), [AppEvent::PhoneClosed { phone: owned, why: why.clone() }]);
    assert_eq!(events(&two), [AppEvent::PhoneClosed { phone: seen, why }]);
    assert_eq!(one.ask(AppRequest::PhoneStatus { phone: owned }), Err(LineError::InvalPhoneHandle));
    assert_eq!(broker.census(), Census { clients: 2, ..Census::default() });
    puppet.events().phone_event(gone, PhoneEvent::Changed(LAMP));
    assert_eq!(broker.diagnostics().late_events, 1);
    open(&two, Privilege::Owner).unwrap();
    assert!(!puppet.log().contains(&"phone_close".to_owned()), "the provider closed it itself");
}

/// What else may happen while the provider opens the phone.
#[test]
fn who_comes_while_a_phone_is_opened_waits_for_what_comes_of_it() {
    let ask = |link: &std::sync::Arc<dyn offhook_spi::Link>, id, privilege| {
        link.submit(RequestId(id), AppRequest::OpenPhone { phone: PhoneId(0), privilege }).unwrap();
    };
    let unplugged = || LineError::ResourceUnavail("unplugged".to_owned());
    for ending in 0..3 {
        let (broker, puppet) = Puppet::house();
        let [one, two] = ["one", "two"].map(|name| Client::new(&broker, name));
        let other = two.link.clone().unwrap();
        puppet.next(move |puppet, _| {
            ask(&other, 70, Privilege::Owner);
            ask(&other, 71, Privilege::Monitor);
            match ending {
                0 => Ok(()),
                1 => Err(unplugged()),
                _ => {
                    puppet.events().phone_closed(puppet.phone(), unplugged());
                    Ok(())
                }
            }
        });
        let first = open(&one, Privilege::Owner);
        let [owner, monitor] = [70, 71].map(|id| two.reply(RequestId(id)).expect("answered"));
        if ending == 0 {
            assert!(first.is_ok() && matches!(owner, Err(LineError::ResourceUnavail(_))), "{owner:?}");
            assert!(matches!(monitor, Ok(AppReply::Phone(_))));
            assert_eq!(broker.census().phones, 1);
        } else {
            assert_eq!(
                (first, owner.map(drop), monitor.map(drop)),
                (Err(unplugged()), Err(unplugged()), Err(unplugged()))
            );
            assert_eq!(broker.census(), Census { clients: 2, ..Census::default() });
            assert!(open(&one, Privilege::Owner).is_ok(), "{ending}: it can be opened anew");
        }
    }
}

#[test]
fn shutdown_closes_phones_and_tells_everyone() {
    let (broker, puppet) = Puppet::house();
    let client = Client::new(&broker, "app");
    let phone = open(&client, Privilege::Owner).unwrap();
    broker.shutdown();
    assert_eq!(events(&client), [AppEvent::PhoneClosed { phone, why: LineError::NoDriver }]);
    assert_eq!(puppet.log(), ["phone_open", "phone_close", "shutdown"]);
    assert_eq!(broker.census(), Census::default());
}

/// The same against a switch whose phone behaves.
#[test]
fn a_phone_that_behaves() {
    let switch = Scripted::new(ScriptedConfig::switch(1));
    let broker = Broker::new();
    broker.add_provider(switch.clone()).unwrap();
    let client = Client::new(&broker, "app");
    let phone = open(&client, Privilege::Owner).unwrap();
    let id = set(&client, phone);
    assert_eq!(client.reply(id), Some(Ok(AppReply::Done)));
    assert_eq!(events(&client), [AppEvent::Phone { phone, event: PhoneEvent::Changed(LAMP) }]);
    switch.press(0, true).unwrap();
    let button = PhoneEvent::Button { button: 0, down: true };
    assert_eq!(events(&client).last(), Some(&AppEvent::Phone { phone, event: button }));
    let Ok(AppReply::PhoneStatus(status)) = client.ask(AppRequest::PhoneStatus { phone }) else {
        panic!("no status")
    };
    assert_eq!(status.lamps.get(1), Some(&LampMode::Flash));
}
