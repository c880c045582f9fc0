//! Where a registry's login is found when it is not in the configuration itself.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parsed;

/// Longest name of a credential helper; real ones have a dozen letters.
const MAX_HELPER_NAME_BYTES: usize = 64;

/// Where Docker's list of logins is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerConfigPlace {
    /// Where Docker itself would look: in `DOCKER_AUTH_CONFIG`, in the folder `DOCKER_CONFIG`, in `~/.docker`.
    Auto,
    /// A file, or a folder with a `config.json`, `.dockerconfigjson` or `.dockercfg`.
    Path(PathBuf),
}

impl FromStr for DockerConfigPlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "auto" { Self::Auto } else { Self::Path(text.into()) })
    }
}

impl fmt::Display for DockerConfigPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// The name of a credential helper: `ecr-login` for the program `docker-credential-ecr-login`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HelperName(String);

/// Why a text names no credential helper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a credential helper's name has 1 to {MAX_HELPER_NAME_BYTES} letters, digits, '.', '_' and '-': \
     ecr-login for the program docker-credential-ecr-login"
)]
pub struct HelperNameError;

impl HelperName {
    /// The program, looked for in `PATH`.
    pub(crate) fn program(&self) -> String {
        format!("docker-credential-{}", self.0)
    }
}

impl FromStr for HelperName {
    type Err = HelperNameError;

    fn from_str(text: &str) -> Result<Self, HelperNameError> {
        // Nothing in it can lead to another folder.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let is_short = (1..=MAX_HELPER_NAME_BYTES).contains(&text.len());
        (is_plain && is_short).then(|| Self(text.to_owned())).ok_or(HelperNameError)
    }
}

impl fmt::Display for HelperName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! as_text {
    ($($Type:ty),*) => { $(
        impl<'de> Deserialize<'de> for $Type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }

        impl Serialize for $Type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )* };
}

as_text!(DockerConfigPlace, HelperName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_a_name_and_never_a_path() {
        for name in ["ecr-login", "gcloud", "osxkeychain", "a.b_c"] {
            assert_eq!(name.parse::<HelperName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "../evil", "a b", "a;b", "a/b", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(name.parse::<HelperName>(), Err(HelperNameError), "{name:?}");
        }
    }
}
