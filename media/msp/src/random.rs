//! Numbers that nobody can guess: SSRCs, first sequence numbers, CNAMEs.
//! Out: bits of the operating system.
//! Not here: the spreading of RTCP intervals, which needs no secrecy (`offhook_rtp::Rng`).

use std::hash::{BuildHasher, Hasher, RandomState};

use offhook_engine::SenderIdentity;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    // The standard library's hasher is keyed at random once a process: good enough where the system refuses.
    getrandom::u64().unwrap_or_else(|_| RandomState::new().build_hasher().finish())
}

/// A sender that starts anywhere (RFC 3550 §5.1). The sequence number stays out of the upper half, so that it does not
/// wrap within the first ten minutes.
pub(crate) fn identity() -> SenderIdentity {
    let (a, b) = (bits(), bits());
    SenderIdentity {
        ssrc: a as u32,
        first_sequence_number: (a >> 48) as u16 & 0x7FFF,
        first_timestamp: b as u32,
    }
}

/// A short-term persistent CNAME (RFC 7022 §4.2): 96 random bits, which tell nothing of user or host.
pub(crate) fn cname() -> String {
    let (a, b) = (bits(), bits());
    let sextet = |n: u32| {
        let six = if n < 10 { a >> (6 * n) } else { b >> (6 * (n - 10)) } & 63;
        char::from(BASE64.get(six as usize).copied().unwrap_or(b'A'))
    };
    (0..16).map(sextet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cname_has_96_bits_and_is_never_the_same() {
        let (one, other) = (cname(), cname());
        assert_eq!(one.len(), 16);
        assert_ne!(one, other);
        assert!(one.bytes().all(|c| BASE64.contains(&c)));
    }

    #[test]
    fn two_senders_differ() {
        assert_ne!(identity(), identity());
    }
}
