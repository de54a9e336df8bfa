//! The remote TSP: an application at one broker on lines of another, over TLS, with the wire between them cut in all the
//! ways that wires are. The far broker has a scripted switch; the near one the remote provider alone.

mod support;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use offhook_broker::Broker;
use offhook_rpc::{
    ConnectError, Listening, RemoteConfig, RemoteProvider, Server, ServerConfig, ServerEvent, TlsIdentity,
};
use offhook_scripted::{Drive, Scripted, ScriptedConfig, Step, Verb};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, CallParams, ConnectedMode, DeviceId, DisconnectMode, HCall,
    HLine, HandoffTarget, HubTracking, LineCallState as S, LineDevState, LineError, Link, MediaTypes, Opaque,
    Privilege, RequestId, Timestamp,
};
use support::{Ca, Wire};

type Outcome = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(30);

/// Another machine.
struct Far {
    broker: Broker,
    switch: Arc<Scripted>,
    server: Server,
    listening: Listening,
    log: Arc<Mutex<Vec<ServerEvent>>>,
}

impl Far {
    async fn new(identity: &TlsIdentity, config: ServerConfig) -> Result<Self, Box<dyn Error>> {
        Self::on(identity, config, "127.0.0.1:0".parse()?).await
    }

    async fn on(
        identity: &TlsIdentity,
        config: ServerConfig,
        at: SocketAddr,
    ) -> Result<Self, Box<dyn Error>> {
        let switch = Scripted::new(ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() });
        let broker = Broker::new();
        broker.add_provider(switch.clone())?;
        let (log, joining) = (Arc::new(Mutex::new(Vec::new())), broker.clone());
        let seen = log.clone();
        let server = Server::new(
            config,
            move |name, sink| joining.connect(name, sink),
            move |event| seen.lock().unwrap().push(event),
        )?;
        let listening = server.listen_tls(at, identity).await?;
        Ok(Self { broker, switch, server, listening, log })
    }

    fn has(&self, what: fn(&ServerEvent) -> bool) -> bool {
        self.log.lock().unwrap().iter().any(what)
    }
}

/// Both machines and the wire.
struct House {
    far: Far,
    wire: Wire,
    provider: Arc<RemoteProvider>,
    near: Broker,
}

fn quick() -> ServerConfig {
    ServerConfig {
        keep_alive: Duration::from_millis(300),
        resume: Duration::from_secs(4),
        ..ServerConfig::default()
    }
}

impl House {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Self::with(quick()).await
    }

    async fn with(config: ServerConfig) -> Result<Self, Box<dyn Error>> {
        let ca = Ca::new()?;
        let far = Far::new(&ca.identity("far")?, config).await?;
        let wire = Wire::to(far.listening.tcp().ok_or("it listens")?).await?;
        let provider = RemoteProvider::connect(RemoteConfig {
            name: "far".to_owned(),
            address: wire.at.to_string(),
            identity: ca.identity("near")?,
            application: "near".to_owned(),
        })
        .await?;
        let near = Broker::new();
        near.add_provider(provider.clone())?;
        Ok(Self { far, wire, provider, near })
    }

    fn app(&self, name: &str) -> App {
        let (tx, events) = mpsc::channel();
        let link = self.near.connect(name, Arc::new(Sink(tx)));
        App { link, events, next: 0 }
    }
}

struct Sink(mpsc::Sender<AppEvent>);

impl AppSink for Sink {
    fn deliver(&self, event: AppEvent) {
        let _ = self.0.send(event);
    }
}

struct App {
    link: Arc<dyn Link>,
    events: Receiver<AppEvent>,
    next: u32,
}

impl App {
    fn event(&self) -> Result<AppEvent, Box<dyn Error>> {
        Ok(tokio::task::block_in_place(|| self.events.recv_timeout(PATIENCE))?)
    }

    fn submit(&mut self, what: AppRequest) -> Result<RequestId, Box<dyn Error>> {
        self.next += 1;
        tokio::task::block_in_place(|| self.link.submit(RequestId(self.next), what))?;
        Ok(RequestId(self.next))
    }

    /// The reply; what comes before it is passed over.
    fn ask(&mut self, what: AppRequest) -> Result<Result<AppReply, LineError>, Box<dyn Error>> {
        let id = self.submit(what)?;
        loop {
            if let AppEvent::Reply { request, result } = self.event()?
                && request == id
            {
                return Ok(result);
            }
        }
    }

    fn open(&mut self, privilege: Privilege) -> Result<HLine, Box<dyn Error>> {
        match self.ask(AppRequest::OpenLine {
            device: DeviceId(0),
            privilege,
            media: MediaTypes::AUDIO,
        })?? {
            AppReply::Line(line) => Ok(line),
            other => Err(format!("{other:?}").into()),
        }
    }

    fn call(&mut self, line: HLine, destination: &str) -> Result<HCall, Box<dyn Error>> {
        let params = CallParams {
            destination: destination.to_owned(),
            media: MediaTypes::AUDIO,
            ..CallParams::default()
        };
        match self.ask(AppRequest::MakeCall { line, params })?? {
            AppReply::Call(call) => Ok(call),
            other => Err(format!("{other:?}").into()),
        }
    }

    /// Events up to the call's state `last`, and it.
    fn states(&self, last: S) -> Result<Vec<S>, Box<dyn Error>> {
        let mut states = Vec::new();
        while states.last() != Some(&last) {
            if let AppEvent::CallState { state, .. } = self.event()? {
                states.push(state);
            }
        }
        Ok(states)
    }
}

const CONNECTED: S = S::Connected(ConnectedMode::Active);

fn dial_plan(switch: &Scripted) -> Outcome {
    let prepare = Opaque::new(&b"PREPARE"[..])?;
    switch.script_dial(
        "bob",
        [
            Step::Complete,
            Step::Send(prepare),
            Step::State(S::Dialing),
            Step::State(S::Ringback),
            Step::State(CONNECTED),
        ],
    );
    switch.script(Verb::Drop, [Step::Complete, Step::State(S::Idle)]);
    Ok(())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Outcome {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited in vain: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_line_is_used_as_a_local_one_with_the_msp_here() -> Outcome {
    let house = House::new().await?;
    dial_plan(&house.far.switch)?;
    let mut app = house.app("app");
    let Ok(AppReply::Lines(lines)) = app.ask(AppRequest::Lines)? else { return Err("no lines".into()) };
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].machine.as_deref(), lines[0].has_msp), (Some("far"), true));
    let line = app.open(Privilege::Owner)?;
    assert_eq!(app.ask(AppRequest::CreateMspInstance { line })?, Ok(AppReply::Done));
    let call = app.call(line, "bob")?;
    let mut told = Vec::new();
    while told.last() != Some(&"Connected(Active)".to_owned()) {
        match app.event()? {
            AppEvent::CallState { call: of, state, at } => {
                assert_eq!(of, call);
                assert!(at <= Timestamp::now(), "no time is later than now");
                told.push(format!("{state:?}"));
            }
            AppEvent::MspData { call: of, data, .. } => {
                assert_eq!(of, Some(call));
                told.push(String::from_utf8_lossy(data.as_bytes()).into_owned());
                let data = Opaque::new(vec![0xff; Opaque::MAX])?;
                app.submit(AppRequest::MspData { line, call: Some(call), data })?;
            }
            AppEvent::Reply { result, .. } => assert_eq!(result, Ok(AppReply::Done)),
            other => return Err(format!("{other:?}").into()),
        }
    }
    assert_eq!(told, ["PREPARE", "Dialing", "Ringback", "Connected(Active)"]);
    until("the far TSP has the MSP's buffer", || {
        house.far.switch.received().iter().any(|got| got.data.len() == Opaque::MAX)
    })
    .await?;
    let Ok(AppReply::CallInfo(info)) = app.ask(AppRequest::CallInfo { call })? else {
        return Err("no info".into());
    };
    assert_eq!(info.called.address, "bob");
    assert_eq!(app.ask(AppRequest::Drop { call, mode: DisconnectMode::Normal })?, Ok(AppReply::Done));
    app.states(S::Idle)?;
    assert_eq!(app.ask(AppRequest::Deallocate { call })?, Ok(AppReply::Done));

    // And one that arrives.
    house.far.switch.ring(0, "alice").ok_or("nobody listens")?;
    let AppEvent::NewCall { call, info, .. } = app.event()? else { return Err("no call".into()) };
    assert_eq!(info.caller.address, "alice");
    app.states(S::Offering)?;
    assert_eq!(app.ask(AppRequest::Answer { call })?, Ok(AppReply::Done));
    drop(app);
    until("both brokers have given everything up", || {
        let (near, far) = (house.near.census(), house.far.broker.census());
        (near.calls, near.lines, far.calls, far.lines, far.msp_instances) == (0, 0, 0, 0, 0)
    })
    .await?;
    assert!(house.provider.round_trip().is_some(), "the clocks have been compared");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handoff_here_moves_the_media_there() -> Outcome {
    let house = House::new().await?;
    dial_plan(&house.far.switch)?;
    let (mut one, mut two) = (house.app("one"), house.app("two"));
    let (line, other) = (one.open(Privilege::Owner)?, two.open(Privilege::Owner)?);
    one.ask(AppRequest::CreateMspInstance { line })??;
    two.ask(AppRequest::CreateMspInstance { line: other })??;
    assert_eq!(house.far.broker.census().msp_instances, 2, "one there for each here");
    let call = one.call(line, "bob")?;
    // The TSP speaks first: an answer before that is none.
    while !matches!(one.event()?, AppEvent::MspData { call: Some(about), .. } if about == call) {}
    let data = Opaque::new(&b"PREPARED"[..])?;
    one.submit(AppRequest::MspData { line, call: Some(call), data })?;
    one.states(CONNECTED)?;
    until("the far TSP has heard the MSP", || !house.far.switch.received().is_empty()).await?;
    let to = HandoffTarget::Application("two".to_owned());
    let handed = one.ask(AppRequest::Handoff { call, to })?;
    assert_eq!(handed, Ok(AppReply::Done));
    let theirs = loop {
        if let AppEvent::NewCall { call, privilege: Privilege::Owner, .. } = two.event()? {
            break call;
        }
    };
    until("the far provider moves the media", || {
        house.far.switch.log().iter().any(|line| line.contains("line_move_media"))
    })
    .await?;
    // The TSP speaks to the new instance, which answers; the far TSP sees who does.
    let far_call = house.far.switch.calls().last().copied().ok_or("a call")?;
    let instances = house.far.switch.msp_instances(0);
    house.far.switch.send(0, Some(far_call), instances.last().copied(), Opaque::new(&b"PREPARE"[..])?)?;
    loop {
        if let AppEvent::MspData { call, data, .. } = two.event()?
            && data.as_bytes() == b"PREPARE"
        {
            assert_eq!(call, Some(theirs));
            break;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_survives_a_cut_that_is_shorter_than_the_resume_time() -> Outcome {
    let house = House::new().await?;
    dial_plan(&house.far.switch)?;
    let mut app = house.app("app");
    let line = app.open(Privilege::Owner)?;
    let call = app.call(line, "bob")?;
    app.states(CONNECTED)?;
    house.wire.cut();
    loop {
        if let AppEvent::LineDevState { state: LineDevState::OutOfService { why }, .. } = app.event()? {
            assert!(why.starts_with("far cannot be reached: "), "{why}");
            break;
        }
    }
    let params =
        CallParams { destination: "x".to_owned(), media: MediaTypes::AUDIO, ..CallParams::default() };
    let refused = app.ask(AppRequest::MakeCall { line, params })?;
    assert!(matches!(refused, Err(LineError::ResourceUnavail(_))), "{refused:?}");
    // Meanwhile both sides go on: a digit comes there, digits are sent here.
    let far_call = house.far.switch.calls().last().copied().ok_or("a call")?;
    house.far.switch.then(far_call, [Step::Digit('7'), Step::Digit('8')]);
    let digits =
        AppRequest::GenerateDigits { call, mode: offhook_spi::DigitMode::Dtmf, digits: "123".to_owned() };
    let request = app.submit(digits)?;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    house.wire.mend();
    let (mut heard, mut replies, mut back) = (String::new(), 0, false);
    while heard.len() < 2 || replies < 1 || !back {
        match app.event()? {
            AppEvent::Digit { digit, .. } => heard.push(digit),
            AppEvent::Reply { request: of, result } if of == request => {
                assert_eq!(result, Ok(AppReply::Done));
                replies += 1;
            }
            AppEvent::LineDevState { state: LineDevState::InService { with }, .. } => {
                assert_eq!(with, "far");
                back = true;
            }
            AppEvent::CallState { state, .. } => return Err(format!("{state:?}").into()),
            _ => {}
        }
    }
    assert_eq!(heard, "78", "once each, in order");
    let sent = house.far.switch.log().iter().filter(|line| line.contains("123")).count();
    assert_eq!(sent, 1, "asked once");
    assert_eq!(app.ask(AppRequest::Drop { call, mode: DisconnectMode::Normal })?, Ok(AppReply::Done));
    assert!(house.far.has(|event| matches!(event, ServerEvent::Resumed(_))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_longer_cut_calls_end_with_temp_failure_on_both_sides_and_lines_come_back() -> Outcome {
    let house = House::new().await?;
    dial_plan(&house.far.switch)?;
    let mut app = house.app("app");
    let line = app.open(Privilege::Owner)?;
    app.ask(AppRequest::CreateMspInstance { line })??;
    let call = app.call(line, "bob")?;
    app.states(CONNECTED)?;
    house.wire.cut();
    let states = app.states(S::Idle)?;
    assert_eq!(states, [S::Disconnected(DisconnectMode::TempFailure), S::Idle]);
    until("the far broker has dropped the call", || house.far.broker.census().calls == 0).await?;
    house.wire.mend();
    loop {
        if let AppEvent::LineDevState { state: LineDevState::InService { .. }, .. } = app.event()? {
            break;
        }
    }
    assert_eq!(app.ask(AppRequest::Deallocate { call })?, Ok(AppReply::Done));
    // The line is open there again, for calls both ways and with its MSP.
    app.call(line, "bob")?;
    let mut prepared = false;
    loop {
        match app.event()? {
            AppEvent::MspData { .. } => prepared = true,
            AppEvent::CallState { state: CONNECTED, .. } => break,
            _ => {}
        }
    }
    assert!(prepared, "its MSP is behind the line");
    house.far.switch.ring(0, "alice").ok_or("nobody listens there")?;
    loop {
        if let AppEvent::NewCall { .. } = app.event()? {
            break;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_dead_link_is_noticed_within_three_pings() -> Outcome {
    let house = House::new().await?;
    dial_plan(&house.far.switch)?;
    let mut app = house.app("app");
    let line = app.open(Privilege::Owner)?;
    app.call(line, "bob")?;
    app.states(CONNECTED)?;
    house.wire.fall_silent();
    let start = Instant::now();
    loop {
        if let AppEvent::LineDevState { state: LineDevState::OutOfService { .. }, .. } = app.event()? {
            break;
        }
    }
    // Three pings of 300 ms; a loaded machine may be late, never minutes.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    until("the far broker has noticed, too", || {
        house.far.has(|event| matches!(event, ServerEvent::Lost(_) | ServerEvent::Resumed(_)))
    })
    .await?;
    house.wire.mend();
    loop {
        match app.event()? {
            AppEvent::LineDevState { state: LineDevState::InService { .. }, .. } => break,
            AppEvent::CallState { state, .. } => return Err(format!("{state:?}").into()),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_machines_that_the_ca_signed_are_let_in_and_only_by_their_names() -> Outcome {
    let ca = Ca::new()?;
    let far = Far::new(&ca.identity("far")?, quick()).await?;
    let address = far.listening.tcp().ok_or("it listens")?.to_string();
    let config = |name: &str, identity| RemoteConfig {
        name: name.to_owned(),
        address: address.clone(),
        identity,
        application: "near".to_owned(),
    };
    let stranger = Ca::new()?;
    let foreign = RemoteProvider::connect(config("far", stranger.identity("near")?)).await;
    assert!(matches!(foreign, Err(ConnectError::Unreachable(..))), "{:?}", foreign.err());
    // Trusts the right CA, and is signed by another.
    let named = RemoteProvider::connect(config("elsewhere", ca.identity("near")?)).await;
    assert!(matches!(named, Err(ConnectError::Unreachable(..))), "{:?}", named.err());
    let plain = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?.connect().await;
    if let Ok(channel) = plain {
        let mut client = offhook_rpc::proto::tapisrv_client::TapisrvClient::new(channel);
        assert!(client.session(tokio_stream::empty()).await.is_err(), "without TLS nothing is heard");
    }
    let anonymous = tonic::transport::ClientTlsConfig::new()
        .domain_name("far")
        .ca_certificate(tonic::transport::Certificate::from_pem(ca.pem()));
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("https://{address}"))?.tls_config(anonymous)?;
    if let Ok(channel) = endpoint.connect().await {
        let mut client = offhook_rpc::proto::tapisrv_client::TapisrvClient::new(channel);
        assert!(client.session(tokio_stream::empty()).await.is_err(), "nor without a certificate");
    }
    // Octets that are no TLS, and handshakes that go no further.
    let mut held = Vec::new();
    for round in 0_u8..60 {
        let mut stream = tokio::net::TcpStream::connect(&address).await?;
        let octets: Vec<u8> = (0..200).map(|n: u8| n.wrapping_mul(round).wrapping_add(round)).collect();
        let hello: &[u8] =
            if round % 2 == 0 { &octets } else { b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" };
        // It may be closed already.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, hello).await;
        held.push(stream);
    }
    assert!(far.server.clients().is_empty());
    RemoteProvider::connect(config("far", ca.identity("near")?)).await?;
    drop(held);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_far_broker_ends_calls_end_at_once_and_when_it_is_back_so_are_the_lines() -> Outcome {
    let ca = Ca::new()?;
    let identity = ca.identity("far")?;
    let far = Far::new(&identity, quick()).await?;
    dial_plan(&far.switch)?;
    let at = far.listening.tcp().ok_or("it listens")?;
    let provider = RemoteProvider::connect(RemoteConfig {
        name: "far".to_owned(),
        address: at.to_string(),
        identity: ca.identity("near")?,
        application: "near".to_owned(),
    })
    .await?;
    let near = Broker::new();
    near.add_provider(provider)?;
    let (tx, events) = mpsc::channel();
    let mut app = App { link: near.connect("app", Arc::new(Sink(tx))), events, next: 0 };
    let line = app.open(Privilege::Owner)?;
    app.call(line, "bob")?;
    app.states(CONNECTED)?;
    far.server.shutdown(PATIENCE).await;
    let Far { listening, .. } = far;
    listening.close(PATIENCE).await;
    assert_eq!(app.states(S::Idle)?, [S::Disconnected(DisconnectMode::TempFailure), S::Idle]);
    let again = Far::on(&identity, quick(), at).await?;
    dial_plan(&again.switch)?;
    loop {
        if let AppEvent::LineDevState { state: LineDevState::InService { .. }, .. } = app.event()? {
            break;
        }
    }
    app.call(line, "bob")?;
    app.states(CONNECTED)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_comes_after_it_was_given_up_is_given_back() -> Outcome {
    let house = House::with(ServerConfig { resume: Duration::from_secs(60), ..quick() }).await?;
    // The line itself is open: what follows opens it there once more, to listen.
    let mut first = house.app("first");
    first.open(Privilege::None)?;
    let mut app = house.app("app");
    house.wire.fall_silent();
    // It waits for its answer, some seconds, and gives up; the far broker hears of it when the wire carries again.
    assert!(app.open(Privilege::Owner).is_err());
    house.wire.mend();
    loop {
        if let AppEvent::LineDevState { state: LineDevState::InService { .. }, .. } = first.event()? {
            break;
        }
    }
    let line = app.open(Privilege::Owner)?;
    // Whatever it answers: the far broker has then done all that it was told before.
    let version = offhook_spi::ExtensionVersion(1);
    let _ =
        app.ask(AppRequest::NegotiateExtVersion { device: DeviceId(0), lowest: version, highest: version })?;
    // A call that rings there is offered through the opening that is known here.
    house.far.switch.ring(0, "alice").ok_or("it rings")?;
    loop {
        if let AppEvent::NewCall { line: through, .. } = app.event()? {
            assert_eq!(through, line);
            break;
        }
    }
    Ok(())
}

/// Each far provider counts its calls from 1: here they are told apart, and a placed call is in its hub.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_two_far_providers_are_in_two_hubs() -> Outcome {
    let ca = Ca::new()?;
    let far = Far::new(&ca.identity("far")?, quick()).await?;
    for name in ["one", "two"] {
        let config = ScriptedConfig { name: name.to_owned(), ..ScriptedConfig::switch(1) };
        far.broker.add_provider(Scripted::new(config))?;
    }
    let provider = RemoteProvider::connect(RemoteConfig {
        name: "far".to_owned(),
        address: far.listening.tcp().ok_or("it listens")?.to_string(),
        identity: ca.identity("near")?,
        application: "near".to_owned(),
    })
    .await?;
    let near = Broker::new();
    near.add_provider(provider.clone())?;
    let (tx, events) = mpsc::channel();
    let mut app = App { link: near.connect("app", Arc::new(Sink(tx))), events, next: 0 };
    for device in [DeviceId(1), DeviceId(2)] {
        app.ask(AppRequest::SetCallHubTracking { device, level: HubTracking::AllCalls })??;
        let what = AppRequest::OpenLine { device, privilege: Privilege::None, media: MediaTypes::AUDIO };
        let AppReply::Line(line) = app.ask(what)?? else { return Err("no line".into()) };
        app.call(line, "5550001")?;
    }
    let give_up = Instant::now() + PATIENCE;
    loop {
        let AppReply::Hubs(hubs) = app.ask(AppRequest::Hubs)?? else { return Err("no hubs".into()) };
        let members: Vec<_> = hubs.iter().map(|hub| (hub.provider.as_str(), hub.members.len())).collect();
        if members == [("one", 1), ("two", 1)] {
            assert_ne!(hubs[0].call_id, hubs[1].call_id);
            return Ok(());
        }
        assert!(Instant::now() < give_up, "{members:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
