//! Faults of the host: files, limits, the kernel.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use crate::patient::{Patient, mend};

fn with_data_dir() -> Patient {
    let patient = Patient::before_start();
    patient.configure("data_dir = '{root}/data'\n");
    patient
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_moved_away() {
    let patient = with_data_dir();
    patient.write("/data", "");
    let finding = patient.found("data-dir").await;
    assert!(finding.what.contains("is no folder"), "{finding:?}");
    mend(&finding);
    patient.is_well("data-dir").await;
    assert!(patient.path("/data.old").exists());
}

#[tokio::test]
async fn a_folder_that_can_not_be_made_is_found() {
    let patient = Patient::before_start();
    patient.configure("data_dir = '{root}/file/shoal/data'\n");
    patient.write("/file", "");
    let finding = patient.found("data-dir").await;
    assert!(
        finding.what.contains("Not a directory") || finding.what.contains("can't be made"),
        "{finding:?}"
    );
}

#[tokio::test]
async fn files_of_another_user_are_given_back() {
    let patient = with_data_dir();
    let key = patient.write("/data/node.key", "");
    // Only root can plant this fault.
    if std::os::unix::fs::chown(&key, Some(1234), None).is_err() {
        return;
    }
    let finding = patient.found("data-dir").await;
    assert!(finding.what.contains("belongs to user 1234"), "{finding:?}");
    mend(&finding);
    patient.is_well("data-dir").await;
    assert_eq!(fs::metadata(&key).unwrap().uid(), fs::metadata(patient.path("/data")).unwrap().uid());
}

#[tokio::test]
async fn a_key_that_others_can_read_is_closed() {
    let patient = with_data_dir();
    patient.is_well("identity-private").await;
    shoal_peer::identity_file::load_or_create(&patient.path("/data")).unwrap();
    patient.is_well("identity-kept").await;
    patient.chmod("/data/node.key", 0o644);
    let finding = patient.found("identity-private").await;
    mend(&finding);
    patient.is_well("identity-kept").await;
}

#[tokio::test]
async fn a_damaged_key_is_moved_away() {
    let patient = with_data_dir();
    patient.write("/data/node.key", "shoal-node-key-1:00");
    patient.chmod("/data/node.key", 0o600);
    let finding = patient.found("identity-kept").await;
    assert!(finding.what.contains("holds no node key"), "{finding:?}");
    mend(&finding);
    patient.is_well("identity-kept").await;
}

#[test]
fn a_low_limit_of_open_files_is_found() {
    let patient = with_data_dir();
    let doctor = format!(
        "ulimit -n 500; {} doctor --pre --strict --config '{}' open-files",
        env!("CARGO_BIN_EXE_shoal"),
        patient.config_file().display()
    );
    let output = Command::new("sh").args(["-c", &doctor]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("may open 500 files, and needs up to 2048"), "{text}");
    assert!(text.ends_with("next: ulimit -n 65536\n"), "{text}");
}

#[tokio::test]
async fn a_host_or_group_without_memory_is_found() {
    let patient = with_data_dir();
    patient.write("/proc/meminfo", "MemTotal:  1024000 kB\nMemAvailable:  102400 kB\n");
    let finding = patient.found("memory").await;
    assert!(finding.what.contains("100.0 MiB of memory available"), "{finding:?}");
    mend(&finding);
    patient.write("/proc/meminfo", "MemTotal:  1024000 kB\nMemAvailable:  902400 kB\n");
    patient.write("/sys/fs/cgroup/memory.max", "67108864\n");
    let finding = patient.found("memory").await;
    assert!(finding.what.contains("control group may use 64.0 MiB"), "{finding:?}");
    patient.write("/sys/fs/cgroup/memory.max", "max\n");
    patient.is_well("memory").await;
}

#[tokio::test]
async fn small_buffers_of_the_kernel_are_found() {
    let patient = with_data_dir();
    patient.write("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
    patient.write("/proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t262144\n");
    let finding = patient.found("tcp-buffers").await;
    assert!(finding.what.contains("tcp_wmem"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["sysctl -w net.ipv4.tcp_wmem='4096 16384 4194304'"]);
    patient.write("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 4194304");
    patient.is_well("tcp-buffers").await;
}
