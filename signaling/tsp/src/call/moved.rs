//! Media that move to another MSP instance: the call was handed to another application.
//!
//! ```text
//! line_move_media ─▶ Prepare to the new instance ─ Prepared ─┬─ nothing agreed yet ──────────────▶ the new one's from now on
//!                                                            ├─ we hold the far end ─────────────▶ the same: retrieving opens
//!                                                            ├─ before Connect ─ Connect ─┐         channels there
//!                                                            └───────────────────────────▶ empty set ⇢ Ack ─▶ old: StopAll
//!                                                                       full set ⇢ Ack ─▶ channels open at the new one
//! ```
//! The far end is made to send elsewhere as it is when it is held (H.323 8.4.6, third party initiated pause and
//! re-routing); to applications the call is connected all the while. The old instance plays until the new one is ready,
//! so what is missing is a round trip. If the far end cannot be paused the media stay, and the call's information says so.
//!
//! In: the order, the new instance's answer, the machine's word. Out: pair messages to both instances.
//! Not here: which instance is to have them (`broker`).

use std::time::Duration;

use offhook_h323::LocalMedia;
use offhook_pair::{ToMsp, ToTsp};
use offhook_spi::HtMspLine;

use super::admit;
use super::running::Running;
use crate::media;

/// A move under way.
#[derive(Debug)]
pub(super) struct Moving {
    to: HtMspLine,
    stage: Stage,
    /// Where the media are to go after that.
    then: Option<HtMspLine>,
}

#[derive(Debug)]
enum Stage {
    /// The new instance is to say what it has, by then.
    Preparing { by: Duration },
    /// Until the call is connected, or a hold of the application's is over.
    Waiting(LocalMedia),
    /// The far end is being paused.
    Pausing(LocalMedia),
    /// The far end is being taken back, with the new instance's media.
    Resuming,
}

impl Running {
    /// The call's media are to be at `to`.
    pub(super) fn move_media(&mut self, to: HtMspLine) {
        if self.released {
            return;
        }
        if let Some(moving) = &mut self.moving {
            let (before, reversible) =
                (moving.to, matches!(moving.stage, Stage::Preparing { .. } | Stage::Waiting(_)));
            if before == to {
                moving.then = None;
                return;
            }
            if !reversible {
                // The far end is being paused: one thing after the other.
                moving.then = Some(to);
                return;
            }
            self.moving = None;
            self.tell_instance(before, &ToMsp::StopAll);
        }
        if self.context.msp == Some(to) {
            return;
        }
        let peer = self.signaling_ends.1.ip();
        match self.context.to_instance(Some(to), &ToMsp::Prepare { peer }) {
            Ok(()) => {
                let by = self.now() + self.context.inner.config.prepare_timeout;
                self.moving = Some(Moving { to, stage: Stage::Preparing { by }, then: None });
            }
            Err(error) => {
                self.not_moved(&format!("the application that took the call has no media: {error}"))
            }
        }
    }

    /// When the new instance's answer is overdue.
    pub(super) fn move_deadline(&self) -> Option<Duration> {
        match &self.moving {
            Some(Moving { stage: Stage::Preparing { by }, .. }) => Some(*by),
            _ => None,
        }
    }

    pub(super) fn move_expired(&mut self) {
        let now = self.now();
        if self.move_deadline().is_some_and(|by| by <= now) {
            self.give_up_move("the application that took the call did not say in time which media it has");
        }
    }

    /// Takes what the new instance says, while it is asked. False: it is about something else.
    pub(super) fn moving_msp_said(&mut self, msp: HtMspLine, message: &ToTsp) -> bool {
        let asked =
            matches!(&self.moving, Some(Moving { to, stage: Stage::Preparing { .. }, .. }) if *to == msp);
        match message {
            ToTsp::Prepared { sessions } if asked => {
                let mut media = media::local_media(sessions);
                match admit::fit(&self.context, &mut media) {
                    Ok(()) => self.moving_prepared(media),
                    Err(why) => self.give_up_move(&why),
                }
                true
            }
            ToTsp::Failed { why } if asked => {
                self.give_up_move(why);
                true
            }
            // The one that has the media may say anything; one that had them, nothing any more.
            _ => self.context.msp.is_some_and(|at| at != msp),
        }
    }

    fn moving_prepared(&mut self, media: LocalMedia) {
        let nothing_agreed = self.held.is_empty() && !self.channels_agreed;
        if (nothing_agreed && self.context.inbound && !self.connected) || self.holding.holds() {
            self.media_at_new(media);
            self.move_is_over();
        } else if self.connected && !self.holding.is_changing() {
            self.pause_to_move(media);
        } else if let Some(moving) = &mut self.moving {
            moving.stage = Stage::Waiting(media);
        }
    }

    fn pause_to_move(&mut self, media: LocalMedia) {
        let now = self.now();
        if self.machine.hold(now) {
            if let Some(moving) = &mut self.moving {
                moving.stage = Stage::Pausing(media);
            }
        } else {
            self.give_up_move("the far end has no H.245, by which it could be told where to send");
        }
    }

    /// The call is connected, or the application's hold or retrieval has ended: what waited for it goes on.
    pub(super) fn move_on(&mut self) {
        if let Some(Moving { stage: Stage::Waiting(media), .. }) = &mut self.moving {
            let media = std::mem::take(media);
            self.moving_prepared(media);
        }
    }

    /// The far end is paused or taken back, or, with `why`, is not. False: that was the application's doing.
    pub(super) fn moving_hold_changed(&mut self, held: bool, why: Option<&str>) -> bool {
        let now = self.now();
        match self.moving.as_mut().map(|moving| &mut moving.stage) {
            Some(Stage::Pausing(media)) if held => {
                let media = std::mem::take(media);
                self.media_at_new(media);
                if let Some(moving) = &mut self.moving {
                    moving.stage = Stage::Resuming;
                }
                if !self.machine.retrieve(now) {
                    self.still_held("the far end cannot be taken back");
                }
                true
            }
            Some(Stage::Pausing(_)) => {
                self.give_up_move(why.unwrap_or("the far end was not paused"));
                true
            }
            Some(Stage::Resuming) => {
                match why {
                    None => self.move_is_over(),
                    Some(why) => self.still_held(why),
                }
                true
            }
            Some(Stage::Preparing { .. } | Stage::Waiting(_)) | None => false,
        }
    }

    /// The new instance has the media, the old one is done.
    fn media_at_new(&mut self, media: LocalMedia) {
        let Some(to) = self.moving.as_ref().map(|moving| moving.to) else { return };
        self.end_digits();
        // Before one has answered, nobody has any: what is said to all the new one would hear, too.
        if let Some(before) = self.context.msp.replace(to) {
            self.tell_instance(before, &ToMsp::StopAll);
        }
        self.prepare_by = None;
        let now = self.now();
        self.machine.set_media(now, media);
    }

    fn move_is_over(&mut self) {
        let then = self.moving.take().and_then(|moving| moving.then);
        if let Some(to) = then {
            self.move_media(to);
        }
    }

    /// The pause did not end: the call is on hold, and can be taken back as such.
    fn still_held(&mut self, why: &str) {
        self.not_moved(why);
        self.holding.is_held();
        self.report_connected();
        self.move_is_over();
    }

    /// The call has ended with a move under way: the instance that was to have the media lets go of what it prepared.
    pub(super) fn end_move(&mut self) {
        if let Some(moving) = self.moving.take()
            && self.context.msp != Some(moving.to)
        {
            self.tell_instance(moving.to, &ToMsp::StopAll);
        }
    }

    fn give_up_move(&mut self, why: &str) {
        self.not_moved(why);
        if let Some(moving) = self.moving.take() {
            self.tell_instance(moving.to, &ToMsp::StopAll);
            if let Some(then) = moving.then {
                self.move_media(then);
            }
        }
    }

    fn not_moved(&mut self, why: &str) {
        tracing::warn!(call = self.context.hd.0, why, "the media of a call that was handed on stay");
        self.note_id("handoff", why);
    }

    fn tell_instance(&self, msp: HtMspLine, message: &ToMsp) {
        if let Err(error) = self.context.to_instance(Some(msp), message) {
            tracing::debug!(call = self.context.hd.0, %error, ?message, "an MSP instance was not told");
        }
    }
}
