//! `offhook pdu decode`: octets as a tree or as JSON; a capture as a ladder, as trees or as JSON.

use std::path::Path;

use bytes::Bytes;
use offhook_wire::capture::Capture;
use offhook_wire::pdu::{Kind, Pdu, PduError, nested, tree};
use offhook_wire::per::json;
use offhook_wire::trace::{Trace, Traced};
use serde_json::{Map, Value};

use super::super::{Failure, Outcome, say};
use super::args::DecodeArgs;
use super::input::{around, octets};
use super::{fields, ladder};

pub(super) fn run(args: &DecodeArgs) -> Result<Outcome, Failure> {
    match &args.pcap {
        Some(file) => capture(file, args),
        None => one(&octets(&args.octets)?, args),
    }
}

fn one(octets: &Bytes, args: &DecodeArgs) -> Result<Outcome, Failure> {
    let (kind, note) = match args.kind {
        Some(kind) => (kind, String::new()),
        None => guess(octets)?,
    };
    let pdu = Pdu::decode(kind, octets).map_err(|error| explain(&error, octets))?;
    if args.json {
        if !note.is_empty() {
            eprintln!("offhook: {kind}{note}");
        }
        say(format_args!("{:#}\n", pdu.to_json()))?;
        return Ok(Outcome::Done);
    }
    let (text, errors) = tree_of(&pdu);
    say(format_args!("{kind} {}, {} octets{note}\n{text}", pdu.name(), octets.len()))?;
    if errors > 0 {
        return Err(Failure(format!("{errors} of the encodings within could not be read (marked with !)")));
    }
    Ok(Outcome::Done)
}

/// The likeliest kind, and words about how sure that is.
fn guess(octets: &Bytes) -> Result<(Kind, String), Failure> {
    let kinds = Pdu::guess(octets);
    if let Some((first, more)) = kinds.split_first() {
        let names: Vec<_> = more.iter().map(|kind| kind.name()).collect();
        let also = if names.is_empty() {
            String::new()
        } else {
            format!("; can be read as {} too", names.join(", "))
        };
        return Ok((*first, format!(" (guessed{also})")));
    }
    // Nothing reads them: what they look like says best why.
    let framed = [Kind::Tpkt, Kind::Q931].into_iter().find(|kind| match kind {
        Kind::Tpkt => octets.starts_with(&[3, 0]),
        _ => octets.first() == Some(&8),
    });
    if let Some(kind) = framed
        && let Err(error) = Pdu::decode(kind, octets)
    {
        return Err(explain(&error, octets));
    }
    let mut text = String::from("no kind of PDU:");
    for kind in [Kind::Ras, Kind::H245, Kind::H225, Kind::Olc, Kind::H450] {
        if let Err(error) = Pdu::decode(kind, octets) {
            text.push_str(&format!("\n  {kind}: {error}"));
        }
    }
    Err(Failure(text))
}

fn explain(error: &PduError, octets: &Bytes) -> Failure {
    let shown = error.offset.map_or_else(String::new, |offset| around(octets, offset));
    Failure(format!("{error}{shown}"))
}

/// The tree, what is nested taken apart, and how much of that failed.
fn tree_of(pdu: &Pdu) -> (String, usize) {
    let mut description = pdu.to_json();
    let errors = nested::expand(&mut description);
    (tree::text(pdu.kind().type_name(), &description), errors)
}

fn capture(file: &Path, args: &DecodeArgs) -> Result<Outcome, Failure> {
    let name = file.display();
    let octets = std::fs::read(file).map_err(|why| Failure(format!("{name}: {why}")))?;
    let capture = Capture::parse(&octets).map_err(|why| Failure(format!("{name}: {why}")))?;
    let trace = Trace::follow(&capture);
    if args.json {
        let list: Vec<_> = trace.messages.iter().map(described).collect();
        say(format_args!("{:#}\n", Value::from(list)))?;
    } else if args.tree {
        trees(&trace)?;
    } else {
        say(ladder::text(&trace))?;
    }
    if !args.json {
        say(summary(&capture, &trace))?;
    }
    let nested: usize = trace
        .messages
        .iter()
        .filter_map(|message| message.pdu.as_ref().ok())
        .map(|pdu| fields::faults(pdu).len())
        .sum();
    match (trace.errors(), nested) {
        (0, 0) => Ok(Outcome::Done),
        (errors, nested) => Err(Failure(format!(
            "{name}: {errors} of {} messages and {nested} encodings within others could not be read",
            trace.messages.len()
        ))),
    }
}

fn summary(capture: &Capture, trace: &Trace) -> String {
    let mut text = format!(
        "{} messages in {} records; not H.323: {} UDP datagrams, {} TCP connections",
        trace.messages.len(),
        capture.records(),
        trace.other_datagrams,
        trace.other_connections
    );
    if capture.skipped() > 0 {
        text.push_str(&format!(", {} records", capture.skipped()));
    }
    if capture.is_truncated() {
        text.push_str("; the file ends inside a record");
    }
    text.push('\n');
    text
}

fn described(message: &Traced) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("at", message.at.as_secs_f64().into());
    put("from", message.from.to_string().into());
    put("to", message.to.to_string().into());
    put("layer", message.layer.name().into());
    put("kind", message.layer.kind().name().into());
    match &message.pdu {
        Ok(pdu) => {
            put("name", pdu.name().into());
            put("value", pdu.to_json());
        }
        Err(error) => {
            put("name", Value::Null);
            put("error", error.to_string().into());
            put("hex", json::hex(&message.octets).into());
        }
    }
    Value::Object(members)
}

fn trees(trace: &Trace) -> Result<(), Failure> {
    for message in &trace.messages {
        let (at, layer) = (message.at.as_secs_f64(), message.layer.name());
        let head = format!("{at:.6}  {} → {}  {layer}", message.from, message.to);
        match &message.pdu {
            Ok(pdu) => say(format_args!("{head}  {}\n{}\n", pdu.name(), tree_of(pdu).0))?,
            Err(error) => {
                let Failure(why) = explain(error, &message.octets);
                say(format_args!("{head}  ! {why}\n\n"))?;
            }
        }
    }
    Ok(())
}
