//! Events, the filters that let them through, and the streams that carry them.
//!
//! In: what the pump found. Out: [`Event`]s to every [`EventStream`] whose [`EventFilter`] wants them.
//! A stream that waits in a queue does not hold calls or addresses; an event whose call was released meanwhile is
//! passed over. The one exception is [`Event::CallNotification`], which *is* the application's hold on the call.

use std::ops::BitOr;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use offhook_spi::{
    CallInfo, CallInfoChange, DigitMode, HubEvent, LineCallState, LineDevState, LineError, MspCallEvent,
    MspEventCause, Opaque, PhoneEvent, PrivateObject, Privilege, Timestamp,
};
use tokio::sync::mpsc;

use crate::address::AddressShared;
use crate::call::CallShared;
use crate::core::{Session, lock};
use crate::hub::HubShared;
use crate::{Address, Call, CallHub, CallState, DisconnectCause, Phone, Stream, Terminal};

/// What an application is told. Alias `TAPI_EVENT`.
#[doc(alias = "TAPI_EVENT")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A call has arrived. Alias `TE_CALLNOTIFICATION`. Dropping the call releases it.
    #[doc(alias = "TE_CALLNOTIFICATION")]
    #[doc(alias = "ITCallNotificationEvent")]
    CallNotification {
        /// The call; its streams exist.
        call: Call,
        /// Owner or monitor.
        privilege: Privilege,
    },
    /// A call's state, or its line state within the same state. Disconnected comes once, as the last.
    #[doc(alias = "TE_CALLSTATE")]
    #[doc(alias = "ITCallStateEvent")]
    CallState {
        /// Which call.
        call: Call,
        /// The state, never Idle.
        state: CallState,
        /// Why it ended, with Disconnected.
        cause: Option<DisconnectCause>,
        /// The provider's state behind it.
        line_state: LineCallState,
        /// When its cause happened.
        at: Timestamp,
    },
    /// Something happened to the media of a call.
    #[doc(alias = "TE_CALLMEDIA")]
    #[doc(alias = "ITCallMediaEvent")]
    CallMedia {
        /// Which call.
        call: Call,
        /// What happened.
        event: MspCallEvent,
        /// Why.
        cause: MspEventCause,
        /// To which stream.
        stream: Option<Stream>,
        /// To which terminal.
        terminal: Option<Terminal>,
    },
    /// Something in a call's information changed.
    #[doc(alias = "TE_CALLINFOCHANGE")]
    #[doc(alias = "ITCallInfoChangeEvent")]
    CallInfoChange {
        /// Which call.
        call: Call,
        /// What.
        change: CallInfoChange,
        /// What is known now.
        info: Box<CallInfo>,
    },
    /// The far end sent a digit.
    #[doc(alias = "TE_DIGITEVENT")]
    #[doc(alias = "ITDigitDetectionEvent")]
    Digit {
        /// Which call.
        call: Call,
        /// The digit.
        digit: char,
        /// How it travelled.
        mode: DigitMode,
        /// How long the key was held, where that is known.
        duration: Option<Duration>,
    },
    /// What this application may do with a call has changed: it was made an owner, or a monitor.
    #[doc(alias = "CIC_PRIVILEGE")]
    CallPrivilege {
        /// Which call.
        call: Call,
        /// What it may do now.
        privilege: Privilege,
    },
    /// A message of an address's extension of TAPI; only after [`Address::select_extension`].
    #[doc(alias = "TE_ADDRESSDEVSPECIFIC")]
    #[doc(alias = "ITAddressDeviceSpecificEvent")]
    DevSpecific {
        /// Of which address.
        address: Address,
        /// About which call, if about one.
        call: Option<Call>,
        /// The octets.
        data: Opaque,
    },
    /// Something happened to a phone that is open.
    #[doc(alias = "TE_PHONEEVENT")]
    #[doc(alias = "TE_PHONEDEVSPECIFIC")]
    #[doc(alias = "ITPhoneEvent")]
    Phone {
        /// Which.
        phone: Phone,
        /// What.
        event: PhoneNotice,
    },
    /// An event of the MSP's own, for who knows its type.
    #[doc(alias = "TE_PRIVATE")]
    #[doc(alias = "ITPrivateEvent")]
    Private {
        /// Of which address.
        address: Address,
        /// About which call, if about one.
        call: Option<Call>,
        /// What; downcast it.
        event: PrivateObject,
    },
    /// Something happened to a call hub on an address that is tracked. A call's joining comes before its
    /// [`CallNotification`](Self::CallNotification), its leaving after its Disconnected, the hub's end after the last
    /// leaving. State, Info and Held are beyond TAPI: they show calls that this application does not hold.
    #[doc(alias = "TE_CALLHUB")]
    #[doc(alias = "ITCallHubEvent")]
    CallHub {
        /// Which.
        hub: CallHub,
        /// What.
        event: HubEvent,
        /// The call that it is about, if this application holds it.
        call: Option<Call>,
        /// When its cause happened.
        at: Timestamp,
    },
    /// Something happened to an address.
    #[doc(alias = "TE_ADDRESS")]
    #[doc(alias = "ITAddressEvent")]
    Address {
        /// Which.
        address: Address,
        /// What.
        event: AddressEvent,
    },
}

/// What can happen to an address. Alias `ADDRESS_EVENT`.
#[doc(alias = "ADDRESS_EVENT")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AddressEvent {
    /// A sound card came. Alias `AE_NEWTERMINAL`.
    TerminalAvailable(Terminal),
    /// A sound card went. Alias `AE_REMOVETERMINAL`.
    TerminalUnavailable(Terminal),
    /// The line has come into service or fallen out of it. Alias `AE_STATE`.
    Service(LineDevState),
    /// The line or its provider has gone; its calls are over.
    Closed(LineError),
}

/// What can happen to a phone. Alias `PHONE_EVENT`.
#[doc(alias = "PHONE_EVENT")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhoneNotice {
    /// It reports something.
    Reported(PhoneEvent),
    /// It has gone; open it again if it comes back.
    Closed(LineError),
}

/// Which events a stream carries. Alias `TAPI_EVENT` as a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFilter {
    kinds: u32,
    call: Option<u64>,
}

impl EventFilter {
    /// [`Event::CallNotification`].
    pub const CALL_NOTIFICATION: Self = Self { kinds: 1, call: None };
    /// [`Event::CallState`].
    pub const CALL_STATE: Self = Self { kinds: 2, call: None };
    /// [`Event::CallMedia`].
    pub const CALL_MEDIA: Self = Self { kinds: 4, call: None };
    /// [`Event::CallInfoChange`], [`Event::CallPrivilege`].
    pub const CALL_INFO_CHANGE: Self = Self { kinds: 8, call: None };
    /// [`Event::Digit`].
    pub const DIGIT: Self = Self { kinds: 16, call: None };
    /// [`Event::Address`].
    pub const ADDRESS: Self = Self { kinds: 32, call: None };
    /// [`Event::DevSpecific`].
    pub const DEV_SPECIFIC: Self = Self { kinds: 64, call: None };
    /// [`Event::Phone`].
    pub const PHONE: Self = Self { kinds: 128, call: None };
    /// [`Event::Private`].
    pub const PRIVATE: Self = Self { kinds: 256, call: None };
    /// [`Event::CallHub`]; nothing before tracking is set ([`Tapi::set_call_hub_tracking`]).
    ///
    /// [`Tapi::set_call_hub_tracking`]: crate::Tapi::set_call_hub_tracking
    pub const CALL_HUB: Self = Self { kinds: 512, call: None };
    /// Everything.
    pub const ALL: Self = Self { kinds: u32::MAX, call: None };

    /// The same kinds, of one call only.
    #[doc(alias = "ITCallInfo::put_EventFilter")]
    pub fn only(self, call: &Call) -> Self {
        Self { call: Some(call.id()), ..self }
    }

    /// What gathering digits of a call wants.
    pub(crate) fn gathering(call: &Call) -> Self {
        (Self::DIGIT | Self::CALL_STATE).only(call)
    }

    fn wants(self, raw: &Raw) -> bool {
        let (kind, call) = match raw {
            Raw::Notification { call, .. } => (Self::CALL_NOTIFICATION, Some(call.id())),
            Raw::State { call, .. } => (Self::CALL_STATE, Some(call.id)),
            Raw::Media { call, .. } => (Self::CALL_MEDIA, Some(call.id)),
            Raw::Info { call, .. } => (Self::CALL_INFO_CHANGE, Some(call.id)),
            Raw::Digit { call, .. } => (Self::DIGIT, Some(call.id)),
            Raw::Privilege { call, .. } => (Self::CALL_INFO_CHANGE, Some(call.id)),
            Raw::DevSpecific { call, .. } => (Self::DEV_SPECIFIC, call.as_ref().map(|call| call.id)),
            Raw::Private { call, .. } => (Self::PRIVATE, call.as_ref().map(|call| call.id)),
            Raw::Phone { .. } => (Self::PHONE, None),
            Raw::Hub { call, .. } => (Self::CALL_HUB, call.as_ref().map(|call| call.id)),
            Raw::Address { .. } => (Self::ADDRESS, None),
        };
        self.kinds & kind.kinds != 0 && (self.call.is_none() || self.call == call)
    }
}

/// Both sets of kinds; the call of the left side, if it names one.
impl BitOr for EventFilter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { kinds: self.kinds | other.kinds, call: self.call.or(other.call) }
    }
}

/// Events as they come. Ends with the session. Its queue is not bounded: read it, or drop it.
#[derive(Debug)]
pub struct EventStream {
    queue: mpsc::UnboundedReceiver<Raw>,
    session: Weak<Session>,
}

impl EventStream {
    /// The next event; none when the session has ended.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event if one is there.
    pub fn try_next(&mut self) -> Option<Event> {
        while let Ok(raw) = self.queue.try_recv() {
            if let Some(event) = raw.into_event(&self.session) {
                return Some(event);
            }
        }
        None
    }

    /// The form that stream adapters want.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            match self.queue.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(raw)) => {
                    if let Some(event) = raw.into_event(&self.session) {
                        return Poll::Ready(Some(event));
                    }
                }
            }
        }
    }
}

/// An event on its way: names objects without holding them.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Notification {
        call: Call,
        privilege: Privilege,
    },
    State {
        call: Arc<CallShared>,
        state: CallState,
        cause: Option<DisconnectCause>,
        line_state: LineCallState,
        at: Timestamp,
    },
    Media {
        call: Arc<CallShared>,
        event: MspCallEvent,
        cause: MspEventCause,
        stream: Option<Stream>,
        terminal: Option<Terminal>,
    },
    Info {
        call: Arc<CallShared>,
        change: CallInfoChange,
        info: Box<CallInfo>,
    },
    Digit {
        call: Arc<CallShared>,
        digit: char,
        mode: DigitMode,
        duration: Option<Duration>,
    },
    Privilege {
        call: Arc<CallShared>,
        privilege: Privilege,
    },
    DevSpecific {
        address: Arc<AddressShared>,
        call: Option<Arc<CallShared>>,
        data: Opaque,
    },
    Phone {
        phone: Phone,
        event: PhoneNotice,
    },
    Private {
        address: Arc<AddressShared>,
        call: Option<Arc<CallShared>>,
        event: PrivateObject,
    },
    Hub {
        hub: Arc<HubShared>,
        event: HubEvent,
        call: Option<Arc<CallShared>>,
        at: Timestamp,
    },
    Address {
        address: Arc<AddressShared>,
        event: AddressEvent,
    },
}

impl Raw {
    fn into_event(self, session: &Weak<Session>) -> Option<Event> {
        Some(match self {
            Self::Notification { call, privilege } => Event::CallNotification { call, privilege },
            Self::State { call, state, cause, line_state, at } => {
                Event::CallState { call: call.handle()?, state, cause, line_state, at }
            }
            Self::Media { call, event, cause, stream, terminal } => {
                Event::CallMedia { call: call.handle()?, event, cause, stream, terminal }
            }
            Self::Info { call, change, info } => Event::CallInfoChange { call: call.handle()?, change, info },
            Self::Digit { call, digit, mode, duration } => {
                Event::Digit { call: call.handle()?, digit, mode, duration }
            }
            Self::Privilege { call, privilege } => Event::CallPrivilege { call: call.handle()?, privilege },
            Self::DevSpecific { address, call, data } => Event::DevSpecific {
                address: Address::new(address, session.upgrade()?),
                call: match call {
                    Some(call) => Some(call.handle()?),
                    None => None,
                },
                data,
            },
            Self::Phone { phone, event } => Event::Phone { phone, event },
            Self::Private { address, call, event } => Event::Private {
                address: Address::new(address, session.upgrade()?),
                call: match call {
                    Some(call) => Some(call.handle()?),
                    None => None,
                },
                event,
            },
            // Passed on without the call if that was released: the hub has others.
            Self::Hub { hub, event, call, at } => Event::CallHub {
                hub: CallHub::new(hub, session.upgrade()?),
                event,
                call: call.and_then(|call| call.handle()),
                at,
            },
            Self::Address { address, event } => {
                Event::Address { address: Address::new(address, session.upgrade()?), event }
            }
        })
    }
}

/// Who listens.
#[derive(Default)]
pub(crate) struct Subscribers {
    list: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    ended: bool,
    open: Vec<(EventFilter, mpsc::UnboundedSender<Raw>)>,
}

impl Subscribers {
    pub(crate) fn subscribe(&self, filter: EventFilter, session: Weak<Session>) -> EventStream {
        let (tx, queue) = mpsc::unbounded_channel();
        let mut list = lock(&self.list);
        if !list.ended {
            list.open.push((filter, tx));
        }
        EventStream { queue, session }
    }

    /// Sends the event to everyone who wants it.
    pub(crate) fn emit(&self, raw: Raw) {
        // What cannot be sent is dropped after the lock: dropping a call calls back into the session.
        let mut unsent = Vec::new();
        {
            let mut list = lock(&self.list);
            list.open.retain(|(filter, tx)| {
                if !filter.wants(&raw) {
                    return !tx.is_closed();
                }
                match tx.send(raw.clone()) {
                    Ok(()) => true,
                    Err(returned) => {
                        unsent.push(returned);
                        false
                    }
                }
            });
        }
        drop((unsent, raw));
    }

    /// Ends every stream, and those asked for later.
    pub(crate) fn end(&self) {
        let listeners = {
            let mut list = lock(&self.list);
            list.ended = true;
            std::mem::take(&mut list.open)
        };
        drop(listeners);
    }
}
