//! Records as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere.

mod chart;
mod completion;
mod dots;
mod labels;
mod lines;
mod markup;
mod palette;
mod rows;
mod scale;
mod scaling;
mod sections;
mod tables;

use super::load::Record;
use labels::Label;
use markup::{Element, element};
use palette::Palette;

const STYLE: &str = include_str!("style.css");
/// Even if something slipped through, a browser would neither run nor load it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page of these records.
pub(super) fn of(records: &[Record]) -> String {
    let labels = labels::of(records);
    let main = element("main")
        .child(element("h1").text("Shoal, measured"))
        .child(element("p").with("class", "lead").text(lead(records)))
        .children(sections::at_a_glance(records, &labels))
        .children(plots(records, &labels))
        .children(records.iter().zip(&labels).map(|(record, label)| sections::record(record, label)));
    let page = element("html").with("lang", "en").child(head()).child(element("body").child(main));
    let mut text = String::from("<!DOCTYPE html>\n");
    page.write(&mut text);
    text.push('\n');
    text
}

fn head() -> Element {
    let meta = |name, content| element("meta").with("name", name).with("content", content);
    element("head")
        .child(element("meta").with("charset", "utf-8"))
        .child(element("meta").with("http-equiv", "Content-Security-Policy").with("content", POLICY))
        .child(meta("viewport", "width=device-width, initial-scale=1"))
        .child(meta("color-scheme", "light dark"))
        .child(element("title").text("Shoal, measured"))
        .child(element("style").own(STYLE))
}

fn lead(records: &[Record]) -> String {
    let runs: usize = records.iter().map(|record| record.runs.len()).sum();
    let (records, runs) = (counted(records.len(), "record"), counted(runs, "run"));
    format!("{records}, {runs}. Medians, with the interval that holds the true median with 95 % confidence.")
}

fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

/// The plots for which there is data, under one heading.
fn plots(records: &[Record], labels: &[Label]) -> Option<Element> {
    let cases: Vec<_> = records.iter().map(Record::cases).collect();
    let palette = Palette::of(cases.iter().flatten().map(|case| case.name));
    let each = || records.iter().zip(labels);
    let mut figures: Vec<Element> =
        each().filter_map(|(record, label)| completion::plot(record, &label.full, &palette)).collect();
    figures.extend(scaling::plots(records, labels, &palette));
    figures.extend(rows::plots(records, labels, &palette));
    figures.extend(each().filter_map(|(record, label)| rows::latency(record, &label.full)));
    if figures.is_empty() {
        return None;
    }
    let plots = element("div").with("class", "plots").children(figures);
    Some(element("section").child(element("h2").text("Plots")).child(plots))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{record::Run, report::testing};

    fn lab(nodes: u32) -> Record {
        let run = |case: &str, over: f64| {
            let mut run = Run::new(case, 1).with("max_over_bound", over).with("bound_s", 2.0);
            run.series.insert("completion_s".into(), vec![2.0, 2.0 * over]);
            run.with("origin_gets_per_blob", 1.0).with("cpu_s_per_gb", 1.2).with("rss_peak_mib", 90.0)
        };
        testing::record("lab", json!({ "nodes": nodes }), vec![run("shoal", 1.1), run("direct", 9.0)])
    }

    /// Elements that are begun and ended, in order; panics where they don't fit.
    fn check_nesting(page: &str) {
        let mut open = Vec::new();
        for part in page.split('<').skip(1) {
            let tag = part.split('>').next().unwrap();
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{part}"),
                None if name.starts_with('!') || name == "meta" => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, [""; 0]);
    }

    #[test]
    fn a_page_has_plots_and_tables_and_nothing_from_elsewhere() {
        let page = of(&[lab(8), lab(16)]);
        check_nesting(&page);
        for part in [
            "Completion: lab, 8 nodes",
            "Completion: lab, 16 nodes",
            "Slowest node against number of nodes",
            "Requests at the registry",
            "Processor time",
            "Memory",
            "shoal: all done at 1.100",
            "At a glance",
            "shoal-bench lab --nodes 16",
        ] {
            assert!(page.contains(part), "{part} is missing");
        }
        for part in ["<script", "http://", "https://", "src=", "href=", "url(", "@import", "NaN", "inf "] {
            assert!(!page.contains(part), "{part} is in the page");
        }
        assert_eq!(page.matches("<figure>").count(), page.matches("<details>").count());
        assert_eq!(page.matches("role=\"img\"").count(), page.matches("<desc>").count());
        assert!(!page.contains("Lanes beside"), "there is no data for it");
    }

    #[test]
    fn strings_of_a_record_are_never_markup() {
        let page = of(&[testing::hostile(), testing::hostile(), lab(3)]);
        check_nesting(&page);
        assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown as text");
        for part in ["<script", "\u{1b}", "\u{202e}", "NaN", "=\"inf"] {
            assert!(!page.contains(part), "{part:?} is in the page");
        }
        assert_eq!(page.matches("<style>").count(), 1);
    }

    #[test]
    fn nothing_to_show_makes_a_page_too() {
        check_nesting(&of(&[]));
        let page = of(&[testing::record("sim", json!(null), vec![])]);
        check_nesting(&page);
        assert!(!page.contains("<figure>") && page.contains("No run counts"), "{page}");
    }
}
