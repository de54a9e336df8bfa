//! Supplementary services: the words of hold, transfer, conference, park, pickup, forward and completion.
//!
//! In and out: plain data of [`crate::Tspi`] and [`crate::AppRequest`]. Not here: what a state allows (`broker`).

use serde::{Deserialize, Serialize};

/// A set of verbs. Alias `LINECALLFEATURE_*`, `LINEADDRFEATURE_*`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallFeatures(u32);

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $bit:literal),* $(,)?) => {
        impl CallFeatures {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            /// Each verb with its name, in the order of their bits.
            pub const NAMES: &[(Self, &str)] = &[$((Self::$name, stringify!($name))),*];
        }
    };
}

features! {
    /// `line_hold`.
    HOLD = 0,
    /// `line_unhold`.
    UNHOLD = 1,
    /// `line_swap_hold`.
    SWAP_HOLD = 2,
    /// `line_setup_transfer`: a consultation call.
    SETUP_TRANSFER = 3,
    /// `line_complete_transfer` to the party consulted.
    COMPLETE_TRANSFER = 4,
    /// `line_complete_transfer` into a conference of three.
    TRANSFER_TO_CONFERENCE = 5,
    /// `line_blind_transfer`.
    BLIND_TRANSFER = 6,
    /// `line_setup_conference`.
    SETUP_CONFERENCE = 7,
    /// `line_prepare_add_to_conference`.
    PREPARE_ADD_TO_CONFERENCE = 8,
    /// `line_add_to_conference`.
    ADD_TO_CONFERENCE = 9,
    /// `line_remove_from_conference`.
    REMOVE_FROM_CONFERENCE = 10,
    /// `line_park` to an address that the application names.
    PARK_DIRECTED = 11,
    /// `line_park` to an address that the switch chooses.
    PARK_NONDIRECTED = 12,
    /// `line_unpark`.
    UNPARK = 13,
    /// `line_pickup`.
    PICKUP = 14,
    /// `line_forward`.
    FORWARD = 15,
    /// `line_complete_call`, `line_uncomplete_call`.
    COMPLETE_CALL = 16,
    /// `line_dial`: numbers may be dialled in parts.
    DIAL = 17,
    /// `line_redirect`.
    REDIRECT = 18,
    /// `line_generate_digits`.
    GENERATE_DIGITS = 19,
    /// The far end's digits are reported.
    MONITOR_DIGITS = 20,
    /// `line_send_user_user_info`.
    SEND_USER_USER = 21,
    /// `line_q931`.
    Q931 = 22,
    /// `line_accept`.
    ACCEPT = 23,
}

impl CallFeatures {
    /// No verb.
    pub const NONE: Self = Self(0);

    /// The verbs in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, for a wire.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// A set off a wire; bits that nobody knows here are dropped.
    pub fn from_bits(bits: u32) -> Self {
        let known = Self::NAMES.iter().fold(Self::NONE, |all, (one, _)| all.union(*one));
        Self(bits & known.0)
    }
}

impl std::fmt::Debug for CallFeatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(Self::NAMES.iter().filter(|(one, _)| self.contains(*one)).map(|(_, n)| n))
            .finish()
    }
}

/// What a consultation ends in. Alias `LINETRANSFERMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TransferMode {
    /// The two far ends talk with each other; both calls here end.
    Transfer,
    /// All three talk: a conference call comes to be.
    Conference,
}

/// Where a call is parked. Alias `LINEPARKMODE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParkMode {
    /// At an address that the application names.
    Directed(String),
    /// At an address that the switch chooses and answers.
    NonDirected,
}

/// When calls are forwarded. Alias `LINEFORWARDMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ForwardMode {
    /// Always. Alias `LINEFORWARDMODE_UNCOND`.
    Unconditional,
    /// When the line is busy.
    Busy,
    /// When nobody answers.
    NoAnswer,
    /// When the line is busy or nobody answers.
    BusyNoAnswer,
}

/// One instruction of forwarding. Alias `LINEFORWARD`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Forward {
    /// When.
    pub mode: ForwardMode,
    /// Only calls of this caller; none: everybody's.
    pub caller: Option<String>,
    /// Where to.
    pub destination: String,
}

/// How a call that could not be completed is. Alias `LINECALLCOMPLMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CompletionMode {
    /// Waits until the far end is free.
    CampOn,
    /// The switch calls back when both are free.
    CallBack,
    /// Breaks in.
    Intrude,
    /// Leaves one of the switch's messages, by its number.
    Message(u32),
}

/// Whether anything but success was answered to a request, and what. The one completion of a request carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Completion {
    /// It is done.
    Done,
    /// The address where the call is parked (`line_park`, [`ParkMode::NonDirected`]).
    Address(String),
    /// The name of a completion that was asked for (`line_complete_call`), to cancel it by. Alias `dwCompletionID`.
    CompletionId(u32),
    /// What the device's extension answers (`line_dev_specific`, `phone_dev_specific`): at most
    /// [`crate::Opaque::MAX`] octets, carried unread.
    DevSpecific(crate::Opaque),
}

/// How much of call hubs is told. Alias `LINECALLHUBTRACKING_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HubTracking {
    /// Nothing.
    #[default]
    None,
    /// Hubs come and go; nothing of the calls in them.
    ProviderLevel,
    /// Every call of every hub.
    AllCalls,
}
