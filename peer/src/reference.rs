//! Names of images as people type them: `debian`, `ghcr.io/owner/name:tag`.

use std::{fmt, str::FromStr};

use shoal_protocol::reference::{ImageName, NameError, Reference};

/// An image and what it is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// Registry and repository.
    pub name: ImageName,
    /// Tag or digest.
    pub reference: Reference,
}

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no image: {reason}; expected [REGISTRY/]REPOSITORY[:TAG|@DIGEST]")]
pub struct ReferenceError {
    text: String,
    reason: NameError,
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|reason| ReferenceError { text: text.into(), reason })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match &self.reference {
            Reference::Tag(_) => ':',
            Reference::Digest(_) => '@',
        };
        write!(f, "{}{separator}{}", self.name, self.reference)
    }
}

/// Without a registry Docker Hub is meant, there without a folder the official images, and without a tag `latest`.
fn parse(text: &str) -> Result<ImageReference, NameError> {
    let (registry, rest) = match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
        Some(_) => ("docker.io", text.to_owned()),
        None => ("docker.io", format!("library/{text}")),
    };
    let (repository, reference) = match rest.split_once('@') {
        // A tag beside a digest says nothing more.
        Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
        None => rest.split_once(':').unwrap_or((&rest, "latest")),
    };
    let name = ImageName { registry: registry.parse()?, repository: repository.parse()? };
    Ok(ImageReference { name, reference: reference.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_mean_what_docker_means() {
        let zeros = "0".repeat(64);
        let cases = [
            ("debian", "docker.io/library/debian:latest".to_owned()),
            ("owner/name:v1", "docker.io/owner/name:v1".into()),
            ("ghcr.io/a/b", "ghcr.io/a/b:latest".into()),
            ("localhost/a", "localhost/a:latest".into()),
            ("127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t".into()),
            (&format!("debian:stable@sha256:{zeros}"), format!("docker.io/library/debian@sha256:{zeros}")),
        ];
        for (text, full) in cases {
            assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn what_names_no_image_is_an_error_that_quotes_it() {
        for text in ["", "UPPER", "a b", "debian:", "debian@sha256:12", "ghcr.io/", "a//b"] {
            let error = text.parse::<ImageReference>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} names no image")), "{error}");
        }
    }
}
