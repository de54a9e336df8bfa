//! What is heard next: decoded sound, sound made up for what is missing, noise, silence.
//! In: the store, the sound that waits, the clock. Out: samples, and what they are.
//! Not here: stretching (`steer.rs`), the operations themselves (`ops/`).
//! RT: no allocation, lock, syscall, log or panic.

use super::Playout;
use crate::ops::comfort::{comfort_noise, describe};
use crate::ops::merge::merge;
use crate::packet::PacketKind;
use crate::store::Entry;
use crate::stream::{Phase, Stream};

/// How long made-up and true sound overlap: at least, and more the longer the concealment, milliseconds.
const MERGE_LEAST_MS: u32 = 2;
const MERGE_MOST_MS: u32 = 4;
/// How much of true sound is compared with what was made up before it, milliseconds.
const SEAM_MS: u32 = 8;

/// What the samples at hand are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Decoded,
    Concealed,
    Noise,
    Silence,
}

impl Playout {
    /// Hears, decodes or makes up samples: at least one, at most `out`.
    pub(super) fn next_samples(&mut self, now_ns: u64, filled: usize, out: &mut [i16]) -> (usize, Kind) {
        let Some(stream) = self.stream else { return self.wait(out) };
        if stream.made_ahead > 0 {
            return self.play_made_ahead(&stream, out);
        }
        if self.sound.future_len() > 0 {
            return (self.sound.play(out), Kind::Decoded);
        }
        let next = self.store.first_from(stream.next);
        let heard_at = (now_ns as i64).saturating_add(self.ns(filled as i64));
        match (stream.phase, next) {
            (Phase::Waiting | Phase::Muted(_) | Phase::Noise(_), Some(entry))
                if filled == 0 && self.is_due(&entry, heard_at) =>
            {
                if entry.kind == PacketKind::ComfortNoise {
                    self.begin_noise(&entry);
                    return self.make_noise(0, out);
                }
                match stream.phase {
                    Phase::Muted(made) => self.take_up(&entry, Some(made), heard_at, filled),
                    // Where nothing fades out there is nothing to join the first packet to.
                    Phase::Waiting if !self.expand.is_mute() => {
                        self.take_up(&entry, Some(0), heard_at, filled);
                    }
                    _ => self.take_up(&entry, None, heard_at, filled),
                }
            }
            (Phase::Waiting, _) => return self.wait(out),
            (Phase::Noise(made), _) => return self.make_noise(made, out),
            (Phase::Playing, Some(entry)) if entry.position <= stream.position => {
                if entry.kind == PacketKind::ComfortNoise {
                    self.begin_noise(&entry);
                    return self.make_noise(0, out);
                }
                if stream.seam {
                    self.expand.begin(self.sound.history(), &mut self.finder);
                }
                self.take_up(&entry, stream.seam.then_some(0), heard_at, filled);
            }
            (Phase::Concealing(made), Some(entry)) if entry.position - stream.position <= made as i64 => {
                if entry.kind == PacketKind::ComfortNoise {
                    self.begin_noise(&entry);
                    return self.make_noise(0, out);
                }
                self.take_up(&entry, Some(made), heard_at, filled);
            }
            (Phase::Playing, next) => {
                if let Some(entry) = next
                    && self.recover(&stream, &entry)
                {
                    return (self.sound.play(out), Kind::Decoded);
                }
                self.stats.concealment_events += 1;
                self.expand.begin(self.sound.history(), &mut self.finder);
                return self.conceal(&stream, 0, next, out);
            }
            (Phase::Concealing(made) | Phase::Muted(made), next) => {
                return self.conceal(&stream, made, next, out);
            }
        }
        if self.sound.future_len() == 0 {
            // The decoder gave nothing: as if the packet were lost.
            if stream.phase == Phase::Playing {
                self.stats.concealment_events += 1;
                self.expand.begin(self.sound.history(), &mut self.finder);
            }
            return self.conceal(&stream, 0, None, out);
        }
        (self.sound.play(out), Kind::Decoded)
    }

    /// Whether a packet after a pause is to be heard, if its first sample were at `heard_at`.
    fn is_due(&self, entry: &Entry, heard_at: i64) -> bool {
        let border = self.grid.latest_border(0, entry.samples.max(1));
        heard_at.saturating_sub(self.ns(entry.position + border as i64)) >= self.estimator.deadline()
    }

    /// Goes on with a packet, joined to what was made up before it if `made` samples were.
    fn take_up(&mut self, entry: &Entry, made: Option<usize>, heard_at: i64, filled: usize) {
        let gap = self.stream.map_or(0, |stream| entry.position.saturating_sub(stream.position));
        let gap = usize::try_from(gap).unwrap_or(0);
        let is_codecs = self.stream.is_some_and(|stream| stream.is_codecs);
        if let Some(made) = made.filter(|made| !is_codecs && gap > 0 && *made > 0) {
            // A codec that predicts goes on from what was heard in place of the packets that are lost.
            let lost = gap.min(made).min(self.sound.history().len());
            let heard = self.sound.history();
            self.decoder.concealed(heard.get(heard.len() - lost..).unwrap_or_default());
        }
        self.decode(entry);
        // After its own concealment the codec joins what follows itself.
        if let Some(made) = made.filter(|_| !is_codecs) {
            let late = made.saturating_sub(gap);
            if late > 0 {
                self.come_back(heard_at, filled, late, self.config.samples(SEAM_MS));
            }
            let least = self.config.samples(MERGE_LEAST_MS);
            let count = (least + made / 16).min(self.config.samples(MERGE_MOST_MS));
            merge(&mut self.sound, &mut self.expand, count);
        }
        if let Some(stream) = &mut self.stream {
            stream.phase = Phase::Playing;
            stream.seam = false;
            stream.is_codecs = false;
        }
    }

    /// Decodes the packet that is missing before `entry` from what that carries of it, if the codec can.
    fn recover(&mut self, stream: &Stream, entry: &Entry) -> bool {
        let gap = usize::try_from(entry.position - stream.position).unwrap_or(0);
        let is_next = entry.sequence == stream.next + 1 && entry.kind != PacketKind::ComfortNoise;
        if !is_next || gap == 0 || gap > self.config.samples(self.config.max_packet_ms) {
            return false;
        }
        let space = self.sound.space(gap);
        if space.len() != gap || !self.decoder.recover_lost(self.store.payload(entry), space) {
            return false;
        }
        self.sound.commit(gap);
        self.stats.packets_recovered += 1;
        if let Some(stream) = &mut self.stream {
            stream.next = entry.sequence;
            stream.position = entry.position;
        }
        true
    }

    /// Silence before a stream has begun to sound; what sounded before it fades out.
    fn wait(&mut self, out: &mut [i16]) -> (usize, Kind) {
        self.expand.fill(out);
        self.remember(out);
        (out.len(), Kind::Silence)
    }

    /// The sender fell silent, and said how its silence sounds.
    fn begin_noise(&mut self, entry: &Entry) {
        describe(&mut self.noise, self.store.payload(entry));
        self.store.remove(entry.sequence);
        if let Some(stream) = &mut self.stream {
            stream.next = entry.sequence + 1;
            stream.position = entry.position;
            stream.phase = Phase::Noise(0);
        }
    }

    fn make_noise(&mut self, made: usize, out: &mut [i16]) -> (usize, Kind) {
        comfort_noise(&mut self.noise, out);
        self.remember(out);
        if let Some(stream) = &mut self.stream {
            stream.phase = Phase::Noise(made.saturating_add(out.len()));
        }
        (out.len(), Kind::Noise)
    }

    /// Makes up samples: all of `out`, or as many as are known to be missing.
    fn conceal(
        &mut self,
        stream: &Stream,
        made: usize,
        next: Option<Entry>,
        out: &mut [i16],
    ) -> (usize, Kind) {
        let missing = next
            .and_then(|entry| usize::try_from(entry.position - stream.position).ok())
            .and_then(|gap| gap.checked_sub(made))
            .filter(|missing| *missing > 0 && !self.expand.is_mute());
        let count = missing.map_or(out.len(), |missing| missing.min(out.len()));
        let out = out.get_mut(..count).unwrap_or_default();
        let mute = self.expand.is_mute();
        // A codec makes up whole packets.
        let whole = stream.packet;
        if !mute && missing.is_none_or(|missing| missing >= whole) {
            let space = self.sound.space(whole);
            if space.len() == whole && self.decoder.conceal(space) {
                self.sound.commit(whole);
                let mut stream = *stream;
                (stream.made_ahead, stream.is_codecs) = (whole, true);
                stream.phase = Phase::Concealing(made);
                self.stream = Some(stream);
                return self.play_made_ahead(&stream, out);
            }
        }
        self.expand.fill(out);
        self.remember(out);
        let made = made.saturating_add(count);
        if let Some(stream) = &mut self.stream {
            stream.phase = if self.expand.is_mute() { Phase::Muted(made) } else { Phase::Concealing(made) };
        }
        (count, if mute && next.is_none() { Kind::Silence } else { Kind::Concealed })
    }

    /// Hears what the codec made up.
    fn play_made_ahead(&mut self, stream: &Stream, out: &mut [i16]) -> (usize, Kind) {
        let most = stream.made_ahead.min(out.len());
        let count = self.sound.play(out.get_mut(..most).unwrap_or_default());
        self.expand.pass(count);
        let mut stream = *stream;
        stream.made_ahead = if count == 0 { 0 } else { stream.made_ahead - count };
        if let Phase::Concealing(made) = stream.phase {
            let made = made.saturating_add(count);
            stream.phase = if self.expand.is_mute() { Phase::Muted(made) } else { Phase::Concealing(made) };
        }
        self.stream = Some(stream);
        (count, Kind::Concealed)
    }

    /// Makes history of samples that were made up.
    fn remember(&mut self, made: &[i16]) {
        let space = self.sound.space(made.len());
        if space.len() == made.len() {
            space.copy_from_slice(made);
            self.sound.commit(made.len());
            self.sound.hear(made.len());
        } else if let Some(tail) = made.get(made.len().saturating_sub(self.sound.history().len())..)
            && tail.len() < made.len()
        {
            self.remember(tail);
        }
    }

    /// RTP timestamp of the sample so many before the next.
    pub(super) fn timestamp(&self, before: usize) -> Option<u32> {
        let stream = self.stream.filter(|stream| stream.phase != Phase::Waiting)?;
        let made = match stream.phase {
            Phase::Concealing(made) | Phase::Muted(made) | Phase::Noise(made) => made as i64,
            Phase::Waiting | Phase::Playing => 0,
        };
        let decoded = self.sound.future_len() - stream.made_ahead.min(self.sound.future_len());
        let position = stream.position - decoded as i64 + made - before as i64;
        let (clock, rate) = (i64::from(self.config.clock_rate), i64::from(self.config.sample_rate));
        Some((stream.origin + (position * clock).div_euclid(rate)) as u32)
    }
}
