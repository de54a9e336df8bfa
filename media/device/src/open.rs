//! Opens one direction of one device in the format nearest to what a call wants.
//! In: a device, what it supports, seats. Out: cpal's stream over their callbacks.
//! `BufferSize::Default` is never used: on some hosts it means seconds.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::DeviceTrait;
use cpal::{
    BufferSize, I24, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfig,
    SupportedStreamConfigRange, U24,
};

use crate::DeviceError;
use crate::rt::{CaptureBlocks, CaptureSeat, PlaybackBlocks, PlaybackSeat, Retune};
use crate::seats::Seats;
use crate::sound::Clock;
use crate::status::StreamStatus;

/// How long a device may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// Rates that are looked for, the first first; then the call's own, then whatever is nearest to 48 kHz.
const PREFERRED: [u32; 6] = [48_000, 96_000, 44_100, 32_000, 16_000, 8_000];
/// The rates (Hz) that can be converted.
const CONVERTIBLE: (u32, u32) = (4_000, 768_000);

/// What a call wants of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRequest {
    /// The call's sample rate in Hz.
    pub sample_rate: u32,
    /// The period to ask the device for, in microseconds; the device may give another. A device that is open already
    /// keeps the period that it has.
    pub period_us: u32,
}

impl StreamRequest {
    /// 10 ms periods at the call's rate.
    pub fn new(sample_rate: u32) -> Self {
        Self { sample_rate, period_us: 10_000 }
    }
}

/// What a direction is to cpal.
pub(crate) trait Seat: Retune + Send + Sized + 'static {
    /// "capture" or "playback".
    const WAY: &'static str;

    fn ranges(device: &cpal::Device) -> Result<Vec<SupportedStreamConfigRange>, cpal::Error>;

    fn default_config(device: &cpal::Device) -> Option<SupportedStreamConfig>;

    fn open(
        device: &cpal::Device,
        chosen: (StreamConfig, SampleFormat),
        seats: Arc<Seats<Self>>,
        status: Arc<StreamStatus>,
        clock: Clock,
    ) -> Result<cpal::Stream, cpal::Error>;
}

/// Runs `$body` with `$sample` naming the type of the device's samples.
macro_rules! with_sample_type {
    ($format:expr, $sample:ident => $body:expr) => {
        with_sample_type!(@ $format, $sample => $body,
            I8 i8, I16 i16, I24 I24, I32 i32, I64 i64, U8 u8, U16 u16, U24 U24, U32 u32, U64 u64, F32 f32, F64 f64)
    };
    (@ $format:expr, $sample:ident => $body:expr, $($variant:ident $type:ty),*) => {
        match $format {
            $(SampleFormat::$variant => {
                type $sample = $type;
                $body
            })*
            _ => Err(cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)),
        }
    };
}

impl Seat for CaptureSeat {
    const WAY: &'static str = "capture";

    fn ranges(device: &cpal::Device) -> Result<Vec<SupportedStreamConfigRange>, cpal::Error> {
        device.supported_input_configs().map(Iterator::collect)
    }

    fn default_config(device: &cpal::Device) -> Option<SupportedStreamConfig> {
        device.default_input_config().ok()
    }

    fn open(
        device: &cpal::Device,
        (config, format): (StreamConfig, SampleFormat),
        seats: Arc<Seats<Self>>,
        status: Arc<StreamStatus>,
        clock: Clock,
    ) -> Result<cpal::Stream, cpal::Error> {
        let mut blocks = CaptureBlocks::new(config.channels, config.sample_rate, seats, Arc::clone(&status));
        with_sample_type!(format, S => device.build_input_stream::<S, _, _>(
            config,
            move |data, info| {
                let stamp = info.timestamp();
                blocks.push(clock(), stamp.callback.checked_duration_since(stamp.capture), data);
            },
            move |error| status.report(&error),
            Some(OPEN_TIMEOUT),
        ))
    }
}

impl Seat for PlaybackSeat {
    const WAY: &'static str = "playback";

    fn ranges(device: &cpal::Device) -> Result<Vec<SupportedStreamConfigRange>, cpal::Error> {
        device.supported_output_configs().map(Iterator::collect)
    }

    fn default_config(device: &cpal::Device) -> Option<SupportedStreamConfig> {
        device.default_output_config().ok()
    }

    fn open(
        device: &cpal::Device,
        (config, format): (StreamConfig, SampleFormat),
        seats: Arc<Seats<Self>>,
        status: Arc<StreamStatus>,
        clock: Clock,
    ) -> Result<cpal::Stream, cpal::Error> {
        let mut blocks = PlaybackBlocks::new(config.channels, config.sample_rate, seats, Arc::clone(&status));
        with_sample_type!(format, S => device.build_output_stream::<S, _, _>(
            config,
            move |data, info| {
                let stamp = info.timestamp();
                blocks.pull(clock(), stamp.playback.checked_duration_since(stamp.callback), data);
            },
            move |error| status.report(&error),
            Some(OPEN_TIMEOUT),
        ))
    }
}

/// A device's name for people.
pub(crate) fn name_of(device: &cpal::Device) -> String {
    device.description().map(|d| d.name().to_owned()).unwrap_or_else(|_| "unnamed device".to_owned())
}

/// What tells a device from others: its identifier, or else its name.
pub(crate) fn id_of(device: &cpal::Device) -> String {
    device.id().map(|id| id.id().to_owned()).unwrap_or_else(|_| name_of(device))
}

/// The format to open a device in.
pub(crate) fn choose<T: Seat>(
    device: &cpal::Device,
    name: &str,
    request: &StreamRequest,
) -> Result<(StreamConfig, SampleFormat), DeviceError> {
    let ranges = T::ranges(device)
        .map_err(|why| DeviceError::Format { name: name.to_owned(), why: why.to_string() })?;
    choose_from(name, &ranges, T::default_config(device), request)
}

/// 48 kHz if the device has it, else another common rate, else what is nearest; the fewest channels; floats before
/// integers before the rest.
fn choose_from(
    name: &str,
    ranges: &[SupportedStreamConfigRange],
    default: Option<SupportedStreamConfig>,
    request: &StreamRequest,
) -> Result<(StreamConfig, SampleFormat), DeviceError> {
    let failed = |why: String| DeviceError::Format { name: name.to_owned(), why };
    let best = ranges
        .iter()
        .filter(|range| format_rank(range.sample_format()).is_some() && range.channels() > 0)
        .filter_map(|range| {
            let (at, rate) = rate_in(range, request.sample_rate)?;
            let rank = (at, range.channels(), format_rank(range.sample_format()));
            Some((rank, range.try_with_sample_rate(rate)?))
        })
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, config)| config);
    let usable = |config: &SupportedStreamConfig| {
        format_rank(config.sample_format()).is_some()
            && config.channels() > 0
            && is_convertible(config.sample_rate())
    };
    let Some(config) = best.or(default.filter(usable)) else {
        let offered: Vec<_> = ranges
            .iter()
            .take(4)
            .map(|r| format!("{} {}–{} Hz", r.sample_format(), r.min_sample_rate(), r.max_sample_rate()))
            .collect();
        let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        return Err(failed(format!("it has {offered}; needed are PCM samples at 4 to 768 kHz")));
    };
    let wanted = (u64::from(config.sample_rate()) * u64::from(request.period_us) / 1_000_000) as u32;
    let frames = match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } => wanted.clamp(min.max(1), max.max(min).max(1)),
        SupportedBufferSize::Unknown => wanted.max(1),
    };
    Ok((StreamConfig { buffer_size: BufferSize::Fixed(frames), ..config.config() }, config.sample_format()))
}

/// The rate to open a range at, and how welcome it is: 0 is best.
fn rate_in(range: &SupportedStreamConfigRange, own: u32) -> Option<(usize, u32)> {
    let wanted = PREFERRED.iter().copied().chain([own]).enumerate();
    let common = wanted.filter(|(_, rate)| range.contains_rate(*rate) && is_convertible(*rate)).min();
    let nearest = || {
        let (low, high) =
            (range.min_sample_rate().max(CONVERTIBLE.0), range.max_sample_rate().min(CONVERTIBLE.1));
        (low <= high).then(|| (PREFERRED.len() + 1, 48_000_u32.clamp(low, high)))
    };
    common.or_else(nearest)
}

fn is_convertible(rate: u32) -> bool {
    (CONVERTIBLE.0..=CONVERTIBLE.1).contains(&rate)
}

/// How welcome a sample type is; `None` for those that are no PCM.
fn format_rank(format: SampleFormat) -> Option<usize> {
    const ORDER: [SampleFormat; 12] = [
        SampleFormat::F32,
        SampleFormat::I16,
        SampleFormat::I32,
        SampleFormat::I24,
        SampleFormat::F64,
        SampleFormat::I64,
        SampleFormat::U16,
        SampleFormat::U24,
        SampleFormat::U32,
        SampleFormat::U64,
        SampleFormat::I8,
        SampleFormat::U8,
    ];
    ORDER.iter().position(|known| *known == format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        let size = SupportedBufferSize::Range { min: 64, max: 4096 };
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, size, format)
    }

    fn chosen(ranges: &[SupportedStreamConfigRange]) -> Option<(u16, u32, SampleFormat, BufferSize)> {
        let (config, format) = choose_from("card", ranges, None, &StreamRequest::new(8_000)).ok()?;
        Some((config.channels, config.sample_rate, format, config.buffer_size))
    }

    #[test]
    fn a_card_is_opened_at_48_khz_with_the_fewest_channels_and_a_fixed_10_ms_period() {
        let ranges = [
            range(2, (44_100, 96_000), SampleFormat::F32),
            range(1, (44_100, 96_000), SampleFormat::I16),
            range(1, (44_100, 96_000), SampleFormat::F32),
        ];
        assert_eq!(chosen(&ranges), Some((1, 48_000, SampleFormat::F32, BufferSize::Fixed(480))));
    }

    #[test]
    fn a_card_without_48_khz_is_opened_at_what_it_has_however_odd() {
        for (low, high, rate) in
            [(44_100, 44_100, 44_100), (12_345, 12_345, 12_345), (88_200, 176_400, 96_000), (1, 5_000, 5_000)]
        {
            let got = chosen(&[range(9, (low, high), SampleFormat::I8)]);
            let frames = (rate / 100).clamp(64, 4_096);
            assert_eq!(got, Some((9, rate, SampleFormat::I8, BufferSize::Fixed(frames))), "{low}–{high}");
        }
    }

    #[test]
    fn a_card_without_pcm_is_an_error_that_names_it_and_what_it_has() {
        for ranges in [vec![range(2, (48_000, 48_000), SampleFormat::DsdU8)], Vec::new()] {
            let error = choose_from("odd card", &ranges, None, &StreamRequest::new(8_000));
            assert!(error.is_err_and(|e| e.to_string().contains("odd card")));
        }
    }
}
