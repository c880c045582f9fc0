//! Docker's `daemon.json`.

use std::path::Path;

use crate::configure::{
    ConfigureError, Root, Runtime,
    reading::{View, parse_daemon, texts},
};

use super::{endpoint::Endpoint, found::Found};

/// Reads the daemon's mirrors and insecure registries.
pub(super) fn read(root: &Root, path: &Path, found: &mut Found) -> Result<(), ConfigureError> {
    let view = View::of(root, Runtime::Docker)?;
    let Some(content) = view.read(path)? else { return Ok(()) };
    let daemon = parse_daemon(path, &content)?;
    let insecure = texts(&daemon, "insecure-registries");
    let mut mirrors = Vec::new();
    for text in texts(&daemon, "registry-mirrors") {
        match Endpoint::parse(text) {
            Some(mut mirror) => {
                mirror.skip_verify = insecure.contains(&mirror.authority());
                mirrors.push(mirror);
            }
            None => found.note(&format!("{}: a mirror that is no plain URL is left out.", path.display())),
        }
    }
    if !mirrors.is_empty()
        && let Some(section) = found.section("docker.io", path)
    {
        section.add_endpoints(mirrors);
        section.add_endpoints([Endpoint::of_registry("docker.io")]);
    }
    for host in insecure {
        if host.contains('/') {
            found.note(&format!(
                "{}: {host} is a range of addresses; name its registries to Shoal.",
                path.display()
            ));
        } else if let Some(section) = found.section(host, path) {
            section.add_endpoints(Endpoint::insecure(host));
        }
    }
    Ok(())
}
