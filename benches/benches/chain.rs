//! What verifying by a piece chain costs, beside the plain hash of the same bytes.
#![allow(clippy::expect_used, reason = "a benchmark that can't be set up has nothing to measure")]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::Digest as _;
use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::NodeKey,
};

const BLOB_BYTES: usize = 16 * 1024 * 1024;

fn blob() -> Vec<u8> {
    (0..BLOB_BYTES).map(|index| (index * 31 % 251) as u8).collect()
}

fn chain_of(blob: &[u8], piece_bytes: u32) -> Chain {
    let geometry = Geometry::new(blob.len() as u64, piece_bytes).expect("a geometry");
    let mut builder = ChainBuilder::new(Digest::of(Algorithm::Sha256, blob), geometry);
    for piece in blob.chunks(piece_bytes as usize) {
        builder.push(piece).expect("the blob's own piece");
    }
    builder.sign(&NodeKey::from_secret([1; 32]), None)
}

fn verifying(criterion: &mut Criterion) {
    let blob = blob();
    let mut group = criterion.benchmark_group("verify 16 MiB");
    group.throughput(Throughput::Bytes(blob.len() as u64));
    group.bench_function("plain SHA-256", |bencher| bencher.iter(|| sha2::Sha256::digest(&blob)));
    for piece_bytes in [64 * 1024, 1024 * 1024, 4 * 1024 * 1024] {
        let chain = chain_of(&blob, piece_bytes);
        let pieces: Vec<_> = (0..).map_while(|piece| chain.check(piece)).collect();
        group.bench_function(BenchmarkId::new("piece chain", piece_bytes), |bencher| {
            bencher.iter(|| {
                let chunks = blob.chunks(piece_bytes as usize);
                assert!(pieces.iter().zip(chunks).all(|(check, bytes)| check.verify(bytes)));
            });
        });
    }
    group.finish();
}

fn growing(criterion: &mut Criterion) {
    let blob = blob();
    let mut group = criterion.benchmark_group("author 16 MiB");
    group.throughput(Throughput::Bytes(blob.len() as u64));
    group.bench_function("1 MiB pieces", |bencher| bencher.iter(|| chain_of(&blob, 1024 * 1024)));
    group.finish();
}

criterion_group!(benches, verifying, growing);
criterion_main!(benches);
