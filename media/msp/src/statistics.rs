//! A stream's numbers for the application.
//! In: the engine's meters, RTCP's totals, what the stream remembers. Out: [`StreamStatistics`].
//! Not here: any counting.

use offhook_engine::{RxMeters, TxMeters};
use offhook_rtp::VoipMetrics;
use offhook_spi::Timestamp;
use offhook_spi::mspi::{RemoteMetrics, StreamStatistics};

use crate::rtcp::RtcpTotals;
use crate::stream::{Phase, Stream};

/// What silence is reported as, in dBFS.
pub(crate) const SILENCE_DBFS: f64 = -120.0;

/// The sending half.
pub(crate) fn sent(stream: &Stream, meters: &TxMeters, rtcp: RtcpTotals) -> StreamStatistics {
    let first = meters.first_packet_ns.map(Timestamp);
    StreamStatistics {
        packets: meters.packets_sent,
        octets: meters.octets_sent,
        dropped: meters.would_block + meters.refused + meters.failed + meters.encode_failed,
        samples: meters.samples,
        level_dbfs: level(meters.level.rms_dbfs),
        first_packet_at: first,
        first_sound_at: first,
        remote_loss: rtcp.remote_loss,
        remote_metrics: rtcp.remote_metrics.map(remote_metrics),
        ..common(stream, rtcp)
    }
}

/// The receiving half.
pub(crate) fn received(stream: &Stream, meters: &RxMeters, rtcp: RtcpTotals) -> StreamStatistics {
    let (receiver, playout) = (&meters.receiver, &meters.playout);
    let refused = receiver.malformed
        + receiver.runts
        + receiver.wrong_payload_type
        + receiver.foreign_source
        + receiver.own_source;
    StreamStatistics {
        packets: receiver.accepted + receiver.confirmed,
        octets: receiver.octets,
        lost: receiver.lost(),
        recovered: playout.packets_recovered,
        late: playout.packets_late,
        duplicate: receiver.duplicates,
        dropped: meters.strangers + meters.oversized + refused,
        jitter_ms: meters.jitter_ms(),
        playout_delay_ms: playout.delay_us as f64 / 1e3,
        samples: playout.samples_decoded,
        concealed_samples: playout.samples_concealed,
        muted_samples: playout.samples_muted,
        level_dbfs: level(meters.level.rms_dbfs),
        first_packet_at: meters.first_packet_ns.map(Timestamp),
        first_sound_at: meters.first_sound_ns.map(Timestamp),
        // Where packets really come from, once they do.
        remote: meters.peer.or(stream.remote).map(|address| address.to_string()),
        ..common(stream, rtcp)
    }
}

fn common(stream: &Stream, rtcp: RtcpTotals) -> StreamStatistics {
    StreamStatistics {
        codec: stream.codec.map(|kind| kind.name().to_owned()),
        active: stream.phase == Phase::Active,
        xruns: stream.xruns(),
        level_dbfs: SILENCE_DBFS,
        round_trip_ms: rtcp.round_trip_ms,
        rtcp_sent: rtcp.sent,
        rtcp_received: rtcp.received,
        remote: stream.remote.map(|address| address.to_string()),
        local: stream.local.map(|address| address.to_string()),
        ..StreamStatistics::default()
    }
}

/// An extended report's block in the units of statistics.
fn remote_metrics(block: VoipMetrics) -> RemoteMetrics {
    let part = |part: u8| f64::from(part) / 256.0;
    let tenths = |mos: Option<u8>| mos.map(|mos| f64::from(mos) / 10.0);
    RemoteMetrics {
        loss: part(block.loss_rate),
        discarded: part(block.discard_rate),
        burst_density: part(block.burst_density),
        gap_density: part(block.gap_density),
        burst_ms: block.burst_duration_ms,
        gap_ms: block.gap_duration_ms,
        round_trip_ms: block.round_trip_ms,
        end_system_delay_ms: block.end_system_delay_ms,
        signal_level_dbm0: block.signal_level_dbm0,
        noise_level_dbm0: block.noise_level_dbm0,
        echo_return_loss_db: block.residual_echo_return_loss_db,
        r_factor: block.r_factor,
        mos_lq: tenths(block.mos_lq),
        mos_cq: tenths(block.mos_cq),
        jitter_buffer_ms: block.jitter_buffer_nominal_ms,
        jitter_buffer_max_ms: block.jitter_buffer_absolute_maximum_ms,
    }
}

fn level(dbfs: f32) -> f64 {
    f64::from(dbfs).max(SILENCE_DBFS)
}
