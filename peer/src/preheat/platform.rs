//! Platforms: what an image was built for, and what of it is wanted.

use std::{fmt, str::FromStr};

use crate::{architecture, document::EntryPlatform};

/// An operating system and a processor, in the words of OCI: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// What is wanted of an image for several platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// Whatever there is.
    All,
    /// These.
    Some(Vec<Platform>),
}

/// Why a text names no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no platform; expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64, or all")]
pub struct PlatformError(String);

impl Platforms {
    /// Reads names of platforms, or `all`; nothing stands for Linux of this machine's architecture.
    ///
    /// # Errors
    /// When one names no platform.
    pub fn parse(texts: &[String]) -> Result<Self, PlatformError> {
        if texts.iter().any(|text| text == "all") {
            return Ok(Self::All);
        }
        if texts.is_empty() {
            return Ok(Self::Some(vec![Platform::of_this_machine()]));
        }
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Self::Some)
    }

    /// Each in words.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::All => vec!["all".to_owned()],
            Self::Some(platforms) => platforms.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Platform {
    fn of_this_machine() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: architecture::of_this_machine().to_owned(),
            variant: None,
        }
    }

    /// Whether what was built for `built` is wanted. Where this names no variant, every variant is.
    pub(super) fn wants(&self, built: &Self) -> bool {
        self.os == built.os
            && self.architecture == built.architecture
            && (self.variant.is_none() || self.usual_variant() == built.usual_variant())
    }

    /// False for what is no image: indexes name the platform of attestations so.
    pub(super) fn is_known(&self) -> bool {
        self.os != "unknown"
    }

    /// The variant, or the one that is meant where none is named.
    fn usual_variant(&self) -> Option<&str> {
        let usual = match self.architecture.as_str() {
            "arm64" => Some("v8"),
            "arm" => Some("v7"),
            _ => None,
        };
        self.variant.as_deref().or(usual)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let is_word = |part: &&str| {
            let is_usual =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
            !part.is_empty() && part.bytes().all(is_usual)
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !parts.iter().all(is_word) {
            return Err(PlatformError(text.to_owned()));
        }
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
            _ => return Err(PlatformError(text.to_owned())),
        };
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture::in_images(architecture).to_owned(),
            variant,
        })
    }
}

impl From<&EntryPlatform> for Platform {
    fn from(entry: &EntryPlatform) -> Self {
        Self {
            os: entry.os.clone(),
            architecture: entry.architecture.clone(),
            variant: entry.variant.clone().filter(|variant| !variant.is_empty()),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(wanted: &str, built: &str) -> bool {
        wanted.parse::<Platform>().unwrap().wants(&built.parse().unwrap())
    }

    #[test]
    fn a_platform_without_a_variant_wants_every_variant() {
        assert!(wants("linux/arm", "linux/arm/v6") && wants("linux/arm", "linux/arm/v7"));
        assert!(wants("linux/amd64", "linux/amd64") && wants("linux/x86_64", "linux/amd64"));
    }

    #[test]
    fn a_variant_wants_itself_and_the_usual_one_goes_without_saying() {
        assert!(wants("linux/arm64/v8", "linux/arm64") && wants("linux/arm/v7", "linux/arm"));
        assert!(!wants("linux/arm/v6", "linux/arm/v7") && !wants("linux/amd64/v3", "linux/amd64"));
        assert!(!wants("linux/amd64", "windows/amd64") && !wants("linux/amd64", "linux/arm64"));
    }

    #[test]
    fn nothing_stands_for_this_machine_and_all_for_everything() {
        let Platforms::Some(platforms) = Platforms::parse(&[]).unwrap() else { panic!("everything") };
        assert!(platforms[0].to_string().starts_with("linux/") && platforms.len() == 1);
        assert_eq!(Platforms::parse(&["linux/amd64".into(), "all".into()]), Ok(Platforms::All));
    }

    #[test]
    fn what_names_no_platform_is_quoted() {
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "linux/a b"] {
            let error = text.parse::<Platform>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} names no platform")), "{error}");
        }
    }
}
