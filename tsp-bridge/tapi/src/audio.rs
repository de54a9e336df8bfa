//! Settings of a terminal's sound, each with its range.
//!
//! In: a setting and a value. Out: what the MSP makes of it; ranges that say what can be set.
//! What a terminal does not have is not in its list, and an error to ask for.

use offhook_spi::MspError;
use offhook_spi::mspi::Volume;

use crate::{TapiError, Terminal};

/// A setting. Alias `AudioSettingsProperty`.
#[doc(alias = "AudioSettingsProperty")]
#[doc(alias = "ITAudioSettings")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioSetting {
    /// Gain in decibels. Alias `AudioSettings_Volume`.
    #[doc(alias = "AudioSettings_Volume")]
    Volume,
    /// 1 is silent, 0 is not.
    Mute,
    /// Root mean square of the last tenth of a second, dBFS; it can be read only. Alias `AudioSettings_SignalLevel`.
    #[doc(alias = "AudioSettings_SignalLevel")]
    SignalLevel,
    /// Peak of the last tenth of a second, dBFS; it can be read only.
    PeakLevel,
}

/// What a setting can be. Alias `ITAudioSettings::GetRange`.
#[doc(alias = "ITAudioSettings::GetRange")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SettingRange {
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// The distance between two values that differ in effect; 0 for any.
    pub step: f64,
    /// What it is at first; none for what cannot be set.
    pub default: Option<f64>,
}

impl AudioSetting {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Volume, Self::Mute, Self::SignalLevel, Self::PeakLevel];

    /// What it can be.
    pub fn range(self) -> SettingRange {
        let least = f64::from(*Volume::GAIN_DB.start());
        let most = f64::from(*Volume::GAIN_DB.end());
        match self {
            Self::Volume => SettingRange { min: least, max: most, step: 0.0, default: Some(0.0) },
            Self::Mute => SettingRange { min: 0.0, max: 1.0, step: 1.0, default: Some(0.0) },
            Self::SignalLevel | Self::PeakLevel => {
                SettingRange { min: -120.0, max: 0.0, step: 0.0, default: None }
            }
        }
    }
}

impl Terminal {
    /// A setting as it is; none for a level while nothing is heard or said.
    ///
    /// # Errors
    ///
    /// The MSP's, for a terminal that is released.
    #[doc(alias = "ITAudioSettings::Get")]
    pub fn audio_setting(&self, setting: AudioSetting) -> Result<Option<f64>, TapiError> {
        let status = self.status()?;
        Ok(match setting {
            AudioSetting::Volume => Some(status.volume.gain_db.into()),
            AudioSetting::Mute => Some(f64::from(u8::from(status.volume.mute))),
            AudioSetting::SignalLevel => status.level.map(|level| level.rms_dbfs),
            AudioSetting::PeakLevel => status.level.map(|level| level.peak_dbfs),
        })
    }

    /// Sets it.
    ///
    /// # Errors
    ///
    /// [`MspError::OutOfRange`] outside [`AudioSetting::range`] and for what can only be read; the MSP's for a terminal
    /// without sound.
    #[doc(alias = "ITAudioSettings::Set")]
    pub fn set_audio_setting(&self, setting: AudioSetting, value: f64) -> Result<(), TapiError> {
        let SettingRange { min, max, default, .. } = setting.range();
        if default.is_none() {
            return Err(MspError::OutOfRange(format!("{setting:?} can be read only")).into());
        }
        if !(min..=max).contains(&value) {
            let why = format!("{setting:?} of {value}; {min} to {max} is possible");
            return Err(MspError::OutOfRange(why).into());
        }
        match setting {
            AudioSetting::Mute => self.set_mute(value >= 0.5),
            _ => self.set_gain_db(value as f32),
        }
    }
}
