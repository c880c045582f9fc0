//! What nodes say to each other, and how it is written down. `docs/protocol.md` is the specification.

mod announce;
mod announce_codec;
mod codec;
mod control;
mod control_codec;
mod lane;
mod login;
mod parts;
mod preheat;
mod query;

pub use announce::{Announcement, Change, Holding, InventoryList, NodeRecord, SnapshotEntry};
pub use codec::{Reader, Wire, WireError, encode_frame, frame_len_bytes};
pub use control::{Channel, CloseReason, Message};
pub use lane::LaneHeader;
pub use login::ClientLogin;
pub use preheat::{PlatformName, PreheatOrder, PreheatProgress, PreheatState};
pub use query::{Answer, Descriptor, ListPage, Query, Refusal};

/// The version of all that is specified here. It changes when an old node could not work with a new one.
pub const VERSION: u32 = 1;
/// Names the stream that carries [`Message`]s, one for each neighbour and direction.
pub const CONTROL_PROTOCOL: &str = "/shoal/control/1";
/// Names the stream that carries pieces where a lane can't be opened.
pub const LANE_PROTOCOL: &str = "/shoal/lane/1";
/// Names the stream that carries one [`Query`] and its [`Answer`].
pub const QUERY_PROTOCOL: &str = "/shoal/query/1";
/// Names the gossip topic that carries [`Announcement`]s.
pub const INVENTORY_TOPIC: &str = "shoal/inventory/1";
