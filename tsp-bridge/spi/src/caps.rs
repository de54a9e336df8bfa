//! What a line can do, and the versions both sides speak.

use serde::{Deserialize, Serialize};

use crate::{CallFeatures, DeviceId, HubTracking};

/// A TAPI interface version, high half major and low half minor (0x0003_0001 = 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApiVersion(
    /// Major version in the high half, minor in the low.
    pub u32,
);

impl ApiVersion {
    /// 3.0: the first version with MSPs.
    pub const V3_0: Self = Self(0x0003_0000);
    /// 3.1: what this stack speaks.
    pub const V3_1: Self = Self(0x0003_0001);

    /// The highest version in both `lowest..=highest` and the provider's `own_lowest..=own_highest`.
    pub fn negotiate(lowest: Self, highest: Self, own_lowest: Self, own_highest: Self) -> Option<Self> {
        let version = highest.min(own_highest);
        (version >= lowest && version >= own_lowest).then_some(version)
    }
}

/// A set of media types. Alias `TAPIMEDIATYPE_*`, `LINEMEDIAMODE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MediaTypes(u8);

impl MediaTypes {
    /// No media.
    pub const NONE: Self = Self(0);
    /// Interactive or automated voice.
    pub const AUDIO: Self = Self(1);
    /// Video.
    pub const VIDEO: Self = Self(2);

    /// Everything in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The kinds of destination a line dials. Alias `LINEADDRESSTYPE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressTypes {
    /// Telephone numbers (dialledDigits).
    pub phone_number: bool,
    /// `host` or `host:port`, literal addresses and names.
    pub ip_address: bool,
    /// `alias@host`.
    pub domain_name: bool,
}

/// What a line device can do. Alias `LINEDEVCAPS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineDevCaps {
    /// The broker's number for the device; a provider numbers its own from 0.
    pub device: DeviceId,
    /// Who made the provider and which it is ("offhook H.323").
    pub provider: String,
    /// The line's own name ("H.323 line on `[::]:1720`").
    pub line_name: String,
    /// Media that calls on this line may carry.
    pub media: MediaTypes,
    /// Destinations it dials.
    pub address_types: AddressTypes,
    /// Whether an MSP belongs to this line. Alias `LINEDEVCAPFLAGS_MSP`.
    pub has_msp: bool,
    /// How many calls may be active at once.
    pub max_active_calls: u32,
    /// The verbs that it has beside placing, accepting, answering and dropping calls. Alias `LINECALLFEATURE_*`,
    /// `LINEADDRFEATURE_*`.
    pub features: CallFeatures,
    /// The most that it can say about call hubs; beyond [`HubTracking::None`] it fills
    /// [`CallInfo::call_id`](crate::CallInfo::call_id). Alias `LINEDEVCAPFLAGS_CALLHUB`,
    /// `LINEDEVCAPFLAGS_CALLHUBTRACKING`.
    pub hub_tracking: HubTracking,
    /// How many calls one conference may have, the device's own user not counted; 0 without conferences.
    /// Alias `dwMaxNumConference`.
    pub max_conference: u32,
    /// The machine whose broker has the device, by the name it goes by here; none if that is this broker. Sound of its
    /// calls is made here all the same. Alias `LINEDEVCAPFLAGS_LOCAL`.
    pub machine: Option<String>,
}

/// The extension of TAPI that a device has: 16 octets that nobody else uses. Alias `LINEEXTENSIONID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExtensionId(
    /// The octets.
    pub [u8; 16],
);

/// A version of a device's extension, high half major and low half minor. 0 is none: nothing device-specific passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExtensionVersion(
    /// Major version in the high half, minor in the low.
    pub u32,
);

impl ExtensionVersion {
    /// The highest version in both `lowest..=highest` and the provider's `own_lowest..=own_highest`.
    pub fn negotiate(lowest: Self, highest: Self, own_lowest: Self, own_highest: Self) -> Option<Self> {
        let version = highest.min(own_highest);
        (version >= lowest && version >= own_lowest).then_some(version)
    }
}

/// What an application may do with a call. Alias `LINECALLPRIVILEGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Privilege {
    /// May place calls; is told of none that arrive.
    None,
    /// Sees calls and may not touch them.
    Monitor,
    /// Answers, drops and hands on calls.
    Owner,
}
