//! The command line's grammar, from which help, completions and man pages are made.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use offhook::{CodecKind, CodecPreference, ConferenceGoal, DigitsVia, FastConnectAnswer, Latch};

use super::codecs;
use super::gatekeeper::GatekeeperServerArgs;
use super::hubs::HubsArgs;
use super::latency::LatencyArgs;
use super::load::LoadArgs;
use super::modem::ModemArgs;
use super::phone::BrokerArgs;
use super::playout::PlayoutArgs;
use super::register::{GatekeeperArgs, RegisterArgs};
use super::tapisrv::TapisrvArgs;
use super::values::{
    TelephoneEvents, TimerSetting, conference, digits, digits_via, fast_start_answer, goal, latch,
    listen_address, media_timeout, name_server, on_or_off, packet_ms, period, port_range, prefer, seconds,
    telephone_event, timer, tone,
};

/// An H.323/RTP telephone.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, propagate_version = true)]
#[command(
    after_help = "Exit status: 0 done; 1 a file, port or device failed; 2 wrong usage; 3 the call did not come \
about; 4 it did and no sound arrived; 5 a criterion of load is met; 130 interrupted before."
)]
pub(crate) struct Cli {
    /// Say more (-v what happens, -vv how, -vvv everything); RUST_LOG overrides
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call somebody
    #[command(after_help = "Examples:\n  \
        offhook call 192.0.2.7                            talk over the sound card\n  \
        offhook call bob@192.0.2.7 --play hello.wav --record bob.wav --duration 10\n  \
        offhook call h323:100@pbx.example --codec pcma --capture call.pcap --json\n  \
        offhook call bob@192.0.2.7 --codec opus,g722,pcma --opus-bitrate 24000\n  \
        offhook call '[2001:db8::1]:1721' --tone 440 --null --duration 3")]
    Call(CallArgs),
    /// Answer calls until Ctrl-C
    #[command(after_help = "Examples:\n  \
        offhook answer                                    answer over the sound card\n  \
        offhook answer --echo                             say back what is heard\n  \
        offhook answer --conference                       every caller hears all others\n  \
        offhook answer --play greeting.wav --record calls/ --json\n  \
        offhook answer --listen 127.0.0.1:0 --calls 1 --ring-ms 500")]
    Answer(AnswerArgs),
    /// List sound cards
    #[command(after_help = "Examples:\n  \
        offhook devices --json\n  \
        offhook devices --probe 3 --period 5              which period and latency each card gives")]
    Devices(DevicesArgs),
    /// List codecs: names for --codec, payload types, rates, licences
    #[command(after_help = "Examples:\n  \
        offhook codecs\n  \
        offhook codecs --json")]
    Codecs(CodecsArgs),
    /// Hold a telephony service provider to the rules of TSPI, a line a rule
    #[command(after_help = "Examples:\n  \
        offhook conformance\n  \
        offhook conformance --provider h323 --json\n\n\
        Your own provider: the crate offhook-conformance, with docs/conformance.md.")]
    Conformance(ConformanceArgs),
    /// Register with a gatekeeper and stay registered until Ctrl-C
    #[command(after_help = "Examples:\n  \
        offhook register --gatekeeper 192.0.2.1 --alias 100 --alias bob\n  \
        offhook register --gatekeeper srv:example.com --alias bob --password-file secret --json\n  \
        offhook register --gatekeeper multicast --alias 100 --once")]
    Register(RegisterArgs),
    /// Be a broker for applications in other processes, and for other machines, until Ctrl-C
    #[command(after_help = "Examples:\n  \
        offhook tapisrv                                   one H.323 line; applications: offhook call --socket PATH ...\n  \
        offhook tapisrv --config tapisrv.toml --check\n  \
        offhook tapisrv --make-certs certs                certificates for two machines, and how to use them\n\n\
        More: docs/tapisrv.md")]
    Tapisrv(Box<TapisrvArgs>),
    /// Show who is in a call with whom at a broker: every leg, also of other applications; live, or again from a log
    #[command(after_help = "Examples:\n  \
        offhook hubs                                      the tree as it stands\n  \
        offhook hubs --watch --log hubs.jsonl             live, and written down\n  \
        offhook hubs --replay hubs.jsonl --at 12.5        the tree as it was 12.5 s into the log\n\n\
        The broker: offhook tapisrv. More: docs/call-hubs.md")]
    Hubs(HubsArgs),
    /// Be a small gatekeeper, for tests and for trying things out, until Ctrl-C
    #[command(after_help = "Examples:\n  \
        offhook gatekeeper --listen 192.0.2.1             whoever asks may register and call\n  \
        offhook gatekeeper --users users.txt --routed --json\n\n\
        On standard input: list, unregister ALIAS, query ALIAS, disconnect CALL, bandwidth CALL BPS.\n\
        It has no neighbours, no accounting, no rules for numbers and no proxy for media: GNU Gatekeeper has.")]
    Gatekeeper(GatekeeperServerArgs),
    /// Measure how long sound takes, by probes in calls
    #[command(after_help = "Examples:\n  \
        offhook latency                                   two ends of this process, one way each\n  \
        offhook latency 192.0.2.7                         round trip; there: offhook answer --echo\n  \
        offhook latency --codec pcma,opus --packets 10,20 --probes 50 --json")]
    Latency(LatencyArgs),
    /// Place many calls by a plan, and say what became of them
    #[command(after_help = "Examples:\n  \
        offhook load 192.0.2.7 --rate 50 --concurrent 500 --for 60 --hold exp:10\n  \
        offhook load 100@pbx.example 200@pbx.example --total 1000 --codec-mix pcma:7,g722:3 --csv calls.csv\n  \
        offhook load user#@192.0.2.7 --rate 200 --total 5000 --hold 0 --fail-if 'failed>0' --fail-if 'setup_p99>5ms'\n\n\
        The other end: offhook answer --echo --max-calls 5000 (or --null). Exit status 5: a criterion is met.")]
    Load(LoadArgs),
    /// Place or answer a call over a modem on a serial port, without sound, or say what is there
    #[command(after_help = "Examples:\n  \
        offhook modem --port /dev/ttyUSB0 --probe         what is there, and what it can do\n  \
        offhook modem --port /dev/ttyUSB0 --dial 5551234 --duration 10\n  \
        offhook modem --port /dev/ttyUSB2 --profile gsm --answer --json\n\n\
        More: docs/modem.md")]
    Modem(ModemArgs),
    /// Play a trace of arrivals offline: what a listener would have heard, and what it took
    #[command(after_help = "Examples:\n  \
        offhook call 192.0.2.7 --null --play hello.wav --trace-arrivals net.csv\n  \
        offhook playout --trace net.csv --wav hello.wav --codec pcmu --out heard.wav --stats stats.json\n  \
        offhook playout --trace net.csv --payload A.opus.pkt --codec opus --out heard.wav --stats stats.json")]
    Playout(PlayoutArgs),
    /// Call oneself: two processes on this machine, speech both ways, everything measured
    #[command(after_help = "Example:\n  offhook demo --out out")]
    Demo(DemoArgs),
    /// Read, write and check the octets of H.323
    #[command(after_help = "Examples:\n  \
        offhook pdu decode 010032803b45aa                 say what octets are\n  \
        offhook pdu decode --pcap call.pcap               a ladder of each call in a capture\n  \
        offhook pdu decode --pcap call.pcap --tree        every message in full\n  \
        offhook pdu encode --kind h245 - < message.json\n  \
        offhook pdu check vectors/ras.jsonl vectors/h245.jsonl")]
    Pdu(super::pdu::PduArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  offhook completions bash > /etc/bash_completion.d/offhook")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write all of them into a directory
    Man {
        /// The directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// host, host:port, alias@host, h323:alias@host
    pub(crate) address: String,
    /// Play this WAV file into the call
    #[arg(long, value_name = "FILE.wav", conflicts_with = "tone")]
    pub(crate) play: Option<PathBuf>,
    /// Record what is heard into this WAV file
    #[arg(long, value_name = "FILE.wav")]
    pub(crate) record: Option<PathBuf>,
    /// Also play what is heard over the sound card while recording
    #[arg(long, requires = "record")]
    pub(crate) listen_in: bool,
    /// Hang up after so many seconds; without it the call lasts until either side hangs up
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Give up ringing after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60")]
    pub(crate) timeout: Duration,
    /// Once connected, send these digits; the call is not hung up before they have left
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub(crate) digits: Option<String>,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
    /// Follow the far end so many times when it sends the call elsewhere; 0 stays with it
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) forwards: u8,
    /// The conference that the call is for: 32 hexadecimal digits, as a report's conferenceID has them; without it the
    /// call makes one of its own
    #[arg(long, value_name = "ID", value_parser = conference, alias = "conference")]
    pub(crate) conference_id: Option<[u8; 16]>,
    /// What the call does to that conference: `join` it there, `invite` the far end into it, `create` it
    #[arg(long, value_name = "GOAL", value_parser = goal, default_value = "join", requires = "conference_id")]
    pub(crate) goal: ConferenceGoal,
    /// Do not let the far end show who calls
    #[arg(long)]
    pub(crate) withhold: bool,
    /// Write the JSON report here as well
    #[arg(long, value_name = "FILE.json")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) signalling: SignallingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// Where to take calls: `[::]` over IPv6 and IPv4; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDR", value_parser = listen_address, default_value = "[::]:1720", conflicts_with = "socket")]
    pub(crate) listen: SocketAddr,
    /// Play this WAV file to every caller
    #[arg(long, value_name = "FILE.wav", conflicts_with_all = ["tone", "echo"])]
    pub(crate) play: Option<PathBuf>,
    /// Record every caller into a file of its own in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Say back what is heard
    #[arg(long, conflicts_with = "tone")]
    pub(crate) echo: bool,
    /// Let every caller hear all others, beside what is played
    #[arg(long, conflicts_with_all = ["echo", "microphone", "speaker"])]
    pub(crate) conference: bool,
    /// Stop after so many calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: Option<u32>,
    /// Ring so long before answering, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=170_000))]
    pub(crate) ring_ms: u64,
    /// Hang up after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Send every caller these digits; the call is not hung up before they have left
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub(crate) digits: Option<String>,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
    /// Hand each call to another application of the broker, by the name that it goes by there; its sound goes along
    #[arg(long, value_name = "NAME", requires = "socket")]
    pub(crate) hand_to: Option<String>,
    /// Do so when the call has been connected for so many seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "0", requires = "hand_to")]
    pub(crate) hand_after: Duration,
    /// Refuse calls as busy while so many are up
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) max_calls: usize,
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) signalling: SignallingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// When a call is put on hold.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HoldArgs {
    /// Put the far end on hold so many seconds after it is connected: neither side is heard then
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) hold_after: Option<Duration>,
    /// Take it back after so many seconds more; without it, it stays on hold
    #[arg(long, value_name = "S", value_parser = seconds, requires = "hold_after")]
    pub(crate) hold_for: Option<Duration>,
}

/// What both sides choose about media.
#[derive(Debug, Args)]
#[command(next_help_heading = "Media")]
pub(crate) struct MediaArgs {
    /// Codecs, most wanted first (see `offhook codecs`)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = codecs::parse, default_value = "pcma,pcmu")]
    pub(crate) codec: Vec<CodecKind>,
    /// Offer these codecs and no other: without it G.711, which every far end has, is offered last
    #[arg(long)]
    pub(crate) codec_only: bool,
    /// Milliseconds of sound in a packet, 2.5 to 120; codecs take the longest packet within it that they can make
    #[arg(long, visible_alias = "ptime", value_name = "MS", default_value = "20", value_parser = packet_ms)]
    pub(crate) packet_ms: u16,
    /// Send nothing, or what noise there is by RFC 3389 if the far end takes that, while nothing is said
    #[arg(long)]
    pub(crate) dtx: bool,
    /// Put copies of so many packets into each that follows (RFC 2198), 1 to 4, for a network that loses packets, where the
    /// far end takes that; 0 takes such packets and sends none
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=4))]
    pub(crate) redundancy: Option<u8>,
    #[command(flatten)]
    pub(crate) opus: OpusArgs,
    /// Send a tone of so many Hz instead of a microphone
    #[arg(long, value_name = "HZ", value_parser = tone)]
    pub(crate) tone: Option<f32>,
    /// Start the WAV file again at its end
    #[arg(long)]
    pub(crate) repeat: bool,
    /// Where nothing is chosen use no sound card: send silence, drop what is heard
    #[arg(long)]
    pub(crate) null: bool,
    /// The sound card to speak into, by name or identifier (see `offhook devices`) instead of the default one
    #[arg(long, value_name = "NAME", conflicts_with = "tone")]
    pub(crate) microphone: Option<String>,
    /// The sound card to listen on
    #[arg(long, value_name = "NAME")]
    pub(crate) speaker: Option<String>,
    /// The period to ask sound cards for, in milliseconds; a card that does not keep up gets longer ones
    #[arg(long, value_name = "MS", value_parser = period, default_value = "10")]
    pub(crate) period: Duration,
    /// The sound host (see `offhook devices`) instead of the default one
    #[arg(long, value_name = "HOST")]
    pub(crate) sound_host: Option<String>,
    /// The local address for RTP; by default the one that reaches the far end
    #[arg(long, value_name = "IP")]
    pub(crate) media_address: Option<IpAddr>,
    /// The ports for RTP and RTCP
    #[arg(long, value_name = "LOW-HIGH", value_parser = port_range)]
    pub(crate) rtp_ports: Option<(u16, u16)>,
    /// Whose sound is heard: the host that signalling tells (`negotiated`), or whoever speaks first and is answered
    /// there (`any`), for a far end behind address translation; a stranger who guesses the port is heard then
    #[arg(long, value_name = "WHOSE", value_parser = latch, default_value = "negotiated")]
    pub(crate) latch: Latch,
    /// Report the far end's sound as lost after so many seconds without a packet; 0 never does
    #[arg(long, value_name = "S", value_parser = media_timeout, default_value = "5")]
    pub(crate) media_timeout: Duration,
    /// Tell the far end by RTCP how it is heard (RFC 3611); what it tells is reported in any case
    #[arg(long)]
    pub(crate) rtcp_xr: bool,
    /// The RTP payload type, 96 to 127, under which to take digits as telephone-events (RFC 4733), or `off`
    #[arg(long, value_name = "PT", value_parser = telephone_event, default_value = "101")]
    pub(crate) telephone_event: TelephoneEvents,
    /// Take digits that come as tones in the sound, too; what is also told otherwise is told once
    #[arg(long)]
    pub(crate) inband_digits: bool,
    /// Write when each packet of the far end's sound came to this file, for `offhook playout`; a second stream goes to
    /// FILE-2, and so on
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) trace_arrivals: Option<PathBuf>,
    /// Write everything sent and received to this pcap file
    #[arg(long, value_name = "FILE.pcap")]
    pub(crate) capture: Option<PathBuf>,
}

/// How Opus is encoded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Opus")]
pub(crate) struct OpusArgs {
    /// Bits a second, 6000 to 510000; never more than the far end takes
    #[arg(long, value_name = "BPS", default_value_t = 32_000, value_parser = clap::value_parser!(u32).range(6_000..=510_000))]
    pub(crate) opus_bitrate: u32,
    /// 0, the cheapest, to 10
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u8).range(..=10))]
    pub(crate) opus_complexity: u8,
    /// Whether packets repeat the one before them at a low rate, for a far end that lost it: on or off
    #[arg(long, value_name = "WHETHER", value_parser = on_or_off, default_value = "on", action = clap::ArgAction::Set)]
    pub(crate) opus_fec: bool,
    /// Of a hundred packets, how many are expected to be lost: it decides how much is repeated
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(..=100))]
    pub(crate) opus_loss: u8,
}

/// What both sides choose about signalling.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signalling")]
pub(crate) struct SignallingArgs {
    /// Neither offer nor accept fast connect
    #[arg(long)]
    pub(crate) no_fast_start: bool,
    /// Use a TCP connection of its own for H.245
    #[arg(long)]
    pub(crate) no_tunnel: bool,
    /// As caller, begin H.245 inside Setup
    #[arg(long)]
    pub(crate) h245_in_setup: bool,
    /// When called, the earliest message for the answer to fast connect: `proceeding`, `facility`, `progress` (these as
    /// soon as the media side is known, so that media may flow before anybody answers), `alerting` or `connect`
    #[arg(long, value_name = "WHEN", value_parser = fast_start_answer, default_value = "alerting")]
    pub(crate) fast_start_answer: FastConnectAnswer,
    /// When called, say the answer to fast connect again in every later message up to Connect
    #[arg(long)]
    pub(crate) repeat_fast_start: bool,
    /// Whose order of codecs decides what is sent, and what fast connect takes: `ours`, `theirs`, or the `lowest-rate`
    #[arg(long, value_name = "WHOSE", value_parser = prefer, default_value = "ours")]
    pub(crate) prefer: CodecPreference,
    /// Let several calls share one call signalling connection (multipleCalls), where the far end does too
    #[arg(long)]
    pub(crate) share_connection: bool,
    /// Keep a call signalling connection without calls for the next one (maintainConnection), where the far end does too
    #[arg(long)]
    pub(crate) keep_connection: bool,
    /// Let a connected call outlive its call signalling connection: the caller makes it again, the called side waits
    #[arg(long)]
    pub(crate) survive_signalling_loss: bool,
    /// Say Setup a second time when nothing has come back within T303 (Q.931 5.1.1)
    #[arg(long)]
    pub(crate) repeat_setup: bool,
    /// A timer of call control: t301=180, t303=4, t310=10 and so on, in seconds; `off` for one that may be; may be given
    /// several times; a name that is not known is answered with those that are
    #[arg(long, value_name = "NAME=S", value_parser = timer)]
    pub(crate) timer: Vec<TimerSetting>,
    /// Ask this DNS server in place of the system's, `IP` or `IP:port`; may be given several times
    #[arg(long, value_name = "ADDR", value_parser = name_server)]
    pub(crate) name_server: Vec<SocketAddr>,
    /// Which way digits go: `auto` takes the first that the far end has of `rfc4733` (telephone-events), `signal` and
    /// `alphanumeric` (H.245), `keypad` (Q.931); `inband` sends tones in the sound
    #[arg(long, value_name = "WAY", value_parser = digits_via, default_value = "auto")]
    pub(crate) digits_via: DigitsVia,
    /// The name to show to the far end
    #[arg(long, value_name = "NAME", default_value = "offhook")]
    pub(crate) display: String,
    /// An alias of ours: a number or a name, or with its kind before it (`digits:`, `name:`, `url:`, `email:`,
    /// `number:`, `transport:`); may be given several times
    #[arg(long, value_name = "ALIAS")]
    pub(crate) alias: Vec<String>,
    #[command(flatten)]
    pub(crate) gatekeeper: GatekeeperArgs,
}

impl OutputArgs {
    /// Whether the live line is unwanted.
    pub(crate) fn no_live_line(&self) -> bool {
        self.quiet || (self.json && !self.live)
    }
}

/// How to say it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print JSON on standard output instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// No live line
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The live line even with --json
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) live: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// The sound host to ask instead of the default one
    #[arg(long, value_name = "HOST")]
    pub(crate) sound_host: Option<String>,
    /// Open each device for so many seconds, and say which period and latency come of it
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) probe: Option<Duration>,
    /// The period to ask for when opening, in milliseconds
    #[arg(long, value_name = "MS", value_parser = period, default_value = "10", requires = "probe")]
    pub(crate) period: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CodecsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// Which provider; without it, each in turn
    #[arg(long, value_enum)]
    pub(crate) provider: Option<ConformanceProvider>,
    /// Print JSON, a line a provider
    #[arg(long)]
    pub(crate) json: bool,
}

/// A provider that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ConformanceProvider {
    /// H.323, called by another of its kind over loopback
    H323,
    /// The fake switch
    Scripted,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where recordings, report and capture go
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,
    /// How long the call lasts, in seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "6")]
    pub(crate) duration: Duration,
    /// Codecs, most wanted first (see `offhook codecs`)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = codecs::parse, default_value = "pcma,pcmu")]
    pub(crate) codec: Vec<CodecKind>,
    /// Neither offer nor accept fast connect
    #[arg(long)]
    pub(crate) no_fast_start: bool,
    /// Use a TCP connection of its own for H.245
    #[arg(long)]
    pub(crate) no_tunnel: bool,
    /// Print the report as JSON on standard output instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_in_the_help_parses() {
        let all = Cli::command();
        let inner = all.get_subcommands().flat_map(|command| command.get_subcommands());
        for command in all.get_subcommands().chain(inner) {
            let Some(help) = command.get_after_help() else { continue };
            for line in help.to_string().lines().filter(|l| l.trim_start().starts_with("offhook")) {
                let words = line.split("  ").find(|part| part.contains("offhook")).unwrap_or_default();
                let words = words.split(" > ").next().and_then(|w| w.split(" < ").next()).unwrap_or_default();
                let words = words.split_whitespace().map(|w| w.trim_matches('\''));
                assert!(Cli::try_parse_from(words).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            &["offhook", "call"][..],
            &["offhook", "call", "h", "--codec", "opal"],
            &["offhook", "call", "h", "--packet-ms", "500"],
            &["offhook", "call", "h", "--duration", "-1"],
            &["offhook", "call", "h", "--play", "a.wav", "--tone", "440"],
            &["offhook", "call", "h", "--digits", "12x"],
            &["offhook", "call", "h", "--period", "0.1"],
            &["offhook", "call", "h", "--microphone", "desk", "--tone", "440"],
            &["offhook", "devices", "--period", "5"],
            &["offhook", "demo", "--codec", "g729"],
            &["offhook", "call", "h", "--packet-ms", "2"],
            &["offhook", "call", "h", "--opus-bitrate", "5000"],
            &["offhook", "call", "h", "--opus-fec", "maybe"],
            &["offhook", "call", "h", "--media-timeout", "0.01"],
            &["offhook", "answer", "--conference", "--echo"],
            &["offhook", "answer", "--conference", "--speaker", "desk"],
            &["offhook", "answer", "--calls", "0"],
            &["offhook", "answer", "--listen", "nowhere"],
            &["offhook", "answer", "--rtp-ports", "9-3"],
            &["offhook", "answer", "--latch", "nobody"],
            &["offhook", "call", "h", "--digits-via", "shouting"],
            &["offhook", "answer", "--telephone-event", "95"],
            &["offhook", "call", "h", "--conference-id", "abc"],
            &["offhook", "answer", "--fast-start-answer", "later"],
            &["offhook", "call", "h", "--prefer", "nobody"],
            &["offhook", "call", "h", "--timer", "t999=1"],
            &["offhook", "call", "h", "--timer", "t303"],
            &["offhook", "call", "h", "--timer", "t303=off"],
            &["offhook", "call", "h", "--timer", "t303=0"],
            &["offhook", "call", "h", "--name-server", "dns.example"],
            &["offhook", "call", "h", "--goal", "invite"],
            &[
                "offhook",
                "call",
                "h",
                "--conference-id",
                "00112233445566778899aabbccddeeff",
                "--goal",
                "leave",
            ],
        ] {
            assert!(Cli::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}
