//! `report`: what records say, as Markdown, as a page with plots, and as a comparison of two of them.
//!
//! A record may come from anywhere, so nothing in it is trusted: a broken line is refused with its number, and no
//! string of a record is ever markup, a control character or a command.

mod compare;
mod figure;
mod load;
mod markdown;
mod page;
mod summary;
#[cfg(test)]
mod testing;
mod wording;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::cli::Failure;
use compare::Comparison;
use load::Record;

const RECORDS_FOLDER: &str = "bench-results";

/// What is asked of `report`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: shoal-bench report --html report.html\n         \
                        shoal-bench report --compare before.jsonl after.jsonl --fail-on-worse")]
pub struct ReportArgs {
    /// The records to report on [default: bench-results/*.jsonl]
    #[arg(value_name = "RECORD.jsonl")]
    records: Vec<PathBuf>,
    /// Write one self-contained page with plots to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown to this file [default: standard output, when no file is asked for]
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Say where B is better or worse than A
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["records", "html", "markdown"])]
    compare: Option<Vec<PathBuf>>,
    /// End with status 1 when B is worse than A in anything
    #[arg(long, requires = "compare")]
    fail_on_worse: bool,
    /// Print one line of JSON instead of text
    #[arg(long)]
    json: bool,
}

/// A file of the report can't be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// B is worse than A, and that was asked to be a failure.
#[derive(Debug, thiserror::Error)]
#[error("worse in {count} of {compared} figures: {names}")]
struct Worse {
    count: usize,
    compared: usize,
    names: String,
}

/// Reports on records.
///
/// # Errors
/// When a record can't be read or a file can't be written, and, if asked for, when a record is worse than another.
pub fn run(arguments: &ReportArgs) -> Result<(), Failure> {
    match arguments.compare.as_deref() {
        Some([a, b]) => compare_two(a, b, arguments),
        _ => report(arguments),
    }
}

fn report(arguments: &ReportArgs) -> Result<(), Failure> {
    let records = if arguments.records.is_empty() {
        load::folder(Path::new(RECORDS_FOLDER))?
    } else {
        arguments.records.iter().map(|path| load::file(path)).collect::<Result<Vec<_>, _>>()?
    };
    if let Some(path) = &arguments.html {
        write_file(path, &page::of(&records))?;
    }
    if let Some(path) = &arguments.markdown {
        write_file(path, &markdown::of(&records))?;
    }
    if arguments.json {
        print(&format!("{}\n", in_json(&records)));
    } else if arguments.html.is_none() && arguments.markdown.is_none() {
        print(&markdown::of(&records));
    }
    Ok(())
}

fn compare_two(a: &Path, b: &Path, arguments: &ReportArgs) -> Result<(), Failure> {
    let (a, b) = (load::file(a)?, load::file(b)?);
    let comparison = Comparison::of(&a, &b);
    if arguments.json {
        print(&format!("{}\n", comparison.in_json()));
    } else {
        print(&comparison.in_words());
    }
    let worse: Vec<_> = comparison.worse().collect();
    if arguments.fail_on_worse && !worse.is_empty() {
        let names: Vec<_> = worse.iter().map(|row| format!("{} {}", row.case, row.figure)).collect();
        let names = wording::plain(&names.join(", "));
        return Err(Worse { count: worse.len(), compared: comparison.rows.len(), names }.into());
    }
    Ok(())
}

fn in_json(records: &[Record]) -> serde_json::Value {
    let record = |record: &Record| {
        let cases = record.cases().into_iter().map(|case| (case.name, case.figures));
        let cases: BTreeMap<_, _> = cases.collect();
        json!({
            "file": record.path.display().to_string(),
            "bench": record.begin.bench,
            "at": record.begin.at,
            "version": record.begin.version,
            "setup": record.begin.setup,
            "cases": cases,
        })
    };
    json!({ "kind": "report", "records": records.iter().map(record).collect::<Vec<_>>() })
}

fn write_file(path: &Path, text: &str) -> Result<(), WriteError> {
    fs::write(path, text).map_err(|source| WriteError { path: path.into(), source })?;
    eprintln!("report: wrote {}", path.display());
    Ok(())
}

fn print(text: &str) {
    // Whoever reads the output may have gone, as `head` does.
    drop(io::stdout().lock().write_all(text.as_bytes()));
}
