//! `offhook pdu encode`: a description in, octets out.

use std::io::Write;

use offhook_wire::pdu::Pdu;
use offhook_wire::per::json;
use serde_json::Value;

use super::super::{Failure, Outcome, say};
use super::args::EncodeArgs;
use super::input::standard_input;

pub(super) fn run(args: &EncodeArgs) -> Result<Outcome, Failure> {
    let text = match args.description.as_str() {
        "-" => standard_input()?,
        text => text.as_bytes().to_vec(),
    };
    let description: Value =
        serde_json::from_slice(&text).map_err(|why| Failure(format!("the description is no JSON: {why}")))?;
    let octets =
        Pdu::from_json(args.kind, &description).and_then(|pdu| pdu.encode()).map_err(Failure::new)?;
    if args.raw {
        let mut out = std::io::stdout().lock();
        match out.write_all(&octets).and_then(|()| out.flush()) {
            Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(Failure(format!("standard output: {why}")));
            }
            _ => {}
        }
    } else {
        say(format_args!("{}\n", json::hex(&octets)))?;
    }
    Ok(Outcome::Done)
}
