//! What is said of a call when it is over, for people and for programs.
//!
//! In: a call's course, statistics and terminals. Out: [`CallReport`], as text or JSON.

use std::fmt;
use std::path::{Path, PathBuf};

use offhook::{
    Call, CardStatus, ConnectedMode, Direction, LineCallState, StreamStatistics, Terminal, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Outcome;
use super::leg::{Course, Terminals};

/// A call, when it is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CallReport {
    /// "caller" or "callee".
    pub(crate) role: String,
    /// The far end's name or address.
    pub(crate) peer: String,
    /// The far end's product, if it said one.
    pub(crate) product: Option<String>,
    /// Whether the call was connected.
    pub(crate) connected: bool,
    /// How it ended: "idle" (we hung up), "disconnected(busy)" …
    pub(crate) ended: String,
    /// The provider's words for why.
    pub(crate) why: Option<String>,
    /// Our own media side had nothing for the call.
    #[serde(default)]
    pub(crate) no_media: bool,
    /// Whether fast connect was used.
    pub(crate) fast_start: bool,
    /// Whether H.245 went through the signalling connection.
    pub(crate) tunnelled: bool,
    /// Milliseconds since Setup left or arrived.
    pub(crate) setup_ms: SetupTimes,
    /// Seconds from Connect to the end.
    pub(crate) seconds: f64,
    /// For how many seconds we had the far end on hold.
    #[serde(default)]
    pub(crate) on_hold_seconds: f64,
    /// For how many seconds the far end had us on hold, while we did not have it.
    #[serde(default)]
    pub(crate) held_seconds: f64,
    /// The codec sent.
    pub(crate) codec_sent: Option<String>,
    /// The codec received.
    pub(crate) codec_received: Option<String>,
    /// What was sent.
    pub(crate) sent: Sent,
    /// What was received.
    pub(crate) received: Received,
    /// RTCP's round trip in milliseconds.
    pub(crate) round_trip_ms: Option<f64>,
    /// The sound card spoken into.
    #[serde(default)]
    pub(crate) microphone: Option<CardStatus>,
    /// The sound card listened on.
    #[serde(default)]
    pub(crate) speaker: Option<CardStatus>,
    /// The file that was played.
    pub(crate) played: Option<FileReport>,
    /// The file that was recorded.
    pub(crate) recorded: Option<FileReport>,
    /// The packet capture.
    pub(crate) capture: Option<PathBuf>,
    /// Digits that came.
    pub(crate) digits: String,
    /// Digits that were sent to the end.
    #[serde(default)]
    pub(crate) digits_sent: Option<String>,
    /// The application that it was handed to; its report says how the call went on.
    #[serde(default)]
    pub(crate) handed_to: Option<String>,
    /// What failed on the way.
    pub(crate) troubles: Vec<String>,
    /// What happened to streams and terminals, in order.
    #[serde(default)]
    pub(crate) media_events: Vec<MediaReport>,
}

/// Something that happened to a stream or terminal, in TAPI's words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MediaReport {
    /// Milliseconds since Setup.
    pub(crate) ms: Option<f64>,
    /// Alias `MSP_CALL_EVENT`: "StreamActive", "TerminalFail" …
    pub(crate) event: String,
    /// Alias `MSP_CALL_EVENT_CAUSE`: "RemoteRequest", "MediaTimeout" …
    pub(crate) cause: String,
    /// "capture" or "render", if it was a stream's.
    pub(crate) stream: Option<String>,
}

/// Milliseconds since Setup.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SetupTimes {
    /// To CallProceeding.
    pub(crate) proceeding: Option<f64>,
    /// To Alerting.
    pub(crate) alerting: Option<f64>,
    /// To Connect.
    pub(crate) connect: Option<f64>,
    /// To the first RTP packet in.
    pub(crate) first_rtp_in: Option<f64>,
    /// To the first decoded sound out.
    pub(crate) first_sound_out: Option<f64>,
}

/// The sending half.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// RTP packets.
    pub(crate) packets: u64,
    /// RTP payload octets.
    pub(crate) octets: u64,
    /// Packets that the socket would not take.
    pub(crate) dropped: u64,
    /// RTCP packets.
    pub(crate) rtcp: u64,
    /// The far end's view of our packets: lost, 0 to 1.
    pub(crate) remote_loss: Option<f64>,
    /// The far end's R factor for us (RFC 3611), 0 to 100.
    pub(crate) remote_r_factor: Option<u8>,
    /// The far end's mean opinion score of listening to us, 1 to 5.
    pub(crate) remote_mos: Option<f64>,
}

/// The receiving half.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    /// RTP packets.
    pub(crate) packets: u64,
    /// RTP payload octets.
    pub(crate) octets: u64,
    /// Lost (RFC 3550 A.3).
    pub(crate) lost: i64,
    /// Lost, and made good from what later packets hold of them.
    #[serde(default)]
    pub(crate) recovered: u64,
    /// Too late to be played.
    pub(crate) late: u64,
    /// Twice.
    pub(crate) duplicate: u64,
    /// Refused: strangers, malformed, wrong payload type.
    pub(crate) refused: u64,
    /// Interarrival jitter (RFC 3550 A.8) in milliseconds.
    pub(crate) jitter_ms: f64,
    /// Playout delay at the end, in milliseconds.
    pub(crate) playout_delay_ms: f64,
    /// Of all samples played since sound began, the share that came out of a packet, in per cent.
    pub(crate) unconcealed_percent: f64,
    /// RTCP packets.
    pub(crate) rtcp: u64,
}

/// A file at one end of the call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileReport {
    /// Which.
    pub(crate) path: PathBuf,
    /// CLOCK_MONOTONIC nanoseconds of its sample 0.
    pub(crate) first_sample_ns: Option<u64>,
    /// Samples played or recorded.
    pub(crate) samples: u64,
    /// Hz.
    pub(crate) sample_rate: u32,
}

impl CallReport {
    /// Reads everything that is to be said of a call; its terminals must not be released yet.
    pub(super) async fn of(
        role: &str,
        call: &Call,
        course: &Course,
        terminals: &Terminals,
        capture: Option<&Path>,
    ) -> Self {
        let info = call.info().await.ok();
        let id = |key: &str| {
            let found = info.as_ref()?.provider_ids.iter().find(|(k, _)| k == key)?;
            Some(found.1.clone())
        };
        let (sent, received) = statistics(call);
        let since = |at: Option<Timestamp>| {
            at.zip(course.setup).map(|(at, setup)| at.since(setup).as_secs_f64() * 1e3)
        };
        let peer = info.as_ref().map(|i| match role {
            "caller" => i.called.address.clone(),
            _ => i.caller.address.clone(),
        });
        let played_samples = received.samples + received.concealed_samples + received.muted_samples;
        let ended = course.ended.unwrap_or_else(Timestamp::now);
        Self {
            role: role.to_owned(),
            peer: peer.unwrap_or_default(),
            product: id("product"),
            connected: course.connect.is_some(),
            ended: course.state.map_or_else(|| "never was".to_owned(), describe),
            why: id("media").or_else(|| id("release")),
            no_media: id("media").is_some(),
            fast_start: id("fastStart").as_deref() == Some("accepted"),
            tunnelled: id("h245Tunnelling").as_deref() == Some("yes"),
            setup_ms: SetupTimes {
                proceeding: since(course.proceeding),
                alerting: since(course.alerting),
                connect: since(course.connect),
                first_rtp_in: since(received.first_packet_at),
                first_sound_out: since(received.first_sound_at),
            },
            seconds: course.connect.map_or(0.0, |connect| ended.since(connect).as_secs_f64()),
            on_hold_seconds: course.on_hold.unwrap_or_default().as_secs_f64(),
            held_seconds: course.held.unwrap_or_default().as_secs_f64(),
            codec_sent: sent.codec,
            codec_received: received.codec,
            sent: Sent {
                packets: sent.packets,
                octets: sent.octets,
                dropped: sent.dropped,
                rtcp: sent.rtcp_sent,
                remote_loss: sent.remote_loss,
                remote_r_factor: sent.remote_metrics.and_then(|metrics| metrics.r_factor),
                remote_mos: sent.remote_metrics.and_then(|metrics| metrics.mos_lq),
            },
            received: Received {
                packets: received.packets,
                octets: received.octets,
                lost: received.lost,
                recovered: received.recovered,
                late: received.late,
                duplicate: received.duplicate,
                refused: received.dropped,
                jitter_ms: received.jitter_ms,
                playout_delay_ms: received.playout_delay_ms,
                unconcealed_percent: match played_samples {
                    0 => 0.0,
                    all => 100.0 * received.samples as f64 / all as f64,
                },
                rtcp: received.rtcp_received,
            },
            round_trip_ms: sent.round_trip_ms.or(received.round_trip_ms),
            microphone: terminals.card(Direction::Capture),
            speaker: terminals.card(Direction::Render),
            played: terminals.play().and_then(|(path, t)| FileReport::of(path, t)),
            recorded: terminals.record().and_then(|(path, t)| FileReport::of(path, t)),
            capture: capture.map(Path::to_owned),
            digits: course.digits.clone(),
            digits_sent: course.digits_sent.clone(),
            handed_to: course.handed_to.clone(),
            troubles: course.troubles.clone(),
            media_events: course
                .media
                .iter()
                .map(|told| MediaReport {
                    ms: since(Some(told.at)),
                    event: format!("{:?}", told.event),
                    cause: format!("{:?}", told.cause),
                    stream: told.direction.map(|way| format!("{way:?}").to_lowercase()),
                })
                .collect(),
        }
    }

    /// What the exit status says of it.
    pub(super) fn outcome(&self) -> Outcome {
        match (self.connected, self.received.packets) {
            (false, _) => Outcome::NoCall,
            (true, 0) => Outcome::NoSound,
            (true, _) => Outcome::Done,
        }
    }
}

/// The statistics of the sending and of the receiving stream.
pub(super) fn statistics(call: &Call) -> (StreamStatistics, StreamStatistics) {
    let of = |direction| {
        let streams = call.streams().unwrap_or_default();
        let stream = streams.into_iter().find(|s| s.direction() == direction);
        stream.and_then(|s| s.statistics().ok()).unwrap_or_default()
    };
    (of(Direction::Capture), of(Direction::Render))
}

impl FileReport {
    fn of(path: &Path, terminal: &Terminal) -> Option<Self> {
        let status = terminal.status().ok()?;
        Some(Self {
            path: path.to_owned(),
            first_sample_ns: status.first_sample_at.map(|t| t.0),
            samples: status.samples,
            sample_rate: status.sample_rate,
        })
    }
}

/// A state in lower case, for people: "disconnected (busy)".
pub(super) fn describe(state: LineCallState) -> String {
    match state {
        LineCallState::Connected(ConnectedMode::Active) => "connected".to_owned(),
        LineCallState::Connected(ConnectedMode::ActiveHeld) => "held by the far end".to_owned(),
        LineCallState::OnHold => "on hold".to_owned(),
        LineCallState::Disconnected(mode) => format!("disconnected ({})", format!("{mode:?}").to_lowercase()),
        LineCallState::Ringback => "ringing".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// A sound card for people: "desk: 48000 Hz, 2 × f32, period 10.0 ms, latency 12.5 ms, xruns 0".
pub(super) fn describe_card(card: &CardStatus) -> String {
    let latency = card.latency_ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms:.1} ms"));
    let drift =
        if card.drift_ppm == 0.0 { String::new() } else { format!(", drift {:+.0} ppm", card.drift_ppm) };
    let asked = if card.openings > 1 {
        format!(" (asked for {:.1})", card.requested_period_ms)
    } else {
        String::new()
    };
    format!(
        "{}: {} Hz, {} × {}, period {:.1} ms{asked}, latency {latency}{drift}, xruns {}",
        card.device, card.sample_rate, card.channels, card.format, card.period_ms, card.xruns
    )
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |t: Option<f64>| t.map_or_else(|| "–".to_owned(), |t| format!("{t:.1}"));
        let product = self.product.as_deref().map_or_else(String::new, |p| format!(" ({p})"));
        writeln!(f, "{} with {}{product}: {}", self.role, self.peer, self.ended)?;
        if let Some(why) = &self.why {
            writeln!(f, "  why              {why}")?;
        }
        if self.connected {
            let start = if self.fast_start { "fast start" } else { "slow start" };
            let control = if self.tunnelled { "tunnelled H.245" } else { "separate H.245" };
            let t = &self.setup_ms;
            writeln!(f, "  start            {start}, {control}")?;
            writeln!(
                f,
                "  set-up (ms)      Setup → Alerting {} → Connect {} → first RTP in {} → first sound out {}",
                ms(t.alerting),
                ms(t.connect),
                ms(t.first_rtp_in),
                ms(t.first_sound_out)
            )?;
            let codec = |c: &Option<String>| c.clone().unwrap_or_else(|| "none".to_owned());
            writeln!(
                f,
                "  codec            sent {}, received {}, {:.1} s",
                codec(&self.codec_sent),
                codec(&self.codec_received),
                self.seconds
            )?;
            if self.on_hold_seconds + self.held_seconds > 0.0 {
                let (ours, theirs) = (self.on_hold_seconds, self.held_seconds);
                writeln!(f, "  on hold          {ours:.1} s, by the far end {theirs:.1} s")?;
            }
            let (s, r) = (&self.sent, &self.received);
            writeln!(
                f,
                "  packets          sent {}, received {}, lost {}, late {}, duplicate {}, refused {}",
                s.packets, r.packets, r.lost, r.late, r.duplicate, r.refused
            )?;
            writeln!(
                f,
                "  sound            jitter {:.2} ms, playout delay {:.1} ms, unconcealed {:.2} %",
                r.jitter_ms, r.playout_delay_ms, r.unconcealed_percent
            )?;
            writeln!(
                f,
                "  RTCP             sent {}, received {}, round trip {} ms",
                s.rtcp,
                r.rtcp,
                ms(self.round_trip_ms)
            )?;
        }
        for (name, card) in [("microphone", &self.microphone), ("speaker", &self.speaker)] {
            if let Some(card) = card {
                writeln!(f, "  {name:<16} {}", describe_card(card))?;
            }
        }
        for (name, file) in [("played", &self.played), ("recorded", &self.recorded)] {
            if let Some(file) = file {
                let seconds = file.samples as f64 / f64::from(file.sample_rate.max(1));
                writeln!(f, "  {name:<16} {} ({seconds:.1} s)", file.path.display())?;
            }
        }
        if let Some(path) = &self.capture {
            writeln!(f, "  capture          {}", path.display())?;
        }
        if let Some(digits) = &self.digits_sent {
            writeln!(f, "  digits sent      {digits}")?;
        }
        if !self.digits.is_empty() {
            writeln!(f, "  digits           {}", self.digits)?;
        }
        if let Some(to) = &self.handed_to {
            writeln!(f, "  handed to        {}", super::harmless(to))?;
        }
        for trouble in &self.troubles {
            writeln!(f, "  trouble          {trouble}")?;
        }
        Ok(())
    }
}
