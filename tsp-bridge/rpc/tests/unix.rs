//! Applications over a Unix socket: sessions, their ends, who is cut off and who is kept out. The broker behind it has a
//! scripted provider.

use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use offhook_broker::Broker;
use offhook_rpc::proto::{self as p, client_frame, server_frame};
use offhook_rpc::{Bounds, ConnectError, ListenError, Listening, Server, ServerConfig, ServerEvent};
use offhook_scripted::{Drive, Scripted, ScriptedConfig, Step, Verb};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, CallParams, ConnectedMode, DeviceId, LineCallState, LineError,
    Link, MediaTypes, Privilege, RequestId,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Outcome = Result<(), Box<dyn Error>>;

const CONNECTED: LineCallState = LineCallState::Connected(ConnectedMode::Active);

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker with a scripted switch behind a socket.
struct Served {
    broker: Broker,
    switch: Arc<Scripted>,
    server: Server,
    listening: Option<Listening>,
    log: Arc<Mutex<Vec<ServerEvent>>>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn serve(config: ServerConfig) -> Result<Served, Box<dyn Error>> {
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
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("broker.sock");
    let listening = Some(server.listen_unix(&path)?);
    Ok(Served { broker, switch, server, listening, log, path, _dir: dir })
}

impl Served {
    fn left(&self) -> Vec<(String, String)> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter_map(|event| match event {
                ServerEvent::Left(who, why) => Some((who.name.clone(), why.clone())),
                _ => None,
            })
            .collect()
    }
}

struct Sink(mpsc::Sender<AppEvent>);

impl AppSink for Sink {
    fn deliver(&self, event: AppEvent) {
        let _ = self.0.send(event);
    }
}

struct Client {
    link: Arc<dyn Link>,
    events: Receiver<AppEvent>,
    next: u32,
}

impl Client {
    async fn join(path: &Path, name: &str) -> Result<Self, ConnectError> {
        let (tx, events) = mpsc::channel();
        let link = offhook_rpc::connect(path, name).await?.attach(Arc::new(Sink(tx)));
        Ok(Self { link, events, next: 1 })
    }

    fn event(&self) -> Result<AppEvent, Box<dyn Error>> {
        Ok(tokio::task::block_in_place(|| self.events.recv_timeout(PATIENCE))?)
    }

    /// Events until the reply, and the reply.
    fn ask(&mut self, what: AppRequest) -> Result<Result<AppReply, LineError>, Box<dyn Error>> {
        let id = RequestId(self.next);
        self.next += 1;
        self.link.submit(id, what)?;
        loop {
            if let AppEvent::Reply { request, result } = self.event()?
                && request == id
            {
                return Ok(result);
            }
        }
    }

    fn open(&mut self, privilege: Privilege) -> Result<offhook_spi::HLine, Box<dyn Error>> {
        match self.ask(AppRequest::OpenLine {
            device: DeviceId(0),
            privilege,
            media: MediaTypes::AUDIO,
        })?? {
            AppReply::Line(line) => Ok(line),
            other => Err(format!("{other:?}").into()),
        }
    }
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
async fn a_call_over_the_socket_is_told_as_one_in_the_same_process_is() -> Outcome {
    let served = serve(ServerConfig::default())?;
    let mut client = Client::join(&served.path, "app").await?;
    assert_eq!(std::fs::metadata(&served.path)?.permissions().mode() & 0o777, 0o600);
    let Ok(AppReply::Lines(lines)) = client.ask(AppRequest::Lines)? else { return Err("no lines".into()) };
    assert_eq!(lines.len(), 1);
    client.open(Privilege::Owner)?;
    served.switch.ring(0, "5551234").ok_or("nobody listens")?;
    let AppEvent::NewCall { call, info, privilege: Privilege::Owner, .. } = client.event()? else {
        return Err("no call".into());
    };
    assert_eq!(info.caller.address, "5551234");
    assert!(matches!(client.event()?, AppEvent::CallState { state: LineCallState::Offering, .. }));
    assert_eq!(client.ask(AppRequest::Accept { call })?, Ok(AppReply::Done));
    assert_eq!(client.ask(AppRequest::Answer { call })?, Ok(AppReply::Done));
    drop(client);
    until("the broker has given everything up", || {
        let census = served.broker.census();
        (census.clients, census.calls, census.lines) == (0, 0, 0)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_broker_says_good_bye_its_clients_are_told_and_their_links_closed() -> Outcome {
    let mut served = serve(ServerConfig::default())?;
    let mut client = Client::join(&served.path, "app").await?;
    let line = client.open(Privilege::None)?;
    served.broker.shutdown();
    assert_eq!(client.event()?, AppEvent::LineClosed { line, why: LineError::NoDriver });
    served.server.shutdown(PATIENCE).await;
    assert!(client.event().is_err(), "the sink has been dropped");
    until("the link is closed", || client.link.submit(RequestId(9), AppRequest::Lines).is_err()).await?;
    let listening = served.listening.take().ok_or("it listened")?;
    listening.close(PATIENCE).await;
    assert!(!served.path.exists(), "the socket is removed");
    assert!(matches!(Client::join(&served.path, "late").await, Err(ConnectError::Unreachable(..))));
    Ok(())
}

/// A client by hand: what a `Link` would never say.
struct Raw {
    out: tokio::sync::mpsc::Sender<p::ClientFrame>,
    inbound: tonic::Streaming<p::ServerFrame>,
}

impl Raw {
    async fn begin(path: &Path, first: p::ClientFrame) -> Result<Self, Box<dyn Error>> {
        let path = path.to_owned();
        let channel = tonic::transport::Endpoint::from_static("http://x.invalid")
            .connect_with_connector(tower::service_fn(move |_: tonic::transport::Uri| {
                let path = path.clone();
                async move { tokio::net::UnixStream::connect(path).await.map(hyper_util::rt::TokioIo::new) }
            }))
            .await?;
        let mut client = p::tapisrv_client::TapisrvClient::new(channel).max_encoding_message_size(64 << 20);
        let (out, frames) = tokio::sync::mpsc::channel(16);
        out.send(first).await?;
        let frames = tokio_stream::wrappers::ReceiverStream::new(frames);
        Ok(Self { out, inbound: client.session(frames).await?.into_inner() })
    }

    async fn hello(path: &Path, hello: p::Hello) -> Result<Self, Box<dyn Error>> {
        let frame = Some(client_frame::Frame::Hello(hello));
        Self::begin(path, p::ClientFrame { sequence: 0, received: 0, frame }).await
    }

    async fn next(&mut self) -> Result<Option<server_frame::Frame>, Box<dyn Error>> {
        let frame = tokio::time::timeout(PATIENCE, self.inbound.message()).await??;
        Ok(frame.and_then(|frame| frame.frame))
    }

    /// The farewell that comes after whatever else does.
    async fn farewell(&mut self) -> Result<p::Farewell, Box<dyn Error>> {
        loop {
            match self.next().await? {
                Some(server_frame::Frame::Farewell(farewell)) => return Ok(farewell),
                Some(_) => {}
                None => return Err("no farewell".into()),
            }
        }
    }

    async fn say(&self, sequence: u64, frame: client_frame::Frame) -> Outcome {
        Ok(self.out.send(p::ClientFrame { sequence, received: 0, frame: Some(frame) }).await?)
    }
}

fn hello() -> p::Hello {
    p::Hello { lowest: 1, highest: 1, name: "raw".to_owned(), kind: 1, resume: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_contract_is_told_how_and_nobody_else_notices() -> Outcome {
    let served = serve(ServerConfig { hello: Duration::from_millis(300), ..ServerConfig::default() })?;
    let mut witness = Client::join(&served.path, "witness").await?;
    use p::farewell::Why;

    let mut newer = Raw::hello(&served.path, p::Hello { lowest: 2, highest: 7, ..hello() }).await?;
    let farewell = newer.farewell().await?;
    assert_eq!(farewell.why(), Why::Version);
    assert_eq!(farewell.text, "this broker speaks version 1 of the contract, the client 2 to 7");
    let mut both = Raw::hello(&served.path, p::Hello { lowest: 1, highest: 7, ..hello() }).await?;
    assert!(matches!(both.next().await?, Some(server_frame::Frame::Welcome(p::Welcome { version: 1, .. }))));

    for odd in [
        p::Hello { kind: 0, ..hello() },
        p::Hello { kind: 77, ..hello() },
        p::Hello { name: "n".repeat(257), ..hello() },
        p::Hello { name: "a\u{1b}[31m".to_owned(), ..hello() },
    ] {
        assert_eq!(Raw::hello(&served.path, odd).await?.farewell().await?.why(), Why::Protocol);
    }
    let resume = Some(p::Resume { token: vec![0; 16].into() });
    let mut stranger = Raw::hello(&served.path, p::Hello { resume, ..hello() }).await?;
    assert_eq!(stranger.farewell().await?.why(), Why::UnknownSession);
    let request = |id| {
        client_frame::Frame::Request(p::Request { id, what: Some(p::request::What::Lines(p::Empty {})) })
    };
    let first = p::ClientFrame { sequence: 1, received: 0, frame: Some(request(1)) };
    assert_eq!(Raw::begin(&served.path, first).await?.farewell().await?.why(), Why::Protocol);

    let mut gap = Raw::hello(&served.path, hello()).await?;
    gap.say(2, request(1)).await?;
    assert_eq!(gap.farewell().await?.text, "request 2 follows request 0");
    let mut twice = Raw::hello(&served.path, hello()).await?;
    twice.say(0, client_frame::Frame::Hello(hello())).await?;
    assert_eq!(twice.farewell().await?.text, "a second Hello");
    let mut large = Raw::hello(&served.path, hello()).await?;
    let data = vec![0; 2 << 20].into();
    let what = p::request::What::MspData(p::MspData { line: 1, call: None, data });
    large.say(1, client_frame::Frame::Request(p::Request { id: 1, what: Some(what) })).await?;
    assert_eq!(large.farewell().await?.text, "a frame is too large");

    // What is merely not known here is answered, and the session goes on.
    let mut future = Raw::hello(&served.path, hello()).await?;
    future.next().await?;
    future.say(1, client_frame::Frame::Request(p::Request { id: 5, what: None })).await?;
    future.say(2, request(6)).await?;
    let Some(server_frame::Frame::Event(p::Event { what: Some(p::event::What::Reply(reply)) })) =
        future.next().await?
    else {
        return Err("no reply".into());
    };
    let Some(p::reply::Result::Error(error)) = reply.result else { return Err("no error".into()) };
    assert_eq!((reply.request, error.code()), (5, p::line_error::Code::OperationUnavail));
    assert!(matches!(future.next().await?, Some(server_frame::Frame::Event(_))));

    assert!(matches!(witness.ask(AppRequest::Lines)?, Ok(AppReply::Lines(_))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_that_are_no_grpc_leave_the_broker_as_it_was() -> Outcome {
    let served = serve(ServerConfig::default())?;
    let mut witness = Client::join(&served.path, "witness").await?;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..300 {
        let mut stream = tokio::net::UnixStream::connect(&served.path).await?;
        let mut octets = Vec::new();
        if round % 2 == 0 {
            // Past the preface: frames of HTTP/2 that lie.
            octets.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        }
        octets.extend((0..random() % 400).map(|_| random() as u8));
        let _ = stream.write_all(&octets).await;
        if round % 3 == 0 {
            let _ = stream.shutdown().await;
            let mut rest = Vec::new();
            let _ = tokio::time::timeout(Duration::from_millis(200), stream.read_to_end(&mut rest)).await;
        }
    }
    assert!(matches!(witness.ask(AppRequest::Lines)?, Ok(AppReply::Lines(_))));
    assert_eq!(served.server.clients().len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_and_the_others_hear_everything() -> Outcome {
    let backlog = Bounds { items: 2_000, octets: 1 << 20 };
    let served = serve(ServerConfig { backlog, ..ServerConfig::default() })?;
    let mut reader = Client::join(&served.path, "reader").await?;
    reader.open(Privilege::Owner)?;
    let mut sleeper = Raw::hello(&served.path, hello()).await?;
    sleeper.next().await?;
    let open = p::OpenLine { device: 0, privilege: p::Privilege::Monitor.into(), media: 1 };
    let what = Some(p::request::What::OpenLine(open));
    sleeper.say(1, client_frame::Frame::Request(p::Request { id: 1, what })).await?;
    assert!(matches!(sleeper.next().await?, Some(server_frame::Frame::Event(_))), "the line is open");
    // Each call is two events and a state each way; names make them large.
    let name = "n".repeat(8_000);
    let mut calls = 0;
    let start = Instant::now();
    while served.left().is_empty() {
        if start.elapsed() > PATIENCE {
            return Err("the sleeper was never cut off".into());
        }
        served.switch.ring(0, &name).ok_or("the owner is gone")?;
        calls += 1;
        let mut call = None;
        loop {
            match reader.event()? {
                AppEvent::NewCall { call: handle, .. } => call = Some(handle),
                AppEvent::CallState { state: LineCallState::Offering, .. } => break,
                _ => {}
            }
        }
        let call = call.ok_or("a state before its call")?;
        assert_eq!(reader.ask(AppRequest::Deallocate { call })?, Ok(AppReply::Done));
    }
    let left = served.left();
    assert_eq!(left[0].0, "raw");
    assert_eq!(left[0].1, "too much waits to be read by this client: it is cut off");
    assert!(calls > 10, "the backlog has room for {calls} calls");
    let farewell = sleeper.farewell().await?;
    assert_eq!(farewell.why(), p::farewell::Why::NotReading);
    assert!(matches!(reader.ask(AppRequest::Lines)?, Ok(AppReply::Lines(_))));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_in_use_is_left_alone_a_stale_one_replaced_and_a_file_spared() -> Outcome {
    let served = serve(ServerConfig::default())?;
    let other = serve(ServerConfig::default())?;
    let taken = other.server.listen_unix(&served.path);
    assert!(matches!(taken, Err(ListenError::InUse(_))), "{:?}", taken.err());
    assert!(Client::join(&served.path, "app").await.is_ok(), "and it works still");

    let dir = tempfile::tempdir()?;
    let stale = dir.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale)?);
    let kept = other.server.listen_unix(&stale)?;
    assert!(Client::join(&stale, "app").await.is_ok());
    drop(kept);

    // One that somebody serves without a lock.
    let foreign = dir.path().join("foreign.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&foreign)?;
    assert!(matches!(other.server.listen_unix(&foreign), Err(ListenError::InUse(_))));
    let file = dir.path().join("file");
    std::fs::write(&file, "precious")?;
    assert!(matches!(other.server.listen_unix(&file), Err(ListenError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&file)?, "precious");

    let open = dir.path().join("open");
    std::fs::create_dir(&open)?;
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777))?;
    let refused = other.server.listen_unix(&open.join("x.sock")).err().map(|why| why.to_string());
    assert!(refused.is_some_and(|why| why.contains("others can write")));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link)?;
    let refused = other.server.listen_unix(&link.join("x.sock")).err().map(|why| why.to_string());
    assert!(refused.is_some_and(|why| why.contains("symbolic link")));
    let deep = dir.path().join("no/such/x.sock");
    assert!(matches!(other.server.listen_unix(&deep), Err(ListenError::Io(..))));
    let long = dir.path().join("x".repeat(120));
    let refused = other.server.listen_unix(&long).err().map(|why| why.to_string());
    assert!(refused.is_some_and(|why| why.contains("too long")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_clients_than_the_broker_takes() -> Outcome {
    let served = serve(ServerConfig { max_sessions: 2, ..ServerConfig::default() })?;
    let (one, _two) = (Client::join(&served.path, "one").await?, Client::join(&served.path, "two").await?);
    match Client::join(&served.path, "three").await {
        Err(ConnectError::Refused(_, farewell)) => assert_eq!(farewell.why, p::farewell::Why::TooMany),
        other => return Err(format!("{:?}", other.err()).into()),
    }
    drop(one);
    until("there is room again", || served.server.clients().len() == 1).await?;
    Client::join(&served.path, "three").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_place_a_thousand_calls_and_each_is_told_of_its_own() -> Outcome {
    const CLIENTS: usize = 50;
    const CALLS: usize = 20;
    let served = serve(ServerConfig::default())?;
    served.switch.script_dial(
        "bob",
        [
            Step::Complete,
            Step::State(LineCallState::Dialing),
            Step::State(LineCallState::Ringback),
            Step::State(CONNECTED),
        ],
    );
    served.switch.script(Verb::Drop, [Step::Complete, Step::State(LineCallState::Idle)]);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let mut client = Client::join(&served.path, &format!("client {number}")).await?;
        clients.spawn_blocking(move || -> Result<usize, String> {
            let said = |why: Box<dyn Error>| why.to_string();
            let line = client.open(Privilege::None).map_err(said)?;
            let params = CallParams {
                destination: "bob".to_owned(),
                media: MediaTypes::AUDIO,
                ..CallParams::default()
            };
            for _ in 0..CALLS {
                let placed =
                    client.ask(AppRequest::MakeCall { line, params: params.clone() }).map_err(said)?;
                let Ok(AppReply::Call(call)) = placed else { return Err(format!("{placed:?}")) };
                let mut states = Vec::new();
                while states.len() < 3 {
                    match client.event().map_err(said)? {
                        AppEvent::CallState { call: of, state, .. } if of == call => states.push(state),
                        other => return Err(format!("{other:?}")),
                    }
                }
                let expected = [LineCallState::Dialing, LineCallState::Ringback, CONNECTED];
                if states != expected {
                    return Err(format!("{states:?}"));
                }
                let mode = offhook_spi::DisconnectMode::Normal;
                client.ask(AppRequest::Drop { call, mode }).map_err(said)?.map_err(|why| why.to_string())?;
                client.ask(AppRequest::Deallocate { call }).map_err(said)?.map_err(|why| why.to_string())?;
            }
            Ok(CALLS)
        });
    }
    let mut calls = 0;
    while let Some(done) = clients.join_next().await {
        calls += done??;
    }
    assert_eq!(calls, CLIENTS * CALLS);
    until("the broker holds nothing", || {
        let census = served.broker.census();
        (census.clients, census.calls, census.lines, census.requests) == (0, 0, 0, 0)
    })
    .await?;
    let why = "it said good-bye";
    assert!(served.left().iter().all(|(_, said)| said == why), "{:?}", served.left());
    Ok(())
}

/// A22: what an application that was written for an older TAPI hears, beside one of today.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_an_older_tapi_hears_the_words_that_it_knows() -> Outcome {
    use offhook_spi::{ApiVersion, DisconnectMode};

    let served = serve(ServerConfig::default())?;
    served.switch.script_dial("bob", [Step::Complete, Step::State(CONNECTED)]);
    for (highest, heard) in
        [(ApiVersion(0x0001_0004), DisconnectMode::Unknown), (ApiVersion::V3_1, DisconnectMode::TempFailure)]
    {
        let mut client = Client::join(&served.path, "app").await?;
        let (device, lowest) = (DeviceId(0), ApiVersion(0x0001_0003));
        let agreed = client.ask(AppRequest::NegotiateApiVersion { device, lowest, highest })?;
        assert_eq!(agreed, Ok(AppReply::ApiVersion(highest)));
        let line = client.open(Privilege::None)?;
        let params =
            CallParams { destination: "bob".to_owned(), media: MediaTypes::AUDIO, ..CallParams::default() };
        client.ask(AppRequest::MakeCall { line, params })??;
        assert!(matches!(client.event()?, AppEvent::CallState { state: CONNECTED, .. }));
        let call = served.switch.calls().last().copied().ok_or("a call")?;
        served.switch.hang_up(call, DisconnectMode::TempFailure);
        let told = client.event()?;
        assert!(
            matches!(told, AppEvent::CallState { state: LineCallState::Disconnected(mode), .. } if mode == heard),
            "{told:?}"
        );
        let (device, lowest) = (DeviceId(0), ApiVersion(0x0004_0000));
        let none = client.ask(AppRequest::NegotiateApiVersion { device, lowest, highest: lowest })?;
        assert_eq!(none, Err(LineError::IncompatibleApiVersion));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_and_says_nothing_keeps_the_others_out_for_a_while_only() -> Outcome {
    let served =
        serve(ServerConfig { max_arriving: 2, hello: Duration::from_secs(600), ..ServerConfig::default() })?;
    let connect = || tokio::net::UnixStream::connect(&served.path);
    let (one, _two) = (connect().await?, connect().await?);
    assert!(matches!(Client::join(&served.path, "early").await, Err(ConnectError::Unreachable(..))));
    drop(one);
    // Who has a session takes no place.
    let mut clients = Vec::new();
    for n in 0..4 {
        clients.push(Client::join(&served.path, &format!("client {n}")).await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_session_is_closed_and_one_with_a_session_stays() -> Outcome {
    let hello = Duration::from_millis(200);
    let served = serve(ServerConfig::default())?;
    let strict = served.path.with_file_name("strict.sock");
    let joining = served.broker.clone();
    let server = Server::new(
        ServerConfig { max_arriving: 1, hello, ..ServerConfig::default() },
        move |name, sink| joining.connect(name, sink),
        |_| (),
    )?;
    let _listening = server.listen_unix(&strict)?;
    let mut silent = tokio::net::UnixStream::connect(&strict).await?;
    // What HTTP/2 says first, and then the end.
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, silent.read_to_end(&mut said)).await??;
    let open = tokio::time::timeout(PATIENCE, async {
        loop {
            // On a loaded machine Hello may come too late.
            if let Ok(client) = Client::join(&strict, "patient").await {
                return client;
            }
        }
    });
    let mut client = open.await?;
    // Longer than a second connection may be silent.
    let mut silent = tokio::net::UnixStream::connect(&strict).await?;
    tokio::time::timeout(PATIENCE, silent.read_to_end(&mut said)).await??;
    let mut silent = tokio::net::UnixStream::connect(&strict).await?;
    tokio::time::timeout(PATIENCE, silent.read_to_end(&mut said)).await??;
    client.open(Privilege::None)?;
    Ok(())
}
