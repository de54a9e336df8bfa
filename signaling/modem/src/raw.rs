//! Which commands an application may send to the modem itself.
//!
//! Those that ask, and settings of the modem's own; not those that dial, answer, hang up, reset, or change how the modem
//! talks to us: they are the machine's.

use offhook_spi::LineError;

const MAX_COMMAND: usize = 128;

/// Extended commands that the machine has to itself.
const OURS: [&str; 14] = [
    "+FCLASS", "+CHUP", "+CFUN", "+CPOF", "+VTX", "+VRX", "+VTR", "+VTS", "+VLS", "+IPR", "+ICF", "+CMUX",
    "+CVHU", "+CHLD",
];

/// Whether `command` may be sent.
pub(crate) fn check(command: &str) -> Result<(), LineError> {
    let refused = |why: &str| Err(LineError::InvalParam(format!("{command:?}: {why}")));
    let is_text = command.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if command.len() > MAX_COMMAND || !is_text {
        return refused("no AT command of up to 128 characters");
    }
    let upper = command.to_ascii_uppercase();
    let Some(body) = upper.strip_prefix("AT").map(str::trim) else {
        return refused("a command begins with AT");
    };
    // A basic command may be followed by others on its line, an extended one by others behind a semicolon.
    if body.contains(';') {
        return refused("one command at a time");
    }
    let asks_register = body.strip_prefix('S').and_then(|rest| rest.strip_suffix('?'));
    let is_number = |text: &str| text.len() <= 3 && text.chars().all(|c| c.is_ascii_digit());
    let asks = body.is_empty()
        || body == "&V"
        || body.strip_prefix('I').is_some_and(is_number)
        || asks_register.is_some_and(is_number);
    if asks {
        return Ok(());
    }
    if !body.starts_with(['+', '#', '%', '^', '*', '$', '-', '\\']) {
        return refused("of the basic commands only AT, ATI, ATSn? and AT&V");
    }
    let name = body.split(['=', '?']).next().unwrap_or_default().trim_end();
    if OURS.contains(&name) && !body.ends_with('?') {
        return refused("the line has this to itself");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn questions_and_settings_pass_and_call_control_does_not() {
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
            "AT+VGR=128",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = format!("AT+X={}", "1".repeat(200));
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
            "+++",
            "AT+CSQ;D1",
            "AT+GMM\rATD1",
            "AT+FCLASS=0",
            "AT+CHUP",
            "AT+CFUN=0",
            "AT+VTS=1",
            "hello",
            long.as_str(),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
