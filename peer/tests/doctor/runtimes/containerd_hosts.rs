//! The `hosts.toml` files of containerd.

use super::{Cure, Fault, File, is_found_and_mended};

const CONFIG: File = (
    "/etc/containerd/config.toml",
    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
);
const DEFAULT: &str = "/etc/containerd/certs.d/_default/hosts.toml";
const GHCR: &str = "/etc/containerd/certs.d/ghcr.io/hosts.toml";
const HOSTS: &str = "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n";
const GOOD: File = (DEFAULT, HOSTS);
const GOOD_FOR_ONE: File = (
    GHCR,
    "server = \"https://ghcr.io\"\n[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
);

/// A fault in one file of a containerd that reads it.
async fn in_file(check: &'static str, file: File, tells: &'static [&'static str], cure: Cure) {
    in_file_of("containerd-1.7", check, file, tells, cure).await;
}

async fn in_file_of(
    program: &'static str,
    check: &'static str,
    file: File,
    tells: &'static [&'static str],
    cure: Cure,
) {
    let files: &'static [File] = Vec::leak(vec![CONFIG, file]);
    is_found_and_mended(&Fault { program, files, check, tells, cure }).await;
}

#[tokio::test]
async fn a_file_that_containerd_goes_on_without() {
    let broken = (DEFAULT, "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\" \"resolve\"]\n");
    let cure = Cure::ByHand("Correct it", GOOD);
    in_file("containerd-hosts-broken", broken, &["_default/hosts.toml:2:"], cure).await;
}

#[tokio::test]
async fn a_file_without_a_host_for_an_old_containerd() {
    let file = (GHCR, "server = \"https://ghcr.io\"\n");
    let tells = &["ghcr.io/hosts.toml has no [host] table", "containerd 1.6"];
    in_file_of("containerd-1.6", "containerd-hosts-empty", file, tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() {
    let file = (DEFAULT, "[host.\"http://127.0.0.1:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    let tells = &["http://127.0.0.1:5000", "the mirror listens at http://127.0.0.1:5020"];
    in_file("containerd-hosts-port", file, tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_mirror_that_is_not_asked_for_tags() {
    let file = (DEFAULT, "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\"]\n");
    let cure = Cure::ByHand("capabilities = [\"pull\", \"resolve\"]", GOOD);
    in_file("containerd-hosts-capabilities", file, &["no \"resolve\""], cure).await;
}

#[tokio::test]
async fn a_capability_that_old_versions_do_not_know() {
    let file = (
        DEFAULT,
        "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\", \"referrers\"]\n",
    );
    let cure = Cure::ByHand("capabilities = [\"pull\", \"resolve\"]", GOOD);
    in_file("containerd-hosts-capabilities", file, &["\"referrers\""], cure).await;
}

#[tokio::test]
async fn a_mirror_that_is_asked_without_v2() {
    let file = (
        DEFAULT,
        "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n",
    );
    let cure = Cure::ByHand("without override_path", GOOD);
    in_file("containerd-hosts-path", file, &["without /v2 (override_path)"], cure).await;
}

#[tokio::test]
async fn a_mirror_that_is_asked_below_another_path() {
    let file =
        (DEFAULT, "[host.\"http://127.0.0.1:5020/mirror\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    let cure = Cure::ByHand("[host.\"http://127.0.0.1:5020\"]", GOOD);
    in_file("containerd-hosts-path", file, &["below /mirror"], cure).await;
}

#[tokio::test]
async fn a_mirror_that_is_asked_by_tls() {
    let file = (
        DEFAULT,
        "[host.\"https://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n  skip_verify = true\n",
    );
    in_file("containerd-hosts-scheme", file, &["https://127.0.0.1:5020"], Cure::Commands).await;
}

#[tokio::test]
async fn a_last_resort_that_is_the_mirror_itself() {
    let file = (GHCR, "server = \"http://127.0.0.1:5020\"\n[host.\"http://127.0.0.1:5020\"]\n");
    let cure = Cure::ByHand("server = \"https://ghcr.io\"", GOOD_FOR_ONE);
    in_file("containerd-hosts-loop", file, &["server = \"http://127.0.0.1:5020\""], cure).await;
}

#[tokio::test]
async fn another_mirror_that_is_asked_before() {
    let file = (GHCR, "[host.\"https://cache.example\"]\n[host.\"http://127.0.0.1:5020\"]\n");
    let cure = Cure::ByHand("before it", GOOD_FOR_ONE);
    in_file("containerd-hosts-order", file, &["https://cache.example before the mirror"], cure).await;
}

#[tokio::test]
async fn a_registry_with_a_file_of_its_own() {
    let own = (GHCR, "server = \"https://ghcr.io\"\n[host.\"https://cache.example\"]\n");
    let fault = Fault {
        program: "containerd-2.1",
        files: Vec::leak(vec![CONFIG, GOOD, own]),
        check: "containerd-past-mirror",
        tells: &["ghcr.io/hosts.toml does not name the mirror for ghcr.io"],
        cure: Cure::Commands,
    };
    is_found_and_mended(&fault).await;
}

#[tokio::test]
async fn a_registry_with_a_list_of_its_own() {
    let config = (
        CONFIG.0,
        "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors]\n  \
         [plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"*\"]\n    endpoint = [\"http://127.0.0.1:5020\"]\n  \
         [plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"ghcr.io\"]\n    endpoint = [\"https://cache.example\"]\n",
    );
    let fault = Fault {
        program: "containerd-1.6",
        files: Vec::leak(vec![config]),
        check: "containerd-past-mirror",
        tells: &["does not name the mirror for ghcr.io"],
        cure: Cure::Commands,
    };
    is_found_and_mended(&fault).await;
}

#[tokio::test]
async fn a_folder_called_as_docker_hub_s_host() {
    let file = ("/etc/containerd/certs.d/registry-1.docker.io/hosts.toml", HOSTS);
    let tells = &["/etc/containerd/certs.d/registry-1.docker.io", "docker.io"];
    in_file("containerd-folder-name", file, tells, Cure::Commands).await;
}
