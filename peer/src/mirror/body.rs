//! The body of a blob, which may break off but never lies about it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::pull::Pull;
use crate::{
    content::Interrupted,
    metrics::Outcome,
    server::{FlushGate, FlushMark},
};

/// Why a body ends before its length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The content itself gave up.
    #[error("the rest can't be had here in time: {0}")]
    Interrupted(String),
    /// The content ended before the length it had told.
    #[error("the content ended early")]
    Short,
    /// Nothing came for too long.
    #[error("nothing came for {0:?}")]
    Stalled(Duration),
    /// This node stops.
    #[error("this node is stopping")]
    Stopping,
}

impl Broken {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Interrupted(_) => "interrupted",
            Self::Short => "short",
            Self::Stalled(_) => "stalled",
            Self::Stopping => "stopping",
        }
    }
}

/// The bytes of a blob for as long as they come.
pub(super) type Chunks = BoxStream<'static, Result<Bytes, Broken>>;

/// Ends `chunks` also when nothing comes for `stall_timeout`, or at the `cut`.
pub(super) fn bounded(
    chunks: BoxStream<'static, Result<Bytes, Interrupted>>,
    stall_timeout: Duration,
    cut: CancellationToken,
) -> Chunks {
    let next = move |mut chunks: BoxStream<'static, Result<Bytes, Interrupted>>| {
        let cut = cut.clone();
        async move {
            let chunk = tokio::select! {
                biased;
                () = cut.cancelled() => Err(Broken::Stopping),
                chunk = tokio::time::timeout(stall_timeout, chunks.next()) => match chunk {
                    Ok(Some(Ok(bytes))) => Ok(bytes),
                    Ok(Some(Err(Interrupted(why)))) => Err(Broken::Interrupted(why)),
                    Ok(None) => Err(Broken::Short),
                    Err(_) => Err(Broken::Stalled(stall_timeout)),
                },
            };
            Some((chunk, chunks))
        }
    };
    stream::unfold(chunks, next).boxed()
}

/// A body of a known length that ends short when its content does.
///
/// Dropping it, as hyper does when the client leaves, drops the content's stream.
pub(super) struct BlobBody {
    chunks: Chunks,
    remaining_bytes: u64,
    flush: Arc<FlushGate>,
    breaking: Option<(Broken, FlushMark)>,
    pull: Pull,
}

impl BlobBody {
    /// A body of the next `len_bytes` of `chunks`.
    pub(super) fn new(chunks: Chunks, len_bytes: u64, flush: Arc<FlushGate>, mut pull: Pull) -> Self {
        if len_bytes == 0 {
            pull.end(Outcome::Served);
        }
        Self { chunks, remaining_bytes: len_bytes, flush, breaking: None, pull }
    }

    /// Hands out a chunk, cut to what is due: a client counts on Content-Length.
    fn hand_out(&mut self, mut bytes: Bytes) -> Frame<Bytes> {
        let due_bytes = usize::try_from(self.remaining_bytes).unwrap_or(usize::MAX);
        bytes.truncate(due_bytes);
        self.pull.sends(bytes.len());
        self.remaining_bytes -= bytes.len() as u64;
        if self.remaining_bytes == 0 {
            self.pull.end(Outcome::Served);
        }
        Frame::data(bytes)
    }

    fn break_off(&mut self, broken: Broken) -> (Broken, FlushMark) {
        tracing::info!(
            asked = self.pull.asked(),
            remaining_bytes = self.remaining_bytes,
            %broken,
            "a body ends short; the runtime resumes, in the end at the origin"
        );
        self.pull.end(Outcome::Broken(broken.reason()));
        (broken, self.flush.mark())
    }
}

impl Body for BlobBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let body = &mut *self;
        if body.remaining_bytes == 0 {
            return Poll::Ready(None);
        }
        let (broken, mark) = match body.breaking.take() {
            Some(breaking) => breaking,
            None => match ready!(body.chunks.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => return Poll::Ready(Some(Ok(body.hand_out(bytes)))),
                Some(Err(broken)) => body.break_off(broken),
                None => body.break_off(Broken::Short),
            },
        };
        // An error makes hyper drop what it has not written yet, so what was handed out must leave first.
        match body.flush.poll_since(mark, cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(broken))),
            Poll::Pending => {
                body.breaking = Some((broken, mark));
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining_bytes)
    }
}
