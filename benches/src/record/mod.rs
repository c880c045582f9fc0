//! What a measurement leaves behind: lines of JSON, one for each run, between a line that says where and how it was
//! measured and one that sums it up.

mod machine;
mod session;
mod spread;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use session::number;

pub(crate) use machine::memory_bytes;
pub use machine::{Idle, Machine};
pub use session::{OutputArgs, Session, SessionError};
pub use spread::{Spread, percentile};

/// Figures by name. Names end in their unit, ratios have none: `max_over_bound`, `cpu_s_per_gb`.
pub type Figures = BTreeMap<String, f64>;

/// A line of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Begin(Begin),
    /// One run.
    Run(Run),
    /// The last line.
    End(End),
}

/// Where and how something was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// The command: `sim`, `lab`, …
    pub bench: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// Version of Shoal.
    pub version: String,
    /// On what.
    pub machine: Machine,
    /// All that was chosen, defaults too.
    pub setup: serde_json::Value,
    /// What was typed after `shoal-bench`, which repeats the measurement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

/// One run of one case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What was measured: `shoal`, `direct`, `nginx`, …
    pub case: String,
    /// Number of the run in its case, from 1.
    pub run: u32,
    /// The random seed that repeats it, in a simulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Single numbers. JSON has no infinity and writes `null`, which is no figure when it is read again.
    #[serde(deserialize_with = "known_figures")]
    pub figures: Figures,
    /// Lists of numbers, such as each node's completion in seconds, ascending; infinity, or `null`, means never.
    #[serde(default, deserialize_with = "series_to_infinity", skip_serializing_if = "BTreeMap::is_empty")]
    pub series: BTreeMap<String, Vec<f64>>,
    /// What should be known when reading the figures: a busy machine, a failed node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Keep it, but leave it out of medians; a note says why.
    #[serde(default, skip_serializing_if = "is_false")]
    pub excluded: bool,
}

/// The sum of all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The command.
    pub bench: String,
    /// Runs of the main case that count.
    pub runs: usize,
    /// There were runs of the main case and none counts: `figures` are of those.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all_excluded: bool,
    /// The cases in `cases` of which no run counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_cases: Vec<String>,
    /// The case that `figures` is about.
    pub case: String,
    /// Medians of the main case, at the top level of the line, for scripts.
    #[serde(flatten)]
    pub figures: Figures,
    /// Every figure of every case.
    pub cases: BTreeMap<String, BTreeMap<String, Spread>>,
}

impl Run {
    /// A run without figures yet.
    pub fn new(case: impl Into<String>, run: u32) -> Self {
        Self { case: case.into(), run, ..Self::default() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.into(), value);
        self
    }

    /// Leaves this run out of the medians, and notes why.
    #[must_use]
    pub fn without_counting(mut self, because: impl Into<String>) -> Self {
        self.excluded = true;
        self.notes.push(because.into());
        self
    }
}

fn known_figures<'de, D: Deserializer<'de>>(from: D) -> Result<Figures, D::Error> {
    let figures = BTreeMap::<String, Option<f64>>::deserialize(from)?;
    Ok(figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn series_to_infinity<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<f64>>, D::Error> {
    let series = BTreeMap::<String, Vec<Option<f64>>>::deserialize(from)?;
    let numbers = |values: Vec<Option<f64>>| values.into_iter().map(|value| value.unwrap_or(f64::INFINITY));
    Ok(series.into_iter().map(|(name, values)| (name, numbers(values).collect())).collect())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_read_as_unknown_or_as_never() {
        let mut run = Run::new("shoal", 1).with("cpu_s_per_gb", f64::NAN).with("bound_s", 2.0);
        run.series.insert("completion_s".into(), vec![2.5, f64::INFINITY]);
        let read: Run = serde_json::from_str(&serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!(read.figures, Figures::from([("bound_s".into(), 2.0)]));
        assert_eq!(read.series, run.series);
    }
}
