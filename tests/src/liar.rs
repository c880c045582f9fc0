//! A member of the cluster that lies: it claims to have a whole blob, and sends noise.
//!
//! It speaks the real protocol, with the real swarm and the real lanes; only what it says is false.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use shoal_peer::{
    lane::LaneSender,
    secure::Credentials,
    swarm::{self, BoxStream, Protocol, SwarmConfig, SwarmEvent, SwarmHandle},
};
use shoal_protocol::{
    bitfield::Bitfield,
    bounds::MAX_CONTROL_FRAME_BYTES,
    digest::Digest,
    geometry::{Geometry, PieceIndex},
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    wire::{Channel, LaneHeader, Message, Wire, encode_frame, frame_len_bytes},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    task::JoinHandle,
    time::interval,
};

/// How often it offers what it does not have.
const OFFER_EVERY: Duration = Duration::from_millis(5);
const QUEUE: usize = 256;

/// A running liar. Dropping it ends it.
#[derive(Debug)]
pub struct Liar {
    told: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Liar {
    /// Starts one that holds the cluster's key, and lies to the nodes at these addresses about one blob.
    ///
    /// Each of them gets noise for the piece that it asks for, and then a piece that it did not ask for.
    pub fn start(cluster_key: &Path, victims: Vec<SocketAddr>, digest: &str) -> Self {
        let text = std::fs::read_to_string(cluster_key).expect("the cluster key's file");
        let cluster = ClusterKey::parse(&text).expect("a cluster key");
        let key = NodeKey::from_secret(std::array::from_fn(|_| fastrand::u8(..)));
        let credentials = Credentials::new(key, cluster).expect("credentials");
        let (swarm, events) = swarm::start(SwarmConfig::new(credentials.clone())).expect("a swarm");
        let told = Arc::new(AtomicUsize::new(0));
        let digest = digest.parse().expect("a digest");
        let lies = Lies { swarm, credentials, digest, told: Arc::clone(&told) };
        Self { told, task: tokio::spawn(lies.run(victims, events)) }
    }

    /// Pieces of noise that it was asked for and sent.
    pub fn lies_told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Lies {
    swarm: SwarmHandle,
    credentials: Credentials,
    digest: Digest,
    told: Arc<AtomicUsize>,
}

impl Lies {
    async fn run(self, victims: Vec<SocketAddr>, mut events: mpsc::Receiver<SwarmEvent>) {
        self.swarm.dial(None, victims).await;
        let mut answers = HashMap::new();
        let mut tasks = tokio::task::JoinSet::new();
        while let Some(event) = events.recv().await {
            match event {
                SwarmEvent::Connected { node } => {
                    let (sender, streams) = mpsc::channel(QUEUE);
                    answers.insert(node, sender);
                    tasks.spawn(self.clone().lie_to(node, streams));
                }
                SwarmEvent::Stream { from, protocol: Protocol::Control, stream } => {
                    if let Some(answers) = answers.get(&from) {
                        // An error means that this victim listens no more.
                        let _ = answers.send(stream).await;
                    }
                }
                _ => {}
            }
        }
    }

    /// Lies to one node until that breaks the connection.
    async fn lie_to(self, victim: NodeId, mut streams: mpsc::Receiver<BoxStream>) -> Option<()> {
        let control = self.swarm.open(victim, Protocol::Control).await.ok()?;
        let lane = LaneSender::open(&self.credentials, &self.swarm, victim, &[]).await.ok()?;
        let mut lie = Lie { control, lane, channel: Channel(1), geometry: None, told: false };
        lie.hello(self.digest).await?;
        let (heard, mut messages) = mpsc::channel(QUEUE);
        let _listening = tokio::spawn(listen(streams.recv().await?, heard));
        let mut ticks = interval(OFFER_EVERY);
        loop {
            tokio::select! {
                message = messages.recv() => match message? {
                    Message::Chain { update, .. } if lie.geometry.is_none() => {
                        lie.claim_everything(update.geometry).await?;
                    }
                    Message::Want { pieces, .. } => {
                        for piece in pieces {
                            lie.send_noise(piece).await?;
                            self.told.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    // It does not fetch the blob, or no longer: perhaps it will.
                    Message::Close { .. } => {
                        lie.channel.0 += 1;
                        lie.geometry = None;
                        ticks.tick().await;
                        lie.hello(self.digest).await?;
                    }
                    _ => {}
                },
                _ = ticks.tick() => lie.offer().await?,
            }
        }
    }
}

/// What one node is told.
struct Lie {
    control: BoxStream,
    lane: LaneSender,
    channel: Channel,
    geometry: Option<Geometry>,
    told: bool,
}

impl Lie {
    async fn hello(&mut self, digest: Digest) -> Option<()> {
        self.say(Message::Hello { channel: self.channel, digest, known_links: 0, source: None }).await
    }

    async fn claim_everything(&mut self, geometry: Geometry) -> Option<()> {
        self.geometry = Some(geometry);
        let pieces = Bitfield::full(geometry.piece_count());
        self.say(Message::Bitfield { channel: self.channel, pieces }).await
    }

    async fn offer(&mut self) -> Option<()> {
        if self.geometry.is_none() {
            return Some(());
        }
        self.say(Message::Offer { channel: self.channel, piece: None, have: Vec::new() }).await
    }

    /// The first time, a piece that nobody asked for follows.
    async fn send_noise(&mut self, piece: PieceIndex) -> Option<()> {
        let geometry = self.geometry?;
        let unasked = (piece + 1) % geometry.piece_count();
        let count = if self.told { 1 } else { 2 };
        self.told = true;
        for piece in [piece, unasked].into_iter().take(count) {
            let mut noise = vec![0; geometry.len(piece) as usize];
            fastrand::Rng::with_seed(piece.into()).fill(&mut noise);
            let header = LaneHeader { channel: self.channel, piece, len_bytes: geometry.len(piece) };
            self.lane.send(header, &Bytes::from(noise), 0).await.ok()?;
        }
        Some(())
    }

    async fn say(&mut self, message: Message) -> Option<()> {
        let mut frame = Vec::new();
        encode_frame(&message, &mut frame);
        self.control.write_all(&frame).await.ok()?;
        self.control.flush().await.ok()
    }
}

async fn listen(mut stream: BoxStream, heard: mpsc::Sender<Message>) -> Option<()> {
    loop {
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).await.ok()?;
        let mut frame = vec![0; frame_len_bytes(prefix, MAX_CONTROL_FRAME_BYTES).ok()?];
        stream.read_exact(&mut frame).await.ok()?;
        heard.send(Message::decode(&frame).ok()?).await.ok()?;
    }
}
