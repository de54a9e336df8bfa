//! Where the packets of the peer's go: sound, noise and copies of sound to playout, events to control.
//! In: packets that are believed, in the order in which they came. Out: packets in a [`Playout`] and at a tap; digits.
//!
//! A packet of the redundancy type (RFC 2198) has its own block and copies of those before it. Its own goes first: playout
//! takes a copy only of what is older than the newest packet. Copies in another coding than the channel's are left alone.
//! Not here: who is believed (`reception.rs`).
//! RT: no allocation, lock, syscall, log or panic. (`Contents::new` allocates and is called by control.)

use offhook_jitter::{Insert, PacketKind, Playout, PlayoutPacket};
use offhook_rtp::{
    Accepted, MAX_BLOCKS, PayloadTypes, ReceivedEvent, RedundantBlock, RtpView, redundant_blocks,
};

use crate::rt::copies::Heard;
use crate::rt::events::EventCollector;
use crate::rt::packet_tap::PacketTap;
use crate::sync::Producer;

/// What packets may hold beside sound, and what is known of those before.
pub(crate) struct Contents {
    pub(crate) events: EventCollector,
    /// The payload type of packets with copies of those before them (RFC 2198).
    pub(crate) redundancy: Option<u8>,
    heard: Heard,
    /// Packets of that type that could not be taken apart.
    pub(crate) malformed: u64,
}

impl Contents {
    pub(crate) fn new(events: Producer<ReceivedEvent>) -> Contents {
        Contents {
            events: EventCollector::new(events),
            redundancy: None,
            heard: Heard::default(),
            malformed: 0,
        }
    }

    /// The payload type of what a packet holds of its own, beside copies.
    pub(crate) fn own_type(&self, view: &RtpView<'_>) -> u8 {
        let outer = view.payload_type();
        if Some(outer) != self.redundancy {
            return outer;
        }
        let blocks = redundant_blocks(view.timestamp(), view.payload()).ok();
        blocks.and_then(Iterator::last).map_or(outer, |own| own.payload_type)
    }

    /// Another source, or another numbering.
    pub(crate) fn restart(&mut self) {
        self.events.restart();
        self.heard.forget();
    }
}

/// A packet that is believed.
pub(crate) struct Arrival<'a> {
    pub(crate) view: RtpView<'a>,
    pub(crate) extended_sequence: u64,
    pub(crate) extended_timestamp: u64,
    pub(crate) arrival_ns: u64,
}

impl<'a> Arrival<'a> {
    pub(crate) fn of(packet: &Accepted<'a>, arrival_ns: u64) -> Arrival<'a> {
        let Accepted { view, extended_sequence, extended_timestamp, .. } = *packet;
        Arrival { view, extended_sequence, extended_timestamp, arrival_ns }
    }
}

/// What became of a packet.
#[derive(Default)]
pub(crate) struct Taken {
    /// It came too late to be played.
    pub(crate) is_late: bool,
    /// Extended numbers of lost packets that it had copies of.
    pub(crate) recovered: [Option<u64>; MAX_BLOCKS],
}

/// Where packets go that are believed.
pub(crate) struct Outlet<'a> {
    pub(crate) playout: &'a mut Playout,
    /// The payload types of sound.
    pub(crate) sound: PayloadTypes,
    /// The payload type of comfort noise.
    pub(crate) noise: Option<u8>,
    pub(crate) tap: Option<&'a mut PacketTap>,
}

impl Outlet<'_> {
    /// Takes a packet to where it belongs.
    pub(crate) fn take(&mut self, contents: &mut Contents, arrival: &Arrival<'_>) -> Taken {
        let view = &arrival.view;
        if let Some(tap) = &mut self.tap {
            tap.take(arrival.arrival_ns, view.as_bytes());
        }
        let mut taken = Taken::default();
        if Some(view.payload_type()) != contents.redundancy {
            taken.is_late = self.play(contents, arrival, view.payload_type(), view.payload());
            return taken;
        }
        let Ok(blocks) = redundant_blocks(view.timestamp(), view.payload()) else {
            contents.malformed += 1;
            return taken;
        };
        if let Some(own) = blocks.clone().find(|block| !block.is_copy) {
            taken.is_late = self.play(contents, arrival, own.payload_type, own.payload);
        }
        // A sender that counts by another clock than the codec's is understood packet by packet only.
        if self.playout.sender_clock_rate() == self.playout.codec().clock_rate() {
            let sound = self.sound;
            let copies = blocks.filter(|block| block.is_copy && sound.contains(block.payload_type));
            for (copy, recovered) in copies.zip(&mut taken.recovered) {
                *recovered = self.play_copy(contents, arrival, &copy);
            }
        }
        taken
    }

    /// A packet's own contents; whether they came too late to be played.
    fn play(
        &mut self,
        contents: &mut Contents,
        arrival: &Arrival<'_>,
        payload_type: u8,
        payload: &[u8],
    ) -> bool {
        let Arrival { view, extended_sequence, extended_timestamp, arrival_ns } = arrival;
        if contents.events.payload_types().contains(payload_type) {
            contents.events.take(*extended_timestamp, view.marker(), *arrival_ns, payload);
            return false;
        }
        let is_noise = Some(payload_type) == self.noise;
        if !is_noise && !self.sound.contains(payload_type) {
            // Within a redundant packet there may be anything.
            contents.malformed += 1;
            return false;
        }
        contents.heard.note(*extended_sequence, view.timestamp());
        let inserted = self.playout.insert(PlayoutPacket {
            kind: if is_noise { PacketKind::ComfortNoise } else { PacketKind::Sound },
            sequence: view.sequence_number(),
            timestamp: view.timestamp(),
            marker: view.marker(),
            payload,
            arrival_ns: *arrival_ns,
        });
        matches!(inserted, Insert::Late | Insert::Overflow)
    }

    /// A copy of an earlier packet; that one's extended number if it was missing and can be played now.
    fn play_copy(
        &mut self,
        contents: &mut Contents,
        arrival: &Arrival<'_>,
        copy: &RedundantBlock<'_>,
    ) -> Option<u64> {
        let kind = self.playout.codec();
        let ticks = kind.samples_to_ticks(kind.payload_samples(copy.payload));
        let carrier = (arrival.extended_sequence, arrival.view.timestamp());
        let number = contents.heard.number(carrier, copy.timestamp, ticks)?;
        let inserted = self.playout.insert(PlayoutPacket {
            kind: PacketKind::Redundant,
            // Its low half is what packets bear.
            sequence: number as u16,
            timestamp: copy.timestamp,
            marker: false,
            payload: copy.payload,
            arrival_ns: arrival.arrival_ns,
        });
        (inserted == Insert::Queued).then_some(number)
    }
}
