//! A routed Setup on its way to the called endpoint.
//! In: a Setup's octets, where it goes and whom it asks for. Out: the Setup that says so (H.323 8.1.4).
//! Not here: the decision (`admission`), connections (the driver).

use std::net::SocketAddr;

use bytes::Bytes;
use offhook_wire::h225::H323UuPduH323MessageBody as Body;
use offhook_wire::h225_message::{CallSignal, CallSignalEncodeError, CallSignalError};
use offhook_wire::q931::{CalledPartyNumber, Element};
use thiserror::Error;

use crate::Alias;
use crate::address::{aliases_to, to_h225};

/// Why a message cannot be passed on as a Setup.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RerouteError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] CallSignalError),
    /// It is another message.
    #[error("not a Setup")]
    NotSetup,
    /// What came of it cannot be written.
    #[error(transparent)]
    Encode(#[from] CallSignalEncodeError),
}

/// `payload`, the contents of a TPKT with a Setup, with `address` as destCallSignalAddress and `destination` as
/// destinationAddress and Called party number; an empty destination leaves those as they are.
///
/// # Errors
///
/// [`RerouteError`]; nothing of `payload` is lost.
pub fn reroute(payload: &Bytes, address: SocketAddr, destination: &[Alias]) -> Result<Bytes, RerouteError> {
    let mut signal = CallSignal::decode(payload)?;
    let body = signal.uuie.as_mut().map(|uuie| &mut uuie.h323_uu_pdu.h323_message_body);
    let Some(Body::Setup(setup)) = body else { return Err(RerouteError::NotSetup) };
    setup.dest_call_signal_address = Some(to_h225(address));
    if let Some(aliases) = aliases_to(destination) {
        setup.destination_address = Some(aliases);
    }
    let digits = destination.iter().find_map(|alias| match alias {
        Alias::DialedDigits(digits) => Some(digits.clone()),
        _ => None,
    });
    if let Some(digits) = digits {
        signal.q931.elements.retain(|element| element.id() != CalledPartyNumber::ID);
        signal.q931.insert(CalledPartyNumber::new(digits).to_element());
    }
    Ok(signal.encode()?)
}
