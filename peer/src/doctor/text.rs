//! The report for people. It has colours; whoever prints it to something else than a terminal takes them out.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};

use super::{
    Category, Check, CheckReport, Finding, Report, Severity, State,
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
            quiet.chunk_by(are_alike).for_each(|reports| quiet_line(&mut text, reports));
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

/// Width of the longest name of a check, and some.
pub(super) const WIDTH: usize = 28;

/// Whether two were skipped for one reason.
fn are_alike(one: &&CheckReport, next: &&CheckReport) -> bool {
    matches!((&one.state, &next.state), (State::Skipped(reason), State::Skipped(other)) if reason == other)
}

/// One check; or several in a row that were skipped for one reason.
fn quiet_line(text: &mut String, reports: &[&CheckReport]) {
    let Some(first) = reports.first() else { return };
    let id = match reports.len() {
        1 => first.check.id.to_owned(),
        count => format!("{} and {} more", first.check.id, count - 1),
    };
    _ = match &first.state {
        State::Skipped(reason) => writeln!(text, "  {DIM}skip  {id:WIDTH$} {}{DIM:#}", shown(reason)),
        State::Well(measured) => writeln!(text, "  {GOOD}ok{GOOD:#}    {id:WIDTH$} {}", shown(measured)),
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

/// Lines after the first one below it.
fn indented(text: &str) -> String {
    shown(text).replace('\n', "\n          ")
}

/// What others said may not move the cursor of a terminal.
fn shown(text: &str) -> String {
    let plain = |character: char| match character {
        '\n' => '\n',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_said_moves_no_cursor() {
        assert_eq!(shown("a\nb\u{1b}[2Jc\u{9b}"), "a\nb\u{fffd}[2Jc\u{fffd}");
    }
}
