//! From values to places along an axis, with ticks at round values.

use crate::report::wording::trimmed;

/// Values beyond this are drawn at the edge: no figure is that large, and sums of them stay finite.
const VALUE_MAX: f64 = 1e15;
/// Above this ratio of the largest to the smallest value a linear axis squeezes the small ones together.
const LINEAR_MAX_RATIO: f64 = 6.0;
const TICKS: f64 = 5.0;
const TICKS_MAX: usize = 8;

/// An axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Linear { step: f64 },
    Logarithmic,
}

impl Scale {
    /// Holds all values between round ends: even steps, or equal ratios when the values lie far apart.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(values);
        if low > 0.0 && high / low > LINEAR_MAX_RATIO {
            Self::logarithmic(low, high)
        } else {
            Self::linear(low, high)
        }
    }

    /// Holds 0 and all values.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(values.into_iter().chain([0.0]));
        Self::linear(low, high)
    }

    fn linear(low: f64, high: f64) -> Self {
        // Of equal values, or nearly so: some room, or steps would vanish in rounding.
        let least = high.abs().max(low.abs()).max(1e-9) * 1e-3;
        let (low, high) = if high - low < least { (low - least, high + least) } else { (low, high) };
        let step = round_step((high - low) / TICKS);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            kind: Kind::Linear { step },
        }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        Self { low: round_down(low), high: round_up(high), kind: Kind::Logarithmic }
    }

    /// Where a value is, from 0 at the low end to 1; values beyond are at the ends.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.kind {
            Kind::Linear { .. } => (value - self.low) / (self.high - self.low),
            Kind::Logarithmic => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }

    /// Whether places don't grow evenly with values, which a reader has to be told.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.kind == Kind::Logarithmic
    }

    /// Round values along the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear { step } => {
                let steps = ((self.high - self.low) / step).round() as usize;
                (0..=steps.min(2 * TICKS_MAX))
                    .map(|index| tidy(self.low + index as f64 * step, step))
                    .collect()
            }
            Kind::Logarithmic => thinned(self.low, self.high),
        }
    }
}

/// A tick's value as text.
pub(super) fn label(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{value:e}"),
        small if small > 0.0 && small < 1e-3 => format!("{value:e}"),
        _ => trimmed(value),
    }
}

fn ends(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let values = values.into_iter().filter(|value| value.is_finite());
    let clamped = values.map(|value| value.clamp(-VALUE_MAX, VALUE_MAX));
    let ends = clamped.fold(None, |ends: Option<(f64, f64)>, value| {
        Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    });
    ends.unwrap_or((0.0, 1.0))
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fits = factors.into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * power
}

fn round_up(value: f64) -> f64 {
    round_step(value.max(1.0 / VALUE_MAX))
}

fn round_down(value: f64) -> f64 {
    1.0 / round_step((1.0 / value).min(VALUE_MAX))
}

/// Takes the error of repeated steps away: 0.30000000000000004 is 0.3.
fn tidy(value: f64, step: f64) -> f64 {
    let digits = 1e3 / step;
    if value.abs() < step * 1e-6 { 0.0 } else { (value * digits).round() / digits }
}

/// 1, 2, 5, 10, … of the range, or only every so many powers of ten when that is too many.
fn thinned(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let within = |value: &f64| *value >= low * 0.999 && *value <= high * 1.001;
    let fine = (first..=last).flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10_f64.powi(power)));
    let fine: Vec<f64> = fine.filter(within).collect();
    if fine.len() <= TICKS_MAX {
        return fine;
    }
    let powers: Vec<f64> = (first..=last).map(|power| 10_f64.powi(power)).filter(within).collect();
    let stride = powers.len().div_ceil(TICKS_MAX).max(1);
    powers.into_iter().step_by(stride).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Scale::of([1.03, 1.27])), ["1", "1.05", "1.1", "1.15", "1.2", "1.25", "1.3"]);
        assert_eq!(labels(Scale::from_zero([0.97])), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(Scale::from_zero([7.0, 93.0])), ["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn values_far_apart_are_drawn_by_ratio() {
        let scale = Scale::of([0.9, 17.0]);
        assert!(scale.is_logarithmic());
        assert_eq!(labels(scale), ["0.5", "1", "2", "5", "10", "20"]);
        assert!((scale.place(10.0) - scale.place(5.0) - (scale.place(2.0) - scale.place(1.0))).abs() < 1e-9);
        assert_eq!(labels(Scale::of([8.0, 10_000.0])), ["10", "100", "1000", "10000"]);
    }

    #[test]
    fn nothing_one_value_and_absurd_values_still_make_an_axis() {
        let absurd = [
            vec![],
            vec![0.0],
            vec![1.5],
            vec![f64::NAN, f64::INFINITY],
            vec![f64::MAX, f64::MIN],
            vec![1e-320, 1e300],
            vec![-5.0, 5000.0],
            vec![1e15, 1e15 - 1.0],
        ];
        for values in absurd {
            for scale in [Scale::of(values.clone()), Scale::from_zero(values.clone())] {
                let ticks = scale.ticks();
                assert!((2..=17).contains(&ticks.len()), "{values:?}: {scale:?} {ticks:?}");
                assert!(
                    ticks.is_sorted() && ticks.iter().all(|tick| tick.is_finite()),
                    "{values:?}: {ticks:?}"
                );
                for value in values.iter().chain(&ticks) {
                    assert!((0.0..=1.0).contains(&scale.place(*value)), "{value} on {scale:?}");
                }
            }
        }
    }

    #[test]
    fn places_run_from_end_to_end() {
        let scale = Scale::of([1.0, 2.0]);
        assert_eq!([1.0, 1.5, 2.0, 9.0].map(|value| scale.place(value)), [0.0, 0.5, 1.0, 1.0]);
    }
}
