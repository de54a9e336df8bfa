//! Tools that tests compare with. One that is missing is said loudly, and is a failure in CI.
//! Not here: what is compared.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says that a test proves nothing here, and why; fails where the environment has `CI`.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must not skip: {why}");
    // Not eprintln!, which the test harness would swallow.
    let line = format!("SKIPPED: {why}, so this test proves nothing here\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
}

/// The Python that has pycrate.
pub fn python() -> Option<PathBuf> {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    let python = std::env::var_os("OFFHOOK_PYTHON").map_or(environment, PathBuf::from);
    let has = Command::new(&python).args(["-c", "import pycrate_asn1dir"]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!("{} has no pycrate (make venv)", python.display()));
    None
}

/// Whether there is tshark.
pub fn has_tshark() -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip("tshark is not installed");
    }
    found
}

/// What tshark says of a capture.
pub fn tshark(capture: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tshark").arg("-r").arg(capture).args(arguments).output().expect("tshark runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Feeds `input` to a process and returns what it prints. Both at once, since both may be long.
pub fn pipe(command: &mut Command, input: String) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the process starts");
    let mut into = child.stdin.take().expect("its input");
    let writer = std::thread::spawn(move || into.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the process ends");
    writer.join().expect("no panic").expect("the process reads all");
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).expect("text")
}
