//! The effective configuration as a file that would make the same, with the origin of each value.

use std::fmt::Write;

use super::{
    layers::{Effective, Filled, Origin},
    settings::SETTINGS,
    table::{Entry, Setting},
};

/// Column at which the comments with the origins begin, where the value leaves room.
const COMMENT_COLUMN: usize = 44;

/// The whole configuration as TOML. It names files with secrets, never what is in them.
pub fn show(effective: &Effective) -> String {
    let mut out = String::new();
    let mut section_before = "";
    for setting in SETTINGS {
        let (section, _) = setting.section_and_name();
        if section != section_before {
            push_line(&mut out, "");
            push_line(&mut out, &format!("[{section}]"));
            section_before = section;
        }
        push_setting(&mut out, setting, &effective.node);
    }
    push_list(&mut out, &effective.registries);
    push_list(&mut out, &effective.signatures);
    out
}

fn push_list<T: Entry>(out: &mut String, list: &[Filled<T>]) {
    for entry in list {
        push_line(out, "");
        push_commented(out, &format!("[[{}]]", T::KEY), &entry.place);
        for (place, setting) in T::SETTINGS.iter().enumerate() {
            if place == 0 || entry.places.contains_key(setting.key) {
                push_setting(out, setting, entry);
            }
        }
    }
}

/// A value that is not set has no form in TOML, so its line is a comment.
fn push_setting<T>(out: &mut String, setting: &Setting<T>, filled: &Filled<T>) {
    let (_, name) = setting.section_and_name();
    let origin = filled.places.get(setting.key).cloned();
    match (setting.slot)(&filled.value).to_toml() {
        Some(value) => push_commented(out, &format!("{name} = {value}"), &origin),
        None => push_line(out, &format!("# {name} is not set")),
    }
}

fn push_commented(out: &mut String, line: &str, origin: &Origin) {
    let origin = origin.as_ref().map_or("default".to_owned(), ToString::to_string);
    push_line(out, &format!("{line:COMMENT_COLUMN$} # {origin}"));
}

fn push_line(out: &mut String, line: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{line}");
}
