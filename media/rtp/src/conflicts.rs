//! Who else uses our SSRC: the table of conflicting addresses (RFC 3550 §8.2).
//! In: packets that bear our SSRC, by the address they came from. Out: collision or loop.
//! Unknown address → Collision, remembered → (again within ten intervals) Loop.
//! Not here: the change of SSRC and the BYE (`session`); conflicts between others (`members.rs`).

use std::net::SocketAddr;

/// Addresses remembered; the one not heard for longest gives way.
const MAX_CONFLICTS: usize = 16;
/// Changes of our SSRC within the time that addresses are remembered, whoever brings them about: somebody who sees our
/// packets and answers from ever other ports must not make us change for ever.
const MAX_CHANGES_IN_ALL: usize = 8;
/// Changes of our SSRC that one address can bring about before it is left alone: somebody who answers with ever other
/// names must not keep us from being heard.
const MAX_CHANGES: u8 = 4;

/// Where a packet was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    Rtp,
    Rtcp,
}

/// What a packet with our SSRC says about its sender's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Nothing.
    Untold,
    /// It bears our CNAME.
    Ours,
    /// It bears another.
    Other,
}

/// What a packet with our SSRC means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// Another source chose the same SSRC: ours is to be given up.
    Collision,
    /// Our own packets come back, or the other goes on whatever we do: to be ignored. `is_new`: not known before.
    Loop { is_new: bool },
}

/// The conflicting addresses of both paths.
#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    table: Vec<Entry>,
    /// When we were last made to change.
    changes: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    path: Path,
    address: Option<SocketAddr>,
    last_ns: u64,
    changes: u8,
    is_loop: bool,
}

impl Conflicts {
    /// Judges a packet with our SSRC by §8.2's algorithm. `span_ns`: ten report intervals, after which an address is
    /// forgotten.
    ///
    /// One step differs: the first packet from an address is no collision if it bears our own CNAME, which is random
    /// and nobody else's. A new SSRC would loop as well.
    pub(crate) fn judge(
        &mut self,
        now_ns: u64,
        span_ns: u64,
        path: Path,
        address: Option<SocketAddr>,
        name: Name,
    ) -> Conflict {
        self.table.retain(|entry| now_ns.saturating_sub(entry.last_ns) < span_ns);
        self.changes.retain(|at_ns| now_ns.saturating_sub(*at_ns) < span_ns);
        let may_change = self.changes.len() < MAX_CHANGES_IN_ALL;
        let known = self.table.iter_mut().find(|entry| entry.path == path && entry.address == address);
        let entry = match known {
            Some(entry) => entry,
            None => {
                if self.table.len() >= MAX_CONFLICTS {
                    let oldest = self.table.iter().enumerate().min_by_key(|(_, entry)| entry.last_ns);
                    if let Some((oldest, _)) = oldest {
                        self.table.swap_remove(oldest);
                    }
                }
                let is_collision = name != Name::Ours && may_change;
                let (changes, is_loop) = (u8::from(is_collision), !is_collision);
                self.table.push(Entry { path, address, last_ns: now_ns, changes, is_loop });
                return match is_collision {
                    true => self.change(now_ns),
                    false => Conflict::Loop { is_new: true },
                };
            }
        };
        entry.last_ns = entry.last_ns.max(now_ns);
        if name == Name::Other && entry.changes < MAX_CHANGES && may_change {
            entry.changes += 1;
            return self.change(now_ns);
        }
        Conflict::Loop { is_new: !std::mem::replace(&mut entry.is_loop, true) }
    }

    fn change(&mut self, now_ns: u64) -> Conflict {
        self.changes.push(now_ns);
        Conflict::Collision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: u64 = 100;
    const COLLISION: Conflict = Conflict::Collision;

    fn at(port: u16) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 0, 2, 1], port)))
    }

    fn again(is_new: bool) -> Conflict {
        Conflict::Loop { is_new }
    }

    #[test]
    fn an_address_collides_once_and_loops_from_then_on_until_it_is_forgotten() {
        let mut conflicts = Conflicts::default();
        let mut judge = |now_ns, port| conflicts.judge(now_ns, SPAN, Path::Rtp, at(port), Name::Untold);
        assert_eq!(judge(0, 1), COLLISION);
        assert_eq!((judge(99, 1), judge(150, 1)), (again(true), again(false)));
        assert_eq!(judge(150, 2), COLLISION, "another address");
        assert_eq!(judge(250, 1), COLLISION, "ten intervals without it");
    }

    #[test]
    fn data_and_control_addresses_are_kept_apart() {
        let mut conflicts = Conflicts::default();
        assert_eq!(conflicts.judge(0, SPAN, Path::Rtp, at(1), Name::Untold), COLLISION);
        assert_eq!(conflicts.judge(0, SPAN, Path::Rtcp, at(1), Name::Untold), COLLISION);
        assert_eq!(conflicts.judge(0, SPAN, Path::Rtcp, at(1), Name::Untold), again(true));
    }

    #[test]
    fn another_name_from_a_known_address_is_a_new_collision_but_not_for_ever() {
        let mut conflicts = Conflicts::default();
        let verdicts = [0; 6].map(|now_ns| conflicts.judge(now_ns, SPAN, Path::Rtcp, at(1), Name::Other));
        assert_eq!(verdicts, [COLLISION, COLLISION, COLLISION, COLLISION, again(true), again(false)]);
    }

    #[test]
    fn our_own_name_is_a_loop_at_once() {
        let mut conflicts = Conflicts::default();
        assert_eq!(conflicts.judge(0, SPAN, Path::Rtcp, at(1), Name::Ours), again(true));
        assert_eq!(conflicts.judge(0, SPAN, Path::Rtcp, at(1), Name::Untold), again(false));
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_makes_us_change_eight_times_and_no_more() {
        let mut conflicts = Conflicts::default();
        let mut collisions = 0;
        for port in 0..1_000 {
            let name = if port % 2 == 0 { Name::Untold } else { Name::Other };
            let verdict = conflicts.judge(u64::from(port), 10_000, Path::Rtp, at(port), name);
            collisions += usize::from(verdict == COLLISION);
        }
        assert_eq!((conflicts.table.len(), collisions), (MAX_CONFLICTS, MAX_CHANGES_IN_ALL));
        assert!(conflicts.changes.len() <= MAX_CHANGES_IN_ALL);
        let after = conflicts.judge(10_000, 10_000, Path::Rtp, at(1_000), Name::Untold);
        assert_eq!(after, COLLISION, "the first change is long ago");
        assert_eq!(conflicts.judge(10_000, 10_000, Path::Rtp, at(999), Name::Other), again(false));
    }
}
