//! The live screen of `offhook load`: a few lines on standard error, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::tally::Tally;

/// How often it is drawn anew.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);

/// The screen.
pub(super) struct Screen {
    bar: ProgressBar,
    /// When it was drawn last, and how many calls had been placed then.
    last: (Duration, u64),
    rate: f64,
}

impl Screen {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, last: (Duration::ZERO, 0), rate: 0.0 }
    }

    pub(super) fn draw(&mut self, tally: &Tally, now: Duration) {
        if self.bar.is_hidden() {
            return;
        }
        let (then, before) = self.last;
        let passed = now.saturating_sub(then).as_secs_f64();
        if passed >= 1.0 {
            self.rate = tally.attempted().saturating_sub(before) as f64 / passed;
            self.last = (now, tally.attempted());
        }
        self.bar.set_message(tally.lines(now, self.rate));
        self.bar.tick();
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
