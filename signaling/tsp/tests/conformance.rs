//! The public suite of TSPI's rules, on two of these providers that call each other over loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use offhook_conformance::{Addresses, FarEnd, Outcome, Report, Rule, run};
use offhook_pair::{Codec, CodecOffer, Session, ToMsp, ToTsp};
use offhook_spi::Opaque;
use offhook_tsp::{CallConfig, H323Config, H323Provider};
use tokio::runtime::Runtime;

/// What an MSP of ours answers; it plays nothing.
fn msp(data: &Opaque) -> Vec<Opaque> {
    let answer = match ToMsp::decode(data.as_bytes()).unwrap() {
        ToMsp::Prepare { .. } => {
            let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
            let codec = CodecOffer { codec: Codec::Pcma, payload_type: 8, packet_ms: 20, max_packet_ms: 60 };
            let session = Session {
                session: 1,
                rtp: at(5_004),
                rtcp: at(5_005),
                codecs: vec![codec],
                telephone_event: None,
                comfort_noise: false,
                silence_suppression: false,
                redundancy: None,
            };
            ToTsp::Prepared { sessions: vec![session] }
        }
        ToMsp::PlayDigits { id, .. } => ToTsp::DigitsPlayed { id },
        _ => return Vec::new(),
    };
    vec![Opaque::new(answer.encode()).unwrap()]
}

fn report(call: &CallConfig) -> Report {
    let runtime = Runtime::new().unwrap();
    let provider = || {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = H323Config { listen, call: call.clone(), ..H323Config::default() };
        H323Provider::new(config, runtime.handle().clone())
    };
    let (tested, far) = (provider(), provider());
    let (there, here) = (far.clone(), tested.clone());
    let addresses = move || Addresses {
        destination: there.listening().unwrap().to_string(),
        second: None,
        nowhere: Some("127.0.0.1:1".to_owned()),
    };
    let calls = move || here.listening().map(|at| at.to_string());
    let mut harness = FarEnd::new(Arc::new(far), addresses, calls, msp).unwrap();
    run(Arc::new(tested), &mut harness)
}

#[test]
fn the_provider_keeps_the_rules_of_tspi() {
    let report = report(&CallConfig::default());
    println!("{report}");
    assert!(report.passed(), "{report}");
    for rule in
        [Rule::MakeStates, Rule::NewCallRefused, Rule::CloseOutstanding, Rule::OpaqueStart, Rule::Shutdown]
    {
        assert_eq!(report.outcome(rule), Some(&Outcome::Ok), "{report}");
    }
}

#[test]
fn so_it_does_without_fast_connect_and_tunnelling() {
    let report = report(&CallConfig { fast_start: false, tunnelling: false, ..CallConfig::default() });
    assert!(report.passed(), "{report}");
}
