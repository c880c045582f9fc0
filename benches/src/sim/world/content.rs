//! Blobs, true and false.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use shoal_protocol::{
    chain::{Chain, ChainBuildError, ChainBuilder},
    digest::{Algorithm, Digest},
    geometry::{Geometry, GeometryError, PieceIndex},
    identity::NodeKey,
    membership::RoleToken,
};

/// What the bytes of a piece are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// The blob's.
    Real,
    /// Of the content that false chains are made of.
    Fake,
    /// Neither.
    Garbage,
}

/// A blob of the world.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) digest: Digest,
    pub(super) geometry: Geometry,
    bytes: Bytes,
}

#[derive(Clone, Debug)]
enum Bytes {
    Random {
        real: Arc<Vec<u8>>,
        fake: Arc<Vec<u8>>,
    },
    /// A blob too large to be kept: the same piece again and again.
    Alike {
        piece: Arc<Vec<u8>>,
    },
}

impl Content {
    /// A small blob of random bytes.
    pub(super) fn random(len_bytes: u64, rng: &mut fastrand::Rng) -> Result<Self, GeometryError> {
        let mut real = vec![0; len_bytes as usize];
        rng.fill(&mut real);
        Ok(Self {
            digest: Digest::of(Algorithm::Sha256, &real),
            geometry: Geometry::for_blob(len_bytes)?,
            bytes: Bytes::Random {
                fake: Arc::new(real.iter().map(|byte| !byte).collect()),
                real: Arc::new(real),
            },
        })
    }

    /// A blob of any length that no other number has, cut into pieces of `piece_bytes` if that is given.
    pub(super) fn numbered(
        number: u32,
        len_bytes: u64,
        piece_bytes: Option<u32>,
    ) -> Result<Self, GeometryError> {
        let geometry = match piece_bytes {
            Some(piece_bytes) => Geometry::new(len_bytes, piece_bytes)?,
            None => Geometry::for_blob(len_bytes)?,
        };
        let mut piece = vec![0; geometry.piece_bytes() as usize];
        piece[..4].copy_from_slice(&number.to_le_bytes());
        let mut hasher = Sha256::new();
        for index in 0..geometry.piece_count() {
            hasher.update(&piece[..geometry.len(index) as usize]);
        }
        let digest = Digest::Sha256(hasher.finalize().into());
        Ok(Self { digest, geometry, bytes: Bytes::Alike { piece: Arc::new(piece) } })
    }

    pub(super) fn piece(&self, piece: PieceIndex, truth: Truth) -> Vec<u8> {
        let range = self.geometry.range(piece);
        let mut bytes = match (&self.bytes, truth) {
            (Bytes::Alike { piece }, _) => piece[..(range.end - range.start) as usize].to_vec(),
            (Bytes::Random { fake, .. }, Truth::Fake) => {
                fake[range.start as usize..range.end as usize].to_vec()
            }
            (Bytes::Random { real, .. }, _) => real[range.start as usize..range.end as usize].to_vec(),
        };
        if truth == Truth::Garbage
            && let Some(first) = bytes.first_mut()
        {
            *first ^= 1;
        }
        bytes
    }

    pub(super) fn whole_chain(
        &self,
        key: &NodeKey,
        role: Option<RoleToken>,
    ) -> Result<Chain, ChainBuildError> {
        let mut builder = ChainBuilder::new(self.digest, self.geometry);
        for piece in 0..self.geometry.piece_count() {
            builder.push(&self.piece(piece, Truth::Real))?;
        }
        Ok(builder.sign(key, role))
    }

    /// A chain with all its links over other content: every piece of that fits it but the last.
    pub(super) fn false_chain(&self, key: &NodeKey) -> Result<Chain, ChainBuildError> {
        let mut builder = ChainBuilder::new(self.digest, self.geometry);
        for piece in 0..self.geometry.last_piece() {
            builder.push(&self.piece(piece, Truth::Fake))?;
        }
        Ok(builder.sign(key, None))
    }
}
