//! Every value survives the way over the wire; no octets are a panic.

use std::time::Duration;

use offhook_spi::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

use super::Word;
use crate::proto as p;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn opaque() -> impl Strategy<Value = Opaque> {
    prop_oneof![octets(), Just(vec![0xa5; Opaque::MAX])]
        .prop_map(|octets| Opaque::new(octets).unwrap_or_else(|why| panic!("{why}")))
}

fn of<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(values)
}

macro_rules! handle {
    ($($f:ident $t:ident),*) => { $( fn $f() -> impl Strategy<Value = $t> { any::<u64>().prop_map($t) } )* };
}
handle! { call HCall, line HLine, phone HPhone, hub HHub, hub_call HubCallId, at Timestamp }

fn device() -> impl Strategy<Value = DeviceId> {
    any::<u32>().prop_map(DeviceId)
}

fn media() -> impl Strategy<Value = MediaTypes> {
    const BOTH: MediaTypes = MediaTypes::AUDIO.union(MediaTypes::VIDEO);
    of(&[MediaTypes::NONE, MediaTypes::AUDIO, MediaTypes::VIDEO, BOTH])
}

fn privilege() -> impl Strategy<Value = Privilege> {
    of(&[Privilege::None, Privilege::Monitor, Privilege::Owner])
}

const MODES: &[DisconnectMode] = &[
    DisconnectMode::Normal,
    DisconnectMode::Unknown,
    DisconnectMode::Reject,
    DisconnectMode::Pickup,
    DisconnectMode::Forwarded,
    DisconnectMode::Busy,
    DisconnectMode::NoAnswer,
    DisconnectMode::BadAddress,
    DisconnectMode::Unreachable,
    DisconnectMode::Congestion,
    DisconnectMode::Incompatible,
    DisconnectMode::Unavail,
    DisconnectMode::NoDialtone,
    DisconnectMode::NumberChanged,
    DisconnectMode::OutOfOrder,
    DisconnectMode::TempFailure,
    DisconnectMode::QosUnavail,
    DisconnectMode::Blocked,
    DisconnectMode::DoNotDisturb,
    DisconnectMode::Cancelled,
];

fn state() -> impl Strategy<Value = LineCallState> {
    use LineCallState as S;
    prop_oneof![
        of(&[
            S::Idle,
            S::Offering,
            S::Accepted,
            S::Dialtone,
            S::Dialing,
            S::Ringback,
            S::Busy,
            S::SpecialInfo,
            S::Connected(ConnectedMode::Active),
            S::Connected(ConnectedMode::ActiveHeld),
            S::Proceeding,
            S::OnHold,
            S::Conferenced,
            S::OnHoldPendingConference,
            S::OnHoldPendingTransfer,
            S::Unknown,
        ]),
        of(MODES).prop_map(S::Disconnected),
    ]
}

fn digit_mode() -> impl Strategy<Value = DigitMode> {
    use DigitMode as D;
    of(&[D::Dtmf, D::TelephoneEvent, D::Signal, D::Alphanumeric, D::Keypad, D::InBand])
}

fn tracking() -> impl Strategy<Value = HubTracking> {
    of(&[HubTracking::None, HubTracking::ProviderLevel, HubTracking::AllCalls])
}

fn ext() -> impl Strategy<Value = ExtensionVersion> {
    any::<u32>().prop_map(ExtensionVersion)
}

fn error() -> impl Strategy<Value = LineError> {
    use LineError as E;
    prop_oneof![
        of(&[
            E::BadDeviceId,
            E::InvalLineHandle,
            E::InvalCallHandle,
            E::InvalCallState,
            E::InvalMediaMode,
            E::NotOwner,
            E::IncompatibleApiVersion,
            E::IncompatibleExtVersion,
            E::InvalPhoneHandle,
            E::InvalHubHandle,
            E::Pending,
            E::InvalRelatedCall,
            E::TargetNotFound,
            E::TargetSelf,
            E::OperationUnavail,
            E::StructureTooLarge,
            E::NoDriver,
        ]),
        text().prop_map(E::InvalAddress),
        text().prop_map(E::InvalParam),
        text().prop_map(E::OperationFailed),
        text().prop_map(E::ResourceUnavail),
    ]
}

fn party() -> impl Strategy<Value = Party> {
    (text(), option::of(text())).prop_map(|(address, name)| Party { address, name })
}

fn info() -> impl Strategy<Value = CallInfo> {
    use CallReason as R;
    let reason = of(&[
        R::Direct,
        R::Forwarded,
        R::ForwardedBusy,
        R::ForwardedNoAnswer,
        R::ForwardedAlways,
        R::Transfer,
        R::Pickup,
        R::Unpark,
        R::CallCompletion,
        R::Reminder,
        R::Unknown,
    ]);
    let parties = (party(), party(), option::of(party()), option::of(party()), option::of(party()));
    let rest = (option::of(octets()), vec((text(), text()), 0..3), any::<(u32, u32)>(), text());
    let origin = of(&[CallOrigin::Outbound, CallOrigin::Inbound]);
    (any::<(u32, u32)>(), origin, reason, media(), parties, rest).prop_map(
        |((call_id, related_call_id), origin, reason, media, parties, rest)| {
            let (caller, called, connected, redirecting, redirection) = parties;
            let (user_user, provider_ids, (owners, monitors), application) = rest;
            CallInfo {
                call_id,
                related_call_id,
                origin,
                reason,
                media,
                caller,
                called,
                connected,
                redirecting,
                redirection,
                user_user,
                provider_ids,
                owners,
                monitors,
                application,
            }
        },
    )
}

fn params() -> impl Strategy<Value = CallParams> {
    let goal = of(&[ConferenceGoal::Create, ConferenceGoal::Join, ConferenceGoal::Invite]);
    let rest = (option::of(any::<[u8; 16]>()), option::of(goal), option::of(octets()));
    (text(), media(), option::of(text()), any::<(bool, bool)>(), rest).prop_map(
        |(destination, media, display, (block_id, partial), (conference, conference_goal, user_user))| {
            CallParams {
                destination,
                media,
                display,
                block_id,
                partial,
                conference,
                conference_goal,
                user_user,
            }
        },
    )
}

fn setting() -> impl Strategy<Value = PhoneSetting> {
    use PhoneSetting as S;
    prop_oneof![
        (hook(), mode()).prop_map(|(d, m)| S::HookSwitch(d, m)),
        (any::<u32>(), lamp()).prop_map(|(l, m)| S::Lamp(l, m)),
        any::<(u32, u16)>().prop_map(|(m, v)| S::Ring(m, v)),
        (any::<(u32, u32)>(), text()).prop_map(|((r, c), t)| S::Display(r, c, t)),
        (hook(), any::<u16>()).prop_map(|(d, v)| S::Volume(d, v)),
        (hook(), any::<u16>()).prop_map(|(d, v)| S::Gain(d, v)),
    ]
}

fn hook() -> impl Strategy<Value = HookSwitchDevice> {
    of(&[HookSwitchDevice::Handset, HookSwitchDevice::Speaker, HookSwitchDevice::Headset])
}

fn mode() -> impl Strategy<Value = HookSwitchMode> {
    use HookSwitchMode as M;
    of(&[M::OnHook, M::Microphone, M::Speaker, M::MicrophoneSpeaker])
}

fn lamp() -> impl Strategy<Value = LampMode> {
    of(&[LampMode::Off, LampMode::Steady, LampMode::Wink, LampMode::Flash, LampMode::Flutter])
}

fn forward() -> impl Strategy<Value = Forward> {
    use ForwardMode as M;
    let mode = of(&[M::Unconditional, M::Busy, M::NoAnswer, M::BusyNoAnswer]);
    (mode, option::of(text()), text()).prop_map(|(mode, caller, destination)| Forward {
        mode,
        caller,
        destination,
    })
}

fn request() -> impl Strategy<Value = AppRequest> {
    use AppRequest as A;
    let lines = prop_oneof![
        Just(A::Lines),
        (device(), privilege(), media()).prop_map(|(device, privilege, media)| A::OpenLine {
            device,
            privilege,
            media
        }),
        line().prop_map(|line| A::CloseLine { line }),
        line().prop_map(|line| A::CreateMspInstance { line }),
        (device(), any::<(u32, u32)>()).prop_map(|(device, (l, h))| A::NegotiateApiVersion {
            device,
            lowest: ApiVersion(l),
            highest: ApiVersion(h)
        }),
        (line(), vec(forward(), 0..3), any::<Option<u32>>()).prop_map(|(line, instructions, rings)| {
            A::Forward { line, instructions, no_answer_rings: rings }
        }),
        any::<(u64, u32)>()
            .prop_map(|(line, completion)| A::UncompleteCall { line: HLine(line), completion }),
        (media(), any::<bool>()).prop_map(|(media, first)| A::SetAppPriority { media, first }),
        (device(), tracking()).prop_map(|(device, level)| A::SetCallHubTracking { device, level }),
        (device(), ext(), ext()).prop_map(|(device, lowest, highest)| A::NegotiateExtVersion {
            device,
            lowest,
            highest
        }),
        (line(), ext()).prop_map(|(line, version)| A::SelectExtVersion { line, version }),
        (line(), option::of(call()), opaque()).prop_map(|(line, call, data)| A::DevSpecific {
            line,
            call,
            data
        }),
        (line(), option::of(call()), opaque()).prop_map(|(line, call, data)| A::MspData { line, call, data }),
    ];
    let calls = prop_oneof![
        (line(), params()).prop_map(|(line, params)| A::MakeCall { line, params }),
        call().prop_map(|call| A::Accept { call }),
        call().prop_map(|call| A::Answer { call }),
        (call(), of(MODES)).prop_map(|(call, mode)| A::Drop { call, mode }),
        call().prop_map(|call| A::Deallocate { call }),
        call().prop_map(|call| A::CallInfo { call }),
        (call(), digit_mode(), text()).prop_map(|(call, mode, digits)| A::GenerateDigits {
            call,
            mode,
            digits
        }),
        (call(), text(), any::<bool>()).prop_map(|(call, digits, complete)| A::Dial {
            call,
            digits,
            complete
        }),
        (call(), text()).prop_map(|(call, destination)| A::Redirect { call, destination }),
        (call(), octets()).prop_map(|(call, data)| A::SendUserUserInfo { call, data }),
        (call(), q931()).prop_map(|(call, what)| A::Q931 { call, what }),
        (call(), privilege()).prop_map(|(call, privilege)| A::SetCallPrivilege { call, privilege }),
        (call(), handoff()).prop_map(|(call, to)| A::Handoff { call, to }),
        (call(), line()).prop_map(|(call, line)| A::MoveMedia { call, line }),
        Just(A::Hubs),
        call().prop_map(|call| A::CallHub { call }),
        hub().prop_map(|hub| A::ClearHub { hub }),
    ];
    let services = prop_oneof![
        call().prop_map(|call| A::Hold { call }),
        call().prop_map(|call| A::Unhold { call }),
        (call(), call()).prop_map(|(active, held)| A::SwapHold { active, held }),
        (call(), option::of(params())).prop_map(|(call, params)| A::SetupTransfer { call, params }),
        (call(), call(), of(&[TransferMode::Transfer, TransferMode::Conference]))
            .prop_map(|(call, consult, mode)| A::CompleteTransfer { call, consult, mode }),
        (call(), text()).prop_map(|(call, destination)| A::BlindTransfer { call, destination }),
        (line(), option::of(call()), option::of(params()))
            .prop_map(|(line, call, params)| A::SetupConference { line, call, params }),
        (call(), option::of(params()))
            .prop_map(|(conference, params)| A::PrepareAddToConference { conference, params }),
        (call(), call()).prop_map(|(conference, call)| A::AddToConference { conference, call }),
        call().prop_map(|call| A::RemoveFromConference { call }),
        (call(), option::of(text())).prop_map(|(call, to)| A::Park {
            call,
            mode: to.map_or(ParkMode::NonDirected, ParkMode::Directed)
        }),
        (line(), text()).prop_map(|(line, address)| A::Unpark { line, address }),
        (line(), option::of(text()), option::of(text())).prop_map(|(line, address, group)| A::Pickup {
            line,
            address,
            group
        }),
        (call(), completion()).prop_map(|(call, mode)| A::CompleteCall { call, mode }),
    ];
    let phones = prop_oneof![
        Just(A::Phones),
        (any::<u32>(), privilege())
            .prop_map(|(phone, privilege)| A::OpenPhone { phone: PhoneId(phone), privilege }),
        phone().prop_map(|phone| A::ClosePhone { phone }),
        phone().prop_map(|phone| A::PhoneStatus { phone }),
        (phone(), setting()).prop_map(|(phone, setting)| A::SetPhone { phone, setting }),
        (any::<u32>(), ext(), ext()).prop_map(|(phone, lowest, highest)| A::NegotiatePhoneExtVersion {
            phone: PhoneId(phone),
            lowest,
            highest
        }),
        (phone(), ext()).prop_map(|(phone, version)| A::SelectPhoneExtVersion { phone, version }),
        (phone(), opaque()).prop_map(|(phone, data)| A::PhoneDevSpecific { phone, data }),
    ];
    prop_oneof![lines, calls, services, phones]
}

fn q931() -> impl Strategy<Value = Q931Verb> {
    use Q931Verb as Q;
    prop_oneof![
        of(&[Q::RequestDigits, Q::Proceed, Q::InquireStatus]),
        any::<u8>().prop_map(Q::Progress),
        any::<u8>().prop_map(Q::Notify),
    ]
}

fn completion() -> impl Strategy<Value = CompletionMode> {
    use CompletionMode as C;
    prop_oneof![of(&[C::CampOn, C::CallBack, C::Intrude]), any::<u32>().prop_map(C::Message)]
}

fn handoff() -> impl Strategy<Value = HandoffTarget> {
    prop_oneof![text().prop_map(HandoffTarget::Application), media().prop_map(HandoffTarget::Media)]
}

fn caps() -> impl Strategy<Value = LineDevCaps> {
    let flags = any::<(bool, bool, bool, bool)>();
    let rest = (any::<(u32, u32, u32)>(), tracking(), option::of(text()));
    (device(), text(), text(), media(), flags, rest).prop_map(
        |(
            device,
            provider,
            line_name,
            media,
            flags,
            ((active, features, conference), hub_tracking, machine),
        )| {
            let (phone_number, ip_address, domain_name, has_msp) = flags;
            LineDevCaps {
                device,
                provider,
                line_name,
                media,
                address_types: AddressTypes { phone_number, ip_address, domain_name },
                has_msp,
                max_active_calls: active,
                features: CallFeatures::from_bits(features),
                hub_tracking,
                max_conference: conference,
                machine,
            }
        },
    )
}

fn member() -> impl Strategy<Value = HubMember> {
    (hub_call(), device(), option::of(call()), option::of(state()), info())
        .prop_map(|(id, device, call, state, info)| HubMember { id, device, call, state, info })
}

fn snapshot() -> impl Strategy<Value = HubSnapshot> {
    (hub(), text(), any::<u32>(), vec(member(), 0..3))
        .prop_map(|(hub, provider, call_id, members)| HubSnapshot { hub, provider, call_id, members })
}

fn hub_record() -> impl Strategy<Value = HubRecord> {
    let event = prop_oneof![
        (text(), any::<u32>()).prop_map(|(provider, call_id)| HubEvent::New { provider, call_id }),
        member().prop_map(|member| HubEvent::Join { member: Box::new(member) }),
        (hub_call(), state()).prop_map(|(call, state)| HubEvent::State { call, state }),
        (hub_call(), info()).prop_map(|(call, info)| HubEvent::Info { call, info: Box::new(info) }),
        (hub_call(), option::of(call())).prop_map(|(call, handle)| HubEvent::Held { call, handle }),
        hub_call().prop_map(|call| HubEvent::Leave { call }),
        Just(HubEvent::Idle),
    ];
    (at(), hub(), event).prop_map(|(at, hub, event)| HubRecord { at, hub, event })
}

fn phone_caps() -> impl Strategy<Value = PhoneCaps> {
    (any::<u32>(), text(), text(), vec(hook(), 0..4), any::<[u32; 5]>()).prop_map(
        |(phone, provider, name, hook_switches, [buttons, lamps, ring_modes, rows, columns])| PhoneCaps {
            phone: PhoneId(phone),
            provider,
            name,
            hook_switches,
            buttons,
            lamps,
            ring_modes,
            display_rows: rows,
            display_columns: columns,
        },
    )
}

fn phone_status() -> impl Strategy<Value = PhoneStatus> {
    let hooks = vec((hook(), mode(), any::<u16>(), any::<u16>()), 0..4);
    (hooks, vec(lamp(), 0..4), any::<u32>(), any::<u16>(), vec(text(), 0..3)).prop_map(
        |(hook_switches, lamps, ring_mode, ring_volume, display)| PhoneStatus {
            hook_switches,
            lamps,
            ring_mode,
            ring_volume,
            display,
        },
    )
}

fn reply() -> impl Strategy<Value = AppReply> {
    use AppReply as R;
    prop_oneof![
        Just(R::Done),
        vec(caps(), 0..3).prop_map(R::Lines),
        line().prop_map(R::Line),
        call().prop_map(R::Call),
        info().prop_map(|info| R::CallInfo(Box::new(info))),
        any::<u32>().prop_map(|v| R::ApiVersion(ApiVersion(v))),
        (call(), call()).prop_map(|(conference, consult)| R::Conference { conference, consult }),
        text().prop_map(R::Address),
        any::<u32>().prop_map(R::CompletionId),
        vec(snapshot(), 0..2).prop_map(R::Hubs),
        snapshot().prop_map(|hub| R::Hub(Box::new(hub))),
        (any::<[u8; 16]>(), ext()).prop_map(|(id, version)| R::Extension { id: ExtensionId(id), version }),
        opaque().prop_map(R::DevSpecific),
        vec(phone_caps(), 0..3).prop_map(R::Phones),
        phone().prop_map(R::Phone),
        phone_status().prop_map(|status| R::PhoneStatus(Box::new(status))),
    ]
}

fn event() -> impl Strategy<Value = AppEvent> {
    use AppEvent as E;
    use CallInfoChange as C;
    let change = of(&[
        C::CallId,
        C::CallerId,
        C::CalledId,
        C::ConnectedId,
        C::RedirectingId,
        C::RedirectionId,
        C::UserUserInfo,
        C::RelatedCallId,
        C::Media,
        C::Holders,
        C::Other,
    ]);
    let result = prop_oneof![reply().prop_map(Ok), error().prop_map(Err)];
    let service = prop_oneof![
        text().prop_map(|with| LineDevState::InService { with }),
        text().prop_map(|why| LineDevState::OutOfService { why }),
    ];
    let of_phone = prop_oneof![
        setting().prop_map(PhoneEvent::Changed),
        any::<(u32, bool)>().prop_map(|(button, down)| PhoneEvent::Button { button, down }),
        opaque().prop_map(PhoneEvent::DevSpecific),
    ];
    let held = option::of(any::<u64>().prop_map(Duration::from_nanos));
    prop_oneof![
        (any::<u32>(), result).prop_map(|(request, result)| E::Reply { request: RequestId(request), result }),
        (line(), call(), privilege(), info()).prop_map(|(line, call, privilege, info)| E::NewCall {
            line,
            call,
            privilege,
            info: Box::new(info)
        }),
        (call(), state(), at()).prop_map(|(call, state, at)| E::CallState { call, state, at }),
        (call(), change, info()).prop_map(|(call, change, info)| E::CallInfo {
            call,
            change,
            info: Box::new(info)
        }),
        (call(), any::<char>(), digit_mode(), held).prop_map(|(call, digit, mode, duration)| E::Digit {
            call,
            digit,
            mode,
            duration
        }),
        (line(), option::of(call()), opaque()).prop_map(|(line, call, data)| E::MspData { line, call, data }),
        (call(), privilege()).prop_map(|(call, privilege)| E::CallPrivilege { call, privilege }),
        hub_record().prop_map(E::Hub),
        (line(), option::of(call()), opaque()).prop_map(|(line, call, data)| E::DevSpecific {
            line,
            call,
            data
        }),
        (phone(), of_phone).prop_map(|(phone, event)| E::Phone { phone, event }),
        (phone(), error()).prop_map(|(phone, why)| E::PhoneClosed { phone, why }),
        (line(), service).prop_map(|(line, state)| E::LineDevState { line, state }),
        (line(), error()).prop_map(|(line, why)| E::LineClosed { line, why }),
    ]
}

proptest! {
    #[test]
    fn every_request_arrives_as_it_was_said(request in request(), id in any::<u32>()) {
        let frame = p::Request { id, what: request.clone().say() };
        let read = p::Request::decode(frame.encode_to_vec().as_slice())?;
        prop_assert_eq!(read.id, id);
        prop_assert_eq!(AppRequest::read(read.what)?, request);
    }

    #[test]
    fn every_event_arrives_as_it_was_said(event in event()) {
        let octets = event.clone().say().encode_to_vec();
        prop_assert_eq!(AppEvent::read(p::Event::decode(octets.as_slice())?)?, event);
    }

    #[test]
    fn octets_that_are_no_frame_are_refused_and_nothing_worse(octets in vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = p::Request::decode(octets.as_slice()) {
            let _ = AppRequest::read(frame.what);
        }
        if let Ok(frame) = p::Event::decode(octets.as_slice()) {
            let _ = AppEvent::read(frame);
        }
    }

    #[test]
    fn a_frame_with_one_octet_changed_is_read_or_refused(request in request(), at in any::<usize>(), with in any::<u8>()) {
        let mut octets = p::Request { id: 1, what: request.say() }.encode_to_vec();
        let at = at % octets.len();
        octets[at] ^= with;
        if let Ok(frame) = p::Request::decode(octets.as_slice()) {
            let _ = AppRequest::read(frame.what);
        }
    }
}

#[test]
fn what_a_newer_peer_says_is_refused_in_words() {
    assert_eq!(
        AppRequest::read(None).map_err(|why| why.to_string()),
        Err("the request is missing or not known here".to_owned())
    );
    let what = p::request::What::OpenLine(p::OpenLine { device: 0, privilege: 99, media: 1 });
    assert_eq!(
        AppRequest::read(Some(what)).map_err(|why| why.to_string()),
        Err("a Privilege that is not known here".to_owned())
    );
    let what =
        p::request::What::MspData(p::MspData { line: 1, call: None, data: vec![0; Opaque::MAX + 1].into() });
    assert_eq!(
        AppRequest::read(Some(what)).map_err(|why| why.to_string()),
        Err("an opaque buffer of more than 65536 octets".to_owned())
    );
    let q931 = p::Q931 { call: 1, what: Some(p::q931::What::Progress(256)) };
    assert_eq!(
        AppRequest::read(Some(p::request::What::Q931(q931))).map_err(|why| why.to_string()),
        Err("a progress description is out of range: 256".to_owned())
    );
    let error = p::LineError { code: 77, text: "too new".to_owned() };
    assert_eq!(LineError::read(error), Ok(LineError::OperationFailed("error 77: too new".to_owned())));
}

#[test]
fn a_reply_that_cannot_be_read_is_still_the_answer_to_its_request() {
    let message = p::Event { what: Some(p::event::What::Reply(p::Reply { request: 7, result: None })) };
    let read = AppEvent::read(message);
    let why = "the broker's reply cannot be read: the reply is missing or not known here";
    assert_eq!(read, Ok(AppEvent::Reply { request: RequestId(7), result: Err(LineError::failed(why)) }));
}
