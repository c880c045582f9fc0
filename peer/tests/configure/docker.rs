//! What Docker Engine is given.

use shoal_peer::configure::Runtime::Docker;

use crate::machine::{Machine, for_all, for_hosts};

const DAEMON: &str = "/etc/docker/daemon.json";
const SHOAL: &str = "http://127.0.0.1:5020";

#[test]
fn a_list_of_mirrors_gets_one_more_in_front_and_nothing_else_moves() {
    let machine = Machine::with("docker-logs");
    let before = machine.read(DAEMON);
    let plan = machine.configure(Docker);
    let expected = before
        .replace("[ \"https://cache.example\" ]", "[ \"http://127.0.0.1:5020\", \"https://cache.example\" ]");
    assert_eq!(machine.read(DAEMON), expected);
    assert_eq!(plan.command_after(), Some("systemctl reload docker"));
}

#[test]
fn layouts_of_all_kinds_are_kept() {
    let cases = [
        ("", "{\n  \"registry-mirrors\": [\"http://127.0.0.1:5020\"]\n}\n"),
        ("{}", "{\n  \"registry-mirrors\": [\"http://127.0.0.1:5020\"]\n}"),
        ("{ \"debug\": true }", "{ \"registry-mirrors\": [\"http://127.0.0.1:5020\"], \"debug\": true }"),
        (
            "{\r\n\t\"debug\": true\r\n}\r\n",
            "{\r\n\t\"registry-mirrors\": [\"http://127.0.0.1:5020\"],\r\n\t\"debug\": true\r\n}\r\n",
        ),
        (
            "{\"registry-mirrors\": [\n    \"https://a.example\"\n  ]}",
            "{\"registry-mirrors\": [\n    \"http://127.0.0.1:5020\",\n    \"https://a.example\"\n  ]}",
        ),
        ("{\"registry-mirrors\":[]}", "{\"registry-mirrors\":[\"http://127.0.0.1:5020\"]}"),
        (
            "{\"x\": \"} , \\\" [\", \"registry-mirrors\": [ ] }",
            "{\"x\": \"} , \\\" [\", \"registry-mirrors\": [\"http://127.0.0.1:5020\" ] }",
        ),
    ];
    for (before, after) in cases {
        let machine = Machine::empty();
        machine.write(DAEMON, before);
        machine.configure(Docker);
        assert_eq!(machine.read(DAEMON), after);
        machine.remove(Docker);
        assert_eq!(machine.read(DAEMON), before);
    }
}

#[test]
fn what_is_no_list_or_there_twice_is_refused() {
    for text in [
        "{\"registry-mirrors\": \"https://a.example\"}",
        "{\"registry-mirrors\": [], \"registry-mirrors\": []}",
    ] {
        let machine = Machine::empty();
        machine.write(DAEMON, text);
        let error = machine.plan(&for_all(Docker)).unwrap_err();
        assert!(error.to_string().contains("by hand"), "{error}");
    }
}

#[test]
fn a_mirror_given_as_a_flag_is_not_given_twice() {
    let machine = Machine::empty();
    machine.write(
        "/etc/systemd/system/docker.service.d/mirror.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --registry-mirror=https://a.example\n",
    );
    let error = machine.plan(&for_all(Docker)).unwrap_err();
    assert!(error.to_string().contains("mirror.conf: it starts Docker with --registry-mirror"), "{error}");
}

#[test]
fn the_classic_store_has_mirrors_for_docker_hub_only() {
    let machine = Machine::with("docker-logs");
    let error = machine.plan(&for_hosts(Docker, &["quay.io"])).unwrap_err();
    assert!(error.to_string().contains("--containerd-store"), "{error}");
    let plan = machine.configure(Docker);
    assert!(plan.notes.iter().any(|note| note.contains("docker.io")));
    assert!(!machine.has("/etc/docker/certs.d"));
}

#[test]
fn the_containerd_store_gets_a_file_for_each_registry() {
    let machine = Machine::with("docker-store");
    let plan = machine.configure(Docker);
    let hosts = |name: &str| machine.read(&format!("/etc/docker/certs.d/{name}/hosts.toml"));
    for name in ["docker.io", "quay.io", "ghcr.io", "registry.k8s.io", "registry.example"] {
        assert!(hosts(name).contains(&format!("[host.\"{SHOAL}\"]")), "{name}");
    }
    let authority = "ca = [\"/etc/docker/certs.d/registry.example/ca.crt\"]";
    assert!(hosts("registry.example").contains(authority));
    // A hosts.toml takes registry-mirrors out of use for its registry, so they are named there.
    let hub = hosts("docker.io");
    let (shoal, cache) = (hub.find(SHOAL).unwrap(), hub.find("[host.\"https://cache.example\"]").unwrap());
    assert!(shoal < cache);
    // And insecure-registries; that can't be said in the file.
    assert!(!machine.has("/etc/docker/certs.d/lab.example:5000/hosts.toml"));
    assert!(!machine.has("/etc/docker/certs.d/_default"));
    assert!(plan.notes.iter().any(|note| note.contains("lab.example:5000")));
}

#[test]
fn the_containerd_store_can_be_named_where_the_file_does_not_say_it() {
    let machine = Machine::empty();
    let mut request = for_hosts(Docker, &["quay.io"]);
    request.containerd_store = true;
    let plan = machine.configure_as(&request);
    assert!(machine.has("/etc/docker/certs.d/quay.io/hosts.toml") && !machine.has(DAEMON));
    assert_eq!(plan.command_after(), None, "hosts.toml is read at each pull");
    machine.configure(Docker);
    assert!(machine.has(DAEMON) && !machine.has("/etc/docker/certs.d"), "what is no longer wanted goes");
}

#[test]
fn the_login_of_a_proxy_is_not_shown_in_a_difference() {
    let machine = Machine::empty();
    machine.write(DAEMON, "{\n  \"proxies\": {\"https-proxy\": \"http://user:s3cret@proxy.example\"}\n}\n");
    let diff = machine.plan(&for_all(Docker)).unwrap().diff();
    assert!(diff.contains("@proxy.example") && !diff.contains("s3cret"), "{diff}");
}
