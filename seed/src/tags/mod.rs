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

#[cfg(test)]
mod tests;

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
    /// Most tags kept in memory; past it, new answers are kept only when others have ended.
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
