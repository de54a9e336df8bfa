//! A sound host, the devices it has, and the cards that are open.
//! In: names, closures. Out: [`SoundStream`]s; who is there and who is default, for whoever polls.
//! Not here: what is done with a card that comes or goes (`offhook-msp`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait};

use crate::convert::Converter;
use crate::fader::{Fader, Knob};
use crate::hub::Hub;
use crate::open::{Seat, StreamRequest, id_of, name_of};
use crate::rt::{CaptureSeat, PlaybackSeat};
use crate::{DeviceError, SoundStream, quiet};

/// Nanoseconds of a monotonic clock.
pub(crate) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A sound server that has died is asked for anew no oftener.
const REFRESH: Duration = Duration::from_millis(300);

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
    /// The periods (frames) that it says it offers, shortest and longest.
    pub periods: Option<(u32, u32)>,
}

/// A sound host: PulseAudio, ALSA, JACK, or one that a test wrote.
pub struct Sound {
    host: Mutex<Current>,
    /// How to come by another when this one has died.
    make: Option<fn() -> cpal::Host>,
    clock: Clock,
    capture: Mutex<Vec<Weak<Hub<CaptureSeat>>>>,
    playback: Mutex<Vec<Weak<Hub<PlaybackSeat>>>>,
    /// What was found out about devices that are there: some hosts open them to ask.
    known: Mutex<HashMap<String, DeviceInfo>>,
}

struct Current {
    host: Arc<cpal::Host>,
    made: Instant,
    is_suspect: bool,
}

impl Default for Sound {
    fn default() -> Self {
        Self::new()
    }
}

impl Sound {
    /// The system's default host. There need not be any device behind it.
    pub fn new() -> Self {
        let host = quiet::quietly(cpal::default_host);
        Self { make: Some(cpal::default_host), ..Self::with_host(host) }
    }

    /// The hosts that this build knows and this machine has, most wanted first.
    pub fn hosts() -> Vec<String> {
        quiet::quietly(|| cpal::available_hosts().into_iter().map(|id| id.to_string()).collect())
    }

    /// The host of that name, whatever its case.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoHost`] that lists those there are.
    pub fn on(name: &str) -> Result<Self, DeviceError> {
        let ids = quiet::quietly(cpal::available_hosts);
        let found = ids.into_iter().find(|id| id.to_string().eq_ignore_ascii_case(name));
        let missing = |why| DeviceError::NoHost { name: name.to_owned(), why };
        let id = found.ok_or_else(|| missing(format!("there are: {}", Self::hosts().join(", "))))?;
        let host = quiet::quietly(|| cpal::host_from_id(id)).map_err(|why| missing(why.to_string()))?;
        Ok(Self::with_host(host))
    }

    /// A host of the caller's.
    pub fn with_host(host: cpal::Host) -> Self {
        Self {
            host: Mutex::new(Current { host: Arc::new(host), made: Instant::now(), is_suspect: false }),
            make: None,
            clock: Arc::new(monotonic_ns),
            capture: Mutex::default(),
            playback: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Reads another clock than CLOCK_MONOTONIC, nanoseconds: for hosts in virtual time. It must be fit for real time.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// The host's name.
    pub fn host_name(&self) -> String {
        self.host().id().to_string()
    }

    /// Every device that can be opened in some direction. Some hosts open each to find out.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Open`] if the host does not answer.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        lock(&self.known).clear();
        self.present()
    }

    /// Like [`devices`](Self::devices), and only devices that were not there the last time are asked what they are:
    /// cheap enough to be polled.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Open`] if the host does not answer.
    pub fn present(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        quiet::quietly(|| {
            let (host, devices) = self.list()?;
            let default_in = host.default_input_device();
            let default_out = host.default_output_device();
            let mut known = lock(&self.known);
            let mut present = HashMap::new();
            let mut found = Vec::new();
            for device in devices {
                let id = id_of(&device);
                // Some hosts have an input and an output of one identifier: the name is part of the key.
                let key = format!("{id}\n{}", name_of(&device));
                let mut info = known.remove(&key).unwrap_or_else(|| describe(&device));
                info.default = default_in.as_ref() == Some(&device) || default_out.as_ref() == Some(&device);
                if info.capture || info.playback {
                    found.push(info.clone());
                }
                present.insert(key, info);
            }
            *known = present;
            Ok(found)
        })
    }

    fn list(&self) -> Result<(Arc<cpal::Host>, Vec<cpal::Device>), DeviceError> {
        let host = self.host();
        let why = match host.devices() {
            Ok(devices) => return Ok((host, devices.collect())),
            Err(why) => why,
        };
        self.suspect();
        let other = self.host();
        let devices = if Arc::ptr_eq(&host, &other) { Err(why) } else { other.devices() };
        let devices = devices
            .map_err(|why| DeviceError::Open { name: self.host_name(), why: why.to_string() })?
            .collect();
        Ok((other, devices))
    }

    /// The name of the default device that captures. It was not opened, but it says that it could be.
    pub fn default_capture(&self) -> Result<String, DeviceError> {
        self.find_capture(&Selector::Default)
    }

    /// The name of the default device that plays. It was not opened, but it says that it could be.
    pub fn default_playback(&self) -> Result<String, DeviceError> {
        self.find_playback(&Selector::Default)
    }

    /// What tells the default device that captures from others, as [`SoundStream::device_id`] does.
    pub fn default_capture_id(&self) -> Option<String> {
        self.find(CaptureSeat::WAY, &Selector::Default).ok().map(|device| id_of(&device))
    }

    /// What tells the default device that plays from others, as [`SoundStream::device_id`] does.
    pub fn default_playback_id(&self) -> Option<String> {
        self.find(PlaybackSeat::WAY, &Selector::Default).ok().map(|device| id_of(&device))
    }

    /// The name of a device that captures. It was not opened, but it says that it could be.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoDevice`] or [`DeviceError::NotFound`].
    pub fn find_capture(&self, selector: &Selector) -> Result<String, DeviceError> {
        self.usable::<CaptureSeat>(selector)
    }

    /// The name of a device that plays. It was not opened, but it says that it could be.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoDevice`] or [`DeviceError::NotFound`].
    pub fn find_playback(&self, selector: &Selector) -> Result<String, DeviceError> {
        self.usable::<PlaybackSeat>(selector)
    }

    fn usable<T: Seat>(&self, selector: &Selector) -> Result<String, DeviceError> {
        quiet::quietly(|| {
            let device = self.find(T::WAY, selector)?;
            let has_formats = T::ranges(&device).is_ok_and(|ranges| !ranges.is_empty());
            let missing = || DeviceError::missing(T::WAY, selector, &self.host_name());
            has_formats.then(|| name_of(&device)).ok_or_else(missing)
        })
    }

    /// Hears a card: `hear` is called on the card's thread with the monotonic time (ns) at which the block's first
    /// sample was captured, and the block, mono at `request.sample_rate`. It must be fit for real time.
    ///
    /// The card is opened if nobody hears it yet; all who do hear the same. It starts muted:
    /// [`SoundStream::set_gain`].
    ///
    /// # Errors
    ///
    /// [`DeviceError`].
    pub fn capture(
        &self,
        selector: &Selector,
        request: StreamRequest,
        hear: impl FnMut(u64, &[i16]) + Send + 'static,
    ) -> Result<SoundStream, DeviceError> {
        self.join(&self.capture, selector, request, |device_rate, fader| {
            CaptureSeat::new(device_rate, request.sample_rate, fader, Box::new(hear))
        })
    }

    /// Has a card play: `speak` is called on the card's thread with the monotonic time (ns) and fills the block, mono
    /// at `request.sample_rate`. It must be fit for real time.
    ///
    /// The card is opened if it plays for nobody yet; it plays the sum of all. It starts muted:
    /// [`SoundStream::set_gain`].
    ///
    /// # Errors
    ///
    /// [`DeviceError`].
    pub fn playback(
        &self,
        selector: &Selector,
        request: StreamRequest,
        speak: impl FnMut(u64, &mut [i16]) + Send + 'static,
    ) -> Result<SoundStream, DeviceError> {
        self.join(&self.playback, selector, request, |device_rate, fader| {
            PlaybackSeat::new(device_rate, request.sample_rate, fader, Box::new(speak))
        })
    }

    fn join<T: Seat>(
        &self,
        hubs: &Mutex<Vec<Weak<Hub<T>>>>,
        selector: &Selector,
        request: StreamRequest,
        make: impl FnOnce(u32, Fader) -> Result<T, offhook_codecs::UnsupportedRate>,
    ) -> Result<SoundStream, DeviceError> {
        quiet::quietly(|| {
            let device = self.find(T::WAY, selector)?;
            let hub = self.hub(hubs, id_of(&device));
            let knob = Arc::new(Knob::default());
            let joined = hub.join(&device, request, |device_rate| {
                let fader_rate = if T::WAY == CaptureSeat::WAY { device_rate } else { request.sample_rate };
                make(device_rate, Fader::new(Arc::clone(&knob), fader_rate))
                    .map_err(|why| DeviceError::Format { name: name_of(&device), why: why.to_string() })
            });
            let joined = joined.inspect_err(|_| self.suspect())?;
            let delay_ns = Converter::new(joined.rate, request.sample_rate).map_or(0, |c| c.delay_ns());
            Ok(SoundStream::new(hub, (joined.seat, joined.name), knob, delay_ns))
        })
    }

    /// The hub of a device, made if there is none.
    fn hub<T: Seat>(&self, hubs: &Mutex<Vec<Weak<Hub<T>>>>, id: String) -> Arc<Hub<T>> {
        let mut hubs = lock(hubs);
        hubs.retain(|hub| hub.strong_count() > 0);
        if let Some(hub) = hubs.iter().filter_map(Weak::upgrade).find(|hub| hub.id == id) {
            return hub;
        }
        let hub = Arc::new(Hub::new(id, Arc::clone(&self.clock)));
        hubs.push(Arc::downgrade(&hub));
        hub
    }

    /// Looks after the cards that are open: one that breaks too often gets a longer period. To be called a few times a
    /// second, by a thread that may wait for a device.
    pub fn tend(&self) {
        fn all<T: Seat>(hubs: &Mutex<Vec<Weak<Hub<T>>>>) -> Vec<Arc<Hub<T>>> {
            lock(hubs).iter().filter_map(Weak::upgrade).collect()
        }
        quiet::quietly(|| {
            all(&self.capture).iter().for_each(|hub| hub.tend());
            all(&self.playback).iter().for_each(|hub| hub.tend());
        });
    }

    fn find(&self, direction: &'static str, selector: &Selector) -> Result<cpal::Device, DeviceError> {
        let look = |host: &cpal::Host| match selector {
            Selector::Default if direction == CaptureSeat::WAY => host.default_input_device(),
            Selector::Default => host.default_output_device(),
            Selector::Named(wanted) => {
                let is_it = |d: &cpal::Device| id_of(d) == *wanted || name_of(d) == *wanted;
                let faces = |d: &cpal::Device| match direction {
                    CaptureSeat::WAY => d.supports_input(),
                    _ => d.supports_output(),
                };
                host.devices().ok().and_then(|mut devices| devices.find(|d| is_it(d) && faces(d)))
            }
        };
        quiet::quietly(|| {
            let host = self.host();
            look(&host)
                .or_else(|| {
                    self.suspect();
                    let other = self.host();
                    (!Arc::ptr_eq(&host, &other)).then(|| look(&other)).flatten()
                })
                .ok_or_else(|| DeviceError::missing(direction, selector, &self.host_name()))
        })
    }

    /// The host; another one if this one is suspected to be dead.
    fn host(&self) -> Arc<cpal::Host> {
        let mut current = lock(&self.host);
        if let Some(make) = self.make
            && current.is_suspect
            && current.made.elapsed() > REFRESH
        {
            let host = Arc::new(quiet::quietly(make));
            *current = Current { host, made: Instant::now(), is_suspect: false };
        }
        Arc::clone(&current.host)
    }

    fn suspect(&self) {
        lock(&self.host).is_suspect = true;
    }
}

fn describe(device: &cpal::Device) -> DeviceInfo {
    let inputs = CaptureSeat::ranges(device).unwrap_or_default();
    let outputs = PlaybackSeat::ranges(device).unwrap_or_default();
    let all = || inputs.iter().chain(&outputs);
    let rates = all().map(|c| (c.min_sample_rate(), c.max_sample_rate()));
    let periods = all().filter_map(|c| match *c.buffer_size() {
        cpal::SupportedBufferSize::Range { min, max } => Some((min, max)),
        cpal::SupportedBufferSize::Unknown => None,
    });
    let widest = |a: (u32, u32), b: (u32, u32)| (a.0.min(b.0), a.1.max(b.1));
    DeviceInfo {
        name: name_of(device),
        id: device.id().ok().map(|id| id.id().to_owned()),
        capture: !inputs.is_empty(),
        playback: !outputs.is_empty(),
        default: false,
        sample_rates: rates.reduce(widest),
        channels: all().map(|c| c.channels()).max().unwrap_or(0),
        periods: periods.reduce(widest),
    }
}

/// A panic under one of these locks leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// CLOCK_MONOTONIC, read through the vDSO: no system call.
fn monotonic_ns() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
