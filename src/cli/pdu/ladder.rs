//! The messages of a capture as ladders, one a call: columns are the parties, arrows the messages.
//! In: a [`Trace`]. Out: text.
//!
//! Calls are told apart by callIdentifier; messages without one follow their connection and call reference, H.245 its
//! signalling connection, RAS answers their requests. A party is an IP address, or a socket where two parties share
//! an address.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use offhook_wire::h225::{RasMessage, TransportAddress};
use offhook_wire::pdu::{Pdu, chosen};
use offhook_wire::per::json;
use offhook_wire::trace::{Layer, RAS_PORTS, Trace, Traced};
use serde_json::Value;

use super::fields;

/// Columns before the first life line: the time.
const MARGIN: usize = 11;

/// The least distance of two life lines.
const MIN_WIDTH: usize = 22;

/// One party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Party {
    Host(IpAddr),
    Socket(SocketAddr),
}

/// What belongs together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    /// By callIdentifier.
    Call(String),
    /// Without one: by signalling connection and call reference.
    Signalling(usize, u16),
    /// H.245 whose call is not in the capture.
    Control(SocketAddr, SocketAddr),
    /// RAS outside of calls.
    Registration,
}

/// All ladders, in the order of their first messages.
pub(super) fn text(trace: &Trace) -> String {
    let parties = Parties::new(trace);
    let mut order: Vec<Group> = Vec::new();
    let mut members: HashMap<Group, Vec<&Traced>> = HashMap::new();
    for (group, message) in Groups::default().all(trace) {
        members
            .entry(group.clone())
            .or_insert_with(|| {
                order.push(group);
                Vec::new()
            })
            .push(message);
    }
    let mut out = String::new();
    let mut calls = 0;
    for group in order {
        let messages = members.remove(&group).unwrap_or_default();
        let title = match &group {
            Group::Registration => "RAS outside calls".to_owned(),
            Group::Control(..) => "H.245 of a call that is not in the capture".to_owned(),
            Group::Call(identifier) => {
                calls += 1;
                format!("Call {calls}: callIdentifier {}", grouped(identifier))
            }
            Group::Signalling(_, reference) => {
                calls += 1;
                format!("Call {calls}: call reference {reference}, no callIdentifier")
            }
        };
        ladder(&mut out, &title, &messages, &parties);
        out.push('\n');
    }
    out
}

/// A GUID in its usual groups.
fn grouped(hex: &str) -> String {
    let parts = [0..8, 8..12, 12..16, 16..20, 20..hex.len().max(20)];
    let parts: Option<Vec<_>> = parts.into_iter().map(|part| hex.get(part)).collect();
    parts.map_or_else(|| hex.to_owned(), |parts| parts.join("-"))
}

// --- which call -----------------------------------------------------------------------------------

#[derive(Default)]
struct Groups {
    by_reference: HashMap<(usize, u16), Group>,
    by_connection: HashMap<usize, Group>,
    by_request: HashMap<(SocketAddr, SocketAddr, u64), Group>,
    last: Option<Group>,
}

impl Groups {
    fn all(mut self, trace: &Trace) -> Vec<(Group, &Traced)> {
        trace.messages.iter().map(|message| (self.group(message), message)).collect()
    }

    fn group(&mut self, message: &Traced) -> Group {
        let group = match (message.layer, message.signalling) {
            (Layer::H245Tunnelled, _) => self.last.clone(),
            (Layer::CallSignalling, Some(connection)) => Some(self.of_signalling(message, connection)),
            (Layer::H245, Some(connection)) => self.by_connection.get(&connection).cloned(),
            (Layer::Ras, _) => Some(self.of_ras(message)),
            _ => None,
        };
        let group = group.unwrap_or_else(|| {
            let (low, high) = (message.from.min(message.to), message.from.max(message.to));
            Group::Control(low, high)
        });
        self.last = Some(group.clone());
        group
    }

    fn of_signalling(&mut self, message: &Traced, connection: usize) -> Group {
        let Ok(Pdu::Q931(signal)) = &message.pdu else {
            return self.by_connection.get(&connection).cloned().unwrap_or(Group::Signalling(connection, 0));
        };
        let reference = signal.q931.call_reference.value();
        let body = signal.body().map(json::describe);
        let identifier = body.as_ref().and_then(|body| guid(chosen(body).1));
        let known = self.by_reference.get(&(connection, reference)).cloned();
        let group = identifier.map(Group::Call).or(known);
        let group = group.unwrap_or(Group::Signalling(connection, reference));
        self.by_reference.insert((connection, reference), group.clone());
        self.by_connection.insert(connection, group.clone());
        group
    }

    fn of_ras(&mut self, message: &Traced) -> Group {
        let Ok(pdu) = &message.pdu else { return Group::Registration };
        let description = pdu.to_json();
        let (name, body) = chosen(&description);
        let sequence = body.get("requestSeqNum").and_then(Value::as_u64).unwrap_or_default();
        let is_answer = ["Confirm", "Reject", "Ack", "Nak", "Response", "InProgress"]
            .iter()
            .any(|end| name.ends_with(end));
        let own = guid(body).or_else(|| guid(body.pointer("/perCallInfo/0")?)).map(Group::Call);
        if is_answer {
            let asked = self.by_request.get(&(message.to, message.from, sequence)).cloned();
            return own.or(asked).unwrap_or(Group::Registration);
        }
        let group = own.unwrap_or(Group::Registration);
        self.by_request.insert((message.from, message.to, sequence), group.clone());
        group
    }
}

fn guid(body: &Value) -> Option<String> {
    body.pointer("/callIdentifier/guid").and_then(Value::as_str).map(str::to_owned)
}

// --- who ------------------------------------------------------------------------------------------

/// Which addresses are shared, and the ports that parties are known by.
#[derive(Default)]
struct Parties {
    /// Both ends of a signalling connection have this address.
    shared: Vec<IpAddr>,
    /// Both ends of RAS have this address.
    shared_ras: Vec<IpAddr>,
    /// The ends of a signalling connection by its index: who opened it, the other.
    ends: HashMap<usize, (SocketAddr, SocketAddr)>,
    /// The host whose RAS comes from a socket, by the call signalling address that it registered.
    homes: HashMap<SocketAddr, IpAddr>,
    /// The port to show with a host: its signalling port, else that of RAS.
    ports: HashMap<IpAddr, u16>,
}

impl Parties {
    fn new(trace: &Trace) -> Self {
        let mut parties = Self::default();
        for message in &trace.messages {
            let (from, to) = (message.from, message.to);
            match (message.layer, message.signalling) {
                (Layer::CallSignalling, Some(connection)) => {
                    // The first to speak on a signalling connection is who opened it.
                    let (_, called) = *parties.ends.entry(connection).or_insert((from, to));
                    parties.ports.insert(called.ip(), called.port());
                    if from.ip() == to.ip() {
                        parties.shared.push(from.ip());
                    }
                }
                (Layer::Ras, _) => {
                    for end in [from, to].into_iter().filter(|end| RAS_PORTS.contains(&end.port())) {
                        parties.ports.entry(end.ip()).or_insert(end.port());
                    }
                    if from.ip() == to.ip() {
                        parties.shared_ras.push(from.ip());
                        parties.homes.extend(home(message).map(|ip| (from, ip)));
                    }
                }
                _ => {}
            }
        }
        parties
    }

    /// The party at the `end` of a message whose other end is `other`.
    fn at(&self, message: &Traced, end: SocketAddr, other: SocketAddr) -> Party {
        match message.layer {
            Layer::Ras if self.shared_ras.contains(&end.ip()) && !self.shared.contains(&end.ip()) => {
                // Who speaks from the gatekeeper's own address is not the gatekeeper.
                match self.homes.get(&end) {
                    Some(ip) => Party::Host(*ip),
                    None if RAS_PORTS.contains(&end.port()) || end.ip() != other.ip() => {
                        Party::Host(end.ip())
                    }
                    None => Party::Socket(end),
                }
            }
            Layer::H245 if self.shared.contains(&end.ip()) => {
                // An H.245 connection between two parties of one address: who offered it is its server, and which
                // of them that is the addresses do not say. Its sockets stand for themselves.
                Party::Socket(end)
            }
            _ if self.shared.contains(&end.ip()) => Party::Socket(end),
            _ => Party::Host(end.ip()),
        }
    }

    fn label(&self, party: Party) -> String {
        match party {
            Party::Socket(socket) => socket.to_string(),
            Party::Host(ip) => match self.ports.get(&ip) {
                Some(port) => SocketAddr::new(ip, *port).to_string(),
                None => ip.to_string(),
            },
        }
    }
}

/// The host that a registration request registers.
fn home(message: &Traced) -> Option<IpAddr> {
    let Ok(Pdu::Ras(ras)) = &message.pdu else { return None };
    let RasMessage::RegistrationRequest(request) = &***ras else { return None };
    match request.call_signal_address.first()? {
        TransportAddress::IpAddress(address) => Some(address.ip.into()),
        TransportAddress::Ip6Address(address) => Some(address.ip.into()),
        _ => None,
    }
}

// --- the drawing ----------------------------------------------------------------------------------

struct Arrow {
    at: f64,
    from: usize,
    to: usize,
    name: String,
    tunnelled: bool,
    fields: String,
}

fn ladder(out: &mut String, title: &str, messages: &[&Traced], parties: &Parties) {
    let mut columns: Vec<Party> = Vec::new();
    let mut column = |party: Party| {
        columns.iter().position(|known| *known == party).unwrap_or_else(|| {
            columns.push(party);
            columns.len() - 1
        })
    };
    let mut arrows = Vec::new();
    for message in messages {
        let (name, fields) = match &message.pdu {
            Ok(pdu) => (pdu.name(), fields::of(pdu).join("; ")),
            Err(error) => ("?".to_owned(), undecodable(error, &message.octets)),
        };
        let from = column(parties.at(message, message.from, message.to));
        let to = column(parties.at(message, message.to, message.from));
        let tunnelled = message.layer == Layer::H245Tunnelled;
        arrows.push(Arrow { at: message.at.as_secs_f64(), from, to, name, tunnelled, fields });
    }
    let labels: Vec<_> = columns.iter().map(|party| parties.label(*party)).collect();
    let longest = arrows.iter().map(|arrow| arrow.name.chars().count() + 6);
    let width = longest.chain(labels.iter().map(|label| label.chars().count() + 2)).max().unwrap_or(0);
    let width = width.max(MIN_WIDTH);
    let end = MARGIN + width * labels.len().saturating_sub(1) + 1;

    // Writing to a String cannot fail.
    let _ = writeln!(out, "{title}\n");
    let mut head = format!("{:>1$}", "seconds", MARGIN - 2);
    for (index, label) in labels.iter().enumerate() {
        let start = MARGIN + width * index;
        // Labels stand over their lines, the first and the last where there is room.
        let shift = if index == 0 { 0 } else { label.chars().count() / 2 };
        pad(&mut head, start.saturating_sub(shift));
        head.push_str(label);
    }
    let _ = writeln!(out, "{head}");
    for arrow in &arrows {
        let _ = writeln!(out, "{}", Row { arrow, columns: labels.len(), width, end });
    }
}

fn undecodable(error: &dyn fmt::Display, octets: &[u8]) -> String {
    let shown = json::hex(octets.get(..24).unwrap_or(octets));
    let more = if octets.len() > 24 { "…" } else { "" };
    match octets.len() {
        0 => format!("! {error}"),
        length => format!("! {error} ({length} octets: {shown}{more})"),
    }
}

fn pad(text: &mut String, to: usize) {
    let length = text.chars().count();
    text.extend(std::iter::repeat_n(' ', to.saturating_sub(length).max(usize::from(length > 0))));
}

struct Row<'a> {
    arrow: &'a Arrow,
    columns: usize,
    width: usize,
    end: usize,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arrow { at, from, to, name, tunnelled, fields } = self.arrow;
        let mut cells = vec![' '; self.end];
        let place = |column: usize| MARGIN + column * self.width;
        let mut put = |at: usize, text: &str| {
            for (offset, c) in text.chars().enumerate() {
                match cells.get_mut(at + offset) {
                    Some(cell) => *cell = c,
                    None => cells.push(c),
                }
            }
        };
        put(0, &format!("{at:>9.3}"));
        for column in 0..self.columns {
            put(place(column), "│");
        }
        let (left, right) = (place(*from.min(to)), place(*from.max(to)));
        if left == right {
            put(left + 1, &format!("↺ {name}"));
        } else {
            let stroke = if *tunnelled { "┄" } else { "─" };
            for at in left + 1..right {
                let crossing = (at - MARGIN).is_multiple_of(self.width);
                put(at, if crossing { "┼" } else { stroke });
            }
            match from < to {
                true => put(right - 1, "▶"),
                false => put(left + 1, "◀"),
            }
            let text = format!(" {name} ");
            put(left + 1 + (right - left - text.chars().count()) / 2, &text);
        }
        let line: String = cells.iter().collect();
        match fields.is_empty() {
            true => f.write_str(line.trim_end()),
            false => write!(f, "{line}  {fields}"),
        }
    }
}
