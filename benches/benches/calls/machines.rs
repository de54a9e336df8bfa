//! Two call machines joined in memory: what one transmits the other is handed at once.
//! In: the endpoints' configuration, how many calls. Out: processor time, octets.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use offhook_h323::{
    Action, AudioCodec, Call, Channel, CodecOffer, ConferenceGoal, Config, Event, IncomingParams, LocalMedia,
    LocalSession, OutgoingParams, Release,
};

use crate::cpu;

fn media(port: u16) -> LocalMedia {
    let offer = |codec, payload_type| CodecOffer { codec, payload_type, packet_ms: 20, max_packet_ms: 60 };
    LocalMedia {
        sessions: vec![LocalSession {
            session_id: 1,
            rtp: ([127, 0, 0, 1], port).into(),
            rtcp: ([127, 0, 0, 1], port + 1).into(),
            codecs: vec![offer(AudioCodec::Pcma, 8), offer(AudioCodec::Pcmu, 0)],
            telephone_event: Some(101),
            comfort_noise: false,
            silence_suppression: false,
            redundancy: None,
        }],
    }
}

/// Two machines; what one transmits the other is handed at once.
struct Pair {
    caller: Call,
    called: Call,
    now: Duration,
    connected: usize,
    channels: usize,
    released: usize,
    octets: usize,
}

impl Pair {
    fn new(config: &Config, number: u64) -> Self {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut identifier = [7; 16];
        identifier[..8].copy_from_slice(&number.to_be_bytes());
        let outgoing = OutgoingParams {
            call_identifier: identifier,
            conference_id: identifier,
            goal: ConferenceGoal::Create,
            call_reference: (number % 0x7fff) as u16 + 1,
            seed: number,
            destination: None,
            overlap: false,
            withhold_identity: false,
            redirecting: None,
            forwards: 0,
            user_user: None,
            local_signal_address: Some(at(30_000)),
            remote_signal_address: at(1720),
            media: media(5_000),
        };
        let incoming = IncomingParams {
            seed: !number,
            local_signal_address: Some(at(1720)),
            remote_signal_address: at(30_000),
        };
        let now = Duration::from_secs(1);
        let mut caller = Call::outgoing(config.clone(), outgoing, now);
        let mut called = Call::incoming(config.clone(), incoming, now);
        caller.handle_connected(now, Channel::Signaling);
        called.handle_connected(now, Channel::Signaling);
        Self { caller, called, now, connected: 0, channels: 0, released: 0, octets: 0 }
    }

    /// Until neither has anything to say.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for is_caller in [true, false] {
                let (this, other) = match is_caller {
                    true => (&mut self.caller, &mut self.called),
                    false => (&mut self.called, &mut self.caller),
                };
                while let Some(transmit) = this.poll_transmit() {
                    quiet = false;
                    self.octets += transmit.bytes.len();
                    other.handle_bytes(self.now, transmit.channel, &transmit.bytes);
                }
                while let Some(event) = this.poll_event() {
                    quiet = false;
                    match event {
                        Event::Setup(_) => {
                            this.set_media(self.now, media(6_000));
                            this.answer(self.now);
                        }
                        Event::Connected(_) => self.connected += 1,
                        Event::ChannelOpened(_) => self.channels += 1,
                        Event::Released(_) => self.released += 1,
                        _ => {}
                    }
                }
                while let Some(action) = this.poll_action() {
                    quiet = false;
                    debug_assert!(!matches!(action, Action::ListenH245 | Action::ConnectH245(_)));
                }
            }
            if quiet {
                return;
            }
        }
    }
}

/// Processor time of a set-up with release, both sides, and octets sent.
pub(crate) fn run(config: &Config, count: usize) -> Result<(Duration, usize), Box<dyn Error>> {
    let before = cpu();
    let mut octets = 0;
    for number in 0..count {
        let mut pair = Pair::new(config, number as u64);
        pair.settle();
        if (pair.connected, pair.channels) != (2, 4) {
            return Err(format!("{} sides connected, {} channels", pair.connected, pair.channels).into());
        }
        pair.caller.release(pair.now, Release::normal());
        pair.settle();
        if pair.released != 2 {
            return Err("not released".into());
        }
        octets += pair.octets;
    }
    Ok((cpu() - before, octets))
}
