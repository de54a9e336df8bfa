//! `offhook devices`: what sound cards there are, and on request what each gives when it is opened.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use offhook::device::{
    DeviceError, DeviceInfo, Selector, Sound, SoundStream, StreamRequest, StreamStatusSnapshot,
};
use serde_json::{Value, json};

use super::args::DevicesArgs;
use super::{Failure, Outcome, say};

/// The rate that calls have today.
const RATE: u32 = 8_000;

/// Marks the process that looks at the devices for another.
const LOOKER: &str = "OFFHOOK_DEVICES_LOOKER";

/// Libraries behind a sound host write to standard error whatever they find wrong with devices that nobody has asked
/// for (alsa-lib's own words are kept away by `offhook-device`; those of its plug-ins, libjack for one, cannot be). So
/// another process looks, and of what it writes there only our own words are passed on; unless a log is wanted.
pub(super) fn run(args: &DevicesArgs) -> Result<Outcome, Failure> {
    let wants_all = tracing::enabled!(tracing::Level::INFO) || std::env::var_os(LOOKER).is_some();
    if wants_all {
        return look(args);
    }
    let looker = std::env::current_exe().and_then(|own| {
        let mut command = Command::new(own);
        command.args(std::env::args_os().skip(1)).env(LOOKER, "1").stderr(Stdio::piped());
        command.spawn()?.wait_with_output()
    });
    let output = match looker {
        Ok(output) => output,
        Err(error) => {
            tracing::warn!(%error, "no other process to look at the sound devices");
            return look(args);
        }
    };
    if output.status.success() {
        return Ok(Outcome::Done);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let why = words.lines().rev().find_map(|line| line.strip_prefix("offhook: "));
    Err(Failure(
        why.map_or_else(|| format!("looking at the sound devices: {}", output.status), str::to_owned),
    ))
}

fn look(args: &DevicesArgs) -> Result<Outcome, Failure> {
    let sound =
        args.sound_host.as_deref().map_or_else(|| Ok(Sound::new()), Sound::on).map_err(Failure::new)?;
    let devices = sound.devices().map_err(Failure::new)?;
    let probe = |info: &DeviceInfo| args.probe.map(|length| probe(&sound, info, length, args.period));
    if args.json {
        let list: Vec<_> = devices.iter().map(|info| describe(info, probe(info))).collect();
        let all = json!({ "host": sound.host_name(), "hosts": Sound::hosts(), "devices": list });
        say(format_args!("{all}\n"))?;
        return Ok(Outcome::Done);
    }
    say(format_args!("sound host: {} (of {})\n", sound.host_name(), Sound::hosts().join(", ")))?;
    if devices.is_empty() {
        say(
            "no sound devices. Calls work without: --play and --record use WAV files, --tone and --null need nothing, \
             `offhook answer --echo` says back what it hears.\n",
        )?;
    }
    for d in &devices {
        let way = match (d.capture, d.playback) {
            (true, true) => "capture+playback",
            (true, false) => "capture",
            _ => "playback",
        };
        let rates = d.sample_rates.map_or_else(String::new, |(low, high)| format!("{low}–{high} Hz"));
        let default = if d.default { "  (default)" } else { "" };
        say(format_args!("  {:<40} {way:<16} {rates}, {} channels{default}\n", d.name, d.channels))?;
        for (way, opened) in probe(d).into_iter().flatten() {
            match opened {
                Ok(status) => say(format_args!("      {way}: {}\n", words(&status)))?,
                Err(why) => say(format_args!("      {way}: {why}\n"))?,
            }
        }
    }
    Ok(Outcome::Done)
}

type Probed = Vec<(&'static str, Result<StreamStatusSnapshot, DeviceError>)>;

/// Opens a device in each direction, one after the other, and looks how it runs. It plays silence.
fn probe(sound: &Sound, info: &DeviceInfo, length: Duration, period: Duration) -> Probed {
    let request = StreamRequest { period_us: period.as_micros() as u32, ..StreamRequest::new(RATE) };
    let selector = Selector::Named(info.id.clone().unwrap_or_else(|| info.name.clone()));
    let run = |stream: SoundStream| {
        let end = Instant::now() + length;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100).min(length));
            sound.tend();
        }
        stream.status()
    };
    let mut probed = Vec::new();
    if info.capture {
        probed.push(("capture", sound.capture(&selector, request, |_, _| ()).map(run)));
    }
    if info.playback {
        let silence = |_, block: &mut [i16]| block.fill(0);
        probed.push(("playback", sound.playback(&selector, request, silence).map(run)));
    }
    probed
}

fn describe(d: &DeviceInfo, probed: Option<Probed>) -> Value {
    let mut value = json!({
        "name": d.name, "id": d.id, "capture": d.capture, "playback": d.playback, "default": d.default,
        "sample_rates": d.sample_rates.map(|(low, high)| [low, high]), "channels": d.channels,
        "period_frames": d.periods.map(|(low, high)| [low, high]),
    });
    for (way, opened) in probed.into_iter().flatten() {
        value["probe"][way] = match opened {
            Ok(s) => json!({
                "rate": s.rate, "channels": s.channels, "format": s.format,
                "requested_period_ms": ms(s.requested_period_us), "period_ms": ms(s.period_us),
                "buffer_ms": s.buffer_us.map(ms), "latency_ms": s.latency_us.map(ms), "drift_ppm": s.drift_ppm,
                "callbacks": s.callbacks, "frames": s.frames, "xruns": s.xruns, "lost_frames": s.lost_frames, "openings": s.openings,
                "failed": s.failed,
            }),
            Err(why) => json!({ "failed": why.to_string() }),
        };
    }
    value
}

fn words(s: &StreamStatusSnapshot) -> String {
    if let Some(why) = &s.failed {
        return why.clone();
    }
    if s.callbacks == 0 {
        return "it does not run".to_owned();
    }
    let latency = s.latency_us.map_or_else(|| "unknown".to_owned(), |us| format!("{:.1} ms", ms(us)));
    format!(
        "{} Hz, {} × {}, asked for {:.1} ms, period {:.1} ms, latency {latency}, xruns {}",
        s.rate,
        s.channels,
        s.format,
        ms(s.requested_period_us),
        ms(s.period_us),
        s.xruns
    )
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1e3
}
