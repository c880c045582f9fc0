//! What checks there are, in words.

use std::fmt::Write as _;

use super::{Category, Check, Needs, Severity, text::WIDTH};

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

/// The tables of all checks in `docs/doctor.md`.
pub fn catalogue(checks: &[&'static Check]) -> String {
    let mut text = String::new();
    for category in Category::ALL {
        let of_category: Vec<_> = checks.iter().filter(|check| check.category == category).collect();
        if of_category.is_empty() {
            continue;
        }
        _ = writeln!(text, "\n### {category}\n\n| check | is well when | why it matters | what to do |");
        _ = writeln!(text, "|---|---|---|---|");
        of_category.iter().for_each(|check| row(&mut text, check));
    }
    text
}

fn row(text: &mut String, check: &Check) {
    let Check { id, title, why, mend, .. } = check;
    let severity = match check.severity {
        Severity::Failure => "",
        Severity::Warning => " (warning)",
    };
    let needs = if check.needs == Needs::Node { " †" } else { "" };
    _ = writeln!(text, "| <a id=\"{id}\"></a>`{id}`{severity}{needs} | {title} | {why} | {mend} |");
}
