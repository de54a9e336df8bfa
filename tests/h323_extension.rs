//! The H.323 provider's extension of TAPI as an application uses it: through broker and objects, without the provider.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use offhook::h323_ext::{Answer, Ask, EXTENSION, Notice, RegistrationState, VERSION};
use offhook::{
    Address, Embedded, EmbeddedConfig, Event, EventFilter, ExtensionVersion, H323Config, MediaTypes, Opaque,
    Privilege,
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(address: &Address, ask: &Ask) -> Result<Answer, Box<dyn Error>> {
    let answer = address.dev_specific(None, Opaque::new(ask.encode())?).await?;
    Ok(Answer::decode(answer.as_bytes())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_asks_for_the_registration_and_reads_along() -> Result<(), Box<dyn Error>> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let h323 = H323Config { listen, ..H323Config::default() };
    let config = EmbeddedConfig { application: "extension".to_owned(), h323, ..EmbeddedConfig::default() };
    let telephone = Embedded::start(config).await?;
    let address = telephone.address();
    address.open(Privilege::Owner, MediaTypes::AUDIO).await?;
    let version = ExtensionVersion(VERSION);
    let (extension, picked) = address.extension(version, version).await?;
    assert_eq!((extension.0, picked), (EXTENSION, version));
    address.select_extension(picked).await?;
    let Answer::Registration(found) = ask(address, &Ask::Registration).await? else {
        return Err("registration".into());
    };
    assert_eq!(found.state, RegistrationState::Stopped);

    let mut events = telephone.tapi().events(EventFilter::DEV_SPECIFIC);
    assert_eq!(ask(address, &Ask::TraceWire(true)).await?, Answer::Done);
    let at = telephone.listening().ok_or("not listening")?;
    let call = address.create_call(&at.to_string(), MediaTypes::AUDIO)?;
    call.dial().await?;
    let first = tokio::time::timeout(PATIENCE, events.next()).await?;
    let Some(Event::DevSpecific { data, .. }) = first else { return Err(format!("{first:?}").into()) };
    let Notice::Wire(wire) = Notice::decode(data.as_bytes())? else { return Err("octets".into()) };
    // A TPKT with a Setup in it.
    assert_eq!((wire.destination, wire.octets[0], wire.octets[8]), (at, 3, 5));
    call.release().await;
    telephone.shutdown().await;
    Ok(())
}
