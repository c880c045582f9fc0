//! What befalls nodes.

use std::time::Duration;

use shoal_protocol::{bitfield::Bitfield, exchange::Exchange, time::Timestamp};

use super::{Event, Fate, Truth, World};

/// A node that vanished is known to be gone after this long.
const NOTICED_AFTER: Duration = Duration::from_secs(15);

impl World {
    pub(super) fn befall(&mut self, node: usize, fate: Fate) {
        self.census.fill(None);
        match fate {
            Fate::Joins => {
                self.nodes[node].is_alive = true;
                self.events.push(self.now, Event::Start { node });
            }
            Fate::Dies => {
                self.stop(node);
                self.notice_loss(node);
            }
            Fate::Vanishes => {
                self.stop(node);
                self.events.push(self.now + NOTICED_AFTER, Event::Noticed { node });
            }
            Fate::Restarts(down_for) => {
                self.stop(node);
                self.notice_loss(node);
                self.events.push(self.now + down_for, Event::Returns { node });
            }
        }
    }

    fn stop(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.is_alive = false;
        node.life += 1;
        node.next_tick = None;
        self.cut_lanes(number);
    }

    /// Connections break.
    pub(super) fn notice_loss(&mut self, node: usize) {
        for other in std::mem::take(&mut self.nodes[node].connected) {
            self.nodes[other].disconnect(node);
            let when = self.now + self.setup.delay_between(node, other);
            self.events.push(when, Event::Disconnected { to: other, with: node });
            self.fail_lane(other, node);
        }
    }

    /// The node starts again with what it has on disk.
    pub(super) fn come_back(&mut self, number: usize) {
        let now = self.now;
        self.census.fill(None);
        let fresh = Exchange::new(self.nodes[number].config.clone(), self.cluster.clone());
        let node = &mut self.nodes[number];
        node.is_alive = true;
        let before = std::mem::replace(&mut node.exchange, fresh);
        if number < self.setup.seeds {
            return self.serve_again(number);
        }
        for blob in 0..self.blobs.len() {
            self.fetch(number, blob);
            let digest = self.blobs[blob].digest;
            let Some(chain) = before.chain(&digest).cloned() else { continue };
            let mut pieces = Bitfield::empty(chain.geometry().piece_count());
            let node = &mut self.nodes[number];
            for (piece, truth) in (0..).zip(&node.stored[blob]) {
                if *truth == Some(Truth::Real) {
                    pieces.set(piece);
                }
            }
            node.exchange.handle_resumed(now, &digest, chain, &pieces);
            self.drain(number);
        }
    }

    /// A seed serves from its disk what it has all of, and has forgotten the rest.
    fn serve_again(&mut self, seed: usize) {
        for blob in 0..self.blobs.len() {
            if self.nodes[seed].has_all(blob) {
                self.hold_real(seed, blob);
            } else {
                self.nodes[seed].stored[blob].fill(None);
            }
        }
    }

    /// True when nothing ever befalls this node that ends what it is doing.
    pub(super) fn is_spared(&self, node: usize) -> bool {
        !self.setup.fates.iter().any(|(who, _, fate)| *who == node && *fate != Fate::Joins)
    }

    /// When the last of the fates has happened.
    pub fn last_fate(&self) -> Timestamp {
        let ends = self.setup.fates.iter().map(|(_, after, fate)| match fate {
            Fate::Restarts(down_for) => *after + *down_for,
            Fate::Vanishes => *after + NOTICED_AFTER,
            Fate::Dies | Fate::Joins => *after,
        });
        Timestamp::ZERO + ends.max().unwrap_or_default()
    }
}
