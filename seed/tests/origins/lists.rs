//! Lists of tags and referrers, and the artifacts that they lead to.

use serde_json::json;
use shoal_protocol::listing::{ListQuery, Listing};
use shoal_seed::origin::{ListPage, OriginError};

use crate::support::{Reply, Seen, TestOrigin, config, digest, image, origins};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const INDEX: &str =
    r#"{ "schemaVersion":2, "mediaType":"application/vnd.oci.image.index.v1+json", "manifests":[] }"#;
const TAGS: &str = r#"{ "name":"library/app",  "tags":["v1","v2"] }"#;

fn referrers() -> Listing {
    Listing::Referrers(digest(b"subject"))
}

fn query(text: &str) -> ListQuery {
    text.parse().expect("a query")
}

async fn asked(
    listing: Listing,
    asked: &str,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Result<ListPage, OriginError>, Vec<Seen>) {
    let origin = TestOrigin::start(script).await;
    let page = origins(config(&[&origin])).list(&image(), &listing, &query(asked)).await;
    (page, origin.seen())
}

fn index() -> Reply {
    Reply::bytes(INDEX).header("content-type", OCI_INDEX)
}

fn page(document: &'static str, next: Option<&str>) -> ListPage {
    ListPage { document: document.into(), filters: None, next: next.map(query) }
}

#[tokio::test]
async fn referrers_pass_byte_for_byte_with_what_was_filtered() {
    let filter = "artifactType=application/vnd.example.sbom.v1%2Bjson";
    let (found, seen) =
        asked(referrers(), filter, |_| index().header("oci-filters-applied", "artifactType")).await;
    assert_eq!(found, Ok(ListPage { filters: Some("artifactType".to_owned()), ..page(INDEX, None) }));
    assert_eq!(seen[0].path, format!("/v2/library/app/referrers/{}", digest(b"subject")));
    assert_eq!((seen[0].query.as_str(), seen[0].header("accept")), (filter, Some(OCI_INDEX)));
}

#[tokio::test]
async fn no_referrers_are_an_index_with_none_however_it_is_written() {
    for none in [r#"{"schemaVersion":2,"manifests":null}"#, r#"{"manifests":[]}"#] {
        for media_type in [OCI_INDEX, "application/json"] {
            let (found, _) =
                asked(referrers(), "", move |_| Reply::bytes(none).header("content-type", media_type)).await;
            assert_eq!(found, Ok(page(none, None)));
        }
    }
}

#[tokio::test]
async fn a_registry_that_filters_nothing_is_not_said_to_filter() {
    let (found, _) = asked(referrers(), "artifactType=a/b", |_| index()).await;
    assert_eq!(found.expect("a page").filters, None);
}

#[tokio::test]
async fn a_registry_without_referrers_says_so_in_any_way() {
    for status in [404, 400, 405, 406, 501] {
        let (found, _) = asked(referrers(), "", move |_| Reply::status(status)).await;
        assert!(matches!(found, Err(OriginError::NotFound(_))), "{status}: {found:?}");
    }
    for (media_type, body) in [
        ("text/html", "<html>welcome</html>"),
        (OCI_INDEX, "<html>welcome</html>"),
        ("application/json", r#"{"errors":[]}"#),
        ("application/vnd.oci.image.manifest.v1+json", r#"{"config":{},"layers":[]}"#),
        (OCI_INDEX, r#"{"manifests":[],"layers":[]}"#),
        (OCI_INDEX, "{}"),
        (OCI_INDEX, r#"{"mediaType":"x/y","manifests":[]}"#),
    ] {
        let (found, _) =
            asked(referrers(), "", move |_| Reply::bytes(body).header("content-type", media_type)).await;
        assert!(matches!(found, Err(OriginError::NotFound(_))), "{body}: {found:?}");
    }
}

#[tokio::test]
async fn a_failure_is_no_missing_referrers_api() {
    for status in [500, 502, 503, 429] {
        let (found, _) = asked(referrers(), "", move |_| Reply::status(status)).await;
        assert!(found.as_ref().is_err_and(OriginError::is_temporary), "{status}: {found:?}");
    }
    for status in [401, 403] {
        let (found, _) = asked(referrers(), "", move |_| Reply::status(status)).await;
        assert!(matches!(found, Err(OriginError::Denied(_))), "{status}: {found:?}");
    }
}

#[tokio::test]
async fn tags_pass_byte_for_byte() {
    let (found, seen) = asked(Listing::Tags, "n=2&last=v0", |_| Reply::bytes(TAGS)).await;
    assert_eq!(found, Ok(page(TAGS, None)));
    let first = (seen[0].path.as_str(), seen[0].query.as_str(), seen[0].header("accept"));
    assert_eq!(first, ("/v2/library/app/tags/list", "n=2&last=v0", Some("application/json")));
    let null = r#"{"name":"library/app","tags":null}"#;
    let (found, _) = asked(Listing::Tags, "", move |_| Reply::bytes(null)).await;
    assert_eq!(found, Ok(page(null, None)));
    let (found, _) = asked(Listing::Tags, "", |_| Reply::bytes("<html>")).await;
    assert!(matches!(found, Err(OriginError::Refused(_))), "{found:?}");
}

#[tokio::test]
async fn the_next_page_is_asked_of_the_same_registry_however_it_is_named() {
    let names = [
        "</v2/library/app/tags/list?last=v2&n=2>; rel=\"next\"",
        "<list?last=v2&n=2>; rel=next",
        "<?last=v2&n=2>; rel=\"next\"",
        "<https://elsewhere.example/behind/proxy/v2/library/app/tags/list?last=v2&n=2&ns=x>; rel=\"next\"",
    ];
    for link in names {
        let (found, _) = asked(Listing::Tags, "n=2", move |_| Reply::bytes(TAGS).header("link", link)).await;
        assert_eq!(found, Ok(page(TAGS, Some("last=v2&n=2"))), "{link}");
    }
    let subject = digest(b"subject").to_string().replace(':', "%3A");
    let link = format!("</v2/library/app/referrers/{subject}?token=a%2Fb>; rel=\"next\"");
    let (found, _) = asked(referrers(), "", move |_| index().header("link", &link)).await;
    assert_eq!(found, Ok(page(INDEX, Some("token=a%2Fb"))));
}

#[tokio::test]
async fn a_next_page_that_leads_nowhere_is_refused_and_not_left_out() {
    let long = format!("</v2/library/app/tags/list?last={}>; rel=next", "a".repeat(5000));
    for link in [
        "</v2/library/app/manifests/v1?x=1>; rel=next",
        "</v2/library/app/tags/list?n=2>; rel=next",
        "</v2/library/app/tags/list>; rel=next",
        "<http://[>; rel=next",
        "</v2/library/app/tags/list?last=%zz>; rel=next",
        &long,
    ] {
        let named = link.to_owned();
        let (found, _) =
            asked(Listing::Tags, "n=2", move |_| Reply::bytes(TAGS).header("link", &named)).await;
        assert!(matches!(found, Err(OriginError::Refused(_))), "{link}: {found:?}");
    }
}

#[tokio::test]
async fn an_endless_list_is_refused() {
    let endless = format!("{{\"tags\":[\"{}\"]}}", "a".repeat(5 * 1024 * 1024));
    let (found, _) = asked(Listing::Tags, "", move |_| Reply::bytes(endless.clone())).await;
    assert!(matches!(found, Err(OriginError::Refused(_))), "{found:?}");
}

#[tokio::test]
async fn artifacts_of_any_type_pass_byte_for_byte_under_their_own() {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let blob =
        |media_type: &str| json!({ "mediaType": media_type, "digest": digest(b"{}").to_string(), "size": 2 });
    let subject = blob(MANIFEST);
    let empty = blob("application/vnd.oci.empty.v1+json");
    let chart = blob("application/vnd.cncf.helm.config.v1+json");
    for document in [
        // ORAS, with the empty config
        json!({ "mediaType": MANIFEST, "artifactType": "a/b", "config": empty, "layers": [empty], "subject": subject }),
        // Helm
        json!({ "mediaType": MANIFEST, "config": chart, "layers": [blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip")] }),
        // cosign
        json!({ "mediaType": MANIFEST, "config": blob("application/vnd.oci.image.config.v1+json"),
            "layers": [blob("application/vnd.dev.cosign.simplesigning.v1+json")] }),
        // No layers at all, and fields of somebody's own
        json!({ "mediaType": MANIFEST, "config": empty, "layers": [], "annotations": { "a": "b" }, "x-own": [1] }),
        // An index of anything, which refers to something itself
        json!({ "mediaType": OCI_INDEX, "artifactType": "a/b", "subject": subject, "manifests": [blob("text/html"), blob("x/y")] }),
        // The artifact manifest that the specification had for a while, and a kind that it never had
        json!({ "mediaType": "application/vnd.oci.artifact.manifest.v1+json", "artifactType": "a/b", "blobs": [blob("x/y")] }),
        json!({ "mediaType": "application/vnd.example.thing.v7+json", "anything": true }),
    ] {
        let bytes = format!("{document:#}");
        let media_type = document["mediaType"].as_str().expect("a type").to_owned();
        let (served, named) = (bytes.clone(), media_type.clone());
        let origin =
            TestOrigin::start(move |_| Reply::bytes(served.clone()).header("content-type", &named)).await;
        let origins = origins(config(&[&origin]));
        let found = origins.manifest(&image(), &digest(bytes.as_bytes())).await.expect("an artifact");
        assert_eq!((found.media_type, found.bytes), (media_type.clone(), bytes.clone().into()));
        let tag = "sha256-0123.sig".parse().expect("a tag");
        let resolved = origins.resolve(&image(), &tag).await.expect("an artifact");
        assert_eq!((resolved.media_type, resolved.digest), (media_type, digest(bytes.as_bytes())));
    }
}
