//! What records are called in plots: the command, and what sets a record apart from others of the same command.

use std::collections::BTreeSet;

use crate::report::{load::Record, wording};

/// More would be no name any more.
const PARTS_MAX: usize = 4;

/// The names of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// Without the number of nodes, for plots that have it on an axis.
    pub(super) series: String,
    /// Unlike that of any other record.
    pub(super) full: String,
}

/// A label for each record, in their order.
pub(super) fn of(records: &[Record]) -> Vec<Label> {
    let mut labels: Vec<Label> = records.iter().map(|record| label(record, records)).collect();
    let clashes: Vec<bool> = labels
        .iter()
        .map(|label| labels.iter().filter(|other| other.full == label.full).count() > 1)
        .collect();
    for ((label, record), clashes) in labels.iter_mut().zip(records).zip(clashes) {
        if clashes {
            label.full = format!("{}, {}", label.full, wording::time(&record.begin.at));
        }
    }
    labels
}

fn label(record: &Record, records: &[Record]) -> Label {
    let bench = wording::plain(&record.begin.bench);
    let same_bench = || records.iter().filter(|other| other.begin.bench == record.begin.bench);
    let setup = wording::setup(&record.begin.setup);
    let mut parts = Vec::new();
    let tells = |name: &str| name != "nodes" && !wording::REPEATS.contains(&name);
    for (name, value) in setup.iter().filter(|(name, _)| tells(name)) {
        let values: BTreeSet<Option<String>> = same_bench().map(|other| value_of(other, name)).collect();
        if values.len() > 1 && parts.len() < PARTS_MAX {
            parts.push(in_words(name, value));
        }
    }
    let series = [vec![bench.clone()], parts.clone()].concat().join(", ");
    let nodes = record.nodes().map(|nodes| format!("{nodes} nodes"));
    let full = [vec![bench], nodes.into_iter().collect(), parts].concat().join(", ");
    Label { series, full }
}

fn value_of(record: &Record, name: &str) -> Option<String> {
    wording::setup(&record.begin.setup).into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// A value with a unit speaks for itself.
fn in_words(name: &str, value: &str) -> String {
    if value.contains(' ') { value.into() } else { format!("{name} {value}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::testing;

    #[test]
    fn records_are_called_by_what_sets_them_apart() {
        let record = |bench, nodes, start, rate: u64| {
            testing::record(
                bench,
                json!({ "nodes": nodes, "start": start, "rate": rate, "seeds": nodes }),
                vec![],
            )
        };
        let records = [
            record("lab", 8, "cold", 12_500_000),
            record("lab", 16, "cold", 12_500_000),
            record("lab", 16, "warm", 12_500_000),
            record("sim", 16, "warm", 1_250_000_000),
        ];
        let labels = of(&records);
        let full: Vec<_> = labels.iter().map(|label| label.full.as_str()).collect();
        let expected = [
            "lab, 8 nodes, start cold",
            "lab, 16 nodes, start cold",
            "lab, 16 nodes, start warm",
            "sim, 16 nodes",
        ];
        assert_eq!(full, expected);
        assert_eq!(
            (labels[0].series.as_str(), labels[0].series == labels[1].series),
            ("lab, start cold", true)
        );
    }

    #[test]
    fn the_same_measured_twice_is_told_apart_by_time() {
        let mut records = [0, 1].map(|_| testing::record("lab", json!({}), vec![]));
        records[1].begin.at = "2027-01-01T00:00:00Z".into();
        let labels = of(&records);
        assert_eq!(labels[1].full, "lab, 2027-01-01 00:00:00 UTC");
        assert_ne!(labels[0].full, labels[1].full);
    }
}
