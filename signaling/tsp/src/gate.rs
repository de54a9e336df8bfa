//! Who may come in: bounds on silent connections, rates and refusals, and what was turned away.
//!
//! In: a connection's host, the time. Out: leave to go on, or which limit it has met; [`Counters`].
//! Not here: the number of calls (`provider.rs`), how a refusal is said (`refuse.rs`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use offhook_h323::{ConnectionCounters, LimitsHit};

use crate::config::H323Config;

/// The most hosts whose rates are remembered; with more, those who have been quiet longest are forgotten.
const MAX_HOSTS: usize = 4096;

/// How often limits were met since the provider began. Each was refused as its limit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Setups refused because all calls of `max_calls` are up.
    pub calls: u64,
    /// Connections closed for `max_silent` or `max_silent_per_host`.
    pub silent: u64,
    /// Setups refused for `connections_per_second`.
    pub rate: u64,
    /// Connections that were to be refused and were closed for `max_refusals`.
    pub unanswered: u64,
    /// Setups that join a conference that is not here: refused with invalidCID.
    pub conferences: u64,
    /// TPKTs longer than [`Limits::tpkt`](offhook_h323::Limits::tpkt).
    pub tpkt: u64,
    /// Calls released because too much waited to be sent.
    pub overload: u64,
    /// Messages with more fastStart elements than are looked at.
    pub fast_start: u64,
    /// TerminalCapabilitySets with more entries than are kept.
    pub capabilities: u64,
    /// Status messages that were not sent any more.
    pub status_answers: u64,
    /// Calls that took a connection which was there before them, either way.
    pub shared: u64,
    /// Setups refused with newConnectionNeeded: their connection has no room for one more call.
    pub connection_full: u64,
    /// Setups with the call reference of a call that is up: ignored.
    pub call_reference_collisions: u64,
    /// Calls that went on over a new connection after theirs was lost.
    pub resumed: u64,
}

/// One limit's count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: Count,
    pub(crate) silent: Count,
    pub(crate) rate: Count,
    pub(crate) unanswered: Count,
    pub(crate) conferences: Count,
    pub(crate) shared: Count,
    pub(crate) resumed: Count,
    connection_full: Count,
    collisions: Count,
    tpkt: Count,
    overload: Count,
    fast_start: Count,
    capabilities: Count,
    status_answers: Count,
}

/// The provider's door.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    silent: Mutex<HashMap<IpAddr, usize>>,
    rates: Mutex<HashMap<IpAddr, Bucket>>,
    conferences: Mutex<HashMap<[u8; 16], usize>>,
    refusing: AtomicUsize,
    pub(crate) counts: Counts,
}

/// A token bucket: `level` connections may come now.
#[derive(Debug)]
struct Bucket {
    level: f64,
    at: Duration,
}

/// A connection that has not said yet what call it is for. Dropped when it has, or when it ends.
pub(crate) struct Silent {
    gate: Arc<Gate>,
    host: IpAddr,
}

impl Drop for Silent {
    fn drop(&mut self) {
        leave(&mut lock(&self.gate.silent), self.host);
    }
}

/// A refusal under way.
pub(crate) struct Refusing(Arc<Gate>);

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.refusing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call's part in its conference.
pub(crate) struct Member {
    gate: Arc<Gate>,
    conference: [u8; 16],
}

impl Drop for Member {
    fn drop(&mut self) {
        leave(&mut lock(&self.gate.conferences), self.conference);
    }
}

fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these; should it all the same, the maps are still whole.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Gate {
    /// Counts a connection of `host` that has said nothing yet; `None` if there are too many.
    pub(crate) fn silent(self: &Arc<Self>, config: &H323Config, host: IpAddr) -> Option<Silent> {
        let mut silent = lock(&self.silent);
        let all: usize = silent.values().sum();
        let count = silent.get(&host).copied().unwrap_or_default();
        if all >= config.max_silent || count >= config.max_silent_per_host {
            self.counts.silent.add(1);
            return None;
        }
        silent.insert(host, count + 1);
        Some(Silent { gate: Arc::clone(self), host })
    }

    /// Whether `host` may make one more connection now.
    pub(crate) fn in_rate(&self, config: &H323Config, host: IpAddr, now: Duration) -> bool {
        let rate = f64::from(config.connections_per_second.max(1));
        let full = rate * 2.0;
        let mut rates = lock(&self.rates);
        if rates.len() >= MAX_HOSTS && !rates.contains_key(&host) {
            // A bucket that is full again says nothing; if that is not enough, those go that were used longest ago, half
            // of all at once so that a flood of hosts does not make each of them dear.
            rates.retain(|_, bucket| bucket.filled(rate, full, now) < full);
            if rates.len() >= MAX_HOSTS {
                let mut by_age: Vec<_> = rates.iter().map(|(host, bucket)| (bucket.at, *host)).collect();
                by_age.sort_unstable();
                for (_, host) in by_age.iter().take(MAX_HOSTS / 2) {
                    rates.remove(host);
                }
            }
        }
        let bucket = rates.entry(host).or_insert(Bucket { level: full, at: now });
        bucket.level = bucket.filled(rate, full, now);
        bucket.at = now;
        if bucket.level < 1.0 {
            self.counts.rate.add(1);
            return false;
        }
        bucket.level -= 1.0;
        true
    }

    /// Begins a refusal; `None` if too many are under way.
    pub(crate) fn refusing(self: &Arc<Self>, config: &H323Config) -> Option<Refusing> {
        let begun = self.refusing.fetch_add(1, Ordering::Relaxed);
        let refusing = Refusing(Arc::clone(self));
        if begun >= config.max_refusals {
            self.counts.unanswered.add(1);
            return None;
        }
        Some(refusing)
    }

    /// A call becomes part of `conference`.
    pub(crate) fn join(self: &Arc<Self>, conference: [u8; 16]) -> Member {
        *lock(&self.conferences).entry(conference).or_default() += 1;
        Member { gate: Arc::clone(self), conference }
    }

    /// Whether any call is part of `conference`.
    pub(crate) fn knows(&self, conference: &[u8; 16]) -> bool {
        lock(&self.conferences).contains_key(conference)
    }

    /// Adds what a call has met in its time.
    pub(crate) fn add(&self, hit: LimitsHit) {
        self.counts.tpkt.add(hit.tpkt.into());
        self.counts.overload.add(hit.overload.into());
        self.counts.fast_start.add(hit.fast_start.into());
        self.counts.capabilities.add(hit.capabilities.into());
        self.counts.status_answers.add(hit.status_answers.into());
    }

    /// Adds what a connection of several calls has met in its time.
    pub(crate) fn add_connection(&self, hit: ConnectionCounters) {
        self.counts.connection_full.add(hit.refused.into());
        self.counts.collisions.add(hit.collisions.into());
        self.counts.status_answers.add(hit.silenced.into());
    }

    pub(crate) fn counters(&self) -> Counters {
        let counts = &self.counts;
        Counters {
            calls: counts.calls.read(),
            silent: counts.silent.read(),
            rate: counts.rate.read(),
            unanswered: counts.unanswered.read(),
            conferences: counts.conferences.read(),
            tpkt: counts.tpkt.read(),
            overload: counts.overload.read(),
            fast_start: counts.fast_start.read(),
            capabilities: counts.capabilities.read(),
            status_answers: counts.status_answers.read(),
            shared: counts.shared.read(),
            connection_full: counts.connection_full.read(),
            call_reference_collisions: counts.collisions.read(),
            resumed: counts.resumed.read(),
        }
    }
}

impl Bucket {
    fn filled(&self, rate: f64, full: f64, now: Duration) -> f64 {
        (self.level + now.saturating_sub(self.at).as_secs_f64() * rate).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn host(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_host_may_burst_and_then_keeps_to_its_rate() {
        let gate = Gate::default();
        let config = H323Config { connections_per_second: 10, ..H323Config::default() };
        let passed = |now, tries: usize| (0..tries).filter(|_| gate.in_rate(&config, host(1), now)).count();
        assert_eq!(passed(SECOND, 50), 20);
        assert_eq!(passed(SECOND * 2, 50), 10);
        assert_eq!(passed(SECOND * 60, 50), 20);
        assert!(gate.in_rate(&config, host(2), SECOND), "another host has its own");
        assert_eq!(gate.counters().rate, 30 + 40 + 30);
    }

    #[test]
    fn hosts_are_forgotten_before_they_fill_the_memory() {
        let gate = Gate::default();
        let config = H323Config::default();
        for n in 0..20_000 {
            assert!(gate.in_rate(&config, host(n), SECOND));
        }
        assert!(lock(&gate.rates).len() <= MAX_HOSTS);
    }

    #[test]
    fn silent_connections_are_bounded_by_host_and_together() {
        let gate = Arc::new(Gate::default());
        let config = H323Config { max_silent: 3, max_silent_per_host: 2, ..H323Config::default() };
        let held = [gate.silent(&config, host(1)), gate.silent(&config, host(1))];
        assert!(held.iter().all(Option::is_some) && gate.silent(&config, host(1)).is_none());
        let other = gate.silent(&config, host(2));
        assert!(other.is_some() && gate.silent(&config, host(3)).is_none());
        drop(held);
        assert!(gate.silent(&config, host(3)).is_some());
        assert_eq!(gate.counters().silent, 2);
        drop(other);
        assert!(lock(&gate.silent).is_empty());
    }

    #[test]
    fn a_conference_lives_as_long_as_its_calls() {
        let gate = Arc::new(Gate::default());
        let (first, second) = (gate.join([1; 16]), gate.join([1; 16]));
        drop(first);
        assert!(gate.knows(&[1; 16]) && !gate.knows(&[2; 16]));
        drop(second);
        assert!(!gate.knows(&[1; 16]));
    }
}
