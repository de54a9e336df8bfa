//! The H.323 messages in a packet capture, in their order.
//! In: a [`Capture`]. Out: a [`Trace`]: each PDU with its time, its ends and what it came in.
//!
//! ```text
//! UDP 1718, 1719, and between ends that RAS told of ─► RAS
//! TCP 1720, or TPKT and Q.931 at the start ─► call signalling ─► h245Control, parallelH245Control ─► H.245
//!                                             └ h245Address: TCP connections to it ─► H.245
//! ```
//!
//! Octets that should be a PDU and are none stand in the trace with their error. Streams that are no H.323 and media
//! are left out.
//! Not here: calls (which PDU belongs to which call is the reader's view); files.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::capture::{Capture, Direction, Segment, TcpConnection};
use crate::pdu::{Kind, Pdu, PduError, chosen};
use crate::per::json;
use crate::q931::PROTOCOL_DISCRIMINATOR;
use crate::tpkt::{HEADER_LENGTH, TpktDecoder, VERSION};

/// Ports of RAS: discovery and the rest.
pub const RAS_PORTS: [u16; 2] = [1718, 1719];

/// The port of call signalling.
pub const CALL_SIGNALLING_PORT: u16 = 1720;

/// What a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// A UDP datagram.
    Ras,
    /// A call signalling connection.
    CallSignalling,
    /// h245Control or parallelH245Control of the call signalling message before it.
    H245Tunnelled,
    /// An H.245 connection.
    H245,
}

impl Layer {
    /// Its name: `ras`, `call-signalling`, `h245-tunnelled`, `h245`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ras => "ras",
            Self::CallSignalling => "call-signalling",
            Self::H245Tunnelled => "h245-tunnelled",
            Self::H245 => "h245",
        }
    }

    /// What its messages are.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Ras => Kind::Ras,
            Self::CallSignalling => Kind::Q931,
            Self::H245Tunnelled | Self::H245 => Kind::H245,
        }
    }
}

/// One message.
#[derive(Clone, Debug)]
pub struct Traced {
    /// When it was whole, since the start of the capture.
    pub at: Duration,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What it came in.
    pub layer: Layer,
    /// The call signalling connection that it belongs to, counted from 0; `None` for RAS, and for H.245 whose address
    /// no message told.
    pub signalling: Option<usize>,
    /// The octets, without TPKT.
    pub octets: Bytes,
    /// The message, or why it is none.
    pub pdu: Result<Pdu, PduError>,
}

/// The messages of a capture.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In the order of time; what is tunnelled directly behind its carrier.
    pub messages: Vec<Traced>,
    /// TCP connections that are no H.323.
    pub other_connections: usize,
    /// UDP datagrams that are no RAS: media, as a rule.
    pub other_datagrams: usize,
}

/// An H.245 address, as a call signalling message told it.
struct Offer {
    address: SocketAddr,
    at: Duration,
    signalling: usize,
}

impl Trace {
    /// Follows `capture`.
    #[must_use]
    pub fn follow(capture: &Capture) -> Self {
        let mut trace = Self::default();
        let mut offers = Vec::new();
        let (signalling, others): (Vec<_>, Vec<_>) =
            capture.tcp_connections().iter().partition(|connection| is_call_signalling(connection));
        for (index, connection) in signalling.into_iter().enumerate() {
            trace.follow_connection(connection, Layer::CallSignalling, Some(index), &mut offers);
        }
        for connection in others {
            // An address may serve one call after the other: the latest word before the connection counts.
            let mut told: Vec<_> = offers.iter().filter(|offer| offer.address == connection.server).collect();
            told.sort_by_key(|offer| offer.at);
            let offer = told.iter().rfind(|offer| offer.at <= connection.opened).or(told.first());
            let signalling = offer.map(|offer| offer.signalling);
            if signalling.is_some() || is_h245(connection) {
                trace.follow_connection(connection, Layer::H245, signalling, &mut Vec::new());
            } else {
                trace.other_connections += 1;
            }
        }
        trace.follow_datagrams(capture);
        trace.messages.sort_by_key(|message| message.at);
        trace
    }

    /// How many messages are in error.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.messages.iter().filter(|message| message.pdu.is_err()).count()
    }

    fn follow_datagrams(&mut self, capture: &Capture) {
        let is_ras_port = |end: &SocketAddr| RAS_PORTS.contains(&end.port());
        let mut known = HashSet::new();
        for datagram in capture.udp() {
            let ends = [datagram.source, datagram.destination];
            let ours = ends.iter().any(is_ras_port) || ends.iter().all(|end| known.contains(end));
            // Empty datagrams keep a path through NAT open.
            if !ours || datagram.payload.is_empty() {
                self.other_datagrams += usize::from(!ours);
                continue;
            }
            let pdu = Pdu::decode(Kind::Ras, &datagram.payload);
            if let Ok(message) = &pdu {
                known.extend(ends);
                let description = message.to_json();
                for name in ["rasAddress", "replyAddress"] {
                    addresses(chosen(&description).1.get(name), &mut |address| {
                        known.insert(address);
                    });
                }
            }
            self.messages.push(Traced {
                at: datagram.at,
                from: datagram.source,
                to: datagram.destination,
                layer: Layer::Ras,
                signalling: None,
                octets: datagram.payload.clone(),
                pdu,
            });
        }
    }

    fn follow_connection(
        &mut self,
        connection: &TcpConnection,
        layer: Layer,
        signalling: Option<usize>,
        offers: &mut Vec<Offer>,
    ) {
        for direction in [Direction::FromClient, Direction::FromServer] {
            let other = match direction {
                Direction::FromClient => Direction::FromServer,
                Direction::FromServer => Direction::FromClient,
            };
            let blank = Traced {
                at: Duration::ZERO,
                from: connection.source(direction),
                to: connection.source(other),
                layer,
                signalling,
                octets: Bytes::new(),
                pdu: Err(PduError::plain(Kind::Tpkt, "")),
            };
            let segments = connection.segments.iter().filter(|segment| segment.direction == direction);
            self.follow_stream(segments, &blank, offers);
        }
    }

    /// One direction. `blank` is what its messages have in common.
    fn follow_stream<'a>(
        &mut self,
        segments: impl Iterator<Item = &'a Segment>,
        blank: &Traced,
        offers: &mut Vec<Offer>,
    ) {
        let mut decoder = TpktDecoder::new();
        let mut lost = false;
        let mut at = Duration::ZERO;
        let fail = |at, reason: String, octets: &Bytes| Traced {
            at,
            octets: octets.clone(),
            pdu: Err(PduError::plain(Kind::Tpkt, &reason)),
            ..blank.clone()
        };
        for segment in segments {
            at = segment.at;
            if segment.missing_before > 0 {
                let reason = format!("the capture lacks {} octets of this stream", segment.missing_before);
                self.messages.push(fail(at, reason, &Bytes::new()));
                decoder = TpktDecoder::new();
                lost = true;
            }
            // Behind a gap or a fault, a segment that starts like a packet is taken for one.
            if lost && !segment.bytes.starts_with(&[VERSION, 0]) {
                continue;
            }
            if lost {
                decoder = TpktDecoder::new();
                lost = false;
            }
            decoder.push(&segment.bytes);
            loop {
                match decoder.next() {
                    Ok(Some(payload)) => self.message(at, payload, blank, offers),
                    Ok(None) => break,
                    Err(error) => {
                        self.messages.push(fail(at, error.to_string(), &segment.bytes));
                        lost = true;
                        break;
                    }
                }
            }
        }
        if decoder.buffered() > 0 {
            let reason =
                format!("the stream ends inside a TPKT, {} octets of it are there", decoder.buffered());
            self.messages.push(fail(at, reason, &Bytes::new()));
        }
    }

    fn message(&mut self, at: Duration, payload: Bytes, blank: &Traced, offers: &mut Vec<Offer>) {
        let pdu = Pdu::decode(blank.layer.kind(), &payload);
        let mut tunnelled: Vec<Bytes> = Vec::new();
        if let Ok(Pdu::Q931(signal)) = &pdu {
            tunnelled.extend(signal.h245_control().cloned());
            if let Some(body) = signal.body() {
                let body = json::describe(body);
                let (_, body) = chosen(&body);
                if let Some(signalling) = blank.signalling {
                    addresses(body.get("h245Address"), &mut |address| {
                        offers.push(Offer { address, at, signalling });
                    });
                }
                let parallel = body.get("parallelH245Control").and_then(Value::as_array);
                let parallel =
                    parallel.into_iter().flatten().filter_map(|element| json::octets(element).ok());
                tunnelled.extend(parallel.map(Bytes::from));
            }
        }
        self.messages.push(Traced { at, octets: payload, pdu, ..blank.clone() });
        for octets in tunnelled {
            let pdu = Pdu::decode(Kind::H245, &octets);
            self.messages.push(Traced { at, octets, pdu, layer: Layer::H245Tunnelled, ..blank.clone() });
        }
    }
}

/// The IP addresses in a described TransportAddress, alone or in a list.
fn addresses(described: Option<&Value>, found: &mut dyn FnMut(SocketAddr)) {
    let all = match described {
        None => return,
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for described in all {
        let (_, address) = chosen(described);
        let port = address.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let ip = address.get("ip").and_then(|ip| json::octets(ip).ok());
        let (Some(ip), Some(port)) = (ip, port) else { continue };
        let ip = match <[u8; 4]>::try_from(ip.as_slice()) {
            Ok(four) => IpAddr::from(four),
            Err(_) => match <[u8; 16]>::try_from(ip.as_slice()) {
                Ok(sixteen) => IpAddr::from(sixteen),
                Err(_) => continue,
            },
        };
        found(SocketAddr::new(ip, port));
    }
}

/// The first octets of the first packet with contents in each direction.
fn starts(connection: &TcpConnection) -> [Vec<u8>; 2] {
    [Direction::FromClient, Direction::FromServer].map(|direction| {
        let mut start: Vec<u8> = Vec::new();
        for segment in connection.segments.iter().filter(|segment| segment.direction == direction) {
            start.extend_from_slice(&segment.bytes);
            while start.starts_with(&[VERSION, 0, 0, 4]) {
                start.drain(..HEADER_LENGTH);
            }
            if start.len() > HEADER_LENGTH {
                break;
            }
        }
        start
    })
}

fn is_call_signalling(connection: &TcpConnection) -> bool {
    let starts = starts(connection);
    let mut packets = starts.iter().filter(|start| start.starts_with(&[VERSION, 0]));
    connection.server.port() == CALL_SIGNALLING_PORT
        || packets.any(|start| start.get(HEADER_LENGTH) == Some(&PROTOCOL_DISCRIMINATOR))
}

/// Whether a connection whose address nobody told holds H.245 all the same: its first packets are.
fn is_h245(connection: &TcpConnection) -> bool {
    let mut decoder = TpktDecoder::new();
    let first = connection.segments.iter().find(|segment| !segment.bytes.is_empty());
    for segment in connection.segments.iter().filter(|s| Some(s.direction) == first.map(|f| f.direction)) {
        decoder.push(&segment.bytes);
        match decoder.next() {
            Ok(Some(payload)) => {
                return Pdu::decode(Kind::H245, &payload).is_ok_and(|pdu| pdu.encode() == Ok(payload));
            }
            Ok(None) => {}
            Err(_) => return false,
        }
    }
    false
}
