//! `offhook pdu` as a user finds it: octets both ways, vector files, ladders of captures, and what is said of nonsense.
//! The ladders are compared with `tests/golden`; `OFFHOOK_GOLDEN=write` writes those anew.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Tested, errors, offhook, run};
use serde_json::Value;

/// A masterSlaveDetermination.
const MSD: &str = "010032803b45aa";

fn wire_data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("signaling/wire/tests/data").join(name)
}

fn capture(name: &str) -> PathBuf {
    wire_data("captures").join(name).with_extension("pcap")
}

fn vector_files() -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    let more = std::env::var_os("OFFHOOK_VECTORS").map(PathBuf::from);
    for directory in std::iter::once(wire_data("vectors")).chain(more) {
        for entry in std::fs::read_dir(directory)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    Ok(files)
}

fn pdu(args: &[&str]) -> Command {
    let mut command = offhook();
    command.arg("pdu").args(args);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the command says, which ends well.
fn says(args: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let output = run(&mut pdu(args))?;
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", errors(&output));
    Ok(said(&output))
}

/// Runs it with something on standard input.
fn fed(args: &[&str], input: &[u8]) -> Result<Output, Box<dyn std::error::Error>> {
    let mut command = pdu(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no input")?.write_all(input)?;
    Ok(child.wait_with_output()?)
}

/// It fails with a message that holds all of `words`.
fn fails(output: &Output, words: &[&str]) {
    let why = errors(output);
    assert_eq!(output.status.code(), Some(1), "{why}{}", said(output));
    for word in words {
        assert!(why.contains(word), "{word:?} is not in {why:?}");
    }
    assert!(!why.contains("panicked"), "{why}");
}

#[test]
fn octets_become_a_tree_and_json_and_octets_again() -> Tested {
    let tree = says(&["decode", MSD])?;
    assert!(tree.starts_with("h245 masterSlaveDetermination, 7 octets (guessed"), "{tree}");
    assert!(tree.contains("    terminalType: 50\n") || tree.contains("  terminalType: 50\n"), "{tree}");
    let json = says(&["decode", "--kind", "h245", "--json", MSD])?;
    let value: Value = serde_json::from_str(&json)?;
    assert_eq!(value["request"]["masterSlaveDetermination"]["statusDeterminationNumber"], 3_884_458);
    assert_eq!(says(&["encode", "--kind", "h245", &json])?, format!("{MSD}\n"));
    let raw = run(&mut pdu(&["encode", "--kind", "h245", "--raw", &json]))?;
    assert_eq!(raw.stdout, [0x01, 0x00, 0x32, 0x80, 0x3b, 0x45, 0xaa]);
    Ok(())
}

#[test]
fn rows_of_every_kind_survive_the_way_through_json() -> Tested {
    for (kind, file) in
        [("ras", "ras"), ("h225", "callsig"), ("h245", "h245"), ("olc", "olc"), ("h450", "h450")]
    {
        let rows = std::fs::read_to_string(wire_data("vectors").join(file).with_extension("jsonl"))?;
        let first = rows.lines().min_by_key(|row| row.len()).ok_or("no row")?;
        let row: Value = serde_json::from_str(first)?;
        let hex = row["hex"].as_str().ok_or("no octets")?;
        let json = says(&["decode", "--kind", kind, "--json", hex])?;
        assert_eq!(serde_json::from_str::<Value>(&json)?, row["value"], "{kind}");
        assert_eq!(says(&["encode", "--kind", kind, &json])?.trim(), hex, "{kind}");
    }
    Ok(())
}

#[test]
fn a_tpkt_shows_q931_the_uuie_and_what_that_carries() -> Tested {
    let json = says(&["decode", "--json", "--pcap", capture("ast-in-fast").to_str().ok_or("path")?])?;
    let messages: Vec<Value> = serde_json::from_str(&json)?;
    let setup = messages.first().ok_or("no messages")?;
    assert_eq!(
        (&setup["name"], &setup["layer"], &setup["to"]),
        (&Value::from("Setup"), &Value::from("call-signalling"), &Value::from("127.0.0.3:1720"))
    );
    let octets = says(&["encode", "--kind", "q931", &setup["value"].to_string()])?;
    let octets = octets.trim();
    let packet = format!("0300{:04x}{octets}", octets.len() / 2 + 4);
    let tree = says(&["decode", &packet])?;
    for line in [
        "tpkt Setup, ",
        "Called party number (0x70): 81363030",
        "H323-UserInformation",
        "protocolIdentifier: 0.0.8.2250.0.",
        "→ OpenLogicalChannel (",
        "audioData.g711Alaw64k: 20",
        "iPAddress: 127.0.0.1:",
    ] {
        assert!(tree.contains(line), "{line:?} is not in\n{tree}");
    }
    let twice = says(&["decode", "--kind", "tpkt", "--json", &packet, "03000004", &packet])?;
    assert_eq!(says(&["encode", "--kind", "tpkt", &twice])?.trim(), format!("{packet}03000004{packet}"));
    Ok(())
}

#[test]
fn standard_input_is_hexadecimal_if_all_of_it_is() -> Tested {
    let expected = says(&["decode", MSD])?;
    for input in
        [&b"01 00 32:80\n3b 45 aa\n"[..], b"0x010032 0x803b45aa", &[1, 0, 0x32, 0x80, 0x3b, 0x45, 0xaa]]
    {
        let output = fed(&["decode", "-"], input)?;
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        assert_eq!(said(&output), expected);
    }
    let json = says(&["decode", "--kind", "h245", "--json", MSD])?;
    let output = fed(&["encode", "--kind", "h245", "-"], json.as_bytes())?;
    assert_eq!(said(&output).trim(), MSD);
    fails(&fed(&["decode", "-"], b"")?, &["standard input is empty"]);
    Ok(())
}

#[test]
fn errors_name_the_offset_the_path_and_the_octets_around() -> Tested {
    let row = "0020139b060008914a0005000a21e18e654d23c0b500534c0c5465737420456e";
    let cut = run(&mut pdu(&["decode", "--kind", "ras", row]))?;
    fails(
        &cut,
        &["RasMessage: ", "at octet ", "in gatekeeperRequest.endpointType.vendor", "[", "\n  000010 "],
    );
    let tpkt = run(&mut pdu(&["decode", "0300001008020001050400"]))?;
    fails(&tpkt, &["a TPKT announces 16 octets, 11 are there", "at octet 0", "in [0]"]);
    let q931 = run(&mut pdu(&["decode", "08", "02", "0001", "05", "04", "09", "88"]))?;
    fails(&q931, &["Bearer capability", "announces 9 octets, 1 remain", "[04]"]);
    fails(&run(&mut pdu(&["decode", "zz"]))?, &["'z'", "no hexadecimal digit"]);
    fails(&run(&mut pdu(&["decode", "ffffffffff"]))?, &["no kind of PDU", "ras: ", "h450: "]);
    fails(&run(&mut pdu(&["encode", "--kind", "ras", "{"]))?, &["no JSON"]);
    let unknown = run(&mut pdu(&["encode", "--kind", "h245", r#"{"request":{"nonsense":1}}"#]))?;
    fails(&unknown, &["the name of an alternative", "in request"]);
    let kind = run(&mut pdu(&["decode", "--kind", "sip", "00"]))?;
    assert_eq!(kind.status.code(), Some(2));
    assert!(errors(&kind).contains("no kind of PDU"), "{}", errors(&kind));
    Ok(())
}

#[test]
fn a_nested_encoding_in_error_is_marked_and_counts() -> Tested {
    let json = says(&["decode", "--json", "--pcap", capture("ast-in-fast").to_str().ok_or("path")?])?;
    let messages: Vec<Value> = serde_json::from_str(&json)?;
    let mut setup = messages.first().ok_or("no messages")?["value"].clone();
    let elements = setup["elements"].as_array_mut().ok_or("no elements")?;
    let uuie = elements.iter_mut().find_map(|e| e.get_mut("H323-UserInformation")).ok_or("no UUIE")?;
    uuie["h323-uu-pdu"]["h323-message-body"]["setup"]["fastStart"][1] = "00".into();
    let octets = says(&["encode", "--kind", "q931", &setup.to_string()])?;
    let output = run(&mut pdu(&["decode", octets.trim()]))?;
    fails(&output, &["1 of the encodings within"]);
    assert!(said(&output).contains("[1]: 00 ! OpenLogicalChannel: "), "{}", said(&output));
    Ok(())
}

#[test]
fn every_committed_vector_is_as_its_row_says() -> Tested {
    let files = vector_files()?;
    let output = run(offhook().args(["pdu", "check"]).args(&files))?;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(said(&output).lines().count(), files.len(), "one line a file");
    let json = run(offhook().args(["pdu", "check", "--json"]).arg(&files[0]))?;
    let report: Value = serde_json::from_slice(&json.stdout)?;
    assert_eq!(report[0]["fail"], 0);
    assert!(report[0]["counts"]["valid"].as_u64() > Some(100), "{report:#}");
    Ok(())
}

#[test]
fn a_row_that_is_wrong_fails_by_its_id() -> Tested {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("wrong.jsonl");
    let good = format!(
        r#"{{"id":"good","pdu":"MultimediaSystemControlMessage","kind":"valid","hex":"{MSD}","value":{{"request":{{"masterSlaveDetermination":{{"terminalType":50,"statusDeterminationNumber":3884458}}}}}}}}"#
    );
    let rows = [
        good.clone(),
        good.replace("good", "value").replace("50", "51"),
        good.replace("good", "accepted").replace("\"valid\"", "\"must-reject\""),
        good.replace("good", "lenient").replace("\"valid\"", "\"lenient\""),
        good.replace("good", "cut").replace("45aa", ""),
        good.replace("good", "kind").replace("\"valid\"", "\"perhaps\""),
        "{\"id\":".to_owned(),
    ];
    std::fs::write(&file, rows.join("\n"))?;
    let output = run(offhook().args(["pdu", "check"]).arg(&file))?;
    fails(&output, &["6 rows fail"]);
    let text = said(&output);
    for line in [
        "7 rows (3 valid, 1 lenient, 1 must-reject), 1 pass, 6 fail, ",
        "  value: decoded request.masterSlaveDetermination.terminalType as 50, not 51",
        "  accepted: accepted: ",
        "  lenient: no \"reencode\"",
        "  cut: rejected: MultimediaSystemControlMessage: the message ends inside the value, at octet",
        "  line 6: \"perhaps\" is no kind of row",
        "  line 7: no JSON",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    std::fs::write(&file, "\n")?;
    fails(&run(offhook().args(["pdu", "check"]).arg(&file))?, &["no rows"]);
    fails(&run(offhook().args(["pdu", "check", "/no/such/file"]))?, &["/no/such/file"]);
    Ok(())
}

#[test]
fn captures_become_ladders() -> Tested {
    for name in ["h323plus-slow-h245tcp", "gk-routed-slow-tunnel", "ast-in-fast", "h323plus-transfer"] {
        let ladder = says(&["decode", "--pcap", capture(name).to_str().ok_or("path")?])?;
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
        if std::env::var_os("OFFHOOK_GOLDEN").is_some() {
            std::fs::write(&golden, &ladder)?;
        }
        let expected =
            std::fs::read_to_string(&golden).map_err(|why| format!("{}: {why}", golden.display()))?;
        for (number, (line, expected)) in ladder.lines().zip(expected.lines()).enumerate() {
            assert_eq!(line, expected, "{name}, line {}", number + 1);
        }
        assert_eq!(ladder.lines().count(), expected.lines().count(), "{name}");
    }
    Ok(())
}

/// The records of a little-endian pcap as a pcapng file, the form that Wireshark saves.
fn as_pcapng(pcap: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let word =
        |octets: &[u8], at: usize| octets[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
    let mut file = words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28]);
    file.extend(words(&[1, 20, word(pcap, 20), 0, 20]));
    let mut rest = &pcap[24..];
    while rest.len() > 16 {
        let length = word(rest, 8);
        let at = u64::from(word(rest, 0)) * 1_000_000 + u64::from(word(rest, 4));
        let padded = length.next_multiple_of(4);
        file.extend(words(&[6, 32 + padded, 0, (at >> 32) as u32, at as u32, length, length]));
        let (frame, behind) = rest[16..].split_at(length as usize);
        file.extend(frame);
        file.resize(file.len() + (padded - length) as usize, 0);
        file.extend(words(&[32 + padded]));
        rest = behind;
    }
    file
}

#[test]
fn a_pcapng_file_becomes_the_same_ladder() -> Tested {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("call.pcapng");
    let pcap = capture("h323plus-slow-h245tcp");
    std::fs::write(&file, as_pcapng(&std::fs::read(&pcap)?))?;
    let ladder = |file: &Path| says(&["decode", "--pcap", file.to_str().ok_or("path")?]);
    assert_eq!(ladder(&file)?, ladder(&pcap)?);
    Ok(())
}

#[test]
fn every_committed_capture_is_read_to_the_last_message() -> Tested {
    let mut messages = 0;
    for entry in std::fs::read_dir(wire_data("captures"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let json = says(&["decode", "--json", "--pcap", path.to_str().ok_or("path")?])?;
        messages += serde_json::from_str::<Vec<Value>>(&json)?.len();
        let trees = says(&["decode", "--tree", "--pcap", path.to_str().ok_or("path")?])?;
        assert!(!trees.contains(" ! "), "{}", path.display());
    }
    // Call signalling, tunnelled H.245, H.245 and RAS, as the captures' own tests count them.
    assert_eq!(messages, 671 + 504 + 158 + 241);
    Ok(())
}

#[test]
fn a_capture_with_messages_in_error_shows_them_and_fails() -> Tested {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("broken.pcap");
    let mut octets = std::fs::read(capture("ast-in-fast"))?;
    // The protocol discriminator of H.225.0 in User-user, whose UUIE then is read where it is none.
    let at = octets
        .windows(5)
        .position(|w| w == [0x7e, 0x01, 0x6e, 0x05, 0x20] || (w[0] == 0x7e && w[3] == 5 && w[4] == 0x20));
    let at = at.ok_or("no UUIE")?;
    octets[at + 6..at + 12].fill(0xff);
    std::fs::write(&file, octets)?;
    let output = run(offhook().args(["pdu", "decode", "--pcap"]).arg(&file))?;
    fails(&output, &["1 of 24 messages"]);
    assert!(said(&output).contains("! H323-UserInformation: "), "{}", said(&output));
    Ok(())
}

#[test]
fn what_is_no_capture_is_said_to_be_none() -> Tested {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("x.pcap");
    let decode = || run(offhook().args(["pdu", "decode", "--pcap"]).arg(&file));
    fails(&decode()?, &["x.pcap", "No such file"]);
    for (octets, words) in [
        (&b""[..], "no pcap or pcapng file"),
        (b"GET / HTTP/1.1\r\n\r\nthis is some text", "no pcap or pcapng file"),
        (b"\x0a\x0d\x0d\x0a0123456789", "no pcap or pcapng file"),
    ] {
        std::fs::write(&file, octets)?;
        fails(&decode()?, &["x.pcap", words]);
    }
    let mut octets = std::fs::read(capture("ast-in-fast"))?;
    octets.truncate(octets.len() - 10);
    std::fs::write(&file, octets)?;
    let output = decode()?;
    assert!(said(&output).contains("the file ends inside a record"), "{}", said(&output));
    Ok(())
}
