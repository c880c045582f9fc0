//! A finished chain: any length, both algorithms, pieces in any order.

use fastrand::Rng;
use proptest::prelude::*;
use shoal_protocol::{
    bounds::MIN_PIECE_BYTES,
    chain::{Chain, ChainBuildError, ChainBuilder},
    digest::{Algorithm, Digest},
};

use super::blobs::{Blob, blobs, key, long_blobs, signed_by_hand};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The builder only ends at the digest that `sha2` computes in its ordinary way.
    #[test]
    fn every_piece_verifies_in_any_order(blob in blobs(), order_seed in any::<u64>()) {
        let builder = blob.builder_after(blob.geometry.piece_count());
        prop_assert!(builder.is_done());
        let sent = builder.sign(&key(1), None);
        let chain = Chain::from_update(blob.digest, &sent.update_from(0).unwrap()).unwrap();
        prop_assert_eq!(&chain, &sent);
        prop_assert!(chain.is_whole());
        prop_assert_eq!(chain.verifiable_pieces(), blob.geometry.piece_count());

        let mut order: Vec<u32> = (0..blob.geometry.piece_count()).collect();
        Rng::with_seed(order_seed).shuffle(&mut order);
        for piece in order {
            let check = chain.check(piece).unwrap();
            prop_assert_eq!(check.piece(), piece);
            prop_assert_eq!(check.len_bytes(), blob.geometry.len(piece));
            prop_assert!(check.verify(blob.piece(piece)));
        }
        prop_assert!(chain.check(blob.geometry.piece_count()).is_none());
        prop_assert!(chain.check(u32::MAX).is_none());
    }

    #[test]
    fn any_flipped_bit_is_refused(blob in blobs(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        prop_assume!(!blob.content.is_empty());
        let chain = blob.whole_chain();
        let byte = at.index(blob.content.len()) as u64;
        let piece = blob.geometry.covering(byte..byte + 1).start;
        let mut bad = blob.piece(piece).to_vec();
        bad[(byte - blob.geometry.range(piece).start) as usize] ^= 1 << bit;
        prop_assert!(!chain.check(piece).unwrap().verify(&bad));
    }

    #[test]
    fn a_piece_of_another_length_or_place_is_refused(blob in long_blobs()) {
        let chain = blob.whole_chain();
        let last = blob.geometry.last_piece();
        for piece in [0, last] {
            let check = chain.check(piece).unwrap();
            let bytes = blob.piece(piece);
            prop_assert!(!check.verify(&bytes[..bytes.len() - 1]));
            prop_assert!(!check.verify(&[bytes, &[0]].concat()));
            prop_assert!(!check.verify(&[]));
            prop_assert!(!check.verify(blob.piece(1)));
        }
    }
}

#[test]
fn the_signed_message_is_as_specified() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let blob = Blob::random(algorithm, 200_000, 7);
        let update = blob.whole_chain().update_from(0).unwrap();
        assert_eq!(signed_by_hand(&key(1), blob.digest, blob.geometry, update.links.clone()), update);
    }
}

#[test]
fn a_blob_of_one_piece_has_an_update_without_links() {
    for len_bytes in [0, 1, MIN_PIECE_BYTES as usize] {
        let blob = Blob::random(Algorithm::Sha256, len_bytes, 3);
        let update = blob.chain_after(0).update_from(0).unwrap();
        assert!(update.links.is_empty());
        let chain = Chain::from_update(blob.digest, &update).unwrap();
        assert!(chain.is_whole());
        assert!(chain.check(0).unwrap().verify(&blob.content));
        assert!(chain.update_from(1).is_none());
    }
}

#[test]
fn a_builder_refuses_what_does_not_continue_the_blob() {
    let blob = Blob::random(Algorithm::Sha256, 100_000, 5);
    let digest = blob.digest;
    let mut builder = ChainBuilder::new(digest, blob.geometry);
    let short = builder.push(&blob.piece(0)[1..]);
    let expected_bytes = MIN_PIECE_BYTES;
    let found_bytes = expected_bytes as usize - 1;
    assert_eq!(short, Err(ChainBuildError::Length { digest, piece: 0, expected_bytes, found_bytes }));
    assert_eq!(builder.next_piece(), 0);

    builder.push(blob.piece(0)).unwrap();
    let mut bad = blob.piece(1).to_vec();
    bad[9] ^= 1;
    assert_eq!(builder.push(&bad), Err(ChainBuildError::DigestMismatch { digest }));
    assert!(!builder.is_done(), "a refused piece leaves the builder where it was");

    builder.push(blob.piece(1)).unwrap();
    assert!(builder.is_done());
    assert_eq!(builder.push(&[]), Err(ChainBuildError::PastEnd { digest }));
}

#[test]
fn debug_output_does_not_print_links() {
    let chain = Blob::random(Algorithm::Sha512, 500_000, 1).whole_chain();
    let update = chain.update_from(0).unwrap();
    assert!(format!("{update:?}").contains("links_bytes: 448"));
    assert!(format!("{chain:?}").contains("known_links: 7"));
}

#[test]
fn known_vectors_hold() {
    // FIPS 180-4 examples, as published by NIST: "abc".
    let digest: Digest =
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap();
    let blob = Blob { content: b"abc".to_vec(), digest, ..Blob::random(Algorithm::Sha256, 3, 0) };
    assert!(blob.whole_chain().check(0).unwrap().verify(b"abc"));
}
