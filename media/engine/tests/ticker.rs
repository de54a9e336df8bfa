//! The ticker by real time: counts only, for no machine promises when it runs whom.

mod support;

use std::time::{Duration, Instant};

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_engine::{
    AddError, EngineConfig, Recorder, RxCommand, RxFormat, Scheduling, Sink, Ticker, TickerConfig,
    TickerError, split,
};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

/// A sink that proves that the ticker's thread calls it without allocating anything around it.
struct Trapped<S>(S);

impl<S: Sink> Sink for Trapped<S> {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        assert_no_alloc(|| self.0.write(played_ns, block));
    }
}

fn config() -> TickerConfig {
    TickerConfig { threads: 2, period: Duration::from_millis(5), max_calls: 3, ..TickerConfig::default() }
}

fn wait_for(mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < give_up, "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn calls_are_driven_until_their_handle_takes_them_back() {
    let ticker = Ticker::start(config()).unwrap();
    let mut calls = Vec::new();
    for _ in 0..6 {
        let (mut control, tx, rx) = split(EngineConfig::new(8_000));
        let (recorder, sink) = Recorder::new(80_000);
        control.add_sink(Box::new(Trapped(sink))).ok().unwrap();
        let format = RxFormat::new(offhook_codecs::CodecKind::Pcmu, 0).unwrap();
        control.rx(RxCommand::SetFormat(Box::new(format))).unwrap();
        control.rx(RxCommand::Start).unwrap();
        let handle = ticker.add(Some(tx), Some(rx)).unwrap();
        calls.push((control, recorder, handle));
    }
    wait_for(|| calls.iter().all(|(control, ..)| control.meters().rx().blocks >= 20));
    assert_eq!(ticker.report().legs, 6);
    let (_, tx, rx) = split(EngineConfig::new(8_000));
    match ticker.add(Some(tx), Some(rx)) {
        Err(AddError::TooMany { leg, max: 3 }) => assert!(leg.tx.is_some() && leg.rx.is_some()),
        other => panic!("{other:?}"),
    }
    for (control, recorder, handle) in calls {
        let leg = handle.remove().unwrap();
        let (tx, rx) = (control.meters().tx(), control.meters().rx());
        assert_eq!(tx.blocks, rx.blocks, "both halves were driven alike");
        // Every block is 5 ms; the recorder hears all after its start.
        assert_eq!(recorder.meters().samples % 40, 0);
        assert!(recorder.meters().samples >= 19 * 40 && recorder.meters().first_sample_ns.is_some());
        assert!(leg.tx.is_some() && leg.rx.is_some());
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(control.meters().rx().blocks, rx.blocks, "it is not driven any more");
    }
    let (control, tx, _) = split(EngineConfig::new(8_000));
    let handle = ticker.add(Some(tx), None).unwrap();
    wait_for(|| control.meters().tx().blocks > 0);
    drop(handle);
    wait_for(|| ticker.report().legs == 0);
}

#[test]
fn no_tick_is_lost_unseen_and_every_wake_is_in_the_histogram() {
    let ticker = Ticker::start(TickerConfig { threads: 1, ..config() }).unwrap();
    let (control, tx, rx) = split(EngineConfig::new(8_000));
    let started = Instant::now();
    let handle = ticker.add(Some(tx), Some(rx)).unwrap();
    wait_for(|| control.meters().rx().blocks >= 100);
    let elapsed = started.elapsed();
    let report = ticker.report();
    let blocks = control.meters().rx().blocks;
    // By the grid, one tick each 5 ms: no more ran than time allows, whatever the machine did.
    assert!(blocks as u128 <= elapsed.as_millis() / 5 + 2, "{blocks} in {elapsed:?}");
    assert_eq!(control.meters().tx().samples_skipped / 40, report.skipped);
    assert_eq!(report.lateness.counts.iter().sum::<u64>(), report.wakes);
    assert!(report.wakes <= report.ticks && report.ticks >= 100);
    assert!(report.lateness.quantile_ns(0.5) <= report.lateness.quantile_ns(0.99));
    assert!(report.lateness.quantile_ns(1.0) <= report.lateness.max_ns.max(10_000));
    assert!(report.max_busy_ns <= report.busy_ns);
    match &report.scheduling[..] {
        [Scheduling::RealTime { priority: 60 }] => {}
        [Scheduling::Ordinary { why }] => assert!(why.contains("CAP_SYS_NICE"), "{why}"),
        other => panic!("{other:?}"),
    }
    drop(handle);
}

#[test]
fn a_stopped_ticker_hands_its_calls_back() {
    let ticker = Ticker::start(TickerConfig { priority: None, ..config() }).unwrap();
    let (_control, tx, _) = split(EngineConfig::new(8_000));
    let handle = ticker.add(Some(tx), None).unwrap();
    drop(ticker);
    let leg = handle.remove().unwrap();
    assert!(leg.tx.is_some() && leg.rx.is_none());
}

#[test]
fn an_unusable_period_is_refused() {
    let config = TickerConfig { period: Duration::from_micros(10), ..TickerConfig::default() };
    assert!(matches!(Ticker::start(config), Err(TickerError::Period(_))));
}
