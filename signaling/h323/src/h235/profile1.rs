//! H.235.1 baseline, procedure I: HMAC-SHA1-96 over a whole encoded message.
//! In: an encoded message whose hash is a placeholder, a key. Out: the message with its hash; and of a received message
//! whether the hash is right.
//!
//! ```text
//! message ─ token(pattern) ─ encode ─▶ octets, pattern in them ─ zeros in its place ─ HMAC ─▶ its first 96 bits there
//! ```
//!
//! Not here: identifiers and time (`authenticator`).

use hmac::{Hmac, KeyInit, Mac};
use offhook_wire::h225::CryptoH323Token;
use offhook_wire::h235::{ClearToken, CryptoToken, CryptoTokenCryptoHashedToken, Hashed, Params};
use offhook_wire::per::{BitString, BmpString, Integer};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::{OID_A, OID_T, OID_U, SecurityFailure};

/// Octets of the hash: 96 bits.
const LENGTH: usize = 12;

/// What stands in the hash's place while the message is encoded.
pub(super) type Pattern = [u8; LENGTH];

/// Who speaks to whom, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) time: u32,
    pub(super) random: u32,
    pub(super) senders_id: &'a BmpString,
    pub(super) general_id: Option<&'a BmpString>,
}

/// The token of a message that is about to be encoded.
pub(super) fn token(stamp: Stamp<'_>, pattern: Pattern) -> CryptoH323Token {
    let mut values = ClearToken::new(OID_T);
    values.time_stamp = Some(stamp.time);
    values.random = Some(Integer::from(i64::from(stamp.random)));
    values.general_id = stamp.general_id.cloned();
    values.senders_id = Some(stamp.senders_id.clone());
    let hash = Hashed::new(OID_U, Params::default(), BitString::from_octets(pattern.to_vec()));
    let token = CryptoTokenCryptoHashedToken::new(OID_A, values, hash);
    CryptoH323Token::NestedcryptoToken(CryptoToken::CryptoHashedToken(Box::new(token)))
}

/// Puts the hash in the place of `pattern`. False when the pattern is not there exactly once: the caller chooses another.
pub(super) fn seal(octets: &mut [u8], pattern: Pattern, key: &[u8; 20]) -> bool {
    let mut places = octets.windows(LENGTH).enumerate().filter(|(_, window)| *window == pattern);
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        return false;
    };
    let Some(place) = octets.get_mut(at..at + LENGTH) else {
        return false;
    };
    place.fill(0);
    let Some(hash) = hash(&[octets], key) else {
        return false;
    };
    if let Some(place) = octets.get_mut(at..at + LENGTH) {
        place.copy_from_slice(&hash);
    }
    true
}

/// The H.235.1 token among `tokens`.
pub(super) fn find(tokens: &[CryptoH323Token]) -> Option<&CryptoTokenCryptoHashedToken> {
    tokens.iter().find_map(|token| match token {
        CryptoH323Token::NestedcryptoToken(CryptoToken::CryptoHashedToken(token))
            if token.token_oid == OID_A =>
        {
            Some(&**token)
        }
        _ => None,
    })
}

/// Whether the hash of `token`, which came in `octets`, is right.
pub(super) fn check(
    octets: &[u8],
    token: &CryptoTokenCryptoHashedToken,
    key: &[u8; 20],
) -> Result<(), SecurityFailure> {
    if token.hashed_vals.token_oid != OID_T || token.token.algorithm_oid != OID_U {
        return Err(SecurityFailure::WrongOid);
    }
    let theirs = token.token.hash.as_octets();
    if token.token.hash.len() != 8 * LENGTH {
        return Err(SecurityFailure::IntegrityFailed);
    }
    // The hash stands on an octet boundary. Should its octets also occur elsewhere, one of the places is right; the
    // bound keeps a message made of one octet from costing more than a few hashes.
    let places = octets.windows(LENGTH).enumerate().filter(|(_, window)| *window == theirs).take(4);
    for (at, _) in places {
        let (before, rest) = octets.split_at(at);
        let behind = rest.get(LENGTH..).unwrap_or_default();
        let ours = hash(&[before, &[0; LENGTH], behind], key);
        if ours.is_some_and(|ours| bool::from(ours.as_slice().ct_eq(theirs))) {
            return Ok(());
        }
    }
    Err(SecurityFailure::IntegrityFailed)
}

fn hash(parts: &[&[u8]], key: &[u8; 20]) -> Option<Pattern> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().first_chunk::<LENGTH>().copied()
}
