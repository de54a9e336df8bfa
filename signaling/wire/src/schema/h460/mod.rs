//! H.460: features of the generic extensibility framework (H.460.1).
//! A feature is a [`GenericData`](super::h225::GenericData) with an identifier, most often
//! `standard`, the number of the Recommendation; its parameters are [`Content`](super::h225::Content).
//! Here are the numbers, what makes and reads features ([`framework`](find)), and the ASN.1 that
//! travels in parameters: as `raw` content, or as `octetString` of an H.245
//! [`ParameterValue`](super::h245::ParameterValue).
//! Not here: what the features do (`offhook-h323`).

mod framework;
mod nat;
mod qos;
mod security;
mod traversal;

pub use framework::*;
pub use nat::*;
pub use qos::*;
pub use security::*;
pub use traversal::*;
