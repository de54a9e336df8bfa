//! PDUs of a recorded H323Plus call, and an ARQ of a recorded gatekeeper: decode and encode, by layer, beside a
//! memcpy of the message and one allocation in the same run; and messages of 64 KiB made to take long.
//! Out: criterion's statistics; before them a table of nanoseconds, allocations and ratios. The worst case must stay
//! below [`WORST`], or the bench fails.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use offhook_wire::capture::{Capture, Direction};
use offhook_wire::h225::{self, H323UserInformation, RasMessage};
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::{self, MultimediaSystemControlMessage};
use offhook_wire::per;
use offhook_wire::q931::Message;
use offhook_wire::tpkt::TpktDecoder;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../signaling/wire/tests/data/captures/");

/// The longest that any message of 64 KiB may take.
const WORST: Duration = Duration::from_millis(10);

fn capture(name: &str) -> Result<Capture, Box<dyn Error>> {
    Ok(Capture::parse(&std::fs::read(format!("{CAPTURES}{name}.pcap"))?)?)
}

/// A call's signalling messages, and the H.245 messages inside them.
fn recorded(name: &str) -> Result<(Vec<Bytes>, Vec<Bytes>), Box<dyn Error>> {
    let capture = capture(name)?;
    let (mut signals, mut controls) = (Vec::new(), Vec::new());
    let connection = capture.tcp_connections().first().ok_or("no connection")?;
    for direction in [Direction::FromClient, Direction::FromServer] {
        let mut tpkt = TpktDecoder::new();
        for segment in connection.segments.iter().filter(|s| s.direction == direction) {
            tpkt.push(&segment.bytes);
            while let Some(payload) = tpkt.next()? {
                controls.extend(CallSignal::decode(&payload)?.h245_control().cloned());
                signals.push(payload);
            }
        }
    }
    Ok((signals, controls))
}

/// The first ARQ that a gatekeeper got.
fn admission_request() -> Result<Bytes, Box<dyn Error>> {
    for datagram in capture("gk-direct-slow")?.udp() {
        if per::decode(&datagram.payload).is_ok_and(|ras| matches!(*ras, RasMessage::AdmissionRequest(_))) {
            return Ok(datagram.payload.clone());
        }
    }
    Err("no ARQ".into())
}

// --- the table --------------------------------------------------------------------------------------

/// The shortest of some runs, each long enough to measure.
fn time<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let began = Instant::now();
        let mut count = 0u32;
        while began.elapsed() < Duration::from_millis(5) {
            for _ in 0..64 {
                black_box(work());
            }
            count += 64;
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e9 / f64::from(count));
    }
    best
}

fn allocations<T>(mut work: impl FnMut() -> T) -> (u64, u64) {
    let counted = allocation_counter::measure(|| drop(black_box(work())));
    (counted.count_total, counted.bytes_total)
}

/// A line of the table, against a copy of the message and one allocation of its size.
fn line<T>(name: &str, octets: &[u8], mut work: impl FnMut() -> T) {
    let mut room = vec![0; octets.len()];
    let copied = time(|| black_box(&mut room[..]).copy_from_slice(black_box(octets)));
    let allocated = time(|| Vec::<u8>::with_capacity(black_box(octets.len())));
    let nanoseconds = time(&mut work);
    let (count, bytes) = allocations(&mut work);
    println!(
        "{name:<38} {:>6} {nanoseconds:>9.0} {count:>7} {bytes:>8} {:>9.0} {:>9.1}",
        octets.len(),
        nanoseconds / copied,
        nanoseconds / allocated,
    );
}

fn table(setup: &Bytes, tcs: &Bytes, arq: &Bytes) {
    println!(
        "{:<38} {:>6} {:>9} {:>7} {:>8} {:>9} {:>9}",
        "message", "octets", "ns", "allocs", "bytes", "x memcpy", "x alloc"
    );
    let signal = CallSignal::decode(setup).unwrap();
    let uuie = signal.uuie.clone().unwrap();
    let octets = Bytes::from(per::encode(&uuie).unwrap());
    line("SETUP with fastStart, Q.931, decode", setup, || CallSignal::decode(setup));
    line("SETUP with fastStart, Q.931, encode", setup, || signal.encode());
    line("SETUP with fastStart, UUIE, decode", &octets, || per::decode::<H323UserInformation>(&octets));
    line("SETUP with fastStart, UUIE, encode", &octets, || per::encode(&uuie));
    let value = per::decode::<MultimediaSystemControlMessage>(tcs).unwrap();
    line("terminalCapabilitySet, decode", tcs, || per::decode::<MultimediaSystemControlMessage>(tcs));
    line("terminalCapabilitySet, encode", tcs, || per::encode(&value));
    let value = per::decode::<RasMessage>(arq).unwrap();
    line("admissionRequest, decode", arq, || per::decode::<RasMessage>(arq));
    line("admissionRequest, encode", arq, || per::encode(&value));
}

// --- the worst case -----------------------------------------------------------------------------------

/// Heads of messages, and what to repeat behind them up to 64 KiB.
fn hostile() -> Vec<(String, Bytes)> {
    let heads: [(&str, &[u8]); 8] = [
        ("nothing", &[]),
        ("genericParameter", &[0x10, 0x80, 0xbf, 0xff, 0x20, 0x05, 0x00, 0x08, 0x81, 0x6f, 0x02]),
        ("multiplexEntrySend", &[0x0a, 0x00, 0x00, 0x80]),
        ("unknown request", &[0x18, 0x00]),
        ("unknown RAS", &[0x80 | 0x40, 0x01, 0x40]),
        ("genericData", &[0x1e, 0x80, 0x00, 0x00, 0x02, 0x01, 0x80]),
        ("UUIE", &[0x20, 0xa8, 0x06, 0x00, 0x08, 0x91, 0x4a, 0x00, 0x07]),
        ("capability set", &[0x02, 0x70, 0x01, 0x06, 0x00, 0x08, 0x81, 0x75, 0x00, 0x0d, 0x80, 0xff]),
    ];
    let bodies: [&[u8]; 12] = [
        &[0x00],
        &[0xff],
        &[0x01],
        &[0x80],
        &[0x40],
        &[0x01, 0x00, 0x07],
        &[0x80, 0x00, 0x00],
        &[0xc4],
        &[0xc1, 0x00],
        &[0xbf, 0xff],
        &[0x80, 0x80, 0x01],
        &[0x55, 0xaa, 0x01, 0x00],
    ];
    let mut messages = Vec::new();
    for (name, head) in heads {
        for body in bodies {
            let mut octets = head.to_vec();
            while octets.len() < 65_531 {
                octets.extend_from_slice(body);
            }
            octets.truncate(65_531);
            messages.push((format!("{name}, {body:02x?}"), octets.into()));
        }
    }
    // Open types in fragments inside each other: each level is joined anew.
    let mut value = vec![0u8; 60_000];
    for _ in 0..8 {
        let mut outer = Vec::new();
        let mut left = &value[..];
        while left.len() >= 16_384 {
            let blocks = (left.len() / 16_384).min(4);
            outer.push(0xc0 | blocks as u8);
            outer.extend_from_slice(&left[..blocks * 16_384]);
            left = &left[blocks * 16_384..];
        }
        outer.extend([0x80 | (left.len() >> 8) as u8, left.len() as u8]);
        outer.extend_from_slice(left);
        value = outer;
    }
    for head in [&[0x18, 0x00][..], &[0x2c, 0x00, 0x04, 0x82], &[0x10, 0x80], &[0x62, 0x82, 0xe0]] {
        messages.push((format!("fragments behind {head:02x?}"), [head, &value].concat().into()));
    }
    messages
}

/// What decodes, and is as full as 64 KiB or the budgets permit: the longest of each that is accepted.
fn full() -> Vec<(String, Bytes)> {
    let standard = || h225::GenericIdentifier::Standard(1);
    let ras = |count| {
        let mut confirm = h225::UnregistrationConfirm::new(1);
        confirm.generic_data = Some(vec![h225::GenericData::new(standard()); count]);
        per::encode(&RasMessage::UnregistrationConfirm(confirm.into()))
    };
    let endpoints = |count| {
        let ip = h225::TransportAddressIpAddress::new([127, 0, 0, 1], 1);
        let address = h225::TransportAddress::IpAddress(ip);
        let mut confirm = h225::LocationConfirm::new(1, address.clone(), address);
        confirm.alternate_endpoints = Some(vec![h225::Endpoint::default(); count]);
        per::encode(&RasMessage::LocationConfirm(confirm.into()))
    };
    let compounds = |count: usize| {
        let mut confirm = h225::UnregistrationConfirm::new(1);
        let mut parameter = h225::EnumeratedParameter::new(standard());
        let compound = vec![h225::EnumeratedParameter::new(standard()); 512.min(count.max(1))];
        parameter.content = Some(h225::Content::Compound(compound));
        let mut data = h225::GenericData::new(standard());
        data.parameters = Some(vec![parameter]);
        confirm.generic_data = Some(vec![data; count.div_ceil(512)]);
        per::encode(&RasMessage::UnregistrationConfirm(confirm.into()))
    };
    let capabilities = |count: usize| {
        let mut set = h245::TerminalCapabilitySet::new(1, per::Oid::new(&[0, 0, 8, 245, 0, 13]));
        let mut descriptor = h245::CapabilityDescriptor::new(1);
        descriptor.simultaneous_capabilities = Some(vec![vec![1; 64]; 8]);
        set.capability_descriptors = Some(vec![descriptor; count.div_ceil(512).min(256)]);
        let request = h245::RequestMessage::TerminalCapabilitySet(set.into());
        per::encode(&MultimediaSystemControlMessage::Request(request))
    };
    let mut messages = Vec::new();
    type Build<'a> = &'a dyn Fn(usize) -> per::Result<Vec<u8>>;
    let builds: [(&str, Build); 4] = [
        ("genericData", &ras),
        ("alternateEndpoints", &endpoints),
        ("compound", &compounds),
        ("simultaneousCapabilities", &capabilities),
    ];
    for (name, build) in builds {
        let accepted = (1..=64).rev().map(|step| step * 512).find_map(|count| {
            let octets = Bytes::from(build(count).ok().filter(|octets| octets.len() <= 65_531)?);
            let ras = per::decode::<RasMessage>(&octets).is_ok();
            let h245 = per::decode::<MultimediaSystemControlMessage>(&octets).is_ok();
            (ras || h245).then_some((count, octets))
        });
        let (count, octets) = accepted.unwrap_or_default();
        messages.push((format!("{count} {name}, {} octets", octets.len()), octets));
    }
    messages
}

fn worst() {
    let mut slowest: Vec<(Duration, String)> = Vec::new();
    for (name, octets) in hostile().into_iter().chain(full()) {
        // The best of some, lest the scheduler be blamed on the message.
        let once = |work: &dyn Fn()| {
            (0..5)
                .map(|_| {
                    let began = Instant::now();
                    work();
                    began.elapsed()
                })
                .min()
                .unwrap_or_default()
        };
        let again = |message: Option<Vec<u8>>| drop(black_box(message));
        for (kind, took) in [
            (
                "RAS",
                once(&|| again(per::decode::<RasMessage>(&octets).ok().and_then(|m| per::encode(&m).ok()))),
            ),
            (
                "UUIE",
                once(&|| {
                    again(
                        per::decode::<H323UserInformation>(&octets).ok().and_then(|m| per::encode(&m).ok()),
                    );
                }),
            ),
            (
                "H.245",
                once(&|| {
                    again(
                        per::decode::<MultimediaSystemControlMessage>(&octets)
                            .ok()
                            .and_then(|m| per::encode(&m).ok()),
                    );
                }),
            ),
            ("Q.931", once(&|| drop(black_box(Message::decode(&octets))))),
        ] {
            slowest.push((took, format!("{kind}: {name}")));
        }
    }
    slowest.sort();
    println!("\nslowest of {} decodings (and encodings) of hostile messages of 64 KiB:", slowest.len());
    for (took, name) in slowest.iter().rev().take(5) {
        println!("{:>9.3} ms  {name}", took.as_secs_f64() * 1e3);
    }
    let most = slowest.last().map_or(Duration::ZERO, |(took, _)| *took);
    assert!(most <= WORST, "longer than {WORST:?}");
}

fn wire(c: &mut Criterion) {
    let (signals, controls) = recorded("h323plus-slow-tunnel").unwrap();
    let (fast, _) = recorded("h323plus-fast-tunnel").unwrap();
    let arq = admission_request().unwrap();
    let tcs = controls.iter().max_by_key(|octets| octets.len()).unwrap().clone();
    table(&fast[0], &tcs, &arq);
    worst();

    let setup = fast[0].clone();
    let signal = CallSignal::decode(&setup).unwrap();
    let uuie = signal.uuie.clone().unwrap();
    let uuie_octets = Bytes::from(per::encode(&uuie).unwrap());
    let tcs_value = per::decode::<MultimediaSystemControlMessage>(&tcs).unwrap();
    let arq_value = per::decode::<RasMessage>(&arq).unwrap();

    let mut group = c.benchmark_group("wire");
    group.throughput(Throughput::Bytes(setup.len() as u64));
    group.bench_function("setup with fastStart, memcpy", |b| b.iter(|| black_box(&setup[..]).to_vec()));
    group.bench_function("setup with fastStart, Q.931 and UUIE, decode", |b| {
        b.iter(|| CallSignal::decode(black_box(&setup)))
    });
    group.bench_function("setup with fastStart, Q.931 and UUIE, encode", |b| {
        b.iter(|| black_box(&signal).encode())
    });
    group.throughput(Throughput::Bytes(uuie_octets.len() as u64));
    group.bench_function("setup with fastStart, UUIE, decode", |b| {
        b.iter(|| per::decode::<H323UserInformation>(black_box(&uuie_octets)))
    });
    group.bench_function("setup with fastStart, UUIE, encode", |b| b.iter(|| per::encode(black_box(&uuie))));
    group.throughput(Throughput::Bytes(tcs.len() as u64));
    group.bench_function("terminalCapabilitySet, decode", |b| {
        b.iter(|| per::decode::<MultimediaSystemControlMessage>(black_box(&tcs)))
    });
    group.bench_function("terminalCapabilitySet, encode", |b| b.iter(|| per::encode(black_box(&tcs_value))));
    group.throughput(Throughput::Bytes(arq.len() as u64));
    group.bench_function("admissionRequest, decode", |b| {
        b.iter(|| per::decode::<RasMessage>(black_box(&arq)))
    });
    group.bench_function("admissionRequest, encode", |b| b.iter(|| per::encode(black_box(&arq_value))));
    group.bench_function("a whole call, decode", |b| {
        b.iter(|| {
            for signal in &signals {
                black_box(CallSignal::decode(signal)).ok();
            }
            for control in &controls {
                black_box(per::decode::<MultimediaSystemControlMessage>(control)).ok();
            }
        });
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
