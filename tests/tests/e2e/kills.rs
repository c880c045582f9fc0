//! `kill -9` for a peer at any moment of a pull: the runtime goes on at the registry, and the pull succeeds.

use std::{
    env, fmt,
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures::future::join_all;
use shoal_tests::{
    cluster::Cluster,
    containerd::{Client, Containerd, Settings, Version},
    http,
    image::{Content, Layer, Manifest, architecture},
    push::Pusher,
    registry::LoggedRequest,
    scratch::Scratch,
    shoal::Node,
    stored::{Image, REGISTRY_HOST},
    wait::eventually,
};

/// How many kills for each version of containerd; the acceptance takes 200.
const KILLS: &str = "SHOAL_KILLS";
/// The random seed of a run to repeat.
const SEED: &str = "SHOAL_KILLS_SEED";
const DEFAULT_KILLS: usize = 4;
/// Runtimes of one version at a time, each with a peer of its own.
const LANES: usize = 2;
/// A layer of the largest size takes a second and a half, so that kills fall within it.
const LINK_BYTES_PER_S: u64 = 1024 * 1024;
const LAYER_BYTES: [u64; 3] = [200_000, 800_000, 1_500_000];
const READY_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_outlives_the_peer_at_any_moment() {
    let kills = number(KILLS).unwrap_or(DEFAULT_KILLS as u64) as usize;
    let seed = number(SEED).unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("{kills} kills for each version; to repeat them: {KILLS}={kills} {SEED}={seed}");

    let scratch = Scratch::new("kills");
    let storage = scratch.data().join("storage");
    let versions = Version::ALL.map(|version| std::iter::repeat_n(version, LANES)).into_iter().flatten();
    let mut cluster = Cluster::logging(&storage, Vec::new(), 1, LANES * Version::ALL.len()).await;
    cluster.link.limit_each(LINK_BYTES_PER_S);
    let peers = std::mem::take(&mut cluster.peers);
    let lanes = versions.zip(peers).zip(0..).map(async |((version, peer), number)| {
        let random = Rng::with_seed(seed + number);
        let lane = Lane::start(&cluster, &scratch, version, peer, number, random).await;
        lane.run(kills.div_ceil(LANES)).await
    });
    let trials: Vec<Trial> = join_all(lanes).await.into_iter().flatten().collect();
    for version in Version::ALL {
        println!("containerd {version:?}: {}", Summary::of(&trials, version));
    }
    let failed: Vec<_> = trials.iter().filter_map(|trial| trial.failure.as_ref()).collect();
    assert!(failed.is_empty(), "{} of {} pulls failed: {failed:#?}", failed.len(), trials.len());
    for version in Version::ALL {
        let summary = Summary::of(&trials, version);
        assert!(summary.within_the_pull * 2 >= summary.kills, "too late to prove anything: {summary}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

/// One runtime and its peer, which is killed again and again.
struct Lane<'a> {
    cluster: &'a Cluster,
    scratch: &'a Scratch,
    version: Version,
    containerd: Containerd,
    peer: Node,
    number: u64,
    random: Rng,
}

/// What came of one kill.
struct Trial {
    version: Version,
    killed_after: Duration,
    pulled_after: Duration,
    /// Requests that the peer had answered to their end when it was killed.
    answered: usize,
    /// Whether the runtime asked the registry for the rest of a layer that had begun at the peer.
    resumed: bool,
    failure: Option<String>,
}

impl<'a> Lane<'a> {
    async fn start(
        cluster: &'a Cluster,
        scratch: &'a Scratch,
        version: Version,
        peer: Node,
        number: u64,
        random: Rng,
    ) -> Self {
        // Once the peer is gone, the rest comes at the registry's own speed.
        let origin = cluster.registry.address();
        let settings = Settings { version, ..Settings::new(Some(peer.mirror()), origin) };
        let containerd = Containerd::start_with(&settings).await;
        Self { cluster, scratch, version, containerd, peer, number, random }
    }

    async fn run(mut self, kills: usize) -> Vec<Trial> {
        let mut longest = Duration::ZERO;
        for round in 0..2 {
            let image = self.push(&format!("whole-{round}")).await;
            let started = Instant::now();
            self.containerd.pull(Client::Cri, &image.by_tag()).await.unwrap();
            longest = longest.max(started.elapsed());
        }
        let mut trials = Vec::new();
        for round in 0..kills {
            self.comes_back().await;
            trials.push(self.kill_once(&format!("kill-{round}"), longest).await);
        }
        trials
    }

    /// Kills the peer at a time that is drawn from all of a pull's.
    async fn kill_once(&mut self, name: &str, longest: Duration) -> Trial {
        let image = self.push(name).await;
        let killed_after = longest.mul_f64(self.random.f64());
        let answered_before = self.peer.mirror_requests().len();
        let started = Instant::now();
        let reference = image.by_tag();
        let pull = async {
            let pulled = self.containerd.pull(Client::Cri, &reference).await;
            (pulled, started.elapsed())
        };
        let kill = async {
            tokio::time::sleep(killed_after).await;
            self.peer.kill();
            self.peer.mirror_requests().len() - answered_before
        };
        let ((pulled, pulled_after), answered) = tokio::join!(pull, kill);
        let requests = self.cluster.registry.requests();
        let rest_of_a_layer = |request: &LoggedRequest| {
            request.agent.starts_with("containerd")
                && request.status == 206
                && request.target.contains(&image.repository)
        };
        let trial = Trial {
            version: self.version,
            killed_after,
            pulled_after,
            answered,
            resumed: requests.iter().any(rest_of_a_layer),
            failure: pulled.err().map(|error| format!("{reference}, killed after {killed_after:?}: {error}")),
        };
        // The disk is to hold one image at a time; one that failed is not there.
        let _ = self.containerd.remove(Client::Cri, &reference).await;
        trial
    }

    /// An image that nobody has seen before.
    async fn push(&mut self, name: &str) -> Image {
        let repository = format!("kills/{}/{name}", self.number);
        let layers = LAYER_BYTES.map(|len_bytes| {
            let noise = Content::Noise { len_bytes, seed: self.random.u64(..) };
            let file = self.scratch.data().join(format!("layer-{}-{len_bytes}", self.number));
            Layer::of_files(file, [(format!("srv/{len_bytes}"), noise)])
        });
        let manifest = Manifest::of_layers(architecture(), layers.to_vec(), 0);
        Pusher::new(self.cluster.registry.address()).push(&repository, "v1", &manifest).await;
        Image::stored(&self.scratch.data().join("storage"), &repository, "v1")
    }

    /// Starts the peer again, and waits until its mirror has what the seed can get.
    async fn comes_back(&mut self) {
        self.peer.restart().await;
        let url = self.peer.url(&format!("kills/{}/whole-0/manifests/v1", self.number));
        let what = format!("the mirror of {} to answer for {REGISTRY_HOST}", self.peer.name());
        eventually(&what, READY_WITHIN, async || {
            let answer = http::client().head(&url).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
    }
}

/// What came of all kills for one version.
struct Summary {
    kills: usize,
    failed: usize,
    within_the_pull: usize,
    before_any_answer: usize,
    within_a_layer: usize,
    longest_pull: Duration,
}

impl Summary {
    fn of(trials: &[Trial], version: Version) -> Self {
        let trials: Vec<_> = trials.iter().filter(|trial| trial.version == version).collect();
        let count = |test: &dyn Fn(&Trial) -> bool| trials.iter().filter(|trial| test(trial)).count();
        Self {
            kills: trials.len(),
            failed: count(&|trial| trial.failure.is_some()),
            within_the_pull: count(&|trial| trial.killed_after < trial.pulled_after),
            before_any_answer: count(&|trial| trial.answered == 0),
            within_a_layer: count(&|trial| trial.resumed),
            longest_pull: trials.iter().map(|trial| trial.pulled_after).max().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} pulls failed; {} kills fell within the pull, {} of them before the mirror had answered \
             anything, {} within a layer that the runtime then resumed; longest pull {:.1?}",
            self.kills,
            self.failed,
            self.within_the_pull,
            self.before_any_answer,
            self.within_a_layer,
            self.longest_pull,
        )
    }
}
