//! Blobs, true and false.

use std::sync::Arc;

use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::{Algorithm, Digest},
    geometry::{Geometry, PieceIndex},
    identity::NodeKey,
    membership::RoleToken,
};

/// What the bytes of a piece are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Real,
    /// Of the content that false chains are made of.
    Fake,
    Garbage,
}

#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    pub(crate) geometry: Geometry,
    real: Arc<Vec<u8>>,
    fake: Arc<Vec<u8>>,
}

impl Content {
    pub(crate) fn random(len_bytes: u64, rng: &mut fastrand::Rng) -> Self {
        let mut real = vec![0; len_bytes as usize];
        rng.fill(&mut real);
        Self {
            digest: Digest::of(Algorithm::Sha256, &real),
            geometry: Geometry::for_blob(len_bytes).expect("a small blob"),
            fake: Arc::new(real.iter().map(|byte| !byte).collect()),
            real: Arc::new(real),
        }
    }

    pub(crate) fn piece(&self, piece: PieceIndex, truth: Truth) -> Vec<u8> {
        let range = self.geometry.range(piece);
        let bytes = if truth == Truth::Fake { &self.fake } else { &self.real };
        let mut bytes = bytes[range.start as usize..range.end as usize].to_vec();
        if truth == Truth::Garbage
            && let Some(first) = bytes.first_mut()
        {
            *first ^= 1;
        }
        bytes
    }

    pub(crate) fn whole_chain(&self, key: &NodeKey, role: Option<RoleToken>) -> Chain {
        let mut builder = ChainBuilder::new(self.digest, self.geometry);
        for piece in 0..self.geometry.piece_count() {
            builder.push(&self.piece(piece, Truth::Real)).expect("the blob's own piece");
        }
        builder.sign(key, role)
    }

    /// A chain with all its links over other content: every piece of that fits it but the last.
    pub(crate) fn false_chain(&self, key: &NodeKey) -> Chain {
        let mut builder = ChainBuilder::new(self.digest, self.geometry);
        for piece in 0..self.geometry.last_piece() {
            builder.push(&self.piece(piece, Truth::Fake)).expect("a piece of the right length");
        }
        builder.sign(key, None)
    }
}
