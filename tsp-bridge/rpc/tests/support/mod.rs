//! Certificates for two machines, a broker with a scripted switch, and a line between two machines that can be cut.

#![allow(dead_code, reason = "each test file uses a part")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use offhook_rpc::TlsIdentity;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A CA that signs machines by their names.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn identity(&self, machine: &str) -> Result<TlsIdentity, Box<dyn Error>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![machine.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, machine);
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(TlsIdentity::from_pem(certificate.pem(), key.serialize_pem(), self.0.pem()))
    }
}

/// A wire between two machines.
pub(crate) struct Wire {
    pub(crate) at: SocketAddr,
    /// Nothing passes, and nothing says so: a half-dead link.
    silent: Arc<AtomicBool>,
    /// No connection is taken.
    down: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<tokio::task::AbortHandle>>>,
}

impl Wire {
    pub(crate) async fn to(far: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let (silent, down) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let open = Arc::new(Mutex::new(Vec::new()));
        let wire = Self { at, silent: silent.clone(), down: down.clone(), open: open.clone() };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if down.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(far).await else { continue };
                let silent = silent.clone();
                let task = tokio::spawn(async move {
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    tokio::join!(carry(near_in, far_out, silent.clone()), carry(far_in, near_out, silent));
                });
                open.lock().unwrap().push(task.abort_handle());
            }
        });
        Ok(wire)
    }

    /// Breaks what is open, and takes nothing until [`mend`](Self::mend).
    pub(crate) fn cut(&self) {
        self.down.store(true, Ordering::Relaxed);
        for task in self.open.lock().unwrap().drain(..) {
            task.abort();
        }
    }

    /// Swallows everything from now on.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    pub(crate) fn mend(&self) {
        self.silent.store(false, Ordering::Relaxed);
        self.down.store(false, Ordering::Relaxed);
    }
}

async fn carry(
    from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    silent: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        if from.readable().await.is_err() {
            return;
        }
        match from.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => {
                // What is swallowed is lost to TLS for good: the connection never recovers.
                if !silent.load(Ordering::Relaxed) && to.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
            }
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
