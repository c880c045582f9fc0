//! Podman and CRI-O.

use super::{Cure, fault};

const MAIN: &str = "/etc/containers/registries.conf";
const OWN: &str = "/etc/containers/registries.conf.d/50-shoal.conf";
const LATER: &str = "/etc/containers/registries.conf.d/90-site.conf";
const POLICY: &str = "/etc/containers/policy.json";
const HUB: &str = "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \
                   \"127.0.0.1:5020/docker.io\"\ninsecure = true\n";

#[tokio::test]
async fn a_file_that_is_no_toml() {
    let file = (MAIN, "unqualified-search-registries = [\"docker.io\"\n");
    let cure = Cure::ByHand("Correct that", (MAIN, "unqualified-search-registries = [\"docker.io\"]\n"));
    fault("podman-5.4", "containers-config", &[file], &["/etc/containers/registries.conf:"], cure).await;
}

#[tokio::test]
async fn nothing_said_of_the_mirror() {
    let file = (MAIN, "unqualified-search-registries = [\"docker.io\"]\n");
    fault("crio-1.31", "containers-mirror", &[file], &["127.0.0.1:5020"], Cure::Commands).await;
}

#[tokio::test]
async fn both_forms_in_one_file() {
    let file =
        (MAIN, "[registries.search]\nregistries = ['docker.io']\n\n[[registry]]\nlocation = \"ghcr.io\"\n");
    let good =
        (MAIN, "unqualified-search-registries = ['docker.io']\n\n[[registry]]\nlocation = \"ghcr.io\"\n");
    let cure = Cure::ByHand("unqualified-search-registries", good);
    fault("podman-5.4", "containers-mixed", &[file], &["registries.conf", "[[registry]]"], cure).await;
}

#[tokio::test]
async fn a_mirror_that_is_asked_by_tls_alone() {
    let file = (
        OWN,
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"127.0.0.1:5020/docker.io\"\n",
    );
    let cure = Cure::ByHand("insecure = true", (OWN, HUB));
    fault("podman-5.4", "containers-insecure", &[file], &["50-shoal.conf", "without insecure"], cure).await;
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() {
    let file = (
        OWN,
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \
         \"127.0.0.1:5000/docker.io\"\ninsecure = true\n",
    );
    let tells = &["127.0.0.1:5000/docker.io", "127.0.0.1:5020"];
    fault("podman-5.4", "containers-port", &[file], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_mirror_that_is_not_told_the_registry() {
    let file = (
        OWN,
        "[[registry]]\nlocation = \"ghcr.io\"\n[[registry.mirror]]\nlocation = \"127.0.0.1:5020\"\ninsecure = true\n",
    );
    fault(
        "crio-1.31",
        "containers-path",
        &[file],
        &["127.0.0.1:5020 as the mirror of ghcr.io"],
        Cure::Commands,
    )
    .await;
}

#[tokio::test]
async fn a_later_file_that_takes_the_mirror_out() {
    let later = (LATER, "[[registry]]\nlocation = \"docker.io\"\n");
    let tells = &["90-site.conf", "50-shoal.conf"];
    fault("podman-5.4", "containers-replaced", &[(OWN, HUB), later], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_part_of_a_registry_that_goes_past() {
    let part =
        (LATER, "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"cache.example/library\"\n");
    let tells = &["docker.io/library without the mirror"];
    fault("podman-5.4", "containers-past-mirror", &[(OWN, HUB), part], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_mirror_for_digests_alone() {
    let file = (
        OWN,
        "[[registry]]\nlocation = \"docker.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \
         \"127.0.0.1:5020/docker.io\"\ninsecure = true\n",
    );
    let cure = Cure::ByHand("Leave it out", (OWN, HUB));
    fault("podman-5.4", "containers-digest-only", &[file], &["mirror-by-digest-only = true"], cure).await;
}

#[tokio::test]
async fn a_mirror_for_tags_alone() {
    let file = (
        OWN,
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \
         \"127.0.0.1:5020/docker.io\"\ninsecure = true\npull-from-mirror = \"tag-only\"\n",
    );
    let cure = Cure::ByHand("Leave it out", (OWN, HUB));
    fault("podman-5.4", "containers-digest-only", &[file], &["pull-from-mirror = \"tag-only\""], cure).await;
}

#[tokio::test]
async fn a_blocked_registry_with_the_mirror() {
    let file = (
        OWN,
        "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n[[registry.mirror]]\nlocation = \
         \"127.0.0.1:5020/docker.io\"\ninsecure = true\n",
    );
    let cure = Cure::ByHand("Take `blocked`", (OWN, HUB));
    fault("crio-1.31", "containers-blocked", &[file], &["blocks docker.io"], cure).await;
}

#[tokio::test]
async fn a_policy_that_lets_nothing_through() {
    let rejects =
        (POLICY, "{ \"default\": [{ \"type\": \"reject\" }], \"transports\": { \"docker-daemon\": {} } }\n");
    let good = (
        POLICY,
        "{ \"default\": [{ \"type\": \"reject\" }], \"transports\": { \"docker\": { \"\": [{ \"type\": \
         \"insecureAcceptAnything\" }] } } }\n",
    );
    let cure = Cure::ByHand("\"transports\", \"docker\"", good);
    fault("podman-5.4", "containers-policy", &[(OWN, HUB), rejects], &["rejects by default"], cure).await;
}
