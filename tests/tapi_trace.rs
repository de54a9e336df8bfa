//! The real providers behind the real broker: what two applications in one call are told, in order.
//!
//! The same sequences stand as golden traces against the scripted provider (tsp-bridge/tapi/tests/golden); here the
//! H.323 provider and the media provider are held to them: in one process, over a broker's socket, and with the line on
//! another machine's broker. The traces are the same text.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use offhook::tapisrv::{ProviderEntry, Providers, Started, Tapisrv, TapisrvConfig, TlsFiles, Tspi};
use offhook::{
    Address, Attached, AttachedConfig, Call, CallState, Direction, DisconnectCode, Embedded, EmbeddedConfig,
    Event, EventFilter, EventStream, H323Config, H323Provider, MediaTypes, Privilege, Tapi, TapiError,
    TerminalClass,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const PATIENCE: Duration = Duration::from_secs(30);

/// How an application has its line.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Broker and provider in its process.
    Embedded,
    /// A broker behind a socket.
    Socket,
    /// A broker behind a socket that has another machine's line.
    Remote,
}

/// A telephone, whichever way its line is had.
enum Phone {
    Embedded(Box<Embedded>),
    Attached(Box<Far>),
}

struct Far {
    phone: Attached,
    provider: Arc<OnceLock<Arc<H323Provider>>>,
    brokers: Vec<Tapisrv>,
    _dir: tempfile::TempDir,
}

impl Phone {
    fn tapi(&self) -> &Tapi {
        match self {
            Self::Embedded(phone) => phone.tapi(),
            Self::Attached(far) => far.phone.tapi(),
        }
    }

    fn address(&self) -> &Address {
        match self {
            Self::Embedded(phone) => phone.address(),
            Self::Attached(far) => far.phone.address(),
        }
    }

    fn listening(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(phone) => phone.listening(),
            Self::Attached(far) => far.provider.get()?.listening(),
        }
    }

    async fn shutdown(self) {
        match self {
            Self::Embedded(phone) => phone.shutdown().await,
            Self::Attached(far) => {
                far.phone.shutdown().await;
                for broker in far.brokers {
                    broker.shutdown().await;
                }
            }
        }
    }
}

async fn phone(way: Way) -> Result<Phone, Box<dyn Error>> {
    let h323 = H323Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..H323Config::default() };
    if let Way::Embedded = way {
        let embedded = Embedded::start(EmbeddedConfig { h323, ..EmbeddedConfig::default() }).await?;
        return Ok(Phone::Embedded(Box::new(embedded)));
    }
    let dir = tempfile::tempdir()?;
    let provider = Arc::new(OnceLock::new());
    let mut providers = Providers::usual();
    let made = provider.clone();
    providers.register("line", move |_| {
        let (h323, made) = (h323.clone(), made.clone());
        Ok(Box::pin(async move {
            let line = Arc::new(H323Provider::new(h323, tokio::runtime::Handle::current()));
            let tsp: Arc<dyn Tspi> = line.clone();
            // One a test.
            let _ = made.set(line);
            Ok(Started::from(tsp))
        }))
    });
    let entry = |kind: &str, name: &str| ProviderEntry {
        kind: kind.to_owned(),
        name: name.to_owned(),
        settings: Default::default(),
    };
    let mut config = TapisrvConfig {
        socket: Some(dir.path().join("a.sock")),
        providers: vec![entry("line", "line")],
        ..TapisrvConfig::default()
    };
    let mut brokers = Vec::new();
    if let Way::Remote = way {
        let tls = certificates(dir.path())?;
        config.remote_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.tls = Some(tls("far"));
        let far = Tapisrv::start(config, &providers, |_| {}).await?;
        let mut remote = entry("remote", "far");
        let at = far.remote().ok_or("it listens for machines")?;
        remote.settings.insert("address".to_owned(), at.to_string().into());
        config = TapisrvConfig {
            socket: Some(dir.path().join("b.sock")),
            tls: Some(tls("near")),
            providers: vec![remote],
            ..TapisrvConfig::default()
        };
        brokers.push(far);
    }
    let near = Tapisrv::start(config, &providers, |_| {}).await?;
    let socket = near.socket().to_owned();
    brokers.insert(0, near);
    let attached = AttachedConfig { application: "app".to_owned(), socket, ..AttachedConfig::default() };
    let phone = Attached::connect(attached).await?;
    Ok(Phone::Attached(Box::new(Far { phone, provider, brokers, _dir: dir })))
}

/// A CA's certificates for `near` and `far`.
fn certificates(dir: &std::path::Path) -> Result<impl Fn(&str) -> TlsFiles, Box<dyn Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    std::fs::write(dir.join("ca.pem"), ca.pem())?;
    for name in ["near", "far"] {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &ca)?;
        std::fs::write(dir.join(format!("{name}.pem")), certificate.pem())?;
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem())?;
    }
    let dir = dir.to_owned();
    Ok(move |name: &str| TlsFiles {
        certificate: dir.join(format!("{name}.pem")),
        key: dir.join(format!("{name}.key")),
        ca: dir.join("ca.pem"),
    })
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
    both_ends_are_told(Way::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_socket_they_are_told_the_same() -> Result<(), Box<dyn Error>> {
    both_ends_are_told(Way::Socket).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_their_lines_on_another_machine_they_are_told_the_same() -> Result<(), Box<dyn Error>> {
    both_ends_are_told(Way::Remote).await
}

async fn both_ends_are_told(way: Way) -> Result<(), Box<dyn Error>> {
    let (alice, bob) = (phone(way).await?, phone(way).await?);
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
    refused_is_silent(Way::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_one_over_a_socket() -> Result<(), Box<dyn Error>> {
    refused_is_silent(Way::Socket).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_one_over_another_machine() -> Result<(), Box<dyn Error>> {
    refused_is_silent(Way::Remote).await
}

async fn refused_is_silent(way: Way) -> Result<(), Box<dyn Error>> {
    let (alice, bob) = (phone(way).await?, phone(way).await?);
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
