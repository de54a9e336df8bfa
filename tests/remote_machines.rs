//! The remote TSP between machines: network namespaces, real links, real processes (A6).
//!
//! ```text
//!   near 10.79.0.1 ──┐                     the application, its MSP, a broker that has only far's line
//!   far  10.79.0.2 ──┼── bridge (captured)  the broker with the H.323 line
//!   callee 10.79.0.3 ┘                     an H.323 telephone
//! ```
//!
//! Needs root, `ip` and tshark's `dumpcap`; without them the tests say loudly that they prove nothing.

mod common;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Process, Tested, offhook, run, tool, tshark};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Three machines on one network.
struct Network {
    tag: String,
}

fn sudo(args: &str) -> Tested {
    let status = Command::new("ip").args(args.split_whitespace()).stderr(Stdio::piped()).output()?;
    if status.status.success() {
        Ok(())
    } else {
        Err(format!("ip {args}: {}", String::from_utf8_lossy(&status.stderr).trim()).into())
    }
}

impl Network {
    /// None, loudly, where this machine does not let us: namespaces are root's.
    fn new(tag: &str) -> Result<Option<Self>, Box<dyn Error>> {
        if tool("ip", "-V").is_none() || tool("tshark", "--version").is_none() {
            return Ok(None);
        }
        let tag = format!("oh{}{tag}", std::process::id() % 10_000);
        let network = Self { tag };
        if let Err(why) = network.build() {
            eprintln!("SKIPPED: network namespaces cannot be made ({why}), so this test proves nothing here");
            return Ok(None);
        }
        Ok(Some(network))
    }

    fn space(&self, name: &str) -> String {
        format!("{}{name}", self.tag)
    }

    fn build(&self) -> Tested {
        let hub = self.space("h");
        sudo(&format!("netns add {hub}"))?;
        sudo(&format!("-n {hub} link add br0 type bridge"))?;
        sudo(&format!("-n {hub} link set br0 up"))?;
        for (number, name) in [(1, "n"), (2, "f"), (3, "c")] {
            let space = self.space(name);
            sudo(&format!("netns add {space}"))?;
            sudo(&format!("-n {hub} link add to-{name} type veth peer name eth0 netns {space}"))?;
            sudo(&format!("-n {hub} link set to-{name} master br0"))?;
            sudo(&format!("-n {hub} link set to-{name} up"))?;
            sudo(&format!("-n {space} addr add 10.79.0.{number}/24 dev eth0"))?;
            sudo(&format!("-n {space} link set eth0 up"))?;
            sudo(&format!("-n {space} link set lo up"))?;
        }
        Ok(())
    }

    /// A command on one of the machines.
    fn on(&self, name: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(name)]).arg(program).stdin(Stdio::null());
        command
    }

    fn offhook(&self, name: &str, args: &[&str]) -> Command {
        let mut command = self.on(name, Path::new(offhook().get_program()));
        command.args(args);
        command
    }

    /// Pulls a machine's plug, or puts it back.
    fn link(&self, name: &str, state: &str) -> Tested {
        sudo(&format!("-n {} link set to-{name} {state}", self.space("h")))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in ["n", "f", "c", "h"] {
            // What is not there need not go.
            let _ = sudo(&format!("netns del {}", self.space(name)));
        }
    }
}

fn until(process: &mut Process, fits: impl Fn(&Value) -> bool) -> Result<Value, Box<dyn Error>> {
    loop {
        let said = process.json()?;
        if fits(&said) {
            return Ok(said);
        }
    }
}

/// Brokers on two machines, the near one with the far one's line, and a telephone on the third.
struct Machines {
    far: Process,
    near: Process,
    callee: Process,
    socket: PathBuf,
    dir: tempfile::TempDir,
    capture: Process,
    pcap: PathBuf,
    // Last: what runs in it has gone by then.
    network: Network,
}

impl Machines {
    fn start(tag: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(network) = Network::new(tag)? else { return Ok(None) };
        let dir = tempfile::tempdir()?;
        let certs = dir.path().join("certs");
        let made = run(offhook().args(["tapisrv", "--make-certs"]).arg(&certs))?;
        assert!(made.status.success(), "{made:?}");
        let file = |name: &str| certs.join(name).display().to_string();
        let pcap = dir.path().join("bridge.pcap");
        let mut capture = network.on("h", Path::new("dumpcap"));
        capture.args(["-q", "-P", "-i", "br0", "-w"]).arg(&pcap).stderr(Stdio::null());
        let capture = Process::start(&mut capture)?;
        let tls = |name: &str| [file(&format!("{name}.pem")), file(&format!("{name}.key")), file("ca.pem")];
        let far_socket = dir.path().join("far.sock").display().to_string();
        let [certificate, key, ca] = tls("far");
        let mut far = Process::start(&mut network.offhook(
            "f",
            &[
                "tapisrv",
                "--json",
                "--socket",
                &far_socket,
                "--listen",
                "10.79.0.2:1720",
                "--remote-listen",
                "10.79.0.2:7740",
                "--tls-cert",
                &certificate,
                "--tls-key",
                &key,
                "--tls-ca",
                &ca,
            ],
        ))?;
        until(&mut far, |said| said["event"] == "listening")?;
        let socket = dir.path().join("near.sock");
        let [certificate, key, ca] = tls("near");
        let near_socket = socket.display().to_string();
        let mut near = Process::start(&mut network.offhook(
            "n",
            &[
                "tapisrv",
                "--json",
                "--no-h323",
                "--socket",
                &near_socket,
                "--remote",
                "far=10.79.0.2:7740",
                "--tls-cert",
                &certificate,
                "--tls-key",
                &key,
                "--tls-ca",
                &ca,
            ],
        ))?;
        until(&mut near, |said| said["event"] == "listening")?;
        let mut callee = Process::start(&mut network.offhook(
            "c",
            &[
                "answer",
                "--json",
                "--null",
                "--tone",
                "440",
                "--listen",
                "10.79.0.3:1720",
                "--media-timeout",
                "0",
            ],
        ))?;
        until(&mut callee, |said| said["event"] == "listening")?;
        Ok(Some(Self { far, near, callee, socket, dir, capture, pcap, network }))
    }

    /// A call over the far line by an application on the near machine.
    fn call(&self, record: &Path, duration: &str) -> Result<Process, Box<dyn Error>> {
        let (socket, record) = (self.socket.display().to_string(), record.display().to_string());
        let args = [
            "call",
            "10.79.0.3",
            "--json",
            "--tone",
            "440",
            "--record",
            &record,
            "--duration",
            duration,
            "--media-timeout",
            "0",
            "--socket",
            &socket,
            "--line",
            "far",
        ];
        Process::start(&mut self.network.offhook("n", &args))
    }
}

fn loud(path: &Path) -> Result<(usize, usize), Box<dyn Error>> {
    let samples = common::samples(path)?;
    // A tenth of a second with a tone in it.
    let blocks = samples.chunks(800).filter(|block| block.iter().any(|s| s.unsigned_abs() > 500)).count();
    Ok((blocks, samples.len() / 800))
}

#[test]
fn signalling_leaves_the_far_machine_and_sound_the_near_one() -> Tested {
    let Some(mut machines) = Machines::start("a")? else { return Ok(()) };
    let record = machines.dir.path().join("heard.wav");
    let mut call = machines.call(&record, "3")?;
    let (said, code) = call.end(PATIENCE)?;
    let report: Value = serde_json::from_str(said.trim())?;
    assert_eq!((code, &report["connected"]), (Some(0), &Value::Bool(true)), "{report}");
    let (heard, of) = loud(&record)?;
    assert!(heard * 10 >= of * 8 && of >= 20, "{heard} of {of} blocks have the tone");
    machines.capture.interrupt()?;
    machines.capture.end(PATIENCE)?;

    let pairs = |filter: &str| -> Result<Vec<(String, String)>, Box<dyn Error>> {
        let rows = tshark(&machines.pcap, filter, &["ip.src", "ip.dst"])?;
        let mut pairs: Vec<_> = rows
            .iter()
            .filter_map(|row| row.split_once('\t'))
            .map(|(from, to)| if from < to { (from, to) } else { (to, from) })
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        pairs.sort();
        pairs.dedup();
        Ok(pairs)
    };
    let pair = |a: &str, b: &str| vec![(format!("10.79.0.{a}"), format!("10.79.0.{b}"))];
    assert_eq!(
        pairs("tcp.port == 1720 and tcp.len > 0")?,
        pair("2", "3"),
        "H.225.0 is between far and callee"
    );
    assert_eq!(pairs("udp and udp.length > 100")?, pair("1", "3"), "sound is between near and callee");
    assert_eq!(pairs("tcp.port == 7740")?, pair("1", "2"), "near and far talk by the contract alone");
    let signalling = tshark(&machines.pcap, "h225.setup_element", &["ip.src"])?;
    assert_eq!(signalling, ["10.79.0.2"], "one Setup, from far");
    let plain =
        tshark(&machines.pcap, "tcp.port == 7740 and frame contains \"10.79.0.3\"", &["frame.number"])?;
    assert!(plain.is_empty(), "nothing of the contract can be read on the wire");
    let _ = (&machines.far, &machines.near, &machines.callee);
    Ok(())
}

#[test]
fn a_call_survives_three_seconds_without_its_broker_and_goes_on_sounding() -> Tested {
    let Some(machines) = Machines::start("b")? else { return Ok(()) };
    let record = machines.dir.path().join("heard.wav");
    let began = Instant::now();
    let mut call = machines.call(&record, "9")?;
    std::thread::sleep(Duration::from_secs(3));
    machines.network.link("f", "down")?;
    std::thread::sleep(Duration::from_secs(3));
    machines.network.link("f", "up")?;
    let (said, code) = call.end(PATIENCE)?;
    let report: Value = serde_json::from_str(said.trim())?;
    assert_eq!((code, &report["connected"]), (Some(0), &Value::Bool(true)), "{report}");
    assert!(began.elapsed() > Duration::from_secs(9), "it was not cut short: {report}");
    let (heard, of) = loud(&record)?;
    assert!(
        of >= 80 && heard * 10 >= of * 9,
        "{heard} of {of} blocks have the tone: it was heard all the while"
    );
    Ok(())
}

#[test]
fn a_longer_loss_releases_the_call_on_both_sides_with_temp_failure() -> Tested {
    let Some(mut machines) = Machines::start("c")? else { return Ok(()) };
    let record = machines.dir.path().join("heard.wav");
    let mut call = machines.call(&record, "300")?;
    std::thread::sleep(Duration::from_secs(3));
    assert!(call.is_running(), "mid-call");
    machines.network.link("f", "down")?;
    // Six seconds to notice, ten to wait.
    let (said, _) = call.end(PATIENCE)?;
    let report: Value = serde_json::from_str(said.trim())?;
    assert_eq!(report["connected"], true, "{report}");
    assert_eq!(report["ended"], "disconnected (tempfailure)", "{report}");
    let left = until(&mut machines.far, |said| said["event"] == "client" && said["what"] == "left")?;
    assert!(left["why"].as_str().is_some_and(|why| why.starts_with("not back within 10 s")), "{left}");
    machines.network.link("f", "up")?;
    // The far broker has dropped the call: the callee hears it, if late.
    let ended = until(&mut machines.callee, |said| said["event"] == "call")?;
    assert_eq!(ended["connected"], true, "{ended}");
    Ok(())
}

#[test]
fn a_machine_without_a_certificate_of_the_ca_is_refused() -> Tested {
    let Some(machines) = Machines::start("d")? else { return Ok(()) };
    let other = machines.dir.path().join("others");
    run(offhook().args(["tapisrv", "--make-certs"]).arg(&other))?;
    let file = |dir: &Path, name: &str| dir.join(name).display().to_string();
    let socket = machines.dir.path().join("stranger.sock").display().to_string();
    let ours = machines.dir.path().join("certs");
    let mut stranger = Process::start(&mut machines.network.offhook(
        "n",
        &[
            "tapisrv",
            "--json",
            "--no-h323",
            "--socket",
            &socket,
            "--remote",
            "far=10.79.0.2:7740",
            "--tls-cert",
            &file(&other, "near.pem"),
            "--tls-key",
            &file(&other, "near.key"),
            "--tls-ca",
            &file(&ours, "ca.pem"),
        ],
    ))?;
    let said = stranger.json()?;
    assert_eq!(said["event"], "providerUnavailable", "{said}");
    Ok(())
}
