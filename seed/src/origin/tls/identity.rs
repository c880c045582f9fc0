//! The certificate that a registry gets to see.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::{TlsError, certificates, pem_reason};

/// A certificate with its key, read again when one of their files was replaced: such certificates live for hours.
#[derive(Debug)]
pub(super) struct ClientIdentity {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    identity: Arc<CertifiedKey>,
    stamps: [Option<Stamp>; 2],
}

/// What changes when a file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size_bytes: u64,
    inode: u64,
}

impl ClientIdentity {
    pub(super) fn load(
        certificate: PathBuf,
        key: PathBuf,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let stamps = [&certificate, &key].map(|path| Stamp::of(path).ok());
        let identity = read(&certificate, &key, &provider)?;
        Ok(Self { certificate, key, provider, current: Mutex::new(Current { identity, stamps }) })
    }

    /// What the files hold now; what they held before, when that can't be used.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = [&self.certificate, &self.key].map(|path| Stamp::of(path).ok());
        if stamps != current.stamps {
            match read(&self.certificate, &self.key, &self.provider) {
                Ok(identity) => *current = Current { identity, stamps },
                // Perhaps one of the two is not there yet: the next connection looks again.
                Err(error) => tracing::warn!(%error, "the client certificate was not read again"),
            }
        }
        Arc::clone(&current.identity)
    }
}

impl ResolvesClientCert for ClientIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size_bytes: metadata.len(),
            inode: metadata.ino(),
        })
    }
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let fail =
        |path: &Path, reason: String| TlsError::ClientFile { path: path.display().to_string(), reason };
    let chain = certificates(certificate).map_err(|reason| fail(certificate, reason))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fail(key, pem_reason(&error)))?;
    let identity = CertifiedKey::from_der(chain, secret, provider);
    identity.map(Arc::new).map_err(|error| fail(key, format!("does not go with the certificate ({error})")))
}
