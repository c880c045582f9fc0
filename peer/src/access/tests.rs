use std::time::Duration;

use shoal_protocol::reference::ImageName;
use shoal_seed::config::ImagePattern;

use super::{AccessRules, Mode, token::TokenKey};

fn image(registry: &str, repository: &str) -> ImageName {
    ImageName { registry: registry.parse().unwrap(), repository: repository.parse().unwrap() }
}

fn patterns<const N: usize>(texts: [&str; N]) -> [ImagePattern; N] {
    texts.map(|text| text.parse().unwrap())
}

#[test]
fn the_longest_pattern_counts() {
    let rules = AccessRules::new(
        &patterns(["ghcr.io/team/public"]),
        &patterns(["*", "quay.io"]),
        &patterns(["ghcr.io", "registry.example:5000/a", "quay.io"]),
    );
    for (registry, repository, mode) in [
        ("docker.io", "library/debian", Mode::Node),
        ("ghcr.io", "team/app", Mode::Client),
        ("ghcr.io", "team/public", Mode::Open),
        ("ghcr.io", "team/public/sub", Mode::Open),
        ("ghcr.io", "team/publicity", Mode::Client),
        ("registry.example:5000", "a", Mode::Client),
        ("registry.example:5000", "b/a", Mode::Node),
        ("registry.example", "a", Mode::Node),
        ("quay.io", "x", Mode::Client),
    ] {
        assert_eq!(rules.mode(&image(registry, repository)), mode, "{registry}/{repository}");
    }
    assert_eq!(AccessRules::default().mode(&image("ghcr.io", "team/app")), Mode::Open);
}

#[test]
fn patterns_are_read_and_shown_alike() {
    for text in ["*", "ghcr.io", "registry.example:5000/team/app"] {
        assert_eq!(text.parse::<ImagePattern>().unwrap().to_string(), text);
    }
    for text in ["", "ghcr.io/", "/team", "ghcr.io/Team", "ghcr.io/*", "a b"] {
        assert!(text.parse::<ImagePattern>().is_err(), "{text}");
    }
}

#[test]
fn a_token_is_valid_for_its_image_its_time_and_its_key() {
    let (key, other) = (TokenKey::random().unwrap(), TokenKey::random().unwrap());
    let (mine, theirs) = (image("ghcr.io", "mine"), image("ghcr.io", "theirs"));
    let token = key.issue(&mine, Duration::from_secs(60));
    assert!(key.is_valid(&token, &mine));
    assert!(!key.is_valid(&token, &theirs) && !other.is_valid(&token, &mine));
    assert!(!key.is_valid(&key.issue(&mine, Duration::ZERO), &mine));
    for place in 0..token.len() {
        let mut forged = token.clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        // The last letter has bits that stand for nothing, and none of those may be set.
        assert!(!key.is_valid(&forged, &mine), "{place}");
    }
}
