//! `offhook devices`: what it lists, and that nothing else is said.

mod common;

use common::{Tested, offhook};
use serde_json::Value;

/// Cards of alsa-lib's that cannot be opened, each with something to say about it, and one that can.
const ASOUNDRC: &str = "pcm.broken { type no_such_plug_in hint { show on description \"broken\" } }
pcm.jackless { type jack hint { show on description \"a JACK server that is not there\" } }
pcm.quiet { type null hint { show on description \"quiet card\" } }
";

#[test]
fn devices_are_listed_and_the_libraries_below_say_nothing() -> Tested {
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join(".asoundrc"), ASOUNDRC)?;
    let run = |arguments: &[&str]| {
        offhook()
            .args(arguments)
            .env("HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .env("PULSE_SERVER", "unix:/nonexistent")
            .env_remove("RUST_LOG")
            .output()
    };
    let listed = run(&["devices", "--json"])?;
    assert!(listed.status.success());
    assert_eq!(String::from_utf8_lossy(&listed.stderr), "");
    let all: Value = serde_json::from_slice(&listed.stdout)?;
    let devices = all["devices"].as_array().ok_or("no list")?;
    let quiet = devices.iter().find(|device| device["id"] == "quiet").ok_or("the card is not listed")?;
    assert_eq!((&quiet["capture"], &quiet["playback"]), (&Value::Bool(true), &Value::Bool(true)));
    assert!(devices.iter().all(|device| device["id"] != "broken"));
    assert!(all["hosts"].as_array().is_some_and(|hosts| hosts.contains(&all["host"])));

    let text = run(&["devices"])?;
    assert!(String::from_utf8_lossy(&text.stdout).contains("quiet card"));
    assert_eq!(String::from_utf8_lossy(&text.stderr), "");

    let unknown = run(&["devices", "--sound-host", "gramophone"])?;
    assert_eq!(unknown.status.code(), Some(1));
    let why = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(why.starts_with("offhook: no sound host \"gramophone\": there are: "), "{why}");
    assert_eq!(why.lines().count(), 1, "{why}");
    Ok(())
}
