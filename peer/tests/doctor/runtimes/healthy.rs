//! Hosts on which all is well: the doctor says nothing wrong.

use std::{fs, path::Path, process::Command};

use shoal_peer::doctor::State;

use super::{host, install};
use crate::patient::{Patient, of};

/// Every configuration that `shoal configure` is tested with, the runtime, and the program that reads it.
const CONFIGURED: [(&str, &str, &str); 11] = [
    ("containerd-1.6-default", "containerd", "containerd-1.6"),
    ("containerd-1.7-certs", "containerd", "containerd-1.7"),
    ("containerd-2.1-default", "containerd", "containerd-2.1"),
    ("containerd-colon", "containerd", "containerd-2.1"),
    ("containerd-imports", "containerd", "containerd-1.7"),
    ("kubeadm", "containerd", "containerd-1.7"),
    ("legacy-mirrors", "containerd", "containerd-1.6"),
    ("docker-logs", "docker", "dockerd-26.1"),
    ("docker-store", "docker", "dockerd-28.5"),
    ("podman-default", "podman", "podman-5.4"),
    ("crio", "crio", "crio-1.31"),
];

#[tokio::test]
async fn what_shoal_configured_is_well() {
    for (fixture, runtime, program) in CONFIGURED {
        let patient = Patient::before_start();
        install(&patient, program);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configure/fixtures").join(fixture);
        copy(&source, patient.root());
        let mut command = Command::new(env!("CARGO_BIN_EXE_shoal"));
        command.args(["configure", runtime, "--yes", "--root"]).arg(patient.root());
        assert!(command.output().unwrap().status.success(), "{fixture}");
        nothing_is_wrong(&patient, fixture).await;
    }
}

#[tokio::test]
async fn a_host_without_a_runtime_has_nothing_to_look_at() {
    let patient = Patient::before_start();
    let report = patient.examine(&["runtimes"]).await;
    assert!(!report.checks.is_empty());
    for check in report.checks {
        assert!(matches!(check.state, State::Skipped(_)), "{}: {:?}", check.check.id, check.state);
    }
}

#[tokio::test]
async fn a_runtime_that_is_a_tool_beside_the_one_that_pulls_is_left_alone() {
    let config = "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n";
    let hosts = "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n";
    let patient = host(
        "containerd-2.1",
        &[("/etc/containerd/config.toml", config), ("/etc/containerd/certs.d/_default/hosts.toml", hosts)],
    );
    install(&patient, "podman-5.4");
    nothing_is_wrong(&patient, "podman as a tool").await;
    let report = patient.examine(&["containers-mirror"]).await;
    let state = &of(&report, "containers-mirror").state;
    assert!(matches!(state, State::Skipped(reason) if reason.contains("containerd is")), "{state:?}");
}

#[tokio::test]
async fn docker_s_own_containerd_is_not_looked_at() {
    let patient = host(
        "dockerd-28.5",
        &[
            ("/etc/containerd/config.toml", "disabled_plugins = [\"cri\"]\n"),
            ("/etc/docker/daemon.json", "{ \"registry-mirrors\": [\"http://127.0.0.1:5020\"] }\n"),
        ],
    );
    install(&patient, "containerd-2.1");
    nothing_is_wrong(&patient, "docker").await;
}

async fn nothing_is_wrong(patient: &Patient, name: &str) {
    for check in patient.examine(&["runtimes"]).await.checks {
        let is_fine = matches!(check.state, State::Well(_) | State::Skipped(_));
        assert!(is_fine, "{name}: {}: {:?}", check.check.id, check.state);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
