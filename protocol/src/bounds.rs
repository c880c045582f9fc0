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
