//! Two records side by side: what got better, what got worse, and what the runs don't tell.

mod words;

use serde::Serialize;

use super::{
    figure::{self, Better},
    load::Record,
    wording,
};
use crate::record::Spread;

/// With fewer runs on a side, values that lie apart may do so by chance alone.
const VERDICT_MIN_RUNS: usize = 3;

/// What two records have in common, and what sets them apart.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "comparison")]
pub(super) struct Comparison {
    pub(super) a: Side,
    pub(super) b: Side,
    /// Why the two may not be comparable.
    pub(super) warnings: Vec<String>,
    /// Each case and figure that both have.
    pub(super) rows: Vec<Row>,
}

/// One of the two records.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    file: String,
    bench: String,
    at: String,
    version: String,
}

/// One figure of one case.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) case: String,
    pub(super) figure: String,
    a: Spread,
    b: Spread,
    /// The median of B ÷ that of A; `None` where A's is 0.
    ratio: Option<f64>,
    verdict: Verdict,
}

/// What B is, seen from A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Better,
    Worse,
    /// Apart, and it isn't known which way is better.
    Differs,
    NoDifferenceShown,
}

impl Comparison {
    pub(super) fn of(a: &Record, b: &Record) -> Self {
        let rows = rows(a, b);
        let mut warnings = differences(a, b);
        if rows.is_empty() {
            warnings.push("the records have no figure of a case in common".into());
        } else if rows.iter().any(|row| row.has_too_few_runs()) {
            warnings.push(format!("fewer than {VERDICT_MIN_RUNS} runs of a side show no difference"));
        }
        Self { a: Side::of(a), b: Side::of(b), warnings, rows }
    }

    /// The figures in which B is worse.
    pub(super) fn worse(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Worse)
    }

    /// One line for scripts.
    pub(super) fn in_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Side {
    fn of(record: &Record) -> Self {
        Self {
            file: record.path.display().to_string(),
            bench: record.begin.bench.clone(),
            at: record.begin.at.clone(),
            version: record.begin.version.clone(),
        }
    }
}

impl Row {
    fn of(case: &str, figure: &str, a: Spread, b: Spread) -> Self {
        let ratio = Some(b.median / a.median).filter(|ratio| ratio.is_finite());
        Self { case: case.into(), figure: figure.into(), a, b, ratio, verdict: verdict(figure, &a, &b) }
    }

    fn has_too_few_runs(&self) -> bool {
        self.a.runs.min(self.b.runs) < VERDICT_MIN_RUNS
    }
}

fn rows(a: &Record, b: &Record) -> Vec<Row> {
    let (cases_a, cases_b) = (a.cases(), b.cases());
    let mut rows = Vec::new();
    for case_a in &cases_a {
        let Some(case_b) = cases_b.iter().find(|case| case.name == case_a.name) else { continue };
        for name in a.figure_names() {
            if let (Some(a), Some(b)) = (case_a.figures.get(name), case_b.figures.get(name)) {
                rows.push(Row::of(case_a.name, name, *a, *b));
            }
        }
    }
    rows
}

fn verdict(figure: &str, a: &Spread, b: &Spread) -> Verdict {
    let (b_is_smaller, b_is_larger) = (b.high < a.low, b.low > a.high);
    if a.runs.min(b.runs) < VERDICT_MIN_RUNS || !(b_is_smaller || b_is_larger) {
        return Verdict::NoDifferenceShown;
    }
    match figure::known_as(figure).map(|known| known.better) {
        None => Verdict::Differs,
        Some(Better::Smaller) if b_is_smaller => Verdict::Better,
        Some(Better::Larger) if b_is_larger => Verdict::Better,
        Some(_) => Verdict::Worse,
    }
}

/// All that differs between how the two were measured. Not the version: to compare versions is what this is for.
fn differences(a: &Record, b: &Record) -> Vec<String> {
    let (begin_a, begin_b) = (&a.begin, &b.begin);
    let mut found = Vec::new();
    let mut compare = |what: &str, a: &str, b: &str| {
        if a != b {
            let (a, b) = (wording::plain(a), wording::plain(b));
            found.push(format!("{what}: {a} in A, {b} in B"));
        }
    };
    compare("the commands differ", &begin_a.bench, &begin_b.bench);
    compare("the machines differ", &wording::machine(&begin_a.machine), &wording::machine(&begin_b.machine));
    let (setup_a, setup_b) = (wording::setup(&begin_a.setup), wording::setup(&begin_b.setup));
    let mut names: Vec<&String> = setup_a.iter().chain(&setup_b).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    names.retain(|name| !wording::REPEATS.contains(&name.as_str()));
    for name in names {
        let value = |rows: &[(String, String)]| {
            let row = rows.iter().find(|(other, _)| other == name);
            row.map_or_else(|| "nothing".into(), |(_, value)| value.clone())
        };
        compare(&format!("the setups differ in {name}"), &value(&setup_a), &value(&setup_b));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};

    fn verdict_of(figure: &str, a: &[f64], b: &[f64]) -> Verdict {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).unwrap();
        verdict(figure, &spread(a), &spread(b))
    }

    #[test]
    fn only_intervals_apart_show_a_difference() {
        let low = [1.0, 1.1, 1.2];
        let high = [1.3, 1.4, 1.5];
        assert_eq!(verdict_of("max_over_bound", &high, &low), Verdict::Better);
        assert_eq!(verdict_of("max_over_bound", &low, &high), Verdict::Worse);
        assert_eq!(verdict_of("lane_over_tls", &low, &high), Verdict::Better);
        assert_eq!(verdict_of("bound_s", &low, &high), Verdict::Differs);
        assert_eq!(verdict_of("max_over_bound", &low, &[1.2, 1.4, 1.5]), Verdict::NoDifferenceShown);
        assert_eq!(verdict_of("max_over_bound", &low, &low), Verdict::NoDifferenceShown);
        assert_eq!(verdict_of("max_over_bound", &[1.0], &high), Verdict::NoDifferenceShown);
    }

    #[test]
    fn what_both_have_is_compared_and_worse_is_found() {
        let mut runs_a = testing::runs("shoal", "max_over_bound", &[1.0, 1.05, 1.1]);
        runs_a.extend(testing::runs("direct", "max_over_bound", &[8.0; 3]));
        let runs_b = testing::runs("shoal", "max_over_bound", &[2.0, 2.1, 2.2]);
        let a = testing::record("lab", json!({ "nodes": 16 }), runs_a);
        let b = testing::record("lab", json!({ "nodes": 16 }), runs_b);
        let comparison = Comparison::of(&a, &b);
        assert_eq!((comparison.rows.len(), comparison.warnings.as_slice()), (1, [].as_slice()));
        let worse: Vec<_> = comparison.worse().map(|row| (row.case.as_str(), row.ratio)).collect();
        assert_eq!(worse, [("shoal", Some(2.0))]);
        let json: serde_json::Value = serde_json::from_str(&comparison.in_json()).unwrap();
        assert_eq!(json["kind"], "comparison");
        assert_eq!(
            (&json["rows"][0]["verdict"], &json["rows"][0]["b"]["runs"]),
            (&json!("worse"), &json!(3))
        );
    }

    #[test]
    fn what_makes_records_incomparable_is_listed() {
        let a = testing::record("lab", json!({ "nodes": 16, "rate": 12_500_000, "runs": 3 }), vec![]);
        let mut b = testing::record("sim", json!({ "nodes": 8, "rate": 12_500_000, "loss": 0.01 }), vec![]);
        b.begin.machine.cores = 64;
        let warnings = Comparison::of(&a, &b).warnings.join("\n");
        for part in [
            "commands differ: lab in A, sim in B",
            "machines differ: Test CPU, 2 cores",
            "in nodes: 16 in A, 8 in B",
            "in loss: nothing in A, 0.01 in B",
            "no figure of a case in common",
        ] {
            assert!(warnings.contains(part), "{part} is missing in {warnings}");
        }
        assert!(!warnings.contains("rate") && !warnings.contains("runs"), "{warnings}");
    }

    #[test]
    fn a_median_of_zero_has_no_ratio() {
        let record =
            |value| testing::record("sim", json!({}), testing::runs("shoal", "control_share", &[value; 3]));
        let comparison = Comparison::of(&record(0.0), &record(0.1));
        assert_eq!((comparison.rows[0].ratio, comparison.rows[0].verdict), (None, Verdict::Worse));
    }
}
