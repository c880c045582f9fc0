//! Sets of pieces, as large as a common blob's and as the largest.
#![allow(missing_docs, reason = "criterion's macros make public functions without any")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use shoal_protocol::{bitfield::Bitfield, bounds::MAX_PIECES};

/// Every piece whose number leaves no rest.
fn every(step: usize, len: u32) -> Bitfield {
    let mut pieces = Bitfield::empty(len);
    (0..len).step_by(step).for_each(|piece| {
        pieces.set(piece);
    });
    pieces
}

fn sets(criterion: &mut Criterion) {
    for len in [1024, MAX_PIECES] {
        let mut group = criterion.benchmark_group(format!("bitfield of {len}"));
        group.bench_function("set each", |bencher| {
            let set_each = |mut pieces: Bitfield| {
                (0..len).for_each(|piece| {
                    pieces.set(black_box(piece));
                });
                pieces
            };
            bencher.iter_batched(|| Bitfield::empty(len), set_each, BatchSize::SmallInput);
        });
        let (half, third) = (every(2, len), every(3, len));
        group.bench_function("iterate over half", |bencher| {
            bencher.iter(|| black_box(&half).iter().map(u64::from).sum::<u64>());
        });
        group.bench_function("half minus a third", |bencher| {
            bencher.iter(|| black_box(&half).minus(black_box(&third)).map(u64::from).sum::<u64>());
        });
        let nearly = every(1, len - 1);
        let full = Bitfield::full(len);
        group.bench_function("find the one that lacks", |bencher| {
            bencher.iter(|| black_box(&full).minus(black_box(&nearly)).next());
        });
        group.finish();
    }
}

criterion_group!(benches, sets);
criterion_main!(benches);
