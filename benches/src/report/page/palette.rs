//! One look for each name on the whole page: a colour, and a dash and a shape for those who don't tell colours apart.

use super::markup::{Element, element};

/// As many colours as `style.css` has; dashes and shapes go round at another pace, so looks repeat after twelve.
const COLOURS: usize = 6;
const SHAPES: usize = 4;

/// Looks by name, in the order in which names came.
#[derive(Clone, Debug, Default)]
pub(super) struct Palette {
    names: Vec<String>,
}

/// How a name is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look(usize);

impl Palette {
    /// Looks for these names; those of the same name are the same.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut palette = Self::default();
        for name in names {
            if !palette.names.iter().any(|known| known == name) {
                palette.names.push(name.into());
            }
        }
        palette
    }

    /// The look of a name.
    pub(super) fn look(&self, name: &str) -> Look {
        Look(self.names.iter().position(|known| known == name).unwrap_or(self.names.len()))
    }
}

impl Look {
    /// The look of the nth thing in a plot of its own.
    pub(super) fn nth(index: usize) -> Self {
        Self(index)
    }

    /// The class that sets the colour.
    pub(super) fn colour(self) -> String {
        format!("c{}", self.0 % COLOURS)
    }

    /// The classes of a line.
    pub(super) fn line(self) -> String {
        format!("line {} d{}", self.colour(), self.0 % SHAPES)
    }

    /// A mark around this place.
    pub(super) fn mark(self, x: f64, y: f64, size: f64) -> Element {
        let class = format!("mark {}", self.colour());
        let polygon = |corners: &[(f64, f64)]| {
            let corners = corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx * size, y + dy * size));
            element("polygon").with("points", corners.collect::<Vec<_>>().join(" "))
        };
        let mark = match self.0 % SHAPES {
            0 => element("circle").at([("cx", x), ("cy", y), ("r", size)]),
            1 => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            2 => polygon(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
            _ => polygon(&[(0.0, -1.2), (1.2, 0.9), (-1.2, 0.9)]),
        };
        mark.with("class", class)
    }

    /// A line of a legend: a sample beside the name.
    pub(super) fn legend(self, name: &str) -> Element {
        let line = element("line").at([("x1", 0.0), ("y1", 7.0), ("x2", 34.0), ("y2", 7.0)]);
        let sample =
            element("svg").with("viewBox", "0 0 34 14").with("class", "sample").with("aria-hidden", "true");
        let sample = sample.child(line.with("class", self.line())).child(self.mark(17.0, 7.0, 4.0));
        element("li").child(sample).child(element("span").text(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_looks_the_same_everywhere_and_unlike_others() {
        let names: Vec<String> = (0..12).map(|index| format!("case {index}")).collect();
        let palette = Palette::of(names.iter().chain(&names).map(String::as_str));
        let mut looks: Vec<String> = names.iter().map(|name| palette.look(name).line()).collect();
        looks.sort();
        looks.dedup();
        assert_eq!(looks.len(), 12);
    }
}
