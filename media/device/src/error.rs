//! What a sound card can fail with, and what to do about it.

use crate::Selector;

/// Why no sound could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The machine has no card for this direction, or its sound server does not run.
    #[error(
        "no {direction} sound device found on host {host}; plug one in or start the sound server, or go on without: \
         use a WAV file or a null terminal instead"
    )]
    NoDevice {
        /// "capture" or "playback".
        direction: &'static str,
        /// The sound host that was asked (ALSA, PulseAudio …).
        host: String,
    },
    /// There are devices, but none of that name.
    #[error("no {direction} sound device named {name:?}; `offhook devices` lists what there is")]
    NotFound {
        /// "capture" or "playback".
        direction: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// The device has no format that we can convert.
    #[error("sound device {name:?} offers no usable format: {why}")]
    Format {
        /// The device.
        name: String,
        /// What it said.
        why: String,
    },
    /// The system refused: busy, unplugged, no permission.
    #[error("sound device {name:?}: {why}")]
    Open {
        /// The device.
        name: String,
        /// What it said.
        why: String,
    },
    /// The device opened and then did not call.
    #[error("sound device {0:?} was opened and does not run")]
    Silent(String),
    /// Too many share it.
    #[error("sound device {name:?} is shared by {most} already")]
    Full {
        /// The device.
        name: String,
        /// How many can.
        most: usize,
    },
    /// There is no sound host of that name.
    #[error("no sound host {name:?}: {why}")]
    NoHost {
        /// The name that was asked for.
        name: String,
        /// What there is, or what failed.
        why: String,
    },
}

impl DeviceError {
    pub(crate) fn missing(direction: &'static str, selector: &Selector, host: &str) -> Self {
        match selector {
            Selector::Default => Self::NoDevice { direction, host: host.to_owned() },
            Selector::Named(name) => Self::NotFound { direction, name: name.clone() },
        }
    }
}
