//! `daemon.json`: whether Docker takes the mirror that it names.

use std::{path::Path, sync::Arc};

use super::{Docker, ID};
use crate::{
    configure::{Runtime, reading::DOCKER_CONFIG},
    doctor::{
        Check, Context, Finding, Outcome, Severity,
        canary::Engine,
        runtimes::{
            RUNTIME,
            at::{Relation, parse},
            found::{Files as _, Found, examine, examine_told, found},
            proxy::proxy_for,
        },
    },
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };
const RELOAD: &str = "systemctl reload docker";

pub(super) const MIRROR: Check = Check {
    id: "docker-mirror",
    title: "Docker is told of the mirror",
    why: "Without it each pull goes straight to the registry, and Shoal has nothing to do here.",
    mend: "Point Docker at Shoal.",
    probe: |context| examine_told(context, mirror),
    ..BASE
};

pub(super) const TWICE: Check = Check {
    id: "docker-mirror-twice",
    title: "Docker's mirrors are set in one place",
    why: "Docker does not start when a flag and daemon.json both set registry mirrors.",
    mend: "Move the mirror of the flag into daemon.json.",
    probe: |context| examine(context, twice, "they are set in one place"),
    ..BASE
};

pub(super) const URL: Check = Check {
    id: "docker-mirror-url",
    title: "Docker's mirror is http://HOST:PORT",
    why: "With a path old versions do not start, and others ask where the mirror has nothing; TLS it does not speak.",
    mend: "Write the address alone.",
    probe: |context| examine(context, url, "it is an address alone"),
    ..BASE
};

pub(super) const PORT: Check = Check {
    id: "docker-mirror-port",
    title: "Docker's mirror is at the port that Shoal listens on",
    why: "Nothing answers at the other port, so each pull goes on to Docker Hub.",
    mend: "Name the mirror's own address.",
    probe: |context| examine(context, Docker::wrong_ports, "the port is the mirror's"),
    ..BASE
};

pub(super) const ORDER: Check = Check {
    id: "docker-mirror-order",
    severity: Severity::Warning,
    title: "Docker asks the mirror first",
    why: "Mirrors are asked in the order of the list, so Shoal only sees what the others lack.",
    mend: "Put the mirror first.",
    probe: |context| examine(context, order, "it is asked first"),
    ..BASE
};

pub(super) const PROXY: Check = Check {
    id: "docker-proxy",
    title: "Docker reaches the mirror without a proxy",
    why: "A proxy elsewhere can't reach a mirror on this host, so each pull goes on to Docker Hub.",
    mend: "Name the mirror by 127.0.0.1, or exempt its host from the proxy.",
    probe: |context| examine(context, proxy, "no proxy is between"),
    ..BASE
};

pub(super) const STALE: Check = Check {
    id: "docker-stale",
    title: "Docker has read what daemon.json says of the mirror",
    why: "daemon.json is read at the start and at a reload, so a mirror that is in it since does not count yet.",
    mend: "Have Docker reload its configuration; containers go on.",
    probe: |context| Box::pin(stale(context)),
    ..BASE
};

fn mirror(docker: &Docker) -> Vec<Finding> {
    let is_broken = docker.hosts.iter().any(|file| file.broken.is_some());
    if docker.is_told() || is_broken || docker.flag_file.is_some() || !docker.wrong_ports().is_empty() {
        return Vec::new();
    }
    let what = format!("neither {DOCKER_CONFIG} nor a hosts.toml of Docker's names {}", docker.site.mirror);
    let finding = Finding::new(what, "Point Docker at Shoal; it shows what it would change first.");
    vec![finding.run(docker.site.configure(Runtime::Docker)).run(RELOAD)]
}

fn twice(docker: &Docker) -> Vec<Finding> {
    let Some(file) = docker.flag_file.as_ref().filter(|_| docker.daemon.contains_key("registry-mirrors"))
    else {
        return Vec::new();
    };
    let what = format!(
        "{} starts Docker with --registry-mirror, and {DOCKER_CONFIG} has registry-mirrors",
        file.display()
    );
    let mend =
        format!("Take the flag out of {}; mirrors it names belong into {DOCKER_CONFIG}.", file.display());
    vec![Finding::new(what, mend).run("systemctl daemon-reload").run("systemctl restart docker")]
}

fn url(docker: &Docker) -> Vec<Finding> {
    let Some((address, url)) = docker.entry().and_then(|address| Some((address, parse(address)?))) else {
        return Vec::new();
    };
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if is_bare && url.scheme() == "http" {
        return Vec::new();
    }
    vec![wrong_address(docker, address)]
}

fn wrong_address(docker: &Docker, address: &str) -> Finding {
    let what = format!(
        "{DOCKER_CONFIG} has \"{address}\" among its registry-mirrors, and the mirror is {}",
        docker.site.mirror
    );
    let finding = Finding::new(what, format!("Write \"{}\" in its place.", docker.site.mirror));
    finding
        .run(docker.site.replace(Path::new(DOCKER_CONFIG), address, &docker.site.mirror.to_string()))
        .run(RELOAD)
}

impl Docker {
    /// Mirrors on this host that were to be this one.
    fn wrong_ports(&self) -> Vec<Finding> {
        let relation = |address: &&str| self.site.mirror.relation(address);
        let near = self.mirrors().into_iter().find(|address| relation(address) == Relation::OtherPort);
        let near = near.filter(|_| self.entry().is_none());
        near.map(|address| wrong_address(self, address)).into_iter().collect()
    }
}

fn order(docker: &Docker) -> Vec<Finding> {
    let (Some(address), Some(first)) = (docker.entry(), docker.mirrors().first().copied()) else {
        return Vec::new();
    };
    if first == address {
        return Vec::new();
    }
    let what = format!("{DOCKER_CONFIG} has {first} before the mirror");
    vec![Finding::new(what, format!("Put \"{address}\" first in its registry-mirrors.")).run(RELOAD)]
}

fn proxy(docker: &Docker) -> Vec<Finding> {
    let in_files = docker
        .hosts
        .iter()
        .filter_map(|file| file.entry_of(docker.site.mirror))
        .map(|host| host.url.as_str());
    let mut asked = docker.entry().into_iter().chain(in_files);
    let by_proxy = asked.find_map(|address| Some((address, proxy_for(address, &docker.environment)?)));
    let finding = |(address, proxy): (&str, &str)| {
        let what = format!("Docker has the proxy {proxy}, and asks the mirror at {address} through it");
        let mend = format!("Name the mirror as {}, or add its host to no-proxy.", docker.site.mirror);
        Finding::new(what, mend).run("systemctl restart docker")
    };
    by_proxy.map(finding).into_iter().collect()
}

async fn stale(context: Arc<Context>) -> Outcome {
    let found = found::<Docker>(&context).await;
    let Found::Here(docker) = &*found else { return Outcome::skipped("Docker is not on this host") };
    let (Some(engine), Some(address)) = (Engine::of(&context), docker.entry()) else {
        return Outcome::skipped("Docker does not run, or daemon.json names no mirror");
    };
    match engine.mirrors().await {
        Ok(mirrors) if mirrors.iter().any(|known| docker.site.mirror.relation(known) == Relation::Mirror) => {
            Outcome::well("the running Docker has it")
        }
        Ok(_) => {
            let what = format!("{DOCKER_CONFIG} names {address}, and the running Docker has no such mirror");
            Outcome::wrong(Finding::new(what, "Have it reload its configuration.").run(RELOAD))
        }
        Err(error) => Outcome::skipped(format!("Docker does not tell: {error}")),
    }
}
