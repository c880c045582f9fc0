//! Where a blob comes from: neighbours first, then one seed after the other, and a clear end when nobody can help.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Action, Exchange, FetchError,
    blob::{Blob, Fetch},
    session::Session,
};
use crate::{
    digest::Digest,
    identity::NodeId,
    time::Timestamp,
    wire::{CloseReason, Message},
};

/// A node that closed the blob or could not be reached is tried again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// True when a fetch would like that node as a neighbour.
pub(super) fn wants_neighbour(blob: &Blob, node: &NodeId) -> bool {
    let Some(fetch) = &blob.fetch else { return false };
    !blob.sessions.contains_key(node)
        && (fetch.connecting.contains(node) || fetch.asked.get(node) == Some(&None))
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

    /// Connects to members until the fetch has as many neighbours as it dials.
    fn gather(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        let room = self.config.dials.saturating_sub(blob.sessions.len() + fetch.connecting.len());
        if room == 0 {
            return;
        }
        let is_new = |node: &&NodeId| {
            **node != self.config.me
                && !blob.sessions.contains_key(*node)
                && !fetch.connecting.contains(*node)
                && fetch.is_reachable(node, now)
        };
        let mut holders: Vec<NodeId> = fetch.members.holders.iter().filter(is_new).copied().collect();
        let mut others: Vec<NodeId> = fetch.members.fetching.iter().filter(is_new).copied().collect();
        self.rng.shuffle(&mut holders);
        self.rng.shuffle(&mut others);
        let chosen: Vec<NodeId> = interleave(&holders, &others).into_iter().take(room).collect();
        for node in chosen {
            self.reach(now, digest, node);
        }
    }

    /// Makes a node a neighbour in a blob, connecting to it if need be.
    fn reach(&mut self, now: Timestamp, digest: &Digest, node: NodeId) {
        if self.neighbours.contains_key(&node) {
            return self.open_session(now, digest, node);
        }
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        if fetch.connecting.insert(node) {
            self.push(Action::Connect { node });
        }
    }

    /// Says hello to a neighbour about a blob; to a seed that is asked to get it, with the blob's source.
    pub(super) fn open_session(&mut self, _now: Timestamp, digest: &Digest, node: NodeId) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let (channel, known_links, count) = (blob.channel, blob.known_links(), blob.have.len());
        let Some(fetch) = &mut blob.fetch else { return };
        fetch.connecting.remove(&node);
        let source = (fetch.asked.get(&node) == Some(&None)).then(|| fetch.source.clone());
        let session = blob.sessions.entry(node).or_insert_with(Session::default);
        if session.pieces.is_none() && blob.chain.is_some() {
            session.pieces = Some(crate::bitfield::Bitfield::empty(count));
        }
        session.hello_sent = true;
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
            return self.push(Action::Pull { digest: *digest });
        }
        self.reach(now, digest, seed);
    }

    /// A seed is asked when nobody has the blob, when those asked before gave up, or when nothing comes any more.
    fn should_ask(&self, blob: &Blob, fetch: &Fetch, now: Timestamp) -> bool {
        if fetch.authoring || fetch.is_settled() {
            return false;
        }
        let all_refused = fetch.asked.values().all(Option::is_some);
        let is_starved = now.since(fetch.last_progress.max(fetch.last_asked)) >= self.config.starved_after;
        if is_starved {
            return fetch.in_flight.is_empty();
        }
        let has_holder = fetch.members.holders.iter().any(|node| {
            let is_trusted = blob.sessions.get(node).is_some_and(|session| !session.distrusted);
            is_trusted || fetch.connecting.contains(node)
        });
        all_refused && !has_holder
    }

    /// A seed that pulled from where another left off gets from the origin what nobody has any more.
    fn fill_holes(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let orphans = blob.orphans();
        let Some(fetch) = &mut blob.fetch else { return };
        let may_pull = fetch.asked.get(&self.config.me) == Some(&None) && !fetch.authoring;
        let is_stuck =
            fetch.in_flight.is_empty() && now.since(fetch.last_progress) >= self.config.starved_after;
        if may_pull && is_stuck && !orphans.is_empty() {
            fetch.authoring = true;
            self.push(Action::PullPieces { digest: *digest, pieces: orphans });
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
        let no_seed_left = fetch.next_seed(now).is_none() && fetch.asked.values().all(Option::is_some);
        let nobody = blob.sessions.is_empty() && fetch.connecting.is_empty();
        let is_lost = has_no_length && nobody || since_progress >= self.config.starved_after * 2;
        let reason = if fetch.is_settled() && has_no_length || no_seed_left && is_lost {
            refused.map_or(FetchError::NoSource, FetchError::Seeds)
        } else if has_no_length && now.since(fetch.started) >= self.config.length_deadline
            || since_progress >= self.config.stall_timeout
        {
            FetchError::Stalled
        } else {
            return;
        };
        self.fail(digest, reason);
    }

    fn fail(&mut self, digest: &Digest, reason: FetchError) {
        let told = match reason {
            FetchError::NoSource => CloseReason::NotHere,
            FetchError::Stalled => CloseReason::OriginFailed,
            FetchError::Seeds(reason) => reason,
            FetchError::TooMany => CloseReason::Full,
        };
        self.push(Action::Failed { digest: *digest, reason });
        self.close_blob(digest, told);
    }

    /// A node closed the blob with us.
    pub(super) fn on_refused(&mut self, now: Timestamp, from: NodeId, digest: &Digest, reason: CloseReason) {
        let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) else { return };
        fetch.connecting.remove(&from);
        fetch.retry_after.insert(from, now + RETRY_AFTER);
        match (fetch.asked.get_mut(&from), reason) {
            // It may have room later.
            (Some(_), CloseReason::Full) => {
                fetch.asked.remove(&from);
            }
            (Some(answer), reason) => *answer = Some(reason),
            (None, _) => {}
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

    /// While the origin delivers, tells those who wait that they need not give up.
    pub(super) fn keep_alive(&mut self, now: Timestamp, digest: &Digest) {
        let is_seed = self.config.is_seed;
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let Some(fetch) = blob.fetch.as_mut().filter(|_| is_seed) else { return };
        let is_due = now.since(fetch.last_keepalive) >= self.config.keepalive;
        if !is_due || !(fetch.authoring || fetch.last_progress > fetch.last_keepalive) {
            return;
        }
        fetch.last_keepalive = now;
        let channel = blob.channel;
        let nodes: Vec<NodeId> = blob
            .sessions
            .iter()
            .filter(|(_, session)| session.is_open() && !session.is_complete())
            .map(|(node, _)| *node)
            .collect();
        for node in nodes {
            self.send(node, Message::Have { channel, pieces: Vec::new() });
        }
    }
}

impl Fetch {
    /// The first seed, in the order of ownership, that was not asked yet.
    fn next_seed(&self, now: Timestamp) -> Option<NodeId> {
        let fresh = |seed: &&NodeId| !self.asked.contains_key(*seed) && self.is_reachable(seed, now);
        self.members.seeds.iter().find(fresh).copied()
    }

    /// The origin's word is final: asking it again through another seed changes nothing.
    fn is_settled(&self) -> bool {
        self.asked.values().any(|answer| matches!(answer, Some(CloseReason::NotFound | CloseReason::Denied)))
    }
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
