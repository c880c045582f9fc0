//! The specification says what the code does: its table of bounds is complete and true.

use shoal_protocol::bounds;

const SPECIFICATION: &str = include_str!("../../docs/protocol.md");
const BOUNDS: &str = include_str!("../src/bounds.rs");

macro_rules! rows {
    ($($name:ident)*) => {
        [$((stringify!($name), format!("| `{}` | {} |", stringify!($name), bounds::$name))),*]
    };
}

#[test]
fn the_table_of_bounds_is_true() {
    let rows = rows!(
        MIN_PIECE_BYTES
        MAX_PIECE_BYTES
        MAX_PIECES
        MAX_MANIFEST_BYTES
        MAX_CONTROL_FRAME_BYTES
        MAX_PIECES_LISTED
        MAX_CHANNELS_PER_PEER
        MAX_NAME_BYTES
        MAX_TAG_BYTES
        MAX_MEDIA_TYPE_BYTES
        MAX_USERNAME_BYTES
        MAX_PASSWORD_BYTES
        MAX_LIST_QUERY_BYTES
        MAX_FILTERS_BYTES
        MAX_PLATFORMS
        MAX_PLATFORM_BYTES
        MAX_REASON_BYTES
        MAX_QUERY_FRAME_BYTES
        MAX_ANSWER_FRAME_BYTES
        MAX_ZONE_BYTES
        MAX_ADDRESSES
        MAX_NODES
        MAX_BLOBS_PER_NODE
        MAX_HOLDINGS
        MAX_BLOBS
        MAX_CHANGES_LISTED
        MAX_ANNOUNCEMENT_BYTES
        MAX_EARLY_PER_NODE
        MAX_EARLY
        MAX_LIFETIME_MS
    );
    for (name, row) in &rows {
        assert!(
            SPECIFICATION.lines().any(|line| line == row),
            "docs/protocol.md lacks the row: {row} ({name})"
        );
    }
    assert_eq!(
        BOUNDS.matches("pub const ").count(),
        rows.len(),
        "list the new bound here and in docs/protocol.md"
    );
}
