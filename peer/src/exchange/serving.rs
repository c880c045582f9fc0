//! Reading the pieces that others get.

use std::{
    collections::HashMap,
    fs::File,
    io,
    ops::Range,
    time::{Duration, Instant},
};

use shoal_protocol::{
    chain::{Chain, ChainBuilder, ChainUpdate},
    digest::Digest,
    geometry::Geometry,
    wire::Wire,
};

use super::Shared;
use crate::{
    lane::PieceSource,
    store::{CompleteBlob, PartialBlob},
};

/// A complete blob that nobody has been sent a piece of for so long is closed.
const KEEP_OPEN: Duration = Duration::from_secs(120);

/// A file that has pieces.
#[derive(Clone)]
pub(super) enum PieceFile {
    Partial(PartialBlob),
    Complete(CompleteBlob),
}

impl PieceSource for PieceFile {
    fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Partial(partial) => PieceSource::read_cached(partial, offset, bytes),
            Self::Complete(complete) => PieceSource::read_cached(complete, offset, bytes),
        }
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Partial(partial) => PieceSource::read_at(partial, offset, bytes),
            Self::Complete(complete) => PieceSource::read_at(complete, offset, bytes),
        }
    }

    fn file(&self, range: Range<u64>) -> Option<&File> {
        match self {
            Self::Partial(partial) => partial.file(range),
            Self::Complete(complete) => complete.file(range),
        }
    }
}

/// Complete blobs that are open because others get pieces of them.
#[derive(Default)]
pub(super) struct OpenBlobs {
    blobs: HashMap<Digest, (CompleteBlob, Instant)>,
}

impl OpenBlobs {
    pub(super) fn insert(&mut self, digest: Digest, blob: CompleteBlob) {
        self.blobs.insert(digest, (blob, Instant::now()));
    }

    pub(super) fn get(&mut self, digest: &Digest) -> Option<CompleteBlob> {
        let (blob, last_used) = self.blobs.get_mut(digest)?;
        *last_used = Instant::now();
        Some(blob.clone())
    }

    pub(super) fn close_idle(&mut self) {
        self.blobs.retain(|_, (_, last_used)| last_used.elapsed() < KEEP_OPEN);
    }
}

/// Opens a complete blob with its chain; blocks. Where the chain was lost, the blob is hashed to make it anew.
pub(super) fn open_complete(shared: &Shared, digest: &Digest) -> Option<(Chain, CompleteBlob)> {
    let blob = match shared.store.open_blob(digest) {
        Ok(blob) => blob?,
        Err(error) => {
            tracing::warn!(%digest, %error, "a blob of the store can't be opened for another node");
            return None;
        }
    };
    let kept =
        shared.store.chain(digest).and_then(|bytes| decode_chain(digest, &bytes)).filter(Chain::is_whole);
    let chain = kept.or_else(|| make_chain(shared, digest, &blob))?;
    Some((chain, blob))
}

/// A chain as it is kept beside a blob.
pub(super) fn encode_chain(chain: &Chain) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(update) = chain.update_from(0) {
        update.encode(&mut bytes);
    }
    bytes
}

pub(super) fn decode_chain(digest: &Digest, bytes: &[u8]) -> Option<Chain> {
    let update = ChainUpdate::decode(bytes).ok()?;
    Chain::from_update(*digest, &update).ok()
}

fn make_chain(shared: &Shared, digest: &Digest, blob: &CompleteBlob) -> Option<Chain> {
    let geometry = Geometry::for_blob(blob.size_bytes()).ok()?;
    let mut builder = ChainBuilder::new(*digest, geometry);
    let mut buffer = vec![0; geometry.piece_bytes() as usize];
    for piece in 0..geometry.piece_count() {
        let bytes = &mut buffer[..geometry.len(piece) as usize];
        let read = blob.read_at(geometry.range(piece).start, bytes).map_err(|error| error.to_string());
        let pushed = read.and_then(|()| builder.push(bytes).map_err(|error| error.to_string()));
        if let Err(error) = pushed {
            tracing::warn!(%digest, error, "a blob of the store can't be served");
            return None;
        }
    }
    Some(builder.sign(shared.key(), shared.seed.as_ref().map(|seed| seed.token.clone())))
}
