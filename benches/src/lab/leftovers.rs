//! What labs left behind that were killed and could not clean up.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    bursts,
    network::{PREFIX, run},
};
use crate::rig::RigError;

/// Where `ip` keeps the names of namespaces.
const NAMESPACES: &str = "/run/netns";

/// Removes the namespaces of labs whose process is gone, with whatever still runs in them. Tells in a line for each lab.
pub(super) fn remove(ip: &PathBuf, say: impl Fn(&str)) {
    let orphaned = orphaned();
    if !orphaned.is_empty() {
        bursts::off();
    }
    for (lab, namespaces) in orphaned {
        let mut processes = 0;
        let removed = namespaces.iter().try_for_each(|namespace| {
            processes += end_processes(ip, namespace);
            ip_netns(ip, "del", namespace).map(drop)
        });
        match removed {
            Ok(()) => say(&format!(
                "removed {} network namespaces of lab {lab}, which was killed, and ended {processes} processes in them",
                namespaces.len()
            )),
            Err(error) => say(&format!("network namespaces of lab {lab}, which was killed, stay: {error}")),
        }
    }
}

/// Names of namespaces by the process that made them and is gone.
fn orphaned() -> BTreeMap<u32, Vec<String>> {
    let mut orphaned: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let entries = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        if let Some(lab) = lab_of(&name)
            && !Path::new(&format!("/proc/{lab}")).exists()
        {
            orphaned.entry(lab).or_default().push(name);
        }
    }
    orphaned
}

/// The id of the process that made a namespace, if a lab made it.
fn lab_of(namespace: &str) -> Option<u32> {
    namespace.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

/// How many there were.
fn end_processes(ip: &PathBuf, namespace: &str) -> usize {
    // A namespace that can't be looked into has no processes, and can be removed all the same.
    let text = ip_netns(ip, "pids", namespace).unwrap_or_default();
    let pids = text.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?));
    pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
}

fn ip_netns(ip: &PathBuf, what: &str, namespace: &str) -> Result<String, RigError> {
    let mut command = Command::new(ip);
    command.args(["netns", what, namespace]);
    run(command, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_lab_gives_are_a_labs() {
        let labs = ["shoal-lab-17-hub", "shoal-lab-17-node-3", "shoal-lab-hub", "shoal-lab-17", "lab-17-hub"];
        assert_eq!(labs.map(lab_of), [Some(17), Some(17), None, None, None]);
    }
}
