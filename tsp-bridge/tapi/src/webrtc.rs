//! Raw RTP in the types of webrtc-rs: `rtp::packet::Packet` both ways, and `webrtc_media::Sample` for its tracks.
//!
//! In: octets of a tap, packets for an injector. Out: the same in the other's types.
//! The crate `rtp` panics on some malformed packets: only those that the MSP has checked (RFC 3550 §A.1) reach it here.
//! Not here: taps and injectors (`ends.rs`). webrtc-media's `SampleBuilder` is not used: telephony's packets are samples
//! already, and it holds 65536 packets for each stream; nor is its Ogg writer, which writes Opus only.

use std::time::{Duration, SystemTime};

use offhook_spi::Timestamp;
use offhook_spi::terminal::{RtpOctets, RtpSendError};
use rtp::packet::Packet;
use webrtc_media::Sample;
use webrtc_util::marshal::{Marshal, Unmarshal};

use crate::{RtpInjector, RtpTap};

/// How far packets may be out of order, and how many may be missing, in a source that goes on (RFC 3550 §A.1).
const MAX_MISORDER: u16 = 100;
const MAX_DROPOUT: u16 = 3_000;

/// A tap's packets as samples of encoded sound, for webrtc-rs' `TrackLocalStaticSample` and its kin.
#[derive(Debug)]
pub struct RtpSamples {
    tap: RtpTap,
    clock_rate: u32,
    held: Option<(SystemTime, Packet, u16)>,
    duration: Duration,
}

impl RtpTap {
    /// The next packet as the crate `rtp` has it, with its time, or `None` if none waits. Never waits.
    ///
    /// # Errors
    ///
    /// That crate's, for a packet that it does not understand though RFC 3550 allows it. Read on.
    pub fn read_packet(&self) -> Option<(Timestamp, Result<Packet, webrtc_util::Error>)> {
        self.read().map(|RtpOctets { at, octets }| (at, packet(octets)))
    }

    /// Its packets as samples, for a codec whose RTP clock runs at `clock_rate` Hz (8000 for G.711).
    pub fn samples(&self, clock_rate: u32) -> RtpSamples {
        let (tap, held) = (self.clone(), None);
        RtpSamples { tap, clock_rate: clock_rate.max(1), held, duration: Duration::from_millis(20) }
    }
}

impl RtpInjector {
    /// Like [`send`](Self::send), with a packet of the crate `rtp`.
    ///
    /// # Errors
    ///
    /// [`RtpSendError`].
    pub fn send_packet(&self, packet: &Packet) -> Result<(), RtpSendError> {
        let octets = packet.marshal().map_err(|why| RtpSendError::Invalid(why.to_string()))?;
        self.send(&octets)
    }
}

impl RtpSamples {
    /// The next sample, or `None` if it is not complete: its length is known once the packet after it has come. Never
    /// waits.
    ///
    /// A packet that comes after a later one is left out: the gap that it left was counted with the sample after it.
    /// Before a gap a sample is taken to be as long as the one before it.
    pub fn read(&mut self) -> Option<Sample> {
        loop {
            let (at, next) = self.tap.read_packet()?;
            let Ok(next) = next else { continue };
            let Some((timestamp, before, dropped)) = self.held.take() else {
                self.held = Some((wall_clock(at), next, 0));
                continue;
            };
            let step = next.header.sequence_number.wrapping_sub(before.header.sequence_number);
            let is_same = next.header.ssrc == before.header.ssrc;
            if is_same && (step == 0 || step > MAX_MISORDER.wrapping_neg()) {
                self.held = Some((timestamp, before, dropped));
                continue;
            }
            // Another source, or one that began anew, lost nothing before.
            let lost = if is_same && step < MAX_DROPOUT { step - 1 } else { 0 };
            let ticks = next.header.timestamp.wrapping_sub(before.header.timestamp);
            let is_usual = is_same && step == 1 && (1..=self.clock_rate).contains(&ticks);
            if is_usual {
                self.duration = Duration::from_secs(1) * ticks / self.clock_rate;
            }
            self.held = Some((wall_clock(at), next, lost));
            return Some(Sample {
                data: before.payload,
                timestamp,
                duration: self.duration,
                packet_timestamp: before.header.timestamp,
                prev_dropped_packets: dropped,
                prev_padding_packets: 0,
            });
        }
    }
}

fn packet(octets: Vec<u8>) -> Result<Packet, webrtc_util::Error> {
    Packet::unmarshal(&mut bytes::Bytes::from(octets))
}

/// The wall clock's time of an instant of the monotonic one.
fn wall_clock(at: Timestamp) -> SystemTime {
    // Both are read now: their distance is that of then, unless somebody has set the clock.
    let (now, wall) = (Timestamp::now(), SystemTime::now());
    wall.checked_sub(now.since(at)).unwrap_or(wall)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use offhook_spi::terminal::{RtpReader, RtpReaderStatus, RtpWriter};
    use proptest::prelude::*;

    use super::*;

    /// Both ends of a wire.
    #[derive(Default)]
    struct Wire(Mutex<std::collections::VecDeque<Vec<u8>>>);

    impl RtpReader for Wire {
        fn read(&self) -> Option<RtpOctets> {
            let octets = self.0.lock().unwrap().pop_front()?;
            Some(RtpOctets { at: Timestamp::now(), octets })
        }

        fn status(&self) -> RtpReaderStatus {
            RtpReaderStatus::default()
        }
    }

    impl RtpWriter for Wire {
        fn send(&self, packet: &[u8]) -> Result<(), RtpSendError> {
            self.0.lock().unwrap().push_back(packet.to_vec());
            Ok(())
        }

        fn room(&self) -> usize {
            usize::MAX
        }
    }

    fn ends() -> (RtpInjector, RtpTap) {
        let wire = Arc::new(Wire::default());
        (RtpInjector(wire.clone()), RtpTap(wire))
    }

    fn numbered(sequence_number: u16, timestamp: u32) -> Packet {
        let header =
            rtp::header::Header { version: 2, sequence_number, timestamp, ssrc: 7, ..Default::default() };
        Packet { header, payload: bytes::Bytes::from(vec![sequence_number as u8; 160]) }
    }

    #[test]
    fn packets_of_the_other_crate_pass_both_ways() {
        let (injector, tap) = ends();
        let said = numbered(9, 1_600);
        injector.send_packet(&said).unwrap();
        let (_, heard) = tap.read_packet().unwrap();
        assert_eq!(heard.unwrap(), said);
        assert!(tap.read_packet().is_none());
    }

    #[test]
    fn samples_are_as_long_as_the_clock_says_and_losses_are_counted_with_the_next() {
        let (injector, tap) = ends();
        // In order over the wrap, one lost, one late.
        for (sequence, timestamp) in
            [(65_534, 0), (65_535, 80), (0, 160), (2, 320), (1, 240), (3, 400), (4, 480)]
        {
            injector.send_packet(&numbered(sequence, timestamp)).unwrap();
        }
        let mut samples = tap.samples(8_000);
        let read: Vec<_> = std::iter::from_fn(|| samples.read())
            .map(|s| (s.data[0], s.duration.as_millis(), s.packet_timestamp, s.prev_dropped_packets))
            .collect();
        let want = [(254, 10, 0, 0), (255, 10, 80, 0), (0, 10, 160, 0), (2, 10, 320, 1), (3, 10, 400, 0)];
        assert_eq!(read, want);
    }

    proptest! {
        #[test]
        fn no_numbering_disturbs_it(packets in prop::collection::vec((any::<u16>(), any::<u32>()), 0..60)) {
            let (injector, tap) = ends();
            for (sequence, timestamp) in &packets {
                injector.send_packet(&numbered(*sequence, *timestamp)).unwrap();
            }
            let mut samples = tap.samples(0);
            let read: Vec<_> = std::iter::from_fn(|| samples.read()).collect();
            prop_assert!(read.len() < packets.len().max(1));
            prop_assert!(read.iter().all(|sample| sample.duration <= Duration::from_secs(1)));
        }
    }
}
