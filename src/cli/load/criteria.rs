//! What must not be: `setup_p99>5ms`.
//!
//! In: text, a report. Out: whether it is so.

use std::fmt;
use std::str::FromStr;

use super::tally::LoadReport;

/// A comparison of a figure of the report with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Criterion {
    metric: String,
    how: How,
    /// In the metric's own unit.
    value: f64,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

/// Longer signs first.
const SIGNS: [(&str, How); 5] =
    [("<=", How::AtMost), (">=", How::AtLeast), ("<", How::Less), (">", How::More), ("=", How::Equal)];

impl FromStr for Criterion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = SIGNS.iter().filter_map(|(sign, how)| Some((text.find(sign)?, *sign, *how)));
        let (at, sign, how) = found
            .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())))
            .ok_or_else(|| "METRIC, one of < <= > >= =, and a value".to_owned())?;
        let (metric, rest) = text.split_at(at);
        let (metric, value) = (metric.trim(), rest.get(sign.len()..).unwrap_or_default().trim());
        if !LoadReport::METRICS.contains(&metric) && !is_percentile(metric) {
            return Err(format!("{metric}: not one of {}", LoadReport::names()));
        }
        let unit_at = value.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(value.len());
        let (number, unit) = value.split_at(unit_at);
        let number: f64 = number.trim().parse().map_err(|_| format!("{value}: not a number"))?;
        let is_time = LoadReport::is_time(metric);
        let value = match unit {
            "" => number,
            "ms" if is_time => number,
            "s" if is_time => number * 1e3,
            "us" | "µs" if is_time => number / 1e3,
            "%" if LoadReport::is_share(metric) => number,
            unit => return Err(format!("{unit}: {metric} has no such unit")),
        };
        if !value.is_finite() {
            return Err(format!("{number}: not a number"));
        }
        Ok(Self { metric: metric.to_owned(), how, value, text: text.to_owned() })
    }
}

fn is_percentile(metric: &str) -> bool {
    LoadReport::percentile(metric).is_some()
}

impl Criterion {
    /// Whether it is so. Of what was never measured nothing is so, but for counts, which are 0.
    pub(super) fn is_met(&self, report: &LoadReport) -> bool {
        report.metric(&self.metric).is_some_and(|found| match self.how {
            How::Less => found < self.value,
            How::AtMost => found <= self.value,
            How::More => found > self.value,
            How::AtLeast => found >= self.value,
            How::Equal => (found - self.value).abs() < f64::EPSILON,
        })
    }

    /// The figure, for people.
    pub(super) fn found(&self, report: &LoadReport) -> String {
        report.metric(&self.metric).map_or_else(|| "never measured".to_owned(), |found| format!("{found:.3}"))
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::tally::Tally;

    fn criterion(text: &str) -> Criterion {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn units_are_those_of_the_metric() {
        assert_eq!(criterion("setup_p99 > 5ms").value, 5.0);
        assert_eq!(criterion("setup_p99.9>=0.25s").value, 250.0);
        assert_eq!(criterion("first_rtp_max<=500us").value, 0.5);
        assert_eq!(criterion("lost_percent>0.1%").value, 0.1);
        assert_eq!(criterion("failed>0").how, How::More);
        for wrong in [
            "",
            "failed",
            "failed>",
            "failed>x",
            "failed>3ms",
            "setup_p99>3%",
            "nonsense>1",
            "setup_p101>1",
            "failed>inf",
        ] {
            assert!(wrong.parse::<Criterion>().is_err(), "{wrong}");
        }
        assert!("nonsense>1".parse::<Criterion>().is_err_and(|why| why.contains("setup_p99")));
    }

    #[test]
    fn nothing_is_so_of_what_was_never_measured() {
        let report = Tally::new().report();
        assert!(!criterion("setup_p99>0").is_met(&report));
        assert!(!criterion("setup_p99<1s").is_met(&report));
        assert!(criterion("connected<1").is_met(&report));
        assert!(!criterion("failed>0").is_met(&report));
    }
}
