//! Opens one direction of one device in the format nearest to what a call wants.
//!
//! In: a device, what it supports, a closure. Out: a [`SoundStream`] that runs until it is dropped.
//! `BufferSize::Default` is never used: on some hosts it means seconds.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, SampleFormat, StreamConfig, SupportedBufferSize, SupportedStreamConfig};

use crate::rt::{CaptureBlocks, PlaybackBlocks};
use crate::{DeviceError, StreamStatus, reaper};

/// How long a device may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a call wants of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRequest {
    /// The call's sample rate in Hz.
    pub sample_rate: u32,
    /// The period to ask the device for, in microseconds; the device may give another.
    pub period_us: u32,
}

impl StreamRequest {
    /// 10 ms periods at the call's rate.
    pub fn new(sample_rate: u32) -> Self {
        Self { sample_rate, period_us: 10_000 }
    }
}

/// A running stream. Dropping it stops the callbacks; the closure is dropped with it.
pub struct SoundStream {
    stream: Option<cpal::Stream>,
    name: String,
    /// The device's own rate in Hz.
    pub device_rate: u32,
    /// The resampler's delay in nanoseconds.
    pub resampling_delay_ns: u64,
}

impl SoundStream {
    /// The device's name.
    pub fn device_name(&self) -> &str {
        &self.name
    }
}

impl Drop for SoundStream {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take()
            && !reaper::reap(stream)
        {
            tracing::warn!(device = %self.name, "the sound host did not close the stream in time");
        }
    }
}

/// The format to open: the call's own rate if the device has it, else a multiple of it, else the device's default;
/// fewest channels; floats before integers.
pub(crate) fn choose(
    name: &str,
    ranges: impl Iterator<Item = cpal::SupportedStreamConfigRange>,
    default: Option<SupportedStreamConfig>,
    request: &StreamRequest,
) -> Result<(StreamConfig, SampleFormat), DeviceError> {
    let preferred_rates = [48_000, request.sample_rate, 96_000, 44_100, 32_000, 16_000];
    let usable = |format| format_rank(format).is_some();
    let best = ranges
        .filter(|range| usable(range.sample_format()) && range.channels() > 0)
        .filter_map(|range| {
            let (at, rate) =
                preferred_rates.iter().enumerate().find(|(_, rate)| range.contains_rate(**rate))?;
            Some((
                (at, range.channels(), format_rank(range.sample_format())),
                range.try_with_sample_rate(*rate)?,
            ))
        })
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, config)| config);
    let config = best.or(default.filter(|c| usable(c.sample_format()))).ok_or_else(|| {
        DeviceError::Format { name: name.to_owned(), why: "no common sample rate or sample type".to_owned() }
    })?;
    let wanted = (u64::from(config.sample_rate()) * u64::from(request.period_us) / 1_000_000) as u32;
    let frames = match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } => wanted.clamp(min.max(1), max.max(min).max(1)),
        SupportedBufferSize::Unknown => wanted.max(1),
    };
    Ok((StreamConfig { buffer_size: BufferSize::Fixed(frames), ..config.config() }, config.sample_format()))
}

fn format_rank(format: SampleFormat) -> Option<u8> {
    match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I16 => Some(1),
        SampleFormat::I32 => Some(2),
        SampleFormat::U16 => Some(3),
        SampleFormat::F64 => Some(4),
        _ => None,
    }
}

/// Runs `$body` with `$sample` naming the type of the device's samples.
macro_rules! with_sample_type {
    ($format:expr, $name:expr, $sample:ident => $body:expr) => {
        match $format {
            SampleFormat::F32 => {
                type $sample = f32;
                $body
            }
            SampleFormat::I16 => {
                type $sample = i16;
                $body
            }
            SampleFormat::I32 => {
                type $sample = i32;
                $body
            }
            SampleFormat::U16 => {
                type $sample = u16;
                $body
            }
            SampleFormat::F64 => {
                type $sample = f64;
                $body
            }
            other => return Err(DeviceError::Format { name: $name, why: format!("sample type {other}") }),
        }
    };
}

pub(crate) fn open_capture(
    device: cpal::Device,
    name: String,
    (config, format): (StreamConfig, SampleFormat),
    request: StreamRequest,
    status: Arc<StreamStatus>,
    sink: impl FnMut(u64, &[i16]) + Send + 'static,
) -> Result<SoundStream, DeviceError> {
    let mut blocks = CaptureBlocks::new(config.channels, config.sample_rate, request.sample_rate, sink)
        .map_err(|why| DeviceError::Format { name: name.clone(), why: why.to_string() })?;
    let resampling_delay_ns = blocks.delay_ns();
    let errors = Arc::clone(&status);
    let built = with_sample_type!(format, name, S => device.build_input_stream::<S, _, _>(
        config,
        move |data, info| {
            let stamp = info.timestamp();
            let age = stamp.callback.checked_duration_since(stamp.capture);
            blocks.push(now_ns(), age, data, &status);
        },
        move |error| errors.report(&error),
        Some(OPEN_TIMEOUT),
    ));
    start(built, name, config.sample_rate, resampling_delay_ns)
}

pub(crate) fn open_playback(
    device: cpal::Device,
    name: String,
    (config, format): (StreamConfig, SampleFormat),
    request: StreamRequest,
    status: Arc<StreamStatus>,
    source: impl FnMut(u64, &mut [i16]) + Send + 'static,
) -> Result<SoundStream, DeviceError> {
    let mut blocks = PlaybackBlocks::new(config.channels, request.sample_rate, config.sample_rate, source)
        .map_err(|why| DeviceError::Format { name: name.clone(), why: why.to_string() })?;
    let resampling_delay_ns = blocks.delay_ns();
    let errors = Arc::clone(&status);
    let built = with_sample_type!(format, name, S => device.build_output_stream::<S, _, _>(
        config,
        move |data, _| blocks.pull(now_ns(), data, &status),
        move |error| errors.report(&error),
        Some(OPEN_TIMEOUT),
    ));
    start(built, name, config.sample_rate, resampling_delay_ns)
}

fn start(
    built: Result<cpal::Stream, cpal::Error>,
    name: String,
    device_rate: u32,
    resampling_delay_ns: u64,
) -> Result<SoundStream, DeviceError> {
    let failed = |why: cpal::Error| DeviceError::Open { name: name.clone(), why: why.to_string() };
    let stream = built.map_err(failed)?;
    if let Err(why) = stream.play() {
        let error = failed(why);
        reaper::reap(stream);
        return Err(error);
    }
    Ok(SoundStream { stream: Some(stream), name, device_rate, resampling_delay_ns })
}

/// CLOCK_MONOTONIC, read through the vDSO: no system call.
fn now_ns() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::SupportedStreamConfigRange;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(
            channels,
            rates.0,
            rates.1,
            SupportedBufferSize::Range { min: 64, max: 4096 },
            format,
        )
    }

    fn chosen(ranges: Vec<SupportedStreamConfigRange>) -> Option<(u16, u32, SampleFormat, BufferSize)> {
        let (config, format) = choose("card", ranges.into_iter(), None, &StreamRequest::new(8_000)).ok()?;
        Some((config.channels, config.sample_rate, format, config.buffer_size))
    }

    #[test]
    fn a_card_is_opened_at_48_khz_with_the_fewest_channels_and_a_fixed_10_ms_period() {
        let ranges = vec![
            range(2, (44_100, 96_000), SampleFormat::F32),
            range(1, (44_100, 96_000), SampleFormat::I16),
            range(1, (44_100, 96_000), SampleFormat::F32),
        ];
        assert_eq!(chosen(ranges), Some((1, 48_000, SampleFormat::F32, BufferSize::Fixed(480))));
    }

    #[test]
    fn a_card_without_48_khz_is_opened_at_what_it_has() {
        assert_eq!(
            chosen(vec![range(2, (44_100, 44_100), SampleFormat::I16)]),
            Some((2, 44_100, SampleFormat::I16, BufferSize::Fixed(441)))
        );
    }

    #[test]
    fn a_card_with_only_unknown_sample_types_is_an_error_that_names_it() {
        let error = choose(
            "odd card",
            [range(2, (48_000, 48_000), SampleFormat::I8)].into_iter(),
            None,
            &StreamRequest::new(8_000),
        );
        assert!(error.is_err_and(|e| e.to_string().contains("odd card")));
    }
}
