//! Call hubs at the application: who is in a call, whoever holds it.
//!
//! In: the application's verbs; what the broker tells of hubs. Out: requests; [`Event::CallHub`](crate::Event::CallHub).
//! The broker has the hubs. What is kept here, of tracked hubs only and until their Idle, is which of their calls this
//! application holds, so that an event can name it.
//!
//! A call's joining comes before its notification, and names it: the broker sends the joining first, so the pump keeps
//! that back until the call's first state has made the call (`HeldBack`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use offhook_spi::{
    AppReply, AppRequest, CallInfo, DeviceId, HCall, HHub, HubCallId, HubEvent, HubMember, HubRecord,
    HubSnapshot, HubTracking, LineCallState, LineError, Timestamp,
};

use crate::call::CallShared;
use crate::core::{Core, Pending, Session, count, lock, unexpected_reply};
use crate::event::Raw;
use crate::{Address, Call, CallState, HubView, Tapi, TapiError};

/// All calls that are one call to the people in it: the legs here, those of other applications, those of other lines
/// of the provider. Cheap to clone; it does not keep the calls.
#[doc(alias = "ITCallHub")]
#[derive(Clone)]
pub struct CallHub {
    shared: Arc<HubShared>,
    session: Arc<Session>,
}

/// Whether anybody is in a call. Alias `CALLHUB_STATE`.
#[doc(alias = "CALLHUB_STATE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallHubState {
    /// A call in it has not ended.
    #[doc(alias = "CHS_ACTIVE")]
    Active,
    /// All calls have ended; nothing more will come of it.
    #[doc(alias = "CHS_IDLE")]
    Idle,
}

/// A call in a hub.
#[derive(Clone, Debug)]
pub struct HubCall {
    /// Its name in hubs, the same for every application of one broker.
    pub id: HubCallId,
    /// The line device that it is on.
    pub device: DeviceId,
    /// The call itself, if this application holds it.
    pub call: Option<Call>,
    /// Its state; none if nothing was said of it, or nothing that means anything.
    pub state: Option<CallState>,
    /// The provider's state behind it.
    pub line_state: Option<LineCallState>,
    /// What is known of it.
    pub info: CallInfo,
}

/// What the pump knows of a hub.
pub(crate) struct HubShared {
    id: HHub,
    provider: String,
    call_id: u32,
    inner: Mutex<HubInner>,
}

#[derive(Default)]
struct HubInner {
    is_over: bool,
    /// The calls in it that were told, and those that this application asked about.
    calls: BTreeMap<HubCallId, Option<Own>>,
}

/// A call of this application.
#[derive(Clone)]
struct Own {
    handle: HCall,
    call: Weak<CallShared>,
}

/// What the broker said of hubs when it was about to announce a call.
pub(crate) struct HeldBack {
    call: HCall,
    news: Vec<News>,
}

struct News {
    hub: Arc<HubShared>,
    event: HubEvent,
    at: Timestamp,
}

impl Tapi {
    /// Tracks call hubs on `addresses`, as much as each can tell, or ends that. Addresses before the first that refuses
    /// are tracked. [`Address::track_call_hubs`] chooses the level.
    #[doc(alias = "ITTAPI::SetCallHubTracking")]
    pub async fn set_call_hub_tracking(&self, addresses: &[Address], on: bool) -> Result<(), TapiError> {
        for address in addresses {
            let level = match (on, address.caps().hub_tracking) {
                (false, _) => HubTracking::None,
                (true, HubTracking::None) => return Err(LineError::OperationUnavail.into()),
                (true, most) => most,
            };
            address.track_call_hubs(level).await?;
        }
        Ok(())
    }

    /// The hubs with a call on an address that is tracked.
    #[doc(alias = "ITTAPI::EnumerateCallHubs")]
    #[doc(alias = "ITTAPI::get_CallHubs")]
    pub async fn call_hubs(&self) -> Result<Vec<CallHub>, TapiError> {
        let hubs = seen(&self.session.core).await?;
        Ok(hubs.iter().map(|hub| CallHub::of(hub, &self.session)).collect())
    }

    /// The hub of a provider's call id, if it is among them.
    pub async fn find_call_hub(&self, provider: &str, call_id: u32) -> Result<Option<CallHub>, TapiError> {
        let hubs = seen(&self.session.core).await?;
        let found = hubs.iter().find(|hub| hub.provider == provider && hub.call_id == call_id);
        Ok(found.map(|hub| CallHub::of(hub, &self.session)))
    }

    /// The same hubs with all that this application is told of them, as plain data.
    pub async fn hub_view(&self) -> Result<HubView, TapiError> {
        seen(&self.session.core).await.map(HubView::of)
    }
}

impl Address {
    /// How much of call hubs on this address is told, at most [`caps().hub_tracking`](offhook_spi::LineDevCaps); it
    /// need not be open. Raised: the hubs that are there are told before this returns. Lowered: hubs that are not seen
    /// any more are forgotten without an event.
    #[doc(alias = "lineSetCallHubTracking")]
    #[doc(alias = "LINECALLHUBTRACKINGINFO")]
    pub async fn track_call_hubs(&self, level: HubTracking) -> Result<(), TapiError> {
        let core = &self.shared.core;
        let device = self.caps().device;
        core.request(AppRequest::SetCallHubTracking { device, level }).await?;
        core.request_with(AppRequest::Hubs, Pending::Hubs).await.map(drop)
    }
}

impl Call {
    /// The hub that the call is in, or was in when it ended; [`TapiError::Pending`] while its provider has not said
    /// which. Tracking is not needed.
    #[doc(alias = "ITCallInfo::get_CallHub")]
    pub async fn call_hub(&self) -> Result<CallHub, TapiError> {
        let call = self.hub_handle()?;
        let session = self.session();
        match session.core.request(AppRequest::CallHub { call }).await? {
            AppReply::Hub(hub) => Ok(CallHub::of(&hub, session)),
            _ => Err(unexpected_reply()),
        }
    }
}

impl CallHub {
    fn of(hub: &HubSnapshot, session: &Arc<Session>) -> Self {
        let registry = lock(&session.core.registry);
        let known = registry.hubs.get(&hub.hub).cloned();
        let shared = known.unwrap_or_else(|| Arc::new(HubShared::new(hub.hub, &hub.provider, hub.call_id)));
        // An untracked hub is found again by the calls of it that this application holds.
        let own = hub.members.iter().filter_map(|member| {
            let handle = member.call?;
            Some((member.id, Own { handle, call: Arc::downgrade(registry.calls.get(&handle)?) }))
        });
        let mut inner = lock(&shared.inner);
        for (id, own) in own {
            inner.calls.entry(id).or_insert(Some(own));
        }
        drop((inner, registry));
        Self { shared, session: session.clone() }
    }

    pub(crate) fn new(shared: Arc<HubShared>, session: Arc<Session>) -> Self {
        Self { shared, session }
    }

    /// Its name, the same for every application of one broker.
    pub fn id(&self) -> HHub {
        self.shared.id
    }

    /// The provider, by the name in its capabilities.
    pub fn provider(&self) -> &str {
        &self.shared.provider
    }

    /// The provider's identity of the call.
    #[doc(alias = "dwCallID")]
    pub fn call_id(&self) -> u32 {
        self.shared.call_id
    }

    /// The calls in it now, in the order of joining; none if it has ended. One that is tracked at
    /// [`HubTracking::ProviderLevel`] shows its calls only while this application holds one of them.
    #[doc(alias = "ITCallHub::EnumerateCalls")]
    #[doc(alias = "ITCallHub::get_Calls")]
    pub async fn calls(&self) -> Result<Vec<HubCall>, TapiError> {
        let found = self.snapshot().await?;
        let registry = lock(&self.session.core.registry);
        let members = found.into_iter().flat_map(|hub| hub.members);
        Ok(members
            .map(|member| {
                let own = member.call.and_then(|handle| registry.calls.get(&handle));
                let HubMember { id, device, state, info, .. } = member;
                let call = own.and_then(|call| call.handle());
                HubCall {
                    id,
                    device,
                    call,
                    state: state.and_then(CallState::of_line),
                    line_state: state,
                    info,
                }
            })
            .collect())
    }

    /// A call of this application as it is in the hub; none if it is not.
    pub async fn find(&self, call: &Call) -> Result<Option<HubCall>, TapiError> {
        let calls = self.calls().await?;
        Ok(calls.into_iter().find(|member| member.call.as_ref() == Some(call)))
    }

    /// Whether a call in it has not ended. A hub that this application neither tracks nor has a call in counts as
    /// ended.
    #[doc(alias = "ITCallHub::get_State")]
    pub async fn state(&self) -> Result<CallHubState, TapiError> {
        let found = self.snapshot().await?;
        Ok(found.map_or(CallHubState::Idle, |_| CallHubState::Active))
    }

    /// Tries to end the call for everybody in it: drops the calls that this application owns. That it does not own them
    /// all is no error.
    #[doc(alias = "ITCallHub::Clear")]
    pub async fn clear(&self) -> Result<(), TapiError> {
        let hub = self.shared.id;
        self.session.core.request(AppRequest::ClearHub { hub }).await.map(drop)
    }

    async fn snapshot(&self) -> Result<Option<HubSnapshot>, TapiError> {
        let (is_over, own) = {
            let inner = lock(&self.shared.inner);
            let own = inner.calls.values().flatten().map(|own| own.handle);
            (inner.is_over, own.collect::<Vec<_>>())
        };
        if is_over {
            return Ok(None);
        }
        let core = &self.session.core;
        for call in own {
            match core.request(AppRequest::CallHub { call }).await {
                Ok(AppReply::Hub(hub)) if hub.hub == self.shared.id => return Ok(Some(*hub)),
                // It has gone to another hub, or was released.
                Ok(_) | Err(TapiError::Line(_) | TapiError::Pending) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen(core).await?.into_iter().find(|hub| hub.hub == self.shared.id))
    }
}

impl fmt::Debug for HubShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hub {}", self.id.0)
    }
}

impl fmt::Debug for CallHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallHub({} {:?} {})", self.shared.id.0, self.shared.provider, self.shared.call_id)
    }
}

impl PartialEq for CallHub {
    fn eq(&self, other: &Self) -> bool {
        self.shared.id == other.shared.id && Arc::ptr_eq(&self.session.core, &other.session.core)
    }
}

impl Eq for CallHub {}

async fn seen(core: &Core) -> Result<Vec<HubSnapshot>, TapiError> {
    match core.request(AppRequest::Hubs).await? {
        AppReply::Hubs(hubs) => Ok(hubs),
        _ => Err(unexpected_reply()),
    }
}

impl HubShared {
    fn new(id: HHub, provider: &str, call_id: u32) -> Self {
        Self { id, provider: provider.to_owned(), call_id, inner: Mutex::default() }
    }

    /// What an event says of the application's own calls. Answers the one that it is about.
    fn enter(&self, core: &Core, event: &HubEvent) -> Option<Arc<CallShared>> {
        let named = match event {
            HubEvent::Join { member } => member.call,
            HubEvent::Held { handle, .. } => *handle,
            _ => None,
        };
        let own = named.and_then(|handle| {
            let call = Arc::downgrade(lock(&core.registry).calls.get(&handle)?);
            Some(Own { handle, call })
        });
        let mut inner = lock(&self.inner);
        let found = match event {
            HubEvent::New { .. } => None,
            HubEvent::Join { member } => {
                inner.calls.insert(member.id, own.clone());
                own
            }
            HubEvent::Held { call, .. } => {
                let before = inner.calls.insert(*call, own.clone()).flatten();
                own.or(before)
            }
            HubEvent::State { call, .. } | HubEvent::Info { call, .. } => {
                inner.calls.get(call).cloned().flatten()
            }
            HubEvent::Leave { call } => inner.calls.remove(call).flatten(),
            HubEvent::Idle => {
                inner.is_over = true;
                inner.calls.clear();
                None
            }
        };
        drop(inner);
        let own = found?;
        // The call that has the handle now, if that was passed on within this application.
        let now = lock(&core.registry).calls.get(&own.handle).cloned();
        now.or_else(|| own.call.upgrade())
    }
}

/// The broker tells of a hub.
pub(crate) fn reported(core: &Core, record: HubRecord) {
    let HubRecord { at, hub, event } = record;
    let news = {
        let mut registry = lock(&core.registry);
        if let HubEvent::New { provider, call_id } = &event {
            registry.hubs.insert(hub, Arc::new(HubShared::new(hub, provider, *call_id)));
        }
        let found = match &event {
            HubEvent::Idle => registry.hubs.remove(&hub),
            _ => registry.hubs.get(&hub).cloned(),
        };
        let Some(hub) = found else {
            drop(registry);
            return count(&core.counts.stray_events);
        };
        let news = News { hub, event, at };
        let coming = match &news.event {
            HubEvent::Join { member } => member.call,
            HubEvent::Held { handle, .. } => *handle,
            _ => None,
        };
        // Its NewCall is what the broker says next.
        if let Some(call) = coming.filter(|call| !registry.calls.contains_key(call)) {
            registry.held_back.get_or_insert_with(|| HeldBack { call, news: Vec::new() }).news.push(news);
            return;
        }
        news
    };
    tell(core, news);
}

/// The broker says something: what was kept back for a call goes out, unless that call is only about to be made.
pub(crate) fn resume(core: &Core, about_to_come: Option<HCall>) {
    let held = {
        let mut registry = lock(&core.registry);
        registry.held_back.take_if(|held| Some(held.call) != about_to_come)
    };
    for news in held.into_iter().flat_map(|held| held.news) {
        tell(core, news);
    }
}

fn tell(core: &Core, news: News) {
    let News { hub, event, at } = news;
    let call = hub.enter(core, &event);
    if let (HubEvent::Leave { .. }, Some(call)) = (&event, &call) {
        crate::pump::leaves_hub(core, call);
    }
    core.subscribers.emit(Raw::Hub { hub, event, call, at });
}

/// The answer to Hubs after tracking was changed: what is not in it is not told any more.
pub(crate) fn keep(core: &Core, hubs: &[HubSnapshot]) {
    let told: BTreeMap<_, _> = hubs.iter().map(|hub| (hub.hub, hub)).collect();
    let mut registry = lock(&core.registry);
    registry.hubs.retain(|id, _| told.contains_key(id));
    for (id, hub) in &registry.hubs {
        let members = told.get(id).map(|hub| hub.members.as_slice()).unwrap_or_default();
        lock(&hub.inner).calls.retain(|call, own| own.is_some() || members.iter().any(|m| m.id == *call));
    }
}

/// No broker any more: its calls are over, and so are its hubs.
pub(crate) fn all_gone(core: &Core) {
    let hubs = std::mem::take(&mut lock(&core.registry).hubs);
    let at = Timestamp::now();
    for hub in hubs.into_values() {
        let calls: Vec<_> = lock(&hub.inner).calls.keys().copied().collect();
        for call in calls {
            tell(core, News { hub: hub.clone(), event: HubEvent::Leave { call }, at });
        }
        tell(core, News { hub, event: HubEvent::Idle, at });
    }
}
