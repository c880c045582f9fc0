//! Chains that grow while their author still hashes, and authors that take over.

use proptest::prelude::*;
use shoal_protocol::chain::{Chain, ChainBuilder, ChainError};

use super::blobs::{Blob, key, long_blobs};

/// The chains a blob's author signs on its way: one after each piece.
fn steps(blob: &Blob) -> Vec<Chain> {
    (0..=blob.geometry.piece_count()).map(|pieces| blob.chain_after(pieces)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn updates_of_any_step_from_any_link_lead_to_the_same_chain(
        blob in long_blobs(),
        choices in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..24),
    ) {
        let steps = steps(&blob);
        let mut chain = Chain::from_update(blob.digest, &steps[0].update_from(0).unwrap()).unwrap();
        for (step, first_link) in choices {
            let step = step.get(&steps);
            let first_link = first_link.index(chain.known_links() as usize + 1) as u32;
            let before = chain.known_links();
            let Some(update) = step.update_from(first_link) else { continue };
            let gained = chain.extend(&update).unwrap();
            prop_assert_eq!(chain.known_links(), before.max(step.known_links()));
            prop_assert_eq!(chain.known_links(), before + gained);
        }
        let whole = &steps[steps.len() - 1];
        if let Some(rest) = whole.update_from(chain.known_links()) {
            chain.extend(&rest).unwrap();
        }
        prop_assert_eq!(&chain, whole);
    }

    #[test]
    fn only_pieces_between_known_links_can_be_checked(blob in long_blobs(), pieces in 0..8u32) {
        let pieces = pieces.min(blob.geometry.last_piece() - 1);
        let chain = blob.chain_after(pieces);
        prop_assert_eq!(chain.known_links(), pieces);
        prop_assert_eq!(chain.verifiable_pieces(), pieces);
        prop_assert!(!chain.is_whole());
        for piece in 0..blob.geometry.piece_count() {
            let check = chain.check(piece);
            prop_assert_eq!(check.is_some(), piece < pieces);
            prop_assert!(check.is_none_or(|check| check.verify(blob.piece(piece))));
        }
        prop_assert!(chain.update_from(pieces + 1).is_none());
        prop_assert_eq!(chain.update_from(pieces).is_some(), pieces == 0);
    }

    #[test]
    fn a_builder_resumed_from_a_relayed_chain_makes_the_same_links(blob in long_blobs(), pieces in 0..8u32) {
        let pieces = pieces.min(blob.geometry.piece_count());
        let relayed = blob.chain_after(pieces).update_from(0).unwrap();
        let relayed = Chain::from_update(blob.digest, &relayed).unwrap();
        let mut builder = ChainBuilder::resume(&relayed);
        prop_assert_eq!(builder.next_piece(), pieces.min(blob.geometry.last_piece()));
        while !builder.is_done() {
            builder.push(blob.piece(builder.next_piece())).unwrap();
        }
        prop_assert_eq!(builder.sign(&key(1), None), blob.whole_chain());
        let successor = builder.sign(&key(2), None).update_from(0).unwrap();
        prop_assert_eq!(&successor.links, &blob.whole_chain().update_from(0).unwrap().links);
        prop_assert!(Chain::from_update(blob.digest, &successor).unwrap().is_whole());
    }

    #[test]
    fn a_gap_is_refused(blob in long_blobs()) {
        let whole = blob.whole_chain();
        let update = whole.update_from(1).unwrap();
        let gap = ChainError::Gap { first_link: 1, known_links: 0 };
        prop_assert_eq!(Chain::from_update(blob.digest, &update).unwrap_err(), gap);
        let mut chain = blob.chain_after(0);
        prop_assert_eq!(chain.extend(&update), Err(gap));
        prop_assert_eq!(chain, blob.chain_after(0));
    }
}
