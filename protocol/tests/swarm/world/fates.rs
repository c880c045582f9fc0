//! What befalls nodes.

use std::time::Duration;

use shoal_protocol::{bitfield::Bitfield, digest::Digest, exchange::Exchange, identity::NodeId};

use super::{Event, Fate, World, acts::pair};

/// A node that vanished is known to be gone after this long.
const NOTICED_AFTER: Duration = Duration::from_secs(15);

impl World {
    pub(super) fn befall(&mut self, id: NodeId, fate: Fate) {
        match fate {
            Fate::Joins => {
                self.nodes.get_mut(&id).expect("a node of this world").is_alive = true;
                self.at(self.now, Event::Start { node: id });
            }
            Fate::Dies => {
                self.stop(id);
                self.notice_loss(id);
            }
            Fate::Vanishes => {
                self.stop(id);
                self.at(self.now + NOTICED_AFTER, Event::Noticed { node: id });
            }
            Fate::Restarts(down_for) => {
                self.stop(id);
                self.notice_loss(id);
                self.at(self.now + down_for, Event::Returns { node: id });
            }
        }
    }

    fn stop(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("a node of this world");
        node.is_alive = false;
        node.life += 1;
        node.uploading = 0;
        node.next_tick = None;
    }

    /// Connections break.
    pub(super) fn notice_loss(&mut self, id: NodeId) {
        let others: Vec<NodeId> =
            self.order.iter().filter(|other| self.linked(id, **other)).copied().collect();
        for other in others {
            self.links.remove(&pair(id, other));
            self.at(self.now + self.setup.delay, Event::Disconnected { to: other, with: id });
        }
    }

    /// The node starts again with what it has on disk.
    pub(super) fn come_back(&mut self, id: NodeId) {
        let now = self.now;
        let is_seed = self.is_seed(&id);
        let node = self.nodes.get_mut(&id).expect("a node of this world");
        node.is_alive = true;
        let fresh = Exchange::new(node.config.clone(), self.cluster.clone());
        let before = std::mem::replace(&mut node.exchange, fresh);
        if is_seed {
            return;
        }
        for digest in self.digests().collect::<Vec<Digest>>() {
            self.fetch(id, digest);
            let Some(chain) = before.chain(&digest).cloned() else { continue };
            let mut pieces = Bitfield::empty(chain.geometry().piece_count());
            let node = self.nodes.get_mut(&id).expect("a node of this world");
            node.stored.keys().filter(|(stored, _)| *stored == digest).for_each(|(_, piece)| {
                pieces.set(*piece);
            });
            node.exchange.handle_resumed(now, &digest, chain, &pieces);
            self.drain(id);
        }
    }
}
