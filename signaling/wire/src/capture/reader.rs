//! From records to datagrams and TCP packets.
//! In: the records of a file. Out: [`Capture`]. Everything but the file header is lenient: a record that is
//! not understood is counted.
//! Not here: the forms of files (`records`); the order of TCP octets (`tcp`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_file::DataLink;

use super::records::Records;
use super::tcp::{Connections, TcpPacket};
use super::{Capture, CaptureError, Datagram, MAX_RECORDS};

/// The link layers that can be taken off.
#[derive(Debug, Clone, Copy)]
enum Link {
    Ethernet,
    /// 16 octets, protocol in the last two.
    LinuxCooked,
    /// 20 octets, protocol in the first two.
    LinuxCooked2,
    RawIp,
    /// Four octets of address family, which the version in the IP header repeats.
    Loopback,
}

impl Link {
    fn new(link: DataLink) -> Result<Self, CaptureError> {
        match link {
            DataLink::ETHERNET => Ok(Self::Ethernet),
            DataLink::LINUX_SLL => Ok(Self::LinuxCooked),
            DataLink::LINUX_SLL2 => Ok(Self::LinuxCooked2),
            DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Ok(Self::RawIp),
            // DLT_RAW of BSD systems, 12 and (OpenBSD) 14.
            DataLink::Unknown(12 | 14) => Ok(Self::RawIp),
            DataLink::NULL | DataLink::LOOP => Ok(Self::Loopback),
            other => Err(CaptureError::LinkType(other.into())),
        }
    }

    fn slice(self, frame: &[u8]) -> Option<LaxSlicedPacket<'_>> {
        match self {
            Self::Ethernet => LaxSlicedPacket::from_ethernet(frame).ok(),
            Self::LinuxCooked => cooked(frame, 14, 16),
            Self::LinuxCooked2 => cooked(frame, 0, 20),
            Self::RawIp => LaxSlicedPacket::from_ip(frame).ok(),
            Self::Loopback => LaxSlicedPacket::from_ip(frame.get(4..)?).ok(),
        }
    }
}

fn cooked(frame: &[u8], protocol_at: usize, header: usize) -> Option<LaxSlicedPacket<'_>> {
    let protocol = frame.get(protocol_at..)?.first_chunk::<2>()?;
    let payload = frame.get(header..)?;
    let ether_type = EtherType(u16::from_be_bytes(*protocol));
    Some(LaxSlicedPacket::from_ether_type(ether_type, payload))
}

pub(super) fn parse(octets: &[u8]) -> Result<Capture, CaptureError> {
    // One copy of the file, which all payloads share.
    let file = Bytes::copy_from_slice(octets);
    let mut records = Records::new(&file)?;
    let mut capture = Capture::default();
    let mut connections = Connections::default();
    // A pcapng file has a link layer for each interface: it can be read if one of them can.
    let (mut understood, mut foreign) = (false, None);
    while capture.records < MAX_RECORDS
        && let Some(record) = records.next()
    {
        if capture.records == 0 {
            capture.start = record.at;
        }
        capture.records += 1;
        // Records of several interfaces may come in a slightly wrong order; no time is negative.
        let at = record.at.saturating_sub(capture.start);
        let link = Link::new(record.link);
        match &link {
            Ok(_) => understood = true,
            Err(error) => foreign = foreign.or(Some(error.clone())),
        }
        match link.ok().and_then(|link| transport(link, record.frame)) {
            Some(Transport::Udp { source, destination, payload }) => {
                capture.udp.push(Datagram { at, source, destination, payload: file.slice_ref(payload) })
            }
            Some(Transport::Tcp(mut packet, payload)) => {
                packet.at = at;
                packet.payload = file.slice_ref(payload);
                connections.handle_packet(packet);
            }
            None => capture.skipped += 1,
        }
    }
    if let Some(error) = foreign.filter(|_| !understood) {
        return Err(error);
    }
    capture.truncated = records.is_truncated() || !records.is_at_end();
    capture.tcp = connections.finish();
    Ok(capture)
}

enum Transport<'a> {
    Udp {
        source: SocketAddr,
        destination: SocketAddr,
        payload: &'a [u8],
    },
    /// The packet without its time and payload.
    Tcp(TcpPacket, &'a [u8]),
}

fn transport(link: Link, frame: &[u8]) -> Option<Transport<'_>> {
    let packet = link.slice(frame)?;
    let (source, destination): (IpAddr, IpAddr) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into())
        }
        _ => return None,
    };
    match packet.transport? {
        TransportSlice::Udp(udp) => Some(Transport::Udp {
            source: SocketAddr::new(source, udp.source_port()),
            destination: SocketAddr::new(destination, udp.destination_port()),
            payload: udp.payload(),
        }),
        TransportSlice::Tcp(tcp) => Some(Transport::Tcp(
            TcpPacket {
                at: Duration::ZERO,
                source: SocketAddr::new(source, tcp.source_port()),
                destination: SocketAddr::new(destination, tcp.destination_port()),
                sequence: tcp.sequence_number(),
                syn: tcp.syn(),
                ack: tcp.ack(),
                fin: tcp.fin(),
                rst: tcp.rst(),
                payload: Bytes::new(),
            },
            tcp.payload(),
        )),
        _ => None,
    }
}
