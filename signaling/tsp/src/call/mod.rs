//! One call, one task: joins the call machine to its sockets, to the broker and to the MSP.
//!
//! ```text
//! outgoing: resolve → complete MakeCall → connect → Prepare ⇄ Prepared → machine (Setup …) → until closed
//! incoming: accepted connection → machine … Setup → NEWCALL, OFFERING → Prepare ⇄ Prepared → … until closed
//! ```
//!
//! In: [`Command`]s, octets, time. Out: TSPI events, opaque buffers, octets.
//! Not here: the stages themselves (`establish.rs` before there is a machine, `running.rs` with it, its digits in
//! `digits.rs`, its holding in `hold.rs`, `legs.rs` one machine after the other when a call is forwarded).

mod admit;
mod agreed;
mod digits;
mod establish;
mod heard;
mod hold;
mod known;
mod legs;
mod moved;
mod running;
mod sockets;

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use offhook_h323::{
    Admission, AdmissionRejection, Alias, ConferenceGoal, IncomingParams, RasCall, Release, ReleaseOrder,
    ReleaseReason, UserUser,
};
use offhook_pair::ToMsp;
use offhook_spi::{
    CallInfo, CallInfoChange, CallOrigin, CallParams, CallReason, DigitMode, DisconnectMode, HdCall, HdLine,
    HtCall, HtLine, HtMspLine, LineCallState, LineError, MediaTypes, Opaque, Party, Q931Verb, RequestId,
    Timestamp,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tracing::Instrument;

pub(crate) use self::known::Known;
pub(crate) use self::sockets::expire;

use self::admit::Asked;
use self::legs::Leg;
use self::running::Running;
use self::sockets::Signaling;
use crate::connection::Connection;
use crate::destination::Destination;
use crate::gate::{Member, Silent};
use crate::hub::{Names, Place};
use crate::info;
use crate::provider::{CallEntry, Inner};
use crate::refuse::refuse;
use crate::registrar::Registrar;
use crate::trunk::{self, Seat};

/// What the provider asks of a call's task.
pub(crate) enum Command {
    /// Ring.
    Accept(RequestId),
    /// Connect.
    Answer(RequestId),
    /// Release, telling the far end why.
    Drop(RequestId, DisconnectMode),
    /// The broker forgets the call.
    Close,
    /// Send digits.
    Digits(RequestId, String, DigitMode),
    /// More digits of the called number; the last of them.
    Dial(RequestId, String, bool),
    /// Send the caller there instead, if it could be resolved.
    Redirect(RequestId, Result<(Option<SocketAddr>, Option<String>), LineError>),
    /// User-user information.
    UserUser(RequestId, UserUser),
    /// The media are to be at this MSP instance.
    MoveMedia(HtMspLine),
    /// Hold the far end.
    Hold(RequestId),
    /// Take it back.
    Unhold(RequestId),
    /// What TAPI has no request for.
    Q931(RequestId, Q931Verb),
    /// The call's signalling connection, which was lost, is this one now.
    Resume(Seat),
    /// A buffer from an MSP instance.
    MspData(HtMspLine, Opaque),
    /// The gatekeeper's answer about the call.
    Admission(RasCall, Result<Box<Admission>, Box<AdmissionRejection>>),
    /// What the gatekeeper lets the call use, in 100 bit/s.
    Bandwidth(RasCall, u32),
    /// The gatekeeper ends the call.
    Release(RasCall, ReleaseOrder, Release),
    /// The line or the provider closes.
    Shutdown,
}

/// Starts an outgoing call.
pub(crate) fn outgoing(
    inner: &Arc<Inner>,
    request: RequestId,
    hd_line: HdLine,
    line: HtLine,
    call: HtCall,
    destination: Destination,
    params: &CallParams,
) -> Result<HdCall, LineError> {
    let mut config = inner.config.call.clone();
    if let Some(display) = &params.display {
        config.display.clone_from(display);
    }
    let user_user = params.user_user.as_deref().map(info::user_user_from).transpose()?;
    let mut identity = Identity::draw()?;
    let alias = destination.alias.as_deref().map(Alias::from_text);
    if let Some(conference) = params.conference {
        identity.conference = conference;
    }
    let goal = info::goal(params)?;
    let info = info::outgoing(params, goal, &local_name(&config));
    let (mut context, commands) = enter(inner, hd_line, line, info)?;
    context.ht = Some(call);
    context.known.ask(request)?;
    context.partial = params.partial;
    context.take_place(identity.names(goal));
    let hd = context.hd;
    let leg = Leg::first(config, identity, alias, goal, params, user_user);
    inner.runtime.spawn(legs::run(context, commands, request, destination, leg).instrument(span(hd)));
    Ok(hd)
}

/// What all that a call logs stands in: which call it is of.
fn span(call: HdCall) -> tracing::Span {
    tracing::info_span!("call", id = call.0)
}

/// Starts a call on an accepted connection.
pub(crate) fn incoming(
    inner: &Arc<Inner>,
    hd_line: HdLine,
    line: HtLine,
    stream: TcpStream,
    remote: SocketAddr,
) -> Result<(), LineError> {
    let host = remote.ip().to_canonical();
    if !inner.gate.in_rate(&inner.config, host, inner.now()) {
        refuse(inner, stream, remote, Release::with_reason(ReleaseReason::AdaptiveBusy));
        return Err(LineError::ResourceUnavail(format!("{host} calls too often")));
    }
    let Some(silent) = inner.gate.silent(&inner.config, host) else {
        return Err(LineError::ResourceUnavail("too many connections are silent".to_owned()));
    };
    let info = arriving(remote);
    let seed = Identity::draw()?.seed;
    let (mut context, commands) = match enter(inner, hd_line, line, info) {
        Ok(entered) => entered,
        Err(error) => {
            inner.gate.counts.calls.add(1);
            refuse(inner, stream, remote, Release::with_reason(ReleaseReason::GatewayResources));
            return Err(error);
        }
    };
    let connection = Connection::accepted(stream, remote).map_err(LineError::failed)?;
    context.inner.tap_opened(connection.remote, connection.local);
    context.silent = Some(silent);
    let call = &inner.config.call;
    let signaling = if call.multiple_calls || call.maintain_connection || call.survive_signaling_loss {
        Signaling::Shared(trunk::accepted(inner, connection, (hd_line, line)))
    } else {
        Signaling::Own(connection)
    };
    arrive(context, commands, signaling, seed);
    Ok(())
}

/// Starts a call whose Setup came on a connection of several.
pub(crate) fn seated(inner: &Arc<Inner>, hd_line: HdLine, line: HtLine, seat: Seat) -> Result<(), LineError> {
    let info = arriving(seat.remote);
    let seed = Identity::draw()?.seed;
    let (context, commands) = enter(inner, hd_line, line, info)?;
    arrive(context, commands, Signaling::Shared(seat), seed);
    Ok(())
}

fn arriving(remote: SocketAddr) -> CallInfo {
    CallInfo {
        caller: Party { address: remote.to_string(), name: None },
        ..CallInfo::new(CallOrigin::Inbound, CallReason::Unknown, MediaTypes::AUDIO)
    }
}

fn arrive(
    mut context: Context,
    mut commands: mpsc::UnboundedReceiver<Command>,
    signaling: Signaling,
    seed: u64,
) {
    context.inbound = true;
    let inner = Arc::clone(&context.inner);
    let (local, remote) = signaling.ends();
    let params = IncomingParams { seed, local_signal_address: Some(local), remote_signal_address: remote };
    let mut machine = offhook_h323::Call::incoming(inner.config.call.clone(), params, inner.now());
    // What calls share is taken apart before it could be checked.
    let routed = matches!(signaling, Signaling::Own(_)) && admit::from_gatekeeper(&context, remote);
    if let Some(security) = admit::signed(&context, routed, seed) {
        machine.secure_signaling(security);
    }
    let hd = context.hd;
    let task = async move {
        let mut running = Running::new(context, machine, signaling);
        running.setup_connected();
        // Nobody forwards a call that arrived.
        let _ = running.run(&mut commands).await;
    };
    inner.runtime.spawn(task.instrument(span(hd)));
}

fn enter(
    inner: &Arc<Inner>,
    hd_line: HdLine,
    line: HtLine,
    info: CallInfo,
) -> Result<(Context, mpsc::UnboundedReceiver<Command>), LineError> {
    let (sender, commands) = mpsc::unbounded_channel();
    let info = Arc::new(Mutex::new(info));
    let known = Arc::new(Known::default());
    let entry =
        CallEntry { line: hd_line, commands: sender, info: Arc::clone(&info), known: Arc::clone(&known) };
    let hd = inner.enter(entry)?;
    let context = Context {
        known,
        inner: Arc::clone(inner),
        registrar: inner.registrar(hd_line),
        asked: None,
        line,
        hd,
        ht: None,
        info,
        inbound: false,
        closed: false,
        ending: false,
        msp: None,
        state: None,
        silent: None,
        member: None,
        place: None,
        partial: false,
        dialled: (String::new(), false),
    };
    Ok((context, commands))
}

fn local_name(config: &offhook_h323::Config) -> String {
    config.aliases.first().map_or_else(|| config.display.clone(), ToString::to_string)
}

/// H.225.0's names for a call that we place, drawn from the system's random numbers.
struct Identity {
    call: [u8; 16],
    conference: [u8; 16],
    reference: u16,
    seed: u64,
}

impl Identity {
    fn draw() -> Result<Self, LineError> {
        use bytes::Buf as _;
        // One question to the system for all of it.
        let mut drawn = [0; 42];
        getrandom::fill(&mut drawn).map_err(|why| LineError::failed(format!("no random numbers: {why}")))?;
        let mut rest = &drawn[..];
        let mut identity = Self { call: [0; 16], conference: [0; 16], reference: 0, seed: 0 };
        rest.copy_to_slice(&mut identity.call);
        rest.copy_to_slice(&mut identity.conference);
        identity.reference = (rest.get_u16() & 0x7fff).max(1);
        identity.seed = rest.get_u64();
        Ok(identity)
    }
}

impl Identity {
    /// As call hubs know it: a call that we place is known by its callIdentifier, wherever it goes.
    fn names(&self, goal: ConferenceGoal) -> Names {
        let Self { call, conference, reference, .. } = *self;
        Names { call, conference, reference, peer: (Ipv6Addr::UNSPECIFIED, 0).into(), goal }
    }
}

/// What a call's task knows of its surroundings.
struct Context {
    inner: Arc<Inner>,
    /// The line's gatekeeper.
    registrar: Option<Registrar>,
    /// The gatekeeper knows of the call, until this is dropped.
    asked: Option<Asked>,
    line: HtLine,
    hd: HdCall,
    ht: Option<HtCall>,
    info: Arc<Mutex<CallInfo>>,
    known: Arc<Known>,
    inbound: bool,
    /// The broker has forgotten the call: nothing may name it any more.
    closed: bool,
    /// The line or the provider closes: the task ends when the machine has.
    ending: bool,
    /// The MSP instance that prepared this call.
    msp: Option<HtMspLine>,
    /// The state last reported.
    state: Option<LineCallState>,
    /// Held until the Setup of an incoming connection has come.
    silent: Option<Silent>,
    /// Held while the call is part of its conference.
    member: Option<Member>,
    /// In its call hub.
    place: Option<Place>,
    /// More digits may follow those of MakeCall.
    partial: bool,
    /// Digits that came before there was a machine; whether the last is among them.
    dialled: (String, bool),
}

impl Drop for Context {
    fn drop(&mut self) {
        self.inner.leave(self.hd);
        // What came too late for the task to hear of it.
        self.inner.fail(&self.known, "the call has ended");
    }
}

impl Context {
    fn report(&mut self, state: LineCallState) {
        if self.state == Some(state) {
            return;
        }
        self.state = Some(state);
        tracing::debug!(call = self.hd.0, ?state, "call state");
        if let Some((events, ht)) = self.inner.events().zip(self.valid()) {
            events.call_state(self.line, ht, state, Timestamp::now());
        }
    }

    fn complete(&self, request: RequestId, result: Result<(), LineError>) {
        // A closed call's requests have failed already.
        if let Some(events) = self.inner.events().filter(|_| self.known.completed(request)) {
            events.async_completion(request, result);
        }
    }

    /// Changes the call's information and says so.
    fn note(&self, change: CallInfoChange, edit: impl FnOnce(&mut CallInfo)) {
        edit(&mut self.info.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        if let Some((events, ht)) = self.inner.events().zip(self.valid()) {
            events.call_info(self.line, ht, change);
        }
    }

    /// The call is named like this, or goes on under these names: it has its place in a hub.
    fn take_place(&mut self, names: Names) {
        let Some(place) = &mut self.place else {
            let place = Place::join(&self.inner, names);
            self.info.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).call_id = place.number();
            self.place = Some(place);
            return;
        };
        if let Some(before) = place.rename(names) {
            let number = place.number();
            self.note(CallInfoChange::RelatedCallId, |info| info.related_call_id = before);
            self.note(CallInfoChange::CallId, |info| info.call_id = number);
        }
    }

    /// Sends a buffer to the MSP that prepared the call, or, before one has, to all.
    fn to_msp(&self, message: &ToMsp) -> Result<(), LineError> {
        self.to_instance(self.msp, message)
    }

    fn to_instance(&self, msp: Option<HtMspLine>, message: &ToMsp) -> Result<(), LineError> {
        let (events, ht) = self.inner.events().zip(self.valid()).ok_or(LineError::InvalCallHandle)?;
        events.send_msp_data(self.line, Some(ht), msp, Opaque::new(message.encode())?)
    }

    /// The broker's handle, while the call may be named.
    fn valid(&self) -> Option<HtCall> {
        self.ht.filter(|_| !self.closed && !self.known.is_closed())
    }
}
