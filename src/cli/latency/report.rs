//! What was measured, for people and for programs.

use std::fmt;

use offhook::{Call, CodecKind, Timestamp};
use serde::Serialize;

use super::probe::Found;
use crate::cli::codecs;
use crate::cli::leg::Course;
use crate::cli::report::statistics;

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LatencyReport {
    /// The endpoint that echoed; none: two ends of this process.
    pub(super) target: Option<String>,
    /// What the probes' phases began with.
    pub(super) seed: u64,
    /// A cell of the matrix and a direction each.
    pub(super) rows: Vec<Row>,
}

/// One direction with one codec and packet length. Times are milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    codec: String,
    packet_ms: u16,
    direction: &'static str,
    probes: u32,
    found: usize,
    min: Option<f64>,
    mean: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    max: Option<f64>,
    /// How alike what was heard was to what was said, 0 to 1.
    correlation: f64,
    /// What waits in the hearing end's playout.
    playout_delay_ms: f64,
    /// RTCP's round trip.
    round_trip_ms: Option<f64>,
    /// Interarrival jitter at the hearing end.
    jitter_ms: f64,
    lost: i64,
    setup: Setup,
    delays_ms: Vec<f64>,
}

/// Milliseconds since Setup left.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Setup {
    proceeding: Option<f64>,
    alerting: Option<f64>,
    connect: Option<f64>,
    first_rtp_in: Option<f64>,
    first_sound_out: Option<f64>,
    #[serde(skip)]
    begun: Option<Timestamp>,
}

impl Setup {
    pub(super) fn of(course: &Course) -> Self {
        let since = |at: Option<Timestamp>| Self::ms(course.setup, at);
        Self {
            proceeding: since(course.proceeding),
            alerting: since(course.alerting),
            connect: since(course.connect),
            first_rtp_in: None,
            first_sound_out: None,
            begun: course.setup,
        }
    }

    fn ms(begun: Option<Timestamp>, at: Option<Timestamp>) -> Option<f64> {
        begun.zip(at).map(|(begun, at)| at.since(begun).as_secs_f64() * 1e3)
    }
}

impl Row {
    pub(super) const HEAD: &str = "\
codec        packet  direction          found      min     mean      p50      p95      max  ms   playout  jitter  lost\n";

    /// `said` and `heard`: the calls of both ends, one and the same for a round trip.
    pub(super) fn new(
        direction: &'static str,
        found: &Found,
        said: &Call,
        heard: &Call,
        setup: &Setup,
    ) -> Self {
        let mut sorted = found.ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(place.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied()
        };
        let ((_, received), (sent, _)) = (statistics(heard), statistics(said));
        let mean = (!sorted.is_empty()).then(|| sorted.iter().sum::<f64>() / sorted.len() as f64);
        let setup = Setup {
            first_rtp_in: Setup::ms(setup.begun, received.first_packet_at),
            first_sound_out: Setup::ms(setup.begun, received.first_sound_at),
            ..setup.clone()
        };
        Self {
            codec: String::new(),
            packet_ms: 0,
            direction,
            probes: found.said,
            found: sorted.len(),
            min: sorted.first().copied(),
            mean,
            p50: at(0.5),
            p95: at(0.95),
            max: sorted.last().copied(),
            correlation: found.correlation,
            playout_delay_ms: received.playout_delay_ms,
            round_trip_ms: sent.round_trip_ms.or(received.round_trip_ms),
            jitter_ms: received.jitter_ms,
            lost: received.lost,
            setup,
            delays_ms: found.ms.clone(),
        }
    }

    pub(super) fn of(self, codec: CodecKind, packet_ms: u16) -> Self {
        Self { codec: codecs::name(codec).to_owned(), packet_ms, ..self }
    }

    pub(super) fn found(&self) -> usize {
        self.found
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms =
            |value: Option<f64>| value.map_or_else(|| format!("{:>8}", "–"), |value| format!("{value:8.2}"));
        write!(
            f,
            "{:<12} {:>3} ms  {:<17} {:>3}/{:<3} {} {} {} {} {}      {:>7.1} {:>7.2} {:>5}",
            self.codec,
            self.packet_ms,
            self.direction,
            self.found,
            self.probes,
            ms(self.min),
            ms(self.mean),
            ms(self.p50),
            ms(self.p95),
            ms(self.max),
            self.playout_delay_ms,
            self.jitter_ms,
            self.lost,
        )
    }
}

impl fmt::Display for LatencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
        writeln!(f, "\nset-up (ms after Setup)")?;
        for row in &self.rows {
            let Setup { proceeding, alerting, connect, first_rtp_in, first_sound_out, .. } = &row.setup;
            writeln!(
                f,
                "{:<12} {:>3} ms  {:<17} CallProceeding {}, Alerting {}, Connect {}, first RTP {}, first sound {}",
                row.codec,
                row.packet_ms,
                row.direction,
                ms(*proceeding),
                ms(*alerting),
                ms(*connect),
                ms(*first_rtp_in),
                ms(*first_sound_out)
            )?;
        }
        Ok(())
    }
}
