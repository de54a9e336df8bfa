//! What no telephone over TCP can beat: connect, two round trips of a Setup's size, close.
//! In: how many, how many at once. Out: what they cost, both ends together.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::{Run, cpu, loopback};

const MESSAGE: [u8; 300] = [3; 300];

pub(crate) fn run(runtime: &Runtime, count: usize, at_once: usize) -> Result<Run, Box<dyn Error>> {
    runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        let (before, began) = (cpu(), Instant::now());
        let mut callers = JoinSet::new();
        for caller in 0..at_once {
            callers.spawn(async move {
                let mut latencies = Vec::new();
                for number in (caller..count).step_by(at_once) {
                    let began = Instant::now();
                    let open = call(loopback(number, port)).await?;
                    latencies.push(began.elapsed());
                    drop(open);
                }
                std::io::Result::Ok(latencies)
            });
        }
        let mut latencies = Vec::with_capacity(count);
        while let Some(ended) = callers.join_next().await {
            latencies.extend(ended??);
        }
        let run = Run { cpu: cpu() - before, wall: began.elapsed(), latencies };
        server.abort();
        Ok(run)
    })
}

async fn call(to: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; MESSAGE.len()];
    for _ in 0..2 {
        stream.write_all(&MESSAGE).await?;
        stream.read_exact(&mut buffer).await?;
    }
    Ok(stream)
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; MESSAGE.len()];
    while stream.read_exact(&mut buffer).await.is_ok() {
        stream.write_all(&buffer).await?;
    }
    Ok(())
}
