//! The words that requests and events share.

use bytes::Bytes;
use offhook_spi::{
    AddressTypes, ApiVersion, CallFeatures, CallInfo, CallInfoChange, CallOrigin, CallParams, CallReason,
    CompletionMode, ConferenceGoal, ConnectedMode, DeviceId, DigitMode, DisconnectMode, ExtensionId, Forward,
    ForwardMode, HCall, HHub, HookSwitchDevice, HookSwitchMode, HubCallId, HubEvent, HubMember, HubRecord,
    HubSnapshot, HubTracking, LampMode, LineCallState, LineDevCaps, LineError, MediaTypes, Opaque, Party,
    PhoneCaps, PhoneId, PhoneSetting, PhoneStatus, Privilege, Q931Verb, Timestamp, TransferMode,
};

use super::{Unreadable, Word, all, narrow, needed, optional, say_all};
use crate::proto as p;

/// Enums without fields: 0 and what is not known are unreadable.
macro_rules! plain {
    ($($spi:ident as $message:path { $($name:ident),* $(,)? })*) => { $(
        impl Word for $spi {
            type Message = i32;

            fn say(self) -> i32 {
                use $message as Message;
                (match self { $(Self::$name => Message::$name),* }) as i32
            }

            fn read(message: i32) -> Result<Self, Unreadable> {
                use $message as Message;
                match Message::try_from(message) {
                    $(Ok(Message::$name) => Ok(Self::$name),)*
                    _ => Err(Unreadable::new(concat!("a ", stringify!($spi), " that is not known here"))),
                }
            }
        }
    )* };
}

plain! {
    Privilege as p::Privilege { None, Monitor, Owner }
    HubTracking as p::HubTracking { None, ProviderLevel, AllCalls }
    ConferenceGoal as p::ConferenceGoal { Create, Join, Invite }
    CallOrigin as p::CallOrigin { Outbound, Inbound }
    CallReason as p::CallReason {
        Direct, Forwarded, ForwardedBusy, ForwardedNoAnswer, ForwardedAlways, Transfer, Pickup, Unpark,
        CallCompletion, Reminder, Unknown,
    }
    CallInfoChange as p::CallInfoChange {
        CallId, CallerId, CalledId, ConnectedId, RedirectingId, RedirectionId, UserUserInfo, RelatedCallId, Media,
        Holders, Other,
    }
    ConnectedMode as p::ConnectedMode { Active, ActiveHeld }
    DisconnectMode as p::DisconnectMode {
        Normal, Unknown, Reject, Pickup, Forwarded, Busy, NoAnswer, BadAddress, Unreachable, Congestion,
        Incompatible, Unavail, NoDialtone, NumberChanged, OutOfOrder, TempFailure, QosUnavail, Blocked, DoNotDisturb,
        Cancelled,
    }
    DigitMode as p::DigitMode { Dtmf, TelephoneEvent, Signal, Alphanumeric, Keypad, InBand }
    TransferMode as p::TransferMode { Transfer, Conference }
    ForwardMode as p::ForwardMode { Unconditional, Busy, NoAnswer, BusyNoAnswer }
    HookSwitchDevice as p::HookSwitchDevice { Handset, Speaker, Headset }
    HookSwitchMode as p::HookSwitchMode { OnHook, Microphone, Speaker, MicrophoneSpeaker }
    LampMode as p::LampMode { Off, Steady, Wink, Flash, Flutter }
}

impl Word for MediaTypes {
    type Message = u32;

    fn say(self) -> u32 {
        let bit = |kind, bit| if self.contains(kind) { bit } else { 0 };
        bit(Self::AUDIO, 1) | bit(Self::VIDEO, 2)
    }

    fn read(message: u32) -> Result<Self, Unreadable> {
        let kind = |bit, kind| if message & bit != 0 { kind } else { Self::NONE };
        Ok(kind(1, Self::AUDIO).union(kind(2, Self::VIDEO)))
    }
}

impl Word for Opaque {
    type Message = Bytes;

    fn say(self) -> Bytes {
        self.into()
    }

    fn read(message: Bytes) -> Result<Self, Unreadable> {
        Self::new(message)
            .map_err(|_| Unreadable::new(format!("an opaque buffer of more than {} octets", Self::MAX)))
    }
}

impl Word for ExtensionId {
    type Message = Bytes;

    fn say(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }

    fn read(message: Bytes) -> Result<Self, Unreadable> {
        sixteen(&message, "an extension's id").map(Self)
    }
}

fn sixteen(octets: &[u8], what: &str) -> Result<[u8; 16], Unreadable> {
    octets.try_into().map_err(|_| Unreadable::new(format!("{what} has {} octets, not 16", octets.len())))
}

/// The codes without a text, and those with one.
macro_rules! errors {
    ({ $($name:ident),* $(,)? } { $($texted:ident),* $(,)? }) => {
        impl Word for LineError {
            type Message = p::LineError;

            fn say(self) -> p::LineError {
                use p::line_error::Code;
                let text = self.to_string();
                let (code, text) = match self {
                    $(Self::$name => (Code::$name, String::new()),)*
                    $(Self::$texted(text) => (Code::$texted, text),)*
                    // A newer word of the SPI that this contract does not have.
                    _ => (Code::OperationFailed, text),
                };
                p::LineError { code: code.into(), text }
            }

            fn read(message: p::LineError) -> Result<Self, Unreadable> {
                use p::line_error::Code;
                Ok(match Code::try_from(message.code) {
                    $(Ok(Code::$name) => Self::$name,)*
                    $(Ok(Code::$texted) => Self::$texted(message.text),)*
                    Ok(Code::Unspecified) | Err(_) => {
                        Self::OperationFailed(format!("error {}: {}", message.code, message.text))
                    }
                })
            }
        }
    };
}

errors! {
    {
        BadDeviceId, InvalLineHandle, InvalCallHandle, InvalCallState, InvalMediaMode, NotOwner,
        IncompatibleApiVersion, IncompatibleExtVersion, InvalPhoneHandle, InvalHubHandle, Pending, InvalRelatedCall,
        TargetNotFound, TargetSelf, OperationUnavail, StructureTooLarge, NoDriver,
    }
    { InvalAddress, InvalParam, OperationFailed, ResourceUnavail }
}

impl Word for LineDevCaps {
    type Message = p::LineDevCaps;

    fn say(self) -> p::LineDevCaps {
        p::LineDevCaps {
            device: self.device.0,
            provider: self.provider,
            line_name: self.line_name,
            media: self.media.say(),
            dials_phone_number: self.address_types.phone_number,
            dials_ip_address: self.address_types.ip_address,
            dials_domain_name: self.address_types.domain_name,
            has_msp: self.has_msp,
            max_active_calls: self.max_active_calls,
            features: self.features.bits(),
            hub_tracking: self.hub_tracking.say(),
            max_conference: self.max_conference,
            machine: self.machine,
        }
    }

    fn read(m: p::LineDevCaps) -> Result<Self, Unreadable> {
        Ok(Self {
            device: DeviceId(m.device),
            provider: m.provider,
            line_name: m.line_name,
            media: MediaTypes::read(m.media)?,
            address_types: AddressTypes {
                phone_number: m.dials_phone_number,
                ip_address: m.dials_ip_address,
                domain_name: m.dials_domain_name,
            },
            has_msp: m.has_msp,
            max_active_calls: m.max_active_calls,
            features: CallFeatures::from_bits(m.features),
            hub_tracking: HubTracking::read(m.hub_tracking)?,
            max_conference: m.max_conference,
            machine: m.machine,
        })
    }
}

impl Word for CallParams {
    type Message = p::CallParams;

    fn say(self) -> p::CallParams {
        p::CallParams {
            destination: self.destination,
            media: self.media.say(),
            display: self.display,
            block_id: self.block_id,
            partial: self.partial,
            conference: self.conference.map(|id| Bytes::copy_from_slice(&id)),
            conference_goal: self.conference_goal.map(Word::say),
            user_user: self.user_user.map(Bytes::from),
        }
    }

    fn read(m: p::CallParams) -> Result<Self, Unreadable> {
        Ok(Self {
            destination: m.destination,
            media: MediaTypes::read(m.media)?,
            display: m.display,
            block_id: m.block_id,
            partial: m.partial,
            conference: m.conference.map(|id| sixteen(&id, "a conference's id")).transpose()?,
            conference_goal: optional(m.conference_goal)?,
            user_user: m.user_user.map(Vec::from),
        })
    }
}

impl Word for Party {
    type Message = p::Party;

    fn say(self) -> p::Party {
        p::Party { address: self.address, name: self.name }
    }

    fn read(m: p::Party) -> Result<Self, Unreadable> {
        Ok(Self { address: m.address, name: m.name })
    }
}

impl Word for CallInfo {
    type Message = p::CallInfo;

    fn say(self) -> p::CallInfo {
        let id = |(name, value)| p::ProviderId { name, value };
        p::CallInfo {
            call_id: self.call_id,
            related_call_id: self.related_call_id,
            origin: self.origin.say(),
            reason: self.reason.say(),
            media: self.media.say(),
            caller: Some(self.caller.say()),
            called: Some(self.called.say()),
            connected: self.connected.map(Word::say),
            redirecting: self.redirecting.map(Word::say),
            redirection: self.redirection.map(Word::say),
            user_user: self.user_user.map(Bytes::from),
            provider_ids: self.provider_ids.into_iter().map(id).collect(),
            owners: self.owners,
            monitors: self.monitors,
            application: self.application,
        }
    }

    fn read(m: p::CallInfo) -> Result<Self, Unreadable> {
        Ok(Self {
            call_id: m.call_id,
            related_call_id: m.related_call_id,
            origin: CallOrigin::read(m.origin)?,
            reason: CallReason::read(m.reason)?,
            media: MediaTypes::read(m.media)?,
            caller: optional(m.caller)?.unwrap_or_default(),
            called: optional(m.called)?.unwrap_or_default(),
            connected: optional(m.connected)?,
            redirecting: optional(m.redirecting)?,
            redirection: optional(m.redirection)?,
            user_user: m.user_user.map(Vec::from),
            provider_ids: m.provider_ids.into_iter().map(|id| (id.name, id.value)).collect(),
            owners: m.owners,
            monitors: m.monitors,
            application: m.application,
        })
    }
}

/// The states without a mode, each with its name in the contract.
macro_rules! states {
    ($($name:ident = $plain:ident),* $(,)?) => {
        impl Word for LineCallState {
            type Message = p::LineCallState;

            fn say(self) -> p::LineCallState {
                use p::line_call_state::{Plain, State};
                let state = match self {
                    Self::Connected(mode) => State::Connected(mode.say()),
                    Self::Disconnected(mode) => State::Disconnected(mode.say()),
                    $(Self::$name => State::Plain(Plain::$plain.into()),)*
                };
                p::LineCallState { state: Some(state) }
            }

            fn read(m: p::LineCallState) -> Result<Self, Unreadable> {
                use p::line_call_state::{Plain, State};
                match m.state {
                    Some(State::Connected(mode)) => ConnectedMode::read(mode).map(Self::Connected),
                    Some(State::Disconnected(mode)) => DisconnectMode::read(mode).map(Self::Disconnected),
                    Some(State::Plain(plain)) => match Plain::try_from(plain) {
                        $(Ok(Plain::$plain) => Ok(Self::$name),)*
                        Ok(Plain::Unspecified) | Err(_) => Err(Unreadable::absent("a call's state")),
                    },
                    None => Err(Unreadable::absent("a call's state")),
                }
            }
        }
    };
}

states! {
    Idle = Idle, Offering = Offering, Accepted = Accepted, Dialtone = Dialtone, Dialing = Dialing,
    Ringback = Ringback, Busy = Busy, SpecialInfo = SpecialInfo, Proceeding = Proceeding, OnHold = OnHold,
    Conferenced = Conferenced, OnHoldPendingConference = OnHoldPendingConference,
    OnHoldPendingTransfer = OnHoldPendingTransfer, Unknown = Unknown,
}

impl Word for Q931Verb {
    type Message = Option<p::q931::What>;

    fn say(self) -> Self::Message {
        use p::q931::What;
        let empty = p::Empty {};
        Some(match self {
            Self::RequestDigits => What::RequestDigits(empty),
            Self::Proceed => What::Proceed(empty),
            Self::Progress(description) => What::Progress(description.into()),
            Self::Notify(description) => What::Notify(description.into()),
            Self::InquireStatus => What::InquireStatus(empty),
        })
    }

    fn read(m: Self::Message) -> Result<Self, Unreadable> {
        use p::q931::What;
        Ok(match m.ok_or_else(|| Unreadable::absent("a procedure of Q.931"))? {
            What::RequestDigits(_) => Self::RequestDigits,
            What::Proceed(_) => Self::Proceed,
            What::Progress(description) => Self::Progress(narrow(description, "a progress description")?),
            What::Notify(description) => Self::Notify(narrow(description, "a notification description")?),
            What::InquireStatus(_) => Self::InquireStatus,
        })
    }
}

impl Word for CompletionMode {
    type Message = Option<p::complete_call::Mode>;

    fn say(self) -> Option<p::complete_call::Mode> {
        use p::complete_call::Mode;
        let empty = p::Empty {};
        Some(match self {
            Self::CampOn => Mode::CampOn(empty),
            Self::CallBack => Mode::CallBack(empty),
            Self::Intrude => Mode::Intrude(empty),
            Self::Message(number) => Mode::Message(number),
        })
    }

    fn read(m: Option<p::complete_call::Mode>) -> Result<Self, Unreadable> {
        use p::complete_call::Mode;
        Ok(match m.ok_or_else(|| Unreadable::absent("a completion's mode"))? {
            Mode::CampOn(_) => Self::CampOn,
            Mode::CallBack(_) => Self::CallBack,
            Mode::Intrude(_) => Self::Intrude,
            Mode::Message(number) => Self::Message(number),
        })
    }
}

impl Word for Forward {
    type Message = p::Forward;

    fn say(self) -> p::Forward {
        p::Forward { mode: self.mode.say(), caller: self.caller, destination: self.destination }
    }

    fn read(m: p::Forward) -> Result<Self, Unreadable> {
        Ok(Self { mode: ForwardMode::read(m.mode)?, caller: m.caller, destination: m.destination })
    }
}

impl Word for HubMember {
    type Message = p::HubMember;

    fn say(self) -> p::HubMember {
        p::HubMember {
            id: self.id.0,
            device: self.device.0,
            call: self.call.map(|call| call.0),
            state: self.state.map(Word::say),
            info: Some(self.info.say()),
        }
    }

    fn read(m: p::HubMember) -> Result<Self, Unreadable> {
        Ok(Self {
            id: HubCallId(m.id),
            device: DeviceId(m.device),
            call: m.call.map(HCall),
            state: optional(m.state)?,
            info: needed(m.info, "what is known of a call")?,
        })
    }
}

impl Word for HubSnapshot {
    type Message = p::HubSnapshot;

    fn say(self) -> p::HubSnapshot {
        p::HubSnapshot {
            hub: self.hub.0,
            provider: self.provider,
            call_id: self.call_id,
            members: say_all(self.members),
        }
    }

    fn read(m: p::HubSnapshot) -> Result<Self, Unreadable> {
        Ok(Self { hub: HHub(m.hub), provider: m.provider, call_id: m.call_id, members: all(m.members)? })
    }
}

impl Word for HubRecord {
    type Message = p::HubRecord;

    fn say(self) -> p::HubRecord {
        use p::hub_record::{Event, Held, MemberInfo, MemberState, NewHub};
        let event = match self.event {
            HubEvent::New { provider, call_id } => Event::NewHub(NewHub { provider, call_id }),
            HubEvent::Join { member } => Event::Join(member.say()),
            HubEvent::State { call, state } => {
                Event::State(MemberState { call: call.0, state: Some(state.say()) })
            }
            HubEvent::Info { call, info } => Event::Info(MemberInfo { call: call.0, info: Some(info.say()) }),
            HubEvent::Held { call, handle } => {
                Event::Held(Held { call: call.0, handle: handle.map(|call| call.0) })
            }
            HubEvent::Leave { call } => Event::Leave(call.0),
            HubEvent::Idle => Event::Idle(p::Empty {}),
        };
        p::HubRecord { at: self.at.0, hub: self.hub.0, event: Some(event) }
    }

    fn read(m: p::HubRecord) -> Result<Self, Unreadable> {
        use p::hub_record::Event;
        let event = match m.event.ok_or_else(|| Unreadable::absent("a hub's event"))? {
            Event::NewHub(new) => HubEvent::New { provider: new.provider, call_id: new.call_id },
            Event::Join(member) => HubEvent::Join { member: Box::new(HubMember::read(member)?) },
            Event::State(m) => {
                HubEvent::State { call: HubCallId(m.call), state: needed(m.state, "a call's state")? }
            }
            Event::Info(m) => HubEvent::Info {
                call: HubCallId(m.call),
                info: Box::new(needed(m.info, "what is known of a call")?),
            },
            Event::Held(m) => HubEvent::Held { call: HubCallId(m.call), handle: m.handle.map(HCall) },
            Event::Leave(call) => HubEvent::Leave { call: HubCallId(call) },
            Event::Idle(_) => HubEvent::Idle,
        };
        Ok(Self { at: Timestamp(m.at), hub: HHub(m.hub), event })
    }
}

impl Word for PhoneCaps {
    type Message = p::PhoneCaps;

    fn say(self) -> p::PhoneCaps {
        p::PhoneCaps {
            phone: self.phone.0,
            provider: self.provider,
            name: self.name,
            hook_switches: say_all(self.hook_switches),
            buttons: self.buttons,
            lamps: self.lamps,
            ring_modes: self.ring_modes,
            display_rows: self.display_rows,
            display_columns: self.display_columns,
        }
    }

    fn read(m: p::PhoneCaps) -> Result<Self, Unreadable> {
        Ok(Self {
            phone: PhoneId(m.phone),
            provider: m.provider,
            name: m.name,
            hook_switches: all(m.hook_switches)?,
            buttons: m.buttons,
            lamps: m.lamps,
            ring_modes: m.ring_modes,
            display_rows: m.display_rows,
            display_columns: m.display_columns,
        })
    }
}

impl Word for PhoneSetting {
    type Message = p::PhoneSetting;

    fn say(self) -> p::PhoneSetting {
        use p::phone_setting::{Display, HookSwitch, Lamp, Level, Ring, Setting};
        let setting = match self {
            Self::HookSwitch(device, mode) => {
                Setting::HookSwitch(HookSwitch { device: device.say(), mode: mode.say() })
            }
            Self::Lamp(lamp, mode) => Setting::Lamp(Lamp { lamp, mode: mode.say() }),
            Self::Ring(mode, volume) => Setting::Ring(Ring { mode, volume: volume.into() }),
            Self::Display(row, column, text) => Setting::Display(Display { row, column, text }),
            Self::Volume(device, level) => {
                Setting::Volume(Level { device: device.say(), level: level.into() })
            }
            Self::Gain(device, level) => Setting::Gain(Level { device: device.say(), level: level.into() }),
        };
        p::PhoneSetting { setting: Some(setting) }
    }

    fn read(m: p::PhoneSetting) -> Result<Self, Unreadable> {
        use p::phone_setting::Setting;
        Ok(match m.setting.ok_or_else(|| Unreadable::absent("a phone's setting"))? {
            Setting::HookSwitch(m) => {
                Self::HookSwitch(HookSwitchDevice::read(m.device)?, HookSwitchMode::read(m.mode)?)
            }
            Setting::Lamp(m) => Self::Lamp(m.lamp, LampMode::read(m.mode)?),
            Setting::Ring(m) => Self::Ring(m.mode, narrow(m.volume, "a ring volume")?),
            Setting::Display(m) => Self::Display(m.row, m.column, m.text),
            Setting::Volume(m) => {
                Self::Volume(HookSwitchDevice::read(m.device)?, narrow(m.level, "a volume")?)
            }
            Setting::Gain(m) => Self::Gain(HookSwitchDevice::read(m.device)?, narrow(m.level, "a gain")?),
        })
    }
}

impl Word for PhoneStatus {
    type Message = p::PhoneStatus;

    fn say(self) -> p::PhoneStatus {
        use p::phone_status::HookSwitchStatus;
        let hook_switches = self.hook_switches.into_iter().map(|(device, mode, volume, gain)| {
            let (device, mode) = (device.say(), mode.say());
            HookSwitchStatus { device, mode, volume: volume.into(), gain: gain.into() }
        });
        p::PhoneStatus {
            hook_switches: hook_switches.collect(),
            lamps: say_all(self.lamps),
            ring_mode: self.ring_mode,
            ring_volume: self.ring_volume.into(),
            display: self.display,
        }
    }

    fn read(m: p::PhoneStatus) -> Result<Self, Unreadable> {
        let hook_switch = |m: p::phone_status::HookSwitchStatus| {
            let (device, mode) = (HookSwitchDevice::read(m.device)?, HookSwitchMode::read(m.mode)?);
            Ok((device, mode, narrow(m.volume, "a volume")?, narrow(m.gain, "a gain")?))
        };
        Ok(Self {
            hook_switches: m.hook_switches.into_iter().map(hook_switch).collect::<Result<_, _>>()?,
            lamps: all(m.lamps)?,
            ring_mode: m.ring_mode,
            ring_volume: narrow(m.ring_volume, "a ring volume")?,
            display: m.display,
        })
    }
}

impl Word for ApiVersion {
    type Message = u32;

    fn say(self) -> u32 {
        self.0
    }

    fn read(message: u32) -> Result<Self, Unreadable> {
        Ok(Self(message))
    }
}
