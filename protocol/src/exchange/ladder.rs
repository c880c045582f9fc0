//! Where a blob comes from: neighbours first, then one seed after the other, and a clear end when nobody can help.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Action, Distance, Exchange, FetchError,
    blob::{Blob, Fetch},
};
use crate::{
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    time::Timestamp,
    wire::{CloseReason, Message},
};

/// A node that closed the blob or could not be reached is tried again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// True when a fetch would like that node as a neighbour.
pub(super) fn wants_neighbour(blob: &Blob, node: &NodeId) -> bool {
    let Some(fetch) = &blob.fetch else { return false };
    !blob.sessions.contains(node) && (fetch.connecting.contains(node) || fetch.asked.get(node) == Some(&None))
}

impl Exchange {
    /// The pull from the origin ended: with all it set out to get, or with a reason that others are told.
    pub fn handle_pull_ended(&mut self, now: Timestamp, digest: &Digest, result: Result<(), CloseReason>) {
        let me = self.config.me;
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        fetch.authoring = false;
        fetch.last_progress = now;
        if let Err(reason) = result {
            fetch.asked.insert(me, Some(reason));
        }
        self.climb(now, digest);
    }

    /// Takes the next step towards a blob, if one is due: more neighbours, the next seed, the end.
    pub(super) fn climb(&mut self, now: Timestamp, digest: &Digest) {
        self.gather(now, digest);
        self.ask_seed(now, digest);
        self.fill_holes(now, digest);
        self.give_up(now, digest);
    }

    /// Connects to members until the fetch has as many neighbours as it dials, near and far.
    fn gather(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let room = self.config.fetch_neighbours.saturating_sub(blob.sessions.len());
        for (distance, missing) in blob.missing_neighbours(now, self.config.dials) {
            for node in self.candidates(now, digest, distance, missing.min(room)) {
                self.reach(digest, node);
            }
        }
    }

    /// Some members at that distance that are not neighbours yet, holders and others in turn.
    fn candidates(
        &mut self,
        now: Timestamp,
        digest: &Digest,
        distance: Distance,
        count: usize,
    ) -> Vec<NodeId> {
        let Some(blob) = self.blobs.get(digest).filter(|_| count > 0) else { return Vec::new() };
        let Some(fetch) = &blob.fetch else { return Vec::new() };
        let is_new = |node: &&NodeId| {
            **node != self.config.me
                && !blob.sessions.contains(node)
                && !fetch.connecting.contains(*node)
                && fetch.is_reachable(node, now)
                && !self.is_closing(node, digest)
        };
        let group = match distance {
            Distance::Near => &fetch.members.near,
            Distance::Far => &fetch.members.far,
        };
        let mut holders: Vec<NodeId> = group.holders.iter().filter(is_new).copied().collect();
        let mut others: Vec<NodeId> = group.fetching.iter().filter(is_new).copied().collect();
        self.rng.shuffle(&mut holders);
        self.rng.shuffle(&mut others);
        interleave(&holders, &others).into_iter().take(count).collect()
    }

    /// Makes a node a neighbour in a blob, connecting to it if need be.
    fn reach(&mut self, digest: &Digest, node: NodeId) {
        if self.neighbours.contains_key(&node) {
            return self.open_session(digest, node);
        }
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        if fetch.connecting.insert(node) {
            self.push(Action::Connect { node });
        }
    }

    /// Says hello to a neighbour about a blob; to a seed that is asked to get it, with the blob's source.
    pub(super) fn open_session(&mut self, digest: &Digest, node: NodeId) {
        if self.is_closing(&node, digest) {
            return;
        }
        let distance = self.distance(&node);
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let (channel, known_links) = (blob.channel, blob.known_links());
        let Some(fetch) = &mut blob.fetch else { return };
        fetch.connecting.remove(&node);
        let source = (fetch.asked.get(&node) == Some(&None)).then(|| fetch.source.clone());
        blob.session_with(node, distance).hello_sent = true;
        self.send(node, Message::Hello { channel, digest: *digest, known_links, source });
    }

    fn ask_seed(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        if !self.should_ask(blob, fetch, now) {
            return;
        }
        let Some(seed) = fetch.next_seed(now) else { return };
        let me = self.config.me;
        if seed == me && blob.chain.is_none() && fetch.chain_expected_until > now {
            return;
        }
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        fetch.asked.insert(seed, None);
        fetch.last_asked = now;
        if seed == me {
            fetch.authoring = true;
            self.drop_peers_chain(now, digest);
            return self.push(Action::Pull { digest: *digest });
        }
        self.reach(digest, seed);
    }

    /// A seed is asked when nobody has the blob, when those asked before gave up, or when nothing comes any more.
    fn should_ask(&self, blob: &Blob, fetch: &Fetch, now: Timestamp) -> bool {
        if fetch.authoring || fetch.is_settled() {
            return false;
        }
        let is_starved = now.since(fetch.last_progress.max(fetch.last_asked)) >= self.config.starved_after;
        if is_starved {
            return true;
        }
        let is_with_us = |node: &NodeId| {
            let is_trusted = blob.sessions.get(node).is_some_and(|session| !session.distrusted);
            is_trusted || fetch.connecting.contains(node)
        };
        fetch.asked.values().all(Option::is_some) && !fetch.members.holders().any(is_with_us)
    }

    /// A seed that pulled from where another left off gets from the origin what nobody has any more, and later what
    /// nobody sends.
    fn fill_holes(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        let may_pull = fetch.asked.get(&self.config.me) == Some(&None) && !fetch.authoring;
        let since_progress = now.since(fetch.last_progress);
        if !may_pull || since_progress < self.config.starved_after {
            return;
        }
        let takes_all = since_progress >= self.config.starved_after * 2;
        let holes = blob.missing().filter(|piece| takes_all || blob.copies[*piece as usize] == 0);
        let pieces: Vec<PieceIndex> = holes.collect();
        if !pieces.is_empty()
            && let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut())
        {
            fetch.authoring = true;
            self.push(Action::PullPieces { digest: *digest, pieces });
        }
    }

    fn give_up(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        if fetch.authoring {
            return;
        }
        let since_progress = now.since(fetch.last_progress);
        let has_no_length = blob.chain.is_none();
        let refused = fetch.asked.values().copied().flatten().max_by_key(|reason| severity(*reason));
        let no_seed_left = fetch.next_seed(now).is_none() && fetch.all_refused();
        let is_closing = || self.neighbours.values().any(|neighbour| neighbour.is_closing(digest));
        let nobody = blob.sessions.is_empty() && fetch.connecting.is_empty() && !is_closing();
        // The chain that this node signed is not the blob's: nothing that fits it can help.
        let is_void = fetch.asked.get(&self.config.me) == Some(&Some(CloseReason::BadChain));
        let is_lost = has_no_length && nobody || is_void || since_progress >= self.config.starved_after * 2;
        let reason = if fetch.is_settled() && has_no_length || no_seed_left && is_lost {
            refused.map_or(FetchError::NoSource, FetchError::Seeds)
        } else if has_no_length && now.since(fetch.started) >= self.config.length_deadline
            || since_progress >= self.config.stall_timeout
        {
            FetchError::Stalled
        } else {
            return;
        };
        self.fail(now, digest, reason);
    }

    fn fail(&mut self, now: Timestamp, digest: &Digest, reason: FetchError) {
        let told = match reason {
            FetchError::NoSource => CloseReason::NotHere,
            FetchError::Stalled => CloseReason::OriginFailed,
            FetchError::Seeds(reason) => reason,
            FetchError::TooMany => CloseReason::Full,
        };
        self.push(Action::Failed { digest: *digest, reason });
        self.close_blob(now, digest, told);
    }

    /// A node closed the blob with us.
    pub(super) fn on_refused(&mut self, now: Timestamp, from: NodeId, digest: &Digest, reason: CloseReason) {
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        fetch.connecting.remove(&from);
        fetch.retry_after.retain(|_, until| now < *until);
        // A seed that found a chain false starts over, and so do those who asked it. Once: when its own chain proves
        // false again, it is the origin that sends something else.
        if reason == CloseReason::BadChain && fetch.asked.contains_key(&from) && fetch.restarted.insert(from)
        {
            fetch.asked.remove(&from);
            return self.climb(now, digest);
        }
        fetch.retry_after.insert(from, now + RETRY_AFTER);
        if let Some(answer) = fetch.asked.get_mut(&from) {
            *answer = Some(reason);
        }
        self.climb(now, digest);
    }

    pub(super) fn mark_unreachable(&mut self, now: Timestamp, node: NodeId) {
        let concerned = |blob: &Blob| {
            blob.fetch
                .as_ref()
                .is_some_and(|fetch| fetch.connecting.contains(&node) || fetch.asked.contains_key(&node))
        };
        let digests: Vec<Digest> =
            self.blobs.iter().filter(|(_, blob)| concerned(blob)).map(|(digest, _)| *digest).collect();
        for digest in digests {
            self.on_refused(now, node, &digest, CloseReason::Leaving);
        }
    }

    /// Two seeds that ask each other: the one with the lower identity pulls.
    pub(super) fn break_tie(&mut self, now: Timestamp, digest: &Digest, from: NodeId) {
        let is_lower = self.config.me < from;
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        if !is_lower || fetch.asked.get(&from) != Some(&None) {
            return;
        }
        fetch.asked.insert(from, Some(CloseReason::NotHere));
        fetch.members.seeds.retain(|seed| *seed == self.config.me);
        self.climb(now, digest);
    }
}

impl Fetch {
    /// The first seed, in the order of ownership, that was not asked yet; else one whose reason may be over.
    fn next_seed(&self, now: Timestamp) -> Option<NodeId> {
        let reachable = || self.members.seeds.iter().filter(|seed| self.is_reachable(seed, now));
        let fresh = reachable().find(|seed| !self.asked.contains_key(*seed));
        let again =
            || reachable().find(|seed| self.asked.get(*seed).is_some_and(|answer| may_change(*answer)));
        fresh.or_else(again).copied()
    }

    /// True when no seed can be expected to help: all gave up, and none for lack of room.
    fn all_refused(&self) -> bool {
        self.asked.values().all(|answer| answer.is_some_and(|reason| reason != CloseReason::Full))
    }

    /// The origin's word is final: asking it again through another seed changes nothing.
    fn is_settled(&self) -> bool {
        self.asked.values().any(|answer| matches!(answer, Some(CloseReason::NotFound | CloseReason::Denied)))
    }
}

/// True for refusals that say nothing about the blob.
const fn may_change(answer: Option<CloseReason>) -> bool {
    matches!(answer, Some(CloseReason::Full | CloseReason::Leaving | CloseReason::Done))
}

/// Which of several refusals says most.
const fn severity(reason: CloseReason) -> u8 {
    match reason {
        CloseReason::NotFound | CloseReason::Denied => 3,
        CloseReason::OriginFailed => 2,
        CloseReason::Full => 1,
        CloseReason::Done | CloseReason::NotHere | CloseReason::BadChain | CloseReason::Leaving => 0,
    }
}

/// First of one, first of the other, second of one, …
fn interleave(one: &[NodeId], other: &[NodeId]) -> Vec<NodeId> {
    let longest = one.len().max(other.len());
    (0..longest).flat_map(|index| [one.get(index), other.get(index)]).flatten().copied().collect()
}
