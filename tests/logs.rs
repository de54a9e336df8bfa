//! What a call says on standard error: its messages at -vv, their trees at -vvv, under the call's id; nothing without.

mod common;

use common::{Tested, answering, errors, offhook, run};

/// A short call without fast start, and what the caller said of it.
fn log(verbosity: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let (_answer, at) = answering(&["--echo", "--calls", "1"])?;
    let call = run(offhook()
        .args(["call", &at, "--tone", "440", "--null", "--duration", "0.5", "--quiet", "--no-fast-start"])
        .args(verbosity)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG"))?;
    assert_eq!(call.status.code(), Some(0), "{}", errors(&call));
    Ok(errors(&call))
}

/// The lines about messages, from the target on.
fn messages(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("DEBUG") && line.contains("offhook_h323::pdu")).collect()
}

#[test]
fn every_message_in_and_out_is_logged_with_its_call() -> Tested {
    let log = log(&["-vv"])?;
    let said = messages(&log);
    let place = |way: &str, message: &str| {
        let found = said
            .iter()
            .position(|line| line.contains(&format!(": {way}")) && line.contains(&format!("pdu={message}")));
        found.ok_or_else(|| format!("no {way} {message} in {said:#?}"))
    };
    let quoted = |name: &str| format!("\"{name}\"");
    place("received", "Connect")?;
    let course = [
        place("sent", "Setup")?,
        place("sent H.245", &quoted("terminalCapabilitySet"))?,
        place("received H.245", &quoted("terminalCapabilitySetAck"))?,
        place("sent H.245", &quoted("openLogicalChannel"))?,
        place("received H.245", &quoted("openLogicalChannelAck"))?,
        place("sent", "Release Complete")?,
    ];
    assert!(course.is_sorted(), "{said:#?}");
    // Its determination, or its answer to ours: which of them leaves first is chance.
    place("received H.245", "\"masterSlaveDetermination")?;
    assert!(said.iter().all(|line| line.contains("call{id=")), "each says which call it is of: {said:#?}");
    assert!(!log.contains("h323-message-body"), "trees are for -vvv");
    Ok(())
}

#[test]
fn trees_are_had_on_demand_and_nothing_is_said_unasked() -> Tested {
    let trees = log(&["-vvv"])?;
    for what in ["h323-message-body", "callIdentifier", "multiplexCapability", "forwardLogicalChannelNumber"]
    {
        assert!(trees.contains(what), "no {what}");
    }
    assert!(messages(&log(&[])?).is_empty());
    assert!(messages(&log(&["-v"])?).is_empty());
    Ok(())
}
