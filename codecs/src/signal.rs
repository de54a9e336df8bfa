//! What is heard inside the sound and means something: digits and call progress tones. One type for those that make it
//! and those that find it.
//! In: a [`Signal`] to sound, or samples in which detectors find some. Out: its [`Cadence`] or tone; [`SignalEvent`]s.
//! Not here: the detectors (`dtmf_detector.rs`, `progress.rs`), digits as packets (RFC 4733, `media/rtp`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::dtmf::{DtmfDigit, DtmfTiming};
use crate::tone::{Cadence, ToneGenerator};

/// Something that the sound says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A key of the telephone (Q.23).
    Digit(DtmfDigit),
    /// The state of a call (E.180).
    Progress(ProgressTone),
}

/// A call progress tone, whatever it sounds like in a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgressTone {
    /// Dial.
    Dial,
    /// The called telephone rings.
    #[doc(alias = "ringback")]
    Ringing,
    /// The called party is busy.
    Busy,
    /// The network is.
    #[doc(alias = "reorder")]
    Congestion,
    /// Somebody else calls.
    CallWaiting,
    /// An announcement follows (SIT).
    SpecialInformation,
}

/// When a signal begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalEvent {
    /// It has been there for as long as it takes to be sure.
    Began(Signal),
    /// It has been gone for as long as it takes to be sure.
    Ended {
        /// Which.
        signal: Signal,
        /// How long it lasted, milliseconds.
        ms: u32,
    },
}

/// How call progress sounds in a country (E.180 Supplement 2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TonePlan {
    /// Its ISO 3166 code, or `eu` for what E.180 recommends and much of Europe has.
    pub country: &'static str,
    /// The cadence of each tone.
    dial: Cadence,
    ringing: Cadence,
    busy: Cadence,
    congestion: Cadence,
    call_waiting: Cadence,
}

impl TonePlan {
    /// What E.180 recommends: 425 Hz.
    pub const EUROPE: TonePlan = TonePlan {
        country: "eu",
        dial: Cadence::DIAL,
        ringing: Cadence::RINGING,
        busy: Cadence::BUSY,
        congestion: Cadence::CONGESTION,
        call_waiting: Cadence::CALL_WAITING,
    };

    /// Every plan of this build.
    pub const ALL: &'static [TonePlan] = &[
        TonePlan::EUROPE,
        TonePlan {
            country: "us",
            dial: Cadence::DIAL_US,
            ringing: Cadence::RINGING_US,
            busy: Cadence::BUSY_US,
            congestion: Cadence::CONGESTION_US,
            call_waiting: Cadence::CALL_WAITING_US,
        },
        TonePlan {
            country: "gb",
            dial: Cadence::DIAL_US,
            ringing: Cadence::RINGING_GB,
            busy: Cadence::BUSY_GB,
            congestion: Cadence::CONGESTION_GB,
            call_waiting: Cadence::CALL_WAITING_GB,
        },
        TonePlan {
            country: "fr",
            dial: Cadence::DIAL_FR,
            ringing: Cadence::RINGING_FR,
            busy: Cadence::BUSY_FR,
            congestion: Cadence::CONGESTION_FR,
            call_waiting: Cadence::CALL_WAITING,
        },
        TonePlan {
            country: "jp",
            dial: Cadence::DIAL_JP,
            ringing: Cadence::RINGING_JP,
            busy: Cadence::BUSY_JP,
            congestion: Cadence::BUSY_JP,
            call_waiting: Cadence::CALL_WAITING,
        },
    ];

    /// The plan of a country, by its code in either case.
    pub fn of(country: &str) -> Option<TonePlan> {
        Self::ALL.iter().copied().find(|plan| plan.country.eq_ignore_ascii_case(country))
    }

    /// What a tone sounds like there.
    pub const fn cadence(&self, tone: ProgressTone) -> Cadence {
        match tone {
            ProgressTone::Dial => self.dial,
            ProgressTone::Ringing => self.ringing,
            ProgressTone::Busy => self.busy,
            ProgressTone::Congestion => self.congestion,
            ProgressTone::CallWaiting => self.call_waiting,
            ProgressTone::SpecialInformation => Cadence::SPECIAL_INFORMATION,
        }
    }
}

impl ToneGenerator {
    /// Sounds a signal: a digit once, for `timing`; a call progress tone until told otherwise, as `plan` has it.
    pub fn sound(&mut self, signal: Signal, timing: DtmfTiming, plan: &TonePlan) {
        match signal {
            Signal::Digit(digit) => self.once(digit.tone(), timing.on_ms, timing.off_ms),
            Signal::Progress(tone) => self.start(plan.cadence(tone)),
        }
    }
}
