//! What the application may ask of H.245's procedures during a call.
//! In: commands. Out: messages to the peer; answers come as events.
//!
//! A command says false when it cannot be carried out: H.245 is not up, the peer is paused, there is no such
//! channel, another of its kind is under way.
//!
//! Not here: the procedures (`h245`).

use std::time::Duration;

use super::Call;
use crate::h245::Ask;
use crate::{AudioCodec, DtmfWay, H245Counters, Loop, RemoteMedia};

impl Call {
    /// RequestMode (H.245 C.9): asks the peer to send one of `codecs`, most wanted first; at most 32 are said.
    /// The answer is [`Event::ModeResponse`](crate::Event::ModeResponse); the codec then changes by another
    /// [`Event::ChannelOpened`](crate::Event::ChannelOpened).
    pub fn request_mode(&mut self, now: Duration, codecs: &[AudioCodec]) -> bool {
        self.ask(now, Ask::Mode(codecs))
    }

    /// Sends another codec from now on, if it is among those that both sides have: a new channel takes the place of
    /// the old one.
    pub fn change_codec(&mut self, now: Duration, session_id: u8, codec: AudioCodec) -> bool {
        self.ask(now, Ask::Codec(session_id, codec))
    }

    /// RequestChannelClose (H.245 C.6): asks the peer to close its channel in a session; with `reopen` to open another
    /// in its place. A refusal is [`Event::ChannelCloseRefused`](crate::Event::ChannelCloseRefused).
    pub fn request_channel_close(&mut self, now: Duration, session_id: u8, reopen: bool) -> bool {
        self.ask(now, Ask::Close { session_id, reopen })
    }

    /// FlowControlCommand for what the peer sends in a session: at most so many bit/s; `None` lifts the limit.
    pub fn limit_rate(&mut self, now: Duration, session_id: u8, max_bit_rate: Option<u32>) -> bool {
        self.ask(now, Ask::Rate(session_id, max_bit_rate))
    }

    /// Tells the peer whether our channel carries sound: logicalChannelActive, logicalChannelInactive (muted).
    pub fn set_channel_active(&mut self, now: Duration, session_id: u8, active: bool) -> bool {
        self.ask(now, Ask::Active(session_id, active))
    }

    /// MaintenanceLoopRequest (H.245 C.11), one at a time. The channel is one that we send in. The answer is
    /// [`Event::LoopResponse`](crate::Event::LoopResponse).
    pub fn request_loop(&mut self, now: Duration, looped: Loop) -> bool {
        self.ask(now, Ask::Loop(looped))
    }

    /// MaintenanceLoopOffCommand.
    pub fn end_loop(&mut self, now: Duration) -> bool {
        self.ask(now, Ask::LoopOff)
    }

    /// RoundTripDelayRequest now, beside those at intervals.
    pub fn measure_round_trip(&mut self, now: Duration) -> bool {
        self.ask(now, Ask::RoundTrip)
    }

    /// What all channels together may take, both ways, in bit/s of payload: what admission granted. Channels that are
    /// open stay; others are opened and taken as far as it goes.
    pub fn set_bandwidth(&mut self, now: Duration, bandwidth: Option<u32>) {
        self.with_control(now, |control, env| control.set_bandwidth(env, bandwidth));
        self.flush(now);
    }

    /// One key by H.245 signal, for so long; without a duration until [`update_key`](Self::update_key). For all other
    /// ways there is [`send_digits`](Self::send_digits).
    pub fn press_key(&mut self, now: Duration, key: char, duration: Option<Duration>) -> bool {
        let pressed = self.h245_is_up() && self.with_control(now, |c, env| c.press(env, key, duration));
        self.flush(now);
        pressed
    }

    /// signalUpdate: the key pressed last sounds for so long from now on.
    pub fn update_key(&mut self, now: Duration, duration: Duration) -> bool {
        let updated = self.h245_is_up() && self.with_control(now, |c, env| c.update_key(env, duration));
        self.flush(now);
        updated
    }

    /// The way that keys go now; it can change with channels and capabilities, which
    /// [`Event::DtmfWay`](crate::Event::DtmfWay) tells.
    #[must_use]
    pub fn dtmf_way(&self) -> Option<DtmfWay> {
        self.chosen_dtmf_way()
    }

    /// What the peer's TerminalCapabilitySets say so far; empty before the first.
    #[must_use]
    pub fn remote_media(&self) -> RemoteMedia {
        self.control.remote_media()
    }

    /// The highest payload bit rate that the peer takes of `codec`, in bit/s, if its TerminalCapabilitySets name one
    /// (maxBitRate of a generic capability).
    #[must_use]
    pub fn remote_max_bit_rate(&self, codec: AudioCodec) -> Option<u32> {
        self.control.remote_max_bit_rate(codec)
    }

    /// What the H.245 procedures have refused or left out so far.
    #[must_use]
    pub fn h245_counters(&self) -> H245Counters {
        self.control.counters()
    }

    fn ask(&mut self, now: Duration, ask: Ask<'_>) -> bool {
        let done = self.h245_is_up() && self.with_control(now, |control, env| control.ask(env, ask));
        self.flush(now);
        done
    }
}
