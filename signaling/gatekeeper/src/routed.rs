//! Routed call signalling: one call, two TCP connections, octets passed on.
//!
//! In: a connection with a Setup. Out: a connection to where the call goes, or a ReleaseComplete.
//! Not here: where it goes (`server.rs` asks the machine). H.245 connections do not pass: their addresses are those of the
//! endpoints, and stay as they are.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{
    Alias, Call, Channel, Config, Event, IncomingParams, Release, ReleaseReason, Routing, SetupInfo, reroute,
};
use offhook_wire::tpkt::{self, TpktDecoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::server::Wish;

/// How long a connection may take to say its Setup, to be connected further, and to end once it is told to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections at once.
const MAX_CONNECTIONS: usize = 4_096;

pub(crate) async fn accept(listener: TcpListener, wishes: mpsc::UnboundedSender<Wish>) {
    let room = std::sync::Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    // With the listener's task its connections end too.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, from)) => {
                let Ok(seat) = room.clone().try_acquire_owned() else {
                    tracing::info!(%from, "too many connections");
                    continue;
                };
                let wishes = wishes.clone();
                connections.spawn(async move {
                    if let Err(error) = route(stream, from, &wishes).await {
                        tracing::info!(%from, %error, "a routed call ended");
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What the first message said, and what came behind it.
struct First {
    machine: Call,
    setup: SetupInfo,
    payload: Bytes,
    rest: Vec<u8>,
}

async fn route(
    mut caller: TcpStream,
    from: SocketAddr,
    wishes: &mpsc::UnboundedSender<Wish>,
) -> io::Result<()> {
    caller.set_nodelay(true)?;
    let first =
        timeout(PATIENCE, read_setup(&mut caller, from)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let First { machine, setup, payload, rest } = first;
    let mut destination = setup.called_aliases.clone();
    destination.extend(setup.called_number.iter().map(|number| Alias::from_text(&number.digits)));
    let call = match setup.call_identifier {
        none if none == [0; 16] => setup.conference_id,
        identifier => identifier,
    };
    let (answer, answered) = oneshot::channel();
    let gone = || io::Error::other("the gatekeeper is gone");
    let (close, closed) = oneshot::channel();
    wishes.send(Wish::Route(call, destination, close, answer)).map_err(|_| gone())?;
    let (address, destination) = match answered.await.map_err(|_| gone())? {
        Routing::To { address, destination } => (address, destination),
        Routing::Refuse(release) => return refuse(caller, machine, release).await,
    };
    let way = Way { address, destination, closed };
    let passed = pass(caller, machine, &payload, &rest, way).await;
    let ended = wishes.send(Wish::Ended(call)).map_err(|_| gone());
    passed.and(ended)
}

/// Where a call goes, and until when.
struct Way {
    address: SocketAddr,
    destination: Vec<Alias>,
    closed: oneshot::Receiver<()>,
}

/// Connects to the called endpoint and passes on what either side says, until both have ended or the gatekeeper has.
async fn pass(mut caller: TcpStream, machine: Call, setup: &Bytes, rest: &[u8], way: Way) -> io::Result<()> {
    let Way { address, destination, mut closed } = way;
    let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
    let mut called = match connected.unwrap_or(Err(io::ErrorKind::TimedOut.into())) {
        Ok(called) => called,
        Err(error) => {
            tracing::info!(%address, %error, "the called endpoint is not reached");
            let release = Release::with_reason(ReleaseReason::UnreachableDestination);
            return refuse(caller, machine, release).await;
        }
    };
    called.set_nodelay(true)?;
    let forwarded = reroute(setup, address, &destination).map_err(io::Error::other)?;
    called.write_all(&tpkt::encode(&forwarded).map_err(io::Error::other)?).await?;
    called.write_all(rest).await?;
    let pass = copy_bidirectional(&mut caller, &mut called);
    tokio::pin!(pass);
    let passed = tokio::select! {
        passed = &mut pass => passed,
        // Both endpoints have been told by DRQ: what they still say to each other passes.
        _ = &mut closed => timeout(PATIENCE, pass).await.unwrap_or(Ok((0, 0))),
    };
    passed.map(drop)
}

async fn read_setup(caller: &mut TcpStream, from: SocketAddr) -> io::Result<First> {
    let local = caller.local_addr()?;
    let config = Config { call_proceeding: false, fast_start: false, ..Config::default() };
    let params = IncomingParams { seed: 0, local_signal_address: Some(local), remote_signal_address: from };
    let mut machine = Call::incoming(config, params, Duration::ZERO);
    machine.handle_connected(Duration::ZERO, Channel::Signaling);
    let mut decoder = TpktDecoder::new();
    let mut read = vec![0; 16 * 1024];
    loop {
        let length = caller.read(&mut read).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let octets = read.get(..length).unwrap_or_default();
        decoder.push(octets);
        let Some(payload) = decoder.next().map_err(io::Error::other)? else { continue };
        let framed = tpkt::encode(&payload).map_err(io::Error::other)?;
        machine.handle_bytes(Duration::ZERO, Channel::Signaling, &framed);
        while let Some(event) = machine.poll_event() {
            if let Event::Setup(setup) = event {
                // The Setup ended in what was read last.
                let rest =
                    octets.get(length.saturating_sub(decoder.buffered())..).unwrap_or_default().to_vec();
                return Ok(First { machine, setup: *setup, payload, rest });
            }
        }
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the first message is no Setup"));
    }
}

/// Ends the caller's call.
async fn refuse(mut caller: TcpStream, mut machine: Call, release: Release) -> io::Result<()> {
    machine.release(Duration::ZERO, release);
    while let Some(transmit) = machine.poll_transmit() {
        caller.write_all(&transmit.bytes).await?;
    }
    caller.shutdown().await?;
    // Reads what is left, lest an RST takes the last message with it.
    let mut rest = [0; 1024];
    let _ = timeout(PATIENCE, async { while caller.read(&mut rest).await.is_ok_and(|n| n > 0) {} }).await;
    Ok(())
}
