//! What `shoal import` makes of each format, and that none of it is a secret.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use shoal_peer::{
    config::{self, Inputs},
    configure::Runtime::{Containerd, Docker, Podman},
    import::{Secrets, Sources, import},
};
use toml::{Table, Value};

use crate::machine::Machine;

/// What was printed, and said beside it.
struct Printed {
    text: String,
    notes: String,
}

impl Printed {
    fn of(machine: &Machine, secrets: Option<PathBuf>) -> Self {
        let mut found = import(&machine.root(), &Sources::usual()).unwrap();
        let text = found.to_toml(&Secrets::new(secrets)).unwrap();
        Self { text, notes: found.notes.join("\n") }
    }

    fn sections(&self) -> Vec<Table> {
        let file: Table = toml::from_str(&self.text).unwrap();
        file["registry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|section| section.as_table().unwrap().clone())
            .collect()
    }

    fn section(&self, host: &str) -> Table {
        let sections = self.sections();
        let mut own = sections.into_iter().filter(|section| section["host"].as_str() == Some(host));
        let section = own.next().unwrap_or_else(|| panic!("{host} in\n{}", self.text));
        assert!(own.next().is_none(), "{host} is there once");
        section
    }

    fn endpoints(&self, host: &str) -> Vec<String> {
        let section = self.section(host);
        let list = section.get("endpoints").and_then(Value::as_array);
        list.into_iter().flatten().map(|url| url.as_str().unwrap().to_owned()).collect()
    }
}

fn text<'a>(section: &'a Table, key: &str) -> Option<&'a str> {
    section.get(key)?.as_str()
}

/// Has Shoal itself read what was printed. Files that are named have to exist, so they are looked for on the machine.
fn assert_is_configuration(machine: &Machine, printed: &Printed) {
    let mut sections = printed.sections();
    for section in &mut sections {
        for key in ["ca_file", "client_cert_file", "client_key_file", "docker_config"] {
            let Some(Value::String(path)) = section.get_mut(key) else { continue };
            *path = machine.root().on_disk(Path::new(path.as_str())).display().to_string();
            if !Path::new(path.as_str()).exists() {
                fs::create_dir_all(Path::new(path.as_str()).parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        }
    }
    let whole = Table::from_iter([("registry".to_owned(), Value::from(sections.clone()))]);
    let file = machine.path().join("shoal.toml");
    fs::write(&file, toml::to_string(&whole).unwrap()).unwrap();
    let loaded = config::load(&Inputs { file: Some(file), ..Inputs::default() });
    let config = loaded.unwrap_or_else(|error| panic!("{error}\n{}", printed.text)).config();
    let hosts: Vec<String> =
        config.registry.iter().map(|registry| registry.host.as_ref().unwrap().to_string()).collect();
    let expected: Vec<&str> = sections.iter().map(|section| section["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, expected);
}

#[test]
fn every_starting_point_becomes_configuration_that_shoal_reads() {
    for fixture in [
        "containerd-1.6-default",
        "containerd-1.7-certs",
        "containerd-2.1-default",
        "containerd-colon",
        "crio",
        "docker-logs",
        "docker-store",
        "kubeadm",
        "legacy-mirrors",
        "podman-default",
        "podman-mirrors",
    ] {
        let machine = Machine::with(fixture);
        let printed = Printed::of(&machine, Some(machine.path().join("secrets")));
        assert_is_configuration(&machine, &printed);
    }
}

#[test]
fn containerds_lists_keep_their_order_certificates_and_own_registry_last() {
    let printed = Printed::of(&Machine::with("legacy-mirrors"), None);
    assert_eq!(printed.endpoints("docker.io"), ["https://mirror.example", "https://registry-1.docker.io"]);
    assert_eq!(printed.endpoints("quay.io"), ["https://quay-mirror.example", "https://quay.io"]);
    let hub = printed.section("docker.io");
    assert_eq!(text(&hub, "ca_file"), Some("/etc/ssl/mirror-ca.pem"));
    assert_eq!(text(&hub, "client_cert_file"), Some("/etc/ssl/node.pem"));
    assert_eq!(text(&hub, "client_key_file"), Some("/etc/ssl/node.key"));
}

#[test]
fn a_login_for_a_mirror_is_not_given_to_the_registry() {
    let printed = Printed::of(&Machine::with("legacy-mirrors"), None);
    for host in ["docker.io", "quay.io"] {
        assert!(!printed.section(host).contains_key("username"), "{}", printed.text);
    }
    assert!(
        printed.notes.contains("the login for mirror.example is not used for docker.io"),
        "{}",
        printed.notes
    );
}

fn with_logins() -> Machine {
    let machine = Machine::empty();
    machine.write(
        "/etc/containerd/config.toml",
        r#"
version = 2
[plugins."io.containerd.grpc.v1.cri".registry.configs."registry.example:5000".auth]
  username = "puller"
  password = "s3cret-one"
[plugins."io.containerd.grpc.v1.cri".registry.auths."https://quay.io"]
  auth = "cm9ib3Q6czNjcmV0LXR3bw=="
"#,
    );
    machine
}

#[test]
fn no_password_is_printed_and_without_a_folder_none_is_written() {
    let machine = with_logins();
    let before = machine.snapshot();
    let printed = Printed::of(&machine, None);
    assert_eq!(machine.snapshot(), before);
    for secret in ["s3cret", "cm9ib3Q6"] {
        assert!(!printed.text.contains(secret) && !printed.notes.contains(secret));
    }
    assert!(printed.text.contains("# Its user and password are in /etc/containerd/config.toml."));
    assert!(printed.notes.contains("--secrets-dir"));
}

#[test]
fn a_login_in_a_url_is_not_repeated_when_it_is_refused() {
    let machine = Machine::empty();
    let daemon = r#"{"registry-mirrors": ["https://user:s3cret@a.example"], "insecure-registries": ["x://u:s3cret@b/c d"]}"#;
    machine.write("/etc/docker/daemon.json", daemon);
    let printed = Printed::of(&machine, None);
    assert!(printed.notes.contains("a mirror that is no plain URL"), "{}", printed.notes);
    assert!(!printed.notes.contains("s3cret") && !printed.text.contains("s3cret"), "{}", printed.notes);
}

#[test]
fn passwords_go_into_files_for_their_owner_only() {
    let machine = with_logins();
    let folder = machine.path().join("secrets");
    let printed = Printed::of(&machine, Some(folder.clone()));
    let section = printed.section("registry.example:5000");
    let file = folder.join("registry.example_5000.password");
    assert_eq!(text(&section, "username"), Some("puller"));
    assert_eq!(text(&section, "password_file"), file.to_str());
    assert_eq!(fs::read_to_string(&file).unwrap(), "s3cret-one");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(folder.join("quay.io.password")).unwrap(), "s3cret-two");
    assert!(!printed.text.contains("s3cret") && !printed.notes.contains("s3cret"));
    assert_is_configuration(&machine, &printed);
}

#[test]
fn hosts_files_keep_order_and_what_one_endpoint_alone_may_stays_with_it() {
    let printed = Printed::of(&Machine::with("containerd-1.7-certs"), None);
    let folder = "/etc/containerd/certs.d";
    let endpoints = ["https://cache.example:8443", "https://far.example", "https://registry-1.docker.io"];
    assert_eq!(printed.endpoints("docker.io"), endpoints);
    let hub = printed.section("docker.io");
    assert_eq!(text(&hub, "ca_file"), Some(format!("{folder}/docker.io/cache-ca.pem").as_str()));
    assert_eq!(text(&hub, "client_key_file"), Some(format!("{folder}/docker.io/node.key").as_str()));
    assert!(!hub.contains_key("insecure_skip_verify"), "far.example alone takes any certificate");
    assert!(printed.notes.contains("docker.io: certificates stay verified"), "{}", printed.notes);
    assert!(printed.notes.contains("headers for https://cache.example:8443"), "{}", printed.notes);
    let other = printed.section("registry.example:5000");
    assert_eq!(text(&other, "ca_file"), Some(format!("{folder}/registry.example:5000/ca.crt").as_str()));
    assert_eq!(
        text(&other, "client_cert_file"),
        Some(format!("{folder}/registry.example:5000/client.cert").as_str())
    );
}

#[test]
fn dockers_mirrors_and_insecure_registries_are_carried_over() {
    let machine = Machine::with("docker-store");
    let printed = Printed::of(&machine, None);
    assert_eq!(printed.endpoints("docker.io"), ["https://cache.example", "https://registry-1.docker.io"]);
    let lab = printed.section("lab.example:5000");
    assert_eq!(
        printed.endpoints("lab.example:5000"),
        ["https://lab.example:5000", "http://lab.example:5000"]
    );
    assert_eq!(lab["insecure_skip_verify"].as_bool(), Some(true));
    assert_eq!(text(&lab, "ca_file"), Some("/etc/docker/certs.d/lab.example:5000/ca.crt"));
    assert_eq!(
        text(&printed.section("registry.example"), "ca_file"),
        Some("/etc/docker/certs.d/registry.example/ca.crt")
    );
}

#[test]
fn logins_of_docker_and_podman_are_referred_to() {
    let machine = Machine::empty();
    machine.write(
        "/root/.docker/config.json",
        r#"{
            "auths": {"https://index.docker.io/v1/": {"auth": "cm9ib3Q6czNjcmV0LXR3bw=="}, "ghcr.io": {}},
            "credHelpers": {"12.dkr.ecr.example": "ecr-login"},
            "credsStore": "pass"
        }"#,
    );
    machine.write(
        "/root/.config/containers/auth.json",
        r#"{"auths": {"quay.io": {"auth": "x"}, "quay.io/team": {}}}"#,
    );
    let printed = Printed::of(&machine, None);
    for (host, key, value) in [
        ("docker.io", "docker_config", "/root/.docker/config.json"),
        ("ghcr.io", "docker_config", "/root/.docker/config.json"),
        ("12.dkr.ecr.example", "credential_helper", "ecr-login"),
        ("quay.io", "docker_config", "/root/.config/containers/auth.json"),
    ] {
        assert_eq!(text(&printed.section(host), key), Some(value), "{host}");
    }
    assert!(!printed.text.contains("cm9ib3Q6"));
    assert!(printed.notes.contains("quay.io/team is for a part of a registry"), "{}", printed.notes);
    assert_is_configuration(&machine, &printed);
}

#[test]
fn registries_conf_is_carried_over_as_far_as_it_goes() {
    let machine = Machine::empty();
    machine.write(
        "/etc/containers/registries.conf",
        r#"
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "cache.example:5000"
insecure = true
[[registry.mirror]]
location = "far.example/hub"
[[registry]]
prefix = "quay.io/team"
location = "team.example"
[[registry]]
location = "gcr.io"
blocked = true
"#,
    );
    let printed = Printed::of(&machine, None);
    let endpoints =
        ["https://cache.example:5000", "http://cache.example:5000", "https://registry-1.docker.io"];
    assert_eq!(printed.endpoints("docker.io"), endpoints);
    for part in
        ["far.example/hub keeps docker.io below a path", "quay.io/team is a part", "gcr.io is blocked"]
    {
        assert!(printed.notes.contains(part), "{part} in\n{}", printed.notes);
    }
}

#[test]
fn the_usual_registries_are_not_lost() {
    let printed = Printed::of(&Machine::with("containerd-1.7-certs"), None);
    for host in config::WELL_KNOWN {
        printed.section(host);
    }
}

#[test]
fn shoals_own_mirror_is_never_imported() {
    for (fixture, runtime) in [
        ("containerd-1.7-certs", Containerd),
        ("legacy-mirrors", Containerd),
        ("docker-store", Docker),
        ("podman-mirrors", Podman),
    ] {
        let machine = Machine::with(fixture);
        let before = Printed::of(&machine, None);
        machine.configure(runtime);
        let after = Printed::of(&machine, None);
        assert_eq!(after.text, before.text, "{fixture}");
    }
}
