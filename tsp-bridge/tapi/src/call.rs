//! A call as the application holds it, and what the pump knows of it.
//!
//! In: the application's verbs; the pump's reports. Out: requests; a status that can be waited for.
//! The handle given to applications ([`Call`]) releases the call when its last clone goes. The pump, events in a
//! queue, streams and terminals hold the shared part only.
//!
//! ```text
//! Undialled ─dial─▶ Dialling ─reply─▶ Bound(HCall) ─release, line gone─▶ Void
//!     (incoming calls begin Bound)        └─ the reply failed ─▶ Void
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use offhook_spi::{
    AppReply, AppRequest, CallInfo, CallOrigin, CallParams, CallReason, DigitMode, DisconnectMode, HCall,
    LineCallState, LineError, Party, Privilege, Q931Verb, StreamId, Timestamp,
};
use tokio::sync::{oneshot, watch};

use crate::address::{AddressShared, MspHalf};
use crate::core::{Msg, Pending, SYNCHRONOUS_LIMIT, Session, answer, count, lock, unexpected_reply};
use crate::substream::Part;
use crate::{Address, CallState, CallStatus, DisconnectCause, DisconnectCode, Stream, TapiError, Terminal};

/// A call. Cheap to clone; the call is released when the last clone is dropped.
#[doc(alias = "ITBasicCallControl")]
#[doc(alias = "ITCallInfo")]
#[doc(alias = "ITStreamControl")]
#[derive(Clone)]
pub struct Call(Arc<CallHandle>);

impl Call {
    pub(crate) fn new(shared: Arc<CallShared>, session: Arc<Session>) -> Self {
        let handle = Arc::new(CallHandle { shared, session });
        *lock(&handle.shared.handle) = Arc::downgrade(&handle);
        Self(handle)
    }

    pub(crate) fn shared(&self) -> &Arc<CallShared> {
        &self.0.shared
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.shared.id
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0.session
    }

    /// The broker's handle; one that the broker does not know yet is in no hub yet.
    pub(crate) fn hub_handle(&self) -> Result<HCall, TapiError> {
        match &*lock(&self.shared().inner) {
            CallInner { released: true, .. } => Err(TapiError::Released),
            CallInner { phase: Phase::Bound(call), .. } => Ok(*call),
            CallInner { phase: Phase::Undialled | Phase::Dialling(_), .. } => Err(TapiError::Pending),
            CallInner { phase: Phase::Void, .. } => Err(TapiError::InvalidCallState),
        }
    }

    /// The address it is on.
    #[doc(alias = "ITCallInfo::get_Address")]
    pub fn address(&self) -> Address {
        Address::new(self.shared().address.clone(), self.0.session.clone())
    }

    /// Owner or monitor.
    #[doc(alias = "ITCallInfo::get_Privilege")]
    pub fn privilege(&self) -> Privilege {
        self.shared().privilege()
    }

    /// Its state.
    #[doc(alias = "ITCallInfo::get_CallState")]
    pub fn state(&self) -> CallState {
        self.status().state
    }

    /// Its state with cause, line state and time.
    pub fn status(&self) -> CallStatus {
        *self.shared().status.borrow()
    }

    /// What is known of it; also after it ended, until it is released.
    #[doc(alias = "ITCallInfo::get_CallInfoString")]
    pub async fn info(&self) -> Result<CallInfo, TapiError> {
        let shared = self.shared();
        let call = {
            let inner = lock(&shared.inner);
            match (inner.released, &inner.phase) {
                (true, _) => return Err(TapiError::Released),
                (false, Phase::Bound(call)) => *call,
                (false, _) => return Ok(inner.info.clone()),
            }
        };
        match shared.address.core.request(AppRequest::CallInfo { call }).await {
            Ok(AppReply::CallInfo(info)) => {
                lock(&shared.inner).info = (*info).clone();
                Ok(*info)
            }
            Ok(_) => Err(unexpected_reply()),
            // The line has gone under it: what was known last is still true.
            Err(_) => Ok(lock(&shared.inner).info.clone()),
        }
    }

    /// The name to show to the far end; before the call is dialled.
    #[doc(alias = "ITCallInfo::put_CallInfoString")]
    #[doc(alias = "CIS_DISPLAYABLEADDRESS")]
    pub fn set_display(&self, name: &str) -> Result<(), TapiError> {
        self.edit(|params| params.display = Some(name.to_owned()))
    }

    /// Changes what is asked of a call that is not dialled yet: a number that is not complete, a withheld identity, a
    /// conference to join, user-user information.
    #[doc(alias = "LINECALLPARAMS")]
    pub fn edit(&self, change: impl FnOnce(&mut CallParams)) -> Result<(), TapiError> {
        match &mut *lock(&self.shared().inner) {
            CallInner { released: false, phase: Phase::Undialled, params: Some(params), .. } => {
                change(params);
                Ok(())
            }
            _ => Err(TapiError::InvalidCallState),
        }
    }

    /// Its streams.
    #[doc(alias = "ITStreamControl::EnumerateStreams")]
    pub fn streams(&self) -> Result<Vec<Stream>, TapiError> {
        let half = self.shared().media()?;
        let streams = half.msp.streams(half.id)?;
        Ok(streams.into_iter().map(|info| Stream::new(self.shared().clone(), info)).collect())
    }

    /// Dials, and returns once the provider has taken the call; its states come as events. Only in state Idle and
    /// only once. Alias `ITBasicCallControl::Connect(FALSE)`.
    pub async fn dial(&self) -> Result<(), TapiError> {
        let shared = self.shared();
        let line = lock(&shared.address.inner).base.ok_or(TapiError::NotOpen)?;
        shared.dial_by(|params| AppRequest::MakeCall { line, params }).await
    }

    /// Dials and waits until the call is connected, two minutes at most. Only in state Idle.
    #[doc(alias = "ITBasicCallControl::Connect")]
    pub async fn connect(&self) -> Result<(), TapiError> {
        within_limit(async {
            self.dial().await?;
            self.connected().await
        })
        .await
    }

    /// Lets an offered call ring at the caller's.
    #[doc(alias = "lineAccept")]
    pub async fn accept(&self) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.shared().address.core.request(AppRequest::Accept { call }).await.map(drop)
    }

    /// Answers and waits until the call is connected, two minutes at most. Only in state Offering.
    #[doc(alias = "ITBasicCallControl::Answer")]
    pub async fn answer(&self) -> Result<(), TapiError> {
        if self.state() != CallState::Offering {
            return Err(TapiError::Unexpected);
        }
        let call = self.shared().bound()?;
        within_limit(async {
            self.shared().address.core.request(AppRequest::Answer { call }).await?;
            self.connected().await
        })
        .await
    }

    /// Ends the call, or rejects it while it is offered; returns once the provider has done it. On a call that was
    /// not dialled or has ended it does nothing; on one that is being dialled it takes effect as soon as the
    /// provider knows the call. The call can be read until it is released.
    #[doc(alias = "ITBasicCallControl::Disconnect")]
    pub async fn disconnect(&self, code: DisconnectCode) -> Result<(), TapiError> {
        let shared = self.shared();
        let mode = DisconnectMode::from(code);
        let (tx, rx) = oneshot::channel();
        let call = match &mut *lock(&shared.inner) {
            CallInner { released: true, .. } => return Err(TapiError::Released),
            CallInner { phase: Phase::Undialled | Phase::Void, .. } => return Ok(()),
            CallInner { phase: Phase::Dialling(drops), .. } => {
                drops.push(PendingDrop { mode, tx });
                None
            }
            CallInner { phase: Phase::Bound(call), .. } => Some(*call),
        };
        let done = match call {
            None => answer(rx).await,
            Some(_) if self.status().line_state == Some(LineCallState::Idle) => return Ok(()),
            Some(call) => shared.address.core.request(AppRequest::Drop { call, mode }).await,
        };
        match done {
            // It ended by itself at the same time.
            Err(TapiError::InvalidCallState) if self.state() == CallState::Disconnected => Ok(()),
            done => done.map(drop),
        }
    }

    /// Sends digits (`0`–`9`, `*`, `#`, `A`–`D`, `!` for a hook flash) to the far end.
    #[doc(alias = "lineGenerateDigits")]
    #[doc(alias = "ITLegacyCallMediaControl::GenerateDigits")]
    pub async fn generate_digits(&self, digits: &str) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        let what = AppRequest::GenerateDigits { call, mode: DigitMode::Dtmf, digits: digits.to_owned() };
        self.shared().address.core.request(what).await.map(drop)
    }

    /// Sends more digits of a number that was dialled in part ([`CallParams::partial`]), `complete` with the last.
    #[doc(alias = "lineDial")]
    pub async fn dial_digits(&self, digits: &str, complete: bool) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Dial { call, digits: digits.to_owned(), complete }).await
    }

    /// Sends an offered call elsewhere; its caller is to call there.
    #[doc(alias = "lineRedirect")]
    pub async fn redirect(&self, destination: &str) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Redirect { call, destination: destination.to_owned() }).await
    }

    /// Sends octets to the far end's application: the protocol discriminator (Q.931 table 4-26) and 1 to 131 octets.
    /// On an offered call they travel with the next thing that is said. What comes back is in
    /// [`CallInfo::user_user`].
    #[doc(alias = "lineSendUserUserInfo")]
    pub async fn send_user_user_info(&self, data: &[u8]) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::SendUserUserInfo { call, data: data.to_owned() }).await
    }

    /// A procedure of Q.931 that TAPI has no verb for.
    pub async fn q931(&self, what: Q931Verb) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Q931 { call, what }).await
    }

    pub(crate) async fn request(&self, what: AppRequest) -> Result<(), TapiError> {
        self.shared().address.core.request(what).await.map(drop)
    }

    /// Waits until the call is connected; an error if it ends before.
    pub async fn connected(&self) -> Result<(), TapiError> {
        let status = self
            .wait(|s| matches!(s.state, CallState::Connected | CallState::Hold | CallState::Disconnected))
            .await;
        match (status.state, status.cause) {
            (CallState::Disconnected, cause) => {
                Err(TapiError::Disconnected(cause.unwrap_or(DisconnectCause::Normal)))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the call has ended.
    pub async fn disconnected(&self) -> CallStatus {
        self.wait(|s| s.state == CallState::Disconnected).await
    }

    /// Waits until `enough` is true of the call's status. Statuses that pass quickly may be missed: events are not.
    pub async fn wait(&self, mut enough: impl FnMut(&CallStatus) -> bool) -> CallStatus {
        let mut changes = self.shared().status.subscribe();
        // The sender lives as long as `self`, so the error does not happen; the last status stands in for it.
        let found = changes.wait_for(|s| enough(s)).await.map(|s| *s);
        found.unwrap_or_else(|_| self.status())
    }

    /// Releases the call now, whoever else holds a clone: it is dropped if this application alone owned it, and its
    /// MSP call is shut down. Returns when that is done.
    #[doc(alias = "lineDeallocateCall")]
    pub async fn release(&self) {
        let (done, wait) = oneshot::channel();
        self.shared().address.core.tell(Msg::Release(self.shared().clone(), Some(done)));
        // An error says that the session has ended, and every call of it with it.
        let _ = wait.await;
    }
}

async fn within_limit(work: impl Future<Output = Result<(), TapiError>>) -> Result<(), TapiError> {
    tokio::time::timeout(SYNCHRONOUS_LIMIT, work).await.unwrap_or(Err(TapiError::Timeout))
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {:?})", self.id(), self.state())
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.shared(), other.shared())
    }
}

impl Eq for Call {}

/// The application's hold on a call.
pub(crate) struct CallHandle {
    shared: Arc<CallShared>,
    session: Arc<Session>,
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        self.session.core.tell(Msg::Release(self.shared.clone(), None));
    }
}

/// A call's two halves, the broker's and the MSP's.
pub(crate) struct CallShared {
    pub(crate) id: u64,
    pub(crate) address: Arc<AddressShared>,
    privilege: Mutex<Privilege>,
    pub(crate) inner: Mutex<CallInner>,
    pub(crate) status: watch::Sender<CallStatus>,
    media: OnceLock<Result<MspHalf, TapiError>>,
    /// Terminals selected: a selection keeps a terminal alive.
    pub(crate) selections: Mutex<BTreeMap<StreamId, Vec<Terminal>>>,
    /// Parts of its streams.
    pub(crate) substreams: Mutex<BTreeMap<StreamId, Vec<Arc<Part>>>>,
    handle: Mutex<Weak<CallHandle>>,
}

pub(crate) struct CallInner {
    pub(crate) phase: Phase,
    pub(crate) released: bool,
    pub(crate) info: CallInfo,
    /// What to dial, if it is ours to dial.
    params: Option<CallParams>,
}

/// How the broker knows the call; see the top of the file.
pub(crate) enum Phase {
    Undialled,
    Dialling(Vec<PendingDrop>),
    Bound(HCall),
    Void,
}

/// A disconnect that waits for the provider to know the call.
pub(crate) struct PendingDrop {
    pub(crate) mode: DisconnectMode,
    pub(crate) tx: oneshot::Sender<Result<AppReply, LineError>>,
}

impl CallShared {
    /// A call to be dialled; its MSP call is made now.
    pub(crate) fn outgoing(address: &Arc<AddressShared>, params: CallParams) -> Result<Arc<Self>, TapiError> {
        let info = CallInfo {
            called: Party { address: params.destination.clone(), name: None },
            ..CallInfo::new(CallOrigin::Outbound, CallReason::Direct, params.media)
        };
        let call = Self::make(address, Privilege::Owner, Phase::Undialled, info, Some(params));
        match call.attach_msp() {
            Ok(()) | Err(TapiError::NoStreamControl) => Ok(call),
            Err(error) => Err(error),
        }
    }

    /// A call that the broker announced. A monitor's has no MSP call; an MSP that refuses leaves it without streams.
    pub(crate) fn incoming(
        address: &Arc<AddressShared>,
        call: HCall,
        privilege: Privilege,
        info: CallInfo,
    ) -> Arc<Self> {
        let call = Self::make(address, privilege, Phase::Bound(call), info, None);
        if privilege == Privilege::Owner {
            call.take_msp_call();
        }
        call
    }

    /// Has the broker make the call by the request that `asked` makes of its parameters. Only while it is not dialled.
    pub(crate) async fn dial_by(
        self: &Arc<Self>,
        asked: impl FnOnce(CallParams) -> AppRequest,
    ) -> Result<(), TapiError> {
        let what = asked(self.begin_to_dial()?);
        let reply = self.address.core.request_with(what, |tx| Pending::MakeCall(self.clone(), tx)).await;
        match reply {
            Ok(AppReply::Call(_)) => Ok(()),
            Ok(_) => Err(unexpected_reply()),
            Err(error) => Err(self.not_dialled(error)),
        }
    }

    /// What is to be dialled; from now on it counts as being dialled.
    pub(crate) fn begin_to_dial(&self) -> Result<CallParams, TapiError> {
        match &mut *lock(&self.inner) {
            CallInner { released: false, phase: phase @ Phase::Undialled, params: Some(params), .. } => {
                *phase = Phase::Dialling(Vec::new());
                Ok(params.clone())
            }
            _ => Err(TapiError::InvalidCallState),
        }
    }

    /// The request that was to make it failed; any other failure than the broker's loss the pump has told.
    pub(crate) fn not_dialled(&self, error: TapiError) -> TapiError {
        if error == TapiError::BrokerGone {
            lock(&self.inner).phase = Phase::Void;
            // Nobody else will say so.
            let cause = Some(DisconnectCause::Failed);
            let _ = self.enter_because(LineCallState::Idle, cause, Timestamp::now());
        }
        error
    }

    pub(crate) fn privilege(&self) -> Privilege {
        *lock(&self.privilege)
    }

    /// The broker has made this application an owner, or a monitor. Who becomes an owner gets an MSP call, as media
    /// follow ownership.
    pub(crate) fn set_privilege(self: &Arc<Self>, privilege: Privilege) {
        *lock(&self.privilege) = privilege;
        if privilege == Privilege::Owner && self.media.get().is_none() {
            self.take_msp_call();
        }
    }

    fn take_msp_call(self: &Arc<Self>) {
        if let Err(error) = self.attach_msp()
            && error != TapiError::NoStreamControl
        {
            tracing::warn!(%error, "the MSP makes no call; the call has no streams");
        }
    }

    fn make(
        address: &Arc<AddressShared>,
        privilege: Privilege,
        phase: Phase,
        info: CallInfo,
        params: Option<CallParams>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: address.core.next_call.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            address: address.clone(),
            privilege: Mutex::new(privilege),
            inner: Mutex::new(CallInner { phase, released: false, info, params }),
            status: watch::Sender::new(CallStatus::NEW),
            media: OnceLock::new(),
            selections: Mutex::default(),
            substreams: Mutex::default(),
            handle: Mutex::default(),
        })
    }

    fn attach_msp(self: &Arc<Self>) -> Result<(), TapiError> {
        let media = lock(&self.inner).info.media;
        let made = self.address.create_msp_call(media, self);
        let result = made.as_ref().map(drop).map_err(Clone::clone);
        // Attached once, by whoever made the call.
        let _ = self.media.set(made);
        result
    }

    pub(crate) fn media(&self) -> Result<&MspHalf, TapiError> {
        match self.media.get() {
            Some(Ok(half)) => Ok(half),
            Some(Err(error)) => Err(error.clone()),
            None => Err(TapiError::NoStreamControl),
        }
    }

    pub(crate) fn handle(&self) -> Option<Call> {
        lock(&self.handle).upgrade().map(Call)
    }

    pub(crate) fn bound(&self) -> Result<HCall, TapiError> {
        match &*lock(&self.inner) {
            CallInner { released: true, .. } => Err(TapiError::Released),
            CallInner { phase: Phase::Bound(call), .. } => Ok(*call),
            _ => Err(TapiError::InvalidCallState),
        }
    }

    /// Takes a line state in. Answers what the application is to be told, if anything.
    pub(crate) fn enter(&self, line_state: LineCallState, at: Timestamp) -> Option<CallStatus> {
        self.enter_because(line_state, DisconnectCause::of_line(line_state), at)
    }

    /// The same with a cause of our own.
    pub(crate) fn enter_because(
        &self,
        line_state: LineCallState,
        cause: Option<DisconnectCause>,
        at: Timestamp,
    ) -> Option<CallStatus> {
        let mut told = None;
        self.status.send_if_modified(|status| {
            let next = CallState::of_line(line_state);
            match next {
                Some(state) if status.state.may_become(state) => {
                    *status = CallStatus { state, cause, line_state: Some(line_state), at: Some(at) };
                    told = Some(*status);
                }
                // Idle after Disconnected, and Unknown, change the line state without an event.
                Some(CallState::Disconnected) | None => status.line_state = Some(line_state),
                Some(_) => {
                    count(&self.address.core.counts.illegal_states);
                    return false;
                }
            }
            true
        });
        told
    }
}

impl fmt::Debug for CallShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.id)
    }
}
