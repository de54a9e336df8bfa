//! Why calls end, from the wire to the application: every cause of Q.850 and every ReleaseCompleteReason, in calls that
//! ring and calls that stand, both ways, and the timers.
//!
//! What is injected are octets by pycrate (tests/peers/releases.py); what has to come of it is text
//! (tests/golden/causes.txt). Neither shares anything with the code under test.

mod common;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use common::{Tested, python};
use offhook::{
    CallConfig, CallStatus, ConnectedMode, Embedded, EmbeddedConfig, Event, EventFilter, EventStream,
    H323Config, LineCallState, MediaTypes, Privilege,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/releases.py");

/// The octets of a foreign endpoint.
struct Octets {
    messages: Value,
    guid: Vec<u8>,
}

impl Octets {
    fn read() -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let Some(python) = python() else { return Ok(None) };
        let run = Command::new(python).arg("-B").arg(SCRIPT).output()?;
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let messages: Value = serde_json::from_slice(&run.stdout)?;
        let guid = octets(&messages["guid"]);
        // 127 causes, 25 reasons, and nothing at all.
        assert_eq!(messages["releases"].as_array().map(Vec::len), Some(153));
        Ok(Some(Self { messages, guid }))
    }

    /// The ways to release, by name.
    fn releases(&self) -> Vec<(String, Vec<u8>)> {
        let releases = self.messages["releases"].as_array().into_iter().flatten();
        releases.map(|r| (r[0].as_str().unwrap_or_default().to_owned(), octets(&r[1]))).collect()
    }

    /// A message of the call with this call reference, which is its callIdentifier as well.
    fn of(&self, message: &[u8], reference: [u8; 2]) -> Vec<u8> {
        let mut message = message.to_vec();
        // After the TPKT, protocol discriminator and length; the flag says whose reference it is.
        let flag = message[6] & 0x80;
        message[6] = reference[0] & 0x7f | flag;
        message[7] = reference[1];
        if let Some(at) = message.windows(16).position(|window| window == self.guid) {
            message[at..at + 2].copy_from_slice(&reference);
        }
        message
    }

    fn named(&self, name: &str, reference: [u8; 2]) -> Vec<u8> {
        self.of(&octets(&self.messages[name]), reference)
    }
}

fn octets(hexadecimal: &Value) -> Vec<u8> {
    let text = hexadecimal.as_str().unwrap_or_default().as_bytes();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16);
    text.chunks(2).map(|pair| octet(pair).unwrap_or_else(|why| panic!("{hexadecimal}: {why}"))).collect()
}

/// The text: what is said, how it reads.
fn table() -> HashMap<String, String> {
    let mut table = HashMap::new();
    let text = include_str!("golden/causes.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [kind, what, mode, event] = words[..] else { panic!("{line}") };
        for what in what.split(',') {
            let before = table.insert(format!("{kind} {what}"), format!("{mode} {event}"));
            assert_eq!(before, None, "{kind} {what} stands twice");
        }
    }
    table
}

/// How a call that ended reads.
fn reads(status: &CallStatus) -> String {
    let mode = match status.line_state {
        Some(LineCallState::Disconnected(mode)) => format!("{mode:?}"),
        other => format!("{other:?}"),
    };
    let cause = status.cause.map_or_else(|| "none".to_owned(), |cause| format!("{cause:?}"));
    format!("{mode} {cause}").to_uppercase()
}

async fn telephone(
    privilege: Privilege,
    call: CallConfig,
) -> Result<(Embedded, EventStream), Box<dyn std::error::Error>> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let h323 = H323Config { listen, call, connections_per_second: 10_000, ..H323Config::default() };
    let config = EmbeddedConfig { application: "causes".to_owned(), h323, ..EmbeddedConfig::default() };
    let telephone = Embedded::start(config).await?;
    let events = telephone.tapi().events(EventFilter::CALL_NOTIFICATION);
    telephone.address().open(privilege, MediaTypes::AUDIO).await?;
    Ok((telephone, events))
}

/// One TPKT; the call reference in it.
async fn read(stream: &mut TcpStream) -> std::io::Result<[u8; 2]> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 4];
    stream.read_exact(&mut rest).await?;
    Ok([rest[2], rest[3]])
}

/// Whether a far end that we call rings, or has answered, when it releases.
async fn we_call(connects: bool) -> Tested {
    let Some(octets) = Octets::read()? else { return Ok(()) };
    let table = table();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?.to_string();
    let (telephone, _) = telephone(Privilege::None, CallConfig::default()).await?;
    for (what, release) in octets.releases() {
        let call = telephone.address().create_call(&at, MediaTypes::AUDIO)?;
        let (accepted, dialled) = tokio::join!(listener.accept(), call.dial());
        dialled?;
        let mut far_end = accepted?.0;
        let reference = timeout(PATIENCE, read(&mut far_end)).await??;
        far_end.write_all(&octets.named("alerting", reference)).await?;
        let mut there = LineCallState::Ringback;
        if connects {
            far_end.write_all(&octets.named("connect", reference)).await?;
            there = LineCallState::Connected(ConnectedMode::Active);
        }
        let come = call.wait(|status| status.line_state == Some(there));
        timeout(PATIENCE, come).await.map_err(|_| format!("{what}: {:?}", call.status()))?;
        // Whoever answers is not the caller: the reference's flag says so.
        let mut release = octets.of(&release, reference);
        release[6] |= 0x80;
        far_end.write_all(&release).await?;
        let status = timeout(PATIENCE, call.disconnected()).await?;
        let expected = table.get(&what).unwrap_or(&table["anything else"]);
        assert_eq!(reads(&status), *expected, "{what}, {there:?}");
        call.release().await;
    }
    telephone.shutdown().await;
    Ok(())
}

/// Whether a far end that calls us has been answered when it releases.
async fn we_are_called(connects: bool) -> Tested {
    let Some(octets) = Octets::read()? else { return Ok(()) };
    let table = table();
    let (telephone, mut events) = telephone(Privilege::Owner, CallConfig::default()).await?;
    let at = telephone.listening().ok_or("not listening")?;
    for (number, (what, release)) in octets.releases().into_iter().enumerate() {
        let reference = u16::try_from(number + 1)?.to_be_bytes();
        let mut far_end = TcpStream::connect(at).await?;
        far_end.write_all(&octets.named("setup", reference)).await?;
        let call = match timeout(PATIENCE, events.next()).await? {
            Some(Event::CallNotification { call, .. }) => call,
            other => return Err(format!("{what}: {other:?}").into()),
        };
        if connects {
            timeout(PATIENCE, call.answer()).await??;
        }
        far_end.write_all(&octets.of(&release, reference)).await?;
        let status = timeout(PATIENCE, call.disconnected()).await?;
        let said = table.get(&what).unwrap_or(&table["anything else"]);
        let gives_up = !connects && ["NORMAL", "UNKNOWN"].iter().any(|mode| said.starts_with(mode));
        let expected = if gives_up { &table["given up"] } else { said };
        assert_eq!(reads(&status), *expected, "{what}, connected: {connects}");
        call.release().await;
    }
    telephone.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cause_and_reason_of_a_far_end_that_rings_reads_as_the_table_says() -> Tested {
    we_call(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cause_and_reason_of_a_far_end_that_has_answered_reads_as_the_table_says() -> Tested {
    we_call(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cause_and_reason_of_a_caller_who_waits_reads_as_the_table_says() -> Tested {
    we_are_called(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cause_and_reason_of_a_caller_who_was_answered_reads_as_the_table_says() -> Tested {
    we_are_called(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_end_that_says_no_more_reads_by_the_timer_that_expires() -> Tested {
    let Some(octets) = Octets::read()? else { return Ok(()) };
    let table = table();
    let mut config = CallConfig::default();
    let soon = Duration::from_millis(300);
    (config.timers.t301, config.timers.t303, config.timers.t310) = (soon, soon, soon);
    let (telephone, _) = telephone(Privilege::None, config).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?.to_string();
    for (timer, says) in [("T303", None), ("T310", Some("proceeding")), ("T301", Some("alerting"))] {
        let call = telephone.address().create_call(&at, MediaTypes::AUDIO)?;
        let (accepted, dialled) = tokio::join!(listener.accept(), call.dial());
        dialled?;
        let mut far_end = accepted?.0;
        let reference = timeout(PATIENCE, read(&mut far_end)).await??;
        if let Some(message) = says {
            far_end.write_all(&octets.named(message, reference)).await?;
        }
        let status = timeout(PATIENCE, call.disconnected()).await?;
        assert_eq!(reads(&status), table[&format!("timer {timer}")], "{timer}");
        call.release().await;
    }
    telephone.shutdown().await;
    Ok(())
}
