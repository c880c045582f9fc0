//! Docker Engine: `registry-mirrors` for Docker Hub, and `hosts.toml` for any registry with containerd's image store.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::config::WELL_KNOWN;

use super::{
    ConfigureError, Request, folders,
    hosts::DEFAULT,
    json,
    plan::Targets,
    toml_text::{quoted, with_newlines_of},
    view::View,
};

/// The daemon's configuration.
pub(crate) const CONFIG: &str = "/etc/docker/daemon.json";
/// Where it looks for what belongs to a registry.
pub(crate) const FOLDER: &str = "/etc/docker/certs.d";

/// Docker Hub, as images name it.
const HUB: &str = "docker.io";
const MIRRORS: &str = "registry-mirrors";

/// Where the daemon's flags may be. It does not start when one says the same as its configuration.
const FLAG_FILES: [&str; 6] = [
    "/etc/systemd/system/docker.service",
    "/usr/lib/systemd/system/docker.service",
    "/lib/systemd/system/docker.service",
    "/etc/default/docker",
    "/etc/sysconfig/docker",
    "/etc/conf.d/docker",
];
const FLAG_FOLDERS: [&str; 2] =
    ["/etc/systemd/system/docker.service.d", "/usr/lib/systemd/system/docker.service.d"];

pub(super) fn plan(view: &View<'_>, request: &Request, targets: &mut Targets) -> Result<(), ConfigureError> {
    let text = view.read(Path::new(CONFIG))?.unwrap_or_default();
    let daemon = parse(Path::new(CONFIG), &text)?;
    let has_store = request.containerd_store || says_containerd_store(&daemon);
    let wants_hub =
        request.registries.is_empty() || request.registries.iter().any(|host| host.as_str() == HUB);
    if !wants_hub && !has_store {
        return Err(ConfigureError::Impossible(
            "Docker's own image store has mirrors for docker.io only; with containerd's image store add \
             --containerd-store, and any registry will do"
                .to_owned(),
        ));
    }
    if wants_hub {
        mirror_of_hub(view, &text, &daemon, request, targets)?;
    }
    match has_store {
        true => registries(view, &daemon, request, targets),
        false => {
            targets.note(
                "This covers images of docker.io, all that Docker's own image store has mirrors for. Docker 29 and later \
                 start with containerd's store on new machines (`docker info` says `driver-type: \
                 io.containerd.snapshotter.v1`): add --containerd-store there.",
            );
            Ok(())
        }
    }
}

/// The daemon's configuration in `text`; an empty file says nothing.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Map<String, Value>, ConfigureError> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|error| ConfigureError::Invalid {
        path: path.to_owned(),
        line: error.line(),
        message: error.to_string(),
    })
}

/// The texts in the list called `key`.
pub(crate) fn texts<'a>(daemon: &'a Map<String, Value>, key: &str) -> Vec<&'a str> {
    daemon.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether the daemon keeps its images in containerd's store, as far as its configuration says.
pub(crate) fn says_containerd_store(daemon: &Map<String, Value>) -> bool {
    let feature = daemon.get("features").and_then(|features| features.get("containerd-snapshotter"));
    feature.and_then(Value::as_bool).unwrap_or(false)
}

fn mirror_of_hub(
    view: &View<'_>,
    text: &str,
    daemon: &Map<String, Value>,
    request: &Request,
    targets: &mut Targets,
) -> Result<(), ConfigureError> {
    let url = request.mirror.to_string();
    if texts(daemon, MIRRORS).iter().any(|mirror| mirror.trim_end_matches('/') == url) {
        return Ok(());
    }
    if let (Some(path), false) = (flag_file(view)?, daemon.contains_key(MIRRORS)) {
        return Err(ConfigureError::refused(
            path,
            "it starts Docker with --registry-mirror, and Docker does not start when daemon.json has mirrors, too",
            "move that mirror from the flag into daemon.json's registry-mirrors, then run this again",
        ));
    }
    let edited = match text.trim().is_empty() {
        true => Some(format!("{{\n  {}: [{}]\n}}\n", quoted(MIRRORS), quoted(&url))),
        false => json::prepend(text, MIRRORS, &url),
    };
    let edited = edited.ok_or_else(|| {
        let remedy = format!("put {} first in its registry-mirrors by hand", quoted(&url));
        ConfigureError::refused(CONFIG, "its registry-mirrors are no list, or are there twice", remedy)
    })?;
    targets.put(CONFIG, with_newlines_of(text, edited));
    Ok(())
}

/// The file that starts the daemon with a mirror in its flags.
pub(crate) fn flag_file(view: &View<'_>) -> Result<Option<PathBuf>, ConfigureError> {
    let mut files: Vec<PathBuf> = FLAG_FILES.iter().map(PathBuf::from).collect();
    for folder in FLAG_FOLDERS.map(Path::new) {
        files.extend(view.files(folder)?.into_iter().map(|name| folder.join(name)));
    }
    for file in files {
        let text = view.read(&file)?.unwrap_or_default();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        if lines.any(|line| line.contains("--registry-mirror")) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Docker ignores `registry-mirrors` and `insecure-registries` for a registry whose `hosts.toml` names a host. So
/// each registry gets a file of its own, and none is written for all, nor for a registry called insecure.
fn registries(
    view: &View<'_>,
    daemon: &Map<String, Value>,
    request: &Request,
    targets: &mut Targets,
) -> Result<(), ConfigureError> {
    let insecure = texts(daemon, "insecure-registries");
    for name in names(view, request)? {
        if insecure.contains(&name.as_str()) {
            targets.note(format!(
                "{name} is among the insecure-registries, which Docker ignores for a registry with a hosts.toml: it \
                 is left out, and its images go past Shoal."
            ));
            continue;
        }
        let mirrors = if name == HUB { mirrors_as_hosts(daemon) } else { String::new() };
        folders::put(view, &[PathBuf::from(FOLDER)], &name, &request.mirror, &mirrors, targets)?;
    }
    Ok(())
}

fn names(view: &View<'_>, request: &Request) -> Result<BTreeSet<String>, ConfigureError> {
    let mut names: BTreeSet<String> = request.registries.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        names.extend(WELL_KNOWN.map(str::to_owned));
        let folders = view.folders(Path::new(FOLDER))?;
        names.extend(folders.into_iter().filter(|name| name != DEFAULT));
    }
    Ok(names)
}

/// The operator's own mirrors, which would no longer be asked.
fn mirrors_as_hosts(daemon: &Map<String, Value>) -> String {
    let section = |mirror: &str| {
        let url = mirror.trim_end_matches('/');
        format!("[host.{}]\n  capabilities = [\"pull\", \"resolve\"]\n", quoted(url))
    };
    texts(daemon, MIRRORS).into_iter().map(section).collect()
}
