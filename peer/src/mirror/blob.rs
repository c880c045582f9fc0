//! A blob that was found, and which part of it goes out.

use std::{ops::Range, sync::Arc};

use futures::{StreamExt, stream};
use http::{HeaderMap, header};
use shoal_protocol::digest::Digest;

use super::{
    MirrorConfig,
    answer::{self, Answer, entity_tag},
    body::{BlobBody, Chunks, bounded},
    error::MirrorError,
    pull::Pull,
    range::{self, Selection},
};
use crate::{
    content::{Blob, ContentError},
    metrics::RequestKind,
    server::{Connection, FlushGate},
};

/// A blob, and what was asked of it.
pub(super) struct SelectedBlob {
    blob: Box<dyn Blob>,
    digest: Digest,
    /// `None` for the whole blob.
    part: Option<Range<u64>>,
}

/// A blob whose first bytes are there, or on their way.
pub(super) struct StartedBlob {
    digest: Digest,
    len_bytes: u64,
    part: Option<Range<u64>>,
    chunks: Chunks,
}

impl SelectedBlob {
    /// Reads from the headers which part is asked for.
    pub(super) fn new(blob: Box<dyn Blob>, digest: Digest, headers: &HeaderMap) -> Result<Self, MirrorError> {
        let len_bytes = blob.len_bytes();
        let part = match requested_range(headers, &digest).map(|range| range::select(range, len_bytes)) {
            None | Some(Selection::Whole) => None,
            Some(Selection::Part(part)) => Some(part),
            Some(Selection::Outside) => return Err(MirrorError::OutsideRange { len_bytes }),
        };
        Ok(Self { blob, digest, part })
    }

    /// Starts reading, and waits a little for the first bytes: a failure before them is a clean "not here", while after
    /// the headers only a short body can tell it.
    pub(super) async fn start(
        self,
        config: &MirrorConfig,
        connection: &Connection,
    ) -> Result<StartedBlob, MirrorError> {
        let Self { blob, digest, part } = self;
        let len_bytes = blob.len_bytes();
        let started = |chunks| StartedBlob { digest, len_bytes, part: part.clone(), chunks };
        if len_bytes == 0 {
            return Ok(started(stream::empty().boxed()));
        }
        let range = part.clone().unwrap_or(0..len_bytes);
        let mut chunks = bounded(blob.read(range), config.stall_timeout, connection.cut.clone());
        match tokio::time::timeout(config.first_bytes_wait, chunks.next()).await {
            Ok(Some(Ok(first))) => {
                let first = stream::once(async { Ok(first) });
                Ok(started(first.chain(chunks).boxed()))
            }
            Ok(Some(Err(broken))) => Err(MirrorError::Content {
                kind: RequestKind::Blob,
                error: ContentError::NotHere(broken.to_string()),
            }),
            Ok(None) | Err(_) => Ok(started(chunks)),
        }
    }
}

impl StartedBlob {
    /// The answer that streams it.
    pub(super) fn into_answer(self, flush: Arc<FlushGate>, pull: Pull) -> Answer {
        let due_bytes = self.part.as_ref().map_or(self.len_bytes, |part| part.end - part.start);
        let body = BlobBody::new(self.chunks, due_bytes, flush, pull);
        answer::blob(&self.digest, self.len_bytes, self.part, body)
    }
}

/// The range asked for, unless `If-Range` names another content.
fn requested_range<'a>(headers: &'a HeaderMap, digest: &Digest) -> Option<&'a str> {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let range = ranges.next()?.to_str().ok()?;
    let same_content =
        headers.get(header::IF_RANGE).is_none_or(|condition| condition == entity_tag(digest).as_str());
    (same_content && ranges.next().is_none()).then_some(range)
}
