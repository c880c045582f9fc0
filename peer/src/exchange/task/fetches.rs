//! The life of a fetch: asked for, begun, recorded now and then, complete or given up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shoal_protocol::{
    chain::Chain,
    digest::Digest,
    exchange::FetchError,
    geometry::{Geometry, PieceIndex},
    identity::NodeId,
    reference::ImageName,
    wire::{CloseReason, Holding},
};
use tokio::{
    sync::oneshot,
    task::{JoinSet, spawn_blocking},
};

use super::Task;
use crate::{
    exchange::{
        ProgressReceiver,
        event::{Event, Resumed},
        resume,
        serving::encode_chain,
        transfer::Transfer,
    },
    metrics::Source,
    store::{CompleteBlob, PartialBlob, PartialError, StoreError},
};

/// How often verified pieces are made durable. A crash costs what was received since; each time costs a sync.
const RECORD_EVERY: Duration = Duration::from_secs(2);
/// How long a stop waits for the last sync.
const LAST_RECORDING: Duration = Duration::from_secs(3);

impl Task {
    /// Somebody on this node wants a blob.
    pub(super) fn on_fetch(
        &mut self,
        digest: Digest,
        image: ImageName,
        reply: oneshot::Sender<Option<ProgressReceiver>>,
    ) {
        let is_stored = !self.transfers.contains_key(&digest) && self.shared.store.info(&digest).is_some();
        if !is_stored {
            self.prepare(digest, image, false);
        }
        let progress = self.transfers.get(&digest).map(|transfer| transfer.progress.subscribe());
        // An error means that the asker has gone.
        let _ = reply.send(progress);
    }

    /// Looks for pieces of an earlier run, before anybody is asked for any; nothing when that has begun already.
    fn prepare(&mut self, digest: Digest, image: ImageName, asked_by_seed: bool) {
        if self.transfers.contains_key(&digest) {
            return;
        }
        self.transfers.insert(digest, Transfer::new());
        self.preparing.insert(digest);
        self.shared.inventory.set_local(digest, Some(Holding::Fetching));
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        self.children.spawn(async move {
            let resumed = spawn_blocking(move || resume::resume(&shared, &digest)).await.ok().flatten();
            // An error means that the exchange has stopped.
            let _ = events.send(Event::FetchReady { digest, image, asked_by_seed, resumed }).await;
        });
    }

    pub(super) fn on_fetch_ready(
        &mut self,
        digest: Digest,
        image: ImageName,
        asked_by_seed: bool,
        resumed: Option<Resumed>,
    ) {
        self.preparing.remove(&digest);
        let now = self.shared.clock.now();
        let members = self.members(&digest, asked_by_seed);
        self.machine.handle_fetch(now, digest, image, members);
        let (Some(resumed), Some(transfer)) = (resumed, self.transfers.get(&digest)) else { return };
        transfer.progress.send_modify(|state| state.partial = Some(resumed.partial));
        self.machine.handle_resumed(now, &digest, resumed.chain, &resumed.pieces);
        self.show_pieces(&digest);
    }

    /// The store was looked through for a blob that a neighbour asks about.
    pub(super) fn on_found(
        &mut self,
        digest: Digest,
        from: NodeId,
        source: Option<ImageName>,
        found: Option<(Chain, CompleteBlob)>,
    ) {
        let now = self.shared.clock.now();
        if let Some((chain, blob)) = found {
            self.open_blobs.insert(digest, blob);
            return self.machine.handle_hold(now, digest, chain);
        }
        let asked_by_seed = self.shared.inventory.is_seed(&from);
        match source.filter(|_| self.shared.seed.is_some()) {
            None if self.preparing.contains(&digest) => {}
            None => self.machine.handle_absent(&digest, CloseReason::NotHere),
            Some(_) if self.machine.chain(&digest).is_some() || self.transfers.contains_key(&digest) => {
                let members = self.members(&digest, asked_by_seed);
                self.machine.handle_members(now, &digest, members);
            }
            Some(_) if self.spoiled.is_hopeless(&digest) => {
                self.machine.handle_absent(&digest, CloseReason::OriginFailed);
            }
            Some(image) => self.prepare(digest, image, asked_by_seed),
        }
    }

    pub(super) fn begin(&mut self, digest: Digest, geometry: Geometry) {
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        self.children.spawn(async move {
            let begun = spawn_blocking(move || shared.store.begin(&digest, geometry)).await;
            if let Ok(result) = begun {
                // An error means that the exchange has stopped.
                let _ = events.send(Event::Begun { digest, result }).await;
            }
        });
    }

    pub(super) fn on_begun(&mut self, digest: Digest, result: Result<PartialBlob, StoreError>) {
        match (result, self.transfers.get(&digest)) {
            (Ok(partial), Some(transfer)) => {
                transfer.progress.send_modify(|state| state.partial = Some(partial));
                self.show_pieces(&digest);
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                tracing::warn!(%digest, %error, "no room for a blob; runtimes get it from the origin");
                self.end(&digest, format!("it can't be stored: {error}"));
                self.machine.handle_forget(&digest);
            }
        }
    }

    /// Shows readers what the machine knows.
    pub(super) fn show_pieces(&mut self, digest: &Digest) {
        let Some(transfer) = self.transfers.get(digest) else { return };
        let Some(pieces) = self.machine.pieces(digest) else { return };
        let is_streamable = self.machine.is_streamable(digest);
        transfer.progress.send_modify(|state| {
            state.have = pieces.clone();
            state.is_streamable = is_streamable;
        });
    }

    pub(super) fn on_authored(
        &mut self,
        digest: &Digest,
        chain: Chain,
        pieces: &[PieceIndex],
        len_bytes: u64,
    ) {
        self.shared.metrics.received(Source::Origin, len_bytes);
        self.machine.handle_author_chain(self.shared.clock.now(), digest, chain, pieces);
        self.note_stored(digest, pieces);
    }

    pub(super) fn on_pull_ended(&mut self, digest: Digest, result: Result<(), CloseReason>) {
        if result == Err(CloseReason::BadChain) {
            self.spoiled.note(digest);
        }
        self.machine.handle_pull_ended(self.shared.clock.now(), &digest, result);
    }

    /// Pieces are verified and written: readers may have them, and they are made durable in a while.
    pub(super) fn note_stored(&mut self, digest: &Digest, pieces: &[PieceIndex]) {
        if let Some(transfer) = self.transfers.get_mut(digest) {
            transfer.unrecorded.extend(pieces);
        }
        self.show_pieces(digest);
    }

    pub(super) fn record_due(&mut self) {
        for (digest, transfer) in &mut self.transfers {
            let is_due = !transfer.is_recording
                && !transfer.unrecorded.is_empty()
                && transfer.last_recorded.elapsed() >= RECORD_EVERY;
            let (true, Some(partial), Some(chain)) = (is_due, transfer.partial(), self.machine.chain(digest))
            else {
                continue;
            };
            transfer.is_recording = true;
            let (digest, chain, events) = (*digest, encode_chain(chain), self.events.clone());
            let pieces = std::mem::take(&mut transfer.unrecorded);
            self.children.spawn(async move {
                let recorded = spawn_blocking(move || partial.record(&pieces, &chain)).await;
                if let Ok(result) = recorded {
                    // An error means that the exchange has stopped.
                    let _ = events.send(Event::Recorded { digest, result }).await;
                }
            });
        }
    }

    /// Makes durable what can be, when the node stops: the next start goes on from there.
    pub(super) async fn record_all(&mut self) {
        let mut recordings = JoinSet::new();
        for (digest, transfer) in &mut self.transfers {
            let (Some(partial), Some(chain)) = (transfer.partial(), self.machine.chain(digest)) else {
                continue;
            };
            let (pieces, chain) = (std::mem::take(&mut transfer.unrecorded), encode_chain(chain));
            recordings.spawn_blocking(move || partial.record(&pieces, &chain));
        }
        let recorded = async { while recordings.join_next().await.is_some() {} };
        // What is not recorded by then is fetched again.
        let _ = tokio::time::timeout(LAST_RECORDING, recorded).await;
    }

    pub(super) fn on_recorded(&mut self, digest: &Digest, result: Result<(), PartialError>) {
        if let Some(transfer) = self.transfers.get_mut(digest) {
            transfer.is_recording = false;
            transfer.last_recorded = Instant::now();
        }
        // A blob that was completed in the meantime needs no record any more.
        if let Err(error) = result
            && !matches!(error, PartialError::Closed { .. })
        {
            tracing::warn!(%digest, %error, "pieces are not durable; after a crash they are fetched again");
        }
    }

    /// Every piece is verified: readers get the rest at once, and the blob its final name.
    pub(super) fn complete(&mut self, digest: Digest) {
        self.show_pieces(&digest);
        let Some(transfer) = self.transfers.get(&digest) else { return };
        transfer.end(Ok(()));
        let (Some(partial), Some(chain)) = (transfer.partial(), self.machine.chain(&digest)) else { return };
        let (chain, events) = (encode_chain(chain), self.events.clone());
        self.children.spawn(async move {
            let completed = spawn_blocking(move || partial.complete(&chain, None)).await;
            if let Ok(result) = completed {
                // An error means that the exchange has stopped.
                let _ = events.send(Event::Completed { digest, result }).await;
            }
        });
    }

    pub(super) fn on_completed(&mut self, digest: Digest, result: Result<CompleteBlob, PartialError>) {
        self.transfers.remove(&digest);
        match result {
            Ok(blob) => {
                tracing::info!(%digest, size_bytes = blob.size_bytes(), "complete");
                self.open_blobs.insert(digest, blob);
                self.shared.inventory.set_local(digest, Some(Holding::Holds));
            }
            Err(error) => {
                tracing::warn!(%digest, %error, "a complete blob can't be kept");
                self.shared.inventory.set_local(digest, None);
                self.machine.handle_forget(&digest);
            }
        }
    }

    /// What was received is worthless: its chain was false.
    pub(super) fn discard(&mut self, digest: &Digest, author: NodeId) {
        tracing::warn!(%digest, %author, "the chain by which pieces were verified is false; beginning anew");
        let Some(transfer) = self.transfers.get_mut(digest) else { return };
        transfer.unrecorded.clear();
        let partial = transfer.partial();
        transfer.progress.send_modify(|state| {
            state.partial = None;
            state.is_streamable = false;
        });
        self.show_pieces(digest);
        if let Some(partial) = partial {
            self.children.spawn(async move {
                let _ = spawn_blocking(move || partial.discard()).await;
            });
        }
    }

    pub(super) fn fail(&mut self, digest: &Digest, reason: FetchError) {
        tracing::info!(%digest, %reason, "not fetched");
        if let FetchError::Seeds(CloseReason::BadChain) = reason
            && let Some(partial) = self.transfers.get(digest).and_then(Transfer::partial)
        {
            self.children.spawn(async move {
                let _ = spawn_blocking(move || partial.discard()).await;
            });
        }
        self.end(digest, reason.to_string());
    }

    fn end(&mut self, digest: &Digest, reason: String) {
        self.shared.inventory.set_local(*digest, None);
        if let Some(transfer) = self.transfers.remove(digest) {
            transfer.end(Err(reason));
        }
    }

    /// The inventory may know more by now.
    pub(super) fn renew_members(&mut self) {
        let now = self.shared.clock.now();
        let digests: Vec<Digest> = self.machine.fetching().map(|(digest, _)| *digest).collect();
        for digest in digests {
            let members = self.members(&digest, false);
            self.machine.handle_members(now, &digest, members);
        }
    }
}
