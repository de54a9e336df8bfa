//! H.450: supplementary services, carried in `h4501SupplementaryService` of an
//! [`H323UuPdu`](super::h225::H323UuPdu).
//! Top type: [`H4501SupplementaryService`]. The arguments, results and error parameters of its
//! operations are open types, to be read apart, by the operation's code:
//! `per::decode::<CTInitiateArg>(&argument)`. For people, [`argument_type`] and its like
//! do so by tables.
//! Members with a DEFAULT are `Option`s here, `None` meaning the default.
//! Not here: what the operations do (`offhook-h323`).

mod address;
mod apdu;
mod common;
mod completion;
mod diversion;
mod hold;
mod intrusion;
mod message_waiting;
mod name;
mod offer;
mod operation;
mod park;
mod transfer;
mod waiting;

pub use address::*;
pub use apdu::*;
pub use common::*;
pub use completion::*;
pub use diversion::*;
pub use hold::*;
pub use intrusion::*;
pub use message_waiting::*;
pub use name::*;
pub use offer::*;
pub use operation::*;
pub use park::*;
pub use transfer::*;
pub use waiting::*;

use crate::per::List;

/// Extensions of an argument or a result, standard or proprietary.
pub(crate) type MixedExtensions = List<0, 255>;

/// SEQUENCEs that hold nothing yet but extensions, which nobody sends.
macro_rules! only_extensions {
    ($( $(#[$meta:meta])* $name:ident $member:ident $member_name:literal; )*) => { $(
        $crate::per::notation::sequence! {
            $(#[$meta])*
            #[derive(Default)]
            $name {
                $member $member_name?: Vec<$crate::h450::MixedExtension> as $crate::schema::h450::MixedExtensions,
                ...
            }
        }
    )* };
}
use only_extensions;
