//! What containerd is given.

use shoal_peer::configure::Runtime::Containerd;

use crate::machine::{Machine, for_all, for_hosts};

const CONFIG: &str = "/etc/containerd/config.toml";
const CERTS: &str = "/etc/containerd/certs.d";
const SHOAL: &str = "http://127.0.0.1:5020";
const RESTART: Option<&str> = Some("systemctl restart containerd");

fn toml_of(machine: &Machine, path: &str) -> toml::Table {
    toml::from_str(&machine.read(path)).unwrap()
}

/// The hosts of a registry's file, in the order of their tables.
fn hosts(machine: &Machine, registry: &str) -> Vec<String> {
    let text = machine.read(&format!("{CERTS}/{registry}/hosts.toml"));
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("[host.\"")?.strip_suffix("\"]"));
    names.map(str::to_owned).collect()
}

fn config_path(machine: &Machine, plugin: &str) -> String {
    toml_of(machine, CONFIG)["plugins"][plugin]["registry"]["config_path"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_node_sends_every_registry_through_shoal() {
    let machine = Machine::empty();
    let plan = machine.configure(Containerd);
    assert_eq!(config_path(&machine, "io.containerd.grpc.v1.cri"), CERTS);
    assert_eq!(toml_of(&machine, CONFIG)["version"].as_integer(), Some(2));
    assert_eq!(hosts(&machine, "_default"), [SHOAL]);
    // Without `server` containerd goes on to the registry that the image names.
    assert!(!toml_of(&machine, &format!("{CERTS}/_default/hosts.toml")).contains_key("server"));
    assert_eq!(plan.command_after(), RESTART);
}

#[test]
fn each_version_has_its_own_place_for_config_path() {
    for (fixture, plugin) in [
        ("containerd-1.6-default", "io.containerd.grpc.v1.cri"),
        ("kubeadm", "io.containerd.grpc.v1.cri"),
        ("containerd-2.1-default", "io.containerd.cri.v1.images"),
        ("docker-package-containerd", "cri"),
    ] {
        let machine = Machine::with(fixture);
        machine.configure(Containerd);
        assert_eq!(config_path(&machine, plugin), CERTS, "{fixture}");
    }
}

#[test]
fn existing_hosts_keep_their_order_and_all_they_say() {
    let machine = Machine::with("containerd-1.7-certs");
    let hub = format!("{CERTS}/docker.io/hosts.toml");
    let before = machine.read(&hub);
    let plan = machine.configure(Containerd);
    assert_eq!(plan.command_after(), None, "config_path was set, and hosts.toml is read at each pull");
    assert_eq!(hosts(&machine, "docker.io"), [SHOAL, "https://cache.example:8443", "https://far.example"]);
    let mut after = toml_of(&machine, &hub);
    after["host"].as_table_mut().unwrap().remove(SHOAL);
    assert_eq!(after, toml::from_str(&before).unwrap());
    assert!(machine.read(&hub).contains("# The cache in the basement\n[host.\"https://cache"));
}

#[test]
fn certificates_beside_no_hosts_file_go_on_counting() {
    let machine = Machine::with("containerd-1.7-certs");
    machine.configure(Containerd);
    let folder = format!("{CERTS}/registry.example:5000");
    let file = toml_of(&machine, &format!("{folder}/hosts.toml"));
    assert_eq!(file["ca"][0].as_str(), Some(format!("{folder}/ca.crt").as_str()));
    let pair = &file["client"][0];
    assert_eq!(pair[0].as_str(), Some(format!("{folder}/client.cert").as_str()));
    assert_eq!(pair[1].as_str(), Some(format!("{folder}/client.key").as_str()));
    assert_eq!(hosts(&machine, "registry.example:5000"), [SHOAL]);
}

#[test]
fn named_registries_keep_what_the_default_said_for_them() {
    let machine = Machine::with("containerd-1.7-certs");
    machine.write(
        &format!("{CERTS}/_default/hosts.toml"),
        "[host.\"https://all.example\"]\n  capabilities = [\"pull\"]\n  ca = \"all.pem\"\n",
    );
    machine.configure_as(&for_hosts(Containerd, &["ghcr.io"]));
    assert_eq!(hosts(&machine, "ghcr.io"), [SHOAL, "https://all.example"]);
    let file = toml_of(&machine, &format!("{CERTS}/ghcr.io/hosts.toml"));
    let authority = file["host"]["https://all.example"]["ca"].as_str();
    assert_eq!(authority, Some(format!("{CERTS}/_default/all.pem").as_str()));
    assert_eq!(hosts(&machine, "_default"), ["https://all.example"], "not asked for");
    assert!(!machine.read(&format!("{CERTS}/docker.io/hosts.toml")).contains(SHOAL), "not asked for");
}

#[test]
fn a_folder_with_underscores_around_the_port_counts() {
    let machine = Machine::with("containerd-1.7-certs");
    machine
        .write(&format!("{CERTS}/lab.example_5000_/hosts.toml"), "server = \"https://lab.example:5000\"\n");
    machine.configure_as(&for_hosts(Containerd, &["lab.example:5000"]));
    assert_eq!(hosts(&machine, "lab.example_5000_"), [SHOAL]);
    assert!(!machine.has(&format!("{CERTS}/lab.example:5000")));
}

#[test]
fn lists_of_mirrors_stay_lists_with_shoal_first() {
    let machine = Machine::with("legacy-mirrors");
    let plan = machine.configure(Containerd);
    let file = toml_of(&machine, CONFIG);
    let registry = &file["plugins"]["io.containerd.grpc.v1.cri"]["registry"];
    let endpoints = |host: &str| -> Vec<String> {
        let list = registry["mirrors"][host]["endpoint"].as_array().unwrap();
        list.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(endpoints("docker.io"), [SHOAL, "https://mirror.example", "https://registry-1.docker.io"]);
    assert_eq!(endpoints("quay.io"), [SHOAL, "https://quay-mirror.example", "https://quay.io"]);
    assert_eq!(endpoints("*"), [SHOAL]);
    // Beside lists of mirrors, containerd starts its image service only without it.
    assert!(registry.get("config_path").is_none() && !machine.has(CERTS));
    assert_eq!(
        registry["configs"]["mirror.example"]["tls"]["ca_file"].as_str(),
        Some("/etc/ssl/mirror-ca.pem")
    );
    assert_eq!(plan.command_after(), RESTART);
    assert!(plan.notes.iter().any(|note| note.contains("older form")));
}

#[test]
fn a_list_of_its_own_inherits_from_the_list_for_all() {
    let machine = Machine::with("legacy-mirrors");
    let any = "[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"*\"]\n  endpoint = [\"https://any.example\"]\n";
    machine.write(CONFIG, &(machine.read(CONFIG) + any));
    machine.configure_as(&for_hosts(Containerd, &["ghcr.io"]));
    let file = toml_of(&machine, CONFIG);
    let mirrors = &file["plugins"]["io.containerd.grpc.v1.cri"]["registry"]["mirrors"];
    let endpoints = mirrors["ghcr.io"]["endpoint"].as_array().unwrap();
    assert_eq!(
        endpoints.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>(),
        [SHOAL, "https://any.example"]
    );
    assert_eq!(mirrors["*"]["endpoint"].as_array().unwrap().len(), 1);
}

#[test]
fn no_password_is_shown_in_a_difference() {
    let plan = Machine::with("legacy-mirrors").plan(&for_all(Containerd)).unwrap();
    assert!(!plan.diff().contains("s3cret"), "{}", plan.diff());
}

#[test]
fn logins_in_the_configuration_go_on_counting() {
    let machine = Machine::empty();
    let auth =
        "[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"quay.io\".auth]\n  username = \"a\"\n";
    machine.write(CONFIG, &format!("version = 2\n{auth}"));
    machine.configure(Containerd);
    let file = toml_of(&machine, CONFIG);
    let registry = &file["plugins"]["io.containerd.grpc.v1.cri"]["registry"];
    assert!(registry.get("config_path").is_none());
    assert_eq!(registry["mirrors"]["*"]["endpoint"][0].as_str(), Some(SHOAL));
}

#[test]
fn lists_and_a_folder_at_once_are_refused() {
    let machine = Machine::with("legacy-mirrors");
    let both = machine
        .read(CONFIG)
        .replace("registry]\n", "registry]\n  config_path = \"/etc/containerd/certs.d\"\n");
    machine.write(CONFIG, &both);
    let error = machine.plan(&for_all(Containerd)).unwrap_err();
    assert!(error.to_string().contains("with one of them only"), "{error}");
}

#[test]
fn two_folders_become_one_and_nothing_of_the_second_is_lost() {
    let machine = Machine::with("containerd-colon");
    let plan = machine.configure(Containerd);
    assert_eq!(config_path(&machine, "io.containerd.cri.v1.images"), CERTS);
    assert_eq!(hosts(&machine, "registry.example"), [SHOAL, "https://near.example"]);
    let file = toml_of(&machine, &format!("{CERTS}/registry.example/hosts.toml"));
    let authority = file["host"]["https://near.example"]["ca"].as_str();
    assert_eq!(authority, Some("/etc/docker/certs.d/registry.example/near.pem"));
    assert!(plan.notes.iter().any(|note| note.contains("2.1")), "{:?}", plan.notes);
}

#[test]
fn an_import_with_settings_of_the_plugin_is_the_file_to_edit() {
    let machine = Machine::with("containerd-imports");
    machine.configure(Containerd);
    // containerd 1.6 does not find imports by a pattern that is no absolute path, and then the main file counts.
    assert_eq!(config_path(&machine, "io.containerd.grpc.v1.cri"), CERTS);
    let import = toml_of(&machine, "/etc/containerd/conf.d/10-nvidia.toml");
    let plugin = &import["plugins"]["io.containerd.grpc.v1.cri"];
    assert_eq!(plugin["registry"]["config_path"].as_str(), Some(CERTS));
    assert_eq!(plugin["containerd"]["default_runtime_name"].as_str(), Some("nvidia"));
}

#[test]
fn an_import_that_names_the_folder_is_believed() {
    let machine = Machine::with("containerd-imports");
    let import =
        "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/srv/certs\"\n";
    machine.write("/etc/containerd/conf.d/95-registry.toml", import);
    let plan = machine.configure(Containerd);
    assert!(machine.read("/srv/certs/_default/hosts.toml").contains(SHOAL));
    assert!(!machine.has(CERTS));
    assert_eq!(plan.command_after(), None);
}

#[test]
fn a_disabled_plugin_is_pointed_out() {
    let plan = Machine::with("docker-package-containerd").plan(&for_all(Containerd)).unwrap();
    for part in ["disabled_plugins", "no version = 2"] {
        assert!(plan.notes.iter().any(|note| note.contains(part)), "{:?}", plan.notes);
    }
}
