//! The grammar of `offhook latency`.

use std::time::Duration;

use clap::Args;
use offhook::CodecKind;

use crate::cli::args::{MediaArgs, OutputArgs, SignallingArgs};
use crate::cli::values::seconds;

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// An endpoint that says back what it hears (`offhook answer --echo`); without one, two ends of this process are
    /// measured one way
    #[arg(value_name = "ADDRESS")]
    pub(crate) target: Option<String>,
    /// Probes in each call
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) probes: u32,
    /// The mean time between two probes, in seconds
    #[arg(long, value_name = "S", value_parser = interval, default_value = "0.5")]
    pub(crate) interval: Duration,
    /// The longest delay that is looked for, in seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "2")]
    pub(crate) longest: Duration,
    /// Packet lengths to measure, in milliseconds, each with each codec of --codec, instead of --packet-ms
    #[arg(long, value_name = "MS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(3..=120))]
    pub(crate) packets: Vec<u16>,
    /// What the probes' phases begin with
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) signalling: SignallingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl LatencyArgs {
    /// The matrix.
    pub(super) fn cells(&self) -> Vec<(CodecKind, u16)> {
        let packets = if self.packets.is_empty() { &[self.media.packet_ms][..] } else { &self.packets };
        self.media.codec.iter().flat_map(|codec| packets.iter().map(|packet| (*codec, *packet))).collect()
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        interval if (0.2..=60.0).contains(&interval.as_secs_f64()) => Ok(interval),
        _ => Err("0.2 to 60 seconds".to_owned()),
    }
}
