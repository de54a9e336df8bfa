//! What stands between an application, its telephony service provider and its media service provider.
//!
//! ```text
//! application ─ tapi ──(link)── broker ──(tspi)── TSP          call control
//!                 └────(mspi)── MSP                             media, in the application's process
//!                 MSP ◀═══════ opaque buffers ═══════▶ TSP      carried by tapi and broker, read by neither
//! ```
//!
//! In: nothing. Out: traits and plain data that every room on this picture shares.
//! Not here: behaviour (that is `broker` and `tapi`) and the meaning of opaque buffers (that is `pair`).
//! Names follow TAPI 2.x/3; `#[doc(alias)]` makes them searchable by their Windows spelling.

pub mod caps;
pub mod clock;
pub mod error;
pub mod handle;
pub mod hub;
pub mod info;
pub mod link;
pub mod mspi;
pub mod opaque;
pub mod phone;
pub mod service;
pub mod state;
pub mod terminal;
pub mod tspi;

pub use caps::{AddressTypes, ApiVersion, ExtensionId, ExtensionVersion, LineDevCaps, MediaTypes, Privilege};
pub use clock::Timestamp;
pub use error::{LineError, MspError};
pub use handle::{
    DeviceId, HCall, HHub, HLine, HPhone, HdCall, HdLine, HdMspLine, HdPhone, HtCall, HtLine, HtMspLine,
    HtPhone, HubCallId, MspCallId, PhoneId, RequestId, StreamId, TerminalId,
};
pub use hub::{HubEvent, HubMember, HubRecord, HubSnapshot};
pub use info::{
    CallInfo, CallInfoChange, CallOrigin, CallParams, CallReason, ConferenceGoal, Party, Q931Verb,
};
pub use link::{AppEvent, AppReply, AppRequest, AppSink, HandoffTarget, Link, LinkClosed};
pub use mspi::{MspAddress, MspCallEvent, MspEvent, MspEventCause, MspSignal, Mspi, PrivateObject};
pub use opaque::Opaque;
pub use phone::{
    HookSwitchDevice, HookSwitchMode, LampMode, PhoneCaps, PhoneEvent, PhoneSetting, PhoneStatus,
};
pub use service::{
    CallFeatures, Completion, CompletionMode, Forward, ForwardMode, HubTracking, ParkMode, TransferMode,
};
pub use state::{ConnectedMode, DigitMode, DisconnectMode, LineCallState, LineDevState};
pub use tspi::{ConferenceCalls, TspEvents, Tspi};
