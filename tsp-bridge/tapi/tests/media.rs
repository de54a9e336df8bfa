//! What the objects add to media by themselves: gathered digits, substreams, audio settings, objects of the MSP's own.

mod support;

use std::sync::Arc;
use std::time::Duration;

use offhook_broker::scripted::Step;
use offhook_spi::{DisconnectMode, MspError, MspEvent, PrivateObject, Privilege};
use offhook_tapi::{
    AudioSetting, Call, Direction, Event, Gather, GatherEnd, Gathered, TapiError, TerminalClass,
};
use support::{App, CONNECTED, House};

async fn connected(house: &House, app: &mut App) -> Call {
    house.ring(&mut [app]).await;
    house.switch.then(house.last_call(), [Step::State(CONNECTED)]);
    house.advance(&mut [app]).await;
    app.calls.pop().expect("announced")
}

/// What is gathered while these digits come.
async fn gather(what: Gather, digits: &str) -> Result<Gathered, TapiError> {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let call = connected(&house, &mut app).await;
    let gathering = {
        let call = call.clone();
        tokio::spawn(async move { call.gather_digits(&what).await })
    };
    tokio::task::yield_now().await;
    house.switch.then(house.last_call(), digits.chars().map(Step::Digit));
    house.advance(&mut [&mut app]).await;
    gathering.await.unwrap()
}

fn four_digits() -> Gather {
    let (first_digit_timeout, inter_digit_timeout) =
        (Some(Duration::from_secs(60)), Some(Duration::from_secs(60)));
    Gather { digits: 4, terminators: "#".to_owned(), first_digit_timeout, inter_digit_timeout }
}

fn gathered(digits: &str, end: GatherEnd) -> Result<Gathered, TapiError> {
    Ok(Gathered { digits: digits.to_owned(), end })
}

#[tokio::test]
async fn digits_are_gathered_until_there_are_enough_or_one_ends_them() {
    assert_eq!(gather(four_digits(), "12345").await, gathered("1234", GatherEnd::Full));
    assert_eq!(gather(four_digits(), "12#45").await, gathered("12#", GatherEnd::Terminator));
    let one = Gather { digits: 1, ..four_digits() };
    assert_eq!(gather(one, "#").await, gathered("#", GatherEnd::Terminator), "a terminator fills it as well");
    for digits in [0, 5_000] {
        assert!(gather(Gather { digits, ..four_digits() }, "").await.is_err());
    }
}

#[tokio::test]
async fn digits_that_do_not_come_end_it() {
    let hasty = Gather { first_digit_timeout: Some(Duration::from_millis(20)), ..four_digits() };
    assert_eq!(gather(hasty, "").await, gathered("", GatherEnd::FirstTimeout));
    let hasty = Gather { inter_digit_timeout: Some(Duration::from_secs(2)), ..four_digits() };
    assert_eq!(gather(hasty, "12").await, gathered("12", GatherEnd::InterTimeout));
}

#[tokio::test]
async fn the_end_of_the_call_ends_it_and_a_call_that_is_over_has_none() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let call = connected(&house, &mut app).await;
    let patient = Gather { first_digit_timeout: None, inter_digit_timeout: None, ..four_digits() };
    let (waiting, what) = (call.clone(), patient.clone());
    let gathering = tokio::spawn(async move { waiting.gather_digits(&what).await });
    tokio::task::yield_now().await;
    house.switch.then(house.last_call(), [Step::Digit('7')]);
    house.hang_up(&mut [&mut app], house.last_call(), DisconnectMode::Normal).await;
    assert_eq!(gathering.await.unwrap(), gathered("7", GatherEnd::Disconnected));
    assert_eq!(call.gather_digits(&patient).await, Err(TapiError::InvalidCallState));
}

#[tokio::test]
async fn a_stopped_substream_keeps_its_terminals_and_the_stream_the_others() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let call = connected(&house, &mut app).await;
    let stream = call.streams().unwrap().remove(1);
    let make = || app.address.create_terminal(TerminalClass::Null, Direction::Render).unwrap();
    let (alone, first, second) = (make(), make(), make());
    stream.select_terminal(&alone).unwrap();
    let part = stream.create_substream().unwrap();
    assert_eq!(part.start(), Err(MspError::NotStopped.into()));
    part.select_terminal(&first).unwrap();
    assert!(part.select_terminal(&first).is_err(), "twice");
    assert_eq!(stream.terminals(), [alone.clone(), first.clone()]);
    part.stop().unwrap();
    part.stop().unwrap();
    assert_eq!(stream.terminals(), std::slice::from_ref(&alone));
    part.select_terminal(&second).unwrap();
    assert_eq!((part.terminals().len(), stream.terminals().len()), (2, 1));
    part.start().unwrap();
    assert_eq!(stream.terminals(), [alone.clone(), first.clone(), second.clone()]);
    part.unselect_terminal(&first).unwrap();
    assert!(part.unselect_terminal(&first).is_err());
    assert_eq!(stream.terminals(), [alone, second]);
    assert_eq!(stream.substreams().len(), 1);
    let empty = stream.create_substream().unwrap();
    empty.stop().unwrap();
    assert_eq!(empty.start(), Err(MspError::NoTerminalSelected.into()));
    call.release().await;
    assert!(part.terminals().is_empty(), "let go with the call");
    assert!(stream.create_substream().is_err());
}

#[tokio::test]
async fn settings_of_sound_have_ranges_and_what_is_outside_is_refused() {
    let house = House::new();
    let app = house.app("app", Privilege::Owner).await;
    let terminal = app.address.create_terminal(TerminalClass::Null, Direction::Render).unwrap();
    for setting in AudioSetting::ALL {
        let range = setting.range();
        assert!(range.min < range.max, "{setting:?}");
        for value in [range.min - 1.0, range.max + 1.0, f64::NAN] {
            let refused = terminal.set_audio_setting(setting, value);
            assert!(matches!(refused, Err(TapiError::Msp(MspError::OutOfRange(_)))), "{setting:?} {value}");
        }
    }
    assert_eq!(terminal.audio_setting(AudioSetting::Volume), Ok(Some(0.0)));
    assert_eq!(terminal.audio_setting(AudioSetting::Mute), Ok(Some(0.0)));
    assert_eq!(terminal.audio_setting(AudioSetting::SignalLevel), Ok(None));
    // This MSP has terminals without a volume, and says so.
    assert!(matches!(
        terminal.set_audio_setting(AudioSetting::Volume, -6.0),
        Err(TapiError::Msp(MspError::InvalidTerminal(_)))
    ));
}

/// An interface that no crate between the MSP and this test knows.
#[derive(Debug, PartialEq)]
struct Kaleidoscope(u32);

#[tokio::test]
async fn an_interface_of_the_msps_own_is_found_by_its_type_and_its_events_pass() {
    let house = House::new();
    let mut app = house.app("app", Privilege::Owner).await;
    let call = connected(&house, &mut app).await;
    assert_eq!(call.interface::<Kaleidoscope>(), None, "this MSP has none");
    *app.msp_address().private.lock().unwrap() = Some(PrivateObject::new(Arc::new(Kaleidoscope(7))));
    assert_eq!(call.interface::<Kaleidoscope>().as_deref(), Some(&Kaleidoscope(7)));
    assert_eq!(app.address.interface::<Kaleidoscope>().as_deref(), Some(&Kaleidoscope(7)));
    assert_eq!(call.interface::<String>(), None, "of another type");
    let event = PrivateObject::new(Arc::new(Kaleidoscope(8)));
    let id = *app.msp_address().state.lock().unwrap().calls.keys().next().unwrap();
    for of in [Some(id), None] {
        app.msp_address().report(MspEvent::Private { call: of, event: event.clone() });
        let (told, about) = loop {
            if let Event::Private { event, call, .. } = app.events.next().await.unwrap() {
                break (event, call);
            }
        };
        assert_eq!(told.downcast::<Kaleidoscope>().as_deref(), Some(&Kaleidoscope(8)));
        assert_eq!(about.is_some(), of.is_some());
    }
}
