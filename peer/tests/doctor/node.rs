//! Faults of the node's own process.

use std::{
    net::TcpListener,
    time::{Duration, SystemTime},
};

use shoal_peer::doctor::Page;
use shoal_protocol::membership::{ClusterKey, Role};

use crate::{
    patient::Patient,
    server::{Server, reply},
};

fn key() -> ClusterKey {
    ClusterKey::from_root([11; 32])
}

/// One whose admin page is at `address`.
fn with_admin_at(address: impl std::fmt::Display) -> Patient {
    let mut patient = Patient::before_start();
    patient.is_pre = false;
    patient.configure(&format!("[admin]\nlisten = '{address}'\n"));
    patient
}

#[tokio::test]
async fn an_address_that_another_program_has_is_found_before_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let patient = Patient::before_start();
    let rest =
        "[admin]\nlisten = '127.0.0.1:0'\n[swarm]\nlisten = '127.0.0.1:0'\n[lane]\nlisten = '127.0.0.1:0'\n";
    patient.configure(&format!("[mirror]\nlisten = '{address}'\n{rest}"));
    let finding = patient.found("ports-free").await;
    assert!(finding.what.contains(&format!("{address} (mirror.listen)")), "{finding:?}");
    assert_eq!(finding.mend.commands, [format!("ss -ltnp 'sport = :{}'", address.port())]);
    drop(taken);
    patient.is_well("ports-free").await;
    patient.configure(&format!("[mirror]\nlisten = '203.0.113.9:5020'\n{rest}"));
    let finding = patient.found("ports-free").await;
    assert!(finding.mend.text.contains("an address of this host"), "{finding:?}");
}

#[tokio::test]
async fn a_node_that_does_not_run_is_told_once() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let patient = with_admin_at(unused);
    let finding = patient.found("node-answers").await;
    assert!(finding.what.contains("refused"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["systemctl start shoal-peer"]);
    let report = patient.examine(&["node"]).await;
    let problems: Vec<_> = report.problems().iter().map(|report| report.check.id).collect();
    assert_eq!(problems, ["node-answers"], "what builds on it is quiet");
}

#[tokio::test]
async fn another_program_at_the_admin_address_is_told_from_a_node() {
    let web = Server::start(|_| reply("200 OK", "", "hello")).await;
    let finding = with_admin_at(web.address).found("node-answers").await;
    assert!(finding.what.contains("is no Shoal node"), "{finding:?}");
    let silent = Server::silent().await;
    let finding = with_admin_at(silent.address).found("node-answers").await;
    assert!(finding.what.contains("did not answer within"), "{finding:?}");
    let other = Server::start(|_| "SSH-2.0-OpenSSH_9.9\r\n".to_owned()).await;
    let finding = with_admin_at(other.address).found("node-answers").await;
    assert!(finding.what.contains("does not answer in HTTP"), "{finding:?}");
}

#[tokio::test]
async fn a_node_of_another_version_is_found() {
    let older = Server::start(|head| match head.split(' ').nth(1) {
        Some("/healthz") => reply("200 OK", "", "ok\n"),
        _ => reply("200 OK", "", r#"{"version":"0.0.9","role":"peer","uptime_s":5}"#),
    });
    let finding = with_admin_at(older.await.address).found("node-version").await;
    assert!(finding.what.contains("the node runs version 0.0.9"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["systemctl restart shoal-peer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_was_changed_since_is_found() {
    let (patient, node) = Patient::with_node(Role::Seed, &key(), "").await;
    patient.is_well("config-current").await;
    patient.date_configuration(SystemTime::now() + Duration::from_secs(30));
    let finding = patient.found("config-current").await;
    assert!(finding.what.contains("was changed after the node had started"), "{finding:?}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_a_seed_is_not_ready_and_alone() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rest = format!("bootstrap = ['{gone}']\n");
    let (patient, node) = Patient::with_node(Role::Peer, &key().member_only(), &rest).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let finding = patient.found("node-ready").await;
    assert!(finding.what.contains("seed: no seed is known"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["shoal doctor --pre cluster"]);
    let finding = patient.found("node-connected").await;
    assert!(finding.what.contains("no connection to any other"), "{finding:?}");
    // The command that is named finds the cause.
    let finding = patient.found("seeds-reachable").await;
    assert!(finding.what.contains(&gone.to_string()), "{finding:?}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_elsewhere_or_another_programs_is_found() {
    let (patient, node) = Patient::with_node(Role::Seed, &key(), "").await;
    patient.is_well("mirror-answers").await;
    let text = std::fs::read_to_string(patient.config_file()).unwrap();
    let move_mirror = |to: String| patient.configure(&text.replacen(&node.mirror().to_string(), &to, 1));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    move_mirror(gone.to_string());
    let finding = patient.found("mirror-answers").await;
    assert!(finding.what.contains("refused"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["systemctl restart shoal-seed"]);
    let registry = Server::start(|_| reply("200 OK", "", "{}")).await;
    move_mirror(registry.address.to_string());
    let finding = patient.found("mirror-answers").await;
    assert!(finding.what.contains("is no mirror of Shoal's"), "{finding:?}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_limit_of_the_running_node_is_found() {
    let (patient, node) = Patient::with_node(Role::Seed, &key(), "").await;
    let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                  Max open files            1024                 4096                 files\n";
    patient.write(&format!("/proc/{}/limits", std::process::id()), limits);
    let finding = patient.found("open-files").await;
    assert!(finding.what.contains("may open 1024 files"), "{finding:?}");
    let command = format!("prlimit --pid {} --nofile=65536:65536", std::process::id());
    assert_eq!(finding.mend.commands, [command]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_counts_what_is_wrong_with_its_host() {
    let more_than_any_limit = [("SHOAL_MIRROR_MAX_CONNECTIONS", "2000000000")];
    let (_patient, node) = Patient::with_node_told(Role::Seed, &key(), "", &more_than_any_limit).await;
    let page = Page::new(node.admin());
    let expected = "shoal_doctor_problems{severity=\"warning\"} 1";
    let counted = async {
        while !String::from_utf8_lossy(&page.get("/metrics").await.unwrap().body)
            .lines()
            .any(|line| line == expected)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.unwrap();
    node.shutdown().await;
}
