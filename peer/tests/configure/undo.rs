//! From each starting point: configured, twice, and undone to the last byte.

use shoal_peer::configure::Runtime::{self, Containerd, Crio, Docker, Podman};

use crate::machine::{Machine, for_all};

fn with_odd_ends() -> Machine {
    let machine = Machine::empty();
    let text = "version = 2\r\n\r\n[plugins.\"io.containerd.grpc.v1.cri\"]\r\n  sandbox_image = \"pause:3\"";
    machine.write("/etc/containerd/config.toml", text);
    machine.chmod("/etc/containerd/config.toml", 0o600);
    machine
}

fn with_links() -> Machine {
    let machine = Machine::empty();
    machine.write("/opt/node/containerd.toml", "version = 2\n# managed elsewhere\n");
    machine.chmod("/opt/node/containerd.toml", 0o640);
    machine.link("/etc/containerd/config.toml", "/opt/node/containerd.toml");
    machine.link("/etc/containerd/certs.d", "../../opt/node/certs");
    machine.write("/opt/node/certs/quay.io/hosts.toml", "server = \"https://quay.io\"");
    machine
}

/// Every starting point that this crate knows of.
fn starts() -> Vec<(&'static str, Runtime, Machine)> {
    let fixtures = [
        ("containerd-1.6-default", Containerd),
        ("containerd-1.7-certs", Containerd),
        ("containerd-2.1-default", Containerd),
        ("kubeadm", Containerd),
        ("legacy-mirrors", Containerd),
        ("containerd-imports", Containerd),
        ("containerd-colon", Containerd),
        ("docker-package-containerd", Containerd),
        ("docker-logs", Docker),
        ("docker-one-line", Docker),
        ("docker-store", Docker),
        ("podman-default", Podman),
        ("podman-mirrors", Podman),
        ("crio", Crio),
    ];
    let mut starts: Vec<_> =
        fixtures.into_iter().map(|(name, runtime)| (name, runtime, Machine::with(name))).collect();
    for runtime in [Containerd, Docker, Crio, Podman] {
        starts.push(("nothing", runtime, Machine::empty()));
    }
    starts.push(("odd line ends", Containerd, with_odd_ends()));
    starts.push(("links", Containerd, with_links()));
    starts
}

#[test]
fn everything_comes_back_byte_for_byte() {
    for (name, runtime, machine) in starts() {
        let before = machine.snapshot();
        let plan = machine.configure(runtime);
        assert!(!plan.diff().is_empty(), "{name} for {runtime}: something is written");
        assert_ne!(machine.snapshot(), before, "{name} for {runtime}");
        machine.remove(runtime);
        assert_eq!(machine.snapshot(), before, "{name} for {runtime}");
    }
}

#[test]
fn a_second_run_changes_nothing() {
    for (name, runtime, machine) in starts() {
        machine.configure(runtime);
        let once = machine.snapshot();
        let plan = machine.plan(&for_all(runtime)).unwrap();
        assert!(plan.is_empty() && plan.diff().is_empty(), "{name} for {runtime}:\n{}", plan.diff());
        plan.apply(&machine.root()).unwrap();
        assert_eq!(machine.snapshot(), once, "{name} for {runtime}");
    }
}

#[test]
fn a_plan_alone_writes_nothing() {
    for (name, runtime, machine) in starts() {
        let before = machine.snapshot();
        machine.plan(&for_all(runtime)).unwrap();
        assert_eq!(machine.snapshot(), before, "{name} for {runtime}");
    }
}

#[test]
fn another_mirror_takes_the_place_of_the_first_one() {
    for (name, runtime, machine) in starts() {
        let before = machine.snapshot();
        machine.configure(runtime);
        let mut request = for_all(runtime);
        request.mirror = "http://127.0.0.1:6020".parse().unwrap();
        machine.configure_as(&request);
        for entry in machine.snapshot() {
            let is_record = entry.0.ends_with("state.json");
            assert!(is_record || !format!("{entry:?}").contains("127.0.0.1:5020"), "{name}: {entry:?}");
        }
        machine.remove(runtime);
        assert_eq!(machine.snapshot(), before, "{name} for {runtime}");
    }
}

#[test]
fn no_line_of_the_operators_is_lost() {
    for (name, runtime, machine) in starts() {
        let plan = machine.plan(&for_all(runtime)).unwrap();
        let diff = plan.diff();
        let removed: Vec<&str> =
            diff.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).collect();
        // A list of mirrors on one line, a value that is set anew, a last line that had no end.
        let is_expected = |line: &&str| {
            [
                "config_path",
                "endpoint = [\"",
                "registry-mirrors\"",
                "sandbox_image",
                "server = \"https://quay.io\"",
            ]
            .iter()
            .any(|part| line.contains(part))
                || *line == "-{\"log-driver\":\"journald\"}"
        };
        assert!(removed.iter().all(is_expected), "{name}: {removed:#?}");
    }
}

#[test]
fn a_machine_that_was_undone_twice_stays_as_it_was() {
    let machine = Machine::with("kubeadm");
    let before = machine.snapshot();
    machine.configure(Containerd);
    machine.remove(Containerd);
    assert!(machine.remove(Containerd).is_empty());
    assert_eq!(machine.snapshot(), before);
}
