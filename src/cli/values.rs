//! Values on the command line: text to types, with what can be in the error.
//!
//! Not here: which option takes which (`args.rs` and the commands' own).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use offhook::{CodecPreference, ConferenceGoal, DigitsVia, FastConnectAnswer, Latch, Timers};

/// As [`MspConfig::media_timeout_ms`](offhook::MspConfig) can be.
pub(super) fn media_timeout(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if value == 0.0 || (0.1..=3_600.0).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err("0.1 to 3600 seconds, or 0 for never".to_owned())
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.0..=864_000.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("between 0 and 864000 seconds".to_owned())
    }
}

pub(super) fn period(text: &str) -> Result<Duration, String> {
    let ms: f64 = text.parse().map_err(|_| "not a number of milliseconds".to_owned())?;
    if (0.5..=100.0).contains(&ms) {
        Ok(Duration::from_secs_f64(ms / 1e3))
    } else {
        Err("between 0.5 and 100 milliseconds".to_owned())
    }
}

pub(super) fn digits(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_digit() || "*#!ABCD".contains(c);
    if (1..=128).contains(&text.len()) && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err("1 to 128 of 0-9 * # A-D !".to_owned())
    }
}

pub(super) fn digits_via(text: &str) -> Result<DigitsVia, String> {
    Ok(match text {
        "auto" => DigitsVia::Auto,
        "rfc4733" | "rfc2833" => DigitsVia::TelephoneEvent,
        "signal" => DigitsVia::Signal,
        "alphanumeric" => DigitsVia::Alphanumeric,
        "keypad" => DigitsVia::Keypad,
        "inband" => DigitsVia::InBand,
        _ => return Err("known ways: auto, rfc4733, signal, alphanumeric, keypad, inband".to_owned()),
    })
}

pub(super) fn fast_start_answer(text: &str) -> Result<FastConnectAnswer, String> {
    Ok(match text {
        "proceeding" => FastConnectAnswer::CallProceeding,
        "facility" => FastConnectAnswer::Facility,
        "progress" => FastConnectAnswer::Progress,
        "alerting" => FastConnectAnswer::Alerting,
        "connect" => FastConnectAnswer::Connect,
        _ => return Err("proceeding, facility, progress, alerting or connect".to_owned()),
    })
}

pub(super) fn prefer(text: &str) -> Result<CodecPreference, String> {
    match text {
        "ours" => Ok(CodecPreference::Local),
        "theirs" => Ok(CodecPreference::Remote),
        "lowest-rate" => Ok(CodecPreference::LowestRate),
        _ => Err("ours, theirs or lowest-rate".to_owned()),
    }
}

/// A timer by name; `None` switches it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerSetting {
    name: &'static str,
    lasts: Option<Duration>,
}

impl TimerSetting {
    pub(crate) fn apply(self, timers: &mut Timers) {
        // Its name and value were checked when it was read.
        let _ = timers.set(self.name, self.lasts);
    }
}

pub(super) fn timer(text: &str) -> Result<TimerSetting, String> {
    let known = || format!("NAME=SECONDS with one of {}", Timers::NAMES.join(", "));
    let (name, value) = text.split_once('=').ok_or_else(known)?;
    let name = Timers::NAMES.into_iter().find(|known| *known == name).ok_or_else(known)?;
    let lasts = match value {
        "off" => None,
        value => Some(seconds(value)?),
    };
    Timers::default().set(name, lasts).map_err(|error| error.to_string())?;
    Ok(TimerSetting { name, lasts })
}

pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 53));
    }
    text.parse().map_err(|_| "an IP address, or IP:port".to_owned())
}

/// Whether digits are taken as telephone-events, and under which payload type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TelephoneEvents(pub(crate) Option<u8>);

pub(super) fn telephone_event(text: &str) -> Result<TelephoneEvents, String> {
    match text.parse() {
        Ok(payload_type @ 96..=127) => Ok(TelephoneEvents(Some(payload_type))),
        _ if text == "off" => Ok(TelephoneEvents(None)),
        _ => Err("96 to 127, or off".to_owned()),
    }
}

pub(super) fn conference(text: &str) -> Result<[u8; 16], String> {
    let mut id = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return Err("32 hexadecimal digits".to_owned());
    }
    for (octet, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *octet = u8::from_str_radix(pair, 16).map_err(|_| "32 hexadecimal digits".to_owned())?;
    }
    Ok(id)
}

pub(super) fn goal(text: &str) -> Result<ConferenceGoal, String> {
    match text {
        "create" => Ok(ConferenceGoal::Create),
        "join" => Ok(ConferenceGoal::Join),
        "invite" => Ok(ConferenceGoal::Invite),
        _ => Err("create, join or invite".to_owned()),
    }
}

pub(super) fn tone(text: &str) -> Result<f32, String> {
    let hz: f32 = text.parse().map_err(|_| "not a number of Hz".to_owned())?;
    if (20.0..=3_400.0).contains(&hz) { Ok(hz) } else { Err("between 20 and 3400 Hz".to_owned()) }
}

/// Whole milliseconds; 3 stand for 2.5.
pub(super) fn packet_ms(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(ms @ 3..=120) => Ok(ms),
        _ if text == "2.5" => Ok(3),
        _ => Err("2.5, or whole milliseconds from 3 to 120".to_owned()),
    }
}

pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

pub(super) fn latch(text: &str) -> Result<Latch, String> {
    match text {
        "negotiated" => Ok(Latch::Negotiated),
        "any" => Ok(Latch::Any),
        _ => Err("negotiated or any".to_owned()),
    }
}

pub(super) fn port_range(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match parsed {
        Some((low, high)) if 0 < low && low < high => Ok((low, high)),
        _ => Err("LOW-HIGH with 0 < LOW < HIGH".to_owned()),
    }
}

pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 1720));
    }
    text.parse().map_err(|_| "an IP address, or IP:port".to_owned())
}
