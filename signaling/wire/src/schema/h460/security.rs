//! H.460.22: which security protocol carries call signalling. No ASN.1 of its own: each protocol
//! that the sender has is a `compound` parameter of [`PRIORITY`] and [`CONNECTION_ADDRESS`].

/// H.460.22 as a feature: its `standard` identifier.
pub const SECURITY_PROTOCOL_NEGOTIATION: i64 = 22;
/// The parameter for TLS.
pub const TLS_SECURITY_PROTOCOL: i64 = 1;
/// The parameter for IPsec.
pub const IPSEC_SECURITY_PROTOCOL: i64 = 2;
/// Inside either: `number8`, 1 is preferred most.
pub const PRIORITY: i64 = 1;
/// Inside the one for TLS: `transport`, where it listens.
pub const CONNECTION_ADDRESS: i64 = 2;
