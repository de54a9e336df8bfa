//! `offhook modem`: a modem on a serial port, by itself: what it is, a call placed, calls answered. Without sound: that
//! stays between the modem and what is plugged into it.
//!
//! In: arguments. Out: a line of text or of JSON for everything that happens.
//! Not here: AT commands (`offhook_modem`).

use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use offhook::modem::{ModemConfig, ModemProvider, PortConfig, Profile};
use offhook::{
    Address, AddressEvent, Call, CallInfo, CallState, DisconnectCode, Event, EventFilter, EventStream,
    LineCallState, LineDevState, MediaTypes, Privilege, Tapi,
};
use offhook_broker::Broker;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::call::Interrupt;
use super::leg::FOREVER;
use super::report::describe;
use super::values::{digits, seconds};
use super::{Failure, Outcome, say};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["probe", "dial", "answer"])))]
pub(crate) struct ModemArgs {
    /// The serial port: /dev/ttyUSB0, /dev/serial/by-id/…
    #[arg(long, value_name = "PORT")]
    pub(crate) port: String,
    /// Say what is there and what it can do
    #[arg(long)]
    pub(crate) probe: bool,
    /// Call this number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) dial: Option<String>,
    /// Answer calls until Ctrl-C
    #[arg(long)]
    pub(crate) answer: bool,
    /// What kind of modem it is; --probe says which fits
    #[arg(long, value_enum, default_value = "voice")]
    pub(crate) profile: Kind,
    /// Speed of the port in bit/s
    #[arg(long, value_name = "BPS", default_value_t = 115_200)]
    pub(crate) baud: u32,
    /// RTS/CTS flow control
    #[arg(long)]
    pub(crate) rtscts: bool,
    /// Send the modem this command when it is set up; more than once if need be
    #[arg(long, value_name = "COMMAND")]
    pub(crate) init: Vec<String>,
    /// Dial this before every number
    #[arg(long, value_name = "DIGITS", default_value = "")]
    pub(crate) prefix: String,
    /// Once connected, send these digits
    #[arg(long, value_name = "DIGITS", value_parser = digits, conflicts_with = "probe")]
    pub(crate) digits: Option<String>,
    /// Hang up after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds, conflicts_with = "probe")]
    pub(crate) duration: Option<Duration>,
    /// Let the far end ring for so many seconds at most
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60")]
    pub(crate) timeout: Duration,
    /// Let it ring for so many seconds before answering: the caller's number comes after the first ring
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "0", requires = "answer")]
    pub(crate) ring: Duration,
    /// Leave after so many calls
    #[arg(long, value_name = "N", requires = "answer")]
    pub(crate) calls: Option<u32>,
    /// Print JSON, a line for everything that happens
    #[arg(long)]
    pub(crate) json: bool,
}

/// A kind of modem, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Analogue, with voice mode (+FCLASS=8)
    Voice,
    /// Analogue, without: a dialler for the telephone beside it
    Data,
    /// Cellular
    Gsm,
}

impl Kind {
    fn profile(self) -> Profile {
        match self {
            Self::Voice => Profile::Voice,
            Self::Data => Profile::Data,
            Self::Gsm => Profile::Gsm,
        }
    }
}

/// The questions of a probe, and what the answer to each is called.
const QUESTIONS: [(&str, &str); 10] = [
    ("identity", "ATI"),
    ("firmware", "ATI3"),
    ("manufacturer", "AT+GMI"),
    ("model", "AT+GMM"),
    ("revision", "AT+GMR"),
    ("classes", "AT+FCLASS=?"),
    ("caller_id", "AT+VCID=?"),
    ("digits", "AT+VTS=?"),
    ("calling_line", "AT+CLIP=?"),
    ("calls", "AT+CLCC"),
];

pub(super) async fn run(args: ModemArgs) -> Result<Outcome, Failure> {
    // What is there is asked in the plainest way.
    let profile = if args.probe { Profile::Data } else { args.profile.profile() };
    let timeout = u64::try_from(args.timeout.as_millis()).unwrap_or(u64::MAX);
    let port = PortConfig {
        baud: args.baud,
        flow_control: args.rtscts,
        profile,
        init: args.init.clone(),
        dial_prefix: args.prefix.clone(),
        dial_timeout_ms: timeout,
        ..PortConfig::new(&args.port)
    };
    let config = ModemConfig { ports: vec![port] };
    let provider = ModemProvider::new(config, tokio::runtime::Handle::current()).map_err(Failure::new)?;
    let broker = Broker::new();
    broker.add_provider(std::sync::Arc::new(provider.clone())).map_err(Failure::new)?;
    let tapi = Tapi::connect(|sink| broker.connect("offhook modem", sink), None).map_err(Failure::new)?;
    let result = attend(&tapi, &provider, &args).await;
    tapi.close().await;
    broker.shutdown();
    provider.drained().await;
    result
}

async fn attend(tapi: &Tapi, provider: &ModemProvider, args: &ModemArgs) -> Result<Outcome, Failure> {
    let addresses = tapi.addresses().await.map_err(Failure::new)?;
    let address = addresses.first().ok_or_else(|| Failure::new("the provider has no line"))?;
    let mut events = tapi.events(EventFilter::ALL);
    let mut interrupt = Interrupt::new();
    let privilege = if args.answer { Privilege::Owner } else { Privilege::None };
    address.open(privilege, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    let with = tokio::select! {
        with = in_service(&mut events) => with?,
        () = interrupt.wait() => return Ok(Outcome::Interrupted),
    };
    if args.probe {
        return probe(provider, args, &with).await;
    }
    tell(args, &with, json!({ "event": "in service", "with": with }))?;
    match &args.dial {
        Some(number) => dial(address, events, &mut interrupt, args, number).await,
        None => answer(events, &mut interrupt, args).await,
    }
}

/// Waits until the modem is ready; one that is not ready at once is a failure.
async fn in_service(events: &mut EventStream) -> Result<String, Failure> {
    loop {
        match events.next().await {
            Some(Event::Address { event: AddressEvent::Service(state), .. }) => match state {
                LineDevState::InService { with } => return Ok(with),
                LineDevState::OutOfService { why } => return Err(Failure(why)),
            },
            Some(_) => {}
            None => return Err(Failure::new("the broker has gone")),
        }
    }
}

async fn probe(provider: &ModemProvider, args: &ModemArgs, with: &str) -> Result<Outcome, Failure> {
    let mut answers = Vec::new();
    for (what, command) in QUESTIONS {
        // A modem refuses what it does not have.
        answers.push((what, command, provider.command(0, command).await.ok()));
    }
    let said =
        |what: &str| answers.iter().find(|(known, ..)| *known == what).and_then(|(.., said)| said.as_ref());
    let classes = said("classes").map(|lines| lines.join(" ")).unwrap_or_default();
    let has_voice = classes.split([',', '(', ')', ' ', ':']).any(|class| class == "8");
    // Whoever lists calls has more than one line to tell about.
    let profile = match (said("calls"), has_voice) {
        (Some(_), _) => "gsm",
        (None, true) => "voice",
        (None, false) => "data",
    };
    if args.json {
        let all: serde_json::Map<_, _> =
            answers.iter().map(|(what, _, said)| ((*what).to_owned(), json!(said))).collect();
        let text =
            json!({ "event": "probe", "port": args.port, "with": with, "profile": profile, "said": all });
        say(format_args!("{text}\n"))?;
        return Ok(Outcome::Done);
    }
    say(format_args!("{with}\n"))?;
    for (what, command, said) in &answers {
        let said = said.as_ref().map_or_else(|| "–".to_owned(), |lines| lines.join(" / "));
        say(format_args!("  {:<14} {command:<12} {said}\n", what.replace('_', " ")))?;
    }
    say(format_args!("it is a modem for --profile {profile}\n"))?;
    Ok(Outcome::Done)
}

async fn dial(
    address: &Address,
    events: EventStream,
    interrupt: &mut Interrupt,
    args: &ModemArgs,
    number: &str,
) -> Result<Outcome, Failure> {
    let call = address.create_call(number, MediaTypes::AUDIO).map_err(Failure::new)?;
    let dialled = tokio::select! {
        dialled = call.dial() => dialled,
        () = interrupt.wait() => {
            call.release().await;
            return Ok(Outcome::Interrupted);
        }
    };
    if let Err(why) = dialled {
        call.release().await;
        return Err(Failure::new(why));
    }
    let mut events = events;
    let followed = follow(&call, &mut events, interrupt, args).await;
    call.release().await;
    Ok(match followed? {
        Followed { connected: true, .. } => Outcome::Done,
        Followed { interrupted: true, .. } => Outcome::Interrupted,
        Followed { .. } => Outcome::NoCall,
    })
}

async fn answer(
    mut events: EventStream,
    interrupt: &mut Interrupt,
    args: &ModemArgs,
) -> Result<Outcome, Failure> {
    let mut answered = 0;
    while args.calls.is_none_or(|calls| answered < calls) {
        let event = tokio::select! {
            event = events.next() => event.ok_or_else(|| Failure::new("the broker has gone"))?,
            () = interrupt.wait() => return Ok(Outcome::Done),
        };
        match event {
            Event::CallNotification { call, .. } => {
                let info = call.info().await.map_err(Failure::new)?;
                tell_caller(args, "arrives", &info)?;
                let followed = follow(&call, &mut events, interrupt, args).await;
                call.release().await;
                if followed?.interrupted {
                    return Ok(Outcome::Done);
                }
                answered += 1;
            }
            event => service(args, &event)?,
        }
    }
    Ok(Outcome::Done)
}

/// How a call went.
#[derive(Default)]
struct Followed {
    connected: bool,
    interrupted: bool,
}

/// Stays with a call to its end; one that is offered is answered.
async fn follow(
    call: &Call,
    events: &mut EventStream,
    interrupt: &mut Interrupt,
    args: &ModemArgs,
) -> Result<Followed, Failure> {
    let mut followed = Followed::default();
    let far = Instant::now() + FOREVER;
    let offered = call.state() == CallState::Offering;
    let mut answer_at = if offered { Instant::now() + args.ring } else { far };
    let mut until = far;
    let (sent, mut digits) = tokio::sync::mpsc::unbounded_channel();
    loop {
        tokio::select! {
            event = events.next() => {
                let event = event.ok_or_else(|| Failure::new("the broker has gone"))?;
                match &event {
                    Event::CallState { call: of, line_state, cause, .. } if of == call => {
                        let text = describe(*line_state);
                        tell(args, &text, json!({ "event": "state", "state": text }))?;
                        if matches!(line_state, LineCallState::Connected(_)) && !followed.connected {
                            followed.connected = true;
                            until = args.duration.map_or(far, |duration| Instant::now() + duration);
                            if let Some(digits) = args.digits.clone() {
                                let (call, sent) = (call.clone(), sent.clone());
                                tokio::spawn(async move {
                                    // Whoever waits for it may have left with the call.
                                    let _ = sent.send(call.generate_digits(&digits).await);
                                });
                            }
                        }
                        if cause.is_some() {
                            return Ok(followed);
                        }
                    }
                    Event::CallInfoChange { call: of, info, .. } if of == call => {
                        tell_caller(args, "caller", info)?;
                    }
                    Event::Digit { call: of, digit, .. } if of == call => {
                        tell(args, &format!("digit {digit}"), json!({ "event": "digit", "digit": digit }))?;
                    }
                    other => service(args, other)?,
                }
            }
            Some(result) = digits.recv() => match result {
                Ok(()) => tell(args, "digits sent", json!({ "event": "digits sent" }))?,
                Err(why) => eprintln!("offhook: digits: {why}"),
            },
            () = sleep_until(answer_at) => {
                answer_at = far;
                // A caller who has gone says so by the call's state.
                if let Err(why) = call.answer().await {
                    tracing::info!(%why, "not answered");
                }
            }
            () = sleep_until(until) => {
                until = far;
                hang_up(call).await?;
            }
            () = interrupt.wait() => {
                followed.interrupted = true;
                tokio::select! {
                    hung_up = hang_up(call) => hung_up?,
                    // Asked twice: the modem may find out by itself.
                    () = interrupt.wait() => return Ok(followed),
                }
            }
        }
    }
}

async fn hang_up(call: &Call) -> Result<(), Failure> {
    call.disconnect(DisconnectCode::Normal).await.map_err(Failure::new)
}

/// What happens to the line itself.
fn service(args: &ModemArgs, event: &Event) -> Result<(), Failure> {
    match event {
        Event::Address { event: AddressEvent::Service(LineDevState::InService { with }), .. } => {
            tell(args, with, json!({ "event": "in service", "with": with }))
        }
        Event::Address { event: AddressEvent::Service(LineDevState::OutOfService { why }), .. } => {
            tell(args, &format!("out of service: {why}"), json!({ "event": "out of service", "why": why }))
        }
        _ => Ok(()),
    }
}

fn tell_caller(args: &ModemArgs, what: &str, info: &CallInfo) -> Result<(), Failure> {
    let ids: serde_json::Map<_, _> =
        info.provider_ids.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let number = Some(info.caller.address.as_str()).filter(|number| !number.is_empty());
    let name = info.caller.name.as_deref();
    let withheld = info.provider_ids.iter().find(|(key, _)| key == "callerId").map(|(_, why)| why.as_str());
    let who = match (number, name) {
        (Some(number), Some(name)) => format!("{name} ({number})"),
        (Some(number), None) => number.to_owned(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => withheld.unwrap_or("number not known yet").to_owned(),
    };
    let line = json!({ "event": what, "number": number, "name": name, "ids": ids });
    tell(args, &format!("{what}: {who}"), line)
}

fn tell(args: &ModemArgs, text: &str, line: Value) -> Result<(), Failure> {
    if args.json { say(format_args!("{line}\n")) } else { say(format_args!("{text}\n")) }
}
