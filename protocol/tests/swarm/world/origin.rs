//! The origin, and the seeds that pull from it.

use shoal_protocol::{
    chain::{Chain, ChainBuilder},
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
};

use super::{Event, Truth, World, acts::transfer_time};

impl World {
    /// Pulls pieces, or all from where the known chain ends.
    pub(super) fn pull_from_origin(&mut self, id: NodeId, digest: Digest, pieces: Option<Vec<PieceIndex>>) {
        self.outcome.pulls += 1;
        if let Some(reason) = self.setup.origin_refuses {
            let refused = Event::AuthorEnded { node: id, digest, result: Err(reason) };
            return self.at(self.now + self.setup.delay, refused);
        }
        let geometry = self.content(&digest).geometry;
        let builder = self.nodes[&id]
            .exchange
            .chain(&digest)
            .map_or_else(|| ChainBuilder::new(digest, geometry), ChainBuilder::resume);
        let pieces = pieces.unwrap_or_else(|| (builder.next_piece()..geometry.piece_count()).collect());
        let chain = self.sign(id, &builder);
        let (now, life) = (self.now, self.nodes[&id].life);
        self.with(id, |node| {
            node.builders.insert(digest, builder);
            node.exchange.handle_author_chain(now, &digest, chain, &[]);
        });
        let mut when = self.now + self.setup.origin_delay;
        for (index, piece) in pieces.iter().enumerate() {
            when = when + transfer_time(u64::from(geometry.len(*piece)), self.setup.origin_bytes_per_s);
            let is_last = index + 1 == pieces.len();
            self.at(when, Event::Authored { node: id, digest, piece: *piece, is_last, life });
        }
        if pieces.is_empty() {
            self.at(when, Event::AuthorEnded { node: id, digest, result: Ok(()) });
        }
    }

    /// A piece came from the origin to a seed that pulls.
    pub(super) fn author(
        &mut self,
        id: NodeId,
        digest: Digest,
        piece: PieceIndex,
        is_last: bool,
        life: u32,
    ) -> Option<NodeId> {
        let now = self.now;
        let bytes = self.content(&digest).piece(piece, Truth::Real);
        let node = self.nodes.get(&id).filter(|node| node.is_alive && node.life == life)?;
        let mut builder = node.builders.get(&digest).cloned()?;
        self.outcome.origin_bytes += bytes.len() as u64;
        if builder.next_piece() == piece {
            builder.push(&bytes).expect("the blob's own piece");
        }
        let chain = self.sign(id, &builder);
        self.with(id, |node| {
            node.stored.insert((digest, piece), Truth::Real);
            node.builders.insert(digest, builder);
            node.exchange.handle_author_chain(now, &digest, chain, &[piece]);
            if is_last {
                node.exchange.handle_pull_ended(now, &digest, Ok(()));
            }
        })
    }

    fn sign(&self, author: NodeId, builder: &ChainBuilder) -> Chain {
        builder.sign(&self.nodes[&author].key, Some(self.seed_role(author)))
    }
}
