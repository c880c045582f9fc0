//! Plots of lines: curves that rise in steps, and points with their intervals.

use super::{
    chart::{self, Area, Axis, Card, Mark, WIDTH},
    markup::{Element, coordinate, element},
    palette::Look,
    tables::Table,
};

const HEIGHT: f64 = 310.0;
const AREA: Area = Area { left: 52.0, top: 50.0, right: WIDTH - 22.0, bottom: HEIGHT - 46.0 };

/// A plot of lines.
#[derive(Debug)]
pub(super) struct LineChart {
    pub(super) title: String,
    pub(super) says: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) x_marks: Vec<Mark>,
    pub(super) y_marks: Vec<Mark>,
    pub(super) lines: Vec<Line>,
    pub(super) table: Table,
}

/// One line of it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) look: Look,
    pub(super) points: Vec<Point>,
    pub(super) path: Path,
}

/// How points are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Each point holds until the next one, as a count does.
    Steps,
    /// Straight from point to point, with a mark and an interval at each.
    Straight,
}

/// A value with the interval in which its median lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl LineChart {
    /// The plot with its legend and its table.
    pub(super) fn draw(self) -> Element {
        let x_marks = self.x_marks.iter().map(|mark| AREA.x_mark(&self.x.scale, mark));
        let y_marks = self.y_marks.iter().map(|mark| AREA.y_mark(&self.y.scale, mark));
        let (mark_lines, mark_names): (Vec<_>, Vec<_>) =
            x_marks.chain(y_marks).map(|[line, name]| (line, name)).unzip();
        let picture = chart::picture(HEIGHT, &self.title, &self.says)
            .child(AREA.x_axis(&self.x))
            .child(AREA.y_axis(&self.y))
            .children(mark_lines)
            // The first line is the main one: it lies over the others.
            .children(self.lines.iter().rev().map(|line| self.line(line)))
            .children(mark_names);
        let legend = self.lines.iter().map(|line| line.look.legend(&line.name)).collect();
        Card { title: self.title, says: self.says, picture, legend, table: self.table }.draw()
    }

    fn line(&self, line: &Line) -> Element {
        let path = element("path").with("class", line.look.line()).with("d", self.path(line));
        let group = element("g").child(element("title").text(line.name.as_str())).child(path);
        match line.path {
            Path::Steps => group.children(line.points.last().map(|last| {
                let (x, y) = self.place(last.x, last.y);
                line.look.mark(x, y, 4.5)
            })),
            Path::Straight => {
                group.children(line.points.iter().flat_map(|point| self.point(line.look, point)))
            }
        }
    }

    fn point(&self, look: Look, point: &Point) -> [Element; 2] {
        let (x, y) = self.place(point.x, point.y);
        let (_, low) = self.place(point.x, point.low);
        let (_, high) = self.place(point.x, point.high);
        let interval = chart::line(x, low, x, high).with("class", format!("interval {}", look.colour()));
        [interval, look.mark(x, y, 4.5)]
    }

    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        for (index, point) in line.points.iter().enumerate() {
            let (x, y) = self.place(point.x, point.y);
            let (x, y) = (coordinate(x), coordinate(y));
            match (line.path, index) {
                (Path::Steps, 0) => path.push_str(&format!("M{x} {}V{y}", coordinate(AREA.bottom))),
                (Path::Steps, _) => path.push_str(&format!("H{x}V{y}")),
                (Path::Straight, 0) => path.push_str(&format!("M{x} {y}")),
                (Path::Straight, _) => path.push_str(&format!("L{x} {y}")),
            }
        }
        path
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (AREA.x(&self.x.scale, x), AREA.y(&self.y.scale, y))
    }
}
