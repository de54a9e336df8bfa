//! `offhook load` between two processes: every call comes about, is counted, and told of; criteria decide the exit status.

mod common;

use common::{Tested, answering, errors, offhook, run};
use serde_json::Value;

#[test]
fn every_call_of_a_plan_is_placed_and_told_of() -> Tested {
    let dir = tempfile::tempdir()?;
    let csv = dir.path().join("calls.csv");
    let (_answer, at) = answering(&["--null", "--echo"])?;
    let load = run(offhook()
        .args(["load", &at, "--rate", "20", "--total", "24", "--concurrent", "10", "--hold", "0.2-0.6"])
        .args(["--codec-mix", "pcma:1,pcmu:1", "--start-mix", "fast,separate", "--tone", "440", "--json"])
        .args(["--fail-if", "failed>0", "--fail-if", "first_sound_p50>30s", "--csv"])
        .arg(&csv))?;
    assert_eq!(load.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&load.stdout), errors(&load));
    let report: Value = serde_json::from_slice(&load.stdout)?;
    assert_eq!((&report["attempted"], &report["connected"]), (&24.into(), &24.into()), "{report:#}");
    assert!(report["peak_concurrent"].as_u64() <= Some(10), "{report:#}");
    for figure in ["setup", "alerting", "first_rtp", "first_sound", "release"] {
        let (count, p50) = (&report[figure]["count"], &report[figure]["p50"]);
        assert!(count.as_u64() >= Some(20) && p50.as_f64() > Some(0.0), "{figure} in {report:#}");
    }
    for count in ["ways", "codecs", "ends"] {
        let of = report[count].as_object().ok_or("no counts")?;
        let calls: u64 = of.values().filter_map(Value::as_u64).sum();
        assert_eq!(calls, 24, "{count} in {report:#}");
    }
    assert_eq!(
        report["codecs"].as_object().map(serde_json::Map::len),
        Some(2),
        "both of the mix: {report:#}"
    );
    let lines = std::fs::read_to_string(&csv)?;
    let fields: Vec<_> = lines.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(fields.len(), 25);
    assert!(fields.iter().all(|fields| *fields == 22), "{lines}");
    Ok(())
}

#[test]
fn what_fails_is_counted_by_its_cause_and_a_criterion_that_is_met_is_exit_status_5() -> Tested {
    let (_answer, at) = answering(&["--null", "--max-calls", "2"])?;
    let load = run(offhook()
        .args(["load", &at, "--rate", "50", "--total", "6", "--hold", "2", "--json"])
        .args(["--fail-if", "connected_percent<100%", "--fail-if", "setup_max>1000s"]))?;
    assert_eq!(load.status.code(), Some(5), "{}", errors(&load));
    let report: Value = serde_json::from_slice(&load.stdout)?;
    assert_eq!(report["failed_criteria"], serde_json::json!(["connected_percent<100%"]), "{report:#}");
    let failures = report["failures"].as_object().ok_or("no failures")?;
    assert_eq!(failures.values().filter_map(Value::as_u64).sum::<u64>(), 4, "{report:#}");
    assert!(failures.keys().all(|why| why.contains("busy") || why.contains("congestion")), "{report:#}");
    Ok(())
}

#[test]
fn nobody_there_is_no_call_and_nonsense_is_wrong_usage() -> Tested {
    let nobody = run(offhook().args(["load", "127.0.0.1:1", "--total", "2", "--rate", "100"]))?;
    assert_eq!(nobody.status.code(), Some(3), "{}", errors(&nobody));
    for wrong in [
        &["load"][..],
        &["load", "h", "--total", "0"],
        &["load", "h", "--total", "1", "--rate", "0"],
        &["load", "h", "--total", "1", "--hold", "5-1"],
        &["load", "h", "--total", "1", "--fail-if", "nonsense>1"],
        &["load", "h", "--total", "1", "--start-mix", "slowly"],
    ] {
        assert_eq!(run(offhook().args(wrong))?.status.code(), Some(2), "{wrong:?}");
    }
    let endless = run(offhook().args(["load", "127.0.0.1:1"]))?;
    assert_eq!(endless.status.code(), Some(1));
    assert!(errors(&endless).contains("--total"), "{}", errors(&endless));
    Ok(())
}
