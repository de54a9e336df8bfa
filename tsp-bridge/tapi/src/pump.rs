//! The pump: one thread that handles, in order, everything that the broker and the MSP report.
//!
//! In: [`Msg`]s. Out: events to the application, buffers to the MSP and to the broker, releases.
//!
//! ```text
//! broker ── NewCall ──▶ MSP call, streams; its first state ──▶ CallNotification   (1.3: in this order)
//!        ── Reply(MakeCall) ──▶ call bound to its handle, then whatever comes about it
//!        ── MspData ──▶ MspAddress::receive_tsp_data
//! MSP    ── bell ──▶ next_event until none ──▶ TspData: MspData to the broker, or failed and counted
//! ```
//!
//! No lock is held while the broker or the MSP is called, and nothing of the application is called at all. What may wait
//! before it returns, the shutting down of an MSP call above all, is handed to the reapers (`reaper.rs`): one call that
//! ends must not keep another from beginning.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use offhook_spi::{
    AppEvent, AppReply, AppRequest, HCall, HLine, LineCallState, LineDevState, LineError, MspCallId,
    MspEvent, Opaque, Privilege, RequestId, Timestamp,
};

use crate::address::AddressShared;
use crate::call::{Call, CallShared, Phase};
use crate::core::{Core, Msg, Pending, Registry, count, lock};
use crate::event::{AddressEvent, PhoneNotice, Raw};
use crate::hub;
use crate::phone;
use crate::reaper::{Done, Job, Reaper};
use crate::{CallState, CallStatus, DisconnectCause, Stream};

/// MSP events fetched before anything else has its turn.
const MSP_EVENTS_A_TURN: usize = 256;

pub(crate) fn run(core: &Arc<Core>, inbox: &Receiver<Msg>) {
    let mut reaper = Reaper::new(core.pump.clone());
    while let Ok(msg) = inbox.recv() {
        let mut next = Some(msg);
        // Who is told once the inbox is empty: of that, and of the end of what was given up until then.
        let (mut reaped, mut settling) = (Vec::new(), Vec::new());
        while let Some(msg) = next {
            match msg {
                Msg::Settle(done) => settling.push(done),
                Msg::Reaped(done) => reaped.extend(done),
                Msg::Leave(done) => return leave(core, reaper, done),
                other => handle(core, &mut reaper, other),
            }
            let is_awaited = !reaped.is_empty() || !settling.is_empty();
            next = if is_awaited { inbox.try_recv().ok() } else { None };
        }
        for done in reaped {
            let _ = done.send(());
        }
        reaper.when_settled(settling);
    }
}

fn handle(core: &Arc<Core>, reaper: &mut Reaper, msg: Msg) {
    match msg {
        Msg::Broker(event) => broker_event(core, event),
        Msg::BrokerGone => broker_gone(core),
        Msg::MspReady(address) => {
            if let Some(address) = address.upgrade() {
                msp_events(core, reaper, &address);
            }
        }
        Msg::Release(call, done) => release(core, reaper, &call, done),
        // Handled by the loop above.
        Msg::Settle(_) | Msg::Reaped(_) | Msg::Leave(_) => {}
    }
}

fn broker_event(core: &Arc<Core>, event: AppEvent) {
    let coming = match &event {
        AppEvent::NewCall { call, .. } | AppEvent::CallState { call, .. } => Some(*call),
        _ => None,
    };
    if !matches!(event, AppEvent::Hub(_)) {
        hub::resume(core, coming);
    }
    match event {
        AppEvent::Reply { request, result } => reply(core, request, result),
        AppEvent::NewCall { line, call, privilege, info } => {
            let address = lock(&core.registry).lines.get(&line).cloned();
            let Some((address, session)) = address.zip(core.session()) else {
                count(&core.counts.stray_events);
                let _ = core.submit(AppRequest::Deallocate { call }, Pending::Nobody);
                return;
            };
            let shared = CallShared::incoming(&address, call, privilege, *info);
            let mut registry = lock(&core.registry);
            registry.calls.insert(call, shared.clone());
            registry.announced.insert(call, (Call::new(shared, session), privilege));
        }
        AppEvent::CallState { call, state, at } => {
            let announced = lock(&core.registry).announced.remove(&call);
            let Some(shared) = known(core, call) else { return };
            let status = shared.enter(state, at);
            // 1.3: who is notified of a call finds it in its first state, and may answer at once.
            if let Some((call, privilege)) = announced {
                hub::resume(core, None);
                core.subscribers.emit(Raw::Notification { call, privilege });
            }
            if let Some(status) = status {
                // Who has a line that is out of service may not be heard by its TSP, nor hear it: a remote machine that
                // died cannot tell the MSP to stop.
                let out_of_service =
                    matches!(lock(&shared.address.inner).service, Some(LineDevState::OutOfService { .. }));
                if status.state == CallState::Disconnected && out_of_service {
                    silence(&shared);
                }
                tell_state(core, &shared, status);
            }
        }
        AppEvent::CallInfo { call, change, info } => {
            if let Some(call) = known(core, call) {
                lock(&call.inner).info = (*info).clone();
                core.subscribers.emit(Raw::Info { call, change, info });
            }
        }
        AppEvent::Digit { call, digit, mode, duration } => {
            if let Some(call) = known(core, call) {
                core.subscribers.emit(Raw::Digit { call, digit, mode, duration });
            }
        }
        AppEvent::MspData { line, call, data } => tsp_data(core, line, call, &data),
        AppEvent::LineDevState { line, state } => service(core, line, state),
        AppEvent::CallPrivilege { call, privilege } => {
            if let Some(call) = known(core, call) {
                call.set_privilege(privilege);
                core.subscribers.emit(Raw::Privilege { call, privilege });
            }
        }
        AppEvent::Hub(record) => hub::reported(core, record),
        AppEvent::DevSpecific { line, call, data } => dev_specific(core, line, call, data),
        AppEvent::Phone { phone, event } => phone::reported(core, phone, PhoneNotice::Reported(event)),
        AppEvent::PhoneClosed { phone, why } => phone::reported(core, phone, PhoneNotice::Closed(why)),
        AppEvent::LineClosed { line, why } => line_gone(core, line, DisconnectCause::Failed, Some(why)),
    }
}

/// Both lines of an address are told: it passes on what is new.
fn service(core: &Core, line: HLine, state: LineDevState) {
    let Some(address) = lock(&core.registry).lines.get(&line).cloned() else {
        return count(&core.counts.stray_events);
    };
    let known = lock(&address.inner).service.replace(state.clone());
    if known.as_ref() != Some(&state) {
        core.subscribers.emit(Raw::Address { address, event: AddressEvent::Service(state) });
    }
}

fn dev_specific(core: &Core, line: HLine, call: Option<HCall>, data: Opaque) {
    let address = lock(&core.registry).lines.get(&line).cloned();
    let call = match call {
        Some(call) => match known(core, call) {
            None => return,
            found => found,
        },
        None => None,
    };
    match address {
        Some(address) => core.subscribers.emit(Raw::DevSpecific { address, call, data }),
        None => count(&core.counts.stray_events),
    }
}

fn known(core: &Core, call: HCall) -> Option<Arc<CallShared>> {
    let found = lock(&core.registry).calls.get(&call).cloned();
    if found.is_none() {
        count(&core.counts.stray_events);
    }
    found
}

fn tell_state(core: &Core, call: &Arc<CallShared>, status: CallStatus) {
    if let CallStatus { state, cause, line_state: Some(line_state), at: Some(at) } = status
        && state != CallState::Idle
    {
        core.subscribers.emit(Raw::State { call: call.clone(), state, cause, line_state, at });
    }
}

fn reply(core: &Arc<Core>, request: RequestId, result: Result<AppReply, LineError>) {
    let pending = core.answered(request);
    match pending {
        None => count(&core.counts.stray_events),
        Some(Pending::Nobody) => {}
        Some(Pending::Caller(tx)) => {
            let _ = tx.send(result);
        }
        Some(Pending::OpenLine { address, privilege, tx }) => {
            if let Ok(AppReply::Line(line)) = result {
                lock(&core.registry).lines.insert(line, address.clone());
                let mut inner = lock(&address.inner);
                let place = if privilege == Privilege::None { &mut inner.base } else { &mut inner.listening };
                *place = Some(line);
            }
            let _ = tx.send(result);
        }
        Some(Pending::CloseLine(line, tx)) => {
            line_gone(core, line, DisconnectCause::Normal, None);
            let _ = tx.send(result);
        }
        Some(Pending::MakeCall(call, tx)) => {
            let handle = result.as_ref().map_err(Clone::clone).and_then(|reply| match reply {
                AppReply::Call(handle) => Ok(*handle),
                _ => Err(odd()),
            });
            dialled(core, &call, handle);
            let _ = tx.send(result);
        }
        Some(Pending::Conference { conference, consult, tx }) => {
            let handles = result.as_ref().map_err(Clone::clone).and_then(|reply| match reply {
                AppReply::Conference { conference, consult } => Ok((*conference, *consult)),
                _ => Err(odd()),
            });
            dialled(core, &conference, handles.clone().map(|(conference, _)| conference));
            dialled(core, &consult, handles.map(|(_, consult)| consult));
            let _ = tx.send(result);
        }
        Some(Pending::CampOn { from, to, tx }) => {
            let handle = result.as_ref().map_err(Clone::clone).and_then(|_| {
                let phase = &mut lock(&from.inner).phase;
                match std::mem::replace(phase, Phase::Void) {
                    Phase::Bound(handle) => Ok(handle),
                    other => {
                        *phase = other;
                        Err(LineError::InvalCallHandle)
                    }
                }
            });
            dialled(core, &to, handle);
            let _ = tx.send(result);
        }
        Some(Pending::OpenPhone(phone, tx)) => {
            if let Ok(AppReply::Phone(handle)) = &result {
                phone::opened(core, &phone, *handle);
            }
            let _ = tx.send(result);
        }
        Some(Pending::Hubs(tx)) => {
            if let Ok(AppReply::Hubs(hubs)) = &result {
                hub::keep(core, hubs);
            }
            let _ = tx.send(result);
        }
        Some(Pending::MspData) => match result {
            Ok(_) => count(&core.counts.msp_data_sent),
            Err(error) => msp_data_failed(core, &error),
        },
    }
}

/// A broker that answers something else than was asked.
fn odd() -> LineError {
    LineError::failed("the broker's reply does not fit the request")
}

/// The provider knows the call now, or never will.
fn dialled(core: &Arc<Core>, call: &Arc<CallShared>, result: Result<HCall, LineError>) {
    let handle = result.as_ref().ok().copied();
    let (drops, released) = {
        let mut inner = lock(&call.inner);
        let phase = if inner.released { None } else { handle };
        let before = std::mem::replace(&mut inner.phase, phase.map_or(Phase::Void, Phase::Bound));
        (if let Phase::Dialling(drops) = before { drops } else { Vec::new() }, inner.released)
    };
    match (handle, released) {
        (Some(handle), true) => {
            let _ = core.submit(AppRequest::Deallocate { call: handle }, Pending::Nobody);
        }
        (Some(handle), false) => {
            lock(&core.registry).calls.insert(handle, call.clone());
            for drop in drops {
                let what = AppRequest::Drop { call: handle, mode: drop.mode };
                // If the broker is gone, the waiting caller learns it from the end of its channel.
                let _ = core.submit(what, Pending::Caller(drop.tx));
            }
        }
        (None, _) => {
            for drop in drops {
                let _ = drop.tx.send(Ok(AppReply::Done));
            }
            let cause = match result {
                Err(LineError::InvalAddress(_)) => DisconnectCause::BadAddress,
                _ => DisconnectCause::Failed,
            };
            end(core, call, cause);
        }
    }
}

/// The call is over without its provider saying so.
fn end(core: &Core, call: &Arc<CallShared>, cause: DisconnectCause) {
    if let Some(status) = call.enter_because(LineCallState::Idle, Some(cause), Timestamp::now()) {
        tell_state(core, call, status);
    }
}

/// A call leaves its hub. If the application is closing its address, that is how the call's end is heard first.
pub(crate) fn leaves_hub(core: &Core, call: &Arc<CallShared>) {
    if lock(&call.address.inner).closing {
        end(core, call, DisconnectCause::Normal);
    }
}

/// A buffer from the TSP.
fn tsp_data(core: &Core, line: HLine, call: Option<HCall>, data: &Opaque) {
    let delivered = match call {
        Some(call) => known(core, call).and_then(|call| {
            let half = call.media().ok()?;
            Some(half.msp.receive_tsp_data(Some(half.id), data))
        }),
        None => {
            let address = lock(&core.registry).lines.get(&line).cloned();
            address.and_then(|a| a.msp().ok()).map(|msp| msp.receive_tsp_data(None, data))
        }
    };
    match delivered {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            count(&core.counts.tsp_data_undelivered);
            tracing::warn!(%error, ?data, "the MSP refused a buffer of the TSP");
        }
        None => count(&core.counts.tsp_data_undelivered),
    }
}

fn msp_events(core: &Arc<Core>, reaper: &mut Reaper, address: &Arc<AddressShared>) {
    let msp = lock(&address.inner).msp.as_ref().map(|msp| (msp.address.clone(), msp.signal.clone()));
    let Some((msp, signal)) = msp else { return };
    signal.lower();
    for _ in 0..MSP_EVENTS_A_TURN {
        match msp.next_event() {
            None => return,
            Some(event) => msp_event(core, reaper, address, event),
        }
    }
    core.tell(Msg::MspReady(Arc::downgrade(address)));
}

fn msp_event(core: &Arc<Core>, reaper: &mut Reaper, address: &Arc<AddressShared>, event: MspEvent) {
    match event {
        MspEvent::TspData { call, data } => msp_data(core, address, call, data),
        MspEvent::Call { call, event, cause, stream, terminal } => {
            let Some(call) = lock(&address.msp_calls).get(&call).cloned() else {
                return count(&core.counts.stray_events);
            };
            let stream = stream.and_then(|id| Stream::find(&call, id));
            let terminal = terminal.and_then(|id| address.known_terminal(id));
            let held = terminal.clone();
            core.subscribers.emit(Raw::Media { call, event, cause, stream, terminal });
            // If the application has let it go meanwhile this is the last handle.
            if let Some(terminal) = held {
                reaper.reap(Job::Terminal(terminal), None);
            }
        }
        MspEvent::Private { call, event } => {
            let call = match call.map(|id| lock(&address.msp_calls).get(&id).cloned()) {
                Some(None) => return count(&core.counts.stray_events),
                Some(found) => found,
                None => None,
            };
            core.subscribers.emit(Raw::Private { address: address.clone(), call, event });
        }
        MspEvent::Address { terminal, available } => {
            let Ok(msp) = address.msp() else { return };
            let terminal = address.terminal(&msp, terminal, false);
            let event = if available {
                AddressEvent::TerminalAvailable(terminal)
            } else {
                AddressEvent::TerminalUnavailable(terminal)
            };
            core.subscribers.emit(Raw::Address { address: address.clone(), event });
        }
    }
}

/// A buffer of the MSP for the TSP. One for a call that the provider does not know yet fails here: it has no handle
/// to travel under, and nothing is queued.
fn msp_data(core: &Arc<Core>, address: &Arc<AddressShared>, call: Option<MspCallId>, data: Opaque) {
    let handle = match call {
        None => Ok(None),
        Some(id) => {
            let shared = lock(&address.msp_calls).get(&id).cloned();
            match shared.map(|call| matches_bound(&call)) {
                Some(Some(handle)) => Ok(Some(handle)),
                _ => Err(LineError::InvalCallHandle),
            }
        }
    };
    let line = lock(&address.inner).base.ok_or(LineError::InvalLineHandle);
    match handle.and_then(|call| Ok((call, line?))) {
        Ok((call, line)) => {
            if core.submit(AppRequest::MspData { line, call, data }, Pending::MspData).is_err() {
                msp_data_failed(core, &LineError::NoDriver);
            }
        }
        Err(error) => msp_data_failed(core, &error),
    }
}

fn matches_bound(call: &CallShared) -> Option<HCall> {
    match lock(&call.inner).phase {
        Phase::Bound(handle) => Some(handle),
        _ => None,
    }
}

fn msp_data_failed(core: &Core, error: &LineError) {
    count(&core.counts.msp_data_failed);
    tracing::warn!(%error, "a buffer of the MSP did not reach the TSP");
}

/// Gives the call up on both sides; once. `done`: who waits until the MSP's half is shut down.
fn release(core: &Arc<Core>, reaper: &mut Reaper, call: &Arc<CallShared>, done: Option<Done>) {
    let handle = {
        let mut inner = lock(&call.inner);
        if std::mem::replace(&mut inner.released, true) {
            drop(inner);
            if let Some(done) = done {
                reaper.when_reaped(call.id, done);
            }
            return;
        }
        match inner.phase {
            // The reply will find it released.
            Phase::Dialling(_) => None,
            Phase::Bound(handle) => {
                inner.phase = Phase::Void;
                Some(handle)
            }
            Phase::Undialled | Phase::Void => None,
        }
    };
    if let Some(handle) = handle {
        lock(&core.registry).calls.remove(&handle);
        let _ = core.submit(AppRequest::Deallocate { call: handle }, Pending::Nobody);
    }
    // Whoever waits for the call has waited long enough; no event: nobody holds the call.
    let _ = call.enter_because(LineCallState::Idle, Some(DisconnectCause::Normal), Timestamp::now());
    if let Ok(half) = call.media() {
        lock(&call.address.msp_calls).remove(&half.id);
        reaper.reap(Job::Call(call.clone()), done);
    } else if let Some(done) = done {
        let _ = done.send(());
    }
}

/// Stops the sound of a call whose TSP will not say so.
fn silence(call: &CallShared) {
    let Ok(half) = call.media() else { return };
    for stream in half.msp.streams(half.id).unwrap_or_default() {
        // Stopped before, or failed: silent either way.
        let _ = half.msp.stop_stream(stream.id);
    }
}

/// A line is void, and its calls with it. Their sound stops, for no TSP will say so any more.
fn line_gone(core: &Arc<Core>, line: HLine, cause: DisconnectCause, why: Option<LineError>) {
    let Some(address) = lock(&core.registry).lines.remove(&line) else { return };
    let last = {
        let mut inner = lock(&address.inner);
        inner.base = inner.base.filter(|open| *open != line);
        inner.listening = inner.listening.filter(|open| *open != line);
        if inner.base.is_none()
            && let Some(msp) = inner.msp.as_mut()
        {
            msp.registered = false;
        }
        let last = inner.base.is_none() && inner.listening.is_none();
        inner.service = inner.service.take().filter(|_| !last);
        last
    };
    if !last {
        return;
    }
    // Calls of both lines end when the last of them has gone: the broker closes them together.
    let calls: Vec<_> = {
        let Registry { calls, announced, .. } = &mut *lock(&core.registry);
        calls
            .extract_if(.., |_, call| Arc::ptr_eq(&call.address, &address))
            .map(|(handle, call)| (call, announced.remove(&handle)))
            .collect()
    };
    for (call, _) in calls {
        lock(&call.inner).phase = Phase::Void;
        silence(&call);
        end(core, &call, cause);
    }
    if let Some(why) = why {
        core.subscribers.emit(Raw::Address { address, event: AddressEvent::Closed(why) });
    }
}

/// No broker any more: every line is void, whoever waits is told.
fn broker_gone(core: &Arc<Core>) {
    let link = lock(&core.link).take();
    drop(link);
    for waiting in core.abandon() {
        for call in waiting.calls() {
            dialled(core, call, Err(LineError::NoDriver));
        }
        // Its channel ends: BrokerGone.
        drop(waiting);
    }
    let lines: Vec<_> = lock(&core.registry).lines.keys().copied().collect();
    for line in lines {
        line_gone(core, line, DisconnectCause::Failed, Some(LineError::NoDriver));
    }
    hub::all_gone(core);
    phone::all_gone(core);
}

/// The application has gone.
fn leave(core: &Arc<Core>, mut reaper: Reaper, done: Option<Done>) {
    core.subscribers.end();
    let addresses = std::mem::take(&mut lock(&core.registry).addresses);
    for address in addresses.values() {
        // No call can be made from now on.
        lock(&address.inner).base = None;
        let calls: Vec<_> = lock(&address.msp_calls).values().cloned().collect();
        for call in calls {
            release(core, &mut reaper, &call, None);
        }
    }
    let calls = std::mem::take(&mut lock(&core.registry).calls);
    for call in calls.values() {
        release(core, &mut reaper, call, None);
    }
    {
        let mut registry = lock(&core.registry);
        registry.lines.clear();
        registry.hubs.clear();
    }
    reaper.settle();
    // The broker learns it by the loss of the link and closes what is left.
    let link = lock(&core.link).take();
    drop(link);
    for waiting in core.abandon() {
        for call in waiting.calls() {
            release(core, &mut reaper, call, None);
        }
    }
    reaper.finish();
    for address in addresses.into_values() {
        let msp = {
            let mut inner = lock(&address.inner);
            (inner.base, inner.listening) = (None, None);
            inner.msp.take()
        };
        drop(msp);
    }
    if let Some(done) = done {
        let _ = done.send(());
    }
}
