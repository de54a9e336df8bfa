//! A row of words that one thread writes and any may read, whole: a seqlock without unsafe code.
//! In: values that are words. Out: the same values, as of one moment.
//!
//! The writer never waits; a reader that meets a writer reads again.
//! Not here: which values (`meters.rs`, `rt/pcm.rs`).
//! RT (`publish`): no allocation, lock, syscall, log or panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use offhook_codecs::Level;

use crate::rt::node::{level_from_bits, level_to_bits};
use crate::sync::{AtomicU64, Ordering, fence, yield_now};

/// A row of words under a sequence count: odd while it is being written.
#[derive(Debug)]
pub(crate) struct Board<const N: usize> {
    sequence: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Board<N> {
    pub(crate) fn new() -> Board<N> {
        Board { sequence: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// One writer only.
    pub(crate) fn publish<T: Words>(&self, value: &T) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        let mut slots = Slots { words: self.words.iter(), missing: 0 };
        value.put(&mut slots);
        debug_assert!(slots.missing == 0, "{} words more than {N}", slots.missing);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    pub(crate) fn read<T: Words>(&self) -> T {
        let mut row = Row { words: [0; N], at: 0 };
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            for (value, word) in row.words.iter_mut().zip(&self.words) {
                *value = word.load(Ordering::Relaxed);
            }
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return T::take(&mut row);
            }
            // A writer that was pre-empted half way: let it finish.
            yield_now();
        }
    }
}

/// A row that was read, from its front.
struct Row<const N: usize> {
    words: [u64; N],
    at: usize,
}

/// A row's places to be written, from its front.
struct Slots<'a> {
    words: std::slice::Iter<'a, AtomicU64>,
    missing: usize,
}

/// Where words come from, or go to.
pub(crate) trait Pen {
    fn put(&mut self, _word: u64) {}
    fn take(&mut self) -> u64 {
        0
    }
}

impl Pen for Slots<'_> {
    fn put(&mut self, word: u64) {
        match self.words.next() {
            Some(place) => place.store(word, Ordering::Relaxed),
            None => self.missing += 1,
        }
    }
}

impl<const N: usize> Pen for Row<N> {
    fn take(&mut self) -> u64 {
        let word = self.words.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        word
    }
}

/// A value as words.
pub(crate) trait Words: Sized {
    fn put(&self, pen: &mut impl Pen);
    fn take(pen: &mut impl Pen) -> Self;
}

impl Words for u64 {
    fn put(&self, pen: &mut impl Pen) {
        pen.put(*self);
    }
    fn take(pen: &mut impl Pen) -> u64 {
        pen.take()
    }
}

impl Words for u32 {
    fn put(&self, pen: &mut impl Pen) {
        pen.put(u64::from(*self));
    }
    fn take(pen: &mut impl Pen) -> u32 {
        pen.take() as u32
    }
}

impl Words for bool {
    fn put(&self, pen: &mut impl Pen) {
        pen.put(u64::from(*self));
    }
    fn take(pen: &mut impl Pen) -> bool {
        pen.take() != 0
    }
}

impl<T: Words + Default> Words for Option<T> {
    fn put(&self, pen: &mut impl Pen) {
        self.is_some().put(pen);
        match self {
            Some(value) => value.put(pen),
            None => T::default().put(pen),
        }
    }
    fn take(pen: &mut impl Pen) -> Option<T> {
        let is_some = bool::take(pen);
        let value = T::take(pen);
        is_some.then_some(value)
    }
}

impl Words for Level {
    fn put(&self, pen: &mut impl Pen) {
        pen.put(level_to_bits(*self));
    }
    fn take(pen: &mut impl Pen) -> Level {
        level_from_bits(pen.take())
    }
}

/// 0: none; 4 or 6: the family, and the port above it. Scopes of IPv6 are not kept.
impl Words for Option<SocketAddr> {
    fn put(&self, pen: &mut impl Pen) {
        let (family, port, octets) = match self {
            None => (0, 0, 0),
            Some(SocketAddr::V4(at)) => (4, at.port(), u128::from(at.ip().to_bits())),
            Some(SocketAddr::V6(at)) => (6, at.port(), at.ip().to_bits()),
        };
        pen.put(family | u64::from(port) << 8);
        pen.put((octets >> 64) as u64);
        pen.put(octets as u64);
    }
    fn take(pen: &mut impl Pen) -> Option<SocketAddr> {
        let (first, high, low) = (pen.take(), pen.take(), pen.take());
        let ip: IpAddr = match first & 0xFF {
            4 => Ipv4Addr::from_bits(low as u32).into(),
            6 => Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, (first >> 8) as u16))
    }
}

/// Field by field, in one order for both ways; a field that is missing here does not compile.
macro_rules! words {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl Words for $type {
            fn put(&self, pen: &mut impl Pen) {
                $(self.$field.put(pen);)*
            }
            fn take(pen: &mut impl Pen) -> $type {
                $(let $field = Words::take(pen);)*
                $type { $($field),* }
            }
        }
    };
}

pub(crate) use words;
