//! What a scrape shows.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use super::*;

fn exercised() -> String {
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).unwrap();
    metrics.received(Source::Peers, 7);
    metrics.set_peers(3);
    metrics.set_inventory(4, 5);
    metrics.set_store(6, 2);
    metrics.set_problems(1, 2);
    metrics.verification_failed();
    metrics.strike("bad_piece");
    metrics.mirror().request_ended(RequestKind::Blob, Outcome::Broken("interrupted"), Duration::from_secs(1));
    metrics.mirror().first_byte(RequestKind::Blob, Duration::from_millis(3));
    metrics.mirror().sent(RequestKind::Blob, 9);
    metrics.mirror().stale_answer();
    metrics.prefetched(true);
    let _lane = metrics.lane(Direction::In);
    drop(metrics.lane(Direction::Out));
    let connections = metrics.connections("mirror");
    connections.refused();
    let _open = connections.open();
    prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[test]
fn every_metric_is_shown_with_its_value() {
    let text = exercised();
    for line in [
        "shoal_received_bytes_total{source=\"peers\"} 7",
        "shoal_received_bytes_total{source=\"origin\"} 0",
        "shoal_mirror_requests_total{kind=\"blob\",outcome=\"broken\",reason=\"interrupted\"} 1",
        "shoal_mirror_request_duration_seconds_count{kind=\"blob\",outcome=\"broken\"} 1",
        "shoal_mirror_first_byte_seconds_bucket{kind=\"blob\",le=\"0.005\"} 1",
        "shoal_mirror_sent_bytes_total{kind=\"blob\"} 9",
        "shoal_mirror_stale_answers_total 1",
        "shoal_http_connections{listener=\"mirror\"} 1",
        "shoal_http_connections_refused_total{listener=\"mirror\"} 1",
        "shoal_prefetched_blobs_total{outcome=\"complete\"} 1",
        "shoal_prefetched_blobs_total{outcome=\"failed\"} 0",
        "shoal_swarm_peers 3",
        "shoal_inventory_nodes 4",
        "shoal_inventory_blobs 5",
        "shoal_store_bytes 6",
        "shoal_store_blobs 2",
        "shoal_doctor_problems{severity=\"failure\"} 1",
        "shoal_doctor_problems{severity=\"warning\"} 2",
        "shoal_verification_failures_total 1",
        "shoal_strikes_total{reason=\"bad_piece\"} 1",
        "shoal_lanes{direction=\"in\"} 1",
        "shoal_lanes{direction=\"out\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
}

#[test]
fn names_are_ours_and_a_registry_takes_them_once() {
    let text = exercised();
    assert!(text.lines().all(|line| line.starts_with("shoal_") || line.starts_with("# ")));
    let registry = Registry::new();
    Metrics::new(&registry).unwrap();
    assert!(Metrics::new(&registry).is_err());
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match started {
        Ok(promtool) => promtool,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("promtool is not on PATH (Debian package prometheus): not checked");
            return;
        }
        Err(error) => panic!("could not start promtool: {error}"),
    };
    promtool.stdin.take().unwrap().write_all(exercised().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}
