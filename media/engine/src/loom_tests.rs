//! The wait-free protocols under every interleaving and every value that a weak memory may show (`make loom`).
//! In: the real command ring, trash ring, sending half, meter slots and card's cell, over rings and cells that loom can
//! see into (`sync.rs`).
//! Out: failures, each with the interleaving that leads to it.
//! Not here: what happens on the machine at hand (the other tests, under `make tsan` as well).
//!
//! Every object that travels is a [`Witness`]: loom fails if an end touches it whose thread has not seen the last touch
//! of the other, as it would for plain memory. What was tried to see these tests fail is in `docs/realtime.md`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::atomic::Ordering::Relaxed;

use loom::sync::atomic::AtomicUsize;
use loom::thread;
use offhook_codecs::CodecKind;

use crate::board::{Board, Pen, Words};
use crate::command::{CommandReceiver, CommandRing, TxCommand, TxFormat, commands};
use crate::config::EngineConfig;
use crate::control::{NodeError, split};
use crate::rt::driven::Driven;
use crate::rt::gain::Gain;
use crate::rt::node::{Sink, Source};
use crate::trash::{Trash, TrashBin, TrashHeap, trash};

/// Every interleaving with at most `preemptions` unforced changes of thread, of which there must be `least`: a model
/// that explores nothing proves nothing.
fn model(preemptions: usize, least: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound = Some(preemptions);
    let runs = Arc::new(Tally::new(0));
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        test();
    });
    let runs = runs.load(Relaxed);
    println!("{runs} interleavings");
    assert!(runs >= least, "{runs} interleavings");
}

/// Words of a thread's stack. Loom's usual 4096 hold no whole engine of an unoptimised build.
const STACK: usize = 1 << 16;

/// A thread with room for an engine.
fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().stack_size(STACK).spawn(run).unwrap()
}

/// What became of the witnesses of one run. Counts of the standard library: loom does not see them, they order nothing.
#[derive(Default)]
struct Fate {
    dropped: Tally,
}

/// An object that belongs to one side at a time and dies with control.
struct Witness {
    memory: AtomicUsize,
    control: thread::ThreadId,
    fate: Arc<Fate>,
}

impl Witness {
    /// Made by control.
    fn new(fate: &Arc<Fate>) -> Box<Witness> {
        let memory = AtomicUsize::new(0);
        Box::new(Witness { memory, control: thread::current().id(), fate: Arc::clone(fate) })
    }

    fn touch(&mut self) {
        self.memory.with_mut(|touches| *touches += 1);
    }
}

impl Source for Witness {
    fn fill(&mut self, _captured_ns: u64, out: &mut [i16]) -> usize {
        self.touch();
        out.len()
    }
}

impl Sink for Witness {
    fn write(&mut self, _played_ns: u64, _block: &[i16]) {
        self.touch();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.touch();
        assert_eq!(thread::current().id(), self.control, "dropped in real time");
        self.fate.dropped.fetch_add(1, Relaxed);
    }
}

/// An engine that has room for next to nothing, so that every ring is full at some time.
fn small() -> EngineConfig {
    EngineConfig {
        max_block: 2,
        max_packet_ms: 1,
        max_datagram: 64,
        commands: 1,
        commands_per_block: 2,
        max_nodes: 2,
        ..EngineConfig::new(8_000)
    }
}

#[test]
fn loom_every_source_goes_in_and_comes_out_once_and_is_dropped_by_control() {
    model(3, 100, || spawn(sources_come_and_go).join().unwrap());
}

fn sources_come_and_go() {
    let fate = Arc::new(Fate::default());
    let (mut control, mut tx, _rx) = split(small());
    let format = TxFormat::new(CodecKind::Pcmu, 0, 20).unwrap();
    // Before the two part: this is not what is looked at.
    for command in [TxCommand::SetFormat(Box::new(format)), TxCommand::Start] {
        assert!(control.tx(command).is_ok());
        tx.process_without_input(0, 1);
    }
    let real_time = spawn(move || {
        for _ in 0..3 {
            tx.process_without_input(0, 1);
        }
        tx
    });
    let mut made = 0;
    let mut inside = Vec::new();
    for _ in 0..2 {
        made += 1;
        match control.add_source(Witness::new(&fate), Gain::UNITY) {
            Ok(id) => inside.push(id),
            Err(NodeError::RingFull(source)) => drop(source),
            Err(NodeError::TooMany { .. }) => unreachable!("there is room for two"),
        }
        if let Some(id) = inside.first()
            && control.remove_source(*id).is_ok()
        {
            inside.remove(0);
        }
    }
    control.collect();
    let mut tx = real_time.join().unwrap();
    // What is still in a ring is carried out by whoever drives the half now.
    for id in inside {
        while control.remove_source(id).is_err() {
            tx.process_without_input(0, 1);
        }
    }
    // Those that were heard fade first; the trash ring holds one at a time, its slot another.
    for _ in 0..2 {
        tx.process_without_input(0, 64);
        control.collect();
    }
    assert_eq!(fate.dropped.load(Relaxed), made);
    drop(tx);
    assert_eq!(fate.dropped.load(Relaxed), made, "nothing was left inside, nothing came out twice");
}

/// The loop that both processors begin a block with, over orders that retire what they carry.
fn obey(orders: &mut CommandReceiver<Box<Witness>>, bin: &mut TrashBin) {
    while bin.has_room() {
        let Some(mut object) = orders.next() else { return };
        object.touch();
        bin.retire(Trash::Tap(object));
    }
}

#[test]
fn loom_a_full_trash_ring_holds_orders_back_and_loses_none() {
    model(3, 100, || {
        let fate = Arc::new(Fate::default());
        let (mut sender, mut orders) = commands(2, CommandRing::Receive);
        let (mut bin, mut heap) = trash(1);
        for _ in 0..2 {
            assert!(sender.send(Witness::new(&fate)).is_ok());
        }
        let real_time = thread::spawn(move || {
            obey(&mut orders, &mut bin);
            obey(&mut orders, &mut bin);
            (orders, bin)
        });
        let mut emptied = heap.empty();
        let third = sender.send(Witness::new(&fate));
        emptied += heap.empty();
        let (orders, bin) = real_time.join().unwrap();
        emptied += heap.empty();
        assert!(emptied <= 3 && fate.dropped.load(Relaxed) == emptied);
        // The rest is in the command ring, in the bin's slot, or was given back.
        drop((sender, orders, bin));
        drop(third.map_err(|full| full.value));
        assert_eq!(heap.empty(), 0);
        assert_eq!(fate.dropped.load(Relaxed), 3);
    });
}

/// A snapshot whose two words are always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Twice(u64, u64);

impl Words for Twice {
    fn put(&self, pen: &mut impl Pen) {
        pen.put(self.0);
        pen.put(self.1);
    }
    fn take(pen: &mut impl Pen) -> Twice {
        Twice(pen.take(), pen.take())
    }
}

#[test]
fn loom_a_snapshot_is_read_whole_and_never_older_than_the_one_before() {
    model(3, 100, || {
        let board = Arc::new(Board::<2>::new());
        let shared = Arc::clone(&board);
        let writer = thread::spawn(move || {
            shared.publish(&Twice(1, 1));
            shared.publish(&Twice(2, 2));
        });
        let mut last = 0;
        for _ in 0..2 {
            let Twice(a, b) = board.read();
            assert_eq!(a, b, "torn");
            assert!(a >= last, "older");
            last = a;
        }
        writer.join().unwrap();
        assert_eq!(board.read::<Twice>(), Twice(2, 2));
    });
}

/// What `Control::is_settled` and a `collect` after it rest on: a half publishes after it has retired.
#[test]
fn loom_whoever_sees_that_an_order_was_carried_out_finds_what_it_retired() {
    model(3, 100, || {
        let fate = Arc::new(Fate::default());
        let (mut sender, mut orders) = commands(2, CommandRing::Receive);
        let (mut bin, mut heap): (TrashBin, TrashHeap) = trash(2);
        let board = Arc::new(Board::<1>::new());
        let shared = Arc::clone(&board);
        let real_time = thread::spawn(move || {
            for _ in 0..2 {
                obey(&mut orders, &mut bin);
                shared.publish(&orders.taken);
            }
            (orders, bin)
        });
        assert!(sender.send(Witness::new(&fate)).is_ok());
        let taken = board.read::<u64>();
        let emptied = heap.empty() as u64;
        assert!(emptied >= taken, "{taken} carried out, {emptied} came back");
        // An order that came too late is in its ring yet.
        drop((real_time.join().unwrap(), sender));
        heap.empty();
        assert_eq!(fate.dropped.load(Relaxed), 1);
    });
}

/// Long enough never to pass: what is looked at is who holds the half, not for how long.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(3_600);

#[test]
fn loom_a_half_belongs_to_one_thread_at_a_time_and_control_gets_it_back_with_all_that_was_done() {
    model(3, 50, || {
        let fate = Arc::new(Fate::default());
        let cell = Driven::empty();
        let shared = cell.share();
        let callbacks = thread::spawn(move || {
            (0..3).filter(|_| shared.run(|half: &mut Box<Witness>| half.touch())).count()
        });
        // While the card runs already, as `play_to` does.
        cell.put(Witness::new(&fate));
        let mut half = cell.take(FOR_EVER).expect("it is here or comes back");
        half.touch();
        let seen = half.memory.load(std::sync::atomic::Ordering::Relaxed);
        let ran = callbacks.join().unwrap();
        assert_eq!(seen, ran + 1, "nothing that a callback did is missing, none ran it afterwards");
        assert_eq!(fate.dropped.load(Relaxed), 0);
        drop(half);
        assert_eq!(fate.dropped.load(Relaxed), 1);
    });
}

#[test]
fn loom_a_half_moves_from_one_card_to_another_and_back() {
    model(3, 100, || {
        let fate = Arc::new(Fate::default());
        let (one, other) = (Driven::empty(), Driven::empty());
        let cards = [one.share(), other.share()].map(|card: Driven<Box<Witness>>| {
            thread::spawn(move || usize::from(card.run(|half| half.touch())))
        });
        one.put(Witness::new(&fate));
        let half = one.take(FOR_EVER).expect("it is here or comes back");
        other.put(*half);
        let half = other.take(FOR_EVER).expect("it is here or comes back");
        let ran: usize = cards.map(|card| card.join().unwrap()).iter().sum();
        assert_eq!(half.memory.load(std::sync::atomic::Ordering::Relaxed), ran);
    });
}
