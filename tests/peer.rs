//! Calls with an endpoint that shares no code with us: tests/peers/pycrate_peer.py, both ways, in every start mode.

mod common;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{ALICE, Tested, answering, offhook, python, run};
use serde_json::Value;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/pycrate_peer.py");

fn verdict(output: &std::process::Output) -> Result<Value, Box<dyn Error>> {
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let no_errors = said["errors"].as_array().is_some_and(Vec::is_empty);
    if output.status.success() && no_errors { Ok(said) } else { Err(format!("{said:#}").into()) }
}

/// The peer calls us.
fn peer_calls(mode: &str, ours: &[&str]) -> Result<(Value, Value), Box<dyn Error>> {
    let Some(python) = python() else { return Ok((Value::Null, Value::Null)) };
    let (mut answer, at) = answering(&[ours, &["--play", ALICE, "--calls", "1", "--null"]].concat())?;
    let output =
        run(Command::new(python).args([PEER, "call", "--to", &at, "--mode", mode, "--seconds", "1.5"]))?;
    let peer = verdict(&output)?;
    let report = answer.json()?;
    let (_, status) = answer.end(Duration::from_secs(5))?;
    assert_eq!(status, Some(0));
    heard_both_ways(&peer, &report)?;
    Ok((peer, report))
}

/// We call the peer.
fn peer_answers(mode: &str, ours: &[&str]) -> Result<(Value, Value), Box<dyn Error>> {
    let Some(python) = python() else { return Ok((Value::Null, Value::Null)) };
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let at = format!("127.0.0.1:{port}");
    let mut peer: Child = Command::new(python)
        .args([PEER, "answer", "--listen", &at, "--mode", mode])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    BufReader::new(peer.stderr.take().ok_or("no stderr")?).read_line(&mut ready)?;
    assert_eq!(ready.trim(), "listening");
    let call = run(offhook()
        .args(["call", &at, "--play", ALICE, "--null", "--duration", "1.5", "--json"])
        .args(ours))?;
    let peer = verdict(&peer.wait_with_output()?)?;
    let report: Value = serde_json::from_slice(&call.stdout)?;
    assert_eq!(call.status.code(), Some(0), "{report:#}");
    heard_both_ways(&peer, &report)?;
    Ok((peer, report))
}

fn heard_both_ways(peer: &Value, report: &Value) -> Tested {
    let packets = report["received"]["packets"].as_u64().unwrap_or(0);
    let octets = peer["heard_octets"].as_u64().unwrap_or(0);
    if packets > 50 && octets > 8_000 && report["codec_sent"] == "PCMU" && report["received"]["lost"] == 0 {
        Ok(())
    } else {
        Err(format!("{report:#}\n{peer:#}").into())
    }
}

fn log_has(peer: &Value, entry: &str) -> bool {
    peer["log"].as_array().is_some_and(|log| log.iter().any(|e| e == entry))
}

#[test]
fn a_foreign_endpoint_calls_us_with_slow_start_tunnelled() -> Tested {
    let (peer, report) = peer_calls("slow-tunnel", &[])?;
    if !peer.is_null() {
        assert!(
            log_has(&peer, "< response.openLogicalChannelAck")
                && log_has(&peer, "< response.terminalCapabilitySetAck")
        );
        assert_eq!(report["tunnelled"], true);
    }
    Ok(())
}

#[test]
fn a_foreign_endpoint_calls_us_with_slow_start_and_separate_h245() -> Tested {
    let (peer, report) = peer_calls("slow-h245tcp", &[])?;
    if !peer.is_null() {
        assert!(log_has(&peer, "< request.masterSlaveDetermination"));
        assert_eq!(report["tunnelled"], false);
    }
    Ok(())
}

#[test]
fn a_foreign_endpoint_calls_us_with_fast_start() -> Tested {
    let (peer, report) = peer_calls("fast-tunnel", &[])?;
    if !peer.is_null() {
        assert_eq!(peer["fast_accepted"], true);
        assert_eq!(report["fast_start"], true);
    }
    Ok(())
}

#[test]
fn a_foreign_endpoint_that_offers_fast_start_falls_back_when_we_refuse() -> Tested {
    let (peer, report) = peer_calls("fast-tunnel", &["--no-fast-start"])?;
    if !peer.is_null() {
        assert_eq!(peer["fast_accepted"], false);
        assert_eq!(report["fast_start"], false);
    }
    Ok(())
}

#[test]
fn we_call_a_foreign_endpoint_with_slow_start_tunnelled() -> Tested {
    let (peer, _) = peer_answers("slow-tunnel", &["--no-fast-start"])?;
    if !peer.is_null() {
        assert_eq!(peer["fast_offered"], false);
        assert!(log_has(&peer, "< request.openLogicalChannel"));
    }
    Ok(())
}

#[test]
fn we_call_a_foreign_endpoint_that_cannot_tunnel() -> Tested {
    let (peer, report) = peer_answers("slow-h245tcp", &[])?;
    if !peer.is_null() {
        assert_eq!(peer["fast_offered"], true);
        assert_eq!(report["fast_start"], false);
        assert_eq!(report["tunnelled"], false);
    }
    Ok(())
}

#[test]
fn we_call_a_foreign_endpoint_with_fast_start() -> Tested {
    let (peer, report) = peer_answers("fast-tunnel", &[])?;
    if !peer.is_null() {
        assert_eq!(peer["fast_accepted"], true);
        assert_eq!(report["fast_start"], true);
    }
    Ok(())
}

#[test]
fn we_call_a_foreign_endpoint_with_fast_start_and_without_tunnelling() -> Tested {
    let (peer, report) = peer_answers("fast-h245tcp", &["--no-tunnel"])?;
    if !peer.is_null() {
        assert_eq!(report["fast_start"], true);
    }
    Ok(())
}
