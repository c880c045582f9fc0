//! Elements of HTML and SVG. Names are the program's own, everything else is escaped when it is written, so a page
//! can't hold markup that this program did not choose.

use std::fmt::Display;

use crate::report::wording;

/// An element with its attributes and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Element(Element),
    Text(String),
    /// Neither escaped nor anyone's but this program's.
    Own(&'static str),
}

/// Elements of HTML that have no end.
const VOID: [&str; 1] = ["meta"];

/// An element without anything yet.
pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new() }
}

impl Element {
    /// Adds an attribute.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// Adds numbers as attributes, as short as a picture needs them.
    #[must_use]
    pub(super) fn at<const N: usize>(self, numbers: [(&'static str, f64); N]) -> Self {
        numbers.into_iter().fold(self, |element, (name, value)| element.with(name, coordinate(value)))
    }

    /// Adds text.
    #[must_use]
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    /// Adds text that is written as it is.
    #[must_use]
    pub(super) fn own(mut self, text: &'static str) -> Self {
        self.children.push(Node::Own(text));
        self
    }

    /// Adds an element.
    #[must_use]
    pub(super) fn child(mut self, child: Element) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// Adds several.
    #[must_use]
    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Writes it out.
    pub(super) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        out.push('>');
        if VOID.contains(&self.name) {
            return;
        }
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(out),
                Node::Text(text) => escape(&wording::plain(text), out),
                Node::Own(text) => out.push_str(text),
            }
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }
}

/// A place in a picture, to a tenth of its unit.
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_stay_text() {
        let mut out = String::new();
        let evil = "\"><script>'&";
        element("p").with("title", evil).text(evil).child(element("b").own("own")).write(&mut out);
        let escaped = "&quot;&gt;&lt;script&gt;&#39;&amp;";
        assert_eq!(out, format!("<p title=\"{escaped}\">{escaped}<b>own</b></p>"));
    }

    #[test]
    fn places_are_short() {
        let mut out = String::new();
        element("circle").at([("cx", 1.0), ("cy", 2.345)]).write(&mut out);
        assert_eq!(out, "<circle cx=\"1\" cy=\"2.3\"></circle>");
    }
}
