//! Making a chain while hashing a blob.

use alloc::vec::Vec;

use super::{
    check::hash_piece,
    known::Chain,
    state::State,
    update::{Author, LinksHash, signed_message},
};
use crate::{
    digest::Digest,
    geometry::{Geometry, PieceIndex},
    identity::NodeKey,
    membership::RoleToken,
};

/// Hashes the pieces of a blob in order, and signs the links found so far at any time.
#[derive(Clone, Debug)]
pub struct ChainBuilder {
    digest: Digest,
    geometry: Geometry,
    next_piece: PieceIndex,
    state: State,
    links: Vec<u8>,
    links_hash: LinksHash,
}

/// Why a piece does not continue the chain. The builder is then as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainBuildError {
    /// The piece is too long or too short.
    #[error("piece {piece} of {digest} has {expected_bytes} bytes, got {found_bytes}")]
    Length {
        /// The blob.
        digest: Digest,
        /// The piece that was due.
        piece: PieceIndex,
        /// Its length.
        expected_bytes: u32,
        /// Length of what was pushed.
        found_bytes: usize,
    },
    /// All pieces have been pushed already.
    #[error("{digest} is complete, no piece follows")]
    PastEnd {
        /// The blob.
        digest: Digest,
    },
    /// The content ends in another digest: what was hashed is not this blob.
    #[error("the content does not have the digest {digest}; discard it")]
    DigestMismatch {
        /// The blob.
        digest: Digest,
    },
}

impl ChainBuilder {
    /// A builder that has seen no piece yet.
    pub fn new(digest: Digest, geometry: Geometry) -> Self {
        Self {
            digest,
            geometry,
            next_piece: 0,
            state: State::initial(digest.algorithm()),
            links: Vec::new(),
            links_hash: LinksHash::default(),
        }
    }

    /// A builder that goes on where `chain` ends, for a node that took over from the chain's author.
    ///
    /// What the builder signs then vouches for the links of `chain` too: resume only after the pieces under them
    /// passed their checks.
    pub fn resume(chain: &Chain) -> Self {
        let (links, links_hash) = chain.links();
        let mut builder = Self::new(*chain.digest(), chain.geometry());
        builder.next_piece = chain.known_links();
        builder.state = chain.state_before(builder.next_piece).unwrap_or(builder.state);
        builder.links = links.to_vec();
        builder.links_hash = links_hash;
        builder
    }

    /// The piece to push next; the number of pieces when the builder is done.
    pub const fn next_piece(&self) -> PieceIndex {
        self.next_piece
    }

    /// Hashes the next piece.
    ///
    /// # Errors
    /// When the piece has the wrong length, when none is missing, or when it is the last and the digest does not match.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ChainBuildError> {
        let digest = self.digest;
        if self.is_done() {
            return Err(ChainBuildError::PastEnd { digest });
        }
        let expected_bytes = self.geometry.len(self.next_piece);
        if piece.len() != expected_bytes as usize {
            let (piece, found_bytes) = (self.next_piece, piece.len());
            return Err(ChainBuildError::Length { digest, piece, expected_bytes, found_bytes });
        }
        let after = hash_piece(&self.geometry, self.next_piece, self.state, piece);
        if self.next_piece < self.geometry.last_piece() {
            self.add_link(after);
        } else if after != State::of_digest(&digest) {
            return Err(ChainBuildError::DigestMismatch { digest });
        }
        self.state = after;
        self.next_piece += 1;
        Ok(())
    }

    /// True when every piece was hashed and the digest matched.
    pub fn is_done(&self) -> bool {
        self.next_piece == self.geometry.piece_count()
    }

    /// The links so far, signed by `key` in the role that `role` proves.
    pub fn sign(&self, key: &NodeKey, role: Option<RoleToken>) -> Chain {
        let link_count = self.next_piece.min(self.geometry.last_piece());
        let message =
            signed_message(&self.digest, &self.geometry, role.as_ref(), link_count, self.links_hash);
        let author = Author { node: key.node_id(), role };
        let links = self.links.clone();
        Chain::signed(self.digest, self.geometry, author, links, self.links_hash, key.sign(&message))
    }

    fn add_link(&mut self, state: State) {
        let start_byte = self.links.len();
        state.append_to(&mut self.links);
        self.links_hash =
            self.links_hash.with(&self.links[start_byte..], self.digest.algorithm().hash_bytes());
    }
}
