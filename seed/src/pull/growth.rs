//! Growing the chain over the pieces that arrive.

use std::{io, time::Duration};

use bytes::Bytes;
use shoal_protocol::chain::{ChainBuildError, ChainBuilder};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{BATCH_BYTES, GrowthError, PieceSink, PullError};

/// Above this the hash goes to a thread where it may block: it takes longer than passing it over.
const INLINE_HASH_BYTES: usize = 128 * 1024;

/// Hashes what arrives and hands it on, until nothing more comes.
pub(super) async fn grow(
    mut chain: ChainBuilder,
    mut pieces: mpsc::Receiver<Bytes>,
    delay: Duration,
    sink: &dyn PieceSink,
) -> Result<ChainBuilder, GrowthError> {
    loop {
        let batch = next_batch(&mut pieces, delay).await;
        if batch.is_empty() {
            return Ok(chain);
        }
        let first = chain.next_piece();
        chain = hash(chain, batch.clone()).await?;
        sink.pieces(first, batch, &chain).await.map_err(|error| GrowthError::Pull(PullError::Sink(error)))?;
    }
}

/// What arrives within `delay` of the first piece, up to a bound. Empty at the end.
async fn next_batch(pieces: &mut mpsc::Receiver<Bytes>, delay: Duration) -> Vec<Bytes> {
    let Some(first) = pieces.recv().await else { return Vec::new() };
    let until = Instant::now() + delay;
    let mut length = first.len();
    let mut batch = vec![first];
    while length < BATCH_BYTES {
        let Ok(Some(piece)) = timeout_at(until, pieces.recv()).await else { break };
        length += piece.len();
        batch.push(piece);
    }
    batch
}

async fn hash(mut chain: ChainBuilder, batch: Vec<Bytes>) -> Result<ChainBuilder, GrowthError> {
    let length: usize = batch.iter().map(Bytes::len).sum();
    let push_all = move || batch.iter().try_for_each(|piece| chain.push(piece)).map(|()| chain);
    let pushed = if length <= INLINE_HASH_BYTES {
        push_all()
    } else {
        tokio::task::spawn_blocking(push_all).await.map_err(io::Error::other)?
    };
    // The pieces have the lengths that the geometry gives them, so only their content can be wrong.
    pushed.map_err(|_: ChainBuildError| GrowthError::Digest)
}
