//! From session to session: joining, what is opened anew, what ends with a session.
//!
//! In: connections, their loss. Out: line and call states here; requests that open there what is open here.

use std::sync::Arc;
use std::time::Duration;

use offhook_spi::{
    AppReply, AppRequest, DisconnectMode, ExtensionVersion, HLine, HdLine, HdMspLine, HubTracking,
    LineCallState, LineDevState, LineError, MediaTypes, Privilege, Timestamp,
};
use tokio::sync::{oneshot, watch};

use super::events::Sink;
use super::tables::{Device, Opening, Pending};
use super::{Inner, unexpected};
use crate::client::{ClientKind, ConnectError, Connection, Target, Watcher};

/// Between attempts to join again: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(3);

/// The versions of TAPI that a far line may have.
const VERSIONS: (offhook_spi::ApiVersion, offhook_spi::ApiVersion) =
    (offhook_spi::ApiVersion(0x0002_0000), offhook_spi::ApiVersion::V3_1);

/// The provider's life.
pub(super) async fn run(
    inner: &Arc<Inner>,
    target: &Target,
    application: &str,
    first: Connection,
    ready: oneshot::Sender<Result<(), ConnectError>>,
) {
    let mut stop = inner.stop.subscribe();
    let mut next = Some(first);
    let mut ready = Some(ready);
    while let Some(connection) = next.take() {
        let ended = watch::Sender::new(false);
        let mut over = ended.subscribe();
        let watcher = Arc::new(Connected { inner: inner.clone(), ended });
        let (link, clock) = connection.attach_watched(Arc::new(Sink(inner.clone())), watcher);
        {
            let mut state = inner.lock();
            (state.link, state.clock, state.lost) = (Some(link), Some(clock), None);
        }
        let joined = join(inner).await;
        if let Some(ready) = ready.take() {
            let failed = |why: LineError| ConnectError::Contract(target.to_string(), why.to_string());
            let refused = joined.is_err();
            // Whoever waited may have given up: then the last handle has gone, too.
            if ready.send(joined.map_err(failed)).is_err() || refused {
                break;
            }
        } else if let Err(error) = joined {
            tracing::warn!(%error, machine = inner.name, "its lines cannot be opened again");
        }
        let stopped = tokio::select! {
            // An error is the watcher's end, which is the session's.
            _ = over.wait_for(|over| *over) => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        if stopped {
            leave(inner);
            let _ = tokio::time::timeout(LEAVE, over.wait_for(|over| *over)).await;
            break;
        }
        leave(inner);
        next = again(inner, target, application, &mut stop).await;
    }
    leave(inner);
}

/// Gives the session up, if there is one.
fn leave(inner: &Inner) {
    // Dropped without the lock.
    let link = inner.lock().link.take();
    drop(link);
}

/// Tries until the far broker is there again, or nobody wants it any more.
async fn again(
    inner: &Inner,
    target: &Target,
    application: &str,
    stop: &mut watch::Receiver<bool>,
) -> Option<Connection> {
    let mut pause = AGAIN.0;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return None,
            () = tokio::time::sleep(pause) => {}
        }
        match Connection::new(target.clone(), application, ClientKind::RemoteTsp).await {
            Ok(connection) => return Some(connection),
            Err(error) => tracing::info!(%error, machine = inner.name, "not yet"),
        }
        pause = (pause * 2).min(AGAIN.1);
    }
}

/// Is told how the connection stands.
struct Connected {
    inner: Arc<Inner>,
    ended: watch::Sender<bool>,
}

impl Watcher for Connected {
    fn lost(&self, why: &str) {
        self.inner.lock().lost = Some(why.to_owned());
        self.inner.all_lines(|inner, _| LineDevState::OutOfService {
            why: format!("{} cannot be reached: {why}", inner.name),
        });
    }

    fn resumed(&self) {
        self.inner.lock().lost = None;
        self.inner.all_lines(Inner::in_service);
    }

    fn ended(&self, why: &str) {
        self.inner.session_over(why);
        self.ended.send_replace(true);
    }
}

/// What a line has open there.
struct Wanted {
    hd: HdLine,
    device: Option<offhook_spi::DeviceId>,
    all: MediaTypes,
    media: MediaTypes,
    extension: ExtensionVersion,
    tracking: HubTracking,
}

/// Asks for the far devices, and opens again what is open here.
async fn join(inner: &Arc<Inner>) -> Result<(), LineError> {
    let AppReply::Lines(lines) = inner.ask_later(AppRequest::Lines).await? else {
        return Err(LineError::failed("the far broker does not say its lines"));
    };
    let mut devices = Vec::new();
    for caps in lines {
        let (lowest, highest) = VERSIONS;
        let what = AppRequest::NegotiateApiVersion { device: caps.device, lowest, highest };
        let version = match inner.ask_later(what).await {
            Ok(AppReply::ApiVersion(version)) => version,
            Ok(_) | Err(LineError::OperationUnavail) => highest,
            Err(error) => return Err(error),
        };
        devices.push(Device { caps, version });
    }
    let phones = match inner.ask_later(AppRequest::Phones).await {
        Ok(AppReply::Phones(phones)) => phones,
        Ok(other) => return Err(unexpected(other)),
        // A broker without phones.
        Err(LineError::OperationUnavail) => Vec::new(),
        Err(error) => return Err(error),
    };
    let (wanted, msps) = {
        let mut state = inner.lock();
        if state.devices.is_empty() {
            (state.devices, state.phone_devices) = (devices, phones);
        } else {
            // Those that are known keep their numbers here; what has come since waits for this broker's next start.
            for known in &mut state.devices {
                let same = devices.iter().find(|device| {
                    device.caps.line_name == known.caps.line_name
                        && device.caps.provider == known.caps.provider
                });
                if let Some(same) = same {
                    known.caps.device = same.caps.device;
                } else {
                    tracing::warn!(
                        machine = inner.name,
                        line = known.caps.line_name,
                        "it has this line no more"
                    );
                    known.caps.device = offhook_spi::DeviceId(u32::MAX);
                }
            }
            for known in &mut state.phone_devices {
                let same = phones.iter().find(|phone| phone.name == known.name);
                known.phone = same.map_or(offhook_spi::PhoneId(u32::MAX), |phone| phone.phone);
            }
        }
        let wanted: Vec<_> = state
            .lines
            .iter()
            .map(|(hd, line)| {
                let caps = state.devices.get(line.device).map(|device| &device.caps);
                Wanted {
                    hd: *hd,
                    device: caps.map(|caps| caps.device),
                    all: caps.map_or(MediaTypes::NONE, |caps| caps.media),
                    media: line.media,
                    extension: line.extension,
                    tracking: line.tracking,
                }
            })
            .collect();
        let msps: Vec<_> = state.msps.iter().map(|(hd, msp)| (*hd, msp.line)).collect();
        (wanted, msps)
    };
    for line in wanted {
        let own: Vec<_> = msps.iter().filter(|(_, of)| *of == line.hd).map(|(msp, _)| *msp).collect();
        let state = match reopen(inner, &line, &own).await {
            Ok(()) => inner.in_service(line.hd),
            Err(error) => LineDevState::OutOfService { why: format!("{}: {error}", inner.name) },
        };
        inner.service(line.hd, &state);
    }
    Ok(())
}

/// Opens a line there as it is open here.
async fn reopen(inner: &Inner, line: &Wanted, msps: &[HdMspLine]) -> Result<(), LineError> {
    let device = line.device.ok_or(LineError::BadDeviceId)?;
    let base = open(inner, device, Privilege::None, line.all).await?;
    let mut stray = Vec::new();
    {
        let mut state = inner.lock();
        match state.lines.get_mut(&line.hd) {
            Some(entry) => {
                entry.base = Some(base);
                state.far_lines.insert(base, Opening::Line(line.hd));
            }
            None => stray.push(base),
        }
    }
    for msp in msps {
        let opening = open(inner, device, Privilege::None, line.all).await?;
        inner.ask_later(AppRequest::CreateMspInstance { line: opening }).await?;
        let mut state = inner.lock();
        match state.msps.get_mut(msp) {
            Some(entry) => {
                entry.opening = Some(opening);
                state.far_lines.insert(opening, Opening::Msp(*msp));
            }
            None => stray.push(opening),
        }
    }
    if !line.media.is_empty() {
        let listening = open(inner, device, Privilege::Owner, line.media).await?;
        let mut state = inner.lock();
        match state.lines.get_mut(&line.hd) {
            Some(entry) if entry.media == line.media => {
                entry.listening = Some(listening);
                state.far_lines.insert(listening, Opening::Line(line.hd));
            }
            _ => stray.push(listening),
        }
    }
    for line in stray {
        inner.tell(AppRequest::CloseLine { line });
    }
    if line.tracking != HubTracking::None {
        inner.tell(AppRequest::SetCallHubTracking { device, level: line.tracking });
    }
    if line.extension != ExtensionVersion::default() {
        inner.ask_later(AppRequest::SelectExtVersion { line: base, version: line.extension }).await?;
    }
    Ok(())
}

async fn open(
    inner: &Inner,
    device: offhook_spi::DeviceId,
    privilege: Privilege,
    media: MediaTypes,
) -> Result<HLine, LineError> {
    match inner.ask_later(AppRequest::OpenLine { device, privilege, media }).await? {
        AppReply::Line(line) => Ok(line),
        other => Err(unexpected(other)),
    }
}

impl Inner {
    /// How a line stands while there is a connection.
    fn in_service(&self, line: HdLine) -> LineDevState {
        let said = self.lock().lines.get(&line).and_then(|line| line.service.clone());
        said.unwrap_or_else(|| LineDevState::InService { with: self.name.clone() })
    }

    fn service(&self, line: HdLine, state: &LineDevState) {
        let to = {
            let tables = self.lock();
            tables.events.clone().zip(tables.lines.get(&line).map(|line| line.ht))
        };
        if let Some((events, line)) = to {
            events.line_dev_state(line, state.clone());
        }
    }

    fn all_lines(&self, state: impl Fn(&Self, HdLine) -> LineDevState) {
        let lines: Vec<_> = self.lock().lines.keys().copied().collect();
        for line in lines {
            self.service(line, &state(self, line));
        }
    }

    /// The far broker has given up everything of ours, or will in a moment.
    fn session_over(&self, why: &str) {
        let (events, pending, calls, phones) = {
            let mut state = self.lock();
            state.lost = Some(why.to_owned());
            let link = state.link.take();
            state.far_lines.clear();
            state.far_calls.clear();
            state.far_phones.clear();
            for line in state.lines.values_mut() {
                (line.base, line.listening) = (None, None);
                line.retired.clear();
                line.service = None;
            }
            for msp in state.msps.values_mut() {
                msp.opening = None;
            }
            let mut calls = Vec::new();
            let ht_lines: std::collections::BTreeMap<_, _> =
                state.lines.iter().map(|(hd, line)| (*hd, line.ht)).collect();
            state.calls.retain(|_, call| {
                let named = call.far.take();
                let line = ht_lines.get(&call.line).copied();
                if let (Some(_), Some(line), Some(ht), false) = (named, line, call.ht, call.over) {
                    calls.push((line, ht));
                }
                call.over = true;
                // One that nobody has a name for, or whose request fails now, ends with it.
                named.is_some() && call.ht.is_some() && !call.abandoned
            });
            let pending = std::mem::take(&mut state.pending);
            let phones = std::mem::take(&mut state.phones);
            let events = state.events.clone();
            drop(state);
            drop(link);
            (events, pending, calls, phones)
        };
        tracing::warn!(machine = self.name, why, calls = calls.len(), "session over");
        let error = self.unreachable(why);
        let mut completed = Vec::new();
        for waiting in pending.into_values() {
            match waiting {
                Pending::Request(request, _)
                | Pending::Call(request, _)
                | Pending::Conference(request, ..) => {
                    completed.push(request);
                }
                // Whoever waited may have gone.
                Pending::Caller(caller) => drop(caller.try_send(Err(error.clone()))),
                Pending::Task(task) => drop(task.send(Err(error.clone()))),
                Pending::Nobody | Pending::Info(_) => {}
            }
        }
        self.all_lines(|inner, _| LineDevState::OutOfService {
            why: format!("{} cannot be reached: {why}", inner.name),
        });
        let Some(events) = events else { return };
        for request in completed {
            events.async_completion(request, Err(error.clone()));
        }
        for (line, call) in calls {
            let now = Timestamp::now();
            events.call_state(line, call, LineCallState::Disconnected(DisconnectMode::TempFailure), now);
            events.call_state(line, call, LineCallState::Idle, now);
        }
        for phone in phones.into_values() {
            events.phone_closed(phone.ht, LineError::NoDriver);
        }
    }
}
