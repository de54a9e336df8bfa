//! Two providers call each other over loopback sockets; a scripted broker and a scripted MSP stand behind each.

mod desk;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use desk::{Desk, PATIENCE, Wishes, position};
use offhook_spi::{
    ApiVersion, DigitMode, DisconnectMode, HdCall, HdLine, HtLine, LineError, MediaTypes, RequestId, Tspi,
};
use offhook_tsp::{CallConfig, H323Config, H323Provider};
use tokio::runtime::Runtime;

const CONNECTED: &str = "Connected(Active)";
const SLOW: fn() -> CallConfig = || CallConfig { fast_start: false, ..CallConfig::default() };

#[test]
fn a_call_goes_through_every_state_in_order_at_both_ends() {
    let runtime = Runtime::new().unwrap();
    for config in [CallConfig::default(), SLOW(), CallConfig { tunnelling: false, ..SLOW() }] {
        let alice =
            Desk::new(&runtime, Wishes { call: config.clone(), msp_port: 5_000, ..Wishes::default() });
        let bob = Desk::new(&runtime, Wishes { call: config, msp_port: 6_000, ..Wishes::default() });
        let at = bob.listen();
        let placed = alice.dial(&format!("bob@{at}")).unwrap();

        let said = bob.until("msp prepare 127.0.0.1 to None");
        assert_eq!(said, ["newcall", "Offering", "msp prepare 127.0.0.1 to None"], "NEWCALL, then OFFERING");
        let offered = bob.incoming();
        let info = bob.provider.line_call_info(offered).unwrap();
        assert_eq!(info.caller.name.as_deref(), Some("Desk"));
        assert_eq!(info.called.address, "bob");
        bob.provider.line_accept(RequestId(10), offered).unwrap();
        assert_eq!(bob.until("Accepted").iter().filter(|s| *s == "request 10 done").count(), 1);
        alice.until("Ringback");
        bob.provider.line_answer(RequestId(11), offered).unwrap();
        let said = bob.until(CONNECTED);
        assert!(
            position(&said, "request 11 done") < position(&said, CONNECTED),
            "completion, then CONNECTED"
        );
        alice.until(CONNECTED);

        std::thread::sleep(Duration::from_millis(300));
        bob.provider.line_drop(RequestId(12), offered, DisconnectMode::Normal).unwrap();
        let said = bob.until("Idle");
        assert!(position(&said, "msp stop all") < position(&said, "Idle"), "{said:#?}");
        let said = alice.until("msp stop all");
        assert_eq!(said.iter().filter(|s| *s == "Disconnected(Normal)").count(), 1);
        assert!(position(&said, "Disconnected(Normal)") < position(&said, "msp stop all"), "{said:#?}");
        alice.provider.line_drop(RequestId(2), placed, DisconnectMode::Normal).unwrap();
        alice.until("Idle");
        alice.provider.line_close_call(placed).unwrap();
        bob.provider.line_close_call(offered).unwrap();
        runtime.block_on(async {
            tokio::time::timeout(PATIENCE, alice.provider.drained()).await.unwrap();
            tokio::time::timeout(PATIENCE, bob.provider.drained()).await.unwrap();
        });
        assert!(alice.provider.line_call_info(placed).is_err(), "nothing of a call survives its release");
    }
}

#[test]
fn the_msp_is_asked_before_setup_and_told_each_channel_once() {
    let runtime = Runtime::new().unwrap();
    for config in [CallConfig::default(), SLOW()] {
        let alice =
            Desk::new(&runtime, Wishes { call: config.clone(), msp_port: 5_000, ..Wishes::default() });
        let bob = Desk::new(&runtime, Wishes { call: config, msp_port: 6_000, ..Wishes::default() });
        alice.dial(&bob.listen().to_string()).unwrap();
        let said = alice.until("Dialing");
        assert_eq!(said, ["request 1 done", "msp prepare 127.0.0.1 to None", "Dialing"]);
        bob.until("msp prepare 127.0.0.1 to None");
        bob.provider.line_answer(RequestId(1), bob.incoming()).unwrap();
        for (desk, port) in [(&alice, 6_000), (&bob, 5_000)] {
            let mut started = Vec::new();
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(1) {
                if let Ok(said) = desk.heard.recv_timeout(Duration::from_millis(50))
                    && said.starts_with("msp start")
                {
                    started.push(said);
                }
            }
            started.sort();
            let expected = [
                "msp start Receive Pcma 20 ms".to_owned(),
                format!("msp start Transmit Pcma 20 ms to {port}"),
            ];
            // The most that may arrive in a packet may be more than what is sent.
            let got: Vec<_> =
                started.iter().map(|s| s.replace("Receive Pcma 60 ms", "Receive Pcma 20 ms")).collect();
            assert_eq!(got, expected);
        }
    }
}

#[test]
fn who_is_called_neither_speaks_nor_hears_before_he_answers() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (Desk::new(&runtime, Wishes::default()), Desk::new(&runtime, Wishes::default()));
    alice.dial(&bob.listen().to_string()).unwrap();
    bob.until("msp prepare 127.0.0.1 to None");
    // Fast connect is accepted with Alerting if the MSP has answered by then; both channels are agreed with it.
    std::thread::sleep(Duration::from_millis(200));
    bob.provider.line_accept(RequestId(1), bob.incoming()).unwrap();
    let said = alice.until("msp start Receive Pcma 20 ms");
    assert!(!said.iter().any(|s| s.starts_with("msp start Transmit")), "a caller listens early: {said:#?}");
    std::thread::sleep(Duration::from_millis(300));
    let said: Vec<_> = bob.heard.try_iter().chain(alice.heard.try_iter()).collect();
    assert!(!said.iter().any(|s| s.starts_with("msp start")), "{said:#?}");
    bob.provider.line_answer(RequestId(2), bob.incoming()).unwrap();
    for desk in [&alice, &bob] {
        let said = desk.until("msp start Transmit Pcma 20 ms to 5000");
        assert!(position(&said, CONNECTED) < said.len() - 1, "{said:#?}");
    }
}

#[test]
fn a_refused_a_busy_and_a_cancelled_call_are_told_apart() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen().to_string();
    for (mode, read) in [
        (DisconnectMode::Normal, "Disconnected(Reject)"),
        (DisconnectMode::Reject, "Disconnected(Reject)"),
        (DisconnectMode::Busy, "Disconnected(Busy)"),
        (DisconnectMode::NoAnswer, "Disconnected(NoAnswer)"),
    ] {
        let alice = Desk::new(&runtime, Wishes::default());
        alice.dial(&at).unwrap();
        bob.until("msp prepare 127.0.0.1 to None");
        bob.provider.line_drop(RequestId(5), bob.incoming(), mode).unwrap();
        bob.until("Idle");
        alice.until(read);
    }
    let alice = Desk::new(&runtime, Wishes::default());
    let placed = alice.dial(&at).unwrap();
    bob.until("msp prepare 127.0.0.1 to None");
    alice.provider.line_drop(RequestId(2), placed, DisconnectMode::Normal).unwrap();
    alice.until("Idle");
    bob.until("Disconnected(Cancelled)");
}

#[test]
fn a_broker_that_wants_no_call_makes_the_caller_read_congestion() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes { willing: false, ..Wishes::default() });
    let alice = Desk::new(&runtime, Wishes::default());
    alice.dial(&bob.listen().to_string()).unwrap();
    alice.until("Disconnected(Congestion)");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(
        bob.heard.try_iter().collect::<Vec<_>>(),
        ["newcall"],
        "not a word about a call that nobody knows"
    );
    runtime.block_on(async { tokio::time::timeout(PATIENCE, bob.provider.drained()).await.unwrap() });
}

#[test]
fn an_msp_that_does_not_answer_costs_the_call_and_no_more() {
    let runtime = Runtime::new().unwrap();
    let patience = Duration::from_millis(200);
    let silent = || Wishes { msp_port: 0, prepare_timeout: patience, ..Wishes::default() };
    let bob = Desk::new(&runtime, silent());
    let alice = Desk::new(&runtime, Wishes::default());
    let at = bob.listen().to_string();
    alice.dial(&at).unwrap();
    alice.until("Disconnected(Congestion)");
    let carol = Desk::new(&runtime, silent());
    let placed = carol.dial(&at).unwrap();
    carol.until("Disconnected(Unavail)");
    let info = carol.provider.line_call_info(placed).unwrap();
    assert!(info.provider_ids.iter().any(|(k, v)| k == "media" && v.contains("media side")), "{info:?}");
}

#[test]
fn requests_in_the_wrong_state_are_refused_and_complete_once() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (Desk::new(&runtime, Wishes::default()), Desk::new(&runtime, Wishes::default()));
    let placed = alice.dial(&bob.listen().to_string()).unwrap();
    alice.until("Dialing");
    for request in [2, 3, 4] {
        let wrong = match request {
            2 => alice.provider.line_answer(RequestId(2), placed),
            3 => alice.provider.line_accept(RequestId(3), placed),
            _ => alice.provider.line_generate_digits(RequestId(4), placed, DigitMode::Dtmf, "1"),
        };
        wrong.unwrap();
        alice.until(&format!("request {request} failed: the call's state does not allow this"));
    }
    assert!(matches!(
        alice.provider.line_generate_digits(RequestId(5), placed, DigitMode::Dtmf, "x"),
        Err(LineError::InvalParam(_))
    ));
    assert_eq!(alice.provider.line_answer(RequestId(6), HdCall(4_711)), Err(LineError::InvalCallHandle));
    assert_eq!(alice.provider.line_close(HdLine(4_711)), Err(LineError::InvalLineHandle));
    assert!(matches!(alice.dial("not a host"), Err(LineError::InvalAddress(_))));
}

#[test]
fn shutting_down_releases_every_call_on_the_wire() {
    let runtime = Runtime::new().unwrap();
    let (alice, bob) = (Desk::new(&runtime, Wishes::default()), Desk::new(&runtime, Wishes::default()));
    alice.dial(&bob.listen().to_string()).unwrap();
    bob.until("msp prepare 127.0.0.1 to None");
    bob.provider.line_answer(RequestId(1), bob.incoming()).unwrap();
    alice.until(CONNECTED);
    bob.provider.provider_shutdown();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, bob.provider.drained()).await.unwrap() });
    alice.until("Disconnected(Normal)");
    assert_eq!(bob.provider.listening(), None);
}

#[test]
fn strangers_and_garbage_announce_nothing_and_leave_nothing() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    for garbage in
        [&b"\x16\x03\x01\x02\x00"[..], b"\x03\x00\x00\x04", b"\x03\x00\x00\x06\x08\x02", &[0xff; 9_000], b""]
    {
        let mut stream = TcpStream::connect(at).unwrap();
        // It may have hung up on us already.
        let _ = stream.write_all(garbage);
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(bob.heard.try_iter().count(), 0);
    let alice = Desk::new(&runtime, Wishes::default());
    alice.dial(&at.to_string()).unwrap();
    alice.until("Dialing");
    bob.until("msp prepare 127.0.0.1 to None");
}

#[test]
fn a_host_that_connects_and_says_nothing_keeps_nobody_out() {
    let runtime = Runtime::new().unwrap();
    let adjust = |config: &mut H323Config| {
        config.max_calls = 10;
        config.max_silent_per_host = 4;
    };
    let bob = Desk::new(&runtime, Wishes { adjust, msp_port: 0, ..Wishes::default() });
    let at = bob.listen();
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(at).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(200));
    // Every loopback address is a host of its own here.
    let alice = Desk::new(&runtime, Wishes::default());
    let refused = silent.iter().filter(|stream| {
        stream.set_nonblocking(true).unwrap();
        matches!((&mut &**stream).read(&mut [0]), Ok(0) | Err(_))
            && stream.peek(&mut [0]).is_ok_and(|n| n == 0)
    });
    assert_eq!(refused.count(), 16, "four of one host may wait");
    drop(silent);
    std::thread::sleep(Duration::from_millis(200));
    alice.dial(&at.to_string()).unwrap();
    alice.until("Dialing");
    bob.until("Offering");
    assert_eq!(bob.provider.counters().silent, 16);
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let runtime = Runtime::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = H323Config { listen: taken.local_addr().unwrap(), ..H323Config::default() };
    let provider = H323Provider::new(config, runtime.handle().clone());
    let line = provider.line_open(0, HtLine(1), ApiVersion::V3_1).unwrap();
    let error = provider.line_set_default_media_detection(line, MediaTypes::AUDIO);
    let named = taken.local_addr().unwrap().to_string();
    assert!(matches!(&error, Err(LineError::ResourceUnavail(why)) if why.contains(&named)), "{error:?}");
}
