//! Which entries of an index are wanted.

use super::platform::{Platform, Platforms};
use crate::document::Entry;

/// What is taken of an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection<'a> {
    /// Digests of manifests and of indexes, as written.
    pub(super) digests: Vec<&'a str>,
    /// Platforms that the index has nothing for.
    pub(super) missing: Vec<String>,
    /// The platforms that it has something for, but for `unknown`, which attestations have.
    pub(super) offered: Vec<String>,
}

/// Selects of `entries` what is for these platforms. An entry without a platform is taken, too: it may lead to them.
pub(super) fn select<'a>(entries: &'a [Entry], platforms: &Platforms) -> Selection<'a> {
    let offered: Vec<(Option<Platform>, &str)> = entries
        .iter()
        .map(|entry| (entry.platform.as_ref().map(Platform::from), entry.digest.as_str()))
        .collect();
    let Platforms::Some(wanted) = platforms else {
        let digests = offered.iter().map(|(_, digest)| *digest).collect();
        return Selection { digests, missing: Vec::new(), offered: Vec::new() };
    };
    let is_taken = |built: &Option<Platform>| {
        built.as_ref().is_none_or(|built| wanted.iter().any(|wanted| wanted.wants(built)))
    };
    let has = |wanted: &&Platform| {
        offered.iter().any(|(built, _)| built.as_ref().is_none_or(|built| wanted.wants(built)))
    };
    Selection {
        digests: offered.iter().filter(|(built, _)| is_taken(built)).map(|(_, digest)| *digest).collect(),
        missing: wanted.iter().filter(|wanted| !has(wanted)).map(ToString::to_string).collect(),
        offered: offered
            .iter()
            .filter_map(|(built, _)| built.as_ref().filter(|built| built.is_known()))
            .map(ToString::to_string)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::EntryPlatform;

    fn entry(digest: &str, platform: Option<(&str, &str, Option<&str>)>) -> Entry {
        let platform = platform.map(|(os, architecture, variant)| EntryPlatform {
            os: os.into(),
            architecture: architecture.into(),
            variant: variant.map(Into::into),
        });
        Entry { digest: digest.into(), platform }
    }

    /// An index as BuildKit makes it, with an attestation.
    fn index() -> [Entry; 5] {
        [
            entry("amd", Some(("linux", "amd64", None))),
            entry("arm", Some(("linux", "arm64", Some("v8")))),
            entry("v6", Some(("linux", "arm", Some("v6")))),
            entry("v7", Some(("linux", "arm", Some("v7")))),
            entry("attestation", Some(("unknown", "unknown", None))),
        ]
    }

    fn platforms(texts: &[&str]) -> Platforms {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Platforms::parse(&texts).unwrap()
    }

    #[test]
    fn what_is_wanted_is_taken_and_nothing_else() {
        for (wanted, digests) in [
            (&["linux/amd64"][..], &["amd"][..]),
            (&["linux/arm64/v8", "linux/amd64"], &["amd", "arm"]),
            (&["linux/arm"], &["v6", "v7"]),
            (&["all"], &["amd", "arm", "v6", "v7", "attestation"]),
        ] {
            let index = index();
            let selection = select(&index, &platforms(wanted));
            assert_eq!((selection.digests.as_slice(), selection.missing.len()), (digests, 0), "{wanted:?}");
        }
    }

    #[test]
    fn what_the_index_lacks_is_named() {
        let index = index();
        let selection = select(&index, &platforms(&["linux/s390x", "linux/amd64"]));
        assert_eq!((selection.digests, selection.missing), (vec!["amd"], vec!["linux/s390x".to_owned()]));
        assert!(selection.offered.contains(&"linux/arm64/v8".to_owned()));
    }

    #[test]
    fn an_entry_without_a_platform_may_lead_to_any() {
        let index = [entry("nested", None)];
        let selection = select(&index, &platforms(&["linux/amd64"]));
        assert_eq!((selection.digests, selection.missing), (vec!["nested"], vec![]));
    }
}
