//! Sizes, rates and times as people write them on a command line: `128MiB`, `100mbit`, `0.2ms`.

use std::{str::FromStr, time::Duration};

/// A number of bytes: `1GiB`, `128MiB`, `64KiB`, `10MB`, `512`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// A rate, kept in bytes a second and written in bits a second as `tc` does: `10gbit`, `100mbit`, `64kbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Rate(
    /// Bytes a second.
    pub u64,
);

/// A time: `0.2ms`, `50us`, `3s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Delay(pub Duration);

/// What was written is no quantity of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: write a number and one of {units}, as in {example:?}")]
pub struct NotAQuantity {
    text: String,
    kind: &'static str,
    units: &'static str,
    example: &'static str,
}

const SIZES: [(&str, f64); 8] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("", 1.0),
];
const RATES: [(&str, f64); 3] = [("kbit", 1e3 / 8.0), ("mbit", 1e6 / 8.0), ("gbit", 1e9 / 8.0)];
const TIMES: [(&str, f64); 3] = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];

impl FromStr for Bytes {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let error = || not_a("size", text, "KiB, MiB, GiB, TiB, kB, MB, GB", "128MiB");
        let bytes = scaled(text, &SIZES).ok_or_else(error)?;
        Ok(Self(bytes.round() as u64))
    }
}

impl FromStr for Rate {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let error = || not_a("rate", text, "kbit, mbit, gbit", "100mbit");
        let bytes_per_s = scaled(text, &RATES).filter(|rate| *rate >= 1.0).ok_or_else(error)?;
        Ok(Self(bytes_per_s.round() as u64))
    }
}

impl FromStr for Delay {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let error = || not_a("time", text, "us, ms, s", "0.2ms");
        let seconds = scaled(text, &TIMES).ok_or_else(error)?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| error())
    }
}

/// The number before the longest fitting unit, in the unit's base; `None` when there is none or it is negative.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits_end);
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    Some(number * factor)
}

fn not_a(kind: &'static str, text: &str, units: &'static str, example: &'static str) -> NotAQuantity {
    NotAQuantity { text: text.into(), kind, units, example }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!("128MiB".parse(), Ok(Bytes(128 << 20)));
        assert_eq!("1.5 gib".parse(), Ok(Bytes(3 << 29)));
        assert_eq!("512".parse(), Ok(Bytes(512)));
        assert_eq!("100mbit".parse(), Ok(Rate(12_500_000)));
        assert_eq!("0.2ms".parse(), Ok(Delay(Duration::from_micros(200))));
    }

    #[test]
    fn what_is_no_quantity_is_named() {
        for text in ["", "fast", "12 parsecs", "-1mbit", "100", "0mbit"] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("100mbit"), "{error}");
        }
        assert!("1e400s".parse::<Delay>().is_err());
    }
}
