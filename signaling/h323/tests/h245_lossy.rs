//! Two endpoints whose tunnelled H.245 messages are lost, doubled and change places, while both sides change what they
//! can. Nothing may hang: every procedure ends by its timer, and what one side sends the other expects.
//! In: `OFFHOOK_SEEDS`. Not here: start modes (`two_endpoints.rs`).
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::script::{Script, join};
use common::{CALLED, CALLER, Random, media};
use offhook_h323::{AudioCodec, ChannelPlan, Config, Event, Flow, LocalMedia, Loop, Release};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::q931::MessageType;

const CODECS: [AudioCodec; 4] = [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G722, AudioCodec::G729];

struct Pair {
    ends: [Script; 2],
    /// Signals under way to each end.
    queues: [Vec<CallSignal>; 2],
    open: [BTreeMap<(u8, bool), ChannelPlan>; 2],
    released: Vec<String>,
    modes: usize,
}

fn some_media(side: usize, random: &mut Random) -> LocalMedia {
    let mut codecs = CODECS.to_vec();
    let keep = 1 + random.below(4) as usize;
    for at in (1..codecs.len()).rev() {
        codecs.swap(at, random.below(at as u64 + 1) as usize);
    }
    codecs.truncate(keep);
    // A-law is always there: without a codec in common the call rightly ends.
    codecs.retain(|codec| *codec != AudioCodec::Pcma);
    codecs.insert(random.below(codecs.len() as u64 + 1) as usize, AudioCodec::Pcma);
    media(side, &codecs)
}

impl Pair {
    fn new(random: &mut Random) -> Self {
        let mut config = Config { fast_start: false, maintenance_loops: true, ..Config::default() };
        config.timers.round_trip_interval = None;
        let mut caller = Script::caller(config.clone(), media(CALLER, &CODECS));
        let mut called = Script::called(Config { symmetric_codecs: random.below(2) == 0, ..config });
        let mut open = [BTreeMap::new(), BTreeMap::new()];
        join(&mut caller, &mut called, |script, event| match event {
            Event::Setup(_) => {
                let now = script.now;
                script.call.set_media(now, media(CALLED, &CODECS));
                script.call.answer(now);
            }
            Event::ChannelOpened(plan) => {
                let caller = script.call.call_reference() == 77 && script.reference().from_destination();
                note(&mut open[usize::from(!caller)], event);
                assert!(plan.channel > 0);
            }
            _ => {}
        });
        let ends = [caller, called];
        Self { ends, queues: [Vec::new(), Vec::new()], open, released: Vec::new(), modes: 0 }
    }

    /// Takes what the ends have to say.
    fn collect(&mut self) {
        for end in 0..2 {
            self.ends[end].drain();
            self.ends[end].h245.clear();
            let signals = std::mem::take(&mut self.ends[end].signals);
            self.queues[1 - end].extend(signals);
            for event in std::mem::take(&mut self.ends[end].events) {
                note(&mut self.open[end], &event);
                if let Event::Released(info) = &event {
                    self.released.push(info.text.clone());
                }
                self.modes += usize::from(matches!(event, Event::ModeResponse(_)));
            }
        }
    }

    /// Carries one message, or loses, doubles or delays it.
    fn step(&mut self, random: &mut Random, harm: bool) {
        self.collect();
        let to = random.below(2) as usize;
        if self.queues[to].is_empty() {
            return;
        }
        let mut at = 0;
        if harm {
            at = random.below(self.queues[to].len().min(3) as u64) as usize;
            // Only what carries H.245 alone: call signalling is not what is examined here.
            let facility = self.queues[to][at].q931.message_type == MessageType::FACILITY;
            match random.below(12) {
                0 | 1 if !facility => {}
                0 => drop(self.queues[to].remove(at)),
                1 => {
                    let double = self.queues[to][at].clone();
                    self.queues[to].push(double);
                }
                _ => {}
            }
        }
        if at < self.queues[to].len() {
            let signal = self.queues[to].remove(at);
            self.ends[to].signal(&signal);
        }
    }

    fn quiet(&mut self, random: &mut Random) {
        loop {
            self.collect();
            if self.queues.iter().all(Vec::is_empty) {
                return;
            }
            self.step(random, false);
        }
    }

    fn wait(&mut self, span: Duration) {
        for end in &mut self.ends {
            end.wait(span);
        }
    }

    fn act(&mut self, random: &mut Random) {
        let side = random.below(2) as usize;
        let script = &mut self.ends[side];
        let now = script.now;
        let codec = CODECS[random.below(4) as usize];
        match random.below(12) {
            0 | 1 => script.call.set_media(now, some_media(side, random)),
            2 => script.call.set_media(now, LocalMedia::default()),
            3 | 4 => _ = script.call.change_codec(now, 1, codec),
            5 => _ = script.call.request_mode(now, &[codec, AudioCodec::Pcma]),
            6 => _ = script.call.request_channel_close(now, 1, true),
            7 => _ = script.call.request_loop(now, Loop::Media(101)),
            8 | 9 => _ = script.call.hold(now),
            10 => _ = script.call.retrieve(now),
            _ => _ = script.call.limit_rate(now, 1, Some(8_000 + random.below(60_000) as u32)),
        }
    }
}

fn note(open: &mut BTreeMap<(u8, bool), ChannelPlan>, event: &Event) {
    match event {
        Event::ChannelOpened(plan) => {
            open.insert((plan.session_id, plan.flow == Flow::Transmit), *plan);
        }
        Event::ChannelClosed { session_id, flow, channel } => {
            let gone = open.remove(&(*session_id, *flow == Flow::Transmit));
            assert!(gone.is_some_and(|plan| plan.channel == *channel), "{event:?} of {gone:?}");
        }
        _ => {}
    }
}

fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("OFFHOOK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(150)
}

/// What one side sends, the other expects: same channel, codec and payload type.
fn assert_matching(pair: &Pair, seed: u64) -> usize {
    let mut both = 0;
    for end in 0..2 {
        let tx = pair.open[end].get(&(1, true));
        let rx = pair.open[1 - end].get(&(1, false));
        if let Some(tx) = tx {
            let rx = rx.unwrap_or_else(|| panic!("seed {seed}: {end} sends in {tx:?}, nobody listens"));
            assert_eq!(
                (tx.channel, tx.codec, tx.payload_type),
                (rx.channel, rx.codec, rx.payload_type),
                "seed {seed}: from {end}"
            );
            both += 1;
        }
    }
    both
}

#[test]
fn changes_at_both_ends_at_once_settle_in_matching_channels() {
    let (mut modes, mut retrieved) = (0, 0);
    for seed in seeds() {
        let mut random = Random(seed);
        let mut pair = Pair::new(&mut random);
        for _ in 0..200 {
            if random.below(8) == 0 {
                pair.act(&mut random);
            }
            pair.step(&mut random, false);
        }
        for side in [CALLER, CALLED] {
            // A hold that is under way first.
            pair.quiet(&mut random);
            let now = pair.ends[side].now;
            pair.ends[side].call.set_media(now, media(side, &CODECS));
            retrieved += usize::from(pair.ends[side].call.retrieve(now));
        }
        pair.quiet(&mut random);
        assert!(pair.released.is_empty(), "seed {seed}: {:?}", pair.released);
        // Requests to close that crossed with a close wait for T108; then nothing waits.
        pair.wait(Duration::from_secs(120));
        pair.quiet(&mut random);
        assert_eq!(assert_matching(&pair, seed), 2, "seed {seed}: {:?}", pair.open);
        assert!(pair.ends.iter().all(|end| end.call.poll_timeout().is_none()), "seed {seed}");
        modes += pair.modes;
    }
    assert!(modes > 50, "{modes} mode requests were answered");
    assert!(retrieved > 50, "{retrieved} were held at the end");
}

#[test]
fn messages_that_are_lost_doubled_or_out_of_order_hang_nothing() {
    let (mut alive, mut transmitting) = (0, 0);
    for seed in seeds() {
        let mut random = Random(seed ^ 0x1055);
        let mut pair = Pair::new(&mut random);
        for _ in 0..200 {
            if random.below(8) == 0 {
                pair.act(&mut random);
            }
            if random.below(20) == 0 {
                pair.wait(random.ms(15_000));
            }
            pair.step(&mut random, true);
        }
        // The network is whole again: timers end what was lost, and nobody stays held.
        for _ in 0..8 {
            pair.quiet(&mut random);
            pair.wait(Duration::from_secs(60));
            for end in &mut pair.ends {
                end.call.retrieve(end.now);
            }
        }
        pair.quiet(&mut random);
        let idle = pair.ends.iter().all(|end| end.call.poll_timeout().is_none());
        assert!(idle, "seed {seed}: {:?}", pair.ends.each_ref().map(|end| &end.call));
        if pair.released.is_empty() {
            alive += 1;
            transmitting += pair.open.iter().filter(|open| open.contains_key(&(1, true))).count();
            let now = pair.ends[0].now;
            pair.ends[0].call.release(now, Release::normal());
            pair.quiet(&mut random);
            pair.wait(Duration::from_secs(60));
        }
        assert!(pair.ends.iter().all(|end| end.call.is_finished()), "seed {seed}: {:?}", pair.released);
    }
    println!("{alive} calls lived through it, {transmitting} transmit channels among them");
    assert!(alive > 20 && transmitting > 20, "{alive} {transmitting}");
}
