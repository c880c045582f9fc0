//! Taking in who has what: everything at a start, and one announcement among many later.
#![allow(clippy::expect_used, reason = "a benchmark that can't be set up has nothing to measure")]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use shoal_protocol::{
    digest::{Algorithm, Digest},
    identity::{NodeKey, Signature},
    inventory::{Inventory, InventoryConfig},
    membership::ClusterKey,
    time::Timestamp,
    wire::{Announcement, Change, Holding, InventoryList, NodeRecord, SnapshotEntry},
};

const NODES: u32 = 1000;
const BLOBS_PER_NODE: u32 = 200;
/// Blobs in the cluster: each is on a tenth of the nodes.
const BLOBS: u32 = 2000;
const LIFETIME_MS: u32 = 60_000;

fn key(number: u32) -> NodeKey {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_secret(secret)
}

fn record(number: u32) -> NodeRecord {
    let key = key(number);
    let mut record = NodeRecord {
        node: key.node_id(),
        incarnation: 1,
        role: None,
        zone: "a".to_owned(),
        swarm_addresses: vec!["127.0.0.1:5021".parse().expect("an address")],
        lane_addresses: vec!["127.0.0.1:5022".parse().expect("an address")],
        signature: Signature([0; 64]),
    };
    record.sign(&key);
    record
}

fn blob(number: u32) -> Digest {
    Digest::of(Algorithm::Sha256, &number.to_be_bytes())
}

fn holdings(node: u32) -> Vec<(Digest, Holding)> {
    let mut holdings: Vec<_> =
        (0..BLOBS_PER_NODE).map(|number| (blob((node * 7 + number * 10) % BLOBS), Holding::Holds)).collect();
    holdings.sort();
    holdings
}

fn snapshot() -> Vec<SnapshotEntry> {
    let entry = |node| SnapshotEntry {
        record: record(node),
        seq: 1,
        silent_ms: 0,
        lifetime_ms: LIFETIME_MS,
        holdings: Some(holdings(node)),
    };
    (1..=NODES).map(entry).collect()
}

fn empty() -> Inventory {
    let cluster = ClusterKey::from_root([9; 32]);
    Inventory::new(record(0), cluster, InventoryConfig::default(), Timestamp::ZERO).expect("an inventory")
}

fn full(snapshot: &[SnapshotEntry]) -> Inventory {
    let mut inventory = empty();
    inventory.handle_snapshot(Timestamp::ZERO, snapshot.to_vec()).expect("entries to believe");
    assert_eq!(inventory.len_nodes(), NODES as usize + 1);
    inventory
}

/// A node that tells of one new blob and, the next time, that it has it no more.
struct Speaker {
    list: InventoryList,
    set_hash: u64,
}

impl Speaker {
    fn new(node: u32) -> Self {
        let list = InventoryList {
            record: record(node),
            seq: 1,
            lifetime_ms: LIFETIME_MS,
            holdings: holdings(node),
        };
        let hash = |hash, (digest, holding): &(Digest, Holding)| hash ^ holding.fingerprint(digest);
        let set_hash = list.holdings.iter().fold(0, hash);
        Self { list, set_hash }
    }

    fn has_news(&self) -> bool {
        self.list.seq.is_multiple_of(2)
    }

    fn next(&mut self) -> Announcement {
        self.list.seq += 1;
        let news = blob(BLOBS + 1);
        self.set_hash ^= Holding::Holds.fingerprint(&news);
        let holding = self.has_news().then_some(Holding::Holds);
        Announcement {
            node: self.list.record.node,
            incarnation: 1,
            seq: self.list.seq,
            lifetime_ms: LIFETIME_MS,
            record: None,
            changes: vec![Change { digest: news, holding }],
            total: BLOBS_PER_NODE + u32::from(self.has_news()),
            set_hash: self.set_hash,
            leaving: false,
        }
    }
}

fn merging(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let mut group = criterion.benchmark_group("inventory of 1000 nodes with 200 blobs each");
    group.sample_size(10);
    group.bench_function("take in a snapshot", |bencher| {
        let take_in = |(mut inventory, entries): (Inventory, Vec<SnapshotEntry>)| {
            inventory.handle_snapshot(Timestamp::ZERO, entries).expect("entries to believe");
            inventory
        };
        bencher.iter_batched(|| (empty(), snapshot.clone()), take_in, BatchSize::LargeInput);
    });
    group.sample_size(100);
    let mut inventory = full(&snapshot);
    group.bench_function("take in an announcement of one blob", |bencher| {
        let mut speaker = Speaker::new(500);
        let list = &speaker.list;
        inventory.handle_inventory(Timestamp::ZERO, list.record.node, list).expect("a list to believe");
        bencher.iter(|| {
            let announcement = speaker.next();
            inventory.handle_announcement(Timestamp::ZERO, black_box(&announcement))
        });
        let holders = inventory.holders(&blob(BLOBS + 1)).count();
        assert_eq!(holders, usize::from(speaker.has_news()), "the announcements were not taken in");
    });
    group.bench_function("who has a blob", |bencher| {
        bencher.iter(|| inventory.holders(black_box(&blob(7))).count());
    });
    group.bench_function("make a snapshot", |bencher| {
        bencher.iter(|| inventory.snapshot(black_box(Timestamp::ZERO)));
    });
    group.finish();
}

criterion_group!(benches, merging);
criterion_main!(benches);
