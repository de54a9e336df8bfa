//! The application's side of TAPI: addresses, calls, streams, terminals and events.
//!
//! ```text
//!  application ── Tapi ─ Address ─ Call ─ Stream ─ Terminal          Rust idiom, TAPI's words
//!                   │        ╲      │        ╲       ╲
//!                 pump        ╲   requests    ╲───────╲──▶ MSP (in this process)
//!          replies, events      ╲   │                       │ events, buffers for the TSP
//!                   ▲            ▼  ▼                       │
//!                   └──────────── link ◀────── pump ◀───────┘
//!                                broker
//! ```
//!
//! In: a [`Link`](offhook_spi::Link) to a broker and, if sound is wanted, an [`Mspi`](offhook_spi::Mspi).
//! Out: the objects of this crate and their [`Event`]s.
//! Not here: providers, privileges and routing (`broker`); what opaque buffers mean (`pair`, which this crate does
//! not depend on).
//!
//! # The way of a call
//!
//! Incoming: the broker's NewCall → an MSP call with its default streams → [`Event::CallNotification`] → the
//! application selects terminals → [`Call::answer`] → [`Event::CallState`] Connected → [`Event::CallMedia`]
//! StreamActive. Outgoing: [`Address::create_call`] makes the MSP call now, [`Call::connect`] dials. The MSP call is
//! shut down when the call is *released* and not before, so buffers that arrive after the end still reach it.
//!
//! # What is decided here where TAPI is silent
//!
//! - One thread, the *pump*, handles everything that the broker and the MSP report, in order. Nothing it calls into
//!   the application; the application reads [`EventStream`]s. What a release ends at the MSP may have to wait for a
//!   clock or a disk: a few other threads do that, so that no call waits for the end of another. [`Call::release`],
//!   [`Tapi::settled`] and [`Tapi::close`] return when it is done.
//! - Nothing is delivered before a filter is set. A call that is offered while no stream wants
//!   [`EventFilter::CALL_NOTIFICATION`] is released at once, which rejects it.
//! - The queue of an [`EventStream`] is not bounded: an application that sets a filter and does not read pays in
//!   memory. All other queues are bounded by what the broker and the MSP have outstanding.
//! - Events follow the order in which the provider and the MSP report. A call's end is told when the provider reports
//!   it; the streams' end when the MSP reports it, before or after that as the TSP sends its word to the MSP.
//! - Every line state is told, as [`Event::CallState`] with the same state if that has not changed; Disconnected once:
//!   the line's Idle after it only shows in [`Call::status`].
//! - A line that is closed or lost ends its calls here (cause Normal or Failed) and stops their streams, for no TSP
//!   will say so; the MSP calls still last until the release.
//! - A monitor has no MSP call: it sees a call's states and information and takes no part in its media.
//! - A lock that a panicking thread poisoned is taken as it is: every update under a lock of this crate is complete
//!   before anything that can panic runs.

mod address;
mod audio;
mod call;
mod core;
mod digits;
mod ends;
mod error;
mod event;
mod extension;
mod hub;
mod hub_view;
mod phone;
mod pump;
mod reaper;
mod state;
mod stream;
mod substream;
mod supplementary;
mod terminal;
#[cfg(feature = "webrtc")]
mod webrtc;

pub use address::Address;
pub use audio::{AudioSetting, SettingRange};
pub use call::Call;
pub use core::{Diagnostics, Tapi};
pub use digits::{Gather, GatherEnd, Gathered};
pub use ends::{PcmReader, PcmWriter, RtpInjector, RtpTap, ToneGenerator, ToneMonitor};
pub use error::TapiError;
pub use event::{AddressEvent, Event, EventFilter, EventStream, PhoneNotice};
pub use hub::{CallHub, CallHubState, HubCall};
pub use hub_view::{HubNews, HubView, HubViewError};
pub use phone::Phone;
pub use state::{CallState, CallStatus, DisconnectCause, DisconnectCode};
pub use stream::Stream;
pub use substream::SubStream;
pub use terminal::Terminal;
#[cfg(feature = "webrtc")]
pub use webrtc::RtpSamples;

pub use offhook_spi::{
    AddressTypes, ApiVersion, CallFeatures, CallInfo, CallInfoChange, CallOrigin, CallParams, CallReason,
    CompletionMode, ConferenceGoal, ConnectedMode, DigitMode, DisconnectMode, ExtensionId, ExtensionVersion,
    Forward, ForwardMode, HHub, HandoffTarget, HookSwitchDevice, HookSwitchMode, HubCallId, HubEvent,
    HubMember, HubRecord, HubSnapshot, HubTracking, LampMode, LineCallState, LineDevCaps, LineDevState,
    LineError, MediaTypes, MspCallEvent, MspError, MspEventCause, Opaque, Party, PhoneCaps, PhoneEvent,
    PhoneSetting, PhoneStatus, PrivateObject, Privilege, Q931Verb, Timestamp, TransferMode,
    mspi::{CardStatus, Direction, SoundLevel, StreamStatistics, TerminalClass, TerminalStatus, Volume},
    terminal::{
        PcmBlock, PcmReaderStatus, PcmWriterStatus, Plug, PluggableTerminal, ProgressTone, RtpOctets,
        RtpReaderStatus, RtpSendError, Signal, SignalHeard, SignalReaderStatus,
    },
};
