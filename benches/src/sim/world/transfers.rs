//! Pieces on lanes.

use std::time::Duration;

use shoal_protocol::{
    digest::Digest, exchange::PieceOutcome, geometry::PieceIndex, time::Timestamp, wire::Channel,
};

use super::{
    Bug, Event, Truth, Vice, World,
    links::{Due, FlowId, Path},
    node::Job,
};

/// More pieces than this are never on their way out of one node at a time, those counted that do not move.
const MOST_UPLOADS: usize = 64;
/// How often a lane tells that bytes of a piece still come.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// A piece on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    from: usize,
    to: usize,
    since: Timestamp,
}

impl World {
    pub(super) fn upload(
        &mut self,
        from: usize,
        to: usize,
        digest: Digest,
        channel: Channel,
        piece: PieceIndex,
    ) {
        let Some(blob) = self.blob_number(&digest) else { return };
        let sender = &self.nodes[from];
        let Some(mut truth) = sender.stored[blob][piece as usize] else {
            return self.violate(&format!("node {from} was to send piece {piece}, which it does not have"));
        };
        match sender.vice {
            Some(Vice::Stalls) => return,
            Some(Vice::Garbles) => truth = Truth::Garbage,
            _ if sender.uploads >= MOST_UPLOADS => {
                return self.violate(&format!("node {from} sends more than {MOST_UPLOADS} pieces at a time"));
            }
            _ => {}
        }
        if self.blobs[blob].geometry.is_empty() {
            // There is but one empty piece, whoever sends it.
            truth = Truth::Real;
        }
        let life = sender.life;
        let sender = &mut self.nodes[from];
        let is_new = !sender.lanes.contains_key(&to);
        sender.lanes.entry(to).or_default().waiting.push_back(Job { digest, channel, piece, truth });
        sender.uploads += 1;
        if is_new {
            let handshake = self.setup.delay_between(from, to) * 2 * self.setup.handshake_round_trips;
            self.events.push(self.now + handshake, Event::LaneOpen { from, to, life });
        } else {
            self.send_next(from, to);
        }
    }

    pub(super) fn lane_opened(&mut self, from: usize, to: usize, life: u32) {
        if self.nodes[from].life == life
            && let Some(lane) = self.nodes[from].lanes.get_mut(&to)
        {
            lane.is_open = true;
            self.send_next(from, to);
        }
    }

    fn send_next(&mut self, from: usize, to: usize) {
        let Some(lane) = self.nodes[from].lanes.get_mut(&to) else { return };
        if !lane.is_open || lane.sending.is_some() {
            return;
        }
        let Some(job) = lane.waiting.pop_front() else { return };
        let len_bytes =
            self.blob_number(&job.digest).map_or(0, |blob| self.blobs[blob].geometry.len(job.piece));
        let path = self.path(from, to);
        let flow = self.links.start(self.now, path, u64::from(len_bytes));
        if let Some(lane) = self.nodes[from].lanes.get_mut(&to) {
            lane.sending = Some((flow, job));
        }
        let place = flow as usize;
        self.sending.resize(self.sending.len().max(place + 1), None);
        self.sending[place] = Some(Sending { from, to, since: self.now });
        self.plan_flows();
    }

    fn path(&self, from: usize, to: usize) -> Path {
        let (one, other) = (self.setup.zone_of(from), self.setup.zone_of(to));
        let (uplink, downlink) = (self.nodes[from].uplink, self.nodes[to].downlink);
        if one == other {
            return Path::new(&[uplink, downlink]);
        }
        Path::new(&[uplink, self.trunks[one].0, self.trunks[other].1, downlink])
    }

    fn plan_flows(&mut self) {
        for due in self.links.take_due() {
            self.events.push(due.at, Event::FlowDue(due));
        }
    }

    pub(super) fn flow_due(&mut self, due: Due) {
        if self.links.is_finished(self.now, due)
            && let Some(Sending { from, to, .. }) = self.sending[due.flow as usize].take()
        {
            self.links.remove(self.now, due.flow);
            self.sent(from, to);
        }
        self.plan_flows();
    }

    /// A piece has left its sender.
    fn sent(&mut self, from: usize, to: usize) {
        let lane = self.nodes[from].lanes.get_mut(&to);
        let Some((_, job)) = lane.and_then(|lane| lane.sending.take()) else { return };
        self.nodes[from].uploads -= 1;
        let is_lost = self.setup.lost_one_in.is_some_and(|one_in| self.rng.u32(..one_in) == 0);
        if !is_lost && self.are_connected(from, to) {
            let delay = self.setup.delay_between(from, to);
            self.events.push_after(self.now, delay, Event::PieceArrived { from, to, job });
        }
        self.send_next(from, to);
        let (now, to_id) = (self.now, self.nodes[to].id);
        let Job { digest, piece, .. } = job;
        let touched =
            self.tell(from, |node| node.exchange.handle_uploaded(now, to_id, digest, piece, !is_lost));
        if let Some(node) = touched {
            self.drain(node);
        }
    }

    /// Lanes tell of pieces that take long.
    pub(super) fn tell_progress(&mut self) {
        let now = self.now;
        for place in 0..self.sending.len() {
            let Some(Sending { from, to, since }) = self.sending[place] else { continue };
            if now.since(since) >= PROGRESS_EVERY && self.are_connected(from, to) {
                let sender = self.nodes[from].id;
                self.tell(to, |node| node.exchange.handle_progress(now, sender));
                self.drain(to);
            }
        }
        self.events.push(now + PROGRESS_EVERY, Event::Progress);
    }

    /// What a node sends and is sent stops with its life. Those who send to it are not told: to them it hangs.
    pub(super) fn cut_lanes(&mut self, number: usize) {
        for place in 0..self.sending.len() {
            let sending = &mut self.sending[place];
            if sending.take_if(|sending| sending.from == number || sending.to == number).is_some() {
                self.links.remove(self.now, place as FlowId);
            }
        }
        self.plan_flows();
        let node = &mut self.nodes[number];
        node.lanes.clear();
        node.uploads = 0;
    }

    /// The other end is gone: what was to be sent to it fails.
    pub(super) fn fail_lane(&mut self, from: usize, to: usize) {
        let Some(lane) = self.nodes[from].lanes.remove(&to) else { return };
        let (now, to_id) = (self.now, self.nodes[to].id);
        let jobs = lane.sending.map(|(_, job)| job).into_iter().chain(lane.waiting);
        for Job { digest, piece, .. } in jobs {
            self.nodes[from].uploads -= 1;
            self.tell(from, |node| node.exchange.handle_uploaded(now, to_id, digest, piece, false));
        }
        self.drain(from);
    }

    pub(super) fn arrive(&mut self, from: usize, to: usize, job: Job) -> Option<usize> {
        if !self.nodes[from].is_alive {
            return None;
        }
        let Job { digest, channel, piece, truth } = job;
        let blob = self.blob_number(&digest)?;
        let (now, sender) = (self.now, self.nodes[from].id);
        let content = &self.blobs[blob];
        let len_bytes = content.geometry.len(piece);
        let node = &mut self.nodes[to];
        if !node.is_alive {
            return None;
        }
        self.outcome.piece_bytes += u64::from(len_bytes);
        if from < self.setup.seeds {
            self.outcome.seed_bytes += u64::from(len_bytes);
        }
        if self.setup.zone_of(from) != self.setup.zone_of(to) {
            self.outcome.cross_zone_bytes += u64::from(len_bytes);
        }
        let Ok(arrival) = node.exchange.handle_piece_start(now, sender, channel, piece, len_bytes) else {
            return Some(to);
        };
        let is_careless = node.has_bug && self.setup.bug == Some(Bug::SkipsVerification);
        let is_good = if self.setup.skips_hashing {
            truth == Truth::Real
        } else {
            arrival.check.verify(&content.piece(piece, truth))
        };
        let outcome = if is_good || is_careless { PieceOutcome::Stored } else { PieceOutcome::Corrupt };
        if outcome == PieceOutcome::Stored {
            let before = node.stored[blob][piece as usize].replace(truth);
            self.outcome.duplicate_pieces += u64::from(before.is_some());
        }
        node.exchange.handle_piece(now, sender, digest, piece, outcome);
        if outcome == PieceOutcome::Stored && truth != Truth::Real && node.exchange.is_streamable(&digest) {
            self.violate(&format!("node {to} could give a runtime a false byte of piece {piece}"));
        }
        Some(to)
    }
}
