//! Differences between texts: shown to people, and taken back from files that went on changing.

use std::ops::Range;

use similar::{DiffTag, TextDiff};

use crate::config::without_login;

/// A unified diff of a file. Values of keys that hold secrets are not shown, nor logins in URLs.
pub(super) fn unified_diff(name: &str, before: Option<&str>, after: Option<&str>) -> String {
    let label = |side: &str, text: Option<&str>| match text {
        Some(_) => format!("{side}{name}"),
        None => "/dev/null".to_owned(),
    };
    let headers = (label("a", before), label("b", after));
    let diff = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
    let shown = diff.unified_diff().header(&headers.0, &headers.1).to_string();
    shown.split_inclusive('\n').map(|line| without_login(&without_secret(line))).collect()
}

/// What `one` and `other` both make of `base`, or `None` where they changed the same lines.
pub(super) fn merge(base: &str, one: &str, other: &str) -> Option<String> {
    let (one, other) = (hunks(base, one), hunks(base, other));
    let clash = |hunk: &Hunk| one.iter().any(|own| own != hunk && own.clashes_with(hunk));
    if other.iter().any(clash) {
        return None;
    }
    let mut all: Vec<Hunk> = one.into_iter().chain(other).collect();
    all.sort_by_key(|hunk| (hunk.lines.start, hunk.lines.end));
    all.dedup();
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let mut merged = String::new();
    let mut next = 0;
    for hunk in all {
        merged.extend(lines.get(next..hunk.lines.start)?.iter().copied());
        merged.push_str(&hunk.text);
        next = hunk.lines.end;
    }
    merged.extend(lines.get(next..)?.iter().copied());
    Some(merged)
}

/// Lines of a text, and what stands in their place in another one.
#[derive(PartialEq, Eq)]
struct Hunk {
    lines: Range<usize>,
    text: String,
}

impl Hunk {
    /// Whether the result would depend on which one is applied first.
    fn clashes_with(&self, other: &Self) -> bool {
        let (one, other) = (&self.lines, &other.lines);
        (one.start < other.end && other.start < one.end) || (one.is_empty() && one == other)
    }
}

fn hunks(base: &str, changed: &str) -> Vec<Hunk> {
    let diff = TextDiff::from_lines(base, changed);
    let lines: Vec<&str> = changed.split_inclusive('\n').collect();
    let changes = diff.ops().iter().filter(|operation| operation.tag() != DiffTag::Equal);
    let text = |range: Range<usize>| lines.get(range).unwrap_or_default().concat();
    changes.map(|change| Hunk { lines: change.old_range(), text: text(change.new_range()) }).collect()
}

/// A line of a diff, with `(hidden)` for a password or a token.
fn without_secret(line: &str) -> String {
    const SECRETS: [&str; 6] =
        ["password", "auth", "identitytoken", "registrytoken", "authorization", "token"];
    let Some(separator) = line.find(['=', ':']) else {
        return line.to_owned();
    };
    let (key, rest) = line.split_at(separator);
    let name = key.get(1..).unwrap_or_default().trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    // A table that only looks like one (`"auth": {`) is shown.
    if !SECRETS.contains(&name.as_str()) || rest.trim_end().ends_with('{') {
        return line.to_owned();
    }
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{key}{} (hidden){end}", rest.get(..1).unwrap_or_default())
}
