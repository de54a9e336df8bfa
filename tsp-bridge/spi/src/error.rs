//! What can go wrong between the rooms, in TAPI's words.
//!
//! [`LineError`] is LINEERR_*, what a provider or the broker answers; [`MspError`] is TAPI_E_*, what an MSP answers.

use serde::{Deserialize, Serialize};

/// Why a line or call request failed. Alias `LINEERR_*`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LineError {
    /// The device number names no line.
    #[error("no such line device")]
    BadDeviceId,
    /// The handle names no open line.
    #[error("no such line")]
    InvalLineHandle,
    /// The handle names no call, or the call is not valid (any more, or yet).
    #[error("no such call")]
    InvalCallHandle,
    /// The call's state does not allow the request.
    #[error("the call's state does not allow this")]
    InvalCallState,
    /// The destination cannot be understood.
    #[error("invalid address: {0}")]
    InvalAddress(String),
    /// A parameter is out of range.
    #[error("invalid parameter: {0}")]
    InvalParam(String),
    /// The media type is not one that the line supports.
    #[error("media type not supported by this line")]
    InvalMediaMode,
    /// The application only monitors the call.
    #[error("owner privilege needed")]
    NotOwner,
    /// No common version.
    #[error("incompatible interface version")]
    IncompatibleApiVersion,
    /// The extension is not there in this version, or no version of it was selected.
    /// Alias `LINEERR_INCOMPATIBLEEXTVERSION`.
    #[error("no version of the device's extension is selected, or not this one")]
    IncompatibleExtVersion,
    /// The handle names no open phone. Alias `PHONEERR_INVALPHONEHANDLE`.
    #[error("no such phone")]
    InvalPhoneHandle,
    /// The handle names no call hub (any more).
    #[error("no such call hub")]
    InvalHubHandle,
    /// The call is in no hub yet: the provider has not said which. Alias `E_PENDING`.
    #[error("the call is in no hub yet")]
    Pending,
    /// The call cannot be joined to the conference, or transferred to that call.
    /// Alias `LINEERR_INVALCONFCALLHANDLE`, `LINEERR_INVALCONSULTCALLHANDLE`.
    #[error("that call does not belong to this conference or consultation")]
    InvalRelatedCall,
    /// Nobody to hand the call to. Alias `LINEERR_TARGETNOTFOUND`.
    #[error("no application to hand the call to")]
    TargetNotFound,
    /// The application would hand the call to itself. Alias `LINEERR_TARGETSELF`.
    #[error("the call is handed to the application that hands it on")]
    TargetSelf,
    /// The provider does not have this function at all.
    #[error("operation unavailable")]
    OperationUnavail,
    /// The provider has the function and it failed.
    #[error("operation failed: {0}")]
    OperationFailed(String),
    /// No room: too many calls, no ports left, a full queue.
    #[error("resource unavailable: {0}")]
    ResourceUnavail(String),
    /// An opaque buffer is larger than [`crate::Opaque::MAX`].
    #[error("opaque buffer too large")]
    StructureTooLarge,
    /// The provider, the line or the broker is gone.
    #[error("the provider is gone")]
    NoDriver,
}

impl LineError {
    /// An [`OperationFailed`](Self::OperationFailed) that says why.
    pub fn failed(why: impl ToString) -> Self {
        Self::OperationFailed(why.to_string())
    }
}

/// Why an MSP refused. Alias `TAPI_E_*`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MspError {
    /// The media type cannot be streamed here. Alias `TAPI_E_INVALIDMEDIATYPE`.
    #[error("media type not supported")]
    InvalidMediaType,
    /// No such MSP call: never made, or shut down.
    #[error("no such MSP call")]
    NoSuchCall,
    /// No such stream. Alias `TAPI_E_INVALIDSTREAM`.
    #[error("no such stream")]
    InvalidStream,
    /// No such terminal, or it does not fit the stream. Alias `TAPI_E_INVALIDTERMINAL`.
    #[error("invalid terminal: {0}")]
    InvalidTerminal(String),
    /// The terminal is selected on another stream. Alias `TAPI_E_TERMINALINUSE`.
    #[error("terminal in use on another stream")]
    TerminalInUse,
    /// The stream takes no further terminal. Alias `TAPI_E_MAXTERMINALS`.
    #[error("stream holds its maximum number of terminals")]
    MaxTerminals,
    /// Start without any terminal. Alias `TAPI_E_NOTERMINALSELECTED`.
    #[error("no terminal selected on the stream")]
    NoTerminalSelected,
    /// Start of a stream that nobody stopped. Alias `TAPI_E_NOTSTOPPED`.
    #[error("stream is not stopped")]
    NotStopped,
    /// An opaque buffer that the MSP cannot read. Alias `E_INVALIDARG`.
    #[error("unreadable opaque buffer: {0}")]
    InvalidBuffer(String),
    /// A value is out of its range; the text says which range. Alias `E_INVALIDARG`.
    #[error("{0}")]
    OutOfRange(String),
    /// A file, port or device could not be had; the text says which and what to do.
    #[error("{0}")]
    Resource(String),
}
