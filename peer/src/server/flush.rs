//! Knowing that bytes have left.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
};

use futures::task::AtomicWaker;

/// Counts how often everything written to a connection has reached the kernel.
///
/// hyper drops what it still buffers when a body fails. A body that breaks off therefore waits for one more flush
/// before it reports the failure: so the client gets every byte that was handed out.
#[derive(Debug, Default)]
pub(crate) struct FlushGate {
    completed: AtomicU64,
    waiting: AtomicWaker,
}

/// The flushes completed when the waiting began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushMark(u64);

impl FlushGate {
    /// Where to wait from: a flush that completes later than this covers everything handed to hyper so far.
    pub(crate) fn mark(&self) -> FlushMark {
        FlushMark(self.completed.load(Ordering::Acquire))
    }

    /// Ready once a flush has completed since `mark`.
    pub(crate) fn poll_since(&self, mark: FlushMark, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.register(cx.waker());
        if self.mark() == mark { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(super) fn completed(&self) {
        self.completed.fetch_add(1, Ordering::Release);
        self.waiting.wake();
    }
}
