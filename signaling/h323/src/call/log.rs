//! Each message in and out for the log: a line at debug, its tree at trace, both under the target `offhook_h323::pdu`.
//! In: messages. Out: events of `tracing`; which call they are of says the span of the driver.
//! Nothing is made up that nobody reads: names and trees are built once the level is known to be wanted.

use bytes::Bytes;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::pdu::{Kind, Pdu, nested, tree};
use tracing::{Level, debug, enabled, trace};

const TARGET: &str = "offhook_h323::pdu";

/// Which way a message goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    In,
    Out,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::In => "received",
            Self::Out => "sent",
        }
    }
}

/// A call signalling message. What is tunnelled in it is logged by [`h245`] too, when its turn comes.
pub(super) fn signal(way: Way, signal: &CallSignal) {
    if enabled!(target: TARGET, Level::DEBUG) {
        let pdu = signal.q931.message_type;
        debug!(target: TARGET, %pdu, tunnelled = signal.h245_control().count(), "{}", way.words());
    }
    if enabled!(target: TARGET, Level::TRACE) {
        describe(way, &Pdu::Q931(Box::new(signal.clone())));
    }
}

/// An H.245 message, whether tunnelled or on its own connection.
pub(super) fn h245(way: Way, octets: &Bytes) {
    if enabled!(target: TARGET, Level::DEBUG)
        && let Ok(pdu) = Pdu::decode(Kind::H245, octets)
    {
        debug!(target: TARGET, pdu = pdu.name(), octets = octets.len(), "{} H.245", way.words());
        if enabled!(target: TARGET, Level::TRACE) {
            describe(way, &pdu);
        }
    }
}

/// What cannot be read, as it came.
pub(super) fn unreadable(what: &str, octets: &Bytes) {
    trace!(target: TARGET, what, octets = ?octets, "received and not understood");
}

fn describe(way: Way, pdu: &Pdu) {
    let mut description = pdu.to_json();
    nested::expand(&mut description);
    trace!(target: TARGET, "{}\n{}", way.words(), tree::text(&pdu.name(), &description));
}
