//! What a user types, taken apart: `host`, `host:port`, `alias@host`, `h323:alias@host;parameter=value`.
//!
//! In: the destination of a [`CallParams`](offhook_spi::CallParams). Out: [`Destination`].
//! Not here: looking the host up (`resolve.rs`), asking a gatekeeper what an alias means.

use std::net::{IpAddr, Ipv6Addr};

use offhook_spi::LineError;

/// The port of H.225.0 call signalling.
pub const SIGNALLING_PORT: u16 = 1720;

/// The most parameters of an h323: URL.
const MAX_PARAMETERS: usize = 32;

/// A destination: where to connect and whom to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The alias before the `@`, percent-decoded: at most 256 characters.
    pub alias: Option<String>,
    /// A name (at most 253 octets of ASCII) or a literal address, IPv6 without its brackets; none: the gatekeeper knows.
    pub host: Option<String>,
    /// The TCP port, if one was named. Without, a name's SRV records say it, else it is [`SIGNALLING_PORT`].
    pub port: Option<u16>,
    /// The parameters of an h323: URL (H.323 clause 7.12.1, RFC 3508), percent-decoded, at most 32. None has a meaning
    /// to us: who does not know a parameter ignores it.
    pub parameters: Vec<(String, Option<String>)>,
}

impl Destination {
    /// Reads a destination; the error says what is wrong with it.
    ///
    /// In an h323: URL, as RFC 3508 has it, what stands alone is a user, not a host: `h323:@pbx` is the host. A name
    /// with a dot, a port or an address literal is taken for a host all the same.
    ///
    /// # Errors
    ///
    /// [`LineError::InvalAddress`] with the text and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        Self::take_apart(text.trim(), false)
            .map_err(|why| LineError::InvalAddress(format!("{text:?}: {why}")))
    }

    /// Reads a destination where a gatekeeper knows who is where: what stands alone, without a dot or a port, is an alias
    /// (`100`, `bob`, `h323:bob`).
    ///
    /// # Errors
    ///
    /// As [`Destination::parse`].
    pub fn parse_registered(text: &str) -> Result<Self, LineError> {
        Self::take_apart(text.trim(), true).map_err(|why| LineError::InvalAddress(format!("{text:?}: {why}")))
    }

    fn take_apart(text: &str, registered: bool) -> Result<Self, String> {
        let (url, rest) = match text.get(..5) {
            Some(scheme) if scheme.eq_ignore_ascii_case("h323:") => (true, text.get(5..).unwrap_or_default()),
            _ => (false, text),
        };
        // A user may hold ";" as it is; a host may not.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (hostport, parameters) = match rest.split_once(';') {
            Some((hostport, parameters)) => (hostport, parse_parameters(parameters)?),
            None => (rest, Vec::new()),
        };
        if registered && user.is_none() && is_user(hostport) {
            let alias = percent_decode(hostport)?;
            if alias.chars().count() > 256 {
                return Err("the alias is longer than 256 characters".to_owned());
            }
            return Ok(Self { alias: Some(alias), host: None, port: None, parameters });
        }
        let alias = match user {
            Some("") if url => None,
            Some("") => return Err("nothing before the @".to_owned()),
            Some(user) => Some(percent_decode(user)?),
            None if url && is_user(hostport) => {
                return Err(format!(
                    "a user without a host, which takes a gatekeeper to find (a host alone is h323:@{hostport})"
                ));
            }
            None => None,
        };
        if alias.as_deref().is_some_and(|alias| alias.chars().count() > 256) {
            return Err("the alias is longer than 256 characters".to_owned());
        }
        let (host, port) = split_port(hostport)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(legal) {
            return Err("a host name has letters, digits, dots and hyphens, at most 253 of them".to_owned());
        }
        if host.chars().all(|c| c.is_ascii_digit() || c == '.') && host.parse::<IpAddr>().is_err() {
            return Err("neither a host name nor an IPv4 address (a number needs alias@host)".to_owned());
        }
        Ok(Self { alias, host: Some(host.to_owned()), port, parameters })
    }
}

/// Whether what stands alone in an h323: URL can be a user only.
fn is_user(text: &str) -> bool {
    !text.is_empty() && !text.contains(['.', ':', '['])
}

fn parse_parameters(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    if text.split(';').count() > MAX_PARAMETERS {
        return Err(format!("more than {MAX_PARAMETERS} parameters"));
    }
    text.split(';')
        .map(|parameter| {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name, Some(percent_decode(value)?)),
                None => (parameter, None),
            };
            match percent_decode(name)? {
                name if name.is_empty() => Err("a parameter without a name".to_owned()),
                name => Ok((name, value)),
            }
        })
        .collect()
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let wrong = || "not host, host:port or [IPv6]:port".to_owned();
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        let host = ipv6(host)?.ok_or_else(wrong)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(parse_port(port).ok_or_else(wrong)?))),
            None => after.is_empty().then_some((host, None)).ok_or_else(wrong),
        };
    }
    if let Some(host) = ipv6(text)? {
        return Ok((host, None));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host, Some(parse_port(port).ok_or_else(wrong)?))),
        Some(_) => Err(wrong()),
        None => Ok((text, None)),
    }
}

/// An IPv6 literal; its zone is an error, anything else nothing.
fn ipv6(text: &str) -> Result<Option<&str>, String> {
    match text.split_once('%') {
        Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => Err(
            "an address with a zone: H.225.0 and H.245 have no place for it, so the far end could not answer; \
             use one that is not link-local"
                .to_owned(),
        ),
        Some(_) => Ok(None),
        None => Ok(text.parse::<Ipv6Addr>().is_ok().then_some(text)),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0 && !text.starts_with('+'))
}

fn percent_decode(text: &str) -> Result<String, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |b: Option<u8>| char::from(b?).to_digit(16);
    while let Some(b) = rest.next() {
        if b == b'%' {
            let (high, low) = (digit(rest.next()), digit(rest.next()));
            let (high, low) =
                high.zip(low).ok_or("a % takes two hexadecimal digits after it (itself: %25)")?;
            octets.push((high * 16 + low) as u8);
        } else {
            octets.push(b);
        }
    }
    let text = String::from_utf8(octets).map_err(|_| "its % escapes are not UTF-8")?;
    if text.chars().any(char::is_control) { Err("a control character".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parsed = Option<(Option<String>, Option<String>, Option<u16>)>;

    fn parsed(text: &str) -> Parsed {
        Destination::parse(text).ok().map(|d| (d.alias, d.host, d.port))
    }

    fn some(alias: Option<&str>, host: &str, port: impl Into<Option<u16>>) -> Parsed {
        Some((alias.map(str::to_owned), Some(host.to_owned()), port.into()))
    }

    #[test]
    fn with_a_gatekeeper_what_stands_alone_is_an_alias() {
        let parsed = |text: &str| Destination::parse_registered(text).ok().map(|d| (d.alias, d.host, d.port));
        let alias = |alias: &str| Some((Some(alias.to_owned()), None, None));
        for (text, name) in
            [("100", "100"), ("bob", "bob"), ("h323:bob", "bob"), ("h323:b%20c;x", "b c"), ("*1#", "*1#")]
        {
            assert_eq!(parsed(text), alias(name), "{text}");
        }
        assert_eq!(parsed("pbx.example"), some(None, "pbx.example", None));
        assert_eq!(parsed("pbx:1720"), some(None, "pbx", 1720));
        assert_eq!(parsed("bob@pbx"), some(Some("bob"), "pbx", None));
        assert_eq!(parsed(""), None);
        assert!(Destination::parse_registered(&"a".repeat(257)).is_err());
    }

    #[test]
    fn every_documented_form_is_understood() {
        assert_eq!(parsed("pbx.example"), some(None, "pbx.example", None));
        assert_eq!(parsed("pbx"), some(None, "pbx", None));
        assert_eq!(parsed("192.0.2.7:1721"), some(None, "192.0.2.7", 1721));
        assert_eq!(parsed("bob@192.0.2.7"), some(Some("bob"), "192.0.2.7", None));
        assert_eq!(parsed("bob@mail@pbx"), some(Some("bob@mail"), "pbx", None));
        assert_eq!(parsed("[2001:db8::1]:1721"), some(None, "2001:db8::1", 1721));
        assert_eq!(parsed("2001:db8::1"), some(None, "2001:db8::1", None));
        assert_eq!(parsed("bob@[::1]"), some(Some("bob"), "::1", None));
    }

    #[test]
    fn urls_are_read_as_rfc_3508_has_them() {
        assert_eq!(parsed("h323:bob@pbx.example:99"), some(Some("bob"), "pbx.example", 99));
        assert_eq!(parsed("H323:100@10.0.0.1;user=phone"), some(Some("100"), "10.0.0.1", None));
        assert_eq!(parsed("h323:@pbx"), some(None, "pbx", None));
        assert_eq!(parsed("h323:pbx.example"), some(None, "pbx.example", None));
        assert_eq!(parsed("h323:localhost:1722"), some(None, "localhost", 1722));
        assert_eq!(parsed("h323:a%40b@pbx"), some(Some("a@b"), "pbx", None));
        assert_eq!(parsed("h323:a%20b;c%25@[2001:db8::1]:5"), some(Some("a b;c%"), "2001:db8::1", 5));
        assert_eq!(parsed("h323:%c3%A9@h"), some(Some("é"), "h", None));
        let url = Destination::parse("h323:bob@pbx:5;a=1%3b2;b;c=").map(|d| (d.port, d.parameters));
        let parameter = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        let parameters = vec![parameter("a", Some("1;2")), parameter("b", None), parameter("c", Some(""))];
        assert_eq!(url.ok(), Some((Some(5), parameters)));
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_a_reason() {
        for (bad, why) in [
            ("", "letters"),
            ("@host", "before the @"),
            ("host:", "host:port"),
            ("host:0", "host:port"),
            ("host:70000", "host:port"),
            ("host:1x", "host:port"),
            ("host:+5", "host:port"),
            ("a b", "letters"),
            ("pbx%2eexample", "letters"),
            ("[::1", "[IPv6]"),
            ("[x]:1", "[IPv6]"),
            ("[::1]x", "[IPv6]"),
            ("h323:", "letters"),
            ("h323:@", "letters"),
            ("h323:bob", "gatekeeper"),
            ("1.2.3.4.5", "IPv4"),
            ("100", "IPv4"),
            ("a%zz@h", "hexadecimal"),
            ("a%+1@h", "hexadecimal"),
            ("a%4@h", "hexadecimal"),
            ("%c3%28@h", "UTF-8"),
            ("a%00@h", "control"),
            ("h;", "without a name"),
            ("h;=1", "without a name"),
            ("h;a=%", "hexadecimal"),
            ("bob@[fe80::1%eth0]:1720", "zone"),
            ("fe80::1%1", "zone"),
            ("h323:bob@[fe80::1%25eth0]", "zone"),
        ] {
            let error = Destination::parse(bad);
            assert!(
                matches!(&error, Err(LineError::InvalAddress(text)) if text.contains(why)),
                "{bad:?}: {error:?}"
            );
        }
        assert!(Destination::parse(&format!("h{}", ";a".repeat(33))).is_err());
        assert!(Destination::parse(&format!("{}@h", "a".repeat(257))).is_err());
    }

    #[test]
    fn no_text_makes_the_parser_panic() {
        for text in ["%", "a%", "a%4", "é@h", "h323é", "h32é:", "[é]", "::::", "@@@@", ";;;", "%c3%28@h"]
        {
            let _ = Destination::parse(text);
        }
    }
}
