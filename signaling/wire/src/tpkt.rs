//! Frames and unframes the TPKTs that carry H.225.0 call signalling and H.245 over TCP
//! (RFC 1006 §6, as H.225.0 Appendix IV uses it).
//! In: octets of a TCP stream, in any portions. Out: one payload a packet; counts of keep-alives.
//!
//! ```text
//!  0        1        2        3        4
//! +--------+--------+--------+--------+---------…
//! | vrsn 3 | reserved | length, header included | payload
//! +--------+--------+--------+--------+---------…
//! ```
//!
//! Not here: sockets and time-outs (the driver); what the payload means (`q931`, `h245`).

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// The version number in the first octet of every TPKT (RFC 1006 §6).
pub const VERSION: u8 = 3;

/// Octets of the TPKT header: version, reserved, two octets of length.
pub const HEADER_LENGTH: usize = 4;

/// The longest TPKT that its two-octet length can express, header included.
pub const MAX_LENGTH: usize = 65_535;

/// The longest payload of one TPKT.
pub const MAX_PAYLOAD: usize = MAX_LENGTH - HEADER_LENGTH;

/// How many undrained octets a decoder holds before it gives up on its caller: sixteen of the
/// longest packets. A caller that drains after each read never comes near.
pub const BUFFER_LIMIT: usize = 16 * MAX_LENGTH;

/// Why a stream is no sequence of TPKTs, or a payload fits into none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TpktError {
    /// The peer sent a first octet other than 3; the stream cannot be resynchronised.
    #[error("the peer sent TPKT version {0}, only 3 exists")]
    Version(u8),
    /// The peer announced a packet shorter than its own header.
    #[error("the peer announced a TPKT of {0} octets, less than its 4-octet header")]
    TooShort(u16),
    /// The peer announced a packet longer than the configured limit.
    #[error("the peer announced a TPKT of {length} octets, the limit is {limit}")]
    TooLong {
        /// The announced length, header included.
        length: u16,
        /// The limit in force, header included.
        limit: usize,
    },
    /// The caller pushed more than [`BUFFER_LIMIT`] octets without draining.
    #[error("the caller left more than {BUFFER_LIMIT} octets undrained")]
    Undrained,
    /// The caller's payload is longer than [`MAX_PAYLOAD`].
    #[error("a payload of {0} octets does not fit a TPKT")]
    PayloadTooLong(usize),
}

/// Cuts a TCP stream into TPKT payloads.
///
/// Call order: [`push`](Self::push) what was read, then [`next`](Self::next) until it returns
/// `Ok(None)`. An error is final: TPKT has no way to find the next packet, so every later `next`
/// repeats it and later octets are dropped; close the connection.
#[derive(Debug)]
pub struct TpktDecoder {
    buffer: BytesMut,
    limit: usize,
    keep_alives: u64,
    failed: Option<TpktError>,
}

impl Default for TpktDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl TpktDecoder {
    /// A decoder that accepts packets of every length that TPKT can express.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(MAX_LENGTH)
    }

    /// A decoder that refuses packets longer than `limit` octets, header included.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit, keep_alives: 0, failed: None }
    }

    /// Appends octets as they came from the stream.
    pub fn push(&mut self, octets: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.buffer.len().saturating_add(octets.len()) > BUFFER_LIMIT {
            self.fail(TpktError::Undrained);
            return;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// The payload of the next complete packet; `Ok(None)` when more octets are needed.
    ///
    /// Packets without payload are keep-alives: skipped and counted.
    ///
    /// # Errors
    ///
    /// The stream is no TPKT stream, or the caller did not drain.
    // A stream of packets has no end that this decoder could know, so this is no `Iterator`.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Bytes>, TpktError> {
        loop {
            if let Some(error) = self.failed {
                return Err(error);
            }
            // Each turn consumes a header or leaves the loop: it ends.
            let length = match self.announced_length() {
                Ok(Some(length)) if self.buffer.len() >= length => length,
                Ok(_) => return Ok(None),
                Err(error) => return Err(self.fail(error)),
            };
            let packet = self.buffer.split_to(length).freeze();
            if packet.len() == HEADER_LENGTH {
                self.keep_alives = self.keep_alives.saturating_add(1);
                continue;
            }
            return Ok(Some(packet.slice(HEADER_LENGTH..)));
        }
    }

    /// How many packets without payload have been skipped.
    #[must_use]
    pub fn keep_alives(&self) -> u64 {
        self.keep_alives
    }

    /// How many octets wait for the rest of their packet. Not zero at the end of the stream means
    /// that the peer broke off inside a packet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The length of the packet at the head of the buffer, as soon as its octets show it. A bad
    /// version is reported at once, not after four octets.
    fn announced_length(&self) -> Result<Option<usize>, TpktError> {
        let (version, length) = match *self.buffer {
            [version, _, high, low, ..] => (version, Some(u16::from_be_bytes([high, low]))),
            [version, ..] => (version, None),
            [] => return Ok(None),
        };
        if version != VERSION {
            return Err(TpktError::Version(version));
        }
        let Some(length) = length else {
            return Ok(None);
        };
        let octets = usize::from(length);
        if octets < HEADER_LENGTH {
            return Err(TpktError::TooShort(length));
        }
        if octets > self.limit {
            return Err(TpktError::TooLong { length, limit: self.limit });
        }
        Ok(Some(octets))
    }

    fn fail(&mut self, error: TpktError) -> TpktError {
        self.failed = Some(error);
        self.buffer = BytesMut::new();
        error
    }
}

/// One TPKT around `payload`; an empty payload makes the keep-alive.
///
/// # Errors
///
/// [`TpktError::PayloadTooLong`] when two octets cannot express the length.
pub fn encode(payload: &[u8]) -> Result<Bytes, TpktError> {
    let length = payload
        .len()
        .checked_add(HEADER_LENGTH)
        .and_then(|length| u16::try_from(length).ok())
        .ok_or(TpktError::PayloadTooLong(payload.len()))?;
    let mut packet = BytesMut::with_capacity(usize::from(length));
    packet.put_u8(VERSION);
    packet.put_u8(0);
    packet.put_u16(length);
    packet.put_slice(payload);
    Ok(packet.freeze())
}
