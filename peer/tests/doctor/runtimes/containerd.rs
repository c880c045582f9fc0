//! containerd's own configuration.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Cure, Fault, File, host, is_found_and_mended};

const CONFIG: &str = "/etc/containerd/config.toml";
const DEFAULT: &str = "/etc/containerd/certs.d/_default/hosts.toml";
const HOSTS: &str = "[host.\"http://127.0.0.1:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n";
const OLD_SETTING: File = (
    CONFIG,
    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
);
const NEW_SETTING: File = (
    CONFIG,
    "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
);

macro_rules! faults {
    ($($name:ident: $fault:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            is_found_and_mended(&$fault).await;
        })*
    };
}

faults! {
    a_file_that_is_no_toml: Fault {
        program: "containerd-1.7",
        files: &[(CONFIG, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"\n  sandbox_image = \"pause\"\n")],
        check: "containerd-config",
        tells: &["/etc/containerd/config.toml:2:"],
        cure: Cure::ByHand("Correct that", OLD_SETTING),
    };
    nothing_said_of_the_mirror: Fault {
        program: "containerd-1.7",
        files: &[(CONFIG, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"pause\"\n")],
        check: "containerd-mirror",
        tells: &["http://127.0.0.1:5020"],
        cure: Cure::Commands,
    };
    no_config_path: Fault {
        program: "containerd-1.7",
        files: &[(CONFIG, "version = 2\n"), (DEFAULT, HOSTS)],
        check: "containerd-config-path",
        tells: &["_default/hosts.toml", "config_path is not set"],
        cure: Cure::Commands,
    };
    two_folders_with_a_colon: Fault {
        program: "containerd-2.1",
        files: &[
            (
                CONFIG,
                "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry]\n  config_path = \
                 \"/etc/containerd/certs.d:/etc/docker/certs.d\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-config-path-list",
        tells: &["\"/etc/containerd/certs.d:/etc/docker/certs.d\""],
        cure: Cure::Commands,
    };
    the_two_folders_of_containerd_itself: Fault {
        program: "containerd-2.2",
        files: &[(CONFIG, "version = 3\n"), (DEFAULT, HOSTS)],
        check: "containerd-config-path-list",
        tells: &["config_path is not set", "containerd 2.2"],
        cure: Cure::Commands,
    };
    both_forms_at_once: Fault {
        program: "containerd-1.6",
        files: &[
            (
                CONFIG,
                "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \
                 \"/etc/containerd/certs.d\"\n  [plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"docker.io\"]\n    \
                 endpoint = [\"https://mirror.example\"]\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-mixed",
        tells: &["mirrors or TLS settings", "config_path = \"/etc/containerd/certs.d\""],
        cure: Cure::ByHand("take it out", OLD_SETTING),
    };
    the_old_section_in_a_new_file: Fault {
        program: "containerd-2.1",
        files: &[
            (
                CONFIG,
                "version = 3\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \
                 \"/etc/containerd/certs.d\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-section",
        tells: &["io.containerd.grpc.v1.cri", "containerd 2.1", "version 3"],
        cure: Cure::Commands,
    };
    the_new_section_in_an_old_file: Fault {
        program: "containerd-1.7",
        files: &[
            (
                CONFIG,
                "version = 2\n[plugins.\"io.containerd.cri.v1.images\".registry]\n  config_path = \
                 \"/etc/containerd/certs.d\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-section",
        tells: &["io.containerd.cri.v1.images", "containerd 1.7", "version 2"],
        cure: Cure::Commands,
    };
    no_version_with_the_section_of_version_two: Fault {
        program: "containerd-1.7",
        files: &[
            (
                CONFIG,
                "[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-format",
        tells: &["no `version`", "io.containerd.grpc.v1.cri"],
        cure: Cure::ByHand("version = 2", OLD_SETTING),
    };
    no_version_for_containerd_two: Fault {
        program: "containerd-2.1",
        files: &[
            (CONFIG, "[plugins.cri.registry]\n  config_path = \"/etc/containerd/certs.d\"\n"),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-format",
        tells: &["no `version`", "[plugins.\"cri\".registry]"],
        cure: Cure::ByHand("today's form", NEW_SETTING),
    };
    a_version_that_containerd_does_not_take: Fault {
        program: "containerd-1.7",
        files: &[NEW_SETTING, (DEFAULT, HOSTS)],
        check: "containerd-format",
        tells: &["version = 3", "takes 2 at most"],
        cure: Cure::ByHand("version = 2", OLD_SETTING),
    };
    another_folder_than_config_path_names: Fault {
        program: "containerd-1.7",
        files: &[
            (
                CONFIG,
                "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \
                 \"/etc/containerd/hosts.d\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-hosts-folder",
        tells: &["/etc/containerd/certs.d/_default/hosts.toml", "/etc/containerd/hosts.d"],
        cure: Cure::Commands,
    };
    an_import_that_hides_the_setting: Fault {
        program: "containerd-1.7",
        files: &[
            (
                CONFIG,
                "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n\
                 [plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n",
            ),
            (
                "/etc/containerd/conf.d/99-nvidia.toml",
                "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  default_runtime_name = \"nvidia\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-imports",
        tells: &["99-nvidia.toml", "/etc/containerd/config.toml are lost"],
        cure: Cure::Commands,
    };
    an_import_that_is_not_found: Fault {
        program: "containerd-1.6",
        files: &[
            (CONFIG, "version = 2\nimports = [\"conf.d/*.toml\"]\n"),
            (
                "/etc/containerd/conf.d/shoal.toml",
                "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \
                 \"/etc/containerd/certs.d\"\n",
            ),
            (DEFAULT, HOSTS),
        ],
        check: "containerd-import-pattern",
        tells: &["conf.d/*.toml", "containerd 1.6"],
        cure: Cure::ByHand(
            "/etc/containerd/conf.d/*.toml",
            (CONFIG, "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n"),
        ),
    };
    layers_in_several_requests: Fault {
        program: "containerd-2.1",
        files: &[
            (
                CONFIG,
                "version = 3\n[plugins.\"io.containerd.cri.v1.images\"]\n  concurrent_layer_fetch_buffer = 8388608\n",
            ),
        ],
        check: "containerd-parallel",
        tells: &["concurrent_layer_fetch_buffer"],
        cure: Cure::ByHand("Take the line out", NEW_SETTING),
    };
    the_plugin_for_kubernetes_turned_off: Fault {
        program: "containerd-1.7",
        files: &[(CONFIG, "disabled_plugins = [\"cri\"]\n")],
        check: "containerd-cri",
        tells: &["disabled_plugins"],
        cure: Cure::ByHand("Take it out", OLD_SETTING),
    };
}

#[tokio::test]
async fn a_proxy_between_containerd_and_a_mirror_that_is_not_on_loopback() {
    let hosts = "[host.\"http://10.1.2.3:5020\"]\n  capabilities = [\"pull\", \"resolve\"]\n";
    let patient = host("containerd-1.7", &[OLD_SETTING]);
    patient.configure("[mirror]\nlisten = '0.0.0.0:5020'\n");
    patient.write(DEFAULT, hosts);
    let unit = "/etc/systemd/system/containerd.service.d/http-proxy.conf";
    patient.write(unit, "[Service]\nEnvironment=\"HTTP_PROXY=http://proxy.example:3128\"\n");
    let finding = patient.found("containerd-proxy").await;
    assert!(finding.what.contains("http://proxy.example:3128"), "{finding:?}");
    assert!(finding.mend.text.contains("NO_PROXY"), "{finding:?}");
    patient.write(
        unit,
        "[Service]\nEnvironment=\"HTTP_PROXY=http://proxy.example:3128\" \"NO_PROXY=localhost,10.0.0.0/8\"\n",
    );
    patient.is_well("containerd-proxy").await;
}

#[tokio::test]
async fn a_containerd_that_is_older_than_its_configuration() {
    let patient = host("containerd-1.7", &[OLD_SETTING, (DEFAULT, HOSTS)]);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let started = |ticks: u64| {
        let stat =
            format!("812 (containerd) S 1 812 812 0 -1 1077936384 1 2 3 4 5 6 7 8 20 0 14 0 {ticks} 1 2");
        patient.write("/proc/812/stat", &stat);
    };
    patient.write("/proc/stat", &format!("cpu  1 2 3 4\nbtime {}\nprocesses 900\n", now_s - 7200));
    patient.write("/proc/812/comm", "containerd\n");
    started(3600 * 100);
    let finding = patient.found("containerd-stale").await;
    assert!(finding.what.contains("/etc/containerd/config.toml was written"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["systemctl restart containerd"]);
    // Later than the file, however long this test took.
    started((7200 + Duration::from_secs(600).as_secs()) * 100);
    patient.is_well("containerd-stale").await;
}
