//! The store on a real disk, on one that fails, and across crashes.

use std::{path::Path, sync::Arc};

use shoal_protocol::{
    bounds::MIN_PIECE_BYTES,
    digest::{Algorithm, Digest},
    geometry::Geometry,
};

use super::{CompleteBlob, PartialBlob, Recovered, Store, StoreError, disk::Disk};

mod crash;
mod damage;
mod fault;
mod fault_state;
mod faults;
mod kill;
mod life;

/// Content of a test, with what is known of it.
#[derive(Clone, Debug)]
struct Sample {
    bytes: Vec<u8>,
    digest: Digest,
    geometry: Geometry,
}

impl Sample {
    fn new(algorithm: Algorithm, len: usize, salt: u64) -> Self {
        let mut random = Random(salt);
        let bytes: Vec<u8> =
            (0..len.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).take(len).collect();
        let digest = Digest::of(algorithm, &bytes);
        let geometry = Geometry::new(len as u64, MIN_PIECE_BYTES).unwrap();
        Self { bytes, digest, geometry }
    }

    fn piece(&self, piece: u32) -> &[u8] {
        let range = self.geometry.range(piece);
        &self.bytes[range.start as usize..range.end as usize]
    }

    fn pieces(&self) -> std::ops::Range<u32> {
        0..self.geometry.piece_count()
    }

    /// Writes every piece, records none.
    fn write_all(&self, store: &Store) -> PartialBlob {
        let partial = store.begin(&self.digest, self.geometry).unwrap();
        self.pieces().for_each(|piece| partial.write_piece(piece, self.piece(piece)).unwrap());
        partial
    }

    fn complete(&self, store: &Store) -> CompleteBlob {
        self.write_all(store).complete(b"chain", Some("a/b")).unwrap()
    }

    fn is_whole_in(&self, store: &Store) -> bool {
        store.open_blob(&self.digest).unwrap().is_some_and(|blob| read(&blob) == self.bytes)
    }
}

/// Three pieces and a bit.
fn sample(salt: u64) -> Sample {
    Sample::new(Algorithm::Sha256, 200_000, salt)
}

fn read(blob: &CompleteBlob) -> Vec<u8> {
    let mut bytes = vec![0; blob.size_bytes() as usize];
    blob.read_at(0, &mut bytes).unwrap();
    bytes
}

fn read_piece(partial: &PartialBlob, piece: u32) -> Vec<u8> {
    let mut bytes = vec![0; partial.geometry().len(piece) as usize];
    partial.read_piece(piece, &mut bytes).unwrap();
    bytes
}

fn open(dir: &Path, disk: impl Disk) -> Result<(Store, Recovered), StoreError> {
    Store::open(dir, Arc::new(disk))
}

/// Splitmix64: a sequence that a number decides.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }
}
