//! TLS with an authority of one's own.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion, pki_types::PrivateKeyDer,
    server::WebPkiClientVerifier,
};
use shoal_seed::{
    config::RegistryConfig,
    origin::{OriginError, Origins},
};
use tempfile::{NamedTempFile, TempDir};
use tokio_rustls::TlsAcceptor;

use crate::support::{Reply, Seen, TestOrigin, config, digest, image, origins};

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
        self.server(rustls::DEFAULT_VERSIONS, None)
    }

    /// A server that speaks these versions, and lets in only who has a certificate of `clients`.
    fn server(&self, versions: &[&'static SupportedProtocolVersion], clients: Option<&Self>) -> TlsAcceptor {
        let (certificate, key) = self.issue("127.0.0.1");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.issuer.der().clone()).expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let server = builder.with_single_cert(vec![certificate.der().clone()], key).expect("a matching key");
        TlsAcceptor::from(Arc::new(server))
    }

    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("signed"), key)
    }

    /// Writes a client's certificate and key to these files.
    fn issue_to(&self, certificate_file: &Path, key_file: &Path) {
        let (certificate, key) = self.issue("client.test");
        for (file, content) in [(certificate_file, certificate.pem()), (key_file, key.serialize_pem())] {
            let new = file.with_extension("new");
            std::fs::write(&new, content).expect("written");
            std::fs::rename(&new, file).expect("replaced");
        }
    }
}

/// A folder with a client's certificate and its key.
struct ClientFiles(TempDir);

impl ClientFiles {
    fn of(authority: &TestAuthority) -> Self {
        let files = Self(TempDir::new().expect("a folder"));
        files.replace(authority);
        files
    }

    fn replace(&self, authority: &TestAuthority) {
        let [certificate, key] = self.paths();
        authority.issue_to(&certificate, &key);
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["client.pem", "client.key"].map(|name| self.0.path().join(name))
    }

    fn tell(&self, mut config: RegistryConfig) -> RegistryConfig {
        let [certificate, key] = self.paths();
        (config.client_cert_file, config.client_key_file) = (Some(certificate), Some(key));
        config
    }
}

fn seven(_: &Seen) -> Reply {
    // No connection stays, so that each request shows its certificate anew.
    Reply::status(200).header("content-length", "7").header("connection", "close")
}

fn trusting(origin: &TestOrigin, authority: &TestAuthority) -> RegistryConfig {
    let mut config = config(&[origin]);
    config.ca_file = Some(authority.ca_file());
    config
}

async fn stat(origins: &Origins) -> Result<u64, OriginError> {
    origins.stat(&image(), &digest(b"")).await
}

#[tokio::test]
async fn a_client_certificate_opens_the_door_and_is_read_again_when_replaced() {
    let (authority, clients, strangers) = (TestAuthority::new(), TestAuthority::new(), TestAuthority::new());
    let acceptor = authority.server(rustls::DEFAULT_VERSIONS, Some(&clients));
    let origin = TestOrigin::start_tls(acceptor, seven).await;
    stat(&origins(trusting(&origin, &authority))).await.expect_err("no certificate");
    let files = ClientFiles::of(&clients);
    let origins = origins(files.tell(trusting(&origin, &authority)));
    assert_eq!(stat(&origins).await, Ok(7));
    files.replace(&strangers);
    let error = stat(&origins).await.expect_err("another authority's certificate");
    assert!(matches!(error, OriginError::Unavailable { .. }), "{error}");
    files.replace(&clients);
    assert_eq!(stat(&origins).await, Ok(7));
}

#[tokio::test]
async fn a_client_certificate_that_is_half_replaced_stays_what_it_was() {
    let (authority, clients) = (TestAuthority::new(), TestAuthority::new());
    let acceptor = authority.server(rustls::DEFAULT_VERSIONS, Some(&clients));
    let origin = TestOrigin::start_tls(acceptor, seven).await;
    let files = ClientFiles::of(&clients);
    let origins = origins(files.tell(trusting(&origin, &authority)));
    std::fs::write(&files.paths()[1], "not yet").expect("written");
    assert_eq!(stat(&origins).await, Ok(7));
}

#[test]
fn a_client_certificate_without_its_key_is_a_configuration_error() {
    let clients = TestAuthority::new();
    let (files, others) = (ClientFiles::of(&clients), ClientFiles::of(&clients));
    let complete = files.tell(config(&[]));
    let half = RegistryConfig { client_key_file: None, ..complete.clone() };
    let mixed = RegistryConfig { client_key_file: Some(others.paths()[1].clone()), ..complete };
    for (config, expected) in [(half, "need each other"), (mixed, "does not go with the certificate")] {
        let error = Origins::new(&[config], false, crate::support::metrics()).expect_err("no identity");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_knows_only_tls_1_2_is_understood() {
    let authority = TestAuthority::new();
    let origin = TestOrigin::start_tls(authority.server(&[&rustls::version::TLS12], None), seven).await;
    assert_eq!(stat(&origins(trusting(&origin, &authority))).await, Ok(7));
}

#[tokio::test]
async fn any_certificate_is_believed_only_where_that_is_said() {
    let authority = TestAuthority::new();
    let origin = TestOrigin::start_tls(authority.acceptor(), seven).await;
    let mut wary = config(&[&origin]);
    stat(&origins(wary.clone())).await.expect_err("nobody vouches for it");
    wary.insecure_skip_verify = true;
    assert_eq!(stat(&origins(wary)).await, Ok(7));
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
