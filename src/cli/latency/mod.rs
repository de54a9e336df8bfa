//! `offhook latency`: how long sound takes, by probes in calls.
//!
//! ```text
//! round trip: probe ─▶ our capture ─▶ call ─▶ an endpoint that echoes ─▶ call ─▶ our playback ─▶ found again
//! one way:    probe ─▶ one end's capture ─▶ call ─▶ the other end's playback          (both ends in this process)
//! ```
//! In: an endpoint that echoes, or none: then both ends are ours; codecs and packet lengths as a matrix. Out: a row of
//! figures a cell; the course of each set-up.
//! Probes begin at random phases of packets and periods, so that a mean is one over all of them. Instants are those of
//! CLOCK_MONOTONIC at the terminals: sound cards' own delays are not in them (`offhook devices --probe`).
//! Not here: sound cards (`offhook demo` and recordings measure with them), how a call is placed (`call.rs`).

mod args;
mod probe;
mod report;

use std::net::SocketAddr;
use std::time::Duration;

use offhook::{
    Address, Call, CodecKind, Direction, DisconnectCode, Embedded, Event, EventFilter, H323Config,
    MediaTypes, Privilege, Terminal, TerminalClass,
};

pub(crate) use args::LatencyArgs;

use self::probe::{Ear, Mouth, Probes};
use self::report::{LatencyReport, Row, Setup};
use super::call::Interrupt;
use super::leg::{self, Course};
use super::{Failure, Outcome, say};

/// How long a call may take to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much may wait between us and a terminal.
const ROOM_MS: u32 = 1_000;

pub(super) async fn run(args: LatencyArgs) -> Result<Outcome, Failure> {
    let mut interrupt = Interrupt::new();
    let mut rows = Vec::new();
    for (codec, packet_ms) in args.cells() {
        let measured = tokio::select! {
            measured = cell(&args, codec, packet_ms) => measured?,
            () = interrupt.wait() => return Ok(Outcome::Interrupted),
        };
        if !args.output.json {
            for row in &measured {
                say(format_args!("{}{row}\n", if rows.is_empty() { Row::HEAD } else { "" }))?;
                rows.push(row.clone());
            }
        } else {
            rows.extend(measured);
        }
    }
    let report = LatencyReport { target: args.target.clone(), seed: args.seed, rows };
    if args.output.json {
        say(format_args!("{}\n", serde_json::to_string(&report).map_err(Failure::new)?))?;
    } else {
        say(&report)?;
    }
    Ok(match report.rows.iter().map(Row::found).max() {
        None | Some(0) => Outcome::NoSound,
        Some(_) => Outcome::Done,
    })
}

/// One end of a call: what it says and hears.
struct End {
    says: Terminal,
    hears: Terminal,
}

impl End {
    fn on(call: &Call, address: &Address) -> Result<Self, Failure> {
        let make = |direction| {
            let class = TerminalClass::Pcm { sample_rate: None, capacity_ms: ROOM_MS };
            address.create_terminal(class, direction).map_err(Failure::new)
        };
        let end = Self { says: make(Direction::Capture)?, hears: make(Direction::Render)? };
        for stream in call.streams().map_err(Failure::new)? {
            let terminal = if stream.direction() == Direction::Capture { &end.says } else { &end.hears };
            stream.select_terminal(terminal).map_err(Failure::new)?;
        }
        Ok(end)
    }

    fn mouth(&self) -> Result<Mouth, Failure> {
        Ok(Mouth::new(self.says.pcm_writer().map_err(Failure::new)?))
    }

    fn ear(&self) -> Result<Ear, Failure> {
        Ok(Ear::new(self.hears.pcm_reader().map_err(Failure::new)?))
    }
}

/// Measures one codec with one packet length.
async fn cell(args: &LatencyArgs, codec: CodecKind, packet_ms: u16) -> Result<Vec<Row>, Failure> {
    let configure = |listen: SocketAddr| {
        let h323 = H323Config { listen, ..H323Config::default() };
        let (mut config, tapes) = leg::configure("offhook latency", &args.media, &args.signalling, h323)?;
        config.msp.codecs = vec![codec];
        config.msp.packet_ms = packet_ms;
        Ok::<_, Failure>((config, tapes))
    };
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let (config, tapes) = configure(anywhere)?;
    let phone = Embedded::start(config).await.map_err(Failure::new)?;
    let measured = match &args.target {
        Some(target) => round_trip(args, &phone, target).await,
        None => {
            let (config, _) = configure(anywhere)?;
            let other = Embedded::start(config).await.map_err(Failure::new)?;
            let measured = one_way(args, &phone, &other).await;
            other.shutdown().await;
            measured
        }
    };
    phone.shutdown().await;
    tapes.finish()?;
    Ok(measured?.into_iter().map(|row| row.of(codec, packet_ms)).collect())
}

/// Against an endpoint that echoes.
async fn round_trip(args: &LatencyArgs, phone: &Embedded, target: &str) -> Result<Vec<Row>, Failure> {
    let (call, end, setup) = placed(phone, target).await?;
    let probes = Probes::new(args);
    let (mouth, ear) = (end.mouth()?, end.ear()?);
    let found = probes.run(mouth, ear).await;
    let row = Row::new("round trip", &found, &call, &call, &setup);
    hang_up(call).await;
    Ok(vec![row])
}

/// Between two ends of ours.
async fn one_way(args: &LatencyArgs, near: &Embedded, far: &Embedded) -> Result<Vec<Row>, Failure> {
    let mut events = far.tapi().events(EventFilter::CALL_NOTIFICATION);
    far.address().open(Privilege::Owner, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    let at = far.listening().ok_or_else(|| Failure::new("the far end does not listen"))?.to_string();
    let answering = async {
        while let Some(event) = events.next().await {
            if let Event::CallNotification { call, .. } = event {
                let end = End::on(&call, far.address())?;
                call.answer().await.map_err(Failure::new)?;
                return Ok((call, end));
            }
        }
        Err(Failure::new("the far end has gone"))
    };
    let (placed, answered) = tokio::join!(placed(near, &at), tokio::time::timeout(PATIENCE, answering));
    let (call, end, setup) = placed?;
    let (far_call, far_end) = answered.map_err(|_| Failure::new("nobody called"))??;
    let probes = Probes::new(args);
    let (there, back) =
        tokio::join!(probes.run(end.mouth()?, far_end.ear()?), probes.run(far_end.mouth()?, end.ear()?));
    let rows = vec![
        Row::new("caller to called", &there, &call, &far_call, &setup),
        Row::new("called to caller", &back, &far_call, &call, &setup),
    ];
    hang_up(call).await;
    far_call.release().await;
    Ok(rows)
}

/// Places a call and waits until it is connected; the course of it.
async fn placed(phone: &Embedded, target: &str) -> Result<(Call, End, Setup), Failure> {
    let address = phone.address();
    address.open(Privilege::None, MediaTypes::AUDIO).await.map_err(Failure::new)?;
    let call = address.create_call(target, MediaTypes::AUDIO).map_err(Failure::new)?;
    let end = End::on(&call, address)?;
    let mut events = phone.tapi().events(EventFilter::ALL.only(&call));
    let mut course = Course::default();
    let connected = async {
        call.dial().await.map_err(Failure::new)?;
        while course.connect.is_none() {
            let event = events.next().await.ok_or_else(|| Failure::new("the broker is gone"))?;
            course.note(&event);
            if course.ended.is_some() {
                let why = course.state.map_or_else(String::new, super::report::describe);
                return Err(Failure(format!("{target}: the call did not come about: {why}")));
            }
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, connected)
        .await
        .map_err(|_| Failure(format!("{target}: no answer")))??;
    let setup = Setup::of(&course);
    Ok((call, end, setup))
}

async fn hang_up(call: Call) {
    if let Err(error) = call.disconnect(DisconnectCode::Normal).await {
        tracing::info!(%error, "hanging up");
    }
    call.release().await;
}
