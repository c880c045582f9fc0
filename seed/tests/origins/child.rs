//! Tests that need an environment of their own run again in a process of their own.

use std::{ffi::OsStr, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

/// Set in such a process.
const MARK: &str = "SHOAL_TEST_CHILD";
/// What could reach a test from the environment that it is started in.
const FOREIGN: [&str; 13] = [
    "ALL_PROXY",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONFIG",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUEST_METHOD",
    "SHOAL_DOCKER_AUTH_CONFIG",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// True in the process with the environment that the test wants.
pub(crate) fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs `test` (`module::name`) alone, with these variables and no others that matter; panics if it fails.
pub(crate) async fn run(test: &str, variables: &[(&str, &OsStr)]) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    FOREIGN.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.args(["--exact", test, "--nocapture"]).env(MARK, "1").envs(variables.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_secs(60), command.output()).await.expect("an end in time");
    let output = output.expect("a process");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{test}: {}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
