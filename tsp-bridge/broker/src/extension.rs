//! Extensions: what a device can do beyond TAPI, as octets that nobody here reads.
//!
//! In: NegotiateExtVersion, SelectExtVersion, DevSpecific, and the same of phones; a provider's messages. Out: the same,
//! to the other side.
//!
//! ```text
//! 0 (none) ─first selection: the provider is asked─▶ version ─last opening deselects or closes─▶ 0
//! ```
//!
//! An opening of a line or phone selects a version that its client negotiated for the device; 0 deselects. All openings
//! of one device speak the same version: a second one with another is refused (`IncompatibleExtVersion`), and so is a
//! negotiation that leaves the selected one out. Who has not selected can neither speak (`IncompatibleExtVersion`) nor
//! hear. Any holder of a call may speak about it, a monitor too: what the words mean only the provider knows.
//! Selections of one device are worked on one after the other, by one thread at a time.

use std::collections::VecDeque;

use offhook_spi::{
    AppEvent, AppReply, DeviceId, ExtensionId, ExtensionVersion, HCall, HLine, HPhone, HtCall, HtLine,
    HtPhone, LineError, Opaque, PhoneId, RequestId,
};

use crate::model::{About, ClientId, Expects, Inner, Outstanding, ProviderId, State};

/// The version of its extension that an open device speaks, and who selected it. `H`: an opening of it.
pub(crate) struct Extension<H> {
    version: ExtensionVersion,
    users: Vec<(ClientId, H)>,
    wishes: VecDeque<Wish<H>>,
    /// The provider is being asked for the first wish.
    asking: bool,
}

impl<H> Default for Extension<H> {
    fn default() -> Self {
        Self {
            version: ExtensionVersion::default(),
            users: Vec::new(),
            wishes: VecDeque::new(),
            asking: false,
        }
    }
}

struct Wish<H> {
    by: (ClientId, H),
    version: ExtensionVersion,
    /// None: the opening has been closed.
    request: Option<RequestId>,
}

/// What is next with the wishes for a device.
enum Turn {
    /// The provider is to select this version.
    Ask(ExtensionVersion),
    /// A wish is settled.
    Settled(Option<(ClientId, RequestId)>, Result<(), LineError>),
}

impl<H: Copy + PartialEq> Extension<H> {
    /// Who has selected a version: those to tell what the device says.
    pub(crate) fn users(&self) -> impl Iterator<Item = (ClientId, H)> {
        self.users.iter().copied()
    }

    fn has(&self, by: (ClientId, H)) -> bool {
        self.users.contains(&by)
    }

    fn turn(&mut self) -> Option<Turn> {
        if self.asking {
            return None;
        }
        let Wish { by, version, request } = self.wishes.pop_front()?;
        let none = ExtensionVersion::default();
        let others = self.users.iter().any(|user| *user != by);
        let result = if version == none && (others || !self.has(by)) {
            self.users.retain(|user| *user != by);
            Ok(())
        } else if version != none && version == self.version {
            if !self.has(by) {
                self.users.push(by);
            }
            Ok(())
        } else if others {
            Err(LineError::IncompatibleExtVersion)
        } else {
            self.asking = true;
            self.wishes.push_front(Wish { by, version, request });
            return Some(Turn::Ask(version));
        };
        Some(Turn::Settled(request.map(|request| (by.0, request)), result))
    }

    /// The provider has answered.
    fn asked(&mut self, result: Result<(), LineError>) -> Turn {
        self.asking = false;
        let Some(Wish { by, version, request }) = self.wishes.pop_front() else {
            return Turn::Settled(None, result);
        };
        // Of an opening that was closed nothing stays, whatever the provider says.
        if result.is_ok() || request.is_none() {
            self.version = version;
            self.users.clear();
            if version != ExtensionVersion::default() {
                self.users.push(by);
            }
        }
        Turn::Settled(request.map(|request| (by.0, request)), result)
    }

    /// An opening has been closed: it speaks no version any more. Answers whether there is something to work on.
    pub(crate) fn close(&mut self, by: (ClientId, H)) -> bool {
        let concerned = self.has(by) || self.wishes.iter().any(|wish| wish.by == by);
        if concerned {
            self.wishes.push_back(Wish { by, version: ExtensionVersion::default(), request: None });
        }
        concerned
    }

    /// The device has gone: nobody who waits gets what it wished.
    pub(crate) fn waiting(self) -> impl Iterator<Item = (ClientId, RequestId)> {
        self.wishes.into_iter().filter_map(|wish| Some((wish.by.0, wish.request?)))
    }

    /// Whether a range has room for the version that is selected, if one is.
    fn admits(&self, lowest: ExtensionVersion, highest: ExtensionVersion) -> bool {
        let none = self.version == ExtensionVersion::default();
        none || (lowest <= self.version && self.version <= highest)
    }
}

impl Inner {
    /// Works on the wishes for a device. `find`: its extension; `select`: asks its provider.
    fn settle<H: Copy + PartialEq>(
        &self,
        find: impl Fn(&mut State) -> Option<&mut Extension<H>>,
        select: impl Fn(ExtensionVersion) -> Result<(), LineError>,
    ) {
        let mut answer = None;
        loop {
            let next = self.with(|state| {
                let turn = match answer.take() {
                    Some(result) => find(state)?.asked(result),
                    None => find(state)?.turn()?,
                };
                if let Turn::Settled(Some((client, request)), result) = &turn {
                    state.reply(*client, *request, result.clone().map(|()| AppReply::Done));
                }
                Some(turn)
            });
            match next {
                None => return,
                Some(Turn::Settled(..)) => {}
                Some(Turn::Ask(version)) => {
                    let result = select(version);
                    if let Err(error) = &result {
                        tracing::debug!(%error, ?version, "the provider does not select the extension");
                    }
                    answer = Some(result);
                }
            }
        }
    }

    pub(crate) fn settle_line(&self, line: HtLine) {
        let Some((tsp, hd)) =
            self.with(|state| state.lines.get(&line).map(|entry| (entry.tsp.clone(), entry.hd)))
        else {
            return;
        };
        self.settle(
            |state| state.lines.get_mut(&line).map(|entry| &mut entry.extension),
            |version| tsp.line_select_ext_version(hd, version),
        );
    }

    pub(crate) fn settle_phone(&self, phone: HtPhone) {
        let Some((tsp, hd)) =
            self.with(|state| state.phones.get(&phone).map(|entry| (entry.tsp.clone(), entry.hd)))
        else {
            return;
        };
        self.settle(
            |state| state.phones.get_mut(&phone).map(|entry| &mut entry.extension),
            |version| tsp.phone_select_ext_version(hd, version),
        );
    }

    pub(crate) fn negotiate_extension(
        &self,
        client: ClientId,
        device: DeviceId,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<AppReply, LineError> {
        let (tsp, number) = self.with(|state| {
            let index = state.device(device)?;
            let entry = state.devices.get(index).ok_or(LineError::BadDeviceId)?;
            let open = state.lines.values().find(|line| line.device == index);
            if open.is_some_and(|line| !line.extension.admits(lowest, highest)) {
                return Err(LineError::IncompatibleExtVersion);
            }
            Ok((entry.tsp.clone(), entry.number))
        })?;
        let id = tsp.line_extension(number)?;
        let version = tsp.line_negotiate_ext_version(number, lowest, highest)?;
        self.negotiated(id, version, (lowest, highest), |state| {
            let client = state.clients.get_mut(&client)?;
            client.extensions.insert(device, version);
            Some(())
        })
    }

    pub(crate) fn negotiate_phone_extension(
        &self,
        client: ClientId,
        phone: PhoneId,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<AppReply, LineError> {
        let (tsp, number) = self.with(|state| {
            let index = state.phone_device(phone)?;
            let entry = state.phone_devices.get(index).ok_or(LineError::BadDeviceId)?;
            let open = state.phones.values().find(|phone| phone.device == index);
            if open.is_some_and(|phone| !phone.extension.admits(lowest, highest)) {
                return Err(LineError::IncompatibleExtVersion);
            }
            Ok((entry.tsp.clone(), entry.number))
        })?;
        let (id, version) = tsp.phone_negotiate_ext_version(number, lowest, highest)?;
        self.negotiated(id, version, (lowest, highest), |state| {
            let client = state.clients.get_mut(&client)?;
            client.phone_extensions.insert(phone, version);
            Some(())
        })
    }

    fn negotiated(
        &self,
        id: ExtensionId,
        version: ExtensionVersion,
        (lowest, highest): (ExtensionVersion, ExtensionVersion),
        note: impl FnOnce(&mut State) -> Option<()>,
    ) -> Result<AppReply, LineError> {
        if version < lowest || version > highest || version == ExtensionVersion::default() {
            return Err(LineError::IncompatibleExtVersion);
        }
        self.with(note).ok_or(LineError::NoDriver)?;
        Ok(AppReply::Extension { id, version })
    }

    pub(crate) fn select_extension(
        &self,
        (client, request): (ClientId, RequestId),
        line: HLine,
        version: ExtensionVersion,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let ht = state.line_of(client, line)?;
            let entry = state.lines.get(&ht).ok_or(LineError::InvalLineHandle)?;
            let device = state.devices.get(entry.device).ok_or(LineError::NoDriver)?.caps.device;
            let known = state.clients.get(&client).and_then(|client| client.extensions.get(&device));
            may_select(known, version)?;
            let entry = state.lines.get_mut(&ht).ok_or(LineError::InvalLineHandle)?;
            let wish = Wish { by: (client, line), version, request: Some(request) };
            entry.extension.wishes.push_back(wish);
            Ok(ht)
        });
        match entered {
            Ok(line) => {
                self.settle_line(line);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    pub(crate) fn select_phone_extension(
        &self,
        (client, request): (ClientId, RequestId),
        phone: HPhone,
        version: ExtensionVersion,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let ht = state.phone_of(client, phone)?;
            let entry = state.phones.get(&ht).ok_or(LineError::InvalPhoneHandle)?;
            let device = state.phone_devices.get(entry.device).ok_or(LineError::NoDriver)?.caps.phone;
            let known = state.clients.get(&client).and_then(|client| client.phone_extensions.get(&device));
            may_select(known, version)?;
            let entry = state.phones.get_mut(&ht).ok_or(LineError::InvalPhoneHandle)?;
            let wish = Wish { by: (client, phone), version, request: Some(request) };
            entry.extension.wishes.push_back(wish);
            Ok(ht)
        });
        match entered {
            Ok(phone) => {
                self.settle_phone(phone);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    pub(crate) fn dev_specific(
        &self,
        who: (ClientId, RequestId),
        line: HLine,
        call: Option<HCall>,
        data: &Opaque,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let ht = state.line_of(who.0, line)?;
            let entry = state.lines.get(&ht).ok_or(LineError::InvalLineHandle)?;
            if !entry.extension.has((who.0, line)) {
                return Err(LineError::IncompatibleExtVersion);
            }
            let (tsp, hd_line) = (entry.tsp.clone(), entry.hd);
            let (about, hd_call) = match call {
                None => (About::Line(ht, line), None),
                Some(call) => {
                    let (ht_call, entry) = state.call_of(who.0, call)?;
                    if entry.line != ht {
                        return Err(LineError::InvalCallHandle);
                    }
                    (About::Call(ht_call), Some(entry.hd.ok_or(LineError::InvalCallHandle)?))
                }
            };
            let (client, also) = (Some(who), Vec::new());
            let id = state.enter(Outstanding { client, about, also, expects: Expects::DevSpecific });
            Ok((tsp, hd_line, hd_call, id))
        });
        match entered {
            Ok((tsp, line, call, id)) => self.refused(id, tsp.line_dev_specific(id, line, call, data)),
            Err(error) => Some(Err(error)),
        }
    }

    pub(crate) fn phone_dev_specific(
        &self,
        who: (ClientId, RequestId),
        phone: HPhone,
        data: &Opaque,
    ) -> Option<Result<AppReply, LineError>> {
        let entered = self.with(|state| {
            let ht = state.phone_of(who.0, phone)?;
            let entry = state.phones.get(&ht).ok_or(LineError::InvalPhoneHandle)?;
            if !entry.extension.has((who.0, phone)) {
                return Err(LineError::IncompatibleExtVersion);
            }
            let (tsp, hd, about) = (entry.tsp.clone(), entry.hd, About::Phone(ht, phone));
            let (client, also) = (Some(who), Vec::new());
            let id = state.enter(Outstanding { client, about, also, expects: Expects::DevSpecific });
            Ok((tsp, hd, id))
        });
        match entered {
            Ok((tsp, hd, id)) => self.refused(id, tsp.phone_dev_specific(id, hd, data)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A version can be selected if it was negotiated; none can always be.
fn may_select(negotiated: Option<&ExtensionVersion>, version: ExtensionVersion) -> Result<(), LineError> {
    if version == ExtensionVersion::default() || negotiated == Some(&version) {
        Ok(())
    } else {
        Err(LineError::IncompatibleExtVersion)
    }
}

impl State {
    /// A message about a line, for every opening that selected a version.
    pub(crate) fn line_message(&mut self, provider: ProviderId, line: HtLine, data: &Opaque) {
        let Some(entry) = self.lines.get(&line).filter(|entry| entry.provider == provider) else {
            self.diagnostics.late_events += 1;
            return;
        };
        for (client, line) in entry.extension.users().collect::<Vec<_>>() {
            self.push(client, AppEvent::DevSpecific { line, call: None, data: data.clone() });
        }
    }

    /// A message about a call, for every client that holds it and selected a version: once a client.
    pub(crate) fn call_message(&mut self, ht: HtCall, data: &Opaque) {
        let Some(call) = self.calls.get(&ht) else { return };
        let Some(entry) = self.lines.get(&call.line) else { return };
        let of = |client| entry.extension.users().find(|(user, _)| *user == client).map(|(_, line)| line);
        let told: Vec<_> =
            call.holders.iter().filter_map(|h| Some((h.client, of(h.client)?, h.call))).collect();
        for (client, line, call) in told {
            self.push(client, AppEvent::DevSpecific { line, call: Some(call), data: data.clone() });
        }
    }
}
