//! Digits of a call: telephone-events (RFC 4733) out and in, tones in band out.
//! In: strings of the TSP, turns of the service thread. Out: commands to the engine; what was played and what came, for
//! the TSP.
//!
//! ```text
//! waiting ─ the stream runs ─▶ playing ─ the last packet, its repeats and a pause ──▶ DigitsPlayed
//!    └── no stream in time ───────┴── channel closed, cancelled, overdue ───────────▶ DigitsFailed
//! ```
//! Not here: the packets (`offhook_rtp`), tones (`offhook_codecs`), which way digits go (the TSP).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use offhook_codecs::{CodecKind, DtmfTiming};
use offhook_engine::{Gain, SourceId, TonePlayer, TxCommand, TxEvents, tone_player};
use offhook_pair::{DigitWay, TelephoneEvent, ToTsp};
use offhook_rtp::{EventCode, MAX_QUEUED_EVENTS};

use crate::call::CallState;
use crate::stream::Phase;

/// Strings that may wait.
const MAX_WAITING: usize = 8;
/// How long a string waits for a stream that runs.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much longer than it takes playing may last.
const GRACE: Duration = Duration::from_secs(5);
/// Packets of an event that follow its first with the E bit, and one more that is being filled.
const LAST_PACKETS: u32 = 3;
/// The events that we take and can play: the keys and flash.
const EVENTS: u32 = TelephoneEvent::KEYS | 1 << EventCode::FLASH.code();

/// What is to be played and what is being played.
#[derive(Default)]
pub(crate) struct Digits {
    waiting: VecDeque<Job>,
    playing: Option<Playing>,
}

/// A string.
struct Job {
    id: u32,
    /// What of it is still to be played.
    left: Vec<char>,
    way: DigitWay,
    since: Instant,
    has_begun: bool,
}

/// What of the first string is under way.
struct Playing {
    means: Means,
    /// After this it has gone wrong.
    by: Instant,
    /// Nothing more sounds, since when.
    silent: Option<Instant>,
}

enum Means {
    /// What was refused before.
    Events {
        refused: u64,
    },
    Tones {
        player: TonePlayer,
        source: SourceId,
    },
}

/// What we say that we take.
pub(crate) fn offered(payload_type: Option<u8>) -> Option<TelephoneEvent> {
    payload_type.map(|payload_type| TelephoneEvent { payload_type, events: EVENTS })
}

impl CallState {
    /// Plays a string after those that are being played.
    pub(crate) fn play_digits(&mut self, id: u32, digits: &str, way: DigitWay) {
        if self.digits.waiting.len() >= MAX_WAITING {
            return self.digits_failed(id, false, format!("{MAX_WAITING} strings of digits wait already"));
        }
        let job = Job { id, left: digits.chars().collect(), way, since: Instant::now(), has_begun: false };
        self.digits.waiting.push_back(job);
        self.play_on();
    }

    /// Plays no more.
    pub(crate) fn cancel_digits(&mut self, why: &str) {
        if let Some(playing) = self.digits.playing.take()
            && let Err(full) = self.end_means(playing.means)
        {
            tracing::debug!(call = self.id.0, why = full, "digits end by themselves");
        }
        for job in std::mem::take(&mut self.digits.waiting) {
            self.digits_failed(job.id, job.has_begun, why.to_owned());
        }
    }

    /// A turn of the service thread: tells what came, goes on with what is played.
    pub(crate) fn look_after_digits(&mut self) {
        let clock_rate = self.render.codec.map_or(8_000, CodecKind::clock_rate).max(1);
        while let Some(event) = self.control.next_event() {
            let duration_ms = event.duration.saturating_mul(1_000) / u64::from(clock_rate);
            self.reporter.tell_tsp(&ToTsp::Digit {
                digit: event.code.to_char(),
                duration_ms: u32::try_from(duration_ms).unwrap_or(u32::MAX),
                began_ns: event.arrival_ns,
                way: DigitWay::TelephoneEvent,
            });
        }
        self.play_on();
    }

    fn play_on(&mut self) {
        if let Some(playing) = self.digits.playing.take() {
            match self.progress(playing) {
                Ok(Some(playing)) => return self.digits.playing = Some(playing),
                Ok(None) => {}
                Err(why) => return self.drop_first(why),
            }
        }
        while let Some(job) = self.digits.waiting.front() {
            if job.left.is_empty() {
                let id = job.id;
                self.digits.waiting.pop_front();
                self.reporter.tell_tsp(&ToTsp::DigitsPlayed { id });
                continue;
            }
            if self.capture.phase != Phase::Active {
                if job.since.elapsed() < PATIENCE {
                    return;
                }
                self.drop_first("nothing is being sent to the far end".to_owned());
                continue;
            }
            match self.begin() {
                Ok(()) => return,
                Err(why) => self.drop_first(why),
            }
        }
    }

    /// Begins with what is left of the first string, or a part of it.
    fn begin(&mut self) -> Result<(), String> {
        let Some(job) = self.digits.waiting.front_mut() else { return Ok(()) };
        let way = job.way;
        let most = match way {
            DigitWay::TelephoneEvent => MAX_QUEUED_EVENTS,
            DigitWay::InBand => job.left.len(),
        };
        let part: String = job.left.drain(..most.min(job.left.len())).collect();
        let timing = DtmfTiming::default();
        let each = u64::from(timing.on_ms) + u64::from(timing.off_ms);
        let lasts = Duration::from_millis(each.saturating_mul(part.len() as u64));
        let means = match way {
            DigitWay::TelephoneEvent => self.play_events(&part, timing)?,
            DigitWay::InBand => {
                let (mut player, source) = tone_player(self.media.sample_rate());
                player.dial(&part, timing).map_err(|why| why.to_string())?;
                let source = self
                    .control
                    .add_source(Box::new(source), Gain::UNITY)
                    .map_err(|refused| refused.to_string())?;
                Means::Tones { player, source }
            }
        };
        let by = Instant::now() + lasts + GRACE;
        if let Some(job) = self.digits.waiting.front_mut() {
            job.has_begun = true;
        }
        self.digits.playing = Some(Playing { means, by, silent: None });
        Ok(())
    }

    fn play_events(&mut self, part: &str, timing: DtmfTiming) -> Result<Means, String> {
        let agreed = self.capture.channel.and_then(|channel| channel.telephone_event);
        let agreed = agreed.ok_or("the far end takes no telephone-events")?;
        let is_taken =
            |key: &char| EventCode::from_char(*key).is_some_and(|event| agreed.takes(event.code()));
        if let Some(key) = part.chars().find(|key| !is_taken(key)) {
            return Err(format!("the far end takes no telephone-event for {key:?}"));
        }
        let clock_rate = self.capture.codec.map_or(8_000, CodecKind::clock_rate);
        let events = TxEvents::dial(agreed.payload_type, part, timing.on_ms, timing.off_ms, clock_rate)
            .map_err(|why| why.to_string())?;
        let refused = self.control.meters().tx().events_refused;
        self.tell_tx(TxCommand::PlayEvents(Box::new(events)))?;
        Ok(Means::Events { refused })
    }

    /// What is left to play of it: nothing once the last packet has left.
    fn progress(&mut self, mut playing: Playing) -> Result<Option<Playing>, String> {
        let now = Instant::now();
        let is_overdue = now > playing.by;
        if is_overdue || self.capture.phase != Phase::Active {
            self.end_means(playing.means)?;
            let why = if is_overdue { "the sound does not flow" } else { "the channel closed" };
            return Err(why.to_owned());
        }
        let is_over = match &playing.means {
            Means::Events { refused } => {
                let is_settled = self.control.is_settled();
                let meters = self.control.meters().tx();
                if is_settled && meters.events_refused != *refused {
                    return Err("too many digits at once".to_owned());
                }
                is_settled && !meters.is_playing_events
            }
            Means::Tones { player, .. } => player.is_idle(),
        };
        if !is_over {
            return Ok(Some(playing));
        }
        let silent = *playing.silent.get_or_insert(now);
        let packet_ms = self.capture.channel.map_or(self.media.config.packet_ms, |channel| channel.packet_ms);
        // The pause after the last digit is part of it: a call that ended earlier would cut it off at the far end, which
        // waits a while for packets that were overtaken.
        let pause = Duration::from_millis(u64::from(DtmfTiming::default().off_ms));
        if silent.elapsed() < Duration::from_millis(u64::from(packet_ms)) * LAST_PACKETS + pause {
            return Ok(Some(playing));
        }
        if let Means::Tones { source, .. } = playing.means {
            self.control.remove_source(source).map_err(|full| full.to_string())?;
        }
        Ok(None)
    }

    fn end_means(&mut self, means: Means) -> Result<(), String> {
        match means {
            Means::Events { .. } => self.tell_tx(TxCommand::CancelEvents),
            Means::Tones { mut player, source } => {
                player.stop();
                self.control.remove_source(source).map_err(|full| full.to_string())
            }
        }
    }

    fn drop_first(&mut self, why: String) {
        if let Some(job) = self.digits.waiting.pop_front() {
            self.digits_failed(job.id, job.has_begun, why);
        }
    }

    fn digits_failed(&mut self, id: u32, has_begun: bool, why: String) {
        tracing::debug!(call = self.id.0, id, why, "digits were not played");
        self.reporter.tell_tsp(&ToTsp::DigitsFailed { id, has_begun, why });
    }
}
