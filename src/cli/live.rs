//! The line that changes while a call runs.
//!
//! Drawn on standard error, and only on a terminal: a script's log stays clean.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use offhook::{Call, Timestamp};

use super::leg::Course;
use super::report::{describe, statistics};

/// How often the line is drawn anew.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// The line.
pub(super) struct Live {
    bar: ProgressBar,
}

impl Live {
    /// A line; invisible if `quiet` or without a terminal.
    pub(super) fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Draws it.
    pub(super) fn draw(&self, call: &Call, course: &Course) {
        self.bar.set_message(line(call, course));
        self.bar.tick();
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(call: &Call, course: &Course) -> String {
    let state = course.state.map_or_else(|| "dialling".to_owned(), describe);
    let (sent, received) = statistics(call);
    let Some(connect) = course.connect else {
        return state;
    };
    let seconds = Timestamp::now().since(connect).as_secs_f64();
    let codec = sent.codec.or(received.codec).unwrap_or_else(|| "no codec".to_owned());
    let digits = if course.digits.is_empty() { String::new() } else { format!("  digits {}", course.digits) };
    format!(
        "{state}  {codec}  {seconds:.1} s  packets ↑{} ↓{}  jitter {:.2} ms  lost {} late {}  playout {:.0} ms  \
         level ↑{:.0} ↓{:.0} dBFS{digits}",
        sent.packets,
        received.packets,
        received.jitter_ms,
        received.lost,
        received.late,
        received.playout_delay_ms,
        sent.level_dbfs,
        received.level_dbfs,
    )
}
