//! Aliases, as applications say them.
//! Not here: DNS, h323: URLs (the application's side).

use std::fmt;
use std::net::SocketAddr;

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
