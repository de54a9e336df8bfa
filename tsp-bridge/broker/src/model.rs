//! What the broker knows: devices, lines, calls, MSP instances, clients, requests in flight.
//!
//! In and out: plain tables, only ever touched under the broker's one lock ([`Inner::with`]).
//! Every name here is the broker's own; the provider's (`Hd…`) and the clients' (`H…`) hang off it.
//! Not here: any call of a provider or a sink.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use offhook_spi::{
    ApiVersion, AppEvent, AppReply, CallInfo, CallInfoChange, DeviceId, DigitMode, ExtensionVersion, HCall,
    HHub, HLine, HPhone, HdCall, HdLine, HdMspLine, HtCall, HtLine, HtMspLine, HtPhone, HubTracking,
    LineCallState, LineDevCaps, LineDevState, LineError, MediaTypes, Opaque, PhoneId, Privilege, RequestId,
    Timestamp, Tspi,
};

use crate::deallocate::GivenUp;
use crate::extension::Extension;
use crate::hubs::Hubs;
use crate::making::Making;
use crate::outbox::Outbox;
use crate::phones::{Phone, PhoneDevice};
use crate::priority::Priorities;

/// The broker behind its handles.
pub(crate) struct Inner {
    state: Mutex<State>,
}

impl Inner {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default() }
    }

    /// Runs `f` under the lock, then, without it, delivers what `f` queued for clients.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let (result, touched) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let result = f(&mut state);
            (result, std::mem::take(&mut state.touched))
        };
        for outbox in touched {
            outbox.drain();
        }
        result
    }
}

/// A client of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(crate) u64);

/// A provider of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProviderId(pub(crate) u64);

/// What providers and clients did that nobody was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// Events for a call that was not valid yet: before MakeCall's completion, or before a new call's first state.
    pub early_events: u64,
    /// Events for calls and lines that are not known: deallocated, closed, or never there.
    pub late_events: u64,
    /// States that may not follow the one before.
    pub illegal_states: u64,
    /// Completions of requests that are not outstanding.
    pub stray_completions: u64,
    /// Calls refused because no client wanted them or the line was full.
    pub calls_refused: u64,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) providers: BTreeMap<ProviderId, Arc<dyn Tspi>>,
    pub(crate) devices: Vec<Device>,
    pub(crate) lines: BTreeMap<HtLine, Line>,
    pub(crate) calls: BTreeMap<HtCall, Call>,
    pub(crate) msps: BTreeMap<HtMspLine, MspInstance>,
    pub(crate) clients: BTreeMap<ClientId, Client>,
    pub(crate) requests: BTreeMap<RequestId, Outstanding>,
    /// Requests that make calls, from their submission until both their completion and their return have come.
    pub(crate) makings: BTreeMap<RequestId, Making>,
    pub(crate) phone_devices: Vec<PhoneDevice>,
    pub(crate) phones: BTreeMap<HtPhone, Phone>,
    pub(crate) priorities: Priorities,
    pub(crate) hubs: Hubs,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) shut: bool,
    last_handle: u64,
    last_request: u32,
    touched: Vec<Arc<Outbox>>,
}

pub(crate) struct Device {
    pub(crate) provider: ProviderId,
    pub(crate) tsp: Arc<dyn Tspi>,
    /// The provider's own number for it.
    pub(crate) number: u32,
    pub(crate) version: ApiVersion,
    pub(crate) caps: LineDevCaps,
    pub(crate) slot: Slot,
    /// What its provider said last of the line that is or was open on it.
    pub(crate) service: Option<(HtLine, LineDevState)>,
}

/// Whether a device is open at its provider. One opening or closing at a time; whoever comes meanwhile waits in line.
pub(crate) enum Slot {
    Closed,
    Opening {
        line: HtLine,
        waiting: Vec<Opener>,
        /// The provider closed it before it had said that it is open.
        closed: Option<LineError>,
    },
    Open(HtLine),
    Closing {
        waiting: Vec<Opener>,
    },
}

/// A client's wish to open a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opener {
    pub(crate) client: ClientId,
    pub(crate) request: RequestId,
    pub(crate) privilege: Privilege,
    pub(crate) media: MediaTypes,
}

pub(crate) struct Line {
    pub(crate) device: usize,
    pub(crate) provider: ProviderId,
    pub(crate) tsp: Arc<dyn Tspi>,
    pub(crate) hd: HdLine,
    /// In order of opening: that is the priority.
    pub(crate) opens: Vec<Open>,
    /// Who waits until the provider listens for their media.
    pub(crate) joining: Vec<Opener>,
    /// The media detection that the provider was told.
    pub(crate) detection: MediaTypes,
    /// Somebody is telling it.
    pub(crate) telling: bool,
    pub(crate) extension: Extension<HLine>,
    /// How much of call hubs the provider was told to be wanted.
    pub(crate) hubs_told: HubTracking,
    /// Somebody is telling it that.
    pub(crate) hubs_telling: bool,
}

impl Line {
    pub(crate) fn new(device: usize, provider: ProviderId, tsp: Arc<dyn Tspi>, hd: HdLine) -> Self {
        Self {
            device,
            provider,
            tsp,
            hd,
            opens: Vec::new(),
            joining: Vec::new(),
            detection: MediaTypes::NONE,
            telling: false,
            extension: Extension::default(),
            hubs_told: HubTracking::None,
            hubs_telling: false,
        }
    }

    /// The media of arriving calls that somebody wants.
    pub(crate) fn wanted(&self) -> MediaTypes {
        let open = self.listeners().map(|open| open.media);
        open.chain(self.joining.iter().map(|opener| opener.media)).fold(MediaTypes::NONE, MediaTypes::union)
    }

    pub(crate) fn listeners(&self) -> impl Iterator<Item = &Open> {
        self.opens.iter().filter(|open| open.privilege != Privilege::None)
    }
}

/// A line as one client has it open.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    pub(crate) client: ClientId,
    pub(crate) line: HLine,
    pub(crate) privilege: Privilege,
    pub(crate) media: MediaTypes,
    /// The interface version that the client negotiated before it opened the line.
    pub(crate) version: ApiVersion,
}

pub(crate) struct Call {
    pub(crate) line: HtLine,
    pub(crate) tsp: Arc<dyn Tspi>,
    pub(crate) hd: Option<HdCall>,
    pub(crate) stage: Stage,
    pub(crate) state: Option<LineCallState>,
    /// When the cause of that state happened.
    pub(crate) state_at: Timestamp,
    /// The MSP instances that the TSP has sent a buffer of this call to.
    pub(crate) spoken_to: Vec<HtMspLine>,
    /// The MSP instance that has the call's media, once one has answered or was given them.
    pub(crate) media: Option<HtMspLine>,
    /// The instances that have or had them.
    pub(crate) had_media: Vec<HtMspLine>,
    /// The application that placed, accepted or answered it.
    pub(crate) application: String,
    pub(crate) holders: Vec<Holder>,
    /// What the provider reported and nobody has worked on yet.
    pub(crate) reports: VecDeque<Report>,
    /// Somebody works on the reports, or they wait for the provider's handle.
    pub(crate) busy: bool,
    /// What was known last.
    pub(crate) info: Option<CallInfo>,
    /// The hub that it is in, or was in when it ended.
    pub(crate) hub: Option<HHub>,
}

impl Call {
    pub(crate) fn new(line: HtLine, tsp: Arc<dyn Tspi>, hd: Option<HdCall>, stage: Stage) -> Self {
        Self {
            line,
            tsp,
            hd,
            busy: matches!(stage, Stage::Making(_)),
            stage,
            state: None,
            state_at: Timestamp::default(),
            spoken_to: Vec::new(),
            media: None,
            had_media: Vec::new(),
            application: String::new(),
            holders: Vec::new(),
            reports: VecDeque::new(),
            info: None,
            hub: None,
        }
    }

    pub(crate) fn holder(&self, client: ClientId) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.client == client)
    }
}

/// How far a call has come towards being valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The request that makes it is under way.
    Making(RequestId),
    /// It was made with success, and the provider's handle is not known yet.
    Made,
    /// The client that made it has gone and the provider's handle is not known yet.
    Abandoned,
    /// Announced by the provider or made with success.
    Valid,
}

/// A client's handle on a call.
#[derive(Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) client: ClientId,
    pub(crate) line: HLine,
    pub(crate) call: HCall,
    pub(crate) privilege: Privilege,
    /// What it is told goes by the words of this version.
    pub(crate) version: ApiVersion,
}

/// Something that the provider reported about a call, or that its holders are to be told in the same order.
pub(crate) enum Report {
    State(LineCallState, Timestamp),
    Info(CallInfoChange),
    /// Owners or monitors have changed by that client's doing: everybody else is told.
    Holders(ClientId),
    /// A client has claimed the call: who sees its hub is told.
    Claimed,
    DevSpecific(Opaque),
    Digit(char, DigitMode, Option<Duration>),
    Msp(Option<HtMspLine>, Opaque),
}

pub(crate) struct MspInstance {
    pub(crate) client: ClientId,
    pub(crate) line: HtLine,
    pub(crate) opened: HLine,
    pub(crate) hd: Option<HdMspLine>,
}

pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) lines: BTreeMap<HLine, HtLine>,
    pub(crate) calls: BTreeMap<HCall, HtCall>,
    pub(crate) phones: BTreeMap<HPhone, HtPhone>,
    /// The interface version that it negotiated for a device; the device's own if none.
    pub(crate) versions: BTreeMap<DeviceId, ApiVersion>,
    /// The versions of line extensions that it negotiated.
    pub(crate) extensions: BTreeMap<DeviceId, ExtensionVersion>,
    /// The same of phones.
    pub(crate) phone_extensions: BTreeMap<PhoneId, ExtensionVersion>,
}

impl Client {
    pub(crate) fn new(name: &str, outbox: Arc<Outbox>) -> Self {
        Self {
            name: name.to_owned(),
            outbox,
            lines: BTreeMap::new(),
            calls: BTreeMap::new(),
            phones: BTreeMap::new(),
            versions: BTreeMap::new(),
            extensions: BTreeMap::new(),
            phone_extensions: BTreeMap::new(),
        }
    }
}

/// A request that a provider has to complete.
pub(crate) struct Outstanding {
    /// None: the broker's own, or of a request that makes calls ([`Making`] has its client).
    pub(crate) client: Option<(ClientId, RequestId)>,
    /// What it is about: if that goes, the request has failed.
    pub(crate) about: About,
    /// Calls that it is about beside that.
    pub(crate) also: Vec<HtCall>,
    /// What it is to be answered by.
    pub(crate) expects: Expects,
}

impl Outstanding {
    pub(crate) fn concerns(&self, call: HtCall) -> bool {
        self.about == About::Call(call) || self.also.contains(&call)
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Call(HtCall),
    /// A line, as a client has it open.
    Line(HtLine, HLine),
    /// A phone, as a client has it open.
    Phone(HtPhone, HPhone),
}

/// What a completion must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expects {
    Done,
    /// The same; with success, the client has claimed the call: it accepted or answered it.
    Claim,
    Address,
    CompletionId,
    DevSpecific,
}

impl State {
    /// A handle that was never used.
    pub(crate) fn handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    /// Enters a request about a call and names it.
    pub(crate) fn outstanding(&mut self, client: Option<(ClientId, RequestId)>, call: HtCall) -> RequestId {
        self.enter(Outstanding { client, about: About::Call(call), also: Vec::new(), expects: Expects::Done })
    }

    /// Enters a request and names it.
    pub(crate) fn enter(&mut self, request: Outstanding) -> RequestId {
        loop {
            self.last_request = self.last_request.wrapping_add(1);
            let id = RequestId(self.last_request);
            if id.0 != 0 && !self.requests.contains_key(&id) && !self.makings.contains_key(&id) {
                self.requests.insert(id, request);
                return id;
            }
        }
    }

    /// Queues an event for a client, if it is still there.
    pub(crate) fn push(&mut self, client: ClientId, event: AppEvent) {
        if let Some(client) = self.clients.get(&client) {
            client.outbox.push(event);
            if !self.touched.iter().any(|known| Arc::ptr_eq(known, &client.outbox)) {
                self.touched.push(client.outbox.clone());
            }
        }
    }

    pub(crate) fn reply(
        &mut self,
        client: ClientId,
        request: RequestId,
        result: Result<AppReply, LineError>,
    ) {
        self.push(client, AppEvent::Reply { request, result });
    }

    /// Completes every request outstanding on a call that is gone. Answers what is to be told to the provider of calls
    /// that such a request made.
    #[must_use]
    pub(crate) fn fail_outstanding(&mut self, call: HtCall, why: &LineError) -> Vec<GivenUp> {
        self.fail_requests(|outstanding| outstanding.concerns(call), why)
    }

    /// The same for every request that `gone` picks.
    #[must_use]
    pub(crate) fn fail_requests(
        &mut self,
        gone: impl Fn(&Outstanding) -> bool,
        why: &LineError,
    ) -> Vec<GivenUp> {
        let ids: Vec<_> = self.requests.iter().filter(|(_, r)| gone(r)).map(|(id, _)| *id).collect();
        let mut given_up = Vec::new();
        for id in ids {
            if self.makings.contains_key(&id) {
                given_up.extend(self.abandon_making(id, why));
            } else if let Some((client, request)) = self.requests.remove(&id).and_then(|r| r.client) {
                self.reply(client, request, Err(why.clone()));
            }
        }
        given_up
    }

    /// Gives a client a handle on a call.
    pub(crate) fn grant(&mut self, ht: HtCall, client: ClientId, line: HLine, privilege: Privilege) -> HCall {
        let call = HCall(self.handle());
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.calls.insert(call, ht);
        }
        let on = self.calls.get(&ht).and_then(|entry| self.lines.get(&entry.line));
        let open = on.and_then(|entry| entry.opens.iter().find(|open| open.line == line));
        let version = open.map_or(ApiVersion::V3_1, |open| open.version);
        if let Some(entry) = self.calls.get_mut(&ht) {
            entry.holders.push(Holder { client, line, call, privilege, version });
        }
        self.hub_held(ht, client, Some(call));
        call
    }

    /// Takes a call out of the tables, and out of its hub.
    pub(crate) fn remove_call(&mut self, ht: HtCall) -> Option<Call> {
        let call = self.calls.remove(&ht);
        self.hub_removed(ht);
        call
    }

    /// A client's open line.
    pub(crate) fn line_of(&self, client: ClientId, line: HLine) -> Result<HtLine, LineError> {
        let client = self.clients.get(&client).ok_or(LineError::NoDriver)?;
        client.lines.get(&line).copied().ok_or(LineError::InvalLineHandle)
    }

    /// A client's call.
    pub(crate) fn call_of(&self, client: ClientId, call: HCall) -> Result<(HtCall, &Call), LineError> {
        let client = self.clients.get(&client).ok_or(LineError::NoDriver)?;
        let ht = client.calls.get(&call).copied().ok_or(LineError::InvalCallHandle)?;
        self.calls.get(&ht).map(|call| (ht, call)).ok_or(LineError::InvalCallHandle)
    }

    pub(crate) fn device(&self, device: DeviceId) -> Result<usize, LineError> {
        let index = usize::try_from(device.0).map_err(|_| LineError::BadDeviceId)?;
        if index < self.devices.len() { Ok(index) } else { Err(LineError::BadDeviceId) }
    }
}
