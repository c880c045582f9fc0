//! Which images need a signature.

use std::{fmt, path::PathBuf, str::FromStr};

use shoal_protocol::reference::ImageName;

use super::trust::CertificateSubject;
use crate::config::ImagePattern;

/// What an image without a valid signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureMode {
    /// As much as any: an exception from a wider policy.
    Ignored,
    /// It is handed out, warned of and counted.
    Preferred,
    /// It is not handed out.
    Required,
}

/// A policy: for which images, how strict, and whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignaturePolicy {
    /// The images.
    pub images: Vec<ImagePattern>,
    /// How strict.
    pub mode: SignatureMode,
    /// Files with public keys (PEM), each of which may sign with cosign.
    pub cosign_keys: Vec<PathBuf>,
    /// Files with certificates (PEM) of the authorities for those who sign with Notation.
    pub notation_certificates: Vec<PathBuf>,
    /// Who of those that have such a certificate may sign; everyone when empty.
    pub notation_subjects: Vec<CertificateSubject>,
}

/// The policy for each image; of several that fit, the one with the longest pattern.
#[derive(Clone, Debug, Default)]
pub struct SignatureRules {
    policies: Vec<SignaturePolicy>,
}

impl SignatureRules {
    /// Rules out of policies. Of two with the same pattern the stricter one holds.
    pub fn new(policies: Vec<SignaturePolicy>) -> Self {
        Self { policies }
    }

    /// Whether signatures of an image matter.
    pub fn concern(&self, image: &ImageName) -> bool {
        self.place(image).is_some()
    }

    /// Whether an image is handed out only with a signature.
    pub fn requires(&self, image: &ImageName) -> bool {
        self.place(image).is_some_and(|place| self.policies[place].mode == SignatureMode::Required)
    }

    /// The place in [`Self::policies`] of the one for `image`; `None` when its signatures do not matter.
    pub(super) fn place(&self, image: &ImageName) -> Option<usize> {
        let fitting = self.policies.iter().enumerate().filter_map(|(place, policy)| {
            let patterns = policy.images.iter().filter(|pattern| pattern.fits(image));
            Some(((patterns.map(ImagePattern::fixed_bytes).max()?, policy.mode), place))
        });
        let (_, place) = fitting.max_by_key(|(rank, _)| *rank)?;
        (self.policies[place].mode != SignatureMode::Ignored).then_some(place)
    }

    pub(super) fn policies(&self) -> &[SignaturePolicy] {
        &self.policies
    }
}

impl FromStr for SignatureMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ignored" => Ok(Self::Ignored),
            "preferred" => Ok(Self::Preferred),
            "required" => Ok(Self::Required),
            _ => Err(()),
        }
    }
}

impl fmt::Display for SignatureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignored => "ignored",
            Self::Preferred => "preferred",
            Self::Required => "required",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(images: &[&str], mode: SignatureMode) -> SignaturePolicy {
        SignaturePolicy {
            images: images.iter().map(|pattern| pattern.parse().unwrap()).collect(),
            mode,
            cosign_keys: Vec::new(),
            notation_certificates: Vec::new(),
            notation_subjects: Vec::new(),
        }
    }

    #[test]
    fn the_longest_pattern_counts_and_of_equal_ones_the_strictest() {
        use SignatureMode::{Ignored, Preferred, Required};
        let rules = SignatureRules::new(vec![
            policy(&["*"], Preferred),
            policy(&["a.example", "b.example/team"], Required),
            policy(&["a.example/free", "b.example/team"], Ignored),
        ]);
        let mode = |registry: &str, repository: &str| {
            let image =
                ImageName { registry: registry.parse().unwrap(), repository: repository.parse().unwrap() };
            let mode = rules.place(&image).map(|place| rules.policies()[place].mode);
            assert_eq!(
                (rules.concern(&image), rules.requires(&image)),
                (mode.is_some(), mode == Some(Required))
            );
            mode
        };
        assert_eq!(mode("c.example", "any"), Some(Preferred));
        assert_eq!(mode("a.example", "any"), Some(Required));
        assert_eq!(mode("a.example", "free/app"), None);
        assert_eq!(mode("b.example", "team"), Some(Required));
        assert_eq!(
            SignatureRules::default().place(&ImageName {
                registry: "a.example".parse().unwrap(),
                repository: "any".parse().unwrap()
            }),
            None
        );
    }
}
