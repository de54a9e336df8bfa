//! An hour of a call whose two clocks drift apart, by virtual time; clocks that jump; samples so small that they cost.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{Clock, Driver, LinkConfig, Party, link};
use offhook_engine::{
    EngineConfig, Gain, Leg, Peer, RxCommand, RxFormat, SenderIdentity, Source, TxCommand, TxFormat, split,
};
use support::{MS, Setup, World, at, speech};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";

/// Speech for ever: four seconds over and over.
struct Loop(Vec<i16>, usize);

impl Source for Loop {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        for sample in out.iter_mut() {
            *sample = self.0[self.1];
            self.1 = (self.1 + 1) % self.0.len();
        }
        out.len()
    }
}

/// One speaks, the other listens; the listener's clock is `drift_ppm` slow. What the hour after the first minute cost.
fn drift(drift_ppm: i32) {
    const PERIOD: u64 = 20 * MS;
    const HOUR: u64 = 3_600_000 * MS;
    let clock = Clock::new(1_000 * MS);
    let (a_tx, b_rx, _) = link(&clock, LinkConfig::perfect(at(ANNA)).delayed_ms(7));
    let sender = SenderIdentity { ssrc: 1, ..SenderIdentity::default() };
    let (mut anna, tx, _) = split(EngineConfig { sender, ..EngineConfig::new(8_000) });
    anna.tx(TxCommand::SetTransport(Box::new(a_tx))).unwrap();
    anna.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap()))).unwrap();
    anna.add_source(Box::new(Loop(speech(4, 3), 0)), Gain::UNITY).ok().unwrap();
    anna.tx(TxCommand::Start).unwrap();
    let (mut bert, _, rx) = split(EngineConfig::new(8_000));
    bert.rx(RxCommand::SetTransport(Box::new(b_rx))).unwrap();
    bert.rx(RxCommand::SetPeer(Peer::Address(at(ANNA).ip()))).unwrap();
    bert.rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap()))).unwrap();
    bert.rx(RxCommand::Start).unwrap();
    let mut driver = Driver::new(&clock);
    driver.add(Leg { tx: Some(tx), rx: None }, Party { period_ns: PERIOD, ..Party::default() });
    let party = Party { period_ns: PERIOD, phase_ns: 3 * MS, drift_ppm };
    driver.add(Leg { tx: None, rx: Some(rx) }, party);
    let mut run = |ns: u64| {
        let end = clock.now_ns() + ns;
        while clock.now_ns() < end {
            assert_no_alloc(|| driver.step());
        }
        bert.meters().rx()
    };
    let settled = run(60_000 * MS);
    let after = run(HOUR);
    let (before, now) = (settled.playout, after.playout);
    println!("{drift_ppm} ppm: {now:?}");
    assert_eq!(after.receiver.lost(), 0);
    assert_eq!(now.samples_concealed, before.samples_concealed, "underruns at {drift_ppm} ppm");
    assert_eq!(now.concealment_events, before.concealment_events);
    assert_eq!((now.packets_late, now.packets_discarded), (before.packets_late, before.packets_discarded));
    assert_eq!(now.resets, before.resets);
    // 0.72 s of drift were made up for by stretching and shortening, nothing else.
    let stretched = now.samples_expanded as i64
        - before.samples_expanded as i64
        - (now.samples_accelerated as i64 - before.samples_accelerated as i64);
    let drifted = i64::from(drift_ppm) * 3_600 * 8_000 / 1_000_000;
    // Slow ears hear fewer samples: shortened.
    assert!((stretched + drifted).abs() < 800, "{stretched} against {drifted}");
    assert!(now.max_delay_us < 200_000, "{now:?}");
}

#[test]
fn an_hour_with_a_listener_200_ppm_slow_has_no_overrun() {
    drift(200);
}

#[test]
fn an_hour_with_a_listener_200_ppm_fast_has_no_underrun() {
    drift(-200);
}

#[test]
fn a_driver_that_stands_still_or_whose_clock_jumps_costs_sound_and_nothing_else() {
    for jump_ms in [50u64, 500, 5_000, 500_000] {
        let mut world = World::new();
        let (a_tx, b_rx, _) = link(&world.clock, LinkConfig::perfect(at(ANNA)));
        let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
        world.add(Setup::new(speech(8, 3), BERT, 1), (a_tx, a_rx), Party::default());
        world.add(
            Setup::new(speech(8, 4), ANNA, 2),
            (b_tx, b_rx),
            Party { phase_ns: MS, ..Party::default() },
        );
        world.run_ms(2_000);
        // Everybody's next blocks come late, in one heap.
        world.clock.advance_to(world.clock.now_ns() + jump_ms * MS);
        for _ in 0..(jump_ms / 5).min(400) {
            assert_no_alloc(|| world.driver.step());
        }
        // One processor by hand: time far ahead, time that goes back, no time at all.
        let now_ns = world.clock.now_ns();
        let leg = world.driver.leg(1).unwrap();
        let (Some(rx), Some(tx)) = (leg.rx.as_mut(), leg.tx.as_mut()) else { panic!("both halves") };
        for at_ns in [now_ns + 3_600_000 * MS, 0, u64::MAX, now_ns, 0] {
            let mut block = [0; 160];
            assert_no_alloc(|| {
                rx.process(at_ns, &mut block);
                tx.process(at_ns, &block);
            });
        }
        world.ends.iter_mut().for_each(support::Endpoint::pump);
        let before = world.ends[1].control.meters().rx();
        world.run_ms(3_000);
        let after = world.ends[1].control.meters().rx();
        let decoded = after.playout.samples_decoded - before.playout.samples_decoded;
        assert!(decoded > 12_000, "{jump_ms} ms: it plays on, {decoded} samples of 24,000");
    }
}

/// Sound that dies away for ever: where filters and gains compute with floats, the smallest numbers must not cost more.
/// The engine's are integers, its resamplers' histories are whole numbers: what comes out is zero, soon and for good.
#[test]
fn sound_that_dies_away_becomes_zero_and_stays_zero() {
    let (mut writer, mut source) = offhook_engine::pcm_source(offhook_engine::PcmConfig {
        sample_rate: 48_000,
        ..offhook_engine::PcmConfig::new(8_000)
    })
    .unwrap();
    let mut level = 30_000.0f64;
    let mut heard = Vec::new();
    for _ in 0..200 {
        let block: Vec<i16> = (0..480)
            .map(|n| {
                level *= 0.999;
                (level * (f64::from(n) * 0.3).sin()) as i16
            })
            .collect();
        writer.write(&block);
        let mut out = [1; 80];
        let filled = assert_no_alloc(|| source.fill(0, &mut out));
        heard.extend_from_slice(&out[..filled]);
    }
    assert!(heard[..80].iter().any(|x| x.unsigned_abs() > 1_000));
    assert!(heard[4_000..].iter().all(|x| *x == 0));
}
