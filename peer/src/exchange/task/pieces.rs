//! Pieces that come and go.

use shoal_protocol::{
    digest::Digest,
    exchange::{PieceOutcome, Refused},
    geometry::PieceIndex,
    identity::NodeId,
    wire::LaneHeader,
};
use tokio::sync::oneshot;

use super::Task;
use crate::{exchange::event::Expected, metrics::Source};

impl Task {
    pub(super) fn on_piece_arrived(
        &mut self,
        from: NodeId,
        header: LaneHeader,
        reply: oneshot::Sender<Result<Expected, Refused>>,
    ) {
        let now = self.shared.clock.now();
        let arrival =
            self.machine.handle_piece_start(now, from, header.channel, header.piece, header.len_bytes);
        let expected = arrival.and_then(|arrival| {
            let transfer = self.transfers.get(&arrival.digest).ok_or(Refused::Late)?;
            Ok(Expected { progress: transfer.progress.subscribe(), arrival })
        });
        // An error means that the lane has gone; the want expires.
        let _ = reply.send(expected);
    }

    pub(super) fn on_piece_done(
        &mut self,
        from: NodeId,
        digest: Digest,
        piece: PieceIndex,
        len_bytes: u64,
        outcome: PieceOutcome,
    ) {
        if outcome == PieceOutcome::Stored {
            let source = if self.shared.inventory.is_seed(&from) { Source::Seed } else { Source::Peers };
            self.shared.metrics.received(source, len_bytes);
        }
        self.machine.handle_piece(self.shared.clock.now(), from, digest, piece, outcome);
        if outcome == PieceOutcome::Stored {
            self.note_stored(&digest, &[piece]);
        }
    }

    pub(super) fn on_uploaded(&mut self, to: NodeId, digest: Digest, piece: PieceIndex, sent: bool) {
        self.cancels.remove(&(to, digest, piece));
        self.machine.handle_uploaded(self.shared.clock.now(), to, digest, piece, sent);
    }
}
