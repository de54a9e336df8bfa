//! An address: a line device, and the MSP that stands behind it in this process.
//!
//! In: [`Address::open`], terminals asked for, calls made. Out: requests to the broker and to the MSP.
//! An address is opened in two steps, as TAPI 3 does it: once without privilege (for calls placed here and for the
//! MSP instance), then, if arriving calls are wanted, once more with privilege. So the MSP stands behind the line
//! before the first call can arrive. The MSP's side of an address, its terminals too, lasts from the first opening to
//! the end of the session, whatever happens to the line.
//! The table of MSP calls is locked while the MSP makes a call, so that an event of the MSP for it waits until the
//! call is in the table. The MSP must not wait for its own events there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use offhook_spi::mspi::{Direction, TerminalClass, TerminalInfo};
use offhook_spi::{
    AppReply, AppRequest, CallParams, HLine, LineDevCaps, LineDevState, MediaTypes, MspAddress, MspCallId,
    MspSignal, Privilege, TerminalId,
};

use crate::call::{Call, CallShared};
use crate::core::{Core, Msg, Pending, Session, lock, unexpected_reply};
use crate::terminal::{Terminal, TerminalShared};
use crate::{LineError, TapiError};

/// A line to place and take calls on. Alias `ITAddress`.
#[doc(alias = "ITAddress")]
#[doc(alias = "ITMediaSupport")]
#[doc(alias = "ITTerminalSupport")]
#[derive(Clone)]
pub struct Address {
    pub(crate) shared: Arc<AddressShared>,
    session: Arc<Session>,
}

impl Address {
    pub(crate) fn new(shared: Arc<AddressShared>, session: Arc<Session>) -> Self {
        Self { shared, session }
    }

    /// What the line can do.
    #[doc(alias = "ITAddressCapabilities")]
    pub fn caps(&self) -> &LineDevCaps {
        &self.shared.caps
    }

    /// Opens the address. Calls can be placed from now on; with [`Privilege::Owner`] arriving calls that carry one
    /// of `media` are offered, with [`Privilege::Monitor`] they are shown. An error leaves it as it was.
    #[doc(alias = "ITTAPI::RegisterCallNotifications")]
    pub async fn open(&self, privilege: Privilege, media: MediaTypes) -> Result<(), TapiError> {
        let shared = &self.shared;
        let _one_at_a_time = shared.opening.lock().await;
        let base = lock(&shared.inner).base;
        let line = match base {
            Some(line) => line,
            None => shared.open_line(Privilege::None, MediaTypes::NONE).await?,
        };
        if let Err(error) = shared.stand_msp_behind(line).await {
            shared.close_lines().await;
            return Err(error);
        }
        if privilege == Privilege::None {
            return Ok(());
        }
        if lock(&shared.inner).listening.is_some() {
            return Err(TapiError::AlreadyOpen);
        }
        let opened = shared.open_line(privilege, media).await;
        if opened.is_err() && base.is_none() {
            shared.close_lines().await;
        }
        opened.map(drop)
    }

    /// Whether the line can take and place calls, as its provider said last; none if it never said.
    #[doc(alias = "ITAddress::get_State")]
    pub fn service(&self) -> Option<LineDevState> {
        lock(&self.shared.inner).service.clone()
    }

    /// Closes the address. Its calls are over: those that only this application owned are dropped.
    #[doc(alias = "ITTAPI::UnregisterNotifications")]
    pub async fn close(&self) -> Result<(), TapiError> {
        let _one_at_a_time = self.shared.opening.lock().await;
        self.shared.close_lines().await;
        Ok(())
    }

    /// The terminals that are there by themselves: sound cards.
    #[doc(alias = "ITTerminalSupport::EnumerateStaticTerminals")]
    pub fn static_terminals(&self) -> Result<Vec<Terminal>, TapiError> {
        let msp = self.shared.msp()?;
        Ok(msp.static_terminals().into_iter().map(|info| self.shared.terminal(&msp, info, false)).collect())
    }

    /// Makes a terminal. It lives until [`Terminal::release`], or until the last handle is dropped and no stream of a
    /// living call has it selected.
    #[doc(alias = "ITTerminalSupport::CreateTerminal")]
    pub fn create_terminal(&self, class: TerminalClass, direction: Direction) -> Result<Terminal, TapiError> {
        let msp = self.shared.msp()?;
        let info = msp.create_terminal(class, direction)?;
        Ok(self.shared.terminal(&msp, info, true))
    }

    /// Makes a call to `destination`, in state Idle: nothing is dialled before [`Call::connect`], but the MSP call
    /// and its streams exist, so terminals can be selected.
    #[doc(alias = "ITAddress::CreateCall")]
    pub fn create_call(&self, destination: &str, media: MediaTypes) -> Result<Call, TapiError> {
        let shared = &self.shared;
        if lock(&shared.inner).base.is_none() {
            return Err(TapiError::NotOpen);
        }
        if media.is_empty() || !shared.caps.media.contains(media) {
            return Err(LineError::InvalMediaMode.into());
        }
        let params = CallParams { destination: destination.to_owned(), media, ..CallParams::default() };
        let call = CallShared::outgoing(shared, params)?;
        Ok(Call::new(call, self.session.clone()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} {:?})", self.shared.caps.device.0, self.shared.caps.line_name)
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Address {}

pub(crate) struct AddressShared {
    pub(crate) core: Arc<Core>,
    pub(crate) caps: LineDevCaps,
    opening: tokio::sync::Mutex<()>,
    pub(crate) inner: Mutex<AddressInner>,
    /// Held while the MSP makes a call; see the top of the file.
    pub(crate) msp_calls: Mutex<BTreeMap<MspCallId, Arc<CallShared>>>,
    terminals: Mutex<BTreeMap<TerminalId, Weak<TerminalShared>>>,
}

#[derive(Default)]
pub(crate) struct AddressInner {
    /// The line without privilege: calls placed, the MSP's buffers.
    pub(crate) base: Option<HLine>,
    /// The line with privilege: calls that arrive.
    pub(crate) listening: Option<HLine>,
    /// Made with the first opening; it stays for the address's life.
    pub(crate) msp: Option<Msp>,
    /// What the provider said last of the open line.
    pub(crate) service: Option<LineDevState>,
    /// The application is closing it: the broker says nothing more of its calls.
    pub(crate) closing: bool,
}

pub(crate) struct Msp {
    pub(crate) address: Arc<dyn MspAddress>,
    pub(crate) signal: Arc<Signal>,
    /// The broker knows of it.
    pub(crate) registered: bool,
}

impl AddressShared {
    pub(crate) fn new(core: Arc<Core>, caps: LineDevCaps) -> Self {
        Self {
            core,
            caps,
            opening: tokio::sync::Mutex::default(),
            inner: Mutex::default(),
            msp_calls: Mutex::default(),
            terminals: Mutex::default(),
        }
    }

    pub(crate) fn msp(&self) -> Result<Arc<dyn MspAddress>, TapiError> {
        if !self.caps.has_msp || self.core.msp.is_none() {
            return Err(TapiError::NoStreamControl);
        }
        lock(&self.inner).msp.as_ref().map(|msp| msp.address.clone()).ok_or(TapiError::NotOpen)
    }

    async fn open_line(
        self: &Arc<Self>,
        privilege: Privilege,
        media: MediaTypes,
    ) -> Result<HLine, TapiError> {
        let what = AppRequest::OpenLine { device: self.caps.device, privilege, media };
        match self
            .core
            .request_with(what, |tx| Pending::OpenLine { address: self.clone(), privilege, tx })
            .await?
        {
            AppReply::Line(line) => Ok(line),
            _ => Err(unexpected_reply()),
        }
    }

    async fn stand_msp_behind(self: &Arc<Self>, line: HLine) -> Result<(), TapiError> {
        let Some(mspi) = self.core.msp.as_ref().filter(|_| self.caps.has_msp) else { return Ok(()) };
        let made = lock(&self.inner).msp.as_ref().map(|msp| msp.registered);
        if made == Some(true) {
            return Ok(());
        }
        if made.is_none() {
            let signal = Arc::new(Signal {
                core: Arc::downgrade(&self.core),
                address: Arc::downgrade(self),
                raised: AtomicBool::new(false),
            });
            let address = mspi.create_address(signal.clone())?;
            lock(&self.inner).msp = Some(Msp { address, signal, registered: false });
        }
        self.core.request(AppRequest::CreateMspInstance { line }).await?;
        if let Some(msp) = lock(&self.inner).msp.as_mut() {
            msp.registered = true;
        }
        Ok(())
    }

    async fn close_lines(self: &Arc<Self>) {
        let (base, listening) = {
            let mut inner = lock(&self.inner);
            inner.closing = true;
            (inner.base, inner.listening)
        };
        for line in [listening, base].into_iter().flatten() {
            // The line is closed for us whatever the answer: an error says that it was closed before.
            let what = AppRequest::CloseLine { line };
            let _ = self.core.request_with(what, |tx| Pending::CloseLine(line, tx)).await;
        }
        lock(&self.inner).closing = false;
    }

    /// Wraps a terminal of this address, the same object for the same terminal.
    pub(crate) fn terminal(&self, msp: &Arc<dyn MspAddress>, info: TerminalInfo, dynamic: bool) -> Terminal {
        let mut table = lock(&self.terminals);
        table.retain(|_, known| known.strong_count() > 0);
        if let Some(known) = table.get(&info.id).and_then(Weak::upgrade) {
            return Terminal::new(known);
        }
        let shared = Arc::new(TerminalShared::new(msp.clone(), info, dynamic));
        table.insert(shared.info.id, Arc::downgrade(&shared));
        Terminal::new(shared)
    }

    /// A terminal that an event names.
    pub(crate) fn known_terminal(&self, id: TerminalId) -> Option<Terminal> {
        let known = lock(&self.terminals).get(&id).and_then(Weak::upgrade).map(Terminal::new);
        if known.is_some() {
            return known;
        }
        let msp = self.msp().ok()?;
        let info = msp.static_terminals().into_iter().find(|info| info.id == id)?;
        Some(self.terminal(&msp, info, false))
    }

    /// Makes the MSP's half of a call and enters it, in one step towards the MSP's events.
    pub(crate) fn create_msp_call(
        &self,
        media: MediaTypes,
        call: &Arc<CallShared>,
    ) -> Result<MspHalf, TapiError> {
        let msp = self.msp()?;
        let mut table = lock(&self.msp_calls);
        let id = msp.create_msp_call(media)?;
        table.insert(id, call.clone());
        Ok(MspHalf { msp, id })
    }
}

/// The MSP's half of a call.
pub(crate) struct MspHalf {
    pub(crate) msp: Arc<dyn MspAddress>,
    pub(crate) id: MspCallId,
}

impl fmt::Debug for AddressShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.caps.line_name)
    }
}

/// The MSP's bell. Rings once until the pump has come.
pub(crate) struct Signal {
    core: Weak<Core>,
    address: Weak<AddressShared>,
    raised: AtomicBool,
}

impl Signal {
    pub(crate) fn lower(&self) {
        self.raised.store(false, Ordering::SeqCst);
    }
}

impl MspSignal for Signal {
    fn events_ready(&self) {
        if self.raised.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(core) = self.core.upgrade() {
            core.tell(Msg::MspReady(self.address.clone()));
        }
    }
}
