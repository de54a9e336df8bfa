//! Redundant audio data (RFC 2198): one packet's payload is taken apart into the blocks of several packets.
//! In: the payload of a packet of the redundancy type, its timestamp. Out: [`RedundantBlock`]s, the oldest first.
//! Not here: what payload type that is (signalling), filling holes with copies (`offhook-jitter`), sending such packets.
//! RT: no allocation, lock, syscall, log or panic.
//!
//! ```text
//!  F=1 type 7 bits │ offset 14 bits │ length 10 bits      a copy; any number of these
//!  F=0 type 7 bits                                        the packet's own block, to the end
//!  octets of the copies, in the same order, then the packet's own
//! ```

/// Blocks looked at in one packet: more is not sent to be played.
pub const MAX_BLOCKS: usize = 8;
/// Octets of a copy's header, and of the last.
const COPY_HEADER: usize = 4;
const OWN_HEADER: usize = 1;

/// Why a payload is not one of RFC 2198.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedundancyError {
    /// The headers or the blocks that they announce reach past the payload.
    #[error("{have} octets where redundant blocks need {need}")]
    Truncated {
        /// Octets needed, as far as it was read.
        need: usize,
        /// Octets that came.
        have: usize,
    },
    /// More than [`MAX_BLOCKS`] blocks.
    #[error("more than {MAX_BLOCKS} blocks in a packet")]
    TooMany,
}

/// One block of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedundantBlock<'a> {
    /// The payload type of what it holds.
    pub payload_type: u8,
    /// Its RTP timestamp: the packet's for its own block, an earlier one for a copy.
    pub timestamp: u32,
    /// Whether it is a copy of what an earlier packet carried.
    pub is_copy: bool,
    /// The codec's octets; a copy may be empty (an encoder that had nothing to send).
    pub payload: &'a [u8],
}

/// Takes the payload of a packet with `timestamp` apart: copies, the oldest first as they lie there, then the packet's
/// own block.
///
/// # Errors
///
/// [`RedundancyError`] if it is not a payload of RFC 2198: nothing of it can be trusted then.
pub fn redundant_blocks(
    timestamp: u32,
    payload: &[u8],
) -> Result<impl Iterator<Item = RedundantBlock<'_>>, RedundancyError> {
    let mut blocks = [None; MAX_BLOCKS];
    let mut headers = payload;
    let (mut count, mut header_octets, mut copied) = (0, 0, 0);
    loop {
        let truncated = |need| RedundancyError::Truncated { need, have: payload.len() };
        let slot = blocks.get_mut(count).ok_or(RedundancyError::TooMany)?;
        count += 1;
        match *headers {
            [first, high, middle, low, ref rest @ ..] if first & 0x80 != 0 => {
                let fields = u32::from_be_bytes([0, high, middle, low]);
                let length = (fields & 0x3FF) as usize;
                *slot = Some((first & 0x7F, timestamp.wrapping_sub(fields >> 10), length));
                (header_octets, copied, headers) = (header_octets + COPY_HEADER, copied + length, rest);
            }
            [first, ..] if first & 0x80 == 0 => {
                header_octets += OWN_HEADER;
                let need = header_octets + copied;
                let own = payload.len().checked_sub(need).ok_or(truncated(need))?;
                *slot = Some((first & 0x7F, timestamp, own));
                break;
            }
            [] => return Err(truncated(header_octets + OWN_HEADER)),
            _ => return Err(truncated(header_octets + COPY_HEADER)),
        }
    }
    let mut octets = payload.get(header_octets..).unwrap_or_default();
    Ok(blocks.into_iter().flatten().enumerate().map_while(move |(at, (payload_type, timestamp, length))| {
        let (payload, rest) = octets.split_at_checked(length)?;
        octets = rest;
        Some(RedundantBlock { payload_type, timestamp, is_copy: at + 1 < count, payload })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(payload: &[u8]) -> Result<Vec<RedundantBlock<'_>>, RedundancyError> {
        redundant_blocks(5_000, payload).map(Iterator::collect)
    }

    #[test]
    fn a_packet_with_two_copies_comes_apart() {
        // RFC 2198 §4: F, type, offset, length; here PCMU 320 and 160 ticks ago.
        let mut payload = vec![0x80, (320u32 >> 6) as u8, ((320u32 & 0x3F) << 2) as u8, 3];
        payload.extend([0x88, (160u32 >> 6) as u8, ((160u32 & 0x3F) << 2) as u8, 2, 0x00]);
        payload.extend([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let block = |payload_type, timestamp, is_copy, payload| RedundantBlock {
            payload_type,
            timestamp,
            is_copy,
            payload,
        };
        let expected = vec![
            block(0, 4_680, true, &[1, 2, 3][..]),
            block(8, 4_840, true, &[4, 5]),
            block(0, 5_000, false, &[6, 7, 8, 9]),
        ];
        assert_eq!(split(&payload), Ok(expected));
    }

    #[test]
    fn without_copies_there_is_the_packets_own_block_and_timestamps_wrap() {
        let own = split(&[0x08, 0xAA, 0xBB]).unwrap();
        assert_eq!(own.len(), 1);
        assert_eq!((own[0].payload, own[0].is_copy), (&[0xAA, 0xBB][..], false));
        let far: Vec<_> = redundant_blocks(100, &[0x80, 0xFF, 0xFC, 0, 0]).unwrap().collect();
        assert_eq!(far[0].timestamp, 100u32.wrapping_sub(0x3FFF));
    }

    #[test]
    fn what_reaches_past_the_end_or_never_ends_is_refused() {
        use RedundancyError::{TooMany, Truncated};
        assert_eq!(split(&[]), Err(Truncated { need: 1, have: 0 }));
        assert_eq!(split(&[0x80, 0, 0]), Err(Truncated { need: 4, have: 3 }));
        assert_eq!(split(&[0x80, 0, 0, 1]), Err(Truncated { need: 5, have: 4 }));
        assert_eq!(split(&[0x80, 0, 0, 2, 0, 9]), Err(Truncated { need: 7, have: 6 }));
        assert_eq!(split(&[0x80; 400]), Err(TooMany));
    }

    #[test]
    fn any_octets_come_apart_within_themselves() {
        let mut dice = 7u32;
        for length in 0..2_000usize {
            let payload: Vec<u8> = (0..length % 60)
                .map(|_| {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (dice >> 24) as u8
                })
                .collect();
            if let Ok(blocks) = redundant_blocks(dice, &payload) {
                let octets: usize = blocks.map(|block| block.payload.len()).sum();
                assert!(octets < payload.len());
            }
        }
    }
}
