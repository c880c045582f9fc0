//! The store on a real disk: pieces in and out, and what a complete blob costs. Syncs are part of it.
#![allow(clippy::expect_used, reason = "a benchmark that can't be set up has nothing to measure")]
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shoal_peer::store::{PartialBlob, RealDisk, Store};
use shoal_protocol::{
    digest::{Algorithm, Digest},
    geometry::Geometry,
};

const PIECE_BYTES: u32 = 1024 * 1024;
const PIECES: u32 = 16;
/// Blobs in the store that is opened.
const BLOBS: u64 = 500;

fn open(folder: &Path) -> Store {
    Store::open(folder, Arc::new(RealDisk)).expect("a store").0
}

fn digest(number: u64) -> Digest {
    Digest::of(Algorithm::Sha256, &number.to_be_bytes())
}

fn begun(store: &Store, number: u64) -> PartialBlob {
    let geometry = Geometry::new(u64::from(PIECES * PIECE_BYTES), PIECE_BYTES).expect("a geometry");
    store.begin(&digest(number), geometry).expect("a blob to write")
}

fn write_all(partial: &PartialBlob, piece: &[u8]) {
    (0..PIECES).for_each(|index| partial.write_piece(index, piece).expect("a piece written"));
}

fn pieces(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut bytes = vec![7; PIECE_BYTES as usize];
    let partial = begun(&store, 0);
    let mut group = criterion.benchmark_group("store, pieces of 1 MiB");
    group.throughput(Throughput::Bytes(u64::from(PIECE_BYTES)));
    let mut turns = (0..PIECES).cycle();
    group.bench_function("write_piece", |bencher| {
        bencher.iter(|| {
            partial.write_piece(turns.next().unwrap_or(0), black_box(&bytes)).expect("a piece written");
        });
    });
    write_all(&partial, &bytes);
    group.bench_function("read_piece", |bencher| {
        bencher.iter(|| {
            let read = partial.read_piece(turns.next().unwrap_or(0), &mut bytes);
            black_box(&bytes);
            read.expect("a piece");
        });
    });
    group.finish();
}

fn completing(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let piece = vec![7; PIECE_BYTES as usize];
    let mut numbers = 0..;
    let mut group = criterion.benchmark_group("store, blobs of 16 MiB");
    group.sample_size(10);
    group.bench_function("complete", |bencher| {
        bencher.iter_custom(|wanted| {
            numbers.by_ref().take(wanted as usize).map(|number| time_completing(&store, number, &piece)).sum()
        });
    });
    group.finish();
}

fn time_completing(store: &Store, number: u64, piece: &[u8]) -> Duration {
    let partial = begun(store, number);
    write_all(&partial, piece);
    let started = Instant::now();
    let blob = partial.complete(&[0; 1024], None).expect("a complete blob");
    let took = started.elapsed();
    drop(blob);
    assert!(store.remove(&digest(number)).expect("a disk that works"), "it was not in the store");
    took
}

fn opening(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for number in 0..BLOBS {
        let content = number.to_be_bytes();
        store.put(&Digest::of(Algorithm::Sha256, &content), None, &content).expect("a blob put");
    }
    drop(store);
    let mut group = criterion.benchmark_group(format!("store of {BLOBS} blobs"));
    group.sample_size(20);
    group.bench_function("open", |bencher| {
        bencher.iter(|| assert_eq!(open(folder.path()).blobs().len() as u64, BLOBS));
    });
    let store = open(folder.path());
    group.bench_function("open_blob", |bencher| {
        let one = digest(7);
        bencher.iter(|| store.open_blob(black_box(&one)).expect("a disk that works").expect("a blob"));
    });
    group.finish();
}

criterion_group!(benches, pieces, completing, opening);
criterion_main!(benches);
