//! An outgoing call before its machine: name, connection, media.
//!
//! In: a destination. Out: a connection and what the MSP prepared, or how the call [`Ended`].
//! MakeCall is complete once the name is resolved: whatever fails later is a call that was disconnected.

use std::net::SocketAddr;
use std::sync::Arc;

use offhook_h323::{Admission, LocalMedia};
use offhook_pair::{ToMsp, ToTsp};
use offhook_spi::{CallInfoChange, DisconnectMode, LineCallState, LineError, RequestId};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::admit::{self, Wanted};
use super::sockets::Signaling;
use super::{Command, Context};
use crate::destination::Destination;
use crate::dial::connect;
use crate::mode::mode_of_release;
use crate::resolve::resolve;
use crate::{info, media, trunk};

/// What a call needs to have a machine.
pub(super) struct Established {
    pub(super) signaling: Signaling,
    pub(super) media: LocalMedia,
    /// What the gatekeeper said, if there is one.
    pub(super) admission: Option<Box<Admission>>,
}

/// How a call without a machine ended.
pub(super) enum Ended {
    /// MakeCall failed: there is no call.
    NeverWas,
    /// The application dropped or closed it, or the line closes; everything was reported.
    Locally,
    /// It could not be set up.
    Failed(DisconnectMode, String),
}

/// The first leg: resolves the destination, which completes MakeCall, and connects.
pub(super) async fn dialled(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    request: RequestId,
    destination: &Destination,
    wanted: &Wanted,
) -> Result<Established, Ended> {
    let addresses =
        match unless_ended(context, commands, resolve(&Arc::clone(&context.inner).config, destination)).await
        {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => {
                context.complete(request, Err(error));
                return Err(Ended::NeverWas);
            }
            Err(ended) => {
                context.complete(request, Err(LineError::failed("the line was closed")));
                return Err(ended);
            }
        };
    context.complete(request, Ok(()));
    arrive(context, commands, addresses, wanted, true).await
}

/// A later leg: the address is known. `reuse`: a connection that stands will do.
pub(super) async fn forwarded(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    address: SocketAddr,
    wanted: &Wanted,
    reuse: bool,
) -> Result<Established, Ended> {
    arrive(context, commands, vec![address], wanted, reuse).await
}

async fn arrive(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    addresses: Vec<SocketAddr>,
    wanted: &Wanted,
    reuse: bool,
) -> Result<Established, Ended> {
    let (addresses, admission) = admit::outgoing(context, commands, wanted, addresses).await?;
    if addresses.is_empty() {
        return Err(admit::nowhere());
    }
    let inner = Arc::clone(&context.inner);
    let config = &inner.config.call;
    let shares = config.multiple_calls || config.maintain_connection;
    let seat = async {
        for address in addresses.iter().filter(|_| shares && reuse) {
            if let Some(seat) = inner.trunks.place(*address, wanted.reference, wanted.call_identifier).await {
                return Some(seat);
            }
        }
        None
    };
    if let Some(seat) = unless_ended(context, commands, seat).await? {
        let remote = seat.remote;
        let media = prepare(context, commands, remote).await?;
        return Ok(Established { signaling: Signaling::Shared(seat), media, admission });
    }
    let patience = config.timers.signaling_connect;
    let connection = unless_ended(context, commands, connect(addresses, patience))
        .await?
        .map_err(|why| Ended::Failed(DisconnectMode::Unreachable, why))?;
    inner.tap_opened(connection.local, connection.remote);
    let remote = connection.remote;
    let signaling = if shares {
        Signaling::Shared(trunk::made(&inner, connection, wanted.reference, wanted.call_identifier))
    } else {
        Signaling::Own(connection)
    };
    let media = prepare(context, commands, remote).await?;
    Ok(Established { signaling, media, admission })
}

/// Waits for `work`, unless the call is dropped meanwhile.
async fn unless_ended<T>(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    work: impl Future<Output = T>,
) -> Result<T, Ended> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            command = commands.recv() => {
                early(context, command)?;
            }
        }
    }
}

/// Obeys a command before there is a machine; gives back what an MSP or the gatekeeper said.
pub(super) fn early(context: &mut Context, command: Option<Command>) -> Result<Option<Command>, Ended> {
    match command {
        Some(Command::Dial(request, digits, complete))
            if context.partial && !context.dialled.1 && context.dialled.0.len() + digits.len() <= 128 =>
        {
            context.dialled.0.push_str(&digits);
            context.dialled.1 = complete;
            context.complete(request, Ok(()));
            Ok(None)
        }
        Some(
            Command::Accept(request)
            | Command::Answer(request)
            | Command::Digits(request, ..)
            | Command::Dial(request, ..)
            | Command::Redirect(request, _)
            | Command::UserUser(request, _)
            | Command::Hold(request)
            | Command::Unhold(request)
            | Command::Q931(request, _),
        ) => {
            context.complete(request, Err(LineError::InvalCallState));
            Ok(None)
        }
        // No machine yet: who prepares now is the one that has the media.
        Some(Command::MoveMedia(_)) => Ok(None),
        Some(Command::Drop(request, _)) => {
            stop_media(context);
            context.complete(request, Ok(()));
            context.report(LineCallState::Idle);
            Err(Ended::Locally)
        }
        Some(Command::Close) | None => {
            context.closed = true;
            Err(Ended::Locally)
        }
        Some(Command::Shutdown) => {
            stop_media(context);
            context.report(LineCallState::Idle);
            context.ending = true;
            Err(Ended::Locally)
        }
        // Nothing is lost before there is a machine.
        Some(Command::Resume(_)) => Ok(None),
        Some(Command::Release(of, ..)) if !context.asked.as_ref().is_some_and(|asked| asked.is(of)) => {
            Ok(None)
        }
        Some(Command::Release(_, order, release)) => {
            Err(Ended::Failed(mode_of_release(&release), admit::why_ordered(order)))
        }
        Some(Command::Bandwidth(of, bandwidth)) => {
            if let Some(asked) = context.asked.as_mut().filter(|asked| asked.is(of)) {
                asked.granted = Some(bandwidth);
            }
            Ok(None)
        }
        Some(said @ (Command::MspData(..) | Command::Admission(..))) => Ok(Some(said)),
    }
}

fn stop_media(context: &Context) {
    if let Err(error) = context.to_msp(&ToMsp::StopAll) {
        tracing::debug!(%error, "the MSP was not told to stop");
    }
}

/// Asks the MSP what it has.
async fn prepare(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    remote: SocketAddr,
) -> Result<LocalMedia, Ended> {
    let failed = |why: String| Ended::Failed(DisconnectMode::Unavail, why);
    context
        .to_msp(&ToMsp::Prepare { peer: remote.ip() })
        .map_err(|why| failed(format!("no media: {why}")))?;
    let patience = context.inner.config.prepare_timeout;
    let late = sleep(patience);
    tokio::pin!(late);
    loop {
        tokio::select! {
            // Usually the answer is here before there is anything to time.
            biased;
            command = commands.recv() => {
                let Some(Command::MspData(msp, data)) = early(context, command)? else { continue };
                match ToTsp::decode(data.as_bytes()) {
                    Ok(ToTsp::Prepared { sessions }) => {
                        context.msp = Some(msp);
                        let mut media = media::local_media(&sessions);
                        return match admit::fit(context, &mut media) {
                            Ok(()) => Ok(media),
                            Err(why) => Err(Ended::Failed(DisconnectMode::QosUnavail, why)),
                        };
                    }
                    Ok(ToTsp::Failed { why }) => return Err(failed(why)),
                    // Of digits that were played for a call before this leg.
                    Ok(other) => tracing::debug!(?other, "the MSP said what nobody asked"),
                    Err(error) => tracing::warn!(%error, "unreadable buffer from the MSP"),
                }
            }
            () = &mut late => return Err(failed(format!("the media side did not answer within {} s", patience.as_secs()))),
        }
    }
}

/// Reports how the call ended and serves it until the broker closes it.
pub(super) async fn linger(
    context: &mut Context,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    ended: Ended,
) {
    // Whatever it came to, the gatekeeper need not keep room for it.
    context.asked = None;
    match ended {
        // MakeCall failed: the broker has forgotten the call without closing it.
        Ended::NeverWas => return,
        Ended::Locally => {}
        Ended::Failed(mode, why) => {
            tracing::info!(call = context.hd.0, why, "call failed");
            let key = if mode == DisconnectMode::Unavail { "media" } else { "release" };
            context.note(CallInfoChange::Other, |info| info::set_id(info, key, &why));
            context.report(LineCallState::Disconnected(mode));
            stop_media(context);
        }
    }
    while !context.closed && !context.ending {
        if let Ok(Some(_)) = early(context, commands.recv().await) {
            tracing::debug!(call = context.hd.0, "a late buffer of the MSP");
        }
    }
}
