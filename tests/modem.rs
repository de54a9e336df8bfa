//! `offhook modem` over modems on pseudo-terminals: what it says, and how it leaves.

mod common;
#[path = "../signaling/modem/tests/support/modem.rs"]
#[allow(dead_code, reason = "the provider's own tests use more of it")]
mod emulator;

use common::{Process, Tested, errors, offhook, run};
use emulator::{Modem, PATIENCE};
use serde_json::{Value, json};

fn lines(output: &std::process::Output) -> Result<Vec<Value>, serde_json::Error> {
    String::from_utf8_lossy(&output.stdout).lines().map(serde_json::from_str).collect()
}

#[test]
fn a_probe_says_what_is_there() -> Tested {
    for (kind, profile) in [("voice", "voice"), ("data", "data"), ("huawei", "gsm")] {
        let modem = Modem::plug(kind);
        let probed = run(offhook().args(["modem", "--probe", "--json", "--port"]).arg(&modem.port))?;
        assert_eq!(probed.status.code(), Some(0), "{}", errors(&probed));
        let said = lines(&probed)?;
        assert_eq!(said[0]["profile"], profile, "{said:?}");
        if kind == "voice" {
            assert_eq!(said[0]["said"]["model"], json!(["U-1496E"]));
            assert_eq!(said[0]["said"]["classes"], json!(["0,1,8"]));
            assert_eq!(said[0]["said"]["calling_line"], Value::Null);
        }
        if kind == "huawei" {
            assert!(said[0]["with"].as_str().is_some_and(|with| with.starts_with("E1550 on ")), "{said:?}");
            assert_eq!(said[0]["said"]["calling_line"], json!(["+CLIP: (0-1)"]));
        }
        // It dials nothing and picks nothing up.
        let heard = modem.heard();
        assert!(
            !heard.iter().any(|c| c.starts_with("ATD") || c.starts_with("ATA") || c == "ATH1"),
            "{heard:?}"
        );
    }
    Ok(())
}

#[test]
fn a_call_is_placed_and_every_state_is_said() -> Tested {
    let modem = Modem::plug("voice");
    let port = modem.port.clone();
    let placed = run(offhook()
        .args(["modem", "--dial", "5551234", "--digits", "12", "--duration", "1", "--json", "--port"])
        .arg(&port))?;
    assert_eq!(placed.status.code(), Some(0), "{}", errors(&placed));
    let said: Vec<_> = lines(&placed)?
        .iter()
        .map(|line| line["state"].as_str().or(line["event"].as_str()).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(said[..5], ["in service", "dialing", "ringing", "connected", "digits sent"], "{said:?}");
    let heard = modem.heard();
    let after: Vec<_> =
        heard.iter().skip_while(|command| *command != "ATDT5551234").skip(1).take(3).collect();
    assert_eq!(after, ["AT+VTS=1", "AT+VTS=2", "ATH"]);

    let busy = run(offhook().args(["modem", "--dial", "100", "--port"]).arg(&port))?;
    assert_eq!(busy.status.code(), Some(3), "{}", errors(&busy));
    assert_eq!(String::from_utf8(busy.stdout)?.lines().last(), Some("disconnected (busy)"));
    Ok(())
}

#[test]
fn a_call_is_answered_with_its_callers_number() -> Tested {
    let modem = Modem::plug("voice");
    let mut answering = Process::start(
        offhook()
            .args(["modem", "--answer", "--calls", "1", "--ring", "3", "--json", "--port"])
            .arg(&modem.port),
    )?;
    assert_eq!(answering.json()?["event"], "in service");
    modem.say("RING");
    assert_eq!(answering.json()?["event"], "arrives");
    assert_eq!(answering.json()?["state"], "offering");
    modem.say("NMBR = 5550100");
    let caller = answering.json()?;
    assert_eq!((&caller["event"], &caller["number"]), (&json!("caller"), &json!("5550100")));
    assert_eq!(answering.json()?["state"], "connected");
    modem.octets(b"\x105");
    assert_eq!(answering.json()?["digit"], "5");
    modem.octets(b"\x10b");
    assert_eq!(answering.json()?["state"], "disconnected (normal)");
    assert_eq!(answering.end(PATIENCE)?.1, Some(0));
    modem.hears("ATH", 1);
    Ok(())
}

#[test]
fn an_interrupt_hangs_up_first() -> Tested {
    let modem = Modem::plug("voice");
    for (number, last, code) in [("5551234", "connected", 0), ("110", "ringing", 130)] {
        let before = modem.heard().iter().filter(|command| *command == "ATH").count();
        let mut calling =
            Process::start(offhook().args(["modem", "--json", "--dial", number, "--port"]).arg(&modem.port))?;
        while calling.json()?["state"] != last {}
        calling.interrupt()?;
        assert_eq!(calling.end(PATIENCE)?.1, Some(code), "{number}");
        modem.hears("ATH", before + 1);
    }
    Ok(())
}

#[test]
fn what_is_wrong_with_a_port_is_said() -> Tested {
    let missing = run(offhook().args(["modem", "--probe", "--port", "/dev/ttyUSB-of-nobody"]))?;
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        errors(&missing).contains("/dev/ttyUSB-of-nobody: there is no such port"),
        "{}",
        errors(&missing)
    );
    let neither = run(offhook().args(["modem", "--port", "/dev/ttyS0"]))?;
    assert_eq!(neither.status.code(), Some(2));
    let modem = Modem::plug("data");
    let no_voice = run(offhook().args(["modem", "--answer", "--port"]).arg(&modem.port))?;
    assert_eq!(no_voice.status.code(), Some(1));
    assert!(errors(&no_voice).contains("it has no voice mode"), "{}", errors(&no_voice));
    let init = run(offhook().args(["modem", "--answer", "--init", "hello", "--port"]).arg(&modem.port))?;
    assert!(errors(&init).contains("no AT command"), "{}", errors(&init));
    let number = run(offhook()
        .args(["modem", "--profile", "data", "--dial", "192.0.2.7:1720", "--port"])
        .arg(&modem.port))?;
    assert_eq!(number.status.code(), Some(1));
    assert!(errors(&number).contains("cannot be dialled"), "{}", errors(&number));
    Ok(())
}
