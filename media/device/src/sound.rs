//! A sound host and the devices it has.

use std::sync::Arc;

use cpal::traits::{DeviceTrait, HostTrait};

use crate::stream::{self, SoundStream, StreamRequest};
use crate::{DeviceError, StreamStatus};

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Selector {
    /// The one that the system calls default.
    #[default]
    Default,
    /// The one whose name, or identifier, is exactly this.
    Named(String),
}

/// A device as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name for people.
    pub name: String,
    /// Its stable identifier, if the host has one; [`Selector::Named`] takes either.
    pub id: Option<String>,
    /// Whether it captures.
    pub capture: bool,
    /// Whether it plays.
    pub playback: bool,
    /// Whether it is the default in the directions it has.
    pub default: bool,
    /// The rates (Hz) that it offers, lowest and highest.
    pub sample_rates: Option<(u32, u32)>,
    /// The most channels it offers.
    pub channels: u16,
}

/// A sound host: ALSA, PulseAudio, or one that a test wrote.
pub struct Sound {
    host: cpal::Host,
}

impl Default for Sound {
    fn default() -> Self {
        Self::new()
    }
}

impl Sound {
    /// The system's default host. There need not be any device behind it.
    pub fn new() -> Self {
        Self { host: cpal::default_host() }
    }

    /// A host of the caller's.
    pub fn with_host(host: cpal::Host) -> Self {
        Self { host }
    }

    /// The host's name.
    pub fn host_name(&self) -> String {
        self.host.id().to_string()
    }

    /// Every device that can be opened in some direction.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        let host = self.host_name();
        let devices = self
            .host
            .devices()
            .map_err(|why| DeviceError::Open { name: host.clone(), why: why.to_string() })?;
        let default_in = self.host.default_input_device();
        let default_out = self.host.default_output_device();
        Ok(devices
            .filter_map(|device| {
                let inputs: Vec<_> =
                    device.supported_input_configs().map(Iterator::collect).unwrap_or_default();
                let outputs: Vec<_> =
                    device.supported_output_configs().map(Iterator::collect).unwrap_or_default();
                let all = || inputs.iter().chain(&outputs);
                let rates = all()
                    .map(|c| (c.min_sample_rate(), c.max_sample_rate()))
                    .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
                rates.is_some().then(|| DeviceInfo {
                    name: name_of(&device),
                    id: device.id().ok().map(|id| id.id().to_owned()),
                    capture: !inputs.is_empty(),
                    playback: !outputs.is_empty(),
                    default: default_in.as_ref() == Some(&device) || default_out.as_ref() == Some(&device),
                    sample_rates: rates,
                    channels: all().map(|c| c.channels()).max().unwrap_or(0),
                })
            })
            .collect())
    }

    /// The name of the default device that captures. It was not opened, but it says that it could be.
    pub fn default_capture(&self) -> Result<String, DeviceError> {
        let device = self.find("capture", &Selector::Default)?;
        let has_formats = device.supported_input_configs().is_ok_and(|ranges| ranges.count() > 0);
        let missing = || DeviceError::missing("capture", &Selector::Default, &self.host_name());
        has_formats.then(|| name_of(&device)).ok_or_else(missing)
    }

    /// The name of the default device that plays. It was not opened, but it says that it could be.
    pub fn default_playback(&self) -> Result<String, DeviceError> {
        let device = self.find("playback", &Selector::Default)?;
        let has_formats = device.supported_output_configs().is_ok_and(|ranges| ranges.count() > 0);
        let missing = || DeviceError::missing("playback", &Selector::Default, &self.host_name());
        has_formats.then(|| name_of(&device)).ok_or_else(missing)
    }

    /// Starts capturing: `sink` is called on the card's thread with the monotonic time (ns) at which the block's first
    /// sample was captured, and the block, mono at `request.sample_rate`. It must be fit for real time.
    pub fn capture(
        &self,
        selector: &Selector,
        request: StreamRequest,
        status: Arc<StreamStatus>,
        sink: impl FnMut(u64, &[i16]) + Send + 'static,
    ) -> Result<SoundStream, DeviceError> {
        let device = self.find("capture", selector)?;
        let name = name_of(&device);
        let ranges = device
            .supported_input_configs()
            .map_err(|why| DeviceError::Format { name: name.clone(), why: why.to_string() })?;
        let chosen = stream::choose(&name, ranges, device.default_input_config().ok(), &request)?;
        stream::open_capture(device, name, chosen, request, status, sink)
    }

    /// Starts playing: `source` is called on the card's thread with the monotonic time (ns) and fills the block, mono
    /// at `request.sample_rate`. It must be fit for real time.
    pub fn playback(
        &self,
        selector: &Selector,
        request: StreamRequest,
        status: Arc<StreamStatus>,
        source: impl FnMut(u64, &mut [i16]) + Send + 'static,
    ) -> Result<SoundStream, DeviceError> {
        let device = self.find("playback", selector)?;
        let name = name_of(&device);
        let ranges = device
            .supported_output_configs()
            .map_err(|why| DeviceError::Format { name: name.clone(), why: why.to_string() })?;
        let chosen = stream::choose(&name, ranges, device.default_output_config().ok(), &request)?;
        stream::open_playback(device, name, chosen, request, status, source)
    }

    fn find(&self, direction: &'static str, selector: &Selector) -> Result<cpal::Device, DeviceError> {
        let found = match selector {
            Selector::Default if direction == "capture" => self.host.default_input_device(),
            Selector::Default => self.host.default_output_device(),
            Selector::Named(wanted) => self.host.devices().ok().and_then(|mut devices| {
                devices.find(|d| name_of(d) == *wanted || d.id().is_ok_and(|id| id.id() == wanted))
            }),
        };
        found.ok_or_else(|| DeviceError::missing(direction, selector, &self.host_name()))
    }
}

fn name_of(device: &cpal::Device) -> String {
    device.description().map(|d| d.name().to_owned()).unwrap_or_else(|_| "unnamed device".to_owned())
}
