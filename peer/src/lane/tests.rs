use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    os::unix::fs::FileExt,
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;
use shoal_protocol::{
    bounds::{MAX_PIECE_BYTES, MAX_PIECES},
    chain::ChainBuilder,
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    wire::{Channel, LaneHeader},
};
use tokio::{
    io::{AsyncWriteExt, duplex},
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    LaneError, LaneGate, LaneListener, LaneReceiver, LaneSender, PieceSource, TooManyLanes, Verifier,
};
use crate::{
    buffers::Buffer,
    secure::Credentials,
    swarm::{self, OpenReason, Protocol, SwarmConfig, SwarmEvent, SwarmHandle},
};

const PATIENCE: Duration = Duration::from_secs(60);
const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const PIECE_BYTES: usize = MAX_PIECE_BYTES as usize;

/// A file of which every other part is in memory.
#[derive(Clone)]
struct Memory(Arc<Vec<u8>>);

impl Memory {
    const PART_BYTES: u64 = 100_000;

    fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl PieceSource for Memory {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let part = offset / Self::PART_BYTES;
        let in_part = usize::try_from((part + 1) * Self::PART_BYTES - offset).unwrap().min(bytes.len());
        let in_memory = offset + in_part as u64 <= self.0.len() as u64 && part.is_multiple_of(2);
        let cached_bytes = if in_memory { in_part } else { 0 };
        self.read_at(offset.min(self.0.len() as u64), &mut bytes[..cached_bytes]).map(|()| cached_bytes)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let found = self.0.get(start..start + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(found);
        Ok(())
    }
}

fn credentials(secret: u8, cluster: u8) -> Credentials {
    Credentials::new(NodeKey::from_secret([secret; 32]), ClusterKey::from_root([cluster; 32])).unwrap()
}

fn start_swarm(credentials: &Credentials) -> (SwarmHandle, mpsc::Receiver<SwarmEvent>) {
    let config = SwarmConfig { listen: vec![LOCALHOST], ..SwarmConfig::new(credentials.clone()) };
    swarm::start(config).unwrap()
}

async fn wait<T>(
    events: &mut mpsc::Receiver<SwarmEvent>,
    mut pick: impl FnMut(SwarmEvent) -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = pick(events.recv().await.expect("the swarm runs")) {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("it happens in time")
}

fn header(piece: u32, len_bytes: usize) -> LaneHeader {
    LaneHeader { channel: Channel(5), piece, len_bytes: u32::try_from(len_bytes).unwrap() }
}

fn piece(number: u32, len_bytes: usize) -> Vec<u8> {
    (0..len_bytes).map(|at| (at as u32).wrapping_mul(2_654_435_761).rotate_left(number) as u8).collect()
}

/// Sends 64 MiB in pieces and one short one, and compares what arrives.
async fn carry_64_mib(mut sender: LaneSender, mut receiver: LaneReceiver) {
    const PIECES: u32 = 16;
    let last = 1000;
    let sending = tokio::spawn(async move {
        for number in 0..PIECES {
            let source = Memory::new(piece(number, PIECE_BYTES));
            sender.send(header(number, PIECE_BYTES), &source, 0).await.unwrap();
        }
        let source = Memory::new(piece(PIECES, last));
        sender.send(header(PIECES, last), &source, 0).await.unwrap();
        sender.send(header(PIECES + 1, 0), &source, 0).await.unwrap();
        sender.close().await.unwrap();
    });
    for number in 0..=PIECES + 1 {
        let expected =
            piece(number, [PIECE_BYTES, last, 0][number.saturating_sub(PIECES - 1).min(2) as usize]);
        let (got, bytes) = receiver.next().await.unwrap().unwrap();
        assert_eq!(got, header(number, expected.len()));
        assert!(*bytes == expected, "piece {number} differs");
    }
    assert!(receiver.next().await.unwrap().is_none(), "the lane ends where it should");
    assert_eq!(receiver.progress().total_bytes(), u64::from(PIECES) * PIECE_BYTES as u64 + last as u64);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_lane_over_tcp_carries_the_right_bytes() {
    let (left, right) = (credentials(1, 9), credentials(2, 9));
    let (swarm, _events) = start_swarm(&left);
    let mut listener = LaneListener::bind(LOCALHOST, right.clone()).await.unwrap();
    let dead = std::net::TcpListener::bind(LOCALHOST).unwrap().local_addr().unwrap();
    let addresses = [dead, listener.address()];
    let sender = LaneSender::open(&left, &swarm, right.node_id(), &addresses).await.unwrap();
    assert_eq!(sender.address(), Some(listener.address()));
    let (node, receiver) = listener.accept().await.unwrap();
    assert_eq!(node, left.node_id());
    carry_64_mib(sender, receiver).await;
}

#[tokio::test]
async fn a_lane_through_the_swarm_carries_the_right_bytes() {
    let (left, right) = (credentials(1, 9), credentials(2, 9));
    let ((near, mut near_events), (far, mut far_events)) = (start_swarm(&left), start_swarm(&right));
    let address = wait(&mut far_events, |event| match event {
        SwarmEvent::Listening { address } => Some(address),
        _ => None,
    })
    .await;
    near.dial(Some(far.node_id()), vec![address]).await;
    wait(&mut near_events, |event| matches!(event, SwarmEvent::Connected { .. }).then_some(())).await;

    let sender = LaneSender::open(&left, &near, right.node_id(), &[]).await.unwrap();
    assert_eq!(sender.address(), None);
    let (from, stream) = wait(&mut far_events, |event| match event {
        SwarmEvent::Stream { from, protocol: Protocol::Lane, stream } => Some((from, stream)),
        _ => None,
    })
    .await;
    let receiver = LaneGate::new().admit(from, stream).unwrap();
    carry_64_mib(sender, receiver).await;
}

/// A file on the disk, as the store has it.
#[derive(Clone)]
struct OnDisk(Arc<std::fs::File>);

impl OnDisk {
    fn new(bytes: &[u8]) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Self(Arc::new(file))
    }
}

impl PieceSource for OnDisk {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn file(&self, _range: Range<u64>) -> Option<&std::fs::File> {
        Some(&self.0)
    }
}

fn with_plaintext(secret: u8) -> Credentials {
    let (key, cluster) = (NodeKey::from_secret([secret; 32]), ClusterKey::from_root([9; 32]));
    Credentials::with_plaintext_lanes(key, cluster).unwrap()
}

async fn lane(left: &Credentials, right: &Credentials) -> (LaneSender, LaneReceiver) {
    let (swarm, _events) = start_swarm(left);
    let mut listener = LaneListener::bind(LOCALHOST, right.clone()).await.unwrap();
    let addresses = [listener.address()];
    let sender = LaneSender::open(left, &swarm, right.node_id(), &addresses).await.unwrap();
    let (_, receiver) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    (sender, receiver)
}

#[tokio::test]
async fn a_lane_is_in_plaintext_where_both_sides_allow_it_and_nowhere_else() {
    let sides = |secret| [(credentials(secret, 9), false), (with_plaintext(secret), true)];
    for (left, left_allows) in sides(1) {
        for (right, right_allows) in sides(2) {
            let (sender, receiver) = lane(&left, &right).await;
            assert_eq!(sender.is_plaintext(), left_allows && right_allows);
            carry_64_mib(sender, receiver).await;
        }
    }
}

#[tokio::test]
async fn pieces_go_from_files_into_a_lane_in_plaintext() {
    let (mut sender, mut receiver) = lane(&with_plaintext(1), &with_plaintext(2)).await;
    assert!(sender.is_plaintext());
    let bytes = piece(0, PIECE_BYTES + 1000);
    let file = OnDisk::new(&bytes);
    let sending = tokio::spawn(async move {
        sender.send(header(0, PIECE_BYTES), &file, 1000).await.unwrap();
        sender.send(header(1, 1000), &file, 0).await.unwrap();
        // The file is shorter than that.
        assert!(matches!(
            sender.send(header(2, 10), &file, bytes.len() as u64).await,
            Err(LaneError::Source(_))
        ));
    });
    let expected = piece(0, PIECE_BYTES + 1000);
    assert!(*receiver.next().await.unwrap().unwrap().1 == expected[1000..]);
    assert!(*receiver.next().await.unwrap().unwrap().1 == expected[..1000]);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_lie_in_plaintext_is_still_caught() {
    let blob = piece(3, 100_000);
    let geometry = Geometry::new(blob.len() as u64, 65_536).unwrap();
    let mut builder = ChainBuilder::new(Digest::of(Algorithm::Sha256, &blob), geometry);
    blob.chunks(65_536).for_each(|piece| builder.push(piece).unwrap());
    let chain = builder.sign(&NodeKey::from_secret([1; 32]), None);

    let (mut sender, mut receiver) = lane(&with_plaintext(1), &with_plaintext(2)).await;
    let mut lie = blob[..65_536].to_vec();
    lie[40_000] ^= 1;
    for bytes in [lie, blob[..65_536].to_vec()] {
        sender.send(header(0, 65_536), &OnDisk::new(&bytes), 0).await.unwrap();
    }
    let verifier = Verifier::default();
    for expected in [false, true] {
        let (header, bytes) = receiver.next().await.unwrap().unwrap();
        let check = chain.check(header.piece).unwrap();
        let verdict = verifier.verify(verifier.place().await, check, bytes, |good, _| good).await;
        assert_eq!(verdict, Some(expected));
    }
}

#[tokio::test]
async fn without_any_way_each_failure_is_named() {
    let left = credentials(1, 9);
    let (swarm, _events) = start_swarm(&left);
    let dead = std::net::TcpListener::bind(LOCALHOST).unwrap().local_addr().unwrap();
    let nobody = credentials(3, 9).node_id();
    let refused = LaneSender::open(&left, &swarm, nobody, &[dead]).await.map(drop).unwrap_err();
    assert_eq!(refused.attempts.len(), 1);
    assert!(matches!(refused.fallback.reason, OpenReason::NotConnected));
    assert!(refused.to_string().contains(&dead.to_string()), "{refused}");
}

#[tokio::test]
async fn slow_handshakes_and_strangers_do_not_keep_a_member_out() {
    let (member, stranger, host) = (credentials(1, 9), credentials(2, 8), credentials(3, 9));
    let (swarm, _events) = start_swarm(&member);
    let mut listener = LaneListener::bind(LOCALHOST, host.clone()).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(listener.address()).await.unwrap());
    }
    let (outside, _outside_events) = start_swarm(&stranger);
    let addresses = [listener.address()];
    assert!(LaneSender::open(&stranger, &outside, host.node_id(), &addresses).await.is_err());
    let _sender = LaneSender::open(&member, &swarm, host.node_id(), &addresses).await.unwrap();
    let (node, _lane) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    assert_eq!(node, member.node_id());
}

#[tokio::test]
async fn a_node_has_no_more_lanes_than_its_bound() {
    let gate = LaneGate::new();
    let node = NodeId([1; 32]);
    let open = |node| gate.admit(node, Box::new(duplex(1).0));
    let mut lanes: Vec<_> = (0..4).map(|_| open(node).unwrap()).collect();
    assert_eq!(open(node).map(drop).unwrap_err(), TooManyLanes(node));
    assert!(open(NodeId([2; 32])).is_ok());
    lanes.pop();
    assert!(open(node).is_ok());
}

#[tokio::test]
async fn a_receiver_that_never_reads_stalls_the_sender_and_takes_a_bounded_amount() {
    const BOUND_BYTES: usize = 64 * 1024 * 1024;
    let (left, right) = (credentials(1, 9), credentials(2, 9));
    let (swarm, _events) = start_swarm(&left);
    let mut listener = LaneListener::bind(LOCALHOST, right.clone()).await.unwrap();
    let mut sender = LaneSender::open(&left, &swarm, right.node_id(), &[listener.address()]).await.unwrap();
    let (_, _unread) = listener.accept().await.unwrap();
    sender.stall_timeout = Duration::from_secs(1);
    let source = Memory::new(piece(0, PIECE_BYTES));
    let mut sent_bytes = 0;
    let stalled = loop {
        match sender.send(header(0, PIECE_BYTES), &source, 0).await {
            Ok(()) => sent_bytes += PIECE_BYTES,
            Err(error) => break error,
        }
        assert!(sent_bytes <= BOUND_BYTES);
    };
    assert!(matches!(stalled, LaneError::Stalled(_)), "{stalled}");
}

/// What a receiver makes of `bytes` followed by the end of the lane.
async fn receive(bytes: &[u8]) -> Result<Option<(LaneHeader, Buffer)>, LaneError> {
    let (mut near, far) = duplex(64 * 1024);
    near.write_all(bytes).await.unwrap();
    drop(near);
    let mut receiver = LaneGate::new().admit(NodeId([1; 32]), Box::new(far)).unwrap();
    receiver.next().await
}

#[tokio::test]
async fn malformed_frames_are_named() {
    assert!(receive(&[]).await.unwrap().is_none());
    assert!(matches!(receive(&[0; 5]).await, Err(LaneError::CutHeader)));
    let too_long = LaneHeader { channel: Channel(1), piece: 0, len_bytes: MAX_PIECE_BYTES + 1 };
    assert!(matches!(receive(&too_long.to_bytes()).await, Err(LaneError::Malformed(_))));
    let too_far = LaneHeader { channel: Channel(1), piece: MAX_PIECES, len_bytes: 1 };
    assert!(matches!(receive(&too_far.to_bytes()).await, Err(LaneError::Malformed(_))));
    let mut cut = header(3, 100).to_bytes().to_vec();
    cut.extend([0; 60]);
    let refused = receive(&cut).await.unwrap_err();
    assert!(matches!(refused, LaneError::CutPiece { received_bytes: 60, .. }), "{refused}");
}

#[tokio::test]
async fn a_piece_that_cannot_be_is_not_sent() {
    let (left, right) = (credentials(1, 9), credentials(2, 9));
    let (swarm, _events) = start_swarm(&left);
    let listener = LaneListener::bind(LOCALHOST, right.clone()).await.unwrap();
    let mut sender = LaneSender::open(&left, &swarm, right.node_id(), &[listener.address()]).await.unwrap();
    let short = Memory::new(vec![0; 9]);
    assert!(matches!(sender.send(header(0, 10), &short, 0).await, Err(LaneError::Source(_))));
    let too_long = sender.send(header(0, PIECE_BYTES + 1), &short, 0).await;
    assert!(matches!(too_long, Err(LaneError::Malformed(_))));
}

#[tokio::test]
async fn progress_shows_the_piece_that_arrives_and_a_stall_ends_it() {
    let (mut near, far) = duplex(64 * 1024);
    let mut receiver = LaneGate::new().admit(NodeId([1; 32]), Box::new(far)).unwrap();
    receiver.stall_timeout = Duration::from_secs(1);
    let progress = receiver.progress();
    assert_eq!(progress.arriving(), None);
    let receiving = tokio::spawn(async move { receiver.next().await });
    near.write_all(&header(7, 1000).to_bytes()).await.unwrap();
    near.write_all(&[0; 400]).await.unwrap();
    let seen = async {
        loop {
            match progress.arriving() {
                Some(arriving) if arriving.received_bytes == 400 => return arriving,
                _ => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let arriving = timeout(PATIENCE, seen).await.unwrap();
    assert_eq!(arriving.header, header(7, 1000));
    assert!(matches!(receiving.await.unwrap(), Err(LaneError::Stalled(_))));
    assert_eq!(progress.arriving(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_pieces_or_a_named_error(bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..256)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        if let Ok(Some((header, piece))) = runtime.block_on(receive(&bytes)) {
            prop_assert_eq!(header.len_bytes as usize, piece.len());
            prop_assert_eq!(&bytes[LaneHeader::LEN..LaneHeader::LEN + piece.len()], &piece[..]);
        }
    }
}
