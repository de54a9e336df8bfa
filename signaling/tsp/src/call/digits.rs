//! Digits of a call: which way they go, the requests that wait for it, what the peer sends.
//!
//! ```text
//! GenerateDigits ─ wait until the ways are known ─┬─ telephone-events, in band ─▶ MSP ─ DigitsPlayed ─▶ completion
//!                                                 └─ H.245, keypad ─▶ machine ───────────────────────▶ completion
//! H.245, keypad ─ machine ─┐
//! telephone-events ─ MSP ──┴─ each press once (heard.rs) ─▶ LINE_MONITORDIGITS
//! ```
//!
//! What the MSP could not even begin goes the next way if the configuration leaves the choice to us
//! ([`DigitsVia::Auto`]). One request is under way at a time; digits never overtake each other.
//!
//! Not here: what a way takes (`h323`), packets and tones (the MSP).

use std::collections::VecDeque;
use std::time::Duration;

use offhook_h323::{DigitVia, DtmfWay, RemoteMedia, TelephoneEvents};
use offhook_pair::{Channel as PairChannel, DigitWay, Flow, TelephoneEvent, ToMsp};
use offhook_spi::{DigitMode, LineError, RequestId, Timestamp};

use super::heard::{Heard, Way};
use super::running::Running;
use crate::config::DigitsVia;

/// Requests that may wait in one call.
const MAX_REQUESTS: usize = 16;

/// How much longer than the digits themselves the MSP may take.
const MSP_GRACE: Duration = Duration::from_secs(15);

/// How long a digit and its pause last at most, as an MSP plays them.
const DIGIT: Duration = Duration::from_millis(400);

/// A call's digits.
#[derive(Default)]
pub(super) struct Digits {
    waiting: VecDeque<Request>,
    /// What the MSP plays: its name, the request, when the answer is overdue.
    playing: Option<(u32, Request, Duration)>,
    last: u32,
    heard: Heard,
    /// Our transmit channel as the MSP knows it.
    pub(super) transmit: Option<PairChannel>,
}

/// A GenerateDigits.
struct Request {
    id: RequestId,
    digits: String,
    /// Ways that are left, best first.
    order: Vec<DtmfWay>,
    /// Until then it waits for a better way to open.
    patience: Duration,
}

impl Digits {
    /// When something is overdue.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let playing = self.playing.as_ref().map(|(.., by)| *by);
        playing.or_else(|| self.waiting.front().map(|request| request.patience.max(now)))
    }
}

impl Running {
    /// GenerateDigits.
    pub(super) fn generate_digits(&mut self, id: RequestId, digits: String, mode: DigitMode) {
        if self.digits.waiting.len() >= MAX_REQUESTS {
            let why = format!("{MAX_REQUESTS} strings of digits wait already");
            return self.context.complete(id, Err(LineError::ResourceUnavail(why)));
        }
        let config = &self.context.inner.config;
        let order = match (mode, config.digits_via) {
            (DigitMode::Dtmf, DigitsVia::Auto) => config.call.dtmf.clone(),
            (DigitMode::InBand, _) | (DigitMode::Dtmf, DigitsVia::InBand) => Vec::new(),
            (DigitMode::TelephoneEvent, _) | (DigitMode::Dtmf, DigitsVia::TelephoneEvent) => {
                vec![DtmfWay::TelephoneEvent]
            }
            (DigitMode::Signal, _) | (DigitMode::Dtmf, DigitsVia::Signal) => vec![DtmfWay::Signal],
            (DigitMode::Alphanumeric, _) | (DigitMode::Dtmf, DigitsVia::Alphanumeric) => {
                vec![DtmfWay::Alphanumeric]
            }
            (DigitMode::Keypad, _) | (DigitMode::Dtmf, DigitsVia::Keypad) => vec![DtmfWay::Keypad],
        };
        let patience = self.now() + config.digits_patience;
        self.digits.waiting.push_back(Request { id, digits, order, patience });
        self.next_digits();
    }

    /// Sends what can be sent: called whenever a way may have opened.
    pub(super) fn next_digits(&mut self) {
        while self.digits.playing.is_none() {
            let now = self.now();
            let Some(request) = self.digits.waiting.front() else { return };
            if now < request.patience && !self.knows_ways(&request.order) {
                return;
            }
            let Some(request) = self.digits.waiting.pop_front() else { return };
            if self.context.inner.config.digits_via == DigitsVia::InBand {
                self.await_msp(request);
                self.tell_player(DigitWay::InBand);
                continue;
            }
            match self.machine.send_digits_by(now, &request.digits, &request.order) {
                // The machine says under which payload type.
                Some(DtmfWay::TelephoneEvent) => self.await_msp(request),
                Some(way) => {
                    tracing::debug!(call = self.context.hd.0, ?way, "digits sent");
                    self.context.complete(request.id, Ok(()));
                }
                None => {
                    let why = "the far end takes these digits by none of the ways allowed";
                    self.context.complete(request.id, Err(LineError::failed(why)));
                }
            }
        }
    }

    /// Whether a better way of these cannot open by what H.245 is still to say.
    fn knows_ways(&self, order: &[DtmfWay]) -> bool {
        match order.first() {
            None => self.digits.transmit.is_some(),
            Some(DtmfWay::Keypad) => true,
            Some(first) => {
                let is_known = self.machine.remote_media() != RemoteMedia::default();
                is_known && (*first != DtmfWay::TelephoneEvent || self.digits.transmit.is_some())
            }
        }
    }

    /// The machine chose telephone-events.
    pub(super) fn play_events(&mut self, payload_type: u8) {
        let events = self.machine.remote_media().telephone_event;
        let events = events.map_or(TelephoneEvents::DTMF, |(_, events)| events);
        let mask = (0..32).filter(|event| events.contains(*event)).fold(0, |mask, event| mask | 1 << event);
        let agreed = Some(TelephoneEvent { payload_type, events: mask });
        if let Some(channel) = self.digits.transmit.filter(|channel| channel.telephone_event != agreed) {
            self.start_channels(vec![PairChannel { telephone_event: agreed, ..channel }]);
        }
        self.tell_player(DigitWay::TelephoneEvent);
    }

    /// Tells the MSP what to play.
    fn tell_player(&mut self, way: DigitWay) {
        let Some((id, request, _)) = &self.digits.playing else { return };
        let (id, digits) = (*id, request.digits.clone());
        if let Err(error) = self.context.to_msp(&ToMsp::PlayDigits { id, digits, way }) {
            self.digits_done(id, Err((error.to_string(), false)));
        }
    }

    /// The request waits for the MSP now.
    fn await_msp(&mut self, request: Request) {
        self.digits.last = self.digits.last.wrapping_add(1);
        let count = u32::try_from(request.digits.len()).unwrap_or(u32::MAX);
        let by = self.now() + DIGIT.saturating_mul(count) + MSP_GRACE;
        self.digits.playing = Some((self.digits.last, request, by));
    }

    /// The MSP is done with digits; an error says whether some of them may have been heard.
    pub(super) fn digits_done(&mut self, id: u32, result: Result<(), (String, bool)>) {
        let Some((playing, mut request, _)) = self.digits.playing.take_if(|(playing, ..)| *playing == id)
        else {
            return tracing::debug!(call = self.context.hd.0, id, "digits that nobody waits for");
        };
        request.order.retain(|way| *way != DtmfWay::TelephoneEvent);
        match result {
            Ok(()) => self.context.complete(request.id, Ok(())),
            Err((why, false)) if !request.order.is_empty() => {
                tracing::info!(call = self.context.hd.0, playing, why, "digits go another way");
                self.digits.waiting.push_front(request);
            }
            Err((why, _)) => self.context.complete(request.id, Err(LineError::failed(why))),
        }
        self.next_digits();
    }

    /// Time has passed.
    pub(super) fn digits_expired(&mut self) {
        let now = self.now();
        if let Some((_, request, _)) = self.digits.playing.take_if(|(.., by)| *by <= now) {
            self.tell_msp(&ToMsp::CancelDigits);
            let why = "the media side did not say that the digits were played";
            self.context.complete(request.id, Err(LineError::failed(why)));
        }
        self.next_digits();
    }

    /// The call is over: no digit leaves any more.
    pub(super) fn end_digits(&mut self) {
        let playing = self.digits.playing.take().map(|(_, request, _)| request);
        for request in playing.into_iter().chain(std::mem::take(&mut self.digits.waiting)) {
            self.context.complete(request.id, Err(LineError::failed("the call ended")));
        }
        self.digits.transmit = None;
    }

    /// Opens channels at the MSP, or changes them.
    pub(super) fn start_channels(&mut self, channels: Vec<PairChannel>) {
        let transmit = channels.iter().rfind(|channel| channel.id.flow == Flow::Transmit);
        self.digits.transmit = transmit.copied().or(self.digits.transmit);
        self.tell_msp(&ToMsp::Start(channels));
    }

    /// A digit came by signalling.
    pub(super) fn signalled(&mut self, digit: char, duration: Option<Duration>, via: DigitVia) {
        let way = match via {
            DigitVia::Alphanumeric => Way::Alphanumeric,
            DigitVia::Signal => Way::Signal,
            DigitVia::Keypad => Way::Keypad,
        };
        let now = Timestamp::now().0;
        self.pressed(digit, way, now, after(now, duration.unwrap_or_default()));
    }

    /// The key that came by H.245 signal is held for so long from now on.
    pub(super) fn still_pressed(&mut self, digit: char, duration: Duration) {
        self.digits.heard.lasts(digit, after(Timestamp::now().0, duration));
    }

    /// A digit came, pressed from the one moment to the other, which are the same where nobody knows how long; told once.
    pub(super) fn pressed(&mut self, digit: char, way: Way, began: u64, ended: u64) {
        let is_new = self.digits.heard.is_new(digit, way, began, ended);
        tracing::debug!(call = self.context.hd.0, %digit, ?way, is_new, "digit");
        if let Some((events, ht)) = self.context.inner.events().zip(self.context.valid()).filter(|_| is_new) {
            let mode = match way {
                Way::TelephoneEvent => DigitMode::TelephoneEvent,
                Way::Signal => DigitMode::Signal,
                Way::Alphanumeric => DigitMode::Alphanumeric,
                Way::Keypad => DigitMode::Keypad,
                Way::InBand => DigitMode::InBand,
            };
            let duration = ended.checked_sub(began).filter(|held| *held > 0).map(Duration::from_nanos);
            events.digit(self.context.line, ht, digit, mode, duration);
        }
    }
}

fn after(at: u64, duration: Duration) -> u64 {
    at.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
