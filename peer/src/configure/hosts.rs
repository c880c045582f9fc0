//! `hosts.toml`, by which containerd and Docker find the mirrors of a registry. Both read it again at each pull.

use std::path::{Path, PathBuf};

use toml_edit::{Array, Item, TableLike, Value};

use super::{
    ConfigureError, MirrorUrl,
    toml_text::{newline, parse, quoted, with_newlines_of},
    view::View,
};

/// The folder for registries that have none of their own.
pub(crate) const DEFAULT: &str = "_default";
/// The file in each folder.
pub(crate) const FILE: &str = "hosts.toml";

/// Puts the mirror first in what `text`, the file at `path`, lists. All else stays as it is, byte for byte.
pub(super) fn put_first(path: &Path, text: &str, mirror: &MirrorUrl) -> Result<String, ConfigureError> {
    let before = parse(path, text)?;
    let url = mirror.to_string();
    if before.get("host").and_then(|hosts| hosts.get(&url)).is_some() {
        return Ok(text.to_owned());
    }
    let edited = insert(text, &url);
    let is_only_addition = parse(path, &edited).is_ok_and(|mut after| {
        let Some(hosts) = after.get_mut("host").and_then(Item::as_table_like_mut) else { return false };
        hosts.remove(&url);
        if hosts.is_empty() && before.get("host").is_none() {
            after.remove("host");
        }
        meaning(&after.to_string()) == meaning(text)
    });
    match is_only_addition {
        true => Ok(edited),
        false => Err(ConfigureError::refused(
            path,
            "its hosts are not written as [host.\"…\"] tables",
            format!("put [host.{}] with capabilities = [\"pull\", \"resolve\"] first by hand", quoted(&url)),
        )),
    }
}

/// Hosts are asked in the order of their tables, so the mirror's stands before the first one and its comment.
fn insert(text: &str, url: &str) -> String {
    let end = newline(text);
    let section = [
        "# This node's Shoal, asked first. What follows is asked when Shoal has no answer.",
        &format!("[host.{}]", quoted(url)),
        "  capabilities = [\"pull\", \"resolve\"]",
        "",
    ]
    .join(end);
    match first_host(text) {
        Some(at) => format!("{}{section}{end}{}", &text[..at], &text[at..]),
        None if text.is_empty() => section,
        None if text.ends_with('\n') => format!("{text}{end}{section}"),
        None => format!("{text}{end}{end}{section}"),
    }
}

/// Where the first table of a host begins, with the comment right above it.
fn first_host(text: &str) -> Option<usize> {
    let mut comment = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        let name = content.strip_prefix('[').map(str::trim_start);
        if name.is_some_and(|name| name.starts_with("host") || name.starts_with("\"host\"")) {
            return Some(comment.unwrap_or(at));
        }
        comment = if content.starts_with('#') { comment.or(Some(at)) } else { None };
        at += line.len();
    }
    None
}

fn meaning(text: &str) -> Option<toml::Table> {
    toml::from_str(text).ok()
}

/// What stands in a folder of a registry, in a form that means the same in another folder.
///
/// A folder without `hosts.toml` is read for certificates, as Docker does: with the file they would no longer be, so the
/// file has to name them.
pub(super) fn carried(view: &View<'_>, folder: &Path) -> Result<String, ConfigureError> {
    let path = folder.join(FILE);
    match view.read(&path)? {
        Some(text) => with_absolute_paths(&path, &text, folder),
        None => certificates(view, folder),
    }
}

/// The `ca` and `client` of a folder that has certificates and no `hosts.toml`; empty without any.
pub(super) fn certificates(view: &View<'_>, folder: &Path) -> Result<String, ConfigureError> {
    let found = Certificates::find(&view.files(folder)?, folder);
    let list = |items: Vec<String>| items.join(", ");
    let shown = |path: &PathBuf| quoted(&path.display().to_string());
    let mut text = String::new();
    if !found.authorities.is_empty() {
        text += &format!("ca = [{}]\n", list(found.authorities.iter().map(shown).collect()));
    }
    if !found.clients.is_empty() {
        let pair =
            |(certificate, key): &(PathBuf, PathBuf)| format!("[{}, {}]", shown(certificate), shown(key));
        text += &format!("client = [{}]\n", list(found.clients.iter().map(pair).collect()));
    }
    Ok(text)
}

/// Certificates as Docker lays them out: `*.crt` to trust, `*.cert` with `*.key` to show.
pub(crate) struct Certificates {
    pub(crate) authorities: Vec<PathBuf>,
    pub(crate) clients: Vec<(PathBuf, PathBuf)>,
}

impl Certificates {
    pub(crate) fn is_empty(&self) -> bool {
        self.authorities.is_empty() && self.clients.is_empty()
    }

    /// Those among the files called `names` in `folder`.
    pub(crate) fn find(names: &[String], folder: &Path) -> Self {
        let mut found = Self { authorities: Vec::new(), clients: Vec::new() };
        for name in names {
            if name.ends_with(".crt") {
                found.authorities.push(folder.join(name));
            } else if let Some(stem) = name.strip_suffix(".cert") {
                let key = format!("{stem}.key");
                if names.contains(&key) {
                    found.clients.push((folder.join(name), folder.join(key)));
                }
            }
        }
        found
    }
}

fn with_absolute_paths(path: &Path, text: &str, folder: &Path) -> Result<String, ConfigureError> {
    let mut document = parse(path, text)?;
    let fix = |table: &mut dyn TableLike| {
        for key in ["ca", "client"] {
            if let Some(value) = table.get_mut(key).and_then(Item::as_value_mut) {
                make_absolute(value, folder);
            }
        }
    };
    fix(document.as_table_mut());
    if let Some(hosts) = document.get_mut("host").and_then(Item::as_table_like_mut) {
        for (_, host) in hosts.iter_mut() {
            host.as_table_like_mut().into_iter().for_each(fix);
        }
    }
    Ok(with_newlines_of(text, document.to_string()))
}

fn make_absolute(value: &mut Value, folder: &Path) {
    if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(|item| make_absolute(item, folder));
    } else if let Some(relative) = value.as_str().filter(|path| Path::new(path).is_relative()) {
        let mut absolute = Value::from(folder.join(relative).display().to_string());
        *absolute.decor_mut() = value.decor().clone();
        *value = absolute;
    }
}

/// Puts `url` first in a list of texts, in the layout of the list.
pub(super) fn push_first(list: &mut Array, url: &str) {
    let mut value = Value::from(url);
    if let Some(first) = list.get_mut(0) {
        value.decor_mut().set_prefix(first.decor().prefix().cloned().unwrap_or_default());
        let is_plain = first.decor().prefix().and_then(|prefix| prefix.as_str()).is_none_or(str::is_empty);
        if is_plain {
            first.decor_mut().set_prefix(" ");
        }
    }
    list.insert_formatted(0, value);
}
