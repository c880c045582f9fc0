//! Faults of registries' certificates.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{
    patient::{Patient, mend},
    registries::before,
    server::{Server, reply},
};

/// An authority that nobody's system trusts.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A registry with a certificate of this authority, of that name and until that year.
    async fn registry(&self, name: &str, until: i32) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2015, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Server::with_tls(Some(TlsAcceptor::from(Arc::new(config))), |_| reply("200 OK", "", "{}")).await
    }

    /// A seed that trusts this authority, before its start.
    fn believed(&self, registry: &Server) -> Patient {
        let patient = before(format!("https://{}", registry.address), "ca_file = '{root}/ca.pem'\n");
        patient.write("/ca.pem", &self.0.pem());
        patient
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_not_known_is_found() {
    let authority = Authority::new();
    let registry = authority.registry("127.0.0.1", 2090).await;
    let finding =
        before(format!("https://{}", registry.address), "").found("registry-certificate-trusted").await;
    assert!(finding.mend.text.contains("ca_file"), "{finding:?}");
    mend(&finding);
    // Its mend: the authority in ca_file.
    authority.believed(&registry).is_well("registry-certificate-trusted").await;
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_found() {
    let authority = Authority::new();
    let registry = authority.registry("127.0.0.1", 2020).await;
    let finding = authority.believed(&registry).found("registry-certificate-time").await;
    assert!(finding.mend.text.contains("Renew"), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_found() {
    let authority = Authority::new();
    let registry = authority.registry("other.test", 2090).await;
    let finding = authority.believed(&registry).found("registry-certificate-name").await;
    assert!(finding.mend.commands[0].contains("subjectAltName"), "{finding:?}");
    mend(&finding);
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_is_found() {
    let registry = Server::start(|_| reply("400 Bad Request", "", "")).await;
    let finding = before(format!("https://{}", registry.address), "").found("registry-tls").await;
    assert!(finding.mend.text.contains("http://"), "{finding:?}");
}
