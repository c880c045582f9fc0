//! Faults of the cluster key, of seeds and of the way to them.

use std::{net::TcpListener, sync::Arc};

use libp2p::identity::Keypair;
use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};
use shoal_protocol::membership::{ClusterKey, Role};
use socket2::{Domain, Socket, Type};
use tokio_rustls::TlsAcceptor;

use crate::{
    patient::{Patient, mend},
    server::{Server, reply},
};

fn key() -> ClusterKey {
    ClusterKey::from_root([21; 32])
}

/// A peer that is to begin with that seed, with the cluster's key.
fn before(seed: impl std::fmt::Display) -> Patient {
    let patient = Patient::before_start();
    patient.write_key(&key().member_only().to_text());
    patient
        .configure(&format!("cluster_key_file = '{{root}}/cluster.key'\n[swarm]\nbootstrap = ['{seed}']\n"));
    patient
}

#[tokio::test]
async fn a_key_that_is_not_named_is_found() {
    let patient = Patient::before_start();
    patient.configure("");
    let finding = patient.found("cluster-key-read").await;
    assert!(finding.what.contains("no cluster key is named"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["(umask 077; shoal key new > cluster.key)"]);
}

#[tokio::test]
async fn a_key_that_is_missing_or_half_is_made_anew() {
    let patient = Patient::before_start();
    patient.configure("cluster_key_file = '{root}/cluster.key'\n");
    let finding = patient.found("cluster-key-read").await;
    assert!(finding.what.contains("No such file"), "{finding:?}");
    mend(&finding);
    patient.is_well("cluster-key-valid").await;
    patient.is_well("cluster-key-private").await;

    let whole = key().to_text();
    for wrong in [&whole[..40], "not a key", &whole.replace("key-1:", "key-1:0")] {
        patient.write_key(wrong);
        let finding = patient.found("cluster-key-valid").await;
        assert!(finding.mend.text.contains("Copy the whole line"), "{finding:?}");
        assert!(!finding.what.contains(&whole[30..]), "a key is never shown: {finding:?}");
    }
    mend(&patient.found("cluster-key-valid").await);
    patient.is_well("cluster-key-valid").await;
}

#[tokio::test]
async fn a_key_that_everyone_reads_is_closed() {
    let patient = before("seed.example:5021");
    patient.chmod("/cluster.key", 0o644);
    let finding = patient.found("cluster-key-private").await;
    assert!(finding.what.contains("mode 0644"), "{finding:?}");
    mend(&finding);
    assert_eq!(patient.is_well("cluster-key-private").await, "mode 0640");
}

#[tokio::test]
async fn a_seed_with_a_member_key_is_found() {
    let patient = Patient::before_start();
    patient.write_key(&key().member_only().to_text());
    patient.configure("cluster_key_file = '{root}/cluster.key'\n[[registry]]\nhost = 'a.example'\n");
    let finding = patient.found("cluster-key-kind").await;
    assert!(finding.mend.text.contains("`shoal key new`"), "{finding:?}");
    patient.write_key(&key().to_text());
    patient.is_well("cluster-key-kind").await;
}

#[tokio::test]
async fn a_peer_that_is_told_of_nobody_is_found() {
    let patient = Patient::before_start();
    patient.write_key(&key().member_only().to_text());
    patient.configure("data_dir = '{root}/data'\ncluster_key_file = '{root}/cluster.key'\n");
    let finding = patient.found("seeds-named").await;
    assert!(finding.mend.text.contains("Set bootstrap in [swarm]"), "{finding:?}");
    patient.write("/data/peers.json", "{}");
    patient.is_well("seeds-named").await;
}

#[tokio::test]
async fn a_seed_without_an_address_is_found() {
    let finding = before("seed.invalid:5021").found("seeds-resolve").await;
    assert!(finding.what.contains("the seed seed.invalid:5021 has no address"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["getent hosts seed.invalid"]);
}

#[tokio::test]
async fn a_seed_that_does_not_run_is_found() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let finding = before(gone).found("seeds-reachable").await;
    assert!(finding.what.contains("refused"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["systemctl start shoal-seed"]);
}

#[tokio::test]
async fn a_firewall_that_drops_packets_is_found() {
    // A socket whose queue is full answers no more calls, as if a firewall dropped them.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let caller = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            caller.set_nonblocking(true).unwrap();
            // It is under way, or waits for ever.
            let _ = caller.connect(&address.into());
            caller
        })
        .collect();
    let finding = before(address).found("seeds-reachable").await;
    assert!(finding.what.contains("packets vanish"), "{finding:?}");
    assert!(finding.mend.text.contains(&format!("Open TCP port {}", address.port())), "{finding:?}");
    drop(callers);
}

#[tokio::test]
async fn another_program_at_a_seeds_address_is_found() {
    let web = Server::start(|_| reply("400 Bad Request", "", "")).await;
    let finding = before(web.address).found("seeds-are-shoal").await;
    assert!(finding.mend.text.contains("swarm.listen, port 5021"), "{finding:?}");
    let silent = Server::silent().await;
    let finding = before(silent.address).found("seeds-are-shoal").await;
    assert!(finding.what.contains("handshake was not done"), "{finding:?}");
}

/// TLS as a node of any release speaks it.
fn node_tls() -> TlsAcceptor {
    let keypair = Keypair::ed25519_from_bytes([3; 32]).unwrap();
    let (certificate, secret) = libp2p_tls::certificate::generate(&keypair).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let secret = provider.key_provider.load_private_key(secret).unwrap();
    let own = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], secret));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(own));
    config.alpn_protocols = vec![b"shoal/1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_seed_of_a_later_release_is_found() {
    // Its version, and what would be its nonce.
    let later = Server::with_tls(Some(node_tls()), |_| "\u{9}".repeat(33)).await;
    let finding = before(later.address).found("seeds-same-handshake").await;
    assert!(finding.what.contains("speaks version 9 of the handshake"), "{finding:?}");
    assert!(finding.mend.text.contains("same release"), "{finding:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_with_another_key_is_found_and_mended() {
    let (_seed_host, seed) = Patient::with_node(Role::Seed, &ClusterKey::from_root([22; 32]), "").await;
    let patient = before(seed.swarm());
    let finding = patient.found("cluster-key-fits").await;
    assert!(finding.what.contains("refused this node's proof"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["shoal key member cluster.key"]);
    for well in ["seeds-resolve", "seeds-reachable", "seeds-are-shoal"] {
        patient.is_well(well).await;
    }
    patient.write_key(&ClusterKey::from_root([22; 32]).member_only().to_text());
    patient.is_well("cluster-key-fits").await;
    seed.shutdown().await;
}
