//! How blobs are cut.

use proptest::prelude::*;
use shoal_protocol::{
    bounds::{MAX_PIECE_BYTES, MAX_PIECES, MIN_PIECE_BYTES},
    geometry::{Geometry, GeometryError},
};

const LONGEST_BLOB_BYTES: u64 = MAX_PIECE_BYTES as u64 * MAX_PIECES as u64;

/// Any geometry, with lengths close to a whole number of pieces among them.
fn geometries() -> impl Strategy<Value = Geometry> {
    let piece_bytes = (MIN_PIECE_BYTES.ilog2()..=MAX_PIECE_BYTES.ilog2()).prop_map(|log| 1u32 << log);
    (piece_bytes, 0..=MAX_PIECES, 0..3u64, any::<prop::sample::Index>()).prop_map(
        |(piece_bytes, pieces, less, inside)| {
            let whole = u64::from(piece_bytes) * u64::from(pieces);
            let less = if less == 2 { inside.index(piece_bytes as usize) as u64 } else { less };
            Geometry::new(whole.saturating_sub(less), piece_bytes).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn pieces_cover_the_blob_without_gap_or_overlap(geometry in geometries()) {
        let mut end = 0;
        for piece in 0..geometry.piece_count() {
            let range = geometry.range(piece);
            prop_assert_eq!(range.start, end);
            prop_assert_eq!(range.end - range.start, u64::from(geometry.len(piece)));
            prop_assert!(piece == geometry.last_piece() || geometry.len(piece) == geometry.piece_bytes());
            prop_assert!(geometry.len(piece) > 0 || geometry.is_empty());
            end = range.end;
        }
        prop_assert_eq!(end, geometry.blob_bytes());
    }

    #[test]
    fn nothing_lies_past_the_end(geometry in geometries(), past in any::<u32>()) {
        let piece = geometry.piece_count().saturating_add(past);
        prop_assert_eq!(geometry.len(piece), 0);
        prop_assert!(geometry.range(piece).is_empty());
    }

    /// Checked from both ends: a piece is covered exactly when it shares a byte with the range.
    #[test]
    fn covering_pieces_are_those_that_share_a_byte(
        geometry in geometries(), start in any::<prop::sample::Index>(), len_bytes in 0..20_000_000u64,
    ) {
        let start = start.index(geometry.blob_bytes() as usize + 1_000_000) as u64;
        let bytes = start..start + len_bytes;
        let covering = geometry.covering(bytes.clone());
        prop_assert!(covering.start <= covering.end && covering.end <= geometry.piece_count());
        let shares = |piece: u32| {
            let range = geometry.range(piece);
            range.start.max(bytes.start) < range.end.min(bytes.end)
        };
        let nearby = covering.start.saturating_sub(2)..(covering.end + 2).min(geometry.piece_count());
        for piece in nearby.chain([0, geometry.last_piece()]) {
            prop_assert_eq!(covering.contains(&piece), shares(piece), "piece {}", piece);
        }
    }

    #[test]
    fn any_lengths_make_a_geometry_within_bounds_or_an_error(blob_bytes in any::<u64>(), piece_bytes in any::<u32>()) {
        for piece_bytes in [piece_bytes, piece_bytes.checked_next_power_of_two().unwrap_or(0), MAX_PIECE_BYTES] {
            match Geometry::new(blob_bytes, piece_bytes) {
                Ok(geometry) => prop_assert!((1..=MAX_PIECES).contains(&geometry.piece_count())),
                Err(GeometryError::TooManyPieces { .. }) => {
                    prop_assert!(blob_bytes > u64::from(piece_bytes) * u64::from(MAX_PIECES));
                }
                Err(error) => prop_assert_eq!(error, GeometryError::PieceBytes(piece_bytes)),
            }
        }
    }

    #[test]
    fn blobs_of_middle_length_have_128_to_2048_pieces(blob_bytes in 16u64 << 20..1 << 30) {
        let pieces = Geometry::for_blob(blob_bytes).unwrap().piece_count();
        prop_assert!((128..=2048).contains(&pieces), "{} pieces", pieces);
    }
}

#[test]
fn every_blob_up_to_the_longest_has_a_geometry() {
    let empty = Geometry::for_blob(0).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.piece_count(), 1);
    assert_eq!(Geometry::for_blob(1).unwrap().piece_bytes(), MIN_PIECE_BYTES);
    assert_eq!(Geometry::for_blob(128 << 20).unwrap().piece_count(), 512);
    assert_eq!(Geometry::for_blob((256 << 20) - 1).unwrap().piece_count(), 1024);
    assert_eq!(Geometry::for_blob(256 << 20).unwrap().piece_count(), 512);
    assert_eq!(Geometry::for_blob(1 << 30).unwrap().piece_count(), 1024);
    assert_eq!(Geometry::for_blob(LONGEST_BLOB_BYTES).unwrap().piece_count(), MAX_PIECES);
    for blob_bytes in [LONGEST_BLOB_BYTES + 1, u64::MAX] {
        let too_many = GeometryError::TooManyPieces { blob_bytes, piece_bytes: MAX_PIECE_BYTES };
        assert_eq!(Geometry::for_blob(blob_bytes), Err(too_many));
    }
}

#[test]
fn an_empty_range_is_covered_by_nothing() {
    let geometry = Geometry::new(200_000, MIN_PIECE_BYTES).unwrap();
    for start in [0, 5, 65_536, 199_999, 200_000, u64::MAX] {
        assert!(geometry.covering(start..start).is_empty());
    }
    assert!(geometry.covering(200_000..300_000).is_empty());
    assert!(Geometry::new(0, MIN_PIECE_BYTES).unwrap().covering(0..u64::MAX).is_empty());
}
