//! Images that are not for everyone, over real sockets.

use std::{sync::atomic::Ordering, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    Running,
    memory::{Memory, digest, noise},
    patient,
};
use crate::{
    access::AccessRules,
    server::test_client::{Client, PATIENCE, Reply, ask},
};

const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &str = "/v2/team/app/manifests/v1?ns=registry.example:5000";
const PUBLIC: &str = "/v2/team/app/manifests/v1?ns=docker.io";
const IMAGE: &str = "registry.example:5000/team/app";

async fn mirror(content: Memory, remember: Duration) -> Running {
    let [node, client] =
        [["registry.example:5000"], [IMAGE]].map(|list| list.map(|text| text.parse().unwrap()));
    let access = AccessRules::new(&[], &node, &client);
    Running::start(content, crate::mirror::MirrorConfig { access, proof_lifetime: remember, ..patient() })
        .await
}

fn content() -> Memory {
    Memory::default()
        .tag(IMAGE, "v1", TYPE, document(&noise(100)).as_bytes())
        .tag("registry.example:5000/other", "v1", TYPE, b"{}")
        .tag("docker.io/team/app", "v1", TYPE, b"{}")
        .blob(&noise(100))
        .allows(IMAGE, "ann")
}

/// A manifest of an image of one blob.
fn document(blob: &[u8]) -> String {
    let listed = json!({ "digest": digest(blob).to_string(), "size": blob.len() });
    json!({ "config": listed, "layers": [] }).to_string()
}

/// The realm of a challenge, as the path and query on the mirror itself.
fn realm(reply: &Reply) -> String {
    assert_eq!(reply.head.status, 401, "{reply:?}");
    let challenge = reply.head.get("www-authenticate").expect("a challenge");
    let realm = challenge.strip_prefix("Bearer realm=\"").and_then(|rest| rest.split('"').next());
    let url = realm.expect("a realm");
    assert!(challenge.contains("service=\"shoal\",scope=\"repository:team/app:pull\""), "{challenge}");
    url.strip_prefix("http://127.0.0.1:5020").expect("a realm where the client found the mirror").to_owned()
}

async fn by_get(mirror: &Running, realm: &str, login: &str) -> Reply {
    let basic = format!("Basic {}", STANDARD.encode(login));
    ask(mirror.address, "GET", realm, &[("authorization", &basic)]).await
}

async fn by_post(mirror: &Running, realm: &str, form: &str) -> Reply {
    let mut client = Client::connect(mirror.address).await;
    let len_bytes = form.len();
    client
        .send(format!(
            "POST {realm} HTTP/1.1\r\nHost: {}\r\nContent-Length: {len_bytes}\r\n\r\n{form}",
            mirror.address
        ))
        .await;
    let head = client.head().await;
    let body = client.bytes(head.get("content-length").unwrap().parse().unwrap()).await;
    Reply { head, body }
}

fn token(reply: &Reply) -> String {
    assert_eq!(reply.head.status, 200, "{reply:?}");
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer["token"], answer["access_token"]);
    answer["token"].as_str().expect("a token").to_owned()
}

async fn with_token(mirror: &Running, target: &str, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    ask(mirror.address, "GET", target, &[("authorization", &bearer)]).await.head.status
}

#[tokio::test]
async fn a_client_proves_itself_and_pulls() {
    let mirror = mirror(content(), Duration::from_secs(60)).await;
    let realm = realm(&ask(mirror.address, "HEAD", MANIFEST, &[]).await);
    let token = token(
        &by_post(&mirror, &realm, "grant_type=password&username=ann&password=a%20b&service=shoal").await,
    );
    assert_eq!(with_token(&mirror, MANIFEST, &token).await, 200);
    let blob = format!("/v2/team/app/blobs/{}?ns=registry.example:5000", digest(&noise(100)));
    assert_eq!(with_token(&mirror, &blob, &token).await, 200);
    assert_eq!(ask(mirror.address, "GET", &blob, &[]).await.head.status, 401, "not without the token");
    mirror
        .until_counted("shoal_mirror_requests_total{kind=\"token\",outcome=\"served\",reason=\"none\"} 1")
        .await;
}

#[tokio::test]
async fn a_wrong_login_gets_nothing_although_all_is_here() {
    let mirror = mirror(content(), Duration::from_secs(60)).await;
    let realm = realm(&ask(mirror.address, "GET", MANIFEST, &[]).await);
    for reply in [
        by_get(&mirror, &realm, "bob:guess").await,
        by_post(&mirror, &realm, "grant_type=password&username=bob&password=guess").await,
        ask(mirror.address, "GET", &realm, &[]).await,
        by_post(&mirror, &realm, "grant_type=client_credentials").await,
    ] {
        assert_eq!(reply.head.status, 401, "{reply:?}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("guess"));
    }
    for forged in ["", "AAAA", "bm90IGEgdG9rZW4gb2Ygb3VycyBhdCBhbGwsIGJ1dCBsb25nIGVub3VnaA"] {
        assert_eq!(with_token(&mirror, MANIFEST, forged).await, 401);
    }
}

#[tokio::test]
async fn a_token_is_for_one_repository_and_a_short_time() {
    let content = content().allows("registry.example:5000/team/app/sub", "ann");
    let (allowed, asked) = (content.allowed.clone(), content.asked.clone());
    let mirror = mirror(content, Duration::from_secs(1)).await;
    let realm = realm(&ask(mirror.address, "GET", MANIFEST, &[]).await);
    let of_app = token(&by_get(&mirror, &realm, "ann:hers").await);
    let sub = MANIFEST.replace("team/app", "team/app/sub");
    assert_eq!(with_token(&mirror, &sub, &of_app).await, 401, "another repository");
    token(&by_get(&mirror, &realm, "ann:hers").await);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the registry's word is remembered");

    allowed.lock().unwrap().clear();
    let ended = async {
        while with_token(&mirror, MANIFEST, &of_app).await != 401 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the token ends");
    assert_eq!(by_get(&mirror, &realm, "ann:hers").await.head.status, 401, "revoked by now");
}

#[tokio::test]
async fn what_is_private_does_not_leave_through_another_repository() {
    let theirs = noise(100);
    let shared = document(&theirs);
    let content = content().tag("docker.io/team/sharing", "v1", TYPE, shared.as_bytes());
    let mirror = mirror(content, Duration::from_secs(60)).await;
    let status = async |method: &'static str, target: &str| {
        ask(mirror.address, method, &format!("/v2/{target}?ns=docker.io"), &[]).await.head.status
    };
    assert_eq!(ask(mirror.address, "GET", PUBLIC, &[]).await.head.status, 200);

    let (blob, manifest) = (digest(&theirs), digest(shared.as_bytes()));
    for method in ["HEAD", "GET"] {
        assert_eq!(status(method, &format!("team/app/blobs/{blob}")).await, 404, "{method} a private layer");
        let private = format!("team/app/manifests/{manifest}");
        assert_eq!(status(method, &private).await, 404, "{method} a private manifest");
    }
    // Of a repository that has it too, it is no secret.
    assert_eq!(status("GET", "team/sharing/manifests/v1").await, 200);
    assert_eq!(status("HEAD", &format!("team/sharing/blobs/{blob}")).await, 200);
    assert_eq!(status("GET", &format!("team/sharing/blobs/{blob}")).await, 200);
}

#[tokio::test]
async fn the_clusters_own_login_decides_where_the_rule_says_so() {
    let content = content();
    let allowed = content.allowed.clone();
    let mirror = mirror(content, Duration::from_secs(60)).await;
    let other = "/v2/other/manifests/v1?ns=registry.example:5000";
    assert_eq!(
        ask(mirror.address, "GET", other, &[]).await.head.status,
        404,
        "the runtime goes to the registry"
    );
    allowed.lock().unwrap().insert(("registry.example:5000/other".into(), String::new()));
    assert_eq!(ask(mirror.address, "GET", other, &[]).await.head.status, 200);
    assert_eq!(ask(mirror.address, "GET", PUBLIC, &[]).await.head.status, 200, "open by default");
}

#[tokio::test]
async fn what_is_no_request_for_a_token_is_refused() {
    let mirror = mirror(content(), Duration::from_secs(60)).await;
    for target in [
        "/token",
        "/token?registry=a",
        "/token?registry=a&repository=B!",
        "/token?registry=a&repository=b&manifest=c:d",
    ] {
        assert_eq!(by_get(&mirror, target, "ann:hers").await.head.status, 400, "{target}");
    }
    let realm = realm(&ask(mirror.address, "GET", MANIFEST, &[]).await);
    let endless = format!("grant_type=password&username=ann&password={}", "x".repeat(65 * 1024));
    assert_eq!(by_post(&mirror, &realm, &endless).await.head.status, 400);
    assert_eq!(ask(mirror.address, "PUT", &realm, &[]).await.head.status, 405);
}
