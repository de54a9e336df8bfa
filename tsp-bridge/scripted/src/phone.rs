//! The exchange's one phone device: handset and loudspeaker, buttons, lamps, a bell and a display.
//!
//! In: settings of applications, and of whoever sits at it ([`Scripted::user_sets`], [`Scripted::press`]). Out: what
//! changed. A change is told whoever made it, after the completion of the request that asked for it.

use offhook_spi::{
    Completion, ExtensionVersion, HdPhone, HookSwitchDevice, HookSwitchMode, HtPhone, LampMode, LineError,
    Opaque, PhoneCaps, PhoneEvent, PhoneId, PhoneSetting, PhoneStatus, RequestId,
};

use crate::Scripted;
use crate::state::{Move, State};

const DEVICES: [HookSwitchDevice; 2] = [HookSwitchDevice::Handset, HookSwitchDevice::Speaker];
const BUTTONS: u32 = 16;
const LAMPS: usize = 4;
const RING_MODES: u32 = 3;
const ROWS: usize = 2;
const COLUMNS: usize = 20;

/// The phone as it stands.
pub(crate) struct FakePhone {
    open: Option<(HdPhone, HtPhone)>,
    status: PhoneStatus,
    extension: ExtensionVersion,
}

impl Default for FakePhone {
    fn default() -> Self {
        let middle = u16::MAX / 2;
        let status = PhoneStatus {
            hook_switches: DEVICES.map(|device| (device, HookSwitchMode::OnHook, middle, middle)).into(),
            lamps: vec![LampMode::Off; LAMPS],
            ring_mode: 0,
            ring_volume: middle,
            display: vec![" ".repeat(COLUMNS); ROWS],
        };
        Self { open: None, status, extension: ExtensionVersion(0) }
    }
}

impl FakePhone {
    /// The broker's name of the phone, while it is open.
    pub(crate) fn open_as(&self) -> Option<HtPhone> {
        self.open.map(|(_, ht)| ht)
    }

    fn known(&self, phone: HdPhone) -> Result<(), LineError> {
        match self.open {
            Some((hd, _)) if hd == phone => Ok(()),
            _ => Err(LineError::InvalPhoneHandle),
        }
    }

    /// Takes a setting, or says what is wrong with it.
    fn set(&mut self, setting: &PhoneSetting) -> Result<(), LineError> {
        let wrong = |what: String| Err(LineError::InvalParam(what));
        match setting {
            PhoneSetting::HookSwitch(device, _)
            | PhoneSetting::Volume(device, _)
            | PhoneSetting::Gain(device, _) => {
                let found = self.status.hook_switches.iter_mut().find(|(known, ..)| known == device);
                let Some((_, mode, volume, gain)) = found else {
                    return wrong(format!("the phone has no {device:?}"));
                };
                match setting {
                    PhoneSetting::HookSwitch(_, next) => *mode = *next,
                    PhoneSetting::Volume(_, next) => *volume = *next,
                    PhoneSetting::Gain(_, next) => *gain = *next,
                    PhoneSetting::Lamp(..) | PhoneSetting::Ring(..) | PhoneSetting::Display(..) => {}
                }
            }
            PhoneSetting::Lamp(lamp, mode) => {
                match usize::try_from(*lamp).ok().and_then(|lamp| self.status.lamps.get_mut(lamp)) {
                    Some(known) => *known = *mode,
                    None => return wrong(format!("the phone has no lamp {lamp}")),
                }
            }
            PhoneSetting::Ring(mode, volume) => {
                if *mode > RING_MODES {
                    return wrong(format!("the phone has no ring mode {mode}"));
                }
                (self.status.ring_mode, self.status.ring_volume) = (*mode, *volume);
            }
            PhoneSetting::Display(row, column, text) => {
                let place = usize::try_from(*row).ok().zip(usize::try_from(*column).ok());
                let found = place.and_then(|(row, column)| Some((self.status.display.get_mut(row)?, column)));
                match found {
                    Some((line, column)) if column + text.chars().count() <= COLUMNS => {
                        let (before, after) =
                            (line.chars().take(column), line.chars().skip(column + text.chars().count()));
                        *line = before.chain(text.chars()).chain(after).collect();
                    }
                    _ => return wrong(format!("{text:?} at {row}, {column} is beyond the display")),
                }
            }
        }
        Ok(())
    }
}

/// What the phone has.
pub(crate) fn caps(provider: &str) -> PhoneCaps {
    PhoneCaps {
        phone: PhoneId(0),
        provider: provider.to_owned(),
        name: format!("{provider} phone"),
        hook_switches: DEVICES.into(),
        buttons: BUTTONS,
        lamps: LAMPS as u32,
        ring_modes: RING_MODES,
        display_rows: ROWS as u32,
        display_columns: COLUMNS as u32,
    }
}

impl State {
    pub(crate) fn has_phone(&self, device: u32) -> Result<(), LineError> {
        let there = device == 0 && self.switch.as_ref().is_some_and(|rules| rules.phone);
        if there { Ok(()) } else { Err(LineError::BadDeviceId) }
    }

    pub(crate) fn open_phone(&mut self, device: u32, ht: HtPhone) -> Result<HdPhone, LineError> {
        self.has_phone(device)?;
        if self.phone.open.is_some() {
            return Err(LineError::failed("open already"));
        }
        let hd = HdPhone(self.handle());
        self.phone.open = Some((hd, ht));
        Ok(hd)
    }

    pub(crate) fn close_phone(&mut self, phone: HdPhone) -> Result<(), LineError> {
        self.phone.known(phone)?;
        (self.phone.open, self.phone.extension) = (None, ExtensionVersion(0));
        // A phone that is closed is not spoken of again.
        self.agenda.retain(|next| !matches!(next, Move::Phone(_)));
        Ok(())
    }

    pub(crate) fn phone_status(&self, phone: HdPhone) -> Result<PhoneStatus, LineError> {
        self.phone.known(phone).map(|()| self.phone.status.clone())
    }

    pub(crate) fn set_phone(
        &mut self,
        request: RequestId,
        phone: HdPhone,
        setting: &PhoneSetting,
    ) -> Result<(), LineError> {
        self.phone.known(phone)?;
        self.phone.set(setting)?;
        self.answer(None, request, Ok(Completion::Done));
        self.agenda.push_back(Move::Phone(PhoneEvent::Changed(setting.clone())));
        Ok(())
    }

    pub(crate) fn select_phone_extension(
        &mut self,
        phone: HdPhone,
        version: ExtensionVersion,
    ) -> Result<(), LineError> {
        self.phone.known(phone)?;
        self.check_extension(version)?;
        self.phone.extension = version;
        Ok(())
    }

    /// A word of the phone's extension: it is answered as it came, and told.
    pub(crate) fn phone_dev_specific(
        &mut self,
        request: RequestId,
        phone: HdPhone,
        data: &Opaque,
    ) -> Result<(), LineError> {
        self.phone.known(phone)?;
        if self.phone.extension == ExtensionVersion(0) {
            return Err(LineError::IncompatibleExtVersion);
        }
        self.answer(None, request, Ok(Completion::DevSpecific(data.clone())));
        self.agenda.push_back(Move::Phone(PhoneEvent::DevSpecific(data.clone())));
        Ok(())
    }

    /// An error unless it is a version of the extension, or none.
    pub(crate) fn check_extension(&self, version: ExtensionVersion) -> Result<(), LineError> {
        let (_, lowest, highest) =
            self.switch.as_ref().and_then(|rules| rules.extension).ok_or(LineError::OperationUnavail)?;
        let known = version == ExtensionVersion(0) || (lowest..=highest).contains(&version);
        if known { Ok(()) } else { Err(LineError::IncompatibleExtVersion) }
    }
}

/// Who sits at the phone.
impl Scripted {
    /// Sets something at the phone: lifts the handset, turns a knob.
    pub fn user_sets(&self, setting: PhoneSetting) -> Result<(), LineError> {
        {
            let mut state = self.lock();
            state.has_phone(0)?;
            state.phone.set(&setting)?;
            state.agenda.push_back(Move::Phone(PhoneEvent::Changed(setting)));
        }
        self.moved();
        Ok(())
    }

    /// Presses a button, or lets it go.
    pub fn press(&self, button: u32, down: bool) -> Result<(), LineError> {
        {
            let mut state = self.lock();
            state.has_phone(0)?;
            if button >= BUTTONS {
                return Err(LineError::InvalParam(format!("the phone has no button {button}")));
            }
            state.agenda.push_back(Move::Phone(PhoneEvent::Button { button, down }));
        }
        self.moved();
        Ok(())
    }

    /// Pulls the phone's plug.
    pub fn unplug_phone(&self, why: LineError) {
        let told = {
            let mut state = self.lock();
            let events = state.events.clone();
            state.agenda.retain(|next| !matches!(next, Move::Phone(_)));
            let open = state.phone.open.take();
            state.phone.extension = ExtensionVersion(0);
            events.zip(open)
        };
        if let Some((events, (_, phone))) = told {
            events.phone_closed(phone, why);
        }
    }
}
