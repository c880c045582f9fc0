//! Pieces that an earlier run recorded are hashed again before they count.

use shoal_protocol::{bitfield::Bitfield, chain::Chain, digest::Digest, geometry::PieceIndex};

use super::{Shared, event::Resumed, serving::decode_chain};
use crate::store::PartialBlob;

/// Verifies what is recorded of a blob; blocks. `None` when there is nothing worth keeping.
pub(super) fn resume(shared: &Shared, digest: &Digest) -> Option<Resumed> {
    let info = shared.store.partials().into_iter().find(|info| info.digest == *digest)?;
    let chain = decode_chain(digest, &info.chain?).filter(|chain| chain.geometry() == info.geometry)?;
    let partial = match shared.store.begin(digest, info.geometry) {
        Ok(partial) => partial,
        Err(error) => {
            tracing::warn!(%digest, %error, "pieces of an earlier run can't be read");
            return None;
        }
    };
    let pieces = confirm(&partial, &chain);
    tracing::info!(
        %digest,
        pieces = pieces.count(),
        of = info.geometry.piece_count(),
        "going on with what an earlier run left"
    );
    Some(Resumed { partial, chain, pieces })
}

fn confirm(partial: &PartialBlob, chain: &Chain) -> Bitfield {
    let geometry = chain.geometry();
    let mut good = Bitfield::empty(geometry.piece_count());
    let mut buffer = vec![0; geometry.piece_bytes() as usize];
    let mut is_good = |piece: PieceIndex| {
        let bytes = &mut buffer[..geometry.len(piece) as usize];
        let is_read = partial.read_piece(piece, bytes).is_ok();
        is_read && chain.check(piece).is_some_and(|check| check.verify(bytes))
    };
    for piece in partial.unconfirmed().iter() {
        if is_good(piece) {
            partial.confirm(piece);
            good.set(piece);
        }
    }
    good
}
