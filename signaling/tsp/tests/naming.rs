//! Calls to names: a name server in the test answers about SRV, A and AAAA; both families of addresses; dead addresses.
#![allow(clippy::unwrap_used)]

mod desk;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use desk::{Desk, Wishes, id};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use offhook_spi::{LineError, RequestId, Tspi};
use tokio::runtime::Runtime;

/// What a name server knows: name, record. A name that it does not know is NXDOMAIN.
type Zone = Vec<(&'static str, RData)>;

struct NameServer {
    address: SocketAddr,
    /// Every question, as `name TYPE`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers from `zone`, but never to a question about `deaf`. Its thread lives as long as the test.
fn name_server(zone: Zone, deaf: &'static [RecordType]) -> NameServer {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((size, from)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..size]).unwrap();
            let query = question.queries[0].clone();
            log.lock().unwrap().push(format!("{} {}", query.name.to_lowercase(), query.query_type));
            if deaf.contains(&query.query_type) {
                continue;
            }
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.metadata.recursion_available = true;
            answer.add_query(query.clone());
            let known = |name: &str| Name::from_ascii(name).unwrap() == query.name;
            let of_name: Vec<_> = zone.iter().filter(|(name, _)| known(name)).collect();
            if of_name.is_empty() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            for (_, data) in of_name.into_iter().filter(|(_, data)| data.record_type() == query.query_type) {
                answer.add_answer(Record::from_rdata(query.name.clone(), 60, data.clone()));
            }
            socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
        }
    });
    NameServer { address, asked }
}

fn v4(address: [u8; 4]) -> RData {
    RData::A(A(address.into()))
}

fn v6(address: &str) -> RData {
    RData::AAAA(AAAA(address.parse().unwrap()))
}

fn service(priority: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, 0, port, Name::from_ascii(target).unwrap()))
}

/// A desk that asks the given name server.
fn desk(runtime: &Runtime, server: SocketAddr) -> Desk {
    // `adjust` is a plain function, so the address goes in by the configuration that it is handed.
    let wishes = Wishes { name_servers: vec![server], ..Wishes::default() };
    Desk::new(runtime, wishes)
}

/// The port of a listener that is gone: whoever calls it is refused.
fn dead_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Calls and says where the call arrived.
fn arrives(alice: &Desk, bob: &Desk, to: &str) -> String {
    let call = alice.dial(to).unwrap();
    bob.until("Offering");
    let info = alice.info(call, |info| id(info, "peer").is_some());
    id(&info, "peer").unwrap().to_owned()
}

/// How MakeCall of a name fails.
fn fails(alice: &Desk, to: &str) -> String {
    alice.dial(to).unwrap();
    let said = alice.heard.recv_timeout(desk::PATIENCE).unwrap();
    assert!(said.starts_with("request 1 failed"), "{said}");
    said
}

#[test]
fn a_dual_stack_listener_is_called_over_either_family() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(
        &runtime,
        Wishes { adjust: |config| config.listen = "[::]:0".parse().unwrap(), ..Wishes::default() },
    );
    let port = bob.listen().port();
    for (to, from) in [(format!("[::1]:{port}"), "::1"), (format!("127.0.0.1:{port}"), "127.0.0.1")] {
        let alice = Desk::new(&runtime, Wishes::default());
        let call = alice.dial(&to).unwrap();
        // The MSP is asked for ports of the caller's family at both ends: media follow the signalling.
        bob.until(&format!("msp prepare {from} to None"));
        alice.until("Proceeding");
        bob.provider.line_answer(RequestId(7), bob.incoming()).unwrap();
        alice.until("Connected(Active)");
        bob.until("Connected(Active)");
        let info = alice.provider.line_call_info(call).unwrap();
        assert_eq!(id(&info, "peer"), Some(to.as_str()));
    }
}

#[test]
fn srv_says_where_calls_are_taken_the_lower_priority_number_first() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    let zone = vec![
        ("pbx.example.", v4([192, 0, 2, 1])),
        ("_h323cs._tcp.pbx.example.", service(20, dead_port(), "wrong.pbx.example.")),
        ("_h323cs._tcp.pbx.example.", service(10, at.port(), "right.pbx.example.")),
        ("wrong.pbx.example.", v4([127, 0, 0, 1])),
        ("right.pbx.example.", v4([127, 0, 0, 1])),
    ];
    let server = name_server(zone, &[]);
    let alice = desk(&runtime, server.address);
    assert_eq!(arrives(&alice, &bob, "h323:bob@pbx.example"), at.to_string());
    let asked = server.asked();
    assert!(asked.contains(&"_h323cs._tcp.pbx.example. SRV".to_owned()), "{asked:#?}");
    assert!(!asked.iter().any(|question| question.ends_with("PTR")), "no address is asked for its name");
}

#[test]
fn the_next_target_is_called_when_the_first_does_not_listen() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    let zone = vec![
        ("_h323cs._tcp.pbx.example.", service(1, dead_port(), "a.pbx.example.")),
        ("_h323cs._tcp.pbx.example.", service(2, at.port(), "b.pbx.example.")),
        ("a.pbx.example.", v4([127, 0, 0, 1])),
        ("b.pbx.example.", v4([127, 0, 0, 1])),
    ];
    let alice = desk(&runtime, name_server(zone, &[]).address);
    assert_eq!(arrives(&alice, &bob, "pbx.example"), at.to_string());
}

#[test]
fn a_port_that_is_named_is_the_port_and_nobody_is_asked_about_services() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    let zone = vec![
        ("pbx.example.", v4([127, 0, 0, 1])),
        ("_h323cs._tcp.pbx.example.", service(1, dead_port(), "pbx.example.")),
    ];
    let server = name_server(zone, &[]);
    let alice = desk(&runtime, server.address);
    assert_eq!(arrives(&alice, &bob, &format!("pbx.example:{}", at.port())), at.to_string());
    let asked = server.asked();
    assert!(!asked.iter().any(|question| question.ends_with("SRV")), "{asked:#?}");
}

#[test]
fn a_dead_address_of_either_family_does_not_stop_the_call() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    // 100::/64 is the discard prefix (RFC 6666): no route or no answer. ::1 has no listener on that port.
    for dead in ["100::1", "::1"] {
        let zone = vec![("pbx.example.", v6(dead)), ("pbx.example.", v4([127, 0, 0, 1]))];
        let alice = desk(&runtime, name_server(zone, &[]).address);
        assert_eq!(arrives(&alice, &bob, &format!("pbx.example:{}", at.port())), at.to_string());
    }
}

#[test]
fn a_name_server_that_loses_a_question_does_not_lose_the_call() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    let zone = || vec![("pbx.example.", v4([127, 0, 0, 1]))];
    let alice = desk(&runtime, name_server(zone(), &[RecordType::AAAA]).address);
    assert_eq!(arrives(&alice, &bob, &format!("pbx.example:{}", at.port())), at.to_string());
    // SRV unanswered: the call goes to the well-known port, where nobody may listen here: that it is made is enough.
    let alice = desk(&runtime, name_server(zone(), &[RecordType::SRV]).address);
    alice.dial("pbx.example").unwrap();
    alice.until("request 1 done");
}

#[test]
fn names_that_lead_nowhere_fail_make_call_with_the_reason() {
    let runtime = Runtime::new().unwrap();
    let zone = || {
        vec![
            ("mail.example.", v4([127, 0, 0, 1])),
            ("_h323cs._tcp.mail.example.", service(0, 0, ".")),
            ("_h323cs._tcp.lost.example.", service(0, 1720, "nowhere.example.")),
        ]
    };
    let alice = |server: &NameServer| desk(&runtime, server.address);
    let server = name_server(zone(), &[]);
    assert!(fails(&alice(&server), "none.example").contains("cannot resolve \"none.example\""));
    assert!(fails(&alice(&server), "mail.example").contains("takes no H.323 calls"));
    assert!(fails(&alice(&server), "lost.example").contains("nowhere.example"));
}

#[test]
fn a_silent_name_server_holds_neither_the_caller_nor_other_calls() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let wishes = |silent: &UdpSocket| Wishes {
        name_servers: vec![silent.local_addr().unwrap()],
        adjust: |config| config.resolve_timeout = Duration::from_secs(3),
        ..Wishes::default()
    };
    let waiting = Desk::new(&runtime, wishes(&silent));
    let began = Instant::now();
    waiting.dial("pbx.example").unwrap();
    let alice = Desk::new(&runtime, wishes(&silent));
    assert_eq!(arrives(&alice, &bob, &at.to_string()), at.to_string());
    let said = waiting.heard.recv_timeout(desk::PATIENCE).unwrap();
    assert!(said.contains("no answer within 3 s"), "{said}");
    assert!(began.elapsed() >= Duration::from_secs(3));
}

#[test]
fn names_of_the_hosts_file_are_known_without_a_name_server() {
    let runtime = Runtime::new().unwrap();
    let bob = Desk::new(&runtime, Wishes::default());
    let at = bob.listen();
    let alice = Desk::new(&runtime, Wishes::default());
    assert_eq!(arrives(&alice, &bob, &format!("localhost:{}", at.port())), at.to_string());
}

#[test]
fn a_zone_is_refused_before_anything_is_tried() {
    let runtime = Runtime::new().unwrap();
    let alice = Desk::new(&runtime, Wishes::default());
    let refused = alice.dial("h323:bob@[fe80::1%25eth0]");
    assert!(matches!(refused, Err(LineError::InvalAddress(why)) if why.contains("zone")));
}
