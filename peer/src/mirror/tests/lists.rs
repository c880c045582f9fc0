//! Lists of tags and referrers, over real sockets.

use std::time::Duration;

use serde_json::json;

use super::{
    Running,
    memory::{Memory, digest},
    patient,
};
use crate::{
    access::AccessRules,
    content::{ContentError, Listed},
    mirror::MirrorConfig,
    server::test_client::ask,
};

const TAGS: &[u8] = br#"{ "name":"team/app",  "tags":["v1"] }"#;
const INDEX: &[u8] = br#"{ "schemaVersion":2, "manifests":[] }"#;
const IMAGE: &str = "registry.example:5000/team/app";
const NAMESPACE: &str = "ns=registry.example%3A5000";

fn listed(document: &'static [u8]) -> Listed {
    Listed { document: document.into(), filters: None, next: None, stale: None }
}

fn subject() -> String {
    digest(b"subject").to_string()
}

#[tokio::test]
async fn a_list_of_tags_comes_as_the_origin_gave_it() {
    let page = Listed { next: Some("last=v1&n=1".parse().unwrap()), ..listed(TAGS) };
    let memory = Memory::default().lists(&format!("{IMAGE} tags/list n=1"), Ok(page));
    let mirror = Running::with(memory).await;
    let path = format!("/v2/team/app/tags/list?n=1&{NAMESPACE}");
    let reply = ask(mirror.address, "GET", &path, &[]).await;
    assert_eq!((reply.head.status, reply.body.as_slice()), (200, TAGS));
    let link = format!("</v2/team/app/tags/list?last=v1&n=1&{NAMESPACE}>; rel=\"next\"");
    reply.head.has(&[("content-type", "application/json"), ("link", &link)]);
    assert_eq!(reply.head.get("oci-filters-applied"), None);

    let head = ask(mirror.address, "HEAD", &path, &[]).await;
    assert_eq!((head.head.status, head.body.len()), (200, 0));
    head.head.has(&[("content-length", &TAGS.len().to_string()), ("link", &link)]);
    mirror
        .until_counted("shoal_mirror_requests_total{kind=\"tags\",outcome=\"served\",reason=\"none\"} 2")
        .await;
}

#[tokio::test]
async fn referrers_are_an_index_that_says_what_was_filtered() {
    let subject = subject();
    let filtered = Listed {
        filters: Some("artifactType".into()),
        next: Some("token=x".parse().unwrap()),
        stale: Some(Duration::from_secs(90)),
        ..listed(INDEX)
    };
    let memory =
        Memory::default().lists(&format!("{IMAGE} referrers/{subject} artifactType=a/b"), Ok(filtered));
    let mirror = Running::with(memory).await;
    // A client with the registry in the path, and with the colon escaped.
    let path = format!("/v2/{IMAGE}/referrers/{}", subject.replace(':', "%3A"));
    let reply = ask(mirror.address, "GET", &format!("{path}?artifactType=a/b"), &[]).await;
    assert_eq!((reply.head.status, reply.body.as_slice()), (200, INDEX));
    reply.head.has(&[
        ("content-type", "application/vnd.oci.image.index.v1+json"),
        ("oci-filters-applied", "artifactType"),
        ("link", &format!("<{path}?token=x>; rel=\"next\"")),
        ("warning", "110 - \"Response is Stale\""),
        ("shoal-stale-seconds", "90"),
    ]);
}

#[tokio::test]
async fn nobody_takes_a_failure_for_an_empty_list() {
    let errors = [
        (ContentError::NotFound, 404, ["NAME_UNKNOWN", "UNSUPPORTED"]),
        (ContentError::Denied("not yours".into()), 403, ["DENIED"; 2]),
        (ContentError::NotHere("no seed".into()), 503, ["UNAVAILABLE"; 2]),
        (ContentError::Overloaded("too much"), 503, ["UNAVAILABLE"; 2]),
    ];
    let lists = ["tags/list".to_owned(), format!("referrers/{}", subject())];
    for (error, status, codes) in errors {
        let memory = lists.iter().fold(Memory::default(), |memory, list| {
            memory.lists(&format!("{IMAGE} {list} "), Err(error.clone()))
        });
        let mirror = Running::with(memory).await;
        for (list, code) in lists.iter().zip(codes) {
            let reply = ask(mirror.address, "GET", &format!("/v2/{IMAGE}/{list}"), &[]).await;
            assert_eq!((reply.head.status, reply.code().as_str()), (status, code), "{list} {error}");
        }
    }
    let hasty = MirrorConfig { answer_timeout: Duration::from_millis(50), ..patient() };
    let mirror = Running::start(Memory::that_hangs(), hasty).await;
    let reply = ask(mirror.address, "GET", &format!("/v2/{IMAGE}/tags/list"), &[]).await;
    assert_eq!((reply.head.status, reply.code().as_str()), (503, "UNAVAILABLE"));
}

#[tokio::test]
async fn a_digest_that_is_none_and_parameters_that_are_none_are_refused() {
    let mirror = Running::with(Memory::default()).await;
    for (path, code) in [
        ("/v2/team/app/referrers/sha256:0", "DIGEST_INVALID"),
        ("/v2/team/app/referrers/latest", "DIGEST_INVALID"),
        ("/v2/team/app/tags/list?last=%2", "UNSUPPORTED"),
    ] {
        let reply = ask(mirror.address, "GET", path, &[]).await;
        assert_eq!((reply.head.status, reply.code().as_str()), (400, code), "{path}");
    }
}

#[tokio::test]
async fn lists_are_only_for_those_who_may_have_the_image() {
    let subject = subject();
    let memory = Memory::default()
        .lists(&format!("{IMAGE} tags/list "), Ok(listed(TAGS)))
        .lists(&format!("{IMAGE} referrers/{subject} "), Ok(listed(INDEX)))
        .lists("docker.io/team/app tags/list ", Ok(listed(TAGS)));
    let client = [IMAGE.parse().unwrap()];
    let access = AccessRules::new(&[], &[], &client);
    let mirror = Running::start(memory, MirrorConfig { access, ..patient() }).await;
    let tags = ask(mirror.address, "GET", &format!("/v2/{IMAGE}/tags/list"), &[]).await;
    assert_eq!((tags.head.status, tags.code().as_str()), (401, "UNAUTHORIZED"));
    let referrers = ask(mirror.address, "GET", &format!("/v2/{IMAGE}/referrers/{subject}"), &[]).await;
    assert_eq!(referrers.head.status, 401);
    let challenge = referrers.head.get("www-authenticate").unwrap();
    assert!(challenge.contains(&format!("&manifest={subject}\"")), "{challenge}");
    let public = ask(mirror.address, "GET", "/v2/docker.io/team/app/tags/list", &[]).await;
    assert_eq!(public.head.status, 200);
}

#[tokio::test]
async fn a_manifest_that_is_listed_as_a_referrer_is_known_to_be_in_its_repository() {
    const ARTIFACT: &[u8] = br#"{"config":{},"layers":[]}"#;
    const PUBLIC: &str = "docker.io/team/app";
    let (subject, artifact) = (subject(), digest(ARTIFACT));
    let index = json!({ "schemaVersion": 2, "manifests": [{ "digest": artifact.to_string() }] });
    let memory =
        Memory::default().tag(PUBLIC, "s1", "application/vnd.oci.image.manifest.v1+json", ARTIFACT).lists(
            &format!("{PUBLIC} referrers/{subject} "),
            Ok(Listed { document: index.to_string().into(), ..listed(INDEX) }),
        );
    let client = [IMAGE.parse().unwrap()];
    let access = AccessRules::new(&[], &[], &client);
    let mirror = Running::start(memory, MirrorConfig { access, ..patient() }).await;
    let status = async |item: String| {
        ask(mirror.address, "GET", &format!("/v2/{PUBLIC}/{item}"), &[]).await.head.status
    };
    assert_eq!(status(format!("manifests/{artifact}")).await, 404);
    assert_eq!(status(format!("referrers/{subject}")).await, 200);
    assert_eq!(status(format!("manifests/{artifact}")).await, 200);
}
