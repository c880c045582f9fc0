//! The commands themselves: what they ask for, where they write, and how they end.

use std::process::{Command, Output, Stdio};

use crate::machine::Machine;

/// Runs `shoal` on `machine`, with no terminal.
fn shoal(machine: &Machine, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shoal"));
    command.args(arguments).arg("--root").arg(machine.path()).stdin(Stdio::null());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_a_terminal_nothing_is_written_until_yes_is_said() {
    let machine = Machine::with("kubeadm");
    let before = machine.snapshot();
    let output = shoal(&machine, &["configure", "containerd"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("configure containerd --root") && said(&output).contains("--yes`"),
        "{}",
        said(&output)
    );
    assert!(String::from_utf8(output.stdout).unwrap().contains("+++ b/etc/containerd/config.toml"));
    assert_eq!(machine.snapshot(), before);

    let output = shoal(&machine, &["configure", "containerd", "--yes"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("systemctl restart containerd"), "{}", said(&output));
    let again = shoal(&machine, &["configure", "containerd"]);
    assert_eq!((again.status.code(), again.stdout.len()), (Some(0), 0));
    assert!(said(&again).contains("nothing to change"));

    assert_eq!(shoal(&machine, &["configure", "containerd", "--remove", "--yes"]).status.code(), Some(0));
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_dry_run_shows_and_writes_nothing() {
    let machine = Machine::with("docker-logs");
    let before = machine.snapshot();
    let output = shoal(&machine, &["configure", "docker", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("+++ b/etc/docker/daemon.json"));
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_can_not_be_done_has_its_exit_code() {
    let machine = Machine::with("docker-logs");
    assert_eq!(shoal(&machine, &["configure", "docker", "--registry", "quay.io"]).status.code(), Some(2));
    machine.write("/etc/docker/daemon.json", "{");
    let output = shoal(&machine, &["configure", "docker", "--yes"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("/etc/docker/daemon.json:1"), "{}", said(&output));
}

#[test]
fn a_file_that_can_not_be_undone_is_a_failure() {
    let machine = Machine::empty();
    assert_eq!(shoal(&machine, &["configure", "containerd", "--yes"]).status.code(), Some(0));
    let path = "/etc/containerd/certs.d/_default/hosts.toml";
    machine.write(path, &(machine.read(path) + "  dial_timeout = \"1s\"\n"));
    let output = shoal(&machine, &["configure", "containerd", "--remove", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(path), "{}", said(&output));
}

#[test]
fn import_prints_sections_on_standard_output_and_the_rest_beside_it() {
    let output = shoal(&Machine::with("legacy-mirrors"), &["import"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        text.starts_with("# From /etc/containerd/config.toml\n[[registry]]\nhost = \"docker.io\"\n"),
        "{text}"
    );
    assert!(
        said(&output).contains("note: ") && !said(&output).contains("s3cret") && !text.contains("s3cret")
    );
}
