//! What the machine wants done.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use shoal_protocol::{
    digest::Digest,
    exchange::{Action, Members},
    geometry::PieceIndex,
    identity::NodeId,
    reference::ImageName,
    wire::{Channel, LaneHeader},
};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::Task;
use crate::exchange::{
    authoring::Pull,
    event::{Event, UploadJob},
    lanes::{self, MAX_JOBS},
    serving::{PieceFile, open_complete},
};

impl Task {
    /// Starts everything that the machine wants done by now.
    pub(super) fn carry_out(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect { node } => self.connect(node),
            Action::Send { to, message } => self.send(to, message),
            Action::Upload { to, digest, channel, piece } => self.upload(to, digest, channel, piece),
            Action::CancelUpload { to, digest, piece } => {
                if let Some(cancelled) = self.cancels.get(&(to, digest, piece)) {
                    cancelled.store(true, Ordering::Relaxed);
                }
            }
            Action::Lookup { digest, from, source } => self.look_up(digest, from, source),
            Action::Begin { digest, geometry } => self.begin(digest, geometry),
            Action::Complete { digest } => self.complete(digest),
            Action::Discard { digest, author } => self.discard(&digest, author),
            Action::Failed { digest, reason } => self.fail(&digest, reason),
            Action::Pull { digest } => self.pull(digest, None),
            Action::PullPieces { digest, pieces } => self.pull(digest, Some(pieces)),
            Action::Strike { node, fault } => self.strike(node, fault),
        }
    }

    fn upload(&mut self, to: NodeId, digest: Digest, channel: Channel, piece: PieceIndex) {
        let Some(job) = self.upload_job(digest, channel, piece) else {
            tracing::warn!(%digest, piece, "a piece that was promised is not in the store");
            return self.on_uploaded(to, digest, piece, false);
        };
        self.cancels.insert((to, digest, piece), Arc::clone(&job.cancelled));
        let jobs = self.uploaders.entry(to).or_insert_with(|| {
            let (jobs, waiting) = mpsc::channel(MAX_JOBS);
            self.children.spawn(lanes::upload(Arc::clone(&self.shared), to, waiting, self.events.clone()));
            jobs
        });
        if jobs.try_send(job).is_err() {
            self.on_uploaded(to, digest, piece, false);
        }
    }

    fn upload_job(&mut self, digest: Digest, channel: Channel, piece: PieceIndex) -> Option<UploadJob> {
        let geometry = self.machine.chain(&digest)?.geometry();
        let partial = self.transfers.get(&digest).and_then(|transfer| transfer.partial());
        let file = match partial {
            Some(partial) => PieceFile::Partial(partial),
            None => PieceFile::Complete(self.open_complete(&digest)?),
        };
        Some(UploadJob {
            digest,
            header: LaneHeader { channel, piece, len_bytes: geometry.len(piece) },
            offset: geometry.range(piece).start,
            file,
            cancelled: Arc::new(AtomicBool::new(false)),
        })
    }

    /// A blob that is complete here: usually open already.
    fn open_complete(&mut self, digest: &Digest) -> Option<crate::store::CompleteBlob> {
        if let Some(blob) = self.open_blobs.get(digest) {
            return Some(blob);
        }
        // Opening a file is short enough for the reactor.
        let blob = self.shared.store.open_blob(digest).ok()??;
        self.open_blobs.insert(*digest, blob.clone());
        Some(blob)
    }

    fn look_up(&mut self, digest: Digest, from: NodeId, source: Option<ImageName>) {
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        self.children.spawn(async move {
            let found = spawn_blocking(move || open_complete(&shared, &digest)).await.ok().flatten();
            // An error means that the exchange has stopped.
            let _ = events.send(Event::Found { digest, from, source, found }).await;
        });
    }

    fn pull(&mut self, digest: Digest, pieces: Option<Vec<PieceIndex>>) {
        let source = self.machine.fetching().find(|(fetched, _)| **fetched == digest);
        let (Some((_, image)), Some(seed)) = (source, self.shared.seed.clone()) else { return };
        let Some(transfer) = self.transfers.get(&digest) else { return };
        let pull = Pull {
            shared: Arc::clone(&self.shared),
            seed,
            digest,
            image: image.clone(),
            chain: self.machine.chain(&digest).cloned(),
            progress: transfer.progress.subscribe(),
            events: self.events.clone(),
        };
        match pieces {
            None => self.children.spawn(pull.blob()),
            Some(pieces) => self.children.spawn(pull.pieces(pieces)),
        };
    }

    /// Who takes part in a blob; when a seed is asked by another seed, that one has decided who owns the blob.
    pub(super) fn members(&self, digest: &Digest, asked_by_seed: bool) -> Members {
        let members = self.shared.inventory.members(digest);
        if asked_by_seed {
            return Members { seeds: vec![self.shared.key().node_id()], ..members };
        }
        members
    }
}
