//! The timers of a call: one table, earliest deadline first.
//! In: start, stop. Out: the earliest deadline; the timers that have expired.
//! Not here: what an expiry does (each machine).

use std::time::Duration;

/// A timer, by the name its standard gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// TCP connection of the signalling channel (ours; the standards name none).
    SignalingConnect,
    /// Called side: connection accepted, no Setup yet (GnuGk's SetupTimeout).
    SetupWait,
    /// Q.931: caller, Alerting seen, waiting for Connect. Called side: waiting for the application.
    T301,
    /// Q.931: called side, overlap receiving, waiting for more digits.
    T302,
    /// Q.931: Setup sent, nothing heard.
    T303,
    /// Q.931: caller, overlap sending, digits sent and nothing heard.
    T304,
    /// Q.931: CallProceeding seen, waiting for Alerting, Progress or Connect.
    T310,
    /// Q.931: StatusInquiry unanswered.
    T322,
    /// The next StatusInquiry is due (ours).
    StatusInterval,
    /// Called side: the caller was sent elsewhere and has not gone (ours).
    Deflection,
    /// Called side: CallProceeding waits for the media side, whose answer to fast connect it is to carry (ours).
    ProceedingWait,
    /// Application answered, media side has not (ours).
    MediaWait,
    /// Slow start: H.245 has to come up after Connect (ours).
    H245Start,
    /// Called side, fast connect without a tunnel: the caller has not begun H.245 (ours).
    H245Turn,
    /// H.245 CESE: TerminalCapabilitySet unanswered.
    T101,
    /// H.245 MLSE: MaintenanceLoopRequest unanswered.
    T102,
    /// H.245 LCSE: OpenLogicalChannel or CloseLogicalChannel of this channel unanswered.
    T103(u16),
    /// H.245 B-LCSE: the peer has not confirmed this bidirectional channel of its own.
    #[doc(alias = "T103")]
    T103Confirm(u16),
    /// H.245 RTDSE: RoundTripDelayRequest unanswered.
    T105,
    /// H.245 MSDSE: determination unanswered.
    T106,
    /// H.245 CLCSE: RequestChannelClose of this channel unanswered, or granted and not carried out.
    T108(u16),
    /// H.245 MRSE: RequestMode unanswered.
    T109,
    /// The next RoundTripDelayRequest is due (ours).
    RoundTripInterval,
    /// endSession sent or received, the other half is missing (H.323 8.5).
    EndSession,
    /// ReleaseComplete sent, the peer has not closed (ours).
    Linger,
    /// H.245's connection closed without endSession: ReleaseComplete may be on its way (ours).
    H245Loss,
    /// The signalling connection of an active call is lost and not yet back (ours).
    SignalingLoss,
    /// The next attempt to get it back is due (ours).
    SignalingRetry,
}

impl Timer {
    /// It belongs to one of H.245's procedures.
    pub(crate) fn is_h245(self) -> bool {
        matches!(
            self,
            Self::T101
                | Self::T102
                | Self::T103(_)
                | Self::T103Confirm(_)
                | Self::T105
                | Self::T106
                | Self::T108(_)
                | Self::T109
                | Self::RoundTripInterval
        )
    }
}

/// How long each [`Timer`] runs. What other systems use stands beside ours.
///
/// Of H.245's timers T104 (MTSE) and T107 (RMESE) have no place here: they wait for answers about the multiplex
/// table of H.223, which H.323 endpoints must not ask for (H.323 6.2.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// TCP connect. H323Plus: 10 s.
    pub signaling_connect: Duration,
    /// First Setup on an accepted connection. GnuGk: 8 s.
    pub setup_wait: Duration,
    /// T301. Q.931 table 9-2: at least 3 minutes.
    pub t301: Duration,
    /// T302. Q.931: 10–15 s. Restarted by each digit; when it expires the number counts as complete.
    pub t302: Duration,
    /// T303. Q.931 table 9-2: 4 s; H.225.0 7.5: at least 4 s. `Config::setup_unanswered` says what its first expiry does.
    pub t303: Duration,
    /// T304. Q.931: 30 s. Restarted by each Information.
    pub t304: Duration,
    /// T310. Q.931 user side: 30–120 s; network side: 10 s. Stopped by Progress.
    pub t310: Duration,
    /// T322. Q.931: 4 s; the StatusInquiry is repeated once.
    pub t322: Duration,
    /// Between StatusInquiries while connected, to notice a peer that has lost the call; `None` asks never.
    pub status_interval: Option<Duration>,
    /// The caller's release after Facility callForwarded.
    pub deflection: Duration,
    /// CallProceeding, for an answer to fast connect to go with it. Less than the caller's T303.
    pub proceeding_wait: Duration,
    /// Media side after answer.
    pub media_wait: Duration,
    /// H.245 after Connect in slow start. H323Plus: 120 s.
    pub h245_start: Duration,
    /// The caller's H.245 connection after fast connect, before the called side asks for one. H323Plus and ooh323 call
    /// without ever making one; keys by H.245 or as telephone-events want it.
    pub h245_turn: Duration,
    /// T101. H323Plus, ooh323: 30 s.
    pub t101: Duration,
    /// T102. H.245 names no value, here or below; H323Plus asks for no loops.
    pub t102: Duration,
    /// T103. H323Plus, ooh323: 30 s.
    pub t103: Duration,
    /// T105. H323Plus: 10 s.
    pub t105: Duration,
    /// T106. H323Plus, ooh323: 30 s.
    pub t106: Duration,
    /// T108.
    pub t108: Duration,
    /// T109. H323Plus: 30 s.
    pub t109: Duration,
    /// Between round trip measurements; `None` measures never. H323Plus: 60 s.
    pub round_trip_interval: Option<Duration>,
    /// Second half of endSession. H323Plus: 3 s; ooh323: 15 s.
    pub end_session: Duration,
    /// Peer's close after ReleaseComplete.
    pub linger: Duration,
    /// ReleaseComplete after an H.245 connection that closed without endSession, in a call that lives by it.
    pub h245_loss: Duration,
    /// A lost signalling connection, before its call is released (`Config::survive_signaling_loss`).
    pub signaling_loss: Duration,
    /// Between attempts to make it again.
    pub signaling_retry: Duration,
    /// A connection without calls that both sides maintain ([`Connection`](crate::Connection)).
    pub connection_idle: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            signaling_connect: Duration::from_secs(10),
            setup_wait: Duration::from_secs(8),
            t301: Duration::from_secs(180),
            t302: Duration::from_secs(15),
            t303: Duration::from_secs(4),
            t304: Duration::from_secs(30),
            t310: Duration::from_secs(10),
            t322: Duration::from_secs(4),
            status_interval: None,
            deflection: Duration::from_secs(5),
            proceeding_wait: Duration::from_secs(2),
            media_wait: Duration::from_secs(5),
            h245_start: Duration::from_secs(30),
            h245_turn: Duration::from_secs(1),
            t101: Duration::from_secs(30),
            t102: Duration::from_secs(30),
            t103: Duration::from_secs(30),
            t105: Duration::from_secs(10),
            t106: Duration::from_secs(30),
            t108: Duration::from_secs(30),
            t109: Duration::from_secs(30),
            round_trip_interval: Some(Duration::from_secs(60)),
            end_session: Duration::from_secs(3),
            linger: Duration::from_secs(1),
            h245_loss: Duration::from_secs(1),
            signaling_loss: Duration::from_secs(20),
            signaling_retry: Duration::from_secs(2),
            connection_idle: Duration::from_secs(60),
        }
    }
}

/// Why a timer cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimerError {
    /// No timer has this name.
    Unknown,
    /// A call without this timer could wait for ever.
    Needed,
    /// No time at all, or more than a day.
    OutOfRange,
}

impl std::fmt::Display for TimerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no timer has this name",
            Self::Needed => "this timer cannot be off: a call could wait for ever",
            Self::OutOfRange => "a timer runs for more than no time and for at most a day",
        })
    }
}

impl std::error::Error for TimerError {}

/// A place for a duration, for the timers that may be off.
enum Setting<'t> {
    Always(&'t mut Duration),
    Perhaps(&'t mut Option<Duration>),
}

impl Timers {
    /// The names that [`set`](Self::set) knows.
    pub const NAMES: [&'static str; 26] = [
        "signaling-connect",
        "setup-wait",
        "t301",
        "t302",
        "t303",
        "t304",
        "t310",
        "t322",
        "status-interval",
        "deflection",
        "proceeding-wait",
        "media-wait",
        "h245-start",
        "t101",
        "t102",
        "t103",
        "t105",
        "t106",
        "t108",
        "t109",
        "round-trip-interval",
        "end-session",
        "linger",
        "signaling-loss",
        "signaling-retry",
        "connection-idle",
    ];

    /// Sets the timer of that name, as the fields have them with hyphens; `None` switches it off.
    ///
    /// # Errors
    ///
    /// [`TimerError`] says whether there is no such timer, it cannot be off, or it cannot run for so long.
    pub fn set(&mut self, name: &str, lasts: Option<Duration>) -> Result<(), TimerError> {
        const DAY: Duration = Duration::from_secs(86_400);
        let setting = self.setting(name).ok_or(TimerError::Unknown)?;
        if lasts.is_some_and(|lasts| lasts.is_zero() || lasts > DAY) {
            return Err(TimerError::OutOfRange);
        }
        match (setting, lasts) {
            (Setting::Always(place), Some(lasts)) => *place = lasts,
            (Setting::Always(_), None) => return Err(TimerError::Needed),
            (Setting::Perhaps(place), lasts) => *place = lasts,
        }
        Ok(())
    }

    fn setting(&mut self, name: &str) -> Option<Setting<'_>> {
        use Setting::{Always, Perhaps};
        Some(match name {
            "signaling-connect" => Always(&mut self.signaling_connect),
            "setup-wait" => Always(&mut self.setup_wait),
            "t301" => Always(&mut self.t301),
            "t302" => Always(&mut self.t302),
            "t303" => Always(&mut self.t303),
            "t304" => Always(&mut self.t304),
            "t310" => Always(&mut self.t310),
            "t322" => Always(&mut self.t322),
            "status-interval" => Perhaps(&mut self.status_interval),
            "deflection" => Always(&mut self.deflection),
            "proceeding-wait" => Always(&mut self.proceeding_wait),
            "media-wait" => Always(&mut self.media_wait),
            "h245-start" => Always(&mut self.h245_start),
            "t101" => Always(&mut self.t101),
            "t102" => Always(&mut self.t102),
            "t103" => Always(&mut self.t103),
            "t105" => Always(&mut self.t105),
            "t106" => Always(&mut self.t106),
            "t108" => Always(&mut self.t108),
            "t109" => Always(&mut self.t109),
            "round-trip-interval" => Perhaps(&mut self.round_trip_interval),
            "end-session" => Always(&mut self.end_session),
            "linger" => Always(&mut self.linger),
            "signaling-loss" => Always(&mut self.signaling_loss),
            "signaling-retry" => Always(&mut self.signaling_retry),
            "connection-idle" => Always(&mut self.connection_idle),
            _ => return None,
        })
    }

    /// How long `timer` runs; `None`: not at all.
    pub(crate) fn of(&self, timer: Timer) -> Option<Duration> {
        match timer {
            Timer::SignalingConnect => Some(self.signaling_connect),
            Timer::SetupWait => Some(self.setup_wait),
            Timer::T301 => Some(self.t301),
            Timer::T302 => Some(self.t302),
            Timer::T303 => Some(self.t303),
            Timer::T304 => Some(self.t304),
            Timer::T310 => Some(self.t310),
            Timer::T322 => Some(self.t322),
            Timer::StatusInterval => self.status_interval,
            Timer::Deflection => Some(self.deflection),
            Timer::ProceedingWait => Some(self.proceeding_wait),
            Timer::MediaWait => Some(self.media_wait),
            Timer::H245Start => Some(self.h245_start),
            Timer::H245Turn => Some(self.h245_turn),
            Timer::T101 => Some(self.t101),
            Timer::T102 => Some(self.t102),
            Timer::T103(_) | Timer::T103Confirm(_) => Some(self.t103),
            Timer::T105 => Some(self.t105),
            Timer::T106 => Some(self.t106),
            Timer::T108(_) => Some(self.t108),
            Timer::T109 => Some(self.t109),
            Timer::RoundTripInterval => self.round_trip_interval,
            Timer::EndSession => Some(self.end_session),
            Timer::Linger => Some(self.linger),
            Timer::H245Loss => Some(self.h245_loss),
            Timer::SignalingLoss => Some(self.signaling_loss),
            Timer::SignalingRetry => Some(self.signaling_retry),
        }
    }
}

/// The running timers. Their number is bounded by the number of logical channels, which is bounded.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimerTable {
    running: Vec<(Timer, Duration)>,
}

impl TimerTable {
    /// Starts or restarts `timer`.
    pub(crate) fn start(&mut self, timer: Timer, now: Duration, lasts: Duration) {
        let deadline = now.saturating_add(lasts);
        match self.running.iter_mut().find(|(running, _)| *running == timer) {
            Some((_, old)) => *old = deadline,
            None => self.running.push((timer, deadline)),
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.running.retain(|(running, _)| *running != timer);
    }

    /// Stops all for which `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(Timer) -> bool) {
        self.running.retain(|(running, _)| keep(*running));
    }

    pub(crate) fn is_running(&self, timer: Timer) -> bool {
        self.running.iter().any(|(running, _)| *running == timer)
    }

    pub(crate) fn earliest(&self) -> Option<Duration> {
        self.running.iter().map(|(_, deadline)| *deadline).min()
    }

    /// Takes one timer that has expired at `now`; the earliest first, ties by the order of the enum.
    pub(crate) fn pop_expired(&mut self, now: Duration) -> Option<Timer> {
        let (timer, deadline) =
            self.running.iter().copied().min_by_key(|(timer, deadline)| (*deadline, *timer))?;
        if deadline > now {
            return None;
        }
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_earliest_deadline_expires_first() {
        let mut table = TimerTable::default();
        table.start(Timer::T301, SECOND, SECOND * 3);
        table.start(Timer::T103(7), SECOND, SECOND);
        assert_eq!(table.earliest(), Some(SECOND * 2));
        assert_eq!(table.pop_expired(SECOND), None);
        assert_eq!(table.pop_expired(SECOND * 9), Some(Timer::T103(7)));
        assert_eq!(table.pop_expired(SECOND * 9), Some(Timer::T301));
        assert_eq!(table.pop_expired(SECOND * 9), None);
    }

    #[test]
    fn every_timer_can_be_set_by_its_name_and_only_some_switched_off() {
        let mut off = Vec::new();
        for (at, name) in Timers::NAMES.into_iter().enumerate() {
            let mut timers = Timers::default();
            let lasts = SECOND * 1000 + Duration::from_millis(at as u64);
            assert_eq!(timers.set(name, Some(lasts)), Ok(()), "{name}");
            // Exactly one field has changed, and it is the one of that name.
            let changed = format!("{timers:?}").replace('_', "-");
            assert_eq!(changed.matches(&format!("{lasts:?}")).count(), 1, "{changed}");
            let field = changed.split(&format!("{lasts:?}")).next().unwrap_or_default();
            let field = field.rsplit(", ").next().unwrap_or_default();
            assert!(field.contains(name), "{name}: {field}");
            assert_eq!(timers.set(name, Some(Duration::ZERO)), Err(TimerError::OutOfRange));
            match timers.set(name, None) {
                Ok(()) => off.push(name),
                Err(error) => assert_eq!(error, TimerError::Needed, "{name}"),
            }
        }
        assert_eq!(off, ["status-interval", "round-trip-interval"]);
        assert_eq!(Timers::default().set("t999", Some(SECOND)), Err(TimerError::Unknown));
    }

    #[test]
    fn a_restart_moves_the_deadline() {
        let mut table = TimerTable::default();
        table.start(Timer::T303, SECOND, SECOND);
        table.start(Timer::T303, SECOND * 2, SECOND);
        assert_eq!(table.earliest(), Some(SECOND * 3));
        table.stop(Timer::T303);
        assert_eq!(table.earliest(), None);
    }
}
