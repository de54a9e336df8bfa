//! User input (H.245 UserInputIndication), and which way keys go.
//! In: keys of the application, UserInputIndications. Out: UserInputIndications, digits, each once.
//!
//! ```text
//!   out   the first way of `Config::dtmf` that is possible:
//!           TelephoneEvent   both sides have telephone-events, a transmit channel is open: the media side sends
//!           Signal           the peer announces dtmf, for a hook flash (`!`) also hookflash
//!           Alphanumeric     H.245 is up (every endpoint takes it)
//!           Keypad           always
//!   in    alphanumeric, signal, Q.931 keypad: a Digit each; signalUpdate: the last signal's duration
//! ```
//! A peer that announces telephone-events and does not hear them (`quirks`) gets them where nothing else is allowed.
//! A key that the peer says is in RTP as well, or that comes by two ways within [`DOUBLE`], counts once.
//!
//! Not here: Q.931's Information (the call), telephone-events in RTP (the media side).

use std::collections::VecDeque;
use std::time::Duration;

use crate::capability::{RemoteCapabilities, TelephoneEvents};
use crate::h245::{Notice, Scope, pdu};
use crate::{ChannelPlan, Config, DigitVia, DtmfWay, Event, LocalMedia};

/// How long a digit sounds when we send it as UserInputIndication signal: two RFC 4733 packets of 50 ms.
const DIGIT_MS: u16 = 100;

/// The hook flash of signalType.
const FLASH: char = '!';

/// The most characters of one UserInputIndication that become digits.
const MAX_INPUT: usize = 128;

/// Peers that send each key by two ways send the two together.
const DOUBLE: Duration = Duration::from_millis(200);

/// What may stand for a double is kept for so many keys.
const MAX_RECENT: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct UserInput {
    /// A signal of ours came back: the peer announced what it does not do.
    no_signal: bool,
    /// Keys that left as signals and have not come back, at most [`MAX_INPUT`].
    signalled: VecDeque<char>,
    /// The key of the last signal of the peer.
    last_signal: Option<char>,
    /// Keys told, whose double may still come.
    recent: VecDeque<(Duration, char, DigitVia)>,
}

/// What the choice of a way looks at.
pub(crate) struct Ways<'a> {
    pub(crate) media: Option<&'a LocalMedia>,
    pub(crate) remote: &'a RemoteCapabilities,
    /// Our transmit channel.
    pub(crate) channel: Option<&'a ChannelPlan>,
    /// The peer announces telephone-events and does not hear them (`quirks`).
    pub(crate) deaf: bool,
    /// The peer's capabilities are known and H.245 is not ending.
    pub(crate) up: bool,
}

impl Ways<'_> {
    /// The payload type for telephone-events, when both sides have them.
    pub(crate) fn telephone_event(&self) -> Option<(u8, TelephoneEvents)> {
        let channel = self.channel?;
        let media = self.media?;
        let session = media.sessions.iter().find(|session| session.session_id == channel.session_id)?;
        session.telephone_event?;
        self.remote.telephone_event().filter(|(payload_type, _)| *payload_type != channel.payload_type)
    }

    /// The first of `order` that is possible; telephone-events come last with a peer that is deaf to them.
    fn first(&self, order: &[DtmfWay], possible: impl Fn(DtmfWay) -> bool) -> Option<DtmfWay> {
        let heard = |way: &DtmfWay| !self.deaf || *way != DtmfWay::TelephoneEvent;
        let find = |way: &DtmfWay| possible(*way);
        let mut ways = order.iter().copied();
        ways.clone().filter(heard).find(find).or_else(|| ways.find(find))
    }
}

impl UserInput {
    /// The way that keys go now.
    pub(crate) fn way(&self, config: &Config, ways: &Ways<'_>) -> Option<DtmfWay> {
        ways.first(&config.dtmf, |way| match way {
            DtmfWay::TelephoneEvent => ways.up && ways.telephone_event().is_some(),
            DtmfWay::Signal => ways.up && ways.remote.takes_signal() && !self.no_signal,
            DtmfWay::Alphanumeric => ways.up,
            DtmfWay::Keypad => true,
        })
    }

    /// Sends `digits` the first way of `order` that is possible; says by which. `Keypad` leaves it to the caller.
    pub(crate) fn send(
        &mut self,
        scope: &mut Scope<'_>,
        ways: &Ways<'_>,
        digits: &str,
        order: &[DtmfWay],
    ) -> Option<DtmfWay> {
        let kept: String = digits.chars().take(MAX_INPUT).collect();
        let beyond = digits.chars().count() - kept.chars().count();
        let beyond = u32::try_from(beyond).unwrap_or(u32::MAX);
        scope.counters.keys_dropped = scope.counters.keys_dropped.saturating_add(beyond);
        let keys: Option<Vec<(char, u8)>> =
            kept.chars().map(|key| Some((key.to_ascii_uppercase(), TelephoneEvents::of_key(key)?))).collect();
        let possible = |way: DtmfWay| match way {
            DtmfWay::TelephoneEvent => ways.telephone_event().is_some_and(|(_, events)| {
                ways.up && keys.as_ref().is_some_and(|keys| keys.iter().all(|(_, e)| events.contains(*e)))
            }),
            DtmfWay::Signal => {
                let flashes = digits.contains(FLASH);
                ways.up
                    && ways.remote.takes_signal()
                    && (ways.remote.takes_flash() || !flashes)
                    && !self.no_signal
                    && keys.is_some()
            }
            DtmfWay::Alphanumeric => ways.up,
            DtmfWay::Keypad => true,
        };
        let way = ways.first(order, possible)?;
        match way {
            DtmfWay::TelephoneEvent => {
                let (payload_type, _) = ways.telephone_event()?;
                let session_id = ways.channel?.session_id;
                let digits = keys.iter().flatten().map(|(key, _)| *key).collect();
                scope.tell(Event::SendTelephoneEvents { session_id, payload_type, digits });
            }
            DtmfWay::Signal => {
                for (key, _) in keys.into_iter().flatten() {
                    self.signal(scope, key, Some(DIGIT_MS));
                }
            }
            // Asterisk's chan_ooh323 hears the first character of a string: keys go one by one, text as it is.
            DtmfWay::Alphanumeric => match keys {
                Some(keys) => {
                    for (key, _) in keys {
                        scope.send(pdu::alphanumeric(key.encode_utf8(&mut [0; 4])));
                    }
                }
                None => scope.send(pdu::alphanumeric(&kept)),
            },
            DtmfWay::Keypad => {}
        }
        Some(way)
    }

    /// One key by H.245 signal, for as long as `duration` or until [`update`](Self::update). False when the peer takes
    /// no signal or this is no key.
    pub(crate) fn press(
        &mut self,
        scope: &mut Scope<'_>,
        ways: &Ways<'_>,
        key: char,
        duration: Option<Duration>,
    ) -> bool {
        let flashes = ways.remote.takes_flash() || key != FLASH;
        let possible = ways.up && ways.remote.takes_signal() && flashes && !self.no_signal;
        let known = TelephoneEvents::of_key(key).is_some();
        if possible && known {
            self.signal(scope, key.to_ascii_uppercase(), duration.map(milliseconds));
        }
        possible && known
    }

    fn signal(&mut self, scope: &mut Scope<'_>, key: char, duration_ms: Option<u16>) {
        if self.signalled.len() >= MAX_INPUT {
            self.signalled.pop_front();
        }
        self.signalled.push_back(key);
        scope.send(pdu::signal(key, duration_ms));
    }

    /// signalUpdate: the key pressed last sounds for so long from now on.
    pub(crate) fn update(&self, scope: &mut Scope<'_>, ways: &Ways<'_>, duration: Duration) -> bool {
        let possible = ways.up && ways.remote.takes_signal() && !self.no_signal;
        if possible {
            scope.send(pdu::signal_update(milliseconds(duration)));
        }
        possible
    }

    /// A signal of ours came back: the key goes as a character, and so do all that follow.
    pub(crate) fn on_returned(&mut self, scope: &mut Scope<'_>, key: char) {
        self.no_signal = true;
        // Several may be under way before the first is back. What we did not send, or what came back before, is no
        // answer to us.
        if let Some(at) = self.signalled.iter().position(|sent| *sent == key) {
            self.signalled.remove(at);
            scope.send(pdu::alphanumeric(key.encode_utf8(&mut [0; 4])));
        }
    }

    pub(crate) fn on_alphanumeric(
        &mut self,
        scope: &mut Scope<'_>,
        text: &str,
        in_rtp: bool,
        media: Option<&LocalMedia>,
    ) {
        // Real peers end strings in NUL.
        let keys = || text.chars().filter(|c| *c != '\0');
        let beyond = u32::try_from(keys().count().saturating_sub(MAX_INPUT)).unwrap_or(u32::MAX);
        scope.counters.keys_dropped = scope.counters.keys_dropped.saturating_add(beyond);
        for digit in keys().take(MAX_INPUT) {
            self.on_key(scope, digit, None, DigitVia::Alphanumeric, in_rtp, media);
        }
    }

    pub(crate) fn on_signal(
        &mut self,
        scope: &mut Scope<'_>,
        digit: char,
        duration: Option<Duration>,
        in_rtp: bool,
        media: Option<&LocalMedia>,
    ) {
        self.last_signal = None;
        if self.on_key(scope, digit, duration, DigitVia::Signal, in_rtp, media) {
            self.last_signal = Some(digit);
        }
    }

    /// Q.931 has no word for a key that is in RTP as well.
    pub(crate) fn on_keypad(&mut self, scope: &mut Scope<'_>, digit: char, media: Option<&LocalMedia>) {
        self.on_key(scope, digit, None, DigitVia::Keypad, false, media);
    }

    pub(crate) fn on_signal_update(&mut self, scope: &mut Scope<'_>, duration: Duration) {
        if let Some(digit) = self.last_signal {
            scope.tell(Event::DigitDuration { digit, duration });
        }
    }

    /// A key of the peer; true when it was told.
    fn on_key(
        &mut self,
        scope: &mut Scope<'_>,
        digit: char,
        duration: Option<Duration>,
        via: DigitVia,
        in_rtp: bool,
        media: Option<&LocalMedia>,
    ) -> bool {
        let now = scope.now;
        self.recent.retain(|(at, ..)| now.saturating_sub(*at) <= DOUBLE);
        let double = self.recent.iter().position(|(_, known, way)| *known == digit && *way != via);
        // rtpPayloadIndication: the media side has it from RTP, if we said that it takes telephone-events.
        let takes_events =
            media.is_some_and(|media| media.sessions.iter().any(|s| s.telephone_event.is_some()));
        if double.is_some() || in_rtp && takes_events {
            double.and_then(|at| self.recent.remove(at));
            scope.counters.keys_doubled = scope.counters.keys_doubled.saturating_add(1);
            return false;
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, digit, via));
        scope.notify(Notice::Digit { digit, duration, via });
        true
    }
}

fn milliseconds(duration: Duration) -> u16 {
    u16::try_from(duration.as_millis()).unwrap_or(u16::MAX).max(1)
}
