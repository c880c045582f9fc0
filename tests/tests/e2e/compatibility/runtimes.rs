//! The runtimes, each set up as its users do.

use std::{sync::Arc, time::Instant};

use futures::future::join_all;
use shoal_tests::{
    compatibility::{Cell, Outcome, Row, Tried},
    containerd::{self, Client, Containerd, Form, Origin, Puller},
    docker::{self, Docker, Store, Told},
    path_prefixed::{Generation, PathPrefixed, Tool},
    registry::login,
    relay::Relay,
    stored::{Image, PLAIN_REGISTRY_HOST, REGISTRY_HOST},
};

use super::{
    seen,
    world::{DOCKER_HUB, PLAIN_PRIVATE_HOST, PRIVATE_HOST, World},
};

/// One request brings all of it.
const SMALL_LAYER_BYTES: u64 = 20_000;
/// Several times what the links to the registries let through before they hold.
const LARGE_LAYER_BYTES: u64 = 6 * 1024 * 1024;

/// Requests for such a layer by a runtime that sends several at a time; others send one, and one more to resume.
const AT_A_TIME: usize = 3;

/// One runtime, set up in one way.
pub(super) struct Contender {
    /// What was seen of it so far.
    pub(super) row: Row,
    /// Between it and the mirror.
    pub(super) link: Arc<Relay>,
    /// Whether it is chance that decides what becomes of a layer that breaks off.
    by_chance: bool,
    runtime: Runtime,
}

enum Runtime {
    Containerd(Arc<Containerd>, Client),
    Docker(Box<Docker>, Names),
    PathPrefixed(PathPrefixed),
}

/// What a Docker daemon calls the registries.
#[derive(Clone, Copy)]
enum Names {
    OfDockerHub,
    OfRegistries,
}

/// All of them, started.
pub(super) async fn contenders(world: &World) -> Vec<Contender> {
    use containerd::Version::{V1_6, V1_7, V2_1};
    let mut contenders = Vec::new();
    let containerds = [
        (V1_6, Form::Hosts, Puller::Default),
        (V1_6, Form::Mirrors, Puller::Default),
        (V1_7, Form::Hosts, Puller::Default),
        (V1_7, Form::Mirrors, Puller::Default),
        (V2_1, Form::Hosts, Puller::Default),
        (V2_1, Form::Hosts, Puller::Local),
        (V2_1, Form::Hosts, Puller::Parallel),
        (V2_1, Form::Mirrors, Puller::Default),
    ];
    let start = |(version, form, puller)| containerds_of(world, version, form, puller);
    contenders.extend(join_all(containerds.map(start)).await.into_iter().flatten());

    use docker::Version::{V20_10, V26_1, V28_5};
    let mirrors = || Told::Mirrors { hub: world.hub.clone() };
    let dockers = [
        (V20_10, Store::Classic, mirrors()),
        (V26_1, Store::Classic, mirrors()),
        (V26_1, Store::Containerd, mirrors()),
        (V28_5, Store::Classic, mirrors()),
        (V28_5, Store::Containerd, mirrors()),
        (V28_5, Store::Containerd, Told::Hosts { origins: origins(world) }),
    ];
    let start = |(version, store, told)| docker(world, version, store, told);
    contenders.extend(join_all(dockers.map(start)).await);
    for generation in [Generation::Bookworm, Generation::Trixie] {
        for tool in [Tool::Podman, Tool::Buildah, Tool::Skopeo] {
            contenders.push(path_prefixed(world, tool, generation).await);
        }
    }
    contenders
}

impl Contender {
    /// Pulls an image for one cell, and notes how that went; nothing when the cell is not for this runtime.
    pub(super) async fn try_one(&mut self, world: &World, cell: Cell) {
        if cell == Cell::PrivateLogin && !matches!(self.runtime, Runtime::Containerd(_, Client::Cri)) {
            return;
        }
        let what = format!("{}: {cell:?}", self.row.what());
        let large = matches!(cell, Cell::Broken | Cell::Short);
        let layer_bytes = if large { LARGE_LAYER_BYTES } else { SMALL_LAYER_BYTES };
        let image = world.push(&format!("{}/{}", self.slug(), cell.name()), layer_bytes).await;
        let started = Instant::now();
        let pulled = self.pull(cell, &image).await;
        let took = started.elapsed();
        let outcome = match pulled {
            Ok(()) => {
                seen::outcome(world, cell, &image).await.unwrap_or_else(|error| panic!("{what}: {error}"))
            }
            Err(error) => {
                println!("{what}: {error}");
                Outcome::Failed
            }
        };
        let layer_requests = seen::layer_requests(world, &image);
        let parallel = self.by_chance && large;
        assert!(!parallel || layer_requests >= AT_A_TIME, "{what}: {layer_requests} requests for a layer");
        let outcome = if parallel { Outcome::Chance } else { outcome };
        self.row.tried.push(Tried { cell, outcome, took, layer_requests });
    }

    /// A name for it in repositories. It has no dot: Docker takes a name that has one for a registry.
    fn slug(&self) -> String {
        let name = self.row.what().to_lowercase();
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    }

    async fn pull(&self, cell: Cell, image: &Image) -> Result<(), String> {
        let host = self.host(cell);
        let reference = match cell {
            Cell::Digest => format!("{host}/{}@{}", image.repository, image.digest),
            _ => format!("{host}/{}:{}", image.repository, image.tag),
        };
        match &self.runtime {
            Runtime::Containerd(containerd, _) if cell == Cell::PrivateLogin => {
                containerd.pull_with(&login(), &reference).await
            }
            Runtime::Containerd(containerd, client) => containerd.pull(*client, &reference).await,
            Runtime::Docker(docker, _) => docker.pull(&reference).await,
            Runtime::PathPrefixed(tool) => tool.pull(&reference).await,
        }
    }

    fn host(&self, cell: Cell) -> &'static str {
        let private = matches!(cell, Cell::Private | Cell::PrivateLogin);
        match &self.runtime {
            Runtime::Docker(_, Names::OfDockerHub) => DOCKER_HUB,
            Runtime::PathPrefixed(_) if private => PLAIN_PRIVATE_HOST,
            Runtime::PathPrefixed(_) => PLAIN_REGISTRY_HOST,
            _ if private => PRIVATE_HOST,
            _ => REGISTRY_HOST,
        }
    }
}

fn row(runtime: &'static str, version: String, how: &'static str) -> Row {
    Row { runtime, version, how, tried: Vec::new() }
}

fn origins(world: &World) -> Vec<Origin> {
    vec![(REGISTRY_HOST.to_owned(), world.public()), (PRIVATE_HOST.to_owned(), world.private())]
}

async fn link(world: &World) -> Arc<Relay> {
    Arc::new(Relay::start(world.peer().mirror()).await)
}

/// A containerd, as the kubelet uses it and, where that is a way of its own, as `ctr` does.
async fn containerds_of(
    world: &World,
    version: containerd::Version,
    form: Form,
    puller: Puller,
) -> Vec<Contender> {
    let link = link(world).await;
    let settings =
        containerd::Settings { version, form, puller, mirror: Some(link.address()), origins: origins(world) };
    let containerd = Arc::new(Containerd::start_with(&settings).await);
    let how = match (form, puller) {
        (Form::Mirrors, _) => "CRI, `registry.mirrors`",
        (Form::Hosts, Puller::Default) => "CRI, `hosts.toml`",
        (Form::Hosts, Puller::Local) => "CRI, `hosts.toml`, `use_local_image_pull`",
        (Form::Hosts, Puller::Parallel) => "CRI, `hosts.toml`, layers in parallel requests",
    };
    let exact = containerd.exact_version().await;
    let by = |how, client| Contender {
        row: row("containerd", exact.clone(), how),
        link: Arc::clone(&link),
        // Of the requests that break off together, the first to be noticed decides.
        by_chance: puller == Puller::Parallel,
        runtime: Runtime::Containerd(Arc::clone(&containerd), client),
    };
    let mut contenders = vec![by(how, Client::Cri)];
    if (form, puller) == (Form::Hosts, Puller::Default) {
        contenders.push(by("`ctr --hosts-dir`", Client::Ctr));
    }
    contenders
}

async fn docker(world: &World, version: docker::Version, store: Store, told: Told) -> Contender {
    let link = link(world).await;
    let docker = Docker::start(version, store, &told, link.address()).await;
    let how = match (store, &told) {
        (Store::Classic, _) => "classic store, `registry-mirrors`",
        (Store::Containerd, Told::Mirrors { .. }) => "containerd store, `registry-mirrors`",
        (Store::Containerd, Told::Hosts { .. }) => "containerd store, `hosts.toml`",
    };
    let names = match told {
        Told::Mirrors { .. } => Names::OfDockerHub,
        Told::Hosts { .. } => Names::OfRegistries,
    };
    let row = row("Docker", docker.exact_version().await, how);
    Contender { row, link, by_chance: false, runtime: Runtime::Docker(Box::new(docker), names) }
}

async fn path_prefixed(world: &World, tool: Tool, generation: Generation) -> Contender {
    let link = link(world).await;
    let origins =
        [(PLAIN_REGISTRY_HOST.to_owned(), world.public()), (PLAIN_PRIVATE_HOST.to_owned(), world.private())];
    let runtime = PathPrefixed::new(tool, generation, link.address(), &origins);
    let name = match tool {
        Tool::Podman => "Podman",
        Tool::Buildah => "Buildah",
        Tool::Skopeo => "skopeo",
    };
    let row = row(name, runtime.exact_version().await, "`registries.conf`");
    Contender { row, link, by_chance: false, runtime: Runtime::PathPrefixed(runtime) }
}
