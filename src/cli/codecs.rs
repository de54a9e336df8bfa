//! `offhook codecs`: which codecs there are; and the names by which `--codec` takes them.
//! In: names, the build's list. Out: [`CodecKind`]s, a table, JSON.
//! Not here: what a call does with them (`offhook-msp`).

use std::fmt::Write as _;

use offhook::CodecKind;
use serde::Serialize;

use super::args::CodecsArgs;
use super::{Failure, Outcome, say};

/// Names that `--codec` takes, the one to show first; and what is to be known of a codec's licence.
const CODECS: &[(CodecKind, &[&str], &str)] = &[
    (CodecKind::Pcmu, &["pcmu", "ulaw", "g711u"], FREE),
    (CodecKind::Pcma, &["pcma", "alaw", "g711a"], FREE),
    (CodecKind::G722, &["g722"], EXPIRED),
    (CodecKind::Opus, &["opus", "opus-48"], OPUS),
    (CodecKind::OpusWideband, &["opus-16", "opus-wb"], OPUS),
    (CodecKind::OpusNarrowband, &["opus-8", "opus-nb"], OPUS),
    (CodecKind::Gsm, &["gsm", "gsm0610", "gsm-fr"], EXPIRED),
    (CodecKind::G726_32, &["g726-32", "g726"], EXPIRED),
    (CodecKind::G726_40, &["g726-40"], EXPIRED),
    (CodecKind::G726_24, &["g726-24"], EXPIRED),
    (CodecKind::G726_16, &["g726-16"], EXPIRED),
    (CodecKind::Aal2G726_32, &["aal2-g726-32", "aal2-g726"], EXPIRED),
    (CodecKind::Aal2G726_40, &["aal2-g726-40"], EXPIRED),
    (CodecKind::Aal2G726_24, &["aal2-g726-24"], EXPIRED),
    (CodecKind::Aal2G726_16, &["aal2-g726-16"], EXPIRED),
    (CodecKind::L16_16, &["l16-16", "l16", "l16/16000"], FREE),
    (CodecKind::L16_8, &["l16-8", "l16/8000"], FREE),
    (CodecKind::L16_48, &["l16-48", "l16/48000"], FREE),
    (CodecKind::L16_44, &["l16-44", "l16/44100"], FREE),
    (CodecKind::G729, &["g729", "g729a", "g729b"], "patents expired; no code of it here"),
    (CodecKind::G7231, &["g723", "g7231"], "patents expired; no code of it here"),
    (CodecKind::Ilbc30, &["ilbc", "ilbc-30"], "free (RFC 3951); no code of it here"),
    (CodecKind::Ilbc20, &["ilbc-20"], "free (RFC 3951); no code of it here"),
    (CodecKind::G7221_24, &["g7221-24"], "licensed by Polycom; no code of it here"),
    (CodecKind::G7221_32, &["g7221-32", "g7221"], "licensed by Polycom; no code of it here"),
    (CodecKind::Speex, &["speex", "speex-8"], "free (BSD); no code of it here"),
    (CodecKind::SpeexWideband, &["speex-16", "speex-wb"], "free (BSD); no code of it here"),
];

const FREE: &str = "free";
const EXPIRED: &str = "free: patents expired";
const OPUS: &str = "free: libopus (BSD), patents licensed royalty-free";

/// One codec, for `--json` and the table.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    aliases: &'static [&'static str],
    encoding: &'static str,
    payload_type: Option<u8>,
    clock_rate: u32,
    sample_rate: u32,
    packet_ms: u32,
    encode: bool,
    decode: bool,
    pass_through: bool,
    licence: &'static str,
}

impl Row {
    fn of((kind, names, licence): &(CodecKind, &'static [&'static str], &'static str)) -> Self {
        let (name, aliases) = names.split_first().map_or(("", names as &[_]), |(name, rest)| (*name, rest));
        let samples = kind.packet_samples(kind.default_frames_per_packet());
        let packet_ms = samples as u64 * 1_000 / u64::from(kind.sample_rate().max(1));
        Self {
            name,
            aliases,
            encoding: kind.name(),
            payload_type: kind.payload_type(),
            clock_rate: kind.clock_rate(),
            sample_rate: kind.sample_rate(),
            packet_ms: u32::try_from(packet_ms).unwrap_or(u32::MAX),
            encode: kind.is_runnable(),
            decode: kind.is_runnable(),
            pass_through: true,
            licence,
        }
    }
}

/// The codec of a name, if calls of this command can run it.
pub(super) fn parse(text: &str) -> Result<CodecKind, String> {
    let text = text.trim().to_ascii_lowercase();
    let found = CODECS.iter().find(|(_, names, _)| names.contains(&text.as_str()));
    match found {
        Some((kind, ..)) if kind.is_runnable() => Ok(*kind),
        Some((kind, ..)) => Err(format!(
            "{kind} is negotiated and passed through for applications that code it themselves; this command cannot"
        )),
        None => Err(format!("known codecs: {}", runnable().collect::<Vec<_>>().join(", "))),
    }
}

/// The name by which `--codec` takes a codec.
pub(super) fn name(kind: CodecKind) -> &'static str {
    let names = CODECS.iter().find(|(known, ..)| *known == kind).map(|(_, names, _)| *names);
    names.and_then(<[_]>::first).copied().unwrap_or_else(|| kind.name())
}

fn runnable() -> impl Iterator<Item = &'static str> {
    CODECS.iter().filter(|(kind, ..)| kind.is_runnable()).filter_map(|(_, names, _)| names.first().copied())
}

pub(super) fn run(args: &CodecsArgs) -> Result<Outcome, Failure> {
    let rows: Vec<Row> = CODECS.iter().map(Row::of).collect();
    if args.json {
        say(format_args!("{}\n", serde_json::to_string(&rows).map_err(Failure::new)?))?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    let line = |text: &mut String, cells: [&str; 6]| {
        let [name, number, clock, rate, does, licence] = cells;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<14}{number:>8}{clock:>9}{rate:>9}  {does:<20}{licence}");
    };
    line(&mut text, ["name", "payload", "clock", "samples", "does", "licence"]);
    for row in rows {
        let number = row.payload_type.map_or_else(|| "dynamic".to_owned(), |number| number.to_string());
        let does = if row.encode { "encodes, decodes" } else { "passes through" };
        let (clock, rate) = (row.clock_rate.to_string(), row.sample_rate.to_string());
        line(&mut text, [row.name, &number, &clock, &rate, does, row.licence]);
    }
    say(text)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_of_the_build_has_names_that_are_its_own() {
        for kind in CodecKind::KNOWN {
            assert_eq!(CODECS.iter().filter(|(known, ..)| known == kind).count(), 1, "{kind:?}");
        }
        let names: Vec<&str> = CODECS.iter().flat_map(|(_, names, _)| names.iter().copied()).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
        }
        for (kind, names, _) in CODECS {
            for name in *names {
                match parse(&name.to_uppercase()) {
                    Ok(found) => assert_eq!(found, *kind),
                    Err(why) => assert!(!kind.is_runnable() && why.contains("passed through"), "{why}"),
                }
            }
        }
        assert!(parse("opal").is_err_and(|why| why.contains("opus") && !why.contains("g729")));
    }
}
