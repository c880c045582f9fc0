//! What comes from other zones: each piece once for a whole zone, if all goes well.
//!
//! The nodes of a zone that fetch a blob share its pieces out among themselves, by rendezvous hashing and without a
//! word. Each takes from far away only its own share, and of that only what nobody near has; from there the pieces
//! spread within the zone. When nothing comes any more, all borders open.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Distance,
    blob::Blob,
    members::{first_word, mixed},
    session::Session,
};
use crate::{geometry::PieceIndex, identity::NodeId, time::Timestamp};

/// Far neighbours that a fetch connects to where the zone has members enough. One would do if none ever were slow.
const FAR_DIALS: usize = 4;
/// Pieces on their way from other zones at a time into a whole zone, and at least so many for each of its nodes: enough
/// to fill a link, few enough that the first of them come soon and can be passed on.
const ZONE_CROSSINGS: usize = 16;
const MIN_CROSSINGS: usize = 2;
/// A fetch that gained no piece for this long takes any piece from anywhere: whose share it was may be gone.
const BORDER_PATIENCE: Duration = Duration::from_secs(1);

/// Which pieces may come from one neighbour.
pub(super) enum Border<'a> {
    /// All: it is near, or nothing else comes.
    Open,
    /// None: enough are on their way from far already.
    Closed,
    /// It is far: those of our share that nobody near has.
    Share {
        me: u64,
        /// The nodes that the zone's pieces are shared out among, besides us.
        others: &'a [NodeId],
        /// Neighbours of the zone.
        near: Vec<&'a Session>,
    },
}

impl Border<'_> {
    pub(super) fn lets_in(&self, piece: PieceIndex) -> bool {
        let (me, others, near) = match self {
            Self::Open => return true,
            Self::Closed => return false,
            Self::Share { me, others, near } => (me, others, near),
        };
        let mine = rank(*me, piece);
        others.iter().all(|other| mine <= rank(first_word(other), piece))
            && !near.iter().any(|session| session.has(piece))
    }
}

const fn rank(node: u64, piece: PieceIndex) -> u64 {
    mixed(node ^ mixed(piece as u64))
}

impl Blob {
    /// Which pieces may come from that neighbour to `me` now.
    pub(super) fn border(&self, now: Timestamp, me: &NodeId, from: &Session) -> Border<'_> {
        let Some(fetch) = &self.fetch else { return Border::Open };
        if from.distance == Distance::Near || now.since(fetch.last_piece) >= BORDER_PATIENCE {
            return Border::Open;
        }
        let others = &fetch.members.near.fetching;
        let far = self.sessions.values().filter(|session| session.distance == Distance::Far);
        let crossing: usize = far.map(|session| session.wants.len()).sum();
        if crossing >= (ZONE_CROSSINGS / (others.len() + 1)).max(MIN_CROSSINGS) {
            return Border::Closed;
        }
        let near = self.sessions.values().filter(|session| session.distance == Distance::Near);
        Border::Share {
            me: first_word(me),
            others,
            near: near.filter(|session| !session.distrusted).collect(),
        }
    }

    /// How many more near and far neighbours a fetch wants, that dials so many in all.
    pub(super) fn missing_neighbours(&self, now: Timestamp, dials: usize) -> [(Distance, usize); 2] {
        let Some(fetch) = &self.fetch else { return [(Distance::Near, 0), (Distance::Far, 0)] };
        let is_useful = |session: &&Session| !session.distrusted && now >= session.avoid_until;
        let is_far = |session: &&Session| session.distance == Distance::Far;
        let useful = self.sessions.values().filter(is_useful).count();
        let far = self.sessions.values().filter(is_useful).filter(is_far).count();
        let far_to_come = fetch.connecting.iter().filter(|node| fetch.members.far.contains(node)).count();
        let near = useful - far + fetch.connecting.len() - far_to_come;

        let in_zone = fetch.members.near.holders.len() + fetch.members.near.fetching.len();
        let far_wanted = dials.saturating_sub(in_zone).max(FAR_DIALS);
        [
            (Distance::Near, dials.saturating_sub(near)),
            (Distance::Far, far_wanted.saturating_sub(far + far_to_come)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bitfield::Bitfield,
        exchange::{Group, Members, blob::Fetch},
        reference::ImageName,
        wire::Channel,
    };

    const PIECES: u32 = 200;

    fn node(number: u8) -> NodeId {
        NodeId([number; 32])
    }

    /// A zone of nodes 1 to 8 that fetch a blob, seen by one of them. Node 20 is far and has all of it.
    fn blob() -> Blob {
        let near = Group { fetching: (1..=8).map(node).collect(), ..Group::default() };
        let members = Members { near, ..Members::default() };
        let source = ImageName {
            registry: "example.org".parse().expect("a host"),
            repository: "image".parse().expect("a repository"),
        };
        let mut blob = Blob::fetching(Channel(1), Fetch::new(source, members, Timestamp::ZERO));
        let far = blob.session_with(node(20), Distance::Far);
        far.pieces = Some(Bitfield::full(PIECES));
        blob
    }

    fn let_in(blob: &Blob, me: u8, from: u8, now: Timestamp) -> Vec<PieceIndex> {
        let session = blob.sessions.get(&node(from)).expect("a neighbour");
        let border = blob.border(now, &node(me), session);
        (0..PIECES).filter(|piece| border.lets_in(*piece)).collect()
    }

    #[test]
    fn a_zone_shares_the_pieces_out() {
        let blob = blob();
        let shares: Vec<_> = (1..=8).map(|me| let_in(&blob, me, 20, Timestamp::ZERO)).collect();
        let mut all = shares.concat();
        all.sort_unstable();
        assert_eq!(all, (0..PIECES).collect::<Vec<_>>(), "each piece is somebody's, and nobody else's");
        assert!(shares.iter().all(|share| !share.is_empty()), "{shares:?}");
    }

    #[test]
    fn what_a_near_neighbour_has_comes_from_it() {
        let mut blob = blob();
        let mine = let_in(&blob, 1, 20, Timestamp::ZERO);
        let mut pieces = Bitfield::empty(PIECES);
        pieces.set(mine[0]);
        blob.session_with(node(2), Distance::Near).pieces = Some(pieces);
        assert_eq!(let_in(&blob, 1, 20, Timestamp::ZERO), mine[1..]);
        assert_eq!(let_in(&blob, 1, 2, Timestamp::ZERO).len(), PIECES as usize);
    }

    #[test]
    fn few_pieces_cross_at_a_time() {
        let mut blob = blob();
        let session = blob.session_with(node(20), Distance::Far);
        session.wants.extend((0..MIN_CROSSINGS as u32).map(|piece| (piece, Timestamp::ZERO)));
        assert_eq!(let_in(&blob, 1, 20, Timestamp::ZERO), []);
    }

    #[test]
    fn without_progress_all_borders_open() {
        let mut blob = blob();
        let session = blob.session_with(node(20), Distance::Far);
        session.wants.extend((0..9).map(|piece| (piece, Timestamp::ZERO)));
        let later = Timestamp::ZERO + BORDER_PATIENCE;
        assert_eq!(let_in(&blob, 1, 20, later).len(), PIECES as usize);
    }

    #[test]
    fn neighbours_are_sought_near_and_some_far() {
        let mut blob = blob();
        assert_eq!(
            blob.missing_neighbours(Timestamp::ZERO, 6),
            [(Distance::Near, 6), (Distance::Far, FAR_DIALS - 1)]
        );
        if let Some(fetch) = &mut blob.fetch {
            fetch.members.near.fetching.truncate(2);
            fetch.members.far.fetching.push(node(30));
            fetch.connecting.extend([node(1), node(30)]);
        }
        let small_zone = blob.missing_neighbours(Timestamp::ZERO, 16);
        assert_eq!(small_zone, [(Distance::Near, 15), (Distance::Far, 12)], "far ones make up for near ones");
    }
}
