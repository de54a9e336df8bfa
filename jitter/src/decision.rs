//! The policy: what is done next, given what waits and when it is due.
//! In: a [`Situation`]. Out: an [`Operation`].
//! Not here: how it is done (`ops/`), what the network needs (`estimator.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// The sound may wait this much longer than it must, beyond the length of a pull (on whose grid alone it can meet
/// packets), before it is shortened, nanoseconds.
const SLACK_NS: i64 = 3_000_000;
/// So much too early or too late is put right within speech, at once.
const EARLY_NS: i64 = 30_000_000;
const LATE_NS: i64 = 80_000_000;
/// So long silence is waited for; after that, what is this much too late is put right within speech.
const PATIENCE_NS: i64 = 3_000_000_000;
const IMPATIENT_NS: i64 = 15_000_000;
/// What is this much too early is put right within speech already after that time (in a stream's first second,
/// at once).
const SOON_NS: i64 = 600_000_000;
const RATHER_EARLY_NS: i64 = 10_000_000;
/// Too much waits by this much: packets are dropped.
const OVERFLOW_NS: i64 = 40_000_000;
/// Least likeness of a lag within speech: while there is time to find a good place, before sound runs out, and when
/// far too much waits.
const ALIKE_AT_EASE: f32 = 0.85;
const ALIKE: f32 = 0.6;
const ANY: f32 = -1.0;

/// What is to be done to the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Play what is there.
    Normal,
    /// Shorten it, by at most this many nanoseconds.
    Accelerate {
        /// Most that may be taken away.
        most_ns: i64,
    },
    /// Lengthen it, by at least this many nanoseconds.
    PreemptiveExpand {
        /// Least that is to be put in.
        least_ns: i64,
    },
    /// Drop what waits until this many nanoseconds less are waited.
    Skip {
        /// How much to drop.
        by_ns: i64,
    },
}

/// What the decision is made from, while sound plays. Nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    /// By how much the next packets' latest moment exceeds the deadline: negative, and some will be late.
    pub(crate) excess_ns: i64,
    /// Length of a pull.
    pub(crate) pull_ns: i64,
    /// How long the next sample has waited, beyond the base.
    pub(crate) waited_ns: i64,
    /// The greatest delay allowed.
    pub(crate) max_ns: i64,
    /// For how long the delay has not been as it should.
    pub(crate) uneasy_ns: i64,
    /// The network is hardly known.
    pub(crate) is_young: bool,
}

impl Situation {
    /// The operation that this situation asks for.
    pub(crate) fn decide(&self) -> Operation {
        let slack = self.pull_ns.saturating_add(SLACK_NS);
        if self.waited_ns > self.max_ns.saturating_add(slack).saturating_add(OVERFLOW_NS) {
            Operation::Skip { by_ns: self.waited_ns.saturating_sub(self.max_ns) }
        } else if self.excess_ns > slack {
            Operation::Accelerate { most_ns: self.excess_ns }
        } else if self.excess_ns < 0 {
            Operation::PreemptiveExpand { least_ns: self.excess_ns.saturating_neg() }
        } else {
            Operation::Normal
        }
    }

    /// Whether so much waits that several periods may go at once.
    pub(crate) fn is_urgent(&self) -> bool {
        self.excess_ns > LATE_NS
    }

    /// Least likeness of a lag that may be used within speech. In silence it can be done without being heard; `None`:
    /// that is waited for.
    pub(crate) fn least_likeness(&self) -> Option<f32> {
        let is_impatient = self.uneasy_ns > PATIENCE_NS;
        if self.is_urgent() {
            Some(ANY)
        } else if self.excess_ns < -EARLY_NS
            || (self.excess_ns < -RATHER_EARLY_NS && self.uneasy_ns > SOON_NS)
            || (self.excess_ns < 0 && (self.is_young || is_impatient))
        {
            Some(ALIKE)
        } else if self.excess_ns > IMPATIENT_NS && is_impatient {
            Some(ALIKE_AT_EASE)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn at(excess_ms: i64) -> Situation {
        Situation {
            excess_ns: excess_ms * MS,
            pull_ns: 10 * MS,
            waited_ns: excess_ms.max(0) * MS,
            max_ns: 500 * MS,
            uneasy_ns: 0,
            is_young: false,
        }
    }

    #[test]
    fn times_beyond_reason_are_decided_about_as_well() {
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX];
        for excess_ns in ends {
            for waited_ns in ends {
                for pull_ns in [0, i64::MAX] {
                    let situation =
                        Situation { excess_ns, pull_ns, waited_ns, max_ns: 0, uneasy_ns: 0, is_young: false };
                    let most = match situation.decide() {
                        Operation::Normal => 0,
                        Operation::Skip { by_ns } => by_ns,
                        Operation::Accelerate { most_ns } => most_ns,
                        Operation::PreemptiveExpand { least_ns } => least_ns,
                    };
                    assert!(most >= 0, "{situation:?}");
                    assert!(situation.least_likeness().is_none_or(|least| (ANY..=1.0).contains(&least)));
                }
            }
        }
    }

    #[test]
    fn nothing_is_stretched_within_a_pull_of_the_deadline() {
        for excess in 0..=13 {
            assert_eq!(at(excess).decide(), Operation::Normal, "{excess} ms");
        }
    }

    #[test]
    fn too_long_is_shortened_too_short_is_lengthened_far_too_long_is_dropped() {
        assert_eq!(at(20).decide(), Operation::Accelerate { most_ns: 20 * MS });
        assert_eq!(at(-1).decide(), Operation::PreemptiveExpand { least_ns: MS });
        assert_eq!(at(700).decide(), Operation::Skip { by_ns: 200 * MS });
        assert!(!at(20).is_urgent() && at(100).is_urgent());
    }

    #[test]
    fn silence_is_waited_for_as_long_as_there_is_time() {
        for excess in [-20, -1, 20, 60] {
            assert_eq!(at(excess).least_likeness(), None, "{excess} ms");
            let waited = Situation { uneasy_ns: PATIENCE_NS + 1, ..at(excess) };
            assert!(waited.least_likeness().is_some_and(|least| least >= ALIKE), "{excess} ms");
        }
        let young = Situation { is_young: true, ..at(-20) };
        assert_eq!((at(-40).least_likeness(), young.least_likeness()), (Some(ALIKE), Some(ALIKE)));
        assert_eq!(at(100).least_likeness(), Some(ANY));
    }
}
