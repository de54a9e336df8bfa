//! `offhook pdu check`: vector files in, verdicts out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use offhook_wire::pdu::vector::{Expectation, Row};
use serde_json::{Map, Value, json};

use super::super::{Failure, Outcome, say};
use super::args::CheckArgs;

/// Files beyond so many octets show how far they are, on a terminal.
const BIG: u64 = 1 << 20;

/// The longest row. A message of 64K has some 128K hexadecimal digits, and a value of about the same.
const MAX_ROW: usize = 16 << 20;

/// What came of a file.
#[derive(Default)]
struct Verdict {
    counts: BTreeMap<Expectation, usize>,
    rows: usize,
    failures: Vec<(String, String)>,
}

pub(super) fn run(args: &CheckArgs) -> Result<Outcome, Failure> {
    let mut failed = 0;
    let mut report = Vec::new();
    for file in &args.files {
        let began = Instant::now();
        let verdict = check(file)?;
        let ms = began.elapsed().as_millis() as u64;
        failed += verdict.failures.len();
        if args.json {
            report.push(verdict.to_json(file, ms));
        } else {
            say(verdict.text(file, ms))?;
        }
    }
    if args.json {
        say(format_args!("{:#}\n", Value::from(report)))?;
    }
    match failed {
        0 => Ok(Outcome::Done),
        1 => Err(Failure::new("1 row fails")),
        _ => Err(Failure(format!("{failed} rows fail"))),
    }
}

fn check(path: &Path) -> Result<Verdict, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|why| wrong(&why))?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = if length > BIG { ProgressBar::new(length) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {percent} %") {
        bar.set_style(style);
    }
    bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let mut verdict = Verdict::default();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|why| wrong(&why))?;
        if read == 0 {
            break;
        }
        if line.len() > MAX_ROW {
            return Err(wrong(&format_args!("line {number} is longer than {MAX_ROW} octets")));
        }
        bar.inc(read as u64);
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            verdict.take(number, &text);
        }
    }
    bar.finish_and_clear();
    if verdict.rows == 0 {
        return Err(wrong(&"no rows"));
    }
    Ok(verdict)
}

impl Verdict {
    fn take(&mut self, number: usize, line: &str) {
        self.rows += 1;
        let row: Row = match line.parse() {
            Ok(row) => row,
            Err(why) => {
                self.failures.push((format!("line {number}"), why));
                return;
            }
        };
        *self.counts.entry(row.expectation).or_default() += 1;
        // No row may make it panic; if one does, that row fails and the others are still told.
        let verified =
            catch_unwind(AssertUnwindSafe(|| row.verify())).unwrap_or_else(|_| Err("it panicked".to_owned()));
        if let Err(why) = verified {
            self.failures.push((row.id, why));
        }
    }

    fn text(&self, path: &Path, ms: u64) -> String {
        let counts: Vec<_> = self
            .counts
            .iter()
            .map(|(expectation, count)| format!("{count} {}", expectation.name()))
            .collect();
        let mut text = format!(
            "{}: {} rows ({}), {} pass, {} fail, {ms} ms\n",
            path.display(),
            self.rows,
            counts.join(", "),
            self.rows - self.failures.len(),
            self.failures.len(),
        );
        for (id, why) in &self.failures {
            text.push_str(&format!("  {id}: {why}\n"));
        }
        text
    }

    fn to_json(&self, path: &Path, ms: u64) -> Value {
        let counts: Map<_, _> = self
            .counts
            .iter()
            .map(|(expectation, count)| (expectation.name().to_owned(), Value::from(*count)))
            .collect();
        let failures: Vec<_> =
            self.failures.iter().map(|(id, why)| json!({ "id": id, "why": why })).collect();
        json!({
            "file": path.display().to_string(),
            "rows": self.rows,
            "counts": counts,
            "pass": self.rows - self.failures.len(),
            "fail": self.failures.len(),
            "ms": ms,
            "failures": failures,
        })
    }
}
