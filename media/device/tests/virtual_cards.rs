//! Cards by program, in virtual time: what shares one, what breaks, what comes and goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use cpal::SampleFormat;
use offhook_device::{DeviceError, Selector, Sound, SoundStream, StreamRequest};
use offhook_virtual_sound::{CardSpec, Way, World};

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn world(spec: CardSpec) -> (World, Sound) {
    let world = World::at(7 * SECOND);
    world.plug(spec);
    let clock = world.clone();
    let sound = Sound::with_host(world.host()).with_clock(move || clock.now_ns());
    (world, sound)
}

/// A tone of `hz` and `amplitude` at `rate`, as long as anybody listens.
fn tone(hz: f64, amplitude: f64, rate: u32) -> impl FnMut(u64, &mut [i16]) + Send {
    let mut n = 0u64;
    move |_, block: &mut [i16]| {
        for sample in block {
            let phase = (n as f64 * hz / f64::from(rate)).fract();
            *sample = (amplitude * (std::f64::consts::TAU * phase).sin()).round() as i16;
            n += 1;
        }
    }
}

type Heard = Arc<Mutex<Vec<(u64, Vec<i16>)>>>;

fn listen(sound: &Sound, card: &Selector, rate: u32) -> (SoundStream, Heard) {
    let heard = Heard::default();
    let to = Arc::clone(&heard);
    let stream = sound
        .capture(card, StreamRequest::new(rate), move |at, block| {
            to.lock().unwrap().push((at, block.to_vec()))
        })
        .unwrap();
    stream.set_gain(1.0);
    (stream, heard)
}

fn samples(heard: &Heard) -> Vec<i16> {
    heard.lock().unwrap().iter().flat_map(|(_, block)| block.clone()).collect()
}

/// Strength of one frequency, 0 to 1.
fn strength(samples: &[f32], hz: f64, rate: f64) -> f64 {
    let w = std::f64::consts::TAU * hz / rate;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        re += f64::from(*sample) * (w * n as f64).cos();
        im += f64::from(*sample) * (w * n as f64).sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64
}

fn largest_step(samples: &[f32]) -> f32 {
    samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn many_hear_one_microphone_each_at_its_own_rate_over_one_open_stream() {
    let (world, sound) = world(CardSpec::new("desk"));
    let (a, at_8k) = listen(&sound, &Selector::Default, 8_000);
    let (b, at_16k) = listen(&sound, &Selector::Named("desk".into()), 16_000);
    let (c, again) = listen(&sound, &Selector::Named("virtual:desk".into()), 8_000);
    world.advance(SECOND);
    assert_eq!((world.streams("desk"), world.opened(), a.status().sharers), (1, 1, 3));
    let (a8, b16, c8) = (samples(&at_8k), samples(&at_16k), samples(&again));
    assert_eq!(a8, c8, "the same sound");
    assert!(
        a8.len().abs_diff(8_000) <= 80 && b16.len().abs_diff(16_000) <= 160,
        "{} {}",
        a8.len(),
        b16.len()
    );
    let level = |samples: &[i16], rate: usize| {
        let tail: Vec<f32> = samples[rate / 2..].iter().map(|s| f32::from(*s) / 32_768.0).collect();
        strength(&tail, 600.0, rate as f64)
    };
    assert!((level(&a8, 8_000) - 0.25).abs() < 0.01 && (level(&b16, 16_000) - 0.25).abs() < 0.01);
    drop((a, b));
    assert_eq!(world.streams("desk"), 1, "one is left");
    drop(c);
    world.advance(MS);
    assert_eq!(world.streams("desk"), 0);
}

#[test]
fn a_card_plays_the_sum_of_all_saturated_once_with_a_gain_for_each() {
    let (world, sound) = world(CardSpec::new("desk"));
    let card = Selector::Default;
    let request = |rate| StreamRequest::new(rate);
    let low = sound.playback(&card, request(8_000), tone(400.0, 4_000.0, 8_000)).unwrap();
    let high = sound.playback(&card, request(16_000), tone(1_000.0, 4_000.0, 16_000)).unwrap();
    low.set_gain(1.0);
    high.set_gain(0.5);
    world.advance(500 * MS);
    let _ = world.heard("desk");
    world.advance(500 * MS);
    let heard = world.heard("desk");
    let unit = 4_000.0 / 32_768.0;
    assert!((strength(&heard, 400.0, 48_000.0) - unit).abs() < 0.003);
    assert!((strength(&heard, 1_000.0, 48_000.0) - unit / 2.0).abs() < 0.003);
    low.set_gain(0.0);
    high.set_gain(20.0);
    world.advance(500 * MS);
    let _ = world.heard("desk");
    world.advance(100 * MS);
    let heard = world.heard("desk");
    assert!(strength(&heard, 400.0, 48_000.0) < 0.001, "muted");
    let peak = heard.iter().fold(0.0f32, |m, s| m.max(s.abs()));
    assert!((0.99..=1.0).contains(&peak), "saturated, not wrapped: {peak}");
    assert_eq!(world.opened(), 1);
}

#[test]
fn joining_leaving_and_muting_do_not_click_and_nothing_allocates() {
    let (world, sound) = world(CardSpec { is_odd: true, ..CardSpec::new("desk") });
    let request = StreamRequest::new(8_000);
    let steady = sound.playback(&Selector::Default, request, tone(200.0, 6_000.0, 8_000)).unwrap();
    steady.set_gain(1.0);
    world.advance(100 * MS);
    let _ = world.heard("desk");
    // Constants, which a step in gain would make a step in sound.
    let mut others = Vec::new();
    for n in 0..12 {
        if n % 3 == 2 {
            let leaver = others.pop();
            // Leaving waits for its fade, so the card has to run meanwhile.
            let leaving = std::thread::spawn(move || drop(leaver));
            while !leaving.is_finished() {
                world.advance(MS);
            }
        } else {
            let calm = sound.playback(&Selector::Default, request, |_, block: &mut [i16]| {
                assert_no_alloc(|| block.fill(6_000));
            });
            let calm = calm.unwrap();
            calm.set_gain(1.0);
            others.push(calm);
        }
        world.advance(37 * MS);
        steady.set_gain(if n % 2 == 0 { 0.3 } else { 1.0 });
        world.advance(23 * MS);
    }
    let heard = world.heard("desk");
    // A full-scale ramp of 5 ms is 1/240 a sample; the tone's own slope is 0.005.
    assert!(largest_step(&heard) < 0.012, "{}", largest_step(&heard));
    assert!(heard.len() > 30_000);
}

#[test]
fn every_sample_type_and_odd_rates_and_channels_pass_both_ways() {
    use SampleFormat::*;
    let formats = [I8, I16, I24, I32, I64, U8, U16, U24, U32, U64, F32, F64];
    for (n, format) in formats.into_iter().enumerate() {
        let rate = [48_000, 44_100, 12_345, 88_200, 192_000, 37_800][n % 6];
        let (inputs, outputs) = ([1, 2, 18][n % 3], [2, 1, 8][n % 3]);
        let spec = CardSpec { format, rates: vec![rate], inputs, outputs, ..CardSpec::new("odd") };
        let (world, sound) = world(spec);
        let (_ear, heard) = listen(&sound, &Selector::Default, 8_000);
        let mouth = sound
            .playback(&Selector::Default, StreamRequest::new(8_000), tone(700.0, 8_192.0, 8_000))
            .unwrap();
        mouth.set_gain(1.0);
        world.advance(600 * MS);
        let captured: Vec<f32> =
            samples(&heard).iter().skip(1_600).map(|s| f32::from(*s) / 32_768.0).collect();
        assert!((strength(&captured, 600.0, 8_000.0) - 0.25).abs() < 0.015, "{format} at {rate} captured");
        let played = world.heard("odd");
        let played = strength(&played[played.len() / 3..], 700.0, f64::from(rate));
        assert!((played - 0.25).abs() < 0.015, "{format} at {rate} played: {played}");
        let status = mouth.status();
        assert_eq!((status.rate, status.channels, status.format), (rate, outputs, format.to_string()));
    }
}

#[test]
fn capture_times_and_latency_are_those_of_the_device() {
    let (world, sound) = world(CardSpec { latency: 240, ..CardSpec::new("desk") });
    let (ear, heard) = listen(&sound, &Selector::Default, 48_000);
    world.advance(200 * MS);
    let heard = heard.lock().unwrap();
    let (at, block) = heard.last().unwrap();
    // 10 ms of block and 5 ms of way.
    assert_eq!(block.len(), 480);
    assert!((world.now_ns() - at).abs_diff(15 * MS) <= 10 * MS, "{} ms ago", (world.now_ns() - at) / MS);
    let status = ear.status();
    assert_eq!((status.latency_us, status.period_us, status.buffer_us), (Some(15_000), 10_000, Some(10_000)));
    assert_eq!((status.requested_period_us, status.xruns, status.openings), (10_000, 0, 1));
}

#[test]
fn a_shorter_period_is_what_was_asked_for() {
    let (world, sound) = world(CardSpec::new("desk"));
    let request = StreamRequest { period_us: 2_500, ..StreamRequest::new(8_000) };
    let ear = sound.capture(&Selector::Default, request, |_, _| ()).unwrap();
    world.advance(100 * MS);
    let status = ear.status();
    assert_eq!((status.period_us, status.callbacks), (2_500, 40));
}

#[test]
fn breaks_are_counted_by_time_though_the_host_says_nothing() {
    let (world, sound) = world(CardSpec { drift_ppm: 120.0, ..CardSpec::new("desk") });
    let (ear, _heard) = listen(&sound, &Selector::Default, 8_000);
    let mouth =
        sound.playback(&Selector::Default, StreamRequest::new(8_000), |_, block| block.fill(0)).unwrap();
    world.advance(20 * SECOND);
    assert_eq!((ear.status().xruns, mouth.status().xruns), (0, 0));
    for _ in 0..2 {
        world.xrun("desk", Way::Capture, 960);
        world.advance(3 * SECOND);
    }
    world.xrun("desk", Way::Playback, 4_800);
    world.advance(3 * SECOND);
    let (ear, mouth) = (ear.status(), mouth.status());
    assert_eq!((ear.xruns, mouth.xruns, ear.errors), (2, 1, 0));
    assert!(
        ear.lost_frames.abs_diff(1_920) < 100 && mouth.lost_frames.abs_diff(4_800) < 100,
        "{ear:?} {mouth:?}"
    );
    assert!((ear.drift_ppm - 120.0).abs() < 10.0, "{ear:?}");
}

#[test]
fn a_card_that_breaks_at_a_short_period_gets_longer_ones_until_it_does_not() {
    let (world, sound) = world(CardSpec::new("weak"));
    world.set_least_period("weak", 480);
    let request = StreamRequest { period_us: 2_500, ..StreamRequest::new(8_000) };
    let mouth = sound.playback(&Selector::Default, request, tone(440.0, 8_000.0, 8_000)).unwrap();
    mouth.set_gain(1.0);
    for _ in 0..120 {
        world.advance(250 * MS);
        sound.tend();
    }
    let status = mouth.status();
    assert_eq!(
        (status.requested_period_us, status.period_us, status.openings),
        (10_000, 10_000, 3),
        "{status:?}"
    );
    let before = status.xruns;
    world.advance(20 * SECOND);
    sound.tend();
    let status = mouth.status();
    assert_eq!((status.xruns, status.openings, status.failed), (before, 3, None));
    let heard = world.heard("weak");
    assert!((strength(&heard[heard.len() - 48_000..], 440.0, 48_000.0) - 8_000.0 / 32_768.0).abs() < 0.005);
}

#[test]
fn a_card_that_is_pulled_out_says_so_and_can_be_joined_again_when_it_is_back() {
    let (world, sound) = world(CardSpec::new("usb"));
    let (ear, heard) = listen(&sound, &Selector::Named("usb".into()), 8_000);
    world.advance(100 * MS);
    world.unplug("usb");
    world.advance(100 * MS);
    assert!(ear.status().failed.is_some());
    assert_eq!(sound.present().unwrap(), []);
    let again = sound.capture(&Selector::Named("usb".into()), StreamRequest::new(8_000), |_, _| ());
    assert!(matches!(again, Err(DeviceError::NotFound { .. })));
    let count = samples(&heard).len();
    // It comes back with another rate. The one who stayed hears it again as soon as anybody joins.
    world.plug(CardSpec { rates: vec![44_100], ..CardSpec::new("usb") });
    assert_eq!(sound.present().unwrap()[0].sample_rates, Some((44_100, 44_100)));
    let (again, _) = listen(&sound, &Selector::Named("usb".into()), 8_000);
    world.advance(SECOND);
    assert_eq!((again.status().failed, ear.status().failed, again.status().sharers), (None, None, 2));
    assert!((samples(&heard).len() - count).abs_diff(8_000) <= 80, "at the new rate as well");
}

#[test]
fn a_card_whose_stream_does_not_close_keeps_neither_seat_nor_caller() {
    let (world, sound) = world(CardSpec { hangs: true, ..CardSpec::new("usb") });
    struct Half(Arc<AtomicBool>);
    impl Drop for Half {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let (is_dropped, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (half, calls) = (Half(Arc::clone(&is_dropped)), Arc::clone(&count));
    let ear = sound
        .capture(&Selector::Default, StreamRequest::new(8_000), move |_, _| {
            let _ = &half;
            calls.fetch_add(1, SeqCst);
        })
        .unwrap();
    world.advance(100 * MS);
    assert!(count.load(SeqCst) > 0);
    world.unplug("usb");
    let began = std::time::Instant::now();
    drop(ear);
    assert!(is_dropped.load(SeqCst), "the closure went with its seat");
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn a_card_can_be_full_and_devices_that_are_not_there_are_named() {
    let (_world, sound) = world(CardSpec { inputs: 0, ..CardSpec::new("speaker only") });
    let request = StreamRequest::new(8_000);
    let all: Vec<_> =
        (0..64).map(|_| sound.playback(&Selector::Default, request, |_, _| ()).unwrap()).collect();
    let one_more = sound.playback(&Selector::Default, request, |_, _| ()).err().unwrap();
    assert!(
        matches!(&one_more, DeviceError::Full { name, most: 64 } if name == "speaker only"),
        "{one_more}"
    );
    assert!(matches!(
        sound.capture(&Selector::Default, request, |_, _| ()),
        Err(DeviceError::NoDevice { .. })
    ));
    let named = Selector::Named("speaker only".into());
    assert!(matches!(sound.capture(&named, request, |_, _| ()), Err(DeviceError::NotFound { .. })));
    let odd = StreamRequest { sample_rate: 1, period_us: 0 };
    assert!(matches!(sound.playback(&named, odd, |_, _| ()), Err(DeviceError::Format { .. })));
    // Sixty-four fades of a card that does not run would take long: the world goes first.
    _world.unplug("speaker only");
    drop(all);
}
