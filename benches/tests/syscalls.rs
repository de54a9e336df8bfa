//! The real-time side as the kernel sees it: in steady state it sleeps, reads and sends datagrams, and nothing else.
//! In: the program `legs` under strace, judged by `scripts/syscalls`. Out: which system call was one too many.

use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/syscalls");

/// Whether there is an strace that may trace. Missing it is said loudly, and in CI it is a failure.
fn can_trace() -> bool {
    let traces = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    if traces.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "strace is missing or may not trace: CI must not skip");
    eprintln!("SKIPPED: strace is not installed or may not trace, so this test proves nothing here");
    false
}

fn judge(arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new(SCRIPT).args(arguments).output().unwrap();
    let text = [stdout, stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned()).concat();
    println!("{text}");
    (status.success(), text)
}

#[test]
fn ticker_and_processors_only_sleep_read_and_send() {
    if !can_trace() {
        return;
    }
    let legs = env!("CARGO_BIN_EXE_legs");
    let (is_good, text) = judge(&[legs, "--legs", "4", "--seconds", "2", "--warm-up", "0.5", "--cards"]);
    assert!(is_good, "{text}");
    for expected in ["offhook-tick-0", "card-capture, between", "card-playback, between", "recvmsg", "sendto"]
    {
        assert!(text.contains(expected), "no {expected}: {text}");
    }
}

/// A judge that lets everything pass would prove nothing.
#[test]
fn the_judge_finds_a_lock_and_a_growing_heap() {
    let trace = |between: &str, ticker: &str| {
        format!(
            "1 prctl(PR_SET_NAME, \"offhook-tick-0\") = 0\n2 prctl(PR_SET_NAME, \"card-capture\") = 0\n\
             1 futex(0x1, FUTEX_WAIT_PRIVATE, 1, NULL) = 0\n3 write(1, \"steady\\n\", 7) = 7\n\
             1 clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, 1, NULL) = 0\n1 recvmsg(3, x, 0) = 172\n\
             {ticker}1 sendto(3, x, 172) = 172\n2 futex(0x1, FUTEX_WAKE_PRIVATE, 1) = 1\n2 getppid() = 1\n\
             2 recvmsg(4, x, 0 <unfinished ...>\n2 <... recvmsg resumed>) = 172\n2 sendto(4, x, 172) = 172\n\
             {between}2 getpgid(0) = 1\n2 clock_nanosleep(x) = 0\n3 write(1, \"done\\n\", 5) = 5\n1 brk(0x2) = 2\n"
        )
    };
    let scratch = std::env::temp_dir().join(format!("syscalls-{}.trace", std::process::id()));
    let judged = |text: String| {
        std::fs::write(&scratch, text).unwrap();
        judge(&["--judge", scratch.to_str().unwrap()])
    };
    assert!(judged(trace("", "")).0);
    let (is_good, text) = judged(trace("2 futex(0x1, FUTEX_WAIT_PRIVATE, 1, NULL) = 0\n", ""));
    assert!(!is_good && text.contains("forbidden: futex"), "{text}");
    let (is_good, text) = judged(trace("", "1 brk(0x5581) = 0x5581\n"));
    assert!(!is_good && text.contains("forbidden: brk"), "{text}");
    let (is_good, text) = judged(trace("2 clock_nanosleep(x) = 0\n", ""));
    assert!(!is_good && text.contains("card-capture"), "{text}");
    assert!(!judged(trace("", "").replace("done", "gone")).0, "a program that never ended");
    assert!(!judged(String::new()).0);
    assert!(Path::new(SCRIPT).exists() && std::fs::remove_file(&scratch).is_ok());
}
