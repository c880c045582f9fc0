//! What it costs to write down and to read the messages that nodes exchange most.
#![allow(clippy::expect_used, reason = "a benchmark that can't be set up has nothing to measure")]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shoal_protocol::{
    chain::{Author, ChainUpdate},
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::{NodeKey, Signature},
    wire::{Announcement, Change, Channel, Holding, Message, Wire},
};

/// A blob of 64 MiB in pieces of 64 KiB.
const PIECES: u32 = 1024;

fn have() -> Message {
    Message::Have { channel: Channel(7), pieces: (0..8).map(|number| number * 97).collect() }
}

fn offer() -> Message {
    Message::Offer { channel: Channel(7), piece: Some(258), have: vec![9, 400] }
}

fn chain() -> Message {
    let key = NodeKey::from_secret([1; 32]);
    let update = ChainUpdate {
        geometry: Geometry::new(u64::from(PIECES) * 65536, 65536).expect("a geometry"),
        author: Author { node: key.node_id(), role: None },
        first_link: 0,
        links: (0..(PIECES - 1) * 32).map(|index| index as u8).collect(),
        signature: Signature([3; 64]),
    };
    Message::Chain { channel: Channel(7), update }
}

fn announcement() -> Announcement {
    let digest = |number: u32| Digest::of(Algorithm::Sha256, &number.to_be_bytes());
    let mut changes: Vec<Change> =
        (0..20).map(|number| Change { digest: digest(number), holding: Some(Holding::Holds) }).collect();
    changes.sort_by_key(|change| change.digest);
    Announcement {
        node: NodeKey::from_secret([1; 32]).node_id(),
        incarnation: 1,
        seq: 12,
        lifetime_ms: 10_000,
        record: None,
        changes,
        total: 200,
        set_hash: 5,
        leaving: false,
    }
}

fn measure<T: Wire + PartialEq>(criterion: &mut Criterion, name: &str, message: &T) {
    let mut encoded = Vec::new();
    message.encode(&mut encoded);
    assert!(T::decode(&encoded).is_ok_and(|decoded| decoded == *message));
    let mut group = criterion.benchmark_group(format!("wire: {name}"));
    group.throughput(Throughput::Bytes(encoded.len() as u64));
    group.bench_function("encode", |bencher| {
        let mut out = Vec::with_capacity(encoded.len());
        bencher.iter(|| {
            out.clear();
            black_box(message).encode(&mut out);
            black_box(&out);
        });
    });
    group.bench_function("decode", |bencher| bencher.iter(|| T::decode(black_box(&encoded))));
    group.finish();
}

fn messages(criterion: &mut Criterion) {
    measure(criterion, "Have of 8 pieces", &have());
    measure(criterion, "Offer with 2 pieces", &offer());
    measure(criterion, "Chain of 1023 links", &chain());
    measure(criterion, "Announcement of 20 changes", &announcement());
}

criterion_group!(benches, messages);
criterion_main!(benches);
