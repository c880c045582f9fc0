//! What readers see of a blob that is being fetched.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use shoal_protocol::{
    bitfield::Bitfield,
    digest::Digest,
    exchange::ReaderId,
    geometry::{Geometry, PieceIndex},
};
use tokio::sync::watch;

use super::{ExchangeHandle, ProgressReceiver};
use crate::store::PartialBlob;

/// The state of a fetch, seen from outside.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Where the pieces are; `None` as long as the length is not known.
    pub partial: Option<PartialBlob>,
    /// The verified pieces.
    pub have: Bitfield,
    /// Verified bytes may go to a runtime already.
    pub is_streamable: bool,
    /// How the fetch ended: with every piece verified, or with a reason.
    pub end: Option<Result<(), String>>,
}

/// The task's side of a fetch.
pub(super) struct Transfer {
    pub(super) progress: watch::Sender<Progress>,
    /// Verified pieces that are not recorded as durable.
    pub(super) unrecorded: Vec<PieceIndex>,
    /// A recording is under way.
    pub(super) is_recording: bool,
    pub(super) last_recorded: Instant,
}

impl Transfer {
    pub(super) fn new() -> Self {
        let nothing = Progress { partial: None, have: Bitfield::empty(0), is_streamable: false, end: None };
        let (progress, _) = watch::channel(nothing);
        Self { progress, unrecorded: Vec::new(), is_recording: false, last_recorded: Instant::now() }
    }

    pub(super) fn partial(&self) -> Option<PartialBlob> {
        self.progress.borrow().partial.clone()
    }

    pub(super) fn end(&self, end: Result<(), String>) {
        self.progress.send_modify(|state| state.end = Some(end));
    }
}

/// A reader of a blob that is being fetched.
pub struct Fetching {
    digest: Digest,
    reader: ReaderId,
    progress: ProgressReceiver,
    exchange: ExchangeHandle,
}

impl Fetching {
    pub(super) fn new(digest: Digest, progress: ProgressReceiver, exchange: ExchangeHandle) -> Self {
        static NEXT_READER: AtomicU64 = AtomicU64::new(0);
        let reader = ReaderId(NEXT_READER.fetch_add(1, Ordering::Relaxed));
        Self { digest, reader, progress, exchange }
    }

    /// Waits until the length is known.
    ///
    /// # Errors
    /// With the reason, when the fetch ends before.
    pub async fn geometry(&mut self) -> Result<Geometry, String> {
        let state = self.progress.wait_for(|state| state.partial.is_some() || is_failed(state)).await;
        let state = state.map_err(|_| gone())?;
        match (&state.partial, &state.end) {
            (Some(partial), _) => Ok(partial.geometry()),
            (None, Some(Err(reason))) => Err(reason.clone()),
            (None, _) => Err(gone()),
        }
    }

    /// Waits until a piece is verified and may be read, and says where.
    ///
    /// # Errors
    /// With the reason, when the fetch ends before.
    pub async fn piece(&mut self, piece: PieceIndex) -> Result<PartialBlob, String> {
        let is_ready = |state: &Progress| state.have.has(piece) && (state.is_streamable || is_whole(state));
        if !is_ready(&self.progress.borrow()) {
            self.exchange.note_reader(self.digest, self.reader, Some(piece));
        }
        let state = self.progress.wait_for(|state| is_ready(state) || is_failed(state)).await;
        let state = state.map_err(|_| gone())?;
        match (&state.partial, &state.end) {
            (Some(partial), _) if is_ready(&state) => Ok(partial.clone()),
            (_, Some(Err(reason))) => Err(reason.clone()),
            _ => Err(gone()),
        }
    }

    /// Waits until the fetch has ended.
    ///
    /// # Errors
    /// With the reason, when it ended without the whole blob.
    pub async fn end(&mut self) -> Result<(), String> {
        let state = self.progress.wait_for(|state| state.end.is_some()).await.map_err(|_| gone())?;
        state.end.clone().unwrap_or_else(|| Err(gone()))
    }

    /// Waits until the fetch has ended, and tells `arrived` how many bytes are verified whenever that changes.
    ///
    /// # Errors
    /// With the reason, when it ended without the whole blob.
    pub async fn end_telling(&mut self, arrived: impl Fn(u64)) -> Result<(), String> {
        loop {
            let (arrived_bytes, end) = {
                let state = self.progress.borrow_and_update();
                (state.arrived_bytes(), state.end.clone())
            };
            arrived(arrived_bytes);
            if let Some(end) = end {
                return end;
            }
            self.progress.changed().await.map_err(|_| gone())?;
        }
    }
}

impl Progress {
    /// Length of the verified pieces. The last piece, which can be shorter, is taken for as long as the others.
    fn arrived_bytes(&self) -> u64 {
        let Some(partial) = &self.partial else { return 0 };
        let geometry = partial.geometry();
        (u64::from(self.have.count()) * u64::from(geometry.piece_bytes())).min(geometry.blob_bytes())
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.exchange.note_reader(self.digest, self.reader, None);
    }
}

fn is_failed(state: &Progress) -> bool {
    matches!(state.end, Some(Err(_)))
}

fn is_whole(state: &Progress) -> bool {
    matches!(state.end, Some(Ok(())))
}

fn gone() -> String {
    "the fetch was given up because this node is shutting down".to_owned()
}
