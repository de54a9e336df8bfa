//! Redundant audio data (RFC 2198): packets that carry copies of those before them, put together and taken apart.
//! In: a codec's payloads one after another; the payload of a packet of the redundancy type. Out: payloads with copies;
//! [`RedundantBlock`]s, the oldest first.
//! Not here: what payload type that is (signalling), filling holes with copies (`offhook-jitter`).
//! RT: no allocation, lock, syscall, log or panic. (`RedundancySender::new` allocates.)
//!
//! ```text
//!  F=1 type 7 bits │ offset 14 bits │ length 10 bits      a copy; any number of these
//!  F=0 type 7 bits                                        the packet's own block, to the end
//!  octets of the copies, in the same order, then the packet's own
//! ```

/// Blocks looked at in one packet: more is not sent to be played.
pub const MAX_BLOCKS: usize = 8;
/// The most copies in a packet that is sent.
pub const MAX_COPIES: usize = 4;
/// Octets of a copy's header, and of the last.
const COPY_HEADER: usize = 4;
const OWN_HEADER: usize = 1;
/// The longest copy, octets, and the farthest back, ticks, that its header can tell (RFC 2198 §3).
const MAX_COPY_OCTETS: usize = 0x3FF;
const MAX_OFFSET: u32 = 0x3FFF;

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
) -> Result<impl Iterator<Item = RedundantBlock<'_>> + Clone, RedundancyError> {
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

/// Makes each payload one of RFC 2198: copies of those before it, then itself.
#[derive(Debug)]
pub struct RedundancySender {
    payload_type: u8,
    most_octets: usize,
    /// What was sent last, in a ring.
    sent: Box<[Sent]>,
    next: usize,
}

/// A payload that was sent.
#[derive(Debug, Clone)]
struct Sent {
    /// Timestamp and payload type; `None`: nothing is kept here.
    what: Option<(u32, u8)>,
    octets: Box<[u8]>,
    len: usize,
}

impl RedundancySender {
    /// Up to `copies` in a packet, [`MAX_COPIES`] at most, under `payload_type`; a payload is never longer than
    /// `most_octets`: copies that would make it so are left out, the oldest first.
    pub fn new(payload_type: u8, copies: usize, most_octets: usize) -> RedundancySender {
        let empty = Sent { what: None, octets: vec![0; MAX_COPY_OCTETS].into(), len: 0 };
        RedundancySender {
            payload_type: payload_type & 0x7F,
            most_octets,
            sent: vec![empty; copies.min(MAX_COPIES)].into(),
            next: 0,
        }
    }

    /// The payload type of packets with copies.
    pub const fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// Takes the first `own` octets of `room`, a codec's payload with its payload type and timestamp, and makes them one of
    /// RFC 2198 in the same place; its length. `None`: there is no room for it, and the payload is as it was. Either way
    /// those after it will have copies of it.
    pub fn wrap(&mut self, timestamp: u32, payload_type: u8, own: usize, room: &mut [u8]) -> Option<usize> {
        let most = self.most_octets.min(room.len());
        // The newest first: those that fit.
        let (mut count, mut before) = (0, OWN_HEADER);
        for sent in self.newest_first() {
            let Some(len) = sent.fits(timestamp).filter(|len| before + COPY_HEADER + len + own <= most)
            else {
                break;
            };
            (count, before) = (count + 1, before + COPY_HEADER + len);
        }
        let total = before + own;
        let has_room = total <= most && own <= room.len();
        let kept: [Option<(u32, u8, usize)>; MAX_COPIES] = std::array::from_fn(|at| {
            let sent = self.newest_first().nth(at).filter(|_| at < count)?;
            sent.what.map(|(timestamp, payload_type)| (timestamp, payload_type, sent.len))
        });
        if has_room {
            room.copy_within(..own, before);
            let mut at = 0;
            let mut put = |octets: &[u8]| {
                if let Some(place) = room.get_mut(at..at + octets.len()) {
                    place.copy_from_slice(octets);
                }
                at += octets.len();
            };
            for (sent_at, payload_type, len) in kept.into_iter().flatten().rev() {
                let fields = timestamp.wrapping_sub(sent_at) << 10 | len as u32;
                let [_, high, middle, low] = fields.to_be_bytes();
                put(&[0x80 | payload_type, high, middle, low]);
            }
            put(&[payload_type & 0x7F]);
            for back in (0..count).rev() {
                if let Some(sent) = self.newest_first().nth(back) {
                    put(sent.octets.get(..sent.len).unwrap_or_default());
                }
            }
        }
        let from = if has_room { before } else { 0 };
        self.keep(timestamp, payload_type, room.get(from..from + own).unwrap_or_default());
        has_room.then_some(total)
    }

    /// What was sent is not copied any more: what follows does not follow it at once.
    pub fn forget(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.what = None);
    }

    fn newest_first(&self) -> impl Iterator<Item = &Sent> {
        let (older, newer) = self.sent.split_at_checked(self.next).unwrap_or_default();
        older.iter().rev().chain(newer.iter().rev())
    }

    fn keep(&mut self, timestamp: u32, payload_type: u8, payload: &[u8]) {
        let Some(slot) = self.sent.get_mut(self.next) else { return };
        slot.what = None;
        if let Some(room) = slot.octets.get_mut(..payload.len()) {
            room.copy_from_slice(payload);
            slot.len = payload.len();
            slot.what = Some((timestamp, payload_type & 0x7F));
        }
        self.next = (self.next + 1) % self.sent.len().max(1);
    }
}

impl Sent {
    /// Its length, if a packet of that timestamp can have a copy of it.
    fn fits(&self, timestamp: u32) -> Option<usize> {
        let (at, _) = self.what?;
        (timestamp.wrapping_sub(at) <= MAX_OFFSET).then_some(self.len)
    }
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

    /// What becomes of a payload that is `n` times its own number.
    fn wrapped(sender: &mut RedundancySender, n: u8, timestamp: u32) -> Vec<u8> {
        let mut room = vec![n; usize::from(n)];
        room.resize(200, 0);
        let len = sender.wrap(timestamp, 8, usize::from(n), &mut room).unwrap();
        room[..len].to_vec()
    }

    #[test]
    fn what_was_sent_before_comes_again_with_what_follows_and_comes_apart_as_it_was() {
        let mut sender = RedundancySender::new(99, 2, 1_440);
        let mut all = Vec::new();
        for n in 1..=4u8 {
            let timestamp = (160 * u32::from(n)).wrapping_sub(400);
            let payload = wrapped(&mut sender, n, timestamp);
            let blocks = redundant_blocks(timestamp, &payload).unwrap();
            all.push(
                blocks
                    .map(|block| {
                        assert_eq!((block.payload_type, block.payload.len()), (8, block.payload[0].into()));
                        let sent = (160 * u32::from(block.payload[0])).wrapping_sub(400);
                        assert_eq!((block.timestamp, block.is_copy), (sent, block.payload[0] != n));
                        block.payload[0]
                    })
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(all, [vec![1], vec![1, 2], vec![1, 2, 3], vec![2, 3, 4]]);
        sender.forget();
        assert_eq!(wrapped(&mut sender, 5, 800), [8, 5, 5, 5, 5, 5]);
        // RFC 2198 §3 by octets: a copy of 5 octets, 160 ticks back.
        let expected = [0x88, 160 >> 6, (160 & 0x3F) << 2, 5, 8, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6];
        assert_eq!(wrapped(&mut sender, 6, 960), expected);
    }

    #[test]
    fn copies_that_do_not_fit_or_are_too_old_are_left_out() {
        let count = |sender: &mut RedundancySender, own: usize, timestamp| {
            let mut room = [7; 1_500];
            let len = sender.wrap(timestamp, 0, own, &mut room);
            len.map(|len| redundant_blocks(timestamp, &room[..len]).unwrap().count() - 1)
        };
        let mut sender = RedundancySender::new(99, 3, 400);
        let counts: Vec<_> = (0..4).map(|n| count(&mut sender, 160, n * 160)).collect();
        assert_eq!(counts, [Some(0), Some(1), Some(1), Some(1)], "two of 160 fit into 400");
        assert_eq!(count(&mut sender, 400, 640), None, "nor does a header beside 400");
        let mut room = [3; 400];
        assert_eq!((sender.wrap(800, 0, 400, &mut room), room), (None, [3; 400]), "it is sent as it is");
        let mut sender = RedundancySender::new(99, 1, 1_440);
        assert_eq!(count(&mut sender, 100, 0), Some(0));
        assert_eq!(count(&mut sender, 100, 0x3FFF), Some(1));
        assert_eq!(count(&mut sender, 100, 0x3FFF + 0x4000), Some(0), "14 bits do not tell it");
        assert_eq!(count(&mut sender, 1_024, 0x8000), Some(1));
        assert_eq!(count(&mut sender, 100, 0x8100), Some(0), "10 bits do not tell its length");
        let mut none = RedundancySender::new(99, 0, 1_440);
        assert_eq!([count(&mut none, 100, 0), count(&mut none, 100, 160)], [Some(0); 2]);
    }
}
