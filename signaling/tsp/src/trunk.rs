//! One call signalling connection of several calls: its task, and the seats that the calls' tasks hold on it.
//!
//! ```text
//!   TCP ◀─▶ trunk's task, h323::Connection ◀─ octets, leave ─ Seat ─ messages ─▶ call's task, h323::Call
//! ```
//! In: a connection, orders of its calls. Out: messages for each call; new calls for Setups; octets.
//! A call that does not read keeps the connection waiting: nothing is queued without bound.
//! Not here: which message is whose, who may set up what (`h323::Connection`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    Call, CallSlot, Closed, Config, Connection as Demux, ConnectionEvent, Event, IncomingParams, Release,
    ReleaseReason, SignalMessage, TpktError,
};
use offhook_spi::{HdCall, HdLine, HtLine};
use tokio::sync::{mpsc, oneshot};

use crate::call::{self, Command};
use crate::connection::{Connection, Progress};
use crate::provider::Inner;

/// Messages that may wait for a call's task.
const MAX_WAITING: usize = 32;

/// How long a connection that we close may take to hand over what is queued.
const FINISH: Duration = Duration::from_secs(2);

/// What reaches a call over its seat.
pub(crate) enum Delivery {
    Message(Box<SignalMessage>),
    Garbled(TpktError),
    Closed(Closed),
}

enum Order {
    Place {
        reference: u16,
        call_identifier: [u8; 16],
        seat: oneshot::Sender<Seat>,
    },
    Send(CallSlot, Bytes),
    Leave(CallSlot),
    /// The provider shuts down: the connection waits for no more calls.
    Retire,
}

/// A call's place on a shared connection; dropped, the call has left it.
pub(crate) struct Seat {
    slot: CallSlot,
    orders: mpsc::UnboundedSender<Order>,
    deliveries: mpsc::Receiver<Delivery>,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// The connection was there before this call.
    pub(crate) reused: bool,
}

impl Seat {
    pub(crate) fn send(&self, octets: Bytes) {
        // A trunk that has ended has said so.
        let _ = self.orders.send(Order::Send(self.slot, octets));
    }

    pub(crate) async fn next(&mut self) -> Delivery {
        self.deliveries.recv().await.unwrap_or(Delivery::Closed(Closed::Failed))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Leave(self.slot));
    }
}

/// The provider's shared connections, and its calls that may come back on another one.
#[derive(Default)]
pub(crate) struct Trunks {
    /// Those that we made, by the address that we called.
    made: Mutex<Vec<(SocketAddr, mpsc::UnboundedSender<Order>)>>,
    accepted: Mutex<Vec<mpsc::UnboundedSender<Order>>>,
    /// Calls that survive the loss of their connection: whence they came.
    survivors: Mutex<HashMap<[u8; 16], (IpAddr, HdCall)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these; should it all the same, they are still whole.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Trunks {
    /// A seat on a connection to `address` that stands and takes one more call.
    pub(crate) async fn place(
        &self,
        address: SocketAddr,
        reference: u16,
        call_identifier: [u8; 16],
    ) -> Option<Seat> {
        let known: Vec<_> = {
            let mut made = lock(&self.made);
            made.retain(|(_, orders)| !orders.is_closed());
            made.iter().filter(|(to, _)| *to == address).map(|(_, orders)| orders.clone()).collect()
        };
        for orders in known {
            let (seat, seated) = oneshot::channel();
            if orders.send(Order::Place { reference, call_identifier, seat }).is_ok()
                && let Ok(seat) = seated.await
            {
                return Some(seat);
            }
        }
        None
    }

    /// No connection waits for calls any more.
    pub(crate) fn retire(&self) {
        for (_, orders) in std::mem::take(&mut *lock(&self.made)) {
            let _ = orders.send(Order::Retire);
        }
        self.retire_accepted();
    }

    /// Nobody takes calls: connections that were accepted bring no more.
    pub(crate) fn retire_accepted(&self) {
        for orders in std::mem::take(&mut *lock(&self.accepted)) {
            let _ = orders.send(Order::Retire);
        }
    }

    pub(crate) fn survive(&self, call_identifier: [u8; 16], host: IpAddr, call: HdCall) {
        lock(&self.survivors).insert(call_identifier, (host, call));
    }

    pub(crate) fn is_over(&self, call_identifier: [u8; 16], call: HdCall) {
        let mut survivors = lock(&self.survivors);
        if survivors.get(&call_identifier).is_some_and(|(_, known)| *known == call) {
            survivors.remove(&call_identifier);
        }
    }
}

/// Starts the task of a connection that we made, for a first call.
pub(crate) fn made(
    inner: &Arc<Inner>,
    connection: Connection,
    reference: u16,
    call_identifier: [u8; 16],
) -> Seat {
    let mut trunk = Trunk::new(inner, connection, None);
    let slot = trunk.demux.begin(reference, call_identifier);
    let seat = trunk.seat(slot, false);
    lock(&inner.trunks.made).push((seat.remote, trunk.orders.clone()));
    inner.runtime.spawn(trunk.run());
    seat
}

/// Starts the task of an accepted connection; the seat is for the call of the first Setup.
pub(crate) fn accepted(inner: &Arc<Inner>, connection: Connection, lines: (HdLine, HtLine)) -> Seat {
    let mut trunk = Trunk::new(inner, connection, Some(lines));
    let slot = trunk.demux.expect_setup();
    let seat = trunk.seat(slot, false);
    let mut accepted = lock(&inner.trunks.accepted);
    if accepted.len() == accepted.capacity() {
        accepted.retain(|orders| !orders.is_closed());
    }
    accepted.push(trunk.orders.clone());
    drop(accepted);
    inner.runtime.spawn(trunk.run());
    seat
}

struct Trunk {
    inner: Arc<Inner>,
    connection: Connection,
    demux: Demux,
    /// Whose new calls are; none on a connection that we made.
    lines: Option<(HdLine, HtLine)>,
    calls: HashMap<CallSlot, mpsc::Sender<Delivery>>,
    orders: mpsc::UnboundedSender<Order>,
    inbox: mpsc::UnboundedReceiver<Order>,
    gone: bool,
}

impl Trunk {
    fn new(inner: &Arc<Inner>, connection: Connection, lines: Option<(HdLine, HtLine)>) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        Self {
            inner: Arc::clone(inner),
            demux: Demux::new(&inner.config.call),
            connection,
            lines,
            calls: HashMap::new(),
            orders,
            inbox,
            gone: false,
        }
    }

    fn seat(&mut self, slot: CallSlot, reused: bool) -> Seat {
        let (deliver, deliveries) = mpsc::channel(MAX_WAITING);
        self.calls.insert(slot, deliver);
        let (local, remote) = (self.connection.local, self.connection.remote);
        Seat { slot, orders: self.orders.clone(), deliveries, local, remote, reused }
    }

    async fn run(mut self) {
        loop {
            self.carry_out().await;
            if self.gone || !self.demux.is_open() {
                break;
            }
            let deadline = self.demux.poll_timeout().map(|at| self.inner.deadline(at));
            tokio::select! {
                progress = self.connection.drive() => match progress {
                    Progress::Read(octets) => {
                        self.inner.tap_octets(self.connection.remote, self.connection.local, &octets);
                        self.demux.handle_bytes(&octets);
                    }
                    Progress::Closed(error) => {
                        self.lost(if error.is_some() { Closed::Failed } else { Closed::ByPeer });
                    }
                },
                Some(order) = self.inbox.recv() => self.obey(order),
                () = call::expire(deadline) => self.demux.handle_timeout(self.inner.now()),
            }
        }
        self.inner.gate.add_connection(self.demux.counters());
        self.inner.tap_closed(self.connection.local, self.connection.remote);
        // The calls learn it from their seats, whoever wants one from the channel that is closed.
        drop(self.inbox);
        if !self.gone {
            self.connection.finish(FINISH).await;
        }
    }

    fn lost(&mut self, why: Closed) {
        self.gone = true;
        self.inner.tap_closed(self.connection.remote, self.connection.local);
        self.demux.handle_closed(why);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Place { reference, call_identifier, seat } => {
                match self.demux.place(reference, call_identifier) {
                    Ok(slot) => {
                        self.inner.gate.counts.shared.add(1);
                        // Whoever waits no more drops the seat, and the call has left.
                        let _ = seat.send(self.seat(slot, true));
                    }
                    Err(why) => tracing::debug!(%why, "another connection is needed"),
                }
            }
            Order::Send(slot, octets) => self.demux.send(slot, octets),
            Order::Leave(slot) => {
                self.calls.remove(&slot);
                self.demux.leave(self.inner.now(), slot);
            }
            Order::Retire => self.demux.retire(),
        }
    }

    /// Everything that the connection wants done.
    async fn carry_out(&mut self) {
        loop {
            while let Some(octets) = self.demux.poll_transmit() {
                self.inner.tap_octets(self.connection.local, self.connection.remote, &octets);
                if let Err(error) = self.connection.send(&octets) {
                    tracing::info!(%error, "cannot send");
                    self.lost(Closed::Failed);
                }
            }
            let Some(event) = self.demux.poll_event() else { return };
            match event {
                ConnectionEvent::NewCall(slot, message) => self.new_call(slot, message).await,
                ConnectionEvent::Message(slot, message) => {
                    self.deliver(slot, Delivery::Message(message)).await
                }
                ConnectionEvent::Garbled(slot, error) => self.deliver(slot, Delivery::Garbled(error)).await,
                ConnectionEvent::Closed(slot, why) => {
                    self.deliver(slot, Delivery::Closed(why)).await;
                    self.calls.remove(&slot);
                }
                ConnectionEvent::Resumes(id, message) => self.resume(id, message),
                ConnectionEvent::Close => return,
                other => tracing::warn!(?other, "not acted on"),
            }
        }
    }

    async fn deliver(&mut self, slot: CallSlot, delivery: Delivery) {
        if let Some(call) = self.calls.get(&slot)
            && call.send(delivery).await.is_err()
        {
            // Its Leave is among the orders.
            self.calls.remove(&slot);
        }
    }

    async fn new_call(&mut self, slot: CallSlot, message: Box<SignalMessage>) {
        let host = self.connection.remote.ip();
        // H.323 7.3: the other side may call over our connection, too, if anybody takes calls here.
        let Some((hd, ht)) = self.lines.or_else(|| self.inner.taking_calls()) else {
            return self.refuse(slot, *message, Release::with_reason(ReleaseReason::NewConnectionNeeded));
        };
        if !self.inner.gate.in_rate(&self.inner.config, host, self.inner.now()) {
            return self.refuse(slot, *message, Release::with_reason(ReleaseReason::AdaptiveBusy));
        }
        let seat = self.seat(slot, true);
        let inner = Arc::clone(&self.inner);
        match call::seated(&inner, hd, ht, seat) {
            Ok(()) => {
                inner.gate.counts.shared.add(1);
                self.deliver(slot, Delivery::Message(message)).await;
            }
            Err(error) => {
                tracing::info!(%host, %error, "call refused");
                inner.gate.counts.calls.add(1);
                self.refuse(slot, *message, Release::with_reason(ReleaseReason::GatewayResources));
            }
        }
    }

    /// Says no to one Setup; the other calls go on.
    fn refuse(&mut self, slot: CallSlot, message: SignalMessage, release: Release) {
        let now = self.inner.now();
        let config = Config { call_proceeding: false, fast_start: false, ..self.inner.config.call.clone() };
        let params = IncomingParams {
            // Nothing random is said before a call stands.
            seed: 0,
            local_signal_address: Some(self.connection.local),
            remote_signal_address: self.connection.remote,
        };
        let mut machine = Call::incoming(config, params, now);
        machine.handle_message(now, message);
        while let Some(event) = machine.poll_event() {
            if matches!(event, Event::Setup(_)) {
                machine.release(now, release);
            }
        }
        while let Some(transmit) = machine.poll_transmit() {
            self.demux.send(slot, transmit.bytes);
        }
        self.calls.remove(&slot);
        self.demux.leave(now, slot);
    }

    /// A call that has lost its connection is looked for by its name, and must have come from the same host.
    fn resume(&mut self, call_identifier: [u8; 16], message: Box<SignalMessage>) {
        let host = self.connection.remote.ip();
        let known = lock(&self.inner.trunks.survivors).get(&call_identifier).copied();
        let Some(call) = known.filter(|(from, _)| *from == host).map(|(_, call)| call) else {
            return self.demux.disown(message);
        };
        match self.demux.resume(message) {
            Ok(slot) => {
                let seat = self.seat(slot, true);
                if self.inner.command(call, Command::Resume(seat)).is_ok() {
                    self.inner.gate.counts.resumed.add(1);
                }
            }
            Err(why) => tracing::info!(%why, "a call cannot go on here"),
        }
    }
}
