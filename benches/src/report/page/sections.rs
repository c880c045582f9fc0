//! The parts of the page in words and tables: what was aimed at and reached, and each record in full.

use super::{
    labels::Label,
    markup::{Element, element},
    tables::Table,
};
use crate::report::{
    figure::{self, Known},
    load::Record,
    wording,
};

/// What the main cases reached of what Shoal aims at; `None` when no record has such a figure.
pub(super) fn at_a_glance(records: &[Record], labels: &[Label]) -> Option<Element> {
    let mut names: Vec<&str> = records.iter().flat_map(Record::figure_names).collect();
    names.sort_by_key(|name| figure::reading_order(name));
    names.dedup();
    names.retain(|name| figure::known_as(name).is_some_and(|known| known.target.is_some()));
    let rows: Vec<Vec<String>> =
        records.iter().zip(labels).filter_map(|(record, label)| reached(record, label, &names)).collect();
    if rows.is_empty() {
        return None;
    }
    let aim = |name: &&str| figure::known_as(name).and_then(Known::aim).unwrap_or_default();
    // A name may be broken at its underscores, or columns get as wide as their names.
    let breakable = |name: &str| wording::plain(name).replace('_', "_\u{200b}");
    let heads = names.iter().map(|name| format!("{} {}", breakable(name), aim(name)));
    let head: Vec<String> = ["measured by".to_owned()].into_iter().chain(heads).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let says = "Medians of each record's main case: ✓ is as good as aimed at, ✗ is not.";
    let section = element("section").child(element("h2").text("At a glance"));
    Some(section.child(Table::of(&head, 1, rows).draw()).child(element("p").with("class", "says").text(says)))
}

/// A row of the glance; `None` where the record has none of its figures.
fn reached(record: &Record, label: &Label, names: &[&str]) -> Option<Vec<String>> {
    let cases = record.cases();
    let main = cases.first()?;
    let cell = |name: &&str| {
        let (spread, known) = (main.figures.get(*name)?, figure::known_as(name)?);
        let sign = if known.reached(spread.median)? { '✓' } else { '✗' };
        Some(format!("{} {sign}", wording::value(spread.median)))
    };
    let cells: Vec<Option<String>> = names.iter().map(cell).collect();
    cells.iter().any(Option::is_some).then(|| {
        let name = format!("{} · {}", wording::plain(main.name), label.full);
        [name].into_iter().chain(cells.into_iter().map(Option::unwrap_or_default)).collect()
    })
}

/// All that a record says.
pub(super) fn record(record: &Record, label: &Label) -> Element {
    let mut section = element("section").child(element("h2").text(label.full.as_str()));
    let facts = wording::facts(record).into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    let setup = wording::setup(&record.begin.setup).into_iter().map(|(name, value)| vec![name, value]);
    let sides = element("div").with("class", "sides");
    let sides = sides.child(pairs("Measured", facts)).child(pairs("Setup", setup));
    section = section.child(sides).child(element("h3").text("Figures")).children(figures(record));
    let notes = wording::notes(record);
    if !notes.is_empty() {
        let items = notes.into_iter().map(|note| element("li").text(note));
        section = section.child(element("h3").text("Notes")).child(element("ul").children(items));
    }
    if let Some(command) = wording::command(&record.begin) {
        let command = element("pre").with("tabindex", 0).child(element("code").text(command));
        section = section.child(element("h3").text("Again")).child(command);
    }
    section
}

fn pairs(title: &'static str, rows: impl Iterator<Item = Vec<String>>) -> Element {
    element("div").child(Table::of(&[title, ""], 2, rows).draw())
}

fn figures(record: &Record) -> Vec<Element> {
    let cases = record.cases();
    let mut rows = Vec::new();
    for name in record.figure_names() {
        let meaning = figure::known_as(name).map(|known| known.meaning).unwrap_or_default();
        for case in &cases {
            rows.extend(case.figures.get(name).map(|spread| {
                vec![
                    wording::plain(name),
                    wording::plain(case.name),
                    meaning.to_owned(),
                    wording::value(spread.median),
                    wording::interval(spread),
                    spread.runs.to_string(),
                ]
            }));
        }
    }
    if rows.is_empty() {
        return vec![element("p").text("No run counts, so there are none.")];
    }
    let head = ["figure", "case", "what it is", "median", "95 % interval", "runs"];
    let mut parts = vec![Table::of(&head, 3, rows).draw()];
    if wording::has_few_runs(record) {
        parts.push(element("p").with("class", "says").text(wording::FEW_RUNS_REMARK));
    }
    parts
}
