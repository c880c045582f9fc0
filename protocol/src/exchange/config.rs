//! The knobs of the exchange, each with its reason.

use core::time::Duration;

use crate::identity::NodeId;

/// How a node behaves in a swarm. The defaults come from simulation.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// This node.
    pub me: NodeId,
    /// True on seeds: they send each piece once before anything twice, and may turn to the origin.
    pub is_seed: bool,
    /// Seed of the choices made at random.
    pub random_seed: u64,
    /// Neighbours that a fetch connects to by itself. About twice as many result, since others connect too: half as
    /// many cost 10 % of the time that a flash crowd takes, twice as many gain nothing.
    pub dials: usize,
    /// Transfers at a time in each direction; by the number of pieces (`slots_for`) if this is not set.
    pub slots: Option<usize>,
    /// Transfers beyond the slots that are agreed on already, in each direction, so that no slot is empty for a round
    /// trip; more where a round trip takes as long as a piece. Half as many as there are slots if this is not set.
    pub ahead: Option<usize>,
    /// Most neighbours of one blob while it is fetched.
    pub fetch_neighbours: usize,
    /// Most neighbours of one blob that is complete here.
    pub hold_neighbours: usize,
    /// Most blobs fetched at a time.
    pub fetches: usize,
    /// Haves wait this long for company, unless an offer takes them along.
    pub have_delay: Duration,
    /// An offer that is not answered by then frees its slot.
    pub offer_timeout: Duration,
    /// A neighbour that owes pieces and sends no byte for this long (or longer on slow links) is given up on.
    pub piece_timeout: Duration,
    /// A transfer that takes this long, and far longer than others do, no longer counts against the slots; what does
    /// not come is asked of somebody else too.
    pub slow_after: Duration,
    /// How long a neighbour that was given up on is left alone.
    pub avoid: Duration,
    /// A fetch without progress turns to the next seed after this long.
    pub starved_after: Duration,
    /// A fetch that knows no length by then fails. Runtimes wait 30 s for response headers.
    pub length_deadline: Duration,
    /// A fetch without progress for this long fails, so that the runtime can go on from the origin.
    pub stall_timeout: Duration,
    /// A reader that waits for a piece this long gets it ahead of rarer ones.
    pub reader_patience: Duration,
    /// A complete blob that nobody has asked for since is forgotten here (the store keeps it).
    pub hold_idle: Duration,
    /// While the origin delivers, a seed says so this often to those who wait.
    pub keepalive: Duration,
}

impl ExchangeConfig {
    /// The defaults for a node.
    pub const fn new(me: NodeId, is_seed: bool, random_seed: u64) -> Self {
        Self {
            me,
            is_seed,
            random_seed,
            dials: 16,
            slots: None,
            ahead: None,
            fetch_neighbours: 48,
            hold_neighbours: 256,
            fetches: 64,
            have_delay: Duration::from_millis(5),
            offer_timeout: Duration::from_secs(1),
            piece_timeout: Duration::from_secs(3),
            slow_after: Duration::from_millis(100),
            avoid: Duration::from_secs(5),
            starved_after: Duration::from_secs(2),
            length_deadline: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(10),
            reader_patience: Duration::from_millis(500),
            hold_idle: Duration::from_secs(60),
            keepalive: Duration::from_millis(500),
        }
    }
}

/// Transfers at a time in each direction, for blobs of `pieces` pieces in all: clamp(√M / 2, 2, 8).
///
/// Fitted by simulation and in the lab, not derived; that both directions have equally many matters more than how many.
/// Real connections take a few round trips to come up to speed, and more at a time fill the link meanwhile.
pub(super) fn slots_for(pieces: u32) -> usize {
    (pieces.isqrt() as usize / 2).clamp(2, 8)
}
