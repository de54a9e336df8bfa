//! Calls between two processes with every codec: what is recorded is what was played; tshark knows what is on the wire;
//! a far end that has G.711 alone is called all the same.

mod common;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use common::{ALICE, BOB, Tested, answering, errors, offhook, run, tool, tshark};
use serde_json::Value;

/// Codecs by name, what the report calls them, and how alike recordings are to what was played. Opus and GSM keep
/// how a voice sounds rather than its waveform.
const CODECS: [(&str, &str, f64); 11] = [
    ("pcmu", "PCMU", 0.9),
    ("g722", "G722", 0.9),
    ("opus", "opus", 0.75),
    ("opus-16", "opus", 0.75),
    ("opus-8", "opus", 0.75),
    ("gsm", "GSM", 0.8),
    ("g726-32", "G726-32", 0.9),
    ("g726-16", "G726-16", 0.8),
    ("aal2-g726-40", "AAL2-G726-40", 0.9),
    ("l16-16", "L16", 0.9),
    ("l16-48", "L16", 0.9),
];

fn demo(dir: &Path, codec: &str) -> Result<Value, Box<dyn Error + Send + Sync>> {
    let demo = run(offhook().args(["demo", "--json", "--duration", "4", "--codec", codec, "--out"]).arg(dir))
        .map_err(|why| why.to_string())?;
    if demo.status.code() != Some(0) {
        return Err(format!("{codec}: {}{}", String::from_utf8_lossy(&demo.stdout), errors(&demo)).into());
    }
    Ok(serde_json::from_slice(&demo.stdout)?)
}

#[test]
fn every_codec_carries_speech_both_ways_between_two_processes() -> Tested {
    // A few at a time: each call is two processes.
    for some in CODECS.chunks(3) {
        let calls = some.iter().map(|(codec, ..)| {
            std::thread::spawn(move || {
                let dir = tempfile::tempdir()?;
                demo(dir.path(), codec)
            })
        });
        for ((codec, name, least), call) in some.iter().zip(calls.collect::<Vec<_>>()) {
            let report = call.join().map_err(|_| "a call died")?.map_err(|why| why.to_string())?;
            for way in ["caller_to_callee", "callee_to_caller"] {
                let alike =
                    report[way]["correlation"].as_f64().ok_or_else(|| format!("{codec}: {report:#}"))?;
                assert!(alike >= *least, "{codec} {way}: {alike}");
            }
            for end in ["caller", "callee"] {
                assert_eq!(report[end]["codec_sent"], *name, "{codec}");
                assert_eq!(report[end]["codec_received"], *name, "{codec}");
                assert_eq!(report[end]["received"]["refused"], 0, "{codec}");
            }
        }
    }
    Ok(())
}

/// A call between two lists of codecs, captured at the caller; its report.
fn call(dir: &Path, ours: &[&str], theirs: &[&str]) -> Result<Value, Box<dyn Error>> {
    let (mut answer, at) = answering(&[theirs, &["--play", BOB, "--null", "--calls", "1"]].concat())?;
    let call = run(offhook()
        .args(["call", &at, "--play", ALICE, "--null", "--duration", "2", "--json"])
        .args(ours)
        .arg("--capture")
        .arg(dir.join("call.pcap")))?;
    answer.end(Duration::from_secs(10))?;
    serde_json::from_slice(&call.stdout).map_err(|why| format!("{why}: {}", errors(&call)).into())
}

#[test]
fn both_sides_lists_decide_and_g711_is_what_everybody_has() -> Tested {
    let dir = tempfile::tempdir()?;
    for (ours, theirs, sent) in [
        (&["--codec", "opus,g722"][..], &["--codec", "pcma"][..], "PCMA"),
        (&["--codec", "opus,g722"], &["--codec", "pcma", "--no-fast-start"], "PCMA"),
        // Fast connect is answered by the called side's wish; in slow start each side chooses what it sends.
        (&["--codec", "opus,g722,pcma"], &["--codec", "g722,opus"], "G722"),
        (&["--codec", "opus,g722,pcma", "--no-fast-start"], &["--codec", "g722,opus"], "opus"),
        (&["--codec", "gsm"], &["--codec", "g726-32,gsm"], "GSM"),
        (&["--codec", "opus-8"], &["--codec", "opus", "--no-fast-start"], "opus"),
    ] {
        let report = call(dir.path(), ours, theirs)?;
        assert_eq!(report["codec_sent"], sent, "{ours:?} and {theirs:?}: {report:#}");
        assert!(report["received"]["packets"].as_u64() > Some(20), "{report:#}");
    }
    let report = call(dir.path(), &["--codec", "opus", "--codec-only"], &["--codec", "pcma"])?;
    assert!(report["received"]["packets"].as_u64().unwrap_or(0) == 0, "nothing is common: {report:#}");
    Ok(())
}

#[test]
fn tshark_reads_the_capabilities_and_knows_the_payloads() -> Tested {
    let Some(_) = tool("tshark", "--version") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let pcap = dir.path().join("call.pcap");
    // G.722 samples at 16 kHz and counts at 8: 160 ticks in 20 ms (RFC 3551 §4.5.2). Opus counts at 48 kHz.
    for (codec, number, ticks) in
        [("g722", "9", 160u32), ("gsm", "3", 160), ("opus", "96", 960), ("l16-16", "96", 320)]
    {
        for start in [&[][..], &["--no-fast-start"]] {
            let modes = [start, &["--codec", codec]].concat();
            call(dir.path(), &modes, &modes)?;
            let bad = tshark(
                &pcap,
                "_ws.malformed || _ws.expert.severity == error || per.encoding_error",
                &["frame.number", "_ws.col.Info"],
            )?;
            assert!(bad.is_empty(), "{codec} {start:?}: {bad:#?}");
            let stamps = tshark(&pcap, &format!("rtp.p_type == {number}"), &["rtp.ssrc", "rtp.timestamp"])?;
            assert!(stamps.len() > 50, "{codec} {start:?}: {} packets", stamps.len());
            let ours: Vec<u32> = stamps
                .iter()
                .filter_map(|line| line.split_once('\t'))
                .filter(|(ssrc, _)| stamps[0].starts_with(ssrc))
                .map(|(_, stamp)| stamp.parse())
                .collect::<Result<_, _>>()?;
            let steady = ours.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) == ticks).count();
            assert!(steady + 3 >= ours.len(), "{codec}: {steady} of {}", ours.len());
        }
    }
    Ok(())
}

#[test]
fn packets_with_copies_go_where_both_sides_want_them_and_tshark_takes_them_apart() -> Tested {
    let dir = tempfile::tempdir()?;
    for start in [&[][..], &["--no-fast-start"]] {
        let ours = [start, &["--redundancy", "2"]].concat();
        let report = call(dir.path(), &ours, &[start, &["--redundancy", "0"]].concat())?;
        let (sent, heard) = (&report["sent"], &report["received"]);
        let octets = |way: &Value| way["octets"].as_f64().zip(way["packets"].as_f64()).map(|(o, p)| o / p);
        assert!(octets(sent) > Some(400.0), "three payloads of 160 in a packet: {report:#}");
        assert!(octets(heard) < Some(170.0), "the far end sends no copies: {report:#}");
        assert_eq!(heard["refused"], 0);
        if tool("tshark", "--version").is_some() {
            let pcap = dir.path().join("call.pcap");
            let bad = tshark(&pcap, "_ws.malformed || _ws.expert.severity == error", &["_ws.col.Info"])?;
            assert!(bad.is_empty(), "{start:?}: {bad:#?}");
            let opened = tshark(&pcap, "h245.redundancyEncoding_element", &["h245.dynamicRTPPayloadType"])?;
            assert!(opened.iter().any(|numbers| numbers.contains("127")), "{start:?}: {opened:?}");
            // It knows from H.245 what the payload type means, unless both sides open their channels at once: packets' own
            // and their copies' types, one by one.
            let full = tshark(&pcap, "rtp.timestamp-offset", &["rtp.p_type", "rtp.timestamp-offset"])?;
            let whole = full.iter().filter(|line| *line == "127,8,8,8\t320,160").count();
            assert!(whole > 50 || !start.is_empty(), "{full:?}");
        }
        // A far end that has not heard of copies gets none.
        let report = call(dir.path(), &ours, start)?;
        assert!(octets(&report["sent"]) < Some(170.0), "{report:#}");
    }
    let refused = run(offhook().args(["call", "127.0.0.1", "--redundancy", "5"]))?;
    assert_eq!(refused.status.code(), Some(2), "{}", errors(&refused));
    Ok(())
}

#[test]
fn the_list_of_codecs_is_for_people_and_for_scripts() -> Tested {
    let text = String::from_utf8(run(offhook().arg("codecs"))?.stdout)?;
    assert!(text.lines().any(|line| line.starts_with("g722") && line.contains("16000")), "{text}");
    let list: Vec<Value> = serde_json::from_slice(&run(offhook().args(["codecs", "--json"]))?.stdout)?;
    let of = |name: &str| list.iter().find(|row| row["name"] == name).ok_or_else(|| name.to_owned());
    assert_eq!(of("g722")?["clock_rate"], 8_000);
    assert_eq!(of("opus")?["payload_type"], Value::Null);
    assert_eq!(of("g729")?["encode"], false);
    let refused = run(offhook().args(["call", "127.0.0.1", "--codec", "g729"]))?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(errors(&refused).contains("passed through"), "{}", errors(&refused));
    Ok(())
}

/// Amplitude of one frequency in dB of full scale, in the usual piece of 50 ms (Goertzel).
fn usual_dbfs(path: &Path, hz: u32) -> Result<f64, Box<dyn Error>> {
    let mut reader = hound::WavReader::open(path)?;
    let rate = reader.spec().sample_rate;
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>()?;
    let mut pieces: Vec<f64> = samples
        .chunks_exact(rate as usize / 20)
        .map(|piece| {
            let step = std::f64::consts::TAU * f64::from(hz) / f64::from(rate);
            let (re, im) = piece.iter().enumerate().fold((0.0, 0.0), |(re, im), (n, sample)| {
                let (sin, cos) = (step * n as f64).sin_cos();
                (re + f64::from(*sample) * cos, im + f64::from(*sample) * sin)
            });
            20.0 * (2.0 * f64::hypot(re, im) / piece.len() as f64 / 32_768.0).max(1e-6).log10()
        })
        .collect();
    pieces.sort_by(f64::total_cmp);
    Ok(pieces.get(pieces.len() / 2).copied().unwrap_or(-120.0))
}

#[test]
fn legs_of_different_codecs_meet_in_one_conference() -> Tested {
    let dir = tempfile::tempdir()?;
    let (mut answer, at) = answering(&["--conference", "--calls", "3", "--codec", "opus,g722,pcma"])?;
    let callers = [("opus", 500u32), ("g722", 900), ("pcma", 1_500)];
    let calls: Vec<_> = callers
        .into_iter()
        .map(|(codec, hz)| {
            let (at, path) = (at.clone(), dir.path().join(format!("{hz}.wav")));
            std::thread::spawn(move || {
                let mut command = offhook();
                command.args(["call", &at, "--duration", "5", "--json", "--codec", codec, "--codec-only"]);
                command.args(["--tone", &hz.to_string(), "--record"]).arg(path);
                run(&mut command).map_err(|why| why.to_string())
            })
        })
        .collect();
    for ((codec, _), call) in callers.iter().zip(calls) {
        let call = call.join().map_err(|_| "a caller died")??;
        let report: Value =
            serde_json::from_slice(&call.stdout).map_err(|e| format!("{e}: {}", errors(&call)))?;
        assert_eq!(report["codec_sent"].as_str().map(str::to_lowercase).as_deref(), Some(*codec));
    }
    for (codec, own) in callers {
        for (_, hz) in callers {
            let level = usual_dbfs(&dir.path().join(format!("{own}.wav")), hz)?;
            if hz == own {
                assert!(level < -35.0, "{codec} hears itself at {level} dBFS");
            } else {
                assert!((-16.0..-6.0).contains(&level), "{codec} hears {hz} Hz at {level} dBFS");
            }
        }
    }
    answer.end(Duration::from_secs(5))?;
    Ok(())
}

#[test]
fn digits_are_found_in_the_sound_behind_every_kind_of_codec() -> Tested {
    for codec in ["pcmu", "opus", "gsm"] {
        let (mut answer, at) = answering(&["--codec", codec, "--inband-digits", "--calls", "1", "--null"])?;
        let call = run(offhook()
            .args(["call", &at, "--null", "--duration", "3", "--codec", codec, "--digits", "159D*0#"])
            .args(["--digits-via", "inband"]))?;
        assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
        let report = answer.json()?;
        assert_eq!(report["digits"], "159D*0#", "{codec}: {report:#}");
        answer.end(Duration::from_secs(5))?;
    }
    Ok(())
}

#[test]
fn pauses_are_not_sent_and_the_far_end_misses_nothing() -> Tested {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("pauses.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(&path, spec)?;
    let speech = common::samples(Path::new(ALICE))?;
    let mut seed = 3u32;
    for n in 0..6 * 8_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (seed >> 16) as i16 / 1_500;
        file.write_sample(speech.get(n).filter(|_| n < 2 * 8_000).copied().unwrap_or(noise))?;
    }
    file.finalize()?;
    for codec in ["pcma", "opus"] {
        let (mut answer, at) = answering(&["--null", "--calls", "1", "--codec", codec])?;
        let call = run(offhook()
            .args(["call", &at, "--codec", codec, "--dtx", "--duration", "5", "--json", "--null", "--play"])
            .arg(&path))?;
        let report: Value =
            serde_json::from_slice(&call.stdout).map_err(|e| format!("{e}: {}", errors(&call)))?;
        let packets = report["sent"]["packets"].as_u64().ok_or("no packets")?;
        // Two of five seconds are speech; what is not sent leaves a packet now and then.
        assert!((60..200).contains(&packets), "{codec}: {report:#}");
        let there = answer.json()?;
        assert_eq!(there["received"]["refused"], 0, "{codec}: {there:#}");
        assert_eq!(there["received"]["lost"], 0, "{codec}: {there:#}");
        answer.end(Duration::from_secs(5))?;
    }
    Ok(())
}
