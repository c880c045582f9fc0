//! Tables, which scroll by themselves where a screen is narrow.

use super::markup::{Element, element};

/// A table of text and numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    text_columns: usize,
}

impl Table {
    /// Of these columns, of which the first so many are text; the others are numbers and end at the right.
    pub(super) fn of(
        head: &[&str],
        text_columns: usize,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let head = head.iter().map(ToString::to_string).collect();
        Self { head, rows: rows.into_iter().collect(), text_columns }
    }

    /// The table, in a frame that can be scrolled by keyboard too.
    pub(super) fn draw(&self) -> Element {
        let head = self.head.iter().enumerate().map(|(column, name)| {
            let cell = element("th").with("scope", "col");
            self.aligned(cell, column).text(name.as_str())
        });
        let head = element("thead").child(element("tr").children(head));
        let body = element("tbody").children(self.rows.iter().map(|row| self.row(row)));
        let class = if self.text_columns < self.head.len() { "numbers" } else { "words" };
        let table = element("table").with("class", class).child(head).child(body);
        element("div").with("class", "scroll").with("tabindex", 0).child(table)
    }

    fn row(&self, row: &[String]) -> Element {
        let cells = row.iter().enumerate().map(|(column, text)| {
            let cell = if column == 0 { element("th").with("scope", "row") } else { element("td") };
            self.aligned(cell, column).text(text.as_str())
        });
        element("tr").children(cells)
    }

    fn aligned(&self, cell: Element, column: usize) -> Element {
        if column < self.text_columns { cell } else { cell.with("class", "number") }
    }
}
