//! What all plots share: the card around them, their axes and the lines that mark a value.

use super::{
    markup::{Element, element},
    scale::{self, Scale},
    tables::Table,
};

/// Small enough that its text is still readable when the whole picture is as wide as a phone.
pub(super) const WIDTH: f64 = 480.0;

/// A plot with what belongs to it.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) title: String,
    /// How to read it, in a sentence.
    pub(super) says: String,
    pub(super) picture: Element,
    /// Entries of the legend; none where the picture needs no legend.
    pub(super) legend: Vec<Element>,
    /// The same in numbers.
    pub(super) table: Table,
}

/// An axis with what it counts.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

/// A value that is marked on an axis: a bound, an aim.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: f64,
    pub(super) label: String,
    pub(super) kind: MarkKind,
}

/// Why a value is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// No system does better.
    Bound,
    /// What Shoal is built to reach.
    Aim,
}

/// Where the data is drawn within the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Card {
    /// The plot as a figure.
    pub(super) fn draw(self) -> Element {
        let mut figure = element("figure")
            .child(element("figcaption").text(self.title))
            .child(element("p").with("class", "says").text(self.says))
            .child(self.picture);
        if !self.legend.is_empty() {
            figure = figure.child(element("ul").with("class", "legend").children(self.legend));
        }
        let numbers =
            element("details").child(element("summary").text("The numbers")).child(self.table.draw());
        figure.child(numbers)
    }
}

/// An empty picture with words for those who don't see it.
pub(super) fn picture(height: f64, title: &str, says: &str) -> Element {
    element("svg")
        .with("viewBox", format!("0 0 {WIDTH} {height}"))
        .with("role", "img")
        .child(element("title").text(title))
        .child(element("desc").text(says))
}

impl Area {
    /// Where a value lies on an axis to the right.
    pub(super) fn x(&self, scale: &Scale, value: f64) -> f64 {
        self.left + scale.place(value) * (self.right - self.left)
    }

    /// Where a value lies on an axis upwards.
    pub(super) fn y(&self, scale: &Scale, value: f64) -> f64 {
        self.bottom - scale.place(value) * (self.bottom - self.top)
    }

    /// The axis below the data, with its grid.
    pub(super) fn x_axis(&self, axis: &Axis) -> Element {
        let mut group = element("g");
        for tick in axis.scale.ticks() {
            let x = self.x(&axis.scale, tick);
            let grid = line(x, self.top, x, self.bottom).with("class", "grid");
            let label = text(x, self.bottom + 17.0, "middle").text(scale::label(tick));
            group = group.child(grid).child(label);
        }
        let name = text(f64::midpoint(self.left, self.right), self.bottom + 36.0, "middle");
        group.child(name.with("class", "axis").text(axis.name()))
    }

    /// The axis beside the data, with its grid; its name stands above it, where it needs no turning of heads.
    pub(super) fn y_axis(&self, axis: &Axis) -> Element {
        let mut group = element("g");
        for tick in axis.scale.ticks() {
            let y = self.y(&axis.scale, tick);
            let grid = line(self.left, y, self.right, y).with("class", "grid");
            let label = text(self.left - 7.0, y + 4.0, "end").text(scale::label(tick));
            group = group.child(grid).child(label);
        }
        group.child(text(4.0, self.top - 24.0, "start").with("class", "axis").text(axis.name()))
    }

    /// A marked value of the axis below: a line upwards, and its name on top of it.
    pub(super) fn x_mark(&self, scale: &Scale, mark: &Mark) -> [Element; 2] {
        let x = self.x(scale, mark.at);
        let anchor = match (x - self.left) / (self.right - self.left) {
            start if start < 0.15 => "start",
            end if end > 0.85 => "end",
            _ => "middle",
        };
        let name = text(x, self.top - 5.0, anchor).with("class", mark.kind.class()).text(mark.label.as_str());
        [line(x, self.top, x, self.bottom).with("class", mark.kind.class()), name]
    }

    /// A marked value of the axis beside: a line across, and its name: the bound's at the left and the aim's at the
    /// right, since both are often close.
    pub(super) fn y_mark(&self, scale: &Scale, mark: &Mark) -> [Element; 2] {
        let y = self.y(scale, mark.at);
        let (x, anchor) = match mark.kind {
            MarkKind::Bound => (self.left + 5.0, "start"),
            MarkKind::Aim => (self.right - 5.0, "end"),
        };
        let name = text(x, y - 5.0, anchor).with("class", mark.kind.class()).text(mark.label.as_str());
        [line(self.left, y, self.right, y).with("class", mark.kind.class()), name]
    }
}

impl Axis {
    fn name(&self) -> String {
        let steps = if self.scale.is_logarithmic() { ", logarithmic" } else { "" };
        format!("{}{steps}", self.label)
    }
}

impl MarkKind {
    fn class(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Aim => "aim",
        }
    }
}

/// A straight line.
pub(super) fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> Element {
    element("line").at([("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)])
}

/// Text to be filled in, that begins, is centred or ends at a place.
pub(super) fn text(x: f64, y: f64, anchor: &'static str) -> Element {
    element("text").at([("x", x), ("y", y)]).with("text-anchor", anchor)
}
