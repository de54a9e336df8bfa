//! The grammar of `offhook pdu`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use offhook_wire::pdu::Kind;

#[derive(Debug, Args)]
pub(crate) struct PduArgs {
    #[command(subcommand)]
    pub(crate) command: PduCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PduCommand {
    /// Show what octets or a packet capture say
    #[command(after_help = "Exit status 1 if anything could not be read. Examples:\n  \
        offhook pdu decode 010032803b45aa\n  \
        offhook pdu decode --kind h245 '01 00 32 80 3b 45 aa' --json\n  \
        offhook pdu decode - < message.bin\n  \
        offhook pdu decode --pcap call.pcap")]
    Decode(DecodeArgs),
    /// Write the octets that a description in JSON stands for
    #[command(after_help = "The description is what `offhook pdu decode --json` prints. Example:\n  \
        offhook pdu encode --kind ras - < message.json")]
    Encode(EncodeArgs),
    /// Run vector files: whether PDUs decode, encode or are refused as their rows say
    #[command(after_help = "Exit status 1 if any row fails. Example:\n  \
        offhook pdu check signaling/wire/tests/data/vectors/ras.jsonl")]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// Octets in hexadecimal (spaces, colons, commas and 0x are ignored), or - for standard input: hexadecimal if all
    /// of it is, else octets
    #[arg(value_name = "HEX|-", required_unless_present = "pcap")]
    pub(crate) octets: Vec<String>,
    /// What they are: ras, h225 (a UUIE), h245, olc (a fastStart element), h450, q931, tpkt; guessed if not told
    #[arg(long, value_name = "KIND", value_parser = kind, conflicts_with = "pcap")]
    pub(crate) kind: Option<Kind>,
    /// Follow RAS, call signalling and H.245 through a packet capture (pcap or pcapng): a ladder of each call
    #[arg(long, value_name = "FILE", conflicts_with = "octets")]
    pub(crate) pcap: Option<PathBuf>,
    /// Print JSON in the notation of the vector files
    #[arg(long, conflicts_with = "tree")]
    pub(crate) json: bool,
    /// Print every member (of hexadecimal octets the default)
    #[arg(long)]
    pub(crate) tree: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EncodeArgs {
    /// The description, or - for standard input
    #[arg(value_name = "JSON|-")]
    pub(crate) description: String,
    /// What it describes: ras, h225, h245, olc, h450, q931, tpkt
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: Kind,
    /// Write octets, not hexadecimal digits
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files of JSON lines
    #[arg(value_name = "FILE.jsonl", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn kind(name: &str) -> Result<Kind, String> {
    name.parse().map_err(|error: offhook_wire::pdu::UnknownKind| error.to_string())
}
