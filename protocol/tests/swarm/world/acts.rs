//! What nodes do: connections, messages, pieces.

use std::time::Duration;

use shoal_protocol::{
    digest::Digest,
    exchange::{Action, PieceOutcome, ReaderId},
    geometry::PieceIndex,
    identity::NodeId,
    reference::ImageName,
    wire::{Channel, CloseReason},
};

use super::{Event, Truth, Vice, World};

/// More pieces than this are never on their way out at a time.
const MOST_UPLOADS: usize = 9;

impl World {
    pub(super) fn drain(&mut self, id: NodeId) {
        if !self.nodes[&id].is_alive {
            return;
        }
        while let Some(action) = self.nodes.get_mut(&id).and_then(|node| node.exchange.poll_action()) {
            self.act(id, action);
        }
        let node = self.nodes.get_mut(&id).expect("a node of this world");
        if let Some(when) = node.exchange.poll_timeout()
            && node.next_tick.is_none_or(|next| when < next)
        {
            let when = when.max(self.now);
            node.next_tick = Some(when);
            self.at(when, Event::Tick { node: id });
        }
    }

    fn act(&mut self, id: NodeId, action: Action) {
        match action {
            Action::Connect { node } => self.connect(id, node),
            Action::Send { to, message } if self.linked(id, to) => {
                let life = self.nodes[&to].life;
                self.at(self.now + self.setup.delay, Event::Deliver { from: id, to, life, message });
            }
            Action::Upload { to, digest, channel, piece } => self.upload(id, to, digest, channel, piece),
            Action::Lookup { digest, from, source } => self.look_up(id, digest, from, source),
            Action::Complete { digest } => {
                let content = self.content(&digest);
                for piece in 0..content.geometry.piece_count() {
                    let stored = self.nodes[&id].stored.get(&(digest, piece));
                    assert_eq!(stored, Some(&Truth::Real), "complete without piece {piece}");
                }
                self.outcome.completed.insert((id, digest), self.now);
            }
            Action::Failed { digest, reason } => {
                self.outcome.failed.insert((id, digest), reason);
            }
            Action::Discard { digest, .. } => {
                self.outcome.discards += 1;
                let node = self.nodes.get_mut(&id).expect("a node of this world");
                node.stored.retain(|(stored, _), _| *stored != digest);
            }
            Action::Pull { digest } => self.pull_from_origin(id, digest, None),
            Action::PullPieces { digest, pieces } => self.pull_from_origin(id, digest, Some(pieces)),
            Action::Strike { node, fault } => self.outcome.strikes.push((node, fault)),
            Action::Send { .. } | Action::CancelUpload { .. } | Action::Begin { .. } => {}
        }
    }

    pub(super) fn linked(&self, one: NodeId, other: NodeId) -> bool {
        self.links.contains(&pair(one, other))
    }

    fn connect(&mut self, id: NodeId, node: NodeId) {
        let when = self.now + self.setup.delay * 2;
        if !self.nodes[&node].is_alive {
            return self.at(when, Event::ConnectFailed { to: id, with: node });
        }
        self.links.insert(pair(id, node));
        self.at(when, Event::Connected { to: node, with: id });
        self.at(when, Event::Connected { to: id, with: node });
    }

    fn look_up(&mut self, id: NodeId, digest: Digest, from: NodeId, source: Option<ImageName>) {
        let (now, mut members, is_seed) = (self.now, self.members(&digest, id), self.is_seed(&id));
        // Whoever is asked by another seed is the owner in that seed's eyes, and does not ask back.
        if self.is_seed(&from) && !self.setup.owners_disagree {
            members.seeds = vec![id];
        }
        let is_real = self.digests().any(|real| real == digest);
        self.with(id, |node| match source.filter(|_| is_seed && is_real) {
            Some(image) => node.exchange.handle_fetch(now, digest, image, members),
            None => node.exchange.handle_absent(&digest, CloseReason::NotHere),
        });
    }

    fn upload(&mut self, from: NodeId, to: NodeId, digest: Digest, channel: Channel, piece: PieceIndex) {
        let sender = &self.nodes[&from];
        let mut truth = *sender.stored.get(&(digest, piece)).expect("only what is stored is sent");
        match sender.vice {
            Some(Vice::Stalls) => return,
            Some(Vice::Garbles) => truth = Truth::Garbage,
            _ => assert!(sender.uploading < MOST_UPLOADS, "{from} sends {} pieces", sender.uploading),
        }
        let len_bytes = u64::from(self.content(&digest).geometry.len(piece));
        let duration = transfer_time(len_bytes, self.setup.link_bytes_per_s);
        let start = self.now.max(sender.uplink_free);
        let sent = start + duration;
        let sender = self.nodes.get_mut(&from).expect("the sender");
        sender.uplink_free = sent;
        sender.uploading += 1;
        let is_lost = self.setup.lost_one_in.is_some_and(|one_in| self.rng.u32(..one_in) == 0);
        self.at(sent, Event::PieceSent { from, to, digest, piece, is_lost });
        if !is_lost && self.linked(from, to) {
            let arrival = Box::new(Event::PieceArrived { from, to, channel, digest, piece, truth });
            self.at(start, Event::PieceLeaves { to, arrival, duration });
        }
    }

    /// The receiver's link takes pieces in the order in which they leave their senders.
    pub(super) fn put_on_wire(&mut self, to: NodeId, arrival: Event, duration: Duration) {
        let Some(receiver) = self.nodes.get_mut(&to) else { return };
        receiver.downlink_free = self.now.max(receiver.downlink_free) + duration;
        let received = receiver.downlink_free + self.setup.delay;
        self.at(received, arrival);
    }

    pub(super) fn arrive(
        &mut self,
        from: NodeId,
        to: NodeId,
        channel: Channel,
        digest: Digest,
        piece: PieceIndex,
        truth: Truth,
    ) -> Option<NodeId> {
        if !self.nodes[&from].is_alive {
            return None;
        }
        let (now, skips) = (self.now, self.setup.skips_hashing);
        let content = self.content(&digest).clone();
        let len_bytes = content.geometry.len(piece);
        let mut duplicate = 0;
        let touched = self.with(to, |node| {
            let Ok(arrival) = node.exchange.handle_piece_start(now, from, channel, piece, len_bytes) else {
                return;
            };
            let outcome = if skips || arrival.check.verify(&content.piece(piece, truth)) {
                duplicate = u64::from(node.stored.insert((digest, piece), truth).is_some());
                let is_public = node.exchange.is_streamable(&digest);
                assert!(truth == Truth::Real || !is_public, "a false piece could reach a runtime");
                PieceOutcome::Stored
            } else {
                PieceOutcome::Corrupt
            };
            node.exchange.handle_piece(now, from, digest, piece, outcome);
        });
        self.outcome.piece_bytes += u64::from(len_bytes);
        self.outcome.duplicate_pieces += duplicate;
        touched
    }

    /// The reader takes what has come.
    pub(super) fn read_on(&mut self, id: NodeId) {
        let (now, digest) = (self.now, self.blobs[0].digest);
        let count = self.blobs[0].geometry.piece_count();
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some((mut next, since)) = node.reading else { return };
        let start = next;
        while node.exchange.is_streamable(&digest)
            && node.exchange.pieces(&digest).is_some_and(|pieces| pieces.has(next))
        {
            next += 1;
        }
        if next == start {
            return;
        }
        self.outcome.longest_wait = self.outcome.longest_wait.max(now.since(since));
        node.reading = (next < count).then_some((next, now));
        node.exchange.handle_reader(now, &digest, ReaderId(1), (next < count).then_some(next));
    }
}

pub(super) fn transfer_time(bytes: u64, bytes_per_s: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64)
}

pub(super) fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}
