//! `offhook pdu`: the octets of H.323 for people. What is asked (`args`), how octets come in (`input`), one command a
//! file; a capture becomes a `ladder`, whose rows `fields` fills.

mod args;
mod check;
mod decode;
mod encode;
mod fields;
mod input;
mod ladder;

pub(super) use self::args::PduArgs;
use self::args::PduCommand;
use super::{Failure, Outcome};

pub(super) fn run(args: &PduArgs) -> Result<Outcome, Failure> {
    match &args.command {
        PduCommand::Decode(args) => decode::run(args),
        PduCommand::Encode(args) => encode::run(args),
        PduCommand::Check(args) => check::run(args),
    }
}
