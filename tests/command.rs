//! The command as a user finds it: a call that can be heard, several at once, help, completions, man pages.

mod common;

use std::time::Duration;

use common::{ALICE, BOB, Tested, answering, errors, offhook, run, samples};
use serde_json::Value;

#[test]
fn the_demo_makes_a_call_whose_sound_arrives_both_ways() -> Tested {
    let dir = tempfile::tempdir()?;
    let demo = run(offhook().args(["demo", "--json", "--duration", "6", "--out"]).arg(dir.path()))?;
    assert_eq!(demo.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&demo.stdout), errors(&demo));
    let report: Value = serde_json::from_slice(&demo.stdout)?;
    for way in ["caller_to_callee", "callee_to_caller"] {
        let delay = report[way]["mouth_to_ear_ms"].as_f64().ok_or("no delay")?;
        assert!(delay > 19.0, "{way}: a packet holds 20 ms of sound before it leaves, yet {delay} ms");
    }
    for end in ["caller", "callee"] {
        let end = &report[end];
        let times = &end["setup_ms"];
        for time in ["alerting", "connect", "first_rtp_in", "first_sound_out"] {
            assert!(times[time].as_f64() >= Some(0.0), "{time} in {end:#}");
        }
        assert!(end["received"]["packets"].as_u64() > Some(200), "{end:#}");
        assert_eq!(end["received"]["refused"], 0, "{end:#}");
        assert!(end["received"]["rtcp"].as_u64() > Some(0), "{end:#}");
        assert_eq!(end["codec_received"], "PCMA");
    }
    let written: Value = serde_json::from_slice(&std::fs::read(dir.path().join("report.json"))?)?;
    assert_eq!(written["caller"]["connected"], true);
    assert!(std::fs::metadata(dir.path().join("call.pcap"))?.len() > 50_000);
    assert!(samples(&dir.path().join("heard-by-alice.wav"))?.len() > 8_000 * 4);
    Ok(())
}

#[test]
fn three_calls_at_once_are_answered_and_recorded_apart() -> Tested {
    let dir = tempfile::tempdir()?;
    let (mut answer, at) =
        answering(&["--play", BOB, "--calls", "3", "--record", dir.path().to_str().ok_or("path")?])?;
    let callers: Vec<_> = [300, 700, 1_500]
        .into_iter()
        .map(|hz| {
            let at = at.clone();
            std::thread::spawn(move || {
                run(offhook().args([
                    "call",
                    &at,
                    "--tone",
                    &hz.to_string(),
                    "--null",
                    "--duration",
                    "2",
                    "--quiet",
                ]))
                .map(|output| output.status.code())
                .map_err(|e| e.to_string())
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().map_err(|_| "caller")??, Some(0));
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        let report = answer.json()?;
        let path = report["recorded"]["path"].as_str().ok_or("no recording")?;
        let recording = samples(path.as_ref())?;
        let middle = &recording[4_000..12_000];
        let crossings = middle.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        heard.push((crossings as f64 / 100.0).round() as u32 * 100);
    }
    heard.sort_unstable();
    assert_eq!(heard, [300, 700, 1_500], "each recording holds its own caller");
    assert_eq!(answer.end(Duration::from_secs(5))?.1, Some(0));
    Ok(())
}

#[test]
fn three_callers_in_a_conference_hear_the_others_and_not_themselves() -> Tested {
    let dir = tempfile::tempdir()?;
    let (mut answer, at) = answering(&["--conference", "--calls", "3"])?;
    let tones = [500u32, 900, 1_500];
    let path = |hz: u32| dir.path().join(format!("{hz}.wav"));
    let callers: Vec<_> = tones
        .into_iter()
        .map(|hz| {
            let (at, path) = (at.clone(), path(hz));
            std::thread::spawn(move || {
                let mut command = offhook();
                command.args(["call", &at, "--duration", "5", "--quiet", "--tone", &hz.to_string()]);
                command.arg("--record").arg(path);
                run(&mut command).map(|output| output.status.code()).map_err(|e| e.to_string())
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().map_err(|_| "caller")??, Some(0));
    }
    for own in tones {
        let heard = samples(&path(own))?;
        for hz in tones {
            // Pieces of 50 ms: most of the time all three are there.
            let mut pieces: Vec<_> = heard.chunks_exact(400).map(|piece| strength(piece, hz)).collect();
            pieces.sort_by(f64::total_cmp);
            let (usual, nearly_always) = (pieces[pieces.len() / 2], pieces[pieces.len() * 9 / 10]);
            if hz == own {
                assert!(nearly_always < 0.01, "{own} hears itself: {nearly_always}");
            } else {
                assert!((0.2..0.5).contains(&usual), "{own} hears {hz} at {usual}");
            }
        }
    }
    assert_eq!(answer.end(Duration::from_secs(5))?.1, Some(0));
    Ok(())
}

#[test]
fn a_far_end_that_stops_sending_is_told_of_and_so_is_its_return() -> Tested {
    // The far end's process stands still for a while: its connections stay, its packets do not come.
    let (mut answer, at) = answering(&["--echo", "--calls", "1"])?;
    let pid = answer.id().to_string();
    let args =
        ["call", &at, "--tone", "440", "--null", "--duration", "4", "--media-timeout", "0.5", "--json"];
    let mut call = common::Process::start(offhook().args(args))?;
    std::thread::sleep(Duration::from_millis(1_200));
    let signal = |name: &str| std::process::Command::new("kill").args([name, &pid]).status();
    assert!(signal("-STOP")?.success());
    std::thread::sleep(Duration::from_millis(1_300));
    assert!(signal("-CONT")?.success());
    let (said, status) = call.end(Duration::from_secs(20))?;
    let report: Value = serde_json::from_str(&said)?;
    assert_eq!(status, Some(0), "{report:#}");
    let events = report["media_events"].as_array().ok_or("no events")?;
    let has = |event: &str, cause: &str| {
        events.iter().position(|e| e["event"] == event && e["cause"] == cause && e["stream"] == "render")
    };
    let (lost, back) = (has("StreamInactive", "MediaTimeout"), has("StreamActive", "MediaRecovered"));
    assert!(lost.is_some() && lost < back, "{report:#}");
    assert!(report["troubles"].to_string().contains("stopped coming"), "{report:#}");
    answer.end(Duration::from_secs(5))?;
    Ok(())
}

/// Amplitude of one frequency, full scale being 1 (Goertzel).
fn strength(samples: &[i16], hz: u32) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let phase = std::f64::consts::TAU * f64::from(hz) * n as f64 / 8_000.0;
        re += f64::from(*sample) / 32_768.0 * phase.cos();
        im += f64::from(*sample) / 32_768.0 * phase.sin();
    }
    2.0 * re.hypot(im) / samples.len() as f64
}

#[test]
fn digits_reach_the_far_end() -> Tested {
    for modes in [&[][..], &["--no-fast-start"], &["--no-fast-start", "--no-tunnel"]] {
        let (mut answer, at) = answering(&[modes, &["--echo", "--calls", "1"]].concat())?;
        let call = run(offhook()
            .args([
                "call",
                &at,
                "--tone",
                "440",
                "--null",
                "--duration",
                "1.5",
                "--quiet",
                "--digits",
                "12#*",
            ])
            .args(modes))?;
        assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
        assert_eq!(answer.json()?["digits"], "12#*", "{modes:?}");
    }
    Ok(())
}

#[test]
fn every_start_mode_ends_in_the_same_call() -> Tested {
    let ours = [
        &[][..],
        &["--no-fast-start"],
        &["--no-tunnel"],
        &["--no-fast-start", "--no-tunnel"],
        &["--h245-in-setup"],
    ];
    for (caller, callee) in ours.iter().flat_map(|a| ours.iter().map(move |b| (a, b))) {
        let (mut answer, at) =
            answering(&[callee, &["--play", ALICE, "--null", "--calls", "1"][..]].concat())?;
        let call = run(offhook()
            .args(["call", &at, "--play", BOB, "--null", "--duration", "0.6", "--json"])
            .args(*caller))?;
        let report: Value = serde_json::from_slice(&call.stdout)?;
        assert_eq!(call.status.code(), Some(0), "{caller:?} {callee:?}: {report:#}");
        assert!(report["received"]["packets"].as_u64() > Some(15), "{caller:?} {callee:?}: {report:#}");
        let other = answer.json()?;
        assert!(other["received"]["packets"].as_u64() > Some(15), "{caller:?} {callee:?}: {other:#}");
        let fast = !caller.contains(&"--no-fast-start") && !callee.contains(&"--no-fast-start");
        assert_eq!(report["fast_start"], fast, "{caller:?} {callee:?}");
    }
    Ok(())
}

#[test]
fn a_call_over_ipv6_works() -> Tested {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        assert!(std::env::var_os("CI").is_none(), "no IPv6 loopback: CI must not skip");
        eprintln!("SKIPPED: this machine has no IPv6");
        return Ok(());
    }
    let mut answer = common::Process::start(
        offhook().args(["answer", "--listen", "[::1]:0", "--json", "--echo", "--calls", "1"]),
    )?;
    let at = answer.json()?["address"].as_str().ok_or("no address")?.to_owned();
    let call = run(offhook().args(["call", &at, "--tone", "440", "--null", "--duration", "0.5", "--quiet"]))?;
    assert_eq!(call.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&call.stdout), errors(&call));
    Ok(())
}

#[test]
fn devices_prints_what_a_script_can_read() -> Tested {
    let output = run(offhook().args(["devices", "--json"]))?;
    let said: Value = serde_json::from_slice(&output.stdout)?;
    assert!(output.status.success() && said["host"].is_string() && said["devices"].is_array(), "{said}");
    Ok(())
}

#[test]
fn completions_and_man_pages_are_generated() -> Tested {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(offhook().args(["completions", shell]))?;
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("answer"),
            "{shell}"
        );
    }
    let dir = tempfile::tempdir()?;
    assert!(run(offhook().args(["man", "--out"]).arg(dir.path()))?.status.success());
    let page = std::fs::read_to_string(dir.path().join("offhook-call.1"))?;
    assert!(page.contains("record"), "the man page of call names its options");
    Ok(())
}

#[test]
fn a_reader_that_has_gone_does_not_disturb_a_call() -> Tested {
    use std::io::BufRead;
    let mut answer = offhook()
        .args(["answer", "--listen", "127.0.0.1:0", "--json", "--echo", "--calls", "1"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    std::io::BufReader::new(answer.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let said: Value = serde_json::from_str(&line)?;
    let at = said["address"].as_str().ok_or("no address")?;
    let call = run(offhook().args(["call", at, "--tone", "440", "--null", "--duration", "0.3", "--quiet"]))?;
    assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
    let ended = answer.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(0), "{}", errors(&ended));
    Ok(())
}

#[test]
fn wrong_usage_has_an_exit_status_of_its_own() -> Tested {
    assert_eq!(run(offhook().args(["call"]))?.status.code(), Some(2));
    assert_eq!(run(offhook().args(["call", "h", "--codec", "mp3"]))?.status.code(), Some(2));
    Ok(())
}
