//! Who machines are to each other: a certificate, its key, and the CA that signs everybody's.
//!
//! In: PEM. Out: rustls configurations for both ends. TLS 1.3 and 1.2 by rustls, mutual: a client without a certificate
//! of this CA is not let in. Not here: making certificates (`offhook tapisrv --make-certs`).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// The most octets of a PEM file.
const MAX_PEM: u64 = 1 << 20;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The files of a [`TlsIdentity`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// This machine's certificate, and those between it and the CA.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CA that signed it and the other machine's.
    pub ca: PathBuf,
}

/// This machine, and whom it trusts.
#[derive(Clone)]
pub struct TlsIdentity {
    certificate: Vec<u8>,
    key: Vec<u8>,
    ca: Vec<u8>,
}

impl TlsIdentity {
    /// From PEM; read when it is used.
    pub fn from_pem(
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
        ca: impl Into<Vec<u8>>,
    ) -> Self {
        Self { certificate: certificate.into(), key: key.into(), ca: ca.into() }
    }

    /// From files; the error says which one.
    pub fn read(files: &TlsFiles) -> Result<Self, String> {
        Ok(Self { certificate: pem(&files.certificate)?, key: pem(&files.key)?, ca: pem(&files.ca)? })
    }

    pub(crate) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(&self.certificate, &self.key))
            .client_ca_root(Certificate::from_pem(&self.ca))
            .timeout(HANDSHAKE)
    }

    pub(crate) fn client(&self, machine: &str) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .identity(Identity::from_pem(&self.certificate, &self.key))
            .ca_certificate(Certificate::from_pem(&self.ca))
            .domain_name(machine)
            .timeout(HANDSHAKE)
    }
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsIdentity")
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |why: std::io::Error| format!("{}: {why}", path.display());
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_PEM {
        return Err(format!("{}: larger than certificates are", path.display()));
    }
    let text = std::fs::read(path).map_err(failed)?;
    if !text.windows(11).any(|w| w == b"-----BEGIN ") {
        return Err(format!("{}: not PEM", path.display()));
    }
    Ok(text)
}

/// An error and what caused it, in one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
