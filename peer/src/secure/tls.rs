//! TLS 1.3 with certificates as libp2p's TLS specification describes them: self-signed, made anew at each start, and
//! carrying the node's key with its signature over the certificate's.

use std::{net::Ipv4Addr, sync::Arc};

use libp2p_tls::certificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
    client::{
        ResolvesClientCert, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use shoal_protocol::identity::{NodeId, NodeKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{CredentialsError, SecureError, identity};

/// Tells Shoal apart from anything else that speaks TLS, before a byte of ours is sent.
const ALPN: &[u8] = b"shoal/1";

/// The same, by a side that agrees to go on without encryption: on lanes only, and only where both sides say so.
const PLAINTEXT_ALPN: &[u8] = b"shoal/1+plaintext";

/// The same configurations for lanes that may go on in plaintext.
pub(super) fn allow_plaintext(client: &ClientConfig, server: &ServerConfig) -> (ClientConfig, ServerConfig) {
    let protocols = vec![PLAINTEXT_ALPN.to_vec(), ALPN.to_vec()];
    let mut configs = (client.clone(), server.clone());
    configs.0.alpn_protocols.clone_from(&protocols);
    configs.1.alpn_protocols = protocols;
    configs
}

/// Whether both sides agreed to go on in plaintext.
pub(super) fn agreed_on_plaintext<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(PLAINTEXT_ALPN)
}

/// TLS configurations for both directions, with a fresh certificate of `key`.
pub(super) fn configs(key: &NodeKey) -> Result<(ClientConfig, ServerConfig), CredentialsError> {
    let failed = |error: &dyn std::fmt::Display| CredentialsError(error.to_string());
    let keypair = identity::keypair(key).ok_or_else(|| failed(&"libp2p does not take it"))?;
    let (certificate, secret) = certificate::generate(&keypair).map_err(|e| failed(&e))?;
    let provider = provider();
    let secret = provider.key_provider.load_private_key(secret).map_err(|e| failed(&e))?;
    // The ready-made ways to add a certificate refuse one with a critical extension, which is how it carries the key.
    let own = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], secret)));
    let verifier = Arc::new(NodeVerifier);

    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| failed(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::clone(&own) as Arc<dyn ResolvesClientCert>);
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.resumption = Resumption::disabled();

    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| failed(&e))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(own);
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok((client, server))
}

/// The TLS handshake of the side that opened `io`, and who is at the other end.
pub(super) async fn connect<S>(
    io: S,
    config: Arc<ClientConfig>,
) -> Result<(NodeId, TlsStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // An IP address as the name keeps the SNI extension away: names mean nothing here, keys do.
    let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
    let stream = TlsConnector::from(config).connect(name, io).await.map_err(SecureError::Tls)?;
    with_identity(stream.into())
}

/// The TLS handshake of the side that accepted `io`, and who is at the other end.
pub(super) async fn accept<S>(io: S, config: Arc<ServerConfig>) -> Result<(NodeId, TlsStream<S>), SecureError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TlsAcceptor::from(config).accept(io).await.map_err(SecureError::Tls)?;
    with_identity(stream.into())
}

fn with_identity<S>(stream: TlsStream<S>) -> Result<(NodeId, TlsStream<S>), SecureError> {
    let (_, session) = stream.get_ref();
    let node = match session.peer_certificates() {
        Some([certificate]) => node_of(certificate),
        _ => Err(Error::NoCertificatesPresented),
    };
    Ok((node.map_err(|error| SecureError::Tls(std::io::Error::other(error)))?, stream))
}

/// Encrypting is most of what a lane costs, and AES-GCM is several times as fast as ChaCha20 where the processor has
/// instructions for it; where neither side has, both still agree on ChaCha20 by listing it.
fn provider() -> Arc<CryptoProvider> {
    use ring::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    let cipher_suites =
        vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

fn node_of(certificate: &CertificateDer<'_>) -> Result<NodeId, Error> {
    let parsed = certificate::parse(certificate).map_err(invalid)?;
    identity::node_id(&parsed.peer_id())
        .ok_or(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// Accepts the certificate of any node: who may come in is decided by the membership proof.
#[derive(Debug)]
struct NodeVerifier;

impl NodeVerifier {
    /// What is in the certificate is looked at together with the signature that it comes with: TLS 1.3 has one with each
    /// certificate (RFC 8446, section 4.4), and two signatures to verify in it make that dear.
    fn verify_alone(intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
        if intermediates.is_empty() {
            return Ok(());
        }
        Err(Error::General("a node presents exactly one certificate".into()))
    }

    fn verify_signature(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        certificate::parse(certificate)
            .map_err(invalid)?
            .verify_signature(signature.scheme, message, signature.signature())
            .map_err(invalid)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn schemes() -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ED25519,
        ]
    }
}

fn tls12_is_off() -> Error {
    Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOffered)
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::verify_alone(intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12_is_off())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}

impl ClientCertVerifier for NodeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::verify_alone(intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12_is_off())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Self::schemes()
    }
}
