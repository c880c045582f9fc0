//! The origin, and the seeds that pull from it.

use std::time::Duration;

use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::Digest,
    geometry::PieceIndex,
    wire::CloseReason,
};

use super::{Event, Truth, World};

/// A seed signs what came within this time at once.
const BATCH: Duration = Duration::from_millis(4);

impl World {
    /// Pulls pieces, or all from where the known chain ends.
    pub(super) fn pull_from_origin(&mut self, node: usize, digest: &Digest, pieces: Option<Vec<PieceIndex>>) {
        self.outcome.pulls += 1;
        let life = self.nodes[node].life;
        let ended =
            |result: Result<(), CloseReason>| Event::AuthorEnded { node, digest: *digest, result, life };
        let Some(blob) = self.blob_number(digest) else {
            return self.events.push(self.now, ended(Err(CloseReason::NotFound)));
        };
        if let Some(reason) = self.setup.origin_refuses {
            return self.events.push(self.now + self.setup.delay, ended(Err(reason)));
        }
        let geometry = self.blobs[blob].geometry;
        let known = self.nodes[node].exchange.chain(digest);
        let builder = known.map_or_else(|| ChainBuilder::new(*digest, geometry), ChainBuilder::resume);
        let pieces = pieces.unwrap_or_else(|| (builder.next_piece()..geometry.piece_count()).collect());
        let chain = self.sign(node, &builder);
        let now = self.now;
        self.tell(node, |node| {
            node.builders.insert(blob, builder);
            node.exchange.handle_author_chain(now, digest, chain, &[]);
        });
        if pieces.is_empty() {
            return self.events.push(now, ended(Ok(())));
        }
        self.plan_origin(node, blob, &pieces);
    }

    /// The origin sends pieces one after the other; they are taken in batches.
    fn plan_origin(&mut self, node: usize, blob: usize, pieces: &[PieceIndex]) {
        let life = self.nodes[node].life;
        let first = self.now + self.setup.origin_delay;
        let (mut sent_bytes, mut batch, mut batch_since) = (0, Vec::new(), first);
        for (index, piece) in pieces.iter().enumerate() {
            sent_bytes += u64::from(self.blobs[blob].geometry.len(*piece));
            let when =
                first + Duration::from_secs_f64(sent_bytes as f64 / self.setup.origin_bytes_per_s as f64);
            batch.push(*piece);
            let is_last = index + 1 == pieces.len();
            if is_last || when.since(batch_since) >= BATCH {
                let batch = std::mem::take(&mut batch);
                self.events.push(when, Event::Authored { node, blob, batch, is_last, life });
                batch_since = when;
            }
        }
    }

    /// Pieces came from the origin to a seed that pulls.
    pub(super) fn author(
        &mut self,
        number: usize,
        blob: usize,
        batch: &[PieceIndex],
        is_last: bool,
        life: u32,
    ) -> Option<usize> {
        let now = self.now;
        let node = &self.nodes[number];
        if !node.is_alive || node.life != life {
            return None;
        }
        let mut builder = node.builders.get(&blob).cloned()?;
        let content = &self.blobs[blob];
        let digest = content.digest;
        for piece in batch {
            let bytes = content.piece(*piece, Truth::Real);
            self.outcome.origin_bytes += bytes.len() as u64;
            self.pulled[blob][*piece as usize] = self.pulled[blob][*piece as usize].saturating_add(1);
            if builder.next_piece() == *piece && builder.push(&bytes).is_err() {
                return None;
            }
        }
        self.check_origin(blob, batch);
        let chain = self.sign(number, &builder);
        self.tell(number, |node| {
            batch.iter().for_each(|piece| node.stored[blob][*piece as usize] = Some(Truth::Real));
            node.builders.insert(blob, builder);
            node.exchange.handle_author_chain(now, &digest, chain, batch);
            if is_last {
                node.exchange.handle_pull_ended(now, &digest, Ok(()));
            }
        })
    }

    /// Unless a seed was lost, and pieces with it, no piece is asked for twice.
    fn check_origin(&mut self, blob: usize, batch: &[PieceIndex]) {
        let are_spared = (0..self.setup.seeds).all(|seed| self.is_spared(seed));
        let twice = batch.iter().find(|piece| self.pulled[blob][**piece as usize] > 1);
        if are_spared
            && self.setup.lost_one_in.is_none()
            && let Some(piece) = twice
        {
            self.violate(&format!("piece {piece} of blob {blob} was pulled from the origin twice"));
        }
    }

    fn sign(&self, author: usize, builder: &ChainBuilder) -> Chain {
        builder.sign(&self.nodes[author].key, self.seed_role(author))
    }
}
