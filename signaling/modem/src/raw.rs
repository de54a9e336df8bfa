//! Which commands an application may send to the modem itself.
//!
//! In: the text of a command line. Out: that it may be sent, or why not.
//! A list of what passes, not of what does not: makers' commands that dial, hang up or lock are without number. What passes
//! asks, or is one of [`SETTINGS`]; all else, and how the modem talks to us, is the machine's. docs/modem.md has the list.
//! Not here: sending it (`machine/`), the extension that brings it (`extension.rs`).

use offhook_spi::LineError;

const MAX_COMMAND: usize = 128;

/// What asks without a question mark: who made the modem, what it is, how it is, which calls there are.
const ASKING: [&str; 16] = [
    "+CEER", "+CGMI", "+CGMM", "+CGMR", "+CGSN", "+CIMI", "+CLCC", "+CNUM", "+CPAS", "+CSQ", "+GCAP", "+GMI",
    "+GMM", "+GMR", "+GSN", "^SYSINFO",
];

/// What may be set, to a number of up to three digits: how loud the modem sends, receives, hears and speaks (V.253 +VGT,
/// +VGR, +VGM, +VGS), and how loud a cellular one speaks and rings, whether it rings and is mute (27.007 +CLVL, +CRSL,
/// +CALM, +CMUT).
const SETTINGS: [&str; 8] = ["+CALM", "+CLVL", "+CMUT", "+CRSL", "+VGM", "+VGR", "+VGS", "+VGT"];

/// In the names of what acts as soon as it is named (+CHUP, ^SHUP; +CPOF, ^SMSO switch off): a modem that reads no further
/// than the name would do it on a question.
const AT_ONCE: [&str; 3] = ["CPOF", "HUP", "SMSO"];

/// Not behind makers' prefixes, which some modems pass over, or with one letter take for the whole command and the rest for
/// basic ones: the letters that dial, answer, hang up, go online or reset, or change how the modem dials and talks.
const ACTING: [char; 11] = ['A', 'D', 'E', 'H', 'O', 'P', 'Q', 'T', 'V', 'X', 'Z'];

/// Whether `command` may be sent.
pub(crate) fn check(command: &str) -> Result<(), LineError> {
    let refused = |why: &str| Err(LineError::InvalParam(format!("{command:?}: {why}")));
    if command.len() > MAX_COMMAND || !command.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return refused("no AT command of up to 128 characters");
    }
    // Modems pass over blanks, also amid a name. Nothing that passes has quotes, in which they would belong.
    if command.contains(' ') {
        return refused("no blanks");
    }
    let upper = command.to_ascii_uppercase();
    let Some(body) = upper.strip_prefix("AT") else {
        return refused("a command begins with AT");
    };
    if body.is_empty() || body.split(';').all(passes) {
        return Ok(());
    }
    refused("only questions and a few settings pass; what dials, answers, hangs up, sends or locks does not")
}

/// Whether one command, without AT and in capitals, may be sent.
fn passes(command: &str) -> bool {
    let is_number = |text: &str| text.len() <= 3 && text.bytes().all(|c| c.is_ascii_digit());
    if command == "&V" || ASKING.contains(&command) {
        return true;
    }
    if let Some((name, value)) = command.split_once('=')
        && SETTINGS.contains(&name)
        && !value.is_empty()
        && is_number(value)
    {
        return true;
    }
    if let Some(number) = command.strip_prefix('I') {
        return is_number(number);
    }
    let Some(asked) = command.strip_suffix('?') else { return false };
    if let Some(number) = asked.strip_prefix('S') {
        return is_number(number);
    }
    let (name, is_test) = asked.strip_suffix('=').map_or((asked, false), |name| (name, true));
    let mut letters = name.chars();
    let prefix = letters.next();
    let letters = letters.as_str();
    let is_word = (1..=16).contains(&letters.len()) && letters.bytes().all(|c| c.is_ascii_uppercase());
    if !is_word || AT_ONCE.iter().any(|acting| name.contains(acting)) {
        return false;
    }
    match prefix {
        // V.250 5.4.3: a name up to `?`, `=`, `;` or the end of the line.
        Some('+') => true,
        Some('^') => !is_test,
        Some('\\' | '%' | '-' | '*' | '$' | '#') => !is_test && !letters.contains(ACTING),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ACTING, ASKING, AT_ONCE, MAX_COMMAND, SETTINGS, check};

    #[test]
    fn questions_and_settings_pass() {
        for good in [
            "AT",
            "ATI",
            "ATI3",
            "at&v",
            "ATS0?",
            "AT+GMM",
            "AT+FCLASS=?",
            "AT+FCLASS?",
            "AT+CSQ",
            "AT^SYSINFO",
            "AT^CVOICE?",
            "AT#CLS?",
            "AT%C?",
            "AT\\N?",
            "AT-SSR?",
            "AT+VGR=128",
            "at+clvl=3",
            "ATI3;+CSQ;+CLIP?;+VGT=100",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_documented_list_is_what_passes() {
        let documented = include_str!("../../../docs/modem.md");
        let quoted = |names: &[&str], end: &str| {
            names.iter().map(|name| format!("`{name}{end}")).collect::<Vec<_>>().join(", ")
        };
        let rows = [
            format!("| {} | they ask", quoted(&ASKING, "`")),
            format!("| {} | loudness", quoted(&SETTINGS, "=`*n*")),
            format!("not with {} in the name", quoted(&AT_ONCE, "`")),
            format!("none of {}:", ACTING.map(String::from).join(" ")),
        ];
        for row in rows {
            assert!(documented.contains(&row), "docs/modem.md is to have: {row}");
        }
    }

    #[test]
    fn what_does_something_does_not_pass() {
        let long = format!("AT{}", "+CSQ;".repeat(30));
        for bad in [
            "",
            "ATD1",
            "ATI3D1",
            "ATA",
            "ATH",
            "ATZ",
            "AT&F",
            "ATE1",
            "ATV0",
            "ATO",
            "ATS0=1",
            "A/",
            "+++",
            "AT+++",
            "AT+CSQ;D1",
            "AT+CSQ;",
            "AT+CSQ;;+GMM",
            "AT+CSQ;AT+CHUP",
            "AT+CSQ;+CHUP",
            "AT+CSQ+CHUP",
            "AT+GMM\rATD1",
            "AT+FCLASS=0",
            "AT+CFUN=0",
            "AT+VTS=1",
            "hello",
            // Passed when only what was known to act was refused.
            "AT%C0DT0900123",
            "AT%C0DT0900123?",
            "AT%CDT?",
            "AT\\NH?",
            "AT*D?1",
            "AT*D?",
            "AT$A?",
            "AT+C HUP",
            "AT +CHUP",
            "AT+CHUP",
            "AT+CHUP?",
            "AT+CHUP=?",
            "AT^SHUP",
            "AT^SHUP?",
            "AT+CKPD=\"0900123S\"",
            "AT+CMGS=\"0900123\"",
            "AT+CMGS=23",
            "AT+CPIN=1234",
            "AT+CLCK=\"SC\",1,\"1234\"",
            "AT+CUSD=1,\"*100#\"",
            "AT#CLS=0",
            "AT#CLS=?1",
            "AT$D1",
            "AT-K1",
            "AT+VGR=",
            "AT+VGR=1,2",
            "AT+VGR=1DT1",
            "AT+VGR=1000",
            "AT+CSQ=1",
            "AT+X=?;D1?",
            "ATS0?D1",
            "ATI3?",
            long.as_str(),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    /// Whether a modem that reads as generously as any would do more than tell or set what may be set: it passes over
    /// blanks, and of `\ % - * $ # &` it takes one letter or all up to the semicolon for the command, or passes over them.
    fn acts(line: &str) -> bool {
        let text: Vec<char> = line.to_ascii_uppercase().chars().filter(|c| *c != ' ').collect();
        let body = text.strip_prefix(&['A', 'T']).unwrap_or(&text);
        let end =
            |from: usize| body.iter().skip(from).position(|c| *c == ';').map_or(body.len(), |n| from + n);
        let mut starts = vec![0];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(at) = starts.pop() {
            if !seen.insert(at) {
                continue;
            }
            // A basic command: a letter, its number, what is asked or set.
            let basic = |letter: usize| {
                let digits = body.iter().skip(letter + 1).take_while(|c| c.is_ascii_digit()).count();
                letter + 1 + digits
            };
            match body.get(at) {
                None => {}
                Some('+' | '^') => {
                    let command: String = body[at..end(at)].iter().collect();
                    let (name, value) = command.split_at(command.find(['=', '?']).unwrap_or(command.len()));
                    let tells = ASKING.contains(&name) && value.is_empty() || matches!(value, "?" | "=?");
                    let sets = SETTINGS.contains(&name) && value.len() > 1;
                    if !tells && !sets || name.contains("HUP") || !name[1..].chars().all(char::is_alphabetic)
                    {
                        return true;
                    }
                    starts.push(end(at));
                }
                Some('\\' | '%' | '-' | '*' | '$' | '#' | '&') => {
                    let command: String = body[at..end(at)].iter().collect();
                    if command.contains('=') || !command.ends_with('?') && command != "&V" {
                        return true;
                    }
                    starts.extend([basic(at + 1), end(at)]);
                    starts.extend((body.get(at) != Some(&'&')).then_some(at + 1));
                }
                Some('A' | 'D' | 'H' | 'O' | 'Z' | 'E' | 'Q' | 'V' | 'P' | 'T' | 'X' | '=' | '"') => {
                    return true;
                }
                Some('0'..='9' | ';' | '?') => starts.push(at + 1),
                Some(_) => starts.push(basic(at)),
            }
        }
        false
    }

    #[test]
    fn the_generous_modem_is_one() {
        for line in [
            "ATDT1",
            "AT%C0DT1?",
            "AT%CD?",
            "AT+C HUP",
            "AT+CSQ;D1",
            "ATS0=1",
            "AT#CLS=0",
            "ATI3H",
            "AT+CKPD=\"1S\"",
        ] {
            assert!(acts(line), "{line}");
        }
        for line in ["AT", "ATI3", "AT&V", "ATS0?", "AT+CSQ;+CLIP?", "AT#CLS?", "AT+VGR=128"] {
            assert!(!acts(line), "{line}");
        }
    }

    fn line() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "+",
            "^",
            "#",
            "%",
            "\\",
            "-",
            "*",
            "$",
            "&",
            ";",
            "?",
            "=",
            "=?",
            "?",
            ";",
            " ",
            "\"",
            ",",
            "/",
            "0",
            "128",
            "A",
            "D",
            "DT0900123",
            "H",
            "H0",
            "O",
            "Z",
            "E1",
            "V",
            "S0",
            "S",
            "I",
            "I3",
            "C",
            "C0",
            "L",
            "N",
            "CLS",
            "CHUP",
            "SHUP",
            "HUP",
            "CKPD",
            "CMGS",
            "CPIN",
            "CLCK",
            "CFUN",
            "FCLASS",
            "VTS",
            "CSQ",
            "GMM",
            "VGR",
            "CLVL",
            "+CSQ",
            "+VGR=",
            "+CLIP?",
            "^SYSINFO",
            "at",
            "AT",
            "\r",
            "é",
        ]);
        let asked = ("[+^#%\\\\*$&-]", "[A-Z]{1,4}", prop::sample::select(vec!["?", "=?", "", "=1"]));
        let command = prop_oneof![
            prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat()),
            asked.prop_map(|(prefix, name, end)| format!("{prefix}{name}{end}")),
            prop::sample::select([ASKING.as_slice(), &["I3", "S0?", "&V", "+VGR=1"]].concat())
                .prop_map(str::to_owned),
            "[ -~]{0,6}",
        ];
        prop::collection::vec(command, 1..4).prop_map(|commands| format!("AT{}", commands.join(";")))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// However a modem takes what passes apart, it neither dials nor answers nor hangs up.
        #[test]
        fn nothing_that_passes_acts(line in line()) {
            if check(&line).is_ok() {
                prop_assert!(!acts(&line), "{line:?}");
                prop_assert!(line.len() <= MAX_COMMAND && line.is_ascii() && !line.contains([' ', '"', '\r']), "{line:?}");
            }
        }
    }
}
