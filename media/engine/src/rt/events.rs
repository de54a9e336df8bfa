//! Digits in RTP (RFC 4733) for both halves: strings that are played in place of sound, events that arrive.
//! In: strings of events with their payload type; packets of the peer's. Out: payloads to be numbered and sent; events at
//! the control side's end of a ring.
//! Not here: the rules of the packets (`offhook_rtp::EventSender`, `EventReceiver`).
//! RT: no allocation, lock, syscall, log or panic. (`new` allocates and is called by control.)

use offhook_rtp::{
    EventPacket, EventReceiver, EventReceiverConfig, EventSender, PayloadTypes, ReceivedEvent,
};

use crate::command::TxEvents;
use crate::sync::Producer;

/// Events received that wait for control.
pub(crate) const EVENTS_WAITING: usize = 64;

/// The sending half's events.
pub(crate) struct EventPlayer {
    sender: EventSender,
    payload_type: u8,
    /// Events for which there was no room.
    pub(crate) refused: u64,
}

impl EventPlayer {
    pub(crate) const fn new() -> EventPlayer {
        EventPlayer { sender: EventSender::new(), payload_type: 0, refused: 0 }
    }

    /// Plays these after what is being played.
    pub(crate) fn play(&mut self, events: &TxEvents) {
        self.payload_type = events.payload_type;
        for event in &events.events {
            self.refused += u64::from(self.sender.push(*event).is_err());
        }
    }

    /// Ends what is under way, forgets what waits.
    pub(crate) fn cancel(&mut self) {
        self.sender.cancel();
    }

    /// The timestamps so far mean nothing any more.
    pub(crate) fn reset(&mut self) {
        self.sender.reset();
    }

    /// Whether sound keeps silent.
    pub(crate) fn is_playing(&self) -> bool {
        self.sender.is_playing()
    }

    /// A packet time has passed; whether it was one of events and not of sound.
    pub(crate) fn tick(&mut self, timestamp: u32, ticks: u32) -> bool {
        let is_playing = self.is_playing();
        self.sender.tick(timestamp, ticks);
        is_playing
    }

    /// The next packet of this packet time, with its payload type.
    pub(crate) fn next(&mut self) -> Option<(u8, EventPacket)> {
        Some((self.payload_type, self.sender.next_packet()?))
    }
}

/// The receiving half's events.
pub(crate) struct EventCollector {
    payload_type: Option<u8>,
    receiver: EventReceiver,
    ring: Producer<ReceivedEvent>,
    lost: u64,
}

impl EventCollector {
    pub(crate) fn new(ring: Producer<ReceivedEvent>) -> EventCollector {
        let receiver = EventReceiver::new(EventReceiverConfig::default());
        EventCollector { payload_type: None, receiver, ring, lost: 0 }
    }

    /// Packets of this payload type are events.
    pub(crate) fn set_payload_type(&mut self, payload_type: Option<u8>) {
        self.payload_type = payload_type.filter(|payload_type| *payload_type < 128);
    }

    /// The payload types that are events.
    pub(crate) fn payload_types(&self) -> PayloadTypes {
        self.payload_type.map_or(PayloadTypes::NONE, |payload_type| PayloadTypes::NONE.with(payload_type))
    }

    /// Takes a packet that was accepted.
    pub(crate) fn take(&mut self, extended_timestamp: u64, marker: bool, arrival_ns: u64, payload: &[u8]) {
        self.receiver.receive(extended_timestamp, marker, arrival_ns, payload);
    }

    /// Another source, or another numbering of it.
    pub(crate) fn restart(&mut self) {
        self.receiver.restart();
    }

    /// Hands over what is over at `now_ns`.
    pub(crate) fn deliver(&mut self, now_ns: u64) {
        while let Some(event) = self.receiver.poll(now_ns) {
            self.lost += u64::from(self.ring.push(event).is_err());
        }
    }

    /// Events delivered, and those of them that nobody fetched in time.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.receiver.stats().delivered, self.lost)
    }
}
