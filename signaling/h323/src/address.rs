//! Addresses and aliases: ours ⇄ H.225.0's ⇄ H.245's.
//! In and out: [`SocketAddr`], [`Alias`] and the standards' types. What is no IP address has no
//! [`SocketAddr`].
//! Not here: DNS, h323: URLs (the application's side).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use offhook_wire::per::BmpString;
use offhook_wire::{h225, h245};

/// A name for an endpoint (H.225.0 AliasAddress).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alias {
    /// dialedDigits: `0`–`9`, `#`, `*`, `,`.
    DialedDigits(String),
    /// h323-ID: any text.
    H323Id(String),
    /// url-ID.
    Url(String),
    /// transportID.
    Transport(SocketAddr),
    /// email-ID.
    Email(String),
    /// partyNumber: its digits.
    PartyNumber(String),
}

impl Alias {
    /// Digits become dialedDigits, everything else an h323-ID: letters in dialedDigits fail to encode.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let dialable = !text.is_empty()
            && text.len() <= 128
            && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '#' | '*' | ','));
        if dialable { Self::DialedDigits(text.to_owned()) } else { Self::H323Id(text.to_owned()) }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DialedDigits(text)
            | Self::H323Id(text)
            | Self::Url(text)
            | Self::Email(text)
            | Self::PartyNumber(text) => f.write_str(text),
            Self::Transport(address) => write!(f, "{address}"),
        }
    }
}

/// The most aliases of one message that are looked at.
pub(crate) const MAX_ALIASES: usize = 32;

/// H.225.0 TransportAddress → socket address.
pub(crate) fn from_h225(address: &h225::TransportAddress) -> Option<SocketAddr> {
    match address {
        h225::TransportAddress::IpAddress(v4) => Some((v4.ip, v4.port).into()),
        h225::TransportAddress::Ip6Address(v6) => Some((v6.ip, v6.port).into()),
        h225::TransportAddress::IpSourceRoute(v4) => Some((v4.ip, v4.port).into()),
        _ => None,
    }
}

/// Socket address → H.225.0 TransportAddress.
pub(crate) fn to_h225(address: SocketAddr) -> h225::TransportAddress {
    match address.ip() {
        IpAddr::V4(ip) => h225::TransportAddress::IpAddress(h225::TransportAddressIpAddress::new(
            ip.octets(),
            address.port(),
        )),
        IpAddr::V6(ip) => h225::TransportAddress::Ip6Address(h225::TransportAddressIp6Address::new(
            ip.octets(),
            address.port(),
        )),
    }
}

/// H.245 TransportAddress → socket address.
pub(crate) fn from_h245(address: &h245::TransportAddress) -> Option<SocketAddr> {
    let h245::TransportAddress::UnicastAddress(unicast) = address else {
        return None;
    };
    match unicast {
        h245::UnicastAddress::IPAddress(v4) => Some((v4.network, v4.tsap_identifier).into()),
        h245::UnicastAddress::IP6Address(v6) => Some((v6.network, v6.tsap_identifier).into()),
        h245::UnicastAddress::IPSourceRouteAddress(v4) => Some((v4.network, v4.tsap_identifier).into()),
        _ => None,
    }
}

/// Socket address → H.245 TransportAddress.
pub(crate) fn to_h245(address: SocketAddr) -> h245::TransportAddress {
    let unicast = match address.ip() {
        IpAddr::V4(ip) => {
            h245::UnicastAddress::IPAddress(h245::UnicastAddressIPAddress::new(ip.octets(), address.port()))
        }
        IpAddr::V6(ip) => {
            h245::UnicastAddress::IP6Address(h245::UnicastAddressIP6Address::new(ip.octets(), address.port()))
        }
    };
    h245::TransportAddress::UnicastAddress(unicast)
}

/// H.225.0 aliases, those that we can show.
pub(crate) fn aliases_from(list: Option<&Vec<h225::AliasAddress>>) -> Vec<Alias> {
    list.into_iter().flatten().take(MAX_ALIASES).filter_map(alias_from).collect()
}

pub(crate) fn alias_from(alias: &h225::AliasAddress) -> Option<Alias> {
    Some(match alias {
        h225::AliasAddress::DialledDigits(digits) => Alias::DialedDigits(digits.clone()),
        // WIRE.md 6: names of real systems end in NUL.
        h225::AliasAddress::H323Id(text) => Alias::H323Id(text.to_string().trim_end_matches('\0').to_owned()),
        h225::AliasAddress::UrlId(url) => Alias::Url(url.clone()),
        h225::AliasAddress::EmailId(email) => Alias::Email(email.clone()),
        h225::AliasAddress::TransportID(address) => Alias::Transport(from_h225(address)?),
        h225::AliasAddress::PartyNumber(h225::PartyNumber::E164Number(number)) => {
            Alias::PartyNumber(number.public_number_digits.clone())
        }
        h225::AliasAddress::PartyNumber(h225::PartyNumber::PrivateNumber(number)) => {
            Alias::PartyNumber(number.private_number_digits.clone())
        }
        _ => return None,
    })
}

/// Our aliases in H.225.0's form; what cannot be encoded (an empty name, a name too long) is left out.
pub(crate) fn aliases_to(aliases: &[Alias]) -> Option<Vec<h225::AliasAddress>> {
    let list: Vec<_> = aliases.iter().take(MAX_ALIASES).filter_map(alias_to).collect();
    (!list.is_empty()).then_some(list)
}

pub(crate) fn alias_to(alias: &Alias) -> Option<h225::AliasAddress> {
    let fits = |text: &String, most: usize| !text.is_empty() && text.encode_utf16().count() <= most;
    let ascii = |text: &&String| text.is_ascii() && fits(text, 512);
    Some(match alias {
        Alias::DialedDigits(text) => match Alias::from_text(text) {
            Alias::DialedDigits(digits) => h225::AliasAddress::DialledDigits(digits),
            other => return alias_to(&other),
        },
        Alias::H323Id(text) => {
            h225::AliasAddress::H323Id(BmpString::from(Some(text).filter(|t| fits(t, 256))?.as_str()))
        }
        Alias::Url(text) => h225::AliasAddress::UrlId(Some(text).filter(ascii)?.clone()),
        Alias::Email(text) => h225::AliasAddress::EmailId(Some(text).filter(ascii)?.clone()),
        Alias::Transport(address) => h225::AliasAddress::TransportID(to_h225(*address)),
        Alias::PartyNumber(digits) => {
            let number = h225::PublicPartyNumber::new(
                h225::PublicTypeOfNumber::Unknown,
                Some(digits).filter(|d| matches!(Alias::from_text(d), Alias::DialedDigits(_)))?.clone(),
            );
            h225::AliasAddress::PartyNumber(h225::PartyNumber::E164Number(number.into()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_dialed_and_letters_are_an_id() {
        assert_eq!(Alias::from_text("600#"), Alias::DialedDigits("600#".to_owned()));
        assert_eq!(Alias::from_text("bob1"), Alias::H323Id("bob1".to_owned()));
        assert_eq!(Alias::from_text(""), Alias::H323Id(String::new()));
    }
}
