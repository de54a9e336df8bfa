//! The line's extension of TAPI: an AT command to the modem, and what it answers.
//!
//! In: the octets of `lineDevSpecific`, an AT command in ASCII. Out: its answer, UTF-8, a line each, without OK; or the
//! request fails with what the modem said instead. Version 1.0. What may be asked: `raw.rs`.

use offhook_spi::{Completion, ExtensionId, ExtensionVersion, LineError, Opaque};

/// Drawn once, for nobody else.
pub(crate) const ID: ExtensionId = ExtensionId([
    0x6d, 0xe1, 0x0a, 0x5c, 0x91, 0x4f, 0x4b, 0x2e, 0xa8, 0x37, 0xd0, 0x62, 0x1b, 0xf9, 0x74, 0xc5,
]);

/// The only version so far.
pub(crate) const VERSION: ExtensionVersion = ExtensionVersion(0x0001_0000);

/// The command in a request.
pub(crate) fn command(data: &Opaque) -> Result<String, LineError> {
    let text = std::str::from_utf8(data.as_bytes());
    text.map(|text| text.trim().to_owned())
        .map_err(|_| LineError::InvalParam("the extension takes an AT command in ASCII".to_owned()))
}

/// The answer to it.
pub(crate) fn answer(lines: Result<Vec<String>, LineError>) -> Result<Completion, LineError> {
    Ok(Completion::DevSpecific(Opaque::new(lines?.join("\n").into_bytes())?))
}
