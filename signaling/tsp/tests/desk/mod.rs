//! A scripted broker with a scripted MSP behind a provider: a desk that calls and is called.
#![allow(dead_code, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::time::{Duration, Instant};

use offhook_pair::{Codec, CodecOffer, Flow, Session, TelephoneEvent, ToMsp, ToTsp};
use offhook_spi::{
    ApiVersion, CallInfo, CallInfoChange, CallParams, Completion, DigitMode, HdCall, HdLine, HdMspLine,
    HtCall, HtLine, HtMspLine, HtPhone, LineCallState, LineDevState, LineError, MediaTypes, Opaque,
    PhoneEvent, RequestId, Timestamp, TspEvents, Tspi,
};
use offhook_tsp::{CallConfig, H323Config, H323Provider};
use tokio::runtime::Runtime;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The broker's name for the call that a desk places.
pub(crate) const PLACED: HtCall = HtCall(1 << 40);

/// A broker with one line, an MSP that is always ready, and a log of what the provider said.
pub(crate) struct Desk {
    pub(crate) provider: H323Provider,
    pub(crate) heard: mpsc::Receiver<String>,
    pub(crate) line: HdLine,
    events: Arc<Events>,
}

struct Events {
    say: Mutex<mpsc::Sender<String>>,
    provider: OnceLock<H323Provider>,
    line: OnceLock<(HdLine, HdMspLine)>,
    calls: Mutex<Vec<HdCall>>,
    /// What lineDevSpecific was answered, and what the provider told by LINE_DEVSPECIFIC.
    answers: Mutex<Vec<Opaque>>,
    notices: Mutex<Vec<Opaque>>,
    placed: OnceLock<HdCall>,
    this: OnceLock<Weak<Events>>,
    msp_port: u16,
    telephone_event: Option<TelephoneEvent>,
    comfort_noise: bool,
    plays: bool,
    willing: bool,
}

impl Events {
    fn say(&self, what: String) {
        // The desk may have closed.
        let _ = self.say.lock().unwrap().send(what);
    }

    /// The MSP says something, from another thread.
    fn msp_says(&self, call: HtCall, message: &ToTsp) {
        let (provider, (line, instance)) = (self.provider.get().unwrap().clone(), *self.line.get().unwrap());
        let (events, data) =
            (self.this.get().unwrap().upgrade().unwrap(), Opaque::new(message.encode()).unwrap());
        std::thread::spawn(move || {
            // The broker names calls that came as the provider does; the one that we place it calls PLACED.
            let call = if call == PLACED { *events.placed.wait() } else { HdCall(call.0) };
            provider.line_receive_msp_data(line, Some(call), instance, data)
        });
    }
}

impl TspEvents for Events {
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>) {
        if let Ok(Completion::DevSpecific(answer)) = &result {
            self.answers.lock().unwrap().push(answer.clone());
        }
        let result = result.map_or_else(|e| format!("failed: {e}"), |_| "done".to_owned());
        self.say(format!("request {} {result}", request.0));
    }

    fn new_call(&self, _: HtLine, call: HdCall) -> Option<HtCall> {
        self.say("newcall".to_owned());
        self.calls.lock().unwrap().push(call);
        self.willing.then_some(HtCall(call.0))
    }

    fn call_state(&self, _: HtLine, _: HtCall, state: LineCallState, _: Timestamp) {
        self.say(format!("{state:?}"));
    }

    fn call_info(&self, _: HtLine, _: HtCall, _: CallInfoChange) {}

    fn digit(&self, _: HtLine, _: HtCall, digit: char, mode: DigitMode, duration: Option<Duration>) {
        let duration = duration.map_or_else(String::new, |duration| format!(" {} ms", duration.as_millis()));
        self.say(format!("digit {digit} {mode:?}{duration}"));
    }

    fn send_msp_data(
        &self,
        _: HtLine,
        call: Option<HtCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError> {
        let message = ToMsp::decode(data.as_bytes()).map_err(LineError::failed)?;
        match message {
            ToMsp::Prepare { peer } => {
                self.say(format!("msp prepare {peer} to {msp:?}"));
                if self.msp_port == 0 {
                    return Ok(());
                }
                let call = call.unwrap();
                let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
                let offer = |codec, payload_type| CodecOffer {
                    codec,
                    payload_type,
                    packet_ms: 20,
                    max_packet_ms: 60,
                };
                let sessions = vec![Session {
                    session: 1,
                    rtp: at(self.msp_port),
                    rtcp: at(self.msp_port + 1),
                    codecs: vec![offer(Codec::Pcma, 8), offer(Codec::Pcmu, 0)],
                    telephone_event: self.telephone_event,
                    comfort_noise: self.comfort_noise,
                    silence_suppression: false,
                    redundancy: None,
                }];
                let prepared = ToTsp::Prepared { sessions };
                self.msp_says(call, &prepared);
            }
            ToMsp::Start(channels) => {
                for c in channels {
                    let mut text = format!("msp start {:?} {:?} {} ms", c.id.flow, c.codec, c.packet_ms);
                    if c.id.flow == Flow::Transmit {
                        let port = c.remote_rtp.map_or(0, |a| a.port());
                        write!(text, " to {port}").unwrap();
                    }
                    if let Some(event) = c.telephone_event.filter(|_| self.telephone_event.is_some()) {
                        write!(text, " events {} {:#x}", event.payload_type, event.events).unwrap();
                    }
                    if c.comfort_noise {
                        text.push_str(" with noise");
                    }
                    if let Some(rate) = c.max_bit_rate {
                        write!(text, " within {rate} bit/s").unwrap();
                    }
                    self.say(text);
                }
            }
            ToMsp::Stop(channels) => {
                for c in channels {
                    self.say(format!("msp stop {:?}", c.flow));
                }
            }
            ToMsp::StopAll => self.say("msp stop all".to_owned()),
            ToMsp::PlayDigits { id, digits, way } => {
                self.say(format!("msp plays {digits} {way:?}"));
                let answer = if self.plays {
                    ToTsp::DigitsPlayed { id }
                } else {
                    ToTsp::DigitsFailed { id, has_begun: false, why: "no sound is sent".to_owned() }
                };
                self.msp_says(call.unwrap(), &answer);
            }
            ToMsp::CancelDigits => self.say("msp cancels digits".to_owned()),
        }
        Ok(())
    }

    fn line_dev_specific(&self, _: HtLine, _: Option<HtCall>, data: Opaque) {
        self.notices.lock().unwrap().push(data);
    }

    fn phone_event(&self, _: HtPhone, _: PhoneEvent) {}

    fn phone_closed(&self, _: HtPhone, _: LineError) {}

    fn line_dev_state(&self, _: HtLine, state: LineDevState) {
        self.say(match state {
            LineDevState::InService { .. } => "in service".to_owned(),
            LineDevState::OutOfService { why } => format!("out of service: {why}"),
        });
    }

    fn line_closed(&self, _: HtLine, why: LineError) {
        self.say(format!("line closed: {why}"));
    }
}

/// What is special about a desk.
pub(crate) struct Wishes {
    pub(crate) call: CallConfig,
    pub(crate) msp_port: u16,
    /// What the MSP has of telephone-events.
    pub(crate) telephone_event: Option<TelephoneEvent>,
    pub(crate) comfort_noise: bool,
    /// Whether it can play them.
    pub(crate) plays: bool,
    pub(crate) willing: bool,
    pub(crate) prepare_timeout: Duration,
    /// Whom to ask about names.
    pub(crate) name_servers: Vec<SocketAddr>,
    /// Changes the rest of the provider's configuration.
    pub(crate) adjust: fn(&mut H323Config),
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            call: CallConfig::default(),
            msp_port: 5_000,
            telephone_event: None,
            comfort_noise: false,
            plays: true,
            willing: true,
            prepare_timeout: Duration::from_secs(5),
            name_servers: Vec::new(),
            adjust: |_| {},
        }
    }
}

impl Desk {
    pub(crate) fn new(runtime: &Runtime, wishes: Wishes) -> Self {
        let mut config = H323Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            call: wishes.call,
            prepare_timeout: wishes.prepare_timeout,
            name_servers: wishes.name_servers,
            ..H323Config::default()
        };
        (wishes.adjust)(&mut config);
        let provider = H323Provider::new(config, runtime.handle().clone());
        let (say, heard) = mpsc::channel();
        let events = Arc::new(Events {
            say: Mutex::new(say),
            provider: OnceLock::new(),
            line: OnceLock::new(),
            calls: Mutex::default(),
            answers: Mutex::default(),
            notices: Mutex::default(),
            placed: OnceLock::new(),
            this: OnceLock::new(),
            msp_port: wishes.msp_port,
            telephone_event: wishes.telephone_event,
            comfort_noise: wishes.comfort_noise,
            plays: wishes.plays,
            willing: wishes.willing,
        });
        provider.provider_init(events.clone()).unwrap();
        let line = provider.line_open(0, HtLine(1), ApiVersion::V3_1).unwrap();
        let msp = provider.line_create_msp_instance(line, 0, HtMspLine(9)).unwrap();
        assert!(events.provider.set(provider.clone()).is_ok() && events.line.set((line, msp)).is_ok());
        assert!(events.this.set(Arc::downgrade(&events)).is_ok());
        Self { provider, heard, line, events }
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.provider.line_set_default_media_detection(self.line, MediaTypes::AUDIO).unwrap();
        self.provider.listening().unwrap()
    }

    pub(crate) fn dial(&self, to: &str) -> Result<HdCall, LineError> {
        self.dial_with(to, CallParams { display: Some("Desk".into()), ..CallParams::default() })
    }

    pub(crate) fn dial_with(&self, to: &str, params: CallParams) -> Result<HdCall, LineError> {
        let params = CallParams { destination: to.to_owned(), media: MediaTypes::AUDIO, ..params };
        let placed = self.provider.line_make_call(RequestId(1), self.line, PLACED, &params)?;
        assert!(self.events.placed.set(placed).is_ok(), "a desk places one call");
        Ok(placed)
    }

    /// What is known of a call, once `enough` is.
    pub(crate) fn info(&self, call: HdCall, enough: impl Fn(&CallInfo) -> bool) -> CallInfo {
        let began = Instant::now();
        loop {
            let info = self.provider.line_call_info(call).unwrap();
            if enough(&info) {
                return info;
            }
            assert!(began.elapsed() < PATIENCE, "{info:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What is said until `last`, which is included.
    pub(crate) fn until(&self, last: &str) -> Vec<String> {
        let (began, mut said) = (Instant::now(), Vec::new());
        loop {
            match self.heard.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
                Ok(what) => {
                    let found = what == last;
                    said.push(what);
                    if found {
                        return said;
                    }
                }
                Err(_) => panic!("waiting for {last:?}, heard {said:#?}"),
            }
        }
    }

    /// What is said until all of `wanted` was, in any order; the beginning of a saying is enough.
    pub(crate) fn until_all(&self, wanted: &[&str]) -> Vec<String> {
        let (began, mut said) = (Instant::now(), Vec::<String>::new());
        loop {
            let missing = |wanted: &&&str| !said.iter().any(|said| said.starts_with(**wanted));
            if !wanted.iter().any(|wanted| missing(&wanted)) {
                return said;
            }
            match self.heard.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
                Ok(what) => said.push(what),
                Err(_) => panic!("waiting for {wanted:?}, heard {said:#?}"),
            }
        }
    }

    /// The MSP says something of a call.
    pub(crate) fn msp_says(&self, call: HtCall, message: &ToTsp) {
        self.events.msp_says(call, message);
    }

    /// What lineDevSpecific was answered last.
    pub(crate) fn answer(&self) -> Opaque {
        self.events.answers.lock().unwrap().last().unwrap().clone()
    }

    /// What LINE_DEVSPECIFIC has told so far.
    pub(crate) fn notices(&self) -> Vec<Opaque> {
        self.events.notices.lock().unwrap().clone()
    }

    /// All calls that have come.
    pub(crate) fn all_incoming(&self) -> Vec<HdCall> {
        self.events.calls.lock().unwrap().clone()
    }

    pub(crate) fn incoming(&self) -> HdCall {
        *self.events.calls.lock().unwrap().last().unwrap()
    }
}

pub(crate) fn position(said: &[String], what: &str) -> usize {
    said.iter().position(|s| s == what).unwrap_or_else(|| panic!("no {what:?} in {said:#?}"))
}

/// A provider's own name for a call.
pub(crate) fn id<'a>(info: &'a CallInfo, key: &str) -> Option<&'a str> {
    info.provider_ids.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
}
