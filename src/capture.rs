//! Writes a pcap file of what the telephone sent and received: signalling, RTP and RTCP.
//!
//! ```text
//! TSP's connections ─ WireTap ──┐
//!                               ├─ queue ─▶ one thread ─ by time ─▶ CaptureWriter ─▶ file
//! MSP's datagrams ── PacketTap ─┘
//! ```
//!
//! In: octets as they pass, from any thread, never blocking it. Out: a file that Wireshark opens.
//! IP and TCP headers are made up around true addresses, ports and payloads: no privilege is needed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use offhook_msp::{PacketDirection, PacketTap};
use offhook_spi::Timestamp;
use offhook_tsp::WireTap;
use offhook_wire::capture::CaptureWriter;

/// Records that may wait for the disk.
const QUEUE: usize = 16_384;

/// How long a record is held so that one with an earlier time can still go before it. The media side hands datagrams
/// over in batches, some tens of milliseconds late.
const REORDER: Duration = Duration::from_millis(250);

/// A capture being written.
#[derive(Debug)]
pub struct Capture {
    path: PathBuf,
    queue: Mutex<Option<Sender<Record>>>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
    dropped: AtomicU64,
    /// Wall clock minus monotonic clock, when the capture began.
    offset: Duration,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    at: Duration,
    what: What,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Opened(SocketAddr, SocketAddr),
    Octets(SocketAddr, SocketAddr, Vec<u8>),
    Closed(SocketAddr, SocketAddr),
    Datagram(SocketAddr, SocketAddr, Vec<u8>),
}

impl Capture {
    /// Creates the file, replacing an old one.
    pub fn create(path: &Path) -> io::Result<Self> {
        let named = |why: io::Error| io::Error::new(why.kind(), format!("{}: {why}", path.display()));
        let writer = CaptureWriter::new(BufWriter::new(File::create(path).map_err(named)?)).map_err(named)?;
        let (queue, records) = bounded(QUEUE);
        let thread = std::thread::Builder::new()
            .name("offhook-capture".into())
            .spawn(move || write(writer, &records))?;
        Ok(Self {
            path: path.to_owned(),
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(thread)),
            dropped: AtomicU64::new(0),
            offset: wall_clock().saturating_sub(Duration::from_nanos(Timestamp::now().0)),
        })
    }

    /// Ends the capture. The error is the first that writing met (a full disk, for one).
    pub fn finish(&self) -> io::Result<()> {
        drop(self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take());
        let thread = self.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let Some(thread) = thread else { return Ok(()) };
        let written = thread.join().unwrap_or_else(|_| Err(io::Error::other("the capture's thread died")));
        written.map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", self.path.display())))?;
        match self.dropped.load(Relaxed) {
            0 => Ok(()),
            n => Err(io::Error::other(format!(
                "{}: {n} packets could not be written in time",
                self.path.display()
            ))),
        }
    }

    fn put(&self, at: Duration, what: What) {
        let queue = self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if queue.as_ref().is_some_and(|queue| queue.try_send(Record { at, what }).is_err()) {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl WireTap for Capture {
    fn opened(&self, client: SocketAddr, server: SocketAddr) {
        self.put(wall_clock(), What::Opened(client, server));
    }

    fn octets(&self, source: SocketAddr, destination: SocketAddr, octets: &[u8]) {
        self.put(wall_clock(), What::Octets(source, destination, octets.to_vec()));
    }

    fn ras(&self, source: SocketAddr, destination: SocketAddr, message: &[u8]) {
        self.put(wall_clock(), What::Datagram(source, destination, message.to_vec()));
    }

    fn closed(&self, source: SocketAddr, destination: SocketAddr) {
        self.put(wall_clock(), What::Closed(source, destination));
    }
}

impl PacketTap for Capture {
    fn datagram(
        &self,
        at_ns: u64,
        _: PacketDirection,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) {
        let at = self.offset + Duration::from_nanos(at_ns);
        self.put(at, What::Datagram(source, destination, payload.to_vec()));
    }
}

fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Writes records in the order of their times, ties in the order of arrival. After an error nothing is written, but
/// the queue is emptied, so that nobody waits.
fn write(mut writer: CaptureWriter<BufWriter<File>>, records: &Receiver<Record>) -> io::Result<()> {
    let mut held: BinaryHeap<Reverse<(Duration, u64, What)>> = BinaryHeap::new();
    let mut result = Ok(());
    let mut latest = Duration::ZERO;
    let mut arrived = 0;
    loop {
        let open = match records.recv_timeout(REORDER) {
            Ok(Record { at, what }) => {
                latest = latest.max(at);
                held.push(Reverse((at, arrived, what)));
                arrived += 1;
                true
            }
            Err(RecvTimeoutError::Timeout) => {
                latest = wall_clock();
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
        };
        while let Some(Reverse((at, ..))) = held.peek()
            && (!open || *at + REORDER <= latest)
        {
            let Some(Reverse((at, _, what))) = held.pop() else { break };
            if result.is_ok() {
                result = put(&mut writer, at, &what);
            }
        }
        if !open {
            return result.and_then(|()| writer.finish(latest.max(wall_clock())).map(drop));
        }
    }
}

fn put(writer: &mut CaptureWriter<BufWriter<File>>, at: Duration, what: &What) -> io::Result<()> {
    match what {
        What::Opened(client, server) => writer.tcp_connect(at, *client, *server),
        What::Octets(source, destination, octets) => writer.tcp(at, *source, *destination, octets),
        What::Closed(source, destination) => writer.tcp_close(at, *source, *destination),
        What::Datagram(source, destination, octets) => writer.udp(at, *source, *destination, octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_wire::capture::Capture as Read;

    #[test]
    fn what_passes_is_in_the_file_in_the_order_of_time() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("c.pcap");
        let capture = Capture::create(&path)?;
        let (a, b) = (SocketAddr::from(([127, 0, 0, 1], 40_000)), SocketAddr::from(([127, 0, 0, 1], 1_720)));
        capture.opened(a, b);
        capture.octets(a, b, b"setup");
        let now = Timestamp::now().0;
        capture.datagram(now + 2_000_000, PacketDirection::Received, b, a, b"second");
        capture.datagram(now + 1_000_000, PacketDirection::Sent, a, b, b"first");
        capture.octets(b, a, b"connect");
        capture.closed(a, b);
        capture.closed(b, a);
        capture.finish()?;
        let read = Read::parse(&std::fs::read(&path)?)?;
        let datagrams: Vec<_> = read.udp().iter().map(|d| d.payload.to_vec()).collect();
        assert_eq!(datagrams, [b"first".to_vec(), b"second".to_vec()]);
        let connection = &read.tcp_connections()[0];
        let octets: Vec<_> = connection.segments.iter().map(|s| s.bytes.to_vec()).collect();
        assert_eq!(octets, [b"setup".to_vec(), b"connect".to_vec()]);
        Ok(())
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let error = Capture::create(Path::new("/nonexistent/dir/c.pcap")).map(drop);
        assert!(error.is_err_and(|e| e.to_string().contains("/nonexistent/dir/c.pcap")));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_reported_at_the_end() -> Result<(), Box<dyn std::error::Error>> {
        let capture = Capture::create(Path::new("/dev/full"))?;
        let a = SocketAddr::from(([127, 0, 0, 1], 40_000));
        for _ in 0..100 {
            capture.datagram(Timestamp::now().0, PacketDirection::Sent, a, a, &[0; 1_000]);
        }
        assert!(capture.finish().is_err_and(|e| e.kind() == io::ErrorKind::StorageFull));
        Ok(())
    }
}
