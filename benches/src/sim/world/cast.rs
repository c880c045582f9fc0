//! Who is who: what nodes begin with, and what the inventory says of them.

use shoal_protocol::{
    chain::Chain,
    exchange::{Members, ReaderId},
    identity::{NodeId, NodeKey},
    membership::{Role, RoleToken},
    wire::Holding,
};

use super::{Bug, End, Event, INVENTORY_INTERVAL, Truth, Vice, World, image};

impl World {
    pub(super) fn start(&mut self, node: usize) {
        if node < self.setup.holders {
            (0..self.blobs.len()).for_each(|blob| self.hold_real(node, blob));
        } else if matches!(self.nodes[node].vice, Some(Vice::SignsFalseChain | Vice::RelaysFalseChain)) {
            self.hold_fakes(node);
        } else if self.nodes[node].has_bug && self.setup.bug == Some(Bug::ServesUnfinished) {
            self.hold_half(node);
        } else if node >= self.setup.seeds && self.nodes[node].is_alive {
            (0..self.blobs.len()).for_each(|blob| self.fetch(node, blob));
        }
    }

    /// A blob's chain stays the first seed's, who pulled it, whoever holds it.
    pub(super) fn hold_real(&mut self, node: usize, blob: usize) {
        if let Some(chain) = self.true_chain(blob) {
            self.nodes[node].stored[blob].fill(Some(Truth::Real));
            self.hold(node, blob, chain);
        }
    }

    fn true_chain(&mut self, blob: usize) -> Option<Chain> {
        if self.chains[blob].is_none() {
            self.chains[blob] = self.blobs[blob].whole_chain(&self.nodes[0].key, self.seed_role(0)).ok();
        }
        self.chains[blob].clone()
    }

    fn hold_fakes(&mut self, node: usize) {
        let invented = NodeKey::from_secret([9; 32]);
        for blob in 0..self.blobs.len() {
            let is_author = self.nodes[node].vice == Some(Vice::SignsFalseChain);
            let author = if is_author { &self.nodes[node].key } else { &invented };
            if let Ok(chain) = self.blobs[blob].false_chain(author) {
                self.nodes[node].stored[blob].fill(Some(Truth::Fake));
                self.hold(node, blob, chain);
            }
        }
    }

    /// What a node does that forgot to look whether it has all of a blob.
    fn hold_half(&mut self, node: usize) {
        for blob in 0..self.blobs.len() {
            if let Some(chain) = self.true_chain(blob) {
                let half = self.nodes[node].stored[blob].len().div_ceil(2);
                self.nodes[node].stored[blob][..half].fill(Some(Truth::Real));
                self.hold(node, blob, chain);
            }
        }
    }

    fn hold(&mut self, node: usize, blob: usize, chain: Chain) {
        let (now, digest) = (self.now, self.blobs[blob].digest);
        self.tell(node, |node| node.exchange.handle_hold(now, digest, chain));
        self.drain(node);
    }

    pub(super) fn fetch(&mut self, number: usize, blob: usize) {
        let (now, digest, members) = (self.now, self.blobs[blob].digest, self.members(blob, number));
        let reads = self.setup.reads && blob == 0;
        self.end(number, blob, None);
        self.tell(number, |node| {
            node.exchange.handle_fetch(now, digest, image(), members);
            if reads {
                node.reading = Some((0, now));
                node.exchange.handle_reader(now, &digest, ReaderId(1), Some(0));
            }
        });
        self.drain(number);
    }

    pub(super) fn seed_role(&self, seed: usize) -> Option<RoleToken> {
        self.cluster.issue_role(&self.nodes[seed].id, Role::Seed).ok()
    }

    /// Who takes part, in the eyes of `viewer`.
    pub(super) fn members(&mut self, blob: usize, viewer: usize) -> Members {
        let named =
            |nodes: Vec<usize>| nodes.into_iter().map(|node| self.nodes[node].id).collect::<Vec<NodeId>>();
        let mut seeds: Vec<usize> = (0..self.setup.seeds).filter(|seed| self.nodes[*seed].is_alive).collect();
        // Seed 0 asks seed 1 and the other way round; so do the peers.
        if self.setup.owners_disagree && viewer.is_multiple_of(2) {
            seeds.reverse();
        }
        if self.setup.bug == Some(Bug::TwoOwners) {
            // Each seed sees itself alone, and peers ask the one or the other.
            let owner = if viewer < self.setup.seeds { viewer } else { viewer % self.setup.seeds };
            seeds.retain(|seed| *seed == owner);
        }
        let seeds = named(seeds);
        self.count_members(blob);
        let census = self.census[blob].iter().flatten();
        let seen = census
            .map(|(node, holding)| (self.nodes[*node].id, *holding, self.setup.distance(viewer, *node)));
        Members::choose(&self.nodes[viewer].id, seeds, seen)
    }

    /// Notes who has a blob or part of it, unless that is known from before.
    fn count_members(&mut self, blob: usize) {
        if self.census[blob].is_some() {
            return;
        }
        let holding = |node: usize| match self.nodes[node].is_alive {
            true if self.claims(node, blob) => Some(Holding::Holds),
            true if node >= self.setup.seeds => Some(Holding::Fetching),
            _ => None,
        };
        let members = (0..self.nodes.len()).filter_map(|node| Some((node, holding(node)?)));
        self.census[blob] = Some(members.collect());
    }

    /// True when a node says that it holds a blob.
    fn claims(&self, node: usize, blob: usize) -> bool {
        let has_fetched = matches!(self.outcome.ends[node][blob], Some(End::Complete(_)));
        let lies = matches!(self.nodes[node].vice, Some(Vice::SignsFalseChain | Vice::RelaysFalseChain));
        let errs = self.nodes[node].has_bug && self.setup.bug == Some(Bug::ServesUnfinished);
        has_fetched || node < self.setup.holders || lies || errs
    }

    pub(super) fn take_inventory(&mut self) {
        let now = self.now;
        for node in 0..self.nodes.len() {
            for blob in 0..self.blobs.len() {
                if self.outcome.ends[node][blob].is_none() {
                    let (digest, members) = (self.blobs[blob].digest, self.members(blob, node));
                    self.tell(node, |node| node.exchange.handle_members(now, &digest, members));
                }
            }
            self.drain(node);
        }
        self.events.push(now + INVENTORY_INTERVAL, Event::Inventory);
    }
}
