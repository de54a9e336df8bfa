//! The project's public playout traces as a snapshot: 22 networks, a minute each, and what playout made of them.
//!
//! `data/arrivals.bin` holds for each trace the length of its name and the name, the count of packets, and for each
//! packet (every 20 ms) how much later than the fastest it came, in 1/50 ms; 65535 is lost. Little endian.

mod common;

use common::{Arrival, MS, packets, playout, run, speech};
use offhook_codecs::CodecKind;
use offhook_jitter::PlayoutConfig;

const PACKET: usize = 160;
/// Transit of the fastest packet.
const FASTEST: u64 = 20 * MS;

/// Delay beyond the fastest packet (ms), then percent of what is played: concealed beyond what was lost, stretched, left
/// out.
type Figures = [f64; 4];

#[rustfmt::skip]
const SNAPSHOT: [(&str, Figures); 22] = [
    ("const", [10.0, 0.00, 0.00, 0.00]),
    ("drift+200", [15.6, 0.02, 0.01, 0.01]),
    ("drift-200", [19.0, 0.00, 0.02, 0.00]),
    ("g1050_mid", [85.4, 0.18, 0.10, 0.06]),
    ("g1050_mild", [64.8, 0.16, 0.04, 0.04]),
    ("g1050_sev", [220.2, 0.45, 0.17, 0.08]),
    ("gauss05", [38.1, 0.02, 0.02, 0.00]),
    ("gauss10", [68.8, 0.08, 0.05, 0.02]),
    ("gauss20", [106.3, 0.09, 0.05, 0.01]),
    ("gauss40", [192.4, 0.17, 0.45, 0.04]),
    ("ge03", [38.3, 0.02, 0.02, 0.02]),
    ("ge08", [69.1, 0.06, 0.06, 0.02]),
    ("loss01", [28.5, 0.02, 0.02, 0.01]),
    ("loss03", [25.1, 0.02, 0.02, 0.00]),
    ("loss05", [29.6, -0.03, 0.03, 0.00]),
    ("loss10", [26.0, 0.00, 0.05, 0.00]),
    ("lte_ho", [40.9, 1.19, 0.64, 0.60]),
    ("reorder2", [69.5, 0.07, 0.09, 0.02]),
    ("route60", [38.5, 0.12, 0.02, 0.02]),
    ("spike200", [11.3, 1.25, 0.61, 0.64]),
    ("wifi_bad", [176.5, 1.80, 1.70, 0.88]),
    ("wifi_mild", [89.0, 0.35, 0.22, 0.17]),
];
/// What another machine's arithmetic may change.
const TOLERANCE: Figures = [2.0, 0.25, 0.25, 0.25];

fn traces() -> Vec<(String, Vec<Option<u64>>)> {
    let mut rest = &include_bytes!("data/arrivals.bin")[..];
    let mut traces = Vec::new();
    while let Some((length, after)) = rest.split_first() {
        let (name, after) = after.split_at(usize::from(*length));
        let (count, after) = after.split_at(2);
        let count = usize::from(u16::from_le_bytes([count[0], count[1]]));
        let (delays, after) = after.split_at(2 * count);
        let delay = |octets: &[u8]| match u16::from_le_bytes([octets[0], octets[1]]) {
            u16::MAX => None,
            fiftieths => Some(u64::from(fiftieths) * MS / 50),
        };
        traces.push((String::from_utf8(name.to_vec()).unwrap(), delays.chunks(2).map(delay).collect()));
        rest = after;
    }
    traces
}

#[test]
fn on_recorded_networks_delay_and_concealment_are_those_of_the_snapshot() {
    let source = speech(3_000 * PACKET);
    let traces = traces();
    assert_eq!(traces.len(), SNAPSHOT.len());
    println!("{:12} {:>8} {:>9} {:>9} {:>9}", "trace", "delay ms", "conceal %", "stretch %", "left out %");
    let mut unlike = Vec::new();
    for ((name, delays), (expected_name, expected)) in traces.into_iter().zip(SNAPSHOT) {
        assert_eq!(name, expected_name);
        let arrivals: Vec<Arrival> = packets(&source, PACKET, (0, 0), |n| Some(FASTEST + delays[n]?));
        let mut playout = playout(PlayoutConfig::for_codec(CodecKind::Pcmu));
        let heard = run(&mut playout, &arrivals, (delays.len() as u64 - 1) * 20 * MS, 0.0, |_| 80);
        let stats = heard.stats;

        // When it is heard, less when the fastest packet would have brought it.
        let decoded = heard.pulls.iter().enumerate().filter(|(_, pulled)| pulled.decoded == 80);
        let late: Vec<f64> = decoded
            .filter_map(|(n, pulled)| {
                Some(n as f64 * 10.0 - 40.0 - f64::from(pulled.timestamp? as i32) / 8.0)
            })
            .collect();
        let lost = delays.iter().filter(|delay| delay.is_none()).count() * PACKET;
        let percent = |samples: f64| 100.0 * samples / stats.samples_total as f64;
        let figures = [
            late.iter().sum::<f64>() / late.len() as f64,
            percent(stats.samples_concealed as f64 - lost as f64),
            percent((stats.samples_expanded + stats.samples_accelerated) as f64),
            percent(stats.samples_left_out as f64),
        ];
        let [delay, concealed, stretched, left_out] = figures;
        println!("    (\"{name}\", [{delay:.1}, {concealed:.2}, {stretched:.2}, {left_out:.2}]),");
        let differs = |((is, should), by): ((&f64, &f64), &f64)| (is - should).abs() > *by;
        if figures.iter().zip(&expected).zip(&TOLERANCE).any(differs) {
            unlike.push(name.clone());
        }
        assert_eq!(stats.packets_discarded + stats.resets, 0, "{name}");
        // Only what was overtaken by younger packets can come too late.
        assert!(stats.packets_late == 0 || name.starts_with("reorder"), "{name}: {stats:?}");
    }
    assert!(unlike.is_empty(), "differ from the snapshot: {unlike:?}");
}
