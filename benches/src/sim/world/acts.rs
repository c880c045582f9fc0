//! What machines ask for, done.

use shoal_protocol::{
    digest::Digest,
    exchange::{Action, ReaderId},
    reference::ImageName,
    time::Timestamp,
    wire::{CloseReason, Message, encode_frame},
};

use super::{Event, Truth, World, outcome::End};

impl World {
    pub(super) fn drain(&mut self, node: usize) {
        if !self.nodes[node].is_alive {
            return;
        }
        while let Some(action) = self.nodes[node].exchange.poll_action() {
            self.act(node, action);
        }
        let now = self.now;
        let state = &mut self.nodes[node];
        if let Some(when) = state.exchange.poll_timeout().map(|when| when.max(now))
            && state.next_tick.is_none_or(|next| when < next)
        {
            state.next_tick = Some(when);
            self.events.push(when, Event::Tick { node });
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        match action {
            Action::Connect { node: with } => self.connect(node, self.numbers.get(&with).copied()),
            Action::Send { to, message } => self.send(node, self.numbers.get(&to).copied(), message),
            Action::Upload { to, digest, channel, piece } => {
                if let Some(to) = self.numbers.get(&to).copied() {
                    self.upload(node, to, digest, channel, piece);
                }
            }
            Action::Lookup { digest, from, source } => {
                let asker = self.numbers.get(&from).copied();
                self.look_up(node, digest, asker, source);
            }
            Action::Complete { digest } => self.completed(node, &digest),
            Action::Failed { digest, reason } => {
                if let Some(blob) = self.blob_number(&digest) {
                    self.end(node, blob, Some(End::Failed(reason)));
                }
            }
            Action::Discard { digest, .. } => {
                self.outcome.discards += 1;
                if let Some(blob) = self.blob_number(&digest) {
                    self.nodes[node].stored[blob].fill(None);
                }
            }
            Action::Pull { digest } => self.pull_from_origin(node, &digest, None),
            Action::PullPieces { digest, pieces } => self.pull_from_origin(node, &digest, Some(pieces)),
            Action::Strike { node, fault } => self.outcome.strikes.push((node, fault)),
            Action::CancelUpload { .. } | Action::Begin { .. } => {}
        }
    }

    fn completed(&mut self, node: usize, digest: &Digest) {
        let Some(blob) = self.blob_number(digest) else { return };
        if !self.nodes[node].has_all(blob) {
            self.violate(&format!("node {node} calls blob {blob} complete without all of its pieces"));
        }
        self.end(node, blob, Some(End::Complete(self.now)));
    }

    pub(super) fn end(&mut self, node: usize, blob: usize, end: Option<End>) {
        self.outcome.ends[node][blob] = end;
        self.census[blob] = None;
    }

    pub(super) fn are_connected(&self, one: usize, other: usize) -> bool {
        self.nodes[one].is_connected(other)
    }

    /// Opens a control stream. What the handshake costs is the set-up's.
    fn connect(&mut self, node: usize, with: Option<usize>) {
        let Some(with) = with else { return };
        let round_trip = self.setup.delay_between(node, with) * 2;
        let when = self.now + round_trip * self.setup.handshake_round_trips;
        if !self.nodes[with].is_alive {
            return self.events.push(when, Event::ConnectFailed { to: node, with });
        }
        let link = u64::from(self.nodes[node].life) << 32 | u64::from(self.nodes[with].life);
        self.events.push(when, Event::Connected { to: with, with: node, link: link.rotate_left(32) });
        self.events.push(when, Event::Connected { to: node, with, link });
    }

    /// The stream is there for one side, if both still live the lives in which it was opened.
    pub(super) fn connected(&mut self, to: usize, with: usize, link: u64) -> Option<usize> {
        let now = self.now;
        let lives = u64::from(self.nodes[to].life) << 32 | u64::from(self.nodes[with].life);
        let with_id = self.nodes[with].id;
        if lives != link || !self.nodes[with].is_alive {
            return self.tell(to, |node| node.exchange.handle_connect_failed(now, with_id));
        }
        self.nodes[to].connect(with);
        self.nodes[with].connect(to);
        let distance = self.setup.distance(to, with);
        self.tell(to, |node| node.exchange.handle_connected(now, with_id, distance))
    }

    fn send(&mut self, from: usize, to: Option<usize>, message: Message) {
        let Some(to) = to.filter(|to| self.are_connected(from, *to)) else { return };
        let life = self.nodes[to].life;
        let delay = self.setup.delay_between(from, to);
        self.events.push_after(self.now, delay, Event::Deliver { from, to, life, message });
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize, life: u32, message: Message) -> Option<usize> {
        if self.nodes[to].life != life {
            return None;
        }
        self.outcome.messages += 1;
        self.frame.clear();
        encode_frame(&message, &mut self.frame);
        self.outcome.message_bytes += self.frame.len() as u64;
        let (now, from) = (self.now, self.nodes[from].id);
        self.tell(to, |node| node.exchange.handle_message(now, from, message))
    }

    fn look_up(&mut self, node: usize, digest: Digest, from: Option<usize>, source: Option<ImageName>) {
        let now = self.now;
        let is_seed = node < self.setup.seeds;
        let asked_by_seed = from.is_some_and(|from| from < self.setup.seeds);
        let members = self.blob_number(&digest).map(|blob| {
            let mut members = self.members(blob, node);
            // Whoever is asked by another seed is the owner in that seed's eyes, and does not ask back.
            if asked_by_seed && !self.setup.owners_disagree {
                members.seeds = vec![self.nodes[node].id];
            }
            members
        });
        self.tell(node, |node| match (source.filter(|_| is_seed), members) {
            (Some(image), Some(members)) => node.exchange.handle_fetch(now, digest, image, members),
            _ => node.exchange.handle_absent(&digest, CloseReason::NotHere),
        });
    }

    /// The reader takes what has come.
    pub(super) fn read_on(&mut self, number: usize) {
        let now = self.now;
        let content = &self.blobs[0];
        let (digest, count) = (content.digest, content.geometry.piece_count());
        let node = &mut self.nodes[number];
        let Some((mut next, since)) = node.reading else { return };
        let start = next;
        let mut is_false = false;
        while node.exchange.is_streamable(&digest)
            && node.exchange.pieces(&digest).is_some_and(|pieces| pieces.has(next))
        {
            is_false |= node.stored[0][next as usize] != Some(Truth::Real);
            next += 1;
        }
        if next == start {
            return;
        }
        self.outcome.longest_wait = self.outcome.longest_wait.max(now.since(since));
        node.reading = (next < count).then_some((next, now));
        node.exchange.handle_reader(now, &digest, ReaderId(1), (next < count).then_some(next));
        if is_false {
            self.violate(&format!("a runtime on node {number} read a byte that is not the blob's"));
        }
    }

    /// Once all is over: who should have everything has it.
    pub(super) fn check_end(&mut self) {
        if !self.outcome.violations.is_empty() || self.setup.origin_refuses.is_some() {
            return;
        }
        let seed_lasts = |node: &usize| {
            let is_fatal = |fate: &super::Fate| matches!(fate, super::Fate::Dies | super::Fate::Vanishes);
            !self.setup.fates.iter().any(|(who, _, fate)| who == node && is_fatal(fate))
        };
        if !(0..self.setup.seeds).any(|seed| seed_lasts(&seed)) {
            return;
        }
        let unfinished: Vec<usize> =
            self.lasting_peers().filter(|node| self.outcome.completed(*node).is_none()).collect();
        if let Some(first) = unfinished.first() {
            let how: Vec<Option<End>> = self.outcome.ends[*first].clone();
            let (count, after_s) = (unfinished.len(), self.now.since(Timestamp::ZERO).as_secs_f64());
            self.violate(&format!(
                "{count} nodes have not finished after {after_s:.1} s, as node {first}: {how:?}"
            ));
        }
    }
}
