//! Records as Markdown.

use super::{figure, load::Record, wording};
use crate::record::Spread;

/// All records, each with its setup, figures, notes and the command that repeats it.
pub(super) fn of(records: &[Record]) -> String {
    let parts: Vec<String> = records.iter().map(section).collect();
    format!("# Measurements\n\n{}", parts.join("\n"))
}

fn section(record: &Record) -> String {
    let mut text = format!("## {}\n\n", escaped(&wording::title(record)));
    let facts = wording::facts(record).into_iter().map(|(name, value)| vec![name.into(), escaped(&value)]);
    text.push_str(&table(&["", ""], facts));
    let setup = wording::setup(&record.begin.setup);
    if !setup.is_empty() {
        text.push_str("\n### Setup\n\n");
        let rows = setup.into_iter().map(|(name, value)| vec![code(&name), escaped(&value)]);
        text.push_str(&table(&["chosen", "value"], rows));
    }
    text.push_str("\n### Figures\n\n");
    text.push_str(&figures(record));
    text.push_str(&notes(record));
    if let Some(command) = wording::command(&record.begin) {
        text.push_str(&format!("\n### Again\n\n```sh\n{command}\n```\n"));
    }
    text
}

fn figures(record: &Record) -> String {
    let cases = record.cases();
    let mut rows = Vec::new();
    for name in record.figure_names() {
        for case in &cases {
            rows.extend(case.figures.get(name).map(|spread| figure_row(name, case.name, spread)));
        }
    }
    if rows.is_empty() {
        return "No run counts, so there are none.\n".into();
    }
    let mut text = table(&["figure", "case", "median", "95 % interval", "runs", "aim"], rows.into_iter());
    if wording::has_few_runs(record) {
        text.push_str(&format!("\n{}\n", escaped(wording::FEW_RUNS_REMARK)));
    }
    text
}

fn figure_row(name: &str, case: &str, spread: &Spread) -> Vec<String> {
    let aim = figure::known_as(name).and_then(figure::Known::aim).unwrap_or_default();
    vec![
        code(name),
        code(case),
        wording::value(spread.median),
        escaped(&wording::interval(spread)),
        spread.runs.to_string(),
        aim,
    ]
}

fn notes(record: &Record) -> String {
    let notes = wording::notes(record);
    if notes.is_empty() {
        return String::new();
    }
    let lines: String = notes.iter().map(|note| format!("- {}\n", escaped(note))).collect();
    format!("\n### Notes\n\n{lines}")
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let rows: String = rows.map(|row| line(&row)).collect();
    format!("{}{}{rows}", line(&head), line(&rule))
}

/// A name, as it is written in a record. Inside of code only a pipe and the end of the code mean anything.
fn code(name: &str) -> String {
    if name.is_empty() {
        return "–".into();
    }
    let name = wording::plain(name).replace('`', "'").replace('|', "¦");
    format!("`{name}`")
}

/// Text in which no character means anything to Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in wording::plain(text).chars() {
        if r"\`*_[]<>|&~#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::record::Run;

    #[test]
    fn ratios_come_first_and_cases_stand_together() {
        let mut runs = testing::runs("direct", "max_over_bound", &[8.0, 8.5, 9.0]);
        runs.extend(
            (1..=3).map(|run| Run::new("shoal", run).with("bound_s", 2.0).with("max_over_bound", 1.25)),
        );
        let text = of(&[testing::record("lab", json!({ "nodes": 16, "start": "cold" }), runs)]);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        let expected = [
            "| `nodes` | 16 |",
            "| `start` | cold |",
            "| `max_over_bound` | `shoal` | 1.250 | 1.250 … 1.250 \\* | 3 | ≤ 1.1 |",
            "| `max_over_bound` | `direct` | 8.500 | 8 … 9 \\* | 3 | ≤ 1.1 |",
            "| `bound_s` | `shoal` | 2 | 2 … 2 \\* | 3 |  |",
        ];
        assert_eq!(rows, expected);
        assert!(text.contains("| measured | 2026-01-02 03:04:05 UTC |"), "{text}");
        assert!(text.contains("fewer than six runs"), "{text}");
        assert!(text.ends_with("```sh\nshoal-bench lab --nodes 16\n```\n"), "{text}");
    }

    #[test]
    fn a_record_without_runs_says_so() {
        let text = of(&[testing::record("sim", json!(null), vec![])]);
        assert!(text.contains("No run counts") && text.contains("cut short"), "{text}");
        assert!(!text.contains("### Setup"), "{text}");
        assert_eq!(of(&[]), "# Measurements\n\n");
    }

    #[test]
    fn strings_of_a_record_are_never_markup() {
        let text = of(&[testing::hostile()]);
        for line in text.lines().filter(|line| !line.starts_with("shoal-bench ")) {
            let unescaped = line.replace(r"\\", "").replace(r"\`", "");
            let outside_code: String = unescaped.split('`').step_by(2).collect();
            for (index, _) in outside_code.match_indices(['<', '[']) {
                assert!(outside_code[..index].ends_with('\\'), "{line}");
            }
        }
        let heads: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(heads.len(), 6, "{heads:?}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        let figures = text.lines().filter(|line| line.starts_with("| `max_over"));
        assert!(
            figures.clone().count() == 1 && figures.map(|row| row.matches('|').count()).all(|bars| bars == 7)
        );
    }
}
