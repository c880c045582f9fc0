//! Telling neighbours which pieces are here.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Exchange, session::Session};
use crate::{bounds::MAX_PIECES_LISTED, digest::Digest, identity::NodeId, time::Timestamp, wire::Message};

/// A neighbour that has the whole blob only needs to know whom to offer to, so news for it waits for this much more
/// company: it may have hundreds of neighbours.
const COMPLETE_DELAY_FACTOR: u32 = 20;
/// Haves wait no longer for company than this on the slowest link.
const LONGEST_DELAY: Duration = Duration::from_millis(250);

impl Exchange {
    /// Tells neighbours of new pieces: at once when nothing went out lately, together with more otherwise.
    pub(super) fn flush_haves(&mut self, now: Timestamp, digest: &Digest) {
        let Some(blob) = self.blobs.get(digest) else { return };
        let (channel, is_complete) = (blob.channel, blob.is_complete());
        let is_due = |session: &Session| {
            let has_news = !session.unannounced.is_empty();
            has_news && now >= session.last_have + self.have_delay(session, is_complete)
        };
        let due: Vec<NodeId> =
            blob.sessions.iter().filter(|(_, session)| is_due(session)).map(|(node, _)| *node).collect();
        for node in due {
            self.push_chain(digest, &node);
            let Some(session) = self.session_mut(digest, &node) else { continue };
            let news = session.unannounced.len().min(MAX_PIECES_LISTED);
            let pieces = session.unannounced.drain(..news).collect();
            session.last_have = now;
            self.send(node, Message::Have { channel, pieces });
        }
        if let Some(next) = self.next_have(digest) {
            self.wake_at(next.max(now + Duration::from_millis(1)));
        }
    }

    /// When the next neighbour is to be told of new pieces of a blob.
    fn next_have(&self, digest: &Digest) -> Option<Timestamp> {
        let blob = self.blobs.get(digest)?;
        let waiting = blob.sessions.values().filter(|session| !session.unannounced.is_empty());
        waiting.map(|session| session.last_have + self.have_delay(session, blob.is_complete())).min()
    }

    fn have_delay(&self, session: &Session, we_are_complete: bool) -> Duration {
        // On a slow link a piece takes long to pass, and news of it is worth little so soon.
        let delay = self.config.have_delay.max(self.piece_time.min(LONGEST_DELAY));
        if session.is_complete() && !we_are_complete {
            return delay.saturating_mul(COMPLETE_DELAY_FACTOR);
        }
        delay
    }
}
