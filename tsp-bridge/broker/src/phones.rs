//! Phones: one open device at a provider, shared by one owner and any number of monitors.
//!
//! In: Phones, OpenPhone, ClosePhone, PhoneStatus, SetPhone; a provider's phone events. Out: the same, to the provider
//! and to every opening.
//!
//! ```text
//! Closed ─first client─▶ Opening ─▶ Open ─last client─▶ Closing ─▶ Closed, or Opening if somebody waits
//!                           └─ refused, or closed by the provider ─▶ Closed
//! ```
//!
//! As with lines, a device is opened or closed by one thread at a time. Who comes second as owner is refused
//! (`ResourceUnavail`) until the first has closed the phone. Extensions are in `extension.rs`.

use std::sync::Arc;

use offhook_spi::{
    AppEvent, AppReply, HPhone, HdPhone, HtPhone, LineError, PhoneCaps, PhoneEvent, PhoneId, PhoneSetting,
    Privilege, RequestId, Tspi,
};

use crate::extension::Extension;
use crate::model::{About, ClientId, Expects, Inner, Outstanding, ProviderId, State};

pub(crate) struct PhoneDevice {
    pub(crate) provider: ProviderId,
    pub(crate) tsp: Arc<dyn Tspi>,
    /// The provider's own number for it.
    pub(crate) number: u32,
    pub(crate) caps: PhoneCaps,
    pub(crate) slot: PhoneSlot,
}

/// Whether a phone is open at its provider.
pub(crate) enum PhoneSlot {
    Closed,
    Opening {
        phone: HtPhone,
        waiting: Vec<Opener>,
        /// The provider closed it before it had said that it is open.
        closed: Option<LineError>,
    },
    Open(HtPhone),
    Closing {
        waiting: Vec<Opener>,
    },
}

/// A client's wish to open a phone.
#[derive(Clone, Copy)]
pub(crate) struct Opener {
    client: ClientId,
    request: RequestId,
    privilege: Privilege,
}

/// An open phone.
pub(crate) struct Phone {
    pub(crate) device: usize,
    provider: ProviderId,
    pub(crate) tsp: Arc<dyn Tspi>,
    pub(crate) hd: HdPhone,
    opens: Vec<Open>,
    pub(crate) extension: Extension<HPhone>,
}

/// A phone as one client has it open.
#[derive(Clone, Copy)]
struct Open {
    client: ClientId,
    phone: HPhone,
    privilege: Privilege,
}

/// What is left to do, without the lock, once a slot has changed.
enum Next {
    Nothing,
    OpenDevice(HtPhone),
    CloseDevice(Arc<dyn Tspi>, HdPhone),
}

impl Inner {
    /// All phones, as their providers describe them now.
    pub(crate) fn phones(&self) -> AppReply {
        let known = |d: &PhoneDevice| (d.tsp.clone(), d.number, d.caps.clone());
        let devices: Vec<_> = self.with(|state| state.phone_devices.iter().map(known).collect());
        let phones = devices.into_iter().map(|(tsp, number, known)| {
            let phone = known.phone;
            tsp.phone_dev_caps(number).map_or(known, |caps| PhoneCaps { phone, ..caps })
        });
        AppReply::Phones(phones.collect())
    }

    pub(crate) fn open_phone(
        &self,
        (client, request): (ClientId, RequestId),
        phone: PhoneId,
        privilege: Privilege,
    ) -> Option<Result<AppReply, LineError>> {
        let opener = Opener { client, request, privilege };
        let next = self.with(|state| {
            let index = state.phone_device(phone)?;
            if privilege == Privilege::None {
                return Err(LineError::InvalParam("owner or monitor".to_owned()));
            }
            let fresh = HtPhone(state.handle());
            let device = state.phone_devices.get_mut(index).ok_or(LineError::BadDeviceId)?;
            let next = match &mut device.slot {
                PhoneSlot::Closed => {
                    let waiting = vec![opener];
                    device.slot = PhoneSlot::Opening { phone: fresh, waiting, closed: None };
                    Next::OpenDevice(fresh)
                }
                PhoneSlot::Opening { waiting, .. } | PhoneSlot::Closing { waiting } => {
                    waiting.push(opener);
                    Next::Nothing
                }
                PhoneSlot::Open(phone) => {
                    let phone = *phone;
                    state.join_phone(phone, opener);
                    Next::Nothing
                }
            };
            Ok((index, next))
        });
        match next {
            Ok((index, next)) => {
                self.go_on_with_phone(index, next);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn go_on_with_phone(&self, index: usize, mut next: Next) {
        loop {
            next = match next {
                Next::Nothing => return,
                Next::OpenDevice(phone) => self.open_phone_device(index, phone),
                Next::CloseDevice(tsp, hd) => self.close_phone_device(index, &*tsp, hd),
            };
        }
    }

    fn open_phone_device(&self, index: usize, phone: HtPhone) -> Next {
        let found = self.with(|state| {
            let device = state.phone_devices.get(index)?;
            Some((device.provider, device.tsp.clone(), device.number))
        });
        let Some((provider, tsp, number)) = found else { return Next::Nothing };
        let opened = tsp.phone_open(number, phone);
        self.with(|state| {
            let Some(device) = state.phone_devices.get_mut(index) else {
                // The broker was shut down meanwhile.
                return opened.map_or(Next::Nothing, |hd| Next::CloseDevice(tsp, hd));
            };
            let PhoneSlot::Opening { waiting, closed, .. } =
                std::mem::replace(&mut device.slot, PhoneSlot::Closed)
            else {
                return Next::Nothing;
            };
            match (opened, closed) {
                (Ok(hd), None) => {
                    device.slot = PhoneSlot::Open(phone);
                    let (opens, extension) = (Vec::new(), Extension::default());
                    let entry = Phone { device: index, provider, tsp, hd, opens, extension };
                    state.phones.insert(phone, entry);
                    for opener in waiting {
                        state.join_phone(phone, opener);
                    }
                    state.close_phone_if_unused(phone)
                }
                (Err(why), _) | (Ok(_), Some(why)) => {
                    for opener in waiting {
                        state.reply(opener.client, opener.request, Err(why.clone()));
                    }
                    Next::Nothing
                }
            }
        })
    }

    fn close_phone_device(&self, index: usize, tsp: &dyn Tspi, hd: HdPhone) -> Next {
        if let Err(error) = tsp.phone_close(hd) {
            tracing::debug!(%error, "the provider did not know the phone that was closed");
        }
        self.with(|state| {
            let fresh = HtPhone(state.handle());
            let Some(device) = state.phone_devices.get_mut(index) else { return Next::Nothing };
            match std::mem::replace(&mut device.slot, PhoneSlot::Closed) {
                PhoneSlot::Closing { waiting } if !waiting.is_empty() => {
                    device.slot = PhoneSlot::Opening { phone: fresh, waiting, closed: None };
                    Next::OpenDevice(fresh)
                }
                _ => Next::Nothing,
            }
        })
    }

    pub(crate) fn close_phone(&self, client: ClientId, phone: HPhone) -> Result<AppReply, LineError> {
        let (ht, index, extension) = self.with(|state| {
            let ht = state.phone_of(client, phone)?;
            if let Some(client) = state.clients.get_mut(&client) {
                client.phones.remove(&phone);
            }
            let why = LineError::failed("the phone was closed");
            // No request about a phone makes calls: nothing is left to tell the provider.
            let _ = state.fail_requests(|r| matches!(r.about, About::Phone(_, of) if of == phone), &why);
            let entry = state.phones.get_mut(&ht).ok_or(LineError::InvalPhoneHandle)?;
            entry.opens.retain(|open| open.phone != phone);
            Ok((ht, entry.device, entry.extension.close((client, phone))))
        })?;
        let next = self.with(|state| state.close_phone_if_unused(ht));
        if extension {
            self.settle_phone(ht);
        }
        self.go_on_with_phone(index, next);
        Ok(AppReply::Done)
    }

    pub(crate) fn phone_status(&self, client: ClientId, phone: HPhone) -> Result<AppReply, LineError> {
        let (tsp, hd) = self.with(|state| {
            let ht = state.phone_of(client, phone)?;
            let entry = state.phones.get(&ht).ok_or(LineError::InvalPhoneHandle)?;
            Ok((entry.tsp.clone(), entry.hd))
        })?;
        tsp.phone_status(hd).map(|status| AppReply::PhoneStatus(Box::new(status)))
    }

    pub(crate) fn set_phone(
        &self,
        who: (ClientId, RequestId),
        phone: HPhone,
        setting: &PhoneSetting,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let ht = state.phone_of(who.0, phone)?;
            let entry = state.phones.get(&ht).ok_or(LineError::InvalPhoneHandle)?;
            let open = entry.opens.iter().find(|open| open.phone == phone);
            if open.is_none_or(|open| open.privilege != Privilege::Owner) {
                return Err(LineError::NotOwner);
            }
            let (tsp, hd, about) = (entry.tsp.clone(), entry.hd, About::Phone(ht, phone));
            let (client, also) = (Some(who), Vec::new());
            let id = state.enter(Outstanding { client, about, also, expects: Expects::Done });
            Ok((tsp, hd, id))
        });
        match entered {
            Ok((tsp, hd, id)) => self.refused(id, tsp.phone_set(id, hd, setting)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The provider closed a phone: everything on it is void.
    pub(crate) fn phone_closed(&self, provider: ProviderId, phone: HtPhone, why: &LineError) {
        self.with(|state| {
            for device in state.phone_devices.iter_mut().filter(|device| device.provider == provider) {
                match &mut device.slot {
                    PhoneSlot::Opening { phone: opening, closed, .. } if *opening == phone => {
                        *closed = Some(why.clone());
                    }
                    PhoneSlot::Open(open) if *open == phone => device.slot = PhoneSlot::Closed,
                    _ => {}
                }
            }
            if state.phones.get(&phone).is_none_or(|entry| entry.provider != provider) {
                return;
            }
            let Some(gone) = state.phones.remove(&phone) else { return };
            let error = LineError::failed(format!("the phone was closed: {why}"));
            let _ = state.fail_requests(|r| matches!(r.about, About::Phone(of, _) if of == phone), &error);
            for (client, request) in gone.extension.waiting() {
                state.reply(client, request, Err(error.clone()));
            }
            for open in gone.opens {
                if let Some(client) = state.clients.get_mut(&open.client) {
                    client.phones.remove(&open.phone);
                }
                state.push(open.client, AppEvent::PhoneClosed { phone: open.phone, why: why.clone() });
            }
        });
    }
}

impl State {
    pub(crate) fn phone_device(&self, phone: PhoneId) -> Result<usize, LineError> {
        let index = usize::try_from(phone.0).map_err(|_| LineError::BadDeviceId)?;
        if index < self.phone_devices.len() { Ok(index) } else { Err(LineError::BadDeviceId) }
    }

    /// A client's open phone.
    pub(crate) fn phone_of(&self, client: ClientId, phone: HPhone) -> Result<HtPhone, LineError> {
        let client = self.clients.get(&client).ok_or(LineError::NoDriver)?;
        client.phones.get(&phone).copied().ok_or(LineError::InvalPhoneHandle)
    }

    /// Whether the phone is one of the provider's.
    pub(crate) fn phone_reports_for(&self, provider: ProviderId, phone: HtPhone) -> bool {
        self.phones.get(&phone).is_some_and(|entry| entry.provider == provider)
    }

    /// Takes out who waits for a phone and is going.
    pub(crate) fn stop_waiting_for_phones(&mut self, client: ClientId) -> Vec<RequestId> {
        let mut requests = Vec::new();
        for device in &mut self.phone_devices {
            if let PhoneSlot::Opening { waiting, .. } | PhoneSlot::Closing { waiting } = &mut device.slot {
                let gone = waiting.extract_if(.., |opener| opener.client == client);
                requests.extend(gone.map(|opener| opener.request));
            }
        }
        requests
    }

    /// Gives a client its handle on an open phone.
    fn join_phone(&mut self, phone: HtPhone, opener: Opener) {
        let Opener { client, request, privilege } = opener;
        let Some(entry) = self.phones.get(&phone).filter(|_| self.clients.contains_key(&client)) else {
            return;
        };
        if privilege == Privilege::Owner && entry.opens.iter().any(|open| open.privilege == Privilege::Owner)
        {
            let taken = LineError::ResourceUnavail("another application owns this phone".to_owned());
            return self.reply(client, request, Err(taken));
        }
        let handle = HPhone(self.handle());
        if let Some(entry) = self.phones.get_mut(&phone) {
            entry.opens.push(Open { client, phone: handle, privilege });
        }
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.phones.insert(handle, phone);
        }
        self.reply(client, request, Ok(AppReply::Phone(handle)));
    }

    /// Takes a phone that no client has open out of the tables.
    fn close_phone_if_unused(&mut self, phone: HtPhone) -> Next {
        if self.phones.get(&phone).is_none_or(|entry| !entry.opens.is_empty()) {
            return Next::Nothing;
        }
        let Some(gone) = self.phones.remove(&phone) else { return Next::Nothing };
        if let Some(device) = self.phone_devices.get_mut(gone.device) {
            device.slot = PhoneSlot::Closing { waiting: Vec::new() };
        }
        let why = LineError::failed("the phone was closed");
        for (client, request) in gone.extension.waiting() {
            self.reply(client, request, Err(why.clone()));
        }
        Next::CloseDevice(gone.tsp, gone.hd)
    }

    /// Something happened to a phone.
    pub(crate) fn phone_event(&mut self, provider: ProviderId, phone: HtPhone, event: &PhoneEvent) {
        let Some(entry) = self.phones.get(&phone).filter(|entry| entry.provider == provider) else {
            self.diagnostics.late_events += 1;
            return;
        };
        let told: Vec<_> = match event {
            PhoneEvent::DevSpecific(_) => entry.extension.users().collect(),
            _ => entry.opens.iter().map(|open| (open.client, open.phone)).collect(),
        };
        for (client, phone) in told {
            self.push(client, AppEvent::Phone { phone, event: event.clone() });
        }
    }
}
