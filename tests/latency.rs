//! `offhook latency`: probes go through calls and are found again, one way and round trip.

mod common;

use common::{Tested, answering, errors, offhook, run};
use serde_json::Value;

fn rows(arguments: &[&str]) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let measured = run(offhook()
        .args(["latency", "--json", "--probes", "5", "--interval", "0.3", "--longest", "1"])
        .args(arguments))?;
    let report: Value = serde_json::from_slice(&measured.stdout).map_err(|why| {
        format!("{why}: {}{}", String::from_utf8_lossy(&measured.stdout), errors(&measured))
    })?;
    assert_eq!(measured.status.code(), Some(0), "{report:#}");
    Ok(report["rows"].as_array().ok_or("no rows")?.clone())
}

#[test]
fn two_ends_are_measured_one_way_for_each_cell_of_the_matrix() -> Tested {
    let mut rows = rows(&["--codec", "pcma", "--packets", "10,20"])?;
    rows.extend(self::rows(&["--codec", "g722"])?);
    assert_eq!(rows.len(), 6, "two packet lengths and another codec, two directions");
    for row in &rows {
        let packet = row["packet_ms"].as_f64().ok_or("no packet length")?;
        assert!(row["found"].as_u64() >= Some(4), "{row:#}");
        // A packet is as old as it is long when it leaves; the instants at both ends are of one clock.
        assert!(row["min"].as_f64() >= Some(packet), "{row:#}");
        assert!(row["max"].as_f64() < Some(2_000.0), "{row:#}");
        assert!(row["correlation"].as_f64() > Some(0.8), "{row:#}");
        for moment in ["connect", "first_rtp_in", "first_sound_out"] {
            assert!(row["setup"][moment].as_f64() > Some(0.0), "{moment} in {row:#}");
        }
    }
    Ok(())
}

#[test]
fn an_endpoint_that_echoes_is_measured_round_trip() -> Tested {
    let (_answer, at) = answering(&["--null", "--echo"])?;
    let rows = rows(&[&at])?;
    let [row, _] = rows.as_slice() else { return Err(format!("{rows:?}").into()) };
    assert_eq!(row["direction"], "round trip");
    assert!(row["found"].as_u64() >= Some(4), "{row:#}");
    assert!(row["min"].as_f64() >= Some(40.0), "a packet each way: {row:#}");
    Ok(())
}

#[test]
fn who_does_not_echo_is_no_sound_and_nobody_is_a_failure() -> Tested {
    let (_answer, at) = answering(&["--null"])?;
    let silent =
        run(offhook().args(["latency", &at, "--probes", "2", "--codec", "pcma", "--longest", "0.5"]))?;
    assert_eq!(silent.status.code(), Some(4), "{}", errors(&silent));
    let nobody = run(offhook().args(["latency", "127.0.0.1:1"]))?;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(errors(&nobody).contains("127.0.0.1:1"), "{}", errors(&nobody));
    Ok(())
}
