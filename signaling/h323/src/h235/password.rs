//! Password tokens: cryptoEPPwdHash and the Cisco access token. They prove the sender, not the message.
//! In: a user's name, the password, the time. Out: a token; of a received token, whether it is right.
//!
//! cryptoEPPwdHash is the MD5 of H.235's PwdCertToken in aligned PER: tokenOID 0.0, timeStamp, password, generalID.
//! H323Plus, GNU Gatekeeper and Cisco end both texts with a NUL; we send so, and take either.
//!
//! Not here: what a token is good for (`authenticator`).

use md5::{Digest, Md5};
use offhook_wire::h225::{AliasAddress, CryptoH323Token, CryptoH323TokenCryptoEPPwdHash};
use offhook_wire::h235::{ClearToken, Hashed, Params};
use offhook_wire::per::{self, BitString, BmpString, Integer, Oid};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{OID_CAT, OID_MD5, Password, SecurityFailure};

/// The tokenOID of a PwdCertToken that is hashed: none.
const OID_NONE: Oid = Oid::new(&[0, 0]);

/// The most characters of a name or a password: Identifier and Password are SIZE (1..128), one is the NUL.
pub(super) const MAX_TEXT: usize = 127;

fn with_nul(text: &str) -> BmpString {
    text.encode_utf16().take(MAX_TEXT).chain([0]).collect::<Vec<_>>().into()
}

/// A name as it was meant: without the NUL of those that end it so.
pub(super) fn without_nul(text: &BmpString) -> String {
    text.to_string().trim_end_matches('\0').to_owned()
}

/// cryptoEPPwdHash for `user`.
pub(super) fn md5_token(user: &str, password: &Password, time: u32) -> Option<CryptoH323Token> {
    let hash = hash_of(user, password, time, true)?;
    let token = Hashed::new(OID_MD5, Params::default(), BitString::from_octets(hash.to_vec()));
    let alias = AliasAddress::H323Id(with_nul(user));
    let token = CryptoH323TokenCryptoEPPwdHash::new(alias, time, token);
    Some(CryptoH323Token::CryptoEPPwdHash(Box::new(token)))
}

/// Whether the hash of `token` is that of `user` and `password`; its time is looked at elsewhere.
pub(super) fn check_md5(
    token: &CryptoH323TokenCryptoEPPwdHash,
    user: &str,
    password: &Password,
) -> Result<(), SecurityFailure> {
    if token.token.algorithm_oid != OID_MD5 {
        return Err(SecurityFailure::WrongOid);
    }
    for nul in [true, false] {
        if let Some(hash) = hash_of(user, password, token.time_stamp, nul)
            && bool::from(hash.as_slice().ct_eq(token.token.hash.as_octets()))
        {
            return Ok(());
        }
    }
    Err(SecurityFailure::IntegrityFailed)
}

/// The alias that a cryptoEPPwdHash names.
pub(super) fn md5_user(token: &CryptoH323TokenCryptoEPPwdHash) -> Option<String> {
    match &token.alias {
        AliasAddress::H323Id(text) => Some(without_nul(text)),
        AliasAddress::DialledDigits(text) | AliasAddress::UrlId(text) | AliasAddress::EmailId(text) => {
            Some(text.clone())
        }
        _ => None,
    }
}

/// MD5 of the PwdCertToken. The password is put into the encoded octets, so that no copy of it stays in a value of the
/// schema: where it belongs is where two encodings of placeholders of its length differ.
fn hash_of(user: &str, password: &Password, time: u32, nul: bool) -> Option<[u8; 16]> {
    let secret = password.bmp(nul);
    let units = secret.len() / 2;
    if user.is_empty() || units == 0 || units > MAX_TEXT + 1 {
        return None;
    }
    let encoded = |filler: u16| {
        let mut token = ClearToken::new(OID_NONE);
        token.time_stamp = Some(time);
        token.password = Some(vec![filler; units].into());
        let name: Vec<u16> = user.encode_utf16().take(MAX_TEXT).chain(nul.then_some(0)).collect();
        token.general_id = Some(name.into());
        per::encode(&token).ok()
    };
    let mut octets = Zeroizing::new(encoded(0)?);
    let other = encoded(0xffff)?;
    let at = octets.iter().zip(&other).position(|(one, other)| one != other)?;
    octets.get_mut(at..at + secret.len())?.copy_from_slice(&secret);
    Some(Md5::digest(octets.as_slice()).into())
}

/// A Cisco access token for `user`; `random` is one octet.
pub(super) fn cat_token(user: &str, password: &Password, time: u32, random: u8) -> ClearToken {
    let mut token = ClearToken::new(OID_CAT);
    token.time_stamp = Some(time);
    token.random = Some(Integer::from(i64::from(random)));
    token.challenge = Some(challenge(password, time, random).to_vec().into());
    token.general_id = Some(with_nul(user));
    token
}

/// Whether the challenge of `token` is that of `password`; its time is looked at elsewhere.
pub(super) fn check_cat(token: &ClearToken, password: &Password) -> Result<(), SecurityFailure> {
    let random = token.random.as_ref().and_then(Integer::to_i64);
    // Peers write the octet with or without sign.
    let random = random.filter(|random| (-128..=255).contains(random)).map(|random| random as u8);
    let (Some(time), Some(random), Some(theirs)) = (token.time_stamp, random, &token.challenge) else {
        return Err(SecurityFailure::IntegrityFailed);
    };
    let ours = challenge(password, time, random);
    if ours.as_slice().ct_eq(theirs).into() { Ok(()) } else { Err(SecurityFailure::IntegrityFailed) }
}

fn challenge(password: &Password, time: u32, random: u8) -> [u8; 16] {
    let mut hash = Md5::new();
    hash.update([random]);
    hash.update(password.octets());
    hash.update(time.to_be_bytes());
    let mut digest = hash.finalize();
    let octets = digest.into();
    digest.as_mut_slice().zeroize();
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the capture gk-auth-ok (H323Plus 1.28 to GNU Gatekeeper 5.15): 2026-11-20 07:41:18 UTC, password "secret".
    #[test]
    fn the_cisco_token_is_that_of_a_real_endpoint() {
        let password = Password::new("secret");
        let token = cat_token("bob", &password, 1_795_160_478, 52);
        let hash =
            [0xbe, 0xab, 0xaa, 0x9f, 0xa0, 0x55, 0x35, 0x44, 0xc8, 0x46, 0x05, 0x21, 0x07, 0x67, 0xd6, 0x4a];
        assert_eq!(token.challenge.as_deref(), Some(hash.as_slice()));
        assert_eq!(check_cat(&token, &password), Ok(()));
        assert_eq!(check_cat(&token, &Password::new("Secret")), Err(SecurityFailure::IntegrityFailed));
        let signed = ClearToken { random: Some(Integer::from(-204)), ..token };
        assert_eq!(check_cat(&signed, &password), Err(SecurityFailure::IntegrityFailed));
    }

    #[test]
    fn no_password_is_too_long_or_too_odd_to_be_refused_in_order() {
        for text in ["", "x", "\u{ffff}\u{0}", &"y".repeat(127), &"z".repeat(5000)] {
            let password = Password::new(text);
            let token = md5_token("bob", &password, 1);
            assert_eq!(token.is_some(), text.len() <= 127, "{}", text.len());
        }
    }
}
