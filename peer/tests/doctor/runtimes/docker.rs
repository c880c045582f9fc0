//! Docker Engine.

use super::{Cure, File, fault};

const DAEMON: &str = "/etc/docker/daemon.json";
const HUB: &str = "/etc/docker/certs.d/docker.io/hosts.toml";
const LAB: &str = "/etc/docker/certs.d/lab.example:5000/hosts.toml";
const HOSTS: &str = "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n";
const GOOD: File = (DAEMON, "{ \"registry-mirrors\": [\"http://127.0.0.1:5020\"] }\n");
const STORE: File = (DAEMON, "{ \"features\": { \"containerd-snapshotter\": true } }\n");

#[tokio::test]
async fn a_file_that_is_no_json() {
    let file = (
        DAEMON,
        "{\n  \"log-driver\": \"journald\",\n  \"registry-mirrors\": [\"http://127.0.0.1:5020\"],\n}\n",
    );
    let cure = Cure::ByHand("Correct that", GOOD);
    fault("dockerd-26.1", "docker-config", &[file], &["/etc/docker/daemon.json:4"], cure).await;
}

#[tokio::test]
async fn nothing_said_of_the_mirror() {
    let file = (DAEMON, "{ \"log-driver\": \"journald\" }\n");
    fault("dockerd-20.10", "docker-mirror", &[file], &["http://127.0.0.1:5020"], Cure::Commands).await;
}

#[tokio::test]
async fn a_mirror_with_a_path() {
    let file = (DAEMON, "{ \"registry-mirrors\": [\"http://127.0.0.1:5020/docker.io\"] }\n");
    let tells = &["http://127.0.0.1:5020/docker.io"];
    fault("dockerd-26.1", "docker-mirror-url", &[file], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_mirror_that_is_asked_by_tls() {
    let file = (DAEMON, "{ \"registry-mirrors\": [\"https://127.0.0.1:5020\"] }\n");
    let tells = &["https://127.0.0.1:5020"];
    fault("dockerd-20.10", "docker-mirror-url", &[file], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() {
    let file = (DAEMON, "{ \"registry-mirrors\": [\"http://localhost:5000\"] }\n");
    let tells = &["http://localhost:5000", "the mirror is http://127.0.0.1:5020"];
    fault("dockerd-26.1", "docker-mirror-port", &[file], tells, Cure::Commands).await;
}

#[tokio::test]
async fn another_mirror_that_is_asked_before() {
    let file = (DAEMON, "{ \"registry-mirrors\": [\"https://cache.example\", \"http://127.0.0.1:5020\"] }\n");
    let cure = Cure::ByHand("first in its registry-mirrors", GOOD);
    fault("dockerd-26.1", "docker-mirror-order", &[file], &["https://cache.example"], cure).await;
}

#[tokio::test]
async fn mirrors_in_a_flag_and_in_the_file() {
    let unit = "/etc/systemd/system/docker.service.d/mirror.conf";
    let flag =
        (unit, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --registry-mirror https://cache.example\n");
    let cure =
        Cure::ByHand("Take the flag out", (unit, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd\n"));
    fault("dockerd-26.1", "docker-mirror-twice", &[GOOD, flag], &["mirror.conf", "--registry-mirror"], cure)
        .await;
}

#[tokio::test]
async fn a_hosts_file_that_this_version_does_not_read() {
    let tells = &["docker.io/hosts.toml", "Docker 26.1"];
    fault("dockerd-26.1", "docker-hosts-unread", &[STORE, (HUB, HOSTS)], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_hosts_file_that_the_classic_store_does_not_read() {
    let file = (DAEMON, "{ \"features\": { \"containerd-snapshotter\": false } }\n");
    let tells = &["docker.io/hosts.toml", "Docker 28.5"];
    fault("dockerd-28.5", "docker-hosts-unread", &[file, (HUB, HOSTS)], tells, Cure::Commands).await;
}

#[tokio::test]
async fn a_hosts_file_with_a_mistake() {
    let file = (HUB, "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"resolve\"]\n");
    let cure = Cure::ByHand("capabilities = [\"pull\", \"resolve\"]", (HUB, HOSTS));
    fault("dockerd-28.5", "docker-hosts", &[STORE, file], &["no \"pull\""], cure).await;
}

#[tokio::test]
async fn a_hosts_file_that_hides_the_mirror() {
    let daemon = (
        DAEMON,
        "{ \"features\": { \"containerd-snapshotter\": true }, \"registry-mirrors\": [\"http://127.0.0.1:5020\"] }\n",
    );
    let file = (HUB, "[host.\"https://cache.example\"]\n");
    let tells = &["docker.io/hosts.toml names other hosts"];
    fault("dockerd-28.5", "docker-mirror-hidden", &[daemon, file], tells, Cure::Commands).await;
}

#[tokio::test]
async fn an_insecure_registry_with_a_hosts_file() {
    let daemon = (
        DAEMON,
        "{ \"features\": { \"containerd-snapshotter\": true }, \"insecure-registries\": [\"lab.example:5000\"] }\n",
    );
    let good = "server = \"http://lab.example:5000\"\n[host.\"http://127.0.0.1:5020\"]\n";
    let cure = Cure::ByHand("server = \"http://lab.example:5000\"", (LAB, good));
    let tells = &["lab.example:5000 is among the insecure-registries"];
    fault("dockerd-28.5", "docker-hosts-insecure", &[daemon, (LAB, HOSTS)], tells, cure).await;
}

#[tokio::test]
async fn a_proxy_between_docker_and_a_mirror_that_is_not_on_loopback() {
    let patient = super::host(
        "dockerd-26.1",
        &[(
            DAEMON,
            "{ \"registry-mirrors\": [\"http://10.1.2.3:5020\"], \"proxies\": { \"http-proxy\": \
             \"http://proxy.example:3128\" } }\n",
        )],
    );
    patient.configure("[mirror]\nlisten = '10.1.2.3:5020'\n");
    let finding = patient.found("docker-proxy").await;
    assert!(finding.what.contains("http://proxy.example:3128"), "{finding:?}");
    assert!(finding.mend.text.contains("no-proxy"), "{finding:?}");
    patient.write(
        DAEMON,
        "{ \"registry-mirrors\": [\"http://10.1.2.3:5020\"], \"proxies\": { \"http-proxy\": \
         \"http://proxy.example:3128\", \"no-proxy\": \"10.1.2.3\" } }\n",
    );
    patient.is_well("docker-proxy").await;
}
