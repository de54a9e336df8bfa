//! The network side of one call: a pair of ports, RTCP on the control side, a tap.
//! In: the peer's address; what channels agree on; turns of the service thread. Out: RTCP packets, copies for a tap.
//! Open (Prepare) → speaking (first channel) → leaving (StopAll: BYE once the real-time halves stand still) → dropped.
//! Not here: RTP, which the engine's halves send and receive; when a call is prepared (`call.rs`).

use std::net::{IpAddr, SocketAddr};

use offhook_engine::{Meters, SendOutcome, monotonic_ns};
use offhook_net::{
    BindConfig, RtcpSocket, UdpPacketRx, UdpPacketTx, bind, local_address_towards, tap, wall_of_monotonic,
};
use offhook_rtp::NtpTime;

use crate::media::Media;
use crate::quality::VoiceQuality;
use crate::rtcp::{Consequence, Rtcp};
use crate::tap::{CallTap, PacketDirection};

/// Datagrams a direction that the tap's rings hold: several seconds of a call.
const TAP_DATAGRAMS: usize = 512;
/// The longest RTCP compound that is read.
const MAX_COMPOUND: usize = 2_048;
/// Compounds read in one turn, so that a flood cannot hold the service thread.
const COMPOUNDS_A_TURN: usize = 16;

/// A call's sockets and RTCP.
pub(crate) struct Transport {
    /// Where the peer is to send RTP.
    pub(crate) rtp: SocketAddr,
    /// Where the peer is to send RTCP.
    pub(crate) rtcp: SocketAddr,
    socket: RtcpSocket,
    remote: Option<SocketAddr>,
    session: Rtcp,
    /// For extended reports.
    pub(crate) quality: VoiceQuality,
    tap: Option<CallTap>,
}

impl Transport {
    /// Binds a pair of ports at the address that reaches `peer`.
    ///
    /// # Errors
    ///
    /// For people: which address or range could not be had.
    pub(crate) fn open(
        media: &Media,
        peer: IpAddr,
        session: Rtcp,
    ) -> Result<(Self, UdpPacketTx, UdpPacketRx), String> {
        let config = &media.config;
        let towards =
            || local_address_towards(peer).map_err(|why| format!("no local address reaches {peer}: {why}"));
        let bound = config.bind.map_or_else(towards, Ok)?;
        let told = if bound.is_unspecified() { towards()? } else { bound };
        let sockets = bind(&BindConfig { ports: media.ports, dscp: config.dscp, ..BindConfig::new(bound) })
            .map_err(|why| why.to_string())?;
        let rtp = SocketAddr::new(told, sockets.rtp_address().port());
        let rtcp = SocketAddr::new(told, sockets.rtcp_address().port());
        let (writers, tap) = match &config.tap {
            Some(out) => {
                let (writers, reader) = tap(TAP_DATAGRAMS);
                (Some(writers), Some(CallTap::new(reader, out.clone(), rtp)))
            }
            None => (None, None),
        };
        let (tx, rx, socket) = sockets.split(writers);
        let quality = VoiceQuality::new(config.packet_ms, config.max_playout_ms);
        Ok((Self { rtp, rtcp, socket, remote: None, session, quality, tap }, tx, rx))
    }

    /// Whom RTCP goes to and comes from. The first time begins the session.
    pub(crate) fn speak_to(&mut self, remote: Option<SocketAddr>, peer: Option<IpAddr>) {
        self.remote = remote;
        self.socket.set_peer(remote.map(|remote| remote.ip()).or(peer));
        self.session.begin(monotonic_ns());
    }

    /// RTP really comes from here: RTCP is taken to be at the port above, whatever signalling told.
    pub(crate) fn follow(&mut self, rtp: SocketAddr) {
        self.socket.set_peer(Some(rtp.ip()));
        if let Some(port) = rtp.port().checked_add(1) {
            self.remote = Some(SocketAddr::new(rtp.ip(), port));
        }
    }

    /// Reads what came, sends what is due, hands on what the tap heard; what the engine is to be told.
    pub(crate) fn turn(&mut self, meters: &Meters) -> Vec<Consequence> {
        let mut buffer = [0; MAX_COMPOUND];
        for _ in 0..COMPOUNDS_A_TURN {
            let Some(received) = self.socket.receive(&mut buffer) else { break };
            let bytes = buffer.get(..received.len).unwrap_or_default();
            if let Some(tap) = &mut self.tap {
                tap.note(received.arrival_ns, PacketDirection::Received, received.source, self.rtcp, bytes);
            }
            self.session.hear(received.source, received.arrival_ns, ntp(received.arrival_ns), bytes);
        }
        let consequences = self.session.consequences(monotonic_ns());
        self.quality.note(&meters.rx());
        self.send_due(meters);
        if let Some(tap) = &mut self.tap {
            tap.drain(monotonic_ns());
        }
        consequences
    }

    /// The last words: BYE, and everything that the tap still holds. The halves must have left the RTP port.
    pub(crate) fn close(mut self, meters: &Meters) -> Rtcp {
        self.turn(meters);
        self.session.bye(monotonic_ns());
        self.send_due(meters);
        if let Some(tap) = &mut self.tap {
            tap.drain(u64::MAX);
        }
        self.session
    }

    /// The session's numbers.
    pub(crate) fn session(&self) -> &Rtcp {
        &self.session
    }

    fn send_due(&mut self, meters: &Meters) {
        // Without an address nothing is due: the session would count what nobody got.
        let Some(remote) = self.remote else { return };
        let (sender, rx) = (meters.tx().sender, meters.rx());
        let voice = self.quality.conditions(&rx);
        loop {
            let now_ns = monotonic_ns();
            let due = self.session.due(now_ns, ntp(now_ns), &sender, &rx.receiver, voice);
            let Some(compound) = due else { return };
            match self.socket.send(&compound, remote) {
                SendOutcome::Sent => {
                    if let Some(tap) = &mut self.tap {
                        tap.note(monotonic_ns(), PacketDirection::Sent, self.rtcp, remote, &compound);
                    }
                }
                outcome => tracing::debug!(%remote, ?outcome, "an RTCP packet was not sent"),
            }
        }
    }
}

/// The wall clock at a monotonic time.
fn ntp(at_ns: u64) -> NtpTime {
    let wall_ns = wall_of_monotonic(at_ns);
    NtpTime::from_unix(wall_ns / 1_000_000_000, (wall_ns % 1_000_000_000) as u32)
}
