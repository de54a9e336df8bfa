//! H.245: the control channel's procedures under one roof.
//! In: the peer's messages, the call's commands, timers. Out: messages to send, [`Notice`]s for the call.
//!
//! ```text
//!             ┌ Msdse      who decides conflicts
//!   message ──┼ cese       what the peer can receive, whether it knows what we can
//!             ├ Channels   LCSE, CLCSE: channels both ways        ── all three done: channels open
//!             ├ Rtdse      round trip
//!             └ UserInput, endSession, refusals
//! ```
//!
//! The procedures are the same whether H.245 is tunnelled or has its own connection: that is `tunnel`'s
//! and the call's business, as is what a failed procedure means for the call.

pub(crate) mod cese;
pub(crate) mod lcse;
pub(crate) mod msdse;
pub(crate) mod pdu;
pub(crate) mod rtdse;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h245::{FunctionNotSupportedCause, MultimediaSystemControlMessage as Message};
use offhook_wire::q931::Cause;

use crate::capability::RemoteCapabilities;
use crate::timer::TimerTable;
use crate::{ChannelPlan, CodecOffer, Config, DigitVia, Flow, LocalMedia, Timer};

use cese::OutgoingCese;
use lcse::Channels;
use msdse::Msdse;
use pdu::Received;
use rtdse::Rtdse;

/// How long a digit sounds when we send it as UserInputIndication signal: two RFC 4733 packets of 50 ms.
const DIGIT_MS: u16 = 100;

/// The most characters of one UserInputIndication that become digits.
const MAX_INPUT: usize = 128;

/// What the procedures tell the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    Opened(ChannelPlan),
    Closed {
        session_id: u8,
        flow: Flow,
        channel: u16,
    },
    Rejected {
        session_id: u8,
    },
    Paused,
    Resumed,
    Digit {
        digit: char,
        duration: Option<Duration>,
        via: DigitVia,
    },
    RoundTrip(Duration),
    RoundTripLost,
    /// The peer ends the H.245 session.
    EndSession,
    /// A procedure failed that a call without fast connect cannot do without.
    Failed {
        cause: Cause,
        timer: Option<Timer>,
        text: &'static str,
    },
}

/// What the call lends the procedures for one turn.
pub(crate) struct Environment<'a> {
    pub(crate) now: Duration,
    pub(crate) config: &'a Config,
    pub(crate) timers: &'a mut TimerTable,
    /// Ours, when known.
    pub(crate) media: Option<&'a LocalMedia>,
    /// Connect is still to come.
    pub(crate) early: bool,
    /// We may open channels to transmit in.
    pub(crate) may_open: bool,
}

/// What one procedure may touch: time, timers, the way out.
pub(crate) struct Scope<'a> {
    pub(crate) now: Duration,
    pub(crate) config: &'a Config,
    pub(crate) timers: &'a mut TimerTable,
    pub(crate) early: bool,
    queues: &'a mut Queues,
}

#[derive(Debug, Default)]
struct Queues {
    out: VecDeque<Message>,
    notices: VecDeque<Notice>,
}

impl Scope<'_> {
    pub(crate) fn send(&mut self, message: Message) {
        self.queues.out.push_back(message);
    }

    pub(crate) fn start(&mut self, timer: Timer) {
        if let Some(lasts) = self.config.timers.of(timer) {
            self.timers.start(timer, self.now, lasts);
        }
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.queues.notices.push_back(notice);
    }

    fn fail(&mut self, timer: Option<Timer>, text: &'static str) {
        let cause = match timer {
            Some(_) => Cause::RECOVERY_ON_TIMER_EXPIRY,
            None => Cause::PROTOCOL_ERROR,
        };
        self.notify(Notice::Failed { cause, timer, text });
    }
}

/// The H.245 side of a call.
#[derive(Debug)]
pub(crate) struct Control {
    msd: Msdse,
    cese: OutgoingCese,
    channels: Channels,
    rtd: Rtdse,
    remote: RemoteCapabilities,
    /// Our procedures have begun.
    started: bool,
    /// Master and slave are determined.
    determined: bool,
    /// The peer's capabilities are known.
    heard: bool,
    /// The peer's last set was empty.
    paused: bool,
    end_sent: bool,
    end_received: bool,
    refusals: u32,
    queues: Queues,
}

/// A scope and the other fields of `self` at the same time.
macro_rules! scope {
    ($self:ident, $env:ident) => {
        Scope {
            now: $env.now,
            config: $env.config,
            timers: &mut *$env.timers,
            early: $env.early,
            queues: &mut $self.queues,
        }
    };
}

impl Control {
    pub(crate) fn new(config: &Config, seed: u64) -> Self {
        let fixed = config.status_determination_number;
        Self {
            msd: Msdse::new(config.terminal_type, fixed, config.limits.n100, seed),
            cese: OutgoingCese::default(),
            channels: Channels::new(config.first_channel),
            rtd: Rtdse::default(),
            remote: RemoteCapabilities::default(),
            started: false,
            determined: false,
            heard: false,
            paused: false,
            end_sent: false,
            end_received: false,
            refusals: 0,
            queues: Queues::default(),
        }
    }

    /// Messages wait to be sent.
    pub(crate) fn has_output(&self) -> bool {
        !self.queues.out.is_empty()
    }

    /// How many messages wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.queues.out.len()
    }

    pub(crate) fn poll_message(&mut self) -> Option<Message> {
        self.queues.out.pop_front()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.queues.notices.pop_front()
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started
    }

    /// The peer has said something in H.245.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard || self.determined
    }

    /// The peer has ended the session.
    pub(crate) fn is_end_received(&self) -> bool {
        self.end_received
    }

    /// Channels carry media in some direction.
    pub(crate) fn any_open(&self) -> bool {
        self.channels.any_open()
    }

    /// A number for a channel of ours (fast connect proposals).
    pub(crate) fn take_channel_number(&mut self) -> u16 {
        self.channels.take_number()
    }

    /// Begins our procedures: TerminalCapabilitySet (as soon as our media is known) and determination.
    pub(crate) fn start(&mut self, mut env: Environment<'_>) {
        if self.started || self.end_sent {
            return;
        }
        self.started = true;
        let env = &mut env;
        let mut scope = scope!(self, env);
        if let Some(media) = env.media {
            self.cese.request(&mut scope, media);
        }
        self.msd.request(&mut scope);
    }

    /// Begins again: what was said before went where nobody listened.
    pub(crate) fn restart(&mut self, mut env: Environment<'_>) {
        self.queues.out.clear();
        let borrowed = &mut env;
        let mut scope = scope!(self, borrowed);
        self.cese.reset(&mut scope);
        self.started = false;
        self.start(env);
    }

    /// Fast connect agreed a channel.
    pub(crate) fn adopt(&mut self, mut env: Environment<'_>, mut plan: ChannelPlan, offer: CodecOffer) {
        let env = &mut env;
        plan.early = env.early;
        let mut scope = scope!(self, env);
        self.channels.adopt(&mut scope, plan, offer);
    }

    /// Our media side is known, or has changed.
    pub(crate) fn media_changed(&mut self, mut env: Environment<'_>) {
        let env = &mut env;
        let Some(media) = env.media else {
            return;
        };
        let mut scope = scope!(self, env);
        self.channels.media_ready(&mut scope, media, self.msd.status());
        if self.started {
            self.cese.request(&mut scope, media);
        }
        self.progress(env);
    }

    /// One message of the peer.
    pub(crate) fn receive(&mut self, mut env: Environment<'_>, message: Message) {
        let env = &mut env;
        let mut scope = scope!(self, env);
        match Received::from(message) {
            Received::Msd { terminal_type, number } => {
                let outcome = self.msd.on_msd(&mut scope, terminal_type, number);
                self.on_determination(env, outcome);
            }
            Received::MsdAck(decision) => {
                let outcome = self.msd.on_ack(&mut scope, decision);
                self.on_determination(env, outcome);
            }
            Received::MsdReject => {
                let outcome = self.msd.on_reject(&mut scope);
                self.on_determination(env, outcome);
            }
            Received::MsdRelease => {
                let outcome = self.msd.on_release(&mut scope);
                self.on_determination(env, outcome);
            }
            Received::Tcs(set) => self.on_capabilities(env, &set),
            Received::TcsAck(sequence) => {
                let outcome = self.cese.on_ack(&mut scope, sequence);
                self.on_exchange(env, outcome);
            }
            Received::TcsReject(sequence) => {
                let outcome = self.cese.on_reject(&mut scope, sequence);
                self.on_exchange(env, outcome);
            }
            Received::SendTcs => {
                if let Some(media) = env.media {
                    self.cese.request(&mut scope, media);
                }
            }
            Received::Open(open) => {
                self.channels.on_open(&mut scope, *open, env.media, self.msd.status());
                self.progress(env);
            }
            Received::OpenAck(ack) => {
                self.channels.on_ack(&mut scope, &ack, self.remote.telephone_event());
                self.progress(env);
            }
            Received::OpenReject { number, cause } => {
                self.channels.on_reject(&mut scope, number, cause);
                self.progress(env);
            }
            Received::Close(number) => self.channels.on_close(&mut scope, number),
            Received::CloseAck(number) => {
                self.channels.on_close_ack(&mut scope, number);
                self.progress(env);
            }
            Received::RequestClose { number, reopen } => {
                self.channels.on_request_close(&mut scope, number, reopen);
                self.progress(env);
            }
            Received::RtdRequest(sequence) => Rtdse::on_request(&mut scope, sequence),
            Received::RtdResponse(sequence) => {
                if let Some(delay) = self.rtd.on_response(&mut scope, sequence) {
                    scope.notify(Notice::RoundTrip(delay));
                }
            }
            Received::EndSession => self.on_end_session(env),
            Received::Alphanumeric(text) => {
                // Real peers end strings in NUL.
                for digit in text.chars().take(MAX_INPUT).filter(|c| *c != '\0') {
                    scope.notify(Notice::Digit { digit, duration: None, via: DigitVia::Alphanumeric });
                }
            }
            Received::Signal { digit, duration } => {
                scope.notify(Notice::Digit { digit, duration, via: DigitVia::Signal });
            }
            Received::Refuse(answer) => self.refuse(env, *answer),
            Received::Tolerated => {}
        }
    }

    /// Octets that are no H.245 message: returned to the sender, the call goes on.
    pub(crate) fn undecodable(&mut self, mut env: Environment<'_>, octets: &Bytes) {
        let answer = pdu::not_supported(FunctionNotSupportedCause::SyntaxError, Some(octets.clone()));
        self.refuse(&mut env, answer);
    }

    /// A timer of ours has expired.
    pub(crate) fn timeout(&mut self, mut env: Environment<'_>, timer: Timer) {
        let env = &mut env;
        let mut scope = scope!(self, env);
        match timer {
            Timer::T101 => {
                let outcome = self.cese.on_t101(&mut scope);
                self.on_exchange(env, outcome);
            }
            Timer::T103(number) => {
                self.channels.on_t103(&mut scope, number);
                self.progress(env);
            }
            Timer::T105 if self.rtd.on_t105() => {
                scope.notify(Notice::RoundTripLost);
            }
            Timer::T106 => {
                if let Some(msdse::Outcome::Failed(text)) = self.msd.on_t106(&mut scope) {
                    scope.fail(Some(Timer::T106), text);
                }
            }
            Timer::RoundTripInterval => self.rtd.request(&mut scope),
            _ => {}
        }
    }

    /// Sends digits the way the peer understands; false when H.245 is not up.
    pub(crate) fn send_digits(&mut self, mut env: Environment<'_>, digits: &str) -> bool {
        if !self.heard || self.end_sent {
            return false;
        }
        let env = &mut env;
        let mut scope = scope!(self, env);
        let digits: String = digits.chars().take(MAX_INPUT).collect();
        let signals = digits.chars().all(|digit| signal_type(digit).is_some());
        if self.remote.takes_signal() && signals {
            for digit in digits.chars().filter_map(signal_type) {
                scope.send(pdu::signal(digit, DIGIT_MS));
            }
        } else {
            scope.send(pdu::alphanumeric(&digits));
        }
        true
    }

    /// endSession, if there is a session to end. True when the peer's is still to come.
    pub(crate) fn end(&mut self, mut env: Environment<'_>) -> bool {
        let env = &mut env;
        let mut scope = scope!(self, env);
        let ending = !self.end_sent && (self.started || self.heard);
        if ending {
            self.end_sent = true;
            scope.send(pdu::end_session());
        }
        ending && !self.end_received
    }

    /// The call is over: channels are closed, timers stopped; what waits to be sent still is.
    pub(crate) fn clear(&mut self, mut env: Environment<'_>) {
        let env = &mut env;
        let mut scope = scope!(self, env);
        self.channels.clear(&mut scope);
        env.timers.retain(|timer| {
            !matches!(
                timer,
                Timer::T101 | Timer::T103(_) | Timer::T105 | Timer::T106 | Timer::RoundTripInterval
            )
        });
    }

    /// Opens what is to be opened, once everybody knows what can be (H.323 8.3).
    pub(crate) fn progress(&mut self, env: &mut Environment<'_>) {
        let ready = self.determined && self.heard && self.cese.is_accepted() && !self.end_sent;
        if !ready || self.paused {
            return;
        }
        let mut scope = scope!(self, env);
        self.rtd.start(&mut scope);
        if let Some(media) = env.media
            && env.may_open
        {
            self.channels.open_missing(&mut scope, media, &self.remote);
        }
    }

    fn on_determination(&mut self, env: &mut Environment<'_>, outcome: Option<msdse::Outcome>) {
        match outcome {
            Some(msdse::Outcome::Determined) => {
                self.determined = true;
                self.progress(env);
            }
            Some(msdse::Outcome::Failed(text)) => scope!(self, env).fail(None, text),
            None => {}
        }
    }

    fn on_exchange(&mut self, env: &mut Environment<'_>, outcome: Option<cese::Outcome>) {
        match outcome {
            Some(cese::Outcome::Accepted) => self.progress(env),
            Some(cese::Outcome::Rejected) => {
                scope!(self, env).fail(None, "the peer rejects our capabilities");
            }
            Some(cese::Outcome::Unanswered) => {
                scope!(self, env).fail(Some(Timer::T101), "the peer does not answer our capabilities");
            }
            None => {}
        }
    }

    fn on_capabilities(
        &mut self,
        env: &mut Environment<'_>,
        set: &offhook_wire::h245::TerminalCapabilitySet,
    ) {
        let mut scope = scope!(self, env);
        if RemoteCapabilities::is_pause(set) {
            // H.323 8.4.6: stop sending, close what we opened, wait for the next set.
            self.remote.clear();
            scope.send(pdu::tcs_ack(set.sequence_number));
            self.heard = true;
            self.channels.close_outgoing(&mut scope);
            if !self.paused {
                self.paused = true;
                scope.notify(Notice::Paused);
            }
            return;
        }
        if self.remote.merge(set).is_err() {
            scope.send(pdu::tcs_reject(set.sequence_number));
            return;
        }
        scope.send(pdu::tcs_ack(set.sequence_number));
        self.heard = true;
        self.channels.forget_refusals();
        if std::mem::take(&mut self.paused) {
            scope.notify(Notice::Resumed);
            // The peer may be another one by now: it hears our set again (H.323 8.4.6). Who is master stands
            // until it asks.
            if let Some(media) = env.media {
                self.cese.request(&mut scope, media);
            }
        }
        if let Some(media) = env.media
            && self.remote.has_audio()
            && !self.remote.has_common(media)
            && !self.channels.any_open()
        {
            scope.notify(Notice::Failed {
                cause: Cause::INCOMPATIBLE_DESTINATION,
                timer: None,
                text: "no codec in common",
            });
        }
        self.progress(env);
    }

    fn on_end_session(&mut self, env: &mut Environment<'_>) {
        let mut scope = scope!(self, env);
        if std::mem::replace(&mut self.end_received, true) {
            return;
        }
        if !std::mem::replace(&mut self.end_sent, true) {
            scope.send(pdu::end_session());
        }
        scope.notify(Notice::EndSession);
    }

    fn refuse(&mut self, env: &mut Environment<'_>, answer: Message) {
        if self.refusals < env.config.limits.h245_refusals {
            self.refusals += 1;
            scope!(self, env).send(answer);
        }
    }
}

/// The signalType for a key; `None` for what is no key of a telephone.
fn signal_type(digit: char) -> Option<char> {
    let digit = digit.to_ascii_uppercase();
    matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#' | '!').then_some(digit)
}
