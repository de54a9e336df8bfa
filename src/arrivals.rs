//! When the packets of a call came: a trace for the playout instrument.
//!
//! In: datagrams as they pass ([`PacketTap`]). Out: one CSV file a received stream, `seq,timestamp,send_ms,arrival_ms`.
//! When a packet was sent is known from its timestamp only up to a constant: it is taken so that the fastest packet took
//! no time. Clocks that drift apart show as drift, as they do to a playout.
//! Not here: playout (`jitter`), captures with everything in them (`capture`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use offhook_codecs::CodecKind;
use offhook_msp::{PacketDirection, PacketTap};
use offhook_rtp::RtpView;

/// Clock rates of dynamic payload types.
const CLOCK_RATES: [u32; 4] = [8_000, 16_000, 44_100, 48_000];

/// Streams that are followed, and packets of all of them together: a day of 10 ms.
const MAX_STREAMS: usize = 64;
const MAX_PACKETS: usize = 24 * 360_000;
/// Sequence numbers that may be missing between two packets (RFC 3550 A.1); what comes from further away is left out.
const MAX_DROPOUT: i16 = 3_000;
/// Rows for each packet that came, beside the first ten thousand: a sender that jumps to and fro must not fill a disk.
const MAX_ROWS_EACH: usize = 20;

/// Collects arrivals, until [`Arrivals::finish`] writes them.
pub struct Arrivals {
    path: PathBuf,
    streams: Mutex<Vec<Stream>>,
    /// Whoever else listens.
    next: Option<Arc<dyn PacketTap>>,
}

/// One received stream: an SSRC at one of our ports.
struct Stream {
    ssrc: u32,
    local: SocketAddr,
    payload_type: u8,
    packets: Vec<Arrival>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrival {
    sequence: u16,
    timestamp: u32,
    at_ns: u64,
}

impl Arrivals {
    /// Writes to `path` in the end; the second stream and those after it get `-2`, `-3` … before the name's ending.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub fn create(path: &Path, next: Option<Arc<dyn PacketTap>>) -> io::Result<Self> {
        File::create(path).map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", path.display())))?;
        Ok(Self { path: path.to_owned(), streams: Mutex::default(), next })
    }

    /// Writes the files.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn finish(&self) -> io::Result<()> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, stream) in streams.iter().enumerate() {
            let path = numbered(&self.path, at);
            let named = |why: io::Error| io::Error::new(why.kind(), format!("{}: {why}", path.display()));
            let mut file = BufWriter::new(File::create(&path).map_err(named)?);
            stream.write(&mut file).and_then(|()| file.flush()).map_err(named)?;
        }
        Ok(())
    }
}

fn numbered(path: &Path, at: usize) -> PathBuf {
    if at == 0 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{}{ending}", at + 1))
}

impl PacketTap for Arrivals {
    fn datagram(
        &self,
        at_ns: u64,
        way: PacketDirection,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) {
        if let Some(next) = &self.next {
            next.datagram(at_ns, way, source, destination, payload);
        }
        if way != PacketDirection::Received {
            return;
        }
        // RTCP, and what is neither.
        let Ok(packet) = RtpView::parse(payload) else { return };
        if (64..96).contains(&packet.payload_type()) {
            return;
        }
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let known = streams.iter().position(|s| s.ssrc == packet.ssrc() && s.local == destination);
        let at = match known {
            Some(at) => at,
            None if streams.len() < MAX_STREAMS => {
                let payload_type = packet.payload_type();
                streams.push(Stream {
                    ssrc: packet.ssrc(),
                    local: destination,
                    payload_type,
                    packets: Vec::new(),
                });
                streams.len() - 1
            }
            None => return,
        };
        let held: usize = streams.iter().map(|stream| stream.packets.len()).sum();
        if let Some(stream) = streams.get_mut(at)
            && held < MAX_PACKETS
            // Telephone-events and comfort noise have their own times.
            && stream.payload_type == packet.payload_type()
        {
            let (sequence, timestamp) = (packet.sequence_number(), packet.timestamp());
            stream.packets.push(Arrival { sequence, timestamp, at_ns });
        }
    }
}

impl Stream {
    /// Ticks of the timestamp in a second: the codec's, or of a dynamic payload type the usual rate that fits best.
    fn clock_rate(&self) -> u32 {
        if let Some(kind) = CodecKind::from_payload_type(self.payload_type) {
            return kind.clock_rate();
        }
        let (Some(first), Some(last)) = (self.packets.first(), self.packets.last()) else {
            return CLOCK_RATES[0];
        };
        let ticks = f64::from(last.timestamp.wrapping_sub(first.timestamp));
        let seconds = last.at_ns.saturating_sub(first.at_ns) as f64 / 1e9;
        let misfit = |rate: &u32| (ticks / (f64::from(*rate) * seconds.max(1e-9))).ln().abs();
        let best = CLOCK_RATES.iter().min_by(|one, other| misfit(one).total_cmp(&misfit(other)));
        best.copied().unwrap_or(CLOCK_RATES[0])
    }

    /// Rows in the order of sequence numbers; a number that did not come is lost, a second one of the same left out.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "# a live call: ssrc {:08x} at {}, payload type {}",
            self.ssrc, self.local, self.payload_type
        )?;
        writeln!(out, "seq,timestamp,send_ms,arrival_ms_or_lost")?;
        let Some(first) = self.packets.first() else { return Ok(()) };
        let mut rows: BTreeMap<i64, (i64, u64)> = BTreeMap::new();
        let (mut newest, mut ticks) = (0i64, 0i64);
        for packet in &self.packets {
            let ahead = packet.sequence.wrapping_sub((newest as u16).wrapping_add(first.sequence)) as i16;
            if !(-MAX_DROPOUT..=MAX_DROPOUT).contains(&ahead) {
                continue;
            }
            let sequence = newest + i64::from(ahead);
            let step = packet.timestamp.wrapping_sub((ticks as u32).wrapping_add(first.timestamp)) as i32;
            let place = ticks + i64::from(step);
            rows.entry(sequence).or_insert((place, packet.at_ns));
            if sequence > newest {
                (newest, ticks) = (sequence, place);
            }
        }
        let rate = f64::from(self.clock_rate());
        let ms = |ticks: i64| ticks as f64 * 1e3 / rate;
        let arrival = |at_ns: u64| (at_ns as f64 - first.at_ns as f64) / 1e6;
        let least = rows.values().map(|(ticks, at)| arrival(*at) - ms(*ticks)).fold(f64::INFINITY, f64::min);
        let Some((lowest, (origin, _))) = rows.first_key_value().map(|(s, row)| (*s, *row)) else {
            return Ok(());
        };
        let begin = least + ms(origin);
        let mut last: Option<(i64, i64)> = None;
        let (mut written, most) = (0, 10_000 + MAX_ROWS_EACH * self.packets.len());
        for (sequence, (place, at)) in &rows {
            written += last.map_or(1, |(before, _)| usize::try_from(sequence - before).unwrap_or(most));
            if written > most {
                break;
            }
            if let Some((before, was)) = last {
                let step = (place - was) / (sequence - before).max(1);
                for lost in before + 1..*sequence {
                    let place = was + step * (lost - before);
                    let row = (lost - lowest, eighth_ms(ms(place - origin)), ms(place) + least - begin);
                    writeln!(out, "{},{},{:.3},lost", row.0, row.1, row.2)?;
                }
            }
            let sent = ms(*place) + least - begin;
            let came = arrival(*at) - begin;
            writeln!(out, "{},{},{sent:.3},{came:.3}", sequence - lowest, eighth_ms(ms(place - origin)))?;
            last = Some((*sequence, *place));
        }
        Ok(())
    }
}

/// Traces count in 8 kHz.
fn eighth_ms(ms: f64) -> i64 {
    (ms * 8.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, timestamp: u32) -> Vec<u8> {
        let mut octets = vec![0x80, 0];
        octets.extend(sequence.to_be_bytes());
        octets.extend(timestamp.to_be_bytes());
        octets.extend([0, 0, 0, 7, 0xff, 0xff]);
        octets
    }

    #[test]
    fn a_stream_that_wraps_loses_and_reorders_is_written_as_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let arrivals = Arrivals::create(&path, None).unwrap();
        let (peer, own) =
            (SocketAddr::from(([192, 0, 2, 2], 6000)), SocketAddr::from(([192, 0, 2, 1], 5004)));
        let ms = 1_000_000;
        // 20 ms apart, 5 ms of jitter on the second, the fourth before the third, the fifth lost.
        for (n, at) in [(0u16, 100), (1, 125), (3, 160), (2, 161), (5, 200)] {
            let octets = packet(n.wrapping_sub(2), u32::from(n).wrapping_mul(160).wrapping_sub(200));
            arrivals.datagram(at * ms, PacketDirection::Received, peer, own, &octets);
        }
        arrivals.datagram(300 * ms, PacketDirection::Sent, own, peer, &packet(9, 9));
        arrivals.datagram(300 * ms, PacketDirection::Received, peer, own, b"no RTP");
        arrivals.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let rows: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "0,0,0.000,0.000",
                "1,160,20.000,25.000",
                "2,320,40.000,61.000",
                "3,480,60.000,60.000",
                "4,640,80.000,lost",
                "5,800,100.000,100.000",
            ]
        );
    }

    #[test]
    fn a_sender_that_jumps_to_and_fro_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let arrivals = Arrivals::create(&path, None).unwrap();
        let (peer, own) =
            (SocketAddr::from(([192, 0, 2, 2], 6000)), SocketAddr::from(([192, 0, 2, 1], 5004)));
        for n in 0..1_000u32 {
            let octets = packet((n * 32_000) as u16, n * 160);
            arrivals.datagram(u64::from(n), PacketDirection::Received, peer, own, &octets);
        }
        arrivals.finish().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 1_000_000);
    }

    #[test]
    fn the_clock_of_a_dynamic_payload_type_is_found() {
        let arrival =
            |n: u32| Arrival { sequence: n as u16, timestamp: n * 960, at_ns: u64::from(n) * 20_100_000 };
        let local = SocketAddr::from(([192, 0, 2, 1], 5004));
        let stream = Stream { ssrc: 7, local, payload_type: 96, packets: (0..50).map(arrival).collect() };
        assert_eq!(stream.clock_rate(), 48_000);
    }
}
