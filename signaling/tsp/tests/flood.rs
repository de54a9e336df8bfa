//! A flood of Setups against a broker that takes a few calls at a time: NEWCALL answered with nothing is back-pressure.
//! In: `OFFHOOK_SETUPS`. Out: that no call is without its Offering, that all others hear why.
#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use offhook_h323::{Call, Channel, ConferenceGoal, Config, LocalMedia, OutgoingParams};
use offhook_spi::{
    ApiVersion, CallInfoChange, Completion, DigitMode, DisconnectMode, HdCall, HtCall, HtLine, HtMspLine,
    HtPhone, LineCallState, LineDevState, LineError, MediaTypes, Opaque, PhoneEvent, RequestId, Timestamp,
    TspEvents, Tspi,
};
use offhook_tsp::{H323Config, H323Provider};
use tokio::runtime::Runtime;

/// Calls that the broker takes at a time.
const ROOM: usize = 10;

/// Callers, each a host of its own on loopback, and the Setups that each has under way at once.
const CALLERS: u8 = 8;
const AT_ONCE: usize = 25;

/// A broker that has room for [`ROOM`] calls, and refuses each of them as busy a moment later.
struct Broker {
    calls: Mutex<Calls>,
    /// To the application, until it goes.
    taken: Mutex<Option<mpsc::Sender<HdCall>>>,
}

#[derive(Default)]
struct Calls {
    here: HashSet<HtCall>,
    /// What was said of every call that was taken, in order.
    said: HashMap<HtCall, Vec<LineCallState>>,
    turned_away: usize,
}

impl TspEvents for Broker {
    fn async_answer(&self, _: RequestId, _: Result<Completion, LineError>) {}

    fn new_call(&self, _: HtLine, call: HdCall) -> Option<HtCall> {
        let mut calls = self.calls.lock().unwrap();
        if calls.here.len() >= ROOM {
            calls.turned_away += 1;
            return None;
        }
        let ht = HtCall(call.0);
        assert!(calls.here.insert(ht) && calls.said.insert(ht, Vec::new()).is_none(), "announced twice");
        Some(ht)
    }

    fn call_state(&self, _: HtLine, call: HtCall, state: LineCallState, _: Timestamp) {
        let mut calls = self.calls.lock().unwrap();
        calls.said.get_mut(&call).expect("a call that nobody took").push(state);
        match state {
            LineCallState::Offering => {
                self.taken.lock().unwrap().as_ref().unwrap().send(HdCall(call.0)).unwrap();
            }
            LineCallState::Idle => assert!(calls.here.remove(&call)),
            _ => {}
        }
    }

    fn call_info(&self, _: HtLine, call: HtCall, _: CallInfoChange) {
        assert!(self.calls.lock().unwrap().said.contains_key(&call), "about a call that nobody took");
    }

    fn digit(&self, _: HtLine, _: HtCall, _: char, _: DigitMode, _: Option<Duration>) {}

    fn send_msp_data(
        &self,
        _: HtLine,
        _: Option<HtCall>,
        _: Option<HtMspLine>,
        _: Opaque,
    ) -> Result<(), LineError> {
        Ok(())
    }

    fn line_dev_specific(&self, _: HtLine, _: Option<HtCall>, _: Opaque) {}

    fn phone_event(&self, _: HtPhone, _: PhoneEvent) {}

    fn phone_closed(&self, _: HtPhone, _: LineError) {}

    fn line_dev_state(&self, _: HtLine, _: LineDevState) {}

    fn line_closed(&self, _: HtLine, _: LineError) {}
}

/// A Setup as it goes on the wire.
fn setup(number: u32, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut guid = [7; 16];
    guid[..4].copy_from_slice(&number.to_be_bytes());
    let params = OutgoingParams {
        call_identifier: guid,
        conference_id: guid,
        call_reference: 1 + (number % 0x7ffe) as u16,
        seed: 1,
        goal: ConferenceGoal::Create,
        destination: None,
        overlap: false,
        withhold_identity: false,
        redirecting: None,
        forwards: 0,
        user_user: None,
        local_signal_address: Some(from),
        remote_signal_address: to,
        media: LocalMedia::default(),
    };
    let mut call = Call::outgoing(Config { fast_start: false, ..Config::default() }, params, Duration::ZERO);
    call.handle_connected(Duration::ZERO, Channel::Signaling);
    std::iter::from_fn(|| call.poll_transmit()).flat_map(|transmit| transmit.bytes).collect()
}

/// The cause of the ReleaseComplete that comes at last, and which other messages came before it.
fn released(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut before = Vec::new();
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head).unwrap();
        let mut message = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - 4];
        stream.read_exact(&mut message).unwrap();
        if message[4] != 0x5a {
            before.push(message[4]);
            continue;
        }
        // Elements of one length octet up to User-user.
        let mut at = 5;
        while message[at] != 0x08 {
            at += 2 + usize::from(message[at + 1]);
        }
        return (message[at + 3] & 0x7f, before);
    }
}

#[test]
fn in_a_flood_every_call_is_offered_or_refused_for_want_of_room() {
    let setups = std::env::var("OFFHOOK_SETUPS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000u32);
    let each = setups / u32::from(CALLERS);
    let runtime = Runtime::new().unwrap();
    let config = H323Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        connections_per_second: 1_000_000,
        max_silent: 10_000,
        max_silent_per_host: 10_000,
        max_calls: 10_000,
        ..H323Config::default()
    };
    let provider = H323Provider::new(config, runtime.handle().clone());
    let (taken, offers) = mpsc::channel();
    let broker = Arc::new(Broker { calls: Mutex::default(), taken: Mutex::new(Some(taken)) });
    provider.provider_init(broker.clone()).unwrap();
    let line = provider.line_open(0, HtLine(1), ApiVersion::V3_1).unwrap();
    provider.line_create_msp_instance(line, 0, HtMspLine(1)).unwrap();
    provider.line_set_default_media_detection(line, MediaTypes::AUDIO).unwrap();
    let at = provider.listening().unwrap();
    // The application: it says busy to every call.
    let switch = std::thread::spawn({
        let provider = provider.clone();
        move || {
            for (request, call) in offers.into_iter().enumerate() {
                let request = RequestId(2 * request as u32 + 1);
                provider.line_drop(request, call, DisconnectMode::Busy).unwrap();
            }
        }
    });
    let began = Instant::now();
    let causes: Vec<(u8, Vec<u8>)> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn(move || {
                    let mut causes = Vec::new();
                    let mut number = u32::from(caller) * each;
                    let end = number + each;
                    while number < end {
                        let mut streams = Vec::new();
                        for _ in 0..AT_ONCE.min((end - number) as usize) {
                            let socket =
                                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
                                    .unwrap();
                            let from = SocketAddr::from(([127, 0, 0, 10 + caller], 0));
                            socket.bind(&from.into()).unwrap();
                            socket.connect(&at.into()).unwrap();
                            let mut stream = TcpStream::from(socket);
                            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                            stream.write_all(&setup(number, from, at)).unwrap();
                            number += 1;
                            streams.push(stream);
                        }
                        causes.extend(streams.iter_mut().map(released));
                    }
                    causes
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    let took = began.elapsed();
    // Calls whose caller has heard the end may still be on their way to Idle here.
    let began = Instant::now();
    while !broker.calls.lock().unwrap().here.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "calls are left over");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (taken, turned_away) = {
        let calls = broker.calls.lock().unwrap();
        for (call, said) in &calls.said {
            assert_eq!(said, &[LineCallState::Offering, LineCallState::Idle], "{call:?}");
        }
        (calls.said.len(), calls.turned_away)
    };
    println!(
        "{} Setups in {took:.1?}, {:.0}/s: {taken} offered, {turned_away} turned away",
        causes.len(),
        causes.len() as f64 / took.as_secs_f64()
    );
    assert_eq!(taken + turned_away, causes.len(), "every Setup was announced");
    let of = |cause| causes.iter().filter(|(other, _)| *other == cause).count();
    assert_eq!((of(17), of(42)), (taken, turned_away), "busy, or no room (switching equipment congestion)");
    assert!(taken > 0 && turned_away > 0, "{taken} {turned_away}");
    // CallProceeding is the endpoint's; Alerting, Connect are not.
    assert!(causes.iter().all(|(_, before)| before.iter().all(|message| *message == 0x02)));
    provider.provider_shutdown();
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), provider.drained()).await.unwrap() });
    broker.taken.lock().unwrap().take();
    switch.join().unwrap();
}
