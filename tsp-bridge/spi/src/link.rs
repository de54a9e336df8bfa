//! The application link: one stream of requests to the broker, one stream of events back.
//!
//! In: [`AppRequest`]s with a number chosen by the application. Out: [`AppEvent`]s, among them exactly one
//! [`AppEvent::Reply`] a request. Both streams are first in, first out, so a reply is seen after its request was
//! submitted, and a call's events after the reply that made the call valid.
//! Plain data both ways: an embedded broker passes the values, one in another process will pass their encoding.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ApiVersion, CallInfo, CallInfoChange, CallParams, CompletionMode, DeviceId, DigitMode, DisconnectMode,
    ExtensionId, ExtensionVersion, Forward, HCall, HHub, HLine, HPhone, HubRecord, HubSnapshot, HubTracking,
    LineCallState, LineDevCaps, LineDevState, LineError, MediaTypes, Opaque, ParkMode, PhoneCaps, PhoneEvent,
    PhoneId, PhoneSetting, PhoneStatus, Privilege, Q931Verb, RequestId, Timestamp, TransferMode,
};

/// The application's end of the link. Dropping the last handle is leaving: the broker then drops the calls that only
/// this application owned and closes its lines.
pub trait Link: Send + Sync {
    /// Submits a request; its reply comes as an event with the same number.
    fn submit(&self, request: RequestId, what: AppRequest) -> Result<(), LinkClosed>;
}

/// The broker's end has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker is gone")]
pub struct LinkClosed;

/// Where events go; called in order, from any thread, never concurrently for one application. Must not block.
pub trait AppSink: Send + Sync {
    /// Takes one event.
    fn deliver(&self, event: AppEvent);
}

/// What an application asks of the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppRequest {
    /// All line devices. Reply: [`AppReply::Lines`].
    Lines,
    /// Opens a line. Reply: [`AppReply::Line`]. Alias `lineOpen`.
    OpenLine {
        /// Which device.
        device: DeviceId,
        /// What the application wants with calls that arrive.
        privilege: Privilege,
        /// The media types it wants calls for.
        media: MediaTypes,
    },
    /// Closes a line: calls that only this application owned are dropped. Alias `lineClose`.
    CloseLine {
        /// Which.
        line: HLine,
    },
    /// Says that the application has an MSP behind the line.
    CreateMspInstance {
        /// Which line.
        line: HLine,
    },
    /// Places a call. Reply: [`AppReply::Call`] once the provider knows the call. Alias `lineMakeCall`.
    MakeCall {
        /// On which line.
        line: HLine,
        /// Where to and how.
        params: CallParams,
    },
    /// Lets an offered call ring. Alias `lineAccept`.
    Accept {
        /// Which call.
        call: HCall,
    },
    /// Answers an offered call. Alias `lineAnswer`.
    Answer {
        /// Which call.
        call: HCall,
    },
    /// Drops a call in any state but idle. Alias `lineDrop`.
    Drop {
        /// Which call.
        call: HCall,
        /// What to tell the far end.
        mode: DisconnectMode,
    },
    /// Gives up the handle; a sole owner's call is dropped first. Alias `lineDeallocateCall`.
    Deallocate {
        /// Which call.
        call: HCall,
    },
    /// What is known of a call. Reply: [`AppReply::CallInfo`].
    CallInfo {
        /// Which call.
        call: HCall,
    },
    /// Sends digits.
    GenerateDigits {
        /// Which call.
        call: HCall,
        /// How they travel.
        mode: DigitMode,
        /// `0`–`9`, `*`, `#`, `A`–`D`, `!`.
        digits: String,
    },
    /// Sends more digits of a number that was not complete. Alias `lineDial`.
    Dial {
        /// Which call.
        call: HCall,
        /// `0`–`9`, `*`, `#`; may be empty with `complete`.
        digits: String,
        /// They are the last.
        complete: bool,
    },
    /// Sends an offered call elsewhere. Alias `lineRedirect`.
    Redirect {
        /// Which call.
        call: HCall,
        /// Where to, as in [`CallParams::destination`].
        destination: String,
    },
    /// Sends user-user information. Alias `lineSendUserUserInfo`.
    SendUserUserInfo {
        /// Which call.
        call: HCall,
        /// The protocol discriminator and 1 to 131 octets.
        data: Vec<u8>,
    },
    /// A procedure of Q.931 that TAPI has no verb for.
    Q931 {
        /// With which call.
        call: HCall,
        /// What.
        what: Q931Verb,
    },
    /// Picks the interface version to use with a device; without it, the newest that both sides have. Disconnect modes
    /// that the version does not know are told as `Normal` or `Unknown`. Reply: [`AppReply::ApiVersion`].
    /// Alias `lineNegotiateAPIVersion`.
    NegotiateApiVersion {
        /// Which device.
        device: DeviceId,
        /// The lowest that the application takes.
        lowest: ApiVersion,
        /// The highest.
        highest: ApiVersion,
    },
    /// Puts a call on hold. Alias `lineHold`.
    Hold {
        /// Which call.
        call: HCall,
    },
    /// Takes it back. Alias `lineUnhold`.
    Unhold {
        /// Which call.
        call: HCall,
    },
    /// Holds one call and takes another back. Alias `lineSwapHold`.
    SwapHold {
        /// The one to hold.
        active: HCall,
        /// The one to take back.
        held: HCall,
    },
    /// Holds a call and makes one to consult by. Reply: [`AppReply::Call`]. Alias `lineSetupTransfer`.
    SetupTransfer {
        /// The call to transfer.
        call: HCall,
        /// Whom to consult; none: to be dialled by [`AppRequest::Dial`].
        params: Option<CallParams>,
    },
    /// Ends a consultation. Reply: [`AppReply::Done`], or [`AppReply::Call`] for the conference.
    /// Alias `lineCompleteTransfer`.
    CompleteTransfer {
        /// The call to transfer.
        call: HCall,
        /// The call to consult by.
        consult: HCall,
        /// What it ends in.
        mode: TransferMode,
    },
    /// Sends the far end elsewhere without consulting. Alias `lineBlindTransfer`.
    BlindTransfer {
        /// Which call.
        call: HCall,
        /// Where to, as in [`CallParams::destination`].
        destination: String,
    },
    /// Makes a conference. Reply: [`AppReply::Conference`]. Alias `lineSetupConference`.
    SetupConference {
        /// On which line.
        line: HLine,
        /// The call to begin with, if any.
        call: Option<HCall>,
        /// Whom to consult; none: to be dialled by [`AppRequest::Dial`].
        params: Option<CallParams>,
    },
    /// Makes a call to consult by before it is added. Reply: [`AppReply::Call`]. Alias `linePrepareAddToConference`.
    PrepareAddToConference {
        /// To which conference.
        conference: HCall,
        /// Whom to consult; none: to be dialled by [`AppRequest::Dial`].
        params: Option<CallParams>,
    },
    /// Adds a call to a conference. Alias `lineAddToConference`.
    AddToConference {
        /// To which.
        conference: HCall,
        /// Which call.
        call: HCall,
    },
    /// Takes a call out of its conference. Alias `lineRemoveFromConference`.
    RemoveFromConference {
        /// Which call.
        call: HCall,
    },
    /// Parks a call. Reply: [`AppReply::Address`] for [`ParkMode::NonDirected`]. Alias `linePark`.
    Park {
        /// Which call.
        call: HCall,
        /// Where.
        mode: ParkMode,
    },
    /// Fetches a parked call. Reply: [`AppReply::Call`]. Alias `lineUnpark`.
    Unpark {
        /// On which line.
        line: HLine,
        /// Where it is parked.
        address: String,
    },
    /// Takes a call that rings elsewhere. Reply: [`AppReply::Call`]. Alias `linePickup`.
    Pickup {
        /// On which line.
        line: HLine,
        /// Where it rings; none: in the line's group.
        address: Option<String>,
        /// The group, as the switch names it.
        group: Option<String>,
    },
    /// Replaces a line's forwarding; no instruction ends it. Alias `lineForward`.
    Forward {
        /// Which line.
        line: HLine,
        /// All instructions that are to stand.
        instructions: Vec<Forward>,
        /// Rings before a call is taken not to be answered; the switch's own if none.
        no_answer_rings: Option<u32>,
    },
    /// How a call that is busy or not answered is to be completed. Reply: [`AppReply::CompletionId`].
    /// Alias `lineCompleteCall`.
    CompleteCall {
        /// Which call.
        call: HCall,
        /// How.
        mode: CompletionMode,
    },
    /// Cancels such a completion. Alias `lineUncompleteCall`.
    UncompleteCall {
        /// On which line.
        line: HLine,
        /// Which.
        completion: u32,
    },
    /// Where the application stands among those that want calls of one media type: at the front, or in no list at all
    /// (after those that are). Alias `lineSetAppPriority`.
    SetAppPriority {
        /// The media types.
        media: MediaTypes,
        /// At the front, rather than in no list.
        first: bool,
    },
    /// Makes the application an owner of a call that it monitors, or the reverse. Alias `lineSetCallPrivilege`.
    SetCallPrivilege {
        /// Which call.
        call: HCall,
        /// Owner or monitor.
        privilege: Privilege,
    },
    /// Makes another application an owner of the call; its media go there. The asking one stays an owner until it
    /// deallocates the call or changes its privilege. Alias `lineHandoff`.
    Handoff {
        /// Which call.
        call: HCall,
        /// To whom.
        to: HandoffTarget,
    },
    /// From now on the MSP instance behind this opening of the line has the call's media. An application that hands a
    /// call on does not ask this: the broker does so of itself. It is for a remote TSP, which stands for several.
    MoveMedia {
        /// Which call.
        call: HCall,
        /// The opening that the instance stands behind.
        line: HLine,
    },
    /// How much to tell of call hubs on a device. Alias `ITTAPI::SetCallHubTracking`, `lineSetCallHubTracking`.
    SetCallHubTracking {
        /// Which device.
        device: DeviceId,
        /// How much; at most [`LineDevCaps::hub_tracking`].
        level: HubTracking,
    },
    /// The hubs with a call on a device that the application tracks. Reply: [`AppReply::Hubs`].
    /// Alias `ITTAPI::EnumerateCallHubs`.
    Hubs,
    /// The hub that a call is in; [`LineError::Pending`] if none yet. Reply: [`AppReply::Hub`].
    /// Alias `ITCallInfo::get_CallHub`, `lineGetHubRelatedCalls`.
    CallHub {
        /// Which call.
        call: HCall,
    },
    /// Drops every call of a hub that the application owns; that others remain is no error. Alias `ITCallHub::Clear`.
    ClearHub {
        /// Which hub.
        hub: HHub,
    },
    /// The device's extension of TAPI, and the version of it to use. Reply: [`AppReply::Extension`].
    /// Alias `lineNegotiateExtVersion`.
    NegotiateExtVersion {
        /// Which device.
        device: DeviceId,
        /// The lowest that the application takes.
        lowest: ExtensionVersion,
        /// The highest.
        highest: ExtensionVersion,
    },
    /// From now on the application speaks this version of the line's extension and is told its messages; 0 ends it. All
    /// applications of one line speak the same. Alias `TSPI_lineSelectExtVersion`.
    SelectExtVersion {
        /// Which line.
        line: HLine,
        /// The version negotiated.
        version: ExtensionVersion,
    },
    /// A word of the line's extension. Reply: [`AppReply::DevSpecific`]. Alias `lineDevSpecific`.
    DevSpecific {
        /// Which line.
        line: HLine,
        /// About which call, if about one.
        call: Option<HCall>,
        /// Octets that the broker does not read.
        data: Opaque,
    },
    /// All phone devices. Reply: [`AppReply::Phones`].
    Phones,
    /// Opens a phone, as its one owner or as one of any number of monitors. Reply: [`AppReply::Phone`].
    /// Alias `phoneOpen`.
    OpenPhone {
        /// Which device.
        phone: PhoneId,
        /// Owner, who may set things, or monitor.
        privilege: Privilege,
    },
    /// Closes a phone. Alias `phoneClose`.
    ClosePhone {
        /// Which.
        phone: HPhone,
    },
    /// How a phone stands. Reply: [`AppReply::PhoneStatus`]. Alias `phoneGetStatus`.
    PhoneStatus {
        /// Which.
        phone: HPhone,
    },
    /// Sets something on a phone. Alias `phoneSetLamp` and its kin.
    SetPhone {
        /// Which.
        phone: HPhone,
        /// What.
        setting: PhoneSetting,
    },
    /// The phone's extension of TAPI, and the version of it to use. Reply: [`AppReply::Extension`].
    /// Alias `phoneNegotiateExtVersion`.
    NegotiatePhoneExtVersion {
        /// Which device.
        phone: PhoneId,
        /// The lowest that the application takes.
        lowest: ExtensionVersion,
        /// The highest.
        highest: ExtensionVersion,
    },
    /// As [`AppRequest::SelectExtVersion`]. Alias `TSPI_phoneSelectExtVersion`.
    SelectPhoneExtVersion {
        /// Which phone.
        phone: HPhone,
        /// The version negotiated.
        version: ExtensionVersion,
    },
    /// A word of the phone's extension. Reply: [`AppReply::DevSpecific`]. Alias `phoneDevSpecific`.
    PhoneDevSpecific {
        /// Which phone.
        phone: HPhone,
        /// Octets that the broker does not read.
        data: Opaque,
    },
    /// An opaque buffer of the application's MSP for the TSP.
    MspData {
        /// On which line.
        line: HLine,
        /// Call-level if given, else address-level.
        call: Option<HCall>,
        /// The buffer.
        data: Opaque,
    },
}

/// What a successful request answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppReply {
    /// Done.
    Done,
    /// The line devices.
    Lines(Vec<LineDevCaps>),
    /// An opened line.
    Line(HLine),
    /// A placed call: valid from now on.
    Call(HCall),
    /// What is known of a call.
    CallInfo(Box<CallInfo>),
    /// The interface version to use.
    ApiVersion(ApiVersion),
    /// A conference and the call to consult by: both valid from now on.
    Conference {
        /// The conference.
        conference: HCall,
        /// The call to consult by.
        consult: HCall,
    },
    /// Where a call is parked.
    Address(String),
    /// The name of a completion, to cancel it by.
    CompletionId(u32),
    /// The hubs.
    Hubs(Vec<HubSnapshot>),
    /// One hub.
    Hub(Box<HubSnapshot>),
    /// A device's extension.
    Extension {
        /// Which.
        id: ExtensionId,
        /// The version to use.
        version: ExtensionVersion,
    },
    /// What the device's extension answers.
    DevSpecific(Opaque),
    /// The phone devices.
    Phones(Vec<PhoneCaps>),
    /// An opened phone.
    Phone(HPhone),
    /// How a phone stands.
    PhoneStatus(Box<PhoneStatus>),
}

/// To whom a call is handed. Alias `lineHandoff`'s file name and media mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandoffTarget {
    /// To the application of that name that has the line open; the direct way.
    Application(String),
    /// To the application that comes first for that media type, the asking one left out; the indirect way.
    Media(MediaTypes),
}

/// What the broker tells an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppEvent {
    /// The one answer to a request.
    Reply {
        /// Which request.
        request: RequestId,
        /// How it went.
        result: Result<AppReply, LineError>,
    },
    /// A call that this application did not place. Its state follows as the next event about it.
    NewCall {
        /// On which line.
        line: HLine,
        /// Its handle for this application.
        call: HCall,
        /// What this application may do with it.
        privilege: Privilege,
        /// What is known of it.
        info: Box<CallInfo>,
    },
    /// A call's state.
    CallState {
        /// Which call.
        call: HCall,
        /// The state.
        state: LineCallState,
        /// When its cause happened.
        at: Timestamp,
    },
    /// Something in a call's information changed.
    CallInfo {
        /// Which call.
        call: HCall,
        /// What.
        change: CallInfoChange,
        /// What is known now.
        info: Box<CallInfo>,
    },
    /// The far end sent a digit.
    Digit {
        /// Which call.
        call: HCall,
        /// The digit.
        digit: char,
        /// How it travelled.
        mode: DigitMode,
        /// How long the key was held, where that is known.
        duration: Option<Duration>,
    },
    /// An opaque buffer of the TSP for this application's MSP.
    MspData {
        /// On which line.
        line: HLine,
        /// Call-level if given, else address-level.
        call: Option<HCall>,
        /// The buffer.
        data: Opaque,
    },
    /// What this application may do with a call has changed. Alias the privilege in `LINE_CALLSTATE`.
    CallPrivilege {
        /// Which call.
        call: HCall,
        /// What it may do now.
        privilege: Privilege,
    },
    /// Something happened to a call hub on a device that the application tracks. Alias `TE_CALLHUB`.
    Hub(HubRecord),
    /// A message of the line's extension. Alias `LINE_DEVSPECIFIC`.
    DevSpecific {
        /// Of which line.
        line: HLine,
        /// About which call, if about one.
        call: Option<HCall>,
        /// Octets that the broker did not read.
        data: Opaque,
    },
    /// Something happened to a phone. Alias `PHONE_STATE`, `PHONE_BUTTON`, `PHONE_DEVSPECIFIC`.
    Phone {
        /// Which.
        phone: HPhone,
        /// What.
        event: PhoneEvent,
    },
    /// A phone has gone; its handle is void. Alias `PHONE_CLOSE`.
    PhoneClosed {
        /// Which.
        phone: HPhone,
        /// Why.
        why: LineError,
    },
    /// A line has come into service or fallen out of it; whoever opens it later is told where it stands.
    LineDevState {
        /// Which.
        line: HLine,
        /// Where it stands.
        state: LineDevState,
    },
    /// A line has gone; its handle and its calls' are void.
    LineClosed {
        /// Which.
        line: HLine,
        /// Why.
        why: LineError,
    },
}
