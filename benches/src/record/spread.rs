//! Medians with their intervals.

use serde::{Deserialize, Serialize};

/// What several runs say about one figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the runs are above it.
    pub median: f64,
    /// Lower end of the interval that holds the true median with 95 % confidence; with fewer than six runs, which
    /// can't give one, the smallest value.
    pub low: f64,
    /// Its upper end, or the largest value.
    pub high: f64,
    /// How many.
    pub runs: usize,
}

impl Spread {
    /// Of at least one value; `None` of none. Values that are no numbers are left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let runs = sorted.len();
        let last = runs.checked_sub(1)?;
        let median = f64::midpoint(sorted[last / 2], sorted[runs / 2]);
        let outside = values_outside(runs);
        Some(Self { median, low: sorted[outside], high: sorted[last - outside], runs })
    }
}

/// The value that `percent` of the sorted values do not exceed, which is one of them; not a number if there is none.
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// How many of the smallest and of the largest of `runs` values lie outside the interval that holds the median with
/// at least 95 % confidence: the distribution-free interval from the binomial distribution, as in any textbook on
/// order statistics.
fn values_outside(runs: usize) -> usize {
    let mut probability = 0.5_f64.powi(i32::try_from(runs).unwrap_or(i32::MAX));
    let mut below = 0.0;
    for outside in 0..runs / 2 {
        below += probability;
        if below > 0.025 {
            return outside.saturating_sub(1);
        }
        probability *= (runs - outside) as f64 / (outside + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ten_runs_the_second_and_the_ninth_are_the_ends() {
        let spread = Spread::of((1..=10).map(f64::from)).unwrap();
        assert_eq!(spread, Spread { median: 5.5, low: 2.0, high: 9.0, runs: 10 });
    }

    #[test]
    fn few_runs_show_all_they_have() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 2.0, 3.0));
    }

    #[test]
    fn many_runs_have_a_narrow_interval() {
        let spread = Spread::of((0..1000).map(f64::from)).unwrap();
        assert!(spread.low > 450.0 && spread.high < 549.0, "{spread:?}");
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let sorted: Vec<f64> = (1..=16).map(f64::from).collect();
        assert_eq!([50, 99, 100].map(|percent| percentile(&sorted, percent)), [8.0, 16.0, 16.0]);
        assert!(percentile(&[], 50).is_nan());
    }
}
