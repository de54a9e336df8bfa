//! Calls over UDP on loopback, driven by the headless ticker or as two sound cards would, to be watched from outside:
//! by `scripts/syscalls` (strace), by perf, by anything that counts.
//! In: how many, for how long. Out: two words on the standard output, `steady` and `done`, around what is to be watched;
//! then a report.
//!
//! With `--cards` two legs more have their halves driven by a thread each, as capture and playback callbacks would, with a
//! system call that nothing else makes before (`getppid`) and after (`getpgid`) each: marks in a trace.
//! Not here: signalling, RTCP, real sound cards.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use benches::{Leg, RATE, udp_legs};
use clap::Parser;
use offhook_engine::{Ticker, TickerConfig, monotonic_ns};

/// Calls over UDP on loopback, to be watched from outside.
#[derive(Debug, Parser)]
struct Arguments {
    /// Legs; each hears one other.
    #[arg(long, default_value_t = 8)]
    legs: usize,
    /// Seconds between `steady` and `done`.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before `steady`.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Milliseconds between ticks, or of a card's period.
    #[arg(long, default_value_t = 10)]
    period: u64,
    /// Two legs more, each half driven by a thread of its own as by a sound card, with marks.
    #[arg(long)]
    cards: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let period = Duration::from_millis(arguments.period);
    let config = TickerConfig { threads: 1, period, max_calls: arguments.legs, ..TickerConfig::default() };
    let ticker = Ticker::start(config)?;
    let mut legs = udp_legs(arguments.legs + 2 * usize::from(arguments.cards), None)?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut cards = Vec::new();
    let mut driven = Vec::new();
    for leg in legs.drain(..) {
        let Leg { control, tx, rx } = leg;
        if driven.len() < arguments.legs {
            let handle = ticker.add(Some(tx), Some(rx))?;
            driven.push((control, Some(handle)));
            continue;
        }
        cards.push(card("capture", tx, period, Arc::clone(&stop), |tx, now_ns, block| {
            tx.process(now_ns, block)
        })?);
        cards.push(card("playback", rx, period, Arc::clone(&stop), |rx, now_ns, block| {
            rx.process(now_ns, block)
        })?);
        driven.push((control, None));
    }
    std::thread::sleep(Duration::from_secs_f64(arguments.warm_up));
    let before = sums(&driven);
    println!("steady");
    std::thread::sleep(Duration::from_secs_f64(arguments.seconds));
    println!("done");
    let after = sums(&driven);
    stop.store(true, Ordering::Relaxed);
    for card in cards {
        card.join().map_err(|_| "a card's thread has failed")?;
    }
    let report = ticker.report();
    println!(
        "{} legs, {:?}: {} packets sent, {} received",
        driven.len(),
        report.scheduling,
        after[0] - before[0],
        after[1] - before[1]
    );
    println!(
        "ticks {}, caught up {}, skipped {}; late p50 {} µs, p99 {} µs, max {} µs; busy max {} µs",
        report.ticks,
        report.caught_up,
        report.skipped,
        report.lateness.quantile_ns(0.5) / 1_000,
        report.lateness.quantile_ns(0.99) / 1_000,
        report.lateness.max_ns / 1_000,
        report.max_busy_ns / 1_000,
    );
    Ok(())
}

/// Packets sent and accepted by all.
fn sums<H>(driven: &[(offhook_engine::Control, H)]) -> [u64; 2] {
    let meters = || driven.iter().map(|(control, _)| control.meters());
    [meters().map(|m| m.tx().packets_sent).sum(), meters().map(|m| m.rx().receiver.accepted).sum()]
}

/// A thread that calls as a sound card's callback would, between marks.
fn card<T: Send + 'static>(
    name: &str,
    mut half: T,
    period: Duration,
    stop: Arc<AtomicBool>,
    mut call: impl FnMut(&mut T, u64, &mut [i16]) + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(format!("card-{name}")).spawn(move || {
        let mut block = vec![0; (u64::from(RATE) * period.as_millis() as u64 / 1_000) as usize];
        while !stop.load(Ordering::Relaxed) {
            black_box(rustix::process::getppid());
            call(&mut half, monotonic_ns(), &mut block);
            black_box(rustix::process::getpgid(None).is_ok());
            std::thread::sleep(period);
        }
    })
}
