use std::{path::PathBuf, time::Duration};

use clap::{Args, FromArgMatches};
use proptest::prelude::*;

use shoal_seed::{config::DockerConfigPlace, signatures::SignatureMode};

use super::{settings::SETTINGS, *};

fn inputs(file: &tempfile::NamedTempFile, environment: &[(&str, &str)], flags: &[&str]) -> Inputs {
    let command = Flags::augment_args(clap::Command::new("shoal").no_binary_name(true));
    let matches = command.try_get_matches_from(flags).unwrap();
    Inputs {
        file: Some(file.path().to_owned()),
        environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        flags: Flags::from_arg_matches(&matches).unwrap(),
    }
}

fn file(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

/// What is wrong with `content`, the path of the file written as FILE.
fn complaint(content: &str) -> String {
    let file = file(content);
    let error = load(&inputs(&file, &[], &[])).unwrap_err();
    error.to_string().replace(file.path().to_str().unwrap(), "FILE")
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let effective = load(&inputs(&file(""), &[], &[])).unwrap();
    assert_eq!(effective.config(), Config::default());
    assert_eq!(effective.config().mirror.listen.to_string(), "127.0.0.1:5020");
}

#[test]
fn the_keys_of_the_contract_are_read() {
    let key = file("key");
    let content = format!(
        r#"
        data_dir = "/data"
        cluster_key_file = {:?}
        zone = "a"
        mirror.listen = "127.0.0.1:1"
        [swarm]
        listen = "0.0.0.0:2"
        bootstrap = ["seed.example:5021", "[::1]:7"]
        [lane]
        listen = "[::]:3"
        [admin]
        listen = "127.0.0.1:4"
        [[registry]]
        host = "docker.io"
        endpoints = ["https://registry-1.docker.io", "http://127.0.0.1:5000/"]
        "#,
        key.path()
    );
    let config = load(&inputs(&file(&content), &[], &[])).unwrap().config();
    assert_eq!(config.data_dir, PathBuf::from("/data"));
    assert_eq!(config.cluster_key_file.unwrap().0, key.path());
    assert_eq!(config.zone.as_str(), "a");
    assert_eq!(config.mirror.listen, "127.0.0.1:1".parse().unwrap());
    assert_eq!(config.swarm.bootstrap[1].as_str(), "[::1]:7");
    assert_eq!(config.lane.listen, "[::]:3".parse().unwrap());
    assert_eq!(config.registry.len(), 1);
    assert_eq!(config.registry[0].endpoints[1].to_string(), "http://127.0.0.1:5000/");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = file("zone = 'file'\n[shutdown]\ndrain = '1s'\n[mirror]\nlisten = '127.0.0.1:1'");
    let environment = [("SHOAL_ZONE", "variable"), ("SHOAL_SHUTDOWN_DRAIN", "2s")];
    let effective = load(&inputs(&file, &environment, &["--zone", "flag"])).unwrap();
    let config = effective.config();
    assert_eq!(config.zone.as_str(), "flag");
    assert_eq!(config.shutdown.drain, Duration::from_secs(2));
    assert_eq!(config.mirror.listen.port(), 1);
    assert_eq!(effective.origin("zone"), Some(Place::Flag("--zone".into())));
    assert_eq!(effective.origin("shutdown.drain"), Some(Place::Environment("SHOAL_SHUTDOWN_DRAIN".into())));
    assert!(effective.origin("mirror.listen").unwrap().to_string().ends_with(":5"));
    assert_eq!(effective.origin("lane.listen"), None);
}

#[test]
fn registries_come_as_flags_too_and_replace_the_list_before() {
    let file = file("[[registry]]\nhost = 'file.example'");
    let flags =
        ["--registry", "host=ghcr.io endpoints=https://one,https://two", "--registry", "host=quay.io"];
    let environment = [("SHOAL_REGISTRY", "host=variable.example")];
    let registries = load(&inputs(&file, &environment, &flags)).unwrap().config().registry;
    let hosts: Vec<_> = registries.iter().map(|entry| entry.host.clone().unwrap().to_string()).collect();
    assert_eq!(hosts, ["ghcr.io", "quay.io"]);
    assert_eq!(registries[0].endpoints.len(), 2);
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_known_one() {
    assert_eq!(
        complaint("zone = 'a'\n[mirror]\nlissten = '127.0.0.1:1'\n"),
        "1 problem in the configuration\n\
         FILE:3:1: unknown key `lissten` in [mirror]\n  \
           3 | lissten = '127.0.0.1:1'\n    \
             | ^^^^^^^ did you mean `listen`?"
    );
    assert!(complaint("[miror]").contains("unknown key `miror`"));
    assert!(complaint("[miror]").contains("did you mean `mirror`?"));
    assert!(complaint("bootstrap = []").contains("did you mean `swarm.bootstrap`?"));
    assert!(complaint("[log]\nxyz = 1").contains("expected one of format, level"));
    assert!(
        complaint("[[registry]]\nhost = 'a'\nendpoint = []").contains("FILE:3:1: unknown key `endpoint`")
    );
}

#[test]
fn wrong_values_say_what_was_expected() {
    let cases = [
        ("zone = 7", "FILE:1:8: `zone` is 7", "expected a word"),
        ("mirror = 7", "FILE:1:10: `mirror` is 7", "expected a table: [mirror]"),
        ("[lane]\nlisten = 'here'", "FILE:2:10: `listen` is 'here'", "such as 127.0.0.1:5020"),
        ("swarm.bootstrap = ['seed']", "`bootstrap` is ['seed']", "a list, each a host with a port"),
        ("shutdown.drain = '5 weeks'", "'5 weeks'", "500ms, 30s, 5m or 24h"),
        ("log.level = 'loud'", "'loud'", "error, warn, info, debug or trace"),
        ("registry = [3, {host = 'a'}]", "`registry` is not a list of tables", "[[registry]]"),
        ("[seed]\nallow_unlisted = 'yes'", "`allow_unlisted` is 'yes'", "true or false"),
        ("[[registry]]\nhost = 'a'\ncredential_helper = '../x'", "'../x'", "such as ecr-login"),
        ("[[registry]]\nhost = 'a'\nmax_bytes_per_s = -1", "`max_bytes_per_s` is -1", "0 for no limit"),
        ("[[registry]]\nhost = 'a'\ndocker_config = '/nowhere'", "can't read /nowhere", ""),
        ("[mirror]\nmax_connections = 0", "`max_connections` is 0", "a whole number from 1"),
        ("registry = 3", "`registry` is not a list of tables", "[[registry]]"),
        ("[[registry]]\nendpoints = []", "FILE:1:1: this registry has no `host`", "expected host ="),
        ("[[signature]]\npolicy = 'required'", "FILE:1:1: this signature has no `images`", "ghcr.io/team"),
        ("[[signature]]\nimages = ['*']\npolicy = 'always'", "'always'", "required, preferred or ignored"),
        ("[[signature]]\nimages = ['*']\ncosign_keys = ['/nowhere']", "can't read the file /nowhere", ""),
        ("[[signature]]\nimages = ['*']\nnotation_subjects = ['X=1']", "['X=1']", "O=Example/CN=Releases"),
        ("[[signature]]\nimages = ['*']\ncosign_key = []", "unknown key `cosign_key`", "`cosign_keys`?"),
        ("zone = ", "FILE:1:8: not TOML", ""),
        ("zone = 'a'\nzone = 'b'", "FILE:2:1: not TOML", "duplicate"),
    ];
    for (content, what, help) in cases {
        let complaint = complaint(content);
        assert!(complaint.contains(what) && complaint.contains(help), "{content}\n=> {complaint}");
    }
}

#[test]
fn a_login_in_a_url_is_refused_and_never_shown() {
    let told = complaint("[[registry]]\nhost = 'a'\nendpoints = ['https://b/', 'https://me:secret@a']");
    assert!(told.contains("'https://*********@a'") && told.contains("username and password_file"), "{told}");
    let flags = ["--registry", "host=a endpoints=https://me:secret@a"];
    let flag = load(&inputs(&file(""), &[], &flags)).unwrap_err().to_string();
    assert!(!told.contains("secret") && !flag.contains("secret"), "{told}\n{flag}");
}

#[test]
fn a_missing_file_is_named_with_the_line_that_names_it() {
    let complaint = complaint("cluster_key_file = '/nowhere/key'");
    assert!(complaint.contains("FILE:1:20: can't read the file /nowhere/key: No such file"), "{complaint}");
    let inputs = Inputs { file: Some("/nowhere/shoal.toml".into()), ..Inputs::default() };
    assert!(load(&inputs).unwrap_err().to_string().contains("/nowhere/shoal.toml: No such file"));
}

#[test]
fn a_missing_file_does_not_matter_where_a_flag_names_another() {
    let key = file("key");
    let file = file("cluster_key_file = '/nowhere/key'");
    load(&inputs(&file, &[], &["--cluster-key-file", key.path().to_str().unwrap()])).unwrap();
}

#[test]
fn all_problems_are_told_at_once_from_top_to_bottom() {
    let complaint = complaint("zzz = 1\naaa = 2\n[mirror]\nlisten = 3");
    let lines: Vec<_> = complaint.lines().filter(|line| line.starts_with("FILE")).collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0].starts_with("FILE:1:") && lines[1].starts_with("FILE:2:") && lines[2].starts_with("FILE:4:")
    );
}

#[test]
fn variables_are_checked_but_those_of_kubernetes_are_not_ours() {
    let file = file("");
    let load = |name, value| load(&inputs(&file, &[(name, value)], &[]));
    load("SHOAL_SERVICE_HOST", "10.0.0.1").unwrap();
    load("SHOAL_PORT_5021_TCP", "tcp://10.0.0.1:5021").unwrap();
    load("SHOAL_DOCKER_AUTH_CONFIG", "{}").unwrap();
    let slip = load("SHOAL_MIROR_LISTEN", "127.0.0.1:1").unwrap_err().to_string();
    assert!(slip.contains("environment variable SHOAL_MIROR_LISTEN: unknown variable"), "{slip}");
    assert!(slip.contains("did you mean SHOAL_MIRROR_LISTEN?"), "{slip}");
    let wrong = load("SHOAL_MIRROR_LISTEN", "x").unwrap_err().to_string();
    assert!(wrong.contains("environment variable SHOAL_MIRROR_LISTEN: \"x\""), "{wrong}");
}

#[test]
fn what_is_shown_makes_the_same_configuration_again() {
    let key = file("key");
    let content = "zone = 'a'\n[swarm]\nbootstrap = ['a:1', 'b:2']\n[shutdown]\ndrain = '1500ms'\n\
                   [[registry]]\nhost = 'a.example'\nusername = 'me \"and\" you'";
    let file_one = file(content);
    let flags = ["--cluster-key-file", key.path().to_str().unwrap()];
    let effective = load(&inputs(&file_one, &[("SHOAL_LOG_FORMAT", "json")], &flags)).unwrap();
    let shown = show(&effective);
    for origin in
        ["# --cluster-key-file", "# environment variable SHOAL_LOG_FORMAT", "shoal", ":3\n", "# default"]
    {
        assert!(shown.contains(origin) || origin == "shoal", "{origin} in {shown}");
    }
    let again = load(&inputs(&file(&shown), &[], &[])).unwrap();
    assert_eq!(again.config(), effective.config());
}

#[test]
fn each_part_is_told_its_own() {
    let password = file("secret");
    let content = format!(
        "[mirror]\nmax_connections = 7\nstall_timeout = '9s'\n[shutdown]\ndrain = '3s'\n\
         [seed]\ntag_fresh = '2s'\nallow_unlisted = true\n\
         [[registry]]\nhost = 'a.example'\nusername = 'me'\npassword_file = {:?}\nidle_timeout = '4s'",
        password.path()
    );
    let config = load(&inputs(&file(&content), &[], &[])).unwrap().config();
    let mirror = config.for_mirror();
    assert_eq!((mirror.limits.max_connections, mirror.limits.stop_timeout.as_secs()), (7, 3));
    assert_eq!(mirror.stall_timeout.as_secs(), 9);
    assert_eq!(config.for_tags().fresh_ms, 2000);
    assert!(config.seed.allow_unlisted);
    let [registry] = &config.for_origins()[..] else { panic!("one registry") };
    assert_eq!((registry.host.as_str(), registry.limits.idle_timeout_ms), ("a.example", 4000));
    assert_eq!(registry.password_file.as_deref(), Some(password.path()));
}

#[test]
fn a_registry_is_told_all_of_its_login_and_its_way() {
    let (list, pem) = (file("{}"), file("a certificate and a key"));
    let content = format!(
        "[[registry]]\nhost = 'a.example'\ndocker_config = {:?}\nclient_cert_file = {pem:?}\n\
         client_key_file = {pem:?}\ninsecure_skip_verify = true\nproxy = 'http://proxy.example:3128'\n\
         max_bytes_per_s = 1000\n[[registry]]\nhost = 'b.example'\ncredential_helper = 'ecr-login'\n\
         [[registry]]\nhost = 'c.example'\ndocker_config = 'auto'",
        list.path(),
        pem = pem.path(),
    );
    let config = load(&inputs(&file(&content), &[], &[])).unwrap().config();
    let [a, b, c] = &config.for_origins()[..] else { panic!("three registries") };
    assert_eq!(a.docker_config, Some(DockerConfigPlace::Path(list.path().to_owned())));
    assert_eq!(
        (a.client_cert_file.as_deref(), a.client_key_file.as_deref()),
        (Some(pem.path()), Some(pem.path()))
    );
    assert_eq!(a.proxy.as_ref().map(ToString::to_string).as_deref(), Some("http://proxy.example:3128/"));
    assert!(a.insecure_skip_verify && a.limits.max_bytes_per_s == 1000);
    assert_eq!(b.credential_helper.as_ref().map(ToString::to_string).as_deref(), Some("ecr-login"));
    assert!(!b.insecure_skip_verify && b.limits.max_bytes_per_s == 0);
    assert_eq!(c.docker_config, Some(DockerConfigPlace::Auto));
}

#[test]
fn policies_for_signatures_come_from_the_file_and_as_flags() {
    let key = file("a key");
    let path = key.path().display();
    let content = format!(
        "[[signature]]\nimages = ['ghcr.io/team', 'quay.io']\npolicy = 'preferred'\ncosign_keys = ['{path}']\n\
         notation_certificates = ['{path}']\nnotation_subjects = ['O=A/CN=B']\n\
         [[signature]]\nimages = ['quay.io/free']\npolicy = 'ignored'"
    );
    let effective = load(&inputs(&file(&content), &[], &[])).unwrap();
    let [one, two] = &effective.config().signature[..] else { panic!("two policies") };
    assert_eq!((one.images.len(), one.policy), (2, SignatureMode::Preferred));
    assert_eq!(
        (one.cosign_keys[0].0.as_path(), one.notation_certificates[0].0.as_path()),
        (key.path(), key.path())
    );
    assert_eq!(one.notation_subjects[0].to_string(), "O=A/CN=B");
    assert_eq!(two.policy, SignatureMode::Ignored);
    let again = load(&inputs(&file(&show(&effective)), &[], &[])).unwrap();
    assert_eq!(again.config(), effective.config());

    let flags = ["--signature", "images=*,quay.io"];
    let flagged = load(&inputs(&file(&content), &[], &flags)).unwrap().config().signature;
    assert_eq!((flagged.len(), flagged[0].images.len(), flagged[0].policy), (1, 2, SignatureMode::Required));
}

#[test]
fn the_public_registries_are_there_without_a_word() {
    let hosts = Config::default().for_origins();
    assert!(hosts.len() > 5 && hosts.iter().any(|registry| registry.host.as_str() == "docker.io"));
}

#[test]
fn each_setting_has_a_flag_and_a_variable_of_its_own() {
    let flags: std::collections::BTreeSet<_> = SETTINGS.iter().map(table::Setting::flag).collect();
    let variables: std::collections::BTreeSet<_> = SETTINGS.iter().map(table::Setting::variable).collect();
    assert_eq!((flags.len(), variables.len()), (SETTINGS.len(), SETTINGS.len()));
    assert!(flags.contains("mirror-listen") && variables.contains("SHOAL_MIRROR_LISTEN"));
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(content in "(\\[{1,2}(mirror|registry|x)\\]{1,2}|[a-z_.]{1,9} ?= ?.{0,9}|.{0,12}\n?){0,6}") {
        let _ = load(&inputs(&file(&content), &[], &[]));
    }

    #[test]
    fn durations_are_shown_as_they_are_read(millis in 0..u64::MAX / 2) {
        use super::value::Value;
        let duration = Duration::from_millis(millis);
        let shown = Value::to_toml(&duration).unwrap();
        prop_assert_eq!(Duration::from_text(shown.as_str().unwrap()), Some(duration));
    }
}
