//! Raw RTP for the application: the packets that are believed or built, and packets of its own to be sent.
//! In: whole packets with their time. Out: the same at the other end of a bounded ring; what finds no room is counted.
//! Not here: the application's ends and the crate `rtp`'s types (`control/packets.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::rt::blocks::{BlockReader, BlockWriter};

/// Where the processors leave copies of packets. Made by [`packet_tap`](crate::packet_tap).
pub struct PacketTap {
    pub(crate) ring: BlockWriter<u8>,
}

impl PacketTap {
    /// Leaves a copy of a packet; one that finds no room is counted.
    pub(crate) fn take(&mut self, at_ns: u64, packet: &[u8]) {
        let _ = self.ring.write(at_ns, packet);
    }
}

/// Where the sending half finds packets of the application's. Made by [`packet_injector`](crate::packet_injector).
///
/// Only what passed [`offhook_rtp::RtpView`] is in its ring.
pub struct PacketInjector {
    pub(crate) ring: BlockReader<u8>,
    /// The timestamp of the packet before.
    pub(crate) last_timestamp: Option<u32>,
}

impl PacketInjector {
    /// The next packet, written to the front of `buffer`; its length. One that does not fit is skipped.
    pub(crate) fn next(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let stamp = self.ring.next()?;
        let Some(room) = buffer.get_mut(..stamp.len) else {
            self.ring.skip(stamp.len);
            return Some(0);
        };
        Some(self.ring.take(room))
    }
}
