//! PDUs of a recorded H323Plus call: decode and encode, by layer.

use std::error::Error;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use offhook_wire::capture::{Capture, Direction};
use offhook_wire::h225::H323UserInformation;
use offhook_wire::h225_message::CallSignal;
use offhook_wire::h245::MultimediaSystemControlMessage;
use offhook_wire::per;
use offhook_wire::tpkt::TpktDecoder;

const CALL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../signaling/wire/tests/data/captures/h323plus-slow-tunnel.pcap");

/// The call's signalling messages, and the H.245 messages inside them.
fn recorded() -> Result<(Vec<Bytes>, Vec<Bytes>), Box<dyn Error>> {
    let capture = Capture::parse(&std::fs::read(CALL)?)?;
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

fn wire(c: &mut Criterion) {
    let (signals, controls) = match recorded() {
        Ok(recorded) => recorded,
        Err(error) => panic!("{CALL}: {error}"),
    };
    let setup = signals[0].clone();
    let signal = CallSignal::decode(&setup).unwrap();
    let uuie: H323UserInformation = signal.uuie.clone().unwrap();
    let uuie_octets = Bytes::from(per::encode(&uuie).unwrap());
    let tcs = controls.iter().max_by_key(|octets| octets.len()).unwrap().clone();
    let tcs_value: MultimediaSystemControlMessage = per::decode(&tcs).unwrap();

    let mut group = c.benchmark_group("wire");
    group.throughput(Throughput::Bytes(setup.len() as u64));
    group.bench_function("setup, Q.931 and UUIE, decode", |b| {
        b.iter(|| CallSignal::decode(black_box(&setup)))
    });
    group.bench_function("setup, Q.931 and UUIE, encode", |b| b.iter(|| black_box(&signal).encode()));
    group.throughput(Throughput::Bytes(uuie_octets.len() as u64));
    group.bench_function("setup, UUIE, decode", |b| {
        b.iter(|| per::decode::<H323UserInformation>(black_box(&uuie_octets)))
    });
    group.bench_function("setup, UUIE, encode", |b| b.iter(|| per::encode(black_box(&uuie))));
    group.throughput(Throughput::Bytes(tcs.len() as u64));
    group.bench_function("terminalCapabilitySet, decode", |b| {
        b.iter(|| per::decode::<MultimediaSystemControlMessage>(black_box(&tcs)))
    });
    group.bench_function("terminalCapabilitySet, encode", |b| b.iter(|| per::encode(black_box(&tcs_value))));
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
