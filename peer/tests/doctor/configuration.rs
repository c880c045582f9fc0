//! Faults in what the node is told.

use std::fs;

use crate::patient::{Patient, mend};

/// What is found in a configuration.
async fn found(configuration: &str, name: &str) -> (String, String) {
    let patient = Patient::before_start();
    patient.configure(configuration);
    let finding = patient.found(name).await;
    (finding.what, finding.mend.text)
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_made() {
    let patient = Patient::before_start();
    fs::create_dir_all(patient.config_file().parent().unwrap()).unwrap();
    let finding = patient.found("config-file").await;
    assert!(finding.what.contains("No such file"), "{finding:?}");
    mend(&finding);
    patient.is_well("config-file").await;
    patient.is_well("config-keys").await;
}

#[tokio::test]
async fn a_configuration_that_is_no_text_is_not_read() {
    let patient = Patient::before_start();
    let path = patient.configure("");
    fs::write(&path, b"zone = '\xff\xfe'").unwrap();
    let finding = patient.found("config-file").await;
    assert!(finding.mend.text.contains("UTF-8"), "{finding:?}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(patient.found("config-file").await.mend.text.contains("SHOAL_CONFIG"));
}

#[tokio::test]
async fn mistakes_in_the_file_are_shown_with_what_belongs_there() {
    for (configuration, what, help) in [
        ("[mirror\n", "not TOML", ""),
        ("[mirror]\nlisten_on = '127.0.0.1:1'\n", "unknown key `listen_on`", "expected one of"),
        ("data_dri = '/x'\n", "unknown key `data_dri`", "did you mean `data_dir`?"),
        ("[mirror]\nmax_connections = 'many'\n", "`max_connections` is 'many'", "a whole number"),
        ("[[registry]]\nusername = 'a'\n", "this registry has no `host`", "registry.example:5000"),
    ] {
        let (said, mend) = found(configuration, "config-keys").await;
        assert!(said.contains(what) && mend.contains(help), "{said}: {mend}");
    }
}

#[tokio::test]
async fn the_command_shows_whether_a_mistake_is_mended() {
    let patient = Patient::before_start();
    patient.configure("data_dri = '/x'\n");
    let finding = patient.found("config-keys").await;
    patient.configure("data_dir = '/x'\n");
    mend(&finding);
    patient.is_well("config-keys").await;
}

#[tokio::test]
async fn a_misspelt_variable_is_found_and_those_of_kubernetes_are_not() {
    let mut patient = Patient::before_start();
    patient.configure("");
    patient.environment = vec![("SHOAL_PORT_5020_TCP_ADDR".into(), "10.0.0.1".into())];
    patient.is_well("config-variables").await;
    patient.environment.push(("SHOAL_DATA_DRI".into(), "/x".into()));
    let finding = patient.found("config-variables").await;
    assert!(finding.mend.text.contains("did you mean SHOAL_DATA_DIR?"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["unset SHOAL_DATA_DRI"]);
    patient.environment = vec![("SHOAL_MIRROR_LISTEN".into(), "5020".into())];
    assert!(patient.found("config-variables").await.what.contains("SHOAL_MIRROR_LISTEN"));
}

#[tokio::test]
async fn rules_of_access_that_say_nothing_are_found() {
    let (what, _) =
        found("[access]\nopen = ['ghcr.io/a']\nclient = ['ghcr.io/a']\n", "config-access-once").await;
    assert!(what.contains("ghcr.io/a") && what.contains("access.client"), "{what}");
    let (what, mend) = found(
        "[access]\nclient = ['registry.exmaple']\n[[registry]]\nhost = 'registry.example'\n",
        "config-access-matches",
    )
    .await;
    assert!(what.contains("registry.exmaple") && mend.contains("registry.example"), "{what}: {mend}");
    let patient = Patient::before_start();
    patient.configure(
        "[access]\nopen = ['a.example/x']\nclient = ['*', 'a.example']\n[[registry]]\nhost = 'a.example'\n",
    );
    patient.is_well("config-access-once").await;
    patient.is_well("config-access-matches").await;
}

#[tokio::test]
async fn a_mirror_for_everyone_is_a_warning() {
    let (what, mend) = found("[mirror]\nlisten = '0.0.0.0:5020'\n", "mirror-local").await;
    assert!(what.contains("0.0.0.0:5020") && mend.contains("127.0.0.1:5020"), "{what}: {mend}");
}

#[tokio::test]
async fn addresses_that_lead_nowhere_from_elsewhere_are_found() {
    let seeds = "bootstrap = ['seed.example:5021']\n";
    for (swarm, what) in [
        ("listen = '127.0.0.1:5021'\n", "swarm.listen 127.0.0.1:5021 is loopback"),
        ("advertise = ['127.0.0.1:5021']\n", "swarm.advertise 127.0.0.1:5021 is loopback"),
        ("advertise = ['0.0.0.0:5021']\n", "swarm.advertise 0.0.0.0:5021 is no address of any host"),
        ("advertise = ['10.0.0.1:0']\n", "swarm.advertise 10.0.0.1:0 has no port"),
        ("[lane]\nlisten = '127.0.0.1:5022'\n", "lane.listen 127.0.0.1:5022 is loopback"),
    ] {
        let (said, _) = found(&format!("[swarm]\n{seeds}{swarm}"), "advertise-reachable").await;
        assert!(said.contains(what), "{said}");
    }
    let patient = Patient::before_start();
    patient.configure(&format!("[swarm]\n{seeds}advertise = ['10.0.0.1:5021']\n"));
    patient.is_well("advertise-reachable").await;
}
