use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use reqwest::Url;
use tokio::task::yield_now;

use super::*;
use crate::origin::{PublicUrl, Trouble};

/// Gives its answers in order, and the last one for ever.
struct Script {
    answers: Mutex<VecDeque<Result<ListPage, OriginError>>>,
    asked: AtomicUsize,
}

impl ListOrigin for Script {
    fn list<'a>(
        &'a self,
        _: &'a ImageName,
        _: &'a Listing,
        _: &'a ListQuery,
    ) -> BoxFuture<'a, Result<ListPage, OriginError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().expect("not poisoned");
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async {
            yield_now().await;
            next.expect("an answer")
        })
    }
}

struct Setup {
    lists: Lists,
    origin: Arc<Script>,
    metrics: prometheus::Registry,
}

fn setup(config: ListsConfig, answers: impl IntoIterator<Item = Result<ListPage, OriginError>>) -> Setup {
    let answers = Mutex::new(answers.into_iter().collect());
    let origin = Arc::new(Script { answers, asked: AtomicUsize::new(0) });
    let metrics = prometheus::Registry::new();
    let counted = OriginMetrics::new(&metrics).expect("an empty registry");
    Setup { lists: Lists::new(Arc::clone(&origin) as _, config, counted), origin, metrics }
}

impl Setup {
    async fn page(&self, query: &str) -> Outcome {
        let image = ImageName {
            registry: "r.test".parse().expect("a host"),
            repository: "app".parse().expect("a repository"),
        };
        self.lists.page(&image, &Listing::Tags, &query.parse().expect("a query")).await
    }

    fn asked(&self) -> usize {
        self.origin.asked.load(Ordering::Relaxed)
    }

    fn stale_answers(&self) -> f64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == "shoal_list_stale_answers_total");
        family.expect("registered").get_metric()[0].get_counter().get_value()
    }
}

/// Answers are out of date at once.
fn forgetful() -> ListsConfig {
    ListsConfig { fresh: Duration::ZERO, missing: Duration::ZERO, ..ListsConfig::default() }
}

fn page(len_bytes: usize) -> ListPage {
    ListPage { document: vec![b' '; len_bytes].into(), filters: None, next: None }
}

fn fresh(len_bytes: usize) -> Outcome {
    Ok(KnownPage { page: page(len_bytes), stale: None })
}

fn trouble() -> Trouble {
    Trouble { url: PublicUrl::from(&Url::parse("https://r.test/").expect("valid")), what: "fails".to_owned() }
}

fn down() -> OriginError {
    OriginError::Unavailable { trouble: trouble(), retry_after: None }
}

#[tokio::test]
async fn many_askers_cost_one_request_for_each_page() {
    let setup = setup(ListsConfig::default(), [Ok(page(1)), Ok(page(2))]);
    for outcome in join_all((0..50).map(|_| setup.page("n=1"))).await {
        assert_eq!(outcome, fresh(1));
    }
    assert_eq!(setup.page("n=1").await, fresh(1));
    assert_eq!(setup.page("n=1&last=a").await, fresh(2));
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn an_old_page_is_asked_for_again_and_serves_while_the_origin_is_down() {
    let setup = setup(forgetful(), [Ok(page(1)), Ok(page(2)), Err(down())]);
    assert_eq!(setup.page("").await, fresh(1));
    assert_eq!(setup.page("").await, fresh(2));
    let stale = setup.page("").await.expect("stale");
    assert_eq!(stale.page, page(2));
    assert!(stale.stale.is_some());
    assert_eq!(setup.stale_answers(), 1.0);
    assert_eq!(setup.page("n=1").await, Err(down()), "it is another page");
}

#[tokio::test]
async fn an_origin_that_is_down_is_left_alone_for_a_while() {
    let mut setup = setup(forgetful(), [Ok(page(1)), Err(down())]);
    setup.page("").await.expect("fresh");
    setup.lists.config.fresh = Duration::from_secs(3600);
    for _ in 0..5 {
        assert!(setup.page("").await.expect("stale").stale.is_some());
    }
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn too_old_a_page_does_not_serve() {
    let setup = setup(ListsConfig { max_stale: Duration::ZERO, ..forgetful() }, [Ok(page(1)), Err(down())]);
    setup.page("").await.expect("fresh");
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(setup.page("").await, Err(down()));
}

#[tokio::test]
async fn what_is_not_there_is_remembered_shortly_and_never_for_what_was_there() {
    let gone = OriginError::NotFound(trouble());
    let config = ListsConfig { missing: Duration::from_secs(3600), ..forgetful() };
    let setup = setup(config, [Ok(page(1)), Err(gone.clone()), Err(down())]);
    setup.page("").await.expect("fresh");
    for _ in 0..3 {
        assert_eq!(setup.page("").await, Err(gone.clone()));
    }
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn memory_is_bounded_and_the_oldest_page_goes_first() {
    let config = ListsConfig { max_bytes: 10_000, ..ListsConfig::default() };
    let setup = setup(config, [Ok(page(3_000))]);
    for query in ["a", "b", "c"] {
        setup.page(query).await.expect("fresh");
    }
    assert_eq!(setup.asked(), 3);
    setup.page("c").await.expect("remembered");
    setup.page("b").await.expect("remembered");
    assert_eq!(setup.asked(), 3);
    setup.page("a").await.expect("asked for again");
    assert_eq!(setup.asked(), 4);
    let memory = setup.lists.memory.lock().expect("not poisoned");
    assert!(memory.bytes <= 10_000, "{}", memory.bytes);
    assert_eq!(memory.bytes, memory.kept.iter().map(|(key, kept)| kept.len_bytes(key)).sum::<usize>());
}

#[tokio::test]
async fn a_page_larger_than_memory_is_passed_on_and_forgotten() {
    let setup = setup(ListsConfig { max_bytes: 10, ..ListsConfig::default() }, [Ok(page(100))]);
    assert_eq!(setup.page("").await, fresh(100));
    assert_eq!(setup.page("").await, fresh(100));
    assert_eq!(setup.asked(), 2);
}
