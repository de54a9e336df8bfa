//! Under the broker, as an application sees it: placed, answered, unplugged; and that there are no streams.
//!
//! The traces in tests/golden are what TAPI 1.3 to 1.7 want of a line without an MSP, written by hand; the test writes none.

mod support;

use std::sync::Arc;

use offhook_broker::Broker;
use offhook_modem::{ModemConfig, ModemProvider, PortConfig};
use offhook_spi::{LineDevState, MediaTypes, Privilege};
use offhook_tapi::{
    Address, AddressEvent, Call, Direction, DisconnectCode, Event, EventFilter, EventStream, Tapi, TapiError,
    TerminalClass,
};
use support::{Modem, PATIENCE};

struct App {
    tapi: Tapi,
    address: Address,
    events: EventStream,
    broker: Broker,
    provider: ModemProvider,
    calls: Vec<Call>,
    trace: String,
}

impl App {
    async fn open(config: PortConfig) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let provider = ModemProvider::new(ModemConfig { ports: vec![config] }, runtime).unwrap();
        let broker = Broker::new();
        broker.add_provider(Arc::new(provider.clone())).unwrap();
        let tapi = Tapi::connect(|sink| broker.connect("app", sink), None).unwrap();
        let address = tapi.addresses().await.unwrap().remove(0);
        let events = tapi.events(EventFilter::ALL);
        address.open(Privilege::Owner, MediaTypes::AUDIO).await.unwrap();
        let (calls, trace) = (Vec::new(), String::new());
        let mut app = Self { tapi, address, events, broker, provider, calls, trace };
        app.until("AE_STATE in service").await;
        app
    }

    fn note(&mut self, what: &str) {
        self.trace.push_str(what);
        self.trace.push('\n');
    }

    /// Writes down events until one that begins so.
    async fn until(&mut self, last: &str) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.events.next()).await;
            let event = next.unwrap_or_else(|_| panic!("no {last:?} after:\n{}", self.trace)).unwrap();
            let line = self.line(event);
            self.note(&line);
            if line.trim_start().starts_with(last) {
                return;
            }
        }
    }

    fn line(&mut self, event: Event) -> String {
        let text = match event {
            Event::CallNotification { call, privilege } => {
                self.calls.push(call);
                format!("TE_CALLNOTIFICATION {privilege:?}")
            }
            Event::CallState { state, cause, line_state, .. } => {
                let cause = cause.map(|cause| format!(" {cause:?}")).unwrap_or_default();
                format!("TE_CALLSTATE {state:?}{cause} ({line_state:?})")
            }
            Event::CallInfoChange { change, info, .. } => {
                format!("TE_CALLINFOCHANGE {change:?}: {} {:?}", info.caller.address, info.caller.name)
            }
            Event::Digit { digit, .. } => format!("TE_DIGITEVENT {digit}"),
            Event::Address { event: AddressEvent::Service(LineDevState::InService { .. }), .. } => {
                "AE_STATE in service".to_owned()
            }
            Event::Address { event: AddressEvent::Service(LineDevState::OutOfService { .. }), .. } => {
                "AE_STATE out of service".to_owned()
            }
            other => format!("{other:?}"),
        };
        format!("     {text}")
    }

    async fn release(&mut self, call: Call) {
        self.note("app  release");
        call.release().await;
    }

    /// Ends the session; nothing is left, nothing went wrong unseen, and the trace is what it should be.
    async fn end(mut self, golden: &str) {
        self.calls.clear();
        self.tapi.settled().await.unwrap();
        while let Some(event) = self.events.try_next() {
            let line = self.line(event);
            self.note(&line);
        }
        self.tapi.close().await;
        let (census, diagnostics) = (self.broker.census(), self.broker.diagnostics());
        assert_eq!((census.calls, census.requests, census.lines), (0, 0, 0), "{census:?}");
        assert_eq!(diagnostics.illegal_states, 0, "{diagnostics:?}");
        assert_eq!(diagnostics.early_events, 0, "{diagnostics:?}");
        assert_eq!(diagnostics.stray_completions, 0, "{diagnostics:?}");
        self.broker.shutdown();
        tokio::time::timeout(PATIENCE, self.provider.drained()).await.expect("the line does not end");
        assert_eq!(self.trace, golden, "the trace is:\n{}", self.trace);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_placed_without_streams_and_ended_here() {
    let modem = Modem::plug("voice");
    let mut app = App::open(modem.config()).await;
    assert!(!app.address.caps().has_msp);
    assert_eq!(app.address.static_terminals().unwrap_err(), TapiError::NoStreamControl);
    let tone = TerminalClass::Tone { frequency: 440.0, level: -10.0 };
    let made = app.address.create_terminal(tone, Direction::Capture);
    assert_eq!(made.unwrap_err(), TapiError::NoStreamControl);
    let call = app.address.create_call("5551234", MediaTypes::AUDIO).unwrap();
    app.note("app  create_call");
    assert_eq!(call.streams().unwrap_err(), TapiError::NoStreamControl);
    app.note("app  streams: none");
    app.note("app  connect");
    call.connect().await.unwrap();
    app.until("TE_CALLSTATE Connected").await;
    assert_eq!(call.streams().unwrap_err(), TapiError::NoStreamControl);
    app.note("app  generate_digits");
    call.generate_digits("42#").await.unwrap();
    modem.octets(b"\x107");
    app.until("TE_DIGITEVENT").await;
    app.note("app  disconnect");
    call.disconnect(DisconnectCode::Normal).await.unwrap();
    app.until("TE_CALLSTATE Disconnected").await;
    app.release(call).await;
    app.end(include_str!("golden/placed.txt")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_and_ended_by_the_far_end() {
    let modem = Modem::plug("voice");
    let mut app = App::open(modem.config()).await;
    modem.say("RING");
    app.until("TE_CALLSTATE Offering").await;
    modem.say("NMBR = 5550100");
    app.until("TE_CALLINFOCHANGE").await;
    let call = app.calls.pop().unwrap();
    assert_eq!(call.streams().unwrap_err(), TapiError::NoStreamControl);
    app.note("app  streams: none");
    app.note("app  answer");
    call.answer().await.unwrap();
    app.until("TE_CALLSTATE Connected").await;
    modem.octets(b"\x10b");
    app.until("TE_CALLSTATE Disconnected").await;
    assert_eq!(call.info().await.unwrap().caller.address, "5550100", "readable after the end");
    app.release(call).await;
    app.end(include_str!("golden/answered.txt")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_is_pulled_out_of_a_call_and_plugged_in_again() {
    let modem = Modem::plug("voice");
    let mut app = App::open(PortConfig { reopen_max_ms: 400, ..modem.config() }).await;
    let call = app.address.create_call("5551234", MediaTypes::AUDIO).unwrap();
    app.note("app  connect");
    call.connect().await.unwrap();
    app.until("TE_CALLSTATE Connected").await;
    modem.unplug();
    app.until("TE_CALLSTATE Disconnected").await;
    app.release(call).await;
    let refused = app.address.create_call("5551234", MediaTypes::AUDIO).unwrap();
    app.note("app  connect");
    let why = refused.connect().await.unwrap_err().to_string();
    assert!(why.contains("out of service"), "{why}");
    app.note("app  refused");
    app.release(refused).await;
    modem.replug();
    app.until("AE_STATE in service").await;
    let call = app.address.create_call("5551234", MediaTypes::AUDIO).unwrap();
    app.note("app  connect");
    call.connect().await.unwrap();
    app.until("TE_CALLSTATE Connected").await;
    // The release of its only owner drops it.
    app.release(call).await;
    modem.hears("ATH", 1);
    app.end(include_str!("golden/unplugged.txt")).await;
}
