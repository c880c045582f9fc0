//! Folders with one folder for each registry: `hosts.toml` as containerd and Docker read it, or certificates alone.

use std::path::{Path, PathBuf};

use toml_edit::{Item, TableLike, Value};

use crate::configure::{
    ConfigureError,
    reading::{Certificates, DEFAULT_FOLDER, HOSTS_FILE, View, parse},
};

use super::{endpoint::Endpoint, found::Found};

/// Reads what `folder` has for registries.
pub(super) fn read(view: &View<'_>, folder: &Path, found: &mut Found) -> Result<(), ConfigureError> {
    view.folders(folder)?.iter().try_for_each(|name| registry(view, &folder.join(name), name, found))
}

/// One registry's folder: its `hosts.toml`, or certificates alone.
fn registry(view: &View<'_>, folder: &Path, name: &str, found: &mut Found) -> Result<(), ConfigureError> {
    let path = folder.join(HOSTS_FILE);
    let Some(content) = view.read(&path)? else {
        let certificates = Certificates::find(&view.files(folder)?, folder);
        if !certificates.is_empty() {
            found.add_certificates(&host_of(name), &certificates.authorities, &certificates.clients, folder);
        }
        return Ok(());
    };
    let document = parse(&path, &content)?;
    if name == DEFAULT_FOLDER {
        found.note(&format!("{}: hosts for all registries have no equal in Shoal.", path.display()));
        return Ok(());
    }
    let name = host_of(name);
    for (url, host) in children(document.as_table(), "host") {
        hosts_entry(&name, url, host, &path, found);
    }
    let server = text(document.as_table(), "server").map(str::to_owned);
    let server = server.unwrap_or_else(|| Endpoint::of_registry(&name).url);
    hosts_entry(&name, &server, document.as_table(), &path, found);
    Ok(())
}

/// containerd takes a port between underscores as well.
fn host_of(folder: &str) -> String {
    let port = folder.strip_suffix('_').and_then(|name| name.rsplit_once('_'));
    port.map_or_else(|| folder.to_owned(), |(host, port)| format!("{host}:{port}"))
}

fn hosts_entry(registry: &str, url: &str, entry: &dyn TableLike, path: &Path, found: &mut Found) {
    let capabilities = entry.get("capabilities").and_then(Item::as_array);
    if capabilities.is_some_and(|list| !list.iter().any(|item| item.as_str() == Some("pull"))) {
        return;
    }
    let flag = |key: &str| entry.get(key).and_then(Item::as_bool) == Some(true);
    if flag("override_path") && !url.trim_end_matches('/').ends_with("/v2") {
        found.note(&format!(
            "{}: {url} has a path that replaces /v2, which Shoal can't ask for.",
            path.display()
        ));
        return;
    }
    if entry.get("header").is_some() {
        found.note(&format!("{}: headers for {url} are not carried over.", path.display()));
    }
    for mut endpoint in parsed(&[url], path, found) {
        endpoint.skip_verify = flag("skip_verify");
        let authority = endpoint.authority().to_owned();
        if let Some(section) = found.section(registry, path) {
            section.add_endpoints([endpoint]);
        }
        let folder = path.parent().unwrap_or(path);
        let (authorities, clients) = (certificates(entry, folder), pairs(entry, folder));
        if !authorities.is_empty() || !clients.is_empty() {
            found.add_certificates(&authority, &authorities, &clients, path);
        }
    }
}

fn certificates(entry: &dyn TableLike, folder: &Path) -> Vec<PathBuf> {
    match entry.get("ca") {
        Some(Item::Value(Value::Array(list))) => {
            list.iter().filter_map(Value::as_str).map(|ca| folder.join(ca)).collect()
        }
        other => other.and_then(Item::as_str).map(|ca| folder.join(ca)).into_iter().collect(),
    }
}

/// `client` is a file with both, a list of such files, or a list of pairs.
fn pairs(entry: &dyn TableLike, folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let pair = |value: &Value| match value {
        Value::Array(pair) => {
            let path = |at: usize| Some(folder.join(pair.get(at)?.as_str()?));
            let certificate = path(0)?;
            Some((certificate.clone(), path(1).unwrap_or(certificate)))
        }
        value => value.as_str().map(|file| (folder.join(file), folder.join(file))),
    };
    match entry.get("client") {
        Some(Item::Value(Value::Array(list))) => list.iter().filter_map(pair).collect(),
        Some(Item::Value(value)) => pair(value).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The tables in the table called `key`, with their names.
pub(super) fn children<'a>(table: &'a dyn TableLike, key: &str) -> Vec<(&'a str, &'a dyn TableLike)> {
    let table = table.get(key).and_then(Item::as_table_like);
    let named = table.into_iter().flat_map(TableLike::iter);
    named.filter_map(|(name, item)| Some((name, item.as_table_like()?))).collect()
}

/// The text called `key`, unless it is empty.
pub(super) fn text<'a>(table: &'a dyn TableLike, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Those of `texts` that are endpoints; the others are told.
pub(super) fn parsed(texts: &[&str], source: &Path, found: &mut Found) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for text in texts {
        match Endpoint::parse(text) {
            Some(endpoint) => endpoints.push(endpoint),
            // It is not shown: a login could be in it.
            None => {
                found.note(&format!("{}: an endpoint that is no plain URL is left out.", source.display()));
            }
        }
    }
    endpoints
}
