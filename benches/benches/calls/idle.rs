//! Calls that stand and say nothing: what they hold and what they do.
//! In: how many, for how long. Out: a line of memory, threads and processor time.

use std::error::Error;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;

use crate::{cpu, desk, micros};

/// Descriptors for all that is no call.
const SPARE: u64 = 64;

/// A line of /proc/self/status: kilobytes, or a number.
fn status(of: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(of));
    line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// As many calls as there may be descriptors for, two a call and some to spare.
pub(crate) fn affordable(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let most = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let calls = most.map_or(usize::MAX, |most| most.saturating_sub(SPARE) as usize / 2);
    if calls < wanted {
        println!(
            "{calls} idle calls in place of {wanted}: there may be {} descriptors; `ulimit -Hn {}` would do",
            most.unwrap_or_default(),
            2 * wanted as u64 + SPARE
        );
    }
    wanted.min(calls)
}

/// `count` calls that stand for `watched`.
pub(crate) fn run(runtime: &Runtime, count: usize, watched: Duration) -> Result<(), Box<dyn Error>> {
    let (before, threads) = (status("VmRSS"), status("Threads"));
    desk::standing(runtime, count, 64, || {
        let kilobytes = status("VmRSS").saturating_sub(before);
        let more = status("Threads").saturating_sub(threads);
        println!(
            "{count} idle calls: {:.1} KB a call and side, {more} threads more than without",
            kilobytes as f64 / (2 * count) as f64
        );
        let before = cpu();
        std::thread::sleep(watched);
        if !watched.is_zero() {
            let took = micros(cpu() - before, 2 * count) / watched.as_secs_f64();
            println!("  {took:.2} µs CPU a second, call and side, over {} s", watched.as_secs());
        }
    })
}
