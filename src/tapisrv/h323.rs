//! The settings of an `h323` provider: the options of `offhook answer` about signalling, under the same names.
//!
//! In: TOML. Out: an [`H323Config`]. Not here: what an option does (`docs/tapisrv.md`, `offhook answer --help`).

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use offhook_tsp::{
    Alias, CodecPreference, DigitsVia, Discovery, FastConnectAnswer, Forwarding, H323Config, Password,
    RAS_PORT, RasConfig, RegistrationConfig, Security, SetupUnanswered, UnsignedReplies, UnsignedSignals,
};
use serde::Deserialize;

use super::Settings;

/// The most octets of a password file.
const MAX_PASSWORD: u64 = 4_096;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct H323Settings {
    listen: Option<SocketAddr>,
    display: Option<String>,
    alias: Vec<String>,
    no_fast_start: bool,
    no_tunnel: bool,
    h245_in_setup: bool,
    fast_start_answer: Option<When>,
    repeat_fast_start: bool,
    prefer: Option<Whose>,
    share_connection: bool,
    keep_connection: bool,
    survive_signalling_loss: bool,
    repeat_setup: bool,
    /// Seconds, or "off".
    timer: BTreeMap<String, Lasts>,
    name_server: Vec<SocketAddr>,
    digits_via: Option<Way>,
    forwards: Option<u8>,
    max_calls: Option<usize>,
    gatekeeper: Option<Gatekeeper>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum When {
    Proceeding,
    Facility,
    Progress,
    Alerting,
    Connect,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Whose {
    Ours,
    Theirs,
    LowestRate,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Auto,
    Rfc4733,
    Signal,
    Alphanumeric,
    Keypad,
    Inband,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Lasts {
    Seconds(f64),
    Word(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Gatekeeper {
    /// HOST, HOST:PORT, `srv:DOMAIN` or `multicast`.
    address: String,
    id: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    sign_calls: bool,
    time_to_live: Option<u32>,
    bandwidth: Option<u32>,
    advertise: Option<IpAddr>,
}

impl H323Settings {
    /// The provider's configuration; an error says which setting is wrong.
    pub(super) fn config(self, given: &Settings) -> Result<H323Config, String> {
        let mut config = H323Config::default();
        if given.name != "h323" {
            config.provider = format!("{} {}", config.provider, given.name);
        }
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        let call = &mut config.call;
        call.display = self.display.unwrap_or_else(|| "offhook".to_owned());
        call.aliases = self.alias.iter().map(|text| alias(text)).collect();
        call.fast_start = !self.no_fast_start;
        call.tunnelling = !self.no_tunnel;
        call.h245_in_setup = self.h245_in_setup;
        call.repeat_fast_connect_answer = self.repeat_fast_start;
        call.multiple_calls = self.share_connection;
        call.maintain_connection = self.keep_connection;
        call.survive_signaling_loss = self.survive_signalling_loss;
        if let Some(when) = self.fast_start_answer {
            call.fast_connect_answer = match when {
                When::Proceeding => FastConnectAnswer::CallProceeding,
                When::Facility => FastConnectAnswer::Facility,
                When::Progress => FastConnectAnswer::Progress,
                When::Alerting => FastConnectAnswer::Alerting,
                When::Connect => FastConnectAnswer::Connect,
            };
        }
        if let Some(whose) = self.prefer {
            call.codec_preference = match whose {
                Whose::Ours => CodecPreference::Local,
                Whose::Theirs => CodecPreference::Remote,
                Whose::LowestRate => CodecPreference::LowestRate,
            };
        }
        if self.repeat_setup {
            call.setup_unanswered = SetupUnanswered::Repeat;
        }
        for (name, lasts) in self.timer {
            let lasts = match lasts {
                Lasts::Seconds(seconds) if (0.001..=86_400.0).contains(&seconds) => {
                    Some(Duration::from_secs_f64(seconds))
                }
                Lasts::Word(word) if word == "off" => None,
                _ => return Err(format!("timer.{name}: seconds, 0.001 to 86400, or \"off\"")),
            };
            call.timers.set(&name, lasts).map_err(|why| format!("timer.{name}: {why}"))?;
        }
        call.forwarding = match self.forwards {
            Some(0) => Forwarding::REFUSE,
            Some(limit) => Forwarding { limit, ..Forwarding::default() },
            None => Forwarding::default(),
        };
        config.name_servers = self.name_server;
        if let Some(way) = self.digits_via {
            config.digits_via = match way {
                Way::Auto => DigitsVia::Auto,
                Way::Rfc4733 => DigitsVia::TelephoneEvent,
                Way::Signal => DigitsVia::Signal,
                Way::Alphanumeric => DigitsVia::Alphanumeric,
                Way::Keypad => DigitsVia::Keypad,
                Way::Inband => DigitsVia::InBand,
            };
        }
        if let Some(most) = self.max_calls {
            config.max_calls = most;
        }
        let aliases = config.call.aliases.clone();
        config.gatekeeper = self.gatekeeper.map(|gk| gk.config(&aliases, given)).transpose()?;
        Ok(config)
    }
}

impl Gatekeeper {
    fn config(self, aliases: &[Alias], given: &Settings) -> Result<RegistrationConfig, String> {
        let mut ras = RasConfig::new(discovery(&self.address)?, aliases.to_vec());
        ras.gatekeeper_identifier = self.id;
        ras.time_to_live = Some(Duration::from_secs(self.time_to_live.unwrap_or(300).into()));
        if let Some(file) = &self.password_file {
            let file = given.path(file);
            let failed = |why: std::io::Error| format!("gatekeeper.password-file: {}: {why}", file.display());
            if fs::metadata(&file).map_err(failed)?.len() > MAX_PASSWORD {
                return Err(format!(
                    "gatekeeper.password-file: {}: longer than a password is",
                    file.display()
                ));
            }
            let text = zeroize::Zeroizing::new(fs::read_to_string(&file).map_err(failed)?);
            let password = Password::new(text.lines().next().unwrap_or_default());
            if password.is_empty() {
                return Err("gatekeeper.password-file: the password is empty".to_owned());
            }
            let user = self.user.or_else(|| aliases.first().map(ToString::to_string));
            let user = user.ok_or("gatekeeper: a password belongs to a name: user, or alias")?;
            let mut security = Security::new(user, password);
            if self.strict {
                security.replies = UnsignedReplies::Strict;
            }
            ras.security = Some(security);
        } else if self.strict || self.sign_calls {
            return Err("gatekeeper: without a password nothing can be proved: password-file".to_owned());
        }
        let mut config = RegistrationConfig::new(ras);
        config.advertise = self.advertise;
        config.bandwidth = self.bandwidth.unwrap_or(128_000).div_ceil(100);
        config.sign_calls = self.sign_calls.then(UnsignedSignals::default);
        Ok(config)
    }
}

fn discovery(text: &str) -> Result<Discovery, String> {
    const FORMS: &str = "gatekeeper.address: HOST, HOST:PORT, srv:DOMAIN or multicast";
    if text == "multicast" {
        return Ok(Discovery::Multicast);
    }
    if let Some(domain) = text.strip_prefix("srv:").filter(|domain| !domain.is_empty()) {
        return Ok(Discovery::Domain(domain.to_owned()));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Discovery::Address(address));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Discovery::Address((ip, RAS_PORT).into()));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| FORMS)?),
        None => (text, RAS_PORT),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || !name.chars().all(legal) || port == 0 {
        return Err(FORMS.to_owned());
    }
    Ok(Discovery::Host { name: name.to_owned(), port })
}

/// An alias as text: `kind:text`, or what it looks like.
fn alias(text: &str) -> Alias {
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
