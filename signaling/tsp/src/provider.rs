//! The SPI's side of the provider: lines, calls and MSP instances by their handles.
//!
//! In: [`Tspi`] requests, from any thread. Out: commands to the calls' tasks.
//! Every request returns at once; what takes time is done by the call's task and completed by event.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use offhook_h323_ext::Protocol;
use offhook_spi::{
    AddressTypes, ApiVersion, CallFeatures, CallInfo, CallParams, Completion, DeviceId, DigitMode,
    DisconnectMode, ExtensionId, ExtensionVersion, HdCall, HdLine, HdMspLine, HtCall, HtLine, HtMspLine,
    HubTracking, LineDevCaps, LineError, MediaTypes, Opaque, Q931Verb, RequestId, TspEvents, Tspi,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::call::{self, Command, Known};
use crate::config::H323Config;
use crate::destination::Destination;
use crate::extension::{self, Extension};
use crate::gate::{Counters, Gate};
use crate::hub::Hubs;
use crate::info;
use crate::listener::{self, Listening};
use crate::registrar::{Ask, Registrar, RegistrationStatus};
use crate::resolve::resolve;
use crate::trunk::Trunks;

/// The H.323 provider: one line device. Clones are the same provider.
#[derive(Clone)]
pub struct H323Provider {
    inner: Arc<Inner>,
}

/// The verbs that H.323 has without the supplementary services of H.450.
const FEATURES: CallFeatures = CallFeatures::HOLD
    .union(CallFeatures::UNHOLD)
    .union(CallFeatures::DIAL)
    .union(CallFeatures::REDIRECT)
    .union(CallFeatures::GENERATE_DIGITS)
    .union(CallFeatures::MONITOR_DIGITS)
    .union(CallFeatures::SEND_USER_USER)
    .union(CallFeatures::Q931)
    .union(CallFeatures::ACCEPT);

/// What the provider and its calls' tasks share.
pub(crate) struct Inner {
    pub(crate) config: H323Config,
    pub(crate) runtime: Handle,
    epoch: Instant,
    events: OnceLock<Arc<dyn TspEvents>>,
    state: Mutex<State>,
    active: watch::Sender<usize>,
    pub(crate) gate: Arc<Gate>,
    hubs: Mutex<Hubs>,
    pub(crate) extension: Extension,
    pub(crate) trunks: Trunks,
    pub(crate) registration: watch::Sender<RegistrationStatus>,
    /// Registrations that have not ended: more than one while a closed line still takes leave.
    pub(crate) registrars: AtomicUsize,
}

#[derive(Default)]
struct State {
    last_handle: u64,
    lines: HashMap<HdLine, Line>,
    calls: HashMap<HdCall, CallEntry>,
    msps: HashMap<HdMspLine, (HdLine, HtMspLine)>,
}

struct Line {
    ht: HtLine,
    listening: Option<Listening>,
    /// With a gatekeeper, from the opening of the line on.
    registrar: Option<Registrar>,
}

/// A call as requests find it.
#[derive(Clone)]
pub(crate) struct CallEntry {
    pub(crate) line: HdLine,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) info: Arc<Mutex<CallInfo>>,
    pub(crate) known: Arc<Known>,
}

impl H323Provider {
    /// A provider whose calls run on `runtime`.
    pub fn new(config: H323Config, runtime: Handle) -> Self {
        let inner = Inner {
            config,
            runtime,
            epoch: Instant::now(),
            events: OnceLock::new(),
            state: Mutex::default(),
            active: watch::channel(0).0,
            gate: Arc::default(),
            hubs: Mutex::default(),
            extension: Extension::default(),
            trunks: Trunks::default(),
            registration: watch::Sender::default(),
            registrars: AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Where the line listens, while it does.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.inner.lock().lines.values().find_map(|line| line.listening.as_ref().map(|l| l.address))
    }

    /// Where the registration with the gatekeeper stands, and every change of it.
    pub fn registration(&self) -> watch::Receiver<RegistrationStatus> {
        self.inner.registration.subscribe()
    }

    /// How often limits were met so far, ended calls' own included.
    pub fn counters(&self) -> Counters {
        self.inner.gate.counters()
    }

    /// Waits until every call's task has ended, and the registration: after [`Tspi::provider_shutdown`] this is when
    /// the last ReleaseComplete has left and the gatekeeper has let us go.
    pub async fn drained(&self) {
        // The sender lives in self, so waiting cannot fail.
        let _ = self.inner.active.subscribe().wait_for(|active| *active == 0).await;
    }

    /// A call that the broker has not closed.
    fn entry(&self, call: HdCall) -> Result<CallEntry, LineError> {
        let state = self.inner.lock();
        let entry = state.calls.get(&call).filter(|entry| !entry.known.is_closed());
        entry.cloned().ok_or(LineError::InvalCallHandle)
    }

    fn command(&self, call: HdCall, command: Command) -> Result<(), LineError> {
        self.entry(call)?.commands.send(command).map_err(|_| LineError::InvalCallHandle)
    }

    /// A command that is completed.
    fn request(&self, call: HdCall, request: RequestId, command: Command) -> Result<(), LineError> {
        // Under the lock: a task that ends meanwhile fails what was entered, or takes the call out of the table before.
        let state = self.inner.lock();
        let entry = state.calls.get(&call).ok_or(LineError::InvalCallHandle)?;
        entry.known.ask(request)?;
        match entry.commands.send(command) {
            Err(_) if entry.known.completed(request) => Err(LineError::InvalCallHandle),
            _ => Ok(()),
        }
    }

    /// Nothing names the calls any more, and their requests fail.
    fn close_calls(&self, of: impl Fn(&CallEntry) -> bool, why: &str) {
        let closed: Vec<_> = {
            let state = self.inner.lock();
            state.calls.values().filter(|entry| of(entry)).map(|entry| Arc::clone(&entry.known)).collect()
        };
        for known in closed {
            self.inner.fail(&known, why);
        }
    }

    fn release_calls(&self, of: impl Fn(&CallEntry) -> bool) {
        for entry in self.inner.lock().calls.values().filter(|entry| of(entry)) {
            // A task that has ended has released its call.
            let _ = entry.commands.send(Command::Shutdown);
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; should it all the same, the maps are still whole.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn hubs(&self) -> MutexGuard<'_, Hubs> {
        // As above.
        self.hubs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A destination as text; with a gatekeeper a name or a number alone is one.
    fn destination(&self, text: &str) -> Result<Destination, LineError> {
        match &self.config.gatekeeper {
            Some(_) => Destination::parse_registered(text),
            None => Destination::parse(text),
        }
    }

    /// A line that takes calls.
    pub(crate) fn taking_calls(&self) -> Option<(HdLine, HtLine)> {
        let state = self.lock();
        state.lines.iter().find(|(_, line)| line.listening.is_some()).map(|(hd, line)| (*hd, line.ht))
    }

    pub(crate) fn command(&self, call: HdCall, command: Command) -> Result<(), LineError> {
        let state = self.lock();
        let entry = state.calls.get(&call).ok_or(LineError::InvalCallHandle)?;
        entry.commands.send(command).map_err(|_| LineError::InvalCallHandle)
    }

    /// Closes a call: what is outstanding fails.
    pub(crate) fn fail(&self, known: &Known, why: &str) {
        let outstanding = known.close();
        if let Some(events) = self.events() {
            for request in outstanding {
                events.async_completion(request, Err(LineError::failed(why)));
            }
        }
    }

    /// Time since the provider began: what call machines are told.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Since 1970, when [`now`](Self::now) stood at zero.
    pub(crate) fn unix_epoch(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(self.now())
    }

    /// When a machine's deadline is on tokio's clock.
    pub(crate) fn deadline(&self, at: Duration) -> tokio::time::Instant {
        let far = Duration::from_secs(365 * 24 * 3600);
        tokio::time::Instant::from_std(self.epoch + at.min(self.now() + far))
    }

    pub(crate) fn events(&self) -> Option<&Arc<dyn TspEvents>> {
        self.events.get()
    }

    /// Enters a call into the table; an error if the table is full.
    pub(crate) fn enter(&self, entry: CallEntry) -> Result<HdCall, LineError> {
        let mut state = self.lock();
        if state.calls.len() >= self.config.max_calls {
            return Err(LineError::ResourceUnavail(format!(
                "{} calls are up already",
                self.config.max_calls
            )));
        }
        let hd = HdCall(state.next());
        state.calls.insert(hd, entry);
        self.begin();
        Ok(hd)
    }

    /// The gatekeeper's side of a line.
    pub(crate) fn registrar(&self, line: HdLine) -> Option<Registrar> {
        self.lock().lines.get(&line).and_then(|line| line.registrar.clone())
    }

    /// One more task that [`H323Provider::drained`] waits for.
    pub(crate) fn begin(&self) {
        self.active.send_modify(|active| *active += 1);
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        self.active.send_modify(|active| *active = active.saturating_sub(1));
    }

    /// The registration stands like this now.
    pub(crate) fn registered(&self, status: RegistrationStatus) {
        self.extension.registered(self, &status);
        self.registration.send_replace(status);
    }

    pub(crate) fn tap_ras(&self, source: SocketAddr, destination: SocketAddr, message: &[u8]) {
        self.extension.wire(self, Protocol::Ras, source, destination, message);
        if let Some(tap) = &self.config.tap {
            tap.ras(source, destination, message);
        }
    }

    pub(crate) fn tap_opened(&self, client: SocketAddr, server: SocketAddr) {
        if let Some(tap) = &self.config.tap {
            tap.opened(client, server);
        }
    }

    pub(crate) fn tap_octets(&self, source: SocketAddr, destination: SocketAddr, octets: &[u8]) {
        self.extension.wire(self, Protocol::Tcp, source, destination, octets);
        if let Some(tap) = &self.config.tap {
            tap.octets(source, destination, octets);
        }
    }

    pub(crate) fn tap_closed(&self, source: SocketAddr, destination: SocketAddr) {
        if let Some(tap) = &self.config.tap {
            tap.closed(source, destination);
        }
    }

    /// The call's task has ended.
    pub(crate) fn leave(&self, call: HdCall) {
        self.lock().calls.remove(&call);
        self.end();
    }
}

impl Line {
    /// Takes no more calls, and leaves the gatekeeper once the last call has.
    fn close(&mut self) {
        self.listening = None;
        if let Some(registrar) = self.registrar.take() {
            registrar.ask(Ask::Stop);
        }
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }
}

impl Tspi for H323Provider {
    fn line_negotiate_version(
        &self,
        device: u32,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, LineError> {
        if device != 0 {
            return Err(LineError::BadDeviceId);
        }
        ApiVersion::negotiate(lowest, highest, ApiVersion::V3_0, ApiVersion::V3_1)
            .ok_or(LineError::IncompatibleApiVersion)
    }

    fn provider_init(&self, events: Arc<dyn TspEvents>) -> Result<(), LineError> {
        self.inner.events.set(events).map_err(|_| LineError::failed("the provider was initialised before"))
    }

    fn provider_shutdown(&self) {
        for line in self.inner.lock().lines.values_mut() {
            line.close();
        }
        self.release_calls(|_| true);
        self.inner.trunks.retire();
    }

    fn line_devices(&self) -> u32 {
        1
    }

    fn line_dev_caps(&self, device: u32) -> Result<LineDevCaps, LineError> {
        if device != 0 {
            return Err(LineError::BadDeviceId);
        }
        let at = self.listening().unwrap_or(self.inner.config.listen);
        Ok(LineDevCaps {
            device: DeviceId(device),
            provider: self.inner.config.provider.clone(),
            line_name: format!("H.323 line on {at}"),
            media: MediaTypes::AUDIO,
            address_types: AddressTypes { phone_number: false, ip_address: true, domain_name: true },
            has_msp: true,
            max_active_calls: u32::try_from(self.inner.config.max_calls).unwrap_or(u32::MAX),
            features: FEATURES,
            hub_tracking: HubTracking::AllCalls,
            ..LineDevCaps::default()
        })
    }

    fn line_open(&self, device: u32, line: HtLine, version: ApiVersion) -> Result<HdLine, LineError> {
        self.line_negotiate_version(device, version, version)?;
        let mut state = self.inner.lock();
        let hd = HdLine(state.next());
        let mut entry = Line { ht: line, listening: None, registrar: None };
        // Who is registered can be called.
        if self.inner.config.gatekeeper.is_some() {
            let listening = listener::listen(&self.inner, hd, line)?;
            entry.registrar = Registrar::start(&self.inner, listening.address, line)?;
            entry.listening = Some(listening);
        }
        state.lines.insert(hd, entry);
        Ok(hd)
    }

    fn line_close(&self, line: HdLine) -> Result<(), LineError> {
        {
            let mut state = self.inner.lock();
            state.lines.remove(&line).ok_or(LineError::InvalLineHandle)?.close();
            state.msps.retain(|_, (of, _)| *of != line);
        }
        self.inner.extension.forget(line);
        self.close_calls(|entry| entry.line == line, "the line was closed");
        self.release_calls(|entry| entry.line == line);
        self.inner.trunks.retire();
        Ok(())
    }

    fn line_set_default_media_detection(&self, line: HdLine, media: MediaTypes) -> Result<(), LineError> {
        if !MediaTypes::AUDIO.contains(media) {
            return Err(LineError::InvalMediaMode);
        }
        let mut state = self.inner.lock();
        let entry = state.lines.get_mut(&line).ok_or(LineError::InvalLineHandle)?;
        if media.is_empty() && entry.registrar.is_some() {
            // Whoever calls now hears from the broker that nobody wants calls.
        } else if media.is_empty() {
            entry.listening = None;
            self.inner.trunks.retire_accepted();
        } else if entry.listening.is_none() {
            entry.listening = Some(listener::listen(&self.inner, line, entry.ht)?);
        }
        Ok(())
    }

    fn line_make_call(
        &self,
        request: RequestId,
        line: HdLine,
        call: HtCall,
        params: &CallParams,
    ) -> Result<HdCall, LineError> {
        if params.media.is_empty() || !MediaTypes::AUDIO.contains(params.media) {
            return Err(LineError::InvalMediaMode);
        }
        let destination = self.inner.destination(&params.destination)?;
        let ht = self.inner.lock().lines.get(&line).ok_or(LineError::InvalLineHandle)?.ht;
        call::outgoing(&self.inner, request, line, ht, call, destination, params)
    }

    fn line_accept(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.request(call, request, Command::Accept(request))
    }

    fn line_answer(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.request(call, request, Command::Answer(request))
    }

    fn line_drop(&self, request: RequestId, call: HdCall, mode: DisconnectMode) -> Result<(), LineError> {
        self.request(call, request, Command::Drop(request, mode))
    }

    fn line_close_call(&self, call: HdCall) -> Result<(), LineError> {
        let entry = self.entry(call)?;
        self.inner.fail(&entry.known, "the call was closed");
        // A task that has ended has released its call.
        let _ = entry.commands.send(Command::Close);
        Ok(())
    }

    fn line_call_info(&self, call: HdCall) -> Result<CallInfo, LineError> {
        let info = self.entry(call)?.info;
        let info = info.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(info.clone())
    }

    fn line_generate_digits(
        &self,
        request: RequestId,
        call: HdCall,
        mode: DigitMode,
        digits: &str,
    ) -> Result<(), LineError> {
        let legal = |c: char| c.is_ascii_digit() || "*#!ABCD".contains(c);
        if digits.is_empty() || digits.len() > 128 || !digits.chars().all(legal) {
            return Err(LineError::InvalParam(format!("{digits:?}: 1 to 128 of 0-9 * # A-D !")));
        }
        self.request(call, request, Command::Digits(request, digits.to_owned(), mode))
    }

    fn line_dial(
        &self,
        request: RequestId,
        call: HdCall,
        digits: &str,
        complete: bool,
    ) -> Result<(), LineError> {
        let legal = |c: char| c.is_ascii_digit() || "*#".contains(c);
        if digits.len() > 128 || !digits.chars().all(legal) || (digits.is_empty() && !complete) {
            return Err(LineError::InvalParam(format!("{digits:?}: up to 128 of 0-9 * #")));
        }
        self.request(call, request, Command::Dial(request, digits.to_owned(), complete))
    }

    fn line_redirect(&self, request: RequestId, call: HdCall, destination: &str) -> Result<(), LineError> {
        let destination = self.inner.destination(destination)?;
        let CallEntry { commands, known, .. } = self.entry(call)?;
        known.ask(request)?;
        let inner = Arc::clone(&self.inner);
        self.inner.runtime.spawn(async move {
            let found = resolve(&inner.config, &destination).await;
            let to = found.map(|addresses| (addresses.first().copied(), destination.alias));
            // A task that has ended has failed its requests.
            let _ = commands.send(Command::Redirect(request, to));
        });
        Ok(())
    }

    fn line_send_user_user_info(
        &self,
        request: RequestId,
        call: HdCall,
        data: &[u8],
    ) -> Result<(), LineError> {
        self.request(call, request, Command::UserUser(request, info::user_user_from(data)?))
    }

    fn line_q931(&self, request: RequestId, call: HdCall, what: Q931Verb) -> Result<(), LineError> {
        if let Q931Verb::Progress(code @ 128..) | Q931Verb::Notify(code @ 128..) = what {
            return Err(LineError::InvalParam(format!("{code}: descriptions have seven bits")));
        }
        self.request(call, request, Command::Q931(request, what))
    }

    fn line_extension(&self, device: u32) -> Result<ExtensionId, LineError> {
        if device != 0 {
            return Err(LineError::BadDeviceId);
        }
        Ok(ExtensionId(offhook_h323_ext::EXTENSION))
    }

    fn line_negotiate_ext_version(
        &self,
        device: u32,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<ExtensionVersion, LineError> {
        if device != 0 {
            return Err(LineError::BadDeviceId);
        }
        extension::negotiate(lowest, highest)
    }

    fn line_select_ext_version(&self, line: HdLine, version: ExtensionVersion) -> Result<(), LineError> {
        let ht = self.inner.lock().lines.get(&line).ok_or(LineError::InvalLineHandle)?.ht;
        self.inner.extension.select(line, ht, version)
    }

    fn line_dev_specific(
        &self,
        request: RequestId,
        line: HdLine,
        call: Option<HdCall>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        if !self.inner.lock().lines.contains_key(&line) {
            return Err(LineError::InvalLineHandle);
        }
        if call.is_some() {
            return Err(LineError::InvalParam("the extension has words about the line only".to_owned()));
        }
        let answer = self.inner.extension.ask(&self.inner, line, data)?;
        let events = self.inner.events().ok_or(LineError::NoDriver)?;
        events.async_answer(request, Ok(Completion::DevSpecific(answer)));
        Ok(())
    }

    fn line_hold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.request(call, request, Command::Hold(request))
    }

    fn line_unhold(&self, request: RequestId, call: HdCall) -> Result<(), LineError> {
        self.request(call, request, Command::Unhold(request))
    }

    fn line_move_media(&self, call: HdCall, msp: HdMspLine) -> Result<(), LineError> {
        let ht = match self.inner.lock().msps.get(&msp) {
            Some((_, ht)) => *ht,
            None => return Err(LineError::InvalParam("no such MSP instance".to_owned())),
        };
        self.command(call, Command::MoveMedia(ht))
    }

    fn line_create_msp_instance(
        &self,
        line: HdLine,
        address: u32,
        msp: HtMspLine,
    ) -> Result<HdMspLine, LineError> {
        if address != 0 {
            return Err(LineError::InvalParam("the line has one address, number 0".to_owned()));
        }
        let mut state = self.inner.lock();
        if !state.lines.contains_key(&line) {
            return Err(LineError::InvalLineHandle);
        }
        let hd = HdMspLine(state.next());
        state.msps.insert(hd, (line, msp));
        Ok(hd)
    }

    fn line_close_msp_instance(&self, msp: HdMspLine) -> Result<(), LineError> {
        self.inner.lock().msps.remove(&msp).map(|_| ()).ok_or(LineError::InvalLineHandle)
    }

    fn line_receive_msp_data(
        &self,
        line: HdLine,
        call: Option<HdCall>,
        msp: HdMspLine,
        data: Opaque,
    ) -> Result<(), LineError> {
        let ht = match self.inner.lock().msps.get(&msp) {
            Some((of, ht)) if *of == line => *ht,
            _ => return Err(LineError::InvalLineHandle),
        };
        // Our pair has nothing to say about the address as such.
        let call = call.ok_or(LineError::OperationUnavail)?;
        self.command(call, Command::MspData(ht, data))
    }
}
