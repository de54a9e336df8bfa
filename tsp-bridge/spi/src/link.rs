//! The application link: one stream of requests to the broker, one stream of events back.
//!
//! In: [`AppRequest`]s with a number chosen by the application. Out: [`AppEvent`]s, among them exactly one
//! [`AppEvent::Reply`] a request. Both streams are first in, first out, so a reply is seen after its request was
//! submitted, and a call's events after the reply that made the call valid.
//! Plain data both ways: an embedded broker passes the values, one in another process will pass their encoding.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    CallInfo, CallInfoChange, CallParams, DevSpecific, DeviceId, DigitMode, DisconnectMode, HCall, HLine,
    LineCallState, LineDevCaps, LineDevState, LineError, MediaTypes, Opaque, Privilege, RequestId, Timestamp,
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
    /// What only some providers can do. Alias `lineDevSpecific`.
    DevSpecific {
        /// With which call.
        call: HCall,
        /// What.
        what: DevSpecific,
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
