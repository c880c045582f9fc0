//! Where logins come from.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use shoal_seed::{
    config::RegistryConfig,
    origin::{OriginError, Origins},
};
use tempfile::TempDir;

use crate::{
    child,
    support::{Reply, TestOrigin, config, digest, image, metrics, origins},
};

const MANIFEST: &str = r#"{"config": {}, "layers": []}"#;

/// A registry that asks for Basic access and opens to `user:password` as the file says at the time.
async fn basic_origin(door: PathBuf, refusal: u16) -> TestOrigin {
    TestOrigin::start(move |seen| {
        let good = fs::read_to_string(&door).expect("who is let in");
        match seen.header("authorization") {
            Some(sent) if sent == format!("Basic {}", STANDARD.encode(good)) => Reply::manifest(MANIFEST),
            Some(_) => Reply::status(refusal),
            None => Reply::status(401).header("www-authenticate", "Basic realm=\"here\""),
        }
    })
    .await
}

/// A folder with the files of one test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        fs::write(self.path(name), content).expect("written");
        self.path(name)
    }

    /// A credential helper that notes what it is asked, and prints the file `answer`.
    fn helper(&self, name: &str) {
        let folder = self.0.path().display();
        let script = format!("#!/bin/sh\ncat >> '{folder}/asked'\nexec cat '{folder}/answer'\n");
        self.program(name, &script);
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.write(&format!("docker-credential-{name}"), script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a program");
    }

    /// Runs a test where programs of this folder are found.
    async fn run_with_path(&self, test: &str) {
        let system = std::env::var("PATH").expect("a path");
        let path = format!("{}:{system}", self.0.path().display());
        child::run(test, &[("PATH", OsStr::new(&path)), ("HOME", self.0.path().as_os_str())]).await;
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.path("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }
}

/// The folder of the test, in its child.
fn child_folder() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").expect("set by the parent"))
}

fn with_list(mut config: RegistryConfig, place: &Path) -> RegistryConfig {
    config.docker_config = Some(place.display().to_string().parse().expect("a path"));
    config
}

fn with_helper(mut config: RegistryConfig, name: &str) -> RegistryConfig {
    config.credential_helper = Some(name.parse().expect("a name"));
    config
}

fn list_of(host: &str, login: &str) -> String {
    format!(r#"{{"auths": {{"{host}": {{"auth": "{}"}}}}}}"#, STANDARD.encode(login))
}

async fn get(origins: &Origins) -> Result<(), OriginError> {
    origins.manifest(&image(), &digest(MANIFEST.as_bytes())).await.map(|_| ())
}

#[tokio::test]
async fn a_docker_config_that_is_replaced_counts_at_once() {
    let files = Files::new();
    let door = files.write("door", "me:old");
    let origin = basic_origin(door, 401).await;
    let list = files.write("config.json", &list_of("https://registry.test/v1/", "me:old"));
    let origins = origins(with_list(config(&[&origin]), &list));
    get(&origins).await.expect("served");
    files.write("door", "me:new");
    let error = get(&origins).await.expect_err("the old login");
    assert!(matches!(error, OriginError::Denied(_)), "{error}");
    files.write("config.json", &list_of("registry.test", "me:new"));
    get(&origins).await.expect("served with the new login");
}

#[tokio::test]
async fn mounted_pull_secrets_are_read_in_both_forms() {
    let legacy = format!(r#"{{"registry.test": {{"auth": "{}"}}}}"#, STANDARD.encode("me:s3cret"));
    let cases = [(".dockerconfigjson", list_of("registry.test", "me:s3cret")), (".dockercfg", legacy)];
    for (name, content) in cases {
        let files = Files::new();
        let origin = basic_origin(files.write("door", "me:s3cret"), 401).await;
        let file = files.write(name, &content);
        get(&origins(with_list(config(&[&origin]), &file))).await.expect(name);
        get(&origins(with_list(config(&[&origin]), files.0.path()))).await.expect("the folder does, too");
    }
}

#[tokio::test]
async fn the_login_of_an_endpoints_host_counts_more_than_the_registrys() {
    let files = Files::new();
    let origin = basic_origin(files.write("door", "proxy:s3cret"), 401).await;
    let authority = origin.url.strip_prefix("http://").expect("plain");
    let auth = |login: &str| STANDARD.encode(login);
    let list = format!(
        r#"{{"auths": {{"{authority}": {{"auth": "{}"}}, "registry.test": {{"auth": "{}"}}}}}}"#,
        auth("proxy:s3cret"),
        auth("hub:s3cret")
    );
    let list = files.write("config.json", &list);
    get(&origins(with_list(config(&[&origin]), &list))).await.expect("served");
}

#[tokio::test]
async fn a_list_that_can_not_be_read_is_named_and_not_quoted() {
    let files = Files::new();
    let origin = basic_origin(files.write("door", "me:s3cret"), 401).await;
    let list = files.write("config.json", r#"{"auths": {"registry.test": "s3cret"#);
    let broken = get(&origins(with_list(config(&[&origin]), &list))).await.expect_err("not JSON");
    let missing = with_list(config(&[&origin]), &files.path("gone.json"));
    let missing = get(&origins(missing)).await.expect_err("no file");
    for (error, part) in [(broken, "config.json is not JSON (line 1"), (missing, "gone.json can't be read")] {
        let text = format!("{error} {error:?}");
        assert!(matches!(error, OriginError::Denied(_)) && text.contains(part), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn a_helper_is_asked_remembered_and_asked_again_after_403() {
    if !child::is_child() {
        let files = Files::new();
        files.helper("test");
        files.write("answer", r#"{"ServerURL": "x", "Username": "AWS", "Secret": "first"}"#);
        files.write("door", "AWS:first");
        files.run_with_path("logins::a_helper_is_asked_remembered_and_asked_again_after_403").await;
        assert_eq!(files.asked(), ["registry.test", "registry.test"]);
        return;
    }
    let folder = child_folder();
    let origin = basic_origin(folder.join("door"), 403).await;
    let origins = origins(with_helper(config(&[&origin]), "test"));
    for _ in 0..3 {
        get(&origins).await.expect("served");
    }
    fs::write(folder.join("answer"), r#"{"Username": "AWS", "Secret": "second"}"#).expect("written");
    fs::write(folder.join("door"), "AWS:second").expect("written");
    // A helper is not asked twice within a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    get(&origins).await.expect("served with the new password");
    get(&origins).await.expect("served");
}

#[tokio::test]
async fn a_docker_config_may_leave_it_to_helpers() {
    const TEST: &str = "logins::a_docker_config_may_leave_it_to_helpers";
    if !child::is_child() {
        for list in [
            r#"{"credHelpers": {"registry.test": "test"}}"#,
            r#"{"auths": {"registry.test": {}}, "credsStore": "test"}"#,
        ] {
            let files = Files::new();
            files.helper("test");
            files.write("config.json", list);
            files.write("answer", r#"{"Username": "me", "Secret": "s3cret"}"#);
            files.write("door", "me:s3cret");
            files.run_with_path(TEST).await;
            assert!(!files.asked().is_empty());
        }
        return;
    }
    let folder = child_folder();
    let origin = basic_origin(folder.join("door"), 401).await;
    get(&origins(with_list(config(&[&origin]), &folder.join("config.json")))).await.expect("served");
}

#[tokio::test]
async fn a_helper_without_a_login_means_nobody_in_particular() {
    if !child::is_child() {
        let files = Files::new();
        let script = "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n";
        files.program("test", script);
        files.run_with_path("logins::a_helper_without_a_login_means_nobody_in_particular").await;
        return;
    }
    let origin = TestOrigin::start(|_| Reply::status(401).header("www-authenticate", "Basic")).await;
    let error = get(&origins(with_helper(config(&[&origin]), "test"))).await.expect_err("denied");
    assert!(error.to_string().contains("answered 401"), "{error}");
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn helpers_that_fail_are_named_and_not_quoted() {
    if !child::is_child() {
        let files = Files::new();
        files.program("fails", "#!/bin/sh\necho s3cret\necho s3cret >&2\nexit 3\n");
        files.program("babbles", "#!/bin/sh\nexec cat /dev/zero\n");
        files.program("sleeps", "#!/bin/sh\nexec sleep 600\n");
        files.program("jokes", "#!/bin/sh\necho s3cret\n");
        files.run_with_path("logins::helpers_that_fail_are_named_and_not_quoted").await;
        return;
    }
    let origin = TestOrigin::start(|_| Reply::status(401).header("www-authenticate", "Basic")).await;
    let cases = [
        ("fails", "failed (exit status: 3)"),
        ("babbles", "printed more than 65536 bytes"),
        ("sleeps", "gave no answer within 10s"),
        ("jokes", "printed no login in JSON"),
        ("is-not-here", "can't be started"),
    ];
    let ask = async |(name, expected): (&str, &str)| {
        let started = Instant::now();
        let error = get(&origins(with_helper(config(&[&origin]), name))).await.expect_err(name);
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected) && text.contains(&format!("docker-credential-{name}")), "{text}");
        assert!(!text.contains("s3cret") && started.elapsed() < Duration::from_secs(40), "{text}");
    };
    futures::future::join_all(cases.map(ask)).await;
}

#[tokio::test]
async fn the_lists_in_the_environment_count_in_their_order() {
    const TEST: &str = "logins::the_lists_in_the_environment_count_in_their_order";
    if !child::is_child() {
        let files = Files::new();
        let folder = files.0.path().to_owned();
        files.write("config.json", &list_of("registry.test", "folder:s3cret"));
        let (own, docker) = (list_of("registry.test", "own:s3cret"), list_of("registry.test", "text:s3cret"));
        let elsewhere = list_of("other.test", "other:s3cret");
        let cases: [(&str, &[(&str, &str)]); 4] = [
            ("folder", &[]),
            ("folder", &[("DOCKER_AUTH_CONFIG", &elsewhere)]),
            ("text", &[("DOCKER_AUTH_CONFIG", &docker)]),
            ("own", &[("SHOAL_DOCKER_AUTH_CONFIG", &own), ("DOCKER_AUTH_CONFIG", &docker)]),
        ];
        for (user, variables) in cases {
            files.write("door", &format!("{user}:s3cret"));
            let mut all = vec![("HOME", folder.as_os_str()), ("DOCKER_CONFIG", folder.as_os_str())];
            all.extend(variables.iter().map(|(name, text)| (*name, OsStr::new(*text))));
            child::run(TEST, &all).await;
        }
        return;
    }
    let origin = basic_origin(child_folder().join("door"), 401).await;
    get(&origins(with_list(config(&[&origin]), Path::new("auto")))).await.expect("served");
}

#[tokio::test]
async fn a_list_for_shoal_alone_is_for_every_listed_registry_without_a_login() {
    if !child::is_child() {
        let files = Files::new();
        files.write("door", "me:s3cret");
        let list = list_of("registry.test", "me:s3cret");
        let test = "logins::a_list_for_shoal_alone_is_for_every_listed_registry_without_a_login";
        let home = files.0.path().as_os_str();
        child::run(test, &[("HOME", home), ("SHOAL_DOCKER_AUTH_CONFIG", OsStr::new(&list))]).await;
        return;
    }
    let origin = basic_origin(child_folder().join("door"), 401).await;
    get(&origins(config(&[&origin]))).await.expect("served");
    let named = crate::support::with_account(config(&[&origin]));
    get(&origins(named)).await.expect_err("its own login counts, and is wrong");
}

#[test]
fn a_registry_has_one_source_of_logins() {
    let origin = config(&[]);
    let mut two = crate::support::with_account(origin);
    two.docker_config = Some("auto".parse().expect("a place"));
    let error = Origins::new(&[two], false, metrics()).expect_err("two sources");
    assert!(error.to_string().contains("exclude each other"), "{error}");
}
