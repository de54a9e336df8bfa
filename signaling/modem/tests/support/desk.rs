//! A desk that drives the provider as a broker does, and writes down what it reports.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_modem::{ModemConfig, ModemProvider, PortConfig};
use offhook_spi::*;

use super::{Modem, PATIENCE};

impl Modem {
    /// Its port, and nothing said about it.
    pub(crate) fn config(&self) -> PortConfig {
        PortConfig::new(self.port.to_str().unwrap())
    }
}

/// Drives the provider as a broker does, and writes down what it reports.
pub(crate) struct Desk {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) provider: ModemProvider,
    pub(crate) line: HdLine,
    log: Arc<Log>,
    told: Receiver<String>,
    requests: AtomicU32,
}

struct Log {
    told: Sender<String>,
    calls: Mutex<Vec<HdCall>>,
    /// New calls that are to be refused.
    refuse: AtomicU32,
}

impl Log {
    fn tell(&self, what: String) {
        let _ = self.told.send(what);
    }
}

impl TspEvents for Log {
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        self.tell(match result {
            Ok(Completion::Done) => format!("{} done", request.0),
            Ok(Completion::DevSpecific(data)) => {
                format!("{} answers {:?}", request.0, String::from_utf8_lossy(data.as_bytes()))
            }
            Ok(other) => format!("{} {other:?}", request.0),
            Err(error) => format!("{} failed: {error}", request.0),
        });
    }

    fn new_call(&self, _line: HtLine, call: HdCall) -> Option<HtCall> {
        let refuse =
            self.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        self.tell(if refuse { "refused".to_owned() } else { "new call".to_owned() });
        if refuse {
            return None;
        }
        self.calls.lock().unwrap().push(call);
        Some(HtCall(1000 + call.0))
    }

    fn call_state(&self, _line: HtLine, _call: HtCall, state: LineCallState, _at: Timestamp) {
        self.tell(format!("{state:?}"));
    }

    fn call_info(&self, _line: HtLine, _call: HtCall, change: CallInfoChange) {
        self.tell(format!("info {change:?}"));
    }

    fn digit(&self, _line: HtLine, _call: HtCall, digit: char, _mode: DigitMode, duration: Option<Duration>) {
        self.tell(format!("digit {digit}{}", if duration.is_some() { " held" } else { "" }));
    }

    fn send_msp_data(
        &self,
        _line: HtLine,
        _call: Option<HtCall>,
        _msp: Option<HtMspLine>,
        _data: Opaque,
    ) -> Result<(), LineError> {
        panic!("a provider without an MSP has nothing to say to one");
    }

    fn line_dev_state(&self, _line: HtLine, state: LineDevState) {
        self.tell(match state {
            LineDevState::InService { with } => {
                format!("in service: {}", with.split(" on ").next().unwrap_or_default())
            }
            LineDevState::OutOfService { why } => format!("out of service: {why}"),
        });
    }

    fn line_closed(&self, _line: HtLine, why: LineError) {
        self.tell(format!("line closed: {why}"));
    }

    fn line_dev_specific(&self, _line: HtLine, _call: Option<HtCall>, _data: Opaque) {
        panic!("no messages of its own");
    }

    fn phone_event(&self, _phone: HtPhone, _event: PhoneEvent) {
        panic!("no phones");
    }

    fn phone_closed(&self, _phone: HtPhone, _why: LineError) {
        panic!("no phones");
    }
}

impl Desk {
    /// Opens the line of `config` and waits until its modem is in service.
    pub(crate) fn open(config: PortConfig) -> Self {
        let desk = Self::try_open(config).unwrap();
        desk.until("in service");
        desk
    }

    pub(crate) fn try_open(config: PortConfig) -> Result<Self, LineError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = ModemConfig { ports: vec![config] };
        let provider = ModemProvider::new(config, runtime.handle().clone()).unwrap();
        let (sender, told) = mpsc::channel();
        let log = Arc::new(Log { told: sender, calls: Mutex::default(), refuse: AtomicU32::new(0) });
        provider.provider_init(log.clone()).unwrap();
        let line = provider.line_open(0, HtLine(1), ApiVersion::V3_1)?;
        provider.line_set_default_media_detection(line, MediaTypes::AUDIO).unwrap();
        Ok(Self { runtime, provider, line, log, told, requests: AtomicU32::new(0) })
    }

    pub(crate) fn request(&self) -> RequestId {
        RequestId(self.requests.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(crate) fn dial(&self, number: &str) -> Result<HdCall, LineError> {
        self.dial_with(number, CallParams::default())
    }

    pub(crate) fn dial_with(&self, number: &str, params: CallParams) -> Result<HdCall, LineError> {
        let params = CallParams { destination: number.to_owned(), media: MediaTypes::AUDIO, ..params };
        self.provider.line_make_call(self.request(), self.line, HtCall(7), &params)
    }

    pub(crate) fn answer(&self, call: HdCall) {
        self.provider.line_answer(self.request(), call).unwrap();
    }

    pub(crate) fn drop_call(&self, call: HdCall) {
        self.provider.line_drop(self.request(), call, DisconnectMode::Normal).unwrap();
    }

    pub(crate) fn digits(&self, call: HdCall, digits: &str) {
        self.provider.line_generate_digits(self.request(), call, DigitMode::Dtmf, digits).unwrap();
    }

    /// Drops a call, waits for Idle and closes it.
    pub(crate) fn end(&self, call: HdCall) {
        self.drop_call(call);
        self.until("Idle");
        self.provider.line_close_call(call).unwrap();
    }

    pub(crate) fn info(&self, call: HdCall) -> CallInfo {
        self.provider.line_call_info(call).unwrap()
    }

    /// The call that arrived last.
    pub(crate) fn incoming(&self) -> HdCall {
        *self.log.calls.lock().unwrap().last().unwrap()
    }

    /// Refuses so many calls that arrive.
    pub(crate) fn refuse(&self, calls: u32) {
        self.log.refuse.store(calls, Ordering::SeqCst);
    }

    /// What is told until something that begins with `last`, that included.
    pub(crate) fn until(&self, last: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(what) => {
                    let found = what.starts_with(last);
                    told.push(what);
                    if found {
                        return told;
                    }
                }
                Err(_) => panic!("{last:?} was not told, but {told:?}"),
            }
        }
    }

    /// Nothing more is told.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.try_iter().collect()
    }

    /// Closes the line and waits for the modem to hang up.
    pub(crate) fn close(&self) {
        self.provider.provider_shutdown();
        self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, self.provider.drained()).await.expect("the line does not end");
        });
    }
}
