//! Edits of `config.toml` that leave its layout alone.

use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::super::{
    hosts::push_first,
    toml_text::{quoted, table, with_newlines_of},
};

/// The registry that stands for all others in lists of mirrors.
const ANY: &str = "*";

/// `text`, which holds `document`, with a `config_path` that names `folder`. `None` where something else than tables is
/// on the way.
pub(super) fn with_config_path(
    document: &DocumentMut,
    text: &str,
    section: &str,
    folder: &Path,
) -> Option<String> {
    let registry = document.get("plugins").and_then(|plugins| plugins.get(section)?.get("registry"));
    let is_written = match registry {
        Some(Item::Table(table)) => !table.is_implicit(),
        other => other.is_some(),
    };
    let edited = match is_written {
        true => in_its_table(document.clone(), section, folder)?,
        false => with_own_table(document, text, section, folder),
    };
    let after: DocumentMut = edited.parse().ok()?;
    let set = table(&after, &["plugins", section, "registry"])?.get("config_path")?;
    (set.as_str() == folder.to_str()).then(|| with_newlines_of(text, edited))
}

fn in_its_table(mut document: DocumentMut, section: &str, folder: &Path) -> Option<String> {
    let registry = enter(&mut document, &["plugins", section, "registry"])?;
    let mut value = Value::from(folder.display().to_string());
    match registry.get_mut("config_path") {
        Some(before) => {
            *value.decor_mut() = before.as_value()?.decor().clone();
            *before = Item::Value(value);
        }
        None => add(registry, "config_path", value),
    }
    Some(document.to_string())
}

/// A new table stands at the end, so that no key that is commented out today could ever fall into it.
fn with_own_table(document: &DocumentMut, text: &str, section: &str, folder: &Path) -> String {
    let mut edited = text.to_owned();
    if !edited.is_empty() && !edited.ends_with('\n') {
        edited.push('\n');
    }
    if !edited.is_empty() {
        edited.push('\n');
    }
    if document.as_table().is_empty() {
        edited += "version = 2\n\n";
    }
    let name = if section.contains('.') { quoted(section) } else { section.to_owned() };
    let folder = quoted(&folder.display().to_string());
    edited + &format!("[plugins.{name}.registry]\n  config_path = {folder}\n")
}

/// Puts the mirror at `url` first for `hosts`, or for all registries if there are none.
pub(super) fn put_into_lists(
    document: &mut DocumentMut,
    section: &str,
    hosts: &[String],
    url: &str,
) -> Option<()> {
    let mirrors = enter(document, &["plugins", section, "registry", "mirrors"])?;
    let mut names: Vec<String> = hosts.to_vec();
    if names.is_empty() {
        names = mirrors.iter().map(|(name, _)| name.to_owned()).filter(|name| name != ANY).collect();
        names.push(ANY.to_owned());
    }
    // A list of its own takes a registry out of the list for all.
    let for_all = mirrors.get(ANY).and_then(|any| any.get("endpoint")).cloned();
    for name in names {
        let is_new = mirrors.get(&name).is_none();
        let mirror = enter_one(mirrors, &name)?;
        if mirror.get("endpoint").is_none() {
            let inherited = for_all.clone().filter(|_| is_new);
            add(
                mirror,
                "endpoint",
                inherited.and_then(|item| item.into_value().ok()).unwrap_or(Array::new().into()),
            );
        }
        let list = mirror.get_mut("endpoint")?.as_array_mut()?;
        if !list.iter().any(|item| item.as_str().is_some_and(|item| item.trim_end_matches('/') == url)) {
            push_first(list, url);
        }
    }
    Some(())
}

/// The table that `keys` lead to; made where it is not there.
fn enter<'a>(document: &'a mut DocumentMut, keys: &[&str]) -> Option<&'a mut dyn TableLike> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for key in keys {
        table = enter_one(table, key)?;
    }
    Some(table)
}

fn enter_one<'a>(table: &'a mut dyn TableLike, key: &str) -> Option<&'a mut dyn TableLike> {
    if table.get(key).is_none() {
        let mut new = Table::new();
        // Shown once something is in it.
        new.set_implicit(true);
        table.insert(key, Item::Table(new));
    }
    table.get_mut(key)?.as_table_like_mut()
}

/// Adds a key, indented as its neighbours are.
fn add(table: &mut dyn TableLike, key: &str, value: Value) {
    let neighbour = table.iter().find(|(_, item)| item.is_value()).map(|(key, _)| key.to_owned());
    let indent = neighbour.and_then(|name| {
        let prefix = table.key(&name)?.leaf_decor().prefix()?.as_str()?;
        Some(prefix.rsplit('\n').next().unwrap_or_default().to_owned())
    });
    table.insert(key, Item::Value(value));
    if let Some(mut key) = table.key_mut(key) {
        key.leaf_decor_mut().set_prefix(indent.unwrap_or_else(|| "  ".to_owned()));
    }
}
