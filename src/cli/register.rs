//! `offhook register`, and what every command that has a gatekeeper is told about it.
//!
//! In: arguments, a password from a file or from the terminal. Out: a [`RegistrationConfig`]; a line of text or of JSON
//! for every change of the registration.
//! Not here: RAS (`h323`), its socket (`tsp`).

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use offhook::{
    Alias, Discovery, Embedded, MediaTypes, Password, Privilege, RAS_PORT, RasConfig, RasState,
    RegistrationConfig, RegistrationStatus, Security, UnsignedReplies, UnsignedSignals,
};
use serde_json::{Value, json};

use super::args::{MediaArgs, OutputArgs, SignallingArgs};
use super::call::Interrupt;
use super::leg;
use super::values::{listen_address, seconds};
use super::{Failure, Outcome, say};

/// The largest password file that is read, in octets.
const MAX_PASSWORD: u64 = 4_096;

/// A gatekeeper, and how to be known to it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Gatekeeper")]
pub(crate) struct GatekeeperArgs {
    /// Live behind a gatekeeper: HOST, HOST:PORT, `srv:DOMAIN` (DNS SRV _h323rs._udp) or `multicast` (224.0.1.41). What
    /// is called may then be a number or a name alone
    #[arg(long, value_name = "WHERE", value_parser = discovery)]
    pub(crate) gatekeeper: Option<Discovery>,
    /// Only a gatekeeper of this name (gatekeeperIdentifier)
    #[arg(long, value_name = "NAME", requires = "gatekeeper")]
    pub(crate) gatekeeper_id: Option<String>,
    /// The name that the password belongs to, instead of the first alias
    #[arg(long, value_name = "NAME", requires = "gatekeeper")]
    pub(crate) user: Option<String>,
    /// The password (H.235) is the first line of this file
    #[arg(long, value_name = "FILE", requires = "gatekeeper", conflicts_with = "ask_password")]
    pub(crate) password_file: Option<PathBuf>,
    /// Ask for the password on the terminal
    #[arg(long, requires = "gatekeeper")]
    pub(crate) ask_password: bool,
    /// Register only with a gatekeeper that proves itself with every answer (H.235.1)
    #[arg(long, requires = "gatekeeper")]
    pub(crate) strict: bool,
    /// Sign the call signalling that goes through the gatekeeper (H.235.1)
    #[arg(long, requires = "gatekeeper")]
    pub(crate) sign_calls: bool,
    /// How long a registration shall hold, in seconds; the gatekeeper decides
    #[arg(long, value_name = "S", requires = "gatekeeper", value_parser = seconds, default_value = "300")]
    pub(crate) time_to_live: Duration,
    /// What each call asks for, both ways together, in bit/s; codecs that need more than is granted are left out
    #[arg(long, value_name = "BPS", requires = "gatekeeper", default_value_t = 128_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) bandwidth: u32,
    /// Our address as the gatekeeper reaches it, instead of that of the interface towards it
    #[arg(long, value_name = "IP", requires = "gatekeeper")]
    pub(crate) advertise: Option<IpAddr>,
}

impl GatekeeperArgs {
    /// How to register under `aliases`; nothing without a gatekeeper.
    pub(super) fn config(&self, aliases: &[Alias]) -> Result<Option<RegistrationConfig>, Failure> {
        let Some(discovery) = self.gatekeeper.clone() else { return Ok(None) };
        let password = match &self.password_file {
            Some(file) => Some(read_password(file)?),
            None if self.ask_password => {
                let text = rpassword::prompt_password("password: ")
                    .map_err(|why| Failure(format!("no terminal to ask on: {why}")))?;
                Some(Password::new(text))
            }
            None => None,
        };
        let user = self.user.clone().or_else(|| aliases.first().map(ToString::to_string));
        let mut ras = RasConfig::new(discovery, aliases.to_vec());
        ras.gatekeeper_identifier.clone_from(&self.gatekeeper_id);
        ras.time_to_live = Some(self.time_to_live);
        if let Some(password) = password {
            if password.is_empty() {
                return Err(Failure::new("the password is empty"));
            }
            let user = user.ok_or_else(|| Failure::new("a password belongs to a name: --user or --alias"))?;
            let mut security = Security::new(user, password);
            if self.strict {
                security.replies = UnsignedReplies::Strict;
            }
            ras.security = Some(security);
        } else if self.strict || self.sign_calls {
            return Err(Failure::new(
                "without a password nothing can be proved: --password-file or --ask-password",
            ));
        }
        let mut config = RegistrationConfig::new(ras);
        config.advertise = self.advertise;
        config.bandwidth = self.bandwidth.div_ceil(100);
        config.sign_calls = self.sign_calls.then(UnsignedSignals::default);
        Ok(Some(config))
    }
}

fn read_password(file: &std::path::Path) -> Result<Password, Failure> {
    let failed = |why: std::io::Error| Failure(format!("{}: {why}", file.display()));
    if fs::metadata(file).map_err(failed)?.len() > MAX_PASSWORD {
        return Err(Failure(format!("{}: longer than a password is", file.display())));
    }
    let text = zeroize::Zeroizing::new(fs::read_to_string(file).map_err(failed)?);
    Ok(Password::new(text.lines().next().unwrap_or_default()))
}

fn discovery(text: &str) -> Result<Discovery, String> {
    if text == "multicast" {
        return Ok(Discovery::Multicast);
    }
    if let Some(domain) = text.strip_prefix("srv:") {
        return if domain.is_empty() {
            Err("srv:DOMAIN".to_owned())
        } else {
            Ok(Discovery::Domain(domain.to_owned()))
        };
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Discovery::Address(address));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Discovery::Address((ip, RAS_PORT).into()));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| "HOST:PORT")?),
        None => (text, RAS_PORT),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || !name.chars().all(legal) || port == 0 {
        return Err("HOST, HOST:PORT, srv:DOMAIN or multicast".to_owned());
    }
    Ok(Discovery::Host { name: name.to_owned(), port })
}

/// An alias as text: `kind:text`, or what it looks like.
pub(super) fn alias(text: &str) -> Alias {
    let typed = text.split_once(':').and_then(|(kind, rest)| {
        let rest = rest.to_owned();
        Some(match kind {
            "digits" => Alias::DialedDigits(rest),
            "name" => Alias::H323Id(rest),
            "url" => Alias::Url(rest),
            "email" => Alias::Email(rest),
            "number" => Alias::PartyNumber(rest),
            "transport" => Alias::Transport(rest.parse().ok()?),
            _ => return None,
        })
    });
    typed.unwrap_or_else(|| Alias::from_text(text))
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// Where calls would come; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = listen_address, default_value = "0.0.0.0:0")]
    pub(crate) listen: SocketAddr,
    /// Leave once registered; fail (3) if the first attempt fails
    #[arg(long)]
    pub(crate) once: bool,
    /// Leave after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) signalling: SignallingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Registers and stays registered until Ctrl-C. Calls that come are refused: there is nobody to answer.
pub(super) async fn run(args: RegisterArgs) -> Result<Outcome, Failure> {
    if args.signalling.gatekeeper.gatekeeper.is_none() {
        return Err(Failure::new("with whom? --gatekeeper WHERE"));
    }
    let h323 = offhook::H323Config { listen: args.listen, ..Default::default() };
    let (config, tapes) = leg::configure("offhook register", &args.media, &args.signalling, h323)?;
    let phone = Embedded::start(config).await.map_err(Failure::new)?;
    let result = stay(&phone, &args).await;
    phone.shutdown().await;
    let taped = tapes.finish();
    let outcome = result?;
    if outcome == Outcome::Done {
        tell(&args.output, "unregistered", json!({ "event": "unregistered" }))?;
    }
    taped?;
    Ok(outcome)
}

async fn stay(phone: &Embedded, args: &RegisterArgs) -> Result<Outcome, Failure> {
    let mut changes = phone.registration();
    phone.address().open(Privilege::None, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    let mut interrupt = Interrupt::new();
    let over = tokio::time::sleep(args.duration.unwrap_or(leg::FOREVER));
    tokio::pin!(over);
    let mut said = Value::Null;
    let mut registered = false;
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Ok(Outcome::Done) },
            () = interrupt.wait() => return Ok(if registered { Outcome::Done } else { Outcome::Interrupted }),
            () = &mut over => return Ok(if registered { Outcome::Done } else { Outcome::NoCall }),
        }
        let status = changes.borrow_and_update().clone();
        let (line, what) = describe(&status);
        if what != said {
            tell(&args.output, &line, what.clone())?;
            said = what;
        }
        registered |= status.registration.is_some();
        if args.once && registered {
            return Ok(Outcome::Done);
        }
        if args.once && status.state == RasState::Waiting {
            return Ok(Outcome::NoCall);
        }
    }
}

fn tell(output: &OutputArgs, line: &str, what: Value) -> Result<(), Failure> {
    match (output.json, output.quiet) {
        (true, _) => say(format_args!("{what}\n")),
        (false, false) => say(format_args!("{line}\n")),
        (false, true) => Ok(()),
    }
}

/// A status for people and for programs.
fn describe(status: &RegistrationStatus) -> (String, Value) {
    let why = status.why_not.clone().unwrap_or_default();
    let Some(registration) = &status.registration else {
        let what = json!({ "event": "registration", "state": status.state.to_string(), "why": why });
        return (format!("not registered: {why}"), what);
    };
    let name = registration.gatekeeper_identifier.clone().unwrap_or_default();
    let aliases: Vec<_> = registration.aliases.iter().map(ToString::to_string).collect();
    let time_to_live = registration.time_to_live.map(|ttl| ttl.as_secs());
    let lasting = time_to_live.map(|s| format!(" for {s} s")).unwrap_or_default();
    let line = format!(
        "registered with {} as {}{lasting}",
        format!("{name} {}", registration.gatekeeper).trim_start(),
        aliases.join(", ")
    );
    let what = json!({
        "event": "registration",
        "state": status.state.to_string(),
        "gatekeeper": registration.gatekeeper.to_string(),
        "gatekeeperIdentifier": registration.gatekeeper_identifier,
        "endpointIdentifier": registration.endpoint_identifier,
        "aliases": aliases,
        "timeToLive": time_to_live,
        "alternate": registration.is_alternate,
    });
    (line, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gatekeeper_is_named_in_every_documented_way() {
        let host = |name: &str, port| Discovery::Host { name: name.to_owned(), port };
        assert_eq!(discovery("multicast"), Ok(Discovery::Multicast));
        assert_eq!(discovery("srv:example.com"), Ok(Discovery::Domain("example.com".to_owned())));
        assert_eq!(discovery("gk.example"), Ok(host("gk.example", 1719)));
        assert_eq!(discovery("gk:1800"), Ok(host("gk", 1800)));
        assert_eq!(discovery("192.0.2.1"), Ok(Discovery::Address(([192, 0, 2, 1], 1719).into())));
        assert_eq!(discovery("192.0.2.1:9"), Ok(Discovery::Address(([192, 0, 2, 1], 9).into())));
        assert_eq!(discovery("[::1]:9"), Ok(Discovery::Address("[::1]:9".parse().unwrap())));
        for bad in ["", "srv:", "a b", "gk:0", "gk:x", ":1719"] {
            assert!(discovery(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn aliases_of_every_type_can_be_written() {
        let text = |s: &str| s.to_owned();
        assert_eq!(alias("100"), Alias::DialedDigits(text("100")));
        assert_eq!(alias("bob"), Alias::H323Id(text("bob")));
        assert_eq!(alias("name:100"), Alias::H323Id(text("100")));
        assert_eq!(alias("url:h323:bob@x"), Alias::Url(text("h323:bob@x")));
        assert_eq!(alias("email:bob@x"), Alias::Email(text("bob@x")));
        assert_eq!(alias("number:4930"), Alias::PartyNumber(text("4930")));
        assert_eq!(alias("transport:192.0.2.1:1720"), Alias::Transport(([192, 0, 2, 1], 1720).into()));
        assert_eq!(alias("digits:7"), Alias::DialedDigits(text("7")));
    }
}
