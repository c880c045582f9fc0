//! Blobs, keys and hand-made updates for the tests of the piece chain.

use fastrand::Rng;
use proptest::prelude::*;
use sha2::Digest as _;
use shoal_protocol::{
    bounds::MIN_PIECE_BYTES,
    chain::{Author, Chain, ChainBuilder, ChainUpdate},
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::NodeKey,
};

/// Content with its digest and geometry.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) content: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) geometry: Geometry,
}

impl Blob {
    pub(crate) fn random(algorithm: Algorithm, len_bytes: usize, seed: u64) -> Self {
        let mut content = vec![0; len_bytes];
        Rng::with_seed(seed).fill(&mut content);
        let geometry = Geometry::new(len_bytes as u64, MIN_PIECE_BYTES).unwrap();
        Self { digest: Digest::of(algorithm, &content), content, geometry }
    }

    pub(crate) fn piece(&self, piece: u32) -> &[u8] {
        let range = self.geometry.range(piece);
        &self.content[range.start as usize..range.end as usize]
    }

    /// A builder that has seen the first `pieces`.
    pub(crate) fn builder_after(&self, pieces: u32) -> ChainBuilder {
        let mut builder = ChainBuilder::new(self.digest, self.geometry);
        (0..pieces).for_each(|piece| builder.push(self.piece(piece)).unwrap());
        builder
    }

    pub(crate) fn chain_after(&self, pieces: u32) -> Chain {
        self.builder_after(pieces).sign(&key(1), None)
    }

    pub(crate) fn whole_chain(&self) -> Chain {
        self.chain_after(self.geometry.piece_count())
    }
}

pub(crate) fn key(number: u8) -> NodeKey {
    NodeKey::from_secret([number; 32])
}

pub(crate) fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)]
}

/// Lengths around whatever the padding or the pieces change at.
pub(crate) fn lengths() -> impl Strategy<Value = usize> {
    let piece_bytes = MIN_PIECE_BYTES as usize;
    prop_oneof![
        0..300usize,
        (1..6usize).prop_map(move |pieces| pieces * piece_bytes),
        (1..6usize, 0..260usize).prop_map(move |(pieces, past)| pieces * piece_bytes + past - 130),
        0..6 * piece_bytes,
    ]
}

/// Any blob, of one piece or of several.
pub(crate) fn blobs() -> impl Strategy<Value = Blob> {
    (algorithms(), lengths(), any::<u64>())
        .prop_map(|(algorithm, len_bytes, seed)| Blob::random(algorithm, len_bytes, seed))
}

/// Blobs of three to seven pieces, which have two links at least.
pub(crate) fn long_blobs() -> impl Strategy<Value = Blob> {
    let piece_bytes = MIN_PIECE_BYTES as usize;
    (algorithms(), 2 * piece_bytes + 1..7 * piece_bytes, any::<u64>())
        .prop_map(|(algorithm, len_bytes, seed)| Blob::random(algorithm, len_bytes, seed))
}

/// An update with any links at all, signed as the specification says, written independently of the crate's own code.
pub(crate) fn signed_by_hand(
    author: &NodeKey,
    digest: Digest,
    geometry: Geometry,
    links: Vec<u8>,
) -> ChainUpdate {
    let link_bytes = digest.algorithm().hash_bytes();
    let mut running = [0; 32];
    for link in links.chunks(link_bytes) {
        running = sha2::Sha256::digest([&running[..], link].concat()).into();
    }
    let link_count = (links.len() / link_bytes) as u32;
    let message = [
        &b"shoal chain v1"[..],
        digest.to_string().as_bytes(),
        &geometry.blob_bytes().to_be_bytes(),
        &geometry.piece_bytes().to_be_bytes(),
        &link_count.to_be_bytes(),
        &running,
        &[0],
    ]
    .concat();
    let node = Author { node: author.node_id(), role: None };
    ChainUpdate { geometry, author: node, first_link: 0, links, signature: author.sign(&message) }
}
