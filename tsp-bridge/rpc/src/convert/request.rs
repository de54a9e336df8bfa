//! What an application asks.

use offhook_spi::{
    ApiVersion, AppRequest, CallParams, CompletionMode, DeviceId, DigitMode, DisconnectMode,
    ExtensionVersion, HCall, HHub, HLine, HPhone, HandoffTarget, HubTracking, MediaTypes, Opaque, ParkMode,
    PhoneId, Privilege, Q931Verb, TransferMode,
};

use super::{Unreadable, Word, all, needed, optional, say_all};
use crate::proto as p;
use crate::proto::request::What;

/// Without the number, which is the frame's business.
impl Word for AppRequest {
    type Message = Option<What>;

    fn say(self) -> Option<What> {
        let empty = p::Empty {};
        Some(match self {
            Self::Lines => What::Lines(empty),
            Self::OpenLine { device, privilege, media } => What::OpenLine(p::OpenLine {
                device: device.0,
                privilege: privilege.say(),
                media: media.say(),
            }),
            Self::CloseLine { line } => What::CloseLine(line.0),
            Self::CreateMspInstance { line } => What::CreateMspInstance(line.0),
            Self::MakeCall { line, params } => {
                What::MakeCall(p::MakeCall { line: line.0, params: Some(params.say()) })
            }
            Self::Accept { call } => What::Accept(call.0),
            Self::Answer { call } => What::Answer(call.0),
            Self::Drop { call, mode } => What::Drop(p::Drop { call: call.0, mode: mode.say() }),
            Self::Deallocate { call } => What::Deallocate(call.0),
            Self::CallInfo { call } => What::CallInfo(call.0),
            Self::GenerateDigits { call, mode, digits } => {
                What::GenerateDigits(p::GenerateDigits { call: call.0, mode: mode.say(), digits })
            }
            Self::Dial { call, digits, complete } => What::Dial(p::Dial { call: call.0, digits, complete }),
            Self::Redirect { call, destination } => What::Redirect(p::Redirect { call: call.0, destination }),
            Self::SendUserUserInfo { call, data } => {
                What::SendUserUserInfo(p::SendUserUserInfo { call: call.0, data: data.into() })
            }
            Self::Q931 { call, what } => What::Q931(p::Q931 { call: call.0, what: what.say() }),
            Self::NegotiateApiVersion { device, lowest, highest } => {
                What::NegotiateApiVersion(p::NegotiateApiVersion {
                    device: device.0,
                    lowest: lowest.0,
                    highest: highest.0,
                })
            }
            Self::Hold { call } => What::Hold(call.0),
            Self::Unhold { call } => What::Unhold(call.0),
            Self::SwapHold { active, held } => What::SwapHold(p::SwapHold { active: active.0, held: held.0 }),
            Self::SetupTransfer { call, params } => {
                What::SetupTransfer(p::SetupTransfer { call: call.0, params: params.map(Word::say) })
            }
            Self::CompleteTransfer { call, consult, mode } => What::CompleteTransfer(p::CompleteTransfer {
                call: call.0,
                consult: consult.0,
                mode: mode.say(),
            }),
            Self::BlindTransfer { call, destination } => {
                What::BlindTransfer(p::Redirect { call: call.0, destination })
            }
            Self::SetupConference { line, call, params } => What::SetupConference(p::SetupConference {
                line: line.0,
                call: call.map(|call| call.0),
                params: params.map(Word::say),
            }),
            Self::PrepareAddToConference { conference, params } => {
                What::PrepareAddToConference(p::PrepareAddToConference {
                    conference: conference.0,
                    params: params.map(Word::say),
                })
            }
            Self::AddToConference { conference, call } => {
                What::AddToConference(p::AddToConference { conference: conference.0, call: call.0 })
            }
            Self::RemoveFromConference { call } => What::RemoveFromConference(call.0),
            Self::Park { call, mode } => {
                let directed = match mode {
                    ParkMode::Directed(address) => Some(address),
                    ParkMode::NonDirected => None,
                };
                What::Park(p::Park { call: call.0, directed })
            }
            Self::Unpark { line, address } => What::Unpark(p::Unpark { line: line.0, address }),
            Self::Pickup { line, address, group } => What::Pickup(p::Pickup { line: line.0, address, group }),
            Self::Forward { line, instructions, no_answer_rings } => What::Forward(p::SetForward {
                line: line.0,
                instructions: say_all(instructions),
                no_answer_rings,
            }),
            Self::CompleteCall { call, mode } => {
                What::CompleteCall(p::CompleteCall { call: call.0, mode: mode.say() })
            }
            Self::UncompleteCall { line, completion } => {
                What::UncompleteCall(p::UncompleteCall { line: line.0, completion })
            }
            Self::SetAppPriority { media, first } => {
                What::SetAppPriority(p::SetAppPriority { media: media.say(), first })
            }
            Self::SetCallPrivilege { call, privilege } => {
                What::SetCallPrivilege(p::SetCallPrivilege { call: call.0, privilege: privilege.say() })
            }
            Self::Handoff { call, to } => {
                use p::handoff::To;
                let to = match to {
                    HandoffTarget::Application(name) => To::Application(name),
                    HandoffTarget::Media(media) => To::Media(media.say()),
                };
                What::Handoff(p::Handoff { call: call.0, to: Some(to) })
            }
            Self::MoveMedia { call, line } => What::MoveMedia(p::MoveMedia { call: call.0, line: line.0 }),
            Self::SetCallHubTracking { device, level } => {
                What::SetCallHubTracking(p::SetCallHubTracking { device: device.0, level: level.say() })
            }
            Self::Hubs => What::Hubs(empty),
            Self::CallHub { call } => What::CallHub(call.0),
            Self::ClearHub { hub } => What::ClearHub(hub.0),
            Self::NegotiateExtVersion { device, lowest, highest } => {
                What::NegotiateExtVersion(negotiation(device.0, lowest, highest))
            }
            Self::SelectExtVersion { line, version } => {
                What::SelectExtVersion(p::SelectExtVersion { line: line.0, version: version.0 })
            }
            Self::DevSpecific { line, call, data } => What::DevSpecific(p::DevSpecific {
                line: line.0,
                call: call.map(|call| call.0),
                data: data.say(),
            }),
            Self::Phones => What::Phones(empty),
            Self::OpenPhone { phone, privilege } => {
                What::OpenPhone(p::OpenPhone { phone: phone.0, privilege: privilege.say() })
            }
            Self::ClosePhone { phone } => What::ClosePhone(phone.0),
            Self::PhoneStatus { phone } => What::PhoneStatus(phone.0),
            Self::SetPhone { phone, setting } => {
                What::SetPhone(p::SetPhone { phone: phone.0, setting: Some(setting.say()) })
            }
            Self::NegotiatePhoneExtVersion { phone, lowest, highest } => {
                What::NegotiatePhoneExtVersion(negotiation(phone.0, lowest, highest))
            }
            Self::SelectPhoneExtVersion { phone, version } => {
                What::SelectPhoneExtVersion(p::SelectExtVersion { line: phone.0, version: version.0 })
            }
            Self::PhoneDevSpecific { phone, data } => {
                What::PhoneDevSpecific(p::PhoneDevSpecific { phone: phone.0, data: data.say() })
            }
            Self::MspData { line, call, data } => {
                What::MspData(p::MspData { line: line.0, call: call.map(|call| call.0), data: data.say() })
            }
        })
    }

    fn read(message: Option<What>) -> Result<Self, Unreadable> {
        Ok(match message.ok_or_else(|| Unreadable::absent("the request"))? {
            What::Lines(_) => Self::Lines,
            What::OpenLine(m) => Self::OpenLine {
                device: DeviceId(m.device),
                privilege: Privilege::read(m.privilege)?,
                media: MediaTypes::read(m.media)?,
            },
            What::CloseLine(line) => Self::CloseLine { line: HLine(line) },
            What::CreateMspInstance(line) => Self::CreateMspInstance { line: HLine(line) },
            What::MakeCall(m) => Self::MakeCall { line: HLine(m.line), params: params(m.params)? },
            What::Accept(call) => Self::Accept { call: HCall(call) },
            What::Answer(call) => Self::Answer { call: HCall(call) },
            What::Drop(m) => Self::Drop { call: HCall(m.call), mode: DisconnectMode::read(m.mode)? },
            What::Deallocate(call) => Self::Deallocate { call: HCall(call) },
            What::CallInfo(call) => Self::CallInfo { call: HCall(call) },
            What::GenerateDigits(m) => {
                Self::GenerateDigits { call: HCall(m.call), mode: DigitMode::read(m.mode)?, digits: m.digits }
            }
            What::Dial(m) => Self::Dial { call: HCall(m.call), digits: m.digits, complete: m.complete },
            What::Redirect(m) => Self::Redirect { call: HCall(m.call), destination: m.destination },
            What::SendUserUserInfo(m) => Self::SendUserUserInfo { call: HCall(m.call), data: m.data.into() },
            What::Q931(m) => Self::Q931 { call: HCall(m.call), what: Q931Verb::read(m.what)? },
            What::NegotiateApiVersion(m) => Self::NegotiateApiVersion {
                device: DeviceId(m.device),
                lowest: ApiVersion(m.lowest),
                highest: ApiVersion(m.highest),
            },
            What::Hold(call) => Self::Hold { call: HCall(call) },
            What::Unhold(call) => Self::Unhold { call: HCall(call) },
            What::SwapHold(m) => Self::SwapHold { active: HCall(m.active), held: HCall(m.held) },
            What::SetupTransfer(m) => {
                Self::SetupTransfer { call: HCall(m.call), params: optional(m.params)? }
            }
            What::CompleteTransfer(m) => Self::CompleteTransfer {
                call: HCall(m.call),
                consult: HCall(m.consult),
                mode: TransferMode::read(m.mode)?,
            },
            What::BlindTransfer(m) => Self::BlindTransfer { call: HCall(m.call), destination: m.destination },
            What::SetupConference(m) => Self::SetupConference {
                line: HLine(m.line),
                call: m.call.map(HCall),
                params: optional(m.params)?,
            },
            What::PrepareAddToConference(m) => {
                Self::PrepareAddToConference { conference: HCall(m.conference), params: optional(m.params)? }
            }
            What::AddToConference(m) => {
                Self::AddToConference { conference: HCall(m.conference), call: HCall(m.call) }
            }
            What::RemoveFromConference(call) => Self::RemoveFromConference { call: HCall(call) },
            What::Park(m) => Self::Park {
                call: HCall(m.call),
                mode: m.directed.map_or(ParkMode::NonDirected, ParkMode::Directed),
            },
            What::Unpark(m) => Self::Unpark { line: HLine(m.line), address: m.address },
            What::Pickup(m) => Self::Pickup { line: HLine(m.line), address: m.address, group: m.group },
            What::Forward(m) => Self::Forward {
                line: HLine(m.line),
                instructions: all(m.instructions)?,
                no_answer_rings: m.no_answer_rings,
            },
            What::CompleteCall(m) => {
                Self::CompleteCall { call: HCall(m.call), mode: CompletionMode::read(m.mode)? }
            }
            What::UncompleteCall(m) => Self::UncompleteCall { line: HLine(m.line), completion: m.completion },
            What::SetAppPriority(m) => {
                Self::SetAppPriority { media: MediaTypes::read(m.media)?, first: m.first }
            }
            What::SetCallPrivilege(m) => {
                Self::SetCallPrivilege { call: HCall(m.call), privilege: Privilege::read(m.privilege)? }
            }
            What::Handoff(m) => {
                use p::handoff::To;
                let to = match m.to.ok_or_else(|| Unreadable::absent("whom to hand a call to"))? {
                    To::Application(name) => HandoffTarget::Application(name),
                    To::Media(media) => HandoffTarget::Media(MediaTypes::read(media)?),
                };
                Self::Handoff { call: HCall(m.call), to }
            }
            What::MoveMedia(m) => Self::MoveMedia { call: HCall(m.call), line: HLine(m.line) },
            What::SetCallHubTracking(m) => {
                Self::SetCallHubTracking { device: DeviceId(m.device), level: HubTracking::read(m.level)? }
            }
            What::Hubs(_) => Self::Hubs,
            What::CallHub(call) => Self::CallHub { call: HCall(call) },
            What::ClearHub(hub) => Self::ClearHub { hub: HHub(hub) },
            What::NegotiateExtVersion(m) => Self::NegotiateExtVersion {
                device: DeviceId(m.device),
                lowest: ExtensionVersion(m.lowest),
                highest: ExtensionVersion(m.highest),
            },
            What::SelectExtVersion(m) => {
                Self::SelectExtVersion { line: HLine(m.line), version: ExtensionVersion(m.version) }
            }
            What::DevSpecific(m) => Self::DevSpecific {
                line: HLine(m.line),
                call: m.call.map(HCall),
                data: Opaque::read(m.data)?,
            },
            What::Phones(_) => Self::Phones,
            What::OpenPhone(m) => {
                Self::OpenPhone { phone: PhoneId(m.phone), privilege: Privilege::read(m.privilege)? }
            }
            What::ClosePhone(phone) => Self::ClosePhone { phone: HPhone(phone) },
            What::PhoneStatus(phone) => Self::PhoneStatus { phone: HPhone(phone) },
            What::SetPhone(m) => {
                Self::SetPhone { phone: HPhone(m.phone), setting: needed(m.setting, "a phone's setting")? }
            }
            What::NegotiatePhoneExtVersion(m) => Self::NegotiatePhoneExtVersion {
                phone: PhoneId(m.device),
                lowest: ExtensionVersion(m.lowest),
                highest: ExtensionVersion(m.highest),
            },
            What::SelectPhoneExtVersion(m) => {
                Self::SelectPhoneExtVersion { phone: HPhone(m.line), version: ExtensionVersion(m.version) }
            }
            What::PhoneDevSpecific(m) => {
                Self::PhoneDevSpecific { phone: HPhone(m.phone), data: Opaque::read(m.data)? }
            }
            What::MspData(m) => {
                Self::MspData { line: HLine(m.line), call: m.call.map(HCall), data: Opaque::read(m.data)? }
            }
        })
    }
}

fn params(message: Option<p::CallParams>) -> Result<CallParams, Unreadable> {
    needed(message, "a call's parameters")
}

fn negotiation(device: u32, lowest: ExtensionVersion, highest: ExtensionVersion) -> p::NegotiateExtVersion {
    p::NegotiateExtVersion { device, lowest: lowest.0, highest: highest.0 }
}
