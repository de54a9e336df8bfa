//! The policy: what is done next, given what waits and when it is due.
//! In: a [`Situation`]. Out: an [`Operation`].
//! Not here: how it is done (`ops/`), what the network needs (`estimator.rs`).
//! RT: no allocation, lock, syscall, log or panic.

/// The sound may wait this much longer than it must before it is shortened, nanoseconds. A pull can only meet
/// packets on its own grid, so a pull's length is allowed in any case.
const SLACK_NS: i64 = 12_500_000;
/// Beyond the slack by this much, any lag is taken and the pauses between cuts are short.
const URGENT_NS: i64 = 40_000_000;
/// Least likeness of a lag: while there is time to find a good place, as a rule, and when it is urgent.
const ALIKE_AT_EASE: f32 = 0.85;
const ALIKE: f32 = 0.6;
const ALIKE_URGENT: f32 = 0.25;
/// As long as no more than this is too much, there is time to find a good place.
const EASE_NS: i64 = 5_000_000;
/// Below any likeness.
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
    /// Lengthen it, by at most this many nanoseconds (more, and it would have to be shortened again).
    PreemptiveExpand {
        /// Most that may be put in.
        most_ns: i64,
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
    /// The deadline, beyond the base.
    pub(crate) target_ns: i64,
    /// What is waited beyond the base now, and at most.
    pub(crate) waited_ns: i64,
    pub(crate) max_ns: i64,
}

impl Situation {
    /// Names the operation.
    pub(crate) fn decide(&self) -> Operation {
        let slack = SLACK_NS.max(self.pull_ns.saturating_add(1_000_000));
        if self.waited_ns > self.max_ns.saturating_add(slack).saturating_add(URGENT_NS) {
            Operation::Skip { by_ns: self.waited_ns.saturating_sub(self.max_ns) }
        } else if self.excess_ns > slack {
            Operation::Accelerate { most_ns: self.excess_ns }
        } else if self.excess_ns < 0 {
            Operation::PreemptiveExpand { most_ns: SLACK_NS.saturating_sub(self.excess_ns) }
        } else {
            Operation::Normal
        }
    }

    /// Whether the operation cannot wait for a good place.
    pub(crate) fn is_urgent(&self) -> bool {
        self.excess_ns > SLACK_NS + URGENT_NS || self.excess_ns < -URGENT_NS / 4
    }

    /// Least likeness of a lag that may be used now.
    pub(crate) fn least_likeness(&self) -> f32 {
        if self.excess_ns < -self.target_ns / 2 {
            // The sound is about to run out, and made-up sound is worse.
            ANY
        } else if self.is_urgent() {
            ALIKE_URGENT
        } else if self.excess_ns > -self.target_ns / 4 && self.excess_ns < SLACK_NS + EASE_NS {
            ALIKE_AT_EASE
        } else {
            ALIKE
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
            target_ns: 4 * MS,
            waited_ns: excess_ms.max(0) * MS,
            max_ns: 500 * MS,
        }
    }

    #[test]
    fn times_beyond_reason_are_decided_about_as_well() {
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX];
        for excess_ns in ends {
            for waited_ns in ends {
                for pull_ns in [0, i64::MAX] {
                    let situation = Situation { excess_ns, pull_ns, waited_ns, target_ns: 0, max_ns: 0 };
                    let most = match situation.decide() {
                        Operation::Normal => 0,
                        Operation::Skip { by_ns } => by_ns,
                        Operation::Accelerate { most_ns } | Operation::PreemptiveExpand { most_ns } => {
                            most_ns
                        }
                    };
                    assert!(most >= 0, "{situation:?}");
                    assert!((ANY..=1.0).contains(&situation.least_likeness()));
                }
            }
        }
    }

    #[test]
    fn nothing_is_stretched_within_a_pull_of_the_deadline() {
        for excess in 0..=11 {
            assert_eq!(at(excess).decide(), Operation::Normal, "{excess} ms");
        }
    }

    #[test]
    fn too_long_is_shortened_too_short_is_lengthened_far_too_long_is_dropped() {
        assert_eq!(at(20).decide(), Operation::Accelerate { most_ns: 20 * MS });
        assert_eq!(at(-1).decide(), Operation::PreemptiveExpand { most_ns: SLACK_NS + MS });
        assert_eq!(at(700).decide(), Operation::Skip { by_ns: 200 * MS });
        assert!(!at(20).is_urgent() && at(100).is_urgent());
    }

    #[test]
    fn the_closer_sound_is_to_running_out_the_less_a_seam_matters() {
        assert!(at(-1).least_likeness() > 0.5);
        assert!(at(-3).least_likeness() < 0.0);
        assert!(at(100).least_likeness() < at(20).least_likeness());
    }
}
