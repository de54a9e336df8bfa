//! The schema: every type of H.225.0 v7, H.235 (2014), H.245 v16, and H.450.1 to .12, and of H.460
//! those of the features that H.323 telephones use, one line a member.
//!
//! In the notation of `per::notation`; decoding, encoding and describing follow from it. Not here:
//! what the messages mean and when they are sent (`offhook-h323`).
//!
//! # How ASN.1 becomes Rust
//!
//! - **Names.** Types and alternatives in `UpperCamelCase`, members in `snake_case`. Words end at
//!   hyphens; a word all in capitals keeps only the first (`Setup-UUIE` → [`SetupUuie`],
//!   `h323-ID` → `H323Id`), others keep theirs (`VBDCapability`, `iPAddress` → `IPAddress`).
//!   A member called by a keyword is raw (`r#type`); a few are spelt by hand, lest a word breaks
//!   (`altGKisPermanent` → `alt_gk_is_permanent`, `qOSCapabilities` → `qos_capabilities`).
//! - **Nameless nested types** are called after parent and member: `ipAddress` of
//!   `TransportAddress` is a [`TransportAddressIpAddress`].
//! - **SEQUENCE** is a struct with public members: OPTIONAL ones and all extension additions are
//!   `Option`s, even additions that the standard calls mandatory. An extensible one has a last
//!   member `unknown`: additions of later versions, kept and sent on. `Type::new(…)` takes the
//!   required members in order; `Default` exists where every required member has a natural zero
//!   that the standard allows. So: `SetupUuie { fast_start: Some(…), ..SetupUuie::new(…) }`. A
//!   large and rare optional member is boxed.
//! - **CHOICE** is an enum; a NULL alternative is a bare variant. An extensible one has a last
//!   variant `Unrecognized`, again kept and sent on. What takes more than some 64 octets of memory
//!   is boxed (every RAS message and call signalling body is):
//!   `RasMessage::AdmissionRequest(arq.into())` fits either way.
//! - **Simple types.** BOOLEAN `bool`; INTEGER the smallest of `u8`, `u16`, `u32`, `i32` that holds
//!   its range, else `i64`, and [`Integer`](crate::per::Integer) for the
//!   random numbers of H.235, which may be longer; OCTET STRING of fixed size `[u8; N]`, of others `Bytes`, which share
//!   the message's memory; open types `Bytes`; BIT STRING [`BitString`](crate::per::BitString);
//!   OBJECT IDENTIFIER [`Oid`](crate::per::Oid); BMPString
//!   [`BmpString`](crate::per::BmpString); all other strings `String`; SEQUENCE OF and SET OF
//!   `Vec`. The constraints behind `as` are checked in both directions. The standard's names of
//!   simple types (`RequestSeqNum`) live on as names of such constraints, and are private.
//!
//! [`SetupUuie`]: h225::SetupUuie
//! [`TransportAddressIpAddress`]: h225::TransportAddressIpAddress

pub mod h225;
pub mod h235;
pub mod h245;
pub mod h450;
pub mod h460;
