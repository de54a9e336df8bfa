//! H.450: supplementary services, carried in `h4501SupplementaryService` of an
//! [`H323UuPdu`](super::h225::H323UuPdu).
//! Top type: [`H4501SupplementaryService`]. The arguments of its operations are open types, to be
//! read apart, by the operation's code: `per::decode::<CTInitiateArg>(&argument)`.
//! Not here: the operations of H.450.3, .5, .7 and .9 to .12, whose arguments stay octets.

mod apdu;
mod hold;
mod name;
mod transfer;
mod waiting;

pub use apdu::*;
pub use hold::*;
pub use name::*;
pub use transfer::*;
pub use waiting::*;
