//! What can go wrong for an application, in TAPI's words.
//!
//! In: [`LineError`]s of the broker, [`MspError`]s of the MSP. Out: [`TapiError`].

use offhook_spi::{LineError, MspError};

use crate::DisconnectCause;

/// Why an operation on an object of this crate failed. Alias `HRESULT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TapiError {
    /// The call's state does not allow it. Alias `TAPI_E_INVALCALLSTATE`.
    #[doc(alias = "TAPI_E_INVALCALLSTATE")]
    #[error("the call's state does not allow this")]
    InvalidCallState,
    /// Answer of a call that is not offered. Alias `E_UNEXPECTED`.
    #[doc(alias = "E_UNEXPECTED")]
    #[error("unexpected: the call is not being offered")]
    Unexpected,
    /// Two minutes passed. The call goes on as it is: wait for its events, disconnect it or release it.
    #[doc(alias = "TAPI_E_TIMEOUT")]
    #[error("timed out after two minutes")]
    Timeout,
    /// The call is in no hub yet: its provider has not said which. Alias `E_PENDING`.
    #[doc(alias = "E_PENDING")]
    #[error("the call is in no hub yet")]
    Pending,
    /// The application only monitors the call.
    #[doc(alias = "TAPI_E_NOTOWNER")]
    #[error("owner privilege needed")]
    NotOwner,
    /// The call ended before it was connected.
    #[error("the call ended: {0}")]
    Disconnected(DisconnectCause),
    /// The address has no MSP, or the application brought none, or it only monitors the call: there are no streams
    /// and terminals.
    #[error("no media service provider on this address: no streams, no terminals")]
    NoStreamControl,
    /// The address was not opened (or was closed again).
    #[error("the address is not open")]
    NotOpen,
    /// The address is open for arriving calls already; close it first.
    #[error("the address is open already")]
    AlreadyOpen,
    /// The object was released.
    #[error("released")]
    Released,
    /// The broker is gone.
    #[error("the broker is gone")]
    BrokerGone,
    /// The operating system refused something; the text says what.
    #[error("{0}")]
    Resource(String),
    /// Any other answer of the line's provider or the broker.
    #[error(transparent)]
    Line(LineError),
    /// The MSP's answer.
    #[error(transparent)]
    Msp(#[from] MspError),
}

impl From<LineError> for TapiError {
    fn from(error: LineError) -> Self {
        match error {
            LineError::InvalCallState => Self::InvalidCallState,
            LineError::NotOwner => Self::NotOwner,
            LineError::Pending => Self::Pending,
            other => Self::Line(other),
        }
    }
}
