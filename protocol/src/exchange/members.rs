//! Who takes part in a blob.

use alloc::vec::Vec;

use crate::{identity::NodeId, wire::Holding};

/// Most holders of a blob, and most nodes that fetch it, among whom a node chooses its neighbours: eight times as many
/// as it dials. As many in its own zone as in all others together.
const MAX_MEMBERS: usize = 128;

/// Whether another node stands in this one's zone. Paths to other zones may be long, narrow or paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distance {
    /// In the same zone, or in none that is known.
    #[default]
    Near,
    /// In another zone.
    Far,
}

impl Distance {
    /// From one zone to another; a node that names none is near everyone.
    pub fn between(one: &str, other: &str) -> Self {
        if one.is_empty() || other.is_empty() || one == other { Self::Near } else { Self::Far }
    }
}

/// Who takes part in a blob, as the inventory has it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// The live seeds, the blob's owner first, its successor next. A seed finds itself among them.
    pub seeds: Vec<NodeId>,
    /// Those of this node's zone.
    pub near: Group,
    /// Those of other zones.
    pub far: Group,
}

/// Members of one zone, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Live nodes that have the whole blob; of very many, some.
    pub holders: Vec<NodeId>,
    /// Live nodes that are fetching it; of very many, some.
    pub fetching: Vec<NodeId>,
}

impl Members {
    /// The members that `me` is told of, when `nodes` are all that have the blob or part of it.
    ///
    /// Of very many it is told of some: of others than anybody else, so that the swarm stays in one, and of the same
    /// each time, whether they are done by then or not, so that it finds its neighbours among them.
    pub fn choose(
        me: &NodeId,
        seeds: Vec<NodeId>,
        nodes: impl Iterator<Item = (NodeId, Holding, Distance)>,
    ) -> Self {
        let (mut near, mut far) = (ChosenGroup::default(), ChosenGroup::default());
        let salt = mixed(first_word(me));
        for (node, holding, distance) in nodes {
            let rank = mixed(first_word(&node).wrapping_add(salt));
            let group = match distance {
                Distance::Near => &mut near,
                Distance::Far => &mut far,
            };
            match holding {
                Holding::Holds => group.holders.add(rank, node),
                Holding::Fetching => group.fetching.add(rank, node),
            }
        }
        Self { seeds, near: near.into_group(), far: far.into_group() }
    }

    /// Everyone who has the whole blob.
    pub(super) fn holders(&self) -> impl Iterator<Item = &NodeId> {
        self.near.holders.iter().chain(&self.far.holders)
    }
}

impl Group {
    pub(super) fn contains(&self, node: &NodeId) -> bool {
        self.holders.contains(node) || self.fetching.contains(node)
    }
}

#[derive(Default)]
struct ChosenGroup {
    holders: Chosen,
    fetching: Chosen,
}

impl ChosenGroup {
    fn into_group(self) -> Group {
        Group { holders: self.holders.into_nodes(), fetching: self.fetching.into_nodes() }
    }
}

/// The nodes of the lowest ranks.
#[derive(Default)]
struct Chosen {
    nodes: Vec<(u64, NodeId)>,
    /// No higher rank is among the lowest.
    highest: Option<u64>,
}

impl Chosen {
    fn add(&mut self, rank: u64, node: NodeId) {
        if self.highest.is_some_and(|highest| rank > highest) {
            return;
        }
        self.nodes.push((rank, node));
        // Twice as many wait, so that the lowest need not be found for each of them.
        if self.nodes.len() >= MAX_MEMBERS * 2 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.nodes.len() > MAX_MEMBERS {
            let (_, (highest, _), _) = self.nodes.select_nth_unstable(MAX_MEMBERS - 1);
            self.highest = Some(*highest);
            self.nodes.truncate(MAX_MEMBERS);
        }
    }

    fn into_nodes(mut self) -> Vec<NodeId> {
        self.cut();
        self.nodes.into_iter().map(|(_, node)| node).collect()
    }
}

pub(super) fn first_word(node: &NodeId) -> u64 {
    node.0.first_chunk().map_or(0, |word| u64::from_be_bytes(*word))
}

/// Spreads every bit over all (the last steps of `SplitMix64`).
pub(super) const fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    fn nodes(count: u32) -> impl Iterator<Item = NodeId> {
        (0..count).map(|number| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_le_bytes());
            NodeId(id)
        })
    }

    fn fetching(me: &NodeId, count: u32) -> Vec<NodeId> {
        let all = nodes(count).map(|node| (node, Holding::Fetching, Distance::Near));
        Members::choose(me, Vec::new(), all).near.fetching
    }

    #[test]
    fn a_small_swarm_is_told_in_full() {
        let all: Vec<NodeId> = nodes(MAX_MEMBERS as u32).collect();
        assert_eq!(fetching(&NodeId([7; 32]), MAX_MEMBERS as u32), all);
    }

    #[test]
    fn of_a_large_swarm_everyone_is_told_of_others() {
        let mut times_chosen = alloc::collections::BTreeMap::<NodeId, usize>::new();
        for me in nodes(1000) {
            let chosen = fetching(&me, 1000);
            assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), MAX_MEMBERS);
            chosen.into_iter().for_each(|node| *times_chosen.entry(node).or_default() += 1);
        }
        assert_eq!(times_chosen.len(), 1000);
        let most = times_chosen.values().max().copied().unwrap_or(0);
        assert!(most < MAX_MEMBERS * 3 / 2, "one node is told to {most} of 1000");
    }

    #[test]
    fn many_of_one_zone_leave_room_for_the_other() {
        let all = nodes(1000).map(|node| {
            let distance = if node.0[0] % 8 == 0 { Distance::Near } else { Distance::Far };
            (node, Holding::Fetching, distance)
        });
        let members = Members::choose(&NodeId([7; 32]), Vec::new(), all);
        assert_eq!((members.near.fetching.len(), members.far.fetching.len()), (125, MAX_MEMBERS));
        assert!(members.near.fetching.iter().all(|node| node.0[0] % 8 == 0));
    }

    #[test]
    fn a_node_without_a_zone_is_near_everyone() {
        for (one, other, distance) in [
            ("", "", Distance::Near),
            ("", "a", Distance::Near),
            ("a", "", Distance::Near),
            ("a", "a", Distance::Near),
            ("a", "b", Distance::Far),
        ] {
            assert_eq!(Distance::between(one, other), distance, "{one:?} and {other:?}");
        }
    }

    #[test]
    fn whoever_is_done_stays_chosen() {
        let me = NodeId([7; 32]);
        let before: BTreeSet<NodeId> = fetching(&me, 1000).into_iter().collect();
        let all_done = nodes(1000).map(|node| (node, Holding::Holds, Distance::Near));
        let after: BTreeSet<NodeId> =
            Members::choose(&me, Vec::new(), all_done).near.holders.into_iter().collect();
        assert_eq!(before, after);
    }
}
