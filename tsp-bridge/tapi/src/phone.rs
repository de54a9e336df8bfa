//! A phone: hookswitch, buttons, lamps, ringer, display, volume.
//!
//! In: the application's verbs; the pump's reports. Out: requests; [`Event::Phone`](crate::Event::Phone).
//! Not here: sound (a phone's is its line's), and the calls of its line.

use std::fmt;
use std::sync::{Arc, Mutex};

use offhook_spi::{
    AppReply, AppRequest, ExtensionId, ExtensionVersion, HPhone, LineError, Opaque, PhoneCaps, PhoneSetting,
    PhoneStatus, Privilege,
};

use crate::core::{Core, Pending, Session, count, lock, unexpected_reply};
use crate::event::Raw;
use crate::{PhoneNotice, Tapi, TapiError};

/// A phone device. Cheap to clone; open, it is closed when the last clone has gone.
#[doc(alias = "ITPhone")]
#[doc(alias = "ITAutomatedPhoneControl")]
#[derive(Clone)]
pub struct Phone(Arc<PhoneHandle>);

struct PhoneHandle {
    shared: Arc<PhoneShared>,
    session: Arc<Session>,
}

/// What the pump knows of it.
pub(crate) struct PhoneShared {
    core: Arc<Core>,
    caps: PhoneCaps,
    handle: Mutex<Option<HPhone>>,
    holder: Mutex<std::sync::Weak<PhoneHandle>>,
}

impl Tapi {
    /// The phone devices of the broker.
    #[doc(alias = "ITTAPI2::get_Phones")]
    pub async fn phones(&self) -> Result<Vec<Phone>, TapiError> {
        let core = &self.session.core;
        let AppReply::Phones(phones) = core.request(AppRequest::Phones).await? else {
            return Err(unexpected_reply());
        };
        Ok(phones.into_iter().map(|caps| Phone::new(core, caps, &self.session)).collect())
    }
}

impl Phone {
    fn new(core: &Arc<Core>, caps: PhoneCaps, session: &Arc<Session>) -> Self {
        let shared = Arc::new(PhoneShared {
            core: core.clone(),
            caps,
            handle: Mutex::default(),
            holder: Mutex::default(),
        });
        let handle = Arc::new(PhoneHandle { shared: shared.clone(), session: session.clone() });
        *lock(&shared.holder) = Arc::downgrade(&handle);
        Self(handle)
    }

    /// What it has.
    #[doc(alias = "ITPhone::get_PhoneCapsLong")]
    pub fn caps(&self) -> &PhoneCaps {
        &self.0.shared.caps
    }

    /// Opens it: as its owner, of whom there is one, or as one of any number of monitors.
    #[doc(alias = "ITPhone::Open")]
    pub async fn open(&self, privilege: Privilege) -> Result<(), TapiError> {
        let shared = &self.0.shared;
        if lock(&shared.handle).is_some() {
            return Err(TapiError::AlreadyOpen);
        }
        let what = AppRequest::OpenPhone { phone: shared.caps.phone, privilege };
        match shared.core.request_with(what, |tx| Pending::OpenPhone(shared.clone(), tx)).await? {
            AppReply::Phone(_) => Ok(()),
            _ => Err(unexpected_reply()),
        }
    }

    /// Closes it.
    #[doc(alias = "ITPhone::Close")]
    pub async fn close(&self) -> Result<(), TapiError> {
        let phone = self.take()?;
        self.0.session.core.request(AppRequest::ClosePhone { phone }).await.map(drop)
    }

    /// How it stands.
    #[doc(alias = "ITPhone::get_HookSwitchState")]
    #[doc(alias = "ITPhone::get_RingMode")]
    #[doc(alias = "ITPhone::get_Display")]
    pub async fn status(&self) -> Result<PhoneStatus, TapiError> {
        let phone = self.handle()?;
        match self.0.session.core.request(AppRequest::PhoneStatus { phone }).await? {
            AppReply::PhoneStatus(status) => Ok(*status),
            _ => Err(unexpected_reply()),
        }
    }

    /// Sets something on it; its owner only.
    #[doc(alias = "ITPhone::put_HookSwitchState")]
    #[doc(alias = "ITPhone::put_LampMode")]
    #[doc(alias = "ITPhone::SetDisplay")]
    pub async fn set(&self, setting: PhoneSetting) -> Result<(), TapiError> {
        let phone = self.handle()?;
        self.0.session.core.request(AppRequest::SetPhone { phone, setting }).await.map(drop)
    }

    /// Its extension of TAPI, and the version to use of those from `lowest` to `highest`.
    #[doc(alias = "phoneNegotiateExtVersion")]
    pub async fn extension(
        &self,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), TapiError> {
        let phone = self.caps().phone;
        let what = AppRequest::NegotiatePhoneExtVersion { phone, lowest, highest };
        match self.0.session.core.request(what).await? {
            AppReply::Extension { id, version } => Ok((id, version)),
            _ => Err(unexpected_reply()),
        }
    }

    /// From now on its extension is spoken in this version; 0 ends it.
    #[doc(alias = "TSPI_phoneSelectExtVersion")]
    pub async fn select_extension(&self, version: ExtensionVersion) -> Result<(), TapiError> {
        let phone = self.handle()?;
        self.0.session.core.request(AppRequest::SelectPhoneExtVersion { phone, version }).await.map(drop)
    }

    /// A word of its extension; what is answered.
    #[doc(alias = "ITPhone::DeviceSpecific")]
    #[doc(alias = "phoneDevSpecific")]
    pub async fn dev_specific(&self, data: Opaque) -> Result<Opaque, TapiError> {
        let phone = self.handle()?;
        match self.0.session.core.request(AppRequest::PhoneDevSpecific { phone, data }).await? {
            AppReply::DevSpecific(data) => Ok(data),
            _ => Err(unexpected_reply()),
        }
    }

    fn handle(&self) -> Result<HPhone, TapiError> {
        lock(&self.0.shared.handle).ok_or(TapiError::NotOpen)
    }

    fn take(&self) -> Result<HPhone, TapiError> {
        self.0.shared.forget().ok_or(TapiError::NotOpen)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({} {:?})", self.caps().phone.0, self.caps().name)
    }
}

impl PartialEq for Phone {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.shared, &other.0.shared)
    }
}

impl Eq for Phone {}

impl Drop for PhoneHandle {
    fn drop(&mut self) {
        if let Some(phone) = self.shared.forget() {
            // A broker that has gone has closed it.
            let _ = self.shared.core.submit(AppRequest::ClosePhone { phone }, Pending::Nobody);
        }
    }
}

impl PhoneShared {
    /// It is not open any more; by which handle it was.
    fn forget(&self) -> Option<HPhone> {
        let phone = lock(&self.handle).take()?;
        lock(&self.core.registry).phones.remove(&phone);
        Some(phone)
    }
}

/// The broker has opened it.
pub(crate) fn opened(core: &Core, phone: &Arc<PhoneShared>, handle: HPhone) {
    let second = lock(&phone.handle).replace(handle);
    lock(&core.registry).phones.insert(handle, phone.clone());
    let is_held = lock(&phone.holder).strong_count() > 0;
    // Opened twice at once, or given up meanwhile.
    let unwanted = if is_held { second } else { phone.forget() };
    if let Some(phone) = unwanted {
        lock(&core.registry).phones.remove(&phone);
        let _ = core.submit(AppRequest::ClosePhone { phone }, Pending::Nobody);
    }
}

/// It reports something, or has gone.
pub(crate) fn reported(core: &Core, handle: HPhone, event: PhoneNotice) {
    let Some(shared) = lock(&core.registry).phones.get(&handle).cloned() else {
        return count(&core.counts.stray_events);
    };
    if matches!(event, PhoneNotice::Closed(_)) {
        shared.forget();
    }
    let holder = lock(&shared.holder).upgrade();
    if let Some(phone) = holder.map(Phone) {
        core.subscribers.emit(Raw::Phone { phone, event });
    }
}

/// The broker has gone, and every phone with it.
pub(crate) fn all_gone(core: &Core) {
    let phones: Vec<_> = lock(&core.registry).phones.keys().copied().collect();
    for phone in phones {
        reported(core, phone, PhoneNotice::Closed(LineError::NoDriver));
    }
}
