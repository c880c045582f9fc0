//! TLS towards a registry: 1.2 or newer, the system's authorities and perhaps one's own.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read, or is not PEM.
    #[error("{path}: {reason}; a ca_file holds certificates in PEM form")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cryptography provider lacks what is needed.
    #[error("no TLS 1.2 or 1.3 here: {0}")]
    Versions(rustls::Error),
}

/// The authorities that this system trusts. A system without any still has its `ca_file`s and plain HTTP; a missing
/// authority shows, with the registry's name, when it matters.
pub(super) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (trusted, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(trusted, ignored, errors = found.errors.len(), "authorities of this system");
    roots
}

/// A configuration that trusts `roots`, and the authorities in `ca_file`.
pub(super) fn client_config(
    mut roots: RootCertStore,
    ca_file: Option<&Path>,
) -> Result<ClientConfig, TlsError> {
    if let Some(path) = ca_file {
        add_own(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn add_own(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let fail = |reason: String| TlsError::CaFile { path: path.display().to_string(), reason };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fail(pem_reason(&error)))?;
    let mut added = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fail(pem_reason(&error)))?;
        roots.add(certificate).map_err(|error| fail(error.to_string()))?;
        added += 1;
    }
    if added == 0 { Err(fail("no certificate in it".to_owned())) } else { Ok(()) }
}

fn pem_reason(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "no such file".to_owned()
        }
        error => error.to_string(),
    }
}
