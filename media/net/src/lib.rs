//! The UDP sockets of the media side.
//!
//! ```text
//! bind ─▶ MediaSockets ─ split ─┬─▶ UdpPacketTx  (real time, engine's sending half) ──┐ copies
//!   even port: RTP              ├─▶ UdpPacketRx  (real time, receiving half) ─────────┼────────▶ TapReader ─▶ file
//!   odd port above: RTCP        └─▶ RtcpSocket   (control)                            ┘
//! ```
//!
//! In: a local address, a range of ports, datagrams. Out: `PacketTx` and `PacketRx` of `offhook-engine`, an RTCP
//! socket, copies of what passed.
//! Not here: RTP and RTCP themselves (`offhook-rtp`), who is listened to on the RTP port (`offhook-engine`), capture
//! file formats.

mod address;
mod bind;
mod rtcp;
mod rtp;
mod stamp;
mod tap;

pub use address::local_address_towards;
pub use bind::{BindConfig, BindError, MediaSockets, PortRange, PortRangeError, bind};
pub use rtcp::{RtcpReceived, RtcpSocket};
pub use rtp::{UdpPacketRx, UdpPacketTx};
pub use stamp::{monotonic_of_wall, wall_of_monotonic};
pub use tap::{Direction, TapReader, TapRecord, TapWriter, tap};
