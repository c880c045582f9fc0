//! Blobs: from this node's store, or piece by piece from the others while they are read.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use shoal_protocol::{
    digest::Digest,
    geometry::Geometry,
    identity::NodeId,
    reference::ImageName,
    wire::{Answer, Query},
};
use tokio::task::spawn_blocking;

use super::{Asker, Cluster, Owner, nobody, nonsense, origin_failed};
use crate::{
    buffers::Buffers,
    content::{Blob, ContentError, Interrupted},
    exchange::Fetching,
    lane::PieceSource,
    metrics::Source,
    store::{CompleteBlob, PartialBlob},
};

/// Read at a time: few calls of the system, and a chunk stays in a core's own cache until it is written out.
const CHUNK_BYTES: u64 = 256 * 1024;

impl Cluster {
    /// A blob, as soon as its length is known.
    pub(super) async fn open_blob(
        &self,
        image: &ImageName,
        digest: &Digest,
    ) -> Result<Box<dyn Blob>, ContentError> {
        if let Some(blob) = self.stored_blob(digest) {
            return Ok(Box::new(StoredBlob { cluster: self.clone(), blob }));
        }
        if let Some(reason) = self.shared.given_up.reason(digest) {
            return Err(ContentError::NotHere(reason));
        }
        let stopped = |error: crate::exchange::Stopped| ContentError::NotHere(error.to_string());
        let fetching = self.parts().exchange.fetch(*digest, image.clone()).await.map_err(stopped)?;
        let Some(mut fetching) = fetching else {
            // It was completed just now.
            let blob = self.stored_blob(digest).ok_or_else(nobody)?;
            return Ok(Box::new(StoredBlob { cluster: self.clone(), blob }));
        };
        match fetching.geometry().await {
            Ok(geometry) => {
                Ok(Box::new(ArrivingBlob { cluster: self.clone(), digest: *digest, geometry, fetching }))
            }
            Err(reason) => {
                self.shared.given_up.insert(*digest, reason.clone());
                Err(ContentError::NotHere(reason))
            }
        }
    }

    /// The length of a blob, without fetching it.
    pub(super) async fn find_length(
        &self,
        image: &ImageName,
        digest: &Digest,
        asker: Asker,
    ) -> Result<u64, ContentError> {
        if let Some(info) = self.parts().store.info(digest) {
            return Ok(info.size_bytes);
        }
        for node in self.holders(digest) {
            if let Ok(len_bytes) = self.ask_for_length(node, image, digest).await {
                return Ok(len_bytes);
            }
        }
        let ask = |owner| async move {
            match owner {
                Owner::Me(origin) => {
                    origin.origins.stat(image, digest).await.map_err(|error| origin_failed(&error))
                }
                Owner::Seed(node) => self.ask_for_length(node, image, digest).await,
            }
        };
        self.ask_owners(&digest.to_string(), asker, ask).await
    }

    async fn ask_for_length(
        &self,
        node: NodeId,
        image: &ImageName,
        digest: &Digest,
    ) -> Result<u64, ContentError> {
        let query = Query::Stat { image: image.clone(), digest: *digest };
        match self.ask(node, &query).await? {
            Answer::Stat { size_bytes } => Ok(size_bytes),
            _ => Err(nonsense(node)),
        }
    }

    fn stored_blob(&self, digest: &Digest) -> Option<CompleteBlob> {
        // Opening a file is short enough for the reactor.
        self.parts().store.open_blob(digest).unwrap_or_else(|error| {
            tracing::warn!(%digest, %error, "a blob of the store can't be opened");
            None
        })
    }
}

/// A blob that this node has.
struct StoredBlob {
    cluster: Cluster,
    blob: CompleteBlob,
}

impl Blob for StoredBlob {
    fn len_bytes(&self) -> u64 {
        self.blob.size_bytes()
    }

    fn read(self: Box<Self>, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Interrupted>> {
        let next = |(this, range, buffers): (Box<Self>, Range<u64>, Buffers)| async move {
            if range.is_empty() {
                return None;
            }
            let most = range.start..range.end.min(range.start + CHUNK_BYTES);
            let read = read(&this.blob, most, &buffers).await;
            let read_bytes = read.as_ref().map_or(range.end - range.start, |bytes| bytes.len() as u64);
            if read.is_ok() {
                this.cluster.parts().metrics.received(Source::Disk, read_bytes);
            }
            Some((read, (this, range.start + read_bytes..range.end, buffers)))
        };
        stream::unfold((self, range, Buffers::default()), next).boxed()
    }
}

/// A blob that this node is fetching.
struct ArrivingBlob {
    cluster: Cluster,
    digest: Digest,
    geometry: Geometry,
    fetching: Fetching,
}

impl Blob for ArrivingBlob {
    fn len_bytes(&self) -> u64 {
        self.geometry.blob_bytes()
    }

    fn read(self: Box<Self>, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Interrupted>> {
        let next = |(mut this, range, buffers): (Box<Self>, Range<u64>, Buffers)| async move {
            if range.is_empty() {
                return None;
            }
            match this.next_chunk(&range, &buffers).await {
                Ok(bytes) => {
                    let rest = range.start + bytes.len() as u64..range.end;
                    Some((Ok(bytes), (this, rest, buffers)))
                }
                Err(interrupted) => {
                    this.cluster.shared.given_up.insert(this.digest, interrupted.0.clone());
                    Some((Err(interrupted), (this, range.end..range.end, buffers)))
                }
            }
        };
        stream::unfold((self, range, Buffers::default()), next).boxed()
    }
}

impl ArrivingBlob {
    /// The next bytes, up to the end of a piece.
    async fn next_chunk(&mut self, range: &Range<u64>, buffers: &Buffers) -> Result<Bytes, Interrupted> {
        let piece = self.geometry.covering(range.start..range.start + 1).start;
        let partial: PartialBlob = self.fetching.piece(piece).await.map_err(Interrupted)?;
        let end = self.geometry.range(piece).end.min(range.end).min(range.start + CHUNK_BYTES);
        read(&partial, range.start..end, buffers).await
    }
}

/// Some of `range`, at least a byte of it. What is in memory is read right here: the way to another thread and back costs
/// more than that.
async fn read(source: &impl PieceSource, range: Range<u64>, buffers: &Buffers) -> Result<Bytes, Interrupted> {
    let failed = |error: std::io::Error| Interrupted(error.to_string());
    let len_bytes = usize::try_from(range.end - range.start).unwrap_or(0);
    let mut buffer = buffers.take_full(len_bytes);
    match source.read_cached(range.start, &mut buffer).map_err(failed)? {
        0 => {
            let source = source.clone();
            let reading = spawn_blocking(move || source.read_at(range.start, &mut buffer).map(|()| buffer));
            let read = reading.await.map_err(std::io::Error::other).and_then(|read| read);
            read.map(Bytes::from_owner).map_err(failed)
        }
        cached_bytes => {
            buffer.truncate(cached_bytes);
            Ok(Bytes::from_owner(buffer))
        }
    }
}
