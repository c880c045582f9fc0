//! What tags stand for, as the owner of a repository remembers it.
//!
//! A tag is asked for once by however many at a time, and its answer is kept for a short while. When the origin can't
//! be asked, the last answer serves for longer, with its age said.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use shoal_protocol::reference::{ImageName, Tag};
use tokio::time::Instant;

use crate::{
    metrics::OriginMetrics,
    origin::{Descriptor, OriginError, Origins},
    single_flight::SingleFlight,
};

/// Where tags are looked up when memory does not do.
pub trait TagOrigin: Send + Sync {
    /// What `tag` stands for now.
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Descriptor, OriginError>>;
}

/// Keeps what tags stood for across restarts. Best effort: what it loses is asked for again.
pub trait TagMemory: Send + Sync {
    /// What was saved last for the tag.
    fn load<'a>(&'a self, image: &'a ImageName, tag: &'a Tag) -> BoxFuture<'a, Option<RememberedTag>>;

    /// Keeps `remembered`, or forgets the tag when that is `None`.
    fn save<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
        remembered: Option<&'a RememberedTag>,
    ) -> BoxFuture<'a, ()>;
}

/// What a tag stood for, and when the origin said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedTag {
    /// The manifest.
    pub descriptor: Descriptor,
    /// When the origin confirmed it.
    pub confirmed_at: SystemTime,
}

/// What a tag stands for, as far as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTag {
    /// The manifest.
    pub descriptor: Descriptor,
    /// How old the answer is, when the origin could not be asked now.
    pub stale: Option<Duration>,
}

/// How long tags are remembered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TagsConfig {
    /// How long an answer serves without asking again; also how long a failing origin is left alone.
    pub fresh_ms: u64,
    /// How long "there is no such tag" serves: short, as a push is often followed by a pull at once.
    pub missing_ms: u64,
    /// Oldest answer that serves while the origin can't be asked.
    pub max_stale_s: u64,
    /// Most tags kept in memory; past it the oldest answers go.
    pub max_tags: usize,
}

impl Default for TagsConfig {
    fn default() -> Self {
        Self { fresh_ms: 10_000, missing_ms: 1_000, max_stale_s: 24 * 3600, max_tags: 10_000 }
    }
}

type Key = (ImageName, Tag);
type Outcome = Result<ResolvedTag, OriginError>;

/// Resolves tags for everyone who asks this node.
pub struct Tags {
    origin: Arc<dyn TagOrigin>,
    memory: Arc<dyn TagMemory>,
    config: TagsConfig,
    metrics: OriginMetrics,
    recent: Mutex<HashMap<Key, Recent>>,
    flights: SingleFlight<Key, Outcome>,
}

/// An outcome that serves until a moment.
struct Recent {
    outcome: Answer,
    until: Instant,
}

#[derive(Clone)]
enum Answer {
    Fresh(Descriptor),
    /// The origin could not be asked a moment ago.
    Stale(RememberedTag),
    Missing(OriginError),
}

impl Tags {
    /// Remembers nothing yet but what is in `memory`.
    pub fn new(
        origin: Arc<dyn TagOrigin>,
        memory: Arc<dyn TagMemory>,
        config: TagsConfig,
        metrics: OriginMetrics,
    ) -> Self {
        let (recent, flights) = Default::default();
        Self { origin, memory, config, metrics, recent, flights }
    }

    /// What `tag` stands for.
    ///
    /// # Errors
    /// When the origin says that there is none, or can't be asked and no answer young enough is remembered.
    pub async fn resolve(&self, image: &ImageName, tag: &Tag) -> Result<ResolvedTag, OriginError> {
        let key = (image.clone(), tag.clone());
        let resolved = match self.recall(&key) {
            Some(answer) => answer.outcome(SystemTime::now()),
            None => self.flights.run(key.clone(), || self.ask(&key)).await,
        };
        if resolved.as_ref().is_ok_and(|tag| tag.stale.is_some()) {
            self.metrics.answered_stale();
        }
        resolved
    }

    async fn ask(&self, key: &Key) -> Outcome {
        let (image, tag) = key;
        let now = SystemTime::now();
        match self.origin.resolve(image, tag).await {
            Ok(descriptor) => {
                let remembered = RememberedTag { descriptor, confirmed_at: now };
                self.memory.save(image, tag, Some(&remembered)).await;
                self.keep(key, Answer::Fresh(remembered.descriptor), self.config.fresh_ms).outcome(now)
            }
            Err(error @ OriginError::NotFound(_)) => {
                self.memory.save(image, tag, None).await;
                self.keep(key, Answer::Missing(error), self.config.missing_ms).outcome(now)
            }
            Err(error) if error.is_temporary() => match self.last_known(key, now).await {
                Some(last) => {
                    tracing::warn!(%image, %tag, %error, "answered from memory");
                    self.keep(key, Answer::Stale(last), self.config.fresh_ms).outcome(now)
                }
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn last_known(&self, key: &Key, now: SystemTime) -> Option<RememberedTag> {
        let limit = Duration::from_secs(self.config.max_stale_s);
        self.memory.load(&key.0, &key.1).await.filter(|last| last.age(now) <= limit)
    }

    fn recall(&self, key: &Key) -> Option<Answer> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let found = recent.get(key)?;
        if Instant::now() < found.until {
            return Some(found.outcome.clone());
        }
        recent.remove(key);
        None
    }

    fn keep(&self, key: &Key, outcome: Answer, for_ms: u64) -> Answer {
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= self.config.max_tags {
            recent.retain(|_, answer| now < answer.until);
        }
        if recent.len() < self.config.max_tags {
            let until = now + Duration::from_millis(for_ms);
            recent.insert(key.clone(), Recent { outcome: outcome.clone(), until });
        }
        outcome
    }
}

impl RememberedTag {
    /// Zero when the clock was set back since.
    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.confirmed_at).unwrap_or_default()
    }
}

impl Answer {
    fn outcome(self, now: SystemTime) -> Outcome {
        match self {
            Self::Fresh(descriptor) => Ok(ResolvedTag { descriptor, stale: None }),
            Self::Stale(last) => Ok(ResolvedTag { stale: Some(last.age(now)), descriptor: last.descriptor }),
            Self::Missing(error) => Err(error),
        }
    }
}

impl TagOrigin for Origins {
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Descriptor, OriginError>> {
        Box::pin(Self::resolve(self, image, tag))
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::future::join_all;
    use reqwest::Url;
    use shoal_protocol::digest::{Algorithm, Digest};
    use tokio::task::yield_now;

    use super::*;
    use crate::origin::{PublicUrl, Trouble};

    /// Gives its answers in order, and the last one for ever.
    struct Script {
        answers: Mutex<VecDeque<Result<Descriptor, OriginError>>>,
        asked: AtomicUsize,
    }

    impl TagOrigin for Script {
        fn resolve<'a>(
            &'a self,
            _: &'a ImageName,
            _: &'a Tag,
        ) -> BoxFuture<'a, Result<Descriptor, OriginError>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let mut answers = self.answers.lock().expect("not poisoned");
            let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            Box::pin(async {
                yield_now().await;
                next.expect("an answer")
            })
        }
    }

    #[derive(Default)]
    struct Map(Mutex<HashMap<Key, RememberedTag>>);

    impl TagMemory for Map {
        fn load<'a>(&'a self, image: &'a ImageName, tag: &'a Tag) -> BoxFuture<'a, Option<RememberedTag>> {
            let found = self.0.lock().expect("not poisoned").get(&(image.clone(), tag.clone())).cloned();
            Box::pin(std::future::ready(found))
        }

        fn save<'a>(
            &'a self,
            image: &'a ImageName,
            tag: &'a Tag,
            remembered: Option<&'a RememberedTag>,
        ) -> BoxFuture<'a, ()> {
            let mut saved = self.0.lock().expect("not poisoned");
            match remembered {
                Some(remembered) => saved.insert((image.clone(), tag.clone()), remembered.clone()),
                None => saved.remove(&(image.clone(), tag.clone())),
            };
            Box::pin(std::future::ready(()))
        }
    }

    struct Setup {
        tags: Tags,
        origin: Arc<Script>,
        memory: Arc<Map>,
        metrics: prometheus::Registry,
    }

    fn setup(
        config: TagsConfig,
        answers: impl IntoIterator<Item = Result<Descriptor, OriginError>>,
    ) -> Setup {
        let answers = Mutex::new(answers.into_iter().collect());
        let origin = Arc::new(Script { answers, asked: AtomicUsize::new(0) });
        let (memory, metrics) = (Arc::new(Map::default()), prometheus::Registry::new());
        let counted = OriginMetrics::new(&metrics).expect("an empty registry");
        let tags = Tags::new(Arc::clone(&origin) as _, Arc::clone(&memory) as _, config, counted);
        Setup { tags, origin, memory, metrics }
    }

    impl Setup {
        async fn resolve(&self) -> Outcome {
            let (image, tag) = key();
            self.tags.resolve(&image, &tag).await
        }

        fn asked(&self) -> usize {
            self.origin.asked.load(Ordering::Relaxed)
        }

        fn stale_answers(&self) -> f64 {
            let families = self.metrics.gather();
            let family = families.iter().find(|family| family.name() == "shoal_tag_stale_answers_total");
            family.expect("registered").get_metric()[0].get_counter().value()
        }

        fn make_older(&self, by: Duration) {
            let mut saved = self.memory.0.lock().expect("not poisoned");
            saved.get_mut(&key()).expect("saved").confirmed_at -= by;
        }
    }

    fn key() -> Key {
        let image = ImageName {
            registry: "r.test".parse().expect("a host"),
            repository: "app".parse().expect("a repository"),
        };
        (image, "latest".parse().expect("a tag"))
    }

    /// Answers are out of date at once.
    fn forgetful() -> TagsConfig {
        TagsConfig { fresh_ms: 0, missing_ms: 0, ..TagsConfig::default() }
    }

    fn version(number: u8) -> Descriptor {
        let digest = Digest::of(Algorithm::Sha256, &[number]);
        Descriptor { media_type: "application/json".to_owned(), digest, size_bytes: 1 }
    }

    fn fresh(number: u8) -> Outcome {
        Ok(ResolvedTag { descriptor: version(number), stale: None })
    }

    fn trouble() -> Trouble {
        Trouble {
            url: PublicUrl::from(&Url::parse("https://r.test/").expect("valid")),
            what: "fails".to_owned(),
        }
    }

    fn down() -> OriginError {
        OriginError::Unavailable { trouble: trouble(), retry_after: None }
    }

    #[tokio::test]
    async fn many_askers_cost_one_request_and_a_fresh_answer_none() {
        let setup = setup(TagsConfig::default(), [Ok(version(1)), Ok(version(2))]);
        for resolved in join_all((0..50).map(|_| setup.resolve())).await {
            assert_eq!(resolved, fresh(1));
        }
        assert_eq!(setup.resolve().await, fresh(1));
        assert_eq!(setup.asked(), 1);
    }

    #[tokio::test]
    async fn an_old_answer_is_asked_for_again() {
        let setup = setup(forgetful(), [Ok(version(1)), Ok(version(2))]);
        assert_eq!(setup.resolve().await, fresh(1));
        assert_eq!(setup.resolve().await, fresh(2));
    }

    #[tokio::test]
    async fn a_stale_answer_says_so_and_is_counted() {
        let setup = setup(forgetful(), [Ok(version(1)), Err(down())]);
        setup.resolve().await.expect("fresh");
        setup.make_older(Duration::from_secs(3600));
        let stale = setup.resolve().await.expect("stale");
        assert_eq!(stale.descriptor, version(1));
        let age = stale.stale.expect("said");
        assert!((3600..3660).contains(&age.as_secs()), "{age:?}");
        assert_eq!(setup.stale_answers(), 1.0);
    }

    #[tokio::test]
    async fn too_old_an_answer_does_not_serve() {
        let setup = setup(forgetful(), [Ok(version(1)), Err(down())]);
        setup.resolve().await.expect("fresh");
        setup.make_older(Duration::from_secs(25 * 3600));
        assert_eq!(setup.resolve().await, Err(down()));
    }

    #[tokio::test]
    async fn a_failing_origin_is_left_alone_for_a_while() {
        let setup = setup(TagsConfig::default(), [Err(down())]);
        let remembered = RememberedTag { descriptor: version(1), confirmed_at: SystemTime::now() };
        let (image, tag) = key();
        setup.memory.save(&image, &tag, Some(&remembered)).await;
        for _ in 0..3 {
            assert!(setup.resolve().await.expect("from before the restart").stale.is_some());
        }
        assert_eq!(setup.asked(), 1);
        assert_eq!(setup.stale_answers(), 3.0);
    }

    #[tokio::test]
    async fn a_tag_that_was_removed_is_forgotten() {
        let gone = OriginError::NotFound(trouble());
        let setup = setup(forgetful(), [Ok(version(1)), Err(gone.clone()), Err(down())]);
        setup.resolve().await.expect("fresh");
        assert_eq!(setup.resolve().await, Err(gone));
        assert_eq!(setup.resolve().await, Err(down()), "nothing is left to serve stale");
    }

    #[tokio::test]
    async fn a_missing_tag_is_remembered_briefly() {
        let gone = OriginError::NotFound(trouble());
        let config = TagsConfig { missing_ms: 3_600_000, ..TagsConfig::default() };
        let setup = setup(config, [Err(gone.clone()), Ok(version(1))]);
        assert_eq!(setup.resolve().await, Err(gone.clone()));
        assert_eq!(setup.resolve().await, Err(gone));
        assert_eq!(setup.asked(), 1);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let setup = setup(TagsConfig { max_tags: 2, ..TagsConfig::default() }, [Ok(version(1))]);
        for tag in ["a", "b", "c", "d"] {
            setup.tags.resolve(&key().0, &tag.parse().expect("a tag")).await.expect("fresh");
        }
        assert_eq!(setup.tags.recent.lock().expect("not poisoned").len(), 2);
    }
}
