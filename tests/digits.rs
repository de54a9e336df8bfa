//! Digits by every way, each way, once each; on the wire as tshark reads them.

mod common;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use common::{Tested, answering, errors, offhook, run, tool, tshark};
use offhook::{
    Call, CallConfig, DigitsVia, DisconnectCode, Embedded, EmbeddedConfig, Event, EventFilter, EventStream,
    H323Config, MediaTypes, Privilege, TerminalClass,
};
use serde_json::Value;

const KEYS: &str = "1234567890*#ABCD";
const PATIENCE: Duration = Duration::from_secs(20);

async fn telephone(
    name: &str,
    digits_via: DigitsVia,
    fast_start: bool,
) -> Result<(Embedded, EventStream), Box<dyn Error>> {
    let call = CallConfig { fast_start, ..CallConfig::default() };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let h323 = H323Config { listen, call, digits_via, ..H323Config::default() };
    let config = EmbeddedConfig { application: name.to_owned(), h323, ..EmbeddedConfig::default() };
    let telephone = Embedded::start(config).await?;
    let events = telephone.tapi().events(EventFilter::CALL_NOTIFICATION);
    telephone.address().open(Privilege::Owner, MediaTypes::AUDIO).await?;
    Ok((telephone, events))
}

/// Silence to send and nowhere to hear.
fn furnish(telephone: &Embedded, call: &Call) -> Tested {
    for stream in call.streams()? {
        let address = telephone.address();
        stream.select_terminal(&address.create_terminal(TerminalClass::Null, stream.direction())?)?;
    }
    Ok(())
}

/// The digits that come until `last`, and in half a second after it.
async fn heard(events: &mut EventStream, last: char) -> Result<String, Box<dyn Error>> {
    let mut digits = String::new();
    let mut patience = PATIENCE;
    while let Ok(event) = tokio::time::timeout(patience, events.next()).await {
        if let Some(Event::Digit { digit, .. }) = event {
            digits.push(digit);
            if digit == last {
                patience = Duration::from_millis(500);
            }
        }
    }
    Ok(digits)
}

/// A call in which both sides dial every key.
async fn both_dial(via: DigitsVia, fast_start: bool) -> Tested {
    let (alice, _) = telephone("alice", via, fast_start).await?;
    let (bob, mut calls) = telephone("bob", via, fast_start).await?;
    let at = bob.listening().ok_or("not listening")?;
    let call = alice.address().create_call(&format!("bob@{at}"), MediaTypes::AUDIO)?;
    furnish(&alice, &call)?;
    call.dial().await?;
    let Some(Event::CallNotification { call: other, .. }) =
        tokio::time::timeout(PATIENCE, calls.next()).await?
    else {
        return Err("no call".into());
    };
    furnish(&bob, &other)?;
    other.answer().await?;
    tokio::time::timeout(PATIENCE, call.connected()).await??;
    let mut at_alice = alice.tapi().events(EventFilter::DIGIT.only(&call));
    let mut at_bob = bob.tapi().events(EventFilter::DIGIT.only(&other));
    let (sent, answered, to_bob, to_alice) = tokio::join!(
        call.generate_digits(KEYS),
        other.generate_digits(KEYS),
        heard(&mut at_bob, 'D'),
        heard(&mut at_alice, 'D')
    );
    sent?;
    answered?;
    assert_eq!(to_bob?, KEYS, "{via:?} to the called side, fast start {fast_start}");
    assert_eq!(to_alice?, KEYS, "{via:?} to the caller, fast start {fast_start}");
    call.disconnect(DisconnectCode::Normal).await?;
    tokio::time::timeout(PATIENCE, other.disconnected()).await?;
    for telephone in [alice, bob] {
        telephone.shutdown().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_goes_each_way_by_every_way_exactly_once() -> Tested {
    use DigitsVia::{Alphanumeric, Auto, Keypad, Signal, TelephoneEvent};
    for via in [TelephoneEvent, Signal, Alphanumeric, Keypad] {
        both_dial(via, true).await?;
    }
    both_dial(Auto, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sound_to_send_digits_go_by_signalling() -> Tested {
    let (alice, _) = telephone("alice", DigitsVia::Auto, true).await?;
    let (bob, mut calls) = telephone("bob", DigitsVia::Auto, true).await?;
    let call = alice
        .address()
        .create_call(&format!("bob@{}", bob.listening().ok_or("not listening")?), MediaTypes::AUDIO)?;
    // Nobody selects a terminal.
    call.dial().await?;
    let Some(Event::CallNotification { call: other, .. }) =
        tokio::time::timeout(PATIENCE, calls.next()).await?
    else {
        return Err("no call".into());
    };
    other.answer().await?;
    tokio::time::timeout(PATIENCE, call.connected()).await??;
    let mut at_bob = bob.tapi().events(EventFilter::DIGIT.only(&other));
    call.generate_digits("42").await?;
    assert_eq!(heard(&mut at_bob, '2').await?, "42");
    for telephone in [alice, bob] {
        telephone.shutdown().await;
    }
    Ok(())
}

#[test]
fn the_command_dials_by_the_way_that_it_is_told() -> Tested {
    for (way, expected) in [
        ("auto", KEYS),
        ("rfc4733", KEYS),
        ("signal", KEYS),
        ("alphanumeric", KEYS),
        ("keypad", KEYS),
        // Heard, but nobody listens for tones.
        ("inband", ""),
    ] {
        let (mut answer, at) = answering(&["--null", "--calls", "1", "--telephone-event", "110"])?;
        let call = run(offhook()
            .args(["call", &at, "--null", "--duration", "0.5", "--json", "--digits", KEYS])
            .args(["--digits-via", way]))?;
        assert_eq!(call.status.code(), Some(0), "{way}: {}", errors(&call));
        let report: Value = serde_json::from_slice(&call.stdout)?;
        assert_eq!(report["digits_sent"], KEYS, "{way}: {report:#}");
        assert_eq!(answer.json()?["digits"], expected, "{way}");
    }
    // A far end that takes none.
    let (mut answer, at) = answering(&["--null", "--calls", "1", "--telephone-event", "off"])?;
    let call = run(offhook()
        .args(["call", &at, "--null", "--duration", "0.5", "--json", "--digits", "1"])
        .args(["--digits-via", "rfc4733"]))?;
    let report: Value = serde_json::from_slice(&call.stdout)?;
    assert_eq!(report["digits_sent"], Value::Null);
    assert!(report["troubles"][0].as_str().is_some_and(|why| why.contains("none of the ways")), "{report:#}");
    assert_eq!(answer.json()?["digits"], "");
    Ok(())
}

#[test]
fn an_answering_telephone_sends_digits_too() -> Tested {
    let answer = |way| {
        answering(&["--null", "--calls", "1", "--digits", KEYS, "--digits-via", way, "--duration", "0.1"])
    };
    for way in ["rfc4733", "keypad"] {
        let (mut answer, at) = answer(way)?;
        let call = run(offhook().args(["call", &at, "--null", "--json"]))?;
        assert_eq!(call.status.code(), Some(0), "{way}: {}", errors(&call));
        let report: Value = serde_json::from_slice(&call.stdout)?;
        assert_eq!(report["digits"], KEYS, "{way}: hung up before they had left");
        assert_eq!(answer.json()?["digits_sent"], KEYS, "{way}");
    }
    // A caller who does not wait for them.
    let (mut answer, at) = answer("rfc4733")?;
    run(offhook().args(["call", &at, "--null", "--duration", "0.3", "--json"]))?;
    let report = answer.json()?;
    assert_eq!(report["digits_sent"], Value::Null);
    assert!(report["troubles"][0].as_str().is_some_and(|why| why.contains("not sent")), "{report:#}");
    Ok(())
}

#[test]
fn tshark_reads_each_event_with_its_end_sent_three_times() -> Tested {
    let Some(_) = tool("tshark", "--version") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let pcap = dir.path().join("digits.pcap");
    let (mut answer, at) = answering(&["--null", "--calls", "1"])?;
    let call = run(offhook()
        .args(["call", &at, "--tone", "440", "--null", "--duration", "0.5", "--digits", KEYS, "--quiet"])
        .arg("--capture")
        .arg(&pcap))?;
    assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
    assert_eq!(answer.json()?["digits"], KEYS);
    let fields =
        ["rtpevent.event_id", "rtpevent.end_of_event", "rtp.marker", "rtp.timestamp", "rtpevent.duration"];
    let events: Vec<Vec<u64>> = tshark(&pcap, "rtpevent", &fields)?
        .iter()
        .map(|line| line.split('\t').map(number).collect::<Result<_, _>>())
        .collect::<Result<_, _>>()?;
    // One timestamp an event, in the order dialled.
    let mut starts: Vec<(u64, u64)> = events.iter().map(|fields| (fields[3], fields[0])).collect();
    starts.dedup();
    let dialled: Vec<u64> =
        KEYS.chars().filter_map(|key| "0123456789*#ABCD".find(key)).map(|n| n as u64).collect();
    assert_eq!(starts.iter().map(|(_, event)| *event).collect::<Vec<_>>(), dialled, "{events:?}");
    for (timestamp, event) in starts {
        let packets: Vec<_> = events.iter().filter(|fields| fields[3] == timestamp).collect();
        let markers: Vec<_> = packets.iter().map(|fields| fields[2]).collect();
        assert!(markers[0] == 1 && markers[1..].iter().all(|marker| *marker == 0), "{event}: {markers:?}");
        let ends: Vec<_> = packets.iter().filter(|fields| fields[1] == 1).collect();
        assert_eq!(ends.len(), 3, "event {event}: {packets:?}");
        assert!(ends.iter().all(|end| end[4] == 800), "100 ms: {ends:?}");
        assert!(packets.windows(2).all(|pair| pair[0][4] <= pair[1][4]), "{packets:?}");
    }
    let offered = tshark(&pcap, "h245.audioTelephoneEvent", &["h245.dynamicRTPPayloadType"])?;
    assert!(offered.iter().any(|types| types.contains("101")), "{offered:?}");
    Ok(())
}

/// A number as this or that tshark writes it.
fn number(field: &str) -> Result<u64, Box<dyn Error>> {
    match field {
        "True" => Ok(1),
        "False" => Ok(0),
        number => Ok(number.parse()?),
    }
}
