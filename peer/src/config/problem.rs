//! What is wrong with the configuration, and where.

use std::{fmt, ops::Range, path::Path, path::PathBuf};

/// Everything that is wrong, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Each problem by itself; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was said; `None` where nothing was said that should have been.
    pub place: Option<Place>,
    /// What is wrong.
    pub what: String,
    /// What to write in its place.
    pub help: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the file.
    File(Spot),
    /// An environment variable.
    Environment(String),
    /// A flag, with its dashes.
    Flag(String),
}

/// A part of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    path: PathBuf,
    line: usize,
    column: usize,
    text: String,
    width: usize,
}

impl Spot {
    /// The bytes in `span` of `content`, which is what the file at `path` holds.
    pub(super) fn new(path: &Path, content: &str, span: &Range<usize>) -> Self {
        let before = content.get(..span.start).unwrap_or(content);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let text = content.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let marked = content.get(span.clone()).unwrap_or_default().lines().next().unwrap_or_default();
        Self {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: column + 1,
            text: without_login(text),
            width: marked.chars().count().max(1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(spot) => write!(f, "{}:{}", spot.path.display(), spot.line),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(Place::File(spot)) => {
                let gutter = spot.line.to_string().len();
                writeln!(f, "{}:{}:{}: {}", spot.path.display(), spot.line, spot.column, self.what)?;
                writeln!(f, "  {} | {}", spot.line, spot.text)?;
                let (indent, marks) = (" ".repeat(spot.column - 1), "^".repeat(spot.width));
                write!(f, "  {:gutter$} | {indent}{marks} {}", "", self.help)
            }
            Some(place) => write!(f, "{place}: {}\n  {}", self.what, self.help),
            None => write!(f, "{}\n  {}", self.what, self.help),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let s = if count == 1 { "" } else { "s" };
        write!(f, "{count} problem{s} in the configuration")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// `text` with a star for each character of a login in a URL: what went wrong may be logged, a password may not.
pub(crate) fn without_login(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let authority = after.split(['/', '"', '\'', ',', ' ']).next().unwrap_or_default();
        let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
        shown.push_str(before);
        shown.push_str("://");
        shown.extend(login.chars().map(|_| '*'));
        rest = after.get(login.len()..).unwrap_or_default();
    }
    shown + rest
}
