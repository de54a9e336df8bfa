//! A call's [`CallInfo`], filled from what signalling said.
//!
//! In: the call machine's Setup, Connect and release. Out: what applications read.

use std::fmt::Write;

use offhook_h323::{Alias, ConnectInfo, PeerInfo, SetupInfo};
use offhook_spi::{CallInfo, CallOrigin, CallParams, CallReason, MediaTypes, Party};

/// An outgoing call before anything is known of the far end.
pub(crate) fn outgoing(params: &CallParams, local_name: &str) -> CallInfo {
    CallInfo {
        call_id: 0,
        related_call_id: 0,
        origin: CallOrigin::Outbound,
        reason: CallReason::Direct,
        media: params.media,
        caller: Party { address: local_name.to_owned(), name: params.display.clone() },
        called: Party { address: params.destination.clone(), name: None },
        connected: None,
        provider_ids: Vec::new(),
    }
}

/// An incoming call; `from` is the peer's transport address, used where it gave no name.
pub(crate) fn incoming(setup: &SetupInfo, from: &str) -> CallInfo {
    let first = |aliases: &[Alias]| aliases.first().map(ToString::to_string);
    let caller =
        setup.caller_number.as_ref().map(|n| n.digits.clone()).or_else(|| first(&setup.caller_aliases));
    let called =
        setup.called_number.as_ref().map(|n| n.digits.clone()).or_else(|| first(&setup.called_aliases));
    let mut info = CallInfo {
        call_id: 0,
        related_call_id: 0,
        origin: CallOrigin::Inbound,
        reason: if setup.redirecting.is_some() { CallReason::Forwarded } else { CallReason::Direct },
        media: MediaTypes::AUDIO,
        caller: Party { address: caller.unwrap_or_else(|| from.to_owned()), name: setup.display.clone() },
        called: Party { address: called.unwrap_or_default(), name: None },
        connected: None,
        provider_ids: Vec::new(),
    };
    identify(&mut info, &setup.call_identifier, &setup.conference_id);
    set_id(&mut info, "peer", from);
    set_product(&mut info, &setup.peer);
    info
}

/// Notes H.225.0's own names for the call.
pub(crate) fn identify(info: &mut CallInfo, call_identifier: &[u8; 16], conference_id: &[u8; 16]) {
    set_id(info, "callIdentifier", &guid(call_identifier));
    set_id(info, "conferenceID", &guid(conference_id));
}

/// Notes who answered.
pub(crate) fn connected(info: &mut CallInfo, connect: &ConnectInfo) {
    let alias = connect.connected_aliases.first().map(ToString::to_string);
    let address = connect.connected_number.as_ref().map(|n| n.digits.clone()).or(alias);
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
