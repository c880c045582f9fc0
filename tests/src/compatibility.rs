//! What runtimes were seen to do, and the table of it in the documentation.
//!
//! Invariant: the table has what tests recorded, and nothing else. Each row is a runtime that ran.

use std::{
    env,
    fmt::{self, Write as _},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use crate::scratch::work_dir;

/// Set to rewrite the table instead of comparing it.
const WRITE: &str = "SHOAL_WRITE_DOCS";
const BEGIN: &str = "<!-- the tests write from here -->\n";
const END: &str = "<!-- to here -->\n";

/// What is tried with each runtime: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// A pull by tag.
    Tag,
    /// A pull by digest.
    Digest,
    /// A pull from a registry whose login only the seeds have.
    Private,
    /// The same, and the runtime is told a login for this pull.
    PrivateLogin,
    /// The connection to the mirror breaks in the middle of a layer, and the mirror is still there.
    Broken,
    /// The mirror ends a layer short, as it can't get the rest.
    Short,
    /// The mirror answers 404 to all that is asked.
    Absent,
    /// Nobody tells the mirror in time whether there is what is asked for.
    Mute,
    /// The mirror takes no more connections, and answers 503.
    Full,
    /// Nothing listens where the mirror should be.
    Down,
}

impl Cell {
    /// All, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Tag,
        Self::Digest,
        Self::Private,
        Self::PrivateLogin,
        Self::Broken,
        Self::Short,
        Self::Absent,
        Self::Mute,
        Self::Full,
        Self::Down,
    ];

    /// A name for it in repositories and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Private => "private",
            Self::PrivateLogin => "private-login",
            Self::Broken => "broken",
            Self::Short => "short",
            Self::Absent => "absent",
            Self::Mute => "mute",
            Self::Full => "full",
            Self::Down => "down",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Private => "private",
            Self::PrivateLogin => "private, own login",
            Self::Broken => "connection breaks in a layer",
            Self::Short => "layer ends short",
            Self::Absent => "Shoal answers 404",
            Self::Mute => "Shoal finds nothing in time",
            Self::Full => "Shoal answers 503",
            Self::Down => "Shoal is down",
        }
    }
}

/// How a pull went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// All of it came through Shoal.
    Through,
    /// The rest of the layer came through Shoal.
    RestThrough,
    /// The layer came through Shoal, from its beginning once more.
    AgainThrough,
    /// The rest of the layer came from the registry.
    RestDirect,
    /// The layer came from the registry, from its beginning once more.
    AgainDirect,
    /// All of it came from the registry.
    Direct,
    /// The pull failed.
    Failed,
    /// The rest of the layer came from somewhere, or the pull failed: not the same each time.
    Chance,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Through => "Shoal",
            Self::RestThrough => "Shoal, the rest",
            Self::AgainThrough => "Shoal, again",
            Self::RestDirect => "registry, the rest",
            Self::AgainDirect => "registry, again",
            Self::Direct => "registry",
            Self::Failed => "fails",
            Self::Chance => "may fail",
        })
    }
}

/// What one runtime, set up in one way, was seen to do.
#[derive(Clone, Debug)]
pub struct Row {
    /// The program.
    pub runtime: &'static str,
    /// Its version, as it says itself.
    pub version: String,
    /// How it is told of the mirror and asked to pull.
    pub how: &'static str,
    /// What was tried, and how that went.
    pub tried: Vec<Tried>,
}

/// One pull.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// What was tried.
    pub cell: Cell,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took, whatever became of it.
    pub took: Duration,
    /// How many times the mirror was asked for the layer.
    pub layer_requests: usize,
}

impl Row {
    /// How it went, where it was tried.
    pub fn outcome(&self, cell: Cell) -> Option<Outcome> {
        self.tried.iter().find(|tried| tried.cell == cell).map(|tried| tried.outcome)
    }

    /// What it is, for messages.
    pub fn what(&self) -> String {
        format!("{} {}, {}", self.runtime, self.version, self.how)
    }

    /// Without the patch level, which differs from one day's packages to the next's.
    fn short_version(&self) -> String {
        self.version.split('.').take(2).collect::<Vec<_>>().join(".")
    }
}

/// Keeps what was seen as JSON lines beside the build, and compares it with the table in `docs/compatibility.md`, or
/// writes that.
///
/// # Panics
/// When the table says something else, with the command that writes it anew.
pub fn publish(rows: &[Row]) {
    record(rows);
    let page = page();
    let text = fs::read_to_string(&page).expect("docs/compatibility.md");
    let (before, rest) = text.split_once(BEGIN).expect("a place for the table");
    let (_, after) = rest.split_once(END).expect("an end of the table");
    let seen = format!("{before}{BEGIN}\n{}\n{END}{after}", table(rows));
    if env::var_os(WRITE).is_some() {
        fs::write(&page, &seen).expect("docs/compatibility.md to be written");
    } else {
        assert!(
            seen == text,
            "docs/compatibility.md does not tell what was seen. To write it anew:\n  \
             {WRITE}=1 cargo test -p shoal-tests --features e2e --test e2e -- --test-threads=1 compatibility\n{}",
            table(rows)
        );
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md")
}

fn record(rows: &[Row]) {
    let folder = work_dir().join("compatibility");
    fs::create_dir_all(&folder).expect("a folder for what was seen");
    let mut lines = String::new();
    for row in rows {
        for tried in &row.tried {
            let line = json!({
                "runtime": row.runtime,
                "version": row.version,
                "how": row.how,
                "cell": tried.cell.name(),
                "outcome": tried.outcome.to_string(),
                "seconds": tried.took.as_secs_f64(),
                "layer_requests": tried.layer_requests,
            });
            let _ = writeln!(lines, "{line}");
        }
    }
    fs::write(folder.join("cells.jsonl"), lines).expect("a file of what was seen");
}

fn table(rows: &[Row]) -> String {
    let mut text = "| runtime | how |".to_owned();
    for cell in Cell::ALL {
        let _ = write!(text, " {} |", cell.title());
    }
    let _ = write!(text, "\n|---|---|{}", "---|".repeat(Cell::ALL.len()));
    for row in rows {
        let _ = write!(text, "\n| {} {} | {} |", row.runtime, row.short_version(), row.how);
        for cell in Cell::ALL {
            let outcome = row.outcome(cell).map_or_else(|| "–".to_owned(), |outcome| outcome.to_string());
            let _ = write!(text, " {outcome} |");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_was_not_tried_claims_nothing() {
        let tried = |cell, outcome| Tried { cell, outcome, took: Duration::ZERO, layer_requests: 1 };
        let row = Row {
            runtime: "runtime",
            version: "1.2.3".to_owned(),
            how: "somehow",
            tried: vec![tried(Cell::Tag, Outcome::Through), tried(Cell::Down, Outcome::Direct)],
        };
        let table = table(&[row]);
        let last = table.lines().last().unwrap();
        assert_eq!(last, "| runtime 1.2 | somehow | Shoal | – | – | – | – | – | – | – | – | registry |");
    }
}
