//! TLS with an authority of one's own.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use shoal_seed::origin::OriginError;
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::support::{Reply, TestOrigin, config, digest, image, origins};

/// An authority that nobody's system trusts, and its file.
pub(crate) struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(issuer.pem().as_bytes()).expect("written");
        Self { issuer, file }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// A server named 127.0.0.1.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a matching key");
        TlsAcceptor::from(Arc::new(server))
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_configured() {
    let authority = TestAuthority::new();
    let origin =
        TestOrigin::start_tls(authority.acceptor(), |_| Reply::status(200).header("content-length", "7"))
            .await;
    let mut trusting = config(&[&origin]);
    trusting.ca_file = Some(authority.ca_file());
    assert_eq!(origins(trusting).stat(&image(), &digest(b"")).await, Ok(7));
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let origin = TestOrigin::start_tls(TestAuthority::new().acceptor(), |_| Reply::status(200)).await;
    let other = TestAuthority::new();
    let mut wary = config(&[&origin]);
    wary.ca_file = Some(other.ca_file());
    let error = origins(wary).stat(&image(), &digest(b"")).await.expect_err("untrusted");
    assert!(matches!(error, OriginError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn a_ca_file_without_certificates_is_a_configuration_error() {
    let file = NamedTempFile::new().expect("a file");
    let mut config = shoal_seed::config::RegistryConfig::for_host(image().registry);
    config.ca_file = Some(file.path().to_owned());
    let metrics = crate::support::metrics();
    let error = shoal_seed::origin::Origins::new(&[config], false, metrics).expect_err("empty file");
    assert!(error.to_string().contains("no certificate"), "{error}");
}
