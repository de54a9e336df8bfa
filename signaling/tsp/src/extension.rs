//! The provider's extension of TAPI: what its words (`offhook-h323-ext`) do.
//!
//! In: words of applications, octets on the wire, the registration's changes. Out: answers, LINE_DEVSPECIFIC.
//! Words are about the line. Weights of codecs are the provider's: they hold for every line of it, from the next Prepared
//! of an MSP on; a call that has its media keeps them.
//! Not here: the words' octets (`h323-ext`), who may say them (`broker`).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use offhook_h323::{LocalMedia, RasState};
use offhook_h323_ext::{
    Answer, Ask, CODECS, CodecWeight, DEFAULT_WEIGHT, MAX_OCTETS, Notice, Protocol, Registration,
    RegistrationState, VERSION, Wire,
};
use offhook_spi::{ExtensionVersion, HdLine, HtLine, LineError, Opaque};

use crate::media;
use crate::provider::Inner;
use crate::registrar::RegistrationStatus;

/// The one version.
const ONLY: ExtensionVersion = ExtensionVersion(VERSION);

/// What is remembered of it.
#[derive(Default)]
pub(crate) struct Extension {
    /// Lines that speak it.
    lines: Mutex<HashMap<HdLine, Spoken>>,
    /// Some line wants octets.
    tracing: AtomicBool,
    /// Weights that somebody has set.
    weights: Mutex<HashMap<&'static str, u8>>,
    /// The registration as it was told last.
    told: Mutex<Registration>,
}

struct Spoken {
    ht: HtLine,
    trace: bool,
}

pub(crate) fn negotiate(
    lowest: ExtensionVersion,
    highest: ExtensionVersion,
) -> Result<ExtensionVersion, LineError> {
    ExtensionVersion::negotiate(lowest, highest, ONLY, ONLY).ok_or(LineError::IncompatibleExtVersion)
}

impl Extension {
    /// From now on `line` speaks this version; 0 ends it.
    pub(crate) fn select(
        &self,
        line: HdLine,
        ht: HtLine,
        version: ExtensionVersion,
    ) -> Result<(), LineError> {
        match version {
            ExtensionVersion(0) => self.forget(line),
            ONLY => _ = lock(&self.lines).entry(line).or_insert(Spoken { ht, trace: false }),
            _ => return Err(LineError::IncompatibleExtVersion),
        }
        Ok(())
    }

    /// The line is closed, or has done with it.
    pub(crate) fn forget(&self, line: HdLine) {
        let mut lines = lock(&self.lines);
        lines.remove(&line);
        self.tracing.store(lines.values().any(|line| line.trace), Ordering::Relaxed);
    }

    /// A word of an application.
    pub(crate) fn ask(&self, inner: &Inner, line: HdLine, data: &Opaque) -> Result<Opaque, LineError> {
        if !lock(&self.lines).contains_key(&line) {
            return Err(LineError::IncompatibleExtVersion);
        }
        let ask = Ask::decode(data.as_bytes()).map_err(|why| LineError::InvalParam(why.to_string()))?;
        let answer = match ask {
            Ask::Registration => Answer::Registration(registration(&inner.registration.borrow())),
            Ask::CodecWeights => Answer::CodecWeights(self.weights()),
            Ask::SetCodecWeights(weights) => {
                self.set_weights(&weights)?;
                Answer::Done
            }
            Ask::TraceWire(trace) => {
                let mut lines = lock(&self.lines);
                if let Some(line) = lines.get_mut(&line) {
                    line.trace = trace;
                }
                self.tracing.store(lines.values().any(|line| line.trace), Ordering::Relaxed);
                Answer::Done
            }
        };
        Opaque::new(answer.encode())
    }

    fn weights(&self) -> Vec<CodecWeight> {
        let set = lock(&self.weights);
        let weight = |codec: &&str| set.get(codec).copied().unwrap_or(DEFAULT_WEIGHT);
        CODECS.iter().map(|codec| CodecWeight { codec: (*codec).to_owned(), weight: weight(codec) }).collect()
    }

    /// All of them or none.
    fn set_weights(&self, weights: &[CodecWeight]) -> Result<(), LineError> {
        let known = |wanted: &CodecWeight| {
            let codec = CODECS.iter().find(|codec| **codec == wanted.codec);
            let unknown =
                || LineError::InvalParam(format!("{:?} is no codec; there are {CODECS:?}", wanted.codec));
            codec.map(|codec| (*codec, wanted.weight)).ok_or_else(unknown)
        };
        let weights: Vec<_> = weights.iter().map(known).collect::<Result<_, _>>()?;
        lock(&self.weights).extend(weights);
        Ok(())
    }

    /// Brings what an MSP has into the order that applications want. The error, for people: they want nothing of it.
    pub(crate) fn prefer(&self, media: &mut LocalMedia) -> Result<(), String> {
        let set = lock(&self.weights);
        if set.is_empty() {
            return Ok(());
        }
        let weight = |codec| {
            let set = media::name(codec).and_then(|name| set.get(name));
            set.copied().unwrap_or(DEFAULT_WEIGHT)
        };
        let had_some = !media.sessions.is_empty();
        for session in &mut media.sessions {
            session.codecs.retain(|offer| weight(offer.codec) > 0);
            session.codecs.sort_by_key(|offer| Reverse(weight(offer.codec)));
        }
        media.sessions.retain(|session| !session.codecs.is_empty());
        if had_some && media.sessions.is_empty() {
            return Err("every codec of the media side has the weight 0".to_owned());
        }
        Ok(())
    }

    /// Octets that were sent or came.
    pub(crate) fn wire(
        &self,
        inner: &Inner,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        octets: &[u8],
    ) {
        if !self.tracing.load(Ordering::Relaxed) {
            return;
        }
        for portion in octets.chunks(MAX_OCTETS) {
            let wire = Wire { protocol, source, destination, octets: portion.to_vec() };
            self.notify(inner, &Notice::Wire(wire), |line| line.trace);
        }
    }

    /// The registration stands like this.
    pub(crate) fn registered(&self, inner: &Inner, status: &RegistrationStatus) {
        let now = registration(status);
        let before = std::mem::replace(&mut *lock(&self.told), now.clone());
        if before != now {
            self.notify(inner, &Notice::Registration(now), |_| true);
        }
    }

    fn notify(&self, inner: &Inner, notice: &Notice, to: impl Fn(&Spoken) -> bool) {
        // Told without the lock: whoever hears it may come back with a word.
        let lines: Vec<_> = lock(&self.lines).values().filter(|line| to(line)).map(|line| line.ht).collect();
        let Some(events) = inner.events() else { return };
        for line in lines {
            match Opaque::new(notice.encode()) {
                Ok(data) => events.line_dev_specific(line, None, data),
                Err(error) => tracing::warn!(%error, "a notice of the extension is too long"),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these; should it all the same, what they guard is whole.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn registration(status: &RegistrationStatus) -> Registration {
    let found = status.registration.as_ref();
    Registration {
        state: match status.state {
            RasState::Stopped => RegistrationState::Stopped,
            RasState::Resolving => RegistrationState::Resolving,
            RasState::Discovering => RegistrationState::Discovering,
            RasState::Registering => RegistrationState::Registering,
            RasState::Registered => RegistrationState::Registered,
            RasState::Waiting => RegistrationState::Waiting,
            RasState::Unregistering => RegistrationState::Unregistering,
        },
        gatekeeper: found.map(|found| found.gatekeeper),
        gatekeeper_identifier: found.and_then(|found| found.gatekeeper_identifier.clone()),
        endpoint_identifier: found.map(|found| found.endpoint_identifier.clone()),
        aliases: found.map_or_else(Vec::new, |found| found.aliases.iter().map(ToString::to_string).collect()),
        time_to_live_s: found
            .and_then(|found| found.time_to_live)
            .map(|lasts| u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX)),
        why_not: status.why_not.clone(),
    }
}
