//! Phone devices: hookswitch, buttons, lamps, ringer, display, volume. Alias `TSPI_phone*`.
//!
//! In and out: plain data of [`crate::Tspi`] and [`crate::AppRequest`].

use serde::{Deserialize, Serialize};

use crate::{Opaque, PhoneId};

/// What a phone device has. Alias `PHONECAPS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneCaps {
    /// The broker's number for the device; a provider numbers its own from 0.
    pub phone: PhoneId,
    /// Who made the provider and which it is.
    pub provider: String,
    /// The phone's own name.
    pub name: String,
    /// The hookswitch devices that it has.
    pub hook_switches: Vec<HookSwitchDevice>,
    /// How many buttons; they are numbered from 0.
    pub buttons: u32,
    /// How many lamps; they are numbered from 0.
    pub lamps: u32,
    /// How many ring modes beside silence; they are numbered from 1, 0 is silence.
    pub ring_modes: u32,
    /// Rows of the display.
    pub display_rows: u32,
    /// Columns of the display.
    pub display_columns: u32,
}

/// What is taken off its hook. Alias `PHONEHOOKSWITCHDEV`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HookSwitchDevice {
    /// The handset.
    Handset,
    /// The loudspeaker.
    Speaker,
    /// The headset.
    Headset,
}

/// Which of its ways are open. Alias `PHONEHOOKSWITCHMODE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HookSwitchMode {
    /// Neither microphone nor speaker.
    #[default]
    OnHook,
    /// The microphone only.
    Microphone,
    /// The speaker only.
    Speaker,
    /// Both.
    MicrophoneSpeaker,
}

/// What a lamp does. Alias `PHONELAMPMODE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LampMode {
    /// Dark.
    #[default]
    Off,
    /// Lit.
    Steady,
    /// Slow flashes.
    Wink,
    /// Flashes.
    Flash,
    /// Quick flashes.
    Flutter,
}

/// One thing to set on a phone; the same things are read back by [`PhoneStatus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhoneSetting {
    /// Alias `TSPI_phoneSetHookSwitch`.
    HookSwitch(HookSwitchDevice, HookSwitchMode),
    /// Which lamp. Alias `TSPI_phoneSetLamp`.
    Lamp(u32, LampMode),
    /// The mode, 0 for silence, and the volume, 0 to 65535. Alias `TSPI_phoneSetRing`.
    Ring(u32, u16),
    /// Row, column and text. Alias `TSPI_phoneSetDisplay`.
    Display(u32, u32, String),
    /// Of its speaker, 0 to 65535. Alias `TSPI_phoneSetVolume`.
    Volume(HookSwitchDevice, u16),
    /// Of its microphone, 0 to 65535. Alias `TSPI_phoneSetGain`.
    Gain(HookSwitchDevice, u16),
}

/// How a phone stands. Alias `PHONESTATUS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneStatus {
    /// Each hookswitch device with its mode, volume and gain.
    pub hook_switches: Vec<(HookSwitchDevice, HookSwitchMode, u16, u16)>,
    /// Each lamp, from number 0.
    pub lamps: Vec<LampMode>,
    /// The ring mode, 0 for silence.
    pub ring_mode: u32,
    /// The ring volume.
    pub ring_volume: u16,
    /// The display, a string a row.
    pub display: Vec<String>,
}

/// What a phone reports. Alias `PHONE_*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhoneEvent {
    /// Something was set, by its user or by an application. Alias `PHONE_STATE`.
    Changed(PhoneSetting),
    /// A button went down or up. Alias `PHONE_BUTTON`.
    Button {
        /// Which.
        button: u32,
        /// Down, rather than up.
        down: bool,
    },
    /// A message of its extension. Alias `PHONE_DEVSPECIFIC`.
    DevSpecific(Opaque),
}
