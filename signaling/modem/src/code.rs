//! What a line of a modem means.
//!
//! In: one line or numeric code. Out: [`Said`].
//! Result codes are those of V.250 5.7.1 (verbose and numeric) and V.253, those that modems added for what national
//! rules ask (DELAYED, BLACKLISTED), and 3GPP TS 27.007's (+CME ERROR, +CRING, +CLIP, +CCWA, +CLCC) with the call events
//! of cellular modules.
//! Not here: which of them ends a call how (`machine/outcome.rs`).

use crate::caller_id::{self, CallerId};

/// A result code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    /// A data connection: there is a modem at the far end.
    Connect,
    Ring,
    NoCarrier,
    Error,
    /// +CME ERROR with its number, if it came as one.
    Cme(Option<u16>),
    NoDialtone,
    Busy,
    NoAnswer,
    /// Voice connection.
    Vcon,
    /// The modem hears the far end ring.
    Ringing,
    /// The number may not be dialled again before some time has passed.
    Delayed,
    /// The number may not be dialled again.
    Blacklisted,
    /// A facsimile machine or a modem.
    Machine,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Code(Code),
    /// Part of a caller id, or all of it.
    Caller(CallerId),
    /// Another call waits, from that number if it is known.
    Waiting(Option<String>),
    /// A call of the module's own list (+CLCC).
    Listed(Listed),
    /// The network works on our call (^ORIG).
    Originated,
    /// The far end rings (^CONF).
    Alerting,
    /// The far end has answered (^CONN).
    Answered,
    /// The call is over (^CEND), with the network's cause (Q.850), if it said one.
    Over(Option<u8>),
    /// The far end pressed a key.
    Digit(char),
    /// Anything else: part of an answer, or of no interest.
    Text,
}

/// An entry of +CLCC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) outgoing: bool,
    pub(crate) voice: bool,
    /// 0 active, 1 held, 2 dialling, 3 alerting, 4 incoming, 5 waiting.
    pub(crate) status: u8,
}

/// The meaning of a numeric result code (V.250 table 1; 24 and 32 as modems with national rules have them).
pub(crate) fn of_number(number: u8) -> Option<Code> {
    Some(match number {
        0 => Code::Ok,
        1 => Code::Connect,
        2 => Code::Ring,
        3 => Code::NoCarrier,
        4 => Code::Error,
        6 => Code::NoDialtone,
        7 => Code::Busy,
        8 => Code::NoAnswer,
        24 => Code::Delayed,
        32 => Code::Blacklisted,
        // Connections at some speed.
        5 | 9..=99 => Code::Connect,
        _ => return None,
    })
}

/// The meaning of a line.
pub(crate) fn of_line(line: &str) -> Said {
    if let Some(code) = verbose(line) {
        return Said::Code(code);
    }
    if let Some((name, rest)) = line.split_once(':')
        && let Some(said) = reported(name.trim_end(), rest.trim())
    {
        return said;
    }
    caller_id::field(line).map_or(Said::Text, Said::Caller)
}

fn verbose(line: &str) -> Option<Code> {
    let upper = line.to_ascii_uppercase();
    let first = upper.split([' ', '/', ':']).next().unwrap_or_default();
    Some(match (upper.as_str(), first) {
        ("OK", _) => Code::Ok,
        ("ERROR", _) => Code::Error,
        ("NO CARRIER", _) => Code::NoCarrier,
        ("NO DIALTONE" | "NO DIAL TONE", _) => Code::NoDialtone,
        ("BUSY", _) => Code::Busy,
        ("NO ANSWER", _) => Code::NoAnswer,
        ("VCON" | "VOICE", _) => Code::Vcon,
        ("RINGING" | "RINGBACK", _) => Code::Ringing,
        ("FAX" | "DATA" | "+FCON", _) => Code::Machine,
        // With a speed, a waiting time, a cadence behind it.
        (_, "CONNECT") => Code::Connect,
        (_, "DELAYED") => Code::Delayed,
        (_, "BLACKLISTED" | "BLACKLIST") => Code::Blacklisted,
        (_, "RING") => Code::Ring,
        // Calls of other kinds are not ours.
        (_, "+CRING") if upper.contains("VOICE") || upper == "+CRING" => Code::Ring,
        _ => return None,
    })
}

fn reported(name: &str, rest: &str) -> Option<Said> {
    let mut fields = rest.split(',').map(str::trim);
    Some(match name.to_ascii_uppercase().as_str() {
        "+CME ERROR" | "+CMS ERROR" => Said::Code(Code::Cme(rest.parse().ok())),
        "+CLIP" => Said::Caller(caller_id::clip(rest)?),
        "+CCWA" => Said::Waiting(caller_id::clip(rest).and_then(|caller| caller.number)),
        "+CLCC" => {
            let mut number = |nth: usize| fields.nth(nth)?.parse::<u8>().ok();
            let (outgoing, status, mode) = (number(1)? == 0, number(0)?, number(0)?);
            Said::Listed(Listed { outgoing, voice: mode == 0, status })
        }
        "^ORIG" => Said::Originated,
        "^CONF" => Said::Alerting,
        "^CONN" => Said::Answered,
        // Call, seconds, how the module ended it, the network's cause.
        "^CEND" => Said::Over(fields.nth(3).and_then(|cause| cause.parse().ok())),
        "MISSED_CALL" => Said::Over(None),
        // Each maker has its own word for a key that was pressed.
        "+DTMF" | "+RXDTMF" | "^DTMF" | "^DDTMF" | "+UUDTMFD" => key(fields.next()?)?,
        // Some say it by its ASCII code.
        "+QTONEDET" => match fields.next()?.parse::<u8>() {
            Ok(code) if code >= 32 => key(char::from(code).encode_utf8(&mut [0; 4]))?,
            _ => return None,
        },
        _ => return None,
    })
}

fn key(text: &str) -> Option<Said> {
    let key = text.trim_matches('"').chars().next()?.to_ascii_uppercase();
    is_digit(key).then_some(Said::Digit(key))
}

/// Whether `key` is one of a telephone's sixteen.
pub(crate) fn is_digit(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#' | 'A'..='D')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes_are_read_as_modems_write_them() {
        let table = [
            ("OK", Code::Ok),
            ("ok", Code::Ok),
            ("CONNECT", Code::Connect),
            ("CONNECT 33600/ARQ/V34/LAPM", Code::Connect),
            ("RING", Code::Ring),
            ("RING A", Code::Ring),
            ("+CRING: VOICE", Code::Ring),
            ("NO CARRIER", Code::NoCarrier),
            ("NO DIALTONE", Code::NoDialtone),
            ("NO DIAL TONE", Code::NoDialtone),
            ("BUSY", Code::Busy),
            ("NO ANSWER", Code::NoAnswer),
            ("VCON", Code::Vcon),
            ("RINGING", Code::Ringing),
            ("DELAYED 00:01:00", Code::Delayed),
            ("BLACKLISTED", Code::Blacklisted),
            ("ERROR", Code::Error),
            ("+CME ERROR: 30", Code::Cme(Some(30))),
            ("+CME ERROR: SIM not inserted", Code::Cme(None)),
        ];
        for (line, code) in table {
            assert_eq!(of_line(line), Said::Code(code), "{line}");
        }
        for line in [
            "",
            "OKAY",
            "BUSYBODY",
            "RINGTONE",
            "CONNECTED",
            "NO",
            "AT",
            "+GMM: E1550",
            "CARRIER 9600",
            "+CRING: FAX",
        ] {
            assert_eq!(of_line(line), Said::Text, "{line}");
        }
    }

    #[test]
    fn numbers_are_the_same_codes() {
        let table =
            [(0, Code::Ok), (2, Code::Ring), (3, Code::NoCarrier), (4, Code::Error), (6, Code::NoDialtone)];
        for (number, code) in
            table.into_iter().chain([(7, Code::Busy), (8, Code::NoAnswer), (10, Code::Connect)])
        {
            assert_eq!(of_number(number), Some(code), "{number}");
        }
        assert_eq!(of_number(200), None);
    }

    #[test]
    fn what_cellular_modules_report_of_calls_is_read() {
        let listed = |outgoing, status, voice| Said::Listed(Listed { outgoing, voice, status });
        assert_eq!(of_line("+CLCC: 1,0,3,0,0,\"+491700000000\",145"), listed(true, 3, true));
        assert_eq!(of_line("+CLCC: 2,1,5,1,0"), listed(false, 5, false));
        assert_eq!(of_line("+CLCC: 1,0"), Said::Text);
        assert_eq!(of_line("^ORIG:1,0"), Said::Originated);
        assert_eq!(of_line("^CONF:1"), Said::Alerting);
        assert_eq!(of_line("^CONN:1,0"), Said::Answered);
        assert_eq!(of_line("^CEND:1,5,29,16"), Said::Over(Some(16)));
        assert_eq!(of_line("^CEND:1,5,29"), Said::Over(None));
        assert_eq!(of_line("+CCWA: \"0301234\",129,1"), Said::Waiting(Some("0301234".to_owned())));
        assert_eq!(of_line("+DTMF: 5"), Said::Digit('5'));
        assert_eq!(of_line("+QTONEDET: 35"), Said::Digit('#'));
        assert_eq!(of_line("+QTONEDET: 7"), Said::Text);
        assert_eq!(of_line("+DTMF: x"), Said::Text);
    }
}
