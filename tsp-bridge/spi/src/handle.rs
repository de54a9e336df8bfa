//! Handles: numbers that name an object across a boundary, a type of its own for each boundary.
//!
//! `Ht…` is the broker's name for an object, handed to the provider; `Hd…` is the provider's name, handed to the
//! broker; `H…` is an application's. A handle is never reused while its broker or provider lives.

use serde::{Deserialize, Serialize};

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident($int:ty)),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(
            /// The number itself; it means nothing but identity.
            pub $int,
        );
    )* };
}

handles! {
    /// A line device as the broker numbers it, over all providers.
    DeviceId(u32),
    /// The broker's name for an open line. Alias `HTAPILINE`.
    HtLine(u64),
    /// The provider's name for an open line. Alias `HDRVLINE`.
    HdLine(u64),
    /// The broker's name for a call. Alias `HTAPICALL`.
    HtCall(u64),
    /// The provider's name for a call. Alias `HDRVCALL`.
    HdCall(u64),
    /// The broker's name for an MSP instance on a line. Alias `HTAPIMSPLINE`.
    HtMspLine(u64),
    /// The provider's name for an MSP instance on a line. Alias `HDRVMSPLINE`.
    HdMspLine(u64),
    /// A phone device as the broker numbers it, over all providers.
    PhoneId(u32),
    /// The broker's name for an open phone. Alias `HTAPIPHONE`.
    HtPhone(u64),
    /// The provider's name for an open phone. Alias `HDRVPHONE`.
    HdPhone(u64),
    /// An application's name for a phone that it opened. Alias `HPHONE`.
    HPhone(u64),
    /// An application's name for a call hub, the same for every application of one broker. Alias `HCALLHUB`.
    HHub(u64),
    /// A call in a hub, whoever holds it; the same for every application of one broker.
    HubCallId(u64),
    /// Joins an asynchronous request to its one completion.
    RequestId(u32),
    /// An application's name for a line that it opened. Alias `HLINE`.
    HLine(u64),
    /// An application's name for a call. Alias `HCALL`.
    HCall(u64),
    /// The MSP's name for a call; unique within its MSP address.
    MspCallId(u64),
    /// A stream of an MSP call; unique within its MSP address.
    StreamId(u64),
    /// A terminal; unique within its MSP address.
    TerminalId(u64),
}
