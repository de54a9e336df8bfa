//! The application's ends of raw RTP: it reads the packets that the engine believed or built, and sends its own.
//! In: packets from a tap; packets for an injector. Out: header, payload and time; with the feature `rtp` also the
//! types of the crate `rtp` (webrtc-rs), for programs that speak it.
//!
//! That crate panics on some malformed packets: only bytes that passed [`RtpView`] reach it.
//! Not here: the real-time ends (`rt/packet_tap.rs`).

use std::sync::atomic::Ordering;

use offhook_rtp::{HeaderError, RtpView};

use crate::config::MAX_RING;
use crate::rt::blocks::{BlockReader, BlockWriter, Stamp, blocks};
use crate::rt::packet_tap::{PacketInjector, PacketTap};

/// Octets of the longest packet that passes.
const MAX_PACKET: usize = 2_048;

/// Reads what a tap saw.
pub struct PacketReader {
    ring: BlockReader<u8>,
    buffer: Box<[u8]>,
}

/// A packet that a tap saw: whole, and a packet by RFC 3550.
#[derive(Debug, Clone, Copy)]
pub struct TappedPacket<'a> {
    /// When it arrived, or when the first sample of what was built was captured: nanoseconds.
    pub at_ns: u64,
    /// Header and payload.
    pub view: RtpView<'a>,
}

/// How far a tap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketMeters {
    /// Packets put in.
    pub packets: u64,
    /// Packets dropped because there was no room.
    pub overruns: u64,
    /// Octets that wait.
    pub occupied: usize,
}

/// Sends packets of the application's own.
pub struct PacketSender {
    ring: BlockWriter<u8>,
}

/// Why a packet was not taken to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It is no packet by RFC 3550.
    #[error("not an RTP packet: {0}")]
    Malformed(#[from] HeaderError),
    /// It is longer than anything that is sent.
    #[error("{0} octets; at most {MAX_PACKET} are sent")]
    TooLong(usize),
    /// The crate that made it cannot write it.
    #[cfg(feature = "rtp")]
    #[error("a packet that its own crate cannot write")]
    Unwritable,
    /// Too many wait already: try again after a block.
    #[error("the ring is full: the engine is not being driven, or is behind")]
    Full,
}

/// A tap for `packets` packets of the usual 20 ms (2¹⁸ at most), and the end to read it:
/// [`RxCommand::SetPacketTap`](crate::RxCommand), [`TxCommand::SetPacketTap`](crate::TxCommand).
pub fn packet_tap(packets: usize) -> (PacketReader, Box<PacketTap>) {
    let (writer, reader) = packet_ring(packets);
    (PacketReader { ring: reader, buffer: vec![0; MAX_PACKET].into() }, Box::new(PacketTap { ring: writer }))
}

/// An injector for `packets` packets of the usual 20 ms (2¹⁸ at most), and the end to feed it:
/// [`TxCommand::SetPacketInjector`](crate::TxCommand).
pub fn packet_injector(packets: usize) -> (PacketSender, Box<PacketInjector>) {
    let (writer, reader) = packet_ring(packets);
    (PacketSender { ring: writer }, Box::new(PacketInjector { ring: reader, last_timestamp: None }))
}

/// 20 ms of G.711 are 172 octets; one packet of any length fits always.
fn packet_ring(packets: usize) -> (BlockWriter<u8>, BlockReader<u8>) {
    let packets = packets.clamp(1, MAX_RING / 256);
    blocks((packets * 256).max(MAX_PACKET), packets)
}

impl PacketReader {
    /// The next packet, or `None` if none waits. Never waits.
    pub fn read(&mut self) -> Option<TappedPacket<'_>> {
        let Stamp { at_ns, len } = self.ring.next()?;
        let taken = match self.buffer.get_mut(..len) {
            Some(room) => self.ring.take(room),
            None => {
                self.ring.skip(len);
                0
            }
        };
        // The processors leave only packets that they parsed or built: this does not fail.
        let view = RtpView::parse(self.buffer.get(..taken)?).ok()?;
        Some(TappedPacket { at_ns, view })
    }

    /// The next packet as the crate `rtp` knows it, with its time, or `None` if none waits.
    ///
    /// # Errors
    ///
    /// That crate's, for a packet that it does not understand though RFC 3550 allows it. Read on.
    #[cfg(feature = "rtp")]
    pub fn read_packet(&mut self) -> Option<(u64, Result<rtp::packet::Packet, webrtc_util::Error>)> {
        let tapped = self.read()?;
        Some((tapped.at_ns, to_packet(&tapped.view)))
    }

    /// How far it is.
    pub fn meters(&self) -> PacketMeters {
        let counts = self.ring.counts();
        PacketMeters {
            packets: counts.blocks.load(Ordering::Relaxed),
            overruns: counts.dropped_blocks.load(Ordering::Relaxed),
            occupied: self.ring.occupied(),
        }
    }

    /// Whether the engine still has its end.
    pub fn is_attached(&self) -> bool {
        self.ring.is_written()
    }
}

impl PacketSender {
    /// Takes a packet to be sent in the engine's next block. Never waits.
    ///
    /// Payload, payload type and marker are sent as they are. Source and numbering are the stream's own, so that the
    /// peer and RTCP see one source; timestamps keep their distances. Contributing sources, header extension and
    /// padding are not sent.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        if packet.len() > MAX_PACKET {
            return Err(SendError::TooLong(packet.len()));
        }
        RtpView::parse(packet)?;
        // Room first: what is refused here is the application's still, and no overrun.
        if self.ring.capacity() - self.ring.occupied() < packet.len() || !self.ring.write(0, packet) {
            return Err(SendError::Full);
        }
        Ok(())
    }

    /// Like [`Self::send`], with a packet of the crate `rtp`.
    ///
    /// # Errors
    ///
    /// [`SendError`]; one that its own crate cannot write is [`SendError::Unwritable`].
    #[cfg(feature = "rtp")]
    pub fn send_packet(&mut self, packet: &rtp::packet::Packet) -> Result<(), SendError> {
        use webrtc_util::marshal::Marshal;
        self.send(&packet.marshal().map_err(|_| SendError::Unwritable)?)
    }

    /// Octets that may be sent now, headers included.
    pub fn room(&self) -> usize {
        self.ring.capacity() - self.ring.occupied()
    }

    /// Whether the engine still has its end.
    pub fn is_attached(&self) -> bool {
        self.ring.is_read()
    }
}

/// A checked packet in the types of the crate `rtp`.
///
/// # Errors
///
/// That crate's, for a packet that it does not understand though RFC 3550 allows it.
#[cfg(feature = "rtp")]
pub fn to_packet(view: &RtpView<'_>) -> Result<rtp::packet::Packet, webrtc_util::Error> {
    use webrtc_util::marshal::Unmarshal;
    rtp::packet::Packet::unmarshal(&mut bytes::Bytes::copy_from_slice(view.as_bytes()))
}
