//! One call of a load: dialled, held, hung up, and what became of it.

use std::time::Duration;

use offhook::{
    Call, CallState, DisconnectCode, Embedded, Event, EventFilter, EventStream, MediaTypes, TapiError,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::plan::Planned;
use crate::cli::leg::{Course, Sound};
use crate::cli::report::CallReport;

/// A telephone that calls are spread over.
pub(super) struct Phone {
    pub(super) telephone: Embedded,
    /// How it sets calls up, and its codec.
    pub(super) name: String,
    pub(super) weight: u64,
}

/// What became of a call.
pub(super) struct Done {
    pub(super) planned: Planned,
    /// How it was set up.
    pub(super) way: String,
    /// Its report; none if it never was one.
    pub(super) report: Option<CallReport>,
    /// Why it failed; none if it was connected.
    pub(super) failure: Option<String>,
    /// From hanging up to the end.
    pub(super) release: Option<Duration>,
}

impl Done {
    pub(super) const CSV_HEAD: &str = "call,at_s,target,way,connected,ended,why,setup_ms,alerting_ms,\
        first_rtp_ms,first_sound_ms,release_ms,seconds,codec_sent,codec_received,sent,received,lost,late,\
        jitter_ms,playout_delay_ms,unconcealed_percent";

    pub(super) fn csv(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
        let report = self.report.as_ref();
        let of = |what: fn(&CallReport) -> Option<f64>| number(report.and_then(what));
        let count = |what: fn(&CallReport) -> String| report.map(what).unwrap_or_default();
        [
            self.planned.number.to_string(),
            format!("{:.3}", self.planned.after.as_secs_f64()),
            quoted(&self.planned.target),
            quoted(&self.way),
            u8::from(self.failure.is_none()).to_string(),
            quoted(&count(|r| r.ended.clone())),
            quoted(self.failure.as_deref().unwrap_or_default()),
            of(|r| r.setup_ms.connect),
            of(|r| r.setup_ms.alerting),
            of(|r| r.setup_ms.first_rtp_in),
            of(|r| r.setup_ms.first_sound_out),
            number(self.release.map(|release| release.as_secs_f64() * 1e3)),
            of(|r| Some(r.seconds)),
            quoted(&count(|r| r.codec_sent.clone().unwrap_or_default())),
            quoted(&count(|r| r.codec_received.clone().unwrap_or_default())),
            count(|r| r.sent.packets.to_string()),
            count(|r| r.received.packets.to_string()),
            count(|r| r.received.lost.to_string()),
            count(|r| r.received.late.to_string()),
            of(|r| Some(r.received.jitter_ms)),
            of(|r| Some(r.received.playout_delay_ms)),
            of(|r| Some(r.received.unconcealed_percent)),
        ]
        .join(",")
    }
}

/// A field of CSV (RFC 4180); the far end's words may have anything in them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Places a call and stays with it to its end.
pub(super) async fn place(
    phone: &Phone,
    planned: Planned,
    sound: &Sound,
    digits: Option<String>,
    timeout: Duration,
    mut stop: watch::Receiver<bool>,
) -> Done {
    let failed = |planned, why: String| Done {
        planned,
        way: phone.name.clone(),
        report: None,
        failure: Some(why),
        release: None,
    };
    let address = phone.telephone.address();
    let made = address.create_call(&planned.target, MediaTypes::AUDIO);
    let call = match made {
        Ok(call) => call,
        Err(why) => return failed(planned, why.to_string()),
    };
    let selected = sound.terminals(address).and_then(|terminals| terminals.select(&call).map(|()| terminals));
    let terminals = match selected {
        Ok(terminals) => terminals,
        Err(why) => return failed(planned, why.0),
    };
    let filter = EventFilter::CALL_STATE | EventFilter::CALL_MEDIA;
    let mut events = phone.telephone.tapi().events(filter.only(&call));
    let mut course = Course::default();
    let ended = follow(&call, &mut events, &mut course, digits, timeout, planned.hold, &mut stop).await;
    while let Some(event) = events.try_next() {
        course.note(&event);
    }
    let report = CallReport::of("caller", &call, &course, &terminals, None).await;
    call.release().await;
    let released = terminals.release();
    let failure = match &ended {
        _ if report.connected => released.err().map(|why| why.0),
        Ok(_) => Some(report.why.clone().map_or_else(
            || report.ended.clone(),
            |why| if why == report.ended { why } else { format!("{}: {why}", report.ended) },
        )),
        Err(why) => Some(why.to_string()),
    };
    Done { planned, way: phone.name.clone(), report: Some(report), failure, release: ended.ok().flatten() }
}

/// Dials, holds, hangs up. Answers how long hanging up took, if it was for us to do.
async fn follow(
    call: &Call,
    events: &mut EventStream,
    course: &mut Course,
    digits: Option<String>,
    timeout: Duration,
    hold: Duration,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Duration>, TapiError> {
    call.dial().await?;
    let mut until = Instant::now() + timeout;
    let mut is_connected = false;
    let mut dropped: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event.ok_or(TapiError::BrokerGone)?,
            () = tokio::time::sleep_until(until), if dropped.is_none() => {
                dropped = Some(Instant::now());
                let code = if is_connected { DisconnectCode::Normal } else { DisconnectCode::NoAnswer };
                call.disconnect(code).await?;
                continue;
            }
            changed = stop.changed(), if dropped.is_none() => {
                // Its sender lives as long as the load.
                if changed.is_ok() {
                    until = Instant::now();
                }
                continue;
            }
        };
        course.note(&event);
        match event {
            Event::CallState { state: CallState::Disconnected, .. } => {
                return Ok(dropped.map(|at| at.elapsed()));
            }
            Event::CallState { state: CallState::Connected, .. } if !is_connected => {
                is_connected = true;
                if dropped.is_none() {
                    until = Instant::now() + if *stop.borrow() { Duration::ZERO } else { hold };
                }
                if let Some(digits) = digits.clone() {
                    let call = call.clone();
                    tokio::spawn(async move {
                        if let Err(error) = call.generate_digits(&digits).await {
                            tracing::debug!(%error, "digits were not sent");
                        }
                    });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_field_with_a_comma_is_quoted() {
        assert_eq!(super::quoted("plain"), "plain");
        assert_eq!(super::quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
