//! The configuration file of `offhook tapisrv`.
//!
//! In: TOML. Out: a [`TapisrvConfig`]; errors say the place. Unknown keys are errors. What a provider's entry says beside
//! its kind and name is that kind's business (`kinds.rs`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use offhook_rpc::{Bounds, ServerConfig, TlsFiles};
use serde::Deserialize;

use super::usual_limits;

/// The most octets of a configuration file.
const MAX_FILE: u64 = 1 << 20;

/// What a broker is made of.
#[derive(Clone, Debug, Default)]
pub struct TapisrvConfig {
    /// The applications' socket; [`default_socket`](super::default_socket) if none.
    pub socket: Option<PathBuf>,
    /// Where other machines connect.
    pub remote_listen: Option<SocketAddr>,
    /// Who this machine is to others.
    pub tls: Option<TlsFiles>,
    /// Limits of sessions.
    pub server: ServerConfig,
    /// The providers, in the order of their lines' numbers.
    pub providers: Vec<ProviderEntry>,
    /// Where relative paths of providers begin.
    pub directory: PathBuf,
}

/// One provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderEntry {
    /// Its kind, as registered.
    pub kind: String,
    /// What it is called in messages.
    pub name: String,
    /// What its kind asks.
    pub settings: toml::Table,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    socket: Option<PathBuf>,
    remote_listen: Option<SocketAddr>,
    tls: Option<Tls>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    provider: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    ca: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Limits {
    max_clients: Option<usize>,
    backlog_events: Option<usize>,
    backlog_octets: Option<usize>,
    stuck_seconds: Option<u64>,
    keep_alive_ms: Option<u64>,
    resume_seconds: Option<u64>,
}

impl TapisrvConfig {
    /// Reads a file; its relative paths begin where it lies.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |why: std::io::Error| ConfigError(format!("{}: {why}", path.display()));
        if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
            return Err(ConfigError(format!("{}: larger than configurations are", path.display())));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&text, directory).map_err(|why| ConfigError(format!("{}: {why}", path.display())))
    }

    /// Reads text; relative paths begin in `directory`.
    pub fn parse(text: &str, directory: PathBuf) -> Result<Self, ConfigError> {
        let file: File =
            toml::from_str(text).map_err(|why| ConfigError(why.to_string().trim_end().to_owned()))?;
        let at = |path: PathBuf| directory.join(path);
        let mut providers: Vec<ProviderEntry> = Vec::new();
        for (number, mut settings) in file.provider.into_iter().enumerate() {
            let mut word = |key: &str| match settings.remove(key) {
                Some(toml::Value::String(word)) => Ok(Some(word)),
                Some(_) => Err(ConfigError(format!("provider {}: {key} is not a text", number + 1))),
                None => Ok(None),
            };
            let kind = word("kind")?
                .ok_or_else(|| ConfigError(format!("provider {}: its kind is missing", number + 1)))?;
            let name = word("name")?.unwrap_or_else(|| format!("{kind}-{}", number + 1));
            if providers.iter().any(|other| other.name == name) {
                return Err(ConfigError(format!("two providers are called {name:?}")));
            }
            providers.push(ProviderEntry { kind, name, settings });
        }
        let tls = file.tls.map(|tls| TlsFiles {
            certificate: at(tls.certificate),
            key: at(tls.key),
            ca: at(tls.ca),
        });
        let server = file.limits.apply(usual_limits())?;
        Ok(Self {
            socket: file.socket.map(at),
            remote_listen: file.remote_listen,
            tls,
            server,
            providers,
            directory,
        })
    }
}

impl Limits {
    fn apply(&self, usual: ServerConfig) -> Result<ServerConfig, ConfigError> {
        let within = |name: &str, value: Option<u64>, usual: u64, range: std::ops::RangeInclusive<u64>| {
            let value = value.unwrap_or(usual);
            if range.contains(&value) {
                Ok(value)
            } else {
                Err(ConfigError(format!("limits: {name} is {value}: {} to {}", range.start(), range.end())))
            }
        };
        let count = |name: &str, value: Option<usize>, usual: usize, range: std::ops::RangeInclusive<u64>| {
            within(name, value.map(|v| v as u64), usual as u64, range).map(|v| v as usize)
        };
        let ms = u64::try_from(usual.keep_alive.as_millis()).unwrap_or(u64::MAX);
        Ok(ServerConfig {
            max_sessions: count("max-clients", self.max_clients, usual.max_sessions, 1..=100_000)?,
            backlog: Bounds {
                items: count("backlog-events", self.backlog_events, usual.backlog.items, 16..=10_000_000)?,
                octets: count(
                    "backlog-octets",
                    self.backlog_octets,
                    usual.backlog.octets,
                    1 << 20..=1 << 32,
                )?,
            },
            stuck: Duration::from_secs(within(
                "stuck-seconds",
                self.stuck_seconds,
                usual.stuck.as_secs(),
                1..=3_600,
            )?),
            keep_alive: Duration::from_millis(within("keep-alive-ms", self.keep_alive_ms, ms, 100..=60_000)?),
            resume: Duration::from_secs(within(
                "resume-seconds",
                self.resume_seconds,
                usual.resume.as_secs(),
                1..=600,
            )?),
            hello: usual.hello,
            max_arriving: usual.max_arriving,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::TapisrvConfig;
    use crate::tapisrv::{Providers, check};

    fn parse(text: &str) -> Result<TapisrvConfig, String> {
        TapisrvConfig::parse(text, PathBuf::from("/etc/offhook")).map_err(|why| why.to_string())
    }

    #[test]
    fn a_file_says_sockets_limits_and_providers() -> Result<(), String> {
        let config = parse(
            "socket = 'tapisrv.sock'\nremote-listen = '0.0.0.0:7740'\n\
             [tls]\ncertificate = 'a.pem'\nkey = '/keys/a.key'\nca = 'ca.pem'\n\
             [limits]\nresume-seconds = 20\n\
             [[provider]]\nkind = 'h323'\nname = 'desk'\nlisten = '127.0.0.1:0'\n\
             [[provider]]\nkind = 'scripted'\nlines = 3\n",
        )?;
        assert_eq!(config.socket, Some(PathBuf::from("/etc/offhook/tapisrv.sock")));
        assert_eq!(config.tls.as_ref().map(|tls| tls.key.clone()), Some(PathBuf::from("/keys/a.key")));
        assert_eq!(config.server.resume.as_secs(), 20);
        let names: Vec<_> = config.providers.iter().map(|p| (p.kind.as_str(), p.name.as_str())).collect();
        assert_eq!(names, [("h323", "desk"), ("scripted", "scripted-2")]);
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |text: &str| parse(text).err().unwrap_or_default();
        assert!(wrong("sokcet = 'x'").contains("unknown field `sokcet`"));
        assert!(wrong("socket = 'x'\n\n[[provider]\n").contains("line 3"));
        assert_eq!(wrong("[[provider]]\nname = 'x'"), "provider 1: its kind is missing");
        assert_eq!(
            wrong("[[provider]]\nkind='h323'\nname='x'\n[[provider]]\nkind='h323'\nname='x'"),
            "two providers are called \"x\""
        );
        assert_eq!(wrong("[limits]\nresume-seconds = 0"), "limits: resume-seconds is 0: 1 to 600");
        let checked = |text: &str| {
            let config = parse(text)?;
            check(&config, &Providers::usual()).map_err(|why| why.to_string())
        };
        assert_eq!(checked("[[provider]]\nkind='h323'\nlisten='127.0.0.1:0'"), Ok(()));
        let refused = checked("[[provider]]\nkind='sip'").err().unwrap_or_default();
        assert_eq!(refused, "provider \"sip-1\": no kind \"sip\" of provider: h323, modem, remote, scripted");
        let refused = checked("[[provider]]\nkind='h323'\nlisten='nowhere'").err().unwrap_or_default();
        assert!(refused.contains("invalid socket address"), "{refused}");
        let refused = checked("[[provider]]\nkind='h323'\ncolour='red'").err().unwrap_or_default();
        assert!(refused.contains("unknown field `colour`"), "{refused}");
        let refused =
            checked("[[provider]]\nkind='remote'\naddress='192.0.2.1:7740'").err().unwrap_or_default();
        assert!(refused.contains("[tls]"), "{refused}");
        assert!(checked("remote-listen = '0.0.0.0:1'").is_err());
        let refused = checked("[[provider]]\nkind='modem'\nports=[{port='/dev/ttyUSB0', baud=1}]")
            .err()
            .unwrap_or_default();
        assert!(refused.contains("baud"), "{refused}");
        let twice = || -> Result<(), String> {
            let mut config = parse("[[provider]]\nkind='scripted'\nname='far'")?;
            // As the command line adds them.
            config.providers.extend_from_within(..);
            check(&config, &Providers::usual()).map_err(|why| why.to_string())
        };
        assert_eq!(twice(), Err("two providers are called \"far\"".to_owned()));
    }
}
