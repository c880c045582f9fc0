//! Piece chains: how they spread, which one counts, and who is to blame when pieces don't fit.

use super::{Action, Exchange, Fault, blob::Blob};
use crate::{
    bitfield::Bitfield,
    chain::{Chain, ChainError, ChainUpdate},
    digest::Digest,
    geometry::PieceIndex,
    identity::NodeId,
    membership::Role,
    time::Timestamp,
    wire::{CloseReason, Message},
};

/// This many different senders of pieces that do not fit bring down a chain that a peer signed.
///
/// A seed's chain is never brought down by others' word: only by its author failing to send a piece that fits it.
const VOTES_AGAINST_PEER: usize = 4;
/// After this many false chains in one fetch only a seed's is believed: anybody can invent authors.
const MAX_BLAMED: usize = 8;

impl Exchange {
    /// This node pulls a blob from the origin: the chain so far, and pieces that it covers and that are stored.
    pub fn handle_author_chain(
        &mut self,
        now: Timestamp,
        digest: &Digest,
        chain: Chain,
        pieces: &[PieceIndex],
    ) {
        let Some(blob) = self.blobs.get(digest) else { return };
        if blob.is_complete() {
            return;
        }
        let is_first = blob.chain.is_none();
        let disagrees = blob.chain.as_ref().is_some_and(|known| !known.agrees_with(&chain));
        let is_news = chain.known_links() > blob.known_links();
        let geometry = chain.geometry();
        if disagrees && let Some(author) = blob.chain.as_ref().map(|known| known.author().node) {
            // What the origin says outweighs what anybody signed.
            self.discard(now, digest, author);
        }
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        if is_first || disagrees {
            blob.adopt(chain, true, false);
            self.push(Action::Begin { digest: *digest, geometry });
        } else if is_news {
            blob.adopt(chain, true, true);
        }
        self.introduce_everyone(now, digest);
        for piece in pieces {
            if let Some(blob) = self.blobs.get_mut(digest) {
                let count = blob.have.len();
                blob.unsent.get_or_insert_with(|| Bitfield::empty(count)).set(*piece);
            }
            self.gain_piece(now, digest, *piece);
        }
        self.fill_slots(now);
    }

    pub(super) fn is_seed_author(&self, chain: &Chain) -> bool {
        let author = chain.author();
        let role = author.role.as_ref().and_then(|token| self.cluster.verify_role(&author.node, token));
        role == Some(Role::Seed)
    }

    /// Sends a neighbour what it does not know of the chain yet.
    pub(super) fn push_chain(&mut self, digest: &Digest, node: &NodeId) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let (Some(chain), Some(session)) = (&blob.chain, blob.sessions.get_mut(node)) else { return };
        if session.their_links.is_some_and(|links| links >= chain.known_links()) {
            return;
        }
        let Some(update) = chain.update_from(session.their_links.unwrap_or(0)) else { return };
        session.their_links = Some(chain.known_links());
        let channel = blob.channel;
        self.send(*node, Message::Chain { channel, update });
    }

    /// A neighbour sends more of a chain.
    pub(super) fn on_chain(
        &mut self,
        now: Timestamp,
        from: NodeId,
        digest: &Digest,
        update: &ChainUpdate,
    ) -> Result<(), Fault> {
        let Some(blob) = self.blobs.get_mut(digest) else { return Ok(()) };
        let covered = update.first_link.saturating_add(link_count(digest, update));
        let is_ours = blob.chain.as_ref().is_some_and(|known| *known.author() == update.author);
        if is_ours && let Some(session) = blob.sessions.get_mut(&from) {
            session.their_links = session.their_links.max(Some(covered));
        }
        let Some(fetch) = &blob.fetch else { return Ok(()) };
        if fetch.blamed.contains(&update.author.node) {
            return Ok(());
        }
        match &mut blob.chain {
            Some(known) if *known.author() == update.author => {
                if covered <= known.known_links() {
                    return Ok(());
                }
                match known.extend(update) {
                    Ok(_) => {}
                    Err(ChainError::Gap { .. }) => return Ok(()),
                    Err(ChainError::Contradiction { .. }) => {
                        let author = update.author.node;
                        self.strike(author, Fault::FalseChain);
                        self.discard(now, digest, author);
                        return Ok(());
                    }
                    Err(_) => return Err(Fault::InvalidChain),
                }
                self.note_progress(now, digest);
            }
            known => {
                let may_be_better =
                    known.as_ref().is_none_or(|known| covered > known.known_links() || !blob.chain_from_seed);
                if may_be_better && let Some(chain) = chain_of(digest, known.as_ref(), update)? {
                    self.consider(now, digest, chain);
                }
            }
        }
        Ok(())
    }

    /// Takes a chain of another author when it is worth more than the known one: a seed's rather than a peer's, and
    /// of two that agree the longer.
    fn consider(&mut self, now: Timestamp, digest: &Digest, chain: Chain) {
        let from_seed = self.is_seed_author(&chain);
        let geometry = chain.geometry();
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let Some(fetch) = &blob.fetch else { return };
        // A seed believes seeds only, as long as it can ask the origin itself.
        let can_pull = self.config.is_seed && !matches!(fetch.asked.get(&self.config.me), Some(Some(_)));
        if !from_seed && (can_pull || fetch.blamed.len() >= MAX_BLAMED) {
            return;
        }
        let agrees = blob.chain.as_ref().is_none_or(|known| known.agrees_with(&chain));
        let is_longer = chain.known_links() > blob.known_links();
        let is_better = match &blob.chain {
            None => true,
            Some(_) if agrees => is_longer && (from_seed || !blob.chain_from_seed),
            Some(_) => from_seed && !blob.chain_from_seed,
        };
        if !is_better {
            return;
        }
        match &blob.chain {
            Some(_) if agrees => blob.adopt(chain, from_seed, true),
            known => {
                // A seed's word against a peer's: what was verified by the peer's chain is not worth keeping.
                if let Some(author) = known.as_ref().map(|known| known.author().node) {
                    self.discard(now, digest, author);
                }
                let Some(blob) = self.blobs.get_mut(digest) else { return };
                blob.adopt(chain, from_seed, false);
                self.push(Action::Begin { digest: *digest, geometry });
                self.introduce_everyone(now, digest);
            }
        }
        self.note_progress(now, digest);
    }

    pub(super) fn note_progress(&mut self, now: Timestamp, digest: &Digest) {
        if let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) {
            fetch.last_progress = now;
        }
    }

    /// A piece does not fit the chain: the sender lies, or the chain's author does. Nobody is punished before the
    /// chain closes, but nothing more is asked of this sender.
    pub(super) fn judge_corrupt(&mut self, now: Timestamp, digest: &Digest, from: NodeId) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        if let Some(session) = blob.sessions.get_mut(&from) {
            session.distrusted = true;
        }
        let Some(author) = blob.chain.as_ref().map(|chain| chain.author().node) else { return };
        let Some(fetch) = &mut blob.fetch else { return };
        fetch.corrupt.insert(from);
        let votes = fetch.corrupt.len();
        let nobody_left =
            blob.sessions.values().all(|session| session.distrusted || !blob.lacks_any_of(session));
        let is_outvoted = !blob.chain_from_seed && (votes >= VOTES_AGAINST_PEER || nobody_left);
        if author == from {
            self.strike(author, Fault::FalseChain);
        }
        if author == from || is_outvoted {
            self.discard(now, digest, author);
            self.climb(now, digest);
        }
    }

    /// Drops a chain and all that was verified by it, and starts over with everyone but its author.
    pub(super) fn discard(&mut self, now: Timestamp, digest: &Digest, author: NodeId) {
        self.forget_chain(now, digest);
        if let Some(fetch) = self.blobs.get_mut(digest).and_then(|blob| blob.fetch.as_mut()) {
            if fetch.blamed.len() < MAX_BLAMED {
                fetch.blamed.insert(author);
            }
            self.push(Action::Discard { digest: *digest, author });
        }
    }

    fn forget_chain(&mut self, now: Timestamp, digest: &Digest) {
        self.close_sessions(now, digest, CloseReason::BadChain);
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        let (channel, me) = (blob.channel, self.config.me);
        let Some(mut fetch) = blob.fetch.take() else { return };
        fetch.corrupt.clear();
        fetch.in_flight.clear();
        fetch.arriving.clear();
        // A pull from the origin goes on, and its refusal stays true.
        fetch.asked.retain(|node, _| *node == me);
        fetch.started = now;
        fetch.last_progress = now;
        *blob = Blob::fetching(channel, fetch);
    }

    /// Before a seed asks the origin: what a peer signed is no ground for what a seed will sign.
    pub(super) fn drop_peers_chain(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        if let Some(author) = blob.chain.as_ref().map(|chain| chain.author().node)
            && !blob.chain_from_seed
        {
            self.discard(now, digest, author);
        }
    }
}

/// The chain that an update of another author than the known one's stands for; `None` when it does not fit what is
/// known here, which does not say who is wrong.
fn chain_of(digest: &Digest, known: Option<&Chain>, update: &ChainUpdate) -> Result<Option<Chain>, Fault> {
    match known {
        _ if update.first_link == 0 => {
            Chain::from_update(*digest, update).map(Some).map_err(|_| Fault::InvalidChain)
        }
        Some(known) => Ok(known.succeeded_by(update).ok()),
        None => Ok(None),
    }
}

fn link_count(digest: &Digest, update: &ChainUpdate) -> u32 {
    u32::try_from(update.links.len() / digest.algorithm().hash_bytes()).unwrap_or(u32::MAX)
}
