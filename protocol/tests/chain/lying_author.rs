//! Authors that sign what is not true. They can waste a transfer; they can't make a wrong blob complete.

use proptest::prelude::*;
use shoal_protocol::{
    bounds::MIN_PIECE_BYTES,
    chain::{Chain, ChainBuilder, ChainError},
    geometry::Geometry,
};

use super::blobs::{Blob, key, lengths, long_blobs, signed_by_hand};

/// True when content cut by the chain's own geometry passes every check, as a node that completes a blob requires.
fn closes(chain: &Chain, content: &[u8]) -> bool {
    let geometry = chain.geometry();
    content.len() as u64 == geometry.blob_bytes()
        && (0..geometry.piece_count()).all(|piece| {
            let range = geometry.range(piece);
            let bytes = &content[range.start as usize..range.end as usize];
            chain.check(piece).is_some_and(|check| check.verify(bytes))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The author hashed another blob, piece by piece, under this blob's digest. Its pieces pass until the last.
    #[test]
    fn a_chain_over_other_content_never_closes(blob in long_blobs(), seed in any::<u64>(), mix in any::<u8>()) {
        let other = Blob::random(blob.digest.algorithm(), blob.content.len(), seed);
        prop_assume!(blob.content != other.content);
        let mut builder = ChainBuilder::new(blob.digest, blob.geometry);
        let last = blob.geometry.last_piece();
        (0..last).for_each(|piece| builder.push(other.piece(piece)).unwrap());
        let chain = builder.sign(&key(1), None);
        let chain = Chain::from_update(blob.digest, &chain.update_from(0).unwrap()).unwrap();
        prop_assert!(chain.is_whole());
        prop_assert!((0..last).all(|piece| chain.check(piece).unwrap().verify(other.piece(piece))));

        let mixed: Vec<u8> = (0..blob.geometry.piece_count())
            .flat_map(|piece| if mix >> (piece % 8) & 1 == 0 { blob.piece(piece) } else { other.piece(piece) })
            .copied()
            .collect();
        for content in [&blob.content, &other.content, &mixed] {
            prop_assert!(!closes(&chain, content), "false links can't let any content close");
        }
    }

    /// Some links true, some made up: whatever closes has the digest.
    #[test]
    fn made_up_links_never_let_other_content_close(
        blob in long_blobs(), at in any::<prop::sample::Index>(), noise in any::<[u8; 16]>(), seed in any::<u64>(),
    ) {
        let mut links = blob.whole_chain().update_from(0).unwrap().links;
        let start = at.index(links.len() - noise.len());
        links[start..start + noise.len()].copy_from_slice(&noise);
        let update = signed_by_hand(&key(1), blob.digest, blob.geometry, links);
        let chain = Chain::from_update(blob.digest, &update).unwrap();
        prop_assert!(!closes(&chain, &Blob::random(blob.digest.algorithm(), blob.content.len(), seed).content));
        prop_assert_eq!(closes(&chain, &blob.content), chain == blob.whole_chain());
    }

    /// A false length: neither the blob cut short nor stretched with zeros closes.
    #[test]
    fn a_false_length_never_closes(blob in long_blobs(), len_bytes in lengths()) {
        prop_assume!(len_bytes != blob.content.len());
        let geometry = Geometry::new(len_bytes as u64, MIN_PIECE_BYTES).unwrap();
        let mut content = blob.content.clone();
        content.resize(len_bytes, 0);
        let stretched = Blob { content, digest: blob.digest, geometry };
        let chain = stretched.chain_after(geometry.last_piece());
        prop_assert!(chain.is_whole());
        prop_assert!(!closes(&chain, &stretched.content));
    }

    /// Two signed chains that differ prove the author's lie, and name the first false link.
    #[test]
    fn a_contradiction_is_the_authors(blob in long_blobs(), at in any::<prop::sample::Index>()) {
        let link_bytes = blob.digest.algorithm().hash_bytes();
        let honest = blob.whole_chain();
        let mut links = honest.update_from(0).unwrap().links;
        let byte = at.index(links.len());
        links[byte] ^= 1;
        let update = signed_by_hand(&key(1), blob.digest, blob.geometry, links);
        let other = Chain::from_update(blob.digest, &update).unwrap();
        let false_link = (byte / link_bytes) as u32;
        let contradiction = Err(ChainError::Contradiction { link: false_link + 1 });

        let mut known = honest.clone();
        prop_assert_eq!(known.extend(&update), contradiction);
        // From a later link on, the shared start is not repeated and the finding is the same.
        if let Some(tail) = other.update_from(false_link) {
            prop_assert_eq!(known.extend(&tail), contradiction);
        }
        prop_assert_eq!(known, honest);
    }
}
