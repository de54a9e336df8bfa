//! What the fake switch is like.
//!
//! In: nothing. Out: [`ScriptedConfig`], and with [`ScriptedConfig::switch`] the exchange that its lines belong to.

use std::collections::BTreeMap;

use offhook_spi::{
    ApiVersion, CallFeatures, DisconnectMode, ExtensionId, ExtensionVersion, MediaTypes, Opaque,
};

/// What the provider is like.
#[derive(Clone, Debug)]
pub struct ScriptedConfig {
    /// The provider's name.
    pub name: String,
    /// How many line devices.
    pub devices: u32,
    /// Media of every line.
    pub media: MediaTypes,
    /// Whether its lines have an MSP.
    pub has_msp: bool,
    /// Versions that it speaks, lowest and highest.
    pub versions: (ApiVersion, ApiVersion),
    /// Calls that a line carries at once; 0 for any number.
    pub max_active_calls: u32,
    /// Who moves the agenda.
    pub drive: Drive,
    /// The verbs that it may have; what it has is named by its capabilities, the rest answers `OperationUnavail`.
    pub features: CallFeatures,
    /// With it the lines are extensions of one exchange that behaves by itself, and scripts are not used.
    pub switch: Option<SwitchConfig>,
}

impl Default for ScriptedConfig {
    fn default() -> Self {
        Self {
            name: "scripted".to_owned(),
            devices: 1,
            media: MediaTypes::AUDIO,
            has_msp: true,
            versions: (ApiVersion::V3_0, ApiVersion::V3_1),
            max_active_calls: 0,
            drive: Drive::Stepped,
            features: CallFeatures::from_bits(u32::MAX),
            switch: None,
        }
    }
}

impl ScriptedConfig {
    /// An exchange with `devices` extensions that moves by itself.
    pub fn switch(devices: u32) -> Self {
        let switch = Some(SwitchConfig::default());
        Self { devices, switch, drive: Drive::Immediate, ..Self::default() }
    }

    /// The verbs that it has.
    pub(crate) fn offered(&self) -> CallFeatures {
        let scripts =
            CallFeatures::GENERATE_DIGITS.union(CallFeatures::MONITOR_DIGITS).union(CallFeatures::ACCEPT);
        let had = match self.switch {
            None => scripts,
            Some(_) => CallFeatures::from_bits(u32::MAX).without(CallFeatures::Q931),
        };
        let cleared = CallFeatures::from_bits(u32::MAX).without(self.features);
        had.without(cleared)
    }
}

/// Who moves the agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// [`Scripted::step`](crate::Scripted::step) and [`Scripted::run`](crate::Scripted::run).
    Stepped,
    /// It moves by itself, from inside whatever put something on it.
    Immediate,
}

/// What the exchange is like.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// The number of device 0; the others follow.
    pub first_extension: u32,
    /// Calls with which an extension counts as busy to further ones; 0: it never is.
    pub busy_at: usize,
    /// The group of each device for pickup, by name; a device beyond the list is in `"1"`.
    pub groups: Vec<String>,
    /// Numbers beyond its own, and what whoever is there does when called. Other numbers do not exist.
    pub outside: BTreeMap<String, Outside>,
    /// Where calls are parked: the first number, and how many.
    pub park: (u32, u32),
    /// Calls that one conference holds.
    pub max_conference: u32,
    /// What it tells the MSPs of a call when its media begin and when they end.
    pub buffers: Option<Buffers>,
    /// The extension of TAPI that its lines and its phone have, with its versions, lowest and highest.
    pub extension: Option<(ExtensionId, ExtensionVersion, ExtensionVersion)>,
    /// Whether it has a phone device.
    pub phone: bool,
}

impl Default for SwitchConfig {
    /// Extensions 100, 101 …; outside 5550001 rings, 5550002 answers, 5550003 is busy; ten places to park from 700.
    fn default() -> Self {
        let outside =
            [("5550001", Outside::Rings), ("5550002", Outside::Answers), ("5550003", Outside::Busy)];
        let words = Opaque::new(&b"start"[..]).ok().zip(Opaque::new(&b"stop"[..]).ok());
        let versions = (ExtensionVersion(0x0001_0000), ExtensionVersion(0x0001_0001));
        Self {
            first_extension: 100,
            busy_at: 4,
            groups: Vec::new(),
            outside: outside.map(|(number, what)| (number.to_owned(), what)).into(),
            park: (700, 10),
            max_conference: 8,
            buffers: words.map(|(start, stop)| Buffers { start, stop }),
            extension: Some((ExtensionId(*b"offhook scripted"), versions.0, versions.1)),
            phone: true,
        }
    }
}

/// What whoever is at an outside number does when called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// It rings until [`Scripted::far_end_answers`](crate::Scripted::far_end_answers).
    Rings,
    /// Answers at once.
    Answers,
    /// Is busy.
    Busy,
    /// Ends the call with this.
    Ends(DisconnectMode),
}

/// What the exchange tells MSPs, in octets that only its own MSP understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// The call's media begin.
    pub start: Opaque,
    /// They end.
    pub stop: Opaque,
}
