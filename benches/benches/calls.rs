//! Calls set up and released: the machines alone, joined in memory; two providers over TCP on loopback, fast start with
//! tunnelling, the media side a script that is always ready. Idle calls by the thousand: memory and threads.
//! Out: tables. Processor time is what counts (user and system, of the whole process): it says the same on a busy
//! machine. Beside each stands what a bare TCP connection with two round trips costs in the same run.
//!
//! `OFFHOOK_CALLS` says how many calls are timed over TCP (4,000), `OFFHOOK_IDLE` how many stand idle (10,000).

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::time::{Duration, Instant};

use offhook_h323::{
    Action, AudioCodec, Call, Channel, CodecOffer, ConferenceGoal, Config, Event, IncomingParams, LocalMedia,
    LocalSession, OutgoingParams, Release,
};
use offhook_pair::{Codec, Session, ToMsp, ToTsp};
use offhook_spi::{
    ApiVersion, CallInfoChange, CallParams, DigitMode, DisconnectMode, HdCall, HdLine, HdMspLine, HtCall,
    HtLine, HtMspLine, LineCallState, LineDevState, LineError, MediaTypes, Opaque, RequestId, Timestamp, TspEvents, Tspi,
};
use offhook_tsp::{H323Config, H323Provider};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// Patience with calls that do not come up: a bench that hangs says nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// Processor time of this process so far, all threads, user and system.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

// --- machines alone -------------------------------------------------------------------------------------

fn media(port: u16) -> LocalMedia {
    let offer = |codec, payload_type| CodecOffer { codec, payload_type, packet_ms: 20, max_packet_ms: 60 };
    LocalMedia {
        sessions: vec![LocalSession {
            session_id: 1,
            rtp: ([127, 0, 0, 1], port).into(),
            rtcp: ([127, 0, 0, 1], port + 1).into(),
            codecs: vec![offer(AudioCodec::Pcma, 8), offer(AudioCodec::Pcmu, 0)],
            telephone_event: Some(101),
            comfort_noise: false,
            silence_suppression: false,
        }],
    }
}

/// Two machines; what one transmits the other is handed at once.
struct Pair {
    caller: Call,
    called: Call,
    now: Duration,
    connected: usize,
    channels: usize,
    released: usize,
    octets: usize,
}

impl Pair {
    fn new(config: &Config, number: u64) -> Self {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut identifier = [7; 16];
        identifier[..8].copy_from_slice(&number.to_be_bytes());
        let outgoing = OutgoingParams {
            call_identifier: identifier,
            conference_id: identifier,
            goal: ConferenceGoal::Create,
            call_reference: (number % 0x7fff) as u16 + 1,
            seed: number,
            destination: None,
            overlap: false,
            withhold_identity: false,
            redirecting: None,
            forwards: 0,
            user_user: None,
            local_signal_address: Some(at(30_000)),
            remote_signal_address: at(1720),
            media: media(5_000),
        };
        let incoming = IncomingParams {
            seed: !number,
            local_signal_address: Some(at(1720)),
            remote_signal_address: at(30_000),
        };
        let now = Duration::from_secs(1);
        let mut caller = Call::outgoing(config.clone(), outgoing, now);
        let mut called = Call::incoming(config.clone(), incoming, now);
        caller.handle_connected(now, Channel::Signaling);
        called.handle_connected(now, Channel::Signaling);
        Self { caller, called, now, connected: 0, channels: 0, released: 0, octets: 0 }
    }

    /// Until neither has anything to say.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for is_caller in [true, false] {
                let (this, other) = match is_caller {
                    true => (&mut self.caller, &mut self.called),
                    false => (&mut self.called, &mut self.caller),
                };
                while let Some(transmit) = this.poll_transmit() {
                    quiet = false;
                    self.octets += transmit.bytes.len();
                    other.handle_bytes(self.now, transmit.channel, &transmit.bytes);
                }
                while let Some(event) = this.poll_event() {
                    quiet = false;
                    match event {
                        Event::Setup(_) => {
                            this.set_media(self.now, media(6_000));
                            this.answer(self.now);
                        }
                        Event::Connected(_) => self.connected += 1,
                        Event::ChannelOpened(_) => self.channels += 1,
                        Event::Released(_) => self.released += 1,
                        _ => {}
                    }
                }
                while let Some(action) = this.poll_action() {
                    quiet = false;
                    debug_assert!(!matches!(action, Action::ListenH245 | Action::ConnectH245(_)));
                }
            }
            if quiet {
                return;
            }
        }
    }
}

/// Processor time of a set-up with release, both sides, and octets sent.
fn machines(config: &Config, count: usize) -> Result<(Duration, usize), Box<dyn Error>> {
    let before = cpu();
    let mut octets = 0;
    for number in 0..count {
        let mut pair = Pair::new(config, number as u64);
        pair.settle();
        if (pair.connected, pair.channels) != (2, 4) {
            return Err(format!("{} sides connected, {} channels", pair.connected, pair.channels).into());
        }
        pair.caller.release(pair.now, Release::normal());
        pair.settle();
        if pair.released != 2 {
            return Err("not released".into());
        }
        octets += pair.octets;
    }
    Ok((cpu() - before, octets))
}

// --- over TCP -------------------------------------------------------------------------------------------

/// A broker and an MSP that do at once what keeps calls going; all of it runs in the provider's own tasks.
struct Desk {
    provider: OnceLock<H323Provider>,
    line: OnceLock<(HdLine, HdMspLine)>,
    destination: OnceLock<String>,
    calls: Mutex<HashMap<HtCall, Placed>>,
    last: AtomicU64,
    /// Calls still to place.
    left: AtomicUsize,
    /// Calls that are kept when they are up.
    keeps: bool,
    latencies: Mutex<Vec<Duration>>,
    /// A call is done: it is up and kept, or over.
    done: mpsc::SyncSender<Result<(), String>>,
}

#[derive(Default)]
struct Placed {
    began: Option<Instant>,
    provider: Option<HdCall>,
    /// The TSP asked for media before MakeCall had returned.
    asked: bool,
}

/// Names of calls that this side places start here, so that they differ from those of calls that come.
const OWN: u64 = 1 << 40;

impl Desk {
    fn new(
        runtime: &Runtime,
        keeps: bool,
        done: mpsc::SyncSender<Result<(), String>>,
    ) -> Result<Arc<Self>, LineError> {
        let config = H323Config {
            listen: ([127, 0, 0, 1], 0).into(),
            max_calls: 100_000,
            max_silent: 100_000,
            max_silent_per_host: 100_000,
            connections_per_second: 1_000_000,
            ..H323Config::default()
        };
        let desk = Arc::new(Self {
            provider: OnceLock::new(),
            line: OnceLock::new(),
            destination: OnceLock::new(),
            calls: Mutex::default(),
            last: AtomicU64::new(OWN),
            left: AtomicUsize::new(0),
            keeps,
            latencies: Mutex::default(),
            done,
        });
        let provider = H323Provider::new(config, runtime.handle().clone());
        provider.provider_init(desk.clone())?;
        let line = provider.line_open(0, HtLine(1), ApiVersion::V3_1)?;
        let msp = provider.line_create_msp_instance(line, 0, HtMspLine(1))?;
        let _ = (desk.line.set((line, msp)), desk.provider.set(provider));
        Ok(desk)
    }

    fn provider(&self) -> &H323Provider {
        self.provider.get().expect("set before anything else")
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<HtCall, Placed>> {
        self.calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn listen(&self) -> Result<SocketAddr, LineError> {
        let (line, _) = *self.line.get().ok_or(LineError::InvalLineHandle)?;
        self.provider().line_set_default_media_detection(line, MediaTypes::AUDIO)?;
        self.provider().listening().ok_or(LineError::InvalLineHandle)
    }

    /// Places the next call, if there is one left.
    fn place(&self) {
        let take = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return;
        }
        let call = HtCall(self.last.fetch_add(1, Ordering::Relaxed));
        self.calls().insert(call, Placed { began: Some(Instant::now()), ..Placed::default() });
        let (line, _) = self.line.get().expect("set before anything else");
        let params = CallParams {
            destination: self.destination.get().expect("set before calls").clone(),
            media: MediaTypes::AUDIO,
            ..CallParams::default()
        };
        match self.provider().line_make_call(RequestId(1), *line, call, &params) {
            Ok(hd) => {
                let asked = self.calls().get_mut(&call).map(|placed| {
                    placed.provider = Some(hd);
                    placed.asked
                });
                if asked == Some(true) {
                    self.prepared(hd);
                }
            }
            Err(error) => self.tell(Err(error.to_string())),
        }
    }

    fn tell(&self, what: Result<(), String>) {
        // Nobody waits any more after a failure.
        let _ = self.done.try_send(what);
    }

    fn handle(&self, call: HtCall) -> Option<HdCall> {
        if call.0 < OWN { Some(HdCall(call.0)) } else { self.calls().get(&call)?.provider }
    }

    fn prepared(&self, call: HdCall) {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let offer = |codec, payload_type| offhook_pair::CodecOffer {
            codec,
            payload_type,
            packet_ms: 20,
            max_packet_ms: 60,
        };
        let sessions = vec![Session {
            session: 1,
            rtp: at(5_000),
            rtcp: at(5_001),
            codecs: vec![offer(Codec::Pcma, 8), offer(Codec::Pcmu, 0)],
            telephone_event: None,
            comfort_noise: false,
            silence_suppression: false,
        }];
        let (line, msp) = *self.line.get().expect("set before anything else");
        let said = Opaque::new(ToTsp::Prepared { sessions }.encode())
            .and_then(|data| self.provider().line_receive_msp_data(line, Some(call), msp, data));
        if let Err(error) = said {
            self.tell(Err(error.to_string()));
        }
    }
}

impl TspEvents for Desk {
    fn async_completion(&self, _: RequestId, result: Result<(), LineError>) {
        if let Err(error) = result {
            self.tell(Err(error.to_string()));
        }
    }

    fn new_call(&self, _: HtLine, call: HdCall) -> Option<HtCall> {
        Some(HtCall(call.0))
    }

    fn call_state(&self, _: HtLine, call: HtCall, state: LineCallState, _: Timestamp) {
        let own = call.0 >= OWN;
        let Some(hd) = self.handle(call) else { return };
        let asked = match state {
            LineCallState::Offering => self.provider().line_answer(RequestId(2), hd),
            LineCallState::Connected(_) if own => {
                let began = self.calls().get(&call).and_then(|placed| placed.began);
                let took = began.map(|began| began.elapsed()).unwrap_or_default();
                self.latencies.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(took);
                if self.keeps {
                    self.tell(Ok(()));
                    self.place();
                    Ok(())
                } else {
                    self.provider().line_drop(RequestId(3), hd, DisconnectMode::Normal)
                }
            }
            LineCallState::Disconnected(DisconnectMode::Normal) => {
                self.provider().line_drop(RequestId(4), hd, DisconnectMode::Normal)
            }
            LineCallState::Disconnected(mode) => {
                self.tell(Err(format!("a call ended: {mode:?}")));
                Ok(())
            }
            LineCallState::Idle => {
                let closed = self.provider().line_close_call(hd);
                if own {
                    self.calls().remove(&call);
                    self.tell(Ok(()));
                    self.place();
                }
                closed
            }
            _ => Ok(()),
        };
        if let Err(error) = asked {
            self.tell(Err(error.to_string()));
        }
    }

    fn call_info(&self, _: HtLine, _: HtCall, _: CallInfoChange) {}

    fn digit(&self, _: HtLine, _: HtCall, _: char, _: DigitMode) {}

    fn send_msp_data(
        &self,
        _: HtLine,
        call: Option<HtCall>,
        _: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        let message = ToMsp::decode(data.as_bytes()).map_err(LineError::failed)?;
        if let (ToMsp::Prepare { .. }, Some(call)) = (message, call) {
            let known = match self.calls().get_mut(&call) {
                Some(placed) if placed.provider.is_none() => {
                    placed.asked = true;
                    None
                }
                Some(placed) => placed.provider,
                None => Some(HdCall(call.0)),
            };
            if let Some(hd) = known {
                self.prepared(hd);
            }
        }
        Ok(())
    }

    fn line_dev_state(&self, _: HtLine, _: LineDevState) {}

    fn line_closed(&self, _: HtLine, why: LineError) {
        self.tell(Err(why.to_string()));
    }
}

struct Run {
    cpu: Duration,
    wall: Duration,
    latencies: Vec<Duration>,
}

/// Two providers: `count` calls from the one to the other, `at_once` under way at a time. With `keeps` they stand
/// until the end, and `look` is told of them.
fn providers(
    runtime: &Runtime,
    count: usize,
    at_once: usize,
    keeps: bool,
    look: impl FnOnce(),
) -> Result<Run, Box<dyn Error>> {
    let (done, doing) = mpsc::sync_channel(2 * count + 16);
    let caller = Desk::new(runtime, keeps, done.clone())?;
    let called = Desk::new(runtime, keeps, done)?;
    let at = called.listen()?;
    let _ = caller.destination.set(at.to_string());
    caller.left.store(count, Ordering::Relaxed);
    let (before, began) = (cpu(), Instant::now());
    for _ in 0..at_once {
        caller.place();
    }
    for _ in 0..count {
        doing.recv_timeout(PATIENCE)??;
    }
    let (cpu, wall) = (cpu() - before, began.elapsed());
    look();
    for desk in [&caller, &called] {
        desk.provider().provider_shutdown();
        runtime.block_on(async { tokio::time::timeout(PATIENCE, desk.provider().drained()).await })?;
    }
    let mut latencies = std::mem::take(&mut *caller.latencies.lock().unwrap_or_else(|p| p.into_inner()));
    latencies.sort();
    Ok(Run { cpu, wall, latencies })
}

/// What no telephone over TCP can beat: connect, two round trips of a Setup's size, close.
fn bare(runtime: &Runtime, count: usize) -> Result<Run, Box<dyn Error>> {
    const MESSAGE: [u8; 300] = [3; 300];
    let latencies = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 300];
                    stream.set_nodelay(true)?;
                    while stream.read_exact(&mut buffer).await.is_ok() {
                        stream.write_all(&buffer).await?;
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        let (before, began) = (cpu(), Instant::now());
        let calls = tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(count);
            for _ in 0..count {
                let began = Instant::now();
                let mut stream = tokio::net::TcpStream::connect(at).await?;
                stream.set_nodelay(true)?;
                let mut buffer = [0; 300];
                for _ in 0..2 {
                    stream.write_all(&MESSAGE).await?;
                    stream.read_exact(&mut buffer).await?;
                }
                latencies.push(began.elapsed());
            }
            std::io::Result::Ok(latencies)
        });
        let latencies = calls.await??;
        let run = Run { cpu: cpu() - before, wall: began.elapsed(), latencies };
        server.abort();
        Ok::<_, Box<dyn Error>>(run)
    })?;
    let mut run = latencies;
    run.latencies.sort();
    Ok(run)
}

fn percentile(sorted: &[Duration], of_thousand: usize) -> f64 {
    let at = (sorted.len() * of_thousand / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
}

// --- idle calls -----------------------------------------------------------------------------------------

/// A line of /proc/self/status: kilobytes, or a number.
fn status(of: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(of));
    line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// As many calls as there may be descriptors for, two a call and some to spare.
fn affordable(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let most = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let calls = most.map_or(usize::MAX, |most| most.saturating_sub(200) as usize / 2);
    if calls < wanted {
        println!("descriptors are limited: {calls} idle calls in place of {wanted}");
    }
    wanted.min(calls)
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs it too: then a few calls are enough.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let count = number("OFFHOOK_CALLS", if is_bench { 4_000 } else { 20 });
    let idle = affordable(number("OFFHOOK_IDLE", if is_bench { 10_000 } else { 20 }));

    println!(
        "set-up and release, machines alone      µs CPU a call and side   calls/s a core and side   octets"
    );
    let fast = Config::default();
    let slow = Config { fast_start: false, ..Config::default() };
    for (name, config) in [("fast start, tunnelling", &fast), ("slow start, tunnelling", &slow)] {
        machines(config, count / 10)?;
        let (took, octets) = machines(config, count)?;
        let side = micros(took, 2 * count);
        println!("  {name:<36} {side:>22.1} {:>25.0} {:>8}", 1e6 / side, octets / count.max(1));
    }

    // As many threads as cores, which is what an application gets.
    let runtime = Runtime::new()?;
    bare(&runtime, count / 10)?;
    let bare = bare(&runtime, count)?;
    providers(&runtime, count / 10, 1, false, || {})?;
    println!("over TCP on loopback, fast start, tunnelling; both sides in this process");
    println!(
        "                                       µs CPU a call and side  calls/s a core and side  ratio  p50 ms  p99 ms"
    );
    let base = micros(bare.cpu, 2 * count);
    let line = |name: &str, run: &Run| {
        let side = micros(run.cpu, 2 * count);
        println!(
            "  {name:<36} {side:>22.1} {:>24.0} {:>6.2} {:>7.3} {:>7.3}   {:.0}/s by the clock",
            1e6 / side,
            side / base,
            percentile(&run.latencies, 500),
            percentile(&run.latencies, 990),
            count as f64 / run.wall.as_secs_f64(),
        );
    };
    line("TCP connect, two round trips, close", &bare);
    line("calls one after the other", &providers(&runtime, count, 1, false, || {})?);
    line("calls, 32 at once", &providers(&runtime, count, 32, false, || {})?);

    let (before, threads) = (status("VmRSS"), status("Threads"));
    let (mut kilobytes, mut more) = (0, 0);
    providers(&runtime, idle, 64, true, || {
        kilobytes = status("VmRSS").saturating_sub(before);
        more = status("Threads").saturating_sub(threads);
    })?;
    println!(
        "{idle} idle calls: {:.1} KB a call and side, {more} threads more than without",
        kilobytes as f64 / (2 * idle) as f64
    );
    Ok(())
}
