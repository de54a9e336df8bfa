//! Any request, with arguments that often fit: a call in a state that allows it, a line that is open.

use offhook_spi::{
    ApiVersion, AppRequest, CompletionMode, DeviceId, DigitMode, DisconnectMode, ExtensionVersion, Forward,
    ForwardMode, HCall, HHub, HLine, HandoffTarget, HubTracking, LampMode, LineCallState as S, MediaTypes,
    ParkMode, PhoneId, PhoneSetting, Privilege, TransferMode,
};

use crate::Rng;
use crate::player::Sight;
use crate::support::{opaque, to};

/// One of its calls, mostly in a state that fits.
fn call_in(rng: &mut Rng, sight: &Sight, fits: impl Fn(S) -> bool) -> HCall {
    let all: Vec<_> = sight.calls.keys().copied().collect();
    let fitting: Vec<_> =
        sight.calls.iter().filter(|(_, state)| state.is_some_and(&fits)).map(|(call, _)| *call).collect();
    let from = match rng.below(8) {
        0 => &sight.gone,
        1 => &all,
        _ => &fitting,
    };
    rng.pick(from).unwrap_or(HCall(1))
}

fn up(state: S) -> bool {
    matches!(state, S::Connected(_))
}

fn held(state: S) -> bool {
    matches!(state, S::OnHold | S::OnHoldPendingTransfer | S::OnHoldPendingConference)
}

fn any(_: S) -> bool {
    true
}

/// One request, or a few that go together.
pub(crate) fn some(rng: &mut Rng, sight: &Sight) -> Vec<AppRequest> {
    if rng.below(12) > 0 {
        return vec![one(rng, sight)];
    }
    let (lowest, highest) = (ExtensionVersion(0x0001_0000), ExtensionVersion(0x0001_0000));
    let (version, data) = (highest, opaque(b"?"));
    match (rng.pick(&sight.lines), rng.pick(&sight.phones)) {
        (_, Some(phone)) if rng.below(2) == 0 => vec![
            AppRequest::NegotiatePhoneExtVersion { phone: PhoneId(0), lowest, highest },
            AppRequest::SelectPhoneExtVersion { phone, version },
            AppRequest::PhoneDevSpecific { phone, data },
        ],
        (Some(line), _) if rng.below(2) == 0 => vec![
            AppRequest::NegotiateExtVersion { device: DeviceId(rng.below(2) as u32), lowest, highest },
            AppRequest::SelectExtVersion { line, version },
            AppRequest::DevSpecific { line, call: None, data },
        ],
        _ => {
            let hub = rng.pick(&sight.hubs).unwrap_or(HHub(1));
            let (device, level) = (DeviceId(rng.below(2) as u32), HubTracking::AllCalls);
            vec![AppRequest::ClearHub { hub }, AppRequest::SetCallHubTracking { device, level }]
        }
    }
}

fn one(rng: &mut Rng, sight: &Sight) -> AppRequest {
    let line = rng.pick(&sight.lines).unwrap_or(HLine(1));
    let talks = sight.calls.values().any(|state| state.is_some_and(up));
    if !talks && rng.below(3) == 0 {
        // Most verbs are about somebody who has answered.
        let params = to(rng.pick(&["5550002", "bob"]).unwrap());
        return AppRequest::MakeCall { line, params };
    }
    if rng.below(16) == 0 {
        return phones(rng, sight);
    }
    if rng.below(2) == 0 { basic(rng, sight, line) } else { supplement(rng, sight, line) }
}

/// A line is opened, as owner more often than not.
pub(crate) fn open(rng: &mut Rng) -> AppRequest {
    let privilege =
        rng.pick(&[Privilege::Owner, Privilege::Owner, Privilege::Monitor, Privilege::None]).unwrap();
    let (device, media) = (DeviceId(rng.below(5) as u32 / 2), MediaTypes::AUDIO);
    AppRequest::OpenLine { device, privilege, media }
}

fn basic(rng: &mut Rng, sight: &Sight, line: HLine) -> AppRequest {
    let call = call_in(rng, sight, any);
    let mode = rng.pick(&[DisconnectMode::Normal, DisconnectMode::Busy]).unwrap();
    match rng.below(16) {
        0 => open(rng),
        1 => AppRequest::Lines,
        2 if rng.below(5) == 0 => AppRequest::CloseLine { line },
        3 => AppRequest::CreateMspInstance { line },
        4..=6 => {
            let numbers = ["bob", "busy", "nowhere", "slow", "naughty"];
            let extensions = ["100", "101", "5550001", "5550002", "5550003"];
            let destination = rng.pick(if rng.0.is_multiple_of(2) { &numbers } else { &extensions }).unwrap();
            AppRequest::MakeCall { line, params: to(destination) }
        }
        7 => AppRequest::Accept { call: call_in(rng, sight, |state| state == S::Offering) },
        8 | 9 => AppRequest::Answer { call: call_in(rng, sight, |s| matches!(s, S::Offering | S::Accepted)) },
        10 => AppRequest::Drop { call, mode },
        11 => AppRequest::Deallocate { call },
        12 => AppRequest::CallInfo { call },
        13 => AppRequest::GenerateDigits { call, mode: DigitMode::Dtmf, digits: "12#".to_owned() },
        14 => AppRequest::MspData { line, call: Some(call), data: opaque(&[1, 2, 3]) },
        15 => AppRequest::MspData { line, call: None, data: opaque(&[]) },
        _ => AppRequest::Accept { call },
    }
}

/// Something beyond the basic verbs, sensible or not.
fn supplement(rng: &mut Rng, sight: &Sight, line: HLine) -> AppRequest {
    let call = call_in(rng, sight, any);
    let connected = call_in(rng, sight, up);
    let on_hold = call_in(rng, sight, held);
    let consulted = call_in(rng, sight, |s| up(s) || matches!(s, S::Ringback | S::Proceeding));
    if rng.below(8) == 0 {
        return extension(rng, sight, line);
    }
    let number = rng.pick(&["100", "101", "5550001", "5550002", "nowhere"]).unwrap();
    let params = (rng.below(3) > 0).then(|| to(number));
    let privilege = rng.pick(&[Privilege::None, Privilege::Monitor, Privilege::Owner]).unwrap();
    let media = rng.pick(&[MediaTypes::AUDIO, MediaTypes::VIDEO]).unwrap();
    let device = DeviceId(rng.below(3) as u32);
    match rng.below(34) {
        0 | 1 => AppRequest::Hold { call: connected },
        2 => AppRequest::Unhold { call: on_hold },
        3 | 4 => AppRequest::SwapHold { active: connected, held: on_hold },
        5 | 6 => AppRequest::SetupTransfer { call: connected, params },
        7 | 8 => {
            let mode = TransferMode::Transfer;
            AppRequest::CompleteTransfer { call: on_hold, consult: consulted, mode }
        }
        9 => {
            let mode = TransferMode::Conference;
            AppRequest::CompleteTransfer { call: on_hold, consult: consulted, mode }
        }
        10 => AppRequest::BlindTransfer { call: connected, destination: number.to_owned() },
        11 | 12 => {
            let call = (rng.below(3) > 0).then_some(connected);
            AppRequest::SetupConference { line, call, params }
        }
        13 => {
            let conference = rng.pick(&sight.conferences).unwrap_or(connected);
            AppRequest::PrepareAddToConference { conference, params }
        }
        14 | 15 => AppRequest::AddToConference { conference: on_hold, call: connected },
        16 => AppRequest::RemoveFromConference { call: call_in(rng, sight, |state| state == S::Conferenced) },
        17 => AppRequest::Park { call: connected, mode: ParkMode::NonDirected },
        18 => AppRequest::Park { call: connected, mode: ParkMode::Directed("700".to_owned()) },
        19 => AppRequest::Unpark { line, address: "700".to_owned() },
        20 if rng.below(2) == 0 => AppRequest::Unpark { line, address: "701".to_owned() },
        20 => AppRequest::Pickup { line, address: Some(number.to_owned()), group: None },
        21 => {
            let destination = number.to_owned();
            let forward = Forward { mode: ForwardMode::Busy, caller: None, destination };
            AppRequest::Forward { line, instructions: vec![forward], no_answer_rings: None }
        }
        22 => {
            let call = call_in(rng, sight, |s| matches!(s, S::Busy | S::Ringback));
            AppRequest::CompleteCall { call, mode: CompletionMode::CallBack }
        }
        23 | 24 => AppRequest::UncompleteCall { line, completion: rng.pick(&sight.completions).unwrap_or(0) },
        25 => AppRequest::SetCallPrivilege { call, privilege },
        26 | 27 => {
            let name = format!("client {}", rng.below(5));
            let to = if rng.below(2) == 0 {
                HandoffTarget::Media(media)
            } else {
                HandoffTarget::Application(name)
            };
            AppRequest::Handoff { call, to }
        }
        28 => AppRequest::MoveMedia { call, line },
        29 => AppRequest::SetAppPriority { media, first: rng.below(2) == 0 },
        30 => {
            let (lowest, highest) =
                (ApiVersion(0x0001_0003), ApiVersion(0x0001_0003 + rng.below(4) as u32 * 0x8000));
            AppRequest::NegotiateApiVersion { device, lowest, highest }
        }
        32 => match rng.below(4) {
            0 => AppRequest::Hubs,
            1 => AppRequest::CallHub { call },
            2 => AppRequest::ClearHub { hub: rng.pick(&sight.hubs).unwrap_or(HHub(1)) },
            _ => AppRequest::SetCallHubTracking { device, level: HubTracking::AllCalls },
        },
        _ => AppRequest::Hold { call },
    }
}

/// A version of an extension, mostly one that there is.
fn version(rng: &mut Rng) -> ExtensionVersion {
    ExtensionVersion(rng.pick(&[0, 2, 0x0001_0000, 0x0001_0000, 0x0001_0000]).unwrap())
}

/// A version of a line's extension is negotiated or selected; who has selected one has something to say.
fn extension(rng: &mut Rng, sight: &Sight, line: HLine) -> AppRequest {
    let (lowest, highest) = (ExtensionVersion(0x0001_0000), ExtensionVersion(0x0001_0000));
    match rng.below(3) {
        0 => AppRequest::NegotiateExtVersion { device: DeviceId(rng.below(2) as u32), lowest, highest },
        1 => AppRequest::SelectExtVersion { line, version: version(rng) },
        _ => {
            let line = rng.pick(&sight.speaking.0).unwrap_or(line);
            let call = (rng.below(2) == 0).then(|| call_in(rng, sight, any));
            AppRequest::DevSpecific { line, call, data: opaque(b"?") }
        }
    }
}

/// The same with phones, and what one does with a phone.
fn phones(rng: &mut Rng, sight: &Sight) -> AppRequest {
    let privilege = rng.pick(&[Privilege::None, Privilege::Monitor, Privilege::Owner]).unwrap();
    let Some(phone) = rng.pick(&sight.phones) else {
        return AppRequest::OpenPhone { phone: PhoneId(rng.below(2) as u32), privilege };
    };
    if let (Some(phone), 0) = (rng.pick(&sight.speaking.1), rng.below(2)) {
        return AppRequest::PhoneDevSpecific { phone, data: opaque(b"?") };
    }
    let (lowest, highest) = (ExtensionVersion(0x0001_0000), ExtensionVersion(0x0001_0000));
    match rng.below(8) {
        0 => AppRequest::OpenPhone { phone: PhoneId(0), privilege },
        1 => AppRequest::ClosePhone { phone },
        2 => AppRequest::PhoneStatus { phone },
        3 => AppRequest::Phones,
        4 => AppRequest::NegotiatePhoneExtVersion { phone: PhoneId(0), lowest, highest },
        5 => AppRequest::SelectPhoneExtVersion { phone, version: version(rng) },
        6 => AppRequest::PhoneDevSpecific { phone, data: opaque(b"?") },
        _ => AppRequest::SetPhone { phone, setting: PhoneSetting::Lamp(0, LampMode::Flash) },
    }
}
