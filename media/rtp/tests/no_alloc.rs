//! The real-time half under an allocator that aborts: nothing is allocated or freed after construction.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_rtp::{PayloadTypes, Receipt, ReceiverConfig, RtpReceiver, RtpSender, SenderConfig};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn sending_and_receiving_never_touch_the_allocator() {
    let config = SenderConfig {
        ssrc: 0xFEED,
        first_sequence_number: 65_000,
        first_timestamp: u32::MAX - 1000,
        payload_type: 0,
        clock_rate: 8000,
    };
    let mut sender = RtpSender::new(config);
    let mut receiver = RtpReceiver::new(ReceiverConfig {
        payload_types: PayloadTypes::NONE.with(0).with(101),
        own_ssrc: Some(0xABCD),
        ..ReceiverConfig::default()
    });
    let payload = [0xD5_u8; 160];
    let mut held = [0_u8; 172];
    let accepted = assert_no_alloc(|| {
        let mut out = [0_u8; 172];
        let mut accepted = 0_u64;
        for tick in 0..5000_u64 {
            let now_ns = tick * 20_000_000;
            let Ok(len) = sender.packetize(&payload, 160, tick % 50 == 0, now_ns, &mut out) else { return 0 };
            // Loss, duplicates, reordering, strangers, malformed and runt datagrams, restarts, other sources.
            match tick % 11 {
                0 => {}
                1 => held.copy_from_slice(&out),
                2 => {
                    accepted +=
                        u64::from(matches!(receiver.receive(now_ns, &out[..len]), Receipt::Accept(_)));
                    accepted += u64::from(matches!(receiver.receive(now_ns, &held), Receipt::Accept(_)));
                    let _ = receiver.receive(now_ns, &held);
                }
                3 => {
                    out[8] ^= 0xFF;
                    let _ = receiver.receive(now_ns, &out);
                    let _ = receiver.receive(now_ns, &out[..1]);
                    let _ = receiver.receive(now_ns, &out[..7]);
                }
                _ => {
                    accepted += u64::from(matches!(receiver.receive(now_ns, &out[..len]), Receipt::Accept(_)))
                }
            }
            if tick == 2000 {
                sender.restart(SenderConfig { ssrc: 0xBEEF, ..config });
                receiver.expect_source_change();
            }
            if tick == 3000 {
                sender.restart(SenderConfig { ssrc: 0xBEEF, first_sequence_number: 9, ..config });
                receiver.set_format(PayloadTypes::ANY, 16_000);
                sender.set_format(9, 16_000);
                sender.skip(4711);
            }
            let _ = (sender.stats(), receiver.stats());
            let _ = sender.packetize(&payload, 160, false, now_ns, &mut out[..50]);
        }
        accepted
    });
    let stats = receiver.stats();
    assert!(accepted > 4000, "{accepted} accepted");
    assert_eq!((stats.sources, stats.restarts), (2, 1));
    assert!(stats.duplicates > 400 && stats.out_of_order > 400 && stats.runts > 400 && stats.malformed > 400);
}

#[test]
fn the_trap_is_alive() {
    // An allocation aborts the process, so the proof runs in a child of this very test.
    const CHILD: &str = "OFFHOOK_RTP_TRAP";
    if std::env::var_os(CHILD).is_some() {
        assert_no_alloc(|| std::hint::black_box(vec![1_u8]));
        return;
    }
    if !cfg!(debug_assertions) {
        return; // assert_no_alloc is a debug-build trap.
    }
    let this = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(this);
    let output = child.args(["--exact", "the_trap_is_alive"]).env(CHILD, "1").output().unwrap();
    assert!(!output.status.success());
}
