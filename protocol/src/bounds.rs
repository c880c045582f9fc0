//! Every bound of the protocol, each with its reason. What exceeds one is refused with a named error and counted;
//! where it came from a peer, it is a strike against that peer.

/// Smallest piece: below this a message costs more than the bytes it moves.
pub const MIN_PIECE_BYTES: u32 = 64 * 1024;
/// Largest piece: what a node holds in memory for each transfer under way.
pub const MAX_PIECE_BYTES: u32 = 4 * 1024 * 1024;
/// Most pieces of a blob: 128 GiB in the largest pieces; keeps a bitfield at 4 KiB and a chain at 1 MiB (SHA-256).
pub const MAX_PIECES: u32 = 32 * 1024;
/// Largest manifest: containerd refuses more than about 4 MiB.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Largest control frame: a whole SHA-512 chain of the most pieces, its author and signature.
pub const MAX_CONTROL_FRAME_BYTES: usize = 2 * 1024 * 1024 + 1024;
/// Most pieces or ranges that one control message lists.
pub const MAX_PIECES_LISTED: usize = 1024;
/// Most blobs that one neighbour may have open with us at a time.
pub const MAX_CHANNELS_PER_PEER: usize = 1024;
/// Longest registry host or repository name (OCI distribution specification).
pub const MAX_NAME_BYTES: usize = 255;
/// Longest tag (OCI distribution specification).
pub const MAX_TAG_BYTES: usize = 128;
/// Longest media type: two names of 127 bytes and a slash (RFC 6838).
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;
/// Longest user name of a login at a registry.
pub const MAX_USERNAME_BYTES: usize = 1024;
/// Longest password of one: the tokens that cloud registries take in its place have a few KiB.
pub const MAX_PASSWORD_BYTES: usize = 16 * 1024;
/// Longest query of a request for a list: names of next pages are tokens of up to a few KiB.
pub const MAX_LIST_QUERY_BYTES: usize = 4 * 1024;
/// Longest list of the filters that a registry applied; there is one kind of filter.
pub const MAX_FILTERS_BYTES: usize = 255;
/// Most platforms that one order names: more than any image is built for.
pub const MAX_PLATFORMS: usize = 32;
/// Longest name of a platform.
pub const MAX_PLATFORM_BYTES: usize = 64;
/// Longest reason why an image could not be had.
pub const MAX_REASON_BYTES: usize = 512;
/// Largest query: an image name, a reference and a login, their lengths and tags.
pub const MAX_QUERY_FRAME_BYTES: usize = 20 * 1024;
/// Largest answer to a query: a snapshot of the most nodes, or a manifest, both with room to spare.
pub const MAX_ANSWER_FRAME_BYTES: usize = 8 * 1024 * 1024;
/// Longest name of a zone: that of a DNS label and a little more.
pub const MAX_ZONE_BYTES: usize = 64;
/// Most addresses of each kind that a node gives: a few interfaces, in IPv4 and IPv6.
pub const MAX_ADDRESSES: usize = 8;
/// Most nodes that the inventory knows, this one included: the largest cluster simulated, in about 6 MB of records.
pub const MAX_NODES: usize = 10_000;
/// Most blobs that one node announces: half a terabyte in layers of 32 MiB, in a list of 1 MiB.
pub const MAX_BLOBS_PER_NODE: usize = 16 * 1024;
/// Most pairs of node and blob that the inventory knows of others, at four bytes a pair.
pub const MAX_HOLDINGS: usize = 4 * 1024 * 1024;
/// Most blobs that the inventory knows of others, at about a hundred bytes a blob.
pub const MAX_BLOBS: usize = 256 * 1024;
/// Most changes in one announcement: with SHA-512 it stays below gossipsub's usual limit of 64 KiB a message.
pub const MAX_CHANGES_LISTED: usize = 512;
/// Largest announcement: the most changes and a node record.
pub const MAX_ANNOUNCEMENT_BYTES: usize = 40 * 1024;
/// Most announcements of a node that wait for one that gossip delivers late: three seconds of them.
pub const MAX_EARLY_PER_NODE: usize = 32;
/// Most announcements of all nodes that wait so: 35 MiB in the worst case, and rarely one.
pub const MAX_EARLY: usize = 1024;
/// Longest silence that an announcement may ask for before its node counts as gone.
pub const MAX_LIFETIME_MS: u32 = 5 * 60 * 1000;
