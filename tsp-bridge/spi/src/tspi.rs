//! TSPI: how the broker drives a telephony service provider, and what the provider tells it.
//!
//! In: requests of the broker. Out: [`TspEvents`] of the provider.
//! Rules that every provider honours and the broker's tests hold it to:
//!
//! - A request that returns `Ok` completes by exactly one [`TspEvents::async_completion`]; one that returns `Err`
//!   by none. The completion may come before the request returns.
//! - A call made by [`Tspi::line_make_call`], by a consultation, a conference, a pickup or an unpark is not valid, and
//!   no event may name it, before the request's completion reported success. MakeCall's comes no later than PROCEEDING.
//! - A verb that the device's capabilities ([`LineDevCaps::features`]) do not name answers
//!   [`LineError::OperationUnavail`]; the default of every optional verb is that.
//! - A call announced by [`TspEvents::new_call`] is not valid before that returned `Some`; its next event is a
//!   [`TspEvents::call_state`].
//! - After [`Tspi::line_drop`] the provider reports `Idle`, unless [`Tspi::line_close_call`] comes first. After that
//!   it never names the call again.
//! - A call that takes over from another (transfer, diversion, pickup) is announced before the other ends, and has its
//!   [`CallInfo::call_id`] from its first state on: so their hub goes on. No id is used again while its hub is there.
//! - The provider opens the exchange of opaque buffers on a call; a buffer that arrives for a call it does not know
//!   is an error to the sender and is not queued.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    ApiVersion, CallInfo, CallInfoChange, CallParams, Completion, CompletionMode, DigitMode, DisconnectMode,
    ExtensionId, ExtensionVersion, Forward, HdCall, HdLine, HdMspLine, HdPhone, HtCall, HtLine, HtMspLine,
    HtPhone, HubTracking, LineCallState, LineDevCaps, LineDevState, LineError, MediaTypes, Opaque, ParkMode,
    PhoneCaps, PhoneEvent, PhoneSetting, PhoneStatus, Q931Verb, RequestId, Timestamp, TransferMode,
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

    /// A procedure of Q.931 that TAPI has no verb for; asynchronous.
    fn line_q931(&self, request: RequestId, call: HdCall, what: Q931Verb) -> Result<(), LineError> {
        let _ = (request, call, what);
        Err(LineError::OperationUnavail)
    }

    /// Puts a connected call on hold; asynchronous. Alias `TSPI_lineHold`.
    fn line_hold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        let _ = (request, call);
        Err(LineError::OperationUnavail)
    }

    /// Takes it back; asynchronous. Alias `TSPI_lineUnhold`.
    fn line_unhold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        let _ = (request, call);
        Err(LineError::OperationUnavail)
    }

    /// Holds `active` and takes `held` back; asynchronous. Alias `TSPI_lineSwapHold`.
    fn line_swap_hold(&self, request: RequestId, active: HdCall, held: HdCall) -> Result<(), LineError> {
        let _ = (request, active, held);
        Err(LineError::OperationUnavail)
    }

    /// Holds `call` (OnHoldPendingTransfer) and makes the call to consult by, to `params`, or, with none, ready to be
    /// dialled by [`line_dial`](Self::line_dial); asynchronous. Alias `TSPI_lineSetupTransfer`.
    fn line_setup_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let _ = (request, call, consult, params);
        Err(LineError::OperationUnavail)
    }

    /// Ends a consultation: transfers `call` to `consult`'s far end, or makes a conference of all three, which is named
    /// `conference`; asynchronous. Answers the provider's name of it, in [`TransferMode::Conference`] only.
    /// Alias `TSPI_lineCompleteTransfer`.
    fn line_complete_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        consult: HdCall,
        mode: TransferMode,
        conference: HtCall,
    ) -> Result<Option<HdCall>, LineError> {
        let _ = (request, call, consult, mode, conference);
        Err(LineError::OperationUnavail)
    }

    /// Sends the far end of a call elsewhere without consulting; asynchronous. Alias `TSPI_lineBlindTransfer`.
    fn line_blind_transfer(
        &self,
        request: RequestId,
        call: HdCall,
        destination: &str,
    ) -> Result<(), LineError> {
        let _ = (request, call, destination);
        Err(LineError::OperationUnavail)
    }

    /// Makes a conference of `call` (which goes Conferenced, or of none), which is OnHoldPendingConference, and a call to
    /// consult by; asynchronous. Alias `TSPI_lineSetupConference`.
    fn line_setup_conference(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        conference: HtCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<ConferenceCalls, LineError> {
        let _ = (request, line, call, conference, consult, params);
        Err(LineError::OperationUnavail)
    }

    /// Holds a conference and makes a call to consult by; asynchronous. Alias `TSPI_linePrepareAddToConference`.
    fn line_prepare_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        consult: HtCall,
        params: Option<&CallParams>,
    ) -> Result<HdCall, LineError> {
        let _ = (request, conference, consult, params);
        Err(LineError::OperationUnavail)
    }

    /// Adds a call to a conference; asynchronous. Alias `TSPI_lineAddToConference`.
    fn line_add_to_conference(
        &self,
        request: RequestId,
        conference: HdCall,
        call: HdCall,
    ) -> Result<(), LineError> {
        let _ = (request, conference, call);
        Err(LineError::OperationUnavail)
    }

    /// Takes a call out of its conference; asynchronous. Alias `TSPI_lineRemoveFromConference`.
    fn line_remove_from_conference(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        let _ = (request, call);
        Err(LineError::OperationUnavail)
    }

    /// Parks a call; asynchronous, [`Completion::Address`] for [`ParkMode::NonDirected`]. Alias `TSPI_linePark`.
    fn line_park(&self, request: RequestId, call: HdCall, mode: &ParkMode) -> Result<(), LineError> {
        let _ = (request, call, mode);
        Err(LineError::OperationUnavail)
    }

    /// Fetches a parked call; asynchronous. Alias `TSPI_lineUnpark`.
    fn line_unpark(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: &str,
    ) -> Result<HdCall, LineError> {
        let _ = (request, line, call, address);
        Err(LineError::OperationUnavail)
    }

    /// Takes a call that rings at `address`, or, with none, in the line's own group (`group` as the switch names it);
    /// asynchronous. Alias `TSPI_linePickup`.
    fn line_pickup(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        address: Option<&str>,
        group: Option<&str>,
    ) -> Result<HdCall, LineError> {
        let _ = (request, line, call, address, group);
        Err(LineError::OperationUnavail)
    }

    /// Replaces the line's forwarding by `instructions`, all of them; none ends it; asynchronous. No call is made to
    /// consult. Alias `TSPI_lineForward`.
    fn line_forward(
        &self,
        request: RequestId,
        line: HdLine,
        instructions: &[Forward],
        no_answer_rings: Option<u32>,
    ) -> Result<(), LineError> {
        let _ = (request, line, instructions, no_answer_rings);
        Err(LineError::OperationUnavail)
    }

    /// How a call that is busy or not answered is to be completed; asynchronous, [`Completion::CompletionId`].
    /// Alias `TSPI_lineCompleteCall`.
    fn line_complete_call(
        &self,
        request: RequestId,
        call: HdCall,
        mode: CompletionMode,
    ) -> Result<(), LineError> {
        let _ = (request, call, mode);
        Err(LineError::OperationUnavail)
    }

    /// Cancels such a completion; asynchronous. Alias `TSPI_lineUncompleteCall`.
    fn line_uncomplete_call(
        &self,
        request: RequestId,
        line: HdLine,
        completion: u32,
    ) -> Result<(), LineError> {
        let _ = (request, line, completion);
        Err(LineError::OperationUnavail)
    }

    /// How much applications want to be told of call hubs on the line: the most that any of them asked for.
    /// Alias `TSPI_lineSetCallHubTracking`.
    fn line_set_call_hub_tracking(&self, line: HdLine, level: HubTracking) -> Result<(), LineError> {
        let _ = (line, level);
        Ok(())
    }

    /// The device's extension of TAPI; an error if it has none. Alias `TSPI_lineNegotiateExtVersion`, `LINEEXTENSIONID`.
    fn line_extension(&self, device: u32) -> Result<ExtensionId, LineError> {
        let _ = device;
        Err(LineError::OperationUnavail)
    }

    /// Picks the version of the device's extension to use. Alias `TSPI_lineNegotiateExtVersion`.
    fn line_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        let _ = (device, lowest, highest);
        Err(LineError::OperationUnavail)
    }

    /// From now on the line speaks this version of its extension; 0 ends it. Alias `TSPI_lineSelectExtVersion`.
    fn line_select_ext_version(&self, line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        let _ = (line, version);
        Err(LineError::OperationUnavail)
    }

    /// A word of the line's extension, as octets that the broker does not read; asynchronous,
    /// [`Completion::DevSpecific`]. Alias `TSPI_lineDevSpecific`.
    fn line_dev_specific(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        let _ = (request, line, call, data);
        Err(LineError::OperationUnavail)
    }

    /// The call was handed to another application: `msp` stands behind that one's line, and the call's media are to be
    /// there from now on. The provider tells the MSP instance that had them to stop, by a buffer, and opens the exchange
    /// with this one. An application that owns a call from its beginning is not told of so. This has no counterpart in
    /// TAPI, which does not say how media follow a handoff.
    fn line_move_media(&self, call: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        let _ = (call, msp);
        Err(LineError::OperationUnavail)
    }

    /// How many phone devices it has.
    fn phone_devices(&self) -> u32 {
        0
    }

    /// What phone `device` has. Alias `TSPI_phoneGetDevCaps`.
    fn phone_dev_caps(&self, device: u32) -> Result<PhoneCaps, LineError> {
        let _ = device;
        Err(LineError::BadDeviceId)
    }

    /// Opens phone `device`. Alias `TSPI_phoneOpen`.
    fn phone_open(&self, device: u32, phone: HtPhone) -> Result<HdPhone, LineError> {
        let _ = (device, phone);
        Err(LineError::BadDeviceId)
    }

    /// Closes a phone. Alias `TSPI_phoneClose`.
    fn phone_close(&self, phone: HdPhone) -> Result<(), LineError> {
        let _ = phone;
        Err(LineError::InvalPhoneHandle)
    }

    /// How it stands. Alias `TSPI_phoneGetStatus`.
    fn phone_status(&self, phone: HdPhone) -> Result<PhoneStatus, LineError> {
        let _ = phone;
        Err(LineError::InvalPhoneHandle)
    }

    /// Sets something on it; asynchronous. Alias `TSPI_phoneSetHookSwitch` and its kin.
    fn phone_set(&self, request: RequestId, phone: HdPhone, setting: &PhoneSetting) -> Result<(), LineError> {
        let _ = (request, phone, setting);
        Err(LineError::InvalPhoneHandle)
    }

    /// A word of the phone's extension; asynchronous, [`Completion::DevSpecific`]. Alias `TSPI_phoneDevSpecific`.
    fn phone_dev_specific(&self, request: RequestId, phone: HdPhone, data: &Opaque) -> Result<(), LineError> {
        let _ = (request, phone, data);
        Err(LineError::OperationUnavail)
    }

    /// The phone's extension and the version of it to use. Alias `TSPI_phoneNegotiateExtVersion`.
    fn phone_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), LineError> {
        let _ = (device, lowest, highest);
        Err(LineError::OperationUnavail)
    }

    /// From now on the phone speaks this version of its extension; 0 ends it. Alias `TSPI_phoneSelectExtVersion`.
    fn phone_select_ext_version(&self, phone: HdPhone, version: ExtensionVersion) -> Result<(), LineError> {
        let _ = (phone, version);
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

/// The calls that [`Tspi::line_setup_conference`] made, by the provider's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConferenceCalls {
    /// The conference itself.
    pub conference: HdCall,
    /// The call to consult by.
    pub consult: HdCall,
}

/// What a provider reports; the broker implements it. Callable from any thread; returns at once.
///
/// From inside [`call_state`](Self::call_state) and [`call_info`](Self::call_info) the broker may ask
/// [`Tspi::line_call_info`], and a client that acts on what it is told may come back with any request: report without
/// holding a lock that those need.
pub trait TspEvents: Send + Sync {
    /// The one completion of an asynchronous request. Alias `ASYNC_COMPLETION`.
    fn async_completion(&self, request: RequestId, result: Result<(), LineError>) {
        self.async_answer(request, result.map(|()| Completion::Done));
    }

    /// The same, with what the request answers.
    fn async_answer(&self, request: RequestId, result: Result<Completion, LineError>);

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

    /// A message of the line's extension, about a call or about the line; for applications that selected a version.
    /// Alias `LINE_DEVSPECIFIC`.
    fn line_dev_specific(&self, line: HtLine, call: Option<HtCall>, data: Opaque);

    /// Something happened to an open phone. Alias `PHONE_STATE`, `PHONE_BUTTON`, `PHONE_DEVSPECIFIC`.
    fn phone_event(&self, phone: HtPhone, event: PhoneEvent);

    /// The phone has gone. Alias `PHONE_CLOSE`.
    fn phone_closed(&self, phone: HtPhone, why: LineError);

    /// A line has come into service or fallen out of it. Alias `LINE_LINEDEVSTATE`.
    fn line_dev_state(&self, line: HtLine, state: LineDevState);

    /// The line has gone (its listener failed, the device was pulled). Alias `LINE_CLOSE`.
    fn line_closed(&self, line: HtLine, why: LineError);
}
