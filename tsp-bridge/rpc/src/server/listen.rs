//! Where clients come: a Unix socket for this user's processes, a TCP port for machines with a certificate.
//!
//! In: a path or an address. Out: a [`Listening`] that serves until it is dropped or shut.
//!
//! The socket's file has mode 0600 before anybody can connect, and its directory belongs to this user or the system and
//! is nobody else's to write. A lock file beside it says who serves: a socket whose server has died is replaced, one in
//! use is left alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::server::TcpIncoming;

use super::arrive::Patient;
use super::{Server, Tapisrv};
use crate::proto::tapisrv_server::TapisrvServer;
use crate::tls::TlsIdentity;
use crate::wire::{MAX_CLIENT_FRAME, MAX_SERVER_FRAME, silence};

/// Calls of `Session` that one connection may have.
const STREAMS: u32 = 8;

/// To read a refusal.
const MOMENT: Duration = Duration::from_secs(1);

/// Connections that wait to be taken.
const BACKLOG: i32 = 128;

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another broker serves there.
    #[error("{0}: another broker serves there")]
    InUse(String),
    /// Something else is in the way.
    #[error("{0}: there is something that is no socket")]
    NotASocket(PathBuf),
    /// Others could put their socket in its place.
    #[error("{0}: {1}")]
    Directory(PathBuf, &'static str),
    /// A file or the network.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// Certificates or key.
    #[error("{0}")]
    Tls(String),
}

fn io(path: &Path) -> impl Fn(io::Error) -> ListenError {
    let path = path.display().to_string();
    move |why| ListenError::Io(path.clone(), why)
}

/// The socket that brokers and applications use if none is named: `$XDG_RUNTIME_DIR/offhook/tapisrv.sock`; without that
/// variable the same under `/run/user/UID`, for root under `/run`, else `/tmp/offhook-UID/tapisrv.sock`.
pub fn default_socket() -> PathBuf {
    let uid = rustix::process::getuid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let users = PathBuf::from(format!("/run/user/{}", uid.as_raw()));
    let dir = match runtime {
        Some(dir) => dir.join("offhook"),
        None if users.is_dir() => users.join("offhook"),
        None if uid.is_root() => PathBuf::from("/run/offhook"),
        None => PathBuf::from(format!("/tmp/offhook-{}", uid.as_raw())),
    };
    dir.join("tapisrv.sock")
}

/// A listener that serves. Dropping it ends it; sessions that it brought live on until their connections end.
pub struct Listening {
    at: Place,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
    _lock: Option<File>,
}

enum Place {
    /// The file, by its device and number: another broker's socket is not ours to remove.
    Unix {
        path: PathBuf,
        file: (u64, u64),
    },
    Tcp(SocketAddr),
}

impl Listening {
    /// The TCP address; port 0 has become a real one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self.at {
            Place::Tcp(at) => Some(at),
            Place::Unix { .. } => None,
        }
    }

    /// Takes no more connections and waits, `patience` at most, for those that are there.
    pub async fn close(mut self, patience: Duration) {
        self.stop();
        if let Some(task) = self.task.take() {
            let abort = task.abort_handle();
            if tokio::time::timeout(patience, task).await.is_err() {
                abort.abort();
            }
        }
    }

    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The task may have ended.
            let _ = stop.send(());
        }
        if let Place::Unix { path, file } = &self.at {
            let ours = std::fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == *file);
            if ours && let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(%error, path = %path.display(), "the socket stays");
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// Serves applications on a Unix socket, on the current tokio runtime.
    pub fn listen_unix(&self, path: &Path) -> Result<Listening, ListenError> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        private_directory(dir)?;
        let lock = lock(path)?;
        clear(path)?;
        let (listener, file) = bind(path)?;
        let incoming = self.patient(UnixListenerStream::new(listener));
        let service = self.service(false);
        let (stop, stopped) = oneshot::channel();
        let server = tonic::transport::Server::builder().max_concurrent_streams(STREAMS);
        let serving = server.serve_with_incoming_shutdown(service, incoming, async {
            // Either word is the end.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the socket is not served any more");
            }
        });
        let at = Place::Unix { path: path.to_owned(), file };
        Ok(Listening { at, stop: Some(stop), task: Some(task), _lock: Some(lock) })
    }

    /// Serves other machines on a TCP port: those whose certificate `identity`'s CA signed.
    pub async fn listen_tls(
        &self,
        address: SocketAddr,
        identity: &TlsIdentity,
    ) -> Result<Listening, ListenError> {
        let tls = |why: tonic::transport::Error| ListenError::Tls(crate::tls::causes(&why));
        let failed = |why| ListenError::Io(address.to_string(), why);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let incoming = self.patient(TcpIncoming::from(listener).with_nodelay(Some(true)));
        let keep_alive = self.inner.config.keep_alive;
        let server = tonic::transport::Server::builder()
            .tls_config(identity.server())
            .map_err(tls)?
            .max_concurrent_streams(STREAMS)
            .http2_keepalive_interval(Some(keep_alive))
            .http2_keepalive_timeout(Some(silence(keep_alive)));
        let service = self.service(true);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            if let Err(error) = server.serve_with_incoming_shutdown(service, incoming, stopped).await {
                tracing::error!(%error, "the port is not served any more");
            }
        });
        Ok(Listening { at: Place::Tcp(at), stop: Some(stop), task: Some(task), _lock: None })
    }

    /// Connections, bounded until they have a session. A moment more than Hello has, so that the refusal can be read.
    fn patient<S>(&self, stream: S) -> Patient<S> {
        let config = &self.inner.config;
        Patient::new(stream, config.max_arriving, config.hello.saturating_add(MOMENT))
    }

    fn service(&self, resumes: bool) -> TapisrvServer<Tapisrv> {
        TapisrvServer::new(Tapisrv { server: self.inner.clone(), resumes })
            .max_decoding_message_size(MAX_CLIENT_FRAME)
            .max_encoding_message_size(MAX_SERVER_FRAME)
    }
}

/// Makes the socket's directory if it is not there, and looks whether others can write in it.
fn private_directory(dir: &Path) -> Result<(), ListenError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(io(dir)(why)),
        _ => {}
    }
    // Not what a link points to: whoever owns the link could point it elsewhere later.
    let there = std::fs::symlink_metadata(dir).map_err(io(dir))?;
    let refused = |why| Err(ListenError::Directory(dir.to_owned(), why));
    if there.is_symlink() {
        return refused("a symbolic link, no directory");
    }
    if !there.is_dir() {
        return refused("not a directory");
    }
    if there.uid() != 0 && there.uid() != rustix::process::geteuid().as_raw() {
        return refused("the directory belongs to somebody else, who could put a socket of their own there");
    }
    let (mode, sticky) = (there.mode(), there.mode() & 0o1000 != 0);
    if mode & 0o022 != 0 && !sticky {
        return refused("others can write in this directory, and put a socket of their own there");
    }
    Ok(())
}

/// Who serves the socket holds this lock; the file stays, for removing it would free the name while it is held.
fn lock(path: &Path) -> Result<File, ListenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(&beside)
        .map_err(io(&beside))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(ListenError::InUse(path.display().to_string())),
        Err(why) => Err(io(&beside)(why.into())),
    }
}

/// Removes a socket that nobody serves.
fn clear(path: &Path) -> Result<(), ListenError> {
    match std::fs::symlink_metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(io(path)(why)),
        Ok(there) if !there.file_type().is_socket() => {
            return Err(ListenError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    if UnixStream::connect(path).is_ok() {
        return Err(ListenError::InUse(path.display().to_string()));
    }
    std::fs::remove_file(path).map_err(io(path))
}

/// Binds, restricts, and only then listens.
fn bind(path: &Path) -> Result<(UnixListener, (u64, u64)), ListenError> {
    let failed = |why: rustix::io::Errno| io(path)(why.into());
    let address = SocketAddrUnix::new(path).map_err(|_| {
        io(path)(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path is too long for a socket (107 octets)",
        ))
    })?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    rustix::net::bind(&socket, &address).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(io(path))?;
    let there = std::fs::symlink_metadata(path).map_err(io(path))?;
    rustix::net::listen(&socket, BACKLOG).map_err(failed)?;
    let listener = UnixListener::from_std(socket.into()).map_err(io(path))?;
    Ok((listener, (there.dev(), there.ino())))
}
