//! Which images a setting is for.

use std::{fmt, str::FromStr};

use shoal_protocol::reference::{ImageName, RegistryHost, Repository};

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// Images of a registry: all of them, or those of one repository and of what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePattern {
    registry: Option<RegistryHost>,
    repository: Option<Repository>,
}

impl ImagePattern {
    /// The registry whose images it fits; `None` for those of all.
    pub fn registry(&self) -> Option<&RegistryHost> {
        self.registry.as_ref()
    }

    /// Whether `image` is one of them.
    pub fn fits(&self, image: &ImageName) -> bool {
        let is_below = |repository: &Repository| {
            let rest = image.repository.as_str().strip_prefix(repository.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.registry.as_ref().is_none_or(|registry| *registry == image.registry)
            && self.repository.as_ref().is_none_or(is_below)
    }

    /// How much of a name it fixes: of several patterns that fit, the one with the most counts.
    pub fn fixed_bytes(&self) -> usize {
        let registry = self.registry.as_ref().map_or(0, |registry| registry.as_str().len());
        registry + self.repository.as_ref().map_or(0, |repository| 1 + repository.as_str().len())
    }
}

impl FromStr for ImagePattern {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "*" {
            return Ok(Self { registry: None, repository: None });
        }
        let (registry, repository) = match text.split_once('/') {
            Some((registry, repository)) => (registry, Some(repository.parse().map_err(drop)?)),
            None => (text, None),
        };
        // As requests name registries: a rule must not be lost to the spelling of a host.
        let registry = match registry.to_ascii_lowercase() {
            alias if DOCKER_HUB_ALIASES.contains(&alias.as_str()) => DOCKER_HUB.to_owned(),
            registry => registry,
        };
        Ok(Self { registry: Some(registry.parse().map_err(drop)?), repository })
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.registry, &self.repository) {
            (Some(registry), Some(repository)) => write!(f, "{registry}/{repository}"),
            (Some(registry), None) => write!(f, "{registry}"),
            (None, _) => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_one_spelling() {
        let image =
            ImageName { registry: "docker.io".parse().unwrap(), repository: "team/app".parse().unwrap() };
        for text in
            ["docker.io/team", "Docker.IO/team/app", "index.docker.io", "registry-1.docker.io/team", "*"]
        {
            assert!(text.parse::<ImagePattern>().unwrap().fits(&image), "{text}");
        }
        for text in ["docker.io/tea", "docker.io/team/app/more", "quay.io/team"] {
            assert!(!text.parse::<ImagePattern>().unwrap().fits(&image), "{text}");
        }
    }
}
