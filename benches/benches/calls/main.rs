//! Calls set up and released: the machines alone, joined in memory; two providers over TCP on loopback, fast start with
//! tunnelling, the media side a script that is always ready. Idle calls by the thousand: memory, threads, what they do.
//! Out: tables. Processor time is what counts (user and system, of the whole process): it says the same on a busy
//! machine. The floor, a bare TCP connection with two round trips, is measured in turns with the calls.
//!
//! `OFFHOOK_CALLS` says how many calls are timed over TCP (4,000), `OFFHOOK_IDLE` how many stand idle (10,000),
//! `OFFHOOK_IDLE_SECONDS` for how long these are watched (65: longer than any interval of theirs).
//!
//! `machines` joins two machines, `desk` two providers, `floor` is the bare connection, `idle` what stands.

mod desk;
mod floor;
mod idle;
mod machines;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use offhook_h323::Config;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;

/// Turns in which floor and calls are measured, one after the other.
const ROUNDS: usize = 4;

/// ooh323c, fast start, one call after the other: the most set-ups with release a second, measured once on another day.
const OOH323C: f64 = 1_263.0;

/// H323Plus, the least processor time a call and side, in µs, likewise.
const H323PLUS: f64 = 26_000.0;

/// Processor time of this process so far, all threads, user and system.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Where the `number`th connection goes: spread over 127/8, so that none meets what is left of one before it.
fn loopback(number: usize, port: u16) -> SocketAddr {
    let [.., b, c] = number.to_be_bytes();
    ([127, 1, b, c], port).into()
}

/// What so many set-ups cost.
#[derive(Default)]
struct Run {
    cpu: Duration,
    wall: Duration,
    /// From asking to connected, of each.
    latencies: Vec<Duration>,
}

impl Run {
    fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wall += other.wall;
        self.latencies.extend(other.latencies);
    }

    /// µs of processor time a call and side.
    fn side(&self) -> f64 {
        micros(self.cpu, 2 * self.latencies.len())
    }

    fn millis(&self, of_thousand: usize) -> f64 {
        let at = (self.latencies.len() * of_thousand / 1000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    fn print(&mut self, name: &str, floor: f64) {
        self.latencies.sort_unstable();
        println!(
            "  {name:<28} {:>9.1} {:>12.0} {:>9.2} {:>8.3} {:>8.3} {:>8.3} {:>11.0}",
            self.side(),
            1e6 / self.side(),
            self.side() / floor,
            self.millis(500),
            self.millis(900),
            self.millis(990),
            self.latencies.len() as f64 / self.wall.as_secs_f64(),
        );
    }
}

fn machines_alone(count: usize) -> Result<(), Box<dyn Error>> {
    println!("set-up and release, machines alone");
    println!("                                  µs CPU     calls/s    octets");
    println!("                             a call,side a core,side    a call");
    let fast = Config::default();
    let slow = Config { fast_start: false, ..Config::default() };
    for (name, config) in [("fast start, tunnelling", &fast), ("slow start, tunnelling", &slow)] {
        machines::run(config, count / 10)?;
        let (took, octets) = machines::run(config, count)?;
        let side = micros(took, 2 * count);
        println!("  {name:<28} {side:>9.1} {:>11.0} {:>9}", 1e6 / side, octets / count.max(1));
    }
    Ok(())
}

fn over_tcp(runtime: &Runtime, count: usize) -> Result<(), Box<dyn Error>> {
    const AT_ONCE: [usize; 3] = [1, 8, 32];
    floor::run(runtime, count / 10, 1)?;
    desk::calls(runtime, count / 10, 1)?;
    let mut floors = AT_ONCE.map(|_| Run::default());
    let mut calls = AT_ONCE.map(|_| Run::default());
    for _ in 0..ROUNDS {
        for (at, at_once) in AT_ONCE.into_iter().enumerate() {
            floors[at].add(floor::run(runtime, count.div_ceil(ROUNDS), at_once)?);
            calls[at].add(desk::calls(runtime, count.div_ceil(ROUNDS), at_once)?);
        }
    }
    println!(
        "\nover TCP on loopback, fast start, tunnelling; both sides in this process, a connection a call"
    );
    println!(
        "                                  µs CPU      calls/s  times its        set-up, ms         calls/s"
    );
    println!(
        "                             a call,side  a core,side     floor      p50      p90      p99  by the clock"
    );
    let base = floors.each_ref().map(Run::side);
    for (at, at_once) in AT_ONCE.into_iter().enumerate() {
        floors[at].print(&format!("floor, {at_once} at once"), base[at]);
    }
    for (at, at_once) in AT_ONCE.into_iter().enumerate() {
        calls[at].print(&format!("calls, {at_once} at once"), base[at]);
    }
    let side = calls[0].side();
    println!("  the floor: TCP connect, two round trips of 300 octets, close");
    println!(
        "  one after the other: {:.1} times the set-ups a second and core of ooh323c (frozen: 715-{OOH323C:.0}/s),",
        1e6 / side / OOH323C
    );
    println!("  1/{:.0} of H323Plus' processor time a call and side (frozen: 26 ms)", H323PLUS / side);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs it too: then a few calls are enough.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let count = number("OFFHOOK_CALLS", if is_bench { 4_000 } else { 20 });
    let wanted = number("OFFHOOK_IDLE", if is_bench { 10_000 } else { 20 });
    let seconds = number("OFFHOOK_IDLE_SECONDS", if is_bench { 65 } else { 0 });

    machines_alone(count)?;
    // As many threads as cores, which is what an application gets.
    let runtime = Runtime::new()?;
    over_tcp(&runtime, count)?;
    println!();
    idle::run(&runtime, idle::affordable(wanted), Duration::from_secs(seconds as u64))
}
