//! Who is who: what nodes begin with, and what the inventory says of them.

use shoal_protocol::{
    chain::Chain,
    digest::Digest,
    exchange::{Members, ReaderId},
    identity::{NodeId, NodeKey},
    membership::{Role, RoleToken},
};

use super::{Content, Event, INVENTORY_INTERVAL, Truth, Vice, World, image};

impl World {
    pub(super) fn start(&mut self, id: NodeId) {
        let index = self.order.iter().position(|node| *node == id).expect("a node of this world");
        if index < self.setup.holders {
            self.hold_everything(id);
        } else if matches!(self.nodes[&id].vice, Some(Vice::SignsFalseChain | Vice::RelaysFalseChain)) {
            self.hold_fakes(id);
        } else if index >= self.setup.seeds && self.nodes[&id].is_alive {
            for digest in self.digests().collect::<Vec<_>>() {
                self.fetch(id, digest);
            }
        }
    }

    pub(super) fn hold_everything(&mut self, id: NodeId) {
        // A blob's chain stays the seed's that pulled it, whoever holds it.
        let author = self.order[0];
        let role = Some(self.seed_role(author));
        for content in self.blobs.clone() {
            let chain = content.whole_chain(&self.nodes[&author].key, role.clone());
            self.hold(id, &content, chain, Truth::Real);
        }
    }

    pub(super) fn hold_fakes(&mut self, id: NodeId) {
        let invented = NodeKey::from_secret([9; 32]);
        for content in self.blobs.clone() {
            let is_author = self.nodes[&id].vice == Some(Vice::SignsFalseChain);
            let chain = content.false_chain(if is_author { &self.nodes[&id].key } else { &invented });
            self.hold(id, &content, chain, Truth::Fake);
        }
    }

    pub(super) fn hold(&mut self, id: NodeId, content: &Content, chain: Chain, truth: Truth) {
        let now = self.now;
        self.with(id, |node| {
            let pieces = 0..content.geometry.piece_count();
            node.stored.extend(pieces.map(|piece| ((content.digest, piece), truth)));
            node.exchange.handle_hold(now, content.digest, chain);
        });
        self.drain(id);
    }

    pub(super) fn fetch(&mut self, id: NodeId, digest: Digest) {
        let (now, members) = (self.now, self.members(&digest, id));
        let reads = self.setup.reads && self.blobs[0].digest == digest;
        self.with(id, |node| {
            node.exchange.handle_fetch(now, digest, image(), members);
            if reads {
                node.reading = Some((0, now));
                node.exchange.handle_reader(now, &digest, ReaderId(1), Some(0));
            }
        });
        self.drain(id);
    }

    pub(super) fn seed_role(&self, seed: NodeId) -> RoleToken {
        self.cluster.issue_role(&seed, Role::Seed).expect("a full key")
    }

    pub(super) fn content(&self, digest: &Digest) -> &Content {
        self.blobs.iter().find(|blob| blob.digest == *digest).expect("a blob of this world")
    }

    pub(super) fn is_seed(&self, id: &NodeId) -> bool {
        self.order[..self.setup.seeds].contains(id)
    }

    /// Who takes part, in the eyes of `viewer`.
    pub(super) fn members(&self, digest: &Digest, viewer: NodeId) -> Members {
        let alive = |id: &&NodeId| self.nodes[*id].is_alive;
        let mut seeds: Vec<NodeId> = self.order[..self.setup.seeds].iter().filter(alive).copied().collect();
        let position = self.order.iter().position(|node| *node == viewer).unwrap_or_default();
        // Seed 0 asks seed 1 and the other way round; so do the peers.
        if self.setup.owners_disagree && position.is_multiple_of(2) {
            seeds.reverse();
        }
        let claims = |id: &&NodeId| {
            self.outcome.completed.contains_key(&(**id, *digest))
                || self.order[..self.setup.holders].contains(id)
                || matches!(self.nodes[*id].vice, Some(Vice::SignsFalseChain | Vice::RelaysFalseChain))
        };
        let others = self.order[self.setup.seeds..].iter().filter(alive);
        let holders = self.order.iter().filter(alive).filter(claims).copied().collect();
        let fetching = others.filter(|id| !claims(id)).copied().collect();
        Members { seeds, holders, fetching }
    }

    pub(super) fn take_inventory(&mut self) {
        let now = self.now;
        for id in self.order.clone() {
            for digest in self.digests().collect::<Vec<_>>() {
                let members = self.members(&digest, id);
                self.with(id, |node| node.exchange.handle_members(now, &digest, members));
            }
            self.drain(id);
        }
        self.at(now + INVENTORY_INTERVAL, Event::Inventory);
    }
}
