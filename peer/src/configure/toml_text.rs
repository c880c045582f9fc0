//! What edits of TOML have in common.

use std::path::Path;

use toml_edit::{DocumentMut, TableLike};

use super::ConfigureError;

/// The document in `text`.
pub(crate) fn parse(path: &Path, text: &str) -> Result<DocumentMut, ConfigureError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let start = error.span().map_or(0, |span| span.start);
        ConfigureError::Invalid {
            path: path.to_owned(),
            line: text.get(..start).unwrap_or(text).matches('\n').count() + 1,
            // One line of it: an excerpt could show a password.
            message: error.message().lines().next().unwrap_or("not TOML").to_owned(),
        }
    })
}

/// The table that `keys` lead to.
pub(crate) fn table<'a>(document: &'a DocumentMut, keys: &[&str]) -> Option<&'a dyn TableLike> {
    let mut table: &dyn TableLike = document.as_table();
    for key in keys {
        table = table.get(key)?.as_table_like()?;
    }
    Some(table)
}

/// A text in quotes, as TOML and JSON both read it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The line ending that `text` uses.
pub(crate) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// `edited` with the line endings of `original`.
pub(crate) fn with_newlines_of(original: &str, edited: String) -> String {
    match newline(original) {
        "\n" => edited,
        windows => edited.replace("\r\n", "\n").replace('\n', windows),
    }
}
