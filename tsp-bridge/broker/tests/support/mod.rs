//! A client for tests: remembers every event, and asks.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod puppet;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use offhook_broker::Broker;
use offhook_broker::scripted::{Drive, Scripted, ScriptedConfig};
use offhook_spi::{
    AppEvent, AppReply, AppRequest, AppSink, CallParams, ConnectedMode, DeviceId, HCall, HLine,
    LineCallState, LineError, Link, LinkClosed, MediaTypes, Opaque, Privilege, RequestId,
};

pub(crate) const CONNECTED: LineCallState = LineCallState::Connected(ConnectedMode::Active);

#[derive(Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<AppEvent>>,
}

impl AppSink for Recorder {
    fn deliver(&self, event: AppEvent) {
        self.events.lock().unwrap().push(event);
    }
}

pub(crate) struct Client {
    pub(crate) link: Option<Arc<dyn Link>>,
    recorder: Arc<Recorder>,
    next: AtomicU32,
}

impl Client {
    pub(crate) fn new(broker: &Broker, name: &str) -> Self {
        let recorder = Arc::new(Recorder::default());
        let link = Some(broker.connect(name, recorder.clone()));
        Self { link, recorder, next: AtomicU32::new(1) }
    }

    pub(crate) fn submit(&self, what: AppRequest) -> Result<RequestId, LinkClosed> {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        self.link.as_ref().expect("still here").submit(id, what)?;
        Ok(id)
    }

    /// The replies to a request so far: more than one is a bug.
    pub(crate) fn replies(&self, id: RequestId) -> Vec<Result<AppReply, LineError>> {
        let events = self.recorder.events.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match event {
                AppEvent::Reply { request, result } if *request == id => Some(result.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn reply(&self, id: RequestId) -> Option<Result<AppReply, LineError>> {
        let mut replies = self.replies(id);
        assert!(replies.len() <= 1, "a request has one reply: {replies:?}");
        replies.pop()
    }

    /// Asks for something that is answered at once.
    pub(crate) fn ask(&self, what: AppRequest) -> Result<AppReply, LineError> {
        let id = self.submit(what).expect("the broker is there");
        self.reply(id).expect("answered at once")
    }

    pub(crate) fn open(&self, privilege: Privilege, media: MediaTypes) -> HLine {
        match self.ask(AppRequest::OpenLine { device: DeviceId(0), privilege, media }) {
            Ok(AppReply::Line(line)) => line,
            other => panic!("no line: {other:?}"),
        }
    }

    pub(crate) fn open_with_msp(&self, privilege: Privilege) -> HLine {
        let line = self.open(privilege, MediaTypes::AUDIO);
        assert_eq!(self.ask(AppRequest::CreateMspInstance { line }), Ok(AppReply::Done));
        line
    }

    pub(crate) fn dial(&self, line: HLine, destination: &str) -> RequestId {
        let params = CallParams {
            destination: destination.to_owned(),
            media: MediaTypes::AUDIO,
            ..CallParams::default()
        };
        self.submit(AppRequest::MakeCall { line, params }).expect("the broker is there")
    }

    /// Everything seen so far.
    pub(crate) fn events(&self) -> Vec<AppEvent> {
        self.recorder.events.lock().unwrap().clone()
    }

    pub(crate) fn clear(&self) {
        self.recorder.events.lock().unwrap().clear();
    }

    pub(crate) fn new_calls(&self) -> Vec<(HCall, Privilege)> {
        let pick = |event: &AppEvent| match event {
            AppEvent::NewCall { call, privilege, .. } => Some((*call, *privilege)),
            _ => None,
        };
        self.events().iter().filter_map(pick).collect()
    }

    pub(crate) fn states(&self) -> Vec<LineCallState> {
        let pick = |event: &AppEvent| match event {
            AppEvent::CallState { state, .. } => Some(*state),
            _ => None,
        };
        self.events().iter().filter_map(pick).collect()
    }

    pub(crate) fn buffers(&self) -> Vec<(Option<HCall>, Opaque)> {
        let pick = |event: &AppEvent| match event {
            AppEvent::MspData { call, data, .. } => Some((*call, data.clone())),
            _ => None,
        };
        self.events().iter().filter_map(pick).collect()
    }
}

pub(crate) fn opaque(bytes: &[u8]) -> Opaque {
    Opaque::new(bytes.to_vec()).unwrap()
}

pub(crate) fn house(config: ScriptedConfig) -> (Broker, Arc<Scripted>) {
    let switch = Scripted::new(config);
    let broker = Broker::new();
    broker.add_provider(switch.clone()).unwrap();
    (broker, switch)
}

/// A broker with a switch that moves when told.
pub(crate) fn stepped() -> (Broker, Arc<Scripted>) {
    house(ScriptedConfig::default())
}

/// A broker with a switch that moves by itself.
pub(crate) fn immediate() -> (Broker, Arc<Scripted>) {
    house(ScriptedConfig { drive: Drive::Immediate, ..ScriptedConfig::default() })
}

/// What a client asks in order to call somebody.
pub(crate) fn to(destination: &str) -> CallParams {
    CallParams { destination: destination.to_owned(), media: MediaTypes::AUDIO, ..CallParams::default() }
}

/// The client's handle of a call that it made.
pub(crate) fn call_of(reply: Option<Result<AppReply, LineError>>) -> HCall {
    match reply {
        Some(Ok(AppReply::Call(call))) => call,
        other => panic!("no call: {other:?}"),
    }
}
