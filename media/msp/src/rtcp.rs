//! One call's RTCP session with its totals, which outlive it.
//! In: compounds and snapshots from `transport.rs`. Out: compounds, totals for statistics, [`Consequence`]s.
//! Silent → (first channel) → speaking → BYE.
//! Not here: sockets and clocks (`transport.rs`), the protocol (`offhook_rtp::RtcpSession`).

use std::net::SocketAddr;

use offhook_engine::SenderIdentity;
use offhook_rtp::{
    NtpTime, ReceiverStats, RtcpEvent, RtcpSession, SdesKind, SenderStats, SessionConfig, VoiceConditions,
    VoipMetrics,
};

use crate::{MspConfig, random};

/// Numbers of a call's RTCP.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RtcpTotals {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) round_trip_ms: Option<f64>,
    /// The far end's view of our packets: lost, 0 to 1.
    pub(crate) remote_loss: Option<f64>,
    /// How the far end hears us, by its last extended report.
    pub(crate) remote_metrics: Option<VoipMetrics>,
}

/// What an event of the session asks of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// We are another source from now on (RFC 3550 §8.2).
    Renamed(SenderIdentity),
}

/// RTCP of one call.
pub(crate) struct Rtcp {
    ssrc: u32,
    cname: String,
    description: Vec<(SdesKind, String)>,
    extended_reports: bool,
    session: Option<RtcpSession>,
    /// Of sessions before this one.
    earlier: RtcpTotals,
    totals: RtcpTotals,
}

impl Rtcp {
    /// For a sender of `ssrc`; silent yet.
    pub(crate) fn new(ssrc: u32, config: &MspConfig) -> Self {
        let (earlier, totals) = Default::default();
        let description = config.description.clone();
        let extended_reports = config.extended_reports;
        Self { ssrc, cname: random::cname(), description, extended_reports, session: None, earlier, totals }
    }

    /// Begins the session, if it has not begun.
    pub(crate) fn begin(&mut self, now_ns: u64) {
        if self.session.is_none() {
            let config = SessionConfig {
                description: self.description.clone(),
                extended_reports: self.extended_reports,
                ..SessionConfig::new(self.ssrc, self.cname.as_str(), random::bits())
            };
            self.session = Some(RtcpSession::new(config, now_ns));
        }
    }

    /// A compound came from the peer's host.
    pub(crate) fn hear(&mut self, source: SocketAddr, now_ns: u64, ntp: NtpTime, bytes: &[u8]) {
        if let Some(session) = &mut self.session {
            session.handle_rtcp_from(source, now_ns, ntp, bytes);
        }
    }

    /// What was learnt since the last time.
    pub(crate) fn consequences(&mut self, now_ns: u64) -> Vec<Consequence> {
        let mut consequences = Vec::new();
        let Some(session) = &mut self.session else { return consequences };
        while let Some(event) = session.poll_event() {
            match event {
                RtcpEvent::ReceptionReport { block, .. } => {
                    self.totals.remote_loss = Some(f64::from(block.fraction_lost) / 256.0);
                }
                RtcpEvent::RoundTrip { round_trip_ns, .. } => {
                    self.totals.round_trip_ms = Some(round_trip_ns as f64 / 1e6);
                }
                RtcpEvent::SsrcCollision { ssrc } => {
                    let mut identity = random::identity();
                    while session.is_taken(identity.ssrc) {
                        identity = random::identity();
                    }
                    tracing::info!(
                        from = ssrc,
                        to = identity.ssrc,
                        "another source uses our SSRC: we take a new one"
                    );
                    session.change_ssrc(now_ns, identity.ssrc);
                    self.ssrc = identity.ssrc;
                    consequences.push(Consequence::Renamed(identity));
                }
                RtcpEvent::VoipMetrics { metrics, .. } => self.totals.remote_metrics = Some(metrics),
                RtcpEvent::Loop { ssrc } => {
                    tracing::warn!(ssrc, "our own packets come back: they are ignored");
                }
                other => tracing::debug!(event = ?other, "RTCP"),
            }
        }
        self.count();
        consequences
    }

    /// The next compound that is due.
    pub(crate) fn due(
        &mut self,
        now_ns: u64,
        ntp: NtpTime,
        sender: &SenderStats,
        receiver: &ReceiverStats,
        voice: VoiceConditions,
    ) -> Option<Vec<u8>> {
        let session = self.session.as_mut()?;
        session.set_voice(Some(voice));
        let compound = session.poll_transmit(now_ns, ntp, sender, receiver);
        self.count();
        compound
    }

    /// Leaves: the next [`Self::due`] is the BYE.
    pub(crate) fn bye(&mut self, now_ns: u64) {
        if let Some(session) = &mut self.session {
            session.bye(now_ns, "");
        }
    }

    /// Over: the totals stay, another session may begin.
    pub(crate) fn ended(mut self) -> Self {
        self.session = None;
        self.earlier = self.totals;
        self
    }

    pub(crate) fn totals(&self) -> RtcpTotals {
        self.totals
    }

    fn count(&mut self) {
        if let Some(session) = &self.session {
            let stats = session.stats();
            self.totals.sent = self.earlier.sent + stats.sent;
            self.totals.received = self.earlier.received + stats.received;
        }
    }
}
