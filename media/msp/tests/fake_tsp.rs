//! The media provider under a TSP written by hand, and tshark's view of what it sends: no signalling is here at all.
//!
//! In: PREPARE, START and STOP of `offhook-pair`, as any TSP may say them. Out: RTP and RTCP on a socket of the test's,
//! written into a pcap file as they came, and read back by tshark.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use offhook_pair::{Codec, ToMsp};
use offhook_spi::mspi::{MspCallEvent, MspEventCause};
use support::{End, RECEIVE, TRANSMIT, pause, receive, transmit_to, until};

/// A datagram with when, whence and where to.
struct Datagram {
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    octets: Vec<u8>,
}

/// A pcap file of raw IPv4 packets (link type 101).
fn write_pcap(path: &Path, datagrams: &[Datagram]) {
    let mut file = Vec::new();
    file.extend(0xA1B2_C3D4u32.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(65_535u32.to_le_bytes());
    file.extend(101u32.to_le_bytes());
    for Datagram { at, from, to, octets } in datagrams {
        let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else { panic!("IPv4 only") };
        let (udp, ip) = (octets.len() as u16 + 8, octets.len() as u16 + 28);
        file.extend((at.as_secs() as u32).to_le_bytes());
        file.extend(at.subsec_micros().to_le_bytes());
        file.extend(u32::from(ip).to_le_bytes());
        file.extend(u32::from(ip).to_le_bytes());
        file.extend([0x45, 0]);
        file.extend(ip.to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        file.extend(from.ip().octets());
        file.extend(to.ip().octets());
        for half in [from.port(), to.port(), udp, 0] {
            file.extend(half.to_be_bytes());
        }
        file.extend(octets);
    }
    std::fs::File::create(path).unwrap().write_all(&file).unwrap();
}

/// The fields of the packets that a filter takes, tab between them.
fn tshark(pcap: &Path, rtp: u16, rtcp: u16, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(pcap).args(["-d", &format!("udp.port=={rtp},rtp")]);
    command.args(["-d", &format!("udp.port=={rtcp},rtcp"), "-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn tshark_sees_what_a_hand_written_tsp_makes_it_send() {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("no tshark here: not tried");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (rtp, rtcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (to_rtp, to_rtcp) = (rtp.local_addr().unwrap(), rtcp.local_addr().unwrap());
    let mut end = End::new();
    end.tone(440.0);
    let session = end.prepare();
    assert!(session.codecs.iter().any(|offer| offer.codec == Codec::Pcma), "{session:?}");
    end.tell(&ToMsp::Start(vec![receive(Codec::Pcma), transmit_to(Codec::Pcma, to_rtp, Some(to_rtcp))]))
        .unwrap();

    // The test is the network: it keeps what comes, until a report has come too.
    let (began, mut seen) = (Instant::now(), Vec::new());
    let mut buffer = [0; 2_048];
    rtp.set_nonblocking(true).unwrap();
    rtcp.set_nonblocking(true).unwrap();
    let count = |seen: &[Datagram], to| seen.iter().filter(|d| d.to == to).count();
    until("a hundred packets and a report", || {
        for (socket, to) in [(&rtp, to_rtp), (&rtcp, to_rtcp)] {
            while let Ok((size, from)) = socket.recv_from(&mut buffer) {
                seen.push(Datagram { at: began.elapsed(), from, to, octets: buffer[..size].to_vec() });
            }
        }
        count(&seen, to_rtp) >= 100 && count(&seen, to_rtcp) >= 1
    });
    end.tell(&ToMsp::Stop(vec![TRANSMIT, RECEIVE])).unwrap();
    // What is under way still comes; nothing follows it.
    pause(100);
    while rtp.recv_from(&mut buffer).is_ok() {}
    pause(200);
    assert!(rtp.recv_from(&mut buffer).is_err(), "nothing is sent after STOP");
    end.tell(&ToMsp::StopAll).unwrap();
    let told: Vec<_> = end.events().into_iter().map(|(event, cause, _)| (event, cause)).collect();
    // The TSP's buffers begin and end it: the terminal was there before.
    let by_tsp = MspEventCause::RemoteRequest;
    assert_eq!(told, [(MspCallEvent::StreamActive, by_tsp), (MspCallEvent::StreamInactive, by_tsp)]);

    let pcap = dir.path().join("media.pcap");
    write_pcap(&pcap, &seen);
    let look = |filter: &str, fields: &[&str]| tshark(&pcap, to_rtp.port(), to_rtcp.port(), filter, fields);
    assert_eq!(look("_ws.malformed", &["frame.number"]), Vec::<Vec<String>>::new());
    let fields = ["rtp.p_type", "rtp.ssrc", "rtp.seq", "rtp.timestamp", "udp.length", "udp.srcport"];
    let packets = look("rtp", &fields);
    assert_eq!(packets.len(), count(&seen, to_rtp), "every packet is RTP");
    let of = |n: usize| packets.iter().map(|fields| fields[n].as_str()).collect::<BTreeSet<_>>();
    assert_eq!(of(0), BTreeSet::from(["8"]), "PCMA");
    assert_eq!(of(1).len(), 1, "one source");
    assert_eq!(of(4), BTreeSet::from(["180"]), "20 ms: 160 octets after 8 of UDP and 12 of RTP");
    assert_eq!(of(5), BTreeSet::from([session.rtp.port().to_string().as_str()]), "from where it said it is");
    let number = |text: &str| text.parse::<u32>().unwrap();
    for pair in packets.windows(2) {
        assert_eq!(number(&pair[1][2]) as u16, (number(&pair[0][2]) as u16).wrapping_add(1), "{pair:?}");
        let gap = number(&pair[1][3]).wrapping_sub(number(&pair[0][3]));
        assert!(gap > 0 && gap % 160 == 0, "{pair:?}");
    }
    let reports = look("rtcp.pt == 200", &["rtcp.senderssrc", "rtcp.sdes.type"]);
    assert!(
        !reports.is_empty() && reports[0][0] == packets[0][1],
        "a sender report of the same source: {reports:?}"
    );
}
