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
    fn resolve<'a>(&'a self, _: &'a ImageName, _: &'a Tag) -> BoxFuture<'a, Result<Descriptor, OriginError>> {
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

fn setup(config: TagsConfig, answers: impl IntoIterator<Item = Result<Descriptor, OriginError>>) -> Setup {
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
        family.expect("registered").get_metric()[0].get_counter().get_value()
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
    Trouble { url: PublicUrl::from(&Url::parse("https://r.test/").expect("valid")), what: "fails".to_owned() }
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
