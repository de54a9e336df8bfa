//! cpal's traits over a [`World`].
//! In: cpal's calls. Out: cards and streams of the world.
//! Not here: what cards do (`card.rs`), when (`lib.rs`).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Data, DeviceDescription, DeviceDescriptionBuilder, DeviceId, Error, ErrorKind, FrameCount,
    HostId, InputCallbackInfo, OutputCallbackInfo, SampleFormat, StreamConfig, StreamInstant,
    SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
};

use crate::World;
use crate::card::{Callback, CardSpec, Handle, Open, Way};

pub(crate) struct Host(pub(crate) World);

#[derive(Clone)]
pub(crate) struct Device {
    world: World,
    spec: CardSpec,
}

pub(crate) struct Stream {
    world: World,
    name: String,
    hangs: bool,
    period: u32,
    handle: Arc<Handle>,
}

impl HostTrait for Host {
    type Devices = std::vec::IntoIter<Device>;
    type Device = Device;

    fn is_available() -> bool {
        true
    }

    fn devices(&self) -> Result<Self::Devices, Error> {
        let specs: Vec<_> = self.0.lock().cards.iter().map(|card| card.spec.clone()).collect();
        let device = |spec| Device { world: self.0.clone(), spec };
        Ok(specs.into_iter().map(device).collect::<Vec<_>>().into_iter())
    }

    fn default_input_device(&self) -> Option<Device> {
        self.default(Way::Capture)
    }

    fn default_output_device(&self) -> Option<Device> {
        self.default(Way::Playback)
    }
}

impl Host {
    fn default(&self, way: Way) -> Option<Device> {
        let name = self.0.lock().default_of(way)?;
        self.devices().ok()?.find(|device| device.spec.name == name)
    }
}

impl Device {
    fn ranges(&self, way: Way) -> Vec<SupportedStreamConfigRange> {
        let spec = &self.spec;
        if !spec.has(way) {
            return Vec::new();
        }
        let size = SupportedBufferSize::Range { min: spec.periods.0, max: spec.periods.1 };
        let range = |rate| SupportedStreamConfigRange::new(spec.channels(way), rate, rate, size, spec.format);
        spec.rates.iter().map(|rate| range(*rate)).collect()
    }

    fn default_config(&self, way: Way) -> Result<SupportedStreamConfig, Error> {
        let first = self.ranges(way).into_iter().next();
        first.map(|range| range.with_max_sample_rate()).ok_or(Error::new(ErrorKind::UnsupportedOperation))
    }

    fn open(
        &self,
        way: Way,
        config: StreamConfig,
        format: SampleFormat,
        callback: Callback,
        error: Box<dyn FnMut(Error) + Send>,
    ) -> Result<Stream, Error> {
        let fits = |range: &SupportedStreamConfigRange| range.contains_rate(config.sample_rate);
        if format != self.spec.format
            || config.channels != self.spec.channels(way)
            || !self.ranges(way).iter().any(fits)
        {
            return Err(Error::new(ErrorKind::UnsupportedConfig));
        }
        let period = match config.buffer_size {
            BufferSize::Fixed(frames) => frames.clamp(self.spec.periods.0, self.spec.periods.1),
            // As long as a sound server's: nobody should ask for it.
            BufferSize::Default => 2 * config.sample_rate,
        };
        let handle = Arc::new(Handle::default());
        let mut inner = self.world.lock();
        let stream = (inner.next_stream, inner.now_ns);
        inner.next_stream += 1;
        inner.opened += 1;
        let Some(card) = inner.cards.iter_mut().find(|card| card.spec.name == self.spec.name) else {
            return Err(Error::new(ErrorKind::DeviceNotAvailable));
        };
        // One stream a direction, as hardware has it.
        card.streams.retain(|open| !open.is_closed());
        if card.streams.iter().any(|open| open.way == way) {
            return Err(Error::new(ErrorKind::DeviceBusy));
        }
        let open =
            Open::new(stream, way, &card.spec, &config, period, (callback, error), Arc::clone(&handle));
        card.streams.push(open);
        let name = self.spec.name.clone();
        Ok(Stream { world: self.world.clone(), name, hangs: self.spec.hangs, period, handle })
    }
}

impl DeviceTrait for Device {
    type SupportedInputConfigs = std::vec::IntoIter<SupportedStreamConfigRange>;
    type SupportedOutputConfigs = std::vec::IntoIter<SupportedStreamConfigRange>;
    type Stream = Stream;

    fn description(&self) -> Result<DeviceDescription, Error> {
        Ok(DeviceDescriptionBuilder::new(self.spec.name.as_str()).build())
    }

    fn id(&self) -> Result<DeviceId, Error> {
        Ok(DeviceId::new(HostId::Custom, format!("virtual:{}", self.spec.name)))
    }

    fn supported_input_configs(&self) -> Result<Self::SupportedInputConfigs, Error> {
        Ok(self.ranges(Way::Capture).into_iter())
    }

    fn supported_output_configs(&self) -> Result<Self::SupportedOutputConfigs, Error> {
        Ok(self.ranges(Way::Playback).into_iter())
    }

    fn default_input_config(&self) -> Result<SupportedStreamConfig, Error> {
        self.default_config(Way::Capture)
    }

    fn default_output_config(&self) -> Result<SupportedStreamConfig, Error> {
        self.default_config(Way::Playback)
    }

    fn build_input_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        format: SampleFormat,
        data: D,
        error: E,
        _: Option<Duration>,
    ) -> Result<Stream, Error>
    where
        D: FnMut(&Data, &InputCallbackInfo) + Send + 'static,
        E: FnMut(Error) + Send + 'static,
    {
        self.open(Way::Capture, config, format, Callback::Capture(Box::new(data)), Box::new(error))
    }

    fn build_output_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        format: SampleFormat,
        data: D,
        error: E,
        _: Option<Duration>,
    ) -> Result<Stream, Error>
    where
        D: FnMut(&mut Data, &OutputCallbackInfo) + Send + 'static,
        E: FnMut(Error) + Send + 'static,
    {
        self.open(Way::Playback, config, format, Callback::Playback(Box::new(data)), Box::new(error))
    }
}

impl StreamTrait for Stream {
    fn play(&self) -> Result<(), Error> {
        self.handle.is_playing.store(true, Ordering::Release);
        Ok(())
    }

    fn pause(&self) -> Result<(), Error> {
        self.handle.is_playing.store(false, Ordering::Release);
        Ok(())
    }

    fn now(&self) -> StreamInstant {
        let now = self.world.now_ns();
        StreamInstant::new(now / 1_000_000_000, (now % 1_000_000_000) as u32)
    }

    fn buffer_size(&self) -> Result<FrameCount, Error> {
        Ok(self.period)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.handle.is_closed.store(true, Ordering::Release);
        let give_up = Instant::now() + Duration::from_secs(1);
        let is_gone = || !self.world.lock().cards.iter().any(|card| card.spec.name == self.name);
        while self.hangs && is_gone() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for Device {}

impl Hash for Device {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Device").field(&self.spec.name).finish()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec.name)
    }
}
