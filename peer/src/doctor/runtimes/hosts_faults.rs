//! What can be wrong with a `hosts.toml` that names the mirror.

use super::{
    at::{Relation, parse},
    hosts_file::{Host, HostsFile},
    site::Site,
};
use crate::doctor::Finding;

/// What every version knows; an older one refuses the whole file for a word that it does not.
const CAPABILITIES: [&str; 3] = ["pull", "resolve", "push"];

/// Files that can't be read.
pub(super) fn broken(files: &[HostsFile]) -> Vec<Finding> {
    let finding = |file: &HostsFile| {
        let why = file.broken.as_ref()?;
        let path = file.path.display().to_string();
        // A message of the parser begins with the file already.
        let what = if why.contains(&path) { why.clone() } else { format!("{path}: {why}") };
        Some(Finding::new(what, "Correct it; it counts from the next pull on."))
    };
    files.iter().filter_map(finding).collect()
}

/// Files that name this host at another port, and not the mirror.
pub(super) fn port(files: &[HostsFile], site: &Site) -> Vec<Finding> {
    let mirror = site.mirror;
    let is_near = |host: &&Host| site.mirror.relation(&host.url) == Relation::OtherPort;
    let without = files.iter().filter(|file| file.position_of(site.mirror).is_none());
    let finding = |file: &HostsFile| {
        let registry = file.registry_name();
        // A registry on this host is no mirror of itself.
        let host = file.hosts.iter().filter(is_near).find(|host| !host.url.ends_with(&registry))?;
        let what = format!("{} names {}, and the mirror listens at {mirror}", file.path.display(), host.url);
        let mend = format!("Write {mirror} in its place.");
        Some(Finding::new(what, mend).run(site.replace(&file.path, &host.url, &mirror.to_string())))
    };
    without.filter_map(finding).collect()
}

/// Files by which the mirror is not asked for everything, or which have a word that is none.
pub(super) fn capabilities(files: &[HostsFile], site: &Site) -> Vec<Finding> {
    of_mirror(files, site, |file, host| {
        let unknown = host.capabilities.iter().flatten().find(|word| !CAPABILITIES.contains(&word.as_str()));
        let what = match unknown {
            Some(word) => format!(
                "{} has the capability \"{word}\", which not every version knows",
                file.path.display()
            ),
            None => {
                let missing = ["pull", "resolve"].into_iter().find(|word| !host.can(word))?;
                format!("{} has no \"{missing}\" among the mirror's capabilities", file.path.display())
            }
        };
        let mend = format!("Write capabilities = [\"pull\", \"resolve\"] below [host.\"{}\"].", host.url);
        Some(Finding::new(what, mend))
    })
}

/// Files by which the mirror is asked at a path where it has nothing.
pub(super) fn path(files: &[HostsFile], site: &Site) -> Vec<Finding> {
    let mirror = site.mirror;
    of_mirror(files, site, |file, host| {
        let path = parse(&host.url)?.path().trim_end_matches('/').to_owned();
        let asked = match (path.as_str(), host.override_path) {
            ("/v2", _) | ("", false) => return None,
            ("", true) => "without /v2 (override_path)".to_owned(),
            (path, _) => format!("below {path}"),
        };
        let what = format!("{} has the mirror asked {asked}", file.path.display());
        Some(Finding::new(what, format!("Write [host.\"{mirror}\"], without override_path.")))
    })
}

/// Files by which the mirror is asked by HTTPS.
pub(super) fn scheme(files: &[HostsFile], site: &Site) -> Vec<Finding> {
    let mirror = site.mirror;
    of_mirror(files, site, |file, host| {
        if parse(&host.url)?.scheme() == "http" {
            return None;
        }
        let what = format!("{} names the mirror as {}", file.path.display(), host.url);
        let finding = Finding::new(what, format!("Write [host.\"{mirror}\"]; it needs no skip_verify."));
        Some(finding.run(site.replace(&file.path, &host.url, &mirror.to_string())))
    })
}

/// Files whose last resort is the mirror itself.
pub(super) fn goes_round(files: &[HostsFile], site: &Site) -> Vec<Finding> {
    let finding = |file: &HostsFile| {
        let server =
            file.server.as_ref().filter(|server| site.mirror.relation(server) == Relation::Mirror)?;
        let what = format!("{} has server = \"{server}\", the mirror itself", file.path.display());
        let mend = match file.registry.as_str() {
            "_default" => "Leave `server` out: then it is the registry of each image.".to_owned(),
            "docker.io" => "Write server = \"https://registry-1.docker.io\".".to_owned(),
            _ => format!("Write server = \"https://{}\", or leave it out.", file.registry_name()),
        };
        Some(Finding::new(what, mend))
    };
    files.iter().filter_map(finding).collect()
}

/// Files in which others come before the mirror.
pub(super) fn order(files: &[HostsFile], site: &Site) -> Vec<Finding> {
    let mirror = site.mirror;
    let finding = |file: &HostsFile| {
        let first = file.hosts.first().filter(|_| file.position_of(site.mirror).is_some_and(|at| at > 0))?;
        let what = format!("{} has {} before the mirror", file.path.display(), first.url);
        Some(Finding::new(what, format!("Move [host.\"{mirror}\"] before it.")))
    };
    files.iter().filter_map(finding).collect()
}

fn of_mirror(
    files: &[HostsFile],
    site: &Site,
    find: impl Fn(&HostsFile, &Host) -> Option<Finding>,
) -> Vec<Finding> {
    files.iter().filter_map(|file| find(file, file.entry_of(site.mirror)?)).collect()
}
