//! What others write between `configure` and `--remove` survives, and what can't be understood is left alone.

use shoal_peer::configure::{
    ConfigureError,
    Runtime::{self, Containerd, Docker, Podman},
};

use crate::machine::{Machine, for_all};

const CONFIG: &str = "/etc/containerd/config.toml";
const HUB: &str = "/etc/containerd/certs.d/docker.io/hosts.toml";
const DEFAULT: &str = "/etc/containerd/certs.d/_default/hosts.toml";
const DAEMON: &str = "/etc/docker/daemon.json";

#[test]
fn a_change_of_the_operators_survives_removal() {
    let machine = Machine::with("containerd-1.7-certs");
    let original = machine.read(HUB);
    machine.configure(Containerd);
    let added = "\n[host.\"https://new.example\"]\n  capabilities = [\"pull\"]\n";
    machine.write(HUB, &(machine.read(HUB) + added));
    let plan = machine.remove(Containerd);
    assert_eq!(machine.read(HUB), original + added);
    assert!(plan.left.is_empty() && plan.notes.iter().any(|note| note.contains(HUB)), "{:?}", plan.notes);
    assert!(!machine.has("/var/lib/shoal-configure"), "the record is gone");
}

#[test]
fn a_change_of_the_operators_survives_a_second_run_and_removal() {
    let machine = Machine::with("kubeadm");
    let original = machine.read(CONFIG);
    machine.configure(Containerd);
    let change = |text: &str| text.replace("pause:3.9", "pause:3.10");
    machine.write(CONFIG, &change(&machine.read(CONFIG)));
    assert!(machine.configure(Containerd).diff().is_empty());
    machine.remove(Containerd);
    assert_eq!(machine.read(CONFIG), change(&original));
}

#[test]
fn a_file_of_shoals_that_others_added_to_keeps_their_part() {
    let machine = Machine::empty();
    machine.configure(Containerd);
    let added = "\n[host.\"https://new.example\"]\n  capabilities = [\"pull\"]\n";
    machine.write(DEFAULT, &(machine.read(DEFAULT) + added));
    machine.remove(Containerd);
    assert_eq!(machine.read(DEFAULT), added);
    assert!(!machine.has(CONFIG));
}

#[test]
fn lines_that_shoal_and_others_share_are_left_and_named() {
    let machine = Machine::with("containerd-1.7-certs");
    let before = machine.read(HUB);
    machine.configure(Containerd);
    let tangled =
        machine.read(HUB).replace("[\"pull\", \"resolve\"]", "[\"pull\", \"resolve\"]\n  skip_verify = true");
    machine.write(HUB, &tangled);
    let plan = machine.remove(Containerd);
    assert_eq!(plan.left, [std::path::Path::new(HUB)]);
    assert_eq!(machine.read(HUB), tangled);
    assert!(!machine.has(DEFAULT), "the rest is undone");
    let error = machine.plan(&for_all(Containerd)).unwrap_err();
    assert!(error.to_string().contains("by hand"), "{error}");

    machine.write(HUB, &before);
    assert!(machine.remove(Containerd).left.is_empty());
    assert!(!machine.has("/var/lib/shoal-configure"));
}

#[test]
fn a_key_put_into_shoals_table_does_not_slip_into_another_one() {
    let machine = Machine::empty();
    machine.write(HUB, "server = \"https://registry-1.docker.io\"\n");
    machine.write(CONFIG, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/etc/containerd/certs.d\"\n");
    machine.configure(Containerd);
    let changed = machine.read(HUB) + "  dial_timeout = \"1s\"\n";
    machine.write(HUB, &changed);
    assert_eq!(machine.remove(Containerd).left.len(), 1);
    assert_eq!(machine.read(HUB), changed);
}

#[test]
fn what_others_removed_stays_removed() {
    let machine = Machine::with("containerd-1.7-certs");
    machine.configure(Containerd);
    machine.delete(HUB);
    machine.remove(Containerd);
    assert!(!machine.has(HUB) && !machine.has("/var/lib/shoal-configure"));
}

#[test]
fn an_interrupted_run_can_be_undone() {
    let machine = Machine::with("containerd-1.7-certs");
    let before = machine.snapshot();
    machine.configure(Containerd);
    // As if the process had been killed after the record and before this file.
    machine.write(HUB, &Machine::with("containerd-1.7-certs").read(HUB));
    machine.remove(Containerd);
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_changes_while_the_operator_is_asked_is_not_overwritten() {
    let machine = Machine::with("kubeadm");
    let plan = machine.plan(&for_all(Containerd)).unwrap();
    machine.write(CONFIG, "version = 2\n");
    let error = plan.apply(&machine.root()).unwrap_err();
    assert!(error.to_string().contains("in the meantime"), "{error}");
    assert_eq!(machine.read(CONFIG), "version = 2\n");
}

fn refuses(machine: &Machine, runtime: Runtime) -> ConfigureError {
    let before = machine.snapshot();
    let error = machine.plan(&for_all(runtime)).unwrap_err();
    assert_eq!(machine.snapshot(), before);
    error
}

#[test]
fn a_file_that_does_not_parse_is_named_with_its_line_and_nothing_is_written() {
    let broken_toml = "version = 2\n\n[plugins.\"x\"\npassword = \"s3cret\"\n";
    let cases = [
        (Containerd, CONFIG, broken_toml, 3),
        (Containerd, HUB, "server = \"https://a.example\"\n[host\n", 2),
        (Docker, DAEMON, "{\n  \"debug\": true,\n}\n", 3),
        (Podman, "/etc/containers/registries.conf", "[[registry]\nlocation = \"a\"\n", 1),
        (Podman, "/etc/containers/registries.conf.d/10.conf", "\nlocation = \n", 2),
    ];
    for (runtime, path, text, expected) in cases {
        let machine = Machine::empty();
        machine.write(path, text);
        match refuses(&machine, runtime) {
            ConfigureError::Invalid { path: named, line, message } => {
                assert_eq!((named.to_str(), line), (Some(path), expected), "{message}");
                assert!(!message.contains("s3cret"));
            }
            other => panic!("{path}: {other}"),
        }
    }
}

#[test]
fn a_folder_in_the_place_of_a_file_is_told() {
    let machine = Machine::empty();
    machine.write("/etc/containerd/config.toml/oops", "");
    assert!(refuses(&machine, Containerd).to_string().contains("can't read /etc/containerd/config.toml"));
}
