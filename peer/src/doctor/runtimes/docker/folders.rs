//! `/etc/docker/certs.d`: whether Docker reads the `hosts.toml` files there, and what they hide.

use super::{Docker, ID};
use crate::{
    configure::{
        Runtime,
        reading::{DOCKER_CONFIG, texts},
    },
    doctor::{
        Check, Finding, Severity,
        runtimes::{RUNTIME, found::examine, hosts_faults, hosts_file::HostsFile},
    },
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };
/// Docker Hub, as images name it.
const HUB: &str = "docker.io";

pub(super) const UNREAD: Check = Check {
    id: "docker-hosts-unread",
    title: "Docker reads the file that names the mirror",
    why: "It reads hosts.toml from version 28 on, and with containerd's image store; else the mirror is never asked.",
    mend: "Name the mirror in registry-mirrors, which counts for Docker Hub, or change the image store.",
    probe: |context| examine(context, unread, "they are read, or there are none"),
    ..BASE
};

pub(super) const FAULTS: Check = Check {
    id: "docker-hosts",
    title: "Docker's hosts.toml files send pulls to the mirror",
    why: "By a file with a mistake the mirror is not asked, or not for everything.",
    mend: "Correct what the finding names; it counts from the next pull on.",
    probe: |context| examine(context, faults, "they do, or there are none"),
    ..BASE
};

pub(super) const HIDDEN: Check = Check {
    id: "docker-mirror-hidden",
    title: "no hosts.toml hides Docker's registry-mirrors",
    why: "For a registry whose hosts.toml names a host Docker ignores registry-mirrors.",
    mend: "Name the mirror in that file, too.",
    probe: |context| examine(context, hidden, "nothing hides them"),
    ..BASE
};

pub(super) const INSECURE: Check = Check {
    id: "docker-hosts-insecure",
    severity: Severity::Warning,
    title: "no registry is both insecure and in a hosts.toml",
    why: "For a registry whose hosts.toml names a host Docker ignores insecure-registries: what the mirror lacks fails.",
    mend: "Say in hosts.toml how the registry is reached.",
    probe: |context| examine(context, insecure, "no registry is both"),
    ..BASE
};

fn unread(docker: &Docker) -> Vec<Finding> {
    // With both, the files are for the day on which the image store changes.
    if docker.reads_hosts() != Some(false) || docker.entry().is_some() {
        return Vec::new();
    }
    let named = docker.hosts.iter().filter(|file| file.position_of(docker.site.mirror).is_some());
    let finding = |file: &HostsFile| {
        let what =
            format!("{} names the mirror, and {} does not read it", file.path.display(), docker.name());
        let mend = "Have Docker Hub's images come through registry-mirrors; for others, use Docker 28 or later with \
                    containerd's image store.";
        Finding::new(what, mend).run(docker.site.configure(Runtime::Docker)).run("systemctl reload docker")
    };
    named.take(1).map(finding).collect()
}

fn faults(docker: &Docker) -> Vec<Finding> {
    if docker.reads_hosts() == Some(false) {
        return Vec::new();
    }
    let (files, site) = (&docker.hosts, &docker.site);
    let mut findings = hosts_faults::broken(files);
    for find in [
        hosts_faults::port,
        hosts_faults::capabilities,
        hosts_faults::path,
        hosts_faults::scheme,
        hosts_faults::goes_round,
    ] {
        findings.extend(find(files, site));
    }
    findings
}

fn hidden(docker: &Docker) -> Vec<Finding> {
    if docker.reads_hosts() != Some(true) || docker.entry().is_none() {
        return Vec::new();
    }
    let hides = |file: &&HostsFile| file.registry == HUB && !file.hosts.is_empty();
    let Some(file) =
        docker.hosts.iter().find(hides).filter(|file| file.position_of(docker.site.mirror).is_none())
    else {
        return Vec::new();
    };
    let what = format!(
        "{} names other hosts, so Docker ignores the mirror that {DOCKER_CONFIG} names",
        file.path.display()
    );
    let finding = Finding::new(what, "Put the mirror first in that file.");
    vec![finding.run(docker.site.configure(Runtime::Docker))]
}

fn insecure(docker: &Docker) -> Vec<Finding> {
    if docker.reads_hosts() == Some(false) {
        return Vec::new();
    }
    let insecure = texts(&docker.daemon, "insecure-registries");
    let is_both =
        |file: &&HostsFile| !file.hosts.is_empty() && insecure.contains(&file.registry_name().as_str());
    let is_settled =
        |file: &&HostsFile| file.server.as_ref().is_some_and(|server| server.starts_with("http://"));
    let finding = |file: &HostsFile| {
        let registry = file.registry_name();
        let what = format!(
            "{registry} is among the insecure-registries, and {} names hosts for it",
            file.path.display()
        );
        Finding::new(
            what,
            format!("Write server = \"http://{registry}\" at the top of {}.", file.path.display()),
        )
    };
    docker.hosts.iter().filter(is_both).filter(|file| !is_settled(file)).map(finding).collect()
}
