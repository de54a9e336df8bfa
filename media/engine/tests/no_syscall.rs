//! The processors under a filter that kills the process at any system call: no lock that waits or wakes (a futex), no
//! memory from the kernel (brk, mmap, munmap), no sleep, no output.
//!
//! A filter cannot be taken off a thread again, so each scenario runs in a process of its own: this binary once more. A
//! lock that nobody else holds makes no system call; that real-time code names none is for the eye, and for
//! `rt_names_no_lock` below.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod support;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_codecs::{Cadence, CodecKind};
use offhook_engine::simulate::{LinkConfig, Party, link};
use offhook_engine::{
    BusConfig, EngineConfig, Gain, PcmConfig, RxCommand, RxFormat, ToneSource, TxCommand, TxFormat, bus,
    echo, packet_injector, packet_tap, pcm_sink, pcm_source,
};
use offhook_rtp::PayloadTypes;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use support::{MS, Setup, World, at, speech};

/// Names the scenario to the child.
const SCENARIO: &str = "OFFHOOK_ENGINE_UNDER_FILTER";
/// How a child tells that no filter can be had here.
const NO_FILTER: i32 = 77;
/// What a child says at the end. Leaving takes system calls of its own, which it need not survive.
const SURVIVED: &str = "all done under the filter";
const ANNA: &str = "192.0.2.1:5004";
const BERT: &str = "192.0.2.2:5004";

/// From here on this thread may say something and leave, and nothing else.
fn enter_filter() {
    let allowed = [libc::SYS_write, libc::SYS_exit_group];
    let rules: BTreeMap<i64, _> = allowed.into_iter().map(|call| (call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    if let Err(why) = seccompiler::apply_filter(&program) {
        println!("no filter: {why}");
        std::process::exit(NO_FILTER);
    }
}

/// Runs `scenario` of the test named `test` in a process of its own; `None`, loudly, if no filter can be had.
fn child(test: &str, scenario: &str) -> Option<(ExitStatus, String)> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(SCENARIO, scenario)
        .output()
        .unwrap();
    if output.status.code() == Some(NO_FILTER) {
        assert!(std::env::var_os("CI").is_none(), "no system call filter in CI");
        eprintln!("SKIPPED: this system has no filters of system calls (seccomp)");
        return None;
    }
    let told = [output.stdout, output.stderr].concat();
    Some((output.status, String::from_utf8_lossy(&told).into_owned()))
}

/// A conference of three calls with everything in it; the control side did its part beforehand and stands still.
fn everything() -> World {
    let mut world = World::new();
    let (mut control, processor) = bus(BusConfig::new(16_000));
    for n in 0..3u32 {
        let there = LinkConfig {
            delay_ns: 20 * MS,
            jitter_ns: 50 * MS,
            loss: 0.08,
            duplicates: 0.05,
            seed: u64::from(n),
            ..LinkConfig::perfect(at(ANNA))
        };
        let (a_tx, b_rx, _) = link(&world.clock, there);
        let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
        let config = EngineConfig { commands: 128, commands_per_block: 1, ..EngineConfig::new(8_000) };
        let anna = Setup { config, ..Setup::new(speech(8, n), BERT, 2 * n + 1) };
        let bert = Setup { config, ..Setup::new(speech(8, n + 7), ANNA, 2 * n + 2) };
        world.add(anna, (a_tx, a_rx), Party::default());
        world.add(bert, (b_tx, b_rx), Party { phase_ns: 3 * MS, ..Party::default() });
        let port = control.join(8_000, Gain::from_db(-2.0)).unwrap();
        let config = PcmConfig { sample_rate: 48_000, ..PcmConfig::new(8_000) };
        let (mut writer, app) = pcm_source(config).unwrap();
        writer.write(&vec![900; 5_000]);
        let (reader, tap) = pcm_sink(config).unwrap();
        let (heard, said) = echo(160);
        let end = &mut world.ends[2 * n as usize + 1].control;
        end.add_sink(port.sink).ok().unwrap();
        end.add_sink(Box::new(heard)).ok().unwrap();
        end.add_sink(tap).ok().unwrap();
        let tone = Box::new(ToneSource::new(8_000, Cadence::BUSY));
        for source in [port.source, app, Box::new(said), tone] {
            let id = end.add_source(source, Gain::UNITY).ok().unwrap();
            end.tx(TxCommand::SetSourceGain(id, Gain::from_db(-9.0))).unwrap();
            if n == 1 {
                end.remove_source(id).unwrap();
            }
        }
        let (packets, tap) = packet_tap(8);
        end.tx(TxCommand::SetPacketTap(tap)).unwrap();
        let (_own, injector) = packet_injector(8);
        for command in [
            TxCommand::Stop,
            TxCommand::Start,
            TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcma, 8, 30).unwrap())),
            TxCommand::SetPacketInjector(injector),
            TxCommand::ClearPacketInjector,
        ] {
            end.tx(command).unwrap();
        }
        for command in [
            RxCommand::Stop,
            RxCommand::Start,
            RxCommand::SetDecoder(CodecKind::Pcma.decoder().unwrap(), PayloadTypes::NONE.with(8)),
            RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcmu, 0).unwrap())),
            RxCommand::SetSpeaker(Gain::from_db(-3.0)),
        ] {
            end.rx(command).unwrap();
        }
        // Kept, but nobody reads or writes: everything runs full or dry.
        std::mem::forget((writer, reader, packets));
    }
    world.driver.add_bus(processor, Party { phase_ns: 3 * MS, ..Party::default() });
    std::mem::forget(control);
    world
}

#[test]
fn a_conference_makes_no_system_call() {
    if std::env::var(SCENARIO).is_ok() {
        let mut world = everything();
        let mut pcm = [0i16; 320];
        enter_filter();
        for _ in 0..2_000 {
            world.driver.step();
        }
        // As a card's callbacks would call them.
        if let Some(leg) = world.driver.leg(0)
            && let (Some(rx), Some(tx)) = (&mut leg.rx, &mut leg.tx)
        {
            for _ in 0..500 {
                rx.process(0, &mut pcm);
                tx.process(0, &pcm);
            }
        }
        let done = world.ends.iter().all(|end| end.control.is_settled());
        println!("{SURVIVED}, settled {done}");
        std::process::exit(0);
    }
    let Some((status, told)) = child("a_conference_makes_no_system_call", "conference") else { return };
    assert!(told.contains(&format!("{SURVIVED}, settled true")), "{status}: {told}");
}

#[test]
fn the_detector_sees_a_lock_that_waits_a_sleep_and_memory_from_the_kernel() {
    if let Ok(scenario) = std::env::var(SCENARIO) {
        let shared = Arc::new(Mutex::new(()));
        let _held = shared.lock().unwrap();
        let other = Arc::clone(&shared);
        std::thread::spawn(move || {
            enter_filter();
            match scenario.as_str() {
                "lock" => drop(other.lock()),
                "sleep" => std::thread::sleep(Duration::from_nanos(1)),
                "memory" => drop(std::hint::black_box(vec![1u8; 1 << 26])),
                _ => {}
            }
            println!("{SURVIVED}");
            std::process::exit(0);
        })
        .join()
        .unwrap();
    }
    for (scenario, is_killed) in [("lock", true), ("sleep", true), ("memory", true), ("nothing", false)] {
        let test = "the_detector_sees_a_lock_that_waits_a_sleep_and_memory_from_the_kernel";
        let Some((status, told)) = child(test, scenario) else { return };
        assert_eq!(told.contains(SURVIVED), !is_killed, "{scenario}: {status}: {told}");
        assert!(!is_killed || status.signal() == Some(libc::SIGSYS), "{scenario}: {status}: {told}");
    }
}

/// A lock that is free makes no system call, so the filter above does not see it: no file of the real-time side names
/// one, nor anything else that waits or writes.
#[test]
fn rt_names_no_lock() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rt");
    let forbidden = [
        "Mutex",
        "RwLock",
        "Condvar",
        "OnceLock",
        "LazyLock",
        "mpsc",
        "Barrier",
        "park",
        "println!",
        "eprintln!",
        "tracing",
        "std::fs",
        "std::io",
    ];
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests may; comments may say what is not done.
        let code = text.split("\nmod tests").next().unwrap_or_default();
        for (n, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for word in forbidden {
                assert!(!line.contains(word), "{}:{}: {word}", path.display(), n + 1);
            }
        }
        files += 1;
    }
    assert!(files > 15, "{files} files");
}
