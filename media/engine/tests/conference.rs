//! The mixer bus: everybody hears the sum of the others, sample for sample, in the same tick, whoever comes and goes.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, Driver, LinkConfig, Party, link};
use offhook_engine::{
    AddError, BusConfig, BusControl, BusPort, BusProcessor, EngineConfig, Gain, JoinError, Ticker,
    TickerConfig, bus, split,
};
use proptest::prelude::*;
use support::{MS, Setup, World, at, speech, steepest, through};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

fn small(max_participants: usize) -> (BusControl, BusProcessor) {
    bus(BusConfig { max_participants, ..BusConfig::new(8_000) })
}

/// One tick by hand: everybody speaks, the bus mixes, everybody listens.
fn tick(bus: &mut BusProcessor, ports: &mut [BusPort], said: &[&[i16]], heard: &mut [Vec<i16>]) {
    let len = said[0].len();
    let mut outs = vec![vec![0; len]; ports.len()];
    assert_no_alloc(|| {
        for (port, said) in ports.iter_mut().zip(said) {
            port.sink.write(0, said);
        }
        bus.process(len);
        for (port, out) in ports.iter_mut().zip(&mut outs) {
            let filled = port.source.fill(0, out);
            out[filled..].fill(0);
        }
    });
    heard.iter_mut().zip(outs).for_each(|(heard, out)| heard.extend(out));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any samples, any blocks: what each hears is the naive sum of the others.
    #[test]
    fn everybody_hears_the_naive_sum_of_the_others(
        people in 1usize..8,
        blocks in prop::collection::vec(1usize..250, 1..8),
        seed in any::<u32>(),
    ) {
        let (mut control, mut processor) = small(8);
        let mut ports: Vec<_> = (0..people).map(|_| control.join(8_000, Gain::UNITY).unwrap()).collect();
        let total: usize = blocks.iter().sum();
        let mut state = seed;
        let said: Vec<Vec<i16>> = (0..people).map(|_| (0..total).map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Zero at first: nothing is joined to the silence before.
            if n == 0 { 0 } else { (state >> 16) as i16 }
        }).collect()).collect();
        let mut heard = vec![Vec::new(); people];
        let mut from = 0;
        for len in blocks {
            // Longer than the bus' own blocks at times.
            for (from, len) in [(from, len / 2), (from + len / 2, len - len / 2)] {
                if len > 0 {
                    let now: Vec<&[i16]> = said.iter().map(|all| &all[from..from + len]).collect();
                    tick(&mut processor, &mut ports, &now, &mut heard);
                }
            }
            from += len;
        }
        // What one hears begins with a seam unless its first sample is zero, which it is.
        for (n, heard) in heard.iter().enumerate() {
            let want: Vec<i16> = (0..total).map(|at| {
                let others = said.iter().enumerate().filter(|(other, _)| *other != n);
                others.map(|(_, all)| i32::from(all[at])).sum::<i32>().clamp(-32_768, 32_767) as i16
            }).collect();
            prop_assert_eq!(heard, &want);
        }
        for port in &ports {
            let meters = control.participant(port.id).unwrap();
            prop_assert_eq!((meters.said.samples, meters.said.gaps, meters.said.dropped), (total as u64, 0, 0));
            prop_assert_eq!((meters.heard.samples, meters.heard.gaps, meters.heard.dropped), (total as u64, 0, 0));
        }
    }
}

#[test]
fn gains_mutes_joins_and_leaves_are_ramps_and_meters_follow() {
    let (mut control, mut processor) = small(3);
    let mut ports: Vec<_> = (0..2).map(|_| control.join(8_000, Gain::UNITY).unwrap()).collect();
    let [a, b] = [ports[0].id, ports[1].id];
    let mut heard = vec![Vec::new(); 3];
    let mut run = |processor: &mut BusProcessor, ports: &mut [BusPort], ticks: usize| {
        for _ in 0..ticks {
            let said: [&[i16]; 3] = [&[8_000; 80], &[-3_000; 80], &[1_000; 80]];
            tick(processor, ports, &said[..ports.len()], &mut heard[..ports.len()]);
        }
        heard.iter().map(|all| all.last().copied().unwrap_or(0)).collect::<Vec<i16>>()
    };
    assert_eq!(run(&mut processor, &mut ports, 20), [-3_000, 8_000, 0]);
    let level = control.participant(a).unwrap().level.rms_dbfs;
    assert!((level - 20.0 * (8_000f32 / 32_768.0).log10()).abs() < 0.1, "{level}");
    control.set_said(a, Gain::from_factor(0.5)).unwrap();
    control.set_heard(a, Gain::from_factor(2.0)).unwrap();
    assert_eq!(run(&mut processor, &mut ports, 20), [-6_000, 4_000, 0]);
    let level = control.participant(a).unwrap().level.rms_dbfs;
    assert!((level - 20.0 * (4_000f32 / 32_768.0).log10()).abs() < 0.1, "after the gain: {level}");
    control.set_said(a, Gain::MUTE).unwrap();
    control.set_heard(a, Gain::UNITY).unwrap();
    assert_eq!(run(&mut processor, &mut ports, 20), [-3_000, 0, 0]);
    assert_eq!(control.participant(a).unwrap().level.rms_dbfs, -127.0);
    control.set_said(a, Gain::UNITY).unwrap();
    ports.push(control.join(8_000, Gain::UNITY).unwrap());
    assert_eq!(control.join(8_000, Gain::UNITY).unwrap_err(), JoinError::TooMany(3));
    assert_eq!(run(&mut processor, &mut ports, 5), [-2_000, 9_000, 5_000]);
    control.leave(b).unwrap();
    assert_eq!(control.participant(b), None);
    assert_eq!(run(&mut processor, &mut ports, 5), [1_000, 0, 8_000]);
    assert!(control.is_settled());
    assert_eq!((control.collect(), control.meters().participants), (1, 2));
    // Its place is free; an unknown name is no error, a rate that cannot be had is one.
    control.leave(b).unwrap();
    assert!(matches!(control.join(12_345, Gain::UNITY), Err(JoinError::Rate(_))));
    control.join(8_000, Gain::UNITY).unwrap();
    // No step is steeper than full ramps of all at once allow: (8000 + 3000 + 1000) in 40 samples, twice for gains.
    for all in &heard {
        assert!(steepest(all) <= 650, "{}", steepest(all));
    }
}

#[test]
fn somebody_amplified_beyond_full_scale_is_saturated_once_and_only_in_what_is_heard() {
    let (mut control, mut processor) = small(3);
    let mut ports: Vec<_> = (0..3).map(|_| control.join(8_000, Gain::UNITY).unwrap()).collect();
    control.set_said(ports[0].id, Gain::from_factor(2.0)).unwrap();
    let mut heard = vec![Vec::new(); 3];
    for _ in 0..5 {
        tick(&mut processor, &mut ports, &[&[30_000; 80], &[-32_000; 80], &[0; 80]], &mut heard);
    }
    // 60,000 alone is too loud, together with −32,000 it is not.
    let last: Vec<i16> = heard.iter().map(|all| all[399]).collect();
    assert_eq!(last, [-32_000, 32_767, 28_000]);
}

#[test]
fn calls_of_three_rates_meet() {
    let (mut control, mut processor) = bus(BusConfig::new(16_000));
    let rates = [8_000usize, 16_000, 48_000];
    let mut ports: Vec<_> =
        rates.iter().map(|rate| control.join(*rate as u32, Gain::UNITY).unwrap()).collect();
    // The first says 400 Hz, the others nothing.
    let tone = |n: usize, rate: usize| {
        (9_000.0 * (n as f64 * 400.0 / rate as f64 * std::f64::consts::TAU).sin()) as i16
    };
    let mut heard = vec![Vec::new(); 3];
    for block in 0..100 {
        for (n, (port, rate)) in ports.iter_mut().zip(rates).enumerate() {
            let len = rate / 100;
            let said: Vec<i16> =
                (0..len).map(|at| if n == 0 { tone(block * len + at, rate) } else { 0 }).collect();
            assert_no_alloc(|| port.sink.write(0, &said));
        }
        assert_no_alloc(|| processor.process(160));
        for ((port, rate), heard) in ports.iter_mut().zip(rates).zip(&mut heard) {
            let mut out = vec![0; rate / 100];
            assert_no_alloc(|| port.source.fill(0, &mut out));
            heard.extend(out);
        }
    }
    assert!(heard[0].iter().all(|x| x.abs() <= 1), "its own voice");
    for (rate, filters) in [(16_000usize, 1), (48_000, 2)] {
        let all = &heard[usize::from(rate == 48_000) + 1];
        let delay = rate * 3 * filters / 2_000;
        let best = (0..rate / 100)
            .map(|more| {
                let at = delay + more;
                (rate / 4..rate / 2).map(|n| (all[n] - tone(n - at, rate)).unsigned_abs()).max().unwrap()
            })
            .min()
            .unwrap();
        assert!(best < 150, "{rate} Hz: {best}");
        assert!(steepest(all) < 4_000, "{rate} Hz");
    }
    for port in &ports {
        let meters = control.participant(port.id).unwrap();
        assert_eq!((meters.said.gaps, meters.heard.dropped), (0, 0), "{meters:?}");
    }
}

#[test]
fn participants_on_clocks_of_their_own_wait_a_bounded_while_and_cost_a_gap_now_and_then() {
    for drift_ppm in [-200i64, 0, 200] {
        let (mut control, mut processor) = small(2);
        let mut card = control.join(8_000, Gain::UNITY).unwrap();
        let mut desk = control.join(8_000, Gain::UNITY).unwrap();
        let mut heard = Vec::new();
        // The card calls every 16 ms by its own clock, the bus every 10 ms; ten minutes.
        let (mut card_ns, mut now_ns, mut n) = (3_000_000i64, 0i64, 0usize);
        while now_ns < 600_000_000_000 {
            now_ns += 10_000_000;
            while card_ns < now_ns {
                card_ns += 16_000_000 + 16_000_000 * drift_ppm / 1_000_000;
                let block: [i16; 128] =
                    std::array::from_fn(|k| (6_000.0 * ((n + k) as f64 * 0.05).sin()) as i16);
                n += 128;
                let mut out = [0; 128];
                assert_no_alloc(|| {
                    card.sink.write(0, &block);
                    card.source.fill(0, &mut out);
                });
            }
            let mut out = [0; 80];
            assert_no_alloc(|| {
                processor.process(80);
                desk.source.fill(0, &mut out);
                desk.sink.write(0, &[100; 80]);
            });
            heard.extend(out);
        }
        let meters = control.participant(card.id).unwrap();
        // 0.12 s of drift in ten minutes are 960 samples: as many are missing or too many, in small pieces.
        for way in [meters.said, meters.heard] {
            assert!(way.starved + way.dropped <= 1_300, "{drift_ppm} ppm: {meters:?}");
            assert!(way.gaps <= 80, "{drift_ppm} ppm: {meters:?}");
        }
        let written = n as u64;
        let waiting = written - meters.said.samples - meters.said.dropped;
        assert!(waiting <= 320 + 128, "{drift_ppm} ppm: {waiting} wait");
        // 300 a sample by itself, and a fade of twice the loudness in 40.
        assert!(steepest(&heard) <= 310 + 310, "{drift_ppm} ppm: {}", steepest(&heard));
    }
}

#[test]
fn a_card_of_long_periods_takes_part_without_a_loss_and_a_stall_does_not_stay_as_delay() {
    for period in [2, 4, 6, 8, 10] {
        let (mut control, mut processor) = small(2);
        let mut card = control.join(8_000, Gain::UNITY).unwrap();
        let mut desk = control.join(8_000, Gain::UNITY).unwrap();
        let mut settled = None;
        for tick in 0..3_000 {
            assert_no_alloc(|| {
                desk.sink.write(0, &[100; 80]);
                if tick % period == 0 {
                    // In blocks of 20 ms, as a receiving half writes and a sending half asks.
                    for _ in 0..period / 2 {
                        card.sink.write(0, &[200; 160]);
                        card.source.fill(0, &mut [0; 160]);
                    }
                }
                processor.process(80);
                desk.source.fill(0, &mut [0; 80]);
            });
            let meters = control.participant(card.id).unwrap();
            if tick == 200 {
                settled = Some((meters, tick));
            }
        }
        let (before, at) = settled.unwrap();
        let meters = control.participant(card.id).unwrap();
        for (way, before) in [(meters.said, before.said), (meters.heard, before.heard)] {
            assert_eq!((way.dropped, way.gaps), (before.dropped, before.gaps), "{period}0 ms");
            assert!(way.samples - before.samples > (2_999 - at - period) * 80, "{period}0 ms: {way:?}");
            assert!(way.dropped + way.starved <= 3_200, "{period}0 ms: {way:?}");
        }
        // The bus stands still for 150 ms, or the card comes late by as much: what waits too long goes.
        for _ in 0..15 {
            desk.sink.write(0, &[100; 80]);
        }
        for _ in 0..200 {
            desk.sink.write(0, &[100; 80]);
            processor.process(80);
        }
        let meters = control.participant(desk.id).unwrap().said;
        assert!(meters.dropped >= 15 * 80 - 320, "{meters:?}");
    }
}

/// Three callers in three calls to one machine, on which a bus joins them.
#[test]
fn three_calls_meet_in_one_tick_and_nobody_hears_himself() {
    let mut world = World::new();
    let said = speech(3, 5);
    let (mut control, processor) = bus(BusConfig::new(8_000));
    let mut callers = Vec::new();
    for n in 0..3u32 {
        let (theirs, ours) = (format!("192.0.2.{}:5004", n + 1), "192.0.2.9:5004");
        let (their_tx, our_rx, _) = link(&world.clock, LinkConfig::perfect(at(&theirs)));
        let (our_tx, their_rx, _) = link(&world.clock, LinkConfig::perfect(at(ours)));
        // Only the first speaks.
        let clip = if n == 0 { said.clone() } else { Vec::new() };
        world.add(Setup::new(clip, ours, n + 1), (their_tx, their_rx), Party::default());
        callers.push((theirs, (our_tx, our_rx)));
    }
    let first_caller = 0;
    for (n, (theirs, network)) in callers.into_iter().enumerate() {
        let setup = Setup::new(Vec::new(), &theirs, 11 + n as u32);
        world.add(setup, network, Party { phase_ns: 5 * MS, ..Party::default() });
        let port = control.join(8_000, Gain::UNITY).unwrap();
        let end = world.ends.last_mut().unwrap();
        end.control.add_sink(port.sink).ok().unwrap();
        end.control.add_source(port.source, Gain::UNITY).ok().unwrap();
    }
    world.driver.add_bus(processor, Party { phase_ns: 5 * MS, ..Party::default() });
    for _ in 0..900 {
        assert_no_alloc(|| world.driver.step());
        world.ends.iter_mut().for_each(support::Endpoint::pump);
        control.collect();
    }
    let twice = through(CodecKind::Pcmu, &through(CodecKind::Pcmu, &said));
    for n in [1, 2] {
        let heard = &world.ends[n].heard;
        let found = heard.windows(16_000).position(|window| window == &twice[4_000..20_000]);
        assert!(found.is_some(), "caller {n} hears the first, sample for sample");
    }
    assert!(world.ends[first_caller].heard.iter().all(|x| x.abs() <= 8), "the first hears nobody");
    assert_eq!(control.meters().participants, 3);
}

/// When a node first gave or got sound, by the virtual clock.
struct Watch<T> {
    inner: T,
    clock: Clock,
    first_ns: Arc<AtomicU64>,
}

impl<T> Watch<T> {
    fn note(&self, block: &[i16]) {
        if block.iter().any(|x| x.unsigned_abs() > 500) {
            let now = self.clock.now_ns();
            let _ = self.first_ns.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

impl offhook_engine::Sink for Watch<Box<dyn offhook_engine::Sink>> {
    fn write(&mut self, played_ns: u64, block: &[i16]) {
        self.note(block);
        self.inner.write(played_ns, block);
    }
}

impl offhook_engine::Source for Watch<Box<dyn offhook_engine::Source>> {
    fn fill(&mut self, captured_ns: u64, out: &mut [i16]) -> usize {
        let filled = self.inner.fill(captured_ns, out);
        self.note(&out[..filled]);
        filled
    }
}

#[test]
fn what_is_heard_in_a_tick_is_said_in_the_same_tick_wherever_the_legs_sit() {
    let mut world = World::new();
    let (mut control, processor) = bus(BusConfig::new(8_000));
    let (their_tx, our_rx, _) = link(&world.clock, LinkConfig::perfect(at("192.0.2.1:5004")));
    let (our_tx, their_rx, _) = link(&world.clock, LinkConfig::perfect(at("192.0.2.9:5004")));
    let (nowhere_tx, nowhere_rx, _) = link(&world.clock, LinkConfig::perfect(at("192.0.2.2:5004")));
    let clock = world.clock.clone();
    world.add(Setup::new(speech(1, 5), "192.0.2.9:5004", 1), (their_tx, their_rx), Party::default());
    // The listening leg comes before the bus and the speaking leg: order of seats does not matter.
    world.add(Setup::new(Vec::new(), "192.0.2.2:5004", 2), (nowhere_tx, nowhere_rx), Party::default());
    let listener = control.join(8_000, Gain::UNITY).unwrap();
    let said_ns = Arc::new(AtomicU64::new(0));
    let watch = Watch { inner: listener.source, clock: clock.clone(), first_ns: Arc::clone(&said_ns) };
    world.ends[1].control.add_source(Box::new(watch), Gain::UNITY).ok().unwrap();
    world.driver.add_bus(processor, Party::default());
    world.add(Setup::new(Vec::new(), "192.0.2.1:5004", 3), (our_tx, our_rx), Party::default());
    let speaker = control.join(8_000, Gain::UNITY).unwrap();
    let heard_ns = Arc::new(AtomicU64::new(0));
    let watch = Watch { inner: speaker.sink, clock, first_ns: Arc::clone(&heard_ns) };
    world.ends[2].control.add_sink(Box::new(watch)).ok().unwrap();
    world.run_ms(1_000);
    let (heard, said) = (heard_ns.load(Ordering::Relaxed), said_ns.load(Ordering::Relaxed));
    assert!(heard > 0 && heard == said, "heard at {heard}, said at {said}");
}

#[test]
fn a_ticker_drives_a_bus_beside_its_calls_and_gives_it_back() {
    let config = TickerConfig {
        threads: 2,
        period: Duration::from_millis(5),
        max_calls: 2,
        priority: None,
        ..TickerConfig::default()
    };
    let ticker = Ticker::start(config).unwrap();
    let (mut control, processor) = small(4);
    let handle = ticker.add_bus(processor).unwrap();
    let (_engine, tx, rx) = split(EngineConfig::new(8_000));
    let call = ticker.add_beside(&handle, Some(tx), Some(rx)).unwrap();
    let (_other, tx, _) = split(EngineConfig::new(8_000));
    match ticker.add_beside(&handle, Some(tx), None) {
        Err(AddError::TooMany { leg, max: 2 }) => assert!(leg.tx.is_some()),
        other => panic!("{other:?}"),
    }
    let port = control.join(8_000, Gain::UNITY).unwrap();
    let give_up = Instant::now() + Duration::from_secs(20);
    while control.meters().blocks < 20 || !control.is_settled() {
        assert!(Instant::now() < give_up, "{:?}", control.meters());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(control.meters().participants, 1);
    call.remove().unwrap();
    let mut processor = handle.remove().unwrap();
    let blocks = control.meters().blocks;
    control.leave(port.id).unwrap();
    assert_no_alloc(|| processor.process(80));
    assert_eq!((control.meters().blocks, control.meters().participants), (blocks + 1, 0));
    assert_eq!(control.collect(), 1);
    drop(ticker.add_bus(processor).unwrap());
}

#[test]
fn a_bus_that_nobody_drives_refuses_and_forgets_nothing() {
    let (mut control, mut processor) =
        bus(BusConfig { commands: 2, commands_per_block: 1, ..BusConfig::new(8_000) });
    let first = control.join(8_000, Gain::UNITY).unwrap();
    control.set_said(first.id, Gain::MUTE).unwrap();
    assert_eq!(control.join(8_000, Gain::UNITY).unwrap_err(), JoinError::RingFull);
    assert_eq!(control.leave(first.id).unwrap_err().value, first.id);
    assert!(control.participant(first.id).is_some());
    for _ in 0..2 {
        assert_no_alloc(|| processor.process(80));
    }
    assert!(control.is_settled());
    control.leave(first.id).unwrap();
    assert_no_alloc(|| processor.process(80));
    assert_eq!(control.collect(), 1);
    // A driver on a clock of its own may be asked for anything.
    let mut driver = Driver::new(&Clock::new(0));
    driver.add_bus(processor, Party { period_ns: 333_333, ..Party::default() });
    driver.run_for(100 * MS, &mut |_| ());
    let blocks = control.meters().blocks;
    assert!((302..=304).contains(&blocks), "{blocks}");
}
