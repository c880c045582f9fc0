//! Token services: how they want to be asked, and what ends a token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use http::Method;
use shoal_seed::{config::RegistryConfig, origin::OriginError};

use crate::support::{Reply, Seen, TestOrigin, config, digest, image, origins, with_account};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;

/// A registry that opens to `Bearer NAME-n` for the newest n that its token service gave out.
struct Guarded {
    registry: TestOrigin,
    service: TestOrigin,
    newest: Arc<AtomicU32>,
}

impl Guarded {
    /// `gives` says for each request to the token service whether it gets a token; anything else gets its answer.
    /// `refuses` makes the registry's answer to whoever has no good token.
    async fn start(
        gives: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
        refuses: impl Fn(&str, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let newest = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&newest);
        let service = TestOrigin::start(move |seen| {
            gives(seen).unwrap_or_else(|| {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                Reply::bytes(format!(r#"{{"access_token": "t-{number}", "expires_in": 300}}"#))
            })
        })
        .await;
        let (realm, valid) = (service.url.clone(), Arc::clone(&newest));
        let registry = TestOrigin::start(move |seen| {
            let newest = format!("Bearer t-{}", valid.load(Ordering::SeqCst));
            match seen.header("authorization") == Some(&newest) {
                true => Reply::manifest(MANIFEST),
                false => refuses(&realm, seen),
            }
        })
        .await;
        Self { registry, service, newest }
    }

    /// One whose registry answers 401 with a challenge.
    async fn challenging(gives: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::start(gives, |realm, _| crate::support::bearer_challenge(realm)).await
    }

    fn config(&self) -> RegistryConfig {
        with_account(config(&[&self.registry]))
    }

    /// Makes every token so far worthless.
    fn end_tokens(&self) {
        self.newest.fetch_add(1, Ordering::SeqCst);
    }

    fn asked(&self, method: &Method) -> usize {
        self.service.seen().iter().filter(|seen| seen.method == *method).count()
    }
}

async fn get(origins: &shoal_seed::origin::Origins) -> Result<(), OriginError> {
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.map(|_| ())
}

async fn refusing_get(status: u16) {
    let guarded = Guarded::challenging(move |seen| match seen.method {
        Method::GET => Some(Reply::status(status)),
        _ => None,
    })
    .await;
    let origins = origins(guarded.config());
    get(&origins).await.expect("served");
    let asked = guarded.service.seen().pop().expect("asked");
    for (name, value) in [
        ("grant_type", "password"),
        ("username", "robot"),
        ("password", "s3cret"),
        ("service", "registry.test"),
        ("scope", "repository:library/app:pull"),
    ] {
        assert_eq!(asked.field(name).as_deref(), Some(value));
    }
    assert_eq!((asked.query.as_str(), asked.header("authorization")), ("", None), "secrets are in the body");
    guarded.end_tokens();
    get(&origins).await.expect("served again");
    assert_eq!((guarded.asked(&Method::GET), guarded.asked(&Method::POST)), (1, 2), "the way is remembered");
}

#[tokio::test]
async fn get_refused_with_400_is_followed_by_post() {
    refusing_get(400).await;
}

#[tokio::test]
async fn get_refused_with_401_is_followed_by_post() {
    refusing_get(401).await;
}

#[tokio::test]
async fn get_refused_with_404_is_followed_by_post() {
    refusing_get(404).await;
}

#[tokio::test]
async fn get_refused_with_405_is_followed_by_post() {
    refusing_get(405).await;
}

/// A file that `docker login` wrote, for the host that the tests' image names.
fn login_file(entry: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!(r#"{{"auths": {{"registry.test": {entry}}}}}"#)).expect("written");
    file
}

fn with_list(mut config: RegistryConfig, list: &std::path::Path) -> RegistryConfig {
    config.docker_config = Some(list.display().to_string().parse().expect("a path"));
    config
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let guarded = Guarded::challenging(|_| None).await;
    let list = login_file(r#"{"auth": "MDAwMDo=", "identitytoken": "s3cret"}"#);
    let origins = origins(with_list(config(&[&guarded.registry]), list.path()));
    get(&origins).await.expect("served");
    let asked = &guarded.service.seen()[0];
    assert_eq!(asked.method, Method::POST);
    assert_eq!(asked.field("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(asked.field("refresh_token").as_deref(), Some("s3cret"));
    assert_eq!(asked.field("username"), None);
}

async fn refusing_post(status: u16) {
    let guarded = Guarded::challenging(move |seen| match seen.method {
        Method::POST => Some(Reply::status(status)),
        _ => None,
    })
    .await;
    let list = login_file(r#"{"auth": "MDAwMDo=", "identitytoken": "s3cret"}"#);
    let origins = origins(with_list(config(&[&guarded.registry]), list.path()));
    get(&origins).await.expect("served");
    let asked = guarded.service.seen();
    // 0000:s3cret
    assert_eq!(asked[1].header("authorization"), Some("Basic MDAwMDpzM2NyZXQ="));
    assert_eq!((asked.len(), &asked[1].method), (2, &Method::GET));
}

#[tokio::test]
async fn post_refused_with_400_is_followed_by_get() {
    refusing_post(400).await;
}

#[tokio::test]
async fn post_refused_with_401_is_followed_by_get() {
    refusing_post(401).await;
}

#[tokio::test]
async fn post_refused_with_404_is_followed_by_get() {
    refusing_post(404).await;
}

#[tokio::test]
async fn post_refused_with_405_is_followed_by_get() {
    refusing_post(405).await;
}

#[tokio::test]
async fn nobody_in_particular_gets_a_token_by_get() {
    let guarded = Guarded::challenging(|_| None).await;
    get(&origins(config(&[&guarded.registry]))).await.expect("served");
    let asked = guarded.service.seen();
    assert_eq!((asked.len(), &asked[0].method, asked[0].header("authorization")), (1, &Method::GET, None));
}

#[tokio::test]
async fn a_password_that_is_wrong_now_is_not_tried_in_other_ways() {
    let wrong = Arc::new(AtomicU32::new(0));
    let is_wrong = Arc::clone(&wrong);
    let guarded =
        Guarded::challenging(move |_| (is_wrong.load(Ordering::SeqCst) > 0).then(|| Reply::status(401)))
            .await;
    let origins = origins(guarded.config());
    get(&origins).await.expect("served");
    wrong.store(1, Ordering::SeqCst);
    guarded.end_tokens();
    let error = get(&origins).await.expect_err("denied");
    assert!(matches!(error, OriginError::Denied(_)), "{error}");
    assert_eq!((guarded.asked(&Method::GET), guarded.asked(&Method::POST)), (2, 0));
}

#[tokio::test]
async fn many_who_meet_an_ended_token_cost_one_renewal() {
    let guarded = Guarded::challenging(|_| None).await;
    let origins = origins(guarded.config());
    get(&origins).await.expect("served");
    guarded.end_tokens();
    for got in join_all((0..20).map(|_| get(&origins))).await {
        got.expect("served");
    }
    assert_eq!(guarded.service.seen().len(), 2);
}

#[tokio::test]
async fn a_401_without_a_challenge_renews_the_token_that_is_known() {
    let guarded = Guarded::start(
        |_| None,
        |realm, seen| match seen.header("authorization") {
            None => crate::support::bearer_challenge(realm),
            Some(_) => Reply::status(401),
        },
    )
    .await;
    let origins = origins(guarded.config());
    get(&origins).await.expect("served");
    guarded.end_tokens();
    get(&origins).await.expect("served again");
    assert_eq!(guarded.service.seen().len(), 2);
    assert!(
        guarded
            .registry
            .seen()
            .iter()
            .all(|seen| { seen.header("authorization").is_none_or(|sent| sent.starts_with("Bearer ")) })
    );
}

#[tokio::test]
async fn a_403_to_a_token_that_worked_is_answered_with_a_new_one() {
    let guarded = Guarded::start(
        |_| None,
        |realm, seen| match seen.header("authorization") {
            None => crate::support::bearer_challenge(realm),
            Some(_) => Reply::status(403),
        },
    )
    .await;
    let origins = origins(guarded.config());
    get(&origins).await.expect("served");
    guarded.end_tokens();
    get(&origins).await.expect("served again");
    assert_eq!(guarded.service.seen().len(), 2);
}

#[tokio::test]
async fn a_403_to_a_new_token_is_the_last_word() {
    let service = TestOrigin::start(|_| Reply::bytes(r#"{"token": "good"}"#)).await;
    let realm = service.url.clone();
    let origin = TestOrigin::start(move |seen| match seen.header("authorization") {
        None => crate::support::bearer_challenge(&realm),
        Some(_) => Reply::status(403),
    })
    .await;
    let origins = origins(with_account(config(&[&origin])));
    for _ in 0..3 {
        let error = get(&origins).await.expect_err("denied");
        assert!(matches!(error, OriginError::Denied(_)), "{error}");
    }
    assert_eq!(service.seen().len(), 1, "who may not pull costs no token each time");
}

#[tokio::test]
async fn a_token_service_that_wants_quiet_gets_it() {
    let guarded = Guarded::challenging(|_| Some(Reply::status(429).header("retry-after", "60"))).await;
    let origins = origins(guarded.config());
    for _ in 0..3 {
        let error = get(&origins).await.expect_err("too many requests");
        assert!(matches!(error, OriginError::TooManyRequests { .. }), "{error}");
        assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(30)), "{error}");
    }
    assert_eq!((guarded.service.seen().len(), guarded.registry.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_token_for_one_repository_is_not_sent_for_another() {
    let guarded = Guarded::challenging(|_| None).await;
    let origins = origins(guarded.config());
    get(&origins).await.expect("served");
    let mut other = image();
    other.repository = "library/other".parse().expect("a repository");
    origins.manifest(&other, &digest(MANIFEST.as_bytes())).await.expect("served");
    let first_of_other = guarded.registry.seen().into_iter().find(|seen| seen.path.contains("/other/"));
    assert_eq!(first_of_other.expect("asked").header("authorization"), None);
}
