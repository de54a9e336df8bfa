//! One direction's frames: what is to be sent, in order, bounded, and again after a loss of connection.
//!
//! In: items (requests or events) and control frames, from any thread; acknowledgements. Out: a [`Frames`] stream, polled
//! by the connection that carries it. Nothing here waits or does I/O.
//!
//! ```text
//! push ─▶ [ waiting ] ─ poll ─▶ sent ─(kept until acknowledged, if the session survives its connection)─▶ gone
//!             ▲                   │
//!             └──── rewind ◀──────┘   a new connection: what the other side has not received
//! ```
//!
//! A connection holds a number; a newer one makes the frames of the older end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use prost::Message;
use tokio_stream::Stream;

/// What goes in one direction.
pub(crate) trait Direction: Sized + Send + 'static {
    /// What is numbered: requests, or events.
    type Item: Message + Clone + Send + 'static;
    /// What a frame holds: an item, or control.
    type What: Send + 'static;
    /// A frame.
    type Frame;

    fn item(item: Self::Item) -> Self::What;
    fn frame(sequence: u64, received: u64, what: Self::What) -> Self::Frame;

    /// Whether the newer of two control frames says all that the older does: they are of one kind.
    fn replaces(newer: &Self::What, older: &Self::What) -> bool;
}

/// The most that may wait to be sent or acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests or events.
    pub items: usize,
    /// Their octets, as encoded.
    pub octets: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { items: 8_192, octets: 16 << 20 }
    }
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

pub(crate) struct Pipe<D: Direction> {
    state: Mutex<State<D>>,
}

struct State<D: Direction> {
    bounds: Bounds,
    /// Whether what was sent is kept until it is acknowledged.
    keeps: bool,
    /// Items not acknowledged (if kept) or not sent; the first has the number `first`.
    items: VecDeque<(usize, D::Item)>,
    first: u64,
    /// How many of them were sent.
    sent: usize,
    octets: usize,
    /// One of each kind at most.
    control: Vec<D::What>,
    /// What is said last; after it the frames end.
    last: Option<Option<D::What>>,
    /// The highest number that has come from the other side, and the highest that it was told of.
    received: u64,
    told: u64,
    connection: u64,
    waker: Option<Waker>,
    moved: Instant,
}

impl<D: Direction> Pipe<D> {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                bounds,
                keeps: false,
                items: VecDeque::new(),
                first: 1,
                sent: 0,
                octets: 0,
                control: Vec::new(),
                last: None,
                received: 0,
                told: 0,
                connection: 0,
                waker: None,
                moved: Instant::now(),
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<D>> {
        // Every update below is complete before anything that can panic runs.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on what is sent is kept until it is acknowledged.
    pub(crate) fn keep(&self) {
        self.lock().keeps = true;
    }

    /// Queues an item. After the last word it goes nowhere.
    pub(crate) fn push(&self, item: D::Item) -> Result<(), Full> {
        let octets = item.encoded_len();
        let mut state = self.lock();
        if state.last.is_some() {
            return Ok(());
        }
        if state.items.len() >= state.bounds.items
            || state.octets.saturating_add(octets) > state.bounds.octets
        {
            return Err(Full);
        }
        if !state.waits() {
            state.moved = Instant::now();
        }
        state.octets += octets;
        state.items.push_back((octets, item));
        state.wake();
        Ok(())
    }

    /// Queues a control frame, which overtakes items. It takes the place of one of its kind that still waits, so that a
    /// peer that asks and does not read makes nothing grow.
    pub(crate) fn control(&self, what: D::What) {
        let mut state = self.lock();
        if !state.waits() {
            state.moved = Instant::now();
        }
        match state.control.iter_mut().find(|older| D::replaces(&what, older)) {
            Some(older) => *older = what,
            None => state.control.push(what),
        }
        state.wake();
    }

    /// Ends the frames: once all items are sent, or at once, which drops them.
    pub(crate) fn finish(&self, last: Option<D::What>, at_once: bool) {
        let mut state = self.lock();
        if state.last.is_none() {
            state.last = Some(last);
        }
        if at_once {
            state.items.clear();
            (state.sent, state.octets) = (0, 0);
        }
        state.wake();
    }

    /// An item of the other side has come with this number. `Ok(false)`: it had come before.
    pub(crate) fn receive(&self, sequence: u64) -> Result<bool, u64> {
        let mut state = self.lock();
        if sequence <= state.received {
            return Ok(false);
        }
        if sequence != state.received + 1 {
            return Err(state.received);
        }
        state.received = sequence;
        Ok(true)
    }

    /// The highest number that has come.
    pub(crate) fn received(&self) -> u64 {
        self.lock().received
    }

    /// How many items have come that the other side was not told of.
    pub(crate) fn untold(&self) -> u64 {
        let state = self.lock();
        state.received.saturating_sub(state.told)
    }

    /// The other side has received everything up to this number.
    pub(crate) fn acknowledged(&self, received: u64) {
        self.lock().acknowledged(received);
    }

    /// A new connection carries the frames, from the first item after `received` on.
    pub(crate) fn attach(self: &Arc<Self>, received: u64) -> Frames<D> {
        let mut state = self.lock();
        state.acknowledged(received);
        state.sent = 0;
        state.control.clear();
        state.connection += 1;
        state.moved = Instant::now();
        state.wake();
        Frames { pipe: self.clone(), connection: state.connection, over: false }
    }

    /// How long the other side has taken nothing though there is something.
    pub(crate) fn stuck(&self) -> Duration {
        let state = self.lock();
        if state.waits() { state.moved.elapsed() } else { Duration::ZERO }
    }
}

impl<D: Direction> State<D> {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether there is something to send.
    fn waits(&self) -> bool {
        self.items.len() > self.sent || !self.control.is_empty()
    }

    fn acknowledged(&mut self, received: u64) {
        while self.first <= received {
            let Some((octets, _)) = self.items.pop_front() else { break };
            self.octets = self.octets.saturating_sub(octets);
            self.sent = self.sent.saturating_sub(1);
            self.first += 1;
        }
    }

    /// The next frame, if there is one.
    fn next(&mut self) -> Option<D::Frame> {
        let (sequence, what) = if !self.control.is_empty() {
            (0, self.control.remove(0))
        } else if self.keeps {
            let item = self.items.get(self.sent)?.1.clone();
            let sequence = self.first + self.sent as u64;
            self.sent += 1;
            (sequence, D::item(item))
        } else {
            let (octets, item) = self.items.pop_front()?;
            self.octets = self.octets.saturating_sub(octets);
            let sequence = self.first;
            self.first += 1;
            (sequence, D::item(item))
        };
        self.moved = Instant::now();
        self.told = self.received;
        Some(D::frame(sequence, self.received, what))
    }
}

/// The frames of one connection.
pub(crate) struct Frames<D: Direction> {
    pipe: Arc<Pipe<D>>,
    connection: u64,
    over: bool,
}

impl<D: Direction> Frames<D> {
    /// The next frame, or the end.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<D::Frame>> {
        if self.over {
            return Poll::Ready(None);
        }
        let mut state = self.pipe.lock();
        if state.connection != self.connection {
            self.over = true;
            return Poll::Ready(None);
        }
        if let Some(frame) = state.next() {
            return Poll::Ready(Some(frame));
        }
        if let Some(last) = state.last.as_mut() {
            self.over = true;
            let what = last.take();
            let received = state.received;
            return Poll::Ready(what.map(|what| D::frame(0, received, what)));
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<D: Direction> Stream for Frames<D> {
    type Item = D::Frame;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    use super::{Bounds, Direction, Frames, Full, Pipe};
    use crate::proto as p;

    /// Numbers in place of requests.
    struct Counted;

    impl Direction for Counted {
        type Item = p::Ping;
        type What = (&'static str, u64);
        type Frame = (u64, u64, &'static str, u64);

        fn item(item: p::Ping) -> Self::What {
            ("item", item.sent)
        }

        fn frame(sequence: u64, received: u64, (what, value): Self::What) -> Self::Frame {
            (sequence, received, what, value)
        }

        fn replaces(newer: &Self::What, older: &Self::What) -> bool {
            newer.0 == older.0
        }
    }

    fn push(pipe: &Arc<Pipe<Counted>>, values: std::ops::Range<u64>) {
        for sent in values {
            assert_eq!(pipe.push(p::Ping { sent }), Ok(()));
        }
    }

    fn all(frames: &mut Frames<Counted>) -> (Vec<u64>, bool) {
        let mut seen = Vec::new();
        loop {
            match frames.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some((sequence, _, what, value))) => {
                    assert_eq!(sequence > 0, what == "item", "only items are numbered");
                    if what == "item" {
                        assert_eq!(sequence, value, "numbers follow one another");
                    }
                    seen.push(value);
                }
                Poll::Ready(None) => return (seen, true),
                Poll::Pending => return (seen, false),
            }
        }
    }

    #[test]
    fn after_a_loss_of_connection_everything_not_received_comes_again_and_nothing_else() {
        let pipe = Pipe::<Counted>::new(Bounds::default());
        pipe.keep();
        push(&pipe, 1..6);
        let mut first = pipe.attach(0);
        assert_eq!(all(&mut first), (vec![1, 2, 3, 4, 5], false));
        pipe.acknowledged(2);
        push(&pipe, 6..8);
        let mut second = pipe.attach(4);
        assert_eq!(all(&mut first), (vec![], true), "the old connection has ended");
        assert_eq!(all(&mut second), (vec![5, 6, 7], false));
        pipe.acknowledged(7);
        push(&pipe, 8..9);
        assert_eq!(all(&mut second), (vec![8], false));
    }

    #[test]
    fn what_comes_twice_is_known_and_what_is_missing_is_seen() {
        let pipe = Pipe::<Counted>::new(Bounds::default());
        assert_eq!(pipe.receive(1), Ok(true));
        assert_eq!(pipe.receive(2), Ok(true));
        assert_eq!(pipe.receive(1), Ok(false));
        assert_eq!(pipe.receive(4), Err(2));
        assert_eq!((pipe.received(), pipe.untold()), (2, 2));
    }

    #[test]
    fn a_reader_that_does_not_read_fills_the_pipe_and_no_more() {
        let pipe = Pipe::<Counted>::new(Bounds { items: 3, octets: 1_000 });
        push(&pipe, 1..4);
        assert_eq!(pipe.push(p::Ping { sent: 4 }), Err(Full));
        let mut frames = pipe.attach(0);
        assert_eq!(all(&mut frames), (vec![1, 2, 3], false));
        push(&pipe, 4..5);
        let pipe = Pipe::<Counted>::new(Bounds { items: 1_000, octets: 5 });
        push(&pipe, 1..3);
        assert_eq!(pipe.push(p::Ping { sent: 3 }), Err(Full), "two octets each");
    }

    #[test]
    fn answers_that_nobody_reads_do_not_pile_up_and_count_as_stuck() {
        let pipe = Pipe::<Counted>::new(Bounds::default());
        assert_eq!(pipe.stuck(), Duration::ZERO);
        for n in 1..=100_000 {
            pipe.control(("pong", n));
            pipe.control(("acknowledge", 7));
        }
        let before = Instant::now();
        while pipe.stuck() < Duration::from_millis(1) {
            assert!(before.elapsed() < Duration::from_secs(20), "nobody has taken anything");
        }
        assert_eq!(all(&mut pipe.attach(0)), (vec![], false), "an older connection's answers say nothing");
        let mut frames = pipe.attach(0);
        for n in 1..=100_000 {
            pipe.control(("pong", n));
            pipe.control(("acknowledge", 7));
        }
        assert_eq!(all(&mut frames), (vec![100_000, 7], false), "the newest of each kind");
        assert_eq!(pipe.stuck(), Duration::ZERO);
    }

    #[test]
    fn the_last_word_comes_after_what_waited_or_in_its_place() {
        let pipe = Pipe::<Counted>::new(Bounds::default());
        push(&pipe, 1..3);
        pipe.finish(Some(("farewell", 99)), false);
        push(&pipe, 7..8);
        assert_eq!(all(&mut pipe.attach(0)), (vec![1, 2, 99], true));
        let pipe = Pipe::<Counted>::new(Bounds::default());
        push(&pipe, 1..3);
        pipe.finish(Some(("farewell", 99)), true);
        assert_eq!(all(&mut pipe.attach(0)), (vec![99], true));
    }
}
