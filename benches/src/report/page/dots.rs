//! Plots with one row for each thing that was measured: a dot for the median, a line for the interval.

use super::{
    chart::{self, Area, Axis, Card, Mark, WIDTH},
    markup::{Element, element},
    palette::Look,
    tables::Table,
};
use crate::{record::Spread, report::wording};

const TOP: f64 = 30.0;
const ROW_HEIGHT: f64 = 40.0;
const BELOW: f64 = 46.0;
/// More rows are left to the table.
const ROWS_MAX: usize = 30;
const NAME_MAX_CHARS: usize = 52;

/// A plot of rows.
#[derive(Debug)]
pub(super) struct DotChart {
    pub(super) title: String,
    pub(super) says: String,
    pub(super) axis: Axis,
    pub(super) marks: Vec<Mark>,
    pub(super) rows: Vec<Row>,
    pub(super) legend: Vec<Element>,
    pub(super) table: Table,
}

/// A row: one dot, or several that belong together.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    /// The values in words, at the right.
    pub(super) value: String,
    pub(super) dots: Vec<(Look, Spread)>,
}

impl DotChart {
    /// The plot with its table.
    pub(super) fn draw(self) -> Element {
        let rows = &self.rows[..self.rows.len().min(ROWS_MAX)];
        let bottom = TOP + rows.len() as f64 * ROW_HEIGHT;
        let area = Area { left: 14.0, top: TOP, right: WIDTH - 22.0, bottom };
        let picture = chart::picture(bottom + BELOW, &self.title, &self.says)
            .child(area.x_axis(&self.axis))
            .children(self.marks.iter().flat_map(|mark| area.x_mark(&self.axis.scale, mark)))
            .children(rows.iter().enumerate().map(|(index, row)| self.row(area, index, row)));
        let more = self.rows.len() - rows.len();
        let says = if more == 0 { self.says } else { format!("{} {more} more are in the table.", self.says) };
        Card { title: self.title, says, picture, legend: self.legend, table: self.table }.draw()
    }

    fn row(&self, area: Area, index: usize, row: &Row) -> Element {
        let top = area.top + index as f64 * ROW_HEIGHT;
        let y = top + 28.0;
        let x = |value| area.x(&self.axis.scale, value);
        let name = wording::clipped(row.name.chars(), NAME_MAX_CHARS);
        let name = chart::text(area.left, top + 15.0, "start").with("class", "name").text(name);
        let value =
            chart::text(area.right, top + 15.0, "end").with("class", "value").text(row.value.as_str());
        let mut group = element("g").child(chart::line(area.left, y, area.right, y).with("class", "track"));
        if let (Some((_, first)), Some((look, last))) = (row.dots.first(), row.dots.last()) {
            let span = chart::line(x(first.median), y, x(last.median), y);
            group = group.child(span.with("class", format!("span {}", look.colour())));
        }
        for (look, spread) in &row.dots {
            let interval = chart::line(x(spread.low), y, x(spread.high), y);
            let interval = interval.with("class", format!("interval {}", look.colour()));
            group = group.child(interval).child(look.mark(x(spread.median), y, 5.0));
        }
        group.child(name).child(value)
    }
}
