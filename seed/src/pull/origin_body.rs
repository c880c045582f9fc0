//! The bytes of a blob as one unbroken stream, whatever happens to the connections that bring them.

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use shoal_protocol::{digest::Digest, reference::ImageName};

use super::backoff::Backoff;
use crate::origin::{BlobRange, OriginBlob, OriginError, Origins, PublicUrl};

/// Which bytes to bring, and what is known before the first answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) avoid: Option<usize>,
}

/// Brings a span of a blob in order. A broken connection is followed by another that goes on where it ended.
pub(super) struct OriginBody<'a> {
    origins: &'a Origins,
    image: &'a ImageName,
    digest: Digest,
    span: Span,
    backoff: Backoff,
    position: u64,
    current: Option<OriginBlob>,
    /// Bytes to drop before `position` is reached, of an origin that ignored the range.
    surplus: u64,
    asked: Option<(PublicUrl, usize)>,
}

impl<'a> OriginBody<'a> {
    pub(super) fn new(
        origins: &'a Origins,
        image: &'a ImageName,
        digest: Digest,
        span: Span,
        backoff: Backoff,
    ) -> Self {
        let position = span.start;
        Self { origins, image, digest, span, backoff, position, current: None, surplus: 0, asked: None }
    }

    /// Waits for the head of an answer, unless one is there already.
    pub(super) async fn open(&mut self) -> Result<(), OriginError> {
        while self.current.is_none() {
            let range = BlobRange { start: self.position, end: self.span.end, avoid: self.span.avoid };
            match self.origins.blob(self.image, &self.digest, range).await {
                Ok(blob) => self.accept(blob)?,
                Err(error) => self.wait_after(error).await?,
            }
        }
        Ok(())
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, OriginError> {
        while self.remaining() != Some(0) {
            self.open().await?;
            let Some(blob) = &mut self.current else { continue };
            match blob.body.next().await {
                Some(Ok(bytes)) => {
                    if let Some(bytes) = self.advance(bytes) {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => self.broke(error).await?,
                None if self.span.total.is_none() => self.span.total = Some(self.position),
                None => {
                    let what = format!("ended at byte {}, before the blob's end", self.position);
                    let error = OriginError::unavailable(&blob.url, what);
                    self.broke(error).await?;
                }
            }
        }
        Ok(None)
    }

    /// Length of the whole blob, once known.
    pub(super) fn total_bytes(&self) -> Option<u64> {
        self.span.total
    }

    /// The endpoint asked last.
    pub(super) fn endpoint(&self) -> Option<usize> {
        self.asked.as_ref().map(|(_, endpoint)| *endpoint)
    }

    /// The error that what was received is wrong: of the origin asked last, as the best guess.
    pub(super) fn corrupt(&self, what: &str) -> OriginError {
        match &self.asked {
            Some((url, _)) => OriginError::corrupt(url, what),
            None => OriginError::Unlisted { registry: self.image.registry.to_string() },
        }
    }

    fn remaining(&self) -> Option<u64> {
        let end = self.span.end.or(self.span.total)?;
        Some(end.saturating_sub(self.position))
    }

    fn accept(&mut self, blob: OriginBlob) -> Result<(), OriginError> {
        self.asked = Some((blob.url.clone(), blob.endpoint));
        if let (Some(total), Some(before)) = (blob.total_bytes, self.span.total)
            && total != before
        {
            return Err(self.corrupt(&format!("says that the blob has {total} bytes, which had {before}")));
        }
        self.span.total = self.span.total.or(blob.total_bytes);
        self.surplus = self.position.saturating_sub(blob.offset);
        self.current = Some(blob);
        Ok(())
    }

    /// What of `bytes` is new; dropped bytes are no progress.
    fn advance(&mut self, mut bytes: Bytes) -> Option<Bytes> {
        let surplus = self.surplus.min(bytes.len() as u64);
        self.surplus -= surplus;
        bytes.advance(usize::try_from(surplus).unwrap_or(usize::MAX));
        let wanted = self.remaining().unwrap_or(u64::MAX);
        bytes.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        if bytes.is_empty() {
            return None;
        }
        self.position += bytes.len() as u64;
        self.backoff.progressed();
        Some(bytes)
    }

    async fn broke(&mut self, error: OriginError) -> Result<(), OriginError> {
        if let Some(blob) = self.current.take() {
            self.origins.note_break(self.image, blob.endpoint, &error);
        }
        self.wait_after(error).await?;
        self.origins.count_resume(self.image);
        Ok(())
    }

    async fn wait_after(&mut self, error: OriginError) -> Result<(), OriginError> {
        let Some(delay) = self.backoff.after(&error) else { return Err(error) };
        tracing::info!(image = %self.image, digest = %self.digest, position = self.position, %error, ?delay, "the pull goes on after a wait");
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
