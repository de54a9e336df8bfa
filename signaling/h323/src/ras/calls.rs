//! The calls that a gatekeeper knows of: admitted, being asked about, or being taken leave of.
//! In: what the other modules learn about a call. Out: its record; usage figures.
//! Not here: the messages (`admission`, `bandwidth`, `disengage`, `information`).

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::CallIdentifier;
use offhook_wire::h225::{
    CallModel as WireCallModel, CallType, InfoRequestResponsePerCallInfo, RTPSession, RasUsageInfoTypes,
    RasUsageInformation, TransportChannelInfo, UUIEsRequested,
};
use offhook_wire::tpkt::TpktDecoder;

use super::admission::{AdmissionRequest, CallModel};
use super::event::{RasEvent, RasState, ReleaseOrder};
use super::transaction::Purpose;
use super::{Ras, RasCall, RunningCalls};
use crate::address::to_h225;
use crate::{Release, ReleaseReason};

/// Where a call stands with the gatekeeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// ARQ is out, or waits for a registration.
    Asking,
    /// Admitted by ACF.
    Admitted,
    /// Admitted without being asked: no DRQ at the end.
    Granted,
    /// DRQ is out.
    Leaving,
}

/// Addresses of a call, for reports; what is not known stays empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallReport {
    /// Our end of the call signalling connection.
    pub local_signal_address: Option<SocketAddr>,
    /// The other end.
    pub remote_signal_address: Option<SocketAddr>,
    /// Our H.245 address.
    pub local_h245_address: Option<SocketAddr>,
    /// The peer's.
    pub remote_h245_address: Option<SocketAddr>,
    /// The audio streams.
    pub audio: Vec<AudioReport>,
}

/// One RTP session of a call, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioReport {
    /// H.245 sessionID.
    pub session_id: u8,
    /// Where we receive RTP.
    pub local_rtp: SocketAddr,
    /// Where we send it.
    pub remote_rtp: Option<SocketAddr>,
    /// Where we receive RTCP.
    pub local_rtcp: SocketAddr,
    /// Where we send it.
    pub remote_rtcp: Option<SocketAddr>,
    /// The CNAME of our RTCP.
    pub cname: String,
    /// Our SSRC.
    pub ssrc: u32,
}

#[derive(Debug)]
pub(super) struct CallRecord {
    pub(super) key: RasCall,
    pub(super) request: AdmissionRequest,
    pub(super) standing: Standing,
    /// ARQ was sent again after a new registration.
    pub(super) asked_again: bool,
    pub(super) model: CallModel,
    /// Granted, in 100 bit/s.
    pub(super) bandwidth: u32,
    /// Between reports, and the next one.
    pub(super) report: Option<(Duration, Duration)>,
    pub(super) uuies: UUIEsRequested,
    pub(super) addresses: CallReport,
    /// Seconds since 1970.
    pub(super) alerting_at: Option<u32>,
    pub(super) connected_at: Option<u32>,
    pub(super) ended_at: Option<u32>,
    /// Signalling that was sent and received, for uuiesRequested.
    pub(super) signals: [TpktDecoder; 2],
}

impl CallRecord {
    pub(super) fn new(request: AdmissionRequest) -> Self {
        Self {
            key: request.call,
            bandwidth: request.bandwidth,
            request,
            standing: Standing::Asking,
            asked_again: false,
            model: CallModel::Direct,
            report: None,
            uuies: UUIEsRequested::default(),
            addresses: CallReport::default(),
            alerting_at: None,
            connected_at: None,
            ended_at: None,
            signals: [TpktDecoder::new(), TpktDecoder::new()],
        }
    }

    pub(super) fn usage(&self) -> RasUsageInformation {
        let mut usage = RasUsageInformation::new(Vec::new());
        usage.alerting_time = self.alerting_at;
        usage.connect_time = self.connected_at;
        usage.end_time = self.ended_at;
        usage
    }

    /// perCallInfo of an InfoRequestResponse.
    pub(super) fn info(&self) -> InfoRequestResponsePerCallInfo {
        let channel = |ours: Option<SocketAddr>, theirs: Option<SocketAddr>| {
            let mut info = TransportChannelInfo::new();
            info.recv_address = ours.map(to_h225);
            info.send_address = theirs.map(to_h225);
            info
        };
        let addresses = &self.addresses;
        let mut info = InfoRequestResponsePerCallInfo::new(
            self.request.call_reference,
            self.request.conference_id,
            channel(addresses.local_h245_address, addresses.remote_h245_address),
            channel(addresses.local_signal_address, addresses.remote_signal_address),
            CallType::PointToPoint,
            self.bandwidth,
            match self.model {
                CallModel::Direct => WireCallModel::Direct,
                CallModel::GatekeeperRouted => WireCallModel::GatekeeperRouted,
            },
        );
        info.originator = Some(!self.key.answer);
        info.call_identifier = Some(CallIdentifier::new(self.key.call_identifier));
        let audio = addresses.audio.iter().take(8).map(|audio| {
            RTPSession::new(
                channel(Some(audio.local_rtp), audio.remote_rtp),
                channel(Some(audio.local_rtcp), audio.remote_rtcp),
                // PrintableString has no place for the `@` of most CNAMEs; receivers read it all the same, but what
                // we encode is strict.
                audio.cname.chars().filter(|c| is_printable(*c)).take(64).collect(),
                audio.ssrc.max(1),
                audio.session_id.max(1),
                Vec::new(),
            )
        });
        let audio: Vec<_> = audio.collect();
        info.audio = (!audio.is_empty()).then_some(audio);
        info.usage_information = Some(self.usage());
        info
    }
}

/// A character of PrintableString (X.680 41.4).
fn is_printable(c: char) -> bool {
    c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c)
}

/// What we can report about usage: all of it.
pub(super) fn usage_types() -> RasUsageInfoTypes {
    let mut types = RasUsageInfoTypes::new(Vec::new());
    types.start_time = Some(());
    types.end_time = Some(());
    types.termination_cause = Some(());
    types
}

impl Ras {
    pub(super) fn call(&mut self, key: RasCall) -> Option<&mut CallRecord> {
        self.calls.iter_mut().find(|call| call.key == key)
    }

    /// Calls that still run, for people and for decisions.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// The call rings: usage reports have the time.
    pub fn call_alerting(&mut self, now: Duration, call: RasCall) {
        let time = self.unix(now);
        if let Some(call) = self.call(call) {
            call.alerting_at.get_or_insert(time);
        }
    }

    /// The call is connected: usage reports have the time.
    pub fn call_connected(&mut self, now: Duration, call: RasCall) {
        let time = self.unix(now);
        if let Some(call) = self.call(call) {
            call.connected_at.get_or_insert(time);
        }
    }

    /// The addresses of a call, for reports to the gatekeeper.
    pub fn set_call_report(&mut self, call: RasCall, report: CallReport) {
        if let Some(call) = self.call(call) {
            call.addresses = report;
        }
    }

    /// Forgets a call; what the gatekeeper was to answer about it is unexpected from now on.
    pub(super) fn forget_call(&mut self, now: Duration, key: RasCall) {
        self.calls.retain(|call| call.key != key);
        self.forget(|purpose| match purpose {
            Purpose::Admit(call) | Purpose::Bandwidth(call) | Purpose::Disengage(call) => *call == key,
            _ => false,
        });
        if self.stop_wanted {
            self.try_stop(now);
        }
    }

    /// What becomes of running calls when the registration is lost.
    pub(super) fn release_for_loss(&mut self) {
        self.forget(|purpose| matches!(purpose, Purpose::Admit(_) | Purpose::Bandwidth(_) | Purpose::Report));
        if self.config.running_calls == RunningCalls::Keep {
            return;
        }
        let running = |call: &&CallRecord| matches!(call.standing, Standing::Admitted | Standing::Granted);
        let keys: Vec<_> = self.calls.iter().filter(running).map(|call| call.key).collect();
        for key in keys {
            let release = Release::with_reason(ReleaseReason::UnreachableGatekeeper);
            self.tell(RasEvent::Release(key, ReleaseOrder::GatekeeperLost, release));
        }
    }

    /// A gatekeeper has registered us: it hears of running calls, and of those that waited for it.
    pub(super) fn after_registration(&mut self, now: Duration) {
        let waiting: Vec<_> =
            self.calls.iter().filter(|call| call.standing == Standing::Asking).map(|call| call.key).collect();
        for key in waiting {
            if !self.awaits(|purpose| *purpose == Purpose::Admit(key)) {
                self.ask_for(now, key);
            }
        }
        let running = self.calls.iter().any(|call| call.standing == Standing::Admitted);
        if running {
            self.report_all(now);
        }
    }

    /// Calls that wait for a registration that does not come.
    pub(super) fn fail_waiting_calls(&mut self, now: Duration) {
        if self.state == RasState::Registered {
            return;
        }
        let keys: Vec<_> =
            self.calls.iter().filter(|call| call.standing == Standing::Asking).map(|call| call.key).collect();
        for key in keys {
            if !self.awaits(|purpose| *purpose == Purpose::Admit(key)) {
                self.on_admission_unanswered(now, key);
            }
        }
    }
}
