//! Blobs of an origin: their length, and their bytes from any offset.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use http::{Method, StatusCode};
use shoal_protocol::{
    bounds::{MAX_PIECE_BYTES, MAX_PIECES},
    digest::Digest,
    reference::ImageName,
};

use super::{
    Answer, Ask, Origins, body, content_length, content_range,
    error::{OriginError, PublicUrl},
    pace::Pace,
    read_head,
    registry::Registry,
};
use crate::metrics::Kind;

/// Longest blob that fits a piece chain.
pub(crate) const MAX_BLOB_BYTES: u64 = MAX_PIECES as u64 * MAX_PIECE_BYTES as u64;

/// Which bytes of a blob to ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobRange {
    /// The first byte.
    pub start: u64,
    /// The byte after the last; `None` for the blob's end.
    pub end: Option<u64>,
    /// An endpoint that gave wrong bytes: asked only when no other answers.
    pub avoid: Option<usize>,
}

/// A blob that an origin has begun to send. Its bytes are not verified yet.
pub struct OriginBlob {
    /// Length of the whole blob, where the origin said so.
    pub total_bytes: Option<u64>,
    /// Where `body` begins: the offset asked for, or 0 if the origin ignored the range.
    pub offset: u64,
    /// The URL that was asked.
    pub url: PublicUrl,
    /// The number of the endpoint that answered, for [`BlobRange::avoid`].
    pub endpoint: usize,
    /// The bytes. Part of the registry's budget is taken until this is dropped.
    pub body: BoxStream<'static, Result<Bytes, OriginError>>,
}

impl Origins {
    /// The length of a blob.
    ///
    /// # Errors
    /// When the origin can't be asked, does not have the blob, or does not tell.
    pub async fn stat(&self, image: &ImageName, digest: &Digest) -> Result<u64, OriginError> {
        let registry = self.registry(&image.registry)?;
        let head = registry.ask(&ask(Kind::Stat, Method::HEAD, image, digest)).await?;
        let url = head.url.clone();
        if let Some(length) = read_head(head, content_length)? {
            return checked_total(length, &url);
        }
        let first_byte = BlobRange { end: Some(1), ..BlobRange::default() };
        let answer = ask_range(&registry, ask(Kind::Stat, Method::GET, image, digest), first_byte).await?;
        let url = answer.url.clone();
        open(answer, first_byte)?
            .total_bytes
            .ok_or_else(|| OriginError::refused(&url, "does not tell the blob's length"))
    }

    /// The bytes of a blob, from the range's start or, if the origin can't do that, from 0.
    ///
    /// # Errors
    /// When the origin can't be asked, does not have the blob, or answers with another range.
    pub async fn blob(
        &self,
        image: &ImageName,
        digest: &Digest,
        range: BlobRange,
    ) -> Result<OriginBlob, OriginError> {
        let registry = self.registry(&image.registry)?;
        let ask = Ask { avoid: range.avoid, ..ask(Kind::Blob, Method::GET, image, digest) };
        let mut blob = open(ask_range(&registry, ask, range).await?, range)?;
        let received = self.metrics.bytes_of(&registry.label);
        let count =
            move |bytes: &Result<Bytes, _>| received.inc_by(bytes.as_ref().map_or(0, Bytes::len) as u64);
        blob.body = blob.body.inspect(count).boxed();
        if let Some(pace) = registry.pace.clone() {
            blob.body = blob.body.then(move |bytes| paced(Arc::clone(&pace), bytes)).boxed();
        }
        Ok(blob)
    }

    /// How many endpoints the image's registry has.
    pub(crate) fn endpoint_count(&self, image: &ImageName) -> usize {
        self.registry(&image.registry).map_or(0, |registry| registry.endpoint_count())
    }

    /// Counts a blob whose bytes did not have its digest.
    pub(crate) fn count_corrupt(&self, image: &ImageName) {
        if let Ok(registry) = self.registry(&image.registry) {
            self.metrics.corrupt(&registry.label);
        }
    }

    /// Counts a download that goes on over a new connection, perhaps to another endpoint.
    pub(crate) fn count_resume(&self, image: &ImageName) {
        if let Ok(registry) = self.registry(&image.registry) {
            self.metrics.resumed(&registry.label);
        }
    }

    /// Remembers that an endpoint broke off in the middle of a blob.
    pub(crate) fn note_break(&self, image: &ImageName, endpoint: usize, error: &OriginError) {
        if let Ok(registry) = self.registry(&image.registry) {
            registry.broke_off(endpoint, error);
        }
    }
}

impl fmt::Debug for OriginBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginBlob")
            .field("url", &self.url)
            .field("total_bytes", &self.total_bytes)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

fn ask<'a>(kind: Kind, method: Method, image: &'a ImageName, digest: &Digest) -> Ask<'a> {
    let (repository, item) = (&image.repository, format!("blobs/{digest}"));
    Ask { kind, method, repository, item, query: "", accept: None, range: None, avoid: None }
}

/// Asks for the range and, where the origin refuses ranges, for everything.
async fn ask_range(registry: &Registry, ask: Ask<'_>, range: BlobRange) -> Result<Answer, OriginError> {
    let header = match (range.start, range.end) {
        (0, None) => None,
        (start, None) => Some(format!("bytes={start}-")),
        (start, Some(end)) => Some(format!("bytes={start}-{}", end.saturating_sub(1).max(start))),
    };
    let asked_for_range = header.is_some();
    let ask = Ask { range: header, ..ask };
    let answer = registry.ask(&ask).await?;
    let refused = matches!(
        answer.response.status(),
        StatusCode::BAD_REQUEST | StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_IMPLEMENTED
    );
    if asked_for_range && refused {
        // The first answer's part of the budget, before asking for another.
        drop(answer);
        return registry.ask(&Ask { range: None, ..ask }).await?.success();
    }
    answer.success()
}

async fn paced(pace: Arc<Pace>, bytes: Result<Bytes, OriginError>) -> Result<Bytes, OriginError> {
    pace.pass(bytes.as_ref().map_or(0, Bytes::len)).await;
    bytes
}

fn open(answer: Answer, range: BlobRange) -> Result<OriginBlob, OriginError> {
    let Answer { response, url, endpoint, permit, .. } = answer;
    let headers = response.headers();
    let (offset, total_bytes) = match response.status() {
        StatusCode::PARTIAL_CONTENT => content_range(headers)
            .filter(|(start, _)| *start == range.start)
            .ok_or_else(|| OriginError::refused(&url, "answered 206 with another range than asked for"))?,
        _ => (0, content_length(headers)),
    };
    let total_bytes = total_bytes.map(|total| checked_total(total, &url)).transpose()?;
    let body = body::stream(response, url.clone())
        // The permit lives as long as the stream that owns this closure.
        .inspect(move |_| {
            let _held = &permit;
        })
        .boxed();
    Ok(OriginBlob { total_bytes, offset, url, endpoint, body })
}

fn checked_total(total: u64, url: &PublicUrl) -> Result<u64, OriginError> {
    if total > MAX_BLOB_BYTES {
        return Err(OriginError::refused(
            url,
            format!("has a blob of {total} bytes, and {MAX_BLOB_BYTES} is the most"),
        ));
    }
    Ok(total)
}
