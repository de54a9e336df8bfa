//! `offhook gatekeeper`: a small gatekeeper for tests and for trying things out.
//!
//! In: arguments, a file of users, orders on standard input. Out: a line of text or of JSON for every event; the table of
//! endpoints and calls, live on a terminal.
//! Not here: what a gatekeeper is (`offhook-gatekeeper`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use offhook::gatekeeper::{
    CallModel, CallRow, DuplicateAliases, GatekeeperConfig, GatekeeperEvent, Server, ServerConfig, Snapshot,
};
use offhook::{Alias, Password};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::call::Interrupt;
use super::register::alias;
use super::values::seconds;
use super::{Failure, Outcome, harmless, say};

/// The largest file of users that is read, in octets.
const MAX_USERS: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct GatekeeperServerArgs {
    /// Where RAS is taken; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDR", value_parser = ras_address, default_value = "0.0.0.0:1719")]
    listen: SocketAddr,
    /// The name of the gatekeeper (gatekeeperIdentifier)
    #[arg(long, value_name = "NAME", default_value = "offhook", value_parser = identifier)]
    id: String,
    /// Call signalling goes through the gatekeeper instead of straight to the other endpoint
    #[arg(long)]
    routed: bool,
    /// Where routed call signalling is taken; port 0 takes a free one
    #[arg(long, value_name = "ADDR", requires = "routed")]
    signal_listen: Option<SocketAddr>,
    /// Only who proves to be one of the users in this file may register: a line each, NAME:PASSWORD
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// How long a registration holds at most, in seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60")]
    time_to_live: Duration,
    /// What one call may use, both ways together, in bit/s
    #[arg(long, value_name = "BPS")]
    call_bandwidth: Option<u32>,
    /// What all calls together may use, in bit/s
    #[arg(long, value_name = "BPS")]
    bandwidth: Option<u32>,
    /// Have endpoints report on their calls every so many seconds (IRR)
    #[arg(long, value_name = "S", value_parser = seconds)]
    reports: Option<Duration>,
    /// An alias that is taken goes to the newer endpoint, and the older one is unregistered
    #[arg(long)]
    replace_duplicates: bool,
    /// Answer discovery by multicast too (224.0.1.41:1718)
    #[arg(long)]
    multicast: bool,
    /// Our address as endpoints reach it, where --listen names none
    #[arg(long, value_name = "IP")]
    advertise: Option<IpAddr>,
    /// Stop after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    duration: Option<Duration>,
    /// Print JSON on standard output instead of text
    #[arg(long)]
    json: bool,
    /// No live table
    #[arg(short, long)]
    quiet: bool,
}

fn ras_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, offhook::RAS_PORT));
    }
    text.parse().map_err(|_| "an IP address, or IP:port".to_owned())
}

fn identifier(text: &str) -> Result<String, String> {
    if (1..=128).contains(&text.encode_utf16().count()) {
        Ok(text.to_owned())
    } else {
        Err("1 to 128 characters".to_owned())
    }
}

/// Serves until Ctrl-C.
pub(super) async fn run(args: GatekeeperServerArgs) -> Result<Outcome, Failure> {
    let mut config = GatekeeperConfig::new(&args.id);
    config.model = if args.routed { CallModel::GatekeeperRouted } else { CallModel::Direct };
    config.time_to_live = args.time_to_live;
    config.least_time_to_live = config.least_time_to_live.min(args.time_to_live);
    config.call_bandwidth = args.call_bandwidth.map(|bps| bps / 100);
    config.total_bandwidth = args.bandwidth.map(|bps| bps / 100);
    config.irr_interval = args.reports;
    if args.replace_duplicates {
        config.duplicates = DuplicateAliases::Replace;
    }
    if let Some(file) = &args.users {
        config.users = read_users(file)?;
    }
    let mut server = ServerConfig::new(config, args.listen);
    if let Some(signal) = args.signal_listen {
        server.signal = signal;
    }
    server.advertise = args.advertise;
    server.multicast = args.multicast;
    let (server, mut events) = Server::start(server).map_err(Failure::new)?;
    let screen = Screen::new(&args);
    let signal = server.signal_address().map(|at| at.to_string());
    let through = signal.as_ref().map(|at| format!(", call signalling on {at}")).unwrap_or_default();
    screen.tell(
        &format!("gatekeeper {:?}: RAS on {}{through}", args.id, server.ras_address()),
        json!({ "event": "listening", "ras": server.ras_address().to_string(), "signal": signal }),
    )?;
    let mut interrupt = Interrupt::new();
    let mut orders = read_orders()?;
    let mut listening = true;
    let over = tokio::time::sleep(args.duration.unwrap_or(super::leg::FOREVER));
    tokio::pin!(over);
    let mut snapshot = server.snapshot();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    let (line, what) = describe(&event);
                    screen.tell(&line, what)?;
                    screen.show(&snapshot.borrow_and_update());
                }
                None => return Err(Failure::new("the gatekeeper has ended")),
            },
            order = orders.recv(), if listening => match order {
                Some(order) => obey(&server, &screen, &order).await?,
                // Nobody gives orders: it serves all the same.
                None => listening = false,
            },
            () = interrupt.wait() => break,
            () = &mut over => break,
        }
    }
    screen.end();
    Ok(Outcome::Done)
}

fn read_users(file: &Path) -> Result<Vec<(String, Password)>, Failure> {
    let failed = |why: String| Failure(format!("{}: {why}", file.display()));
    let size = std::fs::metadata(file).map_err(|why| failed(why.to_string()))?.len();
    if size > MAX_USERS {
        return Err(failed(format!("{size} octets are too many")));
    }
    let text = std::fs::read_to_string(file).map_err(|why| failed(why.to_string()))?;
    let text = zeroize::Zeroizing::new(text);
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let users: Result<Vec<_>, _> = lines
        .map(|(at, line)| match line.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                Ok((name.to_owned(), Password::new(password)))
            }
            _ => Err(failed(format!("line {}: NAME:PASSWORD", at + 1))),
        })
        .collect();
    match users? {
        none if none.is_empty() => Err(failed("no user in it".to_owned())),
        users => Ok(users),
    }
}

/// The longest order that is read, in octets.
const MAX_ORDER: u64 = 1_024;

/// The lines of standard input, read by a thread that nobody waits for: one of the runtime's would hold up the end until
/// somebody pressed Enter.
fn read_orders() -> Result<mpsc::Receiver<String>, Failure> {
    let (sender, orders) = mpsc::channel(1);
    let read = move || {
        let mut input = BufReader::new(std::io::stdin());
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.by_ref().take(MAX_ORDER).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if sender.blocking_send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("orders".to_owned()).spawn(read);
    thread.map_err(|why| Failure(format!("no thread for standard input: {why}")))?;
    Ok(orders)
}

/// What standard input may say.
const ORDERS: &str = "orders: list, unregister ALIAS, query ALIAS, disconnect CALL, bandwidth CALL BPS";

async fn obey(server: &Server, screen: &Screen, order: &str) -> Result<(), Failure> {
    let words: Vec<_> = order.split_whitespace().collect();
    let done = match words.as_slice() {
        [] => return Ok(()),
        ["list"] => {
            let snapshot = server.snapshot().borrow().clone();
            return screen.tell(table(&snapshot).trim_end(), listing(&snapshot));
        }
        ["unregister", name] => Some(server.unregister(alias(name)).await),
        ["query", name] => Some(server.query(alias(name)).await),
        ["disconnect", call] => match call_named(server, call) {
            Some(call) => Some(server.disconnect(call).await),
            None => Some(false),
        },
        ["bandwidth", call, bps] => match (call_named(server, call), bps.parse::<u32>()) {
            (Some(call), Ok(bps)) => Some(server.set_bandwidth(call, bps / 100).await),
            (None, Ok(_)) => Some(false),
            (_, Err(_)) => None,
        },
        _ => None,
    };
    let result = match done {
        Some(true) => "ordered",
        Some(false) => "there is nobody of that name, or no such call",
        None => ORDERS,
    };
    screen.tell(&format!("{order}: {result}"), json!({ "event": "order", "order": order, "result": result }))
}

/// A call by its identifier, or the beginning of it.
fn call_named(server: &Server, text: &str) -> Option<[u8; 16]> {
    let snapshot = server.snapshot();
    let snapshot = snapshot.borrow();
    let mut fitting = snapshot.calls.iter().filter(|row| hex(&row.call_identifier).starts_with(text));
    match (fitting.next(), fitting.next()) {
        (Some(row), None) => Some(row.call_identifier),
        _ => None,
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Where events and the table are shown.
struct Screen {
    json: bool,
    live: Option<ProgressBar>,
}

impl Screen {
    fn new(args: &GatekeeperServerArgs) -> Self {
        let live = !args.json && !args.quiet && std::io::stdout().is_terminal();
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { json: args.json, live: bar }
    }

    fn tell(&self, line: &str, what: Value) -> Result<(), Failure> {
        match (&self.live, self.json) {
            (Some(bar), _) => {
                bar.println(harmless(line));
                Ok(())
            }
            (None, true) => say(format_args!("{what}\n")),
            (None, false) => say(format_args!("{line}\n")),
        }
    }

    fn show(&self, snapshot: &Snapshot) {
        if let Some(bar) = &self.live {
            bar.set_message(harmless(&table(snapshot)));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }
}

fn names(aliases: &[Alias]) -> String {
    aliases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn endpoint_json(row: &offhook::gatekeeper::EndpointRow) -> Value {
    json!({
        "endpointIdentifier": row.identifier,
        "aliases": row.aliases.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ras": row.ras_address.to_string(),
        "signal": row.signal_addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "product": row.product,
        "user": row.user,
    })
}

fn call_json(row: &CallRow) -> Value {
    json!({
        "callIdentifier": hex(&row.call_identifier),
        "conferenceID": hex(&row.conference_id),
        "caller": row.caller.as_ref().map(|leg| &leg.endpoint),
        "called": row.called.as_ref().map(|leg| &leg.endpoint),
        "destination": row.destination.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "routed": row.model == CallModel::GatekeeperRouted,
        "bandwidth": u64::from(row.bandwidth) * 100,
    })
}

fn listing(snapshot: &Snapshot) -> Value {
    json!({
        "event": "list",
        "endpoints": snapshot.endpoints.iter().map(endpoint_json).collect::<Vec<_>>(),
        "calls": snapshot.calls.iter().map(call_json).collect::<Vec<_>>(),
    })
}

fn table(snapshot: &Snapshot) -> String {
    let mut text = format!("{} endpoints, {} calls\n", snapshot.endpoints.len(), snapshot.calls.len());
    let who: HashMap<_, _> =
        snapshot.endpoints.iter().map(|row| (&row.identifier, names(&row.aliases))).collect();
    for row in &snapshot.endpoints {
        let at = row.signal_addresses.first().map(ToString::to_string).unwrap_or_default();
        let left = row.expires.saturating_sub(snapshot.at).as_secs();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<24} {at:<22} {left:>4} s  {}", names(&row.aliases), row.product);
    }
    for row in &snapshot.calls {
        let name = |leg: &Option<offhook::gatekeeper::CallLeg>| {
            leg.as_ref().and_then(|leg| who.get(&leg.endpoint).cloned()).unwrap_or_else(|| "?".to_owned())
        };
        let called = row.called.as_ref().map_or_else(|| names(&row.destination), |_| name(&row.called));
        let identifier = hex(&row.call_identifier);
        let short = identifier.get(..8).unwrap_or_default();
        let since = snapshot.at.saturating_sub(row.since).as_secs();
        let _ = writeln!(
            text,
            "  {short} {} → {called}  {since} s  {} bit/s",
            name(&row.caller),
            u64::from(row.bandwidth) * 100
        );
    }
    text
}

/// An event for people and for programs.
fn describe(event: &GatekeeperEvent) -> (String, Value) {
    match event {
        GatekeeperEvent::Registered(row) => {
            let what = json!({ "event": "registered", "endpoint": endpoint_json(row) });
            (format!("registered {} at {}", names(&row.aliases), row.ras_address), what)
        }
        GatekeeperEvent::Unregistered(row, why) => {
            let why = format!("{why:?}").to_lowercase();
            let what = json!({ "event": "unregistered", "why": why, "endpoint": endpoint_json(row) });
            (format!("unregistered {} ({why})", names(&row.aliases)), what)
        }
        GatekeeperEvent::Refused(from, why) => (
            format!("refused {from}: {why}"),
            json!({ "event": "refused", "from": from.to_string(), "why": why }),
        ),
        GatekeeperEvent::Admitted(row, answering) => {
            let side = if *answering { "answering" } else { "calling" };
            let what = json!({ "event": "admitted", "side": side, "call": call_json(row) });
            (format!("admitted {} to {} ({side})", hex(&row.call_identifier), names(&row.destination)), what)
        }
        GatekeeperEvent::NotAdmitted(call, endpoint, why) => {
            let (call, why) = (hex(call), why.name());
            let what = json!({ "event": "notAdmitted", "callIdentifier": call, "endpointIdentifier": endpoint, "why": why });
            (format!("not admitted {call}: {why}"), what)
        }
        GatekeeperEvent::Bandwidth(call, bandwidth) => {
            let (call, bps) = (hex(call), u64::from(*bandwidth) * 100);
            let what = json!({ "event": "bandwidth", "callIdentifier": call, "bandwidth": bps });
            (format!("bandwidth of {call}: {bps} bit/s"), what)
        }
        GatekeeperEvent::CallEnded(row, why) => {
            let why = format!("{why:?}").to_lowercase();
            let what = json!({ "event": "callEnded", "why": why, "call": call_json(row) });
            (format!("ended {} ({why})", hex(&row.call_identifier)), what)
        }
        GatekeeperEvent::Report(endpoint, calls, unsolicited) => {
            let calls: Vec<_> = calls.iter().map(|call| hex(call)).collect();
            let what = json!({
                "event": "report", "endpointIdentifier": endpoint, "calls": calls, "unsolicited": unsolicited,
            });
            (format!("report of {endpoint}: {} calls", calls.len()), what)
        }
        GatekeeperEvent::Unanswered(endpoint, request) => {
            let what = json!({ "event": "unanswered", "endpointIdentifier": endpoint, "request": request });
            (format!("{endpoint} does not answer {request}"), what)
        }
        other => (format!("{other:?}"), json!({ "event": "other", "what": format!("{other:?}") })),
    }
}
