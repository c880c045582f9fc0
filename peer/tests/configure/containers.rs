//! What Podman, CRI-O, Buildah and skopeo are given.

use shoal_peer::configure::Runtime::{Crio, Podman};

use crate::machine::{Machine, for_all, for_hosts};

const OWN: &str = "/etc/containers/registries.conf.d/999-shoal.conf";

fn entries(machine: &Machine, path: &str) -> Vec<toml::Table> {
    let file: toml::Table = toml::from_str(&machine.read(path)).unwrap();
    file["registry"].as_array().unwrap().iter().map(|entry| entry.as_table().unwrap().clone()).collect()
}

fn entry(machine: &Machine, prefix: &str) -> Option<toml::Table> {
    entries(machine, OWN).into_iter().find(|entry| entry["prefix"].as_str() == Some(prefix))
}

/// Where the mirrors of an entry are, in their order.
fn mirrors(entry: &toml::Table) -> Vec<&str> {
    entry["mirror"].as_array().unwrap().iter().map(|mirror| mirror["location"].as_str().unwrap()).collect()
}

#[test]
fn each_usual_registry_gets_its_own_path_at_the_mirror() {
    let machine = Machine::with("podman-default");
    let plan = machine.configure(Podman);
    assert_eq!(entries(&machine, OWN).len(), 7);
    let hub = entry(&machine, "docker.io").unwrap();
    assert_eq!(hub["location"].as_str(), Some("docker.io"));
    assert_eq!(mirrors(&hub), ["127.0.0.1:5020/docker.io"]);
    assert_eq!(hub["mirror"][0]["insecure"].as_bool(), Some(true));
    assert_eq!(plan.command_after(), None);
}

#[test]
fn what_an_entry_said_is_said_again() {
    let machine = Machine::with("podman-mirrors");
    let plan = machine.configure(Podman);
    let hub = entry(&machine, "docker.io").unwrap();
    assert_eq!(mirrors(&hub), ["127.0.0.1:5020/docker.io", "cache.example/hub", "far.example/hub"]);
    assert_eq!(hub["mirror"][1]["insecure"].as_bool(), Some(true));
    assert_eq!(hub["mirror"][2]["pull-from-mirror"].as_str(), Some("digest-only"));
    // A longer prefix has an entry of its own, and its images are elsewhere.
    let library = entry(&machine, "docker.io/library").unwrap();
    assert_eq!(library["insecure"].as_bool(), Some(true));
    assert_eq!(mirrors(&library), ["127.0.0.1:5020/internal.example/hub/library"]);
    // A registry that a wildcard covers stays what the wildcard made it.
    let k8s = entry(&machine, "registry.k8s.io").unwrap();
    assert_eq!((k8s["insecure"].as_bool(), k8s["location"].as_str()), (Some(true), Some("registry.k8s.io")));
    assert!(entry(&machine, "quay.io").is_none());
    assert!(plan.notes.iter().any(|note| note.contains("quay.io is blocked")), "{:?}", plan.notes);
}

#[test]
fn the_first_version_of_the_file_counts_too() {
    let machine = Machine::with("crio");
    let plan = machine.configure(Crio);
    assert_eq!(entry(&machine, "ghcr.io").unwrap()["insecure"].as_bool(), Some(true));
    assert!(entry(&machine, "gcr.io").is_none());
    assert_eq!(plan.command_after(), Some("systemctl reload crio"));
}

#[test]
fn podman_and_crio_share_their_files() {
    let machine = Machine::with("podman-default");
    machine.configure(Podman);
    assert!(machine.plan(&for_all(Crio)).unwrap().is_empty());
}

#[test]
fn shoals_file_comes_last_or_not_at_all() {
    let machine = Machine::empty();
    let other = "[[registry]]\nlocation = \"docker.io\"\ninsecure = true\n";
    machine.write("/etc/containers/registries.conf.d/registry.conf", other);
    machine.configure(Podman);
    assert!(!machine.has(OWN));
    let late = entries(&machine, "/etc/containers/registries.conf.d/zzz-shoal.conf");
    assert_eq!(late[0]["insecure"].as_bool(), Some(true));

    machine.remove(Podman);
    machine.write("/etc/containers/registries.conf.d/zzzz.conf", other);
    let error = machine.plan(&for_all(Podman)).unwrap_err();
    assert!(error.to_string().contains("give it a name"), "{error}");
}

#[test]
fn a_later_change_of_the_operators_is_taken_up() {
    let machine = Machine::with("podman-mirrors");
    machine.configure(Podman);
    let main = "/etc/containers/registries.conf";
    machine.write(main, &machine.read(main).replace("cache.example/hub", "nearer.example/hub"));
    machine.configure(Podman);
    assert_eq!(mirrors(&entry(&machine, "docker.io").unwrap())[1], "nearer.example/hub");
}

#[test]
fn only_what_was_named_is_written() {
    let machine = Machine::with("podman-default");
    machine.configure_as(&for_hosts(Podman, &["registry.example:5000"]));
    let all = entries(&machine, OWN);
    assert_eq!(all.len(), 1);
    assert_eq!(mirrors(&all[0]), ["127.0.0.1:5020/registry.example:5000"]);
}
