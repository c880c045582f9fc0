//! Which nodes an order is for.

use std::collections::{BTreeMap, BTreeSet};

use shoal_protocol::{identity::NodeId, ownership};

use super::fleet::Member;

/// Most nodes of one order: each is asked about once a second while it fetches.
pub const MAX_NODES: usize = 1000;
/// Zones that an error names.
const MAX_ZONES_NAMED: usize = 10;

/// Nodes other than the one that takes the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Only those of this zone.
    pub zone: Option<String>,
    /// So many of them; without, all.
    pub count: Option<usize>,
}

/// The nodes of an order, the first ones first; the rest stand in for those that fall out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) candidates: Vec<Member>,
    pub(super) count: usize,
}

/// Why there are no such nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// Nobody is in the zone.
    #[error("no live node is in the zone {zone:?}; there are nodes in {}", zones.join(", "))]
    NoSuchZone {
        /// The zone.
        zone: String,
        /// Some that there are.
        zones: Vec<String>,
    },
    /// Fewer than wanted.
    #[error("{wanted} nodes are wanted and {found} are live{}", place(zone.as_ref()))]
    TooFew {
        /// How many are wanted.
        wanted: usize,
        /// How many there are.
        found: usize,
        /// Where.
        zone: Option<String>,
    },
    /// More than [`MAX_NODES`].
    #[error("{0} nodes are more than {MAX_NODES} for one order: name a number of them, or a zone")]
    TooMany(usize),
}

impl Spread {
    /// The nodes for an order of that `key`. The same key chooses the same nodes, as far as they live; a node that comes
    /// or goes moves no other.
    ///
    /// # Errors
    /// When there are too few of them, or too many.
    pub(super) fn choose(&self, members: &[Member], key: &str) -> Result<Chosen, SpreadError> {
        let fits = |member: &&Member| self.zone.as_ref().is_none_or(|zone| *zone == member.zone);
        let fitting: Vec<&Member> = members.iter().filter(fits).collect();
        if let (Some(zone), true) = (&self.zone, fitting.is_empty()) {
            return Err(SpreadError::NoSuchZone { zone: zone.clone(), zones: zones(members) });
        }
        let count = self.count.unwrap_or(fitting.len());
        if count > fitting.len() {
            let zone = self.zone.clone();
            return Err(SpreadError::TooFew { wanted: count, found: fitting.len(), zone });
        }
        if count > MAX_NODES {
            return Err(SpreadError::TooMany(count));
        }
        let by_id: BTreeMap<NodeId, &Member> = fitting.iter().map(|member| (member.node, *member)).collect();
        let ids: Vec<NodeId> = fitting.iter().map(|member| member.node).collect();
        let ranked = ownership::owners(format!("preheat {key}").as_bytes(), &ids);
        let candidates = ranked.iter().filter_map(|node| by_id.get(node)).map(|member| (*member).clone());
        Ok(Chosen { candidates: candidates.collect(), count })
    }
}

fn zones(members: &[Member]) -> Vec<String> {
    let zones: BTreeSet<&str> = members.iter().map(|member| member.zone.as_str()).collect();
    let named = zones.into_iter().map(|zone| if zone.is_empty() { "no zone" } else { zone });
    named.take(MAX_ZONES_NAMED).map(str::to_owned).collect()
}

fn place(zone: Option<&String>) -> String {
    zone.map(|zone| format!(" in the zone {zone:?}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u8) -> Vec<Member> {
        let zone = |number| if number % 2 == 0 { "even" } else { "odd" };
        (0..count)
            .map(|number| Member { node: NodeId([number; 32]), zone: zone(number).to_owned() })
            .collect()
    }

    fn spread(zone: Option<&str>, count: Option<usize>) -> Spread {
        Spread { zone: zone.map(str::to_owned), count }
    }

    fn first(chosen: &Chosen) -> BTreeSet<NodeId> {
        chosen.candidates.iter().take(chosen.count).map(|member| member.node).collect()
    }

    #[test]
    fn a_zone_is_all_of_its_nodes() {
        let chosen = spread(Some("odd"), None).choose(&members(9), "a").unwrap();
        assert_eq!((chosen.count, first(&chosen).len()), (4, 4));
        assert!(chosen.candidates.iter().all(|member| member.zone == "odd"));
    }

    #[test]
    fn a_repeated_order_chooses_the_same_nodes_and_another_one_others() {
        let some = spread(None, Some(5));
        let before = first(&some.choose(&members(100), "a").unwrap());
        assert_eq!(first(&some.choose(&members(100), "a").unwrap()), before);
        assert_ne!(first(&some.choose(&members(100), "b").unwrap()), before);
        let gone = *before.iter().next().unwrap();
        let mut fewer = members(100);
        fewer.retain(|member| member.node != gone);
        fewer.reverse();
        let after = first(&some.choose(&fewer, "a").unwrap());
        assert_eq!(after.intersection(&before).count(), 4, "only the one that left is replaced");
    }

    #[test]
    fn too_few_and_too_many_are_told() {
        let error = |spread: Spread, members: &[Member]| spread.choose(members, "a").unwrap_err().to_string();
        assert_eq!(
            error(spread(Some("red"), None), &members(3)),
            "no live node is in the zone \"red\"; there are nodes in even, odd"
        );
        assert_eq!(
            error(spread(Some("odd"), Some(3)), &members(3)),
            "3 nodes are wanted and 1 are live in the zone \"odd\""
        );
        let many: Vec<Member> = members(101)
            .into_iter()
            .flat_map(|member| (0..10).map(move |number| (number, member.clone())))
            .map(|(number, mut member)| {
                member.node.0[1] = number;
                member
            })
            .collect();
        assert_eq!(spread(None, None).choose(&many, "a"), Err(SpreadError::TooMany(1010)));
        assert_eq!(spread(None, Some(1000)).choose(&many, "a").unwrap().count, 1000);
    }
}
