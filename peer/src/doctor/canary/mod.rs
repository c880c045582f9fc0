//! The canary: each runtime of this host pulls a tiny image by a tag of its own, which counts only if the node saw it.
//!
//! The node makes the image and keeps it for that one pull ([`crate::canary`]). The runtime pulls it as it would any
//! other, so whatever lies between the two is tried: files, folders, versions, proxies. Afterwards the image is removed.

mod cri;
mod engine;
mod flight;
mod podman;
mod unix;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

pub(super) use self::engine::Engine;
use self::flight::Client;
use super::{
    Category, Check, Context, Needs, Outcome, Severity,
    runtimes::{self, Containerd, Containers, Docker, Found, found},
};

pub(super) const CHECKS: &[Check] = &[CONTAINERD, DOCKER, CONTAINERS];

/// Longer than all that a flight waits for, so that the image is removed however the pull ends.
const DEADLINE: Duration = Duration::from_secs(20);

const PULL: Check = Check {
    id: "",
    category: Category::Pulls,
    severity: Severity::Failure,
    depends_on: &[],
    needs: Needs::Node,
    deadline: DEADLINE,
    title: "",
    why: "Whatever the files say, only a pull that comes through Shoal proves that pulls do.",
    mend: "Mend what the checks of the runtime found; where they found nothing, restart it.",
    probe: |_| Box::pin(async { Outcome::skipped("") }),
};

const CONTAINERD: Check = Check {
    id: "containerd-canary",
    depends_on: &["node-answers", "containerd-config", "containerd-mirror"],
    title: "a pull by containerd comes through Shoal",
    probe: |context| containerd(context),
    ..PULL
};

const DOCKER: Check = Check {
    id: "docker-canary",
    depends_on: &["node-answers", "docker-config", "docker-mirror"],
    title: "a pull by Docker comes through Shoal",
    probe: |context| docker(context),
    ..PULL
};

const CONTAINERS: Check = Check {
    id: "containers-canary",
    depends_on: &["node-answers", "containers-config", "containers-mirror"],
    title: "a pull by Podman or CRI-O comes through Shoal",
    probe: |context| containers(context),
    ..PULL
};

fn containerd(context: Arc<Context>) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let found = found::<Containerd>(&context).await;
        let Found::Here(containerd) = &*found else {
            return Outcome::skipped("containerd does not pull for Kubernetes here");
        };
        let socket = context.root().on_disk(&containerd.socket());
        if !socket.exists() {
            return Outcome::skipped("containerd does not run");
        }
        let Some(place) = containerd.canary_place() else {
            return Outcome::skipped("nothing that containerd reads names the mirror");
        };
        flight::fly(&context, &Client::Cri(cri::Cri::new(socket)), &place, runtimes::CONTAINERD).await
    })
}

fn docker(context: Arc<Context>) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let found = found::<Docker>(&context).await;
        let Found::Here(docker) = &*found else {
            return Outcome::skipped("Docker is not on this host");
        };
        let Some(engine) = Engine::of(&context) else { return Outcome::skipped("Docker does not run") };
        let Some(place) = docker.canary_place() else {
            return Outcome::skipped("nothing that Docker reads names the mirror");
        };
        flight::fly(&context, &Client::Engine(engine), &place, runtimes::DOCKER).await
    })
}

fn containers(context: Arc<Context>) -> BoxFuture<'static, Outcome> {
    const SOCKETS: [&str; 2] = ["/run/crio/crio.sock", "/var/run/crio/crio.sock"];
    Box::pin(async move {
        let found = found::<Containers>(&context).await;
        let Found::Here(containers) = &*found else {
            return Outcome::skipped("neither Podman nor CRI-O is on this host");
        };
        let Some(place) = containers.canary_place() else {
            return Outcome::skipped("no entry for a whole registry names the mirror");
        };
        let podman = || runtimes::find_program(context.root(), "podman").map(podman::Podman::new);
        let client = match unix::first_of(&context, &SOCKETS) {
            Some(socket) => Client::Cri(cri::Cri::new(socket)),
            None => match podman() {
                Some(podman) => Client::Podman(podman),
                None => return Outcome::skipped("CRI-O does not run"),
            },
        };
        flight::fly(&context, &client, &place, runtimes::CONTAINERS).await
    })
}
