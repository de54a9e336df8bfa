//! What a user types, taken apart: `host`, `host:port`, `alias@host`, `h323:alias@host;params`.
//!
//! In: the destination of a [`CallParams`](offhook_spi::CallParams). Out: [`Destination`].
//! Not here: looking the host up (`call.rs`), asking a gatekeeper what an alias means.

use std::net::{IpAddr, Ipv6Addr};

use offhook_spi::LineError;

/// The port of H.225.0 call signalling.
pub const SIGNALLING_PORT: u16 = 1720;

/// A destination: where to connect and whom to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The alias before the `@`, percent-decoded.
    pub alias: Option<String>,
    /// A name or a literal address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Destination {
    /// Reads a destination; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let wrong = |why: &str| LineError::InvalAddress(format!("{text:?}: {why}"));
        let trimmed = text.trim();
        // RFC 3508: scheme "h323:", then [user@]hostport, then parameters after ";".
        let rest = match trimmed.get(..5) {
            Some(scheme) if scheme.eq_ignore_ascii_case("h323:") => trimmed.get(5..).unwrap_or_default(),
            _ => trimmed,
        };
        let rest = rest.split(';').next().unwrap_or_default();
        let (alias, hostport) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(percent_decode(user).ok_or_else(|| wrong("bad % escape"))?), host),
            None => (None, rest),
        };
        if alias.as_deref() == Some("") {
            return Err(wrong("nothing before the @"));
        }
        if alias.as_deref().is_some_and(|a| a.chars().count() > 256) {
            return Err(wrong("the alias is longer than 256 characters"));
        }
        let (host, port) = split_port(hostport).ok_or_else(|| wrong("not host, host:port or [IPv6]:port"))?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(legal) {
            return Err(wrong("a host name has letters, digits, dots and hyphens, at most 253 of them"));
        }
        if host.chars().all(|c| c.is_ascii_digit() || c == '.') && host.parse::<IpAddr>().is_err() {
            return Err(wrong("neither a host name nor an IPv4 address (a number needs alias@host)"));
        }
        Ok(Self { alias, host: host.to_owned(), port })
    }
}

fn split_port(text: &str) -> Option<(&str, u16)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.split('%').next()?.parse::<Ipv6Addr>().ok()?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, parse_port(port)?)),
            None => after.is_empty().then_some((host, SIGNALLING_PORT)),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, SIGNALLING_PORT));
    }
    match text.split_once(':') {
        Some((host, port)) => (!host.contains(':')).then_some((host, parse_port(port)?)),
        None => Some((text, SIGNALLING_PORT)),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0 && !text.starts_with('+'))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        if b == b'%' {
            let hex = [rest.next()?, rest.next()?];
            octets.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            octets.push(b);
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(Option<String>, String, u16)> {
        Destination::parse(text).ok().map(|d| (d.alias, d.host, d.port))
    }

    fn some(alias: Option<&str>, host: &str, port: u16) -> Option<(Option<String>, String, u16)> {
        Some((alias.map(str::to_owned), host.to_owned(), port))
    }

    #[test]
    fn every_documented_form_is_understood() {
        assert_eq!(parsed("pbx.example"), some(None, "pbx.example", 1720));
        assert_eq!(parsed("192.0.2.7:1721"), some(None, "192.0.2.7", 1721));
        assert_eq!(parsed("bob@192.0.2.7"), some(Some("bob"), "192.0.2.7", 1720));
        assert_eq!(parsed("h323:bob@pbx.example:99"), some(Some("bob"), "pbx.example", 99));
        assert_eq!(parsed("H323:100@10.0.0.1;user=phone"), some(Some("100"), "10.0.0.1", 1720));
        assert_eq!(parsed("h323:a%40b@pbx"), some(Some("a@b"), "pbx", 1720));
        assert_eq!(parsed("bob@mail@pbx"), some(Some("bob@mail"), "pbx", 1720));
        assert_eq!(parsed("[2001:db8::1]:1721"), some(None, "2001:db8::1", 1721));
        assert_eq!(parsed("2001:db8::1"), some(None, "2001:db8::1", 1720));
        assert_eq!(parsed("bob@[::1]"), some(Some("bob"), "::1", 1720));
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_a_reason() {
        for bad in [
            "",
            "@host",
            "host:",
            "host:0",
            "host:70000",
            "host:1x",
            "a b",
            "[::1",
            "[x]:1",
            "h323:",
            "1.2.3.4.5",
            "100",
            "a%zz@h",
            "host:+5",
        ] {
            let error = Destination::parse(bad);
            assert!(
                matches!(&error, Err(LineError::InvalAddress(why)) if why.contains(": ")),
                "{bad:?}: {error:?}"
            );
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic() {
        for text in ["%", "a%", "a%4", "é@h", "h323é", "h32é:", "[é]", "::::", "@@@@", ";;;", "%c3%28@h"]
        {
            let _ = Destination::parse(text);
        }
    }
}
