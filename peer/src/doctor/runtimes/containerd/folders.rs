//! Which files name the mirror, and whether they are the ones that containerd reads.

use super::{Containerd, ID};
use crate::{
    configure::{
        Runtime,
        reading::{DEFAULT_FOLDER, FOLDER},
    },
    doctor::{
        Check, Finding, Severity,
        runtimes::{
            RUNTIME,
            at::Relation,
            found::{Files as _, examine, examine_told},
            hosts_file::HostsFile,
            version::Version,
        },
    },
};

pub(super) const MIRROR_ID: &str = "containerd-mirror";

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };
const RESTART: &str = "systemctl restart containerd";
/// Other names of Docker Hub's, which containerd looks for in no folder.
const HUB_HOSTS: [&str; 2] = ["registry-1.docker.io", "index.docker.io"];

pub(super) const MIRROR: Check = Check {
    id: MIRROR_ID,
    depends_on: &[ID, "containerd-section", "containerd-format"],
    title: "containerd is told of the mirror",
    why: "Without it each pull goes straight to the registry, and Shoal has nothing to do here.",
    mend: "Point containerd at Shoal.",
    probe: |context| examine_told(context, mirror),
    ..BASE
};

pub(super) const CONFIG_PATH: Check = Check {
    id: "containerd-config-path",
    title: "containerd reads hosts.toml files at all",
    why: "Before 2.2 it reads none as long as config_path is not set, and says nothing about it.",
    mend: "Set config_path.",
    probe: |context| examine(context, config_path, "config_path is set, or nothing depends on it"),
    ..BASE
};

pub(super) const HOSTS_FOLDER: Check = Check {
    id: "containerd-hosts-folder",
    title: "hosts.toml files are in the folder that config_path names",
    why: "Files in any other folder are not read, so the mirror is never asked.",
    mend: "Move them to the folder of config_path, or have config_path name theirs.",
    probe: |context| examine(context, hosts_folder, "the files are where they are read"),
    ..BASE
};

pub(super) const LIST: Check = Check {
    id: "containerd-config-path-list",
    title: "config_path names one folder",
    why: "From 2.1 on, pulls by the transfer service take two folders with a colon for one path, and read no hosts.toml.",
    mend: "Have config_path name one folder.",
    probe: |context| examine(context, list, "config_path names one folder"),
    ..BASE
};

pub(super) const PAST: Check = Check {
    id: "containerd-past-mirror",
    severity: Severity::Warning,
    title: "no registry with settings of its own goes past the mirror",
    why: "What is said for one registry hides what is said for all: its images do not come through Shoal.",
    mend: "Name the mirror in the registry's own file, too.",
    probe: |context| examine(context, past, "every registry with settings has the mirror"),
    ..BASE
};

pub(super) const FOLDER_NAME: Check = Check {
    id: "containerd-folder-name",
    severity: Severity::Warning,
    title: "folders of registries are called as images call these",
    why: "containerd looks for docker.io, not for the host that serves it, so such a folder is never read.",
    mend: "Rename the folder.",
    probe: |context| examine(context, folder_name, "the names are those of images"),
    ..BASE
};

fn mirror(containerd: &Containerd) -> Vec<Finding> {
    let files = || containerd.read.iter().chain(&containerd.unread);
    // What stands in a broken file can't be known; that, and a wrong port, are told by themselves.
    let is_broken = files().any(|file| file.broken.is_some());
    if containerd.is_told() || is_broken || !containerd.wrong_ports().is_empty() {
        return Vec::new();
    }
    let what = format!("no file that containerd could read names {}", containerd.site.mirror);
    let finding = Finding::new(what, "Point containerd at Shoal; it shows what it would change first.");
    vec![finding.run(containerd.site.configure(Runtime::Containerd))]
}

fn config_path(containerd: &Containerd) -> Vec<Finding> {
    let is_set = !containerd.roots().is_empty();
    let is_in_lists = !containerd.lists().is_empty();
    let Some(file) = names_mirror(&containerd.unread, containerd).filter(|_| !is_set && !is_in_lists) else {
        return Vec::new();
    };
    let what =
        format!("{} names the mirror, and config_path is not set, so nothing reads it", file.path.display());
    let mend = format!("Set config_path = \"{FOLDER}\".");
    vec![Finding::new(what, mend).run(containerd.site.configure(Runtime::Containerd)).run(RESTART)]
}

fn hosts_folder(containerd: &Containerd) -> Vec<Finding> {
    let Some((setting, path)) = containerd.config_path() else { return Vec::new() };
    let Some(file) = names_mirror(&containerd.unread, containerd) else { return Vec::new() };
    if names_mirror(&containerd.read, containerd).is_some() {
        return Vec::new();
    }
    let what = format!(
        "{} names the mirror, and {} has containerd read {path} instead",
        file.path.display(),
        setting.path.display()
    );
    let mend = format!("Write the mirror's files into {path}.");
    vec![Finding::new(what, mend).run(containerd.site.configure(Runtime::Containerd))]
}

fn list(containerd: &Containerd) -> Vec<Finding> {
    if containerd.roots().len() < 2 || !containerd.may_be(Version::new(2, 1)) || containerd.pulls_by_itself()
    {
        return Vec::new();
    }
    let what = match containerd.config_path() {
        Some((file, path)) => format!("{} has config_path = \"{path}\"", file.path.display()),
        None => format!("config_path is not set, and that of {} itself names two folders", containerd.name()),
    };
    let mend = "Have config_path name one folder; what the others hold for registries is carried over.";
    vec![Finding::new(what, mend).run(containerd.site.configure(Runtime::Containerd)).run(RESTART)]
}

fn past(containerd: &Containerd) -> Vec<Finding> {
    let for_all = containerd.read.iter().find(|file| file.registry == DEFAULT_FOLDER);
    let mut findings = Vec::new();
    if for_all.is_some_and(|file| file.position_of(containerd.site.mirror).is_some()) {
        let is_past =
            |file: &&HostsFile| file.broken.is_none() && file.position_of(containerd.site.mirror).is_none();
        for file in containerd.read.iter().filter(is_past) {
            findings.push(past_by(containerd, &file.registry_name(), &file.path.display().to_string()));
        }
    }
    let lists = containerd.lists();
    let has_mirror = |list: &[&str]| {
        list.iter().any(|address| containerd.site.mirror.relation(address) == Relation::Mirror)
    };
    if lists.iter().any(|(_, host, list)| *host == "*" && has_mirror(list)) {
        for (file, host, _) in lists.iter().filter(|(_, _, list)| !has_mirror(list)) {
            findings.push(past_by(containerd, host, &file.path.display().to_string()));
        }
    }
    findings
}

fn past_by(containerd: &Containerd, registry: &str, path: &str) -> Finding {
    let what =
        format!("{path} does not name the mirror for {registry}, and hides what is said for all registries");
    let mend = format!("Put the mirror first for {registry}.");
    Finding::new(what, mend).run(containerd.site.configure(Runtime::Containerd))
}

fn folder_name(containerd: &Containerd) -> Vec<Finding> {
    let is_alias = |file: &&HostsFile| HUB_HOSTS.contains(&file.registry.as_str());
    let finding = |file: &HostsFile| {
        let folder = file.path.parent().unwrap_or(&file.path);
        let right = folder.with_file_name("docker.io");
        let what =
            format!("{} is called as Docker Hub's host, and images call it docker.io", folder.display());
        let finding = Finding::new(what, format!("Call it {}.", right.display()));
        finding.run(format!(
            "mv --no-target-directory {} {}",
            containerd.site.file(folder),
            containerd.site.file(&right)
        ))
    };
    containerd.read.iter().filter(is_alias).map(finding).collect()
}

fn names_mirror<'a>(files: &'a [HostsFile], containerd: &Containerd) -> Option<&'a HostsFile> {
    files.iter().find(|file| file.position_of(containerd.site.mirror).is_some())
}
