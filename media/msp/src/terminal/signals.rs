//! A terminal that hears digits and call-progress tones.
//! In: what the peer says. Out: signals, for the application.
//! Not here: the detectors (`offhook_codecs`); digits of the call, which come through the TSP, each once, whichever way
//! they travelled (`listener.rs`).

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use offhook_codecs::{DtmfDetector, ProgressDetector, ProgressTone, SignalEvent};
use offhook_spi::Timestamp;
use offhook_spi::terminal::{PluggableTerminal, Signal, SignalHeard, SignalReader, SignalReaderStatus};

use crate::lock;

/// Signals that wait to be read.
const MAX_WAITING: usize = 256;

/// The detectors and what they have heard.
pub(crate) struct Signals {
    ear: Mutex<Ear>,
    heard: Mutex<Heard>,
}

struct Ear {
    digits: DtmfDetector,
    progress: ProgressDetector,
}

#[derive(Default)]
struct Heard {
    waiting: VecDeque<SignalHeard>,
    status: SignalReaderStatus,
}

impl Signals {
    pub(crate) fn new(sample_rate: u32) -> Self {
        let ear =
            Ear { digits: DtmfDetector::new(sample_rate), progress: ProgressDetector::new(sample_rate) };
        Self { ear: Mutex::new(ear), heard: Mutex::default() }
    }

    fn tell(&self, event: SignalEvent, at: Timestamp) {
        let (signal, duration) = match event {
            SignalEvent::Began(signal) => (signal, None),
            SignalEvent::Ended { signal, ms } => (signal, Some(Duration::from_millis(ms.into()))),
        };
        let signal = match signal {
            offhook_codecs::Signal::Digit(digit) => Signal::Digit(digit.to_char()),
            offhook_codecs::Signal::Progress(ProgressTone::Dial) => Signal::Dial,
            offhook_codecs::Signal::Progress(ProgressTone::Ringing) => Signal::Ringing,
            offhook_codecs::Signal::Progress(ProgressTone::Busy) => Signal::Busy,
            offhook_codecs::Signal::Progress(ProgressTone::Congestion) => Signal::Congestion,
            offhook_codecs::Signal::Progress(ProgressTone::CallWaiting) => Signal::CallWaiting,
            offhook_codecs::Signal::Progress(ProgressTone::SpecialInformation) => Signal::SpecialInformation,
        };
        let mut heard = lock(&self.heard);
        if heard.waiting.len() >= MAX_WAITING {
            heard.status.overruns += 1;
        } else {
            heard.status.heard += 1;
            heard.waiting.push_back(SignalHeard { signal, at, duration });
        }
    }
}

impl PluggableTerminal for Signals {
    fn name(&self) -> String {
        "tone detector".to_owned()
    }

    fn consume(&self, samples: &[i16], at: Timestamp) {
        let Ear { digits, progress } = &mut *lock(&self.ear);
        digits.push(samples, |event| self.tell(event, at));
        progress.push(samples, |event| self.tell(event, at));
    }

    fn released(&self) {
        lock(&self.heard).status.is_released = true;
    }
}

impl SignalReader for Signals {
    fn read(&self) -> Option<SignalHeard> {
        lock(&self.heard).waiting.pop_front()
    }

    fn status(&self) -> SignalReaderStatus {
        lock(&self.heard).status
    }
}
