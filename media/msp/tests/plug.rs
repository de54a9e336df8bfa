//! Terminals that the application brings, and the tone detector that is made like one.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use offhook_pair::Codec;
use offhook_spi::mspi::{Direction, TerminalClass};
use offhook_spi::terminal::{Plug, PluggableTerminal, ProgressTone, Signal, TerminalEnd};
use offhook_spi::{MspCallEvent, MspError, MspEventCause, TerminalId, Timestamp};
use support::*;

/// A sine of 700 Hz out, whatever comes in.
#[derive(Default)]
struct Whistle {
    phase: AtomicUsize,
    heard: Mutex<Vec<i16>>,
    last: Mutex<Timestamp>,
    is_released: AtomicBool,
    panics: AtomicBool,
}

impl PluggableTerminal for Whistle {
    fn name(&self) -> String {
        "whistle".to_owned()
    }

    fn produce(&self, out: &mut [i16]) -> usize {
        assert!(!self.panics.load(Ordering::SeqCst), "as the test wants it");
        let begin = self.phase.fetch_add(out.len(), Ordering::SeqCst);
        for (n, sample) in out.iter_mut().enumerate() {
            let angle = std::f64::consts::TAU * 700.0 * (begin + n) as f64 / 8_000.0;
            *sample = (angle.sin() * 8_000.0) as i16;
        }
        out.len()
    }

    fn consume(&self, samples: &[i16], at: Timestamp) {
        assert!(at >= *self.last.lock().unwrap(), "in order");
        *self.last.lock().unwrap() = at;
        self.heard.lock().unwrap().extend(samples);
    }

    fn released(&self) {
        assert!(!self.is_released.swap(true, Ordering::SeqCst), "once");
    }
}

fn plug(end: &End, whistle: &Arc<Whistle>, direction: Direction) -> TerminalId {
    let class = TerminalClass::Pluggable(Plug(Arc::clone(whistle) as _));
    let terminal = end.msp.create_terminal(class, direction).unwrap().id;
    let stream = if direction == Direction::Capture { end.capture } else { end.render };
    end.msp.select_terminal(stream, terminal).unwrap();
    terminal
}

#[test]
fn what_the_applications_terminal_says_is_heard_by_that_of_the_other_end() {
    let (mut a, mut b) = (End::new(), End::new());
    let (speaks, hears) = (Arc::new(Whistle::default()), Arc::new(Whistle::default()));
    let (speaking, hearing) = (plug(&a, &speaks, Direction::Capture), plug(&b, &hears, Direction::Render));
    let _others = (a.null(Direction::Render), b.null(Direction::Capture));
    join(&mut a, &mut b, Codec::Pcmu);
    until("half a second of it", || hears.heard.lock().unwrap().len() > 8_000);
    let heard = hears.heard.lock().unwrap().clone();
    let level = usual_tone_dbfs(&heard[2_000..], 700.0);
    assert!((level - 20.0 * (8_000f64 / 32_768.0).log10()).abs() < 0.5, "{level} dBFS");
    // Unselected, it is called no more, and can be selected again.
    a.msp.unselect_terminal(a.capture, speaking).unwrap();
    let said = speaks.phase.load(Ordering::SeqCst);
    pause(60);
    assert_eq!(speaks.phase.load(Ordering::SeqCst), said);
    a.msp.select_terminal(a.capture, speaking).unwrap();
    until("it speaks again", || speaks.phase.load(Ordering::SeqCst) > said);
    for (end, terminal, whistle) in [(&a, speaking, &speaks), (&b, hearing, &hears)] {
        end.msp.release_terminal(terminal).unwrap();
        assert!(whistle.is_released.load(Ordering::SeqCst));
    }
}

#[test]
fn one_that_panics_has_failed_and_the_stream_goes_on_without_it() {
    let (mut a, mut b) = (End::new(), End::new());
    let (broken, whole) = (Arc::new(Whistle::default()), Arc::new(Whistle::default()));
    let (bad, _good) = (plug(&a, &broken, Direction::Capture), plug(&a, &whole, Direction::Capture));
    let hears = Arc::new(Whistle::default());
    plug(&b, &hears, Direction::Render);
    join(&mut a, &mut b, Codec::Pcmu);
    until("sound", || !hears.heard.lock().unwrap().is_empty());
    broken.panics.store(true, Ordering::SeqCst);
    until("the failure", || {
        let failure = (MspCallEvent::TerminalFail, MspEventCause::BadDevice, Some(a.capture));
        a.events().contains(&failure)
    });
    assert!(a.status(bad).failed.is_some());
    let said = whole.phase.load(Ordering::SeqCst);
    until("the other one goes on", || whole.phase.load(Ordering::SeqCst) > said + 800);
    a.msp.unselect_terminal(a.capture, bad).unwrap();
    let again = a.msp.select_terminal(a.capture, bad);
    assert!(matches!(again, Err(MspError::InvalidTerminal(_))), "{again:?}");
    a.msp.release_terminal(bad).unwrap();
    assert!(!broken.is_released.load(Ordering::SeqCst), "what panicked is not called any more");
}

#[test]
fn a_rate_that_cannot_be_resampled_is_refused() {
    struct Odd;
    impl PluggableTerminal for Odd {
        fn name(&self) -> String {
            "odd".to_owned()
        }
        fn sample_rate(&self) -> Option<u32> {
            Some(12_345)
        }
    }
    let class = TerminalClass::Pluggable(Plug(Arc::new(Odd)));
    let refused = End::new().msp.create_terminal(class, Direction::Render);
    assert!(matches!(refused, Err(MspError::OutOfRange(_))), "{refused:?}");
}

#[test]
fn digits_and_a_busy_tone_are_heard_and_told_with_their_lengths() {
    let (mut a, mut b) = (End::new(), End::new());
    let generator = a.terminal(TerminalClass::ToneGenerator);
    a.msp.select_terminal(a.capture, generator).unwrap();
    let detector = b.msp.create_terminal(TerminalClass::ToneDetector, Direction::Render).unwrap().id;
    b.msp.select_terminal(b.render, detector).unwrap();
    let (TerminalEnd::Tones(tones), TerminalEnd::Signals(signals)) =
        (a.msp.terminal_end(generator).unwrap(), b.msp.terminal_end(detector).unwrap())
    else {
        panic!("other ends");
    };
    join(&mut a, &mut b, Codec::Pcmu);
    until("the stream", || b.received().packets > 0);
    tones.dial("4#").unwrap();
    let mut heard = Vec::new();
    until("two digits", || {
        heard.extend(std::iter::from_fn(|| signals.read()));
        heard.iter().filter(|one| one.duration.is_some()).count() >= 2
    });
    let said: Vec<_> = heard.iter().map(|one| (one.signal, one.duration.is_some())).collect();
    let (four, hash) = (Signal::Digit('4'), Signal::Digit('#'));
    assert_eq!(said, [(four, false), (four, true), (hash, false), (hash, true)]);
    assert!(heard.windows(2).all(|pair| pair[0].at <= pair[1].at), "in order");
    until("the digits are over", || tones.is_idle());
    tones.play(ProgressTone::Busy).unwrap();
    until("a busy tone", || signals.read().is_some_and(|one| one.signal == Signal::Busy));
    tones.stop();
    until("its end", || signals.read().is_some_and(|one| one.duration.is_some()));
    b.msp.release_terminal(detector).unwrap();
    assert!(signals.status().is_released);
    let wrong = b.msp.create_terminal(TerminalClass::ToneDetector, Direction::Capture);
    assert!(matches!(wrong, Err(MspError::InvalidTerminal(_))));
}
