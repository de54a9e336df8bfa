//! All procedures of a call's H.245 session, and their order: determination and capabilities first, then channels.
//! In: the call's commands, timers. Out: messages, notices.
//!
//! After endSession, ours or the peer's, nothing more is said and nothing is done about what still comes (H.323 8.5).
//!
//! Not here: the peer's messages (`receive`), the machines themselves.

use std::time::Duration;

use bytes::Bytes;
use offhook_wire::h245::{FunctionNotSupportedCause, MultimediaSystemControlMessage as Message};

use super::cese::{IncomingCese, OutgoingCese};
use super::lcse::Channels;
use super::mlse::Mlse;
use super::mrse::Mrse;
use super::msdse::{self, Msdse};
use super::rtdse::Rtdse;
use super::user_input::{UserInput, Ways};
use super::{Environment, Notice, Queues, pdu};
use crate::capability::TelephoneEvents;
use crate::{
    AudioCodec, ChannelPlan, CodecOffer, Config, DtmfWay, Event, H245Counters, LocalMedia, Loop, RemoteMedia,
    Timer,
};

/// The H.245 side of a call.
#[derive(Debug)]
pub(crate) struct Control {
    pub(super) msd: Msdse,
    pub(super) cese: OutgoingCese,
    pub(super) peer: IncomingCese,
    pub(super) channels: Channels,
    pub(super) rtd: Rtdse,
    pub(super) modes: Mrse,
    pub(super) loops: Mlse,
    pub(super) input: UserInput,
    /// Our procedures have begun.
    pub(super) started: bool,
    /// Master and slave are determined.
    pub(super) determined: bool,
    /// They were, before we retrieved the peer.
    determined_before: bool,
    /// The peer's last set was empty.
    pub(super) paused: bool,
    pub(super) end_sent: bool,
    pub(super) end_received: bool,
    /// The way for keys that the application knows of.
    told_way: Option<DtmfWay>,
    refusals: u32,
    pub(super) counters: H245Counters,
    pub(super) queues: Queues,
}

/// A scope and the other fields of `self` at the same time.
macro_rules! scope {
    ($self:ident, $env:ident) => {
        $crate::h245::Scope {
            now: $env.now,
            config: $env.config,
            timers: &mut *$env.timers,
            early: $env.early,
            counters: &mut $self.counters,
            queues: &mut $self.queues,
        }
    };
}
pub(super) use scope;

/// What the choice of a way for keys looks at, beside the other fields of `self`.
macro_rules! ways {
    ($self:ident, $media:expr, $deaf:expr) => {
        Ways {
            media: $media,
            deaf: $deaf,
            remote: $self.peer.remote(),
            channel: $self.channels.transmitting(),
            up: $self.peer.is_heard() && !$self.is_over() && !$self.paused,
        }
    };
}

impl Control {
    pub(crate) fn new(config: &Config, seed: u64) -> Self {
        let fixed = config.status_determination_number;
        Self {
            msd: Msdse::new(config.terminal_type, fixed, config.limits.n100, seed),
            cese: OutgoingCese::default(),
            peer: IncomingCese::default(),
            channels: Channels::new(config.first_channel),
            rtd: Rtdse::default(),
            modes: Mrse::default(),
            loops: Mlse::default(),
            input: UserInput::default(),
            started: false,
            determined: false,
            determined_before: false,
            paused: false,
            end_sent: false,
            end_received: false,
            told_way: None,
            refusals: 0,
            counters: H245Counters::default(),
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
        self.peer.is_heard() || self.determined
    }

    /// The peer has taken our set. That it speaks says nothing of that: chan_ooh323 passes over the H.245 in Setup and
    /// sends its own set before Connect.
    pub(crate) fn is_answered(&self) -> bool {
        self.cese.is_accepted()
    }

    /// The peer has ended the session.
    pub(crate) fn is_end_received(&self) -> bool {
        self.end_received
    }

    /// Somebody has ended the session.
    pub(crate) fn is_over(&self) -> bool {
        self.end_sent || self.end_received
    }

    /// Channels carry media in some direction.
    pub(crate) fn any_open(&self) -> bool {
        self.channels.any_open()
    }

    pub(crate) fn counters(&self) -> H245Counters {
        self.counters
    }

    /// What the peer can receive.
    pub(crate) fn remote_media(&self) -> RemoteMedia {
        self.peer.remote().describe()
    }

    /// The highest payload bit rate that the peer takes of `codec`, in bit/s.
    pub(crate) fn remote_max_bit_rate(&self, codec: AudioCodec) -> Option<u32> {
        self.peer.remote().max_bit_rate(codec)
    }

    /// A number for a channel of ours (fast connect proposals).
    pub(crate) fn take_channel_number(&mut self) -> u16 {
        self.channels.take_number()
    }

    /// Begins our procedures: TerminalCapabilitySet (as soon as our media is known) and determination.
    pub(crate) fn start(&mut self, mut env: Environment<'_>) {
        if self.started || self.is_over() {
            return;
        }
        self.started = true;
        self.begin(&mut env);
    }

    /// Capabilities and determination.
    pub(super) fn begin(&mut self, env: &mut Environment<'_>) {
        let mut scope = scope!(self, env);
        if let Some(media) = env.media {
            self.cese.request(&mut scope, media);
        }
        self.msd.request(&mut scope);
    }

    /// Begins again: what was said before went where nobody listened. Answers to the peer stay.
    pub(crate) fn restart(&mut self, mut env: Environment<'_>) {
        if !self.is_heard() {
            self.queues.out.clear();
        }
        let env = &mut env;
        let mut scope = scope!(self, env);
        self.cese.reset(&mut scope);
        if self.msd.status().is_none() {
            self.started = true;
            self.begin(env);
        } else if let Some(media) = env.media {
            self.cese.request(&mut scope, media);
        }
    }

    /// Fast connect agreed a channel.
    pub(crate) fn adopt(&mut self, mut env: Environment<'_>, mut plan: ChannelPlan, offer: CodecOffer) {
        let env = &mut env;
        plan.early = env.early;
        let mut scope = scope!(self, env);
        self.channels.adopt(&mut scope, plan, offer);
        self.tell_way(env);
    }

    /// Our media side is known, or has changed.
    pub(crate) fn media_changed(&mut self, mut env: Environment<'_>) {
        let env = &mut env;
        let Some(media) = env.media.filter(|_| !self.is_over()) else {
            return;
        };
        let mut scope = scope!(self, env);
        self.channels.media_ready(&mut scope, media, self.msd.status());
        if self.started {
            self.cese.request(&mut scope, media);
        }
        self.progress(env);
    }

    /// Tells the peer that we take nothing (`env` has no media): it is to close what it sends in (H.323 8.4.6).
    pub(crate) fn hold(&mut self, mut env: Environment<'_>) {
        let env = &mut env;
        if let Some(nothing) = env.media.filter(|_| self.started && !self.is_over()) {
            self.cese.request(&mut scope!(self, env), nothing);
        }
    }

    /// The peer sends nothing any more: neither do we.
    pub(crate) fn fall_silent(&mut self, mut env: Environment<'_>) {
        let env = &mut env;
        self.channels.close_outgoing(&mut scope!(self, env));
        self.tell_way(env);
    }

    /// We take media again. The peer begins anew (H.323 8.4.6), and so do we.
    pub(crate) fn retrieve(&mut self, mut env: Environment<'_>) {
        let env = &mut env;
        if self.is_over() {
            return;
        }
        self.channels.forget_refusals();
        self.determined_before |= std::mem::take(&mut self.determined);
        self.begin(env);
    }

    /// Octets that are no H.245 message: returned to the sender, the call goes on.
    pub(crate) fn undecodable(&mut self, mut env: Environment<'_>, octets: &Bytes) {
        if self.is_over() {
            return;
        }
        let answer = pdu::not_supported(FunctionNotSupportedCause::SyntaxError, Some(octets.clone()));
        self.refuse(&mut env, answer);
    }

    /// A timer of ours has expired.
    pub(crate) fn timeout(&mut self, mut env: Environment<'_>, timer: Timer) {
        if self.is_over() {
            return;
        }
        let env = &mut env;
        let mut scope = scope!(self, env);
        match timer {
            Timer::T101 => {
                let outcome = self.cese.on_t101(&mut scope);
                self.on_exchange(env, outcome);
            }
            Timer::T102 => self.loops.on_t102(&mut scope),
            Timer::T103(number) => {
                self.channels.on_t103(&mut scope, number);
                self.progress(env);
            }
            Timer::T103Confirm(number) => {
                self.channels.on_t103_confirm(&mut scope, number);
                self.progress(env);
            }
            Timer::T105 if self.rtd.on_t105() => {
                scope.notify(Notice::RoundTripLost);
            }
            Timer::T106 => {
                if let Some(msdse::Outcome::Failed(text)) = self.msd.on_t106(&mut scope) {
                    if std::mem::take(&mut self.determined_before) {
                        // It is the same peer, which saw no need to begin anew: who is master stands.
                        self.determined = true;
                        return self.progress(env);
                    }
                    scope.fail(Some(Timer::T106), text);
                }
            }
            Timer::T108(number) => {
                self.channels.on_request_close_refused(&mut scope, number, true);
                self.progress(env);
            }
            Timer::T109 => self.modes.on_t109(&mut scope),
            Timer::RoundTripInterval => self.rtd.request(&mut scope),
            _ => {}
        }
    }

    /// The way that keys go now.
    pub(crate) fn dtmf_way(
        &self,
        config: &Config,
        media: Option<&LocalMedia>,
        deaf_to_telephone_events: bool,
    ) -> Option<DtmfWay> {
        self.input.way(config, &ways!(self, media, deaf_to_telephone_events))
    }

    /// Sends digits the first way of `order` that the peer allows; `Keypad` leaves it to the call.
    pub(crate) fn send_digits(
        &mut self,
        mut env: Environment<'_>,
        digits: &str,
        order: &[DtmfWay],
    ) -> Option<DtmfWay> {
        let env = &mut env;
        let ways = ways!(self, env.media, env.deaf_to_telephone_events);
        self.input.send(&mut scope!(self, env), &ways, digits, order)
    }

    /// One key by H.245 signal.
    pub(crate) fn press(&mut self, mut env: Environment<'_>, key: char, duration: Option<Duration>) -> bool {
        let env = &mut env;
        let ways = ways!(self, env.media, env.deaf_to_telephone_events);
        self.input.press(&mut scope!(self, env), &ways, key, duration)
    }

    /// The key pressed last sounds for so long from now on.
    pub(crate) fn update_key(&mut self, mut env: Environment<'_>, duration: Duration) -> bool {
        let env = &mut env;
        let ways = ways!(self, env.media, env.deaf_to_telephone_events);
        self.input.update(&mut scope!(self, env), &ways, duration)
    }

    /// A key that came by Q.931 Keypad facility: one of the ways of one and the same press.
    pub(crate) fn on_keypad(&mut self, mut env: Environment<'_>, key: char) {
        let env = &mut env;
        self.input.on_keypad(&mut scope!(self, env), key, env.media);
    }

    /// What our application may ask of the procedures; false when it cannot be, or is not now.
    pub(crate) fn ask(&mut self, mut env: Environment<'_>, ask: Ask<'_>) -> bool {
        if !self.is_ready() || self.paused {
            return false;
        }
        let env = &mut env;
        let mut scope = scope!(self, env);
        match ask {
            Ask::Mode(codecs) => self.modes.request(&mut scope, codecs),
            Ask::Codec(session_id, codec) => {
                let ours = env.media.is_some_and(|media| {
                    let session = media.sessions.iter().find(|session| session.session_id == session_id);
                    let offer = session.and_then(|s| s.codecs.iter().find(|offer| offer.codec == codec));
                    offer.is_some_and(|offer| self.peer.remote().packet_ms(offer).is_some())
                });
                if ours {
                    self.channels.want(session_id, codec);
                    self.progress(env);
                }
                ours
            }
            Ask::Close { session_id, reopen } => self.channels.request_close(&mut scope, session_id, reopen),
            Ask::Rate(session_id, bits) => self.channels.limit_peer(&mut scope, session_id, bits),
            Ask::Active(session_id, active) => match self.channels.transmit_number(session_id) {
                Some(number) => {
                    scope.send(pdu::channel_active(number, active));
                    true
                }
                None => false,
            },
            Ask::Loop(looped) => self.loops.request(&mut scope, looped),
            Ask::LoopOff => {
                self.loops.off(&mut scope);
                true
            }
            Ask::RoundTrip => {
                self.rtd.request(&mut scope);
                true
            }
        }
    }

    /// Bit/s for all channels both ways.
    pub(crate) fn set_bandwidth(&mut self, mut env: Environment<'_>, bandwidth: Option<u32>) {
        self.channels.set_bandwidth(bandwidth);
        self.progress(&mut env);
    }

    /// endSession, if there is a session to end. True when the peer's is still to come.
    pub(crate) fn end(&mut self, mut env: Environment<'_>) -> bool {
        let env = &mut env;
        let mut scope = scope!(self, env);
        let ending = !self.end_sent && (self.started || self.peer.is_heard());
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
        env.timers.retain(|timer| !timer.is_h245());
    }

    /// Determination and both capability exchanges are done.
    fn is_ready(&self) -> bool {
        self.determined && self.peer.is_heard() && self.cese.is_accepted() && !self.is_over()
    }

    /// Opens and changes what is to be, once everybody knows what can be (H.323 8.3).
    pub(crate) fn progress(&mut self, env: &mut Environment<'_>) {
        if self.is_ready() && !self.paused {
            let mut scope = scope!(self, env);
            self.rtd.start(&mut scope);
            if let Some(media) = env.media
                && env.may_open
            {
                self.channels.reconcile(&mut scope, media, self.peer.remote());
            }
        }
        self.tell_way(env);
    }

    /// Tells the application when keys go another way than it knows.
    pub(super) fn tell_way(&mut self, env: &mut Environment<'_>) {
        let way = self.dtmf_way(env.config, env.media, env.deaf_to_telephone_events);
        if way != self.told_way && self.peer.is_heard() && !self.is_over() {
            self.told_way = way;
            scope!(self, env).tell(Event::DtmfWay(way));
        }
    }

    /// The payload type under which the peer takes keys as telephone-events.
    pub(super) fn telephone_event(&self) -> Option<u8> {
        let event = self.peer.remote().telephone_event();
        // 0–11: what every telephone has.
        let keys = TelephoneEvents::parse("0-11")?;
        event.filter(|(_, events)| events.covers(keys)).map(|(payload_type, _)| payload_type)
    }

    pub(super) fn refuse(&mut self, env: &mut Environment<'_>, answer: Message) {
        self.counters.refused = self.counters.refused.saturating_add(1);
        if self.refusals < env.config.limits.h245_refusals {
            self.refusals += 1;
            scope!(self, env).send(answer);
        } else {
            self.counters.silenced = self.counters.silenced.saturating_add(1);
        }
    }
}

/// What our application may ask of the procedures.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask<'a> {
    /// RequestMode.
    Mode(&'a [AudioCodec]),
    /// Another codec in what we send.
    Codec(u8, AudioCodec),
    /// RequestChannelClose.
    Close { session_id: u8, reopen: bool },
    /// FlowControlCommand, bit/s.
    Rate(u8, Option<u32>),
    /// logicalChannelActive, logicalChannelInactive.
    Active(u8, bool),
    /// MaintenanceLoopRequest.
    Loop(Loop),
    /// MaintenanceLoopOffCommand.
    LoopOff,
    /// RoundTripDelayRequest.
    RoundTrip,
}
