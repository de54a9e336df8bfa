//! A modem on a pseudo-terminal, told in a few lines.
//!
//! A modem's file has a line a command: the command, then what the modem does, between bars: `30ms` passes, `~text` is
//! said as it is (`\xNN` for an octet), anything else is a line of an answer. `COMMAND*` is any that begins so, `COMMAND 2`
//! the second time it is sent. What no line is for is answered with ERROR. The modem itself knows ATE, ATV, ATQ and their
//! combinations, echo, that any character breaks off ATD and ATA, and that voice mode ends with ATH.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg};

/// How long anything may take: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A modem that can be spoken to and pulled out.
pub(crate) struct Modem {
    /// What stands for the port as long as it is plugged in.
    pub(crate) port: PathBuf,
    orders: Sender<Order>,
    heard: Arc<Mutex<Vec<String>>>,
    /// Orders carried out so far.
    obeyed: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    /// A line of its own accord.
    Say(String),
    Octets(Vec<u8>),
    /// Answers nothing any more, or does again.
    Mute(bool),
    /// Its settings are gone: echo is back.
    Forget,
    Unplug,
    Plug,
}

impl Modem {
    /// Plugs in a modem of `tests/modems`.
    pub(crate) fn plug(kind: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let manners = Manners::read(match kind {
            "voice" => include_str!("../modems/voice.modem"),
            "data" => include_str!("../modems/data.modem"),
            "huawei" => include_str!("../modems/huawei.modem"),
            "simcom" => include_str!("../modems/simcom.modem"),
            _ => panic!("no modem {kind}"),
        });
        let unique =
            format!("offhook-modem-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let port = std::env::temp_dir().join(unique);
        let (orders, receiver) = mpsc::channel();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let obeyed = Arc::<AtomicU32>::default();
        let counter = Arc::clone(&obeyed);
        let line = Some(Line::plug(&port));
        let echo = manners.echo;
        let emulator = Emulator {
            manners,
            port: port.clone(),
            line,
            heard: Arc::clone(&heard),
            echo,
            mute: false,
            voice: false,
            command: Vec::new(),
            counts: HashMap::new(),
            doing: VecDeque::new(),
            breakable: false,
            due: Instant::now(),
        };
        let thread = std::thread::spawn(move || emulator.run(&receiver, &counter));
        Self { port, orders, heard, obeyed, thread: Some(thread) }
    }

    /// Gives an order; it is carried out when this returns.
    fn order(&self, order: Order) {
        let before = self.obeyed.load(Ordering::SeqCst);
        self.orders.send(order).unwrap();
        wait("an order", || self.obeyed.load(Ordering::SeqCst) > before);
    }

    /// Says a line by itself.
    pub(crate) fn say(&self, line: &str) {
        self.order(Order::Say(line.to_owned()));
    }

    pub(crate) fn octets(&self, octets: &[u8]) {
        self.order(Order::Octets(octets.to_vec()));
    }

    pub(crate) fn mute(&self, mute: bool) {
        self.order(Order::Mute(mute));
    }

    pub(crate) fn forget(&self) {
        self.order(Order::Forget);
    }

    pub(crate) fn unplug(&self) {
        self.order(Order::Unplug);
    }

    pub(crate) fn replug(&self) {
        self.order(Order::Plug);
    }

    /// The commands that it has heard so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until it has heard a command so many times.
    pub(crate) fn hears(&self, command: &str, times: usize) {
        wait(&format!("{command} in {:?}", self.heard()), || {
            self.heard().iter().filter(|heard| *heard == command).count() >= times
        });
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        // Its thread ends with the sender.
        self.orders = mpsc::channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.port);
    }
}

/// Waits for a condition.
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Clone)]
enum Doing {
    Wait(Duration),
    Say(Vec<u8>),
}

struct Manners {
    echo: bool,
    answers: Vec<(String, Vec<Doing>)>,
}

impl Manners {
    fn read(text: &str) -> Self {
        let lines: Vec<_> =
            text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        let echo = !lines.contains(&"noecho");
        let answers = lines.iter().filter(|line| line.starts_with("AT")).map(|line| {
            let (command, doings) = line.split_once("  ").unwrap_or_else(|| panic!("no answer in {line:?}"));
            (command.trim().to_owned(), doings.split('|').map(|doing| Self::doing(doing.trim())).collect())
        });
        Self { echo, answers: answers.collect() }
    }

    fn doing(text: &str) -> Doing {
        let time = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
        if let Some(ms) = time("ms") {
            return Doing::Wait(Duration::from_millis(ms));
        }
        if let Some(s) = time("s") {
            return Doing::Wait(Duration::from_secs(s));
        }
        match text.strip_prefix('~') {
            Some(raw) => Doing::Say(unescape(raw)),
            None => Doing::Say(line(text)),
        }
    }

    fn answer(&self, command: &str, count: usize) -> Option<&Vec<Doing>> {
        let nth = format!("{command} {count}");
        let fits = |(known, _): &&(String, Vec<Doing>)| {
            *known == nth
                || *known == command
                || known.strip_suffix('*').is_some_and(|k| command.starts_with(k))
        };
        self.answers.iter().find(fits).map(|(_, doings)| doings)
    }
}

fn line(text: &str) -> Vec<u8> {
    format!("\r\n{text}\r\n").into_bytes()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        octets.extend(before.as_bytes());
        octets.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    octets.extend(rest.as_bytes());
    octets
}

/// A pseudo-terminal: we are at the master's end.
struct Line {
    master: OwnedFd,
    /// Held so that the master never hears of a hang-up but ours.
    slave: OwnedFd,
}

impl Line {
    fn plug(port: &PathBuf) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut settings = termios::tcgetattr(&pty.slave).unwrap();
        termios::cfmakeraw(&mut settings);
        termios::tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).unwrap();
        let name = nix::unistd::ttyname(&pty.slave).unwrap();
        let _ = fs::remove_file(port);
        std::os::unix::fs::symlink(name, port).unwrap();
        Self { master: pty.master, slave: pty.slave }
    }
}

struct Emulator {
    manners: Manners,
    port: PathBuf,
    line: Option<Line>,
    heard: Arc<Mutex<Vec<String>>>,
    echo: bool,
    mute: bool,
    voice: bool,
    command: Vec<u8>,
    counts: HashMap<String, usize>,
    doing: VecDeque<Doing>,
    /// It dials or answers: any character breaks that off.
    breakable: bool,
    due: Instant,
}

impl Emulator {
    fn run(mut self, orders: &Receiver<Order>, obeyed: &AtomicU32) {
        loop {
            match orders.try_recv() {
                Ok(order) => {
                    self.obey(order);
                    obeyed.fetch_add(1, Ordering::SeqCst);
                }
                Err(mpsc::TryRecvError::Disconnected) => return,
                Err(mpsc::TryRecvError::Empty) => {}
            }
            self.go_on();
            self.listen();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Say(text) => self.write(&line(&text)),
            Order::Octets(octets) => self.write(&octets),
            Order::Mute(mute) => self.mute = mute,
            Order::Forget => self.echo = true,
            Order::Unplug => {
                let _ = fs::remove_file(&self.port);
                self.line = None;
                self.doing.clear();
                self.command.clear();
                self.voice = false;
            }
            Order::Plug => {
                self.echo = self.manners.echo;
                self.line = Some(Line::plug(&self.port));
            }
        }
    }

    fn write(&self, octets: &[u8]) {
        if let Some(line) = &self.line {
            let mut rest = octets;
            while !rest.is_empty() {
                match nix::unistd::write(&line.master, rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(_) => return,
                }
            }
        }
    }

    fn go_on(&mut self) {
        while Instant::now() >= self.due {
            match self.doing.pop_front() {
                Some(Doing::Wait(time)) => self.due = Instant::now() + time,
                Some(Doing::Say(octets)) => self.write(&octets),
                None => {
                    self.breakable = false;
                    return;
                }
            }
        }
    }

    fn listen(&mut self) {
        let Some(line) = &self.line else {
            std::thread::sleep(Duration::from_millis(2));
            return;
        };
        let mut fds = [PollFd::new(line.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(2u8)).unwrap_or(0) == 0 {
            return;
        }
        let mut octets = [0; 256];
        let count = nix::unistd::read(&line.master, &mut octets).unwrap_or(0);
        for octet in &octets[..count] {
            self.hear(*octet);
        }
    }

    fn hear(&mut self, octet: u8) {
        if self.mute {
            return;
        }
        if self.breakable {
            self.breakable = false;
            self.doing.clear();
            self.write(&line("NO CARRIER"));
            return;
        }
        if self.echo {
            self.write(&[octet]);
        }
        if octet != b'\r' {
            self.command.push(octet);
            return;
        }
        let command = String::from_utf8_lossy(&std::mem::take(&mut self.command)).trim().to_owned();
        // A line without AT is no command.
        let Some(at) = command.find("AT") else { return };
        let command = command[at..].to_owned();
        self.heard.lock().unwrap().push(command.clone());
        self.perform(&command);
    }

    fn perform(&mut self, command: &str) {
        if let Some(settings) = command.strip_prefix("AT").filter(|body| {
            !body.is_empty() && body.as_bytes().chunks(2).all(|c| b"EVQ".contains(&c[0]) && c.len() == 2)
        }) {
            for setting in settings.as_bytes().chunks(2) {
                if setting[0] == b'E' {
                    self.echo = setting[1] == b'1';
                }
            }
            self.write(&line("OK"));
            return;
        }
        let dials = command.starts_with("ATD") || command == "ATA";
        let has_voice = self.manners.answer("AT+FCLASS=8", 1).is_some();
        if dials && has_voice && !self.voice {
            self.write(&line("CONNECT 33600"));
            return;
        }
        match command {
            "AT+FCLASS=8" => self.voice = true,
            "ATH" => self.voice = false,
            _ => {}
        }
        let count = self.counts.entry(command.to_owned()).or_default();
        *count += 1;
        match self.manners.answer(command, *count) {
            Some(doings) => {
                self.doing = doings.iter().cloned().collect();
                // A semicolon ends dialling at once: nothing is left to break off after OK.
                self.breakable = dials && !command.ends_with(';');
                self.due = Instant::now();
            }
            None => self.write(&line("ERROR")),
        }
    }
}
