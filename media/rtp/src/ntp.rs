//! NTP time as RTCP carries it (RFC 3550 §4).
//! In: Unix time. Out: the 64-bit and the middle 32-bit forms.
//! Not here: reading a clock.

/// Seconds from 1900 to 1970.
const UNIX_EPOCH_SECONDS: u64 = 2_208_988_800;

/// Wall-clock time: seconds since 1900 (modulo 2^32) in the upper half, their 2^-32 fractions in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTime(u64);

impl NtpTime {
    /// From the 64-bit form.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// From seconds since 1970 and nanoseconds; the era wraps in 2036 as on the wire.
    pub const fn from_unix(seconds: u64, nanoseconds: u32) -> Self {
        let fraction = ((nanoseconds as u64 % 1_000_000_000) << 32) / 1_000_000_000;
        Self(seconds.wrapping_add(UNIX_EPOCH_SECONDS) << 32 | fraction)
    }

    /// The 64-bit form.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The middle 32 bits, as LSR carries them: units of 1/65536 s.
    pub const fn middle_32(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// This time plus nanoseconds, modulo the era.
    pub const fn plus_ns(self, ns: u64) -> Self {
        let fraction = ((ns % 1_000_000_000) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add((ns / 1_000_000_000) << 32).wrapping_add(fraction))
    }
}

/// Nanoseconds to units of 1/65536 s (the unit of DLSR), rounded to nearest, saturating at 2^32-1.
pub(crate) fn short_from_ns(ns: u64) -> u32 {
    u32::try_from((u128::from(ns) * 65_536 + 500_000_000) / 1_000_000_000).unwrap_or(u32::MAX)
}

/// Units of 1/65536 s to nanoseconds.
pub(crate) fn ns_from_short(short: u32) -> u64 {
    (u64::from(short) * 1_000_000_000) >> 16
}
