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
    content::{Blob, ContentError, Interrupted},
    exchange::Fetching,
    metrics::Source,
    store::{CompleteBlob, PartialBlob},
};

/// Read from disk at a time: long enough that the way to the reading thread costs nothing in comparison.
const CHUNK_BYTES: u64 = 512 * 1024;

impl Cluster {
    /// A blob, as soon as its length is known.
    pub(super) async fn open_blob(
        &self,
        image: &ImageName,
        digest: &Digest,
    ) -> Result<Box<dyn Blob>, ContentError> {
        if let Some(blob) = self.stored_blob(digest).await {
            return Ok(Box::new(StoredBlob { cluster: self.clone(), blob }));
        }
        if let Some(reason) = self.shared.given_up.reason(digest) {
            return Err(ContentError::NotHere(reason));
        }
        let stopped = |error: crate::exchange::Stopped| ContentError::NotHere(error.to_string());
        let fetching = self.parts().exchange.fetch(*digest, image.clone()).await.map_err(stopped)?;
        let Some(mut fetching) = fetching else {
            // It was completed just now.
            let blob = self.stored_blob(digest).await.ok_or_else(nobody)?;
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

    async fn stored_blob(&self, digest: &Digest) -> Option<CompleteBlob> {
        let (store, digest) = (self.parts().store.clone(), *digest);
        match spawn_blocking(move || store.open_blob(&digest)).await {
            Ok(Ok(blob)) => blob,
            Ok(Err(error)) => {
                tracing::warn!(%digest, %error, "a blob of the store can't be opened");
                None
            }
            Err(_) => None,
        }
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
        let next = |(this, range): (Box<Self>, Range<u64>)| async move {
            let len_bytes = (range.end - range.start).min(CHUNK_BYTES);
            if len_bytes == 0 {
                return None;
            }
            let (blob, start) = (this.blob.clone(), range.start);
            let read =
                read(len_bytes, move |bytes| blob.read_at(start, bytes).map_err(|error| error.to_string()));
            let read = read.await;
            if read.is_ok() {
                this.cluster.parts().metrics.received(Source::Disk, len_bytes);
            }
            let rest = if read.is_ok() { range.start + len_bytes..range.end } else { range.end..range.end };
            Some((read, (this, rest)))
        };
        stream::unfold((self, range), next).boxed()
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
        let next = |(mut this, range): (Box<Self>, Range<u64>)| async move {
            if range.is_empty() {
                return None;
            }
            match this.next_chunk(&range).await {
                Ok(bytes) => {
                    let rest = range.start + bytes.len() as u64..range.end;
                    Some((Ok(bytes), (this, rest)))
                }
                Err(interrupted) => {
                    this.cluster.shared.given_up.insert(this.digest, interrupted.0.clone());
                    Some((Err(interrupted), (this, range.end..range.end)))
                }
            }
        };
        stream::unfold((self, range), next).boxed()
    }
}

impl ArrivingBlob {
    /// The next bytes, up to the end of a piece.
    async fn next_chunk(&mut self, range: &Range<u64>) -> Result<Bytes, Interrupted> {
        let piece = self.geometry.covering(range.start..range.start + 1).start;
        let partial: PartialBlob = self.fetching.piece(piece).await.map_err(Interrupted)?;
        let end = self.geometry.range(piece).end.min(range.end).min(range.start + CHUNK_BYTES);
        let start = range.start;
        read(end - start, move |bytes| partial.read_at(start, bytes).map_err(|error| error.to_string())).await
    }
}

async fn read(
    len_bytes: u64,
    fill: impl FnOnce(&mut [u8]) -> Result<(), String> + Send + 'static,
) -> Result<Bytes, Interrupted> {
    let reading = spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or(0)];
        fill(&mut bytes).map(|()| Bytes::from(bytes))
    });
    reading.await.map_err(|error| Interrupted(error.to_string()))?.map_err(Interrupted)
}
