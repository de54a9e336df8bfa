//! The digits of `--digits`: sent once the call is connected.
//!
//! In: a connected [`Call`]. Out: what the report says of them, in the [`Course`].
//! Not here: which way they go (`offhook::DigitsVia`), digits that come ([`Course::note`]).

use offhook::Call;
use tokio::task::JoinSet;

use super::Failure;
use super::leg::Course;

/// Digits of one call, sent at most once.
pub(super) struct Sending {
    digits: Option<String>,
    under_way: JoinSet<Result<(), Failure>>,
}

impl Sending {
    pub(super) fn new(digits: Option<String>) -> Self {
        Self { digits, under_way: JoinSet::new() }
    }

    /// Sends them, if there are any.
    pub(super) fn begin(&mut self, call: &Call) {
        if let Some(digits) = self.digits.clone() {
            let call = call.clone();
            self.under_way.spawn(async move { call.generate_digits(&digits).await.map_err(Failure::new) });
        }
    }

    /// Whether the call is to be kept up for them.
    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Waits until they have left, or cannot; `None` at once if none are under way.
    pub(super) async fn end(&mut self) -> Option<Result<(), Failure>> {
        let sent = self.under_way.join_next().await?;
        Some(sent.map_err(Failure::new).and_then(|sent| sent))
    }

    /// Notes how they fared.
    pub(super) fn note(&self, sent: Result<(), Failure>, course: &mut Course) {
        match sent {
            Ok(()) => course.digits_sent.clone_from(&self.digits),
            Err(Failure(why)) => course.troubles.push(format!("digits were not sent: {why}")),
        }
    }

    /// The call has ended: notes those that are still under way.
    pub(super) fn cut_off(&self, course: &mut Course) {
        if self.is_under_way() {
            course.troubles.push("digits were not sent: the call ended".to_owned());
        }
    }
}
