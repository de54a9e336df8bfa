//! The commands of each kind of modem.
//!
//! In: the configuration. Out: AT commands, without the CR that ends them.
//! Not here: when they are sent and what their answers mean (`machine/`).
//!
//! | | voice (V.253) | data (V.250) | gsm (27.007) |
//! |---|---|---|---|
//! | set up | ATS0=0, ATX4, +FCLASS=8, +VCID=1 | ATS0=0, ATX4, +VCID=1 | ATS0=0, +CMEE=1, +CRC=1, +CLIP=1, +CCWA=1 |
//! | dial | ATDT*n* | ATDT*n*`;` | ATD*n*`;` or ATD*n*`I;` |
//! | answer | ATA | ATH1 | ATA |
//! | a digit | +VTS=*d* | ATDT*d*`;` | +VTS=*d* |
//! | hang up | ATH | ATH | +CHUP, or ATH without it |

use crate::config::{Dialling, PortConfig, Profile};

/// The first thing that is said to a modem whose state is not known: answer, in words, without echo.
pub(crate) const WAKE: &str = "ATQ0V1E0";

/// Is it still there?
pub(crate) const CHECK: &str = "AT";

/// On hook.
pub(crate) const HOOK: &str = "ATH";

/// Which calls there are, and how far they have come.
pub(crate) const LIST: &str = "AT+CLCC";

/// A command of the set-up, and whether the modem may refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetUp {
    pub(crate) command: String,
    pub(crate) optional: bool,
}

/// The set-up of a modem that has woken up.
pub(crate) fn set_up(config: &PortConfig) -> Vec<SetUp> {
    // S0: no call is answered by the modem itself. X4: it tells dial tone and busy tone apart from silence; a modem that
    // does not says NO CARRIER for both.
    let (needed, wanted): (&[&str], &[&str]) = match config.profile {
        Profile::Voice => (&["ATS0=0", "AT+FCLASS=8"], &["ATX4", "AT+VCID=1"]),
        Profile::Data => (&["ATS0=0"], &["ATX4", "AT+VCID=1"]),
        Profile::Gsm => (&["ATS0=0"], &["AT+CMEE=1", "AT+CRC=1", "AT+CLIP=1", "AT+CCWA=1"]),
    };
    let of = |commands: &[&str], optional| -> Vec<SetUp> {
        commands.iter().map(|command| SetUp { command: (*command).to_owned(), optional }).collect()
    };
    let mut all = of(needed, false);
    all.extend(of(wanted, true));
    all.extend(config.init.iter().map(|command| SetUp { command: command.clone(), optional: false }));
    all
}

/// What a modem may have forgotten by hanging up: some leave voice mode with it.
pub(crate) fn after_call(config: &PortConfig) -> &'static [&'static str] {
    match config.profile {
        Profile::Voice => &["AT+FCLASS=8", "AT+VCID=1"],
        Profile::Data | Profile::Gsm => &[],
    }
}

/// Dials `number`, which `number.rs` has made.
pub(crate) fn dial(config: &PortConfig, number: &str, block_id: bool) -> String {
    let how = match config.dialling {
        Dialling::Tone => 'T',
        Dialling::Pulse => 'P',
    };
    match config.profile {
        Profile::Voice => format!("ATD{how}{number}"),
        // Back to command state once dialled: no carrier is sent or waited for.
        Profile::Data => format!("ATD{how}{number};"),
        Profile::Gsm if block_id => format!("ATD{number}I;"),
        Profile::Gsm => format!("ATD{number};"),
    }
}

/// Answers a call that rings.
pub(crate) fn answer(config: &PortConfig) -> &'static str {
    match config.profile {
        Profile::Voice | Profile::Gsm => "ATA",
        // Off hook, and no answer tone in the caller's ear.
        Profile::Data => "ATH1",
    }
}

/// Picks up a call that is to be refused. A cellular modem does not have to.
pub(crate) fn pick_up(config: &PortConfig) -> Option<&'static str> {
    (config.profile != Profile::Gsm).then_some("ATH1")
}

/// Ends whatever call there is.
pub(crate) fn hang_up(config: &PortConfig) -> &'static str {
    match config.profile {
        Profile::Voice | Profile::Data => HOOK,
        // ATH may be told to leave voice calls alone (+CVHU).
        Profile::Gsm => "AT+CHUP",
    }
}

/// Sends a digit; none if the modem has no way to.
pub(crate) fn digit(config: &PortConfig, digit: char) -> Option<String> {
    match (config.profile, digit) {
        (Profile::Gsm, '!') => None,
        (Profile::Data, _) => Some(format!("ATDT{digit};")),
        (Profile::Voice | Profile::Gsm, _) => Some(format!("AT+VTS={digit}")),
    }
}
