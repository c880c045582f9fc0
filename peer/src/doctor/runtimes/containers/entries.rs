//! The entries of `registries.conf`: whether each sends its pulls to the mirror, and for the right registry.

use super::{Containers, ID};
use crate::{
    configure::reading::{Entry, Fields},
    doctor::{
        Check, Finding, Severity,
        runtimes::{RUNTIME, at::Relation, found::examine},
    },
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };
/// Docker Hub is what the mirror takes a path without a registry for.
const HUB: &str = "docker.io";

pub(super) const PORT: Check = Check {
    id: "containers-port",
    title: "registries.conf names the port that the mirror listens on",
    why: "Nothing answers at the other port, so each pull goes on to the registry.",
    mend: "Name the mirror's own address.",
    probe: |context| examine(context, Containers::wrong_ports, "the port is the mirror's"),
    ..BASE
};

pub(super) const INSECURE: Check = Check {
    id: "containers-insecure",
    title: "the mirror is asked by plain HTTP",
    why: "Without `insecure = true` only TLS is tried, which the mirror does not speak: pulls go on to the registry.",
    mend: "Write insecure = true below the mirror's location.",
    probe: |context| examine(context, insecure, "it has insecure = true"),
    ..BASE
};

pub(super) const PATH: Check = Check {
    id: "containers-path",
    title: "the mirror is told which registry is meant",
    why: "These runtimes name the registry nowhere but in the path; without it the mirror looks on Docker Hub.",
    mend: "Write the registry after the mirror's port.",
    probe: |context| examine(context, path, "each location names its registry"),
    ..BASE
};

pub(super) const REPLACED: Check = Check {
    id: "containers-replaced",
    title: "no later file takes the mirror out",
    why: "An entry of a later file replaces one of the same prefix as a whole, mirrors included.",
    mend: "Have Shoal write its file again: it comes last, and repeats what the others say.",
    probe: |context| examine(context, replaced, "no later file does"),
    ..BASE
};

pub(super) const PAST: Check = Check {
    id: "containers-past-mirror",
    severity: Severity::Warning,
    title: "no entry for a part of a registry goes past the mirror",
    why: "The longest prefix counts alone, so images below it do not come through Shoal.",
    mend: "Put the mirror into that entry, too.",
    probe: |context| examine(context, past, "every part of these registries has the mirror"),
    ..BASE
};

pub(super) const DIGEST_ONLY: Check = Check {
    id: "containers-digest-only",
    severity: Severity::Warning,
    title: "the mirror is asked for tags, too",
    why: "With mirror-by-digest-only or pull-from-mirror a pull by the other kind of name goes straight to the registry.",
    mend: "Leave that option out.",
    probe: |context| examine(context, digest_only, "it is asked for both"),
    ..BASE
};

pub(super) const BLOCKED: Check = Check {
    id: "containers-blocked",
    severity: Severity::Warning,
    title: "no registry with the mirror is blocked",
    why: "Nothing is pulled from a blocked registry, with a mirror or without.",
    mend: "Take `blocked` or the mirror out, whichever is not meant.",
    probe: |context| examine(context, blocked, "none is blocked"),
    ..BASE
};

impl Containers {
    /// Entries that name this host at another port, and not the mirror.
    pub(super) fn wrong_ports(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for entry in self.entries.list.iter().filter(|entry| self.mirror_in(entry).is_none()) {
            let Some(fields) =
                entry.mirrors.iter().find(|fields| self.relation(fields) == Relation::OtherPort)
            else {
                continue;
            };
            let location = fields.text("location").unwrap_or_default();
            let right = self.location_for(entry);
            let what = format!(
                "{} has the mirror {location} for {}, and Shoal's listens at {}",
                entry.source.display(),
                entry.prefix,
                self.site.mirror.authority()
            );
            let finding = Finding::new(what, format!("Write {right} in its place."));
            findings.push(finding.run(self.replace(entry, location, &right)));
        }
        findings
    }

    fn replace(&self, entry: &Entry, from: &str, to: &str) -> String {
        self.site.replace(&entry.source, &format!("\"{from}\""), &format!("\"{to}\""))
    }

    /// What belongs into `location` for the images of `entry`.
    fn location_for(&self, entry: &Entry) -> String {
        format!("{}/{}", self.site.mirror.authority(), entry.location())
    }
}

fn insecure(containers: &Containers) -> Vec<Finding> {
    let finding = |(entry, fields): (&Entry, &Fields)| {
        let location = fields.text("location").unwrap_or_default();
        let what = format!("{} has the mirror {location} without insecure = true", entry.source.display());
        Finding::new(what, "Write insecure = true below its location.")
    };
    containers.with_mirror().filter(|(_, fields)| !fields.is("insecure")).map(finding).collect()
}

fn path(containers: &Containers) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (entry, fields) in containers.with_mirror() {
        let location = fields.text("location").unwrap_or_default().trim_end_matches('/');
        let right = containers.location_for(entry);
        // `*.example.com` has no one path, so it can't have Shoal as its mirror at all.
        let is_hub = !location.contains('/') && entry.location() == HUB;
        if location == right || is_hub {
            continue;
        }
        let what = format!("{} has {location} as the mirror of {}", entry.source.display(), entry.prefix);
        if entry.prefix.starts_with('*') {
            let mend = "Write an entry for each registry that the pattern stands for.";
            findings.push(Finding::new(what, mend).run(containers.site.configure(containers.runtime())));
        } else {
            let finding = Finding::new(what, format!("Write {right}."));
            findings.push(finding.run(containers.replace(entry, location, &right)));
        }
    }
    findings
}

fn replaced(containers: &Containers) -> Vec<Finding> {
    let lost = containers.entries.replaced.iter().filter(|entry| containers.mirror_in(entry).is_some());
    let mut findings = Vec::new();
    for entry in lost {
        let later = containers.entries.list.iter().find(|other| other.prefix == entry.prefix);
        let Some(later) = later.filter(|later| containers.mirror_in(later).is_none()) else { continue };
        let what = format!(
            "{} says something about {} after {}, without the mirror",
            later.source.display(),
            entry.prefix,
            entry.source.display()
        );
        let finding = Finding::new(what, "Have Shoal write its file again; it repeats what the others say.");
        findings.push(finding.run(containers.site.configure(containers.runtime())));
    }
    findings
}

fn past(containers: &Containers) -> Vec<Finding> {
    let without = containers.entries.list.iter().filter(|entry| containers.mirror_in(entry).is_none());
    let is_part = |part: &Entry, whole: &Entry| {
        part.prefix.strip_prefix(whole.prefix.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    let mut findings = Vec::new();
    for part in without.filter(|entry| !entry.is("blocked")) {
        let Some((whole, _)) = containers.with_mirror().find(|(whole, _)| is_part(part, whole)) else {
            continue;
        };
        let what = format!(
            "{} has an entry for {} without the mirror, which that for {} has",
            part.source.display(),
            part.prefix,
            whole.prefix
        );
        let finding = Finding::new(what, "Have Shoal write its file again; it repeats what the others say.");
        findings.push(finding.run(containers.site.configure(containers.runtime())));
    }
    findings
}

fn digest_only(containers: &Containers) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (entry, fields) in containers.with_mirror() {
        let option = if entry.is("mirror-by-digest-only") {
            "mirror-by-digest-only = true".to_owned()
        } else {
            match fields.text("pull-from-mirror").filter(|kinds| *kinds != "all") {
                Some(kinds) => format!("pull-from-mirror = \"{kinds}\""),
                None => continue,
            }
        };
        let what = format!("{} has {option} for {}", entry.source.display(), entry.prefix);
        findings.push(Finding::new(what, "Leave it out, if tags are to come through Shoal, too."));
    }
    findings
}

fn blocked(containers: &Containers) -> Vec<Finding> {
    let finding = |(entry, _): (&Entry, &Fields)| {
        let what = format!("{} blocks {}, and has the mirror for it", entry.source.display(), entry.prefix);
        Finding::new(what, "Take `blocked` or the mirror out, whichever is not meant.")
    };
    containers.with_mirror().filter(|(entry, _)| entry.is("blocked")).map(finding).collect()
}
