//! What calls cost and how late they are: ratios against limits that run in the same run, round by round.
//! In: nothing; `ENGINE_ROUNDS` (9) and `ENGINE_SECONDS` (4) say how long. Out: tables.
//!
//! - a leg: engine alone, over UDP on loopback, and the floor: the same datagrams by bare sendto and recvmsg
//! - from the capture callback to sendto, and from a datagram to the speaker's samples
//! - how late the ticker wakes: idle and beside busy threads, ordinary and real-time
//! - a conference: the mixer bus against the naive sum of all others for each
//! - memory a leg
//!
//! CPU time is the thread's own (user and system), so that neighbours disturb little; each figure is the median of the
//! rounds. Not here: codecs and resamplers (`media.rs`), signalling (`wire.rs`).

use std::hint::black_box;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use benches::{LOOPBACK, Leg, Murmur, Nowhere, RATE, udp_ends, udp_legs};
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg};
use offhook_codecs::CodecKind;
use offhook_engine::{
    BusConfig, BusPort, EngineConfig, Gain, Lateness, PacketTx, RxFormat, SendOutcome, Source, Ticker,
    TickerConfig, TxCommand, TxFormat, bus, monotonic_ns, split,
};
use rustix::time::{ClockId, clock_gettime};

/// G.711, 20 ms, with its RTP header.
const DATAGRAM: usize = 172;
const PACKET_NS: u64 = 20_000_000;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
    };
    let rounds = if is_test { 1 } else { number("ENGINE_ROUNDS", 9) as usize };
    let seconds = if is_test { 0.2 } else { number("ENGINE_SECONDS", 4) as f64 };
    memory();
    cost(rounds, if is_test { &[10] } else { &[1, 10, 100, 1_000] });
    mixing(rounds, if is_test { &[10] } else { &[3, 10, 32, 100] });
    latency(seconds);
    lateness(seconds);
}

/// CPU time of this thread, nanoseconds.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn memory() {
    let at = SocketAddr::new(LOOPBACK, 9);
    let mut kept = None;
    let engine = allocation_counter::measure(|| kept = Some(split(EngineConfig::new(RATE)))).bytes_current;
    let mut kept = None;
    let playout = allocation_counter::measure(|| kept = RxFormat::new(CodecKind::Pcmu, 0).ok()).bytes_current;
    // Their table is everybody's.
    drop(Murmur::new(0));
    let mut leg = None;
    let all = allocation_counter::measure(|| {
        let (tx, rx) = Nowhere::new(at, 1, Arc::default());
        leg = Leg::new(1, Box::new(tx), Box::new(rx), at).ok();
    });
    let all = all.bytes_current;
    let kib = |octets: i64| octets as f64 / 1_024.0;
    println!(
        "memory a leg: {:.1} KiB, of which the halves and their rings {:.1}, playout {:.1} (no sockets, no terminals)\n",
        kib(all),
        kib(engine),
        kib(playout),
    );
}

/// Drives many legs as a ticker's thread does, by a clock that only this function moves.
struct Driven {
    legs: Vec<Leg>,
    clock: Arc<AtomicU64>,
    period_ns: u64,
}

impl Driven {
    fn alone(count: usize, period_ns: u64) -> Driven {
        let clock = Arc::new(AtomicU64::new(1_000_000_000));
        let at = SocketAddr::new(LOOPBACK, 9);
        let legs = (0..count).map(|n| {
            let (tx, rx) = Nowhere::new(at, n as u32, Arc::clone(&clock));
            Leg::new(n as u32, Box::new(tx), Box::new(rx), at).unwrap()
        });
        Driven { legs: legs.collect(), clock, period_ns }
    }

    fn over_udp(count: usize, period_ns: u64) -> Driven {
        let clock = Arc::new(AtomicU64::new(1_000_000_000));
        Driven { legs: udp_legs(count, Some(&clock)).unwrap(), clock, period_ns }
    }

    /// `packets` times 20 ms; CPU nanoseconds a leg and 20 ms.
    fn run(&mut self, packets: usize) -> f64 {
        let samples = (u64::from(RATE) * self.period_ns / 1_000_000_000) as usize;
        let ticks = packets as u64 * PACKET_NS / self.period_ns;
        let before = cpu_ns();
        for _ in 0..ticks {
            let now_ns = self.clock.fetch_add(self.period_ns, Ordering::Relaxed) + self.period_ns;
            for Leg { tx, rx, .. } in &mut self.legs {
                rx.process_without_output(now_ns, samples);
                tx.process_without_input(now_ns - self.period_ns, samples);
            }
        }
        (cpu_ns() - before) as f64 / (packets * self.legs.len()) as f64
    }

    /// Accepted packets that were heard, of those that should have been.
    fn heard(&self) -> (u64, u64) {
        let meters = self.legs.iter().map(|leg| (leg.control.meters().rx(), leg.control.meters().tx()));
        meters.fold((0, 0), |(got, sent), (rx, tx)| (got + rx.receiver.accepted, sent + tx.packets_sent))
    }
}

/// The same datagrams on as many sockets, by bare system calls.
struct Floor {
    sockets: Vec<(UdpSocket, SocketAddr)>,
}

impl Floor {
    fn new(count: usize) -> Floor {
        let sockets: Vec<_> = (0..count)
            .map(|_| {
                let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            })
            .collect();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let after = addresses.iter().cycle().skip(1).copied();
        Floor { sockets: sockets.into_iter().zip(after).collect() }
    }

    fn run(&mut self, packets: usize) -> f64 {
        let (datagram, mut buffer) = ([0x5A; DATAGRAM], [0; 2_048]);
        let before = cpu_ns();
        for _ in 0..packets {
            for (socket, to) in &self.sockets {
                let mut slices = [IoSliceMut::new(&mut buffer)];
                let flags = MsgFlags::MSG_DONTWAIT;
                let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, None, flags);
                black_box(got.is_ok());
                black_box(socket.send_to(&datagram, to).is_ok());
            }
        }
        (cpu_ns() - before) as f64 / (packets * self.sockets.len()) as f64
    }
}

fn cost(rounds: usize, counts: &[usize]) {
    println!("CPU a leg and 20 ms, both ways, G.711 (medians of {rounds} interleaved rounds), ns");
    println!(
        "{:>6} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "legs", "engine 20ms", "engine 10ms", "UDP floor", "UDP 20ms", "UDP 10ms", "10ms/floor"
    );
    for &count in counts {
        let packets = (20_000 / count).clamp(20, 2_000);
        let mut alone = [20, 10].map(|ms| Driven::alone(count, ms * 1_000_000));
        let mut udp = [20, 10].map(|ms| Driven::over_udp(count, ms * 1_000_000));
        let mut floor = Floor::new(count);
        let mut figures: [Vec<f64>; 5] = Default::default();
        for round in 0..=rounds {
            let run = [
                alone[0].run(packets),
                alone[1].run(packets),
                floor.run(packets),
                udp[0].run(packets),
                udp[1].run(packets),
            ];
            // The first round warms up: playout fills, sources pass probation.
            for (figures, figure) in figures.iter_mut().zip(run).filter(|_| round > 0) {
                figures.push(figure);
            }
        }
        for driven in alone.iter().chain(&udp) {
            let (got, sent) = driven.heard();
            assert!(
                got * 100 >= sent * 98,
                "{got} of {sent} packets were accepted: not the work that is meant"
            );
        }
        let [alone20, alone10, floor, udp20, udp10] = figures.map(median);
        println!(
            "{count:>6} {alone20:>12.0} {alone10:>12.0} {floor:>12.0} {udp20:>12.0} {udp10:>12.0} {:>12.2}",
            udp10 / floor
        );
    }
    println!();
}

/// What a conference of `counts` costs for 20 ms, beside its calls: the bus with its ports, and the sum that everybody
/// would first think of.
fn mixing(rounds: usize, counts: &[usize]) {
    const BLOCK: usize = (RATE / 50) as usize;
    println!("a conference's 20 ms for all, ns (medians of {rounds} interleaved rounds)");
    println!(
        "{:>6} {:>12} {:>12} {:>12} {:>14}",
        "people", "ports + bus", "bus alone", "naive sum", "bus/naive"
    );
    for &count in counts {
        let (mut control, mut bus) =
            bus(BusConfig { max_participants: count, commands: count, ..BusConfig::new(RATE) });
        let mut ports: Vec<BusPort> = (0..count).map(|_| control.join(RATE, Gain::UNITY).unwrap()).collect();
        let mut murmurs: Vec<_> = (0..count).map(|n| Murmur::new(n as u32)).collect();
        let mut said = vec![[0_i16; BLOCK]; count];
        let mut heard = vec![[0_i16; BLOCK]; count];
        let mut figures: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds * 20 + 20 {
            for (murmur, said) in murmurs.iter_mut().zip(&mut said) {
                murmur.fill(0, said);
            }
            let begun = cpu_ns();
            for (port, said) in ports.iter_mut().zip(&said) {
                port.sink.write(0, said);
            }
            let gathered = cpu_ns();
            bus.process(BLOCK);
            let mixed = cpu_ns();
            for (port, heard) in ports.iter_mut().zip(&mut heard) {
                port.source.fill(0, heard);
            }
            let handed_out = cpu_ns();
            for (listener, heard) in heard.iter_mut().enumerate() {
                let mut sum = [0_i32; BLOCK];
                let others = said.iter().enumerate().filter(|(n, _)| *n != listener);
                for (_, said) in others {
                    sum.iter_mut().zip(said).for_each(|(sum, said)| *sum += i32::from(*said));
                }
                for (heard, sum) in heard.iter_mut().zip(sum) {
                    *heard = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
                }
            }
            black_box(&heard);
            let naive = cpu_ns() - handed_out;
            let run = [handed_out - begun, mixed - gathered, naive];
            figures.iter_mut().zip(run).for_each(|(figures, ns)| figures.push(ns as f64));
        }
        assert_eq!(control.meters().participants as usize, count);
        let [all, bus, naive] = figures.map(|figures| median(figures[20..].to_vec()));
        println!("{count:>6} {all:>12.0} {bus:>12.0} {naive:>12.0} {:>14.2}", bus / naive);
    }
    println!();
}

/// Quantiles of nanoseconds, printed in microseconds.
fn print_quantiles(what: &str, mut values: Vec<u64>) {
    values.sort_unstable();
    let at = |quantile: f64| {
        let index = (values.len() as f64 * quantile) as usize;
        values[index.min(values.len() - 1)] as f64 / 1_000.0
    };
    println!(
        "{what:<58} p50 {:>7.1}  p99 {:>7.1}  max {:>8.1} µs  ({} packets)",
        at(0.5),
        at(0.99),
        at(1.0),
        values.len()
    );
}

/// Notes when each datagram has been handed to the kernel.
struct Stamped<T> {
    inner: T,
    sent_ns: Arc<AtomicU64>,
}

impl<T: PacketTx> PacketTx for Stamped<T> {
    fn send(&mut self, packet: &[u8]) -> SendOutcome {
        let outcome = self.inner.send(packet);
        self.sent_ns.store(monotonic_ns(), Ordering::Release);
        outcome
    }

    fn set_remote(&mut self, remote: SocketAddr) {
        self.inner.set_remote(remote);
    }
}

/// Engine-internal latency, each packet by itself after a sleep of its period, as a card's callback finds its caches.
fn latency(seconds: f64) {
    let sent_ns = Arc::new(AtomicU64::new(0));
    let mut ends = udp_ends(2).unwrap();
    let (near, far) = (ends.remove(0), ends.remove(0));
    let (at_near, at_far) = (near.0.local(), far.0.local());
    let stamped = Stamped { inner: near.0, sent_ns: Arc::clone(&sent_ns) };
    let mut near = Leg::new(0, Box::new(stamped), Box::new(near.1), at_far).unwrap();
    // The capture callback's own samples: no source.
    near.control.tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcmu, 0, 10).unwrap()))).unwrap();
    let mut far = Leg::new(1, Box::new(far.0), Box::new(far.1), at_near).unwrap();
    let period = Duration::from_millis(5);
    let samples = (RATE / 200) as usize;
    let (mut capture, mut playback) = (Vec::new(), Vec::new());
    let mut block = vec![100; samples];
    let mut last_sent = 0;
    while capture.len() < ((seconds * 100.0) as usize).max(10) {
        std::thread::sleep(period);
        let captured_ns = monotonic_ns();
        near.tx.process(captured_ns, &block);
        let sent = sent_ns.load(Ordering::Acquire);
        if sent == last_sent {
            // Half a packet: its other half comes with the next block.
            far.rx.process(monotonic_ns(), &mut block);
            continue;
        }
        last_sent = sent;
        capture.push(sent - captured_ns);
        // The datagram is readable now: loopback delivers within sendto.
        let (called_ns, before) = (monotonic_ns(), far.control.meters().rx().datagrams);
        far.rx.process(called_ns, &mut block);
        let done_ns = monotonic_ns();
        if far.control.meters().rx().datagrams > before {
            playback.push(done_ns - called_ns);
        }
    }
    println!("engine-internal latency, 5 ms periods, 10 ms packets, wall clock, ordinary thread");
    print_quantiles("capture callback's entry to the return of sendto", capture);
    print_quantiles("playback callback's entry, datagram waiting, to its samples", playback);
    println!();
}

/// How late the ticker wakes.
fn lateness(seconds: f64) {
    println!("ticker, 10 ms, 100 legs over UDP, {seconds} s each");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for busy in [0, 2 * cores] {
        for priority in [None, Some(60)] {
            let stop = Arc::new(AtomicBool::new(false));
            let neighbours: Vec<_> = (0..busy)
                .map(|_| {
                    let stop = Arc::clone(&stop);
                    std::thread::spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            std::hint::spin_loop();
                        }
                    })
                })
                .collect();
            let config = TickerConfig { threads: 1, priority, ..TickerConfig::default() };
            let ticker = Ticker::start(config).unwrap();
            let driven: Vec<_> = udp_legs(100, None)
                .unwrap()
                .into_iter()
                .map(|Leg { control, tx, rx }| (control, ticker.add(Some(tx), Some(rx)).unwrap()))
                .collect();
            std::thread::sleep(Duration::from_secs_f64(seconds));
            let report = ticker.report();
            stop.store(true, Ordering::Relaxed);
            for neighbour in neighbours {
                neighbour.join().unwrap();
            }
            drop(driven);
            let late = report.lateness;
            println!(
                "{busy:>2} busy threads, {:?}: late p50 < {} p99 < {} max {} µs; caught up {}, skipped {} of {}; busy {:.1} % of a core, {} µs at most",
                report.scheduling.first(),
                late.quantile_ns(0.5) / 1_000,
                late.quantile_ns(0.99) / 1_000,
                late.max_ns / 1_000,
                report.caught_up,
                report.skipped,
                report.ticks,
                report.busy_ns as f64 / seconds / 1e7,
                report.max_busy_ns / 1_000,
            );
            let bins = Lateness::BOUNDS_NS.iter().map(|bound| format!("<{}", bound / 1_000));
            let bins = bins.chain(["more".to_owned()]).zip(late.counts).filter(|(_, count)| *count > 0);
            println!(
                "    {}",
                bins.map(|(bound, count)| format!("{bound} µs: {count}")).collect::<Vec<_>>().join(", ")
            );
        }
    }
}
