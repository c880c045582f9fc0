//! The `hosts.toml` files that containerd reads: whether they send pulls to the mirror, and on to the registry.

use super::{Containerd, ID};
use crate::{
    configure::Runtime,
    doctor::{
        Check, Finding, Severity,
        runtimes::{
            RUNTIME, at::Relation, found::examine, hosts_faults, hosts_file::HostsFile, version::Version,
        },
    },
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };

pub(super) const BROKEN: Check = Check {
    id: "containerd-hosts-broken",
    title: "every hosts.toml can be read",
    why: "containerd goes on without a file that it can't read, so the pull goes past the mirror.",
    mend: "Correct the line that the finding names; it counts from the next pull on.",
    probe: |context| {
        examine(context, |found: &Containerd| hosts_faults::broken(&found.read), "every file can be read")
    },
    ..BASE
};

pub(super) const EMPTY: Check = Check {
    id: "containerd-hosts-empty",
    title: "every hosts.toml has a host",
    why: "containerd 1.6 and older refuse a file with a server and no host, and go on without it.",
    mend: "Put the mirror into the file.",
    probe: |context| examine(context, empty, "every file has a host"),
    ..BASE
};

pub(super) const PORT: Check = Check {
    id: "containerd-hosts-port",
    title: "hosts.toml names the port that the mirror listens on",
    why: "Nothing answers at the other port, so each pull goes on to the registry.",
    mend: "Name the mirror's own address.",
    probe: |context| examine(context, Containerd::wrong_ports, "the port is the mirror's"),
    ..BASE
};

pub(super) const CAPABILITIES: Check = Check {
    id: "containerd-hosts-capabilities",
    title: "the mirror is asked for tags and for layers",
    why: "Without `resolve` tags are asked of the registry, without `pull` everything else; an unknown word spoils the file.",
    mend: "Write capabilities = [\"pull\", \"resolve\"].",
    probe: |context| {
        examine(
            context,
            |found: &Containerd| hosts_faults::capabilities(&found.read, &found.site),
            "it has `pull` and `resolve`",
        )
    },
    ..BASE
};

pub(super) const PATH: Check = Check {
    id: "containerd-hosts-path",
    title: "the mirror is asked below /v2",
    why: "At any other path the mirror has nothing, so each pull goes on to the registry.",
    mend: "Leave out override_path, and the path after the port.",
    probe: |context| {
        examine(
            context,
            |found: &Containerd| hosts_faults::path(&found.read, &found.site),
            "the path is that of a registry",
        )
    },
    ..BASE
};

pub(super) const SCHEME: Check = Check {
    id: "containerd-hosts-scheme",
    title: "the mirror is asked by plain HTTP",
    why: "The mirror speaks no TLS: every handshake fails, whatever skip_verify says, and pulls go on to the registry.",
    mend: "Write http:// before the mirror's address.",
    probe: |context| {
        examine(
            context,
            |found: &Containerd| hosts_faults::scheme(&found.read, &found.site),
            "it is asked by plain HTTP",
        )
    },
    ..BASE
};

pub(super) const LOOP: Check = Check {
    id: "containerd-hosts-loop",
    title: "what the mirror does not have comes from the registry",
    why: "`server` is where containerd goes last. If that is the mirror, no pull survives an outage of Shoal.",
    mend: "Have `server` name the registry.",
    probe: |context| {
        examine(
            context,
            |found: &Containerd| hosts_faults::goes_round(&found.read, &found.site),
            "it goes on to the registry",
        )
    },
    ..BASE
};

pub(super) const ORDER: Check = Check {
    id: "containerd-hosts-order",
    severity: Severity::Warning,
    title: "the mirror is asked first",
    why: "Hosts are asked in the order of the file, so Shoal only sees what the others lack.",
    mend: "Put the mirror before the other hosts.",
    probe: |context| {
        examine(
            context,
            |found: &Containerd| hosts_faults::order(&found.read, &found.site),
            "it is asked first",
        )
    },
    ..BASE
};

impl Containerd {
    /// Addresses on this host that were to be the mirror's.
    pub(super) fn wrong_ports(&self) -> Vec<Finding> {
        let mut findings = hosts_faults::port(&self.read, &self.site);
        for (file, registry, list) in self.lists() {
            let relation = |address: &str| self.site.mirror.relation(address);
            let is_told = list.iter().any(|address| relation(address) == Relation::Mirror);
            let near =
                |address: &&&str| relation(address) == Relation::OtherPort && !address.ends_with(registry);
            if let Some(address) = list.iter().find(near).filter(|_| !is_told) {
                let path = file.path.display();
                let what = format!(
                    "{path} names {address} for {registry}, and the mirror listens at {}",
                    self.site.mirror
                );
                let finding = Finding::new(what, format!("Write {} in its place.", self.site.mirror));
                findings.push(finding.run("systemctl restart containerd"));
            }
        }
        findings
    }
}

fn empty(containerd: &Containerd) -> Vec<Finding> {
    if containerd.version.is_none_or(|version| version >= Version::new(1, 7)) {
        return Vec::new();
    }
    let is_empty =
        |file: &&HostsFile| file.broken.is_none() && file.server.is_some() && file.hosts.is_empty();
    let finding = |file: &HostsFile| {
        let what =
            format!("{} has no [host] table, which {} refuses", file.path.display(), containerd.name());
        Finding::new(what, "Put the mirror into it.").run(containerd.site.configure(Runtime::Containerd))
    };
    containerd.read.iter().filter(is_empty).map(finding).collect()
}
