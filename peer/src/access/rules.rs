//! Which images are for whom.

use std::{fmt, str::FromStr};

use shoal_protocol::reference::{ImageName, RegistryHost, Repository};

/// Who may have an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whoever reaches the mirror.
    #[default]
    Open,
    /// The same, as long as the origin lets the cluster's own login pull it.
    Node,
    /// Whoever shows a login that the origin lets pull it.
    Client,
}

/// Images of a registry: all of them, or those of one repository and of what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePattern {
    registry: Option<RegistryHost>,
    repository: Option<Repository>,
}

/// The rule for each image; of several that fit, the longest.
#[derive(Clone, Debug, Default)]
pub struct AccessRules {
    rules: Vec<(ImagePattern, Mode)>,
}

impl AccessRules {
    /// Rules out of lists of patterns. Of equal patterns the stricter one holds.
    pub fn new(open: &[ImagePattern], node: &[ImagePattern], client: &[ImagePattern]) -> Self {
        let with = |mode| move |pattern: &ImagePattern| (pattern.clone(), mode);
        let rules = open.iter().map(with(Mode::Open));
        let rules = rules.chain(node.iter().map(with(Mode::Node)));
        Self { rules: rules.chain(client.iter().map(with(Mode::Client))).collect() }
    }

    /// True when some images are not for everyone.
    pub fn restrict_any(&self) -> bool {
        self.rules.iter().any(|(_, mode)| *mode != Mode::Open)
    }

    /// Who may have that image.
    pub fn mode(&self, image: &ImageName) -> Mode {
        let fitting = self.rules.iter().filter(|(pattern, _)| pattern.fits(image));
        fitting.max_by_key(|(pattern, _)| pattern.len()).map_or(Mode::Open, |(_, mode)| *mode)
    }
}

impl ImagePattern {
    fn fits(&self, image: &ImageName) -> bool {
        let is_below = |repository: &Repository| {
            let rest = image.repository.as_str().strip_prefix(repository.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.registry.as_ref().is_none_or(|registry| *registry == image.registry)
            && self.repository.as_ref().is_none_or(is_below)
    }

    /// How much of a name it fixes.
    fn len(&self) -> usize {
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
