//! The bridge: from a provider's event to the application's callback, and how many events go through a second; in one
//! process, over the broker's Unix socket, and from another machine's broker (TLS over loopback).
//! Out: a table. The provider is scripted: what is timed is the bridge alone.
//!
//! `OFFHOOK_EVENTS` says how many events are timed one by one (2,000) and a hundred times as many at once.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use offhook_broker::Broker;
use offhook_rpc::{Bounds, RemoteConfig, RemoteProvider, Server, ServerConfig, TlsIdentity};
use offhook_scripted::{Drive, Scripted, ScriptedConfig, Step};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, CallParams, DeviceId, HdCall, Link, MediaTypes, Privilege,
    RequestId,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The application: the moment of each digit.
struct Sink(mpsc::Sender<(Instant, AppEvent)>);

impl AppSink for Sink {
    fn deliver(&self, event: AppEvent) {
        // The application may have gone.
        let _ = self.0.send((Instant::now(), event));
    }
}

/// An application with one call.
struct App {
    events: Receiver<(Instant, AppEvent)>,
    call: HdCall,
    switch: Arc<Scripted>,
    _link: Arc<dyn Link>,
}

fn switch() -> Arc<Scripted> {
    let switch = Scripted::new(ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() });
    switch.script_dial("bob", [Step::Complete]);
    switch
}

impl App {
    fn new(
        join: impl FnOnce(Arc<dyn AppSink>) -> Arc<dyn Link>,
        switch: Arc<Scripted>,
    ) -> Result<Self, Box<dyn Error>> {
        let (tx, events) = mpsc::channel();
        let link = join(Arc::new(Sink(tx)));
        let reply = |request, what| -> Result<AppReply, Box<dyn Error>> {
            link.submit(RequestId(request), what)?;
            loop {
                if let (_, AppEvent::Reply { request: of, result }) =
                    events.recv_timeout(Duration::from_secs(30))?
                    && of.0 == request
                {
                    return Ok(result?);
                }
            }
        };
        let (device, privilege) = (DeviceId(0), Privilege::None);
        let open = AppRequest::OpenLine { device, privilege, media: MediaTypes::AUDIO };
        let AppReply::Line(line) = reply(1, open)? else { return Err("no line".into()) };
        let params =
            CallParams { destination: "bob".to_owned(), media: MediaTypes::AUDIO, ..CallParams::default() };
        reply(2, AppRequest::MakeCall { line, params })?;
        let call = switch.calls().last().copied().ok_or("no call")?;
        Ok(Self { events, call, switch, _link: link })
    }

    /// The moment that the next digit was delivered.
    fn digit(&self) -> Result<Instant, Box<dyn Error>> {
        loop {
            if let (at, AppEvent::Digit { .. }) = self.events.recv_timeout(Duration::from_secs(30))? {
                return Ok(at);
            }
        }
    }

    /// Times events one by one, then many at once.
    fn measure(&self, name: &str, count: usize) -> Result<(), Box<dyn Error>> {
        let mut times = Vec::with_capacity(count);
        for number in 0..count + count / 10 {
            let began = Instant::now();
            self.switch.then(self.call, [Step::Digit('5')]);
            let took = self.digit()? - began;
            // The first warm up.
            if number >= count / 10 {
                times.push(took);
            }
        }
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times.get(place).or(times.last()).map_or(f64::NAN, |t| t.as_secs_f64() * 1e6)
        };
        // As many at once as a client's queue holds with room to spare.
        const BURST: usize = 1_000;
        let bursts = (count * 100).div_ceil(BURST);
        let began = Instant::now();
        for _ in 0..bursts {
            self.switch.then(self.call, std::iter::repeat_n(Step::Digit('5'), BURST));
            for _ in 0..BURST {
                self.digit()?;
            }
        }
        let rate = (bursts * BURST) as f64 / began.elapsed().as_secs_f64();
        println!("{name:<32} {:>9.1} {:>9.1} {:>9.1} {rate:>12.0}", at(0.5), at(0.95), at(0.99));
        Ok(())
    }
}

fn identity(ca: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Result<TlsIdentity, Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, ca)?;
    Ok(TlsIdentity::from_pem(certificate.pem(), key.serialize_pem(), ca.pem()))
}

fn server(broker: &Broker) -> Result<Server, Box<dyn Error>> {
    let joining = broker.clone();
    let config =
        ServerConfig { backlog: Bounds { items: 100_000, octets: 64 << 20 }, ..ServerConfig::default() };
    Ok(Server::new(config, move |name, sink| joining.connect(name, sink), |_| {})?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::var("OFFHOOK_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!(
        "{:<32} {:>9} {:>9} {:>9} {:>12}",
        "provider's event to application", "µs, 50 %", "95 %", "99 %", "events/s"
    );

    let (scripted, broker) = (switch(), Broker::new());
    broker.add_provider(scripted.clone())?;
    App::new(|sink| broker.connect("bench", sink), scripted)?.measure("embedded", count)?;

    let (scripted, broker) = (switch(), Broker::new());
    broker.add_provider(scripted.clone())?;
    let path = std::env::temp_dir().join(format!("offhook-bench-{}.sock", std::process::id()));
    let server_unix = server(&broker)?;
    let _listening = runtime.block_on(async { server_unix.listen_unix(Path::new(&path)) })?;
    let connection = runtime.block_on(offhook_rpc::connect(&path, "bench"))?;
    {
        let _inside = runtime.enter();
        App::new(|sink| connection.attach(sink), scripted)?.measure("over the socket", count)?;
    }

    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let (scripted, far) = (switch(), Broker::new());
    far.add_provider(scripted.clone())?;
    let server_far = server(&far)?;
    let near = Broker::new();
    let listening =
        runtime.block_on(server_far.listen_tls(([127, 0, 0, 1], 0).into(), &identity(&ca, "far")?))?;
    let remote = RemoteProvider::connect(RemoteConfig {
        name: "far".to_owned(),
        address: listening.tcp().ok_or("it listens")?.to_string(),
        identity: identity(&ca, "near")?,
        application: "bench".to_owned(),
    });
    near.add_provider(runtime.block_on(remote)?)?;
    App::new(|sink| near.connect("bench", sink), scripted)?
        .measure("from another machine's broker", count)?;
    near.shutdown();
    // The lock beside a socket stays by design; this one is a scratch file.
    let _ = std::fs::remove_file(path.with_extension("sock.lock"));
    Ok(())
}
