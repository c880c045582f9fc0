//! TLS towards a registry: 1.2 or newer, the system's authorities and perhaps one's own, on both sides.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};

use self::{identity::ClientIdentity, unverified::Unverified};
use crate::config::RegistryConfig;

mod identity;
mod unverified;

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
    /// The client's certificate and key can't be used.
    #[error("{path}: {reason}; client_cert_file holds a certificate in PEM form and client_key_file its key")]
    ClientFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One of the two alone.
    #[error("client_cert_file and client_key_file need each other")]
    HalfAnIdentity,
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

/// What a registry's connections use: these authorities and those of its `ca_file`, and its client certificate.
pub(super) fn client_config(
    mut roots: RootCertStore,
    config: &RegistryConfig,
) -> Result<ClientConfig, TlsError> {
    if let Some(path) = &config.ca_file {
        add_own(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?;
    let builder = if config.insecure_skip_verify {
        let verifier = Arc::new(Unverified::new(Arc::clone(&provider)));
        builder.dangerous().with_custom_certificate_verifier(verifier)
    } else {
        builder.with_root_certificates(roots)
    };
    let mut tls = match identity(config, provider)? {
        Some(identity) => {
            let mut tls = builder.with_client_cert_resolver(Arc::new(identity));
            // A session that is taken up again shows no certificate: one that was replaced would count on.
            tls.resumption = Resumption::disabled();
            tls
        }
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn identity(
    config: &RegistryConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Option<ClientIdentity>, TlsError> {
    match (&config.client_cert_file, &config.client_key_file) {
        (Some(certificate), Some(key)) => {
            ClientIdentity::load(certificate.clone(), key.clone(), provider).map(Some)
        }
        (None, None) => Ok(None),
        _ => Err(TlsError::HalfAnIdentity),
    }
}

fn add_own(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let fail = |reason: String| TlsError::CaFile { path: path.display().to_string(), reason };
    for certificate in certificates(path).map_err(fail)? {
        roots.add(certificate).map_err(|error| fail(error.to_string()))?;
    }
    Ok(())
}

/// The certificates in a file, in their order; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| pem_reason(&error))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| pem_reason(&error))?;
    if found.is_empty() { Err("no certificate in it".to_owned()) } else { Ok(found) }
}

fn pem_reason(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "no such file".to_owned()
        }
        error => error.to_string(),
    }
}
