//! H.323 on the wire: TPKT, Q.931, aligned PER, H.225.0, H.235 and H.245.

pub mod capture;
pub mod h225_message;
pub mod pdu;
pub mod per;
pub mod q931;
mod schema;
pub mod tpkt;
pub mod trace;

pub use schema::{h225, h235, h245, h450, h460};
