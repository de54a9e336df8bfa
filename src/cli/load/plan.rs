//! When each call is placed, where to, how, and how long it lasts.
//!
//! In: arguments, a seed. Out: [`Planned`] calls, in order of their times; the same for the same seed.
//! Not here: the clock. Times are counted from the beginning.

use std::str::FromStr;
use std::time::Duration;

use super::args::LoadArgs;

/// How long calls last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hold {
    /// All the same, seconds.
    Fixed(f64),
    /// Anything from the one to the other.
    Uniform(f64, f64),
    /// Exponential, as telephone traffic is modelled, with that mean.
    Exponential(f64),
}

impl FromStr for Hold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = |text: &str| match text.parse::<f64>() {
            Ok(seconds) if (0.0..=864_000.0).contains(&seconds) => Ok(seconds),
            _ => Err("seconds, LOW-HIGH or exp:MEAN, up to 864000".to_owned()),
        };
        if let Some(mean) = text.strip_prefix("exp:") {
            return Ok(Self::Exponential(seconds(mean)?));
        }
        match text.split_once('-') {
            Some((low, high)) => match (seconds(low)?, seconds(high)?) {
                (low, high) if low <= high => Ok(Self::Uniform(low, high)),
                _ => Err("LOW-HIGH with LOW at most HIGH".to_owned()),
            },
            None => Ok(Self::Fixed(seconds(text)?)),
        }
    }
}

/// A call to be placed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    /// Its number, from 1.
    pub(super) number: usize,
    /// When, from the beginning.
    pub(super) after: Duration,
    /// Whom to call.
    pub(super) target: String,
    /// By which telephone.
    pub(super) phone: usize,
    /// How long it lasts once connected.
    pub(super) hold: Duration,
}

/// The plan; an iterator over its calls.
pub(super) struct Plan {
    targets: Vec<String>,
    rate: f64,
    ramp: f64,
    is_random: bool,
    total: usize,
    until: f64,
    hold: Hold,
    weights: Vec<u64>,
    random: fastrand::Rng,
    placed: usize,
    /// Calls that an even plan would have placed by now; of a random one, in the mean.
    progress: f64,
}

impl Plan {
    /// `weights`: of the telephones.
    pub(super) fn new(args: &LoadArgs, weights: &[u64]) -> Self {
        Self {
            targets: args.targets.clone(),
            rate: args.rate,
            ramp: args.ramp.as_secs_f64(),
            is_random: args.poisson,
            total: args.total.unwrap_or(usize::MAX),
            until: args.lasting.map_or(f64::MAX, |lasting| lasting.as_secs_f64()),
            hold: args.hold,
            weights: weights.to_vec(),
            random: fastrand::Rng::with_seed(args.seed),
            placed: 0,
            progress: 0.0,
        }
    }

    /// When so many calls are due: the rate grows evenly over the ramp, then stays.
    fn when(&self, calls: f64) -> f64 {
        let in_ramp = self.rate * self.ramp / 2.0;
        if calls < in_ramp {
            (2.0 * calls * self.ramp / self.rate).sqrt()
        } else {
            self.ramp + (calls - in_ramp) / self.rate
        }
    }

    /// Exponentially distributed with mean 1.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.random.f64()).ln()
    }

    fn phone(&mut self) -> usize {
        let all: u64 = self.weights.iter().sum();
        let mut at = self.random.u64(0..all.max(1));
        for (phone, weight) in self.weights.iter().enumerate() {
            match at.checked_sub(*weight) {
                Some(left) => at = left,
                None => return phone,
            }
        }
        0
    }
}

impl Iterator for Plan {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        if self.placed >= self.total {
            return None;
        }
        if self.is_random {
            self.progress += self.exponential();
        }
        let after = self.when(self.progress);
        if after > self.until {
            return None;
        }
        if !self.is_random {
            self.progress += 1.0;
        }
        let target = self.targets.get(self.placed % self.targets.len().max(1))?.clone();
        self.placed += 1;
        let hold = match self.hold {
            Hold::Fixed(seconds) => seconds,
            Hold::Uniform(low, high) => low + (high - low) * self.random.f64(),
            Hold::Exponential(mean) => mean * self.exponential(),
        };
        Some(Planned {
            number: self.placed,
            after: Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX),
            target: target.replace('#', &self.placed.to_string()),
            phone: self.phone(),
            hold: Duration::try_from_secs_f64(hold).unwrap_or(Duration::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn plan(line: &str, weights: &[u64]) -> Vec<Planned> {
        let words = format!("offhook load {line}");
        match Cli::try_parse_from(words.split_whitespace()).map(|cli| cli.command) {
            Ok(Command::Load(args)) => Plan::new(&args, weights).collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn an_even_plan_has_its_rate_and_its_targets_in_turn() {
        let calls = plan("a#@h b@h --rate 4 --total 6", &[1]);
        let times: Vec<_> = calls.iter().map(|call| call.after.as_millis()).collect();
        assert_eq!(times, [0, 250, 500, 750, 1_000, 1_250]);
        let targets: Vec<_> = calls.iter().map(|call| call.target.as_str()).collect();
        assert_eq!(targets, ["a1@h", "b@h", "a3@h", "b@h", "a5@h", "b@h"]);
        assert_eq!(plan("h --rate 10 --for 1.05", &[1]).len(), 11);
    }

    #[test]
    fn a_ramp_comes_up_to_the_rate_and_no_further() {
        let calls = plan("h --rate 10 --ramp 10 --for 20", &[1]);
        // 50 on the way up, then 10 a second; the last is due at the very end.
        assert_eq!(calls.len(), 151);
        let within =
            |from: u64, to: u64| calls.iter().filter(|c| (from..to).contains(&c.after.as_secs())).count();
        assert_eq!((within(0, 1), within(4, 5), within(15, 16)), (1, 5, 10));
    }

    #[test]
    fn random_plans_have_their_means_and_repeat_by_their_seed() {
        let line = "h --rate 50 --poisson --for 200 --hold exp:3 --seed 7";
        let calls = plan(line, &[1, 3]);
        assert!((9_600..10_400).contains(&calls.len()), "{}", calls.len());
        let mean = calls.iter().map(|c| c.hold.as_secs_f64()).sum::<f64>() / calls.len() as f64;
        assert!((2.85..3.15).contains(&mean), "{mean}");
        let share = calls.iter().filter(|call| call.phone == 1).count() as f64 / calls.len() as f64;
        assert!((0.73..0.77).contains(&share), "{share}");
        assert_eq!(calls, plan(line, &[1, 3]));
        assert_ne!(calls, plan("h --rate 50 --poisson --for 200 --hold exp:3 --seed 8", &[1, 3]));
    }

    #[test]
    fn what_calls_may_last_is_read() {
        assert_eq!("2.5".parse(), Ok(Hold::Fixed(2.5)));
        assert_eq!("1-3".parse(), Ok(Hold::Uniform(1.0, 3.0)));
        assert_eq!("exp:120".parse(), Ok(Hold::Exponential(120.0)));
        for wrong in ["", "x", "3-1", "-1", "exp:", "exp:-3", "1e9"] {
            assert!(wrong.parse::<Hold>().is_err(), "{wrong}");
        }
    }
}
