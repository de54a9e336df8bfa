//! Packets in: each is judged, placed in the stream and put into the store.
//! In: [`PlayoutPacket`]s. Out: their fate; what the estimator learns.
//! Not here: when they are heard (`hear.rs`), the store itself (`store.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use super::Playout;
use crate::packet::PacketKind;
use crate::sequence::{extend_sequence, extend_timestamp};
use crate::store::Arrived;
use crate::stream::{Phase, Stream};
use crate::{Insert, PlayoutPacket, ResetReason};

/// Sequence numbers that may be missing, and by how many a packet may come after younger ones (RFC 3550 A.1).
const MAX_DROPOUT: i64 = 3_000;
const MAX_MISORDER: i64 = 100;
/// A transit that differs this much from the base is another stream's.
const MAX_TRANSIT_CHANGE_MS: u32 = 2_000;

impl Playout {
    /// Takes a packet in. Its arrival is when the network brought it, which may be before now.
    pub fn insert(&mut self, mut packet: PlayoutPacket<'_>) -> Insert {
        self.stats.packets_received += 1;
        let Some(samples) = self.samples_in_payload(&packet) else {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        };
        if packet.kind == PacketKind::Sound {
            let lasts = self.ticks_of(samples);
            let (timestamp, is_news) = self.ticks.read(packet.sequence, packet.timestamp, lasts);
            packet.timestamp = timestamp;
            if is_news {
                return self.restart(&packet, samples, ResetReason::Timestamp);
            }
        }
        let Some(mut stream) = self.stream else {
            return self.begin(&packet, samples, Insert::Queued);
        };

        let sequence = extend_sequence(stream.newest, packet.sequence);
        let ahead = sequence - stream.newest;
        if packet.kind == PacketKind::Redundant {
            return self.insert_copy(stream, sequence, samples, &packet);
        }
        if !(-MAX_MISORDER..=MAX_DROPOUT).contains(&ahead) {
            // One stray packet is dropped; a second one next to it is a new stream.
            if stream.suspect == Some(packet.sequence) {
                return self.restart(&packet, samples, ResetReason::Sequence);
            }
            stream.suspect = Some(packet.sequence.wrapping_add(1));
            self.stream = Some(stream);
            self.stats.packets_late += 1;
            return Insert::Late;
        }
        let ticks = extend_timestamp(stream.ticks, packet.timestamp);
        let position = self.samples_of(ticks - stream.origin);
        let transit = (packet.arrival_ns as i64).saturating_sub(self.ns(position));
        let change = transit.saturating_sub(self.estimator.base()).saturating_abs();
        let most = MAX_TRANSIT_CHANGE_MS.max(2 * self.config.max_delay_ms);
        if change > i64::from(most) * 1_000_000 {
            return self.restart(&packet, samples, ResetReason::Timestamp);
        }
        if !stream.see(ahead) {
            self.stats.packets_duplicate += 1;
            return Insert::Duplicate;
        }
        stream.suspect = None;
        stream.ticks = ticks;
        stream.newest = stream.newest.max(sequence);
        self.stream = Some(stream);
        if packet.kind == PacketKind::Sound {
            self.estimator.arrived(transit, packet.arrival_ns);
        }
        if sequence < stream.next {
            if stream.phase != Phase::Waiting {
                self.stats.packets_late += 1;
                return Insert::Late;
            }
            // Older than the first, and nothing has played: playing begins with it.
            if stream.newest - sequence < self.store.capacity() as i64 {
                stream.next = sequence;
                stream.position = position;
                self.stream = Some(stream);
            }
        }
        self.queue(sequence, position, samples, &packet)
    }

    /// Samples that the packet lasts: none if it only describes noise; `None`: it holds nothing to be heard.
    fn samples_in_payload(&self, packet: &PlayoutPacket<'_>) -> Option<usize> {
        let octets = packet.payload.len();
        if packet.kind == PacketKind::ComfortNoise {
            return (1..=self.config.max_payload).contains(&octets).then_some(0);
        }
        let samples = self.decoder.payload_samples(packet.payload);
        // One octet is no speech, but what some senders keep their port mappings alive with.
        let holds_sound = (2..=self.config.max_payload).contains(&octets)
            && (1..=self.config.samples(self.config.max_packet_ms)).contains(&samples);
        holds_sound.then_some(samples)
    }

    /// Ticks of the codec's clock that so many samples last.
    fn ticks_of(&self, samples: usize) -> i32 {
        let ticks =
            samples as u64 * u64::from(self.config.clock_rate) / u64::from(self.config.sample_rate.max(1));
        i32::try_from(ticks).unwrap_or(i32::MAX)
    }

    /// A copy of an older packet that came within a younger one fills the hole that it left, or is of no use.
    fn insert_copy(
        &mut self,
        mut stream: Stream,
        sequence: i64,
        samples: usize,
        packet: &PlayoutPacket<'_>,
    ) -> Insert {
        let ahead = sequence - stream.newest;
        let ticks = extend_timestamp(stream.ticks, packet.timestamp);
        let position = self.samples_of(ticks - stream.origin);
        let in_reach = (-MAX_MISORDER..=0).contains(&ahead) && sequence >= stream.next;
        if !in_reach || !stream.see(ahead) {
            self.stats.packets_spare += 1;
            return Insert::Spare;
        }
        self.stream = Some(stream);
        self.stats.packets_recovered += 1;
        // Where packets are lost it is the copies that must be waited for.
        let transit = (packet.arrival_ns as i64).saturating_sub(self.ns(position));
        self.estimator.arrived(transit, packet.arrival_ns);
        self.queue(sequence, position, samples, packet)
    }

    fn begin(&mut self, packet: &PlayoutPacket<'_>, samples: usize, fate: Insert) -> Insert {
        let sequence = i64::from(packet.sequence);
        let ticks = i64::from(packet.timestamp);
        self.stream = Some(Stream {
            newest: sequence,
            ticks,
            origin: ticks,
            suspect: None,
            next: sequence,
            position: 0,
            packet: samples.max(1),
            phase: Phase::Waiting,
            made_ahead: 0,
            is_codecs: false,
            easy_ns: packet.arrival_ns as i64,
            rest: 0,
            seen: 1,
            seam: false,
        });
        if packet.kind == PacketKind::Sound {
            self.estimator.arrived(packet.arrival_ns as i64, packet.arrival_ns);
        }
        match self.queue(sequence, 0, samples, packet) {
            Insert::Queued => fate,
            other => other,
        }
    }

    fn restart(&mut self, packet: &PlayoutPacket<'_>, samples: usize, reason: ResetReason) -> Insert {
        self.reset();
        self.begin(packet, samples, Insert::Reset(reason))
    }

    fn queue(&mut self, sequence: i64, position: i64, samples: usize, packet: &PlayoutPacket<'_>) -> Insert {
        let mut fate = Insert::Queued;
        if !self.store.takes(packet.payload.len()) {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        if let Some(stream) = &mut self.stream {
            let over = sequence - stream.next - self.store.capacity() as i64 + 1;
            if over > 0 {
                // The store's window moves on; what falls out of it is lost.
                let first = stream.next + over;
                let lost = self.store.remove_before(first);
                self.stats.packets_discarded += lost as u64;
                // The place follows when the next packet is taken.
                stream.next = first;
                if lost > 0 {
                    fate = Insert::Overflow;
                }
            }
            while !self.store.has_room(sequence, packet.payload.len()) {
                fate = Insert::Overflow;
                self.stats.packets_discarded += 1;
                match self.store.first_from(stream.next) {
                    Some(oldest) if oldest.sequence < sequence => {
                        self.store.remove(oldest.sequence);
                        stream.next = oldest.sequence + 1;
                    }
                    // It is older than all that wait.
                    _ => return fate,
                }
            }
        }
        if !self.store.insert(Arrived { sequence, position, samples, kind: packet.kind }, packet.payload) {
            self.stats.packets_malformed += 1;
            return Insert::Malformed;
        }
        fate
    }
}
