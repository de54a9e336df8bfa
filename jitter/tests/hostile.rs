//! Whatever comes in, whenever: a pull fills its block, and nothing panics or allocates.

mod common;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use common::{MS, Random, packets, playout, run, speech};
use offhook_codecs::CodecKind;
use offhook_jitter::{PacketKind, Playout, PlayoutConfig, PlayoutPacket};
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[derive(Debug, Clone)]
enum Step {
    Insert {
        sequence: u16,
        timestamp: u32,
        marker: bool,
        length: usize,
        arrival: u64,
        kind: PacketKind,
    },
    /// The packet that would come next, moved by little.
    Likely {
        skip: u16,
        length: usize,
        jitter: i64,
        kind: PacketKind,
    },
    Pull {
        now: u64,
        length: usize,
    },
    Later {
        by: u64,
        length: usize,
    },
    Reset,
    SetDecoder,
}

fn kind() -> impl Strategy<Value = PacketKind> {
    prop_oneof![
        8 => Just(PacketKind::Sound),
        1 => Just(PacketKind::Redundant),
        1 => Just(PacketKind::ComfortNoise),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (any::<u16>(), any::<u32>(), any::<bool>(), 0usize..1_500, any::<u64>(), kind()).prop_map(
            |(sequence, timestamp, marker, length, arrival, kind)| Step::Insert {
                sequence, timestamp, marker, length, arrival, kind
            }
        ),
        12 => (0u16..4, 0usize..400, -200_000_000i64..200_000_000, kind())
            .prop_map(|(skip, length, jitter, kind)| Step::Likely { skip, length, jitter, kind }),
        1 => (any::<u64>(), 0usize..2_000).prop_map(|(now, length)| Step::Pull { now, length }),
        12 => (0u64..60_000_000, 0usize..1_000).prop_map(|(by, length)| Step::Later { by, length }),
        1 => Just(Step::Reset),
        1 => Just(Step::SetDecoder),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_sequence_of_inserts_and_pulls_fills_every_block_without_panic_or_allocation(
        steps in prop::collection::vec(step(), 1..300),
        small in any::<bool>(),
    ) {
        let mut config = PlayoutConfig::for_codec(CodecKind::Pcmu);
        if small {
            config = PlayoutConfig { max_packets: 4, max_payload: 200, max_octets: 300, max_packet_ms: 10, ..config };
        }
        let mut playout = playout(config);
        let payload: Vec<u8> = (0..1_500u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut block = vec![0; 2_000];
        let (mut now, mut sequence, mut timestamp) = (1_000_000_000u64, 65_530u16, u32::MAX - 700);
        for step in steps {
            let insert = |playout: &mut Playout, sequence, timestamp, marker, length: usize, arrival_ns, kind| {
                let payload = &payload[..length];
                let packet = PlayoutPacket { kind, sequence, timestamp, marker, payload, arrival_ns };
                assert_no_alloc(|| playout.insert(packet))
            };
            let mut pull = |now, length: usize| {
                let block = &mut block[..length];
                let pulled = assert_no_alloc(|| playout.pull(now, block));
                assert_eq!((pulled.decoded + pulled.concealed + pulled.noise + pulled.silence) as usize, length);
            };
            match step {
                Step::Insert { sequence, timestamp, marker, length, arrival, kind } => {
                    insert(&mut playout, sequence, timestamp, marker, length, arrival, kind);
                }
                Step::Likely { skip, length, jitter, kind } => {
                    sequence = sequence.wrapping_add(skip);
                    timestamp = timestamp.wrapping_add(u32::from(skip) * length as u32);
                    let arrival = now.saturating_add_signed(jitter);
                    insert(&mut playout, sequence, timestamp, false, length, arrival, kind);
                }
                Step::Pull { now, length } => pull(now, length),
                Step::Later { by, length } => {
                    now += by;
                    pull(now, length);
                }
                Step::Reset => assert_no_alloc(|| playout.reset()),
                Step::SetDecoder => {
                    let decoder = CodecKind::Pcma.decoder().unwrap();
                    let old = assert_no_alloc(|| playout.set_decoder(decoder));
                    prop_assert!(old.is_ok());
                }
            }
        }
        let stats = playout.stats();
        prop_assert_eq!(
            stats.samples_total,
            stats.samples_decoded + stats.samples_concealed + stats.samples_noise + stats.samples_silence
        );
    }
}

#[test]
fn a_call_on_a_bad_network_does_not_allocate() {
    let source = speech(8_000 * 20);
    let mut random = Random(5);
    let arrivals = packets(&source, 160, (0, 0), |_| {
        (random.unit() > 0.05).then(|| 20 * MS + (random.unit().powi(4) * 150e6) as u64)
    });
    let mut receiver = playout(PlayoutConfig::for_codec(CodecKind::Pcmu));
    let mut block = [0; 80];
    let mut next = 0;
    for tick in 0..1_950 {
        let now = tick * 10 * MS;
        assert_no_alloc(|| {
            while let Some(arrival) = arrivals.get(next).filter(|arrival| arrival.arrival_ns <= now) {
                receiver.insert(PlayoutPacket {
                    sequence: arrival.sequence,
                    timestamp: arrival.timestamp,
                    kind: PacketKind::Sound,
                    marker: false,
                    payload: &arrival.payload,
                    arrival_ns: arrival.arrival_ns,
                });
                next += 1;
            }
            receiver.pull(now, &mut block);
        });
    }
    let stats = receiver.stats();
    assert!(stats.samples_concealed > 0 && stats.samples_expanded + stats.samples_accelerated > 0);
    // The same, by the common driver: the same counts.
    let again =
        run(&mut playout(PlayoutConfig::for_codec(CodecKind::Pcmu)), &arrivals, 19_500 * MS, 0.0, |_| 80);
    assert_eq!(again.stats, stats, "replays are exact");
}
