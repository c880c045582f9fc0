//! The types of single settings: texts that are checked once, when they are read.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use shoal_protocol::{bounds::MAX_ZONE_BYTES, reference::RegistryHost};
use shoal_seed::{
    config::{DockerConfigPlace, Endpoint, HelperName, ImagePattern},
    signatures::{CertificateSubject, SignatureMode},
};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::value::Value;

/// A host, by name or address, with its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort(String);

/// A file that has to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile(pub PathBuf);

/// Where a node is: a short word, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone(String);

/// Which log lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string())
    }
}

impl FromStr for HostPort {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (_, port) = text.rsplit_once(':').ok_or(())?;
        let has_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        let valid = has_port && RegistryHost::from_str(text).is_ok();
        valid.then(|| Self(text.into())).ok_or(())
    }
}

impl FromStr for Zone {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let valid = text.len() <= MAX_ZONE_BYTES && text.chars().all(is_word);
        valid.then(|| Self(text.into())).ok_or(())
    }
}

impl LogFilter {
    /// Errors only, for commands that show their own progress.
    pub fn quiet() -> Self {
        Self("error".into())
    }
}

impl FromStr for LogFilter {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_level = |level: &str| level.parse::<LevelFilter>().is_ok();
        // Without this, a misspelt level would pass as the name of a part whose every line is wanted.
        let is_directive = |part: &str| is_level(part.split_once('=').map_or(part, |(_, level)| level));
        let valid = text.split(',').all(is_directive) && text.parse::<Targets>().is_ok();
        valid.then(|| Self(text.into())).ok_or(())
    }
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// The types that are one text in the file: how they are called, what is expected.
macro_rules! text_values {
    ($( $Type:ty: $placeholder:literal, $expected:literal; )*) => { $(
        impl Value for $Type {
            const PLACEHOLDER: &'static str = $placeholder;

            fn expected() -> String {
                $expected.into()
            }

            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn to_toml(&self) -> Option<toml::Value> {
                Some(self.to_string().into())
            }
        }
    )* };
}

/// The types that are a checked text inside.
macro_rules! text_newtypes {
    ($( $Type:ty ),*) => { $(
        impl $Type {
            /// The text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

text_newtypes!(HostPort, Zone, LogFilter);

text_values! {
    SocketAddr: "ADDRESS", "an IP address with a port, such as 127.0.0.1:5020 or [::]:5021";
    HostPort: "HOST:PORT", "a host with a port, such as seed.example:5021";
    Endpoint: "URL", "a URL such as https://registry.example; a login goes into username and password_file";
    RegistryHost: "HOST", "a registry's host, such as docker.io or registry.example:5000";
    HelperName: "NAME", "a credential helper's name, such as ecr-login for the program docker-credential-ecr-login";
    ImagePattern: "IMAGE", "a registry, a registry and a repository with all below it, or *: ghcr.io/team";
    SignatureMode: "POLICY", "required, preferred or ignored";
    CertificateSubject: "SUBJECT", "parts of a subject out of C, ST, L, O, OU and CN, such as O=Example/CN=Releases";
    Zone: "WORD", "a word of up to 64 letters, digits, '-', '_', '.' and '/'";
    LogFilter: "LEVEL", "error, warn, info, debug or trace, and perhaps part=level after commas";
    LogFormat: "FORMAT", "human or json";
    String: "TEXT", "a text";
}

impl Value for InputFile {
    const PLACEHOLDER: &'static str = "FILE";

    fn expected() -> String {
        "the path of a file".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        PathBuf::from_text(text).map(Self)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Value::to_toml(&self.0)
    }

    fn check(&self) -> Result<(), String> {
        let path = self.0.display();
        match std::fs::metadata(&self.0) {
            Ok(metadata) if metadata.is_dir() => Err(format!("{path} is a folder, expected a file")),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("can't read the file {path}: {error}")),
        }
    }
}

impl Value for DockerConfigPlace {
    const PLACEHOLDER: &'static str = "PATH";

    fn expected() -> String {
        "the path of a Docker config.json, of its folder, or auto".into()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.parse().ok()).flatten()
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(self.to_string().into())
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Auto => Ok(()),
            Self::Path(path) => match std::fs::metadata(path) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("can't read {}: {error}", path.display())),
            },
        }
    }
}
