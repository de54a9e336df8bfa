//! Connects to the first of several addresses that answers (RFC 8305 clause 5, simplified).
//!
//! In: addresses in the order in which to try them. Out: one [`Connection`]; the attempts that lost are closed.
//! Not here: which addresses (`resolve.rs`).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::Connection;

/// How long an attempt has before the next address is tried beside it (RFC 8305 clause 5: "Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);

/// Tries every address until one connects or `patience` is over. An address that fails at once is followed at once.
pub(crate) async fn connect(addresses: Vec<SocketAddr>, patience: Duration) -> Result<Connection, String> {
    // Most destinations have one address: no race, no tasks.
    if let [only] = addresses[..] {
        let ended = timeout(patience, TcpStream::connect(only)).await;
        return match ended.map(|connected| connected.and_then(Connection::new)) {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(refused(only, &error)),
            Err(_) => Err(too_late(patience)),
        };
    }
    race(addresses, patience).await
}

async fn race(addresses: Vec<SocketAddr>, patience: Duration) -> Result<Connection, String> {
    let give_up = Instant::now() + patience;
    let mut waiting = addresses.into_iter();
    let mut errors = Vec::new();
    // Dropped with its attempts in it, it aborts them, which closes their sockets.
    let mut attempts = JoinSet::new();
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        } else if attempts.is_empty() {
            return Err(if errors.is_empty() {
                "no address to connect to".to_owned()
            } else {
                errors.join("; ")
            });
        }
        let next = if waiting.len() > 0 { give_up.min(Instant::now() + HEAD_START) } else { give_up };
        tokio::select! {
            Some(Ok((address, ended))) = attempts.join_next() => match ended.and_then(Connection::new) {
                Ok(connection) => return Ok(connection),
                Err(error) => errors.push(refused(address, &error)),
            },
            () = sleep_until(next) => {}
        }
        if Instant::now() >= give_up {
            errors.push(too_late(patience));
            return Err(errors.join("; "));
        }
    }
}

fn refused(address: SocketAddr, error: &std::io::Error) -> String {
    format!("cannot connect to {address}: {error}")
}

fn too_late(patience: Duration) -> String {
    format!("no connection within {} s", patience.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A listener whose queue is full: whoever connects is left without an answer, as behind a broken route.
    async fn silent() -> io::Result<(TcpListener, Vec<TcpStream>, SocketAddr)> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut fill = Vec::new();
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
        {
            fill.push(stream?);
        }
        Ok((listener, fill, address))
    }

    #[tokio::test]
    async fn a_refused_address_is_followed_at_once_and_a_silent_one_after_its_head_start() -> io::Result<()> {
        let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let (_listener, _fill, silent) = silent().await?;
        let open = TcpListener::bind("127.0.0.1:0").await?;
        let connection = connect(vec![closed, silent, open.local_addr()?], Duration::from_secs(20)).await;
        assert_eq!(connection.map(|c| c.remote), Ok(open.local_addr()?));
        Ok(())
    }

    #[tokio::test]
    async fn the_attempts_that_lose_are_closed() -> io::Result<()> {
        let (listener, fill, silent) = silent().await?;
        let open = TcpListener::bind("127.0.0.1:0").await?;
        let won = connect(vec![silent, open.local_addr()?], Duration::from_secs(20)).await;
        assert_eq!(won.as_ref().map(|c| c.remote).ok(), Some(open.local_addr()?));
        // Room in the queue: had an attempt been left, it would come through now and stay open.
        let mut octet = [0];
        for _ in 0..fill.len() {
            drop(listener.accept().await?);
        }
        drop(fill);
        let late = tokio::time::timeout(Duration::from_secs(2), listener.accept()).await;
        if let Ok(accepted) = late {
            assert_eq!(accepted?.0.read(&mut octet).await?, 0, "it was open");
        }
        Ok(())
    }

    #[tokio::test]
    async fn who_cannot_be_reached_is_named_with_the_reason_for_each_address() -> io::Result<()> {
        let first = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let second = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let why = connect(vec![first, second], Duration::from_secs(20)).await.map(|_| ()).unwrap_err();
        assert!(why.contains(&first.to_string()) && why.contains(&second.to_string()), "{why}");
        assert_eq!(
            connect(Vec::new(), Duration::from_secs(1)).await.map(|_| ()),
            Err("no address to connect to".into())
        );
        Ok(())
    }
}
