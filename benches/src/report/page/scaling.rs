//! Figures against the number of nodes, over all records that tell it.

use super::{
    chart::{Axis, Mark, MarkKind},
    labels::Label,
    lines::{Line, LineChart, Path, Point},
    markup::Element,
    palette::{Look, Palette},
    scale::Scale,
    tables::Table,
};
use crate::{
    record::Spread,
    report::{figure, load::Record, wording},
};

/// More lines can't be told apart.
const LINES_MAX: usize = 12;

/// A figure that is shown against the number of nodes.
struct Shown {
    figure: &'static str,
    title: &'static str,
    says: &'static str,
    axis: &'static str,
    /// What no system does better than.
    bound: f64,
    /// Lines below it are drawn once more by themselves, when others are so far above that they look flat.
    close: Option<f64>,
}

const SHOWN: [Shown; 3] = [
    Shown {
        figure: "max_over_bound",
        title: "Slowest node against number of nodes",
        says: "The time until the last node is done, where 1 is the least that the links allow. Flat is good: a \
               larger crowd costs no time.",
        axis: "time ÷ bound",
        bound: 1.0,
        close: Some(2.0),
    },
    Shown {
        figure: "origin_gets_per_blob",
        title: "Requests at the registry against number of nodes",
        says: "GETs at the registry for a blob, however many nodes pull it. 1 is a single download for all.",
        axis: "GETs for each blob",
        bound: 1.0,
        close: None,
    },
    Shown {
        figure: "origin_bytes_ratio",
        title: "Bytes from the registry against number of nodes",
        says: "What the registry sends, where 1 is the length of the blob, however many nodes pull it.",
        axis: "bytes ÷ blob",
        bound: 1.0,
        close: None,
    },
];

/// All runs of a case with the same setup but for the number of nodes.
struct Series {
    name: String,
    case: String,
    /// Number of nodes, and the values of all runs with so many.
    values: Vec<(f64, Vec<f64>)>,
}

/// The plots of each figure that some record has.
pub(super) fn plots(records: &[Record], labels: &[Label], palette: &Palette) -> Vec<Element> {
    SHOWN.iter().flat_map(|shown| plots_of(shown, records, labels, palette)).collect()
}

fn plots_of(shown: &Shown, records: &[Record], labels: &[Label], palette: &Palette) -> Vec<Element> {
    let series = collect(shown.figure, records, labels);
    let is_repeated =
        series.iter().any(|one| series.iter().filter(|other| other.case == one.case).count() > 1);
    let line = |(index, series): (usize, &Series)| {
        // One look for a case everywhere, unless this plot has it more than once.
        let look = if is_repeated { Look::nth(index) } else { palette.look(&series.case) };
        Line { name: series.name.clone(), look, points: series.points(), path: Path::Straight }
    };
    let lines: Vec<Line> = series.iter().take(LINES_MAX).enumerate().map(line).collect();
    let more = match series.len() - lines.len() {
        0 => String::new(),
        more => format!(" {more} more are in the table."),
    };
    let table = table(&series);
    let is_close =
        |line: &Line| shown.close.is_some_and(|most| line.points.iter().all(|point| point.high < most));
    let close: Vec<Line> = lines.iter().filter(|line| is_close(line)).cloned().collect();
    let mut plots = Vec::new();
    if !close.is_empty() && close.len() < lines.len() {
        let says = "The same, of those alone that come close to the bound.".to_owned();
        plots.push(plot(shown, format!("{}, close to the bound", shown.title), says, close, table.clone()));
    }
    if !lines.is_empty() {
        plots.insert(0, plot(shown, shown.title.into(), format!("{}{more}", shown.says), lines, table));
    }
    plots
}

fn plot(shown: &Shown, title: String, says: String, lines: Vec<Line>, table: Table) -> Element {
    let points = || lines.iter().flat_map(|line| &line.points);
    let y_marks = marks(shown);
    let heights =
        points().flat_map(|point| [point.low, point.high]).chain(y_marks.iter().map(|mark| mark.at));
    let (x, y) = (Scale::of(points().map(|point| point.x)), Scale::of(heights));
    let (x, y) = (Axis { label: "nodes", scale: x }, Axis { label: shown.axis, scale: y });
    LineChart { title, says, x, y, x_marks: Vec::new(), y_marks, lines, table }.draw()
}

fn marks(shown: &Shown) -> Vec<Mark> {
    let bound = Mark { at: shown.bound, label: "the bound".into(), kind: MarkKind::Bound };
    let known = figure::known_as(shown.figure);
    let aim = known.and_then(|known| Some((known.target?, known.aim()?)));
    let aim = aim.filter(|(target, _)| (target - shown.bound).abs() > f64::EPSILON);
    let aim = aim.map(|(at, label)| Mark { at, label: format!("aim {label}"), kind: MarkKind::Aim });
    [Some(bound), aim].into_iter().flatten().collect()
}

fn collect(figure: &str, records: &[Record], labels: &[Label]) -> Vec<Series> {
    let mut found: Vec<Series> = Vec::new();
    for (record, label) in records.iter().zip(labels) {
        let Some(nodes) = record.nodes() else { continue };
        for case in record.cases() {
            let values: Vec<f64> =
                record.counted(case.name).filter_map(|run| run.figures.get(figure).copied()).collect();
            if !values.is_empty() {
                let name = format!("{} · {}", wording::plain(case.name), label.series);
                series_of(&mut found, &name, case.name).add(nodes, values);
            }
        }
    }
    found
}

fn series_of<'a>(found: &'a mut Vec<Series>, name: &str, case: &str) -> &'a mut Series {
    let place = found.iter().position(|series| series.name == name).unwrap_or(found.len());
    if place == found.len() {
        found.push(Series { name: name.into(), case: case.into(), values: Vec::new() });
    }
    &mut found[place]
}

impl Series {
    fn add(&mut self, nodes: f64, mut values: Vec<f64>) {
        match self.values.iter_mut().find(|(other, _)| (other - nodes).abs() < 0.5) {
            Some((_, known)) => known.append(&mut values),
            None => self.values.push((nodes, values)),
        }
        self.values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }

    fn spreads(&self) -> impl Iterator<Item = (f64, Spread)> {
        self.values.iter().filter_map(|(nodes, values)| Some((*nodes, Spread::of(values.iter().copied())?)))
    }

    fn points(&self) -> Vec<Point> {
        let point =
            |(x, spread): (f64, Spread)| Point { x, y: spread.median, low: spread.low, high: spread.high };
        self.spreads().map(point).collect()
    }
}

fn table(series: &[Series]) -> Table {
    let rows = series.iter().flat_map(|series| {
        series.spreads().map(|(nodes, spread)| {
            vec![
                series.name.clone(),
                wording::value(nodes),
                wording::value(spread.median),
                wording::interval(&spread),
                spread.runs.to_string(),
            ]
        })
    });
    Table::of(&["case", "nodes", "median", "95 % interval", "runs"], 1, rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::{page::labels, testing};

    #[test]
    fn runs_with_as_many_nodes_are_one_point() {
        let record = |nodes, values: &[f64]| {
            testing::record(
                "lab",
                json!({ "nodes": nodes }),
                testing::runs("shoal", "max_over_bound", values),
            )
        };
        let mut records = [record(16, &[1.2]), record(8, &[1.0, 1.1]), record(16, &[1.4, 1.3])];
        records[2].runs[0].excluded = true;
        let series = collect("max_over_bound", &records, &labels::of(&records));
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].values, [(8.0, vec![1.0, 1.1]), (16.0, vec![1.2, 1.3])]);
        assert_eq!(series[0].points()[1].y, 1.25);
    }

    #[test]
    fn what_comes_close_to_the_bound_is_drawn_by_itself_too() {
        let drawn = |direct: f64| {
            let mut runs = testing::runs("shoal", "max_over_bound", &[1.1]);
            runs.extend(testing::runs("direct", "max_over_bound", &[direct]));
            let records = [testing::record("lab", json!({ "nodes": 16 }), runs)];
            plots(&records, &labels::of(&records), &Palette::default()).len()
        };
        assert_eq!([16.0, 1.5].map(drawn), [2, 1]);
    }

    #[test]
    fn only_figures_that_some_record_has_are_drawn() {
        let runs = testing::runs("shoal", "origin_gets_per_blob", &[1.0]);
        let with = testing::record("lab", json!({ "nodes": 8 }), runs.clone());
        let without = testing::record("loopback", json!({}), runs);
        let drawn = |records: &[Record]| plots(records, &labels::of(records), &Palette::default()).len();
        assert_eq!((drawn(&[with]), drawn(&[without]), drawn(&[])), (1, 0, 0));
    }
}
