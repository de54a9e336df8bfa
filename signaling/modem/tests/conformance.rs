//! The public suite of TSPI's rules, on a modem on a pseudo-terminal.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_conformance::{Harness, Outcome, Rule, run};
use offhook_modem::{ModemConfig, ModemProvider, PortConfig};
use support::Modem;
use tokio::runtime::Runtime;

/// What ends a call that rings.
const RING_TIMEOUT: Duration = Duration::from_millis(2_000);

/// Who is at the other end of the modem's line.
struct World {
    modem: Modem,
    /// When the line rang last.
    rang: Option<Instant>,
    /// It rings on.
    rings: bool,
}

impl World {
    fn ring(&mut self) {
        self.modem.say("RING");
        self.rang = Some(Instant::now());
    }

    /// Waits until the line has been still for so long that it does not ring any more.
    fn line_is_still(&mut self) {
        self.rings = false;
        if let Some(rang) = self.rang.take() {
            std::thread::sleep((RING_TIMEOUT + Duration::from_millis(300)).saturating_sub(rang.elapsed()));
        }
    }
}

impl Harness for World {
    /// Rings twice and answers.
    fn destination(&mut self) -> Option<String> {
        self.line_is_still();
        Some("5551234".to_owned())
    }

    fn nowhere(&mut self) -> Option<String> {
        self.line_is_still();
        Some("104".to_owned())
    }

    fn calls_in(&mut self) -> bool {
        self.line_is_still();
        self.ring();
        self.rings = true;
        true
    }

    /// It does so by itself.
    fn far_end_answers(&mut self) -> bool {
        true
    }

    /// Of a call that rings, nothing is heard any more; of one that is up, busy tone.
    fn far_end_hangs_up(&mut self) -> bool {
        self.rings = false;
        self.modem.octets(b"\x10b");
        true
    }

    fn move_on(&mut self) {
        let is_due = self.rang.is_some_and(|rang| rang.elapsed() > RING_TIMEOUT / 4);
        if self.rings && is_due && self.modem.heard().last().is_none_or(|command| command != "ATA") {
            self.ring();
        }
    }

    fn all_released(&mut self) -> Option<bool> {
        let heard = self.modem.heard();
        let last = |of: fn(&str) -> bool| heard.iter().rposition(|command| of(command));
        Some(
            last(|command| command == "ATH")
                >= last(|command| command.starts_with("ATD") || command == "ATA"),
        )
    }
}

#[test]
fn the_provider_keeps_the_rules_of_tspi() {
    let runtime = Runtime::new().unwrap();
    let modem = Modem::plug("voice");
    let ring_timeout_ms = RING_TIMEOUT.as_millis().try_into().unwrap();
    let port = PortConfig { ring_timeout_ms, ..modem.config() };
    let config = ModemConfig { ports: vec![port] };
    let provider = ModemProvider::new(config, runtime.handle().clone()).unwrap();
    let report = run(Arc::new(provider), &mut World { modem, rang: None, rings: false });
    println!("{report}");
    assert!(report.passed(), "{report}");
    for rule in [
        Rule::MakeStates,
        Rule::MakeWrong,
        Rule::NewCallRefused,
        Rule::AnswerConnects,
        Rule::CloseOutstanding,
        Rule::Digits,
        Rule::ExtSelected,
        Rule::Shutdown,
    ] {
        assert_eq!(report.outcome(rule), Some(&Outcome::Ok), "{report}");
    }
}
