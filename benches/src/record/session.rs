//! One call of a command: keeps runs as they come, and sums them up at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Begin, End, Figures, Line, Machine, Run, Spread};

/// Where results go. Part of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// Print nothing on standard output but one line of JSON at the end
    #[arg(long)]
    pub json: bool,
    /// Keep the runs in this file, a line of JSON each [default: bench-results/COMMAND-TIME.jsonl]
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

impl OutputArgs {
    /// Where one part of a call keeps its own record, beside those of the others.
    pub(crate) fn part(&self, bench: &str, part: &str) -> Self {
        let whole = self.path(bench);
        let stem = whole.file_stem().unwrap_or_default().to_string_lossy();
        let path = whole.with_file_name(format!("{stem}-{part}.jsonl"));
        Self { record: Some(path), ..self.clone() }
    }

    fn path(&self, bench: &str) -> PathBuf {
        let by_default =
            || format!("bench-results/{bench}-{}.jsonl", jiff::Timestamp::now().as_second()).into();
        self.record.clone().unwrap_or_else(by_default)
    }
}

/// A record can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the record {}: {source}", path.display())]
pub struct SessionError {
    path: PathBuf,
    source: io::Error,
}

/// A record that is being written.
#[derive(Debug)]
pub struct Session {
    bench: String,
    json: bool,
    path: PathBuf,
    file: File,
    runs: Vec<Run>,
}

impl Session {
    /// Begins the record of the command `bench`; `setup` is all that was chosen.
    ///
    /// # Errors
    /// When the record's file can't be made.
    pub fn begin(bench: &str, setup: &impl Serialize, output: &OutputArgs) -> Result<Self, SessionError> {
        let now = jiff::Timestamp::now();
        let path = output.path(bench);
        let failed = |source| SessionError { path: path.clone(), source };
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::create(&path).map_err(failed)?;
        let mut session =
            Self { bench: bench.into(), json: output.json, path: path.clone(), file, runs: Vec::new() };
        session.keep(&Line::Begin(Begin {
            bench: bench.into(),
            at: now.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            machine: Machine::this(),
            setup: serde_json::to_value(setup).unwrap_or_default(),
            arguments: std::env::args().skip(1).collect(),
        }))?;
        Ok(session)
    }

    /// Tells the user what goes on, on standard error.
    pub fn say(&self, what: &str) {
        eprintln!("{}: {what}", self.bench);
    }

    /// Keeps a run and shows its figures.
    ///
    /// # Errors
    /// When the record can't be written.
    pub fn add(&mut self, run: Run) -> Result<(), SessionError> {
        self.say(&format!("{} #{}: {}", run.case, run.run, in_words(&run.figures)));
        for note in &run.notes {
            self.say(&format!("{} #{}: note: {note}", run.case, run.run));
        }
        self.keep(&Line::Run(run.clone()))?;
        self.runs.push(run);
        Ok(())
    }

    /// The runs so far.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Ends the record and prints the sum, without the runs that are excluded as long as a case has others; `main_case`
    /// is the one whose medians stand at the top.
    ///
    /// # Errors
    /// When the record can't be written.
    pub fn finish(mut self, main_case: &str) -> Result<End, SessionError> {
        let end = self.sum_up(main_case);
        self.keep(&Line::End(end.clone()))?;
        let mut out = io::stdout().lock();
        let printed = if self.json {
            let line = serde_json::to_string(&Line::End(end.clone())).unwrap_or_default();
            writeln!(out, "{line}")
        } else {
            write!(out, "{}\nkept in {}\n", table(&end), self.path.display())
        };
        // Whoever reads the output may have gone; the record is complete all the same.
        drop(printed);
        Ok(end)
    }

    fn sum_up(&self, main_case: &str) -> End {
        let counted: BTreeSet<&str> = self.counted().map(|run| run.case.as_str()).collect();
        let is_excluded = |case: &str| !counted.contains(case);
        let mut values: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| !run.excluded || is_excluded(&run.case)) {
            let case = values.entry(run.case.clone()).or_default();
            for (name, value) in &run.figures {
                case.entry(name.clone()).or_default().push(*value);
            }
        }
        let spread = |figures: BTreeMap<String, Vec<f64>>| {
            let spreads = figures.into_iter().map(|(name, values)| Some((name, Spread::of(values)?)));
            spreads.flatten().collect::<BTreeMap<_, _>>()
        };
        let cases: BTreeMap<_, _> =
            values.into_iter().map(|(case, figures)| (case, spread(figures))).collect();
        let main = cases.get(main_case).into_iter().flatten();
        let excluded_cases: Vec<_> = cases.keys().filter(|case| is_excluded(case)).cloned().collect();
        End {
            bench: self.bench.clone(),
            runs: self.counted().filter(|run| run.case == main_case).count(),
            case: main_case.into(),
            all_excluded: excluded_cases.iter().any(|case| case == main_case),
            excluded_cases,
            figures: main.map(|(name, spread)| (name.clone(), spread.median)).collect(),
            cases,
        }
    }

    fn counted(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| !run.excluded)
    }

    fn keep(&mut self, line: &Line) -> Result<(), SessionError> {
        let failed = |source| SessionError { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(failed)
    }
}

fn in_words(figures: &Figures) -> String {
    let figures: Vec<String> =
        figures.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
    figures.join(", ")
}

/// Each case with the median and the interval of its figures.
fn table(end: &End) -> String {
    let mut text = String::new();
    for (case, figures) in &end.cases {
        let note = if end.excluded_cases.contains(case) {
            " (of runs that don't count: no other is there)"
        } else {
            ""
        };
        text.push_str(&format!("{} {case}{note}\n", end.bench));
        for (name, spread) in figures {
            let Spread { median, low, high, runs } = *spread;
            let interval = format!("[{} … {}]", number(low), number(high));
            text.push_str(&format!("  {name:<28} {:>10}  {interval:<24} {runs} runs\n", number(median)));
        }
    }
    text
}

/// Four significant digits, whole numbers as they are.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits_before = value.abs().log10().floor().clamp(-6.0, 15.0) as i32;
    let decimals = usize::try_from(3 - digits_before).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_call_have_records_beside_each_other() {
        let output = OutputArgs { json: false, record: Some("deep/cold.jsonl".into()) };
        assert_eq!(output.part("sim", "8-nodes").record, Some("deep/cold-8-nodes.jsonl".into()));
        let unnamed = OutputArgs::default().part("sim", "8-nodes").record.unwrap();
        let name = unnamed.to_str().unwrap();
        assert!(name.starts_with("bench-results/sim-") && name.ends_with("-8-nodes.jsonl"), "{name}");
    }

    #[test]
    fn a_record_can_be_read_again_and_ends_with_the_medians() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/record.jsonl");
        let output = OutputArgs { json: true, record: Some(path.clone()) };
        let mut session = Session::begin("lab", &serde_json::json!({ "nodes": 16 }), &output).unwrap();
        for (run, over) in [(1, 1.2), (2, 1.0), (3, 1.1)] {
            session.add(Run::new("shoal", run).with("max_over_bound", over)).unwrap();
            session.add(Run::new("direct", run).with("max_over_bound", over * 8.0)).unwrap();
        }
        let end = session.finish("shoal").unwrap();
        assert_eq!((end.runs, end.figures["max_over_bound"]), (3, 1.1));

        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(matches!(&lines[0], Line::Begin(begin) if begin.setup["nodes"] == 16));
        assert_eq!(lines.len(), 8);
        assert_eq!(lines[7], Line::End(end));
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["max_over_bound"], 1.1);
    }

    #[test]
    fn a_run_that_does_not_count_is_kept_but_summed_up_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.jsonl");
        let output = OutputArgs { json: true, record: Some(path.clone()) };
        let mut session = Session::begin("lab", &(), &output).unwrap();
        session.add(Run::new("shoal", 1).with("p99_over_p50", 1.0)).unwrap();
        let busy = Run::new("shoal", 2).with("p99_over_p50", 9.0).without_counting("processors were busy");
        session.add(busy.clone()).unwrap();
        let end = session.finish("shoal").unwrap();
        assert_eq!((end.runs, end.figures["p99_over_p50"]), (1, 1.0));
        assert!(!end.all_excluded && end.excluded_cases.is_empty(), "{end:?}");

        let text = fs::read_to_string(path).unwrap();
        let kept: Line = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
        assert_eq!(kept, Line::Run(busy));
        assert!(!text.lines().nth(1).unwrap().contains("excluded"), "{text}");
    }

    #[test]
    fn where_no_run_counts_the_sum_is_of_those_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.jsonl");
        let output = OutputArgs { json: true, record: Some(path.clone()) };
        let mut session = Session::begin("lab", &(), &output).unwrap();
        for (run, over) in [(1, 1.5), (2, 1.7)] {
            session
                .add(Run::new("shoal", run).with("max_over_bound", over).without_counting("busy"))
                .unwrap();
        }
        session.add(Run::new("direct", 1).with("max_over_bound", 8.0)).unwrap();
        session.add(Run::new("direct", 2).with("max_over_bound", 99.0).without_counting("busy")).unwrap();
        let end = session.finish("shoal").unwrap();
        assert!(table(&end).contains("shoal (of runs that don't count"), "{}", table(&end));

        let text = fs::read_to_string(path).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["max_over_bound"], 1.6);
        assert_eq!((&last["runs"], &last["all_excluded"]), (&0.into(), &true.into()));
        assert_eq!(last["excluded_cases"], serde_json::json!(["shoal"]));
        assert_eq!(last["cases"]["direct"]["max_over_bound"]["median"], 8.0);
        let kept: Line = serde_json::from_value(last).unwrap();
        assert_eq!(kept, Line::End(end));
    }

    #[test]
    fn a_record_that_cannot_be_kept_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputArgs { json: false, record: Some(folder.path().into()) };
        let error = Session::begin("sim", &(), &output).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [1.0, 1.0 / 3.0, 1234.567, 0.0, 12.3456].map(number),
            ["1", "0.3333", "1235", "0", "12.35"]
        );
    }
}
