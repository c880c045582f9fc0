//! The command itself: what it prints where, and how it ends.

use std::process::{Command, Output};

use serde_json::Value;

use crate::patient::Patient;

fn doctor(patient: &Patient, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shoal"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHOAL_")) {
        command.env_remove(name);
    }
    command.arg("doctor").args(arguments).arg("--root").arg(patient.root());
    command.arg("--config").arg(patient.config_file()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_failure_ends_with_one_and_the_next_command() {
    let patient = Patient::before_start();
    let output = doctor(&patient, &["--pre", "config-file"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains('\u{1b}'), "no escape bytes in a pipe: {text:?}");
    let next = format!("next: shoal config > '{}'", patient.config_file().display());
    assert_eq!(text.lines().last(), Some(next.as_str()), "{text}");
    assert!(
        text.contains("FAIL  config-file") && text.contains("more: docs/doctor.md#config-file"),
        "{text}"
    );

    patient.configure("");
    let output = doctor(&patient, &["--pre", "config-file"]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert!(said(&output).ends_with("next: nothing, all is well\n"), "{}", said(&output));
}

#[test]
fn programs_get_json_of_a_known_version() {
    let patient = Patient::before_start();
    let output = doctor(&patient, &["--pre", "--json", "config-file"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["schema"], &report["summary"]["failures"]), (&1.into(), &1.into()));
    let check = &report["checks"][0];
    assert_eq!((&check["id"], &check["state"]), (&"config-file".into(), &"found".into()));
    let command = check["findings"][0]["mend"]["commands"][0].as_str().unwrap();
    assert_eq!(report["next"], command);
    assert!(command.starts_with("shoal config > "), "{command}");
}

#[test]
fn names_that_are_none_are_usage() {
    let patient = Patient::before_start();
    let output = doctor(&patient, &["config-fiel"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean config-file?"));
    assert_eq!(doctor(&patient, &["--wait", "long"]).status.code(), Some(2));
}

#[test]
fn every_check_is_listed_and_explained() {
    let patient = Patient::before_start();
    let list = said(&doctor(&patient, &["--list"]));
    assert_eq!(list.lines().count(), shoal_peer::doctor::all().len());
    for line in list.lines() {
        let name = line.split_whitespace().next().unwrap();
        let told = shoal_peer::doctor::all().into_iter().find(|check| check.id == name).unwrap();
        assert!(shoal_peer::doctor::explain(told).contains("mend: "), "{name}");
    }
    assert!(said(&doctor(&patient, &["--explain", "config-file"])).contains("why: "));
}

#[test]
fn waiting_ends() {
    let patient = Patient::before_start();
    let started = std::time::Instant::now();
    let output = doctor(&patient, &["--pre", "--wait", "2s", "config-file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(started.elapsed() >= std::time::Duration::from_secs(1));
}

#[test]
fn what_is_skipped_for_one_reason_takes_one_line() {
    let patient = Patient::before_start();
    patient.configure("");
    let text = said(&doctor(&patient, &["--pre", "registries"]));
    let skipped: Vec<_> = text.lines().filter(|line| line.ends_with("no registry is named here")).collect();
    assert_eq!(skipped.len(), 1, "{text}");
    assert!(skipped[0].contains("registry-files and "), "{text}");
}
