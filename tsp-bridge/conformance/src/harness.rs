//! What the suite cannot do by the SPI alone: the world at the other end of the line.
//!
//! In: the author of a provider. Out: [`Harness`], and [`FarEnd`] for providers that can call another of their kind.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use offhook_spi::{
    ApiVersion, CallInfoChange, CallParams, Completion, DigitMode, DisconnectMode, HdCall, HdLine, HdMspLine,
    HtCall, HtLine, HtMspLine, HtPhone, LineCallState, LineDevState, LineError, MediaTypes, Opaque,
    PhoneEvent, RequestId, Timestamp, TspEvents, Tspi,
};

/// The world around a provider. What it cannot do it answers `false` or `None` to: rules that need it are then not
/// applicable. One call at a time is asked of it.
pub trait Harness {
    /// Where somebody is who can be called, and who answers when told.
    fn destination(&mut self) -> Option<String>;

    /// Another destination, who answers by himself: to consult, and for a second call.
    fn second_destination(&mut self) -> Option<String> {
        None
    }

    /// Where nobody is. What comes of a call there is known before [`patience`](Self::patience) ends.
    fn nowhere(&mut self) -> Option<String> {
        None
    }

    /// Makes device 1 busy, which the suite has open by then, and says how it is dialled.
    fn busy(&mut self) -> Option<String> {
        None
    }

    /// Makes a call ring at device 1, which the suite has open by then, where device 0 can pick it up; its address.
    fn rings_elsewhere(&mut self) -> Option<String> {
        None
    }

    /// Somebody calls the device; that is announced soon, or nobody may hear of it.
    fn calls_in(&mut self) -> bool;

    /// Who was called by the provider, answers.
    fn far_end_answers(&mut self) -> bool;

    /// Who is at the other end of the latest call, hangs up.
    fn far_end_hangs_up(&mut self) -> bool;

    /// Whether everybody outside is without a call again.
    fn all_released(&mut self) -> Option<bool> {
        None
    }

    /// What an MSP of this provider answers to a buffer of it.
    fn msp_answers(&mut self, data: &Opaque) -> Vec<Opaque> {
        let _ = data;
        Vec::new()
    }

    /// Lets the provider do what it has put off. Called again and again while something is waited for.
    fn move_on(&mut self) {}

    /// How long something may take that has to come.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    /// How long to watch for what must not come.
    fn stillness(&self) -> Duration {
        Duration::from_millis(200)
    }
}

/// A far end by a second provider of the same kind: it is called, and calls, over the wire.
pub struct FarEnd<W> {
    provider: Arc<dyn Tspi>,
    line: HdLine,
    msp: Option<HdMspLine>,
    events: Arc<FarEvents>,
    destination: String,
    second: Option<String>,
    nowhere: Option<String>,
    /// How the provider under test is called.
    calls: Box<dyn FnMut() -> Option<String>>,
    words: W,
    next_request: u32,
    next_call: u64,
    placed: Option<(HtCall, HdCall)>,
}

/// Where a far end is.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// The far end, as the provider under test dials it.
    pub destination: String,
    /// The same or another, for a second call.
    pub second: Option<String>,
    /// Where nobody is.
    pub nowhere: Option<String>,
}

#[derive(Default)]
struct FarEvents {
    inner: Mutex<Far>,
    changed: Condvar,
}

#[derive(Default)]
struct Far {
    offered: VecDeque<HdCall>,
    live: Vec<(HtCall, HdCall)>,
    buffers: VecDeque<(HtCall, Opaque)>,
    /// States of calls, newest last.
    states: Vec<(HtCall, LineCallState)>,
    last: u64,
}

impl FarEvents {
    fn lock(&self) -> MutexGuard<'_, Far> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TspEvents for FarEvents {
    fn async_answer(&self, _: RequestId, _: Result<Completion, LineError>) {
        self.changed.notify_all();
    }

    fn new_call(&self, _: HtLine, call: HdCall) -> Option<HtCall> {
        let mut far = self.lock();
        far.last += 1;
        let ht = HtCall(far.last);
        far.offered.push_back(call);
        far.live.push((ht, call));
        Some(ht)
    }

    fn call_state(&self, _: HtLine, call: HtCall, state: LineCallState, _: Timestamp) {
        let mut far = self.lock();
        far.states.push((call, state));
        self.changed.notify_all();
    }

    fn call_info(&self, _: HtLine, _: HtCall, _: CallInfoChange) {}

    fn digit(&self, _: HtLine, _: HtCall, _: char, _: DigitMode, _: Option<Duration>) {}

    fn send_msp_data(
        &self,
        _: HtLine,
        call: Option<HtCall>,
        _: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        if let Some(call) = call {
            self.lock().buffers.push_back((call, data));
            self.changed.notify_all();
        }
        Ok(())
    }

    fn line_dev_specific(&self, _: HtLine, _: Option<HtCall>, _: Opaque) {}

    fn phone_event(&self, _: HtPhone, _: PhoneEvent) {}

    fn phone_closed(&self, _: HtPhone, _: LineError) {}

    fn line_dev_state(&self, _: HtLine, _: LineDevState) {}

    fn line_closed(&self, _: HtLine, _: LineError) {}
}

impl<W: FnMut(&Opaque) -> Vec<Opaque>> FarEnd<W> {
    /// Starts `provider` as the far end: its device 0 takes calls. `addresses` says where it is once it listens, and
    /// `calls` where the provider under test is, once that listens; `words` is how an MSP of either answers buffers.
    pub fn new(
        provider: Arc<dyn Tspi>,
        addresses: impl FnOnce() -> Addresses,
        calls: impl FnMut() -> Option<String> + 'static,
        words: W,
    ) -> Result<Self, LineError> {
        let events = Arc::new(FarEvents::default());
        provider.provider_init(events.clone())?;
        let version = provider.line_negotiate_version(0, ApiVersion::V3_0, ApiVersion::V3_1)?;
        let line = provider.line_open(0, HtLine(1), version)?;
        let has_msp = provider.line_dev_caps(0)?.has_msp;
        let msp =
            if has_msp { Some(provider.line_create_msp_instance(line, 0, HtMspLine(1))?) } else { None };
        provider.line_set_default_media_detection(line, MediaTypes::AUDIO)?;
        let Addresses { destination, second, nowhere } = addresses();
        let calls = Box::new(calls);
        Ok(Self {
            provider,
            line,
            msp,
            events,
            destination,
            second,
            nowhere,
            calls,
            words,
            next_request: 0,
            next_call: 1 << 32,
            placed: None,
        })
    }

    fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// Answers what the far end's own MSP was told.
    fn serve(&mut self) {
        loop {
            let next = self.events.lock().buffers.pop_front();
            let (Some((ht, data)), Some(msp)) = (next, self.msp) else { return };
            let placed = self.placed.filter(|(of, _)| *of == ht).map(|(_, hd)| hd);
            let known = self.events.lock().live.iter().find(|(of, _)| *of == ht).map(|(_, hd)| *hd);
            let Some(hd) = placed.or(known) else { continue };
            for answer in (self.words)(&data) {
                // A call that has ended meanwhile is not known any more.
                let _ = self.provider.line_receive_msp_data(self.line, Some(hd), msp, answer);
            }
        }
    }

    /// Waits for something of the far end.
    fn wait<R>(&mut self, mut found: impl FnMut(&mut Far) -> Option<R>) -> Option<R> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            self.serve();
            let events = Arc::clone(&self.events);
            let mut far = events.lock();
            if let Some(found) = found(&mut far) {
                return Some(found);
            }
            drop(events.changed.wait_timeout(far, Duration::from_millis(10)));
        }
        None
    }

    fn answers_what_rings(&mut self) -> bool {
        let Some(call) = self.wait(|far| far.offered.pop_front()) else { return false };
        let request = self.request();
        self.provider.line_answer(request, call).is_ok()
    }

    /// Lets go of calls that are over.
    fn sweep(&mut self) {
        let (ended, live): (Vec<_>, Vec<_>) = {
            let far = self.events.lock();
            let over = |(ht, _): &(HtCall, HdCall)| {
                far.states.iter().rev().find(|(of, _)| of == ht).is_some_and(|(_, state)| {
                    matches!(state, LineCallState::Disconnected(_) | LineCallState::Idle)
                })
            };
            far.live.iter().copied().partition(over)
        };
        self.events.lock().live = live;
        for (ht, hd) in ended {
            let request = self.request();
            // An idle one refuses the drop; closing is what counts.
            let _ = self.provider.line_drop(request, hd, DisconnectMode::Normal);
            let _ = self.provider.line_close_call(hd);
            self.events.lock().offered.retain(|offered| *offered != hd);
            if self.placed.is_some_and(|(of, _)| of == ht) {
                self.placed = None;
            }
        }
    }
}

impl<W: FnMut(&Opaque) -> Vec<Opaque>> Harness for FarEnd<W> {
    fn destination(&mut self) -> Option<String> {
        self.sweep();
        Some(self.destination.clone())
    }

    fn second_destination(&mut self) -> Option<String> {
        self.second.clone()
    }

    fn nowhere(&mut self) -> Option<String> {
        self.nowhere.clone()
    }

    fn calls_in(&mut self) -> bool {
        self.sweep();
        let Some(destination) = (self.calls)() else { return false };
        let (request, ht) = (self.request(), HtCall(self.next_call));
        self.next_call += 1;
        let params = CallParams { destination, media: MediaTypes::AUDIO, ..CallParams::default() };
        match self.provider.line_make_call(request, self.line, ht, &params) {
            Ok(hd) => {
                self.placed = Some((ht, hd));
                self.events.lock().live.push((ht, hd));
                true
            }
            Err(_) => false,
        }
    }

    fn far_end_answers(&mut self) -> bool {
        self.answers_what_rings()
    }

    fn far_end_hangs_up(&mut self) -> bool {
        self.serve();
        let last = self.events.lock().live.last().copied();
        let Some((_, hd)) = last else { return false };
        let request = self.request();
        self.provider.line_drop(request, hd, DisconnectMode::Normal).is_ok()
    }

    fn all_released(&mut self) -> Option<bool> {
        self.serve();
        self.sweep();
        Some(self.events.lock().live.is_empty())
    }

    fn msp_answers(&mut self, data: &Opaque) -> Vec<Opaque> {
        (self.words)(data)
    }

    fn move_on(&mut self) {
        self.serve();
        self.sweep();
    }
}

impl<W> Drop for FarEnd<W> {
    fn drop(&mut self) {
        self.provider.provider_shutdown();
    }
}
