//! The playout instrument: what it makes of traces, and the traces that calls make.

mod common;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use common::{ALICE, Tested, answering, offhook, run};
use serde_json::Value;

/// A trace of `count` packets of 20 ms that take 50 ms; every `lose`th is lost.
fn trace(path: &Path, count: usize, lose: usize) -> Tested {
    let mut text = "# made for a test\nseq,timestamp,send_ms,arrival_ms_or_lost\n".to_owned();
    for n in 0..count {
        let arrival = if n % lose == lose - 1 { "lost".to_owned() } else { format!("{}.5", n * 20 + 50) };
        writeln!(text, "{n},{},{}.000,{arrival}", n * 160, n * 20)?;
    }
    Ok(std::fs::write(path, text)?)
}

fn play(
    dir: &Path,
    trace: &Path,
    source: [&str; 2],
    codec: &str,
) -> Result<(Vec<i16>, Value), Box<dyn Error>> {
    let (out, stats) = (dir.join(format!("{codec}.wav")), dir.join(format!("{codec}.json")));
    let mut command = offhook();
    command.arg("playout").arg("--trace").arg(trace).args(source).args(["--codec", codec]);
    let output = run(command.arg("--out").arg(&out).arg("--stats").arg(&stats))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let heard = hound::WavReader::open(&out)?.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    Ok((heard, serde_json::from_str(&std::fs::read_to_string(&stats)?)?))
}

#[test]
fn a_network_without_faults_costs_nothing_and_loss_is_concealed() -> Tested {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("trace.csv");
    for (codec, rate) in [("pcmu", 8_000), ("g722", 16_000), ("opus", 48_000)] {
        trace(&path, 200, usize::MAX)?;
        let (clean, stats) = play(dir.path(), &path, ["--wav", ALICE], codec)?;
        assert_eq!(
            (stats["rx"].as_u64(), stats["discarded"].as_u64()),
            (Some(196), Some(0)),
            "{codec} {stats}"
        );
        assert_eq!(stats["concealed"], 0, "{codec} {stats}");
        // 200 packets: the last is sent at 3,980 ms, the clock stops before it, and four are still on their way.
        assert_eq!(clean.len(), 398 * rate / 100, "{codec}");
        assert!(clean.iter().any(|sample| sample.unsigned_abs() > 1_000), "{codec} is silent");
        trace(&path, 200, 10)?;
        let (_, stats) = play(dir.path(), &path, ["--wav", ALICE], codec)?;
        let made_up =
            stats["concealed"].as_u64().unwrap_or_default() + 960 * stats["recovered"].as_u64().unwrap_or(0);
        assert!(made_up as usize > rate / 10, "{codec} {stats}");
    }
    Ok(())
}

#[test]
fn payloads_are_played_as_they_are() -> Tested {
    let dir = tempfile::tempdir()?;
    let (path, payloads) = (dir.path().join("trace.csv"), dir.path().join("A.pkt"));
    trace(&path, 100, usize::MAX)?;
    // µ-law: two levels by turns, packet by packet.
    let packet = |level: u8| [160u16.to_le_bytes().to_vec(), vec![level; 160]].concat();
    std::fs::write(&payloads, [packet(0x80), packet(0xa0)].concat())?;
    let name = payloads.to_string_lossy().into_owned();
    let (heard, stats) = play(dir.path(), &path, ["--payload", &name], "pcmu")?;
    assert_eq!(stats["concealed"], 0, "{stats}");
    let (loud, soft) = (32_124, 7_932);
    let count = |level| heard.iter().filter(|sample| **sample == level).count();
    assert!(count(loud) > 6_000 && count(soft) > 6_000, "{} {}", count(loud), count(soft));
    std::fs::write(&payloads, [200, 0, 1, 2, 3])?;
    let error = play(dir.path(), &path, ["--payload", &name], "pcmu").unwrap_err().to_string();
    assert!(error.contains("A.pkt") && error.contains("cut short"), "{error}");
    std::fs::write(&path, "1,2,three,4\n")?;
    let error = play(dir.path(), &path, ["--payload", &name], "pcmu").unwrap_err().to_string();
    assert!(error.contains("line 1"), "{error}");
    Ok(())
}

#[test]
fn a_call_s_arrivals_can_be_played_again() -> Tested {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("net.csv");
    let (_bob, address) = answering(&["--play", ALICE, "--null", "--calls", "1"])?;
    let mut command = offhook();
    command
        .args(["call", &address, "--null", "--codec", "pcmu", "--duration", "2", "--trace-arrivals"])
        .arg(&path);
    let output = run(&mut command)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows =
        std::fs::read_to_string(&path)?.lines().filter(|line| line.starts_with(char::is_numeric)).count();
    assert!(rows > 20, "{rows}");
    let (heard, stats) = play(dir.path(), &path, ["--wav", ALICE], "pcmu")?;
    assert!(stats["rx"].as_u64() > Some(20) && !heard.is_empty(), "{stats}");
    Ok(())
}
