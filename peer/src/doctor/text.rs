//! The report for people. It has colours; whoever prints it to something else than a terminal takes them out.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};

use super::{
    Category, Check, CheckReport, Finding, Needs, Report, Severity, State,
    report::{Summary, anchor, late},
};

const GOOD: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const FAILURE: Style = AnsiColor::Red.on_default().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// What was looked at by category, then what was found, then the one command to run next.
pub fn to_text(report: &Report) -> String {
    let mut text = String::new();
    for category in Category::ALL {
        let of_category = report.checks.iter().filter(|report| report.check.category == category);
        let quiet: Vec<_> = of_category.filter(|report| report.problem().is_none()).collect();
        if !quiet.is_empty() {
            _ = writeln!(text, "{category}");
            let alike = |one: &&CheckReport, next: &&CheckReport| matches!((&one.state, &next.state), (State::Skipped(reason), State::Skipped(other)) if reason == other);
            quiet.chunk_by(alike).for_each(|reports| quiet_line(&mut text, reports));
        }
    }
    let problems = report.problems();
    if !problems.is_empty() {
        _ = writeln!(text, "problems");
        problems.iter().for_each(|report| problem(&mut text, report));
    }
    let Summary { ok, warnings, failures, skipped } = report.summary();
    let (failures, warnings) = (counted(failures, "failure"), counted(warnings, "warning"));
    let took = report.took.as_secs_f32();
    _ = writeln!(text, "{ok} ok, {failures}, {warnings}, {skipped} skipped, in {took:.1} s");
    _ = match report.next() {
        Some(command) => writeln!(text, "next: {COMMAND}{command}{COMMAND:#}"),
        None => writeln!(text, "next: nothing, all is well"),
    };
    text
}

/// Every check with its name, a line each.
pub fn list(checks: &[&'static Check]) -> String {
    let mut text = String::new();
    for check in checks {
        _ = writeln!(text, "{:WIDTH$} {:8} {}", check.id, check.severity, check.title);
    }
    text
}

/// What one check looks at, why, and what to do.
pub fn explain(check: &Check) -> String {
    let Check { id, severity, title, why, mend, .. } = check;
    format!("{id} ({severity})\n  looks whether {title}\n  why: {why}\n  mend: {mend}\n")
}

/// The table of all checks in `docs/doctor.md`.
pub fn catalogue(checks: &[&'static Check]) -> String {
    let mut text = String::new();
    for category in Category::ALL {
        let of_category: Vec<_> = checks.iter().filter(|check| check.category == category).collect();
        if of_category.is_empty() {
            continue;
        }
        _ = writeln!(
            text,
            "\n### {category}\n\n| check | is well when | why it matters | what to do |\n|---|---|---|---|"
        );
        for check in of_category {
            let Check { id, title, why, mend, .. } = check;
            let severity = match check.severity {
                Severity::Failure => "",
                Severity::Warning => " (warning)",
            };
            let needs = if check.needs == Needs::Node { " †" } else { "" };
            _ = writeln!(text, "| <a id=\"{id}\"></a>`{id}`{severity}{needs} | {title} | {why} | {mend} |");
        }
    }
    text
}

/// Width of the longest name of a check, and some.
const WIDTH: usize = 28;

/// One check; or several in a row that were skipped for one reason.
fn quiet_line(text: &mut String, reports: &[&CheckReport]) {
    let Some(first) = reports.first() else { return };
    let id = match reports.len() {
        1 => first.check.id.to_owned(),
        count => format!("{} and {} more", first.check.id, count - 1),
    };
    _ = match &first.state {
        State::Skipped(reason) => writeln!(text, "  {DIM}skip  {id:WIDTH$} {reason}{DIM:#}"),
        State::Well(measured) => writeln!(text, "  {GOOD}ok{GOOD:#}    {id:WIDTH$} {measured}"),
        _ => Ok(()),
    };
}

fn problem(text: &mut String, report: &CheckReport) {
    let (label, style) = match report.check.severity {
        Severity::Failure => ("FAIL", FAILURE),
        Severity::Warning => ("WARN", WARNING),
    };
    let Check { id, why, .. } = report.check;
    let mut headline =
        |what: &str| _ = writeln!(text, "  {style}{label}{style:#}  {id:WIDTH$} {}", indented(what));
    match &report.state {
        State::Wrong(findings) => {
            for Finding { what, mend } in findings {
                _ = writeln!(text, "  {style}{label}{style:#}  {id:WIDTH$} {}", indented(what));
                _ = writeln!(text, "        mend: {}", indented(&mend.text));
                for command in &mend.commands {
                    _ = writeln!(text, "          {COMMAND}{command}{COMMAND:#}");
                }
            }
        }
        State::Crashed(reason) => headline(reason),
        State::TimedOut(deadline) => headline(&late(*deadline)),
        State::Well(_) | State::Skipped(_) => return,
    }
    _ = writeln!(text, "        why: {why}");
    _ = writeln!(text, "        {DIM}more: {}{DIM:#}", anchor(report.check));
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n          ")
}
