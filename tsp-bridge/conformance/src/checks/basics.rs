//! Versions, capabilities, opening, and handles that name nothing.

use offhook_spi::{
    ApiVersion, CallFeatures as F, CallParams, CompletionMode, DigitMode, DisconnectMode, ExtensionVersion,
    Forward, ForwardMode, HdCall, HdLine, HdMspLine, HdPhone, HtCall, HtLine, HtMspLine, HtPhone, LampMode,
    LineError, Opaque, ParkMode, PhoneSetting, Q931Verb, RequestId, TransferMode, Tspi,
};

use crate::rules::Rule;
use crate::session::{DEVICE, Session};

const GARBAGE: u64 = 0xDEAD_BEEF_0BAD_F00D;
const NO_DEVICE: u32 = u32::MAX;

/// Before the device is open.
pub(crate) fn basics(session: &mut Session<'_>) {
    let provider = session.provider.clone();
    let negotiate = |device, lowest: u32, highest: u32| {
        provider.line_negotiate_version(device, ApiVersion(lowest), ApiVersion(highest))
    };
    let best = session.version;
    for version in [0x0002_0000, 0x0002_0001, 0x0002_0002, 0x0003_0000, 0x0003_0001] {
        let alone = negotiate(DEVICE, version, version) == Ok(ApiVersion(version));
        session.check(Rule::VersionCommon, !alone || best.0 >= version, || {
            format!("2.0 to 3.1 gives {:#x}, and {version:#x} is there too", best.0)
        });
    }
    let exact = negotiate(DEVICE, best.0, u32::MAX);
    let higher = matches!(exact, Ok(version) if version >= best);
    session.check(Rule::VersionCommon, higher, || format!("{best:?} to any gives {exact:?}"));
    let future = negotiate(DEVICE, 0x7FFF_0000, 0x7FFF_0001);
    let refused = future == Err(LineError::IncompatibleApiVersion);
    session.check(Rule::VersionNone, refused, || format!("version 32767 gives {future:?}"));
    let past = negotiate(DEVICE, 0x0001_0000, 0x0001_0001);
    let refused = past == Err(LineError::IncompatibleApiVersion);
    session.check(Rule::VersionNone, refused, || format!("version 1.0 gives {past:?}"));
    let nobody = negotiate(NO_DEVICE, 0x0002_0000, best.0);
    let refused = nobody == Err(LineError::BadDeviceId);
    session.check(Rule::VersionNone, refused, || format!("an unknown device gives {nobody:?}"));

    let devices = provider.line_devices();
    session.check(Rule::Caps, devices > 0, || "there is no device".to_owned());
    for device in 0..devices.min(64) {
        let caps = provider.line_dev_caps(device);
        let whole = matches!(&caps, Ok(caps) if !caps.provider.is_empty() && !caps.media.is_empty());
        session.check(Rule::Caps, whole, || format!("device {device}: {caps:?}"));
    }
    for device in [devices, NO_DEVICE] {
        let caps = provider.line_dev_caps(device).map(|caps| caps.line_name);
        let refused = caps == Err(LineError::BadDeviceId);
        session.check(Rule::Caps, refused, || format!("unknown device {device}: {caps:?}"));
        let opened = provider.line_open(device, HtLine(GARBAGE), best);
        let refused = opened == Err(LineError::BadDeviceId);
        session.check(Rule::LineOpen, refused, || format!("unknown device {device} opens: {opened:?}"));
    }
    let opened = provider.line_open(DEVICE, HtLine(GARBAGE), ApiVersion(0x7FFF_0000));
    session.check(Rule::LineOpen, opened.is_err(), || "opens in version 32767".to_owned());
    if let Ok(line) = opened {
        // It should not be there; then it should not stay.
        let _ = provider.line_close(line);
    }
}

/// Asks for a verb about a call on a line.
type Ask = fn(&dyn Tspi, &Subject) -> Result<(), LineError>;

/// What a verb is asked about.
struct Subject {
    id: RequestId,
    line: HdLine,
    call: HdCall,
    params: CallParams,
}

const NEW: HtCall = HtCall(GARBAGE);

/// Every verb with the bit that names it, if one does.
const VERBS: &[(Option<F>, &str, Ask)] = &[
    (Some(F::ACCEPT), "Accept", |p, s| p.line_accept(s.id, s.call)),
    (Some(F::HOLD), "Hold", |p, s| p.line_hold(s.id, s.call)),
    (Some(F::UNHOLD), "Unhold", |p, s| p.line_unhold(s.id, s.call)),
    (Some(F::SWAP_HOLD), "SwapHold", |p, s| p.line_swap_hold(s.id, s.call, s.call)),
    (Some(F::SETUP_TRANSFER), "SetupTransfer", |p, s| {
        p.line_setup_transfer(s.id, s.call, NEW, Some(&s.params)).map(drop)
    }),
    (Some(F::COMPLETE_TRANSFER), "CompleteTransfer", |p, s| {
        p.line_complete_transfer(s.id, s.call, s.call, TransferMode::Transfer, NEW).map(drop)
    }),
    (Some(F::TRANSFER_TO_CONFERENCE), "CompleteTransfer as a conference", |p, s| {
        p.line_complete_transfer(s.id, s.call, s.call, TransferMode::Conference, NEW).map(drop)
    }),
    (Some(F::BLIND_TRANSFER), "BlindTransfer", |p, s| {
        p.line_blind_transfer(s.id, s.call, &s.params.destination)
    }),
    (Some(F::SETUP_CONFERENCE), "SetupConference", |p, s| {
        p.line_setup_conference(s.id, s.line, Some(s.call), NEW, NEW, None).map(drop)
    }),
    (Some(F::PREPARE_ADD_TO_CONFERENCE), "PrepareAddToConference", |p, s| {
        p.line_prepare_add_to_conference(s.id, s.call, NEW, None).map(drop)
    }),
    (Some(F::ADD_TO_CONFERENCE), "AddToConference", |p, s| p.line_add_to_conference(s.id, s.call, s.call)),
    (Some(F::REMOVE_FROM_CONFERENCE), "RemoveFromConference", |p, s| {
        p.line_remove_from_conference(s.id, s.call)
    }),
    (Some(F::PARK_DIRECTED), "Park", |p, s| {
        p.line_park(s.id, s.call, &ParkMode::Directed(s.params.destination.clone()))
    }),
    (Some(F::PARK_NONDIRECTED), "Park anywhere", |p, s| p.line_park(s.id, s.call, &ParkMode::NonDirected)),
    (Some(F::UNPARK), "Unpark", |p, s| p.line_unpark(s.id, s.line, NEW, &s.params.destination).map(drop)),
    (Some(F::PICKUP), "Pickup", |p, s| {
        p.line_pickup(s.id, s.line, NEW, Some(&s.params.destination), None).map(drop)
    }),
    (Some(F::FORWARD), "Forward", |p, s| {
        let destination = s.params.destination.clone();
        let one = Forward { mode: ForwardMode::Busy, caller: None, destination };
        p.line_forward(s.id, s.line, &[one], None)
    }),
    (Some(F::COMPLETE_CALL), "CompleteCall", |p, s| {
        p.line_complete_call(s.id, s.call, CompletionMode::CallBack)
    }),
    (Some(F::COMPLETE_CALL), "UncompleteCall", |p, s| p.line_uncomplete_call(s.id, s.line, u32::MAX)),
    (Some(F::DIAL), "Dial", |p, s| p.line_dial(s.id, s.call, "1", true)),
    (Some(F::REDIRECT), "Redirect", |p, s| p.line_redirect(s.id, s.call, &s.params.destination)),
    (Some(F::GENERATE_DIGITS), "GenerateDigits", |p, s| {
        p.line_generate_digits(s.id, s.call, DigitMode::Dtmf, "1")
    }),
    (Some(F::SEND_USER_USER), "SendUserUserInfo", |p, s| p.line_send_user_user_info(s.id, s.call, &[4, 1])),
    (Some(F::Q931), "Q931", |p, s| p.line_q931(s.id, s.call, Q931Verb::InquireStatus)),
    (None, "MakeCall", |p, s| p.line_make_call(s.id, s.line, NEW, &s.params).map(drop)),
    (None, "Answer", |p, s| p.line_answer(s.id, s.call)),
    (None, "Drop", |p, s| p.line_drop(s.id, s.call, DisconnectMode::Normal)),
];

/// What there is beside verbs of calls, about handles that name nothing.
const OTHERS: &[(&str, Ask)] = &[
    ("CloseCall", |p, s| p.line_close_call(s.call)),
    ("GetCallInfo", |p, s| p.line_call_info(s.call).map(drop)),
    ("Close", |p, s| p.line_close(s.line)),
    ("SetDefaultMediaDetection", |p, s| p.line_set_default_media_detection(s.line, s.params.media)),
    ("CreateMSPInstance", |p, s| p.line_create_msp_instance(s.line, 0, HtMspLine(1)).map(drop)),
    ("CloseMSPInstance", |p, _| p.line_close_msp_instance(HdMspLine(GARBAGE))),
    ("SelectExtVersion", |p, s| p.line_select_ext_version(s.line, ExtensionVersion(1))),
    ("DevSpecific", |p, s| p.line_dev_specific(s.id, s.line, None, &Opaque::new(&b"x"[..])?)),
    ("MoveMedia", |p, s| p.line_move_media(s.call, HdMspLine(GARBAGE))),
    ("phoneClose", |p, _| p.phone_close(HdPhone(GARBAGE))),
    ("phoneGetStatus", |p, _| p.phone_status(HdPhone(GARBAGE)).map(drop)),
    ("phoneSet", |p, s| p.phone_set(s.id, HdPhone(GARBAGE), &PhoneSetting::Lamp(0, LampMode::Off))),
    ("phoneDevSpecific", |p, s| p.phone_dev_specific(s.id, HdPhone(GARBAGE), &Opaque::new(&b"x"[..])?)),
    ("phoneOpen", |p, _| p.phone_open(NO_DEVICE, HtPhone(1)).map(drop)),
    ("phoneGetDevCaps", |p, _| p.phone_dev_caps(NO_DEVICE).map(drop)),
];

/// With the device open: requests about what does not exist.
pub(crate) fn handles(session: &mut Session<'_>) {
    let destination = session.harness.destination().unwrap_or_else(|| "1".to_owned());
    let params = session.params(&destination);
    let others = OTHERS.iter().map(|(what, ask)| (None, *what, *ask));
    for (verb, what, ask) in VERBS.iter().copied().chain(others) {
        let params = params.clone();
        let (_, answer) = session.ask(&format!("{what} of nothing"), &[], |provider, id| {
            ask(provider, &Subject { id, line: HdLine(GARBAGE), call: HdCall(GARBAGE), params })
        });
        let Some(answer) = answer else { continue };
        session.check(Rule::Handles, answer.is_err(), || format!("{what} of nothing is taken"));
        if let Some(verb) = verb.filter(|verb| session.has(*verb)) {
            let there = answer != Err(LineError::OperationUnavail);
            session.check(Rule::CapsBits, there, || format!("{what} is unavailable, and {verb:?} names it"));
        }
    }
    session.still();
}

/// With a call up: verbs that the capabilities do not name.
pub(crate) fn features(session: &mut Session<'_>) {
    let Some(call) = session.talk() else {
        session.not_here(Rule::CapsBits, "no call to try them on");
        return;
    };
    let destination = session.harness.destination().unwrap_or_else(|| "1".to_owned());
    let (line, params) = (session.line, session.params(&destination));
    for (verb, what, ask) in VERBS {
        let Some(verb) = verb.filter(|verb| !session.has(*verb)) else { continue };
        let params = params.clone();
        let came = session
            .come(what, &[], |provider, id| ask(provider, &Subject { id, line, call: call.hd, params }));
        let answer = came.error();
        session.check(Rule::CapsBits, answer == Some(LineError::OperationUnavail), || {
            format!("{what} is not named by the capabilities ({verb:?}) and answers {answer:?}")
        });
    }
    session.kept(Rule::CapsBits);
    session.release(call);
}
