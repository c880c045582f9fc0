//! How the share of nodes that are done grows, beside the time that the links allow.

use super::{
    chart::{Axis, Mark, MarkKind},
    lines::{Line, LineChart, Path, Point},
    markup::Element,
    palette::Palette,
    scale::Scale,
    tables::Table,
};
use crate::{
    record::Spread,
    report::{load::Record, wording},
};

/// The series with every node's time, and the figure with the bound.
const SERIES: &str = "completion_s";
const BOUND: &str = "bound_s";
/// More steps can't be seen.
const STEPS_MAX: usize = 200;

/// The times of a case in units of the bound, all runs together, ascending.
struct Curve<'a> {
    case: &'a str,
    over_bound: Vec<f64>,
    /// Nodes, those that were never done too.
    nodes: usize,
}

/// One plot for a record; `None` where it holds no times or no bound.
pub(super) fn plot(record: &Record, label: &str, palette: &Palette) -> Option<Element> {
    let cases = record.cases();
    let curves: Vec<Curve<'_>> = cases.iter().filter_map(|case| Curve::of(record, case.name)).collect();
    if curves.is_empty() {
        return None;
    }
    let ends = curves.iter().flat_map(|curve| [curve.at(0.0), curve.at(1.0)]).flatten();
    let x = Axis { label: "time ÷ bound", scale: Scale::of(ends.chain([1.0])) };
    let y = Axis { label: "% of nodes done", scale: Scale::from_zero([100.0]) };
    let chart = LineChart {
        title: format!("Completion: {label}"),
        says:
            "How many of the nodes are done at which time, where 1 is the least time that the links allow. \
               The steeper a curve and the nearer to the bound it ends, the better."
                .into(),
        x,
        y,
        x_marks: vec![Mark { at: 1.0, label: "the bound".into(), kind: MarkKind::Bound }],
        y_marks: Vec::new(),
        lines: curves.iter().map(|curve| curve.line(palette)).collect(),
        table: table(&curves),
    };
    Some(chart.draw())
}

impl<'a> Curve<'a> {
    fn of(record: &Record, case: &'a str) -> Option<Self> {
        let bounds = record.runs.iter().filter_map(|run| run.figures.get(BOUND).copied());
        // A case that states no bound is held against that of the others: they had the same links.
        let usual_bound_s = Spread::of(bounds).map(|spread| spread.median);
        let (mut over_bound, mut nodes) = (Vec::new(), 0);
        for run in record.runs.iter().filter(|run| run.case == case && !run.excluded) {
            let bound_s =
                run.figures.get(BOUND).copied().or(usual_bound_s).filter(|bound_s| *bound_s > 0.0)?;
            let times = run.series.get(SERIES).map(Vec::as_slice).unwrap_or_default();
            nodes += times.len();
            over_bound.extend(times.iter().map(|time_s| time_s / bound_s).filter(|over| over.is_finite()));
        }
        over_bound.sort_by(f64::total_cmp);
        (!over_bound.is_empty()).then_some(Self { case, over_bound, nodes })
    }

    /// When this share of all nodes was done; `None` if it never was.
    fn at(&self, share: f64) -> Option<f64> {
        let rank = (share * self.nodes as f64).ceil() as usize;
        self.over_bound.get(rank.max(1) - 1).copied()
    }

    fn line(&self, palette: &Palette) -> Line {
        let stride = self.over_bound.len().div_ceil(STEPS_MAX);
        let last = self.over_bound.len() - 1;
        let points =
            self.over_bound.iter().enumerate().filter(|(index, _)| index % stride == 0 || *index == last);
        let points = points.map(|(index, x)| {
            let y = (index + 1) as f64 / self.nodes as f64 * 100.0;
            Point { x: *x, y, low: y, high: y }
        });
        let end = match self.at(1.0) {
            Some(end) => format!("all done at {}", wording::value(end)),
            None => format!("{} of {} never done", self.nodes - self.over_bound.len(), self.nodes),
        };
        Line {
            name: format!("{}: {end}", wording::plain(self.case)),
            look: palette.look(self.case),
            points: points.collect(),
            path: Path::Steps,
        }
    }
}

fn table(curves: &[Curve<'_>]) -> Table {
    let rows = curves.iter().map(|curve| {
        let times = [0.5, 0.9, 0.99, 1.0].map(|share| curve.at(share).map_or("never".into(), wording::value));
        [vec![wording::plain(curve.case), curve.nodes.to_string()], times.to_vec()].concat()
    });
    Table::of(&["case", "pulls", "half done at", "90 % at", "99 % at", "all at"], 1, rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{record::Run, report::testing};

    fn run(case: &str, times_s: &[f64]) -> Run {
        let mut run = Run::new(case, 1);
        run.series.insert(SERIES.into(), times_s.to_vec());
        run
    }

    fn drawn(runs: Vec<Run>) -> Option<String> {
        let record = testing::record("lab", json!({}), runs);
        let palette = Palette::of(["shoal"]);
        plot(&record, "lab", &palette).map(|figure| {
            let mut out = String::new();
            figure.write(&mut out);
            out
        })
    }

    #[test]
    fn a_case_without_a_bound_is_held_against_that_of_the_others() {
        let runs = vec![run("shoal", &[2.0, 2.2]).with(BOUND, 2.0), run("direct", &[8.0, 16.0])];
        let record = testing::record("lab", json!({}), runs.clone());
        let direct = Curve::of(&record, "direct").unwrap();
        assert_eq!(direct.over_bound, [4.0, 8.0]);
        assert_eq!((direct.at(0.5), direct.at(1.0)), (Some(4.0), Some(8.0)));
        let drawn = drawn(runs).unwrap();
        for part in
            ["the bound", "shoal: all done at 1.100", "direct: all done at 8", "<td class=\"number\">4</td>"]
        {
            assert!(drawn.contains(part), "{part} is missing in {drawn}");
        }
    }

    #[test]
    fn nodes_that_never_finish_keep_the_curve_below_all() {
        let record = testing::record(
            "sim",
            json!({}),
            vec![run("shoal", &[1.0, 1.5, f64::INFINITY]).with(BOUND, 1.0)],
        );
        let curve = Curve::of(&record, "shoal").unwrap();
        assert_eq!((curve.at(0.6), curve.at(1.0)), (Some(1.5), None));
        let line = curve.line(&Palette::default());
        assert_eq!(line.name, "shoal: 1 of 3 never done");
        assert!(line.points.last().unwrap().y < 67.0);
    }

    #[test]
    fn many_nodes_are_thinned_out_but_the_slowest_is_kept() {
        let times_s: Vec<f64> = (0..10_000).map(|index| 1.0 + f64::from(index) * 1e-4).collect();
        let record = testing::record("sim", json!({}), vec![run("shoal", &times_s).with(BOUND, 1.0)]);
        let points = Curve::of(&record, "shoal").unwrap().line(&Palette::default()).points;
        assert!(points.len() <= STEPS_MAX + 1);
        let last = points.last().unwrap();
        assert_eq!((last.x, last.y), (1.9999, 100.0));
    }

    #[test]
    fn without_times_or_a_bound_there_is_no_plot() {
        assert_eq!(drawn(vec![Run::new("shoal", 1).with(BOUND, 1.0)]), None);
        assert_eq!(drawn(vec![run("shoal", &[1.0])]), None);
        assert_eq!(drawn(vec![run("shoal", &[1.0]).with(BOUND, 0.0)]), None);
        assert_eq!(drawn(vec![run("shoal", &[1.0]).with(BOUND, 1.0).without_counting("busy")]), None);
    }
}
