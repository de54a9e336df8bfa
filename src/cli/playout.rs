//! `offhook playout`: the playout engine offline, on a virtual clock, fed with a trace of arrivals.
//!
//! In: a trace, and payloads as recorded or speech to encode. Out: what a listener would have heard, and counts.
//! Every 10 ms of virtual time the packets that have arrived are inserted, in the order of arrival and with their true
//! times; then 10 ms are pulled, until the last packet has been sent.
//! Not here: playout (`jitter`), how well it sounds.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use offhook::{CodecKind, CodecSettings};
use offhook_codecs::Resampler;
use offhook_jitter::{PacketKind, Playout, PlayoutConfig, PlayoutPacket};
use serde_json::json;

use super::{Failure, Outcome, codecs, leg, say};

/// The largest payload file or WAV file that is read, in octets; rows of a trace.
const MAX_FILE: u64 = 1 << 30;
const MAX_ROWS: usize = 10_000_000;
/// The latest time in a trace: six hours, which are 2 GiB of sound at 48 kHz.
const MAX_MS: f64 = 6.0 * 3_600_000.0;

#[derive(Debug, Args)]
pub(crate) struct PlayoutArgs {
    /// When each packet was sent and came: `seq,timestamp,send_ms,arrival_ms`, `lost` where it did not; timestamps in
    /// 8 kHz. Lines that begin with # and the header are passed over
    #[arg(long, value_name = "T.csv")]
    trace: PathBuf,
    /// Payloads: 16 bits of length, the lower octet first, and as many octets, again and again; packet N of the trace
    /// carries payload N, counted round
    #[arg(long, value_name = "P.pkt", required_unless_present = "wav")]
    payload: Option<PathBuf>,
    /// Speech to encode, counted round, instead of payloads
    #[arg(long, value_name = "CLEAN.wav", conflicts_with = "payload")]
    wav: Option<PathBuf>,
    /// What the payloads are (see `offhook codecs`)
    #[arg(long, value_name = "CODEC", value_parser = codecs::parse)]
    codec: CodecKind,
    /// What is heard: 16 bit, mono, at the codec's rate, silence until playout begins
    #[arg(long, value_name = "OUT.wav")]
    out: PathBuf,
    /// Counts as JSON
    #[arg(long, value_name = "STATS.json")]
    stats: PathBuf,
    /// The least target delay, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    min_delay: u32,
    /// The greatest target delay, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    max_delay: u32,
    /// Print the counts on standard output, too
    #[arg(long)]
    json: bool,
}

/// A row of the trace.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    sequence: u64,
    /// In 8 kHz.
    timestamp: u64,
    send_ms: f64,
    /// None: lost.
    arrival_ms: Option<f64>,
}

/// Runs the instrument.
pub(super) fn run(args: &PlayoutArgs) -> Result<Outcome, Failure> {
    leg::apart(&[
        ("--trace", Some(&args.trace)),
        ("--payload", args.payload.as_deref()),
        ("--wav", args.wav.as_deref()),
        ("--out", Some(&args.out)),
        ("--stats", Some(&args.stats)),
    ])?;
    let rows = read_trace(&args.trace)?;
    let payloads = match (&args.payload, &args.wav) {
        (Some(file), _) => read_payloads(file)?,
        (None, Some(file)) => encode(file, args.codec, packet_ms(&rows))?,
        (None, None) => return Err(Failure::new("--payload or --wav")),
    };
    let named = |why: String| Failure(format!("{}: {why}", args.codec.name()));
    let config = PlayoutConfig {
        min_delay_ms: args.min_delay,
        max_delay_ms: args.max_delay,
        initial_delay_ms: args.min_delay,
        ..PlayoutConfig::for_codec(args.codec)
    };
    let decoder = args.codec.decoder().map_err(|why| named(why.to_string()))?;
    let playout = Playout::new(config, decoder).map_err(|why| named(why.to_string()))?;
    let rate = args.codec.sample_rate();
    let (heard, stats) = play(playout, args.codec, &rows, &payloads);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let out = |why: hound::Error| Failure(format!("{}: {why}", args.out.display()));
    let mut wav = hound::WavWriter::create(&args.out, spec).map_err(out)?;
    for sample in heard {
        wav.write_sample(sample).map_err(out)?;
    }
    wav.finalize().map_err(out)?;
    let named = |why: std::io::Error| Failure(format!("{}: {why}", args.stats.display()));
    let mut file = File::create(&args.stats).map_err(named)?;
    writeln!(file, "{stats}").map_err(named)?;
    if args.json {
        say(format_args!("{stats}\n"))?;
    }
    Ok(Outcome::Done)
}

/// What a listener hears, and counts.
fn play(
    mut playout: Playout,
    codec: CodecKind,
    rows: &[Row],
    payloads: &[Vec<u8>],
) -> (Vec<i16>, serde_json::Value) {
    let mut arrivals: Vec<(f64, &Row)> = rows.iter().filter_map(|row| Some((row.arrival_ms?, row))).collect();
    arrivals.sort_by(|(a, one), (b, other)| a.total_cmp(b).then(one.sequence.cmp(&other.sequence)));
    let end = rows.last().map_or(0.0, |row| row.send_ms);
    let ticks = (end / 10.0) as usize;
    let block = codec.sample_rate() as usize / 100;
    let mut heard = vec![0; ticks * block];
    let mut arrived = arrivals.iter().peekable();
    let (mut received, mut costs, mut cost) = (0u64, Vec::with_capacity(ticks / 2 + 1), 0);
    for (tick, out) in heard.chunks_exact_mut(block).enumerate() {
        let now_ms = tick as f64 * 10.0;
        let began = Instant::now();
        while let Some((at, row)) = arrived.next_if(|(at, _)| *at <= now_ms) {
            let Some(payload) = payloads.get(row.sequence as usize % payloads.len().max(1)) else { continue };
            received += 1;
            // Timestamps count round, as RTP's do.
            let timestamp = (row.timestamp.wrapping_mul(u64::from(codec.clock_rate())) / 8_000) as u32;
            playout.insert(PlayoutPacket {
                sequence: row.sequence as u16,
                timestamp,
                kind: PacketKind::Sound,
                marker: false,
                payload,
                arrival_ns: (at * 1e6) as u64,
            });
        }
        playout.pull((now_ms * 1e6) as u64, out);
        cost += began.elapsed().as_nanos() as u64;
        if tick % 2 == 1 {
            costs.push(std::mem::take(&mut cost));
        }
    }
    costs.sort_unstable();
    let mean = costs.iter().sum::<u64>() as f64 / costs.len().max(1) as f64;
    let at = |share: f64| costs.get((costs.len() as f64 * share) as usize).copied().unwrap_or_default();
    let stats = playout.stats();
    let discarded =
        stats.packets_late + stats.packets_discarded + stats.packets_duplicate + stats.packets_malformed;
    let what = json!({
        "rx": received,
        "discarded": discarded,
        "out_samples": stats.samples_total,
        "concealed": stats.samples_concealed + stats.samples_muted,
        "accel": stats.samples_accelerated,
        "decel": stats.samples_expanded,
        "cpu_ns_mean": mean.round(),
        "cpu_ns_p50": at(0.5),
        "cpu_ns_p99": at(0.99),
        "cpu_ns_max": costs.last().copied().unwrap_or_default(),
        "late": stats.packets_late,
        "duplicate": stats.packets_duplicate,
        "malformed": stats.packets_malformed,
        "resets": stats.resets,
        "recovered": stats.packets_recovered,
        "noise": stats.samples_noise,
        "silence": stats.samples_silence,
        "concealment_events": stats.concealment_events,
        "min_delay_us": stats.min_delay_us,
        "max_delay_us": stats.max_delay_us,
    });
    (heard, what)
}

fn read_trace(path: &Path) -> Result<Vec<Row>, Failure> {
    let failed = |why: String| Failure(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|why| failed(why.to_string()))?;
    let mut rows = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|why| failed(why.to_string()))?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("seq") {
            continue;
        }
        let row = row(line).ok_or_else(|| {
            failed(format!("line {}: {line:?} is not seq,timestamp,send_ms,arrival_ms (or lost)", at + 1))
        })?;
        if rows.len() == MAX_ROWS {
            return Err(failed(format!("more than {MAX_ROWS} packets")));
        }
        rows.push(row);
    }
    if rows.is_empty() { Err(failed("no packet in it".to_owned())) } else { Ok(rows) }
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split(',').map(str::trim);
    let (sequence, timestamp) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let ms = |text: &str| text.parse::<f64>().ok().filter(|ms| (-1e3..MAX_MS).contains(ms));
    let send_ms = ms(fields.next()?)?;
    let arrival_ms = match fields.next()? {
        "lost" => None,
        text => Some(ms(text)?.max(0.0)),
    };
    fields.next().is_none().then_some(Row { sequence, timestamp, send_ms, arrival_ms })
}

/// What a packet lasts, from the first two timestamps; 20 ms if there are no two.
fn packet_ms(rows: &[Row]) -> u64 {
    match rows {
        [first, second, ..] if second.timestamp > first.timestamp => {
            ((second.timestamp - first.timestamp) / 8 / second.sequence.saturating_sub(first.sequence).max(1))
                .clamp(1, 120)
        }
        _ => 20,
    }
}

fn read_payloads(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let failed = |why: String| Failure(format!("{}: {why}", path.display()));
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|why| failed(why.to_string()))?;
    file.take(MAX_FILE).read_to_end(&mut octets).map_err(|why| failed(why.to_string()))?;
    let (mut payloads, mut rest) = (Vec::new(), octets.as_slice());
    while let [low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let (payload, behind) = after
            .split_at_checked(length)
            .ok_or_else(|| failed(format!("payload {} is cut short", payloads.len())))?;
        payloads.push(payload.to_vec());
        rest = behind;
    }
    if payloads.is_empty() || !rest.is_empty() {
        return Err(failed("not a file of payloads".to_owned()));
    }
    Ok(payloads)
}

/// Encodes a WAV file in packets of so many milliseconds; what is left at its end is filled with silence.
fn encode(path: &Path, codec: CodecKind, ms: u64) -> Result<Vec<Vec<u8>>, Failure> {
    let failed = |why: String| Failure(format!("{}: {why}", path.display()));
    if std::fs::metadata(path).map_err(|why| failed(why.to_string()))?.len() > MAX_FILE {
        return Err(failed("too long".to_owned()));
    }
    let mut reader = hound::WavReader::open(path).map_err(|why| failed(why.to_string()))?;
    let spec = reader.spec();
    if spec.channels != 1 || spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
        return Err(failed("not 16-bit mono".to_owned()));
    }
    let read: Result<Vec<i16>, _> = reader.samples::<i16>().collect();
    let mut samples = read.map_err(|why| failed(why.to_string()))?;
    let rate = codec.sample_rate();
    if spec.sample_rate != rate {
        let mut resampler = Resampler::new(spec.sample_rate, rate).map_err(|why| failed(why.to_string()))?;
        let mut resampled = vec![0; resampler.output_len(samples.len())];
        let done = resampler.process(&samples, &mut resampled);
        resampled.truncate(done.produced);
        samples = resampled;
    }
    let wanted = usize::try_from(u64::from(rate) * ms / 1_000).unwrap_or(usize::MAX);
    let packet = codec.whole_packet(wanted);
    if packet != wanted {
        return Err(Failure(format!("{} has no packets of {ms} ms", codec.name())));
    }
    samples.resize(samples.len().next_multiple_of(packet).max(packet), 0);
    let mut encoder = codec
        .encoder_with(&CodecSettings::default())
        .map_err(|why| Failure(format!("{}: {why}", codec.name())))?;
    let mut octets = vec![0; 64 * 1024];
    let mut payloads = Vec::with_capacity(samples.len() / packet);
    for block in samples.chunks_exact(packet) {
        let length = encoder.encode(block, &mut octets).map_err(|why| failed(why.to_string()))?;
        payloads.push(octets.get(..length).unwrap_or_default().to_vec());
    }
    Ok(payloads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_what_is_none_is_refused() {
        let read = row("1,160,20.000,70.428");
        assert_eq!(read, Some(Row { sequence: 1, timestamp: 160, send_ms: 20.0, arrival_ms: Some(70.428) }));
        assert_eq!(row("2, 320, 40, lost").map(|row| row.arrival_ms), Some(None));
        for bad in
            ["", "1", "1,2,3", "1,2,3,4,5", "-1,2,3,4", "1,2,x,4", "1,2,3,gone", "1,2,NaN,4", "1,2,3,inf"]
        {
            assert_eq!(row(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_packet_length_is_the_trace_s() {
        let row = |sequence, timestamp| Row { sequence, timestamp, send_ms: 0.0, arrival_ms: None };
        assert_eq!(packet_ms(&[row(0, 0), row(1, 80)]), 10);
        assert_eq!(packet_ms(&[row(0, 0), row(2, 640)]), 40);
        assert_eq!(packet_ms(&[row(0, 0)]), 20);
    }
}
