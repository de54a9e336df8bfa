//! What a modem provider is told: its ports and how to treat the modem behind each.
//!
//! In: a configuration file's words (serde), or values. Out: [`ModemConfig`], checked by [`ModemConfig::check`].

use serde::Deserialize;

/// The provider's ports. Each is one line device, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModemConfig {
    /// One at least.
    pub ports: Vec<PortConfig>,
}

/// A modem on a serial port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PortConfig {
    /// The port: `/dev/ttyUSB0`, `/dev/serial/by-id/…`.
    pub port: String,
    /// What the line is called; without it "modem on PORT".
    #[serde(default)]
    pub name: Option<String>,
    /// Speed of the port in bit/s, 300 to 4000000.
    #[serde(default = "baud")]
    pub baud: u32,
    /// RTS/CTS flow control. Modems want it, modules on three wires do not have it.
    #[serde(default)]
    pub flow_control: bool,
    /// What kind of modem it is.
    #[serde(default)]
    pub profile: Profile,
    /// Commands of your own, after those of the profile; each has to be answered with OK.
    #[serde(default)]
    pub init: Vec<String>,
    /// Tones or pulses; cellular modems have neither.
    #[serde(default)]
    pub dialling: Dialling,
    /// Dialled before every number: "0," behind an exchange.
    #[serde(default)]
    pub dial_prefix: String,
    /// What stands for the plus of an international number: "00". Without it such a number is refused, except by a
    /// cellular modem, which dials it as it is.
    #[serde(default)]
    pub international_prefix: Option<String>,
    /// Dialled before the number of a call whose caller is not to be shown: "*67". Without it such a call is refused,
    /// except by a cellular modem, which has a way of its own.
    #[serde(default)]
    pub block_id_prefix: Option<String>,
    /// What rejecting a call does.
    #[serde(default)]
    pub reject: Rejecting,
    /// How long an arriving call is kept back for its caller's number, in ms, 0 to 10000, and less than
    /// `ring_timeout_ms`; with 0 it is announced with the first ring, and the number follows as a change.
    #[serde(default)]
    pub caller_id_wait_ms: u64,
    /// A call that has not rung for so long is over, in ms, 1000 to 60000: a little more than the longest pause between
    /// two rings.
    #[serde(default = "ring_timeout")]
    pub ring_timeout_ms: u64,
    /// How long the far end may take to answer, in ms, 1000 to 600000.
    #[serde(default = "dial_timeout")]
    pub dial_timeout_ms: u64,
    /// How long the modem may take to answer a command, in ms, 100 to 60000.
    #[serde(default = "command_timeout")]
    pub command_timeout_ms: u64,
    /// The pause between an answer and the next command, in ms, 0 to 1000.
    #[serde(default = "command_gap")]
    pub command_gap_ms: u64,
    /// How often an idle modem is asked whether it is there, in ms, 1000 to 3600000; 0 never asks.
    #[serde(default = "check_every")]
    pub check_every_ms: u64,
    /// The longest pause between two attempts to get a lost port back, in ms, 100 to 3600000. The first comes after an
    /// eighth of it at most.
    #[serde(default = "reopen_max")]
    pub reopen_max_ms: u64,
}

fn baud() -> u32 {
    115_200
}

fn ring_timeout() -> u64 {
    8_000
}

fn dial_timeout() -> u64 {
    60_000
}

fn command_timeout() -> u64 {
    5_000
}

fn command_gap() -> u64 {
    20
}

fn check_every() -> u64 {
    30_000
}

fn reopen_max() -> u64 {
    30_000
}

/// What kind of modem it is: which commands it wants, and what its words mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// An analogue voice modem (V.253, +FCLASS=8): hears the far end answer, hears digits.
    #[default]
    Voice,
    /// A modem that has no voice mode: dials and picks up for a telephone beside it, and does not hear when the far end
    /// answers.
    Data,
    /// A cellular modem or module (3GPP TS 27.007).
    Gsm,
}

/// Tones or pulses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialling {
    /// ATDT.
    #[default]
    Tone,
    /// ATDP.
    Pulse,
}

/// What rejecting a call does. A cellular modem tells the network either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejecting {
    /// It rings on, unheard: an analogue line has no other way to say no that costs the caller nothing.
    #[default]
    Ignore,
    /// The modem picks up and hangs up. The caller pays.
    HangUp,
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("modem {port}: {why}")]
pub struct ConfigError {
    /// Which port, or `configuration`.
    port: String,
    why: String,
}

impl ModemConfig {
    /// Whether it can be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |port: &str, why: String| Err(ConfigError { port: port.to_owned(), why });
        if self.ports.is_empty() {
            return wrong("configuration", "no ports".to_owned());
        }
        for (nth, port) in self.ports.iter().enumerate() {
            if let Err(why) = port.check() {
                return wrong(&port.port, why);
            }
            if self.ports.iter().take(nth).any(|other| other.port == port.port) {
                return wrong(&port.port, "named twice".to_owned());
            }
        }
        Ok(())
    }
}

impl PortConfig {
    /// A voice modem on `port`.
    pub fn new(port: impl Into<String>) -> Self {
        Self {
            port: port.into(),
            name: None,
            baud: baud(),
            flow_control: false,
            profile: Profile::default(),
            init: Vec::new(),
            dialling: Dialling::default(),
            dial_prefix: String::new(),
            international_prefix: None,
            block_id_prefix: None,
            reject: Rejecting::default(),
            caller_id_wait_ms: 0,
            ring_timeout_ms: ring_timeout(),
            dial_timeout_ms: dial_timeout(),
            command_timeout_ms: command_timeout(),
            command_gap_ms: command_gap(),
            check_every_ms: check_every(),
            reopen_max_ms: reopen_max(),
        }
    }

    /// What the line is called.
    pub fn line_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("modem on {}", self.port))
    }

    fn check(&self) -> Result<(), String> {
        if self.port.is_empty() || self.port.contains('\0') {
            return Err("the port has no name".to_owned());
        }
        let ranges = [
            ("baud", u64::from(self.baud), 300, 4_000_000),
            ("caller-id-wait-ms", self.caller_id_wait_ms, 0, 10_000),
            ("ring-timeout-ms", self.ring_timeout_ms, 1_000, 60_000),
            ("dial-timeout-ms", self.dial_timeout_ms, 1_000, 600_000),
            ("command-timeout-ms", self.command_timeout_ms, 100, 60_000),
            ("command-gap-ms", self.command_gap_ms, 0, 1_000),
            ("reopen-max-ms", self.reopen_max_ms, 100, 3_600_000),
        ];
        for (name, value, lowest, highest) in ranges {
            if value < lowest || value > highest {
                return Err(format!("{name} = {value}: {lowest} to {highest}"));
            }
        }
        if self.caller_id_wait_ms >= self.ring_timeout_ms {
            return Err(format!(
                "caller-id-wait-ms = {}: less than ring-timeout-ms = {}, or a call is over before it is announced",
                self.caller_id_wait_ms, self.ring_timeout_ms
            ));
        }
        if self.check_every_ms != 0 && !(1_000..=3_600_000).contains(&self.check_every_ms) {
            return Err(format!("check-every-ms = {}: 0, or 1000 to 3600000", self.check_every_ms));
        }
        for command in &self.init {
            let legal = command.len() <= 128 && command.chars().all(|c| c.is_ascii_graphic() || c == ' ');
            let begins = command.get(..2).is_some_and(|at| at.eq_ignore_ascii_case("AT"));
            if !legal || !begins {
                return Err(format!("init: {command:?} is no AT command of up to 128 characters"));
            }
        }
        let prefixes = [
            ("dial-prefix", Some(&self.dial_prefix)),
            ("international-prefix", self.international_prefix.as_ref()),
            ("block-id-prefix", self.block_id_prefix.as_ref()),
        ];
        for (name, prefix) in prefixes {
            let legal =
                |text: &String| text.len() <= 16 && text.chars().all(|c| "0123456789*#,W@".contains(c));
            if !prefix.is_none_or(legal) {
                return Err(format!("{name}: up to 16 of 0-9 * # , W @"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ModemConfig, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_port_alone_is_a_configuration() {
        let config = read(r#"{ "ports": [{ "port": "/dev/ttyUSB0" }] }"#).unwrap();
        assert_eq!(config.ports, [PortConfig::new("/dev/ttyUSB0")]);
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn everything_has_its_word_and_other_words_are_refused() {
        let config = read(
            r#"{ "ports": [{ "port": "/dev/ttyS1", "name": "desk", "baud": 57600, "flow-control": true,
                 "profile": "gsm", "init": ["AT+CLIR=0"], "dialling": "pulse", "dial-prefix": "0,",
                 "international-prefix": "00", "block-id-prefix": "*67", "reject": "hang-up",
                 "caller-id-wait-ms": 2500, "ring-timeout-ms": 7000, "dial-timeout-ms": 45000,
                 "command-timeout-ms": 3000, "command-gap-ms": 50, "check-every-ms": 0, "reopen-max-ms": 5000 }] }"#,
        )
        .unwrap();
        assert_eq!(config.check(), Ok(()));
        let port = &config.ports[0];
        assert_eq!(
            (port.profile, port.dialling, port.reject),
            (Profile::Gsm, Dialling::Pulse, Rejecting::HangUp)
        );
        assert_eq!(port.line_name(), "desk");
        assert!(
            read(r#"{ "ports": [{ "port": "/dev/ttyS1", "speed": 9600 }] }"#).unwrap_err().contains("speed")
        );
        assert!(read(r#"{ "modems": [] }"#).is_err());
    }

    #[test]
    fn what_cannot_be_is_said_with_the_port() {
        let wrong = |change: fn(&mut PortConfig)| {
            let mut port = PortConfig::new("/dev/ttyS1");
            change(&mut port);
            ModemConfig { ports: vec![port] }.check().unwrap_err().to_string()
        };
        assert_eq!(wrong(|p| p.baud = 50), "modem /dev/ttyS1: baud = 50: 300 to 4000000");
        assert!(wrong(|p| p.init = vec!["ATZ\rATD123".to_owned()]).contains("no AT command"));
        assert!(wrong(|p| p.init = vec!["é".to_owned()]).contains("no AT command"));
        assert!(wrong(|p| p.dial_prefix = "0;".to_owned()).contains("dial-prefix"));
        assert!(wrong(|p| p.ring_timeout_ms = 0).contains("ring-timeout-ms"));
        assert_eq!(
            wrong(|p| (p.caller_id_wait_ms, p.ring_timeout_ms) = (2_000, 2_000)),
            "modem /dev/ttyS1: caller-id-wait-ms = 2000: less than ring-timeout-ms = 2000, or a call is over before it \
             is announced"
        );
        assert!(wrong(|p| p.caller_id_wait_ms = 10_000).contains("ring-timeout-ms = 8000"));
        assert!(wrong(|p| p.check_every_ms = 1).contains("check-every-ms"));
        let twice = ModemConfig { ports: vec![PortConfig::new("/dev/ttyS1"), PortConfig::new("/dev/ttyS1")] };
        assert!(twice.check().unwrap_err().to_string().contains("twice"));
        assert!(ModemConfig::default().check().unwrap_err().to_string().contains("no ports"));
    }
}
