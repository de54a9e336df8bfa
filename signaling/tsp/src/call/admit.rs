//! A call and the gatekeeper: asked before the call is made or answered, told how it goes, left at its end.
//!
//! ```text
//! outgoing: MakeCall complete → ARQ → ACF: connect where it says      → Alerting, Connect … → DRQ
//! incoming: Setup, CallProceeding → ARQ → ACF: NEWCALL, OFFERING      → Alerting, Connect … → DRQ
//! ```
//! In: a call's names, the gatekeeper's answers. Out: where the call goes; how it ends if it may not.
//! Not here: RAS (`h323`), its socket (`registrar.rs`).

use std::net::SocketAddr;

use offhook_h323::{
    Admission, AdmissionRejection, AdmissionRequest, Alias, CallModel, CallReport, Cause, LocalMedia,
    RasCall, Release, ReleaseOrder, ReleaseReason, SetupInfo, SignalSecurity,
};
use offhook_spi::{HdCall, LineError};
use tokio::sync::mpsc;

use super::establish::{Ended, early};
use super::running::Running;
use super::{Command, Context};
use crate::mode::mode_of_admission;
use crate::registrar::{Ask, News, Registrar};

/// A call that the gatekeeper knows of. Dropping it takes leave.
pub(super) struct Asked {
    registrar: Registrar,
    hd: HdCall,
    call: RasCall,
    /// That of its ReleaseComplete.
    pub(super) cause: Option<Cause>,
    wants_signals: bool,
    /// What the call may use, in 100 bit/s, both ways, once that is known.
    pub(super) granted: Option<u32>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.tell(News::Disengage(self.cause));
    }
}

impl Asked {
    fn of(context: &Context, registrar: &Registrar, request: AdmissionRequest) -> Self {
        let call = request.call;
        registrar.admit(&context.inner, context.hd, request);
        Self {
            registrar: registrar.clone(),
            hd: context.hd,
            call,
            cause: None,
            wants_signals: false,
            granted: None,
        }
    }

    fn tell(&self, news: News) {
        self.registrar.ask(Ask::Tell(self.hd, self.call, news));
    }

    /// Whether an order is about this call.
    pub(super) fn is(&self, call: RasCall) -> bool {
        self.call == call
    }

    pub(super) fn alerting(&self) {
        self.tell(News::Alerting);
    }

    pub(super) fn connected(&self, local: SocketAddr, remote: SocketAddr) {
        let report = CallReport {
            local_signal_address: Some(local),
            remote_signal_address: Some(remote),
            ..CallReport::default()
        };
        self.tell(News::Report(Box::new(report)));
        self.tell(News::Connected);
    }

    /// Octets of the call signalling connection, for a gatekeeper that wants to read along.
    pub(super) fn signal(&self, sent: bool, octets: &[u8]) {
        if self.wants_signals {
            self.tell(News::Signal(sent, octets.to_vec().into()));
        }
    }
}

/// What an outgoing call is called, and whom it is for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) call_identifier: [u8; 16],
    pub(super) conference: [u8; 16],
    pub(super) reference: u16,
    pub(super) alias: Option<Alias>,
}

/// Asks whether an outgoing call may be made, and where it goes. Without a gatekeeper it goes to `addresses`.
pub(super) async fn outgoing(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    wanted: &Wanted,
    addresses: Vec<SocketAddr>,
) -> Result<(Vec<SocketAddr>, Option<Box<Admission>>), Ended> {
    // The call before this one is over for the gatekeeper.
    context.asked = None;
    let Some(registrar) = context.registrar.clone() else { return Ok((addresses, None)) };
    let call = RasCall { call_identifier: wanted.call_identifier, answer: false };
    let request = AdmissionRequest {
        call,
        conference_id: wanted.conference,
        call_reference: wanted.reference,
        destination: wanted.alias.iter().cloned().collect(),
        destination_address: addresses.first().copied(),
        extra: Vec::new(),
        source: Vec::new(),
        source_address: None,
        bandwidth: registrar.config.bandwidth,
        model: registrar.config.model,
    };
    context.asked = Some(Asked::of(context, &registrar, request));
    loop {
        match early(context, commands.recv().await)? {
            Some(Command::Admission(of, Ok(admission))) if of == call => {
                if let Some(asked) = &mut context.asked {
                    asked.wants_signals = admission.wants_signals;
                    asked.granted = Some(admission.bandwidth);
                }
                let alternates = admission.alternates.iter().filter(|other| other.destination.is_empty());
                let others = alternates.flat_map(|other| other.addresses.iter().copied());
                let mut to: Vec<_> = admission.address.into_iter().chain(others).collect();
                if to.is_empty() {
                    to = addresses;
                }
                return Ok((to, Some(admission)));
            }
            Some(Command::Admission(of, Err(rejection))) if of == call => {
                return Err(Ended::Failed(mode_of_admission(rejection.reason), why(&rejection)));
            }
            _ => tracing::debug!(call = context.hd.0, "too early, or too late"),
        }
    }
}

/// For people.
fn why(rejection: &AdmissionRejection) -> String {
    let numbers = match rejection.numbers.as_slice() {
        [] => String::new(),
        numbers => format!("; it names {}", numbers.join(", ")),
    };
    format!("the gatekeeper does not admit the call: {}{numbers}", rejection.reason.name())
}

/// Why the gatekeeper ends a call, for people.
pub(super) fn why_ordered(order: ReleaseOrder) -> String {
    let why = match order {
        ReleaseOrder::ForcedDrop => "DRQ forcedDrop",
        ReleaseOrder::Disengaged => "DRQ",
        ReleaseOrder::GatekeeperLost => "it is lost, and calls are not kept without it",
    };
    format!("the gatekeeper ends the call: {why}")
}

/// Leaves of `media` the codecs that may go both ways within what the gatekeeper grants (H.225.0 7.11.2, bandWidth: the sum
/// of both directions). Fast connect and H.245 then agree on nothing beyond it. The error, for people: none may.
///
/// Before that, applications may have said which codecs they want, and how much.
pub(super) fn fit(context: &Context, media: &mut LocalMedia) -> Result<(), String> {
    context.inner.extension.prefer(media)?;
    let Some(granted) = context.asked.as_ref().and_then(|asked| asked.granted) else { return Ok(()) };
    let granted = granted.saturating_mul(100);
    let had_some = !media.sessions.is_empty();
    for session in &mut media.sessions {
        session.codecs.retain(|offer| offer.codec.bit_rate().saturating_mul(2) <= granted);
    }
    media.sessions.retain(|session| !session.codecs.is_empty());
    if had_some && media.sessions.is_empty() {
        return Err(format!(
            "the gatekeeper grants {granted} bit/s for both ways together, too few for any codec that is offered"
        ));
    }
    Ok(())
}

/// Signs a call that goes through the gatekeeper, if that was wished for.
pub(super) fn signed(context: &Context, routed: bool, seed: u64) -> Option<SignalSecurity> {
    let registrar = context.registrar.as_ref().filter(|_| routed)?;
    let unsigned = registrar.config.sign_calls?;
    let security = registrar.config.ras.security.as_ref()?;
    let status = context.inner.registration.borrow();
    let registration = status.registration.as_ref()?;
    let gatekeeper = registration.gatekeeper_identifier.as_deref();
    let endpoint = &registration.endpoint_identifier;
    let epoch = context.inner.unix_epoch();
    Some(SignalSecurity::new(security.password.clone(), endpoint, gatekeeper, unsigned, epoch, seed))
}

/// Whether a call that comes from `remote` comes from our gatekeeper.
pub(super) fn from_gatekeeper(context: &Context, remote: SocketAddr) -> bool {
    let status = context.inner.registration.borrow();
    status.registration.as_ref().is_some_and(|registration| {
        let mut known = registration.signal_addresses.iter().chain([&registration.gatekeeper]);
        known.any(|address| address.ip().to_canonical() == remote.ip().to_canonical())
    })
}

/// Whether the gatekeeper has the call routed through itself.
pub(super) fn is_routed(admission: &Admission) -> bool {
    admission.model == CallModel::GatekeeperRouted
}

impl Running {
    /// Asks whether an incoming call may be answered; false if there is nobody to ask.
    pub(super) fn ask_to_answer(&mut self, setup: &SetupInfo) -> bool {
        let Some(registrar) = self.context.registrar.clone() else { return false };
        // Callers of version 1 have no callIdentifier.
        let call_identifier = match setup.call_identifier {
            none if none == [0; 16] => setup.conference_id,
            identifier => identifier,
        };
        let (local, remote) = self.signaling_ends;
        let numbers = setup.called_number.iter().map(|number| Alias::from_text(&number.digits));
        let mut destination = setup.called_aliases.clone();
        destination.extend(numbers.filter(|number| !setup.called_aliases.contains(number)));
        let request = AdmissionRequest {
            call: RasCall { call_identifier, answer: true },
            conference_id: setup.conference_id,
            call_reference: setup.call_reference,
            destination,
            destination_address: Some(local),
            extra: Vec::new(),
            source: setup.caller_aliases.clone(),
            source_address: setup.source_signal_address.or(Some(remote)),
            bandwidth: registrar.config.bandwidth,
            model: registrar.config.model,
        };
        self.context.asked = Some(Asked::of(&self.context, &registrar, request));
        // The gatekeeper may take its time, and the caller's T303 must not.
        let now = self.now();
        self.machine.proceed(now);
        true
    }

    /// The gatekeeper's answer about an incoming call.
    pub(super) fn admission(&mut self, of: RasCall, answer: Result<Box<Admission>, Box<AdmissionRejection>>) {
        let now = self.now();
        let Some(setup) =
            self.unadmitted.take_if(|_| self.context.asked.as_ref().is_some_and(|a| a.call == of))
        else {
            return tracing::debug!(call = self.context.hd.0, "an admission that nobody waits for");
        };
        if self.released {
            return;
        }
        match answer {
            Ok(admission) => {
                if let Some(asked) = &mut self.context.asked {
                    asked.wants_signals = admission.wants_signals;
                }
                self.set_bandwidth(admission.bandwidth);
                self.announce(&setup);
            }
            Err(rejection) => {
                tracing::info!(call = self.context.hd.0, "{}", why(&rejection));
                let there = rejection
                    .route_to
                    .filter(|_| rejection.release.reason == Some(ReleaseReason::FacilityCallDeflection));
                let sent_away = there.is_some_and(|there| self.machine.route_to_gatekeeper(now, there));
                if !sent_away {
                    self.machine.release(now, rejection.release);
                }
            }
        }
    }

    /// An order of the gatekeeper about this call, not about one before it.
    pub(super) fn concerns(&self, call: RasCall) -> bool {
        self.context.asked.as_ref().is_some_and(|asked| asked.is(call))
    }

    /// What the call may use, in 100 bit/s, both ways.
    pub(super) fn set_bandwidth(&mut self, bandwidth: u32) {
        if let Some(asked) = &mut self.context.asked {
            asked.granted = Some(bandwidth);
        }
        let now = self.now();
        self.machine.set_bandwidth(now, Some(bandwidth.saturating_mul(100)));
    }

    /// The gatekeeper, or what it granted, ends the call: `why` is for people.
    pub(super) fn ordered_to_release(&mut self, release: Release, why: String) {
        if !self.released {
            self.ordered = Some(why);
            let now = self.now();
            self.machine.release(now, release);
        }
    }
}

/// A call without an address to go to.
pub(super) fn nowhere() -> Ended {
    let error = LineError::InvalAddress("no address, and no gatekeeper to ask for one".to_owned());
    Ended::Failed(offhook_spi::DisconnectMode::BadAddress, error.to_string())
}
