//! Passwords: wiped when dropped, never shown.
//! In: text from a configuration or a prompt. Out: what hashes need of it, to `password` and `profile1` only.

use std::fmt;

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password. Its memory is wiped when it is dropped, and it cannot be printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text over; copies that the caller made are the caller's to wipe.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Whether there is nothing in it; an empty password proves nothing and is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// UTF-16 as BMPString has it, with the NUL that H323Plus, GNU Gatekeeper and Cisco hash along, or without.
    pub(super) fn bmp(&self, nul: bool) -> Zeroizing<Vec<u8>> {
        // No growth on the way, which would leave copies behind.
        let mut octets = Zeroizing::new(Vec::with_capacity(2 * self.0.len() + 2));
        for unit in self.0.encode_utf16().chain(nul.then_some(0)) {
            octets.extend_from_slice(&unit.to_be_bytes());
        }
        octets
    }

    /// The key of H.235.1: SHA-1 of the password.
    pub(super) fn key(&self) -> Zeroizing<[u8; 20]> {
        let mut key = Zeroizing::new([0; 20]);
        let mut hash = Sha1::digest(self.octets());
        key.copy_from_slice(&hash);
        zeroize::Zeroize::zeroize(hash.as_mut_slice());
        key
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.octets().ct_eq(other.octets()).into()
    }
}

impl Eq for Password {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let password = Password::new("hunter2");
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert_eq!(password, Password::new("hunter2"));
        assert_ne!(password, Password::new("hunter3"));
    }
}
