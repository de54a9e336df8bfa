//! Two providers, one calling the other, each under a broker and an MSP that do at once what keeps calls going: all of it
//! runs in the providers' own tasks.
//! In: how many calls, how many under way at once. Out: what they cost; or calls that stand.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::time::{Duration, Instant};

use offhook_pair::{Codec, Session, ToMsp, ToTsp};
use offhook_spi::{
    ApiVersion, CallInfoChange, CallParams, Completion, DigitMode, DisconnectMode, HdCall, HdLine, HdMspLine,
    HtCall, HtLine, HtMspLine, HtPhone, LineCallState, LineDevState, LineError, MediaTypes, Opaque,
    PhoneEvent, RequestId, Timestamp, TspEvents, Tspi,
};
use offhook_tsp::{H323Config, H323Provider};
use tokio::runtime::Runtime;

use crate::{Run, cpu, loopback};

/// Patience with calls that do not come up: a bench that hangs says nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker and an MSP over a provider.
struct Desk {
    provider: OnceLock<H323Provider>,
    line: OnceLock<(HdLine, HdMspLine)>,
    /// Whom this side calls.
    port: OnceLock<u16>,
    calls: Mutex<HashMap<HtCall, Placed>>,
    last: AtomicU64,
    /// Calls still to place.
    left: AtomicUsize,
    /// Calls that are kept when they are up.
    keeps: bool,
    latencies: Mutex<Vec<Duration>>,
    /// Calls that are not yet done: up and kept, or over.
    pending: AtomicUsize,
    /// All calls are done, or something went wrong.
    done: mpsc::SyncSender<Result<(), String>>,
}

#[derive(Default)]
struct Placed {
    began: Option<Instant>,
    provider: Option<HdCall>,
    /// The TSP asked for media before MakeCall had returned.
    asked: bool,
}

/// Names of calls that this side places start here, so that they differ from those of calls that come.
const OWN: u64 = 1 << 40;

impl Desk {
    fn new(
        runtime: &Runtime,
        keeps: bool,
        done: mpsc::SyncSender<Result<(), String>>,
    ) -> Result<Arc<Self>, LineError> {
        let config = H323Config {
            listen: ([0, 0, 0, 0], 0).into(),
            max_calls: 100_000,
            max_silent: 100_000,
            max_silent_per_host: 100_000,
            connections_per_second: 1_000_000,
            ..H323Config::default()
        };
        let desk = Arc::new(Self {
            provider: OnceLock::new(),
            line: OnceLock::new(),
            port: OnceLock::new(),
            calls: Mutex::default(),
            last: AtomicU64::new(OWN),
            left: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            keeps,
            latencies: Mutex::default(),
            done,
        });
        let provider = H323Provider::new(config, runtime.handle().clone());
        provider.provider_init(desk.clone())?;
        let line = provider.line_open(0, HtLine(1), ApiVersion::V3_1)?;
        let msp = provider.line_create_msp_instance(line, 0, HtMspLine(1))?;
        let _ = (desk.line.set((line, msp)), desk.provider.set(provider));
        Ok(desk)
    }

    fn provider(&self) -> &H323Provider {
        self.provider.get().expect("set before anything else")
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<HtCall, Placed>> {
        self.calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn listen(&self) -> Result<SocketAddr, LineError> {
        let (line, _) = *self.line.get().ok_or(LineError::InvalLineHandle)?;
        self.provider().line_set_default_media_detection(line, MediaTypes::AUDIO)?;
        self.provider().listening().ok_or(LineError::InvalLineHandle)
    }

    /// Places the next call, if there is one left.
    fn place(&self) {
        let take = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return;
        }
        let call = HtCall(self.last.fetch_add(1, Ordering::Relaxed));
        let port = *self.port.get().expect("set before calls");
        self.calls().insert(call, Placed { began: Some(Instant::now()), ..Placed::default() });
        let (line, _) = self.line.get().expect("set before anything else");
        let params = CallParams {
            destination: loopback((call.0 - OWN) as usize, port).to_string(),
            media: MediaTypes::AUDIO,
            ..CallParams::default()
        };
        match self.provider().line_make_call(RequestId(1), *line, call, &params) {
            Ok(hd) => {
                let asked = self.calls().get_mut(&call).map(|placed| {
                    placed.provider = Some(hd);
                    placed.asked
                });
                if asked == Some(true) {
                    self.prepared(hd);
                }
            }
            Err(error) => self.tell(Err(error.to_string())),
        }
    }

    fn is_done(&self) {
        // One message for all: what wakes for each would be measured with them.
        if self.pending.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.tell(Ok(()));
        }
    }

    fn tell(&self, what: Result<(), String>) {
        // Nobody waits any more after a failure.
        let _ = self.done.try_send(what);
    }

    fn handle(&self, call: HtCall) -> Option<HdCall> {
        if call.0 < OWN { Some(HdCall(call.0)) } else { self.calls().get(&call)?.provider }
    }

    fn prepared(&self, call: HdCall) {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let offer = |codec, payload_type| offhook_pair::CodecOffer {
            codec,
            payload_type,
            packet_ms: 20,
            max_packet_ms: 60,
        };
        let sessions = vec![Session {
            session: 1,
            rtp: at(5_000),
            rtcp: at(5_001),
            codecs: vec![offer(Codec::Pcma, 8), offer(Codec::Pcmu, 0)],
            telephone_event: None,
            comfort_noise: false,
            silence_suppression: false,
            redundancy: None,
        }];
        let (line, msp) = *self.line.get().expect("set before anything else");
        let said = Opaque::new(ToTsp::Prepared { sessions }.encode())
            .and_then(|data| self.provider().line_receive_msp_data(line, Some(call), msp, data));
        if let Err(error) = said {
            self.tell(Err(error.to_string()));
        }
    }
}

impl TspEvents for Desk {
    fn async_answer(&self, _: RequestId, result: Result<Completion, LineError>) {
        if let Err(error) = result {
            self.tell(Err(error.to_string()));
        }
    }

    fn new_call(&self, _: HtLine, call: HdCall) -> Option<HtCall> {
        Some(HtCall(call.0))
    }

    fn call_state(&self, _: HtLine, call: HtCall, state: LineCallState, _: Timestamp) {
        let own = call.0 >= OWN;
        let Some(hd) = self.handle(call) else { return };
        let asked = match state {
            LineCallState::Offering => self.provider().line_answer(RequestId(2), hd),
            LineCallState::Connected(_) if own => {
                let began = self.calls().get(&call).and_then(|placed| placed.began);
                let took = began.map(|began| began.elapsed()).unwrap_or_default();
                self.latencies.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(took);
                if self.keeps {
                    self.is_done();
                    self.place();
                    Ok(())
                } else {
                    self.provider().line_drop(RequestId(3), hd, DisconnectMode::Normal)
                }
            }
            LineCallState::Disconnected(DisconnectMode::Normal) => {
                self.provider().line_drop(RequestId(4), hd, DisconnectMode::Normal)
            }
            LineCallState::Disconnected(mode) => {
                self.tell(Err(format!("a call ended: {mode:?}")));
                Ok(())
            }
            LineCallState::Idle => {
                let closed = self.provider().line_close_call(hd);
                if own {
                    self.calls().remove(&call);
                    self.is_done();
                    self.place();
                }
                closed
            }
            _ => Ok(()),
        };
        if let Err(error) = asked {
            self.tell(Err(error.to_string()));
        }
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
        let message = ToMsp::decode(data.as_bytes()).map_err(LineError::failed)?;
        if let (ToMsp::Prepare { .. }, Some(call)) = (message, call) {
            let known = match self.calls().get_mut(&call) {
                Some(placed) if placed.provider.is_none() => {
                    placed.asked = true;
                    None
                }
                Some(placed) => placed.provider,
                None => Some(HdCall(call.0)),
            };
            if let Some(hd) = known {
                self.prepared(hd);
            }
        }
        Ok(())
    }

    fn line_dev_specific(&self, _: HtLine, _: Option<HtCall>, _: Opaque) {}

    fn phone_event(&self, _: HtPhone, _: PhoneEvent) {}

    fn phone_closed(&self, _: HtPhone, _: LineError) {}

    fn line_dev_state(&self, _: HtLine, _: LineDevState) {}

    fn line_closed(&self, _: HtLine, why: LineError) {
        self.tell(Err(why.to_string()));
    }
}

/// `count` calls that are dropped as soon as they are up, `at_once` under way at a time.
pub(crate) fn calls(runtime: &Runtime, count: usize, at_once: usize) -> Result<Run, Box<dyn Error>> {
    run(runtime, count, at_once, false, || {})
}

/// `count` calls that stand until `look` has looked at them.
pub(crate) fn standing(
    runtime: &Runtime,
    count: usize,
    at_once: usize,
    look: impl FnOnce(),
) -> Result<(), Box<dyn Error>> {
    run(runtime, count, at_once, true, look).map(|_| ())
}

fn run(
    runtime: &Runtime,
    count: usize,
    at_once: usize,
    keeps: bool,
    look: impl FnOnce(),
) -> Result<Run, Box<dyn Error>> {
    let (done, doing) = mpsc::sync_channel(1);
    let caller = Desk::new(runtime, keeps, done.clone())?;
    let called = Desk::new(runtime, keeps, done)?;
    let _ = caller.port.set(called.listen()?.port());
    caller.left.store(count, Ordering::Relaxed);
    caller.pending.store(count, Ordering::Relaxed);
    let (before, began) = (cpu(), Instant::now());
    for _ in 0..at_once {
        caller.place();
    }
    doing.recv_timeout(PATIENCE)??;
    let (cpu, wall) = (cpu() - before, began.elapsed());
    look();
    for desk in [&caller, &called] {
        desk.provider().provider_shutdown();
        runtime.block_on(async { tokio::time::timeout(PATIENCE, desk.provider().drained()).await })?;
    }
    let latencies = std::mem::take(&mut *caller.latencies.lock().unwrap_or_else(|p| p.into_inner()));
    Ok(Run { cpu, wall, latencies })
}
