//! The broker as its owner holds it: providers join, clients come and leave, everything ends.
//!
//! In: [`Broker::add_provider`], [`Broker::connect`], [`Broker::shutdown`]. Out: a [`Link`] a client.
//! Not here: requests (`requests.rs`, `lines.rs`), provider reports (`report.rs`).

use std::sync::Arc;

use offhook_spi::{
    ApiVersion, AppEvent, AppRequest, AppSink, DeviceId, LineDevCaps, LineError, Link, LinkClosed, PhoneCaps,
    PhoneId, RequestId, Tspi,
};

use crate::model::{Client, ClientId, Device, Diagnostics, Inner, ProviderId, Slot, State};
use crate::outbox::Outbox;
use crate::phones::{PhoneDevice, PhoneSlot};
use crate::report::Reports;

/// The lowest interface version that the broker speaks; a line below 3.0 has no MSP.
const LOWEST: ApiVersion = ApiVersion(0x0002_0000);

/// The TAPISRV role. Cheap to clone; it ends with [`shutdown`](Self::shutdown), or when the last clone and the last
/// link are gone.
#[doc(alias = "TAPISRV")]
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

impl Default for Broker {
    fn default() -> Self {
        Self::new()
    }
}

impl Broker {
    /// A broker without providers and clients.
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner::new()) }
    }

    /// Takes a provider in: negotiates a version for each device, starts it, numbers its devices and its phones after
    /// those that are there. Answers the devices. An error leaves everything as it was; the provider is then not running.
    #[doc(alias = "TSPI_providerInit")]
    pub fn add_provider(&self, tsp: Arc<dyn Tspi>) -> Result<Vec<DeviceId>, LineError> {
        let versions = (0..tsp.line_devices())
            .map(|number| {
                let version = tsp.line_negotiate_version(number, LOWEST, ApiVersion::V3_1)?;
                let common = version >= LOWEST && version <= ApiVersion::V3_1;
                if common { Ok((number, version)) } else { Err(LineError::IncompatibleApiVersion) }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let id = self.inner.with(|state| {
            if state.shut {
                return Err(LineError::NoDriver);
            }
            let id = ProviderId(state.handle());
            state.providers.insert(id, tsp.clone());
            Ok(id)
        })?;
        let started = tsp.provider_init(Arc::new(Reports::new(&self.inner, id))).and_then(|()| {
            let lines = versions
                .into_iter()
                .map(|(n, v)| Ok((n, v, tsp.line_dev_caps(n)?)))
                .collect::<Result<Vec<_>, _>>()?;
            let phones = (0..tsp.phone_devices())
                .map(|n| Ok((n, tsp.phone_dev_caps(n)?)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((lines, phones))
        });
        self.inner.with(|state| {
            let (found, phones) = match started {
                Ok(found) if !state.shut => found,
                Ok(_) => return Err(LineError::NoDriver),
                Err(error) => {
                    state.providers.remove(&id);
                    return Err(error);
                }
            };
            let mut added = Vec::new();
            for (number, version, caps) in found {
                let device = DeviceId(u32::try_from(state.devices.len()).unwrap_or(u32::MAX));
                let caps = LineDevCaps { device, ..caps };
                let (tsp, slot) = (tsp.clone(), Slot::Closed);
                state.devices.push(Device { provider: id, tsp, number, version, caps, slot, service: None });
                added.push(device);
            }
            for (number, caps) in phones {
                let phone = PhoneId(u32::try_from(state.phone_devices.len()).unwrap_or(u32::MAX));
                let caps = PhoneCaps { phone, ..caps };
                let (tsp, slot) = (tsp.clone(), PhoneSlot::Closed);
                state.phone_devices.push(PhoneDevice { provider: id, tsp, number, caps, slot });
            }
            Ok(added)
        })
    }

    /// Lets a client in; `name` is for logs. Dropping the link is leaving.
    #[doc(alias = "lineInitializeEx")]
    pub fn connect(&self, name: &str, sink: Arc<dyn AppSink>) -> Arc<dyn Link> {
        let outbox = Arc::new(Outbox::new(sink));
        let client = self.inner.with(|state| {
            let id = ClientId(state.handle());
            if !state.shut {
                let outbox = outbox.clone();
                state.clients.insert(id, Client::new(name, outbox));
            }
            id
        });
        tracing::debug!(name, "client connected");
        Arc::new(ClientLink { inner: self.inner.clone(), client })
    }

    /// Ends everything: every call is dropped and closed, every line closed, every provider shut down, every client
    /// told. Requests after that find the link closed. Providers may need a moment more to say good-bye on the wire;
    /// waiting for that is the caller's.
    #[doc(alias = "TSPI_providerShutdown")]
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    /// How much the broker holds.
    pub fn census(&self) -> Census {
        self.inner.with(|state| Census {
            clients: state.clients.len(),
            lines: state.lines.len(),
            calls: state.calls.len(),
            msp_instances: state.msps.len(),
            requests: state.requests.len(),
            phones: state.phones.len(),
            hubs: state.hubs.len(),
        })
    }

    /// What went by that nobody was told of.
    pub fn diagnostics(&self) -> Diagnostics {
        self.inner.with(|state| state.diagnostics)
    }
}

/// How much a broker holds: all zero but the clients once every client has given up what it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Clients connected.
    pub clients: usize,
    /// Lines open at providers.
    pub lines: usize,
    /// Calls that a client or a provider knows.
    pub calls: usize,
    /// MSP instances behind lines.
    pub msp_instances: usize,
    /// Requests that providers have not completed.
    pub requests: usize,
    /// Phones open at providers.
    pub phones: usize,
    /// Call hubs with a call in them.
    pub hubs: usize,
}

impl Inner {
    fn shutdown(&self) {
        let clients: Vec<_> = self.with(|state| {
            state.shut = true;
            state.clients.keys().copied().collect()
        });
        for client in &clients {
            self.leave(*client, Some(&LineError::NoDriver));
        }
        let providers = self.with(|state| {
            state.devices.clear();
            state.phone_devices.clear();
            std::mem::take(&mut state.providers)
        });
        for tsp in providers.values() {
            tsp.provider_shutdown();
        }
    }

    /// A client goes: what it had is given up. With `told`, it hears of that: the broker ends.
    fn leave(&self, client: ClientId, told: Option<&LineError>) {
        let had = self.with(|state| {
            let entry = state.clients.get(&client)?;
            if told.is_none() {
                entry.outbox.close();
            }
            tracing::debug!(name = %entry.name, "client leaves");
            let lines: Vec<_> = entry.lines.keys().copied().collect();
            let phones: Vec<_> = entry.phones.keys().copied().collect();
            let mut waited = Vec::new();
            for device in &mut state.devices {
                if let Slot::Opening { waiting, .. } | Slot::Closing { waiting } = &mut device.slot {
                    waited.extend(waiting.extract_if(.., |opener| opener.client == client));
                }
            }
            for line in state.lines.values_mut() {
                waited.extend(line.joining.extract_if(.., |opener| opener.client == client));
            }
            for opener in waited {
                state.reply(client, opener.request, Err(LineError::NoDriver));
            }
            for request in state.stop_waiting_for_phones(client) {
                state.reply(client, request, Err(LineError::NoDriver));
            }
            Some((lines, phones))
        });
        let (lines, phones) = had.unwrap_or_default();
        for phone in phones {
            let _ = self.close_phone(client, phone);
            if let Some(why) = told {
                self.with(|state| state.push(client, AppEvent::PhoneClosed { phone, why: why.clone() }));
            }
        }
        if told.is_some() {
            self.with(State::hold_hubs);
        }
        for line in lines {
            // It was there a moment ago; if it has gone since, so much the better.
            let _ = self.close_line(client, line);
            if let Some(why) = told {
                self.with(|state| state.push(client, AppEvent::LineClosed { line, why: why.clone() }));
            }
        }
        if told.is_some() {
            self.with(State::release_hubs);
        }
        let (gone, tracked) = self.with(|state| (state.clients.remove(&client), state.hub_forget(client)));
        drop(gone);
        for device in tracked {
            if let Err(error) = self.tell_tracking(device) {
                tracing::warn!(%error, "the provider refuses less tracking of call hubs");
            }
        }
    }
}

/// The last handle has gone: no client is left, providers are told.
impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// A client's end of the link.
struct ClientLink {
    inner: Arc<Inner>,
    client: ClientId,
}

impl Link for ClientLink {
    fn submit(&self, request: RequestId, what: AppRequest) -> Result<(), LinkClosed> {
        if self.inner.with(|state| !state.clients.contains_key(&self.client)) {
            return Err(LinkClosed);
        }
        self.inner.submit(self.client, request, what);
        Ok(())
    }
}

impl Drop for ClientLink {
    fn drop(&mut self) {
        self.inner.leave(self.client, None);
    }
}
