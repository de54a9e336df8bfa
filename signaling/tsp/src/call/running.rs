//! A call with its machine: sockets to machine, machine to sockets, events both ways.
//!
//! In: [`Command`]s, octets, deadlines. Out: TSPI events, pair messages, octets.
//! Not here: sockets (`sockets.rs`), any decision about the protocol.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_h323::{
    Alias, Call, Cause, Channel, ChannelPlan, ConferenceGoal, Event, Forward, Origin, Release, ReleaseInfo,
    ReleaseReason, SetupInfo,
};
use offhook_pair::{Channel as PairChannel, DigitWay, Flow, ToMsp, ToTsp};
use offhook_spi::{
    CallInfoChange, DisconnectMode, HtMspLine, LineCallState, LineError, Opaque, Q931Verb, RequestId,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::admit::{self, Asked};
use super::digits::Digits;
use super::heard::Way;
use super::hold::Holding;
use super::moved::Moving;
use super::sockets::{Connecting, Signaling, accept, connect, drive, hear};
use super::{Command, Context};
use crate::connection::Connection;
use crate::hub::Names;
use crate::mode::{cause_of_mode, disconnect_mode};
use crate::{info, media};

/// How a call that is not over goes on.
pub(super) enum Next {
    Forward(Box<Forward>),
    OwnConnection,
}

/// The task's state.
pub(super) struct Running {
    pub(super) context: Context,
    pub(super) machine: Call,
    pub(super) signaling: Option<Signaling>,
    /// The attempt to get back a lost one.
    pub(super) reopening: Option<Connecting>,
    pub(super) h245: Option<Connection>,
    pub(super) h245_listener: Option<TcpListener>,
    pub(super) h245_connecting: Option<Connecting>,
    /// What the peer connected while we were connecting: for the case that we do not succeed.
    pub(super) h245_reserve: Option<TcpStream>,
    pub(super) closing: JoinSet<()>,
    pub(super) signaling_ends: (SocketAddr, SocketAddr),
    /// Answer and Drop that wait for the machine.
    pub(super) answer: Option<RequestId>,
    pub(super) drop: Option<RequestId>,
    /// When the MSP's answer is overdue.
    pub(super) prepare_by: Option<Duration>,
    pub(super) released: bool,
    pub(super) connected: bool,
    /// Where the called side has sent us, once the machine has let go.
    pub(super) forward: Option<Box<Forward>>,
    /// The connection was there before the call; with the first answer that is forgotten.
    reused: bool,
    /// The call is to be set up once more, on a connection of its own.
    again: bool,
    /// An incoming call that waits for the gatekeeper.
    pub(super) unadmitted: Option<Box<SetupInfo>>,
    /// The gatekeeper ends the call, and why.
    pub(super) ordered: Option<String>,
    /// Channels that are agreed and wait for Connect.
    pub(super) held: Vec<PairChannel>,
    pub(super) digits: Digits,
    pub(super) holding: Holding,
    /// Media that go to another MSP instance.
    pub(super) moving: Option<Moving>,
    /// A channel was agreed at some time.
    pub(super) channels_agreed: bool,
    /// The far end's flow control of what we send, in bit/s.
    pub(super) rate_limit: Option<u32>,
}

impl Running {
    pub(super) fn new(context: Context, machine: Call, signaling: Signaling) -> Self {
        Self {
            context,
            machine,
            signaling_ends: signaling.ends(),
            reused: signaling.is_reused(),
            again: false,
            reopening: None,
            signaling: Some(signaling),
            h245: None,
            h245_listener: None,
            h245_connecting: None,
            h245_reserve: None,
            closing: JoinSet::new(),
            answer: None,
            drop: None,
            prepare_by: None,
            released: false,
            connected: false,
            forward: None,
            unadmitted: None,
            ordered: None,
            held: Vec::new(),
            digits: Digits::default(),
            holding: Holding::default(),
            moving: None,
            channels_agreed: false,
            rate_limit: None,
        }
    }

    /// Tells the machine that its signalling connection stands.
    pub(super) fn setup_connected(&mut self) {
        self.machine.handle_connected(self.context.inner.now(), Channel::Signaling);
    }

    /// What outlives this machine; its connections close by themselves.
    pub(super) fn into_context(self) -> Context {
        let Self { context, mut closing, .. } = self;
        context.inner.runtime.spawn(async move { while closing.join_next().await.is_some() {} });
        context
    }

    /// Runs until the broker has closed the call and the wire is quiet, or until the call is to go elsewhere.
    pub(super) async fn run(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>) -> Option<Next> {
        // One timer for all deadlines: to put it off costs next to nothing, to make it anew with every message does not.
        let alarm = sleep_until(self.deadline());
        tokio::pin!(alarm);
        loop {
            self.drain();
            let next = match self.forward.take_if(|_| self.released) {
                Some(forward) => Some(Next::Forward(forward)),
                None => self.again.then_some(Next::OwnConnection),
            };
            if let Some(next) = next {
                // ReleaseComplete is in the connection's queue: it leaves before the connection closes.
                self.h245_listener = None;
                self.h245_connecting = None;
                self.close_signaling();
                let connection = self.h245.take();
                self.close(connection);
                self.context.inner.gate.add(self.machine.limits_hit());
                return Some(next);
            }
            let nobody_waits = self.context.closed || self.context.ending || self.context.ht.is_none();
            if nobody_waits && self.released && self.machine.is_finished() {
                break;
            }
            // What a request makes the call say leaves together with what it has said before.
            if let Ok(command) = commands.try_recv() {
                self.obey(command);
                continue;
            }
            if !self.flush() {
                continue;
            }
            alarm.as_mut().reset(self.deadline());
            tokio::select! {
                command = commands.recv() => self.obey(command.unwrap_or(Command::Close)),
                signalled = hear(&mut self.signaling) => self.heard_signaling(signalled),
                connected = connect(&mut self.reopening) => self.reopened(connected),
                progress = drive(&mut self.h245) => self.progress(Channel::H245, progress),
                accepted = accept(&self.h245_listener) => self.h245_accepted(accepted),
                connected = connect(&mut self.h245_connecting) => self.h245_connected(connected),
                () = &mut alarm => self.expired(),
            }
        }
        self.context.inner.gate.add(self.machine.limits_hit());
        while self.closing.join_next().await.is_some() {}
        None
    }

    pub(super) fn now(&self) -> Duration {
        self.context.inner.now()
    }

    /// When something is due at the latest.
    fn deadline(&self) -> Instant {
        let digits = self.digits.deadline(self.now());
        let moving = self.move_deadline();
        let by = [self.machine.poll_timeout(), self.prepare_by, digits, moving].into_iter().flatten().min();
        self.context.inner.deadline(by.unwrap_or(Duration::MAX))
    }

    fn expired(&mut self) {
        let now = self.now();
        if self.prepare_by.is_some_and(|by| by <= now) {
            self.media_failed("the media side did not answer in time");
        }
        self.machine.handle_timeout(now);
        self.digits_expired();
        self.move_expired();
    }

    /// Carries out everything that the machine wants.
    fn drain(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(transmit) = self.machine.poll_transmit() {
                quiet = false;
                self.send(transmit.channel, &transmit.bytes);
            }
            while let Some(action) = self.machine.poll_action() {
                quiet = false;
                self.act(action);
            }
            let events: Vec<_> = std::iter::from_fn(|| self.machine.poll_event()).collect();
            // With a release everything stops: its channels need not be told one by one, before it.
            let releasing = events.iter().any(|event| matches!(event, Event::Released(_)));
            for event in events {
                quiet = false;
                if !(releasing && matches!(event, Event::ChannelClosed { .. })) {
                    self.happened(event);
                }
            }
            if quiet {
                return;
            }
        }
    }

    // --- requests ----------------------------------------------------------------------------------------------

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Accept(request) if self.context.state == Some(LineCallState::Offering) => {
                self.machine.accept(now);
                self.context.complete(request, Ok(()));
                self.context.report(LineCallState::Accepted);
                self.context.asked.iter().for_each(Asked::alerting);
            }
            Command::Answer(request) if self.answerable() => {
                self.answer = Some(request);
                self.machine.answer(now);
            }
            Command::Digits(request, digits, mode)
                if matches!(self.context.state, Some(LineCallState::Connected(_))) =>
            {
                self.generate_digits(request, digits, mode);
            }
            Command::Accept(request) | Command::Answer(request) | Command::Digits(request, ..) => {
                self.context.complete(request, Err(LineError::InvalCallState));
            }
            Command::Dial(request, digits, complete) => {
                let taken = self.machine.dial(now, &digits, complete);
                self.complete_if(request, taken);
            }
            Command::Redirect(request, Err(error)) => self.context.complete(request, Err(error)),
            Command::Redirect(request, Ok((address, alias))) => {
                let aliases: Vec<_> = alias.as_deref().map(Alias::from_text).into_iter().collect();
                let taken = self.answerable() && self.machine.deflect(now, address, &aliases);
                self.complete_if(request, taken);
            }
            Command::UserUser(request, data) => {
                let taken = self.machine.send_user_user(now, data);
                self.complete_if(request, taken);
            }
            Command::Q931(request, what) => {
                let taken = match what {
                    Q931Verb::RequestDigits => self.machine.request_digits(now),
                    Q931Verb::Proceed => self.machine.proceed(now),
                    Q931Verb::Progress(description) => self.machine.send_progress(now, description),
                    Q931Verb::Notify(description) => self.machine.send_notify(now, description),
                    Q931Verb::InquireStatus => self.machine.inquire_status(now),
                };
                self.complete_if(request, taken);
            }
            Command::MoveMedia(to) => self.move_media(to),
            Command::Hold(request) => self.hold(request),
            Command::Unhold(request) => self.unhold(request),
            Command::Drop(request, mode) => self.drop_call(request, mode),
            Command::Close => {
                self.context.closed = true;
                self.release(Release::normal());
            }
            Command::Shutdown => {
                self.context.ending = true;
                self.release(Release::normal());
            }
            Command::Resume(seat) if !self.released => self.resume(Signaling::Shared(seat)),
            // Dropped: the call has left again, and the peer will hear that there is none.
            Command::Resume(_) => {}
            Command::MspData(msp, data) => self.msp_said(msp, &data),
            Command::Admission(of, answer) => self.admission(of, answer),
            Command::Bandwidth(of, bandwidth) if self.concerns(of) => self.set_bandwidth(bandwidth),
            Command::Release(of, order, release) if self.concerns(of) => {
                self.ordered_to_release(release, admit::why_ordered(order));
            }
            // About a call before this one, which was forwarded.
            Command::Bandwidth(..) | Command::Release(..) => {}
        }
    }

    /// What the machine did not take was out of place.
    fn complete_if(&self, request: RequestId, taken: bool) {
        self.context.complete(request, if taken { Ok(()) } else { Err(LineError::InvalCallState) });
    }

    fn answerable(&self) -> bool {
        matches!(self.context.state, Some(LineCallState::Offering | LineCallState::Accepted))
            && self.answer.is_none()
    }

    fn drop_call(&mut self, request: RequestId, mode: DisconnectMode) {
        if self.context.state == Some(LineCallState::Idle) || self.drop.is_some() {
            self.context.complete(request, Err(LineError::InvalCallState));
        } else if self.released {
            self.context.complete(request, Ok(()));
            self.context.report(LineCallState::Idle);
        } else {
            // Dropping what was offered is refusing it.
            let mode = match mode {
                DisconnectMode::Normal if self.answerable() => DisconnectMode::Reject,
                mode => mode,
            };
            self.drop = Some(request);
            self.release(Release::with_cause(Cause(cause_of_mode(mode))));
        }
    }

    fn release(&mut self, release: Release) {
        if !self.released {
            let now = self.now();
            self.machine.release(now, release);
        }
    }

    fn msp_said(&mut self, msp: HtMspLine, data: &Opaque) {
        match ToTsp::decode(data.as_bytes()) {
            Ok(message) if self.moving_msp_said(msp, &message) => {}
            Ok(ToTsp::Prepared { sessions }) if self.prepare_by.take().is_some() => {
                self.context.msp = Some(msp);
                let mut media = media::local_media(&sessions);
                match admit::fit(&self.context, &mut media) {
                    Ok(()) => {
                        let now = self.now();
                        self.machine.set_media(now, media);
                    }
                    Err(why) => {
                        self.ordered_to_release(Release::with_reason(ReleaseReason::NoBandwidth), why);
                    }
                }
            }
            Ok(ToTsp::Failed { why }) if self.prepare_by.is_some() => self.media_failed(&why),
            Ok(ToTsp::Digit { digit, duration_ms, began_ns, way }) => {
                let ended_ns = began_ns.saturating_add(u64::from(duration_ms) * 1_000_000);
                let way = match way {
                    DigitWay::TelephoneEvent => Way::TelephoneEvent,
                    DigitWay::InBand => Way::InBand,
                };
                self.pressed(digit, way, began_ns, ended_ns);
            }
            Ok(ToTsp::DigitsPlayed { id }) => self.digits_done(id, Ok(())),
            Ok(ToTsp::DigitsFailed { id, has_begun, why }) => self.digits_done(id, Err((why, has_begun))),
            Ok(_) => tracing::debug!(call = self.context.hd.0, "the MSP said what nobody asked"),
            Err(error) => tracing::warn!(%error, "unreadable buffer from the MSP"),
        }
    }

    fn media_failed(&mut self, why: &str) {
        self.prepare_by = None;
        tracing::warn!(call = self.context.hd.0, why, "no media");
        self.context.note(CallInfoChange::Other, |info| info::set_id(info, "media", why));
        let now = self.now();
        self.machine.media_failed(now);
    }

    // --- what happened -----------------------------------------------------------------------------------------

    fn happened(&mut self, event: Event) {
        tracing::debug!(call = self.context.hd.0, ?event);
        // Whatever the peer says of the call, it knows it.
        self.reused &= matches!(event, Event::SetupSent | Event::Released(_));
        match event {
            Event::Setup(setup) => self.offered(&setup),
            Event::SetupSent => {
                // A forwarded call has come further already.
                if self.context.state.is_none() {
                    self.context.report(LineCallState::Dialing);
                }
            }
            Event::DigitsWanted => self.note_id("overlap", "more digits wanted"),
            Event::CalledDigits { digits, complete } => {
                self.context.note(CallInfoChange::CalledId, |info| {
                    info.called.address.push_str(&digits);
                    if complete {
                        info::set_id(info, "calledNumber", "complete");
                    }
                });
            }
            Event::Proceeding => self.proceeding(),
            Event::SignalingLost => self.note_id("signaling", "lost"),
            Event::SignalingRestored => self.note_id("signaling", "restored"),
            Event::Progress { description, .. } => {
                if let Some(description) = description {
                    self.note_id("progress", &description.to_string());
                }
                self.proceeding();
            }
            Event::Notify(description) => self.note_id("notification", &description.to_string()),
            Event::UserUser(data) => {
                self.context
                    .note(CallInfoChange::UserUserInfo, |info| info.user_user = Some(info::user_user(&data)));
            }
            Event::PeerStatus { state, cause } => {
                let state = state.map_or_else(|| "none".to_owned(), |state| state.to_string());
                self.note_id("peerCallState", &state);
                tracing::debug!(call = self.context.hd.0, state, ?cause, "the peer's view of the call");
            }
            Event::ForwardRequested(forward) => {
                if forward.followed {
                    self.forward = Some(forward);
                } else {
                    let to = forward.address.map(|address| address.to_string());
                    let to = to.or_else(|| forward.aliases.first().map(ToString::to_string));
                    self.note_id("forwardRefused", &to.unwrap_or_default());
                }
            }
            Event::Alerting => {
                self.context.asked.iter().for_each(Asked::alerting);
                if matches!(self.context.state, Some(LineCallState::Dialing | LineCallState::Proceeding)) {
                    self.context.report(LineCallState::Ringback);
                }
            }
            Event::Connected(connect) => {
                self.context.note(CallInfoChange::ConnectedId, |info| info::connected(info, &connect));
                if let Some(request) = self.answer.take() {
                    self.context.complete(request, Ok(()));
                }
                self.connected = true;
                let (local, remote) = self.signaling_ends;
                self.context.asked.iter().for_each(|asked| asked.connected(local, remote));
                if self.context.inbound && self.machine.config().survive_signaling_loss {
                    let (id, host) = (self.machine.call_identifier(), self.signaling_ends.1.ip());
                    self.context.inner.trunks.survive(id, host, self.context.hd);
                }
                self.report_connected();
                let held: Vec<_> =
                    std::mem::take(&mut self.held).into_iter().map(|held| self.agreed(held)).collect();
                if !held.is_empty() {
                    self.start_channels(held);
                    self.next_digits();
                }
                self.move_on();
            }
            Event::ChannelOpened(plan) => match self.agreed_channel(&plan) {
                Some(channel) if self.may_flow(channel.id.flow) => {
                    let channel = self.agreed(channel);
                    self.start_channels(vec![channel]);
                    self.next_digits();
                }
                Some(channel) => self.held.push(channel),
                None => tracing::warn!(codec = ?plan.codec, "a channel that the MSP has no word for"),
            },
            Event::ChannelClosed { session_id, flow, .. } => {
                let id = media::channel_id(session_id, flow);
                self.held.retain(|channel| channel.id != id);
                self.digits.transmit = self.digits.transmit.filter(|channel| channel.id != id);
                self.tell_msp(&ToMsp::Stop(vec![id]));
            }
            Event::Paused => self.paused(true),
            Event::Resumed => self.paused(false),
            Event::Held => self.hold_changed(true, None),
            Event::HoldFailed { why } => self.hold_changed(false, Some(why)),
            Event::Retrieved => self.hold_changed(false, None),
            Event::RetrieveFailed { why } => self.hold_changed(true, Some(why)),
            Event::Digit { digit, duration, via } => self.signalled(digit, duration, via),
            Event::DigitDuration { digit, duration } => self.still_pressed(digit, duration),
            Event::SendTelephoneEvents { payload_type, .. } => self.play_events(payload_type),
            Event::DtmfWay(_) => self.next_digits(),
            Event::CapabilitiesChanged => {
                self.agree_anew();
                self.next_digits();
            }
            Event::RateLimited { max_bit_rate, .. } => {
                self.rate_limit = max_bit_rate;
                self.agree_anew();
            }
            Event::RoundTrip(delay) => {
                let text = format!("{:.1} ms", delay.as_secs_f64() * 1e3);
                self.context.note(CallInfoChange::Other, |info| info::set_id(info, "h245RoundTrip", &text));
            }
            Event::Released(release) => self.ended(&release),
            other => tracing::info!(call = self.context.hd.0, event = ?other, "not acted on"),
        }
    }

    /// A channel that was agreed, in the pair's words.
    fn agreed_channel(&mut self, plan: &ChannelPlan) -> Option<PairChannel> {
        self.channels_agreed = true;
        media::channel(plan)
    }

    pub(super) fn note_id(&self, key: &str, value: &str) {
        self.context.note(CallInfoChange::Other, |info| info::set_id(info, key, value));
    }

    fn proceeding(&mut self) {
        if self.context.state == Some(LineCallState::Dialing) {
            self.context.report(LineCallState::Proceeding);
        }
    }

    /// Whether media may flow this way yet. A microphone must not be heard before its call is connected, and who is
    /// called hears nobody before he answers; a caller hears what the far end plays while it rings.
    fn may_flow(&self, flow: Flow) -> bool {
        self.connected || (flow == Flow::Receive && !self.context.inbound)
    }

    fn offered(&mut self, setup: &SetupInfo) {
        self.context.silent = None;
        let gate = &self.context.inner.gate;
        if setup.goal == ConferenceGoal::Join && !gate.knows(&setup.conference_id) {
            gate.counts.conferences.add(1);
            return self.release(Release::with_reason(ReleaseReason::InvalidCid));
        }
        self.context.member = Some(gate.join(setup.conference_id));
        if self.ask_to_answer(setup) {
            self.unadmitted = Some(Box::new(setup.clone()));
        } else {
            self.announce(setup);
        }
    }

    /// Offers an incoming call to the application.
    pub(super) fn announce(&mut self, setup: &SetupInfo) {
        let from = self.signaling_ends.1;
        {
            let mut info = self.context.info.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *info = info::incoming(setup, &from.to_string());
        }
        self.context.take_place(Names {
            call: setup.call_identifier,
            conference: setup.conference_id,
            reference: setup.call_reference,
            peer: from,
            goal: setup.goal,
        });
        let events = self.context.inner.events().cloned();
        self.context.ht = events.and_then(|events| events.new_call(self.context.line, self.context.hd));
        if self.context.ht.is_none() {
            // Back-pressure, or nobody who wants calls.
            return self.release(Release::with_cause(Cause(cause_of_mode(DisconnectMode::Congestion))));
        }
        self.context.report(LineCallState::Offering);
        match self.context.to_msp(&ToMsp::Prepare { peer: from.ip() }) {
            Ok(()) => self.prepare_by = Some(self.now() + self.context.inner.config.prepare_timeout),
            Err(error) => self.media_failed(&format!("no media: {error}")),
        }
    }

    fn ended(&mut self, release: &ReleaseInfo) {
        self.released = true;
        self.prepare_by = None;
        self.end_digits();
        self.context.inner.trunks.is_over(self.machine.call_identifier(), self.context.hd);
        // Of a connection of several calls: there was no room for this one, or it closed before it knew of it.
        let no_room = release.reason == Some(ReleaseReason::NewConnectionNeeded);
        if self.reused && !self.context.inbound && (no_room || release.origin == Origin::Network) {
            self.again = true;
            return;
        }
        if self.forward.is_some() {
            // The TAPI call goes on, with the next machine.
            return;
        }
        if let Some(request) = self.answer.take() {
            self.context.complete(request, Err(LineError::failed(&release.text)));
        }
        self.end_hold(&release.text);
        self.end_move();
        if let Some(asked) = &mut self.context.asked {
            asked.cause = Some(release.effective_cause());
        }
        self.context.asked = None;
        let locally = release.origin == Origin::Local && self.ordered.is_none();
        if !locally {
            let mode = disconnect_mode(release, self.context.inbound);
            let text = self.ordered.take().unwrap_or_else(|| release.text.clone());
            self.context.note(CallInfoChange::Other, |info| {
                info::set_id(info, "release", &text);
                if let Some(cause) = release.cause {
                    info::set_id(info, "cause", &cause.0.to_string());
                }
                if let Some(reason) = release.reason {
                    info::set_id(info, "reason", &format!("{reason:?}"));
                }
                if let Some(display) = &release.display {
                    info::set_id(info, "releaseDisplay", display);
                }
                if let Some(data) = &release.user_user {
                    info.user_user = Some(info::user_user(data));
                }
            });
            self.context.report(LineCallState::Disconnected(mode));
        }
        self.tell_msp(&ToMsp::StopAll);
        if let Some(request) = self.drop.take() {
            self.context.complete(request, Ok(()));
            self.context.report(LineCallState::Idle);
        } else if locally {
            self.context.report(LineCallState::Idle);
        }
    }

    pub(super) fn tell_msp(&self, message: &ToMsp) {
        if let Err(error) = self.context.to_msp(message) {
            tracing::debug!(call = self.context.hd.0, %error, ?message, "the MSP was not told");
        }
    }
}
