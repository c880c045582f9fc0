//! Signatures that cosign and notation made, found at an origin that serves what a registry held after signing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows it in test functions, not in the helpers they share"
)]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use shoal_protocol::{digest::Digest, reference::ImageName};
use shoal_seed::{
    metrics::OriginMetrics,
    origin::Origins,
    signatures::{Parents, SignatureError, SignatureMode, SignaturePolicy, SignatureRules, Signatures},
};

use crate::support::{REGISTRY, Reply, Seen, TestOrigin, config, digest};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signatures/fixtures")
}

fn image(name: &str) -> ImageName {
    ImageName { registry: REGISTRY.parse().unwrap(), repository: format!("team/{name}").parse().unwrap() }
}

/// What the tag `v1` of a repository stands for.
fn signed(name: &str) -> Digest {
    let tag = fixtures().join("repositories/team").join(name).join("tags/v1");
    fs::read_to_string(tag).unwrap().parse().unwrap()
}

fn document(name: &str, digest: &Digest) -> Vec<u8> {
    let manifests = fixtures().join("repositories/team").join(name).join("manifests");
    fs::read(manifests.join(digest.hex())).unwrap()
}

/// What a registry without a list of referrers answers.
fn registry(seen: &Seen) -> Reply {
    let Some((repository, kind, item)) = split(&seen.path) else { return Reply::status(404) };
    let folder = fixtures().join("repositories").join(repository);
    let resolved = match fs::read_to_string(folder.join("tags").join(item)) {
        Ok(digest) if kind == "manifests" => digest,
        _ => item.to_owned(),
    };
    let hex = resolved.trim_start_matches("sha256:");
    match fs::read(folder.join(kind).join(hex)) {
        Ok(content) if kind == "manifests" => {
            let read: Value = serde_json::from_slice(&content).unwrap();
            Reply::bytes(content).header("content-type", read["mediaType"].as_str().unwrap())
        }
        Ok(content) => Reply::bytes(content),
        Err(_) => Reply::status(404),
    }
}

/// `/v2/REPOSITORY/KIND/ITEM`.
fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (rest, item) = path.strip_prefix("/v2/")?.rsplit_once('/')?;
    let (repository, kind) = rest.rsplit_once('/')?;
    Some((repository, kind, item))
}

/// The judge of a seed under one policy for all images, and its counters.
struct Judge {
    signatures: Signatures,
    counted: prometheus::Registry,
}

impl Judge {
    fn new(origin: &TestOrigin, mode: SignatureMode, parents: Arc<dyn Parents>) -> Self {
        let trust = |name| fixtures().join("trust").join(name);
        let policy = SignaturePolicy {
            images: vec![REGISTRY.parse().unwrap()],
            mode,
            cosign_keys: vec![trust("team.pub")],
            notation_certificates: vec![trust("root.crt")],
            notation_subjects: vec!["O=Example".parse().unwrap()],
        };
        let counted = prometheus::Registry::new();
        let metrics = OriginMetrics::new(&counted).unwrap();
        let origins = Arc::new(Origins::new(&[config(&[origin])], false, metrics.clone()).unwrap());
        let rules = SignatureRules::new(vec![policy]);
        Self { signatures: Signatures::new(rules, origins, parents, metrics).unwrap(), counted }
    }

    fn required(origin: &TestOrigin) -> Self {
        Self::new(origin, SignatureMode::Required, Arc::new(Remembered::default()))
    }

    async fn admit(&self, name: &str, digest: &Digest) -> Result<(), SignatureError> {
        self.signatures.admit(&image(name), digest).await
    }

    /// How often that was the verdict.
    fn counted(&self, policy: &str, verdict: &str) -> u64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.counted.gather()).unwrap();
        let start = format!("shoal_signature_verdicts_total{{policy=\"{policy}\",verdict=\"{verdict}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
    }
}

fn why(refused: Result<(), SignatureError>) -> String {
    match refused {
        Err(SignatureError::Unsigned { why, .. }) => why,
        other => panic!("not refused for want of a signature: {other:?}"),
    }
}

#[tokio::test]
async fn every_form_is_found_where_its_program_puts_it() {
    let origin = TestOrigin::start(registry).await;
    let judge = Judge::required(&origin);
    let names = ["tag", "referrers", "bundle", "index", "notation", "notation-rsa", "notation-index"];
    for name in names {
        judge.admit(name, &signed(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(judge.counted("required", "valid"), names.len() as u64);
}

#[tokio::test]
async fn a_registrys_own_list_of_referrers_is_read() {
    let origin = TestOrigin::start(|seen| match split(&seen.path) {
        Some((repository, "referrers", subject)) => {
            let tag = subject.replace(':', "-");
            let list = registry(&Seen { path: format!("/v2/{repository}/manifests/{tag}"), ..seen.clone() });
            list.header("content-type", INDEX)
        }
        Some((_, _, item)) if item.starts_with("sha256-") => Reply::status(404),
        _ => registry(seen),
    })
    .await;
    let judge = Judge::required(&origin);
    for name in ["referrers", "bundle", "notation"] {
        judge.admit(name, &signed(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn what_lacks_a_good_signature_is_refused_and_the_error_says_why() {
    let origin = TestOrigin::start(registry).await;
    let judge = Judge::required(&origin);
    let unsigned = judge.admit("unsigned", &signed("unsigned")).await;
    let told = unsigned.as_ref().unwrap_err().to_string();
    assert!(told.contains("registry.test/team/unsigned@sha256:") && told.contains("sign it"), "{told}");
    assert_eq!(why(unsigned), "registry.test has none");
    let other = why(judge.admit("other-key", &signed("other-key")).await);
    assert_eq!(other, "none of 1 found counts (the last: it is by none of the keys of the policy)");
    let attested = why(judge.admit("attested", &signed("attested")).await);
    assert!(attested.contains("it attests to something else than a signature"), "{attested}");
    assert_eq!(judge.counted("required", "invalid"), 3);
}

#[tokio::test]
async fn a_signature_of_another_image_does_not_count() {
    let tag = |name: &str| format!("sha256-{}.sig", signed(name).hex());
    let (from, to) =
        (format!("unsigned/manifests/{}", tag("unsigned")), format!("tag/manifests/{}", tag("tag")));
    let origin = TestOrigin::start(move |seen| {
        let path = seen.path.replace(&from, &to).replace("unsigned/blobs", "tag/blobs");
        registry(&Seen { path, ..seen.clone() })
    })
    .await;
    let refused = why(Judge::required(&origin).admit("unsigned", &signed("unsigned")).await);
    assert_eq!(refused, "none of 1 found counts (the last: it is for another image)");
}

#[tokio::test]
async fn a_preferred_signature_is_missed_and_counted_only() {
    let origin = TestOrigin::start(registry).await;
    let judge = Judge::new(&origin, SignatureMode::Preferred, Arc::new(Remembered::default()));
    for _ in 0..2 {
        assert_eq!(judge.admit("unsigned", &signed("unsigned")).await, Ok(()));
    }
    assert_eq!(judge.admit("tag", &signed("tag")).await, Ok(()));
    let counted = ["invalid", "valid", "unknown"].map(|verdict| judge.counted("preferred", verdict));
    assert_eq!(counted, [2, 1, 0]);
}

#[tokio::test]
async fn an_origin_that_fails_is_no_lack_of_a_signature() {
    let origin = TestOrigin::start(|_| Reply::status(503)).await;
    let refused = Judge::required(&origin).admit("tag", &signed("tag")).await;
    assert!(matches!(refused, Err(SignatureError::Unknown { .. })), "{refused:?}");
    let preferred = Judge::new(&origin, SignatureMode::Preferred, Arc::new(Remembered::default()));
    assert_eq!(preferred.admit("tag", &signed("tag")).await, Ok(()));
    assert_eq!(preferred.counted("preferred", "unknown"), 1);
}

#[tokio::test]
async fn all_who_ask_share_one_search_and_what_it_found() {
    let origin = TestOrigin::start(registry).await;
    let judge = Judge::required(&origin);
    let digest = signed("bundle");
    for _ in 0..2 {
        let asked = join_all((0..20).map(|_| judge.admit("bundle", &digest))).await;
        assert!(asked.iter().all(Result::is_ok));
    }
    assert_eq!(origin.count(".sig"), 1);
    let requests = origin.seen().len();
    assert!(judge.admit("unsigned", &digest).await.is_ok(), "it counts for a copy under the same policy");
    assert_eq!(origin.seen().len(), requests);
}

#[tokio::test]
async fn no_more_signatures_are_tried_than_the_bound() {
    let entry = json!({ "mediaType": "m", "size": 1, "digest": digest(b"none").to_string() });
    let many =
        |_| json!({ "artifactType": "application/vnd.cncf.notary.signature", "digest": entry["digest"] });
    let list = json!({ "mediaType": INDEX, "manifests": (0..500).map(many).collect::<Vec<_>>() }).to_string();
    let layers: Vec<_> = (0..500).map(|_| entry.clone()).collect();
    let signature = json!({ "config": entry, "layers": layers }).to_string();
    let origin = TestOrigin::start(move |seen| match split(&seen.path) {
        Some((_, "referrers", _)) => Reply::bytes(list.clone()).header("content-type", INDEX),
        Some((_, "manifests", tag)) if tag.ends_with(".sig") => Reply::bytes(signature.clone()),
        Some((_, "blobs", _)) => Reply::bytes("none"),
        _ => Reply::status(404),
    })
    .await;
    let refused = why(Judge::required(&origin).admit("tag", &signed("tag")).await);
    assert!(refused.starts_with("none of 16 found counts"), "{refused}");
    assert!(origin.seen().len() < 40, "{} requests", origin.seen().len());
}

#[tokio::test]
async fn a_signature_that_is_too_long_is_not_read() {
    let origin = TestOrigin::start(|seen| match split(&seen.path) {
        Some((_, "blobs", _)) => Reply::chunked(vec![b' '; 300 * 1024].into()),
        _ => registry(seen),
    })
    .await;
    let refused = why(Judge::required(&origin).admit("tag", &signed("tag")).await);
    assert_eq!(refused, "none of 1 found counts (the last: it is not there, or too long)");
}

/// What lists what, as a seed keeps it across restarts.
#[derive(Default)]
struct Remembered(Mutex<HashMap<Digest, Digest>>);

impl Parents for Remembered {
    fn load<'a>(&'a self, _: &'a ImageName, listed: &'a Digest) -> BoxFuture<'a, Option<Digest>> {
        Box::pin(async { self.0.lock().unwrap().get(listed).copied() })
    }

    fn save<'a>(&'a self, _: &'a ImageName, listed: &'a Digest, index: &'a Digest) -> BoxFuture<'a, ()> {
        self.0.lock().unwrap().insert(*listed, *index);
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_signed_index_vouches_for_what_it_lists_also_after_a_restart() {
    let origin = TestOrigin::start(registry).await;
    let (name, index) = (image("index"), signed("index"));
    let bytes = document("index", &index);
    let read: Value = serde_json::from_slice(&bytes).unwrap();
    let child: Digest = read["manifests"][1]["digest"].as_str().unwrap().parse().unwrap();
    let parents = Arc::new(Remembered::default());

    let stranger = Judge::required(&origin);
    why(stranger.admit("index", &child).await);
    let judge = Judge::new(&origin, SignatureMode::Required, Arc::<Remembered>::clone(&parents));
    assert!(!judge.signatures.wants_content(&name, &index));
    judge.signatures.vouch(&name, &index, &bytes).await;
    assert!(parents.0.lock().unwrap().is_empty(), "it was not admitted yet");

    judge.admit("index", &index).await.unwrap();
    assert!(judge.signatures.wants_content(&name, &index));
    judge.signatures.vouch(&name, &index, &bytes).await;
    assert!(!judge.signatures.wants_content(&name, &index));
    let requests = origin.seen().len();
    judge.admit("index", &child).await.unwrap();
    assert_eq!(origin.seen().len(), requests, "what a signed index lists is looked up in memory");

    let restarted = Judge::new(&origin, SignatureMode::Required, Arc::<Remembered>::clone(&parents));
    restarted.admit("index", &child).await.unwrap();
    parents.0.lock().unwrap().insert(signed("unsigned"), index);
    why(restarted.admit("unsigned", &signed("unsigned")).await);
}
