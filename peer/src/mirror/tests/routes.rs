//! Paths and queries, without a socket.

use proptest::prelude::*;

use crate::mirror::route::{Route, RouteError};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// `<image> <reference>` of a route, or the error.
fn parse(target: &str) -> Result<String, RouteError> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Route::parse(path, query).map(|route| match route {
        Route::Ping => "ping".into(),
        Route::Manifest(image, reference) => format!("{image} {reference}"),
        Route::Blob(image, digest) => format!("{image} {digest}"),
        Route::List(image, listing, query) => format!("{image} {listing} {}", query.as_str()),
    })
}

#[test]
fn every_way_of_naming_a_registry_is_understood() {
    let sha512 = format!("sha512:{}", "0f".repeat(64));
    let cases = [
        ("/v2/".to_owned(), "ping".to_owned()),
        ("/v2".into(), "ping".into()),
        ("/v2/?ns=docker.io".into(), "ping".into()),
        // containerd
        ("/v2/library/app/manifests/v1?ns=docker.io".into(), "docker.io/library/app v1".into()),
        ("/v2/org/app/manifests/v1?ns=ghcr.io".into(), "ghcr.io/org/app v1".into()),
        ("/v2/app/manifests/v1?ns=ghcr.io".into(), "ghcr.io/app v1".into()),
        ("/v2/app/manifests/v1?ns=registry.example%3A5000".into(), "registry.example:5000/app v1".into()),
        ("/v2/app/manifests/v1?ns=localhost:5000".into(), "localhost:5000/app v1".into()),
        ("/v2/app/manifests/v1?ns=%5B%3A%3A1%5D%3A5000".into(), "[::1]:5000/app v1".into()),
        ("/v2/app/manifests/v1?x=1&ns=GHCR.io&y".into(), "ghcr.io/app v1".into()),
        ("/v2/library/app/manifests/v1?ns=index.docker.io".into(), "docker.io/library/app v1".into()),
        ("/v2/library/app/manifests/v1?ns=registry-1.docker.io".into(), "docker.io/library/app v1".into()),
        (format!("/v2/app/blobs/{DIGEST}?ns=ghcr.io"), format!("ghcr.io/app {DIGEST}")),
        (format!("/v2/app/blobs/{}?ns=ghcr.io", DIGEST.replace(':', "%3A")), format!("ghcr.io/app {DIGEST}")),
        (format!("/v2/app/manifests/{sha512}?ns=ghcr.io"), format!("ghcr.io/app {sha512}")),
        // A repository may look like a host when the registry is given.
        ("/v2/my.group/app/manifests/v1?ns=git.example".into(), "git.example/my.group/app v1".into()),
        // CRI-O, Podman
        ("/v2/docker.io/library/app/manifests/v1".into(), "docker.io/library/app v1".into()),
        ("/v2/registry-1.docker.io/library/app/manifests/v1".into(), "docker.io/library/app v1".into()),
        ("/v2/ghcr.io/org/sub/app/manifests/v1".into(), "ghcr.io/org/sub/app v1".into()),
        ("/v2/registry.example:5000/app/manifests/v1".into(), "registry.example:5000/app v1".into()),
        ("/v2/localhost/app/manifests/v1".into(), "localhost/app v1".into()),
        // Docker Engine
        ("/v2/library/app/manifests/v1".into(), "docker.io/library/app v1".into()),
        ("/v2/app/manifests/v1".into(), "docker.io/library/app v1".into()),
        (format!("/v2/org/app/blobs/{DIGEST}"), format!("docker.io/org/app {DIGEST}")),
        // Lists
        ("/v2/app/tags/list?ns=ghcr.io".into(), "ghcr.io/app tags/list ".into()),
        ("/v2/ghcr.io/app/tags/list?n=2&last=v1%2B2".into(), "ghcr.io/app tags/list n=2&last=v1%2B2".into()),
        (
            format!("/v2/app/referrers/{DIGEST}?artifactType=a/b&ns=ghcr.io&page=2"),
            format!("ghcr.io/app referrers/{DIGEST} artifactType=a/b&page=2"),
        ),
        // Words of the API inside a name
        ("/v2/a/blobs/manifests/manifests/blobs".into(), "docker.io/a/blobs/manifests blobs".into()),
    ];
    for (target, expected) in cases {
        assert_eq!(parse(&target), Ok(expected), "{target}");
    }
}

#[test]
fn what_is_ambiguous_or_malformed_is_refused() {
    use RouteError as E;
    type Expected = fn(&E) -> bool;
    let long = format!("/v2/{}/manifests/v1", "a/".repeat(600));
    let long_query = format!("/v2/a/manifests/v1?ns=ghcr.io&{}", "a".repeat(8 * 1024));
    let cases: &[(&str, Expected)] = &[
        ("", |e| *e == E::NoEndpoint),
        ("/", |e| *e == E::NoEndpoint),
        ("/v1/", |e| *e == E::NoEndpoint),
        ("/v2x", |e| *e == E::NoEndpoint),
        ("//v2/", |e| *e == E::NoEndpoint),
        ("/v2/_catalog", |e| *e == E::NoEndpoint),
        ("/v2/a/tags/v1", |e| *e == E::NoEndpoint),
        ("/v2/tags/list", |e| *e == E::NoRepository),
        ("/v2/a/referrers/v1", |e| matches!(e, E::Digest(_))),
        ("/v2/a/tags/list?last=a b", |e| matches!(e, E::ListQuery(_))),
        ("/v2/a/tags/list?ns=a&ns=b", |e| *e == E::RepeatedNamespace),
        ("/v2/a/blobs/uploads/", |e| *e == E::NoEndpoint),
        ("/v2/a/%6danifests/v1", |e| *e == E::NoEndpoint),
        ("/v2/a%2Fmanifests/v1", |e| *e == E::NoEndpoint),
        ("/v2/manifests/v1", |e| *e == E::NoRepository),
        ("/v2//manifests/v1", |e| *e == E::NoRepository),
        ("/v2/docker.io/manifests/v1", |e| *e == E::NoRepository),
        ("/v2/a/manifests/", |e| matches!(e, E::Reference(_))),
        ("/v2/a/manifests/-v1", |e| matches!(e, E::Reference(_))),
        ("/v2/a/manifests/sha256:00", |e| matches!(e, E::Reference(_))),
        ("/v2/a/manifests/v1%00", |e| *e == E::Encoding),
        ("/v2/a/blobs/v1", |e| matches!(e, E::Digest(_))),
        ("/v2/a/blobs/sha1:00", |e| matches!(e, E::Digest(_))),
        ("/v2/A/manifests/v1", |e| matches!(e, E::Name(_))),
        ("/v2/a//b/manifests/v1", |e| matches!(e, E::Name(_))),
        ("/v2/%00/manifests/v1", |e| *e == E::Encoding),
        ("/v2/%ff/manifests/v1", |e| *e == E::Encoding),
        ("/v2/a%2fb/manifests/v1", |e| *e == E::Encoding),
        ("/v2/a%252fb/manifests/v1", |e| *e == E::Encoding),
        ("/v2/a%zz/manifests/v1", |e| *e == E::Encoding),
        ("/v2/a/manifests/v1?ns=", |e| matches!(e, E::Name(_))),
        ("/v2/a/manifests/v1?ns=a%2Fb", |e| *e == E::Encoding),
        ("/v2/a/manifests/v1?ns=a%253A1", |e| *e == E::Encoding),
        ("/v2/a/manifests/v1?ns=a b", |e| matches!(e, E::Name(_))),
        ("/v2/a/manifests/v1?ns=user@host", |e| matches!(e, E::Name(_))),
        ("/v2/a/manifests/v1?ns=host:99999", |e| matches!(e, E::Name(_))),
        ("/v2/a/manifests/v1?ns=..", |e| matches!(e, E::Name(_))),
        ("/v2/a/manifests/v1?ns=ghcr.io&ns=ghcr.io", |e| *e == E::RepeatedNamespace),
        ("/v2/ghcr.io/a/manifests/v1?ns=ghcr.io", |e| *e == E::RegistryTwice),
        ("/v2/index.docker.io/a/manifests/v1?ns=docker.io", |e| *e == E::RegistryTwice),
        (&long, |e| matches!(e, E::TooLong { what: "path", .. })),
        (&long_query, |e| matches!(e, E::TooLong { what: "query", .. })),
    ];
    for (target, expected) in cases {
        let error = parse(target).unwrap_err();
        assert!(expected(&error), "{target}: {error:?}");
    }
}

#[test]
fn no_way_of_climbing_out_is_taken() {
    let ups = [
        "..",
        ".",
        "%2e%2e",
        "%2E%2e",
        ".%2e",
        "%2e",
        "%252e%252e",
        "..%2f",
        "..%5c",
        "..\\",
        "%c0%ae%c0%ae",
        "...",
        "..;",
        "%00..",
        "~",
        "etc%2fpasswd",
    ];
    for up in ups {
        for target in [
            format!("/v2/{up}/app/manifests/v1"),
            format!("/v2/library/{up}/manifests/v1"),
            format!("/v2/library/{up}/{up}/etc/manifests/v1"),
            format!("/v2/docker.io/{up}/manifests/v1"),
            format!("/v2/app/manifests/{up}"),
            format!("/v2/app/blobs/{up}"),
            format!("/v2/app/blobs/{DIGEST}{up}"),
            format!("/v2/app/manifests/v1?ns={up}"),
            format!("/{up}/v2/app/manifests/v1"),
        ] {
            assert!(parse(&target).is_err(), "{target}: {:?}", parse(&target));
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_a_route_or_an_error(target in "(/v2/)?[ -~é\\x00]{0,80}(/manifests/|/blobs/|/referrers/|/tags/list)?[ -~]{0,20}(\\?ns=[ -~]{0,20})?") {
        let _ = parse(&target);
    }

    #[test]
    fn a_route_has_only_plain_names(
        name in "[a-zA-Z0-9./:%_-]{1,30}", last in "[a-zA-Z0-9.:%_-]{1,20}", ns in "(&?ns=[a-z0-9.:%-]{0,20}){0,2}",
    ) {
        if let Ok(text) = parse(&format!("/v2/{name}/manifests/{last}?{ns}")) {
            // A tag may have dots in a row, but it is never a step in a path.
            let (image, reference) = text.split_once(' ').unwrap();
            prop_assert!(!image.contains("..") && !image.contains("//") && !text.contains('%'), "{}", text);
            prop_assert!(!matches!(reference, "." | "..") && !reference.contains('/'), "{}", text);
        }
    }
}
