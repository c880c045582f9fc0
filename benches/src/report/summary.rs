//! Sums up what the runs of a record say.

use std::collections::BTreeMap;

use super::{figure, load::Record};
use crate::record::{Run, Spread};

/// The runs of one case.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    pub(super) name: &'a str,
    /// Medians and intervals of the runs that count.
    pub(super) figures: BTreeMap<&'a str, Spread>,
}

impl Record {
    /// All cases, the main one first.
    pub(super) fn cases(&self) -> Vec<Case<'_>> {
        let mut cases: Vec<Case<'_>> = Vec::new();
        for run in &self.runs {
            if cases.iter().all(|case| case.name != run.case) {
                cases.push(Case { name: &run.case, figures: self.spreads_of(&run.case) });
            }
        }
        cases.sort_by_key(|case| Some(case.name) != self.main_case.as_deref());
        cases
    }

    /// The runs of a case that count.
    pub(super) fn counted<'a>(&'a self, case: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.case == case && !run.excluded)
    }

    /// How many runs count.
    pub(super) fn counted_runs(&self) -> usize {
        self.runs.iter().filter(|run| !run.excluded).count()
    }

    /// The names of all figures, ratios first.
    pub(super) fn figure_names(&self) -> Vec<&str> {
        let runs = self.runs.iter().filter(|run| !run.excluded);
        let mut names: Vec<&str> = runs.flat_map(|run| run.figures.keys()).map(String::as_str).collect();
        names.sort_by_key(|name| figure::reading_order(name));
        names.dedup();
        names
    }

    /// The nodes that took part, where the setup says so.
    pub(super) fn nodes(&self) -> Option<f64> {
        self.begin.setup.get("nodes")?.as_f64().filter(|nodes| *nodes >= 1.0)
    }

    fn spreads_of(&self, case: &str) -> BTreeMap<&str, Spread> {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| run.case == case && !run.excluded) {
            for (name, value) in &run.figures {
                values.entry(name).or_default().push(*value);
            }
        }
        values.into_iter().filter_map(|(name, values)| Some((name, Spread::of(values)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use crate::record::Run;

    #[test]
    fn the_main_case_is_first_and_excluded_runs_count_nowhere() {
        let runs = vec![
            Run::new("direct", 1).with("max_over_bound", 8.0),
            Run::new("shoal", 1).with("max_over_bound", 1.0),
            Run::new("shoal", 2).with("max_over_bound", 9.0).with("odd", 1.0).without_counting("busy"),
        ];
        let record = testing::record("lab", serde_json::json!({ "nodes": 16 }), runs);
        let cases = record.cases();
        assert_eq!(cases.iter().map(|case| case.name).collect::<Vec<_>>(), ["shoal", "direct"]);
        assert_eq!((cases[0].figures["max_over_bound"].median, cases[0].figures.len()), (1.0, 1));
        assert_eq!((record.counted_runs(), record.figure_names()), (2, vec!["max_over_bound"]));
        assert_eq!(record.nodes(), Some(16.0));
    }
}
