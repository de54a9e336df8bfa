//! Where the sound is in time: it is shortened, lengthened or dropped as the policy says.
//! In: the clock and what waits. Out: a changed future; what was stretched.
//! Not here: the policy (`decision.rs`), the operations themselves (`ops/`), what is heard (`hear.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use super::Playout;
use crate::Pulled;
use crate::decision::{Operation, Situation};
use crate::ops::{accelerate::accelerate, normal::normal, preemptive::preemptive_expand};
use crate::packet::PacketKind;
use crate::pitch::{Look, quiet};
use crate::store::Entry;
use crate::stream::Phase;

/// Less than this is not worth a cut, microseconds.
const LEAST_CUT_US: u64 = 2_500;
/// Most that is left out at once, milliseconds, and how far from it a better seam is looked for.
const LEAVE_OUT_MS: u32 = 100;
const SEAM_RANGE_MS: u32 = 8;
/// Packets arrive at least this long before they are needed, nanoseconds.
const MARGIN_NS: i64 = 1_000_000;

impl Playout {
    /// Stretches or drops what waits, if the policy says so.
    pub(super) fn steer(&mut self, now_ns: u64, pulled: &mut Pulled) {
        let Some(situation) = self.situation(now_ns) else { return };
        let Some(stream) = &mut self.stream else { return };
        stream.rest = stream.rest.saturating_sub(self.grid.longest);
        if stream.rest > 0 {
            return;
        }
        match situation.decide() {
            Operation::Normal => stream.easy_ns = now_ns as i64,
            Operation::Accelerate { most_ns } => {
                let removed = self.shorten(&situation, self.samples_in(most_ns));
                pulled.accelerated += removed as u32;
                self.rest_after(removed);
            }
            Operation::PreemptiveExpand { least_ns } => {
                let inserted = self.lengthen(&situation, self.samples_in(least_ns));
                pulled.expanded += inserted as u32;
                self.rest_after(inserted);
            }
            Operation::Skip { by_ns } => self.skip(self.samples_in(by_ns)),
        }
    }

    /// What the policy has to know, while sound plays.
    fn situation(&self, now_ns: u64) -> Option<Situation> {
        let stream = self.stream.filter(|stream| stream.phase == Phase::Playing)?;
        let (offset, border) = self.place(now_ns as i64, 0)?;
        Some(Situation {
            excess_ns: offset.saturating_sub(border).saturating_sub(self.estimator.deadline()),
            pull_ns: self.ns(self.grid.longest as i64),
            waited_ns: offset.saturating_sub(self.estimator.base()),
            max_ns: i64::from(self.config.max_delay_ms) * 1_000_000,
            uneasy_ns: (now_ns as i64).saturating_sub(stream.easy_ns),
            is_young: self.estimator.is_young(),
        })
    }

    /// How late the sound is against the stream's own time, and how much of that a packet may lose to the grid of
    /// pulls. The next sample is heard at `now_ns`, `filled` samples into the pull.
    fn place(&self, now_ns: i64, filled: usize) -> Option<(i64, i64)> {
        let stream = self.stream?;
        let future = self.sound.future_len();
        let offset = now_ns.saturating_sub(self.ns(stream.position - future as i64));
        let border = self.grid.latest_border(future + filled, stream.packet);
        Some((offset, self.ns(border as i64)))
    }

    /// Samples by which the sound is later than the deadline and the network of this moment need.
    fn owed(&self, now_ns: i64, filled: usize) -> usize {
        let Some((offset, border)) = self.place(now_ns, filled) else { return 0 };
        let need = self.estimator.deadline().max(self.estimator.last().saturating_add(MARGIN_NS));
        self.samples_in(offset.saturating_sub(border).saturating_sub(need))
    }

    /// Leaves out what came `late` samples late, as far as nothing needs it to be: sound that is late for a while and
    /// then in time again is worse than a piece that is missing where some was made up anyway. Of the sound after it,
    /// `seam` samples are compared with what was made up.
    pub(super) fn come_back(&mut self, now_ns: i64, filled: usize, late: usize, seam: usize) {
        let owed = self.owed(now_ns, filled).min(late).min(self.config.samples(LEAVE_OUT_MS));
        if (owed as u64) < LEAST_CUT_US * u64::from(self.config.sample_rate) / 1_000_000 {
            return;
        }
        self.decode_ahead(owed + seam);
        let most = owed.min(self.sound.future_len().saturating_sub(seam));
        let range = self.config.samples(SEAM_RANGE_MS).min(most);
        let made = self.expand.ahead().take(seam);
        let left_out = self.finder.place(made, self.sound.future(), most - range, most);
        self.sound.remove(0, left_out);
        self.stats.samples_left_out += left_out as u64;
    }

    fn shorten(&mut self, situation: &Situation, most: usize) -> usize {
        let overlap = self.finder.template();
        let packet = self.stream.map_or(1, |stream| stream.packet);
        self.decode_ahead(overlap);
        if quiet(self.sound.future(), self.config.sample_rate) >= overlap {
            self.decode_ahead(overlap + most.min(self.finder.farthest()));
            let future = self.sound.future();
            let run = quiet(future, self.config.sample_rate);
            // Any lag will do: the one that brings packets' borders onto the pulls' grid, where they cost least.
            let (grid, phase) = self.grid.phase(future.len(), packet);
            let top = (most + phase).min(self.finder.farthest()).min(run.saturating_sub(overlap));
            let lag = top.checked_sub(phase).map_or(0, |over| top - over % grid);
            if lag > 0 {
                return accelerate(&mut self.sound, lag, overlap);
            }
        }
        let Some(least) = situation.least_likeness() else { return 0 };
        if situation.is_urgent() {
            let most = most.min(self.finder.farthest());
            self.decode_ahead(overlap + most);
            let lag = self.finder.find_far(self.sound.future(), most);
            return lag.map_or(0, |lag| accelerate(&mut self.sound, lag.samples, overlap));
        }
        self.decode_ahead(overlap + self.finder.longest());
        let future = self.sound.future_len();
        let border = self.grid.latest_border(future, packet);
        let Some(lag) = self.finder.find(self.sound.future(), 0, Look::Ahead, most) else { return 0 };
        // Borders that move off the grid cost up to a pull: then a shorter lag.
        let keeps =
            |lag: usize| lag + self.grid.latest_border(future.saturating_sub(lag), packet) <= most + border;
        let lag = if keeps(lag.samples) {
            lag
        } else {
            let most = most.saturating_sub(self.grid.longest);
            let Some(lag) = self.finder.find(self.sound.future(), 0, Look::Ahead, most) else { return 0 };
            lag
        };
        if lag.likeness < least { 0 } else { accelerate(&mut self.sound, lag.samples, overlap) }
    }

    fn lengthen(&mut self, situation: &Situation, need: usize) -> usize {
        let overlap = self.finder.template();
        self.decode_ahead(overlap);
        let (signal, now) = self.sound.both();
        let packet = self.stream.map_or(1, |stream| stream.packet);
        let (grid, phase) = self.grid.phase(signal.len() - now, packet);
        // In silence what was heard just now can be heard again: as much as is needed, and on the grid.
        let lag =
            ((phase + need.max(1)).div_ceil(grid) * grid).saturating_sub(phase).min(self.finder.longest());
        let around = signal.get(now.saturating_sub(lag)..).unwrap_or_default();
        if lag > 0 && quiet(around, self.config.sample_rate) >= lag + overlap {
            return preemptive_expand(&mut self.sound, lag, overlap);
        }
        let Some(least) = situation.least_likeness() else { return 0 };
        // More than a pull more than is needed would have to be taken away again.
        match self.finder.find(signal, now, Look::Back, need + self.grid.longest) {
            Some(lag) if lag.likeness >= least => preemptive_expand(&mut self.sound, lag.samples, overlap),
            _ => 0,
        }
    }

    /// The seam of one stretching has to be heard before the next.
    fn rest_after(&mut self, stretched: usize) {
        if let Some(stream) = &mut self.stream
            && stretched > 0
        {
            stream.rest = self.finder.template();
        }
    }

    /// Drops packets that wait, up to `samples`; the seam is merged as after a loss.
    fn skip(&mut self, samples: usize) {
        let Some(mut stream) = self.stream else { return };
        let until = stream.position + samples as i64;
        let mut dropped = 0;
        while let Some(entry) = self.store.first_from(stream.next) {
            if entry.position + entry.samples as i64 > until {
                break;
            }
            self.store.remove(entry.sequence);
            stream.next = entry.sequence + 1;
            stream.position = entry.position + entry.samples as i64;
            dropped += 1;
        }
        if dropped > 0 {
            self.stats.packets_discarded += dropped;
            // What was decoded is heard; then the sound goes on elsewhere.
            stream.seam = true;
            self.stream = Some(stream);
        }
    }

    /// Decodes following packets until so many samples wait, as far as they are here and without a gap.
    fn decode_ahead(&mut self, wanted: usize) {
        while self.sound.future_len() < wanted {
            let Some(entry) = self.stream.and_then(|stream| {
                let entry = self.store.entry(stream.next)?;
                (entry.position == stream.position && entry.kind != PacketKind::ComfortNoise).then_some(entry)
            }) else {
                return;
            };
            if self.decode(&entry) == 0 {
                return;
            }
        }
    }

    /// Decodes a packet behind the sound that waits.
    pub(super) fn decode(&mut self, entry: &Entry) -> usize {
        let decoded =
            normal(&mut self.sound, self.decoder.as_mut(), self.store.payload(entry), entry.samples);
        self.store.remove(entry.sequence);
        if let Some(stream) = &mut self.stream {
            stream.next = entry.sequence + 1;
            stream.position = entry.position + decoded as i64;
            stream.packet = entry.samples;
        }
        decoded
    }
}
