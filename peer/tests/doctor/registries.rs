//! Faults of registries, and of the way to them.

use std::net::TcpListener;

use crate::{
    patient::Patient,
    server::{Server, reply},
};

/// A seed before its start, with one registry that is reached there.
pub(crate) fn before(endpoint: impl std::fmt::Display, section: &str) -> Patient {
    let patient = Patient::before_start();
    patient
        .configure(&format!("[[registry]]\nhost = 'registry.test'\nendpoints = ['{endpoint}']\n{section}"));
    patient
}

const WITH_LOGIN: &str = "username = 'shoal'\npassword_file = '{root}/password'\n";

fn with_login(endpoint: impl std::fmt::Display) -> Patient {
    let patient = before(endpoint, WITH_LOGIN);
    patient.write("/password", "wrong-s3cret");
    patient.chmod("/password", 0o600);
    patient
}

#[tokio::test]
async fn a_registry_without_an_address_is_found() {
    let finding = before("https://registry.invalid", "").found("registry-resolves").await;
    assert!(finding.what.contains("registry.invalid"), "{finding:?}");
}

#[tokio::test]
async fn a_registry_that_does_not_run_or_is_silent_is_found() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let finding = before(format!("http://{gone}"), "").found("registry-reachable").await;
    assert!(finding.mend.text.contains("Nobody listens there"), "{finding:?}");
    let silent = Server::silent().await;
    let finding = before(format!("http://{}", silent.address), "").found("registry-reachable").await;
    assert!(finding.mend.text.contains("Look at the way there"), "{finding:?}");
}

#[tokio::test]
async fn a_proxy_that_is_gone_is_found() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let patient = before("http://registry.invalid", &format!("proxy = 'http://{gone}'\n"));
    patient.found("registry-reachable").await;
}

#[tokio::test]
async fn what_is_no_registry_is_found() {
    let web = Server::start(|_| reply("404 Not Found", "", "<html>")).await;
    let finding = before(format!("http://{}", web.address), "").found("registry-answers").await;
    assert!(finding.what.contains("answered 404"), "{finding:?}");
}

#[tokio::test]
async fn a_registry_that_has_had_enough_is_found() {
    let busy = Server::start(|_| reply("429 Too Many Requests", "Retry-After: 77\r\n", "")).await;
    let finding = before(format!("http://{}", busy.address), "").found("registry-limit").await;
    assert!(finding.mend.text.starts_with("Wait 77 s"), "{finding:?}");
}

#[tokio::test]
async fn a_login_that_is_missing_or_refused_is_found() {
    let registry =
        Server::start(|_| reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", "")).await;
    let endpoint = format!("http://{}", registry.address);
    let finding = before(&endpoint, "").found("registry-login-needed").await;
    assert!(finding.mend.text.contains("password_file"), "{finding:?}");
    let finding = with_login(&endpoint).found("registry-login-taken").await;
    assert!(finding.what.contains("401") && !finding.what.contains("s3cret"), "{finding:?}");
}

#[tokio::test]
async fn a_login_that_is_right_is_taken() {
    let basic = "authorization: Basic c2hvYWw6d3Jvbmctczw=";
    let registry = Server::start(move |head| {
        match head.to_ascii_lowercase().contains(&basic[..21].to_ascii_lowercase()) {
            true => reply("200 OK", "", "{}"),
            false => reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
        }
    })
    .await;
    with_login(format!("http://{}", registry.address)).is_well("registry-login-taken").await;
}

#[tokio::test]
async fn a_login_that_the_token_service_refuses_is_found() {
    let tokens = Server::start(|_| reply("401 Unauthorized", "", "{}")).await;
    let challenge =
        format!("WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"x\"\r\n", tokens.address);
    let registry = Server::start(move |_| reply("401 Unauthorized", &challenge, "")).await;
    let endpoint = format!("http://{}", registry.address);
    let finding = with_login(&endpoint).found("registry-login-taken").await;
    assert!(finding.what.contains("/token"), "{finding:?}");
    // Who asks for nobody in particular is let in as far as nobody is.
    before(&endpoint, "").is_well("registry-login-needed").await;
}

#[tokio::test]
async fn a_login_that_can_not_be_had_is_found() {
    let registry =
        Server::start(|_| reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", "")).await;
    let endpoint = format!("http://{}", registry.address);
    let finding = before(&endpoint, "credential_helper = 'is-not-here'\n").found("registry-login-read").await;
    assert!(finding.what.contains("docker-credential-is-not-here can't be started"), "{finding:?}");
    let patient = before(&endpoint, "docker_config = '{root}/config.json'\n");
    patient.write("/config.json", "{ half");
    patient.chmod("/config.json", 0o600);
    let finding = patient.found("registry-login-read").await;
    assert!(finding.what.contains("is not JSON"), "{finding:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_found() {
    let registry =
        |date: &'static str| Server::start(move |_| reply("200 OK", &format!("Date: {date}\r\n"), "{}"));
    let past = registry("Thu, 02 Jan 2020 00:00:00 GMT").await;
    let patient = before(format!("http://{}", past.address), "");
    let finding = patient.found("clock").await;
    assert!(finding.what.contains("ahead of that of registry.test"), "{finding:?}");
    assert_eq!(finding.mend.commands, ["timedatectl set-ntp true"]);
    let future = registry("Fri, 02 Jan 2099 00:00:00 GMT").await;
    let finding = before(format!("http://{}", future.address), "").found("clock").await;
    assert!(finding.what.contains("behind"), "{finding:?}");
}

#[tokio::test]
async fn several_faults_of_one_registry_are_told_one_after_the_other() {
    let patient = before("https://registry.invalid", "ca_file = '{root}/missing'\n");
    let report = patient.examine(&["registries"]).await;
    let problems: Vec<_> = report.problems().iter().map(|report| report.check.id).collect();
    assert_eq!(problems, ["registry-files"]);
}
