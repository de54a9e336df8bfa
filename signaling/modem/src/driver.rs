//! One line's task: joins its machine to the serial port, the clock and the broker.
//!
//! In: [`Command`]s, octets, time. Out: octets, TSPI events.
//! Not here: any decision about the modem (`machine/`); who is told what of which call is the broker's.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use offhook_spi::{
    CallInfo, CallInfoChange, CallOrigin, CallReason, DigitMode, HdCall, HdLine, HtCall, HtLine,
    LineCallState, LineError, MediaTypes, RequestId, Timestamp,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_serial::{ClearBuffer, SerialPort, SerialStream};

use crate::caller_id::{Absence, CallerId};
use crate::config::PortConfig;
use crate::extension;
use crate::machine::{Event, Machine, Output};
use crate::port;
use crate::provider::Inner;

/// How long a line that closes may take to hang up.
const LEAVE: Duration = Duration::from_secs(3);

/// What is kept for a modem that does not take it; more is not sent.
const MAX_UNSENT: usize = 4096;

/// What the provider asks of a line's task.
pub(crate) enum Command {
    MakeCall {
        request: RequestId,
        call: HdCall,
        ht: HtCall,
        number: String,
        block_id: bool,
    },
    Accept(RequestId, HdCall),
    Answer(RequestId, HdCall),
    Drop(RequestId, HdCall),
    Digits(RequestId, HdCall, String),
    /// The broker has forgotten the call.
    Close(HdCall),
    /// Whether anybody wants calls that arrive.
    Listen(bool),
    /// An AT command of an application's.
    Raw(String, Asker),
}

/// Who waits for the answer to an AT command.
pub(crate) enum Asker {
    Here(oneshot::Sender<Result<Vec<String>, LineError>>),
    /// By the extension.
    Request(RequestId),
}

/// A line that begins.
pub(crate) struct Opened {
    pub(crate) line: (HdLine, HtLine),
    pub(crate) config: PortConfig,
    /// The port; without one it is opened as soon as the line before this one has let it go.
    pub(crate) port: Option<SerialStream>,
    /// Held as long as the port may be.
    pub(crate) turn: Arc<Mutex<()>>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}

/// Runs a line until the other end of its commands has gone and the modem has hung up.
pub(crate) async fn run(inner: Arc<Inner>, opened: Opened) {
    let Opened { line, config, port, turn, commands } = opened;
    let turn = turn.lock_owned().await;
    let mut driver = Driver {
        machine: Machine::new(config.clone()),
        inner,
        line,
        config,
        port,
        unsent: Vec::new(),
        call: None,
        raw: Vec::new(),
        last_raw: 0,
        closing: None,
    };
    if driver.port.is_some() {
        driver.machine.handle_opened(driver.inner.now());
    } else {
        driver.open();
    }
    driver.run(commands).await;
    let inner = Arc::clone(&driver.inner);
    // First the port is closed, then it is the next one's.
    drop(driver);
    drop(turn);
    inner.left(line.0);
}

struct Driver {
    inner: Arc<Inner>,
    line: (HdLine, HtLine),
    config: PortConfig,
    machine: Machine,
    port: Option<SerialStream>,
    unsent: Vec<u8>,
    /// The call that the machine's events are of.
    call: Option<(HdCall, HtCall)>,
    raw: Vec<(u64, Asker)>,
    last_raw: u64,
    /// The line closes; until then.
    closing: Option<Duration>,
}

impl Driver {
    async fn run(&mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            self.carry_out();
            let now = self.inner.now();
            if let Some(by) = self.closing
                && (by <= now || (self.machine.is_quiet() && self.unsent.is_empty()))
            {
                if by <= now {
                    self.close_port();
                }
                return;
            }
            let deadline = self.machine.poll_timeout().into_iter().chain(self.closing).min();
            let alarm = self.inner.deadline(deadline.unwrap_or(Duration::MAX));
            tokio::select! {
                command = commands.recv(), if self.closing.is_none() => match command {
                    Some(command) => self.obey(command),
                    None => {
                        self.closing = Some(now.saturating_add(LEAVE));
                        self.call = None;
                        self.machine.close(now);
                    }
                },
                heard = drive(self.port.as_mut(), &mut self.unsent) => {
                    let now = self.inner.now();
                    match heard {
                        Ok(octets) => {
                            tracing::trace!(port = self.config.port, octets = %octets.escape_ascii(), "heard");
                            self.machine.handle_bytes(now, &octets);
                        }
                        Err(why) => self.lost(now, &why),
                    }
                }
                () = sleep_until(alarm) => self.machine.handle_timeout(self.inner.now()),
            }
        }
    }

    /// Closes the port. What the modem has not taken is given up: the system would wait for it.
    fn close_port(&mut self) {
        self.unsent.clear();
        if let Some(port) = self.port.take()
            && let Err(error) = port.clear(ClearBuffer::Output)
        {
            tracing::debug!(port = self.config.port, %error, "not cleared");
        }
    }

    fn open(&mut self) {
        self.close_port();
        let now = self.inner.now();
        match port::open(&self.config) {
            Ok(port) => {
                self.port = Some(port);
                self.machine.handle_opened(now);
            }
            Err(why) => self.machine.handle_lost(now, &why),
        }
    }

    fn lost(&mut self, now: Duration, why: &io::Error) {
        self.port = None;
        self.unsent.clear();
        let why = match why.kind() {
            io::ErrorKind::UnexpectedEof => "the port has gone".to_owned(),
            _ => format!("the port has gone: {why}"),
        };
        tracing::warn!(port = self.config.port, why, "modem lost");
        self.machine.handle_lost(now, &why);
    }

    fn obey(&mut self, command: Command) {
        let now = self.inner.now();
        match command {
            Command::MakeCall { request, call, ht, number, block_id } => {
                self.call = Some((call, ht));
                self.machine.dial(now, request, &number, block_id);
            }
            Command::Accept(request, call) if self.is_current(call) => self.machine.accept(request),
            Command::Answer(request, call) if self.is_current(call) => self.machine.answer(now, request),
            Command::Drop(request, call) if self.is_current(call) => self.machine.drop_call(now, request),
            Command::Digits(request, call, digits) if self.is_current(call) => {
                self.machine.send_digits(now, request, &digits);
            }
            // Of a call that is over.
            Command::Accept(request, _)
            | Command::Answer(request, _)
            | Command::Drop(request, _)
            | Command::Digits(request, ..) => self.inner.complete(request, Err(LineError::InvalCallState)),
            Command::Close(call) => {
                if self.is_current(call) {
                    self.call = None;
                    self.machine.close_call(now);
                }
            }
            Command::Listen(listens) => self.machine.listen(listens),
            Command::Raw(command, answer) => {
                self.last_raw += 1;
                self.raw.push((self.last_raw, answer));
                self.machine.raw(now, self.last_raw, &command);
            }
        }
    }

    fn is_current(&self, call: HdCall) -> bool {
        self.call.is_some_and(|(current, _)| current == call)
    }

    /// Does what the machine wants.
    fn carry_out(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Transmit(octets) => {
                    tracing::trace!(port = self.config.port, octets = %octets.escape_ascii(), "said");
                    // A modem that takes nothing does not answer either: the machine will notice.
                    if self.unsent.len() + octets.len() <= MAX_UNSENT {
                        self.unsent.extend(octets);
                    }
                }
                Output::Dtr(on) => {
                    if let Some(port) = &mut self.port
                        && let Err(error) = port.write_data_terminal_ready(on)
                    {
                        tracing::debug!(port = self.config.port, %error, "no DTR");
                    }
                }
                Output::Close => self.close_port(),
                Output::Open => self.open(),
                Output::Event(event) => self.happened(event),
            }
        }
    }

    fn happened(&mut self, event: Event) {
        tracing::debug!(port = self.config.port, ?event);
        match event {
            Event::Service(state) => {
                self.inner.named(self.line.0, self.machine.name());
                if let Some(events) = self.inner.events() {
                    events.line_dev_state(self.line.1, state);
                }
            }
            Event::Complete(request, result) => self.inner.complete(request, result),
            Event::Answer(token, answer) => {
                if let Some(at) = self.raw.iter().position(|(of, _)| *of == token) {
                    match self.raw.swap_remove(at).1 {
                        // Whoever asked may have gone.
                        Asker::Here(sender) => drop(sender.send(answer)),
                        Asker::Request(request) => self.inner.answer(request, extension::answer(answer)),
                    }
                }
            }
            Event::Arrived(caller) => {
                let taken = self.arrived(&caller);
                self.machine.announced(taken);
            }
            Event::State(state) => {
                let Some((call, ht)) = self.call else { return };
                if state == LineCallState::Idle {
                    self.inner.over(self.line.0, call);
                }
                if let Some(events) = self.inner.may_name(call) {
                    events.call_state(self.line.1, ht, state, Timestamp::now());
                }
            }
            Event::Caller(caller) => {
                self.note(CallInfoChange::CallerId, |info| note_caller(info, &caller));
            }
            Event::Note(key, value) => self.note(CallInfoChange::Other, |info| set_id(info, key, &value)),
            Event::Digit(digit, held) => {
                if let Some((call, ht)) = self.call
                    && let Some(events) = self.inner.may_name(call)
                {
                    events.digit(self.line.1, ht, digit, DigitMode::InBand, held);
                }
            }
        }
    }

    /// Announces a call; answers whether it was taken.
    fn arrived(&mut self, caller: &CallerId) -> bool {
        let mut info = CallInfo::new(CallOrigin::Inbound, CallReason::Direct, MediaTypes::AUDIO);
        set_id(&mut info, "port", &self.config.port);
        note_caller(&mut info, caller);
        let Some(call) = self.inner.arrived(self.line.0, info) else { return false };
        match self.inner.events().and_then(|events| events.new_call(self.line.1, call)) {
            Some(ht) => {
                self.call = Some((call, ht));
                true
            }
            None => {
                self.inner.forget(call);
                false
            }
        }
    }

    fn note(&self, change: CallInfoChange, edit: impl FnOnce(&mut CallInfo)) {
        let Some((call, ht)) = self.call else { return };
        self.inner.edit(call, edit);
        if let Some(events) = self.inner.may_name(call) {
            events.call_info(self.line.1, ht, change);
        }
    }
}

/// Sends what is unsent and hears what comes; without a port it waits for ever.
async fn drive(port: Option<&mut SerialStream>, unsent: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let Some(port) = port else { return std::future::pending().await };
    poll_fn(|context| {
        while !unsent.is_empty() {
            match Pin::new(&mut *port).poll_write(context, unsent) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(sent)) => drop(unsent.drain(..sent.min(unsent.len()))),
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why)),
                Poll::Pending => break,
            }
        }
        let mut space = [0; 512];
        let mut heard = ReadBuf::new(&mut space);
        match Pin::new(&mut *port).poll_read(context, &mut heard) {
            Poll::Ready(Ok(())) if heard.filled().is_empty() => {
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            Poll::Ready(Ok(())) => Poll::Ready(Ok(heard.filled().to_vec())),
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn note_caller(info: &mut CallInfo, caller: &CallerId) {
    info.caller.address = caller.number.clone().unwrap_or_default();
    info.caller.name.clone_from(&caller.name);
    info.provider_ids.retain(|(key, _)| key != "callerId");
    match caller.absence {
        Some(Absence::Withheld) => set_id(info, "callerId", "withheld"),
        Some(Absence::Unavailable) => set_id(info, "callerId", "unavailable"),
        None => {}
    }
}

/// Sets one of the provider's own names for the call.
pub(crate) fn set_id(info: &mut CallInfo, key: &str, value: &str) {
    match info.provider_ids.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) => value.clone_into(known),
        None => info.provider_ids.push((key.to_owned(), value.to_owned())),
    }
}
