//! TSPI: how the broker drives a telephony service provider, and what the provider tells it.
//!
//! In: requests of the broker. Out: [`TspEvents`] of the provider.
//! Rules that every provider honours and the broker's tests hold it to:
//!
//! - A request that returns `Ok` completes by exactly one [`TspEvents::async_completion`]; one that returns `Err`
//!   by none. The completion may come before the request returns.
//! - A call made by [`Tspi::line_make_call`] is not valid, and no event may name it, before its completion reported
//!   success. The completion comes no later than PROCEEDING.
//! - A call announced by [`TspEvents::new_call`] is not valid before that returned `Some`; its next event is a
//!   [`TspEvents::call_state`].
//! - After [`Tspi::line_drop`] the provider reports `Idle`, unless [`Tspi::line_close_call`] comes first. After that
//!   it never names the call again.
//! - The provider opens the exchange of opaque buffers on a call; a buffer that arrives for a call it does not know
//!   is an error to the sender and is not queued.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    ApiVersion, CallInfo, CallInfoChange, CallParams, DevSpecific, DigitMode, DisconnectMode, HdCall, HdLine,
    HdMspLine, HtCall, HtLine, HtMspLine, LineCallState, LineDevCaps, LineDevState, LineError, MediaTypes,
    Opaque, RequestId, Timestamp,
};

/// A telephony service provider. Every method returns at once: long work is completed by event.
pub trait Tspi: Send + Sync {
    /// Picks the interface version to use on `device` (the provider's own numbering, from 0).
    /// Alias `TSPI_lineNegotiateTSPIVersion`.
    fn line_negotiate_version(
        &self,
        device: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError>;

    /// Starts the provider; `events` is where it reports from now on. Alias `TSPI_providerInit`.
    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError>;

    /// Ends it: every call is released on the wire before this returns or shortly after.
    /// Alias `TSPI_providerShutdown`.
    fn provider_shutdown(&self);

    /// How many line devices it has.
    fn line_devices(&self) -> u32;

    /// What `device` can do. Alias `TSPI_lineGetDevCaps`.
    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError>;

    /// Opens `device`. Alias `TSPI_lineOpen`.
    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError>;

    /// Closes a line; its calls are released. Alias `TSPI_lineClose`.
    fn line_close(&self, line: HdLine) -> Result<(), LineError>;

    /// The media of arriving calls that somebody wants; calls outside it are refused, not announced. A provider that
    /// begins to listen here and cannot answers with an error: it reaches the client that opens the line.
    /// Alias `TSPI_lineSetDefaultMediaDetection`.
    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError>;

    /// Places a call; asynchronous. Alias `TSPI_lineMakeCall`.
    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError>;

    /// Accepts an offered call without answering it (it alerts); asynchronous. Alias `TSPI_lineAccept`.
    fn line_accept(&self, request: RequestId, call: HdCall) -> Result<(), LineError>;

    /// Answers an offered or accepted call; asynchronous, complete when the call is connected.
    /// Alias `TSPI_lineAnswer`.
    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError>;

    /// Drops the call in any state but idle; on an offered call it rejects, with `mode` telling the far end why;
    /// asynchronous. Alias `TSPI_lineDrop`.
    fn line_drop(&self, request: RequestId, call: HdCall, mode: DisconnectMode) -> Result<(), LineError>;

    /// Forgets the call; its outstanding requests complete with `OperationFailed`. Alias `TSPI_lineCloseCall`.
    fn line_close_call(&self, call: HdCall) -> Result<(), LineError>;

    /// What is known of the call. Alias `TSPI_lineGetCallInfo`.
    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError>;

    /// Sends digits to the far end; asynchronous. Alias `TSPI_lineGenerateDigits`.
    fn line_generate_digits(
        &self,
        request: RequestId,
        call: HdCall,
        mode: DigitMode,
        digits: &str,
    ) -> Result<(), LineError>;

    /// More digits of an address that [`CallParams::partial`] began, `complete` with the last; asynchronous.
    /// Alias `TSPI_lineDial`.
    fn line_dial(
        &self,
        request: RequestId,
        call: HdCall,
        digits: &str,
        complete: bool,
    ) -> Result<(), LineError> {
        let _ = (request, call, digits, complete);
        Err(LineError::OperationUnavail)
    }

    /// Sends an offered or accepted call elsewhere; asynchronous. Alias `TSPI_lineRedirect`.
    fn line_redirect(&self, request: RequestId, call: HdCall, destination: &str) -> Result<(), LineError> {
        let _ = (request, call, destination);
        Err(LineError::OperationUnavail)
    }

    /// Sends user-user information, the protocol discriminator first; asynchronous.
    /// Alias `TSPI_lineSendUserUserInfo`.
    fn line_send_user_user_info(
        &self,
        request: RequestId,
        call: HdCall,
        data: &[u8],
    ) -> Result<(), LineError> {
        let _ = (request, call, data);
        Err(LineError::OperationUnavail)
    }

    /// What only some providers can do; asynchronous. Alias `TSPI_lineDevSpecific`.
    fn line_dev_specific(
        &self,
        request: RequestId,
        call: HdCall,
        what: DevSpecific,
    ) -> Result<(), LineError> {
        let _ = (request, call, what);
        Err(LineError::OperationUnavail)
    }

    /// An application's MSP now stands behind `line`. Alias `TSPI_lineCreateMSPInstance`.
    /// [`LineError::OperationUnavail`] unless the line has an MSP.
    fn line_create_msp_instance(
        &self,
        line: HdLine,
        address: u32,
        msp: HtMspLine,
    ) -> Result<HdMspLine, LineError>;

    /// That MSP is gone. Alias `TSPI_lineCloseMSPInstance`.
    fn line_close_msp_instance(&self, msp: HdMspLine) -> Result<(), LineError>;

    /// An opaque buffer from an MSP: call-level with a call, address-level without.
    /// Alias `TSPI_lineReceiveMSPData`.
    fn line_receive_msp_data(
        &self,
        line: HdLine,
        call: Option<HdCall>,
        msp: HdMspLine,
        data: Opaque,
    ) -> Result<(), LineError>;
}

/// What a provider reports; the broker implements it. Callable from any thread; returns at once.
///
/// From inside [`call_state`](Self::call_state) and [`call_info`](Self::call_info) the broker may ask
/// [`Tspi::line_call_info`], and a client that acts on what it is told may come back with any request: report without
/// holding a lock that those need.
pub trait TspEvents: Send + Sync {
    /// The one completion of an asynchronous request. Alias `ASYNC_COMPLETION`.
    fn async_completion(&self, request: RequestId, result: Result<(), LineError>);

    /// A call that the broker does not know yet. `None` is back-pressure: drop it, or announce it again later.
    /// Alias `LINE_NEWCALL`.
    fn new_call(&self, line: HtLine, call: HdCall) -> Option<HtCall>;

    /// A call's state, with the moment that caused it. Alias `LINE_CALLSTATE`.
    fn call_state(&self, line: HtLine, call: HtCall, state: LineCallState, at: Timestamp);

    /// Something in the call's [`CallInfo`] changed. Alias `LINE_CALLINFO`.
    fn call_info(&self, line: HtLine, call: HtCall, change: CallInfoChange);

    /// The far end sent a digit: by which way, and how long the key was held, where that is known. Alias
    /// `LINE_MONITORDIGITS`.
    fn digit(&self, line: HtLine, call: HtCall, digit: char, mode: DigitMode, duration: Option<Duration>);

    /// An opaque buffer for one MSP instance, or for all of the line with `msp` none; call-level with a call,
    /// address-level without. Alias `LINE_SENDMSPDATA`.
    fn send_msp_data(
        &self,
        line: HtLine,
        call: Option<HtCall>,
        msp: Option<HtMspLine>,
        data: Opaque,
    ) -> Result<(), LineError>;

    /// A line has come into service or fallen out of it. Alias `LINE_LINEDEVSTATE`.
    fn line_dev_state(&self, line: HtLine, state: LineDevState);

    /// The line has gone (its listener failed, the device was pulled). Alias `LINE_CLOSE`.
    fn line_closed(&self, line: HtLine, why: LineError);
}
