//! What the exchange's decisions cost: a blob of 1024 pieces among 24 neighbours, without sockets and hashing.
#![allow(clippy::expect_used, reason = "a benchmark that can't be set up has nothing to measure")]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use shoal_protocol::{
    bitfield::Bitfield,
    chain::{Chain, ChainBuilder},
    digest::{Algorithm, Digest},
    exchange::{Action, Distance, Exchange, ExchangeConfig, Group, Members, PieceOutcome},
    geometry::{Geometry, PieceIndex},
    identity::{NodeId, NodeKey},
    membership::ClusterKey,
    reference::ImageName,
    time::Timestamp,
    wire::{Channel, Message},
};

const PIECES: u32 = 1024;
const PIECE_BYTES: u32 = 64 * 1024;
const NEIGHBOURS: u8 = 24;
/// Each neighbour numbers the blob so.
const THEIRS: Channel = Channel(1);
/// A piece of 64 KiB takes about as long on a line of 500 Mbit/s.
const ROUND: Duration = Duration::from_millis(1);

/// The blob, made once.
struct Blob {
    digest: Digest,
    chain: Chain,
}

impl Blob {
    fn new() -> Self {
        let piece = vec![7; PIECE_BYTES as usize];
        let content = piece.repeat(PIECES as usize);
        let digest = Digest::of(Algorithm::Sha256, &content);
        let geometry = Geometry::new(content.len() as u64, PIECE_BYTES).expect("a geometry");
        let mut builder = ChainBuilder::new(digest, geometry);
        (0..PIECES).for_each(|_| builder.push(&piece).expect("the blob's own piece"));
        Self { digest, chain: builder.sign(&NodeKey::from_secret([99; 32]), None) }
    }
}

/// A node and the time it believes.
struct World {
    exchange: Exchange,
    now: Timestamp,
    digest: Digest,
}

fn neighbours() -> Vec<NodeId> {
    (1..=NEIGHBOURS).map(|number| NodeId([number; 32])).collect()
}

impl World {
    /// Everyone is connected and has said hello.
    fn new(blob: &Blob, begin: impl FnOnce(&mut Exchange)) -> Self {
        let config = ExchangeConfig::new(NodeId([0; 32]), false, 5);
        let mut exchange = Exchange::new(config, ClusterKey::from_root([9; 32]));
        let now = Timestamp::ZERO;
        neighbours().iter().for_each(|node| exchange.handle_connected(now, *node, Distance::Near));
        begin(&mut exchange);
        let mut world = Self { exchange, now, digest: blob.digest };
        for node in neighbours() {
            let digest = blob.digest;
            world.hear(node, Message::Hello { channel: THEIRS, digest, known_links: 0, source: None });
        }
        world
    }

    /// A node that begins to fetch; each neighbour has another half of the blob.
    fn fetching(blob: &Blob) -> Self {
        let source = ImageName {
            registry: "docker.io".parse().expect("a registry"),
            repository: "library/nginx".parse().expect("a repository"),
        };
        let near = Group { fetching: neighbours(), ..Group::default() };
        let members = Members { near, ..Members::default() };
        let mut world = Self::new(blob, |exchange| {
            exchange.handle_fetch(Timestamp::ZERO, blob.digest, source, members);
        });
        let update = blob.chain.update_from(0).expect("the first update");
        world.hear(neighbours()[0], Message::Chain { channel: THEIRS, update });
        for (number, node) in (0..).zip(neighbours()) {
            let mut pieces = Bitfield::empty(PIECES);
            (number..PIECES).step_by(2).for_each(|piece| {
                pieces.set(piece);
            });
            world.hear(node, Message::Bitfield { channel: THEIRS, pieces });
        }
        world.actions();
        world
    }

    /// A node that has the whole blob, among neighbours that have nothing.
    fn serving(blob: &Blob) -> Self {
        Self::new(blob, |exchange| exchange.handle_hold(Timestamp::ZERO, blob.digest, blob.chain.clone()))
    }

    fn hear(&mut self, from: NodeId, message: Message) {
        self.exchange.handle_message(self.now, from, message);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.exchange.poll_action()).collect()
    }

    fn pass_time(&mut self) {
        self.now = self.now + ROUND;
        if self.exchange.poll_timeout().is_some_and(|due| due <= self.now) {
            self.exchange.handle_timeout(self.now);
        }
    }

    /// One neighbour's offer, and the piece that was chosen.
    fn offered(&mut self, from: NodeId) -> Option<PieceIndex> {
        self.hear(from, Message::Offer { channel: THEIRS, piece: None, have: Vec::new() });
        self.actions().iter().find_map(|action| match action {
            Action::Send { to, message: Message::Want { pieces, .. } } if *to == from => {
                pieces.first().copied()
            }
            _ => None,
        })
    }

    /// The piece comes in and is stored, and every neighbour has gained one of its own.
    fn piece_comes(&mut self, from: NodeId, piece: PieceIndex, number: u32) {
        let arrival = self.exchange.handle_piece_start(self.now, from, THEIRS, piece, PIECE_BYTES);
        black_box(arrival.expect("a piece that is wanted"));
        self.exchange.handle_piece(self.now, from, self.digest, piece, PieceOutcome::Stored);
        for (offset, node) in (1..).zip(neighbours()) {
            let pieces = vec![(number * 2 + offset) % PIECES];
            self.hear(node, Message::Have { channel: THEIRS, pieces });
        }
        black_box(self.actions());
    }

    fn has_all(&self) -> bool {
        self.exchange.pieces(&self.digest).is_some_and(Bitfield::is_full)
    }
}

/// Fetches the whole blob; says how long answering offers took, how many there were, and how long all of it took.
fn fetch(blob: &Blob) -> (Duration, u32, Duration) {
    let mut world = World::fetching(blob);
    let (mut offers, mut answering) = (0, Duration::ZERO);
    let started = Instant::now();
    for (number, from) in (0..).zip(neighbours().into_iter().cycle()) {
        if world.has_all() {
            break;
        }
        assert!(number < 2 * PIECES, "the fetch does not end");
        world.pass_time();
        let asked = Instant::now();
        let wanted = world.offered(from);
        answering += asked.elapsed();
        offers += 1;
        if let Some(piece) = wanted {
            world.piece_comes(from, piece, number);
        }
    }
    (answering, offers, started.elapsed())
}

/// Gives the whole blob away once, and says how long it took.
fn serve(blob: &Blob) -> Duration {
    let mut world = World::serving(blob);
    let started = Instant::now();
    let mut uploads = 0;
    while uploads < PIECES {
        world.pass_time();
        let actions = world.actions();
        assert!(!actions.is_empty(), "nothing is offered any more");
        for action in actions {
            match action {
                Action::Send { to, message: Message::Offer { .. } } => {
                    let pieces = vec![uploads % PIECES];
                    world.hear(to, Message::Want { channel: THEIRS, pieces });
                }
                Action::Upload { to, digest, piece, .. } => {
                    uploads += 1;
                    world.exchange.handle_uploaded(world.now, to, digest, piece, true);
                }
                other => drop(black_box(other)),
            }
        }
    }
    started.elapsed()
}

fn decisions(criterion: &mut Criterion) {
    let blob = Blob::new();
    let mut group = criterion.benchmark_group("exchange, 24 neighbours, 1024 pieces");
    group.sample_size(20);
    group.bench_function("answer an offer", |bencher| {
        bencher.iter_custom(|wanted| {
            mean_of(wanted, || {
                let (answering, offers, _) = fetch(&blob);
                answering / offers
            })
        });
    });
    group.bench_function("receive a piece, all its messages", |bencher| {
        bencher.iter_custom(|wanted| mean_of(wanted, || fetch(&blob).2 / PIECES));
    });
    group.bench_function("send a piece, all its messages", |bencher| {
        bencher.iter_custom(|wanted| mean_of(wanted, || serve(&blob) / PIECES));
    });
    group.finish();
}

/// As long as `wanted` single steps take, judged by enough whole runs of 1024 steps.
fn mean_of(wanted: u64, run: impl Fn() -> Duration) -> Duration {
    let runs = u32::try_from(wanted.div_ceil(u64::from(PIECES))).unwrap_or(u32::MAX);
    let mean = (0..runs).map(|_| run()).sum::<Duration>() / runs;
    Duration::from_secs_f64(mean.as_secs_f64() * wanted as f64)
}

criterion_group!(benches, decisions);
criterion_main!(benches);
