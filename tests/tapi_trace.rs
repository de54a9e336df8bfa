//! The real providers behind the real broker: what two applications in one call are told, in order.
//!
//! The same sequences stand as golden traces against the scripted provider (tsp-bridge/tapi/tests/golden); here the
//! H.323 provider and the media provider are held to them.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use offhook::{
    Call, CallState, Direction, DisconnectCode, Embedded, EmbeddedConfig, Event, EventFilter, EventStream,
    H323Config, MediaTypes, Privilege, TapiError, TerminalClass,
};

const PATIENCE: Duration = Duration::from_secs(10);

async fn phone() -> Result<Embedded, Box<dyn Error>> {
    let h323 = H323Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..H323Config::default() };
    Ok(Embedded::start(EmbeddedConfig { h323, ..EmbeddedConfig::default() }).await?)
}

/// Selects a tone and a sink that hears nothing.
fn give_terminals(call: &Call) -> Result<(), TapiError> {
    for stream in call.streams()? {
        let class = match stream.direction() {
            Direction::Capture => TerminalClass::Tone { frequency: 440.0, level: -20.0 },
            Direction::Render => TerminalClass::Null,
        };
        stream.select_terminal(&call.address().create_terminal(class, stream.direction())?)?;
    }
    Ok(())
}

fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::CallNotification { privilege, .. } => format!("notification {privilege:?}"),
        Event::CallState { state, cause: Some(cause), .. } => format!("{state:?} {cause:?}"),
        Event::CallState { state, line_state, .. } => format!("{state:?} ({line_state:?})"),
        Event::CallMedia { event, stream, .. } => {
            format!("{event:?} {:?}", stream.as_ref().map(offhook::Stream::direction)?)
        }
        _ => return None,
    })
}

/// Events until `last` has come, and it.
async fn until(events: &mut EventStream, last: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut told = Vec::new();
    let waiting = async {
        while told.last().is_none_or(|t| t != last) {
            let event = events.next().await.ok_or("the session ended")?;
            told.extend(describe(&event));
        }
        Ok::<_, Box<dyn Error>>(())
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(waited) => waited.map(|()| told),
        Err(_) => Err(format!("waiting for {last:?}, told {told:#?}").into()),
    }
}

fn states(told: &[String]) -> Vec<&str> {
    told.iter().map(String::as_str).filter(|t| !t.starts_with("Stream")).collect()
}

fn place(told: &[String], what: &str) -> Result<usize, String> {
    told.iter().position(|t| t == what).ok_or(format!("no {what:?} in {told:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_of_a_call_are_told_what_tapi_says_in_the_order_it_says() -> Result<(), Box<dyn Error>> {
    let (alice, bob) = (phone().await?, phone().await?);
    let mut at_bob = bob.tapi().events(EventFilter::ALL);
    bob.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
    alice.address().open(Privilege::None, MediaTypes::AUDIO).await?;
    let mut at_alice = alice.tapi().events(EventFilter::ALL);
    let to = bob.listening().ok_or("bob does not listen")?.to_string();

    let placed = alice.address().create_call(&to, MediaTypes::AUDIO)?;
    assert_eq!(placed.state(), CallState::Idle, "nothing is dialled yet, and the streams are there");
    give_terminals(&placed)?;
    placed.dial().await?;

    let Some(Event::CallNotification { call: offered, privilege }) = at_bob.next().await else {
        return Err("the first thing bob is told is the call".into());
    };
    assert_eq!((privilege, offered.state()), (Privilege::Owner, CallState::Offering));
    give_terminals(&offered)?;
    offered.accept().await?;
    offered.answer().await?;
    assert!(matches!(offered.answer().await, Err(TapiError::Unexpected)), "answered once");
    placed.connected().await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    placed.disconnect(DisconnectCode::Normal).await?;

    let told = until(&mut at_bob, "StreamInactive Render").await?;
    let expected = [
        "Offering (Offering)",
        "Offering (Accepted)",
        "Connected (Connected(Active))",
        "Disconnected Normal",
    ];
    assert_eq!(states(&told), expected);
    for way in ["Capture", "Render"] {
        let active = place(&told, &format!("StreamActive {way}"))?;
        assert!(place(&told, expected[2])? < active, "{told:#?}");
        assert!(place(&told, expected[3])? < place(&told, &format!("StreamInactive {way}"))?, "{told:#?}");
    }
    assert!(
        offered.info().await?.caller.address.contains("offhook")
            || !offered.info().await?.caller.address.is_empty()
    );

    let told = until(&mut at_alice, "Disconnected Normal").await?;
    let expected = [
        "InProgress (Dialing)",
        "InProgress (Proceeding)",
        "InProgress (Ringback)",
        "Connected (Connected(Active))",
        "Disconnected Normal",
    ];
    assert_eq!(states(&told), expected);
    let heard = place(&told, "StreamActive Render")?;
    assert!(heard < told.len() - 1, "{told:#?}");
    assert!(matches!(placed.dial().await, Err(TapiError::InvalidCallState)), "a call is dialled once");

    offered.release().await;
    placed.release().await;
    tokio::time::timeout(PATIENCE, alice.shutdown()).await?;
    tokio::time::timeout(PATIENCE, bob.shutdown()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_never_streams() -> Result<(), Box<dyn Error>> {
    let (alice, bob) = (phone().await?, phone().await?);
    let mut at_bob = bob.tapi().events(EventFilter::ALL);
    bob.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
    alice.address().open(Privilege::None, MediaTypes::AUDIO).await?;
    let mut at_alice = alice.tapi().events(EventFilter::ALL);
    let to = bob.listening().ok_or("bob does not listen")?.to_string();
    let placed = alice.address().create_call(&to, MediaTypes::AUDIO)?;
    give_terminals(&placed)?;
    placed.dial().await?;
    let Some(Event::CallNotification { call: offered, .. }) = at_bob.next().await else {
        return Err("no call".into());
    };
    give_terminals(&offered)?;
    offered.disconnect(DisconnectCode::Busy).await?;
    let told = until(&mut at_alice, "Disconnected Busy").await?;
    assert!(told.iter().all(|t| !t.starts_with("Stream")), "{told:#?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told: Vec<_> =
        std::iter::from_fn(|| at_bob.try_next()).filter_map(|event| describe(&event)).collect();
    assert!(told.iter().all(|t| !t.starts_with("StreamActive")), "{told:#?}");
    Ok(())
}
