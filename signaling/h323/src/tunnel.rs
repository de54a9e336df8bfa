//! Where H.245 runs: inside the call signalling channel or on a connection of its own (H.323 8.2).
//! In: h245Tunnelling flags and h245Addresses, ours and the peer's. Out: the path.
//!
//! ```text
//!                 both say TRUE
//!   Undecided ─────────────────────▶ Tunnelled ── peer says FALSE later ──▶ Undecided
//!       │ one says FALSE, or nothing by Connect
//!       ├── peer's h245Address ─────▶ Connecting ─┐
//!       └── ours: ListenPending ────▶ Listening ──┴▶ Connected ──▶ Closed
//! ```
//!
//! Not here: when H.245 is wanted at all (`call::control`).

use std::net::SocketAddr;

/// The h245Tunnelling flags of both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tunnelling {
    ours: bool,
    theirs: Option<bool>,
}

impl Tunnelling {
    pub(crate) fn new(ours: bool) -> Self {
        Self { ours, theirs: None }
    }

    /// The flag that our messages carry.
    pub(crate) fn ours(self) -> bool {
        self.ours && self.theirs != Some(false)
    }

    /// A message of the peer carries `flag`. FALSE once is FALSE for the call (H.323 8.2.1); a message
    /// without the flag says nothing, for real peers leave it out of some.
    pub(crate) fn hear(&mut self, flag: Option<bool>) {
        if let Some(flag) = flag
            && self.theirs != Some(false)
        {
            self.theirs = Some(flag);
        }
    }

    /// Nothing was said by the time it had to be: no tunnelling (a version 1 peer).
    pub(crate) fn settle(&mut self) {
        self.theirs.get_or_insert(false);
    }

    pub(crate) fn is_active(self) -> bool {
        self.ours && self.theirs == Some(true)
    }

    pub(crate) fn is_impossible(self) -> bool {
        !self.ours || self.theirs == Some(false)
    }
}

/// The way of H.245 messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Undecided,
    Tunnelled,
    /// The driver was asked to listen.
    ListenPending,
    /// The driver listens here; the peer has been, or will be, told.
    Listening(SocketAddr),
    Connecting,
    Connected,
    Closed,
}

impl Path {
    /// A socket of H.245 exists or is being made.
    pub(crate) fn has_socket(self) -> bool {
        matches!(self, Self::ListenPending | Self::Listening(_) | Self::Connecting | Self::Connected)
    }
}

/// Both sides listen and both were told an address: whether we are the one to connect. H.323 8.2: the
/// endpoint with the numerically smaller address gives way, its own connection is not made.
pub(crate) fn connects_on_crossing(ours: SocketAddr, theirs: SocketAddr) -> bool {
    (ours.ip(), ours.port()) > (theirs.ip(), theirs.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_false_is_false_for_the_call() {
        let mut tunnelling = Tunnelling::new(true);
        assert!(!tunnelling.is_active() && !tunnelling.is_impossible());
        tunnelling.hear(Some(true));
        tunnelling.hear(None);
        assert!(tunnelling.is_active());
        tunnelling.hear(Some(false));
        tunnelling.hear(Some(true));
        assert!(tunnelling.is_impossible() && !tunnelling.ours());
    }

    #[test]
    fn exactly_one_side_connects_when_both_listen() {
        let a: SocketAddr = ([10, 0, 0, 1], 5000).into();
        let b: SocketAddr = ([10, 0, 0, 2], 4000).into();
        assert_ne!(connects_on_crossing(a, b), connects_on_crossing(b, a));
    }
}
