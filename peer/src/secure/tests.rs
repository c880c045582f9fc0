use std::{io, sync::Arc, time::Duration};

use libp2p_tls::certificate;
use proptest::prelude::*;
use rustls::{
    CipherSuite,
    crypto::ring::sign::any_ecdsa_type,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::CertificateDer;
use shoal_protocol::{
    identity::{NodeId, NodeKey},
    membership::{ClusterKey, Handshake, Side},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    time::{sleep, timeout},
};

use super::{Credentials, SecureError, SecureStream, accept, accept_within, connect, identity, proof, tls};

const HELLO_BYTES: usize = 33;
const PROOF_BYTES: usize = 32;

fn credentials(secret: u8, cluster: u8) -> Credentials {
    Credentials::new(NodeKey::from_secret([secret; 32]), ClusterKey::from_root([cluster; 32])).unwrap()
}

/// TLS as a node does it, and then nothing: for those who play a part in the proof by hand.
async fn tls_only<S>(io: S, credentials: &Credentials) -> (NodeId, SecureStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tls::connect(io, Arc::clone(&credentials.0.client)).await.unwrap()
}

fn start_responder(
    credentials: &Credentials,
) -> (DuplexStream, tokio::task::JoinHandle<Result<NodeId, SecureError>>) {
    let (near, far) = duplex(64 * 1024);
    let credentials = credentials.clone();
    (near, tokio::spawn(async move { accept(far, &credentials).await.map(|(node, _)| node) }))
}

#[tokio::test]
async fn two_members_agree_and_exchange_bytes() {
    let (near, far) = duplex(64 * 1024);
    let (left, right) = (credentials(1, 9), credentials(2, 9));
    let (initiated, accepted) =
        tokio::join!(connect(near, &left, Some(right.node_id())), accept(far, &right));
    let ((responder, mut initiated), (initiator, mut accepted)) = (initiated.unwrap(), accepted.unwrap());
    assert_eq!((responder, initiator), (right.node_id(), left.node_id()));

    initiated.write_all(b"ping").await.unwrap();
    accepted.write_all(b"pong").await.unwrap();
    let mut received = [0; 4];
    accepted.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"ping");
    initiated.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"pong");
}

#[tokio::test]
async fn members_encrypt_with_aes() {
    let (near, far) = duplex(64 * 1024);
    let (left, right) = (credentials(1, 9), credentials(2, 9));
    let (initiated, _accepted) = tokio::join!(connect(near, &left, None), accept(far, &right));
    let suite = initiated.unwrap().1.get_ref().1.negotiated_cipher_suite().unwrap();
    assert_eq!(suite.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
}

#[tokio::test]
async fn a_key_that_only_admits_is_enough() {
    let full = ClusterKey::from_root([9; 32]);
    let member = Credentials::new(NodeKey::from_secret([1; 32]), full.member_only()).unwrap();
    let (near, responder) = start_responder(&credentials(2, 9));
    connect(near, &member, None).await.unwrap();
    assert_eq!(responder.await.unwrap().unwrap(), member.node_id());
}

#[tokio::test]
async fn another_cluster_key_is_named_on_both_sides() {
    let (stranger, member) = (credentials(1, 8), credentials(2, 9));
    let (near, responder) = start_responder(&member);
    let refused = connect(near, &stranger, None).await.map(drop).unwrap_err();
    assert!(matches!(refused, SecureError::Refused { node, .. } if node == member.node_id()), "{refused}");
    let refused = responder.await.unwrap().unwrap_err();
    assert!(
        matches!(refused, SecureError::WrongClusterKey { node } if node == stranger.node_id()),
        "{refused}"
    );
}

#[tokio::test]
async fn an_initiator_refuses_a_responder_of_another_cluster() {
    let (member, impostor) = (credentials(1, 9), credentials(2, 8));
    let (near, far) = duplex(64 * 1024);
    // An impostor would not check the proof it gets.
    let responding = async {
        let (_, mut stream) = tls::accept(far, Arc::clone(&impostor.0.server)).await.unwrap();
        let mut hello = [0; HELLO_BYTES];
        stream.read_exact(&mut hello).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        let mut proof = [0; PROOF_BYTES];
        stream.read_exact(&mut proof).await.unwrap();
        // The initiator's own proof, with its own nonce, reflected.
        stream.write_all(&proof).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (refused, _stream) = tokio::join!(connect(near, &member, None), responding);
    let refused = refused.map(drop).unwrap_err();
    assert!(matches!(refused, SecureError::WrongClusterKey { .. }), "{refused}");
}

#[tokio::test]
async fn another_node_than_expected_is_named_and_gets_no_proof() {
    let (left, right, other) = (credentials(1, 9), credentials(2, 9), credentials(3, 9));
    let (near, responder) = start_responder(&right);
    let refused = connect(near, &left, Some(other.node_id())).await.map(drop).unwrap_err();
    assert!(
        matches!(refused, SecureError::WrongNode { expected, found }
            if expected == other.node_id() && found == right.node_id()),
        "{refused}"
    );
    assert!(matches!(responder.await.unwrap(), Err(SecureError::Io(_))));
}

#[tokio::test]
async fn a_stranger_gets_a_version_and_a_nonce_and_nothing_more() {
    let (near, responder) = start_responder(&credentials(2, 9));
    let (_, mut stream) = tls_only(near, &credentials(1, 8)).await;
    let mut byte = [0; 1];
    let early = timeout(Duration::from_millis(200), stream.read(&mut byte)).await;
    assert!(early.is_err(), "the responder spoke first");

    stream.write_all(&[proof::VERSION; HELLO_BYTES + PROOF_BYTES]).await.unwrap();
    stream.flush().await.unwrap();
    let mut received = Vec::new();
    // A connection closed without TLS's own goodbye ends in an error, after everything that was sent.
    let _ = stream.read_to_end(&mut received).await;
    assert_eq!(received.len(), HELLO_BYTES);
    assert!(matches!(responder.await.unwrap(), Err(SecureError::WrongClusterKey { .. })));
}

#[tokio::test]
async fn a_proof_cannot_be_replayed() {
    let (member, responder) = (credentials(1, 9), credentials(2, 9));
    let hello = [proof::VERSION; HELLO_BYTES];

    let (near, first) = start_responder(&responder);
    let (_, mut stream) = tls_only(near, &member).await;
    stream.write_all(&hello).await.unwrap();
    let mut answer = [0; HELLO_BYTES];
    stream.read_exact(&mut answer).await.unwrap();
    let mut channel_binding = [0; 32];
    if let SecureStream::Client(client) = &stream {
        let (_, session) = client.get_ref();
        channel_binding =
            session.export_keying_material([0; 32], b"EXPORTER-shoal-membership", None).unwrap();
    }
    let handshake = Handshake {
        initiator: member.node_id(),
        responder: responder.node_id(),
        initiator_nonce: [proof::VERSION; 32],
        responder_nonce: answer[1..].try_into().unwrap(),
        channel_binding,
    };
    let recorded = member.cluster().proof(Side::Initiator, &handshake);
    stream.write_all(&recorded.0).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), member.node_id(), "the proof is good the first time");

    let (near, second) = start_responder(&responder);
    let (_, mut stream) = tls_only(near, &member).await;
    stream.write_all(&hello).await.unwrap();
    stream.write_all(&recorded.0).await.unwrap();
    stream.flush().await.unwrap();
    assert!(matches!(second.await.unwrap(), Err(SecureError::WrongClusterKey { .. })));
}

#[tokio::test]
async fn a_proof_cannot_be_relayed_through_a_stranger() {
    let (member, target, stranger) = (credentials(1, 9), credentials(2, 9), credentials(3, 8));
    let (member_end, stranger_end) = duplex(64 * 1024);
    let (to_target, responder) = start_responder(&target);
    let relaying = async {
        let (_, mut from) = tls::accept(stranger_end, Arc::clone(&stranger.0.server)).await.unwrap();
        let (_, mut to) = tls_only(to_target, &stranger).await;
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    };
    let (initiated, ()) = tokio::join!(connect(member_end, &member, None), relaying);
    assert!(initiated.is_err());
    assert!(matches!(
        responder.await.unwrap(),
        Err(SecureError::WrongClusterKey { node }) if node == stranger.node_id()
    ));
}

#[tokio::test]
async fn another_version_is_named_on_both_sides() {
    let (near, responder) = start_responder(&credentials(2, 9));
    let (_, mut stream) = tls_only(near, &credentials(1, 9)).await;
    stream.write_all(&[9; HELLO_BYTES]).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = [0; HELLO_BYTES];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[0], proof::VERSION);
    assert!(matches!(responder.await.unwrap(), Err(SecureError::Version { theirs: 9, .. })));

    let (near, far) = duplex(64 * 1024);
    let (member, newer) = (credentials(1, 9), credentials(2, 9));
    let responding = async {
        let (_, mut stream) = tls::accept(far, Arc::clone(&newer.0.server)).await.unwrap();
        stream.write_all(&[9; HELLO_BYTES]).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (refused, _stream) = tokio::join!(connect(near, &member, None), responding);
    assert!(matches!(refused, Err(SecureError::Version { theirs: 9, .. })));
}

#[tokio::test]
async fn a_dripping_handshake_ends_in_time() {
    let (mut near, far) = duplex(64);
    let limit = Duration::from_millis(300);
    let dripping = tokio::spawn(async move {
        // A TLS record header that promises 16 KiB, and then a byte at a time.
        near.write_all(&[0x16, 0x03, 0x01, 0x40, 0x00]).await?;
        loop {
            near.write_all(&[0x01]).await?;
            sleep(Duration::from_millis(10)).await;
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    });
    let host = credentials(2, 9);
    let refused = accept_within(limit, &host.0.server, far, &host).await.map(drop).unwrap_err();
    assert!(matches!(refused, SecureError::Timeout(after) if after == limit), "{refused}");
    assert!(dripping.await.unwrap().is_err(), "the connection is closed");
}

#[tokio::test]
async fn a_silent_stranger_after_tls_ends_in_time() {
    let (near, far) = duplex(64 * 1024);
    let responder = credentials(2, 9);
    let accepting = accept_within(Duration::from_millis(500), &responder.0.server, far, &responder);
    let stranger = credentials(1, 8);
    let (refused, _stream) = tokio::join!(accepting, tls_only(near, &stranger));
    assert!(matches!(refused, Err(SecureError::Timeout(_))));
}

#[tokio::test]
async fn what_speaks_libp2p_tls_but_not_shoal_is_refused() {
    let keypair = libp2p::identity::Keypair::generate_ed25519();
    let config = libp2p_tls::make_client_config(&keypair, None).unwrap();
    let (near, responder) = start_responder(&credentials(2, 9));
    assert!(tls::connect(near, Arc::new(config)).await.is_err());
    assert!(matches!(responder.await.unwrap(), Err(SecureError::Tls(_))));
}

/// What a node shows, but with the key of `claimed` where its own is.
fn stolen_certificate(own: &NodeKey, claimed: &NodeId) -> Arc<SingleCertAndKey> {
    let (certificate, secret) = certificate::generate(&identity::keypair(own).unwrap()).unwrap();
    let mut bytes = certificate.to_vec();
    let key = own.node_id().0;
    let place = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[place..place + key.len()].copy_from_slice(&claimed.0);
    let secret = any_ecdsa_type(&secret).unwrap();
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(bytes)], secret).into())
}

#[tokio::test]
async fn a_certificate_with_somebody_elses_key_is_refused() {
    let (thief, victim) = (NodeKey::from_secret([1; 32]), NodeKey::from_secret([3; 32]).node_id());
    let stolen = stolen_certificate(&thief, &victim);
    let (mut client, mut server) = tls::configs(&thief).unwrap();
    client.client_auth_cert_resolver = Arc::clone(&stolen) as _;
    server.cert_resolver = stolen;

    let (near, responder) = start_responder(&credentials(2, 9));
    let _unaware = tls::connect(near, Arc::new(client)).await;
    assert!(matches!(responder.await.unwrap(), Err(SecureError::Tls(_))));

    let (near, far) = duplex(64 * 1024);
    let honest = credentials(2, 9);
    let (connected, _) = tokio::join!(connect(near, &honest, None), tls::accept(far, Arc::new(server)));
    assert!(matches!(connected, Err(SecureError::Tls(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_a_tls_error(garbage in prop::collection::vec(any::<u8>(), 0..2048), as_record in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let refused = runtime.block_on(async {
            let (mut near, far) = duplex(64 * 1024);
            if as_record {
                let len_bytes = u16::try_from(garbage.len()).unwrap();
                near.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
                near.write_all(&len_bytes.to_be_bytes()).await.unwrap();
            }
            near.write_all(&garbage).await.unwrap();
            near.shutdown().await.unwrap();
            accept(far, &credentials(2, 9)).await.map(drop)
        });
        prop_assert!(matches!(refused, Err(SecureError::Tls(_))));
    }
}
