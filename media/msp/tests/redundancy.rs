//! Redundant packets (RFC 2198) between two media providers over a network that loses one packet in eight, and rates of
//! nothing: what is agreed is what is on the wire.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use offhook_codecs::CodecKind;
use offhook_msp::MspConfig;
use offhook_pair::{Channel, Codec, Redundancy, ToMsp};
use offhook_rtp::{RtpView, redundant_blocks};
use offhook_spi::{MspCallEvent, MspEventCause};
use support::{End, receive, transmit, until};

/// Carries datagrams one way and loses every eighth.
struct Relay {
    at: SocketAddr,
    done: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    /// Copies seen in what went by, and packets that were no RFC 2198.
    copies: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relay {
    fn to(far: SocketAddr, redundant: Option<u8>) -> Relay {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let at = socket.local_addr().unwrap();
        let (done, lost, copies) = <(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let told = (done.clone(), lost.clone(), copies.clone());
        let thread = std::thread::spawn(move || {
            let (done, lost, copies) = told;
            let mut datagram = [0; 2_000];
            let mut n = 0u64;
            while !done.load(Ordering::Relaxed) {
                let Ok((len, _)) = socket.recv_from(&mut datagram) else { continue };
                let view = RtpView::parse(&datagram[..len]).unwrap();
                if Some(view.payload_type()) == redundant {
                    let blocks = redundant_blocks(view.timestamp(), view.payload()).unwrap();
                    copies.fetch_add(blocks.filter(|block| block.is_copy).count() as u64, Ordering::Relaxed);
                }
                n += 1;
                if n % 8 == 5 {
                    lost.fetch_add(1, Ordering::Relaxed);
                } else {
                    socket.send_to(&datagram[..len], far).unwrap();
                }
            }
        });
        Relay { at, done, lost, copies, thread: Some(thread) }
    }

    fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

fn with(codec: CodecKind, redundancy: Option<u8>) -> End {
    End::with(MspConfig { codecs: vec![codec], redundancy, ..MspConfig::default() })
}

#[test]
fn copies_are_offered_under_a_number_that_is_free_and_only_if_they_are_wanted() {
    assert_eq!(with(CodecKind::Opus, None).prepare().redundancy, None);
    let expected = |payload_type, copies| Some(Redundancy { payload_type, copies });
    assert_eq!(with(CodecKind::Opus, Some(0)).prepare().redundancy, expected(127, 0));
    let config = MspConfig { redundancy: Some(4), telephone_event: Some(127), ..MspConfig::default() };
    assert_eq!(End::with(config).prepare().redundancy, expected(126, 4));
    // Nor where packets may pass through; where terminals deal in sound, such codecs are not offered.
    let mut passing = with(CodecKind::G729, Some(1));
    assert_eq!(passing.prepare().redundancy, None);
    let mut sounding = with(CodecKind::G729, Some(1));
    sounding.tone(440.0);
    assert_eq!(sounding.prepare().redundancy, expected(127, 1));
}

#[test]
fn what_the_wire_loses_is_heard_all_the_same() {
    let mut concealed = Vec::new();
    for copies in [None, Some(1u8)] {
        let (mut a, mut b) = (with(CodecKind::Pcmu, copies), with(CodecKind::Pcmu, copies.map(|_| 0)));
        a.tone(700.0);
        let dir = tempfile::tempdir().unwrap();
        b.record(&dir.path().join("b.wav"));
        let (at_a, at_b) = (a.prepare(), b.prepare());
        let redundancy = copies.map(|copies| Redundancy { copies, ..at_b.redundancy.unwrap() });
        let relay = Relay::to(at_b.rtp, redundancy.map(|told| told.payload_type));
        let towards = Channel {
            remote_rtp: Some(relay.at),
            remote_rtcp: Some(at_b.rtcp),
            redundancy,
            ..transmit(Codec::Pcmu, &at_b)
        };
        let from = Channel {
            remote_rtp: Some(relay.at),
            remote_rtcp: Some(at_a.rtcp),
            redundancy,
            ..receive(Codec::Pcmu)
        };
        b.tell(&ToMsp::Start(vec![from])).unwrap();
        a.tell(&ToMsp::Start(vec![towards])).unwrap();
        until("forty losses", || Relay::count(&relay.lost) >= 40);
        let heard = b.received();
        assert!(heard.lost >= 35, "{heard:?}");
        // The machine's own delays may make a few packets late, with or without copies.
        let share = heard.concealed_samples as f64 / (heard.samples + heard.concealed_samples) as f64;
        concealed.push(share);
        match copies {
            None => assert_eq!((heard.recovered, Relay::count(&relay.copies)), (0, 0), "{heard:?}"),
            Some(_) => {
                assert!(heard.recovered >= 30, "{heard:?}");
                assert!(Relay::count(&relay.copies) > 8 * 30, "a copy in every packet");
            }
        }
    }
    assert!(concealed[0] > 0.09 && concealed[1] < concealed[0] / 2.0, "{concealed:?}");
}

#[test]
fn an_impossible_payload_type_of_copies_fails_its_stream() {
    let mut a = with(CodecKind::Pcmu, Some(1));
    a.tone(440.0);
    let session = a.prepare();
    let redundancy = Some(Redundancy { payload_type: 200, copies: 1 });
    a.tell(&ToMsp::Start(vec![Channel { redundancy, ..transmit(Codec::Pcmu, &session) }])).unwrap();
    let (events, capture) = (a.events(), Some(a.capture));
    let failed =
        events.iter().any(|(event, _, stream)| *event == MspCallEvent::StreamFail && *stream == capture);
    assert!(failed, "{events:?}");
}

#[test]
fn a_rate_of_nothing_stops_what_is_sent_until_it_is_lifted() {
    let (mut a, mut b) = (with(CodecKind::Pcmu, None), with(CodecKind::Pcmu, None));
    a.tone(440.0);
    let (_, at_b) = (a.prepare(), b.prepare());
    let open = |max_bit_rate| Channel { max_bit_rate, ..transmit(Codec::Pcmu, &at_b) };
    a.tell(&ToMsp::Start(vec![open(None)])).unwrap();
    until("packets", || a.sent().packets > 10);
    a.tell(&ToMsp::Start(vec![open(Some(0))])).unwrap();
    let stopped = (MspCallEvent::StreamInactive, MspEventCause::RemoteRequest, Some(a.capture));
    until("the stream is inactive", || a.events().contains(&stopped));
    // Packets of the fade may be on their way out.
    let mut before = a.sent().packets;
    until("no packet for a while", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = a.sent().packets;
        std::mem::replace(&mut before, now) == now
    });
    assert!(!a.sent().active);
    a.tell(&ToMsp::Start(vec![open(Some(64_000))])).unwrap();
    until("packets again", || a.sent().packets > before + 10);
    assert!(a.sent().active);
}
