//! What repositories list, as the owner of a repository remembers it.
//!
//! Like a tag, a page of a list is asked for once by however many at a time, serves for a short while, and for longer
//! while the origin can't be asked. Unlike tags, lists are kept in memory only.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use shoal_protocol::{
    listing::{ListQuery, Listing},
    reference::ImageName,
};
use tokio::time::Instant;

use crate::{
    metrics::OriginMetrics,
    origin::{ListPage, OriginError, Origins},
    single_flight::SingleFlight,
};

#[cfg(test)]
mod tests;

/// What a page takes beside its document and the query: names, an error's words, the map's own.
const PAGE_OVERHEAD_BYTES: usize = 1024;

/// Where lists are looked up when memory does not do.
pub trait ListOrigin: Send + Sync {
    /// A page of a list, as it is now.
    fn list<'a>(
        &'a self,
        image: &'a ImageName,
        listing: &'a Listing,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<ListPage, OriginError>>;
}

/// A page, as far as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPage {
    /// What the origin gave.
    pub page: ListPage,
    /// How old it is, when the origin could not be asked now.
    pub stale: Option<Duration>,
}

/// How long lists are remembered, and how much of them.
#[derive(Clone, Debug)]
pub struct ListsConfig {
    /// How long a page serves without asking again; also how long a failing origin is left alone.
    pub fresh: Duration,
    /// How long "there is no such list" serves.
    pub missing: Duration,
    /// Oldest page that serves while the origin can't be asked.
    pub max_stale: Duration,
    /// Most bytes of pages in memory; past it the oldest are forgotten.
    pub max_bytes: usize,
}

impl Default for ListsConfig {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(10),
            missing: Duration::from_secs(1),
            max_stale: Duration::from_secs(24 * 3600),
            // Eight of the longest pages, or some ten thousand usual ones.
            max_bytes: 32 * 1024 * 1024,
        }
    }
}

type Key = (ImageName, Listing, ListQuery);
type Outcome = Result<KnownPage, OriginError>;

/// Lists for everyone who asks this node.
pub struct Lists {
    origin: Arc<dyn ListOrigin>,
    config: ListsConfig,
    metrics: OriginMetrics,
    memory: Mutex<Memory>,
    flights: SingleFlight<Key, Outcome>,
}

#[derive(Default)]
struct Memory {
    kept: HashMap<Key, Kept>,
    bytes: usize,
}

#[derive(Clone)]
struct Kept {
    /// The page, or the origin's word that there is none.
    answer: Result<ListPage, OriginError>,
    confirmed_at: Instant,
    /// Until when it serves without a question to the origin.
    until: Instant,
    /// Whether the origin could not be asked lately.
    is_stale: bool,
}

impl Lists {
    /// Remembers nothing yet.
    pub fn new(origin: Arc<dyn ListOrigin>, config: ListsConfig, metrics: OriginMetrics) -> Self {
        Self { origin, config, metrics, memory: Mutex::default(), flights: SingleFlight::new() }
    }

    /// A page of a list.
    ///
    /// # Errors
    /// When the origin says that there is none, or can't be asked and no page young enough is remembered.
    pub async fn page(&self, image: &ImageName, listing: &Listing, query: &ListQuery) -> Outcome {
        let key = (image.clone(), *listing, query.clone());
        let fresh = self.lock().kept.get(&key).filter(|kept| Instant::now() < kept.until).cloned();
        let outcome = match fresh {
            Some(kept) => kept.outcome(),
            None => self.flights.run(key.clone(), || self.ask(&key)).await,
        };
        if outcome.as_ref().is_ok_and(|known| known.stale.is_some()) {
            self.metrics.listed_stale();
        }
        outcome
    }

    async fn ask(&self, key: &Key) -> Outcome {
        let (image, listing, query) = key;
        let now = Instant::now();
        let kept = |answer, serves| Kept { answer, confirmed_at: now, until: now + serves, is_stale: false };
        match self.origin.list(image, listing, query).await {
            Ok(page) => self.keep(key, kept(Ok(page), self.config.fresh)).outcome(),
            Err(error @ OriginError::NotFound(_)) => {
                self.keep(key, kept(Err(error), self.config.missing)).outcome()
            }
            Err(error) if error.is_temporary() => match self.last_known(key) {
                Some(last) => {
                    tracing::warn!(%image, %listing, %error, "answered from memory");
                    let until = Instant::now() + self.config.fresh;
                    self.keep(key, Kept { until, is_stale: true, ..last }).outcome()
                }
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn last_known(&self, key: &Key) -> Option<Kept> {
        let kept = self.lock().kept.get(key).cloned()?;
        (kept.answer.is_ok() && kept.confirmed_at.elapsed() <= self.config.max_stale).then_some(kept)
    }

    fn keep(&self, key: &Key, kept: Kept) -> Kept {
        let mut memory = self.lock();
        memory.remove(key);
        memory.bytes += kept.len_bytes(key);
        memory.kept.insert(key.clone(), kept.clone());
        while memory.bytes > self.config.max_bytes && memory.forget_oldest() {}
        kept
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn remove(&mut self, key: &Key) {
        if let Some(kept) = self.kept.remove(key) {
            self.bytes -= kept.len_bytes(key);
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.confirmed_at);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else { return false };
        self.remove(&key);
        true
    }
}

impl Kept {
    fn len_bytes(&self, (_, _, query): &Key) -> usize {
        let document_bytes = self.answer.as_ref().map_or(0, |page| page.document.len());
        PAGE_OVERHEAD_BYTES + query.as_str().len() + document_bytes
    }

    fn outcome(self) -> Outcome {
        let stale = self.is_stale.then(|| self.confirmed_at.elapsed());
        self.answer.map(|page| KnownPage { page, stale })
    }
}

impl ListOrigin for Origins {
    fn list<'a>(
        &'a self,
        image: &'a ImageName,
        listing: &'a Listing,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<ListPage, OriginError>> {
        Box::pin(Self::list(self, image, listing, query))
    }
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lists").field("config", &self.config).finish_non_exhaustive()
    }
}
