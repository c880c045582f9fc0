//! What is around containerd: its environment, and whether it has read its files.

use super::{Containerd, ID};
use crate::doctor::{
    Check, Finding, Severity,
    runtimes::{RUNTIME, at::Relation, found::examine, proxy::proxy_for},
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };

pub(super) const PROXY: Check = Check {
    id: "containerd-proxy",
    title: "containerd reaches the mirror without a proxy",
    why: "A proxy elsewhere can't reach a mirror on this host, so each pull goes on to the registry.",
    mend: "Name the mirror by 127.0.0.1, or add its host to NO_PROXY.",
    probe: |context| examine(context, proxy, "no proxy is between"),
    ..BASE
};

pub(super) const STALE: Check = Check {
    id: "containerd-stale",
    severity: Severity::Warning,
    title: "containerd was started after its configuration was written",
    why: "config.toml is read at the start alone, so what is in it since does not count yet.",
    mend: "Restart containerd; containers go on.",
    probe: |context| examine(context, stale, "it was started after that"),
    ..BASE
};

fn proxy(containerd: &Containerd) -> Vec<Finding> {
    let asked =
        containerd.addresses().filter(|address| containerd.site.mirror.relation(address) == Relation::Mirror);
    let by_proxy = asked.filter_map(|address| Some((address, proxy_for(address, &containerd.environment)?)));
    let finding = |(address, proxy): (&str, &str)| {
        let what = format!(
            "containerd's service has the proxy {proxy}, and asks the mirror at {address} through it"
        );
        let mend = format!("Name the mirror as {}, or add its host to NO_PROXY.", containerd.site.mirror);
        Finding::new(what, mend).run("systemctl restart containerd")
    };
    by_proxy.take(1).map(finding).collect()
}

fn stale(containerd: &Containerd) -> Vec<Finding> {
    let (Some(started_s), Some((path, written_s))) = (containerd.started_s, &containerd.written) else {
        return Vec::new();
    };
    if *written_s <= started_s {
        return Vec::new();
    }
    let what = format!("{} was written {} s after containerd started", path.display(), written_s - started_s);
    vec![Finding::new(what, "Restart containerd.").run("systemctl restart containerd")]
}
