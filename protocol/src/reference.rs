//! Names of images: registry, repository and tag, parsed at the edge into types that can't be wrong.

use alloc::string::String;
use core::{fmt, str::FromStr};

use crate::digest::Digest;

/// Why a text is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than the specification allows.
    #[error("{what} is longer than {max} bytes")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// Most bytes allowed.
        max: usize,
    },
    /// A character or form that the grammar does not have.
    #[error("not a valid {what}: {rule}")]
    Grammar {
        /// What was being read.
        what: &'static str,
        /// The rule in words.
        rule: &'static str,
    },
}

/// A registry as a client names it: a host, perhaps with a port (`docker.io`, `registry.example:5000`, `[::1]:5000`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryHost(String);

/// The name of a repository (`library/nginx`), by the grammar of the OCI distribution specification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

/// A tag (`latest`): up to 128 of letters, digits, `_`, `.` and `-`, the first neither `.` nor `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A repository of a registry: where content comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    /// The registry.
    pub registry: RegistryHost,
    /// The repository in it.
    pub repository: Repository,
}

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// By tag: what it stands for can change.
    Tag(Tag),
    /// By digest: can't change.
    Digest(Digest),
}

impl RegistryHost {
    const MAX_BYTES: usize = 255;

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Repository {
    const MAX_BYTES: usize = 255;

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tag {
    const MAX_BYTES: usize = 128;

    /// The tag as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryHost {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "registry host";
        let grammar = |rule| NameError::Grammar { what: WHAT, rule };
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { what: WHAT, max: Self::MAX_BYTES });
        }
        let (host, port) = split_port(text);
        if let Some(port) = port
            && (port.starts_with('+') || port.parse::<u16>().is_err())
        {
            return Err(grammar("the port is a number from 0 to 65535"));
        }
        let literal_v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let valid = match literal_v6 {
            Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.split('.').all(is_host_label),
        };
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(grammar("letters, digits and '-' between single dots, then an optional :port"))
        }
    }
}

/// Splits `host:port`; the colons inside `[…]` belong to an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

fn is_host_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "repository name";
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { what: WHAT, max: Self::MAX_BYTES });
        }
        if text.split('/').all(is_path_component) {
            return Ok(Self(text.into()));
        }
        Err(NameError::Grammar {
            what: WHAT,
            rule: "lower-case letters and digits, joined by one '.', one or two '_' or any '-', in parts between '/'",
        })
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, the specification's grammar for one component.
fn is_path_component(component: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    if !bytes.first().is_some_and(is_plain) || !bytes.last().is_some_and(is_plain) {
        return false;
    }
    bytes.split(is_plain).all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
    })
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "tag";
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { what: WHAT, max: Self::MAX_BYTES });
        }
        let bytes = text.as_bytes();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let valid = bytes.first().is_some_and(is_word)
            && bytes.iter().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
        if valid {
            return Ok(Self(text.into()));
        }
        Err(NameError::Grammar {
            what: WHAT,
            rule: "letters, digits, '_', '.' and '-', the first neither '.' nor '-'",
        })
    }
}

impl FromStr for Reference {
    type Err = NameError;

    /// A text with a colon is a digest, any other a tag.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if !text.contains(':') {
            return text.parse().map(Self::Tag);
        }
        text.parse().map(Self::Digest).map_err(|_| NameError::Grammar {
            what: "digest",
            rule: "sha256: and 64, or sha512: and 128 lower-case hex digits",
        })
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}
