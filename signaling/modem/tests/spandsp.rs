//! Against somebody else's modem: the AT interpreter of spandsp on a pseudo-terminal (`spandsp_modem.py`).
//!
//! It has no voice mode, so it is a `data` modem. Without Python or libspandsp2 (`make test-packages` installs it) the test
//! says so and passes.

mod support;

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use offhook_modem::{PortConfig, Profile};
use offhook_spi::{Party, Tspi};
use support::Desk;

struct Spandsp {
    child: Child,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    port: String,
}

impl Spandsp {
    fn start() -> Option<Self> {
        let python = std::env::var("OFFHOOK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/spandsp_modem.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(why) => return skip(&why.to_string()),
        };
        let orders = child.stdin.take().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = said.next().and_then(Result::ok).unwrap_or_default();
        if port.starts_with("/dev/") {
            return Some(Self { child, orders, said, port });
        }
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(77), "the script failed: {port}");
        skip(&port)
    }

    fn order(&mut self, what: &str) {
        writeln!(self.orders, "{what}").unwrap();
    }

    /// Reads on until the modem does this.
    fn does(&mut self, what: &str) {
        let found = self.said.by_ref().map_while(Result::ok).any(|said| said == what);
        assert!(found, "it never does {what:?}");
    }
}

impl Drop for Spandsp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn skip<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "no spandsp to talk to ({why}): CI must not skip");
    eprintln!("SKIPPED: no spandsp to talk to, so this test proves nothing here: {why}");
    None
}

#[test]
fn spandsps_modem_is_a_modem() {
    let Some(mut modem) = Spandsp::start() else { return };
    let voice = Desk::try_open(PortConfig::new(&modem.port)).unwrap();
    let told = voice.until("out of service");
    assert_eq!(told, ["out of service: the modem refuses AT+FCLASS=8: ERROR; it has no voice mode"]);
    voice.close();

    let desk = Desk::open(PortConfig { profile: Profile::Data, ..PortConfig::new(&modem.port) });
    let call = desk.dial("5551234").unwrap();
    assert_eq!(desk.until("Connected"), ["1 done", "Dialing", "Connected(Active)"]);
    modem.does("dials 5551234");
    desk.digits(call, "7");
    assert_eq!(desk.until("2 "), ["2 done"]);
    modem.does("dials 7");
    desk.drop_call(call);
    assert_eq!(desk.until("Idle"), ["3 done", "Idle"]);
    modem.does("on hook");
    desk.provider.line_close_call(call).unwrap();

    for (number, mode) in [("100", "Busy"), ("101", "NoDialtone"), ("102", "NoAnswer")] {
        let call = desk.dial(number).unwrap();
        let told = desk.until("Disconnected");
        assert_eq!(told.last().unwrap(), &format!("Disconnected({mode})"), "{number}");
        desk.end(call);
    }

    // Its caller id comes before the first ring.
    modem.order("ring 5550100");
    desk.until("Offering");
    let call = desk.incoming();
    let name = Some("SMITH JOHN".to_owned());
    assert_eq!(desk.info(call).caller, Party { address: "5550100".to_owned(), name });
    modem.order("ring-on");
    desk.answer(call);
    desk.until("Connected");
    modem.does("off hook");
    modem.order("hangup");
    assert_eq!(desk.until("Disconnected"), ["Disconnected(Normal)"]);
    desk.end(call);
    let registers = desk.runtime.block_on(desk.provider.command(0, "ATS0?")).unwrap();
    assert_eq!(registers, ["000"]);
    desk.close();
}
