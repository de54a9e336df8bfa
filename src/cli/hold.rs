//! `--hold-after`, `--hold-for`: the call is put on hold once it is connected, and taken back.
//!
//! In: a connected [`Call`]. Out: what went wrong, in the [`Course`]; when it was held the call's states say.

use std::time::Duration;

use offhook::Call;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Failure;
use super::args::HoldArgs;
use super::leg::Course;

/// The hold of one call, at most one.
pub(super) struct Holding {
    plan: Option<(Duration, Option<Duration>)>,
    under_way: JoinSet<Result<(), Failure>>,
}

impl Holding {
    pub(super) fn new(args: &HoldArgs) -> Self {
        Self { plan: args.hold_after.map(|after| (after, args.hold_for)), under_way: JoinSet::new() }
    }

    /// From now on the time counts.
    pub(super) fn begin(&mut self, call: &Call) {
        let Some((after, lasts)) = self.plan else { return };
        let call = call.clone();
        self.under_way.spawn(async move {
            sleep(after).await;
            call.hold().await.map_err(|why| Failure(format!("not held: {why}")))?;
            if let Some(lasts) = lasts {
                sleep(lasts).await;
                call.unhold().await.map_err(|why| Failure(format!("held still: {why}")))?;
            }
            Ok(())
        });
    }

    /// Waits until it is done or has failed; `None` at once if nothing is under way.
    pub(super) async fn end(&mut self) -> Option<Result<(), Failure>> {
        let done = self.under_way.join_next().await?;
        Some(done.map_err(Failure::new).and_then(|done| done))
    }

    /// Notes how it fared.
    pub(super) fn note(done: Result<(), Failure>, course: &mut Course) {
        if let Err(Failure(why)) = done {
            course.troubles.push(why);
        }
    }

    /// The call has ended: a hold that never came is told.
    pub(super) fn cut_off(&self, course: &mut Course) {
        if !self.under_way.is_empty() && course.on_hold.is_none() {
            course.troubles.push("not held: the call ended".to_owned());
        }
    }
}
