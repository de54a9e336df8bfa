//! What real systems do otherwise than the standards say, as data.
//! In: who the peer says that it is (VendorIdentifier, H.221 codes). Out: [`Quirks`], neutral switches.
//!
//! A row has to come from something that was seen: a capture, the system's source. The machines ask the switches
//! and never the vendor.

use crate::PeerInfo;

/// What not to expect of a peer. The default expects everything that the standards promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// The Call state element of its Status says nothing about the call: a mismatch ends no call (Q.931 5.8.11).
    pub status_names_no_state: bool,
    /// It offers RFC 4733 telephone-events and does not hear them: digits go by H.245 or Q.931.
    pub deaf_to_telephone_events: bool,
    /// Its Setup says h245Tunnelling whenever it proposes fast connect, tunnelling or not: H.245 gets a connection.
    pub claims_to_tunnel: bool,
    /// Of its fastStart proposals it recognises the first each way in an answer, whatever the answer's codec.
    pub knows_first_proposals: bool,
    /// Calling, after fast connect, it makes a connection for H.245 if Connect says where, and never for startH245.
    pub wants_h245_address_in_connect: bool,
}

impl Quirks {
    /// Both rows' switches.
    const fn and(self, other: Self) -> Self {
        Self {
            status_names_no_state: self.status_names_no_state || other.status_names_no_state,
            deaf_to_telephone_events: self.deaf_to_telephone_events || other.deaf_to_telephone_events,
            claims_to_tunnel: self.claims_to_tunnel || other.claims_to_tunnel,
            knows_first_proposals: self.knows_first_proposals || other.knows_first_proposals,
            wants_h245_address_in_connect: self.wants_h245_address_in_connect
                || other.wants_h245_address_in_connect,
        }
    }
}

/// One row: whom it matches and what he does. What is `None` matches everybody.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// T.35 country code, extension and manufacturer code.
    codes: Option<(u8, u8, u16)>,
    /// How productId begins.
    product: Option<&'static str>,
    /// How versionId begins.
    version: Option<&'static str>,
    quirks: Quirks,
}

const NONE: Quirks = Quirks {
    status_names_no_state: false,
    deaf_to_telephone_events: false,
    claims_to_tunnel: false,
    knows_first_proposals: false,
    wants_h245_address_in_connect: false,
};

const TABLE: &[Row] = &[
    // OpenH323 and its descendants (H323Plus 1.28 in the captures): Q931::BuildStatus writes call state 10, Active,
    // whatever the call's state is.
    Row {
        codes: Some((9, 0, 61)),
        product: None,
        version: None,
        quirks: Quirks { status_names_no_state: true, ..NONE },
    },
    // Asterisk's chan_ooh323 (v0.8.3m with Asterisk 20): negotiates telephone-events and drops them on receipt. After a
    // Connect without h245Address it queues its first H.245 message and takes the queue for a connection from then on.
    Row {
        codes: Some((184, 0, 39)),
        product: Some("ooh323"),
        version: None,
        quirks: Quirks { deaf_to_telephone_events: true, wants_h245_address_in_connect: true, ..NONE },
    },
    // Objective Systems' ooh323c (v0.9.4): Setup with fastStart says TRUE also where tunnelling is switched off, and what
    // comes through the tunnel is passed over then. It keeps every codec after the first under session 0, while Setup
    // says 1, and finds none of them again.
    Row {
        codes: Some((181, 0, 54)),
        product: Some("objsys"),
        version: None,
        quirks: Quirks { claims_to_tunnel: true, knows_first_proposals: true, ..NONE },
    },
];

impl Row {
    fn matches(&self, peer: &PeerInfo) -> bool {
        let begins = |text: &Option<String>, with: Option<&str>| {
            with.is_none_or(|with| text.as_deref().is_some_and(|text| text.starts_with(with)))
        };
        self.codes.is_none_or(|codes| peer.manufacturer == Some(codes))
            && begins(&peer.product, self.product)
            && begins(&peer.version, self.version)
    }
}

/// The switches of every row that matches `peer`.
pub(crate) fn of(peer: &PeerInfo) -> Quirks {
    TABLE.iter().filter(|row| row.matches(peer)).fold(NONE, |all, row| all.and(row.quirks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(codes: (u8, u8, u16), product: &str, version: &str) -> PeerInfo {
        PeerInfo {
            manufacturer: Some(codes),
            product: Some(product.to_owned()),
            version: Some(version.to_owned()),
            ..PeerInfo::default()
        }
    }

    // One test a row, with the identifiers as the captures have them.

    #[test]
    fn h323plus_says_active_in_every_status() {
        let quirks = of(&peer((9, 0, 61), "H323Plus CallGen", "2.3.0 (H323plus v1.28.0)"));
        assert_eq!(quirks, Quirks { status_names_no_state: true, ..NONE });
    }

    #[test]
    fn asterisk_is_deaf_to_telephone_events_and_to_start_h245() {
        let quirks = of(&peer((184, 0, 39), "ooh323", "v0.8.3m"));
        let expected = Quirks { deaf_to_telephone_events: true, wants_h245_address_in_connect: true, ..NONE };
        assert_eq!(quirks, expected);
    }

    #[test]
    fn ooh323c_claims_to_tunnel_and_forgets_what_it_proposed() {
        let quirks = of(&peer((181, 0, 54), "objsys", "v0.9.4"));
        assert_eq!(quirks, Quirks { claims_to_tunnel: true, knows_first_proposals: true, ..NONE });
    }

    #[test]
    fn who_is_in_no_row_is_expected_to_follow_the_standards() {
        for stranger in [
            PeerInfo::default(),
            peer((181, 0, 54), "other", "v0.9.4"),
            peer((184, 0, 39), "other", "v0.8.3m"),
            peer((0, 0, 0), "offhook", "0.1.0"),
        ] {
            assert_eq!(of(&stranger), Quirks::default(), "{stranger:?}");
        }
    }

    #[test]
    fn every_row_names_somebody_and_changes_something() {
        for row in TABLE {
            assert!(row.codes.is_some() || row.product.is_some(), "{row:?}");
            assert_ne!(row.quirks, NONE, "{row:?}");
        }
    }
}
