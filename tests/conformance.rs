//! `offhook conformance` as a user finds it: a report of each provider, as text and as JSON.

mod common;

use common::{Tested, errors, offhook, run};
use serde_json::Value;

#[test]
fn both_providers_keep_the_rules_of_tspi_and_the_report_says_so() -> Tested {
    let run = run(offhook().args(["conformance", "--json"]))?;
    assert_eq!(run.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&run.stdout), errors(&run));
    let text = String::from_utf8(run.stdout)?;
    let reports = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let names: Vec<_> = reports.iter().map(|report| report["provider"].as_str()).collect();
    assert_eq!(names, [Some("scripted"), Some("offhook H.323")]);
    for report in &reports {
        let lines = report["lines"].as_array().ok_or("no lines")?;
        assert!(lines.len() > 50, "{report:#}");
        for line in lines {
            let outcome = line["outcome"].as_str();
            assert!(matches!(outcome, Some("ok" | "not-applicable")), "{line:#}");
            assert_eq!(outcome == Some("not-applicable"), line["why"].is_string(), "{line:#}");
        }
    }
    Ok(())
}

#[test]
fn one_provider_is_shown_as_a_text() -> Tested {
    let shown = run(offhook().args(["conformance", "--provider", "scripted"]))?;
    let text = String::from_utf8(shown.stdout)?;
    assert!(text.starts_with("scripted\nok     version.common"), "{text}");
    assert!(text.contains("ok     transfer.complete"), "{text}");
    assert!(!text.contains("H.323"), "{text}");
    let wrong = run(offhook().args(["conformance", "--provider", "isdn"]))?;
    assert_eq!(wrong.status.code(), Some(2), "{}", errors(&wrong));
    Ok(())
}
