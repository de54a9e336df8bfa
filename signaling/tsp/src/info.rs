//! A call's [`CallInfo`], filled from what signalling said.
//!
//! In: the call machine's Setup, Connect and release. Out: what applications read.

use std::fmt::Write;

use offhook_h323::{
    Alias, ConferenceGoal, ConnectInfo, Number, PeerInfo, Redirecting, Screening, SetupInfo, UserUser,
};
use offhook_spi::{
    CallInfo, CallOrigin, CallParams, CallReason, ConferenceGoal as Wish, LineError, MediaTypes, Party,
};

/// An outgoing call before anything is known of the far end.
pub(crate) fn outgoing(params: &CallParams, goal: ConferenceGoal, local_name: &str) -> CallInfo {
    let mut info = CallInfo {
        caller: Party { address: local_name.to_owned(), name: params.display.clone() },
        called: Party { address: params.destination.clone(), name: None },
        ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, params.media)
    };
    set_goal(&mut info, goal);
    info
}

/// What a call is to do to its conference.
pub(crate) fn goal(params: &CallParams) -> Result<ConferenceGoal, LineError> {
    let goal = match (params.conference_goal, params.conference) {
        (Some(Wish::Create), _) | (None, None) => ConferenceGoal::Create,
        (Some(Wish::Join) | None, Some(_)) => ConferenceGoal::Join,
        (Some(Wish::Invite), Some(_)) => ConferenceGoal::Invite,
        (Some(Wish::Join | Wish::Invite), None) => {
            let why = "a call that joins a conference or invites to one has to say which: its conferenceID";
            return Err(LineError::InvalParam(why.to_owned()));
        }
    };
    Ok(goal)
}

fn set_goal(info: &mut CallInfo, goal: ConferenceGoal) {
    let goal = match goal {
        ConferenceGoal::Create => "create",
        ConferenceGoal::Join => "join",
        ConferenceGoal::Invite => "invite",
    };
    set_id(info, "conferenceGoal", goal);
}

/// An incoming call; `from` is the peer's transport address, used where it gave no name.
pub(crate) fn incoming(setup: &SetupInfo, from: &str) -> CallInfo {
    let reason = match &setup.redirecting {
        None => CallReason::Direct,
        Some(Redirecting { reason: Some(Redirecting::BUSY), .. }) => CallReason::ForwardedBusy,
        Some(Redirecting { reason: Some(Redirecting::NO_REPLY), .. }) => CallReason::ForwardedNoAnswer,
        Some(Redirecting { reason: Some(Redirecting::UNCONDITIONAL), .. }) => CallReason::ForwardedAlways,
        Some(_) => CallReason::Forwarded,
    };
    let mut info = CallInfo::new(CallOrigin::Inbound, reason, MediaTypes::AUDIO);
    info.called.address =
        setup.called_number.as_ref().map(digits).or_else(|| first(&setup.called_aliases)).unwrap_or_default();
    if setup.caller_presentable {
        let caller = setup.caller_number.as_ref().map(digits).or_else(|| first(&setup.caller_aliases));
        let address = caller.unwrap_or_else(|| from.to_owned());
        info.caller = Party { address, name: setup.display.clone() };
    } else {
        set_id(&mut info, "callerId", "withheld");
    }
    if let Some(number) = setup.caller_number.as_ref().filter(|_| setup.caller_presentable) {
        set_id(&mut info, "callerScreening", screening(number.screening));
    }
    info.redirecting = setup.redirecting.as_ref().map(|redirecting| party(&redirecting.number));
    info.user_user = setup.user_user.as_ref().map(user_user);
    identify(&mut info, &setup.call_identifier, &setup.conference_id, setup.call_reference);
    set_goal(&mut info, setup.goal);
    set_id(&mut info, "peer", from);
    set_product(&mut info, &setup.peer);
    info
}

fn first(aliases: &[Alias]) -> Option<String> {
    aliases.first().map(ToString::to_string)
}

fn digits(number: &Number) -> String {
    number.digits.clone()
}

/// A number's owner, as far as he may be shown.
fn party(number: &Number) -> Party {
    if number.is_presentable() {
        Party { address: number.digits.clone(), name: None }
    } else {
        Party::default()
    }
}

fn screening(screening: Screening) -> &'static str {
    match screening {
        Screening::UserProvidedNotScreened => "not screened",
        Screening::UserProvidedPassed => "verified and passed",
        Screening::UserProvidedFailed => "verified and failed",
        Screening::NetworkProvided => "network provided",
    }
}

/// User-user information as TAPI has it: the protocol discriminator first.
pub(crate) fn user_user(data: &UserUser) -> Vec<u8> {
    let mut octets = vec![data.protocol_discriminator];
    octets.extend_from_slice(data.information());
    octets
}

/// User-user information as applications give it.
pub(crate) fn user_user_from(octets: &[u8]) -> Result<UserUser, LineError> {
    let data = octets.split_first().and_then(|(first, rest)| UserUser::new(*first, rest.to_vec()));
    data.ok_or_else(|| {
        let length = octets.len();
        LineError::InvalParam(format!(
            "{length} octets of user-user information: a protocol discriminator and 1 to 131 octets are possible"
        ))
    })
}

/// Notes H.225.0's own names for the call.
pub(crate) fn identify(
    info: &mut CallInfo,
    call_identifier: &[u8; 16],
    conference_id: &[u8; 16],
    call_reference: u16,
) {
    set_id(info, "CRV", &call_reference.to_string());
    set_id(info, "callIdentifier", &guid(call_identifier));
    set_id(info, "conferenceID", &guid(conference_id));
}

/// Notes who answered.
pub(crate) fn connected(info: &mut CallInfo, connect: &ConnectInfo) {
    let alias = connect.connected_aliases.first().map(ToString::to_string);
    let number = connect.connected_number.as_ref();
    // Whoever withholds his number is not to be known by his other names either.
    let withheld = number.is_some_and(|number| !number.is_presentable());
    let address = number.map(digits).or(alias).filter(|_| !withheld);
    if address.is_some() || connect.display.is_some() {
        let address = address.unwrap_or_else(|| info.called.address.clone());
        info.connected = Some(Party { address, name: connect.display.clone() });
    }
    set_id(info, "fastStart", if connect.fast_start { "accepted" } else { "no" });
    set_id(info, "h245Tunnelling", if connect.tunnelling { "yes" } else { "no" });
    set_product(info, &connect.peer);
}

/// Sets a provider's name for the call, replacing an earlier one.
pub(crate) fn set_id(info: &mut CallInfo, key: &str, value: &str) {
    match info.provider_ids.iter_mut().find(|(k, _)| k == key) {
        Some((_, old)) => value.clone_into(old),
        None => info.provider_ids.push((key.to_owned(), value.to_owned())),
    }
}

fn set_product(info: &mut CallInfo, peer: &PeerInfo) {
    if let Some(product) = &peer.product {
        let version = peer.version.as_deref().unwrap_or_default();
        set_id(info, "product", format!("{product} {version}").trim());
    }
}

fn guid(octets: &[u8; 16]) -> String {
    octets.iter().fold(String::with_capacity(32), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
