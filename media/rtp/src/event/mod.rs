//! telephone-event: named digits and signals in RTP (RFC 4733 §2), taken apart and put together.
//! In: payload octets, characters that people dial. Out: [`EventBlock`]s, [`EventCode`]s.
//! Not here: when a packet is sent (`sender.rs`), what packets amount to (`receiver.rs`), RFC 2198's redundancy
//! format, which H.245 would have to negotiate: every last packet is repeated instead (RFC 4733 §2.5.1.4).
//! RT: no allocation, lock, syscall, log or panic.

mod receiver;
mod sender;

pub use receiver::{EventReceiver, EventReceiverConfig, EventReceiverStats, ReceivedEvent};
pub use sender::{EventPacket, EventQueueFull, EventSender, MAX_QUEUED_EVENTS, PlannedEvent};

/// The duration of a segment that is full (RFC 4733 §2.5.1.3).
const FULL_SEGMENT: u32 = 0xFFFF;
/// Blocks read of one packet; more are malformed.
const MAX_BLOCKS: usize = 16;

/// An event code of RFC 4733 §3.2: 0 to 15 are the DTMF digits, 16 is flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventCode(u8);

impl EventCode {
    /// Hook flash, `!` in H.245 user input.
    pub const FLASH: Self = Self(16);

    /// The event with this code, if it is one of DTMF's or flash.
    pub const fn new(code: u8) -> Option<Self> {
        if code <= 16 { Some(Self(code)) } else { None }
    }

    /// The event that a dialled character means: `0`–`9`, `*`, `#`, `A`–`D` in either case, `!`.
    pub const fn from_char(dialled: char) -> Option<Self> {
        Some(Self(match dialled.to_ascii_uppercase() {
            digit @ '0'..='9' => digit as u8 - b'0',
            '*' => 10,
            '#' => 11,
            letter @ 'A'..='D' => letter as u8 - b'A' + 12,
            '!' => 16,
            _ => return None,
        }))
    }

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The character that is dialled for it.
    pub const fn to_char(self) -> char {
        match self.0 {
            digit @ 0..=9 => (b'0' + digit) as char,
            10 => '*',
            11 => '#',
            letter @ 12..=15 => (b'A' + letter - 12) as char,
            _ => '!',
        }
    }
}

/// One event's report (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventBlock {
    /// The event code, of any meaning.
    pub event: u8,
    /// E: the event is over, the duration is all of it.
    pub end: bool,
    /// Power level of a tone: so many dB below 0 dBm0, 0 to 63.
    pub volume: u8,
    /// How long the event or segment has lasted, in units of the RTP clock.
    pub duration: u16,
}

impl EventBlock {
    /// Octets on the wire.
    pub const LEN: usize = 4;

    /// The block's octets; the reserved bit is zero.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [high, low] = self.duration.to_be_bytes();
        let volume = if self.volume > 63 { 63 } else { self.volume };
        [self.event, (self.end as u8) << 7 | volume, high, low]
    }

    /// The block of four octets; the reserved bit is ignored.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self {
            event: bytes[0],
            end: bytes[1] & 0x80 != 0,
            volume: bytes[1] & 0x3F,
            duration: u16::from_be_bytes([bytes[2], bytes[3]]),
        }
    }

    /// The blocks of a payload: one, or several of which each begins where the one before ended (RFC 4733 §2.5.1.5).
    ///
    /// `None` if the length is zero, no multiple of four, or beyond sixteen blocks.
    pub fn read(payload: &[u8]) -> Option<impl Iterator<Item = EventBlock> + '_> {
        let (blocks, rest) = payload.as_chunks::<{ Self::LEN }>();
        let is_whole = rest.is_empty() && !blocks.is_empty() && blocks.len() <= MAX_BLOCKS;
        is_whole.then(|| blocks.iter().map(|block| Self::from_bytes(*block)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialled_character_has_its_code_and_no_other_has_one() {
        for (code, dialled) in "0123456789*#ABCD!".chars().enumerate() {
            let event = EventCode::from_char(dialled).unwrap();
            assert_eq!((usize::from(event.code()), event.to_char()), (code, dialled));
            assert_eq!(EventCode::new(event.code()), Some(event));
        }
        assert_eq!(EventCode::from_char('d'), EventCode::new(15));
        for other in ['E', ' ', '+', 'é', '\0'] {
            assert_eq!(EventCode::from_char(other), None);
        }
        assert_eq!(EventCode::new(17), None);
    }

    #[test]
    fn a_block_is_the_four_octets_of_the_standards_figure() {
        // RFC 4733 §2.5.2, figure 1 layout: event, E R volume, duration.
        let block = EventBlock { event: 9, end: true, volume: 7, duration: 1600 };
        assert_eq!(block.to_bytes(), [9, 0x87, 0x06, 0x40]);
        assert_eq!(EventBlock::from_bytes([9, 0xC7, 0x06, 0x40]), block, "the reserved bit is ignored");
        assert_eq!(EventBlock { volume: 200, ..block }.to_bytes()[1], 0x80 | 63);
    }

    #[test]
    fn payloads_of_wrong_lengths_are_no_blocks() {
        for len in [0, 1, 3, 5, 7, 68] {
            assert!(EventBlock::read(&[0; 68][..len]).is_none(), "{len}");
        }
        assert_eq!(EventBlock::read(&[0; 64]).unwrap().count(), 16);
    }
}
