//! `offhook devices`: what sound cards there are.

use offhook::device::Sound;
use serde_json::json;

use super::args::DevicesArgs;
use super::{Failure, Outcome, say};

pub(super) fn run(args: &DevicesArgs) -> Result<Outcome, Failure> {
    let sound = Sound::new();
    let devices = sound.devices().map_err(Failure::new)?;
    if args.json {
        let list: Vec<_> = devices
            .iter()
            .map(|d| {
                json!({
                    "name": d.name, "id": d.id, "capture": d.capture, "playback": d.playback, "default": d.default,
                    "sample_rates": d.sample_rates.map(|(low, high)| [low, high]), "channels": d.channels,
                })
            })
            .collect();
        say(format_args!("{}\n", json!({ "host": sound.host_name(), "devices": list })))?;
        return Ok(Outcome::Done);
    }
    say(format_args!("sound host: {}\n", sound.host_name()))?;
    if devices.is_empty() {
        say(
            "no sound devices. Calls work without: --play and --record use WAV files, --tone and --null need nothing, \
             `offhook answer --echo` says back what it hears.\n",
        )?;
    }
    for d in devices {
        let way = match (d.capture, d.playback) {
            (true, true) => "capture+playback",
            (true, false) => "capture",
            _ => "playback",
        };
        let rates = d.sample_rates.map_or_else(String::new, |(low, high)| format!("{low}–{high} Hz"));
        let default = if d.default { "  (default)" } else { "" };
        say(format_args!("  {:<40} {way:<16} {rates}, {} channels{default}\n", d.name, d.channels))?;
    }
    Ok(Outcome::Done)
}
