//! `hosts.toml` for registries: which folder counts for one, and what goes into it.
//!
//! containerd takes the first folder there is: the registry's own, else `_default`. So a registry with a folder of its
//! own needs the mirror there, and a registry that gets one has to keep what `_default` said.

use std::path::{Path, PathBuf};

use super::{
    ConfigureError, MirrorUrl,
    hosts::{DEFAULT, FILE, carried, put_first},
    plan::Targets,
    view::View,
};

/// Puts `mirror` first for the registry whose folder is called `name`, in the first of `roots`; the others are read
/// only. `more` is what the registry's file says besides when it lists no hosts yet.
pub(super) fn put(
    view: &View<'_>,
    roots: &[PathBuf],
    name: &str,
    mirror: &MirrorUrl,
    more: &str,
    targets: &mut Targets,
) -> Result<(), ConfigureError> {
    let Some(home) = roots.first() else { return Ok(()) };
    let folder = home.join(name);
    let path = folder.join(FILE);
    let there = view.read(&path)?;
    let mut text = match (effective(view, roots, name)?, there) {
        (Some(source), Some(there)) if source == folder => there,
        (Some(source), _) => carried(view, &source)?,
        (None, _) => String::new(),
    };
    if !text.contains("[host.") {
        text += more;
    }
    targets.put(&path, put_first(&path, &text, mirror)?);
    Ok(())
}

/// The name of a registry's folder. A port may stand after a colon or between underscores; a folder that is there counts.
pub(super) fn name_of(view: &View<'_>, home: &Path, host: &str) -> Result<String, ConfigureError> {
    let alternative = with_underscores(host);
    let folders = view.folders(home)?;
    Ok(alternative.filter(|name| folders.contains(name)).unwrap_or_else(|| host.to_owned()))
}

fn with_underscores(name: &str) -> Option<String> {
    name.rsplit_once(':').map(|(host, port)| format!("{host}_{port}_"))
}

/// The folder that counts for a registry today.
fn effective(view: &View<'_>, roots: &[PathBuf], name: &str) -> Result<Option<PathBuf>, ConfigureError> {
    let plain = name.strip_suffix('_').and_then(|name| name.rsplit_once('_'));
    let with_colon = plain.map(|(host, port)| format!("{host}:{port}"));
    let candidates = [with_underscores(name), Some(name.to_owned()), with_colon, Some(DEFAULT.to_owned())];
    for root in roots {
        let folders = view.folders(root)?;
        if let Some(found) = candidates.iter().flatten().find(|candidate| folders.contains(candidate)) {
            return Ok(Some(root.join(found)));
        }
    }
    Ok(None)
}
