//! What verifying by a piece chain costs beside the plain hash of the same bytes, and what chains cost their authors.
#![allow(clippy::expect_used, reason = "a benchmark that can't be set up has nothing to measure")]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::Digest as _;
use shoal_protocol::{
    chain::{Chain, ChainBuilder, PieceCheck},
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::NodeKey,
};

const BLOB_BYTES: usize = 16 * 1024 * 1024;
const MIB: u32 = 1024 * 1024;

fn blob() -> Vec<u8> {
    blob_of(BLOB_BYTES)
}

fn blob_of(len_bytes: usize) -> Vec<u8> {
    (0..len_bytes).map(|index| (index * 31 % 251) as u8).collect()
}

fn key() -> NodeKey {
    NodeKey::from_secret([1; 32])
}

fn builder_of(blob: &[u8], piece_bytes: u32) -> ChainBuilder {
    let geometry = Geometry::new(blob.len() as u64, piece_bytes).expect("a geometry");
    let mut builder = ChainBuilder::new(Digest::of(Algorithm::Sha256, blob), geometry);
    for piece in blob.chunks(piece_bytes as usize) {
        builder.push(piece).expect("the blob's own piece");
    }
    builder
}

fn chain_of(blob: &[u8], piece_bytes: u32) -> Chain {
    builder_of(blob, piece_bytes).sign(&key(), None)
}

/// The pieces of a blob with their checks.
fn checked(blob: &[u8], piece_bytes: u32) -> Vec<(PieceCheck, &[u8])> {
    let chain = chain_of(blob, piece_bytes);
    (0..).map_while(|piece| chain.check(piece)).zip(blob.chunks(piece_bytes as usize)).collect()
}

fn verifying(criterion: &mut Criterion) {
    let blob = blob();
    let mut group = criterion.benchmark_group("verify 16 MiB");
    group.throughput(Throughput::Bytes(blob.len() as u64));
    group.bench_function("plain SHA-256", |bencher| bencher.iter(|| sha2::Sha256::digest(&blob)));
    for piece_bytes in [MIB / 16, MIB, 4 * MIB] {
        let pieces = checked(&blob, piece_bytes);
        group.bench_function(BenchmarkId::new("one by one", piece_bytes), |bencher| {
            bencher.iter(|| assert!(pieces.iter().all(|(check, bytes)| check.verify(black_box(bytes)))));
        });
        group.bench_function(BenchmarkId::new("two at once", piece_bytes), |bencher| {
            bencher.iter(|| assert!(pieces.as_chunks().0.iter().all(|pair| verify_both(black_box(pair)))));
        });
    }
    group.finish();
}

fn verify_both([left, right]: &[(PieceCheck, &[u8]); 2]) -> bool {
    PieceCheck::verify_both([(&left.0, left.1), (&right.0, right.1)]) == [true; 2]
}

fn authoring(criterion: &mut Criterion) {
    let blob = blob();
    let mut group = criterion.benchmark_group("author 16 MiB");
    group.throughput(Throughput::Bytes(blob.len() as u64));
    let digest = Digest::of(Algorithm::Sha256, &blob);
    let geometry = Geometry::new(blob.len() as u64, MIB).expect("a geometry");
    group.bench_function("1 MiB pieces", |bencher| {
        bencher.iter(|| {
            let mut builder = ChainBuilder::new(digest, geometry);
            for piece in blob.chunks(MIB as usize) {
                builder.push(black_box(piece)).expect("the blob's own piece");
            }
            builder
        });
    });
    group.finish();
}

/// What grows with the chain, for chains of few and of many links.
fn links(criterion: &mut Criterion) {
    let key = key();
    for (blob_bytes, piece_bytes) in [(BLOB_BYTES, MIB), (4 * BLOB_BYTES, MIB / 16)] {
        let builder = builder_of(&blob_of(blob_bytes), piece_bytes);
        let piece_count = builder.next_piece();
        let mut group = criterion.benchmark_group(format!("chain of {piece_count} pieces"));
        group.bench_function("sign", |bencher| bencher.iter(|| builder.sign(black_box(&key), None)));
        let chain = builder.sign(&key, None);
        group.bench_function("update with the last link", |bencher| {
            bencher.iter(|| chain.update_from(black_box(chain.known_links() - 1)));
        });
        let update = chain.update_from(0).expect("the first update");
        group.bench_function("take a first update", |bencher| {
            bencher.iter(|| Chain::from_update(*chain.digest(), black_box(&update)));
        });
        group.bench_function("check of the last piece", |bencher| {
            bencher.iter(|| chain.check(black_box(piece_count - 1)));
        });
        group.finish();
    }
}

criterion_group!(benches, verifying, authoring, links);
criterion_main!(benches);
