//! Numbers and stamps the packets of one source (RFC 3550 §5.1).
//! In: payloads with their duration and capture time. Out: packets in the caller's buffer, `SenderStats`.
//! Not here: encoding, pacing, sockets; the sender report itself (`session.rs`).
//! RT: no allocation, lock, syscall, log or panic.

use crate::event::EventPacket;
use crate::header::RtpHeader;

/// What a sender starts with. RFC 3550 §5.1 wants SSRC, sequence number and timestamp random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderConfig {
    /// The synchronization source.
    pub ssrc: u32,
    /// The first packet's sequence number.
    pub first_sequence_number: u16,
    /// The first packet's timestamp.
    pub first_timestamp: u32,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The RTP clock, in hertz (8000 for G.722 also, RFC 3551 §4.5.2).
    pub clock_rate: u32,
}

/// Why a packet was not written; the sender's state is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketizeError {
    /// The buffer is shorter than header and payload.
    #[error("a packet of {need} octets does not fit a buffer of {have}")]
    BufferTooShort {
        /// Octets of header and payload.
        need: usize,
        /// Octets of the buffer.
        have: usize,
    },
}

/// The sending side of one source. Lives in the capture callback.
#[derive(Debug)]
pub struct RtpSender {
    header: RtpHeader,
    clock_rate: u32,
    packets: u64,
    octets: u64,
    last_timestamp: u32,
    last_capture_ns: u64,
}

impl RtpSender {
    /// A sender that has sent nothing.
    pub const fn new(config: SenderConfig) -> Self {
        Self {
            header: RtpHeader {
                marker: false,
                payload_type: config.payload_type,
                sequence_number: config.first_sequence_number,
                timestamp: config.first_timestamp,
                ssrc: config.ssrc,
            },
            clock_rate: config.clock_rate,
            packets: 0,
            octets: 0,
            last_timestamp: config.first_timestamp,
            last_capture_ns: 0,
        }
    }

    /// Writes a packet with `payload` into `out` and returns its length.
    ///
    /// The packet bears the current timestamp, which then moves on by `timestamp_advance`: the payload's duration in
    /// units of the RTP clock. `capture_ns` is when the payload's first sample was captured.
    ///
    /// # Errors
    ///
    /// [`PacketizeError`] if `out` is too short.
    pub fn packetize(
        &mut self,
        payload: &[u8],
        timestamp_advance: u32,
        marker: bool,
        capture_ns: u64,
        out: &mut [u8],
    ) -> Result<usize, PacketizeError> {
        let have = out.len();
        let need = RtpHeader::LEN.saturating_add(payload.len());
        let Some(room) = out.get_mut(RtpHeader::LEN..need) else {
            return Err(PacketizeError::BufferTooShort { need, have });
        };
        room.copy_from_slice(payload);
        self.packetize_in_place(payload.len(), timestamp_advance, marker, capture_ns, out)
    }

    /// Like [`Self::packetize`], for a payload of `payload_len` octets that an encoder already wrote to
    /// `out[RtpHeader::LEN..]`.
    ///
    /// # Errors
    ///
    /// [`PacketizeError`] if `out` is too short.
    pub fn packetize_in_place(
        &mut self,
        payload_len: usize,
        timestamp_advance: u32,
        marker: bool,
        capture_ns: u64,
        out: &mut [u8],
    ) -> Result<usize, PacketizeError> {
        let need = RtpHeader::LEN.saturating_add(payload_len);
        let have = out.len();
        let header = RtpHeader { marker, ..self.header };
        if have < need || header.write(out).is_none() {
            return Err(PacketizeError::BufferTooShort { need, have });
        }
        self.last_timestamp = self.header.timestamp;
        self.last_capture_ns = capture_ns;
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(timestamp_advance);
        self.packets += 1;
        self.octets += payload_len as u64;
        Ok(need)
    }

    /// Writes a packet of telephone-event into `out` and returns its length (RFC 4733 §2.5.1): the same source and
    /// numbering as the audio's, its own payload type and timestamp.
    ///
    /// The audio's timestamp stands still: what the event lasts is to be skipped ([`Self::skip`]). A sender report's
    /// clocks keep to the audio, for an event's timestamp is that of its beginning.
    ///
    /// # Errors
    ///
    /// [`PacketizeError`] if `out` is too short.
    pub fn packetize_event(
        &mut self,
        payload_type: u8,
        event: &EventPacket,
        out: &mut [u8],
    ) -> Result<usize, PacketizeError> {
        let have = out.len();
        let need = RtpHeader::LEN + event.payload.len();
        let header =
            RtpHeader { marker: event.marker, payload_type, timestamp: event.timestamp, ..self.header };
        let Some(room) = out.get_mut(RtpHeader::LEN..need) else {
            return Err(PacketizeError::BufferTooShort { need, have });
        };
        room.copy_from_slice(&event.payload);
        if header.write(out).is_none() {
            return Err(PacketizeError::BufferTooShort { need, have });
        }
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        self.packets += 1;
        self.octets += event.payload.len() as u64;
        Ok(need)
    }

    /// Moves the timestamp on without a packet: silence that is not sent (RFC 3551 §4.1).
    pub const fn skip(&mut self, timestamp_advance: u32) {
        self.header.timestamp = self.header.timestamp.wrapping_add(timestamp_advance);
    }

    /// Goes on with another payload type and clock, same source, same numbering (RFC 3550 §5.2 allows several payload
    /// types of one clock rate in a session; a change of the rate is for a moment when both ends change).
    pub const fn set_format(&mut self, payload_type: u8, clock_rate: u32) {
        self.header.payload_type = payload_type;
        self.clock_rate = clock_rate;
    }

    /// Becomes another source, for instance after a collision (RFC 3550 §8.2): counts begin anew (§6.4.1).
    pub const fn restart(&mut self, config: SenderConfig) {
        *self = Self::new(config);
    }

    /// The source's identifier.
    pub const fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// The next packet's sequence number.
    pub const fn next_sequence_number(&self) -> u16 {
        self.header.sequence_number
    }

    /// The next packet's timestamp.
    pub const fn next_timestamp(&self) -> u32 {
        self.header.timestamp
    }

    /// What the control side needs for a sender report.
    pub const fn stats(&self) -> SenderStats {
        SenderStats {
            ssrc: self.header.ssrc,
            clock_rate: self.clock_rate,
            packets: self.packets,
            octets: self.octets,
            last_timestamp: self.last_timestamp,
            last_capture_ns: self.last_capture_ns,
        }
    }
}

/// A snapshot of [`RtpSender`]; plain data that crosses to the control side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderStats {
    /// The synchronization source.
    pub ssrc: u32,
    /// The RTP clock, in hertz.
    pub clock_rate: u32,
    /// Packets sent; a sender report carries the low 32 bits.
    pub packets: u64,
    /// Payload octets sent, without header and padding; a sender report carries the low 32 bits.
    pub octets: u64,
    /// The timestamp of the last packet.
    pub last_timestamp: u32,
    /// When the first sample of the last packet was captured, in nanoseconds.
    pub last_capture_ns: u64,
}

impl SenderStats {
    /// The timestamp of a sample captured at `now_ns`: what a sender report puts beside its NTP time (§6.4.1).
    pub fn timestamp_at(&self, now_ns: u64) -> u32 {
        let elapsed = i128::from(now_ns) - i128::from(self.last_capture_ns);
        let units = (elapsed * i128::from(self.clock_rate)).div_euclid(1_000_000_000);
        self.last_timestamp.wrapping_add(units as u32)
    }
}
