//! Lines: one open device at a provider, shared by every client that opens it.
//!
//! In: OpenLine, CloseLine, CreateMspInstance. Out: opens and closes at the provider, media detection, MSP instances.
//!
//! ```text
//! Closed ─first client─▶ Opening ─▶ Open ─last client─▶ Closing ─▶ Closed, or Opening if somebody waits
//!                           └─ refused, or closed by the provider ─▶ Closed
//! ```
//!
//! A device is opened or closed by one thread at a time; a client that comes meanwhile waits in the slot.

use std::sync::Arc;

use offhook_spi::{
    ApiVersion, AppEvent, AppReply, DeviceId, HLine, HdLine, HtLine, HtMspLine, LineDevState, LineError,
    MediaTypes, Privilege, RequestId, Timestamp, Tspi,
};

use crate::model::{
    About, Call, ClientId, Inner, Line, MspInstance, Open, Opener, ProviderId, Slot, Stage, State,
};

/// How often one client may have a device open: each opening is one more to look through at every call. A remote TSP
/// opens a line once for each far application with media.
const MOST_OPENINGS: usize = 256;

/// What is left to do, without the lock, once a slot has changed.
enum Next {
    Nothing,
    OpenDevice(HtLine),
    CloseDevice(Arc<dyn Tspi>, HdLine),
    TellDetection(HtLine),
    /// The line is open: how much of call hubs is wanted, then the media.
    TellHubs(HtLine),
}

impl Inner {
    /// All lines, as their providers describe them now.
    pub(crate) fn lines(&self) -> AppReply {
        let devices: Vec<_> = self
            .with(|state| state.devices.iter().map(|d| (d.tsp.clone(), d.number, d.caps.clone())).collect());
        let lines = devices.into_iter().map(|(tsp, number, known)| {
            let device = known.device;
            tsp.line_dev_caps(number).map_or(known, |caps| offhook_spi::LineDevCaps { device, ..caps })
        });
        let lines: Vec<_> = lines.collect();
        self.with(|state| {
            for (device, caps) in state.devices.iter_mut().zip(&lines) {
                device.caps.clone_from(caps);
            }
        });
        AppReply::Lines(lines)
    }

    pub(crate) fn open_line(
        &self,
        client: ClientId,
        request: RequestId,
        device: DeviceId,
        privilege: Privilege,
        media: MediaTypes,
    ) -> Option<Result<AppReply, LineError>> {
        let opener = Opener { client, request, privilege, media };
        let next = self.with(|state| {
            let index = state.device(device)?;
            if state.openings(index, client) >= MOST_OPENINGS {
                let why = format!("this application has the line open {MOST_OPENINGS} times");
                return Err(LineError::ResourceUnavail(why));
            }
            let fresh = HtLine(state.handle());
            let device = state.devices.get_mut(index).ok_or(LineError::BadDeviceId)?;
            if privilege != Privilege::None && (media.is_empty() || !device.caps.media.contains(media)) {
                return Err(LineError::InvalMediaMode);
            }
            let next = match &mut device.slot {
                Slot::Closed => {
                    device.slot = Slot::Opening { line: fresh, waiting: vec![opener], closed: None };
                    Next::OpenDevice(fresh)
                }
                Slot::Opening { waiting, .. } | Slot::Closing { waiting } => {
                    waiting.push(opener);
                    Next::Nothing
                }
                Slot::Open(line) => {
                    let line = *line;
                    state.knock(line, opener);
                    Next::TellDetection(line)
                }
            };
            Ok((index, next))
        });
        match next {
            Ok((index, next)) => {
                self.go_on(index, next);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn go_on(&self, index: usize, mut next: Next) {
        loop {
            next = match next {
                Next::Nothing => return,
                Next::TellDetection(line) => self.tell_detection(line),
                Next::TellHubs(line) => {
                    if let Err(error) = self.tell_tracking(index) {
                        tracing::warn!(%error, "the provider refuses to track call hubs");
                    }
                    Next::TellDetection(line)
                }
                Next::OpenDevice(line) => self.open_device(index, line),
                Next::CloseDevice(tsp, hd) => self.close_device(index, &*tsp, hd),
            };
        }
    }

    fn open_device(&self, index: usize, line: HtLine) -> Next {
        let found = self.with(|state| {
            let device = state.devices.get(index)?;
            Some((device.provider, device.tsp.clone(), device.number, device.version))
        });
        let Some((provider, tsp, number, version)) = found else { return Next::Nothing };
        let opened = tsp.line_open(number, line, version);
        self.with(|state| {
            let Some(device) = state.devices.get_mut(index) else {
                // The broker was shut down meanwhile.
                return opened.map_or(Next::Nothing, |hd| Next::CloseDevice(tsp, hd));
            };
            let Slot::Opening { waiting, closed, .. } = std::mem::replace(&mut device.slot, Slot::Closed)
            else {
                return Next::Nothing;
            };
            match (opened, closed) {
                (Ok(hd), None) => {
                    device.slot = Slot::Open(line);
                    let entry = Line::new(index, provider, tsp, hd);
                    state.lines.insert(line, entry);
                    for opener in waiting {
                        state.knock(line, opener);
                    }
                    state.close_if_unused(line).unwrap_or(Next::TellHubs(line))
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

    fn close_device(&self, index: usize, tsp: &dyn Tspi, hd: HdLine) -> Next {
        if let Err(error) = tsp.line_close(hd) {
            tracing::debug!(%error, "the provider did not know the line that was closed");
        }
        self.with(|state| {
            let fresh = HtLine(state.handle());
            let Some(device) = state.devices.get_mut(index) else { return Next::Nothing };
            match std::mem::replace(&mut device.slot, Slot::Closed) {
                Slot::Closing { waiting } if !waiting.is_empty() => {
                    device.slot = Slot::Opening { line: fresh, waiting, closed: None };
                    Next::OpenDevice(fresh)
                }
                _ => Next::Nothing,
            }
        })
    }

    /// Tells the provider the media of arriving calls that somebody wants, if that has changed; in order. A provider
    /// that cannot listen (its port is taken) fails those who wait for it.
    fn tell_detection(&self, line: HtLine) -> Next {
        while let Some((tsp, hd, wanted, joining)) = self.with(|state| {
            let entry = state.lines.get_mut(&line)?;
            if entry.telling {
                return None;
            }
            let wanted = entry.wanted();
            if wanted == entry.detection {
                for opener in std::mem::take(&mut entry.joining) {
                    state.join(line, opener);
                }
                return None;
            }
            entry.telling = true;
            Some((entry.tsp.clone(), entry.hd, wanted, entry.joining.clone()))
        }) {
            let told = tsp.line_set_default_media_detection(hd, wanted);
            self.with(|state| {
                let Some(entry) = state.lines.get_mut(&line) else { return };
                entry.telling = false;
                match told {
                    Err(error) if !joining.is_empty() => {
                        entry.joining.retain(|opener| !joining.contains(opener));
                        for opener in joining {
                            state.reply(opener.client, opener.request, Err(error.clone()));
                        }
                    }
                    told => {
                        entry.detection = wanted;
                        if let Err(error) = told {
                            tracing::warn!(%error, "the provider refuses the media detection");
                        }
                    }
                }
            });
        }
        self.with(|state| state.close_if_unused(line)).unwrap_or(Next::Nothing)
    }

    /// Closes a client's line: no call is offered to it any more, then its calls, its MSP instance and, with the last
    /// client, the device are given up.
    pub(crate) fn close_line(&self, client: ClientId, line: HLine) -> Result<AppReply, LineError> {
        let ht = self.with(|state| {
            let ht = state.line_of(client, line)?;
            if let Some(client) = state.clients.get_mut(&client) {
                client.lines.remove(&line);
            }
            if let Some(entry) = state.lines.get_mut(&ht) {
                entry.opens.retain(|open| open.line != line);
            }
            Ok::<_, LineError>(ht)
        })?;
        self.deallocate_all(client, line);
        let msp = self.with(|state| {
            let key = state.msps.iter().find(|(_, msp)| msp.opened == line).map(|(key, _)| *key)?;
            let hd = state.msps.remove(&key)?.hd?;
            // Calls that the client still owns, through another opening of this line.
            let there: Vec<_> = state.calls.iter().filter(|(_, c)| c.media == Some(key)).collect();
            let there: Vec<_> = there.into_iter().map(|(ht, _)| *ht).collect();
            let moved: Vec<_> = there.into_iter().filter_map(|ht| state.rehome(ht, client)).collect();
            for call in state.calls.values_mut().filter(|call| call.line == ht) {
                call.spoken_to.retain(|known| *known != key);
                call.had_media.retain(|known| *known != key);
            }
            Some((state.lines.get(&ht)?.tsp.clone(), hd, moved))
        });
        if let Some((tsp, hd, moved)) = msp {
            for one in moved {
                self.perform_move(Some(one));
            }
            if let Err(error) = tsp.line_close_msp_instance(hd) {
                tracing::debug!(%error, "the provider did not know the MSP instance that was closed");
            }
        }
        let extension = self.with(|state| {
            let entry = state.lines.get_mut(&ht)?;
            let stays = !entry.opens.is_empty() || !entry.joining.is_empty();
            Some(entry.extension.close((client, line)) && stays)
        });
        if extension == Some(true) {
            self.settle_line(ht);
        }
        let next = self.with(|state| {
            let index = state.lines.get(&ht)?.device;
            Some((index, state.close_if_unused(ht).unwrap_or(Next::TellDetection(ht))))
        });
        if let Some((index, next)) = next {
            self.go_on(index, next);
        }
        Ok(AppReply::Done)
    }

    pub(crate) fn create_msp_instance(&self, client: ClientId, line: HLine) -> Result<AppReply, LineError> {
        let (tsp, hd_line, key) = self.with(|state| {
            let ht = state.line_of(client, line)?;
            let entry = state.lines.get(&ht).ok_or(LineError::InvalLineHandle)?;
            let device = state.devices.get(entry.device).ok_or(LineError::NoDriver)?;
            let open = entry.opens.iter().find(|open| open.line == line);
            let version = open.map_or(device.version, |open| open.version).min(device.version);
            if !device.caps.has_msp || version < ApiVersion::V3_0 {
                return Err(LineError::OperationUnavail);
            }
            if state.msps.values().any(|msp| msp.opened == line) {
                return Err(LineError::failed("there is an MSP instance behind this opening of the line"));
            }
            let (tsp, hd) = (entry.tsp.clone(), entry.hd);
            let key = HtMspLine(state.handle());
            state.msps.insert(key, MspInstance { client, line: ht, opened: line, hd: None });
            Ok((tsp, hd, key))
        })?;
        let made = tsp.line_create_msp_instance(hd_line, 0, key);
        let there = self.with(|state| match &made {
            Ok(hd) => state.msps.get_mut(&key).map(|msp| msp.hd = Some(*hd)).is_some(),
            Err(_) => state.msps.remove(&key).is_some(),
        });
        match made {
            Ok(_) if there => Ok(AppReply::Done),
            Ok(hd) => {
                // The line was closed meanwhile.
                let _ = tsp.line_close_msp_instance(hd);
                Err(LineError::InvalLineHandle)
            }
            Err(error) => Err(error),
        }
    }

    /// The provider says whether a line is in service; it may before it has said that the line is open.
    pub(crate) fn line_dev_state(&self, provider: ProviderId, line: HtLine, said: LineDevState) {
        self.with(|state| {
            let device = state.devices.iter_mut().find(|device| {
                device.provider == provider
                    && match &device.slot {
                        Slot::Opening { line: opening, .. } => *opening == line,
                        Slot::Open(open) => *open == line,
                        Slot::Closed | Slot::Closing { .. } => false,
                    }
            });
            let Some(device) = device else {
                state.diagnostics.late_events += 1;
                return;
            };
            device.service = Some((line, said.clone()));
            let opens = state.lines.get(&line).map(|entry| entry.opens.clone()).unwrap_or_default();
            for open in opens {
                state.push(open.client, AppEvent::LineDevState { line: open.line, state: said.clone() });
            }
        });
    }

    /// The provider closed a line: everything on it is void.
    pub(crate) fn line_closed(&self, provider: ProviderId, line: HtLine, why: &LineError) {
        self.with(|state| {
            for device in state.devices.iter_mut().filter(|device| device.provider == provider) {
                match &mut device.slot {
                    Slot::Opening { line: opening, closed, .. } if *opening == line => {
                        *closed = Some(why.clone());
                    }
                    Slot::Open(open) if *open == line => device.slot = Slot::Closed,
                    _ => {}
                }
            }
            if state.lines.get(&line).is_none_or(|entry| entry.provider != provider) {
                return;
            }
            let Some(gone) = state.lines.remove(&line) else { return };
            state.msps.retain(|_, msp| msp.line != line);
            let error = LineError::failed(format!("the line was closed: {why}"));
            state.forget_makings(line, &error);
            let calls: Vec<_> = state.calls.extract_if(.., |_, call| call.line == line).collect();
            let ended: Vec<_> = calls.iter().map(|(ht, _)| *ht).collect();
            for (ht, call) in calls {
                for holder in call.holders {
                    if let Some(client) = state.clients.get_mut(&holder.client) {
                        client.calls.remove(&holder.call);
                    }
                }
                // Requests that make calls have just been forgotten: nothing is left to tell the provider.
                let _ = state.fail_outstanding(ht, &error);
            }
            let _ = state.fail_requests(|r| matches!(r.about, About::Line(of, _) if of == line), &error);
            for (client, request) in gone.extension.waiting() {
                state.reply(client, request, Err(error.clone()));
            }
            for opener in gone.joining {
                state.reply(opener.client, opener.request, Err(why.clone()));
            }
            for open in gone.opens {
                if let Some(client) = state.clients.get_mut(&open.client) {
                    client.lines.remove(&open.line);
                }
                state.push(open.client, AppEvent::LineClosed { line: open.line, why: why.clone() });
            }
            // The closing is the last that is said of the calls.
            let at = Timestamp::now();
            for ht in ended {
                state.hub_leave(ht, at);
            }
        });
    }
}

impl State {
    /// How often a client has a device open, or waits for that.
    fn openings(&self, index: usize, client: ClientId) -> usize {
        let Some(device) = self.devices.get(index) else { return 0 };
        let (open, waiting) = match &device.slot {
            Slot::Closed => (None, &[][..]),
            Slot::Opening { waiting, .. } | Slot::Closing { waiting } => (None, waiting.as_slice()),
            Slot::Open(line) => (self.lines.get(line), &[][..]),
        };
        let of = |opener: &&Opener| opener.client == client;
        let lines = open.map_or(0, |line| {
            line.opens.iter().filter(|open| open.client == client).count()
                + line.joining.iter().filter(of).count()
        });
        lines + waiting.iter().filter(of).count()
    }

    /// A client comes to an open line: in at once if it takes no calls, else once the provider listens.
    fn knock(&mut self, line: HtLine, opener: Opener) {
        if opener.privilege == Privilege::None {
            self.join(line, opener);
        } else if let Some(entry) = self.lines.get_mut(&line) {
            entry.joining.push(opener);
        }
    }

    /// Gives a client its handle on an open line.
    fn join(&mut self, line: HtLine, opener: Opener) {
        let Opener { client, request, privilege, media } = opener;
        if !self.clients.contains_key(&client) {
            return;
        }
        let handle = HLine(self.handle());
        let device = self.lines.get(&line).and_then(|entry| self.devices.get(entry.device));
        let version = device.map_or(ApiVersion::V3_1, |device| {
            let negotiated = self.clients.get(&client).and_then(|c| c.versions.get(&device.caps.device));
            negotiated.copied().unwrap_or(device.version)
        });
        if let Some(entry) = self.lines.get_mut(&line) {
            entry.opens.push(Open { client, line: handle, privilege, media, version });
        }
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.lines.insert(handle, line);
        }
        self.reply(client, request, Ok(AppReply::Line(handle)));
        let device = self.lines.get(&line).and_then(|entry| self.devices.get(entry.device));
        let said = device.and_then(|device| device.service.clone()).filter(|(of, _)| *of == line);
        if let Some((_, state)) = said {
            self.push(client, AppEvent::LineDevState { line: handle, state });
        }
    }

    /// Takes a line that no client has open out of the tables.
    fn close_if_unused(&mut self, line: HtLine) -> Option<Next> {
        let entry = self.lines.get(&line)?;
        if !entry.opens.is_empty() || !entry.joining.is_empty() || entry.telling {
            return None;
        }
        let gone = self.lines.remove(&line)?;
        if let Some(device) = self.devices.get_mut(gone.device) {
            device.slot = Slot::Closing { waiting: Vec::new() };
        }
        let why = LineError::failed("the line was closed");
        for (client, request) in gone.extension.waiting() {
            self.reply(client, request, Err(why.clone()));
        }
        // Calls announced that no client holds: the provider releases them with the line.
        let unheld = |call: &Call| call.line == line && call.stage != Stage::Abandoned;
        let unheld: Vec<_> = self.calls.iter().filter(|(_, call)| unheld(call)).map(|(ht, _)| *ht).collect();
        for ht in unheld {
            self.remove_call(ht);
        }
        Some(Next::CloseDevice(gone.tsp, gone.hd))
    }
}
