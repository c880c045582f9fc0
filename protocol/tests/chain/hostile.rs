//! Updates that were made up or damaged on their way: each is refused by name, and changes nothing.

use proptest::prelude::*;
use shoal_protocol::{
    bounds::{MAX_PIECE_BYTES, MAX_PIECES, MIN_PIECE_BYTES},
    chain::{Chain, ChainError, ChainUpdate},
    digest::{Algorithm, Digest},
    geometry::Geometry,
    membership::{ClusterKey, Role},
};

use super::blobs::{Blob, key, long_blobs, signed_by_hand};

/// Both ways in refuse the update with the same error, and the chain that was known stays as it was.
fn refused(blob: &Blob, update: &ChainUpdate) -> ChainError {
    let error = Chain::from_update(blob.digest, update).unwrap_err();
    let mut known = blob.chain_after(0);
    assert_eq!(known.extend(update), Err(error));
    assert_eq!(known, blob.chain_after(0));
    error
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_in_links_or_signature_is_a_false_signature(
        blob in long_blobs(), at in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        let honest = blob.whole_chain().update_from(0).unwrap();
        let mut update = honest.clone();
        update.links[at.index(honest.links.len())] ^= 1 << bit;
        prop_assert_eq!(refused(&blob, &update), ChainError::Signature);
        // Against links known already it is the sender's lie, too: the author never signed it.
        prop_assert_eq!(blob.whole_chain().extend(&update), Err(ChainError::Signature));

        let mut update = honest;
        update.signature.0[at.index(64)] ^= 1 << bit;
        prop_assert_eq!(refused(&blob, &update), ChainError::Signature);
    }

    #[test]
    fn links_cut_added_or_moved_are_refused(blob in long_blobs()) {
        let link_bytes = blob.digest.algorithm().hash_bytes();
        let honest = blob.whole_chain().update_from(0).unwrap();

        let mut cut = honest.clone();
        cut.links.truncate(honest.links.len() - link_bytes);
        prop_assert_eq!(refused(&blob, &cut), ChainError::Signature);

        let mut moved = honest.clone();
        moved.links.rotate_left(link_bytes);
        prop_assert_eq!(refused(&blob, &moved), ChainError::Signature);

        let mut partial = honest.clone();
        partial.links.pop();
        let links_bytes = partial.links.len();
        prop_assert_eq!(refused(&blob, &partial), ChainError::PartialLink { links_bytes, link_bytes });

        let mut long = honest;
        long.links.resize(long.links.len() + link_bytes, 0);
        let piece_count = blob.geometry.piece_count();
        let too_many = ChainError::TooManyLinks { last_link: u64::from(piece_count), piece_count };
        prop_assert_eq!(refused(&blob, &long), too_many);
    }

    #[test]
    fn an_update_for_another_blob_is_refused(blob in long_blobs(), other in long_blobs()) {
        prop_assume!(blob.digest.algorithm() == other.digest.algorithm() && blob.digest != other.digest);
        let update = other.whole_chain().update_from(0).unwrap();
        prop_assert_eq!(Chain::from_update(blob.digest, &update).unwrap_err(), ChainError::Signature);
    }

    #[test]
    fn an_update_of_another_author_or_geometry_is_refused(blob in long_blobs()) {
        let builder = blob.builder_after(blob.geometry.piece_count());
        let mut chain = blob.chain_after(1);
        let stranger = builder.sign(&key(2), None).update_from(0).unwrap();
        prop_assert_eq!(chain.extend(&stranger), Err(ChainError::OtherAuthor));

        let mut imposter = stranger;
        imposter.author.node = key(1).node_id();
        prop_assert_eq!(refused(&blob, &imposter), ChainError::Signature);

        let mut stretched = blob.whole_chain().update_from(0).unwrap();
        stretched.geometry = Geometry::new(blob.geometry.blob_bytes() + u64::from(MIN_PIECE_BYTES), MIN_PIECE_BYTES).unwrap();
        prop_assert_eq!(chain.extend(&stretched), Err(ChainError::OtherGeometry));
        let alone = Chain::from_update(blob.digest, &stretched).unwrap_err();
        prop_assert_eq!(alone, ChainError::Signature);
        prop_assert_eq!(chain, blob.chain_after(1));
    }
}

/// A relay can't make a seed's chain look like a peer's, nor the other way round.
#[test]
fn a_relay_cannot_change_the_authors_role() {
    let blob = Blob::random(Algorithm::Sha256, 200_000, 1);
    let cluster = ClusterKey::from_root([9; 32]);
    let seed = cluster.issue_role(&key(1).node_id(), Role::Seed).unwrap();
    let peer = cluster.issue_role(&key(1).node_id(), Role::Peer).unwrap();
    let chain = blob.builder_after(2).sign(&key(1), Some(seed.clone()));
    assert_eq!(chain.author().role, Some(seed));
    let honest = chain.update_from(0).unwrap();
    assert_eq!(Chain::from_update(blob.digest, &honest).unwrap(), chain);
    for role in [None, Some(peer)] {
        let mut update = honest.clone();
        update.author.role = role;
        assert_eq!(Chain::from_update(blob.digest, &update), Err(ChainError::Signature));
        assert_eq!(chain.clone().extend(&update), Err(ChainError::OtherAuthor));
    }
}

#[test]
fn the_largest_geometry_and_link_numbers_are_harmless() {
    let digest = Digest::of(Algorithm::Sha256, b"");
    let largest = Geometry::new(u64::from(MAX_PIECE_BYTES) * u64::from(MAX_PIECES), MAX_PIECE_BYTES).unwrap();
    let mut update = signed_by_hand(&key(1), digest, largest, Vec::new());
    let mut chain = Chain::from_update(digest, &update).unwrap();
    assert_eq!((chain.verifiable_pieces(), chain.is_whole()), (0, false));
    assert!(chain.check(MAX_PIECES - 1).is_none());

    update.first_link = u32::MAX;
    update.links = vec![0; 64];
    assert_eq!(chain.extend(&update), Err(ChainError::Gap { first_link: u32::MAX, known_links: 0 }));
    assert!(chain.update_from(u32::MAX).is_none());
}
