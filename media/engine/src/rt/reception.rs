//! Who is heard: each datagram is judged, and the peer's packets go to playout in their order.
//! In: datagrams with their source and arrival. Out: packets in their order for `outlet.rs`; counts.
//!
//! # The first packet
//!
//! RFC 3550 believes a source after two packets in sequence. The very first packet from the negotiated host is queued
//! at once all the same: to hold it would start playout a packet too late, and two packets are as easily sent as one.
//! If another source is confirmed instead, playout is emptied first. In every other case (no host was negotiated, a
//! source that follows another, a restarted numbering) the packet is held and queued just before the one that
//! confirms it. Which ports of the peer may be tried, and when, is `peer.rs`' to say.
//!
//! Not here: reading the network and pulling sound (`rx.rs`), what is in a packet that is believed (`outlet.rs`).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use std::net::SocketAddr;

use offhook_rtp::{
    Accepted, Continuity, PayloadTypes, Receipt, ReceivedEvent, ReceiverConfig, ReceiverStats, Reject,
    RtpReceiver, RtpView,
};

use crate::config::EngineConfig;
use crate::rt::outlet::{Arrival, Contents, Outlet};
use crate::rt::peer::{Peer, PeerFilter};
use crate::sync::Producer;

/// Everything that decides whose packets are played.
pub(crate) struct Reception {
    filter: PeerFilter,
    receiver: RtpReceiver,
    /// The codec's payload types and clock.
    format: (PayloadTypes, u32),
    contents: Contents,
    /// Whose first packet was queued before it was confirmed.
    early: Option<(SocketAddr, u32)>,
    /// The last packet of a source on probation.
    new_source: Held,
    /// The last packet that may begin a restarted numbering.
    restart: Held,
    /// Arrival of the first packet that was accepted, probation included.
    first_packet_ns: Option<u64>,
}

impl Reception {
    pub(crate) fn new(config: &EngineConfig, events: Producer<ReceivedEvent>) -> Reception {
        let receiver = ReceiverConfig {
            payload_types: PayloadTypes::NONE,
            clock_rate: config.sample_rate,
            own_ssrc: Some(config.sender.ssrc),
            ..ReceiverConfig::default()
        };
        Reception {
            filter: PeerFilter::new(),
            receiver: RtpReceiver::new(receiver),
            format: (PayloadTypes::NONE, config.sample_rate),
            contents: Contents::new(events),
            early: None,
            new_source: Held::new(config.max_datagram),
            restart: Held::new(config.max_datagram),
            first_packet_ns: None,
        }
    }

    /// Whose datagrams may come in from now on.
    pub(crate) fn set_peer(&mut self, peer: Peer) {
        if self.filter.set(peer) {
            // Another host is another source.
            self.receiver.expect_source_change();
            self.early = None;
        }
    }

    pub(crate) fn set_format(&mut self, payload_types: PayloadTypes, clock_rate: u32) {
        self.format = (payload_types, clock_rate);
        self.agree();
    }

    /// Packets of this payload type are events of RFC 4733.
    pub(crate) fn set_event_payload_type(&mut self, payload_type: Option<u8>) {
        self.contents.events.set_payload_type(payload_type);
        self.agree();
    }

    /// Packets of this payload type hold those before them as well (RFC 2198).
    pub(crate) fn set_redundancy_payload_type(&mut self, payload_type: Option<u8>) {
        self.contents.redundancy = payload_type;
        self.agree();
    }

    fn agree(&mut self) {
        let (sound, clock_rate) = self.format;
        let events = self.contents.events.payload_types();
        let redundancy =
            self.contents.redundancy.map_or(PayloadTypes::NONE, |number| PayloadTypes::NONE.with(number));
        self.receiver.set_format(sound.union(events).union(redundancy), clock_rate);
        self.receiver.set_untimed(events);
    }

    /// Hands over events that are over.
    pub(crate) fn deliver_events(&mut self, now_ns: u64) {
        self.contents.events.deliver(now_ns);
    }

    /// Events delivered, and those of them that nobody fetched in time.
    pub(crate) fn event_counts(&self) -> (u64, u64) {
        self.contents.events.counts()
    }

    /// Packets of RFC 2198 that could not be taken apart.
    pub(crate) fn redundancy_malformed(&self) -> u64 {
        self.contents.malformed
    }

    pub(crate) fn set_own_ssrc(&mut self, ssrc: u32) {
        self.receiver.set_own_ssrc(ssrc);
    }

    /// Signalling announced that the peer's source may change.
    pub(crate) fn expect_change(&mut self) {
        self.receiver.expect_source_change();
        self.filter.expect_change();
    }

    /// Whether a datagram may be parsed at all, and whether it counts as the peer's.
    pub(crate) fn admit(&mut self, source: SocketAddr, arrival_ns: u64) -> (bool, bool) {
        let is_admitted = self.filter.admits(source, arrival_ns);
        (is_admitted, is_admitted && !self.filter.is_outranked(source))
    }

    /// The peer was heard while nothing is played.
    pub(crate) fn hear(&mut self, source: SocketAddr, arrival_ns: u64) {
        self.filter.hear(source, arrival_ns);
    }

    /// Where the peer's packets come from, once it has proved itself.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.filter.latched()
    }

    pub(crate) fn stats(&self) -> ReceiverStats {
        self.receiver.stats()
    }

    /// Arrival of the first packet that was accepted, nanoseconds.
    pub(crate) fn first_packet_ns(&self) -> Option<u64> {
        self.first_packet_ns
    }

    /// Whether a datagram is of the source listened to, and its sound of one of these payload types.
    pub(crate) fn is_of(&self, datagram: &[u8], sound: PayloadTypes) -> bool {
        let Ok(view) = RtpView::parse(datagram) else { return false };
        self.receiver.stats().ssrc == Some(view.ssrc()) && sound.contains(self.contents.own_type(&view))
    }

    /// Judges an admitted datagram.
    pub(crate) fn judge(
        &mut self,
        source: SocketAddr,
        arrival_ns: u64,
        datagram: &[u8],
        mut outlet: Outlet<'_>,
    ) {
        let receipt = self.receiver.receive_from(source, arrival_ns, datagram);
        match receipt {
            Receipt::Reject(Reject::Runt | Reject::Malformed(_) | Reject::OwnSource) => {}
            Receipt::Probation(_) | Receipt::Reject(_) => self.filter.hear(source, arrival_ns),
            Receipt::Accept(_) => {}
        }
        match receipt {
            Receipt::Reject(_) => {}
            Receipt::Probation(packet) if packet.continuity == Continuity::Restarted => {
                self.restart.hold(&packet, source, arrival_ns);
            }
            Receipt::Probation(packet) => {
                self.filter.try_out(source, arrival_ns);
                if self.early.is_none() && self.filter.trusts_first() {
                    self.early = Some((source, packet.view.ssrc()));
                    if self.first_packet_ns.is_some() {
                        // What is there is of a peer before this one.
                        outlet.playout.reset();
                    }
                    self.first_packet_ns.get_or_insert(arrival_ns);
                    outlet.take(&mut self.contents, &Arrival::of(&packet, arrival_ns));
                } else {
                    self.new_source.hold(&packet, source, arrival_ns);
                }
            }
            Receipt::Accept(packet) => {
                self.filter.latch(source, arrival_ns, packet.continuity == Continuity::NewSource);
                let held = match packet.continuity {
                    Continuity::Continuous => None,
                    Continuity::NewSource => Some(&mut self.new_source),
                    Continuity::Restarted => Some(&mut self.restart),
                };
                let mut first_ns = arrival_ns;
                if let Some(held) = held {
                    let is_early = self.early.take() == Some((source, packet.view.ssrc()));
                    if !is_early && self.first_packet_ns.is_some() {
                        outlet.playout.reset();
                    }
                    if !is_early {
                        self.contents.restart();
                    }
                    if held.release(&packet, source, &mut self.contents, &mut outlet) {
                        first_ns = held.arrival_ns.min(arrival_ns);
                    }
                }
                self.first_packet_ns.get_or_insert(first_ns);
                let taken = outlet.take(&mut self.contents, &Arrival::of(&packet, arrival_ns));
                if taken.is_late {
                    self.receiver.discard(packet.extended_sequence);
                }
                taken.recovered.into_iter().flatten().for_each(|number| self.receiver.recover(number));
                self.receiver.set_clock_rate(outlet.playout.sender_clock_rate());
            }
        }
    }
}

/// A slot for one packet on probation.
struct Held {
    source: Option<SocketAddr>,
    ssrc: u32,
    extended_sequence: u64,
    extended_timestamp: u64,
    arrival_ns: u64,
    bytes: Box<[u8]>,
    len: usize,
}

impl Held {
    fn new(capacity: usize) -> Held {
        Held {
            source: None,
            ssrc: 0,
            extended_sequence: 0,
            extended_timestamp: 0,
            arrival_ns: 0,
            bytes: vec![0; capacity].into(),
            len: 0,
        }
    }

    /// Keeps a copy of `packet`, in place of the one before.
    fn hold(&mut self, packet: &Accepted<'_>, source: SocketAddr, arrival_ns: u64) {
        let bytes = packet.view.as_bytes();
        let Some(room) = self.bytes.get_mut(..bytes.len()) else { return };
        room.copy_from_slice(bytes);
        self.len = bytes.len();
        self.source = Some(source);
        self.ssrc = packet.view.ssrc();
        self.extended_sequence = packet.extended_sequence;
        self.extended_timestamp = packet.extended_timestamp;
        self.arrival_ns = arrival_ns;
    }

    /// Queues the packet held if it comes right before `packet` from the same place; whether it did. Empties the slot.
    fn release(
        &mut self,
        packet: &Accepted<'_>,
        source: SocketAddr,
        contents: &mut Contents,
        outlet: &mut Outlet<'_>,
    ) -> bool {
        let is_before = self.source.take() == Some(source)
            && self.ssrc == packet.view.ssrc()
            && self.extended_sequence.wrapping_add(1) == packet.extended_sequence;
        let held = self.bytes.get(..self.len).filter(|_| is_before).map(RtpView::parse);
        match held {
            Some(Ok(view)) => {
                let (extended_sequence, extended_timestamp) =
                    (self.extended_sequence, self.extended_timestamp);
                let arrival_ns = self.arrival_ns;
                outlet.take(contents, &Arrival { view, extended_sequence, extended_timestamp, arrival_ns });
            }
            // It was a packet when it came.
            Some(Err(_)) | None => return false,
        }
        true
    }
}
