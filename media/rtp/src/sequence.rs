//! Validates and extends sequence numbers of one source (RFC 3550 §A.1).
//! In: sequence numbers by arrival. Out: a verdict and the extended number; counts for §A.3.
//! Probation → Valid ⇄ (a suspicious jump) → Valid anew.
//! Not here: which source is listened to (`receiver.rs`); loss fractions (`reception.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// Packets in sequence that make a source valid (RFC 3550 §A.1).
pub const MIN_SEQUENTIAL: u8 = 2;
/// The greatest gap that is loss and not a restart (RFC 3550 §A.1).
pub const MAX_DROPOUT: u16 = 3000;
/// The greatest distance behind that is misordering and not a restart (RFC 3550 §A.1).
pub const MAX_MISORDER: u16 = 100;
/// What extended numbers start from, so that packets from before the first never go below zero. Its low 32 bits are
/// zero: an extended number truncated to 32 bits is RFC 3550's "extended highest sequence number".
pub const SEQUENCE_EPOCH: u64 = 1 << 32;

/// What a sequence number says about its packet. `extended` is [`SEQUENCE_EPOCH`] + 65536 × cycles + number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceVerdict {
    /// The source has not yet shown [`MIN_SEQUENTIAL`] packets in sequence.
    Probation {
        /// The extended number that the packet has if the next one validates the source.
        extended: u64,
    },
    /// This packet ends the probation; the packets in sequence before it are counted too.
    Started {
        /// The extended number.
        extended: u64,
    },
    /// The newest packet so far; `gap` numbers before it are missing as yet.
    InOrder {
        /// The extended number.
        extended: u64,
        /// Numbers skipped.
        gap: u16,
    },
    /// Older than the newest, by less than [`MAX_MISORDER`], and not seen before.
    Late {
        /// The extended number.
        extended: u64,
    },
    /// Seen before, within the last 128 numbers.
    Duplicate,
    /// A jump of more than [`MAX_DROPOUT`]: uncounted until the next number confirms a restart.
    Suspicious {
        /// The extended number that the packet has if the next one confirms the restart.
        extended: u64,
    },
    /// The second packet in sequence after a jump: the source restarted, its counts begin anew with both packets.
    Restarted {
        /// The extended number.
        extended: u64,
    },
}

/// The state of RFC 3550 §A.1 for one source, with 64-bit cycles and a window of 128 numbers against duplicates.
///
/// It differs from the appendix in one respect: the packets of the probation, and the one before a confirmed restart,
/// are counted once the source is valid, because they are played too.
#[derive(Debug, Clone, Copy)]
pub struct SequenceTracker {
    base: u64,
    highest: u64,
    received: u64,
    /// Bit i: number `highest - i` was received.
    window: u128,
    bad: Option<u16>,
    probation: u8,
}

impl SequenceTracker {
    /// A source on probation, of which nothing was received yet.
    pub const fn new() -> Self {
        Self {
            base: SEQUENCE_EPOCH,
            highest: SEQUENCE_EPOCH,
            received: 0,
            window: 0,
            bad: None,
            probation: MIN_SEQUENTIAL,
        }
    }

    /// Judges the next packet by arrival (`update_seq` of RFC 3550 §A.1).
    pub fn update(&mut self, number: u16) -> SequenceVerdict {
        if self.probation > 0 {
            return self.prove(number);
        }
        let delta = number.wrapping_sub(self.highest as u16);
        if delta == 0 {
            self.received += 1;
            SequenceVerdict::Duplicate
        } else if delta < MAX_DROPOUT {
            self.highest += u64::from(delta);
            self.window = self.window.checked_shl(u32::from(delta)).unwrap_or(0) | 1;
            self.received += 1;
            SequenceVerdict::InOrder { extended: self.highest, gap: delta - 1 }
        } else if delta <= (u16::MAX - MAX_MISORDER) + 1 {
            self.jump(number)
        } else {
            let back = delta.wrapping_neg();
            let bit = 1_u128 << back;
            self.received += 1;
            if self.window & bit != 0 {
                return SequenceVerdict::Duplicate;
            }
            self.window |= bit;
            SequenceVerdict::Late { extended: self.highest - u64::from(back) }
        }
    }

    /// Whether [`MIN_SEQUENTIAL`] packets in sequence were received.
    pub const fn is_valid(&self) -> bool {
        self.probation == 0
    }

    /// The first extended number that counts.
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// The highest extended number; truncated to 32 bits it is what a report block carries.
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Packets received, late ones and duplicates included (RFC 3550 §6.4.1); 0 during probation.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets expected (RFC 3550 §A.3); 0 during probation.
    pub const fn expected(&self) -> u64 {
        if self.is_valid() { self.highest - self.base + 1 } else { 0 }
    }

    fn prove(&mut self, number: u16) -> SequenceVerdict {
        let follows = self.probation < MIN_SEQUENTIAL && number == (self.highest as u16).wrapping_add(1);
        if !follows {
            self.probation = MIN_SEQUENTIAL - 1;
            self.highest = SEQUENCE_EPOCH + u64::from(number);
            return SequenceVerdict::Probation { extended: self.highest };
        }
        self.probation -= 1;
        self.highest += 1;
        if self.probation > 0 {
            return SequenceVerdict::Probation { extended: self.highest };
        }
        self.begin(MIN_SEQUENTIAL);
        SequenceVerdict::Started { extended: self.highest }
    }

    fn jump(&mut self, number: u16) -> SequenceVerdict {
        if self.bad == Some(number) {
            // Counted from the packet before, which was held back: 65535 to 0 crosses a cycle.
            let before = SEQUENCE_EPOCH + u64::from(number.wrapping_sub(1));
            self.highest = before + 1;
            self.begin(2);
            return SequenceVerdict::Restarted { extended: self.highest };
        }
        self.bad = Some(number.wrapping_add(1));
        SequenceVerdict::Suspicious { extended: SEQUENCE_EPOCH + u64::from(number) }
    }

    /// Counts begin with the last `packets` numbers up to the highest.
    fn begin(&mut self, packets: u8) {
        self.base = self.highest - u64::from(packets - 1);
        self.received = u64::from(packets);
        self.window = (1 << packets) - 1;
        self.bad = None;
    }
}

impl Default for SequenceTracker {
    fn default() -> Self {
        Self::new()
    }
}
