//! Which word of a modem ends a call how.
//!
//! In: a result code or the network's cause, and how far the call had come. Out: a [`DisconnectMode`].
//! docs/modem.md has the same table; a test holds the two together.

use offhook_spi::DisconnectMode;

use crate::code::Code;
use crate::config::Profile;

/// How far a call that was placed here had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was heard of the far end yet.
    Dialled,
    /// The far end rang.
    Rang,
    /// It was connected.
    Connected,
}

/// How a call ends with `code`; none if the code does not end calls.
pub(super) fn mode(profile: Profile, progress: Progress, code: Code) -> Option<DisconnectMode> {
    use DisconnectMode as M;
    let ends = matches!(code, Code::NoCarrier | Code::Busy | Code::NoAnswer | Code::NoDialtone);
    Some(match (progress, code) {
        // Whatever tone it is that comes after the far end has hung up.
        (Progress::Connected, _) if ends => M::Normal,
        (Progress::Connected, _) => return None,
        (_, Code::Busy) => M::Busy,
        (_, Code::NoAnswer) | (Progress::Rang, Code::NoCarrier) => M::NoAnswer,
        (_, Code::NoDialtone) => M::NoDialtone,
        // Analogue: S7 has run out without a sign of life. Cellular: the network has given up.
        (_, Code::NoCarrier) if profile == Profile::Gsm => M::Unreachable,
        (_, Code::NoCarrier) => M::NoAnswer,
        (_, Code::Blacklisted) => M::Blocked,
        (_, Code::Delayed) => M::TempFailure,
        (_, Code::Connect | Code::Machine) => M::Incompatible,
        (_, Code::Error) => M::Unavail,
        (_, Code::Cme(number)) => of_cme(number),
        (_, Code::Ok | Code::Ring | Code::Vcon | Code::Ringing) => return None,
    })
}

/// +CME ERROR (27.007 9.2) in answer to ATD.
fn of_cme(number: Option<u16>) -> DisconnectMode {
    match number {
        // No network service, network timeout.
        Some(30 | 31) => DisconnectMode::TempFailure,
        // Emergency calls only, fixed dialling numbers only, barred.
        Some(32 | 56 | 132) => DisconnectMode::Blocked,
        // Text or dial string too long, or with characters that are none.
        Some(24..=27) => DisconnectMode::BadAddress,
        _ => DisconnectMode::Unavail,
    }
}

/// The network's cause (Q.850), as TAPI.md 1.8 has it.
pub(super) fn of_cause(cause: u8) -> DisconnectMode {
    match cause {
        16 | 31 => DisconnectMode::Normal,
        17 => DisconnectMode::Busy,
        18 | 19 => DisconnectMode::NoAnswer,
        21 => DisconnectMode::Reject,
        1 | 28 => DisconnectMode::BadAddress,
        22 => DisconnectMode::NumberChanged,
        2 | 3 | 20 => DisconnectMode::Unreachable,
        27 => DisconnectMode::OutOfOrder,
        34 | 38 | 42 | 44 | 47 => DisconnectMode::Congestion,
        41 => DisconnectMode::TempFailure,
        58 | 65 | 79 | 88 => DisconnectMode::Incompatible,
        _ => DisconnectMode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// The table of docs/modem.md, as the code has it.
    fn table() -> String {
        let rows = [
            ("BUSY", Code::Busy),
            ("NO ANSWER", Code::NoAnswer),
            ("NO DIALTONE, NO DIAL TONE", Code::NoDialtone),
            ("NO CARRIER", Code::NoCarrier),
            ("BLACKLISTED", Code::Blacklisted),
            ("DELAYED", Code::Delayed),
            ("CONNECT", Code::Connect),
            ("FAX, DATA", Code::Machine),
            ("ERROR", Code::Error),
            ("+CME ERROR: 30, 31", Code::Cme(Some(30))),
            ("+CME ERROR: 32, 56, 132", Code::Cme(Some(32))),
            ("+CME ERROR: 24 to 27", Code::Cme(Some(27))),
            ("+CME ERROR, any other", Code::Cme(None)),
        ];
        let mut text = String::from(
            "| the modem says | analogue, dialled | cellular, dialled | it had rung | connected |\n|---|---|---|---|---|\n",
        );
        for (words, code) in rows {
            let say = |profile, progress| {
                mode(profile, progress, code).map_or_else(|| "–".to_owned(), |mode| format!("{mode:?}"))
            };
            let analogue = say(Profile::Voice, Progress::Dialled);
            assert_eq!(analogue, say(Profile::Data, Progress::Dialled));
            let cellular = say(Profile::Gsm, Progress::Dialled);
            let rang = say(Profile::Voice, Progress::Rang);
            let connected = say(Profile::Voice, Progress::Connected);
            writeln!(text, "| {words} | {analogue} | {cellular} | {rang} | {connected} |").unwrap();
        }
        text
    }

    #[test]
    fn the_documented_table_is_what_the_code_does() {
        let documented = include_str!("../../../../docs/modem.md");
        let table = table();
        assert!(documented.contains(&table), "docs/modem.md is to have:\n{table}");
    }
}
