//! Reads records. Keys that this version does not know are ignored; a line that is no line of a record is not.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::record::{Begin, Run};

/// A simulation of ten thousand nodes leaves about 0.2 MiB a run.
const RECORD_MAX_BYTES: u64 = 256 << 20;

/// A record that was read.
#[derive(Debug)]
pub(super) struct Record {
    /// Where it is kept.
    pub(super) path: PathBuf,
    /// Where and how it was measured.
    pub(super) begin: Begin,
    /// All runs, those that don't count too.
    pub(super) runs: Vec<Run>,
    /// What the last line is about; `None` when there is no last line, since the measurement was cut short.
    pub(super) main_case: Option<String>,
}

/// A record can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("cannot read the record {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is longer than {} MiB, so it is no record", path.display(), RECORD_MAX_BYTES >> 20)]
    TooLong { path: PathBuf },
    #[error("{} is empty: expected {FIRST_LINE}", path.display())]
    Empty { path: PathBuf },
    #[error("{}, line {line}: {problem}: expected {expected}", path.display())]
    Broken { path: PathBuf, line: usize, problem: String, expected: &'static str },
    #[error("no records in {}: make one, as by `shoal-bench loopback lane`, or name the files", path.display())]
    NoneThere { path: PathBuf },
}

const FIRST_LINE: &str = r#"a JSON object with "kind": "begin" that says where and how it was measured"#;
const LATER_LINE: &str = r#"a JSON object with "kind": "run", or "end" in the last line"#;
const NO_LINE: &str = "nothing after the line of kind \"end\"; one file holds one record";

/// A line, with no more of it than is needed: what sums up the record is found again from its runs.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Begin(Begin),
    Run(Run),
    End { case: String },
}

/// The record in this file.
pub(super) fn file(path: &Path) -> Result<Record, RecordError> {
    let unreadable = |source| RecordError::Unreadable { path: path.into(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(RECORD_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > RECORD_MAX_BYTES {
        return Err(RecordError::TooLong { path: path.into() });
    }
    record(path, &bytes)
}

/// All records of this folder, by name.
pub(super) fn folder(path: &Path) -> Result<Vec<Record>, RecordError> {
    let unreadable = |source| RecordError::Unreadable { path: path.into(), source };
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => entries.map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?,
    };
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    if paths.is_empty() {
        return Err(RecordError::NoneThere { path: path.into() });
    }
    paths.iter().map(|path| file(path)).collect()
}

fn record(path: &Path, bytes: &[u8]) -> Result<Record, RecordError> {
    let mut record: Option<Record> = None;
    for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let broken = |problem: String, expected| RecordError::Broken {
            path: path.into(),
            line: index + 1,
            problem,
            expected,
        };
        let expected = match &record {
            None => FIRST_LINE,
            Some(Record { main_case: None, .. }) => LATER_LINE,
            Some(_) => NO_LINE,
        };
        let line = serde_json::from_slice(text).map_err(|error| broken(in_words(&error), expected))?;
        match (line, &mut record) {
            (Line::Begin(begin), None) => {
                record = Some(Record { path: path.into(), begin, runs: Vec::new(), main_case: None });
            }
            (Line::Run(run), Some(record)) if record.main_case.is_none() => record.runs.push(run),
            (Line::End { case }, Some(record)) if record.main_case.is_none() => record.main_case = Some(case),
            (line, _) => return Err(broken(format!("{} is out of place", line.kind()), expected)),
        }
    }
    record.ok_or_else(|| RecordError::Empty { path: path.into() })
}

impl Line {
    fn kind(&self) -> &'static str {
        match self {
            Self::Begin(_) => "a line of kind \"begin\"",
            Self::Run(_) => "a line of kind \"run\"",
            Self::End { .. } => "a line of kind \"end\"",
        }
    }
}

/// Without "at line 1", which is true of every line by itself and would mislead.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    super::wording::plain(&format!("{what} (column {})", error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = r#"{"kind":"begin","bench":"lab","at":"2026-01-01T00:00:00Z","version":"0.1.0","later":[1],
        "machine":{"processor":"P","cores":2,"memory_mib":1,"kernel":"6","shelf":"top"},"setup":{"nodes":8}}"#;
    const RUN: &str =
        r#"{"kind":"run","case":"shoal","run":1,"figures":{"bound_s":1.0,"lost":null},"mood":"good"}"#;
    const END: &str = r#"{"kind":"end","bench":"lab","runs":1,"case":"shoal","cases":{},"verdict":"fine"}"#;

    fn read(lines: &[&str]) -> Result<Record, String> {
        let lines: Vec<_> = lines.iter().map(|line| line.replace('\n', " ")).collect();
        record(Path::new("a.jsonl"), lines.join("\n").as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_of_later_versions_are_ignored() {
        let record = read(&[BEGIN, RUN, RUN, END, ""]).unwrap();
        assert_eq!((record.runs.len(), record.main_case.as_deref()), (2, Some("shoal")));
        assert_eq!(record.runs[0].figures.len(), 1);
        assert_eq!(read(&[BEGIN]).unwrap().main_case, None);
    }

    #[test]
    fn a_broken_line_is_named_with_what_was_expected() {
        for (lines, line, part) in [
            (vec![BEGIN, RUN, &RUN[..40]], 3, "EOF"),
            (vec![BEGIN, r#"{"kind":"run","run":1,"figures":{}}"#], 2, "missing field `case`"),
            (vec![BEGIN, r#"{"kind":"song"}"#], 2, "song"),
            (vec![RUN], 1, "\"kind\": \"begin\""),
            (vec![BEGIN, BEGIN], 2, "out of place"),
            (vec![BEGIN, END, RUN], 3, "one file holds one record"),
        ] {
            let error = read(&lines).unwrap_err();
            assert!(error.starts_with(&format!("a.jsonl, line {line}: ")), "{error}");
            assert!(error.contains(part) && error.contains("expected"), "{error}");
            assert!(!error.contains("at line 1"), "{error}");
        }
    }

    #[test]
    fn nothing_to_read_is_told_apart() {
        assert!(read(&["", "  "]).unwrap_err().contains("a.jsonl is empty"));
        let empty = tempfile::tempdir().unwrap();
        let missing = empty.path().join("bench-results");
        for path in [empty.path(), &missing] {
            assert!(folder(path).unwrap_err().to_string().contains("no records in"));
        }
        assert!(file(&missing).unwrap_err().to_string().contains("cannot read the record"));
    }

    #[test]
    fn a_folder_is_read_by_name_and_without_other_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.jsonl", "a.jsonl", "notes.txt"] {
            fs::write(folder.path().join(name), BEGIN.replace('\n', " ")).unwrap();
        }
        let records = super::folder(folder.path()).unwrap();
        let names: Vec<_> = records.iter().map(|record| record.path.file_name().unwrap()).collect();
        assert_eq!(names, ["a.jsonl", "b.jsonl"]);
    }
}
