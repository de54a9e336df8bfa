//! dwCallID: a number for each call hub, made of H.323's names for a call.
//!
//! In: a call's conferenceID, callIdentifier, call reference and goal; the time. Out: the number of its hub.
//!
//! ```text
//!   Setup ── the hub of its conferenceID ── none yet ──────────────────────────▶ one of its own, by conferenceID
//!                 │ there is one
//!                 ├── goal join, invite ───────────────────────────────────────▶ that
//!                 ├── goal create, the name of a call in it (its other end) ───▶ that
//!                 └── goal create, another name: the conferenceID is no name ──▶ one of its own, by callIdentifier
//! ```
//!
//! The number is never 0, stands for one hub only, and is given to another no sooner than [`GRACE`] after the last call
//! has left; who joins the same conference within that time has it again.
//!
//! What a call is called: callIdentifier, which its originator draws and every message has; of a version 1 peer, which has
//! none, conferenceID, call reference and its transport address together. A gateway that names every call of its the
//! same conference, or names none (zero), merges nobody: its calls create it each, and go by their own names. A call that
//! is forwarded takes another callIdentifier and stays in its hub; one that is sent into another conference goes there.
//!
//! Not here: hubs as applications see them (`broker`); whether a conference may be joined (`gate.rs`).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use offhook_h323::ConferenceGoal;

use crate::provider::Inner;

/// How long a number stays with a hub that nobody is in any more.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// The most hubs that nobody is in; beyond them the one left first is forgotten before its time.
const MAX_IDLE: usize = 16_384;

/// A call as H.225.0 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    /// callIdentifier; zero from peers of version 1.
    pub(crate) call: [u8; 16],
    /// conferenceID; zero if there is none.
    pub(crate) conference: [u8; 16],
    /// The call reference value.
    pub(crate) reference: u16,
    /// The peer's end of the call signalling connection.
    pub(crate) peer: SocketAddr,
    /// What the call does to its conference.
    pub(crate) goal: ConferenceGoal,
}

/// One call's own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum CallName {
    Identifier([u8; 16]),
    Reference { conference: [u8; 16], reference: u16, peer: SocketAddr },
}

/// What a hub goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Conference([u8; 16]),
    Call(CallName),
}

impl Names {
    fn own(&self) -> CallName {
        match self.call {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => {
                let Self { conference, reference, peer, .. } = *self;
                CallName::Reference { conference, reference, peer }
            }
            identifier => CallName::Identifier(identifier),
        }
    }
}

/// The hubs of a provider.
#[derive(Debug, Default)]
pub(crate) struct Hubs {
    by_key: HashMap<Key, u32>,
    hubs: HashMap<u32, Hub>,
    /// Hubs that nobody is in, in the order of leaving; some may have been joined again.
    idle: VecDeque<(Duration, u32)>,
    last: u32,
}

#[derive(Debug)]
struct Hub {
    /// One, and those of forwarded calls.
    keys: Vec<Key>,
    /// Names of the calls in it, and how many ends of each are.
    calls: HashMap<CallName, usize>,
    /// When the last of them left.
    idle_since: Option<Duration>,
}

impl Hubs {
    /// A call, or one end of it, comes to be: the number of its hub. `join` and [`leave`](Self::leave) come in pairs.
    pub(crate) fn join(&mut self, now: Duration, names: &Names) -> u32 {
        self.forget(now);
        let own = names.own();
        let key = self.key(names, own);
        let number = match self.by_key.get(&key) {
            Some(number) => *number,
            None => self.found(key),
        };
        if let Some(hub) = self.hubs.get_mut(&number) {
            *hub.calls.entry(own).or_default() += 1;
            hub.idle_since = None;
        }
        number
    }

    /// The call that joined under these names has gone from the hub.
    pub(crate) fn leave(&mut self, now: Duration, number: u32, names: &Names) {
        let Some(hub) = self.hubs.get_mut(&number) else { return };
        if let Entry::Occupied(mut ends) = hub.calls.entry(names.own()) {
            *ends.get_mut() -= 1;
            if *ends.get() == 0 {
                ends.remove();
            }
        }
        if hub.calls.is_empty() && hub.idle_since.is_none() {
            hub.idle_since = Some(now);
            self.idle.push_back((now, number));
        }
        self.forget(now);
    }

    /// A call goes on under other names: the number of its hub from now on.
    pub(crate) fn rename(&mut self, now: Duration, number: u32, old: &Names, new: &Names) -> u32 {
        if old.conference != new.conference {
            let joined = self.join(now, new);
            self.leave(now, number, old);
            return joined;
        }
        let name = Key::Call(new.own());
        if let Some(hub) = self.hubs.get_mut(&number) {
            *hub.calls.entry(new.own()).or_default() += 1;
            // Where the conferenceID is no name, the far end comes by the call's.
            if hub.keys.contains(&Key::Call(old.own()))
                && let Entry::Vacant(free) = self.by_key.entry(name)
            {
                free.insert(number);
                hub.keys.push(name);
            }
        }
        self.leave(now, number, old);
        number
    }

    fn key(&self, names: &Names, own: CallName) -> Key {
        let conference = Key::Conference(names.conference);
        if names.conference == [0; 16] {
            return Key::Call(own);
        }
        let Some(hub) = self.by_key.get(&conference).and_then(|number| self.hubs.get(number)) else {
            // One of several that create it, the others of which are still here under their own names.
            return match self.by_key.contains_key(&Key::Call(own)) {
                true => Key::Call(own),
                false => conference,
            };
        };
        let creates = names.goal == ConferenceGoal::Create;
        if creates && !hub.calls.contains_key(&own) { Key::Call(own) } else { conference }
    }

    /// A new hub.
    fn found(&mut self, key: Key) -> u32 {
        // There are fewer hubs than numbers: this ends.
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.hubs.contains_key(&self.last) {
                break;
            }
        }
        self.hubs.insert(self.last, Hub { keys: vec![key], calls: HashMap::new(), idle_since: None });
        self.by_key.insert(key, self.last);
        self.last
    }

    /// Hubs whose time has passed.
    fn forget(&mut self, now: Duration) {
        while let Some((since, number)) = self.idle.front().copied() {
            if self.idle.len() <= MAX_IDLE && now.saturating_sub(since) < GRACE {
                return;
            }
            self.idle.pop_front();
            // One that was joined again meanwhile stays, and so does one that was left again later.
            if let Entry::Occupied(hub) = self.hubs.entry(number)
                && hub.get().idle_since == Some(since)
            {
                for key in hub.remove().keys {
                    self.by_key.remove(&key);
                }
            }
        }
    }
}

/// A call's place in its hub, until this is dropped.
pub(crate) struct Place {
    inner: Arc<Inner>,
    names: Names,
    number: u32,
}

impl Place {
    pub(crate) fn join(inner: &Arc<Inner>, names: Names) -> Self {
        let number = inner.hubs().join(inner.now(), &names);
        Self { inner: Arc::clone(inner), names, number }
    }

    /// dwCallID.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The call goes on under these names. The number it had, if it has another now.
    pub(crate) fn rename(&mut self, names: Names) -> Option<u32> {
        let number = self.inner.hubs().rename(self.inner.now(), self.number, &self.names, &names);
        self.names = names;
        let before = std::mem::replace(&mut self.number, number);
        (before != number).then_some(before)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.hubs().leave(self.inner.now(), self.number, &self.names);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ConferenceGoal::{Create, Invite, Join};
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn names(conference: u8, call: u8, goal: ConferenceGoal) -> Names {
        let peer = ([10, 0, 0, 1], 1720).into();
        Names { call: [call; 16], conference: [conference; 16], reference: 7, peer, goal }
    }

    #[test]
    fn both_ends_of_a_call_are_in_one_hub_and_strangers_in_another() {
        let mut hubs = Hubs::default();
        let caller = hubs.join(SECOND, &names(1, 1, Create));
        assert_eq!(hubs.join(SECOND, &names(1, 1, Create)), caller);
        assert_ne!(hubs.join(SECOND, &names(2, 2, Create)), caller);
    }

    #[test]
    fn who_joins_a_conference_or_is_invited_to_it_is_in_its_hub() {
        let mut hubs = Hubs::default();
        let first = hubs.join(SECOND, &names(1, 1, Create));
        assert_eq!(hubs.join(SECOND, &names(1, 2, Join)), first);
        assert_eq!(hubs.join(SECOND, &names(1, 3, Invite)), first);
        assert_eq!(hubs.join(SECOND, &names(1, 3, Invite)), first, "its other end");
    }

    #[test]
    fn a_gateway_with_one_conference_for_all_its_calls_or_none_merges_nobody() {
        for conference in [9, 0] {
            let mut hubs = Hubs::default();
            let calls = [1, 2, 3].map(|call| names(conference, call, Create));
            let numbers = calls.map(|call| hubs.join(SECOND, &call));
            assert_eq!(HashSet::from(numbers).len(), 3, "{numbers:?}");
            // The other ends of the same calls, in whatever order, and after the first has gone.
            assert_eq!(hubs.join(SECOND, &calls[2]), numbers[2]);
            hubs.leave(SECOND, numbers[0], &calls[0]);
            assert_eq!(hubs.join(SECOND, &calls[1]), numbers[1]);
            hubs.forget(SECOND + GRACE);
            assert_eq!(
                hubs.join(SECOND + GRACE, &calls[1]),
                numbers[1],
                "not by the conference that is free now"
            );
        }
    }

    #[test]
    fn a_peer_of_version_1_is_told_by_reference_and_address() {
        let mut hubs = Hubs::default();
        let old = |conference, reference, port| Names {
            reference,
            peer: ([10, 0, 0, 1], port).into(),
            ..names(conference, 0, Create)
        };
        let calls = [old(0, 1, 5000), old(0, 2, 5000), old(0, 1, 5001), old(3, 1, 5000), old(3, 2, 5000)];
        let numbers = calls.map(|call| hubs.join(SECOND, &call));
        assert_eq!(HashSet::from(numbers).len(), 5, "{numbers:?}");
    }

    #[test]
    fn a_forwarded_call_stays_and_its_new_end_finds_it() {
        for conference in [1, 9] {
            let mut hubs = Hubs::default();
            // The conference 9 is no name: another call creates it, too.
            hubs.join(SECOND, &names(9, 7, Create));
            let (before, after) = (names(conference, 1, Create), names(conference, 2, Create));
            let number = hubs.join(SECOND, &before);
            assert_eq!(hubs.rename(SECOND, number, &before, &after), number);
            assert_eq!(hubs.join(SECOND, &after), number);
            hubs.leave(SECOND, number, &after);
            hubs.leave(SECOND, number, &after);
            hubs.forget(SECOND * 2 + GRACE);
            assert_ne!(hubs.join(SECOND * 2 + GRACE, &after), number, "nothing is left of it");
        }
    }

    #[test]
    fn a_call_that_is_sent_into_a_conference_goes_there() {
        let mut hubs = Hubs::default();
        let conference = hubs.join(SECOND, &names(5, 5, Create));
        let before = names(1, 1, Create);
        let number = hubs.join(SECOND, &before);
        assert_eq!(hubs.rename(SECOND, number, &before, &names(5, 2, Join)), conference);
    }

    #[test]
    fn a_conference_that_is_joined_again_soon_has_its_number_and_later_another() {
        let mut hubs = Hubs::default();
        let first = names(1, 1, Create);
        let number = hubs.join(SECOND, &first);
        hubs.leave(SECOND, number, &first);
        let second = names(1, 2, Join);
        assert_eq!(hubs.join(SECOND * 2, &second), number);
        hubs.leave(SECOND * 3, number, &second);
        let late = SECOND * 3 + GRACE;
        assert_ne!(hubs.join(late, &second), number);
    }

    #[test]
    fn numbers_go_round_without_zero_and_past_those_in_use() {
        let mut hubs = Hubs { last: u32::MAX - 1, ..Hubs::default() };
        let first = hubs.join(SECOND, &names(1, 1, Create));
        let second = hubs.join(SECOND, &names(2, 2, Create));
        assert_eq!((first, second), (u32::MAX, 1));
        hubs.last = u32::MAX - 1;
        assert_eq!(hubs.join(SECOND, &names(3, 3, Create)), 2);
    }

    #[test]
    fn a_flood_of_calls_leaves_a_bounded_number_of_hubs() {
        let mut hubs = Hubs::default();
        for n in 0..100_000u32 {
            let mut call = names(0, 0, Create);
            call.call[..4].copy_from_slice(&(n + 1).to_be_bytes());
            let number = hubs.join(SECOND, &call);
            hubs.leave(SECOND, number, &call);
        }
        assert!(hubs.hubs.len() <= MAX_IDLE && hubs.by_key.len() <= MAX_IDLE && hubs.idle.len() <= MAX_IDLE);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join(Names),
        Leave(prop::sample::Index),
        Forward(prop::sample::Index, u8),
        Wait(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let goal = prop_oneof![3 => Just(Create), 1 => Just(Join), 1 => Just(Invite)];
        let any_names = (0..4u8, 0..6u8, 1..3u16, goal).prop_map(|(conference, call, reference, goal)| {
            Names { reference, ..names(conference, call, goal) }
        });
        let step = prop_oneof![
            4 => any_names.prop_map(Step::Join),
            3 => any::<prop::sample::Index>().prop_map(Step::Leave),
            1 => (any::<prop::sample::Index>(), 1..6u8).prop_map(|(at, call)| Step::Forward(at, call)),
            1 => (0..90u8).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 1..80)
    }

    /// What a hub was when the last call left it.
    #[derive(Default)]
    struct Left {
        since: Duration,
        conferences: HashSet<[u8; 16]>,
        calls: HashSet<CallName>,
    }

    proptest! {
        #[test]
        fn numbers_are_names(steps in steps()) {
            let mut hubs = Hubs::default();
            let mut now = SECOND;
            let mut here: Vec<(u32, Names)> = Vec::new();
            // The names that calls in each hub have had.
            let mut ever: HashMap<u32, HashSet<CallName>> = HashMap::new();
            let mut left: HashMap<u32, Left> = HashMap::new();
            for step in steps {
                match step {
                    Step::Join(names) => {
                        let number = hubs.join(now, &names);
                        prop_assert_ne!(number, 0);
                        let others = || here.iter().filter(|(other, ..)| *other == number);
                        // Whoever comes to a hub has reason to: the call, or the conference unless he makes one.
                        let known = ever.get(&number).is_some_and(|ever| ever.contains(&names.own()));
                        let conference = others().any(|(_, other)| other.conference == names.conference);
                        let enters = names.goal != Create && names.conference != [0; 16] && conference;
                        prop_assert!(known || enters || others().next().is_none(), "a stranger's hub: {:?}", names);
                        // A number that was left is another's no sooner than it may be.
                        if let Some(Left { since, conferences, calls }) = left.remove(&number) {
                            let same = conferences.contains(&names.conference) || calls.contains(&names.own());
                            prop_assert!(same || now - since >= GRACE, "{:?} after {:?}", names, now - since);
                            if same {
                                ever.entry(number).or_default().extend(calls);
                            }
                        }
                        ever.entry(number).or_default().insert(names.own());
                        here.push((number, names));
                    }
                    Step::Leave(at) if !here.is_empty() => {
                        let (number, names) = here.swap_remove(at.index(here.len()));
                        hubs.leave(now, number, &names);
                        if !here.iter().any(|(other, ..)| *other == number) {
                            let entry = left.entry(number).or_default();
                            entry.since = now;
                            entry.conferences.insert(names.conference);
                            entry.calls.extend(ever.remove(&number).unwrap_or_default());
                        }
                    }
                    Step::Forward(at, call) if !here.is_empty() => {
                        let at = at.index(here.len());
                        let (number, old) = here[at];
                        let new = Names { call: [call; 16], ..old };
                        prop_assert_eq!(hubs.rename(now, number, &old, &new), number);
                        here[at].1 = new;
                        ever.entry(number).or_default().insert(new.own());
                    }
                    Step::Wait(seconds) => now += SECOND * u32::from(seconds),
                    Step::Leave(_) | Step::Forward(..) => {}
                }
                for (number, names) in &here {
                    let hub = &hubs.hubs[number];
                    prop_assert!(hub.calls.contains_key(&names.own()) && hub.idle_since.is_none());
                }
                // Each key leads to a hub that has it, and back.
                let keys: usize = hubs.hubs.values().map(|hub| hub.keys.len()).sum();
                prop_assert_eq!(keys, hubs.by_key.len());
                for (key, number) in &hubs.by_key {
                    prop_assert!(hubs.hubs[number].keys.contains(key));
                }
            }
            for (number, names) in here.drain(..) {
                hubs.leave(now, number, &names);
            }
            hubs.forget(now + GRACE);
            prop_assert!(hubs.hubs.is_empty() && hubs.by_key.is_empty() && hubs.idle.is_empty());
        }
    }
}
