//! Tunnelled H.245 as no TCP changes it and a faulty peer or gatekeeper can: repeated, exchanged, late, lost.
//! In: call signalling messages of one side, one TPKT each. Out: the same with other h245Control.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::collections::VecDeque;

use bytes::Bytes;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::tpkt::{self, TpktDecoder};

use super::Random;

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mangle {
    None,
    /// Within one h245Control messages are repeated or change places.
    Within,
    /// Besides, messages come again in a later h245Control, or only there.
    Across,
    /// Besides, messages are lost.
    Lossy,
}

/// One side's messages.
#[derive(Debug, Default)]
pub(crate) struct Mangler {
    /// What was said lately.
    said: VecDeque<Bytes>,
    /// What waits for the next h245Control.
    late: Vec<Bytes>,
}

impl Mangler {
    pub(crate) fn pass(&mut self, mangle: Mangle, packet: &Bytes, random: &mut Random) -> Bytes {
        if mangle == Mangle::None {
            return packet.clone();
        }
        let mut decoder = TpktDecoder::new();
        decoder.push(packet);
        let payload = decoder.next().expect("TPKT").expect("whole");
        let mut signal = CallSignal::decode(&payload).expect("a signal");
        let control = signal.uuie.as_mut().and_then(|uuie| uuie.h323_uu_pdu.h245_control.as_mut());
        let Some(messages) = control.filter(|messages| !messages.is_empty()) else {
            return packet.clone();
        };
        let own = messages.clone();
        if mangle != Mangle::Within {
            self.across(messages, random);
        }
        if mangle == Mangle::Lossy && random.below(8) == 0 && !messages.is_empty() {
            messages.remove(random.below(messages.len() as u64) as usize);
        }
        if !messages.is_empty() {
            let at = random.below(messages.len() as u64) as usize;
            match random.below(3) {
                0 => messages.insert(at, messages[at].clone()),
                1 => messages.swap(0, at),
                _ => {}
            }
        }
        self.said.extend(own);
        let surplus = self.said.len().saturating_sub(6);
        self.said.drain(..surplus);
        tpkt::encode(&signal.encode().expect("a signal")).expect("TPKT")
    }

    fn across(&mut self, messages: &mut Vec<Bytes>, random: &mut Random) {
        let late = std::mem::take(&mut self.late);
        match random.below(6) {
            0 if !self.said.is_empty() => {
                let again = self.said[random.below(self.said.len() as u64) as usize].clone();
                messages.insert(random.below(messages.len() as u64 + 1) as usize, again);
            }
            1 => self.late.push(messages.remove(random.below(messages.len() as u64) as usize)),
            _ => {}
        }
        messages.extend(late);
    }
}
