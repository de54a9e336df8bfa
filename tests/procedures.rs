//! Call procedures through the whole telephone: what an application asks of its calls reaches the far end's application.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use offhook::{
    Address, Call, CallConfig, CallInfo, DisconnectCode, Embedded, EmbeddedConfig, Event, EventFilter,
    EventStream, H323Config, LineError, MediaTypes, Privilege, Q931Verb, TapiError,
};

type Tested = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

struct Phone {
    telephone: Embedded,
    events: EventStream,
}

impl Phone {
    async fn new(name: &str, call: CallConfig, privilege: Privilege) -> Result<Self, Box<dyn Error>> {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let h323 = H323Config { listen, call, ..H323Config::default() };
        let config = EmbeddedConfig { application: name.to_owned(), h323, ..EmbeddedConfig::default() };
        let telephone = Embedded::start(config).await?;
        let events = telephone.tapi().events(EventFilter::CALL_NOTIFICATION);
        telephone.address().open(privilege, MediaTypes::AUDIO).await?;
        Ok(Self { telephone, events })
    }

    fn address(&self) -> &Address {
        self.telephone.address()
    }

    fn at(&self) -> Result<SocketAddr, &'static str> {
        self.telephone.listening().ok_or("not listening")
    }

    async fn offered(&mut self) -> Result<Call, Box<dyn Error>> {
        let event = tokio::time::timeout(PATIENCE, self.events.next()).await?;
        match event {
            Some(Event::CallNotification { call, .. }) => Ok(call),
            other => Err(format!("{other:?}").into()),
        }
    }
}

/// What is known of a call, once `enough` is.
async fn known(call: &Call, enough: impl Fn(&CallInfo) -> bool) -> Result<CallInfo, Box<dyn Error>> {
    let wait = async {
        loop {
            let info = call.info().await?;
            if enough(&info) {
                return Ok::<_, TapiError>(info);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, wait).await??)
}

fn id<'a>(info: &'a CallInfo, key: &str) -> Option<&'a str> {
    info.provider_ids.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirected_call_reaches_the_third_telephone_and_stays_one_call() -> Tested {
    let alice = Phone::new("alice", CallConfig::default(), Privilege::None).await?;
    let mut bob = Phone::new("bob", CallConfig::default(), Privilege::Owner).await?;
    let mut carol = Phone::new("carol", CallConfig::default(), Privilege::Owner).await?;
    let there = carol.at()?;

    let call = alice.address().create_call(&format!("bob@{}", bob.at()?), MediaTypes::AUDIO)?;
    call.edit(|params| params.user_user = Some(b"\x04hello".to_vec()))?;
    call.dial().await?;
    let first = bob.offered().await?;
    assert_eq!(first.info().await?.user_user.as_deref(), Some(&b"\x04hello"[..]));
    assert!(matches!(
        first.redirect("nowhere to go").await,
        Err(TapiError::Line(LineError::InvalAddress(_)))
    ));
    first.redirect(&there.to_string()).await?;

    let second = carol.offered().await?;
    second.answer().await?;
    tokio::time::timeout(PATIENCE, call.connected()).await??;
    let info = known(&call, |info| info.redirection.is_some()).await?;
    assert_eq!(info.redirection.map(|party| party.address), Some(there.to_string()));
    tokio::time::timeout(PATIENCE, first.disconnected()).await?;

    second.send_user_user_info(b"\x00news").await?;
    known(&call, |info| info.user_user.as_deref() == Some(&b"\x00news"[..])).await?;
    call.disconnect(DisconnectCode::Normal).await?;
    tokio::time::timeout(PATIENCE, second.disconnected()).await?;
    for phone in [alice, bob, carol] {
        phone.telephone.shutdown().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_are_asked_for_and_dialled_through_the_api() -> Tested {
    let alice = Phone::new("alice", CallConfig::default(), Privilege::None).await?;
    let overlap = CallConfig { overlap_receiving: true, ..CallConfig::default() };
    let mut bob = Phone::new("bob", overlap, Privilege::Owner).await?;
    let call = alice.address().create_call(&format!("1@{}", bob.at()?), MediaTypes::AUDIO)?;
    call.edit(|params| params.partial = true)?;
    call.dial().await?;
    let offered = bob.offered().await?;
    offered.q931(Q931Verb::RequestDigits).await?;
    known(&call, |info| id(info, "overlap").is_some()).await?;
    call.dial_digits("23", false).await?;
    call.dial_digits("4", true).await?;
    let info = known(&offered, |info| id(info, "calledNumber") == Some("complete")).await?;
    assert_eq!(info.called.address, "1234");
    let late = call.dial_digits("5", true).await;
    assert!(matches!(late, Err(TapiError::InvalidCallState)), "{late:?}");
    offered.q931(Q931Verb::InquireStatus).await?;
    known(&offered, |info| id(info, "peerCallState").is_some()).await?;
    offered.disconnect(DisconnectCode::Busy).await?;
    tokio::time::timeout(PATIENCE, call.disconnected()).await?;
    assert!(call.edit(|params| params.block_id = true).is_err(), "it was dialled");
    for phone in [alice, bob] {
        phone.telephone.shutdown().await;
    }
    Ok(())
}
