//! The device's extension of TAPI, and the phone.

use offhook_spi::{
    Completion, ExtensionVersion, HdPhone, HookSwitchMode, HtPhone, LampMode, LineError, Opaque, PhoneCaps,
    PhoneEvent, PhoneSetting, PhoneStatus,
};

use crate::rules::Rule;
use crate::session::{DEVICE, Session};

const ANY: ExtensionVersion = ExtensionVersion(u32::MAX);
const NONE: ExtensionVersion = ExtensionVersion(0);

fn word() -> Option<Opaque> {
    Opaque::new(&b"conformance"[..]).ok()
}

/// The line's extension.
pub(crate) fn extension(session: &mut Session<'_>) {
    let (provider, line) = (session.provider.clone(), session.line);
    let Some(word) = word() else { return };
    let say = |p: &dyn offhook_spi::Tspi, id| p.line_dev_specific(id, line, None, &word);
    if provider.line_extension(DEVICE) == Err(LineError::OperationUnavail) {
        let negotiated = provider.line_negotiate_ext_version(DEVICE, ExtensionVersion(1), ANY);
        let selected = provider.line_select_ext_version(line, ExtensionVersion(1));
        let said = session.come("DevSpecific", &[], say).error();
        let unavailable = negotiated == Err(LineError::OperationUnavail)
            && selected == Err(LineError::OperationUnavail)
            && said == Some(LineError::OperationUnavail);
        session.check(Rule::ExtVersion, unavailable, || {
            format!("without an extension: {negotiated:?}, {selected:?}, {said:?}")
        });
        return session.not_here(Rule::ExtSelected, "the device has no extension");
    }
    let version = match provider.line_negotiate_ext_version(DEVICE, ExtensionVersion(1), ANY) {
        Ok(version) => version,
        Err(error) => return session.broken(Rule::ExtVersion, format!("any version: {error}")),
    };
    session.check(Rule::ExtVersion, version != NONE, || "version 0 is none".to_owned());
    let exact = provider.line_negotiate_ext_version(DEVICE, version, version);
    session.check(Rule::ExtVersion, exact == Ok(version), || format!("{version:?} alone gives {exact:?}"));
    let future = provider.line_negotiate_ext_version(DEVICE, ANY, ANY);
    let refused = future == Err(LineError::IncompatibleExtVersion);
    session.check(Rule::ExtVersion, refused, || format!("a version that nobody has gives {future:?}"));

    let early = session.come("DevSpecific", &[], say).error();
    session.check(Rule::ExtSelected, early == Some(LineError::IncompatibleExtVersion), || {
        format!("before a version is selected: {early:?}")
    });
    let wrong = provider.line_select_ext_version(line, ANY);
    session.check(Rule::ExtSelected, wrong.is_err(), || "a version that nobody has is selected".to_owned());
    if let Err(error) = provider.line_select_ext_version(line, version) {
        return session.broken(Rule::ExtSelected, format!("{version:?} is not selected: {error}"));
    }
    // What it makes of a word is its own; that it completes, once, is not.
    match session.come("DevSpecific", &[], say) {
        crate::session::Came::Completed((), Ok(Completion::DevSpecific(_) | Completion::Done)) => {
            session.kept(Rule::ExtSelected);
        }
        crate::session::Came::Completed((), Ok(other)) => {
            session.broken(Rule::ExtSelected, format!("a word is answered by {other:?}"));
        }
        crate::session::Came::Completed((), Err(error)) | crate::session::Came::Refused(error) => {
            let selected = error != LineError::IncompatibleExtVersion && error != LineError::OperationUnavail;
            session.check(Rule::ExtSelected, selected, || format!("in a selected version: {error}"));
        }
        crate::session::Came::Nothing => {}
    }
    let ended = provider.line_select_ext_version(line, NONE);
    let after = session.come("DevSpecific", &[], say).error();
    session.check(Rule::ExtSelected, ended.is_ok() && after.is_some(), || {
        format!("after version 0 was selected ({ended:?}): {after:?}")
    });
}

/// Phone 0.
pub(crate) fn phone(session: &mut Session<'_>) {
    let provider = session.provider.clone();
    if provider.phone_devices() == 0 {
        let (caps, opened) = (provider.phone_dev_caps(0), provider.phone_open(0, HtPhone(1)));
        let none = caps.is_err() && opened.is_err();
        session.check(Rule::Phone, none, || format!("there is no phone: {caps:?}, {opened:?}"));
        for rule in [Rule::PhoneSet, Rule::PhoneExt] {
            session.not_here(rule, "there is no phone");
        }
        return;
    }
    let (caps, phone) = match (provider.phone_dev_caps(0), provider.phone_open(0, HtPhone(1))) {
        (Ok(caps), Ok(phone)) => (caps, phone),
        (caps, phone) => return session.broken(Rule::Phone, format!("{caps:?}, {phone:?}")),
    };
    let again = provider.phone_open(0, HtPhone(2));
    session.check(Rule::Phone, again.is_err(), || "it opens twice".to_owned());
    match provider.phone_status(phone) {
        Ok(status) => {
            let fits = status.lamps.len() == caps.lamps as usize
                && status.hook_switches.len() == caps.hook_switches.len()
                && status.display.len() == caps.display_rows as usize;
            session.check(Rule::Phone, fits, || format!("{caps:?} and {status:?}"));
        }
        Err(error) => session.broken(Rule::Phone, format!("GetStatus: {error}")),
    }
    settings(session, phone, &caps);
    words(session, phone);
    let closed = provider.phone_close(phone);
    session.check(Rule::Phone, closed.is_ok(), || format!("Close: {closed:?}"));
    let after = provider.phone_status(phone);
    session.check(Rule::Phone, after.is_err(), || "a closed phone has a status".to_owned());
}

fn settings(session: &mut Session<'_>, phone: HdPhone, caps: &PhoneCaps) {
    let mut good = Vec::new();
    for device in &caps.hook_switches {
        good.extend([
            PhoneSetting::HookSwitch(*device, HookSwitchMode::MicrophoneSpeaker),
            PhoneSetting::Volume(*device, 1_234),
            PhoneSetting::Gain(*device, 4_321),
        ]);
    }
    if let Some(last) = caps.lamps.checked_sub(1) {
        good.push(PhoneSetting::Lamp(last, LampMode::Wink));
    }
    good.push(PhoneSetting::Ring(caps.ring_modes, 77));
    if let (Some(row), 1..) = (caps.display_rows.checked_sub(1), caps.display_columns) {
        good.push(PhoneSetting::Display(row, 0, "x".to_owned()));
    }
    for setting in good {
        let before = session.log(|log| log.phone.len());
        let done =
            session.does(Rule::PhoneSet, &format!("{setting:?}"), |p, id| p.phone_set(id, phone, &setting));
        if done.is_none() {
            continue;
        }
        let told = session.wait(|log| {
            let changed = PhoneEvent::Changed(setting.clone());
            log.phone.iter().skip(before).any(|(_, event)| *event == changed).then_some(())
        });
        session.check(Rule::PhoneSet, told.is_some(), || format!("{setting:?} is not told"));
        let status = session.provider.phone_status(phone).ok();
        let read = status.is_some_and(|status| shows(&status, &setting));
        session.check(Rule::PhoneSet, read, || format!("{setting:?} is not read back"));
    }
    let beyond = [
        PhoneSetting::Lamp(caps.lamps, LampMode::Off),
        PhoneSetting::Ring(caps.ring_modes.saturating_add(1), 0),
        PhoneSetting::Display(caps.display_rows, 0, "x".to_owned()),
    ];
    for setting in beyond {
        session.fails(Rule::PhoneSet, &format!("{setting:?}, which it does not have,"), |p, id| {
            p.phone_set(id, phone, &setting)
        });
    }
}

/// Whether a status shows what was set.
fn shows(status: &PhoneStatus, setting: &PhoneSetting) -> bool {
    let on = |device| status.hook_switches.iter().find(move |(known, ..)| known == device);
    match setting {
        PhoneSetting::HookSwitch(device, mode) => on(device).is_some_and(|(_, now, ..)| now == mode),
        PhoneSetting::Volume(device, volume) => on(device).is_some_and(|(_, _, now, _)| now == volume),
        PhoneSetting::Gain(device, gain) => on(device).is_some_and(|(.., now)| now == gain),
        PhoneSetting::Lamp(lamp, mode) => status.lamps.get(*lamp as usize) == Some(mode),
        PhoneSetting::Ring(mode, volume) => (status.ring_mode, status.ring_volume) == (*mode, *volume),
        PhoneSetting::Display(row, column, text) => status.display.get(*row as usize).is_some_and(|line| {
            line.chars().skip(*column as usize).take(text.chars().count()).eq(text.chars())
        }),
    }
}

fn words(session: &mut Session<'_>, phone: HdPhone) {
    let provider = session.provider.clone();
    let Some(word) = word() else { return };
    let say = |p: &dyn offhook_spi::Tspi, id| p.phone_dev_specific(id, phone, &word);
    let (_, version) = match provider.phone_negotiate_ext_version(0, ExtensionVersion(1), ANY) {
        Ok(found) => found,
        Err(LineError::OperationUnavail) => {
            let said = session.come("phoneDevSpecific", &[], say).error();
            session.check(Rule::PhoneExt, said == Some(LineError::OperationUnavail), || {
                format!("without an extension: {said:?}")
            });
            return;
        }
        Err(error) => return session.broken(Rule::PhoneExt, format!("any version: {error}")),
    };
    let early = session.come("phoneDevSpecific", &[], say).error();
    session.check(Rule::PhoneExt, early == Some(LineError::IncompatibleExtVersion), || {
        format!("before a version is selected: {early:?}")
    });
    let selected = provider.phone_select_ext_version(phone, version);
    session.check(Rule::PhoneExt, selected.is_ok(), || format!("{version:?}: {selected:?}"));
    session.does(Rule::PhoneExt, "phoneDevSpecific", say);
}
