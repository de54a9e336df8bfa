//! The destination of a call as a modem dials it.
//!
//! In: what an application asks for. Out: the digits behind ATD; never a character that would end the number or begin
//! another command.

use offhook_spi::{CallParams, LineError};

use crate::config::{PortConfig, Profile};

/// The longest number, prefixes included. V.250 wants 40 characters of a command line kept; every modem keeps more.
const MAX_NUMBER: usize = 64;

/// The digits to dial for `params`.
pub(crate) fn digits(config: &PortConfig, params: &CallParams) -> Result<String, LineError> {
    let text = params.destination.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let invalid = |why: &str| LineError::InvalAddress(format!("{text:?}: {why}"));
    let is_gsm = config.profile == Profile::Gsm;
    let mut number = String::new();
    if params.block_id && !is_gsm {
        let prefix = config.block_id_prefix.as_deref();
        number.push_str(prefix.ok_or_else(|| {
            LineError::InvalParam("the line has no way to withhold the caller (block-id-prefix)".to_owned())
        })?);
    }
    number.push_str(&config.dial_prefix);
    let rest = match text.strip_prefix('+') {
        Some(rest) if is_gsm && config.dial_prefix.is_empty() => {
            number.push('+');
            rest
        }
        Some(rest) => {
            let prefix = config.international_prefix.as_deref();
            number.push_str(
                prefix.ok_or_else(|| invalid("international, and the line has no international-prefix"))?,
            );
            rest
        }
        None => text,
    };
    let legal = |c: char| match c {
        '0'..='9' | '*' | '#' | 'A'..='D' => true,
        // Wait for dial tone, for silence, for a moment; a flash.
        'W' | '@' | ',' | '!' => !is_gsm,
        _ => false,
    };
    // What people write to read numbers by.
    for c in rest.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')) {
        let c = c.to_ascii_uppercase();
        if !legal(c) {
            return Err(invalid(&format!("{c:?} cannot be dialled")));
        }
        number.push(c);
    }
    match number.len() {
        _ if !rest.contains(|c: char| c.is_ascii_digit() || c == '*' || c == '#') => {
            Err(invalid("no number"))
        }
        0..=MAX_NUMBER => Ok(number),
        _ => Err(invalid("too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialled(config: &PortConfig, destination: &str, block_id: bool) -> Result<String, LineError> {
        digits(config, &CallParams { destination: destination.to_owned(), block_id, ..CallParams::default() })
    }

    #[test]
    fn numbers_are_dialled_without_what_makes_them_readable() {
        let mut config = PortConfig::new("/dev/ttyS0");
        assert_eq!(dialled(&config, "(030) 123-45.67", false).unwrap(), "0301234567");
        assert_eq!(dialled(&config, "tel:*100#", false).unwrap(), "*100#");
        assert_eq!(dialled(&config, "9w5551234", false).unwrap(), "9W5551234");
        assert!(matches!(dialled(&config, "+49 30 1", false), Err(LineError::InvalAddress(_))));
        assert!(matches!(dialled(&config, "1", true), Err(LineError::InvalParam(_))));
        config.dial_prefix = "0,".to_owned();
        config.international_prefix = Some("00".to_owned());
        config.block_id_prefix = Some("*31#".to_owned());
        assert_eq!(dialled(&config, "+49 30 1", false).unwrap(), "0,0049301");
        assert_eq!(dialled(&config, "030", true).unwrap(), "*31#0,030");
        config = PortConfig { profile: Profile::Gsm, ..PortConfig::new("/dev/ttyS0") };
        assert_eq!(dialled(&config, "+49 170 1", true).unwrap(), "+491701");
        assert!(dialled(&config, "1,2", false).is_err());
    }

    #[test]
    fn nothing_but_a_number_reaches_the_modem() {
        let config = PortConfig::new("/dev/ttyS0");
        let long = "1".repeat(MAX_NUMBER + 1);
        for hostile in [
            "",
            " ",
            "+",
            "tel:",
            "1;H",
            "1\rATH",
            "1\nATH",
            "bob",
            "12é",
            "1\u{10}",
            "192.0.2.7:1720",
            "W@",
            long.as_str(),
        ] {
            assert!(
                matches!(dialled(&config, hostile, false), Err(LineError::InvalAddress(_))),
                "{hostile:?}"
            );
        }
    }
}
