//! Faults of the disk, on file systems that a test mounts in a namespace of its own.

use std::process::Command;

use serde_json::Value;

use crate::patient::Patient;

/// What a check finds with a small file system at `data_dir`, after `then`.
fn found_on(options: &str, then: &str, check: &str) -> Value {
    let patient = Patient::before_start();
    patient.configure("data_dir = '{root}/data'\n");
    std::fs::create_dir(patient.path("/data")).unwrap();
    let data = patient.path("/data");
    let script = format!(
        "mount -t tmpfs -o {options} tmpfs '{data}' && {{ {then}; }} && {shoal} doctor --pre --json --config '{config}' {check}",
        data = data.display(),
        shoal = env!("CARGO_BIN_EXE_shoal"),
        config = patient.config_file().display(),
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(&data)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of_check = report["checks"].as_array().unwrap().iter().find(|one| one["id"] == check);
    of_check.unwrap()["findings"][0].clone()
}

#[test]
fn a_disk_that_is_nearly_full_is_found() {
    let finding = found_on("size=64m", "true", "disk-space");
    assert!(finding["what"].as_str().unwrap().contains("64.0 MiB of 64.0 MiB left"), "{finding}");
    assert!(finding["mend"]["commands"][0].as_str().unwrap().starts_with("du -xh"), "{finding}");
}

#[test]
fn a_disk_without_inodes_is_found() {
    let finding = found_on("size=4g,nr_inodes=100", "true", "disk-inodes");
    assert!(finding["what"].as_str().unwrap().contains("files more, of 100"), "{finding}");
    assert!(finding["mend"]["commands"][0].as_str().unwrap().starts_with("du -x --inodes"), "{finding}");
}

#[test]
fn a_disk_that_is_mounted_read_only_is_found() {
    let finding = found_on("size=1m", "mount -o remount,ro \"$PWD\"", "data-dir");
    assert!(finding["what"].as_str().unwrap().contains("mounted read-only"), "{finding}");
    assert!(finding["mend"]["commands"][0].as_str().unwrap().starts_with("mount -o remount,rw"), "{finding}");
}
