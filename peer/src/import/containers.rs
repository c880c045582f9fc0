//! `registries.conf`, as Podman and CRI-O read it.

use std::path::Path;

use crate::configure::{
    ConfigureError, Root, Runtime,
    reading::{Entries, Entry, Fields, View},
};

use super::{endpoint::Endpoint, found::Found};

/// Reads the file at `path`, and those in the folder that belongs to it.
pub(super) fn read(root: &Root, path: &Path, found: &mut Found) -> Result<(), ConfigureError> {
    let view = View::of(root, Runtime::Podman)?;
    for entry in Entries::load_from(&view, path)?.list {
        match reason_against(&entry) {
            Some(reason) => found.note(&format!("{}: {} {reason}.", path.display(), entry.prefix)),
            None => add(&entry, path, found),
        }
    }
    Ok(())
}

fn reason_against(entry: &Entry) -> Option<&'static str> {
    if entry.is("blocked") {
        return Some("is blocked, which Shoal can't be told; leave it out of its registries");
    }
    if entry.prefix.starts_with("*.") {
        return Some("stands for many registries; name them to Shoal one by one");
    }
    entry.prefix.contains('/').then_some("is a part of a registry, and Shoal has settings for whole ones")
}

fn add(entry: &Entry, path: &Path, found: &mut Found) {
    let mirrors = entry.mirrors.iter().map(|mirror| (mirror.text("location").unwrap_or_default(), mirror));
    let places: Vec<(&str, &Fields)> = mirrors.chain([(entry.location(), &entry.fields)]).collect();
    let mut endpoints = Vec::new();
    for (location, fields) in places {
        if location.is_empty() || location.contains('/') {
            found.note(&format!(
                "{}: {location} keeps {} below a path of its repositories, which Shoal can't ask for.",
                path.display(),
                entry.prefix
            ));
        } else if fields.is("insecure") {
            endpoints.extend(Endpoint::insecure(location));
        } else {
            endpoints.extend(Endpoint::parse(location));
        }
    }
    // Docker Hub is called otherwise than the host that serves it.
    let hub = Endpoint { url: "https://docker.io".to_owned(), skip_verify: false };
    for endpoint in endpoints.iter_mut().filter(|endpoint| **endpoint == hub) {
        *endpoint = Endpoint::of_registry("docker.io");
    }
    if let Some(section) = found.section(&entry.prefix, path) {
        section.add_endpoints(endpoints);
    }
}
