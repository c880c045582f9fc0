//! A comparison as text in columns.

use super::{Comparison, Row, Side, Verdict};
use crate::{record::Spread, report::wording};

const HEAD: [&str; 5] = ["", "A", "B", "B ÷ A", ""];

impl Comparison {
    /// For people, on a terminal.
    pub(in crate::report) fn in_words(&self) -> String {
        let mut text = format!("A  {}\nB  {}\n", self.a.in_words(), self.b.in_words());
        for warning in &self.warnings {
            text.push_str(&format!("warning: {}\n", wording::plain(warning)));
        }
        if self.rows.is_empty() {
            return text;
        }
        text.push('\n');
        text.push_str(&columns(&self.lines()));
        text.push_str(&format!("\n{}\n", self.sum()));
        text
    }

    /// The table's lines, with the case before its first figure.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut lines = vec![HEAD.map(String::from).to_vec()];
        let mut case = None;
        for row in &self.rows {
            if case != Some(&row.case) {
                lines.push(vec![wording::plain(&row.case)]);
                case = Some(&row.case);
            }
            lines.push(row.cells());
        }
        lines
    }

    fn sum(&self) -> String {
        let count = |verdict| self.rows.iter().filter(|row| row.verdict == verdict).count();
        format!(
            "B is better in {}, worse in {}, different in {}; no difference shown in {}.",
            count(Verdict::Better),
            count(Verdict::Worse),
            count(Verdict::Differs),
            count(Verdict::NoDifferenceShown)
        )
    }
}

impl Side {
    fn in_words(&self) -> String {
        let Self { file, bench, at, version } = self;
        wording::plain(&format!("{file}: {bench} of {version}, {}", wording::time(at)))
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        vec![
            format!("  {}", wording::plain(&self.figure)),
            in_words(&self.a),
            in_words(&self.b),
            self.ratio.map_or_else(|| "–".into(), wording::value),
            self.verdict.in_words().into(),
        ]
    }
}

impl Verdict {
    fn in_words(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Differs => "differs",
            Self::NoDifferenceShown => "no difference shown",
        }
    }
}

fn in_words(spread: &Spread) -> String {
    let [median, low, high] = [spread.median, spread.low, spread.high].map(wording::value);
    format!("{median} [{low} … {high}] of {}", spread.runs)
}

/// Pads cells to the width of their column; a line of a single cell is a heading and widens none.
fn columns(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().filter(|line| line.len() > 1).filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let padded = cells.collect::<Vec<_>>().join("  ");
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::testing;
    use super::*;

    #[test]
    fn columns_are_aligned_and_the_sum_is_last() {
        let record = |values: &[f64]| {
            let mut runs = testing::runs("shoal", "max_over_bound", values);
            runs.extend(testing::runs("direct", "p99_over_p50", &[1.0; 3]));
            testing::record("lab", json!({ "nodes": 16 }), runs)
        };
        let text = Comparison::of(&record(&[1.5, 1.6, 1.7]), &record(&[1.1, 1.2, 1.3])).in_words();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&"shoal") && lines.contains(&"direct"), "{text}");
        let row = lines.iter().find(|line| line.contains("max_over_bound")).unwrap();
        assert!(
            row.contains("1.600 [1.500 … 1.700] of 3  1.200 [1.100 … 1.300] of 3  0.7500  better"),
            "{text}"
        );
        let head = lines.iter().find(|line| line.contains("B ÷ A")).unwrap();
        let place = |line: &str, part: &str| line.split(part).next().unwrap().chars().count();
        assert_eq!(place(head, "B ÷ A"), place(row, "0.7500"), "{text}");
        assert_eq!(
            lines.last(),
            Some(&"B is better in 1, worse in 0, different in 0; no difference shown in 1.")
        );
    }

    #[test]
    fn no_string_of_a_record_reaches_the_terminal_as_a_command() {
        let hostile = testing::hostile();
        let text = Comparison::of(&hostile, &testing::record("lab", json!({}), vec![])).in_words();
        let both = Comparison::of(&hostile, &hostile).in_words();
        for text in [text, both] {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        }
    }
}
