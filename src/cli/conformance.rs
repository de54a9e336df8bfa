//! `offhook conformance`: holds providers to the rules of TSPI and shows how they did.
//!
//! In: which provider. Out: the suite's report, as text or JSON; failure if a rule is broken.
//! The H.323 provider is tried against another of its kind over loopback, with MSPs that say what ours would and play
//! nothing. Not here: the rules (`offhook-conformance`).

use std::net::SocketAddr;
use std::sync::Arc;

use offhook::{H323Config, H323Provider};
use offhook_conformance::{Addresses, Exchange, FarEnd, Report, run as suite};
use offhook_pair::{Codec, CodecOffer, Session, ToMsp, ToTsp};
use offhook_scripted::ScriptedConfig;
use offhook_spi::Opaque;
use tokio::runtime::Runtime;

use super::args::{ConformanceArgs, ConformanceProvider};
use super::{Failure, Outcome, say};

pub(crate) fn run(args: &ConformanceArgs) -> Result<Outcome, Failure> {
    let wanted = match args.provider {
        Some(one) => vec![one],
        None => vec![ConformanceProvider::Scripted, ConformanceProvider::H323],
    };
    let mut broken = Vec::new();
    for provider in wanted {
        let report = match provider {
            ConformanceProvider::Scripted => {
                let (provider, mut harness) = Exchange::new(ScriptedConfig::switch(3));
                suite(provider, &mut harness)
            }
            ConformanceProvider::H323 => h323()?,
        };
        if args.json {
            say(format!("{}\n", report.to_json().map_err(Failure::new)?))?;
        } else {
            say(format!("{report}\n\n"))?;
        }
        broken.extend(report.failed().map(|rule| format!("{}: {rule}", report.provider)));
    }
    if broken.is_empty() { Ok(Outcome::Done) } else { Err(Failure(format!("broken: {}", broken.join(", ")))) }
}

/// Two H.323 providers on loopback, one of them under test.
fn h323() -> Result<Report, Failure> {
    let runtime = Runtime::new().map_err(Failure::new)?;
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let provider = || {
        let config = H323Config { listen: loopback, ..H323Config::default() };
        H323Provider::new(config, runtime.handle().clone())
    };
    let (tested, far) = (provider(), provider());
    let (there, here) = (far.clone(), tested.clone());
    let addresses = move || Addresses {
        destination: there.listening().map(|at| at.to_string()).unwrap_or_default(),
        second: None,
        // Nobody listens on the port for multiplexers.
        nowhere: Some("127.0.0.1:1".to_owned()),
    };
    let calls = move || here.listening().map(|at| at.to_string());
    let mut harness = FarEnd::new(Arc::new(far), addresses, calls, msp)
        .map_err(|why| Failure(format!("the far end does not start: {why}")))?;
    Ok(suite(Arc::new(tested), &mut harness))
}

/// What an MSP of the pair answers.
fn msp(data: &Opaque) -> Vec<Opaque> {
    let answer = match ToMsp::decode(data.as_bytes()) {
        Ok(ToMsp::Prepare { .. }) => {
            let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
            let codec = CodecOffer { codec: Codec::Pcma, payload_type: 8, packet_ms: 20, max_packet_ms: 60 };
            // The ports are only named: no packet is sent.
            ToTsp::Prepared {
                sessions: vec![Session {
                    session: 1,
                    rtp: at(5_004),
                    rtcp: at(5_005),
                    codecs: vec![codec],
                    telephone_event: None,
                    comfort_noise: false,
                    silence_suppression: false,
                    redundancy: None,
                }],
            }
        }
        Ok(ToMsp::PlayDigits { id, .. }) => ToTsp::DigitsPlayed { id },
        _ => return Vec::new(),
    };
    Opaque::new(answer.encode()).into_iter().collect()
}
