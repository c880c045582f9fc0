//! How soon it can be over at best.

use shoal_protocol::geometry::Geometry;

/// A blob, who has it, and who wants it. All links have one rate in each direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Length of the blob.
    pub(crate) blob_bytes: u64,
    /// Pieces that it is cut into.
    pub(crate) pieces: u32,
    /// Rate of a link, as it is configured: headers are not taken off.
    pub(crate) rate_bytes_per_s: u64,
    /// How many have it.
    pub(crate) sources: u32,
    /// How many want it.
    pub(crate) receivers: u32,
}

/// Pieces that Shoal cuts a blob into.
pub(crate) fn pieces_of(blob_bytes: u64) -> u32 {
    Geometry::for_blob(blob_bytes).map_or(1, |geometry| geometry.piece_count())
}

impl Crowd {
    /// The bound for whole pieces: nobody is done before the blob's M pieces have crossed its link one after the
    /// other, nobody can begin before somebody has a piece to give, and each step can only double those who do. With one
    /// source this is F/B·(1 + ⌊log2 N⌋/M).
    pub(crate) fn bound_s(&self) -> f64 {
        self.copy_s() * (1.0 + f64::from(self.steps() - 1) / f64::from(self.pieces.max(1)))
    }

    /// The bound for pieces of no length: a link's rate, or all sources and receivers sending at theirs.
    pub(crate) fn fluid_bound_s(&self) -> f64 {
        let receivers = f64::from(self.receivers);
        let from_all = receivers / (f64::from(self.sources) + receivers);
        self.copy_s() * from_all.max(1.0)
    }

    fn copy_s(&self) -> f64 {
        self.blob_bytes as f64 / self.rate_bytes_per_s as f64
    }

    /// How many pieces one after the other it takes until every receiver has some piece.
    fn steps(&self) -> u32 {
        let all = self.sources + self.receivers;
        let (mut holders, mut steps) = (self.sources.max(1), 0);
        while holders < all {
            holders = holders.saturating_mul(2);
            steps += 1;
        }
        steps.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(sources: u32, receivers: u32) -> Crowd {
        Crowd { blob_bytes: 128 << 20, pieces: 1024, rate_bytes_per_s: 12_500_000, sources, receivers }
    }

    #[test]
    fn with_one_source_it_is_the_known_bound() {
        let copy_s = crowd(1, 1).copy_s();
        for (receivers, doublings) in
            [(1, 0.0), (2, 1.0), (3, 1.0), (4, 2.0), (16, 4.0), (31, 4.0), (200, 7.0)]
        {
            let expected = copy_s * (1.0 + doublings / 1024.0);
            assert!((crowd(1, receivers).bound_s() - expected).abs() < 1e-9, "{receivers}");
        }
        assert_eq!(crowd(1, 16).fluid_bound_s(), copy_s);
    }

    #[test]
    fn with_a_source_for_each_it_is_one_copy() {
        assert_eq!(crowd(9, 8).bound_s(), crowd(1, 1).copy_s());
    }
}
