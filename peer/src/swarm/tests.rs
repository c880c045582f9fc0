use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use shoal_protocol::{
    bounds::MAX_ANNOUNCEMENT_BYTES,
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    BoxStream, OpenReason, Protocol, PublishError, StartError, SwarmConfig, SwarmEvent, SwarmHandle, start,
};
use crate::secure::Credentials;

/// Far more than anything here takes, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(60);
const CLUSTER: u8 = 9;

struct Node {
    handle: SwarmHandle,
    events: mpsc::Receiver<SwarmEvent>,
    address: SocketAddr,
}

impl Node {
    async fn start(secret: u8) -> Self {
        Self::start_with(config(secret, CLUSTER)).await
    }

    async fn start_with(config: SwarmConfig) -> Self {
        let (handle, events) = start(config).unwrap();
        let mut node = Self { handle, events, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        node.address = node
            .wait(|event| match event {
                SwarmEvent::Listening { address } => Some(address),
                _ => None,
            })
            .await;
        node
    }

    fn id(&self) -> NodeId {
        self.handle.node_id()
    }

    /// The first thing that `pick` takes from the events; the others are lost.
    async fn wait<T>(&mut self, mut pick: impl FnMut(SwarmEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the swarm runs");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("it happens in time")
    }

    async fn wait_connected(&mut self, to: NodeId) {
        if !self.handle.is_connected(&to) {
            let is_it = |event| matches!(event, SwarmEvent::Connected { node } if node == to).then_some(());
            self.wait(is_it).await;
        }
    }

    async fn wait_stream(&mut self) -> (NodeId, Protocol, BoxStream) {
        self.wait(|event| match event {
            SwarmEvent::Stream { from, protocol, stream } => Some((from, protocol, stream)),
            _ => None,
        })
        .await
    }

    async fn wait_gossip(&mut self) -> (NodeId, Vec<u8>) {
        self.wait(|event| match event {
            SwarmEvent::Gossip { from, data } => Some((from, data.to_vec())),
            _ => None,
        })
        .await
    }
}

fn config(secret: u8, cluster: u8) -> SwarmConfig {
    let key = NodeKey::from_secret([secret; 32]);
    let credentials = Credentials::new(key, ClusterKey::from_root([cluster; 32])).unwrap();
    let listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    SwarmConfig { listen, ..SwarmConfig::new(credentials) }
}

async fn pair() -> (Node, Node) {
    let mut left = Node::start(1).await;
    let mut right = Node::start(2).await;
    left.handle.dial(Some(right.id()), vec![right.address]).await;
    left.wait_connected(right.id()).await;
    right.wait_connected(left.id()).await;
    (left, right)
}

#[tokio::test]
async fn nodes_bootstrap_from_one_address_and_gossip_reaches_all() {
    let mut first = Node::start(1).await;
    let bootstrap = vec![first.address.to_string()];
    let mut second =
        Node::start_with(SwarmConfig { bootstrap: bootstrap.clone(), ..config(2, CLUSTER) }).await;
    let mut third = Node::start_with(SwarmConfig { bootstrap, ..config(3, CLUSTER) }).await;
    second.wait_connected(first.id()).await;
    third.wait_connected(first.id()).await;
    first.wait_connected(second.id()).await;
    first.wait_connected(third.id()).await;

    // Who has subscribed to what takes a moment to get around, and what was said before is not repeated.
    let author = second.handle.clone();
    let publishing = tokio::spawn(async move {
        loop {
            author.publish(b"news".to_vec()).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(first.wait_gossip().await, (second.id(), b"news".to_vec()));
    assert_eq!(third.wait_gossip().await, (second.id(), b"news".to_vec()), "the author, not who relayed it");
    publishing.abort();
}

#[tokio::test]
async fn a_node_alone_publishes_without_complaint_but_not_without_bound() {
    let node = Node::start(1).await;
    node.handle.publish(vec![0; MAX_ANNOUNCEMENT_BYTES]).await.unwrap();
    let refused = node.handle.publish(vec![0; MAX_ANNOUNCEMENT_BYTES + 1]).await;
    assert!(matches!(refused, Err(PublishError::TooLong(_))));
}

#[tokio::test]
async fn a_restarted_node_finds_the_swarm_without_its_bootstrap() {
    let directory = tempfile::tempdir().unwrap();
    let peer_table = Some(directory.path().join("peers.json"));
    let mut gone = Node::start(1).await;
    let mut stays = Node::start(2).await;
    let bootstrap = vec![gone.address.to_string()];
    let restarting =
        || SwarmConfig { bootstrap: bootstrap.clone(), peer_table: peer_table.clone(), ..config(3, CLUSTER) };

    let mut node = Node::start_with(restarting()).await;
    node.wait_connected(gone.id()).await;
    node.handle.dial(Some(stays.id()), vec![stays.address]).await;
    node.wait_connected(stays.id()).await;
    node.handle.shutdown().await;
    let left = |event| matches!(event, SwarmEvent::Disconnected { .. }).then_some(());
    gone.wait(left).await;
    stays.wait(left).await;
    gone.handle.shutdown().await;

    let mut node = Node::start_with(restarting()).await;
    node.wait_connected(stays.id()).await;
    assert_eq!(node.handle.connected(), [stays.id()]);
}

#[tokio::test]
async fn a_bootstrap_node_that_comes_late_is_found() {
    let early = Node::start(1).await;
    let address = early.address;
    early.handle.shutdown().await;
    let bootstrap = vec![address.to_string()];
    let mut waiting = Node::start_with(SwarmConfig { bootstrap, ..config(2, CLUSTER) }).await;
    sleep(Duration::from_millis(800)).await;
    let late = Node::start_with(SwarmConfig { listen: vec![address], ..config(1, CLUSTER) }).await;
    waiting.wait_connected(late.id()).await;
}

#[tokio::test]
async fn a_lost_bootstrap_node_is_found_again() {
    let mut first = Node::start(1).await;
    let address = first.address;
    let bootstrap = vec![address.to_string()];
    let mut node = Node::start_with(SwarmConfig { bootstrap, ..config(2, CLUSTER) }).await;
    node.wait_connected(first.id()).await;
    first.wait_connected(node.id()).await;
    first.handle.shutdown().await;
    node.wait(|event| matches!(event, SwarmEvent::Disconnected { .. }).then_some(())).await;
    let _again = Node::start_with(SwarmConfig { listen: vec![address], ..config(1, CLUSTER) }).await;
    node.wait(|event| matches!(event, SwarmEvent::Connected { .. }).then_some(())).await;
}

#[tokio::test]
async fn streams_open_both_ways_and_carry_bytes() {
    let (mut left, mut right) = pair().await;
    for (protocol, forwards) in
        [(Protocol::Control, true), (Protocol::Query, false), (Protocol::Lane, true), (Protocol::Query, true)]
    {
        let (opener, other) = if forwards { (&mut left, &mut right) } else { (&mut right, &mut left) };
        let mut opened = opener.handle.open(other.id(), protocol).await.unwrap();
        opened.write_all(b"question").await.unwrap();
        opened.shutdown().await.unwrap();
        let (from, spoken, mut accepted) = other.wait_stream().await;
        assert_eq!((from, spoken), (opener.id(), protocol));
        let mut question = Vec::new();
        accepted.read_to_end(&mut question).await.unwrap();
        assert_eq!(question, b"question");
        accepted.write_all(b"answer").await.unwrap();
        accepted.shutdown().await.unwrap();
        let mut answer = Vec::new();
        opened.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"answer");
    }
}

#[tokio::test]
async fn streams_that_open_all_at_once_all_arrive() {
    const STREAMS: u8 = 50;
    let (left, mut right) = pair().await;
    let opening = (0..STREAMS).map(|number| {
        let (handle, to) = (left.handle.clone(), right.id());
        tokio::spawn(async move {
            let mut stream = handle.open(to, Protocol::Query).await.unwrap();
            stream.write_all(&[number]).await.unwrap();
            stream.flush().await.unwrap();
            stream
        })
    });
    let opening: Vec<_> = opening.collect();
    let mut numbers = Vec::new();
    for _ in 0..STREAMS {
        let (_, _, mut stream) = right.wait_stream().await;
        numbers.push(stream.read_u8().await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..STREAMS).collect::<Vec<_>>());
    for opened in opening {
        opened.await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_to_a_node_that_is_not_connected_is_refused() {
    let node = Node::start(1).await;
    let nobody = NodeKey::from_secret([7; 32]).node_id();
    let refused = node.handle.open(nobody, Protocol::Query).await.map(drop).unwrap_err();
    assert!(matches!(refused.reason, OpenReason::NotConnected), "{refused}");
    node.handle.shutdown().await;
    let refused = node.handle.open(nobody, Protocol::Query).await.map(drop).unwrap_err();
    assert!(matches!(refused.reason, OpenReason::Stopped), "{refused}");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_takes_a_bounded_amount() {
    const BOUND_BYTES: usize = 2 * 1024 * 1024;
    let (left, mut right) = pair().await;
    let mut stream = left.handle.open(right.id(), Protocol::Control).await.unwrap();
    let chunk = vec![0; 64 * 1024];
    let mut written_bytes = 0;
    while let Ok(written) = timeout(Duration::from_secs(2), stream.write(&chunk)).await {
        written_bytes += written.unwrap();
        assert!(written_bytes <= BOUND_BYTES);
    }
    let (_, _, _unread) = right.wait_stream().await;
    assert!(left.handle.open(right.id(), Protocol::Query).await.is_ok(), "other streams go on");
}

#[tokio::test]
async fn a_node_of_another_cluster_stays_outside() {
    let mut member = Node::start(1).await;
    let bootstrap = vec![member.address.to_string()];
    let stranger = Node::start_with(SwarmConfig { bootstrap, ..config(2, CLUSTER + 1) }).await;
    let refused = async {
        while member.handle.counters().refused_connections() < 2 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the stranger tries again and again");
    assert!(member.handle.connected().is_empty() && stranger.handle.connected().is_empty());
    assert!(member.events.try_recv().is_err(), "nothing that is worth an event");
}

#[tokio::test]
async fn a_plain_libp2p_node_gets_an_alert_and_no_list_of_protocols() {
    const TLS_ALERT: u8 = 21;
    const TLS_ALERT_BYTES: usize = 7;
    let node = Node::start(1).await;
    let mut stranger = TcpStream::connect(node.address).await.unwrap();
    stranger.write_all(b"\x13/multistream/1.0.0\n").await.unwrap();
    let mut answer = Vec::new();
    // The connection may end in a reset, after all that was sent.
    let _ = timeout(PATIENCE, stranger.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(answer.len() <= TLS_ALERT_BYTES, "{answer:?}");
    assert!(answer.first().is_none_or(|kind| *kind == TLS_ALERT), "{answer:?}");
}

#[tokio::test]
async fn a_node_that_dials_itself_stays_alone() {
    let mut node = Node::start(1).await;
    node.handle.dial(None, vec![node.address]).await;
    node.handle.dial(Some(node.id()), vec![node.address]).await;
    sleep(Duration::from_millis(300)).await;
    assert!(node.handle.connected().is_empty());
    assert!(node.events.try_recv().is_err());
}

#[tokio::test]
async fn reaching_a_node_tells_whether_it_is_connected() {
    let (node, other) = (Node::start(1).await, Node::start(2).await);
    assert!(node.handle.reach(other.id(), vec![other.address]).await);
    assert!(node.handle.reach(other.id(), Vec::new()).await, "it is connected already");
    let nobody = NodeKey::from_secret([7; 32]).node_id();
    assert!(!node.handle.reach(nobody, vec![other.address]).await, "another node answers there");
    assert!(!node.handle.reach(nobody, Vec::new()).await);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let node = Node::start(1).await;
    let taken = start(SwarmConfig { listen: vec![node.address], ..config(2, CLUSTER) });
    assert!(matches!(taken, Err(StartError::Listen { address, .. }) if address == node.address));
}

#[tokio::test]
async fn both_families_listen_on_the_same_port() {
    use std::net::{Ipv6Addr, TcpListener};
    let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap();
    let on_ipv6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, free.port()));
    // Not every machine has IPv6.
    if TcpListener::bind(on_ipv6).is_ok() {
        start(SwarmConfig { listen: vec![free, on_ipv6], ..config(1, CLUSTER) }).unwrap();
    }
}

#[tokio::test]
async fn a_wildcard_stands_for_addresses_that_can_be_dialled() {
    let listen = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))];
    let node = Node::start_with(SwarmConfig { listen, ..config(1, CLUSTER) }).await;
    assert!(!node.address.ip().is_unspecified());
    let mut other = Node::start(2).await;
    other.handle.dial(Some(node.id()), vec![node.address]).await;
    other.wait_connected(node.id()).await;
}

#[tokio::test]
async fn nodes_that_dial_each_other_at_once_are_connected_once() {
    let (mut left, mut right) = (Node::start(1).await, Node::start(2).await);
    tokio::join!(
        left.handle.dial(Some(right.id()), vec![right.address]),
        right.handle.dial(Some(left.id()), vec![left.address]),
    );
    left.wait_connected(right.id()).await;
    right.wait_connected(left.id()).await;
    sleep(Duration::from_millis(300)).await;
    while let Ok(event) = left.events.try_recv() {
        assert!(
            !matches!(event, SwarmEvent::Connected { .. } | SwarmEvent::Disconnected { .. }),
            "{event:?}"
        );
    }
    left.handle.disconnect(right.id()).await;
    left.wait(|event| matches!(event, SwarmEvent::Disconnected { .. }).then_some(())).await;
}
