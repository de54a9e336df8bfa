//! What became of all calls: counts, causes, distributions.
//!
//! In: calls placed and ended. Out: [`LoadReport`], lines for the screen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::one::Done;
use crate::cli::report::CallReport;

/// Distributions are kept from a microsecond to an hour, to three digits.
const HOUR_US: u64 = 3_600_000_000;

/// A distribution of times.
struct Times(Option<Histogram<u64>>);

impl Times {
    fn new() -> Self {
        // These bounds can be kept; without them there would be no distribution.
        Self(Histogram::new_with_bounds(1, HOUR_US, 3).ok())
    }

    fn note(&mut self, ms: Option<f64>) {
        if let Some((histogram, ms)) = self.0.as_mut().zip(ms) {
            histogram.saturating_record((ms * 1e3).round().clamp(1.0, HOUR_US as f64) as u64);
        }
    }

    fn summary(&self) -> Option<Summary> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        let ms = |us: u64| us as f64 / 1e3;
        let at = |percentile: f64| ms(histogram.value_at_quantile(percentile / 100.0));
        Some(Summary {
            count: histogram.len(),
            min: ms(histogram.min()),
            mean: histogram.mean() / 1e3,
            p50: at(50.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            p999: at(99.9),
            max: ms(histogram.max()),
        })
    }
}

/// A distribution in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    count: u64,
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
    max: f64,
}

/// Everything so far.
pub(super) struct Tally {
    begun: Instant,
    cpu_begun: Duration,
    lasted: Duration,
    cpu: Duration,
    attempted: u64,
    ended: u64,
    connected: u64,
    peak: u64,
    late_us: u64,
    failures: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    ways: BTreeMap<String, u64>,
    codecs: BTreeMap<String, u64>,
    setup: Times,
    alerting: Times,
    first_rtp: Times,
    first_sound: Times,
    release: Times,
    jitter: Times,
    playout_delay: Times,
    packets_sent: u64,
    packets_received: u64,
    lost: u64,
    late: u64,
    unconcealed: f64,
    with_sound: u64,
    seconds: f64,
}

/// What is said in the end. Times are milliseconds; shares are per cent.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LoadReport {
    /// Seconds from the first call to the end of the last.
    seconds: f64,
    pub(super) attempted: u64,
    pub(super) connected: u64,
    failed: u64,
    /// Calls at once, at the most.
    peak_concurrent: u64,
    /// Calls placed a second.
    rate: f64,
    /// The most that a call was placed later than the plan had it.
    behind_ms: f64,
    /// Seconds of all calls together.
    talk_seconds: f64,
    /// Seconds of processor that this process took, user and system.
    cpu_seconds: f64,
    /// That, for each call.
    cpu_ms_per_call: f64,
    failures: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    ways: BTreeMap<String, u64>,
    codecs: BTreeMap<String, u64>,
    setup: Option<Summary>,
    alerting: Option<Summary>,
    first_rtp: Option<Summary>,
    first_sound: Option<Summary>,
    release: Option<Summary>,
    jitter: Option<Summary>,
    playout_delay: Option<Summary>,
    packets_sent: u64,
    packets_received: u64,
    packets_lost: u64,
    packets_late: u64,
    /// Of all samples played, the share that came out of a packet.
    unconcealed_percent: Option<f64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            cpu_begun: processor_time(),
            lasted: Duration::ZERO,
            cpu: Duration::ZERO,
            attempted: 0,
            ended: 0,
            connected: 0,
            peak: 0,
            late_us: 0,
            failures: BTreeMap::new(),
            ends: BTreeMap::new(),
            ways: BTreeMap::new(),
            codecs: BTreeMap::new(),
            setup: Times::new(),
            alerting: Times::new(),
            first_rtp: Times::new(),
            first_sound: Times::new(),
            release: Times::new(),
            jitter: Times::new(),
            playout_delay: Times::new(),
            packets_sent: 0,
            packets_received: 0,
            lost: 0,
            late: 0,
            unconcealed: 0.0,
            with_sound: 0,
            seconds: 0.0,
        }
    }

    pub(super) fn begin(&mut self) {
        (self.begun, self.cpu_begun) = (Instant::now(), processor_time());
    }

    pub(super) fn end(&mut self) {
        self.lasted = self.begun.elapsed();
        self.cpu = processor_time().saturating_sub(self.cpu_begun);
    }

    /// A call is placed, so much after its time.
    pub(super) fn placed(&mut self, late: Duration) {
        self.attempted += 1;
        self.peak = self.peak.max(self.active());
        self.late_us = self.late_us.max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn attempted(&self) -> u64 {
        self.attempted
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    pub(super) fn active(&self) -> u64 {
        self.attempted.saturating_sub(self.ended)
    }

    /// A call has ended.
    pub(super) fn note(&mut self, call: &Done) {
        self.ended += 1;
        if !call.way.is_empty() {
            *self.ways.entry(call.way.clone()).or_default() += 1;
        }
        if let Some(why) = &call.failure {
            *self.failures.entry(why.clone()).or_default() += 1;
        }
        let Some(report) = &call.report else { return };
        self.alerting.note(report.setup_ms.alerting);
        if report.connected {
            self.connected += 1;
            self.note_media(report);
            self.release.note(call.release.map(|release| release.as_secs_f64() * 1e3));
        }
    }

    fn note_media(&mut self, report: &CallReport) {
        *self.ends.entry(report.ended.clone()).or_default() += 1;
        let codec = report.codec_sent.clone().or_else(|| report.codec_received.clone());
        *self.codecs.entry(codec.unwrap_or_else(|| "none".to_owned())).or_default() += 1;
        self.setup.note(report.setup_ms.connect);
        self.first_rtp.note(report.setup_ms.first_rtp_in);
        self.first_sound.note(report.setup_ms.first_sound_out);
        self.seconds += report.seconds;
        self.packets_sent += report.sent.packets;
        self.packets_received += report.received.packets;
        self.lost += u64::try_from(report.received.lost).unwrap_or(0);
        self.late += report.received.late;
        if report.received.packets > 0 {
            self.with_sound += 1;
            self.unconcealed += report.received.unconcealed_percent;
            self.jitter.note(Some(report.received.jitter_ms));
            self.playout_delay.note(Some(report.received.playout_delay_ms));
        }
    }

    pub(super) fn report(&self) -> LoadReport {
        let seconds = self.lasted.as_secs_f64();
        let per = |what: f64, of: f64| if of > 0.0 { what / of } else { 0.0 };
        LoadReport {
            seconds,
            attempted: self.attempted,
            connected: self.connected,
            failed: self.ended.saturating_sub(self.connected) + self.active(),
            peak_concurrent: self.peak,
            rate: per(self.attempted as f64, seconds),
            behind_ms: self.late_us as f64 / 1e3,
            talk_seconds: self.seconds,
            cpu_seconds: self.cpu.as_secs_f64(),
            cpu_ms_per_call: per(self.cpu.as_secs_f64() * 1e3, self.attempted as f64),
            failures: self.failures.clone(),
            ends: self.ends.clone(),
            ways: self.ways.clone(),
            codecs: self.codecs.clone(),
            setup: self.setup.summary(),
            alerting: self.alerting.summary(),
            first_rtp: self.first_rtp.summary(),
            first_sound: self.first_sound.summary(),
            release: self.release.summary(),
            jitter: self.jitter.summary(),
            playout_delay: self.playout_delay.summary(),
            packets_sent: self.packets_sent,
            packets_received: self.packets_received,
            packets_lost: self.lost,
            packets_late: self.late,
            unconcealed_percent: (self.with_sound > 0).then(|| self.unconcealed / self.with_sound as f64),
        }
    }

    /// For the screen.
    pub(super) fn lines(&self, now: Duration, rate: f64) -> String {
        let mut text = format!(
            "{:.0} s   placed {}   up {}   ended {}   failed {}   {rate:.1} calls/s",
            now.as_secs_f64(),
            self.attempted,
            self.active(),
            self.ended,
            self.ended.saturating_sub(self.connected),
        );
        for (name, times) in [("set-up", &self.setup), ("first RTP", &self.first_rtp)] {
            if let Some(Summary { p50, p99, max, .. }) = times.summary() {
                text.push_str(&format!("\n  {name} p50 {p50:.1} p99 {p99:.1} max {max:.1} ms"));
            }
        }
        for (why, calls) in self.failures.iter().take(5) {
            text.push_str(&format!("\n  {calls} × {}", crate::cli::harmless(why)));
        }
        text
    }
}

/// What this process took of the processors so far.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl LoadReport {
    /// Figures by name, beside the distributions.
    pub(super) const METRICS: [&str; 17] = [
        "seconds",
        "attempted",
        "connected",
        "failed",
        "failed_percent",
        "connected_percent",
        "peak_concurrent",
        "rate",
        "behind",
        "talk_seconds",
        "cpu_seconds",
        "cpu_per_call",
        "packets_received",
        "lost_percent",
        "late_percent",
        "unconcealed_percent",
        "packets_sent",
    ];

    /// Distributions by name.
    const DISTRIBUTIONS: [&str; 7] =
        ["setup", "alerting", "first_rtp", "first_sound", "release", "jitter", "playout_delay"];

    /// What of a distribution.
    const PARTS: [&str; 8] = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"];

    /// A distribution's name and part.
    pub(super) fn percentile(metric: &str) -> Option<(&str, &str)> {
        let (name, part) = metric.rsplit_once('_')?;
        (Self::DISTRIBUTIONS.contains(&name) && Self::PARTS.contains(&part)).then_some((name, part))
    }

    /// All names, for people.
    pub(super) fn names() -> String {
        let examples = Self::DISTRIBUTIONS.map(|name| format!("{name}_p99")).join(", ");
        format!("{}; {examples} (or {})", Self::METRICS.join(", "), Self::PARTS.join(", "))
    }

    /// Whether a metric is in milliseconds.
    pub(super) fn is_time(metric: &str) -> bool {
        Self::percentile(metric).is_some() || matches!(metric, "behind" | "cpu_per_call")
    }

    /// Whether a metric is in per cent.
    pub(super) fn is_share(metric: &str) -> bool {
        metric.ends_with("_percent")
    }

    /// A figure; none if it was never measured.
    pub(super) fn metric(&self, metric: &str) -> Option<f64> {
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 * 100.0 / of as f64);
        if let Some((name, part)) = Self::percentile(metric) {
            let summary = match name {
                "setup" => &self.setup,
                "alerting" => &self.alerting,
                "first_rtp" => &self.first_rtp,
                "first_sound" => &self.first_sound,
                "release" => &self.release,
                "jitter" => &self.jitter,
                _ => &self.playout_delay,
            };
            let summary = summary.as_ref()?;
            return Some(match part {
                "min" => summary.min,
                "mean" => summary.mean,
                "p50" => summary.p50,
                "p90" => summary.p90,
                "p95" => summary.p95,
                "p99" => summary.p99,
                "p99.9" => summary.p999,
                _ => summary.max,
            });
        }
        match metric {
            "seconds" => Some(self.seconds),
            "attempted" => Some(self.attempted as f64),
            "connected" => Some(self.connected as f64),
            "failed" => Some(self.failed as f64),
            "failed_percent" => share(self.failed, self.attempted),
            "connected_percent" => share(self.connected, self.attempted),
            "peak_concurrent" => Some(self.peak_concurrent as f64),
            "rate" => Some(self.rate),
            "behind" => Some(self.behind_ms),
            "talk_seconds" => Some(self.talk_seconds),
            "cpu_seconds" => Some(self.cpu_seconds),
            "cpu_per_call" => Some(self.cpu_ms_per_call),
            "packets_sent" => Some(self.packets_sent as f64),
            "packets_received" => Some(self.packets_received as f64),
            "lost_percent" => share(self.packets_lost, self.packets_received + self.packets_lost),
            "late_percent" => share(self.packets_late, self.packets_received),
            "unconcealed_percent" => self.unconcealed_percent,
            _ => None,
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "calls            {} placed, {} connected, {} failed; at most {} at once",
            self.attempted, self.connected, self.failed, self.peak_concurrent
        )?;
        writeln!(
            f,
            "time             {:.1} s, {:.1} calls/s, at most {:.1} ms behind the plan; {:.0} s of talk",
            self.seconds, self.rate, self.behind_ms, self.talk_seconds
        )?;
        writeln!(
            f,
            "processor        {:.2} s in all, {:.2} ms a call",
            self.cpu_seconds, self.cpu_ms_per_call
        )?;
        writeln!(
            f,
            "{:<16} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "ms", "min", "mean", "p50", "p95", "p99", "max"
        )?;
        for (name, summary) in [
            ("set-up", &self.setup),
            ("alerting", &self.alerting),
            ("first RTP in", &self.first_rtp),
            ("first sound out", &self.first_sound),
            ("release", &self.release),
            ("jitter", &self.jitter),
            ("playout delay", &self.playout_delay),
        ] {
            if let Some(Summary { min, mean, p50, p95, p99, max, .. }) = summary {
                writeln!(f, "{name:<16} {min:>9.2} {mean:>9.2} {p50:>9.2} {p95:>9.2} {p99:>9.2} {max:>9.2}")?;
            }
        }
        write!(f, "packets          {} sent, {} received", self.packets_sent, self.packets_received)?;
        writeln!(f, ", {} lost, {} late", self.packets_lost, self.packets_late)?;
        if let Some(share) = self.unconcealed_percent {
            writeln!(f, "sound            {share:.3} % out of packets")?;
        }
        for (what, counts) in
            [("way", &self.ways), ("codec", &self.codecs), ("ended", &self.ends), ("failed", &self.failures)]
        {
            for (name, calls) in counts {
                writeln!(f, "{what:<16} {calls} × {name}")?;
            }
        }
        Ok(())
    }
}
