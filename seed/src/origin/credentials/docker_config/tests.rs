//! Lists of logins as tools write them.

use super::*;

fn find(text: &str, host: &str) -> Option<Entry> {
    let repository = "team/app".parse().expect("a repository");
    DockerConfig::parse(text).expect("a list").find(&Server::of(host), &repository)
}

fn password(username: &str, password: &str) -> Option<Entry> {
    Some(Entry::Login(Login::Password { username: username.to_owned(), password: Secret::new(password) }))
}

fn helper(name: &str) -> Option<Entry> {
    Some(Entry::Helper(name.parse().expect("a name")))
}

#[test]
fn a_login_is_one_text_or_two() {
    let list = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "bWU6czNjcmV0"},
        "unpadded.example": {"auth": "bWU6czNjcmV0Og"},
        "two.example": {"username": "you", "password": "pass:word"},
        "zeros.example": {"auth": "bWU6czMAAAA="},
        "empty.example": {}
    }}"#;
    assert_eq!(find(list, "docker.io"), password("me", "s3cret"));
    assert_eq!(find(list, "unpadded.example"), password("me", "s3cret:"));
    assert_eq!(find(list, "two.example"), password("you", "pass:word"));
    assert_eq!(find(list, "zeros.example"), password("me", "s3"));
    assert_eq!(find(list, "empty.example"), None);
    assert_eq!(find(list, "other.example"), None);
}

#[test]
fn an_identity_token_counts_more_than_a_password() {
    let list = r#"{"auths": {"me.azurecr.io": {"auth": "MDAwMDo=", "identitytoken": "ey"}}}"#;
    let identity = Login::Identity { username: Some("0000".to_owned()), token: Secret::new("ey") };
    assert_eq!(find(list, "me.azurecr.io"), Some(Entry::Login(identity)));
}

#[test]
fn a_helper_for_the_host_comes_first_and_the_one_for_everything_last() {
    let list = r#"{
        "auths": {"b.example": {"auth": "bWU6czNjcmV0"}, "a.example": {"auth": "bWU6czNjcmV0"}},
        "credHelpers": {"a.example": "ecr-login"}, "credsStore": "pass"
    }"#;
    assert_eq!(find(list, "a.example"), helper("ecr-login"));
    assert_eq!(find(list, "b.example"), password("me", "s3cret"));
    assert_eq!(find(list, "c.example"), helper("pass"));
}

#[test]
fn the_list_of_old_dockers_is_the_logins_alone() {
    let list = r#"{"https://r.example/v1/": {"auth": "bWU6czNjcmV0", "email": "me@r.example"}}"#;
    assert_eq!(find(list, "r.example"), password("me", "s3cret"));
    assert_eq!(find(r#"{"psFormat": "table", "HttpHeaders": {"A": "b"}}"#, "r.example"), None);
}

#[test]
fn what_is_no_list_is_an_error_that_quotes_nothing() {
    for text in [
        "",
        "s3cret",
        "{\"auths\": {\"a\": {\"auth\": \"s3cret\"}}",
        "[\"s3cret\"]",
        "{\"auths\": \"s3cret\"}",
    ] {
        let error = DockerConfig::parse(text).expect_err("no list");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let evil = r#"{"credHelpers": {"r.example": "../../tmp/evil"}}"#;
    assert_eq!(DockerConfig::parse(evil).map(|_| ()), Err(FormatError::HelperName));
}

#[test]
fn no_password_is_printed() {
    let list = DockerConfig::parse(r#"{"auths": {"r.example": {"auth": "bWU6czNjcmV0"}}}"#).expect("a list");
    assert!(!format!("{list:?}").contains("s3cret"));
}
