//! Whether a client's own login may pull.

use http::Method;
use shoal_protocol::reference::{ImageName, Reference};
use shoal_seed::{
    config::Secret,
    origin::{ClientCredentials, OriginError, Origins, Verdict},
};

use crate::support::{Reply, TestOrigin, bearer_challenge, config, digest, image, origins, with_account};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;
/// me:mine
const MINE: &str = "Basic bWU6bWluZQ==";

fn me(password: &str) -> ClientCredentials {
    ClientCredentials::password("me", Secret::new(password))
}

async fn asks(origins: &Origins, image: &ImageName, who: ClientCredentials) -> Result<Verdict, OriginError> {
    origins.may_pull(image, &Reference::Digest(digest(MANIFEST.as_bytes())), Some(who)).await
}

/// A token service where `me:mine` and the seed's own account get different tokens, and its registry, which opens
/// `library/app` to both and `library/secret` to the seed alone.
async fn token_registry() -> (TestOrigin, TestOrigin) {
    let service = TestOrigin::start(|seen| match seen.header("authorization") {
        Some(MINE) => Reply::bytes(r#"{"token": "mine", "expires_in": 300}"#),
        Some("Basic cm9ib3Q6czNjcmV0") => Reply::bytes(r#"{"token": "seeds", "expires_in": 300}"#),
        _ => Reply::status(401),
    })
    .await;
    let realm = service.url.clone();
    let registry =
        TestOrigin::start(move |seen| match (seen.header("authorization"), seen.path.contains("/secret/")) {
            (Some("Bearer seeds"), _) | (Some("Bearer mine"), false) => Reply::manifest(MANIFEST),
            (Some("Bearer mine"), true) => Reply::status(403),
            _ => bearer_challenge(&realm),
        })
        .await;
    (service, registry)
}

#[tokio::test]
async fn a_verdict_is_the_registrys_own_and_for_that_login_alone() {
    let (_service, registry) = token_registry().await;
    let origins = origins(with_account(config(&[&registry])));
    let mut secret = image();
    secret.repository = "library/secret".parse().expect("a repository");
    for image in [image(), secret.clone()] {
        origins.manifest(&image, &digest(MANIFEST.as_bytes())).await.expect("the seed has a token for both");
    }
    assert_eq!(asks(&origins, &image(), me("mine")).await, Ok(Verdict::Allowed));
    assert_eq!(asks(&origins, &secret, me("mine")).await, Ok(Verdict::Denied));
    assert_eq!(asks(&origins, &image(), me("wrong")).await, Ok(Verdict::Denied));
}

#[tokio::test]
async fn without_a_login_the_seeds_own_decides() {
    let (_service, registry) = token_registry().await;
    let wanted = Reference::Digest(digest(MANIFEST.as_bytes()));
    let with_login = origins(with_account(config(&[&registry])));
    assert_eq!(with_login.may_pull(&image(), &wanted, None).await, Ok(Verdict::Allowed));
    let without = origins(config(&[&registry]));
    assert_eq!(without.may_pull(&image(), &wanted, None).await, Ok(Verdict::Denied));
}

#[tokio::test]
async fn nothing_of_a_clients_login_is_kept() {
    let (service, registry) = token_registry().await;
    let origins = origins(config(&[&registry]));
    assert_eq!(asks(&origins, &image(), me("mine")).await, Ok(Verdict::Allowed));
    let denied = origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await;
    assert!(matches!(denied, Err(OriginError::Denied(_))), "the seed itself has no login: {denied:?}");
    let asked_before = service.seen().len();
    assert_eq!(asks(&origins, &image(), me("mine")).await, Ok(Verdict::Allowed));
    assert_eq!(service.seen().len(), asked_before + 1, "each check asks anew");
    assert!(
        registry
            .seen()
            .iter()
            .filter(|seen| seen.method == Method::GET)
            .all(|seen| { seen.header("authorization") != Some("Bearer mine") })
    );
}

#[tokio::test]
async fn a_login_by_basic_is_judged_too() {
    let registry = TestOrigin::start(|seen| match seen.header("authorization") {
        Some(MINE) => Reply::manifest(MANIFEST),
        _ => Reply::status(401).header("www-authenticate", "Basic"),
    })
    .await;
    let origins = origins(config(&[&registry]));
    assert_eq!(asks(&origins, &image(), me("mine")).await, Ok(Verdict::Allowed));
    assert_eq!(asks(&origins, &image(), me("wrong")).await, Ok(Verdict::Denied));
    let token = ClientCredentials::identity_token(Secret::new("mine"));
    assert_eq!(asks(&origins, &image(), token).await, Ok(Verdict::Denied), "no password for Basic");
}

#[tokio::test]
async fn what_is_not_there_is_no_permission() {
    let registry = TestOrigin::start(|_| Reply::status(404)).await;
    let verdict = asks(&origins(config(&[&registry])), &image(), me("mine")).await;
    assert!(matches!(verdict, Err(OriginError::NotFound(_))), "{verdict:?}");
    let down = TestOrigin::start(|_| Reply::status(503)).await;
    let verdict = asks(&origins(config(&[&down])), &image(), me("mine")).await;
    assert!(matches!(verdict, Err(OriginError::Unavailable { .. })), "{verdict:?}");
}

#[tokio::test]
async fn a_registry_without_head_is_asked_for_permission_by_get() {
    let registry = TestOrigin::start(|seen| match (seen.header("authorization"), &seen.method) {
        (Some(MINE), &Method::HEAD) => Reply::status(405),
        (Some(MINE), _) => Reply::manifest(MANIFEST),
        _ => Reply::status(401).header("www-authenticate", "Basic"),
    })
    .await;
    let origins = origins(config(&[&registry]));
    assert_eq!(asks(&origins, &image(), me("mine")).await, Ok(Verdict::Allowed));
}

#[test]
fn a_clients_password_is_never_printed() {
    assert!(
        !format!("{:?} {:?}", me("s3cret"), ClientCredentials::identity_token(Secret::new("s3cret")))
            .contains("s3cret")
    );
}
