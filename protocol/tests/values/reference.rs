//! Names of images, as clients and configuration write them.

use proptest::prelude::*;
use shoal_protocol::reference::{ImageName, NameError, Reference, RegistryHost, Repository, Tag};

fn is_grammar_error<T>(parsed: &Result<T, NameError>) -> bool {
    matches!(parsed, Err(NameError::Grammar { .. }))
}

proptest! {
    #[test]
    fn repositories_of_the_specifications_grammar_are_read(
        text in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,3}(/[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}){0,4}",
    ) {
        let name: Repository = text.parse().unwrap();
        prop_assert_eq!(name.as_str(), text);
    }

    #[test]
    fn tags_of_the_specifications_grammar_are_read(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
        let tag: Tag = text.parse().unwrap();
        prop_assert_eq!(tag.as_str(), &text);
        prop_assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
    }

    #[test]
    fn hosts_with_and_without_ports_are_read(
        text in "([a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?){1}(\\.[a-z0-9]{1,8}){0,3}", port in any::<Option<u16>>(),
    ) {
        let text = port.map_or(text.clone(), |port| format!("{text}:{port}"));
        let host: RegistryHost = text.parse().unwrap();
        prop_assert_eq!(host.as_str(), text);
    }

    /// Nothing accepted can leave its directory, smuggle a header line or be read as another part of a URL.
    #[test]
    fn any_text_is_refused_or_harmless(text in "[a-zA-Z0-9./:@?#%&\\\\_\\[\\] \r\n\u{0}é-]{0,40}") {
        let harmless = |name: &str, more: &[char]| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c) || more.contains(&c))
                && !name.is_empty()
        };
        if let Ok(name) = text.parse::<Repository>() {
            prop_assert!(harmless(name.as_str(), &['_', '/']) && !name.as_str().contains(".."));
            prop_assert!(name.as_str().split('/').all(|part| !part.is_empty()));
        }
        if let Ok(tag) = text.parse::<Tag>() {
            prop_assert!(harmless(tag.as_str(), &['_']) && !tag.as_str().starts_with('.'));
        }
        if let Ok(host) = text.parse::<RegistryHost>() {
            prop_assert!(harmless(host.as_str(), &[':', '[', ']']) && !host.as_str().contains(".."));
        }
    }
}

#[test]
fn names_that_escape_are_refused() {
    for text in
        ["", "/", "a//b", "/a", "a/", "..", "a/../b", "A", "a..b", "a___b", "-a", "a-", "a%2e", "a b", "é"]
    {
        assert!(is_grammar_error(&text.parse::<Repository>()), "{text:?}");
    }
    for text in ["", ".a", "-a", "a/b", "a:b", "a b", "é"] {
        assert!(is_grammar_error(&text.parse::<Tag>()), "{text:?}");
    }
}

#[test]
fn hosts_are_read_as_clients_write_them() {
    for text in ["docker.io", "localhost:5000", "10.0.0.1:5000", "[::1]", "[::1]:5000", "Registry.Example"] {
        assert_eq!(text.parse::<RegistryHost>().unwrap().to_string(), text);
    }
    for text in [
        "", ":5000", "a:", "a:+1", "a:65536", "a:b", "a..b", ".a", "a.", "-a", "a-", "::1", "[::1", "::1]",
        "[]", "[::1]x", "[::1]:x", "[a]", "a/b", "user@a", "a_b", "é",
    ] {
        assert!(is_grammar_error(&text.parse::<RegistryHost>()), "{text:?}");
    }
}

#[test]
fn over_long_names_say_how_long_they_may_be() {
    let too_long = |what, max| Some(NameError::TooLong { what, max });
    let text = "a".repeat(256);
    assert_eq!(text.parse::<RegistryHost>().err(), too_long("registry host", 255));
    assert_eq!(text.parse::<Repository>().err(), too_long("repository name", 255));
    assert_eq!(text[..129].parse::<Tag>().err(), too_long("tag", 128));
    assert!(text[..255].parse::<Repository>().is_ok() && text[..128].parse::<Tag>().is_ok());
}

#[test]
fn a_reference_with_a_colon_is_a_digest() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(matches!(digest.parse(), Ok(Reference::Digest(_))));
    assert_eq!(digest.parse::<Reference>().unwrap().to_string(), digest);
    assert!(matches!("latest".parse(), Ok(Reference::Tag(_))));
    assert!(is_grammar_error(&"sha256:e3b0".parse::<Reference>()));
    assert!(is_grammar_error(&".latest".parse::<Reference>()));
}

#[test]
fn an_image_is_written_as_registry_and_repository() {
    let image =
        ImageName { registry: "docker.io".parse().unwrap(), repository: "library/nginx".parse().unwrap() };
    assert_eq!(image.to_string(), "docker.io/library/nginx");
    let tag: Tag = "1.27".parse().unwrap();
    assert_eq!(format!("{}:{tag}", image.repository), "library/nginx:1.27");
}
