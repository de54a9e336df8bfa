//! One association: our password, their name, what was seen of them.
//! In: messages to sign and to check, by their token lists; the time. Out: tokens, verdicts.
//! Not here: RAS messages (`ras::message`), call signalling (`signal`), policy about missing tokens.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use offhook_wire::h225::CryptoH323Token;
use offhook_wire::h235::ClearToken;
use offhook_wire::per::{BmpString, Integer};
use zeroize::Zeroizing;

use super::replay::{ReplayWindow, in_window};
use super::{Method, OID_CAT, Password, SecurityFailure, password, profile1};
use crate::random::Random;

/// The tokens of a message, as H.225.0 has them in every one.
pub(crate) type TokenLists<'a> = (&'a mut Option<Vec<ClearToken>>, &'a mut Option<Vec<CryptoH323Token>>);

/// What a received token must say; an empty identifier is not compared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected<'a> {
    /// The methods of which one must be there.
    pub(crate) methods: &'a [Method],
    /// Names of the sender, any of which is right.
    pub(crate) senders: &'a [String],
    /// Names of ours, any of which is right.
    pub(crate) ours: &'a [String],
    /// Identifiers must be there.
    pub(crate) strict: bool,
}

/// Signs what we send to one peer and checks what it sends. Nothing in it is ever printed.
#[derive(Clone)]
pub(crate) struct Authenticator {
    password: Password,
    key: Zeroizing<[u8; 20]>,
    /// The name that goes into MD5 and CAT tokens.
    user: String,
    window: u32,
    random: Random,
    /// The random of the last token: it only grows, so that no two of one second are alike.
    last: u32,
    seen: ReplayWindow,
    marks: RandomState,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Authenticator {
    pub(crate) fn new(user: &str, password: Password, window: Duration, seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Half of the range is left to grow into.
        let last = (random.next() >> 33) as u32;
        Self {
            key: password.key(),
            password,
            user: user.to_owned(),
            window: u32::try_from(window.as_secs()).unwrap_or(u32::MAX),
            random,
            last,
            seen: ReplayWindow::default(),
            marks: RandomState::new(),
        }
    }

    /// Puts our tokens into the lists of a message, `encode`s it and seals it.
    ///
    /// `senders_id` is our name in H.235.1, `general_id` the peer's; `tokens` finds the lists in the message.
    pub(crate) fn sign<M, O: AsMut<[u8]>, E>(
        &mut self,
        message: &mut M,
        methods: &[Method],
        (senders_id, general_id): (&BmpString, Option<&BmpString>),
        time: u32,
        tokens: impl for<'a> Fn(&'a mut M) -> Option<TokenLists<'a>>,
        encode: impl Fn(&M) -> Result<O, E>,
    ) -> Result<O, E> {
        self.last = self.last.wrapping_add(1).max(1);
        let random = self.last;
        let Some((clear, crypto)) = tokens(message) else {
            return encode(message);
        };
        if methods.contains(&Method::Cat) {
            let token = password::cat_token(&self.user, &self.password, time, random as u8);
            clear.get_or_insert_default().push(token);
        }
        if methods.contains(&Method::Md5)
            && let Some(token) = password::md5_token(&self.user, &self.password, time)
        {
            crypto.get_or_insert_default().push(token);
        }
        if !methods.contains(&Method::H2351) {
            return encode(message);
        }
        // Twelve random octets occur elsewhere in a message once in 2^80 times: the second try is as good as certain.
        for _ in 0..8 {
            let mut pattern = [0; 12];
            for chunk in pattern.chunks_mut(8) {
                let octets = self.random.next().to_be_bytes();
                chunk.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
            }
            let stamp = profile1::Stamp { time, random, senders_id, general_id };
            let Some((_, crypto)) = tokens(message) else {
                return encode(message);
            };
            crypto.get_or_insert_default().push(profile1::token(stamp, pattern));
            let mut octets = encode(message)?;
            if profile1::seal(octets.as_mut(), pattern, &self.key) {
                return Ok(octets);
            }
            if let Some((_, Some(crypto))) = tokens(message) {
                crypto.pop();
            }
        }
        encode(message)
    }

    /// Checks the tokens of a message that came as `octets`; says which method has proved it.
    pub(crate) fn check(
        &mut self,
        octets: &[u8],
        clear: Option<&Vec<ClearToken>>,
        crypto: Option<&Vec<CryptoH323Token>>,
        expected: Expected<'_>,
        now: u32,
    ) -> Result<Method, SecurityFailure> {
        let crypto = crypto.map(Vec::as_slice).unwrap_or_default();
        if let Some(token) = profile1::find(crypto) {
            if !expected.methods.contains(&Method::H2351) {
                return Err(SecurityFailure::WrongOid);
            }
            profile1::check(octets, token, &self.key)?;
            let values = &token.hashed_vals;
            let name = |id: &Option<BmpString>| id.as_ref().map(password::without_nul);
            same(name(&values.senders_id), expected.senders, expected.strict)
                .then_some(())
                .ok_or(SecurityFailure::WrongSendersId)?;
            same(name(&values.general_id), expected.ours, expected.strict)
                .then_some(())
                .ok_or(SecurityFailure::WrongGeneralId)?;
            let (Some(time), Some(random)) = (values.time_stamp, &values.random) else {
                return Err(SecurityFailure::WrongSyncTime);
            };
            let mark = self.mark(random);
            self.seen.admit(time, mark, now, self.window)?;
            return Ok(Method::H2351);
        }
        let mut failure = SecurityFailure::Missing;
        for token in crypto {
            let CryptoH323Token::CryptoEPPwdHash(token) = token else {
                continue;
            };
            if !expected.methods.contains(&Method::Md5) {
                failure = SecurityFailure::WrongOid;
                continue;
            }
            let user = password::md5_user(token).unwrap_or_default();
            if !same(Some(user.clone()), expected.senders, true) {
                return Err(SecurityFailure::WrongSendersId);
            }
            password::check_md5(token, &user, &self.password)?;
            // The hash has no random part: of one second all are alike, so that only time bounds a replay.
            in_window(token.time_stamp, now, self.window)?;
            return Ok(Method::Md5);
        }
        for token in clear.into_iter().flatten().filter(|token| token.token_oid == OID_CAT) {
            if !expected.methods.contains(&Method::Cat) {
                failure = SecurityFailure::WrongOid;
                continue;
            }
            let user = token.general_id.as_ref().map(password::without_nul);
            if !same(user, expected.senders, true) {
                return Err(SecurityFailure::WrongSendersId);
            }
            password::check_cat(token, &self.password)?;
            // One octet of random is too little to tell messages apart.
            in_window(token.time_stamp.unwrap_or_default(), now, self.window)?;
            return Ok(Method::Cat);
        }
        Err(failure)
    }

    /// A token's random, however long, in 64 bits that nobody can aim at.
    fn mark(&self, random: &Integer) -> u64 {
        self.marks.hash_one(random.to_be_bytes())
    }
}

/// The name is one of `known`; without a name, or without knowledge, it is right unless `strict`.
fn same(name: Option<String>, known: &[String], strict: bool) -> bool {
    match name {
        Some(name) => known.is_empty() || known.iter().any(|known| known.trim_end_matches('\0') == name),
        None => !strict,
    }
}

/// The name of the sender that a message's tokens claim, before anything is checked: whose password to check with.
pub(crate) fn claimed(
    clear: Option<&Vec<ClearToken>>,
    crypto: Option<&Vec<CryptoH323Token>>,
) -> Option<String> {
    let crypto = crypto.map(Vec::as_slice).unwrap_or_default();
    if let Some(token) = profile1::find(crypto) {
        return token.hashed_vals.senders_id.as_ref().map(password::without_nul);
    }
    let hashed = crypto.iter().find_map(|token| match token {
        CryptoH323Token::CryptoEPPwdHash(token) => password::md5_user(token),
        _ => None,
    });
    hashed.or_else(|| {
        let cat = clear.into_iter().flatten().find(|token| token.token_oid == OID_CAT)?;
        cat.general_id.as_ref().map(password::without_nul)
    })
}
