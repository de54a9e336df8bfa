//! The grammar of `offhook load`, and what of it clap cannot check.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use offhook::CodecKind;

use super::criteria::Criterion;
use super::plan::Hold;
use crate::cli::args::{MediaArgs, OutputArgs, SignallingArgs};
use crate::cli::values::{digits, seconds};
use crate::cli::{Failure, codecs};

/// The most telephones that a mix may make.
const MOST_WAYS: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Whom to call: host, host:port, alias@host; several are called in turn, and `#` in one is the call's number
    #[arg(required = true, value_name = "ADDRESS")]
    pub(crate) targets: Vec<String>,
    /// Calls to place a second
    #[arg(long, short, value_name = "N", value_parser = rate, default_value = "10")]
    pub(crate) rate: f64,
    /// Come up to that rate over so many seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "0")]
    pub(crate) ramp: Duration,
    /// Place calls at random (Poisson) with that rate as the mean, rather than evenly
    #[arg(long)]
    pub(crate) poisson: bool,
    /// Calls at once; what is due beyond it waits
    #[arg(long, short = 'm', value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub(crate) concurrent: usize,
    /// Stop after so many calls
    #[arg(long, short, value_name = "N", value_parser = at_least_one)]
    pub(crate) total: Option<usize>,
    /// Place calls for so many seconds
    #[arg(long = "for", value_name = "S", value_parser = seconds)]
    pub(crate) lasting: Option<Duration>,
    /// How long each call lasts once connected: seconds, `LOW-HIGH`, or `exp:MEAN`
    #[arg(long, value_name = "S", default_value = "5")]
    pub(crate) hold: Hold,
    /// Give a call up that is not answered after so many seconds
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "30")]
    pub(crate) timeout: Duration,
    /// Play this WAV file into each call
    #[arg(long, value_name = "FILE.wav", conflicts_with = "tone")]
    pub(crate) play: Option<PathBuf>,
    /// Once connected, send these digits
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub(crate) digits: Option<String>,
    /// Codecs by weight, each call with one of them (and G.711 as the last resort, unless --codec-only): pcma:7,g722:3
    #[arg(long, value_name = "CODEC[:N]", value_delimiter = ',', value_parser = weighted_codec)]
    pub(crate) codec_mix: Vec<(CodecKind, u32)>,
    /// Ways to set calls up by weight: `fast`, `fast-separate`, `tunnelled`, `separate`, `in-setup`
    #[arg(long, value_name = "WAY[:N]", value_delimiter = ',', value_parser = weighted_start)]
    pub(crate) start_mix: Vec<(StartMode, u32)>,
    /// What random choices begin with; the same gives the same plan
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write a line a call into this file
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) csv: Option<PathBuf>,
    /// End with exit status 5 if this is so in the end: METRIC, one of < <= > >= =, value with ms, s or %; may be given
    /// several times; a metric that is not known is answered with those that are
    #[arg(long, value_name = "CRITERION")]
    pub(crate) fail_if: Vec<Criterion>,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) signalling: SignallingArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A way to set a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartMode {
    /// Fast connect, H.245 tunnelled.
    Fast,
    /// Fast connect, H.245 on a connection of its own.
    FastSeparate,
    /// H.245 tunnelled.
    Tunnelled,
    /// H.245 on a connection of its own.
    Separate,
    /// H.245 begun inside Setup.
    InSetup,
}

impl StartMode {
    const ALL: [Self; 5] = [Self::Fast, Self::FastSeparate, Self::Tunnelled, Self::Separate, Self::InSetup];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::FastSeparate => "fast-separate",
            Self::Tunnelled => "tunnelled",
            Self::Separate => "separate",
            Self::InSetup => "in-setup",
        }
    }
}

/// One way of the mixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) codec: Option<CodecKind>,
    pub(super) start: Option<StartMode>,
    pub(super) weight: u64,
}

impl LoadArgs {
    pub(super) fn check(&self) -> Result<(), Failure> {
        let wrong = |why: &str| Err(Failure(why.to_owned()));
        if self.total.is_none() && self.lasting.is_none() {
            return wrong("how many calls? --total N, --for S, or both");
        }
        let ways = self.ways().len();
        if ways > MOST_WAYS {
            return Err(Failure(format!("{ways} ways in the mixes; {MOST_WAYS} are possible")));
        }
        let one_file = self.media.capture.is_some() || self.media.trace_arrivals.is_some();
        if ways > 1 && one_file {
            return wrong("--capture and --trace-arrivals write of one telephone: give no mixes beside them");
        }
        if ways > 1 && self.signalling.gatekeeper.gatekeeper.is_some() {
            return wrong("one registration is of one telephone: give no mixes beside --gatekeeper");
        }
        Ok(())
    }

    /// Every codec with every way to set up.
    pub(super) fn ways(&self) -> Vec<Way> {
        let codecs: Vec<_> = match self.codec_mix.as_slice() {
            [] => vec![(None, 1)],
            mix => mix.iter().map(|(codec, weight)| (Some(*codec), *weight)).collect(),
        };
        let starts: Vec<_> = match self.start_mix.as_slice() {
            [] => vec![(None, 1)],
            mix => mix.iter().map(|(mode, weight)| (Some(*mode), *weight)).collect(),
        };
        codecs
            .iter()
            .flat_map(|(codec, of_codec)| {
                starts.iter().map(|(start, of_start)| Way {
                    codec: *codec,
                    start: *start,
                    weight: u64::from(*of_codec) * u64::from(*of_start),
                })
            })
            .collect()
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number of calls a second".to_owned())?;
    if (0.001..=100_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("0.001 to 100000 calls a second".to_owned())
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=100_000_000) => Ok(number),
        _ => Err("1 or more".to_owned()),
    }
}

fn weighted<T>(text: &str, what: impl Fn(&str) -> Result<T, String>) -> Result<(T, u32), String> {
    let (name, weight) = text.split_once(':').unwrap_or((text, "1"));
    match weight.parse() {
        Ok(weight @ 1..=1_000_000) => Ok((what(name)?, weight)),
        _ => Err(format!("{weight}: a weight is 1 to 1000000")),
    }
}

fn weighted_codec(text: &str) -> Result<(CodecKind, u32), String> {
    weighted(text, codecs::parse)
}

fn weighted_start(text: &str) -> Result<(StartMode, u32), String> {
    weighted(text, |name| {
        let known = StartMode::ALL.into_iter().find(|mode| mode.name() == name);
        known.ok_or_else(|| format!("one of {}", StartMode::ALL.map(StartMode::name).join(", ")))
    })
}
